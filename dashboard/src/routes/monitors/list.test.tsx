import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'
import { Backend } from '#test/backend.ts'

const names = () =>
  screen
    .getAllByRole('listitem')
    .flatMap((item) => within(item).queryAllByRole('link'))
    .map((link) => link.textContent)

it('shows trouble first, with uptime beside its coverage', async () => {
  open('/')
  expect(await screen.findByRole('heading', { name: 'Needs attention' })).toBeInTheDocument()
  await screen.findByRole('link', { name: 'Customer portal' })
  expect(names().slice(0, 3)).toEqual(['Checkout API', 'Search', 'Edge router, Frankfurt'])
  expect(await screen.findByText('1 down, 1 degraded, 1 unknown of 15 monitors.')).toBeInTheDocument()
  expect(screen.getAllByText(/\(coverage/).length).toBeGreaterThan(3)
  expect(screen.getAllByRole('img', { name: 'Down' }).length).toBeGreaterThan(0)
})

it('follows a verdict without reading the list again', async () => {
  const { backend } = open('/')
  await screen.findByRole('link', { name: 'Customer portal' })
  await waitFor(() => expect(backend.db.subscribers).toBe(1))
  const pages = () => backend.calls.filter((call) => /monitors\?limit=100/.test(call)).length
  const before = pages()

  const portal = backend.db.list().find((one) => one.spec.name === 'Customer portal')
  portal?.profile.episodes.unshift({
    from: Date.now() - 120_000,
    to: Number.MAX_SAFE_INTEGER,
    outcome: 'down',
    cause: 'timeout',
    detail: 'no answer within 10 s',
  })
  backend.db.tick()

  expect((await screen.findAllByText(/Timed out/)).length).toBeGreaterThan(0)
  expect(names().slice(0, 4)).toContain('Customer portal')
  await screen.findByText('2 down, 1 degraded, 1 unknown of 15 monitors.')
  expect(pages()).toBe(before)
})

it('keeps search and state in the address', async () => {
  const { user, router } = open('/')
  await screen.findByRole('link', { name: 'Customer portal' })
  await user.keyboard('/postgres')
  await waitFor(() => expect(names()).toEqual(['Postgres primary', 'Postgres replica']))
  expect(router.state.location.search).toEqual({ search: 'postgres' })
  await user.clear(screen.getByRole('searchbox'))
  await user.click(screen.getByRole('link', { name: /^Paused/ }))
  await waitFor(() => expect(names()).toEqual(['Legacy ERP']))
  expect(router.state.location.search).toEqual({ state: 'paused' })
})

it('walks and opens by keyboard', async () => {
  const { user, router } = open('/?search=postgres')
  await screen.findByRole('link', { name: 'Postgres replica' })
  await user.keyboard('j')
  await waitFor(() => expect(screen.getByRole('link', { name: 'Postgres primary' })).toHaveFocus())
  await user.keyboard('j')
  await waitFor(() => expect(screen.getByRole('link', { name: 'Postgres replica' })).toHaveFocus())
  await user.keyboard('{Enter}')
  await waitFor(() => expect(router.state.location.pathname).toMatch(/^\/monitors\//))
})

it('draws only what is in sight of two thousand monitors', async () => {
  open('/', new Backend({ monitors: 2_000 }))
  await screen.findByRole('heading', { name: 'Needs attention' })
  await screen.findAllByRole('link', { name: /Service/ })
  expect(screen.getAllByRole('listitem').length).toBeLessThan(60)
})

it('says to a newcomer who is told, and how somebody is where nobody is', async () => {
  const channels = [{ name: 'Slack', kind: 'slack_webhook', default: true }]
  const told = open('/', new Backend({ empty: true, channels }))
  expect(await screen.findByText(/you are told through Slack when it goes down\.$/)).toBeInTheDocument()
  expect(screen.queryByRole('note')).not.toBeInTheDocument()
  told.unmount()

  open('/', new Backend({ empty: true, channels: [] }))
  expect(await screen.findByRole('note')).toHaveTextContent('Nobody is told yet: set SLACK_WEBHOOK_URL')
  expect(screen.queryByText(/you are told/)).not.toBeInTheDocument()
})

it('teaches a newcomer, and adds what is typed', async () => {
  const { user } = open('/', new Backend({ empty: true }))
  await user.type(await screen.findByLabelText('Address'), 'shop.example/health{Enter}')
  expect(await screen.findByRole('link', { name: 'shop.example' })).toBeInTheDocument()
})

it('says how old it is when the mesh is gone, and catches up when it is back', async () => {
  const { backend } = open('/')
  await screen.findByRole('link', { name: 'Customer portal' })
  await waitFor(() => expect(backend.db.subscribers).toBe(1))
  backend.cut()
  expect(await screen.findByText(/No live connection: data is/, {}, { timeout: 8_000 })).toBeInTheDocument()
  const before = backend.calls.length
  backend.restore()
  await waitFor(() => expect(screen.queryByText(/No live connection/)).toBeNull(), { timeout: 12_000 })
  await waitFor(() =>
    expect(backend.calls.slice(before).some((call) => call.includes('limit=100'))).toBe(true),
  )
}, 25_000)

it('says as of when it is while live state is away, and that nothing is live', async () => {
  const { backend } = open('/')
  await screen.findByRole('link', { name: 'Customer portal' })
  expect(await screen.findByText('Live')).toBeInTheDocument()
  expect(screen.queryByText(/Live state is away/)).toBeNull()

  backend.db.setAway(true)
  const notice = await screen.findByText(/this is what the database has, as of/)
  const asOf = new Date(backend.db.asOf).toLocaleTimeString(undefined, { hour12: false })
  expect(notice).toHaveTextContent(`as of ${asOf}. What has no fresh result is unknown.`)
  expect(screen.getByText('Live state is away')).toBeInTheDocument()
  expect(screen.queryByText('Live')).toBeNull()

  backend.db.setAway(false)
  expect(await screen.findByText('Live')).toBeInTheDocument()
  await waitFor(() => expect(screen.queryByText(/Live state is away/)).toBeNull())
})

it('does not call itself live where the gateway hears nothing from the start', async () => {
  const backend = new Backend()
  backend.db.setAway(true)
  open('/', backend)
  expect(await screen.findByText('Live state is away')).toBeInTheDocument()
})
