// The parts of the page's state, and how they hear of changes.

import { signal } from '@preact/signals';
import { onKeyWanted } from '../api/client';
import { device } from '../api/storage';
import { Asking } from './asking';
import { Conversations, type Scope } from './conversations';
import { DocumentStore } from './documents';
import { Feed } from './feed';
import { FreshnessStore } from './freshness';
import { go, route } from './route';
import { ServerState } from './server';
import { model } from './settings';
import { Uploads } from './uploads';

/** What was said last to those who listen to the page instead of looking at it. */
export const announcement = signal('');
export const announce = (what: string) => (announcement.value = what);

export const server = new ServerState();
export const conversations = new Conversations(device);
export const asking = new Asking(conversations, { model: () => model.value, announce });
export const documents = new DocumentStore();
export const freshness = new FreshnessStore();
export const feed = new Feed();
export const uploads = new Uploads(async () => {
  if (!server.uploads) await server.load();
  return server.uploads || 'uploads';
});

/** The side panel beside the reader's: what happens at the moment. */
export const activityShown = signal(false);
export const drawerShown = signal(false); // the sidebar on narrow screens
export const dialog = signal<'settings' | 'palette' | 'key' | null>(null);
/** Documents the next question is about, all if none. */
export const scope = signal<Scope[]>([]);
/** The time, for what is told as "3 s ago". */
export const now = signal(Date.now());
/** Puts the cursor into the question field; set by it. */
export const composer = { focus: () => {}, set: (_: string) => {} };

export function newConversation(): void {
  conversations.close();
  scope.value = [];
  go({ screen: 'chat', conversation: null, reader: null });
  drawerShown.value = false;
  composer.focus();
}

export function askAbout(document: Scope): void {
  scope.value = [document];
  go({ screen: 'chat', reader: null });
  composer.focus();
}

export function ask(question: string): void {
  const open = conversations.current.value?.id ?? null;
  const { id } = asking.ask(open, question, scope.value);
  if (open !== id) {
    conversations.open(id);
    go({ screen: 'chat', conversation: id }, true);
  }
}

/** Starts what runs as long as the page does. */
export function start(): void {
  onKeyWanted.call = () => {
    if (dialog.value === null) dialog.value = 'key';
  };
  feed.listen({
    events(list) {
      freshness.events(list);
      documents.events(list);
      uploads.events(list);
      server.events(list);
    },
    reset() {
      freshness.reset();
      documents.reset();
      void server.load();
    },
  });
  void feed.start();
  void server.load();

  let hide: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hide);
    if (document.hidden) hide = setTimeout(() => feed.stop(), 10_000);
    else {
      void feed.start();
      tick();
    }
  });
  addEventListener('online', () => feed.retry());
  addEventListener('storage', (e) => conversations.changed(e.key));
  addEventListener('pagehide', () => conversations.flush());
  let timer: ReturnType<typeof setTimeout> | undefined;
  function tick() {
    clearTimeout(timer);
    if (document.hidden) return;
    now.value = Date.now();
    server.check();
    const recent = now.value - feed.last.value < 60_000 || feed.link.value.state === 'lost';
    timer = setTimeout(tick, recent ? 1000 : 20_000);
  }
  // Until something happens, the newest of some documents tells when it last did.
  server.samples.subscribe((list) => {
    const newest = Math.max(0, ...list.map((d) => Date.parse(d.updated) || 0));
    if (newest > feed.last.value) feed.last.value = newest;
  });
  feed.last.subscribe(tick);
  feed.link.subscribe(tick);

  route.subscribe((r) => {
    if (r.conversation && !conversations.open(r.conversation)) {
      conversations.close();
      go({ conversation: null }, true);
    } else if (!r.conversation && r.screen === 'chat' && !r.reader) conversations.close();
  });
}

/** After a key was entered, or another try is asked for. */
export function reconnect(): void {
  feed.retry();
  void server.load();
  documents.reset();
}
