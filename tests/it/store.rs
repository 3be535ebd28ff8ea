//! The store from outside: against a model, against damage, against `kill -9`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use frontdesk::clock::Clock;
use frontdesk::store::{
    MAX_BODY, Record, RecordKind, SessionQuery, Store, StoreConfig, StoreError, VerifyReport,
};
use futures_util::future::join_all;
use proptest::prelude::*;
use rand::Rng;
use tempfile::TempDir;

const ALL: &[RecordKind] = &[RecordKind::Event, RecordKind::Partial, RecordKind::Signal];
const EVENTS: &[RecordKind] = &[RecordKind::Event];

fn config(path: &Path) -> StoreConfig {
    StoreConfig { path: path.to_owned(), ..StoreConfig::default() }
}

fn open(path: &Path) -> Store {
    Store::open(&config(path)).unwrap()
}

fn record(session: &str, seq: u64, kind: RecordKind, at_ms: u64, body: &str) -> Record {
    Record { site: "shop".into(), session: session.into(), seq, at_ms, kind, body: body.into() }
}

fn event(session: &str, seq: u64) -> Record {
    record(session, seq, RecordKind::Event, 1000 + seq, &format!("{session} says {seq}"))
}

fn partial(session: &str, seq: u64, at_ms: u64) -> Record {
    record(session, seq, RecordKind::Partial, at_ms, &format!("part {at_ms}"))
}

async fn verify(store: &Store) -> VerifyReport {
    let store = store.clone();
    let report = tokio::task::spawn_blocking(move || store.verify(|_| Ok(true), |_| ()))
        .await
        .unwrap()
        .unwrap();
    assert!(report.is_sound(), "{report:?}");
    report
}

async fn export(store: &Store) -> Vec<u8> {
    let store = store.clone();
    let work = move || {
        let mut bytes = Vec::new();
        let report = store.export(&mut bytes, |_| ()).unwrap();
        assert_eq!(report.bytes, bytes.len() as u64);
        bytes
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn import(store: &Store, bytes: &[u8]) -> Result<frontdesk::store::ImportReport, StoreError> {
    let (store, bytes) = (store.clone(), bytes.to_vec());
    tokio::task::spawn_blocking(move || store.import(Cursor::new(bytes), |_| ())).await.unwrap()
}

async fn names(store: &Store, since_ms: u64) -> Vec<String> {
    let query = SessionQuery { site: "shop".into(), limit: 1000, after: None, since_ms };
    store.sessions(query).await.unwrap().into_iter().map(|info| info.session).collect()
}

#[tokio::test]
async fn what_is_acknowledged_is_read_back_in_order() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let records = [
        event("a", 1),
        partial("a", 1, 2001),
        event("a", 2),
        record("a", 1, RecordKind::Signal, 2002, "late signal"),
        partial("a", 2, 2003),
        partial("a", 2, 2004),
    ];
    join_all(records.iter().map(|record| store.append(record.clone())))
        .await
        .into_iter()
        .for_each(|done| done.unwrap());
    async fn check(store: &Store, after: u64, kinds: &[RecordKind], expected: &[&Record]) {
        let found = store.read("shop", "a", after, kinds).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "after {after}, {kinds:?}");
    }
    for _ in 0..2 {
        check(&store, 0, ALL, &[&records[0], &records[2], &records[3], &records[4], &records[5]])
            .await;
        check(&store, 1, ALL, &[&records[2], &records[4], &records[5]]).await;
        check(&store, 2, ALL, &[&records[4], &records[5]]).await;
        check(&store, 0, EVENTS, &[&records[0], &records[2]]).await;
        check(&store, 9, EVENTS, &[]).await;
        store.checkpoint().await.unwrap();
    }
    let info = store.session("shop", "a").await.unwrap().unwrap();
    assert_eq!(
        (info.first_at_ms, info.last_at_ms, info.last_seq, info.partials),
        (1001, 2004, 2, 2)
    );
    assert_eq!(store.session("bank", "a").await.unwrap(), None);
    assert!(store.read("bank", "a", 0, ALL).await.unwrap().is_empty());
    let report = verify(&store).await;
    assert_eq!((report.events, report.signals, report.partials, report.sessions), (2, 1, 2, 1));
    store.close().await.unwrap();
    assert!(matches!(store.append(event("a", 3)).await, Err(StoreError::Closed)));
    assert!(store.health().is_err());
}

#[tokio::test]
async fn what_does_not_follow_is_refused_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let conflict =
        |expected, got| format!("seq {got} does not follow: the session expects {expected}");
    async fn check(store: &Store, record: Record, expected: String) {
        assert_eq!(store.append(record).await.unwrap_err().to_string(), expected);
    }
    check(&store, event("a", 2), conflict(1, 2)).await;
    check(&store, event("a", 0), conflict(1, 0)).await;
    check(&store, partial("a", 0, 1), conflict(1, 0)).await;
    check(&store, record("a", 0, RecordKind::Signal, 1, ""), conflict(1, 0)).await;
    assert_eq!(store.session("shop", "a").await.unwrap(), None);
    store.append(event("a", 1)).await.unwrap();
    check(&store, event("a", 1), conflict(2, 1)).await;
    check(&store, partial("a", 0, 1), conflict(1, 0)).await;
    check(&store, partial("a", 2, 1), conflict(1, 2)).await;
    check(&store, record("a", 2, RecordKind::Signal, 1, ""), conflict(1, 2)).await;
    let big = "x".repeat(MAX_BODY + 1);
    let said =
        format!("the record's body has {} bytes; at most {MAX_BODY} are stored", MAX_BODY + 1);
    check(&store, record("a", 2, RecordKind::Event, 1, &big), said).await;
    check(&store, event("", 1), "a session name must have 1 to 128 bytes and no NUL".into()).await;
    store.append(record("a", 2, RecordKind::Event, 1, &big[1..])).await.unwrap();
    assert_eq!(verify(&store).await.records, 2);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(&StoreConfig { queue: 4, ..config(dir.path()) }).unwrap();
    let appends: Vec<_> = (0..2000).map(|at| store.append(event(&format!("s{at}"), 1))).collect();
    let outcomes = join_all(appends).await;
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(StoreError::Overloaded { queue: 4 })))
        .count();
    assert!(refused > 0 && taken >= 4, "{taken} taken, {refused} refused");
    assert_eq!(taken + refused, 2000);
    assert_eq!(verify(&store).await.events, taken as u64);
}

#[tokio::test]
async fn dropping_the_future_does_not_drop_the_record() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    drop(store.append(event("a", 1)));
    store.append(event("a", 2)).await.unwrap();
    drop(store.append(event("a", 3)));
    drop(store);
    let store = open(dir.path());
    assert!(store.opened().clean);
    assert_eq!(
        store.read("shop", "a", 0, ALL).await.unwrap(),
        [event("a", 1), event("a", 2), event("a", 3)]
    );
}

#[tokio::test]
async fn sessions_are_listed_newest_first_page_by_page() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for round in 0..3 {
        for at in 0..10_u64 {
            let name = format!("s{at}");
            let append = record(
                &name,
                round + 1,
                RecordKind::Event,
                1000 * (round + 1) + (at * 7) % 10,
                "x",
            );
            store.append(append).await.unwrap();
        }
        if round == 1 {
            store.checkpoint().await.unwrap();
        }
    }
    store.append(Record { site: "bank".into(), at_ms: 9999, ..event("other", 1) }).await.unwrap();
    let mut expected: Vec<String> = (0..10_u64).map(|at| format!("s{at}")).collect();
    expected.sort_by_key(|name| std::cmp::Reverse((name[1..].parse::<u64>().unwrap() * 7) % 10));
    for _ in 0..2 {
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let query =
                SessionQuery { site: "shop".into(), limit: 3, after: after.take(), since_ms: 0 };
            let page = store.sessions(query).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.cursor());
            paged.extend(page.into_iter().map(|info| info.session));
        }
        assert_eq!(paged, expected);
        assert_eq!(names(&store, 3007).await, expected[..3]);
        let between = async |since, before| {
            let found = store.active_between(since, before).await.unwrap();
            found.into_iter().map(|info| info.session).collect::<Vec<_>>()
        };
        assert_eq!(
            between(3008, u64::MAX).await,
            [expected[1].as_str(), expected[0].as_str(), "other"]
        );
        assert_eq!(between(3007, 3009).await, [expected[2].as_str(), expected[1].as_str()]);
        assert_eq!(between(0, 0).await, Vec::<String>::new());
        store.checkpoint().await.unwrap();
    }
}

#[tokio::test]
async fn erased_and_expired_sessions_are_gone() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for at in 0..200_u64 {
        let name = format!("s{at}");
        store.append(record(&name, 1, RecordKind::Event, at, "secret words")).await.unwrap();
        store.append(partial(&name, 1, at)).await.unwrap();
        store.append(record(&name, 1, RecordKind::Signal, at, "n")).await.unwrap();
        drop(store.append(record(&name, 2, RecordKind::Event, at, "secret answer")));
    }
    assert!(store.erase("shop", "s7").await.unwrap());
    assert!(!store.erase("shop", "s7").await.unwrap());
    assert_eq!(store.session("shop", "s7").await.unwrap(), None);
    assert!(store.read("shop", "s7", 0, ALL).await.unwrap().is_empty());
    assert_eq!(store.expire_before("shop", 150, u64::MAX).await.unwrap(), 149);
    assert_eq!(store.expire_before("bank", 1000, u64::MAX).await.unwrap(), 0);
    assert_eq!(names(&store, 0).await.len(), 50);
    let report = verify(&store).await;
    assert_eq!((report.events, report.tombstones, report.sessions), (100, 1, 50));
    // A session may begin again after it was erased.
    store.append(event("s7", 1)).await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.read("shop", "s7", 0, ALL).await.unwrap(), [event("s7", 1)]);
    assert_eq!(names(&store, 0).await.len(), 51);
    assert_eq!(store.expire_before("shop", u64::MAX, u64::MAX).await.unwrap(), 51);
    assert_eq!(verify(&store).await.records, 0);
}

#[tokio::test]
async fn superseded_partials_leave_the_log() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for seq in 1..=20 {
        store.append(event("a", seq)).await.unwrap();
        join_all((0..50).map(|at| store.append(partial("a", seq, at)))).await;
    }
    store.checkpoint().await.unwrap();
    let report = verify(&store).await;
    assert_eq!((report.events, report.partials), (20, 50));
    // Also those that a crash kept from being removed.
    store.append(event("a", 21)).await.unwrap();
    let (_copy, store) = crash(dir, store).await;
    store.checkpoint().await.unwrap();
    assert_eq!(verify(&store).await.partials, 0);
}

#[tokio::test]
async fn values_are_kept_by_space() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.put("ledger", b"a", b"1").await.unwrap();
    store
        .change(
            "ledger",
            vec![(b"b".to_vec(), Some(b"2".to_vec())), (b"bb".to_vec(), Some(b"3".to_vec()))],
        )
        .await
        .unwrap();
    store.put("ledgers", b"a", b"other").await.unwrap();
    store.remove("ledger", b"a").await.unwrap();
    let (_copy, store) = crash(dir, store).await;
    assert!(!store.opened().clean);
    assert_eq!(store.get("ledger", b"a").await.unwrap(), None);
    assert_eq!(store.get("ledger", b"b").await.unwrap().unwrap(), b"2");
    let pairs = |found: Vec<(Vec<u8>, Vec<u8>)>| {
        found
            .iter()
            .map(|(key, value)| String::from_utf8([&key[..], value].concat()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(pairs(store.scan("ledger", b"").await.unwrap()), ["b2", "bb3"]);
    assert_eq!(pairs(store.scan("ledger", b"bb").await.unwrap()), ["bb3"]);
    assert!(matches!(
        store.put("x", b"k", &vec![0; 70_000]).await,
        Err(StoreError::TooLarge { .. })
    ));
    assert!(matches!(store.put("", b"k", b"v").await, Err(StoreError::Name { .. })));
}

#[tokio::test]
async fn memory_is_given_back_while_messages_go_on() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(&StoreConfig { cache_mib: 1, ..config(dir.path()) }).unwrap();
    let body: String =
        (0..MAX_BODY / 16).map(|_| format!("{:016x}", rand::rng().random::<u64>())).collect();
    for seq in 1..=100 {
        let sessions =
            (0..4).map(|at| record(&format!("s{at}"), seq, RecordKind::Event, seq, &body));
        let appends = join_all(sessions.map(|record| store.append(record)));
        let (done, found) =
            tokio::join!(appends, store.read("shop", "s0", seq.saturating_sub(2), EVENTS));
        done.into_iter().for_each(|done| done.unwrap());
        assert!(found.unwrap().len() <= 2);
    }
    assert!(store.stats().reopened > 0);
    assert_eq!(verify(&store).await.events, 400);
}

#[tokio::test]
async fn a_store_in_use_or_damaged_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    assert!(matches!(Store::open(&config(&path)), Err(StoreError::InUse { .. })));
    assert!(matches!(Store::set_aside(&path, &Clock::manual(5000)), Err(StoreError::InUse { .. })));
    for seq in 1..=50 {
        store.append(event("a", seq)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    for file in files(&path.join("db")) {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&file, bytes).unwrap();
    }
    let error = Store::open(&config(&path)).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("frontdesk import"), "{error}");
    let aside = Store::set_aside(&path, &Clock::manual(5000)).unwrap();
    assert_eq!(aside, dir.path().join("store.broken-5"));
    assert!(aside.join("db").is_dir() && !path.exists());
    assert_eq!(verify(&open(&path)).await.records, 0);
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(Store::open(&config(&file)), Err(StoreError::Directory { .. })));
}

/// A store with a bit of everything.
async fn furnished(path: &Path) -> Store {
    let store = open(path);
    for at in 0..20 {
        let name = format!("s{at}");
        for seq in 1..=3 {
            store.append(event(&name, seq)).await.unwrap();
        }
        store.append(record(&name, 2, RecordKind::Signal, 5000, "signal")).await.unwrap();
        store.append(partial(&name, 3, 6000)).await.unwrap();
    }
    store.erase("shop", "s3").await.unwrap();
    store.put("ledger", b"doc", b"hash").await.unwrap();
    store.put("local:ledger", b"doc", b"here").await.unwrap();
    store
}

async fn contents(store: &Store) -> Vec<Record> {
    let mut all = Vec::new();
    for name in names(store, 0).await {
        all.extend(store.read("shop", &name, 0, ALL).await.unwrap());
    }
    all
}

#[tokio::test]
async fn an_export_makes_the_same_store_again() {
    let dir = TempDir::new().unwrap();
    let store = furnished(&dir.path().join("a")).await;
    let bytes = export(&store).await;
    let other = open(&dir.path().join("b"));
    let report = import(&other, &bytes).await.unwrap();
    assert_eq!((report.written, report.present, report.values_written), (19 * 5 + 1, 0, 1));
    assert_eq!(contents(&other).await, contents(&store).await);
    assert_eq!(other.get("ledger", b"doc").await.unwrap().unwrap(), b"hash");
    assert_eq!(other.get("local:ledger", b"doc").await.unwrap(), None);
    let again = import(&other, &bytes).await.unwrap();
    assert_eq!((again.written, again.present, again.values_present), (0, 19 * 5 + 1, 1));
    // The other store goes on; what it erased and what it added stays so.
    other.erase("shop", "s5").await.unwrap();
    other.append(event("s6", 4)).await.unwrap();
    let again = import(&other, &bytes).await.unwrap();
    assert_eq!((again.written, again.erased), (0, 5));
    assert_eq!(other.session("shop", "s5").await.unwrap(), None);
    assert_eq!(other.session("shop", "s6").await.unwrap().unwrap().last_seq, 4);
    verify(&other).await;
    // And what the source erases goes here too.
    store.erase("shop", "s8").await.unwrap();
    store.append(event("s8", 1)).await.unwrap();
    for written in [2, 0] {
        assert_eq!(import(&other, &export(&store).await).await.unwrap().written, written);
        assert_eq!(other.read("shop", "s8", 0, ALL).await.unwrap(), [event("s8", 1)]);
    }
    drop(other);
    let other = open(&dir.path().join("b"));
    assert!(other.opened().clean && !other.opened().import_interrupted);
    verify(&other).await;
}

/// Each of them is looked up among the session's others; walking through these every time would
/// take the square of their number.
#[tokio::test]
async fn many_signals_of_one_session_are_imported_soon() {
    const SIGNALS: u64 = 4_000;
    let dir = TempDir::new().unwrap();
    let store = open(&dir.path().join("a"));
    store.append(event("a", 1)).await.unwrap();
    let signal = |at| record("a", 1, RecordKind::Signal, at, "signal");
    for written in join_all((0..SIGNALS).map(|at| store.append(signal(at)))).await {
        written.unwrap();
    }
    let bytes = export(&store).await;
    let other = open(&dir.path().join("b"));
    // Some of them are there already, as after an import that was interrupted.
    other.append(event("a", 1)).await.unwrap();
    for at in [3, 1, 2] {
        other.append(signal(at)).await.unwrap();
    }
    let since = std::time::Instant::now();
    let report = import(&other, &bytes).await.unwrap();
    assert_eq!((report.written, report.present), (SIGNALS - 3, 4));
    let again = import(&other, &bytes).await.unwrap();
    assert_eq!((again.written, again.present), (0, SIGNALS + 1));
    let took = since.elapsed();
    eprintln!("two imports of {SIGNALS} signals of one session: {took:?}");
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    assert_eq!(verify(&other).await.signals, SIGNALS);
    // What was imported and erased since is not taken for known.
    other.erase("shop", "a").await.unwrap();
    other.append(event("a", 1)).await.unwrap();
    let after = import(&other, &bytes).await.unwrap();
    assert_eq!((after.written, after.present), (SIGNALS, 1));
}

#[tokio::test]
async fn an_import_that_does_not_agree_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let bytes = export(&furnished(&dir.path().join("a")).await).await;
    let other = open(&dir.path().join("b"));
    other.append(record("s9", 1, RecordKind::Event, 1, "something else")).await.unwrap();
    let error = import(&other, &bytes).await.unwrap_err();
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error:?}");
    assert_eq!(verify(&other).await.records, 1);
}

#[tokio::test]
async fn every_damage_to_an_export_is_noticed_before_anything_is_imported() {
    let dir = TempDir::new().unwrap();
    let bytes = export(&furnished(&dir.path().join("a")).await).await;
    let other = open(&dir.path().join("b"));
    async fn check(other: &Store, bytes: &[u8], what: &str) -> u64 {
        match import(other, bytes).await {
            Err(StoreError::Export { offset, .. }) => offset,
            outcome => panic!("{what}: {outcome:?}"),
        }
    }
    // Header, the first frames byte by byte, then bytes everywhere, and the trailer byte by byte.
    let trailer = bytes.len() - 57;
    let step = (0..bytes.len()).filter(|at| *at < 400 || *at >= trailer || at % 97 == 0);
    for at in step {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        let offset = check(&other, &changed, &format!("byte {at} changed")).await;
        assert!(offset as usize <= at, "byte {at} reported at {offset}");
    }
    for at in (0..bytes.len()).filter(|at| *at < 200 || *at > trailer - 20 || at % 89 == 0) {
        check(&other, &bytes[..at], &format!("cut at {at}")).await;
    }
    // Whole frames taken out, doubled or put elsewhere have sound checksums of their own.
    let frames = frames(&bytes);
    let (first, second) = (&bytes[frames[0].clone()], &bytes[frames[1].clone()]);
    let rest = &bytes[frames[1].end..];
    check(&other, &[&bytes[..16], second, rest].concat(), "first frame taken out").await;
    check(&other, &[&bytes[..16], first, first, second, rest].concat(), "first frame doubled")
        .await;
    check(&other, &[&bytes[..16], second, first, rest].concat(), "frames exchanged").await;
    check(
        &other,
        &[&bytes[..frames[40].start], &bytes[frames[41].start..]].concat(),
        "frame 40 taken out",
    )
    .await;
    assert_eq!(
        check(&other, &[&bytes[..], b"x"].concat(), "a byte too many").await,
        bytes.len() as u64
    );
    check(&other, b"", "an empty file").await;
    assert_eq!(verify(&other).await.records, 0);
    assert_eq!(import(&other, &bytes).await.unwrap().written, 96);
}

/// Where the frames of an export are.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = 16;
    let mut found = Vec::new();
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        found.push(at..at + length + 9);
        at += length + 9;
    }
    found
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The store as a crash at this moment would leave it: its files copied while it is open.
async fn crash(dir: TempDir, store: Store) -> (TempDir, Store) {
    let copy = TempDir::new().unwrap();
    for file in files(dir.path()) {
        let to = copy.path().join(file.strip_prefix(dir.path()).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, to).unwrap();
    }
    store.close().await.unwrap();
    let store = open(copy.path());
    (copy, store)
}

#[derive(Clone, Debug)]
enum Step {
    Append { session: u8, kind: RecordKind, off: i8, size: usize },
    Erase { session: u8 },
    Expire { before: u64 },
    Checkpoint,
    Reopen,
    Crash,
    Compare,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![5 => Just(RecordKind::Event), 4 => Just(RecordKind::Partial), 2 => Just(RecordKind::Signal)];
    let off = prop_oneof![20 => Just(0_i8), 1 => Just(-1_i8), 1 => Just(1_i8)];
    let size = prop_oneof![10 => 0_usize..300, 1 => Just(MAX_BODY)];
    prop_oneof![
        200 => (0_u8..5, kind, off, size).prop_map(|(session, kind, off, size)| Step::Append { session, kind, off, size }),
        4 => (0_u8..5).prop_map(|session| Step::Erase { session }),
        2 => (0_u64..200).prop_map(|before| Step::Expire { before }),
        4 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
        2 => Just(Step::Crash),
        3 => Just(Step::Compare),
    ]
}

/// What the store should hold of one session.
#[derive(Clone, Default)]
struct Model {
    records: Vec<Record>,
    last_seq: u64,
    last_at_ms: u64,
}

impl Model {
    fn live(&self) -> Vec<Record> {
        let last =
            self.records.iter().rposition(|record| record.kind == RecordKind::Event).unwrap_or(0);
        let live = |at: usize, record: &Record| record.kind != RecordKind::Partial || at >= last;
        self.records
            .iter()
            .enumerate()
            .filter(|(at, record)| live(*at, record))
            .map(|(_, record)| record.clone())
            .collect()
    }
}

async fn compare(store: &Store, model: &BTreeMap<String, Model>) {
    for (session, expected) in model {
        assert_eq!(
            store.read("shop", session, 0, ALL).await.unwrap(),
            expected.live(),
            "{session}"
        );
        let info = store.session("shop", session).await.unwrap().unwrap();
        assert_eq!((info.last_seq, info.last_at_ms), (expected.last_seq, expected.last_at_ms));
    }
    let mut order: Vec<_> =
        model.iter().map(|(name, model)| (!model.last_at_ms, name.clone())).collect();
    order.sort();
    assert_eq!(names(store, 0).await, order.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
    let report = verify(store).await;
    assert_eq!(report.sessions, model.len() as u64);
}

async fn play(steps: Vec<Step>) {
    let mut dir = TempDir::new().unwrap();
    let mut store = open(dir.path());
    let mut model: BTreeMap<String, Model> = BTreeMap::new();
    let mut waiting = Vec::new();
    for (at_ms, step) in (0_u64..).zip(steps) {
        if !matches!(step, Step::Append { .. }) {
            join_all(waiting.drain(..)).await.into_iter().for_each(
                |(done, fits): (Result<(), StoreError>, bool)| {
                    assert_eq!(done.is_ok(), fits, "{done:?}");
                },
            );
        }
        match step {
            Step::Append { session, kind, off, size } => {
                let name = format!("s{session}");
                let known = model.get(&name).cloned().unwrap_or_default();
                let fitting =
                    if kind == RecordKind::Event { known.last_seq + 1 } else { known.last_seq };
                let seq = fitting.saturating_add_signed(off.into());
                let fits =
                    seq > 0 && (seq == fitting || (kind == RecordKind::Signal && seq < fitting));
                let record = record(&name, seq, kind, at_ms, &"x".repeat(size));
                if fits {
                    let model = model.entry(name).or_default();
                    model.last_at_ms = at_ms;
                    model.last_seq = if kind == RecordKind::Event { seq } else { model.last_seq };
                    model.records.push(record.clone());
                }
                let done = store.append(record);
                waiting.push(async move { (done.await, fits) });
            }
            Step::Erase { session } => {
                let name = format!("s{session}");
                assert_eq!(
                    store.erase("shop", &name).await.unwrap(),
                    model.remove(&name).is_some()
                );
            }
            Step::Expire { before } => {
                let count = model.len();
                model.retain(|_, model| model.last_at_ms >= before);
                assert_eq!(
                    store.expire_before("shop", before, u64::MAX).await.unwrap(),
                    (count - model.len()) as u64
                );
            }
            Step::Checkpoint => store.checkpoint().await.unwrap(),
            Step::Reopen => {
                store.close().await.unwrap();
                store = open(dir.path());
                assert!(store.opened().clean);
                assert_eq!(store.opened().replayed, 0);
            }
            Step::Crash => {
                (dir, store) = crash(dir, store).await;
                assert!(!store.opened().clean);
                compare(&store, &model).await;
            }
            Step::Compare => compare(&store, &model).await,
        }
    }
    join_all(waiting.drain(..))
        .await
        .into_iter()
        .for_each(|(done, fits)| assert_eq!(done.is_ok(), fits, "{done:?}"));
    compare(&store, &model).await;
}

/// Each case opens several stores, and opening runs `sync`; so few of them unless more are asked
/// for.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_model(steps in prop::collection::vec(step(), 1..250)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(steps));
    }
}

const CHILD_PATH: &str = "FRONTDESK_TEST_STORE_CHILD";
/// Whether the child compacts without room.
const CHILD_LIMIT: &str = "FRONTDESK_TEST_STORE_LIMIT";

/// Not a test of its own: [`kill_9_loses_nothing_acknowledged`] and the full disk run it as a
/// process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_appends() {
    let Ok(path) = std::env::var(CHILD_PATH) else { return };
    let store = open(Path::new(&path));
    say("\nREADY\n");
    let sessions = (0..48).map(|at| {
        let store = &store;
        async move {
            let name = format!("s{at}");
            let mut seq =
                store.session("shop", &name).await.unwrap().map_or(0, |info| info.last_seq);
            loop {
                seq += 1;
                let outcome = store.append(event(&name, seq)).await;
                if let Err(error) = outcome {
                    say(format!("FAILED {error}\n"));
                    return;
                }
                say(format!("ACK {name} {seq}\n"));
                for at_ms in 0..seq % 4 {
                    drop(store.append(partial(&name, seq, at_ms)));
                }
                if seq % 5 == 0 {
                    drop(store.append(record(&name, seq, RecordKind::Signal, 0, "signal")));
                }
                if at == 47 && seq % 11 == 0 {
                    drop(store.erase("shop", &format!("s{at}")).await);
                    say(format!("GONE {name} 0\n"));
                    seq = 0;
                }
            }
        }
    });
    join_all(sessions).await;
    assert!(store.health().is_err());
    assert!(matches!(store.append(event("new", 1)).await, Err(StoreError::Broken { .. })));
    assert!(store.close().await.is_err());
    say("CLOSED\n");
}

/// Runs the child that appends on `path`; `line` sees its output and says when to kill it.
fn run_child(path: &Path, shell: &str, line: impl FnMut(&str) -> bool) {
    run_test("store::child_that_appends", path, shell, line);
}

/// As [`run_child`], with another test of this file.
fn run_test(test: &str, path: &Path, shell: &str, mut line: impl FnMut(&str) -> bool) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD_PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut killed = false;
    let mut text = String::new();
    while out.read_line(&mut text).unwrap() > 0 {
        let stop = text.ends_with('\n') && line(text.trim_end());
        if stop && !killed {
            // `exec` made the shell the child itself; on Unix this is SIGKILL.
            child.kill().unwrap();
            killed = true;
        }
        text.clear();
    }
    child.wait().unwrap();
}

/// Tells the parent process of a child.
fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_ref().as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// Compacts a store, and goes on with it.
#[tokio::test]
async fn child_that_compacts() {
    let Ok(path) = std::env::var(CHILD_PATH) else { return };
    let store = open(Path::new(&path));
    // Open files are larger already: what is limited is the new store's.
    let limit = |most: &str| {
        let (id, most) = (std::process::id().to_string(), format!("--fsize={most}:unlimited"));
        assert!(Command::new("prlimit").args(["--pid", &id, &most]).status().unwrap().success());
    };
    if std::env::var_os(CHILD_LIMIT).is_some() {
        limit("65536");
    }
    let outcome = store.compact().await.map_err(|error| error.to_string());
    limit("unlimited");
    say(format!("\nCOMPACTED {outcome:?}\n"));
    say(format!("READ {}\n", store.read("shop", "s0", 0, EVENTS).await.unwrap().len()));
    say(format!("HEALTHY {}\n", store.health().is_ok()));
    store.close().await.unwrap();
    say("CLOSED\n");
}

/// `ACK s1 5` → the last acknowledged event of each session.
fn note(acknowledged: &mut BTreeMap<String, u64>, line: &str) -> bool {
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("ACK"), Some(name), Some(seq)) => {
            acknowledged.insert(name.to_owned(), seq.parse().unwrap())
        }
        (Some("GONE"), Some(name), _) => acknowledged.insert(name.to_owned(), 0),
        _ => return false,
    };
    true
}

async fn check_acknowledged(path: &Path, acknowledged: &BTreeMap<String, u64>) {
    let store = open(path);
    for (name, last) in acknowledged {
        let found = store.read("shop", name, 0, EVENTS).await.unwrap();
        let expected: Vec<_> = (1..=found.len() as u64).map(|seq| event(name, seq)).collect();
        assert_eq!(found, expected, "{name}");
        // One more may have been written and not yet acknowledged; s47 may have been erased
        // meanwhile.
        let more = (found.len() as u64).checked_sub(*last);
        assert!(
            more.is_some_and(|more| more <= 1) || name == "s47",
            "{name}: {last} acknowledged, {}",
            found.len()
        );
    }
    verify(&store).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn kill_9_loses_nothing_acknowledged() {
    let cycles = std::env::var("FRONTDESK_KILL_CYCLES")
        .ok()
        .and_then(|cycles| cycles.parse().ok())
        .unwrap_or(5);
    let dir = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    for _ in 0..cycles {
        let mut left = rand::rng().random_range(1..3000);
        run_child(dir.path(), "", |line| {
            left -= i32::from(note(&mut acknowledged, line));
            left <= 0
        });
        check_acknowledged(dir.path(), &acknowledged).await;
    }
    assert!(acknowledged.values().sum::<u64>() > 0);
}

#[tokio::test]
async fn a_full_disk_stops_acknowledging_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    let (mut failed, mut closed) = (0, false);
    // No file may grow past 64 KiB: writing fails like on a full disk.
    run_child(dir.path(), "trap '' XFSZ; ulimit -f 128;", |line| {
        note(&mut acknowledged, line);
        failed += u64::from(line.starts_with("FAILED the store at"));
        closed |= line == "CLOSED";
        false
    });
    assert!(failed == 48 && closed, "{failed} failures seen, closed: {closed}");
    assert!(!acknowledged.is_empty());
    check_acknowledged(dir.path(), &acknowledged).await;
}

#[tokio::test]
async fn a_compaction_without_room_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    // Packed pages of these are larger than any file may be.
    let mut text = "x".to_owned();
    for seq in 1..=200 {
        let mut body = String::new();
        for _ in 0..40 {
            text = frontdesk::secret::key_hash(&text);
            body.push_str(&text);
        }
        store.append(record("s0", seq, RecordKind::Event, seq, &body)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    // No new file may grow past 64 KiB: writing fails like on a full disk.
    let short = format!("trap '' XFSZ; export {CHILD_LIMIT}=1;");
    for (shell, outcome) in [(short.as_str(), "COMPACTED Err("), ("", "COMPACTED Ok(")] {
        let mut lines = Vec::new();
        run_test("store::child_that_compacts", dir.path(), shell, |line| {
            lines.push(line.to_owned());
            false
        });
        assert!(lines.iter().any(|line| line.starts_with(outcome)), "{lines:?}");
        for line in ["READ 200", "HEALTHY true", "CLOSED"] {
            assert!(lines.iter().any(|told| told == line), "{shell}: {lines:?}");
        }
        assert!(!dir.path().join("db.new").exists() && !dir.path().join("db.old").exists());
    }
}
