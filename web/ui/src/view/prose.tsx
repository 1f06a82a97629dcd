// Markdown on the page. A block that has not changed keeps its nodes, so that
// focus and selection survive while the next ones are being written.

import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import remend from 'remend';
import { place, withoutTail } from '../text/citations';
import { blocks, render, renderPassage, withPassage, type Block, type Marked } from '../text/markdown';
import { memo } from './memo';

function Nodes({ make, id }: { make: () => DocumentFragment; id: string }) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => ref.current!.replaceChildren(make()), [id]);
  return <div ref={ref} />;
}

const AnswerBlock = memo(
  ({ block, cite }: { block: Block; cite: (n: number) => Node; titles: string }) => (
    <Nodes id={block.raw + '\0' + block.token.type} make={() => render(block, cite)} />
  ),
  (a, b) => a.block.raw === b.block.raw && a.block.token.type === b.block.token.type && a.titles === b.titles,
);

export interface AnswerProps {
  text: string;
  writing: boolean; // not whole: what is half written at the end is hidden or closed
  known: (n: number) => boolean;
  cite: (n: number) => Node; // makes the button of a mark
  titles: string; // changes when the buttons would
}

/** An answer with its marks. */
export function Answer({ text, writing, known, cite, titles }: AnswerProps) {
  const list = useMemo(() => {
    const shown = writing ? remend(place(withoutTail(text), known), { linkMode: 'text-only' }) : place(text, known);
    return blocks(shown);
  }, [text, writing, titles]);
  return (
    <>
      {list.map((b, i) => (
        <AnswerBlock key={i + titles} block={b} cite={cite} titles={titles} />
      ))}
    </>
  );
}

const PassageBlock = memo(
  ({ m }: { m: Marked }) => (
    <Nodes
      id={`${m.from}:${m.to}:${m.block.raw}`}
      make={() => (m.from < m.to ? renderPassage(m.block, m.from, m.to) : render(m.block))}
    />
  ),
  (a, b) => a.m.block.raw === b.m.block.raw && a.m.from === b.m.from && a.m.to === b.m.to,
);

export interface DocumentProps {
  text: string;
  start: number; // of the passage, code points of text
  end: number;
}

/** A part of a document with a passage marked. */
export function DocumentText({ text, start, end }: DocumentProps) {
  const list = useMemo(() => withPassage(text, start, end), [text, start, end]);
  return (
    <>
      {list.map((m, i) => (
        <PassageBlock key={i} m={m} />
      ))}
    </>
  );
}
