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
