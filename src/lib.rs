//! Frontdesk: a customer-service chat server.
//!
//! # Map, in reading order
//!
//! | Module | What it decides |
//! | --- | --- |
//! | [`turn`] | the spine: question → passages → prompt → tokens → verdict, on one screen |
//! | [`protocol`] | what goes over sockets |
//! | [`session`] | one conversation: `apply(command) → effects`, pure; its task and the registry of running ones |
//! | [`retrieval`] | question → ranked passages; documents → passages; the two Qdrant stores |
//! | [`prompt`] | passages and history → a prompt within budget, pure |
//! | [`llm`] | a handle in front of the thread that owns llama.cpp |
//! | [`grounding`] | which sentences the passages support, and the answer made of quotes, pure |
//! | [`signals`], [`intent`] | what happens in conversations, as numbers; how likely a purchase is |
//! | [`handoff`] | when a person should step in, pure |
//! | [`store`] | the append-only log; the only file that knows sled |
//! | [`http`] | axum: sockets, SSE, OpenAI-compatible completions, admin |
//! | [`server`], [`lifecycle`], [`telemetry`], [`config`] | wiring, shutdown, logs and metrics, options |
//! | [`cli`], [`bench`], [`eval`] | the subcommands; the measurements of speed; those of quality |

pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod eval;
pub mod grounding;
pub mod handoff;
pub mod http;
pub mod intent;
pub mod lifecycle;
pub mod llm;
pub mod prompt;
pub mod protocol;
pub mod retrieval;
pub mod server;
pub mod session;
pub mod signals;
pub mod store;
pub mod telemetry;
pub mod turn;
