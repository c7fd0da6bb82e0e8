const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The windows a monitor's page shows. */
export const RANGES = {
  '1h': { label: '1 hour', short: '1 h', ms: HOUR, bucketMs: MINUTE },
  '24h': { label: '24 hours', short: '24 h', ms: DAY, bucketMs: 15 * MINUTE },
  '7d': { label: '7 days', short: '7 d', ms: 7 * DAY, bucketMs: 2 * HOUR },
  '30d': { label: '30 days', short: '30 d', ms: 30 * DAY, bucketMs: 8 * HOUR },
  '90d': { label: '90 days', short: '90 d', ms: 90 * DAY, bucketMs: DAY },
  '1y': { label: '1 year', short: '1 y', ms: 365 * DAY, bucketMs: 3 * DAY },
} as const satisfies Record<string, { label: string; short: string; ms: number; bucketMs: number }>

export type Range = keyof typeof RANGES

export const RANGE_NAMES = Object.keys(RANGES) as Range[]

export function isRange(value: unknown): value is Range {
  return typeof value === 'string' && Object.hasOwn(RANGES, value)
}

/** What a page opens with: the day, or the hour while the monitor is younger than a few. */
export function defaultRange(createdAt: number, now: number): Range {
  return now - createdAt < 3 * HOUR ? '1h' : '24h'
}

/** How often a window is read again: a long one hardly changes, and takes the server longer. */
export const refreshMs = (range: Range) => (RANGES[range].ms > 7 * DAY ? 5 : 1) * MINUTE

/** Sizes that divide the day or are whole days, so that buckets start on the clock. */
const SIZES = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 4320].map((minutes) => minutes * MINUTE)

export interface Window {
  from: number
  to: number
  buckets: number
}

/** Whole buckets on the clock up to now, none so small that a check falls between two. */
export function windowOf(range: Range, intervalMs: number, now: number): Window {
  const { ms, bucketMs } = RANGES[range]
  const size = SIZES.find((one) => one >= Math.max(bucketMs, intervalMs)) ?? DAY
  // Buckets of several days end with today, not days ahead.
  const step = Math.min(size, DAY)
  const to = Math.ceil(now / step) * step
  const buckets = Math.max(1, Math.ceil(ms / size))
  return { from: to - buckets * size, to, buckets }
}
