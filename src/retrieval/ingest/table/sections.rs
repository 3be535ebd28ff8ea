//! Headings and sums among the rows of a table.

use super::cells::{self, Class, Looks};
use super::{Line, Section, width};
use crate::retrieval::columns::{self, Word};

/// Rows that tell what a column holds.
const SAMPLED: usize = 60;

/// Whether a row sums up those above it: its first text says so, and nothing beside it says more
/// than figures do.
pub(super) fn is_total(row: &Line) -> bool {
    let mut filled = row.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
    let says = |cell: &str| columns::says(Word::Total, cell.trim_end_matches([':', '：', ' ']));
    let figures = [Class::Amount, Class::Number, Class::Flag, Class::Percent, Class::Measure];
    filled.next().is_some_and(says) && filled.all(|cell| figures.contains(&cells::class(cell)))
}

/// Written in capitals, where a script has them.
pub(super) fn is_capitals(text: &str) -> bool {
    let mut words = text
        .split_whitespace()
        .filter(|word| word.chars().filter(|char| char.is_alphabetic()).count() > 1);
    words.next().is_some_and(|word| {
        word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
    })
}

/// Columns whose cells mostly are codes or figures, where the rows hold more than one cell.
pub(super) fn coded(rows: &[Line]) -> Vec<usize> {
    let codes = [Class::Code, Class::Number, Class::Flag, Class::Amount];
    let full = || rows.iter().filter(|row| row.filled() > 1).take(SAMPLED);
    let of = |at: usize| Looks::of(full().filter_map(|row| row.cells.get(at)).map(String::as_str));
    (0..width(rows)).filter(|at| of(*at).mostly(&codes, 80)).collect()
}

/// The headings that a row stands under: a section, and the one that it is a part of.
#[derive(Default)]
pub(super) struct Headings {
    upper: Option<String>,
    section: Option<Section>,
    /// No row stands below the section yet.
    fresh: bool,
}

impl Headings {
    pub(super) fn open(&mut self, name: String, marked: bool) {
        let known = self.section.take().map(|section| section.name);
        self.upper = match (known, self.upper.take()) {
            // A heading right below another is a part of it.
            (Some(known), _) if self.fresh => Some(known),
            // Another part, by its letters; else nobody knows what it belongs to.
            (Some(known), Some(upper)) if is_capitals(&known) == is_capitals(&name) => {
                (is_capitals(&upper) != is_capitals(&name)).then_some(upper)
            }
            _ => None,
        };
        self.section = Some(Section { name, marked });
        self.fresh = true;
    }

    pub(super) fn over_row(&mut self) -> Option<Section> {
        self.fresh = false;
        let section = self.section.as_ref()?;
        let name = match &self.upper {
            Some(upper) => format!("{upper} – {}", section.name),
            None => section.name.clone(),
        };
        Some(Section { name, marked: section.marked })
    }
}
