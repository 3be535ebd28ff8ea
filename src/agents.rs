//! Agents' accounts, what they may do on which site, and their sign-ins.
//!
//! Passwords are kept as argon2id hashes, sign-ins as SHA-256 of their cookie: who reads the store
//! can use neither. Everything is checked against the state in memory, which is the store's, so
//! that a revocation counts from the next check on; open sockets are woken by [`Agents::changed`]
//! and check again.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Semaphore, watch};

use crate::address::network;
use crate::clock::Clock;
use crate::conversation::Agent;
use crate::protocol::console::{Account, Need, NewAccount, Role, SignIn};
use crate::secret::{key_hash, random_id};
use crate::session::board::{Board, Seat};
use crate::session::desk::SecondFactorPolicy;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

mod admission;
pub mod oidc;
mod second_factor;
mod sign_ins;

pub use admission::{Admitted, Arrival, Refused, Way};
pub use second_factor::Offered;
use second_factor::{Offer, SecondFactor};
use sign_ins::SignedInStored;

/// Shortest password, in Unicode scalar values (NIST SP 800-63B asks for 8), and longest, in bytes.
pub const MIN_PASSWORD_CHARS: usize = 10;
const MAX_PASSWORD_BYTES: usize = 256;
const MAX_NAME_CHARS: usize = 60;
/// Accounts and sign-ins of one server; all of them are in memory.
const MAX_ACCOUNTS: usize = 5_000;
const MAX_SIGN_INS: usize = 20_000;
/// Passwords checked at the same time: each takes 19 MiB and a processor for some 20 ms.
const CHECKS: usize = 2;
/// Passwords that are checked or wait for it, about a second of work; one more is refused at once.
const CHECKS_WAITING: usize = 64;
const BUSY_RETRY_MS: u64 = 1_000;
/// Failures after which an account, and an address, has to wait; each further one doubles the time.
const FREE_TRIES: u32 = 5;
const FREE_TRIES_ADDRESS: u32 = 30;
/// Of one account from all networks that it never signed in from. Whoever guesses from many places
/// so runs into a wall, and the agent, in the usual place, doesn't.
const FREE_TRIES_ELSEWHERE: u32 = 100;
/// Networks remembered that an account signed in from.
const MAX_NETWORKS: usize = 8;
const FIRST_WAIT_MS: u64 = 2_000;
const LONGEST_WAIT_MS: u64 = 15 * 60_000;
/// Failures are forgotten after so long without one.
const FORGET_MS: u64 = 60 * 60_000;
/// Accounts and addresses whose failures are remembered; beyond that the oldest are forgotten.
const REMEMBERED: usize = 10_000;

const ACCOUNTS: &str = "agents";

/// An account as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    id: String,
    login: String,
    name: String,
    /// PHC string.
    hash: String,
    roles: BTreeMap<String, Role>,
    limit: usize,
    /// Of the sites whose admin set another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, usize>,
    available: bool,
    created_at_ms: u64,
    /// Hashes of the networks that it signed in from lately, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    /// Whether somebody else chose the password, so that it has to be changed first of all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    temporary: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_factor: Option<SecondFactor>,
    /// [`oidc::Person::key`] of who signs in to it by the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
}

/// A sign-in that was checked just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub agent: Agent,
    pub login: String,
    pub roles: BTreeMap<String, Role>,
    pub csrf: String,
    pub available: bool,
    pub expires_at_ms: u64,
    /// Whether the account has a second factor.
    pub second_factor: bool,
    /// What has to be done before anything else is allowed.
    pub needs: Option<Need>,
    /// SHA-256 of the token: names the sign-in without being good for one.
    pub key: String,
}

/// A new sign-in; `token` is for the cookie and nothing else.
#[derive(Debug)]
pub struct Fresh {
    pub token: String,
    pub signed_in: SignedIn,
}

/// A wish of a site's admin.
#[derive(Clone, Debug, Default)]
pub struct SiteChange {
    pub role: Option<Role>,
    /// Sessions on this site.
    pub limit: Option<usize>,
    pub name: Option<String>,
}

/// Who chose a password.
#[derive(Clone, Copy, Debug)]
pub enum ChosenBy<'a> {
    /// The agent, who shows the one that it replaces.
    Agent { current: &'a str },
    /// Somebody else; `temporary` where the agent is to choose another one at the next sign-in.
    Operator { temporary: bool },
}

/// Why something about agents was refused.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The same for an unknown name and for a wrong password.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The password was right.
    #[error("this account signs in with a code of its authenticator app besides the password")]
    CodeRequired,
    #[error(
        "the code is wrong, over or was used before; wait for the app's next one (the clocks of phone and \
         server may differ by half a minute), or take a recovery code"
    )]
    WrongCode,
    #[error("too many failed sign-ins; try again in {} s", retry_after_ms.div_ceil(1_000))]
    Throttled { retry_after_ms: u64 },
    #[error("too many passwords are being checked; try again in {} s", retry_after_ms.div_ceil(1_000))]
    Busy { retry_after_ms: u64 },
    #[error("there is no such sign-in; it may be over")]
    NoSignIn,
    #[error("there is no such agent")]
    Unknown,
    #[error("the login {0:?} is taken")]
    Taken(String),
    #[error("{0}")]
    Invalid(String),
    #[error(
        "the agent works on other sites, too; only who is admin of all of them can change the name"
    )]
    Elsewhere,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All accounts and sign-ins. Cheap to clone.
#[derive(Clone)]
pub struct Agents {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    board: Board,
    /// The zero of the server's monotonic clock.
    started: std::time::Instant,
    sites: Vec<String>,
    sign_in_ms: u64,
    limit: usize,
    second_factor: SecondFactorPolicy,
    state: Mutex<State>,
    /// One change at a time: memory and store stay the same.
    writing: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
    checks: Arc<Semaphore>,
    /// Places to wait for `checks`, and to be checked.
    waiting: Arc<Semaphore>,
    /// What a password is checked against where there is no account, so that both take as long.
    dummy: String,
}

#[derive(Default)]
struct State {
    accounts: HashMap<String, Stored>,
    sign_ins: HashMap<String, SignedInStored>,
    failures: HashMap<String, Failures>,
    /// Secrets shown to agents and not yet confirmed, by account.
    offers: HashMap<String, Offer>,
}

/// What is remembered of failed sign-ins.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last_at_ms: u64,
}

impl Failures {
    /// How long the next try has to wait.
    fn wait_ms(self, free: u32, now_ms: u64) -> u64 {
        let Some(beyond) = self.count.checked_sub(free) else { return 0 };
        let wait = FIRST_WAIT_MS.saturating_mul(1_u64 << beyond.min(20)).min(LONGEST_WAIT_MS);
        (self.last_at_ms + wait).saturating_sub(now_ms)
    }
}

/// What [`Agents`] is made of.
pub struct Parts {
    pub store: Store,
    pub clock: Clock,
    pub board: Board,
    pub started: std::time::Instant,
    /// Ids of the sites there are.
    pub sites: Vec<String>,
    pub sign_in_h: u64,
    /// Sessions per agent and site, for accounts that say nothing else.
    pub limit: usize,
    pub second_factor: SecondFactorPolicy,
    pub metrics: Metrics,
}

impl Agents {
    /// Reads accounts and sign-ins.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn load(parts: Parts) -> Result<Self, StoreError> {
        let Parts { store, clock, board, started, sites, sign_in_h, limit, second_factor, metrics } =
            parts;
        let (mut state, mut unreadable) = (State::default(), 0);
        for (id, value) in store.scan(ACCOUNTS, b"").await? {
            match serde_json::from_slice::<Stored>(&value) {
                Ok(account) => drop(state.accounts.insert(account.id.clone(), account)),
                // It stays where it is, and the others sign in.
                Err(error) => {
                    unreadable += 1;
                    let account = String::from_utf8_lossy(&id);
                    tracing::error!(%account, %error, "an agent's account can't be read and is passed over; make a new one");
                }
            }
        }
        state.sign_ins = sign_ins::load(&store, clock.now_ms()).await?;
        let agents = Self {
            inner: Arc::new(Inner {
                store,
                clock,
                board,
                started,
                sites,
                sign_in_ms: sign_in_h.saturating_mul(3_600_000),
                limit,
                second_factor,
                state: Mutex::new(state),
                writing: tokio::sync::Mutex::default(),
                changed: watch::channel(0).0,
                checks: Arc::new(Semaphore::new(CHECKS)),
                waiting: Arc::new(Semaphore::new(CHECKS_WAITING)),
                dummy: hash(&random_id()).unwrap_or_default(),
            }),
        };
        agents.staff();
        metrics.unreadable.inc_by(unreadable);
        Ok(agents)
    }

    /// Wakes whenever an account or a sign-in changed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Signs an agent in, from an address and with a browser that names itself so.
    ///
    /// # Errors
    /// [`AgentError::WrongCredentials`], [`AgentError::CodeRequired`], [`AgentError::WrongCode`],
    /// [`AgentError::Throttled`], [`AgentError::Busy`], or the store's.
    pub async fn sign_in(
        &self,
        shown: &SignIn,
        address: Option<IpAddr>,
        browser: &str,
    ) -> Result<Fresh, AgentError> {
        let SignIn { login, password, code } = shown;
        let now_ms = self.inner.clock.now_ms();
        let login = login.trim().to_lowercase();
        // What no account can have is nothing to remember by itself.
        let name = if check_login(&login).is_ok() { login.as_str() } else { "?" };
        let network = address.map(network);
        let here = network.map_or_else(
            || format!("login {name}"),
            |network| format!("login {name} from {network}"),
        );
        let mut keys = vec![(here.clone(), FREE_TRIES)];
        keys.extend(network.map(|network| (format!("address {network}"), FREE_TRIES_ADDRESS)));
        let (tries, account) = {
            let mut state = self.lock();
            let account = state.accounts.values().find(|account| account.login == login).cloned();
            let is_known =
                |network| account.as_ref().is_some_and(|account| account.signed_in_from(network));
            if network.is_some_and(|network| !is_known(network)) {
                keys.push((format!("login {name} elsewhere"), FREE_TRIES_ELSEWHERE));
            }
            (state.try_once(keys, now_ms)?, account)
        };
        let stored = account
            .as_ref()
            .map_or_else(|| self.inner.dummy.clone(), |account| account.hash.clone());
        let fits = self.verify(stored, password).await;
        let account = match (fits, account) {
            (Ok(true), Some(account)) => account,
            (Ok(_), _) => return Err(AgentError::WrongCredentials),
            (Err(error), _) => {
                self.lock().take_back(tries);
                return Err(error);
            }
        };
        if account.second_factor.is_some() {
            // A code that is missing is no guess, one that is wrong is.
            let Some(code) = code.as_deref().filter(|code| !code.trim().is_empty()) else {
                self.lock().take_back(tries);
                return Err(AgentError::CodeRequired);
            };
            self.take_code(&account.id, code).await?;
        }
        {
            let mut state = self.lock();
            state.take_back(tries);
            state.failures.remove(&here);
        }
        if let Some(network) =
            network.filter(|network| account.networks.first() != Some(&account.hashed(*network)))
        {
            self.update(&account.id, |account| {
                account.remember(network);
                Ok(())
            })
            .await?;
        }
        self.begin(&account.id, address, browser, false).await
    }

    /// The sign-in of a token, if it is good right now.
    #[must_use]
    pub fn check(&self, token: &str) -> Option<SignedIn> {
        self.check_key(&key_hash(token))
    }

    /// The same by [`SignedIn::key`], for open sockets.
    #[must_use]
    pub fn check_key(&self, key: &str) -> Option<SignedIn> {
        let state = self.lock();
        let sign_in = state.sign_ins.get(key)?;
        if sign_in.expires_at_ms <= self.inner.clock.now_ms() {
            return None;
        }
        let account = state.accounts.get(&sign_in.agent)?;
        let needs = if sign_in.by_issuer {
            None
        } else if account.temporary {
            Some(Need::Password)
        } else if account.second_factor.is_none()
            && self.inner.second_factor == SecondFactorPolicy::Required
        {
            Some(Need::SecondFactor)
        } else {
            None
        };
        Some(SignedIn {
            agent: Agent { id: account.id.clone(), name: account.name.clone() },
            login: account.login.clone(),
            roles: account.roles.clone(),
            csrf: sign_in.csrf.clone(),
            available: account.available,
            expires_at_ms: sign_in.expires_at_ms,
            second_factor: account.second_factor.is_some(),
            needs,
            key: key.to_owned(),
        })
    }

    /// All accounts, by login.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        let mut all: Vec<Account> = self.lock().accounts.values().map(Stored::shown).collect();
        all.sort_unstable_by(|a, b| a.login.cmp(&b.login));
        all
    }

    /// A site's accounts, by login, as its admins see them: what somebody is and does on other
    /// sites is nobody's business there.
    #[must_use]
    pub fn accounts_of(&self, site: &str) -> Vec<Account> {
        let state = self.lock();
        let mut all: Vec<Account> =
            state.accounts.values().filter_map(|account| account.shown_on(site)).collect();
        all.sort_unstable_by(|a, b| a.login.cmp(&b.login));
        all
    }

    /// The agent of this id who works for the site.
    #[must_use]
    pub fn colleague(&self, site: &str, id: &str) -> Option<Agent> {
        let state = self.lock();
        let account = state.accounts.get(id).filter(|account| account.roles.contains_key(site))?;
        Some(Agent { id: account.id.clone(), name: account.name.clone() })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AgentError::Taken`], [`AgentError::Invalid`], or the store's.
    pub async fn add(&self, new: NewAccount) -> Result<Account, AgentError> {
        let login = new.login.trim().to_lowercase();
        check_login(&login)?;
        let name = checked_name(&new.name)?;
        check_password(&new.password)?;
        self.check_roles(&new.roles)?;
        let hash = self.hash(new.password).await?;
        let _writing = self.inner.writing.lock().await;
        {
            let state = self.lock();
            if state.accounts.values().any(|account| account.login == login) {
                return Err(AgentError::Taken(login));
            }
            if state.accounts.len() >= MAX_ACCOUNTS {
                return Err(AgentError::Invalid(format!(
                    "there are {MAX_ACCOUNTS} accounts, the most there may be"
                )));
            }
        }
        let account = Stored {
            id: format!("a_{}", random_id()),
            login,
            name,
            hash,
            roles: new.roles,
            limit: new.limit.unwrap_or(self.inner.limit),
            limits: BTreeMap::new(),
            available: true,
            created_at_ms: self.inner.clock.now_ms(),
            networks: Vec::new(),
            temporary: new.temporary,
            second_factor: None,
            person: None,
        };
        self.keep(account).await
    }

    /// Makes an account for an admin of a site. A login that is taken may be another site's: that
    /// is told a few times, and then only after ever longer waits.
    ///
    /// # Errors
    /// As [`Agents::add`], and [`AgentError::Throttled`].
    pub async fn add_by(&self, admin: &str, new: NewAccount) -> Result<Account, AgentError> {
        let keys = vec![(format!("logins taken {admin}"), FREE_TRIES)];
        let tries = self.lock().try_once(keys, self.inner.clock.now_ms())?;
        let added = self.add(new).await;
        if !matches!(added, Err(AgentError::Taken(_))) {
            self.lock().take_back(tries);
        }
        added
    }

    /// Changes an account. `change` says what is wrong with the wish, if anything.
    ///
    /// # Errors
    /// [`AgentError::Unknown`], what `change` refuses, or the store's.
    async fn update(
        &self,
        id: &str,
        change: impl FnOnce(&mut Stored) -> Result<(), AgentError>,
    ) -> Result<Account, AgentError> {
        let _writing = self.inner.writing.lock().await;
        let mut account = self.lock().accounts.get(id).cloned().ok_or(AgentError::Unknown)?;
        change(&mut account)?;
        self.keep(account).await
    }

    /// Changes an agent's role and limit on a site, and the name; what is `None` stays. `admin` is
    /// whose roles allow it: the name is the same on every site, so it takes an admin of all of the
    /// agent's.
    ///
    /// # Errors
    /// [`AgentError::Unknown`] for who doesn't work on the site, [`AgentError::Elsewhere`],
    /// [`AgentError::Invalid`], or the store's.
    pub async fn change(
        &self,
        id: &str,
        site: &str,
        change: SiteChange,
        admin: &BTreeMap<String, Role>,
    ) -> Result<Account, AgentError> {
        let name = change.name.as_deref().map(checked_name).transpose()?;
        self.update(id, |account| {
            let role = account.roles.get_mut(site).ok_or(AgentError::Unknown)?;
            *role = change.role.unwrap_or(*role);
            if let Some(limit) = change.limit {
                account.limits.insert(site.to_owned(), limit);
            }
            if let Some(name) = name.filter(|name| *name != account.name) {
                if account.roles.keys().any(|of| admin.get(of) != Some(&Role::Admin)) {
                    return Err(AgentError::Elsewhere);
                }
                account.name = name;
            }
            Ok(())
        })
        .await?;
        self.lock()
            .accounts
            .get(id)
            .and_then(|account| account.shown_on(site))
            .ok_or(AgentError::Unknown)
    }

    /// Whether the agent takes new sessions.
    ///
    /// # Errors
    /// [`AgentError::Unknown`], or the store's.
    pub async fn set_available(&self, id: &str, available: bool) -> Result<(), AgentError> {
        self.update(id, |account| {
            account.available = available;
            Ok(())
        })
        .await
        .map(|_| ())
    }

    /// Replaces a password and ends every sign-in but `keep`. `by` says who chose it.
    ///
    /// # Errors
    /// [`AgentError::WrongCredentials`], [`AgentError::Throttled`], [`AgentError::Busy`],
    /// [`AgentError::Unknown`], [`AgentError::Invalid`], or the store's.
    pub async fn set_password(
        &self,
        id: &str,
        by: ChosenBy<'_>,
        password: String,
        keep: Option<&str>,
    ) -> Result<(), AgentError> {
        check_password(&password)?;
        let temporary = match by {
            ChosenBy::Agent { current } => {
                if self.check_own(id, current).await?.temporary && current == password {
                    let text = "the password was given to you by somebody else; choose another one";
                    return Err(AgentError::Invalid(text.into()));
                }
                false
            }
            ChosenBy::Operator { temporary } => temporary,
        };
        let hash = self.hash(password).await?;
        self.update(id, |account| {
            account.hash = hash;
            account.temporary = temporary;
            Ok(())
        })
        .await?;
        self.end_sign_ins(id, keep).await
    }

    /// The account of who knows its password.
    async fn check_own(&self, id: &str, password: &str) -> Result<Stored, AgentError> {
        let account = self.lock().accounts.get(id).cloned().ok_or(AgentError::Unknown)?;
        let now_ms = self.inner.clock.now_ms();
        let tries = self.lock().try_once(vec![(format!("password {id}"), FREE_TRIES)], now_ms)?;
        let fits = self.verify(account.hash.clone(), password).await;
        if matches!(fits, Ok(false)) {
            return Err(AgentError::WrongCredentials);
        }
        self.lock().take_back(tries);
        fits?;
        Ok(account)
    }

    /// Takes an agent's role on a site; without any left, or with `site` `None`, the account goes.
    ///
    /// # Errors
    /// [`AgentError::Unknown`], or the store's.
    pub async fn remove(&self, id: &str, site: Option<&str>) -> Result<(), AgentError> {
        let writing = self.inner.writing.lock().await;
        let mut account = self.lock().accounts.get(id).cloned().ok_or(AgentError::Unknown)?;
        match site {
            Some(site) => {
                account.roles.remove(site).ok_or(AgentError::Unknown)?;
                account.limits.remove(site);
            }
            None => account.roles.clear(),
        }
        if !account.roles.is_empty() {
            return self.keep(account).await.map(|_| ());
        }
        if let Some(person) = &account.person {
            // Or who was removed would be a new person at the next sign-in.
            self.inner.store.put(admission::REMOVED, person.as_bytes(), b"1").await?;
        }
        self.inner.store.remove(ACCOUNTS, id.as_bytes()).await?;
        self.lock().accounts.remove(id);
        self.staff();
        drop(writing);
        self.end_sign_ins(id, None).await
    }

    /// The id of the account with this login.
    #[must_use]
    pub fn id_of(&self, login: &str) -> Option<String> {
        let login = login.trim().to_lowercase();
        self.lock()
            .accounts
            .values()
            .find(|account| account.login == login)
            .map(|account| account.id.clone())
    }

    /// Stores an account and makes it count.
    async fn keep(&self, account: Stored) -> Result<Account, AgentError> {
        let value = serde_json::to_vec(&account).unwrap_or_default();
        self.inner.store.put(ACCOUNTS, account.id.as_bytes(), &value).await?;
        let shown = account.shown();
        self.lock().accounts.insert(account.id.clone(), account);
        self.staff();
        self.tell();
        Ok(shown)
    }

    fn check_roles(&self, roles: &BTreeMap<String, Role>) -> Result<(), AgentError> {
        if roles.is_empty() {
            return Err(AgentError::Invalid(
                "the account needs a role on at least one site".into(),
            ));
        }
        match roles.keys().find(|site| !self.inner.sites.contains(site)) {
            Some(site) => Err(AgentError::Invalid(format!("no site {site:?} is configured here"))),
            None => Ok(()),
        }
    }

    /// Brings the boards' agents up to date.
    fn staff(&self) {
        let accounts: Vec<Stored> = self.lock().accounts.values().cloned().collect();
        let now = self.inner.started.elapsed();
        for site in &self.inner.sites {
            let seats = accounts.iter().filter_map(|account| {
                Some(Seat {
                    agent: Agent { id: account.id.clone(), name: account.name.clone() },
                    role: *account.roles.get(site)?,
                    available: account.available,
                    limit: account.limit_on(site),
                })
            });
            self.inner.board.staff(site, seats.collect(), now);
        }
    }

    fn tell(&self) {
        self.inner.changed.send_modify(|version| *version += 1);
    }

    /// Whether a password belongs to a hash. Off the async workers, and few at the same time.
    async fn verify(&self, stored: String, password: &str) -> Result<bool, AgentError> {
        // Longer ones belong to nobody; their hashing is still paid for, so that the time tells
        // nothing.
        let password =
            if password.len() > MAX_PASSWORD_BYTES { String::new() } else { password.to_owned() };
        self.checked(move || {
            PasswordHash::new(&stored)
                .is_ok_and(|hash| argon2id().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map(Option::unwrap_or_default)
    }

    async fn hash(&self, password: String) -> Result<String, AgentError> {
        let hashed = self.checked(move || hash(&password)).await?;
        hashed
            .flatten()
            .ok_or_else(|| AgentError::Invalid("the password could not be hashed".into()))
    }

    /// Does what takes a processor and memory, when it is its turn; `None` if it crashed.
    async fn checked<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, AgentError> {
        let busy = |_| AgentError::Busy { retry_after_ms: BUSY_RETRY_MS };
        let place = self.inner.waiting.clone().try_acquire_owned().map_err(busy)?;
        let permit =
            self.inner.checks.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, though nobody waits for it any more.
            let _held = (place, permit);
            work()
        });
        Ok(done.await.ok())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A try that counts as failed until it is known to have been none.
struct Try {
    key: String,
    at_ms: u64,
    /// When the failure before it was.
    before_ms: u64,
}

impl State {
    /// Counts a try for each key, before anybody knows how it ends: tries at the same time would
    /// all pass otherwise, since none of them has failed yet. With each key the tries that are
    /// free.
    ///
    /// # Errors
    /// [`AgentError::Throttled`] when one of the keys has to wait; nothing is counted then.
    fn try_once(&mut self, keys: Vec<(String, u32)>, now_ms: u64) -> Result<Vec<Try>, AgentError> {
        let waits = keys
            .iter()
            .filter_map(|(key, free)| Some(self.failures.get(key)?.wait_ms(*free, now_ms)));
        let wait = waits.max().unwrap_or_default();
        if wait > 0 {
            return Err(AgentError::Throttled { retry_after_ms: wait });
        }
        if self.failures.len() >= REMEMBERED {
            self.failures.retain(|_, failures| failures.last_at_ms + FORGET_MS > now_ms);
        }
        if self.failures.len() >= REMEMBERED
            && let Some(oldest) =
                self.failures.iter().min_by_key(|(_, f)| f.last_at_ms).map(|(key, _)| key.clone())
        {
            self.failures.remove(&oldest);
        }
        let count = |(key, _): (String, u32)| {
            let failures = self
                .failures
                .entry(key.clone())
                .or_insert(Failures { count: 0, last_at_ms: now_ms });
            if failures.last_at_ms + FORGET_MS <= now_ms {
                failures.count = 0;
            }
            failures.count += 1;
            let before_ms = std::mem::replace(&mut failures.last_at_ms, now_ms);
            Try { key, at_ms: now_ms, before_ms }
        };
        Ok(keys.into_iter().map(count).collect())
    }

    /// Tries that were no failures.
    fn take_back(&mut self, tries: Vec<Try>) {
        for Try { key, at_ms, before_ms } in tries {
            let Some(failures) = self.failures.get_mut(&key) else { continue };
            failures.count = failures.count.saturating_sub(1);
            if failures.last_at_ms == at_ms {
                failures.last_at_ms = before_ms;
            }
            if failures.count == 0 {
                self.failures.remove(&key);
            }
        }
    }
}

impl Stored {
    /// A network as it is kept: not to be read off, though who has the store can try all that there
    /// are.
    fn hashed(&self, network: IpAddr) -> String {
        key_hash(&format!("{} {network} {}", self.id, self.hash))
    }

    fn signed_in_from(&self, network: IpAddr) -> bool {
        self.networks.contains(&self.hashed(network))
    }

    fn remember(&mut self, network: IpAddr) {
        let hashed = self.hashed(network);
        self.networks.retain(|known| *known != hashed);
        self.networks.insert(0, hashed);
        self.networks.truncate(MAX_NETWORKS);
    }

    fn limit_on(&self, site: &str) -> usize {
        self.limits.get(site).copied().unwrap_or(self.limit)
    }

    /// What the admins of a site see; nothing of who doesn't work there.
    fn shown_on(&self, site: &str) -> Option<Account> {
        let roles = BTreeMap::from([(site.to_owned(), *self.roles.get(site)?)]);
        Some(Account { roles, limit: self.limit_on(site), ..self.shown() })
    }

    fn shown(&self) -> Account {
        Account {
            agent: Agent { id: self.id.clone(), name: self.name.clone() }.into(),
            login: self.login.clone(),
            roles: self.roles.clone(),
            limit: self.limit,
            created_at_ms: self.created_at_ms,
            temporary: self.temporary,
            second_factor: self.second_factor.is_some(),
            oidc: self.person.is_some(),
        }
    }
}

impl SignedIn {
    /// The role on a site.
    #[must_use]
    pub fn role(&self, site: &str) -> Option<Role> {
        self.roles.get(site).copied()
    }

    /// Whether the CSRF token shown is this sign-in's, in constant time.
    #[must_use]
    pub fn csrf_fits(&self, shown: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(shown.as_bytes()))
    }
}

/// Argon2id with the parameters that OWASP's Password Storage Cheat Sheet recommends first: 19 MiB,
/// two passes, one lane.
fn argon2id() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).ok()?;
    argon2id().hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

fn check_login(login: &str) -> Result<(), AgentError> {
    let fits = (1..=64).contains(&login.len())
        && login
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.@+".contains(&b));
    if fits {
        Ok(())
    } else {
        Err(AgentError::Invalid(format!(
            "the login {login:?} must be 1 to 64 of a-z, 0-9 and -_.@+"
        )))
    }
}

fn checked_name(name: &str) -> Result<String, AgentError> {
    let name = name.trim();
    if name.is_empty()
        || name.chars().count() > MAX_NAME_CHARS
        || name.chars().any(char::is_control)
    {
        return Err(AgentError::Invalid(format!(
            "a name has 1 to {MAX_NAME_CHARS} characters on one line"
        )));
    }
    Ok(name.to_owned())
}

fn check_password(password: &str) -> Result<(), AgentError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(AgentError::Invalid(format!(
            "a password has at least {MIN_PASSWORD_CHARS} characters"
        )));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(AgentError::Invalid(format!(
            "a password has at most {MAX_PASSWORD_BYTES} bytes"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::store::StoreConfig;

    #[test]
    fn hashes_are_argon2id_and_salted() {
        let (first, second) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
    }

    #[test]
    fn waiting_doubles_and_ends() {
        let wait =
            |count, now_ms| Failures { count, last_at_ms: 1_000 }.wait_ms(FREE_TRIES, now_ms);
        assert_eq!(wait(FREE_TRIES - 1, 1_000), 0);
        assert_eq!(wait(FREE_TRIES, 1_000), FIRST_WAIT_MS);
        assert_eq!(wait(FREE_TRIES + 2, 1_000), 4 * FIRST_WAIT_MS);
        assert_eq!(wait(FREE_TRIES + 60, 1_000), LONGEST_WAIT_MS);
        assert_eq!(wait(FREE_TRIES, 1_000 + FIRST_WAIT_MS), 0);
    }

    #[test]
    fn what_is_remembered_of_failures_is_bounded() {
        let mut state = State::default();
        for i in 0..REMEMBERED + 50 {
            state.try_once(vec![(format!("login {i}"), FREE_TRIES)], 1_000 + i as u64).unwrap();
        }
        assert!(state.failures.len() <= REMEMBERED + 1);
        assert!(
            !state.failures.contains_key("login 0") && state.failures.contains_key("login 10049")
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert!(check_login("mara@shop.example").is_ok());
        assert!(check_login("Mara Smith").is_err() && check_login("").is_err());
        assert!(check_password("short").is_err() && check_password(&"x".repeat(300)).is_err());
        assert!(check_password("long enough").is_ok());
        assert!(
            checked_name("\u{1b}[31m").is_err()
                && checked_name(" Mara ").is_ok_and(|name| name == "Mara")
        );
    }

    impl Agents {
        /// A sign-in without a code.
        async fn enter(
            &self,
            login: &str,
            password: &str,
            address: Option<IpAddr>,
        ) -> Result<Fresh, AgentError> {
            let shown = SignIn { login: login.into(), password: password.into(), code: None };
            self.sign_in(&shown, address, "Firefox").await
        }
    }

    struct OpenAgents {
        agents: Agents,
        store: Store,
        clock: Clock,
        directory: tempfile::TempDir,
    }

    impl OpenAgents {
        async fn open() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let store = Store::open(&StoreConfig { path, ..StoreConfig::default() }).unwrap();
            let clock = Clock::manual(1_700_000_000_000);
            let agents = Self::load(&store, &clock).await;
            Self { agents, store, clock, directory }
        }

        async fn load(store: &Store, clock: &Clock) -> Agents {
            let parts = Parts {
                store: store.clone(),
                clock: clock.clone(),
                board: Board::new("boot"),
                started: std::time::Instant::now(),
                sites: vec!["shop".into()],
                sign_in_h: 12,
                limit: 4,
                second_factor: SecondFactorPolicy::Optional,
                metrics: Metrics::new(),
            };
            Agents::load(parts).await.unwrap()
        }

        async fn with_mara() -> (Self, String) {
            let desk = Self::open().await;
            let (login, name, password) = ("mara".into(), "Mara".into(), PASSWORD.into());
            let roles = BTreeMap::from([("shop".to_owned(), Role::Agent)]);
            let new = NewAccount { login, name, password, roles, limit: None, temporary: false };
            let account = desk.agents.add(new).await.unwrap();
            (desk, account.agent.id)
        }

        async fn close(self) {
            self.store.close().await.unwrap();
            self.directory.close().unwrap();
        }
    }

    const PASSWORD: &str = "correct horse";

    /// How many tries ended in each way: right, wrong, throttled, refused as one too many.
    fn ends<T>(results: &[Result<T, AgentError>]) -> [usize; 4] {
        let mut ends = [0; 4];
        for result in results {
            ends[match result {
                Ok(_) => 0,
                Err(AgentError::WrongCredentials) => 1,
                Err(AgentError::Throttled { .. }) => 2,
                Err(AgentError::Busy { .. }) => 3,
                Err(other) => panic!("{other}"),
            }] += 1;
        }
        ends
    }

    #[tokio::test]
    async fn who_adds_accounts_does_not_find_out_every_login_of_other_sites() {
        let (desk, _) = OpenAgents::with_mara().await;
        let new = |login: &str| NewAccount {
            login: login.into(),
            name: "New".into(),
            password: PASSWORD.into(),
            roles: BTreeMap::from([("shop".to_owned(), Role::Agent)]),
            limit: None,
            temporary: false,
        };
        // Accounts that can be made are not counted, however many.
        for at in 0..FREE_TRIES + 2 {
            desk.agents.add_by("admin", new(&format!("jo{at}"))).await.unwrap();
        }
        let mut taken = 0;
        loop {
            match desk.agents.add_by("admin", new("mara")).await {
                Err(AgentError::Taken(_)) => taken += 1,
                Err(AgentError::Throttled { retry_after_ms }) => break assert!(retry_after_ms > 0),
                other => panic!("{other:?}"),
            }
        }
        assert!((1..=FREE_TRIES + 1).contains(&taken), "{taken}");
        assert!(matches!(
            desk.agents.add_by("another", new("mara")).await,
            Err(AgentError::Taken(_))
        ));
        desk.close().await;
    }

    #[tokio::test]
    async fn guesses_at_the_same_time_are_slowed_down_as_those_after_each_other() {
        let (desk, mara) = OpenAgents::with_mara().await;
        let free = FREE_TRIES as usize;
        // The last one is right, and comes too late.
        let words: Vec<String> =
            (0..59).map(|i| format!("wrong password {i}")).chain([PASSWORD.into()]).collect();
        let guesses = words.iter().map(|word| desk.agents.enter("mara", word, None));
        assert_eq!(ends(&join_all(guesses).await), [0, free, 60 - free, 0]);

        let guesses = words.iter().map(|word| {
            desk.agents.set_password(
                &mara,
                ChosenBy::Agent { current: word },
                "another one".into(),
                None,
            )
        });
        assert_eq!(ends(&join_all(guesses).await), [0, free, 60 - free, 0]);
        desk.close().await;
    }

    #[tokio::test]
    async fn a_right_password_is_no_failure() {
        let (desk, mara) = OpenAgents::with_mara().await;
        let address = Some(IpAddr::from([192, 0, 2, 7]));
        for _ in 0..FREE_TRIES_ADDRESS + 5 {
            desk.agents.enter("mara", PASSWORD, address).await.unwrap();
        }
        for _ in 0..FREE_TRIES + 1 {
            desk.agents
                .set_password(&mara, ChosenBy::Agent { current: PASSWORD }, PASSWORD.into(), None)
                .await
                .unwrap();
        }
        assert!(desk.agents.lock().failures.is_empty());
        desk.close().await;
    }

    #[tokio::test]
    async fn nobody_locks_an_agent_out_from_elsewhere() {
        let (desk, _) = OpenAgents::with_mara().await;
        let home = IpAddr::from([192, 0, 2, 7]);
        let abroad = |i: u32| Some(IpAddr::from((0x0a00_0000 + i).to_be_bytes()));
        desk.agents.enter("mara", PASSWORD, Some(home)).await.unwrap();
        // Guesses from one network after the other, until all of them together have to wait.
        for i in 0..FREE_TRIES_ELSEWHERE {
            let guess = desk.agents.enter("mara", "wrong password", abroad(i)).await;
            assert!(matches!(guess, Err(AgentError::WrongCredentials)), "{i} {guess:?}");
        }
        let guess = desk.agents.enter("mara", "wrong password", abroad(1_000)).await;
        assert!(matches!(guess, Err(AgentError::Throttled { .. })), "{guess:?}");
        // At home nothing of that is felt, also after a restart of the server, and a guess from
        // there counts there.
        desk.agents.enter("mara", PASSWORD, Some(home)).await.unwrap();
        let again = OpenAgents::load(&desk.store, &desk.clock).await;
        assert!(again.lock().accounts.values().any(|account| account.signed_in_from(home)));
        for _ in 0..FREE_TRIES {
            let _ = desk.agents.enter("mara", "wrong password", Some(home)).await;
        }
        let guess = desk.agents.enter("mara", PASSWORD, Some(home)).await;
        assert!(matches!(guess, Err(AgentError::Throttled { .. })), "{guess:?}");
        // What can't be a login isn't remembered one by one.
        let failures = desk.agents.lock().failures.len();
        for i in 0..3 {
            let _ = desk.agents.enter(&"x".repeat(100_000 + i), "wrong password", Some(home)).await;
        }
        {
            let state = desk.agents.lock();
            assert!(
                state.failures.len() <= failures + 2
                    && state.failures.keys().all(|key| key.len() < 200)
            );
        }
        desk.close().await;
    }

    #[tokio::test]
    async fn a_flood_of_sign_ins_is_refused_and_not_lined_up() {
        let (desk, _) = OpenAgents::with_mara().await;
        let logins: Vec<String> = (0..CHECKS_WAITING + 10).map(|i| format!("nobody{i}")).collect();
        let tries = logins.iter().map(|login| desk.agents.enter(login, "wrong password", None));
        assert_eq!(ends(&join_all(tries).await), [0, CHECKS_WAITING, 0, 10]);
        // Who was refused didn't fail.
        assert_eq!(desk.agents.lock().failures.len(), CHECKS_WAITING);
        desk.close().await;
    }

    #[tokio::test]
    async fn an_account_that_can_t_be_read_keeps_nobody_else_out() {
        let (desk, mara) = OpenAgents::with_mara().await;
        desk.store.put(ACCOUNTS, b"a_broken", b"{\"id\":7}").await.unwrap();
        let again = OpenAgents::load(&desk.store, &desk.clock).await;
        assert_eq!(
            again.accounts().iter().map(|account| &account.agent.id).collect::<Vec<_>>(),
            [&mara]
        );
        again.enter("mara", PASSWORD, None).await.unwrap();
        assert!(desk.store.get(ACCOUNTS, b"a_broken").await.unwrap().is_some());
        desk.close().await;
    }

    #[tokio::test]
    async fn sign_ins_that_are_over_keep_nobody_out() {
        let (desk, mara) = OpenAgents::with_mara().await;
        desk.agents.enter("mara", PASSWORD, None).await.unwrap();
        let expires_at_ms = desk.clock.now_ms() + 1_000;
        for i in 1..MAX_SIGN_INS {
            let sign_in = SignedInStored::of(&mara, expires_at_ms);
            desk.agents.lock().sign_ins.insert(format!("{i}"), sign_in);
        }
        assert_eq!(ends(&[desk.agents.enter("mara", PASSWORD, None).await]), [0, 0, 1, 0]);
        desk.clock.advance(2_000);
        desk.agents.enter("mara", PASSWORD, None).await.unwrap();
        assert_eq!(desk.agents.lock().sign_ins.len(), 2);

        // A start forgets those that are over on disk, too.
        assert_eq!(desk.store.scan(&sign_ins::space(), b"").await.unwrap().len(), 2);
        desk.clock.advance(13 * 3_600_000);
        OpenAgents::load(&desk.store, &desk.clock).await;
        assert_eq!(desk.store.scan(&sign_ins::space(), b"").await.unwrap(), vec![]);
        desk.close().await;
    }

    #[tokio::test]
    async fn a_site_s_admin_changes_an_agent_there_alone() {
        let (desk, mara) = OpenAgents::with_mara().await;
        let agents = &desk.agents;
        let admin = |sites: &[&str]| {
            sites.iter().map(|site| ((*site).to_owned(), Role::Admin)).collect::<BTreeMap<_, _>>()
        };
        let named = |name: &str| SiteChange { name: Some(name.into()), ..SiteChange::default() };
        let limited =
            SiteChange { limit: Some(9), role: Some(Role::Admin), ..SiteChange::default() };
        agents.change(&mara, "shop", named("Mara S."), &admin(&["shop"])).await.unwrap();

        agents
            .update(&mara, |account| {
                account.roles.insert("bank".into(), Role::Agent);
                Ok(())
            })
            .await
            .unwrap();
        let seen = agents.change(&mara, "shop", limited, &admin(&["shop"])).await.unwrap();
        assert_eq!((seen.limit, seen.roles), (9, admin(&["shop"])));
        let there = agents.accounts_of("bank");
        assert_eq!((there[0].limit, there[0].roles.get("bank")), (4, Some(&Role::Agent)));
        assert_eq!((there[0].agent.name.as_str(), there[0].roles.len()), ("Mara S.", 1));
        let refused = agents.change(&mara, "shop", named("Clown"), &admin(&["shop"])).await;
        assert!(matches!(refused, Err(AgentError::Elsewhere)), "{refused:?}");
        // A form that sends the name as it is changes nothing.
        agents.change(&mara, "shop", named("Mara S."), &admin(&["shop"])).await.unwrap();
        agents.change(&mara, "shop", named("Mara T."), &admin(&["shop", "bank"])).await.unwrap();
        assert_eq!(agents.accounts_of("bank")[0].agent.name, "Mara T.");
        let nowhere = agents.change(&mara, "park", SiteChange::default(), &admin(&["park"])).await;
        assert!(matches!(nowhere, Err(AgentError::Unknown)), "{nowhere:?}");

        // What one site's admin set goes with the role there.
        agents.remove(&mara, Some("shop")).await.unwrap();
        assert_eq!(agents.lock().accounts[&mara].limits, BTreeMap::new());
        desk.close().await;
    }
}
