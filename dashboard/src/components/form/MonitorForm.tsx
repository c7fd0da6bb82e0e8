import { Link } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'

import type { MonitorSpec } from '#/api/schema.d.ts'
import { type Draft, specOf, suggestedName } from '#/lib/draft.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'
import { Field } from '#/ui/Field.tsx'
import { Input } from '#/ui/Input.tsx'
import { Segmented } from '#/ui/Segmented.tsx'
import { AlertFields } from './AlertFields.tsx'
import { AssertionsEditor } from './AssertionsEditor.tsx'
import { CadenceFields } from './CadenceFields.tsx'
import { fieldErrors, otherError } from './errors.ts'
import { PairsEditor } from './PairsEditor.tsx'
import { ProbeFields } from './ProbeFields.tsx'
import { Section } from './Section.tsx'

interface Props {
  initial: Draft
  knownRegions: readonly string[]
  /** Absent for those who may only look. */
  save: string | undefined
  busy: boolean
  error: Error | null
  cancel: { to: '/' } | { to: '/monitors/$id'; params: { id: string } }
  onSave: (spec: MonitorSpec) => void
  /** Above the buttons, for what only one page has to say. */
  children?: ReactNode
}

/** Adds and edits. The server judges; what it finds wrong is shown at the field it names. */
export function MonitorForm({ initial, knownRegions, save, busy, error, cancel, onSave, children }: Props) {
  const [draft, setDraft] = useState(initial)
  const form = useRef<HTMLFormElement>(null)
  const errors = fieldErrors(error)
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }))
  const name = suggestedName(draft)

  useEffect(() => {
    if (error) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [error])

  function submit(event: FormEvent) {
    event.preventDefault()
    if (save) onSave(specOf({ ...draft, name: draft.name.trim() || name }))
  }

  const parts = { draft, change, errors }
  return (
    <form ref={form} noValidate onSubmit={submit}>
      <div className="card divide-y divide-line">
        <Section title="Target" about={ABOUT[draft.kind]}>
          <Segmented
            label="Kind"
            name="kind"
            className="w-full max-w-xs"
            value={draft.kind}
            onChange={(kind) => change({ kind })}
            options={[
              { value: 'http', label: 'HTTP' },
              { value: 'tcp', label: 'TCP' },
              { value: 'icmp', label: 'ICMP' },
            ]}
          />
          <ProbeFields {...parts} />
          <Field
            label="Name"
            hint={draft.name || !name ? undefined : `${name} when left empty`}
            error={errors('name')}
          >
            <Input
              placeholder={name}
              value={draft.name}
              onChange={(event) => change({ name: event.target.value })}
            />
          </Field>
        </Section>
        <Section
          title="Cadence"
          about="Every region checks on its own fixed slots. A slot that does not run is shown as missed."
        >
          <CadenceFields {...parts} known={knownRegions} />
        </Section>
        <Section
          title="Assertions"
          about={
            draft.kind === 'http'
              ? 'All must hold. Without one on the status, 200–299 is expected.'
              : 'Of this kind only the latency can be asserted.'
          }
        >
          <AssertionsEditor
            http={draft.kind === 'http'}
            assertions={draft.assertions}
            onChange={(assertions) => change({ assertions })}
            errors={errors}
          />
        </Section>
        <Section title="Incidents" about="A failure is confirmed within its slot before it counts here.">
          <AlertFields {...parts} />
        </Section>
        <Section title="Tags" about="For grouping and filtering, as you like.">
          <PairsEditor
            label="Tags"
            quiet
            add="Add a tag"
            names="team"
            values="payments"
            pairs={draft.tags}
            onChange={(tags) => change({ tags })}
            error={errors('tags')}
          />
        </Section>
      </div>
      {children}
      <div className="sticky bottom-14 z-10 -mx-4 mt-4 flex flex-wrap items-center justify-end gap-3 border-t border-line bg-canvas/90 px-4 py-4 backdrop-blur sm:mx-0 sm:px-0 lg:bottom-0">
        <p role="alert" className="mr-auto text-sm text-down-ink">
          {otherError(error)}
        </p>
        <Link {...cancel} className={buttonClass('quiet')}>
          Cancel
        </Link>
        {save && (
          <Button type="submit" tone="primary" busy={busy}>
            {save}
          </Button>
        )}
      </div>
    </form>
  )
}

const ABOUT: Record<Draft['kind'], string> = {
  http: 'A request over HTTP or HTTPS. The time is taken by phase, from resolving the name to the last byte.',
  tcp: 'A connection, and if you like a line sent and an answer expected.',
  icmp: 'An echo request, as ping sends it.',
}
