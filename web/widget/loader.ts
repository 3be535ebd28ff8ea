// The script that a page names: `<script async src="https://chat.example/widget.js" data-site="shop"></script>`.
//
// It defines `<frontdesk-chat>`, puts one on the page unless the page has its own, and `window.frontdesk` is then that element.
// Code that can't wait for the script writes `(window.frontdesk ??= []).push((chat) => chat.open())`.

import { FrontdeskChat } from './element.ts';

type Act = (chat: FrontdeskChat) => void;

const script = document.currentScript as HTMLScriptElement | null;
if (script?.src) FrontdeskChat.origin = new URL(script.src).origin;

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
      for (const name of ['site', 'lang', 'theme', 'dir', 'server', 'open']) {
        const value = script?.dataset[name];
        if (value !== undefined) chat.setAttribute(name, value);
      }
      document.body.append(chat);
    }
    if (Array.isArray(early)) for (const act of early as Act[]) act(chat);
  };
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', place, { once: true });
  else place();
}
