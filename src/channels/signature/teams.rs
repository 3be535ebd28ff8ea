//! Teams shows a token (JWT, RS256) of the Bot Framework that names us, and the address to answer
//! to. Pure.

use serde_json::Value;

use super::{Rejected, TOLERANCE_S};
use crate::secret::jws::{PublicKey, Token, Unsigned};

const ISSUER: &str = "https://api.botframework.com";
const ALGORITHM: &str = "RS256";

/// A public key of the Bot Framework.
#[derive(Clone)]
pub struct Key {
    public: PublicKey,
    /// Platforms that it speaks for; none listed are all.
    endorsements: Vec<String>,
}

/// The RSA keys of a key set (RFC 7517); what isn't one is left out.
#[must_use]
pub fn keys(set: &Value) -> Vec<Key> {
    let keys = set["keys"].as_array().into_iter().flatten();
    keys.filter_map(|key| {
        let public = PublicKey::of(key).filter(|public| public.algorithm() == ALGORITHM)?;
        let endorsements = key["endorsements"].as_array().into_iter().flatten();
        let endorsements = endorsements.filter_map(|one| one.as_str().map(str::to_owned)).collect();
        Some(Key { public, endorsements })
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
    let token = Token::parse(token).map_err(|_| Rejected::Forged)?;
    if token.algorithm() != ALGORITHM {
        return Err(Rejected::UnknownScheme);
    }
    let named = |key: &&Key| key.public.id().is_some_and(|id| token.key_id() == Some(id));
    let key = keys.iter().find(named).ok_or(Rejected::UnknownKey)?;
    let claims = token.verify(&key.public).map_err(|error| match error {
        Unsigned::Algorithm => Rejected::UnknownScheme,
        Unsigned::UnknownKey => Rejected::UnknownKey,
        Unsigned::Malformed | Unsigned::Forged => Rejected::Forged,
    })?;
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
