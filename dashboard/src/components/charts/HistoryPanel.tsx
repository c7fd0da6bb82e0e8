import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type PointerEvent, useState } from 'react'

import { messageOf } from '#/api/errors.ts'
import { timelineQuery } from '#/api/queries.ts'
import type { Bucket, MonitorView } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { dayAndTime, latency, span } from '#/lib/format.ts'
import { RANGE_NAMES, RANGES, type Range } from '#/lib/ranges.ts'
import { useWidth } from '#/lib/size.ts'
import { OUTCOME_LABEL, OUTCOMES } from '#/lib/words.ts'
import { Segmented } from '#/ui/Segmented.tsx'
import { LatencyChart } from './LatencyChart.tsx'
import { TimelineLegend, TimelineStrip } from './TimelineStrip.tsx'

const GUTTER = 56

interface Props {
  monitor: MonitorView
  range: Range
  region: string | undefined
  onRange: (range: Range) => void
  onRegion: (region: string | undefined) => void
}

/** Latency and outcomes over one window, on one axis of time. */
export function HistoryPanel({ monitor, range, region, onRange, onRegion }: Props) {
  const interval = (monitor.spec.interval_seconds ?? 60) * 1000
  const { data, error } = useQuery(timelineQuery(monitor.id, range, region, interval))
  const regions = monitor.regions.map((one) => one.region)
  return (
    <section aria-labelledby="history" className="card px-4 py-5 sm:px-6">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 id="history" className="text-sm font-semibold">
          Latency and outcomes
        </h2>
        <div className="flex flex-wrap gap-2">
          {regions.length > 1 && (
            <Segmented
              label="Region"
              name="region"
              value={region ?? ''}
              onChange={(value) => onRegion(value || undefined)}
              options={[
                { value: '', label: 'All' },
                ...regions.map((name) => ({ value: name, label: name })),
              ]}
            />
          )}
          <Segmented
            label="Range"
            name="range"
            value={range}
            onChange={onRange}
            options={RANGE_NAMES.map((name) => ({
              value: name,
              label: RANGES[name].short,
              title: RANGES[name].label,
            }))}
          />
        </div>
      </div>
      {data ? (
        <Plot
          buckets={data.buckets}
          stale={data.stale}
          label={`${monitor.spec.name}, last ${RANGES[range].label}`}
        />
      ) : (
        <div className="grid h-80 place-items-center text-ink-faint">{error ? messageOf(error) : ''}</div>
      )}
    </section>
  )
}

function Plot({ buckets, stale, label }: { buckets: readonly Bucket[]; stale: boolean; label: string }) {
  const [host, width] = useWidth<HTMLDivElement>()
  const [active, setActive] = useState<number>()
  const plotWidth = Math.max(0, width - GUTTER)
  const current = active === undefined ? undefined : buckets[active]

  function point(event: PointerEvent<HTMLDivElement>) {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - GUTTER
    const index = Math.floor((x / plotWidth) * buckets.length)
    setActive(index >= 0 && index < buckets.length ? index : undefined)
  }

  function press(event: KeyboardEvent) {
    const last = buckets.length - 1
    const moves: Record<string, number> = {
      ArrowLeft: Math.max(0, (active ?? last + 1) - 1),
      ArrowRight: Math.min(last, (active ?? last - 1) + 1),
      Home: 0,
      End: last,
    }
    const next = moves[event.key]
    if (event.key === 'Escape') setActive(undefined)
    if (next === undefined) return
    event.preventDefault()
    setActive(next)
  }

  return (
    <>
      <Readout bucket={current} stale={stale} />
      <div
        ref={host}
        // A slider, since that is what it is to a keyboard: arrow keys walk through the buckets.
        role="slider"
        tabIndex={0}
        aria-label={`Timeline of ${label}`}
        aria-valuemin={1}
        aria-valuemax={buckets.length}
        aria-valuenow={(active ?? buckets.length - 1) + 1}
        aria-valuetext={current ? tell(current) : tellAll(buckets)}
        onKeyDown={press}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => setActive(undefined)}
        onBlur={() => setActive(undefined)}
        className="relative mt-1 touch-pan-y rounded-control"
      >
        <LatencyChart buckets={buckets} width={width} height={230} gutter={GUTTER} />
        <div className="mt-2" style={{ paddingLeft: GUTTER }}>
          {plotWidth > 0 && <TimelineStrip buckets={buckets} width={plotWidth} active={active} />}
        </div>
        {buckets.every((bucket) => bucket.max_us == null) && (
          <p className="absolute inset-x-0 top-24 mx-auto w-fit bg-surface px-3 text-sm text-ink-faint">
            No answer in this window yet.
          </p>
        )}
        {active !== undefined && plotWidth > 0 && (
          <span
            aria-hidden="true"
            className="pointer-events-none absolute top-2 bottom-0 w-px bg-ink/25"
            style={{ left: GUTTER + ((active + 0.5) * plotWidth) / buckets.length }}
          />
        )}
      </div>
      <div
        className="mt-3 flex flex-wrap items-center justify-between gap-x-6 gap-y-2"
        style={{ paddingLeft: GUTTER }}
      >
        <TimelineLegend buckets={buckets} />
      </div>
    </>
  )
}

/** The figures of the bucket under the pointer; what the lines mean while there is none. */
function Readout({ bucket, stale }: { bucket: Bucket | undefined; stale: boolean }) {
  return (
    <p className="figures mt-3 flex h-5 items-center gap-x-4 overflow-hidden text-xs whitespace-nowrap text-ink-faint">
      {bucket ? (
        <>
          <span className="text-ink">{span(bucket.from, bucket.to)}</span>
          {bucket.p50_us != null && (
            <span>
              median <b className="font-medium text-ink">{latency(bucket.p50_us)}</b>
            </span>
          )}
          {bucket.p95_us != null && (
            <span>
              p95 <b className="font-medium text-ink">{latency(bucket.p95_us)}</b>
            </span>
          )}
          <span className="truncate">{counts(bucket)}</span>
        </>
      ) : (
        <>
          <Key className="h-0.5 bg-accent" /> median
          <Key className="h-2.5 bg-accent/15" /> up to the 95th percentile
          {stale && <span className="text-unknown-ink">newest checks cannot be read just now</span>}
        </>
      )}
    </p>
  )
}

const Key = ({ className }: { className: string }) => (
  <span aria-hidden="true" className={cn('-mr-2.5 w-4 rounded-xs', className)} />
)

function counts(bucket: Bucket): string {
  const parts = OUTCOMES.filter((outcome) => bucket[outcome] > 0).map(
    (outcome) => `${bucket[outcome]} ${OUTCOME_LABEL[outcome].toLowerCase()}`,
  )
  return parts.join(', ') || 'nothing due'
}

function tell(bucket: Bucket): string {
  const speed = bucket.p50_us == null ? '' : `, median ${latency(bucket.p50_us)}`
  return `${dayAndTime(bucket.from)}: ${counts(bucket)}${speed}`
}

function tellAll(buckets: readonly Bucket[]): string {
  return OUTCOMES.map((outcome) => [outcome, buckets.reduce((sum, one) => sum + one[outcome], 0)] as const)
    .filter(([, total]) => total > 0)
    .map(([outcome, total]) => `${total} ${OUTCOME_LABEL[outcome].toLowerCase()}`)
    .join(', ')
}
