import { Link } from '@tanstack/react-router'
import { memo } from 'react'

import type { MonitorView, State } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { latency } from '#/lib/format.ts'
import { shortTarget } from '#/lib/url.ts'
import { causeLabel, KIND_LABEL, STATE_LABEL } from '#/lib/words.ts'
import { Ago, Since } from './Ago.tsx'
import { Sparkline } from './charts/Sparkline.tsx'
import { MARK_INK, StateGlyph } from './StateGlyph.tsx'
import { UptimeFigure } from './Uptime.tsx'

/** The list's columns, shared by its header. */
export const COLUMNS =
  'grid grid-cols-[1.25rem_minmax(0,1fr)_auto] items-center gap-x-3.5 md:grid-cols-[1.25rem_minmax(0,1fr)_8.25rem_4.5rem_7rem_5.5rem] xl:grid-cols-[1.25rem_minmax(0,1fr)_8.25rem_4.5rem_11.5rem_5.5rem] xl:gap-x-5'

/** One monitor of the list. Rendered again only when the monitor itself has changed. */
export const MonitorRow = memo(function MonitorRow({
  monitor,
  index,
}: {
  monitor: MonitorView
  index: number
}) {
  const { status } = monitor
  const quiet = status.state === 'paused'
  return (
    <div
      className={cn(
        COLUMNS,
        'group relative h-16 px-4 transition-colors hover:bg-hover sm:px-5 has-[a:focus-visible]:bg-accent-soft',
      )}
    >
      <StateGlyph of={status.state} size={18} alive={status.state === 'down'} />

      <div className="min-w-0">
        <div className="flex items-baseline gap-2">
          <Link
            to="/monitors/$id"
            params={{ id: monitor.id }}
            data-row={index}
            className={cn(
              'truncate font-medium outline-none after:absolute after:inset-0',
              quiet && 'text-ink-soft',
            )}
          >
            {monitor.spec.name}
          </Link>
          {/* Beside the name only where there is room for both. */}
          <Reason monitor={monitor} className="hidden xl:inline" />
        </div>
        <Reason monitor={monitor} className="mt-0.5 block truncate xl:hidden" />
        <div
          className={cn(
            'mt-0.5 truncate text-xs text-ink-faint',
            hasReason(status.state) && 'hidden xl:block',
          )}
        >
          <span className="mr-1.5 font-medium tracking-wide">{KIND_LABEL[monitor.kind] ?? monitor.kind}</span>
          {shortTarget(monitor.target)}
        </div>
      </div>

      <div className={cn('hidden md:block', quiet && 'opacity-50')}>
        <Sparkline beats={monitor.sparkline} regions={monitor.regions.length} />
      </div>

      <div className="figures hidden text-right text-ink-soft md:block">
        <span className="sr-only">Latency </span>
        {quiet ? '–' : latency(status.latency_us)}
      </div>

      <div className="hidden text-right md:block">
        <span className="sr-only">Uptime 24 hours </span>
        <UptimeFigure of={monitor.day} />
      </div>

      <div className="figures text-right text-xs text-ink-faint md:text-sm">
        <div className="md:hidden">
          <span className="font-medium text-ink">{quiet ? '–' : latency(status.latency_us)}</span>
        </div>
        <span className="sr-only">Last check </span>
        {quiet ? 'paused' : <Ago at={status.last_check} />}
      </div>
    </div>
  )
})

const hasReason = (state: State) => state !== 'up' && state !== 'paused'

/** Why it is not up, and for how long. */
function Reason({ monitor: { status }, className }: { monitor: MonitorView; className: string }) {
  if (!hasReason(status.state)) return null
  const cause = causeLabel(status.cause)
  return (
    <span className={cn('shrink-0 text-xs', MARK_INK[status.state], className)}>
      {cause ?? STATE_LABEL[status.state]}
      {status.since != null && (
        <>
          {' · '}
          <span className="figures">
            <Since at={status.since} />
          </span>
        </>
      )}
    </span>
  )
}
