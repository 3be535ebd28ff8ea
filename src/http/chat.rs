//! The visitor's WebSocket: one `select!` per socket, every write with a time limit.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::conversation::{AnswerEnd, Attributes, DELETED, Event, GiveTo, SessionKey, Usage};
use crate::http::App;
use crate::http::error::{ApiError, unknown_session, unknown_site, upgrade_required};
use crate::http::places::Place;
use crate::http::socket::{Throttle, WRITE_LIMIT, checked, farewell, too_long};
use crate::insight::Choosing;
use crate::language::detect;
use crate::protocol::parts::Rating;
use crate::protocol::{ClientMessage, ErrorCode, MAX_MESSAGE_CHARS, Partial, ServerMessage};
use crate::secret::random_id;
use crate::session::board::VisitGuard;
use crate::session::mailbox::{JoinError, Joined, OpenError, Opener, Past};
use crate::session::registry::SessionHandle;
use crate::session::{Command, Update};
use crate::signals::{Arrival, Signal};
use crate::telemetry::GaugeGuard;

/// Largest frame a visitor may send. A message of 4,000 characters fits in any script.
const MAX_FRAME: usize = 16 * 1024;
/// Read buffer of a socket. The library's default of 128 KiB would be most of an idle socket's
/// memory; what visitors write is short.
const READ_BUFFER: usize = 2 * 1024;
/// Outbound bytes that may wait before a write fails.
const MAX_WRITE_BUFFER: usize = 512 * 1024;
/// Bad frames after which a socket is closed.
const MAX_MISTAKES: u32 = 8;
/// Conversations erased with one request, beside the one at hand.
const MAX_FORGOTTEN: usize = 32;
/// Drafts within this time are prepared once; clients wait until somebody pauses.
const DRAFT_PAUSE: Duration = Duration::from_millis(100);
/// Own message ids remembered so that they aren't echoed.
const OWN_IDS: usize = 8;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /v1/chat`.
pub(super) async fn upgrade(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return upgrade_required(&rejection.body_text()),
    };
    if app.tasks.is_draining() {
        return ApiError::draining().into_response();
    }
    let permit = match app.connection() {
        Ok(permit) => permit,
        Err(error) => return error.into_response(),
    };
    let caller = Caller::of(&app, peer, &headers, "widget");
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .on_upgrade(move |socket| {
            let count = GaugeGuard::new(&app.metrics.sockets);
            let own = VecDeque::new();
            let tasks = app.tasks.clone();
            let connection = Box::new(Connection {
                app,
                socket,
                caller,
                mistakes: 0,
                own,
                seen: 0,
                choosing: None,
                shown: Shown::default(),
                typing: Throttle::of_typing(),
                drafts: Throttle::new(DRAFT_PAUSE),
            });
            // A task of its own: the one that made the upgrade would keep its room as long as the
            // socket lives.
            tasks.spawn("socket", async move {
                connection.run().await;
                drop((count, permit));
            });
            std::future::ready(())
        })
}

/// A socket after its upgrade.
struct Connection {
    app: App,
    socket: WebSocket,
    caller: Caller,
    mistakes: u32,
    /// Ids of messages that came over this socket: it needs no echo of them.
    own: VecDeque<String>,
    /// The last `seq` that passed here.
    seen: u64,
    /// Products that are being chosen for the last answer.
    choosing: Option<Choosing>,
    shown: Shown,
    typing: Throttle,
    drafts: Throttle,
}

/// Products that the visitor was shown in this conversation.
#[derive(Default)]
struct Shown {
    ids: Vec<String>,
    /// What was shown before this socket is among them.
    whole: bool,
}

/// Why a socket ends; carries the close code, if the other side still listens.
struct Close(Option<(u16, &'static str)>);

const GONE: Close = Close(None);

/// A visitor's place in a session.
struct Seat {
    handle: SessionHandle,
    /// How else the site can be reached, for who waits for a person.
    contact: String,
    updates: mpsc::Receiver<Arc<Update>>,
    /// When the token that the site signed ends, and the seat with it.
    expires_at_ms: Option<u64>,
    /// What is being typed may be used to prepare the answer.
    drafts: bool,
    /// The visitor is here.
    _here: VisitGuard,
    _place: Place,
}

impl Seat {
    /// Ends the connection once its token is over. The client connects again with a new one and
    /// resumes.
    fn still_signed(&self, app: &App) -> Result<(), Close> {
        if self.expires_at_ms.is_some_and(|at_ms| at_ms <= app.spine.clock.now_ms()) {
            return Err(Close(Some((
                close_code::POLICY,
                "the token has expired; connect again with a new one",
            ))));
        }
        Ok(())
    }
}

impl Connection {
    async fn run(mut self: Box<Self>) {
        let Err(Close(code)) = self.serve().await;
        if let Some((code, reason)) = code {
            Box::pin(farewell(&mut self.socket, code, reason)).await;
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Close> {
        let mut seat = Box::pin(self.hello()).await?;
        let arrived = Instant::now();
        let result = self.converse(&mut seat).await;
        // Rate-limit dwell signals from reconnecting clients.
        if self.seen > 0 && seat.handle.count_event().is_ok() {
            let ms = u64::try_from(arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
            let dwell = vec![Signal::Dwell { ms }];
            self.app.signals.add(&seat.handle.key, self.seen, self.app.spine.clock.now_ms(), dwell);
        }
        result
    }

    /// What happens is boxed while it happens: an idle socket holds no room for the largest thing
    /// that could.
    async fn converse(&mut self, seat: &mut Seat) -> Result<std::convert::Infallible, Close> {
        let (ping, dead) = (
            Duration::from_secs(self.app.config.ping_s),
            Duration::from_secs(self.app.config.dead_s),
        );
        let mut heard = Instant::now();
        let mut next_ping = heard + ping;
        loop {
            // What the client says comes first: a cancel must not wait behind the words it stops.
            tokio::select! {
                biased;
                frame = self.socket.recv() => {
                    heard = Instant::now();
                    seat.still_signed(&self.app)?;
                    Box::pin(self.heed(seat, frame)).await?;
                }
                update = seat.updates.recv() => match update {
                    Some(update) => {
                        seat.still_signed(&self.app)?;
                        Box::pin(self.forward(seat, &update)).await?;
                    }
                    None => {
                        let slow = ApiError::new(ErrorCode::TooSlow, "you read too slowly; connect again and resume");
                        Box::pin(self.send(&slow.retry(500).frame(None))).await?;
                        return Err(Close(Some((close_code::AGAIN, "too slow"))));
                    }
                },
                cards = chosen(&mut self.choosing) => {
                    self.choosing = None;
                    if let Some(cards) = cards {
                        Box::pin(self.show(&cards)).await?;
                    }
                }
                () = tokio::time::sleep_until(next_ping.min(heard + dead)) => {
                    if heard.elapsed() >= dead {
                        return Err(GONE);
                    }
                    next_ping = Instant::now() + ping;
                    seat.still_signed(&self.app)?;
                    Box::pin(self.write(Message::Ping(axum::body::Bytes::new()))).await?;
                }
            }
        }
    }

    async fn heed(
        &mut self,
        seat: &Seat,
        frame: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Close> {
        match self.read(frame).await? {
            Some(message) => self.obey(seat, message).await,
            None => Ok(()),
        }
    }

    /// The first frame: who is it, and which conversation.
    async fn hello(&mut self) -> Result<Seat, Close> {
        let limit = Duration::from_secs(self.app.config.hello_timeout_s);
        let app = self.app.clone();
        let first = async {
            loop {
                let frame = self.socket.recv().await;
                if let Some(message) = self.read(frame).await? {
                    return Ok(message);
                }
            }
        };
        let message = tokio::select! {
            message = timeout(limit, first) => message,
            () = app.tasks.draining() => {
                self.send(&ApiError::draining().frame(None)).await?;
                return Err(Close(Some((close_code::RESTART, "restarting"))));
            }
        };
        let Ok(message) = message else {
            let text = format!("no hello came within {} s", self.app.config.hello_timeout_s);
            return Err(self.refuse(ApiError::new(ErrorCode::HelloExpected, text)).await);
        };
        let ClientMessage::Hello {
            site,
            token,
            session,
            last_seq,
            partial,
            source,
            attributes,
            language,
        } = message?
        else {
            return Err(self
                .refuse(ApiError::new(
                    ErrorCode::HelloExpected,
                    "the first message must be a hello",
                ))
                .await);
        };
        let known = token.is_some() && session.is_none();
        self.caller.language = language;
        match seat(&app, &self.caller, &site, token.as_deref(), session, last_seq, partial).await {
            Ok((seat, token, joined)) => {
                let new = joined.last_seq == 0;
                let arrival = Arrival {
                    source: source.filter(|_| new).map(|source| (*source).into()),
                    // What the site signed counts more than what its page says.
                    attributes: joined.attributes.or(attributes.map(Into::into)),
                    known: known && new,
                };
                let signals = arrival.signals();
                // What a new conversation brings isn't stored before its first message.
                if new || signals.is_empty() || seat.handle.count_event().is_ok() {
                    app.signals.add(
                        &seat.handle.key,
                        joined.last_seq,
                        app.spine.clock.now_ms(),
                        signals,
                    );
                }
                self.seen = joined.last_seq;
                self.send(&ServerMessage::Welcome {
                    session: seat.handle.key.id.clone(),
                    token,
                    last_seq: joined.last_seq,
                    available: app.available(&seat.handle.key.site),
                })
                .await?;
                if let Some((seq, turn)) =
                    self.replay(&seat, joined.missed, joined.rest_after).await?
                {
                    if let Some(cards) = app.insight.cards_again(&seat.handle.key, seq) {
                        self.show(&cards).await?;
                    } else if let Some(turn) = turn {
                        self.choosing = app.insight.cards_missed(&seat.handle.key, turn, seq);
                    }
                }
                if let Some((turn, offset, text)) =
                    joined.running.filter(|(.., text)| !text.is_empty())
                {
                    self.send(&ServerMessage::AnswerDelta { turn, offset, text }).await?;
                }
                Ok(seat)
            }
            Err(error) => Err(self.refuse(error).await),
        }
    }

    /// Sends what the client missed, a page at a time: what it reads slowly isn't held here. Gives
    /// the last event's `seq` and the turn that it completes.
    async fn replay(
        &mut self,
        seat: &Seat,
        mut page: Vec<Past>,
        mut rest_after: Option<u64>,
    ) -> Result<Option<(u64, Option<u64>)>, Close> {
        let mut last = None;
        loop {
            last = page.last().map(|past| (past.seq, answered(&past.event))).or(last);
            for past in page {
                if let Some(message) = event_message(past) {
                    self.send(&message).await?;
                }
            }
            let Some(after) = rest_after else { return Ok(last) };
            match seat.handle.missed(after, self.seen).await {
                Ok(next) => (page, rest_after) = next,
                Err(error) => return Err(self.refuse(error.into()).await),
            }
        }
    }

    /// A frame as a message. `None` for frames that carry none, and for mistakes, which are
    /// answered.
    async fn read(
        &mut self,
        frame: Option<Result<Message, axum::Error>>,
    ) -> Result<Option<ClientMessage>, Close> {
        let text = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(GONE),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                self.mistake("binary frames are not part of the protocol; send JSON text").await?;
                return Ok(None);
            }
            Some(Err(error)) => return Err(self.broken(&error).await),
        };
        match serde_json::from_str(text.as_str()) {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                self.mistake(&format!("not a message of this protocol: {error}")).await?;
                Ok(None)
            }
        }
    }

    async fn mistake(&mut self, what: &str) -> Result<(), Close> {
        self.mistakes += 1;
        self.send(&ApiError::new(ErrorCode::BadMessage, what).frame(None)).await?;
        if self.mistakes >= MAX_MISTAKES {
            Err(Close(Some((close_code::POLICY, "too many bad messages"))))
        } else {
            Ok(())
        }
    }

    /// Answers a frame that the WebSocket layer itself refused.
    async fn broken(&mut self, error: &axum::Error) -> Close {
        let text = error.to_string();
        let (code, error, reason) = if text.contains("too long") || text.contains("too big") {
            let message = format!("a frame may have at most {MAX_FRAME} bytes");
            (close_code::SIZE, ApiError::new(ErrorCode::TooLarge, message), "too large")
        } else if text.to_lowercase().contains("utf-8") {
            (
                close_code::INVALID,
                ApiError::new(ErrorCode::BadMessage, "the text is not UTF-8"),
                "not UTF-8",
            )
        } else {
            return GONE;
        };
        match self.send(&error.frame(None)).await {
            Ok(()) => Close(Some((code, reason))),
            Err(close) => close,
        }
    }

    async fn refuse(&mut self, error: ApiError) -> Close {
        match self.send(&error.frame(None)).await {
            Ok(()) => Close(Some((close_code::POLICY, "refused"))),
            Err(close) => close,
        }
    }

    async fn obey(&mut self, seat: &Seat, message: ClientMessage) -> Result<(), Close> {
        let mut refused_id = None;
        let result = match message {
            ClientMessage::Hello { .. } => {
                return self.mistake("hello was said already").await;
            }
            ClientMessage::Message { id, text } => {
                refused_id = Some(id.clone());
                if self.own.len() == OWN_IDS {
                    self.own.pop_front();
                }
                self.own.push_back(id.clone());
                self.typing.reset();
                match checked(&id, &text) {
                    Err(error) => Err(error),
                    Ok(()) if self.app.tasks.is_draining() => Err(ApiError::draining()),
                    Ok(()) => {
                        match seat.handle.command(Command::Say { id: id.clone(), text }).await {
                            Ok(accepted) => {
                                return self
                                    .send(&ServerMessage::Ack { id, seq: accepted.seq })
                                    .await;
                            }
                            Err(error) => Err(error.into()),
                        }
                    }
                }
            }
            ClientMessage::Typing { text } => {
                // Who has emptied the composer types no more.
                if text.as_deref() != Some("") && self.typing.passes() {
                    seat.handle.types(None);
                }
                // Words that are too long will be refused when they are sent.
                if let Some(text) =
                    text.filter(|text| seat.drafts && text.chars().count() <= MAX_MESSAGE_CHARS)
                    && self.drafts.passes()
                {
                    seat.handle.typed(text);
                }
                return Ok(());
            }
            ClientMessage::Cancel { turn } => {
                seat.handle.command(Command::Cancel { turn }).await.map_err(ApiError::from)
            }
            ClientMessage::Human {} => match seat.handle.command(Command::RequestHuman).await {
                // The request stands and has passed here already: what there is to say is how far
                // it got.
                Ok(accepted) if accepted.seq <= self.seen => {
                    return match self.app.registry.board().waiting(&seat.handle.key) {
                        Some((place, available)) => self.tell_waiting(seat, place, available).await,
                        None => Ok(()),
                    };
                }
                result => result.map_err(ApiError::from),
            },
            ClientMessage::Feedback { text: Some(text), .. }
                if text.chars().count() > MAX_MESSAGE_CHARS =>
            {
                Err(too_long(&text))
            }
            ClientMessage::Feedback { turn, rating, text } => seat
                .handle
                .command(Command::Feedback { turn, rating: rating.into(), text })
                .await
                .map_err(ApiError::from),
            ClientMessage::Forget { also } => return self.forget(seat, also).await,
            ClientMessage::RecommendationClick { id } => {
                if !self.was_shown(&seat.handle.key, &id).await {
                    Err(ApiError::new(
                        ErrorCode::BadMessage,
                        "this product was not recommended here",
                    ))
                } else if let Err(refusal) = seat.handle.count_event() {
                    Err(refusal.into())
                } else {
                    let clicked = vec![Signal::Clicked { product: id }];
                    self.app.signals.add(
                        &seat.handle.key,
                        self.seen,
                        self.app.spine.clock.now_ms(),
                        clicked,
                    );
                    return Ok(());
                }
            }
            ClientMessage::End { session: Some(id) } if id != seat.handle.key.id => {
                let Some(key) = SessionKey::named(&seat.handle.key.site, &id) else {
                    return self.send(&unknown_session().frame(None)).await;
                };
                return match seat.handle.sibling(key).end_if_open().await {
                    // Whether it exists is nobody's business but its visitor's.
                    Ok(()) | Err(JoinError::Open(OpenError::Foreign)) => Ok(()),
                    Err(error) => self.send(&ApiError::from(error).frame(None)).await,
                };
            }
            ClientMessage::End { .. } => seat
                .handle
                .command(Command::End { reason: "visitor".into() })
                .await
                .map_err(ApiError::from),
        };
        match result {
            Ok(_) => Ok(()),
            Err(error) => self.send(&error.frame(refused_id)).await,
        }
    }

    /// Sends products to choose from.
    async fn show(&mut self, cards: &ServerMessage) -> Result<(), Close> {
        if let ServerMessage::Recommendation { products, .. } = cards {
            self.shown.ids.extend(products.iter().map(|card| card.id.clone()));
        }
        self.send(cards).await
    }

    /// Whether the visitor can have clicked on the product. A page may still show what came over a
    /// socket before this one: then the log is asked, once.
    async fn was_shown(&mut self, key: &SessionKey, product: &str) -> bool {
        let shown = &mut self.shown;
        if !shown.whole && !shown.ids.iter().any(|id| id == product) {
            match self.app.insight.shown(key).await {
                Ok(before) => {
                    shown.ids.extend(before);
                    shown.whole = true;
                }
                Err(error) => {
                    tracing::warn!(session = key.id, %error, "what was recommended can't be read")
                }
            }
        }
        shown.ids.iter().any(|id| id == product)
    }

    /// Erases the conversation, and others of the same visitor. What can't be erased is said, and
    /// the connection stays.
    async fn forget(&mut self, seat: &Seat, also: Vec<String>) -> Result<(), Close> {
        let site = &seat.handle.key.site;
        for key in also.iter().take(MAX_FORGOTTEN).filter_map(|id| SessionKey::named(site, id)) {
            match seat.handle.sibling(key).erase().await {
                // Whether it exists is nobody's business but its visitor's.
                Ok(()) | Err(JoinError::Open(OpenError::Foreign)) => {}
                Err(error) => return self.send(&ApiError::from(error).frame(None)).await,
            }
        }
        if let Err(error) = seat.handle.erase().await {
            return self.send(&ApiError::from(error).frame(None)).await;
        }
        self.send(&ServerMessage::Forgotten {}).await?;
        Err(Close(Some((close_code::NORMAL, "forgotten"))))
    }

    async fn forward(&mut self, seat: &Seat, update: &Update) -> Result<(), Close> {
        if let Update::Event { seq, event, .. } = update {
            self.seen = self.seen.max(*seq);
            if let Some(turn) = answered(event) {
                self.choosing = self.app.insight.cards(&seat.handle.key, turn, *seq);
            }
        }
        match update {
            Update::Lost => {
                self.send(&ApiError::draining().frame(None)).await?;
                Err(Close(Some((close_code::RESTART, "reconnect and resume"))))
            }
            Update::Event { event: Event::Said { id, .. }, .. } if self.own.contains(id) => Ok(()),
            Update::Waiting { place, available } => {
                self.tell_waiting(seat, *place, *available).await
            }
            update => match update_message(update) {
                Some(message) => self.send(&message).await,
                None => Ok(()),
            },
        }
    }

    async fn tell_waiting(
        &mut self,
        seat: &Seat,
        place: usize,
        available: bool,
    ) -> Result<(), Close> {
        let contact = Some(seat.contact.clone()).filter(|contact| !contact.is_empty());
        self.send(&ServerMessage::HumanQueue { place, available, contact }).await
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), Close> {
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

async fn seat(
    app: &App,
    caller: &Caller,
    site: &str,
    token: Option<&str>,
    session: Option<String>,
    last_seq: u64,
    partial: Option<Partial>,
) -> Result<(Seat, String, JoinedRest), ApiError> {
    let opened = open(app, caller, site, token, session.as_deref())?;
    let (attributes, expires_at_ms) = (opened.attributes, opened.expires_at_ms);
    let Joined { last_seq: last, missed, rest_after, running, updates, .. } =
        opened.handle.join(last_seq, partial).await?;
    if session.is_some() && last == 0 && last_seq > 0 {
        return Err(unknown_session());
    }
    let (contact, drafts) =
        app.site(site).map(|site| (site.contact.clone(), site.widget.draft)).unwrap_or_default();
    Ok((
        Seat {
            _here: app.registry.board().visit(&opened.handle.key, &app.spine.clock),
            handle: opened.handle,
            contact,
            updates,
            expires_at_ms,
            drafts,
            _place: opened.place,
        },
        opened.token,
        JoinedRest { last_seq: last, missed, rest_after, running, attributes },
    ))
}

/// [`Joined`] without its updates.
struct JoinedRest {
    last_seq: u64,
    missed: Vec<Past>,
    rest_after: Option<u64>,
    running: Option<(u64, u64, String)>,
    attributes: Option<Attributes>,
}

/// The turn whose answer is complete with this event.
fn answered(event: &Event) -> Option<u64> {
    match event {
        Event::AnswerDone { turn, end: AnswerEnd::Complete, .. } => Some(*turn),
        _ => None,
    }
}

/// The cards that are being chosen, when they are; never, while none are.
async fn chosen(choosing: &mut Option<Choosing>) -> Option<ServerMessage> {
    match choosing {
        Some(cards) => cards.await,
        None => std::future::pending().await,
    }
}

/// A session opened for a visitor.
pub(super) struct Opened {
    pub(super) handle: SessionHandle,
    pub(super) token: String,
    /// What a signed token says of the visitor.
    pub(super) attributes: Option<Attributes>,
    /// When a signed token ends.
    pub(super) expires_at_ms: Option<u64>,
    /// The visitor's place for this connection.
    pub(super) place: Place,
}

/// Who asks, as far as the connection tells.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) origin: Option<String>,
    address: IpAddr,
    /// Where its conversations come from: `widget`, `rest`.
    channel: &'static str,
    /// The language that its page is marked with, BCP 47.
    pub(super) language: Option<String>,
}

impl Caller {
    pub(super) fn of(
        app: &App,
        peer: SocketAddr,
        headers: &HeaderMap,
        channel: &'static str,
    ) -> Self {
        let origin = super::header_text(headers, header::ORIGIN).map(str::to_owned);
        Self { origin, address: app.proxies.client(peer, headers), channel, language: None }
    }
}

/// Lets a visitor in and finds or begins the session.
pub(super) fn open(
    app: &App,
    caller: &Caller,
    site: &str,
    token: Option<&str>,
    session: Option<&str>,
) -> Result<Opened, ApiError> {
    let origin = caller.origin.as_deref();
    let site = app.site(site).ok_or_else(|| unknown_site(site))?;
    if !site.allows(origin, &app.own_origins) {
        let text = format!(
            "pages of {} may not talk to this site; add the origin to the site's `origins`",
            origin.unwrap_or("nowhere")
        );
        return Err(ApiError::new(ErrorCode::OriginRefused, text));
    }
    if session.is_some() && token.is_none() {
        return Err(ApiError::new(
            ErrorCode::Unauthorized,
            "resuming a conversation needs its token",
        ));
    }
    let id = session.map_or_else(random_id, str::to_owned);
    let key = SessionKey::named(&site.id, &id).ok_or_else(unknown_session)?;
    if token.is_none() {
        app.registry.newcomer(caller.address)?;
    }
    let visitor = app.visitors.admit(&site, origin, token)?;
    app.registry.connects(&site.id, &visitor.id)?;
    let place = app.places.take(&site.id, &visitor.id).ok_or_else(|| {
        let text = "you are connected too often at the same time; close another page of this chat and try again";
        ApiError::new(ErrorCode::RateLimited, text).retry(5_000)
    })?;
    let language = caller
        .language
        .as_deref()
        .and_then(|tag| detect::marked(tag, &site.language))
        .filter(|language| app.spine.prompts.languages().any(|spoken| spoken == *language));
    let opener = Opener { visitor: visitor.id, channel: caller.channel.into(), language };
    let handle = app.registry.handle(key, opener);
    Ok(Opened {
        handle,
        token: visitor.token,
        attributes: visitor.attributes,
        expires_at_ms: visitor.expires_at_ms,
        place,
    })
}

/// What a client is told of an update.
pub(super) fn update_message(update: &Update) -> Option<ServerMessage> {
    Some(match update.clone() {
        Update::Event { seq, at_ms, event } => return event_message(Past { seq, at_ms, event }),
        Update::Queued { turn, place } => ServerMessage::Queue { turn, place },
        Update::Thinking { turn } => ServerMessage::Thinking { turn },
        Update::Delta { turn, offset, text } => ServerMessage::AnswerDelta { turn, offset, text },
        Update::Citation { turn, citation } => {
            ServerMessage::AnswerCitation { turn, citation: citation.into() }
        }
        Update::Withheld { turn, reason } => ServerMessage::AnswerWithheld { turn, reason },
        Update::AgentTyping { name } => ServerMessage::AgentTyping { name },
        // Agents' updates don't enter a visitor's queue; if one did, it would end here. Who waits
        // is told by the connection, which knows the site's contact.
        Update::DraftStarted { .. }
        | Update::DraftDelta { .. }
        | Update::DraftCitation { .. }
        | Update::DraftStopped { .. }
        | Update::Intent(_)
        | Update::VisitorTyping
        | Update::Waiting { .. }
        | Update::Lost => return None,
    })
}

/// What a client is told of an event.
pub(super) fn event_message(Past { seq, at_ms, event }: Past) -> Option<ServerMessage> {
    Some(match event {
        Event::Started { .. } => return None,
        Event::Said { id, text } => ServerMessage::Message { id, seq, at_ms, text },
        Event::Deleted { id } => {
            ServerMessage::Message { id, seq, at_ms, text: DELETED.to_owned() }
        }
        Event::AnswerStarted { turn } => ServerMessage::AnswerStarted { turn, seq, at_ms },
        Event::AnswerDone { turn, text, citations, confidence, usage, end, .. } => {
            let citations = citations.into_iter().map(Into::into).collect();
            // What the cache had would tell what others asked.
            let usage = Usage { cached_tokens: 0, ..usage };
            let (usage, end) = (usage.into(), end.into());
            ServerMessage::AnswerDone { turn, seq, at_ms, text, citations, confidence, usage, end }
        }
        Event::HumanRequested {} => ServerMessage::HumanRequested { seq, at_ms },
        Event::Handoff { .. } => ServerMessage::Handoff { seq, at_ms },
        Event::AgentJoined { agent, .. } => {
            ServerMessage::AgentJoined { seq, at_ms, name: agent.name }
        }
        Event::AgentLeft { agent, to, .. } => {
            ServerMessage::AgentLeft { seq, at_ms, name: agent.name, waiting: to != GiveTo::Model }
        }
        Event::AgentSaid { id, agent, text, .. } => {
            ServerMessage::AgentMessage { seq, at_ms, id, text, name: agent.name }
        }
        Event::Note { .. }
        | Event::SuggestionMade { .. }
        | Event::SuggestionDecided { .. }
        | Event::Unknown => {
            return None;
        }
        Event::Feedback { turn, rating, .. } => {
            ServerMessage::FeedbackReceived { seq, at_ms, turn, rating: Rating::known(rating)? }
        }
        Event::Ended { reason } => ServerMessage::Ended { seq, at_ms, reason },
    })
}
