//! The measurements: each runnable by one command, each prints both sides from one run.

use std::path::Path;

use anyhow::Context as _;

use crate::config::Config;
use crate::turn::Mode;

mod client;
pub mod engine;
pub mod ingest;
pub mod insight;
pub mod rerank;
pub mod retrieval;
pub mod sockets;
pub mod store;
pub mod turn;
pub mod webhooks;

/// A server's configuration with a store and an index of its own, the scripted engine and one
/// document.
fn scratch_config(config: &Config, directory: &Path) -> anyhow::Result<Config> {
    let mut config = config.clone();
    config.server.bind = "127.0.0.1:0".into();
    config.server.admin_bind = "127.0.0.1:0".into();
    config.store.path = directory.join("store");
    config.knowledge.index = directory.join("index");
    config.knowledge.path = directory.join("knowledge");
    config.knowledge.url = String::new();
    config.sites.truncate(1);
    if let Some(site) = config.sites.first_mut() {
        site.knowledge = None;
    }
    config.llm.engine = "scripted".into();
    config.answers.mode = Mode::Generate;
    config.sessions.messages_per_minute = u32::MAX;
    config.sessions.max_messages = 1_000_000;
    config.log.level = "error".into();
    std::fs::create_dir_all(&config.knowledge.path).context("the scratch directory")?;
    let text = "# Shipping\n\nShipping within Ireland costs 4.90 EUR. Orders of 75 EUR or more ship free within Ireland.\n";
    std::fs::write(config.knowledge.path.join("shipping.md"), text)?;
    // It may be written where relative paths lead elsewhere.
    Ok(config.rebased(&std::env::current_dir()?))
}
