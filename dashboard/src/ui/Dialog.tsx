import { type ReactNode, useEffect, useId, useRef } from 'react'

import { cn } from '#/lib/cn.ts'

interface Props {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  actions?: ReactNode
  wide?: boolean
}

/** The platform's own modal: it holds the focus, closes on Escape and needs no library. */
export function Dialog({ open, onClose, title, children, actions, wide }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()

  useEffect(() => {
    const dialog = ref.current
    if (!dialog) return
    if (open && !dialog.open) dialog.showModal()
    if (!open && dialog.open) dialog.close()
  }, [open])

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; the key for that is Escape, which the element handles.
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={(event) => event.target === ref.current && onClose()}
      className={cn(
        'w-[calc(100%-2rem)] rounded-card border border-line bg-raised p-0 shadow-pop',
        wide ? 'max-w-xl' : 'max-w-md',
      )}
    >
      {open && (
        <div className="p-6">
          <h2 id={titleId} className="text-base font-semibold">
            {title}
          </h2>
          <div className="mt-2 text-ink-soft">{children}</div>
          {actions && <div className="mt-6 flex justify-end gap-2">{actions}</div>}
        </div>
      )}
    </dialog>
  )
}
