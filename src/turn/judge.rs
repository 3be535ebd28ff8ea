//! Has the cross-encoder judge what the search found: which piece of the knowledge answers, and
//! whether any does.

use std::collections::HashSet;

use super::words::LISTS;
use super::{Ask, Spine, case};
use crate::catalogue::asks::Asking;
use crate::grounding::alike::{About, Names};
use crate::grounding::choose::{Choice, choose};
use crate::grounding::judged::{Judged, Section, UNJUDGED};
use crate::grounding::series::{Series, Wanted};
use crate::grounding::several::asked_alone;
use crate::grounding::{Scored, Unit};
use crate::language::lists::has;
use crate::language::words::stretches;
use crate::language::{has_word, is_common_somewhere, meanings};
use crate::reason::holidays::{self, Tells};
use crate::reason::places::{self, Fit, Place};
use crate::reason::tells_hours;
use crate::retrieval::reranker::Reranker;
use crate::retrieval::{Hit, RetrievalError, judged_text};

/// Pieces that the cross-encoder judges for a question; each takes it some milliseconds of a core.
const PIECES: usize = 24;
/// Longest text that is judged with its headings, in Unicode scalar values: what follows tells
/// little more.
const MAX_CHARS: usize = 300;
/// What the first look at a piece counts: its passage's score in the search, and its own nearness.
/// They decide which are judged.
const BY_PASSAGE: f32 = 2.0;
const BY_NEARNESS: f32 = 6.0;

/// How near a piece must come to the best one's logit to be judged on the question alone, too, and
/// to answer about as well.
const WITHIN: f32 = 3.0;

/// What a question is about, as far as names tell.
#[derive(Clone, Copy)]
pub(super) struct Topic<'a> {
    pub(super) about: &'a About,
    pub(super) names: &'a Names,
    /// Of the products alone.
    pub(super) listed: &'a Names,
    pub(super) series: &'a Series,
    pub(super) wanted: &'a Wanted<'a>,
    /// What is asked of rows.
    pub(super) asking: &'a Asking,
    /// The question as the visitor wrote it, where a name was put before it.
    pub(super) bare: Option<&'a str>,
    /// The visitor's own words, in the language that is judged, where what was said before stands
    /// before them.
    pub(super) own: Option<&'a str>,
}

impl Topic<'_> {
    /// Whether a piece is about something else: of a name that looks like it, or a row without what
    /// is asked for.
    pub(super) fn is_beside(&self, unit: &Unit, hits: &[Hit]) -> bool {
        let Some(hit) = hits.get(unit.passage) else { return false };
        if !super::rows::fits(self.asking, unit, hit) {
            return true;
        }
        // Whose article it is stands in no doubt, however its title calls it.
        let own = self.wanted.holds(&hit.passage.document);
        let title = if own { "" } else { hit.passage.title.as_str() };
        self.names.about_another(self.about, &[&unit.text, &unit.heading, title])
    }

    /// A piece as it is judged: under what it is about, where its title doesn't say.
    pub(super) fn judged_text(&self, unit: &Unit, hits: &[Hit]) -> String {
        let text = judged_text(unit, hits);
        let of = hits
            .get(unit.passage)
            .and_then(|hit| self.series.about(&hit.passage.document, &hit.passage.title));
        let text = of.map_or(text.clone(), |of| format!("{of} › {text}"));
        text.chars().take(MAX_CHARS).collect()
    }
}

/// What the cross-encoder found.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) candidates: Vec<Judged>,
    pub(super) choice: Choice,
    /// How much of the best piece's logit is owed to a product's name.
    pub(super) by_name: f32,
    /// More than a bare yes or no follows from the choice for the visitor's own case.
    pub(super) decided: bool,
}

impl Judgement {
    /// Whether one of the units stands in the section of the best piece.
    pub(super) fn is_of_its_section(&self, units: &[Unit]) -> bool {
        let Some(lead) = self.candidates.get(self.choice.lead).map(|lead| &lead.scored.unit) else {
            return true;
        };
        units.iter().any(|unit| (unit.passage, &unit.heading) == (lead.passage, &lead.heading))
    }

    /// The titles under which a piece answers about as well as the best one, best first.
    pub(super) fn titles<'h>(&self, hits: &'h [Hit]) -> Vec<&'h str> {
        let best = self.candidates.get(self.choice.lead).map_or(f32::MAX, |lead| lead.logit);
        let mut near: Vec<&Judged> =
            self.candidates.iter().filter(|other| other.logit >= best - WITHIN).collect();
        near.sort_by(|a, b| b.logit.total_cmp(&a.logit));
        let titles = near.iter().filter_map(|other| hits.get(other.scored.unit.passage));
        titles.map(|hit| hit.passage.title.as_str()).collect()
    }
}

/// Who judges texts in a language; the English cross-encoder knows English alone.
pub(super) fn judge_of<'a>(spine: &'a Spine, language: &str) -> Option<&'a Reranker> {
    spine.reranker.as_ref().filter(|_| language == "en")
}

/// Judges the pieces of the best passages and puts the passage that answers first in `hits`. `None`
/// where nobody judges this language, or nothing that it can read was found.
///
/// # Errors
/// When the embedder or the cross-encoder fails.
pub(super) async fn judge(
    spine: &Spine,
    ask: &Ask,
    topic: Topic<'_>,
    hits: &mut Vec<Hit>,
) -> Result<Option<Judgement>, RetrievalError> {
    let language = ask.spoken().unwrap_or(&ask.language);
    let Some(judge) = judge_of(spine, language) else { return Ok(None) };
    let reads = |hit: &Hit| hit.passage.language == language || hit.passage.language == "und";
    if !hits.iter().any(reads) {
        return Ok(None);
    }
    hits.retain(reads);
    let scored = spine.retrieval.pieces(&ask.question, hits).await?;
    let Topic { about, listed, bare, .. } = topic;
    let scored: Vec<Scored> =
        scored.into_iter().filter(|scored| !topic.is_beside(&scored.unit, hits)).collect();
    let first_look =
        |scored: &Scored| BY_PASSAGE * scored.passage_score + BY_NEARNESS * scored.cosine;
    let mut order: Vec<usize> = (0..scored.len()).collect();
    order.sort_by(|a, b| first_look(&scored[*b]).total_cmp(&first_look(&scored[*a])));
    order.truncate(PIECES);
    let texts: Vec<String> = order
        .iter()
        .filter_map(|at| scored.get(*at))
        .map(|scored| topic.judged_text(&scored.unit, hits))
        .collect();
    let mut logits = judge.score(&ask.question, &texts).await?;
    // What holds for everything names nothing: it is judged on the question without the names.
    if let Some(general) = listed.in_general(&ask.question) {
        let nameless: Vec<usize> = (0..texts.len())
            .filter(|at| texts.get(*at).is_some_and(|text| !listed.names(text)))
            .collect();
        let judged: Vec<String> =
            nameless.iter().filter_map(|at| texts.get(*at).cloned()).collect();
        for (at, logit) in nameless.into_iter().zip(judge.score(&general, &judged).await?) {
            if let Some(own) = logits.get_mut(at) {
                *own = own.max(logit);
            }
        }
    }
    if let Some(own) = topic.own {
        let alone = judge.score(own, &texts).await?;
        by_own_words(&mut logits, &alone);
    }
    // A statement before the question draws to itself what only has its words: both are judged.
    if let Some(asked) = asked_alone(&ask.question) {
        let best = logits.iter().copied().fold(f32::MIN, f32::max);
        let alone = judge.score(asked, &texts).await?;
        // What is far from the whole message lacks what the statement says.
        for (logit, alone) in
            logits.iter_mut().zip(alone).filter(|(logit, _)| **logit > best - WITHIN)
        {
            *logit = logit.max(f32::midpoint(*logit, alone));
        }
    }
    let mut candidates: Vec<Judged> = scored
        .into_iter()
        .map(|scored| {
            let document = hits
                .get(scored.unit.passage)
                .map_or_else(String::new, |hit| hit.passage.document.clone());
            Judged { scored, logit: UNJUDGED, document, placed: false }
        })
        .collect();
    for (at, logit) in order.into_iter().zip(logits) {
        if let Some(candidate) = candidates.get_mut(at) {
            candidate.logit = logit;
        }
    }
    if let Some(place) =
        places::destination(&about.text).or_else(|| places::destination(&ask.question))
    {
        of_place(&ask.question, &place, &mut candidates);
    }
    of_holiday(&ask.question, &mut candidates);
    let Some(mut choice) = choose(&ask.question, &candidates) else {
        // Labels and what is about other things is all that there is.
        hits.clear();
        return Ok(None);
    };
    case::exclude(&[&ask.question, &ask.beside], &mut choice, &candidates);
    let own = case::Asked {
        texts: &[&ask.question],
        language,
        site: &ask.facts,
        wording: spine.prompts.wording(),
    };
    let decided = case::decide(&own, &mut choice, &candidates, hits);
    let by_name = match bare {
        Some(bare) => beyond(judge, bare, candidates.get(choice.lead), topic, hits).await?,
        None => by_name(judge, listed, &ask.question, candidates.get(choice.lead), hits).await?,
    };
    put_first(hits, &mut candidates, &mut choice);
    Ok(Some(Judgement { candidates, choice, by_name, decided }))
}

/// Takes from each piece what it answers the visitor's own words worse than the best does: what was
/// asked before draws its own answer to itself.
pub(super) fn by_own_words(logits: &mut [f32], alone: &[f32]) {
    let best = alone.iter().copied().fold(f32::MIN, f32::max);
    for (logit, alone) in logits.iter_mut().zip(alone) {
        *logit -= (OWN_WORDS * (best - alone)).min(MAX_OWN_WORDS);
    }
}

/// What a logit on the visitor's own words counts beside one on all that is meant, and what a piece
/// loses by it at most.
const OWN_WORDS: f32 = 0.5;
const MAX_OWN_WORDS: f32 = 4.0;

/// How much of what the cross-encoder holds of a piece it owes to a product's name, in logits: a
/// question that names the same product looks answered by whatever is said of it. 0 where it names
/// none.
async fn by_name(
    judge: &Reranker,
    listed: &Names,
    question: &str,
    lead: Option<&Judged>,
    hits: &[Hit],
) -> Result<f32, RetrievalError> {
    let Some((nameless, lead)) = listed.nameless(question).zip(lead) else { return Ok(0.0) };
    let text = judged_text(&lead.scored.unit, hits);
    let text = listed.nameless(&text).unwrap_or(text);
    let alone = judge.score(&nameless, &[text.chars().take(MAX_CHARS).collect()]).await?;
    Ok(alone.first().map_or(0.0, |alone| (lead.logit - alone).max(0.0)))
}

/// How much of what the cross-encoder holds of a piece is beyond the bare question, in logits: what
/// it owes to the name that was put before it.
async fn beyond(
    judge: &Reranker,
    bare: &str,
    lead: Option<&Judged>,
    topic: Topic<'_>,
    hits: &[Hit],
) -> Result<f32, RetrievalError> {
    let Some(lead) = lead else { return Ok(0.0) };
    let text = topic.judged_text(&lead.scored.unit, hits);
    let alone = judge.score(bare, &[text]).await?;
    Ok(alone.first().map_or(0.0, |alone| (lead.logit - alone).max(0.0)))
}

/// The sections that pieces stand in, with what the cross-encoder says of their headings alone.
///
/// # Errors
/// When the cross-encoder fails.
pub(super) async fn sections(
    spine: &Spine,
    ask: &Ask,
    pieces: &[Scored],
    hits: &[Hit],
) -> Result<Vec<Section>, RetrievalError> {
    let Some(judge) = judge_of(spine, ask.spoken().unwrap_or(&ask.language)) else {
        return Ok(Vec::new());
    };
    let mut sections: Vec<Section> = Vec::new();
    let mut titles = Vec::new();
    for Scored { unit, .. } in pieces {
        let Some(passage) = hits.get(unit.passage).map(|hit| &hit.passage) else { continue };
        if sections.len() == PIECES || sections.iter().any(|section| section.holds(unit)) {
            continue;
        }
        let above = passage.headings.last().unwrap_or(&passage.title);
        let title = if unit.heading.is_empty() { above } else { &unit.heading };
        titles.push(title.chars().take(MAX_CHARS).collect());
        sections.push(Section { passage: unit.passage, heading: unit.heading.clone(), logit: 0.0 });
    }
    let logits = judge.score(&ask.question, &titles).await?;
    sections.iter_mut().zip(logits).for_each(|(section, logit)| section.logit = logit);
    Ok(sections)
}

/// Marks the candidates that tell of a place, and drops those of elsewhere.
pub(super) fn of_place(question: &str, place: &Place, candidates: &mut Vec<Judged>) {
    // What nearly every message to a shop says tells no things apart.
    let asked: HashSet<String> =
        meanings(question).filter(|word| !is_common_somewhere(word)).collect();
    let held = |unit: &Unit| -> HashSet<String> {
        let own = [unit.text.as_str(), &unit.heading].into_iter().flat_map(meanings);
        own.filter(|word| asked.contains(word)).collect()
    };
    let mut limits: Vec<(HashSet<String>, f32)> = Vec::new();
    candidates.retain_mut(|candidate| {
        let unit = &candidate.scored.unit;
        let told = [unit.text.as_str(), &unit.heading].into_iter().map(|text| applies(place, text));
        let fit = told.into_iter().find(|fit| *fit != Fit::Unsaid).unwrap_or(Fit::Unsaid);
        // "Only within Ireland" tells of France, too.
        let limited = fit == Fit::Elsewhere && restricts(&unit.text);
        if limited {
            limits.push((held(unit), candidate.logit));
        }
        candidate.placed = fit > Fit::Unsaid || limited || place.city && of_every_store(&unit.text);
        fit != Fit::Elsewhere || limited
    });
    // That parcels go to France says nothing of gas where gas is sent within Ireland alone.
    let named: HashSet<String> = meanings(&place.name).collect();
    candidates.retain(|candidate| {
        let unit = &candidate.scored.unit;
        let own = held(unit);
        let is_limit = restricts(&unit.text) && applies(place, &unit.text) == Fit::Elsewhere;
        is_limit
            || !candidate.placed
            || !limits.iter().any(|(words, logit)| {
                let more = words.difference(&own).any(|word| !named.contains(word));
                let less = own.difference(words).any(|word| !named.contains(word));
                more && !less && *logit >= candidate.logit - WITHIN
            })
    });
}

/// Marks the candidates that tell of the holiday that a question names, by its date where some do,
/// and drops the usual hours: they aren't those of a holiday.
pub(super) fn of_holiday(question: &str, candidates: &mut Vec<Judged>) {
    let Some(holiday) = holidays::holiday(question) else { return };
    let told = |candidate: &Judged| {
        let unit = &candidate.scored.unit;
        holidays::tells(&holiday, &unit.text).max(holidays::tells(&holiday, &unit.heading))
    };
    let best = candidates.iter().map(told).max().unwrap_or(Tells::Nothing);
    if best == Tells::Nothing {
        return;
    }
    candidates.retain_mut(|candidate| {
        let own = told(candidate);
        candidate.placed = own == best;
        own > Tells::Nothing || !tells_hours(&candidate.scored.unit.text)
    });
}

/// Whether a sentence speaks of every store: it does so of the one in Cork.
fn of_every_store(text: &str) -> bool {
    let lower = text.to_lowercase();
    let stores = |word: &&str| LISTS.stores.iter().any(|store| word.starts_with(store.as_str()));
    stretches(&lower).any(|stretch| {
        let words: Vec<&str> = stretch.split_whitespace().collect();
        words.iter().enumerate().any(|(at, word)| {
            has(&LISTS.every, word) && words.iter().skip(at + 1).take(2).any(stores)
        })
    })
}

/// Puts the passage of the best candidate first in `hits`; candidates and choice follow.
pub(super) fn put_first(hits: &mut [Hit], candidates: &mut [Judged], choice: &mut Choice) {
    let Some(first) = candidates.get(choice.lead).map(|lead| lead.scored.unit.passage) else {
        return;
    };
    to_front(hits, first);
    let moved = |passage: &mut usize| {
        *passage = match *passage {
            own if own == first => 0,
            own if own < first => own + 1,
            own => own,
        };
    };
    candidates.iter_mut().for_each(|candidate| moved(&mut candidate.scored.unit.passage));
    choice.units.iter_mut().for_each(|unit| moved(&mut unit.passage));
}

/// How a text applies to a place; one of another city's shop tells of elsewhere, too.
fn applies(place: &Place, text: &str) -> Fit {
    let fit = places::fit(place, text);
    let others = || places::places(text);
    if fit == Fit::Unsaid && place.city && others().iter().any(|other| other.city) {
        return Fit::Elsewhere;
    }
    fit
}

/// Whether a sentence says where alone something holds: "only within Ireland" answers for France as
/// well.
fn restricts(text: &str) -> bool {
    let lower = text.to_lowercase();
    has_word(&lower, &LISTS.restricts)
}

/// Puts one passage first. The scores stay where they are, by rank: how near one must come to the
/// best to be cited is measured on the search's.
fn to_front(hits: &mut [Hit], first: usize) {
    let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    if let Some(front) = hits.get_mut(..=first) {
        front.rotate_right(1);
    }
    for (hit, score) in hits.iter_mut().zip(scores) {
        hit.score = score;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::units;

    #[test]
    fn what_is_said_of_holidays_holds_for_the_one_that_is_named() {
        let text = "The yard is open Monday to Friday from 8:00 to 16:00. On bank holidays the \
                    yard is open from 10:00 to 12:00. We are closed on 1 January.";
        let told = |question: &str| -> Vec<(String, bool)> {
            let units = units(0, text).into_iter();
            let mut candidates: Vec<Judged> = units
                .map(|unit| Judged {
                    scored: Scored { unit, cosine: 0.5, passage_score: 1.0, opens: false },
                    logit: 1.0,
                    document: "a".into(),
                    placed: false,
                })
                .collect();
            of_holiday(question, &mut candidates);
            let shown = |judged: &Judged| (judged.scored.unit.text.clone(), judged.placed);
            candidates.iter().map(shown).collect()
        };
        let holidays = "On bank holidays the yard is open from 10:00 to 12:00.".to_owned();
        let closed = "We are closed on 1 January.".to_owned();
        assert_eq!(
            told("open on Good Friday?"),
            [(holidays.clone(), true), (closed.clone(), false)]
        );
        assert_eq!(told("open on New Year's Day?"), [(holidays, false), (closed, true)]);
        assert_eq!(told("open on Friday?").len(), 3);
    }

    #[track_caller]
    fn check(question: &str, text: &str, logits: &[f32], placed: &[&str]) {
        let mut candidates: Vec<Judged> = units(0, text)
            .into_iter()
            .zip(logits)
            .map(|(unit, logit)| Judged {
                scored: Scored { unit, cosine: 0.5, passage_score: 1.0, opens: false },
                logit: *logit,
                document: "a".into(),
                placed: false,
            })
            .collect();
        let place = places::destination(question).unwrap();
        of_place(question, &place, &mut candidates);
        let found: Vec<&str> = candidates
            .iter()
            .filter(|candidate| candidate.placed)
            .map(|candidate| candidate.scored.unit.text.as_str())
            .collect();
        assert_eq!(found, placed, "{question}");
    }

    #[test]
    fn what_is_said_of_the_thing_itself_beats_what_holds_for_all() {
        let text = "We deliver to Spain and Italy. Lamps are delivered within Austria only.";
        let lamps = ["Lamps are delivered within Austria only."];
        check("Do you deliver lamps to Spain?", text, &[2.0, 0.5], &lamps);
        let all = ["We deliver to Spain and Italy.", "Lamps are delivered within Austria only."];
        check("Do you deliver to Spain?", text, &[2.0, 0.5], &all);
        check("Do you deliver lamps to Spain?", text, &[2.0, -5.0], &all);
    }

    #[test]
    fn what_holds_in_every_store_holds_in_the_one_that_is_named() {
        let text =
            "The Cork store has a lift. Bicycles may come into all our stores. We like dogs.";
        let told = ["The Cork store has a lift.", "Bicycles may come into all our stores."];
        check("May I bring a bicycle into the store in Cork?", text, &[0.0, 0.0, 0.0], &told);
    }
}
