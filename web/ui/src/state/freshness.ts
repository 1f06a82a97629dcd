// Whether what an answer cites is still what the documents say.

import { signal } from '@preact/signals';
import { Failure, api } from '../api/client';
import type { Document, FeedEvent, Source } from '../api/shapes';

export type Freshness = 'unknown' | 'current' | 'changed' | 'deleted' | 'unreachable';

interface Known {
  version: string; // the live one, '' if none is
  removed: boolean;
  stale: boolean;
}

export class FreshnessStore {
  readonly known = signal<ReadonlyMap<string, Known>>(new Map());
  #asked = new Set<string>();
  #queue: string[] = [];
  #busy = 0;

  constructor(private readonly fetch: (id: string) => Promise<Document> = api.document) {}

  of(s: Pick<Source, 'document' | 'version'>): Freshness {
    const k = this.known.value.get(s.document);
    if (!k) return 'unknown';
    if (k.removed) return 'deleted';
    if (k.version && k.version !== s.version) return 'changed';
    if (k.stale) return 'unreachable';
    return k.version ? 'current' : 'unknown';
  }

  events(list: FeedEvent[]): void {
    let next: Map<string, Known> | null = null;
    for (const e of list) {
      const k = knownOf(e.document, e.removed === true);
      if (!k) continue; // on its way: what was live still is
      next ??= new Map(this.known.value);
      next.set(e.document.id, k);
    }
    if (next) this.known.value = next;
  }

  /** Everything may have changed: what was looked up is looked up again. */
  reset(): void {
    const ids = [...this.#asked];
    this.#asked.clear();
    this.check(ids);
  }

  /** Looks up the documents that nothing is known of yet; four at a time. */
  check(ids: string[]): void {
    for (const id of ids) {
      if (this.#asked.has(id)) continue;
      this.#asked.add(id);
      this.#queue.push(id);
    }
    while (this.#busy < 4 && this.#queue.length > 0) {
      this.#busy++;
      void this.#look(this.#queue.shift()!).finally(() => {
        this.#busy--;
        this.check([]);
      });
    }
  }

  async #look(id: string): Promise<void> {
    try {
      this.#set(id, knownOf(await this.fetch(id), false));
    } catch (e) {
      if (e instanceof Failure && e.kind === 'gone') this.#set(id, { version: '', removed: true, stale: false });
      else this.#asked.delete(id); // asked again when it is shown again
    }
  }

  #set(id: string, k: Known | null): void {
    if (k) this.known.value = new Map(this.known.value).set(id, k);
  }
}

function knownOf(d: Document, removed: boolean): Known | null {
  if (removed) return { version: '', removed: true, stale: false };
  if (d.state === 'live' || d.state === 'stale') {
    return { version: d.version ?? '', removed: false, stale: d.state === 'stale' };
  }
  return null;
}
