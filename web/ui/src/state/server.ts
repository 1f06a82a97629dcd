// What the page knows of the server as a whole.

import { signal } from '@preact/signals';
import { Failure, api } from '../api/client';
import type { Document, FeedEvent, SourceInfo, Stats } from '../api/shapes';

export class ServerState {
  readonly stats = signal<Stats | null>(null);
  readonly sources = signal<SourceInfo[]>([]);
  readonly failure = signal<Failure | null>(null);
  /** Some documents that are live: the empty page offers their topics. */
  readonly samples = signal<Document[]>([]);
  /** The file that is being read, while something is. */
  readonly reading = signal('');
  /** The most that was pending since nothing was: the length of the bar. */
  readonly burst = signal(0);

  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  async load(): Promise<void> {
    this.#last = Date.now();
    try {
      const [stats, sources, list] = await Promise.all([
        api.stats(), api.sources(), api.documents({ state: 'live', limit: 30 }),
      ]);
      this.#stats(stats);
      this.sources.value = sources ?? [];
      this.samples.value = list.documents ?? [];
      this.failure.value = null;
    } catch (e) {
      this.failure.value = e instanceof Failure ? e : new Failure('server', 'The server cannot be read.');
    }
  }

  /** Loads the figures again soon; often while something happens, now and then while something waits. */
  soon(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const wasEmpty = this.samples.value.length < 3;
      this.#last = Date.now();
      if (wasEmpty) return void this.load();
      api.stats().then(
        (s) => this.#stats(s),
        () => {}, // the feed tells that the connection is lost
      );
    }, Math.max(0, (this.stats.value?.troubles.length ? 5000 : 700) - (Date.now() - this.#last)));
  }

  events(list: FeedEvent[]): void {
    for (let i = list.length - 1; i >= 0; i--) {
      const e = list[i]!;
      if (!e.removed && (e.document.state === 'parsing' || e.document.state === 'embedding' || e.document.state === 'live')) {
        this.reading.value = e.document.path;
        break;
      }
    }
    this.soon();
  }

  #stats(s: Stats): void {
    this.burst.value = s.pending === 0 ? 0 : Math.max(this.burst.value, s.pending);
    this.stats.value = s;
    if (s.pending > 0 || s.troubles.length > 0) this.soon(); // until it is over, even if events are few
  }

  /** Asks whether something waits, of which no event tells; called while the page is looked at. */
  check(): void {
    if (this.stats.value && Date.now() - this.#last > 30_000) this.soon();
  }

  /** The source that takes uploads, '' if none does. */
  get uploads(): string {
    return this.sources.value.find((s) => s.writable)?.name ?? '';
  }
}

export const titleOf = (d: Pick<Document, 'title' | 'path'>) => d.title || d.path.slice(d.path.lastIndexOf('/') + 1);
