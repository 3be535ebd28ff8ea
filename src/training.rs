//! What models learn from, brought together: files, stored conversations, and the vectors of their
//! texts.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::insight::book::Book;
use crate::insight::replay;
use crate::intent::classes::{Example, called};
use crate::intent::columns::{self, Vectors};
use crate::intent::data::Data;
use crate::intent::registry::Version;
use crate::intent::table::{Column, Table, TableError, Track};
use crate::retrieval::embedder::{Embedder, EmbedderConfig};

/// Told what is being done, and how much of how much is done.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// Reads CSV, or conversations as JSON Lines when the name ends in `.jsonl`.
///
/// # Errors
/// With the file, and what is wrong with it.
pub fn read(
    path: &Path,
    label: &str,
    drop: &[String],
    like: Option<&[Column]>,
) -> anyhow::Result<Data> {
    let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    let conversations = path.extension().is_some_and(|extension| extension == "jsonl");
    parse(BufReader::new(file), conversations, label, drop, like)
        .with_context(|| format!("reading {}", path.display()))
}

/// Reads CSV or conversations, without some columns; with `like`, its columns and no others.
///
/// # Errors
/// With what is wrong.
pub fn parse(
    file: impl BufRead,
    conversations: bool,
    label: &str,
    drop: &[String],
    like: Option<&[Column]>,
) -> Result<Data, TableError> {
    let mut data = if conversations {
        Data::of_tracks(&recorded(file, label)?, like)
    } else {
        let (table, labelled) = Table::csv(file, label, like)?;
        let known: Vec<usize> = (0..table.len()).filter(|row| labelled[*row]).collect();
        let unlabelled = table.len() - known.len();
        Data { table: table.select(&known), groups: None, moments: Vec::new(), unlabelled }
    };
    if data.table.is_empty() {
        return Err(TableError::Unlabelled { rows: data.unlabelled, label: label.to_owned() });
    }
    if like.is_none() {
        data.table = data.table.without(drop)?;
    }
    Ok(data)
}

/// Sessions that are read at most to learn from, the newest.
pub(crate) const MAX_SESSIONS: usize = 50_000;

/// The conversations of a site in the store that have a reported outcome, the oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn stored(book: &Book, site: &str, like: Option<&[Column]>) -> anyhow::Result<Data> {
    // The newest come first; the order in time is the order of learning.
    let tracks = book.tracks(site, MAX_SESSIONS).await?.into_iter().rev();
    let like = like.map(<[Column]>::to_vec);
    let rows = tokio::task::spawn_blocking(move || {
        Data::of_tracks(&tracks.map(|(_, track)| track).collect::<Vec<_>>(), like.as_deref())
    });
    rows.await.context("making rows of conversations crashed")
}

/// Those of [`stored`] that a version did not learn from, to measure it on.
///
/// # Errors
/// When the store can't be read; when there are none.
pub async fn unseen(
    book: &Book,
    site: &str,
    version: &Version,
    like: &[Column],
) -> anyhow::Result<Data> {
    let data = stored(book, site, Some(like)).await?;
    ensure!(!data.table.is_empty(), "no conversation of this site has a reported outcome");
    let all = data.ends().table.len();
    let data = data.after(version.learned_until_ms());
    ensure!(
        !data.table.is_empty(),
        "all {all} conversations with an outcome are no later than what version {} learned from, which would flatter it; \
         wait for later ones, or name a file of others",
        version.version
    );
    Ok(data)
}

/// Recorded conversations, each with the signals that it would have left.
///
/// # Errors
/// With the line that is none; when there are none.
pub fn recorded(mut file: impl BufRead, label: &str) -> Result<Vec<Track>, TableError> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let wrong = |error: anyhow::Error| TableError::Conversations(format!("{error:#}"));
    let conversations = replay::read(&text, 0, label).map_err(wrong)?;
    if conversations.is_empty() {
        return Err(TableError::Empty);
    }
    Ok(conversations.iter().map(replay::Conversation::track).collect())
}

/// Vectors of all texts in tables, by the configured embedder; none is loaded when there are no
/// texts.
///
/// # Errors
/// When the embedder fails.
pub async fn vectors(
    config: &EmbedderConfig,
    tables: &[&Table],
    progress: Progress<'_>,
) -> anyhow::Result<Vectors> {
    let lines = columns::lines(tables);
    if lines.is_empty() {
        return Ok(Vectors::default());
    }
    vectors_by(&Embedder::load(config)?, lines, progress).await
}

/// Vectors of lines by a loaded embedder.
///
/// # Errors
/// When the embedder fails.
pub async fn vectors_by(
    embedder: &Embedder,
    lines: Vec<String>,
    progress: Progress<'_>,
) -> anyhow::Result<Vectors> {
    let vectors = embed(embedder, &lines, progress).await?;
    Ok(lines.into_iter().zip(vectors).collect())
}

/// Reads `{"text": …, "intent": …}` lines of a file.
///
/// # Errors
/// With the file and the line that isn't one.
pub fn examples(path: &Path) -> anyhow::Result<Vec<Example>> {
    let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    parse_examples(BufReader::new(file)).with_context(|| format!("reading {}", path.display()))
}

/// Reads `{"text": …, "intent": …}` lines.
///
/// # Errors
/// With the line that isn't one; when there are none.
pub fn parse_examples(lines: impl BufRead) -> anyhow::Result<Vec<Example>> {
    let mut rows = Vec::new();
    for (i, line) in lines.lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            let row = serde_json::from_str(&line);
            let what =
                || format!("line {} is no example; each is {{\"text\": …, \"intent\": …}}", i + 1);
            rows.push(row.with_context(what)?);
        }
    }
    ensure!(!rows.is_empty(), "there are no rows");
    Ok(rows)
}

/// Examples' vectors, and what their classes are called with its vectors: all that
/// [`crate::intent::classes::Classes::fit`] learns from.
pub type Lessons = (Vec<Vec<f32>>, Vec<(Example, Vec<f32>)>);

/// Embeds examples and what their classes are called.
///
/// # Errors
/// When the embedder fails.
pub async fn lessons(
    embedder: &Embedder,
    examples: &[Example],
    progress: Progress<'_>,
) -> anyhow::Result<Lessons> {
    let called = called(examples);
    let texts: Vec<String> =
        examples.iter().chain(&called).map(|example| example.text.clone()).collect();
    let mut vectors = embed(embedder, &texts, progress).await?;
    let of_called = vectors.split_off(examples.len());
    Ok((vectors, called.into_iter().zip(of_called).collect()))
}

/// Texts embedded at once; between two such portions the progress moves.
const PORTION: usize = 512;

/// Vectors of texts in their order; equal texts are embedded once.
///
/// # Errors
/// When the embedder fails.
pub async fn embed(
    embedder: &Embedder,
    texts: &[String],
    progress: Progress<'_>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut distinct: Vec<&String> = texts.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut vectors = Vec::with_capacity(distinct.len());
    for portion in distinct.chunks(PORTION) {
        progress("Embedding texts", vectors.len(), distinct.len());
        vectors.extend(embedder.embed(portion.iter().map(|text| (*text).clone()).collect()).await?);
    }
    let vector =
        |text: &String| distinct.binary_search(&text).ok().and_then(|at| vectors.get(at)).cloned();
    texts.iter().map(|text| vector(text).context("the embedder returned too few vectors")).collect()
}
