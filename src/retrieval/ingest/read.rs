//! One file → its documents, on a thread of its own.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::isolated::{self, Isolation};
use super::records::{self, BadRecord, Record};
use super::text::{self, Meta};
use super::walk::Format;
use super::{Extracted, Found, clauses, encoding, html, inbox, json, markdown, table, tabular};
use crate::grounding;
use crate::retrieval::ingest::table::Sheet;
use crate::retrieval::{Audience, Passage, chunk};

pub(super) struct Reader {
    pub(super) site: String,
    pub(super) path: PathBuf,
    /// The file's id.
    pub(super) id: String,
    pub(super) format: Format,
    /// See [`super::walk::File::about`].
    pub(super) about: Vec<PathBuf>,
    /// What those files say; read first.
    pub(super) defaults: Meta,
    /// See [`super::walk::File::handed_in`].
    pub(super) handed_in: bool,
    pub(super) passage_tokens: usize,
    pub(super) max_bytes: u64,
    pub(super) isolation: Isolation,
    /// Hashes of the documents in the index, by id.
    pub(super) known: Arc<HashMap<String, String>>,
    /// Whether to say what texts of a document are in none of its passages.
    pub(super) explain: bool,
}

/// Lines of a JSON Lines file that are looked at before the first is taken.
const LINES_AHEAD: usize = 50;

/// Nobody listens any more: the file took too long.
struct Departed;

type Sender = mpsc::Sender<Found>;

/// A document's text before it is cut.
struct Source {
    id: String,
    hash: String,
    meta: Meta,
    /// What the document is called if it doesn't say.
    fallback_title: String,
    /// Its language if neither it nor its text says.
    fallback_language: Option<&'static str>,
}

impl Reader {
    pub(super) fn run(mut self, sender: &Sender) {
        match self.defaults() {
            Ok(defaults) => self.defaults = defaults,
            // A document that is for agents, says a file that can't be read, must not stay public.
            Err(reason) => {
                drop(broken(sender, reason, true));
                return;
            }
        }
        for reason in &self.defaults.warnings {
            drop(send(sender, Found::Incomplete { line: None, reason: reason.clone() }));
        }
        let outcome = match self.format {
            Format::JsonLines => self.json_lines(sender),
            _ => self.whole(sender),
        };
        // Whoever isn't there any more doesn't need to be told.
        drop(outcome);
    }

    /// What the files beside the document say, the nearest one first.
    fn defaults(&self) -> Result<Meta, String> {
        const MAX_BYTES: u64 = 64 << 10;
        let mut defaults = self.defaults.clone();
        for path in &self.about {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let mut bytes = Vec::new();
            File::open(path)
                .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
                .map_err(|error| format!("{name} can't be read: {error}"))?;
            if bytes.len() as u64 > MAX_BYTES {
                return Err(format!("{name} has more than {MAX_BYTES} bytes"));
            }
            let meta = text::decode(&bytes).and_then(|text| markdown::meta_file(&text));
            let meta = meta.map_err(|reason| format!("{name}: {reason}"))?;
            let warnings = meta.warnings.iter().map(|warning| format!("{name}: {warning}"));
            defaults.warnings.extend(warnings);
            defaults = defaults.over(&meta);
        }
        Ok(defaults)
    }

    /// The hash of a document that is one file: what is said about it belongs to it.
    fn hash(&self, bytes: &[u8]) -> String {
        let defaults = Meta { warnings: Vec::new(), ..self.defaults.clone() };
        if defaults == Meta::default() {
            return hex(bytes);
        }
        hex(format!("{} {defaults:?}", hex(bytes)).as_bytes())
    }

    fn whole(&self, sender: &Sender) -> Result<(), Departed> {
        let bytes = match self.bytes() {
            Ok(bytes) => bytes,
            Err(reason) => return broken(sender, reason, false),
        };
        let hash = self.hash(&bytes);
        let is_records =
            matches!(self.format, Format::Csv | Format::Json | Format::Workbook | Format::Xml);
        let is_records = is_records || self.format == Format::Text && bytes.contains(&b'\t');
        if !is_records && self.is_known(&self.id, &hash) {
            return send(sender, Found::Unchanged { id: self.id.clone() });
        }
        if let Some(format) = self.format.isolated() {
            return self.isolated(format, bytes, hash, sender);
        }
        let declared = self.defaults.charset.clone().or_else(|| match self.format {
            Format::Html => encoding::declared(&bytes),
            _ => None,
        });
        let content = match encoding::decode(&bytes, declared.as_deref()) {
            Ok(decoded) => {
                send(sender, Found::Encoding(decoded.encoding))?;
                decoded.text
            }
            Err(reason) => return broken(sender, reason, false),
        };
        drop(bytes);
        match self.format {
            Format::Csv => self.csv(content, &hash, sender),
            // Feeds are tables with tabs, whatever their name ends with.
            Format::Text if table::is_tabbed(&content) => self.csv(content, &hash, sender),
            Format::Json => self.json(&content, sender),
            Format::Html => match html::read(&content) {
                Ok(html::Page { unclear: Some(reason), .. }) => broken(sender, reason, true),
                Ok(page) => {
                    self.document(page.meta, &page.markdown, hash, sender)?;
                    self.left_out(|| html::texts(&content), &page.markdown, sender)
                }
                Err(reason) => broken(sender, reason, false),
            },
            // The isolated formats and lines of JSON went other ways.
            _ => {
                let (meta, body) = match self.format {
                    Format::Markdown => match markdown::front_matter(&content) {
                        Ok((meta, body)) => (meta, markdown::cleaned(body)),
                        Err(reason) => return broken(sender, reason, true),
                    },
                    _ => (Meta::default(), content.clone()),
                };
                self.document(meta, &body, hash, sender)?;
                let written = || match self.format {
                    Format::Markdown => {
                        markdown::front_matter(&content).map_or("", |(_, body)| body)
                    }
                    _ => content.as_str(),
                };
                self.left_out(|| written().lines().map(str::to_owned).collect(), &body, sender)
            }
        }
    }

    /// Says how those `texts` of a document begin that aren't in what was `read` of it.
    fn left_out(
        &self,
        texts: impl FnOnce() -> Vec<String>,
        read: &str,
        sender: &Sender,
    ) -> Result<(), Departed> {
        /// Beyond these nobody reads on.
        const MOST: usize = 200;
        const SHOWN: usize = 100;
        if !self.explain {
            return Ok(());
        }
        let bare =
            |text: &str| text.chars().filter(|char| char.is_alphanumeric()).collect::<String>();
        let read = bare(read);
        let mut at = 0;
        let mut left: Vec<String> = Vec::new();
        for text in texts() {
            let own = bare(&text);
            // In a document's order the next text is near.
            match read[at..].find(&own).map(|found| at + found).or_else(|| read.find(&own)) {
                Some(found) => at = found,
                None => {
                    let text: String = text::one_line(&text).chars().take(SHOWN).collect();
                    if !left.contains(&text) {
                        left.push(text);
                    }
                    if left.len() >= MOST {
                        break;
                    }
                }
            }
        }
        if left.is_empty() { Ok(()) } else { send(sender, Found::LeftOut(left)) }
    }

    /// What the document is called if nothing else says: its id's last part.
    fn file_title(&self) -> String {
        file_title(Path::new(&self.id))
    }

    /// Says what of a document's own word was left out.
    fn note(&self, meta: &Meta, line: Option<usize>, sender: &Sender) -> Result<(), Departed> {
        meta.warnings
            .iter()
            .try_for_each(|reason| send(sender, Found::Incomplete { line, reason: reason.clone() }))
    }

    /// A document that a process of its own reads.
    fn isolated(
        &self,
        format: &'static str,
        bytes: Vec<u8>,
        hash: String,
        sender: &Sender,
    ) -> Result<(), Departed> {
        let extraction = match isolated::extract(format, bytes, &self.isolation) {
            Ok(extraction) => extraction,
            Err(reason) => return broken(sender, reason, false),
        };
        for reason in extraction.warnings {
            send(sender, Found::Incomplete { line: None, reason })?;
        }
        if !extraction.sheets.is_empty() {
            return self.tables(extraction.sheets, &hash, false, sender);
        }
        let mut meta =
            Meta { title: extraction.title.as_deref().map(text::one_line), ..Meta::default() };
        // What a program wrote there counts if it is a language.
        let _ = meta.set("language", extraction.language.as_deref().unwrap_or_default());
        self.document(meta, &extraction.text, hash, sender)
    }

    fn csv(&self, content: String, hash: &str, sender: &Sender) -> Result<(), Departed> {
        let (mut sheet, unread) = table::csv_sheet(&content);
        // Its cells say the same again.
        drop(content);
        for (line, reason) in unread {
            send(sender, bad_record(BadRecord { line, reason }))?;
        }
        if sheet.rows.is_empty() {
            return broken(
                sender,
                "it has no header line with column names, nor any row".to_owned(),
                false,
            );
        }
        let mut hash = hash.to_owned();
        if table::combinations::is_one(&sheet) {
            let (tables, beside) = self.tables_beside();
            table::combinations::join(&mut sheet, &tables);
            // A product's new price is a variant's, too.
            hash = format!("{hash} beside {beside}");
        }
        self.tables(vec![sheet], &hash, true, sender)
    }

    /// The CSV files in the same folder and a hash of them; what can't be read is none, nor what is
    /// for some readers alone.
    fn tables_beside(&self) -> (Vec<Sheet>, String) {
        const MOST: usize = 20;
        let Some(entries) = self.path.parent().and_then(|folder| std::fs::read_dir(folder).ok())
        else {
            return (Vec::new(), String::new());
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            let csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
            let small = path
                .symlink_metadata()
                .is_ok_and(|file| file.is_file() && file.len() <= self.max_bytes);
            let mut meta = path.clone().into_os_string();
            meta.push(".meta");
            let meta = std::fs::read_to_string(meta).unwrap_or_default();
            csv && small && *path != self.path && !meta.contains("audience")
        });
        paths.sort();
        let contents: Vec<Vec<u8>> =
            paths.into_iter().take(MOST).filter_map(|path| std::fs::read(path).ok()).collect();
        let hashes: Vec<String> = contents.iter().map(|bytes| self.hash(bytes)).collect();
        let tables = contents
            .iter()
            .filter_map(|bytes| Some(table::csv_sheet(&text::decode(bytes).ok()?).0));
        (tables.collect(), self.hash(hashes.concat().as_bytes()))
    }

    /// Rows that have a key are documents of their own; all others, and the texts around tables,
    /// are the file's.
    fn tables(
        &self,
        sheets: Vec<Sheet>,
        hash: &str,
        separated: bool,
        sender: &Sender,
    ) -> Result<(), Departed> {
        let (mut keyed, mut loose) = (Vec::new(), Vec::new());
        let several = sheets.len() > 1;
        let meta_file =
            format!("{}.meta", self.path.file_name().unwrap_or_default().to_string_lossy());
        let inbox = sheets.iter().find_map(inbox::signs_of_sheet);
        let audience = self.audience_of_inbox(inbox.as_deref(), sender)?;
        // What earlier builds took in as public is taken in again.
        let hash = &audience.map_or_else(|| hash.to_owned(), |_| format!("{hash} for agents"));
        for sheet in sheets {
            let name = sheet.name.clone();
            let tabular::Records { rows, texts, bad, understood } =
                tabular::records(sheet, &self.defaults.table, separated);
            for BadRecord { line, reason } in bad {
                let reason = if separated { reason } else { format!("sheet {name:?}: {reason}") };
                send(sender, bad_record(BadRecord { line, reason }))?;
            }
            for table in understood {
                for reason in tabular::notes(&table, &meta_file) {
                    send(sender, Found::Incomplete { line: None, reason })?;
                }
                send(sender, Found::Table(table))?;
            }
            let has_keys = rows.iter().any(|record| record.id.is_some());
            for mut record in rows.into_iter().chain(texts) {
                record.meta.audience = record.meta.audience.or(audience);
                // A sheet of its own says nothing by its name, which is mostly "Sheet1".
                if !several && !name.is_empty() {
                    record.headings.remove(0);
                }
                let of_table = record.id.is_some() || has_keys && record.is_row;
                if of_table { keyed.push(record) } else { loose.push(record) }
            }
        }
        if keyed.is_empty() && loose.is_empty() {
            return broken(sender, "it holds no rows".to_owned(), true);
        }
        let language = language_of_rows(keyed.iter().chain(&loose));
        self.keyed(&keyed, language, sender)?;
        if loose.is_empty() {
            return Ok(());
        }
        for row in &loose {
            self.note(&row.meta, Some(row.line), sender)?;
        }
        let loose: Vec<&Record> = loose.iter().collect();
        self.rows(self.id.clone(), hash, &self.file_title(), &loose, language, sender)
    }

    /// The file, if it isn't too large.
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let too_large = |size: u64| {
            format!(
                "it has {size} bytes, more than max_document_mib allows ({} bytes); split it or raise the limit",
                self.max_bytes
            )
        };
        let file =
            File::open(&self.path).map_err(|error| format!("it can't be opened: {error}"))?;
        let size = file.metadata().map_err(|error| format!("it can't be read: {error}"))?.len();
        if size > self.max_bytes {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // It may grow while it is read.
        let mut limited = file.take(self.max_bytes.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(|error| format!("it can't be read: {error}"))?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }

    fn is_known(&self, id: &str, hash: &str) -> bool {
        self.known.get(id).is_some_and(|known| known == hash)
    }

    /// Markdown, plain text, or a page.
    fn document(
        &self,
        meta: Meta,
        body: &str,
        hash: String,
        sender: &Sender,
    ) -> Result<(), Departed> {
        self.note(&meta, None, sender)?;
        let body = &clauses::as_headings(&text::without_leaders(body));
        let fallback_title = chunk::first_heading(body)
            .map_or_else(|| self.file_title(), |title| text::one_line(&title));
        let source =
            Source { id: self.id.clone(), hash, meta, fallback_title, fallback_language: None };
        let pieces = chunk::chunk(body, self.passage_tokens);
        if pieces.is_empty() {
            return broken(sender, "it holds no text".to_owned(), true);
        }
        let language = text::detect_language(body);
        let pieces = pieces.into_iter().map(|piece| (piece.headings, piece.text, piece.range));
        self.send_document(source, language, pieces, sender)
    }

    /// Rows with one key are one document.
    fn keyed(
        &self,
        rows: &[Record],
        language: Option<&'static str>,
        sender: &Sender,
    ) -> Result<(), Departed> {
        for row in rows {
            self.note(&row.meta, Some(row.line), sender)?;
        }
        let mut order: Vec<String> = Vec::new();
        let mut groups: HashMap<String, Vec<&Record>> = HashMap::new();
        for row in rows {
            let sheet = row.headings.first().map_or_else(String::new, |sheet| format!("{sheet} "));
            let key = row.id.clone().unwrap_or_else(|| format!("{sheet}line {}", row.line));
            let group = groups.entry(key.clone()).or_default();
            if group.is_empty() {
                order.push(key);
            }
            group.push(row);
        }
        for key in order {
            let Some(group) = groups.remove(&key) else { continue };
            let content: Vec<_> = group
                .iter()
                .map(|row| (&row.headings, &row.meta, &row.text, &row.prose, &row.product))
                .collect();
            let hash = self.hash(format!("{content:?}").as_bytes());
            let title =
                group.iter().find_map(|row| row.meta.title.clone()).unwrap_or(self.file_title());
            self.rows(format!("{}#{key}", self.id), &hash, &title, &group, language, sender)?;
        }
        Ok(())
    }

    /// Rows of a CSV as one document, each a passage with its own title, link, audience and date.
    fn rows(
        &self,
        id: String,
        hash: &str,
        title: &str,
        rows: &[&Record],
        language: Option<&'static str>,
        sender: &Sender,
    ) -> Result<(), Departed> {
        if self.is_known(&id, hash) {
            return send(sender, Found::Unchanged { id });
        }
        let mut passages = Vec::with_capacity(rows.len());
        let mut start = 0;
        for row in rows {
            let source = Source {
                id: id.clone(),
                hash: hash.to_owned(),
                meta: row.meta.clone(),
                fallback_title: title.to_owned(),
                fallback_language: language,
            };
            let first = passages.len();
            let long = row.text.len() > self.passage_tokens
                && chunk::tokens(&row.text) > self.passage_tokens * 2;
            if long && row.is_row {
                for piece in row_pieces(&row.text, row.meta.title.as_deref(), self.passage_tokens) {
                    let range = start..start + row.text.len();
                    passages.push(self.passage(
                        &source,
                        language,
                        row.headings.clone(),
                        piece,
                        range,
                    ));
                }
            } else if long {
                for piece in chunk::chunk(&row.text, self.passage_tokens) {
                    let range = start + piece.range.start..start + piece.range.end;
                    let headings = row.headings.iter().cloned().chain(piece.headings).collect();
                    passages.push(self.passage(&source, language, headings, piece.text, range));
                }
            } else if !row.text.is_empty() {
                let range = start..start + row.text.len();
                passages.push(self.passage(
                    &source,
                    language,
                    row.headings.clone(),
                    row.text.clone(),
                    range,
                ));
            }
            if let (Some(passage), Some(product)) = (passages.get_mut(first), &row.product) {
                passage.product = Some(Box::new(product.clone()));
            }
            if let Some(prose) = &row.prose {
                start += row.text.len() + 1;
                for piece in chunk::chunk(prose, self.passage_tokens) {
                    let range = start + piece.range.start..start + piece.range.end;
                    // Each piece says what it describes.
                    let text = match &row.meta.title {
                        Some(title) if !piece.text.contains(title.as_str()) => {
                            format!("{title}: {}", piece.text)
                        }
                        _ => piece.text,
                    };
                    let headings = row.headings.iter().cloned().chain(piece.headings).collect();
                    passages.push(self.passage(&source, language, headings, text, range));
                }
                start += prose.len() + 1;
                continue;
            }
            start += row.text.len() + 1;
        }
        number(&mut passages);
        send(sender, Found::Document(Extracted { id, passages }))
    }

    fn json(&self, content: &str, sender: &Sender) -> Result<(), Departed> {
        let json::Json { records, notes, inbox } = match json::json(content) {
            Ok(json) => json,
            Err(reason) => return broken(sender, reason, false),
        };
        for reason in notes {
            send(sender, Found::Incomplete { line: None, reason })?;
        }
        let audience = self.audience_of_inbox(inbox.as_deref(), sender)?;
        let mut language = None;
        for record in records {
            match record {
                Ok(mut record) => {
                    record.meta.audience = record.meta.audience.or(audience);
                    let content = (
                        &record.meta,
                        &record.headings,
                        &record.text,
                        &record.product,
                        &record.variants,
                    );
                    let hash = self.hash(format!("{content:?}").as_bytes());
                    self.record(record, hash, &mut language, sender)?;
                }
                Err(bad) => send(sender, bad_record(bad))?,
            }
        }
        Ok(())
    }

    /// Customers' own words are for agents alone, unless the file beside the document says
    /// otherwise.
    fn audience_of_inbox(
        &self,
        signs: Option<&str>,
        sender: &Sender,
    ) -> Result<Option<Audience>, Departed> {
        let Some(signs) = signs.filter(|_| self.defaults.audience.is_none()) else {
            return Ok(None);
        };
        let name = Path::new(&self.id).file_name().unwrap_or_default().to_string_lossy();
        let reason = format!(
            "it looks like an export of tickets or conversations ({signs}), so it is for agents only; if visitors may read it, \
             write \"audience: public\" in {name}.meta beside it"
        );
        send(sender, Found::Incomplete { line: None, reason })?;
        Ok(Some(Audience::Agents))
    }

    fn json_lines(&self, sender: &Sender) -> Result<(), Departed> {
        let mut reader = match File::open(&self.path) {
            Ok(file) => BufReader::with_capacity(1 << 18, file),
            Err(error) => return broken(sender, format!("it can't be opened: {error}"), false),
        };
        let mut language = None;
        // The first lines tell what the fields are, before any is taken.
        let mut ahead = VecDeque::new();
        while ahead.len() < LINES_AHEAD {
            let line = records::next_line(&mut reader, self.max_bytes);
            let more = matches!(line, Ok(Some(_)));
            ahead.push_back(line);
            if !more {
                break;
            }
        }
        let known = ahead
            .iter()
            .filter_map(|line| line.as_ref().ok().and_then(|line| line.as_ref()?.as_deref()));
        let (fields, inbox) = json::lines_ahead(known);
        let audience = self.audience_of_inbox(inbox.as_deref(), sender)?;
        let mut drafts = 0_usize;
        for number in 1.. {
            let line = ahead
                .pop_front()
                .unwrap_or_else(|| records::next_line(&mut reader, self.max_bytes));
            let line = match line {
                Ok(None) => break,
                Ok(Some(Some(line))) => line,
                Ok(Some(None)) => {
                    let reason = format!(
                        "the line is longer than max_document_mib allows ({} bytes)",
                        self.max_bytes
                    );
                    send(sender, Found::Bad { line: Some(number), reason })?;
                    continue;
                }
                Err(error) => {
                    return broken(
                        sender,
                        format!("it can't be read beyond line {}: {error}", number - 1),
                        false,
                    );
                }
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            match json::json_line(&line, &fields, number) {
                Ok(records) if records.is_empty() => drafts += 1,
                Ok(records) => {
                    for mut record in records {
                        record.meta.audience = record.meta.audience.or(audience);
                        let hash = match audience {
                            None => self.hash(line.trim_ascii()),
                            Some(_) => self.hash(&[line.trim_ascii(), b" for agents"].concat()),
                        };
                        self.record(record, hash, &mut language, sender)?;
                    }
                }
                Err(bad) => send(sender, bad_record(bad))?,
            }
        }
        if drafts > 0 {
            send(sender, Found::Incomplete { line: None, reason: json::drafts_left_out(drafts) })?;
        }
        Ok(())
    }

    fn record(
        &self,
        record: Record,
        hash: String,
        language: &mut Option<&'static str>,
        sender: &Sender,
    ) -> Result<(), Departed> {
        self.note(&record.meta, Some(record.line), sender)?;
        let id = match &record.id {
            Some(id) if self.handed_in => format!("{}#{id}", self.id),
            Some(id) => id.clone(),
            None => format!("{}#{}", self.id, record.line),
        };
        if self.is_known(&id, &hash) {
            return send(sender, Found::Unchanged { id });
        }
        let is_row = !record.variants.is_empty() || record.product.is_some();
        let detect = if is_row { text::language_of_rows } else { text::detect_language };
        let detected = detect(&record.text);
        // Short records speak the language of those before them.
        *language = language.or(detected);
        if is_row {
            // Rows, not prose: each is a passage.
            let title = record.meta.title.clone().unwrap_or_else(|| id.clone());
            let mut rows = vec![Record { variants: Vec::new(), ..record.clone() }];
            rows.extend(record.variants);
            rows.retain(|row| !row.text.is_empty());
            return self.rows(
                id,
                &hash,
                &title,
                &rows.iter().collect::<Vec<_>>(),
                *language,
                sender,
            );
        }
        let fallback_title = chunk::first_heading(&record.text)
            .or_else(|| text::title_line(&record.text).map(str::to_owned))
            .map_or_else(|| id.clone(), |title| text::one_line(&title));
        let source =
            Source { id, hash, meta: record.meta, fallback_title, fallback_language: *language };
        let pieces = chunk::chunk(&record.text, self.passage_tokens);
        let pieces = pieces.into_iter().map(|piece| {
            let headings = record.headings.iter().cloned().chain(piece.headings).collect();
            (headings, piece.text, piece.range)
        });
        self.send_document(source, detected, pieces, sender)
    }

    fn send_document(
        &self,
        mut source: Source,
        language: Option<&'static str>,
        pieces: impl Iterator<Item = (Vec<String>, String, Range<usize>)>,
        sender: &Sender,
    ) -> Result<(), Departed> {
        let title = source.meta.title.as_deref().unwrap_or(&source.fallback_title);
        let unsaid = source.meta.audience.or(self.defaults.audience).is_none();
        if unsaid && grounding::says_internal(title) {
            let reason = format!(
                "the title {title:?} says that it is internal, so it is for agents only; if \
                 visitors may read it, set its audience to public"
            );
            source.meta.audience = Some(Audience::Agents);
            send(sender, Found::Incomplete { line: None, reason })?;
        }
        let mut passages: Vec<Passage> = pieces
            .map(|(headings, text, range)| self.passage(&source, language, headings, text, range))
            .collect();
        if passages.is_empty() {
            return send(
                sender,
                Found::Bad {
                    line: None,
                    reason: format!("the record {:?} holds no text", source.id),
                },
            );
        }
        number(&mut passages);
        send(sender, Found::Document(Extracted { id: source.id, passages }))
    }

    fn passage(
        &self,
        source: &Source,
        language: Option<&'static str>,
        mut headings: Vec<String>,
        text: String,
        range: Range<usize>,
    ) -> Passage {
        let meta = &source.meta.clone().over(&self.defaults);
        let title = meta.title.clone().unwrap_or_else(|| source.fallback_title.clone());
        if headings
            .first()
            .is_some_and(|heading| *heading == title || *heading == source.fallback_title)
        {
            headings.remove(0);
        }
        let language =
            meta.language.as_deref().or(language).or(source.fallback_language).unwrap_or("und");
        Passage {
            site: self.site.clone(),
            document: source.id.clone(),
            ordinal: 0,
            title,
            headings,
            text,
            url: meta.url.clone(),
            language: language.to_owned(),
            audience: meta.audience.unwrap_or_default(),
            start: range.start as u64,
            end: range.end as u64,
            document_hash: source.hash.clone(),
            valid_from_ms: meta.valid_from_ms,
            valid_until_ms: meta.valid_until_ms,
            product: None,
        }
    }
}

fn language_of_rows<'a>(rows: impl Iterator<Item = &'a Record>) -> Option<&'static str> {
    // What columns are called is often the shop software's language, not the shop's.
    let values = |row: &Record| -> String {
        let piece =
            |piece: &str| piece.split_once(": ").map_or(piece, |(_, value)| value).to_owned();
        let values = row.text.split("; ").map(piece).collect::<Vec<String>>().join("\n");
        let values = if row.is_row { values } else { row.text.clone() };
        format!("{values}\n{}", row.prose.as_deref().unwrap_or_default())
    };
    let sample: Vec<String> = rows.take(100).map(values).collect();
    text::language_of_rows(&sample.join("\n"))
}

/// A row that is too long for a passage in pieces of about `target` tokens, each with the name of
/// what it is about.
fn row_pieces(text: &str, title: Option<&str>, target: usize) -> Vec<String> {
    let parts: Vec<&str> = text.trim_end_matches('.').split("; ").collect();
    let name = title.and_then(|title| {
        parts.iter().find(|part| part.ends_with(title) && part.len() < title.len() + 64)
    });
    let mut pieces: Vec<String> = Vec::new();
    let mut current = String::new();
    for part in &parts {
        if !current.is_empty() && (current.len() + part.len()) / 4 > target {
            pieces.push(std::mem::take(&mut current));
            current.extend(name.map(|name| format!("{name}; ")));
        }
        current.push_str(part);
        current.push_str("; ");
    }
    pieces.push(current);
    pieces.iter().map(|piece| format!("{}.", piece.trim_end_matches("; "))).collect()
}

fn number(passages: &mut [Passage]) {
    for (passage, ordinal) in passages.iter_mut().zip(0..) {
        passage.ordinal = ordinal;
    }
}

fn send(sender: &Sender, found: Found) -> Result<(), Departed> {
    sender.blocking_send(found).map_err(|_| Departed)
}

fn broken(sender: &Sender, reason: String, withdraw: bool) -> Result<(), Departed> {
    send(sender, Found::Broken { reason, withdraw })
}

fn bad_record(bad: BadRecord) -> Found {
    Found::Bad { line: Some(bad.line).filter(|line| *line > 0), reason: bad.reason }
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// `shipping-costs.md` → `shipping costs`.
fn file_title(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    text::one_line(&stem.replace(['-', '_'], " "))
}
