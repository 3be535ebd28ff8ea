//! Whether answers are right: what is said, what it leans on, and when it is better not to answer.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Answerability, Bench, Question, mean};
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::{AnswerEnd, Citation, Line, Verdict};
use crate::grounding::several::MAX_QUESTIONS;
use crate::grounding::{self, Evidence, Ruling, Source};
use crate::retrieval::Audience;
use crate::telemetry::Metrics;
use crate::training::Progress;
use crate::turn::{self, Ask, Mode, Outlet, Output, Spine};
use crate::{language, server};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub summary: Summary,
    pub records: Vec<Record>,
}

/// Shares are 0…1. A share of nothing is left out.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub questions: usize,
    pub mode: Mode,
    /// Share of the questions that were answered, neither declined nor asked back.
    pub answered: f64,
    /// Numbers, links, addresses and codes in answers that stand neither in a cited passage nor in
    /// the conversation.
    pub invented_facts: usize,
    /// Share of the sentences sent that a cited passage holds: all facts and most content words.
    pub supported_sentences: Option<f64>,
    /// Share of the answered that cite a right document, of those whose right documents are known.
    pub right_document_cited: Option<f64>,
    /// Mean token F1 with the gold answer, of the questions that can be answered; one that isn't
    /// answered counts 0.
    pub token_f1: Option<f64>,
    /// Share of the unanswerable that were declined.
    pub declined_unanswerable: Option<f64>,
    /// Share of the answerable that were answered.
    pub answered_answerable: Option<f64>,
    /// Share of the underspecified that were asked back.
    pub clarified_underspecified: Option<f64>,
    /// Of those not answered, the share that couldn't be; of those that couldn't be, the share not
    /// answered.
    pub abstention_precision: Option<f64>,
    pub abstention_recall: Option<f64>,
    /// Expected calibration error of the confidence over ten bins (Naeini, Cooper, Hauskrecht,
    /// 2015), against whether the question could be answered; where that isn't known, whether a
    /// right document was cited.
    pub ece: Option<f64>,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// One question.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub id: String,
    pub question: String,
    pub answerability: Option<Answerability>,
    pub article_ids: Vec<String>,
    pub gold: Option<String>,
    pub answer: String,
    pub mode: Mode,
    pub end: AnswerEnd,
    pub answered: bool,
    pub sent: Vec<String>,
    pub withheld: Vec<Withheld>,
    pub citations: Vec<Cited>,
    /// How likely the knowledge answers the question.
    pub confidence: f32,
    pub invented: Vec<String>,
    pub unsupported: Vec<String>,
    pub right_document_cited: Option<bool>,
    pub token_f1: Option<f64>,
    /// Until the first text, and until the end.
    pub first_text_ms: f64,
    pub total_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Withheld {
    pub text: String,
    pub reason: String,
}

/// A citation with the text of the passage it points to.
#[derive(Clone, Debug, Serialize)]
pub struct Cited {
    #[serde(flatten)]
    pub citation: Citation,
    pub passage: String,
}

/// Reads the knowledge and asks every question in its conversation.
///
/// # Errors
/// When the knowledge or the questions can't be used, or a part fails.
pub async fn run(
    config: &Config,
    knowledge: &Path,
    questions: &[Question],
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let bench = Bench::open(config, knowledge, progress).await?;
    let asker = Asker::new(config, &bench).await?;
    let mut records = Vec::with_capacity(questions.len());
    for (done, question) in questions.iter().enumerate() {
        progress("asking", done, questions.len());
        records
            .push(asker.ask(question).await.with_context(|| format!("question {}", question.id))?);
    }
    asker.stop().await;
    Ok(Report { summary: summary(&records, asker.spine.mode), records })
}

/// How an evaluation answers: no model has qualified on knowledge that stands in a scratch index,
/// so that only `generate` phrases.
pub(super) fn mode(config: &Config) -> Mode {
    if config.answers.mode == Mode::Generate { Mode::Generate } else { Mode::Quote }
}

/// What came back for a message.
pub(super) struct Answered {
    pub(super) text: String,
    pub(super) verdict: Verdict,
    withheld: Vec<Withheld>,
    /// Until the first text, and until the end.
    first: Duration,
    pub(super) total: Duration,
}

/// Asks questions of a bench as a visitor would.
pub(super) struct Asker<'a> {
    bench: &'a Bench,
    spine: Arc<Spine>,
}

impl<'a> Asker<'a> {
    pub(super) async fn new(config: &Config, bench: &'a Bench) -> anyhow::Result<Self> {
        let mut config = config.clone();
        let mode = mode(&config);
        if mode == Mode::Quote && config.knowledge.rerank == 0 {
            // Nobody will ask the model.
            config.llm.engine = "scripted".into();
        }
        let llm = crate::llm::Llm::start(&config.llm).context("the language model")?;
        let spine = server::spine(
            &config,
            bench.retrieval.clone(),
            llm,
            mode,
            Clock::system(),
            Metrics::new(),
        )?;
        Self::beside(bench, Arc::new(spine)).await
    }

    /// Asks another site of the same index, with the models that are loaded.
    pub(super) async fn of_another<'b>(&self, bench: &'b Bench) -> anyhow::Result<Asker<'b>> {
        Asker::beside(bench, Arc::clone(&self.spine)).await
    }

    async fn beside(bench: &'a Bench, spine: Arc<Spine>) -> anyhow::Result<Self> {
        spine.catalogue.refresh(&bench.retrieval.index, &bench.site.id).await?;
        Ok(Self { bench, spine })
    }

    /// What is said from templates as an answer, in the languages that they have.
    pub(super) fn templates(&self) -> anyhow::Result<Vec<String>> {
        let prompts = &self.spine.prompts;
        prompts
            .languages()
            .map(|language| prompts.person(&self.bench.site.facts(), language))
            .collect()
    }

    pub(super) async fn stop(&self) {
        self.spine.llm.shutdown();
        self.spine.llm.drained().await;
    }

    /// What a visitor would get for a message in its conversation.
    pub(super) async fn reply(
        &self,
        history: Vec<Line>,
        question: &str,
    ) -> anyhow::Result<Answered> {
        let ask = self.in_conversation(history, question);
        let since = Instant::now();
        let (sender, mut outputs) = mpsc::channel(64);
        let mut outlet = Outlet::new(sender, self.spine.metrics.clone());
        let collect = async {
            let (mut sent, mut withheld, mut first) = (Vec::new(), Vec::new(), None);
            while let Some(output) = outputs.recv().await {
                match output {
                    Output::Text(text) => {
                        first.get_or_insert(since.elapsed());
                        sent.push(text);
                    }
                    Output::Withheld { text, reason } => withheld.push(Withheld { text, reason }),
                    Output::Citation(_) | Output::Queued { .. } | Output::Thinking => {}
                }
            }
            (sent, withheld, first)
        };
        let work = async {
            let verdict = turn::answer(&self.spine, &ask, &mut outlet).await;
            drop(outlet);
            verdict
        };
        let (verdict, (sent, withheld, first)) = tokio::join!(work, collect);
        let total = since.elapsed();
        let text = sent.concat().trim().to_owned();
        Ok(Answered { text, verdict: verdict?, withheld, first: first.unwrap_or(total), total })
    }

    fn in_conversation(&self, history: Vec<Line>, question: &str) -> Ask {
        let site = &self.bench.site;
        Ask {
            site: site.id.clone(),
            session: None,
            facts: site.facts(),
            language: site.language.clone(),
            audience: Audience::Public,
            history,
            question: question.to_owned(),
            written: String::new(),
            sampling: None,
            max_tokens: None,
            stop: Vec::new(),
            request: None,
            beside: String::new(),
        }
    }

    /// What the templates say of what isn't known, in a language.
    pub(super) fn unknown(&self, language: &str) -> anyhow::Result<Vec<String>> {
        let (prompts, facts) = (&self.spine.prompts, self.bench.site.facts());
        let parts = (1..=MAX_QUESTIONS).map(|number| prompts.unanswered(number, &facts, language));
        parts.chain([prompts.decline(&facts, language), prompts.unsure(&facts, language)]).collect()
    }

    pub(super) async fn ask(&self, question: &Question) -> anyhow::Result<Record> {
        let ask = self.in_conversation(question.lines(), &question.question);
        let Answered { text: answer, verdict, withheld, first, total } =
            self.reply(question.lines(), &question.question).await?;
        let Verdict { citations, confidence, end, .. } = verdict;
        let answered = matches!(end, AnswerEnd::Complete | AnswerEnd::Length);
        let mut cited = Vec::with_capacity(citations.len());
        for citation in citations {
            let passage = self.passage(&citation).await?;
            cited.push(Cited { citation, passage });
        }
        let sentences: Vec<String> = language::sentences(&answer)
            .into_iter()
            .map(|range| answer.get(range).unwrap_or_default().to_owned())
            .collect();
        let conversation =
            || ask.history.iter().map(|line| line.text.as_str()).chain([ask.question.as_str()]);
        let (mut invented, mut unsupported) = (Vec::new(), Vec::new());
        if answered {
            // A passage stands under its title and headings.
            let quoted: Vec<&Cited> =
                cited.iter().filter(|cited| !cited.citation.related).collect();
            let contexts: Vec<String> = quoted
                .iter()
                .map(|Cited { citation, .. }| {
                    format!("{}\n{}", citation.title, citation.headings.join("\n"))
                })
                .collect();
            let passages = || quoted.iter().map(|cited| cited.passage.as_str());
            let all =
                || passages().chain(contexts.iter().map(String::as_str)).chain(conversation());
            let mut known: HashSet<String> = all().flat_map(grounding::facts).collect();
            // "40px.Then" is two words only where blocks that were glued together come apart.
            let units = passages().flat_map(|passage| grounding::units(0, passage));
            known.extend(units.flat_map(|unit| grounding::facts(&unit.text)));
            let told = self.without_own_words(&answer, &ask);
            invented =
                grounding::facts(&told).into_iter().filter(|fact| !known.contains(fact)).collect();
            invented.sort();
            let sources = passages().zip(&contexts).map(|(text, context)| Source { text, context });
            let evidence = Evidence::of(sources, conversation());
            unsupported = language::sentences(&told)
                .into_iter()
                .filter_map(|range| told.get(range))
                .filter(|text| matches!(evidence.rule(text), Ruling::Withhold { .. }))
                .map(str::to_owned)
                .collect();
        }
        let right =
            cited.iter().any(|cited| question.article_ids.contains(&cited.citation.document));
        let can = question.answerability.is_none_or(|kind| kind == Answerability::Answerable);
        let token_f1 = question.answer.as_deref().filter(|_| can);
        let token_f1 =
            token_f1.map(|gold| if answered { self::token_f1(&answer, gold) } else { 0.0 });
        Ok(Record {
            id: question.id.clone(),
            question: question.question.clone(),
            answerability: question.answerability,
            article_ids: question.article_ids.clone(),
            gold: question.answer.clone(),
            token_f1,
            answer,
            mode: self.spine.mode,
            end,
            answered,
            sent: sentences,
            withheld,
            citations: cited,
            confidence,
            invented,
            unsupported,
            right_document_cited: (answered && !question.article_ids.is_empty()).then_some(right),
            first_text_ms: first.as_secs_f64() * 1_000.0,
            total_ms: total.as_secs_f64() * 1_000.0,
        })
    }

    /// An answer without what the templates say in it, in the site's name: no passage holds that.
    fn without_own_words(&self, answer: &str, ask: &Ask) -> String {
        let prompts = &self.spine.prompts;
        let of = |language: &str| {
            let unanswered = (1..=MAX_QUESTIONS)
                .filter_map(|number| prompts.unanswered(number, &ask.facts, language).ok());
            unanswered
                .chain(prompts.lead("", language, true))
                .chain(prompts.unsure(&ask.facts, language))
                .collect::<Vec<_>>()
        };
        let own = prompts.languages().flat_map(of).filter(|text| !text.trim().is_empty());
        own.fold(answer.to_owned(), |told, text| told.replace(text.trim(), ""))
    }

    async fn passage(&self, citation: &Citation) -> anyhow::Result<String> {
        let passages =
            self.bench.retrieval.index.passages(&self.bench.site.id, &citation.document).await?;
        let cited = passages
            .into_iter()
            .filter(|passage| passage.start < citation.end && citation.start < passage.end)
            .map(|passage| passage.text);
        Ok(cited.collect::<Vec<_>>().join("\n"))
    }
}

fn summary(records: &[Record], mode: Mode) -> Summary {
    let of = |kind: Answerability| {
        records.iter().filter(move |record| record.answerability == Some(kind))
    };
    let declined = |record: &Record| f64::from(u8::from(record.end == AnswerEnd::Declined));
    let answered = |record: &Record| f64::from(u8::from(record.answered));
    let hopeless = |record: &&Record| {
        matches!(
            record.answerability,
            Some(Answerability::Unanswerable | Answerability::Underspecified)
        )
    };
    let judged = || records.iter().filter(|record| record.answerability.is_some());
    let sent: usize =
        records.iter().filter(|record| record.answered).map(|record| record.sent.len()).sum();
    let unsupported: usize = records.iter().map(|record| record.unsupported.len()).sum();
    let mut times: Vec<f64> = records.iter().map(|record| record.total_ms).collect();
    times.sort_by(f64::total_cmp);
    let percentile =
        |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    #[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
    let supported = (sent > 0).then(|| 1.0 - unsupported as f64 / sent as f64);
    Summary {
        questions: records.len(),
        mode,
        answered: mean(records.iter().map(answered)),
        invented_facts: records.iter().map(|record| record.invented.len()).sum(),
        supported_sentences: supported,
        right_document_cited: share(
            records
                .iter()
                .filter_map(|record| record.right_document_cited)
                .map(|right| f64::from(u8::from(right))),
        ),
        token_f1: share(records.iter().filter_map(|record| record.token_f1)),
        declined_unanswerable: share(of(Answerability::Unanswerable).map(declined)),
        answered_answerable: share(of(Answerability::Answerable).map(answered)),
        clarified_underspecified: share(
            of(Answerability::Underspecified)
                .map(|record| f64::from(u8::from(record.end == AnswerEnd::Clarified))),
        ),
        abstention_precision: share(
            judged()
                .filter(|record| !record.answered)
                .map(|record| f64::from(u8::from(hopeless(&record)))),
        ),
        abstention_recall: share(judged().filter(hopeless).map(|record| 1.0 - answered(record))),
        ece: ece(records
            .iter()
            .filter_map(|record| Some((f64::from(record.confidence), outcome(record)?)))),
        p50_ms: percentile(50).copied().unwrap_or(0.0),
        p95_ms: percentile(95).copied().unwrap_or(0.0),
    }
}

/// Whether the confidence ought to have been high.
fn outcome(record: &Record) -> Option<bool> {
    match record.answerability {
        Some(Answerability::Partial) => None,
        Some(kind) => Some(kind == Answerability::Answerable),
        None if record.article_ids.is_empty() => None,
        None => Some(record.right_document_cited.unwrap_or(false)),
    }
}

fn share(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| mean(values))
}

/// Mean distance between confidence and share of good outcomes over ten bins, weighted by their
/// size.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bins of a share")]
fn ece(outcomes: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let mut bins = [(0.0, 0.0, 0.0); 10];
    let mut count = 0.0;
    for (confidence, good) in outcomes {
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        *bin = (bin.0 + 1.0, bin.1 + confidence, bin.2 + f64::from(u8::from(good)));
        count += 1.0;
    }
    (count > 0.0).then(|| {
        bins.iter().map(|(_, confidence, good)| (confidence - good).abs()).sum::<f64>() / count
    })
}

/// F1 of the words two texts share, each as often as both hold it (the measure of SQuAD; Rajpurkar
/// and others, 2016): lower case, without punctuation and articles. Unspaced scripts count by pairs
/// of characters.
#[must_use]
pub fn token_f1(answer: &str, gold: &str) -> f64 {
    let tokens = |text: &str| {
        let lower = crate::language::unspaced::split_unspaced(text).to_lowercase();
        language::words(&lower)
            .filter(|word| !["a", "an", "the"].contains(word))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (answer, gold) = (tokens(answer), tokens(gold));
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &gold {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0_usize;
    for word in &answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    let f1 = 2.0 * common as f64 / (answer.len() + gold.len()).max(1) as f64;
    f1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    #[test]
    fn answers_are_compared_by_their_words() {
        check(token_f1("Go to Settings.", "Go to the settings"), 1.0);
        check(token_f1("red red", "red"), 2.0 / 3.0);
        check(token_f1("", "red"), 0.0);
        check(token_f1("", ""), 0.0);
        check(token_f1("退货政策", "退货"), 0.5);
    }

    #[test]
    fn calibration_compares_what_was_said_with_what_came() {
        check(ece([(1.0, true), (0.0, false)].into_iter()).unwrap(), 0.0);
        check(ece([(0.9, false), (0.9, true)].into_iter()).unwrap(), 0.4);
        assert_eq!(ece(std::iter::empty()), None);
    }
}
