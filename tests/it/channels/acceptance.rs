//! What every platform has to hold: one table of rules by platforms, each cell tried through a
//! running server. A cell that is left out says why.
//!
//! Each cell has conversations of its own, so that all of them run at the same time; how many
//! messages each conversation got is counted once everything is over.

use frontdesk::site::channel::{ChannelConfig, Platform};
use frontdesk::turn::Mode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::desk::Desk;
use super::email::Post;
use super::shapes::{ALL, Did, NEW, OLD, RETURNS, SHIPPING, account, body, proof};
use super::{Answer, Duration, Fake, LIMIT, TestServer};

mod crash;
mod errors;
mod length;
mod stop;
mod vectors;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// (a) What isn't signed, or signed by somebody else, or was altered, is refused.
    Signed,
    /// (b) An event that is delivered again is answered once.
    Redelivered,
    /// (c) Events that come in the wrong order, or together, count in the right one.
    InOrder,
    /// (d) Three quick messages are one turn.
    OneTurn,
    /// (e) The text of an edit before the answer is the one that counts.
    Edited,
    /// (e) What is deleted before the answer isn't answered.
    Deleted,
    /// (e) The same while the answer is made.
    EditedMeanwhile,
    DeletedMeanwhile,
    /// (e) The text of a message that is deleted after its answer is gone.
    DeletedLater,
    /// (f) Stop ends the model within 500 ms.
    Stopped,
    /// (g) A refusal for now is waited out as it says.
    Waits,
    /// (h) Errors that end a conversation, an account or a formatting do, others are tried again.
    Errors,
    /// (i) A long answer is split.
    Long,
    /// (j) Our own message isn't answered.
    Echo,
    /// (k) While somebody else holds the conversation, not a word.
    Held,
    /// (l) Two secrets hold while they are changed.
    Rotated,
    /// (m) `kill -9` between store and send.
    Killed,
    /// (n) What isn't understood is a 200.
    Unknown,
    /// A pressed button is what the visitor said.
    Pressed,
}

use Platform::{
    Chatwoot, Discord, Email, Instagram, Line, Messenger, Slack, Teams, Telegram, Twilio, WeChat,
    Webhook, WhatsApp,
};
use Rule::{
    Deleted, DeletedLater, DeletedMeanwhile, Echo, Edited, EditedMeanwhile, Held, InOrder, Pressed,
    Rotated, Stopped,
};

const RULES: [Rule; 19] = [
    Rule::Signed,
    Rule::Redelivered,
    InOrder,
    Rule::OneTurn,
    Edited,
    Deleted,
    EditedMeanwhile,
    DeletedMeanwhile,
    DeletedLater,
    Stopped,
    Rule::Waits,
    Rule::Errors,
    Rule::Long,
    Echo,
    Held,
    Rotated,
    Rule::Killed,
    Rule::Unknown,
    Pressed,
];

/// Cells that are left out, and why.
const LEFT_OUT: [(Rule, &[Platform], &str); 19] = [
    (InOrder, &[Telegram], "it delivers a chat's messages one after another"),
    (InOrder, &[Twilio, Discord, Webhook], "it delivers one event at a time and no time of it"),
    (InOrder, &[WeChat, Teams, Chatwoot], "it delivers one event at a time, in order"),
    (InOrder, &[Email], "the order of a mailbox is the one in which messages arrived"),
    (Edited, &[Line, Twilio, Discord, WeChat, Chatwoot, Email], "no edit is told"),
    (EditedMeanwhile, &[Line, Twilio, Discord, WeChat, Chatwoot, Email], "no edit is told"),
    (
        Deleted,
        &[Telegram, Messenger, Twilio, Discord, WeChat, Chatwoot, Email],
        "no deletion is told",
    ),
    (
        DeletedMeanwhile,
        &[Telegram, Messenger, Twilio, Discord, WeChat, Chatwoot, Email],
        "no deletion is told",
    ),
    (
        DeletedLater,
        &[Telegram, Messenger, Twilio, Discord, WeChat, Chatwoot, Email],
        "no deletion is told",
    ),
    (
        Stopped,
        &[WhatsApp, Messenger, Instagram, Line, Twilio, Discord, WeChat, Chatwoot, Email],
        "its readers have no button to stop an answer",
    ),
    (Echo, &[WhatsApp, Line, Twilio, Discord, WeChat], "what the API sends isn't echoed"),
    (Echo, &[Webhook], "who writes the other side decides what it sends"),
    (Held, &[Telegram, Slack, Discord, Teams], "nobody else answers in a bot's chats"),
    (Held, &[Line], "each event says who holds its conversation, so nothing need be kept"),
    (Held, &[Twilio, WeChat], "nobody else is told of who answers"),
    (Held, &[Email], "a mailbox has one reader"),
    (Pressed, &[Twilio, Email], "it has no buttons; the text says what can be written"),
    (
        Pressed,
        &[WeChat, Chatwoot],
        "its buttons don't fit every answer; the text has them as lines",
    ),
    (Rotated, &[Teams], "Microsoft signs, and its keys are fetched"),
];

fn left_out(rule: Rule, platform: Platform) -> Option<&'static str> {
    let cell = LEFT_OUT.iter().find(|(own, all, _)| *own == rule && all.contains(&platform));
    cell.map(|(_, _, why)| *why)
}

/// Numbers of conversations and how many messages each is to have got in the end.
type Counts = Vec<(u64, usize)>;

/// The first of the numbers that a cell names its conversations by; no other cell has them.
fn chats(rule: Rule, platform: Platform) -> u64 {
    let rule = RULES.iter().position(|own| *own == rule).unwrap() as u64;
    let platform = ALL.iter().position(|own| *own == platform).unwrap() as u64;
    (platform + 2) * 10_000 + rule * 100
}

/// Both sides: what plays the platforms, and the mail server.
struct Sides {
    fake: Fake,
    office: Post,
    address: String,
    smtp: String,
}

impl Sides {
    async fn start() -> Self {
        let ((fake, address), (office, smtp)) = (Fake::start().await, Post::start().await);
        Self { fake, office, address, smtp }
    }

    fn address(&self, platform: Platform) -> &str {
        if platform == Email { &self.smtp } else { &self.address }
    }

    fn accounts(&self) -> Vec<ChannelConfig> {
        ALL.iter().map(|platform| account(*platform, self.address(*platform))).collect()
    }

    fn desk<'a>(&'a self, server: &'a TestServer, rule: Rule, platform: Platform) -> Desk<'a> {
        let mut desk = Desk::new(server, &self.fake, &self.address, platform);
        desk.post_office = (platform == Email).then_some(&self.office);
        // No number of an event is one of a conversation, or one of another cell's.
        let rule = RULES.iter().position(|own| *own == rule).unwrap() as u64;
        desk.keys = (rule * 500 + 1).into();
        desk
    }
}

/// Runs every cell of these rules, then counts.
async fn run(sides: &Sides, server: &TestServer, rules: &[Rule]) {
    let cells = rules.iter().flat_map(|rule| ALL.map(|platform| (*rule, platform)));
    let cells = cells.filter(|(rule, platform)| left_out(*rule, *platform).is_none());
    let run = cells.map(|(rule, platform)| async move {
        let desk = sides.desk(server, rule, platform);
        let chat = chats(rule, platform);
        let counts = match rule {
            Rule::Signed => signed(&desk, chat).await,
            Rule::Redelivered => redelivered(&desk, chat).await,
            InOrder => in_order(&desk, chat).await,
            Rule::OneTurn => one_turn(&desk, chat).await,
            Edited => edited(&desk, chat).await,
            Deleted => deleted(&desk, chat).await,
            EditedMeanwhile => edited_meanwhile(&desk, chat).await,
            DeletedMeanwhile => deleted_meanwhile(&desk, chat).await,
            DeletedLater => deleted_later(&desk, chat).await,
            Stopped => stop::stopped(&desk, chat).await,
            Rule::Waits => errors::waits(&desk.late(), chat).await,
            Rule::Errors => errors::errors(&desk.late(), chat).await,
            Echo => only(&desk, chat, &Did::Echo).await,
            Rule::Unknown => only(&desk, chat, &Did::Unknown).await,
            Held => held(&desk, chat).await,
            Pressed => pressed(&desk, chat).await,
            Rotated => rotated(&desk, chat).await,
            Rule::Long | Rule::Killed => unreachable!("they have servers of their own"),
        };
        let desk = sides.desk(server, rule, platform);
        (desk, rule, counts)
    });
    for (desk, rule, counts) in join_all(run).await {
        for (chat, count) in counts {
            let sent = desk.sent_to(chat);
            assert_eq!(sent.len(), count, "{rule:?} {} {chat}: {sent:?}", desk.platform.name());
        }
    }
}

#[test]
fn a_cell_is_left_out_where_the_platform_has_nothing_of_the_kind_and_nowhere_else() {
    for platform in ALL {
        let has = |did: &Did| body(platform, "http://127.0.0.1", 1, 1, did).is_some();
        let [edited, deleted] =
            [has(&Did::Edited { message: 1, text: "" }), has(&Did::Deleted { message: 1 })];
        for (rule, there) in [
            (Edited, edited),
            (EditedMeanwhile, edited),
            (Deleted, deleted),
            (DeletedMeanwhile, deleted),
            (DeletedLater, deleted),
            (Echo, has(&Did::Echo)),
            (Held, has(&Did::Held)),
            (Pressed, has(&Did::Pressed { message: 1, text: "" })),
            // Teams tells a stop as the answer to what is streamed.
            (Stopped, has(&Did::Stopped) || platform == Teams),
        ] {
            assert_eq!(left_out(rule, platform).is_none(), there, "{rule:?} {}", platform.name());
        }
    }
}

/// The rules that need nothing special of the server.
#[tokio::test]
async fn every_platform_holds_what_all_have_to() {
    let sides = Sides::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = sides.accounts();
        config.sites[0].channels.extend(errors::accounts(&sides));
    })
    .await;
    let rules: Vec<Rule> = RULES
        .into_iter()
        .filter(|rule| {
            !matches!(
                rule,
                EditedMeanwhile | DeletedMeanwhile | Stopped | Rule::Long | Rule::Killed
            )
        })
        .collect();
    run(&sides, &server, &rules).await;
    errors::counted(&server).await;
    server.stop().await;
}

/// The rules about answers that are being made.
#[tokio::test]
async fn every_platform_changes_its_mind_while_an_answer_is_made() {
    let sides = Sides::start().await;
    let mut server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = WORD_MS;
        config.sites[0].channels = sides
            .accounts()
            .into_iter()
            .map(|account| ChannelConfig { stream: account.platform == Slack, ..account })
            .collect();
    })
    .await;
    run(&sides, &server, &[EditedMeanwhile, DeletedMeanwhile, Stopped]).await;
    server.stop().await;
}

/// How long a word takes there.
const WORD_MS: u64 = 200;
/// Takes some 7 s.
const LONG: &str = "[[say Orders of 75 EUR or more ship free within Ireland. Shipping within Ireland costs 4.90 EUR. \
                    A parcel within Ireland arrives after 1 to 2 working days.]] shipping within Ireland costs";

async fn signed(desk: &Desk<'_>, chat: u64) -> Counts {
    let key = desk.key();
    let text =
        body(desk.platform, desk.address, chat, key, &Did::Said { message: key, text: SHIPPING })
            .unwrap();
    let now_s = desk.server.clock.now_ms() / 1000;
    let (mut headers, mut query) = proof(desk.platform, desk.address, &text, key, now_s);
    let (status, _) = desk.post_with((Vec::new(), String::new()), text.clone()).await;
    assert_eq!(status, 401, "{} unsigned", desk.platform.name());
    // Telegram, WeChat and Teams prove who sends, and nothing about what.
    if !matches!(desk.platform, Telegram | WeChat | Teams) {
        let altered = text.replace("shipping", "shopping");
        assert_ne!(altered, text);
        let (status, _) = desk.post_with((headers.clone(), query.clone()), altered).await;
        assert_eq!(status, 401, "{} altered", desk.platform.name());
    }
    let another = |text: &str| text.chars().rev().collect::<String>();
    if let Some((_, value)) = headers.last_mut() {
        *value = another(value);
    } else {
        query = query.replace("nonce=n", "nonce=m");
    }
    let (status, _) = desk.post_with((headers, query), text).await;
    assert_eq!(status, 401, "{} signed otherwise", desk.platform.name());
    vec![(chat, 0)]
}

async fn redelivered(desk: &Desk<'_>, chat: u64) -> Counts {
    let key = desk.key();
    for _ in 0..3 {
        desk.post(chat, key, &Did::Said { message: key, text: SHIPPING }).await;
    }
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    vec![(chat, 1)]
}

async fn only(desk: &Desk<'_>, chat: u64, did: &Did) -> Counts {
    desk.post(chat, desk.key(), did).await;
    vec![(chat, 0)]
}

/// Two messages in one request where the platform puts several into one, else in two; the later one
/// first.
async fn in_order(desk: &Desk<'_>, chat: u64) -> Counts {
    // What holds a request's events, and where each says when it happened.
    let (events, time) = match desk.platform {
        WhatsApp => ("/entry", "/entry/0/changes/0/value/messages/0/timestamp"),
        Messenger | Instagram => ("/entry", "/entry/0/messaging/0/timestamp"),
        Line => ("/events", "/events/0/timestamp"),
        _ => ("", "/event/event_ts"),
    };
    let request = |key: u64, text: &'static str, seconds: u64| {
        let said = Did::Said { message: key, text };
        let text = body(desk.platform, desk.address, chat, key, &said).unwrap();
        let mut body: Value = serde_json::from_str(&text).unwrap();
        let at = match desk.platform {
            WhatsApp => json!(seconds.to_string()),
            Slack => json!(format!("{seconds}.000100")),
            _ => json!(seconds * 1000),
        };
        let (object, field) = time.rsplit_once('/').unwrap();
        body.pointer_mut(object).unwrap()[field] = at;
        body
    };
    let [first, second] = [desk.key(), desk.key()];
    let earlier = request(first, "Hello there", 1_700_000_000);
    let mut later = request(second, SHIPPING, 1_700_000_005);
    if events.is_empty() {
        desk.post_body(second, later.to_string()).await;
        desk.post_body(first, earlier.to_string()).await;
    } else {
        let all = later.pointer_mut(events).unwrap().as_array_mut().unwrap();
        all.extend(earlier.pointer(events).unwrap().as_array().unwrap().clone());
        desk.post_body(second, later.to_string()).await;
    }
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    let told = transcript(desk, chat).await.to_string();
    assert!(told.contains("Hello there\\nWhat does shipping"), "{told}");
    vec![(chat, 1)]
}

/// What the server has of a conversation; nothing before the first message is stored.
async fn transcript(desk: &Desk<'_>, chat: u64) -> Value {
    let get = async |path: &str| -> Value {
        let request =
            desk.client.get(desk.server.admin_url(path)).bearer_auth(desk.server.admin_key());
        request.send().await.unwrap().json().await.unwrap()
    };
    let path = |id: &str| format!("/v1/sites/shop/sessions/{id}");
    let sessions = get("/v1/sites/shop/sessions?limit=1000").await;
    for session in sessions["sessions"].as_array().unwrap() {
        let id = session["session"].as_str().unwrap();
        let known = desk.fake.0.visitors.lock().unwrap().get(id).cloned();
        let visitor = match known {
            Some(visitor) => visitor,
            None => {
                let told = get(&path(id)).await;
                let visitor = told["transcript"][0]["event"]["visitor"].as_str();
                // It was listed a moment before its first event is there.
                let Some(visitor) = visitor.map(str::to_owned) else { continue };
                desk.fake.0.visitors.lock().unwrap().insert(id.to_owned(), visitor.clone());
                visitor
            }
        };
        if visitor.starts_with(desk.platform.name()) && visitor.contains(&desk.marker(chat)) {
            return get(&path(id)).await;
        }
    }
    Value::Null
}

async fn one_turn(desk: &Desk<'_>, chat: u64) -> Counts {
    let said = |text| {
        let message = desk.key();
        (message, Did::Said { message, text })
    };
    let all = vec![said("Hello there"), said("Good morning"), said(SHIPPING)];
    desk.post_all(chat, all).await;
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    vec![(chat, 1)]
}

async fn edited(desk: &Desk<'_>, chat: u64) -> Counts {
    let [message, edit] = [desk.key(), desk.key()];
    let all = vec![
        (message, Did::Said { message, text: SHIPPING }),
        (edit, Did::Edited { message, text: RETURNS }),
    ];
    desk.post_all(chat, all).await;
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("60 days") && !sent[0].contains("4.90 EUR"), "{sent:?}");
    vec![(chat, 1)]
}

async fn deleted(desk: &Desk<'_>, chat: u64) -> Counts {
    let [message, deletion, next] = [desk.key(), desk.key(), desk.key()];
    let all = vec![
        (message, Did::Said { message, text: RETURNS }),
        (deletion, Did::Deleted { message }),
        (next, Did::Said { message: next, text: SHIPPING }),
    ];
    desk.post_all(chat, all).await;
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("4.90 EUR") && !sent[0].contains("60 days"), "{sent:?}");
    vec![(chat, 1)]
}

/// Waits until the last thing that was sent says so; how many messages that makes. Slack shows an
/// answer in a message while it is made, and the next answer takes that over.
async fn ends(desk: &Desk<'_>, chat: u64, said: &str) -> Counts {
    let whole = async {
        while desk.sent_to(chat).last().is_none_or(|(_, last)| !last.contains(said)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(LIMIT, whole).await;
    let sent = desk.sent_to(chat);
    assert!(ended.is_ok(), "{}: {sent:?}", desk.platform.name());
    let last = &sent.last().unwrap().1;
    assert!(!last.contains("Orders of 75"), "{}: {sent:?}", desk.platform.name());
    if desk.platform == Slack { vec![] } else { vec![(chat, 1)] }
}

async fn edited_meanwhile(desk: &Desk<'_>, chat: u64) -> Counts {
    const EDITED: &str =
        "[[say Unused goods can be returned within 60 days.]] return unused goods within days";
    let [message, edit] = [desk.key(), desk.key()];
    desk.post(chat, message, &Did::Said { message, text: LONG }).await;
    begun(desk, chat).await;
    desk.post(chat, edit, &Did::Edited { message, text: EDITED }).await;
    ends(desk, chat, "within 60 days.").await
}

async fn deleted_meanwhile(desk: &Desk<'_>, chat: u64) -> Counts {
    const NEXT: &str =
        "[[say Shipping within Ireland costs 4.90 EUR.]] shipping within Ireland costs";
    let [message, deletion, next] = [desk.key(), desk.key(), desk.key()];
    desk.post(chat, message, &Did::Said { message, text: LONG }).await;
    begun(desk, chat).await;
    desk.post(chat, deletion, &Did::Deleted { message }).await;
    desk.post(chat, next, &Did::Said { message: next, text: NEXT }).await;
    let counts = ends(desk, chat, "costs 4.90 EUR.").await;
    gone(desk, chat, "[[say Orders").await;
    counts
}

/// Two messages of one turn and their answer; then one is deleted, then the other.
async fn deleted_later(desk: &Desk<'_>, chat: u64) -> Counts {
    let [first, second] = [desk.key(), desk.key()];
    let all = vec![
        (first, Did::Said { message: first, text: "Good morning to you" }),
        (second, Did::Said { message: second, text: SHIPPING }),
    ];
    desk.post_all(chat, all).await;
    desk.wait_to(chat, 1).await;
    desk.post(chat, desk.key(), &Did::Deleted { message: second }).await;
    gone(desk, chat, SHIPPING).await;
    assert!(transcript(desk, chat).await.to_string().contains("Good morning to you"));
    desk.post(chat, desk.key(), &Did::Deleted { message: first }).await;
    gone(desk, chat, "Good morning to you").await;
    vec![(chat, 1)]
}

/// Waits until nothing that was said in a conversation says this any more; a mark stands there.
async fn gone(desk: &Desk<'_>, chat: u64, words: &str) {
    let gone = async {
        while transcript(desk, chat).await.to_string().contains(words) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let gone = tokio::time::timeout(LIMIT, gone).await;
    let told = transcript(desk, chat).await.to_string();
    let marked = told.contains("[deleted]") || told.contains("\"event\":\"deleted\"");
    assert!(gone.is_ok() && marked, "{}: {told}", desk.platform.name());
}

/// Waits until an answer is being made, and some words of it are there.
async fn begun(desk: &Desk<'_>, chat: u64) {
    let begun = async {
        while !transcript(desk, chat).await.to_string().contains("answer_started") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let begun = tokio::time::timeout(LIMIT, begun).await;
    assert!(begun.is_ok(), "{} {chat}: no answer begins", desk.platform.name());
    tokio::time::sleep(Duration::from_millis(3 * WORD_MS)).await;
}

async fn held(desk: &Desk<'_>, chat: u64) -> Counts {
    desk.post(chat, desk.key(), &Did::Held).await;
    desk.say(chat, RETURNS).await;
    // Time enough for an answer to be sent, were one made.
    tokio::time::sleep(Duration::from_millis(600)).await;
    desk.post(chat, desk.key(), &Did::Released).await;
    desk.say(chat, SHIPPING).await;
    let sent = desk.wait_to(chat, 1).await;
    assert!(sent[0].contains("4.90 EUR") && !sent[0].contains("60 days"), "{sent:?}");
    vec![(chat, 1)]
}

async fn rotated(desk: &Desk<'_>, chat: u64) -> Counts {
    for (secret, expected) in
        [(OLD, true), (NEW, true), ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false)]
    {
        let key = desk.key();
        let unread = body(desk.platform, desk.address, chat, key, &Did::Unknown).unwrap();
        let (status, _) = desk.try_post(key, unread, secret).await;
        assert_eq!(status < 300, expected, "{} {secret}: {status}", desk.platform.name());
    }
    vec![(chat, 0)]
}

/// A question that the documents don't answer: a person is offered, and called by a button.
async fn pressed(desk: &Desk<'_>, chat: u64) -> Counts {
    const PERSON: &str = "Talk to a person";
    desk.say(chat, "Which zoo has the tallest giraffe in the world?").await;
    desk.wait_to(chat, 1).await;
    let offered = desk.fake.messages_to(&desk.marker(chat));
    let button = json!(PERSON).to_string();
    assert!(offered.iter().any(|(_, body)| body.to_string().contains(&button)), "{offered:?}");
    let key = desk.key();
    desk.post(chat, key, &Did::Pressed { message: key, text: PERSON }).await;
    desk.wait_to(chat, 2).await;
    let told = transcript(desk, chat).await;
    let asked = told["transcript"].as_array();
    let asked = asked.unwrap_or_else(|| panic!("{}: {told}", desk.platform.name())).iter();
    let asked = asked.filter(|entry| entry["event"]["event"] == "human_requested").count();
    assert_eq!(asked, 1, "{}: {told}", desk.platform.name());
    vec![(chat, 2)]
}
