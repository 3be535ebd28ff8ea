//! What pages get to read of how a site's chat looks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::error::{ApiError, unknown_site};
use crate::http::extract::Path;
use crate::http::{App, header_text};
use crate::protocol::ErrorCode;
use crate::site::widget::LogoError;
use crate::site::{Answers, Site};

/// `GET /v1/sites/{site}/widget.json`: what the widget has to know of its site, for pages that may
/// connect.
pub(super) async fn settings(
    State(app): State<App>,
    headers: HeaderMap,
    Path(site): Path<String>,
) -> Response {
    let origin = header_text(&headers, header::ORIGIN).map(str::to_owned);
    let response = match allowed(&app, origin.as_deref(), &site) {
        Ok(site) => Json(public(&site)).into_response(),
        Err(error) => error.into_response(),
    };
    for_origin(origin.as_deref(), response, "no-cache")
}

/// `GET /v1/sites/{site}/logo`.
pub(super) async fn logo(
    State(app): State<App>,
    headers: HeaderMap,
    Path(site): Path<String>,
) -> Response {
    let origin = header_text(&headers, header::ORIGIN).map(str::to_owned);
    let response = match allowed(&app, origin.as_deref(), &site) {
        Ok(site) => read_logo(&site).await.unwrap_or_else(IntoResponse::into_response),
        Err(error) => error.into_response(),
    };
    for_origin(origin.as_deref(), response, "public, max-age=3600")
}

async fn read_logo(site: &Site) -> Result<Response, ApiError> {
    let (content_type, body) = site.widget.read_logo().await.map_err(|error| {
        if error == LogoError::Unreadable {
            tracing::warn!(site = site.id, "{error}");
        }
        ApiError::new(ErrorCode::UnknownSite, LogoError::None.to_string())
    })?;
    // Whoever opens the address itself gets a picture and no document.
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, body).into_response())
}

fn allowed(app: &App, origin: Option<&str>, id: &str) -> Result<Arc<Site>, ApiError> {
    let site = app.site(id).ok_or_else(|| unknown_site(id))?;
    if site.allows(origin, &app.own_origins) {
        return Ok(site);
    }
    let text = format!(
        "pages of {} may not show this site's chat; add the origin to the site's `origins`",
        origin.unwrap_or("nowhere")
    );
    Err(ApiError::new(ErrorCode::OriginRefused, text))
}

/// Also a refusal is readable by the page that asked: its console then says what to do.
fn for_origin(origin: Option<&str>, mut response: Response, cache: &'static str) -> Response {
    let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    set(header::VARY, HeaderValue::from_static("origin"));
    set(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

fn public(site: &Site) -> serde_json::Value {
    let widget = &site.widget;
    let title = if widget.title.is_empty() { site.facts().name } else { widget.title.clone() };
    json!({
        "site": site.id,
        "title": title,
        "contact": site.contact,
        "language": site.language,
        "accent": widget.accent,
        "theme": widget.theme,
        "position": widget.position,
        "launcher": widget.launcher,
        "logo": widget.logo.as_ref().map(|_| format!("/v1/sites/{}/logo", site.id)),
        "greeting": widget.greeting,
        "quick_replies": widget.quick_replies,
        "languages": widget.languages,
        "draft": widget.draft,
        "suggest": site.answers == Answers::Suggest,
        "privacy_url": widget.privacy_url,
        "link_hosts": widget.link_hosts,
        "translations": widget.translations,
        "proactive": widget.proactive,
    })
}
