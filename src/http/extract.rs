//! axum's extractors, with errors in the shape that all of the API's have.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::{ApiError, too_large, unknown_site, unreadable};
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
        taken.map(|axum::Json(body)| Self(body)).map_err(|error| unreadable(&error, super::MAX_BODY))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let taken = <axum::Json<T> as OptionalFromRequest<S>>::from_request(request, state).await;
        taken.map(|body| body.map(|axum::Json(body)| Self(body))).map_err(|error| unreadable(&error, super::MAX_BODY))
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

pub(super) fn allowed(app: &App, headers: &HeaderMap, scope: Scope, site: Option<&str>) -> Result<(), ApiError> {
    let shown = crate::http::header_text(headers, header::AUTHORIZATION);
    let key = app.keys.check(shown, scope, site).or_else(|| app.keys.check(shown, Scope::Admin, site));
    let Some(key) = key else {
        let text = "a key with this scope is needed as `Authorization: Bearer …`; data/admin.key holds the one made at the first start";
        return Err(ApiError::new(ErrorCode::Unauthorized, text));
    };
    if let Some(site) = site.filter(|site| app.site(site).is_none()) {
        return Err(unknown_site(site));
    }
    tracing::debug!(key = key.name, "an operator's key was used");
    Ok(())
}

/// Where a request comes from. A proxy on this machine says for whom it speaks; it appends, so the last address is its own word.
pub(super) fn address(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
    last.filter(|_| peer.ip().is_loopback()).unwrap_or(peer.ip())
}
