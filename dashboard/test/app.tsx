import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { render } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { vi } from 'vitest'

import { createQueryClient } from '#/api/query-client.ts'
import { createAppRouter } from '#/router.tsx'
import { Backend } from './backend.ts'

/** The whole dashboard at an address, over a backend of its own. */
export function open(path: string, backend = new Backend()) {
  vi.stubGlobal('fetch', backend.fetch)
  const queryClient = createQueryClient()
  queryClient.setDefaultOptions({ queries: { ...queryClient.getDefaultOptions().queries, retry: false } })
  const history = createMemoryHistory({ initialEntries: [path] })
  const router = createAppRouter(queryClient, history)
  const view = render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  return { backend, queryClient, router, user: userEvent.setup(), ...view }
}
