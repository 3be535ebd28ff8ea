// The site's files over HTTP, and how each was understood: the one place that knows how the server
// tells them.

import { api, sitePath } from './api';

export interface File { id: string; bytes: number }
/** What stands in a file, or beside the files, and was left out or couldn't be used. `line`: null for the whole. */
export interface Remark { path: string; line: number | null; reason: string }
export interface Files { files: File[]; left_out: Remark[] }

/** Who learns what a column says. */
export type Telling = 'told' | 'used' | 'never' | 'left_out';
/** `name` is empty without one, `kind` null if it isn't understood; options carry their place. */
export interface Column { name: string; kind: string | Record<string, number> | null; telling: Telling; why: string }
export interface Table {
  sheet: string;
  /** Lines of the file that are its header; none without one. */
  header: number[];
  columns: Column[];
  rows: number;
  products: number;
  left_out: { reason: string; rows: number; line: number }[];
}
export interface Explained {
  path: string;
  encoding: string | null;
  documents: number;
  passages: number;
  products: number;
  tables: Table[];
  notes: Remark[];
  sample: string[];
}

/** What a document that was handed in is called; those of the folder have their path. */
export const HANDED_IN = 'api:';

/** The kind of a column, and its place if it is one of several of the kind. */
export const kindOf = ({ kind }: Column): [string, number | null] => {
  if (kind === null || typeof kind === 'string') return [kind ?? '', null];
  return Object.entries(kind)[0] ?? ['', null];
};

export const loadFiles = (site: string): Promise<Files> => api('GET', sitePath(site, '/files'));
export const explain = (site: string, id: string): Promise<Explained> => api('GET', sitePath(site, `/files/${id.split('/').map(encodeURIComponent).join('/')}`));
