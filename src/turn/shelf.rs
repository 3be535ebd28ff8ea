//! Answers that the catalogue's rows give, before any passage is looked for.

use std::collections::HashSet;

use super::{
    Ask, Cited, Judgement, Outlet, Output, Spine, TurnError, foreign, judge_of, understand,
};
use crate::catalogue::asks::Asking;
use crate::catalogue::{Asked, RowsAnswer};
use crate::conversation::{AnswerEnd, Citation, Usage, Verdict};
use crate::grounding::{self, Unit, facts};
use crate::language::language_of;
use crate::retrieval::{Hit, RetrievalError};

/// Sentences of documents beside a comparison, at most.
const MAX_SENTENCES: usize = 3;
/// What is computed from rows is as sure as they are.
const SURE: f32 = 1.0;

/// What the rows say to the question, if it is surely about them.
pub(super) fn ask(spine: &Spine, ask: &Ask) -> Option<RowsAnswer> {
    let corrected = ask.mended(spine);
    let language = ask.spoken().unwrap_or(&ask.language);
    if Asking::of(&ask.question, language).of_the_shops_own() {
        return None;
    }
    let question = corrected.as_deref().unwrap_or(&ask.question);
    in_either_wording(spine, ask, question, |asked| spine.catalogue.shelf(&ask.site).ask(asked))
}

/// What several things cost together, if that is asked.
pub(super) fn basket(spine: &Spine, ask: &Ask) -> Option<RowsAnswer> {
    let shelf = spine.catalogue.shelf(&ask.site);
    in_either_wording(spine, ask, &ask.question, |asked| shelf.basket(asked))
}

/// What the rows say to a question as it stands, else to its words in English, where all of them
/// are known: the rows understand most of English. Both are told in the visitor's language.
fn in_either_wording(
    spine: &Spine,
    ask: &Ask,
    question: &str,
    tell: impl Fn(&Asked<'_>) -> Option<RowsAnswer>,
) -> Option<RowsAnswer> {
    let language = ask.spoken().unwrap_or(&ask.language);
    let is_word = |word: &str| spine.retrieval.spelling.is_word(&ask.site, word);
    let asked = |question, reads| Asked {
        question,
        history: &ask.history,
        language,
        reads,
        audience: ask.audience,
        now_ms: spine.clock.now_ms(),
        wording: spine.prompts.wording(),
        is_word: &is_word,
    };
    if let Some(told) = tell(&asked(question, language)) {
        return Some(told);
    }
    let gloss = foreign::gloss(spine, ask).filter(|gloss| gloss.known >= foreign::ALL_KNOWN)?;
    tell(&asked(&gloss.text, "en"))
}

/// Whether the rows answer a question better than the documents do.
///
/// # Errors
/// When the cross-encoder fails.
pub(super) async fn answers(
    spine: &Spine,
    ask: &Ask,
    told: &RowsAnswer,
    judgement: Option<&Judgement>,
) -> Result<bool, TurnError> {
    let language = ask.spoken().unwrap_or(&ask.language);
    let (Some(judge), Some(judgement)) = (judge_of(spine, language), judgement) else {
        return Ok(true);
    };
    // How two products differ stands in their rows; what the documents say of it is told with them.
    if told.open {
        return Ok(true);
    }
    let text: String = told.text.chars().take(MAX_JUDGED).collect();
    let logits = judge.score(&ask.question, &[text]).await.map_err(RetrievalError::from)?;
    let rows = logits.first().copied().unwrap_or_default();
    Ok(rows.max(EVEN) + ROWS_FIRST >= judgement.choice.logit)
}

/// Longest part of the rows' answer that is judged, in Unicode scalar values.
const MAX_JUDGED: usize = 300;
/// What the rows' answer may be judged worse by than the best sentence, in logits: a list of prices
/// has few of the question's words. And the logit that it has at least, every word of the question
/// being understood.
const ROWS_FIRST: f32 = 3.0;
const EVEN: f32 = 0.0;

/// Sends it, with the rows as its sources. Where documents may say more, their sentences that the
/// rows don't hold come first.
pub(super) async fn tell(
    spine: &Spine,
    ask: &Ask,
    told: &RowsAnswer,
    out: &mut Outlet,
) -> Result<Verdict, TurnError> {
    let mut cited = Cited::default();
    let mut text = String::new();
    let mut citations = Vec::new();
    if told.open {
        let hits = understand(spine, ask).await?.hits;
        let beside = beside(spine, ask, told, &hits).await?;
        let sentences: Vec<&str> = beside.iter().map(|unit| unit.text.as_str()).collect();
        let chinese = sentences.first().is_some_and(|first| language_of(first) == Some("zh"));
        text = sentences.join(if chinese { "" } else { " " });
        for unit in &beside {
            let Some(hit) = hits.get(unit.passage) else { continue };
            let of_passage = || {
                beside
                    .iter()
                    .filter(|other| other.passage == unit.passage)
                    .map(|other| &other.range)
            };
            let whole = of_passage().map(|range| range.start).min().unwrap_or(0)
                ..of_passage().map(|range| range.end).max().unwrap_or(0);
            let quote = hit.passage.text.get(whole).map_or(unit.text.as_str(), str::trim);
            citations.extend(cited.add(hit, unit.passage, &unit.heading, quote));
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
    }
    text.push_str(&told.text);
    for (at, passage) in told.passages.iter().enumerate() {
        let row = Hit {
            passage: passage.clone(),
            score: 1.0,
            cosine: None,
            multilingual: None,
            bm25: None,
        };
        citations.extend(cited.add(&row, usize::MAX - at, "", passage.text.trim()));
    }
    send_whole(spine, ask, &text, cited, citations, out).await
}

/// Sends an answer that is whole and sure, with its sources. As with quotes: after a crash the same
/// question gives the same answer, and if its source changed, what was sent stays.
///
/// # Errors
/// When nobody receives it any more.
pub(super) async fn send_whole(
    spine: &Spine,
    ask: &Ask,
    text: &str,
    cited: Cited,
    citations: Vec<Citation>,
    out: &mut Outlet,
) -> Result<Verdict, TurnError> {
    let rest = text.strip_prefix(&ask.written).map_or_else(|| format!("\n\n{text}"), str::to_owned);
    out.send(Output::Text(rest)).await?;
    for citation in citations {
        out.send(Output::Citation(citation)).await?;
    }
    let usage = Usage { completion_tokens: spine.retrieval.count_tokens(text), ..Usage::default() };
    Ok(Verdict {
        citations: cited.citations,
        confidence: SURE,
        usage,
        end: AnswerEnd::Complete,
        withheld: 0,
    })
}

/// Sentences of documents that answer the question beside the rows.
async fn beside(
    spine: &Spine,
    ask: &Ask,
    rows: &RowsAnswer,
    hits: &[Hit],
) -> Result<Vec<Unit>, TurnError> {
    if hits.is_empty() || ask.signs(hits).confidence() < spine.min_confidence {
        return Ok(Vec::new());
    }
    let candidates = spine.retrieval.score_units(&ask.question, hits).await?;
    let held = facts(&rows.text);
    let products = rows.passages.iter().filter_map(|passage| passage.product.as_ref());
    let named: HashSet<String> = products.flat_map(|product| facts(&product.name)).collect();
    let adds = |unit: &Unit| {
        let Some(hit) = hits.get(unit.passage) else { return false };
        let quote = hit.passage.text.get(unit.range.clone()).unwrap_or_default();
        let own = facts(quote);
        let mut figures = own.iter().filter(|fact| !named.contains(*fact)).peekable();
        // A sentence that gives the same prices again says nothing new.
        let again = figures.peek().is_some() && figures.all(|fact| held.contains(fact));
        let of_table = hit.passage.product.is_some() || quote.trim_start().starts_with('|');
        !again && !of_table && !unit.steps && unit.text != hit.passage.title
    };
    let quoted = grounding::quote(&ask.question, &candidates);
    Ok(quoted.into_iter().filter(adds).take(MAX_SENTENCES).collect())
}
