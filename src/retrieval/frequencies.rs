//! How many of a site's passages hold a word: what makes a rare word weigh more than a common one.
//!
//! One index holds all sites. Counted over all of them, one site's documents would change another's
//! ranking, so each has its own count.

use std::collections::HashMap;

use super::schema::Sparse;

/// The terms of one site's passages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Frequencies {
    passages: u32,
    by_term: HashMap<u32, u32>,
}

impl Frequencies {
    /// Counts one more passage, given its terms, each once.
    pub(super) fn add(&mut self, terms: &[u32]) {
        self.passages += 1;
        for term in terms {
            *self.by_term.entry(*term).or_default() += 1;
        }
    }

    /// Passages counted.
    pub(super) fn passages(&self) -> u32 {
        self.passages
    }

    /// A question's terms, weighed by how rare they are: `w · ln(1 + (N − n + ½) / (n + ½))` for a
    /// term that `n` of `N` passages hold (Robertson, Spärck Jones, 1976, kept above 0), as a
    /// Qdrant server does it.
    pub(super) fn weigh(&self, mut question: Sparse) -> Sparse {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 16 million passages")]
        let passages = self.passages as f32;
        for (term, weight) in question.indices.iter().zip(&mut question.values) {
            #[expect(clippy::cast_precision_loss, reason = "exact up to 16 million passages")]
            let holding = self.by_term.get(term).copied().unwrap_or(0) as f32;
            *weight *= ((passages - holding + 0.5) / (holding + 0.5) + 1.0).ln();
        }
        question
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_weigh_more() {
        let mut of_site = Frequencies::default();
        of_site.add(&[1, 2]);
        of_site.add(&[1]);
        of_site.add(&[1, 3]);
        let weighed = of_site.weigh(Sparse { indices: vec![1, 2, 9], values: vec![1.0, 0.5, 1.0] });
        let rounded: Vec<f32> =
            weighed.values.iter().map(|weight| (weight * 1e3).round() / 1e3).collect();
        assert_eq!(rounded, [0.134, 0.49, 2.079]);
    }
}
