import type { Bucket, Cause, Outcome, Phases, State, Uptime } from '#/api/schema.d.ts'

import { type Episode, type StoredMonitor, targetOf } from './monitor.ts'
import { chance, hash } from './random.ts'

/** What one slot came to: a pure function of monitor, region and slot, so nothing needs storing. */
export interface Slotted {
  slot: number
  outcome: Outcome
  latency_us: number | null
  cause?: Cause
  detail?: string
  status?: number
  phases?: Phases
}

const ms = (monitor: StoredMonitor) => monitor.spec.interval_seconds * 1000

/** The newest slot at or before `at`. */
export function slotAt(monitor: StoredMonitor, region: string, at: number): number {
  const interval = ms(monitor)
  const phase = hash('phase', monitor.id, region) % interval
  return Math.floor((at - phase) / interval) * interval + phase
}

function episodeAt(monitor: StoredMonitor, region: string, at: number): Episode | undefined {
  return monitor.profile.episodes.find(
    (one) => at >= one.from && at < one.to && (!one.regions || one.regions.includes(region)),
  )
}

/** Outcomes depend on episodes alone, which makes a month of them cheap to count. */
export function outcomeAt(monitor: StoredMonitor, region: string, slot: number): Outcome {
  return episodeAt(monitor, region, slot)?.outcome ?? 'up'
}

export function resultAt(monitor: StoredMonitor, region: string, slot: number): Slotted {
  const { base, spread } = monitor.profile
  const episode = episodeAt(monitor, region, slot)
  if (episode?.outcome === 'missed' || episode?.outcome === 'maintenance')
    return { slot, outcome: episode.outcome, latency_us: null, ...why(episode) }
  if (episode && episode.outcome !== 'degraded')
    return { slot, outcome: episode.outcome, latency_us: null, ...why(episode) }

  const far = 1 + (hash('far', region) % 7) / 9
  const daily = 1 + 0.16 * Math.sin((slot / 86_400_000) * 2 * Math.PI + (hash(monitor.id) % 6))
  const noise = 1 + spread * (chance(monitor.id, region, slot) + chance(slot, monitor.id) - 0.9)
  const spike = chance('spike', monitor.id, region, slot) > 0.988 ? 2.4 : 1
  const slow = episode ? 4.2 : 1
  const latency_us = Math.round(base * far * daily * noise * spike * slow)
  return {
    slot,
    outcome: episode ? 'degraded' : 'up',
    latency_us,
    ...(episode ? why(episode) : {}),
    ...(monitor.spec.probe.kind === 'http' ? { status: 200, phases: phasesOf(latency_us, slot) } : {}),
  }
}

const why = ({ cause, detail }: Episode) => ({ cause, detail })

function phasesOf(total: number, slot: number): Phases {
  const share = (part: number) => Math.round(total * part * (0.85 + 0.3 * chance('phase', part, slot)))
  const resolve_us = share(0.05)
  const connect_us = share(0.17)
  const tls_us = share(0.27)
  const transfer_us = share(0.06)
  return {
    resolve_us,
    connect_us,
    tls_us,
    first_byte_us: Math.max(0, total - resolve_us - connect_us - tls_us - transfer_us),
    transfer_us,
  }
}

/** Every slot of `[from, to)`, oldest first, at most up to now and not before the monitor existed. */
export function* slots(monitor: StoredMonitor, region: string, from: number, to: number): Generator<number> {
  if (monitor.spec.paused) to = Math.min(to, monitor.updated_at)
  const interval = ms(monitor)
  const start = Math.max(from, monitor.checked_from)
  for (let slot = slotAt(monitor, region, start - 1) + interval; slot < to; slot += interval) yield slot
}

type Tally = Pick<Uptime, 'due' | Outcome>

const emptyTally = (): Tally => ({
  due: 0,
  up: 0,
  degraded: 0,
  down: 0,
  unknown: 0,
  missed: 0,
  maintenance: 0,
})

/** Counts and the two ratios, as the contract defines them. */
export function uptimeOf(monitor: StoredMonitor, regions: string[], from: number, to: number): Uptime {
  const tally = emptyTally()
  for (const region of regions)
    for (const slot of slots(monitor, region, from, to)) {
      tally.due++
      tally[outcomeAt(monitor, region, slot)]++
    }
  return withRatios(tally)
}

export function withRatios(tally: Tally): Uptime {
  const judged = tally.up + tally.degraded + tally.down
  const due = tally.due - tally.maintenance
  return {
    ...tally,
    uptime: judged ? (tally.up + tally.degraded) / judged : null,
    coverage: due ? judged / due : null,
  }
}

export function bucketOf(
  monitor: StoredMonitor,
  regions: string[],
  from: number,
  to: number,
  now: number,
): Bucket {
  const tally = emptyTally()
  const latencies: number[] = []
  // Percentiles need no more than some dozens of each bucket's checks.
  const every = Math.ceil((to - from) / ms(monitor) / 40)
  for (const region of regions) {
    let n = 0
    for (const slot of slots(monitor, region, from, Math.min(to, now))) {
      tally.due++
      tally[outcomeAt(monitor, region, slot)]++
      if (n++ % every !== 0) continue
      const { latency_us } = resultAt(monitor, region, slot)
      if (latency_us !== null) latencies.push(latency_us)
    }
  }
  latencies.sort((a, b) => a - b)
  const at = (q: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? null
  return {
    from,
    to,
    ...tally,
    p50_us: at(0.5),
    p95_us: at(0.95),
    p99_us: at(0.99),
    max_us: latencies.at(-1) ?? null,
  }
}

/** The judged state over regions, a majority deciding. */
export function stateAt(
  monitor: StoredMonitor,
  now: number,
): { state: State; since: number | null; cause: Cause | null } {
  if (monitor.spec.paused) return { state: 'paused', since: monitor.updated_at, cause: null }
  const newest = monitor.spec.regions.flatMap((region) => {
    const slot = slotAt(monitor, region, now)
    return slot < monitor.checked_from ? [] : [resultAt(monitor, region, slot)]
  })
  if (newest.length === 0) return { state: 'pending', since: null, cause: null }
  const most = (outcome: Outcome) =>
    newest.filter((one) => one.outcome === outcome).length > newest.length / 2
  const state: State = most('down')
    ? 'down'
    : most('degraded')
      ? 'degraded'
      : most('unknown') || most('missed')
        ? 'unknown'
        : 'up'
  const episode = monitor.profile.episodes.find((one) => now >= one.from && now < one.to)
  const ended = monitor.profile.episodes
    .filter((one) => one.to <= now && one.outcome === 'down')
    .map((one) => one.to)
  const since =
    state === 'up' ? Math.max(monitor.checked_from, ...ended) : (episode?.from ?? monitor.checked_from)
  const cause = state === 'up' ? null : (newest.find((one) => one.cause)?.cause ?? null)
  return { state, since: state === 'unknown' ? null : since, cause }
}

export { targetOf }
