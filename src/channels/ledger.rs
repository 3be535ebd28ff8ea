//! What the store keeps of channels: which events were seen, which wait to be read, where a
//! conversation stands, and what is still to be sent. Every step from one to the next is one batch,
//! so that a crash leaves either what was before it or what comes after.

use serde::{Deserialize, Serialize};

use super::Account;
use super::cards::ProductCard;
use super::choices::Choice;
use super::deadline::Right;
use super::event::{Attachment, Incoming, What};
use super::text::Rich;
use crate::clock::Clock;
use crate::conversation::{Event, SessionKey};
use crate::store::{Store, StoreError};

const SPACE: &str = "channels";
/// Longest key, conversation or person that a platform may name, in bytes: keys of the store have 1
/// KiB.
const MAX_NAME: usize = 320;
/// What is wrong with [`Kept::Unnameable`], for who sent it.
pub(super) const UNNAMEABLE: &str = "the names of conversation, user, message and event must have 1 to 320 bytes, none of them zero";
/// Longest text that a session takes, in characters; what is longer is cut, with a mark.
pub(super) const MAX_TEXT: usize = 4_000;
/// Most files of one message that are named, and the longest name, in characters.
const MAX_FILES: usize = 10;
const MAX_FILE_NAME: usize = 200;
/// Longest token or address that an event brings along to be answered with, in bytes.
const MAX_RIGHT: usize = 4_096;
/// Longest language tag (BCP 47), in bytes.
const MAX_TAG: usize = 64;
/// Platforms send an event again for up to seven days (Meta); longer than that nothing need be
/// remembered.
const REMEMBERED_MS: u64 = 8 * DAY_MS;
/// A mailbox that was moved shows its old messages as new ones.
pub(super) const MAIL_REMEMBERED_MS: u64 = 400 * DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;

/// How far a mailbox was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Where the mailbox was: it may have moved.
    pub(super) url: String,
    /// The server's name for the numbering of its messages.
    pub(super) validity: u32,
    /// The number of the first message that wasn't looked at.
    pub(super) next: u32,
    /// When the mailbox was connected, in milliseconds since the Unix epoch: what came before isn't
    /// answered.
    pub(super) since_ms: u64,
}

/// A session at Discord's Gateway, which another connection takes up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GatewaySession {
    pub(super) id: String,
    /// Where it is taken up.
    pub(super) url: String,
    /// The bot's own id.
    pub(super) bot: String,
    /// The number of the last event that was read.
    pub(super) seq: u64,
}

/// Where a conversation of a platform stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chat {
    /// The session that goes on there; empty before the first message.
    pub(super) session: String,
    pub(super) visitor: String,
    /// `seq` of the last event of the session that was looked at.
    pub(super) cursor: u64,
    /// The visitor left: nothing may be sent.
    #[serde(default)]
    pub(super) left: bool,
    /// The visitor left by saying so, where who comes back says that, too: a message alone is no
    /// consent.
    #[serde(default)]
    pub(super) opted_out: bool,
    /// Somebody else answers there, on the platform.
    #[serde(default)]
    pub(super) held: bool,
    /// When that changed last, by the platform's clock in milliseconds; 0 if it doesn't tell.
    #[serde(default)]
    pub(super) held_ms: u64,
    /// What came with the last question.
    #[serde(default)]
    pub(super) right: Option<Right>,
    /// What stands there of the running answer.
    #[serde(default)]
    pub(super) placed: Option<Placed>,
    /// The language of the person's app, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    /// What was asked last, until its answer is whole.
    #[serde(default)]
    pub(super) asked: Option<Asked>,
}

/// A message by the platform's name for it, and its words.
pub(super) type Message = (String, String);

/// A turn whose answer isn't whole yet: an edit or a deletion of one of its messages changes what
/// was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) turn: u64,
    pub(super) messages: Vec<Message>,
}

/// A message that stands on the platform, and that the whole answer replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// The platform's; empty where the token of the question is enough.
    pub(super) id: String,
    /// What it says.
    pub(super) text: String,
    /// How often it was written.
    pub(super) sequence: u64,
}

/// What a visitor said, as it goes into the session: said again after a crash it is the same
/// message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) id: String,
    pub(super) text: String,
    /// What it is made of.
    #[serde(default)]
    pub(super) messages: Vec<Message>,
    /// The same without words: ids of the messages and how long each is in `text`, in bytes. A line
    /// break stands between two.
    #[serde(default)]
    pub(super) pieces: Vec<Piece>,
}

/// A message's id and its length.
pub(super) type Piece = (String, usize);

/// Where a message of a platform stands in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldAt {
    pub(super) session: String,
    pub(super) seq: u64,
    pub(super) pieces: Vec<Piece>,
}

/// What became of an event that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    /// It was stored before.
    Known,
    /// It names what no key of the store can hold.
    Unnameable,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The same for every try.
    pub(super) id: String,
    pub(super) rich: Rich,
    pub(super) markdown: String,
    /// A try has begun whose end isn't known, and the platform can't tell a second one from another
    /// message: the next may send it twice.
    #[serde(default)]
    pub(super) begun: bool,
    #[serde(default)]
    pub(super) tries: u32,
    /// A person wrote it.
    #[serde(default)]
    pub(super) by_agent: bool,
    /// What can be pressed under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) choices: Vec<Choice>,
    /// What it shows in place of its text, where the platform takes that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) cards: Vec<ProductCard>,
}

impl Part {
    pub(super) fn new(id: String, rich: Rich, markdown: String, by_agent: bool) -> Self {
        Self {
            id,
            rich,
            markdown,
            begun: false,
            tries: 0,
            by_agent,
            choices: Vec::new(),
            cards: Vec::new(),
        }
    }
}

/// A text that fits a session. A platform may send more than a value of the store holds.
pub(super) fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// An event as it is stored: nothing of it can be so long that the store refuses it.
fn bounded(event: Incoming) -> Incoming {
    let shortened = |text: String, most: usize| match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    };
    let what = match event.what {
        What::Said { message, text, attachments } => {
            let attachments = attachments.into_iter().take(MAX_FILES).map(|file| Attachment {
                kind: shortened(file.kind, MAX_FILE_NAME),
                name: file.name.map(|name| shortened(name, MAX_FILE_NAME)),
                bytes: file.bytes,
            });
            What::Said {
                message,
                text: cut(text.trim().to_owned()),
                attachments: attachments.collect(),
            }
        }
        What::Edited { message, text } => {
            What::Edited { message, text: cut(text.trim().to_owned()) }
        }
        what => what,
    };
    let right = event.right.filter(|right| right.len() <= MAX_RIGHT);
    let language = event.language.filter(|tag| tag.len() <= MAX_TAG);
    Incoming { what, right, language, ..event }
}

type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn key(kind: &str, parts: &[&str]) -> Vec<u8> {
    let mut key = kind.as_bytes().to_vec();
    for part in parts {
        key.push(0);
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// With a number behind it, so that keys sort in its order.
fn numbered(kind: &str, parts: &[&str], number: u64) -> Vec<u8> {
    let mut key = key(kind, parts);
    key.push(0);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn read<T: for<'a> Deserialize<'a>>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value)
        .inspect_err(|error| tracing::warn!(%error, "a record of a channel can't be read"))
        .ok()
}

#[derive(Clone)]
pub(super) struct Ledger {
    store: Store,
    clock: Clock,
    /// The last number given to an event or a part: they rise, also over restarts.
    last: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Ledger {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, last: std::sync::Arc::default() }
    }

    /// A number above all earlier ones, as long as the clock doesn't go back over a restart.
    fn next(&self) -> u64 {
        use std::sync::atomic::Ordering;
        let now = self.clock.now_ms().saturating_mul(1_024);
        let before = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        now.max(before.unwrap_or_default() + 1)
    }

    /// Stores an event to be read, once, with its text cut to what a session takes.
    pub(super) async fn keep(&self, account: &str, event: &Incoming) -> Result<Kept, StoreError> {
        let names = [&event.key, &event.chat, &event.user];
        let message = match &event.what {
            What::Said { message, .. }
            | What::Edited { message, .. }
            | What::Deleted { message } => message.as_str(),
            _ => "",
        };
        if names.iter().any(|name| name.is_empty() || name.len() > MAX_NAME || name.contains('\0'))
            || message.len() > MAX_NAME
        {
            return Ok(Kept::Unnameable);
        }
        let seen = key("seen", &[account, &event.key]);
        if self.store.get(SPACE, &seen).await?.is_some() {
            return Ok(Kept::Known);
        }
        let stored_ms = self.clock.now_ms();
        let waiting = numbered("in", &[account, &event.chat], self.next());
        let event = bounded(Incoming { stored_ms, ..event.clone() });
        let now = stored_ms.to_be_bytes().to_vec();
        self.store.change(SPACE, vec![(seen, Some(now)), (waiting, Some(bytes(&event)))]).await?;
        Ok(Kept::New)
    }

    /// Whether an event was stored before.
    pub(super) async fn knows(&self, account: &str, event: &str) -> Result<bool, StoreError> {
        Ok(self.store.get(SPACE, &key("seen", &[account, event])).await?.is_some())
    }

    /// How far a folder of an account's mailbox was read; `None` before the first time.
    pub(super) async fn place(
        &self,
        account: &str,
        folder: &str,
    ) -> Result<Option<Place>, StoreError> {
        let value = self.store.get(SPACE, &key("mailbox", &[account, folder])).await?;
        Ok(value.and_then(|value| read(&value)))
    }

    pub(super) async fn set_place(
        &self,
        account: &str,
        folder: &str,
        place: &Place,
    ) -> Result<(), StoreError> {
        self.store.put(SPACE, &key("mailbox", &[account, folder]), &bytes(place)).await
    }

    pub(super) async fn gateway(
        &self,
        account: &str,
    ) -> Result<Option<GatewaySession>, StoreError> {
        let value = self.store.get(SPACE, &key("gateway", &[account])).await?;
        Ok(value.and_then(|value| read(&value)))
    }

    pub(super) async fn set_gateway(
        &self,
        account: &str,
        session: Option<&GatewaySession>,
    ) -> Result<(), StoreError> {
        let value = session.map(bytes);
        self.store.change(SPACE, vec![(key("gateway", &[account]), value)]).await
    }

    /// The conversations in a channel: the channel's own, and those of people in it
    /// (`CHANNEL/PERSON`).
    pub(super) async fn chats_of(
        &self,
        account: &str,
        channel: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut names = std::collections::BTreeSet::new();
        // A conversation may have begun with what still waits.
        for kind in ["chat", "in"] {
            let prefix = numbered_prefix(kind, &[account]);
            let own = [prefix.as_slice(), channel.as_bytes()].concat();
            for (key, _) in self.store.scan(SPACE, &own).await? {
                let rest = key.get(prefix.len()..).unwrap_or_default();
                let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                names.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
        let belongs = |name: &String| {
            let rest = name.strip_prefix(channel).unwrap_or_default();
            rest.is_empty() || rest.starts_with('/')
        };
        Ok(names.into_iter().filter(belongs).collect())
    }

    /// The events of a conversation that wait, oldest first, with their keys.
    pub(super) async fn waiting(
        &self,
        account: &str,
        chat: &str,
    ) -> Result<Vec<(Vec<u8>, Incoming)>, StoreError> {
        let found = self.store.scan(SPACE, &numbered_prefix("in", &[account, chat])).await?;
        let mut waiting = Vec::new();
        for (key, value) in found {
            match read(&value) {
                Some(event) => waiting.push((key, event)),
                None => self.store.remove(SPACE, &key).await?,
            }
        }
        Ok(waiting)
    }

    pub(super) async fn chat(&self, account: &str, chat: &str) -> Result<Chat, StoreError> {
        let value = self.store.get(SPACE, &key("chat", &[account, chat])).await?;
        Ok(value.and_then(|value| read(&value)).unwrap_or_default())
    }

    pub(super) async fn turn(&self, account: &str, chat: &str) -> Result<Option<Turn>, StoreError> {
        let value = self.store.get(SPACE, &key("turn", &[account, chat])).await?;
        Ok(value.and_then(|value| read(&value)))
    }

    /// Events were read: they leave, with what they came to.
    pub(super) async fn taken(
        &self,
        account: &Account,
        chat: &str,
        row: &Chat,
        turn: Option<&Turn>,
        events: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let id = account.id();
        let mut pairs: Pairs = events.iter().map(|key| (key.clone(), None)).collect();
        pairs.push((key("chat", &[&id, chat]), Some(bytes(row))));
        if !row.session.is_empty() {
            let place = format!("{id}\0{chat}");
            pairs.push((key("session", &[&account.site, &row.session]), Some(place.into_bytes())));
        }
        if let Some(turn) = turn {
            pairs.push((key("turn", &[&id, chat]), Some(bytes(turn))));
        }
        self.store.change(SPACE, pairs).await
    }

    /// What was said is taken back before the session has it.
    pub(super) async fn unsay(&self, account: &str, chat: &str) -> Result<(), StoreError> {
        self.store.remove(SPACE, &key("turn", &[account, chat])).await
    }

    /// The session has what was said, or refused it.
    pub(super) async fn said(
        &self,
        account: &str,
        chat: &str,
        row: &Chat,
        told: Option<&ToldAt>,
    ) -> Result<(), StoreError> {
        let mut pairs = vec![
            (key("turn", &[account, chat]), None),
            (key("chat", &[account, chat]), Some(bytes(row))),
        ];
        if let Some(told) = told {
            let key = numbered("told", &[account, chat, &told.session], told.seq);
            pairs.push((key, Some(bytes(told))));
        }
        self.store.change(SPACE, pairs).await
    }

    /// Where a message stands, with the key of that.
    pub(super) async fn told(
        &self,
        account: &str,
        chat: &str,
        message: &str,
    ) -> Result<Option<(Vec<u8>, ToldAt)>, StoreError> {
        let all = self.store.scan(SPACE, &numbered_prefix("told", &[account, chat])).await?;
        let has = |told: &ToldAt| told.pieces.iter().any(|(id, _)| id == message);
        Ok(all.into_iter().rev().find_map(|(key, value)| Some((key, read(&value).filter(has)?))))
    }

    pub(super) async fn set_told(&self, key: &[u8], told: &ToldAt) -> Result<(), StoreError> {
        self.store.put(SPACE, key, &bytes(told)).await
    }

    /// What a visitor said at a place of a session.
    pub(super) async fn text_at(
        &self,
        site: &str,
        told: &ToldAt,
    ) -> Result<Option<String>, StoreError> {
        let page = self.store.page(site, &told.session, told.seq - 1, told.seq).await?;
        let event = page.records.first().and_then(|record| Event::read(&record.body).ok()?);
        Ok(event
            .and_then(|event| if let Event::Said { text, .. } = event { Some(text) } else { None }))
    }

    /// Parts to be sent, and where the conversation stands with them.
    pub(super) async fn queue(
        &self,
        account: &str,
        chat: &str,
        row: &Chat,
        parts: &[Part],
    ) -> Result<(), StoreError> {
        let mut pairs: Pairs = vec![(key("chat", &[account, chat]), Some(bytes(row)))];
        for part in parts {
            pairs.push((numbered("out", &[account, chat], self.next()), Some(bytes(part))));
        }
        self.store.change(SPACE, pairs).await
    }

    /// The first part that is to be sent, and how many there are.
    pub(super) async fn first(
        &self,
        account: &str,
        chat: &str,
    ) -> Result<Option<(Vec<u8>, Part, usize)>, StoreError> {
        loop {
            let found = self.store.scan(SPACE, &numbered_prefix("out", &[account, chat])).await?;
            let count = found.len();
            let Some((key, value)) = found.into_iter().next() else { return Ok(None) };
            match read(&value) {
                Some(part) => return Ok(Some((key, part, count))),
                None => self.store.remove(SPACE, &key).await?,
            }
        }
    }

    /// Takes the assistant's parts out of what is still to be sent: from here on a person speaks.
    pub(super) async fn hush(&self, account: &str, chat: &str) -> Result<(), StoreError> {
        let found = self.store.scan(SPACE, &numbered_prefix("out", &[account, chat])).await?;
        let own = found
            .into_iter()
            .filter(|(_, value)| read::<Part>(value).is_none_or(|part| !part.by_agent));
        let pairs: Pairs = own.map(|(key, _)| (key, None)).collect();
        if pairs.is_empty() { Ok(()) } else { self.store.change(SPACE, pairs).await }
    }

    /// How many parts of an account are to be sent.
    pub(super) async fn unsent(&self, account: &str) -> Result<usize, StoreError> {
        Ok(self.store.scan(SPACE, &numbered_prefix("out", &[account])).await?.len())
    }

    pub(super) async fn set(&self, key: &[u8], part: &Part) -> Result<(), StoreError> {
        self.store.put(SPACE, key, &bytes(part)).await
    }

    /// A part was taken, and what that changes about the conversation.
    pub(super) async fn sent(
        &self,
        part: &[u8],
        account: &str,
        chat: &str,
        row: &Chat,
    ) -> Result<(), StoreError> {
        let pairs = vec![(part.to_vec(), None), (key("chat", &[account, chat]), Some(bytes(row)))];
        self.store.change(SPACE, pairs).await
    }

    pub(super) async fn done(&self, key: &[u8]) -> Result<(), StoreError> {
        self.store.remove(SPACE, key).await
    }

    /// Where a session's conversation is: account and chat.
    pub(super) async fn chat_of(
        &self,
        session: &SessionKey,
    ) -> Result<Option<(String, String)>, StoreError> {
        let value = self.store.get(SPACE, &key("session", &[&session.site, &session.id])).await?;
        Ok(value.and_then(|value| {
            let text = String::from_utf8(value).ok()?;
            let (account, chat) = text.split_once('\0')?;
            Some((account.to_owned(), chat.to_owned()))
        }))
    }

    /// Conversations of an account with something to do.
    pub(super) async fn unfinished(&self, account: &Account) -> Result<Vec<String>, StoreError> {
        let id = account.id();
        let mut chats = std::collections::BTreeSet::new();
        for kind in ["in", "out", "turn"] {
            let prefix = numbered_prefix(kind, &[&id]);
            for (key, _) in self.store.scan(SPACE, &prefix).await? {
                let rest = key.get(prefix.len()..).unwrap_or_default();
                let chat = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                chats.insert(String::from_utf8_lossy(chat).into_owned());
            }
        }
        let prefix = numbered_prefix("chat", &[&id]);
        for (key, value) in self.store.scan(SPACE, &prefix).await? {
            let Some(row) = read::<Chat>(&value).filter(|row| !row.session.is_empty()) else {
                continue;
            };
            let stored = self.store.session(&account.site, &row.session).await?;
            if stored.is_some_and(|stored| stored.last_seq > row.cursor) {
                chats.insert(
                    String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default())
                        .into_owned(),
                );
            }
        }
        Ok(chats.into_iter().collect())
    }

    /// Gives a conversation another name on its platform, with what is to be read and sent there.
    /// Where it has begun anew under that name, only what is still to be sent goes along.
    pub(super) async fn rename(
        &self,
        account: &Account,
        from: &str,
        to: &str,
    ) -> Result<(), StoreError> {
        let id = account.id();
        let row = self.chat(&id, from).await?;
        let begun = !self.chat(&id, to).await?.session.is_empty();
        let mut kinds = vec!["in", "out"];
        if !begun {
            kinds.extend(["told", "turn", "chat"]);
        }
        let mut pairs: Pairs = Vec::new();
        for kind in kinds {
            let (old, new) = (key(kind, &[&id, from]), key(kind, &[&id, to]));
            for (name, value) in self.store.scan(SPACE, &old).await? {
                // Another conversation's name may begin like this one's.
                let rest = name.get(old.len()..).unwrap_or_default();
                if rest.first().is_some_and(|byte| *byte != 0) {
                    continue;
                }
                let name = [new.as_slice(), rest].concat();
                // What waits is delivered there as if it had come there.
                let value = match (kind, read::<Incoming>(&value)) {
                    ("in", Some(event)) => bytes(&Incoming { chat: to.to_owned(), ..event }),
                    _ => value,
                };
                pairs.push((name, Some(value)));
            }
            for (name, _) in self.store.scan(SPACE, &old).await? {
                let rest = name.get(old.len()..).unwrap_or_default();
                if rest.first().is_none_or(|byte| *byte == 0) {
                    pairs.push((name, None));
                }
            }
        }
        if !begun && !row.session.is_empty() {
            let place = format!("{id}\0{to}").into_bytes();
            pairs.push((key("session", &[&account.site, &row.session]), Some(place)));
        }
        self.store.change(SPACE, pairs).await
    }

    /// Forgets a session's conversation with everything that was to be read or sent there.
    pub(super) async fn forget(&self, session: &SessionKey) -> Result<(), StoreError> {
        let Some((account, chat)) = self.chat_of(session).await? else { return Ok(()) };
        let mut pairs: Pairs = vec![(key("session", &[&session.site, &session.id]), None)];
        let told = numbered_prefix("told", &[&account, &chat, &session.id]);
        let told = self.store.scan(SPACE, &told).await?;
        pairs.extend(told.into_iter().map(|(key, _)| (key, None)));
        // A conversation that began anew since belongs to another session.
        if self.chat(&account, &chat).await?.session == session.id {
            for kind in ["in", "out"] {
                let found =
                    self.store.scan(SPACE, &numbered_prefix(kind, &[&account, &chat])).await?;
                pairs.extend(found.into_iter().map(|(key, _)| (key, None)));
            }
            pairs.extend(["turn", "chat"].map(|kind| (key(kind, &[&account, &chat]), None)));
        }
        self.store.change(SPACE, pairs).await
    }

    /// Forgets keys of events that no platform sends again.
    pub(super) async fn sweep(&self, account: &Account) -> Result<(), StoreError> {
        let remembered_ms =
            if account.config.imap_url.is_some() { MAIL_REMEMBERED_MS } else { REMEMBERED_MS };
        let before = self.clock.now_ms().saturating_sub(remembered_ms);
        let found = self.store.scan(SPACE, &numbered_prefix("seen", &[&account.id()])).await?;
        let old = found.into_iter().filter(|(_, at)| {
            <[u8; 8]>::try_from(at.as_slice()).is_ok_and(|at| u64::from_be_bytes(at) < before)
        });
        let old: Vec<Vec<u8>> = old.map(|(key, _)| key).collect();
        for portion in old.chunks(256) {
            self.store
                .change(SPACE, portion.iter().map(|key| (key.clone(), None)).collect())
                .await?;
        }
        Ok(())
    }
}

/// What the keys of [`numbered`] begin with.
fn numbered_prefix(kind: &str, parts: &[&str]) -> Vec<u8> {
    let mut prefix = key(kind, parts);
    prefix.push(0);
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreConfig;

    #[tokio::test]
    async fn what_a_platform_sends_is_stored_however_long_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let store = Store::open(&StoreConfig { path, ..StoreConfig::default() }).unwrap();
        let ledger = Ledger::new(store, Clock::manual(1_700_000_000_000));
        let file =
            Attachment { kind: "k".repeat(9_000), name: Some("n".repeat(9_000)), bytes: None };
        let said = |text: &str| What::Said {
            message: "m".into(),
            text: text.into(),
            attachments: vec![file.clone(); 500],
        };
        let event = Incoming::new("e1", "c", "u", said(&"ö".repeat(100_000)))
            .with_right(Some("r".repeat(100_000)));
        assert_eq!(ledger.keep("shop/a", &event).await.unwrap(), Kept::New);
        assert_eq!(ledger.keep("shop/a", &event).await.unwrap(), Kept::Known);
        let kept = ledger.waiting("shop/a", "c").await.unwrap().remove(0).1;
        let What::Said { text, attachments, .. } = kept.what else { panic!("{kept:?}") };
        assert_eq!(
            (text.chars().count(), attachments.len(), kept.right),
            (MAX_TEXT + 1, MAX_FILES, None)
        );
        assert!(text.ends_with('…') && attachments[0].mark().len() <= 2 * MAX_FILE_NAME + 10);
        for unnameable in ["", "a\0b", &"k".repeat(2_000)] {
            let event = Incoming::new(unnameable, "c", "u", said("hi"));
            assert_eq!(ledger.keep("shop/a", &event).await.unwrap(), Kept::Unnameable);
        }
    }
}
