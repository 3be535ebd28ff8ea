// State outside of components: whoever changes it calls `changed`, whoever shows it takes a
// `useCell`.

import { useEffect, useReducer, useRef } from 'preact/hooks';

const due = new Set<() => void>();

/** Does something with the next frame, together with all else that waits for it: what one frame changes is drawn once. */
export function nextFrame(task: () => void): void {
  if (due.size === 0) {
    const work = () => {
      const tasks = [...due];
      due.clear();
      for (const one of tasks) one();
    };
    // A hidden tab draws no frames, yet its title and notifications go on.
    if (document.hidden) setTimeout(work, 100);
    else requestAnimationFrame(work);
  }
  due.add(task);
}

/** Something that changes. Its listeners hear of many changes once, with the next frame. */
export class Cell {
  #listeners = new Set<() => void>();
  /** Counts changes, for values that are derived and kept. */
  version = 0;

  changed(): void {
    this.version += 1;
    nextFrame(this.#tell);
  }

  #tell = (): void => {
    for (const listener of [...this.#listeners]) listener();
  };

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What `select` gives; the component is drawn again when that is another value. */
export function useCell<T>(cell: Cell, select: () => T): T {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const value = select();
  const latest = useRef({ select, value });
  latest.current = { select, value };
  useEffect(() => {
    const check = () => {
      if (!Object.is(latest.current.select(), latest.current.value)) redraw(0);
    };
    check();
    return cell.subscribe(check);
  }, [cell]);
  return value;
}
