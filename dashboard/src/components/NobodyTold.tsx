/** Said wherever somebody may rely on being told, while there is no channel to tell them through. */
export function NobodyTold() {
  return (
    <p role="note" className="rounded-control bg-degraded-soft px-3 py-2 text-sm text-degraded-ink">
      Nobody is told yet: set <code className="font-mono text-xs">SLACK_WEBHOOK_URL</code> (docs/settings.md).
    </p>
  )
}
