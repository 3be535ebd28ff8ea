//! What a message means in its conversation: its spelling mended, and with what it leaves to what
//! was said before it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Ask, Judgement, RECENT, Spine, foreign};
use crate::grounding::Unit;
use crate::grounding::alike::{About, Names};
use crate::grounding::followup::{
    InFull, Said, Sold, asks_by_itself, in_full, leans_on_what_was_said, leaves_its_subject,
    named_by_part, without_opening,
};
use crate::grounding::series::Series;
use crate::language::content_words;
use crate::language::shorthand::written_out;
use crate::language::synonyms::in_known_words;
use crate::reason::{holidays, places};
use crate::retrieval::{Query, RetrievalError};

/// Longest question that is read with a name of the message before it, both together in bytes: a
/// story brings its subject with it.
const MAX_NAMED: usize = 400;

/// "What does delivery to Germany cost?" and then "and to Norway?": the question before, asked of
/// another place.
fn moved(before: &str, question: &str) -> Option<String> {
    // "What about Cork?" asks for a place though nothing before its name says so.
    let to = places::destination(question).or_else(|| {
        let bare = without_opening(question)?;
        places::destination(&format!("in {bare}"))
    })?;
    let from = places::destination(before)?;
    let named: HashSet<String> = content_words(&to.name).collect();
    let only = content_words(question).all(|word| named.contains(&word));
    if !only || before.len() > MAX_MOVED {
        return None;
    }
    let mut text = before.to_owned();
    text.replace_range(from.at, &to.name);
    Some(text)
}

/// A longer message tells a story of one place.
const MAX_MOVED: usize = 200;

impl Ask {
    /// What may be meant: the question without its spelling mistakes, as it stands and with what it
    /// leaves to the conversation; and whether that is certain.
    pub(super) fn readings<'a>(&'a self, spine: &Spine) -> (Vec<Cow<'a, Self>>, bool) {
        let meaning = |question: String| Cow::Owned(Self { question, ..self.clone() });
        let corrected = self.mended(spine);
        let question = corrected.as_deref().unwrap_or(&self.question);
        // The way to a deed is found by the deed: order numbers and addresses lead elsewhere.
        if let Some(deed) = self.request.filter(|_| self.spoken().unwrap_or(&self.language) == "en")
        {
            return (vec![meaning(deed.way().to_owned())], true);
        }
        let own = |corrected: Option<String>| corrected.map_or(Cow::Borrowed(self), meaning);
        match self.meant(spine, question) {
            Some(full) if full.certain => (vec![meaning(full.text)], true),
            // What leaves out what "it" is answers something else, however sure of it.
            Some(full) if leaves_its_subject(question) => (vec![meaning(full.text)], false),
            Some(full) => (vec![own(corrected), meaning(full.text)], false),
            None => (vec![own(corrected)], false),
        }
    }

    /// The question of another thing or another place, where that is all that the message says, as
    /// a question that needs nothing of the conversation: everything that answers is asked that.
    pub(super) fn resolved(&self, spine: &Spine) -> Cow<'_, Self> {
        let corrected = self.mended(spine);
        let question = corrected.as_deref().unwrap_or(&self.question);
        match self.meant(spine, question).filter(|full| full.whole && self.request.is_none()) {
            Some(full) => Cow::Owned(Self { question: full.text, ..self.clone() }),
            None => Cow::Borrowed(self),
        }
    }

    /// A question with what it leaves to the conversation.
    fn meant(&self, spine: &Spine, question: &str) -> Option<InFull> {
        let recent =
            self.history.get(self.history.len().saturating_sub(RECENT)..).unwrap_or_default();
        let before: Vec<Said<'_>> = recent
            .iter()
            .map(|line| Said { by_visitor: line.by_visitor, text: &line.text })
            .collect();
        let last = before.iter().rev().find(|line| line.by_visitor)?;
        if let Some(text) = moved(last.text, question) {
            return Some(InFull { text, certain: true, whole: true });
        }
        let products = spine.catalogue.products(&self.site);
        let sold: Vec<Sold<'_>> = products
            .iter()
            .map(|listed| Sold {
                name: &listed.product.name,
                variant: listed.product.variant.as_deref(),
            })
            .collect();
        let gloss = foreign::gloss(spine, self);
        in_full(question, gloss.as_ref().map(|gloss| gloss.text.as_str()), &before, &sold)
    }

    /// The question with the name of what was just spoken of, where it names nothing itself: "Do I
    /// pay for taking money out?" after a question about the Moor Savings Account; or the question
    /// before with another name, where it says no more than that: "And Reed?". `None` where a
    /// reading has the name already.
    ///
    /// # Errors
    /// When the embedder or the index fails.
    pub(super) async fn with_name_before(
        &self,
        spine: &Spine,
        sold: &[&str],
        readings: &[Cow<'_, Self>],
    ) -> Result<Option<Self>, RetrievalError> {
        let own = named_by_part(&self.question, sold.iter().copied());
        let before = own.as_deref().unwrap_or_else(|| self.around());
        let long = before.len() + self.question.len() > MAX_NAMED;
        if self.request.is_some() || before.is_empty() || long {
            return Ok(None);
        }
        let text = format!("{before} {}", self.question);
        let query = Query { text, history: Vec::new(), ..self.query(spine) };
        let hits = spine.retrieval.search(&query).await?;
        let series = Series::of(hits.iter().map(|hit| hit.passage.document.as_str()));
        let swapped = without_opening(&self.question).and_then(|rest| series.swapped(before, rest));
        if let Some(question) = swapped {
            return Ok(Some(Self { question, ..self.clone() }));
        }
        let titles = hits.iter().map(|hit| hit.passage.title.as_str());
        let names = Names::of(sold.iter().copied(), titles);
        // Behind "it" stands more than a name, and the words before it are read with it.
        let pointing = leaves_its_subject(&self.question);
        let has_one = names.names(&self.question)
            || pointing && readings.iter().any(|reading| names.names(&reading.question));
        // Of two things, either may be meant.
        let only = |name: &&str| names.spoken(&before.replace(*name, " ")).is_none();
        let name = names.spoken(before).filter(only).map(str::to_owned);
        let name = name.or_else(|| named_by_part(before, sold.iter().copied()));
        let named = |name| Self { question: format!("{name}: {}", self.question), ..self.clone() };
        Ok(name.filter(|_| !has_one).map(named))
    }

    /// What a question that names nothing may speak of: what was asked beside it, else before it.
    fn around(&self) -> &str {
        let before = || self.just_before().last().copied().unwrap_or_default();
        if self.beside.is_empty() { before() } else { &self.beside }
    }

    /// Whether the visitor was just told what a judgement leads with.
    pub(super) fn was_told(&self, judgement: &Judgement) -> bool {
        let lead = judgement.candidates.get(judgement.choice.lead);
        let last = self.history.iter().rev().find(|line| !line.by_visitor);
        last.zip(lead).is_some_and(|(last, lead)| last.text.contains(&lead.scored.unit.text))
    }

    /// The message without what was put before it from the conversation, where it asks something of
    /// its own.
    pub(super) fn own_words(&self, reading: &str) -> Option<&str> {
        let own = without_opening(&self.question).unwrap_or(&self.question);
        let behind = reading.len() > self.question.len() && reading.ends_with(own);
        (behind && asks_by_itself(&self.question)).then_some(own)
    }

    /// Takes out the sentences that the visitor was just told, where others answer beside them.
    pub(super) fn leave_out_told(&self, chosen: &mut Vec<Unit>) {
        let Some(last) = self.history.iter().rev().find(|line| !line.by_visitor) else { return };
        let told = |unit: &Unit| {
            !unit.row && !unit.item && !unit.steps && last.text.contains(unit.text.as_str())
        };
        if !chosen.iter().all(told) {
            chosen.retain(|unit| !told(unit));
        }
    }

    /// The message with its shorthand written out, its spelling mended and its words those of the
    /// knowledge, where anything is to be changed.
    pub(super) fn mended(&self, spine: &Spine) -> Option<String> {
        let language = self.spoken().unwrap_or(&self.language);
        let spelling = &spine.retrieval.spelling;
        if language != "en" {
            return spelling
                .corrected(&self.site, &self.question, language)
                .map(|meant| meant.text);
        }
        let mut text = written_out(&self.question);
        if let Cow::Owned(said) = in_known_words(&text, |word| spelling.is_known(&self.site, word))
        {
            text = Cow::Owned(said);
        }
        if let Some(meant) = spelling.corrected(&self.site, &text, language) {
            text = Cow::Owned(meant.text);
        }
        if let Some(explained) = holidays::explained(&text) {
            text = Cow::Owned(explained);
        }
        matches!(text, Cow::Owned(_)).then(|| text.into_owned())
    }

    /// What the message is about: what it names itself, else what was named just before it.
    pub(super) fn about(&self, reading: &str, names: &Names, sold: &[&str]) -> About {
        if names.names(&self.question) {
            return About { text: self.question.clone(), nothing_else: false };
        }
        let before = self.around();
        let leans = !before.is_empty() && leans_on_what_was_said(&self.question);
        // A reading that puts another name in place of the one before speaks of that alone.
        if reading != self.question && names.names(reading) {
            return About { text: reading.to_owned(), nothing_else: leans };
        }
        let around = format!("{reading}\n{before}");
        let part = named_by_part(&around, sold.iter().copied()).unwrap_or_default();
        About { text: format!("{around}\n{part}").trim_end().to_owned(), nothing_else: leans }
    }
}
