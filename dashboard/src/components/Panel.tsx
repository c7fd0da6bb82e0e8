import { type ReactNode, useId } from 'react'

import { cn } from '#/lib/cn.ts'

interface Props {
  title: string
  action?: ReactNode
  className?: string
  children: ReactNode
}

/** A titled card. */
export function Panel({ title, action, className, children }: Props) {
  const id = useId()
  return (
    <section aria-labelledby={id} className={cn('card overflow-hidden', className)}>
      <div className="flex min-h-12 items-center justify-between gap-4 px-4 pt-3 pb-1 sm:px-6">
        <h2 id={id} className="text-sm font-semibold">
          {title}
        </h2>
        {action}
      </div>
      {children}
    </section>
  )
}
