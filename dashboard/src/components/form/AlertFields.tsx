import type { AlertPolicy } from '#/api/schema.d.ts'
import { policyText } from '#/lib/describe.ts'
import { Field } from '#/ui/Field.tsx'
import { Checkbox, NumberInput, Select } from '#/ui/Input.tsx'
import { ChannelFields } from './ChannelFields.tsx'
import type { PartProps } from './ProbeFields.tsx'

/** When an incident opens and closes, and whether anyone is told. */
export function AlertFields({ draft, change, errors }: PartProps) {
  const { alert, regions } = draft
  const channelError = ['', ...(alert.channels ?? []).map((_, i) => `[${i}]`)]
    .map((at) => errors(`alert.channels${at}`))
    .find(Boolean)
  const set = (part: Partial<AlertPolicy>) => change({ alert: { ...alert, ...part } })
  return (
    <>
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label="Failures in a row to open" error={errors('alert.failures_to_open')}>
          <NumberInput
            min={1}
            max={20}
            value={alert.failures_to_open}
            onChange={(n) => set({ failures_to_open: n ?? 0 })}
          />
        </Field>
        <Field label="Successes in a row to close" error={errors('alert.successes_to_close')}>
          <NumberInput
            min={1}
            max={20}
            value={alert.successes_to_close}
            onChange={(n) => set({ successes_to_close: n ?? 0 })}
          />
        </Field>
      </div>
      {(regions.length > 1 || alert.regions_down != null) && (
        <Field label="Regions that must agree" error={errors('alert.regions_down')}>
          <Select
            value={alert.regions_down ?? ''}
            onChange={(event) =>
              set({ regions_down: event.target.value ? Number(event.target.value) : null })
            }
          >
            <option value="">A majority</option>
            {Array.from({ length: Math.max(regions.length, alert.regions_down ?? 0) }, (_, i) => i + 1).map(
              (n) => (
                <option key={n} value={n}>
                  {n} of {regions.length}
                </option>
              ),
            )}
          </Select>
        </Field>
      )}
      <Checkbox
        label="Tell people"
        hint="Off records incidents quietly."
        checked={alert.notify !== false}
        onChange={(event) => set({ notify: event.target.checked })}
      />
      {alert.notify !== false && (
        <ChannelFields chosen={alert.channels ?? []} onChange={(channels) => set({ channels })} />
      )}
      {channelError && <p className="text-xs text-down-ink">{channelError}</p>}
      <p className="text-xs text-ink-faint">{policyText(alert, regions.length)}</p>
    </>
  )
}
