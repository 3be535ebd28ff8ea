//! A bounded line in front of engines that have no scheduler of their own: so many run, so many
//! wait, one more is refused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::LlmError;

/// A hint for a refused client; these engines' answers take seconds.
const RETRY_AFTER_MS: u64 = 1000;

/// Who runs and who waits, in order.
#[derive(Debug)]
pub(crate) struct Line {
    parallel: u32,
    queue: usize,
    state: Mutex<State>,
    /// Told whenever someone leaves or moves up.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: VecDeque<u64>,
    next_ticket: u64,
    closed: bool,
}

/// A place in the line or a turn; dropping it lets the next one move up.
#[derive(Debug)]
pub(crate) struct Place {
    line: Arc<Line>,
    ticket: u64,
    changes: watch::Receiver<()>,
    running: bool,
    told: usize,
}

impl Line {
    pub(crate) fn new(parallel: u32, queue: usize) -> Arc<Self> {
        let changed = watch::Sender::new(());
        Arc::new(Self { parallel: parallel.max(1), queue, state: Mutex::default(), changed })
    }

    /// Gets in line, or says at once that it is full or closed.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Place, LlmError> {
        let mut state = self.lock();
        if state.closed {
            return Err(LlmError::ShuttingDown);
        }
        if state.running + state.waiting.len() >= self.parallel as usize + self.queue {
            return Err(self.overloaded(RETRY_AFTER_MS));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        drop(state);
        let mut place = Place {
            line: Arc::clone(self),
            ticket,
            changes: self.changed.subscribe(),
            running: false,
            told: 0,
        };
        // Whoever finds a free turn has it at once, not only when it is first asked for.
        place.advance();
        Ok(place)
    }

    pub(crate) fn overloaded(&self, retry_after_ms: u64) -> LlmError {
        LlmError::Overloaded { parallel: self.parallel, queue: self.queue, retry_after_ms }
    }

    pub(crate) fn running(&self) -> usize {
        self.lock().running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(crate) fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Nobody gets in any more; who is in stays.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// Waits until nobody runs or waits.
    pub(crate) async fn drained(&self) {
        let mut changes = self.changed.subscribe();
        let empty = || {
            let state = self.lock();
            state.running == 0 && state.waiting.is_empty()
        };
        while !empty() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for news: `Some(place)` in line, counted from 1, or `None` when the turn has come.
    pub(crate) async fn wait(&mut self) -> Option<usize> {
        loop {
            let place = self.advance()?;
            if place != self.told {
                self.told = place;
                return Some(place);
            }
            if self.changes.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Takes the turn if it has come; otherwise the place in line.
    fn advance(&mut self) -> Option<usize> {
        if self.running {
            return None;
        }
        let mut state = self.line.lock();
        let at = state.waiting.iter().position(|&ticket| ticket == self.ticket)?;
        if at > 0 || state.running >= self.line.parallel as usize {
            return Some(at + 1);
        }
        state.waiting.pop_front();
        state.running += 1;
        self.running = true;
        drop(state);
        self.line.changed.send_replace(());
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if self.running {
            state.running -= 1;
        } else {
            state.waiting.retain(|&ticket| ticket != self.ticket);
        }
        drop(state);
        self.line.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_move_up_in_order() {
        let line = Line::new(1, 2);
        let mut first = line.enter().unwrap();
        let mut second = line.enter().unwrap();
        let mut third = line.enter().unwrap();
        assert!(matches!(line.enter(), Err(LlmError::Overloaded { parallel: 1, queue: 2, .. })));
        assert_eq!(first.wait().await, None);
        assert_eq!((second.wait().await, third.wait().await), (Some(1), Some(2)));
        drop(second);
        assert_eq!(third.wait().await, Some(1));
        drop(first);
        assert_eq!(third.wait().await, None);
        assert_eq!((line.running(), line.waiting()), (1, 0));

        line.close();
        assert!(matches!(line.enter(), Err(LlmError::ShuttingDown)));
        drop(third);
        line.drained().await;
    }
}
