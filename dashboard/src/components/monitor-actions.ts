import { useMutation, useQueryClient } from '@tanstack/react-query'

import { api, unwrap } from '#/api/client.ts'
import { messageOf } from '#/api/errors.ts'
import { monitorKey, monitorsKey } from '#/api/queries.ts'
import type { MonitorView } from '#/api/schema.d.ts'
import { toast } from '#/ui/toast.tsx'

/** Puts a changed monitor where pages read it, and lets the lists catch up. */
export function useStoreMonitor() {
  const queryClient = useQueryClient()
  return (view: MonitorView) => {
    queryClient.setQueryData(monitorKey(view.id), view)
    void queryClient.invalidateQueries({ queryKey: monitorsKey })
  }
}

export function usePause(monitor: MonitorView) {
  const store = useStoreMonitor()
  return useMutation({
    mutationFn: (pause: boolean) => {
      const params = { params: { path: { id: monitor.id } } }
      return unwrap(
        pause ? api.POST('/api/monitors/{id}/pause', params) : api.POST('/api/monitors/{id}/resume', params),
      )
    },
    onSuccess: (view) => {
      store(view)
      toast(view.spec.paused ? `${view.spec.name} is paused` : `${view.spec.name} is checked again`)
    },
    onError: (error) => toast(messageOf(error), 'bad'),
  })
}

export function useDelete(monitor: MonitorView, onDone: () => void) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/monitors/{id}', { params: { path: { id: monitor.id } } })),
    onSuccess: () => {
      toast(`${monitor.spec.name} is deleted`)
      onDone()
      queryClient.removeQueries({ queryKey: monitorKey(monitor.id) })
      void queryClient.invalidateQueries({ queryKey: monitorsKey })
    },
    onError: (error) => toast(messageOf(error), 'bad'),
  })
}
