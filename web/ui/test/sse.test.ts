import { describe, expect, it } from 'vitest';
import { EventParser, events, type ServerEvent } from '../src/api/sse';

function parse(pieces: string[]): ServerEvent[] {
  const out: ServerEvent[] = [];
  const p = new EventParser((e) => out.push(e));
  pieces.forEach((s) => p.push(s));
  p.end();
  return out;
}

// mulberry32: the same numbers in every run.
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function stream(bytes: Uint8Array, cuts: number[]): ReadableStream<Uint8Array> {
  let at = 0;
  const ends = [...cuts, bytes.length];
  return new ReadableStream({
    pull(c) {
      const end = ends.shift();
      if (end === undefined) return c.close();
      c.enqueue(bytes.slice(at, end));
      at = end;
    },
  });
}

describe('EventParser', () => {
  it.each<[string, string, ServerEvent[]]>([
    ['one event', 'event: text\ndata: {"text":"a"}\n\n', [{ event: 'text', data: '{"text":"a"}', id: '' }]],
    ['no name', 'data: x\n\n', [{ event: 'message', data: 'x', id: '' }]],
    ['several lines of data', 'data: a\ndata:b\ndata:  c\n\n', [{ event: 'message', data: 'a\nb\n c', id: '' }]],
    ['no space after the colon', 'event:e\ndata:d\n\n', [{ event: 'e', data: 'd', id: '' }]],
    ['an id that stays', 'id: 7\ndata: a\n\ndata: b\n\n', [{ event: 'message', data: 'a', id: '7' }, { event: 'message', data: 'b', id: '7' }]],
    ['an id that is taken back', 'id: 7\ndata: a\n\nid\ndata: b\n\n', [{ event: 'message', data: 'a', id: '7' }, { event: 'message', data: 'b', id: '' }]],
    ['an id with a zero is none', 'id: 7\nid: a\0b\ndata: a\n\n', [{ event: 'message', data: 'a', id: '7' }]],
    ['comments and unknown fields', ': hello\nretry: 10\nfoo: bar\ndata: a\n: more\n\n', [{ event: 'message', data: 'a', id: '' }]],
    ['carriage returns', 'event: e\r\ndata: a\r\n\r\ndata: b\r\rdata: c\n\n', [{ event: 'e', data: 'a', id: '' }, { event: 'message', data: 'b', id: '' }, { event: 'message', data: 'c', id: '' }]],
    ['a name without data', 'event: e\n\ndata: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
    ['empty data', 'event: e\ndata\n\n', [{ event: 'e', data: '', id: '' }]],
    ['what is not closed is dropped', 'data: a\n\ndata: b', [{ event: 'message', data: 'a', id: '' }]],
    ['a last line end alone does not close an event', 'data: a\n', []],
    ['a carriage return at the very end closes one', 'data: a\r\n\r', [{ event: 'message', data: 'a', id: '' }]],
    ['a byte order mark', '\ufeffdata: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
    ['nothing', '', []],
  ])('%s', (_, text, want) => {
    expect(parse([text])).toEqual(want);
    expect(parse([...text])).toEqual(want); // one character at a time
  });

  it('gives the same events however the bytes are cut', () => {
    const rnd = random(20260101);
    const alphabet = ['data: ', 'event: e', 'id: 5', ': c', '\n', '\n', '\r\n', '\r', 'x', 'ä', '😀', '漢', '{"text":"[1]"}', '\n\n'];
    for (let round = 0; round < 400; round++) {
      let text = '';
      const n = Math.floor(rnd() * 60);
      for (let i = 0; i < n; i++) text += alphabet[Math.floor(rnd() * alphabet.length)];
      const cuts: number[] = [];
      for (let at = 0; at < text.length; at += 1 + Math.floor(rnd() * 9)) cuts.push(at);
      const pieces = cuts.map((c, i) => text.slice(c, cuts[i + 1]));
      expect(parse(pieces), JSON.stringify(text)).toEqual(parse([text]));
    }
  });

  it('refuses an event without end', () => {
    const p = new EventParser(() => {});
    const line = 'data: ' + 'x'.repeat(1 << 20) + '\n';
    expect(() => {
      for (let i = 0; i < 20; i++) p.push(line);
    }).toThrow(/16 MiB/);
  });
});

describe('events', () => {
  it('reads bytes cut inside of characters', async () => {
    const text = 'event: text\ndata: {"text":"Größe 😀 漢字"}\n\nid: 9\ndata: zwei\r\n\r\n';
    const bytes = new TextEncoder().encode(text);
    const rnd = random(7);
    for (let round = 0; round < 100; round++) {
      const cuts = [...new Set(Array.from({ length: 1 + Math.floor(rnd() * 12) }, () => Math.floor(rnd() * bytes.length)))].sort((a, b) => a - b);
      const got: ServerEvent[] = [];
      for await (const e of events(stream(bytes, cuts))) got.push(e);
      expect(got).toEqual([
        { event: 'text', data: '{"text":"Größe 😀 漢字"}', id: '' },
        { event: 'message', data: 'zwei', id: '9' },
      ]);
    }
  });

  it('tells an id that comes without data', async () => {
    const ids: string[] = [];
    const bytes = new TextEncoder().encode('retry: 2000\nid: 41\n\n: beat\n\n');
    for await (const e of events(stream(bytes, [22]), (id) => ids.push(id))) expect(e).toBeUndefined();
    expect(ids.at(-1)).toBe('41');
  });

  it('lets go of the body when its reader leaves', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (c) => c.enqueue(new TextEncoder().encode('data: a\n\n')),
      cancel: () => void (cancelled = true),
    });
    for await (const e of events(body)) {
      expect(e.data).toBe('a');
      break;
    }
    await Promise.resolve();
    expect(cancelled).toBe(true);
  });
});
