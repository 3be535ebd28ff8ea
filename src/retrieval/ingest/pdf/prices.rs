//! Price lists that put each price on the line below its name: name and price become a row, so that
//! no price is read with the name that follows it.

use super::{Line, Run};

/// Names with their prices below them, one after the other, before a page is read so.
const MIN_PAIRS: usize = 3;
/// Largest gap between a name and its price, in letter sizes.
const MAX_GAP: f64 = 2.2;
/// Words of a name and of a price, at most.
const MAX_WORDS: usize = 9;
const MAX_PRICE_WORDS: usize = 6;
/// How far lines that begin alike may lie apart, in points.
const ALIKE: f64 = 3.0;

/// The lines with each name beside its price where they stood one above the other.
pub(super) fn beside_their_names(lines: &[Line]) -> Vec<Line> {
    let mut out = Vec::with_capacity(lines.len());
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let before = at.checked_sub(1).and_then(|before| lines.get(before));
        let pairs = pairs(before, &lines[at..]);
        if pairs < MIN_PAIRS {
            out.push(line.clone());
            at += 1;
            continue;
        }
        let block = &lines[at..at + 2 * pairs];
        let right = block.iter().map(Line::right).fold(f64::MIN, f64::max);
        for pair in block.chunks_exact(2) {
            let (name, price) = (&pair[0], &pair[1]);
            let width = price.right() - price.left();
            let left = right + 4.0 * price.size;
            let beside = Run { text: price.text(), left, right: left + width };
            // Of the price's size: a name in larger letters would be a heading.
            let runs = name.runs.iter().cloned().chain([beside]).collect();
            out.push(Line { runs, y: name.y, size: price.size, ..name.clone() });
        }
        at += 2 * pairs;
    }
    out
}

/// How many lines from the first one on are names, each with its price below it, in pairs; none
/// where the prices may as well stand above the names.
fn pairs(before: Option<&Line>, lines: &[Line]) -> usize {
    let Some([first, below]) = lines.first_chunk::<2>() else { return 0 };
    let near = |upper: &Line, lower: &Line| {
        let gap = upper.y - lower.y;
        upper.page == lower.page && gap > 0.0 && gap < (first.y - below.y) * 1.1
    };
    if !is_priced(&below.text())
        || before.is_some_and(|line| is_priced(&line.text()) && near(line, first))
    {
        return 0;
    }
    let mut priced = 0_usize;
    let mut count = 0_usize;
    for pair in lines.chunks_exact(2) {
        let (name, price) = (&pair[0], &pair[1]);
        let gap = name.y - price.y;
        let alike = (name.left() - first.left()).abs() < ALIKE
            && (price.left() - below.left()).abs() < ALIKE
            && (name.size - first.size).abs() < 0.5
            && (price.size - below.size).abs() < 0.5;
        // A price is nearer to its own name than to the next one.
        let apart = count == 0
            || lines.get(2 * count - 1).is_some_and(|before| before.y - name.y > gap * 0.95);
        let is_pair = name.page == first.page
            && price.page == first.page
            && name.runs.len() == 1
            && price.runs.len() == 1
            && gap > 0.0
            && gap < MAX_GAP * price.size.max(name.size)
            && is_name(&name.text())
            && price.text().split_whitespace().count() <= MAX_PRICE_WORDS
            && !price.text().ends_with('.');
        if !(alike && apart && is_pair) {
            break;
        }
        priced += usize::from(is_priced(&price.text()));
        count += 1;
    }
    // A name without a price at the end may be the one of the price above it.
    let left = count > 0
        && lines.get(2 * count - 1).zip(lines.get(2 * count)).is_some_and(|(last, next)| {
            near(last, next) && is_name(&next.text()) && (next.left() - first.left()).abs() < ALIKE
        });
    // "free", "on request" among prices.
    if priced * 10 >= count * 6 && !left { count } else { 0 }
}

fn is_name(text: &str) -> bool {
    let words = text.split_whitespace().count();
    text.chars().any(char::is_alphabetic)
        && !is_priced(text)
        && words <= MAX_WORDS
        && !text.trim_end().ends_with(['.', ':', '?', '!'])
}

/// Whether a text begins with an amount of money: "13,50 € per person", "from 9.00", "CHF 12".
fn is_priced(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let amount = |word: &&&str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let cents = bare.rsplit_once([',', '.']).is_some_and(|(_, cents)| cents.len() == 2);
        let money = crate::retrieval::money::money(text, None);
        !bare.is_empty() && (cents || money.is_some_and(|money| money.currency.is_some()))
    };
    let signed = |text: &str| text.contains(['€', '$', '£', '¥']);
    words
        .iter()
        .take(2)
        .any(|word| amount(&word) || signed(text) && word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(y: f64, size: f64, left: f64, text: &str) -> Line {
        let run = Run { text: text.into(), left, right: left + 5.0 * text.len() as f64 };
        Line { page: 0, y, size, runs: vec![run], at_edge: false }
    }

    #[track_caller]
    fn check(lines: &[(f64, f64, f64, &str)], expected: &[&str]) {
        let lines = lines.iter().map(|(y, size, left, text)| line(*y, *size, *left, text));
        let rows: Vec<String> = beside_their_names(&lines.collect::<Vec<Line>>())
            .iter()
            .map(|line| {
                line.runs.iter().map(|run| run.text.as_str()).collect::<Vec<_>>().join(" | ")
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_price_below_its_name_comes_beside_it() {
        check(
            &[
                (700.0, 14.0, 50.0, "Extras"),
                (680.0, 11.0, 50.0, "Late departure"),
                (667.0, 10.0, 60.0, "25,00 € per room"),
                (647.0, 11.0, 50.0, "Cot"),
                (634.0, 10.0, 60.0, "free"),
                (614.0, 11.0, 50.0, "Sauna"),
                (601.0, 10.0, 60.0, "18,00 €"),
                (560.0, 11.0, 50.0, "We look forward to your stay."),
            ],
            &[
                "Extras",
                "Late departure | 25,00 € per room",
                "Cot | free",
                "Sauna | 18,00 €",
                "We look forward to your stay.",
            ],
        );
    }

    #[test]
    fn lines_at_even_distances_begin_with_a_name() {
        let even = [
            (700.0, 11.0, 50.0, "Sauna"),
            (687.0, 11.0, 50.0, "18,00 €"),
            (674.0, 11.0, 50.0, "Bath"),
            (661.0, 11.0, 50.0, "9,00 €"),
            (648.0, 11.0, 50.0, "Towel"),
            (635.0, 11.0, 50.0, "2,00 €"),
        ];
        check(&even, &["Sauna | 18,00 €", "Bath | 9,00 €", "Towel | 2,00 €"]);
    }

    #[test]
    fn what_is_no_such_list_stays() {
        // The prices stand above their names.
        let above = [
            (713.0, 11.0, 50.0, "7,00 €"),
            (700.0, 11.0, 50.0, "Sauna"),
            (687.0, 11.0, 50.0, "18,00 €"),
            (674.0, 11.0, 50.0, "Bath"),
            (661.0, 11.0, 50.0, "9,00 €"),
            (648.0, 11.0, 50.0, "Towel"),
            (635.0, 11.0, 50.0, "2,00 €"),
            (622.0, 11.0, 50.0, "Robe"),
        ];
        check(&above, &above.map(|(.., text)| text));
        let prose = [
            (700.0, 11.0, 50.0, "Our rooms"),
            (687.0, 11.0, 50.0, "12 rooms look at the lake"),
            (660.0, 11.0, 50.0, "Our garden"),
            (647.0, 11.0, 50.0, "3 paths lead to the shore"),
        ];
        check(&prose, &prose.map(|(.., text)| text));
    }
}
