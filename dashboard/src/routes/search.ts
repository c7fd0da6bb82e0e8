import type { State } from '#/api/schema.d.ts'
import { isRange, type Range } from '#/lib/ranges.ts'
import { STATE_LABEL } from '#/lib/words.ts'

/** What each page keeps in its address. Anything else there is ignored, never an error. */

type Raw = Record<string, unknown>

const text = (value: unknown): string | undefined =>
  // A search for "404" arrives as a number.
  (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined

const isState = (value: unknown): value is State =>
  typeof value === 'string' && Object.hasOwn(STATE_LABEL, value)

export interface ListSearch {
  search?: string | undefined
  state?: State | undefined
  tag?: string | undefined
}

export function checkList(raw: Raw): ListSearch {
  const search = text(raw.search)
  const tag = text(raw.tag)
  return {
    ...(search && { search }),
    ...(isState(raw.state) && { state: raw.state }),
    ...(tag && { tag }),
  }
}

export interface MonitorSearch {
  range?: Range | undefined
  region?: string | undefined
}

export function checkMonitor(raw: Raw): MonitorSearch {
  const region = text(raw.region)
  return { ...(isRange(raw.range) && { range: raw.range }), ...(region && { region }) }
}

export interface IncidentSearch {
  monitor?: string | undefined
}

export function checkIncidents(raw: Raw): IncidentSearch {
  const monitor = text(raw.monitor)
  return monitor ? { monitor } : {}
}

export interface SystemSearch {
  /** The topic whose dead letters are looked at. */
  letters?: string | undefined
}

export function checkSystem(raw: Raw): SystemSearch {
  const letters = text(raw.letters)
  return letters ? { letters } : {}
}

export interface LoginSearch {
  next?: string | undefined
}

/** Only a path of our own: `//evil.example` would leave the site after the login. */
export function checkLogin(raw: Raw): LoginSearch {
  const next = text(raw.next)
  return next && /^\/(?![/\\])/.test(next) ? { next } : {}
}
