import { useQuery } from '@tanstack/react-query'
import { type ComponentProps, lazy, Suspense, useState } from 'react'

import { meQuery } from '#/api/queries.ts'
import { Button } from '#/ui/Button.tsx'
import { DownIcon } from '#/ui/icons.tsx'

interface Props extends ComponentProps<'button'> {
  /** Just the round mark, for the top bar of a phone. */
  compact?: boolean | undefined
}

/** Who is logged in; behind it the menu. */
export function AccountButton({ compact, ...props }: Props) {
  const me = useQuery(meQuery).data
  const name = me?.user.name || me?.user.email || ''
  const avatar = (
    <span
      aria-hidden="true"
      className="grid size-7 shrink-0 place-items-center rounded-full bg-accent-soft text-xs font-semibold text-accent"
    >
      {name.charAt(0).toUpperCase()}
    </span>
  )
  if (compact)
    return (
      <Button tone="quiet" square aria-label={`Account and settings: ${name}`} {...props}>
        {avatar}
      </Button>
    )
  return (
    <button
      type="button"
      {...props}
      className="flex items-center gap-2.5 rounded-control px-2 py-1.5 text-left transition-colors hover:bg-hover"
    >
      {avatar}
      <span className="min-w-0 flex-1">
        <span className="sr-only">Account and settings: </span>
        <span className="block truncate text-sm leading-5 font-medium">{name}</span>
        <span className="block truncate text-xs text-ink-faint">{me?.workspace.name}</span>
      </span>
      <DownIcon width={14} height={14} className="rotate-180 text-ink-faint" />
    </button>
  )
}

const load = () => import('./UserMenu.tsx')
const UserMenu = lazy(() => load().then((module) => ({ default: module.UserMenu })))

/** The menu and what positions it are loaded when somebody reaches for it. */
export function Account({ onHelp, compact }: { onHelp: () => void; compact?: boolean }) {
  const [wanted, setWanted] = useState(false)
  const button = (
    <AccountButton
      compact={compact}
      aria-haspopup="menu"
      onPointerEnter={() => void load()}
      onFocus={() => void load()}
      onClick={() => setWanted(true)}
    />
  )
  if (!wanted) return button
  return (
    <Suspense fallback={button}>
      <UserMenu onHelp={onHelp} compact={compact} />
    </Suspense>
  )
}
