//! A copy of a site's passages in an index of its own: what would be answered if a document were
//! added, asked without adding it.

use std::path::PathBuf;

use anyhow::Context as _;

use super::chunk::embedding_text;
use super::embedded::EmbeddedIndex;
use super::index::Index;
use super::ingest::{Format, IngestOptions, IngestParts, PassageEmbedder, Upload, ingest_uploads};
use super::schema::{Dims, Vectors};
use super::scratch::Scratch;
use super::{Passage, Retrieval};

/// Passages copied at once.
const PAGE: usize = 256;

/// A search over a copy of a site's passages. The copy goes with this value.
pub struct Beside {
    pub retrieval: Retrieval,
    /// The copy's own directory, for as long as anything of the copy is in use.
    folder: PathBuf,
}

impl Beside {
    /// Copies a site's passages, with their vectors where the index gives them.
    ///
    /// # Errors
    /// When the index, the embedder or the disk fails.
    pub async fn copy(retrieval: &Retrieval, site: &str) -> anyhow::Result<Self> {
        let scratch = Scratch::new("frontdesk-beside")?;
        let multilingual = retrieval.multilingual.as_ref().map(super::embedder::Embedder::dims);
        let dims = Dims { dense: retrieval.embedder.dims(), multilingual };
        let folder = scratch.path().to_owned();
        let copy = EmbeddedIndex::open_within(scratch, dims).await?;
        match &retrieval.index {
            Index::Embedded(index) => {
                let mut offset = None;
                loop {
                    let (page, next) = index.page(offset, PAGE).await?;
                    let own: Vec<(Passage, Vectors)> =
                        page.into_iter().filter(|(passage, _)| passage.site == site).collect();
                    if !own.is_empty() {
                        copy.upsert(own).await?;
                    }
                    offset = next;
                    if offset.is_none() {
                        break;
                    }
                }
            }
            // A server isn't asked for its vectors: they are made again.
            Index::Server(_) => {
                for document in retrieval.index.documents(site).await? {
                    let passages = retrieval.index.passages(site, &document.document).await?;
                    let texts = passages.iter().map(embedding_text).collect();
                    let vectors = PassageEmbedder::embed(retrieval, texts).await?;
                    copy.upsert(passages.into_iter().zip(vectors).collect()).await?;
                }
            }
        }
        let retrieval = Retrieval {
            index: Index::Embedded(copy),
            spelling: retrieval.spelling.apart(),
            ..retrieval.clone()
        };
        retrieval.spelling.refresh(&retrieval.index, site).await?;
        Ok(Self { retrieval, folder })
    }

    /// Adds an article in Markdown to the copy, as one that is handed in under `id`.
    ///
    /// # Errors
    /// When it can't be read, or the index, the embedder or the disk fails.
    pub async fn add(
        &self,
        site: &str,
        id: &str,
        article: &str,
        options: &IngestOptions,
    ) -> anyhow::Result<()> {
        let path = self.folder.join("article.md");
        tokio::fs::write(&path, article)
            .await
            .with_context(|| format!("writing {}", path.display()))?;
        let upload =
            Upload { id: id.to_owned(), path, format: Format::Markdown, about: Vec::new() };
        let parts = IngestParts { index: &self.retrieval.index, embedder: &self.retrieval };
        let options = IngestOptions { optimize: false, ..options.clone() };
        let report = ingest_uploads(parts, site, &[upload], false, &options, &|_| {}).await?;
        if let Some(failure) = report.failed.first() {
            anyhow::bail!("the article can't be read: {}", failure.reason);
        }
        self.retrieval.spelling.refresh(&self.retrieval.index, site).await?;
        Ok(())
    }

    /// Lets go of the copy.
    pub async fn close(self) {
        // What is left goes with the directory.
        let _ = self.retrieval.index.close().await;
    }
}
