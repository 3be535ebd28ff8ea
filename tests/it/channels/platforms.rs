//! What single platforms do in their own way, through a running server. What all have to hold is in
//! `acceptance`.

use axum::http::StatusCode;
use frontdesk::site::channel::{ChannelConfig, Platform};
use frontdesk::turn::Mode;
use serde_json::{Value, json};

use super::desk::Desk;
use super::shapes::{Did, RETURNS, SHIPPING, account, body, proof};
use super::{Duration, Fake, LIMIT, TestServer, metrics};

#[tokio::test]
async fn the_address_is_confirmed_to_who_asks_with_what_both_sides_know() {
    let (_fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels =
            [Platform::WhatsApp, Platform::Messenger, Platform::WeChat, Platform::Telegram]
                .map(|platform| account(platform, &address))
                .to_vec();
    })
    .await;
    let get = async |path: &str| {
        let response = reqwest::get(server.url(path)).await.unwrap();
        (StatusCode::from_u16(response.status().as_u16()).unwrap(), response.text().await.unwrap())
    };
    let meta = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token";
    let (status, said) =
        get(&format!("/v1/channels/shop/whatsapp?{meta}=a-verify-token-of-ours")).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "1158201444"));
    assert_eq!(
        get(&format!("/v1/channels/shop/messenger?{meta}=another")).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, query) = proof(Platform::WeChat, &address, "", 1, server.clock.now_ms() / 1000);
    let (status, said) = get(&format!("/v1/channels/shop/wechat{query}&echostr=5939713184")).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "5939713184"));
    let wrong = query.replace("nonce=n", "nonce=m");
    assert_eq!(
        get(&format!("/v1/channels/shop/wechat{wrong}&echostr=1")).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(get("/v1/channels/shop/telegram").await.0, StatusCode::FORBIDDEN);
    server.stop().await;
}

/// A stop between two tries: the message goes out once more after the start, and that it may be the
/// second is said only where the first may have been taken.
#[tokio::test]
async fn a_message_that_was_refused_before_a_restart_is_sent_after_it() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Telegram, &address)]
    })
    .await;
    let wait_long =
        json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 3_000 } });
    fake.answer(429, wait_long);
    let desk = Desk::new(&server, &fake, &address, Platform::Telegram);
    desk.say(1, SHIPPING).await;
    desk.wait(1).await;
    server.restart().await;
    let desk = Desk::new(&server, &fake, &address, Platform::Telegram);
    let sent = desk.wait(2).await;
    assert_eq!(sent[0], sent[1]);
    // Another one follows it, and nothing came twice.
    desk.keys.store(100, std::sync::atomic::Ordering::Relaxed);
    desk.say(1, RETURNS).await;
    let sent = desk.wait(3).await;
    assert!(sent.len() == 3 && sent[2].contains("60 days"), "{sent:?}");
    let metrics = metrics(&server).await;
    assert!(metrics.contains("what=\"sent\"") && !metrics.contains("what=\"unsure\""), "{metrics}");
    server.stop().await;
}

/// A connection that ends after the request: the message may have been taken, so the next try says
/// that it may be double. WhatsApp is sent nothing but messages, so the first connection carries
/// one.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
async fn a_message_whose_answer_never_came_is_sent_again_and_said_to_be_perhaps_double() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (fake, served) = Fake::start().await;
    let to = served.trim_start_matches("http://").to_owned();
    let swallowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (to, swallowed) = (to.clone(), swallowed.clone());
            tokio::spawn(async move {
                let mut start = vec![0; 4_096];
                let count = stream.read(&mut start).await.unwrap_or_default();
                let message = String::from_utf8_lossy(&start[..count]).contains("/messages");
                if message && !swallowed.swap(true, std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let mut onward = tokio::net::TcpStream::connect(to).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut onward, &start[..count]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::WhatsApp, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::WhatsApp);
    desk.say(1, SHIPPING).await;
    let sent = desk.wait(1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    let metrics = metrics(&server).await;
    assert!(metrics.contains("what=\"unsure\""), "{metrics}");
    server.stop().await;
}

/// Something in between answers 200 with a page of its own: whether the platform has the message
/// isn't known.
#[tokio::test]
async fn a_message_that_a_stranger_acknowledged_is_sent_again_and_said_to_be_perhaps_double() {
    for platform in [Platform::Telegram, Platform::Slack, Platform::Twilio] {
        let (fake, address) = Fake::start().await;
        let mut server =
            TestServer::with(|config| config.sites[0].channels = vec![account(platform, &address)])
                .await;
        // The fake sends texts that aren't JSON as they are.
        fake.answer(200, json!("<html>Please sign in to the network</html>"));
        let desk = Desk::new(&server, &fake, &address, platform);
        desk.say(1, SHIPPING).await;
        let sent = desk.wait(2).await;
        assert_eq!(sent[0], sent[1], "{}", platform.name());
        let metrics = metrics(&server).await;
        assert!(metrics.contains("what=\"unsure\""), "{}: {metrics}", platform.name());
        server.stop().await;
    }
}

/// Microsoft's keys can't be fetched: what comes is refused for now and not for good, and works
/// once they can be.
#[tokio::test]
async fn teams_is_told_to_come_back_while_its_keys_are_out_of_reach() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Teams, &address)]
    })
    .await;
    *fake.0.keys_down.lock().unwrap() = true;
    let body =
        body(Platform::Teams, &address, 1, 1, &Did::Said { message: 1, text: SHIPPING }).unwrap();
    let post = async || {
        let (headers, _) = proof(Platform::Teams, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/teams")).body(body.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(futures_util::future::join3(post(), post(), post()).await, (503, 503, 503));
    assert_eq!(fake.all("/keys").len(), 1, "one asks for all");
    *fake.0.keys_down.lock().unwrap() = false;
    server.clock.advance(2_500);
    assert_eq!(post().await, 200);
    server.stop().await;
}

/// A message that was written before an agent took over, and comes after it, doesn't give the
/// conversation back; one that was written after the agent let go does, even where the word of it
/// comes later.
#[tokio::test]
async fn chatwoot_s_words_count_in_the_order_of_its_clock() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Chatwoot, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::Chatwoot);
    let post = async |body: Value| {
        let body = body.to_string();
        let (headers, _) =
            proof(Platform::Chatwoot, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/chatwoot")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(request.send().await.unwrap().status().is_success());
    };
    let message = |id: u64, text: &str, at: f64| {
        json!({ "event": "message_created", "id": id, "content": text, "message_type": "incoming",
            "conversation": { "id": 7, "status": "pending", "updated_at": at }, "account": { "id": 1 } })
    };
    post(json!({ "event": "conversation_status_changed", "id": 7, "status": "open", "account": { "id": 1 },
        "updated_at": 1_700_000_010.5 }))
    .await;
    post(message(1, RETURNS, 1_700_000_009.0)).await;
    // Time enough for an answer, had there been one.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(desk.sent().is_empty(), "{:?}", desk.sent());
    post(message(2, SHIPPING, 1_700_000_020.0)).await;
    let sent = desk.wait(1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
}

/// A reply token answers for free while it holds; later a message is pushed, which counts against
/// the quota.
#[tokio::test]
async fn line_answers_by_the_reply_token_while_it_holds() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Line, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::Line);
    desk.say(1, SHIPPING).await;
    let replied = fake.wait("/message/reply", 1).await;
    assert_eq!(replied[0]["replyToken"], "R1-1");
    // The token is refused, as after its time: the same answer is pushed.
    fake.answer(400, json!({ "message": "Invalid reply token" }));
    desk.say(1, RETURNS).await;
    let pushed = fake.wait("/message/push", 1).await;
    assert!(pushed[0]["messages"][0]["text"].as_str().unwrap().contains("60 days"), "{pushed:?}");
    // A pause that is longer than the token holds, on the server's clock.
    let key = desk.key();
    desk.post(2, key, &Did::Said { message: key, text: SHIPPING }).await;
    server.clock.advance(31_000);
    let pushed = fake.wait("/message/push", 2).await;
    assert_eq!(pushed[1]["to"], "U2");
    server.stop().await;
}

/// The response to WeChat's request is the answer if it is ready within five seconds; the
/// customer-service API brings what comes later, with a token that is asked for once.
#[tokio::test]
async fn wechat_is_answered_in_the_response_and_later_by_its_api() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        let slow = ChannelConfig {
            id: "slow".into(),
            pause_ms: 5_000,
            ..account(Platform::WeChat, &address)
        };
        config.sites[0].channels = vec![account(Platform::WeChat, &address), slow];
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::WeChat);
    let answer = desk.post(1, 1, &Did::Said { message: 1, text: SHIPPING }).await.unwrap();
    assert!(answer.contains("4.90 EUR"), "{answer}");
    assert!(fake.all("custom/send").is_empty());
    // WeChat asks again where the response didn't reach it.
    let again = desk.post(1, 1, &Did::Said { message: 1, text: SHIPPING }).await;
    assert_eq!(again.as_deref(), Some(answer.as_str()));
    let now_s = server.clock.now_ms() / 1000;
    let said =
        body(Platform::WeChat, &address, 2, 2, &Did::Said { message: 2, text: RETURNS }).unwrap();
    let (_, query) = proof(Platform::WeChat, &address, &said, 2, now_s);
    let request =
        desk.client.post(server.url(&format!("/v1/channels/shop/slow{query}"))).body(said);
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "success");
    let sent = fake.wait("custom/send", 1).await;
    assert!(sent[0]["text"]["content"].as_str().unwrap().contains("60 days"), "{sent:?}");
    // Each account asks once, whatever it shows and sends.
    assert!(fake.all("stable_token").len() <= 2);
    server.stop().await;
}

/// Discord's three seconds are met by the response; the answer takes its place, and later ones are
/// the bot's own.
#[tokio::test]
async fn discord_thinks_and_then_answers_in_the_same_place() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Discord, &address)]
    })
    .await;
    let body = body(Platform::Discord, &address, 22, 1, &Did::Said { message: 1, text: SHIPPING })
        .unwrap();
    let (headers, _) = proof(Platform::Discord, &address, &body, 1, server.clock.now_ms() / 1000);
    let mut request =
        reqwest::Client::new().post(server.url("/v1/channels/shop/discord")).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(response, json!({ "type": 5 }));
    let answered = fake.wait("/tok1-22/messages/@original", 1).await;
    assert!(answered[0]["content"].as_str().unwrap().contains("4.90 EUR"), "{answered:?}");
    assert_eq!(answered[0]["allowed_mentions"], json!({ "parse": [] }));
    server.stop().await;
}

/// Long enough to be seen growing, and to be stopped.
const LONG: &str = "[[say Orders of 75 EUR or more ship free within Ireland. Shipping within Ireland costs 4.90 EUR. \
                    A parcel within Ireland arrives after 1 to 2 working days.]] shipping within Ireland costs";

async fn slow(word_ms: u64, channel: ChannelConfig) -> TestServer {
    TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = word_ms;
        config.sites[0].channels = vec![channel];
    })
    .await
}

/// A direct message of Slack's has no stream: an ellipsis stands there in time, and the answer
/// takes its place.
#[tokio::test]
async fn slack_shows_that_an_answer_comes_and_then_the_answer_in_its_place() {
    let (fake, address) = Fake::start().await;
    let mut server = slow(350, account(Platform::Slack, &address)).await;
    let desk = Desk::new(&server, &fake, &address, Platform::Slack);
    desk.say(1, LONG).await;
    let placed = fake.wait("chat.postMessage", 1).await;
    assert_eq!(
        (placed[0]["channel"].as_str(), placed[0]["text"].as_str()),
        (Some("D1"), Some("…"))
    );
    let whole = async {
        loop {
            let written = fake.all("chat.update");
            if written
                .last()
                .is_some_and(|last| last["text"].as_str().unwrap().contains("working days"))
            {
                return written;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let written = tokio::time::timeout(LIMIT, whole).await.unwrap();
    assert!(written.iter().all(|update| update["ts"] == "1.5"), "{written:?}");
    assert_eq!(fake.all("chat.postMessage").len(), 1);
    server.stop().await;
}

/// In a thread the answer streams; Stop ends the model, and what there is stays.
#[tokio::test]
async fn slack_streams_into_a_thread_until_it_is_stopped() {
    let (fake, address) = Fake::start().await;
    let mut server =
        slow(250, ChannelConfig { stream: true, ..account(Platform::Slack, &address) }).await;
    let event = async |id: &str, event: Value| {
        let body =
            json!({ "type": "event_callback", "event_id": id, "team_id": "T1", "event": event })
                .to_string();
        let (headers, _) = proof(Platform::Slack, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/slack")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(request.send().await.unwrap().status().is_success());
    };
    let mention = json!({ "type": "app_mention", "channel": "C1", "channel_type": "channel", "user": "U1",
        "ts": "7.1", "text": format!("<@UBOT> {LONG}") });
    event("Ev1", mention).await;
    let started = fake.wait("chat.startStream", 1).await;
    assert_eq!(started[0]["thread_ts"], "7.1");
    assert_eq!(
        (started[0]["recipient_team_id"].as_str(), started[0]["recipient_user_id"].as_str()),
        (Some("T1"), Some("U1"))
    );
    let stop = json!({ "type": "agent_session_stopped", "channel": "C1", "user": "U1", "thread_ts": "7.1" });
    event("Ev2", stop).await;
    let stopped = fake.wait("chat.stopStream", 1).await;
    assert_eq!(stopped[0]["ts"], "1.5");
    let text = |body: &Value| body["markdown_text"].as_str().unwrap_or_default().to_owned();
    let all: String =
        [started, fake.all("chat.appendStream"), stopped].concat().iter().map(text).collect();
    assert!(all.starts_with("Orders of 75 EUR") && !all.contains("working days"), "{all}");
    assert!(fake.all("chat.postMessage").is_empty());
    server.stop().await;
}

/// A stream of Teams' begins with a word that one comes, grows, and ends in a message with the same
/// id.
#[tokio::test]
async fn teams_streams_to_one_person() {
    let (fake, address) = Fake::start().await;
    let mut server = slow(250, account(Platform::Teams, &address)).await;
    let desk = Desk::new(&server, &fake, &address, Platform::Teams);
    desk.say(1, LONG).await;
    let last = desk.wait(1).await;
    assert!(last[0].contains("working days"), "{last:?}");
    let sent = fake.all("/activities");
    let info = |body: &Value| {
        let entities = body["entities"].as_array().unwrap();
        entities.iter().find(|one| one["type"] == "streaminfo").unwrap().clone()
    };
    assert_eq!(
        info(&sent[0]),
        json!({ "type": "streaminfo", "streamType": "informative", "streamSequence": 1 })
    );
    let end = info(sent.last().unwrap());
    assert_eq!(end, json!({ "type": "streaminfo", "streamId": "S1", "streamType": "final" }));
    let mut before = String::new();
    for (i, body) in sent[1..sent.len() - 1].iter().enumerate() {
        let (info, text) = (info(body), body["text"].as_str().unwrap());
        assert_eq!(
            (info["streamId"].as_str(), info["streamSequence"].as_u64()),
            (Some("S1"), Some(i as u64 + 2))
        );
        assert!(text.starts_with(&before), "{text:?} after {before:?}");
        text.clone_into(&mut before);
    }
    assert!(sent.len() > 2, "{sent:?}");
    assert_eq!(fake.all("/token").len(), 1);
    server.stop().await;
}
