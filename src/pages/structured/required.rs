//! What search engines ask of the things that they show: products with offers, ratings,
//! breadcrumbs, questions, organizations.
//!
//! After Google's documents on structured data (developers.google.com/search/docs/appearance,
//! August 2026). Half of a statement is an error (a price without a currency, a question without an
//! answer); a statement left out is a warning.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{AUDIT, Thing, kinds, text_of};
use crate::pages::Finding;

/// `is`: the types of the thing with their ancestors. `from`: the property that it is the value of.
pub(super) fn check(thing: &Thing, is: &BTreeSet<&str>, from: Option<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    // A thing that has an address may be told of elsewhere.
    let elsewhere = thing.contains_key("@id") && from.is_some();
    let mut error = |fault: &str, remedy: &str| {
        found.push(Finding::error(AUDIT, fault, remedy).near(&*kind_of(thing)))
    };
    let has = |name: &str| has(thing, name);
    if is.contains("Product") && !elsewhere && !has("name") {
        error("A product has no name.", "Add \"name\".");
    }
    let is_offer = is.contains("Offer") && !is.contains("AggregateOffer");
    if is_offer || is.contains("PriceSpecification") {
        let free = number(thing, "price").is_some_and(|price| price.abs() < f64::EPSILON);
        if has("price") && !has("priceCurrency") && !free {
            error("A price has no currency.", "Add \"priceCurrency\", e.g. \"EUR\".");
        }
        let priced =
            ["price", "priceSpecification", "minPrice", "maxPrice"].iter().any(|name| has(name));
        if has("priceCurrency") && !priced {
            error("An offer has a currency and no price.", "Add \"price\".");
        }
    }
    if is.contains("AggregateOffer") {
        let (low, high) = (number(thing, "lowPrice"), number(thing, "highPrice"));
        if low.or(high).is_some_and(|price| price > 0.0) && !has("priceCurrency") {
            error("Prices from and to have no currency.", "Add \"priceCurrency\", e.g. \"EUR\".");
        }
        if has("priceCurrency")
            && !["lowPrice", "highPrice", "price", "offers"].iter().any(|name| has(name))
        {
            error("Offers have a currency and no price.", "Add \"lowPrice\".");
        }
        if low.zip(high).is_some_and(|(low, high)| low > high) {
            error(
                "The lowest price is above the highest.",
                "Correct \"lowPrice\" and \"highPrice\".",
            );
        }
    }
    if is.contains("Rating") {
        rating(thing, is, &mut error);
    }
    if is.contains("BreadcrumbList") {
        breadcrumbs(thing, &mut error);
    }
    if is.contains("FAQPage") {
        questions(thing, &mut error);
    }
    if is.contains("Organization")
        && from.is_none()
        && !["name", "legalName", "url", "@id"].iter().any(|name| has(name))
    {
        error("The organization has no name.", "Add \"name\".");
    }
    let mut warning = |fault: &str, remedy: &str| {
        found.push(Finding::warning(AUDIT, fault, remedy).near(&*kind_of(thing)))
    };
    let offered =
        ["offers", "review", "aggregateRating", "hasVariant"].iter().any(|name| has(name));
    if is.contains("Product") && from.is_none() && !is.contains("ProductGroup") && !offered {
        let remedy = "Add \"offers\" with price and currency; without it, results show the page as any other.";
        warning("A product has neither offer nor rating.", remedy);
    }
    if is.contains("AggregateRating") && !(has("ratingCount") || has("reviewCount")) {
        warning(
            "A rating doesn't say how many gave it.",
            "Add \"ratingCount\" or \"reviewCount\".",
        );
    }
    if is.contains("Product") {
        for offer in parts(thing, "offers").filter_map(Value::as_object) {
            let kinds = kinds(offer);
            let priced = [
                "price",
                "priceSpecification",
                "priceCurrency",
                "lowPrice",
                "highPrice",
                "offers",
                "@id",
            ];
            if kinds.iter().any(|kind| matches!(*kind, "Offer" | "AggregateOffer"))
                && !priced.iter().any(|name| self::has(offer, name))
            {
                warning(
                    "The offer of a product has no price.",
                    "Add \"price\" and \"priceCurrency\".",
                );
            }
        }
    }
    found
}

fn kind_of(thing: &Thing) -> String {
    kinds(thing).first().map_or_else(String::new, |kind| (*kind).to_owned())
}

/// The values of a property.
fn parts<'a>(thing: &'a Thing, name: &str) -> impl Iterator<Item = &'a Value> {
    let one_or_all = match thing.get(name) {
        Some(Value::Array(all)) => all.as_slice(),
        Some(Value::Object(list)) if list.contains_key("@list") => {
            list.get("@list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
        }
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    one_or_all.iter()
}

/// Whether a property says something.
fn has(thing: &Thing, name: &str) -> bool {
    parts(thing, name).any(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Object(inner) => !inner.is_empty(),
        _ => true,
    })
}

fn number(thing: &Thing, name: &str) -> Option<f64> {
    text_of(thing.get(name)?).trim().parse().ok()
}

fn rating(thing: &Thing, is: &BTreeSet<&str>, error: &mut impl FnMut(&str, &str)) {
    let aggregate = is.contains("AggregateRating");
    if aggregate && !has(thing, "ratingValue") {
        error("A rating has no value.", "Add \"ratingValue\".");
    }
    let Some(value) = number(thing, "ratingValue") else { return };
    // Five is the best where none is named (schema.org/bestRating), one the worst.
    let best = number(thing, "bestRating").unwrap_or(5.0);
    let worst = number(thing, "worstRating").unwrap_or(1.0).min(if has(thing, "bestRating") {
        0.0
    } else {
        1.0
    });
    if value > best || value < worst.min(0.0) {
        error(
            "A rating's value is outside of its scale.",
            "Add \"bestRating\" and \"worstRating\", or correct the value.",
        );
    }
}

fn breadcrumbs(thing: &Thing, error: &mut impl FnMut(&str, &str)) {
    let steps: Vec<&Value> = parts(thing, "itemListElement").collect();
    if steps.is_empty() {
        error(
            "A list of breadcrumbs has no steps.",
            "Add \"itemListElement\" with a ListItem for each step.",
        );
    }
    let mut before = f64::NEG_INFINITY;
    for (at, step) in steps.iter().enumerate() {
        let Some(step) = step.as_object() else {
            error(
                "A step of the breadcrumbs is no ListItem.",
                "Write {\"@type\": \"ListItem\", \"position\": 1, …}.",
            );
            continue;
        };
        match number(step, "position") {
            None => error(
                "A step of the breadcrumbs has no position.",
                "Number the steps from 1 in \"position\".",
            ),
            Some(position) if position <= before => {
                error(
                    "The breadcrumbs' positions don't rise.",
                    "Number the steps from 1, in their order.",
                );
            }
            Some(position) => before = position,
        }
        let item = step.get("item");
        let named = has(step, "name")
            || item.and_then(Value::as_object).is_some_and(|item| has(item, "name"));
        if !named {
            error("A step of the breadcrumbs has no name.", "Add \"name\".");
        }
        // The last step is the page itself.
        if !has(step, "item") && at + 1 < steps.len() {
            error(
                "A step of the breadcrumbs leads nowhere.",
                "Add \"item\" with the address of its page.",
            );
        }
    }
}

fn questions(thing: &Thing, error: &mut impl FnMut(&str, &str)) {
    let entities: Vec<&Value> = parts(thing, "mainEntity").collect();
    if entities.is_empty() {
        error(
            "A page of questions has none.",
            "Add \"mainEntity\" with each Question and its acceptedAnswer.",
        );
    }
    for question in entities {
        let Some(question) =
            question.as_object().filter(|question| kinds(question).contains(&"Question"))
        else {
            error(
                "A page of questions holds something else.",
                "Make every \"mainEntity\" a Question.",
            );
            continue;
        };
        if !(has(question, "name") || has(question, "text")) {
            error(
                "A question has no text.",
                "Add \"name\" with the question as it stands on the page.",
            );
        }
        let answered = parts(question, "acceptedAnswer").filter_map(Value::as_object);
        if !answered.into_iter().any(|answer| has(answer, "text")) {
            error(
                "A question has no answer.",
                "Add \"acceptedAnswer\" with its \"text\" as it stands on the page.",
            );
        }
    }
}
