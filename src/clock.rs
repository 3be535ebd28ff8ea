//! The wall clock, passed in so that tests can turn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, from the system or from a test's hand.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Wall clock, and the one that nobody sets, both in milliseconds.
    manual: Option<Arc<(AtomicU64, AtomicU64)>>,
    started: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { manual: None, started: Instant::now() }
    }

    /// A clock that stands at `now_ms` until it is moved with [`Clock::advance`].
    #[must_use]
    pub fn manual(now_ms: u64) -> Self {
        Self {
            manual: Some(Arc::new((AtomicU64::new(now_ms), AtomicU64::new(0)))),
            started: Instant::now(),
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now_ms(&self) -> u64 {
        match &self.manual {
            Some(at) => at.0.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Time that passed, whatever the wall clock was set to meanwhile.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        match &self.manual {
            Some(at) => at.1.load(Ordering::Relaxed),
            None => u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Moves a manual clock forward; the system's clock ignores it.
    pub fn advance(&self, by_ms: u64) {
        if let Some(at) = &self.manual {
            at.0.fetch_add(by_ms, Ordering::Relaxed);
            at.1.fetch_add(by_ms, Ordering::Relaxed);
        }
    }

    /// Sets a manual clock forward, as somebody sets a wall clock: no time passes. The system's
    /// clock ignores it.
    pub fn set_forward(&self, by_ms: u64) {
        if let Some(at) = &self.manual {
            at.0.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
}
