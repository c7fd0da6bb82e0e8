import { expect, it } from 'vitest'

import type { Assertion } from '#/api/schema.d.ts'
import { assertionText, cadenceText, policyText } from './describe.ts'

const plain = (text: string) => text.replaceAll('\u00a0', ' ')

it.each<[Assertion, string]>([
  [{ kind: 'status', is: '2xx' }, 'Status is 2xx'],
  [{ kind: 'body_contains', text: 'ok', absent: true }, 'Body does not contain “ok”'],
  [{ kind: 'header', name: 'server', value: 'x', contains: false }, 'Header server is “x”'],
  [{ kind: 'json_path', path: '$.n', expect: { above: 3 } }, '$.n is above 3'],
  [{ kind: 'json_path', path: '$.s', expect: { equals: 'ok' } }, '$.s is “ok”'],
  [{ kind: 'json_path', path: '$.s', expect: 'exists' }, '$.s exists'],
  [
    { kind: 'certificate_days', min: 1 },
    'Certificate valid for 1 more day, else degraded, which tells nobody',
  ],
])('%j', (assertion, text) => expect(assertionText(assertion)).toBe(text))

it('tells the policy', () => {
  const policy = {
    failures_to_open: 2,
    successes_to_close: 1,
    regions_down: null,
    notify: true,
    channels: [],
  }
  expect(policyText(policy, 3)).toBe(
    'Opens after 2 failures in a row in most regions, closes after one success.',
  )
  expect(policyText({ ...policy, notify: false }, 1)).toContain('Nobody is told.')
  expect(policyText({ ...policy, channels: ['slack', 'pager'] }, 1)).toContain(
    'Told through slack and pager.',
  )
})

it('tells what an interval means', () => {
  expect(plain(cadenceText({ interval_seconds: 60, regions: ['a', 'b'] }))).toBe(
    '2,880 checks a day. An outage is confirmed within about 2 min.',
  )
})
