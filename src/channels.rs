//! Messaging platforms: the same conversations wherever customers write.
//!
//! In: bytes as they came → signature → events with their keys, stored in one batch → 200 → the
//! conversation. Nothing is thought before it is stored, and what isn't understood is counted and
//! answered with 200: platforms switch a hook off that answers errors.
//!
//! Out: what the visitor is to read goes into an outbox in the store, in order, and leaves it once
//! the platform has taken it. A platform's user is a visitor of the site, a chat is a session;
//! console, drafts, signals and erasure work as for the widget.
//!
//! | Submodule | Decides |
//! | --- | --- |
//! | `signature` | who sent a webhook |
//! | `event` | what platforms have in common |
//! | `text` | how an answer looks there, and where it is cut |
//! | `choices` | what can be pressed under it |
//! | `cards` | how products are shown there |
//! | `telegram`, `slack`, …, `generic` | one platform each, pure |
//! | `platform` | which of them an account is of, and what it can do |
//! | `deadline` | what readers see while they wait, and how an answer goes out in time |
//! | `response` | requests that wait for the answer itself |
//! | `ledger` | what is on disk: events to be read, parts to be sent |
//! | `chat` | the task around one conversation |
//! | `check` | whether an account is in order, for the command |
//! | `delivery` | requests to a platform, and when to try again |
//! | `smtp` | how an e-mail reaches the mail server |
//! | `mailbox` | the task around one mailbox: what of it is read, and what was read before |
//! | `imap` | how a mailbox is reached |
//! | `gateway` | the task around Discord's Gateway: messages to the bot |
//! | `oauth` | access tokens in place of passwords |

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::FutureExt as _;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::conversation::SessionKey;
use crate::insight::Insight;
use crate::lifecycle::Tasks;
use crate::prompt::Prompts;
use crate::session::registry::Registry;
use crate::site::channel::{ChannelConfig, LEAST_SECRET, Platform};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

mod cards;
mod chat;
mod chatwoot;
mod check;
mod choices;
mod deadline;
mod delivery;
mod discord;
mod email;
pub mod event;
mod gateway;
mod generic;
mod imap;
mod ledger;
mod line;
mod mailbox;
mod meta;
mod oauth;
mod platform;
mod response;
pub mod signature;
mod slack;
mod smtp;
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
use ledger::{Kept, Ledger};
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
    /// Held while they are fetched.
    fetching: tokio::sync::Mutex<()>,
    /// E-mail: who wrote how often of late.
    pace: Mutex<email::Pace>,
    /// E-mail: the mailbox's password, where it has its own.
    imap_password: String,
    /// E-mail: access tokens in place of a password.
    oauth: Option<oauth::Oauth>,
}

/// Public keys of a platform, when they were asked for last, and how often they came.
#[derive(Default)]
struct Keys {
    known: Vec<signature::teams::Key>,
    asked_ms: u64,
    fetched: u64,
}

impl Keys {
    /// Whether they are to be asked for now; `renew` where one is missing among them.
    fn wanted(&self, now_ms: u64, renew: bool) -> bool {
        const DAY_MS: u64 = 24 * 3_600_000;
        // Nothing can be read without any: soon again. For one more, once a minute, whoever names
        // it.
        let least_ms = if self.known.is_empty() { 2_000 } else { 60_000 };
        let age_ms = now_ms.saturating_sub(self.asked_ms);
        let wanted = renew || self.known.is_empty() || age_ms >= DAY_MS;
        wanted && (self.asked_ms == 0 || age_ms >= least_ms)
    }
}

impl Account {
    /// Reads the secrets that stand in files.
    ///
    /// # Errors
    /// When such a file can't be read.
    pub fn new(site: &str, config: &ChannelConfig) -> anyhow::Result<Self> {
        config.validate()?;
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path)
                .with_context(|| format!("channel {:?}: {}", config.name(), path.display()))
        };
        let token = match &config.token_file {
            Some(path) => read(path)?.trim().to_owned(),
            None => config.token.clone(),
        };
        let mut secrets = config.secrets.clone();
        if let Some(path) = &config.secrets_file {
            secrets.extend(
                read(path)?
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned),
            );
            if secrets.is_empty() || secrets.iter().any(|secret| secret.len() < LEAST_SECRET) {
                bail!(
                    "channel {:?}: {} must hold secrets of at least {LEAST_SECRET} characters, one a line",
                    config.name(),
                    path.display()
                );
            }
        }
        let base_url =
            config.base_url.as_deref().or(config.platform.base_url()).unwrap_or_default();
        let base_url = base_url.trim_end_matches('/').to_owned();
        let key = match &config.encoding_aes_key_file {
            Some(path) => read(path)?.trim().to_owned(),
            None => config.encoding_aes_key.clone(),
        };
        let crypt = Crypt::new(&key, &config.app_id);
        if !key.is_empty() && crypt.is_none() {
            bail!("channel {:?}: the EncodingAESKey has 43 letters and digits", config.name());
        }
        let imap_password = match &config.imap_password_file {
            Some(path) => read(path)?.trim().to_owned(),
            None => config.imap_password.clone(),
        };
        Ok(Self {
            site: site.to_owned(),
            config: config.clone(),
            imap_password,
            oauth: config.oauth.as_ref().map(oauth::Oauth::new).transpose()?,
            token,
            secrets,
            base_url,
            crypt,
            keys: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            pace: Mutex::default(),
        })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// It is the platform's or the other system's, and nothing of it can be read.
    #[error("{0}")]
    Unreadable(String),
    /// The platform sends it again.
    #[error("the keys that it would be verified with aren't known yet")]
    NoKeys,
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
    prompts: Arc<Prompts>,
    languages: HashMap<String, String>,
    /// Chooses product cards.
    insight: Insight,
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
    pub prompts: Arc<Prompts>,
    /// Of each site, by its id.
    pub languages: HashMap<String, String>,
    /// Chooses product cards.
    pub insight: Insight,
}

impl Channels {
    /// # Errors
    /// When an account's secrets can't be read or a client can't be made.
    pub fn new<'a>(
        sites: impl Iterator<Item = (&'a str, &'a [ChannelConfig])>,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let mut accounts = HashMap::new();
        for (site, channels) in sites {
            for config in channels {
                let account = Arc::new(Account::new(site, config)?);
                if accounts.insert((site.to_owned(), config.name().to_owned()), account).is_some() {
                    bail!(
                        "site {site:?} has two channels {:?}; give one an `id` of its own",
                        config.name()
                    );
                }
            }
        }
        let Parts { store, registry, clock, tasks, metrics, prompts, languages, insight } = parts;
        let delivery = Delivery::new(accounts.values().map(|account| account.id()))?;
        Ok(Self(Arc::new(Inner {
            accounts,
            ledger: Ledger::new(store, clock.clone()),
            registry,
            delivery,
            clock,
            tasks,
            metrics,
            prompts,
            languages,
            insight,
            responses: Responses::default(),
            storing: Mutex::default(),
            chats: Mutex::default(),
        })))
    }

    /// The largest webhook of an account, in bytes. An e-mail comes with its files, which mail
    /// servers bound at some 25 MB.
    #[must_use]
    pub fn largest(&self, site: &str, account: &str) -> usize {
        const MIB: usize = 1024 * 1024;
        let account = self.0.accounts.get(&(site.to_owned(), account.to_owned()));
        // WhatsApp's batches and Telegram's updates come near a mebibyte.
        if account.is_some_and(|account| account.config.platform == Platform::Email) {
            26 * MIB
        } else {
            MIB
        }
    }

    /// Reads a webhook, if it is the platform's. Nothing of it counts before [`Channels::accept`]
    /// has stored it.
    ///
    /// # Errors
    /// When there is no such account, or it isn't the platform's.
    pub fn read(
        &self,
        site: &str,
        account: &str,
        request: Request<'_>,
    ) -> Result<Webhook, AcceptError> {
        let inner = &self.0;
        let account =
            inner.accounts.get(&(site.to_owned(), account.to_owned())).ok_or_else(|| {
                AcceptError::Unknown { site: site.to_owned(), account: account.to_owned() }
            })?;
        if account.config.platform == Platform::Teams && account.keys().known.is_empty() {
            return Err(AcceptError::NoKeys);
        }
        let Request { header, query, body } = request;
        let signed = Signed { header, query, body, now_s: inner.clock.now_ms() / 1000 };
        if let Err(rejected) = account.config.platform.verify(signed, account) {
            inner.delivery.rejected(&account.id(), &rejected.to_string());
            return Err(rejected.into());
        }
        let mut batch = account.config.platform.read(request, account, signed.now_s);
        if let Some(why) = batch.unreadable {
            tracing::debug!(account = account.id(), why, "a webhook can't be read");
            inner
                .metrics
                .channel_skipped(account.config.platform.name(), "a body that can't be read");
            return Err(AcceptError::Unreadable(why));
        }
        for why in &batch.skipped {
            tracing::debug!(account = account.id(), why, "an event of a channel is passed over");
        }
        if account.config.platform == Platform::Email {
            self.bound(account, &mut batch);
        }
        Ok(Webhook { account: account.clone(), batch })
    }

    /// Takes out what is too much of one sender.
    fn bound(&self, account: &Account, batch: &mut event::Batch) {
        let mut pace = account.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let before = batch.events.len();
        batch.events.retain(|event| pace.allows(&event.user, self.0.clock.now_ms()));
        if batch.events.len() < before {
            tracing::warn!(
                account = account.id(),
                "too many e-mails of one sender within an hour: one is not read"
            );
            batch.skipped.push("too many e-mails of one sender");
        }
    }

    /// Stores what a message of an account's mailbox says; true if it is stored, now or before.
    ///
    /// # Errors
    /// When it can't be stored.
    async fn receive(&self, account: &Arc<Account>, raw: &[u8]) -> Result<bool, AcceptError> {
        let inner = &self.0;
        let mut batch = account.read_mail(raw);
        if let Some(event) = batch.events.first()
            && inner.ledger.knows(&account.id(), &event.key).await?
        {
            self.wake(account, &event.chat);
            return Ok(true);
        }
        self.bound(account, &mut batch);
        let mut stored = false;
        for event in batch.events {
            match self.keep(account, event).await? {
                Kept::New | Kept::Known => stored = true,
                Kept::Unnameable => batch.skipped.push("a name that is too long or empty"),
            }
        }
        for why in &batch.skipped {
            inner.metrics.channel_skipped(account.config.platform.name(), why);
        }
        inner.delivery.heard(&account.id(), inner.clock.now_ms());
        Ok(stored)
    }

    /// Reads the mailboxes and the Gateway's connections of accounts that have some, each in a
    /// task of its own.
    pub fn listen(&self) {
        for account in self.0.accounts.values().filter(|account| account.config.gateway) {
            self.0.tasks.spawn("gateway", gateway::watch(self.clone(), account.clone()));
        }
        for account in self.0.accounts.values().filter(|account| account.config.imap_url.is_some())
        {
            self.0.tasks.spawn("mailbox", mailbox::watch(self.clone(), account.clone()));
        }
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
            if let (Due::Response { within_ms }, Some(own), What::Said { .. }) =
                (due, &event.right, &event.what)
            {
                let answered = inner.responses.open(&account.id(), &event.chat, &event.key);
                waits = Some((answered, within_ms, event.chat.clone(), own.clone()));
            }
            match self.keep(&account, event).await? {
                Kept::New => {}
                // It is answered, or will be, as what came first. Where it was, the response got
                // lost: here it is again.
                Kept::Known => {
                    if let Some((_, within_ms, ..)) = &mut waits {
                        *within_ms = 0;
                    }
                }
                Kept::Unnameable => {
                    waits = None;
                    inner.metrics.channel_skipped(
                        account.config.platform.name(),
                        "a name that is too long or empty",
                    );
                    // Who writes the other system can mend it; a platform would only send it again.
                    if account.config.platform == Platform::Webhook {
                        return Err(AcceptError::Unreadable(ledger::UNNAMEABLE.into()));
                    }
                }
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

    /// Fetches what an account's webhooks are verified with, where that isn't known or is old;
    /// `renew` also where it is known, once a minute. Requests that come meanwhile wait for it.
    /// True if there is something new since the call.
    pub async fn prepare(&self, site: &str, account: &str, renew: bool) -> bool {
        let inner = &self.0;
        let Some(account) = inner.accounts.get(&(site.to_owned(), account.to_owned())) else {
            return false;
        };
        if account.config.platform != Platform::Teams {
            return false;
        }
        let before = {
            let keys = account.keys();
            if !renew && !keys.wanted(inner.clock.now_ms(), false) && !keys.known.is_empty() {
                return false;
            }
            keys.fetched
        };
        // Who has keys doesn't wait for newer ones.
        let waits = renew || account.keys().known.is_empty();
        let one_at_a_time = if waits {
            Some(account.fetching.lock().await)
        } else {
            account.fetching.try_lock().ok()
        };
        if one_at_a_time.is_none() {
            return false;
        }
        {
            let mut keys = account.keys();
            if keys.fetched != before || !keys.wanted(inner.clock.now_ms(), renew) {
                return keys.fetched != before;
            }
            keys.asked_ms = inner.clock.now_ms();
        }
        let address = account.config.keys_url.as_deref();
        let address = address.unwrap_or("https://login.botframework.com/v1/.well-known/keys");
        let answered = inner.delivery.ask(account, &teams::keys(address)).await;
        let mut keys = account.keys();
        // Who waited meanwhile is not to wait for as long once more.
        keys.asked_ms = inner.clock.now_ms();
        match answered {
            Ok(set) => {
                keys.known = signature::teams::keys(&set);
                keys.fetched += 1;
                true
            }
            Err(error) => {
                tracing::warn!(account = account.id(), %error, "the Bot Framework's keys can't be fetched");
                false
            }
        }
    }

    /// What to say to a platform that asks whether the address is ours: Meta shows what an operator
    /// wrote on both sides, WeChat signs. `None` if it is somebody else who asks.
    #[must_use]
    pub fn handshake(&self, site: &str, account: &str, query: &str) -> Option<String> {
        let account = self.0.accounts.get(&(site.to_owned(), account.to_owned()))?;
        let pairs = signature::form(query.as_bytes());
        let value =
            |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        if account.config.platform == Platform::WeChat {
            let now_s = self.0.clock.now_ms() / 1000;
            signature::wechat::verify(query, &account.secrets, now_s).ok()?;
            return value("echostr");
        }
        let (known, shown) = (account.config.verify_token.as_bytes(), value("hub.verify_token")?);
        let ours = !known.is_empty() && bool::from(known.ct_eq(shown.as_bytes()));
        (ours && value("hub.mode").as_deref() == Some("subscribe"))
            .then(|| value("hub.challenge"))
            .flatten()
    }

    /// Stores an event once and wakes its conversation. Both happen also where the request that
    /// brought it is dropped meanwhile: what is stored is read, and the event may be sent again.
    async fn keep(&self, account: &Arc<Account>, event: Incoming) -> Result<Kept, AcceptError> {
        let key = format!("{}\0{}", account.id(), event.key);
        if !self.0.storing.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return Err(AcceptError::Busy);
        }
        let (tell, told) = oneshot::channel();
        let (this, account) = (self.clone(), account.clone());
        self.0.tasks.spawn("storing of a channel's event", async move {
            let kept = this.0.ledger.keep(&account.id(), &event).await;
            this.0.storing.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            // What is known already may be what a crash left unread.
            if matches!(kept, Ok(Kept::New | Kept::Known)) {
                this.wake(&account, &event.chat);
            }
            drop(tell.send(kept));
        });
        // No word comes where the server stops.
        told.await.map_or(Err(AcceptError::Busy), |kept| Ok(kept?))
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
        self.0.tasks.spawn(
            "channel conversation",
            chat::run(self.clone(), account.clone(), chat.to_owned(), wake),
        );
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

    /// Goes on with what a stop or a crash left: events that nobody read, parts that weren't sent,
    /// answers that ended since.
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
                        if let Err(error) = self.0.ledger.sweep(account).await {
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
                    let name = account
                        .split_once('/')
                        .map(|(_, name)| name.to_owned())
                        .unwrap_or_default();
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
        let accounts =
            self.0.accounts.values().filter(|account| site.is_none_or(|site| account.site == site));
        let mut all: Vec<Health> =
            accounts.map(|account| self.0.delivery.health(account)).collect();
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

    /// For `/readyz`, without names: how many accounts there are, how many are stopped and how many
    /// fail now. Visitors of the widget get answers all the same.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let all = self.health(None);
        Summary {
            accounts: all.len(),
            stopped: all.iter().filter(|one| one.stopped.is_some()).count(),
            failing: all.iter().filter(|one| one.failing.is_some() || one.unread.is_some()).count(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::ledger::Placed;
    use crate::channels::platform::Target;

    fn account(config: &str) -> anyhow::Result<Account> {
        Account::new("shop", &toml::from_str(config).unwrap())
    }

    #[test]
    fn secrets_in_a_file_are_as_long_as_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        let config = format!("platform = \"telegram\"\ntoken = \"t\"\nsecrets_file = {path:?}");
        for (text, sound) in
            [("", false), ("short\n", false), ("a-secret-of-telegram\nshort", false)]
                .into_iter()
                .chain([("a-secret-of-telegram\n\n", true)])
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(account(&config).is_ok(), sound, "{text:?}");
        }
    }

    #[test]
    fn a_stream_gets_what_is_new_and_nothing_where_nothing_is() {
        let config = "platform = \"slack\"\ntoken = \"t\"\nsecrets = [\"a-secret-of-slack-s\"]\nstream = true";
        let account = account(config).unwrap();
        let placed = Placed { id: "1.5".into(), text: "Yes, it is".into(), sequence: 1 };
        let target = Target {
            account: &account,
            chat: "C1/7.1",
            token: "t",
            right: None,
            placed: Some(&placed),
        };
        assert!(Platform::Slack.show(target, 1, "Yes, it is").is_none());
        assert!(Platform::Slack.show(target, 1, "Yes, it is waterproof").is_some());
    }

    #[test]
    fn keys_are_asked_for_again_soon_only_where_there_are_none() {
        let known = |asked_ms: u64, some: bool| {
            let key = signature::teams::keys(
                &serde_json::from_str(include_str!("../tests/it/files/teams_test_keys.json"))
                    .unwrap(),
            );
            Keys { known: if some { key } else { Vec::new() }, asked_ms, fetched: u64::from(some) }
        };
        let cases = [
            (known(0, false), 10, false, true),
            (known(1_000, false), 2_000, false, false),
            (known(1_000, false), 3_000, false, true),
            (known(1_000, true), 50_000, true, false),
            (known(1_000, true), 61_000, true, true),
            (known(1_000, true), 61_000, false, false),
            (known(1_000, true), 86_401_000, false, true),
        ];
        for (i, (keys, now_ms, renew, wanted)) in cases.into_iter().enumerate() {
            assert_eq!(keys.wanted(now_ms, renew), wanted, "{i}");
        }
    }
}
