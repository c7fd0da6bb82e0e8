/**
 * One browser test, as a person would do it: log in, add a monitor, see it come up live, look at it,
 * edit it, pause it, delete it. Leaves the mesh as it was.
 *
 *   npm run build && npm run e2e                       against the mock backend
 *   BASE_URL=… EMAIL=… PASSWORD=… npm run e2e           against a real mesh
 *   TARGET=http://127.0.0.1:1234/                      what is watched (default: the dashboard's own address)
 */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { collectComplaints, launch, login } from './browser.mjs'
import { MOCK_LOGIN, startMock } from './mock.mjs'

const given = process.env.BASE_URL
const mock = given ? undefined : await startMock()
const base = (given ?? mock.base).replace(/\/$/, '')
const email = process.env.EMAIL ?? MOCK_LOGIN.email
const password = process.env.PASSWORD ?? MOCK_LOGIN.password
const target = process.env.TARGET ?? `${base}/favicon.svg`
const name = `Browser test ${Date.now().toString(36)}`
// A first check on a busy machine may take a while; the mesh promises a second.
const PATIENCE = 30_000

let passed = 0
async function step(what, action) {
  const began = performance.now()
  await action()
  passed++
  console.log(`ok ${passed} - ${what} (${Math.round(performance.now() - began)} ms)`)
}

const browser = await launch()
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
const page = await context.newPage()
page.setDefaultTimeout(PATIENCE)
const complaints = collectComplaints(page)
/** Compressed size of the scripts that pages have loaded so far. */
let scriptBytes = Promise.resolve(0)
// A second page takes them from the browser's cache, which looks like another answer.
const scripts = new Set()
page.on('response', (response) => {
  if (
    response.request().resourceType() !== 'script' ||
    response.status() !== 200 ||
    scripts.has(response.url())
  )
    return
  scripts.add(response.url())
  // A body is gone once its page has been left.
  const body = response.body().catch(() => '')
  scriptBytes = Promise.all([scriptBytes, body]).then(([sum, body]) => sum + gzipSync(body).length)
})
const heading = (text) => page.getByRole('heading', { level: 1, name: text })

try {
  await step('a wrong password is refused in words', async () => {
    await page.goto(`${base}/`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill('certainly not it')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').getByText('Wrong e-mail or password').waitFor()
  })
  // The browser itself reports the refused calls.
  complaints.length = 0

  await step('logs in', () => login(page, base, email, password))

  await step('the first pages need at most 150 kB of scripts', async () => {
    const kB = (await scriptBytes) / 1000
    assert.ok(kB > 10 && kB <= 150, `${kB.toFixed(1)} kB`)
  })

  await step('a mistake is shown at its field', async () => {
    await page.keyboard.press('n')
    await heading('New monitor').waitFor()
    await page.getByLabel('URL').fill('ftp://example.com')
    await page.getByLabel('Name').fill(name)
    await page.getByRole('button', { name: 'Start watching' }).click()
    await page.locator('[aria-invalid="true"]').waitFor()
    const described = await page.getByLabel('URL').getAttribute('aria-describedby')
    assert.match(await page.locator(`[id="${described}"]`).innerText(), /http/)
  })
  complaints.length = 0

  await step('adds a monitor and sees it come up live', async () => {
    await page.getByLabel('URL').fill(target)
    await page.getByRole('button', { name: 'Start watching' }).click()
    await heading(name).waitFor()
    await page.getByRole('region', { name: 'State' }).getByText('Up', { exact: false }).first().waitFor()
    await page.getByRole('region', { name: 'Recent checks' }).getByText('Up').first().waitFor()
  })

  await step('finds it in the list', async () => {
    await page.keyboard.press('g')
    await heading('Monitors').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type(name)
    await page.waitForURL(/search=/)
    await page.getByRole('link', { name }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
  })

  await step('names and reasons are legible at every width', async () => {
    await page.goto(`${base}/`)
    await page.locator('[data-row]').first().waitFor()
    for (const width of [390, 820, 1024, 1280]) {
      await page.setViewportSize({ width, height: 900 })
      for (const row of await page.locator('[data-row]').all()) {
        const box = await row.boundingBox()
        assert.ok(box && box.width > 30, `${await row.innerText()} is ${box?.width} px wide at ${width} px`)
      }
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      assert.ok(beyond <= 0, `the page is ${beyond} px too wide at ${width} px`)
    }
    await page.setViewportSize({ width: 1280, height: 900 })
  })

  await step('opens it by keyboard', async () => {
    await page.goto(`${base}/?search=${encodeURIComponent(name)}`)
    await page.getByRole('link', { name }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await heading(name).waitFor()
  })

  await step('edits it', async () => {
    await page.keyboard.press('e')
    await heading('Edit monitor').waitFor()
    await page.getByLabel('Name').fill(`${name} edited`)
    await page.getByRole('button', { name: 'Save' }).click()
    await heading(`${name} edited`).waitFor()
  })

  await step('pauses and resumes it', async () => {
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('region', { name: 'State' }).getByText('Paused', { exact: false }).first().waitFor()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
  })

  for (const [path, title] of [
    ['/incidents', 'Incidents'],
    ['/system', 'System'],
  ])
    await step(`${title} opens`, async () => {
      await page.getByRole('link', { name: title }).first().click()
      await page.waitForURL(`**${path}`)
      await heading(title).waitFor()
    })

  await step('deletes it', async () => {
    await page.goto(`${base}/?search=${encodeURIComponent(name)}`)
    await page.getByRole('link', { name }).click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await heading('Monitors').waitFor()
    await page.goto(`${base}/?search=${encodeURIComponent(name)}`)
    await page
      .getByText('No monitor matches')
      .or(page.getByText('What shall be watched first'))
      .first()
      .waitFor()
  })

  await step('logs out', async () => {
    await page.getByRole('button', { name: 'Account and settings' }).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in to Upmesh' }).waitFor()
    await page.goto(`${base}/system`)
    await page.waitForURL('**/login**')
  })

  await step('the browser had nothing to complain about', () => {
    const serious = complaints.filter((one) => !/401|404/.test(one))
    assert.deepEqual(serious, [])
  })
  console.log(`browser: ${passed} passed, 0 failed`)
} catch (error) {
  const picture = join(tmpdir(), 'upmesh-browser-failure.png')
  await page.screenshot({ path: picture }).catch(() => undefined)
  console.error(`not ok ${passed + 1}\n${error.stack}\nat ${page.url()}\n${complaints.join('\n')}`)
  console.log(`browser: ${passed} passed, 1 failed (see ${picture})`)
  process.exitCode = 1
} finally {
  await browser.close()
  await mock?.close()
}
// Vite's own watchers would keep the process alive.
process.exit()
