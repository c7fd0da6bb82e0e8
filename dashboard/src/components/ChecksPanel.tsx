import { useInfiniteQuery } from '@tanstack/react-query'

import { messageOf } from '#/api/errors.ts'
import { checksQuery } from '#/api/queries.ts'
import { fullTime, latency, timeOfDaySeconds } from '#/lib/format.ts'
import { causeLabel, OUTCOME_LABEL } from '#/lib/words.ts'
import { Button } from '#/ui/Button.tsx'
import { Panel } from './Panel.tsx'
import { MARK_INK, StateGlyph } from './StateGlyph.tsx'

const CELL = 'px-2 py-2 first:pl-4 last:pr-4 sm:first:pl-6 sm:last:pr-6'

/** The newest checks, one a row, headed live by those that come in. */
export function ChecksPanel({ id, region, many }: { id: string; region: string | undefined; many: boolean }) {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    checksQuery(id, region),
  )
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
                      {timeOfDaySeconds(check.slot)}
                    </td>
                    {many && <td className={`${CELL} whitespace-nowrap text-ink-soft`}>{check.region}</td>}
                    <td className={`${CELL} w-full`}>
                      <span className="flex items-center gap-2">
                        <StateGlyph of={check.outcome} size={13} decorative />
                        <span className={check.outcome === 'up' ? 'text-ink-soft' : MARK_INK[check.outcome]}>
                          {OUTCOME_LABEL[check.outcome]}
                        </span>
                        <span className="truncate text-xs text-ink-faint">
                          {check.detail ?? causeLabel(check.cause)}
                        </span>
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
