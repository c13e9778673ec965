// What the scripts add, and what works without them.
//
//   node manners.mjs ORIGIN
//
// Prints `{"publish": N}` when a new tag should be published, which it then waits for, `{"problem": …}` for each thing that is
// wrong, and `{"done": true}` at the end.
import { launch, open, overflow, say, until } from './browser.mjs'

const [origin] = process.argv.slice(2)
const browser = await launch()
const wrong = (problem) => say({ problem })
const same = (what, is, should) => is === should || wrong(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`)
const focused = (page) => page.evaluate(() => document.activeElement?.id ?? '')
const scheme = (page) => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)

// The skip link comes first and leads past the header; what has the focus is seen.
const skip = async () => {
  const { context, page } = await open(browser, origin, {})
  await page.goto('/about')
  await page.keyboard.press('Tab')
  same('the first stop', await page.evaluate(() => document.activeElement.className), 'skip')
  const seen = await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0)
  same('the skip link is seen when it has the focus', seen, true)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  const inside = await page.evaluate(() => document.querySelector('main, footer').contains(document.activeElement) || document.activeElement.closest('footer') !== null)
  same('after the skip link the focus is past the header', inside, true)
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
  same('the focus is seen', outline, 'solid')
  await context.close()
}

const keys = async () => {
  const { context, page, complaints } = await open(browser, origin, {})
  await page.goto('/about')
  await page.keyboard.press('/')
  same('/ focuses', await focused(page), 'q')
  same('/ is not typed', await page.inputValue('#q'), '')
  await page.keyboard.type('a?/b')
  same('keys are letters in a field', await page.inputValue('#q'), 'a?/b')
  await page.keyboard.press('Escape')
  await page.locator('h1').click()
  await page.keyboard.press('?')
  same('? lists keys', await page.locator('dialog[open] kbd').first().innerText(), '/')
  // Whoever speaks to a computer must be able to switch single keys off (WCAG 2.1.4).
  await page.locator('dialog[open] input[type=checkbox]').uncheck()
  await page.keyboard.press('Escape')
  same('Escape closes the list', await page.locator('dialog[open]').count(), 0)
  await page.goto('/')
  await page.keyboard.press('/')
  same('keys that are switched off do nothing', await focused(page), '')
  complaints.forEach(wrong)
  await context.close()
}

// Chosen once, a theme stays, and the server draws it; the cookie is the only one.
const theme = async (javaScriptEnabled) => {
  const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript'
  const { context, page, complaints } = await open(browser, origin, { javaScriptEnabled, colorScheme: 'light' })
  await page.goto('/search?q=hello')
  for (const [choice, should] of [['Dark', 'dark'], ['Light', 'light'], ['System', 'light dark']]) {
    await page.getByRole('button', { name: choice, exact: true }).click()
    await until(`${choice} ${how}`, async () => (await scheme(page)) === should)
    same(`where one stays ${how}`, page.url(), `${origin}/search?q=hello`)
    const cookies = async () => (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join()
    await until(`the cookie of ${choice}`, async () => (await cookies()) === (choice === 'System' ? '' : `theme=${should}`))
    await page.goto('/search?q=hello')
    same(`${choice} after a reload ${how}`, await scheme(page), should)
  }
  complaints.forEach(wrong)
  await context.close()
}

const motion = async () => {
  const { context, page } = await open(browser, origin, { reducedMotion: 'reduce' })
  await page.goto('/')
  const moving = await page.evaluate(() =>
    [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).transitionDuration !== '0s').length)
  same('what moves although it should not', moving, 0)
  await context.close()
}

// The feed moves by itself, not while it is paused, and catches up then.
const live = async () => {
  const { context, page, complaints } = await open(browser, origin, {})
  await page.goto('/')
  const row = page.locator('[data-live] li').filter({ hasText: 'alice.test/' }).first()
  const has = (tag) => page.locator('[data-live] > li', { hasText: tag }).count()
  await until('the feed is live', async () => (await page.locator('[data-live-state]').innerText()) === 'Live')
  say({ publish: 1 })
  await until('the feed moves', async () => (await has('seen-1')) === 1)
  same('the newest is on top', (await page.locator('[data-live] > li').first().innerText()).includes('seen-1'), true)
  same('a repository is there once', await row.count(), 1)
  same('the feed does not grow', (await page.locator('[data-live] > li').count()) <= 6, true)
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  say({ publish: 2 })
  // The server knows it, and the page does not show it.
  await until('it is published', async () => {
    const answer = await context.request.get('/new')
    return (await answer.text()).includes('seen-2')
  })
  same('a feed that is paused stands still', await has('seen-2'), 0)
  await page.getByRole('button', { name: 'Resume', exact: true }).click()
  await until('the feed catches up', async () => (await has('seen-2')) === 1)
  // A connection that is cut: the browser opens it again, and says what it saw last.
  await context.setOffline(true)
  say({ publish: 3 })
  await until('it is published', async () => {
    const answer = await fetch(`${origin}/new`)
    return (await answer.text()).includes('seen-3')
  })
  await context.setOffline(false)
  await until('the feed goes on where it was cut', async () => (await has('seen-3')) === 1)
  same('nothing is wider than the window', await overflow(page), 0)
  complaints.filter((complaint) => !/INTERNET_DISCONNECTED|\/events|\/live/.test(complaint)).forEach(wrong)
  await context.close()
}

// What was pushed a moment ago is older after two days, on a page that stayed open.
const ages = async () => {
  const { context, page } = await open(browser, origin, {})
  await page.clock.install()
  await page.goto('/new')
  const newest = page.locator('[data-live] time').first()
  same('the newest is new', /just now| s ago| min ago/.test(await newest.innerText()), true)
  await page.clock.fastForward('48:00:00')
  await until('ages go on', async () => /^2 d ago$/.test(await newest.innerText()))
  await context.close()
}

for (const step of [skip, keys, () => theme(true), () => theme(false), motion, live, ages]) {
  try {
    await step()
  } catch (error) {
    wrong(`${step.name || step}: ${error.message}`)
  }
}
await browser.close()
say({ done: true })
