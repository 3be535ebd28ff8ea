//! A web page → Markdown of its main content.
//!
//! A page is hostile input: parsers of HTML are quadratic or recursive in places. So a scanner goes first; what it writes
//! has only known elements, few attributes and a bounded depth, without scripts and without what a reader can't see.

use dom_smoothie::{Config, Readability};
use htmd::HtmlToMarkdown;

use super::text::Meta;

/// A web page's content.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) meta: Meta,
    pub(super) markdown: String,
    /// What it says about who may see it, or when, isn't understood.
    pub(super) unclear: Option<String>,
}

/// Reads a page.
///
/// # Errors
///
/// When it is nested too deeply, too large, or holds no text.
pub(super) fn read(html: &str) -> Result<Page, String> {
    let scanned = Scanner::new(html).run()?;
    let mut meta = scanned.meta;
    let plain = markdown(&scanned.plain)?;
    let main = markdown(&scanned.main)?;
    // The author's word for what matters is better than a guess, unless it's next to nothing of the page.
    let content = if letters(&main) * 4 >= letters(&plain) && letters(&main) > 0 {
        main
    } else {
        match readable(&scanned.whole) {
            Some((title, content)) => {
                meta.title = meta.title.filter(|title| !title.is_empty()).or(title);
                let guess = markdown(&content)?;
                // The guess drops what looks like a list of links; help pages often are one.
                if letters(&guess) * 2 >= letters(&plain) { guess } else { plain }
            }
            None => plain,
        }
    };
    if letters(&content) == 0 {
        return Err("it holds no text that a reader would see".to_owned());
    }
    Ok(Page { meta, markdown: content, unclear: scanned.unclear })
}

/// A piece of HTML within Markdown, as Markdown; empty if nothing of it would be seen.
pub(super) fn text_of_fragment(html: &str) -> String {
    let scanned = Scanner::new(html).run();
    scanned.and_then(|scanned| markdown(&scanned.whole)).unwrap_or_default()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|char| char.is_alphanumeric()).count()
}

fn readable(html: &str) -> Option<(Option<String>, String)> {
    let config = Config { disable_json_ld: true, max_elements_to_parse: MAX_ELEMENTS * 2, ..Config::default() };
    let article = Readability::new(html, None, Some(config)).ok()?.parse().ok()?;
    let title = Some(article.title).filter(|title| !title.is_empty());
    Some((title, article.content.to_string()))
}

fn markdown(html: &str) -> Result<String, String> {
    let options = htmd::options::Options {
        bullet_list_marker: htmd::options::BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Default::default()
    };
    let converter = HtmlToMarkdown::builder().options(options).build();
    let markdown =
        converter.convert(html).map_err(|error| format!("it could not be converted to Markdown: {error}"))?;
    Ok(unescaped(&markdown))
}

/// Takes back the escapes that only matter to a Markdown renderer: what is quoted to a visitor is read as it stands.
/// At the start of a line they stay, because there they keep text from becoming a list or a heading.
fn unescaped(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut code = false;
    for line in markdown.split_inclusive('\n') {
        code ^= line.trim_start().starts_with("```");
        let indent = line.len() - line.trim_start().len();
        let digits = line[indent..].bytes().take_while(u8::is_ascii_digit).count();
        let escaped = line[indent + digits..].strip_prefix('\\');
        let is_marker = escaped.is_some_and(|rest| match digits {
            0 => rest.starts_with(['#', '-', '+', '*', '>']),
            _ => rest.starts_with(['.', ')']),
        });
        let head = match (code, is_marker) {
            (true, _) => line.len(),
            (false, true) => indent + digits + 2,
            (false, false) => 0,
        };
        out.push_str(&line[..head]);
        let mut rest = line[head..].chars().peekable();
        while let Some(char) = rest.next() {
            let escape = char == '\\' && rest.peek().is_some_and(|next| "*_[]`<>~#+-.!()|\\".contains(*next));
            // In a table a bar has to stay escaped.
            if escape && rest.peek() != Some(&'|') {
                out.extend(rest.next());
            } else {
                out.push(char);
            }
        }
    }
    out
}

const MAX_DEPTH: usize = 256;
const MAX_ELEMENTS: usize = 200_000;
/// Attributes of one element that are looked at.
const MAX_ATTRIBUTES: usize = 32;

#[derive(Debug, Default)]
struct Scanned {
    meta: Meta,
    unclear: Option<String>,
    /// The page for a guess at its main content.
    whole: String,
    /// The page without navigation, header, footer and sidebars.
    plain: String,
    /// What stands in `<main>`, or in `<article>` if there is no `<main>`.
    main: String,
}

/// What happens to an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Written, with the attributes that help to judge it.
    Block,
    /// Written without attributes, except a link's address.
    Inline,
    /// Its tags go, its content stays.
    Unwrap,
    /// It goes with all that it holds.
    Drop,
    /// As `Drop`; its content is no HTML.
    Raw,
    /// It has no content.
    Void,
}

fn fate(name: &str) -> Fate {
    match name {
        "script" | "style" | "textarea" | "xmp" | "iframe" | "noembed" | "noframes" | "plaintext" | "title" => {
            Fate::Raw
        }
        "template" | "svg" | "math" | "canvas" | "object" | "video" | "audio" | "select" | "datalist" | "button"
        | "noscript" | "dialog" | "picture" | "map" => Fate::Drop,
        "area" | "base" | "br" | "col" | "embed" | "hr" | "img" | "input" | "link" | "meta" | "source" | "track"
        | "wbr" => Fate::Void,
        "html" | "head" | "body" | "font" | "span" | "center" => Fate::Unwrap,
        "div" | "section" | "article" | "main" | "header" | "footer" | "nav" | "aside" | "h1" | "h2" | "h3" | "h4"
        | "h5" | "h6" | "p" | "ul" | "ol" | "li" | "dl" | "dt" | "dd" | "table" | "caption" | "thead" | "tbody"
        | "tfoot" | "tr" | "th" | "td" | "blockquote" | "pre" | "figure" | "figcaption" | "details" | "summary"
        | "address" | "form" | "fieldset" => Fate::Block,
        "a" | "b" | "strong" | "i" | "em" | "code" | "kbd" | "samp" => Fate::Inline,
        _ => Fate::Unwrap,
    }
}

/// Elements whose end tag may be left out; they end where their like begins.
fn ends_by_itself(name: &str) -> bool {
    matches!(name, "p" | "li" | "dt" | "dd" | "tr" | "td" | "th" | "thead" | "tbody" | "tfoot" | "caption")
}

/// What is written in place of an element.
fn written_as(name: &str) -> &str {
    match name {
        // A folded question is a heading over its answer.
        "summary" => "h6",
        "details" | "dl" | "form" | "fieldset" | "address" | "figure" | "figcaption" => "div",
        "dt" | "dd" => "p",
        "kbd" | "samp" => "code",
        name => name,
    }
}

struct Skip {
    name: String,
    /// Open elements around it.
    depth: usize,
}

struct Scanner<'a> {
    html: &'a str,
    at: usize,
    out: Scanned,
    article: String,
    stack: Vec<String>,
    skip: Option<Skip>,
    chrome: Option<usize>,
    elements: usize,
}

#[derive(Default)]
struct Attributes {
    pairs: Vec<(String, String)>,
}

impl Attributes {
    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn hidden(&self) -> bool {
        let style: String =
            self.get("style").unwrap_or_default().chars().filter(|char| !char.is_whitespace()).collect();
        let style = style.to_ascii_lowercase();
        self.get("hidden").is_some()
            || self.get("aria-hidden").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || ["display:none", "visibility:hidden", "font-size:0;", "opacity:0;"]
                .iter()
                .any(|hide| style.contains(hide))
            || style.ends_with("font-size:0")
            || style.ends_with("opacity:0")
    }

    fn is_chrome(&self) -> bool {
        matches!(self.get("role"), Some("navigation" | "banner" | "contentinfo" | "complementary" | "search" | "menu"))
    }
}

impl<'a> Scanner<'a> {
    fn new(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            out: Scanned::default(),
            article: String::new(),
            stack: Vec::new(),
            skip: None,
            chrome: None,
            elements: 0,
        }
    }

    fn run(mut self) -> Result<Scanned, String> {
        while self.at < self.html.len() {
            let rest = &self.html[self.at..];
            let Some(open) = rest.find('<') else {
                self.write(rest);
                break;
            };
            self.write(&rest[..open]);
            self.at += open;
            self.markup()?;
        }
        if self.out.main.is_empty() {
            self.out.main = self.article;
        }
        Ok(self.out)
    }

    fn rest(&self) -> &'a str {
        &self.html[self.at..]
    }

    fn skip_past(&mut self, end: &str) {
        let rest = self.rest();
        self.at = rest.find(end).map_or(self.html.len(), |at| self.at + at + end.len());
    }

    /// Stands at `<`.
    fn markup(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let after = rest.as_bytes().get(1).copied().unwrap_or(b' ');
        if rest.starts_with("<!--") {
            // From the first dash: `<!-->` is a whole comment.
            self.at += 2;
            self.skip_past("-->");
        } else if matches!(after, b'!' | b'?') {
            self.skip_past(">");
        } else if after == b'/' && rest.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic) {
            self.at += 2;
            let name = self.name();
            self.skip_past(">");
            self.close(&name);
        } else if after.is_ascii_alphabetic() {
            self.at += 1;
            let name = self.name();
            let attributes = self.attributes();
            self.open(name, &attributes)?;
        } else {
            self.at += 1;
            self.write("&lt;");
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|char: char| char.is_ascii_whitespace() || matches!(char, '/' | '>')).unwrap_or(rest.len());
        self.at += end;
        rest[..rest[..end].floor_char_boundary(64)].to_ascii_lowercase()
    }

    /// Reads up to and past `>`.
    fn attributes(&mut self) -> Attributes {
        let mut attributes = Attributes::default();
        loop {
            let rest = self.rest();
            let skipped =
                rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_whitespace() || char == '/').len();
            self.at += skipped;
            let rest = self.rest();
            if rest.is_empty() {
                return attributes;
            }
            if rest.starts_with('>') {
                self.at += 1;
                return attributes;
            }
            // A name may begin with `=`, so that every round gets further.
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let stop = |char: char| char.is_ascii_whitespace() || matches!(char, '/' | '>' | '=');
            let end = rest[first..].find(stop).map_or(rest.len(), |at| at + first);
            let name = rest[..end].to_ascii_lowercase();
            self.at += end;
            let rest = self.rest();
            let value = match rest.trim_start_matches(|char: char| char.is_ascii_whitespace()).strip_prefix('=') {
                Some(value) => {
                    let value = value.trim_start_matches(|char: char| char.is_ascii_whitespace());
                    self.at = self.html.len() - value.len();
                    self.value()
                }
                None => "",
            };
            if attributes.pairs.len() < MAX_ATTRIBUTES && name.len() <= 32 && value.len() <= 4096 {
                attributes.pairs.push((name, value.to_owned()));
            }
        }
    }

    fn value(&mut self) -> &'a str {
        let rest = self.rest();
        for quote in ['"', '\''] {
            if let Some(inner) = rest.strip_prefix(quote) {
                let end = inner.find(quote).unwrap_or(inner.len());
                self.at += (end + 2).min(rest.len());
                return &inner[..end];
            }
        }
        let end = rest.find(|char: char| char.is_ascii_whitespace() || char == '>').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn open(&mut self, name: String, attributes: &Attributes) -> Result<(), String> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(format!("it has more than {MAX_ELEMENTS} elements; split it"));
        }
        if self
            .skip
            .as_ref()
            .is_some_and(|skip| skip.name == name && skip.depth == self.stack.len() && ends_by_itself(&name))
        {
            self.skip = None;
        }
        let fate = fate(&name);
        match fate {
            Fate::Raw => return self.raw(&name),
            Fate::Void => {
                self.void(&name, attributes);
                return Ok(());
            }
            _ => {}
        }
        let depth = self.stack.len();
        if !ends_by_itself(&name) && !matches!(name.as_str(), "html" | "head" | "body") {
            if depth >= MAX_DEPTH {
                return Err(format!("its elements are nested more than {MAX_DEPTH} deep"));
            }
            self.stack.push(name.clone());
        }
        if name == "html"
            && let Some(language) = attributes.get("lang")
        {
            self.out.meta.set("language", language)?;
        }
        if self.skip.is_some() {
            return Ok(());
        }
        if fate == Fate::Drop || attributes.hidden() && !matches!(name.as_str(), "html" | "body") {
            self.write(" ");
            self.skip = Some(Skip { name, depth });
            return Ok(());
        }
        let in_content = self.within("main") || self.within("article");
        let is_chrome = matches!(name.as_str(), "nav" | "footer" | "aside") || name == "header" && !in_content;
        if self.chrome.is_none() && !ends_by_itself(&name) && (is_chrome || attributes.is_chrome()) {
            self.chrome = Some(depth);
        }
        match fate {
            Fate::Block => {
                let mut tag = format!("<{}", written_as(&name));
                for key in ["class", "id"] {
                    if let Some(value) = attributes.get(key).filter(|value| value.len() <= 200) {
                        tag.push_str(&format!(" {key}=\"{}\"", value.replace(['"', '<', '>'], "")));
                    }
                }
                tag.push('>');
                self.write(&tag);
            }
            Fate::Inline => {
                let href = attributes.get("href").filter(|href| is_web_address(href));
                match (name.as_str(), href) {
                    ("a", Some(href)) => self.write(&format!("<a href=\"{}\">", href.replace(['"', '<', '>'], ""))),
                    // An anchor without an address is only a place.
                    ("a", None) => self.write("<a>"),
                    _ => self.write(&format!("<{}>", written_as(&name))),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn raw(&mut self, name: &str) -> Result<(), String> {
        let rest = self.rest();
        let end = find_close(rest, name);
        if name == "title" && self.out.meta.title.is_none() && self.skip.is_none() {
            self.out.meta.set("title", &decoded(&rest[..end]))?;
        }
        self.at += end;
        if end < rest.len() {
            self.skip_past(">");
        }
        Ok(())
    }

    fn void(&mut self, name: &str, attributes: &Attributes) {
        match name {
            "br" => self.write("<br>"),
            "hr" => self.write("<hr>"),
            "wbr" | "img" | "input" => self.write(" "),
            // Others use names like `audience`, too; these are ours.
            "meta" => {
                let named = attributes.get("name").unwrap_or_default().to_ascii_lowercase();
                let name = match attributes.get("http-equiv") {
                    Some(header) if header.eq_ignore_ascii_case("content-language") => Some("language"),
                    _ => named.strip_prefix("frontdesk:"),
                };
                if let Some(name) = name {
                    let wrong = self.out.meta.set(name, &decoded(attributes.get("content").unwrap_or_default())).err();
                    self.out.unclear = self.out.unclear.take().or(wrong);
                }
            }
            "link" if attributes.get("rel") == Some("canonical") => {
                // An address that can't be shown is none.
                drop(self.out.meta.set("url", &decoded(attributes.get("href").unwrap_or_default())));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        let fate = fate(name);
        if ends_by_itself(name) {
            if self.skip.as_ref().is_some_and(|skip| skip.name == name && skip.depth == self.stack.len()) {
                self.skip = None;
            } else {
                self.write(&format!("</{}>", written_as(name)));
            }
            return;
        }
        let Some(depth) = self.stack.iter().rposition(|open| open == name) else { return };
        // What was left open within it ends with it.
        for inner in self.stack.split_off(depth).into_iter().rev() {
            if self.skip.is_none() && matches!(self::fate(&inner), Fate::Block | Fate::Inline) {
                self.write(&format!("</{}>", written_as(&inner)));
            }
        }
        if self
            .skip
            .as_ref()
            .is_some_and(|skip| if ends_by_itself(&skip.name) { depth < skip.depth } else { depth <= skip.depth })
        {
            let inside = self.skip.as_ref().map_or(0, |skip| skip.depth);
            self.skip = None;
            if depth < inside && matches!(fate, Fate::Block | Fate::Inline) {
                self.write(&format!("</{}>", written_as(name)));
            }
        }
        if self.chrome.is_some_and(|chrome| depth <= chrome) {
            self.chrome = None;
        }
    }

    fn within(&self, name: &str) -> bool {
        self.stack.iter().any(|open| open == name)
    }

    fn write(&mut self, piece: &str) {
        if self.skip.is_some() || piece.is_empty() {
            return;
        }
        self.out.whole.push_str(piece);
        if self.chrome.is_none() {
            self.out.plain.push_str(piece);
            if self.within("main") {
                self.out.main.push_str(piece);
            } else if self.within("article") {
                self.article.push_str(piece);
            }
        }
    }
}

fn is_web_address(href: &str) -> bool {
    let lower = href.trim_start().get(..8).unwrap_or(href).to_ascii_lowercase();
    lower.starts_with("https://")
        || lower.starts_with("http://")
        || lower.starts_with("mailto:")
        || lower.starts_with('/')
}

/// Where `</name` begins.
fn find_close(text: &str, name: &str) -> usize {
    text.match_indices("</")
        .find(|(at, _)| {
            text.as_bytes()[at + 2..].get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        })
        .map_or(text.len(), |(at, _)| at)
}

/// The handful of entities that titles and addresses have.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for (entity, char) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        if text.contains(entity) {
            text = text.replace(entity, char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_markdown_of_what_matters() {
        let check =
            |html: &str, expected: &str| assert_eq!(read(html).map(|page| page.markdown).as_deref(), Ok(expected));
        check("<p>One <b>two</b></p><p>three", "One **two**\n\nthree");
        check("<nav>Home</nav><main><h1>A</h1><p>b</p></main><footer>Imprint</footer>", "# A\n\nb");
        check("<p>a<script>x < y; '<div>'</script>b<style>p{}</style><!-- c --></p>", "ab");
        check("<p>a <span hidden>b</span><span style='display: none'>c</span><i aria-hidden=true>d</i>e</p>", "a e");
        check("<div><p hidden>secret</div><p>seen</p>", "seen");
        check("<p hidden>secret<p>seen", "seen");
        check("<ul><li>a<li>b</ul>", "- a\n- b");
        check("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b");
        check("1 < 2 and 3 <4", "1 < 2 and 3 <4");
        check("<a href='javascript:x()'>a</a> <a href='https://b.example/c'>b</a>", "a [b](https://b.example/c)");
        check(
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| a | b |\n| - | - |\n| 1 | 2 |",
        );
        check("<details><summary>Why?</summary>Because.</details>", "###### Why?\n\nBecause.");
        check("<p>5*6 a_b_c [x] 1.5", "5*6 a_b_c [x] 1.5");
        check("<p>1. no list</p><p># no heading</p>", "1\\. no list\n\n\\# no heading");
    }

    #[test]
    fn what_the_page_says_of_itself() {
        let page =
            read("<html lang=de-CH><title>A &amp; B</title><link rel=canonical href=https://x.example/y><p>Text")
                .expect("sound");
        assert_eq!(page.meta.title.as_deref(), Some("A & B"));
        assert_eq!(page.meta.language.as_deref(), Some("de"));
        assert_eq!(page.meta.url.as_deref(), Some("https://x.example/y"));
    }

    #[test]
    fn hostile_pages_are_refused_or_read_in_time() {
        let check = |html: String, expected: &str| match read(&html) {
            Ok(page) => assert!(page.markdown.contains(expected), "{}", &page.markdown[..page.markdown.len().min(200)]),
            Err(reason) => assert!(reason.contains(expected), "{reason}"),
        };
        check("<div>".repeat(100_000), "nested more than 256 deep");
        check(format!("{}x", "<svg><style>".repeat(1000)), "no text");
        check(format!("<p>{}", "<p>a".repeat(250_000)), "more than 200000 elements");
        check(format!("<div {}>text", "a=1 ".repeat(500_000)), "text");
        check(format!("<p>{}text", "<b><i></b>".repeat(20_000)), "text");
        check(format!("text {}", "<!--".repeat(200_000)), "text");
        check(format!("text {}", "<".repeat(200_000)), "text");
        check(format!("text <a {}", "=".repeat(200_000)), "text");
        check(format!("<table>{}text", "<tr><td>".repeat(5_000)), "text");
        check("<script>".to_owned(), "no text");
        check(String::new(), "no text");
    }
}
