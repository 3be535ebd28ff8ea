//! Scores running conversations by the deployed models, after every signal and off the answer path:
//! what is scored is the log as it is on disk, so that a score is what training would see.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;

use super::book::Book;
use crate::clock::Clock;
use crate::conversation::SessionKey;
use crate::intent::registry::{IntentConfig, Live};
use crate::intent::round;
use crate::intent::watch::{Notice, Warning};
use crate::lifecycle::Tasks;
use crate::session::registry::Registry;
use crate::telemetry::{Metrics, SiteLabels};

/// Sessions that may wait to be scored. One that finds no room is scored with its next signal.
pub const QUEUE: usize = 4096;
/// Between two looks for a model that was deployed or rolled back: open conversations are scored
/// anew then.
const VERSIONS: Duration = Duration::from_secs(1);
/// Conversations that a look at drift and calibration reads, the newest.
pub const WATCHED: usize = 2_000;

/// What the tasks need.
#[derive(Clone)]
pub struct Parts {
    pub book: Book,
    pub models: Live,
    pub sessions: Registry,
    pub sites: Vec<String>,
    pub config: IntentConfig,
    pub metrics: Metrics,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// Scores the sessions that come over the queue, and all open ones when another model is deployed.
pub async fn run(parts: Parts, mut queue: mpsc::Receiver<SessionKey>) {
    let mut versions: HashMap<String, u32> = HashMap::new();
    let mut look = tokio::time::interval(VERSIONS);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut due: HashSet<SessionKey> = HashSet::new();
        tokio::select! {
            () = parts.tasks.draining() => return,
            key = queue.recv() => {
                let Some(key) = key else { return };
                due.insert(key);
                // What came several times meanwhile is scored once.
                while let Ok(key) = queue.try_recv() {
                    due.insert(key);
                }
                due.retain(|key| parts.models.purchase(&key.site).is_some());
            }
            _ = look.tick() => {
                for site in &parts.sites {
                    let now = parts.models.purchase(site).map(|deployed| deployed.version.version);
                    if versions.get(site).copied() != now {
                        due.extend(parts.sessions.open_sessions(site));
                        match now {
                            Some(version) => versions.insert(site.clone(), version),
                            None => versions.remove(site),
                        };
                    }
                }
            }
        }
        for key in due {
            match parts.book.intent(&key, None).await {
                Ok(intent) => parts.sessions.scored(&key, intent),
                Err(error) => {
                    tracing::warn!(site = key.site, %error, "a session could not be scored")
                }
            }
        }
    }
}

/// Looks from time to time at how the deployed models do on new conversations. A warning is logged
/// when it is new, counted in the metrics, and stands on the insight page.
pub async fn watch(parts: Parts) {
    let pause = Duration::from_secs(parts.config.watch_min.max(1).saturating_mul(60));
    let mut told: HashMap<String, Vec<Notice<Warning>>> = HashMap::new();
    let mut versions: HashMap<String, u32> = HashMap::new();
    let mut last = tokio::time::Instant::now();
    loop {
        for site in &parts.sites {
            let Some(deployed) = parts.models.purchase(site) else { continue };
            // A model that was just deployed is looked at without waiting.
            let known = versions.insert(site.clone(), deployed.version.version)
                == Some(deployed.version.version);
            if known && last.elapsed() < pause {
                continue;
            }
            match look(&parts, site).await {
                Ok(warnings) => {
                    let before = told.insert(site.clone(), warnings.clone()).unwrap_or_default();
                    for warning in warnings.iter().filter(|warning| !before.contains(warning)) {
                        tracing::warn!(site, %warning, "the purchase model in use needs a look");
                    }
                }
                Err(error) => {
                    tracing::warn!(site, error = %format!("{error:#}"), "the purchase model could not be looked at")
                }
            }
        }
        if last.elapsed() >= pause {
            last = tokio::time::Instant::now();
        }
        tokio::select! {
            () = parts.tasks.draining() => return,
            () = tokio::time::sleep(VERSIONS) => {}
        }
    }
}

/// One look; gives the warnings, and keeps what was seen where [`Live::watch`] finds it.
///
/// # Errors
/// When the store can't be read or the model can't compute.
pub async fn look(parts: &Parts, site: &str) -> anyhow::Result<Vec<Notice<Warning>>> {
    let Some(deployed) = parts.models.purchase(site) else { return Ok(Vec::new()) };
    let tracks = parts
        .book
        .tracks(site, WATCHED)
        .await?
        .into_iter()
        .map(|(_, track)| track)
        .collect::<Vec<_>>();
    let (config, now_ms) = (parts.config.clone(), parts.clock.now_ms());
    let seen = tokio::task::spawn_blocking(move || {
        round::watch(&config, &deployed.version, &deployed.model, &tracks, now_ms)
    });
    let seen = seen.await??;
    let labels = SiteLabels { site: site.to_owned() };
    let largest = seen.drift.first().map_or(0.0, |(_, index)| *index);
    parts.metrics.intent_drift.get_or_create(&labels).set(largest);
    if let Some(quality) = &seen.quality {
        parts.metrics.intent_calibration_error.get_or_create(&labels).set(quality.ece);
    }
    let warnings = seen.warnings.clone();
    parts
        .metrics
        .intent_warnings
        .get_or_create(&labels)
        .set(i64::try_from(warnings.len()).unwrap_or(i64::MAX));
    parts.models.note_watch(site, seen);
    Ok(warnings)
}
