// Find: documents, conversations and actions, by a few letters.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import type { Document } from '../api/shapes';
import { activityShown, ask, conversations, dialog, newConversation } from '../state/app';
import { titleOf } from '../state/server';
import { go } from '../state/route';
import { theme } from '../state/settings';
import { Icon, type IconName } from './icons';

interface Entry {
  id: string;
  icon: IconName;
  text: string;
  aside: string;
  run: () => void;
}

const close = () => (dialog.value = null);

export function Palette() {
  const ref = useRef<HTMLDialogElement>(null);
  const [q, setQ] = useState('');
  const [found, setFound] = useState<Document[]>([]);
  const [at, setAt] = useState(0);
  useEffect(() => {
    const before = document.activeElement;
    ref.current!.showModal();
    return () => before instanceof HTMLElement && before.isConnected && before.focus();
  }, []);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      api.documents({ q: q.trim(), state: 'live', limit: 8 }, abort.signal).then((l) => setFound(l.documents ?? []), () => {});
    }, q ? 80 : 0);
    return () => (clearTimeout(timer), abort.abort());
  }, [q]);

  const entries = matches(q, found);
  const current = Math.min(at, entries.length - 1);
  const run = (e: Entry | undefined) => {
    if (!e) return;
    close();
    e.run();
  };
  useEffect(() => {
    ref.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [current]);
  return (
    <dialog
      ref={ref}
      class="palette"
      aria-label="Find"
      onCancel={(e) => (e.preventDefault(), close())}
      onMouseDown={(e) => e.target === ref.current && close()}
    >
      <div class="palette-body">
        <label class="palette-field">
          <Icon name="search" />
          <input
            type="text"
            role="combobox"
            autofocus
            aria-label="Find a document, a conversation, an action"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant={entries[current] ? `palette-${current}` : undefined}
            placeholder="Find a document, a conversation, an action"
            value={q}
            onInput={(e) => (setQ(e.currentTarget.value), setAt(0))}
            onKeyDown={(e) => {
              if (e.key === 'ArrowDown') (e.preventDefault(), setAt((current + 1) % entries.length));
              else if (e.key === 'ArrowUp') (e.preventDefault(), setAt((current + entries.length - 1) % entries.length));
              else if (e.key === 'Enter') (e.preventDefault(), run(entries[current]));
            }}
          />
        </label>
        <ul id="palette-list" role="listbox" aria-label="Found">
          {entries.map((e, i) => (
            <li
              key={e.id}
              id={`palette-${i}`}
              role="option"
              aria-selected={i === current}
              onPointerMove={() => setAt(i)}
              onClick={() => run(e)}
            >
              <Icon name={e.icon} />
              <span class="palette-text">{e.text}</span>
              <span class="palette-aside">{e.aside}</span>
            </li>
          ))}
        </ul>
      </div>
    </dialog>
  );
}

function matches(q: string, documents: Document[]): Entry[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (s: string) => words.every((w) => s.toLowerCase().includes(w));
  const actions: Entry[] = [
    { id: 'new', icon: 'plus', text: 'New question', aside: 'action', run: newConversation },
    { id: 'documents', icon: 'page', text: 'All documents', aside: 'action', run: () => go({ screen: 'documents', reader: null }) },
    { id: 'activity', icon: 'pulse', text: 'Activity', aside: 'action', run: () => void (activityShown.value = true) },
    { id: 'light', icon: 'gear', text: 'Theme: light', aside: 'action', run: () => void (theme.value = 'light') },
    { id: 'dark', icon: 'gear', text: 'Theme: dark', aside: 'action', run: () => void (theme.value = 'dark') },
    { id: 'settings', icon: 'gear', text: 'Settings and about', aside: 'action', run: () => void (dialog.value = 'settings') },
  ];
  const entries: Entry[] = [];
  // Those found for the letters before, until the next ones come.
  for (const d of documents.filter((d) => fits(d.title + ' ' + d.path))) {
    entries.push({ id: 'd' + d.id, icon: 'page', text: titleOf(d), aside: d.path, run: () => go({ reader: { document: d.id } }) });
  }
  for (const c of conversations.list.value.filter((s) => fits(s.title)).slice(0, 8)) {
    entries.push({
      id: 'c' + c.id, icon: 'ask', text: c.title, aside: 'conversation',
      run: () => go({ screen: 'chat', conversation: c.id, reader: null }),
    });
  }
  entries.push(...actions.filter((a) => fits(a.text)));
  if (words.length > 0) {
    entries.push({
      id: 'ask', icon: 'ask', text: `Ask: ${q.trim()}`, aside: 'question',
      run: () => (newConversation(), ask(q.trim())),
    });
  }
  return entries;
}
