//! A sheet → its tables: where each one's header stands, what is a title above it, a section within
//! it, a note below.

use super::cells::{self, Class, Looks};
use super::sections::{self, Headings};
use super::{Hints, Line, Sheet, Table, width};
use crate::retrieval::columns::{self, Kind};

/// Rows that are looked at for a header.
const SEARCHED: usize = 60;
/// Rows below a header that are looked at to tell it from them.
const BELOW: usize = 20;
/// Tables in one sheet, at most; what comes after belongs to the last one.
const MAX_TABLES: usize = 200;

/// Splits a sheet.
pub(super) fn tables(sheet: Sheet, hints: &Hints) -> Vec<Table> {
    let Sheet { name, rows } = sheet;
    let mut rows: Vec<Line> =
        rows.into_iter().map(|(line, cells)| Line { line, cells, section: None }).collect();
    rows.retain(|row| row.filled() > 0);
    let mut tables = Vec::new();
    while !rows.is_empty() {
        let end = if tables.len() + 1 < MAX_TABLES { next_table(&rows, hints) } else { rows.len() };
        let rest = rows.split_off(end);
        let table = table(&name, std::mem::replace(&mut rows, rest), hints, tables.is_empty());
        tables.extend(side_by_side(table));
    }
    tables
}

/// Where a second header begins another table, below the first one and its rows.
fn next_table(rows: &[Line], hints: &Hints) -> usize {
    if hints.header_row.is_some() {
        return rows.len();
    }
    let Some((first, _)) = find(rows, hints) else { return rows.len() };
    let known = &rows[first].cells;
    for (at, row) in rows.iter().enumerate().skip(first + 2) {
        let plain = row.filled() > 1
            && row
                .cells
                .iter()
                .all(|cell| cell.len() <= 60 && !cell.bytes().any(|byte| byte.is_ascii_digit()));
        if !plain || &row.cells == known || row.is_single() {
            continue;
        }
        let hits = row.cells.iter().filter(|cell| columns::meaning(cell).is_some()).count();
        let filled = row.filled();
        // The name of a price among prices.
        let priced = row.cells.iter().enumerate().any(|(column, cell)| {
            let above = rows[first + 1..at]
                .iter()
                .rev()
                .find_map(|row| row.cells.get(column).filter(|cell| !cell.is_empty()));
            let price = || {
                columns::meaning(cell)
                    .is_some_and(|meaning| matches!(meaning.kind, Kind::Price | Kind::Sale))
            };
            above.is_some_and(|above| matches!(cells::class(above), Class::Amount | Class::Number))
                && price()
        });
        let known = hits >= 2 && hits * 3 >= filled * 2;
        if !(known || priced)
            || !row.cells.iter().all(|cell| cell.is_empty() || cells::is_label(cell))
        {
            continue;
        }
        // Both lines of one header.
        if at <= first + 1 {
            continue;
        }
        // Its title stands right above it.
        let mut start = at;
        while start > first + 2 && rows[start - 1].is_single() {
            start -= 1;
        }
        return start;
    }
    rows.len()
}

fn table(name: &str, mut rows: Vec<Line>, hints: &Hints, first: bool) -> Table {
    let mut table = Table { sheet: name.to_owned(), ..Table::default() };
    let Some((at, lines)) = find(&rows, hints) else {
        let many = rows.iter().filter(|row| row.filled() > 1).count();
        if many == 0 || first && rows.len() == 1 && rows[0].filled() < 2 {
            table.above = rows.into_iter().map(|row| (row.line, row.text())).collect();
            return table;
        }
        // No header: what stands above the first row of several cells is a title.
        let start = rows.iter().position(|row| !row.is_single()).unwrap_or(0);
        // Where others follow, the text right above is a section's name.
        let sections = rows[start..].iter().any(Line::is_single);
        let body = rows.split_off(start - usize::from(sections && start > 0));
        table.above = rows.into_iter().map(|row| (row.line, row.text())).collect();
        table.labels = vec![String::new(); width(&body)];
        body_of(&mut table, body);
        return table;
    };
    let mut body = rows.split_off(at + lines);
    let header = rows.split_off(at);
    table.above = rows.into_iter().map(|row| (row.line, row.text())).collect();
    table.header = header.iter().map(|row| row.line).collect();
    table.labels = labels(&header);
    table.width = header.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    // A header that is repeated on every page.
    let plain: Vec<String> =
        header.iter().flat_map(|row| row.cells.iter().filter(|c| !c.is_empty()).cloned()).collect();
    body.retain(|row| {
        let own: Vec<&String> = row.cells.iter().filter(|cell| !cell.is_empty()).collect();
        !(own.len() > 1 && own.len() <= plain.len() && own.iter().all(|cell| plain.contains(cell)))
    });
    body_of(&mut table, body);
    table
}

/// Rows below the header: sections, notes, and the rest.
fn body_of(table: &mut Table, body: Vec<Line>) {
    let wide = table
        .labels
        .iter()
        .filter(|label| !label.is_empty())
        .count()
        .max(if table.header.is_empty() { table.labels.len() } else { 0 });
    let singles = body.iter().filter(|row| row.is_single()).count();
    let sections = wide > 1 && singles * 3 < body.len() * 2;
    let last = body.iter().rposition(|row| !row.is_single()).map_or(0, |at| at + 1);
    let mut headings = Headings::default();
    let coded = sections::coded(&body);
    let mut before = table.header.last().copied();
    for (at, mut row) in body.into_iter().enumerate() {
        let gap = before.replace(row.line).is_some_and(|before| row.line > before + 1);
        if sections && row.is_single() && !sections::is_total(&row) {
            let text = row.text();
            if at >= last || text.chars().count() > cells::MAX_LABEL {
                table.notes.push((row.line, text));
                continue;
            }
            if cells::is_label(&text) {
                let in_codes = row
                    .cells
                    .iter()
                    .position(|cell| !cell.is_empty())
                    .is_some_and(|at| coded.contains(&at));
                let marked =
                    gap || in_codes || sections::is_capitals(&text) || text.ends_with([':', '：']);
                headings.open(text.trim_end_matches([':', '：', ' ']).to_owned(), marked);
                continue;
            }
        }
        row.section = headings.over_row();
        table.rows.push(row);
    }
}

/// The header's first row among `rows` and how many rows it has.
fn find(rows: &[Line], hints: &Hints) -> Option<(usize, usize)> {
    if let Some(line) = hints.header_row {
        // 0 says that there is none.
        let at = rows.iter().position(|row| row.line == line)?;
        return Some((at, 1));
    }
    let mut best: Option<(usize, usize)> = None;
    for at in 0..rows.len().min(SEARCHED) {
        let score = score(rows, at);
        if score > 0 && best.is_none_or(|(_, known)| score > known) {
            best = Some((at, score));
        }
    }
    let at = match best {
        Some((at, _)) => at,
        None => plain_header(rows)?,
    };
    Some(with_second_line(rows, at))
}

/// How much a row looks like a header: columns known by name, and labels above cells of another
/// look.
fn score(rows: &[Line], at: usize) -> usize {
    let row = &rows[at];
    let filled = row.filled();
    if filled < 2 || row.is_single() || at + 1 >= rows.len() {
        return 0;
    }
    let labels = row.cells.iter().filter(|cell| cells::is_label(cell)).count();
    let meant = |cell: &String| {
        cell.chars().count() <= cells::MAX_LABEL && columns::meaning(cell).is_some()
    };
    let hits = row.cells.iter().filter(|cell| meant(cell)).count();
    // Names of columns that look like data ("30 g", "2024") are few among others.
    let wrong = row
        .cells
        .iter()
        .filter(|cell| !cell.is_empty() && !cells::is_label(cell) && !meant(cell))
        .count();
    let scale = is_scale(rows, at) || stands_over_money(rows, at);
    if wrong > 0 && (hits < 2 || wrong > labels) && !scale {
        return 0;
    }
    let below = &rows[at + 1..rows.len().min(at + 1 + BELOW)];
    let contrast = (0..row.cells.len())
        .filter(|column| {
            let cell = &row.cells[*column];
            cells::is_label(cell) && cells::class(cell) != Class::Question
        })
        .filter(|column| {
            let looks = Looks::of(
                below.iter().filter_map(|row| row.cells.get(*column)).map(String::as_str),
            );
            let data = looks.filled - looks.count(&[Class::Text, Class::Code]);
            looks.filled > 0 && data * 2 > looks.filled
        })
        .count();
    // A scale's own labels look like data.
    let contrast = if scale { contrast.max(filled - 1) } else { contrast };
    if hits + contrast == 0 {
        return 0;
    }
    // A row among others like it, and of columns that nobody knows, is one of them.
    let above = &rows[at.saturating_sub(BELOW)..at];
    let figures = |row: &Line| row.cells.iter().filter(|cell| cells::class(cell).is_data()).count();
    if hits < 3
        && above
            .iter()
            .any(|row| row.filled() >= 2 && figures(row) > 0 && figures(row) >= contrast.min(2))
    {
        return 0;
    }
    let widest = below.iter().map(Line::filled).max().unwrap_or(1).max(filled);
    6 * hits + 4 * contrast + 4 * filled / widest
}

/// A row whose labels are a scale (2 h, 4 h, 8 h) over amounts: a table with two ways in.
fn is_scale(rows: &[Line], at: usize) -> bool {
    let row = &rows[at];
    let scale: Vec<&String> = row.cells.iter().skip(1).filter(|cell| !cell.is_empty()).collect();
    let labels =
        |cell: &&String| matches!(cells::class(cell), Class::Measure | Class::Number | Class::Flag);
    let all = scale.len() > 1 && scale.iter().all(|cell| labels(cell) || cells::is_label(cell));
    let distinct: std::collections::HashSet<&&String> = scale.iter().collect();
    let below = &rows[at + 1..rows.len().min(at + 1 + BELOW)];
    let amounts =
        below.iter().flat_map(|row| row.cells.iter().skip(1)).filter(|cell| !cell.is_empty());
    // Over plain numbers only words and measures are surely a scale: years and sizes are figures
    // themselves.
    let worded =
        scale.iter().all(|cell| !matches!(cells::class(cell), Class::Number | Class::Flag));
    let is_money = |cell: &str| {
        let class = cells::class(cell);
        class == Class::Amount || worded && matches!(class, Class::Number | Class::Flag)
    };
    let (all_below, money) =
        amounts.fold((0, 0), |(all, money), cell| (all + 1, money + usize::from(is_money(cell))));
    all && distinct.len() == scale.len()
        && all_below > 0
        && money * 10 >= all_below * 8
        && row.cells.first().is_some_and(|c| c.is_empty() || cells::is_label(c))
}

/// A row of labels, some of which are measures ("30 min"), with amounts of money below every
/// measure.
fn stands_over_money(rows: &[Line], at: usize) -> bool {
    let below = &rows[at + 1..rows.len().min(at + 1 + BELOW)];
    let mut measures = 0;
    for (column, cell) in rows[at].cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        if cells::is_label(cell) {
            continue;
        }
        let under =
            Looks::of(below.iter().filter_map(|row| row.cells.get(column)).map(String::as_str));
        let figures = [Class::Amount, Class::Number, Class::Flag];
        let priced = under.mostly(&[Class::Amount], 60) || under.mostly(&figures, 100);
        if cells::class(cell) != Class::Measure || !priced {
            return false;
        }
        measures += 1;
    }
    measures > 0 && rows[at].cells.first().is_some_and(|cell| cells::is_label(cell))
}

/// The first row of several labels, where nothing tells it from what is below; none if it looks
/// like the rows below.
fn plain_header(rows: &[Line]) -> Option<usize> {
    let at = rows.iter().position(|row| row.filled() > 1)?;
    let row = &rows[at];
    if !row.cells.iter().all(|cell| cell.is_empty() || cells::is_label(cell)) || at + 1 > rows.len()
    {
        return None;
    }
    // Questions are asked, not headed; those that name a column are known.
    if row.cells.iter().any(|cell| cells::class(cell) == Class::Question) {
        return None;
    }
    let distinct: std::collections::HashSet<&String> = row.cells.iter().collect();
    (distinct.len() >= row.filled()).then_some(at)
}

/// A header of two lines: groups above names, or the same in two languages.
fn with_second_line(rows: &[Line], at: usize) -> (usize, usize) {
    let labels_only = |row: &Line| {
        row.filled() > 1
            && !row.is_single()
            && row.cells.iter().all(|cell| cell.is_empty() || cells::is_label(cell))
    };
    let known =
        |row: &Line| row.cells.iter().filter(|cell| columns::meaning(cell).is_some()).count();
    let adjacent = |upper: &Line, lower: &Line| lower.line == upper.line + 1;
    let groups = |upper: &Line, lower: &Line| {
        let cell =
            |row: &Line, column: usize| row.cells.get(column).is_some_and(|cell| !cell.is_empty());
        let gaps = (0..lower.cells.len()).any(|column| cell(lower, column) && !cell(upper, column));
        let repeats =
            (1..upper.cells.len()).any(|c| cell(upper, c) && upper.cells[c] == upper.cells[c - 1]);
        gaps || repeats
    };
    if let Some(below) = rows.get(at + 1)
        && at + 2 < rows.len()
        && labels_only(below)
        && adjacent(&rows[at], below)
    {
        let translated =
            known(below) * 2 > below.filled() && below.filled() * 2 > rows[at].filled();
        // "Price" above "net" and "gross", each over figures.
        let parts = || {
            let over_figures = |column: usize| {
                let cells =
                    rows[at + 2..].iter().take(BELOW).filter_map(|row| row.cells.get(column));
                Looks::of(cells.map(String::as_str))
                    .mostly(&[Class::Number, Class::Amount, Class::Flag], 70)
            };
            let filled = below.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
            let repeated = |column: usize, cell: &String| rows[at].cells.get(column) == Some(cell);
            filled
                .filter(|(column, cell)| !repeated(*column, cell))
                .all(|(column, _)| over_figures(column))
        };
        let grouped = groups(&rows[at], below);
        if translated || grouped && (known(below) > 0 && score(rows, at + 1) > 0 || parts()) {
            return (at, 2);
        }
    }
    if at > 0 {
        let above = &rows[at - 1];
        // "Mon–Thu" twice says something only with the season above it.
        let twice = || {
            let filled: Vec<&String> =
                rows[at].cells.iter().filter(|cell| !cell.is_empty()).collect();
            filled.iter().enumerate().any(|(n, cell)| filled[..n].contains(cell))
        };
        let grouped = groups(above, &rows[at]);
        if labels_only(above)
            && adjacent(above, &rows[at])
            && (known(above) > 0 && (grouped || known(above) * 2 > above.filled())
                || grouped && twice())
        {
            return (at - 1, 2);
        }
    }
    (at, 1)
}

/// What the columns are called, of one line or two.
fn labels(header: &[Line]) -> Vec<String> {
    let width = width(header);
    let cell =
        |row: &Line, column: usize| row.cells.get(column).map_or("", |cell| cell.trim()).to_owned();
    let [upper, lower] = header else {
        return (0..width)
            .map(|column| header.first().map_or_else(String::new, |row| cell(row, column)))
            .collect();
    };
    // A group's name stands over its first column.
    let mut group = String::new();
    let mut names = Vec::with_capacity(width);
    for column in 0..width {
        let (above, below) = (cell(upper, column), cell(lower, column));
        let fresh = !above.is_empty();
        if fresh {
            group.clone_from(&above);
        }
        let next = cell(upper, column + 1);
        let repeated = column > 0 && cell(upper, column - 1) == above;
        let spans =
            next == above || repeated || next.is_empty() && !cell(lower, column + 1).is_empty();
        names.push(match (fresh, below.is_empty()) {
            (_, true) => above,
            (false, false)
                if group.is_empty()
                    || cell(upper, column.saturating_sub(1)).is_empty()
                        && column > 0
                        && names.last().is_some_and(String::is_empty) =>
            {
                below
            }
            (true, false) if above == below => above,
            (true, false) if !spans => format!("{above} / {below}"),
            // "Price" over "seedling" and "cutting"; "name" of "Grape" is a name by itself.
            _ if columns::meaning(&below).is_some_and(|meaning| meaning.kind != Kind::Price) => {
                below
            }
            _ => format!("{group} {below}"),
        });
    }
    names
}

/// Two tables beside each other as two: a column that is empty from top to bottom parts them, or
/// their labels repeat.
fn side_by_side(mut table: Table) -> Vec<Table> {
    let width = table.labels.len();
    if table.header.is_empty() || width < 4 {
        return vec![table];
    }
    let named = |labels: &[String]| {
        labels
            .iter()
            .any(|label| columns::meaning(label).is_some_and(|meaning| meaning.kind == Kind::Name))
    };
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    let empty = |column: usize| {
        table.labels[column].is_empty()
            && table.rows.iter().all(|row| row.cells.get(column).is_none_or(String::is_empty))
    };
    let mut start = 0;
    for column in 0..=width {
        if column == width || empty(column) {
            if column > start {
                cuts.push((start, column));
            }
            start = column + 1;
        }
    }
    if cuts.len() < 2 {
        let half = width / 2;
        let twice = width.is_multiple_of(2) && table.labels[..half] == table.labels[half..];
        cuts = if twice { vec![(0, half), (half, width)] } else { Vec::new() };
    }
    let all_named =
        cuts.iter().all(|(start, end)| end - start > 1 && named(&table.labels[*start..*end]));
    if cuts.len() < 2 || !all_named {
        return vec![table];
    }
    let above = std::mem::take(&mut table.above);
    let notes = std::mem::take(&mut table.notes);
    let mut parts: Vec<Table> = cuts
        .into_iter()
        .map(|(start, end)| {
            let cut = |cells: &[String]| -> Vec<String> {
                (start..end).map(|column| cells.get(column).cloned().unwrap_or_default()).collect()
            };
            let rows = table.rows.iter().map(|row| Line {
                line: row.line,
                cells: cut(&row.cells),
                section: row.section.clone(),
            });
            Table {
                sheet: table.sheet.clone(),
                header: table.header.clone(),
                labels: cut(&table.labels),
                width: end - start,
                rows: rows.filter(|row| row.filled() > 0).collect(),
                ..Table::default()
            }
        })
        .collect();
    if let Some(first) = parts.first_mut() {
        first.above = above;
        first.notes = notes;
    }
    parts
}
