//! The wall clock, passed in so that tests can turn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, from the system or from a test's hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// A clock that stands at `now_ms` until it is moved with [`Clock::advance`].
    #[must_use]
    pub fn manual(now_ms: u64) -> Self {
        Self { manual: Some(Arc::new(AtomicU64::new(now_ms))) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now_ms(&self) -> u64 {
        match &self.manual {
            Some(at) => at.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Moves a manual clock forward; the system's clock ignores it.
    pub fn advance(&self, by_ms: u64) {
        if let Some(at) = &self.manual {
            at.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
}
