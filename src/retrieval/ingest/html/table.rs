//! Tables of a page → Markdown: spans spread out, header lines joined, sections apart.

use super::tree::{Element, Node, text_of};
use crate::retrieval::ingest::text::markdown_table;

/// Cells that one cell may span, and columns and rows of a table that are kept.
const MAX_SPAN: usize = 64;
const MAX_COLUMNS: usize = 64;
const MAX_ROWS: usize = 20_000;

/// Writes what stands in a cell, in one line. Handed in, because a cell can hold a table again.
type CellText = fn(&[Node]) -> String;

/// What is written in place of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line above the rows that follow: caption or section.
    Title(String),
    /// Markdown.
    Text(String),
}

#[derive(Clone, Default)]
struct Cell {
    text: String,
    is_header: bool,
    /// It only repeats the cell it is spanned by.
    spanned: bool,
}

/// The rows of a table, each with the columns of the widest; a table within a cell is that cell's
/// text.
fn grid(table: &Element, cell_text: CellText) -> (Option<String>, Vec<Vec<Cell>>, usize) {
    let mut caption = None;
    let mut rows: Vec<(&Element, bool)> = Vec::new();
    for part in table.elements() {
        match part.name.as_str() {
            "caption" => caption = Some(part.text()).filter(|text| !text.is_empty()),
            "thead" | "tbody" | "tfoot" => {
                rows.extend(
                    part.elements()
                        .filter(|row| row.name == "tr")
                        .map(|row| (row, part.name == "thead")),
                );
            }
            "tr" => rows.push((part, false)),
            _ => {}
        }
    }
    rows.truncate(MAX_ROWS);
    let head = rows.iter().take_while(|(_, head)| *head).count();
    let mut grid: Vec<Vec<Cell>> = Vec::with_capacity(rows.len());
    // Cells from above that reach into the row: column → rows left and the cell.
    let mut reaching: Vec<Option<(usize, Cell)>> = Vec::new();
    for (row, _) in &rows {
        let mut line: Vec<Cell> = Vec::new();
        let take_reaching = |line: &mut Vec<Cell>, reaching: &mut Vec<Option<(usize, Cell)>>| {
            while let Some(Some((left, cell))) = reaching.get_mut(line.len()) {
                line.push(cell.clone());
                *left -= 1;
                if *left == 0 {
                    let at = line.len() - 1;
                    reaching[at] = None;
                }
            }
        };
        for cell in row.elements().filter(|cell| cell.is(&["td", "th"])) {
            take_reaching(&mut line, &mut reaching);
            let span = |name: &str| {
                cell.get(name)
                    .and_then(|count| count.trim().parse::<usize>().ok())
                    .unwrap_or(1)
                    .clamp(1, MAX_SPAN)
            };
            let text = cell_text(&cell.children);
            for at in 0..span("colspan") {
                if line.len() >= MAX_COLUMNS {
                    break;
                }
                let copy =
                    Cell { text: text.clone(), is_header: cell.name == "th", spanned: at > 0 };
                if span("rowspan") > 1 {
                    if reaching.len() <= line.len() {
                        reaching.resize(line.len() + 1, None);
                    }
                    reaching[line.len()] = Some((span("rowspan") - 1, copy.clone()));
                }
                line.push(copy);
            }
        }
        take_reaching(&mut line, &mut reaching);
        grid.push(line);
    }
    (caption, grid, head)
}

/// A table as titles and Markdown. One that only arranges a page must have been taken apart before.
pub(super) fn pieces(table: &Element, cell_text: CellText) -> Vec<Piece> {
    let (caption, rows, head) = grid(table, cell_text);
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut pieces: Vec<Piece> = caption.map(Piece::Title).into_iter().collect();
    let filled =
        |row: &[Cell]| row.iter().filter(|cell| !cell.text.is_empty() && !cell.spanned).count();
    let rows: Vec<Vec<Cell>> = rows.into_iter().filter(|row| filled(row) > 0).collect();
    // Header lines: those of `thead`, else the first ones that consist of header cells alone.
    let all_headers = |row: &Vec<Cell>| {
        row.len() > 1 && row.iter().all(|cell| cell.is_header || cell.text.is_empty())
    };
    let is_title = |row: &Vec<Cell>| {
        width > 1
            && filled(row) == 1
            && (row.len() == 1 || row[0].text == row[row.len() - 1].text && row.len() == width)
    };
    let headed = if head > 0 {
        head.min(rows.len())
    } else {
        rows.iter().take_while(|row| all_headers(row) || is_title(row)).count()
    };
    let (above, below) = rows.split_at(if headed < rows.len() { headed } else { 0 });
    for row in above.iter().filter(|row| is_title(row)) {
        pieces.push(Piece::Title(row[0].text.clone()));
    }
    let mut header: Vec<String> = Vec::new();
    for row in above.iter().filter(|row| !is_title(row)) {
        for (at, cell) in row.iter().enumerate() {
            match header.get_mut(at) {
                Some(label) if !cell.text.is_empty() && *label != cell.text => {
                    label.push_str(if label.is_empty() { "" } else { " " });
                    label.push_str(&cell.text);
                }
                Some(_) => {}
                None => header.push(cell.text.clone()),
            }
        }
    }
    if header.is_empty() && width == 2 && !first_row_heads(below) {
        // Labels and values: no row is the header of the others.
        let lines: Vec<String> =
            below.iter().map(|row| pair(row)).filter(|line| !line.is_empty()).collect();
        pieces.push(Piece::Text(lines.join("\n\n")));
        return pieces;
    }
    let mut open: Vec<Vec<String>> = Vec::new();
    let flush = |open: &mut Vec<Vec<String>>, header: &[String], pieces: &mut Vec<Piece>| {
        if open.is_empty() {
            return;
        }
        let mut rows = std::mem::take(open);
        if !header.is_empty() {
            rows.insert(0, header.to_vec());
        }
        pieces.push(Piece::Text(markdown_table(&rows)));
    };
    for row in below {
        if is_title(row) {
            flush(&mut open, &header, &mut pieces);
            pieces.push(Piece::Title(row[0].text.clone()));
            continue;
        }
        // What spans columns holds for each of them.
        let cells: Vec<String> = row.iter().map(|cell| cell.text.clone()).collect();
        // Without a header line of its own the first row heads every section below it.
        if header.is_empty() && pieces.is_empty() && open.is_empty() {
            header = cells;
            continue;
        }
        open.push(cells);
    }
    if open.is_empty() && pieces.is_empty() {
        open.push(std::mem::take(&mut header));
    }
    flush(&mut open, &header, &mut pieces);
    pieces
}

/// `label: value`.
fn pair(row: &[Cell]) -> String {
    let cells: Vec<&str> = row
        .iter()
        .filter(|cell| !cell.spanned)
        .map(|cell| cell.text.trim())
        .filter(|text| !text.is_empty())
        .collect();
    match cells.as_slice() {
        [label, value] => format!("{}: {value}", label.trim_end_matches([':', '：'])),
        cells => cells.join(" "),
    }
}

/// Whether the first of rows without header cells heads the others: its last cell has no figure,
/// all others' have.
fn first_row_heads(rows: &[Vec<Cell>]) -> bool {
    let has_figure = |row: &Vec<Cell>| {
        row.last().is_some_and(|cell| cell.text.chars().any(|char| char.is_numeric()))
    };
    rows.len() > 2 && !has_figure(&rows[0]) && rows[1..].iter().all(has_figure)
}

/// Whether a table only arranges the page: it has one cell a row, or cells with headings, tables or
/// several blocks.
pub(super) fn is_layout(table: &Element) -> bool {
    let mut cells = Vec::new();
    table.walk(&mut |element| {
        if element.is(&["td", "th"]) {
            cells.push(element);
        }
    });
    let structured = |cell: &&&Element| {
        let blocks = cell.elements().filter(|child| child.is(&["p", "div", "ul", "ol", "section"]));
        cell.any(&|inner| inner.is_heading() || inner.name == "table" || inner.name == "end")
            || blocks.count() > 3 && text_of(&cell.children).len() > 300
    };
    let has_header = cells.iter().any(|cell| cell.name == "th");
    let role = matches!(table.get("role"), Some("presentation" | "none"));
    role || !has_header && (cells.len() < 2 || cells.iter().filter(structured).count() > 0)
}

/// The cells of a table that only arranges, as blocks.
pub(super) fn unarranged(table: Element) -> Vec<Node> {
    fn collect(nodes: Vec<Node>, out: &mut Vec<Node>) {
        for node in nodes {
            match node {
                Node::Element(element) if element.is(&["tbody", "thead", "tfoot", "tr"]) => {
                    collect(element.children, out)
                }
                Node::Element(mut element) => {
                    element.name = "div".to_owned();
                    out.push(Node::Element(element));
                }
                Node::Text(text) if text.trim().is_empty() => {}
                text => out.push(text),
            }
        }
    }
    let mut out = Vec::new();
    collect(table.children, &mut out);
    out
}
