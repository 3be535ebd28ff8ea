// Search over everything that was ever said or noted on the site.

import { useEffect, useRef, useState } from 'preact/hooks';

import { api, sitePath } from '../api';
import { desk } from '../desk';
import type { Found, FoundSession } from '../protocol';
import { address, follow } from '../route';
import { findWords, highlight } from '../text';
import { Avatar, Button, Empty, Pill, Spinner } from '../ui/base';
import { moment, t, visitorCode, visitorName } from '../words';
import { Page } from './page';

/** The last search stands when one comes back to the page. */
let kept: { query: string; found: FoundSession[]; next: string | undefined; read: number } | null = null;

export function Search() {
  const [query, setQuery] = useState(kept?.query ?? '');
  const [result, setResult] = useState(kept);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  const search = async (after?: string) => {
    const words = after === undefined ? query.trim() : result?.query ?? '';
    if (!words || !desk.site) return;
    setBusy(true);
    try {
      const more = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
      const page = await api<Found>('GET', sitePath(desk.site.id, `/search?q=${encodeURIComponent(words)}&limit=20${more}`));
      const before = after === undefined ? null : result;
      kept = { query: words, found: [...(before?.found ?? []), ...page.sessions], next: page.next ?? undefined, read: (before?.read ?? 0) + page.read };
      setResult(kept);
    } catch (error) {
      desk.fail(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Page title={t.searchTitle}>
      <form class="search-bar" role="search" onSubmit={(event) => { event.preventDefault(); void search(); }}>
        <input ref={input} class="input" type="search" aria-label={t.searchHint} placeholder={t.searchHint} value={query} maxLength={400} onInput={(event) => setQuery(event.currentTarget.value)} />
        <Button type="submit" tone="primary" icon="search" busy={busy}>{t.searchGo}</Button>
      </form>
      <div role="status">
        {result && <p class="faint found-count">{t.sessionsN(result.found.length)} · {t.searchRead(result.read)}</p>}
      </div>
      {!result && !busy && <Empty icon="search" title={t.searchAll}>{t.searchStart}</Empty>}
      {busy && !result && <Spinner label={t.loading} />}
      {result && result.found.length === 0 && <Empty icon="search" title={t.searchEmpty} />}
      <ol class="found">
        {result?.found.map((one) => (
          <li>
            <a class="found-link" href={address({ page: 'inbox', session: one.session })} onClick={(event) => follow(event, { page: 'inbox', session: one.session })}>
              <span class="found-head">
                <Avatar id={one.visitor} name={visitorCode(one.visitor, 2)} kind="visitor" size="s" />
                <b dir="auto">{visitorName(one.visitor)}</b>
                {one.ended && <Pill>{t.by.ended}</Pill>}
                <span class="faint">{one.channel}</span>
                <time class="row-time">{moment(one.last_at_ms)}</time>
              </span>
              {one.matches.map((match) => (
                <span class="found-match" dir="auto">
                  <span class="found-by">{match.by === 'visitor' ? t.visitorWord : match.by === 'model' ? t.assistant : t.roles.agent}</span>
                  <span>{highlight(match.text, findWords(match.text, result.query)).map((part) => (part.marked ? <mark>{part.text}</mark> : part.text))}</span>
                </span>
              ))}
            </a>
          </li>
        ))}
      </ol>
      {result?.next !== undefined && <p class="center"><Button busy={busy} onClick={() => void search(result.next)}>{t.searchMore}</Button></p>}
    </Page>
  );
}
