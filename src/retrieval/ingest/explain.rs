//! How files are understood, without taking them in: for `frontdesk ingest --explain`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use super::table::{LeftOut, Understood};
use super::{Failure, Found, IngestOptions, isolated, read, walk};
use crate::retrieval::columns::Telling;

/// How a file was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Explained {
    pub path: String,
    /// The encoding that its bytes were read in, where it is a text.
    pub encoding: Option<String>,
    pub documents: usize,
    pub passages: usize,
    pub products: usize,
    pub tables: Vec<Understood>,
    /// What was left out, or couldn't be used, and how to mend it.
    pub notes: Vec<Failure>,
    /// The first passages, as they would be told.
    pub sample: Vec<String>,
}

/// Passages that are shown of a file.
const SAMPLE: usize = 3;

/// Reads the files under `roots` as [`super::ingest`] does, into nothing.
///
/// # Errors
///
/// When a root is missing or can't be read.
pub fn explain(roots: &[PathBuf], options: &IngestOptions) -> anyhow::Result<Vec<Explained>> {
    let walked = walk::walk(roots, options.base.as_deref())?;
    let mut all: Vec<Explained> = Vec::new();
    for file in walked.files {
        let (sender, mut receiver) = mpsc::channel(super::READ_AHEAD);
        let mut explained = Explained { path: file.id.clone(), ..Explained::default() };
        let reader = read::Reader {
            site: String::new(),
            path: file.path,
            id: file.id,
            format: file.format,
            about: file.about,
            defaults: file.defaults,
            handed_in: false,
            passage_tokens: options.passage_tokens,
            max_bytes: options.max_document_bytes,
            isolation: isolated::Isolation { time_limit: options.time_limit, memory_mib: options.reader_memory_mib },
            known: Arc::new(HashMap::new()),
        };
        let thread = std::thread::Builder::new().name("frontdesk-read".into()).stack_size(super::READER_STACK_BYTES);
        let thread = thread.spawn(move || reader.run(&sender))?;
        while let Some(found) = receiver.blocking_recv() {
            explained.take(found);
        }
        if thread.join().is_err() {
            explained.note(None, "reading it crashed; please report the document".to_owned());
        }
        all.push(explained);
    }
    for failure in walked.failed.into_iter().chain(super::unknown_kinds(&walked.unknown)) {
        all.push(Explained { path: failure.path.clone(), notes: vec![failure], ..Explained::default() });
    }
    Ok(all)
}

impl Explained {
    fn note(&mut self, line: Option<usize>, reason: String) {
        if self.notes.len() < super::MAX_WARNINGS {
            self.notes.push(Failure { path: self.path.clone(), line, reason });
        }
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Document(document) => {
                self.documents += 1;
                self.passages += document.passages.len();
                self.products += document.passages.iter().filter(|passage| passage.product.is_some()).count();
                for passage in document.passages {
                    if self.sample.len() < SAMPLE {
                        let told = passage
                            .product
                            .as_ref()
                            .and_then(|product| product.sentence(&passage.text, &passage.language));
                        self.sample.push(told.unwrap_or(passage.text));
                    }
                }
            }
            Found::Encoding(encoding) => self.encoding = Some(encoding.to_owned()),
            Found::Table(table) => self.tables.push(table),
            Found::Bad { line, reason } | Found::Incomplete { line, reason } => self.note(line, reason),
            Found::Broken { reason, .. } => self.note(None, reason),
            Found::Unchanged { .. } => {}
        }
    }
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MAX_NOTES: usize = 12;
        let Self { path, encoding, documents, passages, products, tables, notes, sample } = self;
        let encoding = encoding.as_deref().filter(|encoding| *encoding != "UTF-8");
        let encoding = encoding.map_or_else(String::new, |encoding| format!(", read as {encoding}"));
        writeln!(f, "{path}: {documents} documents, {passages} passages, {products} products{encoding}")?;
        for table in tables {
            let sheet = if table.sheet.is_empty() { String::new() } else { format!(" of sheet {:?}", table.sheet) };
            let lines: Vec<String> = table.header.iter().map(ToString::to_string).collect();
            match lines.as_slice() {
                [] => writeln!(f, "  table{sheet} without a header, {} rows", table.rows)?,
                lines => writeln!(f, "  table{sheet} under line {}, {} rows", lines.join(" and "), table.rows)?,
            }
            for (column, number) in table.columns.iter().zip(1..) {
                let name = if column.name.is_empty() { format!("(column {number})") } else { column.name.clone() };
                let telling = match column.telling {
                    Telling::Told => "told",
                    Telling::Used => "used",
                    Telling::Never => "never told",
                    Telling::LeftOut => "left out",
                };
                let kind = column.kind.map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}"));
                writeln!(f, "    {name:<32.60} {telling:<10} {kind:<16} {}", column.why)?;
            }
            for LeftOut { reason, rows, line } in &table.left_out {
                writeln!(f, "    left out: {rows} rows, the first in line {line}: {reason}")?;
            }
        }
        for text in sample {
            let short: String = text.chars().take(160).collect();
            writeln!(f, "  > {}", short.replace('\n', " "))?;
        }
        for note in notes.iter().take(MAX_NOTES) {
            writeln!(f, "  ! {note}")?;
        }
        if notes.len() > MAX_NOTES {
            writeln!(f, "  ! and {} more", notes.len() - MAX_NOTES)?;
        }
        Ok(())
    }
}
