//! What visitors and operators get while the language model, or the knowledge, isn't there.

use axum::routing::post;

use crate::support::{TestServer, answer};
use frontdesk::protocol::ServerMessage;
use frontdesk::protocol::parts::AnswerEnd;
use frontdesk::turn::Mode;

const QUESTION: &str = "What does shipping within Ireland cost?";

async fn readiness(server: &TestServer) -> (u16, serde_json::Value) {
    let response = reqwest::get(server.admin_url("/readyz")).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_remote_model_that_is_gone_costs_no_answer() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.engine = format!("http://{addr}/v1");
        config.sites[0].contact = "help@shop.example".into();
    })
    .await;
    let mut visitor = server.client().await.hello().await;
    for id in ["m1", "m2", "m3"] {
        let done = visitor.ask(id, QUESTION).await;
        let (text, citations) = answer(&done);
        assert!(
            text.contains("4.90 EUR") && citations.contains(&"shipping.md".to_owned()),
            "{done:?}"
        );
        assert!(
            matches!(done, ServerMessage::AnswerDone { end: AnswerEnd::Complete, .. }),
            "{done:?}"
        );
    }
    let metrics = server.server.as_ref().unwrap().metrics();
    assert_eq!(metrics.answers_without_model.get(), 3);
    let (status, told) = readiness(&server).await;
    assert_eq!((status, &told["ready"]), (200, &true.into()), "quotes answer: {told}");
    assert!(told["llm"].as_str().unwrap().contains("no answer from http://127.0.0.1"), "{told}");

    // It comes back: the next answer is its own again, and so is the readiness.
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"Shipping within Ireland costs 4.90 EUR.\"},\
                  \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let app = axum::Router::new().route("/v1/chat/completions", post(async move || stream));
    // Ends with the test.
    let mut peer = tokio::task::JoinSet::new();
    peer.spawn(async move { axum::serve(listener, app).await });
    let (text, _) = answer(&visitor.ask("m4", QUESTION).await);
    assert_eq!(text.trim(), "Shipping within Ireland costs 4.90 EUR.");
    assert_eq!(metrics.answers_without_model.get(), 3);
    assert_eq!(readiness(&server).await.1["llm"], "ok");
    drop(peer);
}

#[tokio::test]
async fn an_answer_that_fails_says_so_and_how_to_reach_a_person() {
    let server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.answers.timeout_s = 1;
        config.llm.scripted_token_ms = 60_000;
        config.sites[0].contact = "help@shop.example".into();
    })
    .await;
    let mut visitor = server.client().await.hello().await;
    let done = visitor.ask("m1", QUESTION).await;
    let ServerMessage::AnswerDone { text, end, citations, .. } = done else { panic!("{done:?}") };
    assert_eq!((end, citations.len()), (AnswerEnd::Failed, 0));
    assert!(
        text.contains("can't answer right now") && text.contains("help@shop.example"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_without_knowledge_is_not_ready() {
    let server = TestServer::with(|config| {
        config.knowledge.path = config.knowledge.path.join("none");
        std::fs::create_dir_all(&config.knowledge.path).unwrap();
    })
    .await;
    let (status, told) = readiness(&server).await;
    assert_eq!(
        (status, &told["ready"], &told["knowledge"]),
        (503, &false.into(), &"empty".into()),
        "{told}"
    );
    assert_eq!(told["index"], "ok");
}
