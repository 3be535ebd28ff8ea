//! "Anything cheaper?" after one thing was spoken of: what of its category is ahead of it.

use super::{Measure, Shelf, Subject};
use crate::catalogue::shelf::ACCESSORY;

impl Shelf {
    /// The rows of the same category that have less, or more, of something than what was spoken of.
    /// `None` where several things were, or none is ahead of it. What costs far less than it is an
    /// accessory.
    pub(super) fn ahead_of(
        &self,
        spoken: &Subject,
        (measure, more): (Measure, bool),
        rows: &[usize],
    ) -> Option<Subject> {
        let [own] = spoken.named.as_slice() else { return None };
        let first = *own.first()?;
        if self.products(own).len() > 1 || spoken.kind {
            return None;
        }
        let unit = self.unit(measure, first)?;
        let category = self.rows.get(first)?.category();
        let limit = own.iter().filter_map(|row| self.figure(measure, *row));
        let limit = limit.fold(f64::NAN, if more { f64::max } else { f64::min });
        let price = self.figure(Measure::Price, first);
        let is_ahead = |row: &usize| {
            let figure = self.figure(measure, *row).filter(|_| {
                !category.is_empty()
                    && self.rows[*row].category() == category
                    && self.unit(measure, *row).as_ref() == Some(&unit)
            });
            let accessory = price
                .zip(self.figure(Measure::Price, *row))
                .is_some_and(|(price, own)| own < ACCESSORY * price);
            let ahead = |figure: f64| if more { figure > limit } else { figure < limit };
            !accessory && figure.is_some_and(ahead)
        };
        let found: Vec<usize> = rows.iter().copied().filter(is_ahead).collect();
        (!found.is_empty()).then(|| Subject {
            named: vec![found],
            ahead: true,
            ..Subject::default()
        })
    }
}
