import type { ComponentProps } from 'react'

import { cn } from '#/lib/cn.ts'
import { useField } from './Field.tsx'

export function Input({ className, ...props }: ComponentProps<'input'>) {
  return <input {...useField()} {...props} className={cn('field', className)} />
}

export function Textarea({ className, ...props }: ComponentProps<'textarea'>) {
  return (
    <textarea
      rows={3}
      {...useField()}
      {...props}
      className={cn('field font-mono text-xs leading-5', className)}
    />
  )
}

export function Select({ className, ...props }: ComponentProps<'select'>) {
  return <select {...useField()} {...props} className={cn('field pr-8', className)} />
}

/** A number that may be empty while someone types; whole numbers only. */
export function NumberInput({
  value,
  onChange,
  unit,
  className,
  ...props
}: Omit<ComponentProps<'input'>, 'value' | 'onChange'> & {
  value: number | undefined
  onChange: (value: number | undefined) => void
  unit?: string
}) {
  const field = useField()
  return (
    <span className={cn('relative block', className)}>
      <input
        {...field}
        {...props}
        type="number"
        inputMode="numeric"
        step={1}
        value={value ?? ''}
        onChange={(event) =>
          onChange(event.target.value === '' ? undefined : Math.trunc(event.target.valueAsNumber))
        }
        className={cn('field figures', unit && 'pr-10')}
      />
      {unit && (
        <span
          aria-hidden="true"
          className="pointer-events-none absolute inset-y-0 right-3 grid place-items-center text-ink-faint"
        >
          {unit}
        </span>
      )}
    </span>
  )
}

interface CheckboxProps extends Omit<ComponentProps<'input'>, 'type'> {
  label: string
  hint?: string
}

export function Checkbox({ label, hint, ...props }: CheckboxProps) {
  return (
    <label className="flex cursor-pointer items-start gap-2.5">
      <input type="checkbox" {...props} className="mt-0.5 size-4 shrink-0 accent-accent" />
      <span>
        {label}
        {hint && <span className="block text-xs text-ink-faint">{hint}</span>}
      </span>
    </label>
  )
}
