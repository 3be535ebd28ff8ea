//! What a reader can press under a message in place of typing it: a document that the question may
//! have meant, a person. What is pressed comes in as what the reader said. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::{Body, Call};
use super::text::{Rich, Unit};
use crate::site::channel::Platform;

/// Begins what a button hands back, where a platform hands back another text than the one shown.
const SAY: &str = "say:";

/// Something to press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    /// What is shown, and what the reader says by it.
    pub(super) text: String,
    /// The message says it already: where there are no buttons nothing is missing.
    #[serde(default)]
    pub(super) said: bool,
}

/// What a platform's buttons hold.
#[derive(Clone, Copy, Debug)]
struct Room {
    most: usize,
    /// Characters that are shown of each.
    label: usize,
    /// Bytes that each hands back.
    text: usize,
    /// Longest message that can have some, in the platform's unit.
    body: usize,
}

impl Platform {
    /// `None` where a conversation has no buttons.
    fn room(self, chat: &str) -> Option<Room> {
        let room = |most, label, text| Room { most, label, text, body: usize::MAX };
        Some(match self {
            Self::Telegram => room(8, 64, 64),
            // A section has 3,000 characters with its marks.
            Self::Slack => Room { body: 2_500, ..room(10, 75, 2_000) },
            // Three buttons, or a list of ten rows; the body has 1,024 characters with its marks.
            Self::WhatsApp => Room { body: 900, ..room(10, 24, 190) },
            Self::Messenger | Self::Instagram => room(13, 20, 900),
            Self::Line => room(13, 20, 300),
            Self::Discord => room(5, 80, 100),
            // Suggested actions are for chats with one person.
            Self::Teams if chat.starts_with("1:") => room(6, 60, 1_000),
            Self::Webhook => room(13, 200, 1_000),
            // WeChat's response has none, and a menu would be one more message of five; Chatwoot
            // tells a choice by another event than a message.
            Self::Teams | Self::WeChat | Self::Chatwoot | Self::Twilio | Self::Email => {
                return None;
            }
        })
    }
}

/// The choices that become buttons of a message; empty where they are lines of it.
#[must_use]
pub(super) fn buttons(
    platform: Platform,
    chat: &str,
    (unit, last): (Unit, &str),
    choices: &[Choice],
) -> Vec<Choice> {
    let Some(room) = platform.room(chat).filter(|room| unit.len(last) <= room.body) else {
        return Vec::new();
    };
    let fits = |choice: &&Choice| choice.text.len() <= room.text;
    let fitting: Vec<Choice> = choices.iter().filter(fits).take(room.most).cloned().collect();
    // All of them, or none: half would look like all there is.
    if fitting.len() == choices.len() { fitting } else { Vec::new() }
}

/// The message with its choices as lines.
#[must_use]
pub(super) fn listed(mut rich: Rich, choices: &[Choice]) -> Rich {
    for choice in choices.iter().filter(|choice| !choice.said) {
        rich.push_line(&format!("• {}", choice.text), None);
    }
    rich
}

/// What is shown of a text.
pub(super) fn label(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", text[..end].trim_end())
        }
        None => text.to_owned(),
    }
}

/// What was pressed, of what a button hands back.
#[must_use]
pub(super) fn pressed(handed: &str) -> Option<&str> {
    handed.strip_prefix(SAY)
}

/// As other systems read them.
#[must_use]
pub(super) fn for_systems(choices: &[Choice]) -> Vec<&str> {
    choices.iter().map(|choice| choice.text.as_str()).collect()
}

/// Puts buttons under a message. Webhooks carry them in the body that is signed.
pub(super) fn put(platform: Platform, chat: &str, call: &mut Call, choices: &[Choice]) {
    let Some(room) = platform.room(chat).filter(|_| !choices.is_empty()) else { return };
    let Body::Json(body) = &mut call.body else { return };
    let each = |one: &dyn Fn(&str, String) -> Value| -> Vec<Value> {
        choices.iter().map(|choice| one(&choice.text, label(&choice.text, room.label))).collect()
    };
    match platform {
        Platform::Telegram => {
            let rows = each(&|text, label| json!([{ "text": label, "callback_data": text }]));
            body["reply_markup"] = json!({ "inline_keyboard": rows });
        }
        Platform::Slack => {
            let mut elements = each(&|text, label| {
                json!({ "type": "button", "text": { "type": "plain_text", "text": label },
                    "value": text })
            });
            for (i, element) in elements.iter_mut().enumerate() {
                element["action_id"] = json!(format!("say{i}"));
            }
            let actions = json!({ "type": "actions", "elements": elements });
            // A stream has its text already.
            let section = body["text"].as_str().map(
                |text| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }),
            );
            body["blocks"] = section.into_iter().chain([actions]).collect();
        }
        Platform::WhatsApp => {
            let text = body["text"]["body"].take();
            let row = |text: &str, label| json!({ "id": format!("{SAY}{text}"), "title": label });
            // Buttons show four characters less than rows.
            let few =
                choices.len() <= 3 && choices.iter().all(|one| one.text.chars().count() <= 20);
            let interactive = if few {
                let buttons =
                    each(&|text, label| json!({ "type": "reply", "reply": row(text, label) }));
                json!({ "type": "button", "body": { "text": text },
                    "action": { "buttons": buttons } })
            } else {
                let sections = json!([{ "title": "…", "rows": each(&row) }]);
                json!({ "type": "list", "body": { "text": text },
                    "action": { "button": "…", "sections": sections } })
            };
            body["type"] = json!("interactive");
            body["interactive"] = interactive;
            if let Some(body) = body.as_object_mut() {
                body.remove("text");
            }
        }
        Platform::Messenger | Platform::Instagram => {
            body["message"]["quick_replies"] = json!(each(&|text, label| {
                json!({ "content_type": "text", "title": label, "payload": format!("{SAY}{text}") })
            }));
        }
        Platform::Line => {
            let items = each(&|text, label| {
                json!({ "type": "action",
                    "action": { "type": "message", "label": label, "text": text } })
            });
            body["messages"][0]["quickReply"] = json!({ "items": items });
        }
        Platform::Discord => {
            let buttons = each(
                &|text, label| json!({ "type": 2, "style": 2, "label": label, "custom_id": text }),
            );
            body["components"] = json!([{ "type": 1, "components": buttons }]);
        }
        Platform::Teams => {
            let actions =
                each(&|text, label| json!({ "type": "imBack", "title": label, "value": text }));
            body["suggestedActions"] = json!({ "actions": actions });
        }
        Platform::Webhook
        | Platform::WeChat
        | Platform::Chatwoot
        | Platform::Twilio
        | Platform::Email => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::asks_for_person;
    use crate::prompt::Prompts;

    fn choice(text: &str) -> Choice {
        Choice { text: text.into(), said: false }
    }

    #[test]
    fn all_choices_become_buttons_or_none() {
        let choices = [choice("Shipping"), choice("Returns")];
        let of = |platform, chat: &str, last: &str, choices: &[Choice]| {
            buttons(platform, chat, (Unit::Utf16, last), choices).len()
        };
        assert_eq!(of(Platform::Telegram, "1", "hi", &choices), 2);
        // Telegram hands back 64 bytes.
        let long = [choice("Shipping"), choice(&"ö".repeat(40))];
        assert_eq!(of(Platform::Telegram, "1", "hi", &long), 0);
        assert_eq!(of(Platform::Discord, "1", "hi", &long), 2);
        assert_eq!(of(Platform::WhatsApp, "1", &"x".repeat(1_000), &choices), 0);
        assert_eq!(of(Platform::Teams, "1:a", "hi", &choices), 2);
        assert_eq!(of(Platform::Teams, "n:a", "hi", &choices), 0);
        assert_eq!(of(Platform::Email, "a", "hi", &choices), 0);
        let rich = Rich { text: "Hi".into(), spans: Vec::new() };
        let said = Choice { text: "Talk to a person".into(), said: true };
        assert_eq!(listed(rich, &[choice("Shipping"), said]).text, "Hi\n• Shipping");
    }

    #[test]
    fn labels_are_cut_and_what_is_handed_back_is_not() {
        assert_eq!(label("Returns", 7), "Returns");
        assert_eq!(label("Returns and refunds", 9), "Returns…");
        let text = "Returns and refunds of tents";
        let mut call = Call::post("", Vec::new(), Body::Json(json!({ "text": { "body": "hi" } })));
        put(Platform::WhatsApp, "1", &mut call, &[choice(text)]);
        let Body::Json(body) = call.body else { panic!() };
        let row = &body["interactive"]["action"]["sections"][0]["rows"][0];
        assert_eq!(row["title"], "Returns and refunds of…");
        assert_eq!(row["id"].as_str().and_then(pressed), Some(text));
        assert_eq!(body["interactive"]["body"]["text"], "hi");
        assert!(body.get("text").is_none());
    }

    #[test]
    fn the_button_for_a_person_is_a_wish_for_one_in_every_language() {
        let prompts = Prompts::load(std::path::Path::new("no such folder")).unwrap();
        for language in ["en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "zh", "ja"] {
            let text = prompts.call(language).unwrap();
            assert!(asks_for_person(&text), "{language}: {text}");
        }
    }
}
