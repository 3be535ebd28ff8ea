// An agent's own settings: what the console looks like, the password, the second factor, and the
// sign-ins that there are.

import { useEffect, useState } from 'preact/hooks';

import { api } from '../api';
import { useCell } from '../cell';
import { desk, recall, remember } from '../desk';
import { setSingleKeys, singleKeys } from '../keys';
import { permission, turn } from '../notify';
import type { RecoveryCodes, SecondFactorOffer, SignInView } from '../protocol';
import { Button, Dialog, Field, Segments, Spinner } from '../ui/base';
import { type Language, LANGUAGES, language, moment, t } from '../words';

type Theme = 'auto' | 'light' | 'dark';
const THEME = 'frontdesk:theme';

export function applyTheme(theme: string | null): void {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

export function Settings({ onClose, onLanguage }: { onClose: () => void; onLanguage: (language: Language) => void }) {
  const [theme, setTheme] = useState<Theme>((recall(THEME) as Theme | null) ?? 'auto');
  const [allowed, setAllowed] = useState(permission());
  const [single, setSingle] = useState(singleKeys());
  const [password, setPassword] = useState({ current: '', next: '' });
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      await api('PUT', '/me/password', { current: password.current, password: password.next });
      setPassword({ current: '', next: '' });
      desk.toast(t.passwordChanged, 'good');
    } catch (error) {
      desk.fail(error);
    }
  };
  return (
    <Dialog title={t.account} onClose={onClose}>
      <div class="form">
        <div class="setting"><span>{t.languageLabel}</span><Segments label={t.languageLabel} value={language} options={(Object.keys(LANGUAGES) as Language[]).map((one) => [one, LANGUAGES[one].language])} onChange={onLanguage} /></div>
        <div class="setting"><span>{t.theme}</span><Segments<Theme> label={t.theme} value={theme} options={[['auto', t.themeAuto], ['light', t.themeLight], ['dark', t.themeDark]]} onChange={(value) => { remember(THEME, value); applyTheme(value); setTheme(value); }} /></div>
        <div class="setting">
          <span>{t.notifications}</span>
          {allowed === 'blocked' || allowed === 'absent' ? <span class="faint">{t.notificationsBlocked}</span> : (
            <Segments label={t.notifications} value={allowed} options={[['on', t.notificationsOn], ['off', t.notificationsOff]]} onChange={async (value) => setAllowed(await turn(value === 'on'))} />
          )}
        </div>
        <div class="setting"><span>{t.singleKeys}</span><Segments label={t.singleKeys} value={single ? 'on' : 'off'} options={[['on', t.notificationsOn], ['off', t.notificationsOff]]} onChange={(value) => { setSingleKeys(value === 'on'); setSingle(value === 'on'); }} /></div>
      </div>
      <form class="form setting-part" onSubmit={save}>
        <h3>{t.changePassword}</h3>
        <input type="text" name="login" autocomplete="username" hidden value={desk.me?.agent.name ?? ''} readOnly />
        <Field label={t.currentPassword}>{(ids) => <input {...ids} class="input" type="password" required autocomplete="current-password" value={password.current} onInput={(event) => setPassword({ ...password, current: event.currentTarget.value })} />}</Field>
        <Field label={t.newPassword} hint={t.passwordHint.split(/[.。]/)[0] ?? ''}>{(ids) => <input {...ids} class="input" type="password" required minLength={10} autocomplete="new-password" value={password.next} onInput={(event) => setPassword({ ...password, next: event.currentTarget.value })} />}</Field>
        <div class="dialog-actions"><Button type="submit">{t.changePassword}</Button></div>
      </form>
      <section class="form setting-part"><h3>{t.secondFactor}</h3><SecondFactor /></section>
      <section class="form setting-part"><h3>{t.signIns}</h3><SignIns /></section>
    </Dialog>
  );
}

/** Sets the second factor up, or removes it. */
export function SecondFactor() {
  const on = useCell(desk, () => desk.me?.second_factor ?? false);
  const [step, setStep] = useState<'rest' | 'password' | 'code' | 'removing'>('rest');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [offer, setOffer] = useState<SecondFactorOffer | null>(null);
  const [recovery, setRecovery] = useState<string[] | null>(null);
  const rest = () => { setStep('rest'); setPassword(''); setCode(''); setOffer(null); };

  const begin = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      setOffer(await api<SecondFactorOffer>('POST', '/me/second-factor', { password }));
      setPassword('');
      setStep('code');
    } catch (error) {
      desk.fail(error);
    }
  };
  const confirm = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const { recovery_codes } = await api<RecoveryCodes>('PUT', '/me/second-factor', { code });
      rest();
      setRecovery(recovery_codes);
    } catch (error) {
      setCode('');
      desk.fail(error);
    }
  };
  const remove = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      await api('POST', '/me/second-factor/remove', { password, code });
      rest();
      await desk.refresh();
    } catch (error) {
      setCode('');
      desk.fail(error);
    }
  };
  // Known to be kept only when the agent says so; nothing shows them again.
  const kept = () => { setRecovery(null); void desk.refresh(); };

  const passwordField = (
    <Field label={t.ownPassword}>{(ids) => <input {...ids} class="input" type="password" required autocomplete="current-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}</Field>
  );
  const codeField = (hint: string) => (
    <Field label={t.code} hint={hint}>{(ids) => <input {...ids} class="input" required maxLength={24} autocomplete="one-time-code" autocapitalize="none" spellcheck={false} value={code} onInput={(event) => setCode(event.currentTarget.value)} />}</Field>
  );
  const actions = (label: string) => (
    <div class="dialog-actions"><Button onClick={rest}>{t.cancel}</Button><Button type="submit" tone="primary">{label}</Button></div>
  );
  return (
    <>
      {recovery && (
        <>
          <p>{t.recoveryCodes}</p>
          <ul class="recovery mono">{recovery.map((one) => <li key={one}>{one}</li>)}</ul>
          <div class="dialog-actions"><Button tone="primary" onClick={kept}>{t.recoveryKept}</Button></div>
        </>
      )}
      {!recovery && step === 'rest' && (
        <div class="setting">
          <span>{on ? t.secondFactorOn : t.secondFactorOff}</span>
          <span class="setting-actions">
            <Button small onClick={() => setStep('password')}>{on ? t.secondFactorAnew : t.secondFactorBegin}</Button>
            {on && <Button small onClick={() => setStep('removing')}>{t.remove}</Button>}
          </span>
        </div>
      )}
      {step === 'password' && <form class="form" onSubmit={begin}>{passwordField}{actions(t.next)}</form>}
      {step === 'code' && offer && (
        <form class="form" onSubmit={confirm}>
          <p>{t.scan}</p>
          {/* Four light modules around it, as the standard asks for. */}
          <svg class="qr" role="img" aria-label={t.qrCode} viewBox={`-4 -4 ${offer.qr_size + 8} ${offer.qr_size + 8}`} shape-rendering="crispEdges"><path d={offer.qr_path} /></svg>
          <p class="faint">{t.orType} <span class="mono secret">{offer.secret.match(/.{1,4}/g)?.join(' ')}</span></p>
          {codeField(t.codeHint)}
          {actions(t.confirm)}
        </form>
      )}
      {step === 'removing' && <form class="form" onSubmit={remove}>{passwordField}{codeField(t.codeOrRecovery)}{actions(t.remove)}</form>}
    </>
  );
}

/** Of what browsers call themselves, the most particular first: most name others, too. */
const BROWSERS: [RegExp, string][] = [[/\bEdg/, 'Edge'], [/\bOPR\//, 'Opera'], [/\bFirefox\/|\bFxiOS\//, 'Firefox'], [/\b(Headless)?Chrome\/|\bCriOS\//, 'Chrome'], [/\bSafari\//, 'Safari']];
const SYSTEMS: [RegExp, string][] = [[/\biPhone\b/, 'iPhone'], [/\biPad\b/, 'iPad'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'], [/\bMac OS X\b/, 'macOS'], [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux']];

/** "Firefox, Linux"; null for what is no browser known here. */
function browserName(agent: string): string | null {
  const of = (names: [RegExp, string][]) => names.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = of(BROWSERS);
  return browser ? [browser, of(SYSTEMS)].filter(Boolean).join(', ') : null;
}

function SignIns() {
  const [all, setAll] = useState<SignInView[] | null>(null);
  const load = async () => {
    try {
      setAll((await api<{ sign_ins: SignInView[] }>('GET', '/me/sign-ins')).sign_ins);
    } catch (error) {
      desk.fail(error);
    }
  };
  useEffect(() => { void load(); }, []);
  const end = async (path: string) => {
    try {
      await api('DELETE', path);
    } catch (error) {
      desk.fail(error);
    }
    await load();
  };
  return (
    <>
      {!all && <Spinner label={t.loading} />}
      <ul class="sign-ins">
        {all?.map((one) => (
          <li key={one.id} class="setting">
            <span><b title={one.browser}>{one.current ? t.thisSignIn : browserName(one.browser) ?? t.unknownBrowser}</b><small>{moment(one.began_at_ms)}{one.address ? ` · ${one.address}` : ''}</small></span>
            {!one.current && <Button small onClick={() => void end(`/me/sign-ins/${encodeURIComponent(one.id)}`)}>{t.endSignIn}</Button>}
          </li>
        ))}
      </ul>
      {all && all.length > 2 && <div class="dialog-actions"><Button onClick={() => void end('/me/sign-ins')}>{t.endOthers}</Button></div>}
    </>
  );
}
