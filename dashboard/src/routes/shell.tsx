import { useQueryClient } from '@tanstack/react-query'
import { Outlet, useLocation, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'

import { startLive } from '#/api/live/connection.ts'
import { ConnectionBanner } from '#/components/ConnectionBanner.tsx'
import { useMayEdit } from '#/components/may-edit.ts'
import { Navigation } from '#/components/Navigation.tsx'
import { ShortcutHelp } from '#/components/ShortcutHelp.tsx'
import { useShortcuts } from '#/lib/shortcuts.ts'
import { Toaster } from '#/ui/toast.tsx'

/** The frame around every page behind the login: navigation, live stream, page-wide keys. */
export function Shell() {
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const location = useLocation()
  const main = useRef<HTMLElement>(null)
  const [help, setHelp] = useState(false)
  const mayEdit = useMayEdit()

  useEffect(() => startLive(queryClient), [queryClient])

  useEffect(() => {
    const leave = () => void navigate({ to: '/login', search: { next: window.location.pathname } })
    window.addEventListener('upmesh:logged-out', leave)
    return () => window.removeEventListener('upmesh:logged-out', leave)
  }, [navigate])

  // A new page starts at its top for the keyboard and for screen readers too.
  const path = location.pathname
  const first = useRef(path)
  useEffect(() => {
    if (first.current === path) return
    first.current = path
    main.current?.focus({ preventScroll: true })
  }, [path])

  useShortcuts({
    '?': () => setHelp(true),
    ...(mayEdit ? { n: () => void navigate({ to: '/monitors/new' }) } : {}),
    g: () => void navigate({ to: '/' }),
    i: () => void navigate({ to: '/incidents' }),
    s: () => void navigate({ to: '/system' }),
  })

  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[15rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-3 focus:left-3 focus:z-50 focus:rounded-control focus:bg-ink focus:px-4 focus:py-2 focus:text-canvas"
      >
        Skip to content
      </a>
      <Navigation onHelp={() => setHelp(true)} />
      <div className="min-w-0 pb-20 lg:pb-10">
        <ConnectionBanner />
        <main
          id="main"
          ref={main}
          tabIndex={-1}
          className="mx-auto max-w-6xl px-4 pt-6 outline-none sm:px-6 lg:px-10 lg:pt-9"
        >
          <Outlet />
        </main>
      </div>
      <ShortcutHelp open={help} onClose={() => setHelp(false)} />
      <Toaster />
    </div>
  )
}
