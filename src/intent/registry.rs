//! Versions of trained models, kept as files beside a manifest: train → evaluate on later rows →
//! compare with the deployed one → deploy or refuse, and roll back. Each site has its own; nothing
//! that one site's visitors did moves another's score.
//!
//! ```text
//! data/intent/<site>/<head>/manifest.json      what there is, and which version is deployed
//! data/intent/<site>/<head>/<version>.model    a line that says what it is, then JSON
//! data/intent/<site>/<head>/lock               held by who changes any of it, in any process
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::features;
use crate::intent::Intent;
use crate::intent::classes::Classes;
use crate::intent::columns::Vectors;
use crate::intent::table::{Column, Table, Track, Value};
use crate::intent::train::{Model, TrainError};
use crate::intent::watch::Watch;

/// `[intent]`: trained models of what visitors want.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntentConfig {
    /// Directory of the trained models. Without one that is deployed, the purchase score is a
    /// transparent sum.
    pub models: PathBuf,
    /// Share of the rows, the latest in time, on which a new model is compared with the deployed
    /// one. They are not trained on.
    pub later_share: f32,
    /// Population stability index of a column from which its drift is warned about. 0.1 is a shift,
    /// 0.25 a large one.
    pub drift: f64,
    /// Calibration error from which a warning is given and a new model is refused.
    pub calibration: f64,
    /// Minutes between two looks at how the deployed purchase model does on new conversations
    /// (drift, calibration). A look reads the newest 2,000 conversations off the answer path.
    pub watch_min: u64,
}

impl Default for IntentConfig {
    fn default() -> Self {
        Self {
            models: "data/intent".into(),
            later_share: 0.2,
            drift: 0.25,
            calibration: 0.1,
            watch_min: 10,
        }
    }
}

/// What a model tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// How likely a purchase is.
    Purchase,
    /// What a message is about.
    Classes,
}

impl Head {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Classes => "classes",
        }
    }
}

/// Why the registry can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("can't {doing} {path}: {error}")]
    Io { doing: &'static str, path: PathBuf, error: std::io::Error },
    #[error("{path} is no model of Frontdesk: {reason}")]
    Foreign { path: PathBuf, reason: String },
    #[error(
        "{path} was changed since it was trained (its SHA-256 is {found}, the manifest says {expected}); deploy another version or train again"
    )]
    Changed { path: PathBuf, found: String, expected: String },
    #[error(
        "{path} is no manifest: {reason}; restore it, or move the directory away and train again"
    )]
    Manifest { path: PathBuf, reason: String },
    #[error("there is no version {version} of the {head} model; there {known}")]
    NoVersion { head: &'static str, version: u32, known: String },
    #[error(
        "version {version} is not deployed: {reason}. --force (or \"force\": true) deploys it all the same"
    )]
    Refused { version: u32, reason: String },
    #[error("no version of the {head} model was deployed before; there is nothing to roll back to")]
    NothingBefore { head: &'static str },
    #[error("no {head} model is deployed; train one with `frontdesk intent train`")]
    NothingDeployed { head: &'static str },
}

/// One trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub version: u32,
    /// Kind of model that won the comparison.
    pub model: String,
    pub trained_at_ms: u64,
    /// Rows that it learned from, and the later ones that it was evaluated on.
    pub rows: usize,
    pub later_rows: usize,
    /// First and last moment of all rows, where they have one.
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    /// Last moment of the rows that it learned from: what began after it was never seen. Missing in
    /// versions of before this was noted.
    #[serde(default)]
    pub learned_to_ms: Option<u64>,
    /// Measured on the later rows.
    pub metrics: HashMap<String, f64>,
    /// Of the model that was deployed at the time, on the same rows.
    pub deployed_metrics: Option<HashMap<String, f64>>,
    /// Why it doesn't earn its place; nothing if it does.
    pub objection: Option<String>,
    pub sha256: String,
    pub bytes: u64,
}

impl Version {
    /// The moment after which conversations are surely new to the model, in milliseconds since
    /// 1970: where its rows had no time, or nobody noted how far it learned, that of the last row
    /// or of the training.
    #[must_use]
    pub fn learned_until_ms(&self) -> u64 {
        self.learned_to_ms.or(self.to_ms).unwrap_or(self.trained_at_ms)
    }
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub deployed: Option<u32>,
    /// Versions that were deployed before, the latest last.
    pub before: Vec<u32>,
    pub versions: Vec<Version>,
}

impl Manifest {
    #[must_use]
    pub fn version(&self, version: u32) -> Option<&Version> {
        self.versions.iter().find(|known| known.version == version)
    }
}

/// The models of one site for one head.
#[derive(Clone, Debug)]
pub struct Registry {
    directory: PathBuf,
    head: Head,
}

/// First line of every model file. The number changes when an older version's files can't be read
/// any more.
const MAGIC: &str = "frontdesk intent model 1";

impl Registry {
    /// Names the place; nothing is made before a model is added.
    #[must_use]
    pub fn new(models: &Path, site: &str, head: Head) -> Self {
        Self { directory: models.join(site).join(head.name()), head }
    }

    /// What there is; nothing where nothing was trained yet.
    ///
    /// # Errors
    /// When the manifest can't be read or is none.
    pub fn manifest(&self) -> Result<Manifest, RegistryError> {
        let path = self.manifest_path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| RegistryError::Manifest { path, reason: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Manifest::default()),
            Err(error) => Err(RegistryError::Io { doing: "read", path, error }),
        }
    }

    /// Keeps a trained model as the next version; `version`, `sha256` and `bytes` are filled in.
    /// Waits while somebody else changes the models.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn add(
        &self,
        model: &impl Serialize,
        mut version: Version,
    ) -> Result<Version, RegistryError> {
        make_folder(&self.directory)?;
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        version.version =
            manifest.versions.iter().map(|known| known.version).max().unwrap_or(0) + 1;
        // A crash can leave a file that the manifest doesn't know.
        while self.model_path(version.version).exists() {
            version.version += 1;
        }
        let path = self.model_path(version.version);
        let mut bytes = format!("{MAGIC} {}\n", self.head.name()).into_bytes();
        serde_json::to_writer(&mut bytes, model).map_err(|error| RegistryError::Foreign {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        version.sha256 = hex(&Sha256::digest(&bytes));
        version.bytes = bytes.len() as u64;
        let written = fs::File::create_new(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(|error| RegistryError::Io { doing: "write", path, error })?;
        manifest.versions.push(version.clone());
        self.save(&manifest)?;
        Ok(version)
    }

    /// Reads a version's model, after checking that the file is the one that was trained.
    ///
    /// # Errors
    /// When there is none, or the file is missing, changed or foreign.
    pub fn load<M: DeserializeOwned>(&self, version: u32) -> Result<M, RegistryError> {
        let manifest = self.manifest()?;
        let known = manifest.version(version).ok_or_else(|| self.no_version(&manifest, version))?;
        let path = self.model_path(version);
        let bytes = fs::read(&path).map_err(|error| RegistryError::Io {
            doing: "read",
            path: path.clone(),
            error,
        })?;
        let found = hex(&Sha256::digest(&bytes));
        if found != known.sha256 {
            return Err(RegistryError::Changed { path, found, expected: known.sha256.clone() });
        }
        parse(&path, self.head, &bytes)
    }

    /// The deployed version and its model.
    ///
    /// # Errors
    /// As [`Self::load`]; when none is deployed.
    pub fn deployed<M: DeserializeOwned>(&self) -> Result<(Version, M), RegistryError> {
        let manifest = self.manifest()?;
        let version =
            manifest.deployed.ok_or(RegistryError::NothingDeployed { head: self.head.name() })?;
        let known =
            manifest.version(version).ok_or_else(|| self.no_version(&manifest, version))?.clone();
        Ok((known, self.load(version)?))
    }

    /// A version and its model, deployed or not.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn version<M: DeserializeOwned>(&self, version: u32) -> Result<Deployed<M>, RegistryError> {
        let manifest = self.manifest()?;
        let known =
            manifest.version(version).ok_or_else(|| self.no_version(&manifest, version))?.clone();
        Ok(Deployed { version: known, model: self.load(version)? })
    }

    /// Makes a version the deployed one, unless it doesn't earn its place and `force` isn't given.
    /// Its file is checked first. Waits while somebody else changes the models.
    ///
    /// # Errors
    /// When it is refused, or as [`Self::load`].
    pub fn deploy(&self, version: u32, force: bool) -> Result<Version, RegistryError> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let known =
            manifest.version(version).ok_or_else(|| self.no_version(&manifest, version))?.clone();
        if let Some(reason) = known.objection.clone().filter(|_| !force) {
            return Err(RegistryError::Refused { version, reason });
        }
        self.check(version)?;
        if manifest.deployed != Some(version) {
            manifest.before.extend(manifest.deployed);
            manifest.deployed = Some(version);
            self.save(&manifest)?;
        }
        Ok(known)
    }

    /// Deploys again what was deployed before. Waits while somebody else changes the models.
    ///
    /// # Errors
    /// When nothing was, or its file is gone.
    pub fn roll_back(&self) -> Result<Version, RegistryError> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let before =
            manifest.before.pop().ok_or(RegistryError::NothingBefore { head: self.head.name() })?;
        let known =
            manifest.version(before).ok_or_else(|| self.no_version(&manifest, before))?.clone();
        self.check(before)?;
        manifest.deployed = Some(before);
        self.save(&manifest)?;
        Ok(known)
    }

    fn check(&self, version: u32) -> Result<(), RegistryError> {
        match self.head {
            Head::Purchase => self.load::<Model>(version).map(drop),
            Head::Classes => self.load::<Classes>(version).map(drop),
        }
    }

    fn no_version(&self, manifest: &Manifest, version: u32) -> RegistryError {
        let numbers: Vec<String> =
            manifest.versions.iter().map(|known| known.version.to_string()).collect();
        let known = if numbers.is_empty() {
            "are none yet".to_owned()
        } else {
            format!("are {}", numbers.join(", "))
        };
        RegistryError::NoVersion { head: self.head.name(), version, known }
    }

    /// Waits until nobody else, in this process or another, reads the manifest to write it. Where
    /// there is no folder yet, there is nothing to change.
    fn lock(&self) -> Result<Option<fs::File>, RegistryError> {
        let path = self.directory.join("lock");
        let file = match fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)
        {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.and_then(|file| file.lock().map(|()| file)),
        };
        file.map(Some).map_err(|error| RegistryError::Io { doing: "lock", path, error })
    }

    /// Under the lock.
    fn save(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let path = self.manifest_path();
        let bytes = serde_json::to_vec_pretty(manifest).map_err(|error| {
            RegistryError::Manifest { path: path.clone(), reason: error.to_string() }
        })?;
        write(&path, &bytes)
    }

    fn manifest_path(&self) -> PathBuf {
        self.directory.join("manifest.json")
    }

    fn model_path(&self, version: u32) -> PathBuf {
        self.directory.join(format!("{version}.model"))
    }
}

fn parse<M: DeserializeOwned>(path: &Path, head: Head, bytes: &[u8]) -> Result<M, RegistryError> {
    let foreign = |reason: String| RegistryError::Foreign { path: path.to_owned(), reason };
    let line = bytes.iter().position(|byte| *byte == b'\n').map(|end| bytes.split_at(end));
    let Some((first, rest)) = line else {
        return Err(foreign("its first line doesn't end".into()));
    };
    let expected = format!("{MAGIC} {}", head.name());
    if first != expected.as_bytes() {
        return Err(foreign(format!("its first line isn't {expected:?}")));
    }
    serde_json::from_slice(rest).map_err(|error| foreign(error.to_string()))
}

/// Writes beside the target and renames, so that a crash leaves the old file or the new one. On
/// disk when it returns, with everything that was written into the folder before.
fn write(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let failed = |error| RegistryError::Io { doing: "write", path: path.to_owned(), error };
    let beside = path.with_extension("part");
    let mut file = fs::File::create(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder that outlives a power loss.
fn make_folder(path: &Path) -> Result<(), RegistryError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let failed =
        |error| RegistryError::Io { doing: "make the directory", path: path.to_owned(), error };
    fs::create_dir_all(path).map_err(failed)?;
    missing.iter().filter_map(|folder| folder.parent()).try_for_each(sync_folder)
}

/// A name that was made or moved is on disk once its folder is.
fn sync_folder(path: &Path) -> Result<(), RegistryError> {
    // The parent of a relative path's first part is the working directory.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let synced = fs::File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| RegistryError::Io {
        doing: "write the directory",
        path: path.to_owned(),
        error,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The deployed models, in memory. Clones share them; a swap replaces one pointer, so that a
/// session that is being scored ends with the model that it began with.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

/// A manifest's bytes; `None` where there was none.
type Seen = Option<Vec<u8>>;

struct Inner {
    models: PathBuf,
    purchase: RwLock<HashMap<String, Arc<Deployed<Model>>>>,
    classes: RwLock<HashMap<String, Arc<Deployed<Classes>>>>,
    /// What was last seen of each site's purchase model in use.
    watches: RwLock<HashMap<String, Arc<Watch>>>,
    /// Each manifest as it was last read. Times of change are too coarse to tell two deployments of
    /// one moment apart.
    seen: Mutex<HashMap<(String, Head), Seen>>,
}

/// A model with its version.
#[derive(Debug)]
pub struct Deployed<M> {
    pub version: Version,
    pub model: M,
}

/// A column's value for a reader; nothing for what no word tells.
fn in_words(column: &str, value: &Value) -> Option<String> {
    Some(match value {
        Value::Missing => "unknown".to_owned(),
        Value::Number(number) if features::FLAGS.contains(&column) => {
            if *number > 0.0 { "yes" } else { "no" }.to_owned()
        }
        // Two digits tell as much as anybody reads.
        Value::Number(number) => ((number * 100.0).round() / 100.0).to_string(),
        Value::Category(name) => name.clone(),
        Value::Text(_) | Value::Vector(_) => return None,
    })
}

impl Deployed<Model> {
    /// A conversation as it stood after the visitor's first `turns` messages, or as it stands: the
    /// probability of a purchase and what moved it. The row is made as those of training are.
    ///
    /// # Errors
    /// When the rows are not of one width.
    pub fn intent(&self, track: &Track, turns: Option<usize>) -> Result<Intent, TrainError> {
        let columns: Vec<Column> = self.model.columns().cloned().collect();
        let table = Table::of_tracks(std::slice::from_ref(track), turns, Some(&columns));
        let none = Vectors::default();
        let probability = self.model.predict(&table, &none)?.first().copied().unwrap_or_default();
        let moved = self.model.explain(&table, &none)?;
        let value = |name: &str| {
            let at = columns.iter().position(|column| column.name == name)?;
            in_words(name, table.rows.first()?.get(at)?)
        };
        Ok(Intent::of_model(self.version.version, probability, moved, value))
    }

    /// The probabilities of many rows at once, made by [`Self::row`].
    ///
    /// # Errors
    /// When the rows are not of one width.
    pub fn scores(&self, rows: Vec<Vec<Value>>) -> Result<Vec<f32>, TrainError> {
        let labels = vec![false; rows.len()];
        let table =
            Table { columns: self.model.columns().cloned().collect(), rows, labels, at_ms: None };
        self.model.predict(&table, &Vectors::default())
    }

    /// A conversation's row as it stands.
    #[must_use]
    pub fn row(&self, track: &Track) -> Vec<Value> {
        let columns: Vec<Column> = self.model.columns().cloned().collect();
        let table = Table::of_tracks(std::slice::from_ref(track), None, Some(&columns));
        table.rows.into_iter().next().unwrap_or_default()
    }
}

impl Live {
    /// Nothing is loaded before [`Self::refresh`].
    #[must_use]
    pub fn new(models: &Path) -> Self {
        Self {
            inner: Arc::new(Inner {
                models: models.to_owned(),
                purchase: RwLock::default(),
                classes: RwLock::default(),
                watches: RwLock::default(),
                seen: Mutex::default(),
            }),
        }
    }

    /// The purchase model of a site, if one is deployed.
    #[must_use]
    pub fn purchase(&self, site: &str) -> Option<Arc<Deployed<Model>>> {
        self.inner.purchase.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }

    /// The classes of a site, if they are deployed.
    #[must_use]
    pub fn classes(&self, site: &str) -> Option<Arc<Deployed<Classes>>> {
        self.inner.classes.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }

    /// How the deployed purchase model of a site did when it was last looked at; nothing for a
    /// version that isn't deployed any more.
    #[must_use]
    pub fn watch(&self, site: &str) -> Option<Arc<Watch>> {
        let watch =
            self.inner.watches.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()?;
        (self.purchase(site)?.version.version == watch.version).then_some(watch)
    }

    pub fn note_watch(&self, site: &str, watch: Watch) {
        self.inner
            .watches
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(site.to_owned(), Arc::new(watch));
    }

    #[must_use]
    pub fn registry(&self, site: &str, head: Head) -> Registry {
        Registry::new(&self.inner.models, site, head)
    }

    /// Takes in what was deployed since, by this process or another one. A model that can't be read
    /// leaves the one before in its place. Reads files: call it off the async threads.
    ///
    /// # Errors
    /// The first thing that went wrong; the other head is refreshed all the same.
    pub fn refresh(&self, site: &str) -> Result<(), RegistryError> {
        let purchase = self.swap(site, Head::Purchase, &self.inner.purchase);
        let classes = self.swap(site, Head::Classes, &self.inner.classes);
        purchase.and(classes)
    }

    fn swap<M: DeserializeOwned>(
        &self,
        site: &str,
        head: Head,
        slot: &RwLock<HashMap<String, Arc<Deployed<M>>>>,
    ) -> Result<(), RegistryError> {
        let registry = self.registry(site, head);
        let found = fs::read(registry.manifest_path()).ok();
        let key = (site.to_owned(), head);
        {
            let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.get(&key) == Some(&found) {
                return Ok(());
            }
            // An error is reported once, not at every look.
            seen.insert(key, found);
        }
        let manifest = registry.manifest()?;
        let current = slot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(site)
            .map(|known| known.version.version);
        match manifest.deployed {
            None => {
                slot.write().unwrap_or_else(PoisonError::into_inner).remove(site);
            }
            Some(version) if current != Some(version) => {
                let (version, model) = registry.deployed::<M>()?;
                tracing::info!(
                    site,
                    head = head.name(),
                    version = version.version,
                    "an intent model is in use"
                );
                let deployed = Arc::new(Deployed { version, model });
                slot.write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(site.to_owned(), deployed);
            }
            Some(_) => {}
        }
        Ok(())
    }
}

/// Why a purchase model doesn't earn its place, if it doesn't: it must beat the mean of all rows
/// and the deployed one, both on the later rows, and mean its probabilities.
#[must_use]
pub fn objection(
    candidate: &crate::intent::metrics::Quality,
    deployed: Option<(u32, &crate::intent::metrics::Quality)>,
    calibration: f64,
) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let rate = candidate.positives as f64 / candidate.rows.max(1) as f64;
    if candidate.positives == 0 || candidate.positives == candidate.rows {
        return Some(format!(
            "its {} later rows all have one outcome, so nothing can be said about it",
            candidate.rows
        ));
    }
    let constant = -(rate * rate.ln() + (1.0 - rate) * (1.0 - rate).ln());
    if candidate.log_loss >= constant {
        return Some(format!(
            "on later rows its log loss is {:.4}, and always saying {:.1}% has {constant:.4}",
            candidate.log_loss,
            rate * 100.0
        ));
    }
    if candidate.ece > calibration {
        return Some(format!(
            "on later rows its probabilities are off by {:.3} on average (calibration error), more than {calibration}",
            candidate.ece
        ));
    }
    let (version, deployed) = deployed?;
    (candidate.log_loss >= deployed.log_loss).then(|| {
        format!(
            "on the same later rows its log loss is {:.4} (AUROC {:.3}), and that of version {version}, which is deployed, {:.4} (AUROC {:.3})",
            candidate.log_loss, candidate.auroc, deployed.log_loss, deployed.auroc
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::metrics::Quality;

    fn version(objection: Option<&str>) -> Version {
        Version {
            version: 0,
            model: "linear".into(),
            trained_at_ms: 1,
            rows: 10,
            later_rows: 2,
            from_ms: None,
            to_ms: None,
            learned_to_ms: None,
            metrics: HashMap::from([("accuracy".to_owned(), 0.9)]),
            deployed_metrics: None,
            objection: objection.map(str::to_owned),
            sha256: String::new(),
            bytes: 0,
        }
    }

    fn classes(names: [&str; 2]) -> Classes {
        let example = |text: &str, intent: &str| crate::intent::classes::Example {
            text: text.into(),
            intent: intent.into(),
        };
        let examples: Vec<_> = (0..6)
            .flat_map(|i| {
                [example(&format!("yes {i}"), names[0]), example(&format!("no {i}"), names[1])]
            })
            .collect();
        let vectors: Vec<Vec<f32>> = examples
            .iter()
            .map(|row| if row.intent == names[0] { vec![1.0, 0.0] } else { vec![0.0, 1.0] })
            .collect();
        Classes::fit(&examples, &vectors, &[], 1, &mut |_, _| {}).unwrap()
    }

    #[test]
    fn versions_are_deployed_refused_swapped_and_rolled_back() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::new(directory.path(), "shop", Head::Classes);
        let live = Live::new(directory.path());
        live.refresh("shop").unwrap();
        assert!(live.classes("shop").is_none());
        assert!(registry.roll_back().unwrap_err().to_string().contains("nothing to roll back to"));

        let first = registry.add(&classes(["a", "b"]), version(None)).unwrap();
        let worse = registry.add(&classes(["c", "d"]), version(Some("it is worse"))).unwrap();
        registry.deploy(first.version, false).unwrap();
        live.refresh("shop").unwrap();
        let held = live.classes("shop").unwrap();
        let refused = registry.deploy(worse.version, false).unwrap_err().to_string();
        assert!(refused.contains("version 2 is not deployed: it is worse"), "{refused}");
        registry.deploy(worse.version, true).unwrap();
        live.refresh("shop").unwrap();
        assert_eq!(live.classes("shop").unwrap().model.names, ["c", "d"]);
        assert_eq!(
            held.model.names,
            ["a", "b"],
            "whoever was scoring ends with the model it began with"
        );
        assert!(live.classes("another").is_none());

        assert_eq!(registry.roll_back().unwrap().version, first.version);
        let missing = registry.deploy(9, true).unwrap_err().to_string();
        assert!(missing.contains("no version 9") && missing.contains("are 1, 2"), "{missing}");
    }

    #[test]
    fn changes_at_the_same_time_follow_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::new(directory.path(), "shop", Head::Classes);
        let kept = registry.add(&classes(["a", "b"]), version(None)).unwrap();
        // A crash left this one: it is no version, and in nobody's way.
        fs::write(registry.model_path(2), b"half").unwrap();

        let lock = registry.lock().unwrap().unwrap();
        let (begun, has_begun) = std::sync::mpsc::sync_channel(8);
        let training: Vec<_> = (0..8)
            .map(|_| {
                let (registry, begun) = (registry.clone(), begun.clone());
                std::thread::spawn(move || {
                    begun.send(()).unwrap();
                    registry.add(&classes(["a", "b"]), version(None)).unwrap().version
                })
            })
            .collect();
        has_begun.iter().take(8).for_each(drop);
        // Somebody deploys meanwhile, who read the manifest before any of them wrote it.
        let mut manifest = registry.manifest().unwrap();
        std::thread::yield_now();
        manifest.deployed = Some(kept.version);
        registry.save(&manifest).unwrap();
        drop(lock);

        let mut added: Vec<u32> =
            training.into_iter().map(|thread| thread.join().unwrap()).collect();
        added.sort_unstable();
        assert_eq!(added, (3..=10).collect::<Vec<_>>());
        let manifest = registry.manifest().unwrap();
        assert_eq!((manifest.deployed, manifest.versions.len()), (Some(kept.version), 9));
        for version in added {
            registry.load::<Classes>(version).unwrap();
        }
    }

    #[test]
    fn a_damaged_or_foreign_file_is_an_error_in_words() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::new(directory.path(), "shop", Head::Classes);
        let kept = registry.add(&classes(["a", "b"]), version(None)).unwrap();
        let path = registry.model_path(kept.version);
        let check = |bytes: &[u8], sha256: Option<&[u8]>, expected: &str| {
            fs::write(&path, bytes).unwrap();
            if let Some(of) = sha256 {
                let mut manifest = registry.manifest().unwrap();
                manifest.versions[0].sha256 = hex(&Sha256::digest(of));
                registry.save(&manifest).unwrap();
            }
            let error = registry.deploy(kept.version, false).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let whole = fs::read(&path).unwrap();
        check(&whole[..whole.len() / 2], None, "was changed since it was trained");
        check(&whole[..whole.len() / 2], Some(&whole[..whole.len() / 2]), "no model of Frontdesk");
        check(b"GGUF", Some(b"GGUF"), "its first line doesn't end");
        check(b"something\n{}", Some(b"something\n{}"), "its first line isn't");
        fs::write(registry.manifest_path(), b"{").unwrap();
        assert!(registry.manifest().unwrap_err().to_string().contains("is no manifest"));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_model_must_beat_the_mean_and_the_deployed_one() {
        let quality = |log_loss: f64, ece: f64| Quality {
            rows: 100,
            positives: 20,
            log_loss,
            ece,
            ..Quality::default()
        };
        let check = |candidate: Quality, deployed: Option<Quality>, expected: Option<&str>| {
            let found = objection(&candidate, deployed.as_ref().map(|quality| (4, quality)), 0.1);
            match expected {
                None => assert_eq!(found, None),
                Some(text) => {
                    assert!(found.as_deref().unwrap_or_default().contains(text), "{found:?}")
                }
            }
        };
        check(quality(0.3, 0.02), None, None);
        check(quality(0.3, 0.02), Some(quality(0.4, 0.02)), None);
        check(quality(0.4, 0.02), Some(quality(0.3, 0.02)), Some("version 4"));
        check(quality(0.6, 0.02), None, Some("always saying 20.0%"));
        check(quality(0.3, 0.2), None, Some("calibration error"));
        check(Quality { positives: 0, ..quality(0.0, 0.0) }, None, Some("one outcome"));
    }
}
