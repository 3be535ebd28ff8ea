//! Word documents → Markdown. Runs in the child process of [`super::isolated`].
//!
//! The XML is read as a stream, so that nesting costs no stack. What a reader doesn't see (deleted,
//! moved and hidden text, field codes, comments, tables of contents) is left out.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::text::escaped_line;
use crate::retrieval::ingest::extraction::{Archive, Extraction, open_zip, zip_text};

/// Elements within elements; Word itself nests a few dozen.
const MAX_DEPTH: usize = 1_000;
/// Columns of a table that are kept.
const MAX_COLUMNS: usize = 64;
/// Longest line that is a heading for being bold, in characters.
const MAX_BOLD_HEADING: usize = 120;

/// Reads the document's body.
///
/// # Errors
///
/// When it is damaged, encrypted, or holds no text.
pub(super) fn read(document: &[u8]) -> Result<Extraction, String> {
    let mut archive = open_zip(document)?;
    let body = archive.file_names_raw().filter_map(|name| std::str::from_utf8(name).ok());
    let body =
        body.filter(|name| name.starts_with("word/document") && name.ends_with(".xml")).min();
    let Some(body) = body.map(str::to_owned) else {
        return Err("it is no Word document: it has no word/document.xml".to_owned());
    };
    let name = body.trim_start_matches("word/");
    let mut walker = Walker {
        styles: styles(&zip_text(&mut archive, "word/styles.xml")?)?,
        lists: lists(&zip_text(&mut archive, "word/numbering.xml")?)?,
        links: links(&zip_text(&mut archive, &format!("word/_rels/{name}.rels"))?)?,
        ..Walker::default()
    };
    walker.walk(&zip_text(&mut archive, &body)?)?;
    let (title, language) = properties(&zip_text(&mut archive, "docProps/core.xml")?)?;
    let text = walker.out.trim().to_owned();
    if text.is_empty() {
        return Err("it holds no text; if it holds pictures of text, have them read by OCR first"
            .to_owned());
    }
    let warnings = margins(&mut archive, &text)?;
    Ok(Extraction { title, language, text, warnings, ..Extraction::default() })
}

/// What pages say above and below their text isn't part of it: it is named where it says more than
/// the text does.
fn margins(archive: &mut Archive<'_>, text: &str) -> Result<Vec<String>, String> {
    const MOST: usize = 12;
    const SHOWN: usize = 200;
    let names = archive.file_names_raw().filter_map(|name| std::str::from_utf8(name).ok());
    let mut parts: Vec<String> = names
        .filter(|name| {
            let part = name.strip_prefix("word/").and_then(|part| part.strip_suffix(".xml"));
            part.is_some_and(|part| part.starts_with("header") || part.starts_with("footer"))
        })
        .map(str::to_owned)
        .collect();
    parts.sort();
    let mut said: Vec<String> = Vec::new();
    for part in parts.into_iter().take(MOST) {
        let mut walker = Walker::default();
        walker.walk(&zip_text(archive, &part)?)?;
        let line = walker.out.split_whitespace().collect::<Vec<_>>().join(" ");
        // A page's number says nothing.
        let letters = line.chars().filter(|char| char.is_alphabetic()).count();
        if letters > MIN_LETTERS && !text.contains(&line) && !said.contains(&line) {
            said.push(line);
        }
    }
    let note = |line: String| {
        let shown: String = line.chars().take(SHOWN).collect();
        format!("what its pages say above or below their text was left out: {shown:?}")
    };
    Ok(said.into_iter().map(note).collect())
}

/// Shorter lines at a page's margin number it: "Page 3 of 7".
const MIN_LETTERS: usize = 12;

/// Calls `take` with each event and how many elements are open around it.
fn each<'a>(xml: &'a str, mut take: impl FnMut(usize, &Event<'a>)) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|error| {
            format!("its XML is broken at byte {}: {error}", reader.error_position())
        })?;
        match &event {
            Event::Eof if depth > 0 => return Err("its XML ends in the middle".to_owned()),
            Event::Eof => return Ok(()),
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        take(depth, &event);
        if matches!(event, Event::Start(_)) {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(format!("its XML is nested more than {MAX_DEPTH} deep"));
            }
        }
    }
}

fn local<'a>(element: &'a BytesStart<'_>) -> &'a str {
    element.name().0.rsplit(':').next().unwrap_or_default()
}

/// An attribute by its name without namespace.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut found = attributes
        .with_checks(false)
        .flatten()
        .filter(|attribute| attribute.key.0.rsplit(':').next() == Some(name));
    found.next().map(|attribute| match quick_xml::escape::unescape(&attribute.value) {
        Ok(value) => value.into_owned(),
        Err(_) => attribute.value.to_string(),
    })
}

/// `<w:vanish/>` is on, `<w:vanish w:val="0"/>` is off.
fn is_on(element: &BytesStart<'_>) -> bool {
    attribute(element, "val")
        .is_none_or(|value| !matches!(value.as_str(), "0" | "false" | "off" | "none"))
}

/// What a paragraph style makes of its paragraphs.
#[derive(Clone, Debug, Default)]
struct Style {
    /// 1 to 6.
    heading: Option<usize>,
    list: Option<(String, usize)>,
    contents: bool,
    based_on: Option<String>,
}

fn styles(xml: &str) -> Result<HashMap<String, Style>, String> {
    let mut styles: HashMap<String, Style> = HashMap::new();
    let mut id = None;
    each(xml, |_, event| {
        let (Event::Start(element) | Event::Empty(element)) = event else { return };
        let value = || attribute(element, "val").unwrap_or_default();
        if local(element) == "style" {
            id = attribute(element, "styleId");
            return;
        }
        let Some(style) = id.clone().map(|id| styles.entry(id).or_default()) else { return };
        match local(element) {
            "name" => {
                let name = value().to_lowercase();
                style.heading = match name.strip_prefix("heading ").map(str::trim) {
                    Some(level) => level.parse().ok().filter(|level| (1..=9).contains(level)),
                    None => (name == "title").then_some(1),
                };
                style.contents = name.starts_with("toc ");
            }
            "basedOn" => style.based_on = Some(value()),
            "outlineLvl" => style.heading = style.heading.or(outline(&value())),
            "numId" => style.list.get_or_insert_default().0 = value(),
            "ilvl" => style.list.get_or_insert_default().1 = value().parse().unwrap_or(0),
            _ => {}
        }
    })?;
    Ok(styles)
}

/// Outline levels count from 0; 9 is body text.
fn outline(value: &str) -> Option<usize> {
    value.parse::<usize>().ok().filter(|level| *level < 9).map(|level| level + 1)
}

/// How the items of a list's level are numbered.
#[derive(Clone, Debug, Default)]
struct Level {
    /// `decimal`, `lowerLetter`, `bullet`, …
    format: String,
    /// `%1.%2` stands for the numbers of the first and the second level.
    text: String,
    start: usize,
}

impl Level {
    fn is_numbered(&self) -> bool {
        !self.format.is_empty() && !matches!(self.format.as_str(), "bullet" | "none")
    }
}

/// The levels of lists, by list and depth.
fn lists(xml: &str) -> Result<HashMap<(String, usize), Level>, String> {
    let mut levels: HashMap<(String, usize), Level> = HashMap::new();
    let mut lists = HashMap::new();
    let mut overrides: HashMap<(String, usize), usize> = HashMap::new();
    let (mut abstract_id, mut list, mut level) = (None, None, 0);
    each(xml, |_, event| {
        let (Event::Start(element) | Event::Empty(element)) = event else { return };
        let value = || attribute(element, "val").unwrap_or_default();
        let depth = || attribute(element, "ilvl").and_then(|level| level.parse().ok()).unwrap_or(0);
        match local(element) {
            "abstractNum" => (abstract_id, list) = (attribute(element, "abstractNumId"), None),
            "num" => (abstract_id, list) = (None, attribute(element, "numId")),
            "lvl" | "lvlOverride" => level = depth(),
            "startOverride" => {
                if let (Some(list), Ok(start)) = (&list, value().parse()) {
                    overrides.insert((list.clone(), level), start);
                }
            }
            name @ ("numFmt" | "lvlText" | "start") => {
                if let Some(id) = &abstract_id {
                    let of_level = levels
                        .entry((id.clone(), level))
                        .or_insert_with(|| Level { start: 1, ..Level::default() });
                    match name {
                        "numFmt" => of_level.format = value(),
                        "lvlText" => of_level.text = value(),
                        _ => of_level.start = value().parse().unwrap_or(1),
                    }
                }
            }
            "abstractNumId" => {
                if let (Some(list), Some(id)) = (&list, attribute(element, "val")) {
                    lists.insert(list.clone(), id);
                }
            }
            _ => {}
        }
    })?;
    let of_list = |(list, id): (String, String)| {
        let level = |depth| {
            let mut level = levels.get(&(id.clone(), depth))?.clone();
            level.start = overrides.get(&(list.clone(), depth)).copied().unwrap_or(level.start);
            Some(((list.clone(), depth), level))
        };
        (0..9).filter_map(level).collect::<Vec<_>>()
    };
    Ok(lists.into_iter().flat_map(of_list).collect())
}

/// A number as its level writes it.
fn written(number: usize, format: &str) -> String {
    let letters = |first: u8| {
        let letter = char::from(first + u8::try_from((number.max(1) - 1) % 26).unwrap_or(0));
        letter.to_string().repeat((number.max(1) - 1) / 26 % 5 + 1)
    };
    match format {
        "lowerLetter" => letters(b'a'),
        "upperLetter" => letters(b'A'),
        "lowerRoman" => roman(number).to_lowercase(),
        "upperRoman" => roman(number),
        "decimalZero" => format!("{number:02}"),
        _ => number.to_string(),
    }
}

fn roman(mut number: usize) -> String {
    const PARTS: [(usize, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut out = String::new();
    number %= 4000;
    for (value, letters) in PARTS {
        while number >= value {
            out.push_str(letters);
            number -= value;
        }
    }
    out
}

/// Web addresses by relationship id.
fn links(xml: &str) -> Result<HashMap<String, String>, String> {
    let mut links = HashMap::new();
    each(xml, |_, event| {
        let (Event::Start(element) | Event::Empty(element)) = event else { return };
        if let (Some(id), Some(target)) = (attribute(element, "Id"), attribute(element, "Target"))
            && ["https://", "http://", "mailto:"].iter().any(|start| target.starts_with(start))
            && !target.contains(|char: char| {
                char.is_whitespace() || matches!(char, '(' | ')' | '<' | '>')
            })
        {
            links.insert(id, target);
        }
    })?;
    Ok(links)
}

/// Title and language.
fn properties(xml: &str) -> Result<(Option<String>, Option<String>), String> {
    let (mut title, mut language) = (String::new(), String::new());
    let mut within = String::new();
    each(xml, |_, event| match event {
        Event::Start(element) => within = local(element).to_owned(),
        Event::End(_) => within.clear(),
        event => {
            let text = text_of(event).unwrap_or_default();
            match within.as_str() {
                "title" => title.push_str(&text),
                "language" => language.push_str(&text),
                _ => {}
            }
        }
    })?;
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok((some(title), some(language)))
}

/// The characters of an event, if it is text. Entities that a document defines itself are never
/// followed.
fn text_of(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(text) => Some(text.xml10_content().into_owned()),
        Event::CData(text) => Some(text.to_string()),
        Event::GeneralRef(name) => match name.resolve_char_ref() {
            Ok(Some(char)) => Some(char.to_string()),
            _ => quick_xml::escape::resolve_xml_entity(name).map(str::to_owned),
        },
        _ => None,
    }
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    heading: Option<usize>,
    list: Option<(String, usize)>,
    /// Letters that are bold, and that aren't.
    bold: usize,
    plain: usize,
}

impl Paragraph {
    /// A heading by its looks alone: bold, short, no sentence.
    fn looks_like_heading(&self) -> bool {
        let text = self.text.trim();
        self.bold > 2
            && self.plain == 0
            && text.chars().count() <= MAX_BOLD_HEADING
            && !text.contains('\n')
            && !text.ends_with(['.', ',', ';', '!', '。', '，'])
    }
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: String,
    /// Columns that the cell takes.
    span: usize,
    /// The cell goes on from the one above it.
    merged: bool,
}

#[derive(Default)]
struct Walker {
    styles: HashMap<String, Style>,
    lists: HashMap<(String, usize), Level>,
    links: HashMap<String, String>,
    out: String,
    /// The last thing written was a list item.
    in_list: bool,
    /// Numbers given so far, by list and level.
    counters: HashMap<(String, usize), usize>,
    /// Open paragraphs: those of a text box stand within another.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    /// Depth of an element that is passed over with all it holds.
    skip: Option<usize>,
    in_run: bool,
    in_text: bool,
    hidden: bool,
    bold: bool,
    /// Where a link's text begins, and its address.
    link: Option<(usize, String)>,
}

impl Walker {
    fn walk(&mut self, xml: &str) -> Result<(), String> {
        each(xml, |depth, event| {
            if let Some(skip) = self.skip {
                if matches!(event, Event::End(_)) && depth <= skip {
                    self.skip = None;
                }
                return;
            }
            match event {
                Event::Start(element) => {
                    if matches!(
                        local(element),
                        "del" | "moveFrom" | "Fallback" | "instrText" | "delText"
                    ) {
                        self.skip = Some(depth);
                    } else {
                        self.open(element);
                    }
                }
                Event::Empty(element) => {
                    self.open(element);
                    self.close(local(element));
                }
                Event::End(element) => {
                    self.close(element.name().0.rsplit(':').next().unwrap_or_default())
                }
                event => {
                    if self.in_text
                        && !self.hidden
                        && let Some(text) = text_of(event)
                    {
                        let letters = text.chars().filter(|char| char.is_alphanumeric()).count();
                        let bold = self.bold;
                        self.in_paragraph(|paragraph| {
                            paragraph.text.push_str(&text);
                            *(if bold { &mut paragraph.bold } else { &mut paragraph.plain }) +=
                                letters;
                        });
                    }
                }
            }
        })
    }

    fn open(&mut self, element: &BytesStart<'_>) {
        let value = || attribute(element, "val").unwrap_or_default();
        match local(element) {
            "p" => self.paragraphs.push(Paragraph::default()),
            "pStyle" => self.in_paragraph(|paragraph| paragraph.style = Some(value())),
            "outlineLvl" => self.in_paragraph(|paragraph| paragraph.heading = outline(&value())),
            "numId" => {
                self.in_paragraph(|paragraph| paragraph.list.get_or_insert_default().0 = value())
            }
            "ilvl" => self.in_paragraph(|paragraph| {
                paragraph.list.get_or_insert_default().1 = value().parse().unwrap_or(0);
            }),
            "r" => (self.in_run, self.hidden, self.bold) = (true, false, false),
            // What is struck out no longer holds.
            "vanish" | "webHidden" | "strike" | "dstrike" if self.in_run => {
                self.hidden |= is_on(element)
            }
            "b" if self.in_run => self.bold = is_on(element),
            "t" => self.in_text = true,
            "tab" if self.in_run => self.in_paragraph(|paragraph| paragraph.text.push(' ')),
            "br" | "cr" if self.in_run => self.in_paragraph(|paragraph| paragraph.text.push('\n')),
            "noBreakHyphen" if self.in_run => {
                self.in_paragraph(|paragraph| paragraph.text.push('-'))
            }
            "hyperlink" => {
                let address = attribute(element, "id").and_then(|id| self.links.get(&id).cloned());
                let at = self.paragraphs.last().map_or(0, |paragraph| paragraph.text.len());
                self.link = address.map(|address| (at, address));
            }
            "tbl" => self.tables.push(Table::default()),
            "tr" => self.in_table(|table| table.row.clear()),
            "tc" => self.in_table(|table| {
                (table.cell, table.span, table.merged) = (String::new(), 1, false)
            }),
            "gridSpan" => self
                .in_table(|table| table.span = value().parse().unwrap_or(1).clamp(1, MAX_COLUMNS)),
            "vMerge" => self.in_table(|table| table.merged = value() != "restart"),
            _ => {}
        }
    }

    fn in_paragraph(&mut self, change: impl FnOnce(&mut Paragraph)) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            change(paragraph);
        }
    }

    fn in_table(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = self.tables.last_mut() {
            change(table);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "r" => self.in_run = false,
            "hyperlink" => {
                if let Some((start, address)) = self.link.take()
                    && let Some(paragraph) = self.paragraphs.last_mut()
                    && let Some(text) = paragraph.text.get(start..).map(str::trim)
                    && !text.is_empty()
                {
                    let linked = if address.trim_start_matches("mailto:") == text {
                        text.to_owned()
                    } else {
                        format!("[{text}]({address})")
                    };
                    paragraph.text.truncate(start);
                    paragraph.text.push_str(&linked);
                }
            }
            "p" => self.end_paragraph(),
            "tc" => self.in_table(|table| {
                if table.row.len() >= MAX_COLUMNS {
                    return;
                }
                let above = table.rows.last().and_then(|row| row.get(table.row.len()));
                let cell = if table.merged {
                    above.cloned().unwrap_or_default()
                } else {
                    std::mem::take(&mut table.cell)
                };
                table.row.push(cell);
                table.row.extend(std::iter::repeat_n(String::new(), table.span - 1));
            }),
            "tr" => self.in_table(|table| {
                let row = std::mem::take(&mut table.row);
                if row.iter().any(|cell| !cell.is_empty()) {
                    table.rows.push(row);
                }
            }),
            "tbl" => self.end_table(),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraphs.pop() else { return };
        let looks_like_heading = paragraph.looks_like_heading();
        let Paragraph { text, style, heading, list, .. } = paragraph;
        let text = text.trim();
        let (style_heading, style_list, contents) = self.style(style.as_deref());
        if text.is_empty() || contents {
            return;
        }
        // The list "0" takes a paragraph out of the list of its style.
        let list = list.filter(|(id, _)| !id.is_empty()).or(style_list).filter(|(id, _)| id != "0");
        let label = list.as_ref().and_then(|(id, level)| self.number(id, (*level).min(8)));
        let unbroken = super::text::unbroken(text);
        if let Some(table) = self.tables.last_mut() {
            // Items of a list within a cell are told apart.
            let item = list.is_some() && !table.cell.ends_with([':', ';', ',']);
            table.cell.push_str(if table.cell.is_empty() {
                ""
            } else if item {
                "; "
            } else {
                " "
            });
            let label = label.map(|label| format!("{label} ")).unwrap_or_default();
            table.cell.push_str(&format!("{label}{unbroken}"));
            return;
        }
        if let Some(level) = heading.or(style_heading) {
            let label = label.map(|label| format!("{label} ")).unwrap_or_default();
            return self.block(&format!("{} {label}{unbroken}", "#".repeat(level.min(6))));
        }
        match list {
            Some((id, level)) => self.item(&id, level.min(8), &unbroken, label),
            None if looks_like_heading => {
                let level = if unbroken.ends_with(['?', '？', '؟']) { 6 } else { 5 };
                self.block(&format!("{} {unbroken}", "#".repeat(level)));
            }
            None => {
                let lines: Vec<String> =
                    text.lines().map(|line| escaped_line(line.trim())).collect();
                // A line break within a paragraph is one.
                self.block(&lines.join("\\\n"));
            }
        }
    }

    /// The next number of a list's level as it is written; `None` for bullets.
    fn number(&mut self, list: &str, level: usize) -> Option<String> {
        self.counters.retain(|(id, deeper), _| id != list || *deeper <= level);
        let of_level =
            self.lists.get(&(list.to_owned(), level)).filter(|level| level.is_numbered())?.clone();
        let number = self
            .counters
            .entry((list.to_owned(), level))
            .and_modify(|number| *number += 1)
            .or_insert(of_level.start);
        let plain = number.to_string();
        if of_level.text.is_empty() {
            return Some(format!("{plain}."));
        }
        let mut label = of_level.text.clone();
        for outer in 0..=level {
            let place = format!("%{}", outer + 1);
            if !label.contains(&place) {
                continue;
            }
            let number = self.counters.get(&(list.to_owned(), outer)).copied().unwrap_or(1);
            let format = self
                .lists
                .get(&(list.to_owned(), outer))
                .map_or("decimal", |level| level.format.as_str());
            label = label.replace(&place, &written(number, format));
        }
        Some(label.trim().to_owned()).filter(|label| !label.is_empty())
    }

    /// What a style and those it is based on say: heading level, list, and whether it is a table of
    /// contents.
    fn style(&self, id: Option<&str>) -> (Option<usize>, Option<(String, usize)>, bool) {
        let (mut heading, mut list, mut contents) = (None, None, false);
        let mut next = id;
        for _ in 0..10 {
            let Some(style) = next.and_then(|id| self.styles.get(id)) else { break };
            heading = heading.or(style.heading);
            list = list.or_else(|| style.list.clone().filter(|(id, _)| !id.is_empty()));
            contents |= style.contents;
            next = style.based_on.as_deref();
        }
        (heading, list, contents)
    }

    fn block(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
        self.out.push_str(text);
        self.in_list = false;
    }

    fn item(&mut self, list: &str, level: usize, text: &str, label: Option<String>) {
        let simple = label.as_deref().and_then(|label| label.strip_suffix(['.', ')'])).is_some_and(
            |digits| {
                (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            },
        );
        let marker = match label {
            Some(label) if simple => format!("{}.", label.trim_end_matches(['.', ')'])),
            // Clauses count over their levels; each is a paragraph.
            Some(label)
                if label.chars().filter(|char| char.is_ascii_digit() || *char == '.').count()
                    > 2
                    || label.starts_with('§') =>
            {
                return self.block(&format!("{label} {text}"));
            }
            Some(label) => format!("- {label}"),
            None => "-".to_owned(),
        };
        self.out.push_str(match (self.out.is_empty(), self.in_list) {
            (true, _) => "",
            (false, true) => "\n",
            (false, false) => "\n\n",
        });
        // A list that begins deeper than its first level isn't code.
        let level = if self.in_list
            || self.counters.keys().any(|(id, outer)| id == list && *outer < level)
        {
            level
        } else {
            0
        };
        self.out.push_str(&"    ".repeat(level));
        self.out.push_str(&format!("{marker} {text}"));
        self.in_list = true;
    }

    fn end_table(&mut self) {
        let Some(table) = self.tables.pop() else { return };
        if let Some(outer) = self.tables.last_mut() {
            // A table within a cell reads as its rows.
            let rows: Vec<String> =
                table.rows.iter().map(|row| row.join(" ").trim().to_owned()).collect();
            outer.cell = format!("{} {}", outer.cell, rows.join("; ")).trim().to_owned();
            return;
        }
        let text = super::grid::markdown(&table.rows);
        if !text.is_empty() {
            self.block(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn headers_and_footers_are_named_where_they_say_more() {
        let space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
        let part = |name: &str, text: &str| {
            format!(
                "<w:{name} xmlns:w=\"{space}\"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{name}>"
            )
        };
        let body = part("body", "Boats leave at nine.");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in [
            ("word/document.xml", format!("<w:document xmlns:w=\"{space}\">{body}</w:document>")),
            ("word/header1.xml", part("hdr", "Ferry office: 0555 0117, daily from eight")),
            ("word/header2.xml", part("hdr", "Boats leave at nine.")),
            ("word/footer1.xml", part("ftr", "Page 2 of 3")),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("a sound name");
            zip.write_all(text.as_bytes()).expect("memory doesn't fail");
        }
        let bytes = zip.finish().expect("memory doesn't fail").into_inner();
        let read = read(&bytes).expect("sound");
        assert_eq!(read.text, "Boats leave at nine.");
        assert_eq!(
            read.warnings,
            [
                "what its pages say above or below their text was left out: \"Ferry office: 0555 0117, daily from eight\""
            ]
        );
    }
}
