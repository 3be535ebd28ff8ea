import { useEffect, useRef, useState } from 'preact/hooks';

import { api, ApiError } from '../api';
import { desk } from '../desk';
import type { OidcProblem, WaysIn } from '../protocol';
import { Button, Field, Segments } from '../ui/base';
import { Icon } from '../ui/icons';
import { type Language, LANGUAGES, language, t } from '../words';

/** Why a sign-in at the issuer led nowhere: the server sent the browser back with it, once. */
const returned = new URLSearchParams(location.search).get('oidc');
if (returned !== null) history.replaceState(null, '', location.pathname);

/** The page that sent its reader here to sign in. */
const WANTED = new URLSearchParams(location.search).get('to');

const said = (problem: string): string => t.oidc[problem as OidcProblem] ?? t.oidc.failed;

export function SignIn({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const [problem, setProblem] = useState<string | null>(returned === null ? desk.signInProblem : said(returned));
  const [issuer, setIssuer] = useState<string | null>(null);
  const login = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  /** Whether the account has a second factor: known once the password was right. */
  const [second, setSecond] = useState(false);
  const code = useRef<HTMLInputElement>(null);
  useEffect(() => code.current?.focus(), [second]);
  useEffect(() => login.current?.focus(), []);
  // Without an answer there is the password.
  useEffect(() => void api<WaysIn>('GET', '/sign-in').then((ways) => setIssuer(ways.oidc ?? null), () => {}), []);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await desk.signIn(login.current?.value.trim() ?? '', password.current?.value ?? '', code.current?.value.trim() ?? '');
    } catch (error) {
      if (error instanceof ApiError && error.code === 'code_required') return setSecond(true);
      setProblem(explain(error, second));
      (code.current ?? password.current)?.select();
    } finally {
      setBusy(false);
    }
  };

  return (
    <main class="sign-in">
      <form class="sign-in-card" onSubmit={submit}>
        <span class="mark mark-large"><Icon name="bell" size={26} /></span>
        <h1>{t.signInTitle}</h1>
        <Field label={t.login}>
          {(ids) => <input {...ids} ref={login} class="input" name="login" autocomplete="username" autocapitalize="none" spellcheck={false} required aria-invalid={problem ? true : undefined} />}
        </Field>
        <Field label={t.password}>
          {(ids) => (
            <span class="input-with">
              <input {...ids} ref={password} class="input" name="password" {...{ type: shown ? 'text' : 'password' } as { type: 'password' }} autocomplete="current-password" required aria-invalid={problem ? true : undefined} />
              <Button icon="eye" tone="quiet" small label={shown ? t.hidePassword : t.showPassword} pressed={shown} onClick={() => setShown(!shown)} />
            </span>
          )}
        </Field>
        {second && (
          <Field label={t.code} hint={t.codeOrRecovery}>
            {(ids) => <input {...ids} ref={code} class="input" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck={false} required aria-invalid={problem ? true : undefined} />}
          </Field>
        )}
        <p class="problem" role="alert">{problem}</p>
        <Button type="submit" tone="primary" busy={busy} class="wide">{t.signIn}</Button>
        {issuer !== null && <a class="button is-plain wide" href={`/v1/console/oidc/sign-in${WANTED === 'insight' ? '?to=insight' : ''}`}>{t.signInAt(issuer)}</a>}
        <p class="faint">{t.signInHint}</p>
      </form>
      <Segments
        label={t.languageLabel}
        value={language}
        options={(Object.keys(LANGUAGES) as Language[]).map((one) => [one, LANGUAGES[one].language])}
        onChange={onLanguage}
      />
    </main>
  );
}

function explain(error: unknown, second: boolean): string {
  if (!(error instanceof ApiError)) throw error;
  if (error.code === 'cookie') return t.cookieProblem;
  if (error.status === 401) return second ? t.codeWrong : t.signInWrong;
  if (error.status === 429) return t.signInLater(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000)));
  if (error.status === 0) return t.signInUnreachable;
  return t.signInFailed(error.message);
}
