//! Messaging platforms: the same conversations wherever customers write.
//!
//! In: bytes as they came → signature → events with their keys, stored in one batch → 200 → the conversation. Nothing is
//! thought before it is stored, and what isn't understood is counted and answered with 200: platforms switch a hook off
//! that answers errors.
//!
//! Out: what the visitor is to read goes into an outbox in the store, in order, and leaves it once the platform has taken
//! it. A platform's user is a visitor of the site, a chat is a session; console, drafts, signals and erasure work as for
//! the widget.
//!
//! | Submodule | Decides |
//! | --- | --- |
//! | `signature` | who sent a webhook |
//! | `event` | what platforms have in common |
//! | `text` | how an answer looks there, and where it is cut |
//! | `telegram`, `slack`, …, `generic` | one platform each, pure |
//! | `platform` | which of them an account is of, and what it can do |
//! | `deadline` | what readers see while they wait, and how an answer goes out in time |
//! | `response` | requests that wait for the answer itself |
//! | `ledger` | what is on disk: events to be read, parts to be sent |
//! | `chat` | the task around one conversation |
//! | `check` | whether an account is in order, for the command |
//! | `delivery` | requests to a platform, and when to try again |

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::FutureExt as _;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::clock::Clock;
use crate::conversation::SessionKey;
use crate::lifecycle::Tasks;
use crate::session::registry::Registry;
use crate::site::channel::{ChannelConfig, Platform};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

mod chat;
mod chatwoot;
mod check;
mod deadline;
mod delivery;
mod discord;
pub mod event;
mod generic;
mod ledger;
mod line;
mod meta;
mod platform;
mod response;
pub mod signature;
mod slack;
mod teams;
mod telegram;
pub mod text;
mod twilio;
mod wechat;

pub use delivery::Health;

use chat::Wake;
use deadline::Due;
use delivery::Delivery;
use event::{Incoming, Reply, What};
use ledger::Ledger;
use response::Responses;
use signature::wechat::Crypt;
use signature::{Rejected, Signed};

/// An account with its secrets read.
pub struct Account {
    pub site: String,
    pub config: ChannelConfig,
    token: String,
    secrets: Vec<String>,
    base_url: String,
    /// WeChat's safe mode.
    crypt: Option<Crypt>,
    /// Teams: what the Bot Framework signs with.
    keys: Mutex<Keys>,
}

/// Public keys of a platform, and when they were asked for.
#[derive(Default)]
struct Keys {
    known: Vec<signature::teams::Key>,
    asked_ms: u64,
}

impl Account {
    /// Reads the secrets that stand in files.
    ///
    /// # Errors
    /// When such a file can't be read.
    pub fn new(site: &str, config: &ChannelConfig) -> anyhow::Result<Self> {
        config.validate()?;
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("channel {:?}: {}", config.name(), path.display()))
        };
        let token = match &config.token_file {
            Some(path) => read(path)?.trim().to_owned(),
            None => config.token.clone(),
        };
        let mut secrets = config.secrets.clone();
        if let Some(path) = &config.secrets_file {
            secrets.extend(read(path)?.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        let base_url = config.base_url.as_deref().or(config.platform.base_url()).unwrap_or_default();
        let base_url = base_url.trim_end_matches('/').to_owned();
        let key = match &config.encoding_aes_key_file {
            Some(path) => read(path)?.trim().to_owned(),
            None => config.encoding_aes_key.clone(),
        };
        let crypt = Crypt::new(&key, &config.app_id);
        if !key.is_empty() && crypt.is_none() {
            bail!("channel {:?}: the EncodingAESKey has 43 letters and digits", config.name());
        }
        let keys = Mutex::default();
        Ok(Self { site: site.to_owned(), config: config.clone(), token, secrets, base_url, crypt, keys })
    }

    /// Names it among all sites' accounts.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.site, self.config.name())
    }
}

/// What `frontdesk channels check` found about an account.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub ok: bool,
    /// What was found, and where it isn't as it should be, what to do.
    pub text: String,
}

/// A webhook as it came.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Header value by lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// What stands behind `?` in the address.
    pub query: &'a str,
    pub body: &'a [u8],
}

/// A webhook that is the platform's.
pub struct Webhook {
    account: Arc<Account>,
    batch: event::Batch,
}

/// Why a webhook got no 200.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("no channel {account:?} is configured for site {site:?}")]
    Unknown { site: String, account: String },
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The platform sends it again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same event is being stored for another request.
    #[error("the same event is being stored already")]
    Busy,
}

/// See [`Channels::summary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub accounts: usize,
    /// Nothing goes out until an operator mends their credentials.
    pub stopped: usize,
    /// Their last request failed.
    pub failing: usize,
}

/// Every account of every site. Cheap to clone.
#[derive(Clone)]
pub struct Channels(Arc<Inner>);

struct Inner {
    accounts: HashMap<(String, String), Arc<Account>>,
    ledger: Ledger,
    registry: Registry,
    delivery: Delivery,
    clock: Clock,
    tasks: Tasks,
    metrics: Metrics,
    responses: Responses,
    /// Keys that are being stored.
    storing: Mutex<HashSet<String>>,
    chats: Mutex<HashMap<(String, String), Wake>>,
}

/// What [`Channels`] is made of.
pub struct Parts {
    pub store: Store,
    pub registry: Registry,
    pub clock: Clock,
    pub tasks: Tasks,
    pub metrics: Metrics,
}

impl Channels {
    /// # Errors
    /// When an account's secrets can't be read or a client can't be made.
    pub fn new<'a>(sites: impl Iterator<Item = (&'a str, &'a [ChannelConfig])>, parts: Parts) -> anyhow::Result<Self> {
        let mut accounts = HashMap::new();
        for (site, channels) in sites {
            for config in channels {
                let account = Arc::new(Account::new(site, config)?);
                if accounts.insert((site.to_owned(), config.name().to_owned()), account).is_some() {
                    bail!("site {site:?} has two channels {:?}; give one an `id` of its own", config.name());
                }
            }
        }
        let Parts { store, registry, clock, tasks, metrics } = parts;
        let delivery = Delivery::new(accounts.values().map(|account| account.id()))?;
        Ok(Self(Arc::new(Inner {
            accounts,
            ledger: Ledger::new(store, clock.clone()),
            registry,
            delivery,
            clock,
            tasks,
            metrics,
            responses: Responses::default(),
            storing: Mutex::default(),
            chats: Mutex::default(),
        })))
    }

    /// Reads a webhook, if it is the platform's. Nothing of it counts before [`Channels::accept`] has stored it.
    ///
    /// # Errors
    /// When there is no such account, or it isn't the platform's.
    pub fn read(&self, site: &str, account: &str, request: Request<'_>) -> Result<Webhook, AcceptError> {
        let inner = &self.0;
        let account = inner
            .accounts
            .get(&(site.to_owned(), account.to_owned()))
            .ok_or_else(|| AcceptError::Unknown { site: site.to_owned(), account: account.to_owned() })?;
        let Request { header, query, body } = request;
        let signed = Signed { header, query, body, now_s: inner.clock.now_ms() / 1000 };
        if let Err(rejected) = account.config.platform.verify(signed, account) {
            inner.delivery.rejected(&account.id(), &rejected.to_string());
            return Err(rejected.into());
        }
        let batch = account.config.platform.read(request, account, signed.now_s);
        Ok(Webhook { account: account.clone(), batch })
    }

    /// Stores what a webhook says, and what to answer it with. What it says is read afterwards.
    ///
    /// # Errors
    /// When it can't be stored.
    pub async fn accept(&self, webhook: Webhook) -> Result<Option<Reply>, AcceptError> {
        let inner = &self.0;
        let Webhook { account, batch } = webhook;
        for why in &batch.skipped {
            inner.metrics.channel_skipped(account.config.platform.name(), why);
        }
        let due = account.config.platform.capability().due;
        let mut waits = None;
        for event in batch.events {
            // Opened before the conversation is woken, so that no answer is too early for it.
            if let (Due::Response { within_ms }, Some(own), What::Said { .. }) = (due, &event.right, &event.what) {
                let answered = inner.responses.open(&account.id(), &event.chat);
                waits = Some((answered, within_ms, event.chat.clone(), own.clone()));
            }
            if !self.keep(&account, event).await? {
                // It is answered, or will be, as what came first.
                waits = None;
            }
        }
        inner.delivery.heard(&account.id(), inner.clock.now_ms());
        let Some((answered, within_ms, chat, own)) = waits else { return Ok(batch.reply) };
        let answer = tokio::select! {
            answer = response::wait(answered, Duration::from_millis(within_ms)) => answer,
            () = inner.tasks.draining() => None,
        };
        let Some(text) = answer else { return Ok(batch.reply) };
        let now_s = inner.clock.now_ms() / 1000;
        let xml = wechat::response(&chat, &own, &text, now_s);
        let (at, nonce) = (now_s.to_string(), crate::secret::random_id());
        let token = account.secrets.first().map_or("", String::as_str);
        Ok(Some(Reply::Xml(match &account.crypt {
            Some(crypt) => crypt.seal(&xml, token, &at, &nonce, rand::random()),
            None => xml,
        })))
    }

    /// Fetches what an account's webhooks are verified with, where that isn't known or is old; `renew` also where it is
    /// known, once a minute. True if something was fetched.
    pub async fn prepare(&self, site: &str, account: &str, renew: bool) -> bool {
        const DAY_MS: u64 = 24 * 3_600_000;
        let inner = &self.0;
        let Some(account) = inner.accounts.get(&(site.to_owned(), account.to_owned())) else { return false };
        if account.config.platform != Platform::Teams {
            return false;
        }
        let now_ms = inner.clock.now_ms();
        {
            let mut keys = account.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let age_ms = now_ms.saturating_sub(keys.asked_ms);
            let wanted = renew || keys.known.is_empty() || age_ms >= DAY_MS;
            if !wanted || (keys.asked_ms != 0 && age_ms < 60_000) {
                return false;
            }
            keys.asked_ms = now_ms;
        }
        let address = account.config.keys_url.as_deref();
        let address = address.unwrap_or("https://login.botframework.com/v1/.well-known/keys");
        match inner.delivery.ask(account, &teams::keys(address)).await {
            Ok(set) => {
                account.keys.lock().unwrap_or_else(PoisonError::into_inner).known = signature::teams::keys(&set);
                true
            }
            Err(error) => {
                tracing::warn!(account = account.id(), %error, "the Bot Framework's keys can't be fetched");
                false
            }
        }
    }

    /// What to say to a platform that asks whether the address is ours: Meta shows what an operator wrote on both sides,
    /// WeChat signs. `None` if it is somebody else who asks.
    #[must_use]
    pub fn handshake(&self, site: &str, account: &str, query: &str) -> Option<String> {
        let account = self.0.accounts.get(&(site.to_owned(), account.to_owned()))?;
        let pairs = signature::form(query.as_bytes());
        let value = |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        if account.config.platform == Platform::WeChat {
            let now_s = self.0.clock.now_ms() / 1000;
            signature::wechat::verify(query, &account.secrets, now_s).ok()?;
            return value("echostr");
        }
        let (known, shown) = (account.config.verify_token.as_bytes(), value("hub.verify_token")?);
        let ours = !known.is_empty() && bool::from(known.ct_eq(shown.as_bytes()));
        (ours && value("hub.mode").as_deref() == Some("subscribe")).then(|| value("hub.challenge")).flatten()
    }

    /// Stores an event once and wakes its conversation; false if it was stored before.
    async fn keep(&self, account: &Arc<Account>, event: Incoming) -> Result<bool, AcceptError> {
        let inner = &self.0;
        let key = format!("{}\0{}", account.id(), event.key);
        if !inner.storing.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return Err(AcceptError::Busy);
        }
        let kept = inner.ledger.keep(&account.id(), &event).await;
        inner.storing.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let kept = kept?;
        if kept {
            self.wake(account, &event.chat);
        }
        Ok(kept)
    }

    /// Has a conversation look at what is new, and begins its task if there is none.
    fn wake(&self, account: &Arc<Account>, chat: &str) {
        let mut chats = self.0.chats.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (account.id(), chat.to_owned());
        if let Some(wake) = chats.get(&id) {
            wake.notify_one();
            return;
        }
        if self.0.tasks.is_draining() {
            return;
        }
        let wake = Wake::default();
        chats.insert(id, wake.clone());
        self.0.tasks.spawn("channel conversation", chat::run(self.clone(), account.clone(), chat.to_owned(), wake));
    }

    /// Ends a conversation's task, unless it was woken meanwhile.
    fn retire(&self, account: &Account, chat: &str, wake: &Wake) -> bool {
        let mut chats = self.0.chats.lock().unwrap_or_else(PoisonError::into_inner);
        // Waking and retiring hold the same lock, so no wake-up falls between them.
        if wake.notified().now_or_never().is_some() {
            return false;
        }
        chats.remove(&(account.id(), chat.to_owned()));
        true
    }

    /// Goes on with what a stop or a crash left: events that nobody read, parts that weren't sent, answers that ended since.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let mut found = 0;
        for account in self.0.accounts.values() {
            for chat in self.0.ledger.unfinished(account).await? {
                self.wake(account, &chat);
                found += 1;
            }
        }
        Ok(found)
    }

    /// Wakes the conversations in which an agent said something while no task watched.
    pub async fn follow(self) {
        let mut said = self.0.registry.spoken();
        let mut hourly = tokio::time::interval(std::time::Duration::from_secs(3_600));
        loop {
            let key: SessionKey = tokio::select! {
                () = self.0.tasks.draining() => return,
                _ = hourly.tick() => {
                    for account in self.0.accounts.values() {
                        if let Err(error) = self.0.ledger.sweep(&account.id()).await {
                            tracing::warn!(%error, "keys of old events stay for now");
                        }
                    }
                    continue;
                }
                key = said.recv() => match key {
                    Ok(key) => key,
                    // Some were missed: every conversation looks.
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                        if let Err(error) = self.recover().await {
                            tracing::warn!(%error, "conversations of channels can't be looked at");
                        }
                        continue;
                    }
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                },
            };
            match self.0.ledger.chat_of(&key).await {
                Ok(Some((account, chat))) => {
                    let name = account.split_once('/').map(|(_, name)| name.to_owned()).unwrap_or_default();
                    if let Some(account) = self.0.accounts.get(&(key.site.clone(), name)) {
                        self.wake(account, &chat);
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a reply can't be sent to its platform now"),
            }
        }
    }

    /// What is known of every account of a site, for the console and `/readyz`.
    #[must_use]
    pub fn health(&self, site: Option<&str>) -> Vec<Health> {
        let accounts = self.0.accounts.values().filter(|account| site.is_none_or(|site| account.site == site));
        let mut all: Vec<Health> = accounts.map(|account| self.0.delivery.health(account)).collect();
        all.sort_by(|a, b| (&a.site, &a.account).cmp(&(&b.site, &b.account)));
        all
    }

    /// As [`Channels::health`], with how much waits to be sent.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state(&self, site: &str) -> Result<Vec<Health>, StoreError> {
        let mut all = self.health(Some(site));
        for one in &mut all {
            one.unsent = self.0.ledger.unsent(&format!("{}/{}", one.site, one.account)).await?;
        }
        Ok(all)
    }

    /// For `/readyz`, without names: how many accounts there are, how many are stopped and how many fail now. Visitors of
    /// the widget get answers all the same.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let all = self.health(None);
        Summary {
            accounts: all.len(),
            stopped: all.iter().filter(|one| one.stopped.is_some()).count(),
            failing: all.iter().filter(|one| one.failing.is_some()).count(),
        }
    }

    /// Forgets where a conversation came from and what was still to be sent there.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn forget(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.0.ledger.forget(key).await
    }
}

/// A parsed body, or nothing.
fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
