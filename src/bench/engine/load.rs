//! Seeded texts and the chats that ask for them.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::conversation::Usage;
use crate::llm::{ChatMessage, Llm, Request, Role, Sampling, Token};

/// Words that most vocabularies hold whole, so that a text has about as many tokens as words.
const WORDS: [&str; 48] = [
    "order", "price", "water", "house", "summer", "letter", "number", "green", "table", "river",
    "market", "garden", "window", "paper", "music", "street", "winter", "garment", "shipping",
    "return", "country", "small", "large", "early", "weather", "repair", "stone", "metal",
    "cotton", "travel", "family", "school", "bridge", "forest", "island", "coffee", "bread",
    "glass", "machine", "season", "account", "member", "delivery", "warranty", "colour", "size",
    "weight", "length",
];
const GREEDY: Sampling =
    Sampling { temperature: 0.0, top_p: 1.0, min_p: 0.0, repeat_penalty: 1.0, seed: Some(1) };

/// Texts that are the same for the same seed, and that nobody was asked before.
pub(super) struct Texts {
    random: StdRng,
}

impl Texts {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed) }
    }

    /// About `tokens` tokens in sentences. Begins with a number, so that nothing computed before is
    /// of use.
    pub(super) fn text(&mut self, tokens: usize) -> String {
        let mut text = format!("{:08}:", self.random.random_range(0..100_000_000));
        for word in 0..tokens.saturating_sub(10) {
            text.push(' ');
            text.push_str(WORDS.choose(&mut self.random).unwrap_or(&WORDS[0]));
            if word % 12 == 11 {
                text.push('.');
            }
        }
        text
    }

    /// A number from a range, for lengths.
    pub(super) fn length(&mut self, range: std::ops::Range<usize>) -> usize {
        self.random.random_range(range)
    }
}

/// What a chat asks, greedily.
pub(super) fn request(messages: Vec<ChatMessage>, max_tokens: u32) -> Request {
    Request {
        messages,
        session: None,
        suggestion: false,
        prefix: String::new(),
        sampling: GREEDY,
        max_tokens,
        stop: Vec::new(),
    }
}

pub(super) fn system(content: &str) -> ChatMessage {
    ChatMessage { role: Role::System, content: content.into() }
}

pub(super) fn user(content: &str) -> ChatMessage {
    ChatMessage { role: Role::User, content: content.into() }
}

pub(super) fn assistant(content: &str) -> ChatMessage {
    ChatMessage { role: Role::Assistant, content: content.into() }
}

/// A request that makes the model write until its limit, most of the time.
pub(super) fn story(texts: &mut Texts, tokens: usize, max_tokens: u32) -> Request {
    let about = texts.text(tokens);
    request(
        vec![
            system("You write long stories."),
            user(&format!("Tell a very long story about {about}")),
        ],
        max_tokens,
    )
}

/// How a chat went.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) begun: Instant,
    /// When each piece of text came.
    pub(super) pieces: Vec<Instant>,
    pub(super) ended: Instant,
    pub(super) text: String,
    pub(super) usage: Usage,
}

impl Written {
    /// From asking to the first text; to the end where there was none.
    pub(super) fn first_s(&self) -> f64 {
        (*self.pieces.first().unwrap_or(&self.ended) - self.begun).as_secs_f64()
    }

    pub(super) fn whole_s(&self) -> f64 {
        (self.ended - self.begun).as_secs_f64()
    }

    /// Tokens a second between the first text and the end.
    pub(super) fn tokens_a_second(&self) -> f64 {
        let took = (self.ended - *self.pieces.first().unwrap_or(&self.begun)).as_secs_f64();
        f64::from(self.usage.completion_tokens.saturating_sub(1)) / took
    }

    pub(super) fn computed(&self) -> u32 {
        self.usage.prompt_tokens.saturating_sub(self.usage.cached_tokens)
    }
}

/// Asks and reads to the end.
///
/// # Errors
/// When the engine refuses or fails.
pub(super) async fn ask(llm: &Llm, request: Request) -> anyhow::Result<Written> {
    let begun = Instant::now();
    let mut completion = llm.submit(request)?;
    let (mut pieces, mut text) = (Vec::new(), String::new());
    while let Some(token) = completion.next().await {
        match token? {
            Token::Queued { .. } | Token::Started | Token::Thinking => {}
            Token::Text(piece) => {
                pieces.push(Instant::now());
                text.push_str(&piece);
            }
            Token::Done { usage, .. } => {
                return Ok(Written { begun, pieces, ended: Instant::now(), text, usage });
            }
        }
    }
    anyhow::bail!("the answer has no end")
}

/// Asks all at once and reads each to its end.
///
/// # Errors
/// The first one that any of them meets.
pub(super) async fn ask_all(llm: &Llm, requests: Vec<Request>) -> anyhow::Result<Vec<Written>> {
    let chats: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let llm = llm.clone();
            #[expect(
                clippy::disallowed_methods,
                reason = "the measurement waits for it and ends with the command"
            )]
            let chat = tokio::spawn(async move { ask(&llm, request).await });
            chat
        })
        .collect();
    let mut written = Vec::with_capacity(chats.len());
    for chat in chats {
        written.push(chat.await.context("a chat")??);
    }
    Ok(written)
}

/// Tokens a second of all chats together, in the time in which every one of them wrote. 0 where
/// there is none.
pub(super) fn together(written: &[Written]) -> f64 {
    let from = written.iter().filter_map(|chat| chat.pieces.first()).max();
    let to = written.iter().filter_map(|chat| chat.pieces.last()).min();
    let (Some(&from), Some(&to)) = (from, to) else { return 0.0 };
    if to <= from {
        return 0.0;
    }
    let pieces =
        written.iter().flat_map(|chat| &chat.pieces).filter(|&&at| at > from && at <= to).count();
    pieces as f64 / (to - from).as_secs_f64()
}

/// Gaps between a chat's pieces of text that end after `from` and begin before `to`, in
/// milliseconds.
pub(super) fn gaps(written: &[Written], from: Instant, to: Instant) -> Vec<f64> {
    let pairs = written.iter().flat_map(|chat| chat.pieces.windows(2));
    pairs.filter(|pair| pair[1] > from && pair[0] < to).map(|pair| ms(pair[1] - pair[0])).collect()
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
