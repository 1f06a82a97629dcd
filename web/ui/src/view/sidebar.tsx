// Where one can go: a new question, the documents, earlier conversations.

import { useState } from 'preact/hooks';
import { collection, prefix } from '../api/client';
import { conversations, dialog, drawerShown, newConversation, now, server } from '../state/app';
import type { Summary } from '../state/conversations';
import { go, route } from '../state/route';
import { sidebar } from '../state/settings';
import { count } from '../text/format';
import { Icon, Mark } from './icons';
import { Confirm, IconButton, Link, Modal } from './parts';

const mac = /Mac|iPhone|iPad/.test(navigator.platform);
export const modKey = mac ? '⌘' : 'Ctrl';

export function Sidebar({ narrow }: { narrow: boolean }) {
  const r = route.value;
  const close = () => (drawerShown.value = false);
  return (
    <nav class={`sidebar ${drawerShown.value ? 'sidebar-open' : ''}`} aria-label="Main" id="sidebar">
      <div class="sidebar-head">
        <span class="brand"><Mark /> ragserver</span>
        {narrow ? (
          <IconButton icon="close" label="Close the menu" onClick={close} />
        ) : (
          <IconButton icon="sidebar" label="Hide the sidebar" onClick={() => (sidebar.value = false)} />
        )}
      </div>
      <div class="sidebar-nav">
        <Collections />
        <button type="button" class="nav-item nav-new" onClick={newConversation}>
          <Icon name="plus" /> New question
        </button>
        <button type="button" class="nav-item" onClick={() => (close(), (dialog.value = 'palette'))}>
          <Icon name="search" /> Find <kbd class="nav-aside">{modKey} K</kbd>
        </button>
        <Link class="nav-item" to={{ screen: 'documents', reader: null }} onFollow={close} aria-current={r.screen === 'documents' ? 'page' : undefined}>
          <Icon name="page" /> Documents
          {server.stats.value && <span class="nav-aside figures">{count(server.stats.value.documents)}</span>}
        </Link>
      </div>
      <div class="history">
        <History onFollow={close} />
      </div>
      <div class="sidebar-foot">
        <button type="button" class="nav-item" onClick={() => (close(), (dialog.value = 'settings'))}>
          <Icon name="gear" /> Settings and about
        </button>
      </div>
    </nav>
  );
}

/** The choice between collections, if there are several; each is a page of its own. */
function Collections() {
  const all = server.stats.value?.collections ?? [];
  if (all.length < 2) return null;
  return (
    <label class="select collections">
      <span class="offscreen">Collection</span>
      <select
        value={collection || all[0]}
        onChange={(e) => {
          const chosen = e.currentTarget.value;
          location.assign(prefix + '/' + (chosen === all[0] ? '' : '?collection=' + encodeURIComponent(chosen)));
        }}
      >
        {all.map((name) => (
          <option key={name} value={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function History({ onFollow }: { onFollow: () => void }) {
  const list = conversations.list.value;
  const [renaming, setRenaming] = useState<Summary | null>(null);
  const [deleting, setDeleting] = useState<Summary | null>(null);
  const current = route.value.screen === 'chat' ? conversations.current.value?.id : undefined;
  const groups = byAge(list, now.value);
  return (
    <>
      {list.length === 0 && <p class="history-empty">Your conversations are kept in this browser and appear here.</p>}
      {groups.map(([name, items]) => (
        <section key={name} aria-label={name}>
          <h2 class="history-head">{name}</h2>
          <ul>
            {items.map((s) => (
              <li key={s.id} class={`history-item ${s.id === current ? 'history-current' : ''}`}>
                <Link
                  to={{ screen: 'chat', conversation: s.id, reader: null }}
                  title={s.title}
                  dir="auto"
                  onFollow={onFollow}
                  aria-current={s.id === current ? 'page' : undefined}
                >
                  {s.title}
                </Link>
                <span class="history-tools">
                  <IconButton icon="edit" label={`Rename “${s.title}”`} onClick={() => setRenaming(s)} />
                  <IconButton icon="trash" label={`Delete “${s.title}”`} onClick={() => setDeleting(s)} />
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {renaming && <Rename of={renaming} onClose={() => setRenaming(null)} />}
      {deleting && (
        <Confirm
          title="Delete this conversation?"
          text={`“${deleting.title}” is kept in this browser only; it cannot be brought back.`}
          action="Delete"
          run={() => {
            const open = conversations.current.value?.id === deleting.id;
            conversations.delete(deleting.id);
            if (open) go({ conversation: null, reader: null }, true);
          }}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function Rename({ of, onClose }: { of: Summary; onClose: () => void }) {
  const [title, set] = useState(of.title);
  return (
    <Modal title="Rename the conversation" onClose={onClose} class="modal-small">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          conversations.rename(of.id, title);
          onClose();
        }}
      >
        <label class="field">
          <span>Name</span>
          <input type="text" value={title} maxLength={200} autofocus onInput={(e) => set(e.currentTarget.value)} />
        </label>
        <div class="modal-actions">
          <button type="button" class="button" onClick={onClose}>Cancel</button>
          <button type="submit" class="button button-main" disabled={title.trim() === ''}>Rename</button>
        </div>
      </form>
    </Modal>
  );
}

/** Conversations under headings of growing age. */
export function byAge(list: Summary[], time: number): [string, Summary[]][] {
  const midnight = new Date(time).setHours(0, 0, 0, 0);
  const names: [string, number][] = [
    ['Today', midnight], ['Yesterday', midnight - 864e5], ['Last 7 days', midnight - 7 * 864e5], ['Earlier', -Infinity],
  ];
  const groups = new Map<string, Summary[]>();
  for (const s of list) {
    const [name] = names.find(([, from]) => Date.parse(s.updated) >= from) ?? ['Earlier', 0];
    groups.set(name, [...(groups.get(name) ?? []), s]);
  }
  return [...groups];
}
