import { useEffect, useState } from 'preact/hooks';

import { api, sitePath } from '../api';
import { useCell } from '../cell';
import { desk } from '../desk';
import type { Account, Presence, Role } from '../protocol';
import { Avatar, Button, Confirm, Dialog, Field, Pill, Spinner } from '../ui/base';
import { day, number, t } from '../words';
import { Page } from './page';

export function Team() {
  const presence = useCell(desk, () => desk.presence);
  const site = useCell(desk, () => desk.site?.id ?? '');
  const admin = useCell(desk, () => desk.admin);
  const [accounts, setAccounts] = useState<Account[] | null>(null);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Account | null>(null);

  const load = async () => {
    try {
      const { accounts = [] } = await api<{ presence: Presence[]; accounts?: Account[] }>('GET', sitePath(site, '/agents'));
      setAccounts(accounts);
    } catch (error) {
      desk.fail(error);
    }
  };
  useEffect(() => { void load(); }, [site, presence.length]);

  const change = async (account: Account, body: { role?: Role; limit?: number }) => {
    try {
      await api('PUT', sitePath(site, `/agents/${encodeURIComponent(account.agent.id)}`), body);
      desk.toast(t.saved, 'good');
    } catch (error) {
      desk.fail(error);
    }
    await load();
  };
  const remove = async (account: Account) => {
    try {
      await api('DELETE', sitePath(site, `/agents/${encodeURIComponent(account.agent.id)}`));
    } catch (error) {
      desk.fail(error);
    }
    await load();
  };

  const byId = new Map(accounts?.map((account) => [account.agent.id, account]));
  // Whoever has an account but was never here has no presence yet.
  const rows = [
    ...presence.map((one) => ({ agent: one.agent, presence: one as Presence | null, account: byId.get(one.agent.id) ?? null })),
    ...(accounts ?? []).filter(({ agent }) => !presence.some((one) => one.agent.id === agent.id)).map((account) => ({ agent: account.agent, presence: null, account })),
  ].sort((a, b) => a.agent.name.localeCompare(b.agent.name));

  return (
    <Page title={t.team} hint={t.teamHint} wide actions={admin && <Button tone="primary" icon="plus" onClick={() => setAdding(true)}>{t.addAgent}</Button>}>
      {!accounts && <Spinner label={t.loading} />}
      <div class="table-box" tabIndex={0} role="group" aria-label={t.team}>
        <table class="table">
          <thead><tr><th scope="col">{t.name}</th><th scope="col">{t.status}</th><th scope="col" class="right">{t.holds}</th><th scope="col">{t.role}</th><th scope="col">{t.limit}</th>{admin && <><th scope="col">{t.since}</th><th scope="col"><span class="unseen">{t.remove}</span></th></>}</tr></thead>
          <tbody>
            {rows.map(({ agent, presence, account }) => {
              const role = account?.roles[site] ?? presence?.role ?? 'agent';
              const self = agent.id === desk.id;
              return (
                <tr key={agent.id}>
                  <th scope="row"><span class="who"><Avatar id={agent.id} name={agent.name} /><span>{self ? t.me(agent.name) : agent.name}{account && <small class="mono">{account.login}{account.second_factor ? ` · ${t.secondFactor}` : ''}{account.temporary ? ` · ${t.temporary}` : ''}</small>}</span></span></th>
                  <td>{presence?.online ? <Pill tone={presence.available ? 'good' : 'wait'}>{presence.available ? t.available : t.away}</Pill> : <Pill>{t.offline}</Pill>}</td>
                  <td class="right num">{number(presence?.held ?? 0)}</td>
                  <td>
                    {admin && account && !self ? (
                      <select class="input is-small" aria-label={`${t.role}: ${agent.name}`} value={role} onChange={(event) => void change(account, { role: event.currentTarget.value as Role })}>
                        <option value="agent">{t.roles.agent}</option>
                        <option value="admin">{t.roles.admin}</option>
                      </select>
                    ) : t.roles[role]}
                  </td>
                  <td>
                    {admin && account ? (
                      <input class="input is-small num" type="number" min={0} max={100} aria-label={`${t.limit}: ${agent.name}`} value={account.limit} onChange={(event) => { const limit = event.currentTarget.valueAsNumber; if (Number.isInteger(limit) && limit >= 0) void change(account, { limit }); }} />
                    ) : <span class="num">{presence?.limit ?? '—'}</span>}
                  </td>
                  {admin && <td class="faint">{account ? day(account.created_at_ms) : ''}</td>}
                  {admin && <td class="right">{account && !self && <Button icon="trash" tone="quiet" small label={`${t.remove}: ${agent.name}`} onClick={() => setRemoving(account)} />}</td>}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {adding && <Add site={site} onClose={() => setAdding(false)} onAdded={(name) => { desk.toast(t.added(name), 'good'); void load(); }} />}
      {removing && <Confirm title={t.removeAgent(removing.agent.name)} hint={t.removeAgentHint} yes={t.remove} danger onYes={() => void remove(removing)} onClose={() => setRemoving(null)} />}
    </Page>
  );
}

function Add({ site, onClose, onAdded }: { site: string; onClose: () => void; onAdded: (name: string) => void }) {
  const [value, setValue] = useState({ login: '', name: '', password: '', role: 'agent' as Role, limit: 4 });
  const [busy, setBusy] = useState(false);
  const set = (change: Partial<typeof value>) => setValue({ ...value, ...change });
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    const { login, name, password, role, limit } = value;
    try {
      await api<Account>('POST', sitePath(site, '/agents'), { login, name, password, limit, temporary: true, roles: { [site]: role } });
      onClose();
      onAdded(name);
    } catch (error) {
      desk.fail(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t.addAgent} onClose={onClose} wide>
      <form class="form" onSubmit={add}>
        <div class="form-row">
          <Field label={t.name} hint={t.nameHint}>{(ids) => <input {...ids} class="input" required maxLength={80} autocomplete="off" dir="auto" value={value.name} onInput={(event) => set({ name: event.currentTarget.value })} />}</Field>
          <Field label={t.login}>{(ids) => <input {...ids} class="input" required maxLength={64} autocomplete="off" autocapitalize="none" spellcheck={false} value={value.login} onInput={(event) => set({ login: event.currentTarget.value })} />}</Field>
        </div>
        <Field label={t.password} hint={t.passwordHint}>{(ids) => <input {...ids} class="input" type="password" required minLength={10} maxLength={200} autocomplete="new-password" value={value.password} onInput={(event) => set({ password: event.currentTarget.value })} />}</Field>
        <div class="form-row">
          <Field label={t.role}>{(ids) => <select {...ids} class="input" value={value.role} onChange={(event) => set({ role: event.currentTarget.value as Role })}><option value="agent">{t.roles.agent}</option><option value="admin">{t.roles.admin}</option></select>}</Field>
          <Field label={t.limit} hint={t.limitHint}>{(ids) => <input {...ids} class="input num" type="number" min={0} max={100} required value={value.limit} onInput={(event) => set({ limit: event.currentTarget.valueAsNumber })} />}</Field>
        </div>
        <div class="dialog-actions"><Button onClick={onClose}>{t.cancel}</Button><Button type="submit" tone="primary" busy={busy}>{t.addAgent}</Button></div>
      </form>
    </Dialog>
  );
}
