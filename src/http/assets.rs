//! The built files of `web/dist`, embedded in the binary: the widget that any allowed page may
//! load, and the demonstration shop.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::http::error;
use crate::http::extract::Path;
use crate::http::header_text;

/// Of pages that this server serves: nothing from anywhere else, nothing inline, and no string
/// becomes markup or script.
pub(super) const STRICT_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Long enough for a busy page, short enough that a new version of the widget is everywhere within
/// minutes.
const SHORT: &str = "public, max-age=300, stale-while-revalidate=600";
/// Of an address that names its content's hash.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
pub(super) const REVALIDATE: &str = "no-cache";

/// A built file. Hash and compressed form are made on first use.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    made: OnceLock<Made>,
}

struct Made {
    /// First 16 hexadecimal digits of the body's SHA-256, as `build.mjs` writes them into
    /// addresses.
    hash: String,
    gzip: Vec<u8>,
}

impl Asset {
    pub(super) const fn new(
        name: &'static str,
        content_type: &'static str,
        body: &'static [u8],
    ) -> Self {
        Self { name, content_type, body, made: OnceLock::new() }
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let digest = Sha256::digest(self.body);
            let hash = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            // Writing to memory doesn't fail; if it did, the plain body would be served.
            let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
            let gzip = gzip.write_all(self.body).and_then(|()| gzip.finish()).unwrap_or_default();
            Made { hash, gzip }
        })
    }

    /// The body, compressed if the browser takes that, or 304 if it has it.
    pub(super) fn answer(&self, headers: &HeaderMap, cache: &'static str) -> Response {
        let Made { hash, gzip } = self.made();
        // Weak: the same content comes in two encodings.
        let etag = format!("W/\"{hash}\"");
        let mut response = if header_text(headers, header::IF_NONE_MATCH)
            .is_some_and(|known| known.split(',').any(|one| one.trim() == etag))
        {
            StatusCode::NOT_MODIFIED.into_response()
        } else if !gzip.is_empty() && takes_gzip(headers) {
            ([(header::CONTENT_ENCODING, "gzip")], gzip.clone()).into_response()
        } else {
            self.body.into_response()
        };
        let shared: [(HeaderName, &'static str); 4] = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, cache),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::VARY, "accept-encoding"),
        ];
        for (name, value) in shared {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    header_text(headers, header::ACCEPT_ENCODING).is_some_and(|taken| {
        taken.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*")
                && !parts.any(|part| {
                    matches!(part.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
                })
        })
    })
}

macro_rules! built {
    ($name:literal, $content_type:literal) => {
        Asset::new($name, $content_type, include_bytes!(concat!("../../web/dist/", $name)))
    };
}

/// What a page loads first.
static LOADER: Asset = built!("widget.js", "text/javascript; charset=utf-8");
/// What the loader loads when the chat is opened, and languages other than English.
static PARTS: [Asset; 7] = [
    built!("widget-panel.js", "text/javascript; charset=utf-8"),
    built!("widget-ar.js", "text/javascript; charset=utf-8"),
    built!("widget-de.js", "text/javascript; charset=utf-8"),
    built!("widget-es.js", "text/javascript; charset=utf-8"),
    built!("widget-fr.js", "text/javascript; charset=utf-8"),
    built!("widget-ja.js", "text/javascript; charset=utf-8"),
    built!("widget-zh.js", "text/javascript; charset=utf-8"),
];
static DEMO: [Asset; 3] = [
    built!("widget-demo.html", "text/html; charset=utf-8"),
    built!("widget-demo.css", "text/css; charset=utf-8"),
    built!("widget-demo.js", "text/javascript; charset=utf-8"),
];

/// `GET /widget.js`: one script tag with this address and a site's id puts the chat on a page.
pub(super) async fn loader(headers: HeaderMap) -> Response {
    from_anywhere(LOADER.answer(&headers, SHORT))
}

/// `GET /widget/{part}`; with the content's hash as query it may be kept for good.
pub(super) async fn part(
    uri: axum::http::Uri,
    headers: HeaderMap,
    Path(part): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let name = format!("widget-{part}");
    let Some(asset) = PARTS.iter().find(|asset| asset.name == name) else {
        return error::not_found(uri).await;
    };
    let cache = if query.as_deref() == Some(&asset.made().hash) { IMMUTABLE } else { REVALIDATE };
    from_anywhere(asset.answer(&headers, cache))
}

/// `GET /demo`: a page of the sample shop with the widget on it, under as strict a policy as a page
/// can have.
pub(super) async fn demo(headers: HeaderMap) -> Response {
    with_policy(DEMO[0].answer(&headers, REVALIDATE))
}

pub(super) async fn demo_style(headers: HeaderMap) -> Response {
    DEMO[1].answer(&headers, REVALIDATE)
}

pub(super) async fn demo_script(headers: HeaderMap) -> Response {
    DEMO[2].answer(&headers, REVALIDATE)
}

/// The files hold no secret: any page may read them. Which pages may talk is decided by the site's
/// origins.
fn from_anywhere(mut response: Response) -> Response {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn with_policy(mut response: Response) -> Response {
    for (name, value) in
        [(header::CONTENT_SECURITY_POLICY, STRICT_CSP), (header::REFERRER_POLICY, "no-referrer")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn browsers_say_what_they_take() {
        for (taken, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("*", true),
            ("gzip; q=0, br", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(
                takes_gzip(&headers(&[(header::ACCEPT_ENCODING, taken)])),
                expected,
                "{taken}"
            );
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = loader(headers(&[(header::ACCEPT_ENCODING, "gzip")])).await;
        assert_eq!(
            (first.status(), &first.headers()[header::CONTENT_ENCODING]),
            (StatusCode::OK, &HeaderValue::from_static("gzip"))
        );
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = loader(headers(&[(header::IF_NONE_MATCH, &format!("\"x\", {etag}"))])).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            loader(headers(&[(header::IF_NONE_MATCH, "\"x\"")])).await.status(),
            StatusCode::OK
        );
    }

    #[tokio::test]
    async fn only_the_right_hash_is_kept_for_good() {
        let ask = |query: Option<String>| {
            part("/".parse().unwrap(), HeaderMap::new(), Path("panel.js".into()), RawQuery(query))
        };
        let hash = PARTS[0].made().hash.clone();
        assert_eq!(ask(Some(hash)).await.headers()[header::CACHE_CONTROL], IMMUTABLE);
        for other in [None, Some("0123456789abcdef".to_owned())] {
            assert_eq!(ask(other).await.headers()[header::CACHE_CONTROL], REVALIDATE);
        }
        let missing = part(
            "/".parse().unwrap(),
            HeaderMap::new(),
            Path("../config.toml".into()),
            RawQuery(None),
        )
        .await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    }
}
