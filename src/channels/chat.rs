//! The task around one conversation of a platform: reads what came in, follows the session, sends
//! what the visitor is to read. The store is its memory; the task may end at any moment and another
//! goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::cards::ProductCard;
use super::choices::Choice;
use super::deadline::{Due, Waiting};
use super::event::{Attachment, Incoming, What};
use super::ledger::{Asked, Chat, Message, Piece, Placed, ToldAt, Turn, cut};
use super::{Account, Channels, discord};
use crate::conversation::{AnswerEnd, Citation, DELETED, Event, SessionKey};
use crate::grounding::smalltalk::OPENED;
use crate::language::detect::marked;
use crate::language::language_of;
use crate::protocol::ServerMessage;
use crate::secret::random_id;
use crate::session::mailbox::{CommandError, JoinError, Opener, Past};
use crate::session::refusal::Refusal;
use crate::session::registry::SessionHandle;
use crate::session::{Command, Update};
use crate::store::StoreError;

mod out;

/// Wakes a conversation's task.
pub(super) type Wake = Arc<Notify>;

/// After so long with nothing to do a conversation's task ends; what comes next begins another.
const IDLE: Duration = Duration::from_secs(120);
/// Where a conversation finds no place in the line for a person: people answer in minutes.
const NO_PLACE: Duration = Duration::from_secs(60);
/// Longest question that is kept message by message, in bytes; a value of the store holds 64 KiB,
/// with what stands around it.
const MAX_ASKED: usize = 10 * 1024;
/// Documents that can be asked about by a button.
const MAX_RELATED: usize = 3;
/// How long an answer waits for its product cards; later ones are messages of their own.
const CARDS_WITHIN: Duration = Duration::from_millis(1_500);
/// After a failure of our own.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs until there is nothing to do for a while.
pub(super) async fn run(channels: Channels, account: Arc<Account>, chat: String, wake: Wake) {
    let mut task = Task {
        channels,
        account,
        chat,
        row: Chat::default(),
        follow: None,
        shown: Shown::default(),
        choosing: None,
        stopped: 0,
    };
    loop {
        match task.serve(&wake).await {
            Ok(()) => {
                if task.channels.0.tasks.is_draining()
                    || task.channels.retire(&task.account, &task.chat, &wake)
                {
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

/// Product cards, once they are chosen.
type Choosing = oneshot::Receiver<Option<ServerMessage>>;

struct Task {
    channels: Channels,
    account: Arc<Account>,
    chat: String,
    row: Chat,
    follow: Option<mpsc::Receiver<Arc<Update>>>,
    shown: Shown,
    /// The product cards of an answer that is sent already, with the `seq` of its end.
    choosing: Option<(u64, Choosing)>,
    /// The turn of which nothing more is wanted there: the visitor stopped it where the platform
    /// ends it itself, or took its question back.
    stopped: u64,
}

/// The running answer, as far as the visitor sees it.
#[derive(Default)]
struct Shown {
    turn: u64,
    since: Option<Instant>,
    text: String,
    /// The visitor was shown that much of it, in bytes.
    upto: usize,
    at: Option<Instant>,
    /// The platform shows no more of it.
    muted: bool,
}

impl Shown {
    fn of(turn: u64, text: String) -> Self {
        Self { turn, since: Some(Instant::now()), text, ..Self::default() }
    }
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
        // When the session may be asked to take a turn, when the first part may be sent, when what
        // the visitor said is taken to be all of it.
        let (mut say_at, mut send_at, mut read_at) = (Instant::now(), Instant::now(), None);
        loop {
            let unsaid = inner.ledger.turn(&id, &self.chat).await?;
            if let Some(turn) = unsaid.as_ref().filter(|_| say_at <= Instant::now()) {
                // Pauses are told with the answer, and count from there.
                let pause = self.say(turn).await?.unwrap_or_default();
                say_at = Instant::now() + pause;
                until_idle = Instant::now() + IDLE;
                continue;
            }
            let mut waiting = inner.ledger.waiting(&id, &self.chat).await?;
            if unsaid.is_some() {
                // One turn is said before another is made; what comes before the next message
                // counts at once.
                let next = waiting.iter().position(|(_, event)| event.what.is_message());
                waiting.truncate(next.unwrap_or(waiting.len()));
            }
            let urgent = waiting.iter().any(|(_, event)| event.what.is_urgent());
            if waiting.is_empty() {
                read_at = None;
            } else if urgent || read_at.is_some_and(|at| at <= Instant::now()) {
                read_at = None;
                self.take(waiting).await?;
                continue;
            } else if read_at.is_none() {
                read_at =
                    Some(Instant::now() + Duration::from_millis(self.account.config.pause_ms));
            }
            let unsent = inner.ledger.first(&id, &self.chat).await?;
            if let Some((key, part, _)) = unsent.as_ref().filter(|_| send_at <= Instant::now()) {
                let pause = self.send(key, part.clone()).await?;
                send_at = Instant::now() + pause;
                until_idle = Instant::now() + IDLE;
                continue;
            }
            let show_at = self.show_at();
            if show_at.is_some_and(|at| at <= Instant::now()) {
                // A preview shows what is known already, too; an answer that has ended needs none.
                let previews = matches!(
                    self.account.config.platform.capability().waiting,
                    Waiting::Edits { .. }
                );
                match self
                    .follow
                    .as_mut()
                    .filter(|_| previews)
                    .and_then(|follow| follow.try_recv().ok())
                {
                    Some(update) => self.update(&update).await?,
                    None => self.show().await?,
                }
                continue;
            }
            let say = unsaid.is_some().then_some(say_at);
            let sleep =
                [say, unsent.is_some().then_some(send_at), read_at, show_at, Some(until_idle)];
            let sleep = sleep.into_iter().flatten().min().unwrap_or(until_idle);
            let update: OptionFuture<_> = self.follow.as_mut().map(mpsc::Receiver::recv).into();
            let cards: OptionFuture<_> = self.choosing.as_mut().map(|(_, cards)| cards).into();
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
                Some(cards) = cards => {
                    if let (Some((seq, _)), Ok(cards)) = (self.choosing.take(), cards) {
                        let parts = self.cards_later(seq, &products(cards));
                        inner.ledger.queue(&id, &self.chat, &self.row, &parts).await?;
                    }
                }
                () = tokio::time::sleep_until(sleep) => {
                    if until_idle <= Instant::now() && unsent.is_none() && unsaid.is_none() {
                        return Ok(());
                    } else if until_idle <= Instant::now() {
                        until_idle = Instant::now() + IDLE;
                    }
                }
            }
        }
    }

    fn handle(&self) -> SessionHandle {
        let id = self.row.session.clone();
        self.handle_of(SessionKey { site: self.account.site.clone(), id })
    }

    fn handle_of(&self, key: SessionKey) -> SessionHandle {
        let channel = self.account.config.platform.name().into();
        let inner = &self.channels.0;
        let site = inner.languages.get(&self.account.site).map_or("en", String::as_str);
        let language = self.row.language.as_deref().and_then(|tag| marked(tag, site));
        let visitor = self.row.visitor.clone();
        inner.registry.handle(key, Opener { visitor, channel, language })
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
            self.shown = Shown::of(turn, text);
        }
        self.follow = Some(joined.updates);
        Ok(())
    }

    /// Reads what waited: messages become one turn. An edit or a deletion changes what was asked as
    /// long as its answer isn't whole; what is left of the question is asked anew.
    async fn take(&mut self, mut waiting: Vec<(Vec<u8>, Incoming)>) -> Result<(), Trouble> {
        let keys: Vec<Vec<u8>> = waiting.iter().map(|(key, _)| key.clone()).collect();
        let stored = self.channels.0.ledger.chat(&self.account.id(), &self.chat).await?;
        if stored.session != self.row.session {
            // The session was erased meanwhile.
            (self.row, self.follow, self.shown) = (stored, None, Shown::default());
        }
        // Platforms deliver in any order, and most tell when something happened.
        if waiting.iter().all(|(_, event)| event.at_ms > 0) {
            waiting.sort_by_key(|(_, event)| event.at_ms);
        }
        // A deletion may overtake its message.
        waiting.sort_by_key(|(_, event)| matches!(event.what, What::Deleted { .. }));
        let due = self.account.config.platform.capability().due;
        let mut said: Vec<Message> = Vec::new();
        let (mut first, mut cancel) = (None, false);
        let mut gone: Vec<String> = Vec::new();
        let mut moved = None;
        for (_, event) in waiting {
            if let Some(right) = due.right(event.right, event.stored_ms) {
                // The response to the request stands there already.
                if matches!(due, Due::Deferred { .. }) {
                    self.row.placed = discord::token(&right.token).map(|_| Placed::default());
                }
                self.row.right = Some(right);
            }
            self.row.language = event.language.or(self.row.language.take());
            match event.what {
                // Who holds the conversation on the platform answers.
                What::Said { .. } | What::Edited { .. } if self.row.held => {
                    let platform = self.account.config.platform.name();
                    self.channels
                        .0
                        .metrics
                        .channel_skipped(platform, "another responder holds the conversation");
                }
                // An older word came late.
                What::Held | What::Released
                    if event.at_ms > 0 && event.at_ms < self.row.held_ms => {}
                What::Held => {
                    (self.row.held, self.row.held_ms, cancel) = (true, event.at_ms, true);
                    self.channels.0.ledger.hush(&self.account.id(), &self.chat).await?;
                }
                What::Released => (self.row.held, self.row.held_ms) = (false, event.at_ms),
                What::Said { message, text, attachments } => {
                    // Who writes can be written to again, whatever failed before.
                    self.row.left = self.row.opted_out;
                    first.get_or_insert((event.key, event.user));
                    said.push((message, words(&text, &attachments)));
                }
                // What was read already is said anew, as people do who correct themselves.
                What::Edited { message, text } => {
                    match said.iter_mut().find(|(id, _)| *id == message) {
                        Some((_, known)) => *known = text,
                        None => {
                            self.row.left = self.row.opted_out;
                            first.get_or_insert((event.key, event.user));
                            cancel = true;
                            match self.take_back(&message).await? {
                                Some(whole) => {
                                    let changed = whole.into_iter().map(|(id, known)| {
                                        let words =
                                            if id == message { text.clone() } else { known };
                                        (id, words)
                                    });
                                    drop(said.splice(0..0, changed));
                                }
                                None => said.push((message, text)),
                            }
                        }
                    }
                }
                What::Deleted { message } => {
                    gone.push(message.clone());
                    let before = said.len();
                    said.retain(|(id, _)| *id != message);
                    if said.len() == before
                        && let Some(whole) = self.take_back(&message).await?
                    {
                        cancel = true;
                        first.get_or_insert((event.key, event.user));
                        drop(said.splice(0..0, whole.into_iter().filter(|(id, _)| *id != message)));
                    } else {
                        // It may be of a question that was too long to be kept message by message.
                        cancel |=
                            self.row.asked.as_ref().is_some_and(|asked| asked.messages.is_empty());
                    }
                }
                What::Stopped => cancel = true,
                What::Left => {
                    (self.row.left, self.row.opted_out) =
                        (true, self.account.config.platform.tells_return());
                    cancel = true;
                }
                What::Returned => (self.row.left, self.row.opted_out) = (false, false),
                What::Moved { to } => moved = Some(to),
            }
        }
        if cancel {
            self.cancel().await;
        }
        for message in gone {
            self.erase(&message).await?;
        }
        said.retain(|(_, text)| !text.trim().is_empty());
        if said.iter().any(|(_, text)| text != OPENED) {
            // The chat was opened and something said: that is what wants an answer.
            said.retain(|(_, text)| text != OPENED);
        }
        let turn = first.filter(|_| !said.is_empty()).map(|(id, user)| {
            if self.row.session.is_empty() {
                self.begin(&user);
            }
            let text = said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
            let bytes: usize = said.iter().map(|(id, text)| id.len() + text.len()).sum();
            let pieces = said.iter().map(|(id, text)| (id.clone(), text.len())).collect();
            let messages = if bytes <= MAX_ASKED { said } else { Vec::new() };
            Turn { id, text: cut(text), messages, pieces }
        });
        self.channels
            .0
            .ledger
            .taken(&self.account, &self.chat, &self.row, turn.as_ref(), &keys)
            .await?;
        if let Some(to) = moved {
            return self.rename(&to).await;
        }
        if self.follow.is_none() && turn.is_some() {
            self.watch().await?;
        }
        Ok(())
    }

    /// The conversation goes on under another name, with a task of its own.
    async fn rename(&mut self, to: &str) -> Result<(), Trouble> {
        let inner = self.channels.0.clone();
        inner.ledger.rename(&self.account, &self.chat, to).await?;
        (self.row, self.follow, self.shown) = (Chat::default(), None, Shown::default());
        self.choosing = None;
        self.channels.wake(&self.account, to);
        Ok(())
    }

    /// The messages of the question that this one is of, if its answer isn't whole: from here on it
    /// counts as not asked.
    async fn take_back(&mut self, message: &str) -> Result<Option<Vec<Message>>, Trouble> {
        let (ledger, id) = (&self.channels.0.ledger, self.account.id());
        let has = |messages: &[Message]| messages.iter().any(|(id, _)| id == message);
        if let Some(turn) = ledger.turn(&id, &self.chat).await?.filter(|turn| has(&turn.messages)) {
            ledger.unsay(&id, &self.chat).await?;
            return Ok(Some(turn.messages));
        }
        let Some(asked) = self.row.asked.take_if(|asked| has(&asked.messages)) else {
            return Ok(None);
        };
        self.stopped = asked.turn;
        Ok(Some(asked.messages))
    }

    /// Takes a message's words out of the session, if they are there: what is left of a turn stays,
    /// with a mark in their place.
    async fn erase(&self, message: &str) -> Result<(), Trouble> {
        let (ledger, id) = (&self.channels.0.ledger, self.account.id());
        let Some((key, mut told)) = ledger.told(&id, &self.chat, message).await? else {
            return Ok(());
        };
        let Some(before) = ledger.text_at(&self.account.site, &told).await? else { return Ok(()) };
        let left = without(&before, &mut told.pieces, message);
        let session = SessionKey { site: self.account.site.clone(), id: told.session.clone() };
        let command = Command::TakeBack { seq: told.seq, before, left };
        match self.handle_of(session).command(command).await {
            Ok(_) => {}
            // It was erased as a whole.
            Err(JoinError::Command(CommandError::Refused(refusal))) => {
                tracing::info!(account = id, %refusal, "a deleted message is not in its session");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(ledger.set_told(&key, &told).await?)
    }

    /// A new session for this conversation.
    fn begin(&mut self, user: &str) {
        let visitor = format!("{}:{user}", self.account.config.name());
        let visitor =
            if visitor.len() <= 128 { visitor } else { crate::secret::key_hash(&visitor) };
        self.row =
            Chat { session: random_id(), visitor, cursor: 0, ..std::mem::take(&mut self.row) };
        self.follow = None;
    }

    /// Says a turn; a time to wait where it isn't taken yet.
    async fn say(&mut self, turn: &Turn) -> Result<Option<Duration>, Trouble> {
        let inner = &self.channels.0;
        let command = Command::Say { id: turn.id.clone(), text: turn.text.clone() };
        let mut told = None;
        match self.handle().command(command).await {
            Ok(accepted) => {
                self.row.asked =
                    Some(Asked { turn: accepted.seq, messages: turn.messages.clone() });
                told = Some(ToldAt {
                    session: self.row.session.clone(),
                    seq: accepted.seq,
                    pieces: turn.pieces.clone(),
                });
            }
            Err(JoinError::Command(CommandError::Refused(refusal))) => match refusal {
                Refusal::Ended | Refusal::Full { .. } => {
                    let visitor = std::mem::take(&mut self.row.visitor);
                    self.row = Chat {
                        session: random_id(),
                        visitor,
                        cursor: 0,
                        ..std::mem::take(&mut self.row)
                    };
                    self.follow = None;
                    inner.ledger.taken(&self.account, &self.chat, &self.row, None, &[]).await?;
                    self.watch().await?;
                    return Ok(Some(Duration::ZERO));
                }
                Refusal::RateLimited { retry_after_ms, .. } => {
                    return Ok(Some(Duration::from_millis(retry_after_ms.max(50))));
                }
                // The visitor waits with another conversation, or too many others do: a place
                // becomes free.
                Refusal::LineFull { .. } | Refusal::WaitsElsewhere => return Ok(Some(NO_PLACE)),
                refusal => {
                    tracing::warn!(account = self.account.id(), %refusal, "a message was refused")
                }
            },
            Err(JoinError::Command(CommandError::Overloaded { retry_after_ms })) => {
                return Ok(Some(Duration::from_millis(retry_after_ms.max(50))));
            }
            Err(error) => return Err(error.into()),
        }
        inner.ledger.said(&self.account.id(), &self.chat, &self.row, told.as_ref()).await?;
        Ok(None)
    }

    /// Stops the running answer, if there is one.
    async fn cancel(&self) {
        // A question that was taken back, or just asked, may not have been seen to be answered yet.
        let asked = self.row.asked.as_ref().map_or(0, |asked| asked.turn);
        let turn = self.shown.turn.max(self.stopped).max(asked);
        if self.row.session.is_empty() || turn == 0 {
            return;
        }
        // It may have ended by itself.
        let _ = self.handle().command(Command::Cancel { turn }).await;
    }

    async fn update(&mut self, update: &Update) -> Result<(), Trouble> {
        match update {
            Update::Event { seq, at_ms, event } => {
                self.past(Past { seq: *seq, at_ms: *at_ms, event: event.clone() }).await?;
            }
            Update::Delta { turn, text, .. } => {
                if self.shown.turn != *turn {
                    self.shown = Shown::of(*turn, String::new());
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
                self.shown = Shown::of(turn, String::new());
                None
            }
            Event::AnswerDone { turn, text, citations, end, .. } => {
                self.shown = Shown::default();
                self.row.asked.take_if(|asked| asked.turn == turn);
                // After a takeover a person speaks, and half an answer before it is only in the
                // way.
                let wanted = end != AnswerEnd::TakenOver && self.stopped != turn && !self.row.held;
                let choices = self.choices(&text, &citations, end);
                let cards = match end {
                    AnswerEnd::Complete if wanted && !self.row.left => {
                        self.cards(turn, past.seq).await
                    }
                    _ => Vec::new(),
                };
                let wanted = wanted && !text.trim().is_empty();
                wanted.then_some((text, citations, choices, cards, false))
            }
            Event::AgentSaid { text, .. } => Some((text, Vec::new(), Vec::new(), Vec::new(), true)),
            Event::AgentJoined { .. } => {
                // From here on not a word of the assistant's, also of what waits to be sent.
                self.choosing = None;
                self.channels.0.ledger.hush(&self.account.id(), &self.chat).await?;
                None
            }
            _ => None,
        };
        self.row.cursor = past.seq;
        let parts = match texts {
            Some(_) if self.row.left => {
                self.unsent();
                Vec::new()
            }
            Some((text, citations, choices, cards, by_agent)) => {
                self.parts(past.seq, &text, &citations, &choices, &cards, by_agent)
            }
            None => Vec::new(),
        };
        self.channels.0.ledger.queue(&self.account.id(), &self.chat, &self.row, &parts).await?;
        Ok(())
    }
}

impl Task {
    /// Products for an answer whose end is event `seq`: those that the widget would show. Where
    /// they aren't chosen soon, they follow it.
    async fn cards(&mut self, turn: u64, seq: u64) -> Vec<ProductCard> {
        let key = SessionKey { site: self.account.site.clone(), id: self.row.session.clone() };
        self.choosing = None;
        let inner = &self.channels.0;
        let Some(choosing) = inner.insight.cards(&key, turn, seq) else { return Vec::new() };
        let (tell, mut told) = oneshot::channel();
        inner.tasks.spawn("product cards of a channel", async move {
            // The conversation's task may have ended meanwhile.
            drop(tell.send(choosing.await));
        });
        match tokio::time::timeout(CARDS_WITHIN, &mut told).await {
            Ok(chosen) => products(chosen.unwrap_or_default()),
            Err(_) => {
                self.choosing = Some((seq, told));
                Vec::new()
            }
        }
    }

    /// What can be pressed under an answer: documents that came close to the question, and a person
    /// where there is no answer.
    fn choices(&self, text: &str, citations: &[Citation], end: AnswerEnd) -> Vec<Choice> {
        let titles = citations.iter().filter(|citation| citation.related);
        let titles = titles.map(|citation| citation.title.trim()).filter(|title| !title.is_empty());
        let mut choices: Vec<Choice> =
            titles.map(|title| Choice { text: title.to_owned(), said: false }).collect();
        // Platforms refuse a message with two buttons of one name.
        let mut known = std::collections::HashSet::new();
        choices.retain(|choice| known.insert(choice.text.clone()));
        choices.truncate(MAX_RELATED);
        if matches!(end, AnswerEnd::Declined | AnswerEnd::Failed) {
            let site =
                self.channels.0.languages.get(&self.account.site).map_or("en", String::as_str);
            let language = language_of(text).unwrap_or(site);
            let call = self.channels.0.prompts.call(language);
            let call = call.inspect_err(|error| tracing::warn!(%error, "no button for a person"));
            choices.extend(call.ok().map(|text| Choice { text, said: true }));
        }
        choices
    }
}

/// The products of what was chosen.
fn products(chosen: Option<ServerMessage>) -> Vec<ProductCard> {
    let Some(ServerMessage::Recommendation { products, .. }) = chosen else { return Vec::new() };
    products.iter().map(ProductCard::of).collect()
}

/// A message as it stands in the session: files are named, and not looked at.
fn words(text: &str, attachments: &[Attachment]) -> String {
    let marks = attachments.iter().map(Attachment::mark);
    let text = (!text.trim().is_empty()).then(|| text.trim().to_owned());
    text.into_iter().chain(marks).collect::<Vec<_>>().join("\n")
}

/// A turn's text without one of its messages, with a mark where that stood; `None` where nothing is
/// left. What the pieces don't tell apart any more goes as a whole.
fn without(text: &str, pieces: &mut [Piece], message: &str) -> Option<String> {
    let (mut left, mut at, mut words) = (String::new(), 0, false);
    for (id, length) in &mut *pieces {
        let piece = text.get(at.min(text.len())..(at + *length).min(text.len()))?;
        at += *length + 1;
        let piece = if id == message { DELETED } else { piece };
        words |= piece != DELETED && !piece.is_empty();
        *length = piece.len();
        if !left.is_empty() {
            left.push('\n');
        }
        left.push_str(piece);
    }
    words.then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_out_of_its_turn_and_the_others_stay() {
        let mut pieces: Vec<Piece> = vec![("a".into(), 5), ("b".into(), 7), ("c".into(), 2)];
        let text = "Hello\nGrüße\nhi";
        assert_eq!(without(text, &mut pieces.clone(), "x").as_deref(), Some(text));
        let text = without(text, &mut pieces, "b").unwrap();
        assert_eq!(text, "Hello\n[deleted]\nhi");
        let text = without(&text, &mut pieces, "c").unwrap();
        assert_eq!(text, "Hello\n[deleted]\n[deleted]");
        assert_eq!(without(&text, &mut pieces, "a"), None);
        // A long turn was cut, here within a character.
        let mut pieces: Vec<Piece> = vec![("a".into(), 5), ("b".into(), 3)];
        assert_eq!(without("Hello\nGrüße", &mut pieces, "a"), None);
    }
}
