// What an agent has to do before the console opens: choose a password of one's own, or set up the
// second factor that this server requires.

import { useState } from 'preact/hooks';

import { api } from '../api';
import { useCell } from '../cell';
import { desk } from '../desk';
import { Button, Field, Segments, Toasts } from '../ui/base';
import { Icon } from '../ui/icons';
import { type Language, LANGUAGES, language, t } from '../words';
import { SecondFactor } from './account';

export function First({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const needs = useCell(desk, () => desk.me?.needs);
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <span class="mark mark-large"><Icon name="bell" size={26} /></span>
        {needs === 'password' ? <OwnPassword /> : <><h1>{t.secondFactorFirst}</h1><p>{t.secondFactorWhy}</p><SecondFactor /></>}
        <Button tone="quiet" onClick={() => void desk.signOut()}>{t.signOut}</Button>
      </div>
      <Segments label={t.languageLabel} value={language} options={(Object.keys(LANGUAGES) as Language[]).map((one) => [one, LANGUAGES[one].language])} onChange={onLanguage} />
      <Toasts />
    </main>
  );
}

function OwnPassword() {
  const [value, setValue] = useState({ current: '', password: '' });
  const [busy, setBusy] = useState(false);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api('PUT', '/me/password', value);
      await desk.refresh();
    } catch (error) {
      desk.fail(error);
      setBusy(false);
    }
  };
  return (
    <form class="form" onSubmit={save}>
      <h1>{t.passwordFirst}</h1>
      <p>{t.passwordWhy}</p>
      <Field label={t.currentPassword}>{(ids) => <input {...ids} class="input" type="password" required autocomplete="current-password" value={value.current} onInput={(event) => setValue({ ...value, current: event.currentTarget.value })} />}</Field>
      <Field label={t.newPassword} hint={t.passwordHint.split(/[.。]/)[0] ?? ''}>{(ids) => <input {...ids} class="input" type="password" required minLength={10} autocomplete="new-password" value={value.password} onInput={(event) => setValue({ ...value, password: event.currentTarget.value })} />}</Field>
      <Button type="submit" tone="primary" busy={busy} class="wide">{t.changePassword}</Button>
    </form>
  );
}
