//! Places for turns: so many run, so many wait in line, one more is refused at once. Who waits is
//! served site by site, as [`crate::fairness`] has it: a site that is flooded delays its own
//! visitors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{Output, TurnError};
use crate::fairness::Fairness;

/// Hands out tickets. Cheap to clone.
#[derive(Clone)]
pub struct TurnGate {
    state: Arc<Mutex<State>>,
    parallel: usize,
    queue: usize,
}

struct State {
    running: usize,
    next: u64,
    /// Tickets in line, the next first; each learns its place, 0 when it may run.
    line: Vec<Waiting>,
    fair: Fairness,
    /// How long turns took lately, in milliseconds, for the time to try again.
    mean_ms: f64,
}

struct Waiting {
    id: u64,
    site: String,
    start: f64,
    place: watch::Sender<usize>,
}

impl State {
    fn has_room(&self, parallel: usize) -> bool {
        self.running < parallel && self.line.is_empty()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rough time in milliseconds"
    )]
    fn retry_after_ms(&self, parallel: usize) -> u64 {
        ((self.mean_ms * (self.line.len() + 1) as f64 / parallel as f64) as u64).clamp(250, 60_000)
    }

    /// Tells everybody in line their place.
    fn tell(&self) {
        for (at, waiting) in self.line.iter().enumerate() {
            waiting.place.send_if_modified(|place| std::mem::replace(place, at + 1) != at + 1);
        }
    }
}

/// Every place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every place for answers is taken; try again in {retry_after_ms} ms")]
pub struct Full {
    pub retry_after_ms: u64,
}

/// A place; dropping it makes room for the next in line.
pub struct Ticket {
    gate: TurnGate,
    id: u64,
    place: watch::Receiver<usize>,
    since: Option<std::time::Instant>,
}

impl TurnGate {
    /// `weights` says for each site how many turns it gets while sites of weight 1 get one; all
    /// must be above 0. A site that it doesn't name has weight 1.
    #[must_use]
    pub fn new(parallel: usize, queue: usize, weights: HashMap<String, f64>) -> Self {
        let state = State {
            running: 0,
            next: 0,
            line: Vec::new(),
            fair: Fairness::new(weights),
            mean_ms: 1_000.0,
        };
        let state = Arc::new(Mutex::new(state));
        Self { state, parallel: parallel.max(1), queue }
    }

    /// Takes a place or a place in line for a site's turn, at once.
    ///
    /// # Errors
    /// [`Full`] when the line is full, or half of it is this site's while there are others.
    pub fn enter(&self, site: &str) -> Result<Ticket, Full> {
        let mut state = self.lock();
        if !state.has_room(self.parallel) {
            let own = || state.line.iter().filter(|waiting| waiting.site == site).count();
            let most = if state.fair.sites() > 1 { self.queue.div_ceil(2) } else { self.queue };
            if state.line.len() >= self.queue || own() >= most {
                return Err(Full { retry_after_ms: state.retry_after_ms(self.parallel) });
            }
        }
        Ok(self.take(&mut state, site))
    }

    /// Takes a place, or a place in line however long the line is: for answers that are owed
    /// already.
    #[must_use]
    pub fn enter_owed(&self, site: &str) -> Ticket {
        let mut state = self.lock();
        self.take(&mut state, site)
    }

    fn take(&self, state: &mut State, site: &str) -> Ticket {
        let start = state.fair.tag(site);
        let id = state.next;
        state.next += 1;
        let at = state.line.partition_point(|waiting| waiting.start <= start);
        let runs = state.has_room(self.parallel);
        let (sender, place) = watch::channel(if runs { 0 } else { at + 1 });
        if runs {
            state.running += 1;
            state.fair.begins(start);
        } else {
            state.line.insert(at, Waiting { id, site: site.to_owned(), start, place: sender });
            state.tell();
        }
        Ticket { gate: self.clone(), id, place, since: None }
    }

    /// How many run and how many wait.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running, state.line.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The place in line right now; 0 when the turn may run.
    #[must_use]
    pub fn place(&self) -> usize {
        *self.place.borrow()
    }

    /// Waits until the place changes; gives the new one. Only to be called while [`Self::place`]
    /// isn't 0.
    async fn moved(&mut self) -> usize {
        // The sender is dropped only after it sent 0.
        let _ = self.place.changed().await;
        let place = *self.place.borrow_and_update();
        if place == 0 {
            self.started();
        }
        place
    }

    /// Waits for the place, then does what is to be done there, for at most `limit`. Whoever
    /// listens to `line` hears of each step forward.
    ///
    /// # Errors
    /// [`TurnError::TimedOut`], [`TurnError::Gone`] when nobody listens to `line` any more, or the
    /// work's own.
    pub async fn run<R, W: Future<Output = Result<R, TurnError>>>(
        mut self,
        line: Option<mpsc::Sender<Output>>,
        limit: Duration,
        work: impl FnOnce() -> W,
    ) -> Result<R, TurnError> {
        let mut place = self.place();
        while place > 0 {
            if let Some(line) = &line {
                line.send(Output::Queued { place }).await.map_err(|_| TurnError::Gone)?;
            }
            place = self.moved().await;
        }
        drop(line);
        self.started();
        tokio::time::timeout(limit, work()).await.unwrap_or(Err(TurnError::TimedOut { limit }))
    }

    /// Starts the clock of the turn.
    fn started(&mut self) {
        self.since.get_or_insert_with(std::time::Instant::now);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if let Some(at) = state.line.iter().position(|waiting| waiting.id == self.id) {
            let left = state.line.remove(at);
            state.fair.give_back(&left.site);
        } else {
            if let Some(since) = self.since {
                state.mean_ms = 0.8 * state.mean_ms + 0.2 * since.elapsed().as_secs_f64() * 1_000.0;
            }
            if state.line.is_empty() {
                state.running -= 1;
            } else {
                let next = state.line.remove(0);
                state.fair.begins(next.start);
                next.place.send_replace(0);
            }
            if state.running == 0 {
                state.fair.rest();
            }
        }
        state.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_kept_in_order_and_given_on() {
        let gate = TurnGate::new(1, 2, HashMap::new());
        let first = gate.enter("shop").unwrap();
        let mut second = gate.enter("shop").unwrap();
        let mut third = gate.enter("shop").unwrap();
        assert_eq!([first.place(), second.place(), third.place()], [0, 1, 2]);
        assert!(gate.enter("shop").is_err());
        drop(first);
        assert_eq!(second.moved().await, 0);
        assert_eq!(third.moved().await, 1);
        drop(second);
        assert_eq!(third.moved().await, 0);
        drop(third);
        assert_eq!(gate.load(), (0, 0));
    }

    /// The order in which one place is given to those who wait, each leaving at once.
    fn order(gate: &TurnGate, first: Ticket, mut waiting: Vec<(&str, Ticket)>) -> String {
        let mut order = String::new();
        drop(first);
        while !waiting.is_empty() {
            let at = waiting.iter().position(|(_, ticket)| ticket.place() == 0).unwrap();
            let places: std::collections::BTreeSet<usize> =
                waiting.iter().map(|(_, ticket)| ticket.place()).collect();
            assert!(places.into_iter().eq(0..waiting.len()), "each place once");
            let (site, ticket) = waiting.remove(at);
            order.push_str(site);
            drop(ticket);
        }
        assert_eq!(gate.load(), (0, 0));
        order
    }

    fn sites(weights: [(&str, f64); 2]) -> HashMap<String, f64> {
        weights.map(|(site, weight)| (site.to_owned(), weight)).into()
    }

    #[test]
    fn a_flooded_site_delays_its_own() {
        let gate = TurnGate::new(1, 20, sites([("a", 1.0), ("b", 1.0)]));
        let first = gate.enter("a").unwrap();
        let mut waiting: Vec<_> = (0..6).map(|_| ("a", gate.enter("a").unwrap())).collect();
        waiting.extend((0..3).map(|_| ("b", gate.enter("b").unwrap())));
        assert_eq!(order(&gate, first, waiting), "bababaaaa");
        // Half of the line is the most that one of several may take.
        let _first = gate.enter("a").unwrap();
        let many: Vec<Ticket> = (0..10).map(|_| gate.enter("a").unwrap()).collect();
        assert!(gate.enter("a").is_err());
        assert_eq!(gate.enter("b").unwrap().place(), 1);
        assert_eq!(gate.enter_owed("a").place(), 11);
        assert!(many.iter().enumerate().all(|(at, ticket)| ticket.place() == at + 1));
    }

    #[test]
    fn weights_share_the_turns_out() {
        let gate = TurnGate::new(1, 40, sites([("a", 2.0), ("b", 1.0)]));
        let first = gate.enter("b").unwrap();
        let waiting = (0..8).flat_map(|_| ["a", "b"]);
        let waiting: Vec<_> = waiting.map(|site| (site, gate.enter(site).unwrap())).collect();
        let order = order(&gate, first, waiting);
        assert_eq!(order[..9].matches('b').count(), 3, "{order}");
    }

    #[test]
    fn who_leaves_the_line_costs_the_site_nothing() {
        let gate = TurnGate::new(1, 20, sites([("a", 1.0), ("b", 1.0)]));
        let first = gate.enter("b").unwrap();
        for _ in 0..5 {
            drop(gate.enter("a").unwrap());
        }
        let waiting = ["b", "a", "b"].map(|site| (site, gate.enter(site).unwrap())).into();
        assert_eq!(order(&gate, first, waiting), "abb");
    }

    #[tokio::test]
    async fn work_waits_for_its_place_and_has_its_time() {
        let gate = TurnGate::new(1, 1, HashMap::new());
        let limit = Duration::from_secs(1);
        let first = gate.enter("shop").unwrap();
        let (sender, mut line) = mpsc::channel(4);
        let second = gate.enter("shop").unwrap().run(Some(sender), limit, async || Ok(7));
        let meanwhile = async {
            assert_eq!(line.recv().await, Some(Output::Queued { place: 1 }));
            // An agent reads these: they don't blame the language model.
            let full: TurnError = gate.enter("shop").err().unwrap().into();
            assert!(
                full.to_string().starts_with("every place for answers is taken; try again in "),
                "{full}"
            );
            let late = first
                .run(None, limit, std::future::pending::<Result<(), TurnError>>)
                .await
                .unwrap_err();
            assert!(matches!(late, TurnError::TimedOut { .. }), "{late}");
            assert_eq!(late.to_string(), "it took longer than 1 s");
        };
        let (second, ()) = tokio::join!(second, meanwhile);
        assert_eq!(second.unwrap(), 7);
        assert_eq!(line.recv().await, None);
        assert_eq!(gate.load(), (0, 0));
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_gives_its_place_back() {
        let gate = TurnGate::new(1, 1, HashMap::new());
        let panics = async || -> Result<(), TurnError> { panic!("on purpose") };
        let limit = Duration::from_secs(1);
        let ended = gate
            .enter("shop")
            .unwrap()
            .run(None, limit, async || crate::turn::caught(panics()).await)
            .await;
        assert!(matches!(ended, Err(TurnError::Panicked)), "{ended:?}");
        assert_eq!(gate.load(), (0, 0));
    }

    #[test]
    fn leaving_the_line_moves_the_others_up() {
        let gate = TurnGate::new(1, 2, HashMap::new());
        let _first = gate.enter("shop").unwrap();
        let second = gate.enter("shop").unwrap();
        let third = gate.enter("shop").unwrap();
        drop(second);
        assert_eq!(third.place(), 1);
        assert_eq!(gate.load(), (1, 1));
    }
}
