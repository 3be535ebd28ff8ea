//! Whose turn is next where sites share something, by start-time fair queueing (Goyal, Vin and
//! Cheng 1996): a site that wants much delays itself. Pure.

use std::collections::HashMap;
use std::sync::Arc;

/// What sites had of something, and whose turn that makes it.
#[derive(Clone, Debug)]
pub struct Fairness {
    /// Each site's share while others wait, relative to theirs.
    weights: Arc<HashMap<String, f64>>,
    /// Virtual time: the start tag of who was let in last.
    now: f64,
    /// The virtual time at which a site has had its share, from its last tag.
    served: HashMap<String, f64>,
}

impl Fairness {
    /// `weights` says for each site how many turns it gets while sites of weight 1 get one; all
    /// must be above 0. A site that it doesn't name has weight 1.
    #[must_use]
    pub fn new(weights: HashMap<String, f64>) -> Self {
        Self { weights: Arc::new(weights), now: 0.0, served: HashMap::new() }
    }

    /// Sites that there are.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.weights.len()
    }

    /// The start tag of a site's next turn: of those who wait, the lowest goes first.
    pub fn tag(&mut self, site: &str) -> f64 {
        let start = self.served.get(site).copied().unwrap_or_default().max(self.now);
        self.served.insert(site.to_owned(), start + self.cost(site));
        start
    }

    /// Who has this tag was let in.
    pub fn begins(&mut self, tag: f64) {
        self.now = self.now.max(tag);
    }

    /// Who left the line has had nothing.
    pub fn give_back(&mut self, site: &str) {
        let (now, cost) = (self.now, self.cost(site));
        if let Some(served) = self.served.get_mut(site) {
            *served = (*served - cost).max(now);
        }
    }

    /// Nobody is owed anything; time begins anew, and stays exact.
    pub fn rest(&mut self) {
        (self.now, self.served) = (0.0, HashMap::new());
    }

    /// Virtual time of one turn.
    fn cost(&self, site: &str) -> f64 {
        self.weights.get(site).map_or(1.0, |weight| weight.recip())
    }
}
