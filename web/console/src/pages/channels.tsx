// Accounts on messaging platforms: whether they are connected, what waits to be sent, and what was refused.

import { useEffect, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { type Account, loadAccounts } from '../channels';
import { desk } from '../desk';
import { Button, Empty, Pill, Spinner } from '../ui/base';
import { useNow } from '../ui/clock';
import { ago, moment, number, t } from '../words';
import { Page } from './page';

/** Milliseconds between two looks while the page is open. */
const AGAIN_MS = 10_000;

export function Channels() {
  const site = useCell(desk, () => desk.site?.id ?? '');
  const [found, setFound] = useState<Account[] | null>(null);
  const [failed, setFailed] = useState(false);
  const [round, again] = useState(0);
  useEffect(() => {
    let here = true;
    const look = () => loadAccounts(site).then(
      (accounts) => { if (here) { setFound(accounts); setFailed(false); } },
      (error: unknown) => { if (here && !failed) { desk.fail(error); setFailed(true); } },
    );
    void look();
    const timer = setInterval(() => void look(), AGAIN_MS);
    return () => { here = false; clearInterval(timer); };
  }, [site, round]);
  return (
    <Page title={t.channels} hint={t.channelsHint}>
      {!found && !failed && <Spinner label={t.loading} />}
      {failed && <Empty icon="link" title={t.channelsFailed} action={<Button small onClick={() => again(round + 1)}>{t.retry}</Button>} />}
      {found?.length === 0 && <Empty icon="link" title={t.channelsNone}>{t.channelsNoneHint}</Empty>}
      <ul class="channel-list">{found?.map((account) => <AccountView key={account.account} account={account} />)}</ul>
    </Page>
  );
}

function AccountView({ account }: { account: Account }) {
  const now = useNow();
  const at = (ms: number) => (ms === 0 ? t.channelNever : <time title={moment(ms)}>{ago(ms, now)}</time>);
  const state = account.stopped !== undefined ? <Pill tone="bad">{t.channelStopped}</Pill>
    : account.failing !== undefined || account.unread !== undefined ? <Pill tone="wait">{t.channelFailing}</Pill>
    : account.last_in_ms === 0 && account.last_out_ms === 0 ? <Pill>{t.channelSilent}</Pill>
    : <Pill tone="good" icon="check">{t.channelConnected}</Pill>;
  return (
    <li class="channel">
      <h2 class="channel-head"><span>{account.account}</span>{account.account !== account.platform && <span class="faint">{account.platform}</span>}{state}</h2>
      <dl class="channel-facts">
        <div><dt>{t.channelLastIn}</dt><dd>{at(account.last_in_ms)}</dd></div>
        <div><dt>{t.channelLastOut}</dt><dd>{at(account.last_out_ms)}</dd></div>
        <div><dt>{t.channelUnsent}</dt><dd class="num">{number(account.unsent)}</dd></div>
        <div><dt>{t.channelRejected}</dt><dd class="num">{number(account.rejected)}</dd></div>
      </dl>
      {account.stopped !== undefined && <p>{t.channelStoppedBy} <q dir="auto">{account.stopped}</q> {t.channelStoppedHint}</p>}
      {account.stopped === undefined && account.failing !== undefined && <p>{t.channelFailedBy} <q dir="auto">{account.failing}</q></p>}
      {account.unread !== undefined && <p>{t.channelUnread} <q dir="auto">{account.unread}</q></p>}
      {account.last_rejected !== undefined && <p class="faint">{t.channelRejectedBy} <q dir="auto">{account.last_rejected}</q></p>}
    </li>
  );
}
