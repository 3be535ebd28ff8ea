// Questions that the documents don't answer. An agent writes what is missing, and sees the question answered by it at once.

import { useEffect, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk } from '../desk';
import { dismiss, type Gap, loadGaps, publish, type Tried } from '../gaps';
import { address, follow } from '../route';
import { trail } from '../text';
import { Button, cx, Empty, Field, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { Prose } from '../ui/prose';
import { ago, number, t } from '../words';
import { Confidence } from './draft';
import { Page } from './page';

/** Articles that were begun, by gap: looking something up elsewhere loses nothing. */
const begun = new Map<string, { title: string; text: string }>();

export function Gaps() {
  const site = useCell(desk, () => desk.site?.id ?? '');
  const [gaps, setGaps] = useState<Gap[] | null | undefined>(undefined);
  const [open, setOpen] = useState<string | null>(null);
  useEffect(() => {
    let here = true;
    loadGaps(site).then((found) => { if (here) setGaps(found); }, (error: unknown) => { desk.fail(error); if (here) setGaps([]); });
    return () => { here = false; };
  }, [site]);
  const gone = async (gap: Gap) => {
    try {
      await dismiss(site, gap);
      setGaps((now) => now?.filter((one) => one.id !== gap.id));
      desk.toast(t.dismissed);
    } catch (error) {
      desk.fail(error);
    }
  };
  return (
    <Page title={t.gaps} hint={t.gapsHint}>
      {gaps === undefined && <Spinner label={t.loading} />}
      {gaps === null && <Empty icon="gap" title={t.gapsUnavailable} />}
      {gaps?.length === 0 && <Empty icon="check" title={t.gapsEmpty}>{t.gapsEmptyHint}</Empty>}
      <ul class="gap-list">
        {gaps?.map((gap) => (
          <GapView key={gap.id} gap={gap} site={site} open={open === gap.id} onOpen={() => setOpen(open === gap.id ? null : gap.id)} onDismiss={() => void gone(gap)} />
        ))}
      </ul>
    </Page>
  );
}

function GapView({ gap, site, open, onOpen, onDismiss }: { gap: Gap; site: string; open: boolean; onOpen: () => void; onDismiss: () => void }) {
  const now = useNow();
  const [value, setValue] = useState(begun.get(gap.id) ?? { title: '', text: '' });
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<Tried | null>(null);
  const set = (change: Partial<typeof value>) => {
    const next = { ...value, ...change };
    begun.set(gap.id, next);
    setValue(next);
  };
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      setTried(await publish(site, gap, value.title.trim(), value.text.trim()));
      begun.delete(gap.id);
    } catch (error) {
      desk.fail(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <li class="gap">
      <h2 class="gap-title">
        <button type="button" class="gap-head" aria-expanded={open} aria-controls={`gap-${gap.id}`} onClick={onOpen}>
          <span class="gap-count num" title={t.asked(gap.count)}>{number(gap.count)}<span class="unseen"> {t.asked(gap.count)}</span></span>
          <span class="gap-question" dir="auto">{gap.question}</span>
          {tried?.answered && <span class="cited"><Icon name="check" size={14} />{t.gapClosed}</span>}
          <time class="row-time" title={t.lastAsked}>{ago(gap.last_at_ms, now)}</time>
          <Icon name={open ? 'down' : 'right'} size={16} />
        </button>
      </h2>
      {open && (
        <div class="gap-body" id={`gap-${gap.id}`}>
          {gap.examples.length > 0 && (
            <section><h3>{t.examples}</h3><ul class="gap-examples">{gap.examples.map(({ text, session }) => <li><a dir="auto" href={address({ page: 'inbox', session })} onClick={(event) => follow(event, { page: 'inbox', session })}>{text}</a></li>)}</ul></section>
          )}
          <form class="form" onSubmit={send}>
            <Field label={t.articleTitle}>{(ids) => <input {...ids} class="input" required maxLength={200} dir="auto" value={value.title} onInput={(event) => set({ title: event.currentTarget.value })} />}</Field>
            <Field label={t.articleText} hint={t.articleHint}>{(ids) => <textarea {...ids} class="input" rows={8} required dir="auto" value={value.text} onInput={(event) => set({ text: event.currentTarget.value })} />}</Field>
            <div class="dialog-actions"><Button tone="quiet" onClick={onDismiss}>{t.dismiss}</Button><Button type="submit" tone="primary" busy={busy}>{t.publish}</Button></div>
          </form>
          <div role="status">{tried && <Result tried={tried} question={gap.question} />}</div>
        </div>
      )}
    </li>
  );
}

function Result({ tried, question }: { tried: Tried; question: string }) {
  return (
    <section class={cx('gap-answer', !tried.answered && 'is-not')}>
      <h3><Icon name={tried.answered ? 'check' : 'gap'} size={15} />{tried.answered ? t.answeredNow : t.notAnsweredNow}{tried.answered && <Confidence share={tried.confidence} />}</h3>
      <p class="faint" dir="auto">{question}</p>
      {tried.text && <Prose text={tried.text} citations={tried.citations} />}
      {tried.citations.map((citation) => (
        <p class="passage-trail" dir="auto"><b>{citation.n}</b> {trail(citation).join(' › ')}: <mark>{citation.quote}</mark></p>
      ))}
      <p class="faint">{t.published} <code class="mono">{tried.document}</code></p>
    </section>
  );
}
