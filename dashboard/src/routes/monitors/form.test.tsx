import { screen, waitFor } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'
import { Backend } from '#test/backend.ts'

it('shows what the server found wrong at the field it named, and moves there', async () => {
  const { user } = open('/monitors/new')
  await user.type(await screen.findByLabelText('URL'), 'ftp://shop.example')
  await user.type(screen.getByLabelText('Name'), 'Checkout API')
  await user.click(screen.getByRole('button', { name: 'Start watching' }))

  const url = screen.getByLabelText('URL')
  await waitFor(() => expect(url).toBeInvalid())
  expect(url).toHaveAccessibleDescription(/Scheme "ftp" is not checked over HTTP/)
  expect(url).toHaveFocus()

  await user.clear(url)
  await user.type(url, 'https://shop.example')
  await user.click(screen.getByRole('button', { name: 'Start watching' }))
  await waitFor(() => expect(screen.getByLabelText('Name')).toBeInvalid())
  expect(screen.getByLabelText('Name')).toHaveAccessibleDescription(/taken/)
})

it('names the row of the assertion that is wrong', async () => {
  const { user } = open('/monitors/new')
  await user.type(await screen.findByLabelText('URL'), 'https://shop.example')
  for (const kind of ['Latency', 'Status']) {
    await user.click(screen.getByRole('button', { name: 'Add an assertion' }))
    await user.click(await screen.findByRole('menuitem', { name: kind }))
  }
  await user.clear(screen.getByLabelText('Status is'))
  await user.type(screen.getByLabelText('Status is'), '2xx,600x')
  await user.click(screen.getByRole('button', { name: 'Start watching' }))
  await waitFor(() => expect(screen.getByLabelText('Status is')).toBeInvalid())
  expect(screen.getByLabelText('At most')).toBeValid()
})

it('loses nothing that was typed when the server is in trouble', async () => {
  const { user } = open('/monitors/new')
  await user.type(await screen.findByLabelText('URL'), 'https://shop.example')
  await user.type(screen.getByLabelText('Name'), 'error-503')
  await user.click(screen.getByRole('button', { name: 'Start watching' }))
  expect(await screen.findByText(/users service does not answer/)).toBeInTheDocument()
  expect(screen.getByLabelText('URL')).toHaveValue('https://shop.example')
})

it('changes only what was changed', async () => {
  const backend = new Backend()
  const portal = backend.db.list().find((one) => one.spec.name === 'Checkout API')
  const before = structuredClone(portal?.spec)
  const { user, router } = open(`/monitors/${portal?.id}/edit`, backend)
  const name = await screen.findByLabelText('Name')
  await user.clear(name)
  await user.type(name, 'Checkout')
  await user.click(screen.getByRole('button', { name: 'Save' }))
  await waitFor(() => expect(router.state.location.pathname).toBe(`/monitors/${portal?.id}`))
  expect(portal?.spec).toEqual({ ...before, name: 'Checkout' })
})

it('offers the channels, and sends those that are chosen', async () => {
  const backend = new Backend()
  const portal = backend.db.list().find((one) => one.spec.name === 'Website')
  if (!portal) throw new Error('a monitor')
  portal.spec.alert.channels = ['Old pager']
  const { user } = open(`/monitors/${portal.id}/edit`, backend)
  expect(await screen.findByText('None chosen: told through Slack and Webhook.')).toBeInTheDocument()
  // A channel that is gone stays until somebody takes it off.
  await user.click(screen.getByRole('checkbox', { name: /Old pager/ }))
  await user.click(screen.getByRole('checkbox', { name: /^Slack/ }))
  expect(screen.queryByText(/None chosen/)).not.toBeInTheDocument()
  await user.click(screen.getByRole('button', { name: 'Save' }))
  await waitFor(() => expect(portal.spec.alert.channels).toEqual(['Slack']))
})

it('says where nobody is told, and that degraded tells nobody', async () => {
  const { user } = open('/monitors/new', new Backend({ channels: [] }))
  expect(await screen.findByRole('note')).toHaveTextContent('Nobody is told yet')
  await user.click(screen.getByRole('button', { name: 'Add an assertion' }))
  await user.click(await screen.findByRole('menuitem', { name: 'Latency' }))
  expect(screen.getByLabelText('Otherwise the check is')).toHaveAccessibleDescription(
    'Degraded is shown, and nobody is told. Choose down to be told.',
  )
  // Who wants nobody to be told misses no channel.
  await user.click(screen.getByRole('checkbox', { name: /Tell people/ }))
  expect(screen.queryByRole('note')).not.toBeInTheDocument()
})

it('shows a viewer masks for secrets, and nothing to save them with', async () => {
  const backend = new Backend({ role: 'viewer' })
  const portal = backend.db.list().find((one) => one.spec.name === 'Checkout API')
  if (portal?.spec.probe.kind !== 'http') throw new Error('an HTTP monitor')
  // As the gateway answers a viewer.
  portal.spec.probe.url = 'https://shop.example/health?key=__masked__'
  portal.spec.probe.headers = { authorization: '__masked__' }
  const page = open(`/monitors/${portal.id}`, backend)
  expect(await screen.findByText('shop.example/health?key=••••')).not.toHaveAttribute('href')
  for (const name of ['Pause', 'Delete'])
    expect(screen.queryByRole('button', { name })).not.toBeInTheDocument()
  expect(screen.queryByRole('link', { name: 'Edit' })).not.toBeInTheDocument()
  page.unmount()

  open(`/monitors/${portal.id}/edit`, backend)
  expect(await screen.findByLabelText('Headers: name 1')).toHaveValue('authorization')
  expect(screen.getByLabelText('Headers: value 1')).toHaveValue('__masked__')
  expect(await screen.findByText(/not change them/)).toBeInTheDocument()
  expect(screen.queryByRole('button', { name: 'Save' })).not.toBeInTheDocument()
})

it('offers a viewer no incident to acknowledge', async () => {
  open('/incidents', new Backend({ role: 'viewer' }))
  expect(await screen.findByRole('article', { name: 'Checkout API, Open' })).toBeInTheDocument()
  expect(screen.queryByRole('button', { name: 'Acknowledge' })).not.toBeInTheDocument()
})

it('offers a viewer no monitor to add', async () => {
  open('/', new Backend({ role: 'viewer', empty: true }))
  expect(await screen.findByText('Editors and admins add monitors.')).toBeInTheDocument()
  expect(screen.queryByRole('link', { name: /^New/ })).not.toBeInTheDocument()
})

it('leaves the region to the mesh where nothing is known, and warns of one that nobody serves', async () => {
  const backend = new Backend({ empty: true })
  const { user, router } = open('/monitors/new', backend)
  await user.type(await screen.findByLabelText('URL'), 'https://shop.example')
  expect(screen.getByText(/checked from the mesh’s own region/)).toBeInTheDocument()
  await user.click(screen.getByRole('button', { name: 'Start watching' }))
  await waitFor(() => expect(backend.db.list().map((one) => one.spec.regions)).toEqual([['local']]))

  const [made] = backend.db.list()
  await waitFor(() => expect(router.state.location.pathname).toBe(`/monitors/${made?.id}`))
  await router.navigate({ to: '/monitors/$id/edit', params: { id: made?.id ?? '' } })
  await user.type(await screen.findByLabelText('Another region'), 'nowhere{Enter}')
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(await screen.findByText(/no pinger serves the region nowhere/)).toBeInTheDocument()
})
