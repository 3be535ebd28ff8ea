//! Stopping and starting again: SIGTERM, and what a restart does with running answers.

use frontdesk::protocol::{ErrorCode, ServerMessage};
use frontdesk::turn::Mode;

use crate::support::{Binary, ChatClient, TestServer, answer, config, write_config, write_documents};

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
        .until(|message| if let ServerMessage::AnswerDelta { text, .. } = message { Some(text.clone()) } else { None })
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
