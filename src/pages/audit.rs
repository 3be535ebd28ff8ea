//! The SEO audits of Lighthouse, with its verdicts, on a page that is given as text.
//!
//! Each audit fails what Lighthouse 13 fails (`core/audits/seo`, `document-title` and `image-alt`
//! of axe 4.12), in its own order of exceptions. What a browser knows and a text doesn't, style
//! sheets and listeners that scripts add, is taken as absent.

mod crawl;
mod head;
mod links;

use url::Url;

use super::Finding;
use super::dom::Dom;

/// A page with what came with it.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    pub url: Url,
    /// Of HTTP.
    pub status: u16,
    /// Of HTTP, each with its name as it was sent.
    pub headers: &'a [(String, String)],
    /// The site's robots.txt; `None` where there is none.
    pub robots: Option<&'a str>,
    pub dom: &'a Dom,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// Names of the audits of one page, as Lighthouse has them.
pub const AUDITS: [&str; 10] = [
    "is-crawlable",
    "document-title",
    "meta-description",
    "http-status-code",
    "link-text",
    "crawlable-anchors",
    "robots-txt",
    "image-alt",
    "hreflang",
    "canonical",
];

/// What one audit finds; `None` if there is no audit of that name. `robots-txt` is
/// [`robots_file`]'s.
#[must_use]
pub fn run(audit: &str, page: &Page<'_>) -> Option<Vec<Finding>> {
    Some(match audit {
        "is-crawlable" => crawl::is_crawlable(page).into_iter().collect(),
        "document-title" => head::document_title(page).into_iter().collect(),
        "meta-description" => head::meta_description(page).into_iter().collect(),
        "http-status-code" => crawl::http_status(page).into_iter().collect(),
        "link-text" => links::link_text(page),
        "crawlable-anchors" => links::crawlable_anchors(page),
        "image-alt" => links::image_alt(page),
        "hreflang" => head::hreflang(page),
        "canonical" => head::canonical(page).into_iter().collect(),
        _ => return None,
    })
}

/// What all audits of a page find.
#[must_use]
pub fn all(page: &Page<'_>) -> Vec<Finding> {
    AUDITS.iter().filter_map(|audit| run(audit, page)).flatten().collect()
}

/// What is wrong with the answer to a request for /robots.txt.
#[must_use]
pub fn robots_file(status: u16, content: Option<&str>) -> Vec<Finding> {
    crawl::robots_file(status, content)
}

pub use head::{canonical_of, description_of, title_of};
