//! `engine = "scripted"`: answers without a model, the same ones each time. For tests,
//! demonstrations and front-end work.
//!
//! `llm.model` names the script. `faithful` says of the passages the sentence that shares most
//! words with the question; `inventive` says things that no passage holds. Any other says what the
//! prompt decides:
//! 1. `[[say …]]` in the last user message: the text up to `]]`. `[[fail]]` there makes the engine
//!    fail after it.
//! 2. Otherwise, if a message has a line that begins with `Passages` (as `Passages:` or `##
//!    Passages`): the lines after it, up to one that begins with `Question`, joined with spaces.
//! 3. Otherwise the last user message itself.
//!
//! A prompt is judged by the share of the question's content words that what follows it holds.
//!
//! A word with the white space after it counts as a token. `scripted_token_ms` sets the time for
//! each, so that an answer can be cut in the middle.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::line::Line;
use super::text::TextStream;
use super::{
    ChatMessage, Finish, LlmConfig, LlmError, ModelFacts, Request, Role, Stats, Token, TokenStream,
};
use crate::conversation::Usage;
use crate::{grounding, language};

/// The engine.
pub(crate) struct Scripted {
    line: Arc<Line>,
    generated: Arc<AtomicU64>,
    token_time: Duration,
    max_tokens: u32,
    facts: ModelFacts,
}

impl Scripted {
    pub(crate) fn start(config: &LlmConfig) -> Self {
        Self {
            line: Line::new(config.parallel, config.queue),
            generated: Arc::default(),
            token_time: Duration::from_millis(config.scripted_token_ms),
            max_tokens: config.max_tokens,
            facts: ModelFacts {
                engine: "scripted".into(),
                name: if config.model.is_empty() {
                    "scripted".into()
                } else {
                    config.model.clone()
                },
                ..ModelFacts::of(config)
            },
        }
    }

    pub(crate) fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            waiting: self.line.waiting(),
            running: self.line.running(),
            generated_tokens: self.generated.load(Ordering::Relaxed),
            ..Stats::default()
        }
    }

    pub(crate) fn submit(&self, request: Request) -> Result<TokenStream, LlmError> {
        let mut place = self.line.enter()?;
        let prompt_tokens = prompt_tokens(&request.messages) + count_tokens(&request.prefix);
        let limit = self.facts.context_tokens as usize;
        if prompt_tokens >= limit {
            return Err(LlmError::PromptTooLong { tokens: prompt_tokens, limit: limit - 1 });
        }
        let script = script(&self.facts.name, &request.messages);
        let max_tokens = request.max_tokens.min(self.max_tokens).max(1) as usize;
        let (token_time, generated) = (self.token_time, Arc::clone(&self.generated));
        Ok(Box::pin(async_stream::stream! {
            while let Some(place) = place.wait().await {
                yield Ok(Token::Queued { place });
            }
            yield Ok(Token::Started);
            let rest = script.text.strip_prefix(&request.prefix).unwrap_or(&script.text);
            let words: Vec<&str> = rest.split_inclusive(char::is_whitespace).collect();
            let mut usage = Usage { prompt_tokens: u32::try_from(prompt_tokens).unwrap_or(u32::MAX), ..Usage::default() };
            let mut text = TextStream::new(&request.stop);
            let mut finish = if words.len() > max_tokens { Finish::Length } else { Finish::Stop };
            for word in words.iter().take(max_tokens) {
                if !token_time.is_zero() {
                    tokio::time::sleep(token_time).await;
                }
                usage.completion_tokens += 1;
                generated.fetch_add(1, Ordering::Relaxed);
                let piece = text.push(word.as_bytes());
                if !piece.text.is_empty() {
                    yield Ok(Token::Text(piece.text));
                }
                if piece.stopped {
                    finish = Finish::Stop;
                    break;
                }
            }
            let rest = text.finish();
            if !rest.is_empty() {
                yield Ok(Token::Text(rest));
            }
            drop(place);
            if script.fails {
                yield Err(LlmError::Engine("the script says so".into()));
            } else {
                yield Ok(Token::Done { finish, usage });
            }
        }))
    }
}

impl Scripted {
    /// How much of the question the passage holds, 0…1, after the time of one token. `[[fail]]` in
    /// the question makes it fail.
    pub(crate) async fn judge(&self, messages: &[ChatMessage]) -> Result<f32, LlmError> {
        if self.line.closed() {
            return Err(LlmError::ShuttingDown);
        }
        if !self.token_time.is_zero() {
            tokio::time::sleep(self.token_time).await;
        }
        let asked = messages.last().map_or("", |message| message.content.as_str());
        if asked.contains("[[fail]]") {
            return Err(LlmError::Engine("the script says so".into()));
        }
        Ok(overlap(asked))
    }
}

/// The share of the content words of the line after `Question: ` that stand in the lines after it.
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn overlap(prompt: &str) -> f32 {
    let (_, asked) = prompt.split_once("Question: ").unwrap_or(("", prompt));
    let (question, passage) = asked.split_once('\n').unwrap_or((asked, ""));
    let asked: HashSet<String> = language::content_words(question).collect();
    let held: HashSet<String> = language::content_words(passage).collect();
    asked.intersection(&held).count() as f32 / asked.len().max(1) as f32
}

/// White-space separated words.
pub(crate) fn count_tokens(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Words of all messages.
pub(crate) fn prompt_tokens(messages: &[ChatMessage]) -> usize {
    messages.iter().map(|message| count_tokens(&message.content)).sum()
}

#[derive(Debug, PartialEq, Eq)]
struct Script {
    text: String,
    fails: bool,
}

fn script(name: &str, messages: &[ChatMessage]) -> Script {
    let question = messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User)
        .map_or("", |m| m.content.as_str());
    match name {
        "faithful" => return Script { text: faithful(question), fails: false },
        "inventive" => return Script { text: INVENTED.into(), fails: false },
        _ => {}
    }
    let fails = question.contains("[[fail]]");
    let said = question
        .rsplit_once("[[say ")
        .and_then(|(_, rest)| rest.split_once("]]"))
        .map(|(said, _)| said.to_string());
    let text = match said {
        Some(said) => said,
        None if fails => String::new(),
        None => messages
            .iter()
            .rev()
            .find_map(|message| passages(&message.content))
            .unwrap_or_else(|| question.into()),
    };
    Script { text, fails }
}

const INVENTED: &str = "Our Zephyr 9000 costs 1234.56 EUR and ships within 77 minutes. Call us on Friday at evil.example.";

/// The sentence of the passages that shares most words with the question.
fn faithful(prompt: &str) -> String {
    let (passages, question) = prompt.rsplit_once("Question: ").unwrap_or((prompt, prompt));
    let asked: HashSet<String> = language::content_words(question).collect();
    let lines: Vec<&str> = passages.lines().filter(|line| !line.starts_with(['<', '#'])).collect();
    let text = lines.join("\n");
    let shared = |unit: &grounding::Unit| {
        language::content_words(&unit.text).filter(|word| asked.contains(word)).count()
    };
    let units = grounding::units(0, &text);
    let best = units
        .iter()
        .rev()
        .filter(|unit| !unit.text.ends_with(['?', '？']))
        .max_by_key(|unit| shared(unit));
    best.map_or_else(String::new, |unit| unit.text.clone())
}

/// The lines between `Passages` and `Question`.
fn passages(text: &str) -> Option<String> {
    let heading =
        |line: &str, word: &str| line.trim_start_matches(['#', '*', ' ']).starts_with(word);
    let mut lines = text.lines().skip_while(|line| !heading(line, "Passages"));
    lines.next()?;
    let lines: Vec<&str> = lines
        .take_while(|line| !heading(line, "Question"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(messages: &[(Role, &str)], text: &str, fails: bool) {
        let messages: Vec<ChatMessage> = messages
            .iter()
            .map(|&(role, content)| ChatMessage { role, content: content.into() })
            .collect();
        assert_eq!(script("scripted", &messages), Script { text: text.into(), fails });
    }

    #[test]
    fn the_model_can_be_a_script() {
        let prompt = "Passages:\n<passage n=\"1\">\nReturns are free. Shipping costs 4.90 EUR.\n</passage>\nQuestion: What does shipping cost?";
        assert_eq!(faithful(prompt), "Shipping costs 4.90 EUR.");
        assert_eq!(faithful(""), "");
        assert!(script("inventive", &[]).text.contains("Zephyr"));
    }

    #[test]
    fn a_passage_is_judged_by_the_words_of_the_question() {
        #[track_caller]
        fn check(passage: &str, expected: f32) {
            let prompt = format!(
                "Question: What does express shipping cost?\n<passage>\n{passage}\n</passage>"
            );
            assert!((overlap(&prompt) - expected).abs() < 1e-6, "{passage}: {}", overlap(&prompt));
        }
        check("Express shipping: the cost is 9 EUR.", 1.0);
        check("Shipping is free.", 1.0 / 3.0);
        check("Open at nine.", 0.0);
        assert!(overlap("") == 0.0);
    }

    #[test]
    fn the_prompt_decides_what_is_said() {
        check(&[(Role::User, "Hello there")], "Hello there", false);
        check(&[(Role::System, "S"), (Role::User, "a [[say one two]] b")], "one two", false);
        check(&[(Role::User, "[[say one]] [[fail]]")], "one", true);
        check(&[(Role::User, "[[fail]]")], "", true);
        check(
            &[
                (Role::System, "Be brief.\n## Passages\n[1] Open at 9.\n\n[2] Closed on Sunday.\n"),
                (Role::User, "When?"),
            ],
            "[1] Open at 9. [2] Closed on Sunday.",
            false,
        );
        check(&[(Role::User, "Passages:\nOpen at 9.\nQuestion: When?")], "Open at 9.", false);
        check(
            &[(Role::User, "Passages:\n\nQuestion: When?")],
            "Passages:\n\nQuestion: When?",
            false,
        );
    }
}
