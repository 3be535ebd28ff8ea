//! Questions in a language that the first embedder and the cross-encoder don't read: what answers them is chosen by the
//! multilingual embedder, across languages.

use super::{Ask, Spine};
use crate::grounding::{Unit, units};
use crate::language;
use crate::retrieval::{Hit, RetrievalError};

/// Passages whose pieces are looked at, and their pieces.
const PASSAGES: usize = 8;
const PIECES: usize = 64;
/// Longest piece that is compared, in Unicode scalar values: what follows tells little more.
const MAX_CHARS: usize = 300;
/// Pieces of an answer, and their length in Unicode scalar values beside steps.
const ANSWER_PIECES: usize = 2;
const ANSWER_CHARS: usize = 260;
/// How a piece's nearness is made up: of the piece under its headings, of its text alone, and of its headings alone. Of 63
/// questions in six languages on the sample shop, the two best pieces of the best section hold the answer to 49. Measured
/// outside the product, with the passages' prefix and pieces cut almost as here; not yet within it.
const UNDER_HEADINGS: f32 = 0.5;
const ALONE: f32 = 0.25;
const HEADINGS: f32 = 0.25;
/// What a figure or name of the question that stands in a piece counts, as nearness.
const SAME_NAME: f32 = 0.02;
/// How near to the best the second piece of its section must come.
const BESIDE: f32 = 0.03;
/// Logistic regression on those 63 questions and 13 without an answer, which count three times: how far the best piece
/// stands above the best of another document, and above the mean. Cosines of this model lie close together and have no zero
/// that means something, so only differences within one search count. The offset is the fitted one, -2.58, moved so that even
/// odds are the default of `answers.min_confidence`, .62: 49 of the 63 are answered there, and 4 of the 13.
const ABOVE_OTHER: f32 = 83.0;
const ABOVE_MEAN: f32 = 72.0;
const OFFSET: f32 = -2.1;

/// What answers, and how likely it does.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    /// In reading order.
    pub(super) units: Vec<Unit>,
    /// 0…1.
    pub(super) confidence: f32,
}

/// Chooses what answers among the best passages. `None` where the search didn't go by the multilingual model.
///
/// # Errors
/// When the embedder fails.
pub(super) async fn choose(spine: &Spine, ask: &Ask, hits: &[Hit]) -> Result<Option<Foreign>, RetrievalError> {
    let Some(model) = &spine.retrieval.multilingual else { return Ok(None) };
    if hits.iter().all(|hit| hit.multilingual.is_none()) {
        return Ok(None);
    }
    // A German can do something with an English source of an English shop, and little with a Chinese one.
    let visitor = ask.spoken().unwrap_or(&ask.language);
    let third = |hit: &Hit| ![visitor, ask.language.as_str(), "und"].contains(&hit.passage.language.as_str());
    let only_third = hits.iter().all(third);
    let mut pieces: Vec<Unit> = hits
        .iter()
        .enumerate()
        .filter(|(_, hit)| only_third || !third(hit))
        .take(PASSAGES)
        .flat_map(|(at, hit)| units(at, &hit.passage.text))
        // "Yes." and "No." say nothing without their question.
        .filter(|unit| unit.text.chars().count() > 6 || unit.text.contains(language::is_unspaced))
        .collect();
    pieces.truncate(PIECES);
    let headings: Vec<String> = pieces.iter().map(|unit| headings(unit, hits)).collect();
    let cut = |text: &str| text.chars().take(MAX_CHARS).collect::<String>();
    let mut texts = vec![ask.question.clone()];
    for (unit, headings) in pieces.iter().zip(&headings) {
        texts.push(cut(&format!("{headings}: {}", unit.text)));
        texts.push(cut(&unit.text));
        texts.push(headings.clone());
    }
    // Many pieces stand under the same headings.
    let mut unique = texts.clone();
    unique.sort_unstable();
    unique.dedup();
    let vectors = model.embed_queries(unique.clone()).await?;
    let vector = |text: &String| unique.binary_search(text).ok().and_then(|at| vectors.get(at));
    let near = |text: Option<&String>| -> f32 {
        let pair = texts.first().and_then(&vector).zip(text.and_then(&vector));
        pair.map_or(0.0, |(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum())
    };
    let asked = names(&ask.question);
    let scores: Vec<f32> = (0..pieces.len())
        .map(|at| {
            let first = 1 + 3 * at;
            let held = names(texts.get(first).map_or("", String::as_str));
            #[expect(clippy::cast_precision_loss, reason = "a handful of names")]
            let same = asked.iter().filter(|name| held.contains(name)).count() as f32;
            UNDER_HEADINGS * near(texts.get(first))
                + ALONE * near(texts.get(first + 1))
                + HEADINGS * near(texts.get(first + 2))
                + SAME_NAME * same
        })
        .collect();
    let document = |unit: &Unit| hits.get(unit.passage).map(|hit| hit.passage.document.as_str());
    Ok(pick(&pieces, &headings, &scores, document))
}

/// The best piece with the next best of its section, and how far it stands out.
fn pick<'a>(
    pieces: &[Unit],
    headings: &[String],
    scores: &[f32],
    document: impl Fn(&Unit) -> Option<&'a str>,
) -> Option<Foreign> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    let score = |at: usize| scores.get(at).copied().unwrap_or(f32::MIN);
    order.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
    let first = *order.first()?;
    let best = pieces.get(first)?;
    let mut chosen = vec![best.clone()];
    for &at in order.iter().skip(1) {
        let Some(unit) = pieces.get(at) else { continue };
        let long = chosen.iter().chain([unit]).map(|unit| unit.text.chars().count()).sum::<usize>() > ANSWER_CHARS;
        let same = headings.get(at) == headings.get(first) && unit.passage == best.passage;
        if !same || unit.steps || best.steps || long || score(at) < score(first) - BESIDE {
            continue;
        }
        chosen.push(unit.clone());
        if chosen.len() == ANSWER_PIECES {
            break;
        }
    }
    chosen.sort_by_key(|unit| unit.range.start);
    #[expect(clippy::cast_precision_loss, reason = "64 pieces at most")]
    let mean = scores.iter().sum::<f32>() / scores.len().max(1) as f32;
    let other = order.iter().find(|at| pieces.get(**at).is_some_and(|unit| document(unit) != document(best)));
    let other = other.map_or(mean, |at| score(*at));
    let logit = ABOVE_OTHER * (score(first) - other) + ABOVE_MEAN * (score(first) - mean) + OFFSET;
    Some(Foreign { units: chosen, confidence: 1.0 / (1.0 + (-logit).exp()) })
}

/// The title and the headings that a piece stands under, each once.
fn headings(unit: &Unit, hits: &[Hit]) -> String {
    let Some(passage) = hits.get(unit.passage).map(|hit| &hit.passage) else { return unit.heading.clone() };
    let mut headings: Vec<&str> = Vec::new();
    for heading in std::iter::once(&passage.title).chain(&passage.headings).chain([&unit.heading]) {
        if !heading.is_empty() && !headings.contains(&heading.as_str()) {
            headings.push(heading);
        }
    }
    headings.join(" › ")
}

/// What is the same in every language: figures, and words of a question that are written like names.
fn names(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() || language::is_unspaced(c)).filter(|word| !word.is_empty());
    let named = words.filter(|word| word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()));
    let mut named: Vec<String> = named.map(str::to_lowercase).collect();
    named.sort_unstable();
    named.dedup();
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_best_of_the_same_section_comes_along() {
        let text = "### Cost\n\nDelivery costs 4.90 EUR. Express costs 9.90 EUR.\n\n### Time\n\nIt takes two days.";
        let pieces = units(0, text);
        let under: Vec<String> = pieces.iter().map(|unit| unit.heading.clone()).collect();
        let found = pick(&pieces, &under, &[0.84, 0.86, 0.85], |_| Some("a")).unwrap();
        let texts: Vec<&str> = found.units.iter().map(|unit| unit.text.as_str()).collect();
        assert_eq!(texts, ["Delivery costs 4.90 EUR.", "Express costs 9.90 EUR."]);
        assert!(pick(&[], &[], &[], |_| None).is_none());
    }

    #[test]
    fn what_stands_out_is_surer() {
        let pieces = [units(0, "One thing is told here."), units(1, "Another thing is told there.")].concat();
        let under = vec!["A".to_owned(), "B".to_owned()];
        let sure = |scores: &[f32]| {
            let document = |unit: &Unit| Some(if unit.passage == 0 { "a" } else { "b" });
            pick(&pieces, &under, scores, document).unwrap().confidence
        };
        assert!(sure(&[0.88, 0.83]) > sure(&[0.85, 0.845]));
    }

    #[test]
    fn figures_and_names_are_the_same_in_every_language() {
        assert_eq!(names("Wie viel wiegt das Tarn 2?"), ["2", "tarn", "wie"]);
        assert_eq!(names("Tarn 2 帐篷有多重？"), ["2", "tarn"]);
    }
}
