//! Replies that a site's agents keep for reuse.

use crate::protocol::MAX_MESSAGE_CHARS;
use crate::protocol::console::Canned;
use crate::secret::random_id;
use crate::store::{Store, StoreError};

/// Canned replies of one site; all of them go to a console at once.
const MAX: usize = 500;
const MAX_TITLE_CHARS: usize = 120;

/// Why a canned reply was not kept.
#[derive(Debug, thiserror::Error)]
pub enum CannedError {
    #[error("{0}")]
    Invalid(String),
    #[error("the shortcut {0:?} is taken")]
    Taken(String),
    #[error("there is no such canned reply")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn space(site: &str) -> String {
    format!("canned:{site}")
}

/// A site's canned replies, by shortcut.
///
/// # Errors
/// When the store can't be read.
pub async fn list(store: &Store, site: &str) -> Result<Vec<Canned>, StoreError> {
    let pairs = store.scan(&space(site), b"").await?;
    let mut all: Vec<Canned> =
        pairs.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect();
    all.sort_unstable_by(|a, b| (&a.shortcut, &a.language).cmp(&(&b.shortcut, &b.language)));
    Ok(all)
}

/// Keeps a canned reply: a new one without an id, else in place of the one that has it.
///
/// # Errors
/// [`CannedError::Invalid`], [`CannedError::Taken`], [`CannedError::Unknown`], or the store's.
pub async fn put(store: &Store, site: &str, mut canned: Canned) -> Result<Canned, CannedError> {
    check(&canned)?;
    let all = list(store, site).await?;
    if canned.id.is_empty() {
        if all.len() >= MAX {
            return Err(CannedError::Invalid(format!(
                "there are {MAX} canned replies, the most there may be"
            )));
        }
        canned.id = random_id();
    } else if !all.iter().any(|known| known.id == canned.id) {
        return Err(CannedError::Unknown);
    }
    let taken = all.iter().any(|known| {
        known.id != canned.id
            && known.shortcut == canned.shortcut
            && known.language == canned.language
    });
    if taken {
        return Err(CannedError::Taken(canned.shortcut));
    }
    let value = serde_json::to_vec(&canned).unwrap_or_default();
    store.put(&space(site), canned.id.as_bytes(), &value).await?;
    Ok(canned)
}

/// Forgets a canned reply.
///
/// # Errors
/// [`CannedError::Unknown`], or the store's.
pub async fn remove(store: &Store, site: &str, id: &str) -> Result<(), CannedError> {
    if id.is_empty() || store.get(&space(site), id.as_bytes()).await?.is_none() {
        return Err(CannedError::Unknown);
    }
    store.remove(&space(site), id.as_bytes()).await?;
    Ok(())
}

fn check(canned: &Canned) -> Result<(), CannedError> {
    let invalid = |text: String| Err(CannedError::Invalid(text));
    let Canned { shortcut, title, text, language, .. } = canned;
    let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !(1..=40).contains(&shortcut.len()) || !shortcut.bytes().all(name) {
        return invalid(format!("the shortcut {shortcut:?} must be 1 to 40 of a-z, 0-9, - and _"));
    }
    if title.trim().is_empty() || title.chars().count() > MAX_TITLE_CHARS {
        return invalid(format!("a title has 1 to {MAX_TITLE_CHARS} characters"));
    }
    if text.trim().is_empty() || text.chars().count() > MAX_MESSAGE_CHARS {
        return invalid(format!("a canned reply has 1 to {MAX_MESSAGE_CHARS} characters"));
    }
    if language.len() > 8 || !language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return invalid(format!("{language:?} is no language code"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let good = Canned {
            id: String::new(),
            shortcut: "ship-ie".into(),
            title: "Shipping".into(),
            text: "It costs 4.90 EUR.".into(),
            language: "en".into(),
        };
        assert!(check(&good).is_ok());
        for bad in [
            Canned { shortcut: "/ship".into(), ..good.clone() },
            Canned { title: " ".into(), ..good.clone() },
            Canned { text: "x".repeat(MAX_MESSAGE_CHARS + 1), ..good.clone() },
            Canned { language: "en\0".into(), ..good.clone() },
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }
}
