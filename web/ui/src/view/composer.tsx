// The field a question is written into.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ask, asking, composer, conversations, scope, server, uploads } from '../state/app';
import { chosenFiles } from '../state/uploads';
import { Icon, StopIcon } from './icons';
import { IconButton } from './parts';

const longest = 32768; // characters the server takes

export function Composer() {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const current = conversations.current.value;
  const lastTurn = current?.turns[current.turns.length - 1];
  const busy = lastTurn?.phase === 'searching' || lastTurn?.phase === 'writing';

  useEffect(() => {
    composer.focus = () => field.current?.focus();
    composer.set = (t) => (setText(t), field.current?.focus());
    if (matchMedia('(hover: hover)').matches) field.current?.focus({ preventScroll: true });
  }, []);
  useLayoutEffect(() => {
    const f = field.current!;
    f.style.height = 'auto';
    f.style.height = `${f.scrollHeight}px`; // the stylesheet sets the most
  }, [text]);

  const submit = () => {
    const question = text.trim();
    if (question === '' || busy || question.length > longest) return;
    setText('');
    ask(question);
  };
  const stop = () => current && asking.stop(current.id);

  return (
    <form class="composer" onSubmit={(e) => (e.preventDefault(), busy ? stop() : submit())}>
      {scope.value.length > 0 && (
        <ul class="scope" aria-label="The question is about these documents only">
          {scope.value.map((d) => (
            <li key={d.id} class="chip">
              <Icon name="page" />
              <span dir="auto">{d.title}</span>
              <button type="button" aria-label={`Ask about all documents, not only “${d.title}”`} onClick={() => (scope.value = scope.value.filter((s) => s.id !== d.id), field.current?.focus())}>
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="composer-box">
        {server.uploads !== '' && (
          <>
            <input
              ref={files}
              type="file"
              multiple
              hidden
              onChange={(e) => {
                uploads.add(chosenFiles(e.currentTarget.files ?? []));
                e.currentTarget.value = '';
              }}
            />
            <IconButton icon="upload" label="Add documents" onClick={() => files.current!.click()} />
          </>
        )}
        <textarea
          ref={field}
          dir="auto"
          rows={1}
          value={text}
          placeholder={current?.turns.length ? 'Ask a follow-up' : 'Ask your documents'}
          aria-label="Your question"
          enterkeyhint="send"
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
              e.preventDefault();
              submit();
            } else if (e.key === 'ArrowUp' && text === '' && lastTurn && !busy) {
              e.preventDefault();
              dispatchEvent(new CustomEvent('ragserver:edit', { detail: lastTurn.id }));
            }
          }}
        />
        {busy ? (
          <button type="submit" class="send send-stop" aria-label="Stop" title="Stop (Esc)"><StopIcon /></button>
        ) : (
          <button type="submit" class="send" aria-label="Ask" title="Ask (Enter)" disabled={text.trim() === '' || text.length > longest}>
            <Icon name="send" />
          </button>
        )}
      </div>
      {text.length > longest ? (
        <p class="composer-hint trouble" role="alert">A question can have {longest} characters; this one has {text.length}.</p>
      ) : (
        <p class="composer-hint">
          <kbd>Enter</kbd> asks · <kbd>Shift</kbd> <kbd>Enter</kbd> new line{busy && <> · <kbd>Esc</kbd> stops</>}
        </p>
      )}
    </form>
  );
}
