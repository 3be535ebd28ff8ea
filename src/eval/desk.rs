//! Whether messages as visitors write them get right replies: each comes with the facts that a
//! right one holds.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::Bench;
use super::answers::Asker;
use crate::config::Config;
use crate::conversation::{AnswerEnd, Line};
use crate::site::Site;
use crate::training::Progress;

mod grade;

pub use grade::{Behave, Grade, Item, Reply, folded, grade, occurs, validate};

/// What was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub summary: Summary,
    pub records: Vec<Record>,
    /// What became of messages since another run, if it was compared with one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Counts of grades.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Summary {
    pub all: Counts,
    pub by_language: BTreeMap<String, Counts>,
    /// By what a good agent does; a message in a conversation is a `follow-up`.
    pub by_kind: BTreeMap<String, Counts>,
    /// What would be answered, and how often wrongly, if only replies at least this sure were sent.
    pub risk: Vec<Risk>,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// Replies with each grade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    pub a: usize,
    pub b: usize,
    pub c: usize,
    pub d: usize,
    pub e: usize,
    pub f: usize,
}

impl Counts {
    fn add(&mut self, grade: Grade) {
        *match grade {
            Grade::A => &mut self.a,
            Grade::B => &mut self.b,
            Grade::C => &mut self.c,
            Grade::D => &mut self.d,
            Grade::E => &mut self.e,
            Grade::F => &mut self.f,
        } += 1;
    }

    /// Replies of any grade, then those of each from A to F.
    #[must_use]
    pub fn row(&self) -> [usize; 7] {
        let each = [self.a, self.b, self.c, self.d, self.e, self.f];
        [each.iter().sum(), self.a, self.b, self.c, self.d, self.e, self.f]
    }
}

/// Risk against coverage at one confidence (El-Yaniv, Wiener, 2010).
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Risk {
    pub confidence: f32,
    /// Share of all messages that are answered at this confidence or a higher one.
    pub coverage: f64,
    /// Share of these whose answer is graded E or F.
    pub risk: f64,
}

/// One message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    #[serde(flatten)]
    pub item: Item,
    pub reply: String,
    pub end: AnswerEnd,
    /// The message called a person.
    pub person: bool,
    /// Documents that the reply quotes.
    pub cited: Vec<String>,
    pub confidence: f32,
    pub ms: f64,
    pub grade: Grade,
    /// Why it isn't an A.
    pub reason: String,
}

/// A message whose grade or reply isn't what it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Change {
    pub id: String,
    pub text: String,
    pub before: Grade,
    pub after: Grade,
    pub reply_before: String,
    pub reply_after: String,
}

/// Reads messages in the form of [`Item`], one a JSON line.
///
/// # Errors
/// When the file can't be read or holds a line that is no message; the text names file and line.
pub fn items(path: &Path) -> anyhow::Result<Vec<Item>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the messages {} can't be read", path.display()))?;
    let mut items = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let item = serde_json::from_str(line).with_context(|| {
            format!("{}, line {}: not a message with its facts", path.display(), at + 1)
        })?;
        items.push(item);
    }
    ensure!(!items.is_empty(), "{} holds no messages", path.display());
    validate(&items).with_context(|| path.display().to_string())?;
    Ok(items)
}

/// Reads an earlier report, as `--json` prints it.
///
/// # Errors
/// When the file can't be read or isn't one.
pub fn report(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the run {} can't be read", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of `frontdesk eval desk --json`", path.display()))
}

/// Asks every message of a site's own knowledge, a follow-up after its first message, and grades
/// the replies.
///
/// # Errors
/// When the site or its knowledge can't be used, or a part fails.
pub async fn run(
    config: &Config,
    site: Option<&str>,
    items: &[Item],
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let mut config = config.clone();
    if let Some(id) = site {
        let at = config.sites.iter().position(|site| site.id == id);
        let at = at.with_context(|| format!("no site is called {id:?}"))?;
        config.sites.swap(0, at);
    }
    let own = config.sites.first().and_then(|site| site.knowledge.clone());
    let knowledge = own.unwrap_or_else(|| config.knowledge.path.clone());
    let bench = Bench::open(&config, &knowledge, progress).await?;
    let asker = Asker::new(&config, &bench).await?;
    let mut records = Vec::with_capacity(items.len());
    for (done, item) in items.iter().enumerate() {
        progress("asking", done, items.len());
        records.push(
            ask(&asker, &bench.site, item).await.with_context(|| format!("message {}", item.id))?,
        );
    }
    asker.stop().await;
    Ok(Report { summary: summary(&records), records, changes: Vec::new() })
}

/// Asks one message, after its first one where it has one, and grades the reply.
pub(super) async fn ask(asker: &Asker<'_>, site: &Site, item: &Item) -> anyhow::Result<Record> {
    let mut history = Vec::new();
    if let Some(first) = &item.first {
        let opened = asker.reply(Vec::new(), first).await?;
        history.push(Line { by_visitor: true, text: first.clone() });
        history.push(Line { by_visitor: false, text: opened.text });
    }
    let got = asker.reply(history, &item.text).await?;
    let person = site.handoff.on_message(&item.text).is_some();
    let unknown = asker.unknown(&item.lang)?;
    let reply = Reply { text: &got.text, end: got.verdict.end, person, unknown: &unknown };
    let (grade, reason) = grade(item, &reply);
    let quoted = got.verdict.citations.iter().filter(|citation| !citation.related);
    let mut cited: Vec<String> = quoted.map(|citation| citation.document.clone()).collect();
    cited.dedup();
    Ok(Record {
        item: item.clone(),
        reply: got.text,
        end: got.verdict.end,
        person,
        cited,
        confidence: got.verdict.confidence,
        ms: got.total.as_secs_f64() * 1_000.0,
        grade,
        reason,
    })
}

impl Report {
    /// Notes what became of messages since an earlier run.
    pub fn compare(&mut self, before: &Self) {
        let known: HashMap<&str, &Record> =
            before.records.iter().map(|record| (record.item.id.as_str(), record)).collect();
        let changed = |now: &Record| {
            let before = known.get(now.item.id.as_str())?;
            (before.grade != now.grade || before.reply != now.reply).then(|| Change {
                id: now.item.id.clone(),
                text: now.item.text.clone(),
                before: before.grade,
                after: now.grade,
                reply_before: before.reply.clone(),
                reply_after: now.reply.clone(),
            })
        };
        self.changes = self.records.iter().filter_map(changed).collect();
    }
}

pub(super) fn summary(records: &[Record]) -> Summary {
    let mut summary = Summary::default();
    for record in records {
        let kind = if record.item.first.is_some() {
            "follow-up".to_owned()
        } else {
            serde_json::to_value(record.item.behave)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        summary.all.add(record.grade);
        summary.by_language.entry(record.item.lang.clone()).or_default().add(record.grade);
        summary.by_kind.entry(kind).or_default().add(record.grade);
    }
    summary.risk = risk(records);
    let mut times: Vec<f64> = records.iter().map(|record| record.ms).collect();
    times.sort_by(f64::total_cmp);
    let percentile = |share: usize| {
        times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied()
    };
    summary.p50_ms = percentile(50).unwrap_or_default();
    summary.p95_ms = percentile(95).unwrap_or_default();
    summary
}

/// Confidences at which risk against coverage is told.
const CONFIDENCES: [f32; 7] = [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9];

#[expect(clippy::cast_precision_loss, reason = "counts of messages")]
fn risk(records: &[Record]) -> Vec<Risk> {
    let answers = |record: &&Record| matches!(record.end, AnswerEnd::Complete | AnswerEnd::Length);
    let at = |confidence: f32| {
        let sent: Vec<&Record> = records
            .iter()
            .filter(answers)
            .filter(|record| record.confidence >= confidence)
            .collect();
        let wrong =
            sent.iter().filter(|record| matches!(record.grade, Grade::E | Grade::F)).count();
        Risk {
            confidence,
            coverage: sent.len() as f64 / records.len().max(1) as f64,
            risk: wrong as f64 / sent.len().max(1) as f64,
        }
    };
    CONFIDENCES.into_iter().map(at).collect()
}
