//! The answer made of quotes: which units, how many, in which order. Pure.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

use super::claims::{denies, in_digits, quantities};
use super::evidence::{is_verdict, plain_text};
use super::facts as facts_of;
use super::units::Unit;
use crate::grounding::judged::{Judged, Scored, Section, UNJUDGED};
use crate::language::lists::{self, List, has, stands_in};
use crate::language::{bare, content_words, has_word, words};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    fact: List,
    opening: List,
    how: List,
    explained: List,
    telling: List,
    help: List,
    open: List,
    openly: List,
    steps: List,
    contents: List,
    phrase: List,
    price: List,
    duration: List,
    number: List,
    times: List,
    amounts: List,
    given: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/quote.toml")));

/// How much of an answer a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number, a date, a yes or no: a sentence or two.
    Fact,
    /// How something is done or works: a whole section.
    Explanation,
}

/// Tells from its words how much a question asks for.
#[must_use]
pub fn shape(question: &str) -> Shape {
    let lower = question.trim().to_lowercase();
    let last = crate::language::sentences(&lower)
        .pop()
        .and_then(|range| lower.get(range))
        .unwrap_or_default();
    // "Corrie 45: and how heavy?"
    let last = last.rsplit_once(": ").map_or(last, |(_, asked)| asked);
    let last = LISTS.opening.iter().fold(last, |text, word| without_opening(text, word));
    if last.chars().any(crate::language::is_unspaced) {
        let how = stands_in(&LISTS.explained, last) || last.chars().count() > MAX_FACT_CHARS;
        return if how { Shape::Explanation } else { Shape::Fact };
    }
    let words = lower.split_whitespace().count();
    let asks = LISTS.fact.iter().any(|start| {
        last.strip_prefix(start.as_str())
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    });
    let how = is_how_to(last);
    // "Warranty on backpacks?" names what it asks for; "I lost my card" tells what happened.
    let tells = has_word(last, &LISTS.telling);
    let names = !tells && last.split_whitespace().count() <= MAX_PHRASE_WORDS;
    if (asks || names) && !how && words <= MAX_FACT_WORDS {
        Shape::Fact
    } else {
        Shape::Explanation
    }
}

/// Whether a question asks how something is done or works: for a section rather than for a
/// sentence.
#[must_use]
pub fn asks_how(question: &str) -> bool {
    is_how_to(&question.to_lowercase()) && shape(question) == Shape::Explanation
}

/// Whether a message tells of a problem and asks nothing more than what to do about it: "my lamp is
/// dead, no light at all".
#[must_use]
pub fn tells_a_problem(question: &str) -> bool {
    let lower = question.trim().to_lowercase();
    let sentences =
        crate::language::sentences(&lower).into_iter().filter_map(|range| lower.get(range));
    let told: Vec<&str> = sentences.filter(|sentence| !stands_in(&LISTS.help, sentence)).collect();
    let told = told.join(" ");
    let tells = has_word(&told, &LISTS.telling);
    tells && !told.contains(['?', '？']) && shape(&told) == Shape::Explanation
}

fn is_how_to(question: &str) -> bool {
    stands_in(&LISTS.how, question)
}

/// A text without a word that it begins with, however often.
fn without_opening<'t>(mut text: &'t str, word: &str) -> &'t str {
    while let Some(rest) = text.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')) {
        text = rest;
    }
    text
}

/// A phrase of more words is a sentence.
const MAX_PHRASE_WORDS: usize = 5;

/// A longer question tells a story, and wants more than a fact.
const MAX_FACT_WORDS: usize = 14;
const MAX_FACT_CHARS: usize = 30;
/// Longest answer to a question for a fact, in Unicode scalar values, unless its first unit alone
/// is longer.
const FACT_CHARS: usize = 600;
/// Longest explanation in words (pairs of characters in unspaced scripts), unless one unit alone is
/// longer.
const EXPLANATION_WORDS: usize = 130;
/// A unit worth less than this weakens an explanation.
const WORTH: f32 = 0.37;
/// What an explanation has to gain from the next section to go on into it, in words times worth.
const BORDER: f32 = 3.0;

/// Chooses the units that answer, in the order in which they are read. `candidates` stand in
/// reading order; for an explanation they are of one document. Empty if there are none.
#[must_use]
pub fn quote(question: &str, candidates: &[Scored]) -> Vec<Unit> {
    let candidates = with_own_verdicts(question, candidates);
    match shape(question) {
        Shape::Fact => facts(question, &candidates),
        Shape::Explanation => {
            let worths = worths(question, &candidates, &[], &[]);
            explanation(&candidates, &worths)
        }
    }
}

/// The section that explains, of the document that the cross-encoder found. `candidates` stand in
/// reading order and are of one document.
#[must_use]
pub fn explain(
    question: &str,
    candidates: &[Scored],
    judged: &[Judged],
    sections: &[Section],
) -> Vec<Unit> {
    let candidates = with_own_verdicts(question, candidates);
    let worths = worths(question, &candidates, judged, sections);
    explanation(&candidates, &worths)
}

/// Whether units tell what to do: numbered steps, or sentences that begin with what to do.
#[must_use]
pub fn instruct(units: &[Unit]) -> bool {
    units.iter().any(|unit| unit.steps)
        || units.iter().filter(|unit| Kind::of(unit) == Kind::Step).count() > 1
}

/// A "Yes." or "No." answers the question that it stands under, and no other: it stays, with the
/// sentence behind it, where that is what was asked, and goes everywhere else.
pub(crate) fn with_own_verdicts(question: &str, candidates: &[Scored]) -> Vec<Scored> {
    let mut kept: Vec<Scored> = Vec::with_capacity(candidates.len());
    let mut verdict: Option<&Scored> = None;
    for scored in candidates {
        let unit = &scored.unit;
        if is_verdict(&plain_text(&unit.text)) {
            verdict = Some(scored).filter(|_| asks_the_same(&unit.heading, question));
            if verdict.is_some() {
                kept.push(scored.clone());
            }
            continue;
        }
        let mut scored = scored.clone();
        let before = verdict.take().filter(|before| {
            (before.unit.passage, &before.unit.heading)
                == (scored.unit.passage, &scored.unit.heading)
        });
        if let Some(before) = before {
            kept.pop();
            scored.cosine = scored.cosine.max(before.cosine);
            scored.opens |= before.opens;
            scored.unit.range.start = before.unit.range.start;
            scored.unit.text = format!("{} {}", before.unit.text, scored.unit.text);
        } else if let Some(rest) = behind_verdict(&scored.unit.text)
            && !asks_the_same(&scored.unit.heading, question)
        {
            let mut chars = rest.chars();
            scored.unit.text =
                chars.next().map(char::to_uppercase).into_iter().flatten().chain(chars).collect();
        }
        kept.push(scored);
    }
    kept
}

/// What follows "Yes, " or "No, ".
fn behind_verdict(text: &str) -> Option<&str> {
    let (head, rest) = text.split_once([',', '，', '。', ';'])?;
    let rest = rest.trim_start();
    (is_verdict(&plain_text(head)) && rest.split_whitespace().count() > 1).then_some(rest)
}

/// Whether a heading asks what the question asks: nearly all its words, and every number of it.
fn asks_the_same(heading: &str, question: &str) -> bool {
    let (asked, held): (HashSet<String>, HashSet<String>) =
        (content_words(question).collect(), content_words(heading).collect());
    let shared = asked.intersection(&held).count();
    let lower = question.to_lowercase();
    // "Whats", "hows": many write no apostrophe.
    let open = words(&lower).any(|word| has(&LISTS.open, word.strip_suffix('s').unwrap_or(word)))
        || stands_in(&LISTS.openly, &lower);
    !open
        && shared * 4 >= asked.len() * 3
        && !asked.is_empty()
        && facts_of(question).is_subset(&facts_of(heading))
}

/// The run of units that is worth most, `Σ words · (worth − WORTH)`: coherent by construction, as
/// long as it has something to say. Then it is made to begin and end where a reader would: a list
/// of steps from its lead to its end.
fn explanation(candidates: &[Scored], worths: &[f32]) -> Vec<Unit> {
    let words: Vec<f32> = candidates.iter().map(|scored| word_count(&scored.unit.text)).collect();
    let (mut best, mut run) = (f32::MIN, 0..0);
    for from in 0..candidates.len() {
        let (mut value, mut length) = (0.0, 0.0);
        for at in from..candidates.len() {
            let (Some(count), Some(worth)) = (words.get(at), worths.get(at)) else { break };
            if at > from && !same_section(candidates, at - 1, at) {
                value -= BORDER;
            }
            value += count * (worth - WORTH);
            length += count;
            #[expect(clippy::cast_precision_loss, reason = "a small constant")]
            if length > EXPLANATION_WORDS as f32 && at > from {
                break;
            }
            if value > best {
                (best, run) = (value, from..at + 1);
            }
        }
    }
    let kind = |at: usize| candidates.get(at).map_or(Kind::Text, |scored| Kind::of(&scored.unit));
    let in_list = |at: usize| matches!(kind(at), Kind::Step | Kind::Lead);
    // Steps without their lead, or half of them, are no answer.
    let lead = (0..run.start)
        .rev()
        .take_while(|&at| in_list(at))
        .take(MAX_STEPS)
        .find(|&at| kind(at) == Kind::Lead);
    if kind(run.start) == Kind::Step
        && let Some(lead) = lead
    {
        run.start = lead;
    }
    let mut added = 0;
    while run.end > 0
        && in_list(run.end - 1)
        && kind(run.end) == Kind::Step
        && same_section(candidates, run.end - 1, run.end)
        && added < MAX_STEPS
        && run.end < candidates.len()
    {
        run.end += 1;
        added += 1;
    }
    while run.len() > 1 && kind(run.end - 1) == Kind::Lead {
        run.end -= 1;
    }
    let mut chosen: Vec<Unit> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for Scored { unit, .. } in candidates.get(run).unwrap_or_default() {
        let again =
            !seen.insert(unit.text.to_lowercase()) || unit.row && says_again(unit, chosen.iter());
        if !is_contents(&unit.text) && !again {
            chosen.push(unit.clone());
        }
    }
    chosen
}

/// Whether two candidates stand under the same heading.
fn same_section(candidates: &[Scored], a: usize, b: usize) -> bool {
    let heading = |at: usize| candidates.get(at).map(|scored| scored.unit.heading.as_str());
    heading(a) == heading(b)
}

/// Units as one text after a lead: sentences follow each other, steps stand on lines of their own,
/// a remark between two steps below the step it belongs to.
#[must_use]
pub fn compose(lead: String, units: &[Unit]) -> String {
    let mut text = lead;
    let mut listing = false;
    let mut above: Option<&Unit> = None;
    for (at, unit) in units.iter().enumerate() {
        let kind = Kind::of(unit);
        // Two lists, or steps after other steps' remarks: what each is for stands above it.
        if let Some(above) = above.replace(unit)
            && (unit.steps || above.steps)
            && above.heading != unit.heading
            && !unit.heading.is_empty()
        {
            let colon =
                if unit.heading.chars().any(crate::language::is_unspaced) { '：' } else { ':' };
            let closes = unit.heading.ends_with(['?', '？', '!', '！', ':', '：']);
            text.push_str("\n\n");
            text.push_str(&unit.heading);
            text.extend((!closes).then_some(colon));
            text.push_str(if unit.steps { "" } else { " " });
            listing = false;
            if !unit.steps {
                text.push_str(&unit.text);
                continue;
            }
        }
        let goes_on = || units.iter().skip(at + 1).take(3).any(|unit| Kind::of(unit) == Kind::Step);
        let before = at.checked_sub(1).and_then(|before| units.get(before));
        let itemised = unit.item
            && (before.is_some_and(|before| denies_below(before, unit))
                || before.into_iter().chain(units.get(at + 1)).any(|near| in_one_list(near, unit)));
        let separator = match kind {
            _ if itemised && (text.is_empty() || text.ends_with('\n')) => "- ",
            _ if itemised
                && (listing || before.is_some_and(|before| Kind::of(before) == Kind::Lead)) =>
            {
                "\n- "
            }
            _ if itemised => "\n\n- ",
            _ if text.is_empty() => "",
            _ if unit.steps => "\n",
            Kind::Step if listing => "\n- ",
            Kind::Lead => "\n\n",
            Kind::Text if listing && goes_on() => "\n  ",
            // What comes after a list is no part of it.
            Kind::Text if listing => "\n\n",
            // Unspaced scripts have no space between sentences either.
            _ if text.ends_with(['\n', '。', '！', '？', '；']) => "",
            _ => " ",
        };
        listing = unit.steps
            || itemised
            || kind == Kind::Lead
            || listing && (kind == Kind::Step || goes_on());
        text.push_str(separator);
        text.push_str(&unit.text);
    }
    text
}

/// Whether two units are items that can stand in one list.
fn in_one_list(a: &Unit, b: &Unit) -> bool {
    a.item && b.item && (a.passage, &a.heading) == (b.passage, &b.heading)
}

/// The unit that shares most words with the question.
#[must_use]
pub fn nearest<'a>(question: &str, units: &'a [Unit]) -> Option<&'a Unit> {
    let asked: HashSet<String> = content_words(question).collect();
    let shared = |unit: &Unit| {
        content_words(&unit.text).filter(|word| asked.contains(word)).collect::<HashSet<_>>().len()
    };
    units.iter().rev().max_by_key(|unit| shared(unit))
}

/// Steps added to a list that the best run cuts.
const MAX_STEPS: usize = 6;

/// How much each unit is expected to share with an answer that a person would write: a linear model
/// of how near it and its neighbours are to the question, in meaning and in words, and what kind of
/// unit it is. Fitted by ridge regression on the share of content words in the gold answers of the
/// 55 help-centre questions of WixQA (MIT); the token F1 of the answers that come out of it is .43
/// in eleven-fold cross-validation by question, .41 for the best passage as it stands. Features,
/// threshold and length were chosen on the same questions, so expect less on others.
///
/// Where a cross-encoder has judged, its probabilities stand in for the words that the headings
/// share with the question.
fn worths(
    question: &str,
    candidates: &[Scored],
    judged: &[Judged],
    sections: &[Section],
) -> Vec<f32> {
    let asked: HashSet<String> = content_words(question).collect();
    let overlap = |scored: &Scored| {
        let held: HashSet<String> =
            content_words(&scored.unit.text).filter(|word| asked.contains(word)).collect();
        #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
        let share = if asked.is_empty() { 0.0 } else { held.len() as f32 / asked.len() as f32 };
        share
    };
    let overlaps: Vec<f32> = candidates.iter().map(overlap).collect();
    let cosines: Vec<f32> = candidates.iter().map(|scored| scored.cosine).collect();
    // The nearness of the line that leads a list in counts for its steps.
    let headed: Vec<f32> = if judged.is_empty() {
        candidates.iter().map(|scored| headed(&asked, question, &scored.unit.heading)).collect()
    } else {
        candidates.iter().map(|scored| judgement(&scored.unit, judged)).collect()
    };
    let titled = titled(candidates, sections);
    let best_headed = headed.iter().copied().fold(0.0_f32, f32::max);
    let mut lead = 0.0;
    let how = is_how_to(&question.to_lowercase());
    candidates
        .iter()
        .enumerate()
        .map(|(at, scored)| {
            let kind = Kind::of(&scored.unit);
            match kind {
                Kind::Lead => lead = scored.cosine,
                Kind::Step => {}
                Kind::Text => lead *= 0.8,
            }
            let one = |yes: bool| f32::from(u8::from(yes));
            0.093 + 0.361 * scored.cosine - 0.436 * around(&cosines, at)
                + 0.584 * overlaps.get(at).copied().unwrap_or_default()
                - 0.24 * around(&overlaps, at)
                + 0.374 * scored.passage_score
                + 0.201 * one(kind == Kind::Lead)
                + 0.294 * one(kind == Kind::Step)
                + STEPS_ASKED * one(how && scored.unit.steps)
                - HEADED * (best_headed - headed.get(at).copied().unwrap_or_default())
                - TITLED * titled.get(at).copied().unwrap_or_default()
                - 0.147 * one(is_contents(&scored.unit.text))
                - 0.109 * lead
                + 0.279 * one(scored.opens)
        })
        .collect()
}

/// Numbered steps are what "How do I …?" asks for. By hand: the questions that the rest is fitted
/// on have hardly any.
const STEPS_ASKED: f32 = 0.2;
/// What stands under a heading that says less of the question than another one does loses as much,
/// times the difference. By hand, too.
const HEADED: f32 = 0.8;
/// The same by what the cross-encoder says of the headings alone.
const TITLED: f32 = 0.8;

/// How likely a piece answers in the eyes of the cross-encoder, 0…1: its own logit, or the best of
/// its section.
fn judgement(unit: &Unit, judged: &[Judged]) -> f32 {
    let here = judged.iter().filter(|judged| {
        let own = &judged.scored.unit;
        (own.passage, &own.heading) == (unit.passage, &unit.heading)
    });
    let (mut own, mut section) = (None, UNJUDGED);
    for judged in here {
        if judged.scored.unit.range.end == unit.range.end && judged.logit > UNJUDGED {
            own = Some(judged.logit);
        }
        section = section.max(judged.logit);
    }
    let logit = own.map_or(section, |own| 0.5 * (own + section));
    1.0 / (1.0 + (-logit / SPREAD).exp())
}

/// Logits that make a probability half as far from even.
const SPREAD: f32 = 3.0;

/// How much worse the heading of each candidate's section says what is asked than the best one
/// does, 0…1: "Steps to restore a backup" says it, and "Errors when restoring a backup" doesn't,
/// however much its text has to do with it. 0 where headings weren't judged.
fn titled(candidates: &[Scored], sections: &[Section]) -> Vec<f32> {
    let probability = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    let best = sections.iter().map(|section| section.logit).fold(f32::MIN, f32::max);
    let of = |unit: &Unit| {
        let own = sections.iter().find(|section| section.holds(unit))?;
        Some(probability(BEST_TITLED) - probability(own.logit - best + BEST_TITLED))
    };
    candidates.iter().map(|scored| of(&scored.unit).unwrap_or_default()).collect()
}

/// How sure the best heading is taken to be, as a logit.
const BEST_TITLED: f32 = 2.0;

/// Share of the question's words in a heading; none where one of them denies what the other
/// doesn't.
fn headed(asked: &HashSet<String>, question: &str, heading: &str) -> f32 {
    if asked.is_empty() || denies(question) != denies(heading) {
        return 0.0;
    }
    let held: HashSet<String> =
        content_words(heading).filter(|word| asked.contains(word)).collect();
    #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
    let share = held.len() as f32 / asked.len() as f32;
    share
}

/// Mean over a unit and its three neighbours on either side.
fn around(values: &[f32], at: usize) -> f32 {
    let near = values.get(at.saturating_sub(3)..(at + 4).min(values.len())).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "at most seven")]
    let mean = near.iter().sum::<f32>() / near.len().max(1) as f32;
    mean
}

#[expect(clippy::cast_precision_loss, reason = "word counts are small")]
fn word_count(text: &str) -> f32 {
    crate::language::unspaced::split_unspaced(text).split_whitespace().count() as f32
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Leads a list in: "To cancel an order:".
    Lead,
    /// Something to do: numbered, or beginning with what to do.
    Step,
    Text,
}

impl Kind {
    pub(super) fn of(unit: &Unit) -> Self {
        let text = unit.text.trim();
        let first = text
            .strip_prefix("(Optional)")
            .unwrap_or(text)
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let first = bare(first).to_lowercase();
        if unit.steps || has(&LISTS.steps, &first) {
            Self::Step
        } else if text.ends_with([':', '：'])
            && text.split_whitespace().count() > 1
            && !is_contents(text)
        {
            Self::Lead
        } else {
            Self::Text
        }
    }
}

/// A table of contents in words, which says what is said elsewhere.
fn is_contents(text: &str) -> bool {
    stands_in(&LISTS.contents, &text.to_lowercase())
}

/// The best unit and what comes near it, at most three: passages by rank of their best unit, units
/// of a passage as they stand there.
fn facts(question: &str, candidates: &[Scored]) -> Vec<Unit> {
    let words: HashSet<String> = content_words(question).collect();
    let kind = AnswerType::of(question);
    let subjects = subjects(question);
    let speaks = |unit: &Unit| -> Vec<bool> {
        let words: HashSet<String> = content_words(&unit.text).collect();
        subjects.iter().map(|subject| words.contains(subject)).collect()
    };
    let score = |scored: &Scored| {
        let told = [scored.unit.text.as_str(), &scored.unit.heading];
        let held: HashSet<String> =
            told.into_iter().flat_map(content_words).filter(|word| words.contains(word)).collect();
        #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
        let overlap = if words.is_empty() { 0.0 } else { held.len() as f32 / words.len() as f32 };
        let typed = if kind.is_in(&scored.unit.text) { TYPED } else { 0.0 };
        let form = if scored.unit.steps {
            STEPS
        } else if scored.unit.row {
            ROW
        } else {
            0.0
        };
        let named = speaks(&scored.unit).into_iter().filter(|of| *of).count();
        #[expect(clippy::cast_precision_loss, reason = "a few words")]
        let named = NAMED * named as f32 / subjects.len().max(1) as f32;
        0.6 * scored.cosine + 0.2 * overlap + 0.2 * scored.passage_score + typed + named - form
    };
    let mut ranked: Vec<(f32, &Scored)> =
        candidates.iter().map(|scored| (score(scored), scored)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some(&(best, _)) = ranked.first() else { return Vec::new() };
    let mut chosen: Vec<(f32, &Unit)> = Vec::new();
    // Drop units that don't mention the product named in the best one.
    let first = ranked.first().map(|(_, scored)| speaks(&scored.unit)).unwrap_or_default();
    let about = |unit: &Unit| first.iter().zip(speaks(unit)).all(|(first, own)| own || !first);
    let mut length = 0;
    let mut seen: HashSet<String> = HashSet::new();
    for (score, scored) in ranked {
        let unit = &scored.unit;
        let chars = unit.text.chars().count();
        // What comes close to the best unit belongs to the answer; steps stand alone.
        let near = score >= best - 0.1
            && chosen.len() < 3
            && !chosen.iter().any(|(_, unit)| unit.steps)
            && !unit.steps;
        let told = || says_again(unit, chosen.iter().map(|(_, unit)| *unit));
        if (chosen.is_empty() || (near && length + chars <= FACT_CHARS && about(unit) && !told()))
            && seen.insert(unit.text.to_lowercase())
        {
            length += chars;
            chosen.push((score, unit));
        }
    }
    let chosen_units: Vec<&Unit> = chosen.iter().map(|(_, unit)| *unit).collect();
    if let Some(list) = list_of(candidates, &chosen_units) {
        return list;
    }
    let rank = |passage: usize| chosen.iter().position(|(_, unit)| unit.passage == passage);
    let mut units: Vec<Unit> = chosen.iter().map(|(_, unit)| (*unit).clone()).collect();
    units.sort_by_key(|unit| (rank(unit.passage), unit.range.start));
    units
}

/// The whole list with the line that leads it in, where it is the list that answers: two or more of
/// its items do, or its lead does. Half of what is accepted or excluded is no answer.
pub(super) fn list_of(candidates: &[Scored], chosen: &[&Unit]) -> Option<Vec<Unit>> {
    let unit = |at: usize| candidates.get(at).map(|scored| &scored.unit);
    let first = *chosen.first()?;
    let at = candidates.iter().position(|scored| scored.unit == *first)?;
    let leads = |lead: &Unit, next: &Unit| {
        Kind::of(lead) == Kind::Lead
            && (lead.passage, &lead.heading) == (next.passage, &next.heading)
    };
    let start = if first.item {
        (0..at)
            .rev()
            .take_while(|&before| unit(before).is_some_and(|unit| in_one_list(unit, first)))
            .last()
            .unwrap_or(at)
    } else {
        at + 1
    };
    let opening = unit(start)?;
    let is_list = first.item || leads(first, opening) && (opening.item || opening.steps);
    if !is_list {
        return None;
    }
    let items = candidates.get(start..)?.iter().map(|scored| &scored.unit);
    let list: Vec<&Unit> = if opening.steps {
        vec![opening]
    } else {
        items.take_while(|unit| in_one_list(unit, opening)).collect()
    };
    let lead = start.checked_sub(1).and_then(unit).filter(|lead| leads(lead, opening));
    // A word alone says nothing without the line above its list, and what is denied there sounds
    // granted.
    let bare = lead.is_some_and(|lead| {
        first.item && (content_words(&first.text).nth(1).is_none() || denies(&lead.text))
    });
    let answers = bare
        || lead.is_some_and(|lead| lead == first)
        || chosen.iter().filter(|unit| list.contains(unit)).count() > 1;
    let chars: usize = list.iter().map(|unit| unit.text.chars().count()).sum();
    let fits = opening.steps || list.len() <= MAX_ITEMS && chars <= LIST_CHARS;
    let denied = || lead.filter(|lead| first.item && denies(&lead.text));
    match answers && fits {
        true => Some(lead.into_iter().chain(list).cloned().collect()),
        // Of a long list what answers, still under the line that denies it.
        false => denied().filter(|_| answers).map(|lead| {
            let told = list.into_iter().filter(|unit| chosen.contains(unit));
            [lead].into_iter().chain(told).cloned().collect()
        }),
    }
}

/// Has a unit say the heading that it stands under where that denies what the unit alone seems to
/// grant: "Where not to park: On the bridge, at the gate."
pub fn say_denial(chosen: &mut [Unit]) {
    let mut said: Option<(usize, String)> = None;
    for unit in chosen.iter_mut() {
        let section = (unit.passage, unit.heading.clone());
        let again = said.as_ref() == Some(&section);
        if again || unit.steps || !denies(&unit.heading) || denies(&unit.text) {
            continue;
        }
        // A question is answered by what stands below it, whatever it denies.
        if unit.heading.ends_with(['?', '？']) || !(unit.item || is_phrase(&unit.text)) {
            continue;
        }
        let closes = unit.heading.ends_with(['.', '!', ':', '。', '！', '：']);
        let colon = if unit.heading.contains(crate::language::is_unspaced) { "：" } else { ": " };
        let gap = if closes { " " } else { colon };
        unit.text = format!("{}{gap}{}", unit.heading, unit.text);
        said = Some(section);
    }
}

/// Whether a line denies what an item of the list below it says.
#[must_use]
pub fn denies_below(lead: &Unit, item: &Unit) -> bool {
    Kind::of(lead) == Kind::Lead
        && (lead.passage, &lead.heading) == (item.passage, &item.heading)
        && lead.range.end <= item.range.start
        && denies(&lead.text)
}

/// Whether a text begins as a phrase does that its heading completes: with a preposition.
fn is_phrase(text: &str) -> bool {
    words(&text.to_lowercase()).next().is_some_and(|first| has(&LISTS.phrase, first))
}

/// Most items of a list that is quoted whole as an answer to a question for a fact, and its length
/// in Unicode scalar values.
const MAX_ITEMS: usize = 12;
const LIST_CHARS: usize = 900;

/// Words of a question that name something: capitalised behind the first one, or with a digit.
fn subjects(question: &str) -> Vec<String> {
    let words = words(question);
    let names = |(at, word): (usize, &str)| {
        let capital = at > 0
            && word.chars().next().is_some_and(char::is_uppercase)
            && word.chars().count() > 1;
        (capital || word.bytes().any(|b| b.is_ascii_digit()))
            .then(|| content_words(word).collect::<Vec<_>>())
    };
    words.enumerate().filter_map(names).flatten().collect()
}

/// Whether a unit says nothing that others don't: a table's row after the sentence with its
/// numbers, a sentence in other words.
pub(super) fn says_again<'a>(unit: &Unit, others: impl Iterator<Item = &'a Unit>) -> bool {
    let (mut words, mut facts): (HashSet<String>, HashSet<String>) =
        (HashSet::new(), HashSet::new());
    for other in others {
        words.extend(content_words(&other.text).chain(content_words(&other.heading)));
        facts.extend(facts_of(&other.text));
    }
    let own: HashSet<String> = content_words(&unit.text).collect();
    let said = own.intersection(&words).count();
    let numbers = facts_of(&unit.text);
    if numbers.is_empty() {
        said * 5 >= own.len() * 4
    } else {
        numbers.is_subset(&facts) && said * 2 >= own.len()
    }
}

/// Whether a question asks for a price, a duration or a number.
#[must_use]
pub fn asks_for_a_kind(question: &str) -> bool {
    AnswerType::of(question) != AnswerType::Any
}

/// Whether one of the texts holds the kind of thing that is asked for: a price, a duration, a
/// number. True where none is asked for.
#[must_use]
pub fn holds_what_is_asked<'a>(question: &str, texts: impl IntoIterator<Item = &'a str>) -> bool {
    let kind = AnswerType::of(question);
    kind == AnswerType::Any || texts.into_iter().any(|text| kind.is_in(text))
}

/// Whether a unit holds what is asked for, or its heading does. A heading's number counts with its
/// unit alone: the "Tarn 2" weighs no 2.
pub(super) fn holds_under_heading(question: &str, unit: &Unit) -> bool {
    holds_what_is_asked(question, [unit.text.as_str()])
        || is_in_heading(AnswerType::of(question), &unit.heading)
}

fn is_in_heading(kind: AnswerType, heading: &str) -> bool {
    let measured =
        || quantities(&in_digits(heading)).iter().any(|quantity| !quantity.unit.is_empty());
    kind.is_in(heading)
        && !heading.ends_with(['?', '？'])
        && (kind != AnswerType::Number || measured())
}

/// Has the first unit say its heading, too, where that holds the figure that is asked for and none
/// of the units does: "Breakfast: 16 EUR a person" says more than what stands below it.
pub fn say_heading(question: &str, chosen: &mut [Unit]) {
    if holds_what_is_asked(question, chosen.iter().map(|unit| unit.text.as_str())) {
        return;
    }
    let kind = AnswerType::of(question);
    if let Some(first) = chosen
        .first_mut()
        .filter(|unit| is_in_heading(kind, &unit.heading) && !unit.steps && !unit.row)
    {
        let closes = first.heading.ends_with(['.', '!', ':', '。', '！', '：']);
        let gap = if closes { " " } else { ". " };
        first.text = format!("{}{gap}{}", first.heading, first.text);
    }
}

/// What a unit gains that holds the kind of thing that is asked for. Nearness in meaning alone
/// finds a tent's description as good an answer to "How much is it?" as its price.
const TYPED: f32 = 0.12;
/// What numbered steps and a table's row lose as answers to a question for a fact: the same said in
/// a sentence reads better.
const STEPS: f32 = 0.2;
const ROW: f32 = 0.05;
/// What a unit gains that speaks of everything that the question names.
const NAMED: f32 = 0.1;

/// What an answer has to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnswerType {
    Price,
    Duration,
    Number,
    Any,
}

impl AnswerType {
    fn of(question: &str) -> Self {
        let lower = question.to_lowercase();
        if stands_in(&LISTS.price, &lower) && !lower.contains("weigh") {
            Self::Price
        } else if stands_in(&LISTS.duration, &lower) {
            Self::Duration
        } else if stands_in(&LISTS.number, &lower) {
            Self::Number
        } else {
            Self::Any
        }
    }

    fn is_in(self, text: &str) -> bool {
        const SYMBOLS: &[char] = &['€', '$', '£', '¥', '元'];
        const CODES: &[&str] = &["eur", "usd", "gbp", "chf", "cny"];
        let has_number = text.contains(|c: char| c.is_ascii_digit());
        match self {
            Self::Price => {
                let coded = || {
                    let mut words = words(text);
                    words.any(|word| CODES.iter().any(|code| word.eq_ignore_ascii_case(code)))
                };
                has_number && (text.contains(SYMBOLS) || coded())
            }
            Self::Duration => has_number && stands_in(&LISTS.times, text),
            Self::Number => has_number,
            Self::Any => false,
        }
    }
}

/// Whether a text gives an amount, in figures or in words: "free of charge", "two weeks", "at
/// once".
pub(super) fn says_how_much(text: &str) -> bool {
    let text = in_digits(text).to_lowercase();
    text.contains(|c: char| c.is_ascii_digit())
        || has_word(&text, &LISTS.amounts)
        || stands_in(&LISTS.given, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::units;

    fn scored(text: &str, cosine: f32) -> Vec<Scored> {
        let units = units(0, text).into_iter().enumerate();
        units
            .map(|(at, unit)| Scored { unit, cosine, passage_score: 1.0, opens: at == 0 })
            .collect()
    }

    #[test]
    fn problems_are_told_apart_from_questions() {
        for (text, expected) in [
            ("my lamp is dead, I charged it all night and nothing happens", true),
            ("My stove leaks!! What can I do?", true),
            ("My stove leaks. Is it covered by the warranty?", false),
            ("What does a stove cost?", false),
            ("tents", false),
        ] {
            assert_eq!(tells_a_problem(text), expected, "{text}");
        }
    }

    #[test]
    fn questions_ask_for_a_fact_or_an_explanation() {
        #[track_caller]
        fn check(question: &str, expected: Shape) {
            assert_eq!(shape(question), expected, "{question}");
        }
        check("What does shipping to Germany cost?", Shape::Fact);
        check("How much is the Tarn 3 tent?", Shape::Fact);
        check("Can I return a used tent?", Shape::Fact);
        check("I broke a pole. Is that covered?", Shape::Fact);
        check("How do I pitch the tent?", Shape::Explanation);
        check("I need help with my order", Shape::Explanation);
        check("Can you explain how to wash it?", Shape::Explanation);
        check("退货政策是什么？", Shape::Fact);
        check("Warranty on backpacks?", Shape::Fact);
        check("And how heavy is it?", Shape::Fact);
        check("Corrie 45: which colours?", Shape::Fact);
        check("I lost my gift card", Shape::Explanation);
        check("Tell me about the Hush", Shape::Explanation);
        check("如何清洗帐篷？", Shape::Explanation);
    }

    #[test]
    fn a_price_is_answered_with_a_price() {
        let mut candidates =
            scored("The Tarn 3 is a tent for three.\n\nThe Tarn 3 costs 429 EUR.", 0.6);
        candidates[0].cosine = 0.7;
        let first = |question: &str| facts(question, &candidates)[0].text.clone();
        assert!(
            facts("How much is the Tarn 3?", &candidates)
                .iter()
                .any(|unit| unit.text.contains("429"))
        );
        assert!(first("What is the Tarn 3?").contains("for three"));
        for (question, expected) in [
            ("How much is it?", AnswerType::Price),
            ("How much does it weigh?", AnswerType::Number),
            ("这个帐篷多少钱？", AnswerType::Price),
            ("How many days do I have?", AnswerType::Duration),
            ("充满电要多久？", AnswerType::Duration),
            ("Can I return it?", AnswerType::Any),
        ] {
            assert_eq!(AnswerType::of(question), expected, "{question}");
        }
    }

    #[test]
    fn a_heading_with_the_figure_is_said() {
        #[track_caller]
        fn check(question: &str, text: &str, expected: &str) {
            let mut chosen = units(0, text);
            say_heading(question, &mut chosen);
            assert_eq!(chosen.first().map(|unit| unit.text.as_str()), Some(expected), "{question}");
        }
        let breakfast = "## Breakfast: 16 EUR a person\n\nFrom 7 to ten.\n";
        check("What does breakfast cost?", breakfast, "Breakfast: 16 EUR a person. From 7 to ten.");
        check("When is breakfast?", breakfast, "From 7 to ten.");
        check("How heavy is the Tarn 2?", "## Tarn 2\n\nIt is light.\n", "It is light.");
        check("How deep is it?", "## Depth = 75 mm\n\nMeasure it.\n", "Depth = 75 mm. Measure it.");
        check("How deep is it?", "## Depth = 75 mm\n\nIt is 80 mm.\n", "It is 80 mm.");
        let prices =
            "## Prices of 2026 in EUR\n\n| Blend | Price |\n| --- | --- |\n| Hearth | 60.00 |\n";
        check("What does the Hearth cost?", prices, "Hearth: Price: 60.00");
    }

    #[test]
    fn steps_come_whole_and_in_order() {
        let text = "Returns are easy and free for a while. To return an item:\nOpen your account page. Select the order. \
                    Click Return. Print the label. Our shop was founded long ago by two friends who like hills.";
        let mut candidates = scored(text, 0.1);
        for (at, cosine) in [(1, 0.8), (2, 0.5), (3, 0.6)] {
            candidates[at].cosine = cosine;
        }
        let chosen: Vec<String> = quote("How do I return an item?", &candidates)
            .into_iter()
            .map(|unit| unit.text)
            .collect();
        let steps = [
            "To return an item:",
            "Open your account page.",
            "Select the order.",
            "Click Return.",
            "Print the label.",
        ];
        let at = chosen.iter().position(|text| text == steps[0]).unwrap();
        assert_eq!(chosen[at..at + steps.len()], steps, "{chosen:?}");
    }

    #[test]
    fn a_yes_answers_its_own_question_alone() {
        let text = "### Can I take the Spark on a plane?\n\nYes. It stays under 100 Wh.\n\n### Is it waterproof?\n\nNo, it only keeps out a shower.";
        let candidates = scored(text, 0.5);
        #[track_caller]
        fn check(candidates: &[Scored], question: &str, expected: &[&str]) {
            let kept = with_own_verdicts(question, candidates);
            assert_eq!(
                kept.iter().map(|scored| scored.unit.text.as_str()).collect::<Vec<_>>(),
                expected,
                "{question}"
            );
        }
        let apart = ["It stays under 100 Wh.", "It only keeps out a shower."];
        check(&candidates, "Can I take the gas on a plane?", &apart);
        check(&candidates, "How do I take the Spark on a plane?", &apart);
        let yes = ["Yes. It stays under 100 Wh.", "It only keeps out a shower."];
        check(&candidates, "May I take the Spark on a plane?", &yes);
        check(
            &candidates,
            "Is it waterproof?",
            &["It stays under 100 Wh.", "No, it only keeps out a shower."],
        );
    }

    #[test]
    fn a_list_comes_whole_where_it_is_the_list_that_answers() {
        let text = "We take these methods of payment:\n\n- Visa\n- PayPal\n- Bank transfer\n\nOrders ship within a day.\n\n### What cannot be returned?\n\n\
                    - Used filters cannot be returned.\n- Gift cards cannot be returned.\n- Open cartridges cannot be returned.\n";
        let told = |question: &str, near: &[(&str, f32)]| {
            let mut candidates = scored(text, 0.1);
            for candidate in &mut candidates {
                let found = near.iter().find(|(part, _)| candidate.unit.text.contains(part));
                candidate.cosine = found.map_or(0.1, |(_, cosine)| *cosine);
            }
            compose(String::new(), &facts(question, &candidates))
        };
        assert_eq!(
            told("Which methods of payment do you take?", &[("methods", 0.8)]),
            "We take these methods of payment:\n- Visa\n- PayPal\n- Bank transfer"
        );
        let excluded = "- Used filters cannot be returned.\n- Gift cards cannot be returned.\n- Open cartridges cannot be returned.";
        assert_eq!(told("What can't I return?", &[("Used", 0.6), ("Gift", 0.58)]), excluded);
        // One item alone is what was asked for, and a sentence that says more than the list does is
        // no part of it.
        assert_eq!(
            told("Can I return a gift card?", &[("Gift", 0.8)]),
            "Gift cards cannot be returned."
        );
        let beside =
            told("When do orders ship?", &[("Orders", 0.8), ("Used", 0.75), ("Gift", 0.75)]);
        assert!(
            beside.contains("Orders ship within a day.") && !beside.contains("cartridges"),
            "{beside}"
        );
    }

    #[test]
    fn what_is_denied_above_is_denied_in_the_answer() {
        let of_list = |text: &str, told: &[&str]| {
            let candidates = scored(text, 0.5);
            let all: Vec<&Unit> = candidates.iter().map(|scored| &scored.unit).collect();
            let chosen: Vec<&Unit> =
                all.into_iter().filter(|unit| told.iter().any(|t| unit.text.contains(t))).collect();
            list_of(&candidates, &chosen).map(|list| compose(String::new(), &list))
        };
        let text = "Boats must not be moored:\n\n- under the old bridge\n- at the ferry steps\n";
        assert_eq!(
            of_list(text, &["bridge"]).as_deref(),
            Some("Boats must not be moored:\n- under the old bridge\n- at the ferry steps")
        );
        let granted = text.replace("must not", "may");
        assert_eq!(of_list(&granted, &["bridge"]), None);
        let long: String = (0..MAX_ITEMS).map(|at| format!("- in front of house {at}\n")).collect();
        assert_eq!(
            of_list(&format!("{text}{long}"), &["bridge"]).as_deref(),
            Some("Boats must not be moored:\n- under the old bridge")
        );

        let under = |text: &str| -> Vec<String> {
            let mut chosen = units(0, text);
            say_denial(&mut chosen);
            chosen.into_iter().map(|unit| unit.text).collect()
        };
        let heading = "## Where not to moor\n\n";
        assert_eq!(
            under(&format!("{heading}Under the bridge. At the ferry steps.\n")),
            ["Where not to moor: Under the bridge.", "At the ferry steps."]
        );
        for text in ["Never under the bridge.", "The bridge is low."] {
            assert_eq!(under(&format!("{heading}{text}\n")), [text]);
        }
        assert_eq!(under("## Where to moor\n\nUnder the bridge.\n"), ["Under the bridge."]);
        assert_eq!(under("## May I not moor?\n\nBy the bridge.\n"), ["By the bridge."]);
    }

    #[test]
    fn sentences_of_unspaced_scripts_follow_without_a_space() {
        let units = units(0, "可在 60 天内退货。退货免费。");
        assert_eq!(compose(String::new(), &units), "可在 60 天内退货。退货免费。");
    }

    #[test]
    fn nothing_is_said_twice() {
        let text = "The Tarn costs 349 EUR and weighs 1,900 g.\n\n| Tent | Price | Weight |\n| --- | --- | --- |\n\
                    | Tarn | 349 EUR | 1,900 g |\n| Corrie | 109 EUR | 980 g |\n";
        let chosen = |question: &str| -> Vec<String> {
            facts(question, &scored(text, 0.6)).into_iter().map(|unit| unit.text).collect()
        };
        assert_eq!(
            chosen("What does the Tarn cost?"),
            ["The Tarn costs 349 EUR and weighs 1,900 g."]
        );
        assert_eq!(chosen("What does the Corrie cost?"), ["Corrie: Price: 109 EUR, Weight: 980 g"]);
    }

    #[test]
    fn the_section_whose_heading_says_it_is_quoted() {
        let text = "We pack with care.\n\n### My parcel has not arrived\n\n1. Check the address.\n2. Ask the neighbours.\n3. Write to us.\n\n\
                    ### My parcel is damaged\n\nReport it within 5 days with photos of the box and the item.";
        let chosen = quote("The parcel arrived damaged, what now?", &scored(text, 0.6));
        assert_eq!(
            chosen.iter().map(|unit| unit.heading.as_str()).collect::<Vec<_>>(),
            ["My parcel is damaged"]
        );
        // Where two are needed, the second says what it is for.
        let lists =
            units(0, "### Washing\n\n1. Close the zips.\n\n### Drying\n\n1. Lift the bag.\n");
        assert_eq!(
            compose(String::new(), &lists),
            "1. Close the zips.\n\nDrying:\n1. Lift the bag."
        );
    }

    #[test]
    fn the_section_whose_heading_is_judged_best_explains() {
        let text = "### Errors on the way\n\n1. Get the table browser.\n2. Unzip the copy.\n3. Run each file.\n\n\
                    ### Bringing a copy back\n\n1. Close the book.\n2. Choose the copy.\n";
        let candidates = scored(text, 0.6);
        let section =
            |heading: &str, logit: f32| Section { passage: 0, heading: heading.into(), logit };
        let headings = |sections: &[Section]| -> Vec<String> {
            let chosen = explain("How do I restore a copy?", &candidates, &[], sections);
            chosen.into_iter().map(|unit| unit.heading).collect()
        };
        for (errors, back, expected) in
            [(1.6, 4.3, "Bringing a copy back"), (4.3, 1.6, "Errors on the way")]
        {
            let sections =
                [section("Errors on the way", errors), section("Bringing a copy back", back)];
            assert_eq!(headings(&sections), [expected]);
        }
    }

    #[test]
    fn what_tells_what_to_do_instructs() {
        let told = |text: &str| instruct(&units(0, text));
        assert!(told("1. Open the lid.\n2. Close it.\n"));
        assert!(told("Click Settings. Select your site."));
        assert!(!told("Click Settings. Your site stands there."));
        assert!(!told(""));
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(quote("How do I return an item?", &[]), []);
        assert_eq!(quote("What is it?", &[]), []);
    }
}
