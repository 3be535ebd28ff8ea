//! One record as bytes, the same in the log and in an export.
//!
//! ```text
//! offset size
//!      0    1  0xF1: what this is, and version 1 of it
//!      1    4  crc32 of everything after it
//!      5    1  kind: 1 event, 2 partial, 3 signal, 4 tombstone
//!      6    8  seq
//!     14    8  at_ms
//!     22    8  prev: log position of the session's previous event (for an event or tombstone)
//!              or signal (for a signal); 0 where there is none, and in exports
//!     30    1  length of site
//!     31    1  length of session
//!     32    4  length of body
//!     36       site, session, body
//! ```
//! Numbers are little-endian.

use thiserror::Error;

use super::{Record, RecordKind};

/// First byte of every frame.
pub(super) const MAGIC: u8 = 0xF1;
const HEADER: usize = 36;

/// What a frame says about its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Record(RecordKind),
    /// The session was erased here; `seq` is the last one it had. Its later events start again at
    /// 1.
    Tombstone,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            FrameKind::Record(kind) => kind as u8,
            FrameKind::Tombstone => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => FrameKind::Record(RecordKind::Event),
            2 => FrameKind::Record(RecordKind::Partial),
            3 => FrameKind::Record(RecordKind::Signal),
            4 => FrameKind::Tombstone,
            _ => return None,
        })
    }
}

/// A decoded frame, borrowing its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: FrameKind,
    pub(super) prev: u64,
    pub(super) seq: u64,
    pub(super) at_ms: u64,
    pub(super) site: &'a str,
    pub(super) session: &'a str,
    pub(super) body: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("it ends too early")]
    Short,
    #[error("it does not start like a record")]
    Magic,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its kind is unknown")]
    Kind,
    #[error("its lengths do not add up")]
    Length,
    #[error("its site or session is not UTF-8")]
    Utf8,
}

impl<'a> Frame<'a> {
    pub(super) fn of(record: &'a Record, prev: u64) -> Self {
        Self {
            kind: FrameKind::Record(record.kind),
            prev,
            seq: record.seq,
            at_ms: record.at_ms,
            site: &record.site,
            session: &record.session,
            body: &record.body,
        }
    }

    /// Names longer than 255 bytes must have been refused before.
    pub(super) fn encode(&self) -> Vec<u8> {
        debug_assert!(self.site.len() <= 255 && self.session.len() <= 255);
        let mut bytes =
            Vec::with_capacity(HEADER + self.site.len() + self.session.len() + self.body.len());
        bytes.push(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(self.kind.code());
        bytes.extend_from_slice(&self.seq.to_le_bytes());
        bytes.extend_from_slice(&self.at_ms.to_le_bytes());
        bytes.extend_from_slice(&self.prev.to_le_bytes());
        bytes.push(u8::try_from(self.site.len()).unwrap_or(u8::MAX));
        bytes.push(u8::try_from(self.session.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&u32::try_from(self.body.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(self.site.as_bytes());
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(self.body);
        let crc = crc32fast::hash(&bytes[5..]);
        bytes[1..5].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
            return Err(FrameError::Short);
        };
        if header[0] != MAGIC {
            return Err(FrameError::Magic);
        }
        if crc32fast::hash(&bytes[5..]) != u32_at(header, 1) {
            return Err(FrameError::Checksum);
        }
        let (site_len, session_len) = (usize::from(header[30]), usize::from(header[31]));
        let body_len = u32_at(header, 32) as usize;
        if rest.len() != site_len + session_len + body_len {
            return Err(FrameError::Length);
        }
        let (site, rest) = rest.split_at(site_len);
        let (session, body) = rest.split_at(session_len);
        Ok(Self {
            kind: FrameKind::from_code(header[5]).ok_or(FrameError::Kind)?,
            prev: u64_at(header, 22),
            seq: u64_at(header, 6),
            at_ms: u64_at(header, 14),
            site: std::str::from_utf8(site).map_err(|_| FrameError::Utf8)?,
            session: std::str::from_utf8(session).map_err(|_| FrameError::Utf8)?,
            body,
        })
    }

    /// `None` for a tombstone.
    pub(super) fn to_record(self) -> Option<Record> {
        let FrameKind::Record(kind) = self.kind else { return None };
        Some(Record {
            site: self.site.to_owned(),
            session: self.session.to_owned(),
            seq: self.seq,
            at_ms: self.at_ms,
            kind,
            body: self.body.to_vec(),
        })
    }
}

/// Site and session that bytes name, whether or not the rest of the frame is damaged.
pub(super) fn names(bytes: &[u8]) -> Option<(&str, &str)> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (site_len, session_len) = (usize::from(header[30]), usize::from(header[31]));
    let (site, rest) = rest.split_at_checked(site_len)?;
    let (session, _) = rest.split_at_checked(session_len)?;
    Some((std::str::from_utf8(site).ok()?, std::str::from_utf8(session).ok()?))
}

/// The eight bytes at `at`; the caller has checked the length.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// The four bytes at `at`; the caller has checked the length.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let record = Record {
            site: "shop".into(),
            session: "s1".into(),
            seq: 7,
            at_ms: 1_700_000_000_000,
            kind: RecordKind::Signal,
            body: b"{\"a\":1}".to_vec(),
        };
        let bytes = Frame::of(&record, 41).encode();
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!((frame.prev, frame.to_record().unwrap()), (41, record));
        bytes
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let bytes = sample();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(Frame::decode(&changed).is_err(), "byte {at}");
            assert!(Frame::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        fn check(change: impl FnOnce(&mut Vec<u8>), expected: FrameError) {
            let mut bytes = sample();
            change(&mut bytes);
            if expected != FrameError::Checksum && bytes.len() > HEADER {
                let crc = crc32fast::hash(&bytes[5..]);
                bytes[1..5].copy_from_slice(&crc.to_le_bytes());
            }
            assert_eq!(Frame::decode(&bytes), Err(expected));
        }
        check(|bytes| bytes.truncate(10), FrameError::Short);
        check(|bytes| bytes[0] = 0, FrameError::Magic);
        check(|bytes| bytes[40] ^= 1, FrameError::Checksum);
        check(|bytes| bytes[5] = 9, FrameError::Kind);
        check(|bytes| bytes[32] = 200, FrameError::Length);
        check(|bytes| bytes[36] = 0xFF, FrameError::Utf8);
    }
}
