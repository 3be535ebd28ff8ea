//! What stands before the quotes where they leave the conclusion to the visitor: see
//! [`crate::reason`]. Pure.

use crate::grounding::{Computed, Unit, nearest, units};
use crate::prompt::SiteFacts;
use crate::reason::{Lead, Question, Said, Verdict, lead};
use crate::retrieval::Hit;

/// Confidence at least of a choice that a figure, or a yes or no, follows from.
pub(super) const CONCLUDED: f32 = 0.75;

/// What the chosen pieces and the message lead to. `chosen` loses the rows that a figure wasn't
/// read from: those of other countries tell the visitor nothing.
pub(super) fn conclude(
    question: &str,
    language: &str,
    site: &SiteFacts,
    hits: &[Hit],
    chosen: &mut Vec<Unit>,
) -> Option<Lead> {
    let found = {
        let question = Question { text: question, language, shop: &site.name };
        let abouts: Vec<String> = hits.iter().map(|hit| about(hit, "")).collect();
        let own: Vec<(String, &Unit)> = chosen
            .iter()
            .filter_map(|unit| Some((about(hits.get(unit.passage)?, &unit.heading), unit)))
            .collect();
        let said: Vec<Said<'_>> = own
            .iter()
            .map(|(about, unit)| {
                let language =
                    hits.get(unit.passage).map_or("und", |hit| hit.passage.language.as_str());
                Said { text: &unit.text, about, language }
            })
            .collect();
        // What else the same passages say, and what the next best ones do.
        let others: Vec<(usize, Unit)> = hits
            .iter()
            .take(BESIDE)
            .enumerate()
            .flat_map(|(at, hit)| {
                units(at, &hit.passage.text).into_iter().map(move |unit| (at, unit))
            })
            .filter(|(at, unit)| {
                !chosen.iter().any(|own| own.passage == *at && own.range == unit.range)
            })
            .collect();
        let beside: Vec<Said<'_>> = others
            .iter()
            .filter_map(|(at, unit)| {
                let hit = hits.get(*at)?;
                Some(Said {
                    text: &unit.text,
                    about: abouts.get(*at)?,
                    language: &hit.passage.language,
                })
            })
            .collect();
        lead(&question, &said, &beside)?
    };
    if found.verdict == Verdict::Figure {
        let mut at = 0;
        chosen.retain(|unit| {
            let kept = !unit.row || found.inputs.contains(&at);
            at += 1;
            kept
        });
    }
    Some(found)
}

/// Figures that follow from what the best passages say nearest to the question, for a model that
/// phrases it.
pub(super) fn computed(
    question: &str,
    language: &str,
    site: &SiteFacts,
    hits: &[Hit],
) -> Vec<Computed> {
    let all = hits.iter().take(BESIDE).enumerate();
    let mut found = Vec::new();
    for (at, hit) in all {
        let pieces = units(at, &hit.passage.text);
        let mut chosen: Vec<Unit> = nearest(question, &pieces).cloned().into_iter().collect();
        let figures =
            conclude(question, language, site, hits, &mut chosen).map(|lead| lead.figures);
        let figures = figures.into_iter().flatten();
        found
            .extend(figures.map(|figure| Computed { figure: figure.shown, inputs: figure.inputs }));
    }
    found
}

/// Passages in which a sentence may say otherwise than the chosen ones.
const BESIDE: usize = 4;

/// What a piece stands under.
fn about(hit: &Hit, heading: &str) -> String {
    let mut about = [std::slice::from_ref(&hit.passage.title), &hit.passage.headings].concat();
    if !heading.is_empty() && !about.iter().any(|own| own == heading) {
        about.push(heading.to_owned());
    }
    about.join(" > ")
}
