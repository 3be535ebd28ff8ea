//! The storage thread: it alone writes.
//!
//! It takes what waits, up to a batch, checks and stages each command on top of the ones before it,
//! writes the group with one flush, takes the result over into the overlay, and only then answers.
//! After a write that failed it answers everything with that failure.
//!
//! The derived trees follow later: an entry stays in the overlay until the thread is idle, or until
//! so many entries or log records have gathered that replaying them at the next start would take
//! long. The log position up to which the trees are true is kept with them; opening replays the log
//! from there.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::engine::{Engine, Trees, Writes, position};
use super::frame::{self, Frame, FrameKind};
use super::index::{self, Entry, Key};
use super::reader::{self, Reply, Request, View};
use super::{IMPORT_MARK, Opened, Record, RecordKind, Shared, StoreConfig, StoreError};

/// Without a command for this long the thread brings the derived trees up to date.
const IDLE: Duration = Duration::from_secs(2);
/// Entries that one step of keeping up writes; a step takes some tens of milliseconds and appends
/// wait for it.
const STEP_ENTRIES: usize = 2048;
/// Superseded partials that one step removes.
const STEP_PARTIALS: usize = 4096;
/// More changed entries than this are written even under load: some 25 MB of memory.
const MANY_ENTRIES: usize = 65_536;
/// More log records than this since the last checkpoint are not left to the next start: they take
/// it about a second, some more if each is of another session and the disk is busy.
const LONG_REPLAY: u64 = 100_000;
/// sled keeps every page in memory that was written since it was opened. After four times the
/// configured cache, and at least this many bytes, it is opened anew: that takes some tenths of a
/// second, rarely.
const LEAST_REOPEN_BYTES: usize = 16 << 20;
/// Signals that an import remembers of the sessions it came across, by position and hash; beyond
/// that, those of the session at hand alone.
const MANY_SIGNALS: usize = 1 << 20;

/// One record of an import, as the reading side found it.
pub(super) struct Imported {
    /// `None` for a tombstone of the session in `record`.
    pub(super) tombstone: bool,
    pub(super) record: Record,
    /// The file has a tombstone for the session before this record.
    pub(super) after_tombstone: bool,
}

/// What came of an import's records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Merged {
    pub(super) written: u64,
    pub(super) present: u64,
    pub(super) erased: u64,
}

pub(super) enum Command {
    Append {
        record: Record,
        reply: Reply<()>,
    },
    /// Key → value, or its removal.
    Put {
        pairs: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        reply: Reply<()>,
    },
    Erase {
        site: String,
        session: String,
        reply: Reply<bool>,
    },
    /// Another body for an event that is there.
    Amend {
        site: String,
        session: String,
        seq: u64,
        body: Vec<u8>,
        reply: Reply<bool>,
    },
    /// At most `limit` sessions without activity since `at_ms`.
    Expire {
        site: String,
        at_ms: u64,
        limit: usize,
        reply: Reply<u64>,
    },
    Import {
        items: Vec<Imported>,
        reply: Reply<Merged>,
    },
    /// Bring the derived trees up to date.
    Checkpoint {
        reply: Reply<()>,
    },
    /// Write the database anew without what was removed from it.
    Compact {
        reply: Reply<()>,
    },
    /// Look whether the store is closing.
    Wake,
}

impl Command {
    /// How much of a batch it fills.
    fn weight(&self) -> usize {
        match self {
            Command::Put { pairs, .. } => pairs.len(),
            Command::Import { items, .. } => items.len(),
            _ => 1,
        }
    }

    /// Commands that need what was before them on disk and the overlay empty.
    fn stands_alone(&self) -> bool {
        matches!(
            self,
            Command::Expire { .. } | Command::Checkpoint { .. } | Command::Compact { .. }
        )
    }

    fn refuse(self, error: StoreError) {
        match self {
            Command::Append { reply, .. }
            | Command::Put { reply, .. }
            | Command::Checkpoint { reply }
            | Command::Compact { reply } => {
                let _ = reply.send(Err(error));
            }
            Command::Erase { reply, .. } | Command::Amend { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Command::Expire { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Command::Import { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            Command::Wake => {}
        }
    }
}

/// An answer that is held back until the group is on disk.
enum Answer {
    Unit(Reply<()>, Result<(), StoreError>),
    Found(Reply<bool>, Result<bool, StoreError>),
    Merged(Reply<Merged>, Result<Merged, StoreError>),
}

impl Answer {
    fn send(self, failure: Option<&StoreError>) {
        fn deliver<T>(
            reply: Reply<T>,
            result: Result<T, StoreError>,
            failure: Option<&StoreError>,
        ) {
            // Nobody listens any more when the asker left; the record is written all the same.
            let _ = reply.send(match failure {
                Some(error) => Err(error.clone()),
                None => result,
            });
        }
        match self {
            Answer::Unit(reply, result) => deliver(reply, result, failure),
            Answer::Found(reply, result) => deliver(reply, result, failure),
            Answer::Merged(reply, result) => deliver(reply, result, failure),
        }
    }
}

/// A group while it is being put together.
#[derive(Default)]
struct Staged {
    writes: Writes,
    entries: FxHashMap<Key, Entry>,
    /// Partials that this group supersedes; removed later.
    superseded: Vec<u64>,
    /// Pending removals that this group carries out.
    removes_pending: bool,
    /// Sessions that readers must not look for from before the write on.
    leaving: Vec<Key>,
    records: u64,
    removals: u64,
    bytes: usize,
    changed: bool,
}

/// The signals of the sessions that a running import came across: a session's chain is walked once,
/// not for each of its signals.
#[derive(Default)]
struct Imports {
    sessions: FxHashMap<Key, Signals>,
    /// Signals of all of them.
    held: usize,
}

/// A session's signals.
struct Signals {
    /// The newest of them. If the session's entry says otherwise, somebody else wrote or erased,
    /// and they are to be read again.
    last: u64,
    positions: FxHashMap<SignalId, u64>,
}

/// `seq`, `at_ms` and a hash of the body: what has the same is compared as a whole.
type SignalId = (u64, u64, u64);

impl Imports {
    fn put(&mut self, key: &Key, signals: Signals) {
        let of_others = self.held - self.sessions.get(key).map_or(0, |known| known.positions.len());
        if of_others + signals.positions.len() > MANY_SIGNALS {
            self.sessions.clear();
            self.held = signals.positions.len();
        } else {
            self.held = of_others + signals.positions.len();
        }
        self.sessions.insert(key.clone(), signals);
    }

    /// Notes a signal that was just written.
    fn add(&mut self, key: &Key, id: SignalId, pos: u64) {
        if let Some(signals) = self.sessions.get_mut(key) {
            signals.last = pos;
            self.held += usize::from(signals.positions.insert(id, pos).is_none());
        }
    }
}

fn signal_id(record: &Record) -> SignalId {
    use std::hash::Hasher as _;
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(&record.body);
    (record.seq, record.at_ms, hasher.finish())
}

pub(super) struct Storage {
    engine: Engine,
    /// `None` only inside [`Storage::reopen`] and after it failed.
    trees: Option<Trees>,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    requests: SyncSender<Request>,
    batch: usize,
    reopen_bytes: usize,
    next_pos: u64,
    /// Keys in the overlay, each with the log position from which on the trees don't know it.
    dirty: VecDeque<(u64, Key)>,
    /// Superseded partials still in the log.
    pending: BTreeSet<u64>,
    /// What the meta tree says.
    checkpoint: u64,
    imports: Imports,
    written_bytes: usize,
    /// Keeps other processes out; let go of after sled is.
    lock: Option<File>,
}

/// Opens sled, replays, and serves until the store is closed. `opened` gets one message.
pub(super) fn run(
    config: &StoreConfig,
    engine: Engine,
    lock: File,
    shared: &Arc<Shared>,
    commands: Receiver<Command>,
    (requests, reads): (SyncSender<Request>, Receiver<Request>),
    opened: &SyncSender<Result<Opened, String>>,
) {
    let trees =
        match engine.settle().map_err(|error| error.to_string()).and_then(|()| engine.open()) {
            Ok(trees) => trees,
            Err(reason) => {
                let _ = opened.send(Err(reason));
                return;
            }
        };
    let mut storage = Storage {
        engine,
        trees: Some(trees.clone()),
        shared: shared.clone(),
        commands,
        requests,
        batch: config.batch.max(1),
        reopen_bytes: LEAST_REOPEN_BYTES.max(4 * (config.cache_mib << 20)),
        next_pos: 1,
        dirty: VecDeque::new(),
        pending: BTreeSet::new(),
        checkpoint: 0,
        imports: Imports::default(),
        written_bytes: 0,
        lock: Some(lock),
    };
    let found = match storage.recover() {
        Ok(found) => found,
        Err(reason) => {
            let _ = opened.send(Err(reason));
            std::mem::forget((trees, storage.trees.take()));
            return;
        }
    };
    let reading = {
        let shared = shared.clone();
        std::thread::Builder::new()
            .name("frontdesk-store-read".into())
            .spawn(move || reader::run(trees, &reads, &shared))
    };
    let reading = match reading {
        Ok(thread) => thread,
        Err(error) => {
            let _ = opened.send(Err(format!("the reading thread cannot start: {error}")));
            return;
        }
    };
    if opened.send(Ok(found)).is_ok() {
        storage.serve();
    }
    // The reader's handles must be gone before ours are: the last one out shuts sled down.
    let _ = storage.requests.send(Request::Stop);
    let _ = reading.join();
    storage.finish();
}

impl Storage {
    fn trees(&self) -> Result<&Trees, StoreError> {
        self.trees
            .as_ref()
            .ok_or_else(|| self.shared.broken_error("it could not be opened again".into()))
    }

    /// Reads what the last run left and replays the log after the checkpoint.
    fn recover(&mut self) -> Result<Opened, String> {
        let Some(trees) = self.trees.clone() else { return Err("no trees".into()) };
        match trees.meta_number("format")? {
            None | Some(1) => {}
            Some(format) => {
                return Err(format!("its format {format} is newer than this program knows"));
            }
        }
        let fresh = trees.meta_number("format")?.is_none();
        let clean = fresh || trees.meta_number("clean")? == Some(1);
        self.checkpoint = trees.meta_number("checkpoint")?.unwrap_or(0);
        let high = trees.meta_number("high")?.unwrap_or(0);
        let (mut replayed, mut unreadable) = (0, 0);
        let mut from = self.checkpoint + 1;
        let mut last = trees.last_position()?.max(high).max(self.checkpoint);
        loop {
            let pairs = Trees::range(&trees.log, &from.to_be_bytes(), None, 1024)?;
            let Some((end, _)) = pairs.last() else { break };
            let Some(end) = position(end) else { return Err("a log key is not a position".into()) };
            for (key, value) in &pairs {
                let Some(pos) = position(key) else {
                    return Err("a log key is not a position".into());
                };
                replayed += 1;
                match Frame::decode(value) {
                    Ok(frame) => self.replay(&trees, pos, &frame)?,
                    // It costs its session, not everybody's start.
                    Err(error) => {
                        unreadable += 1;
                        tracing::error!(pos, %error, "a record of the log can't be read and is passed over; `frontdesk verify` tells more");
                    }
                }
            }
            self.shared.replayed.store(replayed, Ordering::Relaxed);
            last = last.max(end);
            from = end + 1;
        }
        self.next_pos = last + 1;
        self.shared.flushed.store(last, Ordering::Release);
        let import_interrupted = Trees::get(&trees.kv, IMPORT_MARK)?.is_some();
        let mut writes = Writes::default();
        writes.meta.insert(b"format", 1_u64.to_be_bytes());
        writes.meta.insert(b"clean", 0_u64.to_be_bytes());
        trees.write(writes)?;
        Ok(Opened { clean, replayed, unreadable, import_interrupted })
    }

    fn replay(&mut self, trees: &Trees, pos: u64, frame: &Frame<'_>) -> Result<(), String> {
        let key = index::session_key(frame.site, frame.session);
        let shared = self.shared.clone();
        let mut overlay = shared.overlay.write();
        let mut entry = match overlay.entries.get(&key) {
            Some(entry) => entry.clone(),
            None => Trees::get(&trees.sessions, &key)?
                .and_then(|bytes| Entry::decode(&bytes))
                .unwrap_or_default(),
        };
        let news = pos > entry.last_pos;
        self.pending.extend(entry.apply(pos, frame));
        if news {
            if !overlay.entries.contains_key(&key) {
                self.dirty.push_back((pos, key.clone()));
            }
            overlay.entries.insert(key, entry);
        }
        Ok(())
    }

    fn serve(&mut self) {
        let mut aside: Option<Command> = None;
        let mut kept_up = Instant::now();
        loop {
            let first = match aside.take() {
                Some(command) => command,
                None if self.shared.closing.load(Ordering::Acquire) => {
                    match self.commands.try_recv() {
                        Ok(command) => command,
                        Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
                    }
                }
                None if self.has_work() => match self.commands.recv_timeout(IDLE) {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout) => {
                        // Small steps until something comes in: whatever waits gets in between.
                        while self.keep_up().is_ok()
                            && self.has_work()
                            && self.nothing_waits(&mut aside)
                        {}
                        kept_up = Instant::now();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match self.commands.recv() {
                    Ok(command) => command,
                    Err(_) => return,
                },
            };
            if let Some(error) = self.shared.broken() {
                first.refuse(error);
                continue;
            }
            if first.stands_alone() {
                self.alone(first);
                continue;
            }
            let mut weight = first.weight();
            let mut group = vec![first];
            while weight < self.batch
                && let Ok(command) = self.commands.try_recv()
            {
                if command.stands_alone() {
                    aside = Some(command);
                    break;
                }
                weight += command.weight();
                group.push(command);
            }
            self.commit(group);
            let behind = self.next_pos - 1 - self.trusted_through();
            if self.dirty.len() > MANY_ENTRIES
                || self.pending.len() > STEP_PARTIALS
                || (behind > LONG_REPLAY && kept_up.elapsed() > IDLE)
                || behind > 2 * LONG_REPLAY
            {
                let _ = self.keep_up();
                kept_up = Instant::now();
            }
            if self.written_bytes > self.reopen_bytes {
                self.reopen();
            }
        }
    }

    fn nothing_waits(&mut self, aside: &mut Option<Command>) -> bool {
        *aside = self.commands.try_recv().ok();
        aside.is_none() && !self.shared.closing.load(Ordering::Acquire)
    }

    fn has_work(&self) -> bool {
        self.shared.broken().is_none() && (!self.dirty.is_empty() || !self.pending.is_empty())
    }

    /// The position up to which the derived trees say all there is to say.
    fn trusted_through(&self) -> u64 {
        let dirty = self.dirty.front().map_or(u64::MAX, |(pos, _)| *pos);
        let pending = self.pending.first().copied().unwrap_or(u64::MAX);
        (dirty.min(pending) - 1).min(self.next_pos - 1)
    }

    /// Checks, stages, writes, takes over, answers.
    fn commit(&mut self, group: Vec<Command>) {
        let began = Instant::now();
        let start = self.next_pos;
        let mut staged = Staged::default();
        let mut answers = Vec::with_capacity(group.len());
        for command in group {
            match command {
                Command::Append { record, reply } => {
                    let result = self.append(&mut staged, &record);
                    answers.push(Answer::Unit(reply, result));
                }
                Command::Put { pairs, reply } => {
                    staged.changed |= !pairs.is_empty();
                    for (key, value) in pairs {
                        // An import begins or ends.
                        if key == IMPORT_MARK {
                            self.imports = Imports::default();
                        }
                        staged.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                        match value {
                            Some(value) => staged.writes.kv.insert(key, value),
                            None => staged.writes.kv.remove(key),
                        }
                    }
                    answers.push(Answer::Unit(reply, Ok(())));
                }
                Command::Erase { site, session, reply } => {
                    let result = self.erase(&mut staged, &site, &session);
                    answers.push(Answer::Found(reply, result));
                }
                Command::Amend { site, session, seq, body, reply } => {
                    let result = self.amend(&mut staged, &site, &session, seq, &body);
                    answers.push(Answer::Found(reply, result));
                }
                Command::Import { items, reply } => {
                    let result = self.import(&mut staged, &items);
                    answers.push(Answer::Merged(reply, result));
                }
                // Those that stand alone are never put into a group.
                other => other.refuse(StoreError::Closed),
            }
        }
        let result = if staged.changed { self.write(&mut staged, start) } else { Ok(()) };
        if result.is_ok() && staged.records > 0 {
            self.shared.stats.group(staged.records, began.elapsed());
        }
        for answer in answers {
            answer.send(result.as_ref().err());
        }
    }

    /// Writes a group and takes it over into the overlay.
    fn write(&mut self, staged: &mut Staged, start: u64) -> Result<(), StoreError> {
        if !staged.leaving.is_empty() {
            self.shared.overlay.write().leaving.extend(staged.leaving.iter().cloned());
        }
        self.flush(std::mem::take(&mut staged.writes), staged.bytes)?;
        if staged.removes_pending {
            self.pending.clear();
        }
        self.pending.extend(staged.superseded.drain(..));
        let mut overlay = self.shared.overlay.write();
        // The group also looked at entries that it left alone, for appends it refused.
        for (key, entry) in staged.entries.drain().filter(|(_, entry)| entry.last_pos >= start) {
            if overlay.entries.insert(key.clone(), entry).is_none() {
                self.dirty.push_back((start, key));
            }
        }
        for key in staged.leaving.drain(..) {
            overlay.leaving.remove(&key);
        }
        drop(overlay);
        self.shared.removals.fetch_add(staged.removals, Ordering::Relaxed);
        self.shared.flushed.store(self.next_pos - 1, Ordering::Release);
        Ok(())
    }

    /// One flush. A failure is the store's end.
    fn flush(&mut self, writes: Writes, bytes: usize) -> Result<(), StoreError> {
        // Beside the records themselves a flush rewrites the last page.
        self.written_bytes += bytes;
        let trees = self.trees()?;
        trees.write(writes).map_err(|reason| self.shared.broken_error(reason))
    }

    /// The entry as the group so far leaves it.
    fn staged_entry<'a>(
        &self,
        staged: &'a mut Staged,
        key: &Key,
    ) -> Result<&'a mut Entry, StoreError> {
        if !staged.entries.contains_key(key) {
            let view = View { trees: self.trees()?, shared: &self.shared };
            let entry = view.entry(key)?.unwrap_or_default();
            staged.entries.insert(key.clone(), entry);
        }
        Ok(staged.entries.entry(key.clone()).or_default())
    }

    fn append(&mut self, staged: &mut Staged, record: &Record) -> Result<(), StoreError> {
        let key = index::session_key(&record.site, &record.session);
        let last = self.staged_entry(staged, &key)?.last_seq;
        let (fits, expected) = match record.kind {
            RecordKind::Event => (record.seq == last + 1, last + 1),
            // Both refer to an event, so there must be one.
            RecordKind::Partial => (record.seq == last && last > 0, last.max(1)),
            RecordKind::Signal => ((1..=last).contains(&record.seq), last.max(1)),
        };
        if !fits {
            return Err(StoreError::Conflict { expected, got: record.seq });
        }
        self.put_frame(staged, &key, Frame::of(record, 0))
    }

    /// Gives the frame its position and its place in the session's chain.
    fn put_frame(
        &mut self,
        staged: &mut Staged,
        key: &Key,
        mut frame: Frame<'_>,
    ) -> Result<(), StoreError> {
        let pos = self.next_pos;
        let entry = self.staged_entry(staged, key)?;
        frame.prev = match frame.kind {
            FrameKind::Record(RecordKind::Event) => entry.last_event,
            FrameKind::Record(RecordKind::Signal) => entry.last_signal,
            FrameKind::Record(RecordKind::Partial) | FrameKind::Tombstone => 0,
        };
        let superseded = entry.apply(pos, &frame);
        staged.superseded.extend(superseded);
        let bytes = frame.encode();
        staged.bytes += bytes.len() + 64;
        staged.writes.log.insert(pos.to_be_bytes(), bytes);
        staged.records += 1;
        staged.changed = true;
        self.next_pos += 1;
        Ok(())
    }

    /// Removes every record of a session, superseded ones too, and leaves a tombstone.
    fn erase(
        &mut self,
        staged: &mut Staged,
        site: &str,
        session: &str,
    ) -> Result<bool, StoreError> {
        let key = index::session_key(site, session);
        let entry = self.staged_entry(staged, &key)?.clone();
        if !entry.exists() {
            return Ok(false);
        }
        self.remove_records(staged, &entry, site, session)?;
        for pos in self.pending.iter().chain(&staged.superseded) {
            staged.writes.log.remove(pos.to_be_bytes());
        }
        staged.removes_pending = true;
        staged.superseded.clear();
        staged.leaving.push(key.clone());
        staged.removals += 1;
        let kind = FrameKind::Tombstone;
        self.put_frame(
            staged,
            &key,
            Frame { kind, prev: 0, seq: entry.last_seq, at_ms: 0, site, session, body: b"" },
        )?;
        Ok(true)
    }

    /// Puts another body in place of an event's; all else about it stays.
    fn amend(
        &mut self,
        staged: &mut Staged,
        site: &str,
        session: &str,
        seq: u64,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        let entry = self.staged_entry(staged, &index::session_key(site, session))?;
        let mut at = if entry.exists() { entry.last_event } else { 0 };
        while at > 0 {
            let bytes = self.staged_bytes(staged, at)?.ok_or_else(|| missing(at))?;
            let frame = Frame::decode(&bytes).map_err(|_| missing(at))?;
            if frame.kind == FrameKind::Tombstone || frame.seq < seq {
                break;
            }
            if frame.seq == seq {
                let bytes = Frame { body, ..frame }.encode();
                staged.bytes += bytes.len() + 64;
                staged.writes.log.insert(at.to_be_bytes(), bytes);
                staged.changed = true;
                return Ok(true);
            }
            at = frame.prev;
        }
        Ok(false)
    }

    /// Stages the removal of all records of a session: those that its entry leads to, or, where
    /// that chain is broken, those that the whole log has. One damaged record so keeps neither its
    /// own session nor others from being forgotten.
    fn remove_records(
        &self,
        staged: &mut Staged,
        entry: &Entry,
        site: &str,
        session: &str,
    ) -> Result<(), StoreError> {
        let positions = match self.chain(staged, entry) {
            Err(StoreError::Corrupt { what }) => {
                tracing::error!(
                    site,
                    session,
                    what,
                    "a damaged session is removed by looking through the whole log"
                );
                self.looked_for(site, session, entry)?
            }
            chain => chain?,
        };
        staged.changed = true;
        for pos in positions {
            staged.writes.log.remove(pos.to_be_bytes());
        }
        Ok(())
    }

    fn chain(&self, staged: &Staged, entry: &Entry) -> Result<Vec<u64>, StoreError> {
        let mut positions = entry.partials.clone();
        for last in [entry.last_event, entry.last_signal] {
            let mut at = last;
            while at > 0 {
                positions.push(at);
                at = self.prev_of(staged, at)?;
            }
        }
        Ok(positions)
    }

    /// Positions of the log whose records name the session, also damaged ones, and those that its
    /// entry names.
    fn looked_for(&self, site: &str, session: &str, entry: &Entry) -> Result<Vec<u64>, StoreError> {
        let mut positions = entry.partials.clone();
        positions.extend([entry.last_event, entry.last_signal].into_iter().filter(|at| *at > 0));
        let trees = self.trees()?;
        let mut from = 1_u64;
        loop {
            let pairs = Trees::range(&trees.log, &from.to_be_bytes(), None, 1024);
            let pairs = pairs.map_err(|reason| self.shared.broken_error(reason))?;
            let Some(end) = pairs.last().and_then(|(key, _)| position(key)) else {
                return Ok(positions);
            };
            let of_session =
                |bytes: &[u8]| frame::names(bytes).is_some_and(|names| names == (site, session));
            positions.extend(
                pairs
                    .iter()
                    .filter(|(_, bytes)| of_session(bytes))
                    .filter_map(|(key, _)| position(key)),
            );
            from = end + 1;
        }
    }

    fn prev_of(&self, staged: &Staged, at: u64) -> Result<u64, StoreError> {
        let bytes = self.staged_bytes(staged, at)?.ok_or_else(|| missing(at))?;
        Ok(Frame::decode(&bytes).map_err(|_| missing(at))?.prev)
    }

    /// The log as the group so far leaves it.
    fn staged_bytes(
        &self,
        staged: &Staged,
        at: u64,
    ) -> Result<Option<sled::InlineArray>, StoreError> {
        let key = at.to_be_bytes();
        match staged.writes.log.get(key) {
            Some(staged) => Ok(staged.cloned()),
            None => Trees::get(&self.trees()?.log, &key)
                .map_err(|reason| self.shared.broken_error(reason)),
        }
    }

    fn import(&mut self, staged: &mut Staged, items: &[Imported]) -> Result<Merged, StoreError> {
        let mut merged = Merged::default();
        for item in items {
            let record = &item.record;
            let key = index::session_key(&record.site, &record.session);
            let entry = self.staged_entry(staged, &key)?.clone();
            if item.tombstone {
                if entry.exists() && self.was_erased(staged, &entry)? {
                    // Erased here as well, and begun again since.
                    merged.present += 1;
                } else if entry.exists() {
                    self.erase(staged, &record.site, &record.session)?;
                    merged.written += 1;
                } else if entry.erased() {
                    merged.present += 1;
                } else {
                    let frame = Frame { kind: FrameKind::Tombstone, ..Frame::of(record, 0) };
                    self.put_frame(staged, &key, frame)?;
                    merged.written += 1;
                }
                continue;
            }
            if entry.erased() && !item.after_tombstone {
                merged.erased += 1;
                continue;
            }
            let new = match record.kind {
                RecordKind::Event if record.seq > entry.last_seq + 1 => {
                    return Err(StoreError::Conflict {
                        expected: entry.last_seq + 1,
                        got: record.seq,
                    });
                }
                RecordKind::Event => record.seq == entry.last_seq + 1,
                RecordKind::Partial | RecordKind::Signal if record.seq > entry.last_seq => {
                    return Err(StoreError::Conflict { expected: entry.last_seq, got: record.seq });
                }
                RecordKind::Partial => {
                    record.seq == entry.last_seq
                        && !self.holds(staged, record, entry.partials.iter().copied())?
                }
                RecordKind::Signal => !self.has_signal(staged, &key, entry.last_signal, record)?,
            };
            if new {
                let pos = self.next_pos;
                self.put_frame(staged, &key, Frame::of(record, 0))?;
                if record.kind == RecordKind::Signal {
                    self.imports.add(&key, signal_id(record), pos);
                }
                merged.written += 1;
            } else {
                merged.present += 1;
            }
        }
        Ok(merged)
    }

    /// Whether the session, whose newest signal is at `last`, has this very signal.
    fn has_signal(
        &mut self,
        staged: &Staged,
        key: &Key,
        last: u64,
        record: &Record,
    ) -> Result<bool, StoreError> {
        if self.imports.sessions.get(key).is_none_or(|signals| signals.last != last) {
            let mut positions = FxHashMap::default();
            let mut at = last;
            while at > 0 {
                let bytes = self.staged_bytes(staged, at)?.ok_or_else(|| missing(at))?;
                let frame = Frame::decode(&bytes).map_err(|_| missing(at))?;
                let (here, prev) = (at, frame.prev);
                positions.extend(frame.to_record().map(|record| (signal_id(&record), here)));
                at = prev;
            }
            self.imports.put(key, Signals { last, positions });
        }
        let known = self
            .imports
            .sessions
            .get(key)
            .and_then(|signals| signals.positions.get(&signal_id(record)));
        self.holds(staged, record, known.copied().into_iter())
    }

    /// Whether the session's events follow on a tombstone.
    fn was_erased(&self, staged: &Staged, entry: &Entry) -> Result<bool, StoreError> {
        let mut at = entry.last_event;
        while at > 0 {
            let bytes = self.staged_bytes(staged, at)?;
            match bytes.as_deref().map(Frame::decode) {
                Some(Ok(frame)) if frame.kind == FrameKind::Tombstone => return Ok(true),
                Some(Ok(frame)) => at = frame.prev,
                _ => return Err(missing(at)),
            }
        }
        Ok(false)
    }

    /// Whether one of the records at `positions` is this very one.
    fn holds(
        &self,
        staged: &Staged,
        record: &Record,
        mut positions: impl Iterator<Item = u64>,
    ) -> Result<bool, StoreError> {
        positions.try_fold(false, |held, pos| {
            if held {
                return Ok(true);
            }
            let bytes = self.staged_bytes(staged, pos)?;
            let there = bytes
                .as_deref()
                .and_then(|bytes| Frame::decode(bytes).ok())
                .and_then(Frame::to_record);
            Ok(there.as_ref() == Some(record))
        })
    }

    /// Commands that want everything before them in the trees.
    fn alone(&mut self, command: Command) {
        let kept_up = self.keep_up_fully();
        match command {
            Command::Checkpoint { reply } => {
                let _ = reply.send(kept_up);
            }
            Command::Compact { reply } => {
                let _ = reply.send(kept_up.and_then(|()| self.compact()));
            }
            Command::Expire { site, at_ms, limit, reply } => {
                let _ = reply.send(kept_up.and_then(|()| self.expire(&site, at_ms, limit)));
            }
            other => other.refuse(StoreError::Closed),
        }
    }

    /// The overlay is empty and nothing is pending here, so the trees say it all.
    fn expire(&mut self, site: &str, at_ms: u64, limit: usize) -> Result<u64, StoreError> {
        let Some(newest) = at_ms.checked_sub(1) else { return Ok(0) };
        let mut staged = Staged::default();
        let from = index::recent_key(site, newest, "");
        let trees = self.trees()?;
        let keys = Trees::range(&trees.recent, &from, Some(&index::after_site(site)), limit)
            .map_err(|reason| self.shared.broken_error(reason))?;
        let mut count = 0;
        for (recent, _) in &keys {
            let Some((site, _, session)) = index::split_recent(recent) else { continue };
            let key = index::session_key(site, session);
            let view = View { trees: self.trees()?, shared: &self.shared };
            if let Some(entry) = view.entry(&key)? {
                self.remove_records(&mut staged, &entry, site, session)?;
            }
            staged.writes.sessions.remove(key.to_vec());
            staged.writes.recent.remove(recent.to_vec());
            staged.leaving.push(key);
            count += 1;
        }
        if count > 0 {
            staged.removals = count;
            staged.writes.meta.insert(b"high", (self.next_pos - 1).to_be_bytes());
            let start = self.next_pos;
            self.write(&mut staged, start)?;
        }
        Ok(count)
    }

    fn keep_up_fully(&mut self) -> Result<(), StoreError> {
        while self.has_work() {
            self.keep_up()?;
        }
        self.shared.broken().map_or(Ok(()), Err)
    }

    /// One step: writes the entries that have waited longest, removes superseded partials, moves
    /// the checkpoint.
    fn keep_up(&mut self) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        let mut bytes = 0;
        let removed: Vec<u64> = self.pending.iter().copied().take(STEP_PARTIALS).collect();
        for pos in &removed {
            writes.log.remove(pos.to_be_bytes());
            self.pending.remove(pos);
        }
        let count = self.dirty.len().min(STEP_ENTRIES);
        let keys: Vec<Key> = self.dirty.drain(..count).map(|(_, key)| key).collect();
        {
            let overlay = self.shared.overlay.read();
            for key in &keys {
                let Some(entry) = overlay.entries.get(key) else { continue };
                let Some((site, session)) = index::split_key(key) else { continue };
                let listed_at = entry.exists().then_some(entry.last_at_ms);
                if listed_at != entry.listed_at {
                    if let Some(at_ms) = entry.listed_at {
                        writes.recent.remove(index::recent_key(site, at_ms, session));
                    }
                    if let Some(at_ms) = listed_at {
                        writes.recent.insert(index::recent_key(site, at_ms, session), b"");
                    }
                }
                let value = entry.encode();
                bytes += 2 * key.len() + value.len();
                writes.sessions.insert(key.to_vec(), value);
            }
        }
        self.checkpoint = self.trusted_through();
        writes.meta.insert(b"checkpoint", self.checkpoint.to_be_bytes());
        writes.meta.insert(b"high", (self.next_pos - 1).to_be_bytes());
        // A changed entry rewrites its page; pages are what stays in memory.
        self.flush(writes, bytes)?;
        let mut overlay = self.shared.overlay.write();
        for key in &keys {
            overlay.entries.remove(key);
        }
        Ok(())
    }

    /// Writes the database anew. Until it is over nothing is written, and at its end nothing is
    /// read for some tenths of a second.
    fn compact(&mut self) -> Result<(), StoreError> {
        let failed = |reason: String| StoreError::Transfer { what: "compact the store", reason };
        let copy = self.engine.copy(self.trees()?).map_err(failed)?;
        let replaced =
            self.reopened(|engine| engine.replace(&copy).map_err(|error| error.to_string()));
        self.shared.broken().map_or_else(|| replaced.map_err(failed), Err)
    }

    /// Gives back the memory of the pages written so far.
    fn reopen(&mut self) {
        // Whether it could is known to the store's health.
        let _ = self.reopened(|_| Ok(()));
    }

    /// Lets go of the database, has something done to it, and opens it again. Gives what came of
    /// that.
    fn reopened(
        &mut self,
        meanwhile: impl FnOnce(&Engine) -> Result<(), String>,
    ) -> Result<(), String> {
        let (released, wait) = sync_channel(1);
        let (hand, next) = sync_channel(1);
        if self.requests.send(Request::Swap { released, next }).is_err() || wait.recv().is_err() {
            return Err("the store is closing".to_owned());
        }
        drop(self.trees.take());
        self.written_bytes = 0;
        let done = meanwhile(&self.engine);
        match self.engine.reopen() {
            Ok(trees) => {
                let _ = hand.send(trees.clone());
                self.trees = Some(trees);
                self.shared.stats.reopened.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                self.shared.broken_error(format!("it could not be opened again: {reason}"));
            }
        }
        done
    }

    /// Brings the trees up to date, marks the store as closed properly and lets go of it.
    fn finish(mut self) {
        let mut result = self.keep_up_fully();
        if result.is_ok() {
            let mut writes = Writes::default();
            writes.meta.insert(b"clean", 1_u64.to_be_bytes());
            writes.meta.insert(b"checkpoint", (self.next_pos - 1).to_be_bytes());
            writes.meta.insert(b"high", (self.next_pos - 1).to_be_bytes());
            result = self.flush(writes, 0);
        }
        let trees = self.trees.take();
        if result.is_err() {
            std::mem::forget(trees);
        } else {
            drop(trees);
        }
        drop(self.lock.take());
        while let Ok(command) = self.commands.try_recv() {
            command.refuse(StoreError::Closed);
        }
        self.shared.finished.send_replace(Some(result));
    }
}

fn missing(at: u64) -> StoreError {
    StoreError::Corrupt { what: format!("the record at log position {at} is missing or damaged") }
}

/// A reply's two ends.
pub(super) fn reply<T>() -> (Reply<T>, oneshot::Receiver<Result<T, StoreError>>) {
    oneshot::channel()
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    const EVENTS: &[RecordKind] = &[RecordKind::Event];

    fn event(session: &str, seq: u64) -> Record {
        let (kind, body) = (RecordKind::Event, format!("{session} says {seq}").into_bytes());
        Record { site: "shop".into(), session: session.into(), seq, at_ms: 1_000 + seq, kind, body }
    }

    /// Three sessions of three events each, the second one of "b" damaged on disk: its middle is no
    /// frame any more.
    async fn damaged(path: &std::path::Path, replayed: bool) -> Store {
        let config = StoreConfig { path: path.to_owned(), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        for seq in 1..=3 {
            for session in ["a", "b", "c"] {
                store.append(event(session, seq)).await.unwrap();
            }
        }
        store.close().await.unwrap();
        drop(store);
        let trees = Engine { path: path.join("db"), cache_bytes: 1 << 20 }.reopen().unwrap();
        let pos = 5_u64.to_be_bytes();
        let mut bytes = Trees::get(&trees.log, &pos).unwrap().unwrap().to_vec();
        assert_eq!(frame::names(&bytes), Some(("shop", "b")));
        *bytes.last_mut().unwrap() ^= 0x55;
        let mut writes = Writes::default();
        writes.log.insert(pos, bytes);
        if replayed {
            // As after a crash before the derived trees were brought up to date.
            writes.meta.insert(b"checkpoint", 0_u64.to_be_bytes());
        }
        trees.write(writes).unwrap();
        drop(trees);
        opened_again(&config)
    }

    /// Opens a store again: sled lets go of its directory a moment after its last handle went.
    fn opened_again(config: &StoreConfig) -> Store {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match Store::open(config) {
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                store => return store.unwrap(),
            }
        }
    }

    #[tokio::test]
    async fn a_compaction_keeps_what_is_there_and_can_be_cut_off_anywhere() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().to_owned(), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        for seq in 1..=20 {
            store.append(event("a", seq)).await.unwrap();
            store.append(event("b", seq)).await.unwrap();
        }
        store.erase("shop", "b").await.unwrap();
        store.put("space", b"key", b"value").await.unwrap();
        store.compact().await.unwrap();
        store.append(event("a", 21)).await.unwrap();
        store.append(event("b", 1)).await.unwrap();
        assert!(!config.path.join("db.new").exists() && !config.path.join("db.old").exists());
        store.close().await.unwrap();
        drop(store);
        // As a crash leaves it: in the middle of copying, after the first step of changing places,
        // with only the old one left.
        let move_to =
            |name: &str| std::fs::rename(config.path.join("db"), config.path.join(name)).unwrap();
        let half = || std::fs::create_dir_all(config.path.join("db.new/half")).unwrap();
        let cuts: [&dyn Fn(); 4] = [&half, &|| move_to("db.new"), &|| move_to("db.old"), &|| {
            std::fs::create_dir_all(config.path.join("db.old/rest")).unwrap()
        }];
        for cut in cuts {
            cut();
            let store = opened_again(&config);
            assert_eq!(paged(&store, "a", u64::MAX).await, (1..=21).collect::<Vec<_>>());
            assert_eq!(paged(&store, "b", u64::MAX).await, [1]);
            assert_eq!(store.get("space", b"key").await.unwrap().as_deref(), Some(&b"value"[..]));
            assert!(!config.path.join("db.new").exists() && !config.path.join("db.old").exists());
            assert_eq!(records(&store).await, 23, "with the tombstone");
            store.close().await.unwrap();
        }
    }

    /// All pages of a history, one after the other.
    async fn paged(store: &Store, session: &str, through: u64) -> Vec<u64> {
        let (mut seqs, mut after) = (Vec::new(), 0);
        loop {
            let page = store.page("shop", session, after, through).await.unwrap();
            seqs.extend(page.records.iter().map(|record| record.seq));
            match page.records.last() {
                Some(last) if page.more => after = last.seq,
                _ => return seqs,
            }
        }
    }

    #[tokio::test]
    async fn a_long_history_is_read_in_pages_about_once() {
        const EVENTS: u64 = 5_000;
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig {
            path: directory.path().to_owned(),
            ..StoreConfig::default()
        })
        .unwrap();
        let write = async |seqs: std::ops::RangeInclusive<u64>| {
            for seqs in seqs.collect::<Vec<_>>().chunks(500) {
                let appended = seqs.iter().map(|seq| store.append(event("a", *seq)));
                futures_util::future::try_join_all(appended).await.unwrap();
            }
        };
        write(1..=EVENTS).await;
        assert_eq!(paged(&store, "a", u64::MAX).await, (1..=EVENTS).collect::<Vec<_>>());
        let looked_at = store.stats().paged;
        assert!(looked_at < 4 * EVENTS, "{looked_at}");
        // What is known of the way stays right while the conversation goes on, ends early, or is
        // another one.
        write(EVENTS + 1..=EVENTS + 700).await;
        for through in [1, 256, 257, 300, 4_900, EVENTS + 650, u64::MAX] {
            let last = through.min(EVENTS + 700);
            assert_eq!(
                paged(&store, "a", through).await,
                (1..=last).collect::<Vec<_>>(),
                "{through}"
            );
        }
        store.erase("shop", "a").await.unwrap();
        assert_eq!(paged(&store, "a", u64::MAX).await, [0; 0]);
        write(1..=600).await;
        assert_eq!(paged(&store, "a", u64::MAX).await, (1..=600).collect::<Vec<_>>());
        store.close().await.unwrap();
    }

    async fn records(store: &Store) -> u64 {
        let store = store.clone();
        let verified =
            tokio::task::spawn_blocking(move || store.verify(|_| Ok(true), |_| ()).unwrap());
        verified.await.unwrap().records
    }

    #[tokio::test]
    async fn a_damaged_record_costs_its_session_and_no_other() {
        for replayed in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let store = damaged(directory.path(), replayed).await;
            assert_eq!(store.opened().unreadable, u64::from(replayed));
            for session in ["a", "c"] {
                assert_eq!(store.read("shop", session, 0, EVENTS).await.unwrap().len(), 3);
                store.append(event(session, 4)).await.unwrap();
            }
            let read = store.read("shop", "b", 0, EVENTS).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
            let (checked, path) = (store.clone(), directory.path().display().to_string());
            let report =
                tokio::task::spawn_blocking(move || checked.verify(|_| Ok(true), |_| ()).unwrap());
            let report = report.await.unwrap();
            assert!(
                report.bad_frames == 1 && report.problems[0].contains("log position 5"),
                "{path} {report:?}"
            );

            // Forgetting it leaves none of its records, also of those behind the damage.
            assert!(store.erase("shop", "b").await.unwrap());
            assert_eq!(store.read("shop", "b", 0, EVENTS).await.unwrap(), []);
            assert_eq!(records(&store).await, 2 * 4 + 1, "all of the others, and a tombstone");
            store.append(event("b", 1)).await.unwrap();
            store.close().await.unwrap();
        }
    }

    #[tokio::test]
    async fn retention_goes_on_past_a_damaged_record() {
        let directory = tempfile::tempdir().unwrap();
        let store = damaged(directory.path(), false).await;
        assert_eq!(store.expire_before("shop", 5_000, u64::MAX).await.unwrap(), 3);
        assert_eq!(records(&store).await, 0);
        store.close().await.unwrap();
    }
}
