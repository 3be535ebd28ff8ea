//! The files that a site knows, and how each is understood: which line is the header, what the
//! columns are taken for, what was left out and why. Nothing of it changes the index.

use anyhow::Context as _;
use serde::Serialize;

use super::{Knowledge, KnowledgeError, Place, Status, statuses, upload_of};
use crate::retrieval::ingest::{
    self, Explained, Failure, FolderFile, IngestOptions, UPLOAD_PREFIX,
};

/// Files that are read at once for nobody's index: each takes a thread, or a process, until
/// `knowledge.read_timeout_s`.
pub(super) const AT_ONCE: usize = 2;

/// What a site's documents are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SiteFiles {
    /// Those of its folder, then those handed in, whose ids begin with `api:`; both by id.
    pub files: Vec<FolderFile>,
    /// What stands in the folder and is of no kind that is read, or can't be; and what was handed
    /// in and can't be used.
    pub left_out: Vec<Failure>,
}

impl Knowledge {
    /// The files that a site knows.
    ///
    /// # Errors
    /// When the site is not known, or the disk fails.
    pub async fn files(&self, site: &str) -> Result<SiteFiles, KnowledgeError> {
        let folder = ingest::folder_files(self.folder(site)?).await?;
        let uploads = self.inner.config.uploads.join(site);
        let uploads = tokio::task::spawn_blocking(move || statuses(&uploads)).await;
        let mut all = SiteFiles { files: folder.files, left_out: folder.left_out };
        for status in uploads.context("reading the uploads crashed")?? {
            let id = format!("{UPLOAD_PREFIX}{}", status.id);
            if status.status == Status::Failed {
                let named =
                    status.errors.into_iter().map(|error| Failure { path: id.clone(), ..error });
                all.left_out.extend(named);
            }
            all.files.push(FolderFile { id, bytes: status.bytes });
        }
        Ok(all)
    }

    /// How one of [`Knowledge::files`] is understood, by its id; none if it is none of them. No
    /// other file is read, whatever the id looks like.
    ///
    /// # Errors
    /// When the site is not known, as many files are being read already, or the disk fails.
    pub async fn explain(&self, site: &str, id: &str) -> Result<Option<Explained>, KnowledgeError> {
        let folder = self.folder(site)?;
        let _place = self.inner.explaining.try_acquire().map_err(|_| KnowledgeError::Busy)?;
        let options = IngestOptions::from_config(&self.inner.config);
        let Some(own) = id.strip_prefix(UPLOAD_PREFIX) else {
            return Ok(ingest::explain_file(folder, id, &options).await?);
        };
        let uploads = &self.inner.config.uploads;
        let status = Place::of(uploads, site, own).status().await?;
        match status.and_then(|status| upload_of(uploads, site, status)) {
            Some(upload) => Ok(Some(ingest::explain_upload(&upload, &options).await?)),
            None => Ok(None),
        }
    }
}
