// Pictures of the page in its main states, at three widths in both themes, and
// what axe says of each:   node dev/shots.mjs OUT-DIR [URL-OF-fake.mjs] [state…]

import { mkdirSync } from 'node:fs';
import { open } from '../e2e/browser.mjs';

const [out = 'shots', url = 'http://127.0.0.1:8099', ...only] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const dev = (body) => fetch(url + '/dev/', { method: 'POST', body: JSON.stringify(body) });
const askFor = async (page, q) => {
  await page.getByLabel('Your question').fill(q);
  await page.keyboard.press('Enter');
};
const done = (page) => page.locator('.turn').last().locator('.turn-foot, .failed').waitFor();

const states = {
  empty: async () => {},
  searching: async (page) => { await askFor(page, 'What is the daily allowance for travel?'); await page.locator('.card .card-title').first().waitFor(); },
  writing: async (page) => { await askFor(page, 'What is the daily allowance for travel?'); await page.locator('.answer .cite').first().waitFor(); },
  answer: async (page) => { await askFor(page, 'What is the daily allowance for travel?'); await done(page); },
  peek: async (page) => { await states.answer(page); await page.locator('.cite').nth(1).hover(); await page.locator('.peek').waitFor(); },
  reader: async (page) => { await states.answer(page); await page.locator('.cite').first().click(); await page.locator('.reader-body mark').first().waitFor(); },
  table: async (page) => { await askFor(page, 'Rent for Hall 4 lease?'); await done(page); await page.locator('.card').first().click(); await page.locator('.reader-body mark').first().waitFor(); },
  followup: async (page) => { await states.answer(page); await askFor(page, 'And in Switzerland, what about receipts?'); await done(page); },
  modelless: async (page) => { await askFor(page, 'modelless: when does the lease of Hall 4 end?'); await done(page); },
  nothing: async (page) => { await askFor(page, 'nothing about the moon?'); await done(page); await page.getByText('Show the nearest').click(); await page.locator('.card').first().waitFor(); },
  failed: async (page) => { await askFor(page, 'fail: how long is the warranty of lenses?'); await done(page); },
  wait: async (page) => { await askFor(page, 'wait for the rent'); await done(page); },
  documents: async (page) => { await page.goto(url + '/documents'); await page.locator('tbody tr').first().waitFor(); },
  activity: async (page) => { await page.locator('.status').click(); await dev({ do: 'change', path: 'handbook/working-hours.md' }); await page.getByText('answerable').first().waitFor(); },
  settings: async (page) => { await page.keyboard.press('Control+Shift+o'); await openMenu(page); await page.getByText('Settings and about').click(); await page.locator('dialog').waitFor(); },
  palette: async (page) => { await page.keyboard.press('Control+k'); await page.keyboard.type('le'); await page.locator('[role=option]').nth(1).waitFor(); },
  drawer: async (page) => { await states.answer(page); await openMenu(page); },
  offline: async (page) => { await states.answer(page); await dev({ do: 'down' }); await page.locator('.banner').waitFor(); await dev({ do: 'up' }); },
  trouble: async (page) => {
    await dev({ do: 'trouble', list: [
      { part: 'storage', reason: 'no space left on device' },
      { part: 'source docs', reason: 'folder /home/mira/documents cannot be read (no such file or directory): the rows of its 12 files stay as they were' }] });
    await page.reload();
    await page.locator('.banner-trouble').waitFor();
    await dev({ do: 'trouble', list: [] });
  },
};
async function openMenu(page) {
  const menu = page.getByRole('button', { name: 'Menu' });
  if (await menu.isVisible()) await menu.click();
}

let bad = 0;
for (const [width, height] of [[1440, 900], [820, 1100], [360, 740]]) {
  for (const theme of ['light', 'dark']) {
    for (const [name, act] of Object.entries(states)) {
      if (only.length && !only.includes(name)) continue;
      const b = await open({ width, height, theme });
      try {
        await b.page.goto(url);
        await b.page.locator('.empty h2').waitFor();
        await b.page.locator('.suggestions').waitFor();
        await act(b.page);
        await b.page.waitForTimeout(350);
        await b.page.screenshot({ path: `${out}/${name}-${width}-${theme}.png` });
        for (const v of await b.axe()) { bad++; console.log(`${name} ${width} ${theme}: ${v}`); }
      } catch (e) {
        bad++;
        console.log(`${name} ${width} ${theme}: ${e.message.split('\n').slice(0, 4).join(' ')}`);
        await b.page.screenshot({ path: `${out}/${name}-${width}-${theme}-FAILED.png` });
      }
      const errors = b.errors.filter((e) => !/ERR_|Failed to load resource/.test(e));
      for (const e of errors) { bad++; console.log(`${name} ${width} ${theme}: console: ${e}`); }
      await b.close();
    }
  }
}
console.log(bad === 0 ? 'nothing to complain about' : `${bad} complaints`);
process.exit(bad ? 1 : 0);
