import { expect, it } from 'vitest'

import { RANGE_NAMES, RANGES, windowOf } from './ranges.ts'

const now = Date.UTC(2026, 10, 21, 14, 3, 27)

it.each(RANGE_NAMES)('%s covers its span in few enough buckets', (range) => {
  for (const seconds of [10, 60, 300, 3_600, 86_400]) {
    const { from, to, buckets } = windowOf(range, seconds * 1000, now)
    expect(to).toBeGreaterThanOrEqual(now)
    expect(now - from).toBeGreaterThanOrEqual(RANGES[range].ms - (to - from) / buckets)
    expect(buckets).toBeLessThanOrEqual(500)
    expect((to - from) / buckets).toBeGreaterThanOrEqual(seconds * 1000)
  }
})

it('starts buckets on the clock', () => {
  const { to } = windowOf('24h', 60_000, now)
  expect(new Date(to).toISOString()).toBe('2026-11-21T14:15:00.000Z')
})
