import type { Uptime } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { count, percent } from '#/lib/format.ts'

/** Uptime never stands alone: "99.95 % (coverage 98.7 %)". */
export function UptimeFigure({ of, className }: { of: Uptime; className?: string }) {
  if (of.due === 0) return <span className="text-ink-faint">–</span>
  const thin = of.coverage != null && of.coverage < 0.95
  return (
    <span className={cn('figures', className)} title={account(of)}>
      <span className="font-medium text-ink">{percent(of.uptime)}</span>{' '}
      <span className={cn('text-xs', thin ? 'text-unknown-ink' : 'text-ink-faint')}>
        (coverage&nbsp;{percent(of.coverage, 1)})
      </span>
    </span>
  )
}

/** The sum behind the figures, in words. */
export function account(of: Uptime): string {
  const parts = (['up', 'degraded', 'down', 'unknown', 'missed', 'maintenance'] as const)
    .filter((outcome) => of[outcome] > 0)
    .map((outcome) => `${count(of[outcome])} ${outcome}`)
  return `${count(of.due)} checks due${parts.length ? `: ${parts.join(', ')}` : ''}`
}
