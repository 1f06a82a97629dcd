// What happens to documents, as the server tells it: GET /api/events. The feed
// is left while the page is hidden (a browser grants few connections to one
// host) and resumed after the last event seen.

import { batch, signal } from '@preact/signals';
import { Failure, query, request, parse } from '../api/client';
import type { FeedEvent } from '../api/shapes';
import { events } from '../api/sse';

export type Link =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; since: number; retryAt: number; reason: string }
  | { state: 'barred' }; // until there is a key

export interface FeedListener {
  /** Some events, oldest first; at most a few times a second. */
  events(list: FeedEvent[]): void;
  /** Events were missed: load again what is shown. */
  reset(): void;
}

const longestWait = 30_000; // ms between two tries
const silence = 45_000; // ms without a byte, heartbeats included, after which the connection is taken for dead
const gather = 250; // ms of events taken together
export const activityKept = 200; // events shown in the activity panel

export class Feed {
  readonly link = signal<Link>({ state: 'connecting' });
  readonly last = signal(0); // time of the newest event, ms since 1970
  readonly activity = signal<FeedEvent[]>([]); // newest first, one entry a document

  #listeners = new Set<FeedListener>();
  #abort: AbortController | null = null;
  #wake: (() => void) | null = null;
  #seen = '';
  #ready: FeedEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  listen(l: FeedListener): () => void {
    this.#listeners.add(l);
    return () => this.#listeners.delete(l);
  }

  /** Follows the feed until stop. */
  async start(): Promise<void> {
    if (this.#abort) return;
    const run = (this.#abort = new AbortController());
    let failures = 0;
    while (!run.signal.aborted) {
      const began = Date.now();
      try {
        await this.#follow(run.signal, () => (failures = 0));
        if (Date.now() - began > 5000) failures = 0;
        failures++;
        if (failures === 1) continue; // an orderly end, or silence: again at once
        this.#lost(failures, 'The server closed the connection.');
      } catch (e) {
        if (run.signal.aborted) break;
        if (e instanceof Failure && e.kind === 'key') {
          this.link.value = { state: 'barred' };
          await this.#pause(run.signal, 24 * 3600_000);
          continue;
        }
        failures++;
        const reason = e instanceof Failure ? e.message : 'The connection to the server is lost.';
        this.#lost(failures, reason, e instanceof Failure ? e.wait * 1000 : 0);
      }
      const link = this.link.value;
      if (link.state === 'lost') await this.#pause(run.signal, link.retryAt - Date.now());
    }
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#wake?.();
  }

  /** Tries again now. */
  retry(): void {
    this.#wake?.();
  }

  #lost(failures: number, reason: string, least = 0): void {
    const before = this.link.value;
    const wait = Math.max(least, Math.min(1000 * 2 ** Math.min(failures - 1, 10), longestWait)) * (0.75 + Math.random() / 2);
    this.link.value = {
      state: 'lost', reason, retryAt: Date.now() + wait,
      since: before.state === 'lost' ? before.since : Date.now(),
    };
  }

  #pause(signal: AbortSignal, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const self = this;
      function done() {
        clearTimeout(timer);
        self.#wake = null;
        resolve();
      }
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #follow(stop: AbortSignal, connected: () => void): Promise<void> {
    const connection = new AbortController();
    const end = () => connection.abort();
    stop.addEventListener('abort', end, { once: true });
    let quiet = setTimeout(end, silence);
    try {
      const response = await request('/api/events' + query({}), {
        signal: connection.signal,
        headers: { Accept: 'text/event-stream', ...(this.#seen ? { 'Last-Event-ID': this.#seen } : {}) },
      });
      connected();
      const wasLost = this.link.value.state === 'lost';
      this.link.value = { state: 'live' };
      if (wasLost && !this.#seen) this.#listeners.forEach((l) => l.reset());
      const alive = (id: string) => {
        if (id) this.#seen = id;
        clearTimeout(quiet);
        quiet = setTimeout(end, silence);
      };
      for await (const e of events(response.body!, alive)) {
        if (e.event === 'reset') {
          this.#ready = [];
          this.#listeners.forEach((l) => l.reset());
        } else if (e.event === 'document') {
          this.#ready.push(parse(e.data) as FeedEvent);
          this.#timer ??= setTimeout(() => this.#flush(), gather);
        }
      }
    } catch (e) {
      if (connection.signal.aborted && !stop.aborted) return; // silence
      throw e;
    } finally {
      clearTimeout(quiet);
      stop.removeEventListener('abort', end);
      connection.abort();
    }
  }

  #flush(): void {
    this.#timer = undefined;
    const list = this.#ready;
    this.#ready = [];
    if (list.length === 0) return;
    batch(() => {
      this.last.value = Math.max(this.last.value, Date.parse(list[list.length - 1]!.time) || Date.now());
      const newest = new Map<string, FeedEvent>();
      for (let i = list.length - 1; i >= 0; i--) {
        const id = list[i]!.document.id;
        if (!newest.has(id)) newest.set(id, list[i]!);
        if (newest.size >= activityKept) break;
      }
      const rest = this.activity.value.filter((e) => !newest.has(e.document.id));
      this.activity.value = [...newest.values(), ...rest].slice(0, activityKept);
      this.#listeners.forEach((l) => l.events(list));
    });
  }
}
