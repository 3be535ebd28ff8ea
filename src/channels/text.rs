//! Answers as messaging platforms show them: Markdown becomes text with spans, which is cut to a
//! platform's length and written in its dialect. Pure.

use std::fmt::Write as _;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

/// Text with what is special about parts of it. Ranges are in bytes, at boundaries of characters,
/// never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rich {
    pub text: String,
    pub spans: Vec<Span>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub range: Range<usize>,
    pub style: Style,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    Bold,
    Italic,
    Strike,
    Code,
    /// A block of code and the language it names, if any.
    Block(String),
    Quote,
    Link(String),
}

/// In what a platform counts the length of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// UTF-16 code units.
    Utf16,
    /// Unicode scalar values.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn len(self, text: &str) -> usize {
        match self {
            Self::Utf16 => text.encode_utf16().count(),
            Self::Chars => text.chars().count(),
            Self::Bytes => text.len(),
        }
    }
}

impl Rich {
    /// What a Markdown text says. HTML in it is text, tables are lines, pictures are their
    /// descriptions.
    #[must_use]
    pub fn of_markdown(markdown: &str) -> Self {
        let mut writer = Writer::default();
        for event in
            Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES)
        {
            writer.take(event);
        }
        writer.finish()
    }

    /// Adds a line of its own at the end.
    pub fn push_line(&mut self, text: &str, link: Option<&str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        self.text.push_str(text);
        if let Some(link) = link.filter(|_| !text.is_empty()) {
            self.spans
                .push(Span { range: start..self.text.len(), style: Style::Link(link.to_owned()) });
        }
    }

    /// The parts it is sent in, each of at most `limit` units. Cuts are at the end of a paragraph,
    /// else of a line, a sentence, a word, and only where nothing else fits between two characters;
    /// a span that is cut goes on in the next part.
    ///
    /// A part is measured without its dialect's marks: leave room for these in `limit` where they
    /// count.
    #[must_use]
    pub fn split(&self, unit: Unit, limit: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        while unit.len(&self.text[start..]) > limit.max(1) {
            let end = start + cut(&self.text[start..], unit, limit.max(1));
            parts.push(self.slice(start..end));
            start = end + (self.text[end..].len() - self.text[end..].trim_start().len());
        }
        parts.push(self.slice(start..self.text.len()));
        parts.retain(|part| !part.text.is_empty());
        parts
    }

    /// As [`Rich::split`], in at most so many parts: the last of them ends in an ellipsis where
    /// more would follow.
    #[must_use]
    pub fn split_in(&self, unit: Unit, limit: usize, most: usize) -> Vec<Self> {
        let mut parts = self.split(unit, limit);
        if parts.len() > most.max(1) {
            parts.truncate(most.max(1));
            if let Some(last) = parts.pop() {
                let mut short = last
                    .split(unit, limit.saturating_sub(unit.len("…")))
                    .into_iter()
                    .next()
                    .unwrap_or_default();
                short.text.push('…');
                parts.push(short);
            }
        }
        parts
    }

    fn slice(&self, range: Range<usize>) -> Self {
        let text = self.text[range.clone()].trim_end();
        let end = range.start + text.len();
        let spans = self.spans.iter().filter_map(|span| {
            let (from, to) = (span.range.start.max(range.start), span.range.end.min(end));
            (from < to).then(|| Span {
                range: from - range.start..to - range.start,
                style: span.style.clone(),
            })
        });
        Self { text: text.to_owned(), spans: spans.collect() }
    }

    /// Telegram's `entities`, in UTF-16 units: no parser on the other side can fail on them.
    #[must_use]
    pub fn telegram_entities(&self) -> Vec<Value> {
        self.spans
            .iter()
            .map(|span| {
                let offset = Unit::Utf16.len(&self.text[..span.range.start]);
                let length = Unit::Utf16.len(&self.text[span.range.clone()]);
                let (kind, more) = match &span.style {
                    Style::Bold => ("bold", None),
                    Style::Italic => ("italic", None),
                    Style::Strike => ("strikethrough", None),
                    Style::Code => ("code", None),
                    Style::Block(language) => {
                        ("pre", (!language.is_empty()).then_some(("language", language)))
                    }
                    Style::Quote => ("blockquote", None),
                    Style::Link(url) => ("text_link", Some(("url", url))),
                };
                let mut entity = json!({ "type": kind, "offset": offset, "length": length });
                if let Some((name, value)) = more {
                    entity[name] = json!(value);
                }
                entity
            })
            .collect()
    }

    /// Slack's mrkdwn. What a visitor could use to call a whole channel is escaped with everything
    /// else.
    #[must_use]
    pub fn mrkdwn(&self) -> String {
        let escape =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.marked(
            |text, _| escape(text),
            |style, opens| match style {
                Style::Bold => "*".into(),
                Style::Italic => "_".into(),
                Style::Strike => "~".into(),
                Style::Code => "`".into(),
                Style::Block(_) => "```".into(),
                Style::Quote => if opens { "> " } else { "" }.into(),
                Style::Link(url) if opens => format!("<{}|", escape(url).replace('|', "%7C")),
                Style::Link(_) => ">".into(),
            },
        )
    }

    /// WhatsApp's marks: as Slack's, without labels for links and without escapes.
    #[must_use]
    pub fn whatsapp(&self) -> String {
        self.marked(
            |text, _| text.to_owned(),
            |style, opens| match style {
                Style::Bold => "*".into(),
                Style::Italic => "_".into(),
                Style::Strike => "~".into(),
                Style::Code => "`".into(),
                Style::Block(_) => "```".into(),
                Style::Quote => if opens { "> " } else { "" }.into(),
                Style::Link(url) => {
                    if opens {
                        String::new()
                    } else {
                        format!(" ({url})")
                    }
                }
            },
        )
    }

    /// Markdown again, as Discord, Teams and Chatwoot read it: what stands in the text and could be
    /// a mark is escaped.
    #[must_use]
    pub fn markdown(&self) -> String {
        let escape = |text: &str, code: bool| {
            if code {
                return text.to_owned();
            }
            let mut out = String::with_capacity(text.len());
            for char in text.chars() {
                if "\\*_~`|<>[]".contains(char) {
                    out.push('\\');
                }
                out.push(char);
            }
            out
        };
        self.marked(escape, |style, opens| match style {
            Style::Bold => "**".into(),
            Style::Italic => "*".into(),
            Style::Strike => "~~".into(),
            Style::Code => "`".into(),
            Style::Block(language) if opens => format!("```{language}\n"),
            Style::Block(_) => "\n```".into(),
            Style::Quote => if opens { "> " } else { "" }.into(),
            Style::Link(_) if opens => "[".into(),
            Style::Link(url) => format!("]({})", url.replace('(', "%28").replace(')', "%29")),
        })
    }

    /// Without any marks; the address of a link stands behind its text.
    #[must_use]
    pub fn plain(&self) -> String {
        self.marked(
            |text, _| text.to_owned(),
            |style, opens| match style {
                Style::Link(url) if !opens => format!(" ({url})"),
                _ => String::new(),
            },
        )
    }

    /// The text with something before and after each span, inner ones inside.
    /// `escape` is told whether what it gets is code.
    fn marked(
        &self,
        escape: impl Fn(&str, bool) -> String,
        mark: impl Fn(&Style, bool) -> String,
    ) -> String {
        // Spans that end come before those that begin at the same place; of those that begin, the
        // longest first.
        let mut marks: Vec<(usize, bool, usize, usize)> = Vec::new();
        for (i, span) in self.spans.iter().enumerate() {
            let length = span.range.len();
            marks.push((span.range.start, true, usize::MAX - length, i));
            marks.push((span.range.end, false, length, usize::MAX - i));
        }
        marks.sort_unstable();
        let (mut out, mut at, mut code) = (String::with_capacity(self.text.len()), 0, 0_usize);
        for (place, opens, _, i) in marks {
            out.push_str(&escape(&self.text[at..place], code > 0));
            at = place;
            let i = if opens { i } else { usize::MAX - i };
            // A link whose text is its address needs no second one.
            let style = &self.spans[i].style;
            if matches!(style, Style::Code | Style::Block(_)) {
                code = if opens { code + 1 } else { code - 1 };
            }
            let bare = matches!(style, Style::Link(url) if self.text[self.spans[i].range.clone()] == **url);
            if !bare {
                out.push_str(&mark(style, opens));
            }
        }
        out.push_str(&escape(&self.text[at..], code > 0));
        out
    }
}

/// Bytes of the first part, which has at most `limit` units and at least one character.
fn cut(text: &str, unit: Unit, limit: usize) -> usize {
    let mut most = 0;
    let mut length = 0;
    for grapheme in text.graphemes(true) {
        length += unit.len(grapheme);
        if length > limit && most > 0 {
            break;
        }
        most += grapheme.len();
    }
    let window = &text[..most];
    // A cut in the first half would make more parts than needed.
    let least = most / 2;
    let found = |at: Option<usize>| at.filter(|at| *at >= least);
    found(window.rfind("\n\n"))
        .or_else(|| found(window.rfind('\n')))
        .or_else(|| found(window.split_sentence_bound_indices().last().map(|(at, _)| at)))
        .or_else(|| found(window.rfind(char::is_whitespace)))
        .or_else(|| found(window.split_word_bound_indices().next_back().map(|(at, _)| at)))
        .unwrap_or(most)
}

#[derive(Default)]
struct Writer {
    rich: Rich,
    open: Vec<(usize, Style)>,
    /// The number of the next item of each list around, `None` where items have dots.
    lists: Vec<Option<u64>>,
    /// A paragraph, item or row ended: what comes next begins on a new line, after an empty one or
    /// not.
    gap: Gap,
    cells: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Line,
    Paragraph,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.push(&text),
            Event::Code(text) => {
                self.begin(Style::Code);
                self.push(&text);
                self.close();
            }
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.rich.text.push('\n'),
            Event::Rule => self.gap = Gap::Paragraph,
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.gap = self.gap.max(Gap::Paragraph);
                self.begin(Style::Bold);
            }
            Tag::Strong => self.begin(Style::Bold),
            Tag::Emphasis => self.begin(Style::Italic),
            Tag::Strikethrough => self.begin(Style::Strike),
            Tag::BlockQuote(_) => {
                self.gap = self.gap.max(Gap::Paragraph);
                self.begin(Style::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.gap = self.gap.max(Gap::Paragraph);
                self.begin(Style::Block(match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                }));
            }
            Tag::Link { dest_url, .. } => self.begin(Style::Link(dest_url.into_string())),
            Tag::List(first) => {
                self.gap =
                    self.gap.max(if self.lists.is_empty() { Gap::Paragraph } else { Gap::Line });
                self.lists.push(first);
            }
            Tag::Item => {
                self.gap = self.gap.max(Gap::Line);
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}• "),
                };
                self.push(&mark);
            }
            Tag::TableRow | Tag::TableHead => self.cells = 0,
            Tag::TableCell => {
                if self.cells > 0 {
                    self.push(" | ");
                }
                self.cells += 1;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::BlockQuote(_) | TagEnd::CodeBlock => {
                self.close();
                self.gap = Gap::Paragraph;
            }
            TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough | TagEnd::Link => {
                self.close()
            }
            TagEnd::Paragraph => {
                self.gap = if self.lists.is_empty() { Gap::Paragraph } else { Gap::Line }
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.gap = if self.lists.is_empty() { Gap::Paragraph } else { Gap::Line };
            }
            TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead => {
                self.gap = self.gap.max(Gap::Line)
            }
            TagEnd::Table => self.gap = Gap::Paragraph,
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let gap = std::mem::take(&mut self.gap);
        if !self.rich.text.is_empty() && gap != Gap::None {
            let shift = self.rich.text.len();
            let _ = self.rich.text.write_str(if gap == Gap::Paragraph { "\n\n" } else { "\n" });
            // What was opened just now holds no empty line at its beginning.
            let moved = self.rich.text.len();
            self.open.iter_mut().filter(|(at, _)| *at == shift).for_each(|(at, _)| *at = moved);
        }
        self.rich.text.push_str(text);
    }

    fn begin(&mut self, style: Style) {
        self.open.push((self.rich.text.len(), style));
    }

    fn close(&mut self) {
        let Some((start, style)) = self.open.pop() else { return };
        let end = start + self.rich.text[start..].trim_end_matches('\n').len();
        if start < end {
            self.rich.spans.push(Span { range: start..end, style });
        }
    }

    fn finish(mut self) -> Rich {
        while !self.open.is_empty() {
            self.close();
        }
        self.rich.text.truncate(self.rich.text.trim_end().len());
        let end = self.rich.text.len();
        for span in &mut self.rich.spans {
            span.range.end = span.range.end.min(end);
        }
        self.rich.spans.retain(|span| span.range.start < span.range.end);
        self.rich
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_markdown_answer_in_each_dialect() {
        let rich = Rich::of_markdown(
            "# Returns\n\nWithin **30 days**, see [the page](https://shop.example/r?a=1|2).\n\n1. Pack it\n2. Send `it` & wait\n\n> <!channel>",
        );
        assert_eq!(
            rich.plain(),
            "Returns\n\nWithin 30 days, see the page (https://shop.example/r?a=1|2).\n\n1. Pack it\n2. Send it & wait\n\n<!channel>"
        );
        assert_eq!(
            rich.markdown(),
            "**Returns**\n\nWithin **30 days**, see [the page](https://shop.example/r?a=1|2).\n\n1. Pack it\n2. Send `it` & wait\n\n> \\<!channel\\>"
        );
        assert_eq!(Rich::of_markdown("`a_b` a\\_b").markdown(), "`a_b` a\\_b");
        assert_eq!(
            rich.mrkdwn(),
            "*Returns*\n\nWithin *30 days*, see <https://shop.example/r?a=1%7C2|the page>.\n\n1. Pack it\n2. Send `it` &amp; wait\n\n> &lt;!channel&gt;"
        );
    }

    #[test]
    fn entities_count_in_utf16() {
        let rich = Rich::of_markdown("😀 **ja** 👍🏽 [hier](https://a.example)");
        assert_eq!(
            rich.telegram_entities(),
            [
                json!({ "type": "bold", "offset": 3, "length": 2 }),
                json!({ "type": "text_link", "offset": 11, "length": 4, "url": "https://a.example" }),
            ]
        );
    }

    #[test]
    fn long_texts_are_cut_at_the_largest_pause_that_fits() {
        let parts = |text: &str, limit| {
            let rich = Rich { text: text.into(), spans: Vec::new() };
            rich.split(Unit::Chars, limit).into_iter().map(|part| part.text).collect::<Vec<_>>()
        };
        assert_eq!(parts("One two.\n\nThree four. Five", 20), ["One two.", "Three four. Five"]);
        assert_eq!(parts("One two three.\n\nFour five", 20), ["One two three.", "Four five"]);
        assert_eq!(parts("Das eine. Das andere auch.", 20), ["Das eine.", "Das andere auch."]);
        assert_eq!(parts("aaaa bbbb cccc", 10), ["aaaa bbbb", "cccc"]);
        assert_eq!(parts("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
    }

    #[test]
    fn a_span_that_is_cut_goes_on_in_the_next_part() {
        let rich = Rich::of_markdown("**one two three four five six**");
        for part in rich.split(Unit::Utf16, 12) {
            assert_eq!(
                part.spans,
                [Span { range: 0..part.text.len(), style: Style::Bold }],
                "{part:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_is_lost_and_no_part_is_too_long(
            text in "[a-zß😀字. *_`\\[\\]()<>&\n-]{0,300}",
            limit in 2usize..60,
        ) {
            let rich = Rich::of_markdown(&text);
            for unit in [Unit::Utf16, Unit::Chars, Unit::Bytes] {
                let parts = rich.split(unit, limit.max(8));
                let kept: String = parts.iter().map(|part| part.text.as_str()).collect();
                let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(solid(&kept), solid(&rich.text));
                for part in &parts {
                    prop_assert!(unit.len(&part.text) <= limit.max(8));
                    for span in &part.spans {
                        prop_assert!(part.text.get(span.range.clone()).is_some_and(|text| !text.is_empty()));
                    }
                    let _ = (part.mrkdwn(), part.plain(), part.telegram_entities());
                }
            }
        }
    }
}
