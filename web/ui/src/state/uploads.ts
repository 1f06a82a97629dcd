// Files on their way to the server: two at a time, one row each.

import { signal } from '@preact/signals';
import { Failure, upload } from '../api/client';
import type { FeedEvent } from '../api/shapes';
import { newId } from './conversations';

export type UploadPhase = 'waiting' | 'sending' | 'reading' | 'done' | 'failed';

/** A file that was dropped or chosen, under its path in the folder it came with; null if the browser cannot read it. */
export interface Picked {
  path: string;
  file: File | null;
}

export interface Upload extends Picked {
  id: string;
  phase: UploadPhase;
  done: number; // part of 1 that is sent
  message: string; // why it failed
  document?: string; // what it became
}

export class Uploads {
  readonly rows = signal<Upload[]>([]);
  /** How many hidden files and folders were left out of the folders that were added, as of a watched folder. */
  readonly hidden = signal(0);
  #aborts = new Map<string, AbortController>();

  constructor(
    private readonly target: () => Promise<string>, // name of the source that takes uploads
    private readonly send: typeof upload = upload,
  ) {}

  add(list: Picked[]): void {
    const wanted = list.filter((p) => !isHidden(p.path));
    const seen = new Set<string>();
    const rows = wanted.map(({ path, file }): Upload => {
      const twice = seen.has(path);
      seen.add(path);
      const message = !file ? 'The browser cannot read it.' : twice ? 'Another file of this name is being added with it; rename one of them.' : '';
      return { id: newId(), path, file, phase: message ? 'failed' : 'waiting', done: 0, message };
    });
    this.hidden.value += list.length - wanted.length;
    this.rows.value = [...this.rows.value, ...rows];
    this.#pump();
  }

  retry(id: string): void {
    this.#set(id, { phase: 'waiting', done: 0, message: '' });
    this.#pump();
  }

  /** Cancels a file that is not sent yet and takes its row away. */
  dismiss(id: string): void {
    this.#aborts.get(id)?.abort();
    this.rows.value = this.rows.value.filter((u) => u.id !== id);
    if (this.rows.value.length === 0) this.hidden.value = 0;
  }

  /** A file that was sent is done when the feed says what became of it. */
  events(list: FeedEvent[]): void {
    const reading = this.rows.value.filter((u) => u.phase === 'reading');
    if (reading.length === 0) return;
    for (const { document: d, removed } of list) {
      if (removed) continue;
      const u = reading.find((r) => r.document === d.id);
      if (!u) continue;
      if (d.state === 'live') this.#set(u.id, { phase: 'done' });
      else if (d.state === 'failed' || d.state === 'skipped') {
        this.#set(u.id, { phase: 'failed', message: d.reason || 'It could not be read.' });
      }
    }
  }

  #pump(): void {
    while (this.#aborts.size < 2) {
      const next = this.rows.value.find((u): u is Upload & { file: File } => u.phase === 'waiting' && u.file !== null);
      if (!next) return;
      const abort = new AbortController();
      this.#aborts.set(next.id, abort);
      this.#set(next.id, { phase: 'sending' });
      void this.#send(next, abort).finally(() => {
        this.#aborts.delete(next.id);
        this.#pump();
      });
    }
  }

  async #send(u: Upload & { file: File }, abort: AbortController): Promise<void> {
    try {
      const { id: document, state, reason } = await this.send(await this.target(), u.path, u.file, (done) => this.#set(u.id, { done }), abort.signal);
      if (state === 'live') this.#set(u.id, { phase: 'done', done: 1, document });
      else if (state === 'failed' || state === 'skipped') {
        this.#set(u.id, { phase: 'failed', done: 1, message: reason || 'It could not be read.', document });
      } else this.#set(u.id, { phase: 'reading', done: 1, document });
    } catch (e) {
      const message = e instanceof Failure ? e.message : 'It could not be sent.';
      this.#set(u.id, { phase: 'failed', message });
    }
  }

  #set(id: string, change: Partial<Upload>): void {
    this.rows.value = this.rows.value.map((u) => (u.id === id ? { ...u, ...change } : u));
  }
}

/** Within a folder: what was dropped or chosen by itself is wanted, whatever it is called. */
const isHidden = (path: string) => path.split('/').slice(1).some((part) => part.startsWith('.'));

/** The files of a form's field; those of a chosen folder come with their place in it. */
export const chosenFiles = (files: Iterable<File>): Picked[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** The files of a drop, those in folders included, with their place in them. */
export async function droppedFiles(data: DataTransfer): Promise<Picked[]> {
  // Entries must be taken before the first await: the list is emptied then.
  const entries = [...data.items].map((i) => (i.kind === 'file' ? i.webkitGetAsEntry() : null));
  if (entries.every((e) => e === null)) return chosenFiles(data.files);
  const out: Picked[] = [];
  const walk = async (e: FileSystemEntry | null): Promise<void> => {
    if (!e) return;
    const path = e.fullPath.replace(/^\//, '');
    try {
      if (isHidden(path)) {
        out.push({ path, file: null }); // what is in it is not asked for
        return;
      }
      if (e.isFile) {
        out.push({ path, file: await new Promise<File>((ok, no) => (e as FileSystemFileEntry).file(ok, no)) });
        return;
      }
      const reader = (e as FileSystemDirectoryEntry).createReader();
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
        if (some.length === 0) break;
        for (const s of some) await walk(s);
      }
    } catch {
      out.push({ path, file: null }); // it does not stop the others
    }
  };
  for (const e of entries) await walk(e);
  return out;
}
