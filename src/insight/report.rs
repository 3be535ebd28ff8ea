//! Aggregates over sessions: funnel, demand, scores against outcomes, segments, campaigns. Pure.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::book::Entry;
use super::segments::{self, Segment};
use crate::catalogue::goods::Goods;
use crate::features::Money;
use crate::intent::watch::{Notice, Warning};
use crate::language::topics::Topic;
use crate::recommend::{Rate, Uplift, cosine};

/// Which sessions: those that began from `from_ms` up to and without `to_ms`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Range {
    #[serde(default)]
    pub from_ms: u64,
    #[serde(default = "always")]
    pub to_ms: u64,
}

fn always() -> u64 {
    u64::MAX
}

/// Everything the page shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub totals: Totals,
    pub funnel: Vec<Stage>,
    /// Width of the time steps, in milliseconds: a day, or a week where days would be too many.
    pub step_ms: u64,
    pub steps: Vec<Step>,
    pub topics: Vec<Named>,
    /// What messages are about by the deployed classes, the most frequent; empty without them.
    pub classes: Vec<Named>,
    pub products: Vec<Named>,
    pub categories: Vec<Named>,
    pub questions: Vec<Question>,
    pub scores: Scores,
    pub segments: Vec<Segment>,
    pub campaigns: Vec<Campaign>,
    pub uplift: Uplift,
    /// What to keep in mind when reading it.
    pub notes: Vec<Notice<Note>>,
}

/// What made the scores: a deployed model with what is to be said about it, or the sum.
#[derive(Clone, Debug, Default)]
pub struct Scorer {
    /// Version and kind of the model.
    pub version: Option<(u32, String)>,
    /// Conversations that began no later may be among those that the model learned from; 0 for the
    /// sum.
    pub learned_until_ms: u64,
    pub warnings: Vec<Notice<Warning>>,
}

impl Scorer {
    fn is_new_to(&self, entry: &Entry) -> bool {
        entry.state.started_at_ms > self.learned_until_ms
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    pub sessions: usize,
    pub messages: u64,
    /// Of the sessions whose outcome was reported.
    pub converted: Rate,
    /// What was paid, by currency.
    pub paid: Vec<Money>,
    /// Between these the sessions began; 0 without any.
    pub first_ms: u64,
    pub last_ms: u64,
}

/// A stage of the funnel: sessions in which it happened.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    pub name: &'static str,
    pub sessions: usize,
}

/// One step of time.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub at_ms: u64,
    pub sessions: u32,
    pub converted: u32,
    /// Sessions that asked about each topic, in the order of [`Report::topics`]' names in the log:
    /// price, stock, delivery, discount, payment, comparison, returns, complaint.
    pub topics: [u32; Topic::ALL.len()],
    /// Sessions with a message about each of [`Report::classes`], in their order.
    pub classes: Vec<u32>,
}

/// How many sessions named something, and how many of those with an outcome bought.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    pub id: String,
    pub name: String,
    pub sessions: u32,
    pub converted: Rate,
}

/// Questions that mean the same.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    pub text: String,
    pub count: u32,
    pub session: String,
}

/// Purchase intent against what really came.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// What made the scores: the kind of the model and its version, or the sum.
    pub model: String,
    pub version: Option<u32>,
    /// Sessions with an outcome that everything here is about, and those that were left out because
    /// the model may have learned from them.
    pub sessions: usize,
    pub learned: usize,
    /// The moment from which on sessions count; 0 if all do.
    pub after_ms: u64,
    /// Sessions with an outcome, at most [`MAX_POINTS`], evenly chosen over time.
    pub points: Vec<Point>,
    /// False positive rate and true positive rate at each threshold, from (0, 0) to (1, 1).
    pub roc: Vec<[f64; 2]>,
    /// Area under it; 0.5 is chance. `None` unless both outcomes occur.
    pub auroc: Option<f64>,
    /// Up to ten groups of about equal size by score, for calibration.
    pub bins: Vec<Bin>,
    /// Mean squared difference of score and outcome, and what always saying the mean rate would
    /// give.
    pub brier: Option<f64>,
    pub brier_of_mean: Option<f64>,
    /// Expected calibration error over the bins.
    pub ece: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub session: String,
    pub at_ms: u64,
    pub score: f32,
    pub converted: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Bin {
    pub low: f32,
    pub high: f32,
    pub mean: f64,
    pub converted: Rate,
}

#[derive(Clone, Debug, Serialize)]
pub struct Campaign {
    pub name: String,
    pub sessions: u32,
    pub score: f64,
    pub converted: Rate,
    /// What was paid, by currency.
    pub paid: Vec<Money>,
    /// The topic asked about most.
    pub topic: Option<&'static str>,
}

const DAY_MS: u64 = 86_400_000;
const MAX_STEPS: u64 = 120;
pub const MAX_POINTS: usize = 2_000;
const BINS: usize = 10;
/// Rows of a list.
const TOP: usize = 12;
/// Questions that are looked at, the newest, and the cosine from which two mean the same.
const MAX_QUESTIONS: usize = 1_500;
const SAME: f32 = 0.72;

/// Sessions of a range.
#[must_use]
pub fn within(entries: &[Arc<Entry>], range: Range) -> Vec<Arc<Entry>> {
    let inside =
        |entry: &&Arc<Entry>| (range.from_ms..range.to_ms).contains(&entry.state.started_at_ms);
    entries.iter().filter(inside).cloned().collect()
}

/// The aggregates of sessions, which come in the order of their beginning.
#[must_use]
pub fn report(entries: &[Arc<Entry>], catalogue: &Goods, scorer: &Scorer) -> Report {
    let classes = by(entries, |entry| {
        entry.classes.iter().map(|name| (name.clone(), name.clone())).collect()
    });
    let (step_ms, steps) = steps(entries, &classes);
    Report {
        classes,
        totals: totals(entries),
        funnel: funnel(entries),
        topics: topics(entries),
        products: named(entries, catalogue),
        categories: by(entries, |entry| {
            entry.state.categories.keys().map(|name| (name.clone(), name.clone())).collect()
        }),
        questions: questions(entries),
        scores: scores(entries, scorer),
        segments: segments::segments(entries),
        campaigns: campaigns(entries),
        uplift: Uplift::of(entries.iter().map(|entry| &entry.state)),
        notes: notes(entries, scorer),
        step_ms,
        steps,
    }
}

fn totals(entries: &[Arc<Entry>]) -> Totals {
    Totals {
        sessions: entries.len(),
        messages: entries.iter().map(|entry| u64::from(entry.state.messages)).sum(),
        converted: rate(entries.iter().map(AsRef::as_ref)),
        paid: paid(entries.iter().map(AsRef::as_ref)),
        first_ms: entries.first().map_or(0, |entry| entry.state.started_at_ms),
        last_ms: entries.last().map_or(0, |entry| entry.state.started_at_ms),
    }
}

fn paid<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Money> {
    Money::sums(entries.flat_map(|entry| &entry.state.outcomes).map(|(_, outcome)| outcome))
}

fn rate<'a>(entries: impl Iterator<Item = &'a Entry>) -> Rate {
    let (mut of, mut count) = (0, 0);
    for converted in entries.filter_map(|entry| entry.state.converted()) {
        of += 1;
        count += u32::from(converted);
    }
    Rate::new(count, of)
}

/// The stages, in the order in which most purchases come about. Each counts the conversations in
/// which it happened: who bought need not have asked before.
const STAGES: [&str; 4] = ["wrote", "kept on (3 messages)", "asked about buying", "bought"];

/// Which of [`STAGES`] happened.
fn stages(entry: &Entry) -> [bool; STAGES.len()] {
    let state = &entry.state;
    let asked =
        state.topics.iter().zip(Topic::ALL).any(|(count, topic)| {
            *count > 0 && !matches!(topic, Topic::Returns | Topic::Complaint)
        });
    let interested = asked || !state.products.is_empty();
    [state.messages >= 1, state.messages >= 3, interested, state.converted() == Some(true)]
}

fn funnel(entries: &[Arc<Entry>]) -> Vec<Stage> {
    let count = |n: usize| entries.iter().filter(|entry| stages(entry)[n]).count();
    STAGES.iter().enumerate().map(|(n, name)| Stage { name, sessions: count(n) }).collect()
}

fn steps(entries: &[Arc<Entry>], classes: &[Named]) -> (u64, Vec<Step>) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return (DAY_MS, Vec::new());
    };
    let (first, last) = (first.state.started_at_ms / DAY_MS, last.state.started_at_ms / DAY_MS);
    let mut width = 1;
    while (last - first) / width >= MAX_STEPS {
        width = if width == 1 { 7 } else { width * 2 };
    }
    let step_ms = width * DAY_MS;
    let count = (last - first) / width + 1;
    let mut steps: Vec<Step> = (0..count)
        .map(|n| Step {
            at_ms: (first + n * width) * DAY_MS,
            sessions: 0,
            converted: 0,
            topics: [0; Topic::ALL.len()],
            classes: vec![0; classes.len()],
        })
        .collect();
    for entry in entries {
        let at = (entry.state.started_at_ms / DAY_MS - first) / width;
        let Some(step) = usize::try_from(at).ok().and_then(|at| steps.get_mut(at)) else {
            continue;
        };
        step.sessions += 1;
        step.converted += u32::from(entry.state.converted() == Some(true));
        for (sum, count) in step.topics.iter_mut().zip(entry.state.topics) {
            *sum += u32::from(count > 0);
        }
        for (sum, class) in step.classes.iter_mut().zip(classes) {
            *sum += u32::from(entry.classes.contains(&class.id));
        }
    }
    (step_ms, steps)
}

fn topics(entries: &[Arc<Entry>]) -> Vec<Named> {
    by(entries, |entry| {
        let asked = Topic::ALL.iter().zip(entry.state.topics).filter(|(_, count)| *count > 0);
        asked.map(|(topic, _)| (topic.name().to_owned(), topic.name().to_owned())).collect()
    })
}

fn named(entries: &[Arc<Entry>], catalogue: &Goods) -> Vec<Named> {
    by(entries, |entry| {
        let name = |id: &String| {
            catalogue.product(id).map_or_else(|| id.clone(), |product| product.name.clone())
        };
        entry.state.products.keys().map(|id| (id.clone(), name(id))).collect()
    })
}

/// Sessions by what they have, the most frequent first.
fn by(entries: &[Arc<Entry>], names: impl Fn(&Entry) -> Vec<(String, String)>) -> Vec<Named> {
    let mut groups: BTreeMap<(String, String), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        for key in names(entry) {
            groups.entry(key).or_default().push(entry);
        }
    }
    let mut list: Vec<Named> = groups
        .into_iter()
        .map(|((id, name), group)| Named {
            id,
            name,
            sessions: u32::try_from(group.len()).unwrap_or(u32::MAX),
            converted: rate(group.into_iter()),
        })
        .collect();
    list.sort_by(|a, b| b.sessions.cmp(&a.sessions).then_with(|| a.name.cmp(&b.name)));
    list.truncate(TOP);
    list
}

/// Questions, those that mean the same together. Without meanings, the same words.
fn questions(entries: &[Arc<Entry>]) -> Vec<Question> {
    struct Group<'a> {
        text: &'a str,
        meaning: Vec<f32>,
        sessions: Vec<&'a str>,
    }
    let newest = entries
        .iter()
        .rev()
        .flat_map(|entry| entry.asked.iter().map(move |asked| (entry.id.as_str(), asked)));
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (session, asked) in newest.take(MAX_QUESTIONS) {
        let meaning: Vec<f32> =
            asked.meaning.iter().flat_map(|meaning| meaning.numbers()).collect();
        let same = |group: &&mut Group<'_>| {
            group.text.eq_ignore_ascii_case(&asked.text) || cosine(&group.meaning, &meaning) >= SAME
        };
        match groups.iter_mut().find(same) {
            Some(group) if group.sessions.contains(&session) => {}
            Some(group) => group.sessions.push(session),
            None => groups.push(Group { text: &asked.text, meaning, sessions: vec![session] }),
        }
    }
    groups.sort_by(|a, b| b.sessions.len().cmp(&a.sessions.len()).then_with(|| a.text.cmp(b.text)));
    groups
        .into_iter()
        .take(TOP)
        .map(|group| Question {
            text: group.text.to_owned(),
            count: u32::try_from(group.sessions.len()).unwrap_or(u32::MAX),
            session: group.sessions.first().map(|id| (*id).to_owned()).unwrap_or_default(),
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn scores(entries: &[Arc<Entry>], scorer: &Scorer) -> Scores {
    let outcomes =
        entries.iter().filter_map(|entry| Some((entry.as_ref(), entry.state.converted()?)));
    // What a model learned from tells how well it remembers, not how well it foresees.
    let (known, learned): (Vec<(&Entry, bool)>, Vec<_>) =
        outcomes.partition(|(entry, _)| scorer.is_new_to(entry));
    let mut sorted: Vec<(f32, bool)> =
        known.iter().map(|(entry, converted)| (entry.score, *converted)).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = sorted.len();
    let positives = sorted.iter().filter(|(_, converted)| *converted).count();
    let both = positives > 0 && positives < all;

    let mut roc = vec![[0.0, 0.0]];
    let (mut hits, mut misses, mut area) = (0_usize, 0_usize, 0.0);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let before = [misses as f64, hits as f64];
        hits += group.iter().filter(|(_, converted)| *converted).count();
        misses += group.iter().filter(|(_, converted)| !*converted).count();
        // Ties share a step: the slope between is what a coin would give.
        area += (misses as f64 - before[0]) * (hits as f64 + before[1]) / 2.0;
        if both {
            roc.push([misses as f64 / (all - positives) as f64, hits as f64 / positives as f64]);
        }
    }
    let auroc = both.then(|| area / (positives as f64 * (all - positives) as f64));

    sorted.reverse();
    let bins = bins(&sorted);
    let squared = |predict: &dyn Fn(f32) -> f64| {
        let sum: f64 = sorted
            .iter()
            .map(|(score, converted)| (predict(*score) - f64::from(u8::from(*converted))).powi(2))
            .sum();
        (all > 0).then(|| sum / all as f64)
    };
    let mean = positives as f64 / all.max(1) as f64;
    let gap: f64 = bins
        .iter()
        .map(|bin| (bin.mean - bin.converted.rate).abs() * f64::from(bin.converted.of))
        .sum();
    let every = known.len().div_ceil(MAX_POINTS).max(1);
    Scores {
        model: scorer
            .version
            .as_ref()
            .map_or_else(|| crate::intent::SUM.to_owned(), |(_, kind)| kind.clone()),
        version: scorer.version.as_ref().map(|(version, _)| *version),
        sessions: known.len(),
        learned: learned.len(),
        after_ms: scorer.learned_until_ms,
        points: known
            .iter()
            .step_by(every)
            .map(|(entry, converted)| Point {
                session: entry.id.clone(),
                at_ms: entry.state.started_at_ms,
                score: entry.score,
                converted: *converted,
            })
            .collect(),
        roc: if both { roc } else { Vec::new() },
        auroc,
        bins,
        brier: squared(&|score| f64::from(score)),
        brier_of_mean: squared(&|_| mean),
        ece: (all > 0).then(|| gap / all as f64),
    }
}

/// Groups of about equal size, ascending; equal scores are never parted.
#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn bins(sorted: &[(f32, bool)]) -> Vec<Bin> {
    let mut bins = Vec::new();
    let (mut begin, mut wanted) = (0, 1);
    for end in 1..=sorted.len() {
        let parted = sorted.get(end).is_none_or(|(next, _)| *next > sorted[end - 1].0);
        if end * BINS < wanted * sorted.len() || !parted {
            continue;
        }
        let group = &sorted[begin..end];
        let converted = group.iter().filter(|(_, converted)| *converted).count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        bins.push(Bin {
            low: group[0].0,
            high: sorted[end - 1].0,
            mean: group.iter().map(|(score, _)| f64::from(*score)).sum::<f64>()
                / group.len() as f64,
            converted: Rate::new(count(converted), count(group.len())),
        });
        begin = end;
        wanted = end * BINS / sorted.len() + 1;
    }
    bins
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn campaigns(entries: &[Arc<Entry>]) -> Vec<Campaign> {
    let mut groups: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry(campaign(entry)).or_default().push(entry);
    }
    let mut list: Vec<Campaign> = groups
        .into_iter()
        .map(|(name, group)| {
            let asked = |at: usize| group.iter().filter(|entry| entry.state.topics[at] > 0).count();
            let top = (0..Topic::ALL.len()).max_by_key(|at| (asked(*at), std::cmp::Reverse(*at)));
            Campaign {
                name: name.to_owned(),
                sessions: u32::try_from(group.len()).unwrap_or(u32::MAX),
                score: group.iter().map(|entry| f64::from(entry.score)).sum::<f64>()
                    / group.len() as f64,
                converted: rate(group.iter().copied()),
                paid: paid(group.iter().copied()),
                topic: top.filter(|at| asked(*at) > 0).map(|at| Topic::ALL[at].name()),
            }
        })
        .collect();
    list.sort_by_key(|campaign| std::cmp::Reverse(campaign.sessions));
    list.truncate(TOP);
    list
}

/// The campaign a session came from; its channel where none was passed.
#[must_use]
pub fn campaign(entry: &Entry) -> &str {
    entry.state.source.as_ref().and_then(|source| source.campaign()).unwrap_or(&entry.state.channel)
}

/// What to keep in mind when reading a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// The deployed model needs a look.
    Model(Warning),
    /// Imported conversations among all.
    Recordings {
        recorded: usize,
        of: usize,
    },
    FewOutcomes {
        outcomes: usize,
    },
    /// Outcomes that are long silence, among all.
    Silence {
        silent: usize,
        outcomes: usize,
    },
    OnlyPurchases,
    /// The model is judged on what it did not learn from.
    Learned {
        later: usize,
        earlier: usize,
        version: u32,
        few: bool,
    },
    /// No model made the scores.
    Sum,
    Erased,
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(warning) => write!(f, "The purchase model: {warning}."),
            Self::Recordings { recorded, of } => write!(
                f,
                "{recorded} of {of} conversations are recordings that were imported: they have their own words, time and outcome, but no time within the \
                 conversation and no answers of this server, and nobody saw cards in them."
            ),
            Self::FewOutcomes { outcomes } => write!(
                f,
                "Only {outcomes} conversations have a reported outcome; rates and curves are uncertain below some hundreds."
            ),
            Self::Silence { silent, outcomes } => write!(
                f,
                "{silent} of the {outcomes} outcomes are silence: nothing was reported of these conversations for so many days (`outcome_after_days`) that \
                 they count as not bought."
            ),
            Self::OnlyPurchases => f.write_str(
                "Every reported outcome is a purchase, so rates and comparisons tell nothing. Report what came to none, too, or let silence count after a \
                 while (`outcome_after_days`).",
            ),
            Self::Learned { later, earlier, version, few } => write!(
                f,
                "How well the intent foretells purchases is measured on the {later} conversations with an outcome that version {version} did not learn \
                 from{}. The {earlier} earlier ones would flatter it.",
                if *few { ", which is few: the curves are uncertain" } else { "" }
            ),
            Self::Sum => f.write_str(
                "The purchase intent is a hand-set sum until a model is trained on your outcomes: it orders conversations, it is no probability. The curves \
                 show how far it can be trusted.",
            ),
            Self::Erased => f.write_str("Conversations that were erased or expired are in no figure."),
        }
    }
}

/// Outcomes below which rates and curves are uncertain.
const FEW: usize = 100;

fn notes(entries: &[Arc<Entry>], scorer: &Scorer) -> Vec<Notice<Note>> {
    let mut notes: Vec<Note> =
        scorer.warnings.iter().map(|warning| Note::Model(warning.what.clone())).collect();
    let recorded = entries.iter().filter(|entry| entry.state.recorded()).count();
    if recorded > 0 {
        notes.push(Note::Recordings { recorded, of: entries.len() });
    }
    let known = || entries.iter().filter(|entry| entry.state.converted().is_some());
    let outcomes = known().count();
    if outcomes < FEW {
        notes.push(Note::FewOutcomes { outcomes });
    }
    let silent = known().filter(|entry| entry.state.outcomes.is_empty()).count();
    if silent > 0 {
        notes.push(Note::Silence { silent, outcomes });
    } else if outcomes > 0 && known().all(|entry| entry.state.converted() == Some(true)) {
        notes.push(Note::OnlyPurchases);
    }
    let later = known().filter(|entry| scorer.is_new_to(entry)).count();
    if let Some((version, _)) = scorer.version.as_ref().filter(|_| later < outcomes) {
        notes.push(Note::Learned {
            later,
            earlier: outcomes - later,
            version: *version,
            few: later < FEW,
        });
    }
    if scorer.version.is_none() {
        notes.push(Note::Sum);
    }
    notes.push(Note::Erased);
    notes.into_iter().map(Notice::from).collect()
}

/// Which sessions to list, by what a plot shows.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Drill {
    /// One session alone.
    pub session: Option<String>,
    pub topic: Option<String>,
    /// Name of a class of the deployed classes.
    pub class: Option<String>,
    pub product: Option<String>,
    pub category: Option<String>,
    pub campaign: Option<String>,
    /// Name of a stage of the funnel.
    pub stage: Option<String>,
    /// Number of a segment, from 0.
    pub segment: Option<usize>,
    pub score_from: Option<f32>,
    pub score_to: Option<f32>,
    pub converted: Option<bool>,
}

/// A line of the list.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub session: String,
    pub at_ms: u64,
    pub channel: String,
    pub campaign: String,
    pub messages: u32,
    pub topics: Vec<&'static str>,
    pub products: Vec<String>,
    pub sentiment: Option<f32>,
    pub score: f32,
    pub converted: Option<bool>,
    /// What was paid, by currency.
    pub paid: Vec<Money>,
}

/// The sessions that a part of a plot stands for, the newest first.
#[must_use]
pub fn drill(entries: &[Arc<Entry>], drill: &Drill, catalogue: &Goods, limit: usize) -> Vec<Line> {
    let members = drill.segment.map(|at| segments::members(entries, at));
    let fits = |at: usize, entry: &Entry| {
        let state = &entry.state;
        let topic = |name: &String| {
            Topic::ALL
                .iter()
                .zip(state.topics)
                .any(|(topic, count)| topic.name() == name && count > 0)
        };
        let reached = |name: &String| {
            STAGES.iter().position(|stage| stage == name).is_some_and(|n| stages(entry)[n])
        };
        drill.session.as_ref().is_none_or(|id| entry.id == *id)
            && drill.topic.as_ref().is_none_or(topic)
            && drill.class.as_ref().is_none_or(|name| entry.classes.contains(name))
            && drill.product.as_ref().is_none_or(|id| state.products.contains_key(id))
            && drill.category.as_ref().is_none_or(|name| state.categories.contains_key(name))
            && drill.campaign.as_ref().is_none_or(|name| campaign(entry) == name)
            && drill.stage.as_ref().is_none_or(reached)
            && members.as_ref().is_none_or(|members| members.contains(&at))
            && drill.score_from.is_none_or(|from| entry.score >= from)
            && drill.score_to.is_none_or(|to| entry.score <= to)
            && drill.converted.is_none_or(|converted| state.converted() == Some(converted))
    };
    let lines = entries.iter().enumerate().rev().filter(|(at, entry)| fits(*at, entry));
    lines
        .take(limit)
        .map(|(_, entry)| Line {
            session: entry.id.clone(),
            at_ms: entry.state.started_at_ms,
            channel: entry.state.channel.clone(),
            campaign: campaign(entry).to_owned(),
            messages: entry.state.messages,
            topics: Topic::ALL
                .iter()
                .zip(entry.state.topics)
                .filter(|(_, count)| *count > 0)
                .map(|(topic, _)| topic.name())
                .collect(),
            products: entry
                .state
                .products
                .keys()
                .map(|id| {
                    catalogue.product(id).map_or_else(|| id.clone(), |product| product.name.clone())
                })
                .collect(),
            sentiment: entry.state.sentiment.mean(),
            score: entry.score,
            converted: entry.state.converted(),
            paid: entry.state.paid(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::State;
    use crate::signals::Outcome;

    fn entry(id: u64, score: f32, converted: Option<bool>) -> Arc<Entry> {
        let outcomes = converted.map(|converted| {
            (1, Outcome { order: id.to_string(), converted, ..Outcome::default() })
        });
        let state = State {
            started_at_ms: 1_700_000_000_000 + id * DAY_MS / 4,
            messages: 3,
            channel: "widget".into(),
            topics: [u32::from(id.is_multiple_of(2)), 0, 0, 0, 0, 0, 0, 0],
            outcomes: outcomes.into_iter().collect(),
            ..State::default()
        };
        Arc::new(Entry::new(format!("s{id}"), state, score))
    }

    #[test]
    fn scores_that_order_perfectly_have_an_area_of_one_and_ties_a_half() {
        let perfect: Vec<_> =
            (0..40).map(|id| entry(id, if id < 20 { 0.2 } else { 0.8 }, Some(id >= 20))).collect();
        assert_eq!(scores(&perfect, &Scorer::default()).auroc, Some(1.0));
        let ties: Vec<_> = (0..40).map(|id| entry(id, 0.5, Some(id >= 20))).collect();
        let ties = scores(&ties, &Scorer::default());
        assert_eq!((ties.auroc, ties.roc), (Some(0.5), vec![[0.0, 0.0], [1.0, 1.0]]));
        let one_sided: Vec<_> = (0..4).map(|id| entry(id, 0.5, Some(true))).collect();
        assert_eq!(scores(&one_sided, &Scorer::default()).auroc, None);
        // By hand: 0.9+ 0.7− 0.6+ 0.2−: of four pairs three are in order.
        let mixed = [(0.9, true), (0.7, false), (0.6, true), (0.2, false)];
        let mixed: Vec<_> = (0..4)
            .zip(mixed)
            .map(|(id, (score, converted))| entry(id, score, Some(converted)))
            .collect();
        assert_eq!(scores(&mixed, &Scorer::default()).auroc, Some(0.75));
    }

    #[test]
    fn a_model_is_judged_on_what_it_did_not_learn_from() {
        // What it learned from it knows by heart; of what came later it knows nothing.
        let entries: Vec<_> = (0..60)
            .map(|id| entry(id, if id < 40 && id % 2 == 0 { 0.9 } else { 0.1 }, Some(id % 2 == 0)))
            .collect();
        let scorer = |learned_until_ms| Scorer {
            version: Some((3, "trees".into())),
            learned_until_ms,
            ..Scorer::default()
        };
        let seen = scores(&entries, &scorer(entries[39].state.started_at_ms));
        assert_eq!(
            (seen.sessions, seen.learned, seen.points.len(), seen.auroc),
            (20, 40, 20, Some(0.5))
        );
        let none = scorer(u64::MAX);
        let report = report(&entries, &Goods::default(), &none);
        assert_eq!(
            (report.scores.sessions, report.scores.auroc, report.scores.ece),
            (0, None, None)
        );
        assert!(
            report.scores.roc.is_empty()
                && report.scores.bins.is_empty()
                && report.scores.points.is_empty()
        );
        assert!(
            report.notes.iter().any(|note| note.text.contains("measured on the 0 conversations")),
            "{:?}",
            report.notes
        );
    }

    #[test]
    fn bins_hold_every_session_once() {
        let entries: Vec<_> =
            (0..57).map(|id| entry(id, id as f32 / 57.0, Some(id % 3 == 0))).collect();
        let scores = scores(&entries, &Scorer::default());
        assert_eq!(scores.bins.iter().map(|bin| bin.converted.of).sum::<u32>(), 57);
        assert_eq!(scores.bins.len(), BINS);
        assert!(scores.bins.is_sorted_by(|a, b| a.high <= b.low));
        let ties: Vec<_> = (0..50)
            .map(|id| entry(id, if id < 30 { 0.1 } else { 0.2 }, Some(id % 2 == 0)))
            .collect();
        let sizes: Vec<u32> = super::scores(&ties, &Scorer::default())
            .bins
            .iter()
            .map(|bin| bin.converted.of)
            .collect();
        assert_eq!(sizes, [30, 20], "equal scores stay together");
    }

    #[test]
    fn the_report_counts_what_there_is_and_lists_it() {
        let entries: Vec<_> =
            (0..10).map(|id| entry(id, 0.3, (id < 4).then_some(id == 0))).collect();
        let report = report(&entries, &Goods::default(), &Scorer::default());
        assert_eq!(
            (report.totals.sessions, report.totals.converted.of, report.totals.converted.count),
            (10, 4, 1)
        );
        let funnel: Vec<usize> = report.funnel.iter().map(|stage| stage.sessions).collect();
        // The buyer is among those who asked for a price.
        assert_eq!(funnel, [10, 10, 5, 1]);
        // Who bought after one message without a question did neither keep on nor ask.
        let mut silent = entry(1, 0.3, Some(true));
        Arc::make_mut(&mut silent).state.messages = 1;
        let happened: Vec<usize> =
            super::funnel(&[silent]).iter().map(|stage| stage.sessions).collect();
        assert_eq!(happened, [1, 0, 0, 1]);
        assert_eq!(report.steps.iter().map(|step| step.sessions).sum::<u32>(), 10);
        assert_eq!((report.topics[0].name.as_str(), report.topics[0].sessions), ("price", 5));
        for (topic, expected) in [("price", 5), ("stock", 0)] {
            let wanted = Drill { topic: Some(topic.into()), ..Drill::default() };
            assert_eq!(drill(&entries, &wanted, &Goods::default(), 100).len(), expected);
        }
        let one = Drill { session: Some("s7".into()), ..Drill::default() };
        assert_eq!(
            drill(&entries, &one, &Goods::default(), 100)
                .iter()
                .map(|line| &*line.session)
                .collect::<Vec<_>>(),
            ["s7"]
        );
        let bought = Drill { stage: Some("bought".into()), ..Drill::default() };
        assert_eq!(drill(&entries, &bought, &Goods::default(), 100).len(), 1);
    }

    #[test]
    fn silence_is_an_outcome_and_the_notes_say_so() {
        let orders: Vec<_> = (0..12).map(|id| entry(id, 0.3, (id < 3).then_some(true))).collect();
        let said = |entries: &[Arc<Entry>]| {
            serde_json::to_string(&notes(entries, &Scorer::default())).unwrap()
        };
        assert!(said(&orders).contains("Every reported outcome is a purchase"));
        let mut heard = orders;
        for entry in heard.iter_mut().skip(3) {
            Arc::make_mut(entry).state.silent = true;
        }
        assert!(
            said(&heard).contains("9 of the 12 outcomes are silence")
                && !said(&heard).contains("Every reported")
        );
        let report = report(&heard, &Goods::default(), &Scorer::default());
        assert_eq!((report.totals.converted.count, report.totals.converted.of), (3, 12));
    }

    #[test]
    fn currencies_are_never_one_sum() {
        let order = |id: u64, currency: &str, amount: f64| {
            let mut entry = entry(id, 0.5, Some(true));
            let outcome = &mut Arc::make_mut(&mut entry).state.outcomes[0].1;
            (outcome.currency, outcome.amount) = (currency.into(), amount);
            entry
        };
        let entries = [
            order(0, "USD", 100.0),
            order(1, "EUR", 349.0),
            order(2, "EUR", 1.0),
            entry(3, 0.5, Some(false)),
        ];
        let money = |currency: &str, amount| Money { currency: currency.into(), amount };
        let report = report(&entries, &Goods::default(), &Scorer::default());
        assert_eq!(report.totals.paid, [money("EUR", 350.0), money("USD", 100.0)]);
        assert_eq!(report.campaigns[0].paid, report.totals.paid);
        let lines = drill(
            &entries,
            &Drill { converted: Some(true), ..Drill::default() },
            &Goods::default(),
            9,
        );
        assert_eq!(lines[2].paid, [money("USD", 100.0)]);
    }

    #[test]
    fn no_session_is_no_failure() {
        let report = report(&[], &Goods::default(), &Scorer::default());
        assert_eq!((report.totals.sessions, report.steps.len(), report.segments.len()), (0, 0, 0));
    }
}
