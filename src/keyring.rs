//! The server's own keys: those that visitors' tokens are signed with, and the first admin key.
//!
//! They stand beside the store in files that only the server's user can read, `visitor.keys` and
//! `admin.key`; of the admin key the store has the hash. An export of the store so holds no key:
//! whoever moves a server takes `visitor.keys` along, or its visitors begin new conversations.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::secret::{key_hash, new_key, random_secret, write_file};
use crate::store::{LOCAL_SPACE, Store};

/// Keys that visitors' tokens are good with at the same time: the newest one and the one before.
const LIVE: usize = 2;
const VISITOR_KEYS: &str = "visitor.keys";
const ADMIN_KEY: &str = "admin.key";
/// A new admin key that the store may not know yet.
const NEW_ADMIN_KEY: &str = "admin.key.new";
const ADMIN_HASH: &[u8] = b"admin_key_sha256";
/// Where earlier releases had both, and exports of theirs have them.
const EARLIER_SPACE: &str = "secrets";
const EARLIER_VISITOR_KEY: &[u8] = b"visitor_tokens";

fn space() -> String {
    format!("{LOCAL_SPACE}secrets")
}

/// The keys of visitors' tokens, the newest first. Clones share them.
#[derive(Clone)]
pub struct VisitorKeys(Arc<RwLock<Vec<[u8; 32]>>>);

impl VisitorKeys {
    #[must_use]
    pub fn new(keys: Vec<[u8; 32]>) -> Self {
        Self(Arc::new(RwLock::new(keys)))
    }

    /// At least one.
    #[must_use]
    pub fn all(&self) -> Vec<[u8; 32]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, keys: Vec<[u8; 32]>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

/// Keeps and changes the keys. Cheap to clone.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    folder: PathBuf,
    visitors: VisitorKeys,
    /// One change at a time.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl Keyring {
    /// Reads the keys, and makes those that there aren't yet.
    ///
    /// # Errors
    /// When a file is damaged, or can't be read or written.
    pub async fn open(store: Store, store_path: &Path) -> anyhow::Result<Self> {
        let folder = store_path.parent().unwrap_or(store_path).to_owned();
        let path = folder.join(VISITOR_KEYS);
        let earlier = store.get(EARLIER_SPACE, EARLIER_VISITOR_KEY).await?;
        let keys = if path.exists() {
            read_visitor_keys(&path)?
        } else {
            let key = match &earlier {
                Some(key) => key
                    .as_slice()
                    .try_into()
                    .context("the stored key of visitors' tokens has the wrong length")?,
                None => random_secret(),
            };
            write_visitor_keys(&path, &[key])?;
            vec![key]
        };
        if earlier.is_some() {
            store.remove(EARLIER_SPACE, EARLIER_VISITOR_KEY).await?;
            tracing::info!(file = %path.display(), "the key of visitors' tokens is no longer in the store, but in this file");
        }
        let changing = Arc::default();
        let keyring = Self { store, folder, visitors: VisitorKeys::new(keys), changing };
        keyring.settle_admin_key().await.context("the first admin key")?;
        Ok(keyring)
    }

    #[must_use]
    pub fn visitors(&self) -> &VisitorKeys {
        &self.visitors
    }

    /// Lower-case hexadecimal SHA-256 of the admin key.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn admin_hash(&self) -> anyhow::Result<String> {
        let hash = self
            .store
            .get(&space(), ADMIN_HASH)
            .await?
            .context("the store has no admin key's hash")?;
        String::from_utf8(hash).context("the stored hash of the admin key")
    }

    /// Signs new tokens with a new key. Tokens of the key before stay good until the next change,
    /// and visitors who come back with one are given a new one.
    ///
    /// # Errors
    /// When the file can't be written; the keys stay as they were.
    pub async fn change_visitor_key(&self) -> anyhow::Result<()> {
        let _changing = self.changing.lock().await;
        let mut keys = self.visitors.all();
        keys.insert(0, random_secret());
        keys.truncate(LIVE);
        write_visitor_keys(&self.folder.join(VISITOR_KEYS), &keys)?;
        self.visitors.replace(keys);
        tracing::info!("visitors' tokens are signed with a new key");
        Ok(())
    }

    /// Makes a new admin key in `admin.key`; the one before ends. Gives the new one's hash.
    ///
    /// # Errors
    /// When file or store can't be written. A change that breaks off is completed or undone by the
    /// next start.
    pub async fn change_admin_key(&self) -> anyhow::Result<String> {
        let _changing = self.changing.lock().await;
        let key = new_key();
        let new = self.folder.join(NEW_ADMIN_KEY);
        write_file(&new, &key).with_context(|| format!("writing {}", new.display()))?;
        let hash = key_hash(&key);
        self.store.put(&space(), ADMIN_HASH, hash.as_bytes()).await?;
        let file = self.folder.join(ADMIN_KEY);
        std::fs::rename(&new, &file).with_context(|| format!("writing {}", file.display()))?;
        tracing::info!(file = %file.display(), "made a new admin key");
        Ok(hash)
    }

    /// Brings the file and the store's hash together after whatever happened before.
    async fn settle_admin_key(&self) -> anyhow::Result<()> {
        let earlier = self.store.get(EARLIER_SPACE, ADMIN_HASH).await?;
        let mut known = self.store.get(&space(), ADMIN_HASH).await?;
        if let Some(hash) = earlier {
            if known.is_none() && self.folder.join(ADMIN_KEY).exists() {
                self.store.put(&space(), ADMIN_HASH, &hash).await?;
                known = Some(hash);
            }
            self.store.remove(EARLIER_SPACE, ADMIN_HASH).await?;
        }
        let new = self.folder.join(NEW_ADMIN_KEY);
        if let Ok(key) = std::fs::read_to_string(&new) {
            if known.as_deref() == Some(key_hash(key.trim()).as_bytes()) {
                std::fs::rename(&new, self.folder.join(ADMIN_KEY))?;
            } else {
                std::fs::remove_file(&new)?;
            }
        }
        if known.is_none() {
            self.change_admin_key().await?;
        }
        Ok(())
    }
}

/// One key a line, the newest first.
fn read_visitor_keys(path: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let damaged = || {
        format!(
            "{} is damaged; restore it, or remove it to have visitors begin anew",
            path.display()
        )
    };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let keys = text.lines().map(|line| {
        let key = BASE64.decode(line.trim()).ok()?;
        <[u8; 32]>::try_from(key).ok()
    });
    let keys: Vec<[u8; 32]> = keys.collect::<Option<_>>().with_context(damaged)?;
    ensure!((1..=LIVE).contains(&keys.len()), damaged());
    Ok(keys)
}

fn write_visitor_keys(path: &Path, keys: &[[u8; 32]]) -> anyhow::Result<()> {
    let lines: Vec<String> = keys.iter().map(|key| BASE64.encode(key)).collect();
    write_file(path, &lines.join("\n")).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreConfig;

    struct Folder {
        directory: tempfile::TempDir,
        store: Store,
    }

    impl Folder {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let store = Store::open(&StoreConfig { path, ..StoreConfig::default() }).unwrap();
            Self { directory, store }
        }

        async fn open(&self) -> Keyring {
            Keyring::open(self.store.clone(), &self.directory.path().join("store")).await.unwrap()
        }

        fn file(&self, name: &str) -> String {
            std::fs::read_to_string(self.directory.path().join(name)).unwrap().trim().to_owned()
        }
    }

    #[tokio::test]
    async fn keys_are_kept_and_no_export_holds_them() {
        let folder = Folder::new();
        // As an earlier release left it.
        folder.store.put(EARLIER_SPACE, EARLIER_VISITOR_KEY, &[7; 32]).await.unwrap();
        folder.store.put(EARLIER_SPACE, ADMIN_HASH, key_hash("fd_old").as_bytes()).await.unwrap();
        write_file(&folder.directory.path().join(ADMIN_KEY), "fd_old").unwrap();

        let keyring = folder.open().await;
        assert_eq!(keyring.visitors().all(), [[7; 32]]);
        assert_eq!(keyring.admin_hash().await.unwrap(), key_hash("fd_old"));
        assert_eq!(folder.open().await.visitors().all(), [[7; 32]]);

        let store = folder.store.clone();
        let export = tokio::task::spawn_blocking(move || {
            let mut export = Vec::new();
            store.export(&mut export, |_| {}).unwrap();
            export
        });
        let export = export.await.unwrap();
        let holds = |secret: &[u8]| export.windows(secret.len()).any(|window| window == secret);
        for secret in [
            &[7; 32][..],
            BASE64.encode([7; 32]).as_bytes(),
            b"admin_key",
            key_hash("fd_old").as_bytes(),
        ] {
            assert!(!holds(secret), "{secret:?}");
        }
        folder.store.close().await.unwrap();
    }

    #[tokio::test]
    async fn two_visitor_keys_are_live_and_the_admin_key_ends_at_once() {
        let folder = Folder::new();
        let keyring = folder.open().await;
        let first = keyring.visitors().all();
        keyring.change_visitor_key().await.unwrap();
        let second = keyring.visitors().all();
        assert_eq!((second.len(), second[1]), (2, first[0]));
        keyring.change_visitor_key().await.unwrap();
        let third = keyring.visitors().all();
        assert_eq!((third.len(), third[1]), (2, second[0]));
        assert_eq!(folder.open().await.visitors().all(), third);

        let before = folder.file(ADMIN_KEY);
        assert_eq!(keyring.admin_hash().await.unwrap(), key_hash(&before));
        keyring.change_admin_key().await.unwrap();
        let after = folder.file(ADMIN_KEY);
        assert!(before != after && keyring.admin_hash().await.unwrap() == key_hash(&after));
        folder.store.close().await.unwrap();
    }

    /// The process may end between any two steps of a change.
    #[tokio::test]
    async fn a_change_of_the_admin_key_that_broke_off_is_completed_or_undone() {
        let folder = Folder::new();
        let keyring = folder.open().await;
        let first = folder.file(ADMIN_KEY);
        let new = folder.directory.path().join(NEW_ADMIN_KEY);
        write_file(&new, "fd_never_stored").unwrap();
        folder.open().await;
        assert!(folder.file(ADMIN_KEY) == first && !new.exists());

        write_file(&new, "fd_stored").unwrap();
        folder.store.put(&space(), ADMIN_HASH, key_hash("fd_stored").as_bytes()).await.unwrap();
        folder.open().await;
        assert_eq!(folder.file(ADMIN_KEY), "fd_stored");
        assert_eq!(keyring.admin_hash().await.unwrap(), key_hash("fd_stored"));
        folder.store.close().await.unwrap();
    }
}
