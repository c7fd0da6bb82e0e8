import type { InfiniteData, Query, QueryClient } from '@tanstack/react-query'

import { checksKey, countsKey, incidentsKey, monitorKey, monitorsKey } from '#/api/queries.ts'
import type {
  Beat,
  Check,
  CheckPage,
  MonitorPage,
  MonitorView,
  ResultItem,
  VerdictItem,
} from '#/api/schema.d.ts'

/** As many points as the server sends in a sparkline: of each monitor of a list, and of a single one. */
export const LIST_BEATS = 30
const VIEW_BEATS = 60
/** What is kept of the newest checks: an open page must not grow for as long as it is open. */
export const CHECKS_KEPT = 200

/** What arrived since the last flush, by monitor. */
export interface Batch {
  results: Map<string, ResultItem[]>
  verdicts: Map<string, VerdictItem>
}

export const emptyBatch = (): Batch => ({ results: new Map(), verdicts: new Map() })

export function addResults(batch: Batch, items: readonly ResultItem[]) {
  for (const item of items) {
    const known = batch.results.get(item.monitor)
    if (known) known.push(item)
    else batch.results.set(item.monitor, [item])
  }
}

export function addVerdicts(batch: Batch, items: readonly VerdictItem[]) {
  for (const item of items) batch.verdicts.set(item.monitor, item)
}

/** One monitor with what has happened to it since; the same object where nothing has. */
export function patchMonitor(view: MonitorView, batch: Batch, beats = VIEW_BEATS): MonitorView {
  const results = batch.results.get(view.id)
  const verdict = batch.verdicts.get(view.id)
  if (!results && !verdict) return view
  let next = view
  for (const result of results ?? []) next = withResult(next, result, beats)
  if (verdict) next = withVerdict(next, verdict)
  return next
}

/** By slot, never by arrival: a late result fills the sparkline but does not become the latest. */
function withResult(view: MonitorView, item: ResultItem, beats: number): MonitorView {
  const { monitor: _, region, ...latest } = item
  let known = false
  const regions = view.regions.map((one) => {
    if (one.region !== region) return one
    known = true
    return one.latest && one.latest.slot > latest.slot ? one : { ...one, latest, stale: false }
  })
  if (!known) regions.push({ region, latest, stale: false })
  const newest = (view.status.last_check ?? 0) <= item.slot
  return {
    ...view,
    regions,
    sparkline: withBeat(
      view.sparkline,
      { slot: item.slot, outcome: item.outcome, latency_us: item.latency_us ?? null },
      beats,
    ),
    status: newest
      ? { ...view.status, last_check: item.slot, latency_us: item.latency_us ?? null }
      : view.status,
  }
}

function withBeat(beats: readonly Beat[], beat: Beat, most: number): Beat[] {
  const last = beats.at(-1)
  if (!last || last.slot <= beat.slot) return [...beats, beat].slice(-most)
  const at = beats.findLastIndex((one) => one.slot <= beat.slot) + 1
  return beats.toSpliced(at, 0, beat).slice(-most)
}

function withVerdict(view: MonitorView, verdict: VerdictItem): MonitorView {
  return {
    ...view,
    status: {
      ...view.status,
      state: verdict.state,
      since: verdict.since ?? null,
      incident: verdict.incident ?? null,
      cause: verdict.cause ?? null,
    },
  }
}

type ListData = InfiniteData<MonitorPage> | MonitorPage

function patchPage(page: MonitorPage, batch: Batch): MonitorPage {
  let changed = false
  const monitors = page.monitors.map((view) => {
    const next = patchMonitor(view, batch, LIST_BEATS)
    if (next !== view) changed = true
    return next
  })
  return changed ? { ...page, monitors } : page
}

/** Patches every cached list and monitor. Nothing is fetched, and what did not change stays identical. */
export function applyBatch(client: QueryClient, batch: Batch) {
  client.setQueriesData<ListData>({ queryKey: monitorsKey }, (data) => {
    if (!data) return data
    if (!('pages' in data)) return patchPage(data, batch)
    const pages = data.pages.map((page) => patchPage(page, batch))
    return pages.every((page, i) => page === data.pages[i]) ? data : { ...data, pages }
  })
  for (const id of new Set([...batch.results.keys(), ...batch.verdicts.keys()])) {
    client.setQueryData<MonitorView>(monitorKey(id), (view) => view && patchMonitor(view, batch))
  }
  for (const [id, items] of batch.results) prependChecks(client, id, items)
}

/** New results head the table of checks that shows their region, each slot once. */
function prependChecks(client: QueryClient, id: string, items: readonly ResultItem[]) {
  for (const query of client.getQueryCache().findAll({ queryKey: checksKey(id) })) {
    const region = query.queryKey.at(-1)
    const here = items.filter((item) => region === null || item.region === region)
    // An answer on its way was perhaps read before these: they head it, too, once it is there.
    if (query.state.fetchStatus === 'fetching') {
      void query.fetch().then(
        () => headChecks(client, query, here),
        () => undefined,
      )
    }
    headChecks(client, query, here)
  }
}

function headChecks(client: QueryClient, query: Query, here: readonly ResultItem[]) {
  const { queryKey } = query
  let cut = false
  client.setQueryData<InfiniteData<CheckPage>>(queryKey, (data) => {
    const [first, ...rest] = data?.pages ?? []
    if (!data || !first) return data
    const checks = withChecks(first, here)
    if (!checks) return data
    cut = checks.length > CHECKS_KEPT
    return { ...data, pages: [{ ...first, checks: checks.slice(0, CHECKS_KEPT) }, ...rest] }
  })
  if (!cut) return
  // What was cut off is missing before the next page: read again, the first page ends where the next begins.
  if (query.isActive()) void client.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false })
  else client.removeQueries({ queryKey, exact: true })
}

/** The page's checks with those that are new to it, newest first; nothing where none is. */
function withChecks({ checks, next_cursor }: CheckPage, items: readonly ResultItem[]): Check[] | undefined {
  const known = new Set(checks.map((check) => `${check.region} ${check.slot}`))
  // What is older than the page belongs on the next one.
  const end = next_cursor ? (checks.at(-1)?.slot ?? 0) : 0
  const fresh: Check[] = []
  for (const { slot, region, outcome, latency_us, cause, detail, status } of items) {
    const key = `${region} ${slot}`
    if (slot <= end || known.has(key)) continue
    known.add(key)
    fresh.push({
      slot,
      region,
      outcome,
      latency_us: latency_us ?? null,
      cause: cause ?? null,
      detail: detail ?? null,
      status: status ?? null,
    })
  }
  return fresh.length ? [...fresh, ...checks].sort((a, b) => b.slot - a.slot) : undefined
}

/** What a new verdict touches beyond the monitor itself. */
export function refreshAfterVerdicts(client: QueryClient) {
  void client.invalidateQueries({ queryKey: countsKey })
  void client.invalidateQueries({ queryKey: [...monitorsKey, 'troubled'] })
  void client.invalidateQueries({ queryKey: incidentsKey })
}

/** A monitor was created, changed or deleted. */
export function refreshAfterConfig(client: QueryClient, ids: Iterable<string>) {
  void client.invalidateQueries({ queryKey: monitorsKey })
  for (const id of ids) void client.invalidateQueries({ queryKey: monitorKey(id), exact: true })
}
