// Every document with its state: what can be answered from, what not, and why.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Document, State } from '../api/shapes';
import { chosenFiles } from '../state/uploads';
import { askAbout, dialog, documents, now, server, uploads } from '../state/app';
import { titleOf } from '../state/server';
import { ago, count, moment, plural, size, typeName } from '../text/format';
import { Icon } from './icons';
import { memo } from './memo';
import { Confirm, IconButton, Link } from './parts';

export const stateNames: Record<State, string> = {
  live: 'live',
  found: 'found',
  parsing: 'reading',
  embedding: 'embedding',
  stale: 'unreachable',
  failed: 'failed',
  skipped: 'skipped',
};
const order = Object.keys(stateNames) as State[];

export function Documents() {
  const [deleting, setDeleting] = useState<Document | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement | null>(null);
  const f = documents.filter.value;
  const takeFolders = useCallback((e: HTMLInputElement | null) => {
    folder.current = e;
    if (e) e.webkitdirectory = true; // Preact knows no such attribute
  }, []);
  useEffect(() => {
    document.title = 'Documents · ragserver';
    documents.show(true);
    return () => documents.show(false);
  }, []);
  return (
    <div class="scroller">
      <div class="column column-wide documents">
        <header class="documents-head">
          <div>
            <h1>Documents</h1>
            {documents.loaded.value && <Lead />}
          </div>
          {server.uploads !== '' && (
            <>
              <input ref={files} type="file" multiple hidden onChange={addChosen} />
              <input ref={takeFolders} type="file" hidden onChange={addChosen} />
              <div class="documents-add">
                <button type="button" class="button" onClick={() => files.current!.click()}><Icon name="upload" /> Add files</button>
                <button type="button" class="button wide-enough" onClick={() => folder.current!.click()}>Add a folder</button>
              </div>
            </>
          )}
        </header>
        <Filters />
        <div role="status" class="offscreen">{documents.loaded.value && !documents.loading.value ? `${plural(documents.total.value, 'document')} listed` : ''}</div>
        {documents.behind.value > 0 && !documents.loading.value && documents.rows.value.length > 100 && (
          <p class="note"><span>{plural(documents.behind.value, 'document')} changed beyond what is listed.</span>
            <button type="button" class="text-button" onClick={() => void documents.load()}>Load the list again</button></p>
        )}
        <Failure />
        {documents.rows.value.length > 0 ? (
          <table class={`table ${documents.loading.value ? 'table-loading' : ''}`}>
            <thead>
              <tr>
                <th scope="col">Document</th>
                <th scope="col" class="column-state">State</th>
                <th scope="col" class="wide-only column-type">Type</th>
                <th scope="col" class="wide-only number column-size">Size</th>
                <th scope="col" class="wide-only number column-size">Chunks</th>
                <th scope="col" class="middle-only number column-time">Updated</th>
                <th scope="col" class="column-tools"><span class="offscreen">Actions</span></th>
              </tr>
            </thead>
            {pages(documents.rows.value).map((rows, i) => (
              <Page key={i} rows={rows} remove={setDeleting} />
            ))}
          </table>
        ) : (
          documents.loaded.value && !documents.failure.value && <Nothing filtered={Boolean(f.q || f.state || f.source)} />
        )}
        <More />
      </div>
      {deleting && (
        <Confirm
          title="Delete this document?"
          text={`“${titleOf(deleting)}” was added through this server. It will be gone from every answer.`}
          action="Delete"
          run={() => documents.remove(deleting)}
          onClose={() => setDeleting(null)}
        />
      )}
    </div>
  );
}

function addChosen(e: { currentTarget: HTMLInputElement }): void {
  uploads.add(chosenFiles(e.currentTarget.files ?? []));
  e.currentTarget.value = '';
}

/** How many documents can be found, and apart from them what cannot. */
function Lead() {
  const stats = server.stats.value;
  if (!stats) return null;
  const { failed = 0, skipped = 0 } = stats.states;
  const apart = [
    stats.pending > 0 && `${count(stats.pending)} in progress`,
    failed > 0 && `${count(failed)} failed`,
    skipped > 0 && `${count(skipped)} skipped`,
  ].filter(Boolean);
  return (
    <p class="lead figures">
      {plural(stats.documents, 'document')} from {plural(server.sources.value.length, 'source')}
      {apart.length > 0 && <span class="lead-apart"> · {apart.join(' · ')}</span>}
    </p>
  );
}

function Filters() {
  const f = documents.filter.value;
  const [text, setText] = useState(f.q);
  const states = documents.states.value;
  const all = Object.values(states).reduce((a, b) => a + (b ?? 0), 0);
  const sources = server.sources.value;
  useEffect(() => {
    if (text === f.q) return;
    const timer = setTimeout(() => documents.set({ q: text }), 150);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="filters">
      <label class="search">
        <Icon name="search" />
        <span class="offscreen">Search by title or path</span>
        <input type="search" placeholder="Search by title or path" value={text} onInput={(e) => setText(e.currentTarget.value)} />
      </label>
      {sources.length > 1 && (
        <label class="select">
          <span class="offscreen">Source</span>
          <select value={f.source} onChange={(e) => documents.set({ source: e.currentTarget.value })}>
            <option value="">All sources</option>
            {sources.map((s) => <option key={s.name} value={s.name}>{s.name}</option>)}
          </select>
        </label>
      )}
      <fieldset class="states">
        <legend class="offscreen">State</legend>
        <StateChoice name="all" value="" n={all} />
        {order.filter((s) => (states[s] ?? 0) > 0 || f.state === s).map((s) => (
          <StateChoice key={s} name={stateNames[s]} value={s} n={states[s] ?? 0} />
        ))}
      </fieldset>
    </div>
  );
}

function StateChoice({ name, value, n }: { name: string; value: string; n: number }) {
  return (
    <label class="state-choice">
      <input type="radio" name="state" checked={documents.filter.value.state === value} onChange={() => documents.set({ state: value })} />
      <span>{value && <i class={`dot dot-${value}`} />}{name} <b class="figures">{count(n)}</b></span>
    </label>
  );
}

const pageRows = 50;

function pages(rows: Document[]): Document[][] {
  const out: Document[][] = [];
  for (let i = 0; i < rows.length; i += pageRows) out.push(rows.slice(i, i + pageRows));
  return out;
}

/** Some rows that are drawn only while they are near what is seen; else their height stands for them. */
function Page({ rows, remove }: { rows: Document[]; remove: (d: Document) => void }) {
  const ref = useRef<HTMLTableSectionElement>(null);
  const [height, setHeight] = useState(0); // of what is not drawn
  useEffect(() => {
    const body = ref.current!;
    const watch = new IntersectionObserver(
      (e) => setHeight(e.some((x) => x.isIntersecting) ? 0 : body.offsetHeight),
      { root: body.closest('.scroller'), rootMargin: '1200px 0px' },
    );
    watch.observe(body);
    return () => watch.disconnect();
  }, []);
  return (
    <tbody ref={ref}>
      {height > 0 ? (
        <tr aria-hidden="true"><td class="spacer" style={{ height: `${height}px` }} /></tr>
      ) : (
        rows.map((d) => <Row key={d.id} d={d} remove={remove} />)
      )}
    </tbody>
  );
}

const Row = memo(
  ({ d, remove }: { d: Document; remove: (d: Document) => void }) => {
    const title = titleOf(d);
    return (
      <tr>
        <td class="cell-name">
          {d.live ? (
            <Link class="document-title" dir="auto" to={{ screen: 'documents', reader: { document: d.id } }}>{title}</Link>
          ) : (
            <span class="document-title" dir="auto">{title}</span>
          )}
          <span class="document-path" dir="auto">{d.path !== title ? d.path : d.source}</span>
          {d.reason && <span class={`document-reason reason-${d.state}`}>{d.reason}</span>}
        </td>
        <td><span class={`pill pill-${d.state}`}><i class={`dot dot-${d.state}`} />{stateNames[d.state] ?? d.state}</span></td>
        <td class="wide-only quiet">{typeName(d.type)}</td>
        <td class="wide-only number figures quiet">{size(d.size)}</td>
        <td class="wide-only number figures quiet">{d.chunks > 0 ? count(d.chunks) : ''}</td>
        <td class="middle-only number figures quiet"><Updated d={d} /></td>
        <td class="cell-tools">
          {d.live && <IconButton icon="ask" label={`Ask about “${title}”`} onClick={() => askAbout({ id: d.id, title })} />}
          {d.own && <IconButton icon="trash" label={`Delete “${title}”`} onClick={() => remove(d)} />}
        </td>
      </tr>
    );
  },
  (a, b) => a.d === b.d,
);

function Updated({ d }: { d: Document }) {
  return <time dateTime={d.updated} title={moment(d.updated)}>{ago(Date.parse(d.updated), now.value)}</time>;
}

function Failure() {
  const f = documents.failure.value;
  if (!f) return null;
  return (
    <div class="failed" role="alert">
      <Icon name="alert" />
      <div>
        <p>{f.message}</p>
        <p class="failed-actions">
          {f.kind === 'key' ? (
            <button type="button" class="button button-main" onClick={() => (dialog.value = 'key')}>Enter a key</button>
          ) : (
            <button type="button" class="button" onClick={() => void documents.load()}>Try again</button>
          )}
        </p>
      </div>
    </div>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  return filtered ? (
    <div class="nothing">
      <p>No document fits.</p>
      <button type="button" class="button" onClick={() => documents.set({ q: '', state: '', source: '' })}>Show all</button>
    </div>
  ) : (
    <div class="drop-zone">
      <Icon name="upload" />
      <p>{server.uploads ? 'Drop files or folders here, or save them in a watched folder.' : 'Save files in a watched folder.'}</p>
    </div>
  );
}

/** Loads the next page when the end comes into sight; a button for those who do not scroll. */
function More() {
  const ref = useRef<HTMLDivElement>(null);
  const rows = documents.rows.value.length;
  const loading = documents.loading.value;
  useEffect(() => {
    if (!documents.hasMore || loading) return;
    const watch = new IntersectionObserver((e) => e.some((x) => x.isIntersecting) && void documents.more(), { rootMargin: '600px' });
    watch.observe(ref.current!);
    return () => watch.disconnect();
  }, [rows, loading]);
  return (
    <div ref={ref} class="list-end">
      {documents.hasMore && (
        <button type="button" class="more" disabled={loading} onClick={() => void documents.more()}>
          {loading ? 'Loading…' : `Show more of ${count(documents.total.value)}`}
        </button>
      )}
    </div>
  );
}
