//! What stands around a page's content: menus, banners, footers, overlays.

use super::tree::{Element, Node, letters, linked_letters};

/// A cookie banner has fewer letters; a page about cookies has more.
const MAX_BANNER: usize = 1_500;

/// Takes out what isn't content. `in_content`: within `<main>` or `<article>`.
pub(super) fn remove(nodes: &mut Vec<Node>, in_content: bool) {
    let mut kept = Vec::with_capacity(nodes.len());
    for node in std::mem::take(nodes) {
        let Node::Element(mut element) = node else {
            kept.push(node);
            continue;
        };
        if is_chrome(&element, in_content) {
            // The name of the page often stands in its header.
            if element.name == "header" {
                let mut title = None;
                element.walk(&mut |inner| {
                    title = title.take().or((inner.name == "h1").then(|| inner.clone()))
                });
                kept.extend(title.map(Node::Element));
            }
            continue;
        }
        let in_content = in_content || element.is(&["main", "article"]);
        remove(&mut element.children, in_content);
        kept.push(Node::Element(element));
    }
    *nodes = kept;
}

fn is_chrome(element: &Element, in_content: bool) -> bool {
    let role = element.get("role").unwrap_or_default();
    let words = element.words();
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    match element.name.as_str() {
        // Some builders make folded answers of it.
        "nav" => {
            return !in_content
                || linked_letters(&element.children) * 2 > letters(&element.children);
        }
        "footer" => {
            return !in_content
                || linked_letters(&element.children) * 2 > letters(&element.children);
        }
        "header" if !in_content => return true,
        // A note beside the text belongs to it.
        "aside" => {
            return !(in_content
                && any(&[
                    "note",
                    "tip",
                    "info",
                    "warning",
                    "callout",
                    "admonition",
                    "alert",
                    "hint",
                ]));
        }
        "body" | "main" | "html" => return false,
        _ => {}
    }
    if matches!(
        role,
        "navigation" | "banner" | "contentinfo" | "complementary" | "search" | "menu" | "menubar"
    ) {
        return true;
    }
    let named = element.get("class").is_some() || element.get("id").is_some();
    if !named && !matches!(role, "dialog" | "alertdialog") {
        return is_banner(element);
    }
    let count = letters(&element.children);
    let linked = linked_letters(&element.children);
    let mostly_links = count > 0 && linked * 10 > count * 7;
    let exact = |names: &[&str]| {
        let own = format!(
            "{} {}",
            element.get("class").unwrap_or_default(),
            element.get("id").unwrap_or_default()
        );
        own.to_lowercase().split_whitespace().any(|name| names.contains(&name))
    };
    let has_title = element.any(&|inner| inner.name == "h1");
    if has_title {
        return false;
    }
    exact(&[
        "footer",
        "site-footer",
        "page-footer",
        "global-footer",
        "main-footer",
        "colophon",
        "skip-link",
    ]) || any(&["breadcrumb", "breadcrumbs"])
        || any(&[
            "menu",
            "nav",
            "navbar",
            "navigation",
            "sidebar",
            "topbar",
            "sitemap",
            "pagination",
            "share",
            "social",
            "tags",
        ]) && mostly_links
        || any(&[
            "cookie",
            "cookies",
            "consent",
            "gdpr",
            "onetrust",
            "cookiebot",
            "cybotcookiebotdialog",
        ]) && (any(&[
            "banner",
            "bar",
            "notice",
            "popup",
            "modal",
            "dialog",
            "overlay",
            "consent",
            "message",
            "hint",
            "law",
            "onetrust",
            "cookiebot",
            "cybotcookiebotdialog",
        ]) || matches!(role, "dialog" | "alertdialog"))
            && count < MAX_BANNER
        || is_banner(element)
}

/// A short text about cookies with something to press that isn't a question.
fn is_banner(element: &Element) -> bool {
    if !element.is(&["div", "section", "aside", "form"]) {
        return false;
    }
    let text = element.text();
    if text.len() > MAX_BANNER || !["ookie", "クッキー"].iter().any(|word| text.contains(word))
    {
        return false;
    }
    let mut buttons = Vec::new();
    element.walk(&mut |inner| {
        if inner.name == "button" || inner.get("role") == Some("button") {
            buttons.push(inner.text());
        }
    });
    let folds = element
        .any(&|inner| inner.get("aria-expanded").is_some() || inner.get("aria-controls").is_some());
    !buttons.is_empty()
        && !folds
        && buttons
            .iter()
            .all(|button| !button.ends_with(['?', '？', '؟']) && button.chars().count() < 40)
}

/// Whether something hidden is no answer but a dialogue, a menu or a form.
pub(super) fn is_overlay(element: &Element) -> bool {
    const OVERLAYS: [&str; 17] = [
        "modal",
        "popup",
        "offcanvas",
        "drawer",
        "lightbox",
        "tooltip",
        "overlay",
        "template",
        "nav",
        "menu",
        "search",
        "cart",
        "minicart",
        "loader",
        "spinner",
        "toast",
        "honeypot",
    ];
    let role = element.get("role").unwrap_or_default();
    let count = letters(&element.children);
    matches!(
        role,
        "dialog"
            | "alertdialog"
            | "menu"
            | "listbox"
            | "search"
            | "navigation"
            | "status"
            | "alert"
            | "tooltip"
    ) || element.words().iter().any(|word| OVERLAYS.contains(&word.as_str()))
        || element.text().contains("{{")
        || count > 0 && linked_letters(&element.children) * 10 > count * 6
}
