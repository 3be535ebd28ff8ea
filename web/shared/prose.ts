// The one renderer of what visitors, models, agents and documents say, for streaming and for
// history.
//
// Text becomes a closed set of elements: p, br, ul, ol, li, strong, em, code, pre, table with its
// rows and cells and, where the address is allowed, a. There is no other way in: no HTML, no
// images, no attributes from the text but a link's checked address and a list's first number.

import { h } from './dom.ts';

/** Decides whether an address in a text may become a link. */
export type Links = (url: URL) => boolean;

/** No address becomes a link. */
export const noLinks: Links = () => false;

/** E-mail addresses alone. */
export const mailOnly: Links = (url) => url.protocol === 'mailto:';

/** Addresses that were cited, and those of allowed hosts; e-mail addresses always. `https` and `http` alone, and nothing that hides where it leads. */
export function allowedLinks(cited: Iterable<string | null | undefined>, hosts: Iterable<string>): Links {
  const addresses = new Set<string>();
  for (const one of cited) {
    const url = webAddress(one);
    if (url) addresses.add(url.href);
  }
  const names = new Set([...hosts].map((host) => host.toLowerCase()));
  return (url) => mailOnly(url) || addresses.has(url.href) || names.has(url.host);
}

/** An address that may be opened, or null: http or https, without user name and password. */
export function webAddress(text: string | null | undefined): URL | null {
  if (!text || !/^https?:\/\//i.test(text)) return null;
  try {
    const url = new URL(text);
    return (url.protocol === 'https:' || url.protocol === 'http:') && !url.username && !url.password ? url : null;
  } catch {
    return null;
  }
}

/** An e-mail address that may be written to, or null. */
function mailAddress(text: string): URL | null {
  return /^[\p{L}\p{N}._%+-]+@[a-z0-9.-]+$/iu.test(text) && URL.canParse(`mailto:${text}`) ? new URL(`mailto:${text}`) : null;
}

/** A link that leads away and tells nobody where from. */
export function link(url: URL, text: string | Node, props: Record<string, string> = {}): HTMLAnchorElement {
  return h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow ugc', ...props }, text);
}

interface Block {
  tag: 'p' | 'ul' | 'ol' | 'pre' | 'table';
  start: number;
  /** The lines of a paragraph or code, or of each item; the cells of each row. */
  parts: string[][];
  /** What it was made of: a block whose source didn't change keeps its node. */
  source: string;
  loose: boolean;
}

/** The line between a table's head and its rows. */
const RULE = /^\s*\|?(\s*:?-{2,}:?\s*\|)+\s*(:?-{2,}:?\s*)?\|?\s*$/;

/** The cells of a row, or null for a line that is none. */
function cells(line: string): string[] | null {
  const row = /^\s*\|(.*)\|\s*$/.exec(line);
  return row ? row[1]!.split('|').map((cell) => cell.trim()) : null;
}

/** Text as blocks: paragraphs, headings as bold paragraphs, lists, tables, fenced code. Every line ends up in exactly one. */
function blocks(text: string): Block[] {
  const found: Block[] = [];
  let open: Block | null = null;
  const begin = (tag: Block['tag'], start = 1): Block => {
    const block: Block = { tag, start, parts: tag === 'p' || tag === 'pre' ? [[]] : [], source: tag, loose: false };
    found.push(block);
    return block;
  };
  let fenced = false;
  for (const line of text.split(/\r\n?|\n/)) {
    if (/^ {0,3}```/.test(line)) {
      fenced = !fenced;
      open = fenced ? begin('pre') : null;
      if (open) open.source += line;
      continue;
    }
    if (fenced && open) {
      open.parts[0]!.push(line);
      open.source += `\n${line}`;
      continue;
    }
    const row = cells(line);
    if (row) {
      if (open?.tag !== 'table') open = begin('table');
      open.source += `\n${line}`;
      if (!RULE.test(line)) open.parts.push(row);
      continue;
    }
    if (open?.tag === 'table') open = null;
    const item = /^ {0,3}(?:([-*•])|(\d{1,4})[.)])\s+(\S.*)$/.exec(line);
    const heading = /^ {0,3}#{1,6}\s+(\S.*?)\s*#*$/.exec(line);
    if (item) {
      const tag = item[1] ? 'ul' : 'ol';
      if (open?.tag !== tag) open = begin(tag, Number(item[2] ?? 1));
      open.parts.push([item[3]!]);
    } else if (heading) {
      open = begin('p');
      open.parts[0]!.push(`**${heading[1]!.replaceAll('**', '')}**`);
      open.source += `\n${line}`;
      open = null;
      continue;
    } else if (line.trim() === '') {
      // A blank line ends a paragraph, but not a list whose items stand apart.
      if (open?.tag === 'p') open = null;
      else if (open) open.loose = true;
      continue;
    } else if (open && open.tag !== 'p' && !open.loose && /^\s/.test(line)) {
      open.parts.at(-1)!.push(line.trim());
    } else {
      if (open?.tag !== 'p') open = begin('p');
      open.parts[0]!.push(line);
    }
    open.loose = false;
    open.source += `\n${line}`;
  }
  return found;
}

// Code before bold before emphasis before links: what is inside code is nothing else. Each
// alternative is bounded by characters it can't contain, so that no text makes the search slow.
const MARKS = /`([^`\n]+)`|\*\*(?!\s)([^*\n]+?)\*\*|(?<![\p{L}\p{N}*])\*(?![\s*])([^*\n]+)\*(?![\p{L}\p{N}*])|\[([^[\]\n]{1,300})\]\(((?:https?:\/\/|mailto:)[^\s()<>]{1,2000})\)|(?<![\p{L}\p{N}._%+-])([\p{L}\p{N}._%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24})(?![\p{L}\p{N}@])|(https?:\/\/[^\s<>"'`*()[\]{}|\\^]{1,2000})/giu;

/** One block's lines into a node. */
function inline(node: Element, lines: string[], links: Links): Element {
  const text = lines.join('\n');
  const plain = (piece: string): void => {
    piece.split('\n').forEach((line, i) => {
      if (i > 0) node.append(h('br'));
      if (line) node.append(line);
    });
  };
  let at = 0;
  for (const match of text.matchAll(MARKS)) {
    plain(text.slice(at, match.index));
    at = match.index + match[0].length;
    const [whole, code, bold, emphasis, label, target, email, bare] = match;
    if (code !== undefined) node.append(h('code', {}, code));
    else if (bold !== undefined) node.append(bold.trim() === bold ? h('strong', {}, bold) : whole);
    else if (emphasis !== undefined) node.append(emphasis.trim() === emphasis ? h('em', {}, emphasis) : whole);
    else if (email !== undefined || target?.startsWith('mailto:')) {
      // The address itself is shown, whatever a text calls it.
      const address = email ?? target!.slice('mailto:'.length).split('?')[0]!;
      const url = mailAddress(address);
      if (url && links(url)) node.append(link(url, address));
      else plain(label && label !== address ? `${label} (${address})` : address);
    } else if (target !== undefined) {
      const url = webAddress(target);
      // A label that looks like another address is a lie: then the address itself is shown.
      if (url && links(url)) node.append(link(url, /[./]/.test(label!) && label !== target ? target : label!));
      else plain(label === target ? label! : `${label} (${target})`);
    } else if (bare !== undefined) {
      const address = bare.replace(/[.,;:!?]+$/, '');
      const url = webAddress(address);
      if (url && links(url)) node.append(link(url, address));
      else plain(address);
      plain(bare.slice(address.length));
    }
  }
  plain(text.slice(at));
  return node;
}

/** The first row is the head, if a rule of dashes follows it. */
function fillTable(table: Element, { parts, source }: Block, links: Links): void {
  const headed = RULE.test(source.split('\n')[2] ?? '');
  parts.forEach((row, i) => {
    const line = h('tr');
    for (const cell of row) line.append(inline(h(headed && i === 0 ? 'th' : 'td'), [cell], links));
    table.append(line);
  });
}

/** A text that is being written, with the marks of its last line closed, so that no asterisks flash by. */
export function closed(text: string): string {
  const line = text.slice(text.lastIndexOf('\n') + 1);
  const whole = text.replace(/(^|[^*])\*$/, '$1').trimEnd();
  if (line.split('**').length % 2 === 1) return whole;
  return whole.endsWith('**') ? whole.slice(0, -2) : `${whole}**`;
}

const sources = new WeakMap<Element, string>();

/** Renders into a container. Blocks that didn't change keep their nodes, and so the reader's selection and place. */
export function render(container: Element, text: string, links: Links = noLinks): void {
  const wanted = blocks(text);
  wanted.forEach((block, i) => {
    const present = container.children[i];
    if (present && sources.get(present) === block.source) return;
    const node = h(block.tag, block.tag === 'ol' && block.start !== 1 ? { start: block.start } : {});
    if (block.tag === 'p') inline(node, block.parts[0]!, links);
    else if (block.tag === 'table') fillTable(node, block, links);
    else if (block.tag === 'pre') node.append(h('code', {}, block.parts[0]!.join('\n')));
    else for (const part of block.parts) node.append(inline(h('li'), part, links));
    sources.set(node, block.source);
    if (present) present.replaceWith(node);
    else container.append(node);
  });
  while (container.children.length > wanted.length) container.lastElementChild!.remove();
}

/** Renders anew, as after more addresses became allowed. */
export function renderAnew(container: Element, text: string, links: Links): void {
  container.replaceChildren();
  render(container, text, links);
}
