// Where an agent writes: a reply or a note, from nothing, from a draft, or from a canned reply.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { composes } from '../../../shared/dom';
import * as begun from '../begun';
import { useCell } from '../cell';
import { cannedReplies } from '../canned';
import { desk } from '../desk';
import { onKeys } from '../keys';
import type { Canned, SuggestionId, Summary } from '../protocol';
import { MAX_CHARS, scalars, sendable } from '../text';
import { Button, cx, Kbd } from '../ui/base';
import { t } from '../words';

export interface Composing {
  mode: 'reply' | 'note';
  /** The draft that the text was made of. */
  draft: SuggestionId | null;
  /** Text to begin with; taken once. What stands there is put aside, with the draft that it was made of. */
  insert?: string;
  before?: SuggestionId | null;
}

export function Composer({ session, summary, composing, onComposing }: { session: string; summary: Summary; composing: Composing; onComposing: (next: Composing) => void }) {
  const kept = begun.of(session);
  const [texts, setTexts] = useState({ reply: kept?.reply ?? '', note: kept?.note ?? '' });
  const area = useRef<HTMLTextAreaElement>(null);
  const online = useCell(desk, () => desk.online);
  const [pick, setPick] = useState(0);
  const [dismissed, setDismissed] = useState(false);

  const others = summary.holder.by === 'agent' && !desk.mine(summary) ? summary.holder.agent : null;
  const replies = !summary.ended && !others;
  const mode = replies ? composing.mode : 'note';
  const text = texts[mode];
  const over = scalars(text) - MAX_CHARS;

  useEffect(() => {
    if (kept?.draft) onComposing({ ...composing, draft: kept.draft });
    return onKeys({
      reply: () => { onComposing({ ...latest.current, mode: 'reply' }); focus(); },
      note: () => { onComposing({ ...latest.current, mode: 'note' }); focus(); },
    });
  }, []);
  const latest = useRef(composing);
  latest.current = composing;
  useEffect(() => begun.put(session, { ...texts, draft: composing.draft }), [texts, composing.draft]);

  const focus = () => requestAnimationFrame(() => {
    const node = area.current;
    if (!node) return;
    node.focus();
    node.setSelectionRange(node.value.length, node.value.length);
  });

  useEffect(() => {
    if (composing.insert === undefined) return;
    const { insert, before = null, ...rest } = composing;
    const aside = texts.reply;
    setTexts((now) => ({ ...now, reply: insert }));
    if (sendable(aside) !== '' && aside !== insert) {
      desk.toast(t.putAside, 'plain', {
        label: t.undo,
        act: () => {
          begun.put(session, { ...(begun.of(session) ?? { note: '' }), reply: aside, draft: before });
          if (!area.current) return; // Another conversation is open; the words wait in this one.
          setTexts((now) => ({ ...now, reply: aside }));
          onComposing({ mode: 'reply', draft: before });
          focus();
        },
      });
    }
    onComposing({ ...rest, mode: 'reply' });
    focus();
  }, [composing.insert]);

  // As high as its text, up to a limit that the style sheet sets.
  useLayoutEffect(() => {
    const node = area.current;
    if (!node) return;
    node.style.height = 'auto';
    node.style.height = `${node.scrollHeight}px`;
  }, [text, mode]);

  const set = (value: string) => { setTexts({ ...texts, [mode]: value }); setDismissed(false); setPick(0); };

  const send = async () => {
    const words = sendable(text);
    if (words === '' || over > 0 || !online) return;
    const { draft } = composing;
    setTexts({ ...texts, [mode]: '' });
    if (mode === 'reply') onComposing({ mode: 'reply', draft: null });
    const done = await desk.write(session, mode === 'note' ? 'note' : 'agent', words, mode === 'reply' && draft ? draft : undefined);
    if (!done) {
      // The words come back, unless something new was begun meanwhile.
      setTexts((now) => (now[mode] === '' ? { ...now, [mode]: words } : now));
      if (draft) onComposing({ mode: 'reply', draft });
    }
  };

  // A slash at the beginning, or after a blank, asks for a canned reply.
  const slash = mode === 'reply' ? /(?:^|\s)\/([a-z0-9_-]*)$/i.exec(text) : null;
  const all = useCell(cannedReplies, () => cannedReplies.all);
  useEffect(() => { void cannedReplies.load(); }, []);
  const matches = slash && !dismissed ? cannedReplies.matching(all, slash[1] ?? '') : [];
  const listed = slash !== null && !dismissed;
  const insert = (canned: Canned) => {
    if (!slash) return;
    const start = text.slice(0, text.length - (slash[1]?.length ?? 0) - 1);
    set(start + canned.text);
    focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (composes(event)) return;
    if (listed && matches.length > 0) {
      const to = { ArrowDown: pick + 1, ArrowUp: pick - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); return setPick((to + matches.length) % matches.length); }
      if (event.key === 'Enter' || event.key === 'Tab') { event.preventDefault(); const one = matches[pick]; if (one) insert(one); return; }
    }
    if (event.key === 'Escape') {
      event.preventDefault();
      if (listed) return setDismissed(true);
      return area.current?.blur();
    }
    if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); void send(); }
  };

  const tab = (one: 'reply' | 'note', label: string, disabled = false) => (
    <button type="button" class={cx('compose-tab', mode === one && 'is-on')} aria-pressed={mode === one} disabled={disabled} onClick={() => { onComposing({ ...composing, mode: one }); focus(); }}>{label}</button>
  );

  return (
    <form class={cx('composer', `is-${mode}`)} onSubmit={(event) => { event.preventDefault(); void send(); }}>
      {!replies && <p class="composer-why">{summary.ended ? t.over : t.held(others?.name ?? '')}</p>}
      <div class="compose-box">
        <div class="compose-tabs">
          {tab('reply', t.reply, !replies)}
          {tab('note', t.note)}
          {mode === 'reply' && composing.draft && (
            <span class="compose-draft">
              {t.editing}
              <button type="button" class="chip-close" aria-label={t.dropDraft} title={t.dropDraft} onClick={() => onComposing({ ...composing, draft: null })}>×</button>
            </span>
          )}
        </div>
        <textarea
          ref={area}
          class="compose-text"
          rows={1}
          dir="auto"
          value={text}
          aria-label={mode === 'note' ? t.noteLabel : t.replyLabel}
          aria-controls={listed ? 'canned-list' : undefined}
          aria-activedescendant={listed && matches.length > 0 ? `canned-${pick}` : undefined}
          placeholder={mode === 'note' ? t.noteHint : summary.holder.by === 'agent' ? t.replyHint : t.replyTakes}
          onInput={(event) => {
            set(event.currentTarget.value);
            // Notes are nobody's business but the colleagues'.
            if (mode === 'reply' && event.currentTarget.value.trim() !== '') desk.types(session);
          }}
          onKeyDown={onKeyDown}
        />
        <div class="compose-foot">
          <Button icon="canned" tone="quiet" small label={t.insertCanned} disabled={mode === 'note'} onClick={() => { set(text === '' || /\s$/.test(text) ? `${text}/` : `${text} /`); focus(); }} />
          <span class="compose-hint"><Kbd>Enter</Kbd> {t.keys.sendText} <Kbd>⇧ Enter</Kbd> {t.keys.newline}</span>
          {over > 0 && <span class="bad" role="alert">{t.tooLong(over)}</span>}
          <Button type="submit" tone={mode === 'note' ? 'plain' : 'primary'} small icon={mode === 'note' ? 'note' : 'send'} disabled={sendable(text) === '' || over > 0 || !online}>
            {mode === 'note' ? t.addNote : t.send}
          </Button>
        </div>
        {listed && (
          <div class="canned-pop" id="canned-list" role="listbox" aria-label={t.canned}>
            {matches.map((canned, n) => (
              <div id={`canned-${n}`} role="option" aria-selected={n === pick} class={cx('canned-option', n === pick && 'is-on')} onPointerDown={(event) => { event.preventDefault(); insert(canned); }}>
                <span class="canned-short">/{canned.shortcut}</span>
                <span class="canned-title" dir="auto">{canned.title}</span>
                <span class="canned-text" dir="auto">{canned.text}</span>
              </div>
            ))}
            {matches.length === 0 && <p class="faint">{t.noCanned}</p>}
          </div>
        )}
      </div>
    </form>
  );
}
