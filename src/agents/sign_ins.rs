//! Sign-ins: who is in, since when and whence, and how that ends.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{AgentError, Agents, Fresh, MAX_SIGN_INS};
use crate::protocol::console::SignInView;
use crate::secret::{key_hash, random_token};
use crate::store::{LOCAL_SPACE, Store, StoreError};

/// Kept of what a browser calls itself, in Unicode scalar values.
const MAX_BROWSER_CHARS: usize = 200;

/// A sign-in as it is stored, under the SHA-256 of its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SignedInStored {
    pub agent: String,
    pub csrf: String,
    pub expires_at_ms: u64,
    #[serde(default)]
    began_at_ms: u64,
    #[serde(default)]
    browser: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    /// Whether the issuer of `[oidc]` vouched for the agent: then neither a password nor a second
    /// factor of ours was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_issuer: bool,
}

#[cfg(test)]
impl SignedInStored {
    pub(super) fn of(agent: &str, expires_at_ms: u64) -> Self {
        Self {
            agent: agent.to_owned(),
            csrf: String::new(),
            expires_at_ms,
            began_at_ms: 0,
            browser: String::new(),
            address: None,
            by_issuer: false,
        }
    }
}

pub(super) fn space() -> String {
    format!("{LOCAL_SPACE}sign-ins")
}

/// Those that are good, by the SHA-256 of their tokens; the others leave the store.
pub(super) async fn load(
    store: &Store,
    now_ms: u64,
) -> Result<HashMap<String, SignedInStored>, StoreError> {
    let (mut good, mut over) = (HashMap::new(), Vec::new());
    for (key, value) in store.scan(&space(), b"").await? {
        match (str::from_utf8(&key), serde_json::from_slice::<SignedInStored>(&value)) {
            (Ok(name), Ok(sign_in)) if sign_in.expires_at_ms > now_ms => {
                good.insert(name.to_owned(), sign_in);
            }
            // One that can't be read is none: the agent signs in again.
            _ => over.push((key, None)),
        }
    }
    if !over.is_empty() {
        store.change(&space(), over).await?;
    }
    Ok(good)
}

impl Agents {
    pub(super) async fn begin(
        &self,
        agent: &str,
        address: Option<IpAddr>,
        browser: &str,
        by_issuer: bool,
    ) -> Result<Fresh, AgentError> {
        let now_ms = self.inner.clock.now_ms();
        let token = random_token();
        let shown = browser.chars().filter(|c| !c.is_control());
        let sign_in = SignedInStored {
            agent: agent.to_owned(),
            csrf: random_token(),
            expires_at_ms: now_ms + self.inner.sign_in_ms,
            began_at_ms: now_ms,
            browser: shown.take(MAX_BROWSER_CHARS).collect(),
            address,
            by_issuer,
        };
        let key = key_hash(&token);
        let _writing = self.inner.writing.lock().await;
        let expired: Vec<String> = {
            let state = self.lock();
            let old = state.sign_ins.iter().filter(|(_, sign_in)| sign_in.expires_at_ms <= now_ms);
            let old: Vec<String> = old.map(|(key, _)| key.clone()).collect();
            if state.sign_ins.len() - old.len() >= MAX_SIGN_INS {
                return Err(AgentError::Throttled { retry_after_ms: 60_000 });
            }
            old
        };
        let value = serde_json::to_vec(&sign_in).unwrap_or_default();
        let changes = expired.iter().map(|key| (key.clone().into_bytes(), None));
        let changes = changes.chain([(key.clone().into_bytes(), Some(value))]).collect();
        self.inner.store.change(&space(), changes).await?;
        {
            let mut state = self.lock();
            for key in expired {
                state.sign_ins.remove(&key);
            }
            state.sign_ins.insert(key.clone(), sign_in);
        }
        let signed_in = self.check_key(&key).ok_or(AgentError::Unknown)?;
        Ok(Fresh { token, signed_in })
    }

    /// An agent's sign-ins, the newest first; `current` is the key of the one that asks.
    #[must_use]
    pub fn sign_ins(&self, agent: &str, current: &str) -> Vec<SignInView> {
        let now_ms = self.inner.clock.now_ms();
        let state = self.lock();
        let own = state
            .sign_ins
            .iter()
            .filter(|(_, sign_in)| sign_in.agent == agent && sign_in.expires_at_ms > now_ms);
        let mut own: Vec<SignInView> = own
            .map(|(key, sign_in)| SignInView {
                id: key.clone(),
                began_at_ms: sign_in.began_at_ms,
                expires_at_ms: sign_in.expires_at_ms,
                browser: sign_in.browser.clone(),
                address: sign_in.address.map(|address| address.to_string()),
                current: key == current,
            })
            .collect();
        own.sort_unstable_by(|a, b| b.began_at_ms.cmp(&a.began_at_ms).then(a.id.cmp(&b.id)));
        own
    }

    /// Ends a sign-in.
    ///
    /// # Errors
    /// When the store fails; the sign-in is over in memory all the same.
    pub async fn sign_out(&self, key: &str) -> Result<(), AgentError> {
        let _writing = self.inner.writing.lock().await;
        self.lock().sign_ins.remove(key);
        self.tell();
        self.inner.store.remove(&space(), key.as_bytes()).await?;
        Ok(())
    }

    /// Ends a sign-in of this agent's.
    ///
    /// # Errors
    /// [`AgentError::NoSignIn`], or the store's.
    pub async fn end_sign_in(&self, agent: &str, key: &str) -> Result<(), AgentError> {
        let own = self.lock().sign_ins.get(key).is_some_and(|sign_in| sign_in.agent == agent);
        if own { self.sign_out(key).await } else { Err(AgentError::NoSignIn) }
    }

    /// Ends an agent's sign-ins, all but `keep`.
    ///
    /// # Errors
    /// When the store fails; the sign-ins are over in memory all the same.
    pub async fn end_sign_ins(&self, agent: &str, keep: Option<&str>) -> Result<(), AgentError> {
        let _writing = self.inner.writing.lock().await;
        let over: Vec<String> = {
            let mut state = self.lock();
            let over = state
                .sign_ins
                .iter()
                .filter(|(key, sign_in)| sign_in.agent == agent && Some(key.as_str()) != keep);
            let over: Vec<String> = over.map(|(key, _)| key.clone()).collect();
            for key in &over {
                state.sign_ins.remove(key);
            }
            over
        };
        self.tell();
        let changes = over.into_iter().map(|key| (key.into_bytes(), None)).collect();
        self.inner.store.change(&space(), changes).await?;
        Ok(())
    }
}
