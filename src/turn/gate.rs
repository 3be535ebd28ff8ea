//! Places for turns: so many run, so many wait in line, one more is refused at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{Output, TurnError};

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
    /// Tickets in line, first come first; each learns its place, 0 when it may run.
    line: VecDeque<(u64, watch::Sender<usize>)>,
    /// How long turns took lately, in milliseconds, for the time to try again.
    mean_ms: f64,
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
    #[must_use]
    pub fn new(parallel: usize, queue: usize) -> Self {
        let state = State { running: 0, next: 0, line: VecDeque::new(), mean_ms: 1_000.0 };
        Self { state: Arc::new(Mutex::new(state)), parallel: parallel.max(1), queue }
    }

    /// Takes a place or a place in line, at once.
    ///
    /// # Errors
    /// [`Full`] when the line is full.
    pub fn enter(&self) -> Result<Ticket, Full> {
        let mut state = self.lock();
        if !state.has_room(self.parallel) && state.line.len() >= self.queue {
            return Err(Full { retry_after_ms: state.retry_after_ms(self.parallel) });
        }
        Ok(self.take(&mut state))
    }

    /// Takes a place, or a place in line however long the line is: for answers that are owed
    /// already.
    #[must_use]
    pub fn enter_owed(&self) -> Ticket {
        let mut state = self.lock();
        self.take(&mut state)
    }

    fn take(&self, state: &mut State) -> Ticket {
        let place = if state.has_room(self.parallel) {
            state.running += 1;
            0
        } else {
            state.line.len() + 1
        };
        let id = state.next;
        state.next += 1;
        let (sender, receiver) = watch::channel(place);
        if place > 0 {
            state.line.push_back((id, sender));
        }
        Ticket { gate: self.clone(), id, place: receiver, since: None }
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
        if let Some(at) = state.line.iter().position(|(id, _)| *id == self.id) {
            state.line.remove(at);
        } else {
            if let Some(since) = self.since {
                state.mean_ms = 0.8 * state.mean_ms + 0.2 * since.elapsed().as_secs_f64() * 1_000.0;
            }
            match state.line.pop_front() {
                Some((_, next)) => {
                    next.send_replace(0);
                }
                None => state.running -= 1,
            }
        }
        for (i, (_, sender)) in state.line.iter().enumerate() {
            sender.send_replace(i + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_kept_in_order_and_given_on() {
        let gate = TurnGate::new(1, 2);
        let first = gate.enter().unwrap();
        let mut second = gate.enter().unwrap();
        let mut third = gate.enter().unwrap();
        assert_eq!([first.place(), second.place(), third.place()], [0, 1, 2]);
        assert!(gate.enter().is_err());
        drop(first);
        assert_eq!(second.moved().await, 0);
        assert_eq!(third.moved().await, 1);
        drop(second);
        assert_eq!(third.moved().await, 0);
        drop(third);
        assert_eq!(gate.load(), (0, 0));
    }

    #[tokio::test]
    async fn work_waits_for_its_place_and_has_its_time() {
        let gate = TurnGate::new(1, 1);
        let limit = Duration::from_secs(1);
        let first = gate.enter().unwrap();
        let (sender, mut line) = mpsc::channel(4);
        let second = gate.enter().unwrap().run(Some(sender), limit, async || Ok(7));
        let meanwhile = async {
            assert_eq!(line.recv().await, Some(Output::Queued { place: 1 }));
            // An agent reads these: they don't blame the language model.
            let full: TurnError = gate.enter().err().unwrap().into();
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
        let gate = TurnGate::new(1, 1);
        let panics = async || -> Result<(), TurnError> { panic!("on purpose") };
        let limit = Duration::from_secs(1);
        let ended = gate
            .enter()
            .unwrap()
            .run(None, limit, async || crate::turn::caught(panics()).await)
            .await;
        assert!(matches!(ended, Err(TurnError::Panicked)), "{ended:?}");
        assert_eq!(gate.load(), (0, 0));
    }

    #[test]
    fn leaving_the_line_moves_the_others_up() {
        let gate = TurnGate::new(1, 2);
        let _first = gate.enter().unwrap();
        let second = gate.enter().unwrap();
        let third = gate.enter().unwrap();
        drop(second);
        assert_eq!(third.place(), 1);
        assert_eq!(gate.load(), (1, 1));
    }
}
