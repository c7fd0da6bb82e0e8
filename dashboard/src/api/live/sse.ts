/** One server-sent event. */
export interface ServerEvent {
  event: string
  data: string
  id: string | undefined
}

/**
 * Reads `text/event-stream`. Not `EventSource`, because that hides the heartbeat comments, and only
 * they tell a quiet mesh from a dead connection.
 *
 * `onBytes` is called for whatever arrives, comments included.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let pending = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onBytes()
      pending += decoder.decode(value, { stream: true })
      // A carriage return at the very end may be half of a line end: wait for the rest.
      const usable = pending.endsWith('\r') ? pending.length - 1 : pending.length
      const blocks = pending.slice(0, usable).replace(/\r\n?/g, '\n').split('\n\n')
      const rest = blocks.pop() ?? ''
      pending = rest + pending.slice(usable)
      for (const block of blocks) {
        const event = parse(block)
        if (event) yield event
      }
    }
  } finally {
    reader.releaseLock()
  }
}

function parse(block: string): ServerEvent | undefined {
  let event = 'message'
  let id: string | undefined
  const data: string[] = []
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon === 0 || line === '') continue
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') id = value
  }
  if (data.length === 0 && event === 'message') return undefined
  return { event, data: data.join('\n'), id }
}
