//! What is known of the issuer: its discovery document (OpenID Connect Discovery 1.0), its keys,
//! and the one request that turns a code into an ID token.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::{IssuerError, OidcConfig, is_loopback};
use crate::clock::Clock;
use crate::secret::jws::{PublicKey, Token, Unsigned};

/// For one request to the issuer, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest document that is read of the issuer's, in bytes.
const MAX_ANSWER: usize = 512 * 1024;
/// How long the discovery document and the keys are used: a key that the issuer withdrew counts no
/// longer than that.
const FRESH_MS: u64 = 60 * 60_000;
/// How long it takes at least until keys are fetched again for a token that names an unknown one:
/// whoever makes tokens up must not make us ask.
const REFETCH_MS: u64 = 30_000;
/// How long the issuer isn't asked again after it could not be reached.
const PAUSE_MS: u64 = 5_000;

/// Asks the issuer, one question for its documents at a time.
pub(super) struct Provider {
    client: Client,
    config: OidcConfig,
    redirect_uri: String,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    facts: Option<Arc<Facts>>,
    /// When it could not be reached last, and why.
    failed: Option<(u64, IssuerError)>,
}

/// What the issuer told.
pub(super) struct Facts {
    pub(super) authorization: Url,
    token: Url,
    jwks: Url,
    /// Whether the secret goes into the `Authorization` header, else into the body.
    basic: bool,
    /// Whether the issuer names itself when it sends somebody back (RFC 9207).
    pub(super) names_itself: bool,
    pub(super) keys: Vec<PublicKey>,
    discovered_at_ms: u64,
    keys_at_ms: u64,
}

impl Provider {
    pub(super) fn new(
        config: &OidcConfig,
        redirect_uri: String,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        // A second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            // Only what the issuer's own document names is called.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("a client for the issuer")?;
        let known = Mutex::default();
        Ok(Self { client, config: config.clone(), redirect_uri, clock, known })
    }

    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// What the issuer told lately, or tells now.
    pub(super) async fn facts(&self) -> Result<Arc<Facts>, IssuerError> {
        let mut known = self.known.lock().await;
        let now_ms = self.clock.now_ms();
        let fresh = known.facts.as_ref().filter(|facts| {
            facts.discovered_at_ms.max(facts.keys_at_ms) <= now_ms
                && now_ms < facts.discovered_at_ms.min(facts.keys_at_ms) + FRESH_MS
        });
        if let Some(facts) = fresh {
            return Ok(facts.clone());
        }
        known.may_ask(now_ms)?;
        let found = self.discover().await;
        known.keep(found, now_ms)
    }

    /// What an ID token claims, by the issuer's signature. A key that isn't known is looked for
    /// once among newer ones.
    pub(super) async fn verified(&self, id_token: &str) -> Result<Value, VerifyError> {
        let facts = self.facts().await?;
        match Token::parse(id_token)?.verify_among(&facts.keys) {
            Err(Unsigned::UnknownKey) => {}
            verified => return Ok(verified?),
        }
        let facts = {
            let mut known = self.known.lock().await;
            let now_ms = self.clock.now_ms();
            let newest = known.facts.clone().unwrap_or(facts);
            if now_ms < newest.keys_at_ms + REFETCH_MS {
                newest
            } else {
                known.may_ask(now_ms)?;
                let keys = self.keys(&newest.jwks).await;
                let renewed = keys.map(|keys| Facts {
                    authorization: newest.authorization.clone(),
                    token: newest.token.clone(),
                    jwks: newest.jwks.clone(),
                    keys,
                    keys_at_ms: now_ms,
                    ..*newest
                });
                known.keep(renewed, now_ms)?
            }
        };
        Ok(Token::parse(id_token)?.verify_among(&facts.keys)?)
    }

    async fn discover(&self) -> Result<Facts, IssuerError> {
        let issuer = &self.config.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (status, document) = self.json(self.client.get(&address), &address).await?;
        if status != 200 || !document.is_object() {
            return Err(IssuerError::Misconfigured(format!(
                "{address} answers with status {status} and no discovery document; is oidc.issuer \
                 the issuer's whole address?"
            )));
        }
        let named = document["issuer"].as_str().unwrap_or_default();
        if named != issuer {
            return Err(IssuerError::Misconfigured(format!(
                "{address} is of the issuer {named:?}; write it so in oidc.issuer, to the last sign"
            )));
        }
        let endpoint = |name: &str| self.endpoint(&document, name);
        let jwks = endpoint("jwks_uri")?;
        let methods = document["token_endpoint_auth_methods_supported"].as_array();
        let knows =
            |method: &str| methods.is_some_and(|methods| methods.iter().any(|one| one == method));
        let now_ms = self.clock.now_ms();
        Ok(Facts {
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            // The one that holds where the issuer says nothing.
            basic: knows("client_secret_basic") || !knows("client_secret_post"),
            names_itself: document["authorization_response_iss_parameter_supported"] == true,
            keys: self.keys(&jwks).await?,
            jwks,
            discovered_at_ms: now_ms,
            keys_at_ms: now_ms,
        })
    }

    /// An address that the discovery document names: encrypted, unless the issuer is on this
    /// machine.
    fn endpoint(&self, document: &Value, name: &str) -> Result<Url, IssuerError> {
        let wrong = |what: &str| {
            IssuerError::Misconfigured(format!("the issuer's discovery document {what} `{name}`"))
        };
        let address = document[name].as_str().ok_or_else(|| wrong("has no"))?;
        let url = Url::parse(address).map_err(|_| wrong("has no address in"))?;
        let on_this_machine = self.config.issuer.starts_with("http://") && is_loopback(&url);
        if url.scheme() == "https" || url.scheme() == "http" && on_this_machine {
            Ok(url)
        } else {
            Err(wrong("has an unencrypted address in"))
        }
    }

    async fn keys(&self, address: &Url) -> Result<Vec<PublicKey>, IssuerError> {
        let (status, set) = self.json(self.client.get(address.clone()), address.as_str()).await?;
        let listed = set["keys"].as_array().into_iter().flatten();
        let keys: Vec<PublicKey> = listed.filter_map(PublicKey::of).collect();
        if status == 200 && !keys.is_empty() {
            return Ok(keys);
        }
        Err(IssuerError::Misconfigured(format!(
            "{address} (jwks_uri) answers with status {status} and no key for RS256, ES256 or EdDSA"
        )))
    }

    /// The ID token that a code stands for.
    pub(super) async fn exchange(&self, code: &str, verifier: &str) -> Result<String, IssuerError> {
        let facts = self.facts().await?;
        let request = self.request(&facts, code, verifier);
        let (status, answer) = self.json(request, facts.token.as_str()).await?;
        match (status, answer["id_token"].as_str(), answer["error"].as_str()) {
            (200, Some(token), _) => Ok(token.to_owned()),
            (200, None, None) => Err(IssuerError::Misconfigured(
                "the issuer gave no ID token; oidc.scopes must have \"openid\"".into(),
            )),
            (_, _, Some("invalid_client" | "unauthorized_client")) => {
                Err(IssuerError::Misconfigured(
                    "the issuer refuses oidc.client_id with oidc.client_secret; is the secret \
                     over, or another application's?"
                        .into(),
                ))
            }
            (_, _, Some("invalid_grant")) => Err(IssuerError::Code),
            (_, _, error) => Err(IssuerError::Unreachable(format!(
                "the issuer gives status {status} and the error {:?} for a code",
                error.unwrap_or_default().chars().take(100).collect::<String>()
            ))),
        }
    }

    /// The request that exchanges a code.
    fn request(&self, facts: &Facts, code: &str, verifier: &str) -> RequestBuilder {
        let OidcConfig { client_id, client_secret, .. } = &self.config;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", verifier);
        let mut request = self.client.post(facts.token.clone());
        if !client_secret.is_empty() && facts.basic {
            // Both parts are written as in a form first (RFC 6749, section 2.3.1).
            let encoded =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", encoded(client_id), encoded(client_secret));
            request = request.header("authorization", format!("Basic {}", BASE64.encode(both)));
        } else {
            form.append_pair("client_id", client_id);
            if !client_secret.is_empty() {
                form.append_pair("client_secret", client_secret);
            }
        }
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form.finish())
    }

    /// Status and body of an answer; a body that isn't JSON is `null`.
    async fn json(
        &self,
        request: RequestBuilder,
        address: &str,
    ) -> Result<(u16, Value), IssuerError> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            let mut inner: &dyn std::error::Error = &error;
            while let Some(source) = inner.source() {
                inner = source;
            }
            IssuerError::Unreachable(format!("{address} can't be reached: {inner}"))
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + piece.len() > MAX_ANSWER {
                return Err(IssuerError::Unreachable(format!(
                    "{address} answers with more than {MAX_ANSWER} bytes"
                )));
            }
            bytes.extend_from_slice(&piece);
        }
        if status >= 500 {
            return Err(IssuerError::Unreachable(format!("{address} answers with {status}")));
        }
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

impl Known {
    /// # Errors
    /// What the last attempt failed of, if that was just now.
    fn may_ask(&self, now_ms: u64) -> Result<(), IssuerError> {
        match &self.failed {
            Some((at_ms, error)) if now_ms < at_ms + PAUSE_MS => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn keep(
        &mut self,
        found: Result<Facts, IssuerError>,
        now_ms: u64,
    ) -> Result<Arc<Facts>, IssuerError> {
        match found {
            Ok(facts) => {
                let facts = Arc::new(facts);
                (self.facts, self.failed) = (Some(facts.clone()), None);
                Ok(facts)
            }
            Err(error) => {
                self.failed = Some((now_ms, error.clone()));
                Err(error)
            }
        }
    }
}

/// Why nothing is known of what a token claims.
pub(super) enum VerifyError {
    Issuer(IssuerError),
    Token(Unsigned),
}

impl From<IssuerError> for VerifyError {
    fn from(error: IssuerError) -> Self {
        Self::Issuer(error)
    }
}

impl From<Unsigned> for VerifyError {
    fn from(error: Unsigned) -> Self {
        Self::Token(error)
    }
}
