// The page: sidebar, what was chosen there, and the panel beside it.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { activityShown, announcement, asking, composer, conversations, dialog, drawerShown, newConversation } from '../state/app';
import { go, route } from '../state/route';
import { sidebar } from '../state/settings';
import { Chat } from './chat';
import { Documents } from './documents';
import { IconButton } from './parts';
import { Palette } from './palette';
import { Reader } from './reader';
import { KeyDialog, Settings } from './settings';
import { Sidebar } from './sidebar';
import { Activity, ConnectionBanner, IndexingBar, StatusButton, TroubleBanner } from './status';
import { DropTarget, Uploads } from './uploads';

const media = (query: string) => {
  const m = matchMedia(query);
  const s = signal(m.matches);
  m.addEventListener('change', () => (s.value = m.matches));
  return s;
};
const narrow = media('(max-width: 859px)'); // the sidebar is a drawer
const tight = media('(max-width: 1099px)'); // a panel lies over the page

export function App() {
  const r = route.value;
  useEffect(() => {
    addEventListener('keydown', shortcuts);
    return () => removeEventListener('keydown', shortcuts);
  }, []);
  const drawer = narrow.value && drawerShown.value;
  const panel = r.reader ? 'reader' : activityShown.value ? 'activity' : null;
  const covered = drawer || (panel !== null && tight.value);
  const showSidebar = narrow.value ? drawer : sidebar.value;
  return (
    <div class={`app ${showSidebar && !narrow.value ? 'app-sidebar' : ''} ${panel ? `app-${panel}` : ''}`}>
      {showSidebar && <Sidebar narrow={narrow.value} />}
      {drawer && <div class="shade" onClick={() => (drawerShown.value = false)} />}
      <div class="page" inert={covered}>
        <header class="top">
          {!showSidebar && (
            <IconButton
              icon={narrow.value ? 'menu' : 'sidebar'}
              label={narrow.value ? 'Menu' : 'Show the sidebar'}
              aria-expanded={showSidebar}
              onClick={() => (narrow.value ? (drawerShown.value = true) : (sidebar.value = true))}
            />
          )}
          {!showSidebar && <IconButton icon="plus" label="New question" onClick={newConversation} />}
          <p class="top-title" dir="auto">{r.screen === 'chat' ? conversations.current.value?.title : ''}</p>
          <StatusButton />
          <IndexingBar />
        </header>
        <ConnectionBanner />
        <TroubleBanner />
        <main>{r.screen === 'documents' ? <Documents /> : <Chat />}</main>
      </div>
      {panel !== null && tight.value && <div class="shade" onClick={() => (r.reader ? go({ reader: null }) : (activityShown.value = false))} />}
      {r.reader ? <Reader place={r.reader} /> : activityShown.value ? <Activity /> : null}
      <Uploads />
      <DropTarget />
      {dialog.value === 'settings' && <Settings />}
      {dialog.value === 'palette' && <Palette />}
      {dialog.value === 'key' && <KeyDialog />}
      <div class="offscreen" role="status" aria-live="polite">{announcement.value}</div>
    </div>
  );
}

function shortcuts(e: KeyboardEvent): void {
  const mod = e.ctrlKey || e.metaKey;
  const key = e.key.toLowerCase();
  if (mod && !e.altKey && !e.shiftKey && key === 'k') {
    e.preventDefault();
    dialog.value = dialog.value === 'palette' ? null : 'palette';
  } else if (mod && e.shiftKey && key === 'o') {
    e.preventDefault();
    newConversation();
  } else if (e.key === 'Escape' && !e.defaultPrevented && dialog.value === null) {
    if (e.shiftKey) return composer.focus();
    const c = conversations.current.value;
    const last = c?.turns[c.turns.length - 1];
    if (last?.phase === 'searching' || last?.phase === 'writing') asking.stop(c!.id);
    else if (drawerShown.value) drawerShown.value = false;
    else if (route.value.reader) closeReader();
    else if (activityShown.value) activityShown.value = false;
  }
}

function closeReader(): void {
  go({ reader: null });
}
