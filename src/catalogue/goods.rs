//! What a site sells, as far as conversations and recommendations need it: the rows of the index,
//! variants of one name together, and found again in what visitors write.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalogue::Listed;
use crate::language::stem::without_s;
use crate::language::topics::spaced;
use crate::retrieval::Audience;

/// A product with its variants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProductGroup {
    /// Of its first variant.
    pub id: String,
    pub name: String,
    pub category: String,
    pub url: Option<String>,
    pub image: Option<String>,
    pub variants: Vec<Variant>,
}

/// One thing that can be bought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    pub id: String,
    /// Its options in words (`blue, M, cotton`).
    pub label: String,
    pub price: f64,
    pub currency: String,
    /// It has a price, and its row doesn't say that it is out of stock.
    pub available: bool,
    /// When its row holds, in milliseconds since 1970.
    pub valid_from_ms: Option<u64>,
    pub valid_until_ms: Option<u64>,
}

/// A product or a category that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The product's id; `None` where the category alone is named.
    pub product: Option<String>,
    /// Empty for a product without one.
    pub category: String,
}

/// A site's products.
#[derive(Clone, Debug, Default)]
pub struct Goods {
    products: Vec<ProductGroup>,
    /// Position of a product by the id of the product or of a variant.
    by_id: HashMap<String, usize>,
    /// What products and categories are called, in stems with spaces around; the longest first.
    names: Vec<(String, Mention)>,
}

impl Goods {
    #[must_use]
    pub fn new(products: Vec<ProductGroup>) -> Self {
        let mut by_id = HashMap::new();
        let mut names: BTreeMap<String, Mention> = BTreeMap::new();
        for product in &products {
            if !product.category.is_empty() {
                let mention = Mention { product: None, category: product.category.clone() };
                names.entry(stems(&product.category)).or_insert(mention);
            }
        }
        let mut ambiguous = BTreeSet::new();
        for (at, product) in products.iter().enumerate() {
            by_id.insert(product.id.clone(), at);
            by_id.extend(product.variants.iter().map(|variant| (variant.id.clone(), at)));
            let mention =
                Mention { product: Some(product.id.clone()), category: product.category.clone() };
            let full = stems(&product.name);
            // "Tarn 2 tent" is also called "Tarn 2"; a single word that is left over says too
            // little.
            let short = full.trim().rsplit_once(' ').map(|(short, _)| format!(" {short} "));
            let short = short.filter(|short| {
                short.trim().contains(' ') && short.chars().any(|c| c.is_ascii_digit())
            });
            for name in
                std::iter::once(full).chain(short).filter(|name| name.trim().chars().count() > 1)
            {
                if let Some(Mention { product: Some(_), .. }) =
                    names.insert(name.clone(), mention.clone())
                {
                    ambiguous.insert(name);
                }
            }
        }
        names.retain(|name, _| !ambiguous.contains(name));
        let mut names: Vec<(String, Mention)> = names.into_iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { products, by_id, names }
    }

    /// The rows of a site that visitors may see. Rows of one name in one file are variants of one
    /// product: where a key makes each row a document of its own, its id is the file's with `#` and
    /// the key.
    #[must_use]
    pub fn of(listed: &[Listed]) -> Self {
        let mut products: Vec<ProductGroup> = Vec::new();
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        for row in listed.iter().filter(|row| row.audience == Audience::Public) {
            let product = &row.product;
            let file = row.document.split('#').next().unwrap_or_default();
            let at = *known.entry((file, &product.name)).or_insert_with(|| {
                products.push(ProductGroup {
                    id: product.id.clone(),
                    name: product.name.clone(),
                    category: product.category.clone().unwrap_or_default(),
                    url: product.url.clone(),
                    image: product.image.clone(),
                    variants: Vec::new(),
                });
                products.len() - 1
            });
            let price = product.amount();
            products[at].variants.push(Variant {
                id: product.id.clone(),
                label: product.variant.clone().unwrap_or_default(),
                price: price.unwrap_or_default(),
                currency: product.currency.clone().unwrap_or_default(),
                available: price.is_some() && product.available != Some(false),
                valid_from_ms: row.valid_from_ms,
                valid_until_ms: row.valid_until_ms,
            });
        }
        Self::new(products)
    }

    #[must_use]
    pub fn products(&self) -> &[ProductGroup] {
        &self.products
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// The product with this id, or with a variant of this id.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<&ProductGroup> {
        self.by_id.get(id).and_then(|at| self.products.get(*at))
    }

    /// The products and categories that a text names, each once. A longer name hides the shorter
    /// ones that it holds.
    #[must_use]
    pub fn mentions(&self, text: &str) -> Vec<Mention> {
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

impl ProductGroup {
    /// The cheapest variant that can be had now.
    #[must_use]
    pub fn offer(&self, now_ms: u64) -> Option<&Variant> {
        self.offers(now_ms).min_by(|a, b| a.price.total_cmp(&b.price))
    }

    /// The variants that can be had now.
    pub fn offers(&self, now_ms: u64) -> impl Iterator<Item = &Variant> {
        let holds = move |variant: &&Variant| {
            variant.available
                && variant.valid_from_ms.is_none_or(|from| from <= now_ms)
                && variant.valid_until_ms.is_none_or(|until| now_ms <= until)
        };
        self.variants.iter().filter(holds)
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
        format!("{}. {}. {}", self.name, self.category, options.join(", "))
    }
}

/// Lower-case words without the plural's s, one space around each.
fn stems(text: &str) -> String {
    let words = spaced(&text.to_lowercase());
    let mut all = String::from(" ");
    for word in words.split_whitespace() {
        all.push_str(without_s(word));
        all.push(' ');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(
        document: &str,
        id: &str,
        name: &str,
        category: &str,
        price: &str,
        stock: u64,
    ) -> Listed {
        let fields = [("sku", id), ("name", name), ("category", category), ("price", price)];
        let mut product =
            crate::retrieval::product::Product::read(&fields, &mut Vec::new()).unwrap();
        product.available = Some(stock > 0);
        Listed {
            product,
            document: document.into(),
            ordinal: 0,
            language: "en".into(),
            audience: Audience::Public,
            valid_from_ms: None,
            valid_until_ms: None,
        }
    }

    fn rows() -> Vec<Listed> {
        vec![
            row("a.csv#1", "1", "Tarn 2 tent", "Tents", "349.00", 0),
            row("a.csv#2", "2", "Tarn 2 tent", "Tents", "359.00", 11),
            row("a.csv", "3", "Tarn 3 tent", "Tents", "429.00", 0),
            row("a.csv", "4", "Ember stove", "Stoves", "89.90", 3),
        ]
    }

    fn shop() -> Goods {
        Goods::of(&rows())
    }

    #[test]
    fn rows_of_one_name_are_variants_and_the_offer_can_be_had() {
        let shop = shop();
        assert_eq!(shop.products().len(), 3);
        let offer = shop.product("1").unwrap().offer(5).unwrap();
        assert_eq!((offer.id.as_str(), offer.price), ("2", 359.0));
        assert_eq!(shop.product("3").unwrap().offer(5), None, "out of stock");
        let mut rows = rows();
        rows[1].valid_until_ms = Some(4);
        rows[3].audience = Audience::Agents;
        let shop = Goods::of(&rows);
        assert_eq!(shop.product("2").unwrap().offer(5), None, "its time is over");
        assert!(shop.product("4").is_none(), "visitors may not see it");
    }

    fn check(text: &str, expected: &[(Option<&str>, &str)]) {
        let mentions = shop().mentions(text).into_iter();
        let found: Vec<_> =
            mentions.map(|Mention { product, category }| (product, category)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, category)| (id.map(str::to_owned), (*category).to_owned()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_are_found_in_what_visitors_write() {
        check(
            "Is the Tarn 2 better than the TARN 3 tent?",
            &[(Some("3"), "Tents"), (Some("1"), "Tents")],
        );
        check("Which tents do you have?", &[(None, "Tents")]);
        check("the ember stoves", &[(Some("4"), "Stoves")]);
        check("I need it in 2 days", &[]);
        check("attentive", &[]);
    }
}
