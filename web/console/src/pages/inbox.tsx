// The inbox: lists, filters, and the conversation that is open.

import { Component } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk, HOT, NO_FILTER } from '../desk';
import { onKeys } from '../keys';
import type { List, Summary } from '../protocol';
import { go, place } from '../route';
import { Avatar, Button, cx, Empty, Pill, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { VirtualList } from '../ui/virtual';
import { ago, number, span, t, visitorCode, visitorName } from '../words';
import { ConversationView } from './conversation';

const LISTS: List[] = ['mine', 'waiting', 'all', 'ended'];
/** Height of a row in rem. */
const ROW = 4.75;

/** As the style sheet has it: a list or a conversation, never both. */
const NARROW = matchMedia('(max-width: 56rem)');

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const look = () => setNarrow(NARROW.matches);
    NARROW.addEventListener('change', look);
    return () => NARROW.removeEventListener('change', look);
  }, []);
  return narrow;
}

export function Inbox() {
  const session = useCell(place, () => place.now.session);
  const narrow = useNarrow();
  const [details, setDetails] = useState(() => innerWidth >= 1180);

  useEffect(() => onKeys({ details: () => setDetails((on) => !on) }), []);

  return (
    <div class={cx('inbox', session && 'has-open', details && 'has-details')}>
      <ListColumn session={session} alone={narrow && !session} />
      {session
        ? <ConversationView key={session} session={session} details={details} onDetails={setDetails} />
        : !narrow && <NothingOpen />}
    </div>
  );
}

function NothingOpen() {
  const waiting = useCell(desk, () => desk.count('waiting'));
  return (
    <main class="talk talk-none" id="main" tabIndex={-1}>
      <Empty icon="inbox" title={t.nothingOpen} action={waiting > 0 && <Button tone="primary" icon="take" kbd="g" onClick={takeNext}>{t.takeNext}</Button>}>
        {t.nothingOpenHint}
      </Empty>
    </main>
  );
}

/** Opens the first conversation in line and takes it. */
async function takeNext(): Promise<void> {
  const [first] = desk.inbox('waiting', NO_FILTER);
  if (!first) return;
  go({ page: 'inbox', session: first.session });
  if (await desk.act(first.session, { do: 'take' })) desk.setList('mine');
}

export function open(summary: Summary, replace = true): void {
  go({ page: 'inbox', session: summary.session }, { replace: replace && place.now.session !== null });
}

/** `alone`, the list is what the page is about. */
function ListColumn({ session, alone }: { session: string | null; alone: boolean }) {
  const Column = alone ? 'main' : 'aside';
  const list = useCell(desk, () => desk.list);
  const filter = useCell(desk, () => desk.filter);
  const sessions = useCell(desk, () => desk.inbox(desk.list, desk.filter));
  const complete = useCell(desk, () => desk.complete);
  const [filtering, setFiltering] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const filtered = filter.text !== '' || filter.unanswered || filter.intent || filter.channel !== '' || filter.agent !== '';

  useEffect(() => {
    const step = (by: number) => () => {
      const all = desk.inbox(desk.list, desk.filter);
      const at = all.findIndex((one) => one.session === place.now.session);
      const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
      if (next) open(next);
    };
    return onKeys({
      next: step(1),
      previous: step(-1),
      takeNext: () => void takeNext(),
      lists: (key) => desk.setList(LISTS[Number(key) - 1] ?? 'all'),
      filter: () => input.current?.focus(),
    });
  }, []);

  return (
    <Column {...(alone ? { id: 'main', tabIndex: -1 } : {})} class="list" aria-label={t.conversations}>
      <div class="list-tabs" role="tablist" aria-label={t.conversations}>
        {LISTS.map((one) => <ListTab key={one} list={one} on={one === list} />)}
      </div>
      <div class="list-tools">
        <span class="input-with list-filter">
          <Icon name="filter" size={15} />
          <input
            ref={input}
            class="input"
            type="search"
            aria-label={t.filter}
            placeholder={t.filterHint}
            value={filter.text}
            onInput={(event) => desk.setFilter({ text: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key === 'Escape') { desk.setFilter({ text: '' }); event.currentTarget.blur(); }
              if (event.key === 'Enter') { const [first] = desk.inbox(desk.list, desk.filter); if (first) open(first); }
            }}
          />
        </span>
        <Button icon="filter" tone="quiet" label={t.filters} pressed={filtering} onClick={() => setFiltering(!filtering)} />
      </div>
      {filtering && <Filters />}
      <div class="list-panel" role="tabpanel" id="list-panel" aria-labelledby={`tab-${list}`}>
        {sessions.length > 0 ? (
          <VirtualList
            key={list}
            items={sessions}
            rowHeight={ROW}
            label={t.lists[list]}
            keyOf={(summary) => summary.session}
            current={session}
            onOpen={(summary, how) => open(summary, how === 'keys')}
            row={(summary) => <KeptRow summary={summary} list={list} unread={desk.unread(summary)} typing={desk.visitorTypes(summary.session)} presence={desk.presence} words={t} />}
          />
        ) : !complete ? <Spinner label={t.loading} /> : filtered ? (
          <Empty icon="filter" title={t.emptyFilter} action={<Button small onClick={() => desk.setFilter(NO_FILTER)}>{t.clearFilters}</Button>} />
        ) : <EmptyList list={list} />}
      </div>
    </Column>
  );
}

function EmptyList({ list }: { list: List }) {
  const words = {
    mine: [t.emptyMine, t.emptyMineHint],
    waiting: [t.emptyWaiting, t.emptyWaitingHint],
    all: [t.emptyAll, t.emptyAllHint],
    ended: [t.emptyEnded, t.emptyEndedHint],
  }[list] as [string, string];
  return <Empty icon={list === 'waiting' ? 'check' : 'inbox'} title={words[0]}>{words[1]}</Empty>;
}

function ListTab({ list, on }: { list: List; on: boolean }) {
  const count = useCell(desk, () => desk.count(list));
  const unread = useCell(desk, () => list === 'mine' && desk.complete && desk.inbox('mine', NO_FILTER).some((one) => desk.unread(one)));
  const move = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = LISTS[(LISTS.indexOf(list) + by + LISTS.length) % LISTS.length] as List;
    desk.setList(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <button
      type="button"
      role="tab"
      id={`tab-${list}`}
      aria-selected={on}
      aria-controls="list-panel"
      tabIndex={on ? 0 : -1}
      class={cx('list-tab', on && 'is-on', list === 'waiting' && count > 0 && 'is-waiting')}
      onClick={() => desk.setList(list)}
      onKeyDown={move}
    >
      <span>{t.lists[list]}</span>
      <span class="list-count">{number(count)}</span>
      {unread && <span class="unread-dot"><span class="unseen">{t.unread}</span></span>}
    </button>
  );
}

function Filters() {
  const filter = useCell(desk, () => desk.filter);
  const presence = useCell(desk, () => desk.presence);
  const version = useCell(desk, () => desk.inboxVersion);
  const channels = version >= 0 ? desk.channels() : [];
  const toggle = (key: 'unanswered' | 'intent', label: string) => (
    <button type="button" class={cx('chip', filter[key] && 'is-on')} aria-pressed={filter[key]} onClick={() => desk.setFilter({ [key]: !filter[key] })}>{label}</button>
  );
  return (
    <div class="filters">
      {toggle('unanswered', t.unanswered)}
      {toggle('intent', t.hot)}
      <select class="chip" aria-label={t.channel} value={filter.channel} onChange={(event) => desk.setFilter({ channel: event.currentTarget.value })}>
        <option value="">{t.anyChannel}</option>
        {channels.map((channel) => <option value={channel}>{channel}</option>)}
      </select>
      <select class="chip" aria-label={t.heldBy} value={filter.agent} onChange={(event) => desk.setFilter({ agent: event.currentTarget.value })}>
        <option value="">{t.anyAgent}</option>
        {presence.map(({ agent }) => <option value={agent.id}>{agent.id === desk.id ? t.me(agent.name) : agent.name}</option>)}
      </select>
    </div>
  );
}

const agentName = (id: string): string => desk.presence.find(({ agent }) => agent.id === id)?.agent.name ?? '…';

/** Colleagues who have the conversation open. */
export const watchersOf = (summary: Summary): { id: string; name: string }[] =>
  summary.watchers.filter((id) => id !== desk.id).map((id) => ({ id, name: agentName(id) }));

export function holderText(summary: Summary): string {
  const { holder } = summary;
  if (summary.ended) return t.by.ended;
  if (holder.by === 'model') return desk.site?.suggest ? t.by.suggest : t.by.model;
  if (holder.by === 'queue') return t.by.queue(desk.place(summary));
  return holder.agent.id === desk.id ? t.by.you : t.by.agent(holder.agent.name);
}

/** Who holds a conversation, as a name. */
export function holderName({ holder }: Summary): string {
  if (holder.by === 'agent') return holder.agent.id === desk.id ? t.you : holder.agent.name;
  return holder.by === 'model' ? t.assistant : t.nobodyYet;
}

/** Whether the visitor is there, where that is known. */
export const visitorDot = ({ here, left_at_ms: left, ended }: Summary): 'online' | 'offline' | undefined =>
  (ended ? undefined : here ? 'online' : left === undefined ? undefined : 'offline');

/** In words; empty where it isn't known. */
export function visitorState(summary: Summary, now: number): string {
  const dot = visitorDot(summary);
  return dot === 'online' ? t.visitorHere : dot === 'offline' ? t.visitorLeft(span(now - (summary.left_at_ms ?? now))) : '';
}

interface RowProps { summary: Summary; list: List; unread: boolean; typing: boolean; presence: unknown; words: unknown }

/** A row that is drawn again only when something that it shows has changed: scrolling and other conversations' news pass it by. */
class KeptRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return (Object.keys(next) as (keyof RowProps)[]).some((name) => next[name] !== this.props[name]);
  }

  override render() {
    return <Row {...this.props} />;
  }
}

function Row({ summary, list, unread, typing }: RowProps) {
  const now = useNow();
  const there = visitorState(summary, now);
  const { holder, preview } = summary;
  const watchers = watchersOf(summary);
  const who = preview?.by === 'model' ? t.assistantWrote : preview?.by === 'agent' && desk.mine(summary) ? t.youWrote : '';
  const waited = holder.by === 'queue' ? now - holder.since_ms : 0;
  return (
    <div class={cx('row-in', unread && 'is-unread')}>
      <span class="row-face" title={there}>
        <Avatar id={summary.visitor} name={visitorCode(summary.visitor, 2)} kind="visitor" dot={visitorDot(summary)} />
        <span class="unseen">{there}</span>
      </span>
      <div class="row-main">
        <div class="row-top">
          <span class="row-name" dir="auto">{visitorName(summary.visitor)}</span>
          <time class="row-time" dateTime={new Date(summary.last_at_ms).toISOString()}>{ago(summary.last_at_ms, now)}</time>
        </div>
        <p class={cx('row-preview', typing && 'is-typing')} dir="auto">{typing ? t.typing : preview ? `${who}${preview.text}` : '—'}</p>
        <div class="row-foot">
          {summary.ended ? <Pill>{t.by.ended}</Pill>
            : holder.by === 'queue' ? <Pill tone="wait" icon="clock">{t.waitingFor(span(waited))}</Pill>
            : holder.by === 'agent' ? (
              <span class="row-holder"><Avatar id={holder.agent.id} name={holder.agent.name} size="s" />{holder.agent.id === desk.id ? t.you : holder.agent.name}</span>
            ) : <span class="row-holder is-model"><Avatar id="model" name="" kind="model" size="s" />{t.assistant}</span>}
          {holder.by === 'queue' && holder.reason && <span class="row-reason">{t.reasons[holder.reason] ?? holder.reason}</span>}
          <span class="row-badges">
            {summary.intent >= HOT && <Pill tone="hot" title={t.intentPercent(Math.round(summary.intent * 100))}>{Math.round(summary.intent * 100)}%</Pill>}
            {watchers.length > 0 && (
              <span class="row-watchers" title={t.watching(watchers.map(({ name }) => name).join(', '))}>
                <Icon name="eye" size={14} />{watchers.length > 1 && watchers.length}
                <span class="unseen">{t.watching(watchers.map(({ name }) => name).join(', '))}</span>
              </span>
            )}
            {summary.unanswered && list !== 'waiting' && !summary.ended && <span class="unanswered" title={t.unanswered}><span class="unseen">{t.unanswered}</span></span>}
            {unread && <span class="unread-dot" title={t.unread}><span class="unseen">{t.unread}</span></span>}
          </span>
        </div>
      </div>
    </div>
  );
}
