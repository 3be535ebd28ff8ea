//! Whether the documents are being read for the first time: what is asked meanwhile may stand in
//! one that comes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that fill an empty index. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Filling(Arc<AtomicUsize>);

/// One such run, until it is dropped.
#[derive(Debug)]
pub struct Run(Filling);

impl Filling {
    /// A run begins.
    #[must_use]
    pub fn begin(&self) -> Run {
        self.0.fetch_add(1, Ordering::Relaxed);
        Run(self.clone())
    }

    /// Whether a run is under way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
