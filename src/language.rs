//! What a message is made of: its language, script and tone. Pure.

pub mod detect;
pub mod script;
pub mod tone;
