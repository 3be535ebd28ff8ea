//! Pieces of the knowledge with how well they answer.

use crate::grounding::units::Unit;

/// A unit with how well it answers.
#[derive(Clone, Debug)]
pub struct Scored {
    pub unit: Unit,
    /// Cosine between the question and the unit.
    pub cosine: f32,
    /// Score of its passage relative to the best passage, 0…1.
    pub passage_score: f32,
    /// First unit of its document.
    pub opens: bool,
}

/// A piece of the knowledge with what the cross-encoder says of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub scored: Scored,
    /// How well it answers under its title and headings, as a logit; 0 is about even.
    pub logit: f32,
    /// The document that it stands in.
    pub document: String,
    /// It names the place, or the zone of the place, that the question names.
    pub placed: bool,
}

/// A section of a passage, with how well its heading alone answers, as a logit.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    pub passage: usize,
    /// The heading within the passage; empty above the first one.
    pub heading: String,
    pub logit: f32,
}

impl Section {
    #[must_use]
    pub fn holds(&self, unit: &Unit) -> bool {
        self.passage == unit.passage && self.heading == unit.heading
    }
}

/// The logit of a piece that wasn't judged: it is never the best, and completes a list or leads
/// steps in.
pub const UNJUDGED: f32 = -30.0;
