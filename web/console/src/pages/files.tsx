// The site's files, and how each was understood: what a shop sees before a visitor hears it.

import { useEffect, useId, useState } from 'preact/hooks';

import { useCell } from '../cell';
import { desk } from '../desk';
import { type Column, explain, type Explained, type File, type Files, HANDED_IN, kindOf, loadFiles, type Remark, type Table, type Telling } from '../files';
import { Button, Empty, Pill, Spinner } from '../ui/base';
import { Icon } from '../ui/icons';
import { number, t } from '../words';
import { Page } from './page';

/** Files and columns that are shown at once; a search finds the others. */
const SHOWN = 200;

export function FilesPage() {
  const site = useCell(desk, () => desk.site?.id ?? '');
  const [found, setFound] = useState<Files | null>(null);
  const [failed, setFailed] = useState(false);
  const [wanted, setWanted] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const [round, again] = useState(0);
  useEffect(() => {
    let here = true;
    setFound(null);
    setFailed(false);
    setOpen(null);
    loadFiles(site).then(
      (files) => { if (here) setFound(files); },
      (error: unknown) => { desk.fail(error); if (here) setFailed(true); },
    );
    return () => { here = false; };
  }, [site, round]);
  const sought = wanted.trim().toLowerCase();
  const files = found?.files.filter(({ id }) => id.toLowerCase().includes(sought)) ?? [];
  return (
    <Page title={t.files} hint={t.filesHint}>
      {!found && !failed && <Spinner label={t.loading} />}
      {failed && <Empty icon="file" title={t.filesFailed} action={<Button small onClick={() => again(round + 1)}>{t.retry}</Button>} />}
      {found && found.files.length === 0 && <Empty icon="file" title={t.filesNone}>{t.filesNoneHint}</Empty>}
      {found && found.left_out.length > 0 && <section class="file-beside"><h2>{t.filesLeftOut}</h2><Remarks of={found.left_out} named /></section>}
      {found && found.files.length > 0 && (
        <input class="input" type="search" aria-label={t.filesSearch} placeholder={t.filesSearch} value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      )}
      {found && found.files.length > 0 && files.length === 0 && <p class="faint center">{t.filesNotFound}</p>}
      <ul class="file-list">
        {files.slice(0, SHOWN).map((file) => <FileView key={file.id} file={file} site={site} open={open === file.id} onOpen={() => setOpen(open === file.id ? null : file.id)} />)}
      </ul>
      {files.length > SHOWN && <p class="faint center">{t.filesMore(files.length - SHOWN)}</p>}
    </Page>
  );
}

function FileView({ file, site, open, onOpen }: { file: File; site: string; open: boolean; onOpen: () => void }) {
  const handedIn = file.id.startsWith(HANDED_IN);
  const body = useId();
  return (
    <li class="file">
      <h2 class="file-title">
        <button type="button" class="file-head" aria-expanded={open} aria-controls={open ? body : undefined} onClick={onOpen}>
          <Icon name="file" size={16} />
          <span class="file-name" dir="auto">{handedIn ? file.id.slice(HANDED_IN.length) : file.id}</span>
          {handedIn && <Pill>{t.fileHandedIn}</Pill>}
          <span class="faint num">{t.kilobytes(Math.ceil(file.bytes / 1024))}</span>
          <Icon name={open ? 'down' : 'right'} size={16} />
        </button>
      </h2>
      {open && <div class="file-body" id={body}><Explanation site={site} id={file.id} /></div>}
    </li>
  );
}

function Explanation({ site, id }: { site: string; id: string }) {
  const [told, setTold] = useState<Explained | null>(null);
  const [failed, setFailed] = useState(false);
  const [round, again] = useState(0);
  useEffect(() => {
    let here = true;
    setFailed(false);
    explain(site, id).then(
      (explained) => { if (here) setTold(explained); },
      (error: unknown) => { if (here) { desk.fail(error); setFailed(true); } },
    );
    return () => { here = false; };
  }, [site, id, round]);
  if (failed) return <p>{t.fileFailed} <Button small onClick={() => again(round + 1)}>{t.retry}</Button></p>;
  if (!told) return <Spinner label={t.fileReading} />;
  return (
    <>
      <p class="file-sum">{t.fileHolds(told.documents, told.passages, told.products)}{told.encoding !== null && told.encoding !== 'UTF-8' && <> · {t.fileEncoding(told.encoding)}</>}</p>
      {told.notes.length > 0 && <section><h3>{t.fileNotes}</h3><Remarks of={told.notes} /></section>}
      {told.tables.map((table, at) => <TableView key={at} table={table} />)}
      {told.sample.length > 0 && <section><h3>{t.fileSample}</h3><ul class="file-sample">{told.sample.map((text, at) => <li key={at} dir="auto">{text}</li>)}</ul></section>}
    </>
  );
}

const Remarks = ({ of, named }: { of: Remark[]; named?: boolean }) => (
  <ul class="file-remarks">
    {of.slice(0, SHOWN).map(({ path, line, reason }, at) => <li key={at}>{named && <b class="file-name" dir="auto">{path}</b>}{line !== null && <span class="faint num">{t.line(line)}</span>} <span lang="en" dir="auto">{reason}</span></li>)}
    {of.length > SHOWN && <li class="faint">{t.remarksMore(of.length - SHOWN)}</li>}
  </ul>
);

const TONES: Record<Telling, 'good' | 'plain' | 'bad' | 'wait'> = { told: 'good', used: 'plain', never: 'bad', left_out: 'wait' };

function TableView({ table: { sheet, header, columns, rows, products, left_out: leftOut } }: { table: Table }) {
  const title = sheet === '' ? t.tableUnder(header) : t.tableOfSheet(sheet, t.tableUnder(header));
  const kind = (column: Column) => {
    const [name, place] = kindOf(column);
    const known = t.columnKinds[name] ?? name;
    return place === null ? known : `${known} ${number(place)}`;
  };
  return (
    <section>
      <h3>{title} · {t.tableHolds(rows, products)}</h3>
      <div class="table-box" tabIndex={0} role="group" aria-label={title}>
        <table class="table file-table">
          <thead><tr><th scope="col">{t.column}</th><th scope="col">{t.columnKind}</th><th scope="col">{t.columnTelling}</th><th scope="col">{t.columnWhy}</th></tr></thead>
          <tbody>
            {columns.slice(0, SHOWN).map((column, at) => (
              <tr key={at}>
                <th scope="row" dir="auto">{column.name || <span class="faint">{t.columnN(at + 1)}</span>}</th>
                <td>{column.kind === null ? <span class="faint">{t.columnUnknown}</span> : kind(column)}</td>
                <td><Pill tone={TONES[column.telling]}>{t.tellings[column.telling]}</Pill></td>
                <td class="faint" lang="en">{column.why}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {columns.length > SHOWN && <p class="faint">{t.columnsMore(columns.length - SHOWN)}</p>}
      {leftOut.length > 0 && <ul class="file-remarks">{leftOut.map(({ reason, rows, line }) => <li key={reason}>{t.rowsLeftOut(rows, line)} <span lang="en">{reason}</span></li>)}</ul>}
    </section>
  );
}
