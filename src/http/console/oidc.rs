//! Signing in at the issuer: a browser leaves for it, and comes back with a code. Both are
//! navigations, so every end is a redirect to the console's page, which says in words what went
//! wrong. No address of a redirect comes from the request.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;

use super::account::cookie_line;
use super::private;
use crate::agents::oidc::{
    Arrived, Departure, IssuerError, JOURNEY_MS, Oidc, OidcError, Person, Wanted,
};
use crate::agents::{Admitted, AgentError, Refused, Way};
use crate::audit::Deed;
use crate::http::agent::cookie_of;
use crate::http::extract::Query;
use crate::http::routes::{Access, Table};
use crate::http::{App, deeds, header_text};
use crate::protocol::console::{OidcProblem, WaysIn};

/// Where the issuer sends browsers back to.
pub const CALLBACK: &str = "/v1/console/oidc/callback";
/// The cookie that a browser comes back with. Unlike a sign-in's it must come along from a page of
/// another origin; it is good for nothing else.
const JOURNEY_COOKIE: &str = "__Host-frontdesk-oidc";

pub(super) fn routes() -> Table {
    Table::default()
        .get("/v1/console/sign-in", Access::Anyone, ways)
        .get("/v1/console/oidc/sign-in", Access::Anyone, depart)
        .get(CALLBACK, Access::Issuer, arrive)
}

async fn ways(State(app): State<App>) -> Response {
    let oidc = app.oidc.as_ref().map(|oidc| oidc.name().to_owned());
    private(Json(WaysIn { oidc }))
}

/// The query of `GET /v1/console/oidc/sign-in`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Leaving {
    /// `insight` for the insight page; else the console.
    to: Option<String>,
}

async fn depart(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(Leaving { to }): Query<Leaving>,
) -> Response {
    let Some(oidc) = &app.oidc else { return told(OidcProblem::Off) };
    let wanted = if to.as_deref() == Some("insight") { Wanted::Insight } else { Wanted::Console };
    match oidc.depart(app.proxies.client(peer, &headers), wanted).await {
        Ok(Departure { url, browser }) => {
            let age_s = JOURNEY_MS / 1_000;
            redirect(&url, &[journey_cookie(&browser, age_s)])
        }
        Err(error) => {
            tracing::error!(%error, "nobody can leave for the issuer of [oidc]");
            told(issuer_problem(&error))
        }
    }
}

/// The query that the issuer sends a browser back with; issuers add fields of their own.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(in crate::http) struct Back {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
}

async fn arrive(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let Some(oidc) = &app.oidc else { return told(OidcProblem::Off) };
    let address = app.proxies.client(peer, &headers);
    let Ok(arrival) = app.agents.arrival(address) else { return told(OidcProblem::TooMany) };
    let arrived = Arrived {
        state: &back.state,
        code: back.code.as_deref(),
        error: back.error.as_deref(),
        issuer: back.iss.as_deref(),
    };
    let browser = cookie_of(&headers, JOURNEY_COOKIE);
    let (person, wanted) = match oidc.arrive(&arrived, browser).await {
        Ok(arrived) => arrived,
        Err(error) => {
            if matches!(error, OidcError::Issuer(IssuerError::Unreachable(_))) {
                app.agents.forgive(arrival);
            }
            return not_known(&app, address, &error).await;
        }
    };
    let agent = header_text(&headers, header::USER_AGENT).unwrap_or_default();
    match app.agents.admit(&person, oidc.config(), address, agent).await {
        Ok(admitted) => {
            app.agents.forgive(arrival);
            let_in(&app, address, &person, admitted, wanted).await
        }
        Err(refused) => not_let_in(&app, oidc, &person, &refused).await,
    }
}

async fn let_in(
    app: &App,
    address: IpAddr,
    person: &Person,
    Admitted { fresh, way }: Admitted,
    wanted: Wanted,
) -> Response {
    let who = fresh.signed_in;
    tracing::info!(agent = who.agent.id, %address, ?way, "an agent signed in at the issuer");
    let agent = format!("agent {}", who.agent.id);
    let first = match way {
        Way::Known => None,
        Way::Bound => Some("link account to a person at the issuer"),
        Way::Made => Some("make account for a person at the issuer"),
    };
    for did in first.into_iter().chain(["sign in at the issuer"]) {
        let to = vec![("person".to_owned(), person.key.clone())];
        deeds::note(app, Deed { who: agent.clone(), did: did.into(), to, status: None }).await;
    }
    let page = match wanted {
        Wanted::Console => "/console",
        Wanted::Insight => "/console?to=insight",
    };
    let age_s = who.expires_at_ms.saturating_sub(app.spine.clock.now_ms()) / 1_000;
    redirect(page, &[cookie_line(&fresh.token, age_s), journey_cookie("", 0)])
}

/// Whoever came showed nothing that can be believed.
async fn not_known(app: &App, address: IpAddr, error: &OidcError) -> Response {
    let problem = match error {
        OidcError::Issuer(error) => issuer_problem(error),
        OidcError::Declined(_) => OidcProblem::Declined,
        OidcError::Stale => OidcProblem::Stale,
        OidcError::Unsigned(_) | OidcError::Wrong(_) | OidcError::OtherIssuer => {
            OidcProblem::BadToken
        }
    };
    app.metrics.sign_in_failures.inc();
    tracing::warn!(%address, %error, "a sign-in at the issuer led nowhere");
    if problem == OidcProblem::BadToken {
        note_failure(app, "nobody".into(), problem).await;
    }
    // The cookie may be that of another tab, whose sign-in is still under way.
    if problem == OidcProblem::Stale { told(problem) } else { ended(problem) }
}

/// The issuer vouches for a person who has no business here.
async fn not_let_in(app: &App, oidc: &Oidc, person: &Person, refused: &Refused) -> Response {
    let problem = match refused {
        Refused::NotAllowed => OidcProblem::NotAllowed,
        Refused::Unverified => OidcProblem::Unverified,
        Refused::Unknown => OidcProblem::Unknown,
        Refused::Removed => OidcProblem::Removed,
        Refused::Bound => OidcProblem::Bound,
        Refused::OneFactor => OidcProblem::SecondFactor,
        Refused::LoginTaken => OidcProblem::LoginTaken,
        Refused::Failed(AgentError::Throttled { .. } | AgentError::Busy { .. }) => {
            OidcProblem::TooMany
        }
        Refused::Failed(_) => OidcProblem::Failed,
    };
    app.metrics.sign_in_failures.inc();
    let issuer = oidc.config().issuer.as_str();
    tracing::warn!(issuer, error = %refused, "a person of the issuer's was not let in");
    note_failure(app, format!("person {}", person.key), problem).await;
    ended(problem)
}

async fn note_failure(app: &App, who: String, problem: OidcProblem) {
    let to = vec![("refused".to_owned(), code(problem))];
    let status = Some(StatusCode::FORBIDDEN.as_u16());
    deeds::note(app, Deed { who, did: "sign in at the issuer".into(), to, status }).await;
}

fn issuer_problem(error: &IssuerError) -> OidcProblem {
    match error {
        IssuerError::Unreachable(_) => OidcProblem::Unreachable,
        IssuerError::Misconfigured(_) => OidcProblem::Misconfigured,
        IssuerError::Code => OidcProblem::Stale,
    }
}

/// A problem as the protocol names it.
fn code(problem: OidcProblem) -> String {
    let code = serde_json::to_value(problem).ok();
    code.as_ref().and_then(|code| code.as_str()).unwrap_or_default().to_owned()
}

/// Says on the console's page what went wrong.
fn told(problem: OidcProblem) -> Response {
    redirect(&format!("/console?oidc={}", code(problem)), &[])
}

/// The same at the end of a journey.
fn ended(problem: OidcProblem) -> Response {
    redirect(&format!("/console?oidc={}", code(problem)), &[journey_cookie("", 0)])
}

fn redirect(to: &str, cookies: &[String]) -> Response {
    let cookies = AppendHeaders(cookies.iter().map(|line| (header::SET_COOKIE, line.clone())));
    // The address that a browser comes back with has the code in it.
    let headers = [(header::LOCATION, to), (header::REFERRER_POLICY, "no-referrer")];
    private((StatusCode::SEE_OTHER, headers, cookies).into_response())
}

fn journey_cookie(browser: &str, age_s: u64) -> String {
    format!("{JOURNEY_COOKIE}={browser}; Path=/; Max-Age={age_s}; Secure; HttpOnly; SameSite=Lax")
}
