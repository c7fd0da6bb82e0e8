import type {
  Alert,
  Channel,
  Incident,
  MonitorSpec,
  MonitorView,
  ResultItem,
  Role,
  State,
  StateCounts,
  VerdictItem,
} from '#/api/schema.d.ts'

import { resultAt, type Slotted, slotAt, slots, stateAt, targetOf, uptimeOf } from './history.ts'
import { complete, type StoredMonitor, UNSERVED } from './monitor.ts'
import { hash, uuid } from './random.ts'
import { seed } from './seed.ts'

/** What the stream sends. */
export type MockEvent =
  | { event: 'results'; data: { items: ResultItem[] } }
  | { event: 'verdicts'; data: { items: VerdictItem[] } }
  | { event: 'live'; data: { live: boolean } }
  | { event: 'resync'; data: Record<string, never> }
  | { event: 'config'; data: { monitor: string; revision: number; deleted: boolean } }

export interface MockOptions {
  /** Grows the demo company to so many monitors. */
  monitors?: number
  /** Starts with nothing, as a fresh installation does. */
  empty?: boolean
  now?: () => number
  /** Of the one person there is; admin where absent. */
  role?: Role
  /** None at a fresh installation. */
  channels?: Channel[]
}

const DAY = 86_400_000

const CHANNELS: Channel[] = [
  { name: 'Slack', kind: 'slack_webhook', default: true },
  { name: 'Webhook', kind: 'webhook', default: true },
]

/** The backend's whole memory. One per server, one per test. */
export class MockDb {
  readonly now: () => number
  readonly monitors = new Map<string, StoredMonitor>()
  readonly sessions = new Set<string>()
  readonly user = { id: uuid('user'), email: 'admin@example.com', name: 'Ada Admin' }
  readonly workspace = { id: uuid('workspace'), name: 'Northwind' }
  readonly role: Role
  readonly channels: Channel[]
  readonly password = 'upmesh-demo'
  readonly acknowledged = new Map<string, number>()
  /** Dead letters that were driven again, and when. */
  readonly redriven = new Map<number, number>()

  /** Since when live state is away. */
  private away: number | undefined

  private readonly listeners = new Set<(event: MockEvent) => void>()
  private readonly verdicts = new Map<string, State>()
  private ticked: number

  constructor(options: MockOptions = {}) {
    this.now = options.now ?? Date.now
    this.ticked = this.now()
    this.role = options.role ?? 'admin'
    this.channels = options.channels ?? (options.empty ? [] : CHANNELS)
    if (options.empty) return
    for (const monitor of seed(this.now(), options.monitors)) this.monitors.set(monitor.id, monitor)
  }

  // --- monitors

  list(): StoredMonitor[] {
    return [...this.monitors.values()].sort((a, b) => a.spec.name.localeCompare(b.spec.name))
  }

  create(spec: MonitorSpec): StoredMonitor {
    const now = this.now()
    const id = uuid('created', spec.name, now)
    const monitor: StoredMonitor = {
      id,
      revision: 1,
      created_at: now,
      updated_at: now,
      checked_from: now,
      spec: complete(spec),
      profile: { base: 30_000 + (hash(id) % 90_000), spread: 0.3, episodes: [] },
    }
    this.monitors.set(id, monitor)
    this.imagine(monitor)
    this.changed(monitor)
    // As the mesh does it: the first check runs at once, the slots follow.
    setTimeout(() => this.checkNow(monitor), 300)
    return monitor
  }

  update(monitor: StoredMonitor, spec: MonitorSpec): StoredMonitor {
    const resumed = monitor.spec.paused && !spec.paused
    monitor.spec = complete(spec, monitor.spec.regions)
    monitor.revision++
    monitor.updated_at = this.now()
    if (resumed) monitor.checked_from = this.now()
    this.imagine(monitor)
    this.changed(monitor)
    return monitor
  }

  remove(monitor: StoredMonitor) {
    this.monitors.delete(monitor.id)
    this.emit({
      event: 'config',
      data: { monitor: monitor.id, revision: monitor.revision + 1, deleted: true },
    })
  }

  /** Targets that say so fail: `http://refused.example` is down from the first check on. */
  private imagine(monitor: StoredMonitor) {
    const { episodes } = monitor.profile
    const refused = targetOf(monitor.spec).includes('refused')
    const open = episodes.find((one) => one.cause === 'connection_refused' && one.to > this.now())
    if (refused && !open)
      episodes.unshift({
        from: this.now(),
        to: Number.MAX_SAFE_INTEGER,
        outcome: 'down',
        cause: 'connection_refused',
        detail: 'connection refused',
      })
    if (!refused && open) open.to = this.now()
  }

  /** With so many points in the sparkline: 30 in a list. */
  view(monitor: StoredMonitor, beats = 60): MonitorView {
    const now = this.now()
    const { id, revision, created_at, updated_at, spec } = monitor
    const latest = spec.regions.map((region) => {
      const slot = slotAt(monitor, region, now)
      const result =
        slot >= monitor.checked_from && !spec.paused ? resultAt(monitor, region, slot) : undefined
      return { region, latest: result ? latestOf(monitor, result) : null, stale: !result }
    })
    const newest = latest.map((one) => one.latest).sort((a, b) => (b?.slot ?? 0) - (a?.slot ?? 0))[0]
    const span = (beats / spec.regions.length) * spec.interval_seconds * 1000
    const sparkline = spec.regions
      .flatMap((region) =>
        [...slots(monitor, region, now - span, now)].map((slot) => resultAt(monitor, region, slot)),
      )
      .sort((a, b) => a.slot - b.slot)
      .slice(-beats)
      .map(({ slot, latency_us, outcome }) => ({ slot, latency_us, outcome }))
    return {
      id,
      revision,
      created_at,
      updated_at,
      spec,
      target: targetOf(spec),
      kind: spec.probe.kind,
      status: {
        ...stateAt(monitor, now),
        incident: this.incidents(monitor).find((one) => one.state !== 'resolved')?.id ?? null,
        last_check: newest?.slot ?? null,
        latency_us: newest?.latency_us ?? null,
      },
      day: uptimeOf(monitor, spec.regions, now - DAY, now),
      sparkline,
      regions: latest,
      warnings:
        spec.regions.includes(UNSERVED) && !spec.paused
          ? [
              `no pinger serves the region ${UNSERVED}: it is not checked from there until one runs with REGION=${UNSERVED}`,
            ]
          : [],
      as_of: this.isAway ? (newest?.slot ?? null) : now,
      stale: this.isAway,
    }
  }

  counts(): StateCounts {
    const counts: StateCounts = { up: 0, degraded: 0, down: 0, unknown: 0, paused: 0, pending: 0 }
    for (const monitor of this.monitors.values()) counts[stateAt(monitor, this.now()).state]++
    return counts
  }

  // --- incidents: every long enough down episode was one

  incidents(monitor: StoredMonitor): Incident[] {
    const now = this.now()
    const enough =
      monitor.spec.interval_seconds * 1000 * Math.max(1, monitor.spec.alert.failures_to_open ?? 2)
    return monitor.profile.episodes
      .filter((one) => one.outcome === 'down' && Math.min(now, one.to) - one.from >= Math.min(enough, 60_000))
      .map((episode) => {
        const id = uuid('incident', monitor.id, episode.from)
        const resolved_at =
          episode.to <= now || monitor.spec.paused
            ? Math.min(episode.to, monitor.updated_at > episode.from ? monitor.updated_at : episode.to)
            : null
        const acknowledged = this.acknowledged.get(id)
        const alerts: Alert[] = [{ kind: 'opened', at: episode.from, deliveries: [delivery(id, 'opened')] }]
        if (acknowledged) alerts.push({ kind: 'acknowledged', at: acknowledged, deliveries: [] })
        if (resolved_at)
          alerts.push({ kind: 'resolved', at: resolved_at, deliveries: [delivery(id, 'resolved')] })
        return {
          id,
          monitor: monitor.id,
          monitor_name: monitor.spec.name,
          state: resolved_at ? 'resolved' : acknowledged ? 'acknowledged' : 'open',
          opened_at: episode.from,
          resolved_at,
          duration_ms: (resolved_at ?? now) - episode.from,
          acknowledged_by: acknowledged ? this.user.name : null,
          cause: episode.cause,
          detail: episode.detail,
          regions: episode.regions ?? monitor.spec.regions,
          alerts,
        } satisfies Incident
      })
  }

  allIncidents(): Incident[] {
    return this.list()
      .flatMap((monitor) => this.incidents(monitor))
      .sort((a, b) => b.opened_at - a.opened_at)
  }

  // --- live

  subscribe(listener: (event: MockEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get subscribers() {
    return this.listeners.size
  }

  /** When live state was read last. */
  get asOf() {
    return this.away ?? this.now()
  }

  get isAway() {
    return this.away !== undefined
  }

  /** Live state goes or comes back: readers are told, and hear of nothing meanwhile. */
  setAway(away: boolean) {
    this.away = away ? this.now() : undefined
    this.emit({ event: 'live', data: { live: !away } })
    if (!away) this.emit({ event: 'resync', data: {} })
  }

  private emit(event: MockEvent) {
    if (this.isAway && (event.event === 'results' || event.event === 'verdicts')) return
    for (const listener of this.listeners) listener(event)
  }

  private changed(monitor: StoredMonitor) {
    this.emit({ event: 'config', data: { monitor: monitor.id, revision: monitor.revision, deleted: false } })
  }

  private checkNow(monitor: StoredMonitor) {
    if (monitor.spec.paused || !this.monitors.has(monitor.id)) return
    // Move the beginning back to the newest slot, so that the first check lies in the past.
    monitor.checked_from = Math.min(
      ...monitor.spec.regions.map((region) => slotAt(monitor, region, this.now())),
    )
    const items = monitor.spec.regions.map((region) => {
      const slot = slotAt(monitor, region, this.now())
      for (const one of monitor.profile.episodes)
        if (one.from <= this.now() && one.to > this.now()) one.from = Math.min(one.from, slot)
      return itemOf(monitor, region, resultAt(monitor, region, slot))
    })
    this.emit({ event: 'results', data: { items } })
    this.judge([monitor])
  }

  /** Runs what became due since the last call. */
  tick() {
    const from = this.ticked
    const to = this.now()
    this.ticked = to
    const items: ResultItem[] = []
    for (const monitor of this.monitors.values())
      for (const region of monitor.spec.regions)
        for (const slot of slots(monitor, region, from, to)) {
          const result = resultAt(monitor, region, slot)
          if (result.outcome !== 'missed') items.push(itemOf(monitor, region, result))
        }
    if (items.length) this.emit({ event: 'results', data: { items } })
    this.judge(this.monitors.values())
  }

  private judge(monitors: Iterable<StoredMonitor>) {
    const items: VerdictItem[] = []
    for (const monitor of monitors) {
      const { state, since, cause } = stateAt(monitor, this.now())
      const before = this.verdicts.get(monitor.id)
      this.verdicts.set(monitor.id, state)
      if (before === undefined && state === 'pending') continue
      if (before !== state)
        items.push({ monitor: monitor.id, state, since, slot: this.now(), incident: null, cause })
    }
    if (items.length) this.emit({ event: 'verdicts', data: { items } })
  }
}

function latestOf(monitor: StoredMonitor, result: Slotted) {
  const secure = monitor.spec.probe.kind === 'http' && monitor.spec.probe.url.startsWith('https')
  return {
    ...result,
    started_at: result.slot + 2,
    revision: monitor.revision,
    ...(secure
      ? { certificate_expires_at: monitor.created_at + 90 * DAY + (hash(monitor.id) % 60) * DAY }
      : {}),
  }
}

function itemOf(monitor: StoredMonitor, region: string, result: Slotted): ResultItem {
  return { monitor: monitor.id, region, ...latestOf(monitor, result) }
}

function delivery(id: string, kind: string): Alert['deliveries'][number] {
  const hard = hash(id, kind) % 5 === 0
  return {
    channel: 'Slack #incidents',
    state: 'delivered',
    attempts: hard ? 2 : 1,
    last_error: hard ? 'HTTP 429: retried after 1 s' : null,
  }
}
