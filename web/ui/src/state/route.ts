// The address says what is shown, so that it can be sent, reloaded and gone
// back to:
//   /?c=CONVERSATION   /documents   /d/DOCUMENT?v=&start=&end=[&c=…][&in=documents]
// each with &collection= unless it is the default one.

import { signal } from '@preact/signals';
import { collection, prefix } from '../api/client';

export interface Place {
  document: string;
  version?: string;
  start?: number;
  end?: number;
}

export interface Route {
  screen: 'chat' | 'documents';
  conversation: string | null;
  reader: Place | null;
}

export function parseRoute(path: string, search: string): Route {
  const q = new URLSearchParams(search);
  const conversation = q.get('c');
  const number = (name: string) => {
    const v = q.get(name);
    return v !== null && /^\d{1,15}$/.test(v) ? Number(v) : undefined;
  };
  if (path.startsWith('/d/') && path.length > 3) {
    let document = path.slice(3);
    try {
      document = decodeURIComponent(document);
    } catch {
      // a stray %: then it is part of the name
    }
    return {
      screen: q.get('in') === 'documents' ? 'documents' : 'chat',
      conversation,
      reader: { document, version: q.get('v') || undefined, start: number('start'), end: number('end') },
    };
  }
  if (path === '/documents' || path.startsWith('/documents/')) return { screen: 'documents', conversation, reader: null };
  return { screen: 'chat', conversation, reader: null };
}

export function formatRoute(r: Route): string {
  const q = new URLSearchParams();
  let path = r.screen === 'documents' ? '/documents' : '/';
  if (r.reader) {
    path = '/d/' + encodeURIComponent(r.reader.document);
    if (r.reader.version) q.set('v', r.reader.version);
    if (r.reader.start !== undefined) q.set('start', String(r.reader.start));
    if (r.reader.end !== undefined) q.set('end', String(r.reader.end));
    if (r.screen === 'documents') q.set('in', 'documents');
  }
  if (r.conversation) q.set('c', r.conversation);
  if (collection) q.set('collection', collection);
  const s = q.toString();
  return path + (s ? '?' + s : '');
}

const here = () => {
  const path = location.pathname.startsWith(prefix + '/') ? location.pathname.slice(prefix.length) : '/';
  return parseRoute(path, location.search);
};

export const route = signal<Route>(here());

/** Shows something else; the browser's back button returns. */
export function go(change: Partial<Route>, replace = false): void {
  const next = { ...route.value, ...change };
  const address = prefix + formatRoute(next);
  if (address !== location.pathname + location.search) {
    history[replace ? 'replaceState' : 'pushState'](null, '', address);
  }
  route.value = next;
}

export function followHistory(): void {
  addEventListener('popstate', () => (route.value = here()));
}
