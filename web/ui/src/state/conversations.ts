// Conversations live in this browser only: one entry of localStorage each, so
// that a long history costs nothing while an answer is being written.

import { signal } from '@preact/signals';
import { collection, type FailureKind } from '../api/client';
import type { AskAnswer, Message, Notice, Source } from '../api/shapes';
import { withoutMarks } from '../text/citations';

export type Phase = 'searching' | 'writing' | 'done' | 'stopped' | 'failed';

export interface Turn {
  id: string;
  question: string;
  asked: string;
  phase: Phase;
  text: string;
  sources: Source[];
  found: boolean; // the sources have come, even if there are none
  documents?: Scope[]; // asked of these only
  kind?: AskAnswer['kind'];
  model?: string;
  notices?: Notice[];
  query?: string;
  retrieval?: number; // ms
  total?: number;
  nearest?: Source[]; // shown on request when nothing relevant was found
  failure?: { kind: FailureKind; message: string; until?: number };
}

export interface Scope {
  id: string;
  title: string;
}

export interface Conversation {
  id: string;
  title: string;
  named: boolean; // by its owner; else after the first question
  created: string;
  updated: string;
  turns: Turn[];
}

export type Summary = Omit<Conversation, 'turns'>;

// Those about another collection than the default one are kept apart.
const storagePrefix = collection ? `ragserver.in.${collection}.conversation.` : 'ragserver.conversation.';

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_');
}

export function titleOf(question: string): string {
  const line = question.trim().replace(/\s+/g, ' ');
  if (line.length <= 60) return line;
  const cut = line.slice(0, 60);
  const space = cut.lastIndexOf(' ');
  return (space > 30 ? cut.slice(0, space) : cut) + '…';
}

export class Conversations {
  readonly list = signal<Summary[]>([]);
  readonly current = signal<Conversation | null>(null);
  /** Why the last change could not be kept. */
  readonly trouble = signal('');

  #open = new Map<string, Conversation>(); // those with an answer under way, and the current one
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly storage: Storage) {
    this.#scan();
  }

  /** Another tab changed something. */
  changed(key: string | null): void {
    if (key === null || key.startsWith(storagePrefix)) {
      this.#scan();
      const now = this.current.value;
      if (now && key === storagePrefix + now.id && !this.#timers.has(now.id)) {
        this.#open.delete(now.id);
        this.current.value = this.#load(now.id);
      }
    }
  }

  open(id: string): boolean {
    if (this.current.value?.id === id) return true;
    const c = this.#open.get(id) ?? this.#load(id);
    this.current.value = c;
    if (c) this.#open.set(id, c);
    return c !== null;
  }

  close(): void {
    this.current.value = null;
  }

  /** Adds a question to a conversation, or to a new one; returns where the answer goes. */
  ask(id: string | null, question: string, documents?: Scope[]): { conversation: Conversation; turn: Turn } {
    const now = new Date().toISOString();
    const turn: Turn = {
      id: newId(), question, asked: now, phase: 'searching', text: '', sources: [], found: false,
      documents: documents?.length ? documents : undefined,
    };
    const before = id ? this.get(id) : null;
    const conversation: Conversation = before
      ? { ...before, updated: now, turns: [...before.turns, turn] }
      : { id: newId(), title: titleOf(question), named: false, created: now, updated: now, turns: [turn] };
    this.#put(conversation);
    this.#save(conversation.id);
    return { conversation, turn };
  }

  /** Takes back the turns from this one on: it is asked again, or otherwise. */
  cutAt(id: string, turn: string): void {
    const c = this.get(id);
    const at = c?.turns.findIndex((t) => t.id === turn) ?? -1;
    if (!c || at < 0) return;
    this.#put({ ...c, turns: c.turns.slice(0, at) });
  }

  update(id: string, turn: string, change: Partial<Turn>): void {
    const c = this.get(id);
    if (!c?.turns.some((t) => t.id === turn)) return; // deleted meanwhile
    this.#put({ ...c, turns: c.turns.map((t) => (t.id === turn ? { ...t, ...change } : t)) });
    if (change.phase && change.phase !== 'writing') this.#save(id);
    else this.#saveSoon(id);
  }

  rename(id: string, title: string): void {
    const c = this.get(id);
    if (!c || title.trim() === '') return;
    this.#put({ ...c, title: title.trim().slice(0, 200), named: true });
    this.#save(id);
  }

  delete(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#open.delete(id);
    this.storage.removeItem(storagePrefix + id);
    if (this.current.value?.id === id) this.current.value = null;
    this.list.value = this.list.value.filter((s) => s.id !== id);
    this.trouble.value = '';
  }

  get(id: string): Conversation | null {
    return this.#open.get(id) ?? this.#load(id);
  }

  /** What the server needs of the turns before this one. */
  history(id: string, before: string): Message[] {
    const messages: Message[] = [];
    for (const t of this.get(id)?.turns ?? []) {
      if (t.id === before) break;
      if (t.text === '') continue; // failed before it said anything
      messages.push({ role: 'user', content: t.question }, { role: 'assistant', content: withoutMarks(t.text) });
    }
    return messages.slice(-200); // the most the server takes
  }

  /** Writes what is waiting to be written; for the end of the page. */
  flush(): void {
    for (const id of [...this.#timers.keys()]) this.#save(id);
  }

  #put(c: Conversation): void {
    const isCurrent = this.current.value?.id === c.id;
    this.#open.set(c.id, c);
    if (isCurrent) this.current.value = c;
    const old = this.list.value.find((s) => s.id === c.id);
    if (!old || old.title !== c.title || old.updated !== c.updated) {
      const { turns: _, ...summary } = c;
      this.list.value = [summary, ...this.list.value.filter((s) => s.id !== c.id)].sort(newestFirst);
    }
  }

  #saveSoon(id: string): void {
    if (!this.#timers.has(id)) this.#timers.set(id, setTimeout(() => this.#save(id), 1000));
  }

  #save(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const c = this.#open.get(id);
    if (!c) return;
    try {
      this.storage.setItem(storagePrefix + id, JSON.stringify(c));
      this.trouble.value = '';
    } catch (e) {
      const barred = e instanceof DOMException && e.name === 'SecurityError';
      this.trouble.value = barred
        ? 'This browser keeps nothing for this page: conversations end with it.'
        : 'This browser has no room left for conversations: the newest one is not kept. Delete some that you no longer need.';
    }
  }

  #load(id: string): Conversation | null {
    try {
      const c = JSON.parse(this.storage.getItem(storagePrefix + id) ?? 'null') as Conversation | null;
      if (!c || c.id !== id || !Array.isArray(c.turns)) return null;
      // An answer that was under way when the page was closed ended there.
      return {
        ...c,
        turns: c.turns.map((t) =>
          t.phase === 'searching' || t.phase === 'writing' ? { ...t, phase: 'stopped' } : t,
        ),
      };
    } catch {
      return null;
    }
  }

  #scan(): void {
    const list: Summary[] = [];
    for (let i = 0; i < this.storage.length; i++) {
      const key = this.storage.key(i);
      if (!key?.startsWith(storagePrefix)) continue;
      const c = this.#load(key.slice(storagePrefix.length));
      if (c) {
        const { turns: _, ...summary } = c;
        list.push(summary);
      }
    }
    this.list.value = list.sort(newestFirst);
  }
}

const newestFirst = (a: Summary, b: Summary) => (a.updated < b.updated ? 1 : a.updated > b.updated ? -1 : 0);
