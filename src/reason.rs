//! What can be concluded from sentences of the knowledge and a visitor's question: sums, conditions
//! compared, yes or no, places. Pure.
//!
//! A sentence such as "free from 120 EUR" leaves the comparison to the visitor. [`lead`] makes it,
//! where question and sentence surely speak of the same: the same kind of amount, in units that
//! convert, about one topic and one thing, and no other sentence at hand says otherwise. In every
//! other case there is no lead, and the sentence is quoted alone. A wrong "yes" is worse than none:
//! what depends on more than the compared amount is said as a comparison, never as a yes.

pub mod abilities;
pub mod cues;
pub mod holidays;
pub mod places;
pub mod quantity;

mod computed;
mod condition;
mod hours;
mod phrasing;
mod polarity;
mod stated;

use std::collections::HashSet;

use crate::language::meanings;
use crate::wording::{Figures, Wording};
pub use hours::tells_hours;
use quantity::{Amount, amounts};
pub use stated::{Stated, stated};

/// A sentence or row of the knowledge.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub text: &'a str,
    /// The title and headings that it stands under.
    pub about: &'a str,
    /// ISO 639-1.
    pub language: &'a str,
}

/// A message of a visitor.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub text: &'a str,
    /// ISO 639-1; the lead is in it.
    pub language: &'a str,
    /// The shop's name: in a sentence it stands for the one who speaks.
    pub shop: &'a str,
    pub wording: &'a Wording,
}

/// What stands before the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub text: String,
    pub verdict: Verdict,
    /// Which of the chosen sentences it was concluded from: they have to be quoted, or cited at
    /// least.
    pub inputs: Vec<usize>,
    /// Figures that stand in no sentence, with those that they were computed from.
    pub figures: Vec<Figure>,
}

/// What a lead concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    No,
    /// A figure that was asked for.
    Figure,
    /// How the visitor's amount stands to the sentence's.
    Comparison,
}

/// A computed figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// As the lead writes it: `10 EUR`.
    pub shown: String,
    /// What it was computed from, as the question and the sentence write it.
    pub inputs: Vec<String>,
}

/// What can be concluded from the chosen sentences, best first, for the question. `beside` are the
/// other sentences of their passages: one that says something else of the same kind makes the
/// chosen one doubtful. `None` where nothing can be concluded for sure.
#[must_use]
pub fn lead(question: &Question<'_>, chosen: &[Said<'_>], beside: &[Said<'_>]) -> Option<Lead> {
    if !phrasing::LANGUAGES.contains(&question.language) {
        return None;
    }
    let applying = of_the_place(question, chosen, beside);
    let all: Vec<usize> = (0..chosen.len()).collect();
    condition::tariff(question, chosen, &applying)
        .or_else(|| computed::share(question, chosen, &applying))
        .or_else(|| computed::rate(question, chosen, &applying))
        .or_else(|| condition::age(question, chosen, &applying, beside))
        .or_else(|| condition::period(question, chosen, &applying, beside))
        .or_else(|| condition::order_value(question, chosen, &applying))
        .or_else(|| condition::spending(question, chosen, &applying))
        .or_else(|| condition::limit(question, chosen, &applying, beside))
        .or_else(|| hours::on_the_day(question, chosen, &applying))
        .or_else(|| hours::by_the_hour(question, chosen, &applying))
        .or_else(|| polarity::place(question, chosen, &all))
        .or_else(|| polarity::predicate(question, chosen, &applying))
}

/// Whether a message tells a number or a time of day: a case that rules are compared with.
#[must_use]
pub fn tells_a_case(text: &str, language: &str) -> bool {
    !quantity::numbers(text, language).is_empty() || hours::tells_a_time(text)
}

/// A yes or no without a word more, in a language; `None` where the lead says more than that.
#[must_use]
pub fn plain(lead: &Lead, language: &str, wording: &Wording) -> Option<String> {
    let yes = match lead.verdict {
        Verdict::Yes => true,
        Verdict::No => false,
        Verdict::Figure | Verdict::Comparison => return None,
    };
    (lead.text == yes_or_no(yes, "en", wording)).then(|| yes_or_no(yes, language, wording))
}

/// A yes or no as a sentence.
#[must_use]
pub fn yes_or_no(yes: bool, language: &str, wording: &Wording) -> String {
    phrasing::sentence(&phrasing::Say::Bare, Some(yes), language, wording)
}

/// The chosen sentences that apply to the place that the question names, by all that are at hand:
/// "other EU countries" doesn't mean Ireland where Ireland has a row of its own. All where the
/// question names no place; none where it names several.
fn of_the_place(question: &Question<'_>, chosen: &[Said<'_>], beside: &[Said<'_>]) -> Vec<usize> {
    // A list of the countries that are served tells no figure: it sets no zone's figure aside.
    let has_figure = |said: &&Said<'_>| !amounts(said.text, said.language).is_empty();
    let figures = chosen.iter().any(|said| has_figure(&said));
    let others = beside.iter().filter(|said| !figures || has_figure(said));
    let texts: Vec<&str> = chosen.iter().chain(others).map(|said| said.text).collect();
    let fitting = match places::applying(question.text, &texts) {
        Some(fitting) => fitting,
        None if places::places(question.text).len() > 1
            && places::destination(question.text).is_none() =>
        {
            Vec::new()
        }
        None => (0..chosen.len()).collect(),
    };
    fitting.into_iter().filter(|at| *at < chosen.len()).collect()
}

impl Question<'_> {
    /// How figures are said in the visitor's language.
    fn figures(&self) -> &Figures {
        self.wording.figures(self.language)
    }

    /// The sentence in the visitor's language, behind a yes or no where there is one.
    fn say(&self, say: &phrasing::Say, verdict: Option<bool>) -> String {
        phrasing::sentence(say, verdict, self.language, self.wording)
    }
}

impl Lead {
    fn new(text: String, verdict: Verdict, input: usize) -> Self {
        Self { text, verdict, inputs: vec![input], figures: Vec::new() }
    }
}

/// Words that carry meaning, without those that say what is counted and how.
fn subject(text: &str) -> HashSet<String> {
    let numberless =
        |word: &String| !word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    meanings(text).filter(numberless).collect()
}

/// The same for a text without the amounts in it.
fn subject_without(text: &str, amounts: &[Amount]) -> HashSet<String> {
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    for amount in amounts {
        rest.push_str(text.get(at..amount.at.start).unwrap_or_default());
        rest.push(' ');
        at = amount.at.end.max(at);
    }
    rest.push_str(text.get(at..).unwrap_or_default());
    subject(&rest)
}

#[cfg(test)]
mod tests;
