//! (a): the vectors of the platforms' own libraries, each at an account of its own.

use super::{ALL, ChannelConfig, Desk, Fake, TestServer};
use frontdesk::site::channel::{LEAST_SECRET, Platform};
use serde_json::{Value, json};

/// What a vector's signature is of.
fn account(case: &Value, i: usize, fake: &str) -> Option<ChannelConfig> {
    let text = |field: &str| case[field].as_str().unwrap_or_default();
    let (platform, signed_as) = match text("scheme") {
        // Proofs that go out with requests, and none that come in.
        "meta-proof" => return None,
        "meta" if text("id").starts_with("messenger") => ("messenger", "standard"),
        "meta" => ("whatsapp", "standard"),
        "standard" => ("webhook", "standard"),
        "wechat-aes" => ("wechat", "standard"),
        "mailgun" => ("email", "mailgun"),
        scheme @ ("zendesk" | "intercom" | "sendgrid" | "zoom") => ("webhook", scheme),
        scheme => (scheme, "standard"),
    };
    // Shorter ones are for documentation alone: a configuration refuses them, and
    // `signatures_of_the_platforms` has them.
    if platform != "teams" && text("secret").len() < LEAST_SECRET {
        return None;
    }
    let (sender, base) = match platform {
        "email" => ("help@shop.example", "smtp://127.0.0.1"),
        _ => ("1065", fake),
    };
    let app = if platform == "teams" { text("secret") } else { "1" };
    let toml = format!(
        "platform = {platform:?}\nid = \"v{i}\"\nsigned_as = {signed_as:?}\ntoken = \"t\"\nsecrets = [{:?}]\n\
         base_url = {base:?}\nallow_private = true\nsender = {sender:?}\naccount_sid = \"AC1\"\napp_id = {app:?}\n\
         verify_token = \"a-verify-token-of-ours\"\ntenant = \"t\"\npublic_url = {:?}\n\
         keys_url = \"{fake}/vectors-{i}\"",
        text("secret"),
        text("url"),
    );
    Some(toml::from_str(&toml).unwrap())
}

#[tokio::test]
async fn every_platform_takes_the_vectors_that_hold_and_no_other() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../files/webhook_signatures.json")).unwrap();
    let (fake, address) = Fake::start().await;
    let mut own: Vec<(usize, &Value, ChannelConfig)> = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        if let Some(account) = account(case, i, &address) {
            fake.0.documents.lock().unwrap().insert(format!("/vectors-{i}"), case["keys"].clone());
            own.push((i, case, account));
        }
    }
    // The clock goes one way.
    own.sort_by_key(|(_, case, _)| case["now_s"].as_u64());
    let first_ms = own[0].1["now_s"].as_u64().unwrap() * 1000;
    let mut server = TestServer::at(first_ms, |config| {
        config.sites[0].channels = own.iter().map(|(.., account)| account.clone()).collect();
    })
    .await;
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for (i, case, account) in &own {
        let now_ms = case["now_s"].as_u64().unwrap() * 1000;
        server.clock.advance(now_ms - server.clock.now_ms());
        let mut desk = Desk::new(&server, &fake, &address, account.platform);
        desk.account = format!("v{i}");
        let url = server
            .url(&format!("/v1/channels/shop/v{i}?{}", case["query"].as_str().unwrap_or_default()));
        // Teams signs no body, and names the address that it says to answer to.
        let text = match account.platform {
            Platform::Teams => json!({ "type": "hologram", "serviceUrl": case["url"],
                "channelId": "msteams" })
            .to_string(),
            _ => case["body"].as_str().unwrap().to_owned(),
        };
        let mut request = desk.client.post(url).body(text);
        for (name, value) in case["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let status = request.send().await.unwrap().status().as_u16();
        // What holds may still be nothing that can be read.
        assert_eq!(status != 401, case["holds"] == true, "{}: {status}", case["id"]);
        *seen.entry(account.platform.name()).or_default() += 1;
    }
    // Of the other platforms' vectors the secrets are too short.
    // Instagram's are Messenger's.
    let without = ["telegram", "twilio", "wechat", "chatwoot", "instagram"];
    assert_eq!(seen.len() + without.len(), ALL.len(), "{seen:?}");
    assert!(seen.values().sum::<usize>() >= 25, "{seen:?}");
    server.stop().await;
}
