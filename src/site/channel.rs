//! `[[sites.channels]]`: a site's accounts on messaging platforms.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// See [`ChannelConfig::platform`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Telegram,
    Slack,
    WhatsApp,
    Messenger,
    /// Instagram's direct messages, by Messenger's interface.
    Instagram,
    Line,
    /// SMS and MMS by Twilio.
    Twilio,
    /// Discord's commands and buttons.
    Discord,
    /// WeChat's official accounts.
    WeChat,
    /// Microsoft Teams.
    Teams,
    /// An agent bot of Chatwoot.
    Chatwoot,
    /// E-mail: a mailbox read by IMAP or messages posted here as they are, answers by SMTP.
    Email,
    /// Any other system, by webhooks signed as Standard Webhooks says.
    Webhook,
}

impl Platform {
    /// Its name in the configuration and in the console.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Slack => "slack",
            Self::WhatsApp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
            Self::Line => "line",
            Self::Twilio => "twilio",
            Self::Discord => "discord",
            Self::WeChat => "wechat",
            Self::Teams => "teams",
            Self::Chatwoot => "chatwoot",
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    fn needs_token(self) -> bool {
        !matches!(self, Self::Webhook | Self::Email)
    }

    /// Where its requests go, unless the configuration says otherwise.
    #[must_use]
    pub fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Telegram => Some("https://api.telegram.org"),
            Self::Slack => Some("https://slack.com"),
            Self::WhatsApp | Self::Messenger | Self::Instagram => {
                Some("https://graph.facebook.com")
            }
            Self::Line => Some("https://api.line.me"),
            Self::Twilio => Some("https://api.twilio.com"),
            Self::Discord => Some("https://discord.com"),
            Self::WeChat => Some("https://api.weixin.qq.com"),
            // Each activity says where it wants to be answered.
            Self::Teams => Some("https://smba.trafficmanager.net"),
            Self::Chatwoot | Self::Email | Self::Webhook => None,
        }
    }
}

/// How another system signs what it posts. See [`ChannelConfig::signed_as`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedAs {
    /// As Standard Webhooks say: `whsec_…` or `whpk_…`.
    #[default]
    Standard,
    Chatwoot,
    Zendesk,
    Intercom,
    Zoom,
    Mailgun,
    /// The secrets are SendGrid's public keys.
    Sendgrid,
}

/// One account on a messaging platform: `[[sites.channels]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    pub platform: Platform,
    /// Names the account in addresses and in the console: 1 to 32 of a-z, 0-9, - and _. Left out,
    /// the platform's name.
    #[serde(default)]
    pub id: String,
    /// What the platform knows us by when we write to it: a bot's token, the mail server's
    /// password. Not for `webhook`.
    #[serde(default)]
    pub token: String,
    /// File that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// What the platform shows when it writes to us. The second of two is the older one while
    /// secrets are changed.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// File with one secret a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets_file: Option<PathBuf>,
    /// Where requests go: another address than the platform's own for a self-hosted Bot API, and
    /// for `webhook` the address that replies are posted to. For `email` the mail server:
    /// `smtps://HOST[:465]`, or `smtp://HOST[:587]` with STARTTLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Allows requests to addresses of this machine and of private networks, for a self-hosted
    /// platform. Off, a host that resolves to one is refused, so that whoever controls the name
    /// can't reach what only this machine can.
    #[serde(default)]
    pub allow_private: bool,
    /// `webhook` and `email`: how what comes in is signed; e-mail by `standard` or `mailgun`.
    /// Replies are signed as Standard Webhooks say, with the first secret that is `whsec_…`.
    #[serde(default)]
    pub signed_as: SignedAs,
    /// `webhook`: where a body that isn't ours holds `conversation`, `user`, `message` and `text`,
    /// as JSON pointers (RFC 6901). A form counts as an object of its fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Telegram: the bot's name without `@`, by which people in groups speak to it.
    #[serde(default)]
    pub bot: String,
    /// Who messages come from: WhatsApp's id of the phone number, Messenger's and Instagram's
    /// id of the page,
    /// Twilio's number (`+1500…`) or messaging service (`MG…`), the e-mail address that answers
    /// come from, with a name or without.
    #[serde(default)]
    pub sender: String,
    /// E-mail: further addresses that mail for this account comes to.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// E-mail: the name at the mail server. Left out, the sender's address.
    #[serde(default)]
    pub smtp_user: String,
    /// E-mail: the mailbox to be read: `imaps://HOST[:993]`, or `imap://HOST[:143]` with STARTTLS.
    /// Left out, messages come by webhook alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap_url: Option<String>,
    /// E-mail: name and password at the IMAP server. Left out, those of `base_url`.
    #[serde(default)]
    pub imap_user: String,
    #[serde(default)]
    pub imap_password: String,
    /// File that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap_password_file: Option<PathBuf>,
    /// E-mail: the folder that is read, as the server names it. Another one is begun with as a new
    /// mailbox is: what is in it already isn't answered.
    #[serde(default = "inbox")]
    pub imap_folder: String,
    /// E-mail: the name by which one's own mail server signs its `Authentication-Results` (RFC
    /// 8601). Messages that these call forged are not answered. Left out, nothing in a message is
    /// believed about its sender.
    #[serde(default)]
    pub authserv_id: String,
    /// E-mail: access tokens in place of a password, for both servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthConfig>,
    /// E-mail: certificates (PEM) that count besides the machine's, for mail servers of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// WhatsApp: the connected catalogue's id. With it product cards show its products, whose ids
    /// there must be those of the site's catalogue.
    #[serde(default)]
    pub catalog_id: String,
    /// Discord's and Teams' application id, WeChat's AppID.
    #[serde(default)]
    pub app_id: String,
    /// WeChat: the EncodingAESKey of safe mode. With it, messages that aren't encrypted are
    /// refused.
    #[serde(default)]
    pub encoding_aes_key: String,
    /// File that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_aes_key_file: Option<PathBuf>,
    /// Teams: the tenant that the bot is registered in.
    #[serde(default)]
    pub tenant: String,
    /// Teams: where access tokens come from, and where the Bot Framework publishes its keys, if not
    /// at Microsoft's own addresses for public clouds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_url: Option<String>,
    /// Discord: messages to the bot are read, too, over Discord's Gateway. Without it commands and
    /// buttons alone are.
    #[serde(default)]
    pub gateway: bool,
    /// Slack: streams answers into threads. The app must be declared as an agent.
    #[serde(default)]
    pub stream: bool,
    /// Twilio: the account's SID (`AC…`).
    #[serde(default)]
    pub account_sid: String,
    /// WhatsApp, Messenger and Instagram: what the platform shows when it asks whether the address
    /// is ours.
    #[serde(default)]
    pub verify_token: String,
    /// Twilio signs the address that it calls: this server's, as written in Twilio's console.
    #[serde(default)]
    pub public_url: String,
    /// Milliseconds without a further message after which what a visitor sent is answered, all of
    /// it at once.
    #[serde(default = "pause")]
    pub pause_ms: u64,
}

/// `[sites.channels.oauth]`: where a mailbox's access tokens come from (RFC 6749).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OauthConfig {
    /// The provider's address for tokens.
    pub token_url: String,
    /// The application's, as it is registered with the provider.
    pub client_id: String,
    #[serde(default)]
    pub client_secret: String,
    /// File that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// File that holds the refresh token. Where the provider hands out a new one, it is written
    /// there: the file must be writable, and belong to one account alone. Left out, the
    /// application asks for itself (Microsoft's client credentials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_file: Option<PathBuf>,
    #[serde(default)]
    pub scope: String,
}

fn pause() -> u64 {
    1_200
}

fn inbox() -> String {
    "INBOX".into()
}

impl ChannelConfig {
    /// Where its secrets and certificates stand, as far as they have files of their own.
    pub(crate) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let secrets =
            [&mut self.token_file, &mut self.secrets_file, &mut self.encoding_aes_key_file];
        let oauth = self
            .oauth
            .as_mut()
            .into_iter()
            .flat_map(|oauth| [&mut oauth.client_secret_file, &mut oauth.refresh_token_file]);
        let mail = [&mut self.imap_password_file, &mut self.ca_file];
        secrets.into_iter().chain(mail).chain(oauth).flatten()
    }

    /// What the account is called.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.id.is_empty() { self.platform.name() } else { &self.id }
    }

    /// # Errors
    /// When an option makes no sense.
    pub fn validate(&self) -> anyhow::Result<()> {
        let name = self.name();
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.len() > 32 || !name.chars().all(sound) {
            bail!("the channel id {name:?} must be 1 to 32 of a-z, 0-9, - and _");
        }
        let twice = [
            ("token", !self.token.is_empty() && self.token_file.is_some()),
            (
                "encoding_aes_key",
                !self.encoding_aes_key.is_empty() && self.encoding_aes_key_file.is_some(),
            ),
            ("imap_password", !self.imap_password.is_empty() && self.imap_password_file.is_some()),
        ];
        if let Some((option, _)) = twice.into_iter().find(|(_, both)| *both) {
            bail!(
                "channel {name:?}: {option} and {option}_file are both set; leave one of them out"
            );
        }
        if self.platform.needs_token() && self.token.is_empty() && self.token_file.is_none() {
            bail!("channel {name:?}: {} needs `token` or `token_file`", self.platform.name());
        }
        // Teams shows a token of Microsoft's; a mailbox and Discord's Gateway are asked by us.
        let asked = self.imap_url.is_some() || self.gateway;
        let signs = self.platform != Platform::Teams && !asked;
        if signs && self.secrets.is_empty() && self.secrets_file.is_none() {
            let or = if self.platform == Platform::Email {
                ", or `imap_url` name a mailbox to be read"
            } else {
                ""
            };
            bail!(
                "channel {name:?}: `secrets` or `secrets_file` must hold what the platform signs with{or}"
            );
        }
        if self.platform != Platform::Discord && self.gateway {
            bail!("channel {name:?}: `gateway` belongs to `platform = \"discord\"`");
        }
        if self.platform != Platform::Email && self.oauth.is_some() {
            bail!("channel {name:?}: `oauth` belongs to `platform = \"email\"`");
        }
        if self.platform != Platform::Email && self.imap_url.is_some() {
            bail!("channel {name:?}: `imap_url` belongs to `platform = \"email\"`");
        }
        let missing = match self.platform {
            Platform::WhatsApp | Platform::Messenger | Platform::Instagram
                if self.sender.is_empty() =>
            {
                Some("sender")
            }
            Platform::WhatsApp | Platform::Messenger | Platform::Instagram
                if self.verify_token.is_empty() =>
            {
                Some("verify_token")
            }
            Platform::Twilio | Platform::Email if self.sender.is_empty() => Some("sender"),
            Platform::Twilio if self.account_sid.is_empty() => Some("account_sid"),
            Platform::Discord | Platform::WeChat | Platform::Teams if self.app_id.is_empty() => {
                Some("app_id")
            }
            Platform::Teams if self.tenant.is_empty() => Some("tenant"),
            Platform::Twilio if self.public_url.is_empty() => Some("public_url"),
            _ => None,
        };
        if let Some(option) = missing {
            bail!("channel {name:?}: {} needs `{option}`", self.platform.name());
        }
        if self.secrets.iter().any(|secret| secret.len() < LEAST_SECRET) {
            bail!("channel {name:?}: a secret has at least {LEAST_SECRET} characters");
        }
        for (field, pointer) in &self.fields {
            if !FIELDS.contains(&field.as_str()) || !pointer.starts_with('/') {
                bail!(
                    "channel {name:?}: fields.{field} = {pointer:?}; the fields are {FIELDS:?}, and a pointer begins \
                     with a slash: \"/data/text\""
                );
            }
        }
        if !self.fields.is_empty()
            && !["conversation", "text"].iter().all(|field| self.fields.contains_key(*field))
        {
            bail!("channel {name:?}: `fields` must say where `conversation` and `text` are");
        }
        if self.platform == Platform::Email {
            return self.validate_email();
        }
        if let Some(url) = self.base_url.as_deref().filter(|url| url.starts_with("http://"))
            && !self.allow_private
        {
            bail!(
                "channel {name:?}: base_url {url:?} isn't encrypted; use https, or set allow_private for a server of your own network"
            );
        }
        match &self.base_url {
            Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
                bail!("channel {name:?}: base_url {url:?} must begin with https:// or http://")
            }
            None if self.platform.base_url().is_none() => {
                bail!(
                    "channel {name:?}: `base_url` must name the address that replies are posted to"
                )
            }
            _ => Ok(()),
        }
    }
}

/// The address in `Name <address>` or in an address alone, in lower case.
#[must_use]
pub fn mail_address(text: &str) -> String {
    let bare = text
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(text, |(address, _)| address);
    bare.trim().to_ascii_lowercase()
}

impl ChannelConfig {
    /// Whether mail to this address comes to the account.
    #[must_use]
    pub fn is_mailbox(&self, address: &str) -> bool {
        let mut own = std::iter::once(&self.sender).chain(&self.addresses);
        self.platform == Platform::Email
            && own.any(|own| mail_address(own) == mail_address(address))
    }

    fn validate_email(&self) -> anyhow::Result<()> {
        let name = self.name();
        if let Some(oauth) = &self.oauth {
            let secret = !oauth.client_secret.is_empty() || oauth.client_secret_file.is_some();
            if oauth.refresh_token_file.is_none() && !secret {
                bail!(
                    "channel {name:?}: oauth needs `refresh_token_file`, or `client_secret_file` where the application asks for itself"
                );
            }
            if !oauth.client_secret.is_empty() && oauth.client_secret_file.is_some() {
                bail!(
                    "channel {name:?}: oauth.client_secret and oauth.client_secret_file are both set; leave one of them out"
                );
            }
            if !oauth.token_url.starts_with("https://") && !self.allow_private {
                bail!("channel {name:?}: oauth.token_url must begin with https://");
            }
            let password = !self.token.is_empty() || self.token_file.is_some();
            if password || !self.imap_password.is_empty() || self.imap_password_file.is_some() {
                bail!("channel {name:?}: oauth stands in place of a password; leave one out");
            }
        }
        if !matches!(self.signed_as, SignedAs::Standard | SignedAs::Mailgun) {
            bail!("channel {name:?}: e-mail is signed as \"standard\" or \"mailgun\"");
        }
        if !std::iter::once(&self.sender)
            .chain(&self.addresses)
            .all(|address| address.contains('@'))
        {
            bail!("channel {name:?}: `sender` and `addresses` must be e-mail addresses");
        }
        if let Some(url) = &self.imap_url {
            let host = url.strip_prefix("imaps://").or_else(|| url.strip_prefix("imap://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '@'])) {
                bail!(
                    "channel {name:?}: imap_url {url:?} must be imaps://HOST or imap://HOST, with a :PORT or without"
                );
            }
            let password =
                [&self.imap_password, &self.token].into_iter().any(|one| !one.is_empty());
            if !password
                && self.imap_password_file.is_none()
                && self.token_file.is_none()
                && self.oauth.is_none()
            {
                bail!(
                    "channel {name:?}: the mailbox needs a password (`token`, or `imap_password` where it has its own) or `oauth`"
                );
            }
            if self.imap_folder.is_empty() {
                bail!("channel {name:?}: imap_folder is empty; the mailbox itself is \"INBOX\"");
            }
        }
        match self.base_url.as_deref() {
            Some(url) if url.starts_with("smtps://") || url.starts_with("smtp://") => Ok(()),
            _ => bail!(
                "channel {name:?}: `base_url` must name the mail server: smtps://HOST or smtp://HOST"
            ),
        }
    }
}

/// What `fields` may name.
const FIELDS: [&str; 4] = ["conversation", "user", "message", "text"];

/// A secret that can be guessed protects nothing.
pub const LEAST_SECRET: usize = 16;
