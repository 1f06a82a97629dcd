// How the index is doing: the line in the header, the bar while something is
// being read, the banner when the server is gone, the list of what happened.

import { activityShown, feed, now, reconnect, server } from '../state/app';
import type { FeedEvent } from '../api/shapes';
import { go } from '../state/route';
import { ago, count, fileName, plural } from '../text/format';
import { titleOf } from '../state/server';
import { Countdown, IconButton } from './parts';
import { Icon } from './icons';

/** A dot and a few words; opens the list of changes. */
export function StatusButton() {
  const link = feed.link.value;
  const pending = server.stats.value?.pending ?? 0;
  const last = feed.last.value;
  let text = 'live';
  let kind = 'live';
  if (link.state === 'connecting') [text, kind] = ['connecting', 'wait'];
  else if (link.state === 'lost') [text, kind] = ['offline', 'lost'];
  else if (link.state === 'barred') [text, kind] = ['needs a key', 'lost'];
  else if (pending > 0 && server.stats.value!.troubles.length > 0) [text, kind] = ['waiting', 'wait'];
  else if (pending > 0) {
    const all = Math.max(server.burst.value, pending);
    [text, kind] = [all > 1 ? `reading ${count(all - pending + 1)} of ${count(all)}` : 'reading', 'busy'];
  }
  const aside =
    kind === 'busy' ? server.reading.value : kind === 'live' && last > 0 ? `updated ${ago(last, now.value)}` : '';
  return (
    <button
      type="button"
      class="status figures"
      aria-expanded={activityShown.value}
      title="What changes in your documents"
      onClick={() => (activityShown.value = !activityShown.value)}
    >
      <i class={`dot dot-${kind}`} />
      <span>{text}</span>
      {aside && <span class="status-aside">· {aside}</span>}
    </button>
  );
}

/** A thin line while documents are being read. It takes no room: nothing moves when it comes and goes. */
export function IndexingBar() {
  const pending = server.stats.value?.pending ?? 0;
  if (pending === 0) return null;
  const all = Math.max(server.burst.value, pending);
  return (
    <div class="indexing">
      <progress max={all} value={all - pending} aria-label="Reading documents" />
    </div>
  );
}

export function ConnectionBanner() {
  const link = feed.link.value;
  if (link.state !== 'lost' || now.value - link.since < 1500) return null;
  return (
    <div class="banner" role="status">
      <Icon name="alert" />
      <p>
        {link.reason} What you see may be out of date. Next try in{' '}
        <Countdown key={link.retryAt} until={link.retryAt} />.
      </p>
      <button type="button" class="text-button" onClick={reconnect}>Try now</button>
    </div>
  );
}

function waits(part: string): string {
  if (part === 'storage') return 'Nothing new can be stored at the moment.';
  if (part === 'reading') return 'Some documents cannot be read at the moment; they are tried again until they can.';
  if (part === 'embedder') return 'The embedder does not answer: until it does, what is new is found by keyword alone.';
  return `The source “${part.replace(/^source /, '')}” cannot be read at the moment.`;
}

/** What keeps new documents waiting. Quiet: nothing is lost, and it goes away by itself. */
export function TroubleBanner() {
  const troubles = server.stats.value?.troubles ?? [];
  if (troubles.length === 0) return null;
  return (
    <div class="banner banner-trouble" role="status">
      <Icon name="alert" />
      <div>
        {troubles.map((t) => <p key={t.part}>{waits(t.part)}<span class="trouble-reason" title={t.reason}>{t.reason}</span></p>)}
      </div>
    </div>
  );
}

function happened(e: FeedEvent): { text: string; kind: string } {
  const d = e.document;
  if (e.removed) return { text: 'deleted: no answer uses it any more', kind: 'removed' };
  switch (d.state) {
    case 'found':
      return { text: 'found', kind: 'found' };
    case 'parsing':
      return { text: 'being read', kind: 'parsing' };
    case 'embedding':
      return { text: 'vectors are being made', kind: 'embedding' };
    case 'live':
      return {
        text: `answerable, ${plural(d.chunks, 'chunk')}${d.embedded > 0 && d.embedded < d.chunks ? `, ${count(d.embedded)} new` : ''}`,
        kind: 'live',
      };
    case 'stale':
      return { text: 'cannot be reached; the last version stays', kind: 'stale' };
    case 'failed':
      return { text: d.reason || 'could not be read', kind: 'failed' };
    case 'skipped':
      return { text: d.reason || 'skipped', kind: 'skipped' };
  }
}

export function Activity() {
  const list = feed.activity.value;
  return (
    <section class="panel panel-activity" aria-label="Activity">
      <header class="panel-head">
        <h2>Activity</h2>
        <IconButton icon="close" label="Close" onClick={() => (activityShown.value = false)} />
      </header>
      <div class="panel-body">
        {list.length === 0 ? (
          <p class="panel-note">Nothing has changed since this page was opened. Save a file in a watched folder and it shows up here.</p>
        ) : (
          <ol class="activity">
            {list.map((e) => {
              const { text, kind } = happened(e);
              return (
                <li key={e.document.id}>
                  <i class={`dot dot-${kind}`} />
                  <div>
                    {e.removed || !e.document.live ? (
                      <span class="activity-name" dir="auto">{titleOf(e.document)}</span>
                    ) : (
                      <button type="button" class="activity-name" dir="auto" onClick={() => go({ reader: { document: e.document.id } })}>{titleOf(e.document)}</button>
                    )}
                    <p>{text}</p>
                    <p class="activity-when figures">
                      {ago(Date.parse(e.time), now.value)} · {fileName(e.document.path).folder || e.document.source}
                    </p>
                  </div>
                </li>
              );
            })}
          </ol>
        )}
      </div>
    </section>
  );
}
