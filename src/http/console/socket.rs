//! The console's WebSocket: one `select!` per socket, every write with a time limit. The inbox is
//! pulled from the board whenever it changed, so nothing of it is queued; a watched conversation
//! has the queue that every participant has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout};

use super::{ReadMark, command, convert, key};
use crate::agents::SignedIn;
use crate::audit::Deed;
use crate::conversation::{MAX_ID_BYTES, SessionKey};
use crate::http::agent::{complete, not_signed_in, role, signed_in};
use crate::http::error::ApiError;
use crate::http::socket::{Throttle, farewell};
use crate::http::{App, deeds};
use crate::protocol::console::{
    Action, ConsoleClient, ConsoleServer, MAX_PAGE, MAX_WATCHED, RunningDraft, RunningText,
};
use crate::protocol::{ErrorCode, Partial};
use crate::session::Update;
use crate::session::board::{PresenceGuard, WatchGuard};
use crate::session::registry::SessionHandle;
use crate::session::shared::TypingMark;
use crate::telemetry::GaugeGuard;

/// Largest frame an agent may send; a message of 4,000 characters fits in any script.
const MAX_FRAME: usize = 64 * 1024;
const READ_BUFFER: usize = 4 * 1024;
/// Outbound bytes that may wait before a write fails: a window of 200 sessions and a long
/// conversation fit.
const MAX_WRITE_BUFFER: usize = 8 * 1024 * 1024;
/// Longest time one write may take; a console that is slower is cut off.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// Bad frames after which a socket is closed.
const MAX_MISTAKES: u32 = 8;
/// Changes of the inbox within this time are told once.
const INBOX_PAUSE: Duration = Duration::from_millis(100);
/// Changed sessions told one by one; with more, the console asks for its window again.
const MAX_CHANGES: usize = 500;

/// `GET /v1/console`.
pub(super) async fn upgrade(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let who = match signed_in(&app, &headers).and_then(complete) {
        Ok(who) => who,
        Err(error) => return error.into_response(),
    };
    if app.tasks.is_draining() {
        return ApiError::draining().into_response();
    }
    let Ok(permit) = app.sockets.clone().try_acquire_owned() else {
        return ApiError::new(ErrorCode::Overloaded, "too many sockets are open; try again soon")
            .retry(5_000)
            .into_response();
    };
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .on_upgrade(move |socket| async move {
            let _count = GaugeGuard::new(&app.metrics.consoles);
            let accounts = app.agents.changed();
            Box::pin(Connection { app, socket, who, accounts, mistakes: 0 }.run()).await;
            drop(permit);
        })
}

/// A socket after its upgrade.
struct Connection {
    app: App,
    socket: WebSocket,
    who: SignedIn,
    accounts: watch::Receiver<u64>,
    mistakes: u32,
}

/// Why a socket ends; carries the close code, if the other side still listens.
struct Close(Option<(u16, &'static str)>);

const GONE: Close = Close(None);

/// What a console that said hello has open.
struct OpenConsole {
    site: String,
    /// The newest revision of the board that was told.
    rev: u64,
    watched: BTreeMap<String, Watched>,
    reads: broadcast::Receiver<ReadMark>,
    typing: broadcast::Receiver<TypingMark>,
    _presence: PresenceGuard,
}

/// A conversation that is open.
struct Watched {
    handle: SessionHandle,
    updates: mpsc::Receiver<Arc<Update>>,
    typing: Throttle,
    _guard: WatchGuard,
}

impl Connection {
    async fn run(mut self) {
        let Err(Close(code)) = self.serve().await;
        if let Some((code, reason)) = code {
            farewell(&mut self.socket, code, reason).await;
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Close> {
        let app = self.app.clone();
        let mut desk = self.hello().await?;
        let mut board = app.registry.board().changed();
        let (ping, dead) =
            (Duration::from_secs(app.config.ping_s), Duration::from_secs(app.config.dead_s));
        let mut heard = Instant::now();
        let mut next_ping = heard + ping;
        let (mut stale, mut next_inbox) = (true, heard);
        loop {
            // A revocation comes before anything that it forbids.
            tokio::select! {
                biased;
                _ = self.accounts.changed() => self.still_allowed(&desk.site).await?,
                () = app.tasks.draining() => {
                    self.send(&error(None, ApiError::draining())).await?;
                    return Err(Close(Some((close_code::RESTART, "restarting"))));
                }
                frame = self.socket.recv() => {
                    heard = Instant::now();
                    if let Some(message) = self.read(frame).await? {
                        self.still_allowed(&desk.site).await?;
                        self.obey(&mut desk, message).await?;
                    }
                }
                (session, update) = next(&mut desk.watched) => self.forward(&mut desk, session, update).await?,
                mark = desk.reads.recv() => {
                    // One that fell behind learns it when it connects again: a mark is only a mark.
                    if let Ok(mark) = mark
                        && mark.agent == self.who.agent.id
                        && mark.key.site == desk.site
                    {
                        self.send(&ConsoleServer::Read { session: mark.key.id, seq: mark.seq }).await?;
                    }
                }
                mark = desk.typing.recv() => {
                    // A conversation that is open tells by itself, in order with its messages.
                    if let Ok(TypingMark { key, agent }) = mark
                        && agent == self.who.agent.id
                        && key.site == desk.site
                        && !desk.watched.contains_key(&key.id)
                    {
                        self.send(&ConsoleServer::Typing { session: key.id }).await?;
                    }
                }
                () = tokio::time::sleep_until(next_inbox), if stale => {
                    stale = false;
                    next_inbox = Instant::now() + INBOX_PAUSE;
                    self.tell_changes(&mut desk).await?;
                }
                _ = board.changed(), if !stale => stale = true,
                () = tokio::time::sleep_until(next_ping.min(heard + dead)) => {
                    if heard.elapsed() >= dead {
                        return Err(GONE);
                    }
                    next_ping = Instant::now() + ping;
                    self.still_allowed(&desk.site).await?;
                    self.write(Message::Ping(axum::body::Bytes::new())).await?;
                }
            }
        }
    }

    /// The first frame: with which CSRF token, for which site.
    async fn hello(&mut self) -> Result<OpenConsole, Close> {
        let limit = Duration::from_secs(self.app.config.hello_timeout_s);
        let first = async {
            loop {
                let frame = self.socket.recv().await;
                if let Some(message) = self.read(frame).await? {
                    return Ok(message);
                }
            }
        };
        let Ok(message) = timeout(limit, first).await else {
            let text = format!("no hello came within {} s", limit.as_secs());
            return Err(self.refuse(ApiError::new(ErrorCode::HelloExpected, text)).await);
        };
        let ConsoleClient::Hello { csrf, site, boot, rev } = message? else {
            let text = "the first message must be a hello";
            return Err(self.refuse(ApiError::new(ErrorCode::HelloExpected, text)).await);
        };
        if !self.who.csrf_fits(&csrf) {
            let text = "the hello must carry the CSRF token of GET /v1/console/me";
            return Err(self.refuse(ApiError::new(ErrorCode::Forbidden, text)).await);
        }
        match self.app.agents.check_key(&self.who.key) {
            Some(who) => self.who = who,
            None => return Err(self.refuse(not_signed_in()).await),
        }
        let (app, id) = (self.app.clone(), self.who.agent.id.clone());
        let role = match role(&self.who, &site) {
            Ok(role) => role,
            Err(error) => return Err(self.refuse(error).await),
        };
        let board = app.registry.board();
        let presence = board.enter(&site, &id, app.started);
        let (reads, typing) = (app.reads.subscribe(), app.registry.typing());
        let known = boot.as_deref() == Some(&*board.boot);
        let changes = board.since(&site, rev, MAX_CHANGES);
        let reset = !known || changes.reset;
        let told = if reset { changes.rev } else { rev };
        self.send(&ConsoleServer::Welcome {
            agent: self.who.agent.clone().into(),
            site: site.clone(),
            role,
            boot: board.boot.to_string(),
            rev: told,
            reset,
            available: self.who.available,
            counts: board.counts(&site, &id),
            presence: board.presence(&site),
            read: board.reads(&site, &id),
        })
        .await?;
        // What changed since a known revision follows as any change does.
        Ok(OpenConsole {
            site,
            rev: told,
            watched: BTreeMap::new(),
            reads,
            typing,
            _presence: presence,
        })
    }

    /// Ends the connection if the sign-in or the role is gone.
    async fn still_allowed(&mut self, site: &str) -> Result<(), Close> {
        match self.app.agents.check_key(&self.who.key) {
            Some(who) if who.role(site).is_some() => {
                self.who = who;
                Ok(())
            }
            _ => Err(self.refuse(not_signed_in()).await),
        }
    }

    /// A frame as a message. `None` for frames that carry none, and for mistakes, which are
    /// answered.
    async fn read(
        &mut self,
        frame: Option<Result<Message, axum::Error>>,
    ) -> Result<Option<ConsoleClient>, Close> {
        let text = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(GONE),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                self.mistake("binary frames are not part of the protocol; send JSON text").await?;
                return Ok(None);
            }
            Some(Err(cause)) => {
                let text = cause.to_string();
                if !(text.contains("too long") || text.contains("too big")) {
                    return Err(GONE);
                }
                let message = format!("a frame may have at most {MAX_FRAME} bytes");
                self.send(&error(None, ApiError::new(ErrorCode::TooLarge, message))).await?;
                return Err(Close(Some((close_code::SIZE, "too large"))));
            }
        };
        match serde_json::from_str(text.as_str()) {
            Ok(message) => Ok(Some(message)),
            Err(cause) => {
                self.mistake(&format!("not a message of this protocol: {cause}")).await?;
                Ok(None)
            }
        }
    }

    async fn mistake(&mut self, what: &str) -> Result<(), Close> {
        self.mistakes += 1;
        self.send(&error(None, ApiError::new(ErrorCode::BadMessage, what))).await?;
        if self.mistakes >= MAX_MISTAKES {
            Err(Close(Some((close_code::POLICY, "too many bad messages"))))
        } else {
            Ok(())
        }
    }

    async fn refuse(&mut self, refusal: ApiError) -> Close {
        match self.send(&error(None, refusal)).await {
            Ok(()) => Close(Some((close_code::POLICY, "refused"))),
            Err(close) => close,
        }
    }

    async fn obey(&mut self, desk: &mut OpenConsole, message: ConsoleClient) -> Result<(), Close> {
        match message {
            ConsoleClient::Hello { .. } => self.mistake("hello was said already").await,
            ConsoleClient::Availability { id, available } => {
                let done = self.app.agents.set_available(&self.who.agent.id, available).await;
                self.answer(id, done.map(|()| None).map_err(ApiError::from)).await
            }
            ConsoleClient::Inbox { id, list, filter, offset, limit } => {
                let (board, limit) = (self.app.registry.board(), limit.clamp(1, MAX_PAGE));
                let (sessions, total, counts, rev) =
                    board.list(&desk.site, &self.who.agent.id, list, &filter, offset, limit);
                self.send(&ConsoleServer::Inbox { id, list, offset, total, counts, rev, sessions })
                    .await
            }
            ConsoleClient::Watch { id, session, last_seq, partial } => {
                let of = [("site", desk.site.clone()), ("session", session.clone())];
                match self.watch(desk, &id, session, last_seq, partial).await {
                    Ok(conversation) => {
                        let (who, did) =
                            (format!("agent {}", self.who.agent.id), "watch".to_owned());
                        let to = of.map(|(name, value)| (name.to_owned(), value)).to_vec();
                        deeds::note(&self.app, Deed { who, did, to, status: None }).await;
                        self.send(&conversation).await
                    }
                    Err(refusal) => self.send(&error(Some(id), refusal)).await,
                }
            }
            ConsoleClient::Unwatch { session } => {
                desk.watched.remove(&session);
                Ok(())
            }
            ConsoleClient::Read { session, seq } => {
                if let Ok(key) = key(&desk.site, &session)
                    && self.app.registry.read(&key, &self.who.agent.id, seq)
                {
                    // Nobody listens when this is the only console.
                    let _ = self.app.reads.send(ReadMark {
                        key,
                        agent: self.who.agent.id.clone(),
                        seq,
                    });
                }
                Ok(())
            }
            ConsoleClient::Typing { session } => {
                if let Some(Watched { handle, typing, .. }) = desk.watched.get_mut(&session)
                    && typing.passes()
                {
                    handle.types(Some(self.who.agent.id.clone()));
                }
                Ok(())
            }
            ConsoleClient::Act { id, session, action } => {
                if let (Action::Send { .. }, Some(watched)) =
                    (&action, desk.watched.get_mut(&session))
                {
                    watched.typing.reset();
                }
                let done = self.act(desk, &id, session, action).await;
                self.answer(id, done.map(Some)).await
            }
        }
    }

    async fn answer(
        &mut self,
        id: String,
        done: Result<Option<u64>, ApiError>,
    ) -> Result<(), Close> {
        self.send(&done.map_or_else(
            |refusal| error(Some(id.clone()), refusal),
            |seq| ConsoleServer::Ok { id: id.clone(), seq },
        ))
        .await
    }

    async fn watch(
        &mut self,
        desk: &mut OpenConsole,
        id: &str,
        session: String,
        last_seq: u64,
        partial: Option<Partial>,
    ) -> Result<ConsoleServer, ApiError> {
        if id.len() > MAX_ID_BYTES {
            return Err(ApiError::new(
                ErrorCode::BadMessage,
                format!("an id has at most {MAX_ID_BYTES} bytes"),
            ));
        }
        let key: SessionKey = key(&desk.site, &session)?;
        desk.watched.remove(&session);
        if desk.watched.len() >= MAX_WATCHED {
            let text = format!(
                "{MAX_WATCHED} conversations are open, the most there may be; unwatch one first"
            );
            return Err(ApiError::new(ErrorCode::Overloaded, text));
        }
        let handle = self.app.registry.agents_handle(key.clone());
        let joined = handle.join_whole(last_seq, partial).await?;
        let guard = self.app.registry.board().watch(&key, &self.who.agent.id);
        let watched = Watched {
            handle,
            updates: joined.updates,
            typing: Throttle::of_typing(),
            _guard: guard,
        };
        desk.watched.insert(session, watched);
        let running = joined.running.map(|(turn, offset, text)| RunningText { turn, offset, text });
        let draft = joined.draft.map(|d| RunningDraft {
            suggestion: d.id.into(),
            wish: d.wish.into(),
            text: d.text,
        });
        Ok(ConsoleServer::Conversation {
            id: id.to_owned(),
            session: joined.summary,
            last_seq: joined.last_seq,
            entries: joined.missed.into_iter().filter_map(convert::entry).collect(),
            running,
            draft,
            reasons: convert::reasons(&joined.intent),
        })
    }

    async fn act(
        &mut self,
        desk: &OpenConsole,
        id: &str,
        session: String,
        action: Action,
    ) -> Result<u64, ApiError> {
        let command = command(&self.app, &self.who, &desk.site, id.to_owned(), action)?;
        let handle = match desk.watched.get(&session) {
            Some(watched) => watched.handle.clone(),
            None => self.app.registry.agents_handle(key(&desk.site, &session)?),
        };
        Ok(handle.command(command).await?.seq)
    }

    async fn forward(
        &mut self,
        desk: &mut OpenConsole,
        session: String,
        update: Option<Arc<Update>>,
    ) -> Result<(), Close> {
        let over = matches!(update.as_deref(), None | Some(Update::Lost));
        if over {
            // It was erased, its disk failed, or this console was too slow for it: watching it
            // again tells.
            desk.watched.remove(&session);
        }
        let frame = match update {
            Some(update) => convert::frame(&session, &update),
            None => Some(ConsoleServer::Lost { session }),
        };
        match frame {
            Some(frame) => self.send(&frame).await,
            None => Ok(()),
        }
    }

    async fn tell_changes(&mut self, desk: &mut OpenConsole) -> Result<(), Close> {
        let app = self.app.clone();
        let board = app.registry.board();
        let changes = board.since(&desk.site, desk.rev, MAX_CHANGES);
        desk.rev = changes.rev;
        let (site, id) = (&desk.site, &self.who.agent.id);
        let counts = board.counts(site, id);
        if changes.presence {
            let available = self.who.available;
            self.send(&ConsoleServer::Presence { presence: board.presence(site), available })
                .await?;
        }
        if changes.reset {
            return self.send(&ConsoleServer::Reset { rev: changes.rev, counts }).await;
        }
        for session in changes.sessions {
            self.send(&ConsoleServer::Session { session, counts }).await?;
        }
        for (session, rev) in changes.gone {
            self.send(&ConsoleServer::SessionGone { session, rev, counts }).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: &ConsoleServer) -> Result<(), Close> {
        let Ok(text) = serde_json::to_string(message) else { return Ok(()) };
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Close> {
        match timeout(WRITE_LIMIT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(GONE),
            Err(_) => {
                self.app.metrics.slow_readers.inc();
                Err(GONE)
            }
        }
    }
}

/// The next update of any open conversation, `None` in place of one when it is over; never ready
/// without any.
async fn next(watched: &mut BTreeMap<String, Watched>) -> (String, Option<Arc<Update>>) {
    std::future::poll_fn(|context| {
        for (session, watched) in watched.iter_mut() {
            if let Poll::Ready(update) = watched.updates.poll_recv(context) {
                return Poll::Ready((session.clone(), update));
            }
        }
        Poll::Pending
    })
    .await
}

fn error(
    id: Option<String>,
    ApiError { code, message, retry_after_ms }: ApiError,
) -> ConsoleServer {
    ConsoleServer::Error { id, code, message, retry_after_ms }
}
