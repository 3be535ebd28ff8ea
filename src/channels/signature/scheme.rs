//! How systems that aren't messaging platforms sign what they post: one row for each. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{Rejected, Signed, equal, form, fresh, hex, mac, one_of};
use crate::calendar::seconds;
use crate::site::channel::SignedAs;

/// What a scheme signs, with what, and where the signature stands.
struct Row {
    header: &'static str,
    /// Before the signature.
    prefix: &'static str,
    /// Header with the time, which is signed.
    time: Option<&'static str>,
    /// How it is written.
    written: Written,
    /// What stands before the time and between it and the body.
    around_time: [&'static str; 2],
    algorithm: hmac::Algorithm,
    base64: bool,
}

/// How a time is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Since the Unix epoch.
    Seconds,
    Rfc3339,
}

const CHATWOOT: Row = Row {
    header: "x-chatwoot-signature",
    prefix: "sha256=",
    time: Some("x-chatwoot-timestamp"),
    written: Written::Seconds,
    around_time: ["", "."],
    algorithm: hmac::HMAC_SHA256,
    base64: false,
};

const ZENDESK: Row = Row {
    header: "x-zendesk-webhook-signature",
    prefix: "",
    time: Some("x-zendesk-webhook-signature-timestamp"),
    written: Written::Rfc3339,
    around_time: ["", ""],
    algorithm: hmac::HMAC_SHA256,
    base64: true,
};

const INTERCOM: Row = Row {
    header: "x-hub-signature",
    prefix: "sha1=",
    time: None,
    written: Written::Seconds,
    around_time: ["", ""],
    algorithm: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    base64: false,
};

const ZOOM: Row = Row {
    header: "x-zm-signature",
    prefix: "v0=",
    time: Some("x-zm-request-timestamp"),
    written: Written::Seconds,
    around_time: ["v0:", ":"],
    algorithm: hmac::HMAC_SHA256,
    base64: false,
};

/// Verifies a request as its scheme says.
///
/// # Errors
/// When the signature is missing, forged or, where the scheme signs a time, stale.
pub fn verify(scheme: SignedAs, signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    match scheme {
        SignedAs::Standard => super::standard(signed, secrets),
        SignedAs::Chatwoot => by_row(&CHATWOOT, signed, secrets),
        SignedAs::Zendesk => by_row(&ZENDESK, signed, secrets),
        SignedAs::Intercom => by_row(&INTERCOM, signed, secrets),
        SignedAs::Zoom => by_row(&ZOOM, signed, secrets),
        SignedAs::Mailgun => {
            let fields =
                form(signed.body).into_iter().map(|(name, value)| (name, value.into_bytes()));
            mailgun(&fields.collect::<Vec<_>>(), signed.now_s, secrets)
        }
        SignedAs::Sendgrid => sendgrid(signed, secrets),
    }
}

fn by_row(row: &Row, signed: Signed<'_>, secrets: &[String]) -> Result<(), Rejected> {
    let shown = (signed.header)(row.header).ok_or(Rejected::Unsigned)?;
    let at = match row.time {
        Some(name) => (signed.header)(name).ok_or(Rejected::Unsigned)?,
        None => "",
    };
    match row.written {
        _ if row.time.is_none() => {}
        Written::Seconds => fresh(at, signed.now_s)?,
        Written::Rfc3339 => {
            let at = seconds(at).ok_or(Rejected::Stale)?;
            fresh(&at.to_string(), signed.now_s)?;
        }
    }
    let [before, between] = row.around_time;
    one_of(secrets, |secret| {
        let parts = [before.as_bytes(), at.as_bytes(), between.as_bytes(), signed.body];
        let tag = mac(row.algorithm, secret.as_bytes(), &parts);
        let own = if row.base64 { BASE64.encode(tag.as_ref()) } else { hex(tag.as_ref()) };
        equal(shown.as_bytes(), format!("{}{own}", row.prefix).as_bytes())
    })
}

/// Mailgun signs a time and a token, and nothing of the message: the token is the event's key, so
/// that it counts once.
///
/// # Errors
/// When a field is missing, forged or stale.
pub(crate) fn mailgun(
    fields: &[(String, Vec<u8>)],
    now_s: u64,
    secrets: &[String],
) -> Result<(), Rejected> {
    let field = |name: &str| {
        let found = fields.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        found.and_then(|value| std::str::from_utf8(value).ok())
    };
    let (Some(at), Some(token), Some(shown)) =
        (field("timestamp"), field("token"), field("signature"))
    else {
        return Err(Rejected::Unsigned);
    };
    fresh(at, now_s)?;
    one_of(secrets, |secret| {
        let tag = mac(hmac::HMAC_SHA256, secret.as_bytes(), &[at.as_bytes(), token.as_bytes()]);
        equal(shown.as_bytes(), hex(tag.as_ref()).as_bytes())
    })
}

/// SendGrid: ECDSA on P-256 with SHA-256 over time and body; the secrets are its public keys in
/// Base64.
fn sendgrid(signed: Signed<'_>, keys: &[String]) -> Result<(), Rejected> {
    /// A public key's bytes end its `SubjectPublicKeyInfo` (RFC 5480): one uncompressed point.
    const POINT: usize = 65;
    let header = |name: &str| (signed.header)(name).ok_or(Rejected::Unsigned);
    let shown = header("x-twilio-email-event-webhook-signature")?;
    let at = header("x-twilio-email-event-webhook-timestamp")?;
    fresh(at, signed.now_s)?;
    let shown = BASE64.decode(shown).map_err(|_| Rejected::Forged)?;
    let message = [at.as_bytes(), signed.body].concat();
    one_of(keys, |key| {
        let Ok(key) = BASE64.decode(key) else { return false };
        let Some(start) = key.len().checked_sub(POINT) else { return false };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key[start..])
            .verify(&message, &shown)
            .is_ok()
    })
}

/// What a scheme names a request by, if it does so with something that is signed: another id would
/// make a captured request another event. Chatwoot's and Zendesk's ids are not.
#[must_use]
pub fn key(scheme: SignedAs, signed: Signed<'_>) -> Option<String> {
    match scheme {
        SignedAs::Standard => (signed.header)("webhook-id").map(str::to_owned),
        SignedAs::Mailgun => {
            form(signed.body).into_iter().find(|(name, _)| name == "token").map(|(_, token)| token)
        }
        SignedAs::Chatwoot
        | SignedAs::Zendesk
        | SignedAs::Intercom
        | SignedAs::Zoom
        | SignedAs::Sendgrid => None,
    }
}

/// Zoom asks whether the address is ours: the token that it sends is to be signed.
#[must_use]
pub fn zoom_validation(body: &Value, secret: &str) -> Option<Value> {
    if body["event"] != "endpoint.url_validation" {
        return None;
    }
    let token = body["payload"]["plainToken"].as_str()?;
    let tag = mac(hmac::HMAC_SHA256, secret.as_bytes(), &[token.as_bytes()]);
    Some(json!({ "plainToken": token, "encryptedToken": hex(tag.as_ref()) }))
}
