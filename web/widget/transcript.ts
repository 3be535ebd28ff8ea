// The conversation as a text file.

import type { Say } from '../shared/i18n.ts';
import type { Item } from '../shared/talk.ts';
import { moment } from './when.ts';
import type { Panel } from './lang/en.ts';

export function transcript(items: readonly Item[], say: Say<Panel>, title: string, language: string): string {
  const date = new Date().toLocaleString(language, { dateStyle: 'long', timeStyle: 'short' });
  const parts = [say('transcript_title', { title }), say('transcript_saved', { date }), ''];
  for (const item of items) {
    const at = item.at ? `[${moment(item.at, language)}] ` : '';
    if (item.kind === 'said') parts.push(`${at}${say('you')}:`, item.text, '');
    else if (item.kind === 'agent') parts.push(`${at}${item.name} (${say('person')}):`, item.text, '');
    else if (item.kind === 'note') parts.push(`${at}${say(`note_${item.what}`, { name: item.name })}`, '');
    else if (item.kind === 'answer' && item.text) {
      parts.push(`${at}${say('assistant')}:`, item.text);
      for (const { title: source, document, url, related } of item.citations.values()) if (!related) parts.push(`— ${source || document}${url ? ` ${url}` : ''}`);
      parts.push('');
    }
  }
  return parts.join('\n');
}

/** Has the browser save a text. */
export function save(name: string, text: string): void {
  // The mark tells old editors that the text is UTF-8.
  const url = URL.createObjectURL(new Blob(['\uFEFF', text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
