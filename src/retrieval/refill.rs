//! An index that was made with other models for the second vector gets it before it is opened.
//!
//! The engine can't add a vector to the points of a directory, so all of them go, with their first
//! vector, into a new directory beside it, which then takes its place. Stopped in between, the old
//! one stands and the next start begins anew.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::chunk::embedding_text;
use super::embedded::{self, EmbeddedIndex};
use super::embedder::Embedder;
use super::index::Index;
use super::schema::{Dims, Vectors};
use super::{KnowledgeConfig, Passage};

/// Passages embedded and written at once.
const PAGE: usize = 256;

/// Opens the index for these models. An embedded one whose passages have no second vector, or one
/// that is not wanted any more, is written anew first, which the log tells; a Qdrant server's
/// collection has to be made anew by hand.
///
/// # Errors
/// As [`Index::open`]; where the disk or the second model fails.
pub async fn open(
    config: &KnowledgeConfig,
    embedder: &Embedder,
    multilingual: Option<&Embedder>,
) -> anyhow::Result<Index> {
    let dims = Dims { dense: embedder.dims(), multilingual: multilingual.map(Embedder::dims) };
    if config.url.is_empty() {
        let embed = |texts| async move {
            match multilingual {
                Some(model) => Ok(model.embed(texts).await?),
                None => Ok(Vec::new()),
            }
        };
        refill(&config.index, dims, embed).await?;
    }
    Ok(Index::open(config, dims).await?)
}

/// Writes the index in `path` anew if only its second vector isn't as wanted. `embed` gives the
/// second vectors of texts, or nothing where there are to be none.
async fn refill(
    path: &Path,
    wanted: Dims,
    embed: impl AsyncFn(Vec<String>) -> anyhow::Result<Vec<Vec<f32>>>,
) -> anyhow::Result<()> {
    let (fresh, aside) = (beside(path, "new"), beside(path, "old"));
    if aside.exists() && !path.exists() {
        // Stopped between the two renames at the end.
        fs::rename(&aside, path).with_context(|| format!("moving {} back", aside.display()))?;
    }
    let Some(found) = embedded::stored_dims(path) else { return Ok(()) };
    if found == wanted || found.dense != wanted.dense {
        return Ok(());
    }
    for left in [&fresh, &aside] {
        if left.exists() {
            fs::remove_dir_all(left).with_context(|| {
                format!("removing {}, left by an earlier start", left.display())
            })?;
        }
    }
    let old = EmbeddedIndex::open(path, found).await?;
    let total = old.health().await?.passages;
    tracing::info!(
        passages = total,
        "the index gets the vectors of knowledge.multilingual; this happens once"
    );
    let new = EmbeddedIndex::open(&fresh, wanted).await?;
    let (mut done, mut offset) = (0, None);
    loop {
        let (page, next) = old.page(offset, PAGE).await?;
        let texts = page.iter().map(|(passage, _)| embedding_text(passage)).collect();
        let second = embed(texts).await.context("the second vectors")?;
        let mut second = second.into_iter();
        let points: Vec<(Passage, Vectors)> = page
            .into_iter()
            .map(|(passage, Vectors { dense, .. })| {
                (passage, Vectors { dense, multilingual: second.next().unwrap_or_default() })
            })
            .collect();
        done += points.len();
        if !points.is_empty() {
            new.upsert(points).await?;
        }
        tracing::info!(done, total, "passages with vectors of knowledge.multilingual");
        offset = next;
        if offset.is_none() {
            break;
        }
    }
    new.optimize().await?;
    new.close().await?;
    old.close().await?;
    drop((new, old));
    fs::rename(path, &aside).with_context(|| format!("moving {} aside", path.display()))?;
    fs::rename(&fresh, path)
        .with_context(|| format!("moving {} to {}", fresh.display(), path.display()))?;
    fs::remove_dir_all(&aside).with_context(|| format!("removing {}", aside.display()))?;
    Ok(())
}

/// `data/index` → `data/index.new`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::{Audience, Query};

    fn passage(text: &str) -> Passage {
        Passage { text: text.to_owned(), ..crate::prompt::tests::hit(text).passage }
    }

    fn question(site: &str) -> Query {
        Query {
            site: site.to_owned(),
            text: String::new(),
            history: Vec::new(),
            audience: Audience::Agents,
            language: String::new(),
            languages: Vec::new(),
            now_ms: 1,
            limit: 5,
        }
    }

    #[tokio::test]
    async fn an_index_without_second_vectors_gets_them_and_loses_them_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index");
        let passages = ["Tents are green.", "Stoves burn gas."].map(passage);
        let site = passages[0].site.clone();
        let index = EmbeddedIndex::open(&path, 2).await.unwrap();
        for (ordinal, (passage, dense)) in
            (0..).zip(passages.into_iter().zip([vec![1.0, 0.0], vec![0.0, 1.0]]))
        {
            index.upsert(vec![(Passage { ordinal, ..passage }, dense.into())]).await.unwrap();
        }
        index.close().await.unwrap();
        drop(index);

        let both = Dims { dense: 2, multilingual: Some(3) };
        // As if a start had been stopped before its end.
        fs::create_dir(beside(&path, "new")).unwrap();
        let embed = async |texts: Vec<String>| {
            let vector = |text: &String| vec![0.0, f32::from(u8::from(text.contains("gas"))), 1.0];
            Ok(texts.iter().map(vector).collect())
        };
        refill(&path, both, embed).await.unwrap();
        let index = EmbeddedIndex::open(&path, both).await.unwrap();
        let by_second = Vectors { multilingual: vec![0.0, 1.0, 0.0], ..Vectors::default() };
        let hits = index.search(&question(&site), &by_second).await.unwrap();
        assert_eq!(hits[0].passage.text, "Stoves burn gas.");
        assert!(
            (hits[0].multilingual.unwrap() - 0.5_f32.sqrt()).abs() < 1e-3
                && hits[0].cosine.is_none()
        );
        let by_first = index.search(&question(&site), &vec![1.0, 0.0].into()).await.unwrap();
        assert_eq!(by_first[0].passage.text, "Tents are green.");
        index.close().await.unwrap();
        drop(index);

        refill(&path, 2.into(), async |_| Ok(Vec::new())).await.unwrap();
        let index = EmbeddedIndex::open(&path, 2).await.unwrap();
        assert_eq!(index.search(&question(&site), &vec![1.0, 0.0].into()).await.unwrap().len(), 2);
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["index"]);
    }
}
