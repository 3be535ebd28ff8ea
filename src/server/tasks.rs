//! What a running server does by itself, until it drains.

use std::time::Duration;

use crate::http::App;
use crate::lifecycle::Tasks;
use crate::retrieval::reranker::Reranker;
use crate::session::registry::Registry;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turn::Mode;

/// Hours between looking for sessions that expired.
const SWEEP: Duration = Duration::from_secs(3600);
/// Between two looks how full the disk is.
const ROOM: Duration = Duration::from_secs(5);
/// Between two looks for newly deployed intent models.
const INTENTS: Duration = Duration::from_secs(3);
/// Between two requests to a remote model whose last one failed.
const PROBE: Duration = Duration::from_secs(20);

/// Looks how full the disk is.
pub(super) async fn look_for_room(store: Store, metrics: Metrics, tasks: Tasks) {
    loop {
        if let Ok(free) = store.look_for_room() {
            metrics.disk_free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(ROOM) => {}
        }
    }
}

pub(super) async fn sweep(registry: Registry, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        match registry.sweep().await {
            Ok((ended, erased)) => {
                tracing::info!(ended, erased, "looked for sessions that expired")
            }
            Err(error) => tracing::error!(%error, "could not look for sessions that expired"),
        }
    }
}

/// Takes in models that `frontdesk intent deploy` deployed meanwhile.
pub(super) async fn follow_intents(app: App) {
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(INTENTS) => refresh_intents(&app).await,
        }
    }
}

/// A model that can't be read is reported once and the one before stays in use: conversations don't
/// wait for it.
pub(super) async fn refresh_intents(app: &App) {
    for site in app.sites.now().iter() {
        let (live, id) = (app.intents.clone(), site.id.clone());
        match tokio::task::spawn_blocking(move || live.refresh(&id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(site = site.id, %error, "a deployed intent model can't be used")
            }
            Err(error) => {
                tracing::error!(site = site.id, %error, "looking for intent models crashed")
            }
        }
    }
}

/// Ends the process when a part without which there are no answers died.
pub(super) async fn watch(app: App) {
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        for (what, health) in [
            ("store", app.store.health()),
            ("language model", app.spine.llm.health().map_err(|error| error.to_string())),
            (
                "embedding model",
                app.spine.retrieval.embedder.health().map_err(|error| error.to_string()),
            ),
            (
                "reranker",
                app.spine
                    .reranker
                    .as_ref()
                    .map_or(Ok(()), Reranker::health)
                    .map_err(|error| error.to_string()),
            ),
            (
                "multilingual model",
                app.spine.retrieval.second_health().map_err(|error| error.to_string()),
            ),
            (
                "knowledge index",
                app.spine.retrieval.index.alive().map_err(|error| error.to_string()),
            ),
        ] {
            if let Err(error) = health {
                tracing::error!(what, error, "a part failed");
                app.tasks.fail(what);
                return;
            }
        }
    }
}

/// Learns that a remote model is gone, or back, when no visitor asks.
pub(super) async fn probe(app: App) {
    if app.spine.mode != Mode::Generate {
        return;
    }
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = app.spine.llm.probe() => {}
        }
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(PROBE) => {}
        }
    }
}
