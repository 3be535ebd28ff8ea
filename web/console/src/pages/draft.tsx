// The suggested reply: streams in with its sources and confidence, and is sent, edited, rewritten or rejected.

import { useEffect, useRef, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk } from '../desk';
import { wanted } from '../gaps';
import { onKeys } from '../keys';
import type { Citation, DraftNote, Summary, Wish } from '../protocol';
import { go } from '../route';
import type { Draft, Talk } from '../talk';
import { trail } from '../text';
import { Button, cx, Dialog, Menu, type MenuItem, Pill } from '../ui/base';
import { Icon } from '../ui/icons';
import { Prose } from '../ui/prose';
import { language, t } from '../words';
import type { Composing } from './composer';

/** Languages that a draft can be translated into; the visitor's own is always there. */
const TONGUES = ['en', 'zh', 'es', 'fr', 'de', 'ja'];

export function DraftCard({ session, talk, summary, composing, onComposing, onPassages }: {
  session: string;
  talk: Talk;
  summary: Summary;
  composing: Composing;
  onComposing: (next: Composing) => void;
  onPassages: (turn: number) => void;
}) {
  const drafts = useCell(desk, () => talk.drafts);
  const items = useCell(desk, () => talk.items);
  const problem = useCell(desk, () => talk.draftProblem);
  const versions = drafts && items ? talk.open : [];
  const [chosen, setChosen] = useState<number | null>(null);
  const [rejecting, setRejecting] = useState(false);
  const newest = versions.at(-1);
  // A new version is what was asked for: it is shown as soon as it begins.
  useEffect(() => setChosen(null), [newest?.id.turn, newest?.id.version]);
  const shown = versions.find((one) => one.id.version === chosen) ?? newest;
  const others = summary.holder.by === 'agent' && !desk.mine(summary);
  const ready = shown !== undefined && shown.end !== null;
  const can = ready && !others && !summary.ended;
  // Where the documents hold no answer, there is nothing to send: who writes the article answers for all who ask.
  const declined = shown?.end === 'declined';
  const usable = can && !declined && shown.text !== '';
  const rephrases = useCell(desk, () => desk.site?.rephrases ?? true);

  const send = () => {
    if (usable) void desk.write(session, 'agent', shown.text, shown.id);
  };
  const edit = () => {
    if (usable) onComposing({ mode: 'reply', draft: shown.id, insert: shown.text, before: composing.draft });
  };
  const wish = (wanted: Wish, language?: string) => {
    if (summary.ended || (wanted !== 'answer' && (!ready || declined))) return;
    if (!rephrases && (wanted === 'warmer' || wanted === 'translated')) return desk.toast(t.draftNotes.not_qualified ?? '');
    void desk.act(session, { do: 'suggest', wish: wanted, ...(language ? { language } : {}) });
  };
  const reject = () => { if (ready) setRejecting(true); };
  const latest = useRef({ send, edit, wish, reject });
  latest.current = { send, edit, wish, reject };
  useEffect(() => onKeys({
    send: () => latest.current.send(),
    edit: () => latest.current.edit(),
    reject: () => latest.current.reject(),
    suggest: () => latest.current.wish('answer'),
    shorter: () => latest.current.wish('shorter'),
    warmer: () => latest.current.wish('warmer'),
    translate: () => latest.current.wish('translated'),
  }), []);

  if (!shown) {
    if (!problem) return summary.ended || others || !desk.mine(summary) ? null : <AskDraft onAsk={() => wish('answer')} waits={summary.unanswered} />;
    return <section class="draft draft-slim" aria-label={t.draft}><p class="bad">{t.draftNotes[problem] ?? t.draftFailed(problem)}</p><Button small onClick={() => wish('answer')}>{t.retry}</Button></section>;
  }
  if (composing.draft && composing.draft.turn === shown.id.turn && composing.draft.version === shown.id.version && composing.mode === 'reply') return null;

  if (declined) return <Declined session={session} draft={shown} onPassages={onPassages} />;

  const at = versions.indexOf(shown);
  const names = new Intl.DisplayNames([language], { type: 'language' });
  const tongues: MenuItem[] = [
    { label: t.visitorsLanguage, act: () => wish('translated') },
    ...TONGUES.map((code) => ({ label: names.of(code) ?? code, act: () => wish('translated', code) })),
  ];
  return (
    <section class={cx('draft', ready ? 'is-ready' : 'is-writing')} aria-label={t.draft} aria-busy={!ready}>
      <header class="draft-head">
        <span class="draft-name"><Icon name="spark" size={15} />{ready ? t.draft : t.drafting}</span>
        {shown.wish !== 'answer' && <Pill tone="model">{t.wishes[shown.wish]}</Pill>}
        {shown.confidence !== null && ready && <Confidence share={shown.confidence} />}
        {versions.length > 1 && (
          <span class="versions">
            <Button icon="left" tone="quiet" small label={t.older} disabled={at === 0} onClick={() => setChosen(versions[at - 1]?.id.version ?? null)} />
            <span class="num" title={t.version(at + 1, versions.length)}>{at + 1}/{versions.length}</span>
            <Button icon="right" tone="quiet" small label={t.newer} disabled={at === versions.length - 1} onClick={() => setChosen(versions[at + 1]?.id.version ?? null)} />
          </span>
        )}
      </header>
      <div class="draft-text" tabIndex={0} role="group" aria-label={t.draft}>
        {shown.text === '' && !ready ? <p class="pending"><span class="dots" aria-hidden="true"><i /><i /><i /></span>{t.lookingUp}</p> : <Prose text={shown.text} writing={!ready} citations={shown.citations} />}
      </div>
      {(shown.note || problem || shown.withheld > 0 || shown.citations.length > 0) && (
        <div class="draft-notes">
          <Sources draft={shown} onPassages={onPassages} />
          {shown.withheld > 0 && <span>{t.withheld(shown.withheld)}</span>}
          {shown.note && <p class="draft-note">{noteText(shown.note)}</p>}
          {problem && <p class="draft-note" role="status">{t.draftNotes[problem] ?? t.draftFailed(problem)}</p>}
        </div>
      )}
      <div class="draft-actions">
        <Button tone="model" small icon="send" kbd="s" disabled={!usable} onClick={send}>{t.sendDraft}</Button>
        <Button small icon="edit" kbd="e" disabled={!usable} onClick={edit}>{t.editDraft}</Button>
        <span class="draft-wishes">
          <Button small tone="quiet" kbd="h" disabled={!can} title={rephrases ? undefined : t.shorterCuts} onClick={() => wish('shorter')}>{t.shorter}</Button>
          <Button small tone="quiet" kbd="w" disabled={!can || !rephrases} title={rephrases ? undefined : t.draftNotes.not_qualified} onClick={() => wish('warmer')}>{t.warmer}</Button>
          <Menu label={t.translateTo} items={tongues} align="start" button={(props) => <Button {...props} small tone="quiet" kbd="l" disabled={!can || !rephrases} title={rephrases ? undefined : t.draftNotes.not_qualified}>{t.translate}</Button>} />
        </span>
        <Button small tone="quiet" kbd="x" disabled={!ready} class="draft-reject" onClick={reject}>{t.reject}</Button>
      </div>
      {rejecting && <Reject onClose={() => setRejecting(false)} onReject={(reason) => void desk.act(session, { do: 'reject', suggestion: shown.id, reason })} />}
    </section>
  );
}

const noteText = (note: DraftNote): string => {
  if (typeof note === 'string') return note;
  if (note.code === 'agents_only') return t.agentsOnlyNote((note.about ?? []).join(', '));
  return t.draftNotes[note.code] ?? note.code;
};

/** Instead of a refusal to send: what can be done about it. */
function Declined({ session, draft, onPassages }: { session: string; draft: Draft; onPassages: (turn: number) => void }) {
  const person = typeof draft.note === 'object' && draft.note?.code === 'asks_for_person';
  const write = () => {
    wanted.turn = { session, turn: draft.id.turn };
    go({ page: 'gaps' });
  };
  return (
    <section class="draft draft-slim is-ready is-declined" aria-label={t.draft}>
      <p><Icon name={person ? 'person' : 'gap'} size={15} />{person ? t.draftNotes.asks_for_person : t.notInDocuments}</p>
      {!person && (
        <span class="draft-ways">
          <Button small tone="quiet" onClick={() => onPassages(draft.id.turn)}>{t.nearest}</Button>
          <Button small icon="edit" onClick={write}>{t.writeArticle}</Button>
        </span>
      )}
    </section>
  );
}

function AskDraft({ onAsk, waits }: { onAsk: () => void; waits: boolean }) {
  if (!waits) return null;
  return <section class="draft draft-slim draft-ask" aria-label={t.draft}><Button small tone="quiet" icon="spark" kbd="d" onClick={onAsk}>{t.askDraft}</Button></section>;
}

export function Confidence({ share }: { share: number }) {
  const n = Math.round(share * 100);
  return <span class={cx('confidence', share >= 0.7 ? 'is-high' : share >= 0.4 ? 'is-middle' : 'is-low')}>{t.confidence(n)}</span>;
}

/** Where a source is; behind a place in the same document the title says nothing new. */
function placed(citation: Citation, before?: Citation): string {
  const [title, ...headings] = trail(citation);
  return (headings.length > 0 && before?.document === citation.document ? headings : [title, ...headings]).join(' › ');
}

function Sources({ draft, onPassages }: { draft: Draft; onPassages: (turn: number) => void }) {
  return (
    <>
      {draft.citations.map((citation, at) => (
        <button type="button" class={cx('source-chip', citation.related && 'is-related')} title={citation.quote} onClick={() => onPassages(draft.id.turn)}>
          <span class="source-name" dir="auto">{placed(citation, draft.citations[at - 1])}</span>
        </button>
      ))}
    </>
  );
}

function Reject({ onReject, onClose }: { onReject: (reason: string) => void; onClose: () => void }) {
  const [other, setOther] = useState('');
  const done = (reason: string) => { onClose(); onReject(reason); };
  return (
    <Dialog title={t.rejectTitle} onClose={onClose}>
      <div class="reasons">
        {t.rejectReasons.map((reason) => <Button onClick={() => done(reason)}>{reason}</Button>)}
      </div>
      <form class="reasons-other" onSubmit={(event) => { event.preventDefault(); if (other.trim()) done(other.trim()); }}>
        <input class="input" aria-label={t.rejectOther} placeholder={t.rejectOther} maxLength={400} value={other} onInput={(event) => setOther(event.currentTarget.value)} />
        <Button type="submit" tone="primary" disabled={!other.trim()}>{t.reject}</Button>
      </form>
    </Dialog>
  );
}
