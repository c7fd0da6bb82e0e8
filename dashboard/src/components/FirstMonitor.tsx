import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'

import { api, unwrap } from '#/api/client.ts'
import { ApiError, messageOf } from '#/api/errors.ts'
import { channelsQuery, monitorsKey } from '#/api/queries.ts'
import { Button } from '#/ui/Button.tsx'
import { Field } from '#/ui/Field.tsx'
import { Input } from '#/ui/Input.tsx'
import { NobodyTold } from './NobodyTold.tsx'
import { StateGlyph } from './StateGlyph.tsx'

/** What a newcomer sees: one box to type into, and what will happen then. */
export function FirstMonitor() {
  const queryClient = useQueryClient()
  const [url, setUrl] = useState('')
  // Of the first monitor the default channels tell.
  const told = useQuery(channelsQuery).data?.filter((channel) => channel.default)
  const add = useMutation({
    mutationFn: (target: string) =>
      unwrap(
        api.POST('/api/monitors', {
          body: {
            name: nameOf(target),
            probe: { kind: 'http', url: target, max_redirects: 5, verify_tls: true, method: 'GET' },
          },
        }),
      ),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: monitorsKey }),
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    const typed = url.trim()
    if (typed) add.mutate(/^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`)
  }

  return (
    <section className="card mx-auto mt-8 max-w-2xl px-6 py-10 sm:px-12 sm:py-14">
      <h2 className="text-lg font-semibold tracking-tight">What shall be watched first?</h2>
      <p className="mt-1.5 text-ink-soft">
        Type an address. It is checked within a second, then every minute
        {told?.length
          ? `, and you are told through ${told.map((channel) => channel.name).join(' and ')} when it goes down`
          : ''}
        .
      </p>
      {told?.length === 0 && (
        <div className="mt-4">
          <NobodyTold />
        </div>
      )}
      <form onSubmit={submit} className="mt-6 flex flex-wrap items-start gap-2 sm:flex-nowrap">
        <Field label="Address" quiet className="flex-1" error={add.isError ? reason(add.error) : undefined}>
          <Input
            name="url"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            placeholder="https://example.com/health"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
        </Field>
        <Button type="submit" tone="primary" busy={add.isPending}>
          Start watching
        </Button>
      </form>
      <ul className="mt-9 grid gap-5 text-sm text-ink-soft sm:grid-cols-3">
        <Fact mark="up" title="Up and down are earned">
          Two failures in a row open an incident, two successes close it. One hiccup wakes nobody.
        </Fact>
        <Fact mark="unknown" title="Our fault is not yours">
          When the prober fails, the check is unknown. It never counts against your target.
        </Fact>
        <Fact mark="missed" title="Gaps are shown">
          A check that did not run is missed, never green. Coverage stands beside every uptime.
        </Fact>
      </ul>
      <p className="mt-9 border-t border-line pt-5 text-sm text-ink-faint">
        Need TCP, ping or assertions?{' '}
        <Link to="/monitors/new" className="font-medium text-accent hover:underline">
          Use the full form
        </Link>
        . Have a list?{' '}
        <code className="whitespace-nowrap rounded bg-sunken px-1.5 py-0.5 font-mono text-xs">
          upmesh apply monitors.yaml
        </code>
      </p>
    </section>
  )
}

function Fact({
  mark,
  title,
  children,
}: {
  mark: 'up' | 'unknown' | 'missed'
  title: string
  children: React.ReactNode
}) {
  return (
    <li>
      <StateGlyph of={mark} size={18} decorative />
      <h3 className="mt-2 text-sm font-medium text-ink">{title}</h3>
      <p className="mt-1 text-xs leading-5">{children}</p>
    </li>
  )
}

function nameOf(target: string): string {
  return URL.canParse(target) ? new URL(target).host || target : target
}

function reason(error: Error): string {
  const field = error instanceof ApiError ? error.fields[0] : undefined
  return field?.message ?? messageOf(error)
}
