import type { ReactNode } from 'react'

import type { Outcome, State } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { OUTCOME_LABEL, STATE_LABEL } from '#/lib/words.ts'

type Mark = State | Outcome

/** Every state has a shape of its own, so that colour is never the only sign. */
const SHAPE: Record<Mark, ReactNode> = {
  up: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="m5 8.3 2.1 2.1L11 6.2" className="stroke-surface" />
    </>
  ),
  degraded: (
    <>
      <path
        d="M6.9 2 1 12.6c-.5.9.1 1.9 1.1 1.9h11.8c1 0 1.6-1 1.1-1.9L9.1 2c-.5-.9-1.7-.9-2.2 0Z"
        fill="currentColor"
      />
      <path d="M8 5.7v3.4M8 11.7v.05" className="stroke-surface" />
    </>
  ),
  down: (
    <>
      <rect x="1" y="1" width="14" height="14" rx="3.5" fill="currentColor" />
      <path d="m5.5 5.5 5 5M10.5 5.5l-5 5" className="stroke-surface" />
    </>
  ),
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.3" stroke="currentColor" strokeDasharray="2.6 2.1" />
      <path
        d="M6.2 6.4c.1-1.1.9-1.7 1.9-1.7 1.1 0 1.9.7 1.9 1.6 0 1.3-1.9 1.4-1.9 2.7M8.1 11.3v.05"
        stroke="currentColor"
      />
    </>
  ),
  paused: (
    <>
      <circle cx="8" cy="8" r="6.3" stroke="currentColor" />
      <path d="M6.5 5.8v4.4M9.5 5.8v4.4" stroke="currentColor" />
    </>
  ),
  pending: <circle cx="8" cy="8" r="6.3" stroke="currentColor" strokeDasharray="1 3" />,
  missed: (
    <>
      <circle cx="8" cy="8" r="6.3" stroke="currentColor" />
      <path d="m3.8 12.2 8.4-8.4" stroke="currentColor" />
    </>
  ),
  maintenance: (
    <>
      <rect x="1.7" y="1.7" width="12.6" height="12.6" rx="3" stroke="currentColor" />
      <path d="m4.5 9 4.5-4.5M5 12l7-7M8 12.5l4.5-4.5" stroke="currentColor" strokeWidth="1.3" />
    </>
  ),
}

export const MARK_COLOR: Record<Mark, string> = {
  up: 'text-up',
  degraded: 'text-degraded',
  down: 'text-down',
  unknown: 'text-unknown',
  paused: 'text-ink-faint',
  pending: 'text-ink-faint',
  missed: 'text-missed',
  maintenance: 'text-maintenance',
}

export const MARK_INK: Record<Mark, string> = {
  up: 'text-up-ink',
  degraded: 'text-degraded-ink',
  down: 'text-down-ink',
  unknown: 'text-unknown-ink',
  paused: 'text-ink-soft',
  pending: 'text-ink-soft',
  missed: 'text-ink-soft',
  maintenance: 'text-maintenance-ink',
}

interface Props {
  of: Mark
  size?: number
  /** A slow halo around what is down. */
  alive?: boolean
  /** Where the word stands beside it anyway. */
  decorative?: boolean
  className?: string
}

/** The sign of a state or outcome, by shape and colour. */
export function StateGlyph({ of, size = 16, alive, decorative, className }: Props) {
  const label = STATE_LABEL[of as State] ?? OUTCOME_LABEL[of as Outcome]
  return (
    <span
      className={cn('inline-grid shrink-0 place-items-center', MARK_COLOR[of], alive && 'halo', className)}
    >
      <svg
        className="relative"
        viewBox="0 0 16 16"
        width={size}
        height={size}
        fill="none"
        strokeWidth="1.6"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden={decorative || undefined}
        role={decorative ? undefined : 'img'}
        aria-label={decorative ? undefined : label}
      >
        {SHAPE[of]}
      </svg>
    </span>
  )
}
