// Beside a conversation: the visitor, the passages behind each answer, signals and intent, notes.

import { useEffect, useMemo, useState } from 'preact/hooks';

import { ApiError, api, sitePath } from '../api';
import { useCell } from '../cell';
import { desk } from '../desk';
import type { Citation, Passages, PassageView, Source, Summary, VisitorView } from '../protocol';
import { address, follow } from '../route';
import type { NoteItem, Talk, VisitorItem } from '../talk';
import { findQuote, highlight, plain, trail, webAddress } from '../text';
import { Avatar, Button, cx, Meter, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { Prose } from '../ui/prose';
import { ago, clock, language, moment, number, percent, signalName, signalValue, t, visitorName } from '../words';
import { holderName, watchersOf } from './inbox';

export function Details({ summary, talk, about, onAbout, onClose }: { summary: Summary; talk: Talk; about: number | null; onAbout: (turn: number) => void; onClose: () => void }) {
  return (
    <aside class="details" aria-label={t.details}>
      <div class="details-head only-overlay"><h2>{t.details}</h2><Button icon="close" tone="quiet" small label={t.hideDetails} onClick={onClose} /></div>
      <Visitor summary={summary} />
      <Intent talk={talk} />
      <Sources summary={summary} talk={talk} about={about} onAbout={onAbout} />
      <Notes talk={talk} />
    </aside>
  );
}

/** Where a visitor came from, as one line: the campaign, else what the address and the browser say. */
function from({ utm_campaign: campaign, utm_source: source, utm_medium: medium, referrer }: Source): string {
  const named = [campaign, [source, medium].filter(Boolean).join(' / ')].filter(Boolean).join(' · ');
  return named || referrer || '';
}

const valueText = (value: string | number | boolean): string => (typeof value === 'boolean' ? (value ? t.yes : t.no) : typeof value === 'number' ? number(value) : value);

function Visitor({ summary }: { summary: Summary }) {
  const now = useNow();
  useCell(desk, () => desk.inboxVersion);
  const watchers = watchersOf(summary);
  const [view, setView] = useState<VisitorView | null>(null);
  // What the site passes and what the words tell is there with the first message, and changes with further ones at most.
  useEffect(() => {
    const site = desk.site?.id;
    if (!site) return;
    let here = true;
    api<VisitorView>('GET', sitePath(site, `/sessions/${encodeURIComponent(summary.session)}/visitor`))
      .then((found) => { if (here) setView(found); })
      // The rest of the card stands without it; the next message asks again.
      .catch(() => { if (here) setView(null); });
    return () => { here = false; };
  }, [summary.session, summary.messages]);
  const names = useMemo(() => new Intl.DisplayNames([language], { type: 'language' }), [language]);
  const source = view?.source ? from(view.source) : '';
  const attributes = Object.entries(view?.attributes ?? {});
  return (
    <section class="card" aria-label={t.about}>
      <h3>{t.about}</h3>
      <dl class="facts">
        <dt>{t.about}</dt><dd dir="auto">{visitorName(summary.visitor)}</dd>
        <dt>{t.holder}</dt><dd>{holderName(summary)}</dd>
        <dt>{t.channel}</dt><dd>{summary.channel}</dd>
        <dt>{t.began}</dt><dd>{moment(summary.started_at_ms)}</dd>
        <dt>{t.lastWord}</dt><dd>{ago(summary.last_at_ms, now)}</dd>
        <dt>{t.messagesN}</dt><dd class="num">{number(summary.messages)}</dd>
        {view?.language && <><dt>{t.writesIn}</dt><dd>{names.of(view.language) ?? view.language}</dd></>}
        {source && <><dt>{t.cameFrom}</dt><dd dir="auto">{source}</dd></>}
        {view?.known && <><dt>{t.returning}</dt><dd>{t.yes}</dd></>}
        <dt>{t.visitorId}</dt><dd class="mono">{summary.visitor}</dd>
        <dt>{t.sessionId}</dt><dd class="mono">{summary.session}</dd>
      </dl>
      {attributes.length > 0 && (
        <section class="sub" aria-label={t.attributes}>
          <h4>{t.attributes}</h4>
          <dl class="facts">{attributes.map(([name, value]) => <><dt dir="auto">{name.replace(/_/g, ' ')}</dt><dd dir="auto">{valueText(value)}</dd></>)}</dl>
        </section>
      )}
      {view && view.conversations.length > 0 && (
        <section class="sub" aria-label={t.earlier}>
          <h4>{t.earlier}<span class="card-figure num faint">{number(view.conversations.length)}</span></h4>
          <ul class="earlier">
            {view.conversations.map((one) => (
              <li key={one.session}>
                <a href={address({ page: 'inbox', session: one.session })} onClick={(event) => follow(event, { page: 'inbox', session: one.session })}>
                  <span class="earlier-text" dir="auto">{one.preview?.text ?? '—'}</span>
                  <time class="row-time" dateTime={new Date(one.last_at_ms).toISOString()}>{moment(one.last_at_ms)}</time>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      {watchers.length > 0 && (
        <p class="watchers-line"><span class="faint">{t.colleagues}</span>{watchers.map(({ id, name }) => <span class="row-holder"><Avatar id={id} name={name} size="s" />{name}</span>)}</p>
      )}
    </section>
  );
}

function Intent({ talk }: { talk: Talk }) {
  const intent = useCell(desk, () => talk.intent);
  const reasons = useCell(desk, () => talk.reasons);
  const most = Math.max(0.5, ...reasons.map(({ weight }) => Math.abs(weight)));
  return (
    <section class="card" aria-label={t.intent}>
      <h3>{t.intent}<span class="card-figure num">{percent(intent)}</span></h3>
      <Meter share={intent} tone={intent >= 0.6 ? 'hot' : 'plain'} />
      {reasons.length > 0 ? (
        <ul class="signals" aria-label={t.intentWhy}>
          {reasons.map(({ signal, count, value, weight }) => (
            <li>
              <span class="signal-name">{signalName(signal)}{count > 1 && <span class="faint num"> ×{number(count)}</span>}{value != null && <span class="faint num" dir="auto">: {signalValue(value)}</span>}</span>
              <svg class={cx('signal-bar', weight < 0 && 'is-minus')} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                <rect x={weight < 0 ? 50 - (50 * -weight) / most : 50} width={(50 * Math.abs(weight)) / most} height="6" rx="1.5" />
                <path d="M50 0v6" />
              </svg>
              <span class="num signal-weight">{weight > 0 ? '+' : '−'}{Math.abs(weight).toFixed(1)}</span>
            </li>
          ))}
        </ul>
      ) : <p class="faint">{t.noSignals}</p>}
    </section>
  );
}

// == Passages

const cutTo = (text: string, n: number): string => (text.length > n ? `${text.slice(0, n).trimEnd()}…` : text);

function Sources({ summary, talk, about, onAbout }: { summary: Summary; talk: Talk; about: number | null; onAbout: (turn: number) => void }) {
  const items = useCell(desk, () => talk.items);
  const drafts = useCell(desk, () => talk.drafts);
  const questions = items.filter((item): item is VisitorItem => item.kind === 'visitor');
  const turn = about ?? questions.at(-1)?.seq ?? null;
  const answer = items.find((item) => item.kind === 'answer' && item.turn === turn);
  const draft = drafts.findLast((one) => one.id.turn === turn);
  const citations: Citation[] = useMemo(() => [
    ...(answer?.kind === 'answer' ? answer.citations : []),
    ...(draft?.citations ?? []),
  ].filter((one) => !one.related), [answer, draft]);
  const done = answer?.kind === 'answer' ? answer.end !== null : draft ? draft.end !== null : true;

  const [found, setFound] = useState<Passages | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (turn === null || !desk.site) return;
    let here = true;
    setProblem(null);
    const site = desk.site.id;
    api<Passages>('GET', sitePath(site, `/sessions/${encodeURIComponent(summary.session)}/passages?turn=${turn}`))
      .then((passages) => { if (here) setFound(passages); })
      .catch((error: unknown) => { if (here) setProblem(error instanceof ApiError ? desk.describe(error.code, error.message) : String(error)); });
    return () => { here = false; };
  }, [summary.session, turn, done]);

  if (turn === null) return <section class="card" aria-label={t.sources}><h3>{t.sources}</h3><p class="faint">{t.choosePassages}</p></section>;
  const here = found && found.turn === turn ? found : null;
  // What the answer cites stands first; a source that the search no longer finds is shown by its quote.
  const covers = (passage: PassageView, citation: Citation) => passage.document === citation.document && findQuote(passage.text, citation.quote) !== null;
  const passages = here ? [...here.passages].sort((a, b) => Number(citations.some((one) => covers(b, one))) - Number(citations.some((one) => covers(a, one)))) : [];
  const lost = here ? citations.filter((citation) => !passages.some((passage) => covers(passage, citation))) : [];
  return (
    <section class="card" aria-label={t.sources}>
      <h3>{t.sources}{here && <span class="card-figure num faint">{passages.length}</span>}</h3>
      <select class="input question" aria-label={t.sourcesFor} value={String(turn)} onChange={(event) => onAbout(Number(event.currentTarget.value))}>
        {questions.map((question) => <option value={String(question.seq)}>{cutTo(question.text, 80)}</option>)}
      </select>
      {problem && <p class="bad">{problem}</p>}
      {!here && !problem && <Spinner label={t.loading} />}
      {here && passages.length === 0 && lost.length === 0 && <p class="faint">{t.noPassages}</p>}
      {lost.map((citation) => (
        <article class="passage is-cited">
          <PassageHead source={citation} cited />
          <blockquote class="passage-text" dir="auto"><mark>{plain(citation.quote)}</mark></blockquote>
        </article>
      ))}
      {passages.map((passage) => <Passage passage={passage} quotes={citations.filter((one) => covers(passage, one)).map(({ quote }) => quote)} />)}
    </section>
  );
}

function PassageHead({ source, cited, agentsOnly, cosine }: { source: Pick<PassageView, 'title' | 'document' | 'headings' | 'url'>; cited: boolean; agentsOnly?: boolean; cosine?: number | null | undefined }) {
  const url = webAddress(source.url);
  const parts = trail(source);
  return (
    <header class="passage-head">
      <p class="passage-trail" dir="auto"><b>{parts[0]}</b>{parts.slice(1).map((part) => <span> › {part}</span>)}</p>
      <p class="passage-meta">
        {cited && <span class="cited"><Icon name="check" size={12} />{t.cited}</span>}
        {agentsOnly && <span class="agents-only"><Icon name="lock" size={12} />{t.agentsOnly}</span>}
        {cosine != null && <span class="num">{t.similarity(Math.round(Math.max(0, cosine) * 100))}</span>}
        {url && <a href={url.href} target="_blank" rel="noopener noreferrer">{t.openSource}<Icon name="out" size={12} /></a>}
      </p>
    </header>
  );
}

function Passage({ passage, quotes }: { passage: PassageView; quotes: string[] }) {
  const [open, setOpen] = useState(false);
  const text = plain(passage.text);
  const ranges = quotes.map((quote) => findQuote(text, plain(quote))).filter((range) => range !== null);
  const cited = ranges.length > 0 || passage.cited;
  const long = text.length > 320;
  // A quote that stands further down is what one wants to see.
  const from = ranges.length > 0 ? Math.min(...ranges.map(([start]) => start)) : 0;
  const folded = long && !open && from < 240;
  // Cut, not clipped: what is out of sight is not read aloud either.
  const shown = folded ? cutTo(text, 300) : text;
  const marks = ranges.map(([start, end]): [number, number] => [start, Math.min(end, shown.length)]).filter(([start, end]) => start < end);
  return (
    <article class={cx('passage', cited && 'is-cited')}>
      <PassageHead source={passage} cited={cited} agentsOnly={passage.agents_only} cosine={passage.cosine} />
      <blockquote class="passage-text" dir="auto">
        {highlight(shown, marks).map((part) => (part.marked ? <mark>{part.text}</mark> : part.text))}
      </blockquote>
      {long && from < 240 && <button type="button" class="foot-link" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? t.showLess : t.showAll}</button>}
    </article>
  );
}

function Notes({ talk }: { talk: Talk }) {
  const items = useCell(desk, () => talk.items);
  const notes = items.filter((item): item is NoteItem => item.kind === 'note');
  return (
    <section class="card" aria-label={t.notes}>
      <h3>{t.notes}{notes.length > 0 && <span class="card-figure num faint">{notes.length}</span>}</h3>
      {notes.length === 0 && <p class="faint">{t.noNotes}</p>}
      {notes.map((note) => (
        <div class="side-note">
          <p class="item-by"><span>{note.agent.id === desk.id ? t.you : note.agent.name}</span><time class="item-time">{clock(note.at)}</time></p>
          <Prose text={note.text} />
        </div>
      ))}
    </section>
  );
}
