import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Connect, Plugin } from 'vite'

import { MockDb, type MockEvent } from './db.ts'
import { handle, isAuthorized, problem, type Reply } from './handlers.ts'

/**
 * The mock backend inside `vite dev` and `vite preview`.
 * `MOCK_MONITORS=2000` grows the demo company, `MOCK_EMPTY=1` starts with nothing.
 */
export function mockBackend(): Plugin {
  return {
    name: 'upmesh-mock-backend',
    configureServer: (server) => void server.middlewares.use(middleware()),
    configurePreviewServer: (server) => void server.middlewares.use(middleware()),
  }
}

function middleware(): Connect.NextHandleFunction {
  const db = new MockDb({
    monitors: Number(process.env.MOCK_MONITORS ?? 0),
    empty: process.env.MOCK_EMPTY === '1',
  })
  setInterval(() => db.tick(), 500).unref()
  return (request, response, next) => {
    if (!request.url?.startsWith('/api/')) return next()
    void answer(db, request, response).catch(next)
  }
}

async function answer(db: MockDb, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const session = /(?:^|;\s*)sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
  if (url.pathname === '/api/stream') {
    if (isAuthorized(db, session)) stream(db, response)
    else send(response, problem(401, 'Unauthorized', 'log in first'))
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  send(
    response,
    handle({ method: request.method ?? 'GET', url, body: text ? JSON.parse(text) : undefined, session }, db),
  )
}

function send(response: ServerResponse, { status, body, session }: Reply) {
  response.statusCode = status
  response.setHeader('date', new Date().toUTCString())
  if (session !== undefined)
    response.setHeader(
      'set-cookie',
      `sid=${session ?? ''}; Path=/; HttpOnly; SameSite=Lax${session ? '' : '; Max-Age=0'}`,
    )
  if (body === undefined) return void response.end()
  response.setHeader('content-type', status < 400 ? 'application/json' : 'application/problem+json')
  response.end(JSON.stringify(body))
}

function stream(db: MockDb, response: ServerResponse) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write(encode({ event: 'hello', data: { now: db.now(), version: '0.1.0', live: !db.isAway } }))
  const unsubscribe = db.subscribe((event) => response.write(encode(event)))
  const beat = setInterval(() => response.write(': beat\n\n'), 15_000)
  response.on('close', () => {
    unsubscribe()
    clearInterval(beat)
  })
}

let id = 0
function encode(event: MockEvent | { event: 'hello'; data: unknown }): string {
  return `id: ${++id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`
}
