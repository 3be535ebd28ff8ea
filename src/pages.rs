//! Web pages: whether search engines can read them, and pages written from a site's knowledge.
//!
//! [`check`] audits a folder of HTML files. What it calls a fault is what Lighthouse's SEO audits
//! fail ([`audit`]) and what schema.org's vocabulary doesn't know ([`structured`]); what search
//! engines need beyond that, for a price in the results for example, is a warning. No network: a
//! page is its file. [`publish`] writes a site's public documents and products as such pages.

mod address;
mod advice;
pub mod audit;
pub mod check;
pub mod dom;
pub mod publish;
mod robots;
pub mod structured;
mod timestamp;
pub(crate) mod vocabulary;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Lighthouse or schema.org's validator would call it wrong.
    Error,
    /// It is right, and search engines show less than they could.
    Warning,
}

/// Something about a page that is to be mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which audit found it: `canonical`, `structured-data`, …
    pub audit: &'static str,
    pub level: Level,
    /// What is wrong.
    pub fault: String,
    /// What to do about it.
    pub remedy: String,
    /// A piece of the source where it stands; empty where nothing does.
    #[serde(skip)]
    pub near: String,
}

impl Finding {
    fn error(audit: &'static str, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            audit,
            level: Level::Error,
            fault: fault.into(),
            remedy: remedy.into(),
            near: String::new(),
        }
    }

    fn warning(audit: &'static str, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(audit, fault, remedy) }
    }

    fn near(self, source: impl Into<String>) -> Self {
        Self { near: source.into(), ..self }
    }
}

/// A text that is quoted in a message, in one line and not too long. Spaces at its ends stay: they
/// may be the fault.
fn quoted(text: &str) -> String {
    let line: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("\"{}…\"", &line[..at]),
        None => format!("\"{line}\""),
    }
}
