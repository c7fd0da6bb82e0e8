import { Link } from '@tanstack/react-router'

import type { State, StateCounts } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { count } from '#/lib/format.ts'
import { STATE_HINT, STATE_LABEL } from '#/lib/words.ts'
import { StateGlyph } from './StateGlyph.tsx'

/** Worst first: the order in which people look. */
const ORDER: readonly State[] = ['down', 'degraded', 'unknown', 'up', 'paused', 'pending']

/** The counts, and by a press on one the list of just those. A state nobody is in is left out. */
export function StateFilter({ counts, current }: { counts: StateCounts; current: State | undefined }) {
  const shown = ORDER.filter((state) => counts[state] > 0 || state === current || state === 'up')
  const total = ORDER.reduce((sum, state) => sum + counts[state], 0)
  return (
    <nav
      aria-label="Filter by state"
      className="-mx-4 flex gap-1.5 overflow-x-auto px-4 [scrollbar-width:none] sm:mx-0 sm:flex-wrap sm:px-0"
    >
      <Chip active={!current} state={undefined}>
        All <Figure>{total}</Figure>
      </Chip>
      {shown.map((state) => (
        <Chip key={state} active={state === current} state={state}>
          <StateGlyph of={state} size={13} decorative />
          {STATE_LABEL[state]} <Figure>{counts[state]}</Figure>
        </Chip>
      ))}
    </nav>
  )
}

function Figure({ children }: { children: number }) {
  return <span className="figures text-ink-faint">{count(children)}</span>
}

function Chip({
  active,
  state,
  children,
}: {
  active: boolean
  state: State | undefined
  children: React.ReactNode
}) {
  return (
    <Link
      to="/"
      search={(before) => ({ ...before, state })}
      replace
      aria-current={active ? 'true' : undefined}
      title={state && STATE_HINT[state]}
      className={cn(
        'inline-flex h-8 shrink-0 items-center gap-1.5 rounded-full border px-3 text-xs font-medium transition-colors',
        active
          ? 'border-ink/25 bg-surface text-ink shadow-card'
          : 'border-transparent text-ink-soft hover:bg-sunken',
      )}
    >
      {children}
    </Link>
  )
}
