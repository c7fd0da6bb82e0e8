import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { api, unwrap } from '#/api/client.ts'
import { messageOf } from '#/api/errors.ts'
import { incidentsKey } from '#/api/queries.ts'
import type { Alert, Delivery, Incident } from '#/api/schema.d.ts'
import { cn } from '#/lib/cn.ts'
import { dayAndTime, duration, fullTime, plural } from '#/lib/format.ts'
import { ALERT_LABEL, causeLabel, DELIVERY_LABEL, INCIDENT_LABEL } from '#/lib/words.ts'
import { Button } from '#/ui/Button.tsx'
import { CheckIcon, CloseIcon } from '#/ui/icons.tsx'
import { toast } from '#/ui/toast.tsx'
import { Since } from './Ago.tsx'
import { useMayEdit } from './may-edit.ts'
import { StateGlyph } from './StateGlyph.tsx'

/** One incident with what was told to whom. */
export function IncidentItem({ incident }: { incident: Incident }) {
  const open = incident.state !== 'resolved'
  const mayEdit = useMayEdit()
  return (
    <article
      aria-label={`${incident.monitor_name}, ${INCIDENT_LABEL[incident.state]}`}
      className="px-4 py-4 sm:px-6"
    >
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <StateGlyph of={open ? 'down' : 'up'} size={18} alive={open} decorative className="mt-0.5" />
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-baseline gap-x-2.5">
            <Link
              to="/monitors/$id"
              params={{ id: incident.monitor }}
              className="font-medium [overflow-wrap:anywhere] hover:underline"
            >
              {incident.monitor_name}
            </Link>
            <StateTag incident={incident} />
          </div>
          <p className="mt-0.5 text-sm [overflow-wrap:anywhere] text-ink-soft">
            {[causeLabel(incident.cause), incident.detail].filter(Boolean).join(': ') || 'Cause not known'}
          </p>
        </div>
        <div className="figures ml-8.5 text-sm sm:ml-0 sm:text-right">
          <p className={cn('font-medium', open && 'text-down-ink')}>
            {open ? <Since at={incident.opened_at} /> : duration(incident.duration_ms)}
          </p>
          <p className="text-xs text-ink-faint" title={fullTime(incident.opened_at)}>
            {dayAndTime(incident.opened_at)}
          </p>
        </div>
      </div>
      <div className="mt-3 ml-8.5 flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-xs text-ink-faint">
        <ul className="flex flex-wrap gap-x-5 gap-y-1.5">
          <li>
            {incident.regions.length === 1 ? incident.regions[0] : plural(incident.regions.length, 'region')}
          </li>
          {incident.alerts.map((alert) => (
            <AlertLine
              key={`${alert.kind} ${alert.at}`}
              alert={alert}
              by={alert.kind === 'acknowledged' ? incident.acknowledged_by : null}
            />
          ))}
        </ul>
        {incident.state === 'open' && mayEdit && <Acknowledge incident={incident} />}
      </div>
    </article>
  )
}

function StateTag({ incident: { state } }: { incident: Incident }) {
  return (
    <span
      className={cn(
        'rounded-full px-2 text-xs leading-5 font-medium',
        state === 'open' && 'bg-down-soft text-down-ink',
        state === 'acknowledged' && 'bg-degraded-soft text-degraded-ink',
        state === 'resolved' && 'bg-sunken text-ink-faint',
      )}
    >
      {INCIDENT_LABEL[state]}
    </span>
  )
}

function AlertLine({ alert, by }: { alert: Alert; by: string | null }) {
  return (
    <li className="flex flex-wrap items-center gap-x-1.5" title={fullTime(alert.at)}>
      {ALERT_LABEL[alert.kind]}
      {by && <span className="text-ink-soft">by {by}</span>}
      {alert.deliveries.length === 0 && alert.kind !== 'acknowledged' && <span>(nobody was told)</span>}
      {alert.deliveries.map((delivery) => (
        <DeliveryMark key={delivery.channel} delivery={delivery} />
      ))}
    </li>
  )
}

function DeliveryMark({ delivery }: { delivery: Delivery }) {
  const { state, attempts, last_error: lastError, channel } = delivery
  const failed = state === 'failed'
  return (
    <span
      title={lastError ?? undefined}
      className={cn('inline-flex items-center gap-1', failed ? 'font-medium text-down-ink' : 'text-ink-soft')}
    >
      <span aria-hidden="true">→</span> {channel}
      {state === 'delivered' && <CheckIcon width={14} height={14} className="text-up-ink" />}
      {failed && <CloseIcon width={14} height={14} />}
      <span className={state === 'delivered' ? 'sr-only' : undefined}>{DELIVERY_LABEL[state]}</span>
      {attempts > 1 && <span className="text-ink-faint">after {attempts} attempts</span>}
    </span>
  )
}

function Acknowledge({ incident }: { incident: Incident }) {
  const queryClient = useQueryClient()
  const acknowledge = useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/incidents/{id}/acknowledge', { params: { path: { id: incident.id } } })),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: incidentsKey }),
    onError: (error) => toast(messageOf(error), 'bad'),
  })
  return (
    <Button className="h-8 text-xs" busy={acknowledge.isPending} onClick={() => acknowledge.mutate()}>
      Acknowledge
    </Button>
  )
}
