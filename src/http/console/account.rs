//! An agent's own account: signing in and out, the password, the second factor, and the sign-ins
//! that there are.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use super::private;
use crate::agents::{AgentError, ChosenBy, Offered, SignedIn};
use crate::audit::Deed;
use crate::http::agent::{Begun, COOKIE, check_origin};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Sent};
use crate::http::routes::{Access, Table};
use crate::http::{App, deeds, header_text};
use crate::protocol::ErrorCode;
use crate::protocol::console::{
    BeginSecondFactor, ConfirmSecondFactor, Me, MySite, NewPassword, RecoveryCodes,
    RemoveSecondFactor, SecondFactorOffer, SignIn,
};
use crate::site::Answers;
use crate::turn::Mode;

pub(super) fn routes() -> Table {
    use Access::{Begun, Password, SignedIn};
    Table::default()
        .post("/v1/console/sign-in", Password, sign_in)
        .post("/v1/console/sign-out", Begun, sign_out)
        .get("/v1/console/me", Begun, me)
        .put("/v1/console/me/password", Begun, own_password)
        .post("/v1/console/me/second-factor", Begun, begin_second_factor)
        .put("/v1/console/me/second-factor", Begun, confirm_second_factor)
        .post("/v1/console/me/second-factor/remove", SignedIn, remove_second_factor)
        .get("/v1/console/me/sign-ins", SignedIn, sign_ins)
        .delete("/v1/console/me/sign-ins", SignedIn, end_other_sign_ins)
        .delete("/v1/console/me/sign-ins/{id}", SignedIn, end_sign_in)
}

fn me_of(app: &App, who: &SignedIn) -> Me {
    let known = app.sites.now();
    let sites = known.iter().filter_map(|site| {
        Some(MySite {
            id: site.id.clone(),
            name: site.facts().name,
            role: who.role(&site.id)?,
            language: site.language.clone(),
            suggest: site.answers == Answers::Suggest,
            auto_routing: app.console.auto_routing,
            rephrases: app.spine.mode == Mode::Generate,
        })
    });
    Me {
        agent: who.agent.clone().into(),
        csrf: who.csrf.clone(),
        expires_at_ms: who.expires_at_ms,
        needs: who.needs,
        second_factor: who.second_factor,
        sites: sites.collect(),
    }
}

async fn sign_in(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Sent(shown): Sent<SignIn>,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let address = app.proxies.client(peer, &headers);
    let browser = header_text(&headers, header::USER_AGENT).unwrap_or_default();
    let fresh = app.agents.sign_in(&shown, Some(address), browser).await.inspect_err(|error| {
        // Half of a sign-in is no failure.
        if matches!(error, AgentError::CodeRequired) {
            return;
        }
        app.metrics.sign_in_failures.inc();
        if !matches!(error, AgentError::Store(_)) {
            tracing::warn!(%address, %error, "a sign-in to the console was refused");
        }
    })?;
    let who = fresh.signed_in;
    tracing::info!(agent = who.agent.id, %address, "an agent signed in");
    let deed =
        Deed { who: format!("agent {}", who.agent.id), did: "sign in".into(), ..Deed::default() };
    deeds::note(&app, deed).await;
    let age_s = who.expires_at_ms.saturating_sub(app.spine.clock.now_ms()) / 1_000;
    let cookie = cookie_line(&fresh.token, age_s);
    Ok(private(([(header::SET_COOKIE, cookie)], Json(me_of(&app, &who)))))
}

pub(super) fn cookie_line(token: &str, age_s: u64) -> String {
    format!("{COOKIE}={token}; Path=/; Max-Age={age_s}; Secure; HttpOnly; SameSite=Strict")
}

async fn sign_out(State(app): State<App>, Begun(who): Begun) -> Result<Response, ApiError> {
    app.agents.sign_out(&who.key).await?;
    tracing::info!(agent = who.agent.id, "an agent signed out");
    Ok(private(([(header::SET_COOKIE, cookie_line("", 0))], StatusCode::NO_CONTENT)))
}

async fn me(State(app): State<App>, Begun(who): Begun) -> Result<Response, ApiError> {
    Ok(private(Json(me_of(&app, &who))))
}

async fn own_password(
    State(app): State<App>,
    Begun(who): Begun,
    Sent(NewPassword { current, password, temporary }): Sent<NewPassword>,
) -> Result<StatusCode, ApiError> {
    if temporary {
        let text = "`temporary` is for passwords that an operator sets";
        return Err(ApiError::new(ErrorCode::BadMessage, text));
    }
    let by = ChosenBy::Agent { current: &current.unwrap_or_default() };
    app.agents.set_password(&who.agent.id, by, password, Some(&who.key)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn begin_second_factor(
    State(app): State<App>,
    Begun(who): Begun,
    Sent(BeginSecondFactor { password }): Sent<BeginSecondFactor>,
) -> Result<Response, ApiError> {
    let Offered { secret, uri } = app.agents.offer_second_factor(&who.agent.id, &password).await?;
    let (qr_size, qr_path) = qr(&uri).ok_or_else(|| {
        ApiError::new(ErrorCode::BadMessage, "the login is too long for a QR code")
    })?;
    Ok(private(Json(SecondFactorOffer { secret, uri, qr_size, qr_path })))
}

/// A QR code: modules of a side, and its dark ones as an SVG path, a square each.
fn qr(text: &str) -> Option<(usize, String)> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let squares = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width, at / width));
    Some((width, squares.collect()))
}

async fn confirm_second_factor(
    State(app): State<App>,
    Begun(who): Begun,
    Sent(ConfirmSecondFactor { code }): Sent<ConfirmSecondFactor>,
) -> Result<Response, ApiError> {
    let codes = app.agents.confirm_second_factor(&who.agent.id, &code, Some(&who.key)).await?;
    tracing::info!(agent = who.agent.id, "an agent set up a second factor");
    Ok(private(Json(RecoveryCodes { recovery_codes: codes })))
}

async fn remove_second_factor(
    State(app): State<App>,
    Begun(who): Begun,
    Sent(RemoveSecondFactor { password, code }): Sent<RemoveSecondFactor>,
) -> Result<StatusCode, ApiError> {
    app.agents.remove_second_factor(&who.agent.id, &password, &code).await?;
    tracing::info!(agent = who.agent.id, "an agent removed the second factor");
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_ins(State(app): State<App>, Begun(who): Begun) -> Result<Response, ApiError> {
    Ok(private(Json(json!({ "sign_ins": app.agents.sign_ins(&who.agent.id, &who.key) }))))
}

async fn end_other_sign_ins(
    State(app): State<App>,
    Begun(who): Begun,
) -> Result<StatusCode, ApiError> {
    app.agents.end_sign_ins(&who.agent.id, Some(&who.key)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_sign_in(
    State(app): State<App>,
    Begun(who): Begun,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.agents.end_sign_in(&who.agent.id, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        let message = error.to_string();
        match error {
            AgentError::WrongCredentials | AgentError::WrongCode => {
                Self::new(ErrorCode::Unauthorized, message)
            }
            AgentError::Throttled { retry_after_ms } => {
                Self::new(ErrorCode::RateLimited, message).retry(retry_after_ms)
            }
            AgentError::Busy { retry_after_ms } => {
                Self::new(ErrorCode::Overloaded, message).retry(retry_after_ms)
            }
            AgentError::CodeRequired => Self::new(ErrorCode::CodeRequired, message),
            AgentError::NoSignIn => Self::new(ErrorCode::NotFound, message),
            AgentError::Unknown => Self::new(ErrorCode::UnknownAgent, message),
            AgentError::Taken(_) => Self::new(ErrorCode::Conflict, message),
            AgentError::Invalid(_) => Self::new(ErrorCode::BadMessage, message),
            AgentError::Elsewhere => Self::new(ErrorCode::Forbidden, message),
            AgentError::Store(error) => error.into(),
        }
    }
}
