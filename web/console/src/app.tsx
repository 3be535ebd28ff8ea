// The frame: sections at the side, the account below, the connection's state on top.

import { useEffect, useReducer, useState } from 'preact/hooks';

import { useCell } from './cell';
import { desk } from './desk';
import { onKeys } from './keys';
import { Settings } from './pages/account';
import { CannedPage } from './pages/canned';
import { Channels } from './pages/channels';
import { FilesPage } from './pages/files';
import { First } from './pages/first';
import { Gaps } from './pages/gaps';
import { Inbox } from './pages/inbox';
import { Search } from './pages/search';
import { Shortcuts } from './pages/shortcuts';
import { SignIn } from './pages/sign-in';
import { StatisticsPage } from './pages/statistics';
import { Team } from './pages/team';
import { address, follow, go, type Page, place } from './route';
import { Avatar, Button, cx, Menu, type MenuItem, Spinner, Toasts } from './ui/base';
import { Icon, type IconName } from './ui/icons';
import { type Language, language, number, setLanguage, t } from './words';

export function App() {
  const [round, again] = useReducer((n: number) => n + 1, 0);
  const signedIn = useCell(desk, () => desk.me && desk.me.agent.id);
  const unknown = useCell(desk, () => desk.me === undefined);
  const needs = useCell(desk, () => desk.me?.needs);
  const sites = useCell(desk, () => desk.me?.sites.length ?? 0);
  const change = (wanted: Language) => { setLanguage(wanted); desk.describe = describe; again(0); };
  if (unknown) return <main class="sign-in"><h1 class="unseen">Frontdesk</h1><Spinner label={t.loading} /></main>;
  if (!signedIn) return <SignIn key={round} onLanguage={change} />;
  if (needs) return <First key={round} onLanguage={change} />;
  if (sites === 0) return <main class="sign-in"><div class="sign-in-card"><h1>Frontdesk</h1><p>{t.noSites}</p><Button onClick={() => void desk.signOut()}>{t.signOut}</Button></div></main>;
  return <Frame key={round} onLanguage={change} />;
}

const describe = (code: string, message: string): string => {
  if (code === 'disconnected') return t.lost;
  const known = t.errors[code];
  // The server's words are more precise, but only English.
  return language === 'en' && message ? message : known ?? message;
};
desk.describe = describe;

function Frame({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const page = useCell(place, () => place.now.page);
  const [help, setHelp] = useState(false);
  useEffect(() => onKeys({
    overview: () => setHelp(true),
    search: () => go({ page: 'search' }),
    available: () => void desk.setAvailable(!desk.available),
  }), []);
  // A page's own shortcuts for lists lead to the inbox first.
  useEffect(() => (page === 'inbox' ? undefined : onKeys({
    lists: (key) => { desk.setList((['mine', 'waiting', 'all', 'ended'] as const)[Number(key) - 1] ?? 'all'); go({ page: 'inbox' }); },
  })), [page]);
  return (
    <div class="frame">
      <a class="skip" href="#main">{t.skip}</a>
      <Rail page={page} onLanguage={onLanguage} onHelp={() => setHelp(true)} />
      <div class="stage">
        <ConnectionBar />
        {/* Beside the panes, of which narrow screens show one at a time. */}
        {page === 'inbox' && <header class="unseen"><h1>{t.inbox}</h1></header>}
        {page === 'inbox' ? <Inbox /> : page === 'search' ? <Search /> : page === 'gaps' ? <Gaps /> : page === 'files' ? <FilesPage /> : page === 'canned' ? <CannedPage /> : page === 'statistics' ? <StatisticsPage /> : page === 'channels' ? <Channels /> : <Team />}
      </div>
      {help && <Shortcuts onClose={() => setHelp(false)} />}
      <Toasts />
    </div>
  );
}

function ConnectionBar() {
  const state = useCell(desk, () => desk.state);
  if (state.name === 'online' || (state.name === 'connecting' && !desk.complete)) return null;
  return (
    <div class={cx('connection', state.name === 'refused' && 'is-bad')} role="status">
      <span>{state.name === 'refused' ? t.refused(state.message) : t.reconnecting}</span>
      {state.name !== 'connecting' && <button type="button" onClick={() => { if (desk.site) desk.reconnect(); }}>{t.tryNow}</button>}
    </div>
  );
}

function Rail({ page, onLanguage, onHelp }: { page: Page; onLanguage: (language: Language) => void; onHelp: () => void }) {
  const unread = useCell(desk, () => desk.unreadCount());
  const admin = useCell(desk, () => desk.admin);
  const site = useCell(desk, () => desk.site?.id ?? '');
  const link = (to: Page, icon: IconName, name: string, badge = 0, short = name) => (
    <a class={cx('rail-link', page === to && 'is-on')} href={address({ page: to, session: null })} aria-current={page === to ? 'page' : undefined} title={name} aria-label={short === name ? undefined : name} onClick={(event) => follow(event, { page: to })}>
      <Icon name={icon} size={20} />
      <span class="rail-name">{short}</span>
      {badge > 0 && <span class="rail-badge num">{badge > 99 ? '99+' : number(badge)}</span>}
    </a>
  );
  return (
    <nav class="rail" aria-label={t.navigation}>
      <span class="mark"><Icon name="bell" size={19} /></span>
      {link('inbox', 'inbox', t.inbox, unread)}
      {link('search', 'search', t.search)}
      {link('gaps', 'gap', t.gaps, 0, t.gapsShort)}
      {admin && link('files', 'file', t.files)}
      {link('canned', 'canned', t.canned, 0, t.cannedShort)}
      {link('statistics', 'chart', t.statistics)}
      {admin && <a class="rail-link" href={`/console/insight?site=${encodeURIComponent(site)}`} title={t.insight}><Icon name="insight" size={20} /><span class="rail-name">{t.insight}</span></a>}
      {admin && link('channels', 'link', t.channels)}
      {link('team', 'team', t.team)}
      <span class="rail-room" />
      <Account onLanguage={onLanguage} onHelp={onHelp} />
    </nav>
  );
}

function Account({ onLanguage, onHelp }: { onLanguage: (language: Language) => void; onHelp: () => void }) {
  const me = useCell(desk, () => desk.me);
  const site = useCell(desk, () => desk.site);
  const available = useCell(desk, () => desk.available);
  const online = useCell(desk, () => desk.online);
  const [settings, setSettings] = useState(false);
  if (!me || !site) return null;
  const items: (MenuItem | 'line')[] = [
    { label: t.available, hint: t.availableHint, checked: available, act: () => void desk.setAvailable(true) },
    { label: t.away, hint: t.awayHint, checked: !available, act: () => void desk.setAvailable(false) },
    'line',
  ];
  if (me.sites.length > 1) {
    items.push(...me.sites.map((one) => ({ label: one.name || one.id, checked: one.id === site.id, act: () => { desk.choose(one); go({ page: 'inbox' }); } })), 'line');
  }
  items.push(
    { label: t.account, icon: 'person', act: () => setSettings(true) },
    { label: t.shortcuts, icon: 'keyboard', kbd: '?', act: onHelp },
    { label: t.signOut, icon: 'out', act: () => void desk.signOut() },
  );
  return (
    <>
      <Menu
        label={t.account}
        items={items}
        align="start"
        button={(props) => (
          <button type="button" {...props} class="rail-me" title={`${me.agent.name} · ${available ? t.available : t.away}`}>
            <Avatar id={me.agent.id} name={me.agent.name} dot={!online ? 'offline' : available ? 'online' : 'away'} />
            <span class="rail-name">{me.agent.name}</span>
            <span class="unseen">{available ? t.available : t.away}</span>
          </button>
        )}
      >
        <p class="menu-head"><b>{me.agent.name}</b><small>{site.name || site.id} · {t.roles[site.role]}</small></p>
      </Menu>
      {settings && <Settings onClose={() => setSettings(false)} onLanguage={onLanguage} />}
    </>
  );
}
