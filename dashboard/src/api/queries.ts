import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'

import { now } from '#/lib/now.ts'
import { RANGES, type Range, refreshMs, windowOf } from '#/lib/ranges.ts'
import { api, unwrap } from './client.ts'
import type { State } from './schema.d.ts'

/**
 * Every read of the API, with its key. Live events patch what these hold (see `live/apply.ts`), so
 * they are read again only now and then.
 */

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/me', { signal })),
  staleTime: 5 * 60_000,
  retry: false,
})

/** What the list is narrowed to; part of the address. */
export interface MonitorFilter {
  search?: string | undefined
  state?: State | undefined
  tag?: string | undefined
}

/** While live state is away nothing comes by itself; the database is half a minute behind, so it is asked this often. */
const STALE_MS = 15_000
const refreshed = (stale: boolean | undefined, otherwise: number) => (stale ? STALE_MS : otherwise)

const PAGE = 100
const CHECKS = 50

export const monitorsKey = ['monitors'] as const

export const monitorsQuery = (filter: MonitorFilter) =>
  infiniteQueryOptions({
    queryKey: [...monitorsKey, 'pages', filter],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/monitors', {
          params: { query: { limit: PAGE, ...defined(filter), ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: 30_000,
    refetchInterval: ({ state }) =>
      refreshed(
        state.data?.pages.some((page) => page.stale),
        120_000,
      ),
  })

/** The monitors in one troubled state, for the head of the list. */
export const troubledQuery = (state: State) =>
  queryOptions({
    queryKey: [...monitorsKey, 'troubled', state],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/monitors', { params: { query: { limit: 50, state } }, signal })),
    staleTime: 30_000,
    refetchInterval: (query) => refreshed(query.state.data?.stale, 120_000),
  })

/** How many monitors are in each state: one small request, asked again when a verdict changes. */
export const countsKey = [...monitorsKey, 'counts'] as const
export const countsQuery = queryOptions({
  queryKey: countsKey,
  queryFn: ({ signal }) => unwrap(api.GET('/api/monitors', { params: { query: { limit: 1 } }, signal })),
  select: (page) => page.counts,
  staleTime: 30_000,
  refetchInterval: ({ state }) => refreshed(state.data?.stale, 60_000),
})

export const monitorKey = (id: string) => ['monitor', id] as const

export const monitorQuery = (id: string) =>
  queryOptions({
    queryKey: monitorKey(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/monitors/{id}', { params: { path: { id } }, signal })),
    staleTime: 30_000,
    refetchInterval: ({ state }) => refreshed(state.data?.stale, 120_000),
  })

export const uptimeQuery = (id: string, range: Range, region: string | undefined) =>
  queryOptions({
    queryKey: [...monitorKey(id), 'uptime', range, region ?? null],
    queryFn: ({ signal }) => {
      const to = now()
      return unwrap(
        api.GET('/api/monitors/{id}/uptime', {
          params: { path: { id }, query: { from: to - RANGES[range].ms, to, ...defined({ region }) } },
          signal,
        }),
      )
    },
    staleTime: refreshMs(range) / 2,
    refetchInterval: refreshMs(range),
  })

export const timelineQuery = (id: string, range: Range, region: string | undefined, intervalMs: number) =>
  queryOptions({
    queryKey: [...monitorKey(id), 'timeline', range, region ?? null, intervalMs],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/monitors/{id}/timeline', {
          params: { path: { id }, query: { ...windowOf(range, intervalMs, now()), ...defined({ region }) } },
          signal,
        }),
      ),
    staleTime: 15_000,
    refetchInterval: range === '1h' ? 20_000 : refreshMs(range),
    placeholderData: (previous) => previous,
  })

export const checksKey = (id: string) => [...monitorKey(id), 'checks'] as const

const DAY_MS = 86_400_000

/** The newest checks: of the last day, or as far back as a first page of rare ones reaches. */
export const checksQuery = (id: string, region: string | undefined, intervalMs: number) =>
  infiniteQueryOptions({
    queryKey: [...checksKey(id), region ?? null],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/monitors/{id}/checks', {
          params: {
            path: { id },
            query: {
              limit: CHECKS,
              from: now() - Math.min(Math.max(DAY_MS, CHECKS * intervalMs), 30 * DAY_MS),
              ...defined({ region }),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: 30_000,
  })

export const incidentsKey = ['incidents'] as const

export interface IncidentFilter {
  monitor?: string | undefined
  open?: boolean | undefined
}

export const incidentsQuery = (filter: IncidentFilter, limit = 30) =>
  infiniteQueryOptions({
    queryKey: [...incidentsKey, filter, limit],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/incidents', {
          params: { query: { limit, ...defined(filter), ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: 15_000,
    refetchInterval: 60_000,
  })

/** Where alerts go: names and kinds. */
export const channelsQuery = queryOptions({
  queryKey: ['channels'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/channels', { signal })),
  select: (list) => list.channels,
  staleTime: 60_000,
})

export const systemQuery = queryOptions({
  queryKey: ['system'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/system', { signal })),
  refetchInterval: 5_000,
})

export const deadLettersKey = ['dead-letters'] as const

/** The newest dead letters of a topic; for admins. */
export const deadLettersQuery = (topic: string) =>
  queryOptions({
    queryKey: [...deadLettersKey, topic],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/system/dead-letters', { params: { query: { topic, limit: 50 } }, signal })),
    staleTime: 10_000,
  })

/** Without the members that are not set: an absent parameter, not an empty one. */
function defined<T extends object>(query: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== undefined && value !== ''),
  ) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
