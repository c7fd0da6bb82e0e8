import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

import type { MonitorView } from '#/api/schema.d.ts'
import { assertionText, policyText } from '#/lib/describe.ts'
import { dayOfYear, fullTime, plural } from '#/lib/format.ts'
import { useNow } from '#/lib/now.ts'
import { Panel } from './Panel.tsx'

const DAY = 86_400_000

/** What the monitor does, in sentences. */
export function SettingsPanel({ monitor }: { monitor: MonitorView }) {
  const { spec } = monitor
  const assertions = spec.assertions ?? []
  const tags = Object.entries(spec.tags ?? {})
  return (
    <Panel title="Settings">
      <dl className="grid gap-3.5 px-4 pt-1 pb-5 text-sm sm:px-6">
        <Item label="Expects">
          {assertions.length === 0 ? (
            defaultExpectation(monitor)
          ) : (
            <ul>
              {assertions.map((one) => (
                <li key={assertionText(one)} className="[overflow-wrap:anywhere]">
                  {assertionText(one)}
                </li>
              ))}
            </ul>
          )}
        </Item>
        <Item label="Incidents">
          {spec.alert ? policyText(spec.alert, monitor.regions.length) : 'As the workspace'}
        </Item>
        <Certificate monitor={monitor} />
        {tags.length > 0 && (
          <Item label="Tags">
            <span className="flex flex-wrap gap-1.5">
              {tags.map(([name, value]) => (
                <Link
                  key={name}
                  to="/"
                  search={{ tag: `${name}:${value}` }}
                  className="rounded-full border border-line bg-sunken px-2 text-xs leading-5 text-ink-soft hover:border-line-strong hover:text-ink"
                >
                  {name}: {value}
                </Link>
              ))}
            </span>
          </Item>
        )}
        <Item label="Watched since">
          <span title={fullTime(monitor.created_at)}>{dayOfYear(monitor.created_at)}</span>
        </Item>
      </dl>
    </Panel>
  )
}

function Item({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-ink-faint">{label}</dt>
      <dd className="mt-0.5 text-ink-soft">{children}</dd>
    </div>
  )
}

function defaultExpectation({ kind }: MonitorView): string {
  if (kind === 'http') return 'Status 200–299'
  return kind === 'tcp' ? 'A connection' : 'An echo reply'
}

function Certificate({ monitor }: { monitor: MonitorView }) {
  const now = useNow()
  const soonest = Math.min(
    ...monitor.regions.map((one) => one.latest?.certificate_expires_at ?? Number.POSITIVE_INFINITY),
  )
  if (!Number.isFinite(soonest)) return null
  const days = Math.floor((soonest - now) / DAY)
  return (
    <Item label="Certificate">
      <span title={fullTime(soonest)} className={days < 14 ? 'text-degraded-ink' : undefined}>
        {days < 0 ? 'Expired' : `Valid for ${plural(days, 'more day')}`}
      </span>
    </Item>
  )
}
