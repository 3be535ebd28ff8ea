//! What a cell of a table looks like, whatever its column is called.

use crate::retrieval::columns::{self, Word};
use crate::retrieval::money;

/// The look of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Empty,
    /// An amount of a currency, or a number with two decimals.
    Amount,
    Number,
    Percent,
    Date,
    /// `true`, `no`, `0`, `1`.
    Flag,
    Address,
    File,
    /// A number with a unit: `30 g`, `60 Monate`.
    Measure,
    /// Letters and digits without a gap, structured data, long runs.
    Code,
    /// Ends with a question mark.
    Question,
    /// A sentence or more.
    Prose,
    Text,
}

impl Class {
    /// Whether a column's name never looks like this.
    pub(super) fn is_data(self) -> bool {
        !matches!(self, Self::Empty | Self::Text | Self::Code)
    }
}

/// Longer texts are no labels.
pub(super) const MAX_LABEL: usize = 70;
/// From here on a text is prose.
const PROSE: usize = 90;

/// What a cell looks like.
pub(super) fn class(cell: &str) -> Class {
    let cell = cell.trim();
    let Some(first) = cell.chars().next() else { return Class::Empty };
    if cell.len() > 4 * PROSE || cell.chars().count() > PROSE {
        return if cell.contains(char::is_whitespace) || !cell.is_ascii() {
            Class::Prose
        } else {
            long_run(cell)
        };
    }
    if cell.starts_with("http://") || cell.starts_with("https://") || cell.starts_with("www.") {
        return Class::Address;
    }
    if is_file(cell) {
        return Class::File;
    }
    if cell.ends_with(['?', '？']) && cell.contains(char::is_alphabetic) {
        return Class::Question;
    }
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let letters = cell.chars().filter(|char| char.is_alphabetic()).count();
    if digits > 0 {
        if let Some(class) = figure(cell, letters).or_else(|| figure_from(cell)) {
            return class;
        }
    } else if matches!(
        cell.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "y" | "n" | "wahr" | "falsch" | "vrai" | "faux"
    ) {
        return Class::Flag;
    }
    if first == '{'
        || first == '[' && cell.ends_with(']')
        || cell.starts_with("a:") && cell.contains("{i:")
    {
        return Class::Code;
    }
    if !cell.contains(char::is_whitespace) && cell.is_ascii() {
        if digits > 0 && letters > 0 {
            return Class::Code;
        }
        if cell.len() > 40 {
            return Class::Code;
        }
    }
    let ends = cell.ends_with(['.', '!', '。', '！']) && cell.chars().count() > 40;
    if ends { Class::Prose } else { Class::Text }
}

fn long_run(cell: &str) -> Class {
    if cell.starts_with("http") { Class::Address } else { Class::Code }
}

fn figure(cell: &str, letters: usize) -> Option<Class> {
    if cell == "0" || cell == "1" || cell == "-1" {
        return Some(Class::Flag);
    }
    if money::is_amount(cell) {
        return Some(Class::Amount);
    }
    let only =
        |allowed: &str| cell.chars().all(|char| char.is_ascii_digit() || allowed.contains(char));
    if only("-+., \u{A0}") {
        let dots = cell.matches('.').count() + cell.matches('-').count();
        let date = cell.len() >= 8 && dots == 2 && !cell.starts_with('-');
        return Some(if date { Class::Date } else { Class::Number });
    }
    if cell.ends_with('%') {
        return Some(Class::Percent);
    }
    if only("/-.: TZ+") && cell.len() >= 6 {
        return Some(Class::Date);
    }
    let (number, unit) =
        cell.split_at(cell.find(|char: char| char.is_alphabetic()).unwrap_or(cell.len()));
    let numeric =
        number.chars().all(|char| char.is_ascii_digit() || " .,x×-–/\u{A0}".contains(char));
    let one_word = !unit.trim().contains(' ') && unit.chars().count() <= 10;
    if numeric
        && number.bytes().any(|byte| byte.is_ascii_digit())
        && letters > 0
        && one_word
        && unit.is_ascii()
    {
        // "5XL", "2in1" have no gap and no unit.
        let known = columns::says(Word::Unit, unit);
        if known || number.ends_with([' ', '\u{A0}']) {
            return Some(Class::Measure);
        }
    }
    None
}

/// "from £48", "ab 12 €": where prices begin.
fn figure_from(cell: &str) -> Option<Class> {
    let (first, rest) = cell.split_once(' ')?;
    let begins = columns::is_from(first);
    money::money(rest, None)
        .filter(|money| begins && money.currency.is_some())
        .map(|_| Class::Amount)
}

fn is_file(cell: &str) -> bool {
    const ENDINGS: [&str; 9] =
        [".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".pdf", ".mp4", ".avif"];
    let first = cell.split([',', '|', ';']).next().unwrap_or(cell).trim().to_ascii_lowercase();
    !first.contains(' ') && ENDINGS.iter().any(|ending| first.ends_with(ending))
}

/// Whether a cell could be the name of a column.
pub(super) fn is_label(cell: &str) -> bool {
    let cell = cell.trim();
    let class = class(cell);
    let question = class == Class::Question && cell.chars().count() <= 40;
    // "Active (0/1)", "Image URLs (x,y,z...)" are labels, too.
    // "No" is a number's short name, too.
    let word = class == Class::Flag && columns::meaning(cell).is_some();
    (!class.is_data() || question || word)
        && cell.chars().count() <= MAX_LABEL
        && cell.chars().any(char::is_alphabetic)
}

/// How often each look comes in a column.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    pub(super) filled: usize,
    counts: Vec<(Class, usize)>,
    pub(super) distinct: usize,
    /// "Yes" and "no", which say something where 0 and 1 don't.
    pub(super) spoken: usize,
    /// Characters of a filled cell, on average.
    pub(super) length: usize,
}

impl Looks {
    pub(super) fn of<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let mut looks = Self::default();
        let mut seen = std::collections::HashSet::new();
        let mut length = 0;
        for cell in cells {
            let class = class(cell);
            if class == Class::Empty {
                continue;
            }
            looks.filled += 1;
            let spoken = ["yes", "no"].iter().any(|word| cell.trim().eq_ignore_ascii_case(word));
            looks.spoken += usize::from(spoken);
            length += cell.chars().count();
            seen.insert(cell.trim());
            match looks.counts.iter_mut().find(|(known, _)| *known == class) {
                Some((_, count)) => *count += 1,
                None => looks.counts.push((class, 1)),
            }
        }
        looks.distinct = seen.len();
        looks.length = length.checked_div(looks.filled).unwrap_or_default();
        looks
    }

    pub(super) fn count(&self, classes: &[Class]) -> usize {
        self.counts
            .iter()
            .filter(|(class, _)| classes.contains(class))
            .map(|(_, count)| count)
            .sum()
    }

    /// Whether at least `percent` of the filled cells look like one of these.
    pub(super) fn mostly(&self, classes: &[Class], percent: usize) -> bool {
        self.filled > 0 && self.count(classes) * 100 >= self.filled * percent
    }
}
/// `12/31/26`, `12/31/2026, 8:00 AM` → `2026-12-31`.
pub(super) fn from_american(text: &str) -> Option<String> {
    let day = text.split([',', ' ']).next()?;
    let mut parts = day.split('/').map(|part| part.parse::<u16>().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if year < 100 { year + 2000 } else { year };
    (parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}
