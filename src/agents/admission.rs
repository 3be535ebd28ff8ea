//! Which account somebody whom the issuer vouches for gets into. An account that a person once
//! signed in to is theirs by issuer and subject, never again by a name or an address: whoever is
//! given a colleague's old address doesn't get the account.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::oidc::{OidcConfig, Person};
use super::{
    AgentError, Agents, FREE_TRIES_ADDRESS, Fresh, MAX_ACCOUNTS, MAX_NAME_CHARS, Stored, Try,
    check_login,
};
use crate::address::network;
use crate::secret::random_id;
use crate::store::StoreError;

/// [`Person::key`] of persons whose account was removed.
pub(super) const REMOVED: &str = "agents-removed";

/// Why a person isn't let in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("not of oidc.email_domains or oidc.groups")]
    NotAllowed,
    #[error(
        "the ID token doesn't say that the e-mail address was verified (`email_verified`); without \
         that it counts for nothing"
    )]
    Unverified,
    #[error(
        "there is no account for this person; make one whose login is the e-mail address, or set \
         oidc.create"
    )]
    Unknown,
    #[error("the person's account was removed; make one whose login is the e-mail address again")]
    Removed,
    #[error(
        "the account of this e-mail address belongs to another person of the issuer's; \
         `frontdesk agent unlink-oidc` gives it up"
    )]
    Bound,
    #[error("the issuer doesn't say that it asked for several factors (oidc.require_mfa)")]
    OneFactor,
    #[error("the login of a new account is taken, or can't be one")]
    LoginTaken,
    #[error(transparent)]
    Failed(#[from] AgentError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// How an account came to be the person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Known,
    /// By the verified address, this first time.
    Bound,
    /// It was made just now.
    Made,
}

/// A person who was let in.
#[derive(Debug)]
pub struct Admitted {
    pub fresh: Fresh,
    pub way: Way,
}

/// Somebody who comes back from the issuer: a failure until it is known to have been none.
#[must_use]
pub struct Arrival {
    tries: Vec<Try>,
}

impl Agents {
    /// Counts somebody who comes back from the issuer, since each is a request to it.
    ///
    /// # Errors
    /// [`AgentError::Throttled`].
    pub fn arrival(&self, address: IpAddr) -> Result<Arrival, AgentError> {
        let keys = vec![(format!("issuer {}", network(address)), FREE_TRIES_ADDRESS)];
        let tries = self.lock().try_once(keys, self.inner.clock.now_ms())?;
        Ok(Arrival { tries })
    }

    /// It was no failure of who came.
    pub fn forgive(&self, arrival: Arrival) {
        self.lock().take_back(arrival.tries);
    }

    /// Signs a person in, by the account that is theirs, becomes theirs or is made.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn admit(
        &self,
        person: &Person,
        rules: &OidcConfig,
        address: IpAddr,
        browser: &str,
    ) -> Result<Admitted, Refused> {
        is_allowed(person, rules)?;
        let (id, way) = {
            let _writing = self.inner.writing.lock().await;
            self.account_of(person, rules).await?
        };
        let fresh = self.begin(&id, Some(address), browser, true).await?;
        Ok(Admitted { fresh, way })
    }

    /// While nobody else changes accounts.
    async fn account_of(
        &self,
        person: &Person,
        rules: &OidcConfig,
    ) -> Result<(String, Way), Refused> {
        let (own, same_address) = {
            let state = self.lock();
            let find = |fits: &dyn Fn(&Stored) -> bool| {
                state.accounts.values().find(|account| fits(account)).cloned()
            };
            let own = find(&|account| account.person.as_ref() == Some(&person.key));
            let same = find(&|account| person.email.as_ref() == Some(&account.login));
            (own, same)
        };
        if let Some(account) = own {
            return Ok((account.id, Way::Known));
        }
        if let Some(account) = same_address {
            if account.person.is_some() {
                return Err(Refused::Bound);
            }
            let account = Stored { person: Some(person.key.clone()), ..account };
            let id = self.keep(account).await?.agent.id;
            self.inner.store.remove(REMOVED, person.key.as_bytes()).await?;
            return Ok((id, Way::Bound));
        }
        if self.inner.store.get(REMOVED, person.key.as_bytes()).await?.is_some() {
            return Err(Refused::Removed);
        }
        match (rules.create, &person.email) {
            (true, _) => Ok((self.make(person, rules).await?, Way::Made)),
            (false, Some(_)) => Err(Refused::Unknown),
            (false, None) => Err(Refused::Unverified),
        }
    }

    async fn make(&self, person: &Person, rules: &OidcConfig) -> Result<String, Refused> {
        let login = person.email.as_ref().or(person.username.as_ref());
        let login = login.ok_or(Refused::Unverified)?.clone();
        self.check_roles(&rules.roles)?;
        {
            let state = self.lock();
            let taken = state.accounts.values().any(|account| account.login == login);
            if taken || check_login(&login).is_err() {
                return Err(Refused::LoginTaken);
            }
            if state.accounts.len() >= MAX_ACCOUNTS {
                let text = format!("there are {MAX_ACCOUNTS} accounts, the most there may be");
                return Err(AgentError::Invalid(text).into());
            }
        }
        let account = Stored {
            id: format!("a_{}", random_id()),
            name: name_of(person, &login),
            login,
            // Of a password that nobody knows: an operator can set one.
            hash: self.inner.dummy.clone(),
            roles: rules.roles.clone(),
            limit: self.inner.limit,
            limits: BTreeMap::new(),
            available: true,
            created_at_ms: self.inner.clock.now_ms(),
            networks: Vec::new(),
            temporary: false,
            second_factor: None,
            person: Some(person.key.clone()),
        };
        Ok(self.keep(account).await?.agent.id)
    }

    /// Parts an account from its person at the issuer, and ends every sign-in.
    ///
    /// # Errors
    /// [`AgentError::Unknown`], or the store's.
    pub async fn unlink(&self, id: &str) -> Result<(), AgentError> {
        self.update(id, |account| {
            account.person = None;
            Ok(())
        })
        .await?;
        self.end_sign_ins(id, None).await
    }
}

/// Whether the rules let a person in at all, account or not: who leaves a group is out at the next
/// sign-in.
fn is_allowed(person: &Person, rules: &OidcConfig) -> Result<(), Refused> {
    if !rules.email_domains.is_empty() {
        let email = person.email.as_deref().ok_or(Refused::Unverified)?;
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        if domain.is_none_or(|domain| !rules.email_domains.iter().any(|one| one == domain)) {
            return Err(Refused::NotAllowed);
        }
    }
    if !rules.groups.is_empty() && !person.groups.iter().any(|one| rules.groups.contains(one)) {
        return Err(Refused::NotAllowed);
    }
    if rules.require_mfa && !person.several_factors {
        return Err(Refused::OneFactor);
    }
    Ok(())
}

/// A name that visitors and colleagues can read, on one line.
fn name_of(person: &Person, login: &str) -> String {
    let name = person.name.as_deref().unwrap_or_default().chars();
    let name: String = name.filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    // Visitors see it: without one, not the whole address.
    let without = login.split('@').next().unwrap_or_default();
    let name = if name.trim().is_empty() { without } else { name.trim() };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person {
            key: "k".into(),
            email: Some("mara@shop.example".into()),
            username: None,
            name: None,
            groups: vec!["support".into()],
            several_factors: false,
        }
    }

    #[test]
    fn domains_groups_and_factors_are_asked_for_where_they_are_set() {
        let check = |rules: OidcConfig, person: &Person, expected: &str| {
            let found = is_allowed(person, &rules).err().map(|error| error.to_string());
            let found = found.unwrap_or_default();
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{found}"
            );
        };
        let domains = |all: &[&str]| OidcConfig {
            email_domains: all.iter().map(|one| (*one).to_owned()).collect(),
            ..OidcConfig::default()
        };
        let groups = |all: &[&str]| OidcConfig {
            groups: all.iter().map(|one| (*one).to_owned()).collect(),
            ..OidcConfig::default()
        };
        let unverified = Person { email: None, ..person() };
        check(OidcConfig::default(), &unverified, "");
        check(domains(&["bank.example", "shop.example"]), &person(), "");
        check(domains(&["example"]), &person(), "not of");
        check(domains(&["shop.example"]), &unverified, "the ID token");
        check(groups(&["support"]), &unverified, "");
        check(groups(&["admins"]), &person(), "not of");
        let several = OidcConfig { require_mfa: true, ..OidcConfig::default() };
        check(several.clone(), &person(), "the issuer");
        check(several, &Person { several_factors: true, ..person() }, "");
    }

    #[test]
    fn a_name_is_one_line_and_shows_no_address() {
        let named = |name: &str| Person { name: Some(name.into()), ..person() };
        assert_eq!(name_of(&named("Mara\n Lind "), "m@shop.example"), "Mara Lind");
        assert_eq!(name_of(&named(" \n"), "m@shop.example"), "m");
        assert_eq!(name_of(&person(), "m@shop.example"), "m");
        assert_eq!(name_of(&named(&"x".repeat(99)), "m").chars().count(), MAX_NAME_CHARS);
    }
}
