// The list of documents: pages from the server, kept right by the feed.

import { batch, signal } from '@preact/signals';
import { Failure, api, type ListFilter } from '../api/client';
import type { Document, DocumentList, FeedEvent, State } from '../api/shapes';

const page = 100;

export class DocumentStore {
  readonly rows = signal<Document[]>([]);
  readonly total = signal(0);
  readonly states = signal<Partial<Record<State, number>>>({});
  readonly filter = signal<{ q: string; state: string; source: string }>({ q: '', state: '', source: '' });
  readonly loading = signal(false);
  readonly loaded = signal(false);
  readonly failure = signal<Failure | null>(null);
  /** New or removed documents that the rows do not show yet. */
  readonly behind = signal(0);

  #cursor = '';
  #abort: AbortController | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #shown = false;
  #behind = new Set<string>();

  constructor(private readonly list: (f: ListFilter, s: AbortSignal) => Promise<DocumentList> = api.documents) {}

  get hasMore(): boolean {
    return this.#cursor !== '';
  }

  /** The list is on the screen, or no longer. */
  show(on: boolean): void {
    this.#shown = on;
    if (on) void this.load();
  }

  set(change: Partial<{ q: string; state: string; source: string }>): void {
    this.filter.value = { ...this.filter.value, ...change };
    void this.load();
  }

  /** Loads the first page again; rows stay until it is there. */
  load(): Promise<void> {
    return this.#fetch('');
  }

  async more(): Promise<void> {
    if (this.loading.value || !this.hasMore) return;
    await this.#fetch(this.#cursor);
  }

  async #fetch(cursor: string): Promise<void> {
    this.#abort?.abort();
    clearTimeout(this.#again);
    this.#again = undefined;
    const abort = (this.#abort = new AbortController());
    this.loading.value = true;
    try {
      const got = await this.list({ ...this.filter.value, limit: page, cursor: cursor || undefined }, abort.signal);
      if (abort.signal.aborted) return;
      batch(() => {
        const old = cursor ? this.rows.value : [];
        const have = new Set(old.map((d) => d.id));
        this.rows.value = [...old, ...(got.documents ?? []).filter((d) => !have.has(d.id))];
        this.#cursor = got.cursor ?? '';
        this.total.value = got.total;
        this.states.value = got.states ?? {};
        if (!cursor) {
          this.#behind.clear();
          this.behind.value = 0;
        }
        this.failure.value = null;
        this.loaded.value = true;
      });
    } catch (e) {
      if (abort.signal.aborted) return;
      this.failure.value = e instanceof Failure ? e : new Failure('server', 'The list could not be read.');
    } finally {
      if (this.#abort === abort) this.loading.value = false;
    }
  }

  events(list: FeedEvent[]): void {
    if (!this.loaded.value) return;
    const newest = new Map(list.map((e) => [e.document.id, e]));
    let touched = false;
    const rows: Document[] = [];
    for (const row of this.rows.value) {
      const e = newest.get(row.id);
      if (!e) {
        rows.push(row);
        continue;
      }
      newest.delete(row.id);
      touched = true;
      if (!e.removed) rows.push({ ...row, ...e.document });
    }
    batch(() => {
      if (touched) this.rows.value = rows;
      for (const id of newest.keys()) this.#behind.add(id);
      this.behind.value = this.#behind.size;
    });
    // One page is cheap to load again; someone who has scrolled further is not moved.
    if (this.#shown && this.rows.value.length <= page) this.#again ??= setTimeout(() => void this.load(), 1500);
  }

  reset(): void {
    if (this.loaded.value) void this.load();
  }

  async remove(d: Document): Promise<void> {
    await api.remove(d.id);
    batch(() => {
      this.rows.value = this.rows.value.filter((r) => r.id !== d.id);
      this.total.value = Math.max(0, this.total.value - 1);
    });
  }
}
