import { expect, it, vi } from 'vitest'

import { readEvents, type ServerEvent } from './sse.ts'

async function read(...chunks: string[]) {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk))
      controller.close()
    },
  })
  const heard = vi.fn()
  const events: ServerEvent[] = []
  for await (const event of readEvents(body, heard)) events.push(event)
  return { events, heard: heard.mock.calls.length }
}

it('reads events with names, ids and several data lines', async () => {
  const { events } = await read('event: results\nid: 7\ndata: {"a":\ndata: 1}\n\ndata: plain\n\n')
  expect(events).toEqual([
    { event: 'results', id: '7', data: '{"a":\n1}' },
    { event: 'message', id: undefined, data: 'plain' },
  ])
})

it('hears heartbeats without making events of them', async () => {
  const { events, heard } = await read(': beat\n\n', ':\n\n')
  expect(events).toEqual([])
  expect(heard).toBe(2)
})

it('joins what the network cut, even inside a line end', async () => {
  const { events } = await read('event: ver', 'dicts\r', '\ndata: x\r\n\r', '\ndata: y\r\n\r\n')
  expect(events.map((event) => [event.event, event.data])).toEqual([
    ['verdicts', 'x'],
    ['message', 'y'],
  ])
})

it('keeps an event without data, such as resync', async () => {
  const { events } = await read('event: resync\ndata:\n\nevent: resync\n\n')
  expect(events.map((event) => event.event)).toEqual(['resync', 'resync'])
})

it('drops an unfinished event, as the standard says', async () => {
  const { events } = await read('data: half')
  expect(events).toEqual([])
})
