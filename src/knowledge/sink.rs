//! The index as runs write it: in turns with other sites, and with a ledger of what was handed in.
//! The ledger is why one document more doesn't list all that there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::line::Turn;
use crate::retrieval::Passage;
use crate::retrieval::index::Index;
use crate::retrieval::ingest::{PassageSink, UPLOAD_PREFIX, is_upload};
use crate::retrieval::schema::Vectors;

/// A site's documents by their id in the index: hash and number of passages.
type Documents = BTreeMap<String, (String, usize)>;

/// Documents in the index that were handed in, by site. Of sites into which something was handed in
/// since the last run over everything.
#[derive(Default)]
pub(super) struct Ledger(Mutex<HashMap<String, Documents>>);

/// A run's way to the index.
pub(super) struct Sink<'a> {
    index: &'a Index,
    turn: &'a Turn,
    ledger: &'a Ledger,
    site: &'a str,
    /// The one document that the run is about, by the id it was handed in with; else all.
    only: Option<&'a str>,
    written: Mutex<Written>,
}

/// What a run wrote.
#[derive(Default)]
pub(super) struct Written {
    /// Titles, headings and texts of its passages.
    pub(super) texts: Vec<String>,
    /// Whether products were among them.
    pub(super) products: bool,
}

impl Ledger {
    /// What the index has of an upload: one document, or as many as a table has keys.
    pub(super) async fn of(
        &self,
        index: &Index,
        site: &str,
        id: &str,
    ) -> anyhow::Result<Vec<(String, String, usize)>> {
        if !self.lock().contains_key(site) {
            let all = index.documents(site).await?;
            let handed_in = all.into_iter().filter(|known| is_upload(&known.document));
            let known = handed_in
                .map(|known| (known.document, (known.document_hash, known.passages)))
                .collect();
            self.lock().insert(site.to_owned(), known);
        }
        let own = format!("{UPLOAD_PREFIX}{id}");
        let rest = format!("{own}#");
        let ledger = self.lock();
        let Some(known) = ledger.get(site) else { return Ok(Vec::new()) };
        let whole = known.get_key_value(&own).into_iter();
        let keys = known.range(rest.clone()..).take_while(|(name, _)| name.starts_with(&rest));
        let found = whole.chain(keys);
        Ok(found.map(|(name, (hash, passages))| (name.clone(), hash.clone(), *passages)).collect())
    }

    /// What is known of a site is looked up again when it is needed: after runs over everything,
    /// since others may write to a Qdrant server, too, and after failures.
    pub(super) fn forget(&self, site: &str) {
        self.lock().remove(site);
    }

    fn change(&self, site: &str, change: impl FnOnce(&mut Documents)) {
        if let Some(known) = self.lock().get_mut(site) {
            change(known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Documents>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        index: &'a Index,
        turn: &'a Turn,
        ledger: &'a Ledger,
        site: &'a str,
        only: Option<&'a str>,
    ) -> Self {
        Self { index, turn, ledger, site, only, written: Mutex::default() }
    }

    pub(super) fn written(self) -> Written {
        self.written.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the ledger says of the site counts for nothing until the change is made.
    fn unsure(&self) -> Unsure<'a> {
        Unsure { ledger: self.ledger, site: self.site, made: false }
    }
}

/// A change that may be made in part: it fails, or whoever asked for it leaves.
struct Unsure<'a> {
    ledger: &'a Ledger,
    site: &'a str,
    made: bool,
}

impl Unsure<'_> {
    fn made(mut self) {
        self.made = true;
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        if !self.made {
            self.ledger.forget(self.site);
        }
    }
}

impl PassageSink for Sink<'_> {
    async fn documents(&self, site: &str) -> anyhow::Result<Vec<(String, String, usize)>> {
        match self.only {
            Some(id) => self.ledger.of(self.index, site, id).await,
            None => PassageSink::documents(self.index, site).await,
        }
    }

    async fn upsert(&self, passages: Vec<(Passage, Vectors)>) -> anyhow::Result<()> {
        let mut documents = Documents::new();
        let mut texts = Vec::new();
        let mut products = false;
        for (passage, _) in &passages {
            let hash = || (passage.document_hash.clone(), 0);
            documents.entry(passage.document.clone()).or_insert_with(hash).1 += 1;
            // A run over everything reads all words at its end.
            if self.only.is_some() {
                let headings = passage.headings.join(" ");
                texts.push(format!("{} {headings} {}", passage.title, passage.text));
            }
            products |= passage.product.is_some();
        }
        let unsure = self.unsure();
        self.index.upsert(passages).await?;
        unsure.made();
        self.ledger.change(self.site, |known| {
            known.extend(documents.into_iter().filter(|(document, _)| is_upload(document)));
        });
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.texts.append(&mut texts);
        written.products |= products;
        Ok(())
    }

    async fn remove_documents(&self, site: &str, documents: &[String]) -> anyhow::Result<()> {
        let unsure = self.unsure();
        self.index.remove_documents(site, documents).await?;
        unsure.made();
        self.ledger.change(self.site, |known| {
            for document in documents {
                known.remove(document);
            }
        });
        Ok(())
    }

    async fn flush(&self) -> anyhow::Result<()> {
        Ok(self.index.flush().await?)
    }

    async fn pause(&self) {
        self.turn.give_way().await;
    }

    async fn optimize(&self) -> anyhow::Result<()> {
        Ok(self.index.optimize().await?)
    }
}
