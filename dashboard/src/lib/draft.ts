import type { AlertPolicy, Assertion, HttpMethod, MonitorSpec, MonitorView } from '#/api/schema.d.ts'

/**
 * A monitor while someone types: every kind's fields at once, so that switching the kind and back
 * loses nothing, and numbers that may be empty. Becomes a `MonitorSpec` on save.
 */
export interface Draft {
  name: string
  kind: 'http' | 'tcp' | 'icmp'
  url: string
  method: HttpMethod
  headers: Pair[]
  body: string
  maxRedirects: number | undefined
  verifyTls: boolean
  host: string
  port: number | undefined
  send: string
  expect: string
  packets: number | undefined
  intervalSeconds: number | undefined
  /** Empty: the server's default, see `usualTimeoutMs`. */
  timeoutMs: number | undefined
  regions: string[]
  assertions: Assertion[]
  alert: AlertPolicy
  tags: Pair[]
  paused: boolean
}

export interface Pair {
  name: string
  value: string
}

export const emptyDraft = (regions: string[]): Draft => ({
  name: '',
  kind: 'http',
  url: '',
  method: 'GET',
  headers: [],
  body: '',
  maxRedirects: 5,
  verifyTls: true,
  host: '',
  port: undefined,
  send: '',
  expect: '',
  packets: 3,
  intervalSeconds: 60,
  timeoutMs: undefined,
  regions,
  assertions: [],
  alert: { failures_to_open: 2, successes_to_close: 2, regions_down: null, notify: true, channels: [] },
  tags: [],
  paused: false,
})

const pairs = (map: Record<string, string> | undefined): Pair[] =>
  Object.entries(map ?? {}).map(([name, value]) => ({ name, value }))

const map = (list: readonly Pair[]): Record<string, string> =>
  Object.fromEntries(
    list.filter(({ name }) => name.trim() !== '').map(({ name, value }) => [name.trim(), value]),
  )

export function draftOf({ spec }: MonitorView): Draft {
  const base = emptyDraft(spec.regions ?? [])
  const { probe } = spec
  const draft: Draft = {
    ...base,
    name: spec.name,
    kind: probe.kind,
    intervalSeconds: spec.interval_seconds ?? 60,
    timeoutMs: spec.timeout_ms,
    assertions: spec.assertions ?? [],
    alert: { ...base.alert, ...spec.alert },
    tags: pairs(spec.tags),
    paused: spec.paused ?? false,
  }
  if (probe.kind === 'http')
    return {
      ...draft,
      url: probe.url,
      method: probe.method ?? 'GET',
      headers: pairs(probe.headers),
      body: probe.body ?? '',
      maxRedirects: probe.max_redirects ?? 5,
      verifyTls: probe.verify_tls ?? true,
    }
  if (probe.kind === 'tcp')
    return {
      ...draft,
      host: probe.host,
      port: probe.port,
      send: probe.send ?? '',
      expect: probe.expect ?? '',
    }
  return { ...draft, host: probe.host, packets: probe.packets ?? 3 }
}

/** What a timeout is that nobody gave (`crates/model/src/monitor/given.rs`): 10 s, below the interval. */
export const usualTimeoutMs = (intervalSeconds: number): number =>
  Math.max(1, Math.min(10, intervalSeconds - 1)) * 1000

/** Only what differs from nothing is sent; another number that is empty becomes 0, which the server explains. */
export function specOf(draft: Draft): MonitorSpec {
  return {
    name: draft.name.trim(),
    probe: probeOf(draft),
    interval_seconds: draft.intervalSeconds ?? 0,
    ...(draft.timeoutMs !== undefined && { timeout_ms: draft.timeoutMs }),
    regions: draft.regions,
    // What a kind cannot assert is left behind with the kind it was written for.
    assertions: draft.assertions.filter((one) => draft.kind === 'http' || one.kind === 'latency'),
    alert: draft.alert,
    paused: draft.paused,
    tags: map(draft.tags),
  }
}

function probeOf(draft: Draft): MonitorSpec['probe'] {
  if (draft.kind === 'http') {
    const headers = map(draft.headers)
    return {
      kind: 'http',
      url: withScheme(draft.url.trim()),
      method: draft.method,
      max_redirects: draft.maxRedirects ?? 0,
      verify_tls: draft.verifyTls,
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(draft.body !== '' && { body: draft.body }),
    }
  }
  const host = draft.host.trim()
  if (draft.kind === 'icmp') return { kind: 'icmp', host, packets: draft.packets ?? 0 }
  return {
    kind: 'tcp',
    host,
    port: draft.port ?? 0,
    ...(draft.send !== '' && { send: draft.send }),
    ...(draft.expect !== '' && { expect: draft.expect }),
  }
}

/** `example.com/health` is what people paste. */
export function withScheme(url: string): string {
  return url === '' || /^[a-z][a-z0-9+.-]*:/i.test(url) ? url : `https://${url}`
}

/** A name for a monitor nobody has named yet. */
export function suggestedName(draft: Draft): string {
  if (draft.kind === 'tcp') return draft.host && draft.port ? `${draft.host}:${draft.port}` : draft.host
  if (draft.kind === 'icmp') return draft.host
  const url = withScheme(draft.url.trim())
  return URL.canParse(url) ? new URL(url).host : ''
}
