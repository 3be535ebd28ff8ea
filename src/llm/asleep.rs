//! Conversations that sleep: what of them left the KV cache for memory, and which of it a prompt
//! can have back. Pure bookkeeping; the worker holds the bytes.
//!
//! A step attends over all cells in use, those of paused conversations among them. So a finished
//! conversation keeps its cells only while few are kept; then its own part, what no other sequence
//! refers to, becomes a snapshot and its cells are free. A prompt that goes on with it has the
//! snapshot put back, which takes milliseconds where computing it again takes seconds.
//!
//! A snapshot is used only for a prompt that begins with the very tokens that it was computed from,
//! all of them.

use super::tokens::{TokenId, common_prefix};

/// A snapshot's number.
pub type SnapshotId = u64;
/// Whose conversation a sequence is; `None` where that is not known, and then it is forgotten with
/// anybody's.
pub type Owner = Option<u64>;

/// A snapshot that helps with fewer tokens is not worth putting back.
const WORTH_WAKING_TOKENS: usize = 16;

/// Positions `from..tokens.len()` of a sequence that held `tokens`.
#[derive(Debug)]
struct Sleeper {
    id: SnapshotId,
    tokens: Vec<TokenId>,
    from: usize,
    owner: Owner,
    used_at: u64,
}

impl Sleeper {
    fn own(&self) -> usize {
        self.tokens.len() - self.from
    }
}

/// What can be put back for a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waking {
    pub id: SnapshotId,
    /// The prompt has it in common with the snapshot up to here.
    pub to: usize,
    /// Cells that the whole snapshot needs while it is put back.
    pub cells: usize,
    /// Nothing of the snapshot is left over.
    pub whole: bool,
}

/// The snapshots there are.
#[derive(Debug)]
pub struct Asleep {
    sleepers: Vec<Sleeper>,
    /// Tokens of all snapshots at most; 0 keeps none.
    capacity: usize,
    next_id: SnapshotId,
    put_back: u64,
}

impl Asleep {
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { sleepers: Vec::new(), capacity, next_id: 1, put_back: 0 }
    }

    /// Whether snapshots are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// Tokens in snapshots.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.sleepers.iter().map(Sleeper::own).sum()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sleepers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sleepers.is_empty()
    }

    /// Snapshots of an owner.
    #[must_use]
    pub fn count_of(&self, owner: Owner) -> usize {
        self.sleepers.iter().filter(|sleeper| sleeper.owner == owner).count()
    }

    /// Snapshots that were put back so far.
    #[must_use]
    pub fn put_back(&self) -> u64 {
        self.put_back
    }

    /// Notes a snapshot of a sequence's positions from `from` on. Returns its number, or `None` if
    /// it isn't worth one; and the snapshots that make room for it, the least recently used first.
    pub fn add(
        &mut self,
        tokens: &[TokenId],
        from: usize,
        owner: Owner,
        used_at: u64,
    ) -> (Option<SnapshotId>, Vec<SnapshotId>) {
        let own = tokens.len().saturating_sub(from);
        let known = |sleeper: &Sleeper| {
            sleeper.owner == owner && sleeper.from <= from && sleeper.tokens.starts_with(tokens)
        };
        if own < WORTH_WAKING_TOKENS || own > self.capacity || self.sleepers.iter().any(known) {
            return (None, Vec::new());
        }
        let mut gone = Vec::new();
        let mut room = self.capacity - own;
        let mut newest_first: Vec<usize> = (0..self.sleepers.len()).collect();
        newest_first.sort_by_key(|&at| std::cmp::Reverse(self.sleepers[at].used_at));
        for at in newest_first {
            let sleeper = &self.sleepers[at];
            if sleeper.own() > room {
                gone.push(sleeper.id);
                room = 0;
            } else {
                room -= sleeper.own();
            }
        }
        self.sleepers.retain(|sleeper| !gone.contains(&sleeper.id));
        let id = self.next_id;
        self.next_id += 1;
        self.sleepers.push(Sleeper { id, tokens: tokens.to_vec(), from, owner, used_at });
        (Some(id), gone)
    }

    /// The snapshot that goes on furthest after the first `have` tokens of a prompt.
    #[must_use]
    pub fn longest_match(&self, prompt: &[TokenId], have: usize) -> Option<Waking> {
        self.sleepers
            .iter()
            .filter(|sleeper| sleeper.from <= have && sleeper.tokens.len() > have)
            .map(|sleeper| (sleeper, common_prefix(&sleeper.tokens, prompt)))
            .filter(|&(_, to)| to >= have + WORTH_WAKING_TOKENS)
            .max_by_key(|&(sleeper, to)| (to, sleeper.used_at))
            .map(|(sleeper, to)| Waking {
                id: sleeper.id,
                to,
                cells: sleeper.own(),
                whole: to == sleeper.tokens.len(),
            })
    }

    /// A snapshot is about to be put back: others make room before it does.
    pub fn touch(&mut self, id: SnapshotId, tick: u64) {
        if let Some(sleeper) = self.sleepers.iter_mut().find(|sleeper| sleeper.id == id) {
            sleeper.used_at = tick;
        }
    }

    /// Notes that a snapshot is put back. One of which nothing is left over is of no more use: the
    /// conversation is awake. Returns false if it is gone.
    #[must_use]
    pub fn wake(&mut self, waking: Waking) -> bool {
        let known = self.sleepers.iter().any(|sleeper| sleeper.id == waking.id);
        self.put_back += u64::from(known);
        if waking.whole {
            self.remove(waking.id);
        }
        known
    }

    pub fn remove(&mut self, id: SnapshotId) {
        self.sleepers.retain(|sleeper| sleeper.id != id);
    }

    /// Forgets the snapshots that `forget` says so of. Returns them.
    pub fn forget(&mut self, forget: impl Fn(Owner) -> bool) -> Vec<SnapshotId> {
        let gone = self
            .sleepers
            .iter()
            .filter(|sleeper| forget(sleeper.owner))
            .map(|sleeper| sleeper.id)
            .collect();
        self.sleepers.retain(|sleeper| !forget(sleeper.owner));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(length: TokenId, family: TokenId) -> Vec<TokenId> {
        (0..length).map(|at| if at < 20 { at } else { at + 1000 * family }).collect()
    }

    #[test]
    fn a_snapshot_serves_prompts_that_begin_as_it_does() {
        let mut asleep = Asleep::new(1000);
        let (id, gone) = asleep.add(&tokens(100, 1), 20, Some(1), 1);
        assert!(id.is_some() && gone.is_empty());
        let to = |prompt: &[TokenId], have| {
            asleep.longest_match(prompt, have).map(|waking| (waking.to, waking.whole))
        };
        assert_eq!(to(&tokens(120, 1), 20), Some((100, true)));
        assert_eq!(to(&tokens(120, 1), 30), Some((100, true)));
        assert_eq!(to(&tokens(60, 1), 20), Some((60, false)));
        assert_eq!(to(&tokens(120, 1), 19), None, "what it stands on is missing");
        assert_eq!(to(&tokens(120, 2), 20), None, "another conversation");
        assert_eq!(to(&tokens(30, 1), 20), None, "too little to be worth it");
    }

    #[test]
    fn the_least_recently_used_make_room() {
        let mut asleep = Asleep::new(200);
        let ids: Vec<_> = (1..=3)
            .map(|at| asleep.add(&tokens(100, at), 20, Some(at as u64), at as u64))
            .collect();
        assert_eq!(ids[2], (Some(3), vec![1]));
        assert_eq!((asleep.len(), asleep.tokens()), (2, 160));
        assert_eq!(
            asleep.add(&tokens(300, 4), 0, None, 9),
            (None, Vec::new()),
            "more than there is room for at all"
        );
    }

    #[test]
    fn what_is_known_is_not_kept_twice() {
        let mut asleep = Asleep::new(1000);
        asleep.add(&tokens(100, 1), 20, Some(1), 1);
        assert_eq!(asleep.add(&tokens(90, 1), 30, Some(1), 2).0, None);
        assert!(
            asleep.add(&tokens(90, 1), 30, Some(2), 2).0.is_some(),
            "another's is kept: each is erased by itself"
        );
    }

    #[test]
    fn a_conversation_is_forgotten_with_what_is_nobodys() {
        let mut asleep = Asleep::new(1000);
        for owner in [Some(1), Some(2), None] {
            asleep.add(&tokens(100, owner.unwrap_or(3) as TokenId), 20, owner, 1);
        }
        assert_eq!(asleep.forget(|owner| owner.is_none_or(|owner| owner == 2)), [2, 3]);
        assert_eq!(asleep.len(), 1);
    }
}
