import { useEffect, useState } from 'preact/hooks';

import { api, sitePath } from '../api';
import { cannedReplies } from '../canned';
import { useCell } from '../cell';
import { desk } from '../desk';
import { type Canned, } from '../protocol';
import { MAX_CHARS } from '../text';
import { Button, Confirm, Dialog, Empty, Field, Pill, Spinner } from '../ui/base';
import { language, t } from '../words';
import { Page } from './page';

const BLANK: Canned = { id: '', shortcut: '', title: '', text: '', language: '' };

export function CannedPage() {
  const all = useCell(cannedReplies, () => cannedReplies.all);
  const loaded = useCell(cannedReplies, () => cannedReplies.loaded);
  const [editing, setEditing] = useState<Canned | null>(null);
  const [removing, setRemoving] = useState<Canned | null>(null);
  useEffect(() => { void cannedReplies.load(true); }, []);
  const names = new Intl.DisplayNames([language], { type: 'language' });

  const remove = async (canned: Canned) => {
    try {
      await api('DELETE', sitePath(desk.site?.id ?? '', `/canned/${encodeURIComponent(canned.id ?? '')}`));
      await cannedReplies.load(true);
    } catch (error) {
      desk.fail(error);
    }
  };

  return (
    <Page title={t.canned} hint={t.cannedHint} actions={<Button tone="primary" icon="plus" onClick={() => setEditing(BLANK)}>{t.newCanned}</Button>}>
      {!loaded && <Spinner label={t.loading} />}
      {loaded && all.length === 0 && <Empty icon="canned" title={t.cannedEmpty}>{t.cannedHint}</Empty>}
      <ul class="cards">
        {all.map((canned) => (
          <li class="canned-card">
            <div class="canned-head">
              <code class="canned-short">/{canned.shortcut}</code>
              <b dir="auto">{canned.title}</b>
              {canned.language && <Pill>{names.of(canned.language) ?? canned.language}</Pill>}
              <span class="canned-tools">
                <Button icon="edit" tone="quiet" small label={`${t.edit}: ${canned.title}`} onClick={() => setEditing(canned)} />
                <Button icon="trash" tone="quiet" small label={`${t.remove}: ${canned.title}`} onClick={() => setRemoving(canned)} />
              </span>
            </div>
            <p class="canned-body" dir="auto">{canned.text}</p>
          </li>
        ))}
      </ul>
      {editing && <Editor canned={editing} onClose={() => setEditing(null)} />}
      {removing && <Confirm title={t.removeCanned(removing.title)} yes={t.remove} danger onYes={() => void remove(removing)} onClose={() => setRemoving(null)} />}
    </Page>
  );
}

function Editor({ canned, onClose }: { canned: Canned; onClose: () => void }) {
  const [value, setValue] = useState(canned);
  const [busy, setBusy] = useState(false);
  const set = (change: Partial<Canned>) => setValue({ ...value, ...change });
  const names = new Intl.DisplayNames([language], { type: 'language' });
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    const { id, ...fresh } = value;
    try {
      await api('PUT', sitePath(desk.site?.id ?? '', '/canned'), id ? value : fresh);
      await cannedReplies.load(true);
      onClose();
    } catch (error) {
      desk.fail(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={canned.id ? t.edit : t.newCanned} onClose={onClose} wide>
      <form class="form" onSubmit={save}>
        <div class="form-row">
          <Field label={t.shortcut} hint={t.shortcutHint}>
            {(ids) => <input {...ids} class="input mono" required pattern="[a-z0-9_\-]{1,40}" autocapitalize="none" spellcheck={false} value={value.shortcut} onInput={(event) => set({ shortcut: event.currentTarget.value.toLowerCase() })} />}
          </Field>
          <Field label={t.languageLabel}>
            {(ids) => (
              <select {...ids} class="input" value={value.language} onChange={(event) => set({ language: event.currentTarget.value })}>
                <option value="">{t.anyLanguage}</option>
                {['en', 'zh', 'es', 'fr', 'de', 'ja'].map((code) => <option value={code}>{names.of(code)}</option>)}
              </select>
            )}
          </Field>
        </div>
        <Field label={t.title}>{(ids) => <input {...ids} class="input" required maxLength={200} dir="auto" value={value.title} onInput={(event) => set({ title: event.currentTarget.value })} />}</Field>
        <Field label={t.text}>{(ids) => <textarea {...ids} class="input" rows={7} required maxLength={MAX_CHARS} dir="auto" value={value.text} onInput={(event) => set({ text: event.currentTarget.value })} />}</Field>
        <div class="dialog-actions"><Button onClick={onClose}>{t.cancel}</Button><Button type="submit" tone="primary" busy={busy}>{t.save}</Button></div>
      </form>
    </Dialog>
  );
}
