//! How good search and answers are, over knowledge and questions that come with the right answers.
//!
//! Every measurement reads the knowledge into an index of its own in a scratch directory, with the
//! configured embedder, and asks the questions through the parts that serve visitors. What it
//! prints can be scored again by anyone: one record a question.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::Line;
use crate::retrieval::ingest::{IngestProgress, IngestReport};
use crate::retrieval::scratch::Scratch;
use crate::retrieval::{Audience, Query, Retrieval};
use crate::server;
use crate::site::Site;
use crate::telemetry::Metrics;
use crate::training::Progress;

pub mod allocation;
pub mod answers;
pub mod cases;
pub mod desk;
pub mod drafts;
pub mod forecast;
pub mod gaps;
pub mod injection;
pub mod intents;
pub mod policy;
pub mod purchase;
pub mod retrieval;
pub mod seo;
pub mod typos;

/// What directories of measurements are called.
const SCRATCH: &str = "frontdesk-eval";

/// A question with what is known about its answer. Fields it doesn't know are ignored, so files may
/// carry more.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    #[serde(default)]
    pub id: String,
    pub question: String,
    /// What was said before, oldest first.
    #[serde(default)]
    pub history: Vec<Said>,
    /// Documents that hold the answer.
    #[serde(default)]
    pub article_ids: Vec<String>,
    /// An answer that a person wrote.
    pub answer: Option<String>,
    pub answerability: Option<Answerability>,
}

/// A line of a conversation. `role` is `visitor` (or `user`) or anything else for who answers.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    pub role: String,
    pub text: String,
}

/// Whether the knowledge holds the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answerability {
    Answerable,
    /// A part of it.
    Partial,
    Unanswerable,
    /// Only a question in return can tell what is meant.
    Underspecified,
}

impl Question {
    /// A question of which nothing is known.
    fn plain(text: &str) -> Self {
        Self {
            id: String::new(),
            question: text.to_owned(),
            history: Vec::new(),
            article_ids: Vec::new(),
            answer: None,
            answerability: None,
        }
    }

    /// The conversation before the question.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let line = |said: &Said| Line {
            by_visitor: matches!(said.role.as_str(), "visitor" | "user"),
            text: said.text.clone(),
        };
        self.history.iter().map(line).collect()
    }

    fn query(&self, site: &str, limit: usize) -> Query {
        let before = self.lines().into_iter().filter(|line| line.by_visitor);
        Query {
            site: site.to_owned(),
            text: self.question.clone(),
            history: before.map(|line| line.text).collect(),
            audience: Audience::Public,
            language: String::new(),
            languages: Vec::new(),
            now_ms: Clock::system().now_ms(),
            limit,
        }
    }
}

/// Reads a JSON Lines file of questions; blank lines don't count.
///
/// # Errors
/// When it can't be read, a line isn't a question, or there is none; the text names file and line.
pub fn questions(path: &Path) -> anyhow::Result<Vec<Question>> {
    let file = File::open(path)
        .with_context(|| format!("the questions {} can't be opened", path.display()))?;
    let mut questions: Vec<Question> = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("{}, line {}", path.display(), at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let mut question: Question = serde_json::from_str(&line).with_context(|| {
            format!(
                "{}, line {}: not a question ({{\"question\": …, \"article_ids\": […]}})",
                path.display(),
                at + 1
            )
        })?;
        if question.id.is_empty() {
            question.id = (at + 1).to_string();
        }
        questions.push(question);
    }
    ensure!(!questions.is_empty(), "{} holds no questions", path.display());
    Ok(questions)
}

/// Knowledge in an index of its own, which goes when this does.
pub struct Bench {
    pub retrieval: Retrieval,
    pub site: Site,
    pub report: IngestReport,
    _index: Arc<Scratch>,
}

impl Bench {
    /// Reads a folder or file into a fresh index, with the configured embedder.
    ///
    /// # Errors
    /// When the path is missing or holds no document, or the embedder or the index fails.
    pub async fn open(
        config: &Config,
        knowledge: &Path,
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        let mut site = config.sites.first().cloned().context("no site is configured")?;
        site.knowledge = Some(knowledge.to_owned());
        let index = FreshIndex::open(config).await?;
        let bench = index.read(config, site, progress).await?;
        ensure!(
            bench.report.passages > 0,
            "{} holds no document that can be read{}",
            knowledge.display(),
            bench.report.failed.first().map(|failure| format!(": {failure}")).unwrap_or_default()
        );
        Ok(bench)
    }
}

/// An empty index of its own with the models that fill it; several sites may be read into it, each
/// with its own knowledge.
struct FreshIndex {
    retrieval: Retrieval,
    scratch: Arc<Scratch>,
}

impl FreshIndex {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let scratch = Scratch::new(SCRATCH)?;
        let mut config = config.clone();
        config.knowledge.index = scratch.path().join("index");
        config.knowledge.url = String::new();
        let retrieval = server::open_retrieval(&config, &Metrics::new()).await?;
        Ok(Self { retrieval, scratch: Arc::new(scratch) })
    }

    /// Reads a site's own knowledge, which may turn out to hold no passage.
    async fn read(
        &self,
        config: &Config,
        site: Site,
        progress: Progress<'_>,
    ) -> anyhow::Result<Bench> {
        let retrieval = self.retrieval.clone();
        let files = AtomicUsize::new(0);
        let show = |step: IngestProgress<'_>| match step {
            IngestProgress::Found { files: found } => files.store(found, Ordering::Relaxed),
            IngestProgress::File { number, .. } => {
                progress("reading documents", number, files.load(Ordering::Relaxed))
            }
            IngestProgress::Written { passages } => {
                progress("embedding passages", passages, passages)
            }
        };
        let report = server::ingest_site(&retrieval, config, &site, &[], true, &show).await?;
        retrieval.spelling.refresh(&retrieval.index, &site.id).await?;
        Ok(Bench { retrieval, site, report, _index: Arc::clone(&self.scratch) })
    }
}

/// The mean, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of questions")]
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}
