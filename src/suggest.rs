//! Replies drafted for agents: through the same turn as an answer, with the documents for agents,
//! and rewritten on demand.
//!
//! Nothing here reaches a visitor; an agent reads, edits and sends. All the same a draft invents
//! nothing: a rewrite goes through the gate with the draft as its source, and a model that has not
//! qualified for phrasing rewrites nothing.

use std::collections::HashSet;

use crate::catalogue::Listed;
use crate::conversation::{AnswerEnd, Citation, DraftNote, Made, NoteCode, Usage, Verdict, Wish};
use crate::grounding::{self, Evidence, Gate, Ruling};
use crate::llm::{Finish, Request, Token};
use crate::retrieval::{Audience, Query};
use crate::turn::{self, Ask, Mode, Outlet, Output, Spine, TurnError};
use crate::{handoff, language};

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub ask: &'a Ask,
    pub wish: Wish,
    /// For a translation: ISO 639-1; the question's own if left out.
    pub language: Option<&'a str>,
    /// The draft to rewrite; without one the reply is drafted anew.
    pub base: Option<&'a Made>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Drafted {
    /// A draft, and what the agent should know of it.
    Made { verdict: Verdict, note: Option<DraftNote> },
    /// The draft that was to be rewritten stands as it was; nothing was put out.
    Unchanged(NoteCode),
}

/// Drafts a reply.
///
/// # Errors
/// When a part fails; what was written by then is no draft.
pub async fn draft(
    spine: &Spine,
    wanted: &Wanted<'_>,
    out: &mut Outlet,
) -> Result<Drafted, TurnError> {
    match (wanted.base, wanted.wish) {
        (None, _) | (_, Wish::Answer) => answer(spine, wanted.ask, out).await,
        (Some(base), wish) if spine.mode == Mode::Generate => {
            rewrite(spine, wanted, base, wish, out).await
        }
        (Some(base), wish) => unqualified(base, wish, out).await,
    }
}

/// An answer of its own. Where it leans on documents that visitors must not see, the note says so.
async fn answer(spine: &Spine, ask: &Ask, out: &mut Outlet) -> Result<Drafted, TurnError> {
    if handoff::asks_for_person(&ask.question) {
        let verdict = verdict(AnswerEnd::Declined, Vec::new(), 1.0);
        return Ok(Drafted::Made { verdict, note: Some(NoteCode::AsksForPerson.into()) });
    }
    let verdict = turn::answer(spine, ask, out).await?;
    let note = if verdict.end == AnswerEnd::Declined {
        Some(NoteCode::NoAnswer.into())
    } else {
        let about = agents_only(spine, ask, &verdict.citations).await?;
        (!about.is_empty()).then_some(DraftNote::Coded { code: NoteCode::AgentsOnly, about })
    };
    Ok(Drafted::Made { verdict, note })
}

/// Titles of cited documents that visitors must not see.
async fn agents_only(
    spine: &Spine,
    ask: &Ask,
    citations: &[Citation],
) -> Result<Vec<String>, TurnError> {
    if citations.is_empty() {
        return Ok(Vec::new());
    }
    // As far as the answer looked: the model may have put a late passage first.
    let query = Query { audience: Audience::Agents, ..ask.query(spine) };
    let hits = spine.retrieval.search(&query).await?;
    let rows = spine.catalogue.products(&ask.site);
    let mut titles: Vec<String> = citations
        .iter()
        .filter(|citation| {
            let cited = |document: &str| document == citation.document;
            let inside =
                |listed: &Listed| cited(&listed.document) && listed.audience == Audience::Agents;
            rows.iter().any(inside)
                || hits.iter().any(|hit| {
                    cited(&hit.passage.document) && hit.passage.audience == Audience::Agents
                })
        })
        .map(|citation| citation.title.clone())
        .collect();
    titles.dedup();
    Ok(titles)
}

/// The model rewrites the draft; only what the draft and the conversation support goes into the new
/// one.
async fn rewrite(
    spine: &Spine,
    wanted: &Wanted<'_>,
    base: &Made,
    wish: Wish,
    out: &mut Outlet,
) -> Result<Drafted, TurnError> {
    let ask = wanted.ask;
    let language = wanted
        .language
        .or_else(|| language::language_of(&ask.question).filter(|_| wish == Wish::Translated))
        .unwrap_or(&ask.language);
    let messages = spine
        .prompts
        .rewrite(&ask.facts, wish, language, language_name(language), &ask.question, &base.text)
        .map_err(TurnError::Prompt)?;
    let mut completion = spine.llm.submit(Request {
        messages,
        session: ask.session.clone(),
        suggestion: true,
        prefix: String::new(),
        sampling: spine.sampling,
        max_tokens: spine.max_tokens,
        stop: Vec::new(),
    })?;
    let mut gate = RewriteGate::new(base, ask, wish);
    let (mut end, mut usage, mut withheld, mut sent) =
        (AnswerEnd::Complete, Usage::default(), 0, String::new());
    while let Some(token) = completion.next().await {
        let rulings = match token? {
            Token::Queued { .. } | Token::Started | Token::Thinking => continue,
            Token::Text(text) => gate.push(&text),
            Token::Done { finish, usage: cost } => {
                usage = cost;
                if finish == Finish::Length {
                    end = AnswerEnd::Length;
                }
                gate.finish(finish == Finish::Length)
            }
        };
        for ruling in rulings {
            match ruling {
                Ruling::Send { text, .. } => {
                    sent.push_str(&text);
                    out.send(Output::Text(text)).await?;
                }
                Ruling::Withhold { .. } => withheld += 1,
            }
        }
    }
    if sent.trim().is_empty() {
        return Ok(Drafted::Unchanged(NoteCode::NothingKept));
    }
    let note = if wish == Wish::Translated {
        Some(NoteCode::TranslationUnchecked.into())
    } else {
        (withheld > 0).then(|| NoteCode::LeftOut.into())
    };
    // It is no likelier right than what it says anew.
    let confidence = base.confidence * confidence(withheld);
    let verdict = Verdict { citations: base.citations.clone(), confidence, usage, end, withheld };
    Ok(Drafted::Made { verdict, note })
}

/// Without a model that may phrase: shorter by leaving sentences out, which invents nothing; the
/// rest is impossible.
async fn unqualified(base: &Made, wish: Wish, out: &mut Outlet) -> Result<Drafted, TurnError> {
    if wish != Wish::Shorter {
        return Ok(Drafted::Unchanged(NoteCode::NotQualified));
    }
    let ranges = language::sentences(&base.text);
    let last = ranges.get(ranges.len().div_ceil(2).saturating_sub(1)).filter(|_| ranges.len() > 1);
    let Some(short) = last.and_then(|last| base.text.get(..last.end)) else {
        return Ok(Drafted::Unchanged(NoteCode::OneSentence));
    };
    out.send(Output::Text(short.to_owned())).await?;
    let verdict = verdict(AnswerEnd::Complete, base.citations.clone(), base.confidence);
    Ok(Drafted::Made { verdict, note: Some(NoteCode::CutShort.into()) })
}

fn verdict(end: AnswerEnd, citations: Vec<Citation>, confidence: f32) -> Verdict {
    Verdict { citations, confidence, usage: Usage::default(), end, withheld: 0 }
}

/// How far a rewrite can be relied on: whole if nothing had to be withheld, less with each sentence
/// that had.
#[expect(clippy::cast_precision_loss, reason = "sentence counts are small")]
fn confidence(withheld: u32) -> f32 {
    1.0 / (1.0 + withheld as f32)
}

/// Lets a rewrite through sentence by sentence. A translation shares no words with its source, so
/// there it is the facts that are checked: numbers, links, codes and addresses.
enum RewriteGate {
    Words(Gate),
    Facts { known: HashSet<String>, pending: String },
}

impl RewriteGate {
    fn new(base: &Made, ask: &Ask, wish: Wish) -> Self {
        let quotes = base.citations.iter().map(|citation| citation.quote.as_str());
        let sources = std::iter::once(base.text.as_str()).chain(quotes);
        if wish == Wish::Translated {
            let known = sources.chain([ask.question.as_str()]).flat_map(grounding::facts).collect();
            return Self::Facts { known, pending: String::new() };
        }
        let said = ask.history.iter().filter(|line| line.by_visitor).map(|line| line.text.as_str());
        Self::Words(Gate::new(Evidence::new(sources, said.chain([ask.question.as_str()]))))
    }

    fn push(&mut self, text: &str) -> Vec<Ruling> {
        match self {
            Self::Words(gate) => gate.push(text),
            Self::Facts { known, pending } => {
                pending.push_str(text);
                // The last sentence may go on.
                let ranges = language::sentences(pending);
                let Some(whole) = ranges
                    .len()
                    .checked_sub(1)
                    .and_then(|last| ranges.get(last))
                    .map(|last| last.start)
                else {
                    return Vec::new();
                };
                let done: String = pending.drain(..whole).collect();
                rule_facts(known, &done)
            }
        }
    }

    fn finish(&mut self, cut: bool) -> Vec<Ruling> {
        match self {
            Self::Words(gate) => gate.finish(cut),
            Self::Facts { known, pending } => {
                let rest = std::mem::take(pending);
                if cut {
                    return vec![Ruling::Withhold {
                        text: rest,
                        reason: "the sentence was cut off".into(),
                    }];
                }
                rule_facts(known, &rest)
            }
        }
    }
}

/// Rules on whole sentences, each with the white space after it.
fn rule_facts(known: &HashSet<String>, text: &str) -> Vec<Ruling> {
    let ranges = language::sentences(text);
    let ends = ranges.iter().skip(1).map(|range| range.start).chain([text.len()]);
    let mut from = 0;
    ends.filter_map(|end| {
        let sentence = text.get(std::mem::replace(&mut from, end)..end)?.to_owned();
        if sentence.trim().is_empty() {
            return None;
        }
        Some(match grounding::facts(&sentence).into_iter().find(|fact| !known.contains(fact)) {
            Some(fact) => {
                Ruling::Withhold { text: sentence, reason: format!("{fact:?} stands in no source") }
            }
            None => Ruling::Send { text: sentence, source: None },
        })
    })
    .collect()
}

/// The language's English name, for the model; the code itself where it isn't known.
fn language_name(code: &str) -> &str {
    match code {
        "ar" => "Arabic",
        "de" => "German",
        "en" => "English",
        "es" => "Spanish",
        "fr" => "French",
        "it" => "Italian",
        "ja" => "Japanese",
        "ko" => "Korean",
        "nl" => "Dutch",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "ru" => "Russian",
        "sv" => "Swedish",
        "tr" => "Turkish",
        "zh" => "Simplified Chinese",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pieces: &[&str], known: &[&str]) -> (String, usize) {
        let known = known.iter().flat_map(|text| grounding::facts(text)).collect();
        let mut gate = RewriteGate::Facts { known, pending: String::new() };
        let mut rulings: Vec<Ruling> = pieces.iter().flat_map(|piece| gate.push(piece)).collect();
        rulings.extend(gate.finish(false));
        let withheld =
            rulings.iter().filter(|ruling| matches!(ruling, Ruling::Withhold { .. })).count();
        let text = rulings.into_iter().filter_map(|ruling| match ruling {
            Ruling::Send { text, .. } => Some(text),
            Ruling::Withhold { .. } => None,
        });
        (text.collect(), withheld)
    }

    #[test]
    fn a_translation_brings_no_new_facts() {
        let known = ["Shipping costs 4.90 EUR. See https://shop.example/ship"];
        let whole = "Der Versand kostet 4.90 EUR. Mehr: https://shop.example/ship";
        assert_eq!(sent(&[whole], &known), (whole.to_owned(), 0));
        let (text, withheld) =
            sent(&["Der Versand kos", "tet 9.90 EUR. Wir lie", "fern gern."], &known);
        assert_eq!((text.as_str(), withheld), ("Wir liefern gern.", 1));
        assert_eq!(
            sent(&["运费为 4.90 欧元。", "请放心购买。"], &known),
            ("运费为 4.90 欧元。请放心购买。".to_owned(), 0)
        );
        assert_eq!(sent(&[""], &known), (String::new(), 0));
    }
}
