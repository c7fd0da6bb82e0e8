import type { Check, DeadLetter, FieldError, MonitorSpec, Problem } from '#/api/schema.d.ts'

import type { MockDb } from './db.ts'
import { bucketOf, resultAt, slotAt, stateAt, targetOf, uptimeOf } from './history.ts'
import { type StoredMonitor, UNSERVED } from './monitor.ts'
import { uuid } from './random.ts'
import { validate } from './validate.ts'

/** A request without the transport: the dev server and the tests' `fetch` both speak it. */
export interface Call {
  method: string
  url: URL
  body: unknown
  session: string | undefined
}

export interface Reply {
  status: number
  body?: unknown
  /** Set to start a session, null to end it. */
  session?: string | null
}

type Handler = (call: Call, db: MockDb, params: Record<string, string>) => Reply

const ok = (body: unknown, status = 200): Reply => ({ status, body })

export function problem(status: number, title: string, detail: string, errors: FieldError[] = []): Reply {
  return { status, body: { type: 'about:blank', title, status, detail, errors } satisfies Problem }
}

const notFound = (what: string) => problem(404, 'Not Found', `no such ${what}`)

function withMonitor(handler: (monitor: StoredMonitor, call: Call, db: MockDb) => Reply): Handler {
  return (call, db, { id = '' }) => {
    const monitor = db.monitors.get(id)
    return monitor ? handler(monitor, call, db) : notFound('monitor')
  }
}

const number = (call: Call, name: string, fallback: number) =>
  Number(call.url.searchParams.get(name) ?? fallback)

/** Cuts one page; the cursor is the index of the next item. */
function page<T>(call: Call, items: T[], fallback: number): { items: T[]; next_cursor: string | null } {
  const from = number(call, 'cursor', 0)
  const limit = number(call, 'limit', fallback)
  return {
    items: items.slice(from, from + limit),
    next_cursor: from + limit < items.length ? String(from + limit) : null,
  }
}

function listMonitors(call: Call, db: MockDb): Reply {
  const query = call.url.searchParams
  const search = query.get('search')?.toLowerCase()
  const [tagName, tagValue] = query.get('tag')?.split(':') ?? []
  const matching = db.list().filter((monitor) => {
    const { spec } = monitor
    if (search && !`${spec.name} ${targetOf(spec)}`.toLowerCase().includes(search)) return false
    if (query.get('state') && stateAt(monitor, db.now()).state !== query.get('state')) return false
    return !tagName || (spec.tags[tagName] !== undefined && (!tagValue || spec.tags[tagName] === tagValue))
  })
  const { items, next_cursor } = page(call, matching, 100)
  return ok({
    monitors: items.map((one) => db.view(one, 30)),
    next_cursor,
    counts: db.counts(),
    as_of: db.asOf,
    stale: db.isAway,
  })
}

/** Names that ask for trouble get it: the way to see an error path by hand or in a test. */
function saveMonitor(call: Call, db: MockDb, monitor?: StoredMonitor): Reply {
  const spec = call.body as MonitorSpec
  if (spec.name === 'error-503')
    return problem(503, 'Service Unavailable', 'the users service does not answer; nothing was changed')
  const errors = validate(spec)
  if (errors.length) return problem(422, 'Unprocessable Content', 'the monitor has mistakes', errors)
  const twin = db.list().find((one) => one.spec.name === spec.name && one !== monitor)
  if (twin)
    return problem(409, 'Conflict', `a monitor named ${JSON.stringify(spec.name)} exists`, [
      { field: 'name', message: 'is taken: another monitor has this name' },
    ])
  return monitor ? ok(db.view(db.update(monitor, spec))) : ok(db.view(db.create(spec)), 201)
}

function listChecks(monitor: StoredMonitor, call: Call, db: MockDb): Reply {
  const region = call.url.searchParams.get('region')
  const regions = region ? [region] : monitor.spec.regions
  const limit = number(call, 'limit', 100)
  const ended = monitor.spec.paused ? monitor.updated_at : db.now()
  const before = Math.min(number(call, 'cursor', Number.POSITIVE_INFINITY), ended + 1)
  const interval = monitor.spec.interval_seconds * 1000
  const checks: Check[] = regions
    .flatMap((name) => {
      const newest = slotAt(monitor, name, before - 1)
      return Array.from({ length: limit }, (_, n) => newest - n * interval)
        .filter((slot) => slot >= monitor.checked_from)
        .map((slot) => {
          const { phases: _, cause, detail, status, ...kept } = resultAt(monitor, name, slot)
          // Of what was up only the newest says more than history keeps.
          const known = kept.outcome !== 'up' || slot === slotAt(monitor, name, db.now())
          return { ...kept, region: name, ...(known ? { cause, detail, status } : {}) } as Check
        })
    })
    .sort((a, b) => b.slot - a.slot)
    .slice(0, limit)
  const last = checks.at(-1)
  return ok({ checks, next_cursor: checks.length === limit && last ? String(last.slot) : null, stale: false })
}

function timeline(monitor: StoredMonitor, call: Call, db: MockDb): Reply {
  const to = number(call, 'to', db.now())
  const from = number(call, 'from', to - 86_400_000)
  const wanted = number(call, 'buckets', 96)
  const region = call.url.searchParams.get('region')
  const size = (to - from) / wanted
  const buckets = Array.from({ length: wanted }, (_, n) =>
    bucketOf(
      monitor,
      region ? [region] : monitor.spec.regions,
      from + n * size,
      from + (n + 1) * size,
      db.now(),
    ),
  )
  return ok({ from, to, buckets, stale: false })
}

function uptime(monitor: StoredMonitor, call: Call, db: MockDb): Reply {
  const to = number(call, 'to', db.now())
  const from = number(call, 'from', to - 86_400_000)
  const region = call.url.searchParams.get('region')
  return ok({
    from,
    to,
    stale: false,
    ...uptimeOf(monitor, region ? [region] : monitor.spec.regions, from, Math.min(to, db.now())),
  })
}

function listIncidents(call: Call, db: MockDb): Reply {
  const monitor = call.url.searchParams.get('monitor')
  const open = call.url.searchParams.get('open')
  const matching = db
    .allIncidents()
    .filter(
      (one) =>
        (!monitor || one.monitor === monitor) &&
        (open === null || (one.state !== 'resolved') === (open === 'true')),
    )
  const { items, next_cursor } = page(call, matching, 50)
  return ok({ incidents: items, next_cursor })
}

function system(_: Call, db: MockDb): Reply {
  const now = db.now()
  const regions = [...new Set(db.list().flatMap((one) => one.spec.regions))].sort()
  return ok({
    version: '0.1.0',
    now,
    regions: regions.map((region, n) => {
      const here = db.list().filter((one) => one.spec.regions.includes(region) && !one.spec.paused)
      return {
        region,
        monitors: here.length,
        pingers: region === UNSERVED ? 0 : 2 + (n % 2),
        newest_slot: now - 900 - n * 410,
        age_ms: 900 + n * 410,
        judged_slot: now - 2_900 - n * 410,
        judged_age_ms: 2_900 + n * 410,
        stale_monitors: 0,
        // One region lost its network a while ago, so that the page shows what that looks like.
        blind_since: n === 1 ? now - 154_000 : null,
        probers: Array.from({ length: 2 + (n % 2) }, (_, pinger) => ({
          pinger: `${region}-${uuid('pinger', n, pinger).slice(-12)}`,
          state: n === 1 && pinger === 0 ? ('blind' as const) : ('sees' as const),
          since: n === 1 && pinger === 0 ? now - 154_000 : now - 86_400_000,
          reason: n === 1 && pinger === 0 ? ('network' as const) : null,
          slots_unknown: n === 1 && pinger === 0 ? 38 : 0,
          shards: Math.round(64 / (2 + (n % 2))),
          spool_records: n === 1 && pinger === 0 ? 412 : 0,
          spool_bytes: n === 1 && pinger === 0 ? 168_400 : 0,
        })),
      }
    }),
    dependencies: [
      { name: 'redis', ok: true, latency_us: 210, detail: null },
      { name: 'postgres', ok: true, latency_us: 640, detail: null },
      { name: 'users', ok: true, latency_us: 930, detail: null },
      { name: 'kafka', ok: true, latency_us: 1_480, detail: null },
    ],
    config_revision: 128,
    config_age_ms: 12_400,
    processor_lag: 3,
    consumers: [
      { group: 'processor', topic: 'monitoring-results', lag: 3 },
      { group: 'alerter', topic: 'monitoring-results', lag: 0 },
      { group: 'alerter-sight', topic: 'prober-status', lag: 0 },
    ],
    dead_letters: ['monitoring-results', 'monitor-changes', 'incident-events', 'prober-status'].map(
      (topic) => ({ topic, count: topic === 'monitoring-results' ? LETTERS.length : 0 }),
    ),
    stream_clients: db.subscribers,
  })
}

const LETTERS = [
  {
    reason: 'the value is no JSON of this shape: expected value at line 1 column 1',
    payload: 'GET / HTTP/1.1\\r\\n\\r\\n',
  },
  {
    reason: 'version 9 is newer than this reader knows',
    payload: '{"v":9,"monitor":"<script>alert(1)</script>"}',
  },
]

function letter(db: MockDb, offset: number): DeadLetter {
  const { reason, payload } = LETTERS[offset] as (typeof LETTERS)[number]
  return {
    topic: 'monitoring-results',
    partition: 0,
    offset,
    at: db.now() - 3_600_000 * (LETTERS.length - offset),
    reason,
    consumer: offset % 2 ? 'alerter' : 'processor',
    source_partition: 2,
    source_offset: 48_210 + offset,
    key: uuid('letter', offset),
    payload,
    payload_bytes: payload.length,
    redriven_at: db.redriven.get(offset) ?? null,
    redriven_by: db.redriven.has(offset) ? db.user.email : null,
    redrive_confirmed: db.redriven.has(offset),
  }
}

function listLetters(call: Call, db: MockDb): Reply {
  const topic = call.url.searchParams.get('topic') ?? 'monitoring-results'
  const letters =
    topic === 'monitoring-results' ? LETTERS.map((_, offset) => letter(db, offset)).reverse() : []
  return ok({ topic, count: letters.length, letters })
}

function redrive(_: Call, db: MockDb, { offset = '' }: Record<string, string>): Reply {
  const n = Number(offset)
  if (!LETTERS[n]) return notFound('dead letter')
  if (db.redriven.has(n)) return problem(409, 'Conflict', 'this dead letter was driven again before')
  db.redriven.set(n, db.now())
  return ok(letter(db, n))
}

function login(call: Call, db: MockDb): Reply {
  const { email, password } = call.body as { email: string; password: string }
  if (email.trim().toLowerCase() !== db.user.email || password !== db.password)
    return problem(401, 'Unauthorized', 'wrong e-mail or password')
  const session = uuid('session', db.now(), Math.random())
  db.sessions.add(session)
  return { ...ok({ ...identity(db), token: session }), session }
}

const identity = (db: MockDb) => ({
  user: db.user,
  workspace: db.workspace,
  role: db.role,
  expires_at: db.now() + 14 * 86_400_000,
})

function logout(call: Call, db: MockDb): Reply {
  db.sessions.delete(call.session ?? '')
  return { status: 204, session: null }
}

const ROUTES: [method: string, path: string, handler: Handler][] = [
  ['POST', '/api/login', login],
  ['POST', '/api/logout', logout],
  ['GET', '/api/me', (_, db) => ok(identity(db))],
  ['GET', '/api/monitors', listMonitors],
  ['POST', '/api/monitors', (call, db) => saveMonitor(call, db)],
  ['GET', '/api/monitors/:id', withMonitor((monitor, _, db) => ok(db.view(monitor)))],
  ['PUT', '/api/monitors/:id', withMonitor((monitor, call, db) => saveMonitor(call, db, monitor))],
  [
    'DELETE',
    '/api/monitors/:id',
    withMonitor((monitor, _, db) => {
      db.remove(monitor)
      return { status: 204 }
    }),
  ],
  [
    'POST',
    '/api/monitors/:id/pause',
    withMonitor((one, _, db) => ok(db.view(db.update(one, { ...one.spec, paused: true })))),
  ],
  [
    'POST',
    '/api/monitors/:id/resume',
    withMonitor((one, _, db) => ok(db.view(db.update(one, { ...one.spec, paused: false })))),
  ],
  ['GET', '/api/monitors/:id/checks', withMonitor(listChecks)],
  ['GET', '/api/monitors/:id/timeline', withMonitor(timeline)],
  ['GET', '/api/monitors/:id/uptime', withMonitor(uptime)],
  ['GET', '/api/incidents', listIncidents],
  [
    'GET',
    '/api/incidents/:id',
    (_, db, { id }) => {
      const found = db.allIncidents().find((one) => one.id === id)
      return found ? ok(found) : notFound('incident')
    },
  ],
  [
    'POST',
    '/api/incidents/:id/acknowledge',
    (_, db, { id = '' }) => {
      if (!db.allIncidents().some((one) => one.id === id)) return notFound('incident')
      db.acknowledged.set(id, db.now())
      return ok(db.allIncidents().find((one) => one.id === id))
    },
  ],
  ['GET', '/api/channels', (_, db) => ok({ channels: db.channels })],
  ['GET', '/api/system', system],
  ['GET', '/api/system/dead-letters', listLetters],
  ['POST', '/api/system/dead-letters/:topic/:partition/:offset/redrive', redrive],
]

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith(':')) params[part.slice(1)] = given[i] ?? ''
    else if (part !== given[i]) return undefined
  }
  return params
}

/** Whether the call may go on without a session. */
const isOpen = (call: Call) => call.url.pathname === '/api/login'

export function isAuthorized(db: MockDb, session: string | undefined): boolean {
  return session !== undefined && db.sessions.has(session)
}

export function handle(call: Call, db: MockDb): Reply {
  if (!isOpen(call) && !isAuthorized(db, call.session)) return problem(401, 'Unauthorized', 'log in first')
  for (const [method, pattern, handler] of ROUTES) {
    const params = match(pattern, call.url.pathname)
    if (params && method === call.method) return handler(call, db, params)
  }
  return notFound('route')
}
