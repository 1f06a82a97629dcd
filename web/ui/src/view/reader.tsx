// A document beside the answer: the passage in its place, with what is around it.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Failure, api } from '../api/client';
import type { Document, DocumentText } from '../api/shapes';
import { askAbout, conversations, freshness } from '../state/app';
import { go, type Place } from '../state/route';
import { fileName, moment, size, typeName } from '../text/format';
import { pointsOf, unitOf } from '../text/points';
import { CopyButton, IconButton } from './parts';
import { LazyDocument } from './lazy';
import { placeOf } from './sources';

const around = 3000; // code points before and after the passage
const step = 12000; // code points loaded by "more"

interface Shown {
  text: string;
  start: number; // of text in the document, code points
  end: number;
  length: number;
  version: string;
  current: boolean;
  path: string;
  title: string;
}

export function Reader({ place }: { place: Place }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [document_, setDocument] = useState<Document | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState<'' | 'up' | 'down'>('');
  const [tries, setTries] = useState(0);
  const body = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLHeadingElement>(null);
  const keep = useRef<number | null>(null); // distance from the end of the text, to be kept while text is put before
  const start = place.start ?? 0;
  const end = place.end ?? start;
  const key = `${place.document} ${place.version} ${start} ${end}`;

  useEffect(() => {
    const abort = new AbortController();
    setFailure(null);
    setShown(null);
    freshness.check([place.document]);
    api.text(place.document, { version: place.version, start, end, around: end > start ? around : step }, abort.signal).then(
      (t) => setShown(trimmed(t, start, end)),
      (e) => !abort.signal.aborted && setFailure(e instanceof Failure ? e : new Failure('server', 'The document cannot be shown.')),
    );
    api.document(place.document, abort.signal).then(setDocument, () => {});
    head.current?.focus({ preventScroll: true });
    return () => abort.abort();
  }, [key, tries]);

  // Where the panel was opened from gets the focus back.
  useLayoutEffect(() => {
    const before = document.activeElement;
    return () => before instanceof HTMLElement && before.isConnected && before.focus();
  }, []);

  // The text stands: the passage is brought into sight once; what is put before
  // the text later moves nothing.
  const settled = useRef('');
  const onDrawn = () => {
    const box = body.current;
    if (!box) return;
    if (keep.current !== null) {
      box.scrollTop = box.scrollHeight - keep.current;
      keep.current = null;
      return;
    }
    const mark = box.querySelector('mark');
    if (settled.current === key || (end > start && !mark)) return;
    settled.current = key;
    const top = mark ? mark.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop : 0;
    box.scrollTop = top - box.clientHeight * 0.22;
  };

  const more = async (up: boolean) => {
    if (!shown) return;
    setBusy(up ? 'up' : 'down');
    try {
      const t = await api.text(place.document, {
        version: shown.version,
        start: up ? Math.max(0, shown.start - step) : shown.end,
        end: up ? shown.start : shown.end + step,
      });
      if (up) keep.current = body.current!.scrollHeight - body.current!.scrollTop;
      setShown(up ? { ...shown, text: t.text + shown.text, start: t.start } : { ...shown, text: shown.text + t.text, end: t.end });
    } catch (e) {
      setFailure(e instanceof Failure ? e : new Failure('server', 'The document cannot be shown.'));
    } finally {
      setBusy('');
    }
  };

  const state = freshness.of({ document: place.document, version: shown?.version ?? place.version ?? '' });
  const source = conversations.current.value?.turns.flatMap((t) => t.sources)
    .find((s) => s.document === place.document && s.version === place.version && s.start === place.start);
  const title = shown?.title || document_?.title || fileName(shown?.path ?? document_?.path ?? source?.path ?? '').name || 'Document';
  const path = shown?.path ?? document_?.path ?? source?.path ?? '';
  const about = source ? placeOf(source) : '';
  const close = () => go({ reader: null });

  return (
    <section class="panel panel-reader" aria-label={`Document: ${title}`}>
      <header class="panel-head">
        <div class="panel-title">
          <h2 ref={head} tabIndex={-1} dir="auto">{title}</h2>
          <p class="panel-path" title={path}>{path}</p>
        </div>
        <IconButton icon="ask" label="Ask about this document only" onClick={() => askAbout({ id: place.document, title })} />
        <CopyButton label="Copy the address of this place" text={() => location.href} />
        <IconButton icon="close" label="Close the document" onClick={close} />
      </header>
      <p class="panel-meta">
        {about && <span>{about}</span>}
        {document_?.modified && <span>modified {moment(document_.modified)}</span>}
        {document_ && <span>{[typeName(document_.type), size(document_.size)].filter(Boolean).join(', ')}</span>}
        {state === 'deleted' ? (
          <span class="verdict verdict-deleted">deleted since</span>
        ) : shown && (state === 'changed' || !shown.current) ? (
          <span class="verdict verdict-changed">an earlier version</span>
        ) : (
          shown && <span class="verdict verdict-current">current version</span>
        )}
      </p>
      {shown && state !== 'deleted' && (state === 'changed' || !shown.current) && (
        <p class="note note-changed panel-note-bar">
          <span>This is the version that was cited; the document has changed since.</span>
          <button type="button" class="text-button" onClick={() => go({ reader: { document: place.document } }, true)}>Read the current one</button>
        </p>
      )}
      <div class="panel-body reader-body" ref={body} tabIndex={0} role="group" aria-label="Text of the document">
        {failure ? (
          <div class="panel-failure" role="alert">
            <p>{failure.message}</p>
            {source && (
              <>
                <p>The passage, as it was cited:</p>
                <blockquote class="prose"><mark>{source.text}</mark></blockquote>
              </>
            )}
            <p class="failed-actions">
              {failure.kind === 'gone' && place.version ? (
                <button type="button" class="button" onClick={() => go({ reader: { document: place.document } }, true)}>Look for the current version</button>
              ) : (
                <button type="button" class="button" onClick={() => setTries(tries + 1)}>Try again</button>
              )}
              <button type="button" class="button" onClick={close}>Close</button>
            </p>
          </div>
        ) : !shown ? (
          <div class="ghost-text" aria-label="Loading"><i /><i /><i /><i /><i /><i /></div>
        ) : (
          <>
            {shown.start > 0 && (
              <button type="button" class="more" disabled={busy !== ''} onClick={() => void more(true)}>
                {busy === 'up' ? 'Loading…' : 'Show what comes before'}
              </button>
            )}
            {shown.text.trim() === '' && <p class="panel-note">This document has no text.</p>}
            <div class="prose prose-document">
              <LazyDocument text={shown.text} start={start - shown.start} end={end - shown.start} onDrawn={onDrawn} />
            </div>
            {shown.end < shown.length && (
              <button type="button" class="more" disabled={busy !== ''} onClick={() => void more(false)}>
                {busy === 'down' ? 'Loading…' : 'Show what comes after'}
              </button>
            )}
          </>
        )}
      </div>
    </section>
  );
}

/** Begins and ends the part at the edge of a paragraph, so that it reads well; the passage stays. */
export function trimmed(t: DocumentText, start: number, end: number): Shown {
  let from = 0;
  let to = t.text.length;
  if (t.start > 0) {
    const edge = edgeAfter(t.text, unitOf(t.text, start - t.start));
    if (edge >= 0) from = edge;
  }
  if (t.end < t.length) {
    const edge = t.text.lastIndexOf('\n\n');
    if (edge >= unitOf(t.text, Math.max(end, start) - t.start)) to = edge + 2;
  }
  const text = t.text.slice(from, to);
  const begin = t.start + pointsOf(t.text.slice(0, from));
  return {
    text, start: begin, end: begin + pointsOf(text), length: t.length,
    version: t.version, current: t.current, path: t.path, title: t.title,
  };
}

function edgeAfter(text: string, limit: number): number {
  const i = text.indexOf('\n\n');
  return i >= 0 && i + 2 <= limit ? i + 2 : -1;
}
