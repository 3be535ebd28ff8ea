//! The console's page: one document for all of its addresses, its script and its style sheet, embedded in the binary.

use std::sync::OnceLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use crate::http::{App, header_text};

/// Nothing from anywhere else, nothing inline, and no string becomes markup or script. The icon is a `data:` picture.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                   require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of `web/dist`.
struct File {
    content_type: &'static str,
    body: &'static [u8],
    etag: OnceLock<String>,
}

impl File {
    const fn new(content_type: &'static str, body: &'static [u8]) -> Self {
        Self { content_type, body, etag: OnceLock::new() }
    }

    /// The file, or 304 if the browser has it. A new version of the server is seen with the next load of the page.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let etag = self.etag.get_or_init(|| {
            let digest = Sha256::digest(self.body);
            format!("\"{}\"", digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
        });
        let known = header_text(headers, header::IF_NONE_MATCH).is_some_and(|known| known == etag);
        let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { self.body.into_response() };
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            (header::CONTENT_SECURITY_POLICY, CSP),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-cache"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if let Ok(etag) = HeaderValue::from_str(etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

static PAGE: File = File::new("text/html; charset=utf-8", include_bytes!("../../web/dist/console.html"));
static SCRIPT: File = File::new("text/javascript; charset=utf-8", include_bytes!("../../web/dist/console.js"));
static STYLE: File = File::new("text/css; charset=utf-8", include_bytes!("../../web/dist/console.css"));

/// The page's addresses. What a path after `/console/` means is the page's own business; it asks for a sign-in itself, and holds
/// nothing that isn't public.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/console", get(page))
        .route("/console/", get(page))
        .route("/console/console.js", get(script))
        .route("/console/console.css", get(style))
        .route("/console/{section}", get(page))
        .route("/console/c/{session}", get(page))
}

async fn page(headers: HeaderMap) -> Response {
    PAGE.answer(&headers)
}

async fn script(headers: HeaderMap) -> Response {
    SCRIPT.answer(&headers)
}

async fn style(headers: HeaderMap) -> Response {
    STYLE.answer(&headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_nothing_inline() {
        let page = std::str::from_utf8(PAGE.body).unwrap();
        for forbidden in ["<style", " style=", " onload=", "javascript:", "http://", "https://"] {
            let found = page.replace("http://www.w3.org/2000/svg", "").contains(forbidden);
            assert!(!found, "{forbidden}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = page(HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert!(first.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(page(headers).await.status(), StatusCode::NOT_MODIFIED);
    }
}
