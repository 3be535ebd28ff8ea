//! Questions in a language that the first embedder and the cross-encoder don't read: what answers
//! them is chosen across languages, by the multilingual embedder and by what the cross-encoder says
//! of the question's words in English.

use super::judge::{Topic, by_own_words, of_holiday, of_place, put_first};
use super::lead::{CONCLUDED, conclude};
use super::words::LISTS;
use super::{Ask, Spine, case, told};
use crate::grounding::choose::{self, Choice};
use crate::grounding::confidence::LACKS_KIND;
use crate::grounding::judged::{Judged, UNJUDGED};
use crate::grounding::{self, Scored, Shape, Unit, shape, units};
use crate::language;
use crate::language::gloss::{self, Gloss};
use crate::language::lists::stands_in;
use crate::prompt::{Elsewhere, SiteFacts};
use crate::reason::{
    Lead, Question, Said, Stated, Verdict, holidays, places, plain, stated, yes_or_no,
};
use crate::retrieval::{Hit, Query, RetrievalError};
use crate::wording::Wording;

/// Passages whose pieces are looked at, and their pieces.
const PASSAGES: usize = 10;
const PIECES: usize = 56;
/// Pieces that the cross-encoder judges, the nearest by the embedder.
const JUDGED: usize = 20;
/// Longest piece that is compared, in Unicode scalar values: what follows tells little more.
const MAX_CHARS: usize = 300;
/// Pieces of an answer, and their length in Unicode scalar values beside steps.
const ANSWER_PIECES: usize = 2;
const ANSWER_CHARS: usize = 260;
/// How a piece's nearness is made up: of the piece under its headings, of its text alone, and of
/// its headings alone. Of 63 questions in six languages on the sample shop, the two best pieces of
/// the best section hold the answer to 49. Measured outside the product, with the passages' prefix
/// and pieces cut almost as here; not yet within it.
const UNDER_HEADINGS: f32 = 0.5;
const ALONE: f32 = 0.25;
const HEADINGS: f32 = 0.25;
/// What a figure or name of the question that stands in a piece counts, as nearness.
const SAME_NAME: f32 = 0.02;
/// How near to the best the second piece of its section must come.
const BESIDE: f32 = 0.03;
/// Cosines of the multilingual model lie that much closer together than those of the first one.
const SPREAD: f32 = 10.0;
/// Share of a question's words that must be known in English for the cross-encoder to be asked.
const KNOWN: f32 = 0.5;
/// A longer message is no question to be said word for word, and its words would take seconds to
/// look up.
const MAX_GLOSSED: usize = 400;
/// The share of known words from which a question is known as a whole.
pub(super) const ALL_KNOWN: f32 = 0.999;
/// Logistic regression on those 63 questions and 13 without an answer, which count three times: how
/// far the best piece stands above the best of another document, and above the mean. Cosines of
/// this model lie close together and have no zero that means something, so only differences within
/// one search count. The offset is the fitted one, -2.58, moved so that even odds are the default
/// of `answers.min_confidence`, .62: 49 of the 63 are answered there, and 4 of the 13.
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
    /// The question in English, and the piece that answers best; without it the embedder chose
    /// alone.
    english: Option<English>,
}

/// A question as it is judged.
#[derive(Clone, Debug)]
struct English {
    /// The question in English, word for word.
    gloss: String,
    /// The share of its words that are known in English.
    known: f32,
    /// The piece that answers best.
    best: Unit,
}

impl Foreign {
    /// The question in English where it is known, else as it stands.
    pub(super) fn asked<'a>(&'a self, question: &'a str) -> &'a str {
        self.english.as_ref().map_or(question, |english| &english.gloss)
    }

    /// What is said in place of a quote in another language: the figures that it concludes or
    /// states. `chosen` keeps the pieces that they stand in. `None` where the answer is no figure,
    /// or its source is in the visitor's language.
    pub(super) fn stated(
        &self,
        spine: &Spine,
        ask: &Ask,
        language: &str,
        hits: &[Hit],
        concluded: Option<&Lead>,
        chosen: &mut Vec<Unit>,
    ) -> Option<anyhow::Result<String>> {
        let English { gloss, best, .. } = self.english.as_ref()?;
        let source = chosen
            .first()
            .and_then(|unit| hits.get(unit.passage))
            .map(|hit| hit.passage.language.as_str())?;
        if source == language || source == "und" {
            return None;
        }
        if let Some(unit) = chosen.iter().find(|unit| unit.steps) {
            let passage = &hits.get(unit.passage)?.passage;
            let steps: Vec<&str> =
                unit.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let first = steps
                .first()?
                .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | ' '));
            let url = passage.url.as_deref().unwrap_or_default();
            let elsewhere =
                Elsewhere { title: &passage.title, url, count: steps.len(), first, source };
            return Some(spine.prompts.elsewhere(&elsewhere, language));
        }
        if let Some(lead) =
            concluded.filter(|lead| matches!(lead.verdict, Verdict::Figure | Verdict::Comparison))
        {
            let figures = lead.text.trim_end_matches(['.', '。']);
            return Some(spine.prompts.stated(figures, "", source, language));
        }
        if concluded.is_some() {
            return None;
        }
        let wording = spine.prompts.wording();
        let question = Question { text: &ask.question, language, shop: &ask.facts.name, wording };
        let told = |unit: &Unit| {
            let hit = hits.get(unit.passage)?;
            let text = told(hit, unit, &ask.question, source, wording);
            stated(&question, gloss, &Said { text: &text, about: "", language: source })
        };
        let mut all: Vec<(usize, Stated)> =
            chosen.iter().enumerate().filter_map(|(at, unit)| Some((at, told(unit)?))).collect();
        all.sort_by_key(|(at, _)| chosen.get(*at) != Some(best));
        // Figures beside the best piece's are of something else.
        if all.first().is_none_or(|(at, _)| chosen.get(*at) != Some(best)) {
            return None;
        }
        all.dedup_by(|a, b| a.1 == b.1);
        let (first, rest) = all.split_first()?;
        let mut figures = first.1.figures.clone();
        let mut subject = first.1.subject.clone();
        let mut kept = vec![first.0];
        let mut told = vec![first.1.figures.as_str()];
        for (at, other) in rest
            .iter()
            .filter(|(_, other)| !other.subject.is_empty() && !first.1.subject.is_empty())
        {
            if told.contains(&other.figures.as_str()) {
                continue;
            }
            told.push(&other.figures);
            figures = format!("{figures} ({subject}); {}", other.figures);
            subject.clone_from(&other.subject);
            kept.push(*at);
        }
        let mut at = 0;
        chosen.retain(|_| {
            at += 1;
            kept.contains(&(at - 1))
        });
        Some(spine.prompts.stated(&capitalised(&figures), &subject, source, language))
    }

    /// A plain yes or no that English sentences give to the question in English; one that opens a
    /// sentence leaves it.
    pub(super) fn verdict(
        &self,
        language: &str,
        site: &SiteFacts,
        hits: &[Hit],
        chosen: &mut Vec<Unit>,
        wording: &Wording,
    ) -> Option<String> {
        let English { gloss, known, .. } = self.english.as_ref()?;
        // A word that isn't known, or that denies, may turn the question round.
        let turned = || language::has_word(&gloss.to_lowercase(), &LISTS.turned);
        if *known < ALL_KNOWN || turned() {
            return None;
        }
        if !chosen
            .iter()
            .all(|unit| hits.get(unit.passage).is_some_and(|hit| hit.passage.language == "en"))
        {
            return None;
        }
        if let [unit] = chosen.as_mut_slice()
            && let Some(yes) = without_verdict(unit)
        {
            return Some(yes_or_no(yes, language, wording));
        }
        let lead = conclude(gloss, "en", site, hits, &mut chosen.clone(), wording)?;
        plain(&lead, language, wording)
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

/// Takes the "Yes." or "No." off the beginning of an answer in English, and tells which it was.
fn without_verdict(unit: &mut Unit) -> Option<bool> {
    let (head, rest) = unit.text.split_once(". ")?;
    let yes = match head.to_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    unit.text = rest.trim_start().to_owned();
    Some(yes)
}

/// What a question says in English, word for word. `None` for English, for a language whose words
/// aren't known, and where too few of them are.
pub(super) fn gloss(spine: &Spine, ask: &Ask) -> Option<Gloss> {
    if ask.question.chars().nth(MAX_GLOSSED).is_some() {
        return None;
    }
    let language = ask.spoken().unwrap_or(&ask.language);
    let explained = holidays::in_english(&ask.question);
    let (text, mut names) = places::in_english(explained.as_deref().unwrap_or(&ask.question));
    names.extend(explained.iter().flat_map(|_| ["public", "holiday"].map(str::to_owned)));
    let is_name = |word: &str| {
        names.iter().any(|name| name == word) || spine.retrieval.spelling.is_word(&ask.site, word)
    };
    gloss::gloss(&text, language, is_name).filter(|gloss| gloss.known >= KNOWN)
}

/// For a question in English to knowledge in other languages alone: finds by the multilingual
/// model, and gives the question as it stands. `None` where there is English to answer from, or no
/// such model.
///
/// # Errors
/// When the embedder or the index fails.
pub(super) async fn from_english(
    spine: &Spine,
    ask: &Ask,
    hits: &mut Vec<Hit>,
) -> Result<Option<Gloss>, RetrievalError> {
    let english = |hit: &Hit| matches!(hit.passage.language.as_str(), "en" | "und");
    let Some(source) =
        hits.first().filter(|_| !hits.iter().any(english)).map(|hit| hit.passage.language.clone())
    else {
        return Ok(None);
    };
    if ask.spoken().unwrap_or(&ask.language) != "en" || spine.retrieval.multilingual.is_none() {
        return Ok(None);
    }
    *hits = spine.retrieval.search(&Query { language: source, ..ask.query(spine) }).await?;
    Ok(Some(Gloss { text: ask.question.clone(), known: 1.0 }))
}

/// Adds what the first embedder and the words find for the question in English.
///
/// # Errors
/// When the embedder or the index fails.
pub(super) async fn widen(
    spine: &Spine,
    ask: &Ask,
    gloss: &Gloss,
    hits: &mut Vec<Hit>,
) -> Result<(), RetrievalError> {
    let query = Query {
        text: gloss.text.clone(),
        history: Vec::new(),
        language: "en".into(),
        ..ask.query(spine)
    };
    let best = hits.first().map_or(1.0, |hit| hit.score);
    let found = spine.retrieval.search(&query).await?;
    let mut merged: Vec<Hit> = Vec::with_capacity(hits.len() + found.len());
    let known = |merged: &[Hit], hit: &Hit| {
        merged.iter().any(|other| {
            (&other.passage.document, other.passage.ordinal)
                == (&hit.passage.document, hit.passage.ordinal)
        })
    };
    let mut own = std::mem::take(hits).into_iter();
    let mut other = found.into_iter();
    // By turns, as neither search's scores compare with the other's.
    loop {
        let next = [own.next(), other.next()];
        if next.iter().all(Option::is_none) {
            break;
        }
        for mut hit in next.into_iter().flatten() {
            if !known(&merged, &hit) {
                #[expect(clippy::cast_precision_loss, reason = "some dozens of passages")]
                let rank = merged.len() as f32;
                hit.score = best / (1.0 + BY_RANK * rank);
                hit.cosine = None;
                merged.push(hit);
            }
        }
    }
    *hits = merged;
    Ok(())
}

/// How much a passage's score falls with each rank.
const BY_RANK: f32 = 0.05;

/// Chooses what answers among the best passages. `None` where the search didn't go by the
/// multilingual model.
///
/// # Errors
/// When the embedder or the cross-encoder fails.
pub(super) async fn choose(
    spine: &Spine,
    ask: &Ask,
    topic: Topic<'_>,
    gloss: Option<&Gloss>,
    hits: &mut [Hit],
) -> Result<Option<Foreign>, RetrievalError> {
    let Some(model) = &spine.retrieval.multilingual else { return Ok(None) };
    if hits.iter().all(|hit| hit.multilingual.is_none()) {
        return Ok(None);
    }
    // A German can do something with an English source of an English shop, and little with a
    // Chinese one.
    let visitor = ask.spoken().unwrap_or(&ask.language);
    let third = |hit: &Hit| {
        ![visitor, ask.language.as_str(), "und"].contains(&hit.passage.language.as_str())
    };
    let only_third = hits.iter().all(third);
    let judged = gloss.is_some() && spine.reranker.is_some();
    let mut pieces: Vec<Unit> = hits
        .iter()
        .enumerate()
        .filter(|(_, hit)| only_third || !third(hit))
        .take(PASSAGES)
        .flat_map(|(at, hit)| grounding::for_visitors(units(at, &hit.passage.text)))
        // "Yes." and "No." say nothing without their question.
        .filter(|unit| {
            judged || unit.text.chars().count() > 6 || unit.text.contains(language::is_unspaced)
        })
        .collect();
    pieces.retain(|unit| !topic.is_beside(unit, hits));
    // A question answers nothing.
    pieces.retain(|unit| !unit.text.trim_end().ends_with(['?', '？']));
    pieces.truncate(PIECES);
    let headings: Vec<String> = pieces.iter().map(|unit| headings(unit, hits)).collect();
    let cut = |text: &str| text.chars().take(MAX_CHARS).collect::<String>();
    let mut texts = vec![ask.question.clone()];
    for (unit, headings) in pieces.iter().zip(&headings) {
        let under = cut(&format!("{headings}: {}", unit.text));
        // Where the cross-encoder decides, a third of the work tells as much.
        let (alone, above) = if judged {
            (under.clone(), under.clone())
        } else {
            (cut(&unit.text), headings.clone())
        };
        texts.extend([under, alone, above]);
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
    let asked = named(&ask.question);
    let scores: Vec<f32> = (0..pieces.len())
        .map(|at| {
            let first = 1 + 3 * at;
            let held = named(texts.get(first).map_or("", String::as_str));
            #[expect(clippy::cast_precision_loss, reason = "a handful of names")]
            let same = asked.iter().filter(|name| held.contains(name)).count() as f32;
            UNDER_HEADINGS * near(texts.get(first))
                + ALONE * near(texts.get(first + 1))
                + HEADINGS * near(texts.get(first + 2))
                + SAME_NAME * same
        })
        .collect();
    let document = |unit: &Unit| hits.get(unit.passage).map(|hit| hit.passage.document.as_str());
    let by_embedder = pick(&pieces, &headings, &scores, document);
    let (Some(gloss), Some(_)) = (gloss, &spine.reranker) else { return Ok(by_embedder) };
    let mut candidates = judge(spine, ask, gloss, topic, hits, pieces, &scores).await?;
    if let Some(place) =
        places::destination(&topic.about.text).or_else(|| places::destination(&ask.question))
    {
        of_place(&gloss.text, &place, &mut candidates);
    }
    of_holiday(&ask.question, &mut candidates);
    let Some(mut choice) = choose::choose(&gloss.text, &candidates) else { return Ok(by_embedder) };
    case::exclude(&[&gloss.text], &mut choice, &candidates);
    let own = case::Asked {
        texts: &[&ask.question, &gloss.text],
        language: visitor,
        site: &ask.facts,
        wording: spine.prompts.wording(),
    };
    let decided = case::decide(&own, &mut choice, &candidates, hits);
    put_first(hits, &mut candidates, &mut choice);
    if !decided {
        with_steps(&gloss.text, &mut choice, &candidates);
    }
    let Some(best) = candidates.get(choice.lead).map(|lead| lead.scored.unit.clone()) else {
        return Ok(by_embedder);
    };
    if hits.first().is_some_and(|hit| hit.passage.language != visitor) {
        shorten(&mut choice.units, &best);
    }
    let by_nearness = by_embedder.as_ref().map_or(0.0, |found| found.confidence);
    let mut confidence = confidence(&choice, by_nearness, gloss.known);
    // A conclusion needs question and sentence to agree in more than a model can tell.
    let (chosen, wording) = (&mut choice.units.clone(), spine.prompts.wording());
    if decided || conclude(&ask.question, visitor, &ask.facts, hits, chosen, wording).is_some() {
        confidence = confidence.max(CONCLUDED);
    }
    let Choice { logit, margin, .. } = choice;
    tracing::debug!(
        gloss.text,
        gloss.known,
        logit,
        margin,
        by_nearness,
        confidence,
        "judged across languages"
    );
    Ok(Some(Foreign {
        units: choice.units,
        confidence,
        english: Some(English { gloss: gloss.text.clone(), known: gloss.known, best }),
    }))
}

/// Who reads a quote in a foreign language is quoted no more than what answers: steps, the row that
/// fits or several that are short, one sentence.
fn shorten(units: &mut Vec<Unit>, best: &Unit) {
    let chars: usize = units.iter().map(|unit| unit.text.chars().count()).sum();
    let rows = units.iter().all(|unit| unit.row) || chars <= FOREIGN_CHARS;
    if units.iter().any(|unit| unit.steps) {
        units.retain(|unit| unit.steps);
    } else if !rows {
        // What is denied above a list stays denied.
        units.retain(|unit| unit == best || best.item && grounding::denies_below(unit, best));
    }
}

/// Longest quote of several pieces in a foreign language, in Unicode scalar values.
const FOREIGN_CHARS: usize = 140;

/// Who tells of a problem wants the steps against it: those of the section of the sentence that is
/// chosen, else of its document.
fn with_steps(gloss: &str, choice: &mut Choice, candidates: &[Judged]) {
    let lower = gloss.to_lowercase();
    let problem = language::has_word(&lower, &LISTS.problems);
    // "The zip broke, is that covered?" asks something else than what to do.
    let asks = lower.trim_end().ends_with('?') && !stands_in(&LISTS.helped, &lower);
    if asks
        || !problem
        || shape(gloss) != Shape::Explanation
        || choice.units.iter().any(|unit| unit.steps)
    {
        return;
    }
    let Some(lead) = candidates.get(choice.lead) else { return };
    let section = |other: &Judged| {
        (other.scored.unit.passage, &other.scored.unit.heading)
            == (lead.scored.unit.passage, &lead.scored.unit.heading)
    };
    let steps = candidates.iter().filter(|other| {
        other.scored.unit.steps
            && other.document == lead.document
            && other.logit >= lead.logit - STEPS
    });
    let fits = |steps: &Judged| steps.logit + NEAR * steps.scored.cosine;
    let best =
        steps.max_by(|a, b| section(a).cmp(&section(b)).then_with(|| fits(a).total_cmp(&fits(b))));
    if let Some(steps) = best {
        choice.units = vec![steps.scored.unit.clone()];
    }
}

/// What nearness counts beside a logit, as for other pieces.
const NEAR: f32 = 5.0;
/// How much worse steps may be judged than the sentence that is chosen, in logits: the
/// cross-encoder sees their beginning alone.
const STEPS: f32 = 7.0;

/// What the cross-encoder says of the pieces, in English.
async fn judge(
    spine: &Spine,
    ask: &Ask,
    gloss: &Gloss,
    topic: Topic<'_>,
    hits: &[Hit],
    pieces: Vec<Unit>,
    scores: &[f32],
) -> Result<Vec<Judged>, RetrievalError> {
    let best = hits.iter().map(|hit| hit.score).fold(f32::MIN_POSITIVE, f32::max);
    let scored: Vec<Scored> = pieces
        .into_iter()
        .zip(scores)
        .map(|(unit, near)| {
            let hit = hits.get(unit.passage);
            let opens = unit.range.start == 0 && hit.is_some_and(|hit| hit.passage.ordinal == 0);
            let passage_score = hit.map_or(0.0, |hit| hit.score) / best;
            // A piece is understood under its headings.
            let heading = hit
                .and_then(|hit| hit.passage.headings.last().or(Some(&hit.passage.title)))
                .cloned();
            let heading = if unit.heading.is_empty() {
                heading.unwrap_or_default()
            } else {
                unit.heading.clone()
            };
            Scored { unit: Unit { heading, ..unit }, cosine: SPREAD * near, passage_score, opens }
        })
        .collect();
    // Whose number it is stands in no heading for all of a series; headings of others of the series
    // are gone by now.
    let asked: Vec<&str> = gloss
        .text
        .split(' ')
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let own = ask.spoken().unwrap_or(&ask.language);
    let asked = asked.join(" ");
    let language_of = |scored: &Scored| {
        hits.get(scored.unit.passage).map_or("", |hit| hit.passage.language.as_str())
    };
    let mut candidates: Vec<Judged> = scored
        .chunk_by(|a, b| a.unit.passage == b.unit.passage)
        .flat_map(|scored| {
            let foreign = scored.first().is_some_and(|scored| language_of(scored) != own);
            grounding::with_own_verdicts(if foreign { &asked } else { &ask.question }, scored)
        })
        .map(|scored| {
            let document = hits
                .get(scored.unit.passage)
                .map_or_else(String::new, |hit| hit.passage.document.clone());
            Judged { scored, logit: UNJUDGED, document, placed: false }
        })
        .collect();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let near =
        |at: &usize| candidates.get(*at).map_or(f32::MIN, |candidate| candidate.scored.cosine);
    order.sort_by(|a, b| near(b).total_cmp(&near(a)));
    order.truncate(JUDGED);
    let texts: Vec<String> = order
        .iter()
        .filter_map(|at| candidates.get(*at))
        .map(|candidate| {
            let unit = &candidate.scored.unit;
            let text = topic.judged_text(unit, hits);
            let language =
                hits.get(unit.passage).map_or("und", |hit| hit.passage.language.as_str());
            let is_name = |word: &str| spine.retrieval.spelling.is_word(&ask.site, word);
            let english = gloss::gloss(&text, language, is_name).map_or(text, |gloss| gloss.text);
            english.chars().take(MAX_CHARS).collect()
        })
        .collect();
    let Some(judge) = &spine.reranker else { return Ok(candidates) };
    let mut logits = judge.score(&gloss.text, &texts).await?;
    if let Some(own) = topic.own {
        let alone = judge.score(own, &texts).await?;
        by_own_words(&mut logits, &alone);
    }
    for ((at, logit), text) in order.into_iter().zip(logits).zip(&texts) {
        if let Some(candidate) = candidates.get_mut(at) {
            candidate.logit = logit - if is_special(&gloss.text, text) { SPECIAL } else { 0.0 };
        }
    }
    // What is judged by two glosses is judged less well than by one.
    let is_own =
        |candidate: &Judged| candidate.logit > UNJUDGED && language_of(&candidate.scored) == own;
    let best = candidates
        .iter()
        .filter(|candidate| is_own(candidate))
        .map(|candidate| candidate.logit)
        .fold(f32::MIN, f32::max);
    for candidate in candidates.iter_mut().filter(|candidate| is_own(candidate)) {
        candidate.logit = best - GLOSSED * (best - candidate.logit);
    }
    Ok(candidates)
}

/// Whether a text is about a special service that nobody asked for: who asks what delivery costs
/// means the usual one.
fn is_special(gloss: &str, text: &str) -> bool {
    let (asked, told) = (gloss.to_lowercase(), text.to_lowercase());
    stands_in(&LISTS.services, &told) && !stands_in(&LISTS.services, &asked)
}

/// What the differences between logits count where the texts are glosses, too.
const GLOSSED: f32 = 0.5;
/// What such a text loses, in logits.
const SPECIAL: f32 = 2.0;

/// Probability that the choice answers the question rightly, 0…1, by its logit, its margin over the
/// best piece of another document, the embedder's own confidence in the nearest piece, and the
/// share of the question's words that are known in English.
///
/// Set by hand over 57 questions in German, French, Spanish and Chinese to the sample shop and a
/// bank; the constant over 101 questions to nine small businesses in seven languages, so that at
/// the default of `answers.min_confidence`, .62, ten of their 14 without an answer are declined,
/// and three of the 70 rightly answered. Expect less elsewhere.
fn confidence(choice: &Choice, by_nearness: f32, known: f32) -> f32 {
    let near = by_nearness.clamp(0.01, 0.99);
    let lacks = if choice.lacks_kind { LACKS_KIND } else { 0.0 };
    let logit = -2.0 - lacks
        + 0.2 * choice.logit
        + 0.2 * choice.margin
        + 0.5 * (near / (1.0 - near)).ln()
        + known;
    1.0 / (1.0 + (-logit).exp())
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
        let long = chosen.iter().chain([unit]).map(|unit| unit.text.chars().count()).sum::<usize>()
            > ANSWER_CHARS;
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
    let other = order
        .iter()
        .find(|at| pieces.get(**at).is_some_and(|unit| document(unit) != document(best)));
    let other = other.map_or(mean, |at| score(*at));
    let logit = ABOVE_OTHER * (score(first) - other) + ABOVE_MEAN * (score(first) - mean) + OFFSET;
    Some(Foreign { units: chosen, confidence: 1.0 / (1.0 + (-logit).exp()), english: None })
}

/// The title and the headings that a piece stands under, each once.
fn headings(unit: &Unit, hits: &[Hit]) -> String {
    let Some(passage) = hits.get(unit.passage).map(|hit| &hit.passage) else {
        return unit.heading.clone();
    };
    let mut headings: Vec<&str> = Vec::new();
    for heading in std::iter::once(&passage.title).chain(&passage.headings).chain([&unit.heading]) {
        if !heading.is_empty() && !headings.contains(&heading.as_str()) {
            headings.push(heading);
        }
    }
    headings.join(" › ")
}

/// What is the same in every language: figures, and words of a question that are written like
/// names.
fn named(text: &str) -> Vec<String> {
    let words = language::words(text)
        .flat_map(|word| word.split(language::is_unspaced))
        .filter(|word| !word.is_empty());
    let like_names =
        words.filter(|word| word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()));
    let mut named: Vec<String> = like_names.map(str::to_lowercase).collect();
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

    fn judged(text: &str, logits: &[f32]) -> Vec<Judged> {
        let units = units(0, text).into_iter().zip(logits);
        units
            .map(|(unit, logit)| Judged {
                scored: Scored { unit, cosine: 0.5, passage_score: 1.0, opens: false },
                logit: *logit,
                document: "a".into(),
                placed: false,
            })
            .collect()
    }

    #[test]
    fn a_problem_is_answered_by_its_steps_and_a_question_by_its_sentence() {
        let candidates = judged(
            "The kettle has a filter.\n\n1. Empty the kettle.\n2. Rinse it.\n",
            &[3.0, -1.0],
        );
        let chosen = |gloss: &str| {
            let mut choice = choose::choose(gloss, &candidates).unwrap();
            with_steps(gloss, &mut choice, &candidates);
            choice.units.iter().any(|unit| unit.steps)
        };
        assert!(chosen("my kettle filter does not work"));
        assert!(!chosen("what filter kettle have?"));
    }

    #[test]
    fn foreign_quotes_are_short() {
        let text = "The first sentence tells of one thing in a good many words of its own, and of some more. \
                    The second sentence tells of another thing, and it does so in more words than the first.";
        let mut all = units(0, text);
        let best = all[1].clone();
        shorten(&mut all, &best);
        assert_eq!(all, [best]);
        let mut short = units(0, "It is red. It is light.");
        let best = short[0].clone();
        shorten(&mut short, &best);
        assert_eq!(short.len(), 2);
    }

    #[test]
    fn a_verdict_is_told_apart_from_its_reason() {
        let mut unit = units(0, "No. The kettle needs a socket.").pop().unwrap();
        unit.text = "No. The kettle needs a socket.".into();
        assert_eq!(without_verdict(&mut unit), Some(false));
        assert_eq!(unit.text, "The kettle needs a socket.");
        assert_eq!(without_verdict(&mut unit), None);
    }

    #[test]
    fn special_services_are_told_by_those_who_ask_for_them() {
        assert!(is_special("how much does cost delivery", "Express delivery costs 20 EUR."));
        assert!(!is_special(
            "how much does cost express delivery",
            "Express delivery costs 20 EUR."
        ));
        assert!(!is_special("how much does cost delivery", "Delivery costs 5 EUR."));
    }

    #[test]
    fn what_stands_out_is_surer() {
        let pieces =
            [units(0, "One thing is told here."), units(1, "Another thing is told there.")]
                .concat();
        let under = vec!["A".to_owned(), "B".to_owned()];
        let sure = |scores: &[f32]| {
            let document = |unit: &Unit| Some(if unit.passage == 0 { "a" } else { "b" });
            pick(&pieces, &under, scores, document).unwrap().confidence
        };
        assert!(sure(&[0.88, 0.83]) > sure(&[0.85, 0.845]));
    }

    #[test]
    fn figures_and_names_are_the_same_in_every_language() {
        assert_eq!(named("Wie viel wiegt das Tarn 2?"), ["2", "tarn", "wie"]);
        assert_eq!(named("Tarn 2 帐篷有多重？"), ["2", "tarn"]);
    }
}
