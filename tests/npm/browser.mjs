// A headless Chromium, and what it makes of a page. Resolved from the folder this runs in, as in pds.mjs.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.cwd(), 'package.json'))
const { chromium } = require('playwright-core')
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

export const DESKTOP = { width: 1280, height: 900 }
export const PHONE = { width: 390, height: 844 }

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Root cannot make the sandbox, and only our own pages are opened.
    chromiumSandbox: process.getuid() !== 0,
    args: ['--disable-gpu', '--disable-dev-shm-usage'],
  })

// A page whose complaints are gathered: errors on the console (violations of the content policy are told there too),
// errors in scripts, requests that fail, and requests that go elsewhere.
export const open = async (browser, origin, options) => {
  const context = await browser.newContext({ baseURL: origin, viewport: DESKTOP, ...options })
  const page = await context.newPage()
  const complaints = []
  const bytes = { sum: 0 }
  page.on('console', (message) => {
    // Chromium says so of every document that is not there; whether it should be is for the caller to know.
    const expected = message.text().startsWith('Failed to load resource') && message.location().url === page.url()
    if (message.type() === 'error' && !expected) complaints.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`))
  page.on('requestfailed', (request) => {
    // A stream that the page itself closes, or that ends with it.
    if (!request.failure()?.errorText.includes('ERR_ABORTED')) complaints.push(`failed: ${request.url()}`)
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`elsewhere: ${request.url()}`)
  })
  page.on('requestfinished', async (request) => {
    const sizes = await request.sizes().catch(() => null)
    bytes.sum += sizes ? sizes.responseBodySize + sizes.responseHeadersSize : 0
  })
  return { context, page, complaints, bytes }
}

// What axe has against the page as it stands.
export const judge = async (page) => {
  await page.evaluate(AXE)
  const violations = await page.evaluate(async () => {
    const options = { rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'] }
    const { violations } = await globalThis.axe.run(document, options)
    return violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) }))
  })
  return violations.map(({ id, help, at }) => `axe ${id}: ${help}: ${at.join(' | ')}`)
}

// How many pixels a page is wider than its window.
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

export const until = async (what, look) => {
  const end = Date.now() + 20_000
  for (;;) {
    if (await look()) return
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')
