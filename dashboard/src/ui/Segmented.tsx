import type { ReactNode } from 'react'

import { cn } from '#/lib/cn.ts'

interface Props<T extends string> {
  label: string
  name: string
  value: T
  onChange: (value: T) => void
  options: readonly { value: T; label: ReactNode; title?: string }[]
  className?: string
}

/** One of a few: radio buttons that look like one control, with a radio group's own keys. */
export function Segmented<T extends string>({ label, name, value, onChange, options, className }: Props<T>) {
  return (
    <fieldset
      className={cn('inline-flex min-w-0 rounded-control border border-line bg-sunken p-0.5', className)}
    >
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          title={option.title}
          className={cn(
            'relative flex h-7 flex-1 cursor-pointer items-center justify-center rounded-[0.375rem] px-3 text-xs font-medium whitespace-nowrap transition-colors',
            'has-focus-visible:outline-2 has-focus-visible:outline-offset-1 has-focus-visible:outline-accent',
            option.value === value
              ? 'bg-surface text-ink shadow-card ring-1 ring-line'
              : 'text-ink-faint hover:text-ink',
          )}
        >
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
            className="absolute inset-0 cursor-pointer opacity-0"
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  )
}
