// What the site's server says about its chat: `GET /v1/sites/{site}/widget.json`.

export interface Rule {
  path: string;
  after_s: number;
  scroll_percent: number;
  text: string;
  texts?: Record<string, string>;
}

export interface Settings {
  site: string;
  title: string;
  contact: string;
  language: string;
  accent: string;
  theme: 'auto' | 'light' | 'dark';
  position: 'end' | 'start';
  launcher: boolean;
  /** Path of the logo on the server. */
  logo: string | null;
  greeting: string;
  quick_replies: string[];
  languages: string[];
  draft: boolean;
  /** Nothing is sent without a person: the assistant drafts, people answer. Missing from servers of before this field. */
  suggest?: boolean;
  privacy_url: string | null;
  link_hosts: string[];
  translations: Record<string, { title: string; greeting: string; quick_replies: string[] }>;
  proactive: Rule[];
}

/** The title, greeting and quick replies in a language, where the site has them. */
export function localised(settings: Settings, language: string): { title: string; greeting: string; quickReplies: string[] } {
  const own = settings.translations[language];
  // A greeting in another language than the rest of the chat would look like a mistake.
  const same = language === settings.language;
  return {
    title: own?.title || settings.title,
    greeting: own?.greeting || (same ? settings.greeting : ''),
    quickReplies: own?.quick_replies.length ? own.quick_replies : same ? settings.quick_replies : [],
  };
}

/** Asks the server; a refusal is an error with the server's words. */
export async function fetchSettings(server: string, site: string): Promise<Settings> {
  const response = await fetch(`${server}/v1/sites/${encodeURIComponent(site)}/widget.json`, { credentials: 'omit' });
  const body = await response.json();
  if (!response.ok) throw new Refused(String(body?.error?.message ?? response.status));
  return body as Settings;
}

/** The server said no, and will again. */
export class Refused extends Error {}
