import type { AlertPolicy, Assertion, Expect, MonitorSpec, Severity } from '#/api/schema.d.ts'

import { duration, plural } from './format.ts'

/** Settings as sentences, for people who read a monitor rather than edit it. */

const value = (json: unknown) => (typeof json === 'string' ? `“${json}”` : JSON.stringify(json))

function expectation(expect: Expect): string {
  if (expect === 'exists') return 'exists'
  if ('equals' in expect) return `is ${value(expect.equals)}`
  if ('not_equals' in expect) return `is not ${value(expect.not_equals)}`
  if ('above' in expect) return `is above ${expect.above}`
  return `is below ${expect.below}`
}

export function assertionText(assertion: Assertion): string {
  switch (assertion.kind) {
    case 'status':
      return `Status is ${assertion.is}`
    case 'body_contains':
      return `Body ${assertion.absent ? 'does not contain' : 'contains'} “${assertion.text}”`
    case 'body_matches':
      return `Body matches /${assertion.pattern}/`
    case 'header':
      return `Header ${assertion.name} ${assertion.contains ? 'contains' : 'is'} “${assertion.value}”`
    case 'json_path':
      return `${assertion.path} ${expectation(assertion.expect)}`
    case 'latency':
      return `Answers within ${assertion.max_ms} ms, else ${otherwise(assertion.severity)}`
    case 'certificate_days':
      return `Certificate valid for ${plural(assertion.min, 'more day')}, else ${otherwise(assertion.severity)}`
  }
}

/** Whoever reads what is watched may take it for what people are told of. */
const otherwise = (severity: Severity = 'degraded') =>
  severity === 'degraded' ? 'degraded, which tells nobody' : severity

const times = (n: number) => (n === 1 ? 'one' : String(n))

export function policyText(policy: AlertPolicy, regions: number): string {
  const open = policy.failures_to_open ?? 2
  const close = policy.successes_to_close ?? 2
  const where =
    regions < 2
      ? ''
      : policy.regions_down
        ? ` in ${policy.regions_down} of ${regions} regions`
        : ' in most regions'
  const named = policy.channels?.length ? ` Told through ${policy.channels.join(' and ')}.` : ''
  const tells = policy.notify === false ? ' Nobody is told.' : named
  return `Opens after ${times(open)} ${open === 1 ? 'failure' : 'failures in a row'}${where}, closes after ${times(close)} ${close === 1 ? 'success' : 'successes'}.${tells}`
}

/** How soon someone is told, and how much checking that takes: what the numbers of a form mean. */
export function cadenceText(spec: Pick<MonitorSpec, 'interval_seconds' | 'regions' | 'alert'>): string {
  const seconds = spec.interval_seconds ?? 60
  // None named: the mesh's own, most likely one.
  const regions = spec.regions?.length || 1
  const perDay = Math.floor(86_400 / seconds) * regions
  const failures = spec.alert?.failures_to_open ?? 2
  return `${plural(perDay, 'check')} a day. An outage is confirmed within about ${duration(seconds * failures * 1000)}.`
}
