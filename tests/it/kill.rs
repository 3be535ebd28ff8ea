//! Promise 1 under `kill -9`: nothing acknowledged is lost, doubled or reordered, and cut answers go on.

use std::collections::HashMap;
use std::time::Duration;

use frontdesk::protocol::{AnswerEnd, ClientMessage, ServerMessage};
use frontdesk::turn::Mode;
use rand::{Rng as _, SeedableRng as _};

use crate::support::{Binary, ChatClient, config, write_config, write_documents};

const SESSIONS: usize = 50;

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
    let cycles: usize =
        std::env::var("FRONTDESK_KILL_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(50);
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
    let path = write_config(directory.path(), &options);

    let mut visitors: Vec<Visitor> = (0..SESSIONS)
        .map(|_| Visitor { session: String::new(), token: String::new(), acked: HashMap::new(), sent: 0 })
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
    eprintln!("{cycles} kills, {acked} messages acknowledged, {continued} answers continued after a kill");
    assert!(acked > 0 && (cycles < 10 || continued > 0));
}

/// Resumes, checks everything that was acknowledged before, waits for the cut answer's rest, and goes on talking until the server dies.
/// Gives how many answers went on.
async fn talk(mut visitor: Visitor, addr: std::net::SocketAddr, last: bool) -> (Visitor, usize) {
    let mut went_on = 0;
    let client = if visitor.session.is_empty() || visitor.acked.is_empty() {
        match tokio::time::timeout(Duration::from_secs(30), ChatClient::connect_from(addr, None)).await {
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
        if client.try_send(&ClientMessage::Message { id: id.clone(), text: text.clone() }).await.is_err() {
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

/// Reads the whole conversation from the start: seqs 2, 3, 4, … in order, each acknowledged message once and where it was
/// acknowledged, each answer whole. `None` if the server died meanwhile.
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
                assert_eq!((end, whole.trim()), (AnswerEnd::Complete, ANSWER), "a cut answer went on to its end");
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
        assert_eq!(seen.get(id), Some(acked), "an acknowledged message is where it was acknowledged");
    }
    Some(finished)
}
