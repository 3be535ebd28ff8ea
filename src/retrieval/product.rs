//! What a catalogue's rows sell.
//!
//! A row (of a CSV, a workbook, or a JSON record or its `variants`) is a product if it has a name or number and a price or
//! stock. Columns are known by their names, in any case, with spaces, `-` or `_`; those of a plain list, of a Google
//! Merchant feed, and of Shopify's and WooCommerce's exports:
//!
//! | Field | Columns, the first that is filled |
//! | --- | --- |
//! | `id` | `variant_sku`, `sku`, `item_id`, `article_number`, `artikelnummer`, `product_id`, `id`, `code`, `ean`, `gtin`, `handle` |
//! | `name` | `title`, `name`, `product_name`, `product`, `label`, `bezeichnung` |
//! | `variant` | `variant`, else `colour`, `size`, `material`, `style`, `option1_value`… together |
//! | `price` | `sale_price`, `variant_price`, `price`, `unit_price`, `regular_price`, `preis`, `prix`, `precio`; also `price_eur`, `Price (EUR)` |
//! | `currency` | `currency`, else the price's own (`12 EUR`, `€12`) or its column's |
//! | `stock` | `stock`, `stock_quantity`, `quantity`, `qty`, `inventory`, `variant_inventory_qty`, `bestand` |
//! | `available` | `availability`, `available`, `in_stock`, else whether there is stock |
//! | `category` | `category`, `categories`, `product_type`, `type`, `kategorie` |
//! | `url`, `image` | `url`, `link`; `image`, `image_url`, `image_link`, `image_src`, `images` |

use serde::{Deserialize, Serialize};

use crate::language::column_name;

/// Something for sale, as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Product {
    /// The shop's own number for it; the name where there is none.
    pub id: String,
    pub name: String,
    /// What tells it from others of its name: `blue, M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A decimal with a point, as many places as the row gives: `349.90`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// ISO 4217: `EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Pieces in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
    /// Whether it can be had now; unknown if the row doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Product {
    /// The price as a number, for comparing; sums of money are not to be made from it.
    #[must_use]
    pub fn amount(&self) -> Option<f64> {
        self.price.as_ref()?.parse().ok()
    }

    /// The row as a sentence for a customer, with every figure as the row has it: `row` is its passage's text, `label: value`
    /// parts. What else it says than name, price and stock follows. `None` where the text is no such row.
    #[must_use]
    pub fn sentence(&self, row: &str, language: &str) -> Option<String> {
        let parts = parts(row)?;
        let named = |names: &[&str]| {
            let found = parts.iter().find(|(label, _)| names.contains(&label.as_str()));
            found.map(|(_, value)| *value).filter(|value| !value.is_empty())
        };
        let chinese = language == "zh";
        let mut name = self.name.clone();
        if let Some(variant) = self.variant.as_ref().filter(|variant| !name.contains(variant.as_str())) {
            name.push_str(&if chinese { format!("（{variant}）") } else { format!(" ({variant})") });
        }
        // As the row writes it: "349.00", not what was made of it.
        let written = parts.iter().find(|(label, _)| PRICES.iter().any(|price| label.starts_with(price)));
        let price = self.price.as_ref().map(|price| {
            let amount = written.map_or(price.as_str(), |(_, value)| *value);
            let currency = self.currency.as_ref().filter(|_| money(amount).is_some_and(|(_, own)| own.is_none()));
            currency.map_or_else(|| amount.to_owned(), |currency| format!("{amount} {currency}"))
        });
        let stock = named(&STOCKS).and_then(stock).or(self.stock);
        let stock = match (stock, self.available) {
            (Some(0), _) | (None, Some(false)) => {
                Some(if chinese { "目前缺货".to_owned() } else { "out of stock".to_owned() })
            }
            (Some(pieces), _) if chinese => Some(format!("库存 {pieces} 件")),
            (Some(pieces), _) => Some(format!("{pieces} in stock")),
            (None, Some(true)) => Some(if chinese { "有货".to_owned() } else { "in stock".to_owned() }),
            (None, None) => None,
        };
        let mut text = match (price, stock, chinese) {
            (Some(price), Some(stock), false) => format!("{name} costs {price}, {stock}."),
            (Some(price), None, false) => format!("{name} costs {price}."),
            (None, Some(stock), false) => format!(
                "{name} is {}.",
                if stock.starts_with(|c: char| c.is_ascii_digit()) {
                    format!("in stock ({})", stock.trim_end_matches(" in stock"))
                } else {
                    stock
                }
            ),
            (Some(price), Some(stock), true) => format!("{name}售价 {price}，{stock}。"),
            (Some(price), None, true) => format!("{name}售价 {price}。"),
            (None, Some(stock), true) => format!("{name}{stock}。"),
            (None, None, _) => return None,
        };
        let more: Vec<String> = parts
            .iter()
            .filter(|(label, value)| !is_told(label) && !value.is_empty())
            .map(|(label, value)| detail(label, value, chinese))
            .collect();
        if !more.is_empty() {
            let (gap, between, end) = if chinese { ("", "，", "。") } else { (" ", ", ", ".") };
            let more = more.join(between);
            let mut letters = more.trim_end_matches(['.', '。']).chars();
            text.push_str(gap);
            text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            text.push_str(letters.as_str());
            text.push_str(end);
        }
        if self.id != self.name {
            text.push_str(&if chinese {
                format!("货号：{}。", self.id)
            } else {
                format!(" Item no. {}.", self.id)
            });
        }
        Some(text)
    }

    /// Reads a row, given as its columns' names and values. `None` if it sells nothing; what was not understood is noted.
    #[must_use]
    pub fn read(fields: &[(&str, &str)], warnings: &mut Vec<String>) -> Option<Self> {
        let row = Row(fields.iter().map(|(name, value)| (column_name(name), value.trim())).collect());
        let name = row.text(&NAMES);
        let id = row.text(&IDS).or(name.clone())?;
        let (price, of_price) = row.price(warnings);
        let (stock, mut available) = (row.first(&STOCKS).and_then(stock), None);
        if let Some(text) = row.first(&AVAILABILITIES) {
            available = is_available(text);
            if available.is_none() {
                warnings.push(format!("its availability {text:?} is not understood; write yes or no"));
            }
        }
        if price.is_none() && stock.is_none() && available.is_none() {
            return None;
        }
        let address = |names: &[&str]| {
            let first = row.first(names)?.split([',', ' ', '|']).next()?;
            ["https://", "http://", "/"].iter().any(|start| first.starts_with(start)).then(|| first.to_owned())
        };
        Some(Self {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            variant: row.text(&["variant", "variante"]).or_else(|| row.options()),
            currency: row.first(&["currency", "currency_code", "waehrung", "währung"]).and_then(currency).or(of_price),
            price,
            stock,
            available: available.or(stock.map(|pieces| pieces > 0)),
            category: row.text(&["category", "categories", "product_type", "product_category", "type", "kategorie"]),
            url: address(&["url", "link"]),
            image: address(&["image", "image_url", "image_link", "image_src", "variant_image", "images", "bild"]),
        })
    }
}

const IDS: [&str; 14] = [
    "variant_sku",
    "sku",
    "item_id",
    "article_number",
    "article_no",
    "artikelnummer",
    "product_id",
    "id",
    "_id",
    "code",
    "ean",
    "gtin",
    "handle",
    "key",
];
pub(crate) const NAMES: [&str; 6] = ["title", "name", "product_name", "product", "label", "bezeichnung"];
const PRICES: [&str; 8] =
    ["sale_price", "variant_price", "price", "unit_price", "regular_price", "preis", "prix", "precio"];
const STOCKS: [&str; 10] = [
    "stock",
    "stock_quantity",
    "quantity",
    "qty",
    "inventory",
    "inventory_quantity",
    "variant_inventory_qty",
    "bestand",
    "lagerbestand",
    "available_quantity",
];
const AVAILABILITIES: [&str; 5] = ["availability", "available", "in_stock", "in_stock?", "verfügbar"];
pub(crate) const OPTIONS: [&str; 12] = [
    "colour",
    "color",
    "farbe",
    "size",
    "größe",
    "material",
    "style",
    "pattern",
    "option1_value",
    "option2_value",
    "option3_value",
    "capacity",
];

/// A row's text as its columns' names, in normal form, and values. `None` if it is no row.
pub(crate) fn parts(row: &str) -> Option<Vec<(String, &str)>> {
    let row = row.trim().strip_suffix('.')?;
    let mut parts: Vec<(String, &str)> = Vec::new();
    let mut at = 0;
    let mut begins = 0;
    let label = |part: &str| {
        let (label, _) = part.split_once(": ")?;
        (label.len() <= 60 && !label.contains(['.', '?', '!', '\n'])).then(|| column_name(label))
    };
    for piece in row.split("; ") {
        let end = at + piece.len();
        match (label(piece), parts.last_mut()) {
            (Some(label), _) => {
                begins = at + piece.find(": ").unwrap_or_default() + 2;
                parts.push((label, row.get(begins..end)?.trim()));
            }
            // A value with a semicolon in it.
            (None, Some(last)) => last.1 = row.get(begins..end)?.trim(),
            (None, None) => return None,
        }
        at = end + 2;
    }
    Some(parts)
}

/// Whether a column is one of those that a product is read from.
pub(crate) fn is_told(label: &str) -> bool {
    const REST: [&str; 21] = [
        "variant",
        "variante",
        "currency",
        "currency_code",
        "waehrung",
        "währung",
        "category",
        "categories",
        "product_type",
        "product_category",
        "type",
        "kategorie",
        "url",
        "link",
        "image",
        "image_url",
        "image_link",
        "image_src",
        "variant_image",
        "images",
        "bild",
    ];
    let known: [&[&str]; 5] = [&IDS, &NAMES, &STOCKS, &AVAILABILITIES, &REST];
    known.iter().any(|names| names.contains(&label))
        || OPTIONS.contains(&option(label))
        || PRICES.iter().any(|price| label.starts_with(price))
}

/// A column that tells variants apart, without what a JSON record's structure puts before it.
pub(crate) fn option(label: &str) -> &str {
    label.strip_prefix("options_").unwrap_or(label)
}

/// What columns are called in Chinese.
pub(crate) const CHINESE: &[(&str, &str)] = &[
    ("weight", "重量"),
    ("length", "长度"),
    ("width", "宽度"),
    ("height", "高度"),
    ("volume", "容积"),
    ("brand", "品牌"),
    ("description", "说明"),
    ("warranty", "保修"),
    ("colour", "颜色"),
    ("size", "尺码"),
    ("material", "材质"),
];

/// What a row says beyond name, price and stock: `weight_g`, `1900` is "weight 1900 g".
fn detail(label: &str, value: &str, chinese: bool) -> String {
    let (name, value) = measured(label, value);
    let translated = CHINESE.iter().find(|(english, _)| chinese && *english == name).map(|(_, own)| *own);
    match translated {
        Some(name) => format!("{name} {value}"),
        None => format!("{} {value}", name.replace('_', " ")),
    }
}

/// A column's name without its unit, and the value with it.
pub(crate) fn measured<'a>(label: &'a str, value: &str) -> (&'a str, String) {
    const UNITS: &[(&str, &str)] = &[
        ("_g", "g"),
        ("_kg", "kg"),
        ("_mm", "mm"),
        ("_cm", "cm"),
        ("_m", "m"),
        ("_ml", "ml"),
        ("_l", "l"),
        ("_wh", "Wh"),
        ("_w", "W"),
        ("_mah", "mAh"),
        ("_v", "V"),
        ("_h", "h"),
        ("_litres", "l"),
    ];
    let number = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let unit = UNITS.iter().find(|(ending, _)| number && label.len() > ending.len() && label.ends_with(ending));
    let name = unit.map_or(label, |(ending, _)| label.strip_suffix(ending).unwrap_or(label));
    (name, unit.map_or_else(|| value.to_owned(), |(_, unit)| format!("{value} {unit}")))
}

pub(crate) struct Row<'a>(Vec<(String, &'a str)>);

impl<'a> Row<'a> {
    fn first(&self, names: &[&str]) -> Option<&'a str> {
        let filled = |name: &&str| {
            let found = self.0.iter().find(|(column, value)| column == name && !value.is_empty());
            found.map(|(_, value)| *value)
        };
        names.iter().find_map(filled)
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        let text = self.first(names)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(text[..text.floor_char_boundary(300)].to_owned()).filter(|text| !text.is_empty())
    }

    /// Columns that tell variants apart. Shopify calls the only variant of a product "Default Title".
    fn options(&self) -> Option<String> {
        let of = |(name, value): &(String, &'a str)| {
            let name = name.strip_prefix("options_").unwrap_or(name);
            let tells = OPTIONS.contains(&name) && !value.is_empty() && *value != "Default Title";
            tells.then(|| (*value).to_owned())
        };
        let all: Vec<String> = self.0.iter().filter_map(of).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Price and its currency.
    fn price(&self, warnings: &mut Vec<String>) -> (Option<String>, Option<String>) {
        for name in PRICES {
            for (column, value) in self.0.iter().filter(|(_, value)| !value.is_empty()) {
                let Some(rest) = column.strip_prefix(name) else { continue };
                // "price", "price_eur", "price_(eur)", "price_in_eur".
                let unit = rest.trim_start_matches("_in").trim_matches(['_', '(', ')', '[', ']']);
                let of_column = currency(unit);
                if !unit.is_empty() && of_column.is_none() {
                    continue;
                }
                match money(value) {
                    Some((price, own)) => return (Some(price), own.or(of_column)),
                    None => warnings.push(format!("its price {value:?} is not understood; write it as 349.90")),
                }
            }
        }
        (None, None)
    }
}

/// The ISO 4217 code of a code or sign.
pub(crate) fn currency(text: &str) -> Option<String> {
    let text = text.trim();
    let code = match text {
        "€" => "EUR",
        "$" | "US$" | "us$" => "USD",
        "£" => "GBP",
        "¥" => "JPY",
        "￥" | "元" => "CNY",
        "zł" => "PLN",
        "kr" => return None,
        "₹" => "INR",
        "₩" => "KRW",
        _ if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            return Some(text.to_uppercase());
        }
        _ => return None,
    };
    Some(code.to_owned())
}

/// `1.299,00 €`, `$1,299.00`, `EUR 12` → a decimal with a point, and the currency.
pub(crate) fn money(text: &str) -> Option<(String, Option<String>)> {
    let start = text.find(|char: char| char.is_ascii_digit())?;
    let end = text.rfind(|char: char| char.is_ascii_digit())? + 1;
    let (before, number, after) = (text[..start].trim(), &text[start..end], text[end..].trim());
    let number = number.replace([' ', '\u{A0}', '\u{202F}', '\''], "");
    if !number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',')) || before.ends_with('-') {
        return None;
    }
    // The last sign parts the cents, unless it stands more than once or parts off three digits after others.
    let point = number.rfind(['.', ',']).filter(|at| {
        let sign = &number[*at..=*at];
        let whole = number[..*at].replace(['.', ','], "");
        number.matches(sign).count() == 1
            && (number.len() - at != 4 || whole == "0" || number[..*at].contains(['.', ',']))
    });
    let digits = |text: &str| text.replace(['.', ','], "");
    let whole = digits(&number[..point.unwrap_or(number.len())]);
    let cents = point.map(|at| digits(&number[at..])).unwrap_or_default();
    let price = if cents.is_empty() { whole } else { format!("{whole}.{cents}") };
    price.parse::<f64>().ok().filter(|price| price.is_finite())?;
    // The last thing before and the first after: "ab 12 €", "12 EUR / piece".
    let own = currency(before.rsplit(' ').next().unwrap_or_default())
        .or_else(|| currency(after.split([' ', '/']).next().unwrap_or_default()));
    Some((price, own))
}

pub(crate) fn stock(text: &str) -> Option<u64> {
    let whole = text.split(['.', ',']).next().unwrap_or(text);
    whole.parse().ok().or_else(|| text.starts_with('-').then_some(0))
}

fn is_available(text: &str) -> Option<bool> {
    match column_name(text).as_str() {
        "yes" | "true" | "1" | "y" | "ja" | "in_stock" | "instock" | "available" | "auf_lager" | "lieferbar"
        | "backorder" | "limited" => Some(true),
        "no" | "false" | "0" | "n" | "nein" | "out_of_stock" | "outofstock" | "sold_out" | "unavailable"
        | "discontinued" | "preorder" | "pre_order" | "ausverkauft" | "nicht_lieferbar" => Some(false),
        other => stock(other).map(|pieces| pieces > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let actual = money(text);
            let actual = actual.as_ref().map(|(price, currency)| (price.as_str(), currency.as_deref()));
            assert_eq!(actual, expected, "{text}");
        };
        check("349.90", Some(("349.90", None)));
        check("99,90", Some(("99.90", None)));
        check("1.299,00 €", Some(("1299.00", Some("EUR"))));
        check("$1,299.00", Some(("1299.00", Some("USD"))));
        check("EUR 12", Some(("12", Some("EUR"))));
        check("12 EUR / piece", Some(("12", Some("EUR"))));
        check("1,299", Some(("1299", None)));
        check("1.234.567", Some(("1234567", None)));
        check("0.125", Some(("0.125", None)));
        check("1 299,5 zł", Some(("1299.5", Some("PLN"))));
        check("50.88", Some(("50.88", None)));
        for wrong in ["", "on request", "-5", "12 to 15"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_row_reads_like_a_sentence_and_keeps_its_figures() {
        #[track_caller]
        fn check(row: &str, language: &str, expected: Option<&str>) {
            let fields = parts(row).unwrap_or_default();
            let fields: Vec<(&str, &str)> = fields.iter().map(|(label, value)| (label.as_str(), *value)).collect();
            let product = Product::read(&fields, &mut Vec::new());
            let sentence = product.and_then(|product| product.sentence(row, language));
            assert_eq!(sentence.as_deref(), expected, "{row}");
            let facts = crate::grounding::facts;
            for fact in sentence.iter().flat_map(|sentence| facts(sentence)) {
                assert!(facts(row).contains(&fact), "{fact} is not in {row}");
            }
        }
        let tent = "sku: HP-1013; name: Tarn 3 tent; category: Tents; variant: Moss; price_eur: 429.00; stock: 9; weight_g: 2400.";
        check(tent, "en", Some("Tarn 3 tent (Moss) costs 429.00 EUR, 9 in stock. Weight 2400 g. Item no. HP-1013."));
        check(tent, "zh", Some("Tarn 3 tent（Moss）售价 429.00 EUR，库存 9 件。重量 2400 g。货号：HP-1013。"));
        check(
            "sku: B; name: Bag; price_eur: 309.00; stock: 0.",
            "en",
            Some("Bag costs 309.00 EUR, out of stock. Item no. B."),
        );
        check(
            "Name: Coat; Price: 99,90 €; Care: cold; by hand.",
            "en",
            Some("Coat costs 99,90 €. Care cold; by hand."),
        );
        check("name: Mug; stock: 3.", "en", Some("Mug is in stock (3)."));
        check("name: Mug; stock: 3.", "zh", Some("Mug库存 3 件。"));
        check(
            "available: false; item_id: b; name: Tee; options color: red; price: 9.5.",
            "en",
            Some("Tee (red) costs 9.5, out of stock. Item no. b."),
        );
        check("Returns are free.", "en", None);
        check("", "en", None);
    }

    #[test]
    fn rows_of_many_shops_are_products() {
        let check = |fields: &[(&str, &str)], expected: Option<Product>| {
            assert_eq!(Product::read(fields, &mut Vec::new()), expected, "{fields:?}");
        };
        let text = |text: &str| Some(text.to_owned());
        check(
            &[("SKU", "T2"), ("Name", "Tarn 2"), ("Colour", "red"), ("Price (EUR)", "349,90"), ("Stock", "3")],
            Some(Product {
                id: "T2".into(),
                name: "Tarn 2".into(),
                variant: text("red"),
                price: text("349.90"),
                currency: text("EUR"),
                stock: Some(3),
                available: Some(true),
                ..Product::default()
            }),
        );
        check(
            &[
                ("id", "7"),
                ("title", "Hat"),
                ("link", "https://shop.example/hat"),
                ("image_link", "https://shop.example/hat.jpg"),
                ("availability", "out_of_stock"),
                ("price", "15.00 USD"),
                ("product_type", "Hats"),
            ],
            Some(Product {
                id: "7".into(),
                name: "Hat".into(),
                price: text("15.00"),
                currency: text("USD"),
                available: Some(false),
                category: text("Hats"),
                url: text("https://shop.example/hat"),
                image: text("https://shop.example/hat.jpg"),
                ..Product::default()
            }),
        );
        check(
            &[
                ("Handle", "tee"),
                ("Title", "Tee"),
                ("Option1 Value", "Default Title"),
                ("Variant SKU", "TEE-1"),
                ("Variant Inventory Qty", "0"),
                ("Variant Price", "9.5"),
            ],
            Some(Product {
                id: "TEE-1".into(),
                name: "Tee".into(),
                price: text("9.5"),
                stock: Some(0),
                available: Some(false),
                ..Product::default()
            }),
        );
        check(&[("Country", "Spain"), ("Price", "9.90")], None);
        check(&[("id", "a"), ("name", "Text"), ("text", "No price.")], None);
        let mut warnings = Vec::new();
        assert_eq!(Product::read(&[("sku", "a"), ("price", "on request")], &mut warnings), None);
        assert_eq!(warnings.len(), 1);
    }
}
