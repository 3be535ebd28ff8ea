//! axum's extractors, with errors in the shape that all of the API's have.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::error::{ApiError, too_large, unreadable};
use crate::protocol::ErrorCode;

/// Parts of the path.
pub(super) struct Path<T>(pub T);
/// What follows the question mark.
pub(super) struct Query<T>(pub T);
/// A JSON body.
pub(super) struct Sent<T>(pub T);
/// A body as it is.
pub(super) struct Raw(pub Bytes);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let taken = axum::extract::Path::from_request_parts(parts, state).await;
        taken.map(|axum::extract::Path(path)| Self(path)).map_err(|error| bad(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let taken = axum::extract::Query::from_request_parts(parts, state).await;
        taken.map(|axum::extract::Query(query)| Self(query)).map_err(|error| bad(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let taken = <axum::Json<T> as FromRequest<S>>::from_request(request, state).await;
        taken
            .map(|axum::Json(body)| Self(body))
            .map_err(|error| unreadable(&error, super::MAX_BODY))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let taken = <axum::Json<T> as OptionalFromRequest<S>>::from_request(request, state).await;
        taken
            .map(|body| body.map(|axum::Json(body)| Self(body)))
            .map_err(|error| unreadable(&error, super::MAX_BODY))
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let taken = Bytes::from_request(request, state).await;
        taken.map(Self).map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(super::MAX_BODY),
            _ => bad(error.body_text()),
        })
    }
}

fn bad(message: String) -> ApiError {
    ApiError::new(ErrorCode::BadMessage, message)
}
