// The passages an answer was made from, as cards; and how current they are.

import { useEffect } from 'preact/hooks';
import type { Source } from '../api/shapes';
import { asking, conversations, freshness } from '../state/app';
import type { Freshness } from '../state/freshness';
import { go } from '../state/route';
import type { Turn } from '../state/conversations';
import { fileName } from '../text/format';

export function titleOfSource(s: Source): string {
  return s.title || fileName(s.path).name;
}

/** Where in its document a passage stands; a heading that only repeats the title says nothing. */
export function placeOf(s: Pick<Source, 'page' | 'heading' | 'title'>): string {
  let heading = s.heading ?? '';
  if (heading === s.title) heading = '';
  else if (s.title && heading.startsWith(s.title + ' > ')) heading = heading.slice(s.title.length + 3);
  return [s.page ? `p. ${s.page}` : '', heading.replaceAll(' > ', ' › ')].filter(Boolean).join(' · ');
}

export function openSource(s: Source): void {
  go({ reader: { document: s.document, version: s.version, start: s.start, end: s.end } });
}

const verdicts: Partial<Record<Freshness, { label: string; hint: string }>> = {
  changed: { label: 'changed since', hint: 'This document was changed after the answer was written.' },
  deleted: { label: 'deleted since', hint: 'This document was deleted after the answer was written.' },
  unreachable: { label: 'not reachable', hint: 'The folder of this document cannot be read at the moment.' },
};

export function Verdict({ source }: { source: Source }) {
  const v = verdicts[freshness.of(source)];
  return v ? <span class={`verdict verdict-${freshness.of(source)}`} title={v.hint}>{v.label}</span> : null;
}

function Card({ source, dim }: { source: Source; dim: boolean }) {
  const state = freshness.of(source);
  const { folder, name } = fileName(source.path);
  const title = titleOfSource(source);
  return (
    <li>
      <button
        type="button"
        class={`card ${dim ? 'card-dim' : ''} ${state === 'deleted' ? 'card-deleted' : ''}`}
        onClick={() => openSource(source)}
      >
        <span class="card-top">
          <span class="card-number">{source.n}</span>
          <span class="card-title" dir="auto">{title}</span>
        </span>
        <span class="card-text" dir="auto">{plain(source.text)}</span>
        <span class="card-place">
          <Verdict source={source} />
          <span class="card-path">{placeOf(source) || (name === title ? folder || source.source : name)}</span>
          {source.unembedded && <span class="card-path" title="Found by keyword; its vector is still being made">new</span>}
        </span>
      </button>
    </li>
  );
}

/** A passage without the signs of Markdown, for a glance at it. */
export function plain(text: string): string {
  return text
    .replace(/^[ \t]*#{1,6}\s+(.*)$/gm, '$1 ·')
    .replace(/^[ \t]*(>|[-*+])\s+/gm, '')
    .replace(/^[ \t]*\|?[\s:|-]+\|[\s:|-]*$/gm, '')
    .replace(/^[ \t]*\||\|[ \t]*$/gm, ' ')
    .replace(/[ \t]*\|[ \t]*/g, ' · ')
    .replace(/[*_`]{1,3}/g, '')
    .replace(/\s+/g, ' ')
    .replace(/^[ ·]+|[ ·]+$/g, '');
}

export function SourceCards({ sources, dimUncited, label }: { sources: Source[]; dimUncited: boolean; label: string }) {
  useEffect(() => freshness.check([...new Set(sources.map((s) => s.document))]), [sources]);
  return (
    <ol class="cards" aria-label={label}>
      {sources.map((s) => (
        <Card key={s.chunk + s.n} source={s} dim={dimUncited && !s.cited} />
      ))}
    </ol>
  );
}

/** Says that cited documents are not what they were, and offers to ask again. */
export function Outdated({ turn, last }: { turn: Turn; last: boolean }) {
  if (turn.phase !== 'done') return null;
  const cited = turn.sources.filter((s) => s.cited);
  const changed = new Set(cited.filter((s) => freshness.of(s) === 'changed').map((s) => s.document));
  const deleted = new Set(cited.filter((s) => freshness.of(s) === 'deleted').map((s) => s.document));
  if (changed.size + deleted.size === 0) return null;
  const part = (n: number, what: string) => (n === 1 ? `a cited document was ${what}` : `${n} cited documents were ${what}`);
  const text = [changed.size ? part(changed.size, 'changed') : '', deleted.size ? part(deleted.size, 'deleted') : '']
    .filter(Boolean)
    .join(' and ');
  const conversation = conversations.current.value!.id;
  return (
    <p class="note note-changed">
      <span>Since this answer, {text}.</span>
      <button
        type="button"
        class="text-button"
        onClick={() => void (last ? asking.again(conversation, turn) : asking.ask(conversation, turn.question, turn.documents).done)}
      >
        Ask again
      </button>
    </p>
  );
}
