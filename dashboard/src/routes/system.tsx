import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'

import { messageOf } from '#/api/errors.ts'
import { systemQuery } from '#/api/queries.ts'
import type { ConsumerLag, Dependency, System } from '#/api/schema.d.ts'
import { ChannelsPanel } from '#/components/ChannelsPanel.tsx'
import { DeadLettersPanel } from '#/components/DeadLettersPanel.tsx'
import { Panel } from '#/components/Panel.tsx'
import { RegionLine } from '#/components/RegionLine.tsx'
import { StateGlyph } from '#/components/StateGlyph.tsx'
import { cn } from '#/lib/cn.ts'
import { count, duration, latency } from '#/lib/format.ts'
import { useTitle } from '#/lib/title.ts'

/** A reader so many records behind is worth a colour: seconds of a large mesh, hours of a small one. */
const BEHIND = 10_000

/** The watcher, watched: whether the mesh itself is in step. */
export function SystemPage() {
  useTitle('System')
  const { data, error } = useQuery(systemQuery)
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">System</h1>
      <p className="mt-1 text-ink-soft">Whether the mesh itself is in step.</p>
      {error && (
        <p role="alert" className="mt-6 rounded-control bg-down-soft px-4 py-3 text-down-ink">
          {messageOf(error)}
        </p>
      )}
      {data && (
        <div className="mt-6 grid gap-4">
          <Figures system={data} />
          <Panel title="Regions">
            {data.regions.length === 0 ? (
              <p className="px-4 pt-1 pb-6 text-ink-faint sm:px-6">
                No monitor is checked from anywhere yet.
              </p>
            ) : (
              <ul className="divide-y divide-line">
                {data.regions.map((region) => (
                  <RegionLine key={region.region} region={region} />
                ))}
              </ul>
            )}
          </Panel>
          <Panel title="Readers of the log">
            {data.consumers.length === 0 ? (
              <p className="px-4 pt-1 pb-6 text-ink-faint sm:px-6">This gateway does not know the log.</p>
            ) : (
              <ul className="divide-y divide-line">
                {data.consumers.map((consumer) => (
                  <ConsumerLine key={consumer.group} consumer={consumer} />
                ))}
              </ul>
            )}
          </Panel>
          <ChannelsPanel />
          <DeadLettersPanel counts={data.dead_letters} />
          <Panel title="Depends on">
            <ul className="divide-y divide-line">
              {data.dependencies.map((dependency) => (
                <DependencyLine key={dependency.name} dependency={dependency} />
              ))}
            </ul>
          </Panel>
        </div>
      )}
    </>
  )
}

function Figures({ system }: { system: System }) {
  const ages = system.regions.flatMap((one) => (one.judged_age_ms == null ? [] : [one.judged_age_ms]))
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-card border border-line bg-line lg:grid-cols-4">
      <Figure label="Newest judged slot" note="the region furthest behind">
        {ages.length ? `${duration(Math.max(...ages))} ago` : '–'}
      </Figure>
      <Figure label="Waiting to be judged" note="records not in history yet">
        {system.processor_lag == null ? '–' : count(system.processor_lag)}
      </Figure>
      <Figure
        label="Configuration"
        note={`compared ${system.config_age_ms == null ? 'never' : `${duration(system.config_age_ms)} ago`}`}
      >
        revision {count(system.config_revision)}
      </Figure>
      <Figure label="Live readers" note={`gateway ${system.version}`}>
        {count(system.stream_clients)}
      </Figure>
    </dl>
  )
}

function Figure({ label, note, children }: { label: string; note: string; children: ReactNode }) {
  return (
    <div className="bg-surface px-4 py-4 sm:px-6">
      <dt className="text-xs text-ink-faint">{label}</dt>
      <dd className="figures mt-1 text-xl font-semibold tracking-tight">{children}</dd>
      <dd className="figures mt-0.5 text-xs text-ink-faint">{note}</dd>
    </div>
  )
}

const READER: Record<string, string> = {
  processor: 'history and live state, by what is written',
  alerter: 'verdicts and incidents',
  'alerter-sight': 'sight of the probers',
}

function ConsumerLine({ consumer: { group, topic, lag } }: { consumer: ConsumerLag }) {
  const behind = lag != null && lag > BEHIND
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3.5 sm:px-6">
      <StateGlyph of={lag == null || behind ? 'unknown' : 'up'} size={16} />
      <span className="font-medium">{group}</span>
      <span className="text-sm text-ink-faint">
        {READER[group] ?? 'reads'} · {topic}
      </span>
      <span className={cn('figures ml-auto text-sm', behind ? 'text-unknown-ink' : 'text-ink-soft')}>
        {lag == null ? 'not known' : `${count(lag)} behind`}
      </span>
    </li>
  )
}

function DependencyLine({ dependency: { name, ok, latency_us, detail } }: { dependency: Dependency }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3.5 sm:px-6">
      <StateGlyph of={ok ? 'up' : 'down'} size={16} />
      <span className="font-medium">{name}</span>
      {detail && <span className={cn('text-sm', ok ? 'text-ink-faint' : 'text-down-ink')}>{detail}</span>}
      <span className="figures ml-auto text-sm text-ink-soft">{latency(latency_us)}</span>
    </li>
  )
}
