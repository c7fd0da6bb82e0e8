import type { Cause, MonitorSpec, Outcome } from '#/api/schema.d.ts'
import { usualTimeoutMs } from '../src/lib/draft.ts'

/** Something that happens to a monitor for a while. Times are Unix ms; an open end is still going on. */
export interface Episode {
  from: number
  to: number
  outcome: Outcome
  cause: Cause
  detail: string
  /** All regions where absent. */
  regions?: string[]
}

/** How the imagined target behaves. */
export interface Profile {
  /** Usual latency, µs. */
  base: number
  /** How far it wanders by itself: 0.1 is calm. */
  spread: number
  episodes: Episode[]
}

export interface StoredMonitor {
  id: string
  revision: number
  created_at: number
  updated_at: number
  /** Checks run from here on; later than creation where it was paused. */
  checked_from: number
  spec: FullSpec
  profile: Profile
}

/** The region that no pinger serves, to see what that looks like. */
export const UNSERVED = 'nowhere'

/** A spec as the server returns it: every default filled in. */
export type FullSpec = Required<MonitorSpec>

export function complete(spec: MonitorSpec, before: string[] = ['local']): FullSpec {
  return {
    interval_seconds: 60,
    timeout_ms: usualTimeoutMs(spec.interval_seconds ?? 60),
    assertions: [],
    paused: false,
    tags: {},
    ...spec,
    regions: spec.regions?.length ? spec.regions : before,
    alert: {
      failures_to_open: 2,
      successes_to_close: 2,
      regions_down: null,
      notify: true,
      channels: [],
      ...spec.alert,
    },
  }
}

export function targetOf({ probe }: FullSpec): string {
  if (probe.kind === 'http') return probe.url
  return probe.kind === 'tcp' ? `${probe.host}:${probe.port}` : probe.host
}
