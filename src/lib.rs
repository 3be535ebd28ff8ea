//! Frontdesk: a customer-service chat server.
//!
//! # Map, top floor first
//!
//! A module imports modules of lower floors only; `tests/it/architecture.rs` has the list. To learn
//! the code, begin with
//! [`turn`]: how one answer comes about.
//!
//! | Module | What it decides |
//! | --- | --- |
//! | [`cli`], [`mod@bench`], [`eval`] | the subcommands; the measurements: how fast, how good |
//! | [`server`], [`qualify`], [`config`] | wiring; whether the model may phrase; options |
//! | [`http`], [`channels`] | axum: sockets, SSE, OpenAI-compatible completions, admin; messaging platforms |
//! | [`training`], [`outcomes`] | what models learn from, brought together; orders that were reported |
//! | [`site`] | one brand or shop, as the configuration describes it |
//! | [`insight`], [`agents`], [`audit`], [`history`] | reports; accounts and sign-ins; who did what; search and statistics |
//! | [`session`] | one conversation: `apply(command) → effects`, pure; its task; the running ones |
//! | [`intent`], [`recommend`], [`export`] | how likely a purchase is; products that fit; columns for data tools |
//! | [`features`], [`suggest`], [`gaps`] | columns to learn from; drafts for agents; questions without an answer |
//! | [`pages`] | web pages: what search engines can't read of them |
//! | [`turn`] | one answer: question → passages → prompt → tokens → verdict |
//! | [`signals`], [`knowledge`] | what happened, as numbers and labels; folders and uploads, kept in the index |
//! | [`prompt`], [`catalogue`] | a prompt within budget; questions that product rows answer |
//! | [`actions`] | webhooks of a site that do what the assistant can't |
//! | [`retrieval`] | question → ranked passages; documents → passages; two Qdrant engines |
//! | [`llm`], [`canned`] | a handle in front of the thread that owns llama.cpp; replies for reuse |
//! | [`protocol`], [`handoff`] | what goes over sockets; when a person is called |
//! | [`reason`] | what follows for the visitor's own case: sums, conditions, places |
//! | [`grounding`], [`store`] | which sentences the passages support; the append-only log, in sled |
//! | [`conversation`], [`language`] | what is stored of conversations; what a text is made of |
//! | [`mod@wording`] | the words of answers composed from figures and rows, by language |
//! | [`mod@forecast`], [`calendar`] | counts of days → expected counts and bands; a shop's days |
//! | [`clock`], [`secret`], [`keyring`] | time; random ids and tokens; the server's own keys |
//! | [`mod@address`], [`permissions`] | what a network address counts as; files that are the server's user's alone |
//! | [`models`] | the models that are known by name, and fetching them |
//! | [`fairness`] | whose turn is next where sites share something |
//! | [`lifecycle`], [`telemetry`] | shutdown; logs and metrics |

pub mod actions;
pub mod address;
pub mod agents;
pub mod audit;
pub mod bench;
pub mod calendar;
pub mod canned;
pub mod catalogue;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod eval;
pub mod export;
pub mod fairness;
pub mod features;
pub mod forecast;
pub mod gaps;
pub mod grounding;
pub mod handoff;
pub mod history;
pub mod http;
pub mod insight;
pub mod intent;
pub mod keyring;
pub mod knowledge;
pub mod language;
pub mod lifecycle;
pub mod llm;
pub mod models;
pub mod outcomes;
pub mod pages;
pub mod permissions;
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
pub mod wording;
