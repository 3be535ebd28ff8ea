//! A page's tree → Markdown, as it is quoted to visitors: no escapes but at the start of a line,
//! where text would become structure.

use super::table::{self, Piece};
use super::tree::{Element, Node, holds_block, is_block, text_of};

/// Ends the section of the last heading of the sixth level: an empty heading, which the chunker
/// takes for that.
const SECTION_END: &str = "######";
/// Longest label and value that are joined to one line, in characters.
const MAX_PAIR: usize = 160;

/// The Markdown of what an element holds.
pub(super) fn markdown(root: &Element) -> String {
    let mut blocks = Vec::new();
    write_blocks(&root.children, &mut blocks);
    // The end of a section needs saying only where text follows.
    let ends = |at: usize| {
        blocks[at] == SECTION_END && blocks.get(at + 1).is_none_or(|next| next.starts_with('#'))
    };
    let kept: Vec<&str> =
        (0..blocks.len()).filter(|at| !ends(*at)).map(|at| blocks[at].as_str()).collect();
    kept.join("\n\n")
}

/// The text of a table's cell, in one line.
fn cell(children: &[Node]) -> String {
    let mut blocks = Vec::new();
    write_blocks(children, &mut blocks);
    let lines =
        blocks.iter().filter(|block| *block != SECTION_END).flat_map(|block| block.split('\n'));
    let mut text = String::new();
    for line in lines {
        let (item, line) = match line.trim().strip_prefix("- ") {
            Some(rest) => (true, rest),
            None => {
                (false, line.trim().trim_start_matches(['\\', '#', ' ']).trim_end_matches('\\'))
            }
        };
        if line.is_empty() {
            continue;
        }
        // Items of a list within a cell are told apart.
        text.push_str(match (text.is_empty(), item && !text.ends_with([':', ';', ','])) {
            (true, _) => "",
            (false, true) => "; ",
            (false, false) => " ",
        });
        text.push_str(line);
    }
    // A cell that is bold as a whole is a label.
    let bare = text
        .strip_prefix("**")
        .and_then(|rest| rest.strip_suffix("**"))
        .filter(|rest| !rest.contains("**"));
    bare.map_or(text.clone(), str::to_owned)
}

fn write_blocks(nodes: &[Node], out: &mut Vec<String>) {
    let mut run = String::new();
    let mut after_span = false;
    for node in nodes {
        match node {
            Node::Element(element) if is_block(&element.name) || holds_block(element) => {
                flush(&mut run, out);
                write_block(element, out);
            }
            Node::Element(element) => {
                // Neighbouring spans without a gap are set apart by the style sheet.
                let is_span = element.name == "span";
                let glued = is_span && after_span && run.ends_with(char::is_alphanumeric);
                if glued && text_of(&element.children).starts_with(char::is_alphanumeric) {
                    run.push(' ');
                }
                write_inline(element, &mut run);
                after_span = is_span;
                continue;
            }
            Node::Text(text) => push_text(text, &mut run),
        }
        after_span = false;
    }
    flush(&mut run, out);
}

/// Ends the paragraph of inline content.
fn flush(run: &mut String, out: &mut Vec<String>) {
    let lines: Vec<String> = run
        .split('\n')
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .map(|line| escaped(&line))
        .collect();
    run.clear();
    if !lines.is_empty() {
        out.push(lines.join("\\\n"));
    }
}

/// A line of text that must not become structure.
fn escaped(line: &str) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after = &line[digits..];
    let number = (1..=9).contains(&digits)
        && after.starts_with(['.', ')'])
        && (after.len() == 1 || after[1..].starts_with(' '));
    if number {
        return format!("{}\\{after}", &line[..digits]);
    }
    let rest = line.trim_start_matches('#');
    let heading = rest.len() < line.len()
        && line.len() - rest.len() <= 6
        && (rest.is_empty() || rest.starts_with(' '));
    let marker =
        ["- ", "+ ", "* ", ">", "|", "```", "~~~"].iter().any(|start| line.starts_with(start));
    let rule = line.len() > 2
        && ['-', '*', '_', '=']
            .iter()
            .any(|mark| line.chars().all(|char| char == *mark || char == ' '));
    if heading || marker || rule { format!("\\{line}") } else { line.to_owned() }
}

fn push_text(text: &str, run: &mut String) {
    // A line break of the source is a gap; one that is seen was put in by `<br>`.
    for char in text.chars() {
        run.push(if char.is_whitespace() { ' ' } else { char });
    }
}

fn write_inline(element: &Element, run: &mut String) {
    let inner = |run: &mut String| {
        let mut after_span = false;
        for node in &element.children {
            match node {
                Node::Text(text) => push_text(text, run),
                Node::Element(child) => {
                    let glued =
                        child.name == "span" && after_span && run.ends_with(char::is_alphanumeric);
                    if glued && text_of(&child.children).starts_with(char::is_alphanumeric) {
                        run.push(' ');
                    }
                    write_inline(child, run);
                    after_span = child.name == "span";
                    continue;
                }
            }
            after_span = false;
        }
    };
    match element.name.as_str() {
        "br" => run.push('\n'),
        "sup" => superscript(&element.text(), run),
        "b" | "strong" => marked("**", &inner, run),
        "code" => marked("`", &inner, run),
        "a" => {
            let mut text = String::new();
            inner(&mut text);
            let label = text.split_whitespace().collect::<Vec<_>>().join(" ");
            match element.get("href").filter(|_| !label.is_empty()) {
                Some(href) if href.trim_start_matches("mailto:") != label && href != label => {
                    let gap = |at: bool| if at { " " } else { "" };
                    let href = href.replace(['(', ')', ' '], "");
                    let (before, after) = (text.starts_with(' '), text.ends_with(' '));
                    run.push_str(&format!("{}[{label}]({href}){}", gap(before), gap(after)));
                }
                _ => run.push_str(&text),
            }
        }
        _ => inner(run),
    }
}

/// Content between marks, which stand next to its letters.
fn marked(mark: &str, inner: &impl Fn(&mut String), run: &mut String) {
    let mut text = String::new();
    inner(&mut text);
    let words = text.trim();
    if words.is_empty() || words.contains(mark) || words.contains('\n') {
        run.push_str(&text);
        return;
    }
    // A gap goes outside, and marks of the same kind that would touch are one.
    run.push_str(if text.starts_with(char::is_whitespace) { " " } else { "" });
    if run.ends_with(mark) && !mark.is_empty() && run.len() > mark.len() {
        run.truncate(run.len() - mark.len());
        run.push_str(&format!("{words}{mark}"));
    } else {
        run.push_str(&format!("{mark}{words}{mark}"));
    }
    run.push_str(if text.ends_with(char::is_whitespace) { " " } else { "" });
}

/// Cents set high belong to their price, squares and cubes to their unit; any other high figure
/// marks a footnote.
fn superscript(text: &str, run: &mut String) {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        if !text.chars().all(|char| matches!(char, '*' | '†' | '‡' | ')' | '(')) {
            run.push_str(text);
        }
        return;
    }
    let unit = run.ends_with(['m', 'M'])
        && !run
            .chars()
            .rev()
            .nth(1)
            .is_some_and(|char| char.is_alphabetic() && !matches!(char, 'c' | 'k' | 'd' | 'm'));
    match text {
        "2" if unit => run.push('²'),
        "3" if unit => run.push('³'),
        _ if text.len() == 2 && run.ends_with(|char: char| char.is_ascii_digit()) => {
            run.push('.');
            run.push_str(text);
        }
        _ => {}
    }
}

fn write_block(element: &Element, out: &mut Vec<String>) {
    match element.name.as_str() {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
            let text = heading_text(element);
            let level = usize::from(element.name.as_bytes()[1] - b'0');
            if !text.is_empty() {
                out.push(format!("{} {text}", "#".repeat(level)));
            }
        }
        "end" => out.push(SECTION_END.to_owned()),
        "hr" => out.push("---".to_owned()),
        "ul" | "ol" => write_list(element, out),
        "table" => {
            let pieces = table::pieces(element, cell);
            let titled = pieces.iter().any(|piece| matches!(piece, Piece::Title(_)));
            for piece in pieces {
                match piece {
                    Piece::Title(text) => out.push(format!("###### {text}")),
                    Piece::Text(text) => out.extend(Some(text).filter(|text| !text.is_empty())),
                }
            }
            out.extend(titled.then(|| SECTION_END.to_owned()));
        }
        "pre" => {
            let text = raw_text(&element.children);
            let text = text.trim_matches('\n').trim_end();
            if !text.trim().is_empty() {
                out.push(format!("```\n{}\n```", text.replace("```", "'''")));
            }
        }
        "li" => write_list(&Element::new("ul", vec![Node::Element(element.clone())]), out),
        "tr" | "td" | "th" | "thead" | "tbody" | "tfoot" | "caption" => {
            write_blocks(&element.children, out)
        }
        _ => match label_and_value(element) {
            Some(line) => out.push(escaped(&line)),
            None => write_blocks(&element.children, out),
        },
    }
}

/// A heading's text without marks; a gap where elements that are set apart would touch.
fn heading_text(element: &Element) -> String {
    fn collect(nodes: &[Node], run: &mut String) {
        for node in nodes {
            match node {
                Node::Text(text) => push_text(text, run),
                Node::Element(child) if child.name == "sup" => superscript(&child.text(), run),
                Node::Element(child) if child.name == "br" => run.push(' '),
                Node::Element(child) => {
                    let apart = child.is(&["span", "button"]) || is_block(&child.name);
                    let starts = text_of(&child.children).starts_with(char::is_alphanumeric);
                    if apart && starts && run.ends_with(char::is_alphanumeric) {
                        run.push(' ');
                    }
                    collect(&child.children, run);
                }
            }
        }
    }
    let mut run = String::new();
    collect(&element.children, &mut run);
    run.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of preformatted content, line by line.
fn raw_text(nodes: &[Node]) -> String {
    nodes
        .iter()
        .map(|node| match node {
            Node::Text(text) => text.clone(),
            Node::Element(element) if element.name == "br" => "\n".to_owned(),
            Node::Element(element) => raw_text(&element.children),
        })
        .collect()
}

fn write_list(list: &Element, out: &mut Vec<String>) {
    let ordered = list.name == "ol";
    let mut number =
        list.get("start").and_then(|start| start.trim().parse::<u32>().ok()).unwrap_or(1);
    let mut items: Vec<String> = Vec::new();
    for child in &list.children {
        let Node::Element(child) = child else {
            if !child.is_blank() {
                items.push(format!("- {}", text_of(std::slice::from_ref(child))));
            }
            continue;
        };
        let mut blocks = Vec::new();
        match (child.name.as_str(), items.last_mut()) {
            // A list that stands between items belongs to the one above it.
            ("ul" | "ol", Some(above)) => {
                write_list(child, &mut blocks);
                above.push_str(&indented(&blocks, 3));
                continue;
            }
            ("li", _) => match label_and_value(child) {
                Some(line) => blocks.push(line),
                None => write_blocks(&child.children, &mut blocks),
            },
            _ => write_block(child, &mut blocks),
        }
        blocks.retain(|block| block != SECTION_END);
        let Some((first, rest)) = blocks.split_first() else { continue };
        let marker = if ordered { format!("{number}.") } else { "-".to_owned() };
        number = number.saturating_add(1);
        let first = first.replace("\\\n", &format!("\\\n{}", " ".repeat(marker.len() + 1)));
        let mut item = format!("{marker} {first}");
        item.push_str(&indented(rest, marker.len() + 1));
        items.push(item);
    }
    if !items.is_empty() {
        out.push(items.join("\n"));
    }
}

/// Further blocks of an item: lists close to it, all else with a blank line.
fn indented(blocks: &[String], by: usize) -> String {
    let mut out = String::new();
    for block in blocks {
        let list = block.starts_with("- ") || block.starts_with(|char: char| char.is_ascii_digit());
        out.push_str(if list { "\n" } else { "\n\n" });
        let lines: Vec<String> =
            block
                .split('\n')
                .map(|line| {
                    if line.is_empty() {
                        String::new()
                    } else {
                        format!("{}{line}", " ".repeat(by))
                    }
                })
                .collect();
        out.push_str(&lines.join("\n"));
    }
    out
}

/// A row of short blocks, of which one is an amount, as one line: `Adults – 12.50 EUR`. A style
/// sheet sets them side by side.
fn label_and_value(element: &Element) -> Option<String> {
    let children: Vec<&Element> = element.elements().collect();
    let only = element.children.iter().all(|node| node.element().is_some() || node.is_blank());
    let leaf =
        |child: &&Element| child.is(&["div", "p", "span", "dt", "dd"]) && !holds_block(child);
    if !only || !(2..=4).contains(&children.len()) || !children.iter().all(leaf) {
        return None;
    }
    if children.iter().all(|child| child.name == "p") {
        return None;
    }
    let mut cells = Vec::new();
    for child in &children {
        let mut run = String::new();
        child.children.iter().for_each(|node| match node {
            Node::Text(text) => push_text(text, &mut run),
            Node::Element(inner) => write_inline(inner, &mut run),
        });
        let text = run.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            cells.push(text);
        }
    }
    let amount = |cell: &String| {
        let digits = cell.chars().filter(char::is_ascii_digit).count();
        digits > 0 && cell.chars().count() <= 24 && cell.split_whitespace().count() <= 4
    };
    let worded = |cell: &String| {
        cell.chars().filter(|char| char.is_alphabetic()).count() > 2
            && !cell.ends_with(['.', '!', '?'])
    };
    let fits = cells.len() > 1
        && cells.iter().map(|cell| cell.chars().count()).sum::<usize>() <= MAX_PAIR
        && worded(&cells[0])
        && cells[1..].iter().any(amount);
    fits.then(|| cells.join(" – "))
}
