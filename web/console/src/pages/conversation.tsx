// One conversation: the transcript as the visitor sees it, the draft, the composer, and what is known beside it.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk } from '../desk';
import { onKeys } from '../keys';
import type { Summary } from '../protocol';
import { address, go } from '../route';
import type { AgentItem, AnswerItem, Item, LineItem, NoteItem, Talk, VisitorItem } from '../talk';
import { Avatar, Button, Confirm, cx, Dialog, Empty, Menu, type MenuItem, Pill, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { Prose } from '../ui/prose';
import { clock, day, t, visitorCode, visitorName } from '../words';
import { type Composing, Composer } from './composer';
import { Details } from './details';
import { DraftCard } from './draft';
import { holderText, visitorDot, visitorState, watchersOf } from './inbox';

/** What an agent sees of a conversation before it counts as read, in milliseconds. */
const READ_MS = 700;

export function ConversationView({ session, details, onDetails }: { session: string; details: boolean; onDetails: (on: boolean) => void }) {
  const summary = useCell(desk, () => desk.sessions.get(session));
  const talk = useCell(desk, () => desk.talks.get(session));
  const loaded = useCell(desk, () => desk.talks.get(session)?.loaded ?? false);
  const [about, setAbout] = useState<number | null>(null);
  const [composing, setComposing] = useState<Composing>({ mode: 'reply', draft: null });

  const [opened, setOpened] = useState(false);
  useEffect(() => {
    const close = desk.watch(session);
    setOpened(true);
    return close;
  }, [session]);

  // Read is what stood before the agent's eyes for a moment.
  const seq = useCell(desk, () => desk.talks.get(session)?.lastVisitorSeq ?? 0);
  useEffect(() => {
    if (seq === 0) return;
    const note = () => { if (!document.hidden) desk.markRead(session, seq); };
    const timer = setTimeout(note, READ_MS);
    document.addEventListener('visibilitychange', note);
    return () => { clearTimeout(timer); document.removeEventListener('visibilitychange', note); };
  }, [session, seq]);

  if (!summary || !talk || !loaded) {
    return <main class="talk talk-none" id="main" tabIndex={-1}>{opened && !talk ? <Gone /> : <Spinner label={t.loading} />}</main>;
  }
  const showPassages = (turn: number) => { setAbout(turn); onDetails(true); };
  return (
    <>
      <main class="talk" id="main" tabIndex={-1} aria-label={visitorName(summary.visitor)}>
        <Head summary={summary} details={details} onDetails={onDetails} />
        <Transcript talk={talk} onPassages={showPassages} />
        <DraftCard session={session} talk={talk} summary={summary} composing={composing} onComposing={setComposing} onPassages={showPassages} />
        <Composer session={session} summary={summary} composing={composing} onComposing={setComposing} />
      </main>
      {details && <Details summary={summary} talk={talk} about={about} onAbout={setAbout} onClose={() => onDetails(false)} />}
    </>
  );
}

function Gone() {
  return <Empty icon="inbox" title={t.errors.unknown_session ?? ''} action={<Button small onClick={() => go({ page: 'inbox' })}>{t.showList}</Button>} />;
}

// == Head

type Asking = 'end' | 'erase' | 'assign' | null;

function Head({ summary, details, onDetails }: { summary: Summary; details: boolean; onDetails: (on: boolean) => void }) {
  const [asking, setAsking] = useState<Asking>(null);
  const [busy, setBusy] = useState(false);
  useCell(desk, () => desk.inboxVersion);
  const { session, holder, ended } = summary;
  const mine = desk.mine(summary);
  const suggestOnly = desk.site?.suggest ?? false;
  const others = holder.by === 'agent' && !mine;
  const watchers = watchersOf(summary);
  const there = visitorState(summary, useNow());

  const toggle = async () => {
    if (busy || ended || others) return;
    setBusy(true);
    await desk.act(session, mine ? { do: 'give_back', to: suggestOnly ? 'queue' : 'model' } : { do: 'take' });
    setBusy(false);
  };
  const latest = useRef(toggle);
  latest.current = toggle;
  useEffect(() => onKeys({ take: () => void latest.current() }), []);

  const items: (MenuItem | 'line')[] = [];
  if (!ended) {
    if (mine && !suggestOnly) items.push({ label: t.giveBackQueue, icon: 'clock', act: () => void desk.act(session, { do: 'give_back', to: 'queue' }) });
    if (mine || desk.admin || !others) items.push({ label: t.assign, icon: 'team', act: () => setAsking('assign') });
    if (holder.by === 'model') items.push({ label: t.callPerson, icon: 'person', act: () => void desk.act(session, { do: 'call_person' }) });
  }
  items.push({
    label: t.copyLink,
    icon: 'link',
    act: () => void navigator.clipboard.writeText(new URL(address({ page: 'inbox', session }), location.href).href).then(() => desk.toast(t.copied, 'good'), () => {}),
  });
  if (!ended && (mine || !others)) items.push('line', { label: t.end, icon: 'check', act: () => setAsking('end') });
  if (desk.admin) items.push({ label: t.erase, icon: 'trash', danger: true, act: () => setAsking('erase') });

  return (
    <header class="talk-head">
      <Button icon="back" tone="quiet" label={t.showList} class="only-narrow" onClick={() => go({ page: 'inbox' })} />
      <Avatar id={summary.visitor} name={visitorCode(summary.visitor, 2)} kind="visitor" dot={visitorDot(summary)} />
      <div class="talk-title">
        <h2 dir="auto">{visitorName(summary.visitor)}</h2>
        <p class="talk-state" role="status">
          <Pill tone={ended ? 'plain' : holder.by === 'queue' ? 'wait' : holder.by === 'agent' ? 'agent' : 'model'}>{holderText(summary)}</Pill>
          <span class="faint talk-channel">{summary.channel}</span>
          {there && <span class="faint talk-there">{there}</span>}
          {watchers.length > 0 && <span class="row-watchers" title={t.watching(watchers.map(({ name }) => name).join(', '))}><Icon name="eye" size={13} />{watchers.map(({ name }) => name).join(', ')}</span>}
        </p>
      </div>
      <div class="talk-actions">
        {!ended && (mine
          ? <Button icon="give" kbd="t" busy={busy} onClick={toggle} title={suggestOnly ? t.giveBackQueue : t.giveBackModel}>{t.giveBack}</Button>
          : <Button icon="take" tone="primary" kbd="t" busy={busy} disabled={others} onClick={toggle}>{t.take}</Button>)}
        <Menu label={t.more} items={items} button={(props) => <Button {...props} icon="more" tone="quiet" label={t.more} />} />
        <Button icon="panel" tone="quiet" kbd="i" label={details ? t.hideDetails : t.showDetails} pressed={details} onClick={() => onDetails(!details)} />
      </div>
      {asking === 'end' && <Confirm title={t.endTitle} hint={t.endHint} yes={t.endYes} onYes={() => void desk.act(session, { do: 'end' })} onClose={() => setAsking(null)} />}
      {asking === 'erase' && (
        <Confirm title={t.eraseTitle} hint={t.eraseHint} yes={t.eraseYes} danger onYes={async () => { if (await desk.erase(session)) go({ page: 'inbox' }); }} onClose={() => setAsking(null)} />
      )}
      {asking === 'assign' && <Assign summary={summary} onClose={() => setAsking(null)} />}
    </header>
  );
}

function Assign({ summary, onClose }: { summary: Summary; onClose: () => void }) {
  const presence = useCell(desk, () => desk.presence);
  const holder = summary.holder.by === 'agent' ? summary.holder.agent.id : null;
  const others = presence.filter(({ agent }) => agent.id !== holder);
  return (
    <Dialog title={t.assignTitle} onClose={onClose}>
      <ul class="people">
        {others.map(({ agent, online, available, held, limit }) => (
          <li>
            <button type="button" class="person" onClick={() => { onClose(); void desk.act(summary.session, { do: 'assign', agent: agent.id }); }}>
              <Avatar id={agent.id} name={agent.name} dot={!online ? 'offline' : available ? 'online' : 'away'} />
              <span class="person-name">{agent.id === desk.id ? t.me(agent.name) : agent.name}<small>{!online ? t.offline : available ? t.available : t.away}</small></span>
              <span class="faint num">{held}/{limit}</span>
            </button>
          </li>
        ))}
        {others.length === 0 && <li class="faint">{t.noColleagues}</li>}
      </ul>
    </Dialog>
  );
}

// == Transcript

function Transcript({ talk, onPassages }: { talk: Talk; onPassages: (turn: number) => void }) {
  const items = useCell(desk, () => talk.items);
  const typing = useCell(desk, () => desk.visitorTypes(talk.session));
  const box = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const height = useRef(0);
  const [away, setAway] = useState(false);

  const follow = () => {
    const node = box.current;
    if (!node) return;
    height.current = node.clientHeight;
    if (pinned.current) node.scrollTop = node.scrollHeight;
  };
  useLayoutEffect(follow, [items, typing]);
  // The draft's card and the composer take room away while they grow.
  useEffect(() => {
    const observer = new ResizeObserver(follow);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const onScroll = () => {
    const node = box.current;
    if (!node) return;
    // Losing room scrolls too, but nobody did it.
    if (node.clientHeight !== height.current) return follow();
    pinned.current = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    setAway(!pinned.current);
  };

  let before = '';
  return (
    <div class="transcript-box">
      <div class="transcript" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label={t.transcript}>
        <ol class="items">
          {items.map((item) => {
            const date = item.at > 0 ? day(item.at) : before;
            const divider = date !== before && before !== '' ? <li class="line" key={`d${item.key}`}><span>{date}</span></li> : null;
            before = date;
            return [divider, <ItemView key={item.key} item={item} onPassages={onPassages} />];
          })}
          {typing && (
            <li class="item typing" key="typing">
              <div class="bubble"><span class="dots" aria-hidden="true"><i /><i /><i /></span></div>
              <p class="item-by"><span>{t.visitorTypes}</span></p>
            </li>
          )}
        </ol>
      </div>
      {away && <button type="button" class="to-latest" onClick={() => { pinned.current = true; follow(); setAway(false); }}><Icon name="latest" size={15} />{t.latest}</button>}
      <Announcer talk={talk} />
    </div>
  );
}

/** Says what the visitor wrote, and that a draft is ready; history is not read aloud. */
function Announcer({ talk }: { talk: Talk }) {
  const first = useRef(talk.lastSeq);
  const newest = useCell(desk, () => talk.items.findLast((item): item is VisitorItem => item.kind === 'visitor'));
  const draft = useCell(desk, () => talk.open.at(-1));
  const typing = useCell(desk, () => desk.visitorTypes(talk.session));
  return (
    <div class="unseen" role="status" aria-live="polite">
      {newest && newest.seq > first.current && <p>{t.saidVisitor(newest.text)}</p>}
      {draft?.end && draft.seq > first.current && <p>{t.draftReady}</p>}
      {typing && <p>{t.visitorTypes}</p>}
    </div>
  );
}

function ItemView({ item, onPassages }: { item: Item; onPassages: (turn: number) => void }) {
  switch (item.kind) {
    case 'visitor': return <Said item={item} />;
    case 'answer': return <Answer item={item} onPassages={onPassages} />;
    case 'agent': return <AgentSaid item={item} />;
    case 'note': return <Note item={item} />;
    case 'line': return <Line item={item} />;
  }
}

const Time = ({ at }: { at: number }) => (at > 0 ? <time class="item-time" dateTime={new Date(at).toISOString()}>{clock(at)}</time> : null);

function Said({ item }: { item: VisitorItem }) {
  return (
    <li class="item from-visitor">
      <p class="item-by"><span>{t.visitorWord}</span><Time at={item.at} /></p>
      <div class="bubble"><Prose text={item.text} /></div>
    </li>
  );
}

function Answer({ item, onPassages }: { item: AnswerItem; onPassages: (turn: number) => void }) {
  const { text, end, citations, confidence, withheld } = item;
  const writing = end === null;
  if (end !== null && text === '' && end !== 'failed') {
    // Nothing of it reached the visitor.
    return end === 'taken_over' || end === 'superseded' || end === 'cancelled' ? <li class="line"><span>{t.ends[end]}</span></li> : null;
  }
  return (
    <li class="item from-us by-model">
      <p class="item-by">
        <Avatar id="model" name="" kind="model" size="s" />
        <span>{t.assistant}</span>
        <Time at={item.at} />
      </p>
      <div class="bubble">
        {text === '' && writing ? <p class="pending"><span class="dots" aria-hidden="true"><i /><i /><i /></span>{item.place ? t.inQueue(item.place) : t.lookingUp}</p> : <Prose text={text} writing={writing} citations={citations} />}
      </div>
      <div class="item-foot">
        {citations.length > 0 && (
          <button type="button" class="foot-link" title={t.showPassages} onClick={() => onPassages(item.turn)}>{t.sourcesN(citations.filter((one) => !one.related).length)}</button>
        )}
        {confidence !== null && end === 'complete' && <span>{t.confidence(Math.round(confidence * 100))}</span>}
        {withheld > 0 && <span>{t.withheld(withheld)}</span>}
        {end && t.ends[end] && <span class={end === 'failed' ? 'bad' : ''}>{t.ends[end]}</span>}
        {citations.length === 0 && end === 'declined' && <button type="button" class="foot-link" title={t.showPassages} onClick={() => onPassages(item.turn)}>{t.sources}</button>}
        {item.rating && (
          <span class={cx('rated', item.rating === 'down' && 'is-down')}>
            <Icon name={item.rating === 'up' ? 'up' : 'thumbDown'} size={13} />
            {item.remark ? <q dir="auto">{item.remark}</q> : item.rating === 'up' ? t.ratedUp : t.ratedDown}
          </span>
        )}
      </div>
    </li>
  );
}

function AgentSaid({ item }: { item: AgentItem }) {
  const { distance } = item;
  return (
    <li class={cx('item from-us by-agent', item.state !== 'sent' && 'is-sending')}>
      <p class="item-by">
        <Avatar id={item.agent.id} name={item.agent.name} size="s" />
        <span>{item.agent.id === desk.id ? t.you : item.agent.name}</span>
        <Time at={item.at} />
      </p>
      <div class="bubble"><Prose text={item.text} /></div>
      {(item.state === 'sending' || distance !== null) && (
        <div class="item-foot">
          {item.state === 'sending' ? <span>{t.sending}</span> : distance === 0 ? <span>{t.fromDraft}</span> : <span>{t.fromDraftEdited(Math.max(1, Math.round((distance ?? 0) * 100)))}</span>}
        </div>
      )}
    </li>
  );
}

function Note({ item }: { item: NoteItem }) {
  return (
    <li class={cx('item note', item.state !== 'sent' && 'is-sending')}>
      <p class="item-by"><Icon name="note" size={14} /><span>{item.agent.id === desk.id ? t.you : item.agent.name}</span><Time at={item.at} /><span class="note-only"><Icon name="lock" size={12} />{t.noteOnly}</span></p>
      <Prose text={item.text} />
    </li>
  );
}

const nameOf = (id: string): string => desk.presence.find(({ agent }) => agent.id === id)?.agent.name ?? id;
const called = (agent: { id: string; name: string }): string => (agent.id === desk.id ? t.you : agent.name);

function lineText({ entry }: LineItem): string | null {
  const words = t.events;
  switch (entry.event) {
    case 'started': return words.started(entry.channel);
    case 'human.requested': return words.human;
    case 'handoff': return words.handoff(t.reasons[entry.reason] ?? entry.reason);
    case 'agent.joined':
      if (entry.by === 'routing') return words.joinedRouting(called(entry.agent));
      return entry.by && entry.by !== entry.agent.id ? words.joinedBy(called(entry.agent), nameOf(entry.by)) : words.joined(called(entry.agent));
    case 'agent.left': {
      const name = called(entry.agent);
      if (entry.reason === 'assigned') return words.leftAssigned(name);
      if (entry.reason === 'vanished') return words.leftVanished(name);
      if (entry.reason === 'revoked') return words.leftRevoked(name);
      return entry.to === 'model' ? words.leftModel(name) : words.leftQueue(name);
    }
    case 'suggestion.decided': return words.rejected(called(entry.agent), entry.reason ?? '—');
    case 'ended': return entry.reason ? words.endedWhy(entry.reason) : words.ended;
    default: return null;
  }
}

function Line({ item }: { item: LineItem }) {
  const text = lineText(item);
  if (text === null) return null;
  const inner = item.entry.event === 'suggestion.decided';
  return <li class={cx('line', inner && 'is-inner')}><span>{inner && <Icon name="lock" size={12} />}{text} · <Time at={item.at} /></span></li>;
}
