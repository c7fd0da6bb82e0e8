import { screen } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'
import { Backend } from '#test/backend.ts'

it('asks who is there, says so when it is nobody, and goes on to where one was going', async () => {
  const { user, router } = open('/system', new Backend({ loggedIn: false }))

  await user.type(await screen.findByLabelText('E-mail'), 'admin@example.com')
  await user.type(screen.getByLabelText('Password'), 'wrong')
  await user.click(screen.getByRole('button', { name: 'Log in' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('Wrong e-mail or password.')

  await user.clear(screen.getByLabelText('Password'))
  await user.type(screen.getByLabelText('Password'), 'upmesh-demo')
  await user.click(screen.getByRole('button', { name: 'Log in' }))
  expect(await screen.findByRole('heading', { level: 1, name: 'System' })).toBeInTheDocument()
  expect(router.state.location.pathname).toBe('/system')
})

it('says when nobody answers', async () => {
  const backend = new Backend({ loggedIn: false })
  const { user } = open('/login', backend)
  await user.type(await screen.findByLabelText('E-mail'), 'admin@example.com')
  await user.type(screen.getByLabelText('Password'), 'upmesh-demo')
  backend.cut()
  await user.click(screen.getByRole('button', { name: 'Log in' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('The gateway could not be reached.')
})
