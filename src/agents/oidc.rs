//! Signing in by somebody else's word: OpenID Connect's authorization code flow with PKCE.
//!
//! A browser leaves with a `state`, which only this browser can come back with, and comes back with
//! a code. The code is exchanged for an ID token, whose signature and claims are checked. What the
//! person may do here is `admission`'s business.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::{Host, Url};

use crate::address::{is_origin, network};
use crate::clock::Clock;
use crate::protocol::console::Role;
use crate::secret::jws::Unsigned;
use crate::secret::{key_hash, random_token};

mod id_token;
mod provider;

pub use id_token::{Person, Wrong};
use provider::{Provider, VerifyError};

/// How long somebody may take at the issuer's pages.
pub const JOURNEY_MS: u64 = 10 * 60_000;
/// Browsers on their way, in all and from one network; beyond that the oldest is forgotten. A
/// journey takes some 400 bytes.
const MAX_JOURNEYS: usize = 10_000;
const MAX_JOURNEYS_NETWORK: usize = 200;

/// `[oidc]`: agents sign in at an issuer of the company's own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The issuer's address, to the last sign as it names itself; empty: nobody signs in so.
    pub issuer: String,
    /// What the button on the sign-in page calls it; empty: its host.
    pub name: String,
    pub client_id: String,
    /// Empty for a public client, which PKCE alone protects.
    pub client_secret: String,
    /// A file with the secret, in place of it.
    pub client_secret_file: PathBuf,
    /// The origin under which agents open the console, one of `server.public_origins`; empty: the
    /// first of them, or the server's own on this machine. The issuer sends browsers back there, so
    /// it must know that address.
    pub redirect_origin: String,
    /// What the issuer is asked for; `openid` must be among it.
    pub scopes: Vec<String>,
    /// Domains of the verified e-mail addresses that are let in; empty: of any.
    pub email_domains: Vec<String>,
    /// The ID token's claim with groups or roles; with dots for one within another.
    pub groups_claim: String,
    /// Of these groups, one is needed; empty: none.
    pub groups: Vec<String>,
    /// Whether the ID token must say (`amr` with `mfa`) that the issuer asked for more than one
    /// factor. It is not set: the issuer's own policy counts.
    pub require_mfa: bool,
    /// Whether persons who have no account yet get one.
    pub create: bool,
    /// What such a new account may do: site id → role.
    pub roles: BTreeMap<String, Role>,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            name: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            client_secret_file: PathBuf::new(),
            redirect_origin: String::new(),
            scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
            email_domains: Vec::new(),
            groups_claim: "groups".into(),
            groups: Vec::new(),
            require_mfa: false,
            create: false,
            roles: BTreeMap::new(),
        }
    }
}

impl OidcConfig {
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Where the issuer sends browsers back to: the only address that it is ever given.
    #[must_use]
    pub fn redirect_uri(&self, public_origins: &[String], port: u16, path: &str) -> String {
        let own = format!("http://127.0.0.1:{port}");
        let origin = match self.redirect_origin.as_str() {
            "" => public_origins.first().unwrap_or(&own),
            origin => origin,
        };
        format!("{origin}{path}")
    }

    /// What can't be served with, each a sentence.
    #[must_use]
    pub fn mistakes(&self, public_origins: &[String], sites: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        if !self.is_on() {
            let meant = !self.client_id.is_empty() || self.create || !self.roles.is_empty();
            if meant {
                all.push("oidc.issuer is empty, so the rest of [oidc] is for nothing".into());
            }
            return all;
        }
        let mut must = |holds: bool, mistake: String| {
            if !holds {
                all.push(mistake);
            }
        };
        let issuer = Url::parse(&self.issuer).ok();
        let sound = issuer.as_ref().is_some_and(|url| {
            let bare = url.query().is_none() && url.fragment().is_none();
            bare && (url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
        });
        must(
            sound,
            format!(
                "oidc.issuer is {:?}; it must be an https address without ? and #, such as \
                 \"https://id.example/realms/shop\" (http is for this machine alone)",
                self.issuer
            ),
        );
        must(
            !self.client_id.is_empty(),
            "oidc.client_id is empty; it is what the issuer calls this application".into(),
        );
        must(
            self.scopes.iter().any(|scope| scope == "openid"),
            "oidc.scopes must have \"openid\"; without it the issuer gives no ID token".into(),
        );
        let origin = match self.redirect_origin.as_str() {
            "" => public_origins.first().map(String::as_str),
            origin => Some(origin),
        };
        if let Some(origin) = origin {
            let on_this_machine = Url::parse(origin).is_ok_and(|url| is_loopback(&url));
            must(
                is_origin(origin) && (origin.starts_with("https://") || on_this_machine),
                format!(
                    "agents would come back to {origin:?}; oidc.redirect_origin must be an https \
                     origin such as \"https://chat.example\" (http is for this machine alone)"
                ),
            );
            must(
                on_this_machine || public_origins.iter().any(|own| own == origin),
                format!(
                    "oidc.redirect_origin is {origin:?}, which is none of server.public_origins: \
                     the console doesn't answer there"
                ),
            );
        }
        for domain in &self.email_domains {
            let plain = !domain.is_empty()
                && !domain.contains(['@', '*', '/', ' '])
                && *domain == domain.to_lowercase();
            must(
                plain,
                format!(
                    "oidc.email_domains has {domain:?}; write what stands behind the @, in lower \
                     case"
                ),
            );
        }
        must(
            self.groups.is_empty() || !self.groups_claim.is_empty(),
            "oidc.groups is set and oidc.groups_claim is empty".into(),
        );
        if self.create {
            must(
                !self.roles.is_empty(),
                "oidc.create is on, and [oidc.roles] names no site: new accounts could do nothing"
                    .into(),
            );
            must(
                !(self.email_domains.is_empty() && self.groups.is_empty()),
                "oidc.create is on for everybody whom the issuer knows; set oidc.email_domains or \
                 oidc.groups"
                    .into(),
            );
        }
        for site in self.roles.keys().filter(|site| !sites.contains(&site.as_str())) {
            must(
                false,
                format!(
                    "[oidc.roles] has {site:?}, which is none of the sites: {}",
                    sites.join(", ")
                ),
            );
        }
        all
    }

    /// What the button is called.
    fn shown(&self) -> String {
        if self.name.is_empty() {
            let host = Url::parse(&self.issuer).ok();
            host.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
        } else {
            self.name.clone()
        }
    }
}

/// Whether an address leads to this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What is wrong with the issuer, or with what is configured of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Misconfigured(String),
    #[error("the issuer doesn't take its code back: it was used, or is over")]
    Code,
}

/// Why somebody who came back isn't known to be anybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The issuer's own word, such as `access_denied`.
    #[error("the issuer sent somebody back with the error {0:?}")]
    Declined(String),
    /// Another browser, another sign-in, or one that is over.
    #[error("no sign-in of this browser's is under way")]
    Stale,
    #[error("the ID token can't be believed: {0}")]
    Unsigned(Unsigned),
    #[error("the ID token can't be believed: {0}")]
    Wrong(Wrong),
    #[error("another issuer's answer was sent to this server")]
    OtherIssuer,
}

impl From<VerifyError> for OidcError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Issuer(error) => Self::Issuer(error),
            VerifyError::Token(error) => Self::Unsigned(error),
        }
    }
}

/// Which page a sign-in is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    #[default]
    Console,
    Insight,
}

/// Somebody leaves for the issuer.
pub struct Departure {
    /// To be opened by the browser.
    pub url: String,
    /// For the browser's cookie, which it has to come back with.
    pub browser: String,
}

/// What the issuer sent a browser back with.
#[derive(Clone, Debug, Default)]
pub struct Arrived<'a> {
    pub state: &'a str,
    pub code: Option<&'a str>,
    pub error: Option<&'a str>,
    pub issuer: Option<&'a str>,
}

/// Somebody on the way.
struct Journey {
    nonce: String,
    verifier: String,
    /// SHA-256 of what the browser's cookie holds.
    browser: String,
    network: IpAddr,
    until_ms: u64,
    wanted: Wanted,
}

/// What the configured issuer says of itself, for `frontdesk check`.
#[derive(Debug, Serialize)]
pub struct IssuerFacts {
    pub name: String,
    pub issuer: String,
    /// What has to be registered at the issuer.
    pub redirect_uri: String,
    pub keys: usize,
}

/// Signing in at the issuer. Cheap to clone.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    config: OidcConfig,
    name: String,
    provider: Provider,
    clock: Clock,
    /// By `state`.
    journeys: Mutex<HashMap<String, Journey>>,
}

impl Oidc {
    /// Nothing is asked of the issuer before the first sign-in. `None` where none is configured.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(
        config: &OidcConfig,
        redirect_uri: String,
        clock: Clock,
    ) -> anyhow::Result<Option<Self>> {
        if !config.is_on() {
            return Ok(None);
        }
        Ok(Some(Self(Arc::new(Inner {
            name: config.shown(),
            provider: Provider::new(config, redirect_uri, clock.clone())?,
            config: config.clone(),
            clock,
            journeys: Mutex::default(),
        }))))
    }

    /// What the button is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Who is let in, and what new persons get.
    #[must_use]
    pub fn config(&self) -> &OidcConfig {
        &self.0.config
    }

    /// Asks the issuer what it is.
    ///
    /// # Errors
    /// When it can't be reached, or isn't what is configured.
    pub async fn look(&self) -> Result<IssuerFacts, IssuerError> {
        let facts = self.0.provider.facts().await?;
        Ok(IssuerFacts {
            name: self.0.name.clone(),
            issuer: self.0.config.issuer.clone(),
            redirect_uri: self.0.provider.redirect_uri().to_owned(),
            keys: facts.keys.len(),
        })
    }

    /// Sends a browser to the issuer.
    ///
    /// # Errors
    /// When nothing is known of the issuer, and it can't be asked.
    pub async fn depart(&self, address: IpAddr, wanted: Wanted) -> Result<Departure, IssuerError> {
        let OidcConfig { client_id, scopes, .. } = &self.0.config;
        let facts = self.0.provider.facts().await?;
        let [state, nonce, verifier, browser] = std::array::from_fn(|_| random_token());
        let mut url = facts.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", self.0.provider.redirect_uri())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &BASE64.encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256");
        let (now_ms, network) = (self.0.clock.now_ms(), network(address));
        let journey = Journey {
            nonce,
            verifier,
            browser: key_hash(&browser),
            network,
            until_ms: now_ms + JOURNEY_MS,
            wanted,
        };
        let mut journeys = self.0.journeys();
        journeys.retain(|_, journey| journey.until_ms > now_ms);
        make_room(&mut journeys, MAX_JOURNEYS_NETWORK, |journey| journey.network == network);
        make_room(&mut journeys, MAX_JOURNEYS, |_| true);
        journeys.insert(state, journey);
        Ok(Departure { url: url.into(), browser })
    }

    /// Who came back, with the browser's cookie, and where to.
    ///
    /// # Errors
    /// See [`OidcError`].
    pub async fn arrive(
        &self,
        arrived: &Arrived<'_>,
        browser: Option<&str>,
    ) -> Result<(Person, Wanted), OidcError> {
        let now_ms = self.0.clock.now_ms();
        let journey = {
            let mut journeys = self.0.journeys();
            let browser = browser.map(key_hash).unwrap_or_default();
            let own = journeys.get(arrived.state).is_some_and(|journey| {
                journey.until_ms > now_ms
                    && bool::from(journey.browser.as_bytes().ct_eq(browser.as_bytes()))
            });
            // A state counts once, however it ends.
            own.then(|| journeys.remove(arrived.state)).flatten().ok_or(OidcError::Stale)?
        };
        let facts = self.0.provider.facts().await?;
        let config = &self.0.config;
        match arrived.issuer {
            Some(issuer) if issuer != config.issuer => return Err(OidcError::OtherIssuer),
            None if facts.names_itself => return Err(OidcError::OtherIssuer),
            _ => {}
        }
        let code = match (arrived.code, arrived.error) {
            (Some(code), None) => code,
            (_, error) => {
                let error = error.unwrap_or("no code");
                return Err(OidcError::Declined(error.chars().take(100).collect()));
            }
        };
        let token = self.0.provider.exchange(code, &journey.verifier).await?;
        let claims = self.0.provider.verified(&token).await?;
        let expected = id_token::Expected {
            issuer: &config.issuer,
            client_id: &config.client_id,
            nonce: &journey.nonce,
            groups_claim: &config.groups_claim,
            now_s: self.0.clock.now_ms() / 1_000,
        };
        let person = id_token::check(&claims, &expected).map_err(OidcError::Wrong)?;
        Ok((person, journey.wanted))
    }
}

impl Inner {
    fn journeys(&self) -> MutexGuard<'_, HashMap<String, Journey>> {
        self.journeys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the oldest of these journeys where there are as many as there may be.
fn make_room(
    journeys: &mut HashMap<String, Journey>,
    most: usize,
    counts: impl Fn(&Journey) -> bool,
) {
    let those = || journeys.iter().filter(|(_, journey)| counts(journey));
    if those().count() < most {
        return;
    }
    let oldest = those().min_by_key(|(_, journey)| journey.until_ms);
    if let Some(state) = oldest.map(|(state, _)| state.clone()) {
        journeys.remove(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> OidcConfig {
        OidcConfig {
            issuer: "https://id.example".into(),
            client_id: "desk".into(),
            ..OidcConfig::default()
        }
    }

    #[test]
    fn mistakes_are_named() {
        let origins = ["https://chat.example".to_owned()];
        let check = |change: fn(&mut OidcConfig), expected: &str| {
            let mut config = sound();
            change(&mut config);
            let mistakes = config.mistakes(&origins, &["shop"]);
            assert!(mistakes.iter().any(|one| one.contains(expected)), "{expected}: {mistakes:?}");
        };
        assert_eq!(sound().mistakes(&origins, &["shop"]), Vec::<String>::new());
        assert_eq!(OidcConfig::default().mistakes(&origins, &["shop"]), Vec::<String>::new());
        check(|config| config.issuer.clear(), "for nothing");
        check(|config| config.issuer = "id.example".into(), "must be an https address");
        check(|config| config.issuer = "http://id.example".into(), "must be an https address");
        check(|config| config.issuer = "https://id.example?a=b".into(), "without ?");
        check(|config| config.client_id.clear(), "oidc.client_id is empty");
        check(|config| config.scopes = vec!["email".into()], "must have \"openid\"");
        check(|config| config.redirect_origin = "https://other.example".into(), "none of server");
        check(|config| config.redirect_origin = "http://chat.example".into(), "must be an https");
        check(|config| config.email_domains = vec!["@shop.example".into()], "behind the @");
        check(|config| config.create = true, "names no site");
        check(|config| config.create = true, "for everybody");
        let bank = |config: &mut OidcConfig| {
            config.roles.insert("bank".into(), Role::Agent);
        };
        check(bank, "none of the sites: shop");
        let local = OidcConfig {
            issuer: "http://127.0.0.1:9/realm".into(),
            redirect_origin: "http://localhost:8080".into(),
            ..sound()
        };
        assert_eq!(local.mistakes(&[], &["shop"]), Vec::<String>::new());
    }

    #[test]
    fn browsers_come_back_to_one_address() {
        let origins = ["https://chat.example".to_owned(), "https://b.example".to_owned()];
        let uri = |origin: &str, origins: &[String]| {
            OidcConfig { redirect_origin: origin.into(), ..sound() }
                .redirect_uri(origins, 8080, "/back")
        };
        assert_eq!(uri("", &origins), "https://chat.example/back");
        assert_eq!(uri("https://b.example", &origins), "https://b.example/back");
        assert_eq!(uri("", &[]), "http://127.0.0.1:8080/back");
    }

    #[test]
    fn browsers_on_their_way_are_bounded() {
        let mut journeys = HashMap::new();
        let journey = |until_ms: u64, last: u8| Journey {
            nonce: String::new(),
            verifier: String::new(),
            browser: String::new(),
            network: IpAddr::from([192, 0, 2, last]),
            until_ms,
            wanted: Wanted::Console,
        };
        for at in 0..3 {
            journeys.insert(format!("a{at}"), journey(at, 1));
            journeys.insert(format!("b{at}"), journey(at + 10, 2));
        }
        let of_second = |journey: &Journey| journey.network == IpAddr::from([192, 0, 2, 2]);
        make_room(&mut journeys, 3, of_second);
        assert!(journeys.len() == 5 && !journeys.contains_key("b0"));
        make_room(&mut journeys, 5, |_| true);
        assert!(journeys.len() == 4 && !journeys.contains_key("a0"));
        make_room(&mut journeys, 5, |_| true);
        assert_eq!(journeys.len(), 4);
    }
}
