//! Which files under the roots are documents.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::text::Meta;
use super::{Failure, relative_id};

/// How a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Markdown,
    Html,
    Text,
    Csv,
    JsonLines,
    Json,
    Pdf,
    Docx,
    /// xlsx, xlsm, xls, ods.
    Workbook,
    /// XML of records: feeds and exports.
    Xml,
}

impl Format {
    /// By the file's extension.
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "md" | "markdown" | "mdown" | "mdx" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "txt" | "text" => Self::Text,
            "csv" | "tsv" | "tab" => Self::Csv,
            "xml" => Self::Xml,
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "pdf" => Self::Pdf,
            "docx" | "docm" => Self::Docx,
            "xlsx" | "xlsm" | "xls" | "ods" => Self::Workbook,
            _ => return None,
        })
    }

    /// By a `Content-Type`; where it says nothing, by the extension of `name`.
    #[must_use]
    pub fn of_content(content_type: &str, name: &str) -> Option<Self> {
        let essence =
            content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "text/markdown" | "text/x-markdown" => Self::Markdown,
            "text/html" | "application/xhtml+xml" => Self::Html,
            "text/plain" => Self::Text,
            "text/csv" | "text/tab-separated-values" => Self::Csv,
            "application/xml" | "text/xml" => Self::Xml,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Self::JsonLines,
            "application/json" => Self::Json,
            "application/pdf" => Self::Pdf,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Self::Docx,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            | "application/vnd.ms-excel"
            | "application/vnd.oasis.opendocument.spreadsheet" => Self::Workbook,
            "" | "application/octet-stream" | "application/x-www-form-urlencoded" => {
                return Self::of(Path::new(name));
            }
            _ => return None,
        })
    }

    /// Whether its records may carry ids that don't tell which file they come from.
    pub(super) fn names_its_records(self) -> bool {
        matches!(self, Self::JsonLines | Self::Json)
    }
}

/// Whether an id is the path of a document, rather than the id that a record gives itself.
pub(super) fn is_document_path(source: &str) -> bool {
    Format::of(Path::new(source)).is_some()
}

/// Documents that people do expect to be read.
fn unsupported(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let known = ["doc", "odt", "rtf", "xlsb", "ppt", "pptx", "epub"];
    known.contains(&extension.as_str()).then(|| {
        format!(".{extension} files can't be read; save it as PDF, .docx, .xlsx, Markdown, HTML, plain text, CSV or JSON Lines")
    })
}

/// A document to read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) id: String,
    pub(super) format: Format,
    /// What files beside it say about it, nearest first: its own (`name.pdf.meta`), then those of
    /// its folders (`folder.meta`).
    pub(super) about: Vec<PathBuf>,
    /// What was said about it when it was handed in, which counts more than those files.
    pub(super) defaults: Meta,
    /// It came over HTTP: its records' ids are below its own.
    pub(super) handed_in: bool,
}

/// Name of a file with what holds for all documents of a folder and the folders in it.
const FOLDER_META: &str = "folder.meta";

/// The files that say something about a document below `top`. A link that leads out of it is none.
fn about(path: &Path, top: &Path) -> Vec<PathBuf> {
    let mut own = path.as_os_str().to_owned();
    own.push(".meta");
    let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    let all =
        std::iter::once(PathBuf::from(own)).chain(folders.map(|folder| folder.join(FOLDER_META)));
    let inside = |path: &PathBuf| {
        fs::canonicalize(path).is_ok_and(|real| real.starts_with(top) && real.is_file())
    };
    all.filter(inside).collect()
}

/// Which documents a run answers for: those it doesn't find in its scope have vanished.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Everything,
    /// Below this path, which ends in `/`.
    Below(String),
    /// This file and its records.
    File(String),
}

impl Scope {
    pub(super) fn covers(&self, document: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Below(path) => document.starts_with(path.as_str()),
            Self::File(path) => document
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('#')),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Walked {
    /// In the order of their ids, so that runs are alike.
    pub(super) files: Vec<File>,
    pub(super) scopes: Vec<Scope>,
    pub(super) failed: Vec<Failure>,
    pub(super) skipped: usize,
    /// Files that may hold knowledge but are of no kind that is read.
    pub(super) unknown: Vec<String>,
}

/// Whether a file is of a kind that holds no knowledge: pictures, styles, programs, what systems
/// leave behind.
fn is_beside(path: &Path) -> bool {
    const BESIDE: [&str; 38] = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "tif", "tiff", "heic",
        "mp4", "mov", "webm", "avi", "mp3", "wav", "ogg", "css", "scss", "js", "mjs", "ts", "map",
        "woff", "woff2", "ttf", "otf", "eot", "lock", "log", "toml", "yml", "yaml", "ini", "tmp",
        "bak",
    ];
    let extension =
        path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| BESIDE.contains(&extension.as_str()))
}

/// Folders within folders; deeper ones are reported.
const MAX_DEPTH: usize = 64;

/// Finds the documents under `roots`. Hidden files are passed over, links that lead out of their
/// root not followed.
///
/// # Errors
///
/// When a root is missing or can't be read.
pub(super) fn walk(roots: &[PathBuf], base: Option<&Path>) -> anyhow::Result<Walked> {
    let base = base.and_then(|base| fs::canonicalize(base).ok());
    let mut walked = Walked::default();
    for root in roots {
        let real = fs::canonicalize(root).with_context(|| {
            format!("cannot read {}; give an existing folder or file of documents", root.display())
        })?;
        let metadata =
            fs::metadata(&real).with_context(|| format!("cannot read {}", root.display()))?;
        let within = base.as_deref().filter(|base| real.starts_with(base));
        if metadata.is_dir() {
            let ids_from = within.unwrap_or(&real);
            let prefix = relative_id(&real, ids_from).unwrap_or_default();
            walked.scopes.push(if prefix.is_empty() {
                Scope::Everything
            } else {
                Scope::Below(format!("{prefix}/"))
            });
            folder(&real, &real, ids_from, 0, &mut walked);
        } else {
            let ids_from = within.or(real.parent()).unwrap_or(&real);
            let ids_from = ids_from.to_owned();
            if let Some(id) = relative_id(&real, &ids_from) {
                walked.scopes.push(Scope::File(id));
            }
            file(real, &ids_from, &mut walked);
        }
    }
    walked.files.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(walked)
}

fn folder(folder_path: &Path, root: &Path, ids_from: &Path, depth: usize, walked: &mut Walked) {
    let fail = |walked: &mut Walked, path: &Path, reason: String| {
        let path =
            relative_id(path, ids_from).unwrap_or_else(|| path.to_string_lossy().into_owned());
        walked.failed.push(Failure { path, line: None, reason });
    };
    if depth > MAX_DEPTH {
        return fail(walked, folder_path, format!("folders are nested more than {MAX_DEPTH} deep"));
    }
    let entries = match fs::read_dir(folder_path) {
        Ok(entries) => entries,
        Err(error) => {
            return fail(walked, folder_path, format!("the folder can't be read: {error}"));
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                fail(walked, folder_path, format!("the folder can't be read to its end: {error}"));
                break;
            }
        };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folder(&path, root, ids_from, depth + 1, walked),
            Ok(kind) if kind.is_file() => file(path, ids_from, walked),
            Ok(kind) if kind.is_symlink() => match fs::canonicalize(&path) {
                Ok(target) if !target.starts_with(root) => {
                    fail(
                        walked,
                        &path,
                        "it is a link out of the folder and was not followed".to_owned(),
                    );
                }
                // A visible target is found at its own place; a hidden one (mounted volumes do
                // this) only here.
                Ok(target) if target.is_file() && is_hidden(&target, root) => {
                    file(path, ids_from, walked)
                }
                Ok(_) => walked.skipped += 1,
                Err(error) => {
                    fail(walked, &path, format!("it is a link that leads nowhere: {error}"))
                }
            },
            // Pipes and devices.
            Ok(_) => walked.skipped += 1,
            Err(error) => fail(walked, &path, format!("it can't be read: {error}")),
        }
    }
}

fn is_hidden(path: &Path, root: &Path) -> bool {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
}

fn file(path: PathBuf, ids_from: &Path, walked: &mut Walked) {
    if path.extension().is_some_and(|extension| extension == "meta") {
        // It is read with the documents that it is about.
        return;
    }
    let Some(format) = Format::of(&path) else {
        match unsupported(&path) {
            Some(reason) => {
                let path = relative_id(&path, ids_from)
                    .unwrap_or_else(|| path.to_string_lossy().into_owned());
                walked.failed.push(Failure { path, line: None, reason });
            }
            None => {
                walked.skipped += 1;
                if !is_beside(&path) {
                    let id = relative_id(&path, ids_from)
                        .unwrap_or_else(|| path.to_string_lossy().into_owned());
                    walked.unknown.push(id);
                }
            }
        }
        return;
    };
    match relative_id(&path, ids_from) {
        Some(id) => walked.files.push(File {
            about: about(&path, ids_from),
            path,
            id,
            format,
            defaults: Meta::default(),
            handed_in: false,
        }),
        None => walked.failed.push(Failure {
            path: path.to_string_lossy().into_owned(),
            line: None,
            reason: "its name is not UTF-8; rename it".to_owned(),
        }),
    }
}
