//! Exports whose columns are there once for each channel, place or language of a store: Saleor,
//! Square, OpenCart; those that name things by ids: Shopware; and those that count what nobody
//! counts, or name an option in its value: Odoo, Etsy.

use super::{Cells, amount, at, cell, pad, set};
use crate::retrieval::columns;

/// Takes columns out: their labels, and what stands below them.
fn drop(of: &[usize], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    for at in of {
        set(labels, *at, String::new());
    }
    for (_, cells) in rows {
        for at in of {
            if let Some(cell) = cells.get_mut(*at) {
                cell.clear();
            }
        }
    }
}

/// Saleor writes prices by channel and stock by warehouse. Of several channels the first counts.
pub(super) fn saleor(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let Some(visible) = labels.iter().position(|label| label.ends_with("(channel visible)")) else {
        return;
    };
    let channel = labels[visible].trim_end_matches("(channel visible)").to_owned();
    let (mut stocks, mut dropped) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let label = labels[at].clone();
        let bare = |suffix: &str| label.strip_suffix(suffix).map(str::trim);
        let renamed = match label.strip_prefix(channel.as_str()) {
            Some("(channel visible)") => "Published",
            Some("(price amount)") => "Price",
            Some("(currency code)") => "Currency",
            Some("(discounted price amount)") => "Sale price",
            _ => match name.as_str() {
                "description as str" | "description" => "Description",
                "variant id" | "variant weight" | "charge taxes" => "",
                _ if bare("(warehouse quantity)").is_some() => {
                    stocks.push(at);
                    ""
                }
                _ if OF_A_CHANNEL.iter().any(|part| label.ends_with(part)) => "",
                _ => bare("(variant attribute)").or(bare("(product attribute)")).unwrap_or(&label),
            },
        };
        dropped.extend((renamed.is_empty() && !stocks.contains(&at)).then_some(at));
        set(labels, at, renamed.to_owned());
    }
    drop(&dropped, labels, rows);
    sum(&stocks, names.len(), labels, rows);
}

/// What Saleor says of a product in a channel.
const OF_A_CHANNEL: [&str; 12] = [
    "(channel visible)",
    "(publication date)",
    "(published)",
    "(searchable)",
    "(available for purchase)",
    "(product currency code)",
    "(variant currency code)",
    "(currency code)",
    "(price amount)",
    "(variant price amount)",
    "(discounted price amount)",
    "(variant cost price)",
];

/// Square counts stock in a column for each place; together they are the stock.
pub(super) fn square(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let stocks: Vec<usize> =
        (0..names.len()).filter(|at| names[*at].starts_with("current quantity ")).collect();
    sum(&stocks, names.len(), labels, rows);
}

/// Puts the sum of several columns behind the others, as the stock.
fn sum(of: &[usize], width: usize, labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    if of.is_empty() {
        return;
    }
    set(labels, width, "Stock".to_owned());
    for (_, cells) in rows.iter_mut() {
        let counts: Vec<f64> =
            of.iter().filter_map(|at| cell(cells, Some(*at)).parse().ok()).collect();
        if !counts.is_empty() {
            // What one place owes isn't missing in another.
            let total: f64 = counts.iter().map(|count: &f64| count.max(0.0)).sum();
            set(cells, width, format!("{total}"));
        }
        pad(cells, width, width + 1);
    }
    drop(of, labels, rows);
}

/// OpenCart keeps a name and a description for each language, and ids of its own tables. Another
/// language's description would be told in the middle of the first one's.
pub(super) fn opencart(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    const IDS: &[&str] = &[
        "stock status id",
        "tax class id",
        "date added",
        "date modified",
        "date available",
        "length unit",
        "store ids",
        "layout",
        "related ids",
        "points",
        "minimum",
        "location",
    ];
    const TRANSLATED: &[&str] = &["description ", "tags ", "meta title ", "meta keywords "];
    let first = names.iter().find_map(|name| name.strip_prefix("description "));
    let Some(first) = first.map(str::to_owned) else { return };
    let (mut dropped, mut escaped) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let of = TRANSLATED.iter().find_map(|part| name.strip_prefix(part));
        if IDS.contains(&name.as_str()) || of.is_some_and(|of| of != first) {
            dropped.push(at);
        } else if name == "subtract" {
            set(labels, at, "Track quantity".to_owned());
        } else if name.starts_with("description ") {
            escaped.push(at);
        }
    }
    drop(&dropped, labels, rows);
    // Descriptions are stored with their tags escaped.
    for (_, cells) in rows {
        for at in &escaped {
            if let Some(cell) = cells.get_mut(*at).filter(|cell| cell.contains("&lt;")) {
                let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
                *cell = signs
                    .iter()
                    .fold(cell.clone(), |text, (sign, plain)| text.replace(sign, plain));
            }
        }
    }
}

/// Shopware names what belongs to a product by the ids of its own tables. What a variant's options
/// are stays in their column, so that the report says that they aren't understood.
pub(super) fn shopware(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let is_id = |text: &str| {
        text.split('|').all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let gross = names.iter().any(|name| name == "price gross");
    let mut dropped = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let ids = ["tax id", "tax rate", "tax name", "cover media id", "manufacturer id"];
        let of_software = ids.contains(&name.as_str()) || name.starts_with("sales channel");
        let of_ids = matches!(name.as_str(), "categories" | "propertyids" | "property ids")
            && rows.iter().all(|(_, cells)| {
                let text = cell(cells, Some(at));
                text.is_empty() || is_id(text)
            });
        if of_software || of_ids || gross && name == "price net" {
            dropped.push(at);
        } else if name == "manufacturer name" {
            set(labels, at, "Manufacturer".to_owned());
        }
    }
    drop(&dropped, labels, rows);
}

/// Odoo writes 0 for the stock of services and of goods that it doesn't count.
pub(super) fn odoo(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    if let Some(sold) = at(names, "description sale") {
        set(labels, sold, "Description".to_owned());
    }
    let any = |wanted: &[&str]| wanted.iter().find_map(|name| at(names, name));
    let (Some(kind), Some(stock)) = (
        any(&["detailed type", "type", "product type"]),
        any(&["qty available", "quantity on hand", "free qty", "free to use quantity"]),
    ) else {
        return;
    };
    let tracked = any(&["is storable", "track inventory"]);
    for (_, cells) in rows {
        let kind = columns::folded(cell(cells, Some(kind)));
        let uncounted =
            matches!(kind.as_str(), "service" | "consu" | "consumable" | "goods" | "combo");
        let counted = columns::says(columns::Word::Yes, cell(cells, tracked));
        let none = amount(cell(cells, Some(stock))).is_none_or(|pieces| pieces <= 0.0);
        if uncounted && !counted && none && stock < cells.len() {
            cells[stock].clear();
        }
    }
}

/// Etsy names a variation in one cell and lists its values in another; the numbers of all variants
/// stand in one.
pub(super) fn etsy(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let variations: Vec<(usize, usize)> = (1..=2)
        .filter_map(|number| {
            let column = |what: &str| at(names, &format!("variation {number} {what}"));
            Some((column("name")?, column("values")?))
        })
        .collect();
    for (number, (name, values)) in variations.iter().enumerate() {
        set(labels, *name, String::new());
        set(labels, *values, if number == 0 { "Choice" } else { "Further choice" }.to_owned());
    }
    let sku = at(names, "sku");
    for (_, cells) in rows {
        for (name, values) in &variations {
            let called = cell(cells, Some(*name)).to_owned();
            let all = cell(cells, Some(*values)).replace(',', ", ");
            if *name < cells.len() {
                cells[*name].clear();
            }
            if !all.is_empty() {
                let told = if called.is_empty() { all } else { format!("{called} {all}") };
                set(cells, *values, told);
            }
        }
        if let Some(sku) = sku.filter(|sku| cell(cells, Some(*sku)).contains(',')) {
            cells[sku].clear();
        }
    }
}
