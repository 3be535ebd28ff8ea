//! What is measured: chats as they come in customer service.

use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;

use super::load::{Texts, ask, ask_all, assistant, gaps, request, story, system, together, user};
use super::{
    Better, EngineBench, Measure, cost, embedding, first_tokens, quantile, rate, restart, share,
    sorted,
};
use crate::config::Config;
use crate::llm::{Llm, Request};

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One chat alone writes 128 tokens.
    OneStream,
    /// A prompt of 300 tokens on an idle engine.
    Prefill300,
    /// A prompt of 1,090 tokens on an idle engine.
    Prefill1090,
    /// Eight new chats at once with one system prompt of 1,000 tokens; then eight more that find it
    /// known.
    SharedSystem,
    /// Eight new chats at once, each with passages of its own.
    OwnPassages,
    /// Sixteen chats write at once.
    Decode16,
    /// A prompt of 4,200 tokens comes while eight chats write.
    LongPrompt,
    /// Turns 2 to 6 of one chat.
    Turns,
    /// Sixteen chats write beside finished conversations that are kept, against none.
    Sleeping,
    /// One chat writes while passages are embedded, against alone; and what embedding them costs.
    BesideEmbedding,
    /// Eight chats go on at once after a restart, from their files, against computing them again.
    AfterRestart,
}

const SYSTEM_TOKENS: usize = 1000;
const QUESTION_TOKENS: usize = 110;
const PASSAGES_TOKENS: usize = 1000;
const LONG_TOKENS: usize = 4200;
const SLEEPER_TOKENS: usize = 1000;

impl Scenario {
    pub(super) const ALL: [Self; 11] = [
        Self::OneStream,
        Self::Prefill300,
        Self::Prefill1090,
        Self::SharedSystem,
        Self::OwnPassages,
        Self::Decode16,
        Self::LongPrompt,
        Self::Turns,
        Self::Sleeping,
        Self::BesideEmbedding,
        Self::AfterRestart,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OneStream => "one stream",
            Self::Prefill300 => "prefill of 300 tokens",
            Self::Prefill1090 => "prefill of 1,090 tokens",
            Self::SharedSystem => "8 chats, one system prompt",
            Self::OwnPassages => "8 chats, passages of their own",
            Self::Decode16 => "16 chats' decode",
            Self::LongPrompt => "long prompt beside 8 chats",
            Self::Turns => "turns 2 to 6",
            Self::Sleeping => "beside kept conversations",
            Self::BesideEmbedding => "beside embedding",
            Self::AfterRestart => "after a restart",
        }
    }

    /// Whether it measures us against ourselves.
    pub(super) fn is_ours_alone(self) -> bool {
        matches!(self, Self::Sleeping | Self::BesideEmbedding | Self::AfterRestart)
    }

    pub(super) async fn run(
        self,
        llm: &Llm,
        config: &Config,
        bench: &EngineBench,
        seed: u64,
    ) -> anyhow::Result<Vec<Measure>> {
        let texts = &mut Texts::new(seed);
        match self {
            Self::OneStream => {
                let written = ask(llm, story(texts, 30, 128)).await?;
                Ok(vec![rate("decode", written.tokens_a_second())])
            }
            Self::Prefill300 => prefill(llm, texts, 300).await,
            Self::Prefill1090 => prefill(llm, texts, 1090).await,
            Self::SharedSystem => shared_system(llm, texts).await,
            Self::OwnPassages => own_passages(llm, texts).await,
            Self::Decode16 => Ok(vec![rate("decode in all", decode_16(llm, texts).await?)]),
            Self::LongPrompt => long_prompt(llm, texts).await,
            Self::Turns => turns(llm, texts).await,
            Self::Sleeping => sleeping(llm, texts, bench.sleeping_tokens).await,
            Self::BesideEmbedding => embedding::run(llm, &config.embedder, texts).await,
            Self::AfterRestart => restart::run(&config.llm, texts).await,
        }
    }
}

async fn prefill(llm: &Llm, texts: &mut Texts, tokens: usize) -> anyhow::Result<Vec<Measure>> {
    let written = ask(llm, request(vec![user(&texts.text(tokens))], 1)).await?;
    Ok(vec![rate("prefill", f64::from(written.computed()) / written.whole_s())])
}

async fn shared_system(llm: &Llm, texts: &mut Texts) -> anyhow::Result<Vec<Measure>> {
    let shared = texts.text(SYSTEM_TOKENS);
    let mut measures = Vec::new();
    for (computed, first) in [
        ("prompt tokens computed", "first token p95"),
        ("prompt tokens computed, prompt known", "first token p95, prompt known"),
    ] {
        let chats: Vec<Request> = (0..8)
            .map(|_| request(vec![system(&shared), user(&texts.text(QUESTION_TOKENS))], 16))
            .collect();
        let written = ask_all(llm, chats).await?;
        let tokens: u32 = written.iter().map(super::load::Written::computed).sum();
        measures.push(cost(computed, "tokens", f64::from(tokens)));
        measures
            .push(first_tokens(first, written.iter().map(super::load::Written::first_s).collect()));
    }
    Ok(measures)
}

async fn own_passages(llm: &Llm, texts: &mut Texts) -> anyhow::Result<Vec<Measure>> {
    let shared = texts.text(60);
    let chats = (0..8)
        .map(|_| request(vec![system(&shared), user(&texts.text(PASSAGES_TOKENS))], 16))
        .collect();
    let written = ask_all(llm, chats).await?;
    let begun = written.iter().map(|chat| chat.begun).min();
    let ended = written.iter().map(|chat| chat.ended).max();
    let whole = begun.zip(ended).map_or(0.0, |(begun, ended)| (ended - begun).as_secs_f64());
    Ok(vec![
        first_tokens(
            "first token p95",
            written.iter().map(super::load::Written::first_s).collect(),
        ),
        cost("all answered after", "s", whole),
    ])
}

async fn decode_16(llm: &Llm, texts: &mut Texts) -> anyhow::Result<f64> {
    let chats = (0..16).map(|_| story(texts, 30, 64)).collect();
    Ok(together(&ask_all(llm, chats).await?))
}

async fn long_prompt(llm: &Llm, texts: &mut Texts) -> anyhow::Result<Vec<Measure>> {
    let streams: Vec<Request> = (0..8).map(|_| story(texts, 30, 400)).collect();
    let long = request(vec![user(&texts.text(LONG_TOKENS))], 1);
    #[expect(
        clippy::disallowed_methods,
        reason = "the measurement waits for it and ends with the command"
    )]
    let running = tokio::spawn({
        let llm = llm.clone();
        async move { ask_all(&llm, streams).await }
    });
    // Until all of them write.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let from = Instant::now();
    let written = ask(llm, long).await?;
    let to = written.ended;
    let streams = running.await??;
    let gaps = gaps(&streams, from, to);
    let longest = quantile(&sorted(gaps.clone()), 1.0);
    Ok(vec![
        Measure {
            name: "longest gap",
            unit: "ms",
            better: Better::Lower,
            value: longest,
            samples: gaps,
        },
        cost("its own first token", "s", written.whole_s()),
    ])
}

async fn turns(llm: &Llm, texts: &mut Texts) -> anyhow::Result<Vec<Measure>> {
    let mut messages = vec![system(&texts.text(200)), user(&texts.text(40))];
    let mut first = Vec::new();
    for turn in 1..=6 {
        let written = ask(llm, request(messages.clone(), 32)).await?;
        if turn > 1 {
            first.push(written.first_s());
        }
        messages.push(assistant(&written.text));
        messages.push(user(&texts.text(40)));
    }
    let value = quantile(&sorted(first.clone()), 0.5);
    Ok(vec![Measure {
        name: "first token",
        unit: "s",
        better: Better::Lower,
        value,
        samples: first,
    }])
}

/// Finished conversations are kept for their next turn. The same load before them, beside them and
/// after they are forgotten.
async fn sleeping(llm: &Llm, texts: &mut Texts, tokens: usize) -> anyhow::Result<Vec<Measure>> {
    llm.forget_finished();
    let before = decode_16(llm, texts).await?;
    llm.forget_finished();
    let mut last = None;
    for _ in 0..tokens.div_ceil(SLEEPER_TOKENS) {
        let conversation = vec![user(&texts.text(SLEEPER_TOKENS))];
        ask(llm, request(conversation.clone(), 1)).await?;
        last = Some(conversation);
    }
    let kept = llm.stats().kv_used_tokens as f64;
    let beside = decode_16(llm, texts).await?;
    // A kept conversation goes on where it stood.
    let mut returned = last.unwrap_or_default();
    returned.push(assistant("Yes."));
    returned.push(user("And then?"));
    let back = ask(llm, request(returned, 4)).await?;
    llm.forget_finished();
    let after = decode_16(llm, texts).await?;
    Ok(vec![
        share("decode beside them, against none", beside * 2.0 / (before + after)),
        rate("decode in all, beside none", f64::midpoint(before, after)),
        rate("decode in all, beside them", beside),
        cost("tokens in the cache", "tokens", kept),
        cost("tokens computed on return", "tokens", f64::from(back.computed())),
        cost("first token on return", "s", back.first_s()),
    ])
}
