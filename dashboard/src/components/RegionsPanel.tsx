import type { MonitorView, Phases, RegionView } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { latency } from '#/lib/format.ts'
import { causeLabel, OUTCOME_LABEL } from '#/lib/words.ts'
import { Ago } from './Ago.tsx'
import { Panel } from './Panel.tsx'
import { StateGlyph } from './StateGlyph.tsx'

const PHASES: readonly { key: keyof Phases; label: string; color: string }[] = [
  { key: 'resolve_us', label: 'Resolve', color: 'bg-accent/25' },
  { key: 'connect_us', label: 'Connect', color: 'bg-accent/45' },
  { key: 'tls_us', label: 'TLS', color: 'bg-accent/65' },
  { key: 'first_byte_us', label: 'First byte', color: 'bg-accent' },
  { key: 'transfer_us', label: 'Transfer', color: 'bg-ink-faint/60' },
]

/** What each region saw last, and where the time went. */
export function RegionsPanel({ monitor }: { monitor: MonitorView }) {
  const total = (phases: Phases | null | undefined) =>
    PHASES.reduce((sum, { key }) => sum + (phases?.[key] ?? 0), 0)
  const longest = Math.max(1, ...monitor.regions.map((one) => total(one.latest?.phases)))
  const hasPhases = monitor.regions.some((one) => total(one.latest?.phases) > 0)
  return (
    <Panel title="Regions" action={hasPhases && <PhaseKey />}>
      <ul className="divide-y divide-line">
        {monitor.regions.map((one) => (
          <li key={one.region} className="px-4 py-3 sm:px-6">
            <RegionLine of={one} />
            {one.latest?.phases && total(one.latest.phases) > 0 && (
              <PhaseBar phases={one.latest.phases} share={total(one.latest.phases) / longest} />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function RegionLine({ of: { region, latest, stale } }: { of: RegionView }) {
  return (
    <div className="flex items-center gap-3">
      <StateGlyph of={latest?.outcome ?? 'pending'} size={14} />
      <span className="font-medium">{region}</span>
      <span
        className={cn(
          'min-w-0 flex-1 truncate text-xs text-ink-faint',
          latest?.outcome === 'up' && 'invisible sm:visible',
        )}
      >
        {latest
          ? (latest.detail ?? causeLabel(latest.cause) ?? OUTCOME_LABEL[latest.outcome])
          : 'no result yet'}
        {latest?.status != null && latest.outcome === 'up' && ` · HTTP ${latest.status}`}
      </span>
      <span className="figures text-ink-soft">{latency(latest?.latency_us)}</span>
      <span className={cn('figures w-20 text-right text-xs', stale ? 'text-unknown-ink' : 'text-ink-faint')}>
        {latest ? <Ago at={latest.slot} /> : '–'}
      </span>
    </div>
  )
}

function PhaseBar({ phases, share }: { phases: Phases; share: number }) {
  const parts = PHASES.filter(({ key }) => (phases[key] ?? 0) > 0)
  const words = parts.map(({ key, label }) => `${label} ${latency(phases[key])}`).join(', ')
  return (
    <div
      role="img"
      aria-label={words}
      title={words}
      className="mt-2 ml-6.5 flex h-1.5 gap-px"
      style={{ width: `calc((100% - 1.625rem) * ${share})` }}
    >
      {parts.map(({ key, color }) => (
        <span key={key} className={cn('min-w-px rounded-xs', color)} style={{ flexGrow: phases[key] ?? 0 }} />
      ))}
    </div>
  )
}

function PhaseKey() {
  return (
    <ul aria-hidden="true" className="hidden gap-x-3.5 text-2xs text-ink-faint sm:flex">
      {PHASES.map(({ key, label, color }) => (
        <li key={key} className="flex items-center gap-1.5">
          <span className={cn('h-1.5 w-3 rounded-xs', color)} />
          {label}
        </li>
      ))}
    </ul>
  )
}
