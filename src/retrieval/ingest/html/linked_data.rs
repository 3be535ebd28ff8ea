//! Facts that a page states for search engines (JSON-LD in schema.org's words), as Markdown.
//!
//! Questions and answers, products, places, offers and instructions; each is added only where the
//! page itself doesn't say it. The types and properties are those of <https://schema.org>.

use serde_json::{Map, Value};

use crate::retrieval::ingest::text::{one_line, unbroken};

/// Things within things that are looked at, and things of one page.
const MAX_DEPTH: usize = 12;
const MAX_THINGS: usize = 2_000;

/// What the page's data say that its text doesn't: a section each.
pub(super) fn unsaid(data: &[String], page: &str) -> Vec<String> {
    let said = letters_of(page);
    let mut found = Vec::new();
    for text in data {
        // Old pages wrap it for parsers of before HTML5.
        let text = text.trim().trim_start_matches("<!--").trim_end_matches("-->");
        let text = text.trim().trim_start_matches("//<![CDATA[").trim_end_matches("//]]>").trim();
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            things(&value, 0, &mut found);
        }
    }
    let mut sections: Vec<String> = Vec::new();
    for Section { heading, text, facts } in found {
        let known = facts.iter().all(|fact| said.contains(&letters_of(fact)));
        let section = if heading.is_empty() { text } else { format!("## {heading}\n\n{text}") };
        if !known && !sections.contains(&section) {
            sections.push(section);
        }
    }
    sections
}

struct Section {
    heading: String,
    text: String,
    /// What must stand on the page for this to be said already.
    facts: Vec<String>,
}

/// Letters and digits alone, so that marks and gaps make no difference.
fn letters_of(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn things(value: &Value, depth: usize, found: &mut Vec<Section>) {
    if depth > MAX_DEPTH || found.len() > MAX_THINGS {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| things(item, depth + 1, found)),
        Value::Object(thing) => {
            let kinds = kinds(thing);
            let is = |wanted: &[&str]| kinds.iter().any(|kind| wanted.contains(&kind.as_str()));
            if is(&["Question"]) {
                found.extend(question(thing));
                return;
            }
            if is(&["HowTo", "Recipe"]) {
                found.extend(instruction(thing));
            } else if is(&[
                "Product",
                "ProductGroup",
                "Service",
                "MenuItem",
                "Event",
                "Course",
                "Vehicle",
                "HotelRoom",
            ]) {
                found.extend(offered(thing));
            } else if is_place(thing) {
                found.extend(place(thing));
            }
            for key in [
                "@graph",
                "mainEntity",
                "mainEntityOfPage",
                "itemListElement",
                "item",
                "hasVariant",
                "hasMenu",
                "hasMenuSection",
                "hasMenuItem",
                "hasOfferCatalog",
                "department",
                "subEvent",
                "about",
            ] {
                if let Some(inner) = thing.get(key).filter(|inner| !inner.is_string()) {
                    things(inner, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}

/// Its types without the vocabulary's address.
fn kinds(thing: &Map<String, Value>) -> Vec<String> {
    let short = |kind: &str| kind.rsplit(['/', ':', '#']).next().unwrap_or(kind).to_owned();
    match thing.get("@type") {
        Some(Value::String(kind)) => vec![short(kind)],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(short).collect(),
        _ => Vec::new(),
    }
}

/// A text in one line, without tags.
fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(inner) => {
            return ["name", "@value", "value", "text"]
                .iter()
                .find_map(|key| text(inner.get(*key)));
        }
        Value::Array(items) => {
            let all: Vec<String> = items.iter().filter_map(|item| text(Some(item))).collect();
            all.join(", ")
        }
        _ => return None,
    };
    let plain = if text.contains(['<', '&']) { super::text_of_fragment(&text) } else { text };
    Some(unbroken(&plain)).filter(|text| !text.is_empty())
}

/// A text that may have paragraphs and lists, as Markdown.
fn prose(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if text.contains(['<', '&']) => Some(super::text_of_fragment(text)),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Array(items) => {
            let all: Vec<String> = items.iter().filter_map(|item| prose(Some(item))).collect();
            Some(all.join("\n\n"))
        }
        Value::Object(inner) => prose(inner.get("text")).or_else(|| prose(inner.get("name"))),
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

fn question(thing: &Map<String, Value>) -> Option<Section> {
    let heading = one_line(&text(thing.get("name").or_else(|| thing.get("text")))?);
    let answer = prose(thing.get("acceptedAnswer").or_else(|| thing.get("suggestedAnswer")))?;
    Some(Section { heading, facts: vec![answer.clone()], text: answer })
}

fn instruction(thing: &Map<String, Value>) -> Option<Section> {
    let heading = one_line(&text(thing.get("name"))?);
    let list = thing.get("step").or_else(|| thing.get("recipeInstructions"))?;
    let mut steps = Vec::new();
    collect_steps(list, 0, &mut steps);
    let lines: Vec<String> =
        steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
    (!steps.is_empty()).then(|| Section { heading, text: lines.join("\n"), facts: steps })
}

fn collect_steps(value: &Value, depth: usize, steps: &mut Vec<String>) {
    match value {
        Value::Array(items) if depth < MAX_DEPTH => {
            items.iter().for_each(|item| collect_steps(item, depth + 1, steps))
        }
        Value::Object(step) => match step.get("itemListElement").filter(|inner| inner.is_array()) {
            Some(inner) => collect_steps(inner, depth + 1, steps),
            None => steps.extend(text(step.get("text")).or_else(|| text(step.get("name")))),
        },
        value => steps.extend(text(Some(value))),
    }
}

/// A product, service or event: its name, description, and what it costs.
fn offered(thing: &Map<String, Value>) -> Option<Section> {
    let name = one_line(&text(thing.get("name"))?);
    let mut lines = Vec::new();
    let mut facts = Vec::new();
    for key in ["startDate", "endDate"] {
        if let Some(value) = text(thing.get(key)) {
            lines.push(format!("- {key}: {value}"));
            facts.push(value);
        }
    }
    let description = prose(thing.get("description"));
    facts.extend(description.clone());
    let mut offers = Vec::new();
    collect_offers(thing.get("offers"), 0, &mut offers);
    for Offer { label, price, availability } in &offers {
        let label = label.as_deref().filter(|label| *label != name).unwrap_or(&name);
        let state = availability.map(|word| format!(" ({word})")).unwrap_or_default();
        match price {
            Some(price) => lines.push(format!("- {label}: {price}{state}")),
            None if availability.is_some() => lines.push(format!("- {label}{state}")),
            None => {}
        }
        facts.extend(
            price
                .as_ref()
                .map(|price| price.split_whitespace().next().unwrap_or_default().to_owned()),
        );
    }
    lines.dedup();
    let parts: Vec<String> =
        description.into_iter().chain((!lines.is_empty()).then(|| lines.join("\n"))).collect();
    (!parts.is_empty()).then(|| Section { heading: name, text: parts.join("\n\n"), facts })
}

struct Offer {
    label: Option<String>,
    price: Option<String>,
    availability: Option<&'static str>,
}

fn collect_offers(value: Option<&Value>, depth: usize, offers: &mut Vec<Offer>) {
    match value {
        Some(Value::Array(items)) if depth < MAX_DEPTH => {
            items.iter().for_each(|item| collect_offers(Some(item), depth + 1, offers));
        }
        Some(Value::Object(offer)) if depth < MAX_DEPTH => {
            let specification = match offer.get("priceSpecification") {
                Some(Value::Array(all)) => all.first().and_then(Value::as_object),
                Some(Value::Object(one)) => Some(one),
                _ => None,
            };
            let field = |key: &str| {
                text(offer.get(key))
                    .or_else(|| specification.and_then(|inner| text(inner.get(key))))
            };
            // A price of 0 mostly means that none was filled in.
            let amount = |key: &str| {
                field(key).filter(|price| price.chars().any(|char| matches!(char, '1'..='9')))
            };
            let currency =
                field("priceCurrency").map(|currency| format!(" {currency}")).unwrap_or_default();
            let price = match (amount("price"), amount("lowPrice"), amount("highPrice")) {
                (Some(price), ..) => Some(format!("{price}{currency}")),
                (None, Some(low), Some(high)) if low != high => {
                    Some(format!("{low}–{high}{currency}"))
                }
                (None, Some(low), _) => Some(format!("{low}{currency}")),
                _ => None,
            };
            let availability = text(offer.get("availability"));
            let availability =
                match availability.as_deref().and_then(|state| state.rsplit('/').next()) {
                    Some("InStock" | "InStoreOnly" | "OnlineOnly" | "LimitedAvailability") => {
                        Some("in stock")
                    }
                    Some("OutOfStock" | "SoldOut") => Some("out of stock"),
                    Some("Discontinued") => Some("no longer made"),
                    Some("PreOrder" | "PreSale") => Some("can be ordered in advance"),
                    Some("BackOrder") => Some("can be ordered, not in stock"),
                    _ => None,
                };
            let label = text(offer.get("name")).or_else(|| text(offer.get("itemOffered")));
            offers.push(Offer { label, price, availability });
            collect_offers(offer.get("offers"), depth + 1, offers);
        }
        _ => {}
    }
}

fn is_place(thing: &Map<String, Value>) -> bool {
    thing.get("name").is_some()
        && ["openingHours", "openingHoursSpecification", "telephone"]
            .iter()
            .any(|key| thing.get(*key).is_some())
}

/// A business: how to reach it, where it is, when it is open.
fn place(thing: &Map<String, Value>) -> Option<Section> {
    let name = one_line(&text(thing.get("name"))?);
    let mut lines = Vec::new();
    let mut facts = Vec::new();
    let address = match thing.get("address") {
        Some(Value::Object(address)) => {
            let keys = [
                "streetAddress",
                "postalCode",
                "addressLocality",
                "addressRegion",
                "addressCountry",
            ];
            let parts: Vec<String> =
                keys.iter().filter_map(|key| text(address.get(*key))).collect();
            facts.extend(text(address.get("streetAddress")));
            Some(parts.join(", ")).filter(|text| !text.is_empty())
        }
        other => text(other),
    };
    lines.extend(address.map(|address| format!("- {address}")));
    for key in ["telephone", "email"] {
        if let Some(value) = text(thing.get(key)) {
            lines.push(format!("- {}", value.trim_start_matches("mailto:")));
            facts.push(value);
        }
    }
    let mut hours: Vec<String> = match thing.get("openingHours") {
        Some(Value::Array(all)) => all.iter().filter_map(|one| text(Some(one))).collect(),
        other => text(other).into_iter().collect(),
    };
    let specifications = match thing.get("openingHoursSpecification") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => Vec::new(),
    };
    for one in specifications {
        let days = text(one.get("dayOfWeek")).unwrap_or_default();
        let days: Vec<&str> =
            days.split(", ").map(|day| day.rsplit('/').next().unwrap_or(day)).collect();
        let (Some(opens), Some(closes)) = (text(one.get("opens")), text(one.get("closes"))) else {
            continue;
        };
        let valid: Vec<String> =
            ["validFrom", "validThrough"].iter().filter_map(|key| text(one.get(*key))).collect();
        let valid =
            if valid.is_empty() { String::new() } else { format!(" ({})", valid.join(" – ")) };
        let hour = |time: &str| {
            time.strip_suffix(":00").filter(|rest| rest.contains(':')).unwrap_or(time).to_owned()
        };
        let time = if opens == closes {
            "closed".to_owned()
        } else {
            format!("{}–{}", hour(&opens), hour(&closes))
        };
        hours.push(format!("{} {time}{valid}", days.join(", ")).trim().to_owned());
    }
    facts.extend(hours.iter().cloned());
    lines.extend(hours.iter().map(|hour| format!("- {hour}")));
    let facts_known = facts.is_empty();
    (!lines.is_empty() && !facts_known).then(|| Section {
        heading: name,
        text: lines.join("\n"),
        facts,
    })
}
