// A stand-in for the server, for working on the page only:
//   node dev/fake.mjs [--port 8099] [--vite] [--docs N] [--key KEY] [--no-model] [--empty] [--slow MS]
// It speaks the native API over a handful of documents and plays what is hard
// to provoke. A question that contains one of these words gets:
//   fail      an error in the middle of the answer      refuse   503 before it
//   wait      429 with Retry-After: 8                   nothing  nothing_found
//   modelless an extractive answer with a notice        broken   a connection that breaks off
// POST /dev/ with {"do": …}: change, delete (with "path"), burst (with "n"), drop (the feed), down/up.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { texts } from './documents.mjs';

const argv = process.argv.slice(2);
const flag = (n) => argv.includes('--' + n);
const opt = (n, d) => (argv.includes('--' + n) ? argv[argv.indexOf('--' + n) + 1] : d);
const port = Number(opt('port', 8099));
const key = opt('key', '');
const slow = Number(opt('slow', 35));
const model = flag('no-model') ? '' : 'qwen3:4b';
const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, '../../dist');

const hash = (s) => createHash('sha256').update(s).digest('hex').slice(0, 32);
const now = () => new Date().toISOString();
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
const types = { md: 'text/markdown', pdf: 'application/pdf', csv: 'text/csv', html: 'text/html', txt: 'text/plain', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document' };

const docs = new Map();
const content = new Map(); // version → text
let seq = 0, epoch = 41, feeds = new Set(), log = [], down = false;

function put(path, text, source = 'docs', state = 'live', extra = {}) {
  const id = hash(source + '\0' + path);
  const version = hash(text);
  content.set(version, text);
  const chunks = passages(text).length;
  const d = {
    id, source, path, state, version, live: state === 'live', title: /^# (.+)/m.exec(text)?.[1] ?? '', type: types[path.split('.').pop()] ?? 'text/plain',
    size: Buffer.byteLength(text) * 7, chunks, embedded: chunks, modified: new Date(Date.now() - (parseInt(id.slice(0, 5), 16) % 9e6) * 1000).toISOString(),
    updated: now(), live_at: now(), epoch: ++epoch, own: source === 'uploads', ...extra,
  };
  docs.set(id, d);
  return d;
}
function tell(d, removed = false) {
  const e = { seq: ++seq, time: now(), document: d, ...(removed ? { removed } : {}) };
  log.push(e);
  for (const f of feeds) f.write(`id: ${e.seq}\nevent: document\ndata: ${JSON.stringify(e)}\n\n`);
}
function passages(text) {
  const out = [];
  let heading = [];
  for (const m of text.matchAll(/[^\n]+(?:\n[^\n]+)*/g)) {
    const h = /^(#+) (.*)/.exec(m[0]);
    if (h) { heading = [...heading.slice(0, h[1].length - 1), h[2]]; continue; }
    out.push({ start: [...text.slice(0, m.index)].length, end: [...text.slice(0, m.index + m[0].length)].length, text: m[0], heading: heading.slice(1).join(' › ') });
  }
  return out;
}
if (!flag('empty')) {
  for (const [p, t] of Object.entries(texts)) put(p, t);
  const fail = (path, state, reason, size) => Object.assign(put(path, path, 'docs', state), { reason, chunks: 0, embedded: 0, live: false, title: '', size, version: '' });
  fail('scans/invoice-0717.pdf', 'failed', 'pages 1 to 3 have no text: they are pictures', 2_300_000);
  fail('archive/plans.zip', 'skipped', 'archives are not read', 48_000_000);
  fail('contracts/old/lease-hall-2.doc', 'failed', 'Word files from before 2007 are not read; save it as .docx', 91_000);
  put('onboarding-checklist.txt', 'First day: laptop, badge, keys for the lab.\n\nFirst week: laser safety course with Ms Okafor.', 'uploads');
  const n = Number(opt('docs', 0));
  for (let i = 0; i < n; i++) {
    const id = hash('bulk' + i);
    docs.set(id, { id, source: 'docs', path: `bulk/${String(i).padStart(6, '0')}.md`, state: 'live', version: id, live: true, title: `Measurement protocol ${i}`, type: 'text/markdown', size: 1000 + i, chunks: 3, embedded: 3, updated: now(), own: false });
  }
}

const words = (s) => s.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
function search(q, k, only) {
  const want = new Set(words(q).map((w) => w.slice(0, 6)));
  const hits = [];
  for (const d of docs.values()) {
    if (!d.live || (only?.length && !only.includes(d.id))) continue;
    for (const p of passages(content.get(d.version) ?? '')) {
      const has = words(p.text + ' ' + p.heading + ' ' + d.title).filter((w) => want.has(w.slice(0, 6))).length;
      if (has > 0 || only?.length) hits.push({ d, p, score: has / (8 + words(p.text).length) });
    }
  }
  return hits.sort((a, b) => b.score - a.score).slice(0, k).map(({ d, p, score }, i) => ({
    n: i + 1, cited: false, document: d.id, chunk: hash(d.version + p.start), version: d.version, source: d.source, path: d.path, title: d.title, heading: p.heading || undefined,
    page: d.path.endsWith('.pdf') ? 1 + Math.floor(p.start / 700) : undefined, start: p.start, end: p.end, text: p.text, score, modified: d.modified,
    url: `/d/${d.id}?v=${d.version}&start=${p.start}&end=${p.end}`,
  }));
}
let troubles = [];
const stats = () => {
  const all = [...docs.values()];
  const states = {};
  for (const d of all) states[d.state] = (states[d.state] ?? 0) + 1;
  return {
    version: '0.1.0', collection: 'default', epoch, documents: all.filter((d) => d.live).length, chunks: all.reduce((a, d) => a + d.chunks, 0), embedded: all.reduce((a, d) => a + d.chunks, 0),
    pending: all.filter((d) => ['found', 'parsing', 'embedding'].includes(d.state)).length, states, disk_bytes: 48_300_000, heap_bytes: 61_000_000, embedder: 'builtin-256', model, models: model ? [model, 'claude'] : [], collections: ['default'], uptime_s: process.uptime(), troubles,
  };
};

function answerFor(q, hits) {
  const s = hits.slice(0, 3);
  if (!model) return s.map((h) => `${h.text.split(/(?<=[.!?])\s/)[0].replace(/^[#>|-]\s*/, '')} [${h.n}]`).join('\n\n');
  const first = (h) => h.text.replace(/\*\*|^[->|]\s*/g, '').split(/(?<=[.!?])\s/)[0];
  return `In short: ${first(s[0])} [${s[0].n}]\n\n${s.length > 1 ? `Beside that, **${s[1].title}** adds:\n\n- ${first(s[1])} [${s[1].n}]\n${s[2] ? `- ${first(s[2])} [${s[1].n}][${s[2].n}]\n` : ''}\n` : ''}| What | Where |\n|---|---|\n${s.map((h) => `| ${h.heading || h.title} | ${h.path} [${h.n}] |`).join('\n')}\n\nThe documents say nothing beyond this.`;
}

async function ask(req, res, body) {
  const q = body.question;
  if (/\bwait\b/.test(q)) return fail(res, 429, 'too_many', 'too many questions at once', { 'Retry-After': '8' });
  if (/\brefuse\b/.test(q)) return fail(res, 503, 'not_ready', 'the server is stopping');
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const send = (event, data) => { const s = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`; const cut = Math.floor(s.length / 2); res.write(s.slice(0, cut)); res.write(s.slice(cut)); };
  const began = Date.now();
  const nothing = /\bnothing\b/.test(q);
  const hits = nothing ? [] : search(q, 6, body.documents);
  await wait(slow * 4);
  const kind = hits.length === 0 ? 'nothing_found' : model && !/modelless/.test(q) ? 'generated' : 'extractive';
  send('sources', { epoch, query: body.history?.length ? q + ' (in context)' : q, sources: hits, took_ms: 3.4 });
  await wait(slow * 12);
  const text = kind === 'nothing_found' ? 'Nothing in the documents answers this.' : answerFor(q, hits);
  let at = 0, n = 0;
  while (at < text.length && !res.destroyed) {
    const piece = text.slice(at, at + 1 + (n * 7 % 9));
    at += piece.length; n++;
    send('text', { text: piece });
    if (n === 14 && /\bfail\b/.test(q)) { send('error', { error: { code: 'model_failed', message: 'the model stopped answering: connection refused' } }); return res.end(); }
    if (n === 14 && /\bbroken\b/.test(q)) return res.destroy();
    await wait(slow);
  }
  const cited = new Set([...text.matchAll(/\[(\d+)\]/g)].map((m) => Number(m[1])));
  send('done', {
    answer: text, kind, model: kind === 'generated' ? model : undefined, notices: /modelless/.test(q) ? [{ code: 'model_failed', message: 'the model did not answer (the model is unavailable): these are the passages’ own sentences' }] : kind === 'extractive' ? [{ code: 'no_model', message: 'no language model is configured' }] : undefined,
    sources: hits.map((h) => ({ ...h, cited: cited.has(h.n) })), epoch, retrieval_ms: 3.4, total_ms: Date.now() - began, usage: { prompt_tokens: 900, completion_tokens: 120 },
  });
  res.end();
}

const fail = (res, status, code, message, head = {}) => json(res, { error: { code, message } }, status, head);
function json(res, body, status = 200, head = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...head });
  res.end(JSON.stringify(body));
}

async function become(d, text) {
  for (const state of ['parsing', 'embedding']) { Object.assign(d, { state, updated: now() }); tell({ ...d }); await wait(250); }
  const v = hash(text);
  content.set(v, text);
  Object.assign(d, { state: 'live', version: v, live: true, chunks: passages(text).length, embedded: 1, updated: now(), modified: now(), epoch: ++epoch });
  tell({ ...d });
}

const find = (path) => [...docs.values()].find((d) => d.path === path);
async function dev(body) {
  switch (body.do) {
    case 'change': { const d = find(body.path); return void become(d, content.get(d.version).replace('28 €', '32 €').replace('14,720.00', '15,514.00') + '\nChanged.\n'); }
    case 'delete': { const d = find(body.path); docs.delete(d.id); return tell({ ...d, live: false }, true); }
    case 'drop': return feeds.forEach((f) => f.destroy());
    case 'down': down = true; return feeds.forEach((f) => f.destroy());
    case 'up': return void (down = false);
    case 'trouble': return void (troubles = body.list);
    case 'burst':
      for (let i = 0; i < body.n; i++) tell(put(`incoming/report-${i}.md`, `# Report ${i}\n\nValue ${i}.`, 'docs', 'found', { live: false }));
      for (let i = 0; i < body.n; i++) { await wait(body.ms ?? 120); const d = find(`incoming/report-${i}.md`); Object.assign(d, { state: 'live', live: true, updated: now() }); tell({ ...d }); }
  }
}

async function handle(req, res) {
  const url = new URL(req.url, 'http://x');
  const p = decodeURIComponent(url.pathname);
  const chunks = [];
  for await (const c of req) chunks.push(c);
  const raw = Buffer.concat(chunks);
  if (p === '/dev/') { void dev(JSON.parse(raw)); return json(res, {}); }
  if (down) return res.destroy();
  if (!p.startsWith('/api/')) return page(req, res, p);
  if (key && req.headers.authorization !== `Bearer ${key}`) return fail(res, 401, 'no_key', 'a key is needed');
  const q = url.searchParams;
  if (p === '/api/ask') return ask(req, res, JSON.parse(raw));
  if (p === '/api/search') { const b = JSON.parse(raw); return json(res, { epoch, hits: search(b.query.replace('nothing', 'rent lease'), b.k ?? 10), took_ms: 2 }); }
  if (p === '/api/stats') return json(res, stats());
  if (p === '/api/sources' && req.method === 'GET') return json(res, [
    { name: 'docs', kind: 'folder', location: '/home/mira/documents', documents: docs.size, scanned: true, writable: false },
    { name: 'uploads', kind: 'uploads', location: 'uploads', documents: 1, scanned: true, writable: true }]);
  if (p === '/api/events') {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const last = Number(req.headers['last-event-id'] ?? seq);
    res.write(`retry: 2000\nid: ${last}\n\n`);
    for (const e of log.filter((e) => e.seq > last)) res.write(`id: ${e.seq}\nevent: document\ndata: ${JSON.stringify(e)}\n\n`);
    const beat = setInterval(() => res.write(': \n\n'), 15000);
    feeds.add(res);
    return res.on('close', () => (feeds.delete(res), clearInterval(beat)));
  }
  if (p === '/api/documents') {
    const text = (q.get('q') ?? '').toLowerCase(), limit = Number(q.get('limit') ?? 100), from = Number(q.get('cursor') ?? 0);
    const rows = [...docs.values()].filter((d) => (!q.get('state') || d.state === q.get('state')) && (!q.get('source') || d.source === q.get('source')) && (d.path + ' ' + d.title).toLowerCase().includes(text));
    return json(res, { documents: rows.slice(from, from + limit), cursor: from + limit < rows.length ? String(from + limit) : undefined, total: rows.length, states: stats().states });
  }
  let m = /^\/api\/documents\/([^/]+)(\/text)?$/.exec(p);
  if (m) {
    const d = docs.get(m[1]);
    if (!d) return fail(res, 404, 'no_document', 'this document does not exist, or no longer');
    if (req.method === 'DELETE') { docs.delete(d.id); tell({ ...d, live: false }, true); return json(res, { id: d.id, path: d.path, state: 'deleted' }); }
    if (!m[2]) return json(res, d);
    const version = q.get('version') || d.version;
    const text = content.get(version);
    if (text === undefined) return fail(res, 404, 'version_not_found', 'this version is not stored any more; the document was changed');
    const all = [...text];
    const around = Number(q.get('around') ?? 0);
    const start = Math.max(0, Number(q.get('start') ?? 0) - around), end = Math.min(all.length, Number(q.get('end') ?? all.length) + around);
    await wait(60);
    return json(res, { id: d.id, version, current: version === d.version, path: d.path, title: d.title, start, end, length: all.length, text: all.slice(start, end).join(''), format: 'markdown' });
  }
  m = /^\/api\/sources\/([^/]+)\/documents\/(.+)$/.exec(p);
  if (m && req.method === 'PUT') {
    const name = m[2];
    if (name.includes('refused')) return fail(res, 400, 'bad_request', 'the name cannot be a key');
    const text = raw.toString('utf8');
    const d = put(name, text, 'uploads', 'found', { live: false });
    tell({ ...d });
    void wait(300).then(() => become(d, text));
    return json(res, { id: d.id, path: name, state: 'found' }, 202);
  }
  fail(res, 404, 'not_found', `there is nothing at ${p}`);
}

let vite = null;
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
function page(req, res, p) {
  if (vite) return vite.middlewares(req, res);
  const name = p === '/' || p.startsWith('/documents') || p.startsWith('/d/') ? 'index.html' : normalize(p).slice(1);
  const file = join(dist, name);
  if (!existsSync(file) || !extname(file)) return res.writeHead(404).end();
  let body = readFileSync(file);
  if (name === 'index.html') body = body.toString().replaceAll('="./', '="/');
  const kind = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }[extname(file)];
  res.writeHead(200, { 'Content-Type': kind, 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' }).end(body);
}

if (flag('vite')) {
  const { createServer: createVite } = await import('vite');
  vite = await createVite({ server: { middlewareMode: true }, appType: 'spa', base: '/' });
}
createServer((req, res) => handle(req, res).catch((e) => { console.error(e); res.destroy(); })).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
