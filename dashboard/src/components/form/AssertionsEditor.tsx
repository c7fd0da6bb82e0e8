import type { ReactNode } from 'react'

import type { Assertion, Expect, Severity } from '#/api/schema.d.ts'
import { Button } from '#/ui/Button.tsx'
import { Field } from '#/ui/Field.tsx'
import { Checkbox, Input, NumberInput, Select } from '#/ui/Input.tsx'
import { CloseIcon, PlusIcon } from '#/ui/icons.tsx'
import { Menu, MenuItem } from '#/ui/Menu.tsx'
import type { FieldErrors } from './errors.ts'

type Kind = Assertion['kind']
type Of<K extends Kind> = Extract<Assertion, { kind: K }>

const KINDS: Record<Kind, { label: string; fresh: () => Assertion }> = {
  status: { label: 'Status', fresh: () => ({ kind: 'status', is: '200' }) },
  latency: { label: 'Latency', fresh: () => ({ kind: 'latency', max_ms: 1000, severity: 'degraded' }) },
  body_contains: {
    label: 'Body contains',
    fresh: () => ({ kind: 'body_contains', text: '', absent: false }),
  },
  body_matches: { label: 'Body matches', fresh: () => ({ kind: 'body_matches', pattern: '' }) },
  json_path: {
    label: 'JSON value',
    fresh: () => ({ kind: 'json_path', path: '$.status', expect: { equals: 'ok' } }),
  },
  header: { label: 'Header', fresh: () => ({ kind: 'header', name: '', value: '', contains: false }) },
  certificate_days: {
    label: 'Certificate',
    fresh: () => ({ kind: 'certificate_days', min: 14, severity: 'degraded' }),
  },
}

interface Props {
  /** Only HTTP answers have a status, a body, headers. */
  http: boolean
  assertions: readonly Assertion[]
  onChange: (assertions: Assertion[]) => void
  errors: FieldErrors
}

/** What must hold for a check to be up, one row each. */
export function AssertionsEditor({ http, assertions, onChange, errors }: Props) {
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => http || kind === 'latency')
  const shown = assertions
    .map((assertion, i) => ({ assertion, i }))
    .filter(({ assertion }) => http || assertion.kind === 'latency')
  return (
    <div className="flex flex-col gap-3">
      {shown.length > 0 && (
        <ol className="flex flex-col gap-3">
          {shown.map(({ assertion, i }) => (
            <li key={i} className="flex items-start gap-2 rounded-card border border-line bg-canvas p-3">
              <div className="min-w-0 flex-1">
                <p className="mb-2 text-xs font-medium text-ink-soft">{KINDS[assertion.kind].label}</p>
                <Row
                  of={assertion}
                  set={(next) => onChange(assertions.with(i, next))}
                  error={(field) => errors(`assertions[${i}].${field}`)}
                />
                {errors(`assertions[${i}].kind`) && (
                  <p className="mt-1.5 text-xs text-down-ink">{errors(`assertions[${i}].kind`)}</p>
                )}
              </div>
              <Button
                tone="quiet"
                square
                aria-label={`Remove: ${KINDS[assertion.kind].label}`}
                onClick={() => onChange(assertions.toSpliced(i, 1))}
              >
                <CloseIcon />
              </Button>
            </li>
          ))}
        </ol>
      )}
      {errors('assertions') && <p className="text-xs text-down-ink">{errors('assertions')}</p>}
      <div>
        <Menu
          align="start"
          trigger={
            <Button>
              <PlusIcon className="-ml-1" /> Add an assertion
            </Button>
          }
        >
          {kinds.map((kind) => (
            <MenuItem key={kind} onSelect={() => onChange([...assertions, KINDS[kind].fresh()])}>
              {KINDS[kind].label}
            </MenuItem>
          ))}
        </Menu>
      </div>
    </div>
  )
}

interface RowProps<K extends Kind> {
  of: Of<K>
  set: (next: Assertion) => void
  error: (field: string) => string | undefined
}

const Columns = ({ children }: { children: ReactNode }) => (
  <div className="grid items-start gap-3 sm:auto-cols-fr sm:grid-flow-col">{children}</div>
)

function Row({ of, set, error }: RowProps<Kind>) {
  switch (of.kind) {
    case 'status':
      return (
        <Field label="Status is" quiet hint="200, 2xx or 200-204,301" error={error('is')}>
          <Input value={of.is} onChange={(event) => set({ ...of, is: event.target.value })} />
        </Field>
      )
    case 'body_contains':
      return (
        <>
          <Field label="Text" quiet error={error('text')}>
            <Input
              placeholder="Welcome"
              value={of.text}
              onChange={(event) => set({ ...of, text: event.target.value })}
            />
          </Field>
          <div className="mt-2">
            <Checkbox
              label="Must not be there"
              checked={of.absent === true}
              onChange={(event) => set({ ...of, absent: event.target.checked })}
            />
          </div>
        </>
      )
    case 'body_matches':
      return (
        <Field label="Pattern" quiet hint="A regular expression, RE2 syntax." error={error('pattern')}>
          <Input
            className="font-mono"
            spellCheck={false}
            placeholder={'version: \\d+'}
            value={of.pattern}
            onChange={(event) => set({ ...of, pattern: event.target.value })}
          />
        </Field>
      )
    case 'header':
      return (
        <>
          <Columns>
            <Field label="Header name" quiet error={error('probe.headers') ?? error('name')}>
              <Input
                placeholder="content-type"
                value={of.name}
                onChange={(event) => set({ ...of, name: event.target.value })}
              />
            </Field>
            <Field label="Header value" quiet error={error('value')}>
              <Input
                placeholder="text/html"
                value={of.value}
                onChange={(event) => set({ ...of, value: event.target.value })}
              />
            </Field>
          </Columns>
          <div className="mt-2">
            <Checkbox
              label="Part of the value is enough"
              checked={of.contains === true}
              onChange={(event) => set({ ...of, contains: event.target.checked })}
            />
          </div>
        </>
      )
    case 'json_path':
      return <JsonRow of={of} set={set} error={error} />
    case 'latency':
      return (
        <Columns>
          <Field label="At most" quiet error={error('max_ms')}>
            <NumberInput
              unit="ms"
              min={1}
              value={of.max_ms}
              onChange={(max) => set({ ...of, max_ms: max ?? 0 })}
            />
          </Field>
          <SeveritySelect value={of.severity} onChange={(severity) => set({ ...of, severity })} />
        </Columns>
      )
    case 'certificate_days':
      return (
        <Columns>
          <Field label="Valid for at least" quiet error={error('min')}>
            <NumberInput
              unit="days"
              min={1}
              value={of.min}
              onChange={(min) => set({ ...of, min: min ?? 0 })}
            />
          </Field>
          <SeveritySelect value={of.severity} onChange={(severity) => set({ ...of, severity })} />
        </Columns>
      )
  }
}

function SeveritySelect({
  value = 'degraded',
  onChange,
}: {
  value: Severity | undefined
  onChange: (value: Severity) => void
}) {
  return (
    <Field
      label="Otherwise the check is"
      quiet
      hint="Degraded is shown, and nobody is told. Choose down to be told."
    >
      <Select value={value} onChange={(event) => onChange(event.target.value as Severity)}>
        <option value="degraded">else degraded</option>
        <option value="down">else down</option>
      </Select>
    </Field>
  )
}

type Comparison = 'exists' | 'equals' | 'not_equals' | 'above' | 'below'

function comparisonOf(expect: Expect): { comparison: Comparison; text: string } {
  if (expect === 'exists') return { comparison: 'exists', text: '' }
  const [comparison, value] = Object.entries(expect)[0] ?? ['exists', '']
  return {
    comparison: comparison as Comparison,
    text: typeof value === 'string' ? value : JSON.stringify(value),
  }
}

/** `true`, `3`, `null` are JSON; anything else is text. Quotes force text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function expectOf(comparison: Comparison, text: string): Expect {
  if (comparison === 'exists') return 'exists'
  if (comparison === 'above') return { above: Number(text) || 0 }
  if (comparison === 'below') return { below: Number(text) || 0 }
  const value = jsonOf(text)
  return comparison === 'equals' ? { equals: value } : { not_equals: value }
}

function JsonRow({ of, set, error }: RowProps<'json_path'>) {
  const { comparison, text } = comparisonOf(of.expect)
  return (
    <Columns>
      <Field label="JSON path" quiet error={error('path')}>
        <Input
          className="font-mono"
          spellCheck={false}
          value={of.path}
          onChange={(event) => set({ ...of, path: event.target.value })}
        />
      </Field>
      <Field label="Comparison" quiet>
        <Select
          value={comparison}
          onChange={(event) => set({ ...of, expect: expectOf(event.target.value as Comparison, text) })}
        >
          <option value="equals">is</option>
          <option value="not_equals">is not</option>
          <option value="above">is above</option>
          <option value="below">is below</option>
          <option value="exists">exists</option>
        </Select>
      </Field>
      {comparison !== 'exists' && (
        <Field label="Value" quiet error={error('expect')}>
          <Input
            value={text}
            onChange={(event) => set({ ...of, expect: expectOf(comparison, event.target.value) })}
          />
        </Field>
      )}
    </Columns>
  )
}
