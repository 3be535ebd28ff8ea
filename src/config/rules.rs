//! What options have to be so that a server can serve with them. Everything that is wrong is found
//! in one go: whoever mends one mistake shouldn't learn of the next from the next start.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::address::is_origin;
use crate::channels::Account;
use crate::config::Config;
use crate::http::address::Proxies;
use crate::http::auth::{Key, Scope};
use crate::session::desk::SecondFactorPolicy;
use crate::site::{ORIGIN, Site};

/// Room that a prompt needs at least beside the longest answer, in tokens: the built-in
/// instructions and a passage.
const LEAST_PROMPT: u32 = 512;
/// No time in a configuration is longer; some are added to the time of day, which has an end.
const MAX_YEARS: i64 = 100;

/// Mistakes found so far, each a sentence that says where, what stands there and what may.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }

    /// Adds what an attempt failed of.
    pub(super) fn attempt<T>(&mut self, attempt: anyhow::Result<T>) {
        if let Err(error) = attempt {
            self.add(format!("{error:#}"));
        }
    }

    /// The option must be so, or it is a mistake.
    fn must(&mut self, holds: bool, option: &str, stands: impl Display, may: &str) {
        if !holds {
            self.add(format!("{option} is {stands}; it must be {may}"));
        }
    }

    fn share(&mut self, option: &str, value: f32) {
        self.must((0.0..=1.0).contains(&value), option, value, "0 to 1");
    }

    /// # Errors
    /// With all of them, if there are any.
    pub(super) fn none(self) -> anyhow::Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(anyhow::anyhow!("{one}")),
            several => {
                Err(anyhow::anyhow!("{} mistakes:\n  {}", several.len(), several.join("\n  ")))
            }
        }
    }
}

impl Config {
    /// Looks at every value by itself and at what values have to be to each other; reads nothing.
    pub(super) fn check_values(&self, mistakes: &mut Mistakes) {
        self.check_listeners(mistakes);
        self.check_keys(mistakes);
        self.check_numbers(mistakes);
        self.check_times(mistakes);
        let sites: Vec<&str> = self.sites.iter().map(|site| site.id.as_str()).collect();
        for mistake in self.oidc.mistakes(&self.server.public_origins, &sites) {
            mistakes.add(mistake);
        }
        mistakes.attempt(self.llm.check_engine());
        mistakes.attempt(self.log.check());
        if self.sites.is_empty() {
            mistakes.add("there is no [[sites]] section; at least one site is needed");
        }
        for (i, site) in self.sites.iter().enumerate() {
            let sound =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            if !(1..=32).contains(&site.id.len()) || !site.id.bytes().all(sound) {
                mistakes.add(format!(
                    "sites[{i}].id is {:?}; use 1 to 32 of a-z, 0-9, - and _",
                    site.id
                ));
            }
            if self.sites.iter().take(i).any(|other| other.id == site.id) {
                mistakes.add(format!("two sites have the id {:?}; give each its own", site.id));
            }
            for mistake in site.mistakes() {
                mistakes.add(format!("site {:?}: {mistake}", site.id));
            }
            check_names(site, mistakes);
        }
    }

    fn check_listeners(&self, mistakes: &mut Mistakes) {
        let server = &self.server;
        for (option, address) in
            [("server.bind", &server.bind), ("server.admin_bind", &server.admin_bind)]
        {
            let may = "an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
            mistakes.must(port(address).is_some(), option, format_args!("{address:?}"), may);
        }
        if server.bind == server.admin_bind && port(&server.bind) != Some(0) {
            mistakes.add(format!(
                "server.bind and server.admin_bind are both {:?}; they need two ports",
                server.bind
            ));
        }
        for origin in server.public_origins.iter().filter(|origin| !is_origin(origin)) {
            mistakes.add(format!("server.public_origins: {origin:?} is no origin; {ORIGIN}"));
        }
        mistakes.attempt(Proxies::new(server));
        let (ping, dead) = (server.ping_s, server.dead_s);
        if dead <= ping {
            mistakes.add(format!(
                "server.dead_s is {dead} and server.ping_s {ping}; a socket is given up after dead_s without a sign of \
                 life, so it must be more than ping_s"
            ));
        }
    }

    fn check_keys(&self, mistakes: &mut Mistakes) {
        let (mut names, mut sums) = (HashSet::new(), HashSet::new());
        for Key { name, sha256, scopes, site } in &self.auth.keys {
            let key = format!("[[auth.keys]] {name:?}");
            if !names.insert(name) {
                mistakes
                    .add(format!("{key}: two keys have this name; the log tells them apart by it"));
            }
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            // What stands there may be the key itself.
            if sha256.len() != 64 || !sha256.bytes().all(hex) {
                mistakes.add(format!(
                    "{key}: sha256 has {} characters; it must be the key's SHA-256, 64 of 0-9 and a-f, as `frontdesk \
                     key` prints it",
                    sha256.chars().count()
                ));
            } else if !sums.insert(sha256) {
                mistakes.add(format!(
                    "{key}: another key has the same sha256; each name needs a key of its own"
                ));
            }
            if scopes.is_empty() {
                mistakes.add(format!(
                    "{key}: scopes is empty, so it opens nothing; `frontdesk key --help` lists them"
                ));
            }
            let Some(site) = site else { continue };
            if self.site(site).is_none() {
                let known: Vec<&str> = self.sites.iter().map(|site| site.id.as_str()).collect();
                mistakes.add(format!(
                    "{key}: site is {site:?}, which is none of the sites: {}",
                    known.join(", ")
                ));
            }
            if scopes.contains(&Scope::Metrics) {
                mistakes
                    .add(format!("{key}: metrics are the whole server's; leave out site, or the scope \"metrics\""));
            }
        }
    }

    fn check_numbers(&self, mistakes: &mut Mistakes) {
        let Self {
            server,
            sessions,
            store,
            knowledge,
            embedder,
            llm,
            answers,
            gaps,
            console,
            intent,
            ..
        } = self;
        mistakes.share("answers.min_confidence", answers.min_confidence);
        mistakes.share("gaps.min_confidence", gaps.min_confidence);
        mistakes.share("gaps.same_cosine", gaps.same_cosine);
        mistakes.share("intent.later_share", intent.later_share);
        mistakes.share("llm.top_p", llm.top_p);
        mistakes.share("llm.min_p", llm.min_p);
        // Neither holds for what is no number.
        mistakes.must(llm.temperature >= 0.0, "llm.temperature", llm.temperature, "0 or more");
        mistakes.must(
            llm.repeat_penalty > 0.0,
            "llm.repeat_penalty",
            llm.repeat_penalty,
            "more than 0; 1 is none",
        );
        mistakes.must((1..=256).contains(&llm.parallel), "llm.parallel", llm.parallel, "1 to 256");
        let least = llm.max_tokens.saturating_add(LEAST_PROMPT);
        let may = format!(
            "at least {least}: llm.max_tokens for the answer and {LEAST_PROMPT} for the prompt"
        );
        mistakes.must(llm.context_tokens >= least, "llm.context_tokens", llm.context_tokens, &may);
        let (ms, hours) = (sessions.checkpoint_ms, console.sign_in_h);
        mistakes.must((1..=250).contains(&ms), "sessions.checkpoint_ms", ms, "1 to 250");
        mistakes.must((1..=24 * 90).contains(&hours), "console.sign_in_h", hours, "1 to 2160");
        for (option, value) in [
            ("server.ping_s", server.ping_s),
            ("server.hello_timeout_s", server.hello_timeout_s),
            ("server.request_timeout_s", server.request_timeout_s),
            ("server.max_sockets", server.max_sockets as u64),
            ("server.sockets_per_visitor", server.sockets_per_visitor as u64),
            ("server.max_connections", server.max_connections as u64),
            ("sessions.expire_after_h", sessions.expire_after_h),
            ("sessions.max_messages", sessions.max_messages as u64),
            ("store.queue", store.queue as u64),
            ("store.batch", store.batch as u64),
            ("knowledge.passages", knowledge.passages as u64),
            ("knowledge.passage_tokens", knowledge.passage_tokens as u64),
            ("knowledge.max_document_mib", knowledge.max_document_mib),
            ("knowledge.read_timeout_s", knowledge.read_timeout_s),
            ("knowledge.reader_memory_mib", knowledge.reader_memory_mib),
            ("embedder.batch_tokens", embedder.batch_tokens.into()),
            ("embedder.queue", embedder.queue as u64),
            ("llm.max_tokens", llm.max_tokens.into()),
            ("answers.parallel", answers.parallel as u64),
            ("answers.timeout_s", answers.timeout_s),
        ] {
            mistakes.must(value > 0, option, value, "1 or more");
        }
    }

    /// Every option that is a time, by the unit in its name.
    fn check_times(&self, mistakes: &mut Mistakes) {
        let Ok(table) = toml::Value::try_from(self) else {
            mistakes.add("a number is larger than 9223372036854775807");
            return;
        };
        check_times_of("", &table, mistakes);
    }

    /// Looks at the files and folders that serving needs, beside what the parts look at when they
    /// open their own.
    pub(super) fn check_files(&self, mistakes: &mut Mistakes) {
        for site in &self.sites {
            for channel in &site.channels {
                if let Err(error) = Account::new(&site.id, channel) {
                    mistakes.add(format!("site {:?}: {error:#}", site.id));
                }
            }
            if let Some(folder) = site.knowledge.as_deref().filter(|folder| !folder.is_dir()) {
                mistakes.add(format!("site {:?}: {}", site.id, no_folder("knowledge", folder)));
            }
        }
    }

    /// What a server can do with, and whoever set it up may not have meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let folder = &self.knowledge.path;
        let wanted = self.sites.iter().any(|site| site.knowledge.is_none()) && !folder.is_dir();
        let missing = || {
            format!(
                "{}; only documents handed in over HTTP are known",
                no_folder("knowledge.path", folder)
            )
        };
        let one_factor = self.oidc.is_on()
            && !self.oidc.require_mfa
            && self.console.second_factor == SecondFactorPolicy::Required;
        let factors = || {
            "console.second_factor is \"required\" and oidc.require_mfa is off: whether those who \
             sign in at the issuer show a second factor is the issuer's policy alone"
                .to_owned()
        };
        wanted.then(missing).into_iter().chain(one_factor.then(factors)).collect()
    }
}

fn no_folder(option: &str, folder: &Path) -> String {
    format!("{option} is {}; there is no such folder", folder.display())
}

/// Names by which a site's parts are told apart, and secrets that are given twice.
fn check_names(site: &Site, mistakes: &mut Mistakes) {
    let mut names = HashSet::new();
    for channel in &site.channels {
        let name = channel.name();
        if !names.insert(name) {
            mistakes.add(format!(
                "site {:?} has two channels {name:?}; give one an `id` of its own",
                site.id
            ));
        }
        let both = [
            ("token", !channel.token.is_empty() && channel.token_file.is_some()),
            (
                "encoding_aes_key",
                !channel.encoding_aes_key.is_empty() && channel.encoding_aes_key_file.is_some(),
            ),
        ];
        for (option, _) in both.into_iter().filter(|(_, both)| *both) {
            mistakes.add(format!(
                "site {:?}: channel {name:?}: {option} and {option}_file are both set; leave one of them out",
                site.id
            ));
        }
    }
    let mut names = HashSet::new();
    for action in site.actions.iter().filter(|action| !names.insert(&action.name)) {
        mistakes.add(format!(
            "site {:?} has two actions {:?}; give each its own name",
            site.id, action.name
        ));
    }
}

/// Walks through tables and lists.
fn check_times_of(path: &str, value: &toml::Value, mistakes: &mut Mistakes) {
    const DAY_S: i64 = 86_400;
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| check_times_of(&at(key), value, mistakes))
        }
        toml::Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                check_times_of(&format!("{path}[{i}]"), value, mistakes);
            }
        }
        toml::Value::Integer(time) => {
            let in_a_day = match path.rsplit_once('_').map(|(_, unit)| unit) {
                Some("ms") => DAY_S * 1_000,
                Some("s") => DAY_S,
                Some("min") => DAY_S / 60,
                Some("h") => DAY_S / 3_600,
                Some("days") => 1,
                _ => return,
            };
            let most = MAX_YEARS * 365 * in_a_day;
            mistakes.must(
                *time <= most,
                path,
                time,
                &format!("at most {most}, which is {MAX_YEARS} years"),
            );
        }
        _ => {}
    }
}

/// The port of `HOST:PORT`; a host of IPv6 stands in brackets.
fn port(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    let sound = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => {
            host.parse::<Ipv4Addr>().is_ok() || !host.is_empty() && !host.contains([':', '/', ' '])
        }
    };
    port.parse().ok().filter(|_| sound)
}
