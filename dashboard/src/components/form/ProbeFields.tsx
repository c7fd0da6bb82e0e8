import type { HttpMethod } from '#/api/schema.d.ts'
import type { Draft } from '#/lib/draft.ts'
import { Field } from '#/ui/Field.tsx'
import { Checkbox, Input, NumberInput, Select, Textarea } from '#/ui/Input.tsx'
import type { FieldErrors } from './errors.ts'
import { PairsEditor } from './PairsEditor.tsx'

export interface PartProps {
  draft: Draft
  change: (part: Partial<Draft>) => void
  errors: FieldErrors
}

const METHODS: readonly HttpMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What is asked, for the chosen kind. */
export function ProbeFields(props: PartProps) {
  if (props.draft.kind === 'http') return <HttpFields {...props} />
  if (props.draft.kind === 'tcp') return <TcpFields {...props} />
  return <IcmpFields {...props} />
}

function HttpFields({ draft, change, errors }: PartProps) {
  const special =
    draft.method !== 'GET' ||
    draft.headers.length > 0 ||
    draft.body !== '' ||
    draft.maxRedirects !== 5 ||
    !draft.verifyTls
  return (
    <>
      <Field label="URL" error={errors('probe.url')}>
        <Input
          // The one thing that must be typed; the page was opened to type it.
          autoFocus={draft.url === ''}
          inputMode="url"
          autoComplete="off"
          spellCheck={false}
          placeholder="https://example.com/health"
          value={draft.url}
          onChange={(event) => change({ url: event.target.value })}
        />
      </Field>
      <details open={special || errors('probe.headers') !== undefined} className="group">
        <summary className="w-fit cursor-pointer rounded-control text-sm text-ink-soft hover:text-ink">
          Method, headers, redirects, certificate
        </summary>
        <div className="mt-4 flex flex-col gap-5">
          <div className="grid gap-5 sm:grid-cols-2">
            <Field label="Method">
              <Select
                value={draft.method}
                onChange={(event) => change({ method: event.target.value as HttpMethod })}
              >
                {METHODS.map((method) => (
                  <option key={method}>{method}</option>
                ))}
              </Select>
            </Field>
            <Field label="Redirects followed" error={errors('probe.max_redirects')}>
              <NumberInput
                min={0}
                max={10}
                value={draft.maxRedirects}
                onChange={(maxRedirects) => change({ maxRedirects })}
              />
            </Field>
          </div>
          <PairsEditor
            label="Headers"
            add="Add a header"
            names="accept"
            values="application/json"
            pairs={draft.headers}
            onChange={(headers) => change({ headers })}
            error={errors('probe.headers')}
          />
          {!['GET', 'HEAD', 'OPTIONS'].includes(draft.method) && (
            <Field label="Body" error={errors('probe.body')}>
              <Textarea value={draft.body} onChange={(event) => change({ body: event.target.value })} />
            </Field>
          )}
          <Checkbox
            label="Check the certificate"
            hint="Off accepts any certificate; its expiry is still reported."
            checked={draft.verifyTls}
            onChange={(event) => change({ verifyTls: event.target.checked })}
          />
        </div>
      </details>
    </>
  )
}

function HostField({ draft, change, errors }: PartProps) {
  return (
    <Field label="Host" error={errors('probe.host')}>
      <Input
        autoComplete="off"
        spellCheck={false}
        placeholder="db.example.com"
        value={draft.host}
        onChange={(event) => change({ host: event.target.value })}
      />
    </Field>
  )
}

function TcpFields(props: PartProps) {
  const { draft, change, errors } = props
  return (
    <>
      <div className="grid gap-5 sm:grid-cols-[1fr_8rem]">
        <HostField {...props} />
        <Field label="Port" error={errors('probe.port')}>
          <NumberInput
            min={1}
            max={65_535}
            placeholder="5432"
            value={draft.port}
            onChange={(port) => change({ port })}
          />
        </Field>
      </div>
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label="Send" hint="After connecting; may be empty." error={errors('probe.send')}>
          <Input
            value={draft.send}
            onChange={(event) => change({ send: event.target.value })}
            className="font-mono"
          />
        </Field>
        <Field
          label="Expect"
          hint="Text the answer must contain; may be empty."
          error={errors('probe.expect')}
        >
          <Input
            value={draft.expect}
            onChange={(event) => change({ expect: event.target.value })}
            className="font-mono"
          />
        </Field>
      </div>
    </>
  )
}

function IcmpFields(props: PartProps) {
  const { draft, change, errors } = props
  return (
    <div className="grid gap-5 sm:grid-cols-[1fr_8rem]">
      <HostField {...props} />
      <Field label="Packets" hint="One reply is enough." error={errors('probe.packets')}>
        <NumberInput min={1} max={10} value={draft.packets} onChange={(packets) => change({ packets })} />
      </Field>
    </div>
  )
}
