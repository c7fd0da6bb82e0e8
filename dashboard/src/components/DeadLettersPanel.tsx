import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'

import { api, unwrap } from '#/api/client.ts'
import { messageOf } from '#/api/errors.ts'
import { deadLettersKey, deadLettersQuery, meQuery } from '#/api/queries.ts'
import type { DeadLetter, DeadLetterCount } from '#/api/schema.d.ts'
import { count, dayAndTime, fullTime } from '#/lib/format.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'
import { toast } from '#/ui/toast.tsx'
import { Panel } from './Panel.tsx'
import { StateGlyph } from './StateGlyph.tsx'

const route = getRouteApi('/app/system')

/** Records that nobody could read: how many, and for admins what they are. */
export function DeadLettersPanel({ counts }: { counts: DeadLetterCount[] }) {
  const { letters } = route.useSearch()
  const admin = useQuery(meQuery).data?.role === 'admin'
  const some = counts.filter(({ count }) => count !== 0)
  return (
    <Panel title="Dead letters">
      {some.length === 0 ? (
        <p className="px-4 pt-1 pb-6 text-ink-faint sm:px-6">
          {counts.length === 0 ? 'This gateway does not know the log.' : 'Every record could be read.'}
        </p>
      ) : (
        <ul className="divide-y divide-line">
          {some.map((one) => (
            <li key={one.topic}>
              <div className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3.5 sm:px-6">
                <StateGlyph of={one.count == null ? 'unknown' : 'degraded'} size={16} />
                <span className="font-medium">{one.topic}</span>
                <span className="figures ml-auto text-sm text-ink-soft">
                  {one.count == null ? 'not known' : `${count(one.count)} set aside`}
                </span>
                {admin && !!one.count && (
                  <Link
                    to="/system"
                    search={letters === one.topic ? {} : { letters: one.topic }}
                    className={buttonClass('plain')}
                    aria-expanded={letters === one.topic}
                  >
                    {letters === one.topic ? 'Close' : 'Look'}
                  </Link>
                )}
              </div>
              {admin && letters === one.topic && <Letters topic={one.topic} />}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

function Letters({ topic }: { topic: string }) {
  const { data, error } = useQuery(deadLettersQuery(topic))
  if (!data)
    return (
      <p role={error ? 'alert' : undefined} className="px-4 pb-6 text-ink-faint sm:px-6">
        {error ? messageOf(error) : '\u00a0'}
      </p>
    )
  return (
    <ul className="divide-y divide-line border-t border-line bg-sunken">
      {data.letters.map((letter) => (
        <Letter key={`${letter.partition}/${letter.offset}`} letter={letter} />
      ))}
      {data.count > data.letters.length && (
        <li className="px-4 py-3 text-xs text-ink-faint sm:px-6">
          The newest {count(data.letters.length)} of {count(data.count)}.
        </li>
      )}
    </ul>
  )
}

function Letter({ letter }: { letter: DeadLetter }) {
  return (
    <li className="px-4 py-4 sm:px-6">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <p className="font-medium [overflow-wrap:anywhere]">{letter.reason || 'No reason was given'}</p>
          <p className="figures mt-0.5 text-xs text-ink-faint" title={fullTime(letter.at)}>
            {[
              dayAndTime(letter.at),
              letter.consumer && `set aside by ${letter.consumer}`,
              letter.source_partition != null &&
                `partition ${letter.source_partition}, offset ${letter.source_offset}`,
              `${count(letter.payload_bytes)} bytes`,
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </div>
        <Redrive letter={letter} />
      </div>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scroll area must be reachable by keyboard.
        tabIndex={0}
        aria-label="Payload"
        className="mt-3 max-h-40 overflow-auto rounded-control border border-line bg-surface p-3"
      >
        <pre className="font-mono text-xs [overflow-wrap:anywhere] whitespace-pre-wrap">
          {letter.payload || '(empty)'}
        </pre>
      </section>
    </li>
  )
}

function Redrive({ letter }: { letter: DeadLetter }) {
  const queryClient = useQueryClient()
  const redrive = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST('/api/system/dead-letters/{topic}/{partition}/{offset}/redrive', {
          params: { path: { topic: letter.topic, partition: letter.partition, offset: letter.offset } },
        }),
      ),
    onSuccess: () => toast('It is in its topic again'),
    onError: (error) => toast(messageOf(error), 'bad'),
    onSettled: () => queryClient.invalidateQueries({ queryKey: deadLettersKey }),
  })
  if (letter.redriven_at != null)
    return (
      <p className="text-xs text-ink-faint" title={fullTime(letter.redriven_at)}>
        {letter.redrive_confirmed ? 'Driven again' : 'Perhaps driven again'} by {letter.redriven_by}
      </p>
    )
  return (
    <Button busy={redrive.isPending} onClick={() => redrive.mutate()}>
      Drive again
    </Button>
  )
}
