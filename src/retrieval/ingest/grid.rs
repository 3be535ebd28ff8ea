//! Rows of cells whose header nobody marked (Word, PDF) → Markdown: titles above, header where
//! there is one, labels with values.

use super::text::{escaped_line, markdown_table};

/// Rows whose first is a header, or isn't; one that only holds a title or the name of a section
/// stands over what follows.
pub(super) fn markdown(rows: &[Vec<String>]) -> String {
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| filled(row) > 0).collect();
    let width = rows
        .iter()
        .map(|row| row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1))
        .max();
    let width = width.unwrap_or(0);
    if width < 2 || rows.len() < 2 {
        return markdown_table(&rows.into_iter().cloned().collect::<Vec<_>>());
    }
    // In two columns a lone first cell may lack its value; in more it is a title.
    let is_title = |row: &Vec<String>| {
        filled(row) == 1 && !row[0].is_empty() && !has_figure(&without_years(&row[0]))
    };
    let above = rows.iter().take_while(|row| is_title(row)).count();
    let above = if above < rows.len() { above } else { 0 };
    let mut out: Vec<String> =
        rows[..above].iter().map(|row| format!("###### {}", row[0])).collect();
    let body = &rows[above..];
    let shape = shape(body, width);
    let (header, body) =
        if shape == Shape::Headed { (Some(body[0].clone()), &body[1..]) } else { (None, body) };
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut sections = above > 0;
    for (at, row) in body.iter().enumerate() {
        let next_is_row = body.get(at + 1).is_some_and(|next| filled(next) > 1);
        if width > 2 && is_title(row) && next_is_row {
            flush(&mut open, header.as_ref(), shape, &mut out);
            out.push(format!("###### {}", row[0]));
            sections = true;
        } else {
            open.push((*row).clone());
        }
    }
    flush(&mut open, header.as_ref(), shape, &mut out);
    if sections {
        out.push("######".to_owned());
    }
    out.join("\n\n")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Headed,
    /// A label and its value a row.
    Pairs,
    /// Values without names.
    Bare,
}

fn filled(row: &[String]) -> usize {
    row.iter().filter(|cell| !cell.is_empty()).count()
}

/// A year in a title is no figure.
fn without_years(cell: &str) -> String {
    let is_year =
        |word: &str| word.len() == 4 && (word.starts_with("19") || word.starts_with("20"));
    let words = cell.split_whitespace().filter(|word| !is_year(crate::language::bare(word)));
    words.collect::<Vec<_>>().join(" ")
}

fn has_figure(cell: &str) -> bool {
    cell.chars().any(char::is_numeric)
}

fn shape(rows: &[&Vec<String>], width: usize) -> Shape {
    let Some((first, others)) = rows.split_first() else { return Shape::Bare };
    let figure = |row: &Vec<String>, at: usize| row.get(at).is_some_and(|cell| has_figure(cell));
    let most = |at: usize| {
        let given =
            others.iter().filter(|row| row.get(at).is_some_and(|cell| !cell.is_empty())).count();
        given > 0 && others.iter().filter(|row| figure(row, at)).count() * 10 >= given * 7
    };
    let heads = (1..width).any(|at| {
        most(at) && !figure(first, at) && first.get(at).is_some_and(|cell| !cell.is_empty())
    });
    let alike = (1..width).any(|at| most(at) && figure(first, at));
    match (width, heads, alike) {
        (_, true, _) => Shape::Headed,
        (2, false, _) => Shape::Pairs,
        // A two-way table has figures in its header too; its corner is empty, or names what the
        // figures are of.
        (_, false, true)
            if first[0].is_empty() || all_distinct_labels(first) || is_scale(first, others) =>
        {
            Shape::Headed
        }
        (_, false, true) => Shape::Bare,
        (_, false, false) => Shape::Headed,
    }
}

/// Cells of a header that hold figures are worded (`2 hours a day`); those of a row of amounts
/// aren't.
fn all_distinct_labels(row: &[String]) -> bool {
    row.iter().filter(|cell| !cell.is_empty()).all(|cell| {
        let letters = cell.chars().filter(|char| char.is_alphabetic()).count();
        letters > 3 && !cell.contains(['€', '$', '£'])
    })
}

/// Whether the first row's figures have units that no figure below them has: "30 min, 60 min" over
/// "38 €, 65 €".
fn is_scale(first: &[String], others: &[&Vec<String>]) -> bool {
    let unit = |cell: &str| {
        cell.chars().filter(|char| char.is_alphabetic()).collect::<String>().to_lowercase()
    };
    let is_unit = |at: usize, cell: &String| {
        let own = unit(cell);
        let below = others.iter().filter_map(|row| row.get(at));
        (1..=12).contains(&own.chars().count())
            && !cell.contains(['€', '$', '£', '¥'])
            && below.filter(|cell| has_figure(cell)).all(|cell| unit(cell) != own)
    };
    let mut figures =
        first.iter().enumerate().skip(1).filter(|(_, cell)| has_figure(cell)).peekable();
    figures.peek().is_some()
        && figures.all(|(at, cell)| is_unit(at, cell))
        && !has_figure(&first[0])
}

fn flush(
    open: &mut Vec<Vec<String>>,
    header: Option<&Vec<String>>,
    shape: Shape,
    out: &mut Vec<String>,
) {
    let mut rows = std::mem::take(open);
    match shape {
        _ if rows.is_empty() => {}
        Shape::Headed => {
            rows.splice(0..0, header.cloned());
            out.push(markdown_table(&rows));
        }
        Shape::Pairs => out.extend(rows.iter().map(|row| escaped_line(&pair(row)))),
        Shape::Bare => {
            let line = |row: &Vec<String>| {
                let cells: Vec<&str> =
                    row.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
                cells.join(" – ")
            };
            out.extend(rows.iter().map(|row| escaped_line(&line(row))));
        }
    }
}

/// `label: value`.
fn pair(row: &[String]) -> String {
    let cells: Vec<&str> =
        row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    match cells.as_slice() {
        [label, value] => format!("{}: {value}", label.trim_end_matches([':', '：', '.', ' '])),
        cells => cells.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn rows_say_what_heads_them() {
        let check = |rows: &[&[&str]], expected: &str| {
            let rows: Vec<Vec<String>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
                .collect();
            assert_eq!(markdown(&rows), expected);
        };
        check(
            &[&["Tea", "Price"], &["Assam", "4"], &["Sencha", "5"]],
            "| Tea | Price |\n| --- | --- |\n| Assam | 4 |\n| Sencha | 5 |",
        );
        check(&[&["Assam", "4"], &["Sencha", "5"]], "Assam: 4\n\nSencha: 5");
        check(
            &[&["Arrival:", "from three"], &["Departure:", "by eleven"]],
            "Arrival: from three\n\nDeparture: by eleven",
        );
        check(
            &[
                &["Prices 2026", "", ""],
                &["Room", "May", "July"],
                &["Small", "80", "90"],
                &["Suites", "", ""],
                &["Large", "120", "140"],
            ],
            "###### Prices 2026\n\n| Room | May | July |\n| --- | --- | --- |\n| Small | 80 | 90 |\n\n###### Suites\n\n\
             | Room | May | July |\n| --- | --- | --- |\n| Large | 120 | 140 |\n\n######",
        );
        check(
            &[&["Days", "2 hours a day", "3 hours a day"], &["1", "104", "149"]],
            "| Days | 2 hours a day | 3 hours a day |\n| --- | --- | --- |\n| 1 | 104 | 149 |",
        );
        check(&[&["A1", "12.50", "3"], &["A2", "9.00", "4"]], "A1 – 12.50 – 3\n\nA2 – 9.00 – 4");
    }
}
