import { fullTime, timeOrDayAndTime } from '#/lib/format.ts'
import { useNow } from '#/lib/now.ts'

/** Says that what is shown comes from the database, and how old it is. */
export function StaleNotice({ asOf }: { asOf: number | null | undefined }) {
  const now = useNow()
  return (
    <p role="status" className="mb-4 rounded-control bg-unknown-soft px-4 py-2 text-sm text-unknown-ink">
      Live state is away:{' '}
      {asOf == null ? (
        'there is no result to show.'
      ) : (
        <>
          this is what the database has, as of{' '}
          <time
            dateTime={new Date(asOf).toISOString()}
            title={fullTime(asOf)}
            className="figures font-semibold"
          >
            {timeOrDayAndTime(asOf, now)}
          </time>
          . What has no fresh result is unknown.
        </>
      )}
    </p>
  )
}
