// What journeys do again and again.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

const HERE = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What every account of the demo city has; `lingbao serve --demo` prints it. */
export const PASSWORD = 'Lingbao-demo-2026';

/** Signs in through the page, and stands on the workbench afterwards. */
export async function signIn(page: Page, login: string): Promise<void> {
  await page.goto('/sign-in');
  await page.locator('input[name=account]').fill(login);
  await page.locator('input[name=password]').fill(PASSWORD);
  await page.locator('.door-form form button').click();
  await expect(page).not.toHaveURL(/\/sign-in/);
}

/** Leaves: the session's cookie goes, as at the end of a working day. */
export async function signOut(page: Page): Promise<void> {
  await page.context().clearCookies();
}

/** The four parts of the cookie that remembers the reader's settings; `-` leaves it to the system. */
export async function look(page: Page, theme: Theme | '-', language: 'zh' | 'en' | '-', text: 'large' | '-' = '-'): Promise<void> {
  const url = new URL('/', page.url()).href;
  await page.context().addCookies([{ name: 'lingbao_look', value: `${theme}.-.${text}.${language}`, url }]);
}

/** Pages whose scripts are off; the fixture enters them. */
export const scriptless = new WeakSet<Page>();

type Theme = 'light' | 'dark';

/** Pages that are the same, sign for sign, as those of another world, which shows them to axe; the
 *  fixture enters them. */
export const shownElsewhere = new WeakSet<Page>();

/** What a theme decides, and a language does not: the same elements have the same colours in both. */
const COLOURS = ['color-contrast', 'link-in-text-block'];

/** WCAG 2.1 AA: axe finds nothing, in both themes; `colours` are left out where they were looked at in
 *  another language. */
export async function axeClean(page: Page, themes: readonly Theme[] = ['light', 'dark'], colours = true): Promise<void> {
  if (shownElsewhere.has(page)) return;
  if (!scriptless.has(page)) return axe(page, themes, colours);
  // Axe is a script itself: it looks at the very same HTML in a window of its own, into which none
  // of the portal's scripts come.
  const html = await page.content();
  const browser = page.context().browser();
  if (!browser) throw new Error('no browser');
  const context = await browser.newContext({
    javaScriptEnabled: true,
    storageState: await page.context().storageState(),
    viewport: page.viewportSize(),
  });
  try {
    const copy = await context.newPage();
    await copy.route(/\.(js|wasm)$/, (route) => route.abort());
    await copy.route(page.url(), (route) => route.fulfill({ body: html, contentType: 'text/html; charset=utf-8' }));
    await copy.goto(page.url());
    await axe(copy, themes, colours);
  } finally {
    await context.close();
  }
}

async function axe(page: Page, themes: readonly Theme[], colours: boolean): Promise<void> {
  for (const colorScheme of themes) {
    // Colours on their way from one theme to the other are nobody's colours.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(async () => {
      const under = document.getAnimations().filter((one) => one instanceof CSSTransition);
      // One of what is no longer shown never ends.
      const late = new Promise((resolve) => setTimeout(resolve, 2_000));
      await Promise.race([Promise.allSettled(under.map((one) => one.finished)), late]);
    });
    // A second theme has other colours, and nothing else of its own.
    const builder = new AxeBuilder({ page }).options({ resultTypes: ['violations'] });
    // Frames are put together on a second page, for which all findings travel twice: with one there is
    // nothing to put together.
    builder.setLegacyMode(page.frames().length === 1);
    if (colorScheme !== themes[0]) builder.withRules(COLOURS);
    else builder.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']).disableRules(colours ? [] : COLOURS);
    const found = await builder.analyze();
    const said = found.violations.map((one) => {
      const where = one.nodes.map((node) => `    ${node.target.join(' ')} ${node.any[0]?.message ?? ''}`);
      return [`${one.id}: ${one.help}`, ...where].join('\n');
    });
    expect(said, `axe, ${colorScheme}, ${page.url()}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/** The page is no wider than its window: nobody scrolls sideways on a phone. */
export async function fitsTheWindow(page: Page): Promise<void> {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(wide, `width of ${page.url()}`).toBeLessThanOrEqual(window);
}

/** Screenshots of the page one stands on: 1440 and 360 px, light and dark, Chinese and English; or only
 *  the first of the looks. */
export async function shots(page: Page, name: string, all = true): Promise<void> {
  const before = page.viewportSize();
  for (const language of all ? (['zh', 'en'] as const) : (['zh'] as const)) {
    for (const theme of all ? (['light', 'dark'] as const) : (['light'] as const)) {
      await look(page, theme, language);
      for (const width of [1440, 360]) {
        await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
        await page.goto(page.url());
        await page.screenshot({ path: join(HERE, 'out', `${name}-${width}-${theme}-${language}.png`), fullPage: true });
      }
    }
  }
  await look(page, '-', '-');
  if (before) await page.setViewportSize(before);
}
