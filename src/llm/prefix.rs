//! Which sequences of the KV cache hold which tokens, and what of them a new prompt can share. Pure
//! bookkeeping.
//!
//! The cache is one pool of cells, one cell for each token of context. Copying a prefix from one
//! sequence to another makes both refer to the same cells, so a system prompt that sixteen
//! conversations share is computed and stored once. This module mirrors that with reference counts
//! and says what to do as [`Op`]s; the worker carries them out.
//!
//! A prefix is shared only where the token ids are the same from the first one on. Attention at a
//! position depends on nothing but the tokens up to it, so sharing tells a conversation nothing
//! that it did not bring itself.

use std::collections::BTreeSet;

use super::asleep::{Asleep, Owner, SnapshotId, Unsaved};
use super::tokens::{TokenId, common_prefix};

/// A sequence of the KV cache.
pub type SeqId = usize;

/// A shared prefix shorter than this is not worth waiting for another request to compute it.
const WORTH_WAITING_TOKENS: usize = 32;

/// What the worker does to the KV cache, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Let `to` share the cells of the first `tokens` positions of `from`.
    Share { from: SeqId, to: SeqId, tokens: usize },
    /// Forget the whole sequence.
    Clear { seq: SeqId },
    /// Take a snapshot of the positions `from..` of a sequence.
    Sleep { seq: SeqId, from: usize, id: SnapshotId },
    /// Put the positions `from..to` of a snapshot at the end of a sequence, which ends at `from`.
    Wake { id: SnapshotId, seq: SeqId, from: usize, to: usize },
    /// Forget a snapshot.
    Drop { id: SnapshotId },
}

/// A finished conversation that a file is to hold, and where it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    pub owner: u64,
    pub tokens: Vec<TokenId>,
    /// The file begins at this position: what is before is nowhere any more.
    pub from: usize,
    pub source: Source,
    pub used_at: u64,
}

/// Where a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Sequence(SeqId),
    /// A snapshot, with a sequence that has the first `tokens` positions, on which it stands.
    Snapshot {
        id: SnapshotId,
        base: Option<(SeqId, usize)>,
    },
}

/// A shorter conversation isn't worth a file.
const WORTH_SAVING_TOKENS: usize = 32;

/// What of a prompt is in the cache already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub seq: SeqId,
    pub tokens: usize,
}

/// The KV cache as the scheduler sees it.
#[derive(Debug)]
pub struct Cache {
    /// Whether a prefix of a sequence may be shared: not with recurrent models, whose state has no
    /// positions.
    sharing: bool,
    cells: Cells,
    seqs: Vec<Option<Sequence>>,
    asleep: Asleep,
    /// Counts uses, to know which kept sequence was used least recently.
    tick: u64,
}

#[derive(Debug)]
struct Sequence {
    tokens: Vec<TokenId>,
    cells: Vec<u32>,
    /// A running request writes to it. Otherwise it is kept for a next turn and may go when room is
    /// needed.
    live: bool,
    owner: Owner,
    used_at: u64,
}

/// Reference counts of the pool's cells.
#[derive(Debug)]
struct Cells {
    live: Vec<u16>,
    kept: Vec<u16>,
    free: Vec<u32>,
    /// Cells that only kept sequences refer to.
    only_kept: usize,
}

impl Cache {
    /// A cache of `capacity` tokens for at most `sequences` sequences, with snapshots of at most
    /// `asleep` tokens beside it.
    #[must_use]
    pub fn new(sequences: usize, capacity: usize, sharing: bool, asleep: usize) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        Self {
            sharing,
            cells: Cells {
                live: vec![0; capacity as usize],
                kept: vec![0; capacity as usize],
                free: (0..capacity).rev().collect(),
                only_kept: 0,
            },
            seqs: std::iter::repeat_with(|| None).take(sequences).collect(),
            asleep: Asleep::new(if sharing { asleep } else { 0 }),
            tick: 0,
        }
    }

    /// Cells that nobody refers to.
    #[must_use]
    pub fn free(&self) -> usize {
        self.cells.free.len()
    }

    /// Cells that become free when every kept sequence goes.
    #[must_use]
    pub fn evictable(&self) -> usize {
        self.cells.only_kept
    }

    /// Cells that a sequence refers to.
    #[must_use]
    pub fn used(&self) -> usize {
        self.cells.live.len() - self.free()
    }

    /// Finished sequences that are kept.
    #[must_use]
    pub fn kept_sequences(&self) -> usize {
        self.seqs.iter().flatten().filter(|seq| !seq.live).count()
    }

    /// The snapshots of conversations that left the cache.
    #[must_use]
    pub fn asleep(&self) -> &Asleep {
        &self.asleep
    }

    /// Finished conversations of an owner that are kept, awake or asleep.
    #[must_use]
    pub fn kept_of(&self, owner: Owner) -> usize {
        let awake =
            self.seqs.iter().flatten().filter(|seq| !seq.live && seq.owner == owner).count();
        awake + self.asleep.count_of(owner)
    }

    /// Tokens of a sequence that are in the cache.
    #[must_use]
    pub fn tokens(&self, seq: SeqId) -> &[TokenId] {
        self.seqs.get(seq).and_then(Option::as_ref).map_or(&[], |seq| &seq.tokens)
    }

    /// The sequence that has most of `prompt` from its beginning. The last token is never taken
    /// from the cache: it has to be computed for its logits.
    #[must_use]
    pub fn longest_match(&self, prompt: &[TokenId]) -> Option<Match> {
        if !self.sharing {
            return None;
        }
        let limit = prompt.len().saturating_sub(1);
        (0..self.seqs.len())
            .map(|seq| Match { seq, tokens: common_prefix(self.tokens(seq), &prompt[..limit]) })
            .filter(|found| found.tokens > 0)
            // Among equals take the most recently used, so that the others can age.
            .max_by_key(|found| {
                (found.tokens, self.seqs[found.seq].as_ref().map_or(0, |seq| seq.used_at))
            })
    }

    /// How many tokens of `prompt` needn't be computed: those that a sequence has, and those that
    /// snapshots have after them. `None` if a file has to be read for it, and that has to wait for
    /// the next step.
    #[must_use]
    pub fn reach(&self, prompt: &[TokenId], owner: Owner) -> Option<usize> {
        let limit = prompt.len().saturating_sub(1);
        let mut have = self.longest_match(prompt).map_or(0, |found| found.tokens);
        while let Some(waking) = self.asleep.longest_match(&prompt[..limit], have, owner) {
            if self.asleep.defers(waking) {
                return None;
            }
            have = waking.to;
        }
        Some(have)
    }

    /// Lets conversations have files, of so many bytes together. Not without sharing.
    pub fn allow_files(&mut self, bytes: u64) {
        self.asleep.allow_files(if self.sharing { bytes } else { 0 });
    }

    /// A new step begins, in which files of so many bytes may be read.
    pub fn limit_files(&mut self, bytes: u64) {
        self.asleep.limit_files(bytes);
    }

    /// A finished conversation that isn't in a file yet: of each owner the one used last, of all
    /// owners the most recent. Not those that `skip` says so of by owner and number of tokens.
    #[must_use]
    pub fn unsaved(&self, skip: impl Fn(u64, usize) -> bool) -> Option<Saving> {
        let awake = self.seqs.iter().enumerate().filter_map(|(seq, sequence)| {
            let sequence = sequence.as_ref().filter(|sequence| !sequence.live)?;
            let Sequence { owner, ref tokens, used_at, .. } = *sequence;
            Some((used_at, owner?, &tokens[..], Source::Sequence(seq), 0))
        });
        let asleep = self.asleep.owned().map(|Unsaved { id, owner, tokens, from, used_at }| {
            let base = self.longest_match(tokens).filter(|found| found.tokens >= from);
            let base = base.map(|found| (found.seq, from)).filter(|_| from > 0);
            let from = if base.is_some() { 0 } else { from };
            (used_at, owner, tokens, Source::Snapshot { id, base }, from)
        });
        let mut all: Vec<_> = awake.chain(asleep).collect();
        all.sort_by_key(|&(used_at, ..)| std::cmp::Reverse(used_at));
        let mut owners = BTreeSet::new();
        let (used_at, owner, tokens, source, from) =
            all.into_iter().find(|&(_, owner, tokens, source, from)| {
                let cells = match source {
                    Source::Sequence(_) => 0,
                    Source::Snapshot { .. } => tokens.len() - from,
                };
                owners.insert(owner)
                    && tokens.len() >= from + WORTH_SAVING_TOKENS
                    && cells <= self.free()
                    && !self.asleep.is_saved(owner, tokens)
                    && !skip(owner, tokens.len())
            })?;
        Some(Saving { owner, tokens: tokens.to_vec(), from, source, used_at })
    }

    /// Gives up files until one of so many bytes has room. Returns whether it has.
    #[must_use]
    pub fn make_file_room(&mut self, bytes: u64, ops: &mut Vec<Op>) -> bool {
        let gone = self.asleep.make_file_room(bytes);
        let has_room = gone.is_some();
        ops.extend(gone.unwrap_or_default().into_iter().map(|id| Op::Drop { id }));
        has_room
    }

    /// Notes a conversation's file; one that was found at the start counts as used now.
    pub fn add_file(
        &mut self,
        owner: u64,
        tokens: Vec<TokenId>,
        from: usize,
        used_at: Option<u64>,
        bytes: u64,
    ) -> SnapshotId {
        let used_at = used_at.unwrap_or_else(|| self.next_tick());
        self.asleep.add_file(owner, tokens, from, used_at, bytes)
    }

    /// A snapshot turned out to be of no use.
    pub fn lose(&mut self, id: SnapshotId, ops: &mut Vec<Op>) {
        self.asleep.remove(id);
        ops.push(Op::Drop { id });
    }

    /// How many cells of a match only kept sequences refer to: sharing it makes them unevictable.
    #[must_use]
    pub fn kept_cells(&self, found: Match) -> usize {
        let Some(Some(seq)) = self.seqs.get(found.seq) else { return 0 };
        seq.cells[..found.tokens]
            .iter()
            .filter(|&&cell| self.cells.live[cell as usize] == 0)
            .count()
    }

    /// Opens a live sequence for `prompt` with as much of it as the cache has. Returns the sequence
    /// and how many tokens it shares; `None` if every sequence is live.
    pub fn open(
        &mut self,
        prompt: &[TokenId],
        owner: Owner,
        ops: &mut Vec<Op>,
    ) -> Option<(SeqId, usize)> {
        let mut found = self.longest_match(prompt);
        if let Some(found) = found {
            self.touch(found.seq);
        }
        let seq = match self.seqs.iter().position(Option::is_none) {
            Some(seq) => seq,
            None => self.make_sequence_free(&mut found, ops)?,
        };
        let used_at = self.next_tick();
        let mut opened =
            Sequence { tokens: Vec::new(), cells: Vec::new(), live: true, owner, used_at };
        if let Some(found) = found {
            if let Some(source) = self.seqs[found.seq].as_ref() {
                opened.tokens.extend_from_slice(&source.tokens[..found.tokens]);
                opened.cells.extend_from_slice(&source.cells[..found.tokens]);
            }
            for &cell in &opened.cells {
                self.cells.add(cell, true);
            }
            ops.push(Op::Share { from: found.seq, to: seq, tokens: found.tokens });
        }
        let shared = opened.tokens.len();
        self.seqs[seq] = Some(opened);
        // A kept sequence that the new one holds whole is of no more use.
        if let Some(found) = found
            && self.seqs[found.seq]
                .as_ref()
                .is_some_and(|source| !source.live && source.tokens.len() == found.tokens)
        {
            self.clear(found.seq, ops);
        }
        Some((seq, self.wake(seq, shared, prompt, owner, ops)))
    }

    /// Puts back what snapshots have of `prompt` after its first `have` tokens, which `seq` holds.
    /// Returns how many it holds then.
    fn wake(
        &mut self,
        seq: SeqId,
        mut have: usize,
        prompt: &[TokenId],
        owner: Owner,
        ops: &mut Vec<Op>,
    ) -> usize {
        let limit = prompt.len().saturating_sub(1);
        while self.sharing
            && let Some(waking) = self.asleep.longest_match(&prompt[..limit], have, owner)
        {
            // All of it is put back for a moment, and what the prompt doesn't have in common with
            // it is dropped again.
            if self.free() + self.evictable() < waking.cells {
                break;
            }
            let tick = self.next_tick();
            self.asleep.touch(waking.id, tick);
            if !self.make_room(waking.cells, ops) || !self.asleep.wake(waking) {
                break;
            }
            if !self.append(seq, &prompt[have..waking.to]) {
                break;
            }
            ops.push(Op::Wake { id: waking.id, seq, from: have, to: waking.to });
            if waking.whole {
                ops.push(Op::Drop { id: waking.id });
            }
            have = waking.to;
        }
        have
    }

    /// Notes that `tokens` were computed at the end of a live sequence. Returns false, and changes
    /// nothing, if there is no room: [`Cache::make_room`] comes first.
    #[must_use]
    pub fn append(&mut self, seq: SeqId, tokens: &[TokenId]) -> bool {
        if self.cells.free.len() < tokens.len() {
            return false;
        }
        let Some(Some(sequence)) = self.seqs.get_mut(seq) else { return false };
        for &token in tokens {
            let Some(cell) = self.cells.free.pop() else { return false };
            self.cells.live[cell as usize] += 1;
            sequence.cells.push(cell);
            sequence.tokens.push(token);
        }
        true
    }

    /// Ends a live sequence: keeps it for a next turn, or forgets it.
    pub fn close(&mut self, seq: SeqId, keep: bool, ops: &mut Vec<Op>) {
        let tick = self.next_tick();
        let keep =
            keep && self.sharing && !self.tokens(seq).is_empty() && !self.held_elsewhere(seq);
        let Some(Some(sequence)) = self.seqs.get_mut(seq) else { return };
        if !keep {
            self.clear(seq, ops);
            return;
        }
        sequence.live = false;
        sequence.used_at = tick;
        for &cell in &sequence.cells {
            self.cells.add(cell, false);
            self.cells.remove(cell, true);
        }
    }

    /// Puts kept sequences to sleep, the least recently used first, until `tokens` cells are free.
    /// Returns whether they are.
    pub fn make_room(&mut self, tokens: usize, ops: &mut Vec<Op>) -> bool {
        while self.free() < tokens {
            let Some(seq) = self.least_recently_used(None) else { return false };
            self.put_to_sleep(seq, ops);
        }
        true
    }

    /// Puts one kept sequence to sleep, the least recently used one, if kept sequences alone hold
    /// more than `most` cells.
    pub fn retire(&mut self, most: usize, ops: &mut Vec<Op>) {
        if self.asleep.is_on()
            && self.evictable() > most
            && let Some(seq) = self.least_recently_used(None)
        {
            self.put_to_sleep(seq, ops);
        }
    }

    /// Forgets every kept sequence and every snapshot. Returns whether there was any.
    pub fn clear_kept(&mut self, ops: &mut Vec<Op>) -> bool {
        self.forget(|_| true, ops)
    }

    /// Forgets the kept sequences and snapshots whose owner `forget` says so of. Running ones
    /// aren't kept when they end. Returns whether anything was forgotten.
    pub fn forget(&mut self, forget: impl Fn(Owner) -> bool, ops: &mut Vec<Op>) -> bool {
        let before = ops.len();
        for seq in 0..self.seqs.len() {
            if self.seqs[seq]
                .as_ref()
                .is_some_and(|sequence| !sequence.live && forget(sequence.owner))
            {
                self.clear(seq, ops);
            }
        }
        ops.extend(self.asleep.forget(forget).into_iter().map(|id| Op::Drop { id }));
        ops.len() > before
    }

    /// Makes a snapshot of what of a kept sequence no other one refers to, and clears it.
    fn put_to_sleep(&mut self, seq: SeqId, ops: &mut Vec<Op>) {
        if let Some(Some(sequence)) = self.seqs.get(seq)
            && self.asleep.is_on()
        {
            let shared =
                sequence.cells.iter().take_while(|&&cell| self.cells.referrers(cell) > 1).count();
            let (id, gone) =
                self.asleep.add(&sequence.tokens, shared, sequence.owner, sequence.used_at);
            ops.extend(gone.into_iter().map(|id| Op::Drop { id }));
            ops.extend(id.map(|id| Op::Sleep { seq, from: shared, id }));
        }
        self.clear(seq, ops);
    }

    fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    fn touch(&mut self, seq: SeqId) {
        let tick = self.next_tick();
        if let Some(Some(sequence)) = self.seqs.get_mut(seq) {
            sequence.used_at = tick;
        }
    }

    /// Another sequence begins with all of `seq`, so keeping it would waste a place.
    fn held_elsewhere(&self, seq: SeqId) -> bool {
        let tokens = self.tokens(seq);
        (0..self.seqs.len()).any(|other| other != seq && self.tokens(other).starts_with(tokens))
    }

    fn least_recently_used(&self, except: Option<SeqId>) -> Option<SeqId> {
        self.seqs
            .iter()
            .enumerate()
            .filter(|(seq, _)| Some(*seq) != except)
            .filter_map(|(seq, sequence)| {
                sequence.as_ref().filter(|sequence| !sequence.live).map(|s| (s.used_at, seq))
            })
            .min()
            .map(|(_, seq)| seq)
    }

    /// Frees a sequence id by forgetting a kept sequence; the one about to be shared only if there
    /// is no other.
    fn make_sequence_free(
        &mut self,
        found: &mut Option<Match>,
        ops: &mut Vec<Op>,
    ) -> Option<SeqId> {
        let seq = self.least_recently_used(found.map(|found| found.seq)).or_else(|| {
            *found = None;
            self.least_recently_used(None)
        })?;
        self.put_to_sleep(seq, ops);
        Some(seq)
    }

    fn clear(&mut self, seq: SeqId, ops: &mut Vec<Op>) {
        let Some(sequence) = self.seqs.get_mut(seq).and_then(Option::take) else { return };
        for &cell in &sequence.cells {
            self.cells.remove(cell, sequence.live);
        }
        ops.push(Op::Clear { seq });
    }
}

impl Cells {
    fn referrers(&self, cell: u32) -> u32 {
        let at = cell as usize;
        u32::from(self.live[at]) + u32::from(self.kept[at])
    }

    fn add(&mut self, cell: u32, live: bool) {
        let at = cell as usize;
        if live {
            if self.live[at] == 0 && self.kept[at] > 0 {
                self.only_kept -= 1;
            }
            self.live[at] += 1;
        } else {
            if self.live[at] == 0 && self.kept[at] == 0 {
                self.only_kept += 1;
            }
            self.kept[at] += 1;
        }
    }

    fn remove(&mut self, cell: u32, live: bool) {
        let at = cell as usize;
        if live {
            self.live[at] -= 1;
            if self.live[at] == 0 && self.kept[at] > 0 {
                self.only_kept += 1;
            }
        } else {
            self.kept[at] -= 1;
            if self.live[at] == 0 && self.kept[at] == 0 {
                self.only_kept -= 1;
            }
        }
        if self.live[at] == 0 && self.kept[at] == 0 {
            self.free.push(cell);
        }
    }
}

/// Whether `prompt` should wait for a request that is computing `other`'s prompt right now: how
/// long a prefix they share, if that is enough more than `cached` to be worth the wait.
#[must_use]
pub fn worth_waiting(prompt: &[TokenId], other: &[TokenId], cached: usize) -> Option<usize> {
    let limit = prompt.len().saturating_sub(1);
    let shared = common_prefix(&prompt[..limit], other);
    (shared >= cached + WORTH_WAITING_TOKENS).then_some(shared)
}

impl Cache {
    /// Says what is wrong with the books, for tests: every cell is counted as often as sequences
    /// refer to it.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn audit(&self) -> Result<(), String> {
        let mut live = vec![0u16; self.cells.live.len()];
        let mut kept = live.clone();
        for sequence in self.seqs.iter().flatten() {
            if sequence.tokens.len() != sequence.cells.len() {
                return Err("a sequence has not one cell for each token".into());
            }
            let distinct: BTreeSet<_> = sequence.cells.iter().collect();
            if distinct.len() != sequence.cells.len() {
                return Err("a sequence refers to a cell twice".into());
            }
            for &cell in &sequence.cells {
                *(if sequence.live { &mut live } else { &mut kept })
                    .get_mut(cell as usize)
                    .ok_or("no such cell")? += 1;
            }
        }
        if live != self.cells.live || kept != self.cells.kept {
            return Err("reference counts are wrong".into());
        }
        let free = live.iter().zip(&kept).filter(|(live, kept)| **live == 0 && **kept == 0).count();
        let only_kept =
            live.iter().zip(&kept).filter(|(live, kept)| **live == 0 && **kept > 0).count();
        if (free, only_kept) != (self.free(), self.evictable()) {
            return Err(format!(
                "free and evictable are {free} and {only_kept}, not {} and {}",
                self.free(),
                self.evictable()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Opens a sequence for `prompt`, computes the rest of it, and returns the sequence and what
    /// was shared.
    fn fill(cache: &mut Cache, prompt: &[TokenId], ops: &mut Vec<Op>) -> (SeqId, usize) {
        let (seq, shared) = cache.open(prompt, None, ops).expect("a sequence is free");
        assert!(cache.make_room(prompt.len() - shared, ops), "there is room");
        assert!(cache.append(seq, &prompt[shared..]));
        cache.audit().expect("books are right");
        (seq, shared)
    }

    #[test]
    fn a_next_turn_shares_the_last_one() {
        let (mut cache, mut ops) = (Cache::new(4, 100, true, 0), Vec::new());
        let (first, shared) = fill(&mut cache, &[1, 2, 3, 4], &mut ops);
        assert_eq!((shared, ops.as_slice()), (0, [].as_slice()));
        cache.close(first, true, &mut ops);
        assert_eq!((cache.kept_sequences(), cache.evictable(), cache.free()), (1, 4, 96));

        // Everything of the kept sequence is in the new one: the old one goes, its cells stay.
        let (second, shared) = fill(&mut cache, &[1, 2, 3, 4, 5, 6], &mut ops);
        assert_eq!(shared, 4);
        assert_eq!(
            ops,
            [Op::Share { from: first, to: second, tokens: 4 }, Op::Clear { seq: first }]
        );
        assert_eq!((cache.used(), cache.kept_sequences()), (6, 0));
    }

    #[test]
    fn running_sequences_share_cells() {
        let (mut cache, mut ops) = (Cache::new(4, 10, true, 0), Vec::new());
        fill(&mut cache, &[1, 2, 3, 4, 5], &mut ops);
        let (_, shared) = fill(&mut cache, &[1, 2, 3, 9], &mut ops);
        assert_eq!((shared, cache.used()), (3, 6));
    }

    #[test]
    fn the_last_token_is_computed_again() {
        let (mut cache, mut ops) = (Cache::new(4, 100, true, 0), Vec::new());
        let (seq, _) = fill(&mut cache, &[1, 2, 3], &mut ops);
        cache.close(seq, true, &mut ops);
        assert_eq!(cache.longest_match(&[1, 2, 3]), Some(Match { seq, tokens: 2 }));
        assert_eq!(cache.longest_match(&[1]), None);
        assert_eq!(cache.longest_match(&[]), None);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (mut cache, mut ops) = (Cache::new(8, 9, true, 0), Vec::new());
        for prompt in [[1, 1, 1], [2, 2, 2], [3, 3, 3]] {
            let (seq, _) = fill(&mut cache, &prompt, &mut ops);
            cache.close(seq, true, &mut ops);
        }
        let (again, shared) = fill(&mut cache, &[1, 1, 1, 7], &mut ops);
        assert_eq!(shared, 3);
        cache.close(again, true, &mut ops);
        assert!(cache.longest_match(&[2, 2, 2, 2]).is_none(), "the oldest made room");
        assert_eq!(cache.longest_match(&[3, 3, 3, 3]).map(|found| found.tokens), Some(3));
    }

    #[test]
    fn without_sharing_nothing_is_kept() {
        let (mut cache, mut ops) = (Cache::new(2, 10, false, 0), Vec::new());
        let (seq, _) = fill(&mut cache, &[1, 2, 3], &mut ops);
        cache.close(seq, true, &mut ops);
        assert_eq!((cache.used(), cache.longest_match(&[1, 2, 3, 4])), (0, None));
    }

    #[test]
    fn a_conversation_sleeps_and_wakes() {
        let (mut cache, mut ops) = (Cache::new(4, 200, true, 100), Vec::new());
        let talk = |family: TokenId, length: TokenId| -> Vec<TokenId> {
            (0..length).map(|at| if at < 40 { at } else { at + 1000 * family }).collect()
        };
        for family in [1, 2] {
            let (seq, _) = fill(&mut cache, &talk(family, 80), &mut ops);
            cache.close(seq, true, &mut ops);
        }
        assert_eq!((cache.used(), cache.evictable()), (120, 120));
        ops.clear();
        cache.retire(60, &mut ops);
        // The first one's own part leaves; what both begin with stays with the second.
        assert_eq!(ops, [Op::Sleep { seq: 0, from: 40, id: 1 }, Op::Clear { seq: 0 }]);
        assert_eq!((cache.used(), cache.asleep().tokens()), (80, 40));
        ops.clear();
        cache.retire(100, &mut ops);
        assert!(ops.is_empty(), "few enough are kept");

        let (seq, shared) = fill(&mut cache, &talk(1, 90), &mut ops);
        assert_eq!((seq, shared), (0, 80));
        let expected = [
            Op::Share { from: 1, to: 0, tokens: 40 },
            Op::Wake { id: 1, seq: 0, from: 40, to: 80 },
            Op::Drop { id: 1 },
        ];
        assert_eq!(ops, expected);
        assert!(cache.asleep().is_empty());
    }

    #[test]
    fn forgetting_a_conversation_leaves_the_others() {
        let (mut cache, mut ops) = (Cache::new(8, 400, true, 400), Vec::new());
        for owner in [1, 2, 1, 2] {
            let prompt: Vec<TokenId> =
                (0..50).map(|at| at + 1000 * (owner + cache.used()) as TokenId).collect();
            let (seq, _) =
                cache.open(&prompt, Some(owner as u64), &mut ops).expect("a sequence is free");
            assert!(cache.append(seq, &prompt));
            cache.close(seq, true, &mut ops);
        }
        for _ in 0..2 {
            cache.retire(0, &mut ops);
        }
        assert_eq!((cache.kept_sequences(), cache.asleep().len()), (2, 2));
        assert!(cache.forget(|owner| owner == Some(1), &mut ops));
        assert_eq!((cache.kept_sequences(), cache.asleep().len()), (1, 1));
        assert!(!cache.forget(|owner| owner == Some(1), &mut ops));
        cache.audit().expect("books are right");
    }

    #[test]
    fn an_owners_last_conversation_is_saved_and_comes_back_to_it_alone() {
        let (mut cache, mut ops) = (Cache::new(4, 300, true, 200), Vec::new());
        cache.allow_files(1000);
        let talk: Vec<TokenId> = (0..80).collect();
        let (seq, _) = cache.open(&talk, Some(1), &mut ops).expect("a sequence is free");
        assert!(cache.append(seq, &talk));
        assert_eq!(cache.unsaved(|_, _| false), None, "it runs");
        cache.close(seq, true, &mut ops);
        let awake = cache.unsaved(|_, _| false).expect("it has no file");
        assert_eq!((awake.owner, awake.from, awake.source), (1, 0, Source::Sequence(seq)));
        assert_eq!(cache.unsaved(|owner, tokens| (owner, tokens) == (1, 80)), None);
        cache.retire(0, &mut ops);
        let asleep = cache.unsaved(|_, _| false).expect("it has no file");
        assert_eq!((asleep.from, asleep.source), (0, Source::Snapshot { id: 1, base: None }));
        assert!(cache.make_file_room(600, &mut ops));
        let id = cache.add_file(1, asleep.tokens, 0, Some(asleep.used_at), 600);
        assert_eq!(cache.unsaved(|_, _| false), None);
        cache.lose(1, &mut ops);

        let next: Vec<TokenId> = (0..90).collect();
        assert_eq!((cache.reach(&next, Some(2)), cache.reach(&next, Some(1))), (Some(0), Some(80)));
        ops.clear();
        let (seq, shared) = cache.open(&next, Some(1), &mut ops).expect("a sequence is free");
        assert_eq!((shared, &ops[..]), (80, &[Op::Wake { id, seq, from: 0, to: 80 }][..]));
        ops.clear();
        assert!(cache.forget(|owner| owner == Some(1), &mut ops));
        assert_eq!(ops, [Op::Drop { id }]);
        cache.audit().expect("books are right");
    }

    #[test]
    fn waiting_is_worth_it_for_long_prefixes_only() {
        let long: Vec<TokenId> = (0..100).collect();
        assert_eq!(worth_waiting(&long, &long[..50], 0), Some(50));
        assert_eq!(worth_waiting(&long, &long[..50], 40), None);
        assert_eq!(worth_waiting(&long[..10], &long, 0), None);
    }

    proptest! {
        #[test]
        fn the_books_stay_right(steps in proptest::collection::vec((0usize..6, 0i32..3, 1usize..40, any::<bool>()), 1..80)) {
            let (mut cache, mut ops) = (Cache::new(5, 60, true, 60), Vec::new());
            let mut open: Vec<SeqId> = Vec::new();
            for (kind, token, length, keep) in steps {
                if kind < 3 {
                    let prompt: Vec<TokenId> = (0..length).map(|at| if at < 4 { 7 } else { token }).collect();
                    let reusable = cache.longest_match(&prompt).map_or(0, |found| found.tokens);
                    let Some((seq, shared)) = cache.open(&prompt, None, &mut ops) else {
                        prop_assert_eq!(open.len(), 5, "only live sequences refuse another one");
                        continue;
                    };
                    prop_assert!(shared >= reusable || shared == 0);
                    prop_assert_eq!(cache.tokens(seq), &prompt[..shared]);
                    if cache.make_room(prompt.len() - shared, &mut ops) {
                        prop_assert!(cache.append(seq, &prompt[shared..]));
                    }
                    prop_assert!(!open.contains(&seq), "no sequence is given out twice");
                    open.push(seq);
                } else if let Some(seq) = (!open.is_empty()).then(|| open.swap_remove(length % open.len())) {
                    cache.close(seq, keep, &mut ops);
                }
                if let Err(wrong) = cache.audit() {
                    prop_assert!(false, "{}", wrong);
                }
            }
        }
    }
}
