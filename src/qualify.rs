//! Whether a model may phrase answers on a site's knowledge: `frontdesk check --model` asks it
//! questions made of the passages themselves, and `answers.mode = "auto"` goes by the result.
//!
//! The gate lets nothing invented out whatever the model is. What is measured is how much of the
//! model is left behind it: a model whose sentences are mostly withheld answers worse than quotes
//! do, and takes longer.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::llm::{ModelFacts, Sampling};
use crate::prompt::SiteFacts;
use crate::retrieval::index::Index;
use crate::retrieval::schema::IndexError;
use crate::retrieval::{Audience, Passage};
use crate::turn::{self, Ask, Mode, Outlet, Output, Phrased, Spine};

/// What a model has to reach on every site. Judged, not fitted: below these a visitor is better
/// served by quotes.
pub const BAR: Bar =
    Bar { withheld: 0.15, invented: 0.05, empty: 0.1, right_document: 0.9, seconds: 15.0 };

/// A test of fewer questions says nothing.
pub const MIN_QUESTIONS: usize = 10;

/// See [`BAR`]. Shares are 0…1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bar {
    /// Share of the model's sentences that the gate withholds, at most.
    pub withheld: f64,
    /// Share of its sentences with a number, date, link, code or name that no passage has, at most.
    pub invented: f64,
    /// Share of the questions of whose answer no sentence stands, at most.
    pub empty: f64,
    /// Of the answers whose right document the model was shown, the share that cites it, at least.
    pub right_document: f64,
    /// Seconds until half of the answers are whole, at most.
    pub seconds: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub questions: usize,
    pub sentences: u32,
    pub withheld: f64,
    pub invented: f64,
    pub empty: f64,
    /// `None` if no answer was shown its right document.
    pub right_document: Option<f64>,
    /// Seconds until half of the answers were whole.
    pub seconds: f64,
    pub tokens_per_second: f64,
}

/// A test and what came of it, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Qualification {
    pub site: String,
    pub model: String,
    /// The model's SHA-256; where the engine knows none, what else tells it from others.
    pub identity: String,
    pub knowledge: Revision,
    /// SHA-256 of the prompt templates.
    pub prompts: String,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    pub measured: Measured,
    /// Where it stayed below the bar; empty if it qualifies.
    pub missed: Vec<String>,
}

/// A question of the test, and what the model made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    #[serde(flatten)]
    pub probe: Probe,
    /// What went out behind the gate.
    pub answer: String,
    pub sent: u32,
    pub withheld: Vec<String>,
    pub reasons: Vec<String>,
    pub invented: u32,
    pub cited: Vec<String>,
    /// Whether the right document was among the passages that the model was shown.
    pub shown: bool,
    pub tokens: u32,
    pub seconds: f64,
}

/// A question that a passage answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Probe {
    pub kind: Kind,
    pub question: String,
    /// Documents that answer it.
    pub documents: BTreeSet<String>,
}

/// What a question was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A heading, or the question of a pair, that is one itself.
    Asked,
    /// A product's price.
    Product,
    /// A cell of a table.
    Cell,
    /// A heading under its title.
    Heading,
}

/// Questions made of passages: the same ones for the same passages. At most `limit`, spread over
/// their kinds and documents.
#[must_use]
pub fn probes(passages: &[Passage], limit: usize) -> Vec<Probe> {
    let mut found: BTreeMap<(Kind, String), BTreeSet<String>> = BTreeMap::new();
    for passage in passages {
        for (kind, question) in questions(passage) {
            found.entry((kind, question)).or_default().insert(passage.document.clone());
        }
    }
    let mut kinds: BTreeMap<Kind, Vec<Probe>> = BTreeMap::new();
    for ((kind, question), documents) in found {
        // A question that many documents answer asks for none of them.
        if documents.len() <= 3 {
            kinds.entry(kind).or_default().push(Probe { kind, question, documents });
        }
    }
    let mut asked: HashSet<String> = HashSet::new();
    let mut per_document: BTreeMap<String, usize> = BTreeMap::new();
    for of_kind in kinds.values_mut() {
        // Their hash spreads them: by name, a long document would take all places.
        of_kind.sort_by_cached_key(|probe| Sha256::digest(&probe.question).to_vec());
        of_kind.reverse();
    }
    let mut chosen = Vec::new();
    while chosen.len() < limit && kinds.values().any(|of_kind| !of_kind.is_empty()) {
        for of_kind in kinds.values_mut() {
            let fresh = |probe: &Probe| {
                let document = probe.documents.first().cloned().unwrap_or_default();
                let times = per_document.get(source(&document)).copied().unwrap_or_default();
                times < MAX_PER_DOCUMENT && !asked.contains(&probe.question)
            };
            while of_kind.last().is_some_and(|probe| !fresh(probe)) {
                of_kind.pop();
            }
            let Some(probe) = of_kind.pop() else { continue };
            if chosen.len() == limit {
                break;
            }
            let document = probe.documents.first().cloned().unwrap_or_default();
            *per_document.entry(source(&document).to_owned()).or_default() += 1;
            asked.insert(probe.question.clone());
            chosen.push(probe);
        }
    }
    chosen
}

/// Questions made of one file.
const MAX_PER_DOCUMENT: usize = 8;
/// Longest question, in characters.
const MAX_CHARS: usize = 160;

/// The file that a document is a row of.
fn source(document: &str) -> &str {
    document.split_once('#').map_or(document, |(file, _)| file)
}

fn questions(passage: &Passage) -> Vec<(Kind, String)> {
    let chinese = passage.language == "zh";
    let mut found = Vec::new();
    if let Some(product) = &passage.product {
        if product.price.is_some() {
            let variant =
                product.variant.as_ref().map(|variant| format!(" ({variant})")).unwrap_or_default();
            let name = format!("{}{variant}", product.name);
            found.push((
                Kind::Product,
                if chinese {
                    format!("{name}多少钱？")
                } else {
                    format!("How much is the {name}?")
                },
            ));
        }
        return found;
    }
    let asks = |text: &str| text.ends_with(['?', '？']);
    let mut header: Vec<&str> = Vec::new();
    let mut rows = 0;
    let name = |heading: &str| (Kind::Heading, about(&passage.title, heading, chinese));
    if let Some(own) = passage.headings.last() {
        found.push(if asks(own) { (Kind::Asked, own.clone()) } else { name(own) });
    }
    for line in passage.text.lines().map(str::trim) {
        if let Some(own) = line.strip_prefix('#') {
            let own = own.trim_start_matches('#').trim();
            found.push(if asks(own) { (Kind::Asked, own.to_owned()) } else { name(own) });
        } else if let Some(question) = line.strip_prefix("Q: ").filter(|question| asks(question)) {
            found.push((Kind::Asked, question.to_owned()));
        } else if line.starts_with('|') {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if header.is_empty() {
                header = cells;
            } else if !cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':'))) {
                rows += 1;
                found.extend(
                    cell(&header, &cells, rows, chinese).map(|question| (Kind::Cell, question)),
                );
            }
        } else {
            header.clear();
        }
    }
    found.retain(|(_, question)| question.chars().count() <= MAX_CHARS);
    found
}

fn about(title: &str, heading: &str, chinese: bool) -> String {
    if chinese {
        format!("关于{title}：{heading}有什么说明？")
    } else {
        format!("{title}: what can you tell me about {}?", heading.trim_end_matches('.'))
    }
}

/// What a cell is asked for by: its row's name and its column's. Rows take columns in turn.
fn cell(header: &[&str], cells: &[&str], row: usize, chinese: bool) -> Option<String> {
    // A row whose first cell is a code is called by its second.
    let named = usize::from(cells.first()?.bytes().any(|b| b.is_ascii_digit()) && cells.len() > 2);
    let name = cells.get(named).filter(|name| !name.is_empty())?;
    let columns = named + 1..header.len().min(cells.len());
    let column = columns.clone().nth(row.checked_rem(columns.len())?)?;
    let label = header.get(column).filter(|label| !label.is_empty())?;
    cells.get(column).filter(|value| value.chars().any(|c| c.is_ascii_digit()))?;
    Some(if chinese {
        format!("{name}的{label}是多少？")
    } else {
        format!("{name}: what is the {}?", label.to_lowercase())
    })
}

/// A version of a site's knowledge, and how much of it another version still is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// SHA-256 over all documents and their hashes.
    pub hash: String,
    pub documents: usize,
    /// The smallest hashes of documents: two versions share as many of theirs as they share
    /// documents (Broder, 1997).
    sketch: Vec<String>,
}

const SKETCH: usize = 128;
/// Share of the documents that have to be those of the test for it to count.
const SAME: f64 = 0.5;

impl Revision {
    /// Of documents with their content hashes.
    #[must_use]
    pub fn of(documents: &[(String, String)]) -> Self {
        let mut hashes: Vec<String> = documents
            .iter()
            .map(|(document, hash)| format!("{:x}", Sha256::digest(format!("{document}\0{hash}"))))
            .collect();
        hashes.sort();
        let hash = format!("{:x}", Sha256::digest(hashes.concat()));
        hashes.truncate(SKETCH);
        hashes.iter_mut().for_each(|hash| hash.truncate(16));
        Self { hash, documents: documents.len(), sketch: hashes }
    }

    /// Estimated share of common documents (Jaccard index).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 128")]
    pub fn common(&self, other: &Self) -> f64 {
        let (own, others): (BTreeSet<&String>, BTreeSet<&String>) =
            (self.sketch.iter().collect(), other.sketch.iter().collect());
        let union: Vec<&String> = own.union(&others).copied().take(SKETCH).collect();
        let common =
            union.iter().filter(|hash| own.contains(**hash) && others.contains(**hash)).count();
        common as f64 / union.len().max(1) as f64
    }
}

/// The revision of a site's part of the index.
///
/// # Errors
/// When the index fails.
pub async fn revision(index: &Index, site: &str) -> Result<Revision, IndexError> {
    let documents = index.documents(site).await?;
    let documents: Vec<_> =
        documents.into_iter().map(|known| (known.document, known.document_hash)).collect();
    Ok(Revision::of(&documents))
}

/// What tells a model from others: its SHA-256, else what is known of it.
#[must_use]
pub fn identity(facts: &ModelFacts) -> String {
    if facts.sha256.is_empty() {
        format!("{} {} {} bytes", facts.engine, facts.name, facts.size_bytes)
    } else {
        facts.sha256.clone()
    }
}

/// A site as it answers.
#[derive(Clone, Debug)]
pub struct Tested {
    pub id: String,
    pub facts: SiteFacts,
    /// Where a question's own language can't be told.
    pub language: String,
}

/// Tells how many of how many questions were asked.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Asks the model and measures what stands.
///
/// # Errors
/// When the site's knowledge gives fewer than [`MIN_QUESTIONS`] questions, or a part fails.
pub async fn run(
    spine: &Spine,
    site: &Tested,
    questions: usize,
    progress: Progress<'_>,
) -> anyhow::Result<(Qualification, Vec<Record>)> {
    let index = &spine.retrieval.index;
    let now_ms = spine.clock.now_ms();
    let shown = |passage: &Passage| {
        passage.audience == Audience::Public
            && passage.valid_from_ms.is_none_or(|from| from <= now_ms)
            && passage.valid_until_ms.is_none_or(|until| now_ms <= until)
    };
    let mut passages = Vec::new();
    for known in index.documents(&site.id).await? {
        passages.extend(index.passages(&site.id, &known.document).await?.into_iter().filter(shown));
    }
    let probes = probes(&passages, questions.max(MIN_QUESTIONS));
    ensure!(
        probes.len() >= MIN_QUESTIONS,
        "the knowledge of site {:?} gives {} questions, but a test needs {MIN_QUESTIONS}; run `frontdesk ingest` first, or add documents",
        site.id,
        probes.len()
    );
    let mut records = Vec::with_capacity(probes.len());
    for (done, probe) in probes.iter().enumerate() {
        progress(done, probes.len());
        records.push(
            ask(spine, site, probe.clone())
                .await
                .with_context(|| format!("asking {:?}", probe.question))?,
        );
    }
    progress(probes.len(), probes.len());
    let measured = measured(&records);
    let facts = spine.llm.facts();
    let qualification = Qualification {
        site: site.id.clone(),
        model: facts.name.clone(),
        identity: identity(facts),
        knowledge: revision(index, &site.id).await?,
        prompts: spine.prompts.revision()?,
        at_ms: now_ms,
        missed: missed(&measured),
        measured,
    };
    Ok((qualification, records))
}

async fn ask(spine: &Spine, site: &Tested, probe: Probe) -> anyhow::Result<Record> {
    let ask = Ask {
        site: site.id.clone(),
        session: None,
        facts: site.facts.clone(),
        language: site.language.clone(),
        audience: Audience::Public,
        history: Vec::new(),
        question: probe.question.clone(),
        written: String::new(),
        // The likeliest words, so that the same model gives the same result.
        sampling: Some(Sampling { temperature: 0.0, seed: Some(1), ..spine.sampling }),
        max_tokens: None,
        stop: Vec::new(),
        request: None,
        beside: String::new(),
    };
    let since = Instant::now();
    let turn::Understood { mut hits, .. } = turn::understand(spine, &ask).await?;
    turn::rerank::rerank(spine, &ask, &mut hits).await;
    let (sender, mut outputs) = mpsc::channel(64);
    let mut outlet = Outlet::new(sender, spine.metrics.clone());
    let collect = async {
        let (mut answer, mut withheld, mut reasons) = (String::new(), Vec::new(), Vec::new());
        while let Some(output) = outputs.recv().await {
            match output {
                Output::Text(text) => answer.push_str(&text),
                Output::Withheld { text, reason } => {
                    withheld.push(text);
                    reasons.push(reason);
                }
                Output::Citation(_) | Output::Queued { .. } | Output::Thinking => {}
            }
        }
        (answer, withheld, reasons)
    };
    let work = async {
        let language = ask.spoken().unwrap_or(&ask.language);
        let phrased = turn::generate(spine, &ask, &hits, language, &mut outlet).await;
        drop(outlet);
        phrased
    };
    let (phrased, (answer, withheld, reasons)) = tokio::join!(work, collect);
    let (verdict, Phrased { tally, shown, .. }) = phrased?;
    let of_shown =
        |document: &String| hits.iter().take(shown).any(|hit| hit.passage.document == *document);
    Ok(Record {
        answer,
        sent: tally.sent,
        withheld,
        reasons,
        invented: tally.invented,
        cited: verdict.citations.into_iter().map(|citation| citation.document).collect(),
        shown: probe.documents.iter().any(of_shown),
        tokens: verdict.usage.completion_tokens,
        seconds: since.elapsed().as_secs_f64(),
        probe,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of questions and sentences")]
fn measured(records: &[Record]) -> Measured {
    let sent: u32 = records.iter().map(|record| record.sent).sum();
    let withheld: usize = records.iter().map(|record| record.withheld.len()).sum();
    let invented: u32 = records.iter().map(|record| record.invented).sum();
    let sentences = f64::from(sent) + withheld as f64;
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let empty = records.iter().filter(|record| record.sent == 0).count();
    let judged: Vec<&Record> =
        records.iter().filter(|record| record.sent > 0 && record.shown).collect();
    let right = judged
        .iter()
        .filter(|record| record.cited.iter().any(|cited| record.probe.documents.contains(cited)));
    let right = right.count();
    let mut seconds: Vec<f64> = records.iter().map(|record| record.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let tokens: u32 = records.iter().map(|record| record.tokens).sum();
    Measured {
        questions: records.len(),
        sentences: sent + u32::try_from(withheld).unwrap_or(u32::MAX),
        withheld: share(withheld as f64, sentences),
        invented: share(f64::from(invented), sentences),
        // A model that says nothing at all invents nothing either.
        empty: share(empty as f64, records.len() as f64),
        right_document: (!judged.is_empty()).then(|| right as f64 / judged.len() as f64),
        seconds: seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        tokens_per_second: share(f64::from(tokens), seconds.iter().sum()),
    }
}

/// Where a result is below the bar, in words.
fn missed(measured: &Measured) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let mut missed = Vec::new();
    let mut at_most = |what: &str, value: f64, bar: f64| {
        if value > bar {
            missed.push(format!("{} of {what}, at most {} allowed", percent(value), percent(bar)));
        }
    };
    at_most("its sentences withheld", measured.withheld, BAR.withheld);
    at_most("its sentences with invented facts", measured.invented, BAR.invented);
    at_most("its answers without a sentence that stands", measured.empty, BAR.empty);
    let right = measured.right_document.unwrap_or_default();
    if right < BAR.right_document {
        missed.push(format!(
            "the right document cited in {}, at least {} needed",
            percent(right),
            percent(BAR.right_document)
        ));
    }
    if measured.seconds > BAR.seconds {
        missed.push(format!(
            "half of the answers take more than {:.0} s, at most {:.0} s allowed",
            measured.seconds, BAR.seconds
        ));
    }
    missed
}

/// The file that keeps the results, beside the store.
#[must_use]
pub fn file(config: &Config) -> PathBuf {
    config.store.path.parent().unwrap_or(&config.store.path).join("qualified.json")
}

/// The results that are kept; none where there is no file yet.
///
/// # Errors
/// When the file can't be read or holds something else.
pub fn kept(path: &Path) -> anyhow::Result<Vec<Qualification>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    serde_json::from_str(&text).with_context(|| {
        format!("{} holds no results of `frontdesk check --model`; remove it", path.display())
    })
}

/// Results that a file keeps; the oldest go.
const MAX_KEPT: usize = 200;

/// Keeps a result in place of the one before of the same model on the same site.
///
/// # Errors
/// When the file can't be read or written.
pub fn keep(path: &Path, qualification: Qualification) -> anyhow::Result<()> {
    let mut all = kept(path)?;
    all.retain(|other| {
        (&other.site, &other.identity) != (&qualification.site, &qualification.identity)
    });
    all.push(qualification);
    let begin = all.len().saturating_sub(MAX_KEPT);
    all.drain(..begin);
    let writing = path.with_extension("json.new");
    let text = serde_json::to_string_pretty(&all).context("the results as JSON")?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    std::fs::write(&writing, text).with_context(|| format!("writing {}", writing.display()))?;
    std::fs::rename(&writing, path).with_context(|| format!("writing {}", path.display()))
}

/// What answers are made by, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub mode: Mode,
    pub why: String,
}

/// What `answers.mode` comes to with these results. A server phrases for all of its sites or for
/// none.
#[must_use]
pub fn decide(
    mode: Mode,
    facts: &ModelFacts,
    prompts: &str,
    sites: &[(String, Revision)],
    kept: &[Qualification],
) -> Decision {
    if mode != Mode::Auto {
        return Decision { mode, why: "answers.mode says so".into() };
    }
    let identity = identity(facts);
    let name = &facts.name;
    let mut questions = 0;
    for (site, revision) in sites {
        let of_site = |other: &&Qualification| other.site == *site && other.identity == identity;
        let why = match kept.iter().rfind(of_site) {
            None => {
                format!(
                    "{name} hasn't been tested on the knowledge of site {site:?}; run `frontdesk check --model`"
                )
            }
            Some(result) if result.prompts != prompts => {
                format!(
                    "the prompts are others than when {name} was tested; run `frontdesk check --model` again"
                )
            }
            Some(result) if result.knowledge.common(revision) < SAME => {
                let knowledge = format!(
                    "most of the knowledge of site {site:?} is other than when {name} was tested"
                );
                format!("{knowledge}; run `frontdesk check --model` again")
            }
            Some(result) if !result.missed.is_empty() => {
                format!("{name} doesn't qualify on site {site:?}: {}", result.missed.join("; "))
            }
            Some(result) => {
                questions += result.measured.questions;
                continue;
            }
        };
        return Decision { mode: Mode::Quote, why };
    }
    Decision {
        mode: Mode::Generate,
        why: format!("{name} qualifies: it passed the test of {questions} questions"),
    }
}

/// [`decide`] with what the configuration, the index and the kept results say.
///
/// # Errors
/// When the index or the file of results can't be read.
pub async fn decision(
    config: &Config,
    index: &Index,
    facts: &ModelFacts,
    prompts: &str,
) -> anyhow::Result<Decision> {
    let mut sites = Vec::with_capacity(config.sites.len());
    if config.answers.mode == Mode::Auto {
        for site in &config.sites {
            sites.push((site.id.clone(), revision(index, &site.id).await?));
        }
    }
    Ok(decide(config.answers.mode, facts, prompts, &sites, &kept(&file(config))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::product::Product;

    fn passage(
        document: &str,
        title: &str,
        headings: &[&str],
        text: &str,
        language: &str,
    ) -> Passage {
        Passage {
            site: "shop".into(),
            document: document.into(),
            ordinal: 0,
            title: title.into(),
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            text: text.into(),
            url: None,
            language: language.into(),
            audience: Audience::Public,
            start: 0,
            end: 0,
            document_hash: "a".into(),
            valid_from_ms: None,
            valid_until_ms: None,
            product: None,
        }
    }

    #[test]
    fn questions_are_made_of_passages() {
        let table = "| Item no. | Variant | Price |\n| --- | --- | --- |\n| HP-1 | Tarn 3 | 429 EUR |\n\n## Is it warm?\n\nYes.";
        let row = Passage {
            product: Some(Box::new(Product {
                id: "1".into(),
                name: "Tarn 3 tent".into(),
                variant: Some("Moss".into()),
                price: Some("429.00".into()),
                ..Product::default()
            })),
            ..passage(
                "list.csv#1",
                "Tarn 3 tent",
                &[],
                "sku: 1; name: Tarn 3 tent; price: 429.00.",
                "en",
            )
        };
        let passages = [
            passage("tent.md", "Tarn 3", &["Prices"], table, "en"),
            passage(
                "faq.md",
                "FAQ",
                &[],
                "Q: Do you ship abroad?\n\nA: Yes, to 12 countries.",
                "en",
            ),
            passage(
                "zh.md",
                "退货",
                &["运费"],
                "| 目的地 | 运费 |\n| --- | --- |\n| 爱尔兰 | 4.90 欧元 |",
                "zh",
            ),
            row,
        ];
        let mut found: Vec<String> =
            probes(&passages, 40).into_iter().map(|probe| probe.question).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "Do you ship abroad?",
                "How much is the Tarn 3 tent (Moss)?",
                "Is it warm?",
                "Tarn 3: what can you tell me about Prices?",
                "Tarn 3: what is the price?",
                "关于退货：运费有什么说明？",
                "爱尔兰的运费是多少？",
            ]
        );
        assert_eq!(probes(&passages, 3), probes(&passages, 3));
        assert_eq!(probes(&passages, 3).len(), 3);
        assert_eq!(probes(&[], 3), []);
    }

    fn qualification(missed: &[&str]) -> Qualification {
        let measured = Measured {
            questions: 40,
            sentences: 80,
            withheld: 0.0,
            invented: 0.0,
            empty: 0.0,
            right_document: Some(1.0),
            seconds: 1.0,
            tokens_per_second: 50.0,
        };
        Qualification {
            site: "shop".into(),
            model: "m".into(),
            identity: "abc".into(),
            knowledge: revision(10),
            prompts: "p".into(),
            at_ms: 0,
            measured,
            missed: missed.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    fn revision(changed: usize) -> Revision {
        let documents: Vec<_> = (0..100)
            .map(|n| (n.to_string(), if n < changed { "new" } else { "old" }.to_owned()))
            .collect();
        Revision::of(&documents)
    }

    #[test]
    fn auto_goes_by_the_result_of_this_model_on_this_knowledge() {
        let facts = ModelFacts { name: "m".into(), sha256: "abc".into(), ..ModelFacts::default() };
        #[track_caller]
        fn check(
            mode: Mode,
            facts: &ModelFacts,
            changed: usize,
            kept: &[Qualification],
            expected: Mode,
            says: &str,
        ) {
            let sites = [("shop".to_owned(), revision(changed))];
            let decision = decide(mode, facts, "p", &sites, kept);
            assert!(decision.mode == expected && decision.why.contains(says), "{decision:?}");
        }
        let passed = [qualification(&[])];
        check(Mode::Auto, &facts, 10, &passed, Mode::Generate, "qualifies");
        check(Mode::Auto, &facts, 20, &passed, Mode::Generate, "40 questions");
        check(Mode::Auto, &facts, 90, &passed, Mode::Quote, "most of the knowledge");
        check(Mode::Auto, &facts, 10, &[], Mode::Quote, "hasn't been tested");
        check(
            Mode::Auto,
            &facts,
            10,
            &[qualification(&["90 % withheld"])],
            Mode::Quote,
            "90 % withheld",
        );
        check(Mode::Quote, &facts, 10, &passed, Mode::Quote, "says so");
        check(Mode::Generate, &facts, 10, &[], Mode::Generate, "says so");
        let other = ModelFacts { sha256: "def".into(), ..facts.clone() };
        check(Mode::Auto, &other, 10, &passed, Mode::Quote, "hasn't been tested");
        let prompts = [Qualification { prompts: "q".into(), ..qualification(&[]) }];
        check(Mode::Auto, &facts, 10, &prompts, Mode::Quote, "prompts");
    }

    #[test]
    fn results_are_kept_by_site_and_model() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/qualified.json");
        assert_eq!(kept(&path).unwrap(), []);
        keep(&path, qualification(&[])).unwrap();
        keep(&path, qualification(&["slow"])).unwrap();
        keep(&path, Qualification { identity: "def".into(), ..qualification(&[]) }).unwrap();
        let kept = kept(&path).unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0], qualification(&["slow"]));
        std::fs::write(&path, "{").unwrap();
        assert!(super::kept(&path).unwrap_err().to_string().contains("remove it"));
    }

    #[test]
    fn the_bar_names_what_is_missed() {
        let good = qualification(&[]).measured;
        assert_eq!(missed(&good), [""; 0]);
        let bad = Measured {
            withheld: 0.9,
            invented: 0.5,
            empty: 0.5,
            right_document: None,
            seconds: 99.0,
            ..good
        };
        assert_eq!(missed(&bad).len(), 5, "{:?}", missed(&bad));
        assert_eq!(missed(&bad)[0], "90 % of its sentences withheld, at most 15 % allowed");
    }
}
