//! Telegram from the question to the erasure, and what its users and groups bring along.

use frontdesk::site::channel::Platform;
use frontdesk::turn::Mode;
use serde_json::{Value, json};

use super::{Fake, LIMIT, TestServer, channel, message, update};
use crate::console::{desk, say, take};
use frontdesk::protocol::console::Role;

/// The site's sessions, as an operator sees them.
async fn sessions(server: &TestServer) -> Vec<Value> {
    let request = reqwest::Client::new()
        .get(server.admin_url("/v1/sites/shop/sessions"))
        .bearer_auth(server.admin_key());
    let found: Value = request.send().await.unwrap().json().await.unwrap();
    found["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_question_on_telegram_is_drafted_answered_taken_over_and_erased() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 150;
        config.console.auto_routing = false;
        config.sites[0].channels = vec![channel(Platform::Telegram, &address)];
    })
    .await;
    let question = "[[say Shipping within Ireland costs 4.90 EUR. A parcel within Ireland arrives after 1 to 2 \
                    working days.]] shipping within Ireland costs";
    update(&server, &message(1, 4_711, question)).await;

    // A draft that grows, with Stop; then the whole as a message that stays.
    let answers = fake.wait("/sendMessage", 1).await;
    let drafts = fake.all("/sendMessageDraft");
    assert!(drafts.len() >= 2, "{drafts:?}");
    let length = |draft: &Value| draft["text"].as_str().unwrap().len();
    assert!(drafts.windows(2).all(|two| length(&two[0]) <= length(&two[1])), "{drafts:?}");
    let one_draft =
        |draft: &Value| draft["can_stop"] == true && draft["draft_id"] == drafts[0]["draft_id"];
    assert!(drafts.iter().all(one_draft), "{drafts:?}");
    let text = answers[0]["text"].as_str().unwrap();
    assert!(text.contains("4.90 EUR"), "{text}");
    // Its source stands under it: the test's documents have titles and no addresses of their own.
    let shown = sessions(&server).await.remove(0);
    let session = shown["session"].as_str().unwrap().to_owned();
    let path = format!("/v1/sites/shop/sessions/{session}");
    let whole = reqwest::Client::new().get(server.admin_url(&path)).bearer_auth(server.admin_key());
    let whole = whole.send().await.unwrap().text().await.unwrap();
    assert!(whole.contains("shipping.md"), "{whole}");

    // A person takes the conversation while the next answer is made: not a word more of the
    // model's, and the agent's words arrive.
    let agent = desk(&server, "mara", Role::Agent).await;
    let mut console = agent.console().await;
    let (summary, _) = console.watch(&session, 0).await;
    assert_eq!(summary.session, session);
    update(&server, &message(2, 4_711, question)).await;
    let before = drafts.len();
    let begun = async {
        while fake.all("/sendMessageDraft").len() == before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, begun).await.unwrap();
    console.act(&session, take()).await.unwrap();
    console.act(&session, say("Hello, Mara here.")).await.unwrap();
    let sent = fake.wait("/sendMessage", 2).await;
    assert_eq!(
        (sent[1]["chat_id"].as_i64(), sent[1]["text"].as_str()),
        (Some(4_711), Some("Hello, Mara here."))
    );
    update(&server, &message(3, 4_711, "Thanks!")).await;
    console.act(&session, say("You're welcome.")).await.unwrap();
    let sent = fake.wait("/sendMessage", 3).await;
    assert_eq!(sent[2]["text"], "You're welcome.", "{sent:?}");

    // Erasure finds the conversation, and what the store keeps of its place on the platform.
    let erased =
        reqwest::Client::new().delete(server.admin_url(&path)).bearer_auth(server.admin_key());
    assert_eq!(erased.send().await.unwrap().status().as_u16(), 204);
    assert!(sessions(&server).await.is_empty());
    server.stop().await;
    let store = frontdesk::store::Store::open(&server.config.store).unwrap();
    for kind in ["chat", "session", "told", "turn", "in", "out"] {
        let left = store.scan("channels", kind.as_bytes()).await.unwrap();
        assert!(left.is_empty(), "{kind}: {left:?}");
    }
    store.close().await.unwrap();
}

fn in_group(id: u64, chat: i64, text: &str) -> Value {
    let mut update = message(id, chat, text);
    update["message"]["chat"] = json!({ "id": chat, "type": "supergroup" });
    update["message"]["from"]["id"] = json!(9);
    update
}

/// A group that becomes a supergroup keeps its conversation, however that is told.
#[tokio::test]
async fn a_group_that_moves_keeps_its_conversation() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![channel(Platform::Telegram, &address)];
    })
    .await;
    let question = "@shop_bot What does shipping within Ireland cost?";
    update(&server, &in_group(1, -100, question)).await;
    fake.wait("/sendMessage", 1).await;
    // By an update in the old group.
    let mut moved = in_group(2, -100, "");
    moved["message"]["migrate_to_chat_id"] = json!(-200);
    update(&server, &moved).await;
    update(&server, &in_group(3, -200, "@shop_bot How long can I return unused goods?")).await;
    let sent = fake.wait("/sendMessage", 2).await;
    assert_eq!(sent[1]["chat_id"], -200);
    assert_eq!(sessions(&server).await.len(), 1);
    // By the refusal of a message to it.
    let refused = json!({ "ok": false, "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": { "migrate_to_chat_id": -300 } });
    fake.answer(400, refused);
    update(&server, &in_group(4, -200, question)).await;
    let sent = fake.wait("/sendMessage", 4).await;
    assert_eq!((&sent[2]["chat_id"], &sent[3]["chat_id"]), (&json!(-200), &json!(-300)));
    assert_eq!(sent[2]["text"], sent[3]["text"]);
    assert_eq!(sessions(&server).await.len(), 1);
    server.stop().await;
}

/// What tells no language by itself is answered in the language of the person's app.
#[tokio::test]
async fn the_language_of_the_app_counts_where_the_words_tell_none() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![channel(Platform::Telegram, &address)];
    })
    .await;
    for (id, language) in [(1, Some("de-AT")), (2, None)] {
        let mut opened = message(id, 50 + i64::try_from(id).unwrap(), "zzgqk 4711?");
        if let Some(language) = language {
            opened["message"]["from"]["language_code"] = json!(language);
        }
        update(&server, &opened).await;
    }
    let sent = fake.wait("/sendMessage", 2).await;
    let to = |chat: i64| {
        let own = sent.iter().find(|one| one["chat_id"] == chat).unwrap();
        own["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(frontdesk::language::language_of(&to(51)), Some("de"), "{sent:?}");
    assert_eq!(frontdesk::language::language_of(&to(52)), Some("en"), "{sent:?}");
    server.stop().await;
}
