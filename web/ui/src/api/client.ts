// Calls to the server. Every failure comes out as a Failure, which has a
// sentence for the reader and says what can be done.

import type { DocumentList, DocumentText, Document, SearchResponse, SourceInfo, Stats, Written } from './shapes';
import { device, tab } from './storage';

export type FailureKind =
  | 'offline' // the server does not answer
  | 'key' // it wants a key, or another one
  | 'wait' // too many requests
  | 'gone' // not there
  | 'refused' // a request that cannot work as it is
  | 'server'; // its own fault

export class Failure extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly code = '',
    readonly wait = 0, // seconds until another try makes sense
  ) {
    super(message);
  }
}

/** Where the server is mounted: the folder above the one of this script. */
export const prefix = import.meta.env.PROD
  ? new URL(/* @vite-ignore */ '..', import.meta.url).pathname.replace(/\/$/, '')
  : '';

/** The collection that this page is about, '' for the default one; another one is another page. */
export const collection = typeof location === 'undefined' ? '' : (new URLSearchParams(location.search).get('collection') ?? '');

const keyName = 'ragserver.key';

export const apiKey = {
  get(): string {
    return tab.getItem(keyName) ?? device.getItem(keyName) ?? '';
  },
  /** Keeps the key for this tab, or on this device until it is forgotten. */
  set(key: string, keep: boolean): void {
    this.forget();
    (keep ? device : tab).setItem(keyName, key);
  },
  forget(): void {
    tab.removeItem(keyName);
    device.removeItem(keyName);
  },
};

/** Called when the server wants a key; set by the page. */
export const onKeyWanted: { call: () => void } = { call: () => {} };

export function headers(more: Record<string, string> = {}): Record<string, string> {
  const key = apiKey.get();
  return key ? { Authorization: `Bearer ${key}`, ...more } : more;
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(prefix + path, {
      ...init,
      headers: headers(init.headers as Record<string, string>),
    });
  } catch (e) {
    if (init.signal?.aborted) throw e;
    throw new Failure('offline', 'The server does not answer. Is it still running?');
  }
  if (!response.ok) throw await failureOf(response.status, response.headers, () => response.text());
  return response;
}

/** Makes a Failure of an answer that is not 2xx. */
export async function failureOf(
  status: number,
  head: { get(name: string): string | null },
  body: () => Promise<string>,
): Promise<Failure> {
  let code = '';
  let message = '';
  try {
    ({ code, message } = errorBody(JSON.parse(await body())));
  } catch {
    // not JSON: a proxy's page, perhaps; the status has to do
  }
  switch (status) {
    case 401:
    case 403:
      if (status === 401) onKeyWanted.call();
      return new Failure('key', message || 'This server wants an API key.', code);
    case 404:
    case 410:
      return new Failure('gone', message || 'That is not here any more.', code);
    case 429: {
      const wait = retryAfter(head.get('Retry-After'));
      return new Failure('wait', message || 'The server takes no more requests for the moment.', code, wait);
    }
    case 413:
      return new Failure('refused', message || 'That is larger than the server accepts.', code);
    case 502:
    case 503:
    case 504: {
      const wait = head.get('Retry-After') ? retryAfter(head.get('Retry-After')) : 0;
      return new Failure('server', message || 'The server is not ready.', code, wait);
    }
  }
  if (status >= 500) return new Failure('server', message || `The server failed (status ${status}).`, code);
  return new Failure('refused', message || `The server refused the request (status ${status}).`, code);
}

/** Finds code and message in an error body; the message becomes a sentence. */
export function errorBody(body: unknown): { code: string; message: string } {
  const error = (body as { error?: unknown } | null)?.error;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : '', message: sentence(typeof message === 'string' ? message : '') };
}

export function sentence(s: string): string {
  s = s.trim();
  if (s === '') return '';
  s = s[0]!.toUpperCase() + s.slice(1);
  return /[.!?…]$/.test(s) ? s : s + '.';
}

/** Seconds of a Retry-After header, which is a number or a date; 5 if it is neither. */
export function retryAfter(value: string | null, now = Date.now()): number {
  if (!value) return 5;
  const n = Number(value);
  if (Number.isFinite(n)) return Math.min(Math.max(Math.ceil(n), 1), 3600);
  const at = Date.parse(value);
  return Number.isNaN(at) ? 5 : Math.min(Math.max(Math.ceil((at - now) / 1000), 1), 3600);
}

const turning = /[\u202a-\u202e\u2066-\u2069]/g;

/** A name with the characters visible that turn the text around them: it shall not look like another one. */
export const asWritten = (name: string) => name.replace(turning, '\ufffd');

/** Reads what the server sent, names as they are written. */
export const parse = (text: string): unknown =>
  JSON.parse(text, (key, value) =>
    typeof value === 'string' && (key === 'path' || key === 'title' || key === 'heading') ? asWritten(value) : value);

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, init);
  try {
    return parse(await response.text()) as T;
  } catch (e) {
    if (init?.signal?.aborted) throw e;
    throw new Failure('server', 'The server sent something that is not JSON.');
  }
}

/** The query string of a call; every one of them is about the page's collection. */
export function query(values: Record<string, string | number | undefined>): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...values, collection })) {
    if (value !== undefined && value !== '') q.set(name, String(value));
  }
  const s = q.toString();
  return s ? '?' + s : '';
}

export interface ListFilter {
  q?: string;
  state?: string;
  source?: string;
  limit?: number;
  cursor?: string;
}

const segment = encodeURIComponent;

export const api = {
  stats: (signal?: AbortSignal) => json<Stats>('/api/stats' + query({}), { signal }),
  sources: (signal?: AbortSignal) => json<SourceInfo[]>('/api/sources' + query({}), { signal }),
  documents: (f: ListFilter, signal?: AbortSignal) =>
    json<DocumentList>('/api/documents' + query({ ...f }), { signal }),
  document: (id: string, signal?: AbortSignal) => json<Document>(`/api/documents/${segment(id)}` + query({}), { signal }),
  text: (
    id: string,
    at: { version?: string; start?: number; end?: number; around?: number },
    signal?: AbortSignal,
  ) => json<DocumentText>(`/api/documents/${segment(id)}/text` + query(at), { signal }),
  search: (q: string, k: number, signal?: AbortSignal) =>
    json<SearchResponse>('/api/search', {
      method: 'POST',
      signal,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: q, k, collection: collection || undefined }),
    }),
  remove: async (id: string): Promise<void> => {
    await request(`/api/documents/${segment(id)}` + query({}), { method: 'DELETE' });
  },
};

/** Sends one file to be kept under a path; progress is told in parts of 1. Fetch cannot tell it, so this is XMLHttpRequest. */
export function upload(
  source: string,
  path: string,
  file: File,
  progress: (done: number) => void,
  signal: AbortSignal,
): Promise<Written> {
  return new Promise((resolve, reject) => {
    let key: string;
    try {
      key = path.split('/').map(segment).join('/');
    } catch {
      return reject(new Failure('refused', 'Its name has a character that cannot be sent; rename it.'));
    }
    const x = new XMLHttpRequest();
    x.open('PUT', `${prefix}/api/sources/${segment(source)}/documents/${key}` + query({}));
    const about: Record<string, string> = { 'Last-Modified': new Date(file.lastModified).toUTCString() };
    if (file.type) about['Content-Type'] = file.type;
    for (const [name, value] of Object.entries(headers(about))) x.setRequestHeader(name, value);
    x.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
    x.onload = () => {
      if (x.status >= 200 && x.status < 300) {
        try {
          return resolve(parse(x.responseText) as Written);
        } catch {
          return reject(new Failure('server', 'The server sent something that is not JSON.'));
        }
      }
      failureOf(x.status, { get: (n) => x.getResponseHeader(n) }, async () => x.responseText).then(reject);
    };
    x.onerror = () => reject(new Failure('offline', 'The connection broke while the file was sent.'));
    x.onabort = () => reject(new Failure('refused', 'Cancelled.'));
    signal.addEventListener('abort', () => x.abort(), { once: true });
    x.send(file);
  });
}
