/** Numbers as people read them. Nothing here rounds in the flattering direction. */

/** A no-break space between number and unit, so that "99.95 %" never wraps. */
const NBSP = '\u00a0'

/** `0.99996` → `99.99 %`: cut, never rounded up, so that 100 % means every single check. */
export function percent(ratio: number | null | undefined, digits = 2): string {
  if (ratio == null || Number.isNaN(ratio)) return '–'
  if (ratio >= 1) return `100${NBSP}%`
  const scale = 10 ** digits
  // The small addend undoes binary fractions such as 0.57 × 100 = 56.99999….
  const cut = Math.floor(ratio * 100 * scale + 1e-6) / scale
  return `${cut.toFixed(digits)}${NBSP}%`
}

/** Microseconds as `0.8 ms`, `182 ms`, `1.24 s`. */
export function latency(us: number | null | undefined): string {
  if (us == null) return '–'
  const ms = us / 1000
  if (ms < 10) return `${ms.toFixed(1)}${NBSP}ms`
  if (ms < 1000) return `${Math.round(ms)}${NBSP}ms`
  return `${(ms / 1000).toFixed(2)}${NBSP}s`
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
]

/** A span in its two largest units: `12 s`, `4 min 5 s`, `3 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const first = UNITS.findIndex(([, size]) => seconds >= size)
  if (first === -1) return `0${NBSP}s`
  const [unit, size] = UNITS[first] ?? ['s', 1]
  const head = `${Math.floor(seconds / size)}${NBSP}${unit}`
  const next = UNITS[first + 1]
  if (!next) return head
  const rest = Math.floor((seconds % size) / next[1])
  return rest ? `${head} ${rest}${NBSP}${next[0]}` : head
}

/** A span in its largest unit only: `12 s`, `4 min`, `3 d`. */
export function roughly(ms: number): string {
  return duration(ms).split(' ')[0] ?? ''
}

/** `12 s ago`, `now`; a moment ahead of us reads as now. */
export function ago(at: number | null | undefined, now: number): string {
  if (at == null) return 'never'
  const passed = now - at
  return passed < 1000 ? 'now' : `${roughly(passed)} ago`
}

/** `1,234` in the reader's own way of grouping. */
export function count(value: number): string {
  return value.toLocaleString()
}

/** `1 monitor`, `3 monitors`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
const clockSeconds = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const full = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
  timeZoneName: 'short',
})

/** `14:03` */
export const timeOfDay = (at: number) => clock.format(at)
/** `21 Nov` */
export const dayOfYear = (at: number) => day.format(at)
/** `21 Nov, 14:03` */
export const dayAndTime = (at: number) => `${day.format(at)}, ${clock.format(at)}`
/** `14:03:27` where that is today's, else `21 Nov, 14:03:27`. */
export const timeOrDayAndTime = (at: number, now: number) =>
  new Date(at).toDateString() === new Date(now).toDateString()
    ? clockSeconds.format(at)
    : `${day.format(at)}, ${clockSeconds.format(at)}`
/** `21 Nov, 14:00–15:00`, and with both days where it is a day or more. */
export const span = (from: number, to: number) =>
  `${dayAndTime(from)}–${to - from < 86_400_000 ? clock.format(to) : dayAndTime(to)}`
/** With weekday, year, seconds and zone: for titles and tables read by machines. */
export const fullTime = (at: number) => full.format(at)

/** `2 of 3` reads better than a ratio where the numbers are small. */
export function every(seconds: number): string {
  return `every ${duration(seconds * 1000)}`
}
