//! A page's tree → what a reader would take from it: no menus and banners, closed answers opened,
//! questions as headings.
//!
//! Help pages fold their answers. Whether a hidden text is an answer or isn't meant to be read is
//! told by what stands before it (a question, a button) and by what names it (`aria-controls`).
//! What stays hidden is named in the report.

use std::collections::{HashMap, HashSet};

use super::chrome;
use super::table;
use super::tabs;
use super::tree::{
    Element, Node, holds_block, is_block, is_control, letters, linked_letters, target, text_of,
};

/// Longest question or label of a folded text, in characters.
const MAX_QUESTION: usize = 200;
/// A hidden text with fewer letters isn't worth a line of the report.
const MIN_REPORTED: usize = 40;
/// Characters of a hidden text that the report shows.
const SHOWN: usize = 60;

/// Rewrites a page; returns how each text begins that it hides.
pub(super) fn shape(body: &mut Element) -> Vec<String> {
    tabs::name_panels(body);
    // A row of tabs may look like a menu, and go with it.
    let tabs = tabs::labels(body);
    chrome::remove(&mut body.children, false);
    reshape(body, tabs)
}

/// As [`shape`], for a piece of HTML that stands in a document.
pub(super) fn shape_fragment(body: &mut Element) {
    tabs::name_panels(body);
    let tabs = tabs::labels(body);
    reshape(body, tabs);
}

fn reshape(body: &mut Element, tabs: HashMap<String, String>) -> Vec<String> {
    if !tabs.is_empty() {
        tabs::remove(&mut body.children, &tabs);
    }
    let mut controls = Controls::of(body);
    controls.labels.extend(tabs);
    let mut hidden = Vec::new();
    reveal(&mut body.children, &controls, false, &mut hidden);
    questions(body, &controls, false);
    simplify(&mut body.children);
    hidden
}

/// What opens what, by the id of what is opened.
#[derive(Default)]
struct Controls {
    labels: HashMap<String, String>,
    /// Ids that stand right behind what opens them.
    adjacent: HashSet<String>,
}

impl Controls {
    fn of(body: &Element) -> Self {
        let mut controls = Self::default();
        let mut by_id: HashMap<String, String> = HashMap::new();
        let mut labelled: Vec<(String, String)> = Vec::new();
        body.walk(&mut |element| {
            let text = || {
                Some(element.text())
                    .filter(|text| !text.is_empty() && text.chars().count() <= MAX_QUESTION)
            };
            if let (Some(target), Some(text)) = (target(element), text()) {
                controls.labels.entry(target.to_owned()).or_insert(text);
            }
            if let Some(id) = element.get("id") {
                if let Some(label) = element.get("aria-labelledby") {
                    labelled.push((id.to_owned(), label.to_owned()));
                }
                if let Some(text) =
                    (!element.is(&["div", "section", "main", "article"])).then(text).flatten()
                {
                    by_id.entry(id.to_owned()).or_insert(text);
                }
            }
        });
        for (id, label) in labelled {
            if let Some(text) = by_id.get(&label) {
                controls.labels.entry(id).or_insert_with(|| text.clone());
            }
        }
        controls.find_adjacent(body, &mut Vec::new());
        controls
    }

    fn find_adjacent(&mut self, element: &Element, pending: &mut Vec<String>) {
        if let Some(id) = element.get("id")
            && pending.iter().any(|target| target == id)
        {
            self.adjacent.insert(id.to_owned());
        }
        for child in &element.children {
            match child {
                Node::Text(text) if text.trim().is_empty() => {}
                Node::Text(_) => pending.clear(),
                Node::Element(child) => self.find_adjacent(child, pending),
            }
        }
        if let Some(target) = target(element) {
            pending.push(target.to_owned());
        }
    }
}

/// Opens answers; takes out what else is hidden. `asked`: what stands before these nodes asks for
/// an answer.
fn reveal(nodes: &mut Vec<Node>, controls: &Controls, asked: bool, report: &mut Vec<String>) {
    let mut before = asked;
    let mut kept = Vec::with_capacity(nodes.len());
    for node in std::mem::take(nodes) {
        let Node::Element(mut element) = node else {
            before &= node.is_blank();
            kept.push(node);
            continue;
        };
        if element.get("hidden").is_some() {
            let named = element.get("id").is_some_and(|id| controls.labels.contains_key(id));
            let panel = matches!(element.get("role"), Some("tabpanel" | "region"));
            let pieces = is_block(&element.name) || holds_block(&element) || element.name == "span";
            if (named || panel || before && pieces) && !chrome::is_overlay(&element) {
                element.attributes.retain(|(name, _)| name != "hidden");
            } else {
                let text = element.text();
                if letters(&element.children) >= MIN_REPORTED && !chrome::is_overlay(&element) {
                    report.push(text.chars().take(SHOWN).collect());
                }
                kept.push(Node::Text(" ".to_owned()));
                continue;
            }
        }
        let inner_asked = before;
        let blank = letters(&element.children) == 0;
        if !blank {
            before = asks(&element);
        }
        reveal(&mut element.children, controls, inner_asked, report);
        kept.push(Node::Element(element));
    }
    *nodes = kept;
}

/// Whether an element reads or works like a question: what follows is its answer.
fn asks(element: &Element) -> bool {
    let text = element.text();
    if text.chars().count() > MAX_QUESTION {
        return false;
    }
    let opens = |inner: &Element| {
        inner.is_heading() && inner.name != "h1"
            || inner.is(&["summary", "dt", "button"])
            || is_control(inner)
    };
    is_question(&text) || says_toggle(element) || element.any(&opens)
}

fn is_question(text: &str) -> bool {
    let text = text.trim_end_matches(|char: char| {
        char.is_whitespace()
            || matches!(
                char,
                '+' | '-' | '–' | '−' | '×' | '▼' | '▾' | '⌄' | '›' | '»' | '"' | '”' | '*'
            )
    });
    text.ends_with(['?', '？', '؟']) && (2..=MAX_QUESTION).contains(&text.chars().count())
}

/// A question's text without what draws its fold.
fn label(text: &str) -> String {
    let marks = |char: char| {
        char.is_whitespace()
            || matches!(
                char,
                '+' | '−'
                    | '×'
                    | '▼'
                    | '▾'
                    | '▲'
                    | '▸'
                    | '►'
                    | '⌄'
                    | '⌃'
                    | '›'
                    | '»'
                    | '*'
            )
    };
    text.trim_matches(marks).to_owned()
}

fn heading(text: &str) -> Node {
    Node::Element(Element::new("h6", vec![Node::Text(label(text))]))
}

fn end() -> Node {
    Node::Element(Element::new("end", Vec::new()))
}

/// Makes headings of questions and of what unfolds a text, and ends each one's section with its
/// parent.
fn questions(parent: &mut Element, controls: &Controls, in_heading: bool) {
    let nodes = std::mem::take(&mut parent.children);
    let follows: Vec<Next> = (0..nodes.len()).map(|at| next(&nodes[at + 1..])).collect();
    let mut made = false;
    let mut out = Vec::with_capacity(nodes.len());
    for (node, follows) in nodes.into_iter().zip(follows) {
        let Node::Element(mut element) = node else {
            out.push(node);
            continue;
        };
        // A panel that its label doesn't stand before gets it.
        let apart = element
            .get("id")
            .filter(|id| !controls.adjacent.contains(*id))
            .and_then(|id| controls.labels.get(id));
        let apart = apart
            .filter(|label| {
                letters(&element.children) > 0 && !element.text().starts_with(label.as_str())
            })
            .cloned();
        match role(&element, controls, follows, in_heading) {
            Role::Gone => continue,
            Role::Unwrapped => {
                questions(&mut element, controls, in_heading);
                out.extend(element.children);
            }
            Role::Question => {
                made = true;
                out.push(heading(&element.text()));
            }
            Role::Split => {
                made = true;
                let (question, rest) = split(element);
                out.push(heading(&question));
                out.push(Node::Element(rest));
            }
            Role::Other => {
                let in_heading = in_heading || element.is_heading();
                questions(&mut element, controls, in_heading);
                if let Some(label) = apart {
                    element.children.insert(0, heading(&label));
                    element.children.push(end());
                }
                out.push(Node::Element(element));
            }
        }
    }
    if made && !in_heading {
        out.push(end());
    }
    parent.children = out;
}

/// What stands behind a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Something that answers, as a block or in the same line.
    Block,
    Inline,
    /// A question, a heading, a button, or nothing.
    Other,
}

fn next(nodes: &[Node]) -> Next {
    match nodes.iter().find(|node| !node.is_blank()) {
        Some(Node::Element(element)) => {
            let answers =
                !element.is(&["h1", "h2", "button", "label"]) && !is_question(&element.text());
            match answers {
                true if is_block(&element.name) || holds_block(element) => Next::Block,
                true => Next::Inline,
                false => Next::Other,
            }
        }
        Some(Node::Text(text)) if !is_question(text) => Next::Inline,
        _ => Next::Other,
    }
}

enum Role {
    /// A button that does something else.
    Gone,
    /// Only its content matters.
    Unwrapped,
    Question,
    /// It begins with a question in bold and goes on with the answer.
    Split,
    Other,
}

fn role(element: &Element, controls: &Controls, next: Next, in_heading: bool) -> Role {
    let follows = next != Next::Other;
    let is_button =
        element.is(&["button", "summary", "label"]) || is_control(element) && !holds_block(element);
    let text = element.text();
    let short = !text.is_empty() && text.chars().count() <= MAX_QUESTION;
    let target = target(element);
    let inner_heading = element.any(&|inner| inner.is_heading());
    if is_button {
        if in_heading || inner_heading && !element.is_heading() {
            return Role::Unwrapped;
        }
        if element.is_heading() {
            return Role::Other;
        }
        if element.name == "summary" {
            return if short { Role::Question } else { Role::Unwrapped };
        }
        // What it opens stands elsewhere and is labelled there.
        if target
            .is_some_and(|id| controls.labels.contains_key(id) && !controls.adjacent.contains(id))
        {
            return if is_question(&text) && follows { Role::Question } else { Role::Gone };
        }
        let opens = target.is_some_and(|id| controls.adjacent.contains(id))
            || is_control(element)
            || says_toggle(element);
        if short && follows && (opens || is_question(&text)) {
            return Role::Question;
        }
        let is_press = element.name == "button" || element.get("role") == Some("button");
        return if is_press { Role::Gone } else { Role::Other };
    }
    if in_heading || element.is_heading() || inner_heading || !short || !follows {
        return match first_is_question(element) {
            true if !in_heading => Role::Split,
            _ => Role::Other,
        };
    }
    let leaf = element.is(&["p", "div", "section", "header", "a", "span", "strong", "b"])
        && !element.any(&|inner| inner.is(&["ul", "ol", "table", "form", "dd"]));
    let one = text.matches(['?', '？', '؟']).count() == 1;
    let block = is_block(&element.name) || holds_block(element) || next == Next::Block;
    if leaf
        && block
        && (is_question(&text)
            && one
            && linked_letters(&element.children) * 2 < letters(&element.children).max(1)
            || says_toggle(element) && !text.ends_with('.'))
    {
        return Role::Question;
    }
    if first_is_question(element) { Role::Split } else { Role::Other }
}

/// Whether its class names it the label of a folded text.
fn says_toggle(element: &Element) -> bool {
    let words = element.words();
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let label = any(&[
        "title", "header", "heading", "trigger", "button", "head", "btn", "toggle", "label",
        "summary", "question", "q",
    ]);
    any(&["question"]) && !any(&["questions", "list", "wrapper", "form", "item", "container"])
        || any(&["faq", "accordion", "toggle", "collapse", "collapsible", "expander"])
            && label
            && !any(&["item", "list", "wrapper", "container", "group", "body", "content"])
}

/// A paragraph or item that begins with a question in bold, and says more.
fn first_is_question(element: &Element) -> bool {
    if !element.is(&["p", "li", "div", "dd"]) {
        return false;
    }
    let mut parts = element.children.iter().filter(|node| !node.is_blank());
    let first = parts.next().and_then(Node::element);
    let bold = first.is_some_and(|first| first.is(&["b", "strong"]) && is_question(&first.text()));
    bold && parts.any(|node| match node {
        Node::Text(text) => text.chars().any(char::is_alphanumeric),
        Node::Element(inner) => !is_block(&inner.name) && letters(&inner.children) > 0,
    })
}

fn split(mut element: Element) -> (String, Element) {
    let at = element.children.iter().position(|node| !node.is_blank()).unwrap_or(0);
    let question = element.children.remove(at);
    element.children.drain(..at);
    if element.name == "li" {
        element.name = "div".to_owned();
    }
    (text_of(&[question]), element)
}

/// Pairs of terms, lists and tables that only arrange, and small marks.
fn simplify(nodes: &mut Vec<Node>) {
    let mut out = Vec::with_capacity(nodes.len());
    for node in std::mem::take(nodes) {
        let Node::Element(mut element) = node else {
            out.push(node);
            continue;
        };
        // What is struck out no longer holds; signs that lead to a heading's own place aren't text.
        let sign =
            element.name == "a" && matches!(element.text().as_str(), "#" | "¶" | "§" | "🔗" | "∞");
        if element.is(&["del", "s", "strike"]) || sign {
            continue;
        }
        simplify(&mut element.children);
        let structured = |inner: &Element| inner.is_heading() || inner.is(&["table", "end"]);
        match element.name.as_str() {
            "dl" => out.extend(definitions(element.children)),
            "table" if table::is_layout(&element) => out.extend(table::unarranged(element)),
            // Sections in a list are sections.
            "ul" | "ol" if element.any(&structured) => {
                for child in element.children {
                    match child {
                        Node::Element(mut item) => {
                            if item.name == "li" {
                                item.name = "div".to_owned();
                            }
                            out.push(Node::Element(item));
                        }
                        text => out.push(text),
                    }
                }
            }
            _ => out.push(Node::Element(element)),
        }
    }
    *nodes = out;
}

/// Terms with their descriptions: `term: description`, or a heading where that is a question or has
/// blocks of its own.
fn definitions(nodes: Vec<Node>) -> Vec<Node> {
    fn parts(nodes: Vec<Node>, out: &mut Vec<Element>) {
        for node in nodes {
            match node {
                Node::Element(element) if element.name == "div" => parts(element.children, out),
                Node::Element(element) => out.push(element),
                Node::Text(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    parts(nodes, &mut found);
    let mut out = Vec::new();
    let mut terms: Vec<Element> = Vec::new();
    let mut open = false;
    for part in found {
        if part.name == "dt" {
            if open {
                terms.clear();
                open = false;
            }
            terms.push(part);
            continue;
        }
        let term: Vec<String> =
            terms.iter().map(Element::text).filter(|text| !text.is_empty()).collect();
        let term = term.join(", ");
        let first = !std::mem::replace(&mut open, true);
        if part.name != "dd" || term.is_empty() {
            out.push(Node::Element(part));
        } else if is_question(&term) || holds_block(&part) {
            out.extend(first.then(|| heading(&term)));
            out.push(Node::Element(Element::new("div", part.children)));
            out.push(end());
        } else {
            let mut children =
                vec![Node::Text(format!("{}: ", term.trim_end_matches([':', '：', ' '])))];
            children.extend(part.children);
            out.push(Node::Element(Element::new("p", children)));
        }
    }
    out
}
