import createClient from 'openapi-fetch'

import { learnServerTime } from '#/lib/now.ts'
import { type ApiError, fromNetwork, fromResponse } from './errors.ts'
import type { paths } from './schema.d.ts'

/** The generated contract over `fetch`. The session is the browser's cookie. */
export const api = createClient<paths>({
  baseUrl: '/',
  credentials: 'same-origin',
  // Looked up at each call, so that tests can put the mock backend in its place.
  fetch: (request) => globalThis.fetch(request),
})

api.use({
  onResponse({ response }) {
    const date = response.headers.get('date')
    if (date) learnServerTime(Date.parse(date))
  },
})

/**
 * The body of an answer, or a thrown `ApiError`: what queries and mutations want.
 * `unwrap(api.GET('/api/me'))`
 */
export async function unwrap<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const answer = await call.catch((cause: unknown): never => {
    throw fromNetwork(cause)
  })
  if (!answer.response.ok) throw fromResponse(answer.response, answer.error) satisfies ApiError
  return answer.data as NonNullable<T>
}
