//! Promise 1 under `kill -9`: nothing acknowledged is lost, doubled or reordered, and cut answers
//! go on.

use std::collections::HashMap;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};

use crate::support::{Binary, ChatClient, config, write_config, write_documents};
use frontdesk::protocol::parts::AnswerEnd;
use frontdesk::protocol::{ClientMessage, Partial, ServerMessage};
use frontdesk::signals::{self, Signal};
use frontdesk::store::{RecordKind, Store};
use frontdesk::turn::Mode;

const SESSIONS: usize = 50;

/// Whatever was acknowledged leaves its signals, too, though they are written after the
/// acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_has_its_signals_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let options = config(directory.path());
    let path = write_config(directory.path(), &options);
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(ChatClient::connect(server.addr).await.hello().await);
    }
    for client in &mut clients {
        client.say("m1", "How much does shipping to Ireland cost?").await;
    }
    let mut acked = Vec::new();
    for mut client in clients {
        acked.push((client.session.clone(), client.acked("m1").await));
    }
    server.kill().await;
    // The second start finds nothing left to do.
    for _ in 0..2 {
        assert_eq!(Binary::serve(&path, &[]).await.terminate().await, Some(0));
    }
    let store = Store::open(&options.store).unwrap();
    for (session, seq) in acked {
        let records = store.read("shop", &session, 0, &[RecordKind::Signal]).await.unwrap();
        let of = |seq: u64| -> Vec<Signal> {
            records
                .iter()
                .filter(|record| record.seq == seq)
                .flat_map(|record| signals::read(&record.body))
                .collect()
        };
        let count = |signals: &[Signal], wanted: fn(&Signal) -> bool| {
            signals.iter().filter(|signal| wanted(signal)).count()
        };
        assert_eq!(
            count(&of(1), |signal| matches!(signal, Signal::Started { .. })),
            1,
            "{records:?}"
        );
        assert_eq!(
            count(&of(seq), |signal| matches!(signal, Signal::Message { .. })),
            1,
            "{records:?}"
        );
        assert_eq!(
            count(&of(seq), |signal| matches!(signal, Signal::Meaning { .. })),
            1,
            "{records:?}"
        );
    }
    store.close().await.unwrap();
}

/// What a visitor knows for sure.
struct Visitor {
    session: String,
    token: String,
    /// Acknowledged messages: id → (seq, text).
    acked: HashMap<String, (u64, String)>,
    sent: usize,
}

const ANSWER: &str = "Shipping within Ireland costs 4.90 EUR. Orders of 75 EUR or more ship free within Ireland. \
                      A parcel within Ireland arrives after 1 to 2 working days.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let cycles: usize = std::env::var("FRONTDESK_KILL_CYCLES")
        .ok()
        .and_then(|cycles| cycles.parse().ok())
        .unwrap_or(50);
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let mut options = config(directory.path());
    options.answers.mode = Mode::Generate;
    options.answers.parallel = 64;
    options.llm.parallel = 64;
    options.llm.scripted_token_ms = 10;
    // It is killed from outside, often before an answer got any further.
    options.sessions.answer_tries = u32::MAX;
    let path = write_config(directory.path(), &options);

    let mut visitors: Vec<Visitor> = (0..SESSIONS)
        .map(|_| Visitor {
            session: String::new(),
            token: String::new(),
            acked: HashMap::new(),
            sent: 0,
        })
        .collect();
    let mut continued = 0;
    for cycle in 0..=cycles {
        let arguments: &[&str] = if cycle == 0 { &["--ingest"] } else { &[] };
        let server = Binary::serve(&path, arguments).await;
        let last = cycle == cycles;
        let mut talking: tokio::task::JoinSet<_> =
            visitors.drain(..).map(|visitor| talk(visitor, server.addr, last)).collect();
        if !last {
            tokio::time::sleep(Duration::from_millis(random.random_range(150..900))).await;
            server.kill().await;
        }
        while let Some(talked) = talking.join_next().await {
            let (visitor, went_on) = talked.unwrap();
            continued += went_on;
            visitors.push(visitor);
        }
    }
    let acked: usize = visitors.iter().map(|visitor| visitor.acked.len()).sum();
    eprintln!(
        "{cycles} kills, {acked} messages acknowledged, {continued} answers continued after a kill"
    );
    assert!(acked > 0 && (cycles < 10 || continued > 0));
}

/// Resumes, checks everything that was acknowledged before, waits for the cut answer's rest, and
/// goes on talking until the server dies. Gives how many answers went on.
async fn talk(mut visitor: Visitor, addr: std::net::SocketAddr, last: bool) -> (Visitor, usize) {
    let mut went_on = 0;
    let client = if visitor.session.is_empty() || visitor.acked.is_empty() {
        match tokio::time::timeout(Duration::from_secs(30), ChatClient::connect_from(addr, None))
            .await
        {
            Ok(Ok(client)) => try_hello(client, None).await,
            _ => None,
        }
    } else {
        let hello = (visitor.token.clone(), visitor.session.clone());
        match ChatClient::connect_from(addr, None).await {
            Ok(client) => try_hello(client, Some(hello)).await,
            Err(_) => None,
        }
    };
    let Some(mut client) = client else { return (visitor, 0) };
    if visitor.session != client.session {
        assert!(visitor.acked.is_empty());
        visitor.session.clone_from(&client.session);
        visitor.token.clone_from(&client.token);
    } else if !visitor.acked.is_empty() {
        match check(&mut client, &visitor, last).await {
            Some(finished) => went_on = finished,
            None => return (visitor, 0),
        }
    }
    if last {
        return (visitor, went_on);
    }
    loop {
        let (id, text) = (
            format!("m{}", visitor.sent),
            format!("[[say {ANSWER}]] What does shipping within Ireland cost? ({})", visitor.sent),
        );
        visitor.sent += 1;
        if client
            .try_send(&ClientMessage::Message { id: id.clone(), text: text.clone() })
            .await
            .is_err()
        {
            break;
        }
        let mut done = false;
        while !done {
            match client.try_next().await {
                Some(ServerMessage::Ack { id: acked, seq }) if acked == id => {
                    visitor.acked.insert(id.clone(), (seq, text.clone()));
                }
                Some(ServerMessage::AnswerDone { end, text, .. }) => {
                    assert_eq!((end, text.trim()), (AnswerEnd::Complete, ANSWER));
                    done = true;
                }
                Some(ServerMessage::Error { code, message, .. }) => panic!("{code:?}: {message}"),
                Some(_) => {}
                None => return (visitor, went_on),
            }
        }
    }
    (visitor, went_on)
}

async fn try_hello(mut client: ChatClient, resume: Option<(String, String)>) -> Option<ChatClient> {
    let (token, session) = resume.unzip();
    let hello = ClientMessage::Hello {
        site: "shop".into(),
        token,
        session,
        last_seq: 0,
        partial: None,
        source: None,
        attributes: None,
        language: None,
    };
    client.try_send(&hello).await.ok()?;
    match client.try_next().await? {
        ServerMessage::Welcome { session, token, last_seq, .. } => {
            client.session = session;
            client.token = token;
            client.last_seq = last_seq;
            Some(client)
        }
        other => panic!("{other:?}"),
    }
}

/// Reads the whole conversation from the start: seqs 2, 3, 4, … in order, each acknowledged message
/// once and where it was acknowledged, each answer whole. `None` if the server died meanwhile.
async fn check(client: &mut ChatClient, visitor: &Visitor, last: bool) -> Option<usize> {
    let mut seq = 1;
    let mut seen: HashMap<String, (u64, String)> = HashMap::new();
    let mut open = None;
    let mut text = String::new();
    let mut finished = 0;
    let stored = client.last_seq;
    while seq < stored || open.is_some() {
        match client.try_next().await {
            Some(ServerMessage::Message { id, seq: at, text, .. }) => {
                assert_eq!(at, seq + 1, "a gap");
                seq = at;
                assert!(seen.insert(id, (at, text)).is_none(), "doubled");
            }
            Some(ServerMessage::AnswerStarted { seq: at, turn, .. }) => {
                assert_eq!(at, seq + 1, "a gap");
                seq = at;
                open = Some(turn);
                text.clear();
            }
            Some(ServerMessage::AnswerDelta { turn, offset, text: more }) => {
                assert_eq!(Some(turn), open);
                text = text.chars().take(usize::try_from(offset).unwrap()).collect();
                text.push_str(&more);
                finished = 1;
            }
            Some(ServerMessage::AnswerDone { seq: at, turn, end, text: whole, .. }) => {
                assert_eq!(at, seq + 1, "a gap");
                seq = at;
                assert_eq!(Some(turn), open.take());
                assert_eq!(
                    (end, whole.trim()),
                    (AnswerEnd::Complete, ANSWER),
                    "a cut answer went on to its end"
                );
            }
            Some(ServerMessage::Error { code, message, .. }) => panic!("{code:?}: {message}"),
            Some(_) => {}
            None => {
                assert!(!last, "the last server died");
                return None;
            }
        }
    }
    for (id, acked) in &visitor.acked {
        assert_eq!(
            seen.get(id),
            Some(acked),
            "an acknowledged message is where it was acknowledged"
        );
    }
    Some(finished)
}

/// What a page holds of a running answer, merged as the protocol says: a delta tells where it
/// begins.
fn merge(text: &mut String, offset: u64, more: &str) {
    let have = text.chars().count();
    let offset = usize::try_from(offset).unwrap();
    assert!(offset <= have, "a gap: the delta begins at {offset}, and {have} are there");
    let kept: String = text.chars().take(offset).collect();
    let doubled = text.chars().skip(offset).zip(more.chars()).all(|(old, new)| old == new);
    assert!(doubled, "what was read changes: {text:?} at {offset} becomes {more:?}");
    if have <= offset + more.chars().count() {
        *text = kept + more;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_answer_goes_on_where_the_client_is() {
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let mut options = config(directory.path());
    options.answers.mode = Mode::Generate;
    options.llm.scripted_token_ms = 60;
    let path = write_config(directory.path(), &options);
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;
    visitor.say("m1", &format!("[[say {ANSWER}]] What does shipping within Ireland cost?")).await;
    let (mut text, mut turn) = (String::new(), 0);
    // The second sentence comes long enough after the first for that to be in a checkpoint.
    for _ in 0..2 {
        let (of, offset, more) = visitor.until(delta).await;
        turn = of;
        merge(&mut text, offset, &more);
    }
    assert!(text.len() < ANSWER.len(), "it is cut in the middle: {text}");
    server.kill().await;

    options.llm.scripted_token_ms = 300;
    write_config(directory.path(), &options);
    let server = Binary::serve(&path, &[]).await;
    let has = Partial { turn, offset: text.chars().count() as u64 };
    let mut visitor = visitor.resume_at(server.addr, visitor.last_seq, Some(has)).await;
    let (mut live, since) = (0, visitor.last_seq);
    let (seq, whole, usage) = loop {
        match visitor.next().await {
            ServerMessage::AnswerDelta { turn: of, offset, text: more } => {
                assert_eq!(of, turn);
                merge(&mut text, offset, &more);
                live += 1;
            }
            ServerMessage::AnswerDone { seq, text, end: AnswerEnd::Complete, usage, .. } => {
                break (seq, text, usage);
            }
            ServerMessage::AnswerCitation { .. } => {}
            other => panic!("nothing is told again: {other:?}"),
        }
    };
    assert!(live > 0, "it went on while the client was there");
    assert_eq!((seq, whole.trim(), text.trim()), (since + 1, ANSWER, ANSWER));
    // A word is a token of the script: one that began anew would have written all of them.
    let words = u32::try_from(ANSWER.split_whitespace().count()).unwrap();
    assert!(
        usage.completion_tokens < words,
        "{} of {words} words were written again",
        usage.completion_tokens
    );
    assert_eq!(server.terminate().await, Some(0));
}

fn delta(message: &ServerMessage) -> Option<(u64, u64, String)> {
    match message {
        ServerMessage::AnswerDelta { turn, offset, text } => Some((*turn, *offset, text.clone())),
        _ => None,
    }
}
