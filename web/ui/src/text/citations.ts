// Citation marks: [n] in an answer refers to source n.
//
// Before Markdown is read, marks are replaced by characters of the private use
// area, so that "[1](see below)" does not become a link and "[1]: …" no
// definition; after it they become buttons, or plain text again inside code.

export const open = '\uE0F0';
export const close = '\uE0F1';
export const passageStart = '\uE0F2';
export const passageEnd = '\uE0F3';

const reserved = /[\uE0F0-\uE0F3]/g;
const marks = /\[(\d{1,3}(?:[ \t]*[,;][ \t]*\d{1,3})*)\]/g;
const spacedMarks = new RegExp('[ \\t]*' + marks.source, 'g'); // a mark stands close to what it supports
const placed = /\uE0F0(\d{1,3})\uE0F1/g;
// What may still become a mark: "[", "[1", "[1, ", also after a whole mark.
const tail = /[ \t]*\[(?:\d{1,3}(?:[ \t]*[,;][ \t]*\d{0,3})*)?[ \t]*$/;

/** Removes the characters that this page gives a meaning. */
export function withoutReserved(text: string): string {
  return text.replace(reserved, '');
}

/** Replaces the marks of known sources; other brackets stay what they are. */
export function place(text: string, known: (n: number) => boolean): string {
  return withoutReserved(text).replace(spacedMarks, (whole, list: string) => {
    const ns = list.split(/[,;]/).map((s) => Number(s.trim()));
    if (!ns.some(known)) return whole;
    return ns
      .filter(known)
      .map((n) => open + n + close)
      .join('');
  });
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

/** The answer without its marks: what a follow-up question needs of it. */
export function withoutMarks(text: string): string {
  return text.replace(spacedMarks, '');
}

/** The numbers of known sources an answer cites, in the order they come. */
export function cited(text: string, known: (n: number) => boolean): number[] {
  const ns = new Set<number>();
  for (const m of text.matchAll(marks)) {
    for (const s of m[1]!.split(/[,;]/)) {
      const n = Number(s.trim());
      if (known(n)) ns.add(n);
    }
  }
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
