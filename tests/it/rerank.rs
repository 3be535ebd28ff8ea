//! The model judges the passages of a search before an answer is made of them: with the scripted
//! engine, which judges by words. And what is said while there is nothing to search in yet.

use std::path::Path;
use std::time::Duration;

use crate::support::{TestServer, config, directory, write_documents};
use frontdesk::clock::Clock;
use frontdesk::config::Config;
use frontdesk::conversation::{AnswerEnd, Line};
use frontdesk::llm::Llm;
use frontdesk::protocol::ServerMessage;
use frontdesk::retrieval::{Audience, Hit};
use frontdesk::server;
use frontdesk::telemetry::Metrics;
use frontdesk::turn::rerank::rerank;
use frontdesk::turn::{self, Ask, Mode, Outlet, Output, Spine};
use tokio::sync::mpsc;

/// Two documents of which the search finds the first one nearer, while only the second one has all
/// the words.
const NEAR: &str = "# Socks\n\nDoing laundry: knitted socks want 30 degrees and a mild soap; clean socks dry flat.\n";
const WORDS: &str = "# Workshop\n\nSocks, hats and gloves are kept on the second floor until the van takes them to the harbour \
    at noon. The machine there cuts leather for belts and bags, and the tables are washed every Monday by two people from \
    Galway, who also water the plants, open the windows and count the buttons, laces, buckles and zips. Canvas and wool have \
    a room of their own, and so have poles, pegs, ropes, stoves and lamps. Visitors who ring the bell twice are shown around \
    by whoever has a hand free.\n";
const QUESTION: &str = "How are wool socks washed by machine?";

fn write(directory: &Path) {
    write_documents(directory);
    for (name, text) in [("socks.md", NEAR), ("workshop.md", WORDS)] {
        std::fs::write(directory.join("knowledge").join(name), text).unwrap();
    }
}

async fn spine(change: impl FnOnce(&mut Config)) -> Spine {
    let directory = directory();
    write(&directory);
    let mut config = config(&directory);
    config.knowledge.rerank = 3;
    change(&mut config);
    let retrieval = server::open_retrieval(&config, &Metrics::new()).await.unwrap();
    server::ingest_site(&retrieval, &config, &config.sites[0], &[], true, &|_| {}).await.unwrap();
    let llm = Llm::start(&config.llm).unwrap();
    server::spine(
        &config,
        retrieval,
        llm,
        Mode::Quote,
        Clock::manual(1_700_000_000_000),
        Metrics::new(),
    )
    .unwrap()
}

fn ask(question: &str) -> Ask {
    Ask {
        site: "shop".into(),
        session: None,
        facts: Config::default().sites[0].facts(),
        language: "en".into(),
        audience: Audience::Public,
        history: vec![Line { by_visitor: true, text: "Hello!".into() }],
        question: question.into(),
        written: String::new(),
        sampling: None,
        max_tokens: None,
        stop: Vec::new(),
        request: None,
        beside: String::new(),
    }
}

fn places(hits: &[Hit]) -> Vec<(String, u32)> {
    hits.iter().map(|hit| (hit.passage.document.clone(), hit.passage.ordinal)).collect()
}

/// The search's order, and the one after the model has judged.
async fn orders(spine: &Spine, question: &str) -> (Vec<Hit>, Vec<Hit>) {
    let asked = ask(question);
    let searched = turn::understand(spine, &asked).await.unwrap().hits;
    let mut judged = searched.clone();
    rerank(spine, &ask(question), &mut judged).await;
    (searched, judged)
}

#[tokio::test]
async fn what_the_model_prefers_comes_first() {
    let spine = spine(|_| {}).await;
    let (searched, judged) = orders(&spine, QUESTION).await;
    assert_eq!(places(&searched)[..2], [("socks.md".to_owned(), 0), ("workshop.md".to_owned(), 0)]);
    assert_eq!(places(&judged)[..2], [("workshop.md".to_owned(), 0), ("socks.md".to_owned(), 0)]);
    // Only the judged ones move; cosines go with their passages, scores stay by rank.
    assert_eq!(places(&searched)[3..], places(&judged)[3..]);
    assert_eq!((searched[0].cosine, searched[1].cosine), (judged[1].cosine, judged[0].cosine));
    let scores = |hits: &[Hit]| hits.iter().map(|hit| hit.score.to_bits()).collect::<Vec<_>>();
    assert_eq!(scores(&searched), scores(&judged));
}

#[track_caller]
fn unchanged((searched, judged): &(Vec<Hit>, Vec<Hit>)) {
    assert!(searched.len() > 3);
    assert_eq!(places(searched), places(judged));
}

#[tokio::test]
async fn the_order_of_the_search_stands_where_nothing_is_judged() {
    unchanged(&orders(&spine(|config| config.knowledge.rerank = 0).await, QUESTION).await);
    unchanged(&orders(&spine(|config| config.knowledge.rerank = 1).await, QUESTION).await);
    let spine = spine(|_| {}).await;
    // The engine fails, is too late, or is gone.
    unchanged(&orders(&spine, &format!("{QUESTION} [[fail]]")).await);
    let mut slow = spine.clone();
    slow.llm = Llm::start(&frontdesk::llm::LlmConfig {
        engine: "scripted".into(),
        scripted_token_ms: 60_000,
        ..Default::default()
    })
    .unwrap();
    slow.rerank.limit = Duration::from_millis(5);
    unchanged(&orders(&slow, QUESTION).await);
    spine.llm.shutdown();
    unchanged(&orders(&spine, QUESTION).await);
}

/// Asks a server and gives the document that the answer cites first, and the confidence.
async fn first_cited(judged: usize, mode: Mode, question: &str) -> (String, f32) {
    let mut server = TestServer::with(|config| {
        write(&config.knowledge.path.with_file_name(""));
        config.knowledge.rerank = judged;
        config.answers.mode = mode;
        config.answers.min_confidence = 0.0;
    })
    .await;
    let mut client = server.client().await.hello().await;
    let ServerMessage::AnswerDone { citations, confidence, .. } = client.ask("m", question).await
    else {
        unreachable!()
    };
    server.stop().await;
    (citations[0].document.clone(), confidence)
}

#[tokio::test]
async fn a_visitor_is_answered_from_what_the_model_prefers() {
    let (searched, confidence) = first_cited(0, Mode::Generate, QUESTION).await;
    let (judged, judged_confidence) = first_cited(3, Mode::Generate, QUESTION).await;
    assert_eq!((searched.as_str(), judged.as_str()), ("socks.md", "workshop.md"));
    assert_eq!(
        confidence.to_bits(),
        judged_confidence.to_bits(),
        "it is the search's, by which it was measured"
    );
    let (failed, _) = first_cited(3, Mode::Quote, &format!("{QUESTION} [[fail]]")).await;
    assert_eq!(failed, "socks.md", "an answer never fails for it");
}

/// What a turn sends.
async fn said(spine: &Spine, question: &str) -> String {
    let (sender, mut receiver) = mpsc::channel(64);
    let mut outlet = Outlet::new(sender, Metrics::new());
    let asked = ask(question);
    let (verdict, text) = tokio::join!(
        async {
            let verdict = turn::answer(spine, &asked, &mut outlet).await;
            drop(outlet);
            verdict
        },
        async {
            let mut text = String::new();
            while let Some(output) = receiver.recv().await {
                if let Output::Text(delta) = output {
                    text.push_str(&delta);
                }
            }
            text
        }
    );
    assert_eq!(verdict.unwrap().end, AnswerEnd::Declined);
    text
}

#[tokio::test]
async fn a_decline_while_documents_are_read_for_the_first_time_says_so() {
    let spine = spine(|_| {}).await;
    let question = "Which submarine is the fastest?";
    let run = spine.retrieval.filling.begin();
    assert!(said(&spine, question).await.contains("still reading the documents"));
    drop(run);
    assert!(!said(&spine, question).await.contains("still reading"));
}
