// What the documents are about, in their own words: headings, for an empty page
// to offer. Nothing is made up, so it fits documents in any language.

import type { Document } from '../api/shapes';
import { titleOf } from './server';

export interface Topic {
  text: string; // a heading
  document: Document;
}

export const topicsShown = 3;
const tried = 8; // documents looked into
export const looked = 6000; // code points of each

/** Some documents that have titles of their own, spread over the list: neighbours are alike. */
export function spread(documents: Document[], n: number): Document[] {
  const titles = new Map<string, Document>();
  for (const d of documents) if (d.live && !titles.has(titleOf(d))) titles.set(titleOf(d), d);
  const all = [...titles.values()];
  const step = Math.max(1, all.length / n);
  return Array.from({ length: Math.min(n, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}

/** The heading of a text that says most, '' if none is fit to be asked about. */
export function heading(text: string, title: string): string {
  let best = '';
  for (const [, raw] of text.matchAll(/^#{1,4}[ \t]+(.+)$/gm)) {
    const h = raw!
      .replace(/[*_`]|\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/^(§\s*)?[\d.]+[.)]?\s+/, '') // its number
      .replace(/[\s#:：]+$/, '');
    const letters = h.match(/\p{L}/gu)?.length ?? 0;
    if (h === title || letters < 4 || h.length > 60) continue;
    if (h.length > best.length) best = h;
  }
  return best;
}

/** Headings of some documents, each of another one. */
export async function topics(documents: Document[], textOf: (d: Document) => Promise<string>): Promise<Topic[]> {
  const found = await Promise.all(
    spread(documents, tried).map(async (document) => {
      try {
        return { text: heading(await textOf(document), titleOf(document)), document };
      } catch {
        return { text: '', document }; // gone meanwhile
      }
    }),
  );
  const seen = new Set<string>();
  return found.filter((t) => t.text !== '' && !seen.has(t.text) && seen.add(t.text)).slice(0, topicsShown);
}
