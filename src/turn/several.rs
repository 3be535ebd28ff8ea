//! A message that asks several things is answered one by one.

use std::time::Instant;

use tokio::sync::mpsc;

use super::{Ask, Outlet, Output, Spine, TurnError, one};
use crate::conversation::{AnswerEnd, Citation, Line, Usage, Verdict};
use crate::grounding::followup::leans_on_what_was_said;
use crate::grounding::several::questions;
use crate::grounding::smalltalk::small_talk;
use crate::reason::abilities::asked;

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
        let question = (*question).to_owned();
        let request = asked(&question);
        let beside = ask.question.clone();
        let alone =
            Ask { question, request, history, beside, written: String::new(), ..ask.clone() };
        let mut part = answer_alone(spine, &alone, at + 1).await?;
        let is_told = |part: &Part| {
            parts.iter().any(|other| other.answers() && other.text.contains(&part.text))
        };
        // What was asked beside it leads back to what answers that.
        if is_told(&part) {
            let apart = Ask { beside: String::new(), ..alone };
            part = answer_alone(spine, &apart, at + 1).await?;
        }
        // What has to be asked back can't be in one question with others.
        if part.verdict.end == AnswerEnd::Clarified {
            return Ok(None);
        }
        if !is_told(&part) {
            parts.push(part);
        }
    }
    if parts.len() < 2 || !parts.iter().any(Part::answers) {
        return Ok(None);
    }
    let language = ask.spoken().unwrap_or(&ask.language);
    let mut paragraphs = Vec::new();
    for part in &parts {
        paragraphs.push(match part.verdict.end {
            AnswerEnd::Declined => spine
                .prompts
                .unanswered(part.number, &ask.facts, language)
                .map_err(TurnError::Prompt)?,
            _ => part.text.clone(),
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
