import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'

import { ApiError } from './errors.ts'
import { meQuery } from './queries.ts'

/** Asked again only where asking again can help, and never while someone waits for a login. */
function retry(failures: number, error: Error): boolean {
  return error instanceof ApiError && error.isTransient && failures < 2
}

export function createQueryClient(): QueryClient {
  /** A session that ended makes the shell ask who we are, and that leads to the login. */
  function onError(error: Error) {
    if (error instanceof ApiError && error.isUnauthorized && client.getQueryData(meQuery.queryKey)) {
      client.removeQueries({ queryKey: meQuery.queryKey })
      window.dispatchEvent(new Event('upmesh:logged-out'))
    }
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: { retry, refetchOnWindowFocus: true, staleTime: 10_000 },
      mutations: { retry: false },
    },
  })
  return client
}
