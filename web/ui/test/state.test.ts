import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure, failureOf, parse, retryAfter, sentence, upload } from '../src/api/client';
import type { Document, DocumentList, FeedEvent, Source } from '../src/api/shapes';
import { Asking } from '../src/state/asking';
import { Conversations, titleOf } from '../src/state/conversations';
import { DocumentStore } from '../src/state/documents';
import { Feed } from '../src/state/feed';
import { FreshnessStore } from '../src/state/freshness';
import { formatRoute, parseRoute, type Route } from '../src/state/route';
import { heading, spread, topics } from '../src/state/topics';
import { chosenFiles, droppedFiles, Uploads } from '../src/state/uploads';

const source = (n: number, more: Partial<Source> = {}): Source => ({
  n, cited: true, document: 'd' + n, chunk: 'c' + n, version: 'v1', source: 'docs', path: `p${n}.md`, title: `T${n}`, start: 0, end: 4, text: 'text', score: 1, url: '', ...more,
});
const doc = (id: string, more: Partial<Document> = {}): Document => ({
  id, source: 'docs', path: id + '.md', state: 'live', version: 'v1', live: true, size: 1, chunks: 1, embedded: 1, updated: '2026-01-01T00:00:00Z', own: false, ...more,
});
const event = (d: Document, removed = false): FeedEvent => ({ seq: 1, time: '2026-01-01T00:00:00Z', document: d, removed });

beforeEach(() => localStorage.clear());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function sse(...parts: [string, unknown][]): string {
  return parts.map(([e, d]) => `event: ${e}\ndata: ${JSON.stringify(d)}\n\n`).join('');
}
/** Answers every request with a stream that the test writes. */
function server() {
  const requests: { url: string; body: any; headers: Record<string, string>; signal: AbortSignal }[] = [];
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    requests.push({ url, body: init.body ? JSON.parse(String(init.body)) : undefined, headers: init.headers as Record<string, string>, signal: init.signal! });
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c) });
    init.signal?.addEventListener('abort', () => controller.error(new DOMException('aborted', 'AbortError')));
    return Promise.resolve(new Response(body, { status: 200 }));
  });
  return { requests, write: (s: string) => controller.enqueue(new TextEncoder().encode(s)), end: () => controller.close() };
}
const settled = async (f: () => boolean) => {
  for (let i = 0; i < 1000 && !f(); i++) await new Promise((r) => setTimeout(r, 0));
  expect(f()).toBe(true);
};
const answer = { answer: 'The rent [1].', kind: 'generated', model: 'm', sources: [source(1)], epoch: 3, retrieval_ms: 2, total_ms: 9 };

describe('conversations', () => {
  it('are kept, listed newest first, renamed, deleted', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const store = new Conversations(localStorage);
    const a = store.ask(null, 'First question?');
    vi.setSystemTime(2_000_000);
    const b = store.ask(null, 'Second question?');
    expect(store.list.value.map((s) => s.title)).toEqual(['Second question?', 'First question?']);
    store.update(a.conversation.id, a.turn.id, { text: 'Yes.', phase: 'done' });
    store.rename(b.conversation.id, '  Named  ');
    const again = new Conversations(localStorage);
    expect(again.list.value.map((s) => s.title)).toEqual(['Named', 'First question?']);
    expect(again.open(a.conversation.id)).toBe(true);
    expect(again.current.value!.turns[0]!.text).toBe('Yes.');
    again.delete(a.conversation.id);
    expect(again.current.value).toBeNull();
    expect(new Conversations(localStorage).list.value.map((s) => s.title)).toEqual(['Named']);
    expect(again.open('nowhere')).toBe(false);
  });

  it('show an answer that the end of the page cut off as stopped', () => {
    const store = new Conversations(localStorage);
    const { conversation, turn } = store.ask(null, 'Q?');
    store.update(conversation.id, turn.id, { text: 'Half', phase: 'writing' });
    store.flush();
    const again = new Conversations(localStorage);
    again.open(conversation.id);
    expect(again.current.value!.turns[0]).toMatchObject({ text: 'Half', phase: 'stopped' });
  });

  it('survive damage in the storage', () => {
    localStorage.setItem('ragserver.conversation.x', '{"id":');
    localStorage.setItem('ragserver.conversation.y', '{"id":"z","turns":[]}');
    localStorage.setItem('ragserver.conversation.w', '7');
    expect(new Conversations(localStorage).list.value).toEqual([]);
  });

  it('say when there is no room', () => {
    const full = { ...Object.fromEntries(['getItem', 'key', 'removeItem'].map((n) => [n, () => null])), length: 0, setItem: () => { throw new DOMException('full', 'QuotaExceededError'); } } as unknown as Storage;
    const store = new Conversations(full);
    store.ask(null, 'Q?');
    expect(store.trouble.value).toMatch(/no room/);
    expect(store.list.value).toHaveLength(1);
  });

  it('hear of other tabs', () => {
    const here = new Conversations(localStorage), there = new Conversations(localStorage);
    const { conversation } = there.ask(null, 'Elsewhere?');
    here.changed('ragserver.conversation.' + conversation.id);
    expect(here.list.value.map((s) => s.title)).toEqual(['Elsewhere?']);
    here.changed('something else');
    here.open(conversation.id);
    there.delete(conversation.id);
    here.changed('ragserver.conversation.' + conversation.id);
    expect(here.current.value).toBeNull();
  });

  it('are named after their first words', () => {
    expect(titleOf('  What\n is this? ')).toBe('What is this?');
    expect(titleOf('word '.repeat(40))).toMatch(/^(word ){10,11}word…$/);
    expect(titleOf('x'.repeat(100))).toBe('x'.repeat(60) + '…');
  });
});

describe('asking', () => {
  const make = () => {
    const store = new Conversations(localStorage);
    const said: string[] = [];
    return { store, said, asking: new Asking(store, { announce: (s) => said.push(s), frame: (f) => f() }) };
  };

  it('follows an answer from the question to its end', async () => {
    const s = server();
    const { store, said, asking } = make();
    const { id, done } = asking.ask(null, 'What is the rent?');
    const turn = () => store.get(id)!.turns[0]!;
    expect(turn().phase).toBe('searching');
    await settled(() => s.requests.length === 1);
    expect(s.requests[0]).toMatchObject({ url: '/api/ask', body: { question: 'What is the rent?', history: [], stream: true } });
    s.write(sse(['sources', { epoch: 3, query: 'rent', sources: [source(1)], took_ms: 2 }]));
    await settled(() => turn().found);
    expect(turn()).toMatchObject({ phase: 'searching', text: '', retrieval: 2 }); // sources before the first word
    s.write(sse(['text', { text: 'The re' }], ['text', { text: 'nt [' }]));
    await settled(() => turn().text === 'The rent [');
    expect(turn().phase).toBe('writing');
    s.write(sse(['done', answer]));
    await done;
    expect(turn()).toMatchObject({ phase: 'done', text: 'The rent [1].', kind: 'generated', model: 'm', total: 9 });
    expect(said).toEqual(['Searching your documents.', 'The answer is ready.']); // and nothing in between
  });

  it('sends what was said before, without marks, and leaves out what failed', async () => {
    const s = server();
    const { store, asking } = make();
    const first = asking.ask(null, 'One?');
    await settled(() => s.requests.length === 1);
    s.write(sse(['done', answer]));
    await first.done;
    const second = asking.ask(first.id, 'Two?');
    await settled(() => s.requests.length === 2);
    s.write(sse(['error', { error: { code: 'model_failed', message: 'the model is gone' } }]));
    await second.done;
    expect(store.get(first.id)!.turns[1]).toMatchObject({ phase: 'failed', failure: { message: 'The model is gone.' } });
    void asking.ask(first.id, 'Three?');
    await settled(() => s.requests.length === 3);
    expect(s.requests[2]!.body.history).toEqual([
      { role: 'user', content: 'One?' }, { role: 'assistant', content: 'The rent.' },
    ]);
  });

  it('stops, and keeps what was written', async () => {
    const s = server();
    const { store, asking } = make();
    const { id, done } = asking.ask(null, 'Q?');
    await settled(() => s.requests.length === 1);
    s.write(sse(['text', { text: 'Half an' }]));
    await settled(() => store.get(id)!.turns[0]!.text === 'Half an');
    asking.stop(id);
    await done;
    expect(s.requests[0]!.signal.aborted).toBe(true);
    expect(store.get(id)!.turns[0]).toMatchObject({ phase: 'stopped', text: 'Half an' });
  });

  it('replaces the turn that is asked again', async () => {
    const s = server();
    const { store, asking } = make();
    const { id, done } = asking.ask(null, 'Q?');
    await settled(() => s.requests.length === 1);
    s.write(sse(['done', answer]));
    await done;
    const again = asking.again(id, store.get(id)!.turns[0]!, 'Q, please?');
    await settled(() => s.requests.length === 2);
    expect(s.requests[1]!.body).toMatchObject({ question: 'Q, please?', history: [] });
    s.write(sse(['done', { ...answer, answer: 'New.' }]));
    await again;
    expect(store.get(id)!.turns.map((t) => t.text)).toEqual(['New.']);
  });

  it.each([
    ['an end without done', (s: ReturnType<typeof server>) => (s.write(sse(['text', { text: 'a' }])), s.end()), 'offline'],
    ['garbage', (s: ReturnType<typeof server>) => s.write('event: done\ndata: {"answer":\n\n'), 'server'],
  ])('tells of %s', async (_, act, kind) => {
    const s = server();
    const { store, asking } = make();
    const { id, done } = asking.ask(null, 'Q?');
    await settled(() => s.requests.length === 1);
    act(s);
    await done;
    expect(store.get(id)!.turns[0]).toMatchObject({ phase: 'failed', failure: { kind } });
  });

  it('knows when to try again after 429', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"error":{"code":"busy","message":"too many questions"}}', { status: 429, headers: { 'Retry-After': '8' } })));
    const { store, asking } = make();
    const before = Date.now();
    const { id, done } = asking.ask(null, 'Q?');
    await done;
    const f = store.get(id)!.turns[0]!.failure!;
    expect(f).toMatchObject({ kind: 'wait', message: 'Too many questions.' });
    expect(f.until! - before).toBeGreaterThanOrEqual(8000);
  });
});

describe('failures', () => {
  const of = (status: number, body = '', head: Record<string, string> = {}) =>
    failureOf(status, { get: (n) => head[n] ?? null }, () => Promise.resolve(body));
  it.each([
    [401, 'key'], [403, 'key'], [404, 'gone'], [410, 'gone'], [413, 'refused'], [400, 'refused'], [429, 'wait'], [500, 'server'], [502, 'server'], [503, 'server'],
  ])('%d is %s, with a sentence', async (status, kind) => {
    for (const body of ['', '<html>', 'null', '{"error":"x"}', '{"error":{"message":7}}']) {
      const f = await of(status, body);
      expect(f.kind).toBe(kind);
      expect(f.message).toMatch(/^[A-Z].*[.]$/);
    }
  });
  it('take the words of the server', async () => {
    expect((await of(400, '{"error":{"code":"bad_filter","message":"unknown field \\"x\\""}}'))).toMatchObject({ code: 'bad_filter', message: 'Unknown field "x".' });
  });
  it('read Retry-After as a number and as a date', () => {
    expect(retryAfter('7')).toBe(7);
    expect(retryAfter('0')).toBe(1);
    expect(retryAfter('99999')).toBe(3600);
    expect(retryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 30_000)).toBe(30);
    expect(retryAfter('soon')).toBe(5);
    expect(retryAfter(null)).toBe(5);
  });
  it('sentence', () => expect([sentence('a'), sentence(' b! '), sentence('')]).toEqual(['A.', 'B!', '']));
});

describe('freshness', () => {
  it('follows the feed', () => {
    const f = new FreshnessStore(() => Promise.reject(new Error('not asked')));
    const s = source(1);
    expect(f.of(s)).toBe('unknown');
    f.events([event(doc('d1'))]);
    expect(f.of(s)).toBe('current');
    f.events([event(doc('d1', { state: 'parsing', version: 'v2' }))]);
    expect(f.of(s)).toBe('current'); // on its way; the old version still answers
    f.events([event(doc('d1', { version: 'v2' }))]);
    expect(f.of(s)).toBe('changed');
    f.events([event(doc('d1', { version: 'v1', state: 'stale' }))]);
    expect(f.of(s)).toBe('unreachable');
    f.events([event(doc('d1'), true)]);
    expect(f.of(s)).toBe('deleted');
    f.events([event(doc('d1'))]); // it is back
    expect(f.of(s)).toBe('current');
  });

  it('looks up what it has not heard of, once, four at a time', async () => {
    let busy = 0, most = 0;
    const asked: string[] = [];
    const f = new FreshnessStore(async (id) => {
      asked.push(id);
      most = Math.max(most, ++busy);
      await Promise.resolve();
      busy--;
      if (id === 'd2') throw new Failure('gone', 'Gone.');
      return doc(id, { version: id === 'd3' ? 'v9' : 'v1' });
    });
    const ids = Array.from({ length: 9 }, (_, i) => 'd' + (i + 1));
    f.check(ids);
    f.check(ids);
    await settled(() => busy === 0 && f.known.value.size === 9);
    expect(most).toBe(4);
    expect(asked.sort()).toEqual(ids);
    expect([1, 2, 3].map((n) => f.of(source(n)))).toEqual(['current', 'deleted', 'changed']);
  });
});

describe('the list of documents', () => {
  const many = Array.from({ length: 250 }, (_, i) => doc(String(i).padStart(3, '0')));
  const serve = () => {
    const calls: any[] = [];
    const list = async (f: any): Promise<DocumentList> => {
      calls.push(f);
      const all = many.filter((d) => d.path.includes(f.q ?? ''));
      const at = Number(f.cursor ?? 0);
      return { documents: all.slice(at, at + f.limit), cursor: at + f.limit < all.length ? String(at + f.limit) : '', total: all.length, states: { live: all.length } };
    };
    return { calls, store: new DocumentStore(list) };
  };

  it('loads pages one after another', async () => {
    const { store } = serve();
    await store.load();
    expect([store.rows.value.length, store.total.value, store.hasMore]).toEqual([100, 250, true]);
    await store.more();
    await store.more();
    await store.more();
    expect([store.rows.value.length, store.hasMore]).toEqual([250, false]);
    expect(new Set(store.rows.value.map((d) => d.id)).size).toBe(250);
  });

  it('shows the answer to the last filter only', async () => {
    const waiting: ((l: DocumentList) => void)[] = [];
    const store = new DocumentStore((_, signal) => new Promise((ok, no) => {
      waiting.push(ok);
      signal.addEventListener('abort', () => no(new DOMException('', 'AbortError')));
    }));
    store.set({ q: 'a' });
    store.set({ q: 'ab' });
    waiting[1]!({ documents: [doc('ab')], total: 1, states: {} });
    waiting[0]!({ documents: [doc('a')], total: 1, states: {} });
    await settled(() => !store.loading.value);
    expect(store.rows.value.map((d) => d.id)).toEqual(['ab']);
    expect(store.failure.value).toBeNull();
  });

  it('changes and removes rows as the feed says', async () => {
    const { store } = serve();
    await store.load();
    store.events([event(doc('005', { state: 'failed', reason: 'no text' })), event(doc('006'), true), event(doc('new'))]);
    expect(store.rows.value.length).toBe(99);
    expect(store.rows.value.find((d) => d.id === '005')).toMatchObject({ state: 'failed', reason: 'no text' });
    expect(store.behind.value).toBe(1);
  });

  it('keeps its rows when loading fails', async () => {
    let fail = false;
    const store = new DocumentStore(async () => {
      if (fail) throw new Failure('offline', 'The server does not answer.');
      return { documents: [doc('1')], total: 1, states: {} };
    });
    await store.load();
    fail = true;
    await store.load();
    expect(store.failure.value?.kind).toBe('offline');
    expect(store.rows.value.length).toBe(1);
  });
});

describe('the feed', () => {
  it('takes events together, resumes behind the last one, and resets', async () => {
    const s = server();
    const feed = new Feed();
    const got: FeedEvent[][] = [];
    let resets = 0;
    feed.listen({ events: (l) => got.push(l), reset: () => resets++ });
    void feed.start();
    await settled(() => s.requests.length === 1);
    s.write('id: 41\n\n');
    await settled(() => feed.link.value.state === 'live');
    s.write(`id: 42\nevent: document\ndata: ${JSON.stringify(event(doc('a', { state: 'parsing' })))}\n\n`);
    s.write(`id: 43\nevent: document\ndata: ${JSON.stringify(event(doc('a')))}\n\n`);
    await vi.waitFor(() => expect(got.length).toBe(1));
    expect(got[0]!.map((e) => e.document.state)).toEqual(['parsing', 'live']);
    expect(feed.activity.value.map((e) => e.document.state)).toEqual(['live']); // one line a document
    s.end();
    await settled(() => s.requests.length === 2); // at once after an orderly end
    expect(s.requests[1]!.headers['Last-Event-ID']).toBe('43');
    s.write('id: 99\nevent: reset\ndata: {}\n\n');
    await settled(() => resets === 1);
    feed.stop();
    expect(s.requests[1]!.signal.aborted).toBe(true);
  });

  it('backs off while the server is away, and tries at once when told', async () => {
    let tries = 0;
    vi.stubGlobal('fetch', () => (tries++, Promise.reject(new TypeError('refused'))));
    const feed = new Feed();
    void feed.start();
    await settled(() => feed.link.value.state === 'lost');
    const first = feed.link.value as { retryAt: number; since: number };
    expect(tries).toBe(1);
    feed.retry();
    await settled(() => tries === 2);
    await settled(() => (feed.link.value as { retryAt: number }).retryAt !== first.retryAt);
    const second = feed.link.value as { retryAt: number; since: number };
    expect(second.since).toBe(first.since);
    expect(second.retryAt - Date.now()).toBeGreaterThan(1000); // 2 s, more or less a quarter
    feed.stop();
  });

  it('waits for a key', async () => {
    let tries = 0;
    vi.stubGlobal('fetch', () => (tries++, Promise.resolve(new Response('{}', { status: 401 }))));
    const feed = new Feed();
    void feed.start();
    await settled(() => feed.link.value.state === 'barred');
    expect(tries).toBe(1);
    feed.retry();
    await settled(() => tries === 2);
    feed.stop();
  });
});

it('names that turn the text around them are told as they are', () => {
  const override = '\u202e';
  expect(parse(JSON.stringify({ path: `a${override}gnp.md`, documents: [{ title: '\u2067x\u2069', text: override }], 1: 'تقرير\u200f' }))).toEqual(
    { path: 'a\ufffdgnp.md', documents: [{ title: '\ufffdx\ufffd', text: override }], 1: 'تقرير\u200f' });
});

describe('uploads', () => {
  const file = (name: string) => new File(['x'], name);
  it('sends two at a time and hears from the feed what became of them', async () => {
    const sent: { name: string; ok: (w: any) => void; no: (e: unknown) => void }[] = [];
    const u = new Uploads(async () => 'uploads', (_s, path) => new Promise((ok, no) => sent.push({ name: path, ok, no })));
    u.add(['a', 'b', 'c', 'd'].map((path) => ({ path, file: file(path) })));
    await settled(() => sent.length === 2);
    expect(u.rows.value.map((r) => r.phase)).toEqual(['sending', 'sending', 'waiting', 'waiting']);
    sent[0]!.ok({ id: 'A', path: 'a', state: 'found' });
    sent[1]!.no(new Failure('refused', 'A bad name.'));
    await settled(() => sent.length === 4);
    sent[2]!.ok({ id: 'C', path: 'c', state: 'live' });
    sent[3]!.no(new Failure('refused', 'Too large.'));
    await settled(() => u.rows.value.every((r) => r.phase !== 'sending'));
    expect(u.rows.value.map((r) => [r.phase, r.message])).toEqual([['reading', ''], ['failed', 'A bad name.'], ['done', ''], ['failed', 'Too large.']]);
    u.events([event(doc('A', { state: 'embedding' })), event(doc('Z'))]);
    expect(u.rows.value[0]!.phase).toBe('reading');
    u.events([event(doc('A', { state: 'failed', reason: 'no text' }))]);
    expect(u.rows.value[0]).toMatchObject({ phase: 'failed', message: 'no text' });
    u.retry(u.rows.value[3]!.id);
    await settled(() => sent.length === 5);
    expect(sent[4]!.name).toBe('d');
  });

  const all = () => {
    const sent: string[] = [];
    const u = new Uploads(async () => 'uploads', async (_s, path) => (sent.push(path), { id: path, path, state: 'live' }));
    return { u, sent, rows: () => u.rows.value.map((r) => [r.path, r.phase]) };
  };
  it('a dropped folder keeps its shape: files of one name in two folders both arrive', async () => {
    const { u, sent, rows } = all();
    u.add(await droppedFiles(drop({ 'x.md': 'alone', team: { a: { 'x.md': '1' }, b: { 'x.md': '2', 'y z.md': '3' } } })));
    await settled(() => u.rows.value.every((r) => r.phase === 'done'));
    expect(sent).toEqual(['x.md', 'team/a/x.md', 'team/b/x.md', 'team/b/y z.md']);
    expect(rows().map(([path]) => path)).toEqual(sent);
  });
  it('a folder that is chosen keeps its shape too', async () => {
    const { u, sent } = all();
    const within = (path: string) => Object.defineProperty(file(path.split('/').pop()!), 'webkitRelativePath', { value: path });
    u.add(chosenFiles([file('x.md'), within('team/a/x.md'), within('team/b/x.md')]));
    await settled(() => sent.length === 3);
    expect(sent).toEqual(['x.md', 'team/a/x.md', 'team/b/x.md']);
  });
  it('hidden files within folders are left out and counted; what was picked by itself is taken', async () => {
    const { u, sent } = all();
    u.add(await droppedFiles(drop({ '.env': '', '.notes': { 'a.md': '', '.DS_Store': '', '.git': { HEAD: '', config: '' } } })));
    await settled(() => sent.length === 2);
    expect(sent).toEqual(['.env', '.notes/a.md']);
    expect(u.hidden.value).toBe(2); // what is in a hidden folder is not looked at
    u.dismiss(u.rows.value[0]!.id);
    u.dismiss(u.rows.value[0]!.id);
    expect(u.hidden.value).toBe(0);
  });
  it('what the browser cannot read, and the second of two files of one name, say so', async () => {
    const { u, sent } = all();
    const list = await droppedFiles(drop({ team: { 'a.md': '1', 'locked.md': null, closed: 'closed' } }));
    u.add([...list, { path: 'x.md', file: file('x.md') }, { path: 'x.md', file: file('x.md') }]);
    await settled(() => u.rows.value.every((r) => r.phase === 'done' || r.phase === 'failed'));
    expect(sent).toEqual(['team/a.md', 'x.md']);
    expect(u.rows.value.map((r) => [r.path, r.message])).toEqual([
      ['team/a.md', ''], ['team/locked.md', 'The browser cannot read it.'], ['team/closed', 'The browser cannot read it.'],
      ['x.md', ''], ['x.md', 'Another file of this name is being added with it; rename one of them.'],
    ]);
  });
  it('is sent under its path, with the time it was changed', async () => {
    const put: any[] = [];
    vi.stubGlobal('XMLHttpRequest', class {
      upload = {};
      status = 202;
      responseText = '{"id":"A","path":"team/b/a.md","state":"found"}';
      onload = () => {};
      open(...a: unknown[]) { put.push(...a); }
      setRequestHeader(...a: unknown[]) { put.push(a); }
      send(body: unknown) { put.push(body); this.onload(); }
    });
    const f = new File(['x'], 'a.md', { type: 'text/markdown', lastModified: Date.UTC(2026, 1, 3, 4, 5, 6, 789) });
    expect(await upload('my uploads', 'team/ü b/100% "a?"#\\.md', f, () => {}, new AbortController().signal)).toMatchObject({ id: 'A' });
    expect(put).toEqual(['PUT', '/api/sources/my%20uploads/documents/team/%C3%BC%20b/100%25%20%22a%3F%22%23%5C.md',
      ['Last-Modified', 'Tue, 03 Feb 2026 04:05:06 GMT'], ['Content-Type', 'text/markdown'], f]);
    await expect(upload('uploads', 'lone \ud800.md', f, () => {}, new AbortController().signal)).rejects.toThrow('name');
  });
});

type Tree = { [name: string]: Tree | string | null };
/** What a drop of files (text) and folders gives; null is a file, 'closed' a folder, that cannot be read. */
function drop(tree: Tree): DataTransfer {
  const entry = (name: string, what: Tree | string | null, at: string): FileSystemEntry => {
    const fullPath = at + '/' + name;
    if (what === null || (typeof what === 'string' && what !== 'closed')) {
      return { name, fullPath, isFile: true, isDirectory: false,
        file: (ok: (f: File) => void, no: (e: Error) => void) => (what === null ? no(new Error('NotReadableError')) : ok(new File([what], name))) } as any;
    }
    return { name, fullPath, isFile: false, isDirectory: true, createReader: () => {
      const rest = typeof what === 'string' ? [] : Object.entries(what).map(([n, w]) => entry(n, w, fullPath));
      return { readEntries: (ok: (e: FileSystemEntry[]) => void, no: (e: Error) => void) => (what === 'closed' ? no(new Error('NotReadableError')) : ok(rest.splice(0, 2))) };
    } } as any;
  };
  return { items: Object.entries(tree).map(([n, w]) => ({ kind: 'file', webkitGetAsEntry: () => entry(n, w, '') })), files: [] } as any;
}

describe('addresses', () => {
  it.each<[string, Route]>([
    ['/', { screen: 'chat', conversation: null, reader: null }],
    ['/?c=abc', { screen: 'chat', conversation: 'abc', reader: null }],
    ['/documents', { screen: 'documents', conversation: null, reader: null }],
    ['/d/0a1b?v=2c&start=10&end=20', { screen: 'chat', conversation: null, reader: { document: '0a1b', version: '2c', start: 10, end: 20 } }],
    ['/d/a%2Fb?in=documents&c=x', { screen: 'documents', conversation: 'x', reader: { document: 'a/b', version: undefined, start: undefined, end: undefined } }],
  ])('%s', (address, want) => {
    const [path, search = ''] = address.split('?');
    const got = parseRoute(path!, search);
    expect(got).toEqual(want);
    expect(parseRoute(...(formatRoute(got).split('?') as [string, string]), )).toEqual(want);
  });
  it('nonsense leads somewhere', () => {
    expect(parseRoute('/d/', '').reader).toBeNull();
    expect(parseRoute('/d/%E0%A4%A', 'start=-1&end=1e9')).toMatchObject({ reader: { document: '%E0%A4%A', start: undefined, end: undefined } });
    expect(parseRoute('/elsewhere', '')).toMatchObject({ screen: 'chat' });
  });
});

it('topics are headings of different documents, in their own words', async () => {
  expect(heading('# Lease\n\n## 2. Term\n\nText\n\n## § 5 Notice period:\n\n### 7\n', 'Lease')).toBe('Notice period');
  expect(heading('# دليل\n\n## مدة الإجازة\n', 'دليل')).toBe('مدة الإجازة');
  expect(heading('no heading # at all\n#hashtag', 'x')).toBe('');
  expect(heading('## **Bold** and [linked](http://x)\n', 'x')).toBe('Bold and linked');
  const docs = [doc('1', { title: 'Lease' }), doc('2', { title: 'Lease' }), doc('3', { title: '' }), doc('4', { title: 'Gone' }), doc('5', { title: 'Minutes' })];
  const texts: Record<string, string> = { '1': '## Notice period', '2': '## Never asked for', '3': 'plain', '5': '## Notice period\n## Kestrel' };
  const list = await topics(docs, async (d) => {
    if (!(d.id in texts)) throw new Error('gone');
    return texts[d.id]!;
  });
  expect(list.map((t) => [t.text, t.document.id])).toEqual([['Notice period', '1']]);
  expect(await topics([], async () => '')).toEqual([]);
  expect(spread(docs, 2).map((d) => d.id)).toEqual(['1', '4']);
});

it('a page of another collection stays in it: addresses, calls, conversations', async () => {
  history.replaceState(null, '', '/?collection=handbook');
  vi.resetModules();
  try {
    const { formatRoute } = await import('../src/state/route');
    expect(formatRoute({ screen: 'chat', conversation: 'x', reader: { document: 'd', start: 1, end: 2 } })).toBe('/d/d?start=1&end=2&c=x&collection=handbook');
    const { api } = await import('../src/api/client');
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (u: string, init?: RequestInit) => (asked.push(u + (init?.body ?? '')), new Response('{}')));
    await Promise.all([api.stats(), api.sources(), api.documents({ limit: 3 }), api.document('d'), api.text('d', { start: 1 }), api.search('q', 3), api.remove('d')]);
    for (const call of asked) expect(call).toMatch(/[?&]collection=handbook|"collection":"handbook"/);
    expect(asked.length).toBe(7);
    const { Conversations } = await import('../src/state/conversations');
    const c = new Conversations(localStorage);
    c.ask(null, 'Q?');
    c.flush();
    expect(Object.keys(localStorage).some((k) => k.startsWith('ragserver.in.handbook.conversation.'))).toBe(true);
  } finally {
    vi.unstubAllGlobals();
    history.replaceState(null, '', '/');
    vi.resetModules();
  }
});
