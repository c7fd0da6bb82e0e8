import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'
import { Backend } from '#test/backend.ts'

it('shows how far each reader is, and a blind prober with what it means', async () => {
  open('/system')
  const readers = await screen.findByRole('region', { name: 'Readers of the log' })
  expect(within(readers).getByText('alerter').closest('li')).toHaveTextContent('0 behind')
  const regions = screen.getByRole('region', { name: 'Regions' })
  expect(regions).toHaveTextContent('unknown, not down')
  expect(regions).toHaveTextContent('412 results wait for Kafka')
})

it('tells how far a region is judged from how far it is checked', async () => {
  open('/system')
  const regions = await screen.findByRole('region', { name: 'Regions' })
  const [first] = within(regions).getAllByRole('listitem')
  expect(first).toHaveTextContent(/newest result 0.s ago/)
  expect(first).toHaveTextContent(/judged up to 2.s ago/)
  const figure = screen.getByText('Newest judged slot').closest('div')
  expect(figure).toHaveTextContent(/[2-9].s ago/)
})

it('names the channels, or says that there is none', async () => {
  const { unmount } = open('/system')
  const panel = await screen.findByRole('region', { name: 'Channels' })
  expect((await within(panel).findByText('Slack')).closest('li')).toHaveTextContent('incoming webhook')
  unmount()

  open('/system', new Backend({ channels: [] }))
  const empty = await screen.findByRole('region', { name: 'Channels' })
  expect(await within(empty).findByRole('note')).toHaveTextContent('SLACK_WEBHOOK_URL')
})

it('shows dead letters as they are and drives one again, once', async () => {
  const { user } = open('/system')
  const panel = await screen.findByRole('region', { name: 'Dead letters' })
  await user.click(await within(panel).findByRole('link', { name: 'Look' }))
  expect(await within(panel).findByText('version 9 is newer than this reader knows')).toBeInTheDocument()
  expect(within(panel).getByText('{"v":9,"monitor":"<script>alert(1)</script>"}')).toBeInTheDocument()
  const [again] = within(panel).getAllByRole('button', { name: 'Drive again' })
  await user.click(again as HTMLElement)
  expect(await within(panel).findByText('Driven again by admin@example.com')).toBeInTheDocument()
  expect(within(panel).getAllByRole('button', { name: 'Drive again' })).toHaveLength(1)
})
