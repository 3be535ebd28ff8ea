// What the loader hands to the panel when the chat is opened for the first time.

import type { Change, Talk } from '../shared/talk.ts';
import type { Launcher as LauncherTexts, Panel as PanelTexts } from './lang/en.ts';
import type { Settings } from './settings.ts';

export interface Context {
  /** Where the panel puts itself. */
  root: ShadowRoot;
  /** Carries language, direction and theme. */
  frame: HTMLElement;
  server: string;
  language: string;
  /** Texts in the language, if it isn't English. */
  texts: Partial<PanelTexts> | null;
  settings: Settings;
  talk: Talk;
  close: () => void;
  /** Tells the page's own code. */
  emit: (event: string, detail: unknown) => void;
}

/** The panel, as the loader sees it. */
export interface View {
  show: (focus: boolean) => void;
  hide: () => void;
  changed: (change: Change) => void;
  destroy: () => void;
}

export interface PanelModule {
  mount: (context: Context) => View;
}

/** A language other than English. */
export interface LanguageModule {
  launcher: Partial<LauncherTexts>;
  panel: Partial<PanelTexts>;
}
