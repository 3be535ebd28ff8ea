// A list of which only the visible rows are in the page: a thousand conversations scroll like ten.
//
// To the keyboard and to screen readers it is one list box: `aria-activedescendant` names the current row, each row tells its
// place and how many there are.

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { nextFrame } from '../cell';

/** Rows drawn above and below the visible ones. */
const SPARE = 4;

export function VirtualList<T>({ items, rowHeight, label, keyOf, row, current, onOpen }: {
  items: T[];
  /** In rem, so that it grows with the reader's font size. */
  rowHeight: number;
  label: string;
  keyOf: (item: T) => string;
  row: (item: T) => VNode;
  current: string | null;
  onOpen: (item: T, how: 'click' | 'keys') => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 900, rem: 16 });
  const at = current === null ? -1 : items.findIndex((item) => keyOf(item) === current);

  const measure = () => {
    const node = box.current;
    if (!node) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const next = { top: node.scrollTop, height: node.clientHeight, rem };
    setView((now) => (now.top === next.top && now.height === next.height && now.rem === next.rem ? now : next));
  };
  useLayoutEffect(measure, []);
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const height = rowHeight * view.rem;
  const first = Math.max(0, Math.floor(view.top / height) - SPARE);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / height) + SPARE);

  // The current row is brought into view when it becomes the current one, not whenever the list moves.
  useLayoutEffect(() => {
    const node = box.current;
    if (!node || at < 0) return;
    if (at * height < node.scrollTop) node.scrollTop = at * height;
    else if ((at + 1) * height > node.scrollTop + node.clientHeight) node.scrollTop = (at + 1) * height - node.clientHeight;
  }, [current]);

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / height) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? items.length - 1 : at - 1, Home: 0, End: items.length - 1, PageDown: at + page, PageUp: at - page }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const item = items[Math.max(0, Math.min(items.length - 1, to))];
    if (item) onOpen(item, 'keys');
  };

  const rows = [];
  for (let n = first; n < last; n += 1) {
    const item = items[n] as T;
    const key = keyOf(item);
    rows.push(
      <div
        key={key}
        id={`row-${key}`}
        role="option"
        class="row"
        aria-selected={key === current}
        aria-setsize={items.length}
        aria-posinset={n + 1}
        style={{ transform: `translateY(${n * height}px)`, height: `${height}px` }}
        onClick={() => onOpen(item, 'click')}
      >
        {row(item)}
      </div>,
    );
  }
  return (
    <div
      ref={box}
      class="virtual"
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={at >= first && at < last ? `row-${current}` : undefined}
      onScroll={() => nextFrame(measure)}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-room" style={{ height: `${items.length * height}px` }} role="presentation">{rows}</div>
    </div>
  );
}
