//! Moving and checking a whole store.
//!
//! # The format of an export
//! ```text
//! header   "FDEXPORT", version 1 (u32), crc32 of these 12 bytes (u32)
//! frames   tag (u8), length of payload (u32), payload, crc32 of tag, length and payload (u32)
//!   1 record   a log frame (see `frame.rs`) with prev 0: events, partials, signals, tombstones,
//!              in log order
//!   2 value    length of key (u32), key (space, NUL, key), value
//! trailer  a frame with tag 255: number of records (u64), number of values (u64),
//!          SHA-256 of everything before it
//! ```
//! Numbers are little-endian. Nothing follows the trailer. A file without a trailer is cut off,
//! whatever it ends with.
//!
//! # Import
//! The whole file is read and checked first, against itself and against what the store has; only
//! then is anything written. Importing the same file again, or after an interruption, adds what is
//! missing and nothing twice. What the store or the file erased stays erased.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::frame::{Frame, FrameKind, u32_at, u64_at};
use super::{
    Command, IMPORT_MARK, Imported, Kinds, LOCAL_SPACE, Merged, Record, RecordKind, Request, Store,
    StoreError, index,
};

const MAGIC: &[u8; 8] = b"FDEXPORT";
const VERSION: u32 = 1;
const HEADER: u64 = 16;
const TAG_RECORD: u8 = 1;
const TAG_VALUE: u8 = 2;
const TAG_TRAILER: u8 = 255;
/// More than the largest record or value with its names.
const MAX_PAYLOAD: usize = 128 * 1024;
/// Log records, values or entries asked for at once.
const CHUNK: usize = 256;
/// Records of an import that go into one flush, in bytes of bodies.
const CHUNK_BYTES: usize = 4 << 20;
/// Problems that a report spells out.
const SPELLED_OUT: usize = 20;

/// How far it is: `done` of `total` log positions, or bytes for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    pub records: u64,
    pub values: u64,
    pub bytes: u64,
    /// SHA-256 that the trailer carries, in lower-case hexadecimal.
    pub sha256: String,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Records that were new here.
    pub written: u64,
    /// Records that were here already.
    pub present: u64,
    /// Records left out because their session was erased here.
    pub erased: u64,
    /// Values that were new here.
    pub values_written: u64,
    /// Values left as they are because their key is taken.
    pub values_present: u64,
    pub bytes: u64,
}

/// What a check of the whole store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    pub records: u64,
    pub events: u64,
    pub partials: u64,
    pub signals: u64,
    pub tombstones: u64,
    /// Sessions with at least one event.
    pub sessions: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Log entries that are no frames.
    pub bad_frames: u64,
    /// Events that are whole, and whose content isn't understood.
    pub unreadable: u64,
    /// Events of kinds that only a newer release knows: kept, passed over, and no damage.
    pub newer: u64,
    /// Events missing between two others of their session, or before the first.
    pub gaps: u64,
    /// Events whose `seq` their session had already.
    pub duplicates: u64,
    /// Partials and signals that refer to an event that was not there yet.
    pub misplaced: u64,
    /// Records that don't point to the one before them.
    pub broken_links: u64,
    /// Sessions that the derived trees know differently than the log.
    pub index_errors: u64,
    /// The first problems, in words.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad_frames
            + self.unreadable
            + self.gaps
            + self.duplicates
            + self.misplaced
            + self.broken_links
            + self.index_errors
            == 0
    }

    fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < SPELLED_OUT {
            self.problems.push(text());
        }
    }
}

impl Store {
    /// Writes everything that was acknowledged when it began. Blocks: call it from a thread of its
    /// own.
    ///
    /// # Errors
    /// [`StoreError::Transfer`] if writing fails, and what reads return.
    pub fn export(
        &self,
        writer: impl Write,
        mut progress: impl FnMut(Progress),
    ) -> Result<ExportReport, StoreError> {
        let through = self.flushed();
        let mut out = Output { writer: BufWriter::new(writer), digest: Sha256::new(), bytes: 0 };
        let mut report = ExportReport::default();
        out.header().map_err(writing)?;
        let mut from = 1;
        loop {
            let chunk =
                self.ask_blocking(|reply| Request::Log { from, through, limit: CHUNK, reply })?;
            let Some((last, _)) = chunk.last() else { break };
            from = last + 1;
            for (pos, bytes) in &chunk {
                let frame = Frame::decode(bytes).map_err(|error| StoreError::Corrupt {
                    what: format!("the record at log position {pos} cannot be read: {error}"),
                })?;
                out.frame(TAG_RECORD, &Frame { prev: 0, ..frame }.encode()).map_err(writing)?;
                report.records += 1;
            }
            progress(Progress { done: from - 1, total: through });
        }
        let mut from = Vec::new();
        loop {
            let start = from.clone();
            let chunk = self.ask_blocking(|reply| Request::Scan {
                from: start,
                to: vec![u8::MAX],
                limit: CHUNK,
                reply,
            })?;
            let Some((last, _)) = chunk.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            for (key, value) in
                chunk.iter().filter(|(key, _)| !key.starts_with(LOCAL_SPACE.as_bytes()))
            {
                let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
                out.frame(TAG_VALUE, &[&length, key.as_slice(), value].concat())
                    .map_err(writing)?;
                report.values += 1;
            }
        }
        let digest = out.digest.clone().finalize();
        report.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let trailer =
            [&report.records.to_le_bytes()[..], &report.values.to_le_bytes(), &digest[..]].concat();
        out.frame(TAG_TRAILER, &trailer).map_err(writing)?;
        out.writer.flush().map_err(writing)?;
        report.bytes = out.bytes;
        Ok(report)
    }

    /// Reads an export to its end without a store. Blocks: call it from a thread of its own. Gives
    /// how many records it holds.
    ///
    /// # Errors
    /// [`StoreError::Export`] with the offset where it is damaged or cut off.
    pub fn check_export(reader: impl Read) -> Result<u64, StoreError> {
        let mut input = Input::new(reader)?;
        while input.next()?.is_some() {}
        Ok(input.records)
    }

    /// Takes in an export. Blocks: call it from a thread of its own.
    ///
    /// # Errors
    /// [`StoreError::Export`] with the offset where the file is damaged, [`StoreError::Mismatch`]
    /// if a session went on differently here; nothing is imported then. After any other error the
    /// same import can be run again.
    pub fn import(
        &self,
        mut reader: impl Read + Seek,
        mut progress: impl FnMut(Progress),
    ) -> Result<ImportReport, StoreError> {
        let fresh = self.flushed() == 0;
        let size = reader.seek(SeekFrom::End(0)).map_err(reading)?;
        let total = 2 * size;
        reader.rewind().map_err(reading)?;
        let mut check =
            Check { store: self, fresh, sessions: HashMap::new(), erased: HashSet::new() };
        let mut input = Input::new(&mut reader)?;
        while let Some((offset, item)) = input.next()? {
            check.item(offset, &item)?;
            progress(Progress { done: input.offset, total });
        }
        drop(input);
        reader.rewind().map_err(reading)?;

        self.submit_blocking(|reply| Command::Put {
            pairs: vec![(IMPORT_MARK.to_vec(), Some(Vec::new()))],
            reply,
        })?;
        let mut report = ImportReport { bytes: size, ..ImportReport::default() };
        let mut pending = Chunk::default();
        let mut erased = HashSet::new();
        let mut input = Input::new(&mut reader)?;
        while let Some((_, item)) = input.next()? {
            match item {
                Item::Record { tombstone, record } => {
                    let key = digest_of(&record.site, &record.session);
                    if tombstone {
                        erased.insert(key);
                    }
                    let after_tombstone = erased.contains(&key);
                    pending.bytes += record.body.len() + 64;
                    pending.items.push(Imported { tombstone, record, after_tombstone });
                }
                Item::Value { key, value } => {
                    let wanted = key.clone();
                    if self.ask_blocking(|reply| Request::Get { key: wanted, reply })?.is_some() {
                        report.values_present += 1;
                    } else {
                        report.values_written += 1;
                        pending.bytes += key.len() + value.len();
                        pending.values.push((key, Some(value)));
                    }
                }
            }
            if pending.items.len() + pending.values.len() >= CHUNK || pending.bytes >= CHUNK_BYTES {
                self.write(std::mem::take(&mut pending), &mut report)?;
                progress(Progress { done: size + input.offset, total });
            }
        }
        pending.values.push((IMPORT_MARK.to_vec(), None));
        self.write(pending, &mut report)?;
        progress(Progress { done: total, total });
        Ok(report)
    }

    /// Reads the whole log and compares it with itself and with what is derived from it. Blocks:
    /// call it from a thread of its own. Messages may go on meanwhile; what is newer than its start
    /// is not looked at. `understood` says of an event's body whether this release knows its kind,
    /// or why it can't be read.
    ///
    /// # Errors
    /// What reads return; a page that sled itself finds damaged is [`StoreError::Broken`].
    pub fn verify(
        &self,
        understood: impl Fn(&[u8]) -> Result<bool, String>,
        mut progress: impl FnMut(Progress),
    ) -> Result<VerifyReport, StoreError> {
        self.submit_blocking(|reply| Command::Checkpoint { reply })?;
        let removals = self.removals();
        let through = self.flushed();
        let mut report = VerifyReport::default();
        let mut sessions: HashMap<[u8; 16], Seen> = HashMap::new();
        let mut from = 1;
        loop {
            let chunk =
                self.ask_blocking(|reply| Request::Log { from, through, limit: CHUNK, reply })?;
            let Some((last, _)) = chunk.last() else { break };
            from = last + 1;
            for (pos, bytes) in &chunk {
                report.records += 1;
                report.bytes += bytes.len() as u64;
                match Frame::decode(bytes) {
                    Ok(frame) => {
                        if frame.kind == FrameKind::Record(RecordKind::Event) {
                            match understood(frame.body) {
                                Ok(true) => {}
                                Ok(false) => report.newer += 1,
                                Err(reason) => {
                                    report.unreadable += 1;
                                    let (site, session, seq) =
                                        (frame.site, frame.session, frame.seq);
                                    report.problem(|| {
                                        format!("{site}/{session}: event {seq} is not understood: {reason}")
                                    });
                                }
                            }
                        }
                        let seen =
                            sessions.entry(digest_of(frame.site, frame.session)).or_default();
                        seen.take(*pos, &frame, &mut report);
                    }
                    Err(error) => {
                        report.bad_frames += 1;
                        report.problem(|| format!("log position {pos}: {error}"));
                    }
                }
            }
            progress(Progress { done: from - 1, total: through });
        }
        report.sessions = sessions.values().filter(|seen| seen.any).count() as u64;
        self.compare_index(through, &mut sessions, &mut report)?;
        // A session erased while this ran is in the log that was read and no longer in the index.
        if self.removals() == removals {
            let unknown = sessions.values().filter(|seen| !seen.indexed).count() as u64;
            report.index_errors += unknown;
            if unknown > 0 {
                report
                    .problem(|| format!("{unknown} sessions of the log are missing in the index"));
            }
        }
        Ok(report)
    }

    fn compare_index(
        &self,
        through: u64,
        sessions: &mut HashMap<[u8; 16], Seen>,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let mut from = Vec::new();
        loop {
            let start = from.clone();
            let chunk =
                self.ask_blocking(|reply| Request::Entries { from: start, limit: CHUNK, reply })?;
            let Some((last, _)) = chunk.last() else { return Ok(()) };
            from = [&**last, &[0]].concat();
            for (key, entry) in &chunk {
                let Some((site, session)) = index::split_key(key) else { continue };
                let seen = sessions.get_mut(&digest_of(site, session));
                let newer = entry.last_pos > through;
                let same = seen.as_ref().is_some_and(|seen| {
                    (seen.seq, seen.last_event, seen.last_signal, seen.partials)
                        == (
                            entry.last_seq,
                            entry.last_event,
                            entry.last_signal,
                            entry.partials.len(),
                        )
                });
                if let Some(seen) = seen {
                    seen.indexed = true;
                }
                if !same && !newer {
                    report.index_errors += 1;
                    report.problem(|| {
                        format!("{site}/{session}: the index says otherwise than the log")
                    });
                }
            }
        }
    }

    fn write(&self, chunk: Chunk, report: &mut ImportReport) -> Result<(), StoreError> {
        let Chunk { items, values, .. } = chunk;
        if !items.is_empty() {
            let Merged { written, present, erased } =
                self.submit_blocking(|reply| Command::Import { items, reply })?;
            report.written += written;
            report.present += present;
            report.erased += erased;
        }
        if !values.is_empty() {
            self.submit_blocking(|reply| Command::Put { pairs: values, reply })?;
        }
        Ok(())
    }

    fn flushed(&self) -> u64 {
        self.inner.shared.flushed.load(Ordering::Acquire)
    }
}

/// What verify has seen of a session.
#[derive(Default)]
struct Seen {
    any: bool,
    seq: u64,
    last_event: u64,
    last_signal: u64,
    partials: usize,
    indexed: bool,
}

impl Seen {
    fn take(&mut self, pos: u64, frame: &Frame<'_>, report: &mut VerifyReport) {
        let name = || format!("{}/{} at log position {pos}", frame.site, frame.session);
        match frame.kind {
            FrameKind::Record(RecordKind::Event) => {
                report.events += 1;
                if frame.seq <= self.seq {
                    report.duplicates += 1;
                    report
                        .problem(|| format!("{}: event {} for the second time", name(), frame.seq));
                } else if frame.seq > self.seq + 1 {
                    report.gaps += frame.seq - self.seq - 1;
                    report
                        .problem(|| format!("{}: event {} after {}", name(), frame.seq, self.seq));
                }
                self.link(frame.prev, self.last_event, &name, report);
                (self.seq, self.last_event, self.partials) = (frame.seq, pos, 0);
            }
            FrameKind::Record(RecordKind::Signal) => {
                report.signals += 1;
                self.refer(frame.seq, frame.seq <= self.seq, &name, report);
                self.link(frame.prev, self.last_signal, &name, report);
                self.last_signal = pos;
            }
            FrameKind::Record(RecordKind::Partial) => {
                report.partials += 1;
                self.refer(frame.seq, frame.seq == self.seq, &name, report);
                self.partials += 1;
            }
            FrameKind::Tombstone => {
                report.tombstones += 1;
                *self = Seen { last_event: pos, indexed: self.indexed, ..Seen::default() };
                return;
            }
        }
        self.any = true;
    }

    fn link(
        &self,
        prev: u64,
        expected: u64,
        name: &impl Fn() -> String,
        report: &mut VerifyReport,
    ) {
        if prev != expected {
            report.broken_links += 1;
            report.problem(|| format!("{}: points back to {prev}, not to {expected}", name()));
        }
    }

    fn refer(&self, seq: u64, fits: bool, name: &impl Fn() -> String, report: &mut VerifyReport) {
        if !fits {
            report.misplaced += 1;
            report.problem(|| {
                format!("{}: refers to event {seq} where {} is the last", name(), self.seq)
            });
        }
    }
}

/// First pass of an import: is the file sound in itself, and does the store agree with it where
/// they overlap?
struct Check<'a> {
    store: &'a Store,
    fresh: bool,
    /// Last event of each session in the file so far.
    sessions: HashMap<[u8; 16], u64>,
    /// Sessions with a tombstone in the file so far.
    erased: HashSet<[u8; 16]>,
}

impl Check<'_> {
    fn item(&mut self, offset: u64, item: &Item) -> Result<(), StoreError> {
        let Item::Record { tombstone, record } = item else { return Ok(()) };
        let key = digest_of(&record.site, &record.session);
        let last = self.sessions.entry(key).or_insert(0);
        let fits = match record.kind {
            _ if *tombstone => true,
            RecordKind::Event => record.seq == *last + 1,
            RecordKind::Partial => record.seq == *last && *last > 0,
            RecordKind::Signal => (1..=*last).contains(&record.seq),
        };
        if !fits {
            let reason = format!(
                "seq {} follows {} in session {}/{}",
                record.seq, last, record.site, record.session
            );
            return Err(StoreError::Export { offset, reason });
        }
        if *tombstone {
            *last = 0;
            self.erased.insert(key);
        } else if record.kind == RecordKind::Event {
            *last = record.seq;
            if !self.fresh && !self.erased.contains(&key) {
                self.agrees(record)?;
            }
        }
        Ok(())
    }

    /// The store's event with that `seq`, if it has one, is the same.
    fn agrees(&self, record: &Record) -> Result<(), StoreError> {
        let (site, session, after_seq) =
            (record.site.clone(), record.session.clone(), record.seq - 1);
        let kinds = Kinds::of(&[RecordKind::Event]);
        let here = self.store.ask_blocking(|reply| Request::Read {
            site,
            session,
            after_seq,
            kinds,
            reply,
        })?;
        match here.first() {
            Some(here) if here != record => {
                let Record { site, session, seq, .. } = record;
                Err(StoreError::Mismatch {
                    reason: format!("event {seq} of session {site}/{session} differs"),
                })
            }
            _ => Ok(()),
        }
    }
}

/// What goes into one flush of an import.
#[derive(Default)]
struct Chunk {
    items: Vec<Imported>,
    values: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

enum Item {
    Record { tombstone: bool, record: Record },
    Value { key: Vec<u8>, value: Vec<u8> },
}

struct Output<W: Write> {
    writer: BufWriter<W>,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Output<W> {
    fn header(&mut self) -> io::Result<()> {
        let mut header = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        self.put(&header)
    }

    fn frame(&mut self, tag: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = Vec::with_capacity(payload.len() + 9);
        bytes.push(tag);
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.writer.write_all(bytes)
    }
}

/// Reads an export item by item and checks everything there is to check on the way.
struct Input<R: Read> {
    reader: BufReader<R>,
    digest: Sha256,
    offset: u64,
    records: u64,
    values: u64,
}

impl<R: Read> Input<R> {
    fn new(reader: R) -> Result<Self, StoreError> {
        let mut input = Self {
            reader: BufReader::with_capacity(1 << 16, reader),
            digest: Sha256::new(),
            offset: 0,
            records: 0,
            values: 0,
        };
        let mut header = [0; HEADER as usize];
        input.fill(&mut header, 0)?;
        let bad = |reason: &str| Err(StoreError::Export { offset: 0, reason: reason.to_owned() });
        if &header[..8] != MAGIC {
            return bad("it does not start like an export");
        }
        if crc32fast::hash(&header[..12]) != u32_at(&header, 12) {
            return bad("the header's checksum is wrong");
        }
        match u32_at(&header, 8) {
            VERSION => {}
            version => {
                return bad(&format!("its version {version} is newer than this program knows"));
            }
        }
        input.digest.update(header);
        input.offset = HEADER;
        Ok(input)
    }

    /// The next item and its offset; `None` after a trailer that agrees with everything before it.
    fn next(&mut self) -> Result<Option<(u64, Item)>, StoreError> {
        let offset = self.offset;
        let bad = |reason: String| StoreError::Export { offset, reason };
        let mut bytes = vec![0; 5];
        self.fill(&mut bytes, offset)?;
        let (tag, length) = (bytes[0], u32_at(&bytes, 1) as usize);
        if !matches!(tag, TAG_RECORD | TAG_VALUE | TAG_TRAILER) {
            return Err(bad(format!("a frame of unknown kind {tag}")));
        }
        if length > MAX_PAYLOAD {
            return Err(bad(format!("a frame of {length} bytes is longer than any can be")));
        }
        bytes.resize(5 + length + 4, 0);
        self.fill(&mut bytes[5..], offset)?;
        if crc32fast::hash(&bytes[..5 + length]) != u32_at(&bytes, 5 + length) {
            return Err(bad("the frame's checksum is wrong".into()));
        }
        let payload = &bytes[5..5 + length];
        if tag == TAG_TRAILER {
            let digest = self.digest.clone().finalize();
            if length != 48 || payload[16..] != digest[..] {
                return Err(bad("the digest over the whole file is wrong".into()));
            }
            if (u64_at(payload, 0), u64_at(payload, 8)) != (self.records, self.values) {
                return Err(bad("the number of records is wrong".into()));
            }
            self.offset += bytes.len() as u64;
            let rest = self.reader.read(&mut [0]).map_err(reading)?;
            return match rest {
                0 => Ok(None),
                _ => Err(StoreError::Export {
                    offset: self.offset,
                    reason: "something follows the trailer".into(),
                }),
            };
        }
        let item = if tag == TAG_RECORD {
            self.records += 1;
            let frame = Frame::decode(payload).map_err(|error| bad(error.to_string()))?;
            let tombstone = frame.kind == FrameKind::Tombstone;
            let kind = if tombstone { FrameKind::Record(RecordKind::Event) } else { frame.kind };
            let Some(record) = Frame { kind, ..frame }.to_record() else {
                return Err(bad("not a record".into()));
            };
            super::check_names(&record.site, &record.session)
                .and_then(|()| {
                    super::check_size("the record's body", record.body.len(), super::MAX_BODY)
                })
                .map_err(|error| bad(error.to_string()))?;
            Item::Record { tombstone, record }
        } else {
            self.values += 1;
            let key =
                (length >= 4).then(|| u32_at(payload, 0) as usize).filter(|key| 4 + key <= length);
            let Some(key) = key else { return Err(bad("a value's lengths do not add up".into())) };
            Item::Value { key: payload[4..4 + key].to_vec(), value: payload[4 + key..].to_vec() }
        };
        self.digest.update(&bytes);
        self.offset += bytes.len() as u64;
        Ok(Some((offset, item)))
    }

    fn fill(&mut self, bytes: &mut [u8], offset: u64) -> Result<(), StoreError> {
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                StoreError::Export { offset, reason: "the file is cut off here".into() }
            }
            _ => reading(error),
        })
    }
}

/// 128 bits that stand for a session's name in the big maps.
fn digest_of(site: &str, session: &str) -> [u8; 16] {
    let digest = Sha256::digest(index::session_key(site, session));
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn writing(error: io::Error) -> StoreError {
    StoreError::Transfer { what: "write the export", reason: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn reading(error: io::Error) -> StoreError {
    StoreError::Transfer { what: "read the export", reason: error.to_string() }
}
