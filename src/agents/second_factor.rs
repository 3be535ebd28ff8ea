//! The second factor of a sign-in: codes of an authenticator app (TOTP of RFC 6238 as every app
//! takes it: SHA-1, six digits, steps of 30 s, one step either way), and recovery codes for the day
//! on which the phone is lost.

use std::fmt;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, Secret, TOTP};
use unicode_normalization::UnicodeNormalization as _;

use super::{AgentError, Agents, FREE_TRIES};
use crate::secret::key_hash;
use crate::session::desk::SecondFactorPolicy;

/// Whose name an app shows beside the account.
const ISSUER: &str = "Frontdesk";
/// Digits of a code, the seconds that each counts, and the steps by which the clocks of phone and
/// server may differ.
const DIGITS: usize = 6;
const STEP_S: u64 = 30;
const SKEW: u64 = 1;
const RECOVERY_CODES: usize = 10;
/// Of a recovery code, without characters that are taken for one another.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 79 random bits: too many to be guessed from their SHA-256.
const RECOVERY_CHARS: usize = 16;
/// Longest time between a secret shown and its first code.
const OFFER_MS: u64 = 10 * 60_000;

/// A second factor as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SecondFactor {
    /// Base32.
    secret: String,
    /// The last time step whose code was taken: each counts once (RFC 6238, section 5.2).
    step: u64,
    /// SHA-256 of the recovery codes that are left.
    recovery: Vec<String>,
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.recovery.len();
        f.debug_struct("SecondFactor").field("recovery", &left).finish_non_exhaustive()
    }
}

/// A secret that was shown and not yet confirmed.
pub(super) struct Offer {
    secret: String,
    at_ms: u64,
}

/// A secret for an authenticator app.
#[derive(Debug)]
pub struct Offered {
    /// Base32.
    pub secret: String,
    /// `otpauth://totp/…`.
    pub uri: String,
}

impl SecondFactor {
    /// Whether the code is good; it isn't a second time.
    fn take(&mut self, code: &str, now_ms: u64) -> bool {
        let code = typed(code);
        if code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()) {
            let step = self.step_of(&code, now_ms).filter(|step| *step > self.step);
            self.step = step.unwrap_or(self.step);
            return step.is_some();
        }
        let hash = key_hash(&code);
        let before = self.recovery.len();
        self.recovery.retain(|left| *left != hash);
        self.recovery.len() < before
    }

    /// The time step, of this one and the two beside it, that has the code.
    fn step_of(&self, code: &str, now_ms: u64) -> Option<u64> {
        let totp = totp(&self.secret, "")?;
        let now = now_ms / 1_000 / STEP_S;
        let mut steps = now.saturating_sub(SKEW)..=now + SKEW;
        steps.find(|step| totp.generate(step * STEP_S).as_bytes().ct_eq(code.as_bytes()).into())
    }
}

/// A code as its typist means it: apps and sheets of paper show groups, and Chinese and Japanese
/// keyboards write wide digits.
fn typed(code: &str) -> String {
    code.nfkc().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_lowercase).collect()
}

/// `None` for a secret that is none.
fn totp(secret: &str, login: &str) -> Option<TOTP> {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().ok()?;
    let (issuer, login) = (Some(ISSUER.to_owned()), login.to_owned());
    TOTP::new(Algorithm::SHA1, DIGITS, 1, STEP_S, secret, issuer, login).ok()
}

/// In groups of four, to be read off paper.
fn recovery_code() -> String {
    let mut rng = rand::rng();
    let mut code = String::new();
    for at in 0..RECOVERY_CHARS {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        let index = rng.random_range(0..ALPHABET.len());
        code.extend(ALPHABET.get(index).copied().map(char::from));
    }
    code
}

impl Agents {
    /// Takes a code in a sign-in.
    pub(super) async fn take_code(&self, id: &str, code: &str) -> Result<(), AgentError> {
        let now_ms = self.inner.clock.now_ms();
        self.update(id, |account| {
            let factor = account.second_factor.as_mut();
            let good = factor.is_some_and(|factor| factor.take(code, now_ms));
            if good { Ok(()) } else { Err(AgentError::WrongCode) }
        })
        .await
        .map(|_| ())
    }

    /// A new secret for who knows the account's password. It counts once
    /// [`Agents::confirm_second_factor`] was shown a code of it; the factor that there is counts
    /// till then.
    ///
    /// # Errors
    /// [`AgentError::WrongCredentials`], [`AgentError::Throttled`], [`AgentError::Busy`],
    /// [`AgentError::Unknown`], or [`AgentError::Invalid`].
    pub async fn offer_second_factor(
        &self,
        id: &str,
        password: &str,
    ) -> Result<Offered, AgentError> {
        let login = self.check_own(id, password).await?.login;
        // 160 bits, as RFC 4226 recommends.
        let bits: [u8; 20] = rand::rng().random();
        let secret = Secret::Raw(bits.to_vec()).to_encoded().to_string();
        let uri = totp(&secret, &login).map(|totp| totp.get_url());
        let uri = uri.ok_or_else(|| AgentError::Invalid("no secret could be made".into()))?;
        let offer = Offer { secret: secret.clone(), at_ms: self.inner.clock.now_ms() };
        self.lock().offers.insert(id.to_owned(), offer);
        Ok(Offered { secret, uri })
    }

    /// Makes the secret that was shown the account's second factor, and ends every sign-in but
    /// `keep`. The recovery codes are told this one time.
    ///
    /// # Errors
    /// [`AgentError::Invalid`] where no secret was shown lately, [`AgentError::WrongCode`],
    /// [`AgentError::Throttled`], or the store's.
    pub async fn confirm_second_factor(
        &self,
        id: &str,
        code: &str,
        keep: Option<&str>,
    ) -> Result<Vec<String>, AgentError> {
        let now_ms = self.inner.clock.now_ms();
        let (tries, secret) = {
            let mut state = self.lock();
            let offer = state.offers.get(id).filter(|offer| offer.at_ms + OFFER_MS > now_ms);
            let Some(secret) = offer.map(|offer| offer.secret.clone()) else {
                let text = "no secret was shown in the last ten minutes; ask for a new one";
                return Err(AgentError::Invalid(text.into()));
            };
            (state.try_once(vec![(format!("code {id}"), FREE_TRIES)], now_ms)?, secret)
        };
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
        let recovery = codes.iter().map(|code| key_hash(&typed(code))).collect();
        let mut factor = SecondFactor { secret, step: 0, recovery };
        // A recovery code shows nothing of the app, and nobody knows one yet.
        if !factor.take(code, now_ms) {
            return Err(AgentError::WrongCode);
        }
        self.update(id, |account| {
            account.second_factor = Some(factor);
            Ok(())
        })
        .await?;
        {
            let mut state = self.lock();
            state.take_back(tries);
            state.offers.remove(id);
        }
        self.end_sign_ins(id, keep).await?;
        Ok(codes)
    }

    /// Removes the agent's own second factor.
    ///
    /// # Errors
    /// [`AgentError::Invalid`] where this server requires one or there is none,
    /// [`AgentError::WrongCredentials`], [`AgentError::WrongCode`], [`AgentError::Throttled`],
    /// [`AgentError::Busy`], or the store's.
    pub async fn remove_second_factor(
        &self,
        id: &str,
        password: &str,
        code: &str,
    ) -> Result<(), AgentError> {
        if self.inner.second_factor == SecondFactorPolicy::Required {
            let text = "this server requires a second factor (console.second_factor); \
                        set up a new one in its place";
            return Err(AgentError::Invalid(text.into()));
        }
        if self.check_own(id, password).await?.second_factor.is_none() {
            return Err(AgentError::Invalid("there is no second factor to remove".into()));
        }
        let keys = vec![(format!("code {id}"), FREE_TRIES)];
        let tries = self.lock().try_once(keys, self.inner.clock.now_ms())?;
        self.take_code(id, code).await?;
        self.lock().take_back(tries);
        self.clear_second_factor(id).await
    }

    /// Removes the second factor of an agent who lost it, and ends every sign-in.
    ///
    /// # Errors
    /// [`AgentError::Unknown`], or the store's.
    pub async fn reset_second_factor(&self, id: &str) -> Result<(), AgentError> {
        self.clear_second_factor(id).await?;
        self.end_sign_ins(id, None).await
    }

    async fn clear_second_factor(&self, id: &str) -> Result<(), AgentError> {
        self.update(id, |account| {
            account.second_factor = None;
            Ok(())
        })
        .await
        .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238's appendix B, `12345678901234567890`.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn factor() -> SecondFactor {
        let recovery = vec![key_hash("abcdefghjkmnpqrs")];
        SecondFactor { secret: SECRET.into(), step: 0, recovery }
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // The last six of the appendix's eight digits.
        for (at_s, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert!(factor().take(code, at_s * 1_000), "{code}");
        }
    }

    #[test]
    fn a_code_counts_once_and_half_a_minute_to_either_side() {
        let check = |at_s: u64, good: bool| {
            for code in ["081 804", "０８１８０４"] {
                assert_eq!(factor().take(code, at_s * 1_000), good, "{code} {at_s}");
            }
        };
        // It is the one of the step that begins at 1,111,111,080.
        check(1_111_111_049, false);
        check(1_111_111_050, true);
        check(1_111_111_139, true);
        check(1_111_111_140, false);

        let mut factor = factor();
        let now_ms = 1_111_111_109_000;
        assert!(factor.take("081804", now_ms) && !factor.take("081804", now_ms));
        let code = totp(SECRET, "").unwrap().generate(1_111_111_079);
        assert!(!factor.take(&code, now_ms), "an older code after a newer one");
        let next = totp(SECRET, "").unwrap().generate(1_111_111_110);
        assert!(factor.take(&next, now_ms));
    }

    #[test]
    fn a_recovery_code_counts_once_however_it_is_typed() {
        let mut factor = factor();
        assert!(!factor.take("abcd-efgh-jkmn-pqrt", 0) && !factor.take("", 0));
        assert!(factor.take(" ABCD-efgh jkmn-pqrs ", 0) && !factor.take("abcdefghjkmnpqrs", 0));
        let codes: std::collections::BTreeSet<String> = (0..50).map(|_| recovery_code()).collect();
        assert!(codes.len() == 50 && codes.iter().all(|code| typed(code).len() == RECOVERY_CHARS));
    }
}
