//! The audit log: who of those inside read, changed, exported or erased what, and when. No message text, and of visitors no more than
//! a hash.
//!
//! Each entry carries the SHA-256 of the one before, so one that was changed or taken out later is noticed by whoever reads the log
//! from its beginning. What is cut off at the end is noticed by whoever wrote down the newest hash: `frontdesk audit` prints it, and
//! so does the server's own log once a day.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// `<day, 8 digits><number, 16 digits>` → an [`Entry`], and [`HEAD`].
const SPACE: &str = "audit";
const HEAD: &[u8] = b"head";
const DAY_MS: u64 = 86_400_000;
/// Days that entries are kept.
const KEPT_DAYS: u64 = 731;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Entry {
    /// 1, 2, 3, …
    pub number: u64,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    /// `key <name>`, `agent <id>`, or `command line`.
    pub who: String,
    /// What was done: a route's method and path, or a command.
    pub did: String,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<(String, String)>,
    /// How it ended: an HTTP status, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Lower-case hexadecimal SHA-256 of the entry before, as it is stored; of the first one, zeros.
    pub before: String,
}

/// What to note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    pub who: String,
    pub did: String,
    pub to: Vec<(String, String)>,
    pub status: Option<u16>,
}

/// The newest entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// Of the newest entry; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: String,
    /// Days since the epoch that the oldest entry and the newest one are of.
    pub first_day: u64,
    pub last_day: u64,
}

/// Entries of a day, as they are stored, and how the log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Day {
    pub day: u64,
    pub entries: Vec<String>,
    pub head: Head,
}

/// Writes and reads the log. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    clock: Clock,
    head: Arc<Mutex<Head>>,
}

impl Audit {
    /// Goes on with the log in the store.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(store: Store, clock: Clock) -> Result<Self, StoreError> {
        let stored = store.get(SPACE, HEAD).await?.and_then(|head| serde_json::from_slice(&head).ok());
        let today = clock.now_ms() / DAY_MS;
        let none = || Head { number: 0, hash: "0".repeat(64), first_day: today, last_day: today };
        Ok(Self { store, clock, head: Arc::new(Mutex::new(stored.unwrap_or_else(none))) })
    }

    /// Notes what somebody did; on disk when it returns.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn note(&self, deed: Deed) -> Result<Entry, StoreError> {
        let mut head = self.head.lock().await;
        let at_ms = self.clock.now_ms();
        // A clock that is set back doesn't put entries before older ones.
        let last_day = (at_ms / DAY_MS).max(head.last_day);
        let Deed { who, did, to, status } = deed;
        let entry = Entry { number: head.number + 1, at_ms, who, did, to, status, before: head.hash.clone() };
        let value = serde_json::to_vec(&entry).unwrap_or_default();
        let mut next = Head { number: entry.number, hash: hash(&value), last_day, ..head.clone() };
        let mut changes = vec![(key(last_day, entry.number), Some(value))];
        if last_day > head.last_day {
            tracing::info!(entries = head.number, newest = head.hash, "the audit log so far");
        }
        // The oldest days leave one by one, as new ones come.
        let oldest = last_day.saturating_sub(KEPT_DAYS);
        if next.first_day < oldest {
            let gone = self.store.scan(SPACE, day(next.first_day).as_bytes()).await?;
            changes.extend(gone.into_iter().map(|(key, _)| (key, None)));
            next.first_day += 1;
        }
        changes.push((HEAD.to_vec(), Some(serde_json::to_vec(&next).unwrap_or_default())));
        self.store.change(SPACE, changes).await?;
        *head = next;
        Ok(entry)
    }

    /// The entries of a day, counted from the epoch; of the oldest one if it is left out.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn day(&self, wanted: Option<u64>) -> Result<Day, StoreError> {
        let head = self.head.lock().await.clone();
        let wanted = wanted.unwrap_or(head.first_day);
        let entries = self.store.scan(SPACE, day(wanted).as_bytes()).await?;
        let entries = entries.into_iter().map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect();
        Ok(Day { day: wanted, entries, head })
    }
}

/// Follows the chain from the oldest entry on.
#[derive(Debug, Default)]
pub struct Chain {
    last: Option<(u64, String)>,
}

impl Chain {
    /// Takes up the next entry, as it is stored.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn follow(&mut self, stored: &str) -> Result<Entry, String> {
        let entry: Entry = serde_json::from_str(stored).map_err(|error| format!("an entry can't be read: {error}"))?;
        if let Some((number, hash)) = &self.last {
            if entry.number != number + 1 {
                return Err(format!("entry {} follows entry {number}: entries are missing", entry.number));
            }
            if entry.before != *hash {
                return Err(format!("entry {number} was changed: entry {} knows it otherwise", entry.number));
            }
        }
        self.last = Some((entry.number, hash(stored.as_bytes())));
        Ok(entry)
    }

    /// Whether the log ends where it is said to.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn end(&self, head: &Head) -> Result<(), String> {
        match &self.last {
            None if head.number == 0 => Ok(()),
            Some((number, hash)) if *number == head.number && *hash == head.hash => Ok(()),
            Some((number, _)) if *number == head.number => Err(format!("entry {number}, the newest, was changed")),
            last => {
                let number = last.as_ref().map_or(0, |(number, _)| *number);
                Err(format!("the log ends with entry {number}, and there were {}", head.number))
            }
        }
    }
}

fn hash(value: &[u8]) -> String {
    Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn day(day: u64) -> String {
    format!("{day:08}")
}

fn key(of_day: u64, number: u64) -> Vec<u8> {
    format!("{}{number:016}", day(of_day)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreConfig;

    fn read(who: &str) -> Deed {
        Deed { who: who.into(), did: "GET /x".into(), to: vec![("site".into(), "shop".into())], status: Some(200) }
    }

    async fn whole(audit: &Audit) -> (Vec<String>, Head) {
        let mut day = audit.day(None).await.unwrap();
        let mut entries = Vec::new();
        while day.day <= day.head.last_day {
            entries.append(&mut day.entries);
            day = audit.day(Some(day.day + 1)).await.unwrap();
        }
        (entries, day.head)
    }

    fn followed(entries: &[String], head: &Head) -> Result<usize, String> {
        let mut chain = Chain::default();
        for entry in entries {
            chain.follow(entry)?;
        }
        chain.end(head).map(|()| entries.len())
    }

    #[tokio::test]
    async fn what_is_changed_or_taken_out_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().join("store"), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        let audit = Audit::open(store.clone(), clock.clone()).await.unwrap();
        assert_eq!(followed(&whole(&audit).await.0, &whole(&audit).await.1), Ok(0));
        for who in ["key admin", "agent a", "agent b"] {
            audit.note(read(who)).await.unwrap();
            clock.advance(2 * DAY_MS);
        }
        // Another start goes on with the same chain.
        let audit = Audit::open(store.clone(), clock.clone()).await.unwrap();
        audit.note(read("agent c")).await.unwrap();
        let (entries, head) = whole(&audit).await;
        assert_eq!(followed(&entries, &head), Ok(4));

        let mut changed = entries.clone();
        changed[1] = changed[1].replace("agent a", "agent x");
        assert_eq!(followed(&changed, &head).unwrap_err(), "entry 2 was changed: entry 3 knows it otherwise");
        let mut newest = entries.clone();
        newest[3] = newest[3].replace("agent c", "agent x");
        assert_eq!(followed(&newest, &head).unwrap_err(), "entry 4, the newest, was changed");
        let without = [&entries[..1], &entries[2..]].concat();
        assert_eq!(followed(&without, &head).unwrap_err(), "entry 3 follows entry 1: entries are missing");
        let cut = followed(&entries[..3], &head).unwrap_err();
        assert_eq!(cut, "the log ends with entry 3, and there were 4");
        store.close().await.unwrap();
    }
}
