//! Which platform an account is of: one closed list, so that every question about platforms is
//! answered for each.

use super::cards::{self, ProductCard};
use super::choices::{self, Choice};
use super::deadline::{Due, Right, Waiting, Way};
use super::event::{Answered, Batch, Call, Outcome, Reply};
use super::ledger::Placed;
use super::signature::{self, Rejected, Signed, scheme, wechat as wechat_signature};
use super::text::{Rich, Unit};
use super::{
    Account, Request, chatwoot, discord, email, generic, json_of, line, meta, slack, teams,
    telegram, twilio, wechat,
};
use crate::site::channel::{Platform, SignedAs, mail_address};

/// What a message may be on a platform, what its reader sees while one is made, and by when it is
/// there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    pub(super) unit: Unit,
    /// Longest text of a message.
    pub(super) limit: usize,
    /// Most messages that an answer is sent in; what is longer is cut, with a mark.
    pub(super) most_parts: usize,
    /// Least milliseconds between two messages to one conversation.
    pub(super) spacing_ms: u64,
    /// While an answer is made.
    pub(super) waiting: Waiting,
    /// How it goes out in time.
    pub(super) due: Due,
}

/// Where and with what a part goes out, or the answer so far.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) account: &'a Account,
    pub(super) chat: &'a str,
    /// The account's token, or the one that the platform lent for it.
    pub(super) token: &'a str,
    pub(super) right: Option<&'a Right>,
    pub(super) placed: Option<&'a Placed>,
}

/// One part of an answer, to be sent.
pub(super) struct Sending<'a> {
    pub(super) part: &'a Rich,
    pub(super) markdown: &'a str,
    /// The same for every try.
    pub(super) id: &'a str,
    pub(super) plain: bool,
    pub(super) way: Way,
    pub(super) now_s: u64,
    /// A person wrote it.
    pub(super) by_agent: bool,
    /// What can be pressed under it.
    pub(super) choices: &'a [Choice],
    /// What it shows in place of its text.
    pub(super) cards: &'a [ProductCard],
}

const MINUTE_MS: u64 = 60_000;

impl Platform {
    pub(super) fn capability(self) -> Capability {
        let plain = Capability {
            unit: Unit::Utf16,
            limit: 4_000,
            most_parts: usize::MAX,
            spacing_ms: 1_000,
            waiting: Waiting::Nothing,
            due: Due::Message,
        };
        match self {
            // Bot API: 4,096 characters after entities are read; the FAQ names one message a second
            // to one chat. A draft is shown for 30 s and typing for 5 s.
            Self::Telegram => Capability {
                limit: 4_096,
                waiting: Waiting::Draft { every_ms: 1_000, typing_every_ms: 4_000 },
                ..plain
            },
            // Slack counts characters of mrkdwn; 3,000 leave room for its marks. People expect
            // something within 3 s.
            Self::Slack => Capability {
                unit: Unit::Chars,
                limit: 3_000,
                waiting: Waiting::Edits { first_ms: 2_000, every_ms: 1_500 },
                due: Due::Standing,
                ..plain
            },
            // One message in six seconds to one person, with bursts; each is billed, so parts are
            // as long as they may be.
            Self::WhatsApp => Capability { limit: 3_900, spacing_ms: 6_000, ..plain },
            // `typing_on` is shown for about 20 s.
            Self::Messenger => Capability {
                limit: 2_000,
                spacing_ms: 250,
                waiting: Waiting::Typing { every_ms: 15_000 },
                ..plain
            },
            // Messenger's interface with its own length; whether somebody writes isn't shown.
            Self::Instagram => {
                Capability { unit: Unit::Bytes, limit: 950, spacing_ms: 250, ..plain }
            }
            // A reply token holds for about a minute; half of it is kept for what the way costs.
            Self::Line => Capability {
                limit: 5_000,
                spacing_ms: 250,
                waiting: Waiting::Typing { every_ms: 15_000 },
                due: Due::Token { holds_ms: 30_000 },
                ..plain
            },
            // 1,600 characters, which travel as segments of 153.
            Self::Twilio => Capability { limit: 1_500, ..plain },
            // The response to a command must come within 3 s, so it says that an answer comes; its
            // token holds 15 minutes.
            Self::Discord => Capability {
                limit: 1_900,
                waiting: Waiting::Edits { first_ms: 2_500, every_ms: 1_500 },
                due: Due::Deferred { holds_ms: 14 * MINUTE_MS },
                ..plain
            },
            // WeChat waits 5 s for a response, then lets five messages follow within 48 h: an
            // answer is two at most.
            Self::WeChat => Capability {
                unit: Unit::Bytes,
                limit: 2_000,
                most_parts: 2,
                waiting: Waiting::Typing { every_ms: 5_000 },
                due: Due::Response { within_ms: 4_200 },
                ..plain
            },
            // A request a second; a stream ends by itself after two minutes.
            Self::Teams => Capability {
                limit: 20_000,
                waiting: Waiting::Edits { first_ms: 1_000, every_ms: 1_500 },
                due: Due::Standing,
                ..plain
            },
            Self::Chatwoot => Capability {
                unit: Unit::Chars,
                limit: 10_000,
                spacing_ms: 0,
                waiting: Waiting::Typing { every_ms: 15_000 },
                ..plain
            },
            // Nothing is shown of an answer that is made; its parts would be e-mails of their own.
            Self::Email => Capability {
                unit: Unit::Chars,
                limit: 12_000,
                most_parts: 1,
                due: Due::Standing,
                ..plain
            },
            Self::Webhook => {
                Capability { unit: Unit::Chars, limit: 16_000, spacing_ms: 0, ..plain }
            }
        }
    }

    /// Whether the request is the platform's. Teams' needs keys that are fetched: see
    /// `Channels::prepare`.
    pub(super) fn verify(self, signed: Signed<'_>, account: &Account) -> Result<(), Rejected> {
        let secrets = &account.secrets;
        match self {
            Self::Telegram => signature::telegram(signed, secrets),
            Self::Slack => signature::slack(signed, secrets),
            Self::WhatsApp | Self::Messenger | Self::Instagram => signature::meta(signed, secrets),
            Self::Line => signature::line(signed, secrets),
            Self::Twilio => {
                // Twilio calls, and signs, the address with what it adds: the hash of a body that
                // is no form.
                let url = account.config.public_url.as_str();
                let added = !signed.query.is_empty() && !url.contains('?');
                let whole = if added { format!("{url}?{}", signed.query) } else { url.to_owned() };
                signature::twilio(signed, &whole, secrets)
            }
            Self::Discord => signature::discord(signed, secrets),
            Self::WeChat => match &account.crypt {
                Some(crypt) => {
                    crypt.open(signed.query, signed.body, secrets, signed.now_s).map(drop)
                }
                None => wechat_signature::verify(signed.query, secrets, signed.now_s),
            },
            Self::Chatwoot => scheme::verify(SignedAs::Chatwoot, signed, secrets),
            Self::Email if account.config.signed_as == SignedAs::Mailgun => {
                let kind = (signed.header)("content-type").unwrap_or_default();
                scheme::mailgun(&email::fields(kind, signed.body), signed.now_s, secrets)
            }
            Self::Email | Self::Webhook => {
                scheme::verify(account.config.signed_as, signed, secrets)
            }
            Self::Teams => {
                let activity = json_of(signed.body);
                let (service_url, channel) = teams::origin(&activity);
                let app = account.config.app_id.as_str();
                let expected =
                    signature::teams::Expected { app, service_url, channel, now_s: signed.now_s };
                signature::teams::verify(
                    (signed.header)("authorization"),
                    &account.keys().known,
                    &expected,
                )
            }
        }
    }

    pub(super) fn read(self, request: Request<'_>, account: &Account, now_s: u64) -> Batch {
        let body = json_of(request.body);
        if body.is_null() && self.posts_json(account) {
            return Batch::unreadable("the body isn't JSON");
        }
        match self {
            Self::Telegram => telegram::read(&body, &account.config.bot),
            Self::Slack => slack::read(request.body, &body),
            Self::WhatsApp => meta::read_whatsapp(&body, &account.config.sender),
            Self::Messenger => meta::read_messenger(&body, true),
            Self::Instagram => meta::read_messenger(&body, false),
            Self::Line => line::read(&body),
            Self::Twilio => twilio::read(request.body),
            Self::Discord => discord::read(&body),
            Self::Teams => teams::read(&body),
            Self::Chatwoot => chatwoot::read(&body),
            Self::WeChat => {
                let opened = match &account.crypt {
                    Some(crypt) => {
                        crypt.open(request.query, request.body, &account.secrets, now_s).ok()
                    }
                    None => std::str::from_utf8(request.body).ok().map(str::to_owned),
                };
                wechat::read(&opened.unwrap_or_default())
            }
            Self::Email if account.config.signed_as == SignedAs::Mailgun => {
                let kind = (request.header)("content-type").unwrap_or_default();
                let fields = email::fields(kind, request.body);
                let message = fields.iter().find(|(name, _)| name == "body-mime");
                match message {
                    Some((_, message)) => account.read_mail(message),
                    None => Batch {
                        skipped: vec!["no `body-mime`: the route's address doesn't end in mime"],
                        ..Batch::default()
                    },
                }
            }
            Self::Email => account.read_mail(request.body),
            Self::Webhook => {
                let Request { header, query, body: bytes } = request;
                // A system that names nothing is told apart by what it says.
                let key = scheme::key(
                    account.config.signed_as,
                    Signed { header, query, body: bytes, now_s },
                )
                .unwrap_or_else(|| crate::secret::key_hash(&String::from_utf8_lossy(bytes)));
                let zoom = account
                    .secrets
                    .first()
                    .and_then(|secret| scheme::zoom_validation(&body, secret));
                match (account.config.signed_as, zoom) {
                    (SignedAs::Zoom, Some(reply)) => {
                        Batch { reply: Some(Reply::Json(reply)), ..Batch::default() }
                    }
                    _ if account.config.fields.is_empty() => generic::read(&body, &key),
                    _ if body.is_null() => generic::read_fields(
                        &generic::object_of_form(bytes),
                        &key,
                        &account.config.fields,
                    ),
                    _ => generic::read_fields(&body, &key, &account.config.fields),
                }
            }
        }
    }

    /// `None` if the account or the conversation doesn't allow it.
    pub(super) fn send(self, target: Target<'_>, sending: &Sending<'_>) -> Option<Call> {
        let mut call = self.message(target, sending)?;
        if !sending.plain {
            cards::put(&target.account.config, &mut call, sending.cards);
        }
        choices::put(self, target.chat, &mut call, sending.choices);
        Some(call)
    }

    fn message(self, target: Target<'_>, sending: &Sending<'_>) -> Option<Call> {
        let Target { account, chat, token, right, placed } = target;
        let Sending { part, markdown, id, plain, way, now_s, by_agent, choices, cards } = *sending;
        let sender = account.config.sender.as_str();
        let right = right.map(|right| right.token.as_str());
        match self {
            Self::Telegram => Some(telegram::send(token, chat, part, plain)),
            Self::Slack => {
                Some(match placed.filter(|placed| way == Way::Replace && !placed.id.is_empty()) {
                    Some(placed) => match markdown.strip_prefix(placed.text.as_str()) {
                        Some(rest) if streams(account, chat) => {
                            slack::stop_stream(token, chat, &placed.id, rest)
                        }
                        _ => slack::update(
                            token,
                            chat,
                            &placed.id,
                            &if plain { part.plain() } else { part.mrkdwn() },
                        ),
                    },
                    None => slack::send(token, chat, part, plain),
                })
            }
            Self::WhatsApp => Some(meta::send_whatsapp(account.meta_access(), chat, part, plain)),
            Self::Messenger | Self::Instagram => {
                Some(meta::send_messenger(account.meta_access(), chat, part))
            }
            Self::Line => Some(match right.filter(|_| way == Way::Right) {
                Some(right) => line::reply(token, right, part),
                None => line::send(token, chat, part, id),
            }),
            Self::Twilio => {
                Some(twilio::send(token, &account.config.account_sid, sender, chat, part))
            }
            Self::Discord => {
                let (app, text) = (account.config.app_id.as_str(), discord::text(part, plain));
                let to = match (way, right.and_then(discord::token)) {
                    (Way::Replace, Some(token)) => discord::To::Thinking { app, token },
                    (Way::Right, Some(token)) => discord::To::FollowUp { app, token },
                    (Way::Right, None) => {
                        let answered = right.and_then(discord::answered);
                        discord::To::Channel { bot: token, chat, answered }
                    }
                    _ => discord::To::Channel { bot: token, chat, answered: None },
                };
                Some(discord::send(to, &text, id))
            }
            Self::WeChat => Some(wechat::send(token, chat, &part.plain())),
            Self::Teams => {
                let to = teams::To { token, service: right?, chat };
                Some(match placed.filter(|placed| way == Way::Replace && !placed.id.is_empty()) {
                    Some(placed) => teams::end(to, &placed.id, part, plain),
                    None => teams::send(to, part, plain),
                })
            }
            Self::Chatwoot => Some(chatwoot::send(token, chat, part, plain)),
            Self::Email => email::send(sender, chat, right, part, id, by_agent, token),
            Self::Webhook => {
                let secret = account.secrets.iter().find(|secret| secret.starts_with("whsec_"))?;
                let message = generic::Message { part, markdown, choices, cards };
                generic::send(secret, chat, &message, id, now_s)
            }
        }
    }

    /// Shows the answer so far, or with no text that one is written; `None` where nothing can be
    /// shown.
    pub(super) fn show(self, target: Target<'_>, turn: u64, text: &str) -> Option<Call> {
        let Target { account, chat, token, right, placed } = target;
        let right = right.map(|right| right.token.as_str());
        let so_far = if text.is_empty() { "…" } else { text };
        match self {
            // Groups have negative ids and no drafts.
            Self::Telegram if text.is_empty() || chat.starts_with('-') => {
                Some(telegram::typing(token, chat))
            }
            Self::Telegram => Some(telegram::draft(token, chat, turn.max(1), text)),
            Self::Slack if streams(account, chat) => match placed {
                None => {
                    Some(slack::start_stream(token, chat, right, text)).filter(|_| !text.is_empty())
                }
                Some(placed) => {
                    // White space at the end isn't shown yet, and behind the longest message
                    // nothing is.
                    let more =
                        text.strip_prefix(placed.text.as_str()).filter(|more| !more.is_empty())?;
                    Some(slack::append_stream(token, chat, &placed.id, more))
                }
            },
            Self::Slack => Some(match placed {
                None => slack::send(
                    token,
                    chat,
                    &Rich { text: so_far.to_owned(), spans: Vec::new() },
                    true,
                ),
                Some(placed) => slack::update(token, chat, &placed.id, so_far),
            }),
            Self::Messenger => Some(meta::typing_messenger(account.meta_access(), chat)),
            // Groups have no loading animation.
            Self::Line => chat.starts_with('U').then(|| line::typing(token, chat)),
            Self::Discord => match right.and_then(discord::token) {
                Some(token) => {
                    let to = discord::To::Thinking { app: &account.config.app_id, token };
                    (placed.is_some() && !text.is_empty()).then(|| discord::send(to, text, ""))
                }
                None => account.config.gateway.then(|| discord::typing(token, chat)),
            },
            Self::WeChat => Some(wechat::typing(token, chat)),
            Self::Teams => {
                let to = teams::To { token, service: right?, chat };
                if !chat.starts_with("1:") {
                    return Some(teams::typing(to));
                }
                let (id, sequence) = placed
                    .map_or((None, 1), |placed| (Some(placed.id.as_str()), placed.sequence + 1));
                Some(teams::stream(to, id, sequence, so_far))
            }
            Self::Chatwoot => Some(chatwoot::typing(token, chat)),
            Self::WhatsApp | Self::Instagram | Self::Twilio | Self::Email | Self::Webhook => None,
        }
    }

    /// Whether who left and comes back says so by an event of its own: START after STOP,
    /// `conversation.returned`.
    pub(super) fn tells_return(self) -> bool {
        matches!(self, Self::Twilio | Self::Webhook)
    }

    /// Whether everything that it posts is JSON.
    fn posts_json(self, account: &Account) -> bool {
        match self {
            Self::Telegram
            | Self::WhatsApp
            | Self::Messenger
            | Self::Instagram
            | Self::Line
            | Self::Discord
            | Self::Teams
            | Self::Chatwoot => true,
            Self::Webhook => account.config.fields.is_empty(),
            Self::Slack | Self::Twilio | Self::WeChat | Self::Email => false,
        }
    }

    /// Whether a message that is sent a second time stays one there: it carries a key, or replaces
    /// what it replaced.
    pub(super) fn takes_once(self, account: &Account, chat: &str, way: Way) -> bool {
        match self {
            Self::Line => way == Way::Message,
            Self::Discord => matches!(way, Way::Message | Way::Replace),
            Self::Slack => way == Way::Replace && !streams(account, chat),
            Self::Webhook => true,
            Self::Telegram
            | Self::WhatsApp
            | Self::Messenger
            | Self::Instagram
            | Self::Twilio
            | Self::WeChat
            | Self::Teams
            | Self::Chatwoot
            | Self::Email => false,
        }
    }

    /// Whether its messages are text without marks.
    pub(super) fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Messenger
                | Self::Instagram
                | Self::Line
                | Self::Twilio
                | Self::WeChat
                | Self::Email
        )
    }

    /// Whether the answer so far stands in a message of its own there.
    pub(super) fn places(self, chat: &str, right: Option<&Right>) -> bool {
        match self {
            Self::Teams => chat.starts_with("1:"),
            // In place of "thinks"; a message of the Gateway has none.
            Self::Discord => right.is_some_and(|right| discord::token(&right.token).is_some()),
            _ => true,
        }
    }

    /// Asks for an access token, where the platform lends one for the account's.
    pub(super) fn lend(self, account: &Account) -> Option<Call> {
        let (app, secret) = (account.config.app_id.as_str(), account.token.as_str());
        match self {
            Self::WeChat => Some(wechat::lend(app, secret)),
            Self::Teams => {
                let login = account
                    .config
                    .login_url
                    .as_deref()
                    .unwrap_or("https://login.microsoftonline.com");
                Some(teams::lend(login, &account.config.tenant, app, secret))
            }
            Self::Email => Some(account.oauth.as_ref()?.lend()),
            _ => None,
        }
    }

    pub(super) fn judge(self, answered: Answered<'_>) -> Outcome {
        match self {
            Self::Telegram => telegram::judge(answered),
            Self::Slack => slack::judge(answered),
            Self::WhatsApp | Self::Messenger | Self::Instagram => meta::judge(answered),
            Self::Line => line::judge(answered),
            Self::Twilio => twilio::judge(answered),
            Self::Discord => discord::judge(answered),
            Self::WeChat => wechat::judge(answered),
            Self::Teams => teams::judge(answered),
            Self::Chatwoot => chatwoot::judge(answered),
            Self::Email => email::judge(answered),
            Self::Webhook => generic::judge(answered),
        }
    }
}

/// Slack's streams stand in threads alone, and only apps that are declared as agents have them.
fn streams(account: &Account, chat: &str) -> bool {
    account.config.stream && chat.contains('/')
}

impl Account {
    /// What an e-mail to this account holds.
    pub(super) fn read_mail(&self, raw: &[u8]) -> Batch {
        let own = std::iter::once(&self.config.sender).chain(&self.config.addresses);
        let own: Vec<String> = own.map(|text| mail_address(text)).collect();
        email::read(raw, &own, &self.config.authserv_id)
    }

    pub(super) fn meta_access(&self) -> meta::Access<'_> {
        let secret = self.secrets.first().map_or("", String::as_str);
        meta::Access { token: &self.token, secret, sender: &self.config.sender }
    }
}
