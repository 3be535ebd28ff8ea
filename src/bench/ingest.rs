//! How long reading a large catalogue takes, and how much memory, without embedding and index.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::retrieval::Passage;
use crate::retrieval::embedder::EmbedError;
use crate::retrieval::ingest::{
    IngestOptions, IngestParts, IngestProgress, PassageEmbedder, PassageSink, ingest,
};
use crate::retrieval::schema::Vectors;

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    pub rows: usize,
    pub file_mib: f64,
    pub passages: usize,
    pub seconds: f64,
    /// The process's largest resident size, `VmHWM`, in MiB; the program itself is in it.
    pub peak_mib: f64,
    pub target_seconds: f64,
    pub target_mib: f64,
    pub reached: bool,
}

/// The targets for 100,000 rows.
const TARGET_SECONDS: f64 = 60.0;
const TARGET_MIB: f64 = 500.0;

/// Writes a catalogue of `rows` rows as shops export them into `directory`, and reads it.
///
/// # Errors
/// When the scratch directory can't be written, the rows aren't all taken in, or the system doesn't
/// tell the memory.
pub async fn run(
    directory: &Path,
    rows: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Report> {
    let folder = directory.join("catalogue");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    let path = folder.join("products.csv");
    write(&path, rows).with_context(|| format!("{} can't be written", path.display()))?;
    let bytes = path.metadata().context("the catalogue")?.len();
    let limits = IngestOptions {
        max_document_bytes: u64::MAX,
        time_limit: Duration::from_secs(3_600),
        ..IngestOptions::default()
    };
    let options = IngestOptions { base: Some(folder.clone()), ..limits };
    let show = |step: IngestProgress<'_>| {
        if let IngestProgress::Written { passages } = step {
            progress(passages);
        }
    };
    let since = Instant::now();
    let parts = IngestParts { index: &Nowhere, embedder: &Nothing };
    let report = ingest(parts, "bench", &[folder], &options, &show).await?;
    let seconds = since.elapsed().as_secs_f64();
    anyhow::ensure!(
        report.passages >= rows && report.failed.is_empty(),
        "rows were left out: {:?}",
        report.failed
    );
    let peak_mib = peak_mib()?;
    #[expect(clippy::cast_precision_loss, reason = "sizes of files")]
    let file_mib = bytes as f64 / f64::from(1 << 20);
    Ok(Report {
        rows,
        file_mib,
        passages: report.passages,
        seconds,
        peak_mib,
        target_seconds: TARGET_SECONDS,
        target_mib: TARGET_MIB,
        reached: seconds <= TARGET_SECONDS && peak_mib <= TARGET_MIB,
    })
}

fn write(path: &Path, rows: usize) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        file,
        "Handle,Title,Body (HTML),Vendor,Type,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Status"
    )?;
    for row in 0..rows {
        let (product, size) = (row / 4, ["S", "M", "L", "XL"][row % 4]);
        let first = row % 4 == 0;
        // As exports quote it.
        let text = r#""<p>Made of <b>wool</b> from the hills, for cold and windy days.</p><ul><li>Two pockets</li></ul>""#;
        let (title, text, vendor, kind, name, status) = if first {
            (format!("Moor jacket {product}"), text, "Corrie", "Jackets", "Size", "active")
        } else {
            Default::default()
        };
        let (stock, euros, cents) = (row % 23, 20 + product % 300, product % 100);
        writeln!(
            file,
            "moor-jacket-{product},{title},{text},{vendor},{kind},{name},{size},MJ-{product}-{size},{stock},{euros}.{cents:02},{status}"
        )?;
    }
    file.flush()
}

/// `VmHWM` of this process, in MiB.
fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("/proc/self/status can't be read; this needs Linux")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    let kib: f64 = line.split_whitespace().nth(1).context("VmHWM")?.parse().context("VmHWM")?;
    Ok(kib / 1024.0)
}

/// An index that keeps nothing.
struct Nowhere;

impl PassageSink for Nowhere {
    async fn documents(&self, _: &str) -> anyhow::Result<Vec<(String, String, usize)>> {
        Ok(Vec::new())
    }

    async fn upsert(&self, _: Vec<(Passage, Vectors)>) -> anyhow::Result<()> {
        Ok(())
    }

    async fn remove_documents(&self, _: &str, _: &[String]) -> anyhow::Result<()> {
        Ok(())
    }

    async fn flush(&self) -> anyhow::Result<()> {
        Ok(())
    }

    async fn optimize(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A model that says nothing of any text.
struct Nothing;

impl PassageEmbedder for Nothing {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vectors>, EmbedError> {
        Ok(texts.iter().map(|_| Vectors::from(Vec::new())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_row_of_the_catalogue_is_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        let report = run(folder.path(), 40, &|_| {}).await.unwrap();
        assert!(report.rows == 40 && report.passages >= 40 && report.peak_mib > 1.0, "{report:?}");
    }
}
