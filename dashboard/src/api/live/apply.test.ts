import { expect, it } from 'vitest'

import type { MonitorView, ResultItem } from '#/api/schema.d.ts'
import { MockDb } from '#mock/db.ts'
import { addResults, addVerdicts, emptyBatch, patchMonitor } from './apply.ts'

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
