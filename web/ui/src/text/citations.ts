// Citation marks: [n] in an answer refers to source n. The server writes one
// number a mark and leaves no number that stands for no source; [0], [2024] and
// what stands in code are text.
//
// Before Markdown is read, marks are replaced by characters of the private use
// area, so that "[1](see below)" does not become a link and "[1]: …" no
// definition; after it they become buttons, or plain text again inside code.

export const open = '\uE0F0';
export const close = '\uE0F1';
export const passageStart = '\uE0F2';
export const passageEnd = '\uE0F3';

const reserved = /[\uE0F0-\uE0F3]/g;
const marks = /\[([1-9]\d{0,2})\]/g;
const spacedMarks = new RegExp('[ \\t]*' + marks.source, 'g'); // a mark stands close to what it supports
const placed = /\uE0F0(\d{1,3})\uE0F1/g;
// What may still become a mark: "[", "[1".
const tail = /[ \t]*\[(?:[1-9]\d{0,2})?$/;
const code = /^[ \t>]*(```+|~~~+)[^\n]*\n(?:[^]*?\n[ \t>]*\1[`~]*[ \t]*$|[^]*)|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)/gm;

/** Removes the characters that this page gives a meaning. */
export function withoutReserved(text: string): string {
  return text.replace(reserved, '');
}

/** Replaces the marks of known sources; other brackets stay what they are. */
export function place(text: string, known: (n: number) => boolean): string {
  return withoutReserved(text).replace(spacedMarks, (whole, n: string) => (known(Number(n)) ? open + n + close : whole));
}

/** Hides an incomplete mark at the end of text that is still being written. */
export function withoutTail(text: string): string {
  return text.replace(tail, '');
}

/** Marks as they were written: for code, where they mean something else. */
export function restore(text: string): string {
  return text.replace(placed, '[$1]');
}

/** Cuts text at its placed marks: strings and numbers by turns. */
export function split(text: string): (string | number)[] {
  const parts: (string | number)[] = [];
  let at = 0;
  for (const m of text.matchAll(placed)) {
    if (m.index > at) parts.push(text.slice(at, m.index));
    parts.push(Number(m[1]));
    at = m.index + m[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

/** The parts of a text by turns: outside of code, code, outside of it, … */
function byCode(text: string): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const m of text.matchAll(code)) {
    parts.push(text.slice(at, m.index), m[0]);
    at = m.index + m[0].length;
  }
  return [...parts, text.slice(at)];
}

/** The answer without its marks: what a follow-up question needs of it. */
export function withoutMarks(text: string): string {
  return byCode(text).map((part, i) => (i % 2 ? part : part.replace(spacedMarks, ''))).join('');
}

/** The numbers of known sources an answer cites, in the order they come. */
export function cited(text: string, known: (n: number) => boolean): number[] {
  const ns = new Set<number>();
  byCode(text).forEach((part, i) => {
    if (i % 2) return;
    for (const m of part.matchAll(marks)) if (known(Number(m[1]))) ns.add(Number(m[1]));
  });
  return [...ns];
}

export interface Reference {
  n: number;
  title: string;
  path: string;
  heading?: string;
  page?: number;
}

/** An answer with the list of what it cites, for the clipboard. */
export function withReferences(text: string, sources: Reference[]): string {
  const numbers = cited(text, (n) => sources.some((s) => s.n === n));
  if (numbers.length === 0) return text;
  const lines = sources
    .filter((s) => numbers.includes(s.n))
    .map((s) => {
      const place = [s.path !== s.title ? s.path : '', s.page ? `p. ${s.page}` : '', s.heading ?? '']
        .filter(Boolean)
        .join(', ');
      return `[${s.n}] ${s.title || s.path}${place ? ` (${place})` : ''}`;
    });
  return `${text.trim()}\n\n${lines.join('\n')}`;
}
