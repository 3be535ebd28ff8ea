//! What a marketer wants to know, from the real store: who asks for what, how near it is to a
//! purchase, what came of it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::OnceCell;

use crate::calendar::Calendar;
use crate::catalogue;
use crate::catalogue::goods::{self, Goods};
use crate::clock::Clock;
use crate::conversation::SessionKey;
use crate::prompt::{CardReason, Prompts};
use crate::protocol::ServerMessage;
use crate::recommend::{self, Purchase, RecommendRule};
use crate::retrieval::embedder::Embedder;
use crate::signals::{Signal, SignalLog};
use crate::store::StoreError;

pub mod book;
pub mod demand;
pub mod policy;
pub mod replay;
pub mod report;
pub mod scorer;
pub mod segments;
pub mod series;
pub mod silence;
pub mod spend;
pub mod thompson;

use book::{Book, MAX_SESSIONS};
use demand::Demand;

/// What a site sells, and when it may be shown.
pub struct Shelf {
    pub rule: RecommendRule,
    /// Embeddings of the products, made when they are first needed after a change.
    vectors: tokio::sync::Mutex<Option<Embedded>>,
}

/// Products with their embeddings.
type Embedded = (Arc<Goods>, Arc<Vec<Vec<f32>>>);

/// Sessions, products, and the log that what is recommended goes to. Cheap to clone.
#[derive(Clone)]
pub struct Insight {
    pub book: Book,
    signals: SignalLog,
    embedder: Embedder,
    shelves: Arc<HashMap<String, Shelf>>,
    products: catalogue::Catalogue,
    prompts: Arc<Prompts>,
    clock: Clock,
    /// By the session and the event that ends the answer: every tab gets the same, and it counts
    /// once.
    chosen: Arc<Cache<(SessionKey, u64), Cards>>,
}

/// What was chosen for an answer, once it is; `None` inside if nothing was.
type Cards = Arc<OnceCell<Option<ServerMessage>>>;

/// Answers whose cards are remembered, for other tabs and for a page that is loaded again.
const CHOSEN: usize = 1_024;

/// How old the list of what others bought may be.
const PURCHASES_AGE: Duration = Duration::from_secs(60);

/// What is being chosen for a visitor.
pub type Choosing = Pin<Box<dyn Future<Output = Option<ServerMessage>> + Send>>;

impl Shelf {
    #[must_use]
    pub fn new(rule: RecommendRule) -> Self {
        Self { rule, vectors: tokio::sync::Mutex::default() }
    }
}

impl Insight {
    #[must_use]
    pub fn new(
        book: Book,
        signals: SignalLog,
        embedder: Embedder,
        shelves: HashMap<String, Shelf>,
        products: catalogue::Catalogue,
        prompts: Arc<Prompts>,
        clock: Clock,
    ) -> Self {
        let chosen = Arc::new(Cache::new(CHOSEN));
        Self {
            book,
            signals,
            embedder,
            shelves: Arc::new(shelves),
            products,
            prompts,
            clock,
            chosen,
        }
    }

    /// What a site sells; nothing for an unknown one.
    #[must_use]
    pub fn catalogue(&self, site: &str) -> Arc<Goods> {
        self.products.goods(site)
    }

    /// What visitors will ask for, by the shop's days.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn demand(&self, site: &str, calendar: &Calendar) -> Result<Demand, StoreError> {
        let entries = self.book.read(site).await?;
        let (goods, calendar) = (self.catalogue(site), calendar.clone());
        let now_ms = self.clock.now_ms();
        // Counting and forecasting take a while; they must not hold up the threads that serve
        // visitors.
        let whole = entries.len() < MAX_SESSIONS;
        let made = tokio::task::spawn_blocking(move || {
            Demand::of(&entries, &goods, &calendar, now_ms, whole)
        })
        .await;
        made.map_err(|_| StoreError::Closed)
    }

    /// The pieces in stock of a site's products, all variants together.
    #[must_use]
    pub fn stock(&self, site: &str) -> HashMap<String, u64> {
        let listed = self.products.products(site);
        let rows = listed.iter().map(|listed| (listed.product.id.as_str(), listed.product.stock));
        demand::stock_of(rows, &self.catalogue(site))
    }

    /// The products that a conversation's visitor was shown so far.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn shown(&self, key: &SessionKey) -> Result<Vec<String>, StoreError> {
        self.signals.settled().await;
        let signals =
            self.book.track(key).await?.records.into_iter().flat_map(|(_, signals)| signals);
        let shown = signals.filter_map(|signal| match signal {
            Signal::Recommended { products, held_out: false } => Some(products),
            _ => None,
        });
        Ok(shown.flatten().collect())
    }

    /// The products for the answer `turn` whose end is event `seq`; `None` at once where the site
    /// shows none.
    #[must_use]
    pub fn cards(&self, key: &SessionKey, turn: u64, seq: u64) -> Option<Choosing> {
        let shelf = self.shelves.get(&key.site)?;
        if !shelf.rule.enabled || self.products.goods(&key.site).is_empty() {
            return None;
        }
        let (this, key) = (self.clone(), key.clone());
        let cell = self
            .chosen
            .get_or_insert_with(&(key.clone(), seq), || Ok::<Cards, Infallible>(Cards::default()));
        let Ok(cell) = cell;
        Some(Box::pin(
            async move { cell.get_or_init(|| this.choose(&key, turn, seq)).await.clone() },
        ))
    }

    /// As [`Self::cards`], for who comes back to an answer that ended while no socket of the
    /// visitor was there, or that was read without one.
    #[must_use]
    pub fn cards_missed(&self, key: &SessionKey, turn: u64, seq: u64) -> Option<Choosing> {
        // What was chosen and may not be shown any more isn't shown this way.
        let known = self.chosen.get(&(key.clone(), seq)).is_some_and(|cell| cell.initialized());
        if known { None } else { self.cards(key, turn, seq) }
    }

    /// The products that were chosen for the answer whose end is event `seq`, for who comes back to
    /// it: those that can still be had, as they are sold now.
    #[must_use]
    pub fn cards_again(&self, key: &SessionKey, seq: u64) -> Option<ServerMessage> {
        match self.chosen.get(&(key.clone(), seq))?.get()?.clone()? {
            ServerMessage::Recommendation { turn, products } => {
                let products =
                    recommend::renewed(products, &self.catalogue(&key.site), self.clock.now_ms());
                (!products.is_empty()).then_some(ServerMessage::Recommendation { turn, products })
            }
            other => Some(other),
        }
    }

    async fn choose(&self, key: &SessionKey, turn: u64, seq: u64) -> Option<ServerMessage> {
        // The visitor has the answer already: cards can wait until its signals are on disk.
        self.signals.settled().await;
        let shelf = self.shelves.get(&key.site)?;
        let own = self.book.session(key).await.ok()??;
        let state = &own.state;
        // What is remembered is lost with the process; that an answer had its cards isn't.
        if !shelf.rule.allows(state) || self.book.recommended_at(key, seq).await.ok()? {
            return None;
        }
        let entries = self.book.recent(&key.site, PURCHASES_AGE).await.ok()?;
        let (catalogue, vectors) = self.vectors(&key.site, shelf).await?;
        let bought: Vec<(&[f32], Vec<String>)> = entries
            .iter()
            .filter(|entry| entry.id != key.id && entry.state.converted() == Some(true))
            .map(|entry| {
                let products = entry
                    .state
                    .outcomes
                    .iter()
                    .flat_map(|(_, outcome)| outcome.products.iter().cloned());
                (entry.state.meaning.as_slice(), products.collect())
            })
            .collect();
        let purchases: Vec<Purchase<'_>> =
            bought.iter().map(|(meaning, products)| Purchase { meaning, products }).collect();
        let now_ms = self.clock.now_ms();
        let language = state.language.as_deref().unwrap_or("en");
        // Every template was rendered once when it was loaded.
        let say = |reason: CardReason<'_>| self.prompts.card(reason, language).unwrap_or_default();
        let products =
            recommend::choose(&shelf.rule, state, &catalogue, &vectors, &purchases, now_ms, &say);
        if products.is_empty() {
            return None;
        }
        let held_out = recommend::held_out(&key.site, &state.visitor, shelf.rule.holdout);
        let ids = products.iter().map(|card| card.id.clone()).collect();
        let due = Signal::Recommended { products: ids, held_out };
        self.signals.add(key, seq, self.clock.now_ms(), vec![due]);
        (!held_out).then_some(ServerMessage::Recommendation { turn, products })
    }

    /// What a site sells now, with an embedding for each product.
    async fn vectors(&self, site: &str, shelf: &Shelf) -> Option<Embedded> {
        let catalogue = self.products.goods(site);
        let mut known = shelf.vectors.lock().await;
        if let Some((of, vectors)) = known.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &catalogue)) {
            return Some((of.clone(), vectors.clone()));
        }
        let texts = catalogue.products().iter().map(goods::ProductGroup::text).collect();
        match self.embedder.embed(texts).await {
            Ok(vectors) => Some(known.insert((catalogue, Arc::new(vectors))).clone()),
            Err(error) => {
                tracing::warn!(%error, "no products can be recommended now");
                None
            }
        }
    }
}
