//! What files say, as passages that go into no index: for who writes them out again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reading::Reading;
use super::{Failure, Found, IngestOptions, IngestProgress, Upload, handed_in, walk};
use crate::retrieval::Passage;

/// Tokens that no section has, so that each is one passage.
const WHOLE: usize = 1 << 20;

/// Documents with their passages in order, a passage for each section.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    pub documents: Vec<Vec<Passage>>,
    /// What couldn't be read.
    pub failed: Vec<Failure>,
}

/// Reads a folder, as [`super::ingest`] does, and what was handed in. A folder that isn't there is
/// empty. A document whose audience or dates can't be understood is left out, as it is by
/// ingestion.
///
/// # Errors
///
/// When the folder can't be read or no thread can be started.
pub async fn whole_documents(
    site: &str,
    folder: &Path,
    uploads: &[Upload],
    options: &IngestOptions,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<Documents> {
    let mut walked = if tokio::fs::try_exists(folder).await? {
        let (roots, base): (Vec<PathBuf>, _) = (vec![folder.to_owned()], folder.to_owned());
        tokio::task::spawn_blocking(move || walk::walk(&roots, Some(&base))).await??
    } else {
        walk::Walked::default()
    };
    for upload in uploads {
        match handed_in(upload) {
            Ok(file) => walked.files.push(file),
            Err(failure) => walked.failed.push(failure),
        }
    }
    progress(IngestProgress::Found { files: walked.files.len() });
    let options = IngestOptions { passage_tokens: WHOLE, ..options.clone() };
    let mut read = Documents { documents: Vec::new(), failed: walked.failed };
    let mut ids = HashSet::new();
    for (at, file) in walked.files.iter().enumerate() {
        progress(IngestProgress::File { path: &file.id, number: at + 1 });
        let failure = |line, reason| Failure { path: file.id.clone(), line, reason };
        let mut reading = Reading::begin(site, file, &options, Arc::default(), false)?;
        let whole = loop {
            match reading.next().await {
                Ok(Some(Found::Document(document))) if ids.insert(document.id.clone()) => {
                    read.documents.push(document.passages);
                }
                Ok(Some(Found::Bad { line, reason })) => read.failed.push(failure(line, reason)),
                Ok(Some(Found::Broken { reason, .. })) => read.failed.push(failure(None, reason)),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(late) => {
                    read.failed.push(failure(None, late));
                    break false;
                }
            }
        };
        if whole && reading.has_crashed() {
            read.failed
                .push(failure(None, "reading it crashed; please report the document".to_owned()));
        }
    }
    Ok(read)
}
