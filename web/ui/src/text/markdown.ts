// Markdown to DOM, block by block. Text comes from models and from strangers'
// documents: what leaves here is sanitised, loads nothing, and cannot look like
// a part of the page (no classes, ids or styles of its own).

import createDOMPurify, { type Config } from 'dompurify';
import { Marked as Parser, type Token, type TokensList } from 'marked';
import { passageEnd, passageStart, restore, split, withoutReserved } from './citations';
import { unitOf } from './points';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (s: string) => s.replace(/[&<>"]/g, (c) => escapes[c]!);

const marked = new Parser({
  gfm: true,
  renderer: {
    // The page has its own headings; those of a text come right below them,
    // see blocks.
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    image({ text }) {
      return text ? `<em>[${escape(text)}]</em>` : '';
    },
    checkbox({ checked }) {
      return checked ? '☑ ' : '☐ ';
    },
  },
});

const config: Config = {
  ALLOWED_TAGS: [
    'p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'dl', 'dt', 'dd', 'blockquote', 'pre',
    'code', 'kbd', 'samp', 'strong', 'b', 'em', 'i', 'del', 's', 'u', 'sub', 'sup', 'small', 'abbr', 'cite', 'q',
    'table', 'caption', 'thead', 'tbody', 'tfoot', 'tr', 'th', 'td', 'a', 'span',
  ],
  ALLOWED_ATTR: ['href', 'title', 'start', 'align', 'colspan', 'rowspan', 'lang', 'dir'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const purify = createDOMPurify(window);

/** A piece of a text with its place in it (UTF-16 units). */
export interface Block {
  token: Token;
  raw: string;
  start: number;
}

/** Cuts a text into its outermost blocks. */
export function blocks(text: string): Block[] {
  const list: TokensList = marked.lexer(text);
  const out: Block[] = [];
  const above = Math.min(...list.map((t) => (t.type === 'heading' ? (t.depth as number) : 6))) - 1; // levels that the text leaves out
  let start = 0;
  for (const token of list) {
    if (token.type === 'heading') token.depth -= above;
    if (token.type !== 'space' && token.type !== 'def') out.push({ token, raw: token.raw, start });
    start += token.raw.length;
  }
  return out;
}

/** Renders one block; marks become what cite makes of their number. */
export function render(block: Block, cite?: (n: number) => Node): DocumentFragment {
  const fragment = sanitise(marked.parser([block.token]));
  texts(fragment).forEach((node) => {
    const inCode = node.parentElement?.closest('code, pre');
    const parts = inCode || !cite ? [restore(node.data)] : split(node.data);
    if (parts.length === 1 && parts[0] === node.data) return;
    // A word joiner keeps a mark on the line of what it supports.
    node.replaceWith(...parts.flatMap((p) => (typeof p === 'number' ? ['\u2060', cite!(p)] : [p])));
  });
  return fragment;
}

/** Renders one block with the part between from and to (units of the block) marked. */
export function renderPassage(block: Block, from: number, to: number): DocumentFragment {
  const plain = sanitise(marked.parser([block.token]));
  const whole = from <= 0 && to >= block.raw.trimEnd().length;
  if (!whole && block.token.type !== 'heading' && block.token.type !== 'html') {
    const [token] = marked.lexer(withSentinels(block, from, to));
    if (token && token.type === block.token.type) {
      const fragment = sanitise(marked.parser([token]));
      const text = fragment.textContent!;
      const starts = from <= 0 || text.includes(passageStart);
      const ends = to >= block.raw.length || text.includes(passageEnd);
      // Where a sentinel has changed what is read, all of the block is marked.
      if (starts && ends && withoutReserved(text) === plain.textContent) {
        highlight(fragment, from <= 0);
        return fragment;
      }
    }
  }
  highlight(plain, true);
  return plain;
}

// Puts the sentinels where they do not break the syntax around them: behind the
// signs that open a line, before those that close one, off fences and rulers.
function withSentinels(block: Block, from: number, to: number): string {
  const raw = block.raw;
  let a = Math.max(from, 0);
  let b = Math.min(to, raw.length);
  const isRuler = (line: string) => /^\s*(`{3,}|~{3,}|\|?[\s:|-]*-[\s:|-]*$)/.test(line);
  if (a > 0) {
    const lineStart = raw.lastIndexOf('\n', a - 1) + 1;
    const lineEnd = indexOr(raw, '\n', a);
    if (block.token.type !== 'paragraph' && isRuler(raw.slice(lineStart, lineEnd))) a = Math.min(lineEnd + 1, b);
    const signs = /^[\s>#|]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(?:\[[ xX]\]\s+)?[\s*_`~|]*/.exec(raw.slice(a, b))!;
    a += signs[0].length;
  }
  if (b < raw.length) {
    b = a + raw.slice(a, b).replace(/[\s|*_`~]+$/, '').length;
    const lineStart = raw.lastIndexOf('\n', b - 1) + 1;
    if (block.token.type !== 'paragraph' && lineStart > a && isRuler(raw.slice(lineStart, indexOr(raw, '\n', b)))) b = lineStart - 1;
  }
  const start = from > 0 ? passageStart : '';
  const end = to < raw.length ? passageEnd : '';
  return raw.slice(0, a) + start + raw.slice(a, b) + end + raw.slice(b);
}

function indexOr(s: string, what: string, from: number): number {
  const i = s.indexOf(what, from);
  return i < 0 ? s.length : i;
}

function highlight(fragment: DocumentFragment, on: boolean): void {
  for (const node of texts(fragment)) {
    if (/^(TABLE|THEAD|TBODY|TFOOT|TR|UL|OL|DL)$/.test(node.parentElement?.tagName ?? '')) continue;
    const out: (Node | string)[] = [];
    for (const part of node.data.split(/([\uE0F2\uE0F3])/)) {
      if (part === passageStart) on = true;
      else if (part === passageEnd) on = false;
      else if (part === '') continue;
      else if (on && part.trim() !== '') {
        const mark = document.createElement('mark');
        mark.textContent = part;
        out.push(mark);
      } else out.push(part);
    }
    node.replaceWith(...out);
  }
}

function texts(root: Node): Text[] {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const out: Text[] = [];
  while (walker.nextNode()) out.push(walker.currentNode as Text);
  return out;
}

/** HTML of strangers to DOM of ours. */
export function sanitise(html: string): DocumentFragment {
  const fragment = purify.sanitize(html, config) as unknown as DocumentFragment;
  for (const a of fragment.querySelectorAll('a')) {
    const href = a.getAttribute('href') ?? '';
    if (/^(https?:|mailto:)/i.test(href)) {
      a.target = '_blank';
      a.rel = 'noopener noreferrer';
    } else {
      a.replaceWith(...a.childNodes); // relative to a place this page does not know
    }
  }
  // What is wider than the column scrolls, by keyboard as well.
  for (const pre of fragment.querySelectorAll('pre')) pre.tabIndex = 0;
  for (const table of fragment.querySelectorAll('table')) {
    const frame = document.createElement('div');
    frame.className = 'frame';
    frame.tabIndex = 0;
    table.replaceWith(frame);
    frame.append(table);
  }
  // Each block runs as its own language does; code runs from left to right.
  for (const block of fragment.children) {
    if (!block.hasAttribute('dir')) block.setAttribute('dir', block.tagName === 'PRE' ? 'ltr' : 'auto');
  }
  return fragment;
}

/** A text with a passage in it, cut into blocks that know what to mark. */
export interface Marked {
  block: Block;
  from: number; // of the passage, in units of the block; from ≥ to if nothing is marked
  to: number;
}

/** Cuts text into blocks; start and end of the passage are code points of text. */
export function withPassage(text: string, start: number, end: number): Marked[] {
  const a = unitOf(text, start);
  const b = unitOf(text, Math.max(end, start));
  // Line ends are made one character, and reserved characters go, on either side of the borders.
  const clean = (s: string) => withoutReserved(s.replace(/\r\n?/g, '\n'));
  const before = clean(text.slice(0, a));
  const passage = clean(text.slice(a, b));
  const from = before.length;
  const to = from + passage.length;
  return blocks(before + passage + clean(text.slice(b))).map((block) => ({
    block,
    from: from - block.start,
    to: Math.min(to, block.start + block.raw.length) - block.start,
  })).map((m) => (m.from >= m.block.raw.trimEnd().length || m.to <= 0 ? { ...m, from: 0, to: 0 } : m));
}
