//! Product cards after an answer, on every platform.

use frontdesk::site::channel::{ChannelConfig, Platform};
use serde_json::{Value, json};

use super::desk::Desk;
use super::email::Post;
use super::shapes::{ALL, account, marker};
use super::{Duration, Fake, LIMIT, TestServer};

const CATALOGUE: &str = "sku,name,category,variant,price_eur,stock,url,image
T2,Tarn 2 tent,Tents,Moss,349.00,4,https://shop.example/tarn-2,https://shop.example/tarn-2.jpg
T3,Tarn 3 tent,Tents,Moss,429.00,2,https://shop.example/tarn-3,https://shop.example/tarn-3.jpg
";
const QUESTION: &str = "What does the Tarn 2 tent cost?";

async fn shop(channels: Vec<ChannelConfig>) -> TestServer {
    TestServer::with(|config| {
        std::fs::write(config.knowledge.path.join("catalogue.csv"), CATALOGUE).unwrap();
        config.sites[0].recommend.enabled = true;
        config.sites[0].recommend.holdout = 0.0;
        config.sites[0].channels = channels;
    })
    .await
}

/// Where each platform's message has the product's picture; `None` where it has no cards.
fn picture(platform: Platform) -> Option<&'static str> {
    Some(match platform {
        Platform::Telegram => "/photo",
        Platform::Slack => "/blocks/0/accessory/image_url",
        Platform::WhatsApp => "/interactive/action/cards/0/header/image/link",
        Platform::Messenger | Platform::Instagram => {
            "/message/attachment/payload/elements/0/image_url"
        }
        Platform::Line => "/messages/0/contents/contents/0/hero/url",
        Platform::Discord => "/embeds/0/thumbnail/url",
        Platform::Teams => "/attachments/0/content/images/0/url",
        Platform::Webhook => "/data/products/0/image",
        Platform::Twilio | Platform::WeChat | Platform::Chatwoot | Platform::Email => return None,
    })
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, held).await.is_ok(), "{what}");
}

#[tokio::test]
async fn every_platform_shows_products_in_its_own_form_or_as_lines() {
    let (fake, address) = Fake::start().await;
    let (office, smtp) = Post::start().await;
    let own = |platform: Platform| if platform == Platform::Email { &smtp } else { &address };
    let channels = ALL.iter().map(|platform| account(*platform, own(*platform))).collect();
    let mut server = shop(channels).await;
    for (chat, platform) in (7_001..).step_by(10).zip(ALL) {
        let mut desk = Desk::new(&server, &fake, &address, platform);
        desk.post_office = (platform == Platform::Email).then_some(&office);
        desk.say(chat, QUESTION).await;
        let name = platform.name();
        let Some(place) = picture(platform) else {
            // The products are lines of the answer, which stays one message.
            let sent = desk.wait_to(chat, 1).await;
            let text = &sent[0];
            assert!(text.contains("https://shop.example/tarn-2"), "{name}: {text}");
            continue;
        };
        let prefix = format!("/{name}");
        let number = marker(platform, chat);
        let shown = || -> Vec<Value> {
            fake.about(&number, |request| {
                let own = request.path.starts_with(&prefix);
                own.then(|| request.body.pointer(place).cloned()).flatten()
            })
        };
        until(name, || !shown().is_empty()).await;
        assert_eq!(shown()[0], "https://shop.example/tarn-2.jpg", "{name}");
    }
    server.stop().await;
}

/// A picture that Telegram can't fetch isn't the end of it.
#[tokio::test]
async fn products_whose_pictures_are_refused_are_sent_as_text() {
    let (fake, address) = Fake::start().await;
    let mut server = shop(vec![account(Platform::Telegram, &address)]).await;
    let desk = Desk::new(&server, &fake, &address, Platform::Telegram);
    // The answer is taken; the first card isn't.
    fake.answer(200, json!({ "ok": true, "result": { "message_id": 1 } }));
    let refused = json!({ "ok": false, "error_code": 400,
        "description": "Bad Request: failed to get HTTP URL content" });
    fake.answer(400, refused);
    desk.say(31, QUESTION).await;
    let sent = fake.wait("/sendMessage", 2).await;
    let text = sent[1]["text"].as_str().unwrap();
    assert!(text.contains("(https://shop.example/tarn-2)"), "{text}");
    server.stop().await;
}
