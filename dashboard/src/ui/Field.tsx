import { createContext, type ReactNode, use, useId } from 'react'

import { cn } from '#/lib/cn.ts'

interface Wiring {
  id: string
  describedBy: string | undefined
  invalid: boolean
}

const FieldContext = createContext<Wiring | undefined>(undefined)

/** What an input inside a `Field` needs to be labelled, described and marked wrong. */
export function useField() {
  const field = use(FieldContext)
  return field
    ? { id: field.id, 'aria-describedby': field.describedBy, 'aria-invalid': field.invalid || undefined }
    : {}
}

interface Props {
  label: ReactNode
  hint?: ReactNode
  error?: string | undefined
  /** Keeps the label for screen readers only. */
  quiet?: boolean
  className?: string
  children: ReactNode
}

/** A label, its control, and below it what the server found wrong, or else a hint. */
export function Field({ label, hint, error, quiet, className, children }: Props) {
  const id = useId()
  const noteId = `${id}-note`
  const noted = error !== undefined || hint !== undefined
  return (
    <div className={cn('flex flex-col gap-1.5', className)}>
      <label htmlFor={id} className={quiet ? 'sr-only' : 'text-sm font-medium'}>
        {label}
      </label>
      <FieldContext value={{ id, describedBy: noted ? noteId : undefined, invalid: error !== undefined }}>
        {children}
      </FieldContext>
      {noted && (
        <p id={noteId} className={cn('text-xs', error === undefined ? 'text-ink-faint' : 'text-down-ink')}>
          {error === undefined ? hint : sentence(error)}
        </p>
      )}
    </div>
  )
}

/** The server's messages continue the field's name ("is empty"); alone they start with a capital. */
function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1)
}
