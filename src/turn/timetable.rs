//! Questions for when something takes place, answered from a timetable: a table of days and hours
//! with what there is in its cells.

use std::collections::HashSet;

use super::opening::TimesAnswer;
use crate::catalogue::asks::Asking;
use crate::grounding::{Unit, units};
use crate::language::{content_words, week};
use crate::retrieval::{Hit, product};

/// Days that a timetable has at least, and times of one thing that are told at most.
const MIN_DAYS: usize = 3;
const MAX_TIMES: usize = 10;

/// A cell of a timetable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    what: String,
    /// As the table writes it, and which it is, from Monday.
    day: (String, usize),
    /// The hour, or whatever else names the row.
    at: String,
    unit: Unit,
}

/// When what the question names takes place. `None` where no timetable has it, or the question
/// doesn't ask when.
pub(super) fn tell(question: &str, hits: &[Hit], language: &str) -> Option<TimesAnswer> {
    let days = week::days_asked(question, language)?;
    if Asking::of(question, language).is_of_price() {
        return None;
    }
    let cells: Vec<Cell> =
        hits.iter().enumerate().flat_map(|(at, hit)| cells(at, hit, language)).collect();
    let words = |text: &str| content_words(text).collect::<HashSet<String>>();
    let held: HashSet<String> = cells.iter().flat_map(|cell| words(&cell.what)).collect();
    let asked = words(question);
    let named: HashSet<&String> = asked.intersection(&held).collect();
    if named.is_empty() {
        return None;
    }
    let all: Vec<&Cell> = cells
        .iter()
        .filter(|cell| {
            let own = words(&cell.what);
            named.iter().all(|word| own.contains(*word))
        })
        .collect();
    let on: Vec<&Cell> = all.iter().copied().filter(|cell| days[cell.day.1]).collect();
    // On a day without it, the days with it are what helps.
    let mut told = if on.is_empty() { all } else { on };
    told.sort_by_key(|cell| cell.day.1);
    if told.is_empty() || told.len() > MAX_TIMES {
        return None;
    }
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for cell in &told {
        let time = format!("{} {}", cell.day.0, cell.at);
        match lines.iter_mut().find(|(what, _)| *what == cell.what) {
            Some((_, times)) if times.contains(&time) => {}
            Some((_, times)) => times.push(time),
            None => lines.push((cell.what.clone(), vec![time])),
        }
    }
    let lines: Vec<String> =
        lines.into_iter().map(|(what, times)| format!("{what}: {}", times.join(", "))).collect();
    let units = told.into_iter().map(|cell| cell.unit.clone()).collect();
    Some(TimesAnswer::of(units, &lines))
}

/// The cells of a passage's timetables.
fn cells(at: usize, hit: &Hit, language: &str) -> Vec<Cell> {
    let passage = &hit.passage;
    let own = if passage.language == "und" { language } else { passage.language.as_str() };
    if product::of_table(&passage.document) {
        return row_cells(at, hit, own);
    }
    let rows = units(at, &passage.text);
    let mut found = Vec::new();
    let mut header: Vec<&str> = Vec::new();
    let mut start = 0;
    for line in passage.text.split_inclusive('\n') {
        let from = start;
        start += line.len();
        let trimmed = line.trim();
        if !trimmed.starts_with('|') {
            header.clear();
            continue;
        }
        let cells: Vec<&str> = trimmed.trim_matches('|').split('|').map(str::trim).collect();
        if cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':' | ' '))) {
            continue;
        }
        if header.is_empty() {
            header = cells;
            continue;
        }
        let Some(unit) = rows.iter().find(|unit| unit.range.contains(&from)) else { continue };
        let Some((name, rest)) = cells.split_first() else { continue };
        let labels = header.iter().skip(1);
        let across = labels.clone().filter(|label| week::day(label, own).is_some()).count();
        for (label, cell) in labels.zip(rest).filter(|(_, cell)| is_named(cell)) {
            let (day, hour) = if across >= MIN_DAYS { (*label, *name) } else { (*name, *label) };
            let Some(number) = week::day(day, own) else { continue };
            found.push(Cell {
                what: (*cell).to_owned(),
                day: (day.to_owned(), number),
                at: hour.to_owned(),
                unit: unit.clone(),
            });
        }
    }
    let days: HashSet<usize> = found.iter().map(|cell| cell.day.1).collect();
    if days.len() < MIN_DAYS { Vec::new() } else { found }
}

/// The same of a row that a sheet's line became: `Time: 9:30; Monday: Yoga; Thursday: Yoga.`
fn row_cells(at: usize, hit: &Hit, language: &str) -> Vec<Cell> {
    let text = hit.passage.text.trim();
    let parts: Vec<(&str, &str)> =
        text.trim_end_matches('.').split("; ").filter_map(|part| part.split_once(": ")).collect();
    let days = parts.iter().filter(|(label, _)| week::day(label, language).is_some()).count();
    let Some((_, hour)) = parts.first().filter(|(label, _)| week::day(label, language).is_none())
    else {
        return Vec::new();
    };
    let Some(unit) = units(at, &hit.passage.text).into_iter().next().filter(|_| days >= 2) else {
        return Vec::new();
    };
    parts
        .iter()
        .skip(1)
        .filter(|(_, cell)| is_named(cell))
        .filter_map(|(label, cell)| {
            let day = week::day(label, language)?;
            Some(Cell {
                what: (*cell).to_owned(),
                day: ((*label).to_owned(), day),
                at: (*hour).to_owned(),
                unit: unit.clone(),
            })
        })
        .collect()
}

/// Whether a cell names something: "closed", "9–17" and "–" are of opening hours.
fn is_named(cell: &str) -> bool {
    cell.chars().filter(|c| c.is_alphabetic()).count() > 2
        && !cell.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, document: &str, question: &str, language: &str, expected: Option<&str>) {
        let mut hit = crate::prompt::tests::hit(text);
        hit.passage.document = document.to_owned();
        hit.passage.language = language.to_owned();
        let told = tell(question, &[hit], language);
        assert_eq!(told.as_ref().map(TimesAnswer::text), expected, "{question}");
    }

    const WEEK: &str = "| Time | Monday | Tuesday | Wednesday |\n| --- | --- | --- | --- |\n\
                        | 08:00 | Ballet I |  | Ballet I |\n| 17:30 | Tap | Ballet II |  |\n";

    #[test]
    fn what_stands_in_the_cells_is_found_with_its_day_and_hour() {
        let check = |question: &str, expected: Option<&str>| {
            check(WEEK, "a.md", question, "en", expected);
        };
        check("when is ballet II?", Some("Ballet II: Tuesday 17:30"));
        check("what time is tap on mondays", Some("Tap: Monday 17:30"));
        // Not on that day, but on another.
        check("is there tap on Tuesday?", Some("Tap: Monday 17:30"));
        check(
            "when is ballet",
            Some("- Ballet I: Monday 08:00, Wednesday 08:00\n- Ballet II: Tuesday 17:30"),
        );
        check("when is judo?", None);
        check("how much is tap?", None);
        check("are you open on monday?", None);
    }

    #[test]
    fn days_may_stand_in_the_first_column_or_in_a_sheet() {
        let text = "| Tag | 17 Uhr | 19 Uhr |\n| --- | --- | --- |\n| Montag | Judo Kinder | Boxen |\n\
                    | Mittwoch |  | Boxen |\n| Freitag | Judo Kinder |  |\n";
        let times = "Judo Kinder: Montag 17 Uhr, Freitag 17 Uhr";
        check(text, "a.md", "Wann ist Judo für Kinder?", "de", Some(times));
        let row = "Time: 09:30; Monday: Tap; Thursday: Tap.";
        check(row, "week.csv#1", "when is tap", "en", Some("Tap: Monday 09:30, Thursday 09:30"));
    }
}
