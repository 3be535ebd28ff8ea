//! Who gets in: sites and their origins, visitor tokens, keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::clock::Clock;
use crate::conversation::Attributes;
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
    /// The site it is limited to; left out, it is good for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `/v1/chat/completions`.
    Chat,
    /// Reporting what came of conversations.
    Outcomes,
    /// Everything on the admin listener.
    Admin,
    /// `/metrics`.
    Metrics,
    /// `/v1/sites/{site}/documents`: handing documents in and removing them. On the public listener the key must name its
    /// site.
    Knowledge,
}

/// Why a visitor isn't let in. The texts tell an honest client what to do and a dishonest one nothing.
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
}

/// Longest life of a signed token, in seconds, and how far clocks may be apart.
const JWT_LIFE_S: u64 = 15 * 60;
const JWT_LEEWAY_S: u64 = 30;

/// Mints and checks visitor tokens.
///
/// An anonymous token is `v1.<visitor>.<mac>`: a random 128-bit visitor id and a 256-bit HMAC-SHA-256 over site, origin and
/// visitor, so that it is good for one site and origin and needs no storage.
#[derive(Clone)]
pub struct Visitors {
    secret: [u8; 32],
    clock: Clock,
}

impl Visitors {
    #[must_use]
    pub fn new(secret: [u8; 32], clock: Clock) -> Self {
        super::jwt::install();
        Self { secret, clock }
    }

    /// Lets a visitor in: a new one without a token, a known one with the token of an earlier visit or of the site.
    ///
    /// # Errors
    /// When the token is forged, expired, or belongs to another site or origin.
    pub fn admit(&self, site: &Site, origin: Option<&str>, token: Option<&str>) -> Result<Visitor, AuthError> {
        let Some(token) = token else {
            let id = random_id();
            let token = self.token(site, origin, &id);
            return Ok(Visitor { id, token, attributes: None });
        };
        let Some(rest) = token.strip_prefix("v1.") else {
            return self.admit_signed(site, token);
        };
        let (id, mac) = rest.split_once('.').ok_or(AuthError::BadToken)?;
        let mac = BASE64.decode(mac).map_err(|_| AuthError::BadToken)?;
        self.mac(site, origin, id).verify_slice(&mac).map_err(|_| AuthError::BadToken)?;
        Ok(Visitor { id: id.to_owned(), token: token.to_owned(), attributes: None })
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
        let key = config.key().map_err(|_| AuthError::BadToken)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| AuthError::BadToken)?.claims;
        let now = self.clock.now_ms() / 1000;
        if claims.exp.saturating_add(JWT_LEEWAY_S) <= now {
            return Err(AuthError::Expired);
        }
        if claims.iat.max(claims.nbf).is_some_and(|from| from > now.saturating_add(JWT_LEEWAY_S)) {
            return Err(AuthError::TooEarly);
        }
        if claims.exp.saturating_sub(claims.iat.unwrap_or(now).min(now)) > JWT_LIFE_S + JWT_LEEWAY_S {
            return Err(AuthError::TooLong);
        }
        if claims.sub.is_empty() || claims.sub.len() > 128 {
            return Err(AuthError::BadToken);
        }
        let id = format!("jwt:{}", claims.sub);
        Ok(Visitor { id, token: token.to_owned(), attributes: claims.attributes })
    }

    fn token(&self, site: &Site, origin: Option<&str>, id: &str) -> String {
        let mac = self.mac(site, origin, id).finalize().into_bytes();
        format!("v1.{id}.{}", BASE64.encode(mac))
    }

    fn mac(&self, site: &Site, origin: Option<&str>, id: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        for part in [&site.id, origin.unwrap_or(""), id] {
            // Lengths keep "a" + "bc" from "ab" + "c".
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

/// Checks keys of programs.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
}

impl Keys {
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// The key that was shown, if it is known, has the scope and is good for the site.
    #[must_use]
    pub fn check(&self, authorization: Option<&str>, scope: Scope, site: Option<&str>) -> Option<&Key> {
        let shown = authorization?.strip_prefix("Bearer ")?.trim();
        let hash = key_hash(shown);
        self.keys.iter().find(|key| {
            bool::from(key.sha256.as_bytes().ct_eq(hash.as_bytes()))
                && key.scopes.contains(&scope)
                && (site.is_none() || key.site.is_none() || key.site.as_deref() == site)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::new_key;
    use crate::site::JwtConfig;

    fn visitors(now_s: u64) -> Visitors {
        Visitors::new([7; 32], Clock::manual(now_s * 1000))
    }

    fn site(id: &str) -> Site {
        let jwt = JwtConfig {
            algorithm: JwtAlgorithm::HS256,
            key: "0123456789abcdef0123456789abcdef".into(),
            audience: None,
        };
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
            assert_eq!(visitors.admit(&site, origin, Some(&token)), Err(AuthError::BadToken), "{token}");
        }
    }

    fn jwt(algorithm: jsonwebtoken::Algorithm, claims: &serde_json::Value) -> String {
        super::super::jwt::install();
        let key = jsonwebtoken::EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), claims, &key).unwrap()
    }

    fn check_jwt(claims: &serde_json::Value, expected: Result<&str, AuthError>) {
        let found = visitors(1_000).admit(&site("shop"), None, Some(&jwt(jsonwebtoken::Algorithm::HS256, claims)));
        assert_eq!(found.map(|visitor| visitor.id), expected.map(str::to_owned), "{claims}");
    }

    #[test]
    fn signed_tokens_are_short_lived_and_pinned() {
        check_jwt(&serde_json::json!({"sub": "42", "aud": "shop", "iat": 990, "exp": 1_500}), Ok("jwt:42"));
        check_jwt(&serde_json::json!({"sub": "42", "aud": "bank", "iat": 990, "exp": 1_500}), Err(AuthError::BadToken));
        check_jwt(&serde_json::json!({"sub": "42", "aud": "shop", "iat": 10, "exp": 900}), Err(AuthError::Expired));
        check_jwt(&serde_json::json!({"sub": "42", "aud": "shop", "iat": 990, "exp": 9_000}), Err(AuthError::TooLong));
        check_jwt(&serde_json::json!({"sub": "42", "aud": "shop", "exp": 9_000}), Err(AuthError::TooLong));
        check_jwt(&serde_json::json!({"aud": "shop", "exp": 1_500}), Err(AuthError::BadToken));
        let other = jwt(jsonwebtoken::Algorithm::HS512, &serde_json::json!({"sub": "42", "aud": "shop", "exp": 1_500}));
        assert_eq!(visitors(1_000).admit(&site("shop"), None, Some(&other)), Err(AuthError::BadToken));
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
        assert!(keys.check(Some(&bearer), Scope::Chat, Some("shop")).is_some());
        assert!(keys.check(Some(&bearer), Scope::Chat, Some("bank")).is_none());
        assert!(keys.check(Some(&bearer), Scope::Admin, Some("shop")).is_none());
        assert!(keys.check(Some("Bearer nonsense"), Scope::Chat, Some("shop")).is_none());
        assert!(keys.check(None, Scope::Chat, None).is_none());
    }
}
