//! What a page says about itself: title, description, its address, its other languages.

use std::collections::HashMap;
use std::sync::LazyLock;

use url::Url;

use super::Page;
use crate::pages::address::{self, Link};
use crate::pages::{Finding, quoted};

/// The title that a browser shows; empty without one.
#[must_use]
pub fn title_of(page: &Page<'_>) -> String {
    let title =
        page.dom.named("title").next().map(|title| title.text_content()).unwrap_or_default();
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn document_title(page: &Page<'_>) -> Option<Finding> {
    title_of(page).is_empty().then(|| {
        Finding::error(
            "document-title",
            "The page has no title.",
            "Say in <title> what the page is about.",
        )
    })
}

/// The description that search engines may show; `None` without the element.
#[must_use]
pub fn description_of(page: &Page<'_>) -> Option<String> {
    let is_it = |name: &str| name.eq_ignore_ascii_case("description");
    let mut metas = page.dom.named("meta").filter(|meta| meta.is_in("head"));
    let meta = metas.find(|meta| meta.element.get("name").is_some_and(is_it))?;
    Some(meta.element.get("content").unwrap_or_default().trim().to_owned())
}

pub(super) fn meta_description(page: &Page<'_>) -> Option<Finding> {
    let fault = match description_of(page) {
        None => "The page has no description.",
        Some(text) if text.is_empty() => "The page's description is empty.",
        Some(_) => return None,
    };
    let remedy = "Sum the page up in <meta name=\"description\" content=\"…\"> in the head.";
    Some(Finding::error("meta-description", fault, remedy))
}

/// Links of the head and of the headers; those of the body say nothing about the page.
fn links(page: &Page<'_>) -> Vec<Link> {
    let base = base(page);
    let of_head = page.dom.named("link").filter(|link| link.is_in("head")).map(|link| {
        let get = |name: &str| link.element.get(name).unwrap_or_default().to_owned();
        let raw = get("href");
        let href = address::resolved(&raw, &base).map_or_else(|| raw.clone(), String::from);
        let href = Some(href).filter(|_| link.element.has("href"));
        Link { rel: get("rel").to_lowercase(), hreflang: get("hreflang"), raw, href }
    });
    let headers = page.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
    of_head.chain(headers.flat_map(|(_, value)| address::of_header(value, &page.url))).collect()
}

/// What relative references count from.
pub(super) fn base(page: &Page<'_>) -> Url {
    let base = page.dom.named("base").find_map(|base| base.element.get("href"));
    base.and_then(|href| address::resolved(href, &page.url)).unwrap_or_else(|| page.url.clone())
}

/// The address that the page gives as its own, where it gives exactly one that is whole.
#[must_use]
pub fn canonical_of(page: &Page<'_>) -> Option<Url> {
    let links = links(page);
    let mut given = links.iter().filter(|link| link.rel == "canonical" && !link.raw.is_empty());
    let only = given.next().filter(|_| given.next().is_none())?;
    Url::parse(&only.raw).ok()
}

pub(super) fn canonical(page: &Page<'_>) -> Option<Finding> {
    let fault = |fault: String, remedy: &'static str, near: &str| {
        Some(Finding::error("canonical", fault, remedy).near(near))
    };
    let links = links(page);
    let given = || links.iter().filter(|link| link.rel == "canonical" && !link.raw.is_empty());
    let example = Url::parse("https://example.com").ok()?;
    let broken = |link: &&Link| link.href.is_none() || example.join(&link.raw).is_err();
    if let Some(link) = given().rfind(broken) {
        let told = format!("The canonical address {} is none.", quoted(&link.raw));
        return fault(told, "Write the page's whole address, https://…", &link.raw);
    }
    if let Some(link) = given().rfind(|link| Url::parse(&link.raw).is_err()) {
        let told = format!("The canonical address {} isn't whole.", quoted(&link.raw));
        return fault(told, "Write it with https:// and the host's name.", &link.raw);
    }
    let mut addresses: Vec<&String> = given().filter_map(|link| link.href.as_ref()).collect();
    addresses.sort();
    addresses.dedup();
    let [address] = addresses.as_slice() else {
        let [first, second, ..] = addresses.as_slice() else { return None };
        let told = format!("Two canonical addresses contradict each other: {first} and {second}.");
        return fault(told, "Leave one of them.", first);
    };
    let canonical = Url::parse(address).ok()?;
    let near = given().next().map_or("", |link| link.raw.as_str());
    let is_version = |url: &Url| {
        let of = links.iter().filter(|link| link.rel == "alternate" && !link.hreflang.is_empty());
        of.filter_map(|link| link.href.as_deref()).any(|href| href == url.as_str())
    };
    if canonical != page.url && is_version(&page.url) && is_version(&canonical) {
        let told = format!("The canonical address {canonical} is that of another language.");
        return fault(
            told,
            "Give each language's page its own address as the canonical one.",
            near,
        );
    }
    if canonical.origin() == page.url.origin() && canonical.path() == "/" && page.url.path() != "/"
    {
        let told = "The canonical address is the site's home page, not this one.".to_owned();
        return fault(told, "Write the page's own address; else it isn't shown.", near);
    }
    None
}

pub(super) fn hreflang(page: &Page<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for link in
        links(page).iter().filter(|link| link.rel == "alternate" && !link.hreflang.is_empty())
    {
        let mut fault = |told: String, remedy: &'static str| {
            found.push(Finding::error("hreflang", told, remedy).near(&link.hreflang));
        };
        if !is_language(&link.hreflang) {
            let told =
                format!("hreflang {} begins with no language's code.", quoted(&link.hreflang));
            fault(told, "Use a code such as de, de-AT or zh-Hans; x-default for all others.");
        }
        let href = link.raw.to_lowercase();
        if !(href.starts_with("http:") || href.starts_with("https:")) {
            let told = format!(
                "The page for hreflang {} has no whole address: {}.",
                quoted(&link.hreflang),
                quoted(&link.raw)
            );
            fault(told, "Write it with https:// and the host's name.");
        }
    }
    found
}

/// Whether a tag begins with a registered language, whatever follows its first hyphen.
fn is_language(tag: &str) -> bool {
    static THIRD_LETTERS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let lines =
            include_str!("../data/languages.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| (&line[..2], &line[2..])).collect()
    });
    let tag = tag.to_lowercase();
    let language = tag.split('-').next().unwrap_or_default();
    let known = || {
        let third = THIRD_LETTERS.get(language.get(..2)?)?;
        match &language[2..] {
            "" => third.starts_with('.').then_some(()),
            letter if letter.len() == 1 && letter != "." && letter != " " => {
                third.contains(letter).then_some(())
            }
            _ => None,
        }
    };
    tag == "x-default" || known().is_some()
}

#[cfg(test)]
mod tests {
    use super::is_language;

    #[test]
    fn languages_are_told_by_the_registry() {
        for tag in ["de", "de-AT", "ZH-Hans", "x-default", "gsw", "nds-NL", "iw", "yue-HK"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in ["xx", "xx1", "english", " de", "d", "", "e-US", "de_AT", "en.", "zh ", "日本"]
        {
            assert!(!is_language(tag), "{tag}");
        }
    }
}
