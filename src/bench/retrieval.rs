//! How long a search takes, by the number of passages in the embedded index.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::retrieval::index::Index;
use crate::retrieval::{Audience, KnowledgeConfig, Passage, Query};

/// Text → its embedding. It is called inside `tokio::task::block_in_place`, so it may wait for an
/// embedder on another thread; that takes a runtime with several workers.
pub type Embed<'a> = &'a dyn Fn(&str) -> anyhow::Result<Vec<f32>>;

/// What to measure.
pub struct RetrievalOptions<'a> {
    /// JSON lines with `text` (or `content`) and perhaps `title`; passages are put together from
    /// their sentences.
    pub articles: PathBuf,
    /// JSON lines with `question`; without it the questions are pieces of sentences of the
    /// articles.
    pub questions: Option<PathBuf>,
    /// Numbers of passages, ascending.
    pub sizes: Vec<usize>,
    /// Searches per size.
    pub queries: usize,
    /// Passages asked for by each search.
    pub limit: usize,
    /// The same seed gives the same passages, vectors and questions.
    pub seed: u64,
    /// Where the vectors come from; its time is counted. Without it they are random and free.
    pub embed: Option<Embed<'a>>,
    /// Length of random vectors.
    pub dims: usize,
}

impl RetrievalOptions<'_> {
    /// 1,000, 10,000 and 100,000 passages, 300 searches for 5 passages each.
    #[must_use]
    pub fn new(articles: PathBuf) -> Self {
        Self {
            articles,
            questions: None,
            sizes: vec![1_000, 10_000, 100_000],
            queries: 300,
            limit: 5,
            seed: 7,
            embed: None,
            dims: 384,
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalReport {
    pub dims: usize,
    pub cores: usize,
    /// Whether the embedding of the question is part of the times.
    pub embeds: bool,
    pub sizes: Vec<SizeReport>,
}

/// One size of the index.
#[derive(Clone, Debug, Serialize)]
pub struct SizeReport {
    pub passages: usize,
    /// Passages that a graph leads to.
    pub indexed: usize,
    /// Storing the passages that came in since the size before, without their embeddings.
    pub fill_s: f64,
    /// Building the graphs for them.
    pub optimize_s: f64,
    /// Disk taken by the whole index, its log included.
    pub disk_mib: f64,
    pub embed_ms: Percentiles,
    pub search_ms: Percentiles,
    /// Embedding and search of the same question.
    pub total_ms: Percentiles,
    pub target_total_p95_ms: f64,
    pub reached: bool,
}

/// Milliseconds over all questions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub max: f64,
}

/// What [`SizeReport::total_ms`] is to stay within at p95, with up to 100,000 passages.
pub const TARGET_P95_MS: f64 = 20.0;
/// Passages stored at a time.
const BATCH: usize = 500;
/// Windows of sentences that passages are combined from, and so embeddings to compute.
const WINDOWS: usize = 2_000;
const SENTENCES_PER_WINDOW: usize = 2;
const WINDOWS_PER_PASSAGE: usize = 3;
const SITE: &str = "bench";

/// Fills an embedded index in the system's temporary directory and measures searches at each size.
/// `progress` is told what is being done, and how much of how much is done.
///
/// # Errors
/// Where the articles cannot be read, the embedder fails or the index does.
pub async fn run(
    options: &RetrievalOptions<'_>,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> anyhow::Result<RetrievalReport> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut windows = windows(&options.articles)?;
    windows.truncate(WINDOWS);
    let questions = questions(options, &windows, &mut random)?;

    let mut bases = Vec::with_capacity(windows.len());
    for (done, window) in windows.iter().enumerate() {
        if done % 50 == 0 {
            progress("embedding sentences", done, windows.len());
        }
        bases.push(match options.embed {
            Some(embed) => tokio::task::block_in_place(|| embed(&window.text))?,
            None => unit(&mut random, options.dims),
        });
    }
    let dims = bases.first().map_or(0, Vec::len);
    ensure!(dims > 0, "the embedder gives empty vectors");

    let scratch = Scratch::new()?;
    let config = KnowledgeConfig { index: scratch.0.clone(), ..KnowledgeConfig::default() };
    let index = Index::open(&config, dims).await?;
    let mut report = RetrievalReport {
        dims,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        embeds: options.embed.is_some(),
        sizes: Vec::new(),
    };
    let mut stored = 0;
    for &size in &options.sizes {
        let started = Instant::now();
        while stored < size {
            progress("storing passages", stored, size);
            let batch: Vec<_> = (stored..size.min(stored + BATCH))
                .map(|number| combine(number, &windows, &bases, &mut random))
                .collect();
            stored += batch.len();
            index.upsert(batch).await?;
        }
        let fill_s = started.elapsed().as_secs_f64();
        progress("building the graph", 0, 1);
        let started = Instant::now();
        index.optimize().await?;
        let optimize_s = started.elapsed().as_secs_f64();
        let mut measured =
            measure(options, &index, &questions, &mut random, dims, progress).await?;
        measured.fill_s = fill_s;
        measured.optimize_s = optimize_s;
        measured.disk_mib = disk_mib(&scratch.0);
        report.sizes.push(measured);
    }
    index.close().await?;
    Ok(report)
}

async fn measure(
    options: &RetrievalOptions<'_>,
    index: &Index,
    questions: &[String],
    random: &mut StdRng,
    dims: usize,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> anyhow::Result<SizeReport> {
    let (mut embed_ms, mut search_ms, mut total_ms) = (Vec::new(), Vec::new(), Vec::new());
    // The first round brings the index into memory and is not counted.
    for round in 0..2 {
        for (done, question) in questions.iter().enumerate() {
            if done % 50 == 0 {
                progress("searching", round * questions.len() + done, 2 * questions.len());
            }
            let started = Instant::now();
            let embedding = match options.embed {
                Some(embed) => tokio::task::block_in_place(|| embed(question))?,
                None => unit(random, dims),
            };
            let embedded = started.elapsed();
            let query = Query {
                site: SITE.to_owned(),
                text: question.clone(),
                history: Vec::new(),
                audience: Audience::Public,
                language: String::new(),
                languages: Vec::new(),
                now_ms: 1,
                limit: options.limit,
            };
            let hits = index.search(&query, embedding.as_slice()).await?;
            let total = started.elapsed();
            ensure!(
                hits.len() == options.limit,
                "{} passages found instead of {}",
                hits.len(),
                options.limit
            );
            if round == 1 {
                embed_ms.push(embedded.as_secs_f64() * 1e3);
                search_ms.push((total - embedded).as_secs_f64() * 1e3);
                total_ms.push(total.as_secs_f64() * 1e3);
            }
        }
    }
    let health = index.health().await?;
    let total_ms = Percentiles::of(total_ms);
    Ok(SizeReport {
        target_total_p95_ms: TARGET_P95_MS,
        reached: total_ms.p95 <= TARGET_P95_MS,
        passages: health.passages,
        indexed: health.indexed,
        fill_s: 0.0,
        optimize_s: 0.0,
        disk_mib: 0.0,
        embed_ms: Percentiles::of(embed_ms),
        search_ms: Percentiles::of(search_ms),
        total_ms,
    })
}

impl Percentiles {
    /// By nearest rank; zeros where nothing was measured.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(50), p95: at(95), max: at(100) }
    }
}

// --- Texts and vectors ---

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    #[serde(alias = "content")]
    text: String,
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

/// A few sentences of an article that follow each other.
struct Window {
    title: String,
    text: String,
}

fn windows(articles: &Path) -> anyhow::Result<Vec<Window>> {
    let mut windows = Vec::new();
    for Article { title, text } in lines::<Article>(articles)? {
        let sentences: Vec<&str> =
            text.split_inclusive(". ").map(str::trim).filter(|text| !text.is_empty()).collect();
        for sentences in sentences.chunks(SENTENCES_PER_WINDOW) {
            windows.push(Window { title: title.clone(), text: sentences.join(" ") });
        }
    }
    ensure!(!windows.is_empty(), "{} holds no articles", articles.display());
    Ok(windows)
}

fn questions(
    options: &RetrievalOptions<'_>,
    windows: &[Window],
    random: &mut StdRng,
) -> anyhow::Result<Vec<String>> {
    let mut questions: Vec<String> = match &options.questions {
        Some(path) => lines::<Question>(path)?.into_iter().map(|line| line.question).collect(),
        None => Vec::new(),
    };
    questions.truncate(options.queries);
    while questions.len() < options.queries {
        let Some(window) = windows.choose(random) else { break };
        questions.push(window.text.split_whitespace().take(12).collect::<Vec<_>>().join(" "));
    }
    Ok(questions)
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let read = |(at, line): (usize, std::io::Result<String>)| -> anyhow::Result<T> {
        serde_json::from_str(&line?).with_context(|| format!("{}, line {}", path.display(), at + 1))
    };
    BufReader::new(file).lines().enumerate().map(read).collect()
}

/// Passage `number`: windows of different articles, and a vector among theirs.
fn combine(
    number: usize,
    windows: &[Window],
    bases: &[Vec<f32>],
    random: &mut StdRng,
) -> (Passage, Vec<f32>) {
    let chosen: Vec<usize> =
        (0..WINDOWS_PER_PASSAGE).map(|_| random.random_range(0..windows.len())).collect();
    let text = chosen.iter().map(|&at| windows[at].text.as_str()).collect::<Vec<_>>().join(" ");
    let mut vector = unit(random, bases[chosen[0]].len());
    vector.iter_mut().for_each(|value| *value *= 0.3);
    for (&at, weight) in chosen.iter().zip([1.0, 0.6, 0.4]) {
        for (sum, value) in vector.iter_mut().zip(&bases[at]) {
            *sum += weight * value;
        }
    }
    let ordinal = u32::try_from(number % 10).unwrap_or_default();
    let passage = Passage {
        site: SITE.to_owned(),
        document: format!("article-{}", number / 10),
        ordinal,
        title: windows[chosen[0]].title.clone(),
        headings: Vec::new(),
        end: text.len() as u64,
        text,
        url: None,
        language: "en".to_owned(),
        audience: if number % 20 == 19 { Audience::Agents } else { Audience::Public },
        start: 0,
        document_hash: "bench".to_owned(),
        valid_from_ms: None,
        valid_until_ms: None,
        product: None,
    };
    (passage, vector)
}

/// A direction, all equally likely: sums of uniform numbers are near enough to normal.
fn unit(random: &mut StdRng, dims: usize) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..dims)
        .map(|_| (0..4).map(|_| random.random_range(-1.0..1.0_f32)).sum::<f32>())
        .collect();
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

// --- The place ---

/// A directory that goes away with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("frontdesk-bench-retrieval-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the temporary directory: if it can't be removed now, the system will.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn disk_mib(directory: &Path) -> f64 {
    fn bytes(directory: &Path) -> u64 {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
                Ok(metadata) => metadata.len(),
                Err(_) => 0,
            })
            .sum()
    }
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let bytes = bytes(directory) as f64;
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let percentiles = Percentiles::of((1..=100).map(f64::from).collect());
        assert_eq!((percentiles.p50, percentiles.p95, percentiles.max), (50.0, 95.0, 100.0));
        let percentiles = Percentiles::of(vec![3.0]);
        assert_eq!((percentiles.p50, percentiles.p95, percentiles.max), (3.0, 3.0, 3.0));
        assert_eq!(Percentiles::of(Vec::new()).max, 0.0);
    }

    #[tokio::test]
    async fn measures_a_small_index() {
        let directory = tempfile::tempdir().unwrap();
        let articles = directory.path().join("articles.jsonl");
        let line = |n: u32| {
            format!(
                r#"{{"title": "Cell {n}", "text": "Cells of kind {n} divide. Others rest. They die."}}"#
            )
        };
        std::fs::write(&articles, (0..20).map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let options = RetrievalOptions {
            sizes: vec![20, 50],
            queries: 5,
            dims: 8,
            ..RetrievalOptions::new(articles)
        };
        let mut steps = Vec::new();
        let report = run(&options, &mut |step, _, _| steps.push(step.to_owned())).await.unwrap();
        assert_eq!(report.sizes.iter().map(|size| size.passages).collect::<Vec<_>>(), [20, 50]);
        assert!(report.sizes.iter().all(|size| size.total_ms.p50 > 0.0 && size.disk_mib > 0.0));
        steps.dedup();
        assert_eq!(steps[..3], ["embedding sentences", "storing passages", "building the graph"]);
    }
}
