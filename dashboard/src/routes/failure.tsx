import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router'

import { ApiError, messageOf } from '#/api/errors.ts'
import { Button, buttonClass } from '#/ui/Button.tsx'

function Notice({ title, detail, onRetry }: { title: string; detail: string; onRetry?: () => void }) {
  return (
    <div role="alert" className="mx-auto flex max-w-md flex-col items-center px-6 py-24 text-center">
      <h1 className="text-lg font-semibold">{title}</h1>
      <p className="mt-2 text-ink-soft">{detail}</p>
      <div className="mt-6 flex gap-2">
        {onRetry && <Button onClick={onRetry}>Try again</Button>}
        <Link to="/" className={buttonClass(onRetry ? 'quiet' : 'plain')}>
          All monitors
        </Link>
      </div>
    </div>
  )
}

export function NotFound() {
  return <Notice title="Nothing here" detail="This page does not exist, or no longer does." />
}

/** Where a page could not be loaded. */
export function Failure({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  if (error instanceof ApiError && error.status === 404) return <NotFound />
  const title = error instanceof ApiError ? error.title : 'This page failed'
  return (
    <Notice
      title={title}
      detail={messageOf(error)}
      onRetry={() => {
        reset()
        void router.invalidate()
      }}
    />
  )
}
