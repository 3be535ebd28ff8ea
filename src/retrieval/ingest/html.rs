//! A web page → Markdown of its main content.
//!
//! A page is hostile input: parsers of HTML are quadratic or recursive in places. So a scanner goes
//! first ([`scan`]); what it writes has only known elements, few attributes and a bounded depth.
//! [`shape`] then takes out menus, banners and what is hidden, and gives questions their answers;
//! [`write`] makes Markdown of what is left. Facts that a page states for search engines
//! ([`linked_data`]) are added where the page itself doesn't show them.

use super::text::Meta;

mod chrome;
mod linked_data;
mod scan;
mod shape;
mod table;
mod tabs;
mod tree;
mod write;

use tree::{Element, Node, letters};

/// A web page's content.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) meta: Meta,
    pub(super) markdown: String,
    /// What it says about who may see it, or when, isn't understood.
    pub(super) unclear: Option<String>,
}

/// `<main>` with at least this share of a page's letters is the page's content; so are its articles
/// together.
const MAIN_SHARE: f64 = 0.25;
const ARTICLES_SHARE: f64 = 0.6;
/// Hidden texts that are named one by one.
const MAX_HIDDEN_NAMED: usize = 3;

/// Reads a page.
///
/// # Errors
///
/// When it is nested too deeply, too large, or holds no text.
pub(super) fn read(html: &str) -> Result<Page, String> {
    let scanned = scan::scan(html)?;
    let mut meta = scanned.meta;
    let mut body = tree::parse(&scanned.html);
    let hidden = shape::shape(&mut body);
    let content = main_content(body);
    let mut markdown = write::markdown(&content);
    for text in linked_data::unsaid(&scanned.linked_data, &markdown) {
        markdown.push_str(if markdown.is_empty() { "" } else { "\n\n" });
        markdown.push_str(&text);
    }
    if !markdown.chars().any(char::is_alphanumeric) {
        return Err("it holds no text that a reader would see".to_owned());
    }
    let named = hidden.iter().take(MAX_HIDDEN_NAMED);
    meta.warnings.extend(named.map(|start| {
        format!("text that the page hides was left out: \"{start}…\"; if visitors may see it, show it on the page")
    }));
    if hidden.len() > MAX_HIDDEN_NAMED {
        let more = hidden.len() - MAX_HIDDEN_NAMED;
        meta.warnings.push(format!("{more} more texts that the page hides were left out"));
    }
    Ok(Page { meta, markdown, unclear: scanned.unclear })
}

/// The texts of a page's blocks, whatever becomes of them.
pub(super) fn texts(html: &str) -> Vec<String> {
    fn collect(element: &Element, out: &mut Vec<String>) {
        let mut line = String::new();
        for child in &element.children {
            match child {
                Node::Element(inner) if tree::is_block(&inner.name) || tree::holds_block(inner) => {
                    out.push(std::mem::take(&mut line));
                    collect(inner, out);
                }
                Node::Element(inner) => line.push_str(&format!(" {} ", inner.text())),
                Node::Text(text) => line.push_str(text),
            }
        }
        out.push(line);
    }
    let Ok(scanned) = scan::scan(html) else { return Vec::new() };
    let mut texts = Vec::new();
    collect(&tree::parse(&scanned.html), &mut texts);
    texts.retain(|text| text.chars().any(char::is_alphanumeric));
    texts
}

/// A piece of HTML within Markdown, as Markdown; empty if nothing of it would be seen.
pub(super) fn text_of_fragment(html: &str) -> String {
    let Ok(scanned) = scan::scan(html) else { return String::new() };
    let mut body = tree::parse(&scanned.html);
    shape::shape_fragment(&mut body);
    write::markdown(&body)
}

/// What JSON-LD states: titles and texts.
pub(super) fn facts(data: &str) -> Vec<(String, String)> {
    let sections = linked_data::unsaid(&[data.to_owned()], "");
    let parted = sections.into_iter().map(|section| {
        match section.strip_prefix("## ").and_then(|rest| rest.split_once("\n\n")) {
            Some((title, text)) => (title.to_owned(), text.to_owned()),
            None => (String::new(), section),
        }
    });
    parted.collect()
}

/// The author's word for what matters, unless it's next to nothing of the page.
fn main_content(body: Element) -> Element {
    fn collect(element: &Element, fits: &impl Fn(&Element) -> bool, found: &mut Vec<Node>) {
        for child in element.elements() {
            if fits(child) {
                found.push(Node::Element(child.clone()));
            } else {
                collect(child, fits, found);
            }
        }
    }
    let all = letters(&body.children);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a page has fewer letters than f64 has exact integers"
    )]
    let share = |nodes: &[Node]| letters(nodes) as f64 / all.max(1) as f64;
    let mut main = Vec::new();
    collect(
        &body,
        &|element| element.name == "main" || element.get("role") == Some("main"),
        &mut main,
    );
    if share(&main) >= MAIN_SHARE {
        return Element::new("body", main);
    }
    let mut articles = Vec::new();
    collect(&body, &|element| element.name == "article", &mut articles);
    if share(&articles) >= ARTICLES_SHARE { Element::new("body", articles) } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_markdown_of_what_matters() {
        let check = |html: &str, expected: &str| {
            assert_eq!(read(html).map(|page| page.markdown).as_deref(), Ok(expected))
        };
        check("<p>One <b>two</b></p><p>three", "One **two**\n\nthree");
        check("<nav>Home</nav><main><h1>A</h1><p>b</p></main><footer>Imprint</footer>", "# A\n\nb");
        check("<p>a<script>x < y; '<div>'</script>b<style>p{}</style><!-- c --></p>", "ab");
        check(
            "<p>a <span hidden>b</span><span style='display: none'>c</span><i aria-hidden=true>d</i>e</p>",
            "a e",
        );
        check("<div><p hidden>secret</div><p>seen</p>", "seen");
        check("<p hidden>secret<p>seen", "seen");
        check("<ul><li>a<li>b</ul>", "- a\n- b");
        check("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b");
        check("1 < 2 and 3 <4", "1 < 2 and 3 <4");
        check(
            "<a href='javascript:x()'>a</a> <a href='https://b.example/c'>b</a>",
            "a [b](https://b.example/c)",
        );
        check(
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        );
        check("<details><summary>Why?</summary>Because.</details>", "###### Why?\n\nBecause.");
        check("<p>5*6 a_b_c [x] 1.5", "5*6 a_b_c [x] 1.5");
        check("<p>1. no list</p><p># no heading</p>", "1\\. no list\n\n\\# no heading");
    }

    #[test]
    fn what_the_page_says_of_itself() {
        let page =
            read("<html lang=de-CH><title>A &amp; B</title><link rel=canonical href=https://x.example/y><p>Text")
                .expect("sound");
        assert_eq!(page.meta.title.as_deref(), Some("A & B"));
        assert_eq!(page.meta.language.as_deref(), Some("de"));
        assert_eq!(page.meta.url.as_deref(), Some("https://x.example/y"));
    }

    #[test]
    fn hostile_pages_are_refused_or_read_in_time() {
        let check = |html: String, expected: &str| match read(&html) {
            Ok(page) => assert!(
                page.markdown.contains(expected),
                "{}",
                &page.markdown[..page.markdown.len().min(200)]
            ),
            Err(reason) => assert!(reason.contains(expected), "{reason}"),
        };
        check("<div>".repeat(100_000), "nested more than 256 deep");
        check(format!("{}x", "<svg><style>".repeat(1000)), "no text");
        check(format!("<p>{}", "<p>a".repeat(250_000)), "more than 200000 elements");
        check(format!("<div {}>text", "a=1 ".repeat(500_000)), "text");
        check(format!("<p>{}text", "<b><i></b>".repeat(20_000)), "text");
        check(format!("text {}", "<!--".repeat(200_000)), "text");
        check(format!("text {}", "<".repeat(200_000)), "text");
        check(format!("text <a {}", "=".repeat(200_000)), "text");
        check(format!("<table>{}text", "<tr><td>".repeat(5_000)), "text");
        check("<script>".to_owned(), "no text");
        check(String::new(), "no text");
    }

    #[test]
    fn folded_answers_are_read_with_their_questions() {
        let check = |html: &str, expected: &str| {
            assert_eq!(read(html).map(|page| page.markdown).as_deref(), Ok(expected))
        };
        check(
            "<button aria-expanded=false>Is it far?</button><div hidden><p>No.</div>",
            "###### Is it far?\n\nNo.",
        );
        check(
            "<h2><button aria-controls=x>Towels</button></h2><div id=x aria-hidden=true>Bring one.</div>",
            "## Towels\n\nBring one.",
        );
        check("<h3>Soap</h3><div style='display:none'>None.</div>", "### Soap\n\nNone.");
        check("<h3>Soap</h3><div hidden=until-found>None.</div>", "### Soap\n\nNone.");
        check(
            "<div role=tablist><button role=tab aria-controls=a>Boat</button><button role=tab aria-controls=b>Bus</button></div>\
             <div id=a role=tabpanel>Nine.</div><div id=b role=tabpanel hidden>Ten.</div>",
            "###### Boat\n\nNine.\n\n###### Bus\n\nTen.",
        );
        check(
            "<ul class='nav nav-tabs'><li><a href=#a>Boat</a><li><a href=#b>Bus</a></ul>\
             <div id=a><p>Nine.</div><div id=b style='display:none'><p>Ten.</div>",
            "###### Boat\n\nNine.\n\n###### Bus\n\nTen.",
        );
        check(
            "<p>x<div role=tablist><div role=tab>Boat</div><div role=tab>Bus</div></div>\
             <div><div role=tabpanel>Nine.</div><div role=tabpanel hidden>Ten.</div></div>",
            "x\n\n###### Boat\n\nNine.\n\n###### Bus\n\nTen.",
        );
        check(
            "<div class=tabs><button data-tab=a>Boat</button><button data-tab=b>Bus</button></div>\
             <div id=a>Nine.</div><div id=b hidden>Ten.</div>",
            "###### Boat\n\nNine.\n\n###### Bus\n\nTen.",
        );
        // What leads to parts of the page that have headings of their own adds nothing.
        check(
            "<ul><li><a href=#a>Boat</a><li><a href=#b>Bus</a></ul><h2 id=a>Boat</h2><p>Nine.</p><h2 id=b>Bus</h2><p>Ten.",
            "- [Boat](#a)\n- [Bus](#b)\n\n## Boat\n\nNine.\n\n## Bus\n\nTen.",
        );
        check(
            "<div><div class=faq-question>Pets <i class=plus></i></div><div class=faq-answer style='max-height:0;opacity:0'>Dogs.</div></div><p>b",
            "###### Pets\n\nDogs.\n\n######\n\nb",
        );
        check("<p><strong>Is it warm?</strong><br>Mostly.", "###### Is it warm?\n\nMostly.");
        check(
            "<ul><li><div>Is it deep?</div><div>Two metres.</div></ul>",
            "###### Is it deep?\n\nTwo metres.",
        );
        check(
            "<dl><dt>Depth<dd>2 m<dt>Is it safe?<dd>Yes.</dl>",
            "Depth: 2 m\n\n###### Is it safe?\n\nYes.",
        );
        check("<p>Why us?</p><p>How so?</p>", "Why us?\n\nHow so?");
        check("<p>Buy it.</p><button>Add to basket</button>", "Buy it.");
    }

    #[test]
    fn what_stands_around_the_content_goes() {
        let check = |html: &str, expected: &str| {
            assert_eq!(read(html).map(|page| page.markdown).as_deref(), Ok(expected))
        };
        check("<div class='cookie-banner'>We use cookies. <button>OK</button></div><p>a", "a");
        check("<div>This site uses cookies. <button>Accept all</button></div><p>a", "a");
        check(
            "<div><button>Do you use cookies?</button><div>Only one cookie.</div></div>",
            "###### Do you use cookies?\n\nOnly one cookie.",
        );
        check(
            "<ul class='main-menu'><li><a href=/a>Start</a><li><a href=/b>Shop</a></ul><p>a",
            "a",
        );
        check("<div class=menu><p>Soup 4.50</p></div>", "Soup 4.50");
        check(
            "<header><nav>x</nav><h1>Boats</h1></header><p>a<div id=footer>Imprint</div>",
            "# Boats\n\na",
        );
        let page = read("<p>a</p><div hidden>A text of some length that nobody who looks at the page can see.</div>")
            .expect("sound");
        assert!(
            page.meta.warnings[0].contains("A text of some length"),
            "{:?}",
            page.meta.warnings
        );
    }

    #[test]
    fn tables_and_prices_keep_what_they_mean() {
        let check = |html: &str, expected: &str| {
            assert_eq!(read(html).map(|page| page.markdown).as_deref(), Ok(expected))
        };
        check(
            "<table><thead><tr><th rowspan=2>Room<th colspan=2>Price<tr><th>May<th>July</thead>\
             <tr><td>Small<td>80<td>90<tr><td>Large<td colspan=2>on request</table>",
            "| Room | Price May | Price July |\n| --- | --- | --- |\n| Small | 80 | 90 |\n| Large | on request | on request |",
        );
        check(
            "<table><tr><td>Arrival<td>from 15:00<tr><td>Departure<td>until 11:00</table>",
            "Arrival: from 15:00\n\nDeparture: until 11:00",
        );
        check(
            "<table><tr><th>Tea<th>Price<tr><th colspan=2>Green<tr><td>Sencha<td>5<tr><th colspan=2>Black<tr><td>Assam<td>4</table>",
            "###### Green\n\n| Tea | Price |\n| --- | --- |\n| Sencha | 5 |\n\n###### Black\n\n| Tea | Price |\n| --- | --- |\n| Assam | 4 |",
        );
        check(
            "<p>19<sup>99</sup> EUR, 20 m<sup>2</sup>, free<sup>1</sup>",
            "19.99 EUR, 20 m², free",
        );
        check("<p><del>60 EUR</del> 45 EUR", "45 EUR");
        check("<div><div>Adults</div><div>12.50 EUR</div></div>", "Adults – 12.50 EUR");
        check("<a href=/x><div><h3>Lamp</h3><p>Bright.</p></div></a>", "### Lamp\n\nBright.");
    }

    #[test]
    fn facts_for_search_engines_are_added_where_the_page_lacks_them() {
        let check = |data: &str, body: &str, expected: &str| {
            let html = format!("<script type='application/ld+json'>{data}</script>{body}");
            assert_eq!(read(&html).map(|page| page.markdown).as_deref(), Ok(expected));
        };
        let faq = r#"{"@type":"FAQPage","mainEntity":[{"@type":"Question","name":"Is it far?","acceptedAnswer":{"text":"<p>Two <b>miles</b>.</p>"}}]}"#;
        check(faq, "<p>Hello.", "Hello.\n\n## Is it far?\n\nTwo **miles**.");
        check(faq, "<h2>Is it far?</h2><p>Two miles.", "## Is it far?\n\nTwo miles.");
        check(
            r#"{"@graph":[{"@type":"Product","name":"Lamp","offers":{"price":"45.00","priceCurrency":"EUR","availability":"https://schema.org/OutOfStock"}}]}"#,
            "<p>Hello.",
            "Hello.\n\n## Lamp\n\n- Lamp: 45.00 EUR (out of stock)",
        );
        check(r#"{"@type":"Product","name":"Lamp","offers":{"price":0}}"#, "<p>Hello.", "Hello.");
        check(
            r#"[{"@type":"Bakery","name":"Crumb","telephone":"+353 1 2","openingHoursSpecification":{"dayOfWeek":["Monday","https://schema.org/Tuesday"],"opens":"08:00:00","closes":"17:30"}}]"#,
            "<p>Hello.",
            "Hello.\n\n## Crumb\n\n- +353 1 2\n- Monday, Tuesday 08:00–17:30",
        );
        check(
            r#"{"@type":"HowTo","name":"Descale","step":[{"text":"Fill it."},{"@type":"HowToStep","name":"Boil it."}]}"#,
            "<p>Hello.",
            "Hello.\n\n## Descale\n\n1. Fill it.\n2. Boil it.",
        );
        check("{broken", "<p>Hello.", "Hello.");
    }
}
