// Addresses of the console's pages. The browser's back and forward buttons work, and a conversation
// has a link.

import { Cell } from './cell';

export type Page = 'inbox' | 'search' | 'gaps' | 'files' | 'canned' | 'statistics' | 'channels' | 'team';
export interface Route { page: Page; session: string | null }

const PAGES: Page[] = ['search', 'gaps', 'files', 'canned', 'statistics', 'channels', 'team'];

function read(): Route {
  const [, , first, second] = location.pathname.split('/');
  if (first === 'c' && second) return { page: 'inbox', session: decodeURIComponent(second) };
  const page = PAGES.find((one) => one === first) ?? 'inbox';
  return { page, session: null };
}

class Place extends Cell {
  now: Route = read();
}

export const place = new Place();

export const address = (route: Route): string => {
  if (route.session) return `/console/c/${encodeURIComponent(route.session)}`;
  return route.page === 'inbox' ? '/console' : `/console/${route.page}`;
};

/** `replace` leaves no step to go back to: for moving through a list. */
export function go(route: Partial<Route> & { page: Page }, { replace = false } = {}): void {
  const next: Route = { session: null, ...route };
  const path = address(next);
  if (path !== location.pathname) {
    if (replace) history.replaceState(null, '', path);
    else history.pushState(null, '', path);
  }
  place.now = next;
  place.changed();
}

addEventListener('popstate', () => {
  place.now = read();
  place.changed();
});

/** For `onClick` of a link: a plain click stays in this page. */
export function follow(event: MouseEvent, route: Partial<Route> & { page: Page }): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(route);
}
