//! Markdown and plain text: front matter off, HTML and images out, the rest as it stands.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::text::Meta;

/// Splits the front matter off (`---` for YAML's `key: value` lines, `+++` for TOML's `key = value`).
///
/// # Errors
///
/// A value that is wrong, with its line.
pub(super) fn front_matter(text: &str) -> Result<(Meta, &str), String> {
    let mut meta = Meta::default();
    let Some((mark, separator)) = [("---\n", ':'), ("+++\n", '=')].into_iter().find(|(mark, _)| text.starts_with(mark))
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
    for (line, number) in text.lines().zip(first..) {
        // Nested values and lists are indented or dashed; none of ours is.
        if line.starts_with([' ', '\t', '-', '#', '[']) {
            continue;
        }
        if let Some((key, value)) = line.split_once(separator) {
            meta.set(key, unquoted(value)).map_err(|reason| format!("line {number}: {reason}"))?;
        }
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

/// Markdown without what a reader of the page doesn't see: comments, tags, scripts and image addresses (their
/// alternative text stays). Code is left alone.
pub(super) fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut replace = |range: Range<usize>, with: &str| {
        if range.start >= at {
            out.push_str(&text[at..range.start]);
            out.push_str(with);
            at = range.end;
        }
    };
    let mut html: Option<(Range<usize>, String)> = None;
    let mut image: Option<(Range<usize>, String)> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) => html = Some((range, String::new())),
            Event::Html(piece) => {
                if let Some((_, block)) = &mut html {
                    block.push_str(&piece);
                }
            }
            Event::End(TagEnd::HtmlBlock) => {
                if let Some((range, block)) = html.take() {
                    let kept = super::html::text_of_fragment(&block);
                    replace(range, &if kept.is_empty() { String::new() } else { format!("{kept}\n") });
                }
            }
            Event::InlineHtml(tag) => {
                let tag = tag.to_ascii_lowercase();
                replace(range, if tag.starts_with("<br") { " " } else { "" });
            }
            Event::Start(Tag::Image { .. }) if image.is_none() => image = Some((range, String::new())),
            Event::End(TagEnd::Image) => {
                // An image within an image's text ends first; its range lies within the outer one.
                if image.as_ref().is_some_and(|(outer, _)| outer.end <= range.end)
                    && let Some((range, alternative)) = image.take()
                {
                    replace(range, &alternative);
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some((_, alternative)) = &mut image {
                    alternative.push_str(&piece);
                }
            }
            _ => {}
        }
    }
    out.push_str(&text[at..]);
    out
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
        assert_eq!((meta.audience, meta.valid_until_ms), (Some(Audience::Agents), Some(86_399_999)));
        let (meta, rest) = front_matter("+++\ntitle = 'A'\n+++\nB").expect("sound");
        assert_eq!((meta.title.as_deref(), rest), (Some("A"), "B"));
        for text in ["---\nno end", "text", "", "---\n"] {
            assert_eq!(front_matter(text).map(|(_, rest)| rest), Ok(text));
        }
        assert!(
            front_matter("---\na: b\naudience: everyone\n---\n").is_err_and(|reason| reason.starts_with("line 3: "))
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
    }
}
