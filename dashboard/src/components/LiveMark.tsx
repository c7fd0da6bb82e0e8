import { useLive } from '#/api/live/connection.ts'

const WORDS = { connecting: 'Connecting…', live: 'Live', away: 'Live state is away', lost: 'Reconnecting…' }

/** Whether what is on the page is moving. */
export function LiveMark() {
  const { phase, away } = useLive()
  const mark = phase === 'live' && away ? 'away' : phase
  return (
    <p className="flex items-center gap-2.5 px-2.5 text-xs text-ink-faint">
      <span
        aria-hidden="true"
        className={
          mark === 'live'
            ? 'halo size-2 rounded-full bg-up text-up'
            : 'size-2 rounded-full border border-ink-faint bg-transparent'
        }
      />
      {WORDS[mark]}
    </p>
  )
}
