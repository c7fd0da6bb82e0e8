import { useQueries } from '@tanstack/react-query'

import { uptimeQuery } from '#/api/queries.ts'
import type { MonitorView, Uptime } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { duration, latency, percent } from '#/lib/format.ts'
import { RANGES, type Range } from '#/lib/ranges.ts'
import { account } from './Uptime.tsx'

const WINDOWS: readonly Range[] = ['24h', '7d', '30d', '90d', '1y']

/** Uptime over the day, the year and between, and the newest latency, as figures to be read at a glance. */
export function UptimeCards({ monitor, region }: { monitor: MonitorView; region: string | undefined }) {
  const windows = useQueries({ queries: WINDOWS.map((range) => uptimeQuery(monitor.id, range, region)) })
  return (
    <dl className="mt-4 grid grid-cols-2 gap-px overflow-hidden rounded-card border border-line bg-line sm:grid-cols-3 xl:grid-cols-6">
      {WINDOWS.map((range, i) => (
        <UptimeCard key={range} label={`Uptime, ${RANGES[range].label}`} uptime={windows[i]?.data} />
      ))}
      <div className="bg-surface px-4 py-4 sm:px-6">
        <dt className="text-xs text-ink-faint">Newest latency</dt>
        <dd className="figures mt-1 text-xl font-semibold tracking-tight">
          {latency(monitor.status.latency_us)}
        </dd>
        <dd className="figures mt-0.5 text-xs text-ink-faint">
          timeout {duration(monitor.spec.timeout_ms ?? 10_000)}
        </dd>
      </div>
    </dl>
  )
}

function UptimeCard({ label, uptime }: { label: string; uptime: Uptime | undefined }) {
  const thin = uptime?.coverage != null && uptime.coverage < 0.95
  return (
    <div className="bg-surface px-4 py-4 sm:px-6" title={uptime && account(uptime)}>
      <dt className="text-xs text-ink-faint">{label}</dt>
      <dd className="figures mt-1 text-xl font-semibold tracking-tight">
        {uptime ? percent(uptime.uptime) : '\u00a0'}
      </dd>
      <dd className={cn('figures mt-0.5 text-xs', thin ? 'text-unknown-ink' : 'text-ink-faint')}>
        {uptime ? `coverage ${percent(uptime.coverage, 1)}` : '\u00a0'}
      </dd>
    </div>
  )
}
