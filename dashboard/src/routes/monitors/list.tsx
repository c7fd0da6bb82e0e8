import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'

import { messageOf } from '#/api/errors.ts'
import { countsQuery, monitorsQuery, troubledQuery } from '#/api/queries.ts'
import type { MonitorPage, MonitorView, State, StateCounts } from '#/api/schema.d.ts'
import { FirstMonitor } from '#/components/FirstMonitor.tsx'
import { MonitorList, type Section } from '#/components/MonitorList.tsx'
import { useMayEdit } from '#/components/may-edit.ts'
import { StaleNotice } from '#/components/StaleNotice.tsx'
import { StateFilter } from '#/components/StateFilter.tsx'
import { plural } from '#/lib/format.ts'
import { useShortcuts } from '#/lib/shortcuts.ts'
import { useTitle } from '#/lib/title.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'
import { CloseIcon, PlusIcon, SearchIcon } from '#/ui/icons.tsx'
import { Kbd } from '#/ui/Kbd.tsx'

const route = getRouteApi('/app/')

const TROUBLED: readonly State[] = ['down', 'degraded', 'unknown']

export function MonitorsPage() {
  const filter = route.useSearch()
  const counts = useQuery(countsQuery).data
  const list = useInfiniteQuery(monitorsQuery(filter))
  const isFiltered = Boolean(filter.search || filter.state || filter.tag)
  const troubled = useTroubled(counts, !isFiltered)
  useTitle(counts?.down ? `(${counts.down} down) Monitors` : 'Monitors')

  const loaded = useMemo(() => list.data?.pages.flatMap((page) => page.monitors), [list.data])
  const sections = useMemo(() => group(loaded ?? [], troubled, isFiltered), [loaded, troubled, isFiltered])
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage])

  const total = counts ? Object.values(counts).reduce((sum, one) => sum + one, 0) : undefined
  const isFresh = total === 0 && loaded?.length === 0 && !isFiltered
  const mayEdit = useMayEdit()
  const stale = list.data?.pages.filter((page) => page.stale)

  return (
    <>
      <header className="flex items-start justify-between gap-x-6 sm:items-end">
        <div>
          <h1 className="text-2xl font-semibold tracking-tight">Monitors</h1>
          <p className="mt-1 text-ink-soft">{counts ? summary(counts) : '\u00a0'}</p>
        </div>
        {mayEdit && (
          <Link to="/monitors/new" className={buttonClass('primary')}>
            <PlusIcon className="-ml-1" />
            New<span className="-ml-0.5 hidden sm:inline">monitor</span>
          </Link>
        )}
      </header>

      {isFresh && mayEdit ? (
        <FirstMonitor />
      ) : (
        <>
          <div className="mt-6 mb-5 flex flex-col gap-3 sm:flex-row sm:items-center sm:justify-between">
            {counts ? <StateFilter counts={counts} current={filter.state} /> : <span className="h-8" />}
            <Search />
          </div>
          {filter.tag && <TagNotice tag={filter.tag} />}
          {stale?.length ? <StaleNotice asOf={oldest(stale)} /> : null}
          {list.isError && !loaded ? (
            <Broken error={list.error} onRetry={() => void list.refetch()} />
          ) : !loaded ? (
            <Skeleton />
          ) : sections.length === 0 ? (
            <Nothing fresh={isFresh} />
          ) : (
            <MonitorList sections={sections} onEnd={onEnd} />
          )}
        </>
      )}
    </>
  )
}

/** As of when the oldest of these pages is; nothing where nothing is known. */
function oldest(pages: readonly MonitorPage[]): number | undefined {
  const known = pages.flatMap((page) => (page.as_of == null ? [] : [page.as_of]))
  return known.length ? Math.min(...known) : undefined
}

/** What is not well, whichever page of the list it is on. */
function useTroubled(counts: StateCounts | undefined, enabled: boolean): readonly MonitorView[] {
  return useQueries({
    queries: TROUBLED.map((state) => ({
      ...troubledQuery(state),
      enabled: enabled && (counts?.[state] ?? 0) > 0,
    })),
    combine: (results) => results.flatMap((result) => (result.data ? result.data.monitors : [])),
  })
}

/** Trouble first, then everything, nothing twice. A live verdict moves a monitor between the two. */
function group(
  loaded: readonly MonitorView[],
  troubled: readonly MonitorView[],
  isFiltered: boolean,
): Section[] {
  if (isFiltered) return loaded.length ? [{ monitors: loaded }] : []
  const byId = new Map(loaded.map((one) => [one.id, one]))
  for (const one of troubled) if (!byId.has(one.id)) byId.set(one.id, one)
  const isTroubled = (one: MonitorView) => TROUBLED.includes(one.status.state)
  const first = [...byId.values()]
    .filter(isTroubled)
    .sort((a, b) => TROUBLED.indexOf(a.status.state) - TROUBLED.indexOf(b.status.state))
  const rest = loaded.filter((one) => !isTroubled(one))
  const sections: Section[] = []
  if (first.length) sections.push({ title: 'Needs attention', monitors: first })
  if (rest.length) sections.push({ ...(first.length ? { title: 'Everything else' } : {}), monitors: rest })
  return sections
}

function summary(counts: StateCounts): string {
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0)
  if (total === 0) return 'Nothing is watched yet.'
  const watched = total - counts.paused
  const troubles = [
    counts.down && `${counts.down} down`,
    counts.degraded && `${counts.degraded} degraded`,
    counts.unknown && `${counts.unknown} unknown`,
  ].filter(Boolean)
  if (troubles.length) return `${troubles.join(', ')} of ${plural(watched, 'monitor')}.`
  if (counts.pending) return `${plural(counts.pending, 'monitor')} waiting for the first check.`
  return watched === 1 ? 'The one monitor is up.' : `All ${plural(watched, 'monitor')} are up.`
}

function Search() {
  const { search = '' } = route.useSearch()
  const navigate = route.useNavigate()
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(search)

  useShortcuts({ '/': () => input.current?.focus() })

  // The address changes elsewhere too (back button, "clear").
  useEffect(() => setText(search), [search])

  useEffect(() => {
    if (text === search) return
    const timer = setTimeout(
      () => void navigate({ search: (before) => ({ ...before, search: text || undefined }), replace: true }),
      180,
    )
    return () => clearTimeout(timer)
  }, [text, search, navigate])

  return (
    <div className="relative w-full sm:w-64">
      <SearchIcon
        width={16}
        height={16}
        className="pointer-events-none absolute top-2.5 left-3 text-ink-faint"
      />
      <input
        ref={input}
        type="search"
        aria-label="Search monitors"
        aria-keyshortcuts="/"
        placeholder="Search name or target"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          if (text) setText('')
          else event.currentTarget.blur()
        }}
        className="field px-9 [&::-webkit-search-cancel-button]:hidden"
      />
      <span className="pointer-events-none absolute inset-y-0 right-2 hidden items-center sm:flex">
        {!text && <Kbd>/</Kbd>}
      </span>
    </div>
  )
}

function TagNotice({ tag }: { tag: string }) {
  return (
    <p className="mb-4 flex items-center gap-2 text-sm text-ink-soft">
      Tagged <code className="rounded bg-sunken px-1.5 py-0.5 font-mono text-xs">{tag}</code>
      <Link
        to="/"
        search={(before) => ({ ...before, tag: undefined })}
        aria-label="Clear the tag"
        className={buttonClass('quiet', true)}
      >
        <CloseIcon />
      </Link>
    </p>
  )
}

function Nothing({ fresh }: { fresh: boolean }) {
  if (fresh)
    return <p className="card px-6 py-14 text-center text-ink-soft">Editors and admins add monitors.</p>
  return (
    <div className="card px-6 py-14 text-center">
      <p className="font-medium">No monitor matches.</p>
      <Link to="/" className="mt-1 inline-block text-sm text-accent hover:underline">
        Show all
      </Link>
    </div>
  )
}

function Broken({ error, onRetry }: { error: Error; onRetry: () => void }) {
  return (
    <div role="alert" className="card px-6 py-14 text-center">
      <p className="font-medium">The list could not be read.</p>
      <p className="mt-1 text-ink-soft">{messageOf(error)}</p>
      <Button className="mt-5" onClick={onRetry}>
        Try again
      </Button>
    </div>
  )
}

function Skeleton() {
  return (
    <div className="card mt-8 animate-pulse divide-y divide-line" aria-busy="true">
      <span className="sr-only">Loading</span>
      {[0, 1, 2, 3, 4, 5].map((n) => (
        <div key={n} className="flex h-16 items-center gap-4 px-5">
          <span className="size-4 rounded-full bg-sunken" />
          <span className="h-3 w-40 rounded bg-sunken" />
          <span className="ml-auto h-3 w-24 rounded bg-sunken" />
        </div>
      ))}
    </div>
  )
}
