import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router'

import { ApiError } from './api/errors.ts'
import {
  countsQuery,
  incidentsQuery,
  meQuery,
  monitorQuery,
  monitorsQuery,
  systemQuery,
  timelineQuery,
} from './api/queries.ts'
import { now } from './lib/now.ts'
import { defaultRange } from './lib/ranges.ts'
import { Failure, NotFound } from './routes/failure.tsx'
import { checkIncidents, checkList, checkLogin, checkMonitor, checkSystem } from './routes/search.ts'
import { Shell } from './routes/shell.tsx'

/**
 * Every address of the dashboard. State that someone may want to send or come back to (filters,
 * ranges) is part of the address. Loaders start what a page needs before its code has arrived.
 */

interface Context {
  queryClient: QueryClient
}

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound, errorComponent: Failure })

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: checkLogin,
  component: lazyRouteComponent(() => import('./routes/login.tsx'), 'LoginPage'),
})

/** Everything behind the login. */
const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  beforeLoad: async ({ context, location }) => {
    await context.queryClient.ensureQueryData(meQuery).catch((error: unknown) => {
      if (error instanceof ApiError && error.isUnauthorized)
        throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } })
      throw error
    })
  },
  component: Shell,
})

const monitors = createRoute({
  getParentRoute: () => app,
  path: '/',
  validateSearch: checkList,
  loaderDeps: ({ search }) => search,
  loader: ({ context: { queryClient }, deps }) => {
    void queryClient.prefetchInfiniteQuery(monitorsQuery(deps))
    void queryClient.prefetchQuery(countsQuery)
  },
  component: lazyRouteComponent(() => import('./routes/monitors/list.tsx'), 'MonitorsPage'),
})

const newMonitor = createRoute({
  getParentRoute: () => app,
  path: '/monitors/new',
  component: lazyRouteComponent(() => import('./routes/monitors/new.tsx'), 'NewMonitorPage'),
})

const monitor = createRoute({
  getParentRoute: () => app,
  path: '/monitors/$id',
  validateSearch: checkMonitor,
  loaderDeps: ({ search }) => search,
  loader: async ({ context: { queryClient }, params: { id }, deps }) => {
    const { spec, created_at } = await queryClient.ensureQueryData(monitorQuery(id))
    const range = deps.range ?? defaultRange(created_at, now())
    const interval = (spec.interval_seconds ?? 60) * 1000
    void queryClient.prefetchQuery(timelineQuery(id, range, deps.region, interval))
  },
  errorComponent: Failure,
  component: lazyRouteComponent(() => import('./routes/monitors/monitor.tsx'), 'MonitorPage'),
})

const editMonitor = createRoute({
  getParentRoute: () => app,
  path: '/monitors/$id/edit',
  loader: ({ context: { queryClient }, params: { id } }) => queryClient.ensureQueryData(monitorQuery(id)),
  errorComponent: Failure,
  component: lazyRouteComponent(() => import('./routes/monitors/edit.tsx'), 'EditMonitorPage'),
})

const incidents = createRoute({
  getParentRoute: () => app,
  path: '/incidents',
  validateSearch: checkIncidents,
  loader: ({ context: { queryClient } }) => {
    void queryClient.prefetchInfiniteQuery(incidentsQuery({ open: true }))
  },
  component: lazyRouteComponent(() => import('./routes/incidents.tsx'), 'IncidentsPage'),
})

const system = createRoute({
  getParentRoute: () => app,
  path: '/system',
  validateSearch: checkSystem,
  loader: ({ context: { queryClient } }) => {
    void queryClient.prefetchQuery(systemQuery)
  },
  component: lazyRouteComponent(() => import('./routes/system.tsx'), 'SystemPage'),
})

const routeTree = root.addChildren([
  login,
  app.addChildren([monitors, newMonitor, monitor, editMonitor, incidents, system]),
])

export function createAppRouter(
  queryClient: QueryClient,
  history?: Parameters<typeof createRouter>[0]['history'],
) {
  return createRouter({
    routeTree,
    context: { queryClient },
    ...(history ? { history } : {}),
    defaultPreload: 'intent',
    // The query cache knows what is fresh.
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
