//! What pages say around a site's own words, in its language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

const BUILT_IN: [(&str, &str); 2] = [
    ("en", include_str!("../data/phrases/en.toml")),
    ("zh", include_str!("../data/phrases/zh.toml")),
];

/// The phrases of one language; `{…}` stands for what is put in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phrases {
    pub(super) name: String,
    pub(super) skip: String,
    pub(super) home: String,
    pub(super) help: String,
    pub(super) products: String,
    pub(super) you_are_here: String,
    pub(super) languages: String,
    pub(super) questions: String,
    pub(super) intro: String,
    pub(super) variant: String,
    pub(super) number: String,
    pub(super) price: String,
    pub(super) stock: String,
    pub(super) in_stock: String,
    pub(super) pieces: String,
    pub(super) out_of_stock: String,
    pub(super) backorder: String,
    pub(super) before: String,
    pub(super) from: String,
    pub(super) per: String,
    pub(super) net: String,
    pub(super) gross: String,
    pub(super) category: String,
    pub(super) in_shop: String,
    pub(super) contact: String,
    pub(super) about_product: String,
    pub(super) until: String,
}

/// The phrases of a language, English where there are none of it.
pub(super) fn of(language: &str) -> &'static Phrases {
    static ALL: LazyLock<BTreeMap<&str, Phrases>> = LazyLock::new(|| {
        let read = |(code, text): (&'static str, &str)| {
            toml::from_str(text).ok().map(|phrases| (code, phrases))
        };
        BUILT_IN.into_iter().filter_map(read).collect()
    });
    static NONE: LazyLock<Phrases> = LazyLock::new(Phrases::default);
    ALL.get(language).or_else(|| ALL.get("en")).unwrap_or(&NONE)
}

/// A phrase with a value put in.
pub(super) fn filled(phrase: &str, name: &str, value: &str) -> String {
    phrase.replace(&format!("{{{name}}}"), value)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_language_has_every_phrase() {
        for (code, text) in super::BUILT_IN {
            let phrases: super::Phrases =
                toml::from_str(text).unwrap_or_else(|error| panic!("{code}: {error}"));
            assert!(!phrases.name.is_empty());
        }
    }
}
