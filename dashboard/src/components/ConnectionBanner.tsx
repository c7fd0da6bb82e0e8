import { useLive } from '#/api/live/connection.ts'
import { roughly } from '#/lib/format.ts'
import { useNow } from '#/lib/now.ts'

/** A blink is not worth a word; after this long the page says that what it shows is old. */
const PATIENCE_MS = 3_000

/** Says how old the page is when nothing comes in any more. */
export function ConnectionBanner() {
  const live = useLive()
  useNow()
  if (live.phase !== 'lost' || live.lostAt === undefined) return null
  const since = Date.now() - live.lostAt
  if (since < PATIENCE_MS) return null
  const age = Date.now() - (live.heardAt || live.lostAt)
  return (
    <div
      role="status"
      className="sticky top-14 z-20 flex items-center justify-center gap-2.5 border-b border-line bg-degraded-soft px-4 py-2 text-sm text-degraded-ink lg:top-0"
    >
      <span aria-hidden="true" className="size-2 shrink-0 animate-pulse rounded-full bg-degraded" />
      <span>
        No live connection: data is <b className="figures font-semibold">{roughly(age)}</b> old. Reconnecting…
      </span>
    </div>
  )
}
