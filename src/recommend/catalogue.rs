//! What a site sells, as far as conversations and recommendations need it. Read from a file, and found again in what visitors write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::signals::Signal;
use crate::signals::words::spaced;

/// A product with its variants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub category: String,
    #[serde(default)]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub variants: Vec<Variant>,
}

/// One thing that can be bought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub id: String,
    /// Its options in words (`blue, M, cotton`).
    #[serde(default)]
    pub label: String,
    pub price: f64,
    #[serde(default)]
    pub currency: String,
    /// In stock now.
    pub available: bool,
}

/// A site's products.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    products: Vec<Product>,
    /// Position of a product by the id of the product or of a variant.
    by_id: HashMap<String, usize>,
    /// What products and categories are called, in stems with spaces around; the longest first.
    names: Vec<(String, Signal)>,
}

impl Catalogue {
    #[must_use]
    pub fn new(products: Vec<Product>) -> Self {
        let mut by_id = HashMap::new();
        let mut names: BTreeMap<String, Signal> = BTreeMap::new();
        for product in &products {
            if !product.category.is_empty() {
                let mention = Signal::Mention { product: None, category: product.category.clone() };
                names.entry(stems(&product.category)).or_insert(mention);
            }
        }
        let mut ambiguous = BTreeSet::new();
        for (at, product) in products.iter().enumerate() {
            by_id.insert(product.id.clone(), at);
            by_id.extend(product.variants.iter().map(|variant| (variant.id.clone(), at)));
            let mention = Signal::Mention { product: Some(product.id.clone()), category: product.category.clone() };
            let full = stems(&product.name);
            // "Tarn 2 tent" is also called "Tarn 2"; a single word that is left over says too little.
            let short = full.trim().rsplit_once(' ').map(|(short, _)| format!(" {short} "));
            let short = short.filter(|short| short.trim().contains(' ') && short.chars().any(|c| c.is_ascii_digit()));
            for name in std::iter::once(full).chain(short).filter(|name| name.trim().chars().count() > 1) {
                if let Some(Signal::Mention { product: Some(_), .. }) = names.insert(name.clone(), mention.clone()) {
                    ambiguous.insert(name);
                }
            }
        }
        names.retain(|name, _| !ambiguous.contains(name));
        let mut names: Vec<(String, Signal)> = names.into_iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { products, by_id, names }
    }

    /// Reads CSV with a header (`sku` or `id`, `name`, and optionally `product`, `category`, `variant`, `price` or `price_<currency>`,
    /// `currency`, `stock` or `available`, `url`, `image`, `description`; rows of one name are variants of one product), or JSON: a list of products
    /// as this module writes them, or an object of products with `variants` by id, each with `options`, `price` and `available`.
    ///
    /// # Errors
    /// When the file can't be read or is neither; the text names the row or the field.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("can't read the catalogue {}", path.display()))?;
        let json = path.extension().is_some_and(|extension| extension == "json");
        let products = if json { from_json(&text) } else { from_csv(&text) };
        Ok(Self::new(products.with_context(|| format!("in the catalogue {}", path.display()))?))
    }

    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// The product with this id, or with a variant of this id.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<&Product> {
        self.by_id.get(id).and_then(|at| self.products.get(*at))
    }

    /// The products and categories that a text names, each once. A longer name hides the shorter ones that it holds.
    #[must_use]
    pub fn mentions(&self, text: &str) -> Vec<Signal> {
        if self.names.is_empty() {
            return Vec::new();
        }
        let mut text = stems(text);
        let mut found = Vec::new();
        for (name, mention) in &self.names {
            let unspaced = !name.is_ascii();
            let needle = if unspaced { name.trim() } else { name };
            if text.contains(needle) {
                text = text.replace(needle, "  ");
                if !found.contains(mention) {
                    found.push(mention.clone());
                }
            }
        }
        found
    }
}

impl Product {
    /// The cheapest variant in stock.
    #[must_use]
    pub fn offer(&self) -> Option<&Variant> {
        self.variants.iter().filter(|variant| variant.available).min_by(|a, b| a.price.total_cmp(&b.price))
    }

    /// What an embedding of the product is made of.
    #[must_use]
    pub fn text(&self) -> String {
        let options: BTreeSet<&str> = self
            .variants
            .iter()
            .flat_map(|variant| variant.label.split(", "))
            .filter(|option| !option.is_empty())
            .collect();
        let options: Vec<&str> = options.into_iter().take(24).collect();
        format!("{}. {}. {} {}", self.name, self.category, self.description, options.join(", "))
    }
}

/// Lower-case words without the plural's s, one space around each.
fn stems(text: &str) -> String {
    let words = spaced(&text.to_lowercase());
    let mut all = String::from(" ");
    for word in words.split_whitespace() {
        let stem = word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s')).unwrap_or(word);
        all.push_str(stem);
        all.push(' ');
    }
    all
}

fn from_json(text: &str) -> anyhow::Result<Vec<Product>> {
    #[derive(Deserialize)]
    struct Listed {
        name: String,
        product_id: String,
        #[serde(default)]
        category: String,
        variants: BTreeMap<String, Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(default)]
        options: BTreeMap<String, serde_json::Value>,
        available: bool,
        price: f64,
        #[serde(default)]
        currency: String,
    }
    if let Ok(products) = serde_json::from_str::<Vec<Product>>(text) {
        return Ok(products);
    }
    let listed: BTreeMap<String, Listed> = serde_json::from_str(text).context("neither form of JSON")?;
    let label = |options: BTreeMap<String, serde_json::Value>| {
        let words = options.into_values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        words.collect::<Vec<_>>().join(", ")
    };
    let variants = |variants: BTreeMap<String, Item>| {
        variants.into_iter().map(|(id, item)| Variant {
            id,
            label: label(item.options),
            price: item.price,
            currency: item.currency,
            available: item.available,
        })
    };
    Ok(listed
        .into_values()
        .map(|product| Product {
            id: product.product_id,
            name: product.name,
            category: product.category,
            variants: variants(product.variants).collect(),
            ..Product::default()
        })
        .collect())
}

fn from_csv(text: &str) -> anyhow::Result<Vec<Product>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers()?.iter().map(str::to_lowercase).collect();
    let position = |names: &[&str]| header.iter().position(|column| names.contains(&column.as_str()));
    let (Some(id), Some(name)) = (position(&["sku", "id"]), position(&["name"])) else {
        bail!("a catalogue needs the columns `sku` (or `id`) and `name`; this one has {}", header.join(", "));
    };
    let priced = header.iter().position(|column| column == "price" || column.starts_with("price_"));
    let currency = priced.and_then(|at| header[at].strip_prefix("price_")).map(str::to_uppercase).unwrap_or_default();
    let (category, variant, stock) =
        (position(&["category"]), position(&["variant"]), position(&["stock", "available"]));
    let (url, image, about) = (position(&["url"]), position(&["image"]), position(&["description"]));
    let (product, in_currency) = (position(&["product"]), position(&["currency"]));

    let mut products: Vec<Product> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (i, row) in reader.records().enumerate() {
        let row = row?;
        let text = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default().to_owned();
        let some = |at: Option<usize>| Some(text(at)).filter(|text| !text.is_empty());
        let price = text(priced).replace(',', "");
        let price = if price.is_empty() {
            f64::NAN
        } else {
            price.parse().with_context(|| format!("row {}: price {price:?}", i + 1))?
        };
        let stock = match text(stock).to_lowercase().as_str() {
            "" => stock.is_none(),
            "true" | "yes" => true,
            "false" | "no" => false,
            count => count.parse::<f64>().with_context(|| format!("row {}: stock {count:?}", i + 1))? > 0.0,
        };
        let key = some(product).unwrap_or_else(|| text(Some(name)));
        let at = *known.entry(key.clone()).or_insert_with(|| {
            products.push(Product {
                id: some(product).unwrap_or_else(|| text(Some(id))),
                name: text(Some(name)),
                category: text(category),
                description: text(about),
                url: some(url),
                image: some(image),
                variants: Vec::new(),
            });
            products.len() - 1
        });
        products[at].variants.push(Variant {
            id: text(Some(id)),
            label: text(variant),
            price,
            currency: some(in_currency).unwrap_or_else(|| currency.clone()),
            available: stock && price.is_finite(),
        });
    }
    Ok(products)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "sku,name,category,variant,price_eur,stock,url
1,Tarn 2 tent,Tents,Moss,349.00,0,https://shop.example/tarn
2,Tarn 2 tent,Tents,Slate,359.00,11,https://shop.example/tarn
3,Tarn 3 tent,Tents,Moss,429.00,0,
4,Ember stove,Stoves,,89.90,3,
";

    fn shop() -> Catalogue {
        Catalogue::new(from_csv(SHOP).unwrap())
    }

    #[test]
    fn rows_of_one_name_are_variants_and_the_offer_is_in_stock() {
        let shop = shop();
        assert_eq!(shop.products().len(), 3);
        let offer = shop.product("1").unwrap().offer().unwrap();
        assert_eq!((offer.id.as_str(), offer.price, offer.currency.as_str()), ("2", 359.0, "EUR"));
        assert_eq!(shop.product("3").unwrap().offer(), None);
    }

    fn check(text: &str, expected: &[(Option<&str>, &str)]) {
        let found: Vec<(Option<String>, String)> = shop()
            .mentions(text)
            .into_iter()
            .map(|signal| match signal {
                Signal::Mention { product, category } => (product, category),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(id, category)| (id.map(str::to_owned), (*category).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_are_found_in_what_visitors_write() {
        check("Is the Tarn 2 better than the TARN 3 tent?", &[(Some("3"), "Tents"), (Some("1"), "Tents")]);
        check("Which tents do you have?", &[(None, "Tents")]);
        check("the ember stoves", &[(Some("4"), "Stoves")]);
        check("I need it in 2 days", &[]);
        check("attentive", &[]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in
            [("a,b\n1,2", "needs the columns"), ("id,name,price\n1,x,dear", "row 1: price \"dear\"")]
        {
            let error = format!("{:#}", from_csv(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
