import type { ComponentProps, ReactNode } from 'react'

import { cn } from '#/lib/cn.ts'

type Tone = 'primary' | 'plain' | 'quiet' | 'danger'

const TONE: Record<Tone, string> = {
  primary: 'bg-ink text-canvas hover:bg-ink/88 border-transparent font-medium',
  plain: 'bg-surface text-ink border-line-strong hover:bg-hover',
  quiet: 'border-transparent text-ink-soft hover:bg-sunken hover:text-ink',
  danger: 'bg-down-ink text-surface border-transparent hover:opacity-90 font-medium',
}

/** Links that look like buttons take the same classes. */
export function buttonClass(tone: Tone = 'plain', square = false): string {
  return cn(
    'inline-flex h-9 items-center justify-center gap-1.5 rounded-control border text-sm whitespace-nowrap transition-colors select-none',
    'disabled:cursor-not-allowed disabled:opacity-50 aria-busy:cursor-progress',
    square ? 'w-9 shrink-0' : 'px-3.5',
    TONE[tone],
  )
}

interface Props extends ComponentProps<'button'> {
  tone?: Tone
  /** Only an icon inside; give it an `aria-label`. */
  square?: boolean
  busy?: boolean
  children: ReactNode
}

export function Button({ tone, square, busy, className, disabled, ...props }: Props) {
  return (
    <button
      type="button"
      {...props}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      className={cn(buttonClass(tone, square), className)}
    />
  )
}
