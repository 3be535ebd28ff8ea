//! A scanned page as a tree of owned nodes, which the passes after it rewrite.

use dom_query::{Document, NodeRef};

/// An element or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    Element(Element),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// In lower case.
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

impl Element {
    pub(super) fn new(name: &str, children: Vec<Node>) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), children }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    pub(super) fn is_heading(&self) -> bool {
        self.is(&["h1", "h2", "h3", "h4", "h5", "h6"])
    }

    /// Text in one line, as a reader sees it.
    pub(super) fn text(&self) -> String {
        text_of(&self.children)
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(Node::element)
    }

    /// Calls `take` with this element and every one within it.
    pub(super) fn walk<'a>(&'a self, take: &mut impl FnMut(&'a Self)) {
        take(self);
        for child in self.elements() {
            child.walk(take);
        }
    }

    /// Whether this element or one within it fits.
    pub(super) fn any(&self, fits: &impl Fn(&Self) -> bool) -> bool {
        fits(self) || self.elements().any(|child| child.any(fits))
    }

    /// Parts of its classes and id in lower case: `faq-item__title` has three.
    pub(super) fn words(&self) -> Vec<String> {
        let names = format!(
            "{} {}",
            self.get("class").unwrap_or_default(),
            self.get("id").unwrap_or_default()
        );
        let parts = crate::language::words(&names);
        parts.map(str::to_lowercase).collect()
    }
}

impl Node {
    pub(super) fn element(&self) -> Option<&Element> {
        match self {
            Self::Element(element) => Some(element),
            Self::Text(_) => None,
        }
    }

    /// Whether it shows nothing.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Element(element) => element.children.iter().all(Self::is_blank),
        }
    }
}

/// Elements that begin a line of their own.
pub(super) fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 41] = [
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "nav",
        "aside",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "blockquote",
        "pre",
        "figure",
        "figcaption",
        "details",
        "summary",
        "address",
        "form",
        "fieldset",
        "hr",
        "end",
        "legend",
    ];
    BLOCKS.contains(&name)
}

/// The id of what an element opens.
pub(super) fn target(element: &Element) -> Option<&str> {
    let by_data = || ["data-bs-target", "data-target"].iter().find_map(|name| element.get(name));
    let by_link = || element.get("href").filter(|_| is_control(element));
    let id = element
        .get("aria-controls")
        .or_else(|| by_data().or_else(by_link).and_then(|id| id.strip_prefix('#')))?;
    Some(id.trim()).filter(|id| !id.is_empty())
}

/// Whether it is made to be pressed, and opens something.
pub(super) fn is_control(element: &Element) -> bool {
    matches!(element.get("role"), Some("button" | "tab"))
        || ["aria-expanded", "data-toggle", "data-bs-toggle"]
            .iter()
            .any(|name| element.get(name).is_some())
}

/// Whether a block stands anywhere within.
pub(super) fn holds_block(element: &Element) -> bool {
    element.elements().any(|child| is_block(&child.name) || holds_block(child))
}

/// The text of nodes with every gap a single space; blocks and line breaks are gaps.
pub(super) fn text_of(nodes: &[Node]) -> String {
    fn collect(nodes: &[Node], out: &mut String) {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element(element) => {
                    let gap =
                        is_block(&element.name) || element.is(&["br", "button", "label", "span"]);
                    out.push_str(if gap { " " } else { "" });
                    collect(&element.children, out);
                    out.push_str(if gap { " " } else { "" });
                }
            }
        }
    }
    let mut out = String::new();
    collect(nodes, &mut out);
    let words: Vec<&str> = out.split_whitespace().collect();
    words.join(" ")
}

/// Letters and digits of the nodes.
pub(super) fn letters(nodes: &[Node]) -> usize {
    let count = |node: &Node| match node {
        Node::Text(text) => text.chars().filter(|char| char.is_alphanumeric()).count(),
        Node::Element(element) => letters(&element.children),
    };
    nodes.iter().map(count).sum()
}

/// Letters and digits that stand in links or buttons.
pub(super) fn linked_letters(nodes: &[Node]) -> usize {
    let count = |node: &Node| match node {
        Node::Element(element) if element.is(&["a", "button"]) => letters(&element.children),
        Node::Element(element) => linked_letters(&element.children),
        Node::Text(_) => 0,
    };
    nodes.iter().map(count).sum()
}

/// Parses HTML whose depth and size are bounded.
pub(super) fn parse(html: &str) -> Element {
    let document = Document::from(html);
    let children = document.body().map(|body| nodes(&body)).unwrap_or_default();
    Element::new("body", children)
}

fn nodes(parent: &NodeRef<'_>) -> Vec<Node> {
    let convert = |node: NodeRef<'_>| {
        if node.is_text() {
            return Some(Node::Text(node.text().to_string()));
        }
        let name = node.node_name()?.to_string();
        let attributes = node.attrs();
        let attributes = attributes
            .iter()
            .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()));
        Some(Node::Element(Element {
            name,
            attributes: attributes.collect(),
            children: nodes(&node),
        }))
    };
    parent.children_it(false).filter_map(convert).collect()
}
