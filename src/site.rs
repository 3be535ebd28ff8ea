//! One brand or shop, as `[[sites]]` of the configuration tells it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::actions::ActionConfig;
use crate::handoff::HandoffConfig;
use crate::prompt::SiteFacts;
use crate::recommend::RecommendRule;
use crate::session::{Policy, Profile};
use crate::site::widget::WidgetConfig;

pub mod widget;

/// One brand or shop: `[[sites]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// 1 to 32 of a-z, 0-9, - and _. It is part of every stored key: renaming a site hides its conversations.
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
    /// Origins (`https://shop.example`) whose pages may connect, exactly as browsers send them. The server's own address is
    /// always allowed. Programs that send no origin are allowed.
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
    /// Secret, at least 32 bytes, with which the site's server signs reports of what came of conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes_secret: Option<String>,
    /// Days without a report after which a conversation counts as one without a purchase, from the first report on; 0 never. A site that reports
    /// orders alone has buyers only without it: no rate, no comparison and no training would tell anything. Shorter than visitors take to
    /// decide calls late buyers lost until their order comes.
    #[serde(default = "two_weeks")]
    pub outcome_after_days: u32,
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
    /// Nothing is sent without a person: every message is drafted, and an agent sends, edits or rejects the draft.
    Suggest,
}

/// `[sites.jwt]`: tokens that the site's own server signs for its visitors, valid for at most 15 minutes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    pub algorithm: JwtAlgorithm,
    /// For `HS256` the shared secret, at least 32 bytes; for `EdDSA` the public key in PEM.
    pub key: String,
    /// The `aud` that tokens must carry; left out, the site's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
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
            origins: Vec::new(),
            knowledge: None,
            widget: WidgetConfig::default(),
            answers: Answers::Send,
            handoff: HandoffConfig::default(),
            jwt: None,
            recommend: RecommendRule::default(),
            actions: Vec::new(),
            outcomes_secret: None,
            outcome_after_days: two_weeks(),
        }
    }
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
        let policy = Policy { suggest: self.answers == Answers::Suggest, handoff: Arc::new(self.handoff.clone()) };
        Profile { facts: self.facts(), language: self.language.clone(), policy }
    }

    /// True if a page of this origin may connect. `own` are the server's own origins.
    #[must_use]
    pub fn allows(&self, origin: Option<&str>, own: &[String]) -> bool {
        origin.is_none_or(|origin| self.origins.iter().chain(own).any(|allowed| allowed == origin))
    }

    /// # Errors
    /// When an option makes no sense.
    pub fn validate(&self) -> anyhow::Result<()> {
        for origin in &self.origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '*', '?', '#', ' '])) {
                bail!(
                    "the origin {origin:?} is not one; write it as browsers send it: https://shop.example, no path, no *"
                );
            }
        }
        self.widget.validate()?;
        self.handoff.validate()?;
        if let Some(jwt) = &self.jwt {
            jwt.key().context("jwt.key")?;
        }
        if let Some(secret) = self.outcomes_secret.as_ref().filter(|secret| secret.len() < 32) {
            bail!("outcomes_secret needs at least 32 bytes; this one has {}", secret.len());
        }
        self.recommend.validate()?;
        for action in &self.actions {
            action.validate()?;
        }
        Ok(())
    }
}

impl JwtConfig {
    pub(crate) fn key(&self) -> anyhow::Result<jsonwebtoken::DecodingKey> {
        match self.algorithm {
            JwtAlgorithm::HS256 if self.key.len() < 32 => {
                bail!("an HS256 secret needs at least 32 bytes; this one has {}", self.key.len())
            }
            JwtAlgorithm::HS256 => Ok(jsonwebtoken::DecodingKey::from_secret(self.key.as_bytes())),
            JwtAlgorithm::EdDSA => {
                jsonwebtoken::DecodingKey::from_ed_pem(self.key.as_bytes()).context("not an Ed25519 public key in PEM")
            }
        }
    }
}
