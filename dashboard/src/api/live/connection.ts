import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'

import type { ConfigEvent, Hello, LiveEvent, ResultsEvent, VerdictsEvent } from '#/api/schema.d.ts'
import { learnServerTime } from '#/lib/now.ts'
import {
  addResults,
  addVerdicts,
  applyBatch,
  emptyBatch,
  refreshAfterConfig,
  refreshAfterVerdicts,
} from './apply.ts'
import { readEvents, type ServerEvent } from './sse.ts'

export interface LiveState {
  phase: 'connecting' | 'live' | 'lost'
  /** The gateway hears nothing itself: its live state is away, and nothing comes however well we are connected. */
  away: boolean
  /** When anything was last heard, on this machine's clock; 0 before the first time. */
  heardAt: number
  /** When the stream was lost, on this machine's clock. */
  lostAt: number | undefined
}

/** Twice the heartbeat's 15 s and some: silence longer than this is a dead connection. */
const SILENCE_MS = 35_000
/** Events are gathered this long, so that a thousand monitors cost one render, not a thousand. */
const FLUSH_MS = 400
/** What a verdict or a change makes us read again is read at most this often. */
const REFRESH_MS = 2_000
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000]
/** A hidden tab gives its connection back after this long. */
const HIDDEN_MS = 60_000

let state: LiveState = { phase: 'connecting', away: false, heardAt: 0, lostAt: undefined }
const listeners = new Set<() => void>()

function set(next: Partial<LiveState>) {
  state = { ...state, ...next }
  for (const listener of listeners) listener()
}

/** How the live stream is doing. */
export function useLive(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => state,
  )
}

/** Keeps `/api/stream` open and the query cache in step with it, until the returned function is called. */
export function startLive(client: QueryClient): () => void {
  const stopped = new AbortController()
  let current = new AbortController()
  let batch = emptyBatch()
  let flushTimer: ReturnType<typeof setTimeout> | undefined
  let silenceTimer: ReturnType<typeof setTimeout> | undefined
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined
  let wake: (() => void) | undefined

  const verdictsChanged = throttle(() => refreshAfterVerdicts(client), REFRESH_MS)
  const changedIds = new Set<string>()
  const configChanged = throttle(() => {
    refreshAfterConfig(client, changedIds)
    changedIds.clear()
  }, REFRESH_MS)

  function flush() {
    flushTimer = undefined
    const full = batch
    batch = emptyBatch()
    applyBatch(client, full)
    if (full.verdicts.size > 0) verdictsChanged.call()
  }

  function heard() {
    // Written without telling anyone: nobody needs a render for every byte.
    state.heardAt = Date.now()
    clearTimeout(silenceTimer)
    silenceTimer = setTimeout(() => current.abort(), SILENCE_MS)
  }

  function receive({ event, data }: ServerEvent) {
    if (event === 'hello') {
      const hello = JSON.parse(data) as Hello
      learnServerTime(hello.now)
      set({ away: !hello.live })
      return
    } else if (event === 'live') {
      const { live } = JSON.parse(data) as LiveEvent
      set({ away: !live })
      // What is shown does not move any more: the database knows how old it is. When live state is back, `resync` follows.
      if (!live) void client.invalidateQueries()
      return
    } else if (event === 'results') {
      addResults(batch, (JSON.parse(data) as ResultsEvent).items)
    } else if (event === 'verdicts') {
      addVerdicts(batch, (JSON.parse(data) as VerdictsEvent).items)
    } else if (event === 'config') {
      changedIds.add((JSON.parse(data) as ConfigEvent).monitor)
      configChanged.call()
      return
    } else if (event === 'resync') {
      void client.invalidateQueries()
      return
    }
    flushTimer ??= setTimeout(flush, FLUSH_MS)
  }

  async function listen() {
    current = new AbortController()
    const response = await fetch('/api/stream', {
      headers: { accept: 'text/event-stream' },
      signal: AbortSignal.any([current.signal, stopped.signal]),
    })
    if (response.status === 401) void client.invalidateQueries({ queryKey: ['me'] })
    if (!response.ok || !response.body) throw new Error(`the stream answered ${response.status}`)
    heard()
    // What happened while nobody listened is read once, not guessed; at the first start that is only
    // the blink between the list's answer and now.
    if (state.lostAt === undefined) refreshAfterVerdicts(client)
    else void client.invalidateQueries()
    set({ phase: 'live', heardAt: Date.now(), lostAt: undefined })
    for await (const event of readEvents(response.body, heard)) receive(event)
  }

  async function run() {
    let attempt = 0
    while (!stopped.signal.aborted) {
      const began = Date.now()
      await listen().catch(() => undefined)
      clearTimeout(silenceTimer)
      if (stopped.signal.aborted) return
      if (state.phase !== 'lost') set({ phase: 'lost', lostAt: state.lostAt ?? Date.now() })
      attempt = Date.now() - began > 30_000 ? 0 : attempt + 1
      await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length) - 1] ?? RETRY_MS[0] ?? 500)
      if (document.hidden) await shown()
    }
  }

  /** Jittered, so that a restarted gateway does not meet everyone at once. */
  function pause(ms: number) {
    return new Promise<void>((resolve) => {
      wake = resolve
      setTimeout(resolve, ms * (0.75 + Math.random() / 2))
    })
  }

  function shown() {
    return new Promise<void>((resolve) => {
      wake = resolve
      if (!document.hidden) resolve()
    })
  }

  function visibility() {
    clearTimeout(hiddenTimer)
    if (document.hidden) hiddenTimer = setTimeout(() => current.abort(), HIDDEN_MS)
    else wake?.()
  }

  const online = () => wake?.()
  document.addEventListener('visibilitychange', visibility)
  window.addEventListener('online', online)
  set({ phase: 'connecting', away: false, heardAt: 0, lostAt: undefined })
  void run()

  return () => {
    stopped.abort()
    wake?.()
    document.removeEventListener('visibilitychange', visibility)
    window.removeEventListener('online', online)
    for (const timer of [flushTimer, silenceTimer, hiddenTimer]) clearTimeout(timer)
    verdictsChanged.cancel()
    configChanged.cancel()
  }
}

/** At once, then at most every `ms`, and never losing the last call. */
function throttle(action: () => void, ms: number) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let again = false
  function call() {
    if (timer !== undefined) {
      again = true
      return
    }
    action()
    timer = setTimeout(() => {
      timer = undefined
      if (!again) return
      again = false
      call()
    }, ms)
  }
  return { call, cancel: () => clearTimeout(timer) }
}
