//! The words that turns look for: `language/data/words/turn.toml`. Pure.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::lists::{self, List};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lists {
    pub(super) turned: List,
    pub(super) problems: List,
    pub(super) helped: List,
    pub(super) services: List,
    pub(super) stores: List,
    pub(super) every: List,
    pub(super) restricts: List,
}

pub(super) static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/turn.toml")));
