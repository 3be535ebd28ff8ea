// The script that a page names: `<script async src="https://chat.example/widget.js"
// data-site="shop"></script>`.
//
// It defines `<frontdesk-chat>`, puts one on the page unless the page has its own, and
// `window.frontdesk` is then that element. Code that can't wait for the script writes
// `(window.frontdesk ??= []).push((chat) => chat.open())`.

import { FrontdeskChat } from './element.ts';

type Act = (chat: FrontdeskChat) => void;

/** What a page may say of its chat: as `data-site` on the script, or behind a `?` in its address where attributes get lost. */
const NAMES = ['site', 'lang', 'theme', 'dir', 'server', 'open'];

/** The script's own tag, and where it comes from. Modules, bundles and scripts that a consent banner typed anew have no
 *  `currentScript`: theirs is found by name. */
function ownTag(): [HTMLScriptElement | null, URL | null] {
  const running = document.currentScript as HTMLScriptElement | null;
  // Whatever name it is served under.
  if (running?.src) return [running, new URL(running.src)];
  for (const tag of document.querySelectorAll<HTMLScriptElement>('script')) {
    // Those who defer scripts keep the address in another attribute.
    for (const value of [tag.src, tag.dataset.src, tag.dataset.rocketSrc, tag.dataset.cookieblockSrc]) {
      const url = value && URL.canParse(value, document.baseURI) ? new URL(value, document.baseURI) : null;
      if (url && /\/widget\.js$/.test(url.pathname)) return [tag, url];
    }
  }
  return [running ?? document.querySelector<HTMLScriptElement>('script[data-server]'), null];
}

const [script, from] = ownTag();
if (from) FrontdeskChat.origin = from.origin;

// A page that names the script twice has one chat.
if (!customElements.get('frontdesk-chat')) {
  customElements.define('frontdesk-chat', FrontdeskChat);
  const place = (): void => {
    const found = document.querySelector<FrontdeskChat>('frontdesk-chat');
    const chat = found ?? (document.createElement('frontdesk-chat') as FrontdeskChat);
    const early: unknown = (window as { frontdesk?: unknown }).frontdesk;
    const queue = { push: (act: Act) => act(chat) };
    Object.defineProperty(window, 'frontdesk', { value: Object.assign(chat, queue), configurable: true, writable: true });
    if (!found) {
      for (const name of NAMES) {
        const value = script?.dataset[name] ?? from?.searchParams.get(name);
        if (value !== undefined && value !== null) chat.setAttribute(name, value);
      }
      chat.stays = true;
      document.body.append(chat);
    }
    if (Array.isArray(early)) for (const act of early as Act[]) act(chat);
  };
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', place, { once: true });
  else place();
}
