//! Hostile HTML → HTML that a parser can take: known elements, few attributes, a bounded depth, no
//! scripts.

use crate::retrieval::ingest::text::Meta;

const MAX_DEPTH: usize = 256;
const MAX_ELEMENTS: usize = 200_000;
/// Attributes of one element that are looked at.
const MAX_ATTRIBUTES: usize = 32;

/// Bytes of facts for search engines that are kept.
const MAX_LINKED_DATA: usize = 4 << 20;

/// A page, cleaned.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) meta: Meta,
    pub(super) unclear: Option<String>,
    pub(super) html: String,
    /// The texts of `<script type="application/ld+json">`.
    pub(super) linked_data: Vec<String>,
}

/// Reads up to the end of a page.
///
/// # Errors
///
/// When it is nested too deeply or has too many elements, or its language can't be taken.
pub(super) fn scan(html: &str) -> Result<Scanned, String> {
    Scanner::new(html).run()
}

/// What happens to an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Written, with the attributes that help to judge it.
    Written,
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
        "script" | "style" | "textarea" | "xmp" | "iframe" | "noembed" | "noframes"
        | "plaintext" | "title" => Fate::Raw,
        "template" | "svg" | "math" | "canvas" | "object" | "video" | "audio" | "select"
        | "datalist" | "noscript" | "dialog" | "map" => Fate::Drop,
        "area" | "base" | "br" | "col" | "embed" | "hr" | "img" | "input" | "link" | "meta"
        | "source" | "track" | "wbr" => Fate::Void,
        "div" | "section" | "article" | "main" | "header" | "footer" | "nav" | "aside" | "h1"
        | "h2" | "h3" | "h4" | "h5" | "h6" | "p" | "ul" | "ol" | "li" | "dl" | "dt" | "dd"
        | "table" | "caption" | "thead" | "tbody" | "tfoot" | "tr" | "th" | "td" | "blockquote"
        | "pre" | "figure" | "figcaption" | "details" | "summary" | "address" | "form"
        | "fieldset" | "legend" => Fate::Written,
        "a" | "b" | "strong" | "i" | "em" | "code" | "kbd" | "samp" | "span" | "label"
        | "button" | "sup" | "del" | "s" | "strike" => Fate::Written,
        _ => Fate::Unwrap,
    }
}

/// Elements whose end tag may be left out; they end where their like begins.
fn ends_by_itself(name: &str) -> bool {
    matches!(
        name,
        "p" | "li" | "dt" | "dd" | "tr" | "td" | "th" | "thead" | "tbody" | "tfoot" | "caption"
    )
}

/// What is written in place of an element.
fn written_as(name: &str) -> &str {
    match name {
        "kbd" | "samp" => "code",
        name => name,
    }
}

/// Attributes by which the passes after this one judge an element.
const KEPT: [&str; 20] = [
    "class",
    "id",
    "role",
    "aria-expanded",
    "aria-controls",
    "aria-labelledby",
    "data-target",
    "data-bs-target",
    "data-toggle",
    "data-bs-toggle",
    "data-tab",
    "data-tab-target",
    "colspan",
    "rowspan",
    "start",
    "for",
    "itemprop",
    "itemtype",
    "scope",
    "href",
];
/// Longest value of one of them, in bytes.
const MAX_VALUE: usize = 300;

struct Skip {
    name: String,
    /// Open elements around it.
    depth: usize,
}

struct Scanner<'a> {
    html: &'a str,
    at: usize,
    out: Scanned,
    stack: Vec<String>,
    skip: Option<Skip>,
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
        let style: String = self
            .get("style")
            .unwrap_or_default()
            .chars()
            .filter(|char| !char.is_whitespace())
            .collect();
        let style = style.to_ascii_lowercase();
        self.get("hidden").is_some()
            || self.get("aria-hidden").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || ["display:none", "visibility:hidden", "font-size:0;", "opacity:0;"]
                .iter()
                .any(|hide| style.contains(hide))
            || style.ends_with("font-size:0")
            || style.ends_with("opacity:0")
    }
}

impl<'a> Scanner<'a> {
    fn new(html: &'a str) -> Self {
        Self { html, at: 0, out: Scanned::default(), stack: Vec::new(), skip: None, elements: 0 }
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
        let end = rest
            .find(|char: char| char.is_ascii_whitespace() || matches!(char, '/' | '>'))
            .unwrap_or(rest.len());
        self.at += end;
        rest[..rest[..end].floor_char_boundary(64)].to_ascii_lowercase()
    }

    /// Reads up to and past `>`.
    fn attributes(&mut self) -> Attributes {
        let mut attributes = Attributes::default();
        loop {
            let rest = self.rest();
            let skipped = rest.len()
                - rest
                    .trim_start_matches(|char: char| char.is_ascii_whitespace() || char == '/')
                    .len();
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
            let value = match rest
                .trim_start_matches(|char: char| char.is_ascii_whitespace())
                .strip_prefix('=')
            {
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
        let end =
            rest.find(|char: char| char.is_ascii_whitespace() || char == '>').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn open(&mut self, name: String, attributes: &Attributes) -> Result<(), String> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(format!("it has more than {MAX_ELEMENTS} elements; split it"));
        }
        if self.skip.as_ref().is_some_and(|skip| {
            skip.name == name && skip.depth == self.stack.len() && ends_by_itself(&name)
        }) {
            self.skip = None;
        }
        let fate = fate(&name);
        match fate {
            Fate::Raw => return self.raw(&name, attributes),
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
        // A component's own shadow tree is what a reader sees of it.
        let shown = name == "template" && attributes.get("shadowrootmode").is_some();
        if fate == Fate::Drop && !shown {
            self.write(" ");
            self.skip = Some(Skip { name, depth });
            return Ok(());
        }
        if fate == Fate::Written {
            let mut tag = format!("<{}", written_as(&name));
            for key in KEPT {
                let value =
                    attributes.get(key).filter(|value| key == "href" || value.len() <= MAX_VALUE);
                let value = value.filter(|value| {
                    key != "href" || is_web_address(value) || value.starts_with('#')
                });
                if let Some(value) = value {
                    tag.push_str(&format!(" {key}=\"{}\"", value.replace(['"', '<', '>'], "")));
                }
            }
            tag.push_str(if attributes.hidden() { " hidden=\"\">" } else { ">" });
            self.write(&tag);
        } else if attributes.hidden() && !matches!(name.as_str(), "html" | "head" | "body") {
            // Elements that aren't known are written as what hides their content.
            self.write(" ");
            self.skip = Some(Skip { name, depth });
        }
        Ok(())
    }

    fn raw(&mut self, name: &str, attributes: &Attributes) -> Result<(), String> {
        let rest = self.rest();
        let end = find_close(rest, name);
        let is_data =
            |kind: &str| kind.trim().to_ascii_lowercase().starts_with("application/ld+json");
        let known: usize = self.out.linked_data.iter().map(String::len).sum();
        if name == "script"
            && attributes.get("type").is_some_and(is_data)
            && known + end <= MAX_LINKED_DATA
        {
            self.out.linked_data.push(rest[..end].to_owned());
        }
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
                    Some(header) if header.eq_ignore_ascii_case("content-language") => {
                        Some("language")
                    }
                    _ => named.strip_prefix("frontdesk:"),
                };
                if let Some(name) = name {
                    let wrong = self
                        .out
                        .meta
                        .set(name, &decoded(attributes.get("content").unwrap_or_default()))
                        .err();
                    self.out.unclear = self.out.unclear.take().or(wrong);
                }
            }
            "link" if attributes.get("rel") == Some("canonical") => {
                // An address that can't be shown is none.
                drop(
                    self.out.meta.set("url", &decoded(attributes.get("href").unwrap_or_default())),
                );
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        let fate = fate(name);
        if ends_by_itself(name) {
            if self
                .skip
                .as_ref()
                .is_some_and(|skip| skip.name == name && skip.depth == self.stack.len())
            {
                self.skip = None;
            } else {
                self.write(&format!("</{}>", written_as(name)));
            }
            return;
        }
        let Some(depth) = self.stack.iter().rposition(|open| open == name) else { return };
        // What was left open within it ends with it.
        for inner in self.stack.split_off(depth).into_iter().rev() {
            if self.skip.is_none() && self::fate(&inner) == Fate::Written {
                self.write(&format!("</{}>", written_as(&inner)));
            }
        }
        if self.skip.as_ref().is_some_and(|skip| {
            if ends_by_itself(&skip.name) { depth < skip.depth } else { depth <= skip.depth }
        }) {
            let inside = self.skip.as_ref().map_or(0, |skip| skip.depth);
            self.skip = None;
            if depth < inside && fate == Fate::Written {
                self.write(&format!("</{}>", written_as(name)));
            }
        }
    }

    fn write(&mut self, piece: &str) {
        if self.skip.is_none() {
            self.out.html.push_str(piece);
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
            text.as_bytes()[at + 2..]
                .get(..name.len())
                .is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
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
