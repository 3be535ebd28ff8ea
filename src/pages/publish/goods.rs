//! Products as pages: rows of one name in one file are variants of one product, as everywhere else.

use std::collections::HashMap;

use serde_json::{Value, json};
use url::Url;

use super::article::Article;
use super::filled;
use super::{Draft, LeftOut, Paths, Report, Shop, encoded, markup, summary, up};
use crate::calendar;
use crate::language::is_iso_639_1;
use crate::retrieval::Passage;
use crate::retrieval::columns::{self, Kind, Tax};
use crate::retrieval::product::{self, Product};
use crate::wording::PagesWording;

/// A product with its variants.
#[derive(Debug)]
pub(super) struct Goods {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) language: String,
    variants: Vec<Variant>,
    /// What is written about it, in Markdown.
    prose: Vec<String>,
}

#[derive(Debug)]
struct Variant {
    product: Product,
    valid_until_ms: Option<u64>,
    /// What else its row tells: label and value.
    more: Vec<(String, String)>,
}

/// The products of documents that are rows of a catalogue.
pub(super) fn of(
    documents: &[Vec<Passage>],
    shop: &Shop,
    paths: &mut Paths,
    report: &mut Report,
) -> Vec<Goods> {
    let mut found: Vec<Goods> = Vec::new();
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    for passages in documents {
        let mut last = None;
        for passage in passages {
            let Some(product) = passage.product.as_deref() else {
                // What a row describes at length stands in the passages after it.
                let said: Option<&mut Goods> = last.and_then(|at: usize| found.get_mut(at));
                let Some(goods) = said else { continue };
                let text = passage
                    .text
                    .strip_prefix(&format!("{}: ", passage.title))
                    .unwrap_or(&passage.text);
                if !goods.prose.iter().any(|prose| prose == text) {
                    goods.prose.push(text.to_owned());
                }
                continue;
            };
            let file = passage.document.split('#').next().unwrap_or_default().to_owned();
            let at = *known.entry((file, product.name.clone())).or_insert_with(|| {
                let name = if product.name.trim().is_empty() { &product.id } else { &product.name };
                found.push(Goods {
                    path: paths.give("catalogue/", name),
                    name: name.clone(),
                    category: product.category.clone().unwrap_or_default(),
                    language: Some(passage.language.clone())
                        .filter(|code| is_iso_639_1(code))
                        .unwrap_or_else(|| shop.language.clone()),
                    variants: Vec::new(),
                    prose: Vec::new(),
                });
                found.len() - 1
            });
            last = Some(at);
            let variant = Variant::of(product, passage, shop, &mut found[at].prose);
            match variant.offer_price() {
                Some(_) => report.offers += 1,
                None => {
                    let reason =
                        "its row has no price with a currency, so its page states no offer"
                            .to_owned();
                    report.left_out.push(LeftOut { document: passage.document.clone(), reason });
                }
            }
            found[at].variants.push(variant);
        }
    }
    found
}

impl Variant {
    fn of(product: &Product, passage: &Passage, shop: &Shop, prose: &mut Vec<String>) -> Self {
        let mut more = Vec::new();
        for (column, value) in product::parts(&passage.text).unwrap_or_default() {
            if value.is_empty() || product::is_told(&column) {
                continue;
            }
            if columns::meaning(&column).is_some_and(|meaning| meaning.kind == Kind::Description) {
                if !prose.iter().any(|prose| prose == value) {
                    prose.push(value.to_owned());
                }
                continue;
            }
            let (label, value) = product::measured(&column, value);
            let own = shop.wording.column(label, &passage.language);
            more.push((own.map_or_else(|| capitalised(label), str::to_owned), value));
        }
        Self { product: product.clone(), valid_until_ms: passage.valid_until_ms, more }
    }

    /// Price and currency, where the row has both.
    fn offer_price(&self) -> Option<(&str, &str)> {
        self.product.price.as_deref().zip(self.product.currency.as_deref())
    }

    /// Whether it can be had now; `None` where the row doesn't say.
    fn available(&self) -> Option<bool> {
        self.product.available.or(self.product.stock.map(|pieces| pieces > 0))
    }

    /// A price as it stands on the page.
    fn price(&self, say: &PagesWording) -> String {
        let currency = self.product.currency.as_deref().unwrap_or_default();
        let written = |price: &str| format!("{price} {currency}").trim_end().to_owned();
        let Some(price) = self.product.price.as_deref() else { return String::new() };
        let mut parts = vec![written(price)];
        parts.extend(self.product.per.as_deref().map(|unit| filled(&say.per, "unit", unit)));
        parts.extend(
            self.product
                .tax
                .map(|tax| if tax == Tax::Net { say.net.clone() } else { say.gross.clone() }),
        );
        let before = self
            .product
            .before
            .as_deref()
            .map(|before| filled(&say.before, "price", &written(before)));
        let now = markup::escaped(&parts.join(" "));
        match before {
            Some(before) => format!("{now} <s>{}</s>", markup::escaped(&before)),
            None => now,
        }
    }

    fn stock(&self, say: &PagesWording) -> String {
        match (self.available(), self.product.stock) {
            (Some(false), _) if self.product.backorder => say.backorder.clone(),
            (Some(true), Some(pieces)) if pieces > 0 => {
                filled(&say.pieces, "count", &pieces.to_string())
            }
            (Some(true), _) => say.in_stock.clone(),
            (Some(false), _) => say.out_of_stock.clone(),
            (None, _) => String::new(),
        }
    }

    /// The offer that search engines read; `None` where its half would be missing.
    fn offer(&self, url: &str) -> Option<Value> {
        let (price, currency) = self.offer_price()?;
        let mut offer =
            json!({"@type": "Offer", "price": price, "priceCurrency": currency, "url": url});
        let schema = |name: &str| json!(format!("https://schema.org/{name}"));
        match self.available() {
            Some(false) if self.product.backorder => offer["availability"] = schema("BackOrder"),
            Some(true) => offer["availability"] = schema("InStock"),
            Some(false) => offer["availability"] = schema("OutOfStock"),
            None => {}
        }
        if let Some(pieces) = self.product.stock {
            offer["inventoryLevel"] = json!({"@type": "QuantitativeValue", "value": pieces});
        }
        if self.product.per.is_some() || self.product.tax.is_some() {
            let mut detail = json!({"@type": "UnitPriceSpecification", "price": price, "priceCurrency": currency});
            if let Some(unit) = &self.product.per {
                detail["unitText"] = json!(unit);
            }
            if let Some(tax) = self.product.tax {
                detail["valueAddedTaxIncluded"] = json!(tax == Tax::Gross);
            }
            offer["priceSpecification"] = detail;
        }
        if let Some(day) = self.last_day() {
            offer["priceValidUntil"] = json!(day);
        }
        Some(offer)
    }

    /// The last day that its row holds for.
    fn last_day(&self) -> Option<String> {
        let day = i64::try_from(self.valid_until_ms? / 86_400_000).ok()?;
        Some(calendar::iso(day))
    }
}

fn capitalised(label: &str) -> String {
    let label = label.replace('_', " ");
    let mut chars = label.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + chars.as_str()
}

/// An address of the web, in its normal form; anything else is none.
fn web(address: Option<&str>) -> Option<String> {
    let url = Url::parse(address?).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

impl Goods {
    /// Its lowest price, as it stands in lists.
    pub(super) fn lowest(&self, say: &PagesWording) -> String {
        let priced =
            self.variants.iter().filter_map(|variant| Some((variant.product.amount()?, variant)));
        let Some((low, variant)) = priced.clone().min_by(|a, b| a.0.total_cmp(&b.0)) else {
            return String::new();
        };
        let currency = variant.product.currency.as_deref().unwrap_or_default();
        let price = format!("{} {currency}", variant.product.price.as_deref().unwrap_or_default());
        let differs = priced.into_iter().any(|(amount, _)| amount > low);
        let price = price.trim_end();
        if differs { filled(&say.from, "price", price) } else { price.to_owned() }
    }

    fn shop_page(&self) -> Option<String> {
        self.variants.iter().find_map(|variant| web(variant.product.url.as_deref()))
    }

    /// `articles`: those that the shop shows on the product's own page are linked.
    pub(super) fn draft(&self, shop: &Shop, articles: &[Article]) -> Draft {
        let say = shop.wording.pages(&self.language);
        let own = shop.base.join(&self.path).map(String::from).unwrap_or_default();
        let mut body = String::new();
        if !self.category.is_empty() {
            body.push_str(&format!(
                "<p class=\"lead\">{}: {}</p>\n",
                markup::escaped(&say.category),
                markup::escaped(&self.category)
            ));
        }
        if let Some(image) = self.image() {
            body.push_str(&format!(
                "<p><img src=\"{}\" alt=\"{}\" loading=\"lazy\"></p>\n",
                markup::escaped(&image),
                markup::escaped(&self.name)
            ));
        }
        for prose in &self.prose {
            body.push_str(&markup::html(prose, 1));
        }
        body.push_str(&self.table(say));
        let until = self.variants.iter().filter_map(Variant::last_day).min();
        if let Some(day) = until {
            body.push_str(&format!(
                "<p>{}</p>\n",
                markup::escaped(&filled(&say.until, "date", &day))
            ));
        }
        if let Some(page) = self.shop_page() {
            let text = filled(&say.in_shop, "name", &self.name);
            body.push_str(&format!(
                "<p><a href=\"{}\">{}</a></p>\n",
                markup::escaped(&page),
                markup::escaped(&text)
            ));
        }
        let page = self.shop_page();
        let about = |article: &&Article| page.is_some() && web(article.url.as_deref()) == page;
        let about: Vec<&Article> = articles.iter().filter(about).collect();
        if !about.is_empty() {
            body.push_str(&format!("<h2>{}</h2>\n<ul>\n", markup::escaped(&say.help)));
            for article in about {
                let (href, title) = (encoded(&article.path), markup::escaped(&article.title));
                body.push_str(&format!(
                    "<li><a href=\"{}{href}\">{title}</a></li>\n",
                    up(&self.path)
                ));
            }
            body.push_str("</ul>\n");
        }
        let description = self.description(shop, say);
        Draft {
            path: self.path.clone(),
            language: self.language.clone(),
            name: self.name.clone(),
            title: self.name.clone(),
            kind: self.category.clone(),
            data: self.data(&own, &description).into_iter().collect(),
            description,
            body,
            versions: Vec::new(),
        }
    }

    fn image(&self) -> Option<String> {
        self.variants.iter().find_map(|variant| web(variant.product.image.as_deref()))
    }

    fn description(&self, shop: &Shop, say: &PagesWording) -> String {
        let about = filled(&filled(&say.about_product, "name", &self.name), "site", &shop.name);
        match self.prose.first() {
            Some(prose) => summary(&markup::plain(prose)),
            None => about,
        }
    }

    /// Variants with what their rows tell, a row each; columns that say nothing are left out.
    fn table(&self, say: &PagesWording) -> String {
        let mut labels: Vec<&String> = Vec::new();
        for (label, _) in self.variants.iter().flat_map(|variant| &variant.more) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let number = |variant: &Variant| {
            let id = &variant.product.id;
            // An id that is made of the name is no number.
            Some(id)
                .filter(|id| !id.starts_with(&variant.product.name))
                .cloned()
                .unwrap_or_default()
        };
        type Cell<'a> = Box<dyn Fn(&Variant) -> String + 'a>;
        let text = |of: fn(&Variant) -> String| -> Cell<'_> {
            Box::new(move |variant| markup::escaped(&of(variant)))
        };
        let mut columns: Vec<(&str, &str, Cell<'_>)> = vec![
            (&say.variant, "", text(|variant| variant.product.variant.clone().unwrap_or_default())),
            (
                &say.number,
                " class=\"code\"",
                Box::new(move |variant| markup::escaped(&number(variant))),
            ),
            (&say.price, " class=\"number\"", Box::new(move |variant| variant.price(say))),
            (&say.stock, "", Box::new(move |variant| markup::escaped(&variant.stock(say)))),
        ];
        for label in labels {
            let find = move |variant: &Variant| {
                let found = variant.more.iter().find(|(own, _)| own == label);
                found.map(|(_, value)| markup::escaped(value)).unwrap_or_default()
            };
            columns.push((label, "", Box::new(find)));
        }
        columns
            .retain(|(_, _, cell)| self.variants.iter().any(|variant| !cell(variant).is_empty()));
        if columns.is_empty() {
            return String::new();
        }
        let mut out = String::from("<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>");
        for (label, class, _) in &columns {
            out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", markup::escaped(label)));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for variant in &self.variants {
            out.push_str("<tr>");
            for (_, class, cell) in &columns {
                out.push_str(&format!("<td{class}>{}</td>", cell(variant)));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        out
    }

    /// The product that search engines read; `None` if no variant has an offer.
    fn data(&self, own: &str, description: &str) -> Option<Value> {
        let page = self.shop_page().unwrap_or_else(|| own.to_owned());
        let product = |variant: &Variant, name: String| {
            let url = web(variant.product.url.as_deref()).unwrap_or_else(|| page.clone());
            let offer = variant.offer(&url)?;
            let mut product = json!({"@type": "Product", "name": name, "sku": variant.product.id, "offers": offer});
            if let Some(image) = web(variant.product.image.as_deref()).or_else(|| self.image()) {
                product["image"] = json!(image);
            }
            Some(product)
        };
        let mut thing = match self.variants.as_slice() {
            [only] => product(only, self.name.clone())?,
            several => {
                let variants = several.iter().filter_map(|variant| {
                    let name = match &variant.product.variant {
                        Some(own) => format!("{}, {own}", self.name),
                        None => self.name.clone(),
                    };
                    product(variant, name)
                });
                let variants: Vec<Value> = variants.collect();
                if variants.is_empty() {
                    return None;
                }
                let group =
                    several.first().map(|variant| variant.product.id.as_str()).unwrap_or_default();
                json!({"@type": "ProductGroup", "name": self.name, "productGroupID": group, "hasVariant": variants})
            }
        };
        thing["description"] = json!(description);
        thing["url"] = json!(own);
        if !self.category.is_empty() {
            thing["category"] = json!(self.category);
        }
        Some(thing)
    }
}
