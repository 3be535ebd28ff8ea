//! Documents' Markdown → HTML that no text can break out of, and the same as plain text.
//!
//! HTML within a document is shown as text, never taken over. Links lead to web pages, addresses
//! and numbers; any other reference stays as its text.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use url::Url;

/// Text for an element's content or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A NUL ends texts for some readers, and no page may hold it.
            '\0' => out.push('\u{FFFD}'),
            char => out.push(char),
        }
    }
    out
}

/// A section's Markdown as HTML. `level`: of the heading it stands under, 1 to 6; headings in it go
/// below.
pub(super) fn html(markdown: &str, level: usize) -> String {
    let mut writer = Writer {
        out: String::new(),
        level,
        highest: highest(markdown),
        open: Vec::new(),
        table: Table::default(),
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        writer.take(event);
    }
    writer.out
}

/// Level of the highest heading in it; 1 if it has none.
fn highest(markdown: &str) -> usize {
    let levels = Parser::new(markdown).filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(number(level)),
        _ => None,
    });
    levels.min().unwrap_or(1)
}

fn number(level: HeadingLevel) -> usize {
    level as usize
}

#[derive(Default)]
struct Table {
    alignments: Vec<Alignment>,
    column: usize,
    in_head: bool,
}

struct Writer {
    out: String,
    level: usize,
    highest: usize,
    /// What ends each link and picture that is open.
    open: Vec<&'static str>,
    table: Table,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.out.push_str(&escaped(&text))
            }
            Event::Code(text) => self.out.push_str(&format!("<code>{}</code>", escaped(&text))),
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>\n"),
            Event::Rule => self.out.push_str("<hr>\n"),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn heading(&self, level: HeadingLevel) -> usize {
        (self.level + 1 + number(level).saturating_sub(self.highest)).min(6)
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.out.push_str("<p>"),
            Tag::Heading { level, .. } => self.out.push_str(&format!("<h{}>", self.heading(level))),
            Tag::BlockQuote(_) => self.out.push_str("<blockquote>\n"),
            Tag::CodeBlock(CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) => {
                self.out.push_str("<pre><code>")
            }
            Tag::List(Some(1)) => self.out.push_str("<ol>\n"),
            Tag::List(Some(start)) => self.out.push_str(&format!("<ol start=\"{start}\">\n")),
            Tag::List(None) => self.out.push_str("<ul>\n"),
            Tag::Item => self.out.push_str("<li>"),
            Tag::Emphasis => self.out.push_str("<em>"),
            Tag::Strong => self.out.push_str("<strong>"),
            Tag::Strikethrough => self.out.push_str("<s>"),
            Tag::Table(alignments) => {
                self.table = Table { alignments, ..Table::default() };
                self.out.push_str("<div class=\"wide\" tabindex=\"0\"><table>\n");
            }
            Tag::TableHead => {
                self.table.in_head = true;
                self.out.push_str("<thead><tr>");
            }
            Tag::TableRow => {
                self.table.column = 0;
                self.out.push_str("<tr>");
            }
            Tag::TableCell => {
                let right =
                    matches!(self.table.alignments.get(self.table.column), Some(Alignment::Right));
                let class = if right { " class=\"number\"" } else { "" };
                let start = if self.table.in_head { "<th scope=\"col\"" } else { "<td" };
                self.out.push_str(&format!("{start}{class}>"));
            }
            Tag::Link { dest_url, .. } => {
                let (start, end) = match target(&dest_url) {
                    Some(target) => (format!("<a href=\"{}\">", escaped(&target)), "</a>"),
                    None => (String::new(), ""),
                };
                self.out.push_str(&start);
                self.open.push(end);
            }
            // What a picture says for those who don't see it; its file isn't published.
            Tag::Image { .. } => self.open.push(""),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.out.push_str("</p>\n"),
            TagEnd::Heading(level) => self.out.push_str(&format!("</h{}>\n", self.heading(level))),
            TagEnd::BlockQuote(_) => self.out.push_str("</blockquote>\n"),
            TagEnd::CodeBlock => self.out.push_str("</code></pre>\n"),
            TagEnd::List(true) => self.out.push_str("</ol>\n"),
            TagEnd::List(false) => self.out.push_str("</ul>\n"),
            TagEnd::Item => self.out.push_str("</li>\n"),
            TagEnd::Emphasis => self.out.push_str("</em>"),
            TagEnd::Strong => self.out.push_str("</strong>"),
            TagEnd::Strikethrough => self.out.push_str("</s>"),
            TagEnd::Table => self.out.push_str("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                self.table.in_head = false;
                self.out.push_str("</tr></thead>\n<tbody>\n");
            }
            TagEnd::TableRow => self.out.push_str("</tr>\n"),
            TagEnd::TableCell => {
                self.out.push_str(if self.table.in_head { "</th>" } else { "</td>" });
                self.table.column += 1;
            }
            TagEnd::Link | TagEnd::Image => self.out.push_str(self.open.pop().unwrap_or_default()),
            _ => {}
        }
    }
}

/// Where a link may lead.
fn target(reference: &str) -> Option<String> {
    let url = Url::parse(reference).ok()?;
    matches!(url.scheme(), "http" | "https" | "mailto" | "tel").then(|| url.to_string())
}

/// A section's words without markup, blocks parted by a space.
pub(super) fn plain(markdown: &str) -> String {
    let mut out = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                out.push_str(&text)
            }
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(TagEnd::TableCell) => out.push_str(", "),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                out.truncate(out.trim_end_matches([',', ' ']).len());
                out.push_str("; ");
            }
            Event::End(
                TagEnd::Paragraph
                | TagEnd::Item
                | TagEnd::Heading(_)
                | TagEnd::CodeBlock
                | TagEnd::Table,
            ) => {
                out.push(' ');
            }
            _ => {}
        }
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    words.join(" ").trim_end_matches(';').to_owned()
}

/// What its paragraphs and lists say, without headings, tables and code.
pub(super) fn prose(markdown: &str) -> String {
    let mut out = String::new();
    let mut skipped = 0_usize;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::Table(_) | Tag::CodeBlock(_)) => skipped += 1,
            Event::End(TagEnd::Heading(_) | TagEnd::Table | TagEnd::CodeBlock) => {
                skipped = skipped.saturating_sub(1)
            }
            Event::Text(text) | Event::Code(text) if skipped == 0 => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                out.push(' ')
            }
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_markdown_stays_text() {
        let source = "# <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) [r](returns.md) \
                      [\"](https://x.example/\"onclick=) ![alt <b>](x.png)\n\n```\"><script>\n</code></script>\n```";
        let html = html(source, 1);
        insta::assert_snapshot!(html, @r##"
        <h2>&lt;script&gt;alert(1)&lt;/script&gt;</h2>
        &lt;img src=x onerror=alert(1)&gt;
        <p>x r <a href="https://x.example/%22onclick=">&quot;</a> alt &lt;b&gt;</p>
        <pre><code>&lt;/code&gt;&lt;/script&gt;
        </code></pre>
        "##);
    }

    #[test]
    fn plain_text_keeps_blocks_apart() {
        let text = plain("Two **days**.\n\n- one\n- two\n\n| a | b |\n| - | -: |\n| 1 | 2 |");
        assert_eq!(text, "Two days. one two a, b; 1, 2");
        assert_eq!(prose("## Phone\n\nCall **us**.\n\n| a |\n| - |\n| 1 |"), "Call us.");
    }
}
