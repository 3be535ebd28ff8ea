//! A file while a thread of its own reads it.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::{Found, IngestOptions, isolated, read, walk};

/// Documents that the thread may be ahead.
const READ_AHEAD: usize = 32;
/// Parsers recurse; what they are given is bounded to fit.
const STACK_BYTES: usize = 16 << 20;

/// What is found in a file, piece by piece.
pub(super) struct Reading {
    found: mpsc::Receiver<Found>,
    thread: JoinHandle<()>,
    limit: Duration,
    /// What a child process may take beyond that: it ends itself at its limit and says so.
    grace: Duration,
}

impl Reading {
    /// `known` are the hashes of documents that needn't be read again, by id. `explain`: say what
    /// texts are in no passage.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(super) fn begin(
        site: &str,
        file: &walk::File,
        options: &IngestOptions,
        known: Arc<HashMap<String, String>>,
        explain: bool,
    ) -> anyhow::Result<Self> {
        let (sender, found) = mpsc::channel(READ_AHEAD);
        let reader = read::Reader {
            site: site.to_owned(),
            path: file.path.clone(),
            id: file.id.clone(),
            format: file.format,
            about: file.about.clone(),
            defaults: file.defaults.clone(),
            handed_in: file.handed_in,
            passage_tokens: options.passage_tokens,
            max_bytes: options.max_document_bytes,
            isolation: isolated::Isolation {
                time_limit: options.time_limit,
                memory_mib: options.reader_memory_mib,
            },
            known,
            explain,
        };
        let thread =
            std::thread::Builder::new().name("frontdesk-read".into()).stack_size(STACK_BYTES);
        let thread = thread
            .spawn(move || reader.run(&sender))
            .context("a thread for reading documents could not be started")?;
        let grace = if file.format.isolated().is_some() { isolated::GRACE } else { Duration::ZERO };
        Ok(Self { found, thread, limit: options.time_limit, grace })
    }

    /// The next piece, or none at the end.
    ///
    /// # Errors
    ///
    /// When it takes longer than `knowledge.read_timeout_s`, in words. The thread can't be stopped
    /// then; it ends when it next has something to say.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, String> {
        let late =
            |_| format!("it took longer than {} s to read and was left out", self.limit.as_secs());
        tokio::time::timeout(self.limit + self.grace, self.found.recv()).await.map_err(late)
    }

    /// Whether the thread crashed. Call it after the end, when the thread ends, too.
    pub(super) fn has_crashed(self) -> bool {
        self.thread.join().is_err()
    }
}
