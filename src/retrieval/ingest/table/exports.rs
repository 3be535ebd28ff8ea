//! Exports of shop platforms whose cells mean something only together with others: options in one
//! cell, prices as additions and reductions, stock in a column for each shop. Their sheets are
//! rewritten to columns that say the same by themselves, before anything else looks at them.

use std::collections::HashMap;

use super::Sheet;
use crate::retrieval::columns;
use crate::retrieval::money;

mod stores;

type Cells = Vec<String>;

/// Options of a variant that are read.
const MAX_OPTIONS: usize = 3;

/// Rewrites a sheet that a known platform wrote; others stay as they are.
pub(in crate::retrieval::ingest) fn rewrite(sheet: &mut Sheet) {
    let Some(((_, labels), rows)) = sheet.rows.split_first_mut() else { return };
    let names: Vec<String> = labels.iter().map(|label| columns::folded(label)).collect();
    let has = |wanted: &[&str]| wanted.iter().all(|name| names.iter().any(|own| own == name));
    if has(&["handleid", "fieldtype", "price"]) {
        wix(&names, labels, rows);
    } else if has(&["item", "options", "sku"]) {
        bigcommerce(&names, labels, rows);
    } else if has(&["product name", "product variation sku"]) {
        ecwid(&names, labels, rows);
    } else if has(&["supply price", "retail price"]) {
        vend(&names, labels, rows);
    } else if has(&["variant sku"]) && labels.iter().any(|l| l.ends_with("(channel visible)")) {
        stores::saleor(&names, labels, rows);
    } else if has(&["token", "item name", "variation name"]) {
        stores::square(&names, labels, rows);
    } else if has(&["product id", "stock status id"]) || has(&["model", "tax class id"]) {
        stores::opencart(&names, labels, rows);
    } else if has(&["product number", "parent id", "tax id"]) {
        stores::shopware(&names, labels, rows);
    } else if has(&["list price"]) || has(&["sales price", "internal reference"]) {
        stores::odoo(&names, labels, rows);
    } else if has(&["title", "currency code", "variation 1 values"]) {
        stores::etsy(&names, labels, rows);
    }
}

fn at(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|own| own == name)
}

fn cell(cells: &[String], at: Option<usize>) -> &str {
    at.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim())
}

fn amount(text: &str) -> Option<f64> {
    money::money(text, None)?.amount.parse().ok()
}

/// Writes into a row that may be shorter than its header.
fn set(cells: &mut Vec<String>, at: usize, value: String) {
    if cells.len() <= at {
        cells.resize(at + 1, String::new());
    }
    cells[at] = value;
}

/// Gives a row as many cells as its longer header; one that had too few before stays short, so that
/// it is seen to be broken.
fn pad(cells: &mut Cells, before: usize, width: usize) {
    if cells.len() >= before && cells.len() < width {
        cells.resize(width, String::new());
    }
}

/// Wix says what a variant costs more than its product, and what is taken off either: in per cent
/// or as an amount. A product's own row lists the values that its variants have.
fn wix(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let column = |name: &str| at(names, name);
    let (handle, kind, price) = (column("handleid"), column("fieldtype"), column("price"));
    let (mode, value) = (column("discountmode"), column("discountvalue"));
    let surcharge = column("surcharge");
    let options: Vec<usize> =
        (0..names.len()).filter(|at| names[*at].starts_with("productoptiondescription")).collect();
    let is_variant = |cells: &[String]| cell(cells, kind).eq_ignore_ascii_case("variant");
    // Price and reduction by product.
    let mut products: HashMap<String, (Option<f64>, String, Option<f64>)> = HashMap::new();
    let mut varied: HashMap<String, usize> = HashMap::new();
    for (_, cells) in rows.iter() {
        let own = cell(cells, handle).to_owned();
        if is_variant(cells) {
            *varied.entry(own).or_default() += 1;
        } else {
            let reduction = amount(cell(cells, value)).filter(|value| *value > 0.0);
            let said = (amount(cell(cells, price)), cell(cells, mode).to_lowercase(), reduction);
            products.insert(own, said);
        }
    }
    let Some(price) = price else { return };
    let before = names.len();
    set(labels, before, "Compare At Price".to_owned());
    // What these say is in the prices now.
    for at in [mode, value, surcharge].into_iter().flatten() {
        set(labels, at, String::new());
    }
    for (_, cells) in rows {
        let variant = is_variant(cells);
        let own = cell(cells, handle).to_owned();
        if !variant {
            for at in &options {
                let list = cell(cells, Some(*at)).replace(';', ", ");
                set(cells, *at, if varied.contains_key(&own) { String::new() } else { list });
            }
        }
        if let Some((Some(base), mode, reduction)) = products.get(&own) {
            let text = cell(cells, surcharge);
            let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
            let more = amount(digits).filter(|_| variant).map_or(0.0, |more| sign * more);
            let full = base + more;
            let now = match (mode.as_str(), reduction) {
                ("percent", Some(reduction)) => full * (1.0 - reduction / 100.0),
                (_, Some(reduction)) => full - reduction,
                _ => full,
            };
            if now > 0.0 && now < full {
                set(cells, before, format!("{full:.2}"));
            }
            // Nobody sells for nothing: such a reduction isn't understood.
            let now = if now > 0.0 { now } else { full };
            set(cells, price, format!("{now:.2}"));
        }
        for at in [mode, value, surcharge].into_iter().flatten() {
            set(cells, at, String::new());
        }
        pad(cells, before, before + 1);
    }
}

/// BigCommerce keeps a variant's options in one cell:
/// `Type=Rectangle|Name=Size|Value=M;Type=Swatch|Name=Colour|Value=Navy[#000080]`.
fn bigcommerce(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let Some(options) = at(names, "options") else { return };
    name_options(labels, names.len());
    set(labels, options, String::new());
    for (_, cells) in rows {
        let written = cell(cells, Some(options)).to_owned();
        set(cells, options, String::new());
        let pairs = written.split(';').filter_map(|option| {
            let part =
                |wanted: &str| option.split('|').find_map(|part| part.trim().strip_prefix(wanted));
            // A swatch's value ends with its colours.
            let value = part("Value=")?.split('[').next()?.trim();
            Some((part("Name=")?.to_owned(), value.to_owned()))
        });
        add_options(cells, names.len(), pairs);
    }
}

/// Ecwid's variations have columns of their own beside their product's.
fn ecwid(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    const VARIATION: &str = "product variation ";
    let moved: Vec<(usize, usize)> = (0..names.len())
        .filter_map(|from| {
            let of = names[from].strip_prefix(VARIATION)?;
            Some((from, at(names, &format!("product {of}"))?))
        })
        .collect();
    let options: Vec<(usize, String)> = (0..names.len())
        .filter(|at| names[*at].starts_with("product variation option "))
        .map(|at| (at, labels[at].rsplit(['_', ' ']).next().unwrap_or_default().to_owned()))
        .collect();
    name_options(labels, names.len());
    for at in moved.iter().map(|(from, _)| from).chain(options.iter().map(|(at, _)| at)) {
        set(labels, *at, String::new());
    }
    for (_, cells) in rows {
        for (from, to) in &moved {
            let value = cells.get_mut(*from).map(std::mem::take).unwrap_or_default();
            if !value.is_empty() {
                set(cells, *to, value);
            }
        }
        let said: Vec<(String, String)> = options
            .iter()
            .map(|(at, name)| (name.clone(), cell(cells, Some(*at)).to_owned()))
            .collect();
        for (at, _) in &options {
            set(cells, *at, String::new());
        }
        add_options(cells, names.len(), said.into_iter());
    }
}

/// Lightspeed's X series counts the stock of each shop in a column; together they are the stock.
fn vend(names: &[String], labels: &mut Cells, rows: &mut [(usize, Cells)]) {
    let outlets: Vec<usize> =
        (0..names.len()).filter(|at| names[*at].starts_with("inventory ")).collect();
    for (at, name) in names.iter().enumerate() {
        let option = name.strip_prefix("variant option ").and_then(|rest| rest.split_once(' '));
        let number = |word: &str| ["one", "two", "three"].iter().position(|own| *own == word);
        if let Some((number, part)) = option.and_then(|(word, part)| Some((number(word)?, part))) {
            set(labels, at, format!("Option{} {part}", number + 1));
        }
    }
    if outlets.is_empty() {
        return;
    }
    for at in &outlets {
        set(labels, *at, String::new());
    }
    set(labels, names.len(), "Stock".to_owned());
    for (_, cells) in rows {
        let counts: Vec<f64> =
            outlets.iter().filter_map(|at| cell(cells, Some(*at)).parse().ok()).collect();
        for at in &outlets {
            set(cells, *at, String::new());
        }
        if !counts.is_empty() {
            // What one shop owes isn't missing in another.
            let total: f64 = counts.iter().map(|count: &f64| count.max(0.0)).sum();
            set(cells, names.len(), format!("{total}"));
        }
        pad(cells, names.len(), names.len() + 1);
    }
}

/// Columns for options behind the others.
fn name_options(labels: &mut Cells, width: usize) {
    for number in 1..=MAX_OPTIONS {
        set(labels, width + 2 * number - 2, format!("Option{number} Name"));
        set(labels, width + 2 * number - 1, format!("Option{number} Value"));
    }
}

/// Fills the columns of [`name_options`].
fn add_options(cells: &mut Cells, width: usize, options: impl Iterator<Item = (String, String)>) {
    pad(cells, width, width + 2 * MAX_OPTIONS);
    let filled = options.filter(|(_, value)| !value.is_empty()).take(MAX_OPTIONS);
    for (number, (name, value)) in filled.enumerate() {
        set(cells, width + 2 * number, name);
        set(cells, width + 2 * number + 1, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::csv_sheet;
    use super::*;

    #[track_caller]
    fn check(csv: &str, expected: &[&str]) {
        let (mut sheet, _) = csv_sheet(csv);
        rewrite(&mut sheet);
        let rows: Vec<String> = sheet.rows.iter().map(|(_, cells)| cells.join("|")).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn reductions_and_additions_are_in_the_price() {
        check(
            "handleId,fieldType,price,surcharge,discountMode,discountValue,productOptionDescription1\n\
             a,Product,50,,PERCENT,10,red;blue\na,Variant,,0,,,red\na,Variant,,10,,,blue\n\
             b,Product,30,,AMOUNT,4,\nc,Product,9,,PERCENT,0,oak;ash\n",
            &[
                "handleId|fieldType|price||||productOptionDescription1|Compare At Price",
                "a|Product|45.00|||||50.00",
                "a|Variant|45.00||||red|50.00",
                "a|Variant|54.00||||blue|60.00",
                "b|Product|26.00|||||30.00",
                "c|Product|9.00||||oak, ash|",
            ],
        );
    }

    #[test]
    fn options_in_one_cell_have_columns() {
        check(
            "Item,SKU,Options\nProduct,T,\nVariant,T-1,Type=Swatch|Name=Shade|Value=Sand[#eeddcc];Type=Rectangle|Name=Fit|Value=wide\n",
            &[
                "Item|SKU||Option1 Name|Option1 Value|Option2 Name|Option2 Value|Option3 Name|Option3 Value",
                "Product|T|||||||",
                "Variant|T-1||Shade|Sand|Fit|wide||",
            ],
        );
    }

    #[test]
    fn a_variation_has_its_own_number_and_price() {
        check(
            "product_sku,product_name,product_price,product_variation_sku,product_variation_price,product_variation_option_Grind\n\
             K,Blend,8,,,\nK,,,K-F,9,fine\n",
            &[
                "product_sku|product_name|product_price||||Option1 Name|Option1 Value|Option2 Name|Option2 Value|Option3 Name|Option3 Value",
                "K|Blend|8|||||||||",
                "K-F||9||||Grind|fine||||",
            ],
        );
    }

    #[test]
    fn what_is_there_for_each_channel_or_place_is_there_once() {
        check(
            "name,variant sku,EU (channel visible),EU (price amount),EU (currency code),US (channel visible),US (price amount),North (warehouse quantity),South (warehouse quantity),Size (variant attribute)\n\
             Robe,R-S,True,75.00,EUR,True,80.00,2,3,S\n",
            &[
                "name|variant sku|Published|Price|Currency|||||Size|Stock",
                "Robe|R-S|True|75.00|EUR|||||S|5",
            ],
        );
        check(
            "Token,Item Name,Variation Name,Price,Current Quantity Quay,Current Quantity Hill\nA,Cup,Regular,9,0,4\nB,Bun,Regular,2,,\n",
            &[
                "Token|Item Name|Variation Name|Price|||Stock",
                "A|Cup|Regular|9|||4",
                "B|Bun|Regular|2|||",
            ],
        );
        check(
            "product_id,name(en-gb),name(fr-fr),price,stock_status_id,date_added,subtract,description(en-gb),description(fr-fr)\n1,Box,Boîte,9,5,2026-01-01,false,&lt;p&gt;Oak.&lt;/p&gt;,Chêne.\n",
            &[
                "product_id|name(en-gb)|name(fr-fr)|price|||Track quantity|description(en-gb)|",
                "1|Box|Boîte|9|||false|<p>Oak.</p>|",
            ],
        );
    }

    #[test]
    fn ids_of_the_shops_own_tables_are_no_words() {
        let id = "0a3d72134fb3d6c024db4c510bc1605b";
        check(
            &format!(
                "product_number;parent_id;price_net;price_gross;tax_id;manufacturer_name;categories\n\
                 A;;8.40;10;{id};Weberei;{id}|{id}\n"
            ),
            &["product_number|parent_id||price_gross||Manufacturer|", "A|||10||Weberei|"],
        );
    }

    #[test]
    fn what_nobody_counts_is_not_out_of_stock() {
        check(
            "name,default_code,list_price,type,is_storable,qty_available\nStool,S,89,consu,True,0.0\nFitting,F,25,service,False,0.0\nBlank,B,5,consu,False,0.0\nPeg,P,1,consu,False,7.0\n",
            &[
                "name|default_code|list_price|type|is_storable|qty_available",
                "Stool|S|89|consu|True|0.0",
                "Fitting|F|25|service|False|",
                "Blank|B|5|consu|False|",
                "Peg|P|1|consu|False|7.0",
            ],
        );
        check(
            "TITLE,PRICE,CURRENCY_CODE,QUANTITY,VARIATION 1 NAME,VARIATION 1 VALUES,SKU\nCoaster,22,EUR,6,Shade,\"Moss,Clay\",\"C-M,C-C\"\n",
            &[
                "TITLE|PRICE|CURRENCY_CODE|QUANTITY||Choice|SKU",
                "Coaster|22|EUR|6||Shade Moss, Clay|",
            ],
        );
    }

    #[test]
    fn the_stock_of_all_shops_is_the_stock() {
        check(
            "name,variant_option_one_name,supply_price,retail_price,inventory_Quay,inventory_Hill\nCap,Colour,3,9,2,5\nHat,,3,9,-1,1\n",
            &[
                "name|Option1 name|supply_price|retail_price|||Stock",
                "Cap|Colour|3|9|||7",
                "Hat||3|9|||1",
            ],
        );
    }
}
