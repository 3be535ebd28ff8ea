//! Conversations that sleep: what of them left the KV cache for memory, and which of it a prompt
//! can have back. Pure bookkeeping; the worker holds the bytes.
//!
//! A step attends over all cells in use, those of paused conversations among them. So a finished
//! conversation keeps its cells only while few are kept; then its own part, what no other sequence
//! refers to, becomes a snapshot and its cells are free. A prompt that goes on with it has the
//! snapshot put back, which takes milliseconds where computing it again takes seconds.
//!
//! A snapshot is used only for a prompt that begins with the very tokens that it was computed from,
//! all of them. One in a file is used for its owner's prompts alone.

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
    /// Size of the file that it is in; `None` for one in memory.
    file_bytes: Option<u64>,
}

impl Sleeper {
    fn own(&self) -> usize {
        self.tokens.len() - self.from
    }

    fn in_memory(&self) -> bool {
        self.file_bytes.is_none()
    }

    /// A file is its owner's alone; what is in memory was computed from the same tokens.
    fn serves(&self, owner: Owner) -> bool {
        self.in_memory() || (owner.is_some() && self.owner == owner)
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
    /// Nothing of the snapshot is left over. A file stays, for the next restart.
    pub whole: bool,
    /// Bytes to be read from a file.
    pub file_bytes: u64,
}

/// A finished conversation in memory that has no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsaved<'a> {
    pub id: SnapshotId,
    pub owner: u64,
    pub tokens: &'a [TokenId],
    pub from: usize,
    pub used_at: u64,
}

/// The snapshots there are.
#[derive(Debug)]
pub struct Asleep {
    sleepers: Vec<Sleeper>,
    /// Tokens of all snapshots at most; 0 keeps none.
    capacity: usize,
    /// Bytes of all files at most; 0 has none.
    file_capacity: u64,
    /// Bytes of a file that may be read in this step at most, and those that are read already.
    file_limit: u64,
    file_spent: u64,
    next_id: SnapshotId,
    put_back: u64,
}

impl Asleep {
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            sleepers: Vec::new(),
            capacity,
            file_capacity: 0,
            file_limit: u64::MAX,
            file_spent: 0,
            next_id: 1,
            put_back: 0,
        }
    }

    /// Lets there be files, of so many bytes together.
    pub fn allow_files(&mut self, bytes: u64) {
        self.file_capacity = bytes;
    }

    /// A new step begins, in which files of so many bytes may be read.
    pub fn limit_files(&mut self, bytes: u64) {
        self.file_limit = bytes;
        self.file_spent = 0;
    }

    /// Whether putting it back has to wait for the next step.
    #[must_use]
    pub fn defers(&self, waking: Waking) -> bool {
        self.file_spent > 0 && self.file_spent + waking.file_bytes > self.file_limit
    }

    /// Whether snapshots are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// Tokens in snapshots in memory.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.sleepers.iter().filter(|sleeper| sleeper.in_memory()).map(Sleeper::own).sum()
    }

    /// Files, and their bytes together.
    #[must_use]
    pub fn files(&self) -> (usize, u64) {
        let files = self.sleepers.iter().filter_map(|sleeper| sleeper.file_bytes);
        files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file))
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
            sleeper.in_memory()
                && sleeper.owner == owner
                && sleeper.from <= from
                && sleeper.tokens.starts_with(tokens)
        };
        if own < WORTH_WAKING_TOKENS || own > self.capacity || self.sleepers.iter().any(known) {
            return (None, Vec::new());
        }
        let mut gone = Vec::new();
        let mut room = self.capacity - own;
        let mut newest_first: Vec<usize> =
            (0..self.sleepers.len()).filter(|&at| self.sleepers[at].in_memory()).collect();
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
        let tokens = tokens.to_vec();
        self.sleepers.push(Sleeper { id, tokens, from, owner, used_at, file_bytes: None });
        (Some(id), gone)
    }

    /// Gives up files, the least recently used first, until one of so many bytes has room. `None`
    /// if it never has.
    pub fn make_file_room(&mut self, bytes: u64) -> Option<Vec<SnapshotId>> {
        if bytes > self.file_capacity {
            return None;
        }
        let mut gone = Vec::new();
        while self.files().1 + bytes > self.file_capacity {
            let files = self.sleepers.iter().filter(|sleeper| !sleeper.in_memory());
            let oldest = files.min_by_key(|sleeper| sleeper.used_at)?.id;
            self.remove(oldest);
            gone.push(oldest);
        }
        Some(gone)
    }

    /// Notes that a conversation's file holds its positions from `from` on; the last one's is
    /// replaced.
    pub fn add_file(
        &mut self,
        owner: u64,
        tokens: Vec<TokenId>,
        from: usize,
        used_at: u64,
        bytes: u64,
    ) -> SnapshotId {
        let owner = Some(owner);
        self.sleepers.retain(|sleeper| sleeper.in_memory() || sleeper.owner != owner);
        let id = self.next_id;
        self.next_id += 1;
        self.sleepers.push(Sleeper { id, tokens, from, owner, used_at, file_bytes: Some(bytes) });
        id
    }

    /// Whether a file holds a conversation up to here.
    #[must_use]
    pub fn is_saved(&self, owner: u64, tokens: &[TokenId]) -> bool {
        let files = self.sleepers.iter().filter(|sleeper| !sleeper.in_memory());
        let mut own = files.filter(|sleeper| sleeper.owner == Some(owner));
        own.any(|sleeper| sleeper.tokens.starts_with(tokens))
    }

    /// The conversations in memory that have an owner.
    pub fn owned(&self) -> impl Iterator<Item = Unsaved<'_>> {
        self.sleepers.iter().filter(|sleeper| sleeper.in_memory()).filter_map(|sleeper| {
            let Sleeper { id, ref tokens, from, owner, used_at, .. } = *sleeper;
            Some(Unsaved { id, owner: owner?, tokens, from, used_at })
        })
    }

    /// The snapshot that goes on furthest after the first `have` tokens of an owner's prompt.
    #[must_use]
    pub fn longest_match(&self, prompt: &[TokenId], have: usize, owner: Owner) -> Option<Waking> {
        self.sleepers
            .iter()
            .filter(|sleeper| sleeper.serves(owner))
            .filter(|sleeper| sleeper.file_bytes.unwrap_or_default() <= self.file_limit)
            .filter(|sleeper| sleeper.from <= have && sleeper.tokens.len() > have)
            .map(|sleeper| (sleeper, common_prefix(&sleeper.tokens, prompt)))
            .filter(|&(_, to)| to >= have + WORTH_WAKING_TOKENS)
            .max_by_key(|&(sleeper, to)| (to, sleeper.in_memory(), sleeper.used_at))
            .map(|(sleeper, to)| Waking {
                id: sleeper.id,
                to,
                cells: sleeper.own(),
                whole: sleeper.in_memory() && to == sleeper.tokens.len(),
                file_bytes: sleeper.file_bytes.unwrap_or_default(),
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
        self.file_spent += waking.file_bytes;
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
            asleep.longest_match(prompt, have, None).map(|waking| (waking.to, waking.whole))
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

    #[test]
    fn a_file_serves_its_owner_alone_and_stays() {
        let mut asleep = Asleep::new(0);
        asleep.allow_files(100);
        let id = asleep.add_file(1, tokens(100, 1), 0, 1, 60);
        let to = |owner| asleep.longest_match(&tokens(120, 1), 0, owner);
        let own = Waking { id, to: 100, cells: 100, whole: false, file_bytes: 60 };
        assert_eq!((to(Some(1)), to(Some(2)), to(None)), (Some(own), None, None));
        assert!(asleep.wake(own) && asleep.is_saved(1, &tokens(100, 1)));
        assert!(!asleep.is_saved(1, &tokens(110, 1)) && !asleep.is_saved(2, &tokens(100, 1)));
        // A conversation has one file, and the oldest make room.
        asleep.add_file(1, tokens(110, 1), 0, 2, 70);
        assert_eq!(asleep.files(), (1, 70));
        assert_eq!(asleep.make_file_room(30), Some(Vec::new()));
        assert_eq!(asleep.make_file_room(31).map(|gone| gone.len()), Some(1));
        assert_eq!(asleep.make_file_room(101), None);
    }

    #[test]
    fn a_step_reads_files_of_so_many_bytes() {
        let mut asleep = Asleep::new(0);
        asleep.allow_files(1000);
        for owner in 1..=2 {
            asleep.add_file(owner, tokens(100, owner as TokenId), 0, owner, 60);
        }
        let of = |asleep: &Asleep, owner: u64| {
            asleep.longest_match(&tokens(120, owner as TokenId), 0, Some(owner))
        };
        asleep.limit_files(100);
        let first = of(&asleep, 1).expect("it is small enough");
        assert!(!asleep.defers(first) && asleep.wake(first));
        assert!(of(&asleep, 2).is_some_and(|second| asleep.defers(second)));
        asleep.limit_files(100);
        assert!(of(&asleep, 2).is_some_and(|second| !asleep.defers(second)));
        asleep.limit_files(59);
        assert_eq!(of(&asleep, 2), None, "never beside others");
    }
}
