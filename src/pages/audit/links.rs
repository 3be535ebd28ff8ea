//! What a page leads to, and whether it says so: links, their texts, and pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use url::Url;

use super::{Page, head};
use crate::pages::dom::{At, Element};
use crate::pages::{Finding, address, quoted};

/// Attributes that only a link with an address has a use for.
const OF_LINKS: [&str; 7] =
    ["target", "download", "ping", "rel", "hreflang", "type", "referrerpolicy"];

fn anchors<'a>(page: &Page<'a>) -> impl Iterator<Item = At<'a>> {
    let dom = page.dom;
    dom.elements().filter(|at| at.element.name == "a" && !at.is_in("template"))
}

/// The address as it is written; links of SVG may have it under an old name, which counts as none.
fn written(element: &Element) -> &str {
    element.get("href").unwrap_or_default()
}

pub(super) fn crawlable_anchors(page: &Page<'_>) -> Vec<Finding> {
    let failing = anchors(page).filter_map(|at| {
        let fault = uncrawlable(at.element, &page.url)?;
        let told = format!("The link {} can't be followed: {fault}.", quoted(&label(at)));
        let remedy = "Give it the address of a page; use a <button> for what only a script does.";
        Some(Finding::error("crawlable-anchors", told, remedy).near(written(at.element)))
    });
    failing.collect()
}

/// Its text, or what else it can be told by.
fn label(at: At<'_>) -> String {
    let text = at.inner_text();
    let first =
        ["aria-label", "title", "href", "class"].iter().find_map(|name| at.element.get(name));
    if text.trim().is_empty() { first.unwrap_or("<a>").to_owned() } else { text }
}

fn uncrawlable(element: &Element, page: &Url) -> Option<String> {
    let raw: String = written(element).chars().filter(|char| !is_gap(*char)).collect();
    let given = |name: &str| element.get(name).is_some_and(|value| !value.trim().is_empty());
    // A role says that it is no link; an id alone makes it the target of one.
    if given("role")
        || raw.starts_with("mailto:")
        || raw.is_empty() && element.get("id").is_some_and(|id| !id.is_empty())
    {
        return None;
    }
    if raw.starts_with("file:") {
        return Some("it leads to a file of one machine".into());
    }
    if element.html && given("name") {
        return None;
    }
    let has_address = element.has("href");
    if !has_address && !OF_LINKS.iter().any(|name| element.has(name)) {
        let listens =
            element.attributes.iter().any(|(name, _)| name.len() > 2 && name.starts_with("on"));
        return listens.then(|| "it has no address, a script acts in its place".into());
    }
    if !has_address && element.html {
        return Some("it has no address".into());
    }
    if is_void_script(&raw) {
        return Some("it only runs a script".into());
    }
    page.join(&raw).is_err().then(|| format!("{} is no address", quoted(written(element))))
}

/// What JavaScript's `\s` takes for a gap.
fn is_gap(char: char) -> bool {
    char.is_whitespace() && char != '\u{85}' || char == '\u{FEFF}'
}

/// `javascript:void(0)` and its spellings, which do nothing.
fn is_void_script(raw: &str) -> bool {
    raw.match_indices("javascript:void").any(|(at, found)| {
        let rest = &raw[at + found.len()..];
        rest.strip_prefix('(').unwrap_or(rest).starts_with('0')
    })
}

pub(super) fn link_text(page: &Page<'_>) -> Vec<Finding> {
    let base = head::base(page);
    let only = only_language(page);
    let failing = anchors(page).filter_map(|at| {
        let element = at.element;
        let reference = if element.html {
            element.get("href")?
        } else {
            element.get("href").or(element.get("xlink:href"))?
        };
        if element.html && element.get("rel").unwrap_or_default().contains("nofollow") {
            return None;
        }
        let target = address::resolved(reference, &base);
        let href = target.as_ref().map_or(reference, Url::as_str).to_lowercase();
        if href.is_empty() || href.starts_with("javascript:") || href.starts_with("mailto:") {
            return None;
        }
        if target.is_some_and(|target| address::is_same_page(&target, &page.url)) {
            return None;
        }
        let text = if element.html { at.inner_text() } else { at.text_content() };
        let text = text.trim_matches(is_gap).to_lowercase();
        let language = only.clone().or_else(|| language_of(at));
        is_vague(&text, language.as_deref()).then(|| {
            let told =
                format!("The link {} to {reference} doesn't say where it leads.", quoted(&text));
            Finding::error(
                "link-text",
                told,
                "Name what is to be found there, as \"How returns work\" does.",
            )
            .near(reference)
        })
    });
    failing.collect()
}

/// The page's language, where no element but the root or the body names one.
fn only_language(page: &Page<'_>) -> Option<String> {
    let mut named =
        page.dom.elements().filter(|at| at.element.has("lang") && !at.is_in("template"));
    let first = named.next().filter(|_| named.next().is_none())?;
    let outer = first.element.html && matches!(first.element.name.as_str(), "html" | "body");
    first.element.get("lang").filter(|_| outer).map(str::to_owned)
}

/// The language of a link's text; `None` where its parts differ or nothing names one.
fn language_of(at: At<'_>) -> Option<String> {
    let nearest =
        |at: At<'_>| at.ancestors().find_map(|at| at.element.get("lang").map(str::to_owned));
    let of_parts = at.inner().filter(|inner| !inner.text_content().is_empty()).filter_map(nearest);
    let mut of_parts = of_parts.filter(|language| !language.is_empty());
    let Some(first) = of_parts.next() else { return nearest(at) };
    let same = |other: String| other.split('-').next() == first.split('-').next();
    of_parts.all(same).then_some(first.clone())
}

/// Whether a text says nothing of what a link leads to, in its language, or in any where none is
/// known.
fn is_vague(text: &str, language: Option<&str>) -> bool {
    static VAGUE: LazyLock<BTreeMap<&str, BTreeSet<&str>>> = LazyLock::new(|| {
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut language = "";
        for line in
            include_str!("../data/vague_links.txt").lines().filter(|line| !line.starts_with('#'))
        {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(code) => language = code,
                None => drop(found.entry(language).or_default().insert(line)),
            }
        }
        found
    });
    match language.filter(|language| !language.is_empty()) {
        Some(tag) => VAGUE
            .get(tag.split('-').next().unwrap_or_default())
            .is_some_and(|texts| texts.contains(text)),
        None => VAGUE.values().any(|texts| texts.contains(text)),
    }
}

pub(super) fn image_alt(page: &Page<'_>) -> Vec<Finding> {
    let failing = page.dom.named("img").filter(|at| {
        let get = |name: &str| at.element.get(name);
        let named = ["aria-label", "aria-labelledby", "title"]
            .iter()
            .any(|name| get(name).is_some_and(|text| !text.trim().is_empty()));
        let decorates = matches!(get("role"), Some("none" | "presentation"));
        let blank = get("alt").is_some_and(|alt| !alt.is_empty() && alt.trim().is_empty());
        let silent = at.is_hidden()
            || at.ancestors().any(|at| at.element.get("aria-hidden") == Some("true"));
        !silent && (blank || !(get("alt").is_some() || named || decorates))
    });
    let told = failing.map(|at| {
        let source = at.element.get("src").unwrap_or_default();
        let told = format!("The picture {} has no alternative text.", quoted(source));
        Finding::error(
            "image-alt",
            told,
            "Say in alt=\"…\" what it shows; alt=\"\" where it only decorates.",
        )
        .near(source)
    });
    told.collect()
}
