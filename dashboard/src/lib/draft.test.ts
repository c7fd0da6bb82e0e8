import { expect, it } from 'vitest'

import type { MonitorView } from '#/api/schema.d.ts'
import { draftOf, emptyDraft, specOf, suggestedName, usualTimeoutMs, withScheme } from './draft.ts'

const spec: MonitorView['spec'] = {
  name: 'Shop',
  probe: {
    kind: 'http',
    url: 'https://shop.example',
    method: 'POST',
    headers: { accept: 'text/html' },
    body: '{}',
    max_redirects: 2,
    verify_tls: false,
  },
  interval_seconds: 30,
  timeout_ms: 5_000,
  regions: ['eu', 'us'],
  assertions: [
    { kind: 'status', is: '2xx' },
    { kind: 'latency', max_ms: 300, severity: 'down' },
  ],
  alert: { failures_to_open: 3, successes_to_close: 1, regions_down: 2, notify: false, channels: ['ops'] },
  tags: { team: 'shop' },
  paused: true,
}

it('gives back what it was made of', () => {
  expect(specOf(draftOf({ spec } as MonitorView))).toEqual(spec)
})

it('keeps the fields of a kind while another is looked at, and sends only the chosen', () => {
  const draft = { ...draftOf({ spec } as MonitorView), kind: 'tcp' as const, host: 'db.example', port: 5432 }
  expect(specOf(draft).probe).toEqual({ kind: 'tcp', host: 'db.example', port: 5432 })
  expect(specOf(draft).assertions).toEqual([{ kind: 'latency', max_ms: 300, severity: 'down' }])
  expect(specOf({ ...draft, kind: 'http' })).toEqual(spec)
})

it('sends no timeout that nobody gave, so that the server takes one that fits', () => {
  const draft = { ...emptyDraft(['local']), url: 'a.example', intervalSeconds: 10 }
  expect(specOf(draft)).not.toHaveProperty('timeout_ms')
  expect(specOf({ ...draft, timeoutMs: 10_000 }).timeout_ms).toBe(10_000)
  expect([1, 10, 11, 3600].map(usualTimeoutMs)).toEqual([1_000, 9_000, 10_000, 10_000])
})

it('leaves half-written headers out', () => {
  const draft = { ...emptyDraft(['local']), url: 'a.example', headers: [{ name: ' ', value: 'x' }] }
  expect(specOf(draft).probe).toEqual({
    kind: 'http',
    url: 'https://a.example',
    method: 'GET',
    max_redirects: 5,
    verify_tls: true,
  })
})

it.each([
  ['example.com', 'https://example.com'],
  ['http://example.com', 'http://example.com'],
  ['ftp://example.com', 'ftp://example.com'],
  ['', ''],
])('completes %j to %j', (typed, url) => expect(withScheme(typed)).toBe(url))

it('suggests a name', () => {
  expect(suggestedName({ ...emptyDraft([]), url: 'api.example/health' })).toBe('api.example')
  expect(suggestedName({ ...emptyDraft([]), kind: 'tcp', host: 'db', port: 1 })).toBe('db:1')
})
