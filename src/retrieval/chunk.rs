//! A document's extracted text → passages along its structure, pure.
//!
//! A passage is a run of whole blocks of one section. A table row keeps its header, list items and
//! numbered steps keep the line that introduces them, a question keeps its answer, and code stays
//! in one piece. A sentence is cut only if it alone is longer than two passages.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use unicode_segmentation::UnicodeSegmentation;

use super::Passage;

/// A passage before it knows its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// From the outermost heading to the innermost.
    pub headings: Vec<String>,
    /// The slice at `range`; before it the lines it can't be understood without (a table's header,
    /// a list's lead-in).
    pub text: String,
    /// Bytes of the extracted text. Chunks come in order and don't overlap; only headings, rules
    /// and blank lines lie between them.
    pub range: Range<usize>,
}

/// What is embedded and indexed for a passage: title and headings give the text its subject. A
/// title that is only the document's id says nothing, and one that the text begins with is said
/// already.
#[must_use]
pub fn embedding_text(passage: &Passage) -> String {
    let title = passage.title.as_str();
    let said =
        title == passage.document || passage.headings.is_empty() && passage.text.starts_with(title);
    let subject = Some(title).filter(|title| !said && !title.is_empty());
    let headings: Vec<&str> =
        subject.into_iter().chain(passage.headings.iter().map(String::as_str)).collect();
    let mut text = headings.join(" › ");
    text.push_str(if text.is_empty() { "" } else { "\n" });
    text.push_str(&passage.text);
    text
}

/// Tokens of `text` in tiktoken's `cl100k_base`. Off by a little where runs without a gap are
/// longer than 256 bytes: they are counted in parts, because the tokeniser's time and stack grow
/// with the run.
#[must_use]
pub fn tokens(text: &str) -> usize {
    let encoder = tiktoken_rs::cl100k_base_singleton();
    let mut count = 0;
    let mut part = 0;
    let mut run = 0;
    let mut in_space = false;
    for (at, char) in text.char_indices() {
        if char.is_whitespace() != in_space {
            in_space = !in_space;
            run = at;
        }
        if at - run >= MAX_RUN {
            count += encoder.count_ordinary(&text[part..at]);
            (part, run) = (at, at);
        }
    }
    count + encoder.count_ordinary(&text[part..])
}

/// The text of the first heading of the outermost level, if there is one.
#[must_use]
pub fn first_heading(text: &str) -> Option<String> {
    parse(text).into_iter().find_map(|block| match block.kind {
        Kind::Heading { level: 1, text } if !text.is_empty() => Some(text),
        _ => None,
    })
}

/// Cuts `text` (plain or Markdown) into passages of about `target` tokens.
#[must_use]
pub fn chunk(text: &str, target: usize) -> Vec<Chunk> {
    let chunker = Chunker { text, target: target.max(16) };
    let mut drafts = Vec::new();
    let sections = sections(text, parse(text));
    for (index, section) in sections.iter().enumerate() {
        if section.blocks.is_empty() {
            // A heading with neither text nor sub-headings says something by itself, unless it
            // asks.
            let next = sections.get(index + 1).map_or(0, |next| next.path.len());
            let asks =
                section.path.last().is_some_and(|heading| heading.ends_with(['?', '？', '؟']));
            if let (Some(heading), false, false) =
                (&section.heading, next > section.path.len(), asks)
            {
                let path = section.path[..section.path.len() - 1].to_vec();
                let words = bare_heading(text, heading.clone());
                drafts.push(Draft::new(path, Span::plain(words.clone()), chunker.size(&words)));
            }
            continue;
        }
        drafts.extend(chunker.section(section));
    }
    chunker.merge_tiny(drafts).into_iter().filter_map(|draft| chunker.finish(draft)).collect()
}

/// About four letters of the Latin alphabet in a row, or one character of most others.
fn estimated_tokens(text: &str) -> usize {
    let (mut tokens, mut run) = (0, 0_usize);
    for c in text.chars() {
        if c.is_ascii() {
            run += 1;
        } else {
            tokens += std::mem::take(&mut run).div_ceil(4) + 1;
        }
    }
    (tokens + run.div_ceil(4)).max(1)
}

const MAX_RUN: usize = 256;
/// A text with more bytes than this times its limit in tokens is over the limit; it needn't be
/// counted.
const MAX_BYTES_PER_TOKEN: usize = 16;
/// A lead-in or header longer than this share (1/n) of a passage isn't repeated.
const MAX_CONTEXT_SHARE: usize = 2;

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Heading {
        level: usize,
        text: String,
    },
    Text,
    /// Where each item starts.
    List {
        items: Vec<usize>,
    },
    /// Where each row after the header starts.
    Table {
        rows: Vec<usize>,
    },
    Code,
    Rule,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    range: Range<usize>,
}

/// The outermost blocks, in order. Text that is part of no block (link definitions) belongs to the
/// block after it.
fn parse(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut depth = 0_usize;
    let mut open: Option<Block> = None;
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if depth == 0 {
                    let kind = match tag {
                        Tag::Heading { level, .. } => {
                            Kind::Heading { level: level as usize, text: String::new() }
                        }
                        Tag::List(_) => Kind::List { items: Vec::new() },
                        Tag::Table(_) => Kind::Table { rows: Vec::new() },
                        Tag::CodeBlock(_) => Kind::Code,
                        _ => Kind::Text,
                    };
                    open = Some(Block { kind, range: range.clone() });
                } else if depth == 1 {
                    match (open.as_mut().map(|block| &mut block.kind), tag) {
                        (Some(Kind::List { items }), Tag::Item) => items.push(range.start),
                        (Some(Kind::Table { rows }), Tag::TableRow) => rows.push(range.start),
                        _ => {}
                    }
                }
                depth += 1;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    blocks.extend(open.take());
                } else if let (Some(Kind::Heading { text, .. }), TagEnd::Image) =
                    (open.as_mut().map(|b| &mut b.kind), end)
                {
                    text.push(' ');
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(Kind::Heading { text, .. }) = open.as_mut().map(|block| &mut block.kind)
                {
                    text.push_str(&piece);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(Kind::Heading { text, .. }) = open.as_mut().map(|block| &mut block.kind)
                {
                    text.push(' ');
                }
            }
            Event::Rule if depth == 0 => blocks.push(Block { kind: Kind::Rule, range }),
            _ => {}
        }
    }
    tile(text, blocks)
}

/// Trims each block and gives it the text between it and the one before.
fn tile(text: &str, blocks: Vec<Block>) -> Vec<Block> {
    let mut tiled: Vec<Block> = Vec::with_capacity(blocks.len() + 1);
    let mut at = 0;
    for mut block in blocks {
        let gap = trimmed(text, at..block.range.start.max(at));
        block.range = trimmed(text, block.range.start.max(at)..block.range.end.max(at));
        at = at.max(block.range.end);
        match &mut block.kind {
            Kind::Heading { .. } | Kind::Rule if !gap.is_empty() => {
                tiled.push(Block { kind: Kind::Text, range: gap })
            }
            Kind::Heading { .. } | Kind::Rule => {}
            _ if !gap.is_empty() => block.range.start = gap.start,
            _ => {}
        }
        if let Kind::Heading { text, .. } = &mut block.kind {
            *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        if !block.range.is_empty() {
            tiled.push(block);
        }
    }
    let rest = trimmed(text, at.min(text.len())..text.len());
    if !rest.is_empty() {
        tiled.push(Block { kind: Kind::Text, range: rest });
    }
    tiled
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let slice = &text[range.clone()];
    let start = range.start + (slice.len() - slice.trim_start().len());
    start..(start + slice.trim().len())
}

#[derive(Debug, Default)]
struct Section {
    path: Vec<String>,
    /// Where its heading stands; `None` before the first one.
    heading: Option<Range<usize>>,
    blocks: Vec<Block>,
}

fn sections(text: &str, blocks: Vec<Block>) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut path: Vec<(usize, String)> = Vec::new();
    for block in blocks {
        match block.kind {
            // The readers end the section of a folded answer so; in other places `#` and nothing
            // else is a slip.
            Kind::Heading { level: 6, text }
                if text.is_empty() && path.last().is_some_and(|(level, _)| *level == 6) =>
            {
                path.pop();
                sections.push(Section { path: headings(&path), heading: None, blocks: Vec::new() });
            }
            Kind::Heading { text, .. } if text.is_empty() => {}
            Kind::Heading { level, text: heading } => {
                // A heading that states a fact is said as a sentence, too: headings alone aren't
                // quoted.
                let fact = states_fact(&heading).then(|| bare_heading(text, block.range.clone()));
                let fact = fact.map(|range| Block { kind: Kind::Text, range });
                path.retain(|(outer, _)| *outer < level);
                path.push((level, heading));
                sections.push(Section {
                    path: headings(&path),
                    // Such a section isn't joined with its neighbours.
                    heading: fact.is_none().then_some(block.range),
                    blocks: fact.into_iter().collect(),
                });
            }
            Kind::Rule => {}
            _ => {
                if let Some(section) = sections.last_mut() {
                    section.blocks.push(block);
                }
            }
        }
    }
    sections
}

fn headings(path: &[(usize, String)]) -> Vec<String> {
    path.iter().map(|(_, text)| text.clone()).collect()
}

/// A heading's text without its marks.
fn bare_heading(text: &str, range: Range<usize>) -> Range<usize> {
    let slice = &text[range.clone()];
    let line = slice.trim_start_matches('#');
    // Underlined headings have their mark below.
    let words = line.split('\n').next().unwrap_or(line).trim_end_matches('#').trim_end();
    let start = range.start + (slice.len() - line.len());
    trimmed(text, start..start + words.len())
}

/// Whether a heading gives a figure for something: `Depth needed = 75 mm`, `Shipping: 4.90 EUR`,
/// `Free over 85 $`. Numbers of sections, years and steps are none.
fn states_fact(heading: &str) -> bool {
    if heading.ends_with(['?', '？', '؟', ':', '：']) {
        return false;
    }
    let assigned = heading.split_once(['=', ':', '：']).is_some_and(|(name, value)| {
        let value = value.trim_start();
        let figure = value
            .trim_start_matches(|char: char| !char.is_alphanumeric())
            .starts_with(|char: char| char.is_numeric());
        let time = name.ends_with(|char: char| char.is_ascii_digit())
            && value.starts_with(|char: char| char.is_ascii_digit());
        name.chars().filter(|char| char.is_alphabetic()).count() > 2 && figure && !time
    });
    let money = heading.contains(['€', '$', '£', '¥', '￥'])
        && heading.chars().any(|char| char.is_ascii_digit());
    assigned || money
}

/// What belongs together. `parts` lie end to end and are where it may be cut; `context` is repeated
/// after a cut.
struct Unit {
    range: Range<usize>,
    parts: Vec<Range<usize>>,
    context: Vec<Range<usize>>,
    /// A question with its answer: nothing else goes into its passage.
    alone: bool,
}

#[derive(Clone, Debug)]
struct Span {
    context: Vec<Range<usize>>,
    range: Range<usize>,
}

impl Span {
    fn plain(range: Range<usize>) -> Self {
        Self { context: Vec::new(), range }
    }
}

struct Draft {
    path: Vec<String>,
    span: Span,
    tokens: usize,
    /// Set if the draft is its section's only one: where the section's heading starts, and that it
    /// may be merged.
    heading: Option<usize>,
    parent: Vec<String>,
}

impl Draft {
    fn new(path: Vec<String>, span: Span, tokens: usize) -> Self {
        Self { path, span, tokens, heading: None, parent: Vec::new() }
    }
}

struct Chunker<'a> {
    text: &'a str,
    target: usize,
}

impl Chunker<'_> {
    /// A block up to this long stays whole though it is longer than the target.
    fn whole(&self) -> usize {
        self.target + self.target / 2
    }

    /// A sentence longer than this is cut.
    fn hard(&self) -> usize {
        self.target * 2
    }

    /// Tokens, or an estimate where a glance shows that it is far too long.
    fn size(&self, range: &Range<usize>) -> usize {
        let slice = &self.text[range.clone()];
        if self.is_enormous(range) { estimated_tokens(slice) } else { tokens(slice) }
    }

    fn is_enormous(&self, range: &Range<usize>) -> bool {
        range.len() > self.hard() * MAX_BYTES_PER_TOKEN
    }

    fn section(&self, section: &Section) -> Vec<Draft> {
        let mut spans: Vec<(Span, usize)> = Vec::new();
        let mut current: Option<(Span, usize)> = None;
        let mut alone = section.path.last().is_some_and(|heading| heading.ends_with(['?', '？']));
        for unit in self.units(&section.blocks) {
            let size = self.size(&unit.range);
            match &mut current {
                Some((span, tokens)) if !unit.alone && *tokens + size <= self.target => {
                    span.range.end = unit.range.end;
                    *tokens += size;
                    continue;
                }
                _ => spans.extend(current.take()),
            }
            if unit.alone {
                alone = true;
                spans.extend(self.split(&unit, size));
            } else if size <= self.whole() {
                current = Some((Span::plain(unit.range), size));
            } else {
                let mut split = self.split(&unit, size);
                current = split.pop();
                spans.extend(split);
                // What follows a block that was cut mustn't join its last piece if that carries
                // repeated context.
                if current.as_ref().is_some_and(|(span, _)| !span.context.is_empty()) {
                    spans.extend(current.take());
                }
            }
        }
        spans.extend(current);

        let single = spans.len() == 1 && !alone;
        let drafts = spans.into_iter().map(|(span, tokens)| {
            let mut draft = Draft::new(section.path.clone(), span, tokens);
            if let (true, Some(heading), Some((_, parent))) =
                (single, &section.heading, section.path.split_last())
            {
                draft.heading = Some(heading.start);
                draft.parent = parent.to_vec();
            }
            draft
        });
        drafts.collect()
    }

    fn units(&self, blocks: &[Block]) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut blocks = blocks.iter().peekable();
        while let Some(block) = blocks.next() {
            let mut range = block.range.clone();
            match &block.kind {
                Kind::Text => {
                    let slice = &self.text[range.clone()];
                    let leads_in = slice.ends_with([':', '：']);
                    if let Some(next) =
                        blocks.next_if(|next| leads_in && !matches!(next.kind, Kind::Text))
                    {
                        let lead_in = range.clone();
                        range.end = next.range.end;
                        units.push(self.structured(&next.kind, range, Some(lead_in)));
                        continue;
                    }
                    for piece in questions(self.text, range) {
                        let is_question = starts_question(&self.text[piece.clone()]);
                        match units.last_mut() {
                            // The answer's further paragraphs.
                            Some(last) if last.alone && !is_question => last.extend(piece.end),
                            _ => {
                                let parts = sentences(self.text, piece.clone());
                                units.push(Unit {
                                    range: piece,
                                    parts,
                                    context: Vec::new(),
                                    alone: is_question,
                                });
                            }
                        }
                    }
                }
                kind => match units.last_mut() {
                    Some(last) if last.alone => last.extend(range.end),
                    _ => units.push(self.structured(kind, range, None)),
                },
            }
        }
        units
    }

    /// A list, a table or code, with the paragraph that introduces it.
    fn structured(&self, kind: &Kind, range: Range<usize>, lead_in: Option<Range<usize>>) -> Unit {
        let mut context: Vec<Range<usize>> = lead_in.iter().cloned().collect();
        let body = lead_in.map_or(range.start, |lead_in| lead_in.end);
        let cuts: Vec<usize> = match kind {
            Kind::List { items } => items.iter().skip(1).copied().collect(),
            Kind::Table { rows } => {
                if let Some(first) = rows.first() {
                    context.push(trimmed(self.text, body..(*first).max(body)));
                }
                rows.iter().skip(1).copied().collect()
            }
            _ => {
                let code = &self.text[body..range.end];
                code.match_indices('\n').map(|(at, _)| body + at + 1).collect()
            }
        };
        // The lead-in goes first: a row without its header says less.
        while context.iter().map(|range| self.size(range)).sum::<usize>()
            > self.target / MAX_CONTEXT_SHARE
        {
            context.remove(0);
        }
        let parts = cut_at(range.clone(), cuts);
        Unit { range, parts, context, alone: false }
    }

    /// A unit in passages of about the target's size.
    fn split(&self, unit: &Unit, size: usize) -> Vec<(Span, usize)> {
        if size <= self.whole() {
            return vec![(Span::plain(unit.range.clone()), size)];
        }
        let mut spans: Vec<(Span, usize)> = Vec::new();
        let repeated: usize = unit.context.iter().map(|range| self.size(range)).sum();
        for part in &unit.parts {
            for (piece, size) in self.pieces(part.clone()) {
                match spans.last_mut() {
                    Some((span, tokens)) if *tokens + size <= self.target => {
                        span.range.end = piece.end;
                        *tokens += size;
                    }
                    Some(_) => {
                        spans.push((
                            Span { context: unit.context.clone(), range: piece },
                            size + repeated,
                        ));
                    }
                    None => spans.push((Span::plain(piece), size)),
                }
            }
        }
        spans
    }

    /// A part that fits, or its sentences, or, where a sentence is longer than two passages, pieces
    /// of it.
    fn pieces(&self, part: Range<usize>) -> Vec<(Range<usize>, usize)> {
        let enormous = self.is_enormous(&part);
        let size = self.size(&part);
        if size <= self.hard() && !enormous {
            return vec![(part, size)];
        }
        // Counting each of a million sentences takes a while; those of a part this long are
        // estimated.
        let size_of = |range: &Range<usize>| {
            if enormous { estimated_tokens(&self.text[range.clone()]) } else { self.size(range) }
        };
        let mut pieces = Vec::new();
        for sentence in sentences(self.text, part) {
            let size = size_of(&sentence);
            if size <= self.hard() && !self.is_enormous(&sentence) {
                pieces.push((sentence, size));
                continue;
            }
            let mut rest = sentence;
            while !rest.is_empty() {
                let end = self.cut(&rest);
                let piece = rest.start..end;
                let size = estimated_tokens(&self.text[piece.clone()]);
                pieces.push((piece, size));
                rest.start = end;
            }
        }
        pieces
    }

    /// Where to cut a run that is too long: after the last gap within about the target's size, or
    /// within a word.
    fn cut(&self, range: &Range<usize>) -> usize {
        let slice = &self.text[range.clone()];
        // Four bytes a token is usual for English; three-byte scripts have about a token per
        // character.
        let wanted = slice
            .floor_char_boundary(self.target * 3)
            .max(slice.chars().next().map_or(0, char::len_utf8));
        if wanted >= slice.len() {
            return range.end;
        }
        let head = &slice[..wanted];
        let gap = head.char_indices().rev().find(|(_, char)| char.is_whitespace());
        match gap {
            Some((at, char)) if at > wanted / 2 => range.start + at + char.len_utf8(),
            _ => range.start + wanted,
        }
    }

    /// Neighbouring short sections under the same heading become one passage; their headings stay
    /// in its text.
    fn merge_tiny(&self, drafts: Vec<Draft>) -> Vec<Draft> {
        let tiny = self.target / TINY_SHARE;
        let mut merged: Vec<Draft> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if let (Some(last), Some(_)) = (merged.last_mut(), draft.heading)
                && let Some(start) = last.heading
                && last.parent == draft.parent
                && last.tokens.min(draft.tokens) < tiny
                && last.tokens + draft.tokens <= self.target
            {
                last.span.range = start..draft.span.range.end;
                last.path.clone_from(&last.parent);
                // The second heading's line counts too, roughly.
                last.tokens += draft.tokens + 8;
                continue;
            }
            merged.push(draft);
        }
        merged
    }

    fn finish(&self, draft: Draft) -> Option<Chunk> {
        let range = trimmed(self.text, draft.span.range);
        if range.is_empty() {
            return None;
        }
        let mut text = String::new();
        for context in draft.span.context {
            text.push_str(&self.text[context]);
            text.push('\n');
        }
        text.push_str(&self.text[range.clone()]);
        Some(Chunk { headings: draft.path, text, range })
    }
}

impl Unit {
    fn extend(&mut self, end: usize) {
        self.parts.push(self.range.end..end);
        self.range.end = end;
    }
}

/// A section shorter than this share of the target says too little to be a passage. Higher buries
/// one answer among others: with a fifth, questions and answers of a page stood together.
const TINY_SHARE: usize = 20;

fn cut_at(range: Range<usize>, cuts: Vec<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::with_capacity(cuts.len() + 1);
    let mut start = range.start;
    for cut in cuts.into_iter().chain([range.end]) {
        if cut > start && cut <= range.end {
            parts.push(start..cut);
            start = cut;
        }
    }
    parts
}

/// `Q: …` and the like, in the languages that help centres of ours are written in.
fn starts_question(line: &str) -> bool {
    const MARKS: [&str; 9] = ["q:", "q.", "question:", "f:", "frage:", "**q:", "问：", "问:", "p:"];
    let line = line.trim_start();
    let head: String = line.chars().take(10).collect::<String>().to_lowercase();
    MARKS.iter().any(|mark| head.starts_with(mark))
}

/// Cuts a paragraph before each of its lines that starts a question.
fn questions(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let slice = &text[range.clone()];
    let cuts = slice
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .filter(|at| starts_question(&slice[*at..]))
        .map(|at| range.start + at)
        .collect();
    cut_at(range, cuts)
}

/// Sentences, end to end. A line break alone ends none, an abbreviation or an item's number
/// neither.
fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let slice = &text[range.clone()];
    let mut cuts = Vec::new();
    let mut start = 0;
    for (at, piece) in slice.split_sentence_bound_indices() {
        let end = at + piece.len();
        let after = &slice[end..];
        let breaks_line = piece.ends_with('\n');
        let ends = ends_sentence(piece.trim_end()) || breaks_line && starts_item(after);
        if ends && !slice[start..end].trim().is_empty() && !after.is_empty() {
            cuts.push(range.start + end);
            start = end;
        }
    }
    cut_at(range, cuts)
}

fn ends_sentence(piece: &str) -> bool {
    const ABBREVIATIONS: [&str; 20] = [
        "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "no.", "nr.", "e.g.", "i.e.", "z.b.", "bzw.",
        "ca.", "vs.", "approx.", "incl.", "inkl.", "art.", "tel.", "d.h.",
    ];
    let bare = piece.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»', '*', '_', '」', '）']);
    if bare.ends_with(['!', '?', '。', '！', '？', '…', '؟', '।']) {
        return true;
    }
    if !bare.ends_with('.') {
        return false;
    }
    // A long piece is looked at from its end only.
    let tail = &bare[bare.ceil_char_boundary(bare.len().saturating_sub(16))..];
    let word = tail.rsplit(char::is_whitespace).next().unwrap_or(tail).to_lowercase();
    let number = word.trim_end_matches('.');
    let is_item_number =
        !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
    let is_only_a_number = is_item_number && bare.trim_start().len() == word.len();
    !is_only_a_number && !ABBREVIATIONS.contains(&word.as_str())
}

fn starts_item(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t']);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    line.starts_with(['\n', '-', '*', '•', '|'])
        || (1..=3).contains(&digits) && line[digits..].starts_with(['.', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, target: usize, expected: &[(&[&str], &str)]) {
        let chunks = chunk(text, target);
        let actual: Vec<(Vec<&str>, &str)> = chunks
            .iter()
            .map(|c| (c.headings.iter().map(String::as_str).collect(), c.text.as_str()))
            .collect();
        let expected: Vec<(Vec<&str>, &str)> =
            expected.iter().map(|(path, text)| (path.to_vec(), *text)).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn sections_are_passages_with_their_heading_path() {
        check(
            "# Shipping\n\nWe ship from Monday to Friday, and every parcel is insured up to its full value.\n\n## Abroad\n\nThe parcel takes five working days to reach Switzerland and needs no customs form.",
            100,
            &[
                (
                    &["Shipping"],
                    "We ship from Monday to Friday, and every parcel is insured up to its full value.",
                ),
                (
                    &["Shipping", "Abroad"],
                    "The parcel takes five working days to reach Switzerland and needs no customs form.",
                ),
            ],
        );
        check("no heading at all", 100, &[(&[], "no heading at all")]);
        check("", 100, &[]);
        check("\n \n", 100, &[]);
        check("# Call 0800 123", 100, &[(&[], "Call 0800 123")]);
    }

    #[test]
    fn a_heading_that_states_a_fact_is_text_too() {
        check(
            "# Shades\n\n### Height of the box = 62 mm\n\n### Inside the frame\n\nMeasure twice.",
            100,
            &[
                (&["Shades", "Height of the box = 62 mm"], "Height of the box = 62 mm"),
                (&["Shades", "Inside the frame"], "Measure twice."),
            ],
        );
        check("## Step 2: Press\n\nPress it.", 100, &[(&["Step 2: Press"], "Press it.")]);
        check("## Is it free?\n\n## Why?\n\nSo.", 100, &[(&["Why?"], "So.")]);
    }

    #[test]
    fn a_folded_answer_ends_where_its_fold_ends() {
        check(
            "# Help\n\n###### Is it red?\n\nYes.\n\n######\n\nWrite to us for all else.",
            100,
            &[(&["Help", "Is it red?"], "Yes."), (&["Help"], "Write to us for all else.")],
        );
    }

    #[test]
    fn tiny_sections_under_one_heading_merge() {
        check(
            "# Colours\n\n## Red\n\nWarm.\n\n## Blue\n\nCold.\n\n# Sizes\n\nAll.",
            100,
            &[(&["Colours"], "## Red\n\nWarm.\n\n## Blue\n\nCold."), (&["Sizes"], "All.")],
        );
        check(
            "# FAQ\n\n## Is it red?\n\nYes.\n\n## Is it blue?\n\nNo.",
            100,
            &[(&["FAQ", "Is it red?"], "Yes."), (&["FAQ", "Is it blue?"], "No.")],
        );
    }

    #[test]
    fn a_row_keeps_its_header_and_an_item_its_lead_in() {
        check(
            "| size | chest |\n|---|---|\n| small | 90 cm |\n| medium | 98 cm |\n| large | 106 cm |\n| huge | 115 cm |",
            24,
            &[
                (&[], "| size | chest |\n|---|---|\n| small | 90 cm |\n| medium | 98 cm |"),
                (&[], "| size | chest |\n|---|---|\n| large | 106 cm |\n| huge | 115 cm |"),
            ],
        );
        check(
            "To return it:\n\n1. Log in to your account.\n2. Choose the order and the item.\n3. Print the label that appears.\n4. Bring the parcel to a shop.",
            16,
            &[
                (&[], "To return it:\n\n1. Log in to your account."),
                (&[], "To return it:\n2. Choose the order and the item."),
                (&[], "To return it:\n3. Print the label that appears."),
                (&[], "To return it:\n4. Bring the parcel to a shop."),
            ],
        );
    }

    #[test]
    fn a_question_keeps_its_answer_and_nothing_else() {
        check(
            "Q: Is it waterproof?\nA: Yes, to 30 m.\nQ: Is it warm?\nA: No.\n\nWear a coat.",
            100,
            &[
                (&[], "Q: Is it waterproof?\nA: Yes, to 30 m."),
                (&[], "Q: Is it warm?\nA: No.\n\nWear a coat."),
            ],
        );
    }

    #[test]
    fn sentences_stay_whole() {
        let check = |text: &str, expected: &[&str]| {
            let actual: Vec<&str> =
                sentences(text, 0..text.len()).into_iter().map(|r| text[r].trim()).collect();
            assert_eq!(actual, expected);
        };
        check("One here. Two there! Three?", &["One here.", "Two there!", "Three?"]);
        check(
            "Ask Dr. Miller, e.g. by mail. He\nanswers.",
            &["Ask Dr. Miller, e.g. by mail.", "He\nanswers."],
        );
        check("我的订单在哪里？请问可以退货吗？", &["我的订单在哪里？", "请问可以退货吗？"]);
        check("It costs 19.90 EUR. Cheap.", &["It costs 19.90 EUR.", "Cheap."]);
        check("1. Open it.\n2. Close it.", &["1. Open it.", "2. Close it."]);
    }

    #[test]
    fn long_paragraphs_are_cut_between_sentences() {
        let text = "The parcel leaves our house on the same day. ".repeat(40);
        let chunks = chunk(&text, 60);
        assert!(chunks.len() > 5, "{}", chunks.len());
        for chunk in chunks {
            assert!(tokens(&chunk.text) <= 60 && chunk.text.ends_with("day."), "{:?}", chunk.text);
        }
    }

    #[test]
    fn tokens_are_counted_in_linear_time() {
        assert_eq!(tokens("hello world"), 2);
        assert_eq!(tokens(""), 0);
        for run in ["a", " ", "-", "漢", "\n", "é", "1"] {
            assert!(tokens(&run.repeat(1_000_000)) > 1000, "{run:?}");
        }
    }
}
