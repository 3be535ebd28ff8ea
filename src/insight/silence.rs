//! Conversations that nothing was reported of, and which of them count as without a purchase.

use std::collections::HashMap;

use crate::features::State;

/// What of a conversation decides whether silence tells something about it.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Recordings are reported for by themselves, channel by channel; `None` for conversations of
    /// this server.
    pub channel: Option<&'a str>,
    pub started_at_ms: u64,
    pub last_at_ms: u64,
    pub reported: bool,
}

impl<'a> Reported<'a> {
    #[must_use]
    pub fn of(state: &'a State) -> Self {
        Self {
            channel: state.recorded().then_some(state.channel.as_str()),
            started_at_ms: state.started_at_ms,
            // The visitor's last word: a conversation can end much later, by itself.
            last_at_ms: state.last_message_ms.unwrap_or(state.started_at_ms),
            reported: !state.outcomes.is_empty(),
        }
    }
}

/// Which conversations of a site count as not bought because nothing was reported of them for
/// `after_days` days: a site that reports its orders alone would otherwise know buyers only. That
/// takes reports: a conversation older than the oldest with one stays unknown. With 0 days silence
/// tells nothing. Pure.
#[must_use]
pub fn silent(told: &[Reported<'_>], after_days: u32, now_ms: u64) -> Vec<bool> {
    let after_ms = u64::from(after_days) * 86_400_000;
    let mut since: HashMap<Option<&str>, u64> = HashMap::new();
    for told in told.iter().filter(|told| told.reported) {
        let first = since.entry(told.channel).or_insert(told.started_at_ms);
        *first = told.started_at_ms.min(*first);
    }
    let covered = |told: &Reported<'_>| {
        since.get(&told.channel).is_some_and(|since| *since <= told.started_at_ms)
    };
    told.iter()
        .map(|told| {
            after_days > 0
                && !told.reported
                && told.last_at_ms.saturating_add(after_ms) <= now_ms
                && covered(told)
        })
        .collect()
}
