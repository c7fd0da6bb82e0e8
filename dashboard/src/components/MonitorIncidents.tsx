import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { messageOf } from '#/api/errors.ts'
import { incidentsQuery } from '#/api/queries.ts'
import { cn } from '#/lib/cn.ts'
import { dayAndTime, duration, fullTime } from '#/lib/format.ts'
import { causeLabel } from '#/lib/words.ts'
import { Since } from './Ago.tsx'
import { Panel } from './Panel.tsx'
import { StateGlyph } from './StateGlyph.tsx'

/** The monitor's last few incidents. */
export function MonitorIncidents({ id }: { id: string }) {
  const { data, error } = useInfiniteQuery(incidentsQuery({ monitor: id }, 5))
  const incidents = data?.pages[0]?.incidents
  return (
    <Panel
      title="Incidents"
      action={
        incidents?.length ? (
          <Link to="/incidents" search={{ monitor: id }} className="text-xs text-accent hover:underline">
            All
          </Link>
        ) : undefined
      }
    >
      {incidents?.length ? (
        <ul className="divide-y divide-line pb-1">
          {incidents.map((incident) => {
            const open = incident.state !== 'resolved'
            return (
              <li key={incident.id} className="flex items-start gap-2.5 px-4 py-2.5 sm:px-6">
                <StateGlyph of={open ? 'down' : 'up'} size={14} decorative className="mt-1" />
                <div className="min-w-0 flex-1">
                  <p className="truncate">{causeLabel(incident.cause) ?? 'Cause not known'}</p>
                  <p className="text-xs text-ink-faint" title={fullTime(incident.opened_at)}>
                    {dayAndTime(incident.opened_at)}
                  </p>
                </div>
                <p className={cn('figures text-sm', open ? 'font-medium text-down-ink' : 'text-ink-soft')}>
                  {open ? <Since at={incident.opened_at} /> : duration(incident.duration_ms)}
                </p>
              </li>
            )
          })}
        </ul>
      ) : (
        <p className="px-4 pt-1 pb-5 text-sm text-ink-faint sm:px-6">
          {error ? messageOf(error) : incidents ? 'None so far.' : '\u00a0'}
        </p>
      )}
    </Panel>
  )
}
