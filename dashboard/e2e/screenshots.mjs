/**
 * Writes docs/images/*.png from the mock backend: `npm run build && npm run screenshots`.
 * Look at them before committing.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { launch, login } from './browser.mjs'
import { MOCK_LOGIN, startMock } from './mock.mjs'

const out = join(import.meta.dirname, '..', '..', 'docs', 'images')
mkdirSync(out, { recursive: true })

const DESKTOP = { viewport: { width: 1280, height: 860 } }
/** What the README shows. */
const SHARP = { ...DESKTOP, deviceScaleFactor: 1.5 }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }

const open = (name) => async (page) => {
  await page.getByRole('link', { name }).first().click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
}

async function fillForm(page) {
  await page.keyboard.press('n')
  await page.getByLabel('URL').fill('https://api.northwind.example/orders/health')
  await page.getByLabel('Name').fill('Orders API')
  for (const kind of ['Status', 'JSON value', 'Latency']) {
    await page.getByRole('button', { name: 'Add an assertion' }).click()
    await page.getByRole('menuitem', { name: kind }).click()
  }
  await page.getByLabel('At most').fill('800')
  await page.evaluate(() => window.scrollTo(0, 0))
}

const SHOTS = [
  { name: 'login', ...DESKTOP, anonymous: true },
  { name: 'list', ...SHARP },
  { name: 'list-dark', ...DESKTOP, colorScheme: 'dark' },
  { name: 'monitor', ...SHARP, viewport: { width: 1280, height: 1240 }, act: open('Checkout API') },
  {
    name: 'monitor-dark',
    ...DESKTOP,
    viewport: { width: 1280, height: 1240 },
    colorScheme: 'dark',
    act: open('Customer portal'),
  },
  { name: 'form', ...DESKTOP, viewport: { width: 1280, height: 1760 }, act: fillForm },
  { name: 'incidents', ...DESKTOP, path: '/incidents' },
  {
    name: 'system',
    ...DESKTOP,
    viewport: { width: 1280, height: 1660 },
    path: '/system?letters=monitoring-results',
  },
  { name: 'phone', ...PHONE },
  { name: 'phone-monitor', ...PHONE, act: open('Customer portal') },
  { name: 'empty', ...DESKTOP, env: { MOCK_EMPTY: '1' } },
]

const wanted = process.argv.slice(2)
const browser = await launch()
try {
  for (const { name, env = {}, anonymous, path, act, ...options } of SHOTS) {
    if (wanted.length && !wanted.includes(name)) continue
    const mock = await startMock({ MOCK_EMPTY: '', ...env })
    const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options })
    const page = await context.newPage()
    if (anonymous) await page.goto(`${mock.base}/login`)
    else await login(page, mock.base, MOCK_LOGIN.email, MOCK_LOGIN.password)
    if (path) await page.goto(mock.base + path)
    await act?.(page)
    // Lazy parts and the first live events.
    await page.waitForTimeout(1_800)
    await page.mouse.move(0, 0)
    await page.evaluate(() => document.activeElement?.blur())
    await page.screenshot({ path: join(out, `${name}.png`), animations: 'disabled' })
    console.log(`docs/images/${name}.png`)
    await context.close()
    await mock.close()
  }
} finally {
  await browser.close()
}
process.exit()
