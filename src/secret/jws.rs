//! Tokens that others signed (RFC 7515), and the public keys to check them with (RFC 7517). Pure.
//!
//! Which algorithm counts is the key's business: whoever writes the token's header must not choose
//! what a signature is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value;

/// Why a token isn't believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("it is no signed token")]
    Malformed,
    #[error("it isn't signed by RS256, ES256 or EdDSA with a key of that kind")]
    Algorithm,
    #[error("it is signed with a key that isn't among the issuer's")]
    UnknownKey,
    #[error("its signature is wrong")]
    Forged,
}

/// A public key, of one of three kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// A key of a key set; `None` for one of another kind, and for one that encrypts.
    #[must_use]
    pub fn of(key: &Value) -> Option<Self> {
        if key["use"].as_str().is_some_and(|of| of != "sig") {
            return None;
        }
        let bytes = |name: &str| BASE64.decode(key[name].as_str()?).ok();
        let material = match (key["kty"].as_str()?, key["crv"].as_str()) {
            ("RSA", _) => Material::Rsa { modulus: bytes("n")?, exponent: bytes("e")? },
            ("EC", Some("P-256")) => Material::P256([vec![4], bytes("x")?, bytes("y")?].concat()),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        let key = Self { id: key["kid"].as_str().map(str::to_owned), material };
        Some(key)
    }

    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// As tokens name it.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Rsa { .. } => "RS256",
            Material::P256(_) => "ES256",
            Material::Ed25519(_) => "EdDSA",
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Rsa { modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    message,
                    signature,
                )
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

/// A token that was taken apart and not yet checked; what it claims is told once a key has
/// verified it.
pub struct Token<'a> {
    signed: &'a str,
    header: Value,
    claims: Value,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// # Errors
    /// [`Unsigned::Malformed`].
    pub fn parse(token: &'a str) -> Result<Self, Unsigned> {
        let malformed = Unsigned::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&BASE64.decode(part).ok()?).ok().filter(Value::is_object)
        };
        let header = json(header).ok_or(malformed)?;
        // Who marks something as critical wants it understood, and nothing of the kind is.
        if !header["crit"].is_null() {
            return Err(malformed);
        }
        let signature = BASE64.decode(signature).map_err(|_| malformed)?;
        Ok(Self { signed, header, claims: json(claims).ok_or(malformed)?, signature })
    }

    /// As the header names it.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.header["alg"].as_str().unwrap_or_default()
    }

    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header["kid"].as_str()
    }

    /// What the token claims.
    ///
    /// # Errors
    /// [`Unsigned::Algorithm`], [`Unsigned::Forged`].
    pub fn verify(self, key: &PublicKey) -> Result<Value, Unsigned> {
        if self.algorithm() != key.algorithm() {
            return Err(Unsigned::Algorithm);
        }
        if key.verifies(self.signed.as_bytes(), &self.signature) {
            Ok(self.claims)
        } else {
            Err(Unsigned::Forged)
        }
    }

    /// The same with the one of these keys that the token names; without a name, with the only one
    /// of its algorithm.
    ///
    /// # Errors
    /// See [`Unsigned`]. With `UnknownKey` the keys may be out of date.
    pub fn verify_among(self, keys: &[PublicKey]) -> Result<Value, Unsigned> {
        if !["RS256", "ES256", "EdDSA"].contains(&self.algorithm()) {
            return Err(Unsigned::Algorithm);
        }
        let key = match self.key_id() {
            Some(id) => keys.iter().find(|key| key.id() == Some(id)),
            None => {
                let mut fitting = keys.iter().filter(|key| key.algorithm() == self.algorithm());
                fitting.next().filter(|_| fitting.next().is_none())
            }
        };
        self.verify(key.ok_or(Unsigned::UnknownKey)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Key and token of RFC 8037, appendix A.
    fn ed25519() -> PublicKey {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        PublicKey::of(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "ed" })).unwrap()
    }

    /// Key of RFC 7515, appendix A.3; its token's claims are those of A.1.
    fn p256() -> PublicKey {
        let (x, y) = (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        );
        PublicKey::of(&json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })).unwrap()
    }

    const P256_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo\
        gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmX\
        FCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn check(token: &str, keys: &[PublicKey], expected: Result<&str, Unsigned>) {
        let found = Token::parse(token).and_then(|token| token.verify_among(keys));
        let issuer = found.map(|claims| claims["iss"].as_str().unwrap().to_owned());
        assert_eq!(issuer, expected.map(str::to_owned), "{token}");
    }

    #[test]
    fn the_standards_own_token_is_verified() {
        check(P256_TOKEN, &[p256()], Ok("joe"));
        check(P256_TOKEN, &[ed25519(), p256()], Ok("joe"));
        // Without a name nobody says which of two it is.
        check(P256_TOKEN, &[p256(), p256()], Err(Unsigned::UnknownKey));
        check(P256_TOKEN, &[ed25519()], Err(Unsigned::UnknownKey));
    }

    #[test]
    fn what_was_changed_or_signed_otherwise_is_refused() {
        let [header, claims, signature] =
            <[&str; 3]>::try_from(P256_TOKEN.split('.').collect::<Vec<_>>()).unwrap();
        let encoded = |value: Value| BASE64.encode(value.to_string());
        let with = |header: Value| format!("{}.{claims}.{signature}", encoded(header));
        let keys = [p256(), ed25519()];
        let other = encoded(json!({ "iss": "eve" }));
        check(&format!("{header}.{other}.{signature}"), &keys, Err(Unsigned::Forged));
        check(&format!("{header}.{claims}."), &keys, Err(Unsigned::Forged));
        check(&with(json!({ "alg": "none" })), &keys, Err(Unsigned::Algorithm));
        check(&with(json!({ "alg": "HS256" })), &keys, Err(Unsigned::Algorithm));
        check(&with(json!({ "typ": "JWT" })), &keys, Err(Unsigned::Algorithm));
        let named = json!({ "alg": "ES256", "kid": "ed" });
        check(&with(named), &keys, Err(Unsigned::Algorithm));
        check(&with(json!({ "alg": "ES256", "kid": "x" })), &keys, Err(Unsigned::UnknownKey));
        let critical = json!({ "alg": "ES256", "crit": ["exp"] });
        check(&with(critical), &keys, Err(Unsigned::Malformed));
        for none in ["", "a.b.c", "..", claims, &format!("{P256_TOKEN}.x")] {
            check(none, &keys, Err(Unsigned::Malformed));
        }
    }

    #[test]
    fn keys_of_other_kinds_are_none() {
        for other in [
            json!({ "kty": "oct", "k": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "RSA", "n": "AAAA", "e": "AQAB", "use": "enc" }),
            json!({ "kty": "RSA", "e": "AQAB" }),
            json!({ "kty": "RSA", "n": "A A", "e": "AQAB" }),
            json!("RSA"),
        ] {
            assert_eq!(PublicKey::of(&other), None, "{other}");
        }
        let rsa = PublicKey::of(&json!({ "kty": "RSA", "n": "AAAA", "e": "AQAB" })).unwrap();
        assert_eq!((rsa.algorithm(), rsa.id()), ("RS256", None));
    }
}
