//! What stands beside each other on a page: columns, tables side by side, and values drawn apart
//! from their rows.

use super::{Line, Run};

/// A cell with more characters is prose, on average over a column.
const PROSE_CHARS: usize = 28;
/// Longest amount, in characters and words.
const MAX_AMOUNT: usize = 24;
const MAX_AMOUNT_WORDS: usize = 3;
/// Rows that must agree before a page is read otherwise than it is drawn.
const MIN_ROWS: usize = 3;

/// The lines of a page in reading order.
pub(super) fn in_reading_order(lines: Vec<Line>) -> Vec<Line> {
    super::prices::beside_their_names(&side_by_side(&with_their_values(lines)))
}

fn is_amount(text: &str) -> bool {
    let text = text.trim();
    text.chars().any(char::is_numeric)
        && text.chars().count() <= MAX_AMOUNT
        && text.split_whitespace().count() <= MAX_AMOUNT_WORDS
        && text.chars().filter(|char| char.is_alphabetic()).count() <= 6
}

/// Some programs draw a table column by column: amounts that stand on the baselines of lines drawn
/// before belong to those.
fn with_their_values(mut lines: Vec<Line>) -> Vec<Line> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.runs.len() != 1 || !is_amount(&line.runs[0].text) {
            continue;
        }
        let partner = lines[..at].iter().rposition(|other| {
            (other.y - line.y).abs() < line.size * 0.3
                && other.right() < line.left()
                && other.runs.iter().any(|run| run.text.chars().any(char::is_alphabetic))
        });
        pairs.extend(partner.map(|partner| (at, partner)));
    }
    let aligned = |run: &Run| {
        let same = |other: &&(usize, usize)| {
            let other = &lines[other.0].runs[0];
            (other.left - run.left).abs() < 3.0 || (other.right - run.right).abs() < 3.0
        };
        pairs.iter().filter(same).count()
    };
    let moves: Vec<(usize, usize)> =
        pairs.iter().filter(|(at, _)| aligned(&lines[*at].runs[0]) >= MIN_ROWS).copied().collect();
    for (at, partner) in &moves {
        let run = lines[*at].runs[0].clone();
        lines[*partner].runs.push(run);
        lines[*partner].runs.sort_by(|a, b| a.left.total_cmp(&b.left));
    }
    let moved: Vec<usize> = moves.iter().map(|(at, _)| *at).collect();
    let mut at = 0;
    lines.retain(|_| {
        at += 1;
        !moved.contains(&(at - 1))
    });
    lines
}

/// Blocks that stand beside each other, one after the other.
fn side_by_side(lines: &[Line]) -> Vec<Line> {
    let mut out = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let rows = lines[at..].iter().take_while(|line| line.runs.len() > 1).count();
        let split = (rows >= MIN_ROWS).then(|| split_at(&lines[at..at + rows])).flatten();
        let Some(split) = split else {
            let rows = rows.max(1);
            out.extend_from_slice(&lines[at..at + rows]);
            at += rows;
            continue;
        };
        // The longer of two goes on below the shorter one.
        let mut end = at + rows;
        while let Some(line) = lines.get(end)
            && let Some(before) = lines.get(end - 1)
            && before.y - line.y > 0.0
            && before.y - line.y < line.size * 3.0
            && (line.right() < split || line.left() > split)
        {
            end += 1;
        }
        let part = |left: bool| -> Vec<Line> {
            let side = |line: &Line| {
                let runs: Vec<Run> = line
                    .runs
                    .iter()
                    .filter(|run| ((run.left + run.right) / 2.0 < split) == left)
                    .cloned()
                    .collect();
                (!runs.is_empty()).then(|| Line { runs, ..line.clone() })
            };
            lines[at..end].iter().filter_map(side).collect()
        };
        out.extend(part(true));
        // What stands at the right may be two blocks again.
        out.extend(side_by_side(&part(false)));
        at = end;
    }
    out
}

/// Where to part rows that are two blocks side by side, as a place between them.
fn split_at(rows: &[Line]) -> Option<f64> {
    let most = rows.iter().map(|line| line.runs.len()).max()?;
    let full: Vec<&Line> = rows.iter().filter(|line| line.runs.len() == most).collect();
    let between = |column: usize| {
        let left = full.iter().map(|line| line.runs[column - 1].right).fold(f64::MIN, f64::max);
        let right = full.iter().map(|line| line.runs[column].left).fold(f64::MAX, f64::min);
        // Rows that begin elsewhere are of another block.
        (left < right).then_some((left + right) / 2.0)
    };
    if most == 2 {
        return columns_of_prose(rows).then(|| between(1)).flatten();
    }
    let header = full.first()?;
    for parts in 2..=3 {
        let width = most / parts;
        if most % parts != 0 || width < 2 {
            continue;
        }
        let label = |at: usize| header.runs[at].text.trim().to_lowercase();
        let repeats =
            (0..most - width).any(|at| label(at) == label(at + width) && !is_amount(&label(at)));
        let kinds = |line: &&&Line| {
            let amount = |at: usize| is_amount(&line.runs[at].text);
            (0..most - width).all(|at| amount(at) == amount(at + width))
                && !amount(0)
                && amount(width - 1)
        };
        let alike = full.len() >= MIN_ROWS && full.iter().filter(kinds).count() == full.len();
        if repeats || alike {
            return between(width);
        }
    }
    None
}

/// Whether two cells a row are two columns of running text.
fn columns_of_prose(rows: &[Line]) -> bool {
    let length = |at: usize| {
        rows.iter().map(|line| line.runs[at].text.chars().count()).sum::<usize>()
            / rows.len().max(1)
    };
    let ends = |line: &&Line| line.runs[0].text.trim_end().ends_with(['.', '!', '?', ':', ';']);
    let unfinished = rows.iter().filter(|line| !ends(line)).count();
    let aligned = rows
        .iter()
        .filter(|line| (line.runs[1].left - rows[0].runs[1].left).abs() < line.size)
        .count();
    rows.len() > MIN_ROWS
        && length(0) >= PROSE_CHARS
        && length(1) >= PROSE_CHARS
        && unfinished * 2 > rows.len()
        && aligned * 10 >= rows.len() * 8
}
