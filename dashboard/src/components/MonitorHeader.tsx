import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

import type { MonitorView } from '#/api/schema.d.ts'
import { every, plural } from '#/lib/format.ts'
import { isMasked } from '#/lib/mask.ts'
import { useShortcuts } from '#/lib/shortcuts.ts'
import { shortTarget } from '#/lib/url.ts'
import { KIND_LABEL } from '#/lib/words.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'
import { Dialog } from '#/ui/Dialog.tsx'
import { BackIcon, EditIcon, ExternalIcon, PauseIcon, PlayIcon, TrashIcon } from '#/ui/icons.tsx'
import { useMayEdit } from './may-edit.ts'
import { useDelete, usePause } from './monitor-actions.ts'
import { StateGlyph } from './StateGlyph.tsx'

/** Name, target and what can be done. */
export function MonitorHeader({ monitor }: { monitor: MonitorView }) {
  const navigate = useNavigate()
  const [asking, setAsking] = useState(false)
  const pause = usePause(monitor)
  const remove = useDelete(monitor, () => void navigate({ to: '/' }))
  const mayEdit = useMayEdit()
  const paused = monitor.spec.paused === true
  const edit = { to: '/monitors/$id/edit', params: { id: monitor.id } } as const

  useShortcuts(mayEdit ? { e: () => void navigate(edit), p: () => pause.mutate(!paused) } : {})

  return (
    <header>
      <BackLink to="/" label="Monitors" />
      <div className="mt-3 flex flex-wrap items-start justify-between gap-x-6 gap-y-4">
        <div className="min-w-0">
          <h1 className="flex items-center gap-3 text-2xl font-semibold tracking-tight">
            <StateGlyph of={monitor.status.state} size={22} alive={monitor.status.state === 'down'} />
            <span className="min-w-0 [overflow-wrap:anywhere]">{monitor.spec.name}</span>
          </h1>
          <p className="mt-1.5 flex flex-wrap items-center gap-x-2 text-ink-faint">
            <span className="font-medium">{KIND_LABEL[monitor.kind] ?? monitor.kind}</span>
            <Target monitor={monitor} />
            <span aria-hidden="true" className="hidden sm:inline">
              ·
            </span>
            <span>
              {every(monitor.spec.interval_seconds ?? 60)} from {plural(monitor.regions.length, 'region')}
            </span>
          </p>
        </div>
        {mayEdit && (
          <div className="flex gap-2">
            <Button busy={pause.isPending} onClick={() => pause.mutate(!paused)}>
              {paused ? <PlayIcon className="-ml-1" /> : <PauseIcon className="-ml-1" />}
              {paused ? 'Resume' : 'Pause'}
            </Button>
            <Link {...edit} className={buttonClass()}>
              <EditIcon className="-ml-1" />
              Edit
            </Link>
            <Button square aria-label="Delete" onClick={() => setAsking(true)}>
              <TrashIcon />
            </Button>
          </div>
        )}
      </div>
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title={`Delete ${monitor.spec.name}?`}
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
            <Button tone="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
              Delete
            </Button>
          </>
        }
      >
        Its checks stop and an open incident is closed. To stop checking for a while, pause it instead.
      </Dialog>
    </header>
  )
}

function Target({ monitor }: { monitor: MonitorView }) {
  // A masked URL leads elsewhere.
  if (monitor.kind !== 'http' || isMasked(monitor.target))
    return <span className="[overflow-wrap:anywhere]">{shortTarget(monitor.target)}</span>
  return (
    <a
      href={monitor.target}
      target="_blank"
      rel="noreferrer"
      className="inline-flex items-center gap-1 [overflow-wrap:anywhere] hover:text-ink hover:underline"
    >
      {shortTarget(monitor.target)}
      <ExternalIcon width={14} height={14} />
    </a>
  )
}

export function BackLink({
  to,
  params,
  label,
}: {
  to: '/' | '/monitors/$id'
  params?: { id: string }
  label: string
}) {
  return (
    <Link
      to={to}
      {...(params ? { params } : {})}
      className="-ml-1.5 inline-flex items-center gap-0.5 rounded-control pr-2 text-sm text-ink-faint hover:text-ink"
    >
      <BackIcon width={16} height={16} />
      {label}
    </Link>
  )
}
