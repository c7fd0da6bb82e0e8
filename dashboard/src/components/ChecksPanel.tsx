import { useInfiniteQuery } from '@tanstack/react-query'

import { messageOf } from '#/api/errors.ts'
import { checksQuery } from '#/api/queries.ts'
import type { Check, MonitorView } from '#/api/schema.d.ts'
import { fullTime, latency, timeOrDayAndTime } from '#/lib/format.ts'
import { now } from '#/lib/now.ts'
import { causeLabel, OUTCOME_LABEL } from '#/lib/words.ts'
import { Button } from '#/ui/Button.tsx'
import { Panel } from './Panel.tsx'
import { MARK_INK, StateGlyph } from './StateGlyph.tsx'

const CELL = 'px-2 py-2 first:pl-4 last:pr-4 sm:first:pl-6 sm:last:pr-6'

/** The newest checks, one a row, headed live by those that come in. */
export function ChecksPanel({ monitor, region }: { monitor: MonitorView; region: string | undefined }) {
  const interval = (monitor.spec.interval_seconds ?? 60) * 1000
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    checksQuery(monitor.id, region, interval),
  )
  const many = monitor.regions.length > 1
  const checks = data?.pages.flatMap((page) => page.checks)
  return (
    <Panel title="Recent checks">
      {checks?.length ? (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
          <section aria-label="Checks" tabIndex={0} className="max-h-112 overflow-y-auto -outline-offset-2">
            <table className="w-full text-left">
              <thead className="sticky top-0 bg-surface text-xs text-ink-faint">
                <tr>
                  <th scope="col" className={`${CELL} font-normal`}>
                    Time
                  </th>
                  {many && (
                    <th scope="col" className={`${CELL} font-normal`}>
                      Region
                    </th>
                  )}
                  <th scope="col" className={`${CELL} font-normal`}>
                    Outcome
                  </th>
                  <th scope="col" className={`${CELL} text-right font-normal`}>
                    Latency
                  </th>
                </tr>
              </thead>
              <tbody className="divide-y divide-line border-t border-line">
                {checks.map((check) => (
                  <tr key={`${check.region} ${check.slot}`}>
                    <td
                      className={`${CELL} figures whitespace-nowrap text-ink-soft`}
                      title={fullTime(check.slot)}
                    >
                      {timeOrDayAndTime(check.slot, now())}
                    </td>
                    {many && <td className={`${CELL} whitespace-nowrap text-ink-soft`}>{check.region}</td>}
                    {/* As wide as what is left, whatever it says: the latency stays in sight. */}
                    <td className={`${CELL} w-full max-w-0`}>
                      <span className="flex flex-wrap items-center gap-x-2 md:flex-nowrap">
                        <StateGlyph of={check.outcome} size={13} decorative />
                        <span className={check.outcome === 'up' ? 'text-ink-soft' : MARK_INK[check.outcome]}>
                          {OUTCOME_LABEL[check.outcome]}
                        </span>
                        <Why check={check} />
                      </span>
                    </td>
                    <td className={`${CELL} figures text-right whitespace-nowrap`}>
                      {latency(check.latency_us)}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          {hasNextPage && (
            <div className="border-t border-line p-2 text-center">
              <Button tone="quiet" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                Older checks
              </Button>
            </div>
          )}
        </>
      ) : (
        <p className="px-6 pt-1 pb-6 text-sm text-ink-faint">
          {error ? messageOf(error) : checks ? 'No check has run yet.' : '\u00a0'}
        </p>
      )}
    </Panel>
  )
}

/** The reason in full where there is room, on a line of its own where there is little. */
function Why({ check }: { check: Check }) {
  const why = check.detail ?? causeLabel(check.cause)
  if (!why) return null
  return (
    <span title={why} className="min-w-0 basis-full truncate text-xs text-ink-faint md:basis-auto">
      {why}
    </span>
  )
}
