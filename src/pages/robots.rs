//! robots.txt: what crawlers may fetch (RFC 9309), and what is wrong with the file.
//!
//! Verdicts are to equal Lighthouse's, so this reads as the parser that it uses (robots-parser 3):
//! every line with another key than `user-agent` ends the list of agents that a group is for (of a
//! `sitemap` line RFC 9309 says that it doesn't; `findings/sitemap-line-ends-a-group.sh`), and an
//! address can't be fetched if the longest pattern that fits says so, `allow` winning over
//! `disallow` of the same length. The faults are those of Lighthouse's audit `robots-txt`.

use std::collections::HashMap;

use url::Url;

/// The rules of a robots.txt, by agent in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Robots {
    groups: HashMap<String, Vec<Rule>>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    allow: bool,
    /// Counted from 1.
    line: usize,
}

impl Robots {
    #[must_use]
    pub(super) fn parse(text: &str) -> Self {
        let mut groups: HashMap<String, Vec<Rule>> = HashMap::new();
        let mut agents: Vec<String> = Vec::new();
        let mut listing = false;
        for (at, line) in lines(text).enumerate() {
            let Some((key, value)) = without_comment(line).split_once(':') else { continue };
            let (key, value) = (key.trim().to_lowercase(), value.trim());
            if key.is_empty() {
                continue;
            }
            if key == "user-agent" {
                if !listing {
                    agents.clear();
                }
                agents.extend(Some(agent(value)).filter(|agent| !agent.is_empty()));
                listing = true;
                continue;
            }
            listing = false;
            if !matches!(key.as_str(), "allow" | "disallow") {
                continue;
            }
            for agent in &agents {
                let rules = groups.entry(agent.clone()).or_default();
                if !value.is_empty() {
                    rules.push(Rule {
                        pattern: encoded(value),
                        allow: key == "allow",
                        line: at + 1,
                    });
                }
            }
        }
        Self { groups }
    }

    /// Whether an agent (`*` where none is named) may fetch the address. Otherwise the line that
    /// says so.
    ///
    /// # Errors
    /// With the line, counted from 1.
    pub(super) fn allows(&self, agent_name: &str, url: &Url) -> Result<(), usize> {
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path.push('?');
            path.push_str(query);
        }
        let path = upper_escapes(&path);
        let rules = self.groups.get(&agent(agent_name)).or_else(|| self.groups.get("*"));
        let fitting = rules.into_iter().flatten().filter(|rule| fits(&rule.pattern, &path));
        match fitting.max_by_key(|rule| (rule.pattern.len(), rule.allow)) {
            Some(rule) if !rule.allow => Err(rule.line),
            _ => Ok(()),
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    // Each of \r\n, \r and \n ends a line.
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// The product name without a version.
fn agent(value: &str) -> String {
    value.split('/').next().unwrap_or_default().trim().to_lowercase()
}

/// A pattern with what isn't ASCII percent-encoded, as paths of addresses are.
fn encoded(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    for byte in pattern.bytes() {
        match byte {
            // As `encodeURI` does; a % that stands there already stays.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            byte if b";,/?:@&=+$-_.!~*'()#%".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    upper_escapes(&out)
}

/// `%2a` as `%2A`.
fn upper_escapes(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    for (at, char) in path.char_indices() {
        let escaped = |back: usize| {
            at.checked_sub(back).is_some_and(|start| {
                bytes[start] == b'%'
                    && bytes
                        .get(start + 1..start + 3)
                        .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            })
        };
        out.push(if escaped(1) || escaped(2) { char.to_ascii_uppercase() } else { char });
    }
    out
}

/// Whether a pattern fits the beginning of a path. `*` stands for any run of characters, `$` at the
/// end for the path's end.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, whole) =
        pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return !whole || rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    if whole { rest.ends_with(last) } else { rest.contains(last) }
}

/// A line that crawlers may not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) reason: &'static str,
}

/// Keys that crawlers know; those after the first four are not of RFC 9309, but in use.
const KEYS: [&str; 11] = [
    "user-agent",
    "disallow",
    "allow",
    "sitemap",
    "crawl-delay",
    "clean-param",
    "host",
    "request-rate",
    "visit-time",
    "noindex",
    "content-signal",
];

/// What is wrong with a robots.txt, line by line.
#[must_use]
pub(super) fn faults(text: &str) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut in_group = false;
    for (at, line) in lines(text).enumerate() {
        let bare = without_comment(line).trim();
        if bare.is_empty() {
            continue;
        }
        let reason = match bare.split_once(':') {
            None => Some("no colon: it isn't \"key: value\""),
            Some((key, value)) => {
                let key = key.trim().to_lowercase();
                let reason = fault_of(&key, value.trim());
                let starts = key == "user-agent" && reason.is_none();
                in_group |= starts;
                let homeless =
                    reason.is_none() && !in_group && matches!(key.as_str(), "allow" | "disallow");
                reason
                    .or(homeless
                        .then_some("it stands before any user-agent, so it is for no crawler"))
            }
        };
        found.extend(reason.map(|reason| Fault { line: at + 1, text: line.to_owned(), reason }));
    }
    found
}

fn fault_of(key: &str, value: &str) -> Option<&'static str> {
    match key {
        key if !KEYS.contains(&key) => Some("no crawler knows this key"),
        "sitemap" => match Url::parse(value) {
            Err(_) => Some("a sitemap is named by its whole address (https://…)"),
            Ok(url) if !matches!(url.scheme(), "https" | "http" | "ftp") => {
                Some("a sitemap is fetched by http or https")
            }
            Ok(_) => None,
        },
        "user-agent" if value.is_empty() => Some("it names no crawler; * means all"),
        "allow" | "disallow" if !(value.is_empty() || value.starts_with(['/', '*'])) => {
            Some("a pattern begins with / or *")
        }
        "allow" | "disallow" if value.find('$').is_some_and(|at| at + 1 < value.len()) => {
            Some("$ means the address's end, so it stands at the pattern's end alone")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, agent: &str, path: &str) -> bool {
        let url = Url::parse("https://shop.example").unwrap().join(path).unwrap();
        Robots::parse(text).allows(agent, &url).is_ok()
    }

    #[test]
    fn the_longest_pattern_decides() {
        let text = "User-agent: *\nDisallow: /shop/\nAllow: /shop/tents\nDisallow: /*.pdf$\nDisallow: /*?sort=";
        for (path, expected) in [
            ("/", true),
            ("/shop/boots", false),
            ("/shop/tents/2", true),
            ("/guide.pdf", false),
            ("/guide.pdf?page=2", true),
            ("/tents?sort=price", false),
            ("/tents?page=2", true),
        ] {
            assert_eq!(allows(text, "*", path), expected, "{path}");
        }
        assert!(allows("User-agent: *\nDisallow: /x\nAllow: /x", "*", "/x"));
        assert!(!allows("User-agent: *\nDisallow: /\u{E9}t\u{E9}", "*", "/\u{E9}t\u{E9}/1"));
        assert!(!allows("User-agent: *\nDisallow: /a%c3%a9", "*", "/a%C3%A9"));
    }

    #[test]
    fn a_group_of_its_own_goes_before_that_for_all() {
        let text = "User-agent: Googlebot/2.1\nUser-agent: bingbot\nDisallow:\n\nUser-agent: *\nDisallow: /";
        assert!(allows(text, "googlebot", "/x"));
        assert!(allows(text, "Bingbot", "/x"));
        assert!(!allows(text, "DuckDuckBot", "/x"));
        assert!(allows("Disallow: /", "*", "/x"), "a rule without an agent is for nobody");
    }

    #[test]
    fn lines_that_crawlers_misread_are_named() {
        let text = "Allow: /\nUser-agent: *\rdisalow: /x\r\nDisallow: x\nAllow: /a$b # why\nSitemap: /s.xml\nplain words\n\
                    crawl-delay: 10\nuser-agent:\n";
        let lines: Vec<usize> = faults(text).iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6, 7, 9]);
        assert!(
            faults("# nothing\n\nUSER-AGENT:*\nDISALLOW:#all\nSitemap: https://shop.example/sitemap.xml").is_empty()
        );
    }
}
