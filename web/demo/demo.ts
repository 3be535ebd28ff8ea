// The demonstration's switches, by the address: ?lang=zh, ?dir=rtl, ?theme=dark.

const wanted = new URLSearchParams(location.search);
const { documentElement: root } = document;
for (const name of ['lang', 'dir', 'theme'] as const) {
  const value = wanted.get(name);
  if (!value || !/^[a-z-]{2,8}$/.test(value)) continue;
  if (name === 'theme') root.dataset.theme = value;
  else root.setAttribute(name, value);
}

type Chat = { open: () => void; setAttribute: (name: string, value: string) => void };
interface Queue { push: (act: (chat: Chat) => void) => unknown }
const page = window as unknown as { frontdesk: Queue | undefined };
page.frontdesk ??= [] as ((chat: Chat) => void)[];
const theme = wanted.get('theme');
if (theme) page.frontdesk?.push((chat) => chat.setAttribute('theme', theme));

addEventListener('DOMContentLoaded', () => {
  document.getElementById('open')?.addEventListener('click', () => page.frontdesk?.push((chat) => chat.open()));
});
