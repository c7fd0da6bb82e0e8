import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'

import { messageOf } from '#/api/errors.ts'
import { type IncidentFilter, incidentsQuery, monitorQuery } from '#/api/queries.ts'
import { IncidentItem } from '#/components/IncidentItem.tsx'
import { Panel } from '#/components/Panel.tsx'
import { StateGlyph } from '#/components/StateGlyph.tsx'
import { useTitle } from '#/lib/title.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'
import { CloseIcon } from '#/ui/icons.tsx'

const route = getRouteApi('/app/incidents')

export function IncidentsPage() {
  useTitle('Incidents')
  const { monitor } = route.useSearch()
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">Incidents</h1>
      <p className="mt-1 text-ink-soft">Confirmed periods of not being up, and who was told.</p>
      {monitor && <OnlyMonitor id={monitor} />}
      <div className="mt-6 grid gap-4">
        <Open monitor={monitor} />
        <Past monitor={monitor} />
      </div>
    </>
  )
}

function OnlyMonitor({ id }: { id: string }) {
  const name = useQuery(monitorQuery(id)).data?.spec.name
  return (
    <p className="mt-4 flex items-center gap-1 text-sm text-ink-soft">
      Only {name ? <b className="font-medium text-ink">{name}</b> : 'one monitor'}
      <Link to="/incidents" aria-label="Show all monitors" className={buttonClass('quiet', true)}>
        <CloseIcon />
      </Link>
    </p>
  )
}

function Open({ monitor }: { monitor: string | undefined }) {
  const query = useIncidents({ monitor, open: true })
  return (
    <Panel title="Open now">
      {query.incidents?.length === 0 ? (
        <div className="flex items-center gap-3 px-4 pt-2 pb-6 text-ink-soft sm:px-6">
          <StateGlyph of="up" size={20} decorative />
          Nothing is down.
        </div>
      ) : (
        <Items query={query} />
      )}
    </Panel>
  )
}

function Past({ monitor }: { monitor: string | undefined }) {
  const query = useIncidents({ monitor, open: false })
  return (
    <Panel title="Resolved">
      {query.incidents?.length === 0 ? (
        <p className="px-4 pt-1 pb-6 text-ink-faint sm:px-6">No incident so far.</p>
      ) : (
        <Items query={query} />
      )}
    </Panel>
  )
}

function useIncidents(filter: IncidentFilter) {
  const query = useInfiniteQuery(incidentsQuery(filter))
  return { ...query, incidents: query.data?.pages.flatMap((page) => page.incidents) }
}

function Items({ query }: { query: ReturnType<typeof useIncidents> }) {
  if (!query.incidents)
    return (
      <p role={query.error ? 'alert' : undefined} className="px-4 pt-1 pb-6 text-ink-faint sm:px-6">
        {query.error ? messageOf(query.error) : '\u00a0'}
      </p>
    )
  return (
    <>
      <ul className="divide-y divide-line">
        {query.incidents.map((incident) => (
          <li key={incident.id}>
            <IncidentItem incident={incident} />
          </li>
        ))}
      </ul>
      {query.hasNextPage && (
        <div className="border-t border-line p-2 text-center">
          <Button tone="quiet" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older incidents
          </Button>
        </div>
      )}
    </>
  )
}
