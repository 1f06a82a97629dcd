// The conversation, or the empty page before it.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { api, prefix } from '../api/client';
import type { Document } from '../api/shapes';
import { ask, askAbout, conversations, dialog, now, reconnect, scope, server } from '../state/app';
import { titleOf } from '../state/server';
import { looked, spread, topics, topicsShown, type Topic } from '../state/topics';
import { count, plural } from '../text/format';
import { Composer } from './composer';
import { Icon } from './icons';
import { TurnView } from './turn';

export function Chat() {
  const c = conversations.current.value;
  const turns = c?.turns ?? [];
  const scroller = useRef<HTMLDivElement>(null);
  const lastId = turns[turns.length - 1]?.id;

  // A new question goes to the top; its answer then grows below it, and nothing
  // that is being read moves.
  useLayoutEffect(() => {
    if (!lastId) return;
    const box = scroller.current!;
    const last = box.querySelector<HTMLElement>('.turn:last-child > :first-child');
    if (!last) return;
    const top = turns.length > 1 ? last.offsetTop - 14 : 0;
    box.scrollTo({ top, behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth' });
  }, [lastId]);
  useEffect(() => {
    document.title = c ? `${c.title} · ragserver` : 'ragserver';
  }, [c?.title]);

  return (
    <div class={`chat ${c ? '' : 'chat-empty'}`}>
      <h1 class="offscreen">{c ? c.title : 'Ask your documents'}</h1>
      <div class="scroller" ref={scroller}>
        {c ? (
          <div class="column thread">
            {turns.map((t, i) => (
              <TurnView key={t.id} turn={t} conversation={c.id} last={i === turns.length - 1} />
            ))}
          </div>
        ) : (
          <div class="column"><Empty /></div>
        )}
      </div>
      <div class="column composer-column">
        {conversations.trouble.value && <p class="note" role="alert"><Icon name="alert" /><span>{conversations.trouble.value}</span></p>}
        <Composer />
      </div>
    </div>
  );
}

function Empty() {
  const failure = server.failure.value;
  const stats = server.stats.value;
  if (!stats && failure) {
    return (
      <div class="empty">
        <h2>
          {failure.kind === 'key' ? 'This server asks for a key' : failure.code === 'collection_not_found' ? 'There is no such collection' : 'The server cannot be reached'}
        </h2>
        <p class="lead">{failure.message}</p>
        <p>
          {failure.code === 'collection_not_found' ? (
            <a class="button button-main" href={prefix + '/'}>Go to the default one</a>
          ) : failure.kind === 'key' ? (
            <button type="button" class="button button-main" onClick={() => (dialog.value = 'key')}>Enter a key</button>
          ) : (
            <button type="button" class="button button-main" onClick={reconnect}>Try again</button>
          )}
        </p>
      </div>
    );
  }
  if (!stats) return <div class="empty" aria-hidden="true" />;
  const found = Object.values(stats.states).reduce((a, b) => a + (b ?? 0), 0);
  return (
    <div class="empty">
      <h2>{stats.documents > 0 ? 'What would you like to know?' : found > 0 ? 'Your documents are being read' : 'No documents yet'}</h2>
      <Watched />
      {stats.documents > 0 ? <Suggestions /> : <FirstSteps found={found} />}
    </div>
  );
}

function Watched() {
  const stats = server.stats.value!;
  const unread = (stats.states.found ?? 0) + (stats.states.parsing ?? 0);
  const folders = server.sources.value.filter((s) => s.kind !== 'uploads');
  return (
    <div class="lead">
      <p>
        {stats.documents > 0 && <>Answers come from <strong>{plural(stats.documents, 'document')}</strong></>}
        {stats.documents > 0 && folders.length > 0 && ' in '}
        {stats.documents === 0 && folders.length > 0 && 'Watched: '}
        {folders.map((s, i) => (
          <span key={s.name}>
            {i > 0 && (i === folders.length - 1 ? ' and ' : ', ')}
            <code title={s.location}>{s.location}</code>
          </span>
        ))}
        {(stats.documents > 0 || folders.length > 0) && '.'}
        {unread > 0 && ` ${count(unread)} ${unread === 1 ? 'file is' : 'files are'} being read; you can ask already.`}
      </p>
    </div>
  );
}

/** Topics of documents that are there, or the documents, for a first question. */
function Suggestions() {
  const samples = server.samples.value;
  const [list, setList] = useState<Topic[] | null>(null);
  const ids = spread(samples, topicsShown).map((d) => d.id + d.version).join();
  useEffect(() => {
    let left = false;
    const textOf = async (d: Document) => (await api.text(d.id, { start: 0, end: looked })).text;
    void topics(samples, textOf).then((t) => !left && setList(t));
    return () => {
      left = true;
    };
  }, [ids]);
  if (list === null) return <div class="suggestions suggestions-ghost" aria-hidden="true" />;
  return (
    <>
      {samples.length > 0 && <ul class="suggestions" aria-label="Some of what your documents are about">
        {list.map(({ text, document }) => (
          <li key={document.id}>
            <button type="button" onClick={() => askOnly(text, document)}>
              <span class="suggestion" dir="auto">{text}</span>
              <span class="suggestion-aside" dir="auto">{titleOf(document)}</span>
              <Icon name="send" />
            </button>
          </li>
        ))}
        {list.length === 0 &&
          spread(samples, topicsShown).map((d) => (
            <li key={d.id}>
              <button type="button" onClick={() => askAbout({ id: d.id, title: titleOf(d) })}>
                <span class="suggestion" dir="auto">{titleOf(d)}</span>
                <span class="suggestion-aside">ask about it</span>
                <Icon name="ask" />
              </button>
            </li>
          ))}
      </ul>}
      {server.uploads !== '' && <p class="drop-hint"><Icon name="upload" /> Drop files anywhere on this page to add them.</p>}
    </>
  );
}

function askOnly(question: string, document: Document): void {
  scope.value = [{ id: document.id, title: titleOf(document) }];
  ask(question);
  scope.value = [];
}

function FirstSteps({ found }: { found: number }) {
  void now.value; // sources are named again when they change
  if (found > 0) return <p class="drop-hint">The first answers are possible in a moment.</p>;
  return (
    <div class="drop-zone">
      <Icon name="upload" />
      <p>{server.uploads !== '' ? 'Drop files or folders here, or save them in a watched folder.' : 'Save files in a watched folder.'}</p>
      <p class="drop-hint">PDF, Word, Markdown, text, HTML, CSV, JSON. They can be asked about within a second or so.</p>
    </div>
  );
}
