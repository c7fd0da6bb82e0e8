import { useSyncExternalStore } from 'react'

/**
 * One clock for the whole page: everything that says "12 s ago" ticks together, once a second, and
 * by the server's time, since a laptop's clock may be minutes off.
 */
let skew = 0
let current = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** The server's time, as well as we know it. */
export function now(): number {
  return Date.now() + skew
}

/** Takes the time a response was made at; differences below two seconds are the network's. */
export function learnServerTime(serverMs: number): void {
  const difference = serverMs - Date.now()
  skew = Math.abs(difference) < 2_000 ? 0 : difference
}

function tick() {
  current = now()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void) {
  if (listeners.size === 0) {
    current = now()
    timer = setInterval(tick, 1000)
  }
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) clearInterval(timer)
  }
}

/** The time now, renewed every second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current)
}
