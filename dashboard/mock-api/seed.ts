import type { MonitorSpec, ProbeSpec } from '#/api/schema.d.ts'

import { complete, type Episode, type StoredMonitor } from './monitor.ts'
import { chance, hash, uuid } from './random.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const FOREVER = Number.MAX_SAFE_INTEGER

interface Sketch {
  name: string
  probe: ProbeSpec
  base: number
  spread?: number
  every?: number
  regions?: string[]
  more?: Partial<MonitorSpec>
  episodes?: Episode[]
}

const http = (url: string): ProbeSpec => ({
  kind: 'http',
  url,
  method: 'GET',
  max_redirects: 5,
  verify_tls: true,
})
const WORLD = ['eu-central', 'us-east', 'ap-south']

const missed = (from: number, minutes: number): Episode => ({
  from,
  to: from + minutes * MINUTE,
  outcome: 'missed',
  cause: 'not_run',
  detail: 'no pinger held the shard in time',
})

/** A believable small company on an ordinary day, with one thing broken. */
function sketches(now: number): Sketch[] {
  return [
    {
      name: 'Checkout API',
      probe: http('https://api.northwind.example/checkout/health'),
      base: 142_000,
      every: 30,
      regions: WORLD,
      more: {
        tags: { team: 'payments', tier: '1' },
        assertions: [
          { kind: 'status', is: '200' },
          { kind: 'json_path', path: '$.status', expect: { equals: 'ok' } },
          { kind: 'latency', max_ms: 800, severity: 'degraded' },
        ],
      },
      episodes: [
        {
          from: now - 4.4 * MINUTE,
          to: FOREVER,
          outcome: 'down',
          cause: 'status',
          detail: 'status 503, expected 200',
        },
        {
          from: now - 7.3 * HOUR,
          to: now - 6.9 * HOUR,
          outcome: 'degraded',
          cause: 'latency',
          detail: '1.2 s, limit 800 ms',
        },
        {
          from: now - 15.2 * HOUR,
          to: now - 15.05 * HOUR,
          outcome: 'down',
          cause: 'timeout',
          detail: 'no answer within 10 s',
        },
        missed(now - 20.5 * HOUR, 24),
        {
          from: now - 11 * HOUR,
          to: now - 10.2 * HOUR,
          outcome: 'maintenance',
          cause: 'internal',
          detail: 'planned: database upgrade',
        },
        {
          from: now - 3.1 * DAY,
          to: now - 3.05 * DAY,
          outcome: 'down',
          cause: 'connection_refused',
          detail: 'connection refused',
        },
        {
          from: now - 12.2 * DAY,
          to: now - 12.1 * DAY,
          outcome: 'unknown',
          cause: 'resolver',
          detail: 'resolver answered SERVFAIL',
        },
      ],
    },
    {
      name: 'Search',
      probe: http('https://search.northwind.example/v2/ping'),
      base: 96_000,
      regions: WORLD,
      more: {
        tags: { team: 'discovery' },
        assertions: [{ kind: 'latency', max_ms: 300, severity: 'degraded' }],
      },
      episodes: [
        {
          from: now - 38 * MINUTE,
          to: FOREVER,
          outcome: 'degraded',
          cause: 'latency',
          detail: '412 ms, limit 300 ms',
        },
      ],
    },
    {
      name: 'Edge router, Frankfurt',
      probe: { kind: 'icmp', host: '192.0.2.7', packets: 3 },
      base: 4_100,
      regions: ['eu-central'],
      more: { tags: { team: 'network' } },
      episodes: [
        {
          from: now - 21 * MINUTE,
          to: FOREVER,
          outcome: 'unknown',
          cause: 'local_network',
          detail: 'the pinger lost its own network',
        },
      ],
    },
    {
      name: 'Website',
      probe: http('https://www.northwind.example'),
      base: 88_000,
      regions: WORLD,
      more: {
        tags: { tier: '1' },
        assertions: [{ kind: 'certificate_days', min: 14, severity: 'degraded' }],
      },
      episodes: [missed(now - 20.5 * HOUR, 24)],
    },
    {
      name: 'Customer portal',
      probe: http('https://portal.northwind.example/login'),
      base: 187_000,
      regions: WORLD,
      episodes: [
        {
          from: now - 9.1 * HOUR,
          to: now - 9.02 * HOUR,
          outcome: 'down',
          cause: 'connection_reset',
          detail: 'connection reset while reading the body',
        },
      ],
    },
    {
      name: 'Identity provider',
      probe: http('https://id.northwind.example/.well-known/openid-configuration'),
      base: 61_000,
      regions: WORLD,
      more: { tags: { tier: '1' } },
    },
    { name: 'Payments webhook', probe: http('https://hooks.northwind.example/stripe'), base: 73_000 },
    {
      name: 'Postgres primary',
      probe: { kind: 'tcp', host: 'db-1.internal', port: 5432 },
      base: 1_900,
      every: 10,
      more: { tags: { team: 'data' } },
    },
    {
      name: 'Postgres replica',
      probe: { kind: 'tcp', host: 'db-2.internal', port: 5432 },
      base: 2_200,
      every: 10,
      more: { tags: { team: 'data' } },
    },
    {
      name: 'Kafka broker 1',
      probe: { kind: 'tcp', host: 'kafka-1.internal', port: 9092 },
      base: 1_400,
      every: 30,
      more: { tags: { team: 'data' } },
    },
    {
      name: 'Mail relay',
      probe: { kind: 'tcp', host: 'smtp.northwind.example', port: 25, expect: '220' },
      base: 34_000,
      episodes: [missed(now - 2 * HOUR, 6)],
    },
    { name: 'Documentation', probe: http('https://docs.northwind.example'), base: 52_000, spread: 0.2 },
    {
      name: 'Image CDN',
      probe: http('https://img.northwind.example/probe.webp'),
      base: 18_000,
      regions: WORLD,
    },
    {
      name: 'Data warehouse',
      probe: http('https://warehouse.northwind.example/health'),
      base: 240_000,
      every: 300,
      more: { tags: { team: 'data' } },
    },
    { name: 'VPN gateway', probe: { kind: 'icmp', host: 'vpn.northwind.example', packets: 3 }, base: 11_500 },
    {
      name: 'Legacy ERP',
      probe: http('http://erp.internal:8080/status'),
      base: 610_000,
      spread: 0.5,
      every: 300,
      more: { paused: true },
    },
  ]
}

function store(sketch: Sketch, now: number): StoredMonitor {
  const id = uuid('monitor', sketch.name)
  const created = now - 34 * DAY - (hash(sketch.name) % 20) * DAY
  return {
    id,
    revision: 1 + (hash(sketch.name) % 9),
    created_at: created,
    updated_at: sketch.more?.paused ? now - 5 * DAY : created,
    checked_from: created,
    spec: complete({
      name: sketch.name,
      probe: sketch.probe,
      interval_seconds: sketch.every ?? 60,
      timeout_ms: Math.min(10_000, (sketch.every ?? 60) * 500),
      regions: sketch.regions ?? ['eu-central'],
      ...sketch.more,
    }),
    profile: { base: sketch.base, spread: sketch.spread ?? 0.3, episodes: sketch.episodes ?? [] },
  }
}

/** The demo company, and beyond it as many plain monitors as are asked for. */
export function seed(now: number, total = 0): StoredMonitor[] {
  const monitors = sketches(now).map((sketch) => store(sketch, now))
  for (let n = monitors.length; n < total; n++) {
    const down = chance('down', n) > 0.995
    monitors.push(
      store(
        {
          name: `Service ${String(n).padStart(4, '0')}`,
          probe: http(`https://svc-${n}.northwind.example/health`),
          base: 20_000 + (hash('base', n) % 300_000),
          episodes: down
            ? [
                {
                  from: now - (hash(n) % 90) * MINUTE,
                  to: FOREVER,
                  outcome: 'down',
                  cause: 'timeout',
                  detail: 'no answer within 10 s',
                },
              ]
            : [],
        },
        now,
      ),
    )
  }
  return monitors
}
