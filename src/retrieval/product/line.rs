//! How a table's row that sells nothing is told.

use super::labelled;
use crate::language::is_unspaced;
use crate::retrieval::columns::{self, Kind};

/// Whether a document's rows were lines of a table: elsewhere "Mon: 9:00; Sat: 10:00." is
/// somebody's sentence.
#[must_use]
pub fn of_table(document: &str) -> bool {
    const TABLES: &[&str] = &["csv", "tsv", "xlsx", "xlsm", "xls", "ods"];
    let file = document.split('#').next().unwrap_or_default();
    file.rsplit_once('.')
        .is_some_and(|(_, ending)| TABLES.contains(&ending.to_lowercase().as_str()))
}

/// A row with its name first: "Tube 590: Power 10, Warranty 60 months. (Item 10002)". Where the
/// question names some of its columns, only these are told, beside what it costs. `None` where
/// `row` isn't `label: value; label: value.`, or neither its name is among its values nor one of
/// its columns in the question.
#[must_use]
pub fn row_line(row: &str, title: &str, question: &str) -> Option<String> {
    let parts = labelled(row)?;
    let named = parts.iter().position(|(_, value)| *value == title);
    let kind = |label: &str| columns::meaning(label).map(|meaning| meaning.kind);
    let asked = format!(" {} ", columns::folded(question));
    let is_asked = |label: &str| {
        let label = columns::folded(label);
        let unspaced = label.chars().any(is_unspaced);
        // A column A is in every question with an article.
        let long = label.chars().count() > 1;
        long && asked.contains(&format!(" {label} ")) || unspaced && asked.contains(&label)
    };
    // What it is called and numbered by tells which row it is, not what is asked of it.
    let tells = |at: usize, label: &str| Some(at) != named && kind(label) != Some(Kind::Number);
    let lead = named.unwrap_or(0);
    let any = parts
        .iter()
        .enumerate()
        .any(|(at, (label, _))| tells(at, label) && at != lead && is_asked(label));
    if named.is_none() && !any {
        return None;
    }
    let costs = |label: &str| matches!(kind(label), Some(Kind::Price | Kind::Sale));
    let mut told: Vec<String> = Vec::new();
    let mut numbers: Vec<String> = Vec::new();
    for (at, (label, value)) in
        parts.iter().enumerate().filter(|(at, (_, value))| *at != lead && !value.is_empty())
    {
        if !tells(at, label) {
            numbers.extend((!any).then(|| format!("{label} {value}")));
        } else if !any || is_asked(label) || costs(label) {
            told.push(format!("{label} {value}"));
        }
    }
    let (label, value) = parts.get(lead)?;
    let mut text = if named.is_some() { (*value).to_owned() } else { format!("{label} {value}") };
    if !numbers.is_empty() {
        text.push_str(&format!(" ({})", numbers.join(", ")));
    }
    if !told.is_empty() {
        text.push_str(&format!(": {}", told.join(", ")));
    }
    if !text.ends_with(['.', '!', '?', '。']) {
        text.push('.');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_by_what_is_asked_of_it() {
        #[track_caller]
        fn check(row: &str, title: &str, question: &str, expected: Option<&str>) {
            assert_eq!(row_line(row, title, question).as_deref(), expected, "{question}");
        }
        let lamp = "Artikelnummer: 77; Bezeichnung: Stab 60; Leistung: 10 W; Garantie: 36 Monate.";
        check(
            lamp,
            "Stab 60",
            "Welche Garantie hat der Artikel 77?",
            Some("Stab 60: Garantie 36 Monate."),
        );
        let whole = "Stab 60 (Artikelnummer 77): Leistung 10 W, Garantie 36 Monate.";
        check(lamp, "Stab 60", "Erzählen Sie mir vom Stab 60", Some(whole));
        let park = "Lot: East; 1 day: 24; 2 days: 42; 7 days: 95.";
        check(park, "parking", "What does East cost for 7 days?", Some("Lot East: 7 days 95."));
        check(park, "parking", "Where is East?", None);
        check(
            "品名: 白茶; 产地: 福建; 净重: 50克.",
            "白茶",
            "白茶的产地在哪里？",
            Some("白茶: 产地 福建."),
        );
        check("Open on Sundays.", "Hours", "When?", None);
        check("Lot: East; A: 24; B: 42.", "parking", "What does a ticket cost in East?", None);
        assert!(of_table("rates/Parking.CSV#East") && !of_table("hours.md") && !of_table("csv"));
    }
}
