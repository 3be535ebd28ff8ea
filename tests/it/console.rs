//! The console from outside: signing in, taking over, drafts, the line, and what no visitor may
//! see.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{
    Binary, ChatClient, LIMIT, TestServer, config, write_config, write_documents,
};
use frontdesk::protocol::console::{
    Action, ConsoleClient, ConsoleServer, Entry, Filter, Holder, List, Me, NewAccount, Role,
    SignIn, Statistics, Suggestion, Summary, What,
};
use frontdesk::protocol::parts::{
    Agent, AnswerEnd, Decision, GiveTo, HandoffReason, LeaveReason, NoteCode, SuggestionId, Wish,
};
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::site::Answers;
use frontdesk::turn::Mode;

const PASSWORD: &str = "correct horse battery";

/// An agent who signed in, with the calls of the API.
#[derive(Clone)]
pub(crate) struct Desk {
    addr: SocketAddr,
    cookie: String,
    me: Me,
}

/// An agent's console.
pub(crate) struct Console {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    welcome: ConsoleServer,
    ids: u32,
}

/// A client for HTTP; where the server is another process, nobody else has installed a provider of
/// TLS.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Makes an account over the admin listener.
async fn account(server: &TestServer, login: &str, role: Role) -> Agent {
    account_with(server, login, role, None).await
}

async fn account_with(server: &TestServer, login: &str, role: Role, limit: Option<usize>) -> Agent {
    let new = NewAccount {
        login: login.into(),
        name: login.to_uppercase(),
        password: PASSWORD.into(),
        roles: BTreeMap::from([("shop".into(), role)]),
        limit,
        temporary: false,
    };
    let request = http().post(server.admin_url("/v1/agents")).bearer_auth(server.admin_key());
    let response = request.json(&new).send().await.unwrap();
    assert_eq!(response.status(), 201);
    response.json::<frontdesk::protocol::console::Account>().await.unwrap().agent
}

async fn try_sign_in(addr: SocketAddr, login: &str, password: &str) -> reqwest::Response {
    let body = SignIn { login: login.into(), password: password.into(), code: None };
    let url = format!("http://{addr}/v1/console/sign-in");
    http().post(url).json(&body).send().await.unwrap()
}

/// Makes an account and signs in.
pub(crate) async fn desk(server: &TestServer, login: &str, role: Role) -> Desk {
    account(server, login, role).await;
    Desk::sign_in(server.addr(), login).await
}

impl Desk {
    async fn sign_in(addr: SocketAddr, login: &str) -> Self {
        let response = try_sign_in(addr, login, PASSWORD).await;
        assert_eq!(response.status(), 200);
        let line = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        for attribute in
            ["__Host-frontdesk=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"]
        {
            assert!(line.contains(attribute), "{line}");
        }
        let cookie = line.split(';').next().unwrap().to_owned();
        Self { addr, cookie, me: response.json().await.unwrap() }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/v1/console{path}", self.addr);
        http().request(method, url).header("cookie", &self.cookie)
    }

    fn change(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path).header("x-csrf-token", &self.me.csrf)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.request(reqwest::Method::GET, path).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    async fn connect(
        &self,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
        let mut request = format!("ws://{}/v1/console", self.addr).into_client_request()?;
        request.headers_mut().insert("cookie", self.cookie.parse().unwrap());
        request.headers_mut().insert("origin", format!("http://{}", self.addr).parse().unwrap());
        Ok(tokio_tungstenite::connect_async(request).await?.0)
    }

    pub(crate) async fn console(&self) -> Console {
        self.console_at(None, 0).await
    }

    async fn console_at(&self, boot: Option<String>, rev: u64) -> Console {
        let hello =
            ConsoleClient::Hello { csrf: self.me.csrf.clone(), site: "shop".into(), boot, rev };
        let mut socket = self.connect().await.unwrap();
        socket.send(Message::Text(serde_json::to_string(&hello).unwrap().into())).await.unwrap();
        let mut console =
            Console { socket, welcome: ConsoleServer::Lost { session: String::new() }, ids: 0 };
        console.welcome = console.next().await;
        assert!(matches!(console.welcome, ConsoleServer::Welcome { .. }), "{:?}", console.welcome);
        console
    }
}

impl Console {
    async fn send(&mut self, message: &ConsoleClient) {
        self.socket
            .send(Message::Text(serde_json::to_string(message).unwrap().into()))
            .await
            .unwrap();
    }

    async fn next(&mut self) -> ConsoleServer {
        self.try_next().await.expect("the connection ended")
    }

    async fn try_next(&mut self) -> Option<ConsoleServer> {
        loop {
            match tokio::time::timeout(LIMIT, self.socket.next())
                .await
                .expect("a frame in time")?
                .ok()?
            {
                Message::Text(text) => {
                    return Some(
                        serde_json::from_str(&text)
                            .unwrap_or_else(|error| panic!("{error}: {text}")),
                    );
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn until<T>(&mut self, mut want: impl FnMut(&ConsoleServer) -> Option<T>) -> T {
        loop {
            let frame = self.next().await;
            if let Some(found) = want(&frame) {
                return found;
            }
        }
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("c{}", self.ids)
    }

    /// Does something; gives the seq, or the code of the refusal.
    pub(crate) async fn act(&mut self, session: &str, action: Action) -> Result<u64, ErrorCode> {
        let wanted = self.id();
        self.send(&ConsoleClient::Act { id: wanted.clone(), session: session.into(), action })
            .await;
        self.until(|frame| match frame {
            ConsoleServer::Ok { id, seq } if *id == wanted => Some(Ok(seq.unwrap_or_default())),
            ConsoleServer::Error { id: Some(id), code, .. } if *id == wanted => Some(Err(*code)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn watch(&mut self, session: &str, last_seq: u64) -> (Summary, Vec<Entry>) {
        let wanted = self.id();
        let watch = ConsoleClient::Watch {
            id: wanted.clone(),
            session: session.into(),
            last_seq,
            partial: None,
        };
        self.send(&watch).await;
        self.until(|frame| match frame {
            ConsoleServer::Conversation { id, session, entries, .. } if *id == wanted => {
                Some((session.clone(), entries.clone()))
            }
            ConsoleServer::Error { code, message, .. } => panic!("{code:?}: {message}"),
            _ => None,
        })
        .await
    }

    async fn event<T>(&mut self, mut want: impl FnMut(&What) -> Option<T>) -> T {
        self.until(|frame| {
            if let ConsoleServer::Event { entry, .. } = frame { want(&entry.what) } else { None }
        })
        .await
    }

    /// The draft of a message, from what was there already or as it comes.
    async fn draft_of(&mut self, turn: u64, entries: &[Entry]) -> Suggestion {
        let made = entries.iter().find_map(|entry| match &entry.what {
            What::SuggestionDone(made) if made.id.turn == turn => Some(made.clone()),
            _ => None,
        });
        match made {
            Some(made) => made,
            None => self.suggestion().await,
        }
    }

    /// Waits for a whole draft.
    async fn suggestion(&mut self) -> Suggestion {
        self.event(|what| {
            if let What::SuggestionDone(suggestion) = what {
                Some(suggestion.clone())
            } else {
                None
            }
        })
        .await
    }

    /// Waits until the inbox shows a session held so.
    async fn shown(&mut self, wanted: &str, want: impl Fn(&Holder) -> bool) -> Summary {
        let ask = ConsoleClient::Inbox {
            id: "shown".into(),
            list: List::All,
            filter: Filter::default(),
            offset: 0,
            limit: 200,
        };
        self.send(&ask).await;
        self.until(|frame| {
            let sessions = match frame {
                ConsoleServer::Inbox { sessions, .. } => sessions.as_slice(),
                ConsoleServer::Session { session, .. } => std::slice::from_ref(session),
                _ => &[],
            };
            sessions
                .iter()
                .find(|session| session.session == wanted && want(&session.holder))
                .cloned()
        })
        .await
    }
}

fn held_by(holder: &Holder, wanted: &Agent) -> bool {
    matches!(holder, Holder::Agent { agent, .. } if agent.id == wanted.id)
}

pub(crate) fn take() -> Action {
    Action::Take {}
}

pub(crate) fn say(text: &str) -> Action {
    Action::Send { text: text.into(), suggestion: None }
}

/// A server whose answers take long enough to be cut, and whose sessions wait for an agent to
/// choose them.
async fn slow() -> TestServer {
    TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 20;
        config.console.auto_routing = false;
    })
    .await
}

async fn quick() -> TestServer {
    TestServer::with(|config| config.console.auto_routing = false).await
}

const LONG: &str = "[[say Orders of 75 EUR or more ship free within Ireland. Shipping within Ireland costs 4.90 EUR. \
                    A parcel within Ireland arrives after 1 to 2 working days. Shipping within Ireland costs 4.90 EUR.]] shipping within Ireland costs";
const QUESTION: &str = "What does shipping within Ireland cost?";

async fn started(visitor: &mut ChatClient) {
    visitor
        .until(|message| matches!(message, ServerMessage::AnswerDelta { .. }).then_some(()))
        .await;
}

#[tokio::test]
async fn who_signs_in_is_known_and_who_does_not_learns_nothing() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Admin).await;
    assert_eq!(mara.get::<Me>("/me").await, mara.me);
    assert_eq!((mara.me.agent.name.as_str(), mara.me.sites[0].role), ("MARA", Role::Admin));

    // An unknown name is answered as a wrong password is.
    let mut answers = Vec::new();
    for (login, password) in [("mara", "wrong password"), ("nobody", "wrong password")] {
        let response = try_sign_in(server.addr(), login, password).await;
        assert!(!response.headers().contains_key("set-cookie"));
        answers.push((response.status().as_u16(), response.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0], answers[1]);

    // Without a cookie, with a forged one, from another page, without the CSRF token.
    let get = |cookie: &str| {
        mara.request(reqwest::Method::GET, "/me").header("cookie", cookie.to_owned())
    };
    let bare = http().get(server.url("/v1/console/me")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let forged = Desk { cookie: "__Host-frontdesk=forged".into(), ..mara.clone() };
    assert_eq!(forged.request(reqwest::Method::GET, "/me").send().await.unwrap().status(), 401);
    let foreign = get(&mara.cookie).header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let foreign = get(&mara.cookie).header("sec-fetch-site", "same-site").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(
        mara.request(reqwest::Method::POST, "/sign-out").send().await.unwrap().status(),
        403
    );
    let wrong = Desk { me: Me { csrf: "wrong".into(), ..mara.me.clone() }, ..mara.clone() };
    assert_eq!(
        wrong.change(reqwest::Method::POST, "/sign-out").send().await.unwrap().status(),
        403
    );
    let other_site =
        mara.request(reqwest::Method::GET, "/sites/bank/statistics").send().await.unwrap();
    assert_eq!(other_site.status(), 403);

    // The socket asks for the same.
    assert!(forged.connect().await.is_err());
    let hello =
        ConsoleClient::Hello { csrf: "wrong".into(), site: "shop".into(), boot: None, rev: 0 };
    let mut socket = mara.connect().await.unwrap();
    socket.send(Message::Text(serde_json::to_string(&hello).unwrap().into())).await.unwrap();
    let mut console =
        Console { socket, welcome: ConsoleServer::Lost { session: String::new() }, ids: 0 };
    assert!(matches!(
        console.next().await,
        ConsoleServer::Error { code: ErrorCode::Forbidden, .. }
    ));
    assert_eq!(console.try_next().await, None);

    // Signing out closes what is open and ends the cookie.
    let mut console = mara.console().await;
    assert_eq!(mara.change(reqwest::Method::POST, "/sign-out").send().await.unwrap().status(), 204);
    while let Some(frame) = console.try_next().await {
        if let ConsoleServer::Error { code, .. } = frame {
            assert_eq!(code, ErrorCode::Unauthorized);
        }
    }
    assert_eq!(mara.request(reqwest::Method::GET, "/me").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_sign_in_ends_by_itself() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Agent).await;
    for _ in 0..5 {
        assert_eq!(try_sign_in(server.addr(), "mara", "wrong password").await.status(), 401);
    }
    let response = try_sign_in(server.addr(), "mara", PASSWORD).await;
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    server.clock.advance(3_000);
    assert_eq!(try_sign_in(server.addr(), "mara", PASSWORD).await.status(), 200);
    server.clock.advance(13 * 3_600_000);
    assert_eq!(mara.request(reqwest::Method::GET, "/me").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn an_agent_takes_over_in_the_middle_of_an_answer_and_gives_back() {
    let server = slow().await;
    let (mara, jo) =
        (desk(&server, "mara", Role::Agent).await, desk(&server, "jo", Role::Agent).await);
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", LONG).await;
    let turn = visitor.acked("m1").await;
    started(&mut visitor).await;

    let (mut one, mut two) = (mara.console().await, jo.console().await);
    let session = visitor.session.clone();
    one.watch(&session, 0).await;
    one.act(&session, take()).await.unwrap();
    assert_eq!(two.act(&session, take()).await, Err(ErrorCode::Held));
    assert_eq!(two.act(&session, say("Me too")).await, Err(ErrorCode::Held));
    assert_eq!(
        two.act(&session, Action::GiveBack { to: GiveTo::Model }).await,
        Err(ErrorCode::Held)
    );
    one.act(&session, say("Hello, Mara here.")).await.unwrap();

    // The visitor sees the cut answer end, the agent join, and from there on not a word of the
    // model.
    let ServerMessage::AnswerDone { end, text, .. } = visitor.done().await else { unreachable!() };
    assert_eq!(end, AnswerEnd::TakenOver);
    assert!(!text.contains("working days"), "{text}");
    assert!(
        matches!(visitor.next().await, ServerMessage::AgentJoined { name, .. } if name == "MARA")
    );
    let ServerMessage::AgentMessage { text, name, .. } = visitor.next().await else {
        panic!("no agent's message")
    };
    assert_eq!((text.as_str(), name.as_str()), ("Hello, Mara here.", "MARA"));
    visitor.say("m2", "Thanks. How long can goods be returned?").await;
    visitor.acked("m2").await;
    // The next message is drafted for the agent; the draft of the one before was given up when the
    // agent spoke.
    let id = one.suggestion().await.id;
    assert!(
        id.turn > turn,
        "the draft for the first message was given up for the newer one: {id:?}"
    );
    one.act(&session, Action::GiveBack { to: GiveTo::Model }).await.unwrap();
    assert!(matches!(visitor.next().await, ServerMessage::AgentLeft { waiting: false, .. }));
    // What stands open is answered by the model.
    let ServerMessage::AnswerDone { end, turn: second, .. } = visitor.done().await else {
        unreachable!()
    };
    assert_eq!((end, second), (AnswerEnd::Complete, id.turn));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_race_for_a_session_and_one_has_it() {
    let server = slow().await;
    let (mara, jo) =
        (desk(&server, "mara", Role::Agent).await, desk(&server, "jo", Role::Agent).await);
    let (mut one, mut two) = (mara.console().await, jo.console().await);
    for round in 0..8 {
        let mut visitor = server.client().await.hello().await;
        visitor.say("m1", LONG).await;
        visitor.acked("m1").await;
        if round % 2 == 0 {
            started(&mut visitor).await;
        }
        let session = visitor.session.clone();
        let (first, second) = tokio::join!(one.act(&session, take()), two.act(&session, take()));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let loser = first.and(second).unwrap_err();
        assert_eq!(loser, ErrorCode::Held);
        let winner = if first.is_ok() { &mut one } else { &mut two };
        winner.act(&session, say("Hello")).await.unwrap();
        // Everything after the joining, up to the agent's own words and the visitor's next
        // acknowledgement.
        visitor
            .until(|message| matches!(message, ServerMessage::AgentJoined { .. }).then_some(()))
            .await;
        visitor.say("m2", "And returns?").await;
        loop {
            match visitor.next().await {
                ServerMessage::Ack { .. } => break,
                ServerMessage::AgentMessage { text, .. } => assert_eq!(text, "Hello"),
                other => panic!("{other:?} after the agent joined"),
            }
        }
    }
}

#[tokio::test]
async fn a_visitor_who_types_is_seen_by_who_watches_and_by_who_holds_and_not_a_word_of_it() {
    let server = quick().await;
    let (mara, jo) =
        (desk(&server, "mara", Role::Agent).await, desk(&server, "jo", Role::Agent).await);
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let (mut watching, mut holding, mut elsewhere) =
        (mara.console().await, jo.console().await, mara.console().await);
    watching.watch(&session, 0).await;
    // Held, and not open on this console.
    let last_seq = holding.act(&session, take()).await.unwrap();
    visitor
        .until(|message| matches!(message, ServerMessage::AgentJoined { .. }).then_some(()))
        .await;

    let typing = |session: &str| ConsoleServer::Typing { session: session.to_owned() };
    let draft = ClientMessage::Typing { text: Some("SECRET words".into()) };
    // Surplus is passed over: of many signs at once one arrives, before the message that ends the
    // typing.
    for _ in 0..20 {
        visitor.send(&draft).await;
    }
    visitor.say("m2", "And to Austria?").await;
    let seq = visitor.acked("m2").await;
    assert_eq!(seq, last_seq + 1, "nothing of the typing is stored");
    let mut signs = 0;
    let mut frames = String::new();
    watching
        .until(|frame| {
            frames.push_str(&serde_json::to_string(frame).unwrap());
            signs += usize::from(*frame == typing(&session));
            matches!(frame, ConsoleServer::Event { entry, .. } if entry.seq == seq).then_some(())
        })
        .await;
    assert_eq!(signs, 1);
    assert!(!frames.contains("SECRET"), "{frames}");
    holding.until(|frame| (*frame == typing(&session)).then_some(())).await;
    // After a message the next sign is passed on at once; an empty composer is none.
    visitor.send(&ClientMessage::Typing { text: Some(String::new()) }).await;
    visitor.send(&ClientMessage::Typing { text: None }).await;
    watching.until(|frame| (*frame == typing(&session)).then_some(())).await;
    holding.until(|frame| (*frame == typing(&session)).then_some(())).await;
    // Who neither watches nor holds hears of the message and of no typing.
    elsewhere
        .until(|frame| {
            assert!(!matches!(frame, ConsoleServer::Typing { .. }));
            matches!(frame, ConsoleServer::Session { session, .. } if session.visitor_seq == seq)
                .then_some(())
        })
        .await;
}

#[tokio::test]
async fn an_agent_who_types_is_seen_by_the_visitor_while_holding_alone() {
    let server = quick().await;
    let (mara, jo) =
        (desk(&server, "mara", Role::Agent).await, desk(&server, "jo", Role::Agent).await);
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let (mut one, mut two) = (mara.console().await, jo.console().await);
    one.watch(&session, 0).await;
    two.watch(&session, 0).await;
    let types = ConsoleClient::Typing { session: session.clone() };
    let typing = |message: &ServerMessage| matches!(message, ServerMessage::AgentTyping { .. });

    // Nobody holds it yet, then somebody else does: nothing for the visitor. The `ok` shows that
    // the sign before it was heard.
    two.send(&types).await;
    one.act(&session, take()).await.unwrap();
    two.send(&types).await;
    two.act(&session, Action::Note { text: "I read along".into() }).await.unwrap();
    one.act(&session, say("Let me look.")).await.unwrap();
    visitor
        .until(|message| {
            assert!(!typing(message), "{message:?}");
            matches!(message, ServerMessage::AgentMessage { .. }).then_some(())
        })
        .await;

    // The holder's first sign arrives with the name, the surplus is passed over, and after a
    // message the next one passes.
    for text in ["4.90 EUR.", "Anything else?"] {
        for _ in 0..20 {
            one.send(&types).await;
        }
        one.act(&session, say(text)).await.unwrap();
        let mut names = Vec::new();
        let seq = visitor
            .until(|message| match message {
                ServerMessage::AgentTyping { name } => {
                    names.push(name.clone());
                    None
                }
                ServerMessage::AgentMessage { seq, .. } => Some(*seq),
                _ => None,
            })
            .await;
        assert_eq!(names, ["MARA"], "before message {seq}");
    }
    // A client that comes back is told of messages, and of no typing: nothing of it was stored.
    let mut again = visitor.resume_at(server.addr(), 0, None).await;
    again
        .until(|message| {
            assert!(!typing(message));
            matches!(message, ServerMessage::AgentMessage { text, .. } if text == "Anything else?")
                .then_some(())
        })
        .await;
}

#[tokio::test]
async fn drafts_stream_to_agents_alone_and_what_became_of_them_is_counted() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "How long can unused goods be returned?").await;
    let session = visitor.session.clone();
    let mut console = mara.console().await;
    console.watch(&session, 0).await;
    console.act(&session, take()).await.unwrap();
    console.act(&session, Action::Note { text: "SECRET: a difficult one".into() }).await.unwrap();

    // Sent as it is.
    visitor.say("m2", QUESTION).await;
    let (mut text, mut id) = (String::new(), None);
    let draft = console
        .until(|frame| match frame {
            ConsoleServer::SuggestionStarted { suggestion, wish, .. } => {
                assert_eq!(*wish, Wish::Answer);
                id = Some(*suggestion);
                None
            }
            ConsoleServer::SuggestionDelta { suggestion, offset, text: more, .. } => {
                assert_eq!((Some(*suggestion), *offset), (id, text.chars().count() as u64));
                text.push_str(more);
                None
            }
            ConsoleServer::Event { entry, .. } => match &entry.what {
                What::SuggestionDone(suggestion) => Some(suggestion.clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!((Some(draft.id), &draft.text), (id, &text));
    assert!(draft.text.contains("4.90 EUR") && draft.confidence > 0.5, "{draft:?}");
    assert_eq!(draft.citations[0].document, "shipping.md");
    let send =
        |text: &str, id: SuggestionId| Action::Send { text: text.into(), suggestion: Some(id) };
    console.act(&session, send(&draft.text, draft.id)).await.unwrap();
    // Edited.
    visitor.say("m3", QUESTION).await;
    let second = console.suggestion().await;
    console
        .act(&session, send(&format!("{} Anything else?", second.text), second.id))
        .await
        .unwrap();
    let distance = console
        .event(|what| match what {
            What::SuggestionDecided { decision: Decision::Edited, distance, .. } => Some(*distance),
            _ => None,
        })
        .await;
    let expected = 15.0 / (second.text.trim().chars().count() + 15) as f32;
    assert!((distance - expected).abs() < 1e-3, "{distance} {expected}");
    // Rejected, over HTTP.
    visitor.say("m4", QUESTION).await;
    let third = console.suggestion().await;
    let action = serde_json::json!({ "id": "r1", "action": { "do": "reject", "suggestion": third.id, "reason": "no use" } });
    let path = format!("/sites/shop/sessions/{session}/actions");
    let post = async || {
        mara.change(reqwest::Method::POST, &path).json(&action).send().await.unwrap().status()
    };
    assert_eq!(
        (post().await, post().await),
        (reqwest::StatusCode::OK, reqwest::StatusCode::OK),
        "twice is once"
    );
    let unknown = SuggestionId { turn: 1, version: 7 };
    assert_eq!(console.act(&session, send("x", unknown)).await, Err(ErrorCode::NotFound));

    let found: Statistics = mara.get("/sites/shop/statistics?days=1").await;
    let counts = &found.suggestions;
    assert_eq!((counts.made, counts.sent, counts.edited, counts.rejected), (3, 1, 1, 1));
    assert_eq!(counts.acceptance_rate, Some(2.0 / 3.0));
    assert!((counts.mean_edit_distance.unwrap() - expected / 2.0).abs() < 1e-3);
    assert_eq!(counts.reject_reasons, [("no use".to_owned(), 1)]);
    assert_eq!((found.agents[0].messages, found.agents[0].agent.name.as_str()), (2, "MARA"));

    // A visitor who reads it all sees none of the inside.
    let mut late = visitor.resume_at(visitor.addr, 0, None).await;
    late.send(&ClientMessage::End { session: None }).await;
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(ServerMessage::Ended { .. })) {
        seen.push(late.next().await);
    }
    let all = serde_json::to_string(&seen).unwrap();
    for inside in ["SECRET", "suggestion", "wish", "no use", "decision", "distance"] {
        assert!(!all.contains(inside), "{inside}: {all}");
    }
    assert!(all.contains("Anything else?"));
}

#[tokio::test]
async fn a_rewrite_invents_nothing() {
    // A model that has not qualified rewrites nothing and says so.
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let mut console = mara.console().await;
    console.watch(&session, 0).await;
    let suggest =
        |wish, language: Option<&str>| Action::Suggest { wish, language: language.map(Into::into) };
    console.act(&session, suggest(Wish::Answer, None)).await.unwrap();
    let first = console.suggestion().await;
    console.act(&session, suggest(Wish::Warmer, None)).await.unwrap();
    let given_up = console.until(|frame| match frame {
        ConsoleServer::SuggestionStopped { why, .. } => Some(why.clone()),
        ConsoleServer::Event { entry: Entry { what: What::SuggestionDone(made), .. }, .. } => {
            panic!("{made:?}")
        }
        _ => None,
    });
    assert_eq!(
        given_up.await.as_deref(),
        Some("not_qualified"),
        "nothing changed, and nothing is called a version"
    );
    assert!(first.confidence < 1.0);

    // One that may phrase goes through the gate: the scripted one repeats its whole prompt, and of
    // that only what the draft holds is kept.
    let server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.console.auto_routing = false;
    })
    .await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let mut console = mara.console().await;
    console.watch(&session, 0).await;
    console.act(&session, suggest(Wish::Answer, None)).await.unwrap();
    let first = console.suggestion().await;
    for (wish, language) in [(Wish::Shorter, None), (Wish::Translated, Some("de"))] {
        console.act(&session, suggest(wish, language)).await.unwrap();
        let rewritten = console.suggestion().await;
        assert_eq!(rewritten.wish, wish);
        assert!(rewritten.text.contains("4.90 EUR"), "{rewritten:?}");
        assert_eq!(rewritten.citations, first.citations);
        assert!(rewritten.confidence <= first.confidence, "{rewritten:?}");
    }
    assert_eq!(
        console.act(&session, suggest(Wish::Translated, Some("Klingon"))).await,
        Err(ErrorCode::BadMessage)
    );
}

#[tokio::test]
async fn a_site_that_suggests_sends_nothing_without_a_person() {
    let server = TestServer::with(|config| {
        config.sites[0].answers = Answers::Suggest;
        config.console.auto_routing = false;
    })
    .await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", QUESTION).await;
    visitor.acked("m1").await;
    let session = visitor.session.clone();
    let mut console = mara.console().await;
    let (summary, entries) = console.watch(&session, 0).await;
    assert!(matches!(
        summary.holder,
        Holder::Queue { reason: Some(HandoffReason::SuggestOnly), place: 1, .. }
    ));
    let draft = console.draft_of(summary.visitor_seq, &entries).await;
    console
        .act(&session, Action::Send { text: draft.text.clone(), suggestion: Some(draft.id) })
        .await
        .unwrap();
    let text = visitor
        .until(|message| match message {
            ServerMessage::AgentMessage { text, .. } => Some(text.clone()),
            ServerMessage::AnswerStarted { .. }
            | ServerMessage::AnswerDelta { .. }
            | ServerMessage::AnswerDone { .. } => {
                panic!("{message:?} without a person")
            }
            _ => None,
        })
        .await;
    assert_eq!(text, draft.text);

    // What the documents don't hold is said to the agent.
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", "Who won the chess world championship in 1972?").await;
    visitor.acked("m1").await;
    let (summary, entries) = console.watch(&visitor.session, 0).await;
    let draft = console.draft_of(summary.visitor_seq, &entries).await;
    assert_eq!(draft.end, AnswerEnd::Declined);
    assert_eq!(draft.note, Some(NoteCode::NoAnswer.into()));
    // So is whoever writes articles; gaps are noted beside the draft.
    let gaps = async || mara.get::<serde_json::Value>("/sites/shop/gaps").await;
    while gaps().await["gaps"].as_array().is_none_or(Vec::is_empty) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn waiting_visitors_are_told_the_truth_and_routed_within_limits() {
    let server =
        TestServer::with(|config| config.sites[0].contact = "help@shop.example".into()).await;
    account_with(&server, "mara", Role::Agent, Some(1)).await;
    let mut first = server.client().await.hello().await;
    first.say("m1", "I want to talk to a human").await;
    let told = async |visitor: &mut ChatClient, wanted: (usize, bool)| {
        visitor
            .until(|message| match message {
                ServerMessage::HumanQueue { place, available, contact } => {
                    assert_eq!(contact.as_deref(), Some("help@shop.example"));
                    ((*place, *available) == wanted).then_some(())
                }
                _ => None,
            })
            .await;
    };
    told(&mut first, (1, false)).await;
    server.clock.advance(1);
    let mut second = server.client().await.hello().await;
    second.send(&ClientMessage::Human {}).await;
    told(&mut second, (2, false)).await;

    // One agent comes, with room for one: the first in line.
    let mara = Desk::sign_in(server.addr(), "mara").await;
    let mut console = mara.console().await;
    first.until(|message| matches!(message, ServerMessage::AgentJoined { .. }).then_some(())).await;
    told(&mut second, (1, true)).await;
    let (_, entries) = console.watch(&first.session, 0).await;
    let by = entries.iter().find_map(|entry| match &entry.what {
        What::AgentJoined { by, .. } => by.clone(),
        _ => None,
    });
    assert_eq!(by.as_deref(), Some("routing"));
    // Who goes on a break gets nothing; who comes back does.
    let set = |id: &str, available| ConsoleClient::Availability { id: id.into(), available };
    console.send(&set("v1", false)).await;
    told(&mut second, (1, false)).await;
    console.act(&first.session, Action::End {}).await.unwrap();
    console.send(&set("v2", true)).await;
    second
        .until(|message| matches!(message, ServerMessage::AgentJoined { .. }).then_some(()))
        .await;
}

#[tokio::test]
async fn rules_call_a_person() {
    let server = TestServer::with(|config| {
        config.console.auto_routing = false;
        config.sites[0].handoff.topics = vec!["lawyer".into()];
        config.sites[0].handoff.intent_from = 0.3;
    })
    .await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut console = mara.console().await;
    let cheese = "Who won the cheese rolling championship of 1972?";
    for (messages, expected) in [
        (vec!["This is ridiculous, nobody helps me"], HandoffReason::Anger),
        (vec!["My lawyer will write to you"], HandoffReason::SensitiveTopic),
        (vec![cheese, cheese], HandoffReason::LowConfidence),
        (
            vec!["How much is the Tarn 2, is it in stock, and can I pay by invoice?"],
            HandoffReason::HighIntent,
        ),
    ] {
        let mut visitor = server.client().await.hello().await;
        for (i, text) in messages.iter().enumerate() {
            // The assistant goes on answering meanwhile.
            visitor.ask(&format!("m{i}"), text).await;
        }
        let holder =
            console.shown(&visitor.session, |holder| *holder != Holder::Model).await.holder;
        assert!(
            matches!(holder, Holder::Queue { reason: Some(reason), .. } if reason == expected),
            "{holder:?}"
        );
    }
}

#[tokio::test]
async fn a_held_session_outlives_a_restart_and_an_agent_who_vanishes_does_not_keep_it() {
    let mut server = TestServer::with(|config| {
        config.console.auto_routing = false;
        config.console.vanish_s = 5;
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 20;
    })
    .await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut console = mara.console().await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", LONG).await;
    visitor.acked("m1").await;
    started(&mut visitor).await;
    let session = visitor.session.clone();
    console.act(&session, take()).await.unwrap();
    visitor.say("m2", LONG).await;
    let second = visitor.acked("m2").await;
    server.restart().await;

    // The sign-in still holds, the session is still held, the draft that was cut is made again.
    let mara = Desk { addr: server.addr(), ..mara };
    let mut console = mara.console().await;
    let (summary, entries) = console.watch(&session, 0).await;
    assert!(held_by(&summary.holder, &mara.me.agent), "{summary:?}");
    assert!(!console.draft_of(second, &entries).await.text.is_empty());
    let mut visitor = visitor.resume_at(server.addr(), 0, None).await;
    console.act(&session, say("Still here.")).await.unwrap();
    let mut joined = false;
    visitor
        .until(|message| match message {
            ServerMessage::AgentJoined { .. } => {
                joined = true;
                None
            }
            ServerMessage::AnswerDelta { .. } if joined => {
                panic!("the model spoke while an agent held")
            }
            ServerMessage::AgentMessage { text, .. } => (text == "Still here.").then_some(()),
            _ => None,
        })
        .await;
    drop(console);
    let waiting = visitor
        .until(|message| {
            if let ServerMessage::AgentLeft { waiting, .. } = message {
                Some(*waiting)
            } else {
                None
            }
        })
        .await;
    assert!(waiting);
    let mut console = mara.console().await;
    let (summary, entries) = console.watch(&session, 0).await;
    assert!(
        matches!(summary.holder, Holder::Queue { reason: Some(HandoffReason::AgentGone), .. }),
        "{summary:?}"
    );
    let vanished =
        |entry: &Entry| matches!(entry.what, What::AgentLeft { reason: LeaveReason::Vanished, .. });
    assert!(entries.iter().any(vanished));
}

#[tokio::test]
async fn who_is_removed_is_out_at_once() {
    let server = quick().await;
    let boss = desk(&server, "boss", Role::Admin).await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let (mut watching, mut console) = (boss.console().await, mara.console().await);
    console.act(&session, take()).await.unwrap();
    watching.shown(&session, |holder| held_by(holder, &mara.me.agent)).await;

    let path = format!("/sites/shop/agents/{}", mara.me.agent.id);
    assert_eq!(
        mara.change(reqwest::Method::DELETE, &path).send().await.unwrap().status(),
        403,
        "agents remove nobody"
    );
    assert_eq!(boss.change(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 204);
    let mut codes = Vec::new();
    while let Some(frame) = console.try_next().await {
        if let ConsoleServer::Error { code, .. } = frame {
            codes.push(code);
        }
    }
    assert_eq!(codes, [ErrorCode::Unauthorized]);
    assert_eq!(mara.request(reqwest::Method::GET, "/me").send().await.unwrap().status(), 401);
    assert!(mara.connect().await.is_err());
    let back = |holder: &Holder| {
        matches!(holder, Holder::Queue { reason: Some(HandoffReason::AgentGone), .. })
    };
    watching.shown(&session, back).await;
}

#[tokio::test]
async fn consoles_see_the_same_and_resume_by_revision() {
    let server = quick().await;
    let (mara, jo) =
        (desk(&server, "mara", Role::Agent).await, desk(&server, "jo", Role::Agent).await);
    let mut visitors = Vec::new();
    for i in 0..5 {
        let mut visitor = server.client().await.hello().await;
        server.clock.advance(1_000);
        visitor.ask("m1", &format!("{QUESTION} ({i})")).await;
        visitors.push(visitor);
    }
    let mut one = mara.console().await;
    let list = |list, offset, text: Option<&str>| ConsoleClient::Inbox {
        id: "i".into(),
        list,
        filter: Filter { text: text.map(Into::into), ..Filter::default() },
        offset,
        limit: 2,
    };
    let window = |frame: &ConsoleServer| match frame {
        ConsoleServer::Inbox { sessions, total, rev, .. } => Some((sessions.clone(), *total, *rev)),
        _ => None,
    };
    one.send(&list(List::All, 2, None)).await;
    let (sessions, total, _) = one.until(window).await;
    assert_eq!(total, 5);
    let ids: Vec<&str> = sessions.iter().map(|session| session.session.as_str()).collect();
    assert_eq!(
        ids,
        [visitors[2].session.as_str(), visitors[1].session.as_str()],
        "the newest first"
    );
    one.send(&list(List::All, 0, Some(&visitors[3].session[..8]))).await;
    assert_eq!(one.until(window).await.0[0].session, visitors[3].session);
    one.send(&list(List::All, 9, None)).await;
    let rev = one.until(window).await.2;
    let ConsoleServer::Welcome { boot, .. } = one.welcome.clone() else { unreachable!() };

    // What happens elsewhere arrives, who watches is seen, and a mark travels to the agent's other
    // console.
    let mut other = mara.console().await;
    let mut two = jo.console().await;
    let session = visitors[0].session.clone();
    two.watch(&session, 0).await;
    two.act(&session, take()).await.unwrap();
    let summary = one.shown(&session, |holder| held_by(holder, &jo.me.agent)).await;
    assert_eq!(summary.watchers, std::slice::from_ref(&jo.me.agent.id));
    one.send(&ConsoleClient::Read { session: session.clone(), seq: 4 }).await;
    other.until(|frame| matches!(frame, ConsoleServer::Read { seq: 4, .. }).then_some(())).await;

    let mut again = mara.console_at(Some(boot), rev).await;
    let ConsoleServer::Welcome { reset, read, .. } = again.welcome.clone() else { unreachable!() };
    assert!(!reset);
    assert_eq!(read.get(&session), Some(&4));
    let changed = again
        .until(|frame| {
            if let ConsoleServer::Session { session, .. } = frame {
                Some(session.clone())
            } else {
                None
            }
        })
        .await;
    assert_eq!(changed.session, session, "only what changed since");
    let fresh = mara.console_at(Some("another run".into()), rev).await;
    assert!(matches!(fresh.welcome, ConsoleServer::Welcome { reset: true, .. }));
}

#[tokio::test]
async fn notes_are_found_and_what_is_erased_is_gone_everywhere() {
    let server = quick().await;
    let boss = desk(&server, "boss", Role::Admin).await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let session = visitor.session.clone();
    let mut console = boss.console().await;
    console.act(&session, Action::Note { text: "Wants a Zanzibar discount".into() }).await.unwrap();
    console.send(&ConsoleClient::Read { session: session.clone(), seq: 4 }).await;
    let find = async |words: &str| -> Vec<String> {
        let found: frontdesk::protocol::console::Found =
            boss.get(&format!("/sites/shop/search?q={words}")).await;
        found.sessions.into_iter().map(|found| found.session).collect()
    };
    assert_eq!(find("zanzibar+ireland").await, std::slice::from_ref(&session));
    assert_eq!(find("zanzibar+bicycle").await, Vec::<String>::new());

    let passages: frontdesk::protocol::console::Passages =
        jo.get(&format!("/sites/shop/sessions/{session}/passages?turn=2")).await;
    assert_eq!(passages.question, QUESTION);
    assert!(
        passages.passages[0].cited && passages.passages[0].document == "shipping.md",
        "{passages:?}"
    );

    let path = format!("/sites/shop/sessions/{session}");
    assert_eq!(jo.change(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 403);
    assert_eq!(boss.change(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 204);
    console.until(|frame| matches!(frame, ConsoleServer::SessionGone { .. }).then_some(())).await;
    assert_eq!(find("zanzibar").await, Vec::<String>::new());
    assert_eq!(boss.request(reqwest::Method::GET, &path).send().await.unwrap().status(), 404);
    let ConsoleServer::Welcome { read, counts, .. } = boss.console().await.welcome else {
        unreachable!()
    };
    assert!(read.is_empty() && counts.all == 0, "{read:?} {counts:?}");
}

#[tokio::test]
async fn what_only_came_close_is_not_called_cited() {
    let server = TestServer::with(|config| {
        config.console.auto_routing = false;
        config.knowledge.path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge/help");
    })
    .await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    let done = visitor.ask("m1", "What can't I return?").await;
    let ServerMessage::AnswerDone { turn, citations, .. } = done else { unreachable!() };
    let near: Vec<&str> =
        citations.iter().filter(|one| one.related).map(|one| one.document.as_str()).collect();
    assert!(!near.is_empty(), "{citations:?}");
    let path = format!("/sites/shop/sessions/{}/passages?turn={turn}", visitor.session);
    let passages: frontdesk::protocol::console::Passages = jo.get(&path).await;
    assert!(
        passages.passages.iter().any(|passage| near.contains(&passage.document.as_str())),
        "{passages:?}"
    );
    for passage in &passages.passages {
        assert!(!passage.cited || passage.document == "returns.md", "{passage:?}");
    }
    assert!(passages.passages.iter().any(|passage| passage.cited), "{passages:?}");
}

#[tokio::test]
async fn canned_replies_are_kept_by_shortcut() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let put = async |body: serde_json::Value| {
        let response = mara
            .change(reqwest::Method::PUT, "/sites/shop/canned")
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
    };
    let body =
        serde_json::json!({ "shortcut": "hi", "title": "Hello", "text": "Hello, how can I help?" });
    let (status, kept) = put(body.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(put(body).await.0, 409);
    let mut changed = kept.clone();
    changed["text"] = "Good morning".into();
    assert_eq!(put(changed.clone()).await.0, 200);
    assert_eq!(
        mara.get::<serde_json::Value>("/sites/shop/canned").await["canned"],
        serde_json::json!([changed])
    );
    assert_eq!(
        put(serde_json::json!({ "shortcut": "/x", "title": "x", "text": "x" })).await.0,
        400
    );
    let path = format!("/sites/shop/canned/{}", kept["id"].as_str().unwrap());
    let remove = async || {
        mara.change(reqwest::Method::DELETE, &path).send().await.unwrap().status().as_u16()
    };
    assert_eq!((remove().await, remove().await), (204, 404));
}

#[tokio::test]
async fn bad_frames_of_a_console_are_answered_and_cost_nothing() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Agent).await;
    let mut console = mara.console().await;
    for text in ["", "[]", r#"{"type":"shout"}"#, r#"{"type":"read","session":"s","seq":-1}"#] {
        console.socket.send(Message::Text(text.into())).await.unwrap();
        let code =
            console
                .until(|frame| {
                    if let ConsoleServer::Error { code, .. } = frame { Some(*code) } else { None }
                })
                .await;
        assert_eq!(code, ErrorCode::BadMessage, "{text}");
    }
    assert_eq!(console.act("no-such-session", take()).await, Err(ErrorCode::UnknownSession));
    assert_eq!(console.act("nul\0nul", take()).await, Err(ErrorCode::UnknownSession));
    assert_eq!(console.act("s", say("")).await, Err(ErrorCode::BadMessage));
    assert_eq!(console.act("s", say(&"x".repeat(4_001))).await, Err(ErrorCode::TooLarge));
    assert_eq!(
        console.act("s", Action::Assign { agent: "nobody".into() }).await,
        Err(ErrorCode::UnknownAgent)
    );
}

/// Promise 1 and 2 with the real binary: what an agent held and said before `kill -9` stands after
/// it, and the model stays silent.
#[tokio::test]
async fn a_kill_while_held_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let mut options = config(directory.path());
    options.answers.mode = Mode::Generate;
    options.llm.scripted_token_ms = 20;
    options.console.auto_routing = false;
    let path = write_config(directory.path(), &options);
    // The account comes from the command line, its password over standard input.
    let mut add = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .arg("--config")
        .arg(&path)
        .args(["agent", "add", "mara", "--name", "MARA", "--role", "admin", "--json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use tokio::io::AsyncWriteExt as _;
    add.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).await.unwrap();
    let output = add.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let account: frontdesk::protocol::console::Account =
        serde_json::from_slice(&output.stdout).unwrap();

    let server = Binary::serve(&path, &["--ingest"]).await;
    // While it runs, the same command goes over the admin listener.
    let list = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .arg("--config")
        .arg(&path)
        .args(["agent", "list", "--json"])
        .env("FRONTDESK_SERVER_ADMIN_BIND", server.admin_addr.to_string())
        .output()
        .await
        .unwrap();
    let listed: Vec<frontdesk::protocol::console::Account> =
        serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(listed, std::slice::from_ref(&account));
    let mara = Desk::sign_in(server.addr, "mara").await;
    assert_eq!(mara.me.agent, account.agent);
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;
    visitor.say("m1", LONG).await;
    visitor.acked("m1").await;
    started(&mut visitor).await;
    let session = visitor.session.clone();
    let mut console = mara.console().await;
    let joined = console.act(&session, take()).await.unwrap();
    let said = console.act(&session, say("Mara here.")).await.unwrap();
    visitor.say("m2", LONG).await;
    let second = visitor.acked("m2").await;
    server.kill().await;

    let server = Binary::serve(&path, &[]).await;
    let mara = Desk { addr: server.addr, ..mara };
    let mut console = mara.console().await;
    let (summary, entries) = console.watch(&session, 0).await;
    assert!(held_by(&summary.holder, &account.agent), "{summary:?}");
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "gapless");
    let at = |seq: u64| &entries[seq as usize - 1].what;
    assert!(matches!(at(joined), What::AgentJoined { .. }));
    assert!(matches!(at(said), What::AgentMessage { text, .. } if text == "Mara here."));
    assert!(matches!(at(second), What::Message { id, .. } if id == "m2"));
    let after = entries.iter().skip(joined as usize);
    assert!(
        after.clone().all(|entry| !matches!(
            entry.what,
            What::AnswerStarted { .. } | What::AnswerDone { .. }
        ))
    );
    // The draft that the kill cut is made again.
    assert_eq!(console.draft_of(second, &entries).await.id.turn, second);
    assert_eq!(server.terminate().await, Some(0));
}

#[derive(serde::Deserialize)]
struct GapList {
    enabled: bool,
    total: usize,
    gaps: Vec<frontdesk::gaps::Gap>,
}

/// The site's gaps in a state, once there is one.
async fn gaps(agent: &Desk, state: &str) -> GapList {
    for _ in 0..3_000 {
        let list: GapList = agent.get(&format!("/sites/shop/gaps?state={state}")).await;
        if list.total > 0 {
            return list;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no gap is {state}")
}

#[tokio::test]
async fn an_agent_writes_the_missing_article_and_the_question_is_answered() {
    let server = TestServer::with(|config| config.answers.mode = Mode::Quote).await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let question = "What does it cost to rent snowshoes for a weekend?";
    let mut visitor = server.client().await.hello().await;
    let answer = visitor.ask("m1", question).await;
    assert!(
        matches!(answer, ServerMessage::AnswerDone { end: AnswerEnd::Declined, .. }),
        "{answer:?}"
    );
    let list = gaps(&jo, "open").await;
    let gap = &list.gaps[0];
    assert!(
        list.enabled
            && list.total == 1
            && gap.question == question
            && gap.state == frontdesk::gaps::State::Open
    );

    // Who may, and what is refused.
    let path = format!("/sites/shop/gaps/{}/article", gap.id);
    let article = |title: &str, text: &str, audience: &str| serde_json::json!({ "title": title, "text": text, "audience": audience });
    let send = async |path: &str, body: serde_json::Value| {
        let response = jo.change(reqwest::Method::POST, path).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
    };
    let good = article(
        "Snowshoe rental",
        "We rent out snowshoes for a weekend. A pair costs 18 EUR.",
        "public",
    );
    let bare = jo.request(reqwest::Method::POST, &path).json(&good).send().await.unwrap();
    assert_eq!(bare.status(), 403, "without the CSRF token");
    assert_eq!(send(&path.replace("shop", "bank"), good.clone()).await.0, 403);
    assert_eq!(send("/sites/shop/gaps/0123456789abcdef/article", good.clone()).await.0, 404);
    for (title, text) in [
        ("", "x"),
        ("x", " "),
        (&*"x".repeat(201), "x"),
        ("x", &*"x".repeat(40_001)),
        ("two\nlines", "x"),
        ("x", "\u{7}"),
    ] {
        let (status, body) = send(&path, article(title, text, "public")).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (400, Some("bad_message")),
            "{title:.20} {text:.20}"
        );
    }
    assert_eq!(send(&path, article("x", "x", "everybody")).await.0, 400);

    // For agents alone: their drafts know it, visitors don't, and the gap stays.
    let (status, tried) = send(
        &path,
        article(
            "Snowshoe rental",
            "We rent out snowshoes for a weekend. A pair costs 18 EUR.",
            "agents",
        ),
    )
    .await;
    assert_eq!(
        (status, &tried["answered"], &tried["by_article"], &tried["closed"]),
        (200, &true.into(), &true.into(), &false.into()),
        "{tried}"
    );
    let again = visitor.ask("m2", question).await;
    assert!(
        matches!(again, ServerMessage::AnswerDone { end: AnswerEnd::Declined, .. }),
        "{again:?}"
    );

    // For everybody: the answer is there with its source, the gap is closed, and the visitor hears
    // the same.
    let (status, tried) = send(&path, good).await;
    assert_eq!(
        (status, &tried["answered"], &tried["by_article"], &tried["closed"]),
        (200, &true.into(), &true.into(), &true.into()),
        "{tried}"
    );
    let document = format!("api:gaps/{}.md", gap.id);
    assert_eq!(
        (tried["document"].as_str(), tried["citations"][0]["document"].as_str()),
        (Some(&*document), Some(&*document))
    );
    assert!(tried["text"].as_str().unwrap().contains("18 EUR"), "{tried}");
    let closed = gaps(&jo, "closed").await;
    assert_eq!(closed.gaps[0].answered_by.as_ref().unwrap().document, document);
    let (text, sources) = crate::support::answer(&visitor.ask("m3", question).await);
    assert!(text.contains("18 EUR") && sources == [document], "{text}");

    // Taken back, the question is open again, and nothing is left to answer it from.
    let back = jo.change(reqwest::Method::DELETE, &path).send().await.unwrap();
    assert_eq!(back.status(), 204);
    assert_eq!(jo.change(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 404);
    assert_eq!(gaps(&jo, "open").await.gaps[0].id, gap.id);
    let gone = visitor.ask("m4", question).await;
    assert!(matches!(gone, ServerMessage::AnswerDone { end: AnswerEnd::Declined, .. }), "{gone:?}");

    // Dismissed and opened again.
    assert_eq!(
        send(&format!("/sites/shop/gaps/{}/dismiss", gap.id), serde_json::Value::Null).await.0,
        200
    );
    assert_eq!(gaps(&jo, "dismissed").await.total, 1);
    assert_eq!(
        send(&format!("/sites/shop/gaps/{}/reopen", gap.id), serde_json::Value::Null).await.0,
        200
    );
    assert_eq!(gaps(&jo, "open").await.total, 1);
}

#[tokio::test]
async fn what_agents_replied_is_drafted_tried_published_and_erased() {
    let server = TestServer::with(|config| config.answers.mode = Mode::Quote).await;
    let boss = desk(&server, "boss", Role::Admin).await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let question = "What does it cost to rent snowshoes for a weekend?";
    let mut console = jo.console().await;
    let mut sessions = Vec::new();
    for reply in [
        "Hello Anna! A pair of snowshoes costs 18 EUR for a weekend. I have put one aside for you.",
        "A pair of snowshoes costs 22 EUR for a weekend.",
    ] {
        let mut visitor = server.client().await.hello().await;
        visitor.ask("m1", question).await;
        console.watch(&visitor.session, 0).await;
        console.act(&visitor.session, take()).await.unwrap();
        console.act(&visitor.session, say(reply)).await.unwrap();
        sessions.push(visitor.session.clone());
        server.clock.advance(1_000);
    }
    let gap = loop {
        let list = gaps(&jo, "open").await;
        if list.gaps[0].count == 2 {
            break list.gaps[0].id.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let path = format!("/sites/shop/drafts/{gap}");
    let send = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        let response = jo.change(method, path).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default())
    };
    use reqwest::Method;
    let none = serde_json::Value::Null;
    // Nothing is made by itself.
    let missing = jo.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(send(Method::POST, &format!("{path}/trial"), serde_json::json!({})).await.0, 404);
    let unknown = "/sites/shop/drafts/0123456789abcdef";
    assert_eq!(send(Method::POST, unknown, none.clone()).await.0, 404);
    assert_eq!(send(Method::POST, &path.replace("shop", "bank"), none.clone()).await.0, 403);
    let bare = jo.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(bare.status(), 403, "without the CSRF token");

    let (status, draft) = send(Method::POST, &path, none.clone()).await;
    assert_eq!(status, 200, "{draft}");
    assert_eq!(draft["title"], question, "{draft}");
    let sentences = draft["sentences"].as_array().unwrap();
    let texts: Vec<&str> =
        sentences.iter().filter_map(|sentence| sentence["text"].as_str()).collect();
    assert_eq!(
        texts,
        [
            "A pair of snowshoes costs 18 EUR for a weekend.",
            "A pair of snowshoes costs 22 EUR for a weekend."
        ],
        "{draft}"
    );
    for (sentence, session) in sentences.iter().zip(&sessions) {
        let source = &sentence["sources"][0];
        assert_eq!(
            (source["session"].as_str(), source["agent"].as_str()),
            (Some(&**session), Some("JO"))
        );
    }
    assert_eq!(draft["contradictions"][0]["says"], serde_json::json!(["18 EUR", "22 EUR"]));
    assert!(!draft.to_string().contains("Anna"), "{draft}");

    // An agent decides which of them holds, and sees what visitors would get.
    let article = serde_json::json!({ "title": "Snowshoe rental", "text": texts[0] });
    let (status, trial) = send(Method::POST, &format!("{path}/trial"), article.clone()).await;
    assert_eq!((status, &trial["all"], &trial["count"]), (200, &true.into(), &none), "{trial}");
    let beside = serde_json::json!({ "title": "Opening hours", "text": "We open at nine." });
    let (_, trial) = send(Method::POST, &format!("{path}/trial"), beside).await;
    assert_eq!(trial["none"], true, "{trial}");
    let mut other = server.client().await.hello().await;
    let answer = other.ask("m1", question).await;
    let declined = matches!(answer, ServerMessage::AnswerDone { end: AnswerEnd::Declined, .. });
    assert!(declined, "a trial changes nothing: {answer:?}");

    let mut published = article;
    published["audience"] = "public".into();
    let publish = format!("/sites/shop/gaps/{gap}/article");
    let (status, tried) = send(Method::POST, &publish, published).await;
    assert_eq!((status, &tried["closed"]), (200, &true.into()), "{tried}");
    let draft: serde_json::Value = jo.get(&path).await;
    assert_eq!(draft["published"]["document"], format!("api:gaps/{gap}.md"));
    assert_eq!(draft["review"], serde_json::json!([]), "{draft}");

    // The article is the agent's own and stays; that its conversation is gone is said.
    let erased = boss.change(Method::DELETE, &format!("/sites/shop/sessions/{}", sessions[0]));
    assert_eq!(erased.send().await.unwrap().status(), 204);
    let mut review = serde_json::Value::Null;
    for _ in 0..500 {
        let draft: serde_json::Value = jo.get(&path).await;
        review = draft["review"].clone();
        if review != serde_json::json!([]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(review, serde_json::json!([texts[0]]));

    assert_eq!(send(Method::DELETE, &path, none.clone()).await.0, 204);
    assert_eq!(send(Method::DELETE, &path, none).await.0, 404);
}

#[tokio::test]
async fn insight_opens_with_the_sign_in_of_an_admin_alone() {
    let server = quick().await;
    let mara = desk(&server, "mara", Role::Admin).await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let report = loop {
        // Signals are noted beside the answer.
        let report: serde_json::Value = mara.get("/sites/shop/insight").await;
        if report["totals"]["messages"] == 1 {
            break report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(report["totals"]["sessions"], 1);
    let lines: serde_json::Value = mara.get("/sites/shop/insight/sessions").await;
    assert_eq!(lines["sessions"][0]["session"], visitor.session);
    for path in ["/sites/shop/insight", "/sites/shop/insight/sessions"] {
        let refused = jo.request(reqwest::Method::GET, path).send().await.unwrap();
        assert_eq!(refused.status(), 403);
        assert!(refused.text().await.unwrap().contains("only admins of this site"));
        assert_eq!(
            http().get(server.url(&format!("/v1/console{path}"))).send().await.unwrap().status(),
            401
        );
    }
    let wrong = mara
        .request(reqwest::Method::GET, "/sites/shop/insight?from_ms=soon")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 400);
    assert_eq!(
        mara.request(reqwest::Method::GET, "/sites/bank/insight").send().await.unwrap().status(),
        403
    );

    // The page is the same on both listeners, under the console's policy.
    for url in [server.url("/console/insight"), server.admin_url("/console/insight")] {
        let page = http().get(url).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.starts_with("default-src 'none'")
                && policy.contains("require-trusted-types-for"),
            "{policy}"
        );
        assert!(page.text().await.unwrap().contains("insight.js"));
    }
}

#[tokio::test]
async fn what_is_known_of_a_visitor_is_shown_beside_the_conversation() {
    let server = quick().await;
    let jo = desk(&server, "jo", Role::Agent).await;
    let mut first = server.client().await.hello().await;
    first.ask("m1", QUESTION).await;
    let mut second = server.client().await;
    second
        .send(&ClientMessage::Hello {
            site: "shop".into(),
            token: Some(first.token.clone()),
            session: None,
            last_seq: 0,
            partial: None,
            source: Some(Box::new(frontdesk::protocol::parts::Source {
                utm_campaign: Some("spring".into()),
                ..frontdesk::protocol::parts::Source::default()
            })),
            attributes: Some(frontdesk::protocol::parts::Attributes {
                consent: true,
                values: BTreeMap::from([(
                    "tier".into(),
                    frontdesk::protocol::parts::AttributeValue::Name("gold".into()),
                )]),
            }),
            language: None,
        })
        .await;
    let ServerMessage::Welcome { session, .. } = second.next().await else { panic!("no welcome") };
    second.ask("m1", "Wie lange dauert die Lieferung nach Deutschland, und was kostet sie?").await;
    let other = server.client().await.hello().await;
    let view = loop {
        let path = format!("/sites/shop/sessions/{session}/visitor");
        let view: frontdesk::protocol::console::VisitorView = jo.get(&path).await;
        if view.language.is_some() {
            break view;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((view.language.as_deref(), view.known), (Some("de"), true));
    assert_eq!(view.source.unwrap().utm_campaign.as_deref(), Some("spring"));
    assert_eq!(view.attributes.len(), 1);
    let others: Vec<&str> = view.conversations.iter().map(|one| one.session.as_str()).collect();
    assert_eq!(
        others,
        [first.session.as_str()],
        "not this one, and nobody else's: {}",
        other.session
    );
    let unknown = jo
        .request(reqwest::Method::GET, "/sites/shop/sessions/nothing/visitor")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    let bare = http()
        .get(server.url(&format!("/v1/console/sites/shop/sessions/{session}/visitor")))
        .send()
        .await;
    assert_eq!(bare.unwrap().status(), 401);
}
