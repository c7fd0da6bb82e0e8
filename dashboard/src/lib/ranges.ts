const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The windows a monitor's page shows; bucket sizes divide the day, so that buckets start on the clock. */
export const RANGES = {
  '1h': { label: '1 hour', ms: HOUR, bucketMs: MINUTE, buckets: 60 },
  '24h': { label: '24 hours', ms: DAY, bucketMs: 15 * MINUTE, buckets: 96 },
  '7d': { label: '7 days', ms: 7 * DAY, bucketMs: 2 * HOUR, buckets: 84 },
  '30d': { label: '30 days', ms: 30 * DAY, bucketMs: 8 * HOUR, buckets: 90 },
} as const satisfies Record<string, { label: string; ms: number; bucketMs: number; buckets: number }>

export type Range = keyof typeof RANGES

export const RANGE_NAMES = Object.keys(RANGES) as Range[]

export function isRange(value: unknown): value is Range {
  return typeof value === 'string' && Object.hasOwn(RANGES, value)
}
