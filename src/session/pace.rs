//! How much one visitor may do in a minute, and how many new ones one network address may bring.
//! Counted in memory and apart from the conversations, so that beginning another, or letting one
//! sleep, changes nothing. A restart begins anew.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::SessionsConfig;
use crate::session::refusal::{Deed, Refusal};

const MINUTE_MS: u64 = 60_000;
/// Visitors, or addresses, whose last minute is remembered, twice over; beyond that those who were
/// heard first are forgotten. Each takes some 8 bytes for everything it may do in a minute, beside
/// its place in the table.
const REMEMBERED: usize = 50_000;

/// See the module.
pub struct Pace {
    messages: Window,
    events: Window,
    newcomers: Window,
    connections: Window,
    /// Keys are hashes: short, and nobody outside can choose one that meets another's.
    hasher: RandomState,
}

impl Pace {
    #[must_use]
    pub fn new(config: &SessionsConfig) -> Self {
        Self {
            messages: Window::new(config.messages_per_minute),
            events: Window::new(config.events_per_minute),
            newcomers: Window::new(config.newcomers_per_minute),
            connections: Window::new(config.connections_per_minute),
            hasher: RandomState::new(),
        }
    }

    /// Counts what a visitor of a site does.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`]; then it isn't counted.
    pub fn visitor(
        &self,
        site: &str,
        visitor: &str,
        deed: Deed,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let window = match deed {
            Deed::Message => &self.messages,
            Deed::Event => &self.events,
            Deed::Visit => &self.newcomers,
            Deed::Connect => &self.connections,
        };
        self.count(window, &(site, visitor), deed, now_ms)
    }

    /// Counts a new visitor. Addresses of this machine and of private networks may bring any
    /// number.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`]; then it isn't counted.
    pub fn newcomer(&self, address: IpAddr, now_ms: u64) -> Result<(), Refusal> {
        match network(address) {
            Some(network) => self.count(&self.newcomers, &network, Deed::Visit, now_ms),
            None => Ok(()),
        }
    }

    fn count(
        &self,
        window: &Window,
        key: &impl Hash,
        what: Deed,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let taken = window.take(self.hasher.hash_one(key), now_ms);
        taken.map_err(|retry_after_ms| Refusal::RateLimited {
            what,
            per_minute: window.per_minute,
            retry_after_ms,
        })
    }
}

/// What an address counts as: of IPv6 its first 64 bits, which one household has alone. `None` for
/// those that may stand for everybody.
fn network(address: IpAddr) -> Option<u64> {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let near = address.is_loopback() || address.is_private() || address.is_link_local();
            (!near).then(|| u64::from(address.to_bits()))
        }
        IpAddr::V6(address) => {
            let near = address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local();
            (!near).then(|| u64::try_from(address.to_bits() >> 64).unwrap_or_default())
        }
    }
}

/// The last minute of everybody.
struct Window {
    per_minute: u32,
    state: Mutex<State>,
}

/// Two generations: who does something moves to the younger one, and once that is a minute old the
/// other is forgotten, with nobody in it who did anything within the minute.
#[derive(Default)]
struct State {
    young: HashMap<u64, VecDeque<u64>>,
    old: HashMap<u64, VecDeque<u64>>,
    since_ms: u64,
}

impl Window {
    fn new(per_minute: u32) -> Self {
        Self { per_minute, state: Mutex::default() }
    }

    /// Counts one more, or gives the milliseconds until it can be.
    fn take(&self, key: u64, now_ms: u64) -> Result<(), u64> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { young, old, since_ms } = &mut *state;
        if now_ms.abs_diff(*since_ms) >= MINUTE_MS || young.len() >= REMEMBERED {
            *old = std::mem::take(young);
            *since_ms = now_ms;
        }
        if let Some(times) = old.remove(&key) {
            young.insert(key, times);
        }
        let times = young.entry(key).or_default();
        while times.front().is_some_and(|at| at + MINUTE_MS <= now_ms) {
            times.pop_front();
        }
        // A clock that was set back must not keep anybody out.
        while times.back().is_some_and(|at| *at > now_ms) {
            times.pop_back();
        }
        match times.front() {
            Some(oldest) if times.len() >= self.per_minute as usize => {
                Err(oldest + MINUTE_MS - now_ms)
            }
            _ => {
                times.push_back(now_ms);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        let limits = SessionsConfig {
            messages_per_minute: 3,
            events_per_minute: 1,
            newcomers_per_minute: 2,
            ..SessionsConfig::default()
        };
        Pace::new(&limits)
    }

    fn check(result: Result<(), Refusal>, expected: &str) {
        assert_eq!(result.map_or_else(|refusal| refusal.to_string(), |()| "ok".into()), expected);
    }

    #[test]
    fn limits_are_told_with_the_time_to_wait() {
        let pace = pace();
        let say = |visitor, now_ms| pace.visitor("shop", visitor, Deed::Message, now_ms);
        for now_ms in [1_000, 1_000, 2_000] {
            check(say("v", now_ms), "ok");
        }
        check(say("v", 21_000), "more than 3 messages a minute; try again in 40 s");
        check(say("w", 21_000), "ok");
        check(pace.visitor("bank", "v", Deed::Message, 21_000), "ok");
        check(say("v", 61_000), "ok");
        check(say("v", 61_000), "ok");
        check(say("v", 61_000), "more than 3 messages a minute; try again in 1 s");
        check(say("v", 62_000), "ok");

        let rate = |now_ms| pace.visitor("shop", "v", Deed::Event, now_ms);
        check(rate(0), "ok");
        check(rate(0), "more than 1 ratings, clicks and requests a minute; try again in 60 s");
    }

    #[test]
    fn new_visitors_are_counted_by_network_and_not_those_of_a_proxy_nearby() {
        let pace = pace();
        let from = |address: &str| pace.newcomer(address.parse().unwrap(), 0);
        let full = "more than 2 new visitors from one network address a minute; try again in 60 s";
        for (address, expected) in [
            ("203.0.113.7", "ok"),
            ("::ffff:203.0.113.7", "ok"),
            ("203.0.113.7", full),
            ("203.0.113.8", "ok"),
            ("2001:db8:1:2::1", "ok"),
            ("2001:db8:1:2:ffff::1", "ok"),
            ("2001:db8:1:2::3", full),
            ("2001:db8:1:3::1", "ok"),
        ] {
            check(from(address), expected);
        }
        for near in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "10.1.2.3",
            "172.18.0.2",
            "192.168.1.1",
            "fd00::1",
            "fe80::1",
        ] {
            for _ in 0..5 {
                check(from(near), "ok");
            }
        }
        let off =
            Pace::new(&SessionsConfig { newcomers_per_minute: 0, ..SessionsConfig::default() });
        for _ in 0..1_000 {
            check(off.newcomer("203.0.113.7".parse().unwrap(), 0), "ok");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_last_minute_of_it() {
        let window = Window::new(1);
        let remembered = || {
            let state = window.state.lock().unwrap();
            state.young.len() + state.old.len()
        };
        for key in 0..3 * REMEMBERED as u64 {
            window.take(key, 5).unwrap();
        }
        assert!(remembered() <= 2 * REMEMBERED, "{}", remembered());
        // Who was heard last is known still, in whichever generation.
        for key in [2 * REMEMBERED as u64, 3 * REMEMBERED as u64 - 1] {
            assert_eq!(window.take(key, 6), Err(MINUTE_MS - 1), "{key}");
        }
        // And is forgotten two minutes later, though nobody asks for it.
        for now_ms in [MINUTE_MS + 6, 2 * MINUTE_MS + 6] {
            window.take(u64::MAX, now_ms).unwrap();
        }
        assert_eq!(remembered(), 1);
        // A clock that was set back.
        let window = Window::new(1);
        window.take(1, 10 * MINUTE_MS).unwrap();
        window.take(1, MINUTE_MS).unwrap();
        assert_eq!(window.take(1, MINUTE_MS), Err(MINUTE_MS));
    }
}
