//! (i): an answer of more than 5,000 characters with a code fence, emoji and Arabic, in each
//! platform's own unit.

use frontdesk::conversation::{AnswerEnd, Event, Usage};
use frontdesk::store::{Record, RecordKind, Store};

use super::{ALL, Counts, Desk, Platform, RETURNS, Rule, Sides, TestServer, chats, join_all};
use Platform::{
    Chatwoot, Discord, Email, Instagram, Line, Messenger, Slack, Teams, Telegram, Twilio, WeChat,
    Webhook, WhatsApp,
};

/// Four people, joined: 7 scalar values, 11 UTF-16 units, 25 bytes, one character to a reader.
const FAMILY: &str = "👩\u{200d}👩\u{200d}👧\u{200d}👦";

fn long() -> String {
    let line = |i: u32| format!("let total{i} = price{i} + shipping{i};\n");
    let code: String = (0..60).map(line).collect();
    let arabic = "تصل الطلبات خلال يومين من أيام العمل. ".repeat(30);
    let families = format!("A tent for all of us {FAMILY} and the dog 🐕. ").repeat(20);
    format!("**Read this first.** {families}\n\n```rust\n{code}```\n\n{arabic}\n\n{families}\n")
}

/// Longest message, by the platform's documentation.
fn size(platform: Platform, text: &str) -> (usize, usize) {
    let utf16 = text.encode_utf16().count();
    match platform {
        Telegram | WhatsApp => (utf16, 4_096),
        Slack => (text.chars().count(), 12_000),
        Messenger | Discord => (utf16, 2_000),
        Instagram => (text.len(), 1_000),
        Line => (utf16, 5_000),
        Twilio => (utf16, 1_600),
        WeChat => (text.len(), 2_048),
        // 100 KB as UTF-16, with what stands around it.
        Teams => (utf16 * 2, 90_000),
        Chatwoot => (text.chars().count(), 150_000),
        Webhook => (text.len(), 20_000),
        Email => (text.len(), 1_000_000),
    }
}

/// What a text says, without what marks and cuts change.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '\u{200d}' || *c > '\u{1f000}').collect()
}

#[tokio::test]
async fn every_platform_gets_a_long_answer_in_pieces_that_it_takes() {
    let text = long();
    assert!(text.chars().count() > 5_000);
    let sides = Sides::start().await;
    let mut server = TestServer::with(|config| config.sites[0].channels = sides.accounts()).await;
    let chat = |platform| chats(Rule::Long, platform);
    join_all(ALL.map(|platform| {
        let desk = sides.desk(&server, Rule::Long, platform);
        async move {
            desk.say(chat(platform), RETURNS).await;
            desk.wait_to(chat(platform), 1).await;
        }
    }))
    .await;
    // An answer that no model wrote: it ended while the server stood.
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    let query = frontdesk::store::SessionQuery {
        site: "shop".into(),
        limit: 100,
        after: None,
        since_ms: 0,
    };
    let sessions = store.sessions(query).await.unwrap();
    assert_eq!(sessions.len(), ALL.len());
    for session in sessions {
        let event = Event::AnswerDone {
            turn: 2,
            text: text.clone(),
            citations: Vec::new(),
            confidence: 1.0,
            usage: Usage::default(),
            end: AnswerEnd::Complete,
            withheld: 0,
        };
        let (at_ms, kind) = (server.clock.now_ms(), RecordKind::Event);
        let record = Record {
            site: "shop".into(),
            session: session.session.clone(),
            seq: session.last_seq + 1,
            at_ms,
            kind,
            body: serde_json::to_vec(&event).unwrap(),
        };
        store.append(record).await.unwrap();
    }
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
    server.restart().await;
    let all = join_all(ALL.map(|platform| {
        let desk = sides.desk(&server, Rule::Long, platform);
        async move { (platform, pieces(&desk, chat(platform)).await) }
    }))
    .await;
    for (platform, counts) in all {
        let desk = sides.desk(&server, Rule::Long, platform);
        for (chat, count) in counts {
            assert_eq!(desk.sent_to(chat).len(), count, "{}", platform.name());
        }
    }
    server.stop().await;
}

async fn pieces(desk: &Desk<'_>, chat: u64) -> Counts {
    let (platform, name) = (desk.platform, desk.platform.name());
    let whole = letters(&long());
    // The first answer stands before it. On Discord the one message that says it may be written
    // twice: as it grows, and whole.
    let said = |sent: &[String]| {
        let first = letters(&sent[0]);
        let again = |text: &String| platform == Discord && *text == first;
        sent[1..].iter().map(|text| letters(text)).filter(|text| !again(text)).collect::<String>()
    };
    // Two pieces at most: the account may send five messages until its reader writes again.
    let cut = platform == WeChat;
    let mut count = 2;
    let sent = loop {
        let sent = desk.wait_to(chat, count).await;
        // The fence's language is no part of the text where code isn't marked with it.
        let told = said(&sent).replace("rust", "");
        let ends = if cut { count == 3 } else { told.len() >= whole.replace("rust", "").len() };
        if ends {
            break sent;
        }
        count = sent.len() + 1;
    };
    let told = said(&sent).replace("rust", "");
    let whole = whole.replace("rust", "");
    if cut {
        assert!(whole.starts_with(&told) && sent.last().unwrap().ends_with('…'), "{name}");
    } else {
        assert_eq!(told, whole, "{name}: {sent:?}");
    }
    for text in &sent[1..] {
        let (size, limit) = size(platform, text);
        assert!(size <= limit, "{name}: {size} of {limit}");
        assert_eq!(text.matches("```").count() % 2, 0, "{name}: a fence is open in {text:?}");
        // No joiner stands at an edge, where a cut would have been within one person's family.
        assert!(!text.starts_with('\u{200d}') && !text.ends_with('\u{200d}'), "{name}: {text:?}");
    }
    vec![(chat, sent.len())]
}
