// A question and its answer, in all the states an answer can be in.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Failure, api, sentence } from '../api/client';
import type { Source } from '../api/shapes';
import { asking, conversations, dialog } from '../state/app';
import type { Turn } from '../state/conversations';
import { withReferences } from '../text/citations';
import { milliseconds, plural } from '../text/format';
import { Icon } from './icons';
import { memo } from './memo';
import { CopyButton, Countdown, IconButton } from './parts';
import { LazyAnswer } from './lazy';
import { Outdated, SourceCards, Verdict, openSource, placeOf, plain, titleOfSource } from './sources';

export const TurnView = memo(
  ({ turn, conversation, last }: { turn: Turn; conversation: string; last: boolean }) => {
    const busy = turn.phase === 'searching' || turn.phase === 'writing';
    return (
      <article class="turn" aria-busy={busy}>
        <Question turn={turn} conversation={conversation} editable={last && !busy} />
        {turn.documents && (
          <p class="scope-line">Only in {turn.documents.map((d) => `“${d.title}”`).join(', ')}</p>
        )}
        <Passages turn={turn} />
        <Body turn={turn} />
        <Outdated turn={turn} last={last} />
        <Foot turn={turn} conversation={conversation} last={last} busy={busy} />
      </article>
    );
  },
  (a, b) => a.turn === b.turn && a.last === b.last && a.conversation === b.conversation,
);

function Question({ turn, conversation, editable }: { turn: Turn; conversation: string; editable: boolean }) {
  const [draft, setDraft] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const start = (e: Event) => editable && (e as CustomEvent<string>).detail === turn.id && setDraft(turn.question);
    addEventListener('ragserver:edit', start);
    return () => removeEventListener('ragserver:edit', start);
  }, [editable, turn.id]);
  useLayoutEffect(() => {
    if (draft !== null && document.activeElement !== field.current) {
      field.current!.focus();
      field.current!.setSelectionRange(draft.length, draft.length);
    }
  }, [draft !== null]);
  if (draft === null) {
    return (
      <div class="question">
        <h2 dir="auto">{turn.question}</h2>
        {editable && <IconButton icon="edit" label="Edit the question" onClick={() => setDraft(turn.question)} />}
      </div>
    );
  }
  const submit = () => {
    if (draft.trim() === '') return;
    setDraft(null);
    void asking.again(conversation, turn, draft.trim());
  };
  return (
    <form class="question-edit" onSubmit={(e) => (e.preventDefault(), submit())}>
      <textarea
        ref={field}
        dir="auto"
        aria-label="The question"
        rows={2}
        value={draft}
        onInput={(e) => setDraft(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Escape') (e.stopPropagation(), setDraft(null));
          if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) (e.preventDefault(), submit());
        }}
      />
      <div class="question-actions">
        <button type="button" class="button" onClick={() => setDraft(null)}>Cancel</button>
        <button type="submit" class="button button-main">Ask</button>
      </div>
    </form>
  );
}

function Passages({ turn }: { turn: Turn }) {
  if (!turn.found) {
    if (turn.phase !== 'searching') return null;
    return (
      <div class="passages">
        <p class="passages-line">Searching…</p>
        <ol class="cards" aria-hidden="true">
          {[0, 1, 2].map((i) => (
            <li key={i}><span class="card card-ghost" /></li>
          ))}
        </ol>
      </div>
    );
  }
  if (turn.sources.length === 0) return null;
  const cited = turn.sources.filter((s) => s.cited).length;
  const done = turn.phase === 'done';
  const nothing = done && turn.kind === 'nothing_found';
  return (
    <div class="passages">
      <p class="passages-line">
        {nothing ? 'What comes nearest, though it may not help' : plural(turn.sources.length, 'passage')}
        {done && !nothing && cited > 0 && `, ${cited} cited`}
        {turn.retrieval !== undefined && <span class="figures"> · found in {milliseconds(turn.retrieval)}</span>}
        {turn.query && turn.query !== turn.question && <span> · searched for “{turn.query}”</span>}
      </p>
      <SourceCards sources={turn.sources} dimUncited={nothing || (done && cited > 0)} label={nothing ? 'Nearest passages' : 'Passages found'} />
    </div>
  );
}

function Body({ turn }: { turn: Turn }) {
  const box = useRef<HTMLDivElement>(null);
  const [peek, setPeek] = useState<{ source: Source; mark: HTMLElement } | null>(null);
  const byNumber = useMemo(() => new Map(turn.sources.map((s) => [s.n, s])), [turn.sources]);
  const writing = turn.phase === 'writing';
  const notices = turn.notices ?? [];
  const failed = notices.some((n) => n.code === 'model_failed');
  const titles = useMemo(() => turn.sources.map((s) => s.n + s.chunk).join(), [turn.sources]);

  const cite = (n: number): Node => {
    const mark = document.createElement('button');
    mark.type = 'button';
    mark.className = 'cite';
    mark.dataset.n = String(n);
    mark.textContent = String(n);
    const s = byNumber.get(n);
    mark.setAttribute('aria-label', `Source ${n}${s ? ': ' + titleOfSource(s) : ''}`);
    return mark;
  };
  const sourceOf = (target: EventTarget | null) => {
    const mark = target instanceof Element ? target.closest<HTMLElement>('.cite') : null;
    const source = mark ? byNumber.get(Number(mark.dataset.n)) : undefined;
    return mark && source ? { mark, source } : null;
  };
  const hide = (e: FocusEvent | PointerEvent) => {
    const to = e.relatedTarget;
    if (!(to instanceof Node && (to as Element).closest?.('.peek, .cite'))) setPeek(null);
  };
  useEffect(() => {
    if (!peek) return;
    const escape = (e: KeyboardEvent) => e.key === 'Escape' && (e.stopPropagation(), setPeek(null));
    addEventListener('keydown', escape, true);
    return () => removeEventListener('keydown', escape, true);
  }, [peek]);

  if (turn.text === '' && turn.phase !== 'done') {
    return turn.phase === 'searching' && turn.found ? <p class="waiting" aria-hidden="true"><i /><i /><i /></p> : null;
  }
  return (
    <div
      ref={box}
      class="answer"
      onClick={(e) => {
        const s = sourceOf(e.target);
        if (s) (setPeek(null), openSource(s.source));
      }}
      onPointerOver={(e) => e.pointerType === 'mouse' && setIf(sourceOf(e.target), setPeek)}
      onPointerOut={hide}
      onFocusIn={(e) => (e.target as Element).matches(':focus-visible') && setIf(sourceOf(e.target), setPeek)}
      onFocusOut={hide}
    >
      {turn.kind === 'extractive' && (
        <p class="badge" title={notices.find((n) => n.code === 'no_model') && 'No language model is configured; a line of the configuration adds one.'}>
          {failed ? 'Quoted from your documents' : 'Without a model: quoted from your documents'}
        </p>
      )}
      <div class={`prose ${writing ? 'prose-writing' : ''}`}>
        <LazyAnswer text={turn.text} writing={turn.phase !== 'done'} known={(n) => byNumber.has(n)} cite={cite} titles={titles} />
      </div>
      {notices.filter((n) => n.code !== 'no_model').map((n) => (
        <p key={n.code} class="note"><Icon name="alert" /><span>{sentence(n.message)}</span></p>
      ))}
      {turn.kind === 'nothing_found' && <Nearest turn={turn} />}
      {peek && <Peek {...peek} box={box.current!} />}
    </div>
  );
}

function setIf<T>(value: T | null, set: (v: T) => void): void {
  if (value) set(value);
}

/** The passage behind a mark, beside it. */
function Peek({ source, mark, box }: { source: Source; mark: HTMLElement; box: HTMLElement }) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const card = ref.current!;
    const m = mark.getBoundingClientRect();
    const b = box.getBoundingClientRect();
    const left = Math.max(0, Math.min(m.left - b.left - 24, b.width - card.offsetWidth));
    const below = m.bottom + card.offsetHeight + 12 < innerHeight - 120 || m.top < card.offsetHeight + 80;
    card.style.left = `${left}px`; // through the object model: the policy bars attributes only
    card.style.top = `${below ? m.bottom - b.top + 4 : m.top - b.top - card.offsetHeight - 4}px`;
    mark.setAttribute('aria-describedby', card.id);
    return () => mark.removeAttribute('aria-describedby');
  }, [mark, source]);
  return (
    <div ref={ref} class="peek" role="tooltip" id="peek">
      <p class="peek-title" dir="auto">{titleOfSource(source)}</p>
      <p class="peek-text" dir="auto">{plain(source.text)}</p>
      <p class="card-place">
        <Verdict source={source} />
        <span class="card-path">{[placeOf(source), source.path].filter(Boolean).join(' · ')}</span>
      </p>
    </div>
  );
}

/** What comes nearest to a question that has no answer. */
function Nearest({ turn }: { turn: Turn }) {
  const [state, set] = useState<{ hits?: Source[]; failure?: string; busy?: boolean }>({ hits: turn.nearest });
  if (turn.sources.length > 0) return null; // the server has sent them already
  if (state.hits) {
    return state.hits.length > 0 ? (
      <div class="passages passages-nearest">
        <p class="passages-line">What comes nearest, though it may not help</p>
        <SourceCards sources={state.hits} dimUncited={false} label="Nearest passages" />
      </div>
    ) : (
      <p class="note"><span>There is nothing near it either. Perhaps the document is not among those watched.</span></p>
    );
  }
  return (
    <p class="offer">
      <button
        type="button"
        class="button"
        disabled={state.busy}
        onClick={async () => {
          set({ busy: true });
          try {
            const hits = (await api.search(turn.question, 6)).hits ?? [];
            const nearest = hits.map((h, i) => ({ ...h, n: i + 1 }));
            set({ hits: nearest });
            const c = conversations.current.value;
            if (c) conversations.update(c.id, turn.id, { nearest });
          } catch (e) {
            set({ failure: e instanceof Failure ? e.message : 'The search failed.' });
          }
        }}
      >
        Show the nearest documents
      </button>
      {state.failure && <span class="trouble" role="alert">{state.failure}</span>}
    </p>
  );
}

function Foot({ turn, conversation, last, busy }: { turn: Turn; conversation: string; last: boolean; busy: boolean }) {
  if (busy) return null;
  if (turn.phase === 'failed') return <Failed turn={turn} conversation={conversation} last={last} />;
  return (
    <footer class="turn-foot">
      <CopyButton label="Copy the answer with its sources" text={() => withReferences(turn.text, turn.sources.map((s) => ({ ...s, title: titleOfSource(s) })))} />
      {last && <IconButton icon="again" label="Ask again" onClick={() => void asking.again(conversation, turn)} />}
      <span class="turn-times figures">
        {turn.phase === 'stopped' && <span>stopped</span>}
        {turn.model && turn.kind === 'generated' && <span>{turn.model}</span>}
        {turn.total !== undefined && <span>{milliseconds(turn.total)}</span>}
      </span>
    </footer>
  );
}

function Failed({ turn, conversation, last }: { turn: Turn; conversation: string; last: boolean }) {
  const f = turn.failure!;
  const [waiting, setWaiting] = useState(() => f.until !== undefined && f.until > Date.now());
  return (
    <div class="failed" role="alert">
      <Icon name="alert" />
      <div>
        <p>
          {f.message}
          {turn.sources.length > 0 && ' The passages above were found; they can be read all the same.'}
        </p>
        {last && (
          <p class="failed-actions">
            {f.kind === 'key' && (
              <button type="button" class="button button-main" onClick={() => (dialog.value = 'key')}>Enter a key</button>
            )}
            <button type="button" class="button" disabled={waiting} onClick={() => void asking.again(conversation, turn)}>
              {waiting ? <>Ask again in <Countdown until={f.until!} done={() => setWaiting(false)} /></> : 'Ask again'}
            </button>
          </p>
        )}
      </div>
    </div>
  );
}
