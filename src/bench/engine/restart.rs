//! Everyone returns after a restart: to a server that has their conversations in files, and to one
//! that computes them again.

use std::path::Path;

use super::load::{Texts, Written, ask, ask_all, assistant, request, system, user};
use super::{Measure, cost, first_tokens, share};
use crate::conversation::SessionKey;
use crate::llm::{Llm, LlmConfig, Request};

const CHATS: u32 = 8;
const SYSTEM_TOKENS: usize = 300;
const OWN_TOKENS: usize = 1000;
const CONTEXT_TOKENS: u32 = 2048;

pub(super) async fn run(config: &LlmConfig, texts: &mut Texts) -> anyhow::Result<Vec<Measure>> {
    let config = LlmConfig {
        context_tokens: CONTEXT_TOKENS,
        kv_tokens: CHATS * CONTEXT_TOKENS,
        parallel: 16,
        hibernated_mib: 1024,
        ..config.clone()
    };
    let folder = std::env::temp_dir().join(format!("frontdesk-bench-{}", std::process::id()));
    let measured = in_folder(&config, &folder, texts).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn in_folder(
    config: &LlmConfig,
    folder: &Path,
    texts: &mut Texts,
) -> anyhow::Result<Vec<Measure>> {
    let shared = texts.text(SYSTEM_TOKENS);
    let mut chats = Vec::new();
    let llm = start(config, Some(folder))?;
    for number in 0..CHATS {
        let session = SessionKey { site: "bench".into(), id: number.to_string() };
        let mut chat = Request {
            session: Some(session),
            ..request(vec![system(&shared), user(&texts.text(OWN_TOKENS))], 16)
        };
        let written = ask(&llm, chat.clone()).await?;
        chat.messages.push(assistant(&written.text));
        chat.messages.push(user(&texts.text(40)));
        chats.push(chat);
    }
    llm.shutdown();
    llm.drained().await;
    let bytes = llm.stats().file_bytes;
    drop(llm);

    let back = ask_all(&start(config, Some(folder))?, chats.clone()).await?;
    let again = ask_all(&start(config, None)?, chats).await?;
    let first = |written: &[Written]| written.iter().map(Written::first_s).collect();
    let tokens = |written: &[Written]| written.iter().map(Written::computed).sum::<u32>();
    let with = first_tokens("first token p95, from files", first(&back));
    let without = first_tokens("first token p95, computed again", first(&again));
    let sooner = share("sooner from files, p95", without.value / with.value);
    Ok(vec![
        with,
        without,
        sooner,
        cost("prompt tokens computed, from files", "tokens", f64::from(tokens(&back))),
        cost("prompt tokens computed again", "tokens", f64::from(tokens(&again))),
        cost("size of the files", "MB", bytes as f64 / 1e6),
    ])
}

fn start(config: &LlmConfig, folder: Option<&Path>) -> anyhow::Result<Llm> {
    tokio::task::block_in_place(|| match folder {
        Some(folder) => Llm::start_hibernating(config, folder),
        None => Llm::start(config),
    })
}
