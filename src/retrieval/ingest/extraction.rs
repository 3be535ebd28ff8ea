//! What readers of business formats make of a document, and what keeps a zipped one from unpacking
//! to more than it may.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::retrieval::ingest::table::Sheet;

/// Largest text that a document may come to, in bytes; more is not a document but an attack or an
/// archive.
pub(super) const MAX_TEXT_BYTES: usize = 64 << 20;
/// Largest total of what a zipped document unpacks to, in bytes.
pub(super) const MAX_UNPACKED_BYTES: u64 = 256 << 20;

/// What a document holds, as the chunker or the reader of rows takes it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extraction {
    pub(super) title: Option<String>,
    pub(super) language: Option<String>,
    /// Markdown.
    pub(super) text: String,
    /// Of a workbook, instead of text.
    pub(super) sheets: Vec<Sheet>,
    /// What was left out, in words.
    pub(super) warnings: Vec<String>,
}

/// An opened zip.
pub(super) type Archive<'d> = zip::ZipArchive<std::io::Cursor<&'d [u8]>>;

/// Opens a zip after unpacking all of it into nothing, counting: what it says about its sizes can
/// be a lie.
///
/// # Errors
///
/// When it is none, is damaged, or unpacks to more than [`MAX_UNPACKED_BYTES`].
pub(super) fn open_zip(document: &[u8]) -> Result<Archive<'_>, String> {
    const MAX_ENTRIES: usize = 20_000;
    if document.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let encrypted = document.windows(name.len()).any(|window| window == name);
        return Err(if encrypted {
            "it is encrypted with a password; save it without one".to_owned()
        } else {
            "it is in the format of Office 97; save it as .docx or .xlsx".to_owned()
        });
    }
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(document))
        .map_err(|error| format!("it is damaged: {error}"))?;
    if archive.len() > MAX_ENTRIES {
        return Err(format!("it holds {} files; a document has a few", archive.len()));
    }
    let mut left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| format!("it is damaged: {error}"))?;
        let unpacked = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink())
            .map_err(|error| format!("it is damaged: {error}"))?;
        left = left.checked_sub(unpacked).ok_or_else(|| {
            format!("it unpacks to more than {} MiB, as a zip bomb does", MAX_UNPACKED_BYTES >> 20)
        })?;
    }
    Ok(archive)
}

/// An entry as text, empty if there is none.
///
/// # Errors
///
/// When it is damaged.
pub(super) fn zip_text(archive: &mut Archive<'_>, name: &str) -> Result<String, String> {
    let damaged = |error: &dyn std::fmt::Display| format!("its part {name} is damaged: {error}");
    let mut bytes = Vec::new();
    let read = match archive.by_name(name) {
        Ok(entry) => entry.take(MAX_UNPACKED_BYTES).read_to_end(&mut bytes),
        Err(zip::result::ZipError::FileNotFound) => return Ok(String::new()),
        Err(error) => return Err(damaged(&error)),
    };
    match read {
        // Reading says so politely where everything else ends the process; the reason is the same.
        Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => {
            std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>())
        }
        read => read.map_err(|error| damaged(&error))?,
    };
    crate::retrieval::ingest::text::decode(&bytes).map_err(|reason| damaged(&reason))
}
