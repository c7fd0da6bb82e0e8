import type { Pair } from '#/lib/draft.ts'
import { Button } from '#/ui/Button.tsx'
import { Input } from '#/ui/Input.tsx'
import { CloseIcon, PlusIcon } from '#/ui/icons.tsx'

interface Props {
  label: string
  /** Keeps the label for screen readers only. */
  quiet?: boolean
  add: string
  /** Examples, shown while empty. */
  names: string
  values: string
  pairs: readonly Pair[]
  onChange: (pairs: Pair[]) => void
  error?: string | undefined
}

/** Names with values: headers, tags. */
export function PairsEditor({ label, quiet, add, names, values, pairs, onChange, error }: Props) {
  const set = (at: number, part: Partial<Pair>) =>
    onChange(pairs.map((pair, i) => (i === at ? { ...pair, ...part } : pair)))
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className={quiet ? 'sr-only' : 'mb-1.5 text-sm font-medium'}>{label}</legend>
      {pairs.map((pair, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity but their place, and both inputs are controlled.
        <div key={i} className="flex gap-2">
          <Input
            aria-label={`${label}: name ${i + 1}`}
            placeholder={names}
            spellCheck={false}
            value={pair.name}
            onChange={(event) => set(i, { name: event.target.value })}
          />
          <Input
            aria-label={`${label}: value ${i + 1}`}
            placeholder={values}
            spellCheck={false}
            value={pair.value}
            onChange={(event) => set(i, { value: event.target.value })}
          />
          <Button
            tone="quiet"
            square
            aria-label={`Remove ${pair.name || 'this row'}`}
            onClick={() => onChange(pairs.toSpliced(i, 1))}
          >
            <CloseIcon />
          </Button>
        </div>
      ))}
      {error && <p className="text-xs text-down-ink">{error}</p>}
      <Button
        tone="quiet"
        className="-ml-2 w-fit px-2"
        onClick={() => onChange([...pairs, { name: '', value: '' }])}
      >
        <PlusIcon /> {add}
      </Button>
    </fieldset>
  )
}
