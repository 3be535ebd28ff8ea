//! A copy of the store while it is in use, for `frontdesk backup`, and the store written anew. Keys, documents and models are files, which the command copies
//! itself: no request of the network names a path.

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

/// Pieces of an export that wait for a slow reader; each has up to [`PIECE`] bytes.
const PIECES: usize = 8;
const PIECE: usize = 64 * 1024;

pub(super) fn private() -> Table {
    const SERVER: Access = Access::Server(Scope::Admin);
    Table::default().get("/v1/store/export", SERVER, export).post("/v1/store/compact", SERVER, compact)
}

/// `GET /v1/store/export`: all that was acknowledged before the request, as `frontdesk import` reads it. One that breaks off has no
/// trailer, and is refused there.
async fn export(State(app): State<App>) -> Result<Response, ApiError> {
    let (pieces, mut sent) = mpsc::channel(PIECES);
    let (store, metrics, clock) = (app.store.clone(), app.metrics.clone(), app.spine.clock.clone());
    let exporting = tokio::task::spawn_blocking(move || {
        let mut writer = Pieces { pieces, held: Vec::with_capacity(PIECE) };
        let report = store.export(&mut writer, |_| {})?;
        writer.flush()?;
        // Before the response ends: who made the backup finds it in the metrics.
        metrics.last_backup.set(i64::try_from(clock.now_ms() / 1_000).unwrap_or(i64::MAX));
        Ok::<_, anyhow::Error>(report)
    });
    app.tasks.spawn("store export", async move {
        match exporting.await {
            Ok(Ok(report)) => {
                tracing::info!(records = report.records, bytes = report.bytes, "the store was exported");
            }
            Ok(Err(error)) => tracing::error!(%error, "the store could not be exported"),
            Err(error) => tracing::error!(%error, "the export of the store crashed"),
        }
    });
    let body = async_stream::stream! {
        while let Some(piece) = sent.recv().await {
            yield Ok::<Bytes, io::Error>(piece);
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// `POST /v1/store/compact`: writes the store anew without the bytes of what was erased. Messages wait meanwhile.
async fn compact(State(app): State<App>) -> Result<StatusCode, ApiError> {
    let begun = std::time::Instant::now();
    app.store.compact().await?;
    tracing::info!(took_ms = begun.elapsed().as_millis(), "the store was compacted");
    Ok(StatusCode::NO_CONTENT)
}

/// Hands what is written on to a response.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
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
        self.pieces.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
