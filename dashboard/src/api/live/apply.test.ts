import { type InfiniteData, QueryClient } from '@tanstack/react-query'
import { expect, it } from 'vitest'

import { checksKey, monitorsKey } from '#/api/queries.ts'
import type { CheckPage, MonitorPage, MonitorView, ResultItem } from '#/api/schema.d.ts'
import { MockDb } from '#mock/db.ts'
import {
  addResults,
  addVerdicts,
  applyBatch,
  CHECKS_KEPT,
  emptyBatch,
  LIST_BEATS,
  patchMonitor,
} from './apply.ts'

const db = new MockDb()
const [stored] = db.list()
if (!stored) throw new Error('the mock is empty')
const view: MonitorView = db.view(stored)
const region = view.regions[0]?.region ?? ''
const last = view.sparkline.at(-1)?.slot ?? 0

const result = (slot: number, part: Partial<ResultItem> = {}): ResultItem => ({
  monitor: view.id,
  region,
  slot,
  outcome: 'up',
  latency_us: 1_234,
  started_at: slot,
  revision: 1,
  ...part,
})

function patched(...items: ResultItem[]) {
  const batch = emptyBatch()
  addResults(batch, items)
  return patchMonitor(view, batch)
}

it('leaves what nothing happened to exactly as it is', () => {
  const batch = emptyBatch()
  addResults(batch, [result(last + 1, { monitor: 'another' })])
  expect(patchMonitor(view, batch)).toBe(view)
})

it('takes a newer result everywhere', () => {
  const next = patched(result(last + 60_000))
  expect(next.status).toMatchObject({ last_check: last + 60_000, latency_us: 1_234 })
  expect(next.sparkline.at(-1)).toMatchObject({ slot: last + 60_000 })
  expect(next.sparkline.length).toBeLessThanOrEqual(60)
  expect(next.regions.find((one) => one.region === region)?.latest?.slot).toBe(last + 60_000)
})

it('orders by slot, not by arrival', () => {
  const late = result(last + 60_000, { outcome: 'down', latency_us: null })
  const forward = patched(late, result(last + 120_000))
  const backward = patched(result(last + 120_000), late)
  expect(backward).toEqual(forward)
  expect(backward.status.last_check).toBe(last + 120_000)
})

it('shows a region it did not know', () => {
  expect(patched(result(last + 1, { region: 'moon' })).regions.at(-1)).toMatchObject({
    region: 'moon',
    stale: false,
  })
})

it('lets the verdict, never a result, decide the state', () => {
  expect(patched(result(last + 1, { outcome: 'down' })).status.state).toBe(view.status.state)
  const batch = emptyBatch()
  addVerdicts(batch, [
    { monitor: view.id, state: 'down', since: 5, slot: 5, incident: null, cause: 'timeout' },
  ])
  expect(patchMonitor(view, batch).status).toMatchObject({ state: 'down', since: 5, cause: 'timeout' })
})

/** A cache that holds one page of checks in every region, and another after it. */
function withChecks(...slots: number[]) {
  const client = new QueryClient()
  const queryKey = [...checksKey(view.id), null]
  const checks = slots.map((slot) => ({ slot, region, outcome: 'up' as const, latency_us: 1 }))
  client.setQueryData<InfiniteData<CheckPage>>(queryKey, {
    pages: [{ checks, next_cursor: 'older', stale: false }],
    pageParams: [''],
  })
  const shown = () =>
    client.getQueryData<InfiniteData<CheckPage>>(queryKey)?.pages[0]?.checks.map((check) => check.slot)
  const receive = (...items: ResultItem[]) => {
    const batch = emptyBatch()
    addResults(batch, items)
    applyBatch(client, batch)
  }
  return { shown, receive }
}

it('heads the checks with what is new, each slot once, in order', () => {
  const { shown, receive } = withChecks(500, 400)
  receive(result(700), result(600), result(700), result(500))
  expect(shown()).toEqual([700, 600, 500, 400])
  // Too old for this page: it stands on the next one.
  receive(result(300))
  expect(shown()).toEqual([700, 600, 500, 400])
})

it('heads an answer that was on its way when the result came', async () => {
  const client = new QueryClient()
  const key = [...checksKey(view.id), null]
  let answer: (page: CheckPage) => void = () => undefined
  const asked = client.fetchInfiniteQuery({
    queryKey: key,
    queryFn: () =>
      new Promise<CheckPage>((resolve) => {
        answer = resolve
      }),
    initialPageParam: null,
  })
  const batch = emptyBatch()
  addResults(batch, [result(last + 60_000)])
  applyBatch(client, batch)
  // Read before the result was there.
  answer({ checks: [], next_cursor: null, as_of: last, stale: false } as CheckPage)
  await asked
  await Promise.resolve()
  const data = client.getQueryData<InfiniteData<CheckPage>>(key)
  expect(data?.pages[0]?.checks.map((check) => check.slot)).toEqual([last + 60_000])
})

it('lets no page grow for as long as it is open', () => {
  const { shown, receive } = withChecks(500, 400)
  for (let n = 1; n <= CHECKS_KEPT - 2; n++) receive(result(500 + n))
  expect(shown()).toHaveLength(CHECKS_KEPT)
  // Nobody looks at it: it is read when somebody does, rather than shown with a gap before the next page.
  receive(result(500 + CHECKS_KEPT))
  expect(shown()).toBeUndefined()
})

it('keeps as many points in a list as its heading says', () => {
  const client = new QueryClient()
  const queryKey = [...monitorsKey, 'troubled', 'down']
  const listed = db.view(stored, LIST_BEATS)
  client.setQueryData(queryKey, { monitors: [listed] } as MonitorPage)
  const batch = emptyBatch()
  addResults(batch, [result(last + 60_000), result(last + 120_000)])
  applyBatch(client, batch)
  const beats = client.getQueryData<MonitorPage>(queryKey)?.monitors[0]?.sparkline
  expect(beats).toHaveLength(LIST_BEATS)
  expect(beats?.at(-1)?.slot).toBe(last + 120_000)
})
