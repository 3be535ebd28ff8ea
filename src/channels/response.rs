//! Requests of a platform that wait for the answer itself as their response.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How long an answer is kept in case that the platform asks again: WeChat does so three times
/// within 15 s.
const KEPT: Duration = Duration::from_secs(60);

/// By account and conversation; a later request of the same conversation ends the waiting of the
/// one before.
#[derive(Default)]
pub(super) struct Responses(Mutex<HashMap<(String, String), Asked>>);

/// A request, by the key of its event.
struct Asked {
    key: String,
    at: Instant,
    answer: Answer,
}

enum Answer {
    Awaited(oneshot::Sender<String>),
    /// It was given to the request.
    Given(String),
}

impl Responses {
    fn asked(&self) -> MutexGuard<'_, HashMap<(String, String), Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a request waits; what it is answered with comes out of the receiver. One that was
    /// answered already asks again because the answer didn't reach the platform: it is the same.
    pub(super) fn open(&self, account: &str, chat: &str, key: &str) -> oneshot::Receiver<String> {
        let (answer, answered) = oneshot::channel();
        let mut all = self.asked();
        all.retain(|_, asked| asked.at.elapsed() < KEPT);
        let place = (account.to_owned(), chat.to_owned());
        match all.get(&place).filter(|asked| asked.key == key).map(|asked| &asked.answer) {
            // The receiver is held here still.
            Some(Answer::Given(text)) => drop(answer.send(text.clone())),
            // The first of the two is answered.
            Some(Answer::Awaited(first)) if !first.is_closed() => {}
            _ => {
                let asked = Asked {
                    key: key.to_owned(),
                    at: Instant::now(),
                    answer: Answer::Awaited(answer),
                };
                all.insert(place, asked);
            }
        }
        answered
    }

    pub(super) fn waits(&self, account: &str, chat: &str) -> bool {
        let all = self.asked();
        let asked = all.get(&(account.to_owned(), chat.to_owned()));
        asked.is_some_and(
            |asked| matches!(&asked.answer, Answer::Awaited(answer) if !answer.is_closed()),
        )
    }

    /// Answers the request; false if none waits any more.
    pub(super) fn answer(&self, account: &str, chat: &str, text: &str) -> bool {
        let mut all = self.asked();
        let place = (account.to_owned(), chat.to_owned());
        let Some(Asked { key, at, answer }) = all.remove(&place) else { return false };
        let (answer, given) = match answer {
            Answer::Awaited(waiting) => match waiting.send(text.to_owned()) {
                Ok(()) => (Answer::Given(text.to_owned()), true),
                Err(_) => return false,
            },
            before @ Answer::Given(_) => (before, false),
        };
        all.insert(place, Asked { key, at, answer });
        given
    }
}

/// The answer, if it comes in time. One that came while the time ended counts.
pub(super) async fn wait(
    mut answered: oneshot::Receiver<String>,
    limit: Duration,
) -> Option<String> {
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
        let first = responses.open("a", "c", "1");
        let second = responses.open("a", "c", "2");
        assert_eq!(wait(first, limit).await, None, "a later request ends it");
        assert!(responses.waits("a", "c") && responses.answer("a", "c", "hi"));
        assert_eq!(wait(second, limit).await.as_deref(), Some("hi"));
        let third = responses.open("a", "c", "3");
        assert_eq!(wait(third, limit).await, None);
        assert!(!responses.waits("a", "c") && !responses.answer("a", "c", "late"));
    }

    #[tokio::test]
    async fn a_request_that_comes_again_gets_the_answer_that_got_lost() {
        let responses = Responses::default();
        let limit = Duration::from_millis(50);
        let first = responses.open("a", "c", "1");
        assert_eq!(
            wait(responses.open("a", "c", "1"), limit).await,
            None,
            "the first is waited with"
        );
        assert!(responses.answer("a", "c", "hi"));
        // Nobody reads it: the connection is gone.
        drop(first);
        assert_eq!(wait(responses.open("a", "c", "1"), limit).await.as_deref(), Some("hi"));
        assert!(!responses.waits("a", "c") && !responses.answer("a", "c", "more"));
        // The next question isn't answered with it.
        assert_eq!(wait(responses.open("a", "c", "2"), limit).await, None);
    }
}
