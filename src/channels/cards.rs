//! Product cards under an answer: the ones that the widget shows, in each platform's own form, and
//! as lines of the answer where it has none. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::choices::label;
use super::event::{Body, Call};
use super::text::Rich;
use crate::protocol::Card;
use crate::site::channel::{ChannelConfig, Platform};

/// A product to be shown, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProductCard {
    /// The catalogue's.
    pub(super) id: String,
    pub(super) name: String,
    /// Variants in stock and the price.
    pub(super) offer: String,
    /// Why it is shown.
    pub(super) reason: String,
    /// Both are encrypted addresses: platforms refuse a message with others.
    pub(super) url: Option<String>,
    pub(super) image: Option<String>,
}

impl ProductCard {
    pub(super) fn of(card: &Card) -> Self {
        let encrypted =
            |url: &Option<String>| url.clone().filter(|url| url.starts_with("https://"));
        let mut price = amount(card.price);
        if let Some(to) = card.price_to {
            price = format!("{price}–{}", amount(to));
        }
        let price = format!("{price} {}", card.currency);
        let parts = [card.variant.as_str(), price.trim()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            id: card.id.clone(),
            name: card.name.clone(),
            offer: parts.join(" · "),
            reason: card.reason.clone(),
            url: encrypted(&card.url),
            image: encrypted(&card.image),
        }
    }

    fn details(&self) -> String {
        let parts = [self.offer.as_str(), self.reason.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Whole amounts without cents, as price lists have them.
fn amount(price: f64) -> String {
    let text = format!("{price:.2}");
    text.strip_suffix(".00").map_or_else(|| text.clone(), str::to_owned)
}

/// The messages that these cards go out in, each with those that it holds; empty where they are
/// lines of the answer.
#[must_use]
pub(super) fn messages(config: &ChannelConfig, cards: &[ProductCard]) -> Vec<Vec<ProductCard>> {
    if cards.is_empty() {
        return Vec::new();
    }
    match config.platform {
        // A photo has room for one product, and albums have no buttons.
        Platform::Telegram => cards.iter().map(|card| vec![card.clone()]).collect(),
        // Meta takes products of a connected catalogue, and cards of which each has a picture and
        // a link.
        Platform::WhatsApp
            if config.catalog_id.is_empty()
                && cards.iter().any(|card| card.image.is_none() || card.url.is_none()) =>
        {
            Vec::new()
        }
        Platform::Slack
        | Platform::WhatsApp
        | Platform::Messenger
        | Platform::Instagram
        | Platform::Line
        | Platform::Discord
        | Platform::Teams
        | Platform::Webhook => vec![cards.to_vec()],
        // WeChat shows one article a message, of five in all; Chatwoot's cards are for its own
        // widget alone.
        Platform::WeChat | Platform::Chatwoot | Platform::Twilio | Platform::Email => Vec::new(),
    }
}

/// The text with a line or two for each product.
#[must_use]
pub(super) fn listed(mut rich: Rich, cards: &[ProductCard]) -> Rich {
    for card in cards {
        rich.push_line(&format!("• {}", card.name), card.url.as_deref());
        rich.push_line(&card.details(), None);
    }
    rich
}

/// As other systems read them.
#[must_use]
pub(super) fn for_systems(cards: &[ProductCard]) -> Value {
    json!(cards)
}

fn field(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

/// Puts cards in the place of a message's text. Webhooks carry them in the body that is signed.
pub(super) fn put(config: &ChannelConfig, call: &mut Call, cards: &[ProductCard]) {
    let Some(first) = cards.first() else { return };
    let Body::Json(body) = &mut call.body else { return };
    match config.platform {
        Platform::Telegram => {
            let open = first.url.as_ref().map(|url| {
                json!({ "inline_keyboard": [[{ "text": label(&first.name, 64), "url": url }]] })
            });
            field(body, "reply_markup", open);
            let Some(photo) = &first.image else { return };
            call.path = call.path.replace("/sendMessage", "/sendPhoto");
            let Some(fields) = body.as_object_mut() else { return };
            for name in ["text", "entities", "link_preview_options"] {
                fields.remove(name);
            }
            // The button links, so that the name need not.
            let name = label(&first.name, 200);
            let bold = json!([{ "type": "bold", "offset": 0,
                "length": name.encode_utf16().count() }]);
            body["photo"] = json!(photo);
            body["caption"] = json!(format!("{name}\n{}", label(&first.details(), 700)));
            body["caption_entities"] = bold;
        }
        Platform::Slack => {
            let blocks = cards.iter().map(|card| {
                let mut text = Rich::default();
                text.push_line(&label(&card.name, 200), card.url.as_deref());
                text.push_line(&label(&card.details(), 700), None);
                let mut block = json!({ "type": "section",
                    "text": { "type": "mrkdwn", "text": text.mrkdwn() } });
                let picture = card.image.as_ref().map(|image| {
                    json!({ "type": "image", "image_url": image, "alt_text": label(&card.name, 200) })
                });
                field(&mut block, "accessory", picture);
                block
            });
            body["blocks"] = blocks.collect();
        }
        Platform::WhatsApp => {
            let interactive = whatsapp(&config.catalog_id, cards);
            body["type"] = json!("interactive");
            body["interactive"] = interactive;
            if let Some(body) = body.as_object_mut() {
                body.remove("text");
            }
        }
        Platform::Messenger | Platform::Instagram => {
            let elements = cards.iter().map(|card| {
                let mut element = json!({ "title": label(&card.name, 80),
                    "subtitle": label(&card.details(), 80) });
                field(&mut element, "image_url", card.image.as_ref().map(|image| json!(image)));
                let open = card.url.as_ref().map(|url| json!({ "type": "web_url", "url": url }));
                field(&mut element, "default_action", open);
                element
            });
            let payload =
                json!({ "template_type": "generic", "elements": elements.collect::<Value>() });
            body["message"]["attachment"] = json!({ "type": "template", "payload": payload });
            if let Some(message) = body["message"].as_object_mut() {
                message.remove("text");
            }
        }
        Platform::Line => {
            let bubbles = cards.iter().map(line_bubble).collect::<Value>();
            let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
            body["messages"][0] = json!({ "type": "flex", "altText": label(&names.join(", "), 400),
                "contents": { "type": "carousel", "contents": bubbles } });
        }
        Platform::Discord => {
            let embeds = cards.iter().map(|card| {
                let mut embed = json!({ "title": label(&card.name, 250),
                    "description": label(&card.details(), 300) });
                field(&mut embed, "url", card.url.as_ref().map(|url| json!(url)));
                let picture = card.image.as_ref().map(|url| json!({ "url": url }));
                field(&mut embed, "thumbnail", picture);
                embed
            });
            body["embeds"] = embeds.collect();
            body["content"] = json!("");
        }
        Platform::Teams => {
            let cards = cards.iter().map(|card| {
                let mut content = json!({ "title": label(&card.name, 200),
                    "text": label(&card.details(), 700) });
                let picture = card.image.as_ref().map(|url| json!([{ "url": url }]));
                field(&mut content, "images", picture);
                let open = |url| {
                    json!([{ "type": "openUrl", "title": label(&card.name, 40), "value": url }])
                };
                field(&mut content, "buttons", card.url.as_ref().map(open));
                json!({ "contentType": "application/vnd.microsoft.card.hero", "content": content })
            });
            body["attachments"] = cards.collect();
            body["attachmentLayout"] = json!("carousel");
            body["summary"] = body["text"].take();
            if let Some(body) = body.as_object_mut() {
                body.remove("text");
            }
        }
        Platform::Webhook
        | Platform::WeChat
        | Platform::Chatwoot
        | Platform::Twilio
        | Platform::Email => {}
    }
}

/// One product with its picture and link, several in a carousel of two to ten; products of a
/// connected catalogue by their ids there.
fn whatsapp(catalog: &str, cards: &[ProductCard]) -> Value {
    let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    let body = json!({ "text": label(&names.join(", "), 1_000) });
    if !catalog.is_empty() {
        if let [card] = cards {
            let body = json!({ "text": label(&card.details(), 1_000) });
            return json!({ "type": "product", "body": body,
                "action": { "catalog_id": catalog, "product_retailer_id": card.id } });
        }
        let cards = cards.iter().take(10).enumerate().map(|(i, card)| {
            json!({ "card_index": i, "type": "product",
                "action": { "catalog_id": catalog, "product_retailer_id": card.id } })
        });
        return json!({ "type": "carousel", "body": body,
            "action": { "cards": cards.collect::<Value>() } });
    }
    let action = |card: &ProductCard| {
        json!({ "name": "cta_url", "parameters": { "display_text": label(&card.name, 20),
            "url": card.url } })
    };
    let header = |card: &ProductCard| json!({ "type": "image", "image": { "link": card.image } });
    if let [card] = cards {
        let text = format!("{}\n{}", label(&card.name, 200), label(&card.details(), 700));
        return json!({ "type": "cta_url", "header": header(card), "body": { "text": text },
            "action": action(card) });
    }
    // A card's text has 160 characters and two line breaks at most.
    let each = cards.iter().take(10).enumerate().map(|(i, card)| {
        let text = format!("{}\n{}", label(&card.name, 60), label(&card.details(), 98));
        json!({ "card_index": i, "type": "cta_url", "header": header(card),
            "body": { "text": text }, "action": action(card) })
    });
    json!({ "type": "carousel", "body": body, "action": { "cards": each.collect::<Value>() } })
}

fn line_bubble(card: &ProductCard) -> Value {
    let text = |text: &str, more: Value| {
        let mut one = json!({ "type": "text", "text": text, "wrap": true });
        if let (Some(one), Value::Object(more)) = (one.as_object_mut(), more) {
            one.extend(more);
        }
        one
    };
    let mut lines = vec![text(&label(&card.name, 200), json!({ "weight": "bold" }))];
    let more = [&card.offer, &card.reason].into_iter().filter(|line| !line.is_empty());
    lines.extend(more.map(|line| text(&label(line, 200), json!({ "size": "sm" }))));
    let mut bubble = json!({ "type": "bubble", "size": "kilo",
        "body": { "type": "box", "layout": "vertical", "contents": lines } });
    let picture = card.image.as_ref().map(|url| {
        json!({ "type": "image", "url": url, "size": "full", "aspectRatio": "1:1",
            "aspectMode": "cover" })
    });
    field(&mut bubble, "hero", picture);
    let open = card.url.as_ref().map(|url| json!({ "type": "uri", "uri": url }));
    field(&mut bubble, "action", open);
    bubble
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(i: usize) -> ProductCard {
        ProductCard::of(&Card {
            id: format!("p{i}"),
            name: format!("Trail tent {i}"),
            variant: "green · red".into(),
            price: 129.0,
            price_to: Some(139.5),
            currency: "EUR".into(),
            url: Some(format!("https://shop.example/tents/{i}")),
            image: Some(format!("https://shop.example/tents/{i}.jpg")),
            reason: "You asked about it".into(),
        })
    }

    fn config(platform: &str, more: &str) -> ChannelConfig {
        toml::from_str(&format!("platform = {platform:?}\n{more}")).unwrap()
    }

    fn body(config: &ChannelConfig, mut before: Value, cards: &[ProductCard]) -> (String, Value) {
        before["kept"] = json!(1);
        let mut call = Call::post("/bot1/sendMessage", Vec::new(), Body::Json(before));
        put(config, &mut call, cards);
        let Body::Json(body) = call.body else { panic!() };
        assert_eq!(body["kept"], 1);
        (call.path, body)
    }

    #[test]
    fn a_card_says_what_is_sold_and_why_it_is_shown() {
        let card = card(1);
        assert_eq!(card.details(), "green · red · 129–139.50 EUR\nYou asked about it");
        let plain = ProductCard::of(&Card {
            id: "p".into(),
            name: "Peg".into(),
            variant: String::new(),
            price: 0.5,
            price_to: None,
            currency: "EUR".into(),
            url: Some("/pegs".into()),
            image: Some("http://shop.example/peg.jpg".into()),
            reason: String::new(),
        });
        assert_eq!((plain.details().as_str(), plain.url, plain.image), ("0.50 EUR", None, None));
        let text = listed(Rich::of_markdown("Yes."), &[card]).plain();
        assert_eq!(
            text,
            "Yes.\n• Trail tent 1 (https://shop.example/tents/1)\ngreen · red · 129–139.50 EUR\n\
             You asked about it"
        );
    }

    #[test]
    fn each_platform_gets_its_own_form() {
        let two = [card(1), card(2)];
        let (path, telegram) = body(&config("telegram", ""), json!({ "text": "…" }), &two[..1]);
        assert_eq!((path.as_str(), &telegram["text"]), ("/bot1/sendPhoto", &Value::Null));
        assert_eq!(telegram["caption_entities"][0]["length"], 12);
        let button = &telegram["reply_markup"]["inline_keyboard"][0][0];
        assert_eq!(button["url"], "https://shop.example/tents/1");

        let (_, slack) = body(&config("slack", ""), json!({ "text": "…" }), &two);
        let text = &slack["blocks"][1]["text"]["text"];
        assert!(text.as_str().unwrap().starts_with("<https://shop.example/tents/2|Trail tent 2>"));
        assert_eq!(slack["text"], "…", "notifications show it");

        let message = json!({ "message": { "text": "…", "metadata": "ours" } });
        let (_, messenger) = body(&config("messenger", ""), message, &two);
        let payload = &messenger["message"]["attachment"]["payload"];
        assert_eq!(payload["elements"][1]["title"], "Trail tent 2");
        assert!(messenger["message"]["text"].is_null());
        assert_eq!(messenger["message"]["metadata"], "ours");

        let (_, line) = body(&config("line", ""), json!({ "messages": [{}] }), &two);
        let contents = &line["messages"][0]["contents"]["contents"];
        assert_eq!(contents[0]["action"]["uri"], "https://shop.example/tents/1");

        let (_, discord) = body(&config("discord", ""), json!({ "content": "…" }), &two);
        assert_eq!(
            (&discord["content"], &discord["embeds"][0]["title"]),
            (&json!(""), &json!("Trail tent 1"))
        );

        let (_, teams) = body(&config("teams", ""), json!({ "text": "…" }), &two);
        assert_eq!(teams["attachments"][0]["content"]["title"], "Trail tent 1");
        assert_eq!(teams["summary"], "…");
    }

    #[test]
    fn whatsapp_shows_its_catalogue_or_pictures_and_else_lines() {
        let (plain, catalogue) =
            (config("whatsapp", ""), config("whatsapp", "catalog_id = \"77\""));
        let two = [card(1), card(2)];
        let shown = |config, cards: &[ProductCard]| {
            body(config, json!({ "type": "text", "text": {} }), cards).1["interactive"].clone()
        };
        let carousel = shown(&plain, &two);
        assert_eq!(carousel["action"]["cards"][1]["action"]["name"], "cta_url");
        for card in carousel["action"]["cards"].as_array().unwrap() {
            let text = card["body"]["text"].as_str().unwrap();
            assert!(text.chars().count() <= 160 && text.matches('\n').count() <= 2, "{text}");
        }
        assert_eq!(shown(&plain, &two[..1])["type"], "cta_url");
        assert_eq!(shown(&catalogue, &two[..1])["action"]["product_retailer_id"], "p1");
        assert_eq!(shown(&catalogue, &two)["action"]["cards"][1]["action"]["catalog_id"], "77");
        let bare = ProductCard { image: None, ..card(3) };
        assert!(messages(&plain, &[card(1), bare.clone()]).is_empty());
        assert_eq!(messages(&catalogue, &[card(1), bare]).len(), 1);
        assert_eq!(messages(&config("telegram", ""), &two).len(), 2);
        assert!(messages(&config("twilio", ""), &two).is_empty());
    }
}
