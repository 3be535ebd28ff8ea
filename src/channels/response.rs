//! Requests of a platform that wait for the answer itself as their response.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

type Waiting = HashMap<(String, String), oneshot::Sender<String>>;

/// By account and conversation; a later request of the same conversation ends the waiting of the one before.
#[derive(Default)]
pub(super) struct Responses(Mutex<Waiting>);

impl Responses {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a request waits; what it is answered with comes out of the receiver.
    pub(super) fn open(&self, account: &str, chat: &str) -> oneshot::Receiver<String> {
        let (answer, answered) = oneshot::channel();
        self.waiting().insert((account.to_owned(), chat.to_owned()), answer);
        answered
    }

    pub(super) fn waits(&self, account: &str, chat: &str) -> bool {
        self.waiting().get(&(account.to_owned(), chat.to_owned())).is_some_and(|answer| !answer.is_closed())
    }

    /// Answers the request; false if none waits any more.
    pub(super) fn answer(&self, account: &str, chat: &str, text: String) -> bool {
        let waiting = self.waiting().remove(&(account.to_owned(), chat.to_owned()));
        waiting.is_some_and(|answer| answer.send(text).is_ok())
    }
}

/// The answer, if it comes in time. One that came while the time ended counts.
pub(super) async fn wait(mut answered: oneshot::Receiver<String>, limit: Duration) -> Option<String> {
    if let Ok(answer) = tokio::time::timeout(limit, &mut answered).await {
        return answer.ok();
    }
    answered.close();
    answered.try_recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_counts_until_the_request_no_longer_waits() {
        let responses = Responses::default();
        let limit = Duration::from_millis(50);
        let first = responses.open("a", "c");
        let second = responses.open("a", "c");
        assert_eq!(wait(first, limit).await, None, "a later request ends it");
        assert!(responses.waits("a", "c") && responses.answer("a", "c", "hi".into()));
        assert_eq!(wait(second, limit).await.as_deref(), Some("hi"));
        let third = responses.open("a", "c");
        assert_eq!(wait(third, limit).await, None);
        assert!(!responses.waits("a", "c") && !responses.answer("a", "c", "late".into()));
    }
}
