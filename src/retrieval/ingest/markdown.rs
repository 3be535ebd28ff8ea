//! Markdown and plain text: front matter off, HTML and images out, the rest as it stands.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::clauses;
use super::text::Meta;

mod dialects;

/// Splits the front matter off (`---` for YAML's `key: value` lines, `+++` for TOML's `key =
/// value`).
///
/// # Errors
///
/// A value that is wrong, with its line.
pub(super) fn front_matter(text: &str) -> Result<(Meta, &str), String> {
    let mut meta = Meta::default();
    let Some((mark, separator)) =
        [("---\n", ':'), ("+++\n", '=')].into_iter().find(|(mark, _)| text.starts_with(mark))
    else {
        return Ok((meta, text));
    };
    let body = &text[mark.len()..];
    let close = mark.trim_end();
    let mut at = 0;
    let mut end = None;
    // A rule at the top of a page is no front matter: it needs a closing line, and close by.
    for line in body.split_inclusive('\n').take(200) {
        if line.trim_end() == close || (close == "---" && line.trim_end() == "...") {
            end = Some((at, at + line.len()));
            break;
        }
        at += line.len();
    }
    let Some((end, after)) = end else { return Ok((meta, text)) };
    lines(&mut meta, &body[..end], separator, 2)?;
    Ok((meta, &body[after..]))
}

/// Takes `key: value` lines as a file beside a document holds them.
///
/// # Errors
///
/// A value that is wrong, with its line.
pub(super) fn meta_file(text: &str) -> Result<Meta, String> {
    let mut meta = Meta::default();
    lines(&mut meta, text, ':', 1)?;
    Ok(meta)
}

fn lines(meta: &mut Meta, text: &str, separator: char, first: usize) -> Result<(), String> {
    let mut lines = text.lines().zip(first..).peekable();
    while let Some((line, number)) = lines.next() {
        // Nested values and lists are indented or dashed; none of ours is.
        if line.starts_with([' ', '\t', '-', '#', '[']) {
            continue;
        }
        let Some((key, value)) = line.split_once(separator) else { continue };
        let mut value = unquoted(value).to_owned();
        // A value that is folded over the indented lines below.
        if matches!(value.as_str(), ">" | "|" | ">-" | "|-" | ">+" | "|+") {
            let folded =
                std::iter::from_fn(|| lines.next_if(|(line, _)| line.starts_with([' ', '\t'])));
            value = folded.map(|(line, _)| line.trim().to_owned()).collect::<Vec<_>>().join(" ");
        }
        let is_draft =
            matches!((key.trim(), value.as_str()), ("draft", "true") | ("published", "false"));
        if is_draft {
            return Err(format!(
                "line {number}: it is a draft ({}: {value}), and left out",
                key.trim()
            ));
        }
        meta.set(key, &value).map_err(|reason| format!("line {number}: {reason}"))?;
    }
    Ok(())
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next()) {
            return inner;
        }
    }
    // A comment after a bare value.
    value.split(" #").next().unwrap_or(value).trim_end()
}

/// Markdown as a reader of the page sees it: without comments, tags, scripts, struck-out text and
/// image addresses (their alternative text stays where text surrounds it), with lists numbered and
/// their items in one line each. Code is left alone.
pub(super) fn cleaned(text: &str) -> String {
    // Before wrapped lines are joined: a clause's title is a line of its own.
    let text = &clauses::as_headings(&dialects::plain(text));
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut html: Option<(Range<usize>, String)> = None;
    let mut image: Option<(Range<usize>, String)> = None;
    // The paragraph's own range, and whether images are all that it holds.
    let mut paragraph: Option<(Range<usize>, bool)> = None;
    // The next number of each open list; `None` for bullets.
    let mut lists: Vec<Option<u64>> = Vec::new();
    let mut struck: Option<Range<usize>> = None;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        if image.is_none()
            && !matches!(event, Event::Start(Tag::Image { .. }) | Event::End(_) | Event::SoftBreak)
        {
            let blank = matches!(&event, Event::Text(piece) if piece.trim().is_empty());
            if let Some((_, images)) = paragraph
                .as_mut()
                .filter(|_| !blank && !matches!(event, Event::Start(Tag::Paragraph)))
            {
                *images = false;
            }
        }
        match event {
            Event::Start(Tag::HtmlBlock) => html = Some((range, String::new())),
            Event::Html(piece) => {
                if let Some((_, block)) = &mut html {
                    block.push_str(&piece);
                }
            }
            Event::End(TagEnd::HtmlBlock) => {
                if let Some((range, block)) = html.take() {
                    let mut kept = super::html::text_of_fragment(&block);
                    // A fold whose answer is Markdown ends in a block of its own.
                    if kept.is_empty() && block.trim_start().starts_with("</details") {
                        "######".clone_into(&mut kept);
                    }
                    edits.push((
                        range,
                        if kept.is_empty() { String::new() } else { format!("{kept}\n") },
                    ));
                }
            }
            Event::InlineHtml(tag) => {
                let tag = tag.to_ascii_lowercase();
                edits.push((
                    range,
                    if tag.starts_with("<br") { " ".to_owned() } else { String::new() },
                ));
            }
            Event::FootnoteReference(_) => edits.push((range, String::new())),
            // Nobody hears a stress that stands in marks.
            Event::Start(Tag::Emphasis)
                if image.is_none() && range.len() > 2 && !within_word(text, &range) =>
            {
                edits.push((range.start..range.start + 1, String::new()));
                edits.push((range.end - 1..range.end, String::new()));
            }
            Event::Start(Tag::Strikethrough) if struck.is_none() => struck = Some(range),
            Event::End(TagEnd::Strikethrough) => {
                edits.extend(struck.take().map(|range| (range, String::new())))
            }
            Event::Start(Tag::Link { link_type, dest_url, .. }) if image.is_none() => {
                let label =
                    text[range.clone()].strip_prefix('[').and_then(|rest| rest.split(']').next());
                if let Some(label) = label.filter(|label| !label.contains(['[', '!', '`'])) {
                    let web = ["https://", "http://", "mailto:", "/"]
                        .iter()
                        .any(|start| dest_url.starts_with(start));
                    let inline = matches!(link_type, LinkType::Inline);
                    match (web, inline) {
                        // A file of the same folder is nothing that a visitor could open.
                        (false, _) => edits.push((range, label.to_owned())),
                        (true, false) => edits.push((range, format!("[{label}]({dest_url})"))),
                        (true, true) => {}
                    }
                }
            }
            Event::Start(Tag::Image { .. }) if image.is_none() => {
                image = Some((range, String::new()))
            }
            Event::End(TagEnd::Image) => {
                // An image within an image's text ends first; its range lies within the outer one.
                if image.as_ref().is_some_and(|(outer, _)| outer.end <= range.end)
                    && let Some((range, alternative)) = image.take()
                {
                    edits.push((range, alternative));
                }
            }
            Event::Start(Tag::Paragraph) => paragraph = Some((range, true)),
            Event::End(TagEnd::Paragraph) => {
                // Pictures between steps part a list in two.
                if let Some((range, true)) = paragraph.take() {
                    edits.retain(|(edit, _)| edit.start < range.start || edit.end > range.end);
                    let indent = text[..range.start].len()
                        - text[..range.start].trim_end_matches([' ', '\t']).len();
                    edits.push((range.start - indent..range.end, String::new()));
                }
            }
            Event::Start(Tag::List(start)) => lists.push(start),
            Event::End(TagEnd::List(_)) => drop(lists.pop()),
            Event::Start(Tag::Item) => {
                if let Some(Some(number)) = lists.last_mut() {
                    let digits = text[range.start..].bytes().take_while(u8::is_ascii_digit).count();
                    let written = &text[range.start..range.start + digits];
                    // Renderers count by themselves, also where every item is written `1.`.
                    if digits > 0
                        && written != number.to_string()
                        && number.to_string().len() == digits
                    {
                        edits.push((range.start..range.start + digits, number.to_string()));
                    }
                    *number += 1;
                }
            }
            Event::SoftBreak if !lists.is_empty() => {
                let rest = &text[range.end..];
                let indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                edits.push((range.start..range.end + indent, " ".to_owned()));
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some((_, alternative)) = &mut image {
                    alternative.push_str(&piece);
                }
            }
            _ => {}
        }
    }
    // An edit within another one goes with it.
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, with) in edits {
        if range.start >= at {
            out.push_str(&text[at..range.start]);
            out.push_str(&with);
            at = range.end;
        }
    }
    out.push_str(&text[at..]);
    out
}

/// Whether letters or figures touch it on both sides of its beginning or end: `2*3*4` is a size.
fn within_word(text: &str, range: &Range<usize>) -> bool {
    let word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    word(text[..range.start].chars().next_back()) || word(text[range.end..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::Audience;

    #[test]
    fn front_matter_is_read_and_taken_off() {
        let (meta, rest) = front_matter(
            "---\ntitle: \"Returns: how\"\nlang: de-AT # Austria\ntags:\n  - title: no\naudience: agents\nvalid_until: 1970-01-01\n---\n# Body",
        )
        .expect("sound");
        assert_eq!(rest, "# Body");
        assert_eq!(meta.title.as_deref(), Some("Returns: how"));
        assert_eq!(meta.language.as_deref(), Some("de"));
        assert_eq!(
            (meta.audience, meta.valid_until_ms),
            (Some(Audience::Agents), Some(86_399_999))
        );
        let (meta, rest) = front_matter("+++\ntitle = 'A'\n+++\nB").expect("sound");
        assert_eq!((meta.title.as_deref(), rest), (Some("A"), "B"));
        for text in ["---\nno end", "text", "", "---\n"] {
            assert_eq!(front_matter(text).map(|(_, rest)| rest), Ok(text));
        }
        assert!(
            front_matter("---\na: b\naudience: everyone\n---\n")
                .is_err_and(|reason| reason.starts_with("line 3: "))
        );
    }

    #[test]
    fn only_what_a_reader_sees_stays() {
        let check = |text: &str, expected: &str| assert_eq!(cleaned(text).trim(), expected);
        check("a <!-- secret --> b", "a  b");
        check("<!-- secret\n\nmore -->\n\nb", "b");
        check("<script>alert(1)</script>\n\nb", "b");
        check("<div>kept</div>\n\nb", "kept\n\nb");
        check("a<br>b <b>c</b>", "a b c");
        check("![the *blue* one](https://x/y.png) here", "the blue one here");
        check("`<!-- code -->`", "`<!-- code -->`");
        check("[link](https://x) stays", "[link](https://x) stays");
        check(
            "[a](./b.md) and [c][d]\n\n[d]: https://e.example",
            "a and [c](https://e.example)\n\n[d]: https://e.example",
        );
        check(
            "Steep at *80 °C* for _two_ minutes, **never** a_b_c 2*3*4",
            "Steep at 80 °C for two minutes, **never** a_b_c 2*3*4",
        );
        check("~~60 EUR~~ 45 EUR[^1]", "45 EUR");
        check(
            "1. One that is\nwrapped\n\n  ![shot](x.png)\n\n2. Two",
            "1. One that is wrapped\n\n\n2. Two",
        );
        check("1. a\n1. b\n1. c", "1. a\n2. b\n3. c");
        check(
            "<details><summary>Far?</summary>\n\nNo.\n\n</details>\n\nb",
            "###### Far?\n\nNo.\n\n######\n\nb",
        );
    }
}
