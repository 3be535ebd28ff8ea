//! What readers see while they wait, by when something must stand there, and how an answer goes out
//! in time: one policy over the table of capabilities in `platform`. Pure: times are handed in.

use serde::{Deserialize, Serialize};

/// What a reader sees while an answer is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing can be shown.
    Nothing,
    /// A sign that somebody writes, again after so many milliseconds.
    Typing { every_ms: u64 },
    /// The answer so far as a preview that leaves no message; without text a sign that somebody
    /// writes.
    Draft { every_ms: u64, typing_every_ms: u64 },
    /// A message that holds the answer so far, and in the end the whole. It stands there `first_ms`
    /// after the question at the latest, with an ellipsis if nothing is written yet; an answer that
    /// is ready earlier needs none.
    Edits { first_ms: u64, every_ms: u64 },
}

/// How an answer may go out besides as a message of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// In no other way.
    Message,
    /// In the response to the request that brought the question, within so many milliseconds;
    /// messages of their own are few.
    Response { within_ms: u64 },
    /// By a token that came with the question, which holds so long and answers once; a message of
    /// its own costs.
    Token { holds_ms: u64 },
    /// The response said already that an answer comes; a token that holds so long puts it there,
    /// and adds to it.
    Deferred { holds_ms: u64 },
    /// What came with the question is needed for every answer, and doesn't end.
    Standing,
}

/// What came with a question and lets it be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Right {
    pub(super) token: String,
    /// Milliseconds since the Unix epoch.
    pub(super) until_ms: u64,
}

impl Due {
    /// What a question that came at `at_ms` brought, if it is good for anything.
    pub(super) fn right(self, token: Option<String>, at_ms: u64) -> Option<Right> {
        let holds_ms = match self {
            Self::Message => return None,
            Self::Response { within_ms } => within_ms,
            Self::Token { holds_ms } | Self::Deferred { holds_ms } => holds_ms,
            Self::Standing => u64::MAX,
        };
        Some(Right { token: token?, until_ms: at_ms.saturating_add(holds_ms) })
    }
}

/// How the next part of an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In the response that a request waits for.
    Response,
    /// In place of what stands there already.
    Replace,
    /// With what came with the question.
    Right,
    Message,
}

/// What decides about the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    pub(super) now_ms: u64,
    pub(super) right: Option<&'a Right>,
    /// A placeholder or the answer so far stands there.
    pub(super) placed: bool,
    /// A request waits for its response.
    pub(super) open: bool,
}

#[must_use]
pub(super) fn way(due: Due, moment: Moment<'_>) -> Way {
    let holds = moment.right.is_some_and(|right| moment.now_ms < right.until_ms);
    match due {
        Due::Response { .. } if moment.open => Way::Response,
        // A placeholder that only the token reaches is out of reach without it.
        Due::Deferred { .. } if !holds => Way::Message,
        _ if moment.placed => Way::Replace,
        Due::Token { .. } | Due::Deferred { .. } | Due::Standing if holds => Way::Right,
        _ => Way::Message,
    }
}

/// A running answer as its reader sees it. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Since the answer began.
    pub(super) waited_ms: u64,
    /// Since something was shown last; `None` before.
    pub(super) shown_ms: Option<u64>,
    /// More is written than was shown.
    pub(super) grew: bool,
    /// A message stands there that the answer replaces.
    pub(super) placed: bool,
}

/// In how many milliseconds the reader is to see something more; `None` where there is nothing to
/// show.
#[must_use]
pub(super) fn show_in(waiting: Waiting, seen: Seen) -> Option<u64> {
    let again = |every_ms: u64| seen.shown_ms.map_or(0, |shown| every_ms.saturating_sub(shown));
    match waiting {
        Waiting::Nothing => None,
        Waiting::Typing { every_ms } => Some(again(every_ms)),
        Waiting::Draft { every_ms, typing_every_ms } => {
            Some(again(if seen.grew { every_ms } else { typing_every_ms }))
        }
        Waiting::Edits { first_ms, .. } if !seen.placed => {
            Some(first_ms.saturating_sub(seen.waited_ms).max(again(first_ms)))
        }
        Waiting::Edits { every_ms, .. } => seen.grew.then(|| again(every_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs an answer on scripted time: it grows at these milliseconds and is whole at the last;
    /// gives when something was shown, with whether text was there.
    fn shown(waiting: Waiting, grows: &[u64], placed: bool) -> Vec<(u64, bool)> {
        let end = *grows.last().unwrap();
        let (mut now, mut last, mut seen_of, mut placed) = (0, None, 0, placed);
        let mut shown = Vec::new();
        loop {
            let text = grows.iter().filter(|at| **at <= now).count();
            let seen = Seen {
                waited_ms: now,
                shown_ms: last.map(|last| now - last),
                grew: text > seen_of,
                placed,
            };
            match show_in(waiting, seen) {
                Some(0) => {
                    shown.push((now, text > 0));
                    (last, seen_of, placed) = (Some(now), text, true);
                }
                Some(wait) => {
                    now += wait.min(grows.iter().find(|at| **at > now).map_or(wait, |at| at - now))
                }
                None => match grows.iter().find(|at| **at > now) {
                    Some(at) => now = *at,
                    None => return shown,
                },
            }
            if now >= end {
                return shown;
            }
        }
    }

    #[test]
    fn something_stands_there_before_it_is_due() {
        // Slack: by three seconds, with an ellipsis if nothing is written by then.
        let slack = Waiting::Edits { first_ms: 2_500, every_ms: 1_500 };
        assert_eq!(shown(slack, &[9_000], false), [(2_500, false)]);
        assert_eq!(
            shown(slack, &[1_000, 3_000, 3_100, 9_000], false),
            [(2_500, true), (4_000, true)]
        );
        // An answer that is ready earlier needs no placeholder.
        assert_eq!(shown(slack, &[1_000, 2_400], false), []);
        // Discord's response was the placeholder.
        assert_eq!(shown(slack, &[400, 500, 2_400], true), [(400, true), (1_900, true)]);
        let telegram = Waiting::Draft { every_ms: 1_000, typing_every_ms: 4_000 };
        assert_eq!(shown(telegram, &[9_000], false), [(0, false), (4_000, false), (8_000, false)]);
        assert_eq!(
            shown(telegram, &[1_500, 1_600, 3_000], false),
            [(0, false), (1_500, true), (2_500, true)]
        );
        assert_eq!(shown(Waiting::Nothing, &[9_000], false), []);
    }

    #[test]
    fn an_answer_goes_out_the_way_that_still_holds() {
        let check = |due: Due, after_ms: u64, placed: bool, open: bool, expected: Way| {
            let right = due.right(Some("t".into()), 1_000);
            let moment = Moment { now_ms: 1_000 + after_ms, right: right.as_ref(), placed, open };
            assert_eq!(way(due, moment), expected, "{due:?} after {after_ms} ms");
        };
        let line = Due::Token { holds_ms: 30_000 };
        check(line, 29_999, false, false, Way::Right);
        check(line, 30_000, false, false, Way::Message);
        let wechat = Due::Response { within_ms: 4_000 };
        check(wechat, 3_000, false, true, Way::Response);
        check(wechat, 3_000, false, false, Way::Message);
        let discord = Due::Deferred { holds_ms: 840_000 };
        check(discord, 800_000, true, false, Way::Replace);
        check(discord, 800_000, false, false, Way::Right);
        check(discord, 840_000, true, false, Way::Message);
        check(Due::Standing, u64::MAX - 2_000, false, false, Way::Right);
        check(Due::Message, 0, true, false, Way::Replace);
        check(Due::Message, 0, false, false, Way::Message);
        assert_eq!(line.right(None, 0), None);
        let none = Moment { now_ms: 0, right: None, placed: false, open: false };
        assert_eq!(way(line, none), Way::Message);
    }
}
