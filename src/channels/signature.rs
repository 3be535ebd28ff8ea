//! Who sent a webhook: the signature schemes of the platforms, over the bytes as they came. Pure;
//! every comparison of a secret or a signature takes the same time wherever they differ.
//!
//! A body is never parsed and written again before it is verified: Meta and LINE sign escapes that
//! another writer leaves out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

use crate::secret::webhook::WebhookKey;

pub mod scheme;
pub mod teams;
pub mod wechat;

/// How far a sender's clock may be from ours, in seconds, before what it signed counts as replayed.
pub const TOLERANCE_S: u64 = 300;

/// Why a webhook isn't taken. The texts are for the operator's log and tell a sender nothing about
/// the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("it carries no signature")]
    Unsigned,
    #[error("its signature is not one of this account's secrets")]
    Forged,
    #[error(
        "it was signed more than {TOLERANCE_S} s before or after now: it is replayed, or a clock is wrong"
    )]
    Stale,
    #[error("it is signed in a way that isn't known here")]
    UnknownScheme,
    #[error("it is signed with a key that isn't among the platform's")]
    UnknownKey,
}

/// What is verified: the parts of a request that a scheme may cover.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// Header value by lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// What stands behind `?` in the address.
    pub query: &'a str,
    pub body: &'a [u8],
    /// Seconds since the Unix epoch.
    pub now_s: u64,
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn one_of(secrets: &[String], fits: impl Fn(&str) -> bool) -> Result<(), Rejected> {
    // Every secret is tried, so that the time doesn't tell which one fitted.
    let found = secrets.iter().fold(false, |found, secret| fits(secret) | found);
    if found { Ok(()) } else { Err(Rejected::Forged) }
}

fn mac(algorithm: hmac::Algorithm, secret: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret));
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fresh(seconds: &str, now_s: u64) -> Result<(), Rejected> {
    let at: u64 = seconds.parse().map_err(|_| Rejected::Stale)?;
    if at.abs_diff(now_s) > TOLERANCE_S { Err(Rejected::Stale) } else { Ok(()) }
}

/// Telegram: the secret itself, as given to `setWebhook`.
///
/// # Errors
/// When it is missing or another.
pub fn telegram(signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let shown = (signed.header)("x-telegram-bot-api-secret-token").ok_or(Rejected::Unsigned)?;
    one_of(secrets, |secret| equal(shown.as_bytes(), secret.as_bytes()))
}

/// Slack: `v0=` and HMAC-SHA256 in hexadecimal over `v0:TIMESTAMP:BODY`.
///
/// # Errors
/// When it is missing, forged or stale.
pub fn slack(signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let at = (signed.header)("x-slack-request-timestamp").ok_or(Rejected::Unsigned)?;
    let shown = (signed.header)("x-slack-signature").ok_or(Rejected::Unsigned)?;
    fresh(at, signed.now_s)?;
    one_of(secrets, |secret| {
        let tag =
            mac(hmac::HMAC_SHA256, secret.as_bytes(), &[b"v0:", at.as_bytes(), b":", signed.body]);
        equal(shown.as_bytes(), format!("v0={}", hex(tag.as_ref())).as_bytes())
    })
}

/// LINE: HMAC-SHA256 of the body in Base64. It covers no time: a replay is found by the event's id.
///
/// # Errors
/// When it is missing or forged.
pub fn line(signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let shown = (signed.header)("x-line-signature").ok_or(Rejected::Unsigned)?;
    one_of(secrets, |secret| {
        let tag = mac(hmac::HMAC_SHA256, secret.as_bytes(), &[signed.body]);
        equal(shown.as_bytes(), BASE64.encode(tag.as_ref()).as_bytes())
    })
}

/// WhatsApp and Messenger: `sha256=` and HMAC-SHA256 of the body in hexadecimal, by the app's
/// secret.
///
/// # Errors
/// When it is missing or forged.
pub fn meta(signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let shown = (signed.header)("x-hub-signature-256").ok_or(Rejected::Unsigned)?;
    one_of(secrets, |secret| {
        let tag = mac(hmac::HMAC_SHA256, secret.as_bytes(), &[signed.body]);
        equal(shown.as_bytes(), format!("sha256={}", hex(tag.as_ref())).as_bytes())
    })
}

/// Twilio: HMAC in Base64 over the public address and the form, names sorted, each name's values
/// once and sorted; a JSON body stands in the address as `bodySHA256`. Without a settings header
/// SHA-1 with the account's token, else what that header names.
///
/// `url` is the address that Twilio called, as configured: what a proxy passes on may differ.
///
/// # Errors
/// When it is missing or forged, or by an algorithm that isn't known.
pub fn twilio(signed: Signed<'_>, url: &str, secrets: &[String]) -> Result<(), Rejected> {
    let shown = (signed.header)("x-twilio-signature").ok_or(Rejected::Unsigned)?;
    let algorithm = match (signed.header)("x-twilio-webhooks-signature-settings") {
        None => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Some(settings) => {
            match settings.split(',').find_map(|part| part.trim().strip_prefix("algorithm=")) {
                Some("HMAC_SHA256") => hmac::HMAC_SHA256,
                Some("HMAC_SHA1") => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                _ => return Err(Rejected::UnknownScheme),
            }
        }
    };
    let body_hash = url.split(['?', '&']).find_map(|part| part.strip_prefix("bodySHA256="));
    let mut values: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    match body_hash {
        Some(expected) => {
            let actual = hex(digest::digest(&digest::SHA256, signed.body).as_ref());
            if !equal(actual.as_bytes(), expected.as_bytes()) {
                return Err(Rejected::Forged);
            }
        }
        None => {
            for (name, value) in form(signed.body) {
                values.entry(name).or_default().insert(value);
            }
        }
    }
    let pairs: String = values
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}{value}")))
        .collect();
    let addresses = with_and_without_port(url);
    one_of(secrets, |secret| {
        addresses.iter().fold(false, |found, url| {
            let tag = mac(algorithm, secret.as_bytes(), &[url.as_bytes(), pairs.as_bytes()]);
            equal(shown.as_bytes(), BASE64.encode(tag.as_ref()).as_bytes()) | found
        })
    })
}

/// Twilio signs the address sometimes with the scheme's own port and sometimes without.
fn with_and_without_port(url: &str) -> Vec<String> {
    let mut addresses = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return addresses };
    let port = if scheme == "https" { ":443" } else { ":80" };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if let Some(bare) = host.strip_suffix(port) {
        addresses.push(format!("{scheme}://{bare}{path}"));
    } else if !host.contains(':') {
        addresses.push(format!("{scheme}://{host}{port}{path}"));
    }
    addresses
}

/// The pairs of a form, in their order; what isn't UTF-8 is replaced.
#[must_use]
pub fn form(body: &[u8]) -> Vec<(String, String)> {
    let plain = |text: &[u8]| {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let [first, tail @ ..] = rest {
            rest = tail;
            match (first, tail) {
                (b'+', _) => bytes.push(b' '),
                (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => {
                        bytes.push(high * 16 + low);
                        rest = after;
                    }
                    _ => bytes.push(b'%'),
                },
                (byte, _) => bytes.push(*byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (plain(&pair[..at]), plain(pair.get(at + 1..).unwrap_or_default()))
        })
        .collect()
}

/// Pairs as a form, as [`form`] reads it.
#[must_use]
pub fn form_bytes(pairs: &[(&'static str, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value, b"")));
    pairs.collect::<Vec<_>>().join("&")
}

/// A text as a part of an address (RFC 3986): all but unreserved characters and `also` as percent
/// signs and hexadecimal.
pub(super) fn percent_encoded(text: &str, also: &[u8]) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Standard Webhooks: space-separated `v1,` (HMAC-SHA256, secrets `whsec_…`) and `v1a,` (Ed25519,
/// public keys `whpk_…`) over `ID.TIMESTAMP.BODY`; one that fits is enough. Source: the
/// specification of standard-webhooks, version 1.
///
/// # Errors
/// When it is missing, forged or stale.
pub fn standard(signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let header = |name: &str| (signed.header)(name).ok_or(Rejected::Unsigned);
    let (id, at, shown) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    fresh(at, signed.now_s)?;
    one_of(secrets, |secret| {
        shown.split(' ').fold(false, |found, one| fits(one, secret, id, at, signed.body) | found)
    })
}

fn fits(shown: &str, secret: &str, id: &str, at: &str, body: &[u8]) -> bool {
    match shown.split_once(',') {
        Some(("v1", shown)) => {
            let own = WebhookKey::parse(secret).map(|key| key.sign(id, at, body));
            own.is_some_and(|own| {
                own.strip_prefix("v1,").is_some_and(|own| equal(shown.as_bytes(), own.as_bytes()))
            })
        }
        Some(("v1a", shown)) => {
            let key = secret.strip_prefix("whpk_").and_then(|key| BASE64.decode(key).ok());
            let (Some(key), Ok(shown)) = (key, BASE64.decode(shown)) else { return false };
            let message = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
            UnparsedPublicKey::new(&ED25519, key).verify(&message, &shown).is_ok()
        }
        _ => false,
    }
}

/// Discord: Ed25519 over time and body; the secrets are the application's public key in
/// hexadecimal. Discord tries wrong signatures, and removes an address that takes one.
///
/// # Errors
/// When it is missing, forged or stale.
pub fn discord(signed: Signed<'_>, keys: &[String]) -> Result<(), Rejected> {
    let header = |name: &str| (signed.header)(name).ok_or(Rejected::Unsigned);
    let (shown, at) = (header("x-signature-ed25519")?, header("x-signature-timestamp")?);
    fresh(at, signed.now_s)?;
    let shown = unhex(shown).ok_or(Rejected::Forged)?;
    let message = [at.as_bytes(), signed.body].concat();
    one_of(keys, |key| {
        unhex(key).is_some_and(|key| {
            UnparsedPublicKey::new(&ED25519, key).verify(&message, &shown).is_ok()
        })
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(
            |pair| {
                if let [high, low] = pair { Some(digit(*high)? * 16 + digit(*low)?) } else { None }
            },
        )
        .collect()
}

/// Meta's `appsecret_proof`: that who holds the token also holds the app's secret.
#[must_use]
pub fn meta_proof(secret: &str, token: &str) -> String {
    hex(mac(hmac::HMAC_SHA256, secret.as_bytes(), &[token.as_bytes()]).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    /// Whether a request with these headers passes.
    fn check(
        verify: impl Fn(Signed<'_>) -> Result<(), Rejected>,
        headers: &[(&str, &str)],
        body: &str,
        expected: Result<(), Rejected>,
    ) {
        let header = |name: &str| {
            headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        assert_eq!(
            verify(Signed { header: &header, query: "", body: body.as_bytes(), now_s: NOW }),
            expected,
            "{headers:?}"
        );
    }

    fn secrets(all: &[&str]) -> Vec<String> {
        all.iter().map(|secret| (*secret).to_owned()).collect()
    }

    #[test]
    fn telegram_compares_the_whole_secret() {
        let name = "X-Telegram-Bot-Api-Secret-Token";
        let known = secrets(&["old", "fd_Secret-1"]);
        check(|signed| telegram(signed, &known), &[(name, "fd_Secret-1")], "{}", Ok(()));
        check(
            |signed| telegram(signed, &known),
            &[(name, "fd_Secret-")],
            "{}",
            Err(Rejected::Forged),
        );
        check(|signed| telegram(signed, &known), &[], "{}", Err(Rejected::Unsigned));
        check(|signed| telegram(signed, &[]), &[(name, "")], "{}", Err(Rejected::Forged));
    }

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let read = form("Body=Gr%C3%BC%C3%9Fe+an+50%25&Empty=&Bare&%zz=1&&a=b=c".as_bytes());
        let pairs: Vec<(&str, &str)> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let written = form_bytes(&[("To", "+1 500".into()), ("Body", "Grüße & 50%".into())]);
        assert_eq!(
            form(written.as_bytes()),
            [("To".into(), "+1 500".into()), ("Body".into(), "Grüße & 50%".into())]
        );
        assert_eq!(
            pairs,
            [("Body", "Grüße an 50%"), ("Empty", ""), ("Bare", ""), ("%zz", "1"), ("a", "b=c")]
        );
    }

    #[test]
    fn what_is_signed_for_going_out_is_taken_coming_in_and_only_in_time() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = WebhookKey::parse(secret).unwrap();
        let sign = |at: u64, body: &str| key.sign("msg_1", &at.to_string(), body.as_bytes());
        let known = secrets(&["whsec_AAAA", secret]);
        let cases = [
            (NOW, "{}", Ok(())),
            (NOW - TOLERANCE_S, "{}", Ok(())),
            (NOW - TOLERANCE_S - 1, "{}", Err(Rejected::Stale)),
            (NOW + TOLERANCE_S + 1, "{}", Err(Rejected::Stale)),
            (NOW, "{ }", Err(Rejected::Forged)),
        ];
        for (at, signed_body, expected) in cases {
            let shown = format!("v2,zzz {}", sign(at, signed_body));
            let at = at.to_string();
            let headers = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", at.as_str()),
                ("webhook-signature", shown.as_str()),
            ];
            check(|signed| standard(signed, &known), &headers, "{}", expected);
        }
    }
}
