//! Access tokens for mail servers that take no passwords (RFC 6749): Google's and Microsoft's. They
//! are asked for with a refresh token, or as the application itself. Pure but for the file that a
//! changed refresh token is written to.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use super::event::{Answered, Body, Call, Outcome};
use crate::site::channel::OauthConfig;

/// An account's right to access tokens, with its secrets read.
pub(super) struct Oauth {
    token_url: String,
    client_id: String,
    client_secret: String,
    scope: String,
    refresh: Option<Refresh>,
}

struct Refresh {
    path: PathBuf,
    token: Mutex<String>,
}

impl Oauth {
    /// # Errors
    /// When a secret's file can't be read.
    pub(super) fn new(config: &OauthConfig) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            text.map(|text| text.trim().to_owned())
                .with_context(|| format!("oauth: {}", path.display()))
        };
        let client_secret = match &config.client_secret_file {
            Some(path) => read(path)?,
            None => config.client_secret.clone(),
        };
        let refresh = match &config.refresh_token_file {
            Some(path) => Some(Refresh { path: path.clone(), token: Mutex::new(read(path)?) }),
            None => None,
        };
        Ok(Self {
            token_url: config.token_url.clone(),
            client_id: config.client_id.clone(),
            client_secret,
            scope: config.scope.clone(),
            refresh,
        })
    }

    /// Asks for an access token.
    pub(super) fn lend(&self) -> Call {
        let mut form = vec![("client_id", self.client_id.clone())];
        match &self.refresh {
            Some(refresh) => {
                let token = refresh.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
                form.push(("grant_type", "refresh_token".into()));
                form.push(("refresh_token", token));
            }
            None => form.push(("grant_type", "client_credentials".into())),
        }
        // An application without a secret is a public one.
        for (name, value) in [("client_secret", &self.client_secret), ("scope", &self.scope)] {
            if !value.is_empty() {
                form.push((name, value.clone()));
            }
        }
        let call = Call::post("", Vec::new(), Body::Form(form));
        Call { base: Some(self.token_url.clone()), ..call }
    }

    /// Keeps the refresh token that came in place of the old one: Microsoft's hold 90 days, and
    /// each brings the next.
    pub(super) fn renewed(&self, token: &str, account: &str) {
        let Some(refresh) = &self.refresh else { return };
        let mut known = refresh.token.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == token {
            return;
        }
        token.clone_into(&mut known);
        if let Err(error) = crate::secret::write_file(&refresh.path, token) {
            tracing::error!(
                account,
                %error,
                path = %refresh.path.display(),
                "the new refresh token can't be written: after a restart the old one is used, \
                 which may not hold any more; make the file and its folder writable"
            );
        }
    }
}

/// What an answer means that brought no access token.
#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let text = |name: &str| answered.body[name].as_str().unwrap_or_default();
    let todo = match text("error") {
        "invalid_grant" => {
            "the refresh token doesn't hold any more (the password was changed, access was \
             withdrawn, or it wasn't used for months; Google's hold 7 days while the consent \
             screen is in testing): get a new one and restart"
        }
        "invalid_client" | "unauthorized_client" => {
            "client_id or client_secret is wrong, or the secret has expired"
        }
        "invalid_scope" => "`scope` isn't one that the application may ask for",
        "" => return answered.by_status(format!("status {}", answered.status)),
        _ => "the provider says no",
    };
    let described = text("error_description").lines().next().unwrap_or_default();
    let why = format!("OAuth: {}: {described} ({todo})", text("error"));
    match answered.status {
        // RFC 6749 has no error for being busy; both providers answer with a status.
        408 | 429 | 500..=599 => answered.by_status(why),
        _ if text("error") == "temporarily_unavailable" => Outcome::Later { after_ms: None, why },
        _ => Outcome::Unauthorized { why },
    }
}

/// How both providers' mail servers are told the token (XOAUTH2), before it is encoded.
pub(super) fn xoauth2(user: &str, token: &str) -> String {
    format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refresh_token_that_was_changed_is_the_next_one_asked_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("refresh");
        std::fs::write(&path, "first\n").unwrap();
        let config: OauthConfig = toml::from_str(&format!(
            "token_url = \"https://login.example/token\"\nclient_id = \"c\"\n\
             refresh_token_file = {path:?}"
        ))
        .unwrap();
        let oauth = Oauth::new(&config).unwrap();
        let asked = |oauth: &Oauth| {
            let Body::Form(form) = oauth.lend().body else { panic!() };
            form.into_iter().find(|(name, _)| *name == "refresh_token").map(|(_, value)| value)
        };
        assert_eq!(asked(&oauth).as_deref(), Some("first"));
        oauth.renewed("second", "shop/email");
        assert_eq!(asked(&oauth).as_deref(), Some("second"));
        assert_eq!(asked(&Oauth::new(&config).unwrap()).as_deref(), Some("second"));
        let config = OauthConfig { refresh_token_file: None, ..config };
        assert_eq!(asked(&Oauth::new(&config).unwrap()), None);
    }

    #[test]
    fn what_refusals_mean_and_what_to_do() {
        let judged = |status, error: &str| {
            let body = json!({ "error": error, "error_description": "AADSTS1: no\r\nTrace" });
            judge(Answered { status, retry_after_s: None, body: &body })
        };
        let Outcome::Unauthorized { why } = judged(400, "invalid_grant") else { panic!() };
        assert!(why.contains("AADSTS1: no (") && why.contains("get a new one"), "{why}");
        assert!(matches!(judged(401, "invalid_client"), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(503, "temporarily_unavailable"), Outcome::Later { .. }));
        assert!(matches!(judged(400, "temporarily_unavailable"), Outcome::Later { .. }));
        let body = serde_json::Value::Null;
        let down = judge(Answered { status: 502, retry_after_s: None, body: &body });
        assert!(matches!(down, Outcome::Later { .. }));
    }

    #[test]
    fn the_word_to_the_mail_server_is_the_documented_one() {
        // The example of Google's page "OAuth 2.0 Mechanism".
        let said = xoauth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(
            said,
            "user=someuser@example.com\u{1}auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\u{1}\u{1}"
        );
    }
}
