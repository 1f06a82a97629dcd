// Asks questions and follows the answers as they are written.

import { Failure, collection, errorBody, request, parse } from '../api/client';
import type { AskAnswer, AskRequest, AskSources, AskText } from '../api/shapes';
import { events } from '../api/sse';
import type { Conversations, Scope, Turn } from './conversations';

export interface AskOptions {
  model?: () => string;
  /** Told at the start and the end of an answer, for those who listen to the page. */
  announce?: (what: string) => void;
  /** Runs f before the next paint; tests run it at once. */
  frame?: (f: () => void) => void;
}

export class Asking {
  #running = new Map<string, AbortController>(); // by turn

  constructor(
    private readonly store: Conversations,
    private readonly options: AskOptions = {},
  ) {}

  /** Asks; the answer appears in the store. Returns the conversation at once, and the end of the answer. */
  ask(conversation: string | null, question: string, documents?: Scope[]): { id: string; done: Promise<void> } {
    const { conversation: c, turn } = this.store.ask(conversation, question, documents);
    return { id: c.id, done: this.#run(c.id, turn) };
  }

  /** Asks the question of a turn again; it and what followed it are replaced. */
  again(conversation: string, turn: Turn, question = turn.question): Promise<void> {
    this.stop(conversation);
    this.store.cutAt(conversation, turn.id);
    return this.ask(conversation, question, turn.documents).done;
  }

  /** Stops what is being answered in a conversation; what was written stays. */
  stop(conversation: string): void {
    for (const t of this.store.get(conversation)?.turns ?? []) this.#running.get(t.id)?.abort();
  }

  async #run(id: string, turn: Turn): Promise<void> {
    const abort = new AbortController();
    this.#running.set(turn.id, abort);
    const announce = this.options.announce ?? (() => {});
    const update = (change: Partial<Turn>) => this.store.update(id, turn.id, change);
    const frame = this.options.frame ?? ((f) => void requestAnimationFrameOrSoon(f));
    let text = '';
    let shown = '';
    let scheduled = false;
    let over = false;
    const show = () => {
      scheduled = false;
      if (over || shown === text) return;
      shown = text;
      update({ text, phase: 'writing' });
    };
    announce('Searching your documents.');
    try {
      const body: AskRequest = {
        question: turn.question,
        history: this.store.history(id, turn.id),
        documents: turn.documents?.map((d) => d.id),
        model: this.options.model?.() || undefined,
        collection: collection || undefined,
        stream: true,
      };
      const response = await request('/api/ask', {
        method: 'POST',
        signal: abort.signal,
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
        body: JSON.stringify(body),
      });
      if (!response.body) throw new Failure('server', 'The server sent no answer.');
      for await (const e of events(response.body)) {
        switch (e.event) {
          case 'sources': {
            const s = parse(e.data) as AskSources;
            update({ sources: s.sources ?? [], found: true, query: s.query, retrieval: s.took_ms });
            break;
          }
          case 'text':
            text += (JSON.parse(e.data) as AskText).text;
            if (!scheduled) {
              scheduled = true;
              frame(show);
            }
            break;
          case 'done': {
            over = true;
            const a = parse(e.data) as AskAnswer;
            update({
              phase: 'done', text: a.answer, kind: a.kind, model: a.model, notices: a.notices, found: true,
              sources: a.sources ?? [], retrieval: a.retrieval_ms, total: a.total_ms,
            });
            announce(a.kind === 'nothing_found' ? 'Nothing relevant was found.' : 'The answer is ready.');
            return;
          }
          case 'error': {
            const { code, message } = errorBody(JSON.parse(e.data));
            throw new Failure('server', message || 'The answer could not be finished.', code);
          }
        }
      }
      throw new Failure('offline', 'The connection broke before the answer was finished.');
    } catch (e) {
      over = true;
      if (abort.signal.aborted) {
        update({ text, phase: 'stopped' });
        announce('Stopped.');
        return;
      }
      const f =
        e instanceof Failure
          ? e
          : e instanceof SyntaxError
            ? new Failure('server', 'The server sent something that this page does not understand.')
            : new Failure('offline', 'The connection broke before the answer was finished.');
      const until = f.wait > 0 ? Date.now() + f.wait * 1000 : undefined;
      update({ text, phase: 'failed', failure: { kind: f.kind, message: f.message, until } });
      announce('The question could not be answered. ' + f.message);
    } finally {
      this.#running.delete(turn.id);
    }
  }
}

// A hidden page gets no animation frames, but its answers go on.
function requestAnimationFrameOrSoon(f: () => void): void {
  if (document.hidden) setTimeout(f, 200);
  else requestAnimationFrame(f);
}
