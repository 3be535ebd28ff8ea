//! Rows of tabs: their labels are the headings of their panels, and say nothing by themselves.

use std::collections::{HashMap, HashSet};

use super::tree::{Element, Node, letters, linked_letters, target};

/// Longest label of a tab, in characters.
const MAX_LABEL: usize = 80;

/// Gives panels that their tabs don't name an id by their order: `role="tab"` and
/// `role="tabpanel"`, as many of each.
pub(super) fn name_panels(body: &mut Element) {
    let (mut tabs, mut panels) = (0, 0);
    let mut named = false;
    body.walk(&mut |element| match element.get("role") {
        Some("tab") => {
            tabs += 1;
            named |= target(element).is_some();
        }
        Some("tabpanel") => panels += 1,
        _ => {}
    });
    if tabs < 2 || tabs != panels || named {
        return;
    }
    let (mut tab, mut panel) = (0, 0);
    number(body, &mut tab, &mut panel);
}

fn number(element: &mut Element, tab: &mut usize, panel: &mut usize) {
    let id = |number: &usize| format!("frontdesk-tab-{number}");
    match element.get("role") {
        Some("tab") => {
            element.attributes.push(("aria-controls".to_owned(), id(tab)));
            *tab += 1;
        }
        Some("tabpanel") => {
            element.attributes.retain(|(name, _)| name != "id");
            element.attributes.push(("id".to_owned(), id(panel)));
            *panel += 1;
        }
        _ => {}
    }
    for child in &mut element.children {
        if let Node::Element(child) = child {
            number(child, tab, panel);
        }
    }
}

/// The labels of panels, by the panels' ids.
pub(super) fn labels(body: &Element) -> HashMap<String, String> {
    let mut panels = HashSet::new();
    body.walk(&mut |element| {
        let holds = element.is(&["div", "section", "article", "li", "p", "ul", "table"])
            && letters(&element.children) > 0;
        if let Some(id) = element.get("id").filter(|_| holds) {
            panels.insert(id.to_owned());
        }
    });
    let mut labels = HashMap::new();
    if !panels.is_empty() {
        collect(body, &panels, &mut labels);
    }
    labels
}

fn collect(element: &Element, panels: &HashSet<String>, labels: &mut HashMap<String, String>) {
    if let Some(tabs) = row(element)
        && tabs.iter().all(|(id, _)| panels.contains(id))
    {
        labels.extend(tabs);
        return;
    }
    for child in element.elements() {
        collect(child, panels, labels);
    }
}

/// The tabs of an element that holds nothing else: what each opens, and its label.
fn row(element: &Element) -> Option<Vec<(String, String)>> {
    if !element.is(&["ul", "ol", "div", "nav"]) {
        return None;
    }
    let mut tabs: Vec<(String, String)> = Vec::new();
    let mut labelled = 0;
    element.walk(&mut |inner| {
        let link = || {
            inner.get("href").and_then(|href| href.strip_prefix('#')).filter(|_| inner.name == "a")
        };
        let pressed = inner.is(&["a", "button"]) || inner.get("role") == Some("tab");
        if let Some(id) = named(inner).or_else(link).filter(|id| pressed && !id.is_empty()) {
            tabs.push((id.to_owned(), inner.text()));
            labelled += letters(&inner.children);
        }
    });
    let distinct: HashSet<&String> = tabs.iter().map(|(id, _)| id).collect();
    let all = letters(&element.children);
    let only = labelled == all || linked_letters(&element.children) == all;
    let sound = tabs.iter().all(|(_, label)| {
        (1..=MAX_LABEL).contains(&label.chars().count()) && !label.ends_with(['?', '？', '؟'])
    });
    (tabs.len() > 1 && distinct.len() == tabs.len() && only && sound).then_some(tabs)
}

/// What an element opens by its attributes.
fn named(element: &Element) -> Option<&str> {
    let by_tab = || {
        let name = element.get("data-tab").or_else(|| element.get("data-tab-target"))?;
        Some(name.strip_prefix('#').unwrap_or(name))
    };
    target(element).or_else(by_tab)
}

/// Takes the rows of tabs out whose panels have their labels.
pub(super) fn remove(nodes: &mut Vec<Node>, labels: &HashMap<String, String>) {
    let is_row = |node: &Node| {
        let tabs = node.element().and_then(row);
        tabs.is_some_and(|tabs| tabs.iter().all(|(id, _)| labels.contains_key(id)))
    };
    nodes.retain(|node| !is_row(node));
    for node in nodes {
        if let Node::Element(element) = node {
            remove(&mut element.children, labels);
        }
    }
}
