import { MockDb, type MockOptions } from '#mock/db.ts'
import { handle, isAuthorized, problem, type Reply } from '#mock/handlers.ts'

/**
 * The mock backend behind `fetch`: the same handlers as the dev server's, without a network.
 * It can be cut off and slowed down, which a page must survive too.
 */
export class Backend {
  readonly db: MockDb
  /** Every call that reached it: `GET /api/me`. */
  readonly calls: string[] = []
  private session: string | undefined
  private offline = false
  private readonly streams = new Set<ReadableStreamDefaultController<Uint8Array>>()

  constructor(options: MockOptions & { loggedIn?: boolean } = {}) {
    this.db = new MockDb(options)
    if (options.loggedIn === false) return
    this.session = 'test'
    this.db.sessions.add('test')
  }

  /** Nothing answers any more, and open streams break. */
  cut() {
    this.offline = true
    for (const stream of this.streams) stream.error(new TypeError('network error'))
    this.streams.clear()
  }

  restore() {
    this.offline = false
  }

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(
      new URL(input instanceof Request ? input.url : String(input), location.href),
      {
        ...(input instanceof Request ? { method: input.method } : {}),
        ...init,
        signal: null,
      },
    )
    const url = new URL(request.url)
    const method = request.method
    this.calls.push(`${method} ${url.pathname}${url.search}`)
    if (this.offline) throw new TypeError('network error')
    if (url.pathname === '/api/stream') return this.stream()
    const text = input instanceof Request ? await input.text() : String(init?.body ?? '')
    const body = text ? JSON.parse(text) : undefined
    const reply = handle({ method, url, body, session: this.session }, this.db)
    if (reply.session !== undefined) this.session = reply.session ?? undefined
    return respond(reply)
  }

  private stream(): Response {
    if (!isAuthorized(this.db, this.session)) return respond(problem(401, 'Unauthorized', 'log in first'))
    const encoder = new TextEncoder()
    let mine: ReadableStreamDefaultController<Uint8Array> | undefined
    const send = (event: string, data: unknown) =>
      mine?.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        mine = controller
        this.streams.add(controller)
        send('hello', { now: this.db.now(), version: 'test', live: !this.db.isAway })
      },
    })
    this.db.subscribe(({ event, data }) => {
      if (mine && this.streams.has(mine)) send(event, data)
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

function respond({ status, body }: Reply): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(body === undefined ? null : JSON.stringify(body), {
    status,
    headers: body === undefined ? {} : { 'content-type': type },
  })
}
