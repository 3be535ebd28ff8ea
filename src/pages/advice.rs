//! What Lighthouse doesn't look at, and search engines or readers miss: a heading, a language, a
//! canonical address, an offer where a price is shown.

use serde_json::Value;

use super::audit::{Page, canonical_of};
use super::dom::At;
use super::{Finding, quoted, structured};
use crate::retrieval::money;

/// Texts of `<script type="application/ld+json">`.
pub(super) fn blocks(page: &Page<'_>) -> Vec<String> {
    let scripts = page.dom.elements().filter(|at| {
        let kind = at.element.get("type").unwrap_or_default().split(';').next().unwrap_or_default();
        at.element.name == "script" && kind.trim().eq_ignore_ascii_case("application/ld+json")
    });
    scripts.map(At::text_content).collect()
}

pub(super) fn check(page: &Page<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if canonical_of(page).is_none() {
        let remedy = "Add <link rel=\"canonical\" href=\"https://…\"> with the page's own address.";
        found.push(Finding::warning(
            "canonical-missing",
            "The page doesn't say which of its addresses counts.",
            remedy,
        ));
    }
    if !page.dom.named("h1").any(|heading| !heading.text_content().trim().is_empty()) {
        found.push(Finding::warning(
            "heading",
            "The page has no main heading.",
            "Name its subject in one <h1>.",
        ));
    }
    let language = page.dom.named("html").next().and_then(|root| root.element.get("lang"));
    if language.is_none_or(|language| language.trim().is_empty()) {
        let remedy = "Write <html lang=\"…\">: it is read aloud and translated by it.";
        found.push(Finding::warning(
            "language",
            "The page doesn't say in which language it is.",
            remedy,
        ));
    }
    if let Some(price) = shown_price(page).filter(|_| !has_offer(page)) {
        let told = format!("The page shows the price {} and states no Offer.", quoted(&price));
        let remedy =
            "State it in JSON-LD: Product with offers, price, priceCurrency and availability.";
        found.push(Finding::warning("price-without-offer", told, remedy).near(price));
    }
    found
}

/// The first amount of money that stands by itself, as prices of products do; amounts in sentences
/// and tables are of something else.
fn shown_price(page: &Page<'_>) -> Option<String> {
    let leaves = page.dom.elements().filter(|at| at.element.html && at.inner().next().is_none());
    leaves.filter(|at| !at.is_hidden()).find_map(|at| {
        let text = at.text_content();
        let text = text.trim();
        if text.len() > 40 || !text.contains(|char: char| char.is_ascii_digit()) {
            return None;
        }
        let amount = text.rsplit([':', '：']).next().unwrap_or(text);
        // "ab 349,00 €", "from €349".
        let bare =
            |text: &str| money::money(text, None).is_some_and(|money| money.currency.is_some());
        let priced =
            bare(amount) || amount.trim().split_once(' ').is_some_and(|(_, rest)| bare(rest));
        let in_table = ["table", "li", "dl", "pre", "code", "select", "nav", "footer"]
            .iter()
            .any(|name| at.is_in(name));
        let line = at.ancestors().find(|at| {
            matches!(
                at.element.name.as_str(),
                "p" | "div" | "section" | "article" | "body" | "main"
            )
        });
        // The line that it stands in says no more than a price.
        let alone = line.is_none_or(|line| {
            line.inner_text().split('\n').any(|line| line.contains(text) && line.len() <= 60)
        });
        (priced && alone && !in_table).then(|| text.to_owned())
    })
}

/// In JSON-LD, microdata or RDFa.
fn has_offer(page: &Page<'_>) -> bool {
    let types =
        ["Offer", "AggregateOffer", "PriceSpecification", "Invoice", "Order", "MonetaryAmount"];
    let in_block = |text: &String| {
        serde_json::from_str::<Value>(text.trim())
            .is_ok_and(|value| !structured::things(&value, &types).is_empty())
    };
    let marked = |at: At<'_>| {
        let get = |name: &str| at.element.get(name).unwrap_or_default();
        get("itemprop")
            .split_whitespace()
            .chain(get("property").split_whitespace())
            .any(|name| matches!(name, "price" | "lowPrice" | "schema:price"))
            || get("itemtype").ends_with("/Offer")
    };
    blocks(page).iter().any(in_block) || page.dom.elements().any(marked)
}
