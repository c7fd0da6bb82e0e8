import type { FieldError, Problem } from './schema.d.ts'

/** Anything an API call can fail with, in one shape. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** 0 where no answer came at all. */
  readonly status: number
  readonly title: string
  readonly fields: readonly FieldError[]

  constructor(status: number, title: string, detail: string, fields: readonly FieldError[] = []) {
    super(detail || title)
    this.status = status
    this.title = title
    this.fields = fields
  }

  /** Nobody is logged in, or no longer. */
  get isUnauthorized() {
    return this.status === 401
  }

  /** Worth asking again without any change: we were not reached, or the server is in trouble. */
  get isTransient() {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'title' in body
}

/** What the server said, or as much as can be said without it. */
export function fromResponse(response: Response, body: unknown): ApiError {
  if (isProblem(body)) return new ApiError(response.status, body.title, body.detail ?? '', body.errors ?? [])
  const title = response.statusText || `The server answered ${response.status}`
  return new ApiError(response.status, title, typeof body === 'string' ? body.slice(0, 300) : '')
}

/** `fetch` itself failed: no network, no server, or the page is leaving. */
export function fromNetwork(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  const error = new ApiError(0, 'No connection', 'The gateway could not be reached.')
  error.cause = cause
  return error
}

/** One sentence for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.'
}
