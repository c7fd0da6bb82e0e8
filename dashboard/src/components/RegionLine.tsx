import type { Prober, RegionSystem } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { count, duration, plural } from '#/lib/format.ts'
import { Since } from './Ago.tsx'
import { StateGlyph } from './StateGlyph.tsx'

/** The newest slot of a region, checked or judged, older than this is worth a colour: twice the shortest interval. */
const LATE_MS = 30_000

const BLINDED_BY = {
  network: 'neither canaries nor other targets can be reached',
  resolver: 'its resolver does not answer',
  resources: 'it is out of descriptors, ports or memory',
} as const

/** A region and how well its probers see. */
export function RegionLine({ region }: { region: RegionSystem }) {
  const silent =
    region.pingers === 0 || (region.stale_monitors > 0 && region.stale_monitors === region.monitors)
  const blind = region.blind_since != null
  const late = region.stale_monitors > 0 || Math.max(region.age_ms ?? 0, region.judged_age_ms ?? 0) > LATE_MS
  const spooled = region.probers.reduce((sum, one) => sum + one.spool_records, 0)
  return (
    <li className="px-4 py-3.5 sm:px-6">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <StateGlyph of={silent ? 'down' : blind || late ? 'unknown' : 'up'} size={16} />
        <span className="font-medium">{region.region}</span>
        <span className="text-sm text-ink-faint">
          {[
            region.pingers != null && plural(region.pingers, 'pinger'),
            plural(region.monitors, 'monitor'),
            region.stale_monitors > 0 && `${count(region.stale_monitors)} without a fresh result`,
            region.age_ms != null && `newest result ${duration(region.age_ms)} ago`,
            spooled > 0 && `${count(spooled)} results wait for Kafka`,
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
        <span className={cn('figures ml-auto text-sm', late ? 'text-unknown-ink' : 'text-ink-soft')}>
          {region.judged_age_ms == null
            ? 'judged up to: not known'
            : `judged up to ${duration(region.judged_age_ms)} ago`}
        </span>
      </div>
      {region.pingers === 0 && region.monitors > 0 && (
        <p className="mt-1.5 ml-8 text-sm text-down-ink">
          No pinger serves this region: {plural(region.monitors, 'monitor')}{' '}
          {region.monitors === 1 ? 'is' : 'are'} not checked from here until one runs with REGION=
          {region.region}.
        </p>
      )}
      {region.blind_since != null && (
        <p className="mt-1.5 ml-8 text-sm text-unknown-ink">
          Blind for <Since at={region.blind_since} />: what it does not reach is unknown, not down.
        </p>
      )}
      {region.probers.length > 0 && (
        <ul className="figures mt-1.5 ml-8 grid gap-1 text-xs text-ink-faint">
          {region.probers.map((prober) => (
            <ProberLine key={prober.pinger} prober={prober} />
          ))}
        </ul>
      )}
    </li>
  )
}

function ProberLine({ prober }: { prober: Prober }) {
  const blind = prober.state === 'blind'
  return (
    <li className="flex flex-wrap gap-x-3">
      <span className="[overflow-wrap:anywhere] text-ink-soft">{prober.pinger}</span>
      <span className={cn(blind && 'text-unknown-ink')}>
        {blind ? `blind: ${prober.reason ? BLINDED_BY[prober.reason] : 'it does not say why'}` : 'sees'}
      </span>
      {blind && <span>{plural(prober.slots_unknown, 'slot')} unknown</span>}
      <span>{plural(prober.shards, 'shard')}</span>
      <span>
        spool{' '}
        {prober.spool_records === 0 ? 'empty' : `${count(prober.spool_records)}, ${size(prober.spool_bytes)}`}
      </span>
    </li>
  )
}

const size = (bytes: number) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
