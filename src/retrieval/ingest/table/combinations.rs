//! PrestaShop exports a product's variants into a file of their own, which says what each costs
//! more than the product: with the product's row from the file beside it, it is told by name and
//! price.

use std::collections::HashMap;

use super::Sheet;
use crate::retrieval::columns::{self, Kind};
use crate::retrieval::money;

/// Rows that are looked at for a header.
const SEARCHED: usize = 20;

/// A header's line among the rows, and what its columns are called in folded form.
struct Header {
    at: usize,
    names: Vec<String>,
}

impl Header {
    fn of(sheet: &Sheet, kinds: &[Kind]) -> Option<Self> {
        let has = |cells: &[String], kind: Kind| cells.iter().any(|cell| is(cell, kind));
        let at = sheet
            .rows
            .iter()
            .take(SEARCHED)
            .position(|(_, cells)| kinds.iter().all(|kind| has(cells, *kind)))?;
        Some(Self {
            at,
            names: sheet.rows[at].1.iter().map(|cell| columns::folded(cell)).collect(),
        })
    }

    fn named(&self, names: &[&str]) -> Option<usize> {
        self.names.iter().position(|name| names.contains(&name.as_str()))
    }

    fn beginning(&self, word: &str) -> Option<usize> {
        self.names.iter().position(|name| name.starts_with(word))
    }
}

fn is(label: &str, kind: Kind) -> bool {
    columns::meaning(label).is_some_and(|meaning| meaning.kind == kind)
}

/// Whether a sheet lists variants by what they cost more.
pub(in crate::retrieval::ingest) fn is_one(sheet: &Sheet) -> bool {
    Header::of(sheet, &[Kind::Impact]).is_some_and(|header| {
        header.named(PRODUCT).is_some() && Header::of(sheet, &[Kind::Impact, Kind::Name]).is_none()
    })
}

/// What the product's number is called in either file.
const PRODUCT: &[&str] =
    &["product id", "id product", "produit id", "id produit", "id du produit", "produkt id"];

/// Gives the rows of `sheet` the names of their products, and prices in place of additions. Rows
/// whose product is in none of `others` keep their addition, and are left out later with the
/// reason.
pub(in crate::retrieval::ingest) fn join(sheet: &mut Sheet, others: &[Sheet]) {
    let Some(header) = Header::of(sheet, &[Kind::Impact]) else { return };
    let Some(number) = header.named(PRODUCT) else { return };
    let impact =
        sheet.rows[header.at].1.iter().position(|cell| is(cell, Kind::Impact)).unwrap_or_default();
    // `None`: two files say different things of it.
    let mut products: HashMap<String, Option<(String, f64)>> = HashMap::new();
    let mut price_label = None;
    for other in others {
        let Some(own) = Header::of(other, &[Kind::Name, Kind::Price]) else { continue };
        let Some(id) = own.named(PRODUCT) else { continue };
        let labels = &other.rows[own.at].1;
        let column = |kind: Kind| labels.iter().position(|cell| is(cell, kind));
        let (Some(name), Some(price)) = (column(Kind::Name), column(Kind::Price)) else { continue };
        price_label = labels.get(price).cloned().or(price_label);
        for (_, cells) in other.rows.iter().skip(own.at + 1) {
            let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
            let amount =
                money::money(cell(price), None).and_then(|money| money.amount.parse().ok());
            // What isn't for sale has no variants that are.
            let unsold = labels.iter().zip(cells).any(|(label, value)| {
                columns::meaning(label)
                    .is_some_and(|meaning| columns::is_unsold(meaning.kind, value))
            });
            if let Some(amount) = amount.filter(|_| !unsold && !cell(name).is_empty()) {
                let told = (cell(name).to_owned(), amount);
                let known =
                    products.entry(cell(id).to_owned()).or_insert_with(|| Some(told.clone()));
                if known.as_ref().is_some_and(|known| *known != told) {
                    *known = None;
                }
            }
        }
    }
    let Some(price_label) = price_label else { return };
    let (attribute, value) = (header.beginning("attribute"), header.beginning("value"));
    let width = header.names.len();
    let mut label = |at: Option<usize>, text: &str| {
        if let Some(cell) = at.and_then(|at| sheet.rows[header.at].1.get_mut(at)) {
            text.clone_into(cell);
        }
    };
    label(attribute, "Option1 Name");
    label(value, "Option1 Value");
    label(Some(impact), &price_label);
    sheet.rows[header.at].1.push("Name".to_owned());
    let known = |cells: &[String]| -> Option<(String, String)> {
        let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
        let (name, base) = products.get(cell(number))?.as_ref()?;
        let more = cell(impact);
        let (sign, digits) = more.strip_prefix('-').map_or((1.0, more), |digits| (-1.0, digits));
        let amount: f64 = if digits.is_empty() {
            0.0
        } else {
            money::money(digits, None)?.amount.parse().ok()?
        };
        let price = base + sign * amount;
        (price > 0.0).then(|| (name.clone(), format!("{price:.2}")))
    };
    let mut kept = Vec::with_capacity(sheet.rows.len());
    for (at, (line, mut cells)) in std::mem::take(&mut sheet.rows).into_iter().enumerate() {
        if at > header.at {
            // Without its product nobody knows what it is.
            let Some((name, price)) = known(&cells) else { continue };
            cells.resize(width, String::new());
            cells[impact] = price;
            for column in [attribute, value].into_iter().flatten() {
                cells[column] = plain(&cells[column]);
            }
            cells.push(name);
        }
        kept.push((line, cells));
    }
    sheet.rows = kept;
}

/// "Size:select:0, Colour:color:1" as "Size, Colour": names and values without how the shop shows
/// them.
fn plain(list: &str) -> String {
    let parts = list.split(',').map(|part| part.split(':').next().unwrap_or_default().trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::csv_sheet;
    use super::*;

    #[test]
    fn variants_have_the_name_and_the_price_of_their_product() {
        let (products, _) = csv_sheet(
            "Product ID;Active (0/1);Name *;Price tax excluded\n1;1;Knife;45.00\n2;0;Fork;9.00\n",
        );
        let (mut sheet, _) = csv_sheet(
            "Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;Impact on price\n\
             1;Handle:radio:0;Horn:1;K-H;20.00\n1;Handle:radio:0;Olive:0;K-O;-1.5\n2;Handle:radio:0;Horn:0;F-H;1.00\n",
        );
        assert!(is_one(&sheet) && !is_one(&products));
        join(&mut sheet, &[products]);
        let rows: Vec<String> = sheet.rows.iter().map(|(_, cells)| cells.join("|")).collect();
        assert_eq!(
            rows,
            [
                "Product ID*|Option1 Name|Option1 Value|Reference|Price tax excluded|Name",
                "1|Handle|Horn|K-H|65.00|Knife",
                "1|Handle|Olive|K-O|43.50|Knife",
            ]
        );
    }

    #[test]
    fn what_two_files_tell_otherwise_is_told_by_neither() {
        let (one, _) =
            csv_sheet("Product ID;Name *;Price tax excluded\n1;Knife;45.00\n2;Fork;9.00\n");
        let (other, _) =
            csv_sheet("Product ID;Name *;Price tax excluded\n1;Knife;40.00\n2;Fork;9.00\n");
        let (wines, _) = csv_sheet("id;name;price\n2;Red wine;12.00\n");
        let (mut sheet, _) =
            csv_sheet("Product ID*;Reference;Impact on price\n1;K-H;20.00\n2;F-H;1.00\n");
        join(&mut sheet, &[one, other, wines]);
        let rows: Vec<String> = sheet.rows.iter().map(|(_, cells)| cells.join("|")).collect();
        assert_eq!(rows, ["Product ID*|Reference|Price tax excluded|Name", "2|F-H|10.00|Fork"]);
    }

    #[test]
    fn without_the_products_nothing_changes() {
        let (mut sheet, _) = csv_sheet("Product ID*;Reference;Impact on price\n1;K-H;20.00\n");
        join(&mut sheet, &[]);
        assert_eq!(sheet.rows[0].1[2], "Impact on price");
    }
}
