// A draft of the missing article out of what agents replied: each sentence with where it was said,
// what contradicts what, and what visitors would get if it stood.

import { useEffect, useState } from 'preact/hooks';

import { desk } from '../desk';
import { type Article, discardDraft, type Draft, type Gap, loadDraft, makeDraft, type Trial, tryDraft } from '../gaps';
import { address, follow } from '../route';
import { Button, cx, Pill } from '../ui/base';
import { useNow } from '../ui/clock';
import { Icon } from '../ui/icons';
import { ago, t } from '../words';

interface Props {
  gap: Gap;
  site: string;
  /** The article as it stands in the form. */
  article: Article;
  /** Puts title and text into the form. */
  onUse: (article: { title: string; text: string }) => void;
}

export function GapDraft({ gap, site, article, onUse }: Props) {
  const [draft, setDraft] = useState<Draft | null>(null);
  const [trial, setTrial] = useState<Trial | null>(null);
  const [busy, setBusy] = useState<'make' | 'try' | 'discard' | null>(null);
  useEffect(() => {
    let here = true;
    loadDraft(site, gap).then(
      (found) => { if (here) { setDraft(found); setTrial(found?.trial ?? null); } },
      (error: unknown) => desk.fail(error),
    );
    return () => { here = false; };
  }, [site, gap.id]);
  const act = async (what: 'make' | 'try' | 'discard', deed: () => Promise<void>) => {
    setBusy(what);
    try {
      await deed();
    } catch (error) {
      desk.fail(error);
    } finally {
      setBusy(null);
    }
  };
  const make = () => act('make', async () => {
    const made = await makeDraft(site, gap);
    setDraft(made);
    setTrial(null);
    // What an agent began to write stays until they ask for the draft's words.
    if (made.sentences.length > 0 && !article.title.trim() && !article.text.trim()) onUse(made);
  });
  const attempt = () => act('try', async () => setTrial(await tryDraft(site, gap, article)));
  const discard = () => act('discard', async () => {
    await discardDraft(site, gap);
    setDraft(null);
    setTrial(null);
  });
  const written = article.title.trim() !== '' && article.text.trim() !== '';
  return (
    <section class="gap-draft" aria-label={t.gapDraft}>
      <div class="gap-draft-head">
        <h3>{t.gapDraft}</h3>
        {draft && <Button tone="quiet" small busy={busy === 'discard'} onClick={() => void discard()}>{t.gapDraftDiscard}</Button>}
        <Button small icon="spark" busy={busy === 'make'} onClick={() => void make()}>{draft ? t.gapDraftAgain : t.gapDraftMake}</Button>
      </div>
      {!draft && <p class="faint">{t.gapDraftHint}</p>}
      {draft && draft.sentences.length === 0 && !draft.published && <p role="status">{t.gapDraftEmpty}</p>}
      {draft?.published && <p class="faint">{t.gapDraftPublished}</p>}
      {draft && draft.sentences.length > 0 && <Sentences draft={draft} />}
      {draft && <p class="faint">{t.gapDraftLeftOut(draft.left_out)}</p>}
      {draft && draft.review.length > 0 && (
        <div class="gap-answer is-not">
          <h4><Icon name="gap" size={15} />{t.gapDraftReview}</h4>
          <ul>{draft.review.map((text) => <li key={text} dir="auto">{text}</li>)}</ul>
        </div>
      )}
      {draft && (
        <div class="gap-draft-head">
          {draft.sentences.length > 0 && <Button small onClick={() => onUse(draft)}>{t.gapDraftUse}</Button>}
          <Button small busy={busy === 'try'} disabled={!written} title={written ? undefined : t.gapDraftTryNeeds} onClick={() => void attempt()}>{t.gapDraftTry}</Button>
        </div>
      )}
      <div role="status">
        {trial && (
          <p class={cx('gap-answer', trial.worse > 0 && 'is-not')}>
            {trial.count ? t.gapDraftAnswers(trial.count.answered, trial.count.asked) : trial.all ? t.gapDraftAll : trial.none ? t.gapDraftNone : t.gapDraftSome}
            {' '}
            {trial.others > 0 && t.gapDraftOthers(trial.worse, trial.others)}
          </p>
        )}
      </div>
    </section>
  );
}

function Sentences({ draft }: { draft: Draft }) {
  const now = useNow();
  // The other side of each contradiction, by the sentence's place.
  const against = new Map<number, string[]>();
  for (const { first, second, says } of draft.contradictions) {
    against.set(first, [...(against.get(first) ?? []), says[1]]);
    against.set(second, [...(against.get(second) ?? []), says[0]]);
  }
  return (
    <ol class="gap-sentences">
      {draft.sentences.map(({ text, sources }, at) => (
        <li key={text}>
          <span dir="auto">{text}</span>
          {against.get(at)?.map((other) => <Pill key={other} tone="bad" icon="gap">{t.gapDraftAgainst(other)}</Pill>)}
          <span class="gap-said">
            {sources.map(({ session, seq, agent, at_ms }) => (
              <a key={`${session} ${seq}`} href={address({ page: 'inbox', session })} onClick={(event) => follow(event, { page: 'inbox', session })}><bdi>{agent}</bdi>, {ago(at_ms, now)}</a>
            ))}
          </span>
        </li>
      ))}
    </ol>
  );
}
