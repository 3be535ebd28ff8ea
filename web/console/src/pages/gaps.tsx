// Questions that the documents don't answer. An agent writes what is missing, and sees the question answered by it at once.

import { useEffect, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk } from '../desk';
import { type Article, type Audience, dismiss, type Gap, type GapList, type GapState, loadGaps, publish, reopen, type Tried, wanted, withdraw } from '../gaps';
import { address, follow } from '../route';
import { trail } from '../text';
import { Button, cx, Empty, Field, Pill, Segments, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { Prose } from '../ui/prose';
import { ago, number, t } from '../words';
import { Confidence } from './draft';
import { GapDraft } from './gap-draft';
import { Page } from './page';

/** Articles that were begun, by gap: looking something up elsewhere loses nothing. */
const begun = new Map<string, Article>();
const BLANK: Article = { title: '', text: '', audience: 'public' };

export function Gaps() {
  const site = useCell(desk, () => desk.site?.id ?? '');
  const [state, setState] = useState<GapState>('open');
  const [found, setFound] = useState<GapList | null>(null);
  const [failed, setFailed] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const [round, again] = useState(0);
  useEffect(() => {
    let here = true;
    setFound(null);
    setFailed(false);
    loadGaps(site, state).then(
      (list) => {
        if (!here) return;
        setFound(list);
        const { turn: sought } = wanted;
        wanted.turn = null;
        const gap = sought && list.gaps.find(({ examples }) => examples.some(({ session, turn }) => session === sought.session && turn === sought.turn));
        if (gap) setOpen(gap.id);
      },
      (error: unknown) => { desk.fail(error); if (here) setFailed(true); },
    );
    return () => { here = false; };
  }, [site, state, round]);
  const move = async (gap: Gap, act: typeof dismiss, said: string) => {
    try {
      await act(site, gap);
      setFound((now) => now && { ...now, total: now.total - 1, gaps: now.gaps.filter((one) => one.id !== gap.id) });
      desk.toast(said);
    } catch (error) {
      desk.fail(error);
    }
  };
  const states: [GapState, string][] = [['open', t.gapOpen], ['closed', t.gapClosed], ['dismissed', t.gapDismissed]];
  return (
    <Page title={t.gaps} hint={t.gapsHint} actions={<Segments label={t.status} value={state} options={states} onChange={(next) => { setOpen(null); setState(next); }} />}>
      {!found && !failed && <Spinner label={t.loading} />}
      {failed && <Empty icon="gap" title={t.gapsFailed} action={<Button small onClick={() => again(round + 1)}>{t.retry}</Button>} />}
      {found && !found.enabled && <Empty icon="gap" title={t.gapsUnavailable} />}
      {found?.enabled && found.gaps.length === 0 && (
        state === 'open' ? <Empty icon="check" title={t.gapsEmpty}>{t.gapsEmptyHint}</Empty> : <Empty icon="gap" title={state === 'closed' ? t.gapsNoneClosed : t.gapsNoneDismissed} />
      )}
      <ul class="gap-list">
        {found?.gaps.map((gap) => (
          <GapView
            key={gap.id}
            gap={gap}
            site={site}
            open={open === gap.id}
            onOpen={() => setOpen(open === gap.id ? null : gap.id)}
            onDismiss={() => void move(gap, dismiss, t.dismissed)}
            onReopen={() => void move(gap, reopen, t.reopened)}
          />
        ))}
      </ul>
      {found && found.total > found.gaps.length && <p class="faint center">{t.gapsMore(found.total - found.gaps.length)}</p>}
    </Page>
  );
}

function GapView({ gap, site, open, onOpen, onDismiss, onReopen }: { gap: Gap; site: string; open: boolean; onOpen: () => void; onDismiss: () => void; onReopen: () => void }) {
  const now = useNow();
  const [value, setValue] = useState(begun.get(gap.id) ?? BLANK);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<Tried | null>(null);
  const set = (change: Partial<Article>) => {
    const next = { ...value, ...change };
    begun.set(gap.id, next);
    setValue(next);
  };
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      setTried(await publish(site, gap, { ...value, title: value.title.trim(), text: value.text.trim() }));
      begun.delete(gap.id);
    } catch (error) {
      desk.fail(error);
    } finally {
      setBusy(false);
    }
  };
  const takeBack = async () => {
    setBusy(true);
    try {
      await withdraw(site, gap);
      setTried(null);
      desk.toast(t.withdrawn);
    } catch (error) {
      desk.fail(error);
    } finally {
      setBusy(false);
    }
  };
  const why = Object.entries(gap.reasons).map(([reason, n]) => t.gapReason(reason, n)).join(' · ');
  return (
    <li class="gap">
      <h2 class="gap-title">
        <button type="button" class="gap-head" aria-expanded={open} aria-controls={`gap-${gap.id}`} onClick={onOpen}>
          <span class="gap-count num" title={t.asked(gap.count)}>{number(gap.count)}<span class="unseen"> {t.asked(gap.count)}</span></span>
          <span class="gap-question" dir="auto">{gap.question}</span>
          {(tried ? tried.closed : gap.state === 'closed') && <Pill tone="good" icon="check">{t.gapClosed}</Pill>}
          <time class="row-time" title={t.lastAsked}>{ago(gap.last_at_ms, now)}</time>
          <Icon name={open ? 'down' : 'right'} size={16} />
        </button>
      </h2>
      {open && (
        <div class="gap-body" id={`gap-${gap.id}`}>
          <p class="faint">{why}{gap.answered_by && <> · {t.answeredBy} <b dir="auto">{trail(gap.answered_by).join(' › ')}</b></>}</p>
          {gap.examples.length > 0 && (
            <section><h3>{t.examples}</h3><ul class="gap-examples">{gap.examples.map(({ text, session, turn }) => <li key={`${session} ${turn}`}><a dir="auto" href={address({ page: 'inbox', session })} onClick={(event) => follow(event, { page: 'inbox', session })}>{text}</a></li>)}</ul></section>
          )}
          <GapDraft gap={gap} site={site} article={value} onUse={({ title, text }) => set({ title, text })} />
          <form class="form" onSubmit={send}>
            <Field label={t.articleTitle}>{(ids) => <input {...ids} class="input" required maxLength={200} dir="auto" value={value.title} onInput={(event) => set({ title: event.currentTarget.value })} />}</Field>
            <Field label={t.articleText} hint={t.articleHint}>{(ids) => <textarea {...ids} class="input" rows={7} required maxLength={40_000} dir="auto" value={value.text} onInput={(event) => set({ text: event.currentTarget.value })} />}</Field>
            <div class="gap-foot">
              <Segments<Audience> label={t.articleFor} value={value.audience} options={[['public', t.forVisitors], ['agents', t.forAgents]]} onChange={(audience) => set({ audience })} />
              <span class="room" />
              {gap.state === 'open' && !tried?.closed && <Button tone="quiet" onClick={onDismiss}>{t.dismiss}</Button>}
              {gap.state !== 'open' && <Button tone="quiet" onClick={onReopen}>{t.reopen}</Button>}
              <Button type="submit" tone="primary" busy={busy}>{tried ? t.publishAgain : t.publish}</Button>
            </div>
          </form>
          <div role="status">{tried && <Result tried={tried} question={gap.question} audience={value.audience} onTakeBack={() => void takeBack()} />}</div>
        </div>
      )}
    </li>
  );
}

function Result({ tried, question, audience, onTakeBack }: { tried: Tried; question: string; audience: Audience; onTakeBack: () => void }) {
  const good = tried.answered && tried.by_article;
  const verdict = !tried.answered ? t.notAnsweredNow : !tried.by_article ? t.answeredByAnother : audience === 'agents' ? t.answeredForAgents : t.answeredNow;
  return (
    <section class={cx('gap-answer', !good && 'is-not')} aria-label={verdict}>
      <h3><Icon name={good ? 'check' : 'gap'} size={15} />{verdict}{tried.answered && <Confidence share={tried.confidence} />}</h3>
      <p class="gap-asked" dir="auto">{question}</p>
      {tried.text && <Prose text={tried.text} citations={tried.citations} />}
      {tried.citations.filter((one) => !one.related).map((citation) => (
        <p class="passage-trail" dir="auto" key={citation.n}>{trail(citation).join(' › ')}: <mark>{citation.quote}</mark></p>
      ))}
      <p class="gap-published"><span class="faint">{t.published} <code class="mono">{tried.document}</code></span><Button tone="quiet" small onClick={onTakeBack}>{t.withdraw}</Button></p>
    </section>
  );
}
