//! One brand or shop, as `[[sites]]` of the configuration tells it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::actions::ActionConfig;
use crate::address::is_origin;
use crate::calendar::CalendarConfig;
use crate::handoff::HandoffConfig;
use crate::language::is_iso_639_1;
use crate::prompt::SiteFacts;
use crate::recommend::RecommendRule;
use crate::secret;
use crate::session::{Policy, Profile};
use crate::site::channel::ChannelConfig;
use crate::site::widget::WidgetConfig;

pub mod channel;
pub mod widget;

/// One brand or shop: `[[sites]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// 1 to 32 of a-z, 0-9, - and _. It is part of every stored key: renaming a site hides its
    /// conversations.
    pub id: String,
    /// What the assistant calls the shop.
    #[serde(default)]
    pub name: String,
    /// How to reach a person, as it is to be told to visitors.
    #[serde(default)]
    pub contact: String,
    /// ISO 639-1 code of the language used where a question's own can't be told.
    #[serde(default = "english")]
    pub language: String,
    /// How many of its visitors are answered while one of another site is, where some wait; its
    /// documents are read and embedded in the same proportion.
    #[serde(default = "one")]
    pub weight: f64,
    /// Origins (`https://shop.example`) whose pages may connect, exactly as browsers send them. The
    /// server's own address is always allowed. Programs that send no origin are allowed.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The site's documents; left out, `knowledge.path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<PathBuf>,
    /// The chat on the site's pages.
    #[serde(default)]
    pub widget: WidgetConfig,
    /// What becomes of answers: sent, or drafted for agents who send them.
    #[serde(default)]
    pub answers: Answers,
    /// When a person is called.
    #[serde(default)]
    pub handoff: HandoffConfig,
    /// Accepts visitors that the site itself signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtConfig>,
    /// When products may be shown to visitors.
    #[serde(default)]
    pub recommend: RecommendRule,
    /// Webhooks that the assistant may call for a visitor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionConfig>,
    /// Secret, at least 32 bytes, with which the site's server signs reports of what came of
    /// conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes_secret: Option<String>,
    /// File that it stands in, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes_secret_file: Option<PathBuf>,
    /// Days without a report after which a conversation counts as one without a purchase, from the
    /// first report on; 0 never. A site that reports orders alone has buyers only without it: no
    /// rate, no comparison and no training would tell anything. Shorter than visitors take to
    /// decide calls late buyers lost until their order comes.
    #[serde(default = "two_weeks")]
    pub outcome_after_days: u32,
    /// The shop's days, for forecasts.
    #[serde(default)]
    pub calendar: CalendarConfig,
    /// Accounts on messaging platforms, through which visitors write too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelConfig>,
}

fn two_weeks() -> u32 {
    14
}

/// See [`Site::answers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answers {
    /// Answers go to the visitor as they are made.
    #[default]
    Send,
    /// Nothing is sent without a person: every message is drafted, and an agent sends, edits or
    /// rejects the draft.
    Suggest,
}

/// `[sites.jwt]`: tokens that the site's own server signs for its visitors, valid for at most 15
/// minutes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    pub algorithm: JwtAlgorithm,
    /// For `HS256` the shared secret, at least 32 bytes; for `EdDSA` the public key in PEM.
    #[serde(default)]
    pub key: String,
    /// File that it stands in, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The `aud` that tokens must carry; left out, the site's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Further keys that are good, too: a key is changed for another by having both for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<JwtKey>,
}

/// A further key of [`JwtConfig`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JwtKey {
    /// What the header of its tokens says. A token without `kid` is tried with every key.
    pub kid: String,
    #[serde(default)]
    pub key: String,
    /// File that it stands in, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl JwtConfig {
    /// Tokens with one key, for the site's id.
    #[must_use]
    pub fn new(algorithm: JwtAlgorithm, key: impl Into<String>) -> Self {
        Self { algorithm, key: key.into(), key_file: None, audience: None, keys: Vec::new() }
    }
}

/// Pinned: a token that names another algorithm is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum JwtAlgorithm {
    HS256,
    EdDSA,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            id: "default".into(),
            name: "our shop".into(),
            contact: String::new(),
            language: english(),
            weight: one(),
            origins: Vec::new(),
            knowledge: None,
            widget: WidgetConfig::default(),
            answers: Answers::Send,
            handoff: HandoffConfig::default(),
            jwt: None,
            recommend: RecommendRule::default(),
            actions: Vec::new(),
            outcomes_secret: None,
            outcomes_secret_file: None,
            outcome_after_days: two_weeks(),
            calendar: CalendarConfig::default(),
            channels: Vec::new(),
        }
    }
}

/// What is said of something that should be an origin.
pub(crate) const ORIGIN: &str = "write it as browsers send it: https://shop.example, no path, no *";

fn one() -> f64 {
    1.0
}

pub(crate) fn english() -> String {
    "en".into()
}

/// By site, [`Site::outcome_after_days`].
#[must_use]
pub fn patience(sites: &[Site]) -> HashMap<String, u32> {
    sites.iter().map(|site| (site.id.clone(), site.outcome_after_days)).collect()
}

impl Site {
    /// What templates may say about it.
    #[must_use]
    pub fn facts(&self) -> SiteFacts {
        let name = if self.name.is_empty() { self.id.clone() } else { self.name.clone() };
        SiteFacts { name, contact: self.contact.clone() }
    }

    /// What its sessions know of it.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let policy = Policy {
            suggest: self.answers == Answers::Suggest,
            handoff: Arc::new(self.handoff.clone()),
        };
        let own = self.channels.iter().find(|channel| channel.is_mailbox(&self.contact));
        let contact_channel = own.map(|channel| channel.platform.name());
        Profile { facts: self.facts(), language: self.language.clone(), contact_channel, policy }
    }

    /// True if a page of this origin may connect. `own` are the server's own origins.
    #[must_use]
    pub fn allows(&self, origin: Option<&str>, own: &[String]) -> bool {
        origin.is_none_or(|origin| self.origins.iter().chain(own).any(|allowed| allowed == origin))
    }

    /// What is wrong with its options, except for the accounts on platforms; empty if nothing is.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut attempt = |attempt: anyhow::Result<()>| {
            mistakes.extend(attempt.err().map(|error| format!("{error:#}")))
        };
        for origin in self.origins.iter().filter(|origin| !is_origin(origin)) {
            attempt(Err(anyhow!("the origin {origin:?} is not one; {ORIGIN}")));
        }
        if !(0.01..=100.0).contains(&self.weight) {
            attempt(Err(anyhow!("weight is {}; it must be 0.01 to 100", self.weight)));
        }
        if !is_iso_639_1(&self.language) {
            let code = &self.language;
            attempt(Err(anyhow!(
                "language is {code:?}; it must be an ISO 639-1 code of two letters such as \"de\""
            )));
        }
        attempt(self.widget.validate());
        attempt(self.handoff.validate());
        if let Some(jwt) = &self.jwt {
            // An empty one with a file is a file that couldn't be read, which is told already.
            if !jwt.key.is_empty() || jwt.key_file.is_none() {
                attempt(jwt.decoding_key(&jwt.key).map(drop).context("jwt.key"));
            }
            for (i, JwtKey { kid, key, key_file }) in jwt.keys.iter().enumerate() {
                if !key.is_empty() || key_file.is_none() {
                    attempt(
                        jwt.decoding_key(key)
                            .map(drop)
                            .with_context(|| format!("jwt.keys: {kid:?}")),
                    );
                }
                if kid.is_empty() || jwt.keys.iter().take(i).any(|other| other.kid == *kid) {
                    attempt(Err(anyhow!(
                        "jwt.keys: every kid is given once and not empty; {kid:?} isn't"
                    )));
                }
            }
        }
        if let Some(secret) = self.outcomes_secret.as_ref().filter(|secret| secret.len() < 32) {
            let length = secret.len();
            attempt(Err(anyhow!("outcomes_secret needs at least 32 bytes; this one has {length}")));
        }
        attempt(self.recommend.validate());
        attempt(self.calendar.calendar().map(drop).context("calendar"));
        for action in &self.actions {
            attempt(action.validate());
        }
        mistakes
    }
}

impl Site {
    /// Where its secrets stand, as far as they have files of their own.
    pub(crate) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of_jwt = self.jwt.iter_mut().flat_map(|jwt| {
            jwt.key_file
                .iter_mut()
                .chain(jwt.keys.iter_mut().filter_map(|key| key.key_file.as_mut()))
        });
        let of_channels = self.channels.iter_mut().flat_map(ChannelConfig::secret_files);
        self.outcomes_secret_file.iter_mut().chain(of_jwt).chain(of_channels)
    }

    /// Takes in the secrets that stand in files of their own. Returns what couldn't be read, or is
    /// given twice.
    pub(crate) fn read_secrets(&mut self) -> Vec<anyhow::Error> {
        let mut errors = Vec::new();
        if let Some(file) = &self.outcomes_secret_file {
            let mut secret = self.outcomes_secret.take().unwrap_or_default();
            errors.extend(secret::fill(&mut secret, file, "outcomes_secret").err());
            self.outcomes_secret = Some(secret).filter(|secret| !secret.is_empty());
        }
        let Some(jwt) = &mut self.jwt else { return errors };
        if let Some(file) = &jwt.key_file {
            errors.extend(secret::fill(&mut jwt.key, file, "jwt.key").err());
        }
        for JwtKey { kid, key, key_file } in &mut jwt.keys {
            if let Some(file) = key_file {
                let filled =
                    secret::fill(key, file, "jwt.keys.key").with_context(|| format!("kid {kid:?}"));
                errors.extend(filled.err());
            }
        }
        errors
    }
}

impl JwtConfig {
    /// The texts of the keys that a token's header allows: the one that it names, or all where it
    /// names none of ours. A kid that isn't ours may be the main key's, which has no name here.
    pub(crate) fn candidates(&self, kid: Option<&str>) -> Vec<&str> {
        let named = kid.and_then(|kid| self.keys.iter().find(|key| key.kid == kid));
        match (named, kid) {
            (Some(key), _) => vec![&key.key],
            (None, Some(_)) => vec![&self.key],
            (None, None) => std::iter::once(&self.key)
                .chain(self.keys.iter().map(|key| &key.key))
                .map(String::as_str)
                .collect(),
        }
    }

    pub(crate) fn decoding_key(&self, key: &str) -> anyhow::Result<jsonwebtoken::DecodingKey> {
        match self.algorithm {
            JwtAlgorithm::HS256 if key.len() < 32 => {
                bail!("an HS256 secret needs at least 32 bytes; this one has {}", key.len())
            }
            JwtAlgorithm::HS256 => Ok(jsonwebtoken::DecodingKey::from_secret(key.as_bytes())),
            JwtAlgorithm::EdDSA => jsonwebtoken::DecodingKey::from_ed_pem(key.as_bytes())
                .context("not an Ed25519 public key in PEM"),
        }
    }
}
