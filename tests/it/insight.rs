//! From what visitors do to what a marketer sees, over the wire and the real store.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{
    Binary, ChatClient, TestServer, config, directory, write_config, write_documents,
};
use frontdesk::catalogue::Catalogue;
use frontdesk::catalogue::goods::Goods;
use frontdesk::conversation::{Event, SessionKey};
use frontdesk::export::{SignalRows, kind};
use frontdesk::features::{COLUMNS, State};
use frontdesk::insight::book::Book;
use frontdesk::insight::replay;
use frontdesk::intent::data::Data;
use frontdesk::intent::table::{Column, Table, Track, Value};
use frontdesk::language::topics::Topic;
use frontdesk::outcomes;
use frontdesk::protocol::parts::{AttributeValue, Attributes, Rating, Source};
use frontdesk::protocol::{Card, ClientMessage, ServerMessage};
use frontdesk::retrieval::embedder::Embedder;
use frontdesk::signals::touched::Touched;
use frontdesk::signals::{self, Meaning, Outcome, Signal, SignalLog, SignalParts};
use frontdesk::store::{Record, RecordKind, Store, StoreConfig};
use frontdesk::telemetry::Metrics;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CATALOGUE: &str = "sku,name,category,variant,price_eur,stock,url
T2,Tarn 2 tent,Tents,Moss,349.00,4,https://shop.example/tarn-2
T3,Tarn 3 tent,Tents,Moss,429.00,0,https://shop.example/tarn-3
S1,Ember stove,Stoves,,89.90,3,https://shop.example/ember
";

async fn shop(change: impl FnOnce(&mut frontdesk::site::Site)) -> TestServer {
    let server = TestServer::with(|config| {
        std::fs::write(config.knowledge.path.join("catalogue.csv"), CATALOGUE).unwrap();
        config.sites[0].outcomes_secret = Some(SECRET.into());
        change(&mut config.sites[0]);
    });
    server.await
}

/// Begins a conversation with a source and attributes.
async fn arrive(server: &TestServer, consent: bool) -> ChatClient {
    let mut client = server.client().await;
    let source = Source {
        utm_campaign: Some("spring".into()),
        referrer: Some("https://news.example/a?mail=x".into()),
        ..Source::default()
    };
    let values = BTreeMap::from([("age".to_owned(), AttributeValue::Number(41.0))]);
    client
        .send(&ClientMessage::Hello {
            site: "shop".into(),
            token: None,
            session: None,
            last_seq: 0,
            partial: None,
            source: Some(Box::new(source)),
            attributes: Some(Attributes { consent, values }),
            language: None,
        })
        .await;
    let ServerMessage::Welcome { session, token, .. } = client.next().await else {
        panic!("no welcome")
    };
    (client.session, client.token) = (session, token);
    client
}

/// Everything noted of a session, once it stands still. The server is stopped for it.
async fn log(server: &mut TestServer, session: &str) -> Vec<(u64, Signal)> {
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    let log = read(&store, session).await;
    store.close().await.unwrap();
    log
}

async fn read(store: &Store, session: &str) -> Vec<(u64, Signal)> {
    let records = store.read("shop", session, 0, &[RecordKind::Signal]).await.unwrap();
    records
        .iter()
        .flat_map(|record| {
            signals::read(&record.body).into_iter().map(|signal| (record.at_ms, signal))
        })
        .collect()
}

fn count(log: &[(u64, Signal)], wanted: &str) -> usize {
    log.iter().filter(|(_, signal)| kind(signal) == wanted).count()
}

#[tokio::test]
async fn a_conversation_leaves_every_kind_of_signal_and_none_without_consent() {
    let mut server = shop(|_| {}).await;
    let mut client = arrive(&server, true).await;
    let ServerMessage::AnswerDone { turn, .. } =
        client.ask("m1", "How much is the Tarn 2? I love it").await
    else {
        panic!()
    };
    client.send(&ClientMessage::Feedback { turn, rating: Rating::Up, text: None }).await;
    client
        .until(|message| matches!(message, ServerMessage::FeedbackReceived { .. }).then_some(()))
        .await;
    client.send(&ClientMessage::Human {}).await;
    client
        .until(|message| matches!(message, ServerMessage::HumanRequested { .. }).then_some(()))
        .await;
    let mut shy = arrive(&server, false).await;
    shy.ask("m1", "What does shipping cost?").await;
    let (session, shy_session) = (client.session.clone(), shy.session.clone());
    drop((client, shy));
    let noted = log(&mut server, &session).await;
    for (wanted, times) in [
        ("started", 1),
        ("source", 1),
        ("attribute", 1),
        ("message", 1),
        ("meaning", 1),
        ("topic", 1),
        ("mention", 1),
        ("answer", 1),
        ("feedback", 1),
        ("human_requested", 1),
        ("handoff", 1),
    ] {
        assert_eq!(count(&noted, wanted), times, "{wanted} in {noted:?}");
    }
    let state = State::at(noted.iter().map(|(at, signal)| (*at, signal)), u64::MAX);
    assert!(state.sentiment.last > 0.0 && state.products.contains_key("T2"));
    assert_eq!(state.source.unwrap().referrer.as_deref(), Some("news.example"));

    let store = Store::open(&server.config.store).unwrap();
    assert_eq!(count(&read(&store, &shy_session).await, "attribute"), 0);
    store.close().await.unwrap();
}

/// What finds the queue full is made up for from the transcript, once.
#[tokio::test]
async fn a_full_queue_costs_no_signal_of_the_transcript() {
    let mut server = TestServer::with(|config| config.signals.queue = 1).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(server.client().await.hello().await);
    }
    for n in 0..3 {
        for client in &mut clients {
            client.say(&format!("m{n}"), "What does shipping cost?").await;
        }
        for client in &mut clients {
            client.done().await;
        }
    }
    let request =
        reqwest::Client::new().get(server.admin_url("/metrics")).bearer_auth(server.admin_key());
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("frontdesk_signals_dropped_total "))
        .unwrap();
    assert_ne!(dropped, "0", "nothing found the queue full");
    let sessions: Vec<String> = clients.iter().map(|client| client.session.clone()).collect();
    drop(clients);
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    for session in sessions {
        let noted = read(&store, &session).await;
        assert_eq!(
            (count(&noted, "started"), count(&noted, "message"), count(&noted, "answer")),
            (1, 3, 3),
            "{noted:?}"
        );
    }
    store.close().await.unwrap();
}

async fn report(
    server: &TestServer,
    body: &str,
    signature: Option<&str>,
) -> (u16, serde_json::Value) {
    let mut request =
        reqwest::Client::new().post(server.url("/v1/sites/shop/outcomes")).body(body.to_owned());
    let signed = outcomes::sign(SECRET, body.as_bytes(), server.clock.now_ms() / 1000);
    request = request.header("frontdesk-signature", signature.unwrap_or(&signed));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn an_order_counts_once_and_goes_with_its_session() {
    let mut server = shop(|_| {}).await;
    let mut client = arrive(&server, true).await;
    client.ask("m1", "Is the Tarn 2 in stock?").await;
    let session = client.session.clone();
    let body = format!(
        r#"{{"order":"A1","session":"{session}","converted":true,"amount":349,"currency":"EUR","products":["T2"]}}"#
    );
    let result = |value: &serde_json::Value| {
        value["outcomes"][0]["result"].as_str().unwrap_or("").to_owned()
    };

    assert_eq!(report(&server, &body, Some("t=1,v1=00")).await.0, 401);
    assert_eq!(report(&server, "{", None).await.0, 400);
    let (status, noted) = report(&server, &body, None).await;
    assert_eq!((status, result(&noted).as_str()), (200, "noted"));
    assert_eq!(result(&report(&server, &body, None).await.1), "known");
    // The other way of naming the session doesn't make it another order.
    let visitor = client.token.split('.').nth(1).unwrap();
    let by_visitor = format!(
        r#"[{{"order":"A1","visitor":"{visitor}","converted":false}},{{"order":"A2","visitor":"{visitor}","converted":true,"amount":5}}]"#
    );
    let (_, changed) = report(&server, &by_visitor, None).await;
    assert_eq!(
        (changed["outcomes"][0]["result"].as_str(), changed["outcomes"][1]["result"].as_str()),
        (Some("noted"), Some("noted"))
    );
    // A row that is no report costs itself and says what is wrong with it.
    let mixed = format!(
        r#"[{{"order":"A2","visitor":"{visitor}","converted":true,"amount":5}},{{"order":"A5","visitor":"{visitor}","converted":"yes"}},3]"#
    );
    let (status, mixed) = report(&server, &mixed, None).await;
    let results: Vec<&str> = mixed["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["result"].as_str().unwrap())
        .collect();
    assert_eq!((status, results), (200, vec!["known", "refused", "refused"]), "{mixed}");
    assert!(
        mixed["outcomes"][1]["reason"].as_str().unwrap().contains("expected a boolean"),
        "{mixed}"
    );
    let nobody = r#"{"order":"A3","visitor":"nobody","converted":true}"#;
    assert_eq!(result(&report(&server, nobody, None).await.1), "refused");

    drop(client);
    let noted = log(&mut server, &session).await;
    let state = State::at(noted.iter().map(|(at, signal)| (*at, signal)), u64::MAX);
    assert_eq!(
        (state.outcomes.len(), state.converted(), state.paid()[0].amount),
        (2, Some(true), 5.0)
    );

    // Erasing the session leaves nothing: no signal, no outcome, and nothing derived.
    let store = Store::open(&server.config.store).unwrap();
    let book = Book::new(store.clone(), Touched::default());
    assert_eq!(book.read("shop").await.unwrap().len(), 1);
    assert!(store.erase("shop", &session).await.unwrap());
    assert!(read(&store, &session).await.is_empty());
    assert!(book.read("shop").await.unwrap().is_empty());
    let key = frontdesk::conversation::SessionKey { site: "shop".into(), id: session.clone() };
    let late = signals::append(&store, &key, 2, 1, &[Signal::Known]);
    assert!(late.await.is_err(), "a signal that comes late is refused");
    store.close().await.unwrap();
}

/// A shop that reports its orders and nothing else: after two weeks it knows who didn't buy.
#[tokio::test]
async fn silence_counts_as_no_purchase_after_a_while() {
    let server = shop(|site| site.outcome_after_days = 14).await;
    let mut sessions = Vec::new();
    for text in
        ["Is the Tarn 2 in stock?", "How much is the Ember stove?", "What does shipping cost?"]
    {
        let mut client = arrive(&server, true).await;
        client.ask("m1", text).await;
        sessions.push(client.session.clone());
    }
    let converted = async |server: &TestServer| {
        let (_, report) =
            ask_admin(server, reqwest::Method::GET, "/v1/sites/shop/insight", None).await;
        let rate = &report["totals"]["converted"];
        (rate["count"].as_u64().unwrap(), rate["of"].as_u64().unwrap())
    };
    // What the last conversations did is noted beside them: it has to be in before the clock goes
    // on.
    let noted = async {
        for session in &sessions {
            let path = format!("/v1/sites/shop/sessions/{session}");
            while !ask_admin(&server, reqwest::Method::GET, &path, None).await.1["signals"]
                .to_string()
                .contains("answer")
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), noted)
        .await
        .expect("signals are noted");
    server.clock.advance(15 * 86_400_000);
    assert_eq!(converted(&server).await, (0, 0), "nothing was ever reported");
    let order = |session: &str| {
        format!(r#"{{"order":"O-{session}","session":"{session}","converted":true,"amount":9}}"#)
    };
    assert_eq!(report(&server, &order(&sessions[0]), None).await.0, 200);
    assert_eq!(converted(&server).await, (1, 3));
    // A buyer who took long is one from the report on.
    assert_eq!(report(&server, &order(&sessions[1]), None).await.0, 200);
    assert_eq!(converted(&server).await, (2, 3));
    let mut young = arrive(&server, true).await;
    young.ask("m1", "Do you sell maps?").await;
    assert_eq!(converted(&server).await, (2, 3), "too early to tell");
}

async fn shown(client: &mut ChatClient) -> Vec<Card> {
    client
        .until(|message| match message {
            ServerMessage::Recommendation { products, .. } => Some(products.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn cards_come_after_the_answer_and_never_out_of_stock() {
    let mut server = shop(|site| {
        site.recommend.enabled = true;
        site.recommend.holdout = 0.0;
    })
    .await;
    let mut client = arrive(&server, true).await;
    client.say("m1", "hello").await;
    client.done().await;
    let mut tab = client.resume(None).await;
    client.ask("m2", "What does the Tarn 3 tent cost, and the Tarn 2?").await;
    let products = shown(&mut client).await;
    // Every tab shows the same, and so does a page that is loaded again; it counts once.
    assert_eq!(shown(&mut tab).await, products);
    assert_eq!(shown(&mut client.resume_at(server.addr(), 0, None).await).await, products);
    let ids: Vec<&str> = products.iter().map(|card| card.id.as_str()).collect();
    assert!(ids.contains(&"T2") && !ids.contains(&"T3"), "{ids:?}");
    assert_eq!(products[0].reason, "You asked about it");
    let click = |id: &str| ClientMessage::RecommendationClick { id: id.into() };
    client.send(&click("T2")).await;
    // Sold here, and not shown.
    client.send(&click("T3")).await;
    assert!(client.error().await.1.contains("not recommended here"));
    client.send(&click("elsewhere")).await;
    client.error().await;
    // A page that kept its cards clicks over the socket that it has now.
    let mut later = client.resume_at(server.addr(), client.last_seq, None).await;
    later.send(&click("T2")).await;
    later.send(&click("T3")).await;
    later.error().await;
    // A card of one conversation is none of another's.
    let mut other = arrive(&server, true).await;
    other.say("m1", "hello").await;
    other.done().await;
    other.send(&click("T2")).await;
    other.error().await;
    // Cheaper meanwhile, then sold out: who comes back sees it as it is sold now.
    let sell = async |text: String| {
        std::fs::write(server.config.knowledge.path.join("catalogue.csv"), text).unwrap();
        let (status, _) =
            ask_admin(&server, reqwest::Method::POST, "/v1/sites/shop/ingest", Some("{}")).await;
        assert_eq!(status, 200);
    };
    sell(CATALOGUE.replace("349.00,4", "339.00,4")).await;
    let again = shown(&mut client.resume_at(server.addr(), 0, None).await).await;
    assert_eq!(again.iter().find(|card| card.id == "T2").unwrap().price, 339.0);
    sell(CATALOGUE.replace("349.00,4", "339.00,0")).await;
    let mut back = client.resume_at(server.addr(), 0, None).await;
    back.say("m3", "hello").await;
    let gone = back.until(|message| match message {
        ServerMessage::Recommendation { products, .. } => {
            Some(products.iter().all(|card| card.id != "T2"))
        }
        ServerMessage::Ack { .. } => Some(true),
        _ => None,
    });
    assert!(gone.await, "a card of what is sold out");
    let session = client.session.clone();
    drop((client, back, later, other, tab));
    let noted = log(&mut server, &session).await;
    assert_eq!((count(&noted, "recommended"), count(&noted, "clicked")), (1, 2));
    assert!(
        noted
            .iter()
            .all(|(_, signal)| !matches!(signal, Signal::Clicked { product } if product != "T2"))
    );
}

#[tokio::test]
async fn an_answer_read_without_a_socket_has_its_cards_once_there_is_one() {
    let mut server = shop(|site| {
        site.recommend.enabled = true;
        site.recommend.holdout = 0.0;
    })
    .await;
    let ask = serde_json::json!({ "site": "shop", "text": "What does the Tarn 2 tent cost?" });
    let answer = reqwest::Client::new()
        .post(server.url("/v1/chat/messages"))
        .json(&ask)
        .send()
        .await
        .unwrap();
    let answer = answer.text().await.unwrap();
    assert!(answer.contains("answer.done") && !answer.contains("recommendation"), "{answer}");
    let field = |name: &str| {
        let rest = answer.split_once(&format!("\"{name}\":\"")).unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    let mut here = ChatClient::connect(server.addr()).await;
    (here.session, here.token) = (field("session"), field("token"));
    let mut client = here.resume(None).await;
    let products = shown(&mut client).await;
    assert!(products.iter().any(|card| card.id == "T2"), "{products:?}");
    assert_eq!(shown(&mut here.resume(None).await).await, products);
    let session = here.session.clone();
    drop((client, here));
    let noted = log(&mut server, &session).await;
    assert_eq!(count(&noted, "recommended"), 1);
}

#[tokio::test]
async fn who_is_held_out_sees_no_cards_but_is_counted() {
    let mut server = shop(|site| {
        site.recommend.enabled = true;
        site.recommend.holdout = 1.0;
    })
    .await;
    let mut client = arrive(&server, true).await;
    client.ask("m1", "What does the Tarn 2 cost?").await;
    // A second answer comes after the first one's cards would have.
    client.say("m2", "And shipping?").await;
    let done = client
        .until(|message| match message {
            ServerMessage::Recommendation { .. } => Some(false),
            ServerMessage::AnswerDone { .. } => Some(true),
            _ => None,
        })
        .await;
    assert!(done);
    client.send(&ClientMessage::RecommendationClick { id: "T2".into() }).await;
    assert!(client.error().await.1.contains("not recommended here"));
    // Nobody tells the visitor when the choice is made; its signal does.
    let session = client.session.clone();
    let path = format!("/v1/sites/shop/sessions/{session}");
    let noted = async {
        while !ask_admin(&server, reqwest::Method::GET, &path, None).await.1["signals"]
            .to_string()
            .contains("recommended")
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), noted)
        .await
        .expect("cards that are held back are noted");
    drop(client);
    let noted = log(&mut server, &session).await;
    let due: Vec<bool> = noted
        .iter()
        .filter_map(|(_, signal)| match signal {
            Signal::Recommended { held_out, products } => {
                assert!(!products.is_empty());
                Some(*held_out)
            }
            _ => None,
        })
        .collect();
    assert!(!due.is_empty() && due.iter().all(|held_out| *held_out), "{noted:?}");
}

#[tokio::test]
async fn the_command_line_explains_and_measures_beside_a_running_server() {
    let directory = directory();
    write_documents(&directory);
    let path = write_config(&directory, &config(&directory));
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut client = ChatClient::connect(server.addr).await.hello().await;
    client.ask("m1", "What does shipping cost?").await;
    client.ask("m2", "And is it free above some sum?").await;
    let session = client.session.clone();
    drop(client);
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        let output = command
            .arg("--config")
            .arg(&path)
            .arg("intent")
            .args(arguments)
            .output()
            .await
            .unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), format!("{out}{error}"))
    };
    let explain = ["explain", "--session", &session, "--json"];
    let (done, told) = run(&explain).await;
    assert!(done, "{told}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["moments"].as_array().unwrap().len(), 2, "{told}");
    let (done, second) = run(&["explain", "--session", &session, "--turns", "2"]).await;
    assert!(
        done && second.starts_with("After message 2:") && second.contains("delivery"),
        "{second}"
    );
    let (done, measured) = run(&["eval"]).await;
    assert!(!done && measured.contains("no purchase model is deployed"), "{measured}");
    let (done, unknown) = run(&["explain", "--session", "nobody"]).await;
    assert!(!done && unknown.contains("404"), "{unknown}");
    assert_eq!(server.terminate().await, Some(0));
    // Without a server the store itself is read, with the same result.
    let (done, again) = run(&explain).await;
    assert!(done, "{again}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&again).unwrap(), told);
}

fn store(directory: &std::path::Path) -> Store {
    Store::open(&StoreConfig { path: directory.join("store"), ..StoreConfig::default() }).unwrap()
}

/// Persuasion for Good (Apache-2.0), shortened.
const CONVERSATIONS: &str = r#"{"id": "20180904-024226_703_live", "turns": [{"role": "agent", "text": "Have you heard of Save The Children?"}, {"role": "visitor", "text": "I have, actually. Is it a good charity?"}, {"role": "agent", "text": "They do great work."}, {"role": "visitor", "text": "I'm often skeptical of big charities."}], "age": 28.0, "converted": true, "amount": 0.05}
{"id": "20180905-024226_704_live", "turns": [{"role": "visitor", "text": "How much do you want?"}, {"role": "agent", "text": "Anything."}, {"role": "visitor", "text": "No thanks."}], "age": 51.0, "converted": false}
"#;

#[tokio::test]
async fn features_are_the_same_signal_by_signal_and_from_the_log() {
    let store = store(&directory());
    let catalogue = Goods::default();
    let parts = replay::Parts {
        store: &store,
        site: "shop",
        channel: "test",
        catalogue: &catalogue,
        meanings: &replay::Meanings::None,
    };
    let conversations = replay::read(CONVERSATIONS, 1, replay::CONVERTED).unwrap();
    let done = replay::import(&parts, &conversations, |_| {}).await.unwrap();
    assert_eq!((done.sessions, done.messages, done.outcomes, done.present), (2, 4, 2, 0));
    assert_eq!(replay::import(&parts, &conversations, |_| {}).await.unwrap().present, 2);
    let book = Book::new(store.clone(), Touched::default());
    let entries = book.read("shop").await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.state.converted()).collect::<Vec<_>>(),
        [Some(true), Some(false)]
    );
    for entry in &entries {
        let log = read(&store, &entry.id).await;
        let mut live = State::default();
        for (i, (at_ms, signal)) in log.iter().enumerate() {
            live.push(*at_ms, signal);
            let stored =
                State::at(log.iter().take(i + 1).map(|(at, signal)| (*at, signal)), u64::MAX);
            assert_eq!(live, stored, "after {signal:?}");
            assert_eq!(live.row(), stored.row());
        }
        assert_eq!(live, entry.state);
    }
    store.close().await.unwrap();
}

/// The row that training makes of a stored conversation at a moment is the row that serving makes
/// when the log is that long: what was said later, and what came of it, is in neither.
#[tokio::test]
async fn training_rows_are_serving_rows_and_see_no_future() {
    let store = store(&directory());
    let embedding = replay::Meanings::Fixed(Meaning::of(&[0.6, 0.8]));
    let parts = replay::Parts {
        store: &store,
        site: "shop",
        channel: "test",
        catalogue: &Goods::default(),
        meanings: &embedding,
    };
    let conversations = replay::read(CONVERSATIONS, 1, replay::CONVERTED).unwrap();
    replay::import(&parts, &conversations, |_| {}).await.unwrap();
    let book = Book::new(store.clone(), Touched::default());
    let tracks = book.tracks("shop", 10).await.unwrap();
    assert_eq!(tracks.len(), 2);
    let all: Vec<Track> = tracks.iter().map(|(_, track)| track.clone()).collect();
    let learned = Data::of_tracks(&all, None).table.columns;
    assert!(learned.iter().any(|column| column.name == "attribute.age"));
    for (_, track) in &tracks {
        assert!(track.converted.is_some());
        for turns in 1..=track.messages() {
            let trained =
                Table::of_tracks(std::slice::from_ref(track), Some(turns), Some(&learned));
            // The log as it was on disk when that message had been noted.
            let mut messages = 0;
            let until = track.records.iter().position(|(_, signals)| {
                messages += usize::from(
                    signals.iter().any(|signal| matches!(signal, Signal::Message { .. })),
                );
                messages == turns
            });
            let log = track.records[..=until.unwrap()].to_vec();
            let served = Table::of_tracks(&[Track::of_log(log)], None, Some(&learned));
            assert_eq!(trained.rows, served.rows, "after {turns} messages");
            assert!(served.rows[0].iter().any(|value| matches!(value, Value::Vector(_))));
        }
        let labels: Vec<&Column> =
            learned.iter().filter(|column| column.name.contains("convert")).collect();
        assert_eq!(labels, Vec::<&Column>::new());
    }
    store.close().await.unwrap();
}

/// Conversations in which whoever asks for a price buys, most of the time.
fn outcomes_by_question(count: u64) -> Vec<replay::Conversation> {
    let said = |i: u64| match (i % 2, i % 10) {
        (0, _) => ["How much is the tent?", "Is it in stock? What does delivery cost?"],
        (_, 1) => ["Hello", "Where is your shop?"],
        _ => {
            ["My parcel is broken, this is terrible", "I want to return it, I am very disappointed"]
        }
    };
    (0..count)
        .map(|i| replay::Conversation {
            id: format!("c{i}"),
            at_ms: 1_690_000_000_000 + i * 3_600_000,
            turns: said(i)
                .into_iter()
                .flat_map(|text| [(true, text.to_owned()), (false, "We see.".into())])
                .collect(),
            attributes: Vec::new(),
            outcome: Some(Outcome {
                order: format!("o{i}"),
                // Neither question decides it alone.
                converted: (i % 2 == 0) != (i % 7 == 0),
                ..Outcome::default()
            }),
        })
        .collect()
}

async fn ask_admin(
    server: &TestServer,
    method: reqwest::Method,
    path: &str,
    body: Option<&str>,
) -> (u16, serde_json::Value) {
    let mut request = reqwest::Client::new()
        .request(method, server.admin_url(path))
        .bearer_auth(server.admin_key());
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_model_of_the_stores_own_conversations_scores_running_ones() {
    use reqwest::Method;
    let mut server = shop(|_| {}).await;
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    let parts = replay::Parts {
        store: &store,
        site: "shop",
        channel: "test",
        catalogue: &Goods::default(),
        meanings: &replay::Meanings::None,
    };
    replay::import(&parts, &outcomes_by_question(240), |_| {}).await.unwrap();
    store.close().await.unwrap();
    server.restart().await;

    let mut buyer = server.client().await.hello().await;
    buyer.ask("m1", "How much is the Tarn 2? Is it in stock? What is delivery?").await;
    let session = buyer.session.clone();
    let state = format!("/v1/sites/shop/sessions/{session}");
    let (_, before) = ask_admin(&server, Method::GET, &state, None).await;
    assert_eq!(before["intent"]["version"], serde_json::Value::Null, "the sum, without a model");

    let (status, trained) =
        ask_admin(&server, Method::POST, "/v1/sites/shop/intent/purchase/train", None).await;
    assert_eq!(status, 201, "{trained}");
    let version = &trained["round"]["version"];
    assert!(version["metrics"]["auroc"].as_f64().unwrap() > 0.7, "{version}");
    assert_eq!((version["rows"].as_u64(), version["later_rows"].as_u64()), (Some(192), Some(48)));
    let deploy = ask_admin(
        &server,
        Method::POST,
        "/v1/sites/shop/intent/purchase/deploy",
        Some(r#"{"version": 1}"#),
    );
    assert_eq!(deploy.await.0, 200);

    // The running conversation is scored by it now, at every moment, and says why.
    buyer.ask("m2", "My parcel is broken, this is terrible. I want to return it.").await;
    let (_, after) = ask_admin(&server, Method::GET, &state, None).await;
    assert_eq!(after["intent"]["version"], 1, "{after}");
    let (_, told) = ask_admin(&server, Method::GET, &format!("{state}/intent"), None).await;
    let score = |turn: usize| told["moments"][turn]["intent"]["score"].as_f64().unwrap();
    assert!(score(0) > 0.6 && score(1) < score(0), "{told}");
    assert!(!told["moments"][0]["intent"]["reasons"].as_array().unwrap().is_empty());
    let (_, first) =
        ask_admin(&server, Method::GET, &format!("{state}/intent?turns=1"), None).await;
    assert_eq!(first["moments"][0], told["moments"][0]);

    // So are the sessions of the insight page, and a look tells how the model does.
    let (_, report) = ask_admin(&server, Method::GET, "/v1/sites/shop/insight", None).await;
    assert_eq!(report["scores"]["version"], 1, "{}", report["scores"]["model"]);
    // Neither is the model measured on what it learned from: the page shows the later fifth, and
    // says so.
    let scores = &report["scores"];
    let count = |name: &str| scores[name].as_u64().unwrap();
    assert_eq!((count("sessions"), count("learned")), (48, 192), "{scores}");
    assert_eq!(scores["points"].as_array().unwrap().len(), 48);
    assert_eq!(
        scores["bins"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bin| bin["converted"]["of"].as_u64().unwrap())
            .sum::<u64>(),
        48
    );
    let learned_to_ms = version["learned_to_ms"].as_u64().unwrap();
    assert!(
        scores["points"]
            .as_array()
            .unwrap()
            .iter()
            .all(|point| point["at_ms"].as_u64().unwrap() > learned_to_ms)
    );
    assert!(scores["auroc"].as_f64().unwrap() > 0.7);
    let notes = report["notes"].to_string();
    assert!(
        notes.contains(
            "measured on the 48 conversations with an outcome that version 1 did not learn from"
        ),
        "{notes}"
    );
    let (_, seen) =
        ask_admin(&server, Method::GET, "/v1/sites/shop/intent/purchase/watch?now=true", None)
            .await;
    assert_eq!((seen["version"].as_u64(), seen["sessions"].as_u64()), (Some(1), Some(1)), "{seen}");
    let (status, evaluation) =
        ask_admin(&server, Method::POST, "/v1/sites/shop/intent/purchase/eval", None).await;
    assert_eq!((status, evaluation["quality"]["rows"].as_u64()), (200, Some(48)), "{evaluation}");

    // Labels are examples for the classes, until they are taken back or their conversation goes.
    let label = |seq: u64, intent: &str| format!(r#"{{"seq": {seq}, "intent": "{intent}"}}"#);
    let put = |body: String| {
        let (server, path) = (&server, format!("{state}/label"));
        async move { ask_admin(server, Method::POST, &path, Some(&body)).await.0 }
    };
    assert_eq!(put(label(2, "price")).await, 204);
    assert_eq!(put(label(1, "price")).await, 404, "no message");
    assert_eq!(put(label(2, "prices")).await, 204, "corrected");
    let labels = "/v1/sites/shop/intent/classes/labels";
    let (_, known) = ask_admin(&server, Method::GET, labels, None).await;
    assert_eq!(known["labels"].as_array().unwrap().len(), 1);
    assert_eq!(known["labels"][0]["intent"], "prices");
    assert_eq!(put(label(2, "")).await, 204);
    assert_eq!(
        ask_admin(&server, Method::GET, labels, None).await.1["labels"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn forecasts_come_by_the_shop_s_days_and_refuse_what_is_none() {
    use reqwest::Method;
    let mut server = shop(|site| site.calendar.time_zone = "Asia/Tokyo".into()).await;
    let empty = ask_admin(&server, Method::GET, "/v1/sites/shop/forecast", None).await;
    assert_eq!(
        (empty.0, &empty.1["days"], &empty.1["lines"]),
        (200, &0.into(), &serde_json::json!([]))
    );
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    let goods = Goods::default();
    let meanings = replay::Meanings::None;
    let parts = replay::Parts {
        store: &store,
        site: "shop",
        channel: "test",
        catalogue: &goods,
        meanings: &meanings,
    };
    let now_ms = server.clock.now_ms();
    let mut days = outcomes_by_question(160);
    for (n, conversation) in days.iter_mut().enumerate() {
        conversation.at_ms = now_ms - (n as u64 / 4) * 86_400_000;
    }
    replay::import(&parts, &days, |_| {}).await.unwrap();
    store.close().await.unwrap();
    server.restart().await;

    let ask = async |path: &str| {
        ask_admin(&server, Method::GET, &format!("/v1/sites/shop/{path}"), None).await
    };
    let (status, told) = ask("forecast?days=28").await;
    assert_eq!(
        (status, &told["time_zone"], &told["days"]),
        (200, &"Asia/Tokyo".into(), &39.into()),
        "{told}"
    );
    let all = &told["lines"][0];
    let expected = all["totals"][1]["expected"].as_f64().unwrap();
    assert!((40.0..75.0).contains(&expected), "four a day: {all}");
    assert_eq!(
        (all["days"].as_array().unwrap().len(), &all["days"][0]["date"]),
        (28, &told["today"])
    );
    let (_, price) = ask("forecast?of=topic:price").await;
    let lines = price["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["of"]), (1, &"topic:price".into()), "{price}");
    let (status, stock) = ask("stockouts?min=0").await;
    assert_eq!((status, &stock["products_with_stock"]), (200, &3.into()), "{stock}");
    for wrong in ["forecast?days=29", "forecast?days=0", "stockouts?min=2", "forecast?until=5"] {
        assert_eq!(ask(wrong).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_stop_is_clean_and_keeps_the_last_signals() {
    let mut server = shop(|_| {}).await;
    let mut client = arrive(&server, true).await;
    client.ask("m1", "What does the Tarn 2 cost?").await;
    // The visitor is still there, and what a leaving one leaves is noted while the server stops.
    let clean = server.server.take().unwrap().stop().await.unwrap();
    assert!(clean, "a task had to be dropped");
    let store = Store::open(&server.config.store).unwrap();
    let noted = read(&store, &client.session).await;
    assert_eq!((count(&noted, "answer"), count(&noted, "dwell")), (1, 1), "{noted:?}");
    store.close().await.unwrap();
}

/// A stop doesn't wait for the embedder, and what it leaves behind is written at the next start.
#[tokio::test]
async fn the_meanings_of_the_last_messages_come_at_the_next_start() {
    const MESSAGES: u64 = 120;
    let directory = directory();
    let config = config(&directory);
    let store = Store::open(&config.store).unwrap();
    let embedder = Embedder::load(&config.embedder).unwrap();
    let parts = SignalParts {
        store: store.clone(),
        metrics: Metrics::new(),
        embedder: Some(embedder),
        products: Catalogue::default(),
        touched: Touched::default(),
        scoring: None,
    };
    let key = SessionKey { site: "shop".into(), id: "s".into() };
    let (log, writing) = SignalLog::new(&config.signals, parts.clone());
    for seq in 1..=MESSAGES {
        let text = format!("{seq} {}", "Is the tent warm in winter, and is it heavy? ".repeat(20));
        let event = Event::Said { id: seq.to_string(), text };
        let body = serde_json::to_vec(&event).unwrap();
        let (site, session) = (key.site.clone(), key.id.clone());
        store
            .append(Record { site, session, seq, at_ms: seq, kind: RecordKind::Event, body })
            .await
            .unwrap();
        log.note(&key, seq, seq, &event);
    }
    // What no event tells is behind them in the queue.
    log.add(&key, MESSAGES, MESSAGES, vec![Signal::Known]);
    log.close().await;
    let since = Instant::now();
    writing.await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let noted = read(&store, &key.id).await;
    assert_eq!(count(&noted, "known"), 1);
    let first = count(&noted, "meaning");
    assert!(first < MESSAGES as usize, "the embedder was fast enough: this proves nothing");

    let (log, writing) = SignalLog::new(&config.signals, parts);
    let left = async {
        assert_eq!(log.recover(&store, &["shop".into()]).await.unwrap(), MESSAGES as usize - first);
        log.settled().await;
    };
    tokio::select! { () = left => {}, () = writing => unreachable!("it isn't closed") }
    let noted = read(&store, &key.id).await;
    assert_eq!((count(&noted, "meaning"), count(&noted, "known")), (MESSAGES as usize, 1));
    store.close().await.unwrap();
}

#[tokio::test]
async fn rows_are_read_beside_what_the_server_does() {
    let server = shop(|_| {}).await;
    let mut rows = "age,basket,converted\n".to_owned();
    for i in 0..400_000 {
        rows.push_str(&format!("{},{}.5,{}\n", 18 + i % 60, i % 300, i % 2));
    }
    // Told when everything else was read.
    rows.push_str("40,1.5,perhaps\n");
    // The server has one thread here: whoever holds it holds up everybody, this clock, too.
    let longest = Cell::new(Duration::ZERO);
    let clock = async {
        loop {
            let since = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            longest.set(longest.get().max(since.elapsed()));
        }
    };
    let since = Instant::now();
    let request = reqwest::Client::new()
        .post(server.admin_url("/v1/sites/shop/intent/purchase/train"))
        .bearer_auth(server.admin_key())
        .header("content-type", "text/csv")
        .body(rows);
    let response = tokio::select! {
        response = request.send() => response.unwrap(),
        () = clock => unreachable!("it goes on"),
    };
    let took = since.elapsed();
    assert_eq!(response.status(), 400);
    let text = response.text().await.unwrap();
    assert!(text.contains("perhaps"), "{text}");
    let longest = longest.get();
    assert!(longest < took / 3, "held up for {longest:?} of {took:?}");
}

/// Every signal, once.
fn every_signal() -> Vec<Signal> {
    vec![
        Signal::Started { visitor: "v".into(), channel: "c".into() },
        Signal::Source(frontdesk::conversation::Source {
            utm_source: Some("a".into()),
            utm_medium: Some("a".into()),
            utm_campaign: Some("a".into()),
            utm_term: Some("a".into()),
            utm_content: Some("a".into()),
            referrer: Some("a".into()),
        }),
        Signal::Known,
        Signal::Message {
            chars: 1,
            words: 1,
            question: true,
            sentiment: 0.0,
            language: Some("en".into()),
        },
        Signal::Meaning { vector: Meaning::of(&[1.0]) },
        Signal::Topic { topic: Topic::Price },
        Signal::Stance { stance: frontdesk::signals::Stance::Agrees },
        Signal::Mention { product: Some("p".into()), category: "c".into() },
        Signal::Answer {
            confidence: Some(1.0),
            end: frontdesk::conversation::AnswerEnd::Complete,
            citations: 0,
            withheld: 0,
        },
        Signal::Feedback { rating: frontdesk::conversation::Rating::Up },
        Signal::HumanRequested,
        Signal::Handoff { reason: frontdesk::conversation::HandoffReason::Asked },
        Signal::Dwell { ms: 1 },
        Signal::Recommended { products: vec!["p".into()], held_out: false },
        Signal::Clicked { product: "p".into() },
        Signal::Outcome(Outcome {
            order: "o".into(),
            currency: "EUR".into(),
            products: vec!["p".into()],
            ..Outcome::default()
        }),
        Signal::Label { intent: "i".into(), by: "b".into() },
        Signal::Ended,
        Signal::Attribute {
            name: "age".into(),
            value: frontdesk::conversation::AttributeValue::Number(1.0),
        },
    ]
}

/// Names in backticks of the first columns of a table, for each row.
fn table<'a>(text: &'a str, heading: &str, columns: usize) -> Vec<Vec<Vec<&'a str>>> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let names = |cell: &'a str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    rows.map(|row| row.trim_matches('|').split('|').take(columns).map(names).collect()).collect()
}

#[test]
fn the_documented_schema_is_the_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/signals.md");
    let text = std::fs::read_to_string(path).unwrap();
    let documented = table(&text, "| Signal |", 2);
    let every = every_signal();
    for signal in &every {
        let name = kind(signal);
        // The log's own name is the exported one.
        assert_eq!(serde_json::to_value(signal).unwrap()["signal"], name);
        let row = documented
            .iter()
            .find(|row| row[0] == [name])
            .unwrap_or_else(|| panic!("{name} is not documented"));
        if name == "attribute" {
            continue;
        }
        let mut rows = SignalRows::default();
        rows.push("s", "s", 1, 1, signal);
        let mut csv = Vec::new();
        frontdesk::export::write_csv(&rows.into_columns(), &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let parts: Vec<&str> =
            csv.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();
        assert_eq!(parts, row[1], "the parts of {name}");
    }
    assert_eq!(documented.len(), every.len(), "docs/signals.md names a signal that there isn't");
    let features: Vec<&str> =
        table(&text, "| Feature |", 1).into_iter().flatten().flatten().collect();
    assert_eq!(features, COLUMNS);
}

/// Every kind of signal, as a build of November 2026 stored it. These bytes stand in stores: they
/// must open for ever.
#[test]
fn every_kind_of_signal_opens_as_it_was_stored() {
    let stored = include_str!("fixtures/signals.json");
    assert_eq!(signals::read(stored.as_bytes()), every_signal());
    let now = serde_json::to_string(&every_signal()).unwrap();
    assert_eq!(now, stored.replace('\n', ""), "signals are stored in other words than before");
}

/// Lines of `text<TAB>1|0` in the file that `FRONTDESK_SENTIMENT` names; run with `--ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement over labelled lines that the caller brings"]
#[expect(clippy::print_stdout, reason = "a measurement prints")]
fn sentiment_measured() {
    let Some(path) = std::env::var_os("FRONTDESK_SENTIMENT") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let scored: Vec<(f32, bool)> = text
        .lines()
        .filter_map(|line| line.rsplit_once('\t'))
        .map(|(text, label)| (signals::words::sentiment(text), label.trim() == "1"))
        .collect();
    let told = scored.iter().filter(|(score, _)| *score != 0.0).count();
    let right =
        scored.iter().filter(|(score, good)| *score != 0.0 && (*score > 0.0) == *good).count();
    let (good, bad): (Vec<_>, Vec<_>) = scored.iter().partition(|(_, good)| *good);
    let mut won = 0.0;
    for (a, _) in &good {
        for (b, _) in &bad {
            won += if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            };
        }
    }
    println!(
        "{} lines: AUROC {:.3}; a word told {:.1}%, of which {:.1}% right",
        scored.len(),
        won / (good.len() * bad.len()) as f64,
        100.0 * told as f64 / scored.len() as f64,
        100.0 * right as f64 / told.max(1) as f64
    );
}
