//! What drafts of help articles are worth: whether every sentence has its source and none holds
//! personal data, whether the questions of a gap are answered once its draft is published, and
//! whether contradictions are found.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::answers::Asker;
use super::{FreshIndex, SCRATCH, mean};
use crate::config::Config;
use crate::conversation::AnswerEnd;
use crate::gaps::compose::{Composed, Material, compose, subjects};
use crate::gaps::contradiction::Claim;
use crate::gaps::draft::{self, Reply, Sentence, Source};
use crate::language::language_of;
use crate::retrieval::Retrieval;
use crate::retrieval::scratch::Scratch;
use crate::site::Site;
use crate::training::Progress;

pub mod pairs;

use pairs::Pair;

/// What is measured over.
#[derive(Clone, Debug)]
pub struct Options {
    /// JSON Lines of what agents wrote: [`Replied`].
    pub replies: PathBuf,
    /// JSON Lines of what visitors asked: [`Asked`].
    pub questions: PathBuf,
    /// Questions of each gap that the draft is made with, the first of the file; the others are
    /// held out.
    pub known: usize,
    /// At most so many held-out questions of each gap.
    pub per_gap: usize,
    pub seed: u64,
}

/// A reply, in the file.
#[derive(Clone, Debug, Deserialize)]
pub struct Replied {
    #[serde(alias = "intent", alias = "class", alias = "label")]
    pub gap: String,
    #[serde(alias = "reply", alias = "answer")]
    pub text: String,
    /// The file's line, if left out.
    #[serde(default)]
    pub session: String,
    #[serde(default)]
    pub seq: u64,
    #[serde(default)]
    pub agent: String,
    #[serde(default, alias = "at")]
    pub at_ms: u64,
    /// What of the text is one person's: none of it may be in a draft.
    #[serde(default)]
    pub personal: Vec<String>,
}

/// A question, in the file.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    #[serde(alias = "intent", alias = "class", alias = "label")]
    pub gap: String,
    #[serde(alias = "question")]
    pub text: String,
}

/// The measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub summary: Summary,
    pub drafts: Vec<Drafted>,
    pub records: Vec<Record>,
    pub pairs: Vec<Compared>,
}

/// A pair with what was told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    #[serde(flatten)]
    pub pair: Pair,
    pub found: bool,
    /// Cosine between the embeddings of the subjects; left out where words alone tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearness: Option<f32>,
    /// Share of the shorter subject's words that the other one has.
    pub shared: f32,
    /// Whether only a word or two stand in the place of others.
    pub replaced: bool,
}

/// Shares are 0…1; one of nothing is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub gaps: usize,
    pub sentences: usize,
    /// Sentences that don't stand, letter by letter, in the reply that they name.
    pub sentences_without_source: usize,
    /// Marked personal data that stands in a draft.
    pub personal_in_drafts: usize,
    /// Marked personal data of all replies.
    pub personal_marked: usize,
    pub left_out_personal: usize,
    pub left_out_case: usize,
    pub left_out_courtesy: usize,
    pub repeated: usize,
    pub held_out: usize,
    /// Share of the held-out questions that are answered from their gap's draft.
    pub answered: Option<f64>,
    /// Share that is answered from another draft.
    pub answered_by_another: Option<f64>,
    /// Share of the questions on the other drafts that are answered from their own without a draft,
    /// and no longer once it is published beside them: on average over the drafts, and of the
    /// worst.
    pub others_worse_by: Option<f64>,
    pub others_worse_by_at_most: Option<f64>,
    /// Of the pairs that weren't looked at while thresholds were chosen.
    pub contradictions: ContradictionScores,
    /// Of the pairs that thresholds were chosen by.
    pub contradictions_chosen_by: ContradictionScores,
    /// Of the replies' own sentences, with a figure changed.
    pub contradictions_of_replies: ContradictionScores,
    pub seed: u64,
}

/// How contradictions were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ContradictionScores {
    pub contradicting: usize,
    pub agreeing: usize,
    pub found: Option<f64>,
    pub false_alarms: Option<f64>,
}

/// A gap with its draft.
#[derive(Clone, Debug, Serialize)]
pub struct Drafted {
    pub gap: String,
    pub title: String,
    pub sentences: Vec<Sentence>,
    pub contradictions: Vec<draft::Contradiction>,
    pub left_out: draft::LeftOut,
    /// What was left out, and why.
    pub dropped: Vec<(draft::Why, String)>,
}

/// A held-out question.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub gap: String,
    pub question: String,
    /// Whether it is answered from its own draft, with all drafts published.
    pub answered: bool,
    /// The gap whose draft is cited.
    pub by: Option<String>,
    pub confidence: f32,
    pub end: AnswerEnd,
    /// It is answered from its own draft if the one that is cited isn't published.
    pub displaced: bool,
}

/// What the files say of a gap: replies with their lines, and questions.
type OfGap<'a> = (Vec<(usize, &'a Replied)>, Vec<&'a str>);

/// Makes a draft for every gap that has replies and questions, publishes them all, and asks.
///
/// # Errors
/// When a file isn't what it should be, or a part fails.
pub async fn run(
    config: &Config,
    options: &Options,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let replied: Vec<Replied> = lines(&options.replies, "a reply ({\"gap\": …, \"text\": …})")?;
    let asked: Vec<Asked> = lines(&options.questions, "a question ({\"gap\": …, \"text\": …})")?;
    let mut gaps: BTreeMap<&str, OfGap<'_>> = BTreeMap::new();
    for (at, reply) in replied.iter().enumerate() {
        gaps.entry(&reply.gap).or_default().0.push((at + 1, reply));
    }
    for question in &asked {
        if let Some((_, questions)) = gaps.get_mut(question.gap.as_str()) {
            questions.push(&question.text);
        }
    }
    gaps.retain(|_, (_, questions)| !questions.is_empty());
    ensure!(!gaps.is_empty(), "no question belongs to a gap that has a reply");
    let index = FreshIndex::open(config).await?;
    let site = config.sites.first().cloned().context("no site is configured")?;
    let mut summary = Summary { gaps: gaps.len(), seed: options.seed, ..Summary::default() };
    let mut drafts = Vec::with_capacity(gaps.len());
    for (done, (gap, (replies, questions))) in gaps.iter().enumerate() {
        progress("drafting", done, gaps.len());
        let replies: Vec<Reply> =
            replies.iter().map(|(line, reply)| reply_of(*line, reply)).collect();
        let known: Vec<String> = questions
            .iter()
            .take(options.known.max(1))
            .map(|question| (*question).to_owned())
            .collect();
        let material = Material {
            site: &site.id,
            language: &site.language,
            contact: &site.facts().contact,
            questions: &known,
            replies: &replies,
        };
        let Composed { title, collected, contradictions } =
            compose(&index.retrieval, &material).await?;
        let title = title
            .and_then(|at| known.get(at))
            .map(|question| draft::title(question))
            .unwrap_or_default();
        summary.sentences_without_source +=
            collected.sentences.iter().filter(|sentence| !stands(sentence, &replies)).count();
        let draft::Collected { sentences, left_out, dropped } = collected;
        drafts.push(Drafted {
            gap: (*gap).to_owned(),
            title,
            sentences,
            contradictions,
            left_out,
            dropped,
        });
    }
    for drafted in &drafts {
        summary.sentences += drafted.sentences.len();
        summary.left_out_personal += drafted.left_out.personal;
        summary.left_out_case += drafted.left_out.case;
        summary.left_out_courtesy += drafted.left_out.courtesy;
        summary.repeated += drafted.left_out.repeated;
        let text = format!("{} {}", drafted.title, draft::text(&drafted.sentences)).to_lowercase();
        let marked = gaps.get(drafted.gap.as_str()).into_iter().flat_map(|(replies, _)| replies);
        for personal in marked.flat_map(|(_, reply)| &reply.personal) {
            summary.personal_marked += 1;
            summary.personal_in_drafts += usize::from(text.contains(&personal.to_lowercase()));
        }
    }
    let records =
        asking(config, &index, &site, &gaps_questions(&gaps, options), &drafts, progress).await?;
    summary.held_out = records.len();
    let share = |values: Vec<bool>| {
        (!values.is_empty())
            .then(|| mean(values.into_iter().map(|value| f64::from(u8::from(value)))))
    };
    summary.answered = share(records.iter().map(|record| record.answered).collect());
    summary.answered_by_another =
        share(records.iter().map(|record| !record.answered && record.by.is_some()).collect());
    let worse: Vec<f64> =
        drafts.iter().filter_map(|drafted| worse_by(&records, &drafted.gap)).collect();
    summary.others_worse_by = (!worse.is_empty()).then(|| mean(worse.iter().copied()));
    summary.others_worse_by_at_most = worse.into_iter().reduce(f64::max);
    let said: Vec<(String, String)> = drafts
        .iter()
        .flat_map(|drafted| {
            drafted.sentences.iter().map(|sentence| (drafted.gap.clone(), sentence.text.clone()))
        })
        .collect();
    let built_in = pairs::built_in(options.seed)?;
    let (fresh, chosen_by): (Vec<Pair>, Vec<Pair>) =
        built_in.into_iter().partition(|pair| pair.check);
    let mut compared = Vec::new();
    progress("comparing pairs", 0, 1);
    summary.contradictions = told(&index.retrieval, &site, &fresh, &mut compared).await?;
    summary.contradictions_chosen_by =
        told(&index.retrieval, &site, &chosen_by, &mut compared).await?;
    let of_replies = pairs::of_sentences(&said, options.seed);
    summary.contradictions_of_replies =
        told(&index.retrieval, &site, &of_replies, &mut compared).await?;
    Ok(Report { summary, drafts, records, pairs: compared })
}

fn lines<T: serde::de::DeserializeOwned>(path: &Path, what: &str) -> anyhow::Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    let mut rows = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("{}, line {}", path.display(), at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let row = serde_json::from_str(&line);
        rows.push(row.with_context(|| format!("{}, line {}: not {what}", path.display(), at + 1))?);
    }
    ensure!(!rows.is_empty(), "{} holds nothing", path.display());
    Ok(rows)
}

fn reply_of(line: usize, reply: &Replied) -> Reply {
    let or = |text: &str, other: String| if text.is_empty() { other } else { text.to_owned() };
    let source = Source {
        session: or(&reply.session, format!("line-{line}")),
        seq: reply.seq.max(1),
        agent: or(&reply.agent, "agent".into()),
        at_ms: reply.at_ms,
    };
    Reply { source, text: reply.text.clone(), names: Vec::new() }
}

/// Whether every source of a sentence is a reply that holds it; the first one letter by letter.
fn stands(sentence: &Sentence, replies: &[Reply]) -> bool {
    let named = |source: &Source| replies.iter().find(|reply| reply.source == *source);
    sentence
        .sources
        .first()
        .and_then(named)
        .is_some_and(|reply| reply.text.contains(&sentence.text))
        && sentence.sources.iter().all(|source| named(source).is_some())
}

type Gaps<'a> = BTreeMap<&'a str, (Vec<(usize, &'a Replied)>, Vec<&'a str>)>;

/// The held-out questions, by gap.
fn gaps_questions<'a>(gaps: &Gaps<'a>, options: &Options) -> Vec<(&'a str, &'a str)> {
    let mut held_out = Vec::new();
    for (gap, (_, questions)) in gaps {
        // What the draft was made with is no test of it, in the same words neither.
        let known: HashSet<&str> = questions.iter().take(options.known.max(1)).copied().collect();
        let others = questions
            .iter()
            .skip(options.known.max(1))
            .filter(|question| !known.contains(**question));
        held_out.extend(others.take(options.per_gap).map(|question| (*gap, *question)));
    }
    held_out
}

/// Share of the other gaps' questions that a draft draws away from the draft that would answer
/// them.
#[expect(clippy::cast_precision_loss, reason = "counts of questions")]
fn worse_by(records: &[Record], gap: &str) -> Option<f64> {
    let others: Vec<&Record> = records.iter().filter(|record| record.gap != gap).collect();
    let displaced = others
        .iter()
        .filter(|record| record.displaced && record.by.as_deref() == Some(gap))
        .count();
    (!others.is_empty()).then(|| displaced as f64 / others.len() as f64)
}

/// Asks the held-out questions with all drafts published. Those that are answered from another
/// draft are asked again without that one.
async fn asking(
    config: &Config,
    index: &FreshIndex,
    site: &Site,
    questions: &[(&str, &str)],
    drafts: &[Drafted],
    progress: Progress<'_>,
) -> anyhow::Result<Vec<Record>> {
    let scratch = Scratch::new(SCRATCH)?;
    for (at, drafted) in
        drafts.iter().enumerate().filter(|(_, drafted)| !drafted.sentences.is_empty())
    {
        let text = format!("# {}\n\n{}\n", drafted.title, draft::text(&drafted.sentences));
        let file = scratch.path().join(format!("{at}.md"));
        std::fs::write(&file, text)
            .with_context(|| format!("{} can't be written", file.display()))?;
    }
    let site = Site { knowledge: Some(scratch.path().to_owned()), ..site.clone() };
    let bench = index.read(config, site, progress).await?;
    let asker = Asker::new(config, &bench).await?;
    let mut records = Vec::with_capacity(questions.len());
    for (done, (gap, question)) in questions.iter().enumerate() {
        progress("asking", done, questions.len());
        let (by, confidence, end) =
            answered_by(&asker, question, config.gaps.min_confidence, drafts).await?;
        let answered = by.as_deref() == Some(gap);
        let (gap, question) = ((*gap).to_owned(), (*question).to_owned());
        records.push(Record { gap, question, answered, by, confidence, end, displaced: false });
    }
    let index = &bench.retrieval.index;
    for (at, drafted) in drafts.iter().enumerate() {
        progress("asking without a draft", at, drafts.len());
        let drawn =
            |record: &&mut Record| !record.answered && record.by.as_ref() == Some(&drafted.gap);
        let mut drawn = records.iter_mut().filter(drawn).peekable();
        if drawn.peek().is_none() {
            continue;
        }
        let document = format!("{at}.md");
        let passages = index.passages(&bench.site.id, &document).await?;
        index.remove_documents(&bench.site.id, &[document]).await?;
        for record in drawn {
            let (by, ..) =
                answered_by(&asker, &record.question, config.gaps.min_confidence, drafts).await?;
            record.displaced = by.as_ref() == Some(&record.gap);
        }
        let texts = passages.iter().map(crate::retrieval::chunk::embedding_text).collect();
        let vectors =
            crate::retrieval::ingest::PassageEmbedder::embed(&bench.retrieval, texts).await?;
        index.upsert(passages.into_iter().zip(vectors).collect()).await?;
    }
    asker.stop().await;
    Ok(records)
}

/// The gap whose draft answers a question, if one does, by the rule that closes gaps.
async fn answered_by(
    asker: &Asker<'_>,
    question: &str,
    min_confidence: f32,
    drafts: &[Drafted],
) -> anyhow::Result<(Option<String>, f32, AnswerEnd)> {
    let verdict = asker.reply(Vec::new(), question).await?.verdict;
    let document =
        crate::gaps::answering(&verdict, min_confidence).map(|citation| citation.document.as_str());
    let at = document.and_then(|document| document.strip_suffix(".md")?.parse::<usize>().ok());
    let by = at.and_then(|at| drafts.get(at)).map(|drafted| drafted.gap.clone());
    Ok((by, verdict.confidence, verdict.end))
}

/// How pairs are told; each is added to `compared`.
async fn told(
    retrieval: &Retrieval,
    site: &Site,
    pairs: &[Pair],
    compared: &mut Vec<Compared>,
) -> anyhow::Result<ContradictionScores> {
    let (mut found, mut alarms) = (Vec::new(), Vec::new());
    for pair in pairs {
        let read = |text: &str| Claim::read(text, language_of(text).unwrap_or(&site.language));
        let claims = [read(&pair.first), read(&pair.second)];
        let vectors = subjects(retrieval, &claims).await?;
        let source = |session: &str| Source {
            session: session.into(),
            seq: 1,
            agent: "agent".into(),
            at_ms: 0,
        };
        let sentences = [(&pair.first, "a"), (&pair.second, "b")]
            .map(|(text, session)| Sentence { text: text.clone(), sources: vec![source(session)] });
        let said = !draft::contradictions(&sentences, &claims, &vectors).is_empty();
        let (shared, replaced) = claims[0].alike(&claims[1]);
        let nearness = vectors.iter().all(|vector| !vector.is_empty()).then(|| {
            let [a, b] = [0, 1].map(|at| vectors.get(at).map(Vec::as_slice).unwrap_or_default());
            a.iter().zip(b).map(|(a, b)| a * b).sum()
        });
        compared.push(Compared { pair: pair.clone(), found: said, nearness, shared, replaced });
        if pair.contradict { &mut found } else { &mut alarms }.push(f64::from(u8::from(said)));
    }
    let share = |values: Vec<f64>| (!values.is_empty()).then(|| mean(values));
    Ok(ContradictionScores {
        contradicting: found.len(),
        agreeing: alarms.len(),
        found: share(found),
        false_alarms: share(alarms),
    })
}
