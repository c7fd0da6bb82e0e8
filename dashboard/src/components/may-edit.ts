import { useQuery } from '@tanstack/react-query'

import { meQuery } from '#/api/queries.ts'

/** Whether the one who looks may change monitors and incidents. Decides what is offered; the API decides what is done. */
export const useMayEdit = (): boolean => useQuery(meQuery).data?.role !== 'viewer'
