//! Large bodies. They are read only once the request was found allowed, and those in memory have a
//! common limit: a body that finds no room is refused before it is read, and doesn't wait.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::error::ApiError;
use crate::protocol::ErrorCode;

/// Bytes of large bodies in memory at the same time; at least one of the largest always fits.
const MAX_HELD: usize = 128 * 1024 * 1024;
/// What room is counted in.
const UNIT: usize = 1024;
/// Longest time that a body may take to arrive: 64 MiB over 2 Mbit/s.
const MAX_TIME: Duration = Duration::from_secs(300);
const RETRY_MS: u64 = 2_000;

/// Room for large bodies. Cheap to clone.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

/// A body, which takes its room until it is dropped.
pub(super) struct Held {
    bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, and what holds their room: to be kept as long as they are.
    pub(super) fn parts(self) -> (Vec<u8>, OwnedSemaphorePermit) {
        (self.bytes, self.room)
    }
}

impl Room {
    /// Holds at least a body of `largest` bytes.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            MAX_HELD.max(largest).div_ceil(UNIT).min(Semaphore::MAX_PERMITS),
        )))
    }

    /// Reads a body of at most `limit` bytes; `option` names what sets the limit, where something
    /// does.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`], [`ErrorCode::Overloaded`] before anything is read,
    /// [`ErrorCode::TooSlow`], and [`ErrorCode::BadMessage`] if it breaks off.
    pub(super) async fn read(
        &self,
        body: Body,
        limit: usize,
        option: &str,
    ) -> Result<Held, ApiError> {
        let too_large = || {
            ApiError::new(
                ErrorCode::TooLarge,
                format!("a body may have {limit} bytes here{option}"),
            )
        };
        let told = body.size_hint().exact().map(|told| usize::try_from(told).unwrap_or(usize::MAX));
        if told.is_some_and(|told| told > limit) {
            return Err(too_large());
        }
        let units = told.unwrap_or(limit).div_ceil(UNIT);
        let room = u32::try_from(units)
            .ok()
            .and_then(|units| self.0.clone().try_acquire_many_owned(units).ok());
        let Some(room) = room else {
            let text = "other large bodies are being taken in; send it again in a moment";
            return Err(ApiError::new(ErrorCode::Overloaded, text).retry(RETRY_MS));
        };
        let read = async {
            let mut bytes = Vec::with_capacity(told.unwrap_or_default());
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                let broken = |_| {
                    ApiError::new(ErrorCode::BadMessage, "the body could not be read to its end")
                };
                let chunk = chunk.map_err(broken)?;
                if bytes.len() + chunk.len() > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        let slow = |_| {
            ApiError::new(
                ErrorCode::TooSlow,
                format!("a body has {} s to arrive", MAX_TIME.as_secs()),
            )
        };
        let bytes = tokio::time::timeout(MAX_TIME, read).await.map_err(slow)??;
        Ok(Held { bytes, room })
    }
}
