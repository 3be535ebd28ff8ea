//! What goes out in a conversation: parts of the outbox, and the answer so far.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;

use super::super::cards::{self, ProductCard};
use super::super::choices::{self, Choice};
use super::super::deadline::{self, Due, Moment, Seen, Waiting, Way};
use super::super::delivery::{MAX_TRIES, pause_ms};
use super::super::event::Outcome;
use super::super::ledger::{Part, Placed};
use super::super::platform::{Sending, Target};
use super::super::text::{Rich, Unit};
use super::{Task, Trouble};
use crate::conversation::Citation;
use crate::site::channel::Platform;

/// A preview that takes longer is left: a platform that hangs must not keep the visitor's Stop
/// waiting.
const SHOWN_WITHIN: Duration = Duration::from_millis(400);
/// The message that later ones replace is waited for longer, or it would stand there for good.
const PLACED_WITHIN: Duration = Duration::from_secs(3);
/// While the platform refuses the account. An operator restarts with other credentials.
const STOPPED: Duration = Duration::from_secs(60);

impl Task {
    /// An answer as it is sent: with its sources, cut to the platform's length and number of
    /// messages.
    pub(super) fn parts(
        &self,
        seq: u64,
        text: &str,
        citations: &[Citation],
        choices: &[Choice],
        cards: &[ProductCard],
        by_agent: bool,
    ) -> Vec<Part> {
        let mut rich = Rich::of_markdown(text);
        let mut markdown = text.to_owned();
        let mut named = std::collections::HashSet::new();
        for citation in citations.iter().filter(|citation| !citation.related) {
            if let Some(url) =
                citation.url.as_deref().filter(|_| named.insert(citation.document.as_str()))
            {
                rich.push_line(&citation.title, Some(url));
                // Slack ends its streams in Markdown; other systems get the sources apart.
                if self.account.config.platform == Platform::Slack {
                    markdown.push_str(&format!("\n[{}]({url})", citation.title));
                }
            }
        }
        let config = &self.account.config;
        let shown = cards::messages(config, cards);
        if shown.is_empty() {
            rich = cards::listed(rich, cards);
            markdown = match cards {
                [] => markdown,
                _ => rich.markdown(),
            };
        }
        let capability = config.platform.capability();
        // Where links stand behind their words they count.
        let plain = config.platform.is_plain();
        let split = |rich: &Rich| {
            let text = plain.then(|| Rich { text: rich.plain(), spans: Vec::new() });
            let rich = text.as_ref().unwrap_or(rich);
            rich.split_in(capability.unit, capability.limit, capability.most_parts)
        };
        let mut parts = split(&rich);
        let last = parts.last().map_or("", |part| part.text.as_str());
        let platform = self.account.config.platform;
        let buttons = choices::buttons(platform, &self.chat, (capability.unit, last), choices);
        if buttons.is_empty() && !choices.is_empty() {
            for choice in choices.iter().filter(|choice| !choice.said) {
                markdown.push_str(&format!("\n- {}", choice.text));
            }
            parts = split(&choices::listed(rich, choices));
        }
        let number = |i: usize| format!("{}-{seq}-{i}", self.row.session);
        let whole = parts.len() == 1;
        let parts = parts.into_iter().enumerate().map(|(i, part)| {
            let markdown = if whole { markdown.clone() } else { part.plain() };
            Part::new(number(i), part, markdown, by_agent)
        });
        let mut parts: Vec<Part> = parts.collect();
        let at = parts.len().saturating_sub(1);
        for cards in shown {
            let (rich, id) = (cards::listed(Rich::default(), &cards), number(parts.len()));
            let part = Part::new(id, rich.clone(), rich.markdown(), by_agent);
            parts.push(Part { cards, ..part });
        }
        // Quick replies vanish as soon as another message follows.
        let quick = matches!(
            platform,
            Platform::Messenger | Platform::Instagram | Platform::Line | Platform::Teams
        );
        let under = if quick { parts.last_mut() } else { parts.get_mut(at) };
        if let Some(part) = under {
            part.choices = buttons;
        }
        parts
    }

    /// Cards that were chosen after their answer went out, as messages of their own.
    pub(super) fn cards_later(&self, seq: u64, cards: &[ProductCard]) -> Vec<Part> {
        let shown = cards::messages(&self.account.config, cards);
        let parts = shown.into_iter().enumerate().map(|(i, cards)| {
            let rich = cards::listed(Rich::default(), &cards);
            let id = format!("{}-{seq}-cards-{i}", self.row.session);
            Part { cards, ..Part::new(id, rich.clone(), rich.markdown(), false) }
        });
        parts.collect()
    }

    /// Tries a part once; how long to wait before the next request.
    pub(super) async fn send(&mut self, key: &[u8], mut part: Part) -> Result<Duration, Trouble> {
        let inner = self.channels.0.clone();
        let (platform, id) = (self.account.config.platform, self.account.id());
        let now_ms = inner.clock.now_ms();
        if self.row.left || (self.row.held && !part.by_agent) {
            if self.row.left {
                self.unsent();
            }
            inner.ledger.done(key).await?;
            return Ok(Duration::ZERO);
        }
        let capability = platform.capability();
        let moment = Moment {
            now_ms,
            right: self.row.right.as_ref(),
            placed: self.row.placed.is_some(),
            open: inner.responses.waits(&id, &self.chat),
        };
        let mut way = deadline::way(capability.due, moment);
        if way == Way::Response {
            if inner.responses.answer(&id, &self.chat, &part.rich.plain()) {
                inner.metrics.channel_message(platform.name(), "sent");
                inner.ledger.done(key).await?;
                inner.delivery.spoke(&id, now_ms);
                return Ok(Duration::ZERO);
            }
            way = deadline::way(capability.due, Moment { open: false, ..moment });
        }
        match inner.delivery.rest_ms(&id, now_ms) {
            Some(0) => {}
            Some(wait) => return Ok(Duration::from_millis(wait)),
            None => return Ok(STOPPED),
        }
        if part.begun {
            self.unsure(&part);
        }
        part.begun = !platform.takes_once(&self.account, &self.chat, way);
        inner.ledger.set(key, &part).await?;
        let mut outcome = self.attempt(&part, way, false, now_ms).await;
        // A picture that the platform can't fetch is no reason to show nothing.
        let refused = match &outcome {
            Outcome::Plain { why } => Some(why),
            Outcome::Refused { why } if !part.cards.is_empty() => Some(why),
            _ => None,
        };
        if let Some(why) = refused {
            tracing::warn!(
                account = id,
                why,
                "formatting was refused; the message is sent as plain text"
            );
            outcome = self.attempt(&part, way, true, now_ms).await;
        }
        let spacing = Duration::from_millis(capability.spacing_ms);
        match outcome {
            Outcome::Sent(_) | Outcome::Stopped => {
                inner.metrics.channel_message(platform.name(), "sent");
                self.row.placed = None;
                if way == Way::Right && matches!(capability.due, Due::Token { .. }) {
                    self.row.right = None;
                }
                inner.ledger.sent(key, &id, &self.chat, &self.row).await?;
                Ok(spacing)
            }
            Outcome::Later { after_ms, why } if part.tries < MAX_TRIES => {
                part.begun = false;
                self.later(key, part, after_ms, &why).await
            }
            Outcome::Unanswered { why } if part.tries < MAX_TRIES => {
                self.later(key, part, None, &why).await
            }
            // The token or the message to be replaced is gone: a message of its own may still
            // arrive.
            Outcome::Refused { why }
                if way != Way::Message && capability.due != Due::Standing
                    || matches!(&outcome, Outcome::Refused { .. } if way == Way::Replace) =>
            {
                tracing::info!(account = id, why, "an answer goes out as a message of its own");
                part.begun = false;
                inner.ledger.set(key, &part).await?;
                self.row.placed = None;
                if capability.due != Due::Standing {
                    self.row.right = None;
                }
                inner.ledger.queue(&id, &self.chat, &self.row, &[]).await?;
                Ok(Duration::ZERO)
            }
            Outcome::Unauthorized { why } => {
                tracing::error!(
                    account = id,
                    why,
                    "the platform refuses the account; nothing is sent until its token is mended"
                );
                Ok(spacing)
            }
            Outcome::Moved { to } => {
                part.begun = false;
                inner.ledger.set(key, &part).await?;
                self.rename(&to).await?;
                Ok(Duration::ZERO)
            }
            Outcome::Closed { why } => {
                tracing::warn!(
                    account = id,
                    part = part.id,
                    why,
                    "a message was not taken: nothing is sent to this conversation until that person writes again"
                );
                inner.metrics.channel_message(platform.name(), "stopped");
                self.row.left = true;
                inner.ledger.sent(key, &id, &self.chat, &self.row).await?;
                Ok(Duration::ZERO)
            }
            Outcome::Later { why, .. }
            | Outcome::Unanswered { why }
            | Outcome::Refused { why }
            | Outcome::Plain { why } => {
                tracing::warn!(
                    account = id,
                    part = part.id,
                    why,
                    "a message was not taken and is given up"
                );
                inner.metrics.channel_message(platform.name(), "given_up");
                inner.ledger.done(key).await?;
                Ok(spacing)
            }
        }
    }

    /// Keeps a part for another try; how long to wait before it.
    async fn later(
        &self,
        key: &[u8],
        part: Part,
        after_ms: Option<u64>,
        why: &str,
    ) -> Result<Duration, Trouble> {
        tracing::debug!(
            account = self.account.id(),
            why,
            tries = part.tries,
            "a message is tried again later"
        );
        let pause = Duration::from_millis(pause_ms(part.tries, after_ms, rand::rng().random()));
        let part = Part { tries: part.tries + 1, ..part };
        self.channels.0.ledger.set(key, &part).await?;
        Ok(pause)
    }

    /// Says that a text stays unsent because its conversation is stopped.
    pub(super) fn unsent(&self) {
        let (account, session, opted_out) =
            (self.account.id(), &self.row.session, self.row.opted_out);
        tracing::warn!(
            account,
            session,
            opted_out,
            "a message is not sent: its conversation is stopped"
        );
        self.channels.0.metrics.channel_message(self.account.config.platform.name(), "stopped");
    }

    fn unsure(&self, part: &Part) {
        let account = self.account.id();
        tracing::warn!(
            account,
            part = part.id,
            "a message may be sent a second time: an earlier try's end isn't known"
        );
        self.channels.0.metrics.channel_message(self.account.config.platform.name(), "unsure");
    }

    fn target<'a>(&'a self, token: &'a str) -> Target<'a> {
        let (right, placed) = (self.row.right.as_ref(), self.row.placed.as_ref());
        Target { account: &self.account, chat: &self.chat, token, right, placed }
    }

    async fn attempt(&self, part: &Part, way: Way, plain: bool, now_ms: u64) -> Outcome {
        let delivery = &self.channels.0.delivery;
        let token = match delivery.token(&self.account, now_ms).await {
            Ok(token) => token,
            Err(outcome) => return outcome,
        };
        let sending = Sending {
            part: &part.rich,
            markdown: &part.markdown,
            id: &part.id,
            plain,
            way,
            now_s: now_ms / 1000,
            by_agent: part.by_agent,
            choices: &part.choices,
            cards: &part.cards,
        };
        match self.account.config.platform.send(self.target(&token), &sending) {
            Some(call) => delivery.send(&self.account, &call, now_ms).await,
            None if self.account.config.platform == Platform::Webhook => Outcome::Unauthorized {
                why: "none of the account's secrets can sign: whsec_ and Base64 are needed".into(),
            },
            None => Outcome::Closed {
                why: "where to answer isn't known: nobody wrote there yet".into(),
            },
        }
    }

    /// When the visitor is to see more of the running answer.
    pub(super) fn show_at(&self) -> Option<Instant> {
        if self.shown.turn == 0 || self.row.left || self.row.held || self.shown.muted {
            return None;
        }
        let now = Instant::now();
        let since = |at: Instant| {
            u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX)
        };
        let seen = Seen {
            waited_ms: self.shown.since.map_or(0, since),
            shown_ms: self.shown.at.map(since),
            grew: self.shown.text.len() > self.shown.upto,
            placed: self.row.placed.is_some(),
        };
        let wait = deadline::show_in(self.account.config.platform.capability().waiting, seen)?;
        Some(now + Duration::from_millis(wait))
    }

    /// Shows the answer so far. What fails here is nothing that the final message doesn't bring.
    pub(super) async fn show(&mut self) -> Result<(), Trouble> {
        let inner = self.channels.0.clone();
        let platform = self.account.config.platform;
        let capability = platform.capability();
        let whole = self.shown.text.trim_end();
        // What is too long for one message is shown from its beginning where it stays, else from
        // its end.
        let text = match capability.waiting {
            Waiting::Edits { .. } => head(whole, capability.unit, capability.limit),
            _ => {
                let rich = Rich { text: whole.to_owned(), spans: Vec::new() };
                rich.split(capability.unit, capability.limit).pop().unwrap_or_default().text
            }
        };
        self.shown.at = Some(Instant::now());
        self.shown.upto = self.shown.text.len();
        let now_ms = inner.clock.now_ms();
        if inner.delivery.rest_ms(&self.account.id(), now_ms) != Some(0) {
            return Ok(());
        }
        let places = matches!(capability.waiting, Waiting::Edits { .. })
            && platform.places(&self.chat, self.row.right.as_ref());
        let within = if places && self.row.placed.is_none() { PLACED_WITHIN } else { SHOWN_WITHIN };
        let shown = async {
            let token = match inner.delivery.token(&self.account, now_ms).await {
                Ok(token) => token,
                Err(outcome) => return Some(outcome),
            };
            let call = platform.show(self.target(&token), self.shown.turn, &text)?;
            Some(inner.delivery.send(&self.account, &call, now_ms).await)
        };
        match tokio::time::timeout(within, shown).await {
            Ok(Some(Outcome::Sent(id))) if places => {
                let before = self.row.placed.take().unwrap_or_default();
                let id = if before.id.is_empty() { id.unwrap_or_default() } else { before.id };
                self.row.placed = Some(Placed { id, text, sequence: before.sequence + 1 });
                inner.ledger.queue(&self.account.id(), &self.chat, &self.row, &[]).await?;
            }
            Ok(Some(Outcome::Later { after_ms: Some(wait), .. })) => {
                self.shown.at = Some(Instant::now() + Duration::from_millis(wait));
            }
            Ok(Some(Outcome::Stopped)) => {
                (self.stopped, self.shown.muted) = (self.shown.turn, true);
                self.row.placed = None;
                self.cancel().await;
            }
            // The stream is over, or the message is gone: the answer comes as one of its own.
            Ok(Some(Outcome::Refused { .. } | Outcome::Closed { .. } | Outcome::Plain { .. }))
                if places =>
            {
                self.shown.muted = true;
                if !matches!(capability.due, Due::Deferred { .. }) {
                    self.row.placed = None;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The beginning of a text that fits.
fn head(text: &str, unit: Unit, limit: usize) -> String {
    if unit.len(text) <= limit {
        return text.to_owned();
    }
    let rich = Rich { text: text.to_owned(), spans: Vec::new() };
    rich.split(unit, limit).into_iter().next().unwrap_or_default().text
}
