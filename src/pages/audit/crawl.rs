//! Whether crawlers may have a page: status, robots.txt, and directives of the page and its
//! headers.

use super::Page;
use crate::pages::robots::{self, Robots};
use crate::pages::{Finding, quoted, timestamp};

/// Crawlers that are asked for beside all others (`None`). A page that one of them may have isn't
/// blocked.
const AGENTS: [Option<&str>; 5] =
    [None, Some("Googlebot"), Some("bingbot"), Some("DuckDuckBot"), Some("archive.org_bot")];
const UNAVAILABLE_AFTER: &str = "unavailable_after";

pub(super) fn http_status(page: &Page<'_>) -> Option<Finding> {
    (400..=599).contains(&page.status).then(|| {
        Finding::error(
            "http-status-code",
            format!("The page is answered with status {}.", page.status),
            "Answer it with 200, or redirect to the page that took its place.",
        )
    })
}

pub(super) fn is_crawlable(page: &Page<'_>) -> Option<Finding> {
    let robots = page.robots.filter(|text| !text.is_empty()).map(Robots::parse);
    let mut everybody = None;
    for agent in AGENTS {
        let blocked = blocked(page, robots.as_ref(), agent)?;
        everybody = everybody.or(Some(blocked));
    }
    let (source, remedy) = everybody?;
    Some(Finding::error("is-crawlable", format!("No search engine may show it: {source}."), remedy))
}

/// What keeps an agent away and what to do about it; `None` if nothing does.
fn blocked(
    page: &Page<'_>,
    robots: Option<&Robots>,
    agent: Option<&str>,
) -> Option<(String, &'static str)> {
    let metas: Vec<(String, &str)> = page
        .dom
        .named("meta")
        .filter(|meta| meta.is_in("head"))
        .map(|meta| {
            let get = |name: &str| meta.element.get(name).unwrap_or_default();
            (get("name").to_lowercase(), get("content"))
        })
        .collect();
    let named = |wanted: &str| metas.iter().find(|(name, _)| *name == wanted);
    let meta = agent.and_then(|agent| named(&agent.to_lowercase())).or_else(|| named("robots"));
    if let Some((name, content)) = meta.filter(|(_, content)| blocks(content, page.now_ms)) {
        let source = format!("<meta name=\"{name}\" content={}>", quoted(content));
        return Some((source, "Remove the directive, if the page is to be found."));
    }
    for (name, value) in
        page.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-robots-tag"))
    {
        let of = agent_of(value);
        if of.is_some() && of != agent {
            continue;
        }
        let directives =
            agent.and_then(|agent| value.strip_prefix(agent)?.strip_prefix(':')).unwrap_or(value);
        if blocks(directives, page.now_ms) {
            let source = format!("the header {name}: {}", quoted(value));
            return Some((source, "Remove the directive from what the server sends."));
        }
    }
    let line = robots?.allows(agent.unwrap_or("*"), &page.url).err()?;
    Some((
        format!("line {line} of robots.txt"),
        "Allow its path in robots.txt, if the page is to be found.",
    ))
}

/// Whether directives without an agent keep a page out of results.
fn blocks(directives: &str, now_ms: u64) -> bool {
    directives.split(',').map(|directive| directive.to_lowercase().trim().to_owned()).any(
        |directive| {
            let over = |after: &str| {
                timestamp::parse(after).is_some_and(|ms| u64::try_from(ms).unwrap_or(0) < now_ms)
            };
            let after =
                directive.strip_prefix(UNAVAILABLE_AFTER).and_then(|rest| rest.strip_prefix(':'));
            matches!(directive.as_str(), "noindex" | "none") || after.is_some_and(over)
        },
    )
}

/// The agent that a header is for: what stands before its first colon, unless that is a directive
/// with a date.
fn agent_of(value: &str) -> Option<&str> {
    let (before, _) = value.split_once(':')?;
    let is_agent =
        !before.is_empty() && !before.contains(',') && before.to_lowercase() != UNAVAILABLE_AFTER;
    is_agent.then_some(before)
}

pub(super) fn robots_file(status: u16, content: Option<&str>) -> Vec<Finding> {
    const AUDIT: &str = "robots-txt";
    match status {
        500.. => vec![Finding::error(
            AUDIT,
            format!(
                "robots.txt is answered with status {status}, so crawlers stay away from the whole site."
            ),
            "Answer it with 200 and its text, or with 404.",
        )],
        // A file that isn't there allows everything.
        400..=499 => Vec::new(),
        _ => {
            let each = robots::faults(content.unwrap_or_default()).into_iter().map(|fault| {
                let told =
                    format!("Line {} {}: {}.", fault.line, quoted(&fault.text), fault.reason);
                Finding::error(AUDIT, told, "Correct or remove the line.").near(fault.text)
            });
            each.collect()
        }
    }
}
