import { useEffect, useState } from 'preact/hooks';

import { api, sitePath } from '../api';
import { useCell } from '../cell';
import { desk } from '../desk';
import type { Statistics, SuggestionStatistics } from '../protocol';
import { Avatar, Empty, Segments, Spinner } from '../ui/base';
import { duration, number, percent, t } from '../words';
import { Page } from './page';

const PERIODS = [1, 7, 30, 90];

export function StatisticsPage() {
  const site = useCell(desk, () => desk.site?.id ?? '');
  const [days, setDays] = useState(30);
  const [found, setFound] = useState<Statistics | null>(null);
  useEffect(() => {
    let here = true;
    api<Statistics>('GET', sitePath(site, `/statistics?days=${days}`)).then((statistics) => { if (here) setFound(statistics); }, (error: unknown) => desk.fail(error));
    return () => { here = false; };
  }, [site, days]);
  return (
    <Page title={t.statistics} wide actions={<Segments label={t.period} value={String(days)} options={PERIODS.map((n) => [String(n), t.days(n)])} onChange={(value) => setDays(Number(value))} />}>
      {!found ? <Spinner label={t.loading} /> : <Report found={found} />}
    </Page>
  );
}

const share = (value: number | null | undefined): string => (value == null ? '—' : percent(value));
const time = (value: number | null | undefined): string => (value == null ? '—' : duration(value));

function Report({ found }: { found: Statistics }) {
  const { suggestions } = found;
  const handoffs = Object.entries(found.handoffs).sort((a, b) => b[1] - a[1]);
  return (
    <>
      <p class="faint">{t.sessionsN(found.sessions)}{!found.complete && <> · {t.incomplete}</>}</p>
      <dl class="figures">
        <Figure name={t.acceptance} value={share(suggestions.acceptance_rate)} hint={t.acceptanceHint} />
        <Figure name={t.editDistance} value={share(suggestions.mean_edit_distance)} hint={t.editDistanceHint} />
        <Figure name={t.medianWait} value={time(found.median_wait_ms)} hint={t.medianWaitHint} />
        <Figure name={t.medianReply} value={time(found.median_reply_ms)} hint={t.medianReplyHint} />
      </dl>
      <section class="panel" aria-label={t.draftsTitle}>
        <h2>{t.draftsTitle}</h2>
        {suggestions.made === 0 ? <p class="faint">{t.noData}</p> : <Decided of={suggestions} />}
      </section>
      <div class="two">
        <section class="panel" aria-label={t.rejectWhy}><h2>{t.rejectWhy}</h2><Bars rows={suggestions.reject_reasons} tone="bad" /></section>
        <section class="panel" aria-label={t.handoffsTitle}><h2>{t.handoffsTitle}</h2><Bars rows={handoffs.map(([reason, n]) => [t.reasons[reason] ?? reason, n])} tone="wait" /></section>
      </div>
      <section class="panel" aria-label={t.perAgent}>
        <h2>{t.perAgent}</h2>
        {found.agents.length === 0 ? <Empty icon="team" title={t.noData} /> : (
          <div class="table-box" tabIndex={0} role="group" aria-label={t.perAgent}>
            <table class="table">
              <thead><tr><th scope="col">{t.name}</th><th scope="col" class="right">{t.conversations}</th><th scope="col" class="right">{t.messagesN}</th><th scope="col" class="right">{t.sent}</th><th scope="col" class="right">{t.edited}</th><th scope="col" class="right">{t.rejected}</th><th scope="col" class="right">{t.acceptance}</th><th scope="col" class="right">{t.editDistance}</th></tr></thead>
              <tbody>
                {found.agents.map(({ agent, sessions, messages, suggestions: one }) => (
                  <tr>
                    <th scope="row"><span class="who"><Avatar id={agent.id} name={agent.name} size="s" />{agent.name}</span></th>
                    <td class="right num">{number(sessions)}</td>
                    <td class="right num">{number(messages)}</td>
                    <td class="right num">{number(one.sent)}</td>
                    <td class="right num">{number(one.edited)}</td>
                    <td class="right num">{number(one.rejected)}</td>
                    <td class="right num">{share(one.acceptance_rate)}</td>
                    <td class="right num">{share(one.mean_edit_distance)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}

const Figure = ({ name, value, hint }: { name: string; value: string; hint: string }) => (
  <div class="figure"><dt>{name}</dt><dd class="num">{value}</dd><dd class="faint">{hint}</dd></div>
);

function Decided({ of }: { of: SuggestionStatistics }) {
  const undecided = Math.max(0, of.made - of.sent - of.edited - of.rejected);
  const parts: [string, number, string][] = [[t.sent, of.sent, 'sent'], [t.edited, of.edited, 'edited'], [t.rejected, of.rejected, 'rejected'], [t.undecided, undecided, 'undecided']];
  let at = 0;
  return (
    <>
      <svg class="stack" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(([, n, tone]) => { const x = at; const width = (100 * n) / of.made; at += width; return width > 0 && <rect class={`stack-${tone}`} x={x} width={Math.max(0.2, width - 0.25)} height="6" />; })}
      </svg>
      <ul class="legend">
        {parts.map(([name, n, tone]) => <li><i class={`key key-${tone}`} aria-hidden="true" />{name} <b class="num">{number(n)}</b> <span class="faint num">{percent(n / of.made)}</span></li>)}
      </ul>
    </>
  );
}

function Bars({ rows, tone }: { rows: [string, number][]; tone: string }) {
  if (rows.length === 0) return <p class="faint">{t.noData}</p>;
  const most = Math.max(...rows.map(([, n]) => n));
  return (
    <ul class="bars">
      {rows.slice(0, 8).map(([name, n]) => (
        <li>
          <span class="bar-name" dir="auto">{name}</span>
          <svg class={`bar bar-${tone}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={(100 * n) / most} height="8" rx="1" /></svg>
          <span class="num">{number(n)}</span>
        </li>
      ))}
    </ul>
  );
}
