//! The console's page: one document for all of its addresses, its script and its style sheet,
//! embedded in the binary.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::http::assets::{Asset, REVALIDATE};
use crate::http::routes::{Access, Table};

/// Nothing from anywhere else, nothing inline, and no string becomes markup or script. The icon is
/// a `data:` picture.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                   require-trusted-types-for 'script'; trusted-types 'none'";

static PAGE: Asset = Asset::new(
    "console.html",
    "text/html; charset=utf-8",
    include_bytes!("../../web/dist/console.html"),
);
static SCRIPT: Asset = Asset::new(
    "console.js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../web/dist/console.js"),
);
static STYLE: Asset = Asset::new(
    "console.css",
    "text/css; charset=utf-8",
    include_bytes!("../../web/dist/console.css"),
);

/// The page's addresses. What a path after `/console/` means is the page's own business; it asks
/// for a sign-in itself, and holds nothing that isn't public.
pub(super) fn routes() -> Table {
    Table::default()
        .get("/console", Access::Anyone, page)
        .get("/console/", Access::Anyone, page)
        .get("/console/console.js", Access::Anyone, script)
        .get("/console/console.css", Access::Anyone, style)
        .get("/console/{section}", Access::Anyone, page)
        .get("/console/c/{session}", Access::Anyone, page)
}

async fn page(headers: HeaderMap) -> Response {
    answer(&PAGE, &headers)
}

async fn script(headers: HeaderMap) -> Response {
    answer(&SCRIPT, &headers)
}

async fn style(headers: HeaderMap) -> Response {
    answer(&STYLE, &headers)
}

/// A new version of the server is seen with the next load of the page.
pub(super) fn answer(asset: &Asset, headers: &HeaderMap) -> Response {
    let mut response = asset.answer(headers, REVALIDATE);
    for (name, value) in
        [(header::CONTENT_SECURITY_POLICY, CSP), (header::REFERRER_POLICY, "no-referrer")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
        let page = page(HeaderMap::new()).await;
        assert!(
            page.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        let body = axum::body::to_bytes(page.into_body(), 64 * 1024).await.unwrap();
        let page = std::str::from_utf8(&body).unwrap().replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["<style", " style=", " onload=", "javascript:", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=\"/console/").count()
        );
    }
}
