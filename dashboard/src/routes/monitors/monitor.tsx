import { useSuspenseQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'

import { monitorQuery } from '#/api/queries.ts'
import { ChecksPanel } from '#/components/ChecksPanel.tsx'
import { HistoryPanel } from '#/components/charts/HistoryPanel.tsx'
import { MonitorHeader } from '#/components/MonitorHeader.tsx'
import { MonitorIncidents } from '#/components/MonitorIncidents.tsx'
import { MonitorState } from '#/components/MonitorState.tsx'
import { RegionsPanel } from '#/components/RegionsPanel.tsx'
import { SettingsPanel } from '#/components/SettingsPanel.tsx'
import { StaleNotice } from '#/components/StaleNotice.tsx'
import { UptimeCards } from '#/components/UptimeCards.tsx'
import { now } from '#/lib/now.ts'
import { defaultRange } from '#/lib/ranges.ts'
import { useTitle } from '#/lib/title.ts'
import { STATE_LABEL } from '#/lib/words.ts'

const route = getRouteApi('/app/monitors/$id')

export function MonitorPage() {
  const { id } = route.useParams()
  const { range: chosen, region } = route.useSearch()
  const navigate = route.useNavigate()
  const monitor = useSuspenseQuery(monitorQuery(id)).data
  const [fallback] = useState(() => defaultRange(monitor.created_at, now()))
  const range = chosen ?? fallback
  const { state } = monitor.status
  useTitle(state === 'up' ? monitor.spec.name : `${STATE_LABEL[state]}: ${monitor.spec.name}`)

  return (
    <>
      <MonitorHeader monitor={monitor} />
      <div className="mt-6">
        {monitor.stale && <StaleNotice asOf={monitor.as_of} />}
        <MonitorState monitor={monitor} />
      </div>
      {monitor.warnings?.map((warning) => (
        <p
          key={warning}
          role="status"
          className="mt-2 rounded-control bg-degraded-soft px-4 py-2 text-sm text-degraded-ink first-letter:uppercase"
        >
          {warning}.
        </p>
      ))}
      <UptimeCards monitor={monitor} region={region} />
      <div className="mt-4">
        <HistoryPanel
          monitor={monitor}
          range={range}
          region={region}
          onRange={(next) =>
            void navigate({ search: (before) => ({ ...before, range: next }), replace: true })
          }
          onRegion={(next) =>
            void navigate({ search: (before) => ({ ...before, region: next }), replace: true })
          }
        />
      </div>
      <div className="mt-4 grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="grid min-w-0 gap-4">
          <RegionsPanel monitor={monitor} />
          <ChecksPanel monitor={monitor} region={region} />
        </div>
        <div className="grid min-w-0 items-start gap-4 sm:grid-cols-2 xl:grid-cols-1">
          <MonitorIncidents id={id} />
          <SettingsPanel monitor={monitor} />
        </div>
      </div>
    </>
  )
}
