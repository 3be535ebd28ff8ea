//! One integration binary: the product from outside, and contracts between its parts.

mod architecture;
mod bad_input;
mod chat;
mod console;
mod index_contract;
mod ingest;
mod kill;
mod llm_model;
mod overload;
mod protocol;
mod real_models;
mod recovery;
mod store;
mod support;
mod who_gets_in;
mod widget;
