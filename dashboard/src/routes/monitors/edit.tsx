import { useMutation, useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

import { api, unwrap } from '#/api/client.ts'
import { monitorQuery, systemQuery } from '#/api/queries.ts'
import type { MonitorSpec } from '#/api/schema.d.ts'
import { MonitorForm } from '#/components/form/MonitorForm.tsx'
import { BackLink } from '#/components/MonitorHeader.tsx'
import { useMayEdit } from '#/components/may-edit.ts'
import { useStoreMonitor } from '#/components/monitor-actions.ts'
import { draftOf } from '#/lib/draft.ts'
import { MASK } from '#/lib/mask.ts'
import { useTitle } from '#/lib/title.ts'
import { toast } from '#/ui/toast.tsx'

const route = getRouteApi('/app/monitors/$id/edit')

export function EditMonitorPage() {
  const { id } = route.useParams()
  const navigate = useNavigate()
  const store = useStoreMonitor()
  const current = useSuspenseQuery(monitorQuery(id)).data
  // What was opened is what is edited: a change by somebody else meanwhile is refused by its revision.
  const [opened] = useState(current)
  const system = useQuery({ ...systemQuery, refetchInterval: false })
  const mayEdit = useMayEdit()
  useTitle(`Edit ${opened.spec.name}`)

  const save = useMutation({
    mutationFn: (body: MonitorSpec) =>
      unwrap(
        api.PUT('/api/monitors/{id}', {
          params: { path: { id }, header: { 'if-match': opened.revision } },
          body,
        }),
      ),
    onSuccess: (view) => {
      store(view)
      toast(`${view.spec.name} is saved`)
      void navigate({ to: '/monitors/$id', params: { id } })
    },
  })

  return (
    <div className="mx-auto max-w-4xl">
      <BackLink to="/monitors/$id" params={{ id }} label={current.spec.name} />
      <h1 className="mt-3 mb-6 text-2xl font-semibold tracking-tight">Edit monitor</h1>
      <MonitorForm
        initial={draftOf(opened)}
        knownRegions={system.data?.regions.map((one) => one.region) ?? []}
        save={mayEdit ? 'Save' : undefined}
        busy={save.isPending}
        error={save.error}
        cancel={{ to: '/monitors/$id', params: { id } }}
        onSave={(spec) => save.mutate(spec)}
      >
        {!mayEdit && (
          <p role="status" className="mt-4 rounded-control bg-sunken px-4 py-2 text-sm text-ink-soft">
            You may look at these settings, not change them. <code>{MASK}</code> stands for what only editors
            see.
          </p>
        )}
        {current.revision > opened.revision && (
          <p
            role="status"
            className="mt-4 rounded-control bg-degraded-soft px-4 py-2 text-sm text-degraded-ink"
          >
            This monitor was changed while you were editing. Reload the page to start from its newest
            settings.
          </p>
        )}
      </MonitorForm>
    </div>
  )
}
