// Keyboard shortcuts: one list of them, used by the listener and by the overview.
//
// They work only while no text is being written: there, Alt types characters on many keyboards.
// Single keys can be switched off (WCAG 2.1.4); then the same ones work with Alt.

import { composes } from '../../shared/dom';
import { recall, remember } from './desk';
import type { Words } from './words/en';

export type KeyName = keyof Words['keys'];
type Group = 'move' | 'talk' | 'draft' | 'go';

export interface Shortcut { name: KeyName; group: Group; keys: string[]; shown?: string[] }

export const SHORTCUTS: Shortcut[] = [
  { name: 'next', group: 'move', keys: ['j'] },
  { name: 'previous', group: 'move', keys: ['k'] },
  { name: 'takeNext', group: 'move', keys: ['g'] },
  { name: 'lists', group: 'move', keys: ['1', '2', '3', '4'], shown: ['1', '4'] },
  { name: 'filter', group: 'move', keys: ['f'] },
  { name: 'search', group: 'move', keys: ['/'] },
  { name: 'available', group: 'move', keys: ['a'] },
  { name: 'overview', group: 'move', keys: ['?'] },
  { name: 'take', group: 'talk', keys: ['t'] },
  { name: 'reply', group: 'talk', keys: ['r'] },
  { name: 'note', group: 'talk', keys: ['n'] },
  { name: 'details', group: 'talk', keys: ['i'] },
  { name: 'suggest', group: 'draft', keys: ['d'] },
  { name: 'send', group: 'draft', keys: ['s'] },
  { name: 'edit', group: 'draft', keys: ['e'] },
  { name: 'shorter', group: 'draft', keys: ['h'] },
  { name: 'warmer', group: 'draft', keys: ['w'] },
  { name: 'translate', group: 'draft', keys: ['l'] },
  { name: 'reject', group: 'draft', keys: ['x'] },
];

const KEY = 'frontdesk:single-keys';
let single = recall(KEY) !== 'off';

export const singleKeys = (): boolean => single;
export function setSingleKeys(on: boolean): void {
  single = on;
  remember(KEY, on ? 'on' : 'off');
}

type Handler = (key: string) => void;
const handlers = new Map<KeyName, Handler[]>();

/** The latest handler of a name is the one that is called. The returned function takes it away. */
export function onKey(name: KeyName, handler: Handler): () => void {
  const stack = handlers.get(name) ?? [];
  handlers.set(name, [...stack, handler]);
  return () => handlers.set(name, (handlers.get(name) ?? []).filter((one) => one !== handler));
}

export function onKeys(map: Partial<Record<KeyName, Handler>>): () => void {
  const off = Object.entries(map).map(([name, handler]) => onKey(name as KeyName, handler));
  return () => off.forEach((one) => one());
}

const writes = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  && !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type));

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || composes(event) || event.ctrlKey || event.metaKey) return;
  // A dialog that is open has the keyboard to itself.
  if (document.querySelector('dialog[open]') || writes(event.target)) return;
  if (event.altKey) {
    // With Alt some layouts type other characters: the key's place counts.
    const letter = /^(?:Key|Digit)(.)$/.exec(event.code)?.[1]?.toLowerCase();
    if (letter && press(letter)) event.preventDefault();
    return;
  }
  if (!single) return;
  if (press(event.key)) event.preventDefault();
});

function press(key: string): boolean {
  const shortcut = SHORTCUTS.find(({ keys }) => keys.includes(key));
  const handler = shortcut && handlers.get(shortcut.name)?.at(-1);
  if (!handler) return false;
  handler(key);
  return true;
}
