// Canned replies of the site, loaded once and after every change.

import { api, sitePath } from './api';
import { Cell } from './cell';
import { desk } from './desk';
import type { Canned } from './protocol';

class CannedReplies extends Cell {
  all: Canned[] = [];
  loaded = false;
  #site = '';

  async load(anew = false): Promise<void> {
    const site = desk.site?.id;
    if (!site || (this.#site === site && !anew)) return;
    this.#site = site;
    try {
      const { canned } = await api<{ canned: Canned[] }>('GET', sitePath(site, '/canned'));
      this.all = canned;
      this.loaded = true;
      this.changed();
    } catch (error) {
      this.#site = '';
      desk.fail(error);
    }
  }

  /** Those whose shortcut or title begins with what was typed, shortcuts first. */
  matching(all: Canned[], typed: string): Canned[] {
    const wanted = typed.toLowerCase();
    const short = all.filter(({ shortcut }) => shortcut.startsWith(wanted));
    const titled = all.filter((one) => !short.includes(one) && one.title.toLowerCase().includes(wanted));
    return [...short, ...titled].slice(0, 6);
  }
}

export const cannedReplies = new CannedReplies();
