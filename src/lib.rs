//! Frontdesk: a customer-service chat server.
//!
//! # Map, in reading order
//!
//! | Module | What it decides |
//! | --- | --- |
//! | [`turn`] | the spine: question → passages → prompt → tokens → verdict, on one screen |
//! | [`conversation`] | what is stored of conversations, and what its parts mean |
//! | [`protocol`] | what goes over sockets |
//! | [`language`] | what a text is made of: language, sentences, words, topics; pure |
//! | [`session`] | one conversation: `apply(command) → effects`, pure; its task and the registry of running ones |
//! | [`retrieval`] | question → ranked passages; documents → passages; the two Qdrant stores |
//! | [`prompt`] | passages and history → a prompt within budget, pure |
//! | [`llm`] | a handle in front of the thread that owns llama.cpp |
//! | [`grounding`] | which sentences the passages support, and the answer made of quotes, pure |
//! | [`reason`] | what follows from the chosen sentences for the visitor's own case: sums, conditions, places, pure |
//! | [`actions`] | webhooks of a site that do what the assistant can't |
//! | [`qualify`] | whether the model may phrase, by a test over the site's own knowledge |
//! | [`knowledge`] | folders and documents handed in, brought into the index while serving |
//! | [`catalogue`] | the products in the documents, for recommendation and cards |
//! | [`gaps`] | questions without an answer: grouped, counted, closed when a document answers them |
//! | [`signals`], [`features`] | what happens in conversations, as a log of numbers and labels; what a model learns from it, pure |
//! | [`intent`] | how likely a purchase is |
//! | [`outcomes`], [`recommend`], [`insight`] | what came of conversations; products that fit, pure; what all of it shows |
//! | [`handoff`] | when a person should step in, pure |
//! | [`suggest`] | replies drafted for agents, and rewritten |
//! | [`agents`], [`canned`], [`history`] | accounts, roles, sign-ins; replies kept for reuse; search and statistics of the past |
//! | [`secret`] | random ids and tokens, and the hashes kept of them |
//! | [`store`] | the append-only log; the only file that knows sled |
//! | [`site`] | one brand or shop, as the configuration tells it |
//! | [`http`] | axum: sockets, SSE, OpenAI-compatible completions, admin |
//! | [`server`], [`lifecycle`], [`telemetry`], [`config`] | wiring, shutdown, logs and metrics, options |
//! | [`cli`], [`mod@bench`], [`eval`] | the subcommands; the measurements: how fast, how good |

pub mod actions;
pub mod agents;
pub mod bench;
pub mod canned;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod eval;
pub mod export;
pub mod features;
pub mod gaps;
pub mod grounding;
pub mod handoff;
pub mod history;
pub mod http;
pub mod insight;
pub mod intent;
pub mod knowledge;
pub mod language;
pub mod lifecycle;
pub mod llm;
pub mod outcomes;
pub mod prompt;
pub mod protocol;
pub mod qualify;
pub mod reason;
pub mod recommend;
pub mod retrieval;
pub mod secret;
pub mod server;
pub mod session;
pub mod signals;
pub mod site;
pub mod store;
pub mod suggest;
pub mod telemetry;
pub mod training;
pub mod turn;
