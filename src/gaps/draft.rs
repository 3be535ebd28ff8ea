//! A help article drafted from what people answered: their own sentences, each with where it was
//! said. Pure.
//!
//! Nothing is worded here. A sentence is taken as it was written, or not at all: left out are
//! courtesy, what tells of one customer's case, and what holds personal data.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::contradiction::{Claim, Differs};
use super::manner::{manner, plain};
use super::personal::{Known, Personal, personal};
use crate::grounding::facts;
use crate::grounding::injection::is_order_to_assistant;
use crate::grounding::smalltalk::small_talk;
use crate::language::{language_of, meanings, sentences};

/// Where a sentence was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    pub session: String,
    pub seq: u64,
    /// The agent's name.
    pub agent: String,
    pub at_ms: u64,
}

/// What an agent wrote to somebody who had asked.
#[derive(Clone, Debug)]
pub struct Reply {
    pub source: Source,
    pub text: String,
    /// Names that are known to be in the conversation, in small letters.
    pub names: Vec<String>,
}

/// A sentence of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    pub text: String,
    /// Where it was said, the first time first; never empty.
    pub sources: Vec<Source>,
}

/// Two sentences of a draft that can't both be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// Places in [`Collected::sentences`].
    pub first: usize,
    pub second: usize,
    pub differs: Differs,
    /// What the one and the other say: "14 days", "30 days".
    pub says: [String; 2],
}

/// How many sentences were left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub personal: usize,
    /// Of one customer's case.
    pub case: usize,
    /// Greetings, thanks, questions in return.
    pub courtesy: usize,
    /// Said before in nearly the same words: such a sentence has more than one source.
    pub repeated: usize,
    /// Beyond [`MAX_SENTENCES`].
    pub too_many: usize,
}

/// What replies come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// In the order in which they were said, conversation by conversation.
    pub sentences: Vec<Sentence>,
    pub left_out: LeftOut,
    /// What was left out, with the reason. Never stored and never shown: it may be personal.
    #[serde(skip)]
    pub dropped: Vec<(Why, String)>,
}

/// Why a sentence was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Personal(Personal),
    Case,
    Courtesy,
    TooMany,
}

/// Sentences that a draft has at most: a longer article is read by nobody.
pub const MAX_SENTENCES: usize = 30;
/// Longest sentence, in Unicode scalar values; a longer one is a text that was pasted.
const MAX_CHARS: usize = 600;
/// Share of words from which two sentences with the same facts are the same.
const REPEATED: f32 = 0.8;

/// Takes the sentences out of replies that are worth telling everybody. `site_language` (ISO 639-1)
/// is used where a reply doesn't show its own.
#[must_use]
pub fn collect(replies: &[Reply], site_language: &str, known: &Known<'_>) -> Collected {
    let mut collected = Collected::default();
    let mut order: Vec<&Reply> = replies.iter().collect();
    // Conversation by conversation, the one that was answered first at the beginning.
    let mut first: HashMap<&str, (u64, u64)> = HashMap::new();
    for reply in &order {
        let at = (reply.source.at_ms, reply.source.seq);
        let known = first.entry(&reply.source.session).or_insert(at);
        *known = (*known).min(at);
    }
    order.sort_by_key(|reply| {
        (first.get(reply.source.session.as_str()).copied(), &reply.source.session, reply.source.seq)
    });
    for reply in order {
        take(reply, site_language, known, &mut collected);
    }
    collected
}

fn take(reply: &Reply, site_language: &str, known: &Known<'_>, collected: &mut Collected) {
    let language = language_of(&reply.text).unwrap_or(site_language);
    let Some(manner) = manner(language) else { return };
    let start = manner.greeting(&reply.text);
    let text = reply.text.get(start..).unwrap_or_default();
    // A bare "Yes." says something only with what follows it.
    let mut verdict: Option<usize> = None;
    for range in sentences(text) {
        let sentence = text.get(range.clone()).unwrap_or_default();
        let words = plain(sentence);
        if manner.verdict(&words).is_some()
            && words.split(' ').count() <= 2
            && words.chars().count() <= 20
        {
            verdict = Some(range.start);
            continue;
        }
        let whole = text.get(verdict.take().unwrap_or(range.start)..range.end).unwrap_or(sentence);
        let question = sentence.ends_with(['?', '？']);
        // "Jo!" or "Kind regards" says nothing to others.
        let short =
            if manner.spaced { words.split(' ').count() < 3 } else { words.chars().count() < 5 };
        let idle =
            short || question || small_talk(sentence).is_some() || manner.is_courtesy(&words);
        let found = if names_somebody(&words, &reply.names) {
            Some(Personal::Name)
        } else {
            personal(sentence, language, known)
        };
        let repeated = collected.sentences.iter().position(|other| repeats(&other.text, whole));
        let why = match found {
            _ if idle => Why::Courtesy,
            Some(kind) => Why::Personal(kind),
            None if manner.is_case(&words) || is_order_to_assistant(sentence) => Why::Case,
            None if whole.chars().count() > MAX_CHARS || meanings(sentence).next().is_none() => {
                Why::Courtesy
            }
            None if repeated.is_some() => {
                collected.left_out.repeated += 1;
                let same = repeated.and_then(|at| collected.sentences.get_mut(at));
                if let Some(same) = same.filter(|same| !same.sources.contains(&reply.source)) {
                    same.sources.push(reply.source.clone());
                }
                continue;
            }
            None if collected.sentences.len() >= MAX_SENTENCES => Why::TooMany,
            None => {
                let sources = vec![reply.source.clone()];
                collected.sentences.push(Sentence { text: whole.to_owned(), sources });
                continue;
            }
        };
        match why {
            Why::Personal(_) => collected.left_out.personal += 1,
            Why::Case => collected.left_out.case += 1,
            Why::Courtesy => collected.left_out.courtesy += 1,
            Why::TooMany => collected.left_out.too_many += 1,
        }
        collected.dropped.push((why, sentence.to_owned()));
    }
}

/// Whether a sentence holds one of the names that are known of its conversation.
fn names_somebody(plain: &str, names: &[String]) -> bool {
    let spaced = format!(" {plain} ");
    names
        .iter()
        .filter(|name| name.chars().count() > 1)
        .any(|name| spaced.contains(&format!(" {name} ")))
}

/// Whether two sentences say the same in nearly the same words.
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn repeats(a: &str, b: &str) -> bool {
    if plain(a) == plain(b) {
        return true;
    }
    if facts(a) != facts(b) || crate::grounding::denies(a) != crate::grounding::denies(b) {
        return false;
    }
    let (a, b): (HashSet<String>, HashSet<String>) = (meanings(a).collect(), meanings(b).collect());
    let common = a.intersection(&b).count() as f32;
    common >= REPEATED * (a.len() + b.len()) as f32 - common * REPEATED && common > 0.0
}

/// The sentences that may contradict each other, with their claims: only these are worth to embed.
#[must_use]
pub fn claims(sentences: &[Sentence], site_language: &str) -> Vec<Claim> {
    let read = |sentence: &Sentence| {
        Claim::read(&sentence.text, language_of(&sentence.text).unwrap_or(site_language))
    };
    sentences.iter().map(read).collect()
}

/// The contradictions between claims that were said in different replies. `vectors` are the
/// embeddings of their subjects, of length 1, or empty where it isn't known.
#[must_use]
pub fn contradictions(
    sentences: &[Sentence],
    claims: &[Claim],
    vectors: &[Vec<f32>],
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for (first, one) in claims.iter().enumerate() {
        for (second, other) in claims.iter().enumerate().skip(first + 1) {
            let said = |at: usize| sentences.get(at).map(|sentence| &sentence.sources);
            if same_reply(said(first), said(second)) || !one.may_contradict(other) {
                continue;
            }
            let vector = |at: usize| vectors.get(at).filter(|vector| !vector.is_empty());
            let nearness = vector(first).zip(vector(second));
            let nearness = nearness.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum());
            if let Some((differs, says)) = one.contradicts(other, nearness) {
                found.push(Contradiction { first, second, differs, says });
            }
        }
    }
    found
}

/// One message doesn't contradict itself: it tells of two things.
fn same_reply(a: Option<&Vec<Source>>, b: Option<&Vec<Source>>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    a.iter().any(|source| {
        b.iter().any(|other| other.session == source.session && other.seq == source.seq)
    })
}

/// Which of several questions says best what all ask: the one nearest to the others on average, of
/// those without personal data. `vectors` are their embeddings, of length 1.
#[must_use]
pub fn central(
    questions: &[String],
    vectors: &[Vec<f32>],
    site_language: &str,
    known: &Known<'_>,
) -> Option<usize> {
    let sum = |at: usize| -> f32 {
        let Some(own) = vectors.get(at) else { return f32::MIN };
        vectors.iter().map(|other| own.iter().zip(other).map(|(a, b)| a * b).sum::<f32>()).sum()
    };
    let fit = questions.iter().enumerate().filter(|(_, question)| {
        let language = language_of(question).unwrap_or(site_language);
        let chars = question.chars().count();
        (1..=MAX_TITLE_CHARS).contains(&chars)
            && !question.contains('\n')
            && personal(question, language, known).is_none()
    });
    // Of equals the shorter one.
    let best = fit.max_by(|(a, one), (b, other)| {
        let near = |at: usize| (sum(at) * 100.0).round();
        near(*a)
            .total_cmp(&near(*b))
            .then_with(|| other.len().cmp(&one.len()))
            .then_with(|| b.cmp(a))
    });
    best.map(|(at, _)| at)
}

/// Longest title, in Unicode scalar values: that of an article.
pub const MAX_TITLE_CHARS: usize = 200;

/// A question as a title: its first letter is a capital.
#[must_use]
pub fn title(question: &str) -> String {
    let mut chars = question.trim().chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// An article of a title and sentences: those of one reply are one paragraph.
#[must_use]
pub fn text(sentences: &[Sentence]) -> String {
    let mut text = String::new();
    let mut before: Option<&Source> = None;
    for sentence in sentences {
        let source = sentence.sources.first();
        if before.is_some() {
            let together =
                before.map(|source| &source.session) == source.map(|source| &source.session);
            text.push_str(if together { " " } else { "\n\n" });
        }
        text.push_str(&sentence.text);
        before = source;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(session: &str, seq: u64, text: &str) -> Reply {
        let source =
            Source { session: session.into(), seq, agent: "Mara".into(), at_ms: seq * 1_000 };
        Reply { source, text: text.into(), names: vec!["quux".into()] }
    }

    fn known() -> Known<'static> {
        Known { is_word: &|_, word| !matches!(word, "xylander" | "szabina"), is_public: &|_| false }
    }

    #[test]
    fn sentences_are_taken_as_they_were_said() {
        let replies = [
            reply(
                "b",
                9,
                "Hello Xylander! Yes. Gas cartridges may not fly, neither in the hold nor in the cabin. Have a nice day!",
            ),
            reply("a", 4, "Thanks for asking, Jo! Which airline is it?"),
            reply(
                "a",
                6,
                "Gas cartridges may not fly, neither in the hold nor in the cabin.\nEmpty bottles can fly. Your order 48213 is on its way. Tell quux that I have sent it.",
            ),
        ];
        let collected = collect(&replies, "en", &known());
        let said: Vec<(&str, usize)> = collected
            .sentences
            .iter()
            .map(|sentence| (sentence.text.as_str(), sentence.sources.len()))
            .collect();
        assert_eq!(
            said,
            [
                ("Gas cartridges may not fly, neither in the hold nor in the cabin.", 2),
                ("Empty bottles can fly.", 1)
            ]
        );
        assert_eq!(collected.sentences[0].sources[1].session, "b");
        let LeftOut { personal, courtesy, repeated, .. } = collected.left_out;
        assert_eq!((personal, courtesy, repeated), (2, 3, 1));
        assert_eq!(text(&collected.sentences), format!("{} {}", said[0].0, said[1].0));
    }

    #[test]
    fn replies_that_differ_are_shown() {
        let replies = [
            reply("a", 2, "Returns are free within 14 days."),
            reply("b", 3, "Returns are free within 30 days."),
        ];
        let collected = collect(&replies, "en", &known());
        let claims = claims(&collected.sentences, "en");
        let found = contradictions(&collected.sentences, &claims, &[vec![1.0], vec![1.0]]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].first, found[0].second, &found[0].says),
            (0, 1, &["14 days".to_owned(), "30 days".to_owned()])
        );
    }

    #[test]
    fn the_title_is_the_question_that_stands_for_the_others() {
        let questions = [
            "can i take gas on a plane",
            "Gas on the plane, I am Szabina Quux",
            "Do you sell gas?",
        ]
        .map(str::to_owned);
        let vectors = [vec![0.9, 0.43589], vec![1.0, 0.0], vec![0.0, 1.0]];
        assert_eq!(central(&questions, &vectors, "en", &known()), Some(0));
        assert_eq!(title(&questions[0]), "Can i take gas on a plane");
        assert_eq!(central(&[], &[], "en", &known()), None);
    }
}
