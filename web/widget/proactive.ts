// When the chat speaks up by itself.

import type { Rule } from './settings.ts';

/** True if the path fits; `*` stands for any run of characters. */
export function fits(pattern: string, path: string): boolean {
  const [first, ...rest] = pattern.split('*');
  if (rest.length === 0) return path === pattern;
  if (!path.startsWith(first!)) return false;
  const last = rest.pop()!;
  let at = first!.length;
  for (const part of rest) {
    const found = path.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return path.length - last.length >= at && path.endsWith(last);
}

/** Calls `speak` once the first rule that fits this page is met; never, where none does. Returns what stops waiting for it. */
export function watch(rules: readonly Rule[], speak: (rule: Rule) => void): () => void {
  const rule = rules.find(({ path }) => fits(path, location.pathname));
  if (!rule) return () => {};
  const stop = new AbortController();
  let late = rule.after_s === 0;
  const look = (): void => {
    const { scrollHeight, clientHeight } = document.documentElement;
    const room = scrollHeight - clientHeight;
    // Where the page is zoomed, its end is reached up to a part of a pixel.
    const scrolled = room - scrollY < 1 ? 100 : (scrollY / room) * 100;
    // A page that isn't whole yet is short, and would count as read to its end.
    const whole = rule.scroll_percent === 0 || document.readyState === 'complete';
    if (!late || !whole || document.hidden || scrolled < rule.scroll_percent) return;
    stop.abort();
    speak(rule);
  };
  const timer = setTimeout(() => { late = true; look(); }, rule.after_s * 1000);
  stop.signal.addEventListener('abort', () => clearTimeout(timer));
  addEventListener('load', look, { signal: stop.signal });
  addEventListener('scroll', look, { passive: true, signal: stop.signal });
  document.addEventListener('visibilitychange', look, { signal: stop.signal });
  return () => stop.abort();
}
