//! Stopping and starting again: SIGTERM, and what a restart does with running answers.

use frontdesk::conversation::Event;
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::store::{Record, RecordKind, Store};
use frontdesk::turn::Mode;

use crate::support::{
    Binary, ChatClient, TestServer, answer, config, write_config, write_documents,
};

#[tokio::test]
async fn a_restart_keeps_conversations_and_tells_clients_to_come_back() {
    let mut server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "What does shipping within Ireland cost?").await;
    let stopping = async {
        let (code, _) = visitor.error().await;
        assert_eq!(code, ErrorCode::Draining);
        assert_eq!(visitor.closed().await, Some(1012));
    };
    let restart = async { server.restart().await };
    tokio::join!(stopping, restart);
    let mut again = visitor.resume_at(server.addr(), 0, None).await;
    let mut seqs = Vec::new();
    while seqs.len() < 3 {
        match again.next().await {
            ServerMessage::Message { seq, .. }
            | ServerMessage::AnswerStarted { seq, .. }
            | ServerMessage::AnswerDone { seq, .. } => seqs.push(seq),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seqs, [2, 3, 4]);
    again.ask("m2", "And how long can goods be returned?").await;
}

#[tokio::test]
async fn sigterm_checkpoints_a_running_answer_and_the_next_start_finishes_it() {
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let mut options = config(directory.path());
    options.answers.mode = Mode::Generate;
    options.llm.scripted_token_ms = 200;
    options.server.drain_s = 0;
    let path = write_config(directory.path(), &options);

    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;
    let question = "[[say Shipping within Ireland costs 4.90 EUR. Orders of 75 EUR or more ship free within Ireland. A parcel within Ireland arrives after 1 to 2 working days.]] What does shipping within Ireland cost?";
    visitor.say("m1", question).await;
    let before = visitor
        .until(|message| {
            if let ServerMessage::AnswerDelta { text, .. } = message {
                Some(text.clone())
            } else {
                None
            }
        })
        .await;
    assert_eq!(server.terminate().await, Some(0));

    options.llm.scripted_token_ms = 0;
    write_config(directory.path(), &options);
    let server = Binary::serve(&path, &[]).await;
    let mut again = visitor.resume_at(server.addr, 3, None).await;
    let (text, _) = answer(&again.done().await);
    assert!(text.starts_with(&before), "{text}");
    assert_eq!(text.matches("4.90 EUR").count(), 1, "nothing twice: {text}");
    assert!(text.ends_with("working days."), "{text}");
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn nothing_new_begins_while_draining() {
    let mut server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 100;
    })
    .await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m1", "[[say Shipping within Ireland costs 4.90 EUR.]] What does shipping within Ireland cost?").await;
    visitor.acked("m1").await;
    let asking = async {
        let done = visitor.done().await;
        let (text, _) = answer(&done);
        assert!(text.contains("4.90"), "the running answer ends: {text}");
    };
    tokio::join!(asking, server.stop());
}

/// A conversation that can't be read is one conversation, and what a newer release wrote is none of
/// those.
#[tokio::test]
async fn a_record_that_is_not_understood_costs_one_conversation() {
    let mut server = TestServer::start().await;
    let mut sound = server.client().await.hello().await;
    let mut newer = server.client().await.hello().await;
    let mut damaged = server.client().await.hello().await;
    for visitor in [&mut sound, &mut newer, &mut damaged] {
        visitor.ask("m1", "What does shipping within Ireland cost?").await;
    }
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    for (visitor, body) in [
        (&newer, "{\"event\":\"teleported\",\"to\":\"Mars\"}"),
        (&damaged, "{\"event\":\"said\",\"id\":7}"),
    ] {
        let (site, session, seq) = ("shop".into(), visitor.session.clone(), visitor.last_seq + 1);
        let (at_ms, kind) = (server.clock.now_ms(), RecordKind::Event);
        store.append(Record { site, session, seq, at_ms, kind, body: body.into() }).await.unwrap();
    }
    let understood = |body: &[u8]| {
        Event::read(body).map(|event| event.is_some()).map_err(|error| error.to_string())
    };
    let checked = store.clone();
    let report = tokio::task::spawn_blocking(move || checked.verify(understood, |_| ()).unwrap())
        .await
        .unwrap();
    assert_eq!((report.newer, report.unreadable, report.is_sound()), (1, 1, false));
    assert!(report.problems[0].contains(&damaged.session), "{report:?}");
    store.close().await.unwrap();
    drop(store);

    server.restart().await;
    assert!(server.server.as_ref().unwrap().metrics().unreadable.get() > 0);
    let mut sound = sound.resume_at(server.addr(), sound.last_seq, None).await;
    sound.ask("m2", "And how long can goods be returned?").await;
    // What isn't known is passed over and keeps its number.
    let seen = newer.last_seq;
    let mut newer = newer.resume_at(server.addr(), seen, None).await;
    newer.say("m2", "And how long can goods be returned?").await;
    assert_eq!(newer.acked("m2").await, seen + 2);
    newer.done().await;
    // Who had the damaged one is told to begin anew; everybody else's reports go on.
    let mut client = server.client().await;
    client
        .send(&ClientMessage::Hello {
            site: "shop".into(),
            token: Some(damaged.token.clone()),
            session: Some(damaged.session.clone()),
            last_seq: damaged.last_seq,
            partial: None,
            source: None,
            attributes: None,
            language: None,
        })
        .await;
    let (code, text) = client.error().await;
    assert!(
        code == ErrorCode::UnknownSession && text.contains("begin a new one"),
        "{code:?} {text}"
    );
    let http = reqwest::Client::new();
    let admin = |method: reqwest::Method, path: &str| {
        http.request(method, server.admin_url(path)).bearer_auth(server.admin_key()).send()
    };
    for path in [
        "/v1/sites/shop/insight",
        "/v1/sites/shop/intent/classes/labels",
        "/v1/sites/shop/sessions",
    ] {
        assert_eq!(admin(reqwest::Method::GET, path).await.unwrap().status(), 200, "{path}");
    }
    // It can be forgotten as any other, and retention passes it, too.
    let path = format!("/v1/sites/shop/sessions/{}", damaged.session);
    assert_eq!(admin(reqwest::Method::DELETE, &path).await.unwrap().status(), 204);
    assert_eq!(admin(reqwest::Method::GET, &path).await.unwrap().status(), 404);
}
