//! A message that asks several things is answered one by one.

use std::time::Instant;

use tokio::sync::mpsc;

use super::judge::judge_of;
use super::{Ask, Outlet, Output, Spine, TurnError, one};
use crate::conversation::{AnswerEnd, Citation, Line, Usage, Verdict};
use crate::grounding::facts;
use crate::grounding::followup::leans_on_what_was_said;
use crate::grounding::several::questions;
use crate::grounding::smalltalk::small_talk;
use crate::language::is_unspaced;
use crate::language::words::ending_letters;
use crate::reason::abilities::asked;
use crate::reason::places;
use crate::retrieval::RetrievalError;

/// Outputs of one part that may wait; they are taken out as they come.
const WAITING: usize = 16;

/// What one of the questions came to.
struct Part {
    /// Its number in the message, from 1.
    number: usize,
    verdict: Verdict,
    text: String,
}

impl Part {
    fn answers(&self) -> bool {
        matches!(self.verdict.end, AnswerEnd::Complete | AnswerEnd::Length)
    }
}

/// Answers the questions of a message one after the other and says which of them the knowledge
/// doesn't answer. `None`, and nothing sent, where the message asks one thing, or its questions are
/// better looked at together: none of them finds an answer alone, or one answer is that of all.
///
/// # Errors
/// As [`super::answer`].
pub(super) async fn answer(
    spine: &Spine,
    ask: &Ask,
    out: &mut Outlet,
) -> Result<Option<Verdict>, TurnError> {
    let mut questions = questions(&ask.question);
    // "How are you? What does delivery cost?"
    questions.retain(|question| small_talk(question).is_none());
    if questions.len() < 2 {
        return Ok(None);
    }
    let mut parts: Vec<Part> = Vec::new();
    for (at, question) in questions.iter().enumerate() {
        let mut history = ask.history.clone();
        // What stands for itself would be looked for among what was asked beside it.
        if leans_on_what_was_said(question) {
            history.extend(
                questions
                    .iter()
                    .take(at)
                    .map(|before| Line { by_visitor: true, text: (*before).to_owned() }),
            );
        }
        let before = message_before(&ask.question, question);
        let question = (*question).to_owned();
        let request = asked(&question);
        let beside = ask.question.clone();
        let apart =
            Ask { question, request, history, beside, written: String::new(), ..ask.clone() };
        // Where the parcel goes is said once.
        let placed = with_place(&apart.question, before);
        let alone = placed.map(|question| Ask { question, ..apart.clone() });
        let mut part = answer_alone(spine, alone.as_ref().unwrap_or(&apart), at + 1).await?;
        if alone.is_some() && !part.answers() {
            part = answer_alone(spine, &apart, at + 1).await?;
        }
        // The same figures in other words are the same answer.
        let told = |part: &Part| {
            let own = facts(&part.text);
            let says = |other: &Part| {
                other.text.contains(&part.text)
                    || !own.is_empty() && own.is_subset(&facts(&other.text))
            };
            parts.iter().any(|other| other.answers() && says(other))
        };
        // What was asked beside it leads back to what answers that.
        if told(&part) {
            let bare = Ask { beside: String::new(), history: ask.history.clone(), ..apart.clone() };
            part = answer_alone(spine, &bare, at + 1).await?;
        }
        // What has to be asked back can't be in one question with others.
        if part.verdict.end == AnswerEnd::Clarified {
            return Ok(None);
        }
        if told(&part) {
            // One answer to both is said once; what doesn't answer this one leaves it open.
            if answers(spine, &apart, &part).await? {
                continue;
            }
            part.verdict.end = AnswerEnd::Declined;
        }
        parts.push(part);
    }
    if parts.len() < 2 || !parts.iter().any(Part::answers) {
        return Ok(None);
    }
    // Who reads first that there is no answer reads no further.
    parts.sort_by_key(|part| !part.answers());
    let language = ask.spoken().unwrap_or(&ask.language);
    let mut paragraphs = Vec::new();
    for part in &parts {
        paragraphs.push(match part.verdict.end {
            AnswerEnd::Declined => spine
                .prompts
                .unanswered(part.number, &ask.facts, language)
                .map_err(TurnError::Prompt)?,
            // What answers an earlier part, too, is said there.
            _ => parts
                .iter()
                .take_while(|other| other.number != part.number)
                .fold(part.text.clone(), |text, other| text.replacen(&other.text, "", 1))
                .trim()
                .to_owned(),
        });
    }
    let text = paragraphs.join("\n\n");
    let citations = cited(&parts);
    let rest = text.strip_prefix(&ask.written).map_or_else(|| format!("\n\n{text}"), str::to_owned);
    out.send(Output::Text(rest)).await?;
    for citation in &citations {
        out.send(Output::Citation(citation.clone())).await?;
    }
    // An answer is as sure as the least sure of its parts: one that is missing makes it one to look
    // at.
    let confidence = parts.iter().map(|part| part.verdict.confidence).fold(1.0, f32::min);
    let usage = parts.iter().fold(Usage::default(), |sum, part| Usage {
        prompt_tokens: sum.prompt_tokens + part.verdict.usage.prompt_tokens,
        completion_tokens: sum.completion_tokens + part.verdict.usage.completion_tokens,
        ..sum
    });
    Ok(Some(Verdict { citations, confidence, usage, end: AnswerEnd::Complete, withheld: 0 }))
}

/// What stands in a message before one of its parts.
fn message_before<'m>(message: &'m str, part: &str) -> &'m str {
    message.find(part).and_then(|at| message.get(..at)).unwrap_or_default()
}

/// A question with the place that was named before it in the message, as it is named there, where
/// it names none itself: "how long does it take" of "What does delivery to Malta cost and how long
/// does it take". `None` where nothing is to be added.
fn with_place(question: &str, before: &str) -> Option<String> {
    if !places::places(question).is_empty() {
        return None;
    }
    let place = places::destination(before)?;
    let named = before.get(place.at.clone())?;
    // "To Malta", "nach Malta": the word before it belongs to it.
    let head = before.get(..place.at.start)?.trim_end();
    let preposition = ending_letters(head);
    let short = preposition.chars().count() <= MAX_PREPOSITION;
    let place = match place.at.start > head.len() && short && !preposition.is_empty() {
        true => format!("{preposition} {named}"),
        false => named.to_owned(),
    };
    let end = question.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
    let (said, mark) = (question.get(..end)?, question.get(end..)?);
    let gap = if said.ends_with(is_unspaced) { "" } else { " " };
    Some(format!("{said}{gap}{place}{mark}"))
}

/// Letters of a preposition at most.
const MAX_PREPOSITION: usize = 5;

/// Whether a text that was told for another question answers this one, too; where nobody can judge
/// that, it does.
async fn answers(spine: &Spine, ask: &Ask, part: &Part) -> Result<bool, TurnError> {
    let Some(judge) = judge_of(spine, ask.spoken().unwrap_or(&ask.language)) else {
        return Ok(true);
    };
    let text: String = part.text.chars().take(MAX_JUDGED).collect();
    let logits = judge.score(&ask.question, &[text]).await.map_err(RetrievalError::from)?;
    Ok(logits.first().is_some_and(|logit| *logit > EVEN))
}

/// Longest part of an answer that is judged, in Unicode scalar values, and the logit from which it
/// answers.
const MAX_JUDGED: usize = 300;
const EVEN: f32 = 0.0;

async fn answer_alone(spine: &Spine, ask: &Ask, number: usize) -> Result<Part, TurnError> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    // It is the whole answer whose first word is timed.
    let mut outlet =
        Outlet { sender, started: Instant::now(), silent: false, metrics: spine.metrics.clone() };
    let written = async {
        let verdict = one(spine, ask, &mut outlet).await;
        drop(outlet);
        verdict
    };
    let read = async {
        let mut text = String::new();
        while let Some(output) = receiver.recv().await {
            if let Output::Text(piece) = output {
                text.push_str(&piece);
            }
        }
        text
    };
    let (verdict, text) = tokio::join!(written, read);
    Ok(Part { number, verdict: verdict?, text: text.trim().to_owned() })
}

/// The sources of all parts, each once, numbered anew. Documents that only came close are left out:
/// there are enough without.
fn cited(parts: &[Part]) -> Vec<Citation> {
    let mut citations: Vec<Citation> = Vec::new();
    let quoted =
        parts.iter().filter(|part| part.answers()).flat_map(|part| &part.verdict.citations);
    for citation in quoted.filter(|citation| !citation.related) {
        let known =
            |other: &Citation| other.document == citation.document && other.start == citation.start;
        if !citations.iter().any(known) {
            let n = u32::try_from(citations.len() + 1).unwrap_or(u32::MAX);
            citations.push(Citation { n, ..citation.clone() });
        }
    }
    citations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_carried_to_what_is_asked_after_it() {
        #[track_caller]
        fn check(message: &str, part: &str, expected: Option<&str>) {
            let before = message_before(message, part);
            assert_eq!(with_place(part, before).as_deref(), expected, "{message}");
        }
        check(
            "What does it cost to Malta and how long does it take?",
            "how long does it take?",
            Some("how long does it take to Malta?"),
        );
        check(
            "was kostet der versand nach Polen und wie lange dauert er",
            "wie lange dauert er",
            Some("wie lange dauert er nach Polen"),
        );
        check("What is it and do you send it to Malta?", "What is it", None);
        check("Do you send to Malta? And to Italy?", "And to Italy?", None);
        check("", "And to Italy?", None);
    }
}
