//! Which sessions have something new, for whoever keeps a picture of them in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::conversation::SessionKey;

/// Sessions remembered at the same time; beyond that every session is to be read again.
const MAX_TOUCHED: usize = 50_000;

/// Sessions whose log got more than their events tell. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Touched(Arc<Mutex<Touches>>);

/// A std mutex holds it for a look or a change, never across an await.
#[derive(Debug, Default)]
struct Touches {
    /// With the touch's number, so that one that comes while the session is read isn't taken for
    /// the one before.
    keys: HashMap<SessionKey, u64>,
    count: u64,
    /// Counts how often there were too many to remember: then every session is to be read again.
    epoch: u64,
}

impl Touched {
    /// The session is to be read again.
    pub fn touch(&self, key: &SessionKey) {
        let mut touches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touches.keys.len() >= MAX_TOUCHED {
            touches.keys.clear();
            touches.epoch += 1;
        }
        touches.count += 1;
        let number = touches.count;
        touches.keys.insert(key.clone(), number);
    }

    /// The number of the session's last touch since it was read.
    pub(crate) fn last(&self, key: &SessionKey) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys.get(key).copied()
    }

    /// The session was read after its touch of this number.
    pub(crate) fn done(&self, key: &SessionKey, number: u64) {
        let mut touches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touches.keys.get(key) == Some(&number) {
            touches.keys.remove(key);
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).epoch
    }
}
