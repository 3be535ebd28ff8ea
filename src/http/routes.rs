//! The tables of routes: every path with its method and who may use it. There is no other way to
//! serve a path, so a handler can't be reached without an [`Access`], which is checked before
//! anything else of the request is looked at.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts as _, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};

use crate::audit::Deed;
use crate::http::agent::{AdminOf, Begun, Caller, OfSite, signed_in};
use crate::http::auth::{Reach, Scope};
use crate::http::deeds::UnderWay;
use crate::http::error::{ApiError, OpenAiError, unknown_site};
use crate::http::{App, header_text};
use crate::protocol::ErrorCode;
use crate::secret::key_hash;

/// Paths that show what visitors said, or much of it at once: who reads there is noted in the audit
/// log.
const READS: [&str; 6] =
    ["/sessions/{session}", "/visitors/{visitor}", "/search", "/export", "/labels", "/v1/audit"];
/// Characters of a name in a path that are noted.
const MAX_NOTED_CHARS: usize = 200;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; the answer holds nothing that isn't public.
    Anyone,
    /// Visitors. Their token comes with the message, where `chat::open` checks it.
    Visitor,
    /// Who knows a login and its password, on a page of our own.
    Password,
    /// Who comes back from the issuer of `[oidc]`, with the cookie of a sign-in that is under way
    /// and a code, which the handler checks.
    Issuer,
    /// The server of the site that the path names: by a signature over the body, which the handler
    /// checks, or by a key with the scope `outcomes` or `admin`.
    Reporter,
    /// The messaging platform that the path's account is of: by a signature over the body, which
    /// the handler checks.
    Platform,
    /// A key with the scope, or `admin`, that is good for the whole server.
    Server(Scope),
    /// A key with the scope, or `admin`, that is good for the site that the path names.
    Site(Scope),
    /// A key with just the scope, limited to the site that the path names.
    OwnSite(Scope),
    /// A key with just the scope, whatever sites it is good for: the handler shows those alone.
    ItsSites(Scope),
    /// An agent who signed in, from a page of our own, with the CSRF token where something is
    /// changed, also before a password was chosen and a required second factor set up.
    Begun,
    /// The same, after it.
    SignedIn,
    /// The same, with a role on the site that the path names.
    Agent,
    /// The same, as an admin of the site that the path names.
    SiteAdmin,
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// As axum writes it: `/v1/sites/{site}/documents/{*id}`.
    pub path: String,
    pub access: Access,
}

/// Routes with their handlers.
#[derive(Default)]
pub(super) struct Table {
    router: Router<App>,
    routes: Vec<Route>,
}

impl Table {
    pub(super) fn get<H: Handler<T, App>, T: 'static>(
        self,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        self.on(Method::GET, MethodFilter::GET, path, access, handler)
    }

    pub(super) fn post<H: Handler<T, App>, T: 'static>(
        self,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        self.on(Method::POST, MethodFilter::POST, path, access, handler)
    }

    pub(super) fn put<H: Handler<T, App>, T: 'static>(
        self,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        self.on(Method::PUT, MethodFilter::PUT, path, access, handler)
    }

    pub(super) fn delete<H: Handler<T, App>, T: 'static>(
        self,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, path, access, handler)
    }

    pub(super) fn options<H: Handler<T, App>, T: 'static>(
        self,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        self.on(Method::OPTIONS, MethodFilter::OPTIONS, path, access, handler)
    }

    fn on<H: Handler<T, App>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &str,
        access: Access,
        handler: H,
    ) -> Self {
        // Without the prefix of a table that this one is nested in.
        let own: Arc<str> = path.into();
        let guarded = move |State(app): State<App>, request: Request| async move {
            let (mut parts, body) = request.into_parts();
            match access.admit(&app, &mut parts).await {
                Ok(()) => {
                    let Some(deed) = deed(&app, access, &own, &mut parts).await else {
                        return handler.call(Request::from_parts(parts, body), app).await;
                    };
                    let under_way = UnderWay::begin(&app, deed);
                    let response = handler.call(Request::from_parts(parts, body), app).await;
                    under_way.over(response.status()).await;
                    response
                }
                Err(error) => access.refusal(error),
            }
        };
        self.router = self.router.route(path, on(filter, guarded));
        self.routes.push(Route { method, path: path.to_owned(), access });
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    /// Takes in the routes of `inner` with `prefix` before their paths.
    pub(super) fn nest(mut self, prefix: &str, inner: Self) -> Self {
        self.router = self.router.nest(prefix, inner.router);
        let below = |route: Route| Route { path: format!("{prefix}{}", route.path), ..route };
        self.routes.extend(inner.routes.into_iter().map(below));
        self
    }

    /// The largest body that the routes so far take, in bytes.
    pub(super) fn largest_body(mut self, bytes: usize) -> Self {
        self.router = self.router.layer(DefaultBodyLimit::max(bytes));
        self
    }

    pub(super) fn router(self) -> Router<App> {
        self.router
    }

    pub(super) fn routes(self) -> Vec<Route> {
        self.routes
    }
}

impl Access {
    /// # Errors
    /// When the request's sender isn't one of those who may use the route.
    async fn admit(self, app: &App, parts: &mut Parts) -> Result<(), ApiError> {
        match self {
            Self::Anyone
            | Self::Visitor
            | Self::Password
            | Self::Issuer
            | Self::Reporter
            | Self::Platform => Ok(()),
            Self::Server(scope) => {
                let reach = Reach::Server;
                has_key(app, parts, &[scope, Scope::Admin], reach, || server_key(scope))
            }
            Self::Site(scope) => {
                let site = site(parts).await?;
                has_key(app, parts, &[scope, Scope::Admin], Reach::Site(&site), || {
                    site_key(scope)
                })?;
                if app.site(&site).is_some() { Ok(()) } else { Err(unknown_site(&site)) }
            }
            Self::OwnSite(scope) => {
                let site = site(parts).await?;
                let shown = header_text(&parts.headers, header::AUTHORIZATION);
                let key = app
                    .keys
                    .check(shown, scope, Reach::Site(&site))
                    .filter(|key| key.site.is_some());
                if key.is_some() && app.site(&site).is_some() {
                    Ok(())
                } else {
                    Err(own_key(scope))
                }
            }
            Self::ItsSites(scope) => {
                let shown = header_text(&parts.headers, header::AUTHORIZATION);
                if app.keys.any(shown, scope).is_some() { Ok(()) } else { Err(any_key(scope)) }
            }
            Self::Begun => Begun::from_request_parts(parts, app).await.map(drop),
            Self::SignedIn => Caller::from_request_parts(parts, app).await.map(drop),
            Self::Agent => OfSite::from_request_parts(parts, app).await.map(drop),
            Self::SiteAdmin => AdminOf::from_request_parts(parts, app).await.map(drop),
        }
    }

    /// The refusal in the shape that the route's clients read.
    fn refusal(self, error: ApiError) -> Response {
        if self == Self::ItsSites(Scope::Chat) {
            OpenAiError::from(error).into_response()
        } else {
            error.into_response()
        }
    }
}

fn has_key(
    app: &App,
    parts: &Parts,
    scopes: &[Scope],
    reach: Reach<'_>,
    refusal: impl FnOnce() -> ApiError,
) -> Result<(), ApiError> {
    let shown = header_text(&parts.headers, header::AUTHORIZATION);
    let key =
        scopes.iter().find_map(|scope| app.keys.check(shown, *scope, reach)).ok_or_else(refusal)?;
    tracing::debug!(key = key.name, path = parts.uri.path(), "an operator's key was used");
    Ok(())
}

/// What the audit log is to say of a request, if anything: it notes what somebody inside changes,
/// and who looks at conversations.
async fn deed(app: &App, access: Access, path: &str, parts: &mut Parts) -> Option<Deed> {
    let changes = !parts.method.is_safe();
    if !changes && !READS.iter().any(|read| path.contains(read)) {
        return None;
    }
    let who = match access {
        Access::Server(_) | Access::Site(_) | Access::OwnSite(_) => {
            format!("key {}", app.keys.name_of(header_text(&parts.headers, header::AUTHORIZATION))?)
        }
        Access::Begun | Access::SignedIn | Access::Agent | Access::SiteAdmin => {
            format!("agent {}", signed_in(app, &parts.headers).ok()?.agent.id)
        }
        Access::Anyone
        | Access::Visitor
        | Access::Password
        | Access::Issuer
        | Access::Reporter
        | Access::Platform
        | Access::ItsSites(_) => return None,
    };
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let to = params.iter().map(|(name, value)| {
        // A visitor's id may be a customer number.
        let value = if name == "visitor" {
            key_hash(value)
        } else {
            value.chars().take(MAX_NOTED_CHARS).collect()
        };
        (name.to_owned(), value)
    });
    Some(Deed { who, did: format!("{} {path}", parts.method), to: to.collect(), status: None })
}

/// The site that the path names.
async fn site(parts: &mut Parts) -> Result<String, ApiError> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|error| ApiError::new(ErrorCode::BadMessage, error.body_text()))?;
    let site = params.iter().find(|(name, _)| *name == "site").map(|(_, site)| site.to_owned());
    // A path without one belongs to nobody.
    site.ok_or_else(|| unknown_site(""))
}

fn server_key(scope: Scope) -> ApiError {
    let text = format!(
        "a key with the scope {scope} that is good for the whole server is needed as `Authorization: Bearer …`; one that is \
         limited to a site isn't. data/admin.key holds the one made at the first start"
    );
    ApiError::new(ErrorCode::Unauthorized, text)
}

fn site_key(scope: Scope) -> ApiError {
    let text = format!(
        "a key with the scope {scope} that is good for this site is needed as `Authorization: Bearer …`; \
         data/admin.key holds the one made at the first start, `frontdesk key --scope {scope}` makes another"
    );
    ApiError::new(ErrorCode::Unauthorized, text)
}

fn any_key(scope: Scope) -> ApiError {
    let text = format!(
        "a key with the scope {scope} is needed as `Authorization: Bearer …`; `frontdesk key --scope {scope}` makes one"
    );
    ApiError::new(ErrorCode::Unauthorized, text)
}

fn own_key(scope: Scope) -> ApiError {
    let text = format!(
        "a key with the scope {scope} and this site is needed as `Authorization: Bearer …`; \
         `frontdesk key --scope {scope} --site …` makes one"
    );
    ApiError::new(ErrorCode::Unauthorized, text)
}
