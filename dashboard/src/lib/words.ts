import type { AlertKind, Cause, DeliveryState, IncidentState, Outcome, State } from '#/api/schema.d.ts'

/** What the API's words are called on the page. One place, so that a word is the same everywhere. */

export const STATE_LABEL: Record<State, string> = {
  up: 'Up',
  degraded: 'Degraded',
  down: 'Down',
  unknown: 'Unknown',
  paused: 'Paused',
  pending: 'Pending',
}

export const STATE_HINT: Record<State, string> = {
  up: 'Fresh checks succeed.',
  degraded: 'The target answers, but slower or closer to expiry than it should.',
  down: 'The target failed, and the failure is confirmed.',
  unknown: 'Not enough fresh evidence. This says nothing about the target.',
  paused: 'Switched off. No checks run.',
  pending: 'Not checked yet.',
}

export const OUTCOME_LABEL: Record<Outcome, string> = {
  up: 'Up',
  degraded: 'Degraded',
  down: 'Down',
  unknown: 'Unknown',
  missed: 'Missed',
  maintenance: 'Maintenance',
}

export const OUTCOME_HINT: Record<Outcome, string> = {
  up: 'The target answered and every assertion held.',
  degraded: 'The target answered, but a latency or certificate assertion did not hold.',
  down: 'The target failed.',
  unknown: 'We failed, not the target: no verdict.',
  missed: 'The check was due and did not run.',
  maintenance: 'Planned: counted neither way.',
}

export const OUTCOMES: readonly Outcome[] = ['up', 'degraded', 'down', 'unknown', 'missed', 'maintenance']

export const CAUSE_LABEL: Record<Cause, string> = {
  timeout: 'Timed out',
  dns_not_found: 'Name not found',
  connection_refused: 'Connection refused',
  connection_reset: 'Connection reset',
  unreachable: 'Host unreachable',
  tls: 'TLS handshake failed',
  certificate: 'Certificate not trusted',
  protocol: 'Invalid answer',
  redirect: 'Redirect refused',
  status: 'Unexpected status',
  assertion: 'Assertion failed',
  latency: 'Too slow',
  certificate_expiry: 'Certificate expires soon',
  packet_loss: 'No echo reply',
  resolver: 'Our resolver failed',
  forbidden: 'Address not allowed',
  resources: 'Pinger out of resources',
  local_network: 'Pinger lost its network',
  unsupported: 'Pinger cannot run this',
  internal: 'Internal error',
  saturated: 'Pinger saturated',
  not_run: 'Not run in time',
  evicted: 'Dropped from a full spool',
}

export const INCIDENT_LABEL: Record<IncidentState, string> = {
  open: 'Open',
  acknowledged: 'Acknowledged',
  resolved: 'Resolved',
}

export const ALERT_LABEL: Record<AlertKind, string> = {
  opened: 'Opened',
  acknowledged: 'Acknowledged',
  reminded: 'Reminder',
  escalated: 'Escalated',
  resolved: 'Resolved',
}

export const DELIVERY_LABEL: Record<DeliveryState, string> = {
  pending: 'Sending',
  delivered: 'Delivered',
  failed: 'Failed',
  superseded: 'Superseded',
}

export const KIND_LABEL: Record<string, string> = { http: 'HTTP', tcp: 'TCP', icmp: 'ICMP' }

const CHANNEL_KIND: Record<string, string> = {
  slack_webhook: 'Slack, incoming webhook',
  slack_bot: 'Slack, bot',
  webhook: 'POST to an address',
}

export const channelKind = (kind: string): string => CHANNEL_KIND[kind] ?? kind.replaceAll('_', ' ')

/** A cause this dashboard does not know yet still reads as words. */
export function causeLabel(cause: string | null | undefined): string | undefined {
  if (!cause) return undefined
  return CAUSE_LABEL[cause as Cause] ?? cause.replaceAll('_', ' ')
}
