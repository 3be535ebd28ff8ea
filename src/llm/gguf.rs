//! Is this file a GGUF that llama.cpp can be handed? Read from the header, before any C++ sees it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

/// What the header says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GgufFacts {
    /// Lower-case hexadecimal; `None` unless [`check`] was given a list to compare it with.
    /// [`sha256`] computes it.
    pub sha256: Option<String>,
    pub size_bytes: u64,
    /// `general.architecture`, for example `llama` or `bert`.
    pub architecture: String,
    /// `general.name`; empty if the file has none.
    pub name: String,
    /// `general.file_type` in words, for example `Q4_0`; the most frequent tensor type where the
    /// key is missing.
    pub file_type: String,
    pub tensors: u64,
    /// Sum of the tensors' elements.
    pub parameters: u64,
    /// `<architecture>.attention.causal`; encoders such as `bert` say `false`.
    pub causal: Option<bool>,
    /// `<architecture>.pooling_type`, of embedding models.
    pub pooling: Option<u32>,
    /// `<architecture>.context_length`.
    pub context_length: Option<u32>,
    /// `frontdesk.query_prefix` and `frontdesk.passage_prefix`: what an embedder wants before a
    /// question and a passage.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query_prefix: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub passage_prefix: String,
    /// `frontdesk.segment_offset`: a cross-encoder's vocabulary stands twice, from this id on for
    /// the second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_offset: Option<u32>,
}

/// Why a file isn't loaded.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error(
        "cannot read the model file {path}: {source}; check the path in the configuration, or run scripts/start to fetch the default models"
    )]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is not a GGUF file (it starts with {start:?} instead of \"GGUF\"); give the path of a model in GGUF format"
    )]
    NotGguf { path: PathBuf, start: String },
    #[error(
        "{path} is a GGUF of version {version}, but only versions 2 and 3 can be read; convert the model again"
    )]
    Version { path: PathBuf, version: u32 },
    #[error("{path} is cut off: it needs at least {needed} bytes and has {size}; fetch it again")]
    Truncated { path: PathBuf, needed: u64, size: u64 },
    #[error("{path} is damaged: {what}; fetch it again")]
    Damaged { path: PathBuf, what: String },
    #[error(
        "{path} has the SHA-256 {sha256}, which allowed_sha256 doesn't list; add it there only if you trust the file"
    )]
    NotAllowed { path: PathBuf, sha256: String },
}

/// Reads the header of `path` and, if `allowed_sha256` (hexadecimal, any case) isn't empty, the
/// whole file's hash.
///
/// The header's every count and length is held against the file's size, so a file that is cut off,
/// or isn't a GGUF at all, is an error here and not a crash in llama.cpp.
///
/// # Errors
///
/// [`GgufError`] says which file, what is wrong and what to do.
pub fn check(path: &Path, allowed_sha256: &[String]) -> Result<GgufFacts, GgufError> {
    let unreadable = |source| GgufError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        )));
    }
    let size = metadata.len();
    let mut header = Header { path, size, at: 0, reader: BufReader::with_capacity(1 << 16, file) };
    let mut facts = header.read()?;
    if !allowed_sha256.is_empty() {
        let sum = sha256(path).map_err(unreadable)?;
        if !allowed_sha256.iter().any(|allowed| allowed.trim().eq_ignore_ascii_case(&sum)) {
            return Err(GgufError::NotAllowed { path: path.to_owned(), sha256: sum });
        }
        facts.sha256 = Some(sum);
    }
    Ok(facts)
}

/// Lower-case hexadecimal SHA-256 of a file, read in pieces. 100 MB take 0.1 to 0.3 s, so ask for
/// it only when it is shown.
///
/// # Errors
///
/// When the file can't be read.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// The words that a model's vocabulary holds whole, of four letters or more, in lower case: what it
/// was trained on held them often, so they are hardly ever spelling mistakes.
///
/// # Errors
///
/// As [`check`].
pub fn whole_words(path: &Path) -> Result<HashSet<String>, GgufError> {
    let unreadable = |source| GgufError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    Header { path, size, at: 0, reader: BufReader::with_capacity(1 << 16, file) }.whole_words()
}

/// llama.cpp's own limits are looser; no model comes near these.
const MAX_STRING: u64 = 16 << 20;
const MAX_TENSORS: u64 = 1 << 20;
const MAX_KEYS: u64 = 1 << 16;
const MAX_ARRAY_DEPTH: u32 = 4;

struct Header<'a> {
    path: &'a Path,
    size: u64,
    at: u64,
    reader: BufReader<File>,
}

enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    Other,
}

impl Header<'_> {
    fn read(&mut self) -> Result<GgufFacts, GgufError> {
        let mut magic = [0; 4];
        let length = usize::try_from(self.size.min(4)).unwrap_or(4);
        self.fill(&mut magic[..length])?;
        if &magic != b"GGUF" {
            let start = String::from_utf8_lossy(&magic[..length]).escape_debug().to_string();
            return Err(GgufError::NotGguf { path: self.path.to_owned(), start });
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version { path: self.path.to_owned(), version });
        }
        let tensors = self.u64()?;
        let keys = self.u64()?;
        if tensors == 0 || tensors > MAX_TENSORS || keys > MAX_KEYS {
            return Err(self.damaged(format!("it claims {tensors} tensors and {keys} keys")));
        }
        // Shortest possible entries: an empty name, one dimension; an empty key and a byte.
        self.need(tensors * (8 + 4 + 8 + 4 + 8) + keys * (8 + 4 + 1))?;

        let mut facts = GgufFacts { size_bytes: self.size, tensors, ..GgufFacts::default() };
        let mut alignment = 32;
        let mut has_vocabulary = false;
        for _ in 0..keys {
            let key = self.text()?;
            let value = self.value(0)?;
            match (key.as_str(), value) {
                ("general.architecture", Value::Text(text)) => facts.architecture = text,
                ("general.name", Value::Text(text)) => facts.name = text,
                ("general.file_type", Value::Number(number)) => {
                    facts.file_type = file_type_name(number).to_owned()
                }
                ("general.alignment", Value::Number(number)) => alignment = number,
                ("frontdesk.query_prefix", Value::Text(text)) => facts.query_prefix = text,
                ("frontdesk.passage_prefix", Value::Text(text)) => facts.passage_prefix = text,
                ("frontdesk.segment_offset", Value::Number(number)) => {
                    facts.segment_offset = u32::try_from(number).ok();
                }
                ("tokenizer.ggml.tokens", _) => has_vocabulary = true,
                (key, Value::Flag(flag)) if key.ends_with(".attention.causal") => {
                    facts.causal = Some(flag)
                }
                (key, Value::Number(number)) if key.ends_with(".pooling_type") => {
                    facts.pooling = u32::try_from(number).ok();
                }
                (key, Value::Number(number)) if key.ends_with(".context_length") => {
                    facts.context_length = u32::try_from(number).ok();
                }
                _ => {}
            }
        }
        if facts.architecture.is_empty() {
            return Err(self.damaged("it names no architecture (general.architecture)".to_owned()));
        }
        if !has_vocabulary {
            return Err(self.damaged("it holds no vocabulary (tokenizer.ggml.tokens)".to_owned()));
        }
        if !(1..=1 << 20).contains(&alignment) || !alignment.is_power_of_two() {
            return Err(self.damaged(format!("its alignment is {alignment}")));
        }
        let data_bytes = self.tensors(tensors, &mut facts)?;
        self.need_at(self.at.next_multiple_of(alignment).saturating_add(data_bytes))?;
        Ok(facts)
    }

    fn whole_words(&mut self) -> Result<HashSet<String>, GgufError> {
        let mut words = HashSet::new();
        // Magic, version and the number of tensors were checked when the model was loaded.
        self.skip(4 + 4 + 8)?;
        for _ in 0..self.u64()? {
            if self.text()? != "tokenizer.ggml.tokens" {
                self.value(0)?;
                continue;
            }
            let (_, kind, length) = (self.u32()?, self.u32()?, self.u64()?);
            if kind != 8 {
                return Err(self.damaged(format!("its vocabulary has elements of type {kind}")));
            }
            for _ in 0..length {
                let token = self.text()?;
                // What begins a word is marked so, by either kind of vocabulary.
                let word = token.strip_prefix(['\u{2581}', '\u{120}']);
                let word =
                    word.filter(|word| word.len() >= 4 && word.chars().all(char::is_alphabetic));
                words.extend(word.map(str::to_lowercase));
            }
            break;
        }
        Ok(words)
    }

    /// Reads the tensors' descriptions; how many bytes of data they claim.
    fn tensors(&mut self, count: u64, facts: &mut GgufFacts) -> Result<u64, GgufError> {
        let mut data_bytes = 0_u64;
        let mut by_type = std::collections::BTreeMap::<u32, u64>::new();
        for _ in 0..count {
            let name = self.text()?;
            let dimensions = self.u32()?;
            if !(1..=4).contains(&dimensions) {
                return Err(self.damaged(format!("tensor {name:?} has {dimensions} dimensions")));
            }
            let mut elements = 1_u64;
            for _ in 0..dimensions {
                let length = self.u64()?;
                elements = elements
                    .checked_mul(length)
                    .filter(|&elements| elements < 1 << 60)
                    .ok_or_else(|| self.damaged(format!("tensor {name:?} is impossibly large")))?;
            }
            let kind = self.u32()?;
            let offset = self.u64()?;
            // A type this table doesn't know yet counts as empty: llama.cpp itself then decides.
            let bytes = tensor_type(kind).map_or(0, |(_, block, bytes)| elements / block * bytes);
            data_bytes = data_bytes.max(offset.saturating_add(bytes));
            *by_type.entry(kind).or_default() += elements;
            facts.parameters = facts.parameters.saturating_add(elements);
        }
        if facts.file_type.is_empty() {
            let most = by_type
                .iter()
                .max_by_key(|(_, elements)| **elements)
                .and_then(|(kind, _)| tensor_type(*kind));
            facts.file_type = most.map_or("unknown", |(name, _, _)| name).to_owned();
        }
        Ok(data_bytes)
    }

    fn value(&mut self, depth: u32) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        if kind == 9 {
            return self.array(depth).map(|()| Value::Other);
        }
        self.scalar(kind)
    }

    fn array(&mut self, depth: u32) -> Result<(), GgufError> {
        let kind = self.u32()?;
        let length = self.u64()?;
        match (kind, scalar_bytes(kind)) {
            (_, Some(bytes)) => self.skip(length.saturating_mul(bytes)),
            (8, None) => {
                self.need(length.saturating_mul(8))?;
                for _ in 0..length {
                    let bytes = self.u64()?;
                    self.skip(bytes)?;
                }
                Ok(())
            }
            (9, None) if depth < MAX_ARRAY_DEPTH => {
                self.need(length.saturating_mul(12))?;
                for _ in 0..length {
                    self.array(depth + 1)?;
                }
                Ok(())
            }
            _ => Err(self.damaged(format!("an array has elements of unknown type {kind}"))),
        }
    }

    fn scalar(&mut self, kind: u32) -> Result<Value, GgufError> {
        match kind {
            0 | 1 => Ok(Value::Number(self.bytes::<1>()?[0].into())),
            2 | 3 => Ok(Value::Number(u16::from_le_bytes(self.bytes()?).into())),
            4 | 5 => Ok(Value::Number(self.u32()?.into())),
            7 => Ok(Value::Flag(self.bytes::<1>()?[0] != 0)),
            8 => Ok(Value::Text(self.text()?)),
            10 | 11 => Ok(Value::Number(self.u64()?)),
            6 => self.skip(4).map(|()| Value::Other),
            12 => self.skip(8).map(|()| Value::Other),
            _ => Err(self.damaged(format!("a key has a value of unknown type {kind}"))),
        }
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > MAX_STRING {
            return Err(self.damaged(format!("a string claims {length} bytes")));
        }
        self.need(length)?;
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(0)];
        self.fill(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer).into_owned())
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut buffer = [0; N];
        self.fill(&mut buffer)?;
        Ok(buffer)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), GgufError> {
        self.need(buffer.len() as u64)?;
        self.reader
            .read_exact(buffer)
            .map_err(|source| GgufError::Unreadable { path: self.path.to_owned(), source })?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.need(bytes)?;
        let by = i64::try_from(bytes)
            .map_err(|_| self.damaged(format!("a value claims {bytes} bytes")))?;
        self.reader
            .seek_relative(by)
            .map_err(|source| GgufError::Unreadable { path: self.path.to_owned(), source })?;
        self.at += bytes;
        Ok(())
    }

    fn need(&self, bytes: u64) -> Result<(), GgufError> {
        self.need_at(self.at.saturating_add(bytes))
    }

    fn need_at(&self, needed: u64) -> Result<(), GgufError> {
        if needed > self.size {
            return Err(GgufError::Truncated {
                path: self.path.to_owned(),
                needed,
                size: self.size,
            });
        }
        Ok(())
    }

    fn damaged(&self, what: String) -> GgufError {
        GgufError::Damaged { path: self.path.to_owned(), what }
    }
}

/// Bytes of a metadata value of fixed size.
fn scalar_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Name, elements per block and bytes per block of a tensor type, as in `ggml.c`.
fn tensor_type(kind: u32) -> Option<(&'static str, u64, u64)> {
    Some(match kind {
        0 => ("F32", 1, 4),
        1 => ("F16", 1, 2),
        2 => ("Q4_0", 32, 18),
        3 => ("Q4_1", 32, 20),
        6 => ("Q5_0", 32, 22),
        7 => ("Q5_1", 32, 24),
        8 => ("Q8_0", 32, 34),
        9 => ("Q8_1", 32, 36),
        10 => ("Q2_K", 256, 84),
        11 => ("Q3_K", 256, 110),
        12 => ("Q4_K", 256, 144),
        13 => ("Q5_K", 256, 176),
        14 => ("Q6_K", 256, 210),
        15 => ("Q8_K", 256, 292),
        16 => ("IQ2_XXS", 256, 66),
        17 => ("IQ2_XS", 256, 74),
        18 => ("IQ3_XXS", 256, 98),
        19 => ("IQ1_S", 256, 50),
        20 => ("IQ4_NL", 32, 18),
        21 => ("IQ3_S", 256, 110),
        22 => ("IQ2_S", 256, 82),
        23 => ("IQ4_XS", 256, 136),
        24 => ("I8", 1, 1),
        25 => ("I16", 1, 2),
        26 => ("I32", 1, 4),
        27 => ("I64", 1, 8),
        28 => ("F64", 1, 8),
        29 => ("IQ1_M", 256, 56),
        30 => ("BF16", 1, 2),
        34 => ("TQ1_0", 256, 54),
        35 => ("TQ2_0", 256, 66),
        39 => ("MXFP4", 32, 17),
        _ => return None,
    })
}

/// `general.file_type` in words, as in llama.cpp's `llama_ftype`.
fn file_type_name(file_type: u64) -> &'static str {
    match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(into: &mut Vec<u8>, text: &str) {
        into.extend((text.len() as u64).to_le_bytes());
        into.extend(text.as_bytes());
    }

    /// A GGUF with one F16 tensor of `elements` elements.
    fn gguf(elements: u64) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(4_u64.to_le_bytes());
        for (key, value) in [("general.architecture", "bert"), ("general.name", "tiny")] {
            text(&mut bytes, key);
            bytes.extend(8_u32.to_le_bytes());
            text(&mut bytes, value);
        }
        text(&mut bytes, "bert.attention.causal");
        bytes.extend(7_u32.to_le_bytes());
        bytes.push(0);
        text(&mut bytes, "tokenizer.ggml.tokens");
        bytes.extend(9_u32.to_le_bytes());
        bytes.extend(8_u32.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        text(&mut bytes, "[PAD]");
        text(&mut bytes, "a");
        text(&mut bytes, "token_embd.weight");
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(elements.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.resize(bytes.len() + usize::try_from(elements).unwrap_or(0) * 2, 0);
        bytes
    }

    fn run(bytes: &[u8], allowed: &[String]) -> Result<GgufFacts, GgufError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("model.gguf");
        std::fs::write(&path, bytes).expect("the file is written");
        check(&path, allowed)
    }

    #[test]
    fn a_sound_file_tells_its_facts() {
        let facts = run(&gguf(64), &[]).expect("a sound file");
        assert_eq!(
            (
                facts.architecture.as_str(),
                facts.name.as_str(),
                facts.file_type.as_str(),
                facts.parameters,
                facts.causal
            ),
            ("bert", "tiny", "F16", 64, Some(false))
        );
        assert_eq!(facts.sha256, None);
    }

    #[test]
    fn every_shorter_file_is_an_error() {
        let whole = gguf(64);
        for length in 0..whole.len() {
            let error = run(&whole[..length], &[]).expect_err("cut off");
            let expected = if length < 4 { "is not a GGUF file" } else { "is cut off" };
            assert!(error.to_string().contains(expected), "{length}: {error}");
        }
    }

    #[test]
    fn damage_is_named() {
        let check = |at: usize, bytes: &[u8], expected: &str| {
            let mut file = gguf(64);
            file[at..at + bytes.len()].copy_from_slice(bytes);
            let error = run(&file, &[]).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(0, b"PK\x03\x04", "is not a GGUF file");
        check(4, &1_u32.to_le_bytes(), "version 1");
        check(8, &u64::MAX.to_le_bytes(), "tensors");
        check(16, &u64::MAX.to_le_bytes(), "keys");
        check(16, &60_000_u64.to_le_bytes(), "is cut off");
        check(24, &u64::MAX.to_le_bytes(), "a string claims");
        check(32, b"generally.architectu", "names no architecture");
    }

    #[test]
    fn only_listed_files_are_let_in() {
        let error = run(&gguf(8), &["00".repeat(32)]).expect_err("not listed");
        let GgufError::NotAllowed { sha256, .. } = error else { panic!("{error}") };
        let facts = run(&gguf(8), &[sha256.to_uppercase()]).expect("listed");
        assert_eq!(facts.sha256, Some(sha256));
        assert!(matches!(check(Path::new("no/such.gguf"), &[]), Err(GgufError::Unreadable { .. })));
    }
}
