//! A conversation over the socket, from hello to the last word.

use std::time::Duration;

use crate::support::{TestServer, answer};
use frontdesk::protocol::parts::{AnswerEnd, Rating};
use frontdesk::protocol::{ClientMessage, Partial, ServerMessage};
use frontdesk::turn::Mode;

#[tokio::test]
async fn a_question_is_answered_with_its_source() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    let done = visitor.ask("m1", "What does shipping within Ireland cost?").await;
    let (text, documents) = answer(&done);
    assert!(text.contains("4.90 EUR"), "{text}");
    assert_eq!(documents[0], "shipping.md");
    let ServerMessage::AnswerDone { end, confidence, citations, .. } = done else { unreachable!() };
    assert_eq!(end, AnswerEnd::Complete);
    assert!(confidence > 0.5, "{confidence}");
    assert!(text.contains(&citations[0].quote), "{citations:?}");
}

#[tokio::test]
async fn questions_on_the_catalogue_are_answered_from_its_rows() {
    for mode in [Mode::Quote, Mode::Generate] {
        let server = TestServer::with(|config| {
            config.answers.mode = mode;
            let rows = include_str!("../../knowledge/catalogue.csv");
            std::fs::write(config.knowledge.path.join("catalogue.csv"), rows).unwrap();
        });
        let server = server.await;
        let mut visitor = server.client().await.hello().await;
        let done = visitor.ask("m1", "What's the cheapest tent you have?").await;
        let ServerMessage::AnswerDone { end, text, citations, .. } = done else { unreachable!() };
        assert_eq!(
            (end, text.as_str()),
            (AnswerEnd::Complete, "The cheapest is Tarn 2 tent: 349 EUR (Moss or Slate).")
        );
        let quotes: Vec<&str> = citations.iter().map(|citation| citation.quote.as_str()).collect();
        assert_eq!(quotes.len(), 2, "{quotes:?}");
        assert!(
            quotes[0].contains("sku: HP-1011") && quotes[1].contains("sku: HP-1012"),
            "{quotes:?}"
        );
        assert!(
            citations.iter().all(|citation| citation.document.starts_with("catalogue.csv")),
            "{citations:?}"
        );

        let (text, _) = answer(&visitor.ask("m2", "Is it in stock?").await);
        assert_eq!(text, "Yes. Tarn 2 tent: 23 in stock (Moss), 11 in stock (Slate).");
        let (text, _) = answer(
            &visitor.ask("m3", "What is the difference between the Tarn 2 and the Tarn 3?").await,
        );
        assert!(
            text.ends_with(
                "| Tarn 2 tent | 349 EUR (Moss or Slate) | 1900 g |\n| Tarn 3 tent | 429 EUR (Moss) | 2400 g |"
            ),
            "{text}"
        );
        // What rows don't hold is answered as ever.
        let (text, documents) =
            answer(&visitor.ask("m4", "How long can unused goods be returned?").await);
        assert!(text.contains("60 days") && documents[0] == "returns.md", "{text}");
    }
}

#[tokio::test]
async fn rules_as_a_whole_and_lists_are_told_whole() {
    let sample = |folder: &str| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge").join(folder)
    };
    let server = TestServer::with(|config| config.knowledge.path = sample("help")).await;
    let mut visitor = server.client().await.hello().await;
    let (text, documents) = answer(&visitor.ask("m1", "What's your return policy?").await);
    for section in [
        "within 60 days of delivery.",
        "with its tags and packaging.",
        "from Ireland are free",
        "within 5 working days",
    ] {
        assert!(text.contains(section), "{section}: {text}");
    }
    assert!(
        !text.contains("Sale items")
            && documents[..4].iter().all(|document| document == "returns.md"),
        "{text}"
    );
    let (text, _) = answer(&visitor.ask("m2", "What can't I return?").await);
    assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), 5, "{text}");

    let server = TestServer::with(|config| config.knowledge.path = sample("zh")).await;
    let mut visitor = server.client().await.hello().await;
    let (text, documents) = answer(&visitor.ask("m1", "退货政策是什么？").await);
    assert!(
        text.starts_with("未使用的商品可在收货后 60 天内退货。退回的商品")
            && documents[0] == "returns.md",
        "{text}"
    );
}

#[tokio::test]
async fn deltas_make_the_answer_and_the_seqs_have_no_gap() {
    let server = TestServer::with(|config| config.answers.mode = Mode::Generate).await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", "How long can unused goods be returned?").await;
    let (mut text, mut seqs) = (String::new(), Vec::new());
    loop {
        match visitor.next().await {
            ServerMessage::Ack { seq, .. } | ServerMessage::AnswerStarted { seq, .. } => {
                seqs.push(seq)
            }
            ServerMessage::AnswerDelta { offset, text: more, .. } => {
                assert_eq!(offset, text.chars().count() as u64);
                text.push_str(&more);
            }
            ServerMessage::AnswerDone { seq, text: whole, .. } => {
                assert_eq!(whole, text);
                seqs.push(seq);
                break;
            }
            _ => {}
        }
    }
    seqs.sort_unstable();
    assert_eq!(seqs, [2, 3, 4], "1 is the session's start");
    assert!(text.contains("60 days"), "{text}");
}

/// Texts that the embedder has computed.
async fn embedded(server: &TestServer) -> u64 {
    let request =
        reqwest::Client::new().get(server.admin_url("/metrics")).bearer_auth(server.admin_key());
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let line =
        metrics.lines().find(|line| line.starts_with("frontdesk_texts_embedded ")).expect(&metrics);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_typed_is_prepared_and_not_kept() {
    let server = TestServer::with(|config| config.sites[0].widget.draft = true).await;
    let mut client = server.client().await.hello().await;
    let question = "How long may I return a jacket?";
    let before = embedded(&server).await;
    client.send(&ClientMessage::Typing { text: Some(question.into()) }).await;
    // Prepared is what stays prepared.
    let (mut prepared, mut same) = (0, 0);
    while prepared == 0 || same < 5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = embedded(&server).await - before;
        same = if now == prepared { same + 1 } else { 0 };
        prepared = now;
    }
    assert!(prepared > 1, "the question and the sentences of its answer: {prepared}");
    client.say("m", question).await;
    assert_eq!(client.acked("m").await, 2, "no event came of it: 1 is the session's start");
    client.done().await;
    assert_eq!(
        embedded(&server).await - before,
        prepared,
        "the answer had nothing left to compute"
    );
    // What could not be sent is not prepared, and harms nothing.
    client.send(&ClientMessage::Typing { text: Some("x".repeat(5_000)) }).await;
    client.send(&ClientMessage::Typing { text: None }).await;
    client.ask("n", question).await;
}

#[tokio::test]
async fn what_the_knowledge_does_not_hold_is_declined() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    let done = visitor.ask("m1", "Who won the chess world championship in 1972?").await;
    let ServerMessage::AnswerDone { end, citations, text, .. } = done else { unreachable!() };
    assert_eq!((end, citations.len()), (AnswerEnd::Declined, 0), "{text}");
}

#[tokio::test]
async fn what_is_too_short_to_tell_is_taken_for_the_page_s_language() {
    let server = TestServer::start().await;
    let reply = async |language: Option<&str>, text: &str| {
        let mut visitor = server.client().await.hello_on(language).await;
        let ServerMessage::AnswerDone { text, .. } = visitor.ask("m1", text).await else {
            panic!("no answer")
        };
        // Whoever connects again from a page that says nothing is where they were.
        let mut back = visitor.resume(None).await;
        let ServerMessage::AnswerDone { text: again, .. } = back.ask("m2", "8842?").await else {
            panic!("no answer")
        };
        (text, again)
    };
    let begins = |(first, again): (String, String), word: &str| {
        assert!(first.starts_with(word) && again.starts_with(word), "{first} / {again}");
    };
    begins(reply(None, "7731?").await, "I'm sorry");
    begins(reply(Some("fr-CH"), "7731?").await, "Désolé");
    begins(reply(Some("de"), "7731?").await, "Dazu habe ich");
    // Without phrases in it, the site's language stays.
    begins(reply(Some("eo"), "7731?").await, "I'm sorry");
    let (english, _) = reply(Some("fr"), "Who won the chess world championship in 1972?").await;
    assert!(english.starts_with("I'm sorry"), "what is said counts more: {english}");
}

#[tokio::test]
async fn sending_again_is_acknowledged_again_and_answered_once() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "What does shipping cost?").await;
    visitor.say("m1", "What does shipping cost?").await;
    assert_eq!(visitor.acked("m1").await, 2);
    let done = visitor.ask("m2", "And returns?").await;
    let ServerMessage::AnswerDone { turn, .. } = done else { unreachable!() };
    assert_eq!(turn, 5);
}

/// A server whose answers take long enough to be cut.
async fn slow() -> TestServer {
    TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 40;
    })
    .await
}

const LONG: &str = "[[say Orders of 75 EUR or more ship free within Ireland. Shipping within Ireland costs 4.90 EUR. \
                    A parcel within Ireland arrives after 1 to 2 working days. Shipping within Ireland costs 4.90 EUR.]] shipping within Ireland costs";

#[tokio::test]
async fn cancel_stops_the_answer_and_keeps_what_was_said() {
    let server = slow().await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", LONG).await;
    let turn = visitor.acked("m1").await;
    let said = visitor
        .until(|message| {
            if let ServerMessage::AnswerDelta { text, .. } = message {
                Some(text.clone())
            } else {
                None
            }
        })
        .await;
    visitor.send(&ClientMessage::Cancel { turn }).await;
    let ServerMessage::AnswerDone { end, text, .. } = visitor.done().await else { unreachable!() };
    assert_eq!(end, AnswerEnd::Cancelled);
    assert!(text.starts_with(&said) && !text.contains("working days"), "{text}");
    // The place is free again.
    visitor.send(&ClientMessage::Cancel { turn }).await;
    assert_eq!(visitor.error().await.0, frontdesk::protocol::ErrorCode::UnknownTurn);
}

#[tokio::test]
async fn a_new_message_supersedes_the_running_answer() {
    let server = slow().await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", LONG).await;
    visitor
        .until(|message| matches!(message, ServerMessage::AnswerDelta { .. }).then_some(()))
        .await;
    visitor
        .say("m2", "[[say Unused goods can be returned within 60 days.]] returned within 60 days?")
        .await;
    let ServerMessage::AnswerDone { end, turn: first, .. } = visitor.done().await else {
        unreachable!()
    };
    assert_eq!(end, AnswerEnd::Superseded);
    let ServerMessage::AnswerDone { end, turn: second, text, .. } = visitor.done().await else {
        unreachable!()
    };
    assert_eq!(end, AnswerEnd::Complete);
    assert!(second > first && text.contains("60 days"), "{text}");
}

#[tokio::test]
async fn a_second_tab_sees_the_same_and_resumes_in_the_middle() {
    let server = slow().await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", LONG).await;
    let turn = visitor.acked("m1").await;
    let first = visitor
        .until(|message| {
            if let ServerMessage::AnswerDelta { text, .. } = message {
                Some(text.clone())
            } else {
                None
            }
        })
        .await;
    let has = first.chars().count() as u64;

    let mut tab = visitor.resume_at(visitor.addr, 3, Some(Partial { turn, offset: has })).await;
    let mut text = first;
    let done = loop {
        match tab.next().await {
            ServerMessage::AnswerDelta { offset, text: more, .. } => {
                assert_eq!(
                    offset,
                    text.chars().count() as u64,
                    "only what was missed, and all of it"
                );
                text.push_str(&more);
            }
            ServerMessage::AnswerDone { text, .. } => break text,
            other => assert!(
                !matches!(
                    other,
                    ServerMessage::Message { .. } | ServerMessage::AnswerStarted { .. }
                ),
                "{other:?} was seen before"
            ),
        }
    };
    assert_eq!(text, done);
    let ServerMessage::AnswerDone { text: same, .. } = visitor.done().await else { unreachable!() };
    assert_eq!(same, done);

    let mut late = visitor.resume_at(visitor.addr, 0, None).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match late.next().await {
            ServerMessage::Message { seq, .. }
            | ServerMessage::AnswerStarted { seq, .. }
            | ServerMessage::AnswerDone { seq, .. } => seen.push(seq),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [2, 3, 4]);
}

#[tokio::test]
async fn feedback_a_wish_for_a_person_and_the_end_are_kept() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    let ServerMessage::AnswerDone { turn, .. } =
        visitor.ask("m1", "What does shipping cost?").await
    else {
        unreachable!()
    };
    visitor.send(&ClientMessage::Feedback { turn, rating: Rating::Up, text: None }).await;
    visitor
        .until(|message| {
            matches!(message, ServerMessage::FeedbackReceived { seq: 5, .. }).then_some(())
        })
        .await;
    visitor.send(&ClientMessage::Feedback { turn: 99, rating: Rating::Up, text: None }).await;
    assert_eq!(visitor.error().await.0, frontdesk::protocol::ErrorCode::UnknownTurn);
    visitor.send(&ClientMessage::Human {}).await;
    visitor
        .until(|message| {
            matches!(message, ServerMessage::HumanRequested { seq: 6, .. }).then_some(())
        })
        .await;
    visitor
        .until(|message| matches!(message, ServerMessage::Handoff { seq: 7, .. }).then_some(()))
        .await;
    visitor.send(&ClientMessage::End { session: None }).await;
    visitor
        .until(|message| matches!(message, ServerMessage::Ended { seq: 8, .. }).then_some(()))
        .await;
    visitor.say("m2", "Still there?").await;
    assert_eq!(visitor.error().await.0, frontdesk::protocol::ErrorCode::SessionEnded);
}

#[tokio::test]
async fn server_sent_events_carry_the_same_turn() {
    let server = TestServer::start().await;
    let client = reqwest::Client::new();
    let body = serde_json::json!({ "site": "shop", "id": "m1", "text": "What does shipping within Ireland cost?" });
    let ask = async || {
        let response =
            client.post(server.url("/v1/chat/messages")).json(&body).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.text().await.unwrap()
    };
    let text = ask().await;
    let messages: Vec<ServerMessage> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let ServerMessage::Welcome { session, token, .. } = &messages[0] else {
        panic!("{messages:?}")
    };
    let (said, documents) = answer(messages.last().unwrap());
    assert!(said.contains("4.90 EUR"));
    assert_eq!(documents[0], "shipping.md");

    // The same message once more, in the same session: the same answer, not a second one.
    let again = serde_json::json!({ "site": "shop", "id": "m1", "text": "What does shipping within Ireland cost?", "session": session, "token": token });
    let text = client
        .post(server.url("/v1/chat/messages"))
        .json(&again)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let last = text.lines().rfind(|line| line.starts_with("data: ")).unwrap();
    let ServerMessage::AnswerDone { seq, .. } = serde_json::from_str(&last[6..]).unwrap() else {
        panic!("{last}")
    };
    assert_eq!(seq, 4);
}

#[tokio::test]
async fn signals_and_intent_are_in_the_session_s_state() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "How much is the Tarn 2, and is it in stock?").await;
    let url = server.admin_url(&format!("/v1/sites/shop/sessions/{}", visitor.session));
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    let state: serde_json::Value = client
        .get(&url)
        .bearer_auth(server.admin_key())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let reasons: Vec<&str> = state["intent"]["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["signal"].as_str().unwrap())
        .collect();
    assert!(reasons.contains(&"price") && reasons.contains(&"stock"), "{state}");
    assert!(state["intent"]["score"].as_f64().unwrap() > 0.2);

    let metrics = client
        .get(server.admin_url("/metrics"))
        .bearer_auth(server.admin_key())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(metrics.contains("frontdesk_turns_total{end=\"Complete\"} 1"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"));

    assert_eq!(
        client.delete(&url).bearer_auth(server.admin_key()).send().await.unwrap().status(),
        204
    );
    assert_eq!(
        client.get(&url).bearer_auth(server.admin_key()).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn a_conversation_expires() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "What does shipping cost?").await;
    server.clock.advance(25 * 3_600_000);
    visitor.say("m2", "Hello again").await;
    assert_eq!(visitor.error().await.0, frontdesk::protocol::ErrorCode::SessionEnded);

    // What comes and goes beside the words makes it no younger: nobody answered this one.
    let mut waiting = server.client().await.hello().await;
    waiting.ask("m1", "What does shipping cost?").await;
    server.clock.advance(20 * 3_600_000);
    waiting.send(&ClientMessage::Human {}).await;
    waiting.until(|message| matches!(message, ServerMessage::Handoff { .. }).then_some(())).await;
    server.clock.advance(5 * 3_600_000);
    waiting.say("m2", "Hello again").await;
    assert_eq!(waiting.error().await.0, frontdesk::protocol::ErrorCode::SessionEnded);
}
