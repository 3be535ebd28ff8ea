//! The append-only log of everything that was said, and what is derived from it. The only file that
//! knows sled.
//!
//! One named storage thread owns all writes: it drains what waits, writes it in one batch, flushes,
//! and only then acknowledges. A second one reads.
//!
//! | Submodule | Holds |
//! | --- | --- |
//! | `frame` | one record as bytes |
//! | `index` | what is known about each session, and which of it is newer than the disk's copy |
//! | `thread` | the storage thread: groups, checks, checkpoints, removal |
//! | `reader` | the reading thread |
//! | `transfer` | export, import and verify, and the format of an export |
//! | `engine` | sled, and what it needs from us |
//!
//! # The directory
//! `lock` is locked while a process has the store open, `db/` is sled's. Erased and expired records
//! leave the log at once, and so does what an event said before it was amended; their bytes stay in
//! free slots of sled's files until those are used again, or until [`Store::compact`].

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;

mod engine;
mod frame;
mod index;
mod reader;
mod thread;
mod transfer;

pub use transfer::{ExportReport, ImportReport, Progress, VerifyReport};

use engine::Engine;
use index::Overlay;
use reader::{Kinds, Reply, Request};
use thread::{Command, Imported, Merged, reply};

/// Largest body of a record, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// Longest site or session name, in bytes.
pub const MAX_NAME: usize = 128;
/// Largest value of [`Store::put`], in bytes; its key may have 1 KiB.
pub const MAX_VALUE: usize = 64 * 1024;
const MAX_KEY: usize = 1024;
/// Reads that may wait; each takes the reading thread well under a millisecond, so this is a
/// second's worth.
const READ_QUEUE: usize = 1024;
/// Opening gives up after so long without progress: a damaged page can make sled search forever.
const OPEN_STALL: Duration = Duration::from_secs(300);
/// Stack of the storage thread. sled opens a database in one frame of more than a megabyte where it
/// isn't optimised, and a stack that overflows ends the process without a word; only what is used
/// takes memory.
const STACK_BYTES: usize = 16 << 20;
/// Spaces of [`Store::put`] that describe this machine and stay out of exports start with this.
pub const LOCAL_SPACE: &str = "local:";
/// Where an import notes that it has begun.
const IMPORT_MARK: &[u8] = b"local:store\0importing";

/// `[store]`: where conversations are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Directory of the store. One process at a time may have it open.
    pub path: PathBuf,
    /// Records that may wait for the disk; one more is refused at once as overload. A record is at
    /// most 64 KiB.
    pub queue: usize,
    /// Free space on its disk, in MiB, below which nothing new is said: conversations can still be
    /// read and erased, and running answers end. 0 turns this off; a disk that is full to the last
    /// byte ends the process.
    pub reserve_mib: u64,
    /// Records written with one flush at most. Larger batches acknowledge more per second, each a
    /// little later.
    pub batch: usize,
    /// Memory that sled may use as page cache, in MiB. Up to four times as much is taken by pages
    /// written lately.
    pub cache_mib: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: "data/store".into(), queue: 4096, reserve_mib: 256, batch: 512, cache_mib: 64 }
    }
}

/// What a record is to the session it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RecordKind {
    /// A session event. Its `seq` is the session's last `seq` + 1, starting at 1.
    Event = 1,
    /// A checkpoint of a running answer: `seq` repeats the session's last `seq`; the body holds
    /// only what is new. Partials are dropped once an event with a higher `seq` stands.
    Partial = 2,
    /// A conversation signal; carries the `seq` of the event it came from, at most the last, and
    /// doesn't advance it.
    Signal = 3,
}

/// One framed entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub site: String,
    pub session: String,
    pub seq: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    pub kind: RecordKind,
    /// At most 64 KiB; JSON by convention of the writers, opaque to the store.
    pub body: Vec<u8>,
}

/// What the store knows of a session without reading its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    pub site: String,
    pub session: String,
    /// `at_ms` of its first record.
    pub first_at_ms: u64,
    /// Latest `at_ms` of its records.
    pub last_at_ms: u64,
    /// `seq` of its last event.
    pub last_seq: u64,
    /// Partials after the last event: an answer that was running, or still is.
    pub partials: usize,
}

impl SessionInfo {
    /// Where the page after this session begins.
    #[must_use]
    pub fn cursor(&self) -> SessionCursor {
        SessionCursor { last_at_ms: self.last_at_ms, session: self.session.clone() }
    }
}

/// A place in a list of sessions: everything up to and including this session has been shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCursor {
    pub last_at_ms: u64,
    pub session: String,
}

/// Which sessions of a site to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionQuery {
    pub site: String,
    /// At most so many, the newest activity first.
    pub limit: usize,
    /// Go on after this one.
    pub after: Option<SessionCursor>,
    /// Only sessions with activity at or after this; 0 for all.
    pub since_ms: u64,
}

/// Events of a [`Page`], at most.
pub const PAGE_RECORDS: usize = 256;
/// Bytes of their bodies, at most, unless the first alone has more.
pub const PAGE_BYTES: usize = 256 * 1024;

/// Some events of a session, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// The range that was asked for goes on after these.
    pub more: bool,
}

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// False if the last process that had the store open did not close it.
    pub clean: bool,
    /// Log records read again because the derived trees did not know them yet.
    pub replayed: u64,
    /// Log records among them that can't be read. They stay where they are, and cost the session
    /// that they belong to.
    pub unreadable: u64,
    /// An import into this store began and did not end. Running the same import again completes it.
    pub import_interrupted: bool,
}

/// Counters since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStats {
    /// Records acknowledged.
    pub records: u64,
    /// Flushes that acknowledged them.
    pub groups: u64,
    /// Time the storage thread spent on those groups, in microseconds.
    pub busy_us: u64,
    /// How often the database was closed and opened to give back memory.
    pub reopened: u64,
    /// Records that were looked at for pages of histories.
    pub paged: u64,
}

/// Why the store did not do as asked. Cheap to clone: all that waited for a failed flush get the
/// same one.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    #[error("the store has {queue} requests waiting already; try again in a moment")]
    Overloaded { queue: usize },
    #[error("seq {got} does not follow: the session expects {expected}")]
    Conflict { expected: u64, got: u64 },
    #[error("{what} has {bytes} bytes; at most {limit} are stored")]
    TooLarge { what: &'static str, bytes: usize, limit: usize },
    #[error("a {what} name must have 1 to {MAX_NAME} bytes and no NUL")]
    Name { what: &'static str },
    #[error(
        "the store at {path} no longer takes messages: {reason}. Nothing that was acknowledged is lost; free disk space \
         or repair the disk, then restart"
    )]
    Broken { path: PathBuf, reason: String },
    #[error("the store is closed")]
    Closed,
    #[error(
        "the store at {path} is open in another process; stop that one first, or choose another `store.path`"
    )]
    InUse { path: PathBuf },
    #[error(
        "the store's directory {path} cannot be used: {reason}; check `store.path` and its permissions"
    )]
    Directory { path: PathBuf, reason: String },
    #[error(
        "the store at {path} does not open: {reason}. Its files are untouched. `frontdesk verify --set-aside` renames \
         the directory to {path}.broken-<time>, so that a new store can start; `frontdesk import <file>` then brings \
         back an export"
    )]
    Unusable { path: PathBuf, reason: String },
    #[error(
        "the store is damaged: {what}; `frontdesk verify` says how far, `frontdesk import` restores an export"
    )]
    Corrupt { what: String },
    #[error("the export is damaged at byte {offset}: {reason}; nothing was imported")]
    Export { offset: u64, reason: String },
    #[error("the export does not fit this store: {reason}; nothing was imported")]
    Mismatch { reason: String },
    #[error("cannot {what}: {reason}")]
    Transfer { what: &'static str, reason: String },
}

/// What was read of a session, or nothing if its records are damaged: that is said in the log, and
/// stays with this one session. All other failures remain.
///
/// # Errors
/// What isn't damage of the session's own.
pub fn unless_damaged<T: Default>(
    read: Result<T, StoreError>,
    site: &str,
    session: &str,
) -> Result<T, StoreError> {
    match read {
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(site, session, %error, "a conversation can't be read and is passed over");
            Ok(T::default())
        }
        read => read,
    }
}

/// What handles and threads share.
struct Shared {
    path: PathBuf,
    overlay: Overlay,
    broken: OnceLock<String>,
    short_of_room: AtomicBool,
    closing: AtomicBool,
    /// The newest log position that is on disk.
    flushed: AtomicU64,
    /// Log records replayed so far, while opening.
    replayed: AtomicU64,
    /// Sessions erased or expired since opening.
    removals: AtomicU64,
    stats: Stats,
    finished: watch::Sender<Option<Result<(), StoreError>>>,
}

#[derive(Default)]
struct Stats {
    records: AtomicU64,
    groups: AtomicU64,
    busy_us: AtomicU64,
    reopened: AtomicU64,
    paged: AtomicU64,
}

impl Stats {
    fn group(&self, records: u64, took: Duration) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.busy_us
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Shared {
    fn broken(&self) -> Option<StoreError> {
        let reason = self.broken.get()?.clone();
        Some(StoreError::Broken { path: self.path.clone(), reason })
    }

    /// Notes the first failure, which is the one that everybody gets from then on.
    fn broken_error(&self, reason: String) -> StoreError {
        if self.broken.set(reason.clone()).is_ok() {
            tracing::error!(path = %self.path.display(), reason, "the store is broken");
        }
        StoreError::Broken {
            path: self.path.clone(),
            reason: self.broken.get().cloned().unwrap_or(reason),
        }
    }
}

/// A handle on the open store; clones share it. The store closes with [`Store::close`], or when the
/// last handle goes.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once dropping has begun.
    commands: Option<SyncSender<Command>>,
    requests: SyncSender<Request>,
    queue: usize,
    reserve_bytes: u64,
    shared: Arc<Shared>,
    opened: Opened,
    finished: watch::Receiver<Option<Result<(), StoreError>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.shared.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, creating it if there is none, and replays what the last process did not get
    /// to. Blocks; some tenths of a second for a store that was closed, a few seconds after a crash
    /// under load.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Directory`], or [`StoreError::Unusable`], which leaves
    /// the files as they are: see [`Store::set_aside`].
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let path = &config.path;
        let directory = |error: std::io::Error| StoreError::Directory {
            path: path.clone(),
            reason: error.to_string(),
        };
        std::fs::create_dir_all(path).map_err(directory)?;
        let lock = lock(path)?;
        let queue = config.queue.max(1);
        let (commands, take_commands) = sync_channel(queue);
        let (requests, take_requests) = sync_channel(READ_QUEUE);
        let (opened, wait_opened) = sync_channel(1);
        let (finished, wait_finished) = watch::channel(None);
        let shared = Arc::new(Shared {
            path: path.clone(),
            overlay: Overlay::default(),
            broken: OnceLock::new(),
            short_of_room: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            flushed: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            removals: AtomicU64::new(0),
            stats: Stats::default(),
            finished,
        });
        let thread = {
            let (config, shared, requests) = (config.clone(), shared.clone(), requests.clone());
            let engine =
                Engine { path: path.join("db"), cache_bytes: config.cache_mib.max(1) << 20 };
            let builder =
                std::thread::Builder::new().name("frontdesk-store".into()).stack_size(STACK_BYTES);
            builder.spawn(move || {
                thread::run(
                    &config,
                    engine,
                    lock,
                    &shared,
                    take_commands,
                    (requests, take_requests),
                    &opened,
                );
            })
        };
        let thread = thread.map_err(directory)?;
        let mut seen = 0;
        let opened = loop {
            match wait_opened.recv_timeout(OPEN_STALL) {
                Ok(outcome) => break outcome,
                Err(RecvTimeoutError::Timeout) => {
                    let now = shared.replayed.load(Ordering::Relaxed);
                    if now == seen {
                        // The thread hangs inside sled and cannot be ended; it keeps the lock, so
                        // nobody else tries.
                        let reason = format!("it made no progress for {} s", OPEN_STALL.as_secs());
                        return Err(StoreError::Unusable { path: path.clone(), reason });
                    }
                    seen = now;
                }
                Err(RecvTimeoutError::Disconnected) => break Err("the storage thread ended".into()),
            }
        };
        match opened {
            Ok(opened) => {
                if opened.import_interrupted {
                    tracing::warn!(path = %path.display(), "an import into this store was interrupted; run it again");
                }
                Ok(Self {
                    inner: Arc::new(Inner {
                        commands: Some(commands),
                        requests,
                        queue,
                        reserve_bytes: config.reserve_mib.saturating_mul(1 << 20),
                        shared,
                        opened,
                        finished: wait_finished,
                        thread: Mutex::new(Some(thread)),
                    }),
                })
            }
            Err(reason) => {
                let _ = thread.join();
                Err(StoreError::Unusable { path: path.clone(), reason })
            }
        }
    }

    /// Renames a store that does not open to `<path>.broken-<unix seconds>` and returns that path.
    /// Deletes nothing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if a process has it open, [`StoreError::Directory`] if it can't be
    /// renamed.
    pub fn set_aside(path: &Path, clock: &Clock) -> Result<PathBuf, StoreError> {
        let directory = |error: std::io::Error| StoreError::Directory {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        std::fs::metadata(path).map_err(directory)?;
        let _lock = lock(path)?;
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".broken-{}", clock.now_ms() / 1000));
        let aside = PathBuf::from(aside);
        if aside.exists() {
            let reason = format!("{} exists already", aside.display());
            return Err(StoreError::Directory { path: path.to_owned(), reason });
        }
        std::fs::rename(path, &aside).map_err(directory)?;
        Ok(aside)
    }

    /// What opening found.
    #[must_use]
    pub fn opened(&self) -> Opened {
        self.inner.opened
    }

    /// Writes a record; ready once it is on disk. It is submitted by the call itself: dropping the
    /// future changes nothing. Records submitted one after the other are written in that order.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once if the queue is full, [`StoreError::Conflict`] if `seq`
    /// does not follow, [`StoreError::TooLarge`], [`StoreError::Name`], [`StoreError::Broken`],
    /// [`StoreError::Closed`]. After `Broken` the record may or may not be found when the store is
    /// opened again.
    pub fn append(
        &self,
        record: Record,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let checked = check_names(&record.site, &record.session)
            .and_then(|()| check_size("the record's body", record.body.len(), MAX_BODY));
        let pending = checked.and_then(|()| self.submit(|reply| Command::Append { record, reply }));
        outcome(pending)
    }

    /// The session's records with a `seq` above `after_seq`, of the given kinds, as they were
    /// written; and, if partials are asked for, those after the last event, whatever `after_seq`
    /// is. Empty if there is no such session.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`], [`StoreError::Corrupt`], [`StoreError::Broken`],
    /// [`StoreError::Closed`].
    pub async fn read(
        &self,
        site: &str,
        session: &str,
        after_seq: u64,
        kinds: &[RecordKind],
    ) -> Result<Vec<Record>, StoreError> {
        let (site, session, kinds) = (site.to_owned(), session.to_owned(), Kinds::of(kinds));
        outcome(self.ask(|reply| Request::Read { site, session, after_seq, kinds, reply })).await
    }

    /// The session's first events with a `seq` above `after_seq` and at most `through_seq`: no more
    /// than [`PAGE_RECORDS`] and [`PAGE_BYTES`].
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn page(
        &self,
        site: &str,
        session: &str,
        after_seq: u64,
        through_seq: u64,
    ) -> Result<Page, StoreError> {
        let (site, session) = (site.to_owned(), session.to_owned());
        outcome(self.ask(|reply| Request::Page { site, session, after_seq, through_seq, reply }))
            .await
    }

    /// What is known of a session; `None` if there is none, or it was erased.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn session(
        &self,
        site: &str,
        session: &str,
    ) -> Result<Option<SessionInfo>, StoreError> {
        let (site, session) = (site.to_owned(), session.to_owned());
        outcome(self.ask(|reply| Request::Session { site, session, reply })).await
    }

    /// A site's sessions, the newest activity first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn sessions(&self, query: SessionQuery) -> Result<Vec<SessionInfo>, StoreError> {
        outcome(self.ask(|reply| Request::Sessions { query, reply })).await
    }

    /// Sessions of all sites whose last activity was at or after `since_ms` and before `before_ms`,
    /// the oldest first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn active_between(
        &self,
        since_ms: u64,
        before_ms: u64,
    ) -> Result<Vec<SessionInfo>, StoreError> {
        outcome(self.ask(|reply| Request::Active { since_ms, before_ms, reply })).await
    }

    /// Removes all records of a session and leaves a tombstone that says so; true if there was
    /// something to remove. It is gone when this returns. The session's next event has `seq` 1.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn erase(
        &self,
        site: &str,
        session: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send + use<> {
        let (site, session) = (site.to_owned(), session.to_owned());
        outcome(self.submit(|reply| Command::Erase { site, session, reply }))
    }

    /// Puts another body in place of an event's, so that nothing of the old one is read again;
    /// false if there is no such event. `seq` and time stay.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn amend(
        &self,
        site: &str,
        session: &str,
        seq: u64,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send + use<> {
        let (site, session) = (site.to_owned(), session.to_owned());
        let checked = check_size("the record's body", body.len(), MAX_BODY);
        let pending = checked
            .and_then(|()| self.submit(|reply| Command::Amend { site, session, seq, body, reply }));
        outcome(pending)
    }

    /// Removes the site's sessions whose last activity was before `at_ms`, at most `most`, in small
    /// portions, and returns how many.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn expire_before(
        &self,
        site: &str,
        at_ms: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut total = 0;
        while total < most {
            let (site, limit) =
                (site.to_owned(), usize::try_from(most - total).unwrap_or(64).min(64));
            let count =
                outcome(self.submit(|reply| Command::Expire { site, at_ms, limit, reply })).await?;
            if count == 0 {
                break;
            }
            total += count;
        }
        Ok(total)
    }

    /// Whether the disk has less room than `store.reserve_mib`; then nothing new is to be begun. As
    /// of the last look, a few seconds ago.
    #[must_use]
    pub fn is_short_of_room(&self) -> bool {
        self.inner.shared.short_of_room.load(Ordering::Relaxed)
    }

    /// Looks how much room the disk has, in bytes, and whether that is too little.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn look_for_room(&self) -> std::io::Result<u64> {
        let room = rustix::fs::statvfs(&self.inner.shared.path)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let short = free < self.inner.reserve_bytes;
        let before = self.inner.shared.short_of_room.swap(short, Ordering::Relaxed);
        let path = self.inner.shared.path.display();
        if short && !before {
            tracing::error!(%path, free, "the disk is nearly full: messages are refused until there is room; conversations can be read and erased");
        } else if before && !short {
            tracing::info!(%path, free, "the disk has room again: messages are taken");
        }
        Ok(free)
    }

    /// Keeps a value under a key in a space of its own; on disk when it returns. Spaces that start
    /// with [`LOCAL_SPACE`] stay out of exports.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn put(
        &self,
        space: &str,
        key: &[u8],
        value: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.change(space, vec![(key.to_vec(), Some(value.to_vec()))])
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn remove(
        &self,
        space: &str,
        key: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.change(space, vec![(key.to_vec(), None)])
    }

    /// Sets and forgets keys of a space, all or none.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn change(
        &self,
        space: &str,
        pairs: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let checked = check_name("space", space).and_then(|()| {
            pairs
                .into_iter()
                .map(|(key, value)| {
                    check_size("the key", key.len(), MAX_KEY)?;
                    check_size("the value", value.as_ref().map_or(0, Vec::len), MAX_VALUE)?;
                    Ok((space_key(space, &key), value))
                })
                .collect::<Result<Vec<_>, StoreError>>()
        });
        outcome(checked.and_then(|pairs| self.submit(|reply| Command::Put { pairs, reply })))
    }

    /// The value under a key.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = space_key(space, key);
        outcome(self.ask(|reply| Request::Get { key, reply })).await
    }

    /// All keys of a space that start with `prefix`, in order, with their values.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn scan(
        &self,
        space: &str,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let skip = space.len() + 1;
        let (mut from, to) = (space_key(space, prefix), after_prefix(space_key(space, prefix)));
        let mut found = Vec::new();
        loop {
            let (start, end) = (from.clone(), to.clone());
            let pairs = outcome(self.ask(|reply| Request::Scan {
                from: start,
                to: end,
                limit: 512,
                reply,
            }))
            .await?;
            let Some((last, _)) = pairs.last() else { return Ok(found) };
            from = [last.as_slice(), &[0]].concat();
            found.extend(pairs.into_iter().map(|(key, value)| (key[skip..].to_vec(), value)));
        }
    }

    /// Brings the derived trees up to date, so that a copy of the directory's snapshot opens
    /// without replay.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn checkpoint(&self) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        outcome(self.submit(|reply| Command::Checkpoint { reply }))
    }

    /// Writes the database anew without the bytes of what was erased, which otherwise stay in free
    /// places of its files. Takes as much room again as the store has, for its time; nothing is
    /// written meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Transfer`] when there is no room, and as [`Store::append`].
    pub async fn compact(&self) -> Result<(), StoreError> {
        let size = size_below(&self.inner.shared.path.join("db"));
        let free = self.look_for_room().unwrap_or(u64::MAX);
        if size > free {
            let reason = format!("it has {size} bytes, and {free} are free on the disk");
            return Err(StoreError::Transfer { what: "compact the store", reason });
        }
        outcome(self.submit(|reply| Command::Compact { reply })).await
    }

    /// Stops the reading thread at its next request, until what this gives is dropped.
    #[cfg(test)]
    pub(crate) fn hold_reads(&self) -> impl Drop + '_ {
        self.inner.shared.overlay.write()
    }

    /// Whether messages are still taken.
    ///
    /// # Errors
    /// Why not, as a sentence with what to do.
    pub fn health(&self) -> Result<(), String> {
        if let Some(error) = self.inner.shared.broken() {
            return Err(error.to_string());
        }
        let ended = self.thread().as_ref().is_none_or(JoinHandle::is_finished);
        if ended { Err(StoreError::Closed.to_string()) } else { Ok(()) }
    }

    /// Sessions erased or expired since the store was opened: whoever keeps what belongs to
    /// sessions looks when it grew.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.inner.shared.removals.load(Ordering::Relaxed)
    }

    /// Counters since the store was opened.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let stats = &self.inner.shared.stats;
        StoreStats {
            records: stats.records.load(Ordering::Relaxed),
            groups: stats.groups.load(Ordering::Relaxed),
            busy_us: stats.busy_us.load(Ordering::Relaxed),
            reopened: stats.reopened.load(Ordering::Relaxed),
            paged: stats.paged.load(Ordering::Relaxed),
        }
    }

    /// Writes what waits, checkpoints, and closes; the directory is free when this returns. Later
    /// requests, through other handles too, get [`StoreError::Closed`].
    ///
    /// # Errors
    /// The failure that broke the store, if one did; what was acknowledged is safe all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.ask_to_close();
        let mut finished = self.inner.finished.clone();
        let result = match finished.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Closed),
        };
        // The thread's last act was to send that result.
        if let Some(thread) = self.thread().take() {
            let _ = thread.join();
        }
        result
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command in line.
    fn submit<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<Pending<T>, StoreError> {
        if let Some(error) = self.inner.shared.broken() {
            return Err(error);
        }
        if self.inner.shared.closing.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let Some(commands) = &self.inner.commands else { return Err(StoreError::Closed) };
        let (reply, answer) = reply();
        match commands.try_send(command(reply)) {
            Ok(()) => Ok(Pending { answer, shared: self.inner.shared.clone() }),
            Err(TrySendError::Full(_)) => Err(StoreError::Overloaded { queue: self.inner.queue }),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }

    /// Puts a request in line.
    fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<Pending<T>, StoreError> {
        let (reply, answer) = reply();
        match self.inner.requests.try_send(request(reply)) {
            Ok(()) => Ok(Pending { answer, shared: self.inner.shared.clone() }),
            Err(TrySendError::Full(_)) => Err(StoreError::Overloaded { queue: READ_QUEUE }),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }

    /// As [`Store::submit`], but waits for a place in line and for the answer.
    fn submit_blocking<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, StoreError> {
        let Some(commands) = &self.inner.commands else { return Err(StoreError::Closed) };
        let (reply, answer) = reply();
        commands.send(command(reply)).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(self.gone()))
    }

    /// As [`Store::ask`], but waits for a place in line and for the answer.
    fn ask_blocking<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = reply();
        self.inner.requests.send(request(reply)).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        self.inner.shared.broken().unwrap_or(StoreError::Closed)
    }
}

impl Inner {
    fn ask_to_close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        // If the queue is full the thread is awake and will see the flag.
        if let Some(commands) = &self.commands {
            let _ = commands.try_send(Command::Wake);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ask_to_close();
        drop(self.commands.take());
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The bytes that the log keeps for a record, for measurements against a plain file.
pub(crate) fn framed(record: &Record) -> Vec<u8> {
    frame::Frame::of(record, 0).encode()
}

/// A request in line.
struct Pending<T> {
    answer: oneshot::Receiver<Result<T, StoreError>>,
    shared: Arc<Shared>,
}

async fn outcome<T>(pending: Result<Pending<T>, StoreError>) -> Result<T, StoreError> {
    let Pending { answer, shared } = pending?;
    // No answer at all: a thread ended, by closing or by a panic outside sled.
    answer.await.unwrap_or_else(|_| Err(shared.broken().unwrap_or(StoreError::Closed)))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let directory = |error: std::io::Error| StoreError::Directory {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join("lock"))
        .map_err(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(directory(error)),
    }
}

/// Bytes of the files in a folder and below.
fn size_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn check_names(site: &str, session: &str) -> Result<(), StoreError> {
    check_name("site", site)?;
    check_name("session", session)
}

fn check_name(what: &'static str, name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        Err(StoreError::Name { what })
    } else {
        Ok(())
    }
}

fn check_size(what: &'static str, bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit { Err(StoreError::TooLarge { what, bytes, limit }) } else { Ok(()) }
}

fn space_key(space: &str, key: &[u8]) -> Vec<u8> {
    [space.as_bytes(), &[0], key].concat()
}

/// The first key that no longer starts with `prefix`, which begins with a space and a NUL and so
/// can be counted up.
fn after_prefix(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.last() == Some(&u8::MAX) {
        prefix.pop();
    }
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        fn check(name: &str, expected: bool) {
            assert_eq!(check_name("site", name).is_ok(), expected, "{name:?}");
        }
        check("shop", true);
        check(&"x".repeat(MAX_NAME), true);
        check("", false);
        check("a\0b", false);
        check(&"x".repeat(MAX_NAME + 1), false);
    }

    #[test]
    fn prefixes_end_where_they_should() {
        fn check(prefix: &[u8], expected: &[u8]) {
            assert_eq!(after_prefix(prefix.to_vec()), expected);
        }
        check(b"a\0", b"a\x01");
        check(b"a\0k", b"a\0l");
        check(b"a\0\xFF\xFF", b"a\x01");
    }
}
