//! How sled is held: opened, flushed, let go and opened again.
//!
//! What this alpha of sled needs from us, each read in its source:
//! - Dropping a `Tree` flushes if there is no background flusher, and every iterator holds a
//!   `Tree`. So there is one, whose interval never passes: only the storage thread flushes.
//! - After a flush that failed, the next one waits for it forever, and the flusher's own at
//!   shutdown aborts the process. So a broken engine is forgotten, not dropped.
//! - A page that was ever written stays in memory until the database is closed. So the storage
//!   thread closes and opens it again after so many bytes.
//! - `apply_batch` is atomic in memory, and everything between two flushes reaches the disk as one:
//!   with a single writing thread a flush is a transaction over all trees. Batches never merge
//!   pages, so page numbers are not reused, and a reader that holds one page lock at a time cannot
//!   deadlock with the writer. That is why a second thread may read through its own handle.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Records in one page. A page is written whole whenever one of its records changes, the last one
/// with every flush: smaller pages write less and compress worse.
pub(super) const PAGE_RECORDS: usize = 128;

/// Pairs that are copied with one flush.
const COPIED: usize = 1024;

pub(super) type Tree = sled::Tree<PAGE_RECORDS>;

/// The trees, as one thread holds them. Cloning gives another thread its own handles.
#[derive(Clone)]
pub(super) struct Trees {
    db: sled::Db<PAGE_RECORDS>,
    /// Position (big-endian) → frame. The truth.
    pub(super) log: Tree,
    /// Session key → entry. Derived.
    pub(super) sessions: Tree,
    /// Site, time, session → nothing. Derived.
    pub(super) recent: Tree,
    /// Space, NUL, key → value.
    pub(super) kv: Tree,
    /// A handful of numbers by name.
    pub(super) meta: Tree,
}

/// What is to change in one flush.
#[derive(Default)]
pub(super) struct Writes {
    pub(super) log: sled::Batch,
    pub(super) sessions: sled::Batch,
    pub(super) recent: sled::Batch,
    pub(super) kv: sled::Batch,
    pub(super) meta: sled::Batch,
}

/// Where sled is, and how much memory it may use.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) path: PathBuf,
    pub(super) cache_bytes: usize,
}

impl Engine {
    pub(super) fn open(&self) -> Result<Trees, String> {
        guard(|| {
            let db = sled::Config::new()
                .path(&self.path)
                .cache_capacity_bytes(self.cache_bytes)
                .flush_every_ms(Some(usize::MAX))
                .open::<PAGE_RECORDS>()?;
            Ok(Trees {
                log: db.open_tree("log")?,
                sessions: db.open_tree("sessions")?,
                recent: db.open_tree("recent")?,
                kv: db.open_tree("kv")?,
                meta: db.open_tree("meta")?,
                db,
            })
        })
    }

    /// Opens again after the last handle was dropped. sled acknowledges its shutdown a moment
    /// before it lets go of its directory lock, so a refusal is asked again for a while.
    pub(super) fn reopen(&self) -> Result<Trees, String> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match self.open() {
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                outcome => return outcome,
            }
        }
    }
}

/// Where a compacted copy is made, and where the database that it replaces goes.
fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_extension(ending)
}

impl Engine {
    /// Brings a compaction that a crash cut to its end or back to its beginning.
    pub(super) fn settle(&self) -> io::Result<()> {
        let (new, old) = (beside(&self.path, "new"), beside(&self.path, "old"));
        // The copy is whole before the database makes way for it.
        for left in [&new, &old] {
            if !self.path.exists() && left.exists() {
                std::fs::rename(left, &self.path)?;
            }
        }
        for left in [new, old] {
            if self.path.exists() && left.exists() {
                remove(&left);
            }
        }
        Ok(())
    }

    /// Writes what the trees hold into a new database beside theirs, and nothing else: no bytes of
    /// what was removed. Gives where.
    pub(super) fn copy(&self, trees: &Trees) -> Result<PathBuf, String> {
        let path = beside(&self.path, "new");
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|error| error.to_string())?;
        }
        let filled = Self { path: path.clone(), cache_bytes: self.cache_bytes }.fill(trees);
        if filled.is_err() {
            remove(&path);
        }
        filled.map(|()| path)
    }

    /// Opens a database where none is, and writes what the trees hold.
    fn fill(&self, trees: &Trees) -> Result<(), String> {
        let copy = self.open()?;
        let filled = copy.take_from(trees);
        if filled.is_err() {
            // Dropping it would flush again, which ends the process after a flush that failed.
            std::mem::forget(copy);
        }
        filled
    }

    /// Puts the copy in the database's place; nobody has either open. The database that was there
    /// is removed, or stays if that fails.
    pub(super) fn replace(&self, copy: &Path) -> io::Result<()> {
        let old = beside(&self.path, "old");
        std::fs::rename(&self.path, &old)?;
        if let Err(error) = std::fs::rename(copy, &self.path) {
            std::fs::rename(&old, &self.path)?;
            return Err(error);
        }
        if let Some(folder) = self.path.parent() {
            std::fs::File::open(folder)?.sync_all()?;
        }
        remove(&old);
        Ok(())
    }
}

/// Removes a database that is of no more use. Where that fails it only takes room until the next
/// start.
fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::error!(path = %path.display(), %error, "what a compaction left could not be removed; remove it by hand");
    }
}

/// One of the trees.
#[derive(Clone, Copy)]
enum Which {
    Log,
    Sessions,
    Recent,
    Kv,
    Meta,
}

impl Trees {
    /// Writes what others hold.
    fn take_from(&self, from: &Self) -> Result<(), String> {
        for (tree, which) in [
            (&from.log, Which::Log),
            (&from.sessions, Which::Sessions),
            (&from.recent, Which::Recent),
            (&from.kv, Which::Kv),
            (&from.meta, Which::Meta),
        ] {
            let mut at = Vec::new();
            loop {
                let pairs = Trees::range(tree, &at, None, COPIED)?;
                let Some((last, _)) = pairs.last() else { break };
                at = [&last[..], &[0]].concat();
                let mut writes = Writes::default();
                let batch = match which {
                    Which::Log => &mut writes.log,
                    Which::Sessions => &mut writes.sessions,
                    Which::Recent => &mut writes.recent,
                    Which::Kv => &mut writes.kv,
                    Which::Meta => &mut writes.meta,
                };
                for (key, value) in pairs {
                    batch.insert(key, value);
                }
                self.write(writes)?;
            }
        }
        Ok(())
    }

    /// Applies everything and flushes; on success it is all on disk, after a crash all of it or
    /// nothing is.
    pub(super) fn write(&self, writes: Writes) -> Result<(), String> {
        guard(|| {
            let Writes { log, sessions, recent, kv, meta } = writes;
            for (tree, batch) in [
                (&self.log, log),
                (&self.sessions, sessions),
                (&self.recent, recent),
                (&self.kv, kv),
                (&self.meta, meta),
            ] {
                if batch != sled::Batch::default() {
                    tree.apply_batch(batch)?;
                }
            }
            self.db.flush()?;
            Ok(())
        })
    }

    pub(super) fn get(tree: &Tree, key: &[u8]) -> Result<Option<sled::InlineArray>, String> {
        guard(|| tree.get(key))
    }

    /// Up to `limit` pairs from `from` on and before `to`, in order.
    pub(super) fn range(
        tree: &Tree,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, String> {
        guard(|| {
            let pairs = match to {
                Some(to) if to <= from => return Ok(Vec::new()),
                Some(to) => tree.range(from..to),
                None => tree.range(from..),
            };
            pairs.take(limit).collect()
        })
    }

    pub(super) fn last_position(&self) -> Result<u64, String> {
        let last = guard(|| self.log.last())?;
        Ok(last.and_then(|(key, _)| position(&key)).unwrap_or(0))
    }

    pub(super) fn meta_number(&self, name: &str) -> Result<Option<u64>, String> {
        Ok(Self::get(&self.meta, name.as_bytes())?.and_then(|bytes| position(&bytes)))
    }
}

pub(super) type Pair = (sled::InlineArray, sled::InlineArray);

pub(super) fn position(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// Runs what sled does and turns its errors and its panics into words.
fn guard<T>(work: impl FnOnce() -> io::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            Err(format!("the storage engine panicked: {text}"))
        }
    }
}
