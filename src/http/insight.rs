//! Reports of what came of conversations, and what a marketer sees.
//!
//! The page is one document for both listeners: on the admin listener it asks for a key, on the
//! public one the console's sign-in is the key, of admins of the site.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::assets::Asset;
use crate::http::auth::{Reach, Scope};
use crate::http::error::{ApiError, unknown_site};
use crate::http::extract::{Path, Query, Raw};
use crate::http::routes::{Access, Table};
use crate::http::{App, console_page};
use crate::insight::report::{self, Drill, Range};
use crate::outcomes::{self, OutcomeError, Report};
use crate::protocol::ErrorCode;

/// Reports of one request.
const MAX_REPORTS: usize = 1000;

/// `POST /v1/sites/{site}/outcomes`: signed by the site's server, or with a key of the scope
/// `outcomes`.
pub(super) async fn outcomes(
    State(app): State<App>,
    headers: HeaderMap,
    Path(site): Path<String>,
    Raw(body): Raw,
) -> Result<Response, ApiError> {
    let known = app.site(&site).ok_or_else(|| unknown_site(&site))?;
    let now_ms = app.spine.clock.now_ms();
    let shown = super::header_text(&headers, header::AUTHORIZATION);
    let key = [Scope::Outcomes, Scope::Admin]
        .into_iter()
        .any(|scope| app.keys.check(shown, scope, Reach::Site(&site)).is_some());
    if !key {
        let signature = headers.get("frontdesk-signature").and_then(|value| value.to_str().ok());
        let verdict = match (&known.outcomes_secret, signature) {
            (Some(secret), Some(signature)) => outcomes::verify(secret, signature, &body, now_ms),
            (None, Some(_)) => Err("the site has no outcomes_secret to check a signature with"),
            (_, None) => Err(
                "show a key of the scope `outcomes` as `Authorization: Bearer …`, or sign the body; see docs/signals.md",
            ),
        };
        verdict.map_err(|reason| ApiError::new(ErrorCode::Unauthorized, reason))?;
    }
    let bad = |text: String| ApiError::new(ErrorCode::BadMessage, text);
    let values = match serde_json::from_slice(&body) {
        Ok(Value::Array(values)) => values,
        Ok(value @ Value::Object(_)) => vec![value],
        Ok(_) => return Err(bad("the body is neither a report nor a list of reports".into())),
        Err(error) => return Err(bad(format!("the body is no JSON: {error}"))),
    };
    if values.len() > MAX_REPORTS {
        return Err(bad(format!("{} reports at once; send at most {MAX_REPORTS}", values.len())));
    }
    // One that is none costs itself, not the others.
    let reports: Vec<Result<Report, String>> = values
        .into_iter()
        .map(|value| serde_json::from_value(value).map_err(|error| error.to_string()))
        .collect();
    let sound = reports.iter().filter_map(|report| report.as_ref().ok().cloned()).collect();
    let mut taken = app.outcomes.take(&site, sound, now_ms).await?.into_iter();
    let mut results = Vec::with_capacity(reports.len());
    for report in reports {
        let refused = |reason: String| json!({ "result": "refused", "reason": reason });
        results.push(match report.map(|_| taken.next()) {
            Err(reason) => refused(reason),
            Ok(Some(Ok(taken))) => json!({ "result": taken }),
            Ok(Some(Err(OutcomeError::Store(error)))) => return Err(error.into()),
            Ok(Some(Err(error))) => refused(error.to_string()),
            Ok(None) => refused("it was not taken".into()),
        });
    }
    Ok(Json(json!({ "outcomes": results })).into_response())
}

/// Lines of one list.
const MAX_LINES: usize = 200;
/// `GET /v1/insight/sites`: the sites that the shown key is good for.
pub(super) async fn sites(State(app): State<App>, headers: HeaderMap) -> Response {
    let shown = super::header_text(&headers, header::AUTHORIZATION);
    let known = app.sites.now();
    let mine = known
        .iter()
        .filter(|site| app.keys.check(shown, Scope::Admin, Reach::Site(&site.id)).is_some());
    let sites: Vec<_> =
        mine.map(|site| json!({ "id": site.id, "name": site.facts().name })).collect();
    Json(json!({ "sites": sites })).into_response()
}

/// `GET /v1/sites/{site}/insight?from_ms=&to_ms=`: everything the page shows, from the store as it
/// is now.
pub(super) async fn report(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(range): Query<Range>,
) -> Result<Response, ApiError> {
    report_of(&app, &site, range).await
}

/// The report, for who may see it.
pub(super) async fn report_of(app: &App, site: &str, range: Range) -> Result<Response, ApiError> {
    let entries = report::within(&app.insight.book.read(site).await?, range);
    let catalogue = app.insight.catalogue(site);
    let deployed = app.intents.purchase(site);
    let scorer = report::Scorer {
        version: deployed
            .as_ref()
            .map(|known| (known.version.version, known.version.model.clone())),
        learned_until_ms: deployed.as_ref().map_or(0, |known| known.version.learned_until_ms()),
        warnings: app.intents.watch(site).map(|watch| watch.warnings.clone()).unwrap_or_default(),
    };
    // Aggregating thousands of sessions takes a while; it must not hold up the threads that serve
    // visitors.
    let made =
        tokio::task::spawn_blocking(move || report::report(&entries, &catalogue, &scorer)).await;
    made.map(|report| Json(report).into_response()).map_err(|_| failed())
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    #[serde(default)]
    from_ms: Option<u64>,
    #[serde(default)]
    to_ms: Option<u64>,
    session: Option<String>,
    topic: Option<String>,
    class: Option<String>,
    product: Option<String>,
    category: Option<String>,
    campaign: Option<String>,
    stage: Option<String>,
    segment: Option<usize>,
    score_from: Option<f32>,
    score_to: Option<f32>,
    converted: Option<bool>,
}

/// `GET /v1/sites/{site}/insight/sessions`: the conversations that a part of a plot stands for, the
/// newest first, at most 200.
pub(super) async fn sessions(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(lines): Query<Lines>,
) -> Result<Response, ApiError> {
    sessions_of(&app, &site, lines).await
}

/// The lines, for who may see them.
pub(super) async fn sessions_of(app: &App, site: &str, lines: Lines) -> Result<Response, ApiError> {
    let Lines {
        from_ms,
        to_ms,
        session,
        topic,
        class,
        product,
        category,
        campaign,
        stage,
        segment,
        score_from,
        score_to,
        converted,
    } = lines;
    let range = Range { from_ms: from_ms.unwrap_or(0), to_ms: to_ms.unwrap_or(u64::MAX) };
    let drill = Drill {
        session,
        topic,
        class,
        product,
        category,
        campaign,
        stage,
        segment,
        score_from,
        score_to,
        converted,
    };
    let entries = report::within(&app.insight.book.read(site).await?, range);
    let catalogue = app.insight.catalogue(site);
    let made =
        tokio::task::spawn_blocking(move || report::drill(&entries, &drill, &catalogue, MAX_LINES))
            .await;
    made.map(|sessions| Json(json!({ "sessions": sessions })).into_response()).map_err(|_| failed())
}

fn failed() -> ApiError {
    tracing::error!("the insight report failed");
    ApiError::new(ErrorCode::AnswerFailed, "the report could not be made; the log says why")
}

static PAGE: Asset = Asset::new(
    "insight.html",
    "text/html; charset=utf-8",
    include_bytes!("../../web/dist/insight.html"),
);
static STYLE: Asset = Asset::new(
    "insight.css",
    "text/css; charset=utf-8",
    include_bytes!("../../web/dist/insight.css"),
);
static SCRIPT: Asset = Asset::new(
    "insight.js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../web/dist/insight.js"),
);

/// The page and its parts, on either listener. It holds nothing that isn't public: what it shows is
/// asked for.
pub(super) fn page_routes() -> Table {
    let part = |asset: &'static Asset| {
        async move |headers: HeaderMap| console_page::answer(asset, &headers)
    };
    Table::default()
        .get("/console/insight", Access::Anyone, part(&PAGE))
        .get("/console/insight.css", Access::Anyone, part(&STYLE))
        .get("/console/insight.js", Access::Anyone, part(&SCRIPT))
}
