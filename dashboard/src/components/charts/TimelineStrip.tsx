import { useId } from 'react'

import type { Bucket, Outcome } from '#/api/schema.d.ts'
import { count } from '#/lib/format.ts'
import { OUTCOME_HINT, OUTCOME_LABEL, OUTCOMES } from '#/lib/words.ts'

/** Bars stand on a line; what was down reaches below it. */
const HEIGHT = 44
const LINE = 38

interface Props {
  buckets: readonly Bucket[]
  width: number
  /** The bucket under the pointer or the keyboard. */
  active: number | undefined
}

/**
 * One bar per bucket, shared between its outcomes by their number. Each outcome has a pattern of its
 * own, so that missed is never taken for up, in colour or without.
 */
export function TimelineStrip({ buckets, width, active }: Props) {
  const id = useId()
  const slot = buckets.length ? width / buckets.length : 0
  const gap = slot > 6 ? 2 : slot > 3 ? 1 : 0.5
  return (
    <svg
      width={width}
      height={HEIGHT}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      aria-hidden="true"
      className="block"
    >
      <Patterns id={id} />
      {buckets.map((bucket, i) => {
        const x = i * slot + gap / 2
        const bar = Math.max(slot - gap, 1)
        const dim = active !== undefined && active !== i
        return (
          <g key={bucket.from} opacity={dim ? 0.45 : 1}>
            {bucket.due === 0 ? (
              <rect x={x} y={LINE - 2} width={bar} height={2} rx={1} className="fill-line-strong" />
            ) : (
              shares(bucket).map(({ outcome, from, to }) => (
                <Segment
                  key={outcome}
                  outcome={outcome}
                  id={id}
                  x={x}
                  width={bar}
                  y={from}
                  height={to - from}
                />
              ))
            )}
          </g>
        )
      })}
    </svg>
  )
}

interface Share {
  outcome: Outcome
  from: number
  to: number
}

/** From the line upwards, worst first; what happened at all is at least a few pixels high. */
export function shares(bucket: Bucket): Share[] {
  const order: readonly Outcome[] = ['down', 'degraded', 'unknown', 'missed', 'maintenance', 'up']
  const least = 6
  const present = order.filter((outcome) => bucket[outcome] > 0)
  const raised = present.map((outcome) => Math.max(least, (bucket[outcome] / bucket.due) * LINE))
  const scale = LINE / raised.reduce((sum, height) => sum + height, 0)
  let floor = LINE
  return present.map((outcome, i) => {
    const height = (raised[i] ?? 0) * scale
    const share = { outcome, from: floor - height, to: outcome === 'down' ? HEIGHT : floor }
    floor -= height
    return share
  })
}

function Segment({
  outcome,
  id,
  ...box
}: {
  outcome: Outcome
  id: string
  x: number
  y: number
  width: number
  height: number
}) {
  const rect = { ...box, rx: Math.min(2, box.width / 3) }
  if (outcome === 'missed')
    return (
      <>
        <rect {...rect} fill={`url(#${id}-missed)`} />
        <rect
          {...rect}
          x={box.x + 0.5}
          y={box.y + 0.5}
          width={Math.max(box.width - 1, 0.5)}
          height={Math.max(box.height - 1, 0.5)}
          className="fill-none stroke-missed"
        />
      </>
    )
  if (outcome === 'unknown') return <rect {...rect} fill={`url(#${id}-unknown)`} />
  if (outcome === 'maintenance') return <rect {...rect} fill={`url(#${id}-maintenance)`} />
  return (
    <rect
      {...rect}
      className={outcome === 'up' ? 'fill-up/70' : outcome === 'down' ? 'fill-down' : 'fill-degraded'}
    />
  )
}

function Patterns({ id }: { id: string }) {
  return (
    <defs>
      <pattern
        id={`${id}-missed`}
        width="5"
        height="5"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect width="5" height="5" className="fill-surface" />
        <rect width="1" height="5" className="fill-missed" />
      </pattern>
      <pattern id={`${id}-unknown`} width="4" height="4" patternUnits="userSpaceOnUse">
        <rect width="4" height="4" className="fill-unknown-soft" />
        <circle cx="1.2" cy="1.2" r="1" className="fill-unknown" />
      </pattern>
      <pattern
        id={`${id}-maintenance`}
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(-45)"
      >
        <rect width="6" height="6" className="fill-maintenance/25" />
        <rect width="3" height="6" className="fill-maintenance" />
      </pattern>
    </defs>
  )
}

/** What the patterns mean, with how often each occurred. */
export function TimelineLegend({ buckets }: { buckets: readonly Bucket[] }) {
  const id = useId()
  const totals = OUTCOMES.map((outcome) => ({
    outcome,
    total: buckets.reduce((sum, bucket) => sum + bucket[outcome], 0),
  })).filter(({ total }) => total > 0)
  return (
    <ul className="flex flex-wrap gap-x-5 gap-y-1.5 text-xs text-ink-soft">
      {totals.map(({ outcome, total }) => (
        <li key={outcome} title={OUTCOME_HINT[outcome]} className="flex items-center gap-1.5">
          <svg width="10" height="12" aria-hidden="true">
            <Patterns id={id} />
            <Segment outcome={outcome} id={id} x={0} y={1} width={10} height={10} />
          </svg>
          {OUTCOME_LABEL[outcome]} <span className="figures text-ink-faint">{count(total)}</span>
        </li>
      ))}
    </ul>
  )
}
