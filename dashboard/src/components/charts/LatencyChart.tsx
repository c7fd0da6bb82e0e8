import 'uplot/dist/uPlot.min.css'

import { useEffect, useRef } from 'react'
import uPlot from 'uplot'

import type { Bucket } from '#/api/schema.d.ts'
import { latency, timeOfDay } from '#/lib/format.ts'
import { onThemeChange } from '#/lib/theme.ts'

interface Props {
  buckets: readonly Bucket[]
  width: number
  height: number
  /** Room for the labels at the left, so that what stands below can line up. */
  gutter: number
}

/** Median as a line, up to the 95th percentile as a band. A bucket without an answer is a gap. */
export function LatencyChart({ buckets, width, height, gutter }: Props) {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const latest = useRef<readonly Bucket[]>(buckets)

  useEffect(() => {
    const element = host.current
    if (!element) return
    function draw() {
      if (!element) return
      plot.current?.destroy()
      plot.current = new uPlot(options(element, gutter), data(latest.current), element)
    }
    draw()
    // Colours are read when drawn, so another theme means drawing anew.
    const stop = onThemeChange(() => requestAnimationFrame(draw))
    return () => {
      stop()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [gutter])

  useEffect(() => {
    latest.current = buckets
    plot.current?.setData(data(buckets))
  }, [buckets])

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height })
  }, [width, height])

  return <div ref={host} style={{ height }} className="overflow-hidden" />
}

/** Points stand in the middle of their buckets; two more at the ends hold the window open. */
function data(buckets: readonly Bucket[]): uPlot.AlignedData {
  const first = buckets[0]
  const last = buckets.at(-1)
  if (!first || !last) return [[], [], []]
  const x = [first.from / 1000, ...buckets.map((one) => (one.from + one.to) / 2000), last.to / 1000]
  return [
    x,
    [null, ...buckets.map((one) => one.p50_us), null],
    [null, ...buckets.map((one) => one.p95_us ?? one.p50_us), null],
  ]
}

/** A measured value between two gaps is drawn as a point, since no line leads to it. */
function lonely(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? []
  const found: number[] = []
  for (let i = 0; i < values.length; i++)
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i)
  return found
}

function options(element: HTMLElement, gutter: number): uPlot.Options {
  const color = (name: string) => resolveColor(element, `var(--color-${name})`)
  const accent = color('accent')
  const label = color('ink-faint')
  const grid = { stroke: color('line'), width: 1 }
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  return {
    width: 300,
    height: 200,
    padding: [10, 0, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_, min, max) => [min, max] },
      y: { range: (_, _min, max) => [0, (max || 100_000) * 1.12] },
    },
    axes: [
      {
        stroke: label,
        font,
        grid: { show: false },
        ticks: { show: false },
        gap: 6,
        size: 26,
        space: 90,
        values: timeLabels,
      },
      {
        stroke: label,
        font,
        grid,
        ticks: { show: false },
        gap: 8,
        size: gutter,
        splits: (_, _axis, _min, max) => ticks(max),
        values: (_, splits) => splits.map((us) => (us === 0 ? '0' : latency(us))),
      },
    ],
    series: [
      {},
      {
        stroke: accent,
        width: 1.75,
        points: { show: true, size: 5, fill: accent, filter: (plot, series) => lonely(plot, series) },
      },
      {
        stroke: resolveColor(element, 'color-mix(in oklab, var(--color-accent) 35%, transparent)'),
        width: 1,
        points: { show: false },
      },
    ],
    bands: [
      {
        series: [2, 1],
        fill: resolveColor(element, 'color-mix(in oklab, var(--color-accent) 12%, transparent)'),
      },
    ],
  }
}

/** Three or four round steps from zero. */
function ticks(max: number): number[] {
  const rough = max / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough
  const result: number[] = []
  for (let at = 0; at <= max; at += step) result.push(at)
  return result
}

/** The hour within a day, the date at midnight and over longer spans. */
function timeLabels(plot: uPlot, splits: number[]): string[] {
  const { min = 0, max = 0 } = plot.scales.x ?? {}
  const span = (splits.at(-1) ?? 0) - (splits[0] ?? 0)
  return splits.map((seconds) => {
    // A label at the very end would be cut in half.
    if ((max ?? 0) - seconds < ((max ?? 0) - (min ?? 0)) * 0.025) return ''
    const date = new Date(seconds * 1000)
    const midnight = date.getHours() === 0 && date.getMinutes() === 0
    return midnight || span > 3 * 86_400
      ? date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
      : timeOfDay(date.getTime())
  })
}

/** What the canvas understands: custom properties and `light-dark()` as plain colours. */
function resolveColor(element: HTMLElement, css: string): string {
  const probe = document.createElement('span')
  probe.style.color = css
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
