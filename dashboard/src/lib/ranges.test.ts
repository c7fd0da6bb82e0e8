import { expect, it } from 'vitest'

import { RANGE_NAMES, RANGES, windowOf } from './ranges.ts'

const now = Date.UTC(2026, 10, 21, 14, 3, 27)

it.each(RANGE_NAMES)('%s covers its span in few enough buckets', (range) => {
  for (const seconds of [10, 60, 300, 3_600, 86_400]) {
    const { from, to, buckets } = windowOf(range, seconds * 1000, now)
    expect(to).toBeGreaterThanOrEqual(now)
    expect(now - from).toBeGreaterThanOrEqual(RANGES[range].ms - (to - from) / buckets)
    expect(buckets).toBeLessThanOrEqual(500)
    // The server knows 400 days, and draws nothing beyond today.
    expect(to - from).toBeLessThanOrEqual(400 * 86_400_000)
    expect(to - now).toBeLessThanOrEqual(86_400_000)
    expect((to - from) / buckets).toBeGreaterThanOrEqual(seconds * 1000)
  }
})

it('cuts the long ranges into whole days, few enough for a phone', () => {
  expect(windowOf('90d', 60_000, now)).toMatchObject({ to: Date.UTC(2026, 10, 22), buckets: 90 })
  expect(windowOf('1y', 60_000, now)).toMatchObject({ to: Date.UTC(2026, 10, 22), buckets: 122 })
})

it('starts buckets on the clock', () => {
  const { to } = windowOf('24h', 60_000, now)
  expect(new Date(to).toISOString()).toBe('2026-11-21T14:15:00.000Z')
})
