//! How files are understood, without taking them in: for `frontdesk ingest --explain` and the
//! console.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use super::reading::Reading;
use super::table::{LeftOut, Understood};
use super::{Failure, Found, IngestOptions, Kinds, Upload, handed_in, unknown_kinds, walk};
use crate::retrieval::columns::Telling;
use crate::wording::Wording;

/// How a file was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Explained {
    pub path: String,
    /// The encoding that its bytes were read in, where it is a text.
    pub encoding: Option<String>,
    pub documents: usize,
    pub passages: usize,
    pub products: usize,
    /// The first two hundred.
    pub tables: Vec<Understood>,
    /// What was left out, or couldn't be used, and how to mend it.
    pub notes: Vec<Failure>,
    /// The first passages, as they would be told; all of them if asked for.
    pub sample: Vec<String>,
}

/// A file of a folder that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FolderFile {
    /// Its path below the folder, as citations show it.
    pub id: String,
    pub bytes: u64,
}

/// What there is in a folder of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FolderFiles {
    /// By id.
    pub files: Vec<FolderFile>,
    /// What is of no kind that is read, or can't be.
    pub left_out: Vec<Failure>,
}

/// Passages that are shown of a file.
const SAMPLE: usize = 3;
/// Tables that are shown of a file.
const MAX_TABLES: usize = 200;

/// Reads the files under `roots` as [`super::ingest`] does, into nothing.
///
/// # Errors
///
/// When a root is missing or can't be read.
pub async fn explain(roots: &[PathBuf], options: &IngestOptions) -> anyhow::Result<Vec<Explained>> {
    explain_roots(roots, options, SAMPLE).await
}

/// As [`explain`], with every passage of each file.
///
/// # Errors
///
/// As those of [`explain`].
pub async fn explain_all(
    roots: &[PathBuf],
    options: &IngestOptions,
) -> anyhow::Result<Vec<Explained>> {
    explain_roots(roots, options, usize::MAX).await
}

async fn explain_roots(
    roots: &[PathBuf],
    options: &IngestOptions,
    shown: usize,
) -> anyhow::Result<Vec<Explained>> {
    let walked = walked(roots.to_vec(), options.base.clone()).await?;
    let mut all: Vec<Explained> = Vec::new();
    for file in &walked.files {
        all.push(read(file, options, shown).await?);
    }
    for failure in walked.failed.into_iter().chain(unknown_kinds(&walked.unknown)) {
        all.push(Explained {
            path: failure.path.clone(),
            notes: vec![failure],
            ..Explained::default()
        });
    }
    Ok(all)
}

/// The files of a folder. One that isn't there is empty.
///
/// # Errors
///
/// When the folder can't be read.
pub async fn folder_files(folder: &Path) -> anyhow::Result<FolderFiles> {
    let Some(walked) = walked_if_there(folder).await? else { return Ok(FolderFiles::default()) };
    tokio::task::spawn_blocking(move || {
        // One that just went is empty for now, and gone from the next list.
        let bytes = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        let files = walked
            .files
            .into_iter()
            .map(|file| FolderFile { bytes: bytes(&file.path), id: file.id })
            .collect();
        let mut left_out = walked.failed;
        left_out.extend(unknown_kinds(&walked.unknown));
        FolderFiles { files, left_out }
    })
    .await
    .context("looking at the files crashed; see the log")
}

/// How the file `id` of a folder is understood; none if it is not among [`folder_files`], which are
/// all that is ever read.
///
/// # Errors
///
/// When the folder can't be read.
pub async fn explain_file(
    folder: &Path,
    id: &str,
    options: &IngestOptions,
) -> anyhow::Result<Option<Explained>> {
    let walked = walked_if_there(folder).await?;
    match walked.and_then(|walked| walked.files.into_iter().find(|file| file.id == id)) {
        Some(file) => read(&file, options, SAMPLE).await.map(Some),
        None => Ok(None),
    }
}

/// How a document that was handed in is understood.
///
/// # Errors
///
/// When no thread can be started.
pub async fn explain_upload(upload: &Upload, options: &IngestOptions) -> anyhow::Result<Explained> {
    match handed_in(upload) {
        Ok(file) => read(&file, options, SAMPLE).await,
        Err(failure) => Ok(Explained {
            path: failure.path.clone(),
            notes: vec![failure],
            ..Explained::default()
        }),
    }
}

async fn walked_if_there(folder: &Path) -> anyhow::Result<Option<walk::Walked>> {
    if tokio::fs::try_exists(folder).await.is_ok_and(|there| !there) {
        return Ok(None);
    }
    walked(vec![folder.to_owned()], Some(folder.to_owned())).await.map(Some)
}

async fn walked(roots: Vec<PathBuf>, base: Option<PathBuf>) -> anyhow::Result<walk::Walked> {
    tokio::task::spawn_blocking(move || walk::walk(&roots, base.as_deref()))
        .await
        .context("walking the folders crashed; see the log")?
}

async fn read(
    file: &walk::File,
    options: &IngestOptions,
    shown: usize,
) -> anyhow::Result<Explained> {
    let mut reading = Reading::begin("", file, options, Arc::default(), true)?;
    let mut left_out = Vec::new();
    let mut explained = Explained { path: file.id.clone(), ..Explained::default() };
    let (mut ids, mut notes, mut more_tables) = (HashSet::new(), Kinds::default(), 0);
    let whole = loop {
        match reading.next().await {
            Ok(Some(Found::Document(document))) => {
                if !ids.insert(document.id.clone()) {
                    notes.add(
                        None,
                        format!(
                            "the id {:?} was already used; the second document was left out",
                            document.id
                        ),
                    );
                    continue;
                }
                explained.take(document, shown);
            }
            Ok(Some(Found::LeftOut(texts))) => left_out.extend(texts),
            Ok(Some(Found::Encoding(encoding))) => explained.encoding = Some(encoding.to_owned()),
            Ok(Some(Found::Table(table))) if explained.tables.len() < MAX_TABLES => {
                explained.tables.push(table)
            }
            Ok(Some(Found::Table(_))) => more_tables += 1,
            Ok(Some(Found::Bad { line, reason } | Found::Incomplete { line, reason })) => {
                notes.add(line, reason)
            }
            Ok(Some(Found::Broken { reason, .. })) => notes.add(None, reason),
            Ok(Some(Found::Unchanged { .. })) => {}
            Ok(None) => break true,
            Err(late) => {
                notes.add(None, late);
                break false;
            }
        }
    };
    if whole && reading.has_crashed() {
        notes.add(None, "reading it crashed; please report the document".to_owned());
    }
    if more_tables > 0 {
        notes.add(None, format!("{more_tables} more tables were read and aren't shown here"));
    }
    let failure = |(line, reason)| Failure { path: explained.path.clone(), line, reason };
    let left_out =
        left_out.into_iter().map(|text| (None, format!("it is in no passage: {text:?}")));
    explained.notes = notes.lines("remarks").into_iter().chain(left_out).map(failure).collect();
    Ok(explained)
}

impl Explained {
    fn take(&mut self, document: super::Extracted, shown: usize) {
        self.documents += 1;
        self.passages += document.passages.len();
        self.products +=
            document.passages.iter().filter(|passage| passage.product.is_some()).count();
        for passage in document.passages.into_iter().take(shown.saturating_sub(self.sample.len())) {
            let product = passage.product.as_ref();
            let told = product.and_then(|product| {
                product.sentence(&passage.text, &passage.language, Wording::built_in())
            });
            self.sample.push(told.unwrap_or(passage.text));
        }
    }
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, encoding, documents, passages, products, tables, notes, sample } = self;
        let encoding = encoding.as_deref().filter(|encoding| *encoding != "UTF-8");
        let encoding =
            encoding.map_or_else(String::new, |encoding| format!(", read as {encoding}"));
        writeln!(
            f,
            "{path}: {documents} documents, {passages} passages, {products} products{encoding}"
        )?;
        for table in tables {
            let sheet = if table.sheet.is_empty() {
                String::new()
            } else {
                format!(" of sheet {:?}", table.sheet)
            };
            let lines: Vec<String> = table.header.iter().map(ToString::to_string).collect();
            match lines.as_slice() {
                [] => writeln!(f, "  table{sheet} without a header, {} rows", table.rows)?,
                lines => writeln!(
                    f,
                    "  table{sheet} under line {}, {} rows",
                    lines.join(" and "),
                    table.rows
                )?,
            }
            for (column, number) in table.columns.iter().zip(1..) {
                let name = if column.name.is_empty() {
                    format!("(column {number})")
                } else {
                    column.name.clone()
                };
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
            // All of them are for reading; a few are for a look.
            let most = if sample.len() > SAMPLE { 2_000 } else { 160 };
            let short: String = text.chars().take(most).collect();
            writeln!(f, "  > {}", short.replace('\n', " "))?;
        }
        let most = if sample.len() > SAMPLE { usize::MAX } else { 12 };
        for note in notes.iter().take(most) {
            writeln!(f, "  ! {note}")?;
        }
        if notes.len() > most {
            writeln!(f, "  ! and {} more", notes.len() - most)?;
        }
        Ok(())
    }
}
