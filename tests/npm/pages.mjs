// Every page: with JavaScript and without, on a phone and on a desk, in both themes.
//
//   node pages.mjs '{"origin": …, "pages": [{"path", "status"}, …], "screenshots": {"folder": …, "pages": {name: path}}}'
//
// Prints `{"problem": …}` for each thing that is wrong, `{"seen": …}` for each page, and `{"done": …}` at the end.
import { join } from 'node:path'
import { DESKTOP, PHONE, judge, launch, open, overflow, say } from './browser.mjs'

const { origin, pages, screenshots } = JSON.parse(process.argv[2])
const MOST_HTML = 40_000
const MOST_BYTES = 100_000

// What is folded is judged too, and folded again.
const unfolded = async (page, wrong) => {
  const fold = (open) => page.evaluate((open) => document.querySelectorAll('details').forEach((part) => (part.open = open)), open)
  await fold(true)
  for (const violation of await judge(page)) wrong(violation)
  await fold(false)
}

const visit = async (browser, { path, status }, javaScriptEnabled) => {
  // In the middle of a fade no colour is the one that is meant.
  const options = { javaScriptEnabled, reducedMotion: 'reduce' }
  const { context, page, complaints, bytes } = await open(browser, origin, options)
  const how = `${path} ${javaScriptEnabled ? 'with' : 'without'} JavaScript`
  const wrong = (what) => say({ problem: `${how}: ${what}` })
  const response = await page.goto(path)
  // A live stream never ends, so that the network is never idle.
  await page.waitForLoadState('load')
  if (response.status() !== status) wrong(`status ${response.status()}, not ${status}`)
  const html = (await response.body()).length
  if (html > MOST_HTML) wrong(`${html} bytes of HTML`)
  for (const name of ['content-security-policy', 'x-content-type-options', 'referrer-policy', 'cross-origin-opener-policy']) {
    if (!response.headers()[name]) wrong(`no ${name}`)
  }
  if ((await context.cookies()).length > 0) wrong('a cookie was set')
  // What is folded is part of the page too.
  if (javaScriptEnabled) {
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)))
  }
  for (const viewport of [DESKTOP, PHONE]) {
    await page.setViewportSize(viewport)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      const at = `${viewport.width} px, ${colorScheme}`
      const beyond = await overflow(page)
      if (beyond > 0) wrong(`${at}: ${beyond} px wider than the window`)
      if ((await page.locator('main h1:visible').count()) !== 1) wrong(`${at}: not one heading`)
      if (javaScriptEnabled) for (const violation of await judge(page)) wrong(`${at}: ${violation}`)
      if (javaScriptEnabled && path.startsWith('/search')) await unfolded(page, (violation) => wrong(`${at}, unfolded: ${violation}`))
    }
  }
  if (bytes.sum > MOST_BYTES) wrong(`${bytes.sum} bytes in all`)
  complaints.forEach(wrong)
  await context.close()
  say({ seen: how, html, bytes: bytes.sum })
}

const shoot = async (browser, { folder, pages }) => {
  for (const [name, path] of Object.entries(pages)) {
    const { context, page } = await open(browser, origin, { colorScheme: 'light' })
    await page.goto(path)
    const pictures = () => Promise.all([...document.images].map((image) => {
      image.loading = 'eager'
      return image.decode().catch(() => {})
    }))
    await page.evaluate(pictures)
    await page.screenshot({ path: join(folder, `${name}.png`) })
    await context.close()
  }
}

const browser = await launch()
for (const page of pages) {
  for (const javaScriptEnabled of [true, false]) await visit(browser, page, javaScriptEnabled)
}
if (screenshots) await shoot(browser, screenshots)
await browser.close()
say({ done: pages.length })
