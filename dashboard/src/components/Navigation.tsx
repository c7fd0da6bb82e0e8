import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect } from 'react'

import { countsQuery } from '#/api/queries.ts'
import { IncidentsIcon, MonitorsIcon, SystemIcon } from '#/ui/icons.tsx'
import { Account } from './Account.tsx'
import { LiveMark } from './LiveMark.tsx'
import { Logo } from './Logo.tsx'

const PAGES = [
  { to: '/', label: 'Monitors', icon: <MonitorsIcon />, exact: false },
  { to: '/incidents', label: 'Incidents', icon: <IncidentsIcon />, exact: false },
  { to: '/system', label: 'System', icon: <SystemIcon />, exact: false },
] as const

/** A sidebar where there is room, a top bar and tabs at the thumb where there is not. */
export function Navigation({ onHelp }: { onHelp: () => void }) {
  const down = useQuery(countsQuery).data?.down ?? 0
  useFavicon(down > 0)
  return (
    <>
      <header className="sticky top-0 z-30 flex h-14 items-center justify-between border-b border-line bg-surface/90 px-4 backdrop-blur lg:hidden">
        <Brand />
        <Account onHelp={onHelp} compact />
      </header>

      <header className="sticky top-0 hidden h-dvh flex-col border-r border-line bg-surface px-3 py-5 lg:flex">
        <div className="px-2">
          <Brand />
        </div>
        <nav aria-label="Main" className="mt-7 flex flex-col gap-0.5">
          {PAGES.map((page) => (
            <NavLink key={page.to} {...page} badge={page.to === '/incidents' ? down : 0} wide />
          ))}
        </nav>
        <div className="mt-auto flex flex-col gap-2">
          <LiveMark />
          <Account onHelp={onHelp} />
        </div>
      </header>

      <nav
        aria-label="Main"
        className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-surface/95 pb-[env(safe-area-inset-bottom)] backdrop-blur lg:hidden"
      >
        {PAGES.map((page) => (
          <NavLink key={page.to} {...page} badge={page.to === '/incidents' ? down : 0} />
        ))}
      </nav>
    </>
  )
}

function Brand() {
  return (
    <Link
      to="/"
      className="inline-flex items-center gap-2.5 rounded-control text-[0.9375rem] font-semibold tracking-tight"
    >
      <Logo size={26} />
      Upmesh
    </Link>
  )
}

interface NavLinkProps {
  to: (typeof PAGES)[number]['to']
  label: string
  icon: ReactNode
  badge: number
  wide?: boolean
}

function NavLink({ to, label, icon, badge, wide }: NavLinkProps) {
  return (
    <Link
      to={to}
      activeOptions={{ exact: to === '/', includeSearch: false }}
      activeProps={{ 'aria-current': 'page' }}
      className={
        wide
          ? 'flex h-9 items-center gap-2.5 rounded-control px-2.5 text-ink-soft transition-colors hover:bg-hover hover:text-ink aria-[current]:bg-sunken aria-[current]:font-medium aria-[current]:text-ink'
          : 'relative flex flex-1 flex-col items-center gap-0.5 pt-2 pb-1.5 text-2xs text-ink-faint aria-[current]:font-medium aria-[current]:text-ink'
      }
    >
      {icon}
      {label}
      {badge > 0 && (
        <span
          title={`${badge} down`}
          className={
            wide
              ? 'figures ml-auto rounded-full bg-down-soft px-2 text-xs font-medium text-down-ink'
              : 'figures absolute top-1 left-1/2 ml-2 rounded-full bg-down-ink px-1.5 text-[0.625rem] leading-4 font-medium text-surface'
          }
        >
          {badge}
          <span className="sr-only"> down</span>
        </span>
      )}
    </Link>
  )
}

/** The tab itself shows trouble, by its mark's colour. */
function useFavicon(isDown: boolean) {
  useEffect(() => {
    document.getElementById('favicon')?.setAttribute('href', isDown ? '/favicon-down.svg' : '/favicon.svg')
  }, [isDown])
}
