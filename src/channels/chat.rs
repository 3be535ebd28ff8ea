//! The task around one conversation of a platform: reads what came in, follows the session, sends what the visitor is to
//! read. The store is its memory; the task may end at any moment and another goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use rand::Rng as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::delivery::{MAX_TRIES, pause_ms};
use super::event::{Attachment, Incoming, Outcome, What};
use super::ledger::{Chat, Part, Turn};
use super::platform::{Sending, Waiting};
use super::text::Rich;
use super::{Account, Channels};
use crate::conversation::{AnswerEnd, Citation, Event, SessionKey};
use crate::secret::random_id;
use crate::session::mailbox::{CommandError, JoinError, Opener, Past};
use crate::session::refusal::Refusal;
use crate::session::registry::SessionHandle;
use crate::session::{Command, Update};
use crate::store::StoreError;

/// Wakes a conversation's task.
pub(super) type Wake = Arc<Notify>;

/// After so long with nothing to do a conversation's task ends; what comes next begins another.
const IDLE: Duration = Duration::from_secs(120);
/// Where as many wait for a person as may: people answer in minutes.
const LINE_FULL: Duration = Duration::from_secs(60);
/// After a failure of our own.
const AGAIN: Duration = Duration::from_secs(2);
/// A preview that takes longer is left.
const SHOWN_WITHIN: Duration = Duration::from_millis(400);
/// Longest text that a session takes, in characters; what is longer is cut, with a mark.
const MAX_TEXT: usize = 4_000;

/// Runs until there is nothing to do for a while.
pub(super) async fn run(channels: Channels, account: Arc<Account>, chat: String, wake: Wake) {
    let mut task = Task { channels, account, chat, row: Chat::default(), follow: None, shown: Shown::default() };
    loop {
        match task.serve(&wake).await {
            Ok(()) => {
                if task.channels.0.tasks.is_draining() || task.channels.retire(&task.account, &task.chat, &wake) {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(account = task.account.id(), %error, "a conversation of a channel is tried again");
                task.follow = None;
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = task.channels.0.tasks.draining() => return,
                }
            }
        }
    }
}

struct Task {
    channels: Channels,
    account: Arc<Account>,
    chat: String,
    row: Chat,
    follow: Option<mpsc::Receiver<Arc<Update>>>,
    shown: Shown,
}

/// The running answer, as far as the visitor sees it.
#[derive(Default)]
struct Shown {
    turn: u64,
    text: String,
    /// The visitor was shown that much of it, in bytes.
    upto: usize,
    at: Option<Instant>,
}

/// A failure that passes.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Session(#[from] JoinError),
}

impl Task {
    /// Works until nothing is left to do and nothing came for [`IDLE`].
    async fn serve(&mut self, wake: &Notify) -> Result<(), Trouble> {
        let inner = self.channels.0.clone();
        let id = self.account.id();
        self.row = inner.ledger.chat(&id, &self.chat).await?;
        self.watch().await?;
        let mut until_idle = Instant::now() + IDLE;
        // When the first part may be sent, when what the visitor said is taken to be all of it.
        let (mut send_at, mut read_at) = (Instant::now(), None);
        loop {
            if let Some(turn) = inner.ledger.turn(&id, &self.chat).await?
                && let Some(wait) = self.say(&turn).await?
            {
                tokio::time::sleep(wait).await;
                continue;
            }
            let waiting = inner.ledger.waiting(&id, &self.chat).await?;
            let urgent =
                waiting.iter().any(|(_, event)| !matches!(event.what, What::Said { .. } | What::Edited { .. }));
            if waiting.is_empty() {
                read_at = None;
            } else if urgent || read_at.is_some_and(|at| at <= Instant::now()) {
                read_at = None;
                self.take(waiting).await?;
                continue;
            } else if read_at.is_none() {
                read_at = Some(Instant::now() + Duration::from_millis(self.account.config.pause_ms));
            }
            let unsent = inner.ledger.first(&id, &self.chat).await?;
            if let Some((key, part, _)) = unsent.as_ref().filter(|_| send_at <= Instant::now()) {
                send_at = Instant::now() + self.send(key, part.clone()).await?;
                until_idle = Instant::now() + IDLE;
                continue;
            }
            let show_at = self.show_at();
            let sleep = [unsent.is_some().then_some(send_at), read_at, show_at, Some(until_idle)];
            let sleep = sleep.into_iter().flatten().min().unwrap_or(until_idle);
            let update: OptionFuture<_> = self.follow.as_mut().map(mpsc::Receiver::recv).into();
            tokio::select! {
                () = inner.tasks.draining() => return Ok(()),
                () = wake.notified() => {
                    // Something more was said: the visitor isn't done yet.
                    read_at = read_at.map(|_| Instant::now() + Duration::from_millis(self.account.config.pause_ms));
                    if self.follow.is_none() {
                        self.watch().await?;
                    }
                    until_idle = Instant::now() + IDLE;
                }
                Some(update) = update => {
                    match update {
                        Some(update) => self.update(&update).await?,
                        None => self.follow = None,
                    }
                    until_idle = Instant::now() + IDLE;
                }
                () = tokio::time::sleep_until(sleep) => {
                    if show_at.is_some_and(|at| at <= Instant::now()) {
                        self.show().await;
                    } else if until_idle <= Instant::now() && unsent.is_none() {
                        return Ok(());
                    } else if until_idle <= Instant::now() {
                        until_idle = Instant::now() + IDLE;
                    }
                }
            }
        }
    }

    fn handle(&self) -> SessionHandle {
        let key = SessionKey { site: self.account.site.clone(), id: self.row.session.clone() };
        let channel = self.account.config.platform.name().into();
        self.channels.0.registry.handle(key, Opener { visitor: self.row.visitor.clone(), channel })
    }

    /// Follows the session from where the conversation stands.
    async fn watch(&mut self) -> Result<(), Trouble> {
        if self.row.session.is_empty() {
            return Ok(());
        }
        let joined = self.handle().join_whole(self.row.cursor, None).await?;
        for past in joined.missed {
            self.past(past).await?;
        }
        if let Some((turn, _, text)) = joined.running {
            self.shown = Shown { turn, text, ..Shown::default() };
        }
        self.follow = Some(joined.updates);
        Ok(())
    }

    /// Reads what waited: messages become one turn, an edit changes what wasn't read yet, a deletion takes it back.
    async fn take(&mut self, waiting: Vec<(Vec<u8>, Incoming)>) -> Result<(), Trouble> {
        let keys: Vec<Vec<u8>> = waiting.iter().map(|(key, _)| key.clone()).collect();
        let stored = self.channels.0.ledger.chat(&self.account.id(), &self.chat).await?;
        if stored.session != self.row.session {
            // The session was erased meanwhile.
            (self.row, self.follow, self.shown) = (stored, None, Shown::default());
        }
        let mut said: Vec<(String, String)> = Vec::new();
        let (mut first, mut cancel) = (None, false);
        for (_, event) in waiting {
            match event.what {
                What::Said { message, text, attachments } => {
                    first.get_or_insert((event.key, event.user));
                    said.push((message, words(&text, &attachments)));
                }
                // What was read already is said anew, as people do who correct themselves.
                What::Edited { message, text } => match said.iter_mut().find(|(id, _)| *id == message) {
                    Some((_, known)) => *known = text,
                    None => {
                        first.get_or_insert((event.key, event.user));
                        cancel = true;
                        said.push((message, text));
                    }
                },
                What::Deleted { message } => {
                    let before = said.len();
                    said.retain(|(id, _)| *id != message);
                    cancel |= said.len() == before;
                }
                What::Stopped => cancel = true,
                What::Left => {
                    self.row.left = true;
                    cancel = true;
                }
                What::Returned => self.row.left = false,
            }
        }
        if cancel {
            self.cancel().await;
        }
        said.retain(|(_, text)| !text.trim().is_empty());
        let turn = first.filter(|_| !said.is_empty()).map(|(id, user)| {
            if self.row.session.is_empty() {
                self.begin(&user);
            }
            let text = said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
            let text = match text.char_indices().nth(MAX_TEXT) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            };
            Turn { id, text, messages: said.into_iter().map(|(message, _)| message).collect() }
        });
        self.channels.0.ledger.taken(&self.account, &self.chat, &self.row, turn.as_ref(), &keys).await?;
        if self.follow.is_none() && turn.is_some() {
            self.watch().await?;
        }
        Ok(())
    }

    /// A new session for this conversation.
    fn begin(&mut self, user: &str) {
        let visitor = format!("{}:{user}", self.account.config.name());
        let visitor = if visitor.len() <= 128 { visitor } else { crate::secret::key_hash(&visitor) };
        self.row = Chat { session: random_id(), visitor, cursor: 0, left: self.row.left };
        self.follow = None;
    }

    /// Says a turn; a time to wait where it isn't taken yet.
    async fn say(&mut self, turn: &Turn) -> Result<Option<Duration>, Trouble> {
        let inner = &self.channels.0;
        let command = Command::Say { id: turn.id.clone(), text: turn.text.clone() };
        match self.handle().command(command).await {
            Ok(_) => {}
            Err(JoinError::Command(CommandError::Refused(refusal))) => match refusal {
                Refusal::Ended | Refusal::Full { .. } => {
                    let visitor = std::mem::take(&mut self.row.visitor);
                    self.row = Chat { session: random_id(), visitor, cursor: 0, left: self.row.left };
                    self.follow = None;
                    inner.ledger.taken(&self.account, &self.chat, &self.row, None, &[]).await?;
                    self.watch().await?;
                    return Ok(Some(Duration::ZERO));
                }
                Refusal::RateLimited { retry_after_ms, .. } => {
                    return Ok(Some(Duration::from_millis(retry_after_ms.max(50))));
                }
                Refusal::LineFull { .. } => return Ok(Some(LINE_FULL)),
                refusal => tracing::warn!(account = self.account.id(), %refusal, "a message was refused"),
            },
            Err(JoinError::Command(CommandError::Overloaded { retry_after_ms })) => {
                return Ok(Some(Duration::from_millis(retry_after_ms.max(50))));
            }
            Err(error) => return Err(error.into()),
        }
        inner.ledger.said(&self.account.id(), &self.chat, &self.row).await?;
        Ok(None)
    }

    /// Stops the running answer, if there is one.
    async fn cancel(&self) {
        if self.row.session.is_empty() || self.shown.turn == 0 {
            return;
        }
        // It may have ended by itself.
        let _ = self.handle().command(Command::Cancel { turn: self.shown.turn }).await;
    }

    async fn update(&mut self, update: &Update) -> Result<(), Trouble> {
        match update {
            Update::Event { seq, at_ms, event } => {
                self.past(Past { seq: *seq, at_ms: *at_ms, event: event.clone() }).await?;
            }
            Update::Delta { turn, text, .. } => {
                if self.shown.turn != *turn {
                    self.shown = Shown { turn: *turn, ..Shown::default() };
                }
                self.shown.text.push_str(text);
            }
            Update::Lost => self.follow = None,
            _ => {}
        }
        Ok(())
    }

    /// An event that is on disk: what the visitor is to read of it goes into the outbox, once.
    async fn past(&mut self, past: Past) -> Result<(), Trouble> {
        if past.seq <= self.row.cursor {
            return Ok(());
        }
        let texts = match past.event {
            Event::AnswerStarted { turn } => {
                self.shown = Shown { turn, ..Shown::default() };
                None
            }
            Event::AnswerDone { text, citations, end, .. } => {
                self.shown = Shown::default();
                // After a takeover a person speaks, and half an answer before it is only in the way.
                (end != AnswerEnd::TakenOver && !text.trim().is_empty()).then_some((text, citations))
            }
            Event::AgentSaid { text, .. } => Some((text, Vec::new())),
            _ => None,
        };
        self.row.cursor = past.seq;
        let parts = match texts {
            Some((text, citations)) if !self.row.left => self.parts(past.seq, &text, &citations),
            _ => Vec::new(),
        };
        self.channels.0.ledger.queue(&self.account.id(), &self.chat, &self.row, &parts).await?;
        Ok(())
    }

    fn parts(&self, seq: u64, text: &str, citations: &[Citation]) -> Vec<Part> {
        let mut rich = Rich::of_markdown(text);
        let mut named = std::collections::HashSet::new();
        for citation in citations.iter().filter(|citation| !citation.related) {
            if let Some(url) = citation.url.as_deref().filter(|_| named.insert(citation.document.as_str())) {
                rich.push_line(&citation.title, Some(url));
            }
        }
        let capability = self.account.config.platform.capability();
        let parts = rich.split(capability.unit, capability.limit);
        let number = |i: usize| format!("{}-{seq}-{i}", self.row.session);
        let whole = parts.len() == 1;
        let parts = parts.into_iter().enumerate().map(|(i, part)| {
            let markdown = if whole { text.to_owned() } else { part.plain() };
            Part::new(number(i), part, markdown)
        });
        parts.collect()
    }

    /// Tries a part once; how long to wait before the next request.
    async fn send(&mut self, key: &[u8], mut part: Part) -> Result<Duration, Trouble> {
        let inner = &self.channels.0;
        let (platform, id) = (self.account.config.platform, self.account.id());
        let now_ms = inner.clock.now_ms();
        if self.row.left {
            inner.ledger.done(key).await?;
            return Ok(Duration::ZERO);
        }
        match inner.delivery.rest_ms(&id, now_ms) {
            Some(0) => {}
            Some(wait) => return Ok(Duration::from_millis(wait)),
            // Until an operator restarts with other credentials.
            None => return Ok(Duration::from_secs(60)),
        }
        if part.begun && part.tries == 0 {
            tracing::warn!(
                account = id,
                part = part.id,
                "a message may be sent a second time: the first try's end isn't known"
            );
            inner.metrics.channel_message(platform.name(), "unsure");
        }
        part.begun = true;
        inner.ledger.set(key, &part).await?;
        let mut outcome = self.attempt(&part, false, now_ms).await;
        if let Outcome::Plain { why } = &outcome {
            tracing::warn!(account = id, why, "formatting was refused; the message is sent as plain text");
            outcome = self.attempt(&part, true, now_ms).await;
        }
        let spacing = Duration::from_millis(platform.capability().spacing_ms);
        match outcome {
            Outcome::Sent(_) => {
                inner.metrics.channel_message(platform.name(), "sent");
                inner.ledger.done(key).await?;
                Ok(spacing)
            }
            Outcome::Later { after_ms, why } if part.tries < MAX_TRIES => {
                tracing::debug!(account = id, why, tries = part.tries, "a message is tried again later");
                part.tries += 1;
                inner.ledger.set(key, &part).await?;
                Ok(Duration::from_millis(pause_ms(part.tries - 1, after_ms, rand::rng().random())))
            }
            Outcome::Unauthorized { why } => {
                tracing::error!(
                    account = id,
                    why,
                    "the platform refuses the account; nothing is sent until its token is mended"
                );
                Ok(spacing)
            }
            Outcome::Closed { why } => {
                tracing::info!(account = id, why, "a conversation can't be written to any more");
                self.row.left = true;
                inner.ledger.queue(&id, &self.chat, &self.row, &[]).await?;
                inner.ledger.done(key).await?;
                Ok(Duration::ZERO)
            }
            Outcome::Later { why, .. } | Outcome::Refused { why } | Outcome::Plain { why } => {
                tracing::warn!(account = id, part = part.id, why, "a message was not taken and is given up");
                inner.metrics.channel_message(platform.name(), "given_up");
                inner.ledger.done(key).await?;
                Ok(spacing)
            }
        }
    }

    async fn attempt(&self, part: &Part, plain: bool, now_ms: u64) -> Outcome {
        let sending = Sending {
            chat: &self.chat,
            part: &part.rich,
            markdown: &part.markdown,
            id: &part.id,
            plain,
            now_s: now_ms / 1000,
        };
        match self.account.config.platform.send(&self.account, &sending) {
            Some(call) => self.channels.0.delivery.send(&self.account, &call, now_ms).await,
            None => Outcome::Unauthorized {
                why: "the account's first secret can't sign: whsec_ and Base64 are needed".into(),
            },
        }
    }

    /// When the visitor is to see more of the running answer.
    fn show_at(&self) -> Option<Instant> {
        if self.shown.turn == 0 || self.row.left {
            return None;
        }
        let (every_ms, typing_every_ms) = match self.account.config.platform.capability().waiting {
            Waiting::Nothing => return None,
            Waiting::Typing { every_ms } => (every_ms, every_ms),
            Waiting::Draft { every_ms, typing_every_ms } => (every_ms, typing_every_ms),
        };
        let more = self.shown.text.len() > self.shown.upto;
        let pause = Duration::from_millis(if more { every_ms } else { typing_every_ms });
        Some(self.shown.at.map_or_else(Instant::now, |at| at + pause))
    }

    /// Shows the answer so far. What fails here is nothing that the final message doesn't bring.
    async fn show(&mut self) {
        let platform = self.account.config.platform;
        let text = Rich { text: self.shown.text.trim_end().to_owned(), spans: Vec::new() };
        let text = text.split(platform.capability().unit, platform.capability().limit).pop().unwrap_or_default().text;
        self.shown.at = Some(Instant::now());
        self.shown.upto = self.shown.text.len();
        let inner = &self.channels.0;
        let now_ms = inner.clock.now_ms();
        if inner.delivery.rest_ms(&self.account.id(), now_ms) != Some(0) {
            return;
        }
        if let Some(call) = platform.show(&self.account, &self.chat, self.shown.turn, &text) {
            // A platform that hangs must not keep the visitor's Stop waiting.
            let sent = tokio::time::timeout(SHOWN_WITHIN, inner.delivery.send(&self.account, &call, now_ms));
            if let Ok(Outcome::Later { after_ms: Some(wait), .. }) = sent.await {
                self.shown.at = Some(Instant::now() + Duration::from_millis(wait));
            }
        }
    }
}

/// A message as it stands in the session: files are named, and not looked at.
fn words(text: &str, attachments: &[Attachment]) -> String {
    let marks = attachments.iter().map(Attachment::mark);
    let text = (!text.trim().is_empty()).then(|| text.trim().to_owned());
    text.into_iter().chain(marks).collect::<Vec<_>>().join("\n")
}
