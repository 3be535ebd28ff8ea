//! How many connections one visitor has: without a limit, one visitor could take every place there
//! is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections by site and visitor. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    most: usize,
    taken: Arc<Mutex<HashMap<(String, String), usize>>>,
}

/// A visitor's connection; dropping it gives the place back.
pub struct Place {
    places: Places,
    visitor: (String, String),
}

impl Places {
    /// At most `most` connections for each visitor.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), taken: Arc::default() }
    }

    /// A place for one more connection of the visitor; `None` if they have as many as they may.
    #[must_use]
    pub fn take(&self, site: &str, visitor: &str) -> Option<Place> {
        let visitor = (site.to_owned(), visitor.to_owned());
        let mut taken = self.lock();
        let count = taken.entry(visitor.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place { places: self.clone(), visitor })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) =
            self.places.lock().entry(std::mem::take(&mut self.visitor))
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_visitor_and_given_back() {
        let places = Places::new(2);
        let (first, second) = (places.take("shop", "v"), places.take("shop", "v"));
        assert!(first.is_some() && second.is_some() && places.take("shop", "v").is_none());
        let elsewhere = [places.take("bank", "v"), places.take("shop", "w")];
        assert!(elsewhere.iter().all(Option::is_some));
        drop(first);
        let third = places.take("shop", "v");
        assert!(third.is_some());
        drop((second, third, elsewhere));
        assert!(places.lock().is_empty());
    }
}
