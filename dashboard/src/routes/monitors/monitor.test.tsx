import { screen, waitFor, within } from '@testing-library/react'
import { expect, it } from 'vitest'

import { open } from '#test/app.tsx'
import { Backend } from '#test/backend.ts'

function at(name: string, search = '') {
  const backend = new Backend()
  const monitor = backend.db.list().find((one) => one.spec.name === name)
  if (!monitor) throw new Error(`no monitor ${name}`)
  return { monitor, ...open(`/monitors/${monitor.id}${search}`, backend) }
}

it('says what it is, since when and why', async () => {
  at('Checkout API')
  const state = await screen.findByRole('region', { name: 'State' })
  expect(state).toHaveTextContent(/Down for 4.min/)
  expect(state).toHaveTextContent('Unexpected status: status 503, expected 200')
  expect(within(state).getByRole('link', { name: 'Open incident' })).toBeInTheDocument()
})

it('never counts missed as up', async () => {
  at('Website')
  const timeline = await screen.findByRole('slider', { name: /Timeline of Website/ })
  expect(timeline.getAttribute('aria-valuetext')).toMatch(/\d+ up, \d+ missed/)
  expect(await screen.findByText('Missed')).toBeInTheDocument()
})

it('tells bucket by bucket to the keyboard', async () => {
  const { user } = at('Website')
  const timeline = await screen.findByRole('slider', { name: /Timeline/ })
  timeline.focus()
  // The newest bucket may be seconds old, and empty.
  await user.keyboard('{ArrowLeft}{ArrowLeft}')
  expect(timeline.getAttribute('aria-valuetext')).toMatch(/:\d\d: \d+ up, median/)
})

it('keeps range and region in the address and asks for just that', async () => {
  const { user, router, backend } = at('Website')
  await user.click(await screen.findByRole('radio', { name: '7 d' }))
  await user.click(screen.getByRole('radio', { name: 'us-east' }))
  await waitFor(() => expect(router.state.location.search).toEqual({ range: '7d', region: 'us-east' }))
  await waitFor(() =>
    expect(backend.calls.some((call) => /timeline\?.*buckets=84.*region=us-east/.test(call))).toBe(true),
  )
})

it('heads the checks with those that come in', async () => {
  const { backend, monitor } = at('Postgres primary')
  const panel = await screen.findByRole('region', { name: 'Recent checks' })
  await waitFor(() => expect(within(panel).getAllByRole('row').length).toBeGreaterThan(10))
  await waitFor(() => expect(backend.db.subscribers).toBe(1))
  const rows = within(panel).getAllByRole('row').length
  const reads = backend.calls.filter((call) => call.includes('/checks')).length
  await new Promise((resolve) => setTimeout(resolve, 50))
  monitor.spec.interval_seconds = 0.02
  backend.db.tick()
  await waitFor(() => expect(within(panel).getAllByRole('row').length).toBeGreaterThan(rows))
  expect(backend.calls.filter((call) => call.includes('/checks')).length).toBe(reads)
})

it('stays small however long it is open, and reads anew what it let go of', async () => {
  const { backend, monitor } = at('Postgres primary')
  const panel = await screen.findByRole('region', { name: 'Recent checks' })
  await waitFor(() => expect(within(panel).getAllByRole('row').length).toBeGreaterThan(10))
  await waitFor(() => expect(backend.db.subscribers).toBe(1))
  const reads = () => backend.calls.filter((call) => call.includes('/checks')).length
  const before = reads()
  monitor.spec.interval_seconds = 0.001
  await new Promise((resolve) => setTimeout(resolve, 300))
  backend.db.tick()
  monitor.spec.interval_seconds = 10
  await waitFor(() => expect(reads()).toBe(before + 1))
  await waitFor(() => expect(within(panel).getAllByRole('row').length).toBeLessThanOrEqual(201))
})

it('says why older checks failed', async () => {
  at('Checkout API')
  const panel = await screen.findByRole('region', { name: 'Recent checks' })
  const reasons = () => within(panel).getAllByText('status 503, expected 200').length
  // Three regions failed twice a minute for four minutes: not the newest of each alone.
  await waitFor(() => expect(reasons()).toBeGreaterThan(6))
})

it('shows the day of a check that is not of today', async () => {
  at('Legacy ERP')
  const panel = await screen.findByRole('region', { name: 'Recent checks' })
  const [, first] = await waitFor(() => {
    const rows = within(panel).getAllByRole('row')
    expect(rows.length).toBeGreaterThan(10)
    return rows
  })
  const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
  // It was paused five days ago.
  expect(first).toHaveTextContent(day.format(Date.now() - 5 * 86_400_000 - 300_000))
})

it('offers a year, and shows its uptime', async () => {
  const { user, backend } = at('Legacy ERP')
  expect(await screen.findByText('Uptime, 1 year')).toBeInTheDocument()
  await user.click(await screen.findByRole('radio', { name: '1 y' }))
  await waitFor(() => expect(backend.calls.some((call) => /timeline\?.*buckets=122/.test(call))).toBe(true))
  expect(await screen.findByRole('slider', { name: /last 1 year/ })).toBeInTheDocument()
})

it('pauses, resumes and deletes', async () => {
  const { user, backend, monitor, router } = at('Website')
  await user.click(await screen.findByRole('button', { name: 'Pause' }))
  expect(await screen.findByText('Website is paused')).toBeInTheDocument()
  await user.click(await screen.findByRole('button', { name: 'Resume' }))
  await screen.findByRole('button', { name: 'Pause' })
  await user.click(screen.getByRole('button', { name: 'Delete' }))
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Delete' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/'))
  expect(backend.db.monitors.has(monitor.id)).toBe(false)
})

it('says as of when it is while live state is away', async () => {
  const { backend, monitor } = at('Website')
  const state = await screen.findByRole('region', { name: 'State' })
  await waitFor(() => expect(backend.db.subscribers).toBe(1))
  expect(screen.queryByText(/as of/)).toBeNull()
  backend.db.setAway(true)
  const notice = await screen.findByText(/this is what the database has, as of/)
  // Its own newest check, not the moment it was asked.
  const asOf = Date.parse(
    within(notice)
      .getByText(/:\d\d:\d\d$/)
      .getAttribute('datetime') ?? '',
  )
  const newest = backend.db.view(monitor).status.last_check ?? 0
  expect(newest - asOf).toBeLessThanOrEqual((monitor.spec.interval_seconds ?? 60) * 1000)
  expect(asOf).toBeLessThanOrEqual(newest)
  expect(state).toBeInTheDocument()
})

it('says that a monitor is gone', async () => {
  open('/monitors/00000000-0000-7000-8000-000000000000')
  expect(await screen.findByRole('heading', { name: 'Nothing here' })).toBeInTheDocument()
})
