//! (m): `kill -9` after a message was handed to the platform and before its answer came. Where a
//! second one is known to be the same, exactly one stands there; elsewhere it is said to be perhaps
//! double.

use std::time::Duration;

use frontdesk::site::channel::{ChannelConfig, Platform};
use serde_json::Value;

use super::{ALL, Answer, RETURNS, Rule, Sides, chats, join_all};
use crate::channels::shapes::{Did, OLD, body, marker, proof_by};
use crate::support::{Binary, LIMIT, config, write_config, write_documents};

#[tokio::test]
async fn every_platform_gets_its_message_after_a_kill() {
    let sides = Sides::start().await;
    let directory = tempfile::tempdir().unwrap();
    write_documents(directory.path());
    let mut options = config(directory.path());
    options.sites[0].channels = sides
        .accounts()
        .into_iter()
        .map(|account| {
            // An answer that isn't in the response of WeChat's request.
            let pause_ms = if account.platform == Platform::WeChat { 4_400 } else { 40 };
            ChannelConfig { pause_ms, ..account }
        })
        .collect();
    let path = write_config(directory.path(), &options);
    let binary = Binary::serve(&path, &["--ingest"]).await;
    let client = reqwest::Client::new();
    let asked = join_all(ALL.map(|platform| {
        let (client, sides, binary) = (&client, &sides, &binary);
        async move {
            let chat = chats(Rule::Killed, platform);
            match platform {
                Platform::Email => sides.office.answer_to(&format!("ann{chat}@"), ""),
                _ => {
                    let marker = marker(platform, chat);
                    sides.fake.answer_to(&marker, Answer::new(Answer::NEVER, Value::Null));
                }
            }
            let text =
                body(platform, &sides.address, chat, 1, &Did::Said { message: 1, text: RETURNS });
            let text = text.unwrap();
            let now_s = frontdesk::clock::Clock::system().now_ms() / 1000;
            let (headers, query) = proof_by(OLD, platform, &sides.address, &text, 1, now_s);
            let url = format!("http://{}/v1/channels/shop/{}{query}", binary.addr, platform.name());
            let mut request = client.post(url).body(text);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let status = request.send().await.unwrap().status();
            assert!(status.is_success(), "{}: {status}", platform.name());
            tries(sides, platform, 1).await
        }
    }))
    .await;
    binary.kill().await;
    let binary = Binary::serve(&path, &[]).await;
    let again = join_all(ALL.map(|platform| tries(&sides, platform, 2))).await;
    let key = std::fs::read_to_string(directory.path().join("admin.key")).unwrap();
    let metrics = client
        .get(format!("http://{}/metrics", binary.admin_addr))
        .bearer_auth(key.trim())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for ((platform, first), again) in ALL.into_iter().zip(asked).zip(again) {
        let name = platform.name();
        assert_eq!(again.len(), 2, "{name}: {again:?}");
        let unsure = metrics.contains(&format!(
            "channel_messages_total{{platform=\"{name}\",what=\"unsure\"}} 1\n"
        ));
        let one = match platform {
            // Both put the text into the same place.
            Platform::Discord => again[0].0.ends_with("/@original") && again[0].0 == again[1].0,
            // The receiver knows the reply by its name.
            Platform::Webhook => again[0].1["data"]["reply"] == again[1].1["data"]["reply"],
            _ => false,
        };
        assert_eq!(one, !unsure, "{name}: {again:?}");
        assert_eq!(first[0].1, again[0].1, "{name}");
    }
    assert_eq!(binary.terminate().await, Some(0));
}

/// Paths and bodies of what was sent, once there are so many.
async fn tries(sides: &Sides, platform: Platform, count: usize) -> Vec<(String, Value)> {
    let chat = chats(Rule::Killed, platform);
    let found = || -> Vec<(String, Value)> {
        if platform == Platform::Email {
            let sent = sides.office.to(&format!("ann{chat}@"));
            return sent
                .into_iter()
                .map(|(_, text)| (String::new(), Value::String(text)))
                .collect();
        }
        let marker = marker(platform, chat);
        sides.fake.messages_to(&marker)
    };
    let waited = async {
        while found().len() < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waited).await;
    assert!(waited.is_ok(), "{}: fewer than {count}: {:?}", platform.name(), found());
    found()
}
