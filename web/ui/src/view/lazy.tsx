// Reading Markdown is half of the script's weight and not needed to ask: it is
// loaded when the page stands. Until then, and if it cannot be loaded, text is
// shown as it is.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { withoutTail } from '../text/citations';
import type { AnswerProps, DocumentProps } from './prose';

const prose = signal<typeof import('./prose') | null>(null);
let asked = false;

export function loadProse(): void {
  if (asked) return;
  asked = true;
  import('./prose').then(
    (m) => (prose.value = m),
    () => (asked = false), // the next text tries again
  );
}

export function LazyAnswer(p: AnswerProps) {
  useEffect(loadProse, []);
  const Answer = prose.value?.Answer;
  return Answer ? <Answer {...p} /> : <p class="unread">{p.writing ? withoutTail(p.text) : p.text}</p>;
}

/** onDrawn is called when the text stands as it will stay. */
export function LazyDocument({ onDrawn, ...p }: DocumentProps & { onDrawn: () => void }) {
  useEffect(loadProse, []);
  const drawn = useRef(onDrawn);
  drawn.current = onDrawn;
  const DocumentText = prose.value?.DocumentText;
  useEffect(() => drawn.current(), [DocumentText, p.text]);
  return DocumentText ? <DocumentText {...p} /> : <p class="unread">{p.text}</p>;
}
