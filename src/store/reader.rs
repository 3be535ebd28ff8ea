//! The thread that answers reads, so that they don't wait for a flush.
//!
//! It has its own handles on the trees (see `engine.rs` for why that is safe). It finds records
//! only through entries, and entries change only after a flush: what it returns is on disk.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

use tokio::sync::oneshot;

use super::engine::{Trees, position};
use super::frame::Frame;
use super::index::{self, Entry, Key, Overlay};
use super::{
    PAGE_BYTES, PAGE_RECORDS, Page, Record, RecordKind, SessionInfo, SessionQuery, Shared,
    StoreError,
};

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What can be asked.
pub(super) enum Request {
    Read {
        site: String,
        session: String,
        after_seq: u64,
        kinds: Kinds,
        reply: Reply<Vec<Record>>,
    },
    Page {
        site: String,
        session: String,
        after_seq: u64,
        through_seq: u64,
        reply: Reply<Page>,
    },
    Session {
        site: String,
        session: String,
        reply: Reply<Option<SessionInfo>>,
    },
    Sessions {
        query: SessionQuery,
        reply: Reply<Vec<SessionInfo>>,
    },
    Active {
        since_ms: u64,
        before_ms: u64,
        reply: Reply<Vec<SessionInfo>>,
    },
    Get {
        key: Vec<u8>,
        reply: Reply<Option<Vec<u8>>>,
    },
    Scan {
        from: Vec<u8>,
        to: Vec<u8>,
        limit: usize,
        reply: Reply<Pairs>,
    },
    /// Frames as they are, by position, `from` included.
    Log {
        from: u64,
        through: u64,
        limit: usize,
        reply: Reply<Vec<(u64, Vec<u8>)>>,
    },
    /// Entries by key, `from` included. Those that only the overlay has are left out.
    Entries {
        from: Vec<u8>,
        limit: usize,
        reply: Reply<Vec<(Key, Entry)>>,
    },
    /// From the storage thread: let go of the trees, say so, and take what comes next.
    Swap {
        released: SyncSender<()>,
        next: Receiver<Trees>,
    },
    /// From the storage thread: the last request.
    Stop,
}

/// Which kinds of records a read returns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds {
    event: bool,
    partial: bool,
    signal: bool,
}

impl Kinds {
    pub(super) fn of(kinds: &[RecordKind]) -> Self {
        let mut set = Self::default();
        for kind in kinds {
            match kind {
                RecordKind::Event => set.event = true,
                RecordKind::Partial => set.partial = true,
                RecordKind::Signal => set.signal = true,
            }
        }
        set
    }
}

/// Why a walk along a session's records ended early.
enum Walk {
    /// A record that an entry pointed to isn't there: it was removed since, or lost.
    Missing(u64),
    Failed(StoreError),
}

/// A record on the way from a session's last event to its first.
#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: u64,
    at: u64,
}

/// Where histories that are read in pages can be entered. Each record knows only the one before it,
/// so the way to a page begins at the session's end, and a long history would cost the square of
/// its length.
#[derive(Default)]
struct Marks {
    /// By the session's key, the one that was read last at the end; its marks, the newest first.
    /// Between two of them lies more than a page.
    sessions: VecDeque<(Key, Vec<Mark>)>,
}

impl Marks {
    /// Sessions whose marks are kept. Each takes 16 bytes for a page.
    const SESSIONS: usize = 64;

    /// A mark so far above `after_seq` that the way down from it passes a whole page, and more.
    fn enter(&self, key: &[u8], after_seq: u64) -> Option<Mark> {
        let (_, marks) = self.sessions.iter().find(|(known, _)| **known == *key)?;
        marks.iter().rev().filter(|mark| mark.seq > after_seq).nth(1).copied()
    }

    fn keep(&mut self, key: Key, marks: Vec<Mark>) {
        self.forget(&key);
        if marks.len() > 1 {
            if self.sessions.len() >= Self::SESSIONS {
                self.sessions.pop_front();
            }
            self.sessions.push_back((key, marks));
        }
    }

    fn forget(&mut self, key: &[u8]) {
        self.sessions.retain(|(known, _)| **known != *key);
    }
}

pub(super) fn run(trees: Trees, requests: &Receiver<Request>, shared: &Arc<Shared>) {
    let mut trees = Some(trees);
    let mut marks = Marks::default();
    while let Ok(request) = requests.recv() {
        match request {
            Request::Stop => break,
            Request::Swap { released, next } => {
                drop(trees.take());
                let _ = released.send(());
                trees = next.recv().ok();
            }
            request => match &trees {
                Some(trees) => answer(&View { trees, shared }, &mut marks, request),
                // The reply's end is dropped; the asker reads that as a store that is gone and asks
                // `health`.
                None => drop(request),
            },
        }
    }
    if shared.broken().is_some() {
        std::mem::forget(trees);
    }
}

fn answer(view: &View<'_>, marks: &mut Marks, request: Request) {
    match request {
        Request::Read { site, session, after_seq, kinds, reply } => {
            let _ = reply.send(view.read(&site, &session, after_seq, kinds));
        }
        Request::Page { site, session, after_seq, through_seq, reply } => {
            let _ = reply.send(view.page(&site, &session, after_seq, through_seq, marks));
        }
        Request::Session { site, session, reply } => {
            let found = view.entry(&index::session_key(&site, &session));
            let info = found
                .map(|entry| entry.filter(Entry::exists).map(|entry| entry.info(&site, &session)));
            let _ = reply.send(info);
        }
        Request::Sessions { query, reply } => {
            let _ = reply.send(view.sessions(&query));
        }
        Request::Active { since_ms, before_ms, reply } => {
            let _ = reply.send(view.active(since_ms, before_ms));
        }
        Request::Get { key, reply } => {
            let _ = reply.send(view.get(&key));
        }
        Request::Scan { from, to, limit, reply } => {
            let _ = reply.send(view.scan(&from, &to, limit));
        }
        Request::Log { from, through, limit, reply } => {
            let _ = reply.send(view.log(from, through, limit));
        }
        Request::Entries { from, limit, reply } => {
            let _ = reply.send(view.entries(&from, limit));
        }
        Request::Swap { .. } | Request::Stop => {}
    }
}

/// The trees and the overlay together: what a reader sees.
pub(super) struct View<'a> {
    pub(super) trees: &'a Trees,
    pub(super) shared: &'a Arc<Shared>,
}

impl View<'_> {
    fn overlay(&self) -> &Overlay {
        &self.shared.overlay
    }

    fn broken(&self, reason: String) -> StoreError {
        self.shared.broken_error(reason)
    }

    /// The entry as of now; also one that says the session was erased.
    pub(super) fn entry(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        {
            let overlay = self.overlay().read();
            if overlay.leaving.contains(key) {
                return Ok(None);
            }
            if let Some(entry) = overlay.entries.get(key) {
                return Ok(Some(entry.clone()));
            }
        }
        let bytes = Trees::get(&self.trees.sessions, key).map_err(|reason| self.broken(reason))?;
        Ok(bytes.and_then(|bytes| Entry::decode(&bytes)))
    }

    fn read(
        &self,
        site: &str,
        session: &str,
        after_seq: u64,
        kinds: Kinds,
    ) -> Result<Vec<Record>, StoreError> {
        self.walk(site, session, |entry| self.collect(entry, site, session, after_seq, kinds))
    }

    fn page(
        &self,
        site: &str,
        session: &str,
        after_seq: u64,
        through_seq: u64,
        marks: &mut Marks,
    ) -> Result<Page, StoreError> {
        let key = index::session_key(site, session);
        let range = after_seq..=through_seq;
        if let Some(mark) = marks.enter(&key, after_seq) {
            let still_there =
                self.entry(&key)?.is_some_and(|entry| entry.exists() && entry.last_seq >= mark.seq);
            if still_there
                && let Ok((page, _)) = self.first(mark.at, Some(mark.seq), site, session, &range)
            {
                return Ok(page);
            }
            marks.forget(&key);
        }
        let (page, found) = self.walk(site, session, |entry| {
            if entry.last_seq <= after_seq {
                return Ok(<(Page, Vec<Mark>)>::default());
            }
            self.first(entry.last_event, None, site, session, &range)
        })?;
        if page.more {
            marks.keep(key, found);
        }
        Ok(page)
    }

    /// What `collect` makes of a session's records; the default if there are none.
    fn walk<T: Default>(
        &self,
        site: &str,
        session: &str,
        collect: impl Fn(&Entry) -> Result<T, Walk>,
    ) -> Result<T, StoreError> {
        let key = index::session_key(site, session);
        let mut missing = None;
        loop {
            let Some(entry) = self.entry(&key)?.filter(Entry::exists) else {
                return Ok(T::default());
            };
            match collect(&entry) {
                Ok(records) => return Ok(records),
                Err(Walk::Failed(error)) => return Err(error),
                // Between reading the entry and the record the session may have gone on or away;
                // then the entry has changed. If it hasn't, the record is lost.
                Err(Walk::Missing(at)) if missing == Some((at, entry.last_pos)) => {
                    return Err(StoreError::Corrupt {
                        what: format!("the record at log position {at} is missing"),
                    });
                }
                Err(Walk::Missing(at)) => missing = Some((at, entry.last_pos)),
            }
        }
    }

    fn collect(
        &self,
        entry: &Entry,
        site: &str,
        session: &str,
        after_seq: u64,
        kinds: Kinds,
    ) -> Result<Vec<Record>, Walk> {
        let mut found = Vec::new();
        let mut at = entry.last_event;
        while kinds.event && at > 0 && entry.last_seq > after_seq {
            let (prev, record) = self.record(at, site, session)?;
            let Some(record) = record.filter(|record| record.seq > after_seq) else { break };
            let first = record.seq == after_seq + 1;
            found.push((at, record));
            if first {
                break;
            }
            at = prev;
        }
        let mut at = entry.last_signal;
        while kinds.signal && at > 0 {
            let (prev, record) = self.record(at, site, session)?;
            found.extend(record.filter(|record| record.seq > after_seq).map(|record| (at, record)));
            at = prev;
        }
        if kinds.partial {
            for at in &entry.partials {
                let (_, record) = self.record(*at, site, session)?;
                found.extend(record.map(|record| (*at, record)));
            }
        }
        found.sort_unstable_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// The first events after the start of `range` and until its end, on the way back from the
    /// record at `from`, whose `seq` is `expected` if that is known; and marks of that way. No more
    /// than a page is held.
    fn first(
        &self,
        from: u64,
        expected: Option<u64>,
        site: &str,
        session: &str,
        range: &RangeInclusive<u64>,
    ) -> Result<(Page, Vec<Mark>), Walk> {
        let (mut kept, mut bytes, mut more) = (VecDeque::<Record>::new(), 0, false);
        let (mut marks, mut since, mut bytes_since) = (Vec::new(), 0, 0);
        let mut at = from;
        while at > 0 {
            let (prev, record) = self.record(at, site, session)?;
            self.shared.stats.paged.fetch_add(1, Ordering::Relaxed);
            if at == from
                && expected
                    .is_some_and(|seq| record.as_ref().is_none_or(|record| record.seq != seq))
            {
                return Err(Walk::Missing(at));
            }
            let Some(record) = record.filter(|record| record.seq > *range.start()) else { break };
            if marks.is_empty() || since > PAGE_RECORDS || bytes_since > PAGE_BYTES {
                marks.push(Mark { seq: record.seq, at });
                (since, bytes_since) = (0, 0);
            }
            since += 1;
            bytes_since += record.body.len();
            at = prev;
            if record.seq > *range.end() {
                continue;
            }
            bytes += record.body.len();
            kept.push_front(record);
            while kept.len() > PAGE_RECORDS || (bytes > PAGE_BYTES && kept.len() > 1) {
                bytes -= kept.pop_back().map_or(0, |record| record.body.len());
                more = true;
            }
        }
        Ok((Page { records: kept.into(), more }, marks))
    }

    /// The record at a position and the position before it; `None` in place of a tombstone.
    fn record(&self, at: u64, site: &str, session: &str) -> Result<(u64, Option<Record>), Walk> {
        let bytes = Trees::get(&self.trees.log, &at.to_be_bytes())
            .map_err(|reason| Walk::Failed(self.broken(reason)))?;
        let bytes = bytes.ok_or(Walk::Missing(at))?;
        let corrupt = |why: String| {
            Walk::Failed(StoreError::Corrupt {
                what: format!("the record at log position {at} cannot be read: {why}"),
            })
        };
        let frame = Frame::decode(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if frame.site != site || frame.session != session {
            return Err(corrupt("it belongs to another session".into()));
        }
        Ok((frame.prev, frame.to_record()))
    }

    fn sessions(&self, query: &SessionQuery) -> Result<Vec<SessionInfo>, StoreError> {
        let after =
            query.after.as_ref().map(|cursor| (!cursor.last_at_ms, cursor.session.as_str()));
        let wanted = |last_at_ms: u64, session: &str| {
            last_at_ms >= query.since_ms && after.is_none_or(|after| (!last_at_ms, session) > after)
        };
        let fits = |site: &str, session: &str, entry: &Entry| {
            site == query.site && wanted(entry.last_at_ms, session)
        };
        let mut found = self.changed(Some(query.limit), fits);
        let mut from = match &query.after {
            Some(cursor) => index::recent_key(&query.site, cursor.last_at_ms, &cursor.session),
            None => index::site_prefix(&query.site),
        };
        let to = index::after_site(&query.site);
        let mut taken = 0;
        while taken < query.limit {
            let keys = self.listed(&from, &to, query.limit.min(256))?;
            let Some(last) = keys.last() else { break };
            from = [last, &[0][..]].concat();
            let mut past = false;
            for key in &keys {
                let Some((site, last_at_ms, session)) = index::split_recent(key) else { continue };
                past |= last_at_ms < query.since_ms;
                if wanted(last_at_ms, session)
                    && let Some(info) = self.listed_info(site, session)?
                {
                    taken += 1;
                    found.push(info);
                }
            }
            if past {
                break;
            }
        }
        found
            .sort_unstable_by(|a, b| (!a.last_at_ms, &a.session).cmp(&(!b.last_at_ms, &b.session)));
        found.dedup_by(|a, b| a.session == b.session);
        found.truncate(query.limit);
        Ok(found)
    }

    fn active(&self, since_ms: u64, before_ms: u64) -> Result<Vec<SessionInfo>, StoreError> {
        let Some(newest) = before_ms.checked_sub(1) else { return Ok(Vec::new()) };
        let mut found =
            self.changed(None, |_, _, entry| (since_ms..before_ms).contains(&entry.last_at_ms));
        let mut from = Vec::new();
        // One site after the other; within a site the newest come first, so the first older one
        // ends it.
        while let Some(first) = self.oldest_listed(&from)? {
            let Some((site, ..)) = index::split_recent(&first) else { break };
            let mut at = index::recent_key(site, newest, "");
            'site: loop {
                let keys = self.listed(&at, &index::after_site(site), 256)?;
                let Some(last) = keys.last() else { break };
                at = [last, &[0][..]].concat();
                for key in &keys {
                    let Some((site, last_at_ms, session)) = index::split_recent(key) else {
                        continue;
                    };
                    if last_at_ms < since_ms {
                        break 'site;
                    }
                    found.extend(self.listed_info(site, session)?);
                }
            }
            from = index::after_site(site);
        }
        found.sort_unstable_by(|a, b| {
            (a.last_at_ms, &a.site, &a.session).cmp(&(b.last_at_ms, &b.site, &b.session))
        });
        found.dedup_by(|a, b| a.session == b.session && a.site == b.site);
        Ok(found)
    }

    /// Sessions in the overlay that satisfy `wanted`, in no order; only the newest `limit` if there
    /// is one.
    fn changed(
        &self,
        limit: Option<usize>,
        wanted: impl Fn(&str, &str, &Entry) -> bool,
    ) -> Vec<SessionInfo> {
        let overlay = self.overlay().read();
        let names = overlay
            .entries
            .iter()
            .filter(|(key, entry)| entry.exists() && !overlay.leaving.contains(*key));
        let mut found: Vec<_> = names
            .filter_map(|(key, entry)| {
                index::split_key(key).map(|(site, session)| (site, session, entry))
            })
            .filter(|(site, session, entry)| wanted(site, session, entry))
            .collect();
        if let Some(limit) = limit.filter(|limit| *limit < found.len()) {
            found.select_nth_unstable_by_key(limit, |(_, session, entry)| {
                (!entry.last_at_ms, *session)
            });
            found.truncate(limit);
        }
        found.into_iter().map(|(site, session, entry)| entry.info(site, session)).collect()
    }

    /// A session that `recent` lists, unless the overlay knows better.
    fn listed_info(&self, site: &str, session: &str) -> Result<Option<SessionInfo>, StoreError> {
        let key = index::session_key(site, session);
        if self.overlay().read().entries.contains_key(&key) {
            return Ok(None);
        }
        Ok(self.entry(&key)?.filter(Entry::exists).map(|entry| entry.info(site, session)))
    }

    fn listed(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let pairs = Trees::range(&self.trees.recent, from, Some(to), limit)
            .map_err(|reason| self.broken(reason))?;
        Ok(pairs.into_iter().map(|(key, _)| key.to_vec()).collect())
    }

    fn oldest_listed(&self, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let pairs = Trees::range(&self.trees.recent, from, None, 1)
            .map_err(|reason| self.broken(reason))?;
        Ok(pairs.first().map(|(key, _)| key.to_vec()))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = Trees::get(&self.trees.kv, key).map_err(|reason| self.broken(reason))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let pairs = Trees::range(&self.trees.kv, from, Some(to), limit)
            .map_err(|reason| self.broken(reason))?;
        Ok(pairs.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
    }

    fn log(
        &self,
        from: u64,
        through: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let to = through.saturating_add(1).to_be_bytes();
        let pairs = Trees::range(&self.trees.log, &from.to_be_bytes(), Some(&to), limit)
            .map_err(|reason| self.broken(reason))?;
        Ok(pairs
            .into_iter()
            .filter_map(|(key, value)| Some((position(&key)?, value.to_vec())))
            .collect())
    }

    fn entries(&self, from: &[u8], limit: usize) -> Result<Vec<(Key, Entry)>, StoreError> {
        let pairs = Trees::range(&self.trees.sessions, from, None, limit)
            .map_err(|reason| self.broken(reason))?;
        let overlay = self.overlay().read();
        Ok(pairs
            .into_iter()
            .filter_map(|(key, value)| {
                let key: Key = key.to_vec().into();
                let entry = overlay.entries.get(&key).cloned().or_else(|| Entry::decode(&value))?;
                Some((key, entry))
            })
            .collect())
    }
}
