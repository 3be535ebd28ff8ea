// The tab's title, and desktop notifications: asked for on a click, never on load.

import { desk, type News, recall, remember } from './desk';
import { go } from './route';
import { t, visitorName } from './words';

const KEY = 'frontdesk:notifications';

export type Permission = 'on' | 'off' | 'blocked' | 'absent';

export function permission(): Permission {
  if (!('Notification' in window)) return 'absent';
  if (Notification.permission === 'denied') return 'blocked';
  return Notification.permission === 'granted' && recall(KEY) === 'on' ? 'on' : 'off';
}

/** Called by a click, since browsers show the question to nobody else. */
export async function turn(on: boolean): Promise<Permission> {
  if (on && 'Notification' in window && Notification.permission === 'default') await Notification.requestPermission();
  remember(KEY, on ? 'on' : 'off');
  return permission();
}

export function listen(): void {
  desk.onNews = ({ kind, summary }: News) => {
    // Several consoles of one agent would tell it several times: the tag makes it one.
    if (permission() !== 'on' || !document.hidden) return;
    const who = visitorName(summary.visitor);
    const notification = new Notification(kind === 'waiting' ? t.newsWaiting(who) : t.newsMessage(who), {
      ...(summary.preview ? { body: summary.preview.text } : {}),
      tag: `frontdesk:${summary.session}`,
    });
    notification.onclick = () => {
      window.focus();
      go({ page: 'inbox', session: summary.session });
      notification.close();
    };
  };
  let shown = '';
  const title = () => {
    const unread = desk.me ? desk.unreadCount() : 0;
    const next = `${unread > 0 ? `(${unread}) ` : ''}${desk.site?.name ? `${desk.site.name} · ` : ''}Frontdesk`;
    if (next !== shown) document.title = shown = next;
  };
  desk.subscribe(title);
  title();
}
