//! Teams shows a token (JWT, RS256) of the Bot Framework that names us, and the address to answer
//! to. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

use super::{Rejected, TOLERANCE_S};

const ISSUER: &str = "https://api.botframework.com";

/// A public key of the Bot Framework.
#[derive(Clone)]
pub struct Key {
    id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// Platforms that it speaks for; none listed are all.
    endorsements: Vec<String>,
}

/// The RSA keys of a key set (RFC 7517); what isn't one is left out.
#[must_use]
pub fn keys(set: &Value) -> Vec<Key> {
    let keys = set["keys"].as_array().into_iter().flatten().filter(|key| key["kty"] == "RSA");
    let bytes = |value: &Value| BASE64URL.decode(value.as_str()?).ok();
    keys.filter_map(|key| {
        let endorsements = key["endorsements"].as_array().into_iter().flatten();
        Some(Key {
            id: key["kid"].as_str()?.to_owned(),
            modulus: bytes(&key["n"])?,
            exponent: bytes(&key["e"])?,
            endorsements: endorsements.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        })
    })
    .collect()
}

/// What a token is checked against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The bot's application id.
    pub app: &'a str,
    /// Where the activity wants to be answered.
    pub service_url: &'a str,
    /// The activity's `channelId`.
    pub channel: &'a str,
    pub now_s: u64,
}

/// Verifies the value of `Authorization`.
///
/// # Errors
/// `UnknownKey` when the keys may be out of date; else when the token isn't for this bot and this
/// activity, or not now.
pub fn verify(
    authorization: Option<&str>,
    keys: &[Key],
    expected: &Expected<'_>,
) -> Result<(), Rejected> {
    let token =
        authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Rejected::Unsigned)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Forged)?;
    let (header, claims) = signed.split_once('.').ok_or(Rejected::Forged)?;
    let json = |part: &str| -> Option<Value> {
        serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
    };
    let (Some(header), Some(claims)) = (json(header), json(claims)) else {
        return Err(Rejected::Forged);
    };
    // Whoever chooses the algorithm chooses what counts as a signature.
    if header["alg"] != "RS256" {
        return Err(Rejected::UnknownScheme);
    }
    let key =
        keys.iter().find(|key| header["kid"] == key.id.as_str()).ok_or(Rejected::UnknownKey)?;
    let signature = BASE64URL.decode(signature).map_err(|_| Rejected::Forged)?;
    RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| Rejected::Forged)?;
    let second = |name: &str| claims[name].as_u64();
    let (Some(from), Some(to)) = (second("nbf"), second("exp")) else {
        return Err(Rejected::Stale);
    };
    if expected.now_s + TOLERANCE_S < from || expected.now_s > to.saturating_add(TOLERANCE_S) {
        return Err(Rejected::Stale);
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    let ours = ["", "api://", "api://botid-"]
        .iter()
        .any(|prefix| audience.strip_prefix(prefix) == Some(expected.app));
    let endorsed =
        key.endorsements.is_empty() || key.endorsements.iter().any(|one| one == expected.channel);
    let service = claims["serviceurl"].as_str().unwrap_or_default();
    if !ours
        || !endorsed
        || claims["iss"] != ISSUER
        || service.is_empty()
        || service != expected.service_url
    {
        return Err(Rejected::Forged);
    }
    Ok(())
}
