import { useSyncExternalStore } from 'react'

import { cn } from '#/lib/cn.ts'
import { Button } from './Button.tsx'
import { CloseIcon } from './icons.tsx'

interface Toast {
  id: number
  text: string
  tone: 'plain' | 'bad'
}

let toasts: readonly Toast[] = []
let nextId = 1
const listeners = new Set<() => void>()

function set(next: readonly Toast[]) {
  toasts = next
  for (const listener of listeners) listener()
}

const dismiss = (id: number) => set(toasts.filter((one) => one.id !== id))

/** Says something for a few seconds; bad news stays until it is dismissed. */
export function toast(text: string, tone: Toast['tone'] = 'plain') {
  const id = nextId++
  set([...toasts.slice(-2), { id, text, tone }])
  if (tone === 'plain') setTimeout(() => dismiss(id), 5_000)
}

function subscribe(listener: () => void) {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

export function Toaster() {
  const shown = useSyncExternalStore(subscribe, () => toasts)
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-20 z-40 flex flex-col items-center gap-2 lg:bottom-6"
    >
      {shown.map((one) => (
        <div
          key={one.id}
          className={cn(
            'pointer-events-auto flex items-center gap-3 rounded-card py-1.5 pr-1.5 pl-4 text-sm shadow-pop',
            one.tone === 'bad' ? 'bg-down-ink text-surface' : 'bg-ink text-canvas',
          )}
        >
          {one.text}
          <Button
            tone="quiet"
            square
            aria-label="Dismiss"
            className="text-current hover:bg-current/10 hover:text-current"
            onClick={() => dismiss(one.id)}
          >
            <CloseIcon />
          </Button>
        </div>
      ))}
    </div>
  )
}
