//! One integration binary: the product from outside, and contracts between its parts.

mod architecture;
mod bad_input;
mod chat;
mod commands;
mod connections;
mod console;
mod formats;
mod hostile;
mod index_contract;
mod ingest;
mod insight;
mod kill;
mod knowledge;
mod llm_model;
mod openai;
mod overload;
mod protocol;
mod qualify;
mod real_models;
mod recovery;
mod rerank;
mod store;
mod support;
mod who_gets_in;
mod widget;
mod without_model;
