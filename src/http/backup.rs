//! A copy of the store while it is in use, for `frontdesk backup`, and the store written anew.
//! Keys, documents and models are files, which the command copies itself: no request of the network
//! names a path.

use std::io::{self, Write};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;

use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;
use crate::store::{Store, StoreError};

/// Where it is kept when the store was exported last, in seconds since the epoch. Local: another
/// machine's store knows nothing of it.
const LAST: (&str, &[u8]) = ("local:backup", b"last");
/// When to try again where another export runs.
const BUSY_MS: u64 = 30_000;
/// Pieces of an export that wait for a slow reader; each has up to [`PIECE`] bytes.
const PIECES: usize = 8;
const PIECE: usize = 64 * 1024;

pub(super) fn private() -> Table {
    const SERVER: Access = Access::Server(Scope::Admin);
    Table::default().get("/v1/store/export", SERVER, export).post(
        "/v1/store/compact",
        SERVER,
        compact,
    )
}

/// `GET /v1/store/export`: all that was acknowledged before the request, as `frontdesk import`
/// reads it. One that breaks off has no trailer, and is refused there.
async fn export(State(app): State<App>) -> Result<Response, ApiError> {
    let place = app.exporting.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(ErrorCode::Overloaded, "the store is being exported already; try again later")
            .retry(BUSY_MS)
    })?;
    let (pieces, mut sent) = mpsc::channel(PIECES);
    let (store, metrics, clock) = (app.store.clone(), app.metrics.clone(), app.spine.clock.clone());
    let last = pieces.clone();
    let exporting = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut writer = Pieces { pieces, held: Vec::with_capacity(PIECE) };
        let report = store.export(&mut writer, |_| {})?;
        writer.flush()?;
        Ok::<_, anyhow::Error>((report, store))
    });
    app.tasks.spawn("store export", async move {
        let failed = match exporting.await {
            Ok(Ok((report, store))) => {
                tracing::info!(records = report.records, bytes = report.bytes, "the store was exported");
                let at_s = clock.now_ms() / 1_000;
                // Before the response ends: who made the backup finds it in the metrics.
                metrics.last_backup.set(i64::try_from(at_s).unwrap_or(i64::MAX));
                // The export is whole all the same, and a full disk is a good time for a backup.
                if let Err(error) = keep_last(&store, at_s).await {
                    tracing::warn!(%error, "when the store was exported could not be noted; the next start won't know of it");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => format!("it crashed: {error}"),
        };
        tracing::error!(error = failed, "the store could not be exported");
        // Without this the response would end as if it were whole.
        let _ = last.send(Err(io::Error::other(failed))).await;
    });
    let body = async_stream::stream! {
        while let Some(piece) = sent.recv().await {
            yield piece;
        }
    };
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Notes when the store was exported, for `frontdesk_last_backup_timestamp_seconds`.
///
/// # Errors
/// When the store can't be written.
pub async fn keep_last(store: &Store, at_s: u64) -> Result<(), StoreError> {
    store.put(LAST.0, LAST.1, at_s.to_string().as_bytes()).await
}

/// When that was; 0 if it never was.
///
/// # Errors
/// When the store can't be read.
pub async fn last(store: &Store) -> Result<u64, StoreError> {
    let kept = store.get(LAST.0, LAST.1).await?;
    Ok(kept.and_then(|at_s| String::from_utf8(at_s).ok()?.parse().ok()).unwrap_or_default())
}

/// `POST /v1/store/compact`: writes the store anew without the bytes of what was erased. Messages
/// wait meanwhile.
async fn compact(State(app): State<App>) -> Result<StatusCode, ApiError> {
    let begun = std::time::Instant::now();
    app.store.compact().await?;
    tracing::info!(took_ms = begun.elapsed().as_millis(), "the store was compacted");
    Ok(StatusCode::NO_CONTENT)
}

/// Hands what is written on to a response.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    held: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.held));
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
