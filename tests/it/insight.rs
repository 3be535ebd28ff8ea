//! From what visitors do to what a marketer sees, over the wire and the real store.

use std::collections::BTreeMap;

use frontdesk::features::{COLUMNS, State};
use frontdesk::insight::book::{Book, Touched};
use frontdesk::insight::replay;
use frontdesk::outcomes;
use frontdesk::protocol::{AttributeValue, Attributes, ClientMessage, Rating, ServerMessage, Source};
use frontdesk::recommend::Catalogue;
use frontdesk::signals::export::{SignalRows, kind};
use frontdesk::signals::{self, Meaning, Outcome, Signal, Topic};
use frontdesk::store::{RecordKind, Store, StoreConfig};

use crate::support::{ChatClient, TestServer, directory};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CATALOGUE: &str = "sku,name,category,variant,price_eur,stock,url
T2,Tarn 2 tent,Tents,Moss,349.00,4,https://shop.example/tarn-2
T3,Tarn 3 tent,Tents,Moss,429.00,0,https://shop.example/tarn-3
S1,Ember stove,Stoves,,89.90,3,https://shop.example/ember
";

async fn shop(change: impl FnOnce(&mut frontdesk::http::auth::Site)) -> TestServer {
    let server = TestServer::with(|config| {
        let path = config.store.path.parent().unwrap().join("catalogue.csv");
        std::fs::write(&path, CATALOGUE).unwrap();
        config.sites[0].catalogue = Some(path);
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
        })
        .await;
    let ServerMessage::Welcome { session, token, .. } = client.next().await else { panic!("no welcome") };
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
        .flat_map(|record| signals::read(&record.body).into_iter().map(|signal| (record.at_ms, signal)))
        .collect()
}

fn count(log: &[(u64, Signal)], wanted: &str) -> usize {
    log.iter().filter(|(_, signal)| kind(signal) == wanted).count()
}

#[tokio::test]
async fn a_conversation_leaves_every_kind_of_signal_and_none_without_consent() {
    let mut server = shop(|_| {}).await;
    let mut client = arrive(&server, true).await;
    let ServerMessage::AnswerDone { turn, .. } = client.ask("m1", "How much is the Tarn 2? I love it").await else {
        panic!()
    };
    client.send(&ClientMessage::Feedback { turn, rating: Rating::Up, text: None }).await;
    client.until(|message| matches!(message, ServerMessage::FeedbackReceived { .. }).then_some(())).await;
    client.send(&ClientMessage::Human {}).await;
    client.until(|message| matches!(message, ServerMessage::HumanRequested { .. }).then_some(())).await;
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

async fn report(server: &TestServer, body: &str, signature: Option<&str>) -> (u16, serde_json::Value) {
    let mut request = reqwest::Client::new().post(server.url("/v1/sites/shop/outcomes")).body(body.to_owned());
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
    let result = |value: &serde_json::Value| value["outcomes"][0]["result"].as_str().unwrap_or("").to_owned();

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
    let nobody = r#"{"order":"A3","visitor":"nobody","converted":true}"#;
    assert_eq!(result(&report(&server, nobody, None).await.1), "refused");

    drop(client);
    let noted = log(&mut server, &session).await;
    let state = State::at(noted.iter().map(|(at, signal)| (*at, signal)), u64::MAX);
    assert_eq!((state.outcomes.len(), state.converted(), state.amount()), (2, Some(true), 5.0));

    // Erasing the session leaves nothing: no signal, no outcome, and nothing derived.
    let store = Store::open(&server.config.store).unwrap();
    let book = Book::new(store.clone(), Touched::default());
    assert_eq!(book.read("shop").await.unwrap().len(), 1);
    assert!(store.erase("shop", &session).await.unwrap());
    assert!(read(&store, &session).await.is_empty());
    assert!(book.read("shop").await.unwrap().is_empty());
    let key = frontdesk::session::SessionKey { site: "shop".into(), id: session.clone() };
    let late = signals::append(&store, &key, 2, 1, &[Signal::Known]);
    assert!(late.await.is_err(), "a signal that comes late is refused");
    store.close().await.unwrap();
}

#[tokio::test]
async fn cards_come_after_the_answer_and_never_out_of_stock() {
    let mut server = shop(|site| {
        site.recommend.enabled = true;
        site.recommend.holdout = 0.0;
    })
    .await;
    let mut client = arrive(&server, true).await;
    client.ask("m1", "What does the Tarn 3 tent cost, and the Tarn 2?").await;
    let products = client
        .until(|message| match message {
            ServerMessage::Recommendation { products, .. } => Some(products.clone()),
            _ => None,
        })
        .await;
    let ids: Vec<&str> = products.iter().map(|card| card.id.as_str()).collect();
    assert!(ids.contains(&"T2") && !ids.contains(&"T3"), "{ids:?}");
    assert_eq!(products[0].reason, "You asked about it");
    client.send(&ClientMessage::RecommendationClick { id: "T2".into() }).await;
    client.send(&ClientMessage::RecommendationClick { id: "elsewhere".into() }).await;
    client.error().await;
    let session = client.session.clone();
    drop(client);
    let noted = log(&mut server, &session).await;
    assert_eq!((count(&noted, "recommended"), count(&noted, "clicked")), (1, 1));
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
    let session = client.session.clone();
    drop(client);
    let noted = log(&mut server, &session).await;
    assert!(noted.iter().all(|(_, signal)| !matches!(signal, Signal::Recommended { held_out: false, .. })));
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
    let catalogue = Catalogue::default();
    let parts = replay::Parts {
        store: &store,
        site: "shop",
        channel: "test",
        catalogue: &catalogue,
        meanings: &replay::Meanings::None,
    };
    let conversations = replay::read(CONVERSATIONS, 1).unwrap();
    let done = replay::import(&parts, &conversations, |_| {}).await.unwrap();
    assert_eq!((done.sessions, done.messages, done.outcomes, done.present), (2, 4, 2, 0));
    assert_eq!(replay::import(&parts, &conversations, |_| {}).await.unwrap().present, 2);
    let book = Book::new(store.clone(), Touched::default());
    let entries = book.read("shop").await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.state.converted()).collect::<Vec<_>>(), [Some(true), Some(false)]);
    for entry in &entries {
        let log = read(&store, &entry.id).await;
        let mut live = State::default();
        for (i, (at_ms, signal)) in log.iter().enumerate() {
            live.push(*at_ms, signal);
            let stored = State::at(log.iter().take(i + 1).map(|(at, signal)| (*at, signal)), u64::MAX);
            assert_eq!(live, stored, "after {signal:?}");
            assert_eq!(live.row(), stored.row());
        }
        assert_eq!(live, entry.state);
    }
    store.close().await.unwrap();
}

/// Every signal, once.
fn every_signal() -> Vec<Signal> {
    vec![
        Signal::Started { visitor: "v".into(), channel: "c".into() },
        Signal::Source(Source {
            utm_source: Some("a".into()),
            utm_medium: Some("a".into()),
            utm_campaign: Some("a".into()),
            utm_term: Some("a".into()),
            utm_content: Some("a".into()),
            referrer: Some("a".into()),
        }),
        Signal::Known,
        Signal::Message { chars: 1, words: 1, question: true, sentiment: 0.0, language: Some("en".into()) },
        Signal::Meaning { vector: Meaning::of(&[1.0]) },
        Signal::Topic { topic: Topic::Price },
        Signal::Mention { product: Some("p".into()), category: "c".into() },
        Signal::Answer {
            confidence: Some(1.0),
            end: frontdesk::protocol::AnswerEnd::Complete,
            citations: 0,
            withheld: 0,
        },
        Signal::Feedback { rating: Rating::Up },
        Signal::HumanRequested,
        Signal::Dwell { ms: 1 },
        Signal::Recommended { products: vec!["p".into()], held_out: false },
        Signal::Clicked { product: "p".into() },
        Signal::Outcome(Outcome {
            order: "o".into(),
            currency: "EUR".into(),
            products: vec!["p".into()],
            ..Outcome::default()
        }),
        Signal::Ended,
        Signal::Attribute { name: "age".into(), value: AttributeValue::Number(1.0) },
    ]
}

/// Names in backticks of the first columns of a table, for each row.
fn table<'a>(text: &'a str, heading: &str, columns: usize) -> Vec<Vec<Vec<&'a str>>> {
    let rows =
        text.lines().skip_while(|line| !line.starts_with(heading)).skip(2).take_while(|line| line.starts_with('|'));
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
        let row = documented.iter().find(|row| row[0] == [name]).unwrap_or_else(|| panic!("{name} is not documented"));
        if name == "attribute" {
            continue;
        }
        let mut rows = SignalRows::default();
        rows.push("s", "s", 1, 1, signal);
        let mut csv = Vec::new();
        signals::export::write_csv(&rows.into_columns(), &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let parts: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();
        assert_eq!(parts, row[1], "the parts of {name}");
    }
    assert_eq!(documented.len(), every.len(), "docs/signals.md names a signal that there isn't");
    let features: Vec<&str> = table(&text, "| Feature |", 1).into_iter().flatten().flatten().collect();
    assert_eq!(features, COLUMNS);
}

/// Lines of `text<TAB>1|0` in the file that `FRONTDESK_SENTIMENT` names; run with `--ignored --nocapture`.
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
    let right = scored.iter().filter(|(score, good)| *score != 0.0 && (*score > 0.0) == *good).count();
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
