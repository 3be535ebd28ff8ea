//! Requests to platforms: one client, a breaker an account, and when a part is tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::event::{Answered, Body, Call, NoAnswer, Outcome, Verb};
use super::signature::form_bytes;
use super::{Account, oauth, smtp};
use crate::address::{is_public, resolve};
use crate::site::channel::Platform;

/// Longest wait for an answer. Platforms answer within a second; after this it isn't known whether
/// the message was taken.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;
/// Failures in a row after which an account's platform counts as down.
const BREAKS_AFTER: u32 = 5;
/// How long it is left alone then, in milliseconds.
const BREAK_MS: u64 = 30_000;
/// Tries of one part: with pauses that double from 2 s to 10 min they span most of a day.
pub(super) const MAX_TRIES: u32 = 120;
/// Tries after which a platform that tells shorter pauses isn't believed any more: they would be
/// over in seconds.
const BELIEVED: u32 = 9;

/// Milliseconds to wait before a part is tried again, after so many tries: what the platform told,
/// else 2 s doubling to ten minutes, a fifth more or less by `spread` (0…1), so that conversations
/// don't come back all at once. After the tenth try the longer of the two.
#[must_use]
pub(super) fn pause_ms(tries: u32, told_ms: Option<u64>, spread: f64) -> u64 {
    let base = 2_000_u64.saturating_mul(1 << tries.min(10)).min(600_000);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "minutes"
    )]
    let own = (base as f64 * (0.8 + 0.4 * spread.clamp(0.0, 1.0))) as u64;
    match told_ms.map(|told| told.clamp(100, 3_600_000)) {
        Some(told) if tries < BELIEVED => told,
        Some(told) => told.max(own),
        None => own,
    }
}

/// What is known of an account.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Health {
    pub site: String,
    pub account: String,
    pub platform: &'static str,
    /// Milliseconds since the Unix epoch; 0 for never since the start.
    pub last_in_ms: u64,
    pub last_out_ms: u64,
    /// Why nothing goes out, until an operator mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Why the last request failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// Why its mailbox isn't read now, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Messages that wait to be sent.
    pub unsent: usize,
    /// Webhooks that weren't the platform's, and why the last one wasn't.
    pub rejected: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rejected: Option<String>,
    #[serde(skip)]
    failures: u32,
    #[serde(skip)]
    closed_until_ms: u64,
}

pub(super) struct Delivery {
    /// For accounts that may call private networks, and for all others.
    clients: [reqwest::Client; 2],
    accounts: Mutex<HashMap<String, Health>>,
    /// Access tokens by account.
    lent: Mutex<HashMap<String, Lent>>,
}

/// An access token that a platform lent.
#[derive(Clone)]
struct Lent {
    token: String,
    since_ms: u64,
    until_ms: u64,
}

/// A refused access token younger than this is no old one: the account itself is refused.
const YOUNG_MS: u64 = 60_000;

impl Delivery {
    pub(super) fn new(accounts: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let client = |allow_private: bool| {
            reqwest::Client::builder()
                .timeout(TIMEOUT)
                // A redirect would carry a token or a conversation to an address that nobody
                // configured, and a proxy of the environment would look names up by itself.
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .dns_resolver(Arc::new(Names { allow_private }))
                .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
                .build()
                .context("a client for messaging platforms")
        };
        let clients = [client(true)?, client(false)?];
        let accounts = accounts.map(|id| (id, Health::default())).collect();
        Ok(Self { clients, accounts: Mutex::new(accounts), lent: Mutex::default() })
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Health>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, id: &str, note: impl FnOnce(&mut Health)) {
        note(self.accounts().entry(id.to_owned()).or_default());
    }

    pub(super) fn health(&self, account: &Account) -> Health {
        let known = self.accounts().get(&account.id()).cloned().unwrap_or_default();
        Health {
            site: account.site.clone(),
            account: account.config.name().to_owned(),
            platform: account.config.platform.name(),
            ..known
        }
    }

    pub(super) fn heard(&self, id: &str, now_ms: u64) {
        self.note(id, |health| health.last_in_ms = now_ms);
    }

    /// Whether an account's mailbox is read, or why it isn't.
    pub(super) fn mailbox(&self, id: &str, trouble: Option<String>) {
        self.note(id, |health| health.unread = trouble);
    }

    /// Something went out without a request.
    pub(super) fn spoke(&self, id: &str, now_ms: u64) {
        self.note(id, |health| health.last_out_ms = now_ms);
    }

    pub(super) fn rejected(&self, id: &str, why: &str) {
        self.note(id, |health| {
            health.rejected += 1;
            health.last_rejected = Some(why.to_owned());
        });
    }

    /// Milliseconds until the account may be used again; 0 now, `None` not before an operator
    /// mended it.
    pub(super) fn rest_ms(&self, id: &str, now_ms: u64) -> Option<u64> {
        let accounts = self.accounts();
        let Some(health) = accounts.get(id) else { return Some(0) };
        if health.stopped.is_some() {
            None
        } else {
            Some(health.closed_until_ms.saturating_sub(now_ms))
        }
    }

    /// Sends a request, and says what came of it.
    pub(super) async fn send(&self, account: &Account, call: &Call, now_ms: u64) -> Outcome {
        let outcome = match self.request(account, call).await {
            Ok((status, retry_after_s, body)) => {
                account.config.platform.judge(Answered { status, retry_after_s, body: &body })
            }
            Err(NoAnswer { why, sent: false }) => Outcome::Later { after_ms: None, why },
            Err(NoAnswer { why, sent: true }) => Outcome::Unanswered { why },
        };
        self.noted(account, outcome, now_ms)
    }

    /// The token that requests are made with: the account's, or one that the platform lends for it.
    ///
    /// # Errors
    /// With what came of asking for one.
    pub(super) async fn token(&self, account: &Account, now_ms: u64) -> Result<String, Outcome> {
        let Some(call) = account.config.platform.lend(account) else {
            return Ok(account.token.clone());
        };
        let id = account.id();
        let known = self.lent.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(lent) = known.filter(|lent| now_ms < lent.until_ms) {
            return Ok(lent.token);
        }
        let outcome = match self.request(account, &call).await {
            Ok((status, retry_after_s, body)) => {
                if let Some(token) = body["access_token"].as_str().map(str::to_owned) {
                    if let (Some(oauth), Some(refresh)) =
                        (&account.oauth, body["refresh_token"].as_str())
                    {
                        oauth.renewed(refresh, &id);
                    }
                    // Renewed some minutes early: a request may take its time.
                    let seconds = body["expires_in"].as_u64().unwrap_or(600);
                    let until_ms = now_ms
                        + seconds.saturating_sub((seconds / 2).min(300)).saturating_mul(1000);
                    let lent = Lent { token: token.clone(), since_ms: now_ms, until_ms };
                    self.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(id, lent);
                    return Ok(token);
                }
                let error = body["error_description"].as_str().or_else(|| body["error"].as_str());
                let why = format!("no access token: status {status} {}", error.unwrap_or_default());
                let answered = Answered { status, retry_after_s, body: &body };
                let judged = match &account.oauth {
                    Some(_) => oauth::judge(answered),
                    None => account.config.platform.judge(answered),
                };
                match judged {
                    Outcome::Unauthorized { why } => Outcome::Unauthorized { why },
                    Outcome::Later { after_ms, .. } => Outcome::Later { after_ms, why },
                    Outcome::Unanswered { .. } => Outcome::Later { after_ms: None, why },
                    _ => Outcome::Unauthorized { why },
                }
            }
            Err(NoAnswer { why, .. }) => Outcome::Later { after_ms: None, why },
        };
        Err(self.noted(account, outcome, now_ms))
    }

    /// The next request asks for another access token.
    pub(super) fn forget_token(&self, account: &Account) {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&account.id());
    }

    /// Keeps what came of a request. A refused access token is asked for anew once.
    fn noted(&self, account: &Account, outcome: Outcome, now_ms: u64) -> Outcome {
        let mut outcome = outcome;
        if let Outcome::Unauthorized { why } = &outcome {
            let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
            if lent
                .remove(&account.id())
                .is_some_and(|lent| now_ms.saturating_sub(lent.since_ms) >= YOUNG_MS)
            {
                outcome = Outcome::Later { after_ms: Some(100), why: why.clone() };
            }
        }
        self.note(&account.id(), |health| match &outcome {
            Outcome::Sent(_)
            | Outcome::Stopped
            | Outcome::Closed { .. }
            | Outcome::Moved { .. }
            | Outcome::Refused { .. }
            | Outcome::Plain { .. } => {
                health.failures = 0;
                health.failing = None;
                health.last_out_ms = now_ms;
            }
            // A told pause is the platform at work.
            Outcome::Later { after_ms: Some(_), why } => health.failing = Some(why.clone()),
            Outcome::Later { after_ms: None, why } | Outcome::Unanswered { why } => {
                health.failures += 1;
                health.failing = Some(why.clone());
                if health.failures >= BREAKS_AFTER {
                    health.closed_until_ms = now_ms + BREAK_MS;
                }
            }
            Outcome::Unauthorized { why } => health.stopped = Some(why.clone()),
        });
        outcome
    }

    /// Asks the platform something that isn't a message.
    ///
    /// # Errors
    /// When no answer comes, or one that says no; the text leaves out the address, which may hold a
    /// token.
    pub(super) async fn ask(&self, account: &Account, call: &Call) -> anyhow::Result<Value> {
        let (status, retry_after_s, body) = match self.request(account, call).await {
            Ok(answered) => answered,
            Err(NoAnswer { why, .. }) => {
                anyhow::bail!("no answer from {}: {why}", account.base_url)
            }
        };
        match account.config.platform.judge(Answered { status, retry_after_s, body: &body }) {
            Outcome::Sent(_) => Ok(body),
            refused => anyhow::bail!("{refused}"),
        }
    }

    /// Sends a request whose answer is read as it is: status, seconds to wait, body.
    ///
    /// # Errors
    /// When no answer comes.
    async fn request(
        &self,
        account: &Account,
        call: &Call,
    ) -> Result<(u16, Option<u64>, Value), NoAnswer> {
        if let Body::Mail(mail) = &call.body {
            let (status, text) = smtp::send(account, mail).await?;
            return Ok((status, None, json!({ "message": text })));
        }
        let address = format!("{}{}", call.base.as_ref().unwrap_or(&account.base_url), call.path);
        let unsent = |why: String| NoAnswer { why, sent: false };
        let url = reqwest::Url::parse(&address)
            .map_err(|error| unsent(format!("base_url is no address: {error}")))?;
        let allow_private = account.config.allow_private;
        // The resolver isn't asked for a host that is an address.
        if let Some(host) = url.host_str().map(|host| host.trim_matches(['[', ']']))
            && host.parse().is_ok_and(|address| !allow_private && !is_public(address))
        {
            let why = format!(
                "{host} is no public address; set allow_private for a server of your own network"
            );
            return Err(unsent(why));
        }
        if url.scheme() != "https" && !allow_private {
            return Err(unsent("the address isn't encrypted; only https is called".into()));
        }
        let client = &self.clients[usize::from(!allow_private)];
        let mut request = match call.verb {
            Verb::Get => client.get(url),
            Verb::Post => client.post(url),
            Verb::Put => client.put(url),
            Verb::Patch => client.patch(url),
        };
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request = match &call.body {
            Body::Empty | Body::Mail(_) => request,
            // The bytes that were signed, not another writing of them.
            Body::Json(body) => request
                .header("content-type", "application/json; charset=utf-8")
                .body(serde_json::to_vec(body).unwrap_or_default()),
            Body::Form(pairs) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form_bytes(pairs)),
        };
        let mut response = request.send().await.map_err(NoAnswer::of)?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(NoAnswer::of)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_ANSWER {
                break;
            }
        }
        let body = serde_json::from_slice(&bytes);
        // Every platform answers in JSON: a page is somebody else's, and whether the platform has
        // the message isn't known. A receiver of webhooks may answer what it likes.
        let own = account.config.platform == Platform::Webhook || bytes.is_empty() || body.is_ok();
        if (200..300).contains(&status) && !own {
            let why = format!("status {status} with a body that isn't the platform's");
            return Err(NoAnswer { why, sent: true });
        }
        Ok((status, retry_after, body.unwrap_or_default()))
    }
}

impl NoAnswer {
    fn of(error: reqwest::Error) -> Self {
        Self { sent: !(error.is_connect() || error.is_builder()), why: reason(error) }
    }
}

/// What the innermost error says: the outer ones name the address or nothing.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Looks names up, and refuses those that lead into private networks.
struct Names {
    allow_private: bool,
}

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = resolve(name.as_str(), 0, allow_private).await?;
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_that_says_at_once_is_tried_for_most_of_a_day() {
        let all: u64 = (0..MAX_TRIES).map(|tries| pause_ms(tries, Some(0), 0.5)).sum();
        assert!((16..=24).contains(&(all / 3_600_000)), "{all} ms");
    }

    #[test]
    fn pauses_grow_to_ten_minutes_and_a_told_one_is_kept() {
        assert_eq!(pause_ms(0, None, 0.5), 2_000);
        assert_eq!(pause_ms(3, None, 0.5), 16_000);
        assert_eq!(pause_ms(40, None, 0.0), 480_000);
        assert_eq!(pause_ms(40, None, 1.0), 720_000);
        assert_eq!(pause_ms(8, Some(5_000), 1.0), 5_000);
        assert_eq!(pause_ms(40, Some(3_000_000), 1.0), 3_000_000);
        assert_eq!(pause_ms(0, Some(u64::MAX), 1.0), 3_600_000);
    }
}
