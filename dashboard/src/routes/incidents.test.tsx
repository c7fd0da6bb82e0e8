import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'

it('puts the open ones first, with who was told, and takes an acknowledgement', async () => {
  const { user } = open('/incidents')
  const openNow = await screen.findByRole('region', { name: 'Open now' })
  const incident = await within(openNow).findByRole('article', { name: 'Checkout API, Open' })
  expect(incident).toHaveTextContent('Slack #incidents')
  expect(incident).toHaveTextContent('Delivered')
  await user.click(within(incident).getByRole('button', { name: 'Acknowledge' }))
  expect(
    await within(openNow).findByRole('article', { name: 'Checkout API, Acknowledged' }),
  ).toBeInTheDocument()
  const resolved = screen.getByRole('region', { name: 'Resolved' })
  expect((await within(resolved).findAllByRole('article')).length).toBeGreaterThan(2)
})
