// Drives the real page in Chromium against a running server:
//   node e2e/page.mjs URL [--shots DIR] [--only NAME]
// The server must watch at least one document with a title and take uploads. What it
// cannot be made to do (limits, a model that breaks off, a missing key) is
// played between page and server. One document is added, changed and deleted.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { closeBrowser, open } from './browser.mjs';

const argv = process.argv.slice(2);
const opt = (name) => { const i = argv.indexOf('--' + name); return i < 0 ? '' : argv.splice(i, 2)[1]; };
const shots = opt('shots'), only = opt('only');
const url = (argv[0] ?? '').replace(/\/$/, '');
if (!url) {
  console.error('usage: node e2e/page.mjs URL [--shots DIR] [--only NAME]');
  process.exit(2);
}
if (shots) mkdirSync(shots, { recursive: true });
const api = async (path) => {
  const r = await fetch(url + path);
  assert.equal(r.status, 200, `GET ${path}: ${r.status}`);
  return r.json();
};
const within = async (what, ms, f) => {
  for (const end = Date.now() + ms; ; ) {
    const got = await f();
    if (got) return got;
    assert.ok(Date.now() < end, `${what}: not within ${ms} ms`);
    await new Promise((r) => setTimeout(r, 50));
  }
};

const ask = async (page, question) => {
  await page.getByLabel('Your question').fill(question);
  await page.keyboard.press('Enter');
};
const lastTurn = (page) => page.locator('.turn').last();
const answered = async (page, ms = 120_000) => {
  await lastTurn(page).locator('.turn-foot, .failed').waitFor({ timeout: ms });
  assert.equal(await lastTurn(page).locator('.failed').count(), 0, await lastTurn(page).innerText());
};
const upload = (page, path) => page.locator('input[type=file]').first().setInputFiles(path);
const sse = (...parts) => parts.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join('');

let topic; // a live document to ask about
const word = 'quillfeather' + Math.random().toString(36).slice(2, 8).replace(/\d/g, 'x');
const folder = mkdtempSync(join(tmpdir(), 'ragserver-page-'));
const note = join(folder, `${word}.md`);

const tests = {
  async 'the empty page says what is watched and offers topics, which are answered'({ page }) {
    await page.locator('.suggestions button').first().waitFor();
    const stats = await api('/api/stats');
    assert.match(await page.locator('.empty .lead').innerText(), new RegExp(`${stats.documents.toLocaleString('en')} documents?`));
    assert.ok((await page.locator('.suggestions button').count()) <= 3);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA');
    const first = page.locator('.suggestions button').first();
    const offered = await first.locator('.suggestion').innerText();
    await first.click();
    await answered(page);
    assert.equal(await lastTurn(page).locator('.question h2').innerText(), offered);
    await lastTurn(page).locator('.scope-line').waitFor();
    await page.locator('.answer .cite').first().waitFor(); // a topic of the documents is answered from them
  },

  async 'an answer: passages before the first word, marks, panel, address'({ page }) {
    const order = [];
    await page.exposeFunction('seen', (what) => order.push(what));
    await page.evaluate(() => {
      new MutationObserver(() => {
        if (document.querySelector('.card .card-title')) window.seen('cards');
        if (document.querySelector('.answer .prose')?.textContent) window.seen('words');
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    });
    await ask(page, `What does ${topic.title} say?`);
    await answered(page);
    assert.equal(order[0], 'cards');
    const marks = page.locator('.answer .cite');
    await marks.first().waitFor(); // Markdown is loaded with the first answer
    assert.doesNotMatch(await page.locator('.answer .prose').innerText(), /\[\d+\]/);
    await marks.first().hover();
    await page.locator('.peek').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.peek').waitFor({ state: 'detached' });
    await marks.first().focus();
    await page.keyboard.press('Enter');
    const mark = page.locator('.reader-body mark').first();
    await mark.waitFor();
    const box = await mark.boundingBox(), body = await page.locator('.reader-body').boundingBox();
    assert.ok(box.y >= body.y - 1 && box.y < body.y + body.height, 'the passage is not in sight');
    assert.match(page.url(), /\/d\/[^?]+\?v=.+&start=\d+&end=\d+/);
    const passage = await mark.innerText();
    await page.reload(); // the address alone leads to the same place
    await page.locator('.reader-body mark').first().waitFor();
    assert.equal(await page.locator('.reader-body mark').first().innerText(), passage);
    await page.locator('.turn .answer').first().waitFor(); // the conversation was kept
    await page.keyboard.press('Escape');
    await page.locator('.panel-reader').waitFor({ state: 'detached' });
    await page.goBack();
    await page.locator('.panel-reader').waitFor();
  },

  async 'copy, edit, follow up, several conversations'({ page }) {
    await ask(page, `What does ${topic.title} say?`);
    await answered(page);
    await page.getByLabel('Copy the answer').click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /\n\n\[\d+\] /);
    await page.getByLabel('Your question').focus();
    await page.keyboard.press('ArrowUp');
    const field = page.getByLabel('The question', { exact: true });
    await field.fill(`${topic.title}?`);
    await field.press('Enter');
    await answered(page);
    assert.equal(await page.locator('.turn').count(), 1);
    let history;
    await page.route('**/api/ask', (r) => { history = r.request().postDataJSON().history; return r.continue(); });
    await ask(page, 'And what else?');
    await page.locator('.turn').nth(1).waitFor();
    await answered(page);
    assert.deepEqual(history.map((m) => m.role), ['user', 'assistant']);
    await page.keyboard.press('Control+Shift+o');
    await page.locator('.empty h2').waitFor();
    await ask(page, `Tell me about ${topic.title}.`);
    await answered(page);
    assert.equal(await page.locator('.history-item').count(), 2);
    await page.locator('.history-item').first().hover();
    await page.locator('.history-item').first().getByLabel(/^Rename/).click();
    await page.getByLabel('Name', { exact: true }).fill('Renamed');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Renamed' }).waitFor();
    await page.locator('.history-item').first().hover();
    await page.locator('.history-item').first().getByLabel(/^Delete/).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator('.empty h2').waitFor();
    assert.equal(await page.locator('.history-item').count(), 1);
  },

  async 'stopping keeps what was written'({ page }) {
    // An answer that never ends, so that there is something to stop.
    await page.evaluate(() => {
      const real = window.fetch;
      window.fetch = (u, init) => {
        if (!String(u).endsWith('/api/ask')) return real(u, init);
        const bytes = new TextEncoder().encode('event: sources\ndata: {"epoch":1,"query":"","sources":[],"took_ms":1}\n\nevent: text\ndata: {"text":"Half a sentence [1"}\n\n');
        return Promise.resolve(new Response(new ReadableStream({
          start(c) { c.enqueue(bytes); init.signal.addEventListener('abort', () => c.error(init.signal.reason)); },
        })));
      };
    });
    await ask(page, 'A question without end?');
    await page.getByText('Half a sentence').waitFor();
    assert.doesNotMatch(await page.locator('.answer').innerText(), /\[/, 'an incomplete mark is shown');
    await page.keyboard.press('Escape');
    await page.getByText('stopped', { exact: true }).waitFor();
    await page.getByText('Half a sentence').waitFor();
  },

  async 'failures have a sentence and a way on'({ page }) {
    const play = async (status, body, headers = {}) => {
      await page.unroute('**/api/ask');
      await page.route('**/api/ask', (r) => r.fulfill({ status, body, headers }));
      await ask(page, 'Played?');
      await lastTurn(page).locator('.failed').waitFor();
      return lastTurn(page).locator('.failed').innerText();
    };
    const text = await play(429, '{"error":{"code":"busy","message":"too many questions at once"}}', { 'Retry-After': '2' });
    assert.match(text, /Too many questions at once\.\s+Ask again in\s+[12] s/);
    const again = lastTurn(page).getByRole('button', { name: /^Ask again/ });
    assert.ok(await again.isDisabled());
    await within('the end of the wait', 4000, () => again.isEnabled());
    assert.match(await play(503, 'a page of a proxy'), /not ready\./);
    const source = { n: 1, cited: false, document: 'x', chunk: 'c', version: 'v', source: 's', path: 'a.md', title: 'A', start: 0, end: 1, text: 'passage', score: 1, url: '' };
    assert.match(await play(200, sse(['sources', { epoch: 1, query: 'q', sources: [source], took_ms: 1 }], ['text', { text: 'Be' }], ['error', { error: { code: 'model_failed', message: 'the model stopped' } }])),
      /The model stopped\. The passages above were found/);
    await lastTurn(page).locator('.card').waitFor();
    assert.match(await play(200, sse(['text', { text: 'Be' }])), /connection broke/);
    // A model is configured, but does not answer.
    await page.unroute('**/api/ask');
    await page.route('**/api/ask', (r) => r.fulfill({ status: 200, body: sse(['done', { answer: 'Quoted [1].', kind: 'extractive', notices: [{ code: 'model_failed', message: 'the model did not answer' }], sources: [{ ...source, cited: true }], epoch: 1, retrieval_ms: 1, total_ms: 2 }]) }));
    await ask(page, 'Without a model?');
    await page.locator('.badge').getByText('Quoted from your documents', { exact: true }).waitFor();
    await page.getByText('The model did not answer.').waitFor();
    // None is configured: nothing has failed, and nothing warns.
    await page.unroute('**/api/ask');
    await page.route('**/api/ask', (r) => r.fulfill({ status: 200, body: sse(['done', { answer: 'Quoted [1].', kind: 'extractive', notices: [{ code: 'no_model', message: 'no language model is configured' }], sources: [{ ...source, cited: true }], epoch: 1, retrieval_ms: 1, total_ms: 2 }]) }));
    await ask(page, 'Without any model?');
    await lastTurn(page).getByText('Without a model: quoted from your documents').waitFor();
    assert.equal(await lastTurn(page).locator('.note').count(), 0);
    // It broke off: what there is stays, and says so.
    await page.unroute('**/api/ask');
    await page.route('**/api/ask', (r) => r.fulfill({ status: 200, body: sse(['done', { answer: 'Half an', kind: 'generated', model: 'm', notices: [{ code: 'cut_off', message: 'the answer is incomplete: the model took too long' }], sources: [], epoch: 1, retrieval_ms: 1, total_ms: 2 }]) }));
    await ask(page, 'Broken off?');
    await lastTurn(page).getByText('The answer is incomplete: the model took too long.').waitFor();
  },

  async 'nothing found offers what comes nearest'({ page }) {
    await page.route('**/api/ask', (r) => r.fulfill({ status: 200, body: sse(['sources', { epoch: 1, query: 'q', sources: [], took_ms: 1 }], ['done', { answer: 'Nothing in the documents answers this.', kind: 'nothing_found', sources: [], epoch: 1, retrieval_ms: 1, total_ms: 2 }]) }));
    await ask(page, topic.title);
    await page.getByRole('button', { name: 'Show the nearest documents' }).click();
    await page.locator('.passages-nearest .card').first().click();
    await page.locator('.reader-body .prose').waitFor();
  },

  async 'a file is added, answered from, changed, deleted, and the answer knows'({ page }) {
    writeFileSync(note, `# The ${word}\n\nThe ${word} weighs 14 grams and is kept in the blue cabinet.\n`);
    await upload(page, note);
    await page.locator('.upload-done').waitFor({ timeout: 30_000 });
    await ask(page, `How heavy is the ${word}?`);
    await answered(page);
    assert.match(await lastTurn(page).innerText(), /14 grams/);
    await page.locator('.answer .cite').first().waitFor();
    assert.equal(await page.locator('.verdict-changed').count(), 0);
    writeFileSync(note, `# The ${word}\n\nThe ${word} weighs 15 grams and is kept in the red cabinet.\n`);
    await upload(page, note);
    await page.getByText('changed since').first().waitFor({ timeout: 30_000 });
    await page.getByText('Since this answer, a cited document was changed.').waitFor();
    await page.locator('.note-changed').getByRole('button', { name: 'Ask again' }).click();
    await within('the new answer', 60_000, async () => /15 grams/.test(await lastTurn(page).innerText()));
    await answered(page);
    // In the list: found by name, shown as live, opened, deleted.
    await page.getByRole('link', { name: 'Documents' }).click();
    await page.getByLabel('Search by title or path').fill(word);
    await within('one row', 10_000, async () => (await page.locator('tbody tr').count()) === 1);
    assert.match(await page.locator('tbody tr').innerText(), /live/);
    await page.getByRole('link', { name: `The ${word}`, exact: true }).click();
    await page.locator('.reader-body').getByText('15 grams').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('tbody').getByLabel(/^Delete “/).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No document fits.').waitFor();
    await page.goto(url + '/');
    await page.locator('.history-item a').first().click();
    await page.getByText('deleted since').first().waitFor({ timeout: 30_000 });
    await page.getByText('Since this answer, a cited document was deleted.').waitFor();
  },

  async 'a dropped folder and a chosen one keep their shape'({ page }) {
    const root = join(folder, 'team ' + word);
    for (const [path, text] of [['a/x.md', 'apples'], ['b/x.md', 'pears'], ['b/100% "sure"?#.md', 'plums'], ['.git/HEAD', 'ref']]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), `The ${word} likes ${text}.`);
    }
    writeFileSync(note, `The ${word} likes cherries.`);
    const paths = async () => (await api(`/api/documents?limit=20&q=${word}`)).documents.filter((d) => d.state === 'live').map((d) => d.path).sort();
    const want = [`${word}.md`, ...['a/x.md', 'b/100% "sure"?#.md', 'b/x.md'].map((p) => `team ${word}/${p}`)].sort();
    const gone = async () => {
      for (const d of (await api(`/api/documents?limit=20&q=${word}`)).documents) await fetch(url + '/api/documents/' + d.id, { method: 'DELETE' });
      await within('the documents are gone', 30_000, async () => (await paths()).length === 0);
    };
    // As if from the file manager, through the browser's own drag and drop.
    const cdp = await page.context().newCDPSession(page);
    const data = { items: [], files: [root, note], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) await cdp.send('Input.dispatchDragEvent', { type, x: 400, y: 300, data });
    await within('every row is done', 30_000, async () => (await page.locator('.upload-done').count()) === 4);
    assert.deepEqual(await paths(), want);
    assert.deepEqual((await page.locator('.upload-name').evaluateAll((l) => l.map((e) => e.title))).sort(), want);
    assert.match(await page.locator('.uploads').innerText(), /A hidden file or folder was left out\./);
    await page.goto(url + '/documents');
    await page.getByLabel('Search by title or path').fill(word);
    for (const p of ['a/x.md', 'b/x.md']) await page.locator('.document-path', { hasText: `team ${word}/${p}` }).waitFor();
    await gone();
    await page.locator('input[type=file]').nth(1).setInputFiles(root);
    await within('every row is done', 30_000, async () => (await page.locator('.upload-done').count()) === 3);
    assert.deepEqual(await paths(), want.filter((p) => p.includes('/')));
    await gone();
  },

  async 'two thousand documents keep their columns on a telephone, wherever one scrolls'({ page }) {
    const all = Array.from({ length: 2000 }, (_, i) => ({ id: String(i).padStart(32, '0'), source: 'docs', path: `minutes/${i}.md`, title: `Meeting ${i}`, state: 'live', live: true,
      size: 84, chunks: 1, embedded: 1, updated: new Date().toISOString(), own: false }));
    await page.route('**/api/documents?*', (r) => {
      const q = new URL(r.request().url()).searchParams, at = Number(q.get('cursor') ?? 0), n = Number(q.get('limit') ?? 100);
      return r.fulfill({ json: { documents: all.slice(at, at + n), cursor: at + n < all.length ? String(at + n) : undefined, total: all.length, states: { live: all.length } } });
    });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(url + '/documents');
    await page.getByText('Meeting 0', { exact: true }).waitFor();
    const column = async () => (await page.locator('thead th').first().boundingBox()).width;
    const before = await column();
    await within('the last of them', 30_000, async () => {
      await page.locator('.scroller').evaluate((e) => (e.scrollTop = 1e7));
      return (await page.getByText('Meeting 1999', { exact: true }).count()) > 0;
    });
    await page.locator('.spacer').first().waitFor({ state: 'attached' });
    assert.ok(Math.abs((await column()) - before) < 2, `the first column was ${before} wide and is ${await column()}`);
  },

  async 'odd names: none looks like another, none moves the page'({ page }) {
    const names = [`user ${word} \u202egnp.exe.md`, `<img src=x onerror=alert(1)> ${word}.md`, `${'long '.repeat(30)}${word}.md`, `تقرير ${word}.md`, `${word}/${'x'.repeat(190)}.md`];
    for (const [i, name] of names.entries()) {
      const r = await fetch(`${url}/api/sources/uploads/documents/${name.split('/').map(encodeURIComponent).join('/')}?wait=live`, { method: 'PUT', body: `Text ${i} of the ${word}.` });
      assert.equal(r.status, 200, await r.text());
    }
    page.on('dialog', (d) => { throw new Error('a name ran: ' + d.message()); });
    for (const width of [1440, 820, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(url + '/documents');
      await page.getByLabel('Search by title or path').fill(word);
      await within('the rows', 10_000, async () => (await page.locator('tbody tr').count()) === names.length);
      const text = await page.locator('tbody').innerText();
      assert.ok(text.includes('\ufffdgnp.exe.md') && !text.includes('\u202e'), text);
      assert.ok(text.includes(`<img src=x onerror=alert(1)> ${word}.md`));
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width}: it scrolls sideways`);
    }
    for (const d of (await api(`/api/documents?limit=20&q=${word}`)).documents) await fetch(url + '/api/documents/' + d.id, { method: 'DELETE' });
  },

  async 'what the server waits for is told, and goes away'({ page }) {
    let troubles = [{ part: 'storage', reason: 'no space left' }, { part: 'embedder', reason: '<b>connection</b> refused' }, { part: 'source docs', reason: 'it is gone' }];
    await page.route('**/api/stats*', async (r) => {
      const reply = await r.fetch();
      return r.fulfill({ response: reply, json: { ...(await reply.json()), troubles } });
    });
    await page.reload();
    const banner = page.locator('.banner-trouble');
    await banner.waitFor();
    assert.deepEqual((await banner.innerText()).trim().split(/\n+/), ['Nothing new can be stored at the moment.', 'no space left',
      'The embedder does not answer: until it does, what is new is found by keyword alone.', '<b>connection</b> refused', 'The source “docs” cannot be read at the moment.', 'it is gone']);
    troubles = [];
    await banner.waitFor({ state: 'detached' });
  },

  async 'the list of documents: search, states, nothing found'({ page }) {
    await page.goto(url + '/documents');
    await page.locator('tbody tr').first().waitFor();
    const all = await page.locator('tbody tr').count();
    await page.getByLabel('Search by title or path').fill('no such document at all');
    await page.getByText('No document fits.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await within('all rows', 5000, async () => (await page.locator('tbody tr').count()) === all);
    await page.getByRole('radio', { name: /^live/ }).check({ force: true });
    await within('live rows only', 5000, async () => (await page.locator('.pill:not(.pill-live)').count()) === 0);
  },

  async 'by keyboard alone: find, theme, dialogs give the focus back'({ page }) {
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('theme: dark');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill(topic.title);
    await page.locator('[role=option]').nth(1).waitFor();
    await page.locator('[role=option]', { hasText: topic.path }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.locator('.panel-reader').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.panel-reader').waitFor({ state: 'detached' });
    await page.keyboard.press('Shift+Escape');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Your question');
    await page.reload();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  },

  async 'a lost connection is told, and found again'({ page }) {
    await page.locator('.dot-live').first().waitFor();
    await page.route('**/api/events', (r) => r.abort());
    await page.evaluate(() => {
      // A hidden page leaves the feed; shown again it connects anew.
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForTimeout(10_500);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: false, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.locator('.banner').waitFor();
    assert.match(await page.locator('.banner').innerText(), /Next try in/);
    await page.unroute('**/api/events');
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.locator('.banner').waitFor({ state: 'detached' });
    await page.locator('.dot-live').first().waitFor();
  },

  async 'a key is asked for, and kept as long as wished'({ page, context }) {
    await context.route('**/api/**', (r) =>
      r.request().headers()['authorization'] === 'Bearer the-key' ? r.continue() : r.fulfill({ status: 401, body: '{"error":{"code":"no_key","message":"a key is needed"}}' }));
    await page.reload();
    const dialog = page.getByRole('dialog', { name: 'API key' });
    await dialog.getByLabel('Key', { exact: true }).fill('the-key');
    await page.keyboard.press('Enter');
    await page.locator('.suggestions button').first().waitFor();
    await page.reload();
    await page.locator('.suggestions button').first().waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem('ragserver.key')), null); // this tab only
  },

  async 'what is shown passes axe, at three widths in both themes'() {
    for (const [width, height] of [[1440, 900], [820, 1100], [360, 740]]) {
      for (const theme of ['light', 'dark']) {
        const b = await open({ width, height, theme });
        const look = async (name) => {
          if (shots) await b.page.screenshot({ path: join(shots, `${name}-${width}-${theme}.png`) });
          assert.deepEqual(await b.axe(), [], `${name} at ${width} in ${theme}`);
          const wide = await b.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${name} at ${width}: ${wide} px too wide`);
        };
        await b.page.goto(url);
        await b.page.locator('.suggestions button').first().waitFor();
        await look('empty');
        await ask(b.page, `What does ${topic.title} say?`);
        await answered(b.page);
        await look('answer');
        await b.page.locator('.cite').first().click();
        await b.page.locator('.reader-body mark').first().waitFor();
        await look('reader');
        await b.page.goto(url + '/documents');
        await b.page.locator('tbody tr').first().waitFor();
        await look('documents');
        await b.page.keyboard.press('Control+k');
        await b.page.locator('[role=option]').first().waitFor();
        await look('find');
        assert.deepEqual(b.errors, []);
        await b.close();
      }
    }
  },
};

let failed = 0;
try {
  const list = await api('/api/documents?state=live&limit=50');
  topic = list.documents.filter((d) => d.title && d.title.length < 70)[0];
  assert.ok(topic, 'the server has no live document with a title');
  topic = { ...topic, title: topic.title.replace(/[?“”"]/g, '') };
  for (const [name, run] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue;
    const began = Date.now();
    const b = await open();
    try {
      await b.page.goto(url + '/');
      await b.page.locator('.empty h2').waitFor();
      await run({ ...b, context: b.page.context() });
      const asked = [...b.hosts].filter((h) => h !== new URL(url).host);
      assert.deepEqual(asked, [], 'another host was asked');
      const errors = b.errors.filter((e) => !/Failed to load resource|net::ERR/.test(e));
      assert.deepEqual(errors, [], 'errors in the console');
      console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (e) {
      failed++;
      console.log(`FAIL  ${name}\n${e.stack.split('\n').slice(0, 12).join('\n')}`);
      if (shots) await b.page.screenshot({ path: join(shots, `failed-${failed}.png`) }).catch(() => {});
    }
    await b.close();
  }
} catch (e) {
  failed++;
  console.error(e.message);
} finally {
  await closeBrowser();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
