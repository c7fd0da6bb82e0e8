import type { FieldError, MonitorSpec } from '#/api/schema.d.ts'
import { usualTimeoutMs } from '../src/lib/draft.ts'

/** The rules of `crates/model` that a form meets most; the words are the server's. */
export function validate(spec: MonitorSpec): FieldError[] {
  const errors: FieldError[] = []
  const wrong = (field: string, message: string) => errors.push({ field, message })
  const range = (field: string, value: number, min: number, max: number) => {
    if (value < min || value > max) wrong(field, `${value} is out of range: use ${min} to ${max}`)
  }

  if (!spec.name.trim()) wrong('name', 'is empty')
  const interval = spec.interval_seconds ?? 60
  const timeout = spec.timeout_ms ?? usualTimeoutMs(interval)
  range('interval_seconds', interval, 10, 86_400)
  range('timeout_ms', timeout, 100, 60_000)
  if (timeout >= interval * 1000)
    wrong(
      'timeout_ms',
      `${timeout} ms is not below the interval of ${interval} s: lower the timeout or lengthen the interval`,
    )
  if ((spec.regions?.length ?? 0) > 32) wrong('regions', `${spec.regions?.length} are too many: at most 32`)

  const { probe } = spec
  if (probe.kind === 'http') {
    if (!URL.canParse(probe.url))
      wrong(
        'probe.url',
        `${JSON.stringify(probe.url)} is no URL (relative URL without a base): use for example "https://example.com/health"`,
      )
    else if (!/^https?:$/.test(new URL(probe.url).protocol))
      wrong(
        'probe.url',
        `scheme ${JSON.stringify(new URL(probe.url).protocol.slice(0, -1))} is not checked over HTTP: use http:// or https://`,
      )
  } else if (!/^[\w.:[\]-]+$/.test(probe.host)) {
    wrong(
      'probe.host',
      `${JSON.stringify(probe.host)} is no host name or address: use for example "db.example.com"`,
    )
  }
  if (probe.kind === 'tcp' && !probe.port) wrong('probe.port', '0 is no port: use 1 to 65535')

  for (const [i, one] of (spec.assertions ?? []).entries()) {
    if (
      one.kind === 'status' &&
      !/^\s*([1-5]xx|\d{3}(-\d{3})?)(\s*,\s*([1-5]xx|\d{3}(-\d{3})?))*\s*$/.test(one.is)
    )
      wrong(
        `assertions[${i}].is`,
        `${JSON.stringify(one.is)} is no status: use for example "200", "2xx" or "200-204,301"`,
      )
    if (one.kind === 'body_contains' && !one.text) wrong(`assertions[${i}].text`, 'must have 1 to 4096 bytes')
    if (one.kind === 'json_path' && !one.path.startsWith('$'))
      wrong(
        `assertions[${i}].path`,
        'must start with $ and have at most 512 characters, for example "$.status"',
      )
    if (one.kind === 'latency') range(`assertions[${i}].max_ms`, one.max_ms, 1, 60_000)
  }
  range('alert.failures_to_open', spec.alert?.failures_to_open ?? 2, 1, 20)
  range('alert.successes_to_close', spec.alert?.successes_to_close ?? 2, 1, 20)
  return errors
}
