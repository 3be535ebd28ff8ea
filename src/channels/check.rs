//! What `frontdesk channels` does with an account: proves it against the platform, sends webhooks
//! here, sends a text.

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::delivery::Delivery;
use super::imap::{self, Folder, Trouble};
use super::platform::{Sending, Target};
use super::{Account, Finding, deadline, discord, line, meta, slack, smtp, telegram, text, twilio};
use crate::clock::Clock;
use crate::site::channel::Platform;

fn good(text: impl Into<String>) -> Finding {
    Finding { ok: true, text: text.into() }
}

fn bad(text: impl Into<String>) -> Finding {
    Finding { ok: false, text: text.into() }
}

impl Account {
    /// Where the platform is to send webhooks, on a server that is reached at this origin.
    #[must_use]
    pub fn address(&self, origin: &str) -> String {
        format!("{}/v1/channels/{}/{}", origin.trim_end_matches('/'), self.site, self.config.name())
    }

    fn delivery(&self) -> anyhow::Result<Delivery> {
        Delivery::new(std::iter::once(self.id()))
    }

    /// Asks the platform whether the token holds and where its webhooks go.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn check(&self, origin: Option<&str>) -> anyhow::Result<Vec<Finding>> {
        let delivery = self.delivery()?;
        let name = |answer: &Value, field: &str| answer[field].as_str().unwrap_or("?").to_owned();
        let (call, names, hint) = match self.config.platform {
            Platform::Webhook | Platform::Chatwoot => {
                let text = format!(
                    "replies go to {}; send one with `frontdesk channels send`",
                    self.base_url
                );
                return Ok(vec![good(text)]);
            }
            Platform::Email => {
                let access = match delivery.token(self, Clock::system().now_ms()).await {
                    Ok(access) => access,
                    Err(outcome) => return Ok(vec![bad(format!("no access token: {outcome}"))]),
                };
                let out = match smtp::check(self, &access).await {
                    Ok(()) => good(format!("{} takes the account", self.base_url)),
                    Err(error) => bad(format!("{}: {error:#}", self.base_url)),
                };
                return Ok(match &self.config.imap_url {
                    Some(url) => vec![self.check_mailbox(url, &access).await, out],
                    None => vec![out],
                });
            }
            Platform::Telegram => return self.check_telegram(&delivery, origin).await,
            Platform::WeChat | Platform::Teams => {
                let lent = delivery.token(self, Clock::system().now_ms()).await;
                return Ok(vec![match lent {
                    Ok(_) => good("the platform lends access tokens to this account"),
                    Err(outcome) => bad(format!("the platform lends no access token: {outcome}")),
                }]);
            }
            Platform::Slack => (
                slack::who(&self.token),
                ["user", "team"],
                "OAuth & Permissions shows the bot's token",
            ),
            Platform::Discord => (
                discord::who(&self.token),
                ["username", "id"],
                "the application's page Bot resets it",
            ),
            Platform::Line => (
                line::who(&self.token),
                ["displayName", "basicId"],
                "the console issues a channel access token",
            ),
            Platform::Twilio => {
                let call = twilio::who(&self.token, &self.config.account_sid);
                (call, ["friendly_name", "status"], "the console's start page shows SID and token")
            }
            Platform::WhatsApp => {
                let call = meta::who(self.meta_access(), "display_phone_number,verified_name");
                (
                    call,
                    ["verified_name", "display_phone_number"],
                    "a system user's token of the app is needed",
                )
            }
            Platform::Messenger | Platform::Instagram => {
                let call = meta::who(self.meta_access(), "name,id");
                (call, ["name", "id"], "a token of the page is needed")
            }
        };
        let found = match delivery.ask(self, &call).await {
            Ok(who) => good(format!(
                "the token holds for {} ({})",
                name(&who, names[0]),
                name(&who, names[1])
            )),
            Err(error) => bad(format!("the token is refused: {error}. {hint}")),
        };
        let to = origin.map_or_else(|| "this server".to_owned(), |origin| self.address(origin));
        Ok(vec![
            found,
            good(format!(
                "webhooks belong to {to}; whether they go there is shown on the platform's pages"
            )),
        ])
    }

    async fn check_mailbox(&self, url: &str, access: &str) -> Finding {
        match Folder::open(self, access).await {
            Ok(folder) => {
                let how = if folder.idles {
                    "new ones are told at once (IDLE)"
                } else {
                    "it is looked at each minute"
                };
                let found = format!(
                    "{url} takes the account; {:?} holds {} messages, and {how}",
                    self.config.imap_folder, folder.messages
                );
                folder.leave().await;
                good(found)
            }
            Err(trouble @ Trouble::Refused(_)) => {
                bad(format!("{url}: {trouble}. What to do: {}", imap::advice(url)))
            }
            Err(trouble) => bad(format!("{url}: {trouble}")),
        }
    }

    async fn check_telegram(
        &self,
        delivery: &Delivery,
        origin: Option<&str>,
    ) -> anyhow::Result<Vec<Finding>> {
        let who = match delivery.ask(self, &telegram::who(&self.token)).await {
            Ok(who) => who,
            Err(error) => {
                return Ok(vec![bad(format!(
                    "the token is refused: {error}. @BotFather shows the right one"
                ))]);
            }
        };
        let name = who["result"]["username"].as_str().unwrap_or_default();
        let mut found = vec![good(format!("the token is @{name}'s"))];
        if !self.config.bot.is_empty() && self.config.bot != name {
            found.push(bad(format!(
                "`bot` is {:?}; write {name:?}, or groups can't speak to it",
                self.config.bot
            )));
        }
        let hook = delivery.ask(self, &telegram::registered(&self.token)).await?;
        let now = hook["result"]["url"].as_str().unwrap_or_default();
        let wanted = origin.map(|origin| self.address(origin));
        found.push(match (&wanted, now) {
            (_, "") => bad("no webhook is set; `frontdesk channels register` sets it"),
            (Some(wanted), now) if wanted != now => bad(format!(
                "webhooks go to {now} and not to {wanted}; `frontdesk channels register` changes it"
            )),
            _ => good(format!("webhooks go to {now}")),
        });
        if let Some(error) = hook["result"]["last_error_message"].as_str() {
            found.push(bad(format!("Telegram's last delivery failed: {error}")));
        }
        Ok(found)
    }

    /// Whether [`Account::register`] can tell the platform where its webhooks go; elsewhere a
    /// person writes the address down.
    #[must_use]
    pub fn registers(&self) -> bool {
        matches!(self.config.platform, Platform::Telegram | Platform::Line | Platform::Discord)
    }

    /// Has the platform send its webhooks to a server that is reached at this origin.
    ///
    /// # Errors
    /// When the platform refuses, or can't be told so: the text says what to do by hand.
    pub async fn register(&self, origin: &str) -> anyhow::Result<String> {
        let address = self.address(origin);
        let secret = self.secrets.first().map_or("", String::as_str);
        let calls = match self.config.platform {
            Platform::Telegram => vec![telegram::register(&self.token, &address, secret)],
            Platform::Line => vec![line::register(&self.token, &address)],
            // The command first: the address is tried as it is set, and takes commands from then
            // on.
            Platform::Discord => {
                discord::register(&self.token, &self.config.app_id, &address).to_vec()
            }
            Platform::Slack
            | Platform::WhatsApp
            | Platform::Messenger
            | Platform::Instagram
            | Platform::Twilio
            | Platform::WeChat
            | Platform::Teams
            | Platform::Chatwoot
            | Platform::Email
            | Platform::Webhook => {
                bail!(
                    "the address is set on the platform's own pages, or in the other system: write {address} there"
                )
            }
        };
        if !address.starts_with("https://") {
            bail!("platforms send webhooks to https addresses alone; {address} isn't one");
        }
        let delivery = self.delivery()?;
        for call in calls {
            delivery.ask(self, &call).await?;
        }
        Ok(address)
    }

    /// Sends a text to a conversation, at once and without the outbox.
    ///
    /// # Errors
    /// When the platform doesn't take it.
    pub async fn send(&self, chat: &str, text: &str, now_s: u64) -> anyhow::Result<()> {
        let part = text::Rich::of_markdown(text);
        let id = crate::secret::random_id();
        let delivery = self.delivery()?;
        let token = match delivery.token(self, now_s * 1000).await {
            Ok(token) => token,
            Err(outcome) => bail!("the platform lends no access token: {outcome}"),
        };
        let way = deadline::Way::Message;
        let sending = Sending {
            part: &part,
            markdown: text,
            id: &id,
            plain: false,
            way,
            now_s,
            by_agent: true,
            choices: &[],
            cards: &[],
        };
        let target = Target { account: self, chat, token: &token, right: None, placed: None };
        let call = self.config.platform.send(target, &sending);
        let call = call.context("no secret can sign, or the platform must be written to first")?;
        delivery.ask(self, &call).await?;
        Ok(())
    }
}
