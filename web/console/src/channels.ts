// Accounts on messaging platforms over HTTP: the one place that knows how the server tells them.

import { api, sitePath } from './api';

export interface Account {
  account: string;
  platform: string;
  /** 0: not since the server started. */
  last_in_ms: number;
  last_out_ms: number;
  /** Messages that wait to be sent. */
  unsent: number;
  /** Why nothing goes out until an operator mends it. */
  stopped?: string;
  /** Why the last request failed, if it did. */
  failing?: string;
  /** Why its mailbox is not read now, if it has one. */
  unread?: string;
  /** Webhooks that were not the platform's, and why the last one was not. */
  rejected: number;
  last_rejected?: string;
}

export const loadAccounts = async (site: string): Promise<Account[]> =>
  (await api<{ channels: Account[] }>('GET', sitePath(site, '/channels'))).channels;
