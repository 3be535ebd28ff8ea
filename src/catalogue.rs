//! Products: what a catalogue's rows sell, beside the passages that answer questions about them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use crate::retrieval::index::Index;
use crate::retrieval::product::Product;
use crate::retrieval::schema::IndexError;
use crate::retrieval::{Audience, Passage};

mod ask;
pub mod asks;
pub mod goods;
mod shelf;
mod words;

pub use ask::{Asked, RowsAnswer};
pub use shelf::Shelf;

/// A product with what is known about where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub product: Product,
    /// The document and passage that it came from.
    pub document: String,
    pub ordinal: u32,
    pub language: String,
    pub audience: Audience,
    pub valid_from_ms: Option<u64>,
    pub valid_until_ms: Option<u64>,
}

impl Listed {
    /// The product of a passage, if it is one.
    #[must_use]
    pub fn of(passage: Passage) -> Option<Self> {
        let Passage {
            document,
            ordinal,
            url,
            language,
            audience,
            valid_from_ms,
            valid_until_ms,
            product,
            ..
        } = passage;
        let mut product = *product?;
        product.url = product.url.or(url);
        Some(Self { product, document, ordinal, language, audience, valid_from_ms, valid_until_ms })
    }
}

/// The products of every site, in memory. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    sites: Arc<RwLock<HashMap<String, Known>>>,
}

/// A site's rows, and what they sell.
#[derive(Clone, Debug)]
struct Known {
    rows: Arc<[Listed]>,
    goods: Arc<goods::Goods>,
    shelf: Arc<Shelf>,
}

impl Catalogue {
    /// A site's products, by document and place in it; empty for a site without any.
    #[must_use]
    pub fn products(&self, site: &str) -> Arc<[Listed]> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(site).map(|known| known.rows.clone()).unwrap_or_default()
    }

    /// What a site sells to visitors, variants together. The same value until the index changes.
    #[must_use]
    pub fn goods(&self, site: &str) -> Arc<goods::Goods> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(site).map(|known| known.goods.clone()).unwrap_or_default()
    }

    /// What questions about a site's products are answered from. The same value until the index
    /// changes.
    #[must_use]
    pub fn shelf(&self, site: &str) -> Arc<Shelf> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(site).map(|known| known.shelf.clone()).unwrap_or_default()
    }

    /// The product with this id.
    #[must_use]
    pub fn product(&self, site: &str, id: &str) -> Option<Listed> {
        self.products(site).iter().find(|listed| listed.product.id == id).cloned()
    }

    /// Takes over what the index has of a site. Returns how many products there are.
    ///
    /// # Errors
    /// When the index fails; the products from before stay.
    pub async fn refresh(&self, index: &Index, site: &str) -> Result<usize, IndexError> {
        let passages = index.products(site).await?;
        let shelf = Arc::new(Shelf::new(passages.clone()));
        let mut products: Vec<Listed> = passages.into_iter().filter_map(Listed::of).collect();
        products.sort_by(|a, b| (&a.document, a.ordinal).cmp(&(&b.document, b.ordinal)));
        let count = products.len();
        let known =
            Known { goods: Arc::new(goods::Goods::of(&products)), rows: products.into(), shelf };
        self.sites.write().unwrap_or_else(PoisonError::into_inner).insert(site.to_owned(), known);
        Ok(count)
    }
}
