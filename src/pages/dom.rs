//! A page's elements and texts in the order of its source, as a browser with scripts on parses
//! them.
//!
//! Kept flat, each node with its parent and the end of its subtree, so that no depth of nesting can
//! overflow a stack.

use std::collections::HashMap;

use dom_query::Document;
use html5ever::driver::ParseOpts;
use html5ever::tendril::TendrilSink as _;
use html5ever::tree_builder::TreeBuilderOpts;

/// A parsed page.
#[derive(Clone, Debug, Default)]
pub struct Dom {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    parent: Option<usize>,
    /// One past the last node within.
    end: usize,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text(String),
    Element(Element),
}

/// An element without its children.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// In lower case, except in SVG.
    pub name: String,
    /// By name, in the order of the source.
    pub attributes: Vec<(String, String)>,
    /// Whether it is part of HTML, and not of SVG or MathML.
    pub html: bool,
}

impl Element {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// An element and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    dom: &'a Dom,
    index: usize,
    pub element: &'a Element,
}

impl Dom {
    #[must_use]
    pub fn parse(html: &str) -> Self {
        let tree_builder =
            TreeBuilderOpts { scripting_enabled: true, ..TreeBuilderOpts::default() };
        let options = ParseOpts { tree_builder, ..ParseOpts::default() };
        let document = html5ever::parse_document(Document::default(), options).one(html);
        let mut nodes: Vec<Node> = Vec::new();
        let mut known = HashMap::new();
        for node in document.root().descendants_it() {
            let parent = node.parent().and_then(|parent| known.get(&parent.id).copied());
            let kind = if node.is_text() {
                Kind::Text(node.text().to_string())
            } else if let Some(name) = node.node_name() {
                let attributes = node.attrs().into_iter();
                let attributes =
                    attributes.map(|each| (each.name.local.to_string(), each.value.to_string()));
                let above = parent.and_then(|at: usize| match &nodes[at].kind {
                    Kind::Element(element) => Some((element.html, element.name.as_str())),
                    Kind::Text(_) => None,
                });
                let foreign = |name: &str| matches!(name, "svg" | "math");
                // HTML begins again within these parts of SVG.
                let html = above.is_none_or(|(html, above)| {
                    html || matches!(above, "foreignObject" | "desc" | "title")
                }) && !foreign(&name);
                Kind::Element(Element {
                    name: name.to_string(),
                    attributes: attributes.collect(),
                    html,
                })
            } else {
                continue;
            };
            known.insert(node.id, nodes.len());
            nodes.push(Node { parent, end: 0, kind });
        }
        for index in (0..nodes.len()).rev() {
            let end = nodes[index].end.max(index + 1);
            nodes[index].end = end;
            if let Some(parent) = nodes[index].parent {
                nodes[parent].end = nodes[parent].end.max(end);
            }
        }
        Self { nodes }
    }

    /// Every element, parents before their children.
    pub fn elements(&self) -> impl Iterator<Item = At<'_>> {
        (0..self.nodes.len()).filter_map(|index| self.at(index))
    }

    /// HTML elements of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = At<'a>> {
        self.elements().filter(move |at| at.element.html && at.element.name == name)
    }

    fn at(&self, index: usize) -> Option<At<'_>> {
        match &self.nodes[index].kind {
            Kind::Element(element) => Some(At { dom: self, index, element }),
            Kind::Text(_) => None,
        }
    }
}

impl<'a> At<'a> {
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        self.dom.at(self.dom.nodes[self.index].parent?)
    }

    /// This element and those around it, the nearest first.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |at| at.parent())
    }

    /// Whether it stands in an HTML element of this name.
    #[must_use]
    pub fn is_in(self, name: &str) -> bool {
        self.ancestors().any(|at| at.element.html && at.element.name == name)
    }

    /// The elements within.
    pub fn inner(self) -> impl Iterator<Item = Self> {
        (self.index + 1..self.dom.nodes[self.index].end).filter_map(move |index| self.dom.at(index))
    }

    /// All text within, as it stands in the source.
    #[must_use]
    pub fn text_content(self) -> String {
        let nodes = &self.dom.nodes[self.index..self.dom.nodes[self.index].end];
        let texts = nodes.iter().filter_map(|node| match &node.kind {
            Kind::Text(text) => Some(text.as_str()),
            Kind::Element(_) => None,
        });
        texts.collect()
    }

    /// Whether it isn't shown, by what its markup says; style sheets aren't read.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        self.ancestors().any(|at| is_hidden(at.element))
    }

    /// The text that is shown, as `innerText` gives it: gaps are single spaces, blocks and line
    /// breaks begin a line. An element that isn't shown itself gives its whole text.
    #[must_use]
    pub fn inner_text(self) -> String {
        if self.is_hidden() {
            return self.text_content();
        }
        let mut lines = String::new();
        let mut index = self.index;
        // Ends of blocks that are open.
        let mut ends: Vec<usize> = Vec::new();
        let end = self.dom.nodes[self.index].end;
        while index < end {
            while ends.last().is_some_and(|end| *end <= index) {
                ends.pop();
                lines.push('\n');
            }
            let node = &self.dom.nodes[index];
            match &node.kind {
                Kind::Text(text) => {
                    lines.extend(text.chars().map(|c| if c == '\n' { ' ' } else { c }))
                }
                Kind::Element(element) if index > self.index && is_hidden(element) => {
                    index = node.end;
                    continue;
                }
                Kind::Element(element) if element.name == "br" => lines.push('\n'),
                Kind::Element(element) if is_block(&element.name) => {
                    lines.push('\n');
                    ends.push(node.end);
                }
                Kind::Element(_) => {}
            }
            index += 1;
        }
        // A space that can't break is a letter to CSS.
        let gap = |c: char| c.is_ascii_whitespace();
        let lines = lines
            .split('\n')
            .map(|line| line.split(gap).filter(|word| !word.is_empty()).collect::<Vec<_>>());
        let lines: Vec<String> =
            lines.map(|words| words.join(" ")).filter(|line| !line.is_empty()).collect();
        lines.join("\n")
    }
}

fn is_hidden(element: &Element) -> bool {
    let style = element.get("style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.split_whitespace().collect();
    element.has("hidden")
        || style.contains("display:none")
        || matches!(
            element.name.as_str(),
            "script" | "style" | "template" | "noscript" | "head" | "title" | "dialog"
        ) && !element.has("open")
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "div"
            | "p"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "section"
            | "article"
            | "main"
            | "header"
            | "footer"
            | "nav"
            | "aside"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "table"
            | "caption"
            | "tr"
            | "td"
            | "th"
            | "blockquote"
            | "pre"
            | "figure"
            | "figcaption"
            | "details"
            | "summary"
            | "address"
            | "form"
            | "fieldset"
            | "hr"
    )
}
