import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { api, unwrap } from '#/api/client.ts'
import { systemQuery } from '#/api/queries.ts'
import type { MonitorSpec } from '#/api/schema.d.ts'
import { MonitorForm } from '#/components/form/MonitorForm.tsx'
import { BackLink } from '#/components/MonitorHeader.tsx'
import { useMayEdit } from '#/components/may-edit.ts'
import { useStoreMonitor } from '#/components/monitor-actions.ts'
import { emptyDraft } from '#/lib/draft.ts'
import { useTitle } from '#/lib/title.ts'

export function NewMonitorPage() {
  useTitle('New monitor')
  const navigate = useNavigate()
  const store = useStoreMonitor()
  const mayEdit = useMayEdit()
  const system = useQuery({ ...systemQuery, refetchInterval: false })
  const create = useMutation({
    mutationFn: (body: MonitorSpec) => unwrap(api.POST('/api/monitors', { body })),
    onSuccess: (view) => {
      store(view)
      void navigate({ to: '/monitors/$id', params: { id: view.id } })
    },
  })
  // The regions decide what the form starts with; when they can't be read, it starts without.
  if (system.isPending) return null
  const regions = system.data?.regions.map((one) => one.region) ?? []
  // Where most monitors are checked from is where the next one likely is, too.
  const [usual] = (system.data?.regions ?? []).toSorted((a, b) => b.monitors - a.monitors)

  return (
    <div className="mx-auto max-w-4xl">
      <BackLink to="/" label="Monitors" />
      <h1 className="mt-3 mb-6 text-2xl font-semibold tracking-tight">New monitor</h1>
      <MonitorForm
        initial={emptyDraft(usual ? [usual.region] : [])}
        knownRegions={regions}
        save={mayEdit ? 'Start watching' : undefined}
        busy={create.isPending}
        error={create.error}
        cancel={{ to: '/' }}
        onSave={(spec) => create.mutate(spec)}
      />
    </div>
  )
}
