// Files on their way to the server: two at a time, one row each.

import { signal } from '@preact/signals';
import { Failure, upload } from '../api/client';
import type { FeedEvent } from '../api/shapes';
import { newId } from './conversations';

export type UploadPhase = 'waiting' | 'sending' | 'reading' | 'done' | 'failed';

export interface Upload {
  id: string;
  file: File;
  phase: UploadPhase;
  done: number; // part of 1 that is sent
  message: string; // why it failed
  document?: string; // what it became
}

export class Uploads {
  readonly rows = signal<Upload[]>([]);
  #aborts = new Map<string, AbortController>();

  constructor(
    private readonly target: () => Promise<string>, // name of the source that takes uploads
    private readonly send: typeof upload = upload,
  ) {}

  add(files: File[]): void {
    const rows = files.map((file): Upload => ({ id: newId(), file, phase: 'waiting', done: 0, message: '' }));
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
  }

  dismissFinished(): void {
    this.rows.value = this.rows.value.filter((u) => u.phase !== 'done');
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
      const next = this.rows.value.find((u) => u.phase === 'waiting');
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

  async #send(u: Upload, abort: AbortController): Promise<void> {
    try {
      const written = await this.send(await this.target(), u.file, (done) => this.#set(u.id, { done }), abort.signal);
      const mine = written[0];
      const document = mine?.id;
      if (mine?.state === 'live') this.#set(u.id, { phase: 'done', done: 1, document });
      else if (mine && ['failed', 'skipped', 'refused'].includes(mine.state)) {
        this.#set(u.id, { phase: 'failed', done: 1, message: mine.reason || 'It could not be read.', document });
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

/** The files of a drop, those in folders included. */
export async function droppedFiles(data: DataTransfer): Promise<File[]> {
  // Entries must be taken before the first await: the list is emptied then.
  const entries = [...data.items].map((i) => (i.kind === 'file' ? i.webkitGetAsEntry() : null));
  if (entries.every((e) => e === null)) return [...data.files];
  const files: File[] = [];
  const walk = async (e: FileSystemEntry | null): Promise<void> => {
    if (e?.isFile) {
      files.push(await new Promise<File>((ok, no) => (e as FileSystemFileEntry).file(ok, no)));
    } else if (e?.isDirectory) {
      const reader = (e as FileSystemDirectoryEntry).createReader();
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
        if (some.length === 0) break;
        for (const s of some) await walk(s);
      }
    }
  };
  for (const e of entries) await walk(e).catch(() => {}); // an unreadable entry does not stop the others
  return files.filter((f) => !f.name.startsWith('.'));
}
