//! Whose documents are read and written next. One piece of work at a time: a file, or a batch of
//! passages. Between two pieces a run gives way to other sites, so that ten thousand documents of
//! one site don't hold another's single one back. Runs of one site follow each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::fairness::Fairness;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Line {
    state: Arc<Mutex<State>>,
    /// Held by the run of a site.
    sites: Arc<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    places: usize,
}

struct State {
    fair: Fairness,
    /// Whether somebody works.
    busy: bool,
    next: u64,
    /// Who waits for the next piece of work, the next first.
    waiting: Vec<Waiting>,
    /// Runs of each site, waiting or at work.
    runs: HashMap<String, usize>,
}

struct Waiting {
    id: u64,
    site: String,
    start: f64,
    go: oneshot::Sender<()>,
}

/// A place for a run, until it is dropped.
pub(super) struct Place {
    line: Line,
    site: String,
}

/// The right to work, until it is dropped.
pub(super) struct Turn {
    ticket: tokio::sync::Mutex<Ticket>,
    line: Line,
    site: String,
    _alone: OwnedMutexGuard<()>,
}

struct Ticket {
    line: Line,
    id: u64,
    /// `None` once it is its turn.
    go: Option<oneshot::Receiver<()>>,
}

impl Line {
    /// So many runs may wait or work, of one site half of them where there are several.
    pub(super) fn new(places: usize, weights: HashMap<String, f64>) -> Self {
        let sites = weights.keys().map(|site| (site.clone(), Arc::default())).collect();
        let state = State {
            fair: Fairness::new(weights),
            busy: false,
            next: 0,
            waiting: Vec::new(),
            runs: HashMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), sites: Arc::new(sites), places }
    }

    /// A place for a run of this site's; `None` where they are taken.
    pub(super) fn enter(&self, site: &str) -> Option<Place> {
        let mut state = self.lock();
        let most = if state.fair.sites() > 1 { self.places.div_ceil(2) } else { self.places };
        let own = state.runs.get(site).copied().unwrap_or_default();
        if own >= most || state.runs.values().sum::<usize>() >= self.places {
            return None;
        }
        state.runs.insert(site.to_owned(), own + 1);
        Some(Place { line: self.clone(), site: site.to_owned() })
    }

    fn take(&self, site: &str) -> Ticket {
        let mut state = self.lock();
        let start = state.fair.tag(site);
        let id = state.next;
        state.next += 1;
        let mut go = None;
        if state.busy {
            let (sender, receiver) = oneshot::channel();
            let at = state.waiting.partition_point(|waiting| waiting.start <= start);
            state.waiting.insert(at, Waiting { id, site: site.to_owned(), start, go: sender });
            go = Some(receiver);
        } else {
            state.busy = true;
            state.fair.begins(start);
        }
        Ticket { line: self.clone(), id, go }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for the site's runs before this one, and for its turn. `None` for a site that there
    /// isn't.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let alone = self.line.sites.get(&self.site)?.clone().lock_owned().await;
        let mut ticket = self.line.take(&self.site);
        ticket.ready().await;
        let (line, site) = (self.line.clone(), self.site.clone());
        Some(Turn { ticket: tokio::sync::Mutex::new(ticket), line, site, _alone: alone })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if let Some(runs) = state.runs.get_mut(&self.site) {
            *runs -= 1;
        }
    }
}

impl Turn {
    /// Lets those work whose turn it is, and waits for the next one of its own.
    pub(super) async fn give_way(&self) {
        let mut ticket = self.ticket.lock().await;
        if self.line.lock().waiting.is_empty() {
            return;
        }
        // In line before the other is given back: nobody's turn is skipped.
        *ticket = self.line.take(&self.site);
        ticket.ready().await;
    }
}

impl Ticket {
    async fn ready(&mut self) {
        if let Some(go) = &mut self.go {
            // The sender is dropped only after it sent.
            let _ = go.await;
            self.go = None;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if let Some(at) = state.waiting.iter().position(|waiting| waiting.id == self.id) {
            let left = state.waiting.remove(at);
            state.fair.give_back(&left.site);
        } else if state.waiting.is_empty() {
            state.busy = false;
            state.fair.rest();
        } else {
            let next = state.waiting.remove(0);
            state.fair.begins(next.start);
            // Whoever left meanwhile drops its ticket, and gives the turn on.
            let _ = next.go.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn line(weights: &[(&str, f64)]) -> Line {
        let weights = weights.iter().map(|(site, weight)| ((*site).to_owned(), *weight));
        Line::new(32, weights.collect())
    }

    /// A run of so many pieces, each written down. Others come up to each of them meanwhile.
    async fn run(line: &Line, site: &str, pieces: usize, done: &Mutex<String>) {
        let place = line.enter(site).unwrap();
        let turn = place.turn().await.unwrap();
        for piece in 0..pieces {
            if piece > 0 {
                turn.give_way().await;
            }
            done.lock().unwrap().push_str(site);
            tokio::task::yield_now().await;
        }
        drop(turn);
    }

    #[tokio::test]
    async fn one_document_waits_for_one_piece_of_another_site_s_run() {
        let (line, done) = (line(&[("a", 1.0), ("b", 1.0)]), Mutex::default());
        // The first poll of each comes in this order: the long run is at work before the others.
        let runs = [("a", 10), ("b", 1), ("b", 2), ("a", 1)];
        join_all(runs.map(|(site, pieces)| run(&line, site, pieces, &done))).await;
        // Runs of one site follow each other.
        assert_eq!(*done.lock().unwrap(), "ababab".to_owned() + &"a".repeat(8));
        assert!(!line.lock().busy && line.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn weights_share_the_work_out() {
        let (line, done) = (line(&[("a", 2.0), ("b", 1.0)]), Mutex::default());
        let runs = [("b", 6), ("a", 8)];
        join_all(runs.map(|(site, pieces)| run(&line, site, pieces, &done))).await;
        let done = done.lock().unwrap();
        assert_eq!(done[..9].matches('b').count(), 3, "{done}");
    }

    #[tokio::test]
    async fn places_are_bounded_and_one_site_leaves_others_half() {
        let line = line(&[("a", 1.0), ("b", 1.0)]);
        let mut places: Vec<Place> = (0..16).map(|_| line.enter("a").unwrap()).collect();
        assert!(line.enter("a").is_none());
        places.extend((0..16).map(|_| line.enter("b").unwrap()));
        assert!(line.enter("b").is_none());
        places.clear();
        assert!(line.enter("a").is_some());
        assert!(line.enter("other").unwrap().turn().await.is_none());
        let alone = Line::new(4, HashMap::from([("a".to_owned(), 1.0)]));
        let places: Vec<Option<Place>> = (0..5).map(|_| alone.enter("a")).collect();
        assert_eq!(places.iter().flatten().count(), 4);
    }

    async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = std::future::ready(()) => true,
        }
    }

    #[tokio::test]
    async fn who_leaves_the_line_holds_nobody_up() {
        let line = line(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        let [a, b, c] = ["a", "b", "c"].map(|site| line.enter(site).unwrap());
        let first = a.turn().await.unwrap();
        {
            let mut waits = Box::pin(b.turn());
            assert!(is_pending(&mut waits).await);
        }
        let mut next = Box::pin(c.turn());
        assert!(is_pending(&mut next).await);
        // Given way to and left in the middle of it: the turn is another's, not lost.
        {
            let mut way = Box::pin(first.give_way());
            assert!(is_pending(&mut way).await);
        }
        let next = next.await.unwrap();
        drop(first);
        drop(next);
        assert!(!line.lock().busy);
        assert!(b.turn().await.is_some());
    }
}
