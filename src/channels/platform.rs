//! Which platform an account is of: one closed list, so that every question about platforms is answered for each.

use super::event::{Answered, Batch, Call, Outcome, Reply};
use super::signature::{self, Rejected, Signed, scheme};
use super::text::{Rich, Unit};
use super::{Account, Request, generic, json_of, line, meta, slack, telegram, twilio};
use crate::site::channel::{Platform, SignedAs};

/// What a message may be on a platform, and what its reader sees while one is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    pub(super) unit: Unit,
    /// Longest text of a message.
    pub(super) limit: usize,
    /// Least milliseconds between two messages to one conversation.
    pub(super) spacing_ms: u64,
    /// While an answer is made.
    pub(super) waiting: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing can be shown.
    Nothing,
    /// The answer so far where the conversation allows it, else a sign that somebody writes; each again after so many
    /// milliseconds.
    Draft { every_ms: u64, typing_every_ms: u64 },
    /// A sign that somebody writes, again after so many milliseconds.
    Typing { every_ms: u64 },
}

/// One part of an answer, to be sent.
pub(super) struct Sending<'a> {
    pub(super) chat: &'a str,
    pub(super) part: &'a Rich,
    pub(super) markdown: &'a str,
    /// The same for every try.
    pub(super) id: &'a str,
    pub(super) plain: bool,
    pub(super) now_s: u64,
}

impl Platform {
    pub(super) fn capability(self) -> Capability {
        match self {
            // Bot API: 4,096 characters after entities are read; the FAQ names one message a second to one chat. A draft
            // is shown for 30 s and typing for 5 s.
            Self::Telegram => Capability {
                unit: Unit::Utf16,
                limit: 4_096,
                spacing_ms: 1_000,
                waiting: Waiting::Draft { every_ms: 1_000, typing_every_ms: 4_000 },
            },
            // Slack counts characters of mrkdwn; 3,000 leave room for its marks. Streams need an app declared as an agent.
            Self::Slack => Capability { unit: Unit::Chars, limit: 3_000, spacing_ms: 1_000, waiting: Waiting::Nothing },
            // One message in six seconds to one person, with bursts; each is billed, so parts are as long as they may be.
            Self::WhatsApp => {
                Capability { unit: Unit::Utf16, limit: 3_900, spacing_ms: 6_000, waiting: Waiting::Nothing }
            }
            // `typing_on` is shown for about 20 s.
            Self::Messenger => Capability {
                unit: Unit::Utf16,
                limit: 2_000,
                spacing_ms: 250,
                waiting: Waiting::Typing { every_ms: 15_000 },
            },
            Self::Line => Capability {
                unit: Unit::Utf16,
                limit: 5_000,
                spacing_ms: 250,
                waiting: Waiting::Typing { every_ms: 15_000 },
            },
            // 1,600 characters, which travel as segments of 153.
            Self::Twilio => {
                Capability { unit: Unit::Utf16, limit: 1_500, spacing_ms: 1_000, waiting: Waiting::Nothing }
            }
            Self::Webhook => Capability { unit: Unit::Chars, limit: 16_000, spacing_ms: 0, waiting: Waiting::Nothing },
        }
    }

    pub(super) fn verify(self, signed: Signed<'_>, account: &Account) -> Result<(), Rejected> {
        let secrets = &account.secrets;
        match self {
            Self::Telegram => signature::telegram(signed, secrets),
            Self::Slack => signature::slack(signed, secrets),
            Self::WhatsApp | Self::Messenger => signature::meta(signed, secrets),
            Self::Line => signature::line(signed, secrets),
            Self::Twilio => signature::twilio(signed, &account.config.public_url, secrets),
            Self::Webhook => scheme::verify(account.config.signed_as, signed, secrets),
        }
    }

    pub(super) fn read(self, request: Request<'_>, account: &Account) -> Batch {
        let body = json_of(request.body);
        match self {
            Self::Telegram => telegram::read(&body, &account.config.bot),
            Self::Slack => slack::read(request.body, &body),
            Self::WhatsApp => meta::read_whatsapp(&body, &account.config.sender),
            Self::Messenger => meta::read_messenger(&body),
            Self::Line => line::read(&body),
            Self::Twilio => twilio::read(request.body),
            Self::Webhook => {
                let signed = Signed { header: request.header, query: request.query, body: request.body, now_s: 0 };
                // A system that names nothing is told apart by what it says.
                let key = scheme::key(account.config.signed_as, signed)
                    .unwrap_or_else(|| crate::secret::key_hash(&String::from_utf8_lossy(request.body)));
                let zoom = account.secrets.first().and_then(|secret| scheme::zoom_validation(&body, secret));
                match (account.config.signed_as, zoom) {
                    (SignedAs::Zoom, Some(reply)) => Batch { reply: Some(Reply::Json(reply)), ..Batch::default() },
                    _ if account.config.fields.is_empty() => generic::read(&body, &key),
                    _ if body.is_null() => {
                        generic::read_fields(&generic::object_of_form(request.body), &key, &account.config.fields)
                    }
                    _ => generic::read_fields(&body, &key, &account.config.fields),
                }
            }
        }
    }

    /// `None` if the account's secrets don't allow it.
    pub(super) fn send(self, account: &Account, sending: &Sending<'_>) -> Option<Call> {
        let Sending { chat, part, markdown, id, plain, now_s } = *sending;
        let (token, sender) = (account.token.as_str(), account.config.sender.as_str());
        match self {
            Self::Telegram => Some(telegram::send(token, chat, part, plain)),
            Self::Slack => Some(slack::send(token, chat, part, plain)),
            Self::WhatsApp => Some(meta::send_whatsapp(meta_access(account), chat, part, plain)),
            Self::Messenger => Some(meta::send_messenger(meta_access(account), chat, part)),
            Self::Line => Some(line::send(token, chat, part, id)),
            Self::Twilio => Some(twilio::send(token, &account.config.account_sid, sender, chat, part)),
            Self::Webhook => {
                let secret = account.secrets.iter().find(|secret| secret.starts_with("whsec_"))?;
                generic::send(secret, chat, part, markdown, id, now_s)
            }
        }
    }

    /// Shows the answer so far, or with no text that one is written; `None` where nothing can be shown.
    pub(super) fn show(self, account: &Account, chat: &str, turn: u64, text: &str) -> Option<Call> {
        match self {
            // Groups have negative ids and no drafts.
            Self::Telegram if text.is_empty() || chat.starts_with('-') => Some(telegram::typing(&account.token, chat)),
            Self::Telegram => Some(telegram::draft(&account.token, chat, turn.max(1), text)),
            Self::Messenger => Some(meta::typing_messenger(meta_access(account), chat)),
            // Groups have no loading animation.
            Self::Line => chat.starts_with('U').then(|| line::typing(&account.token, chat)),
            Self::Slack | Self::WhatsApp | Self::Twilio | Self::Webhook => None,
        }
    }

    pub(super) fn judge(self, answered: Answered<'_>) -> Outcome {
        match self {
            Self::Telegram => telegram::judge(answered),
            Self::Slack => slack::judge(answered),
            Self::WhatsApp | Self::Messenger => meta::judge(answered),
            Self::Line => line::judge(answered),
            Self::Twilio => twilio::judge(answered),
            Self::Webhook => generic::judge(answered),
        }
    }
}

fn meta_access(account: &Account) -> meta::Access<'_> {
    let secret = account.secrets.first().map_or("", String::as_str);
    meta::Access { token: &account.token, secret, sender: &account.config.sender }
}
