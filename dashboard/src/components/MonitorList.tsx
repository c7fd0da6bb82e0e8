import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'

import { LIST_BEATS } from '#/api/live/apply.ts'
import type { MonitorView } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { useShortcuts } from '#/lib/shortcuts.ts'
import { COLUMNS, MonitorRow } from './MonitorRow.tsx'

export interface Section {
  /** Absent where there is only one. */
  title?: string
  monitors: readonly MonitorView[]
}

interface Props {
  sections: readonly Section[]
  /** Called when the end comes into sight. */
  onEnd: () => void
}

const ROW = 65
const HEADING = 44

type Item =
  | { kind: 'heading'; title: string }
  | { kind: 'row'; monitor: MonitorView; index: number; last: boolean }

function flatten(sections: readonly Section[]): Item[] {
  const items: Item[] = []
  let index = 0
  for (const { title, monitors } of sections) {
    if (title) items.push({ kind: 'heading', title })
    for (const [i, monitor] of monitors.entries())
      items.push({ kind: 'row', monitor, index: index++, last: i === monitors.length - 1 })
  }
  return items
}

/** Draws only the rows in sight, so that ten thousand monitors scroll like ten. */
export function MonitorList({ sections, onEnd }: Props) {
  const items = useMemo(() => flatten(sections), [sections])
  const list = useRef<HTMLDivElement>(null)
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => {
    const top = list.current?.getBoundingClientRect().top ?? 0
    setOffset(top + window.scrollY)
  }, [])

  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (i) => (items[i]?.kind === 'heading' ? HEADING : ROW),
    getItemKey: (i) => {
      const item = items[i]
      return item?.kind === 'row' ? item.monitor.id : `heading ${item?.title}`
    },
    overscan: 8,
    scrollMargin: offset,
    initialRect: { width: 1200, height: 800 },
  })
  const shown = virtual.getVirtualItems()

  const lastShown = shown.at(-1)?.index ?? 0
  const reachesEnd = lastShown >= items.length - 10
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when a page has arrived and its end is in sight too.
  useEffect(() => {
    if (reachesEnd) onEnd()
  }, [reachesEnd, items.length, onEnd])

  useRowKeys(items, (index) => virtual.scrollToIndex(index, { align: 'auto' }))

  return (
    <div ref={list}>
      <div aria-hidden="true" className={cn(COLUMNS, 'hidden! px-5 pb-2 text-xs text-ink-faint md:grid!')}>
        <span />
        <span>Monitor</span>
        <span>Last {LIST_BEATS} checks</span>
        <span className="text-right">Latency</span>
        <span className="text-right">Uptime 24 h</span>
        <span className="text-right">Last check</span>
      </div>
      <ul className="card relative overflow-hidden" style={{ height: virtual.getTotalSize() + 2 }}>
        {shown.map(({ index, key, start }) => {
          const item = items[index]
          if (!item) return null
          return (
            <li
              key={key}
              className={cn('absolute inset-x-0 top-0', item.kind === 'row' && 'border-b border-line')}
              style={{ transform: `translateY(${start - virtual.options.scrollMargin}px)` }}
            >
              {item.kind === 'row' ? (
                <MonitorRow monitor={item.monitor} index={item.index} />
              ) : (
                <h2 className="flex h-11 items-end border-b border-line bg-canvas/60 px-5 pb-2 text-xs font-medium text-ink-soft">
                  {item.title}
                </h2>
              )}
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** `j` and `k` move the focus itself, so that Enter opens and screen readers follow. */
function useRowKeys(items: readonly Item[], scrollTo: (item: number) => void) {
  function move(by: number) {
    const focused = document.activeElement?.getAttribute('data-row')
    const rows = items.filter((item) => item.kind === 'row').length
    const next = focused == null ? 0 : Math.min(rows - 1, Math.max(0, Number(focused) + by))
    scrollTo(items.findIndex((item) => item.kind === 'row' && item.index === next))
    const focus = () => {
      const row = document.querySelector<HTMLElement>(`[data-row="${next}"]`)
      row?.focus({ preventScroll: true })
      return row !== null
    }
    // A row out of sight is only drawn once scrolled to.
    if (!focus()) requestAnimationFrame(focus)
  }
  useShortcuts({ j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1) })
}
