import type { ReactNode } from 'react'

/** A key, as it is printed on the keyboard. */
export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-grid h-5 min-w-5 place-items-center rounded border border-line-strong bg-surface px-1 font-sans text-2xs text-ink-faint">
      {children}
    </kbd>
  )
}
