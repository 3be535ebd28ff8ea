// Texts: merging what streams in, finding quotes and words.

export { MAX_CHARS, newId, scalars, sendable } from '../../shared/text';
export { link, webAddress } from '../../shared/prose';

/** `text` from scalar value `offset` on is replaced by `more`: merging a delta twice changes nothing. */
export function merge(text: string, offset: number, more: string): string {
  const chars = Array.from(text);
  if (offset > chars.length) return text;
  if (offset === chars.length) return text + more;
  return chars.slice(0, offset).join('') + more;
}

/** Title and headings; a document's first heading is often its title again. */
export function trail(source: { title: string; document: string; headings: string[] }): string[] {
  const name = source.title || source.document;
  return [name, ...(source.headings[0] === name ? source.headings.slice(1) : source.headings)];
}

/** Text without the marks of Markdown: what a passage says, as it is read. */
export function plain(text: string): string {
  return text
    .replace(/^ {0,3}#{1,6}[ \t]+/gm, '')
    .replace(/^([ \t]*)[-*+][ \t]+/gm, '$1• ')
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, '$1')
    .replace(/\*\*|`/g, '');
}

/**
 * Where `quote` stands in `text`, as [start, end) in UTF-16 units, or null. White space counts as one blank, since a quote is cut from
 * running text and a passage keeps its lines.
 */
export function findQuote(text: string, quote: string): [number, number] | null {
  const words = quote.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return null;
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const found = new RegExp(escaped.join('\\s+'), 'u').exec(text);
  return found ? [found.index, found.index + found[0].length] : null;
}

/** `text` cut at its highlighted parts. Ranges that touch or overlap become one. */
export function highlight(text: string, ranges: [number, number][]): { text: string; marked: boolean }[] {
  const parts: { text: string; marked: boolean }[] = [];
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  let at = 0;
  for (const [start, end] of sorted) {
    if (end <= at) continue;
    const from = Math.max(start, at);
    if (from > at) parts.push({ text: text.slice(at, from), marked: false });
    parts.push({ text: text.slice(from, end), marked: true });
    at = end;
  }
  if (at < text.length) parts.push({ text: text.slice(at), marked: false });
  return parts;
}

/** Where the words of a search stand in `text`. */
export function findWords(text: string, query: string): [number, number][] {
  const ranges: [number, number][] = [];
  const words = query.split(/\s+/).filter((word) => word.length > 1);
  for (const word of words) {
    const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    for (const found of text.matchAll(new RegExp(escaped, 'giu'))) ranges.push([found.index, found.index + found[0].length]);
  }
  return ranges;
}
