//! The audit log: who of those inside read, changed, exported or erased what, and when. No message
//! text, and of visitors no more than a hash.
//!
//! Each entry carries the SHA-256 of the one before, so one that was changed or taken out later is
//! noticed by whoever reads the log from its beginning. What is cut off at the end is noticed by
//! whoever wrote down the newest hash: `frontdesk audit` prints it, and so does the server's own
//! log once a day.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// An entry's number in 16 digits → an [`Entry`]; and [`HEAD`].
const SPACE: &str = "audit";
const HEAD: &[u8] = b"head";
const DAY_MS: u64 = 86_400_000;
/// How long entries are kept: two years.
const KEPT_MS: u64 = 731 * DAY_MS;
/// Numbers that a page of the log spans. A power of ten, so that the keys of a page begin alike.
const PAGE: u64 = 1_000;
/// Old entries that leave with each new one.
const LEAVING: usize = 2;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Entry {
    /// 1, 2, 3, …
    pub number: u64,
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    /// `key <name>`, `agent <id>`, or, of who was refused after signing in at the issuer,
    /// `person <hash>`; `nobody` where that can't be told.
    pub who: String,
    /// What was done: a route's method and path, or a command.
    pub did: String,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<(String, String)>,
    /// How it ended: an HTTP status, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Lower-case hexadecimal SHA-256 of the entry before, as it is stored; of the first one,
    /// zeros.
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

/// Where the log begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// Of the newest entry; 0 before the first.
    pub number: u64,
    /// The newest entry's hash.
    pub hash: String,
    /// Of the oldest entry that is still kept.
    pub first: u64,
    /// When the newest entry was written, in milliseconds since the epoch.
    pub at_ms: u64,
}

/// Some entries, as they are stored, and how the log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Page {
    pub entries: Vec<String>,
    /// The number that the next page begins with; beyond the newest entry's, there is none.
    pub next: u64,
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
        let none = || Head { number: 0, hash: "0".repeat(64), first: 1, at_ms: 0 };
        let head = match store.get(SPACE, HEAD).await? {
            None => none(),
            Some(stored) => match serde_json::from_slice(&stored) {
                Ok(head) => head,
                // It must not begin again at 1, over what is there.
                Err(error) => {
                    tracing::error!(%error, "the audit log's end can't be read; it goes on after its newest entry");
                    end_of(&store).await?.unwrap_or_else(none)
                }
            },
        };
        Ok(Self { store, clock, head: Arc::new(Mutex::new(head)) })
    }

    /// Notes what somebody did; on disk when it returns. Not to be dropped before: an entry that is
    /// written all the same would be written over by the next.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn note(&self, deed: Deed) -> Result<Entry, StoreError> {
        let mut head = self.head.lock().await;
        let at_ms = self.clock.now_ms();
        let Deed { who, did, to, status } = deed;
        let entry = Entry {
            number: head.number + 1,
            at_ms,
            who,
            did,
            to,
            status,
            before: head.hash.clone(),
        };
        let value = serde_json::to_vec(&entry).unwrap_or_default();
        let mut next = Head { number: entry.number, hash: hash(&value), first: head.first, at_ms };
        let mut changes = vec![(key(entry.number), Some(value))];
        if at_ms / DAY_MS != head.at_ms / DAY_MS && head.number > 0 {
            tracing::info!(entries = head.number, newest = head.hash, "the audit log so far");
        }
        for _ in 0..LEAVING {
            let oldest = self.store.get(SPACE, &key(next.first)).await?;
            let of = oldest.and_then(|stored| serde_json::from_slice::<Entry>(&stored).ok());
            if of.is_none_or(|oldest| oldest.at_ms >= at_ms.saturating_sub(KEPT_MS)) {
                break;
            }
            changes.push((key(next.first), None));
            next.first += 1;
        }
        changes.push((HEAD.to_vec(), Some(serde_json::to_vec(&next).unwrap_or_default())));
        self.store.change(SPACE, changes).await?;
        *head = next;
        Ok(entry)
    }

    /// The entries from a number on, or from the oldest: no more than a thousand.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn page(&self, from: Option<u64>) -> Result<Page, StoreError> {
        let head = self.head.lock().await.clone();
        let from = from.unwrap_or_default().max(head.first);
        let first = key(from);
        // All but the last digits.
        let alike = first.len() - PAGE.ilog10() as usize;
        let found = self.store.scan(SPACE, first.get(..alike).unwrap_or_default()).await?;
        // What was noted meanwhile is beyond the head that is given.
        let wanted =
            found.into_iter().filter(|(number, _)| (&first..=&key(head.number)).contains(&number));
        let entries =
            wanted.map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect();
        Ok(Page { entries, next: (from / PAGE + 1) * PAGE, head })
    }
}

/// Where the entries that there are begin and end.
async fn end_of(store: &Store) -> Result<Option<Head>, StoreError> {
    let entries = store.scan(SPACE, b"0").await?;
    let number = |key: &[u8]| std::str::from_utf8(key).ok()?.parse().ok();
    let first = entries.first().and_then(|(key, _)| number(key));
    let last = entries.last().and_then(|(key, value)| Some((number(key)?, hash(value))));
    Ok(last.map(|(number, hash)| Head { number, hash, first: first.unwrap_or(1), at_ms: 0 }))
}

/// Follows the chain from the oldest entry on.
#[derive(Debug, Default)]
pub struct Chain {
    /// The first entry's number.
    first: Option<u64>,
    /// The last one's number and hash.
    last: Option<(u64, String)>,
}

impl Chain {
    /// Takes up the next entry, as it is stored.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn follow(&mut self, stored: &str) -> Result<Entry, String> {
        let entry: Entry = serde_json::from_str(stored)
            .map_err(|error| format!("an entry can't be read: {error}"))?;
        if let Some((number, hash)) = &self.last {
            if entry.number != number + 1 {
                return Err(format!(
                    "entry {} follows entry {number}: entries are missing",
                    entry.number
                ));
            }
            if entry.before != *hash {
                return Err(format!(
                    "entry {number} was changed: entry {} knows it otherwise",
                    entry.number
                ));
            }
        }
        self.first.get_or_insert(entry.number);
        self.last = Some((entry.number, hash(stored.as_bytes())));
        Ok(entry)
    }

    /// Whether the log begins and ends where it is said to.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn end(&self, head: &Head) -> Result<(), String> {
        if let Some(first) = self.first.filter(|first| *first != head.first) {
            return Err(format!(
                "the log begins with entry {first}, and entry {} is the oldest to be kept",
                head.first
            ));
        }
        match &self.last {
            None if head.number == 0 => Ok(()),
            Some((number, hash)) if *number == head.number && *hash == head.hash => Ok(()),
            Some((number, _)) if *number == head.number => {
                Err(format!("entry {number}, the newest, was changed"))
            }
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

fn key(number: u64) -> Vec<u8> {
    format!("{number:016}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreConfig;

    fn read(who: &str) -> Deed {
        Deed {
            who: who.into(),
            did: "GET /x".into(),
            to: vec![("site".into(), "shop".into())],
            status: Some(200),
        }
    }

    async fn whole(audit: &Audit) -> (Vec<String>, Head) {
        let mut page = audit.page(None).await.unwrap();
        let mut entries = Vec::new();
        loop {
            entries.append(&mut page.entries);
            if page.next > page.head.number {
                return (entries, page.head);
            }
            page = audit.page(Some(page.next)).await.unwrap();
        }
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
        assert_eq!(
            followed(&changed, &head).unwrap_err(),
            "entry 2 was changed: entry 3 knows it otherwise"
        );
        let mut newest = entries.clone();
        newest[3] = newest[3].replace("agent c", "agent x");
        assert_eq!(followed(&newest, &head).unwrap_err(), "entry 4, the newest, was changed");
        let without = [&entries[..1], &entries[2..]].concat();
        assert_eq!(
            followed(&without, &head).unwrap_err(),
            "entry 3 follows entry 1: entries are missing"
        );
        let cut = followed(&entries[..3], &head).unwrap_err();
        assert_eq!(cut, "the log ends with entry 3, and there were 4");
        let late = followed(&entries[1..], &head).unwrap_err();
        assert_eq!(late, "the log begins with entry 2, and entry 1 is the oldest to be kept");
        // A log whose end can't be read goes on, and nothing is written over.
        store.put(SPACE, HEAD, b"{").await.unwrap();
        let audit = Audit::open(store.clone(), clock.clone()).await.unwrap();
        audit.note(read("agent d")).await.unwrap();
        let (entries, head) = whole(&audit).await;
        assert_eq!(followed(&entries, &head), Ok(5));
        store.close().await.unwrap();
    }
    #[tokio::test]
    async fn it_is_read_in_pages_and_old_entries_leave() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().join("store"), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        let audit = Audit::open(store.clone(), clock.clone()).await.unwrap();
        // As if 2,500 entries had been written: each note waits for the disk.
        let mut before = "0".repeat(64);
        let mut changes = Vec::new();
        for number in 1..=2_500 {
            let Deed { who, did, to, status } = read("agent a");
            let entry = Entry { number, at_ms: clock.now_ms(), who, did, to, status, before };
            let value = serde_json::to_vec(&entry).unwrap();
            before = hash(&value);
            changes.push((key(number), Some(value)));
        }
        let head = Head { number: 2_500, hash: before, first: 1, at_ms: clock.now_ms() };
        changes.push((HEAD.to_vec(), Some(serde_json::to_vec(&head).unwrap())));
        for chunk in changes.chunks(500) {
            store.change(SPACE, chunk.to_vec()).await.unwrap();
        }
        assert_eq!(audit.page(None).await.unwrap().entries.len(), 0, "this one began before");
        let audit = Audit::open(store.clone(), clock.clone()).await.unwrap();
        assert_eq!(audit.page(None).await.unwrap().entries.len(), 999);
        assert_eq!(audit.page(Some(2_400)).await.unwrap().entries.len(), 101);
        assert_eq!(audit.page(Some(9_000)).await.unwrap().entries.len(), 0);
        let (entries, head) = whole(&audit).await;
        assert_eq!(followed(&entries, &head), Ok(2_500));
        clock.advance(KEPT_MS + 1);
        audit.note(read("agent b")).await.unwrap();
        audit.note(read("agent b")).await.unwrap();
        let (entries, head) = whole(&audit).await;
        assert_eq!((head.first, followed(&entries, &head)), (5, Ok(2_498)));
        store.close().await.unwrap();
    }
}
