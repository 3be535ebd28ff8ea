//! What the store knows about each session, derived from the log.
//!
//! An [`Entry`] is a few numbers and log positions; the records themselves are found by following
//! `prev` from the last one. Entries live in the trees `sessions` (by name) and `recent` (by last
//! activity); those changed since they were last written there are in the [`Overlay`]. A million
//! sessions so cost disk, not memory.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustc_hash::{FxHashMap, FxHashSet};

use super::frame::{Frame, FrameKind, u64_at};
use super::{RecordKind, SessionInfo};

/// `site`, NUL, `session`; neither contains a NUL.
pub(super) type Key = Box<[u8]>;

pub(super) fn session_key(site: &str, session: &str) -> Key {
    let mut key = Vec::with_capacity(site.len() + 1 + session.len());
    key.extend_from_slice(site.as_bytes());
    key.push(0);
    key.extend_from_slice(session.as_bytes());
    key.into()
}

/// Both halves of a key made by [`session_key`]; `None` if it wasn't.
pub(super) fn split_key(key: &[u8]) -> Option<(&str, &str)> {
    let at = key.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&key[..at]).ok()?, std::str::from_utf8(&key[at + 1..]).ok()?))
}

/// All keys of a site start with this.
pub(super) fn site_prefix(site: &str) -> Vec<u8> {
    let mut prefix = site.as_bytes().to_vec();
    prefix.push(0);
    prefix
}

/// The first key after all keys of a site.
pub(super) fn after_site(site: &str) -> Vec<u8> {
    let mut prefix = site.as_bytes().to_vec();
    prefix.push(1);
    prefix
}

/// Key in the tree `recent`: a site's sessions, the newest activity first.
pub(super) fn recent_key(site: &str, last_at_ms: u64, session: &str) -> Vec<u8> {
    let mut key = site_prefix(site);
    key.extend_from_slice(&(!last_at_ms).to_be_bytes());
    key.extend_from_slice(session.as_bytes());
    key
}

/// Site, last activity and session of a key made by [`recent_key`].
pub(super) fn split_recent(key: &[u8]) -> Option<(&str, u64, &str)> {
    let at = key.iter().position(|byte| *byte == 0)?;
    let site = std::str::from_utf8(&key[..at]).ok()?;
    let time: [u8; 8] = key.get(at + 1..at + 9)?.try_into().ok()?;
    let session = std::str::from_utf8(&key[at + 9..]).ok()?;
    Some((site, !u64::from_be_bytes(time), session))
}

/// One session, as far as the log up to `last_pos` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first_at_ms: u64,
    pub(super) last_at_ms: u64,
    pub(super) last_seq: u64,
    /// Log positions of the last event (or tombstone) and the last signal; 0 for none.
    pub(super) last_event: u64,
    pub(super) last_signal: u64,
    /// Position of the newest record applied; records up to it change nothing when they are
    /// replayed.
    pub(super) last_pos: u64,
    /// Positions of the partials after the last event.
    pub(super) partials: Vec<u64>,
    /// Under which `last_at_ms` the tree `recent` lists the session, if it does.
    pub(super) listed_at: Option<u64>,
}

impl Entry {
    /// False for a session that never was or was erased.
    pub(super) fn exists(&self) -> bool {
        self.last_seq > 0
    }

    /// True if the last thing the log says of the session is a tombstone.
    pub(super) fn erased(&self) -> bool {
        self.last_event > 0 && self.last_seq == 0
    }

    /// Takes in the record at `pos`; returns the positions of partials that it supersedes. A record
    /// seen before changes nothing, except that a partial which no longer counts is returned again
    /// for removal.
    pub(super) fn apply(&mut self, pos: u64, frame: &Frame<'_>) -> Vec<u64> {
        let partial = frame.kind == FrameKind::Record(RecordKind::Partial);
        if pos <= self.last_pos {
            return if partial && !self.partials.contains(&pos) { vec![pos] } else { Vec::new() };
        }
        let begins = !self.exists();
        self.last_pos = pos;
        let mut superseded = Vec::new();
        match frame.kind {
            FrameKind::Record(RecordKind::Event) => {
                self.last_seq = frame.seq;
                self.last_event = pos;
                superseded = std::mem::take(&mut self.partials);
            }
            FrameKind::Record(RecordKind::Partial) => self.partials.push(pos),
            FrameKind::Record(RecordKind::Signal) => self.last_signal = pos,
            FrameKind::Tombstone => {
                superseded = std::mem::take(&mut self.partials);
                *self = Entry {
                    last_event: pos,
                    last_pos: pos,
                    listed_at: self.listed_at,
                    ..Entry::default()
                };
                return superseded;
            }
        }
        if begins {
            self.first_at_ms = frame.at_ms;
        }
        self.last_at_ms = self.last_at_ms.max(frame.at_ms);
        superseded
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 8 * (6 + self.partials.len()));
        bytes.push(1);
        let fixed = [
            self.first_at_ms,
            self.last_at_ms,
            self.last_seq,
            self.last_event,
            self.last_signal,
            self.last_pos,
        ];
        for number in fixed.iter().chain(&self.partials) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// An entry is only ever written together with its place in `recent`, so that place needs no
    /// field of its own.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, numbers) = bytes.split_first()?;
        if *version != 1 || numbers.len() < 48 || numbers.len() % 8 != 0 {
            return None;
        }
        let number = |at: usize| u64_at(numbers, at * 8);
        let mut entry = Entry {
            first_at_ms: number(0),
            last_at_ms: number(1),
            last_seq: number(2),
            last_event: number(3),
            last_signal: number(4),
            last_pos: number(5),
            partials: (6..numbers.len() / 8).map(number).collect(),
            listed_at: None,
        };
        entry.listed_at = entry.exists().then_some(entry.last_at_ms);
        Some(entry)
    }

    pub(super) fn info(&self, site: &str, session: &str) -> SessionInfo {
        SessionInfo {
            site: site.to_owned(),
            session: session.to_owned(),
            first_at_ms: self.first_at_ms,
            last_at_ms: self.last_at_ms,
            last_seq: self.last_seq,
            partials: self.partials.len(),
        }
    }
}

/// Entries that are newer than the trees. The storage thread writes it after a flush, never before;
/// readers look here first. A std lock, held for moments and never across I/O.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    inner: RwLock<OverlayInner>,
}

#[derive(Debug, Default)]
pub(super) struct OverlayInner {
    pub(super) entries: FxHashMap<Key, Entry>,
    /// Sessions whose records are being removed right now: gone for readers before the first record
    /// goes.
    pub(super) leaving: FxHashSet<Key>,
}

impl Overlay {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, OverlayInner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, OverlayInner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: FrameKind, seq: u64, at_ms: u64) -> Frame<'static> {
        Frame { kind, prev: 0, seq, at_ms, site: "a", session: "b", body: b"" }
    }

    const EVENT: FrameKind = FrameKind::Record(RecordKind::Event);
    const PARTIAL: FrameKind = FrameKind::Record(RecordKind::Partial);
    const SIGNAL: FrameKind = FrameKind::Record(RecordKind::Signal);

    #[test]
    fn entries_follow_the_log_and_replay_changes_nothing() {
        let log = [
            (1, frame(EVENT, 1, 10)),
            (2, frame(PARTIAL, 1, 11)),
            (4, frame(PARTIAL, 1, 12)),
            (5, frame(SIGNAL, 1, 12)),
            (9, frame(EVENT, 2, 8)),
            (12, frame(PARTIAL, 2, 20)),
        ];
        let mut entry = Entry::default();
        let superseded: Vec<u64> =
            log.iter().flat_map(|(pos, frame)| entry.apply(*pos, frame)).collect();
        assert_eq!(superseded, [2, 4]);
        let expected = Entry {
            first_at_ms: 10,
            last_at_ms: 20,
            last_seq: 2,
            last_event: 9,
            last_signal: 5,
            last_pos: 12,
            partials: vec![12],
            listed_at: None,
        };
        assert_eq!(entry, expected);
        let again: Vec<u64> =
            log.iter().flat_map(|(pos, frame)| entry.apply(*pos, frame)).collect();
        assert_eq!((again, entry.clone()), (vec![2, 4], expected));

        let mut decoded = Entry::decode(&entry.encode()).unwrap();
        assert_eq!(decoded.listed_at.take(), Some(20));
        assert_eq!(decoded, entry);

        assert_eq!(entry.apply(13, &frame(FrameKind::Tombstone, 2, 0)), [12]);
        assert!(entry.erased() && !entry.exists());
        entry.apply(14, &frame(EVENT, 1, 30));
        assert!(entry.exists() && !entry.erased());
        assert_eq!(entry.first_at_ms, 30);
    }

    #[test]
    fn keys_come_apart_again_and_sort_newest_first() {
        assert_eq!(split_key(&session_key("shop", "s\u{e9}")), Some(("shop", "s\u{e9}")));
        assert_eq!(split_recent(&recent_key("shop", 5, "s")), Some(("shop", 5, "s")));
        assert!(recent_key("shop", 9, "z") < recent_key("shop", 8, "a"));
        assert!(recent_key("shop", 0, "z") < after_site("shop"));
    }
}
