//! Who is signed in to the console, and what they may do where.
//!
//! A sign-in is a `__Host-` cookie. Pages of other origins are refused on every path, and what
//! changes something needs the sign-in's CSRF token besides.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

use crate::agents::SignedIn;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::http::{App, header_text};
use crate::protocol::ErrorCode;
use crate::protocol::console::{Need, Role};

/// The cookie of a sign-in. Browsers take a `__Host-` cookie only with `Secure`, from the host
/// itself, for all paths.
pub(super) const COOKIE: &str = "__Host-frontdesk";
const CSRF_HEADER: &str = "x-csrf-token";

/// Refuses pages of other origins.
pub(super) fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let own = match header_text(headers, header::ORIGIN) {
        Some(origin) => app.own_origins.iter().any(|own| own == origin),
        // Where browsers send no origin they say how far away the page is. Programs say neither.
        None => {
            headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
        }
    };
    if own {
        return Ok(());
    }
    let text = "the console answers pages of its own origin alone; behind a proxy, name its address in server.public_origins";
    Err(ApiError::new(ErrorCode::OriginRefused, text))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_of(headers, COOKIE)
}

/// What a cookie holds.
pub(super) fn cookie_of<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

pub(super) fn not_signed_in() -> ApiError {
    ApiError::new(
        ErrorCode::Unauthorized,
        "sign in first; a sign-in ends by itself, on sign-out, and with the account",
    )
}

/// Who asks: signed in, from a page of our own, and with the sign-in's CSRF token where the request
/// changes something. What the agent has to do first may not be done yet: for the routes that do
/// it.
pub(super) struct Begun(pub(super) SignedIn);

impl FromRequestParts<App> for Begun {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let who = signed_in(app, &parts.headers)?;
        let shown =
            header_text(&parts.headers, HeaderName::from_static(CSRF_HEADER)).unwrap_or_default();
        if !parts.method.is_safe() && !who.csrf_fits(shown) {
            let text =
                format!("the header {CSRF_HEADER} must carry the token of GET /v1/console/me");
            return Err(ApiError::new(ErrorCode::Forbidden, text));
        }
        Ok(Self(who))
    }
}

/// The same of an agent who has nothing to do first.
pub(super) struct Caller(pub(super) SignedIn);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Begun(who) = Begun::from_request_parts(parts, app).await?;
        complete(who).map(Self)
    }
}

/// Refuses who has something to do first.
pub(super) fn complete(who: SignedIn) -> Result<SignedIn, ApiError> {
    let text = match who.needs {
        None => return Ok(who),
        Some(Need::Password) => "choose a password of your own first: somebody else set this one",
        Some(Need::SecondFactor) => "set up a second factor first: this server requires one",
    };
    Err(ApiError::new(ErrorCode::Forbidden, text))
}

/// A [`Caller`] who works for the site that the path names.
pub(super) struct OfSite {
    pub(super) who: SignedIn,
    pub(super) site: String,
    pub(super) role: Role,
}

impl FromRequestParts<App> for OfSite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Caller(who) = Caller::from_request_parts(parts, app).await?;
        let Path(InSite { site }) = Path::from_request_parts(parts, app).await?;
        let role = role(&who, &site)?;
        Ok(Self { who, site, role })
    }
}

/// What all paths below a site have.
#[derive(Deserialize)]
struct InSite {
    site: String,
}

/// [`OfSite`] for what admins alone may do.
pub(super) struct AdminOf {
    pub(super) who: SignedIn,
    pub(super) site: String,
}

impl FromRequestParts<App> for AdminOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match OfSite::from_request_parts(parts, app).await? {
            OfSite { who, site, role: Role::Admin } => Ok(Self { who, site }),
            OfSite { .. } => {
                Err(ApiError::new(ErrorCode::Forbidden, "only admins of this site may do that"))
            }
        }
    }
}

/// Who is signed in.
pub(super) fn signed_in(app: &App, headers: &HeaderMap) -> Result<SignedIn, ApiError> {
    check_origin(app, headers)?;
    cookie(headers).and_then(|token| app.agents.check(token)).ok_or_else(not_signed_in)
}

/// The agent's role on a site. A site that isn't the agent's is refused like one that isn't there.
pub(super) fn role(who: &SignedIn, site: &str) -> Result<Role, ApiError> {
    who.role(site).ok_or_else(|| {
        ApiError::new(ErrorCode::Forbidden, format!("you have no role on a site {site:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            assert_eq!(cookie(&headers), expected, "{lines:?}");
        };
        check(&["a=1; __Host-frontdesk=tok; b=2"], Some("tok"));
        check(&["a=1", "__Host-frontdesk=tok"], Some("tok"));
        check(&["frontdesk=tok", "x__Host-frontdesk=tok"], None);
        check(&[], None);
    }
}
