import { ago, duration, fullTime } from '#/lib/format.ts'
import { useNow } from '#/lib/now.ts'

/** "12 s ago", ticking. */
export function Ago({ at }: { at: number | null | undefined }) {
  const now = useNow()
  if (at == null) return <>never</>
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {ago(at, now)}
    </time>
  )
}

/** "4 min 5 s", still growing. */
export function Since({ at }: { at: number }) {
  const now = useNow()
  return (
    <time dateTime={new Date(at).toISOString()} title={`since ${fullTime(at)}`}>
      {duration(now - at)}
    </time>
  )
}
