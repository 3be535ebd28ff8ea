//! PDF → Markdown. Runs in the child process of [`super::isolated`].
//!
//! A PDF has no text, it has characters at places. Characters that follow each other on one
//! baseline are a run, runs a line; what is larger than the body is a heading, lines of several
//! runs one below the other are a table, and what stands at the edge of most pages is a running
//! header or footer, which is left out. Text of another direction than the page's (a stamp across
//! it) is left out too. What can't be told: headings that are only bold, and text in white.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, MediaBox, Object, OutputDev, OutputError, Transform};

use super::grid;
use super::text::{escaped_line, one_line, unbroken};
use crate::language::script::{is_full_width, is_unspaced};
use crate::retrieval::ingest::extraction::{Extraction, MAX_TEXT_BYTES};

mod layout;
mod prices;
mod words;

/// A line whose letters are larger than the body's by this factor is a heading.
const HEADING_SIZE: f64 = 1.12;
/// Longest heading in characters.
const MAX_HEADING: usize = 150;
/// A gap of this many letter sizes starts a table's next cell; a smaller one of at least a sixth is
/// a space.
const CELL_GAP: f64 = 1.0;
const SPACE_GAP: f64 = 0.17;

/// Reads the pages in their order.
///
/// # Errors
///
/// When it is damaged or encrypted, or holds no text because it is scanned.
pub(super) fn read(document: &[u8]) -> Result<Extraction, String> {
    // Some writers put a line or two before the header.
    let head = &document[..document.len().min(1024)];
    if !head.windows(5).any(|window| window == b"%PDF-") {
        return Err("it is no PDF: its header is missing".to_owned());
    }
    let mut pdf =
        Document::load_mem(document).map_err(|error| format!("it is damaged: {error}"))?;
    // Without a password to open it there may still be one to change it.
    if pdf.is_encrypted() && pdf.decrypt("").is_err() {
        return Err("it is encrypted with a password; save it without one".to_owned());
    }
    let mut pages = Pages::default();
    let mut unread = Vec::new();
    let numbers: Vec<u32> = pdf.get_pages().into_keys().collect();
    for number in &numbers {
        pages.begin();
        // The reader panics over what it doesn't expect; that costs a page, not the document.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pdf_extract::output_doc_page(&pdf, &mut pages, *number)
        }));
        if !matches!(outcome, Ok(Ok(()))) {
            unread.push(*number);
        }
        if pages.bytes > MAX_TEXT_BYTES {
            return Err(format!("its text is larger than {} MiB", MAX_TEXT_BYTES >> 20));
        }
    }
    let (mut wordless, mut empty) = (Vec::new(), Vec::new());
    for (glyphs, number) in pages.pages.iter_mut().zip(&numbers) {
        match words::judge(glyphs.iter().map(|glyph| glyph.text.as_str())) {
            words::Page::Words => {}
            words::Page::Empty => empty.push(*number),
            // Characters that aren't what they look like would be quoted as they are.
            words::Page::NoWords => {
                wordless.push(*number);
                glyphs.clear();
            }
        }
    }
    empty.retain(|number| !unread.contains(number));
    let text = markdown(&pages.lines());
    if text.is_empty() && !unread.is_empty() {
        return Err(format!(
            "none of its {} pages can be read; save it anew, or in another format",
            numbers.len()
        ));
    }
    if text.is_empty() && !wordless.is_empty() {
        return Err(
            "its text is no words: its fonts don't say which letters they draw; have it read by OCR first".to_owned()
        );
    }
    if text.is_empty() {
        return Err(
            "it holds no text, so it is probably scanned; have it read by OCR first".to_owned()
        );
    }
    let mut warnings = Vec::new();
    for (pages, what) in [
        (unread, "can't be read"),
        (
            wordless,
            "hold text that is no words, because their fonts don't say which letters they draw; have them read by OCR",
        ),
        (empty, "hold no text and are probably scanned; have them read by OCR"),
    ] {
        if !pages.is_empty() {
            let named: Vec<String> = pages.iter().take(20).map(u32::to_string).collect();
            warnings.push(format!(
                "of its {} pages these {what}: {}",
                numbers.len(),
                named.join(", ")
            ));
        }
    }
    let language = pdf.catalog().ok().and_then(|catalog| string(&pdf, catalog.get(b"Lang").ok()?));
    Ok(Extraction { title: title(&pdf), language, text, warnings, ..Extraction::default() })
}

fn string(pdf: &Document, object: &Object) -> Option<String> {
    let object = pdf.dereference(object).ok()?.1;
    let text = pdf_extract::decode_text_string(object).ok()?;
    Some(one_line(&text)).filter(|text| !text.is_empty())
}

/// The title that the document gives itself, unless a program gave it.
fn title(pdf: &Document) -> Option<String> {
    let info = pdf.dereference(pdf.trailer.get(b"Info").ok()?).ok()?.1.as_dict().ok()?;
    let title = string(pdf, info.get(b"Title").ok()?)?;
    let lower = title.to_lowercase();
    let by_program = ["microsoft ", "untitled", "unbenannt", "powerpoint"]
        .iter()
        .any(|start| lower.starts_with(start))
        || [".doc", ".docx", ".indd", ".pdf", ".tex", ".dvi", ".xlsx"]
            .iter()
            .any(|end| lower.ends_with(end));
    (!by_program).then_some(title)
}

#[derive(Clone, Debug)]
struct Run {
    text: String,
    left: f64,
    right: f64,
}

#[derive(Clone, Debug)]
struct Line {
    page: usize,
    /// Baseline, upwards.
    y: f64,
    /// Letter size, which is its larger part's.
    size: f64,
    runs: Vec<Run>,
    /// In the page's upper or lower margin.
    at_edge: bool,
}

impl Line {
    fn text(&self) -> String {
        self.runs.iter().map(|run| run.text.trim()).collect::<Vec<_>>().join(" ")
    }

    fn left(&self) -> f64 {
        self.runs.first().map_or(0.0, |run| run.left)
    }

    fn right(&self) -> f64 {
        self.runs.last().map_or(0.0, |run| run.right)
    }
}

struct Glyph {
    /// Direction in quarter turns.
    turn: usize,
    x: f64,
    y: f64,
    size: f64,
    width: f64,
    text: String,
}

/// Takes in what the pages show.
#[derive(Default)]
struct Pages {
    pages: Vec<Vec<Glyph>>,
    bytes: usize,
}

impl OutputDev for Pages {
    fn begin_page(
        &mut self,
        _: u32,
        _: &MediaBox,
        _: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        trm: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        char: &str,
    ) -> Result<(), OutputError> {
        let along = trm.m11.hypot(trm.m12);
        let (size, advance) =
            (trm.m21.hypot(trm.m22) * font_size.abs(), along * font_size.abs() * width);
        let turn = match (trm.m11 / along, trm.m12 / along) {
            (cos, _) if cos > 0.98 => 0,
            (_, sin) if sin > 0.98 => 1,
            (cos, _) if cos < -0.98 => 2,
            (_, sin) if sin < -0.98 => 3,
            _ => return Ok(()),
        };
        let (x, y) = match turn {
            0 => (trm.m31, trm.m32),
            1 => (trm.m32, -trm.m31),
            2 => (-trm.m31, -trm.m32),
            _ => (-trm.m32, trm.m31),
        };
        if ![x, y, size, advance].iter().all(|number| number.is_finite()) || size < 0.5 {
            return Ok(());
        }
        let text: String =
            char.chars().filter(|char| !char.is_control() && *char != '\u{FFFD}').collect();
        self.bytes += text.len() + 8;
        // Beyond the limit the pages are no document, which is said after the page.
        if let Some(page) = self.pages.last_mut().filter(|_| self.bytes <= 2 * MAX_TEXT_BYTES) {
            page.push(Glyph { turn, x, y, size, width: advance.max(0.0), text });
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

impl Pages {
    fn begin(&mut self) {
        self.pages.push(Vec::new());
    }

    fn lines(self) -> Vec<Line> {
        let mut lines = Vec::new();
        let count = self.pages.len();
        for (page, glyphs) in self.pages.into_iter().enumerate() {
            let mut of_page = layout::in_reading_order(page_lines(page, &glyphs));
            let (mut low, mut high) = (f64::MAX, f64::MIN);
            for line in &of_page {
                (low, high) = (low.min(line.y), high.max(line.y));
            }
            let margin = (high - low) * 0.08;
            for line in &mut of_page {
                line.at_edge = line.y > high - margin || line.y < low + margin;
            }
            lines.extend(of_page);
        }
        without_running_lines(lines, count)
    }
}

/// Runs and lines of a page, in the order in which they are drawn.
fn page_lines(page: usize, glyphs: &[Glyph]) -> Vec<Line> {
    let mut turns = [0_usize; 4];
    for glyph in glyphs {
        turns[glyph.turn] += 1;
    }
    let main = (0..4).max_by_key(|turn| (turns[*turn], 4 - turn)).unwrap_or(0);
    let mut lines: Vec<Line> = Vec::new();
    for glyph in glyphs.iter().filter(|glyph| glyph.turn == main) {
        let right = glyph.x + glyph.width;
        let place = lines.last_mut().filter(|line| {
            let size = line.size.max(glyph.size);
            // Superscripts and accents sit a little off.
            (line.y - glyph.y).abs() < size * 0.4 && glyph.x > line.right() - size * 1.5
        });
        if glyph.text.trim().is_empty() {
            // A drawn space; how wide the gap is decides what it means.
            continue;
        }
        let Some(line) = place else {
            let run = Run { text: glyph.text.clone(), left: glyph.x, right };
            lines.push(Line {
                page,
                y: glyph.y,
                size: glyph.size,
                runs: vec![run],
                at_edge: false,
            });
            continue;
        };
        let gap = glyph.x - line.right();
        let size = line.size.max(glyph.size);
        if gap > size * CELL_GAP {
            line.runs.push(Run { text: glyph.text.clone(), left: glyph.x, right });
        } else if let Some(run) = line.runs.last_mut() {
            if gap > size * SPACE_GAP {
                run.text.push(' ');
            }
            run.text.push_str(&glyph.text);
            run.right = run.right.max(right);
        }
        line.size = size;
    }
    for line in &mut lines {
        join_marker(line);
    }
    lines
}

/// A bullet or number and the text after it are one.
fn join_marker(line: &mut Line) {
    if line.runs.len() > 1 && marker(&format!("{} x", line.runs[0].text.trim())).is_some() {
        let first = line.runs.remove(0);
        line.runs[0] = Run {
            text: format!("{} {}", first.text.trim(), line.runs[0].text),
            left: first.left,
            right: line.runs[0].right,
        };
    }
}

/// A list item's marker in Markdown, and what follows it.
fn marker(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let rest = text
        .strip_prefix(['•', '◦', '▪', '■', '●', '‣', '–', '·', '*', '-', '\u{F0B7}', '\u{F0A7}']);
    if let Some(rest) = rest.filter(|rest| rest.starts_with(char::is_whitespace)) {
        return Some(("-".to_owned(), rest.trim_start()));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[digits..].strip_prefix(['.', ')'])?;
    let item = (1..=3).contains(&digits) && rest.starts_with(char::is_whitespace);
    item.then(|| (format!("{}.", &text[..digits]), rest.trim_start()))
}

/// Takes out what stands at the edge of most pages, and page numbers there.
fn without_running_lines(lines: Vec<Line>, pages: usize) -> Vec<Line> {
    let shape = |line: &Line| -> String {
        let text = unbroken(&line.text());
        text.chars().map(|char| if char.is_ascii_digit() { '#' } else { char }).collect()
    };
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for line in lines.iter().filter(|line| line.at_edge) {
        let on = seen.entry(shape(line)).or_default();
        if on.last() != Some(&line.page) {
            on.push(line.page);
        }
    }
    let running = |line: &Line| {
        let shape = shape(line);
        let number = shape.contains('#') && shape.len() < 24 && {
            let words = shape.to_lowercase().replace(['#', '/', '-', '–', '|', '.'], " ");
            words.split_whitespace().all(|word| matches!(word, "page" | "seite" | "of" | "von"))
        };
        number && pages > 1 || pages > 2 && seen.get(&shape).is_some_and(|on| on.len() * 2 > pages)
    };
    let keep: Vec<bool> = lines.iter().map(|line| !(line.at_edge && running(line))).collect();
    lines.into_iter().zip(keep).filter_map(|(line, keep)| keep.then_some(line)).collect()
}

/// Sizes to the half point.
fn rounded(size: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a font has a few hundred points"
    )]
    let halves = (size.clamp(0.0, 10_000.0) * 2.0).round() as u32;
    halves
}

/// The usual distance between lines of a paragraph, in letter sizes.
fn pitch(lines: &[Line]) -> f64 {
    let mut steps: Vec<f64> = lines
        .windows(2)
        .filter(|pair| {
            pair[0].page == pair[1].page && rounded(pair[0].size) == rounded(pair[1].size)
        })
        .map(|pair| (pair[0].y - pair[1].y) / pair[1].size)
        .filter(|step| (0.8..2.5).contains(step))
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(1.2)
}

fn markdown(lines: &[Line]) -> String {
    let mut letters: BTreeMap<u32, usize> = BTreeMap::new();
    for line in lines {
        *letters.entry(rounded(line.size)).or_default() += line.text().chars().count();
    }
    let body = letters.iter().max_by_key(|(_, count)| **count).map_or(0, |(size, _)| *size);
    let is_heading = |line: &Line| {
        let text = line.text();
        f64::from(rounded(line.size)) > f64::from(body) * HEADING_SIZE
            && text.chars().count() <= MAX_HEADING
            && text.chars().any(char::is_alphabetic)
    };
    let mut levels: Vec<u32> =
        lines.iter().filter(|line| is_heading(line)).map(|line| rounded(line.size)).collect();
    levels.sort_unstable_by(|a, b| b.cmp(a));
    levels.dedup();
    let pitch = pitch(lines);

    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        let before = at.checked_sub(1).map(|before| &lines[before]);
        if is_heading(line) {
            let level =
                levels.iter().position(|size| *size == rounded(line.size)).unwrap_or(0).min(5) + 1;
            let goes_on = before.is_some_and(|before| {
                is_heading(before)
                    && rounded(before.size) == rounded(line.size)
                    && follows(before, line, pitch)
            });
            match out.last_mut().filter(|_| goes_on) {
                Some(heading) => heading.push_str(&format!(" {}", unbroken(&line.text()))),
                None => out.push(format!("{} {}", "#".repeat(level), unbroken(&line.text()))),
            }
            at += 1;
            continue;
        }
        let rows = rows_of_table(&lines[at..], &is_heading);
        if lines[at..at + rows].iter().filter(|row| row.runs.len() > 1).count() > 1 {
            let mut cells = table(&lines[at..at + rows]);
            at += rows;
            // A table goes on at the top of the next page, mostly with its header again.
            while let Some(next) = lines.get(at).filter(|next| next.page == lines[at - 1].page + 1)
            {
                let rows = rows_of_table(&lines[at..], &is_heading);
                let part = table(&lines[at..at + rows]);
                if next.runs.len() < 2
                    || rows < 2
                    || !same_columns(&lines[at - 1], next, &cells, &part)
                {
                    break;
                }
                let repeated =
                    part.iter().zip(&cells).take_while(|(row, first)| row == first).count();
                cells.extend(part.into_iter().skip(repeated));
                at += rows;
            }
            out.push(grid::markdown(&cells));
            continue;
        }
        let text = unbroken(&line.text());
        let item = marker(&text).map(|(marker, rest)| format!("{marker} {rest}"));
        let joins = before.is_some_and(|before| {
            let anew = || is_short(at - 1, lines) && !line.text().starts_with(char::is_lowercase);
            item.is_none()
                && !is_heading(before)
                && before.runs.len() == 1
                && continues(before, line, pitch)
                && !anew()
        });
        match out.last_mut().filter(|last| joins && !last.starts_with(['#', '|'])) {
            Some(last) => join(last, &text),
            // Items stand one below the other.
            None => match (item, out.last_mut()) {
                (Some(item), Some(last))
                    if marker(last.rsplit('\n').next().unwrap_or_default()).is_some() =>
                {
                    last.push('\n');
                    last.push_str(&item);
                }
                (Some(item), _) => out.push(item),
                (None, _) => out.push(escaped_line(&text)),
            },
        }
        at += 1;
    }
    out.retain(|block| !block.is_empty());
    out.join("\n\n")
}

/// How many lines from the first one on are rows of one table.
fn rows_of_table(lines: &[Line], is_heading: &impl Fn(&Line) -> bool) -> usize {
    let first = &lines[0];
    let rows = lines.iter().enumerate().take_while(|(index, row)| {
        let continues =
            row.runs.len() == 1 && *index > 0 && wraps(first, row) && marker(&row.text()).is_none();
        // What stands far higher is another column's.
        let below = *index == 0 || lines[index - 1].y > row.y - row.size * 0.5;
        row.page == first.page && below && !is_heading(row) && (row.runs.len() > 1 || continues)
    });
    rows.count()
}

/// Whether the rows of the next page are of the same table: as many columns, at the same places or
/// under the same header.
fn same_columns(last: &Line, next: &Line, above: &[Vec<String>], below: &[Vec<String>]) -> bool {
    let width = |rows: &[Vec<String>]| rows.iter().map(Vec::len).max().unwrap_or(0);
    let near = |a: &Run, b: &Run| {
        (a.left - b.left).abs() < next.size || (a.right - b.right).abs() < next.size
    };
    let aligned = last.runs.len() == next.runs.len()
        && last.runs.iter().zip(&next.runs).filter(|(a, b)| near(a, b)).count() * 3
            >= next.runs.len() * 2;
    width(above) == width(below) && (aligned || above.first() == below.first())
}

/// Whether a line is the next one below another.
fn follows(before: &Line, line: &Line, pitch: f64) -> bool {
    let step = (before.y - line.y) / line.size;
    before.page == line.page && step > 0.0 && step < pitch.max(1.0) * 1.3 + 0.1
}

/// Share of its column's width that a line leaves off before, if the next one begins a paragraph.
const SHORT_LINE: f64 = 0.7;

/// Lines around one that tell how wide its column is.
const COLUMN_LINES: usize = 40;

/// Whether a line ends well before its column does.
fn is_short(at: usize, lines: &[Line]) -> bool {
    let line = &lines[at];
    let around = &lines[at.saturating_sub(COLUMN_LINES)..lines.len().min(at + COLUMN_LINES)];
    let column = around.iter().filter(|other| {
        other.page == line.page
            && other.runs.len() == 1
            && (other.left() - line.left()).abs() < line.size * 2.0
    });
    let width = column.map(|other| other.right() - line.left()).fold(0.0, f64::max);
    line.right() - line.left() < width * SHORT_LINE
}

/// Whether a line goes on with the sentence of the one before.
fn continues(before: &Line, line: &Line, pitch: f64) -> bool {
    let similar = (before.size - line.size).abs() < line.size * 0.15;
    let ended = before.text().ends_with(['.', '!', '?', ':', '。', '！', '？', '：']);
    if before.page != line.page {
        return similar && !ended && line.text().starts_with(char::is_lowercase);
    }
    similar && follows(before, line, pitch)
}

/// Adds a line to its paragraph. A hyphen at its end goes where a word goes on in lower case.
fn join(paragraph: &mut String, line: &str) {
    let hyphenated = paragraph
        .strip_suffix(['-', '\u{AD}', '‐'])
        .filter(|rest| rest.ends_with(char::is_alphabetic));
    match hyphenated.map(str::len) {
        Some(end) if line.starts_with(char::is_lowercase) => paragraph.truncate(end),
        Some(_) => {}
        None if unspaced(paragraph.chars().next_back()) && unspaced(line.chars().next()) => {}
        None => paragraph.push(' '),
    }
    paragraph.push_str(line);
}

/// Scripts that put no space between words don't get one at a line's end.
fn unspaced(char: Option<char>) -> bool {
    char.is_some_and(|char| is_unspaced(char) || is_full_width(char))
}

/// Whether a line of one run is the rest of a cell in the row above: it begins right of the first
/// column.
fn wraps(first: &Line, line: &Line) -> bool {
    first.runs.len() > 1 && line.left() > first.runs[0].right && line.page == first.page
}

/// Rows of cells. Columns are those of the row that has most; a cell belongs to the one it lies
/// nearest to.
fn table(lines: &[Line]) -> Vec<Vec<String>> {
    let columns = lines
        .iter()
        .max_by_key(|line| line.runs.len())
        .map(|line| line.runs.clone())
        .unwrap_or_default();
    let nearest = |run: &Run| {
        let distance = |column: &Run| {
            let apart = (run.left - column.right).max(column.left - run.right).max(0.0);
            (apart, ((run.left - column.left).abs()).min((run.right - column.right).abs()))
        };
        let by = |a: &(usize, &Run), b: &(usize, &Run)| {
            let (a, b) = (distance(a.1), distance(b.1));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        };
        columns.iter().enumerate().min_by(by).map_or(0, |(index, _)| index)
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines {
        let wrapped = line.runs.len() == 1;
        if !wrapped || rows.is_empty() {
            rows.push(vec![String::new(); columns.len()]);
        }
        let Some(row) = rows.last_mut() else { continue };
        for run in &line.runs {
            let cell = &mut row[nearest(run)];
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&unbroken(&run.text));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(y: f64, size: f64, runs: &[(f64, f64, &str)]) -> Line {
        let runs = runs.iter().map(|(left, right, text)| Run {
            text: (*text).into(),
            left: *left,
            right: *right,
        });
        let mut line = Line { page: 0, y, size, runs: runs.collect(), at_edge: false };
        join_marker(&mut line);
        line
    }

    #[test]
    fn places_become_structure() {
        let lines = [
            line(800.0, 20.0, &[(50.0, 150.0, "Deliv-"), (180.0, 200.0, "ery")]),
            line(770.0, 10.0, &[(50.0, 400.0, "We ship on week-")]),
            line(758.0, 10.0, &[(50.0, 120.0, "days, and so on.")]),
            line(730.0, 14.0, &[(50.0, 120.0, "Prices")]),
            line(710.0, 10.0, &[(50.0, 80.0, "Zone"), (200.0, 240.0, "Price")]),
            line(698.0, 10.0, &[(50.0, 90.0, "Ireland"), (215.0, 240.0, "4.90")]),
            line(686.0, 10.0, &[(50.0, 90.0, "Spain"), (210.0, 240.0, "14.90")]),
            line(674.0, 10.0, &[(200.0, 280.0, "with a signature")]),
            line(640.0, 10.0, &[(50.0, 53.0, "•"), (70.0, 120.0, "One")]),
            line(628.0, 10.0, &[(50.0, 53.0, "•"), (70.0, 120.0, "Two")]),
            line(
                600.0,
                10.0,
                &[(50.0, 120.0, "# no heading, and the end of all the text that there is")],
            ),
        ];
        assert_eq!(
            markdown(&lines),
            "# Deliv- ery\n\nWe ship on weekdays, and so on.\n\n## Prices\n\n\
             | Zone | Price |\n| --- | --- |\n| Ireland | 4.90 |\n| Spain | 14.90 with a signature |\n\n\
             - One\n- Two\n\n\\# no heading, and the end of all the text that there is"
        );
    }

    #[test]
    fn running_headers_and_page_numbers_go() {
        let page = |page: usize| {
            let mut lines = vec![
                line(800.0, 10.0, &[(50.0, 90.0, "Handbook 2026")]),
                line(400.0, 10.0, &[(50.0, 90.0, "Text.")]),
                line(20.0, 10.0, &[(50.0, 90.0, &format!("Page {} of 3", page + 1))]),
            ];
            for line in &mut lines {
                line.page = page;
                line.at_edge = line.y != 400.0;
            }
            lines
        };
        let lines: Vec<Line> = (0..3).flat_map(page).collect();
        let kept: Vec<String> = without_running_lines(lines, 3).iter().map(Line::text).collect();
        assert_eq!(kept, ["Text."; 3]);
    }
}
