import { memo } from 'react'

import type { Beat } from '#/api/schema.d.ts'
import { latency } from '#/lib/format.ts'

const WIDTH = 132
const HEIGHT = 32
const TOP = 4
const BASE = 25
const RAIL = 29.5

interface Props {
  beats: readonly Beat[]
  width?: number
  /** Checks come from so many regions in turn, each with its own distance: they are averaged. */
  regions?: number
}

/**
 * Latency of the newest checks, evenly spaced. Where there was no answer the line breaks; below it a
 * rail marks what was not up: red dashes for down, grey ticks for missed and unknown.
 */
export const Sparkline = memo(function Sparkline({ beats: raw, width = WIDTH, regions = 1 }: Props) {
  const beats = smooth(raw, regions)
  if (beats.length < 2) return <span className="block h-8" style={{ width }} />
  const measured = beats.flatMap((beat) => (beat.latency_us == null ? [] : [beat.latency_us]))
  const low = Math.min(...measured)
  // A calm target shall look calm: a few per cent or less than a millisecond of wander is
  // not drawn as mountains.
  const high = Math.max(...measured, low * 1.6, low + 1_000)
  const step = (width - 4) / (beats.length - 1)
  const x = (i: number) => 2 + i * step
  const y = (us: number) => BASE - ((us - low) / (high - low)) * (BASE - TOP)

  let line = ''
  let pen = false
  for (const [i, beat] of beats.entries()) {
    if (beat.latency_us == null) {
      pen = false
      continue
    }
    line += `${pen ? 'L' : 'M'}${x(i).toFixed(1)} ${y(beat.latency_us).toFixed(1)}`
    // A single answer between gaps is still to be seen.
    if (!pen && beats[i + 1]?.latency_us == null) line += 'h.01'
    pen = true
  }
  const last = beats.at(-1)

  return (
    <svg
      width={width}
      height={HEIGHT}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      role="img"
      aria-label={describe(raw)}
      className="block"
    >
      <path
        d={line}
        fill="none"
        className="stroke-accent/75"
        strokeWidth="1.4"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
      {last?.latency_us != null && (
        <circle cx={x(beats.length - 1)} cy={y(last.latency_us)} r="1.9" className="fill-accent" />
      )}
      <path d={rail(beats, x, step, isDown)} className="stroke-down" strokeWidth="2.5" />
      <path d={rail(beats, x, 1, isBlind)} className="stroke-ink-faint/70" strokeWidth="1.2" />
    </svg>
  )
})

/** The mean of as many answers as there are regions; a gap stays a gap. */
function smooth(beats: readonly Beat[], over: number): readonly Beat[] {
  if (over < 2) return beats
  return beats.map((beat, i) => {
    if (beat.latency_us == null) return beat
    const near = beats
      .slice(Math.max(0, i - over + 1), Math.max(i + 1, over))
      .flatMap((one) => (one.latency_us == null ? [] : [one.latency_us]))
    return { ...beat, latency_us: near.reduce((sum, us) => sum + us, 0) / near.length }
  })
}

const isDown = (beat: Beat) => beat.outcome === 'down'
const isBlind = (beat: Beat) => beat.outcome === 'missed' || beat.outcome === 'unknown'

/** A dash on the rail under every beat that matches. */
function rail(
  beats: readonly Beat[],
  x: (i: number) => number,
  width: number,
  matches: (beat: Beat) => boolean,
): string {
  return beats
    .map((beat, i) => (matches(beat) ? `M${(x(i) - width / 2).toFixed(1)} ${RAIL}h${width.toFixed(1)}` : ''))
    .join('')
}

function describe(beats: readonly Beat[]): string {
  const measured = beats.flatMap((beat) => (beat.latency_us == null ? [] : [beat.latency_us]))
  const down = beats.filter((beat) => beat.outcome === 'down').length
  const span = measured.length
    ? `${latency(Math.min(...measured))} to ${latency(Math.max(...measured))}`
    : 'no answer'
  return `Last ${beats.length} checks: ${span}${down ? `, ${down} down` : ''}`
}
