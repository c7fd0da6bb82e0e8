import { useState } from 'react'

import { cadenceText } from '#/lib/describe.ts'
import { usualTimeoutMs } from '#/lib/draft.ts'
import { duration } from '#/lib/format.ts'
import { Button } from '#/ui/Button.tsx'
import { Field } from '#/ui/Field.tsx'
import { Input, NumberInput } from '#/ui/Input.tsx'
import { CloseIcon } from '#/ui/icons.tsx'
import { Segmented } from '#/ui/Segmented.tsx'
import type { PartProps } from './ProbeFields.tsx'

const PRESETS = [10, 30, 60, 300, 900, 3600]

interface Props extends PartProps {
  /** Regions that other monitors are checked from. */
  known: readonly string[]
}

/** How often, how long to wait, and from where. */
export function CadenceFields({ draft, change, errors, known }: Props) {
  const isPreset = draft.intervalSeconds !== undefined && PRESETS.includes(draft.intervalSeconds)
  const [custom, setCustom] = useState(!isPreset)
  const intervalError = errors('interval_seconds')
  const usual = usualTimeoutMs(draft.intervalSeconds || 60)
  return (
    <>
      <div className="flex flex-col gap-1.5">
        <span className="text-sm font-medium" aria-hidden="true">
          Interval
        </span>
        <Segmented
          label="Interval"
          name="interval"
          className="max-w-full flex-wrap"
          value={custom ? 'custom' : String(draft.intervalSeconds)}
          onChange={(value) => {
            setCustom(value === 'custom')
            if (value !== 'custom') change({ intervalSeconds: Number(value) })
          }}
          options={[
            ...PRESETS.map((seconds) => ({ value: String(seconds), label: duration(seconds * 1000) })),
            { value: 'custom', label: 'Other' },
          ]}
        />
        {!custom && intervalError && <p className="text-xs text-down-ink">{intervalError}</p>}
      </div>
      <div className="grid gap-5 sm:grid-cols-2">
        {custom && (
          <Field label="Interval in seconds" hint="10 to 86,400" error={intervalError}>
            <NumberInput
              unit="s"
              min={10}
              max={86_400}
              value={draft.intervalSeconds}
              onChange={(intervalSeconds) => change({ intervalSeconds })}
            />
          </Field>
        )}
        <Field
          label="Timeout"
          hint={`Over all phases; below the interval. ${duration(usual)} when left empty.`}
          error={errors('timeout_ms')}
        >
          <NumberInput
            unit="ms"
            min={100}
            max={60_000}
            step={100}
            placeholder={String(usual)}
            value={draft.timeoutMs}
            onChange={(timeoutMs) => change({ timeoutMs })}
          />
        </Field>
      </div>
      <RegionsField draft={draft} change={change} error={errors('regions')} known={known} />
      <p className="text-xs text-ink-faint">
        {cadenceText({
          interval_seconds: draft.intervalSeconds || 60,
          regions: draft.regions,
          alert: draft.alert,
        })}
      </p>
    </>
  )
}

interface RegionsProps extends Pick<PartProps, 'draft' | 'change'> {
  error: string | undefined
  known: readonly string[]
}

/** Regions as switches; a new one is typed, since a region exists once a pinger runs there. */
function RegionsField({ draft, change, error, known }: RegionsProps) {
  const [typed, setTyped] = useState('')
  const all = [...new Set([...known, ...draft.regions])].sort()
  const set = (region: string, on: boolean) =>
    change({ regions: on ? [...draft.regions, region] : draft.regions.filter((one) => one !== region) })

  function add() {
    const region = typed.trim()
    if (region && !draft.regions.includes(region)) set(region, true)
    setTyped('')
  }

  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 text-sm font-medium">Regions</legend>
      <div className="flex flex-wrap gap-2">
        {all.map((region) => (
          <label
            key={region}
            className="flex h-9 cursor-pointer items-center gap-2 rounded-control border border-line-strong px-3 has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="checkbox"
              className="size-3.5 outline-none"
              checked={draft.regions.includes(region)}
              onChange={(event) => set(region, event.target.checked)}
            />
            {region}
          </label>
        ))}
        <span className="relative">
          <Input
            aria-label="Another region"
            placeholder="Another…"
            className="w-32"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            onBlur={add}
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return
              event.preventDefault()
              add()
            }}
          />
          {typed && (
            <Button
              tone="quiet"
              square
              aria-label="Clear"
              className="absolute right-0 top-0"
              onMouseDown={() => setTyped('')}
            >
              <CloseIcon />
            </Button>
          )}
        </span>
      </div>
      {draft.regions.length === 0 && (
        <p className="text-xs text-ink-faint">
          None chosen: a new monitor is checked from the mesh’s own region, another one from where it was.
        </p>
      )}
      {error && <p className="text-xs text-down-ink">{error}</p>}
    </fieldset>
  )
}
