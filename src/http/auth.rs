//! Who gets in: sites and their origins, visitor tokens, keys.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::clock::Clock;
use crate::conversation::Attributes;
use crate::keyring::VisitorKeys;
use crate::secret::{key_hash, random_id};
use crate::site::{JwtAlgorithm, Site};

/// `[auth]`: keys for programs. Visitors get their tokens from the server, see [`Visitors`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// API keys, as their SHA-256; `frontdesk key` makes one and prints the lines to put here.
    pub keys: Vec<Key>,
}

/// A key that a program shows as `Authorization: Bearer …`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What it is for; logged when it is used.
    pub name: String,
    /// Lower-case hexadecimal SHA-256 of the key.
    pub sha256: String,
    pub scopes: Vec<Scope>,
    /// The site it is limited to; left out, it is good for the whole server: every site, accounts,
    /// metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// What OpenAI's API has: `/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`,
    /// `/v1/rerank`.
    Chat,
    /// Reporting what came of conversations.
    Outcomes,
    /// Everything on the admin listener; of a key that is limited to a site, what belongs to that
    /// site.
    Admin,
    /// `/metrics`, which only a key for the whole server opens.
    Metrics,
    /// `/v1/sites/{site}/documents`: handing documents in and removing them. On the public listener
    /// the key must name its site.
    Knowledge,
}

impl std::fmt::Display for Scope {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Outcomes => "outcomes",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
            Self::Knowledge => "knowledge",
        })
    }
}

/// Why a visitor isn't let in. The texts tell an honest client what to do and a dishonest one
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the token is not valid here; begin a new conversation without one")]
    BadToken,
    #[error("the token has expired; ask the site for a new one")]
    Expired,
    #[error("the token is not valid yet; the clock of the server that signed it may be ahead")]
    TooEarly,
    #[error("this site takes no signed tokens")]
    NoJwt,
    #[error("a signed token may live for at most 15 minutes")]
    TooLong,
}

/// A visitor who was let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Visitor {
    pub id: String,
    /// To be shown when coming back.
    pub token: String,
    /// What a token signed by the site says of the visitor.
    pub attributes: Option<Attributes>,
    /// When a token signed by the site ends, in milliseconds since the epoch; the server's own
    /// don't.
    pub expires_at_ms: Option<u64>,
}

/// Longest life of a signed token, in seconds, and how far clocks may be apart.
const JWT_LIFE_S: u64 = 15 * 60;
const JWT_LEEWAY_S: u64 = 30;

/// Mints and checks visitor tokens.
///
/// An anonymous token is `v1.<visitor>.<mac>`: a random 128-bit visitor id and a 256-bit
/// HMAC-SHA-256 over site, origin and visitor, so that it is good for one site and origin and needs
/// no storage.
#[derive(Clone)]
pub struct Visitors {
    keys: VisitorKeys,
    clock: Clock,
}

impl Visitors {
    #[must_use]
    pub fn new(keys: VisitorKeys, clock: Clock) -> Self {
        super::jwt::install();
        Self { keys, clock }
    }

    /// Lets a visitor in: a new one without a token, a known one with the token of an earlier visit
    /// or of the site.
    ///
    /// # Errors
    /// When the token is forged, expired, or belongs to another site or origin.
    pub fn admit(
        &self,
        site: &Site,
        origin: Option<&str>,
        token: Option<&str>,
    ) -> Result<Visitor, AuthError> {
        let keys = self.keys.all();
        let newest = keys.first().ok_or(AuthError::BadToken)?;
        let Some(token) = token else {
            let id = random_id();
            let token = minted(newest, site, origin, &id);
            return Ok(Visitor { id, token, attributes: None, expires_at_ms: None });
        };
        let Some(rest) = token.strip_prefix("v1.") else {
            return self.admit_signed(site, token);
        };
        let (id, mac) = rest.split_once('.').ok_or(AuthError::BadToken)?;
        let mac = BASE64.decode(mac).map_err(|_| AuthError::BadToken)?;
        let signed_with =
            |key: &&[u8; 32]| visitor_mac(key, site, origin, id).verify_slice(&mac).is_ok();
        let key = keys.iter().find(signed_with).ok_or(AuthError::BadToken)?;
        // Who comes back with a token of an earlier key gets one of the newest: the earlier one
        // ends some day.
        let token = if key == newest { token.to_owned() } else { minted(newest, site, origin, id) };
        Ok(Visitor { id: id.to_owned(), token, attributes: None, expires_at_ms: None })
    }

    fn admit_signed(&self, site: &Site, token: &str) -> Result<Visitor, AuthError> {
        #[derive(Deserialize)]
        struct Claims {
            sub: String,
            exp: u64,
            iat: Option<u64>,
            nbf: Option<u64>,
            /// `{"consent": true, "values": {"tier": "gold"}}`
            attributes: Option<Attributes>,
        }
        let config = site.jwt.as_ref().ok_or(AuthError::NoJwt)?;
        let algorithm = match config.algorithm {
            JwtAlgorithm::HS256 => jsonwebtoken::Algorithm::HS256,
            JwtAlgorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        };
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.set_audience(&[config.audience.as_deref().unwrap_or(&site.id)]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // Times are compared with our own clock below.
        validation.validate_exp = false;
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::BadToken)?;
        let claims = config.candidates(header.kid.as_deref()).into_iter().find_map(|key| {
            let key = config.decoding_key(key).ok()?;
            jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()
        });
        let claims = claims.ok_or(AuthError::BadToken)?.claims;
        let now = self.clock.now_ms() / 1000;
        if claims.exp.saturating_add(JWT_LEEWAY_S) <= now {
            return Err(AuthError::Expired);
        }
        if claims.iat.max(claims.nbf).is_some_and(|from| from > now.saturating_add(JWT_LEEWAY_S)) {
            return Err(AuthError::TooEarly);
        }
        if claims.exp.saturating_sub(claims.iat.unwrap_or(now).min(now)) > JWT_LIFE_S + JWT_LEEWAY_S
        {
            return Err(AuthError::TooLong);
        }
        if claims.sub.is_empty() || claims.sub.len() > 128 {
            return Err(AuthError::BadToken);
        }
        let id = format!("jwt:{}", claims.sub);
        let expires_at_ms = Some(claims.exp.saturating_add(JWT_LEEWAY_S).saturating_mul(1_000));
        Ok(Visitor { id, token: token.to_owned(), attributes: claims.attributes, expires_at_ms })
    }
}

fn minted(key: &[u8; 32], site: &Site, origin: Option<&str>, id: &str) -> String {
    let mac = visitor_mac(key, site, origin, id).finalize().into_bytes();
    format!("v1.{id}.{}", BASE64.encode(mac))
}

fn visitor_mac(key: &[u8; 32], site: &Site, origin: Option<&str>, id: &str) -> Hmac<Sha256> {
    let mut mac =
        <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [&site.id, origin.unwrap_or(""), id] {
        // Lengths keep "a" + "bc" from "ab" + "c".
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

/// How far a key has to reach for what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Every site, and what belongs to none: accounts, metrics.
    Server,
    Site(&'a str),
}

impl Key {
    /// Whether the key is good so far: one that is limited to a site is for that site alone.
    #[must_use]
    pub fn reaches(&self, reach: Reach<'_>) -> bool {
        match (&self.site, reach) {
            (None, _) => true,
            (Some(own), Reach::Site(site)) => own == site,
            (Some(_), Reach::Server) => false,
        }
    }
}

/// Checks keys of programs.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Those of `[[auth.keys]]`.
    keys: Arc<RwLock<Vec<Arc<Key>>>>,
    /// The key in `admin.key`, which can be changed while the server runs.
    admin: Arc<RwLock<Option<Arc<Key>>>>,
}

impl Keys {
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        let new = Self::default();
        new.replace(keys);
        new
    }

    /// Takes these in place of those of the configuration before.
    pub fn replace(&self, keys: Vec<Key>) {
        for key in &keys {
            if let (Some(site), true) = (&key.site, key.scopes.contains(&Scope::Metrics)) {
                let name = &key.name;
                tracing::warn!(
                    key = name,
                    site,
                    "metrics are the whole server's: this key, limited to a site, doesn't open them"
                );
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) =
            keys.into_iter().map(Arc::new).collect();
    }

    /// Takes the admin key with this hash in place of the one before.
    pub fn replace_admin(&self, sha256: String) {
        let key = Key {
            name: "admin.key".into(),
            sha256,
            scopes: vec![Scope::Admin, Scope::Metrics],
            site: None,
        };
        *self.admin.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key));
    }

    /// The key that was shown, if it is known, has the scope and reaches so far.
    #[must_use]
    pub fn check(
        &self,
        authorization: Option<&str>,
        scope: Scope,
        reach: Reach<'_>,
    ) -> Option<Arc<Key>> {
        self.shown(authorization, scope).find(|key| key.reaches(reach))
    }

    /// The key that was shown, if it is known and has the scope, whatever sites it is good for:
    /// that is still to be asked.
    #[must_use]
    pub fn any(&self, authorization: Option<&str>, scope: Scope) -> Option<Arc<Key>> {
        self.shown(authorization, scope).next()
    }

    /// What the key that was shown is called, whatever it may be used for.
    #[must_use]
    pub fn name_of(&self, authorization: Option<&str>) -> Option<String> {
        let scopes = [Scope::Admin, Scope::Metrics, Scope::Knowledge, Scope::Outcomes, Scope::Chat];
        scopes
            .into_iter()
            .find_map(|scope| self.any(authorization, scope))
            .map(|key| key.name.clone())
    }

    fn shown(&self, authorization: Option<&str>, scope: Scope) -> impl Iterator<Item = Arc<Key>> {
        let hash = authorization
            .and_then(|shown| shown.strip_prefix("Bearer "))
            .map(|shown| key_hash(shown.trim()));
        let admin = self.admin.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_it = move |key: &&Arc<Key>| {
            hash.as_ref()
                .is_some_and(|hash| bool::from(key.sha256.as_bytes().ct_eq(hash.as_bytes())))
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let fits =
            keys.iter().chain(&admin).filter(is_it).filter(|key| key.scopes.contains(&scope));
        fits.cloned().collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::new_key;
    use crate::site::{JwtConfig, JwtKey};

    fn visitors(now_s: u64) -> Visitors {
        Visitors::new(VisitorKeys::new(vec![[7; 32]]), Clock::manual(now_s * 1000))
    }

    fn site(id: &str) -> Site {
        let jwt = JwtConfig::new(JwtAlgorithm::HS256, "0123456789abcdef0123456789abcdef");
        Site { id: id.into(), jwt: Some(jwt), ..Site::default() }
    }

    #[test]
    fn a_token_is_good_for_its_site_and_origin_alone() {
        let (visitors, shop) = (visitors(0), site("shop"));
        let origin = Some("https://shop.example");
        let visitor = visitors.admit(&shop, origin, None).unwrap();
        assert_eq!(visitors.admit(&shop, origin, Some(&visitor.token)).unwrap(), visitor);
        let others = [
            (site("bank"), origin, visitor.token.clone()),
            (site("shop"), Some("https://evil.example"), visitor.token.clone()),
            (site("shop"), None, visitor.token.clone()),
            (site("shop"), origin, visitor.token.replace("v1.", "v1.x")),
            (site("shop"), origin, "v1.".into()),
            (site("shop"), origin, "v1.a.b".into()),
            (site("shop"), origin, String::new()),
        ];
        for (site, origin, token) in others {
            assert_eq!(
                visitors.admit(&site, origin, Some(&token)),
                Err(AuthError::BadToken),
                "{token}"
            );
        }
    }

    #[test]
    fn a_token_of_the_key_before_is_good_and_exchanged() {
        let (shop, clock) = (site("shop"), Clock::manual(0));
        let with = |keys: &[u8]| {
            let keys = keys.iter().map(|key| [*key; 32]).collect();
            Visitors::new(VisitorKeys::new(keys), clock.clone())
        };
        let first = with(&[1]).admit(&shop, None, None).unwrap();
        let second = with(&[2, 1]).admit(&shop, None, Some(&first.token)).unwrap();
        assert!(second.id == first.id && second.token != first.token);
        assert_eq!(with(&[3, 2]).admit(&shop, None, Some(&second.token)).unwrap().id, first.id);
        assert_eq!(with(&[3, 2]).admit(&shop, None, Some(&first.token)), Err(AuthError::BadToken));
    }

    fn jwt(algorithm: jsonwebtoken::Algorithm, claims: &serde_json::Value) -> String {
        super::super::jwt::install();
        let key = jsonwebtoken::EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), claims, &key).unwrap()
    }

    fn check_jwt(claims: &serde_json::Value, expected: Result<&str, AuthError>) {
        let found = visitors(1_000).admit(
            &site("shop"),
            None,
            Some(&jwt(jsonwebtoken::Algorithm::HS256, claims)),
        );
        assert_eq!(found.map(|visitor| visitor.id), expected.map(str::to_owned), "{claims}");
    }

    #[test]
    fn signed_tokens_are_short_lived_and_pinned() {
        check_jwt(
            &serde_json::json!({"sub": "42", "aud": "shop", "iat": 990, "exp": 1_500}),
            Ok("jwt:42"),
        );
        check_jwt(
            &serde_json::json!({"sub": "42", "aud": "bank", "iat": 990, "exp": 1_500}),
            Err(AuthError::BadToken),
        );
        check_jwt(
            &serde_json::json!({"sub": "42", "aud": "shop", "iat": 10, "exp": 900}),
            Err(AuthError::Expired),
        );
        check_jwt(
            &serde_json::json!({"sub": "42", "aud": "shop", "iat": 990, "exp": 9_000}),
            Err(AuthError::TooLong),
        );
        check_jwt(
            &serde_json::json!({"sub": "42", "aud": "shop", "exp": 9_000}),
            Err(AuthError::TooLong),
        );
        check_jwt(&serde_json::json!({"aud": "shop", "exp": 1_500}), Err(AuthError::BadToken));
        let other = jwt(
            jsonwebtoken::Algorithm::HS512,
            &serde_json::json!({"sub": "42", "aud": "shop", "exp": 1_500}),
        );
        assert_eq!(
            visitors(1_000).admit(&site("shop"), None, Some(&other)),
            Err(AuthError::BadToken)
        );
    }

    #[test]
    fn a_key_is_changed_for_another_without_a_gap() {
        super::super::jwt::install();
        let keys = ["first", "second", "third"]
            .map(|name| format!("{name} 0123456789abcdef0123456789abcdef"));
        let further =
            |kid: &str, key: &str| JwtKey { kid: kid.into(), key: key.into(), key_file: None };
        let mut shop = site("shop");
        let jwt = shop.jwt.as_mut().unwrap();
        jwt.key.clone_from(&keys[0]);
        jwt.keys = vec![further("b", &keys[1])];
        let sign = |key: &str, kid: Option<&str>| {
            let header = jsonwebtoken::Header {
                kid: kid.map(Into::into),
                ..jsonwebtoken::Header::default()
            };
            let claims = serde_json::json!({"sub": "42", "aud": "shop", "iat": 990, "exp": 1_500});
            jsonwebtoken::encode(
                &header,
                &claims,
                &jsonwebtoken::EncodingKey::from_secret(key.as_bytes()),
            )
            .unwrap()
        };
        for (key, kid, good) in [
            (&keys[0], None, true),
            (&keys[1], None, true),
            (&keys[1], Some("b"), true),
            (&keys[0], Some("a"), true),
            (&keys[0], Some("b"), false),
            (&keys[1], Some("a"), false),
            (&keys[2], None, false),
            (&keys[2], Some("b"), false),
        ] {
            let found = visitors(1_000).admit(&shop, None, Some(&sign(key, kid)));
            assert_eq!(found.is_ok(), good, "{key} {kid:?}: {found:?}");
        }
        assert_eq!(shop.mistakes(), Vec::<String>::new());
        shop.jwt.as_mut().unwrap().keys.push(further("b", &keys[2]));
        assert!(shop.mistakes().concat().contains("given once"));
    }

    #[test]
    fn origins_are_exact() {
        let site = Site { origins: vec!["https://shop.example".into()], ..Site::default() };
        let own = ["http://127.0.0.1:8080".to_owned()];
        for (origin, expected) in [
            (Some("https://shop.example"), true),
            (Some("http://127.0.0.1:8080"), true),
            (None, true),
            (Some("https://shop.example.evil.example"), false),
            (Some("http://shop.example"), false),
            (Some("null"), false),
        ] {
            assert_eq!(site.allows(origin, &own), expected, "{origin:?}");
        }
    }

    #[test]
    fn keys_have_scopes_and_sites() {
        let key = new_key();
        let keys = Keys::new(vec![Key {
            name: "test".into(),
            sha256: key_hash(&key),
            scopes: vec![Scope::Chat],
            site: Some("shop".into()),
        }]);
        let bearer = format!("Bearer {key}");
        let (shop, bank) = (Reach::Site("shop"), Reach::Site("bank"));
        assert!(keys.check(Some(&bearer), Scope::Chat, shop).is_some());
        assert!(keys.check(Some(&bearer), Scope::Chat, bank).is_none());
        assert!(keys.check(Some(&bearer), Scope::Chat, Reach::Server).is_none());
        assert!(keys.check(Some(&bearer), Scope::Admin, shop).is_none());
        assert!(
            keys.any(Some(&bearer), Scope::Chat).is_some()
                && keys.any(Some(&bearer), Scope::Admin).is_none()
        );
        for nothing in
            [Some("Bearer nonsense"), Some("Bearer "), Some(""), Some(key.as_str()), None]
        {
            assert!(
                keys.check(nothing, Scope::Chat, shop).is_none()
                    && keys.any(nothing, Scope::Chat).is_none()
            );
        }
    }
}
