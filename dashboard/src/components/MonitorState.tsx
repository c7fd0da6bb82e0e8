import { Link } from '@tanstack/react-router'

import type { MonitorView, State } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { fullTime } from '#/lib/format.ts'
import { causeLabel, STATE_HINT, STATE_LABEL } from '#/lib/words.ts'
import { Ago, Since } from './Ago.tsx'
import { MARK_INK } from './StateGlyph.tsx'

const TINT: Record<State, string> = {
  up: 'bg-surface border-line',
  degraded: 'bg-degraded-soft border-degraded/35',
  down: 'bg-down-soft border-down/30',
  unknown: 'bg-unknown-soft border-unknown/30',
  paused: 'bg-sunken border-line',
  pending: 'bg-sunken border-line',
}

/** The one sentence a person came for: what it is, since when, and why. */
export function MonitorState({ monitor }: { monitor: MonitorView }) {
  const { status } = monitor
  const detail = worstDetail(monitor)
  const cause = causeLabel(status.cause)
  return (
    <section
      aria-label="State"
      className={cn(
        'flex flex-wrap items-center justify-between gap-x-8 gap-y-1 rounded-card border px-4 py-3.5 sm:px-6',
        TINT[status.state],
      )}
    >
      <p className="min-w-0">
        <span className={cn('font-semibold', MARK_INK[status.state])}>
          {STATE_LABEL[status.state]}
          {status.since != null && (
            <>
              {' for '}
              <span className="figures" title={fullTime(status.since)}>
                <Since at={status.since} />
              </span>
            </>
          )}
        </span>
        <span className="ml-3 text-ink-soft">
          {status.state === 'up'
            ? ''
            : cause
              ? [cause, detail].filter(Boolean).join(': ')
              : STATE_HINT[status.state]}
        </span>
      </p>
      <p className="text-sm text-ink-faint">
        {status.incident ? (
          <Link
            to="/incidents"
            search={{ monitor: monitor.id }}
            className="font-medium text-accent hover:underline"
          >
            Open incident
          </Link>
        ) : (
          status.state !== 'paused' && (
            <span className="figures">
              last check <Ago at={status.last_check} />
            </span>
          )
        )}
      </p>
    </section>
  )
}

/** The line of the region that is worst off. */
function worstDetail(monitor: MonitorView): string | undefined {
  const order = ['down', 'degraded', 'unknown', 'missed']
  const worst = monitor.regions
    .flatMap(({ latest }) => (latest?.detail ? [latest] : []))
    .sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome))[0]
  return worst?.detail ?? undefined
}
