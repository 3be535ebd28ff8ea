//! What an action needs to know, gathered from a conversation. Pure.

use std::collections::BTreeMap;

use super::{Action, Input};
use crate::conversation::Line;
use crate::reason::abilities::asked;

/// What comes next.
#[derive(Debug)]
pub enum Step<'a> {
    /// The visitor is asked this.
    Ask(String),
    /// Everything needed is known.
    Call { action: &'a Action, inputs: BTreeMap<String, String> },
}

/// An input is asked for so many times; then the visitor doesn't have it.
const MAX_ASKED: usize = 2;
/// A message of more words that holds no input speaks of something else.
const MAX_WORDS: usize = 8;

/// What comes next for the request that the conversation is about, if an action serves it. `None`
/// where there is none, the conversation went on to something else, or the visitor doesn't give
/// what is needed.
#[must_use]
pub fn step<'a>(
    actions: &'a [Action],
    history: &[Line],
    question: &str,
    language: &str,
) -> Option<Step<'a>> {
    // No more lines than the form can take: a long conversation isn't read anew with each message.
    let inputs = actions.iter().map(|action| action.inputs.len()).max()?;
    let recent = history.len().saturating_sub(2 * MAX_ASKED * inputs.max(1) + 1);
    let lines = history.iter().skip(recent).map(|line| (line.by_visitor, line.text.as_str()));
    let all: Vec<(bool, &str)> = lines.chain([(true, question)]).collect();
    let (at, request) = all
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, (by_visitor, _))| *by_visitor)
        .find_map(|(at, (_, text))| Some((at, asked(text)?)))?;
    let action = actions.iter().find(|action| action.serves == request)?;
    let since = all.get(at..)?;
    // Only the action's own questions stand between the request and now.
    let asks = |text: &str| action.inputs.iter().any(|input| input.is_asked_by(text));
    if since.iter().any(|(by_visitor, text)| !by_visitor && !asks(text)) {
        return None;
    }
    let said = || since.iter().rev().filter(|(by_visitor, _)| *by_visitor).map(|(_, text)| *text);
    let mut inputs = BTreeMap::new();
    let mut missing = None;
    for input in &action.inputs {
        match said().find_map(|text| input.find(text)) {
            Some(value) => {
                inputs.insert(input.name.clone(), value.to_owned());
            }
            None => missing = missing.or(Some(input)),
        }
    }
    let Some(missing) = missing else { return Some(Step::Call { action, inputs }) };
    let times =
        since.iter().filter(|(by_visitor, text)| !by_visitor && missing.is_asked_by(text)).count();
    let gave_nothing =
        since.len() > 1 && !action.inputs.iter().any(|input| input.find(question).is_some());
    let elsewhere = gave_nothing
        && (question.contains(['?', '？']) || question.split_whitespace().count() > MAX_WORDS);
    (times < MAX_ASKED && !elsewhere).then(|| Step::Ask(missing.question(language).to_owned()))
}

impl Input {
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.pattern.captures(text)?;
        found
            .get(1)
            .or_else(|| found.get(0))
            .map(|value| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn question(&self, language: &str) -> &str {
        let own = self
            .ask
            .get(language)
            .or_else(|| self.ask.get("en"))
            .or_else(|| self.ask.values().next());
        own.map_or("", String::as_str)
    }

    fn is_asked_by(&self, text: &str) -> bool {
        self.ask.values().any(|ask| ask.trim() == text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ActionConfig, InputConfig};
    use super::*;
    use crate::reason::abilities::Request;

    fn actions() -> Vec<Action> {
        let input = |name: &str, pattern: &str, de: &str| InputConfig {
            name: name.into(),
            pattern: pattern.into(),
            ask: BTreeMap::from([
                ("en".into(), format!("Your {name}, please?")),
                ("de".into(), de.into()),
            ]),
        };
        let config = ActionConfig {
            name: "order_status".into(),
            serves: Request::Status,
            url: "https://shop.example/status".into(),
            secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
            timeout_ms: 1_000,
            allow_private: false,
            inputs: vec![
                input("order", r"\b\d{5,8}\b", "Ihre Bestellnummer?"),
                input("email", r"[^@\s]+@[^@\s]+\.\w+", "Ihre E-Mail-Adresse?"),
            ],
        };
        vec![Action::new(&config).unwrap()]
    }

    /// Lines from the visitor on, in turns.
    #[track_caller]
    fn check(lines: &[&str], language: &str, expected: &str) {
        let (question, before) = lines.split_last().unwrap();
        let history: Vec<Line> = before
            .iter()
            .enumerate()
            .map(|(at, text)| Line { by_visitor: at % 2 == 0, text: (*text).to_owned() })
            .collect();
        let actions = actions();
        let found = match step(&actions, &history, question, language) {
            None => "none".to_owned(),
            Some(Step::Ask(text)) => text,
            Some(Step::Call { inputs, .. }) => format!("{inputs:?}"),
        };
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn what_is_missing_is_asked_for_one_by_one() {
        let whole = r#"{"email": "a@b.example", "order": "10234"}"#;
        check(&["Where is my order?"], "en", "Your order, please?");
        check(&["Wo ist mein Paket?"], "de", "Ihre Bestellnummer?");
        check(&["Où est mon colis ?"], "fr", "Your order, please?");
        check(&["Where is my order 10234?"], "en", "Your email, please?");
        check(&["Where is my order?", "Your order, please?", "10234"], "en", "Your email, please?");
        check(
            &[
                "Where is my order?",
                "Your order, please?",
                "10234",
                "Your email, please?",
                "a@b.example",
            ],
            "en",
            whole,
        );
        check(&["Where is my order 10234? I am a@b.example"], "en", whole);
    }

    #[test]
    fn a_conversation_that_went_on_is_left_alone() {
        check(&["Do you sell tents?"], "en", "none");
        check(&["please cancel my order 10234"], "en", "none");
        check(&["Where is my order?", "Your order, please?", "Do you sell tents?"], "en", "none");
        check(&["Where is my order?", "It left yesterday.", "10234 a@b.example"], "en", "none");
        check(
            &["Where is my order?", "Your order, please?", "hm", "Your order, please?", "no idea"],
            "en",
            "none",
        );
        check(&["Where is my order?", "Your order, please?", "hm"], "en", "Your order, please?");
    }
}
