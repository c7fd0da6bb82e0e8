import { render } from '@testing-library/react'
import { expect, it } from 'vitest'

import type { Bucket, Outcome } from '#/api/schema.d.ts'
import { OUTCOMES } from '#/lib/words.ts'
import { shares, TimelineStrip } from './TimelineStrip.tsx'

function bucket(counts: Partial<Record<Outcome, number>>): Bucket {
  const all = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, counts[outcome] ?? 0])) as Record<
    Outcome,
    number
  >
  const due = Object.values(all).reduce((sum, n) => sum + n, 0)
  return { from: 0, to: 60_000, due, ...all, p50_us: null, p95_us: null, p99_us: null, max_us: null }
}

it('shows a single failure among a thousand', () => {
  const [down, up] = shares(bucket({ up: 999, down: 1 }))
  expect(down?.outcome).toBe('down')
  expect((down?.to ?? 0) - (down?.from ?? 0)).toBeGreaterThan(4)
  expect(up?.outcome).toBe('up')
})

it('gives every outcome a look of its own', () => {
  const looks = OUTCOMES.map((outcome) => {
    const { container } = render(
      <TimelineStrip buckets={[bucket({ [outcome]: 3 })]} width={100} active={undefined} />,
    )
    return [...container.querySelectorAll('g rect')]
      .map(
        (rect) =>
          `${rect.getAttribute('class') ?? ''} ${(rect.getAttribute('fill') ?? '').replace(/#.*-/, '#')}`,
      )
      .join(' | ')
  })
  expect(new Set(looks).size).toBe(OUTCOMES.length)
})

it('draws missed hollow, never as up', () => {
  const { container } = render(
    <TimelineStrip buckets={[bucket({ missed: 4 })]} width={100} active={undefined} />,
  )
  expect(container.querySelector('g .fill-up\\/70')).toBeNull()
  expect(container.querySelector('g .stroke-missed')).not.toBeNull()
})

it('leaves a bucket in which nothing was due as a dash', () => {
  const { container } = render(<TimelineStrip buckets={[bucket({})]} width={100} active={undefined} />)
  expect(container.querySelectorAll('g rect')).toHaveLength(1)
})
