//! How people write in chats: "do u have it in blue", "whats in the box", "it dont fit". Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What each shorthand stands for; `data/shorthand.tsv`.
static MEANT: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("data/shorthand.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t')).collect()
});

/// An English text with its shorthand written out. Search and models know the words, and a spelling
/// check would take "wont" for "want". Capitals stay as they are: "U" may be a size, and "R" a
/// name.
#[must_use]
pub fn written_out(text: &str) -> Cow<'_, str> {
    let meant = |word: &str| {
        let bare = word.trim_matches(['.', ',', '!', '?', ':', ';', '"', '(', ')']);
        let shorter = || MEANT.get(bare).or_else(|| MEANT.get(lowered_first(bare)?.as_str()));
        let found = MEANT.get(word).or_else(shorter)?;
        let bare = if MEANT.contains_key(word) { word } else { bare };
        Some((bare.as_ptr() as usize - text.as_ptr() as usize, bare.len(), *found))
    };
    let found: Vec<(usize, usize, &str)> = text.split_whitespace().filter_map(meant).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut written = text.to_owned();
    for (start, length, meant) in found.into_iter().rev() {
        written.replace_range(start..start + length, meant);
    }
    Cow::Owned(written)
}

/// "Whats" as "whats"; a single capital letter, and what is written in capitals throughout, is left
/// alone.
fn lowered_first(word: &str) -> Option<String> {
    let mut chars = word.chars();
    let first = chars.next().filter(|first| first.is_uppercase())?;
    let rest = chars.as_str();
    let lower = !rest.is_empty() && rest.chars().all(|c| !c.is_uppercase());
    lower.then(|| first.to_lowercase().chain(rest.chars()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(written_out(text), expected);
    }

    #[test]
    fn shorthand_is_written_out() {
        check("do u have it in blue?", "do you have it in blue?");
        check("Whats the price, pls?", "what's the price, please?");
        check("it dont open w/o a key", "it don't open without a key");
        check("the lid wont fit.", "the lid won't fit.");
    }

    #[test]
    fn other_words_stay() {
        check("Is size U left?", "Is size U left?");
        check("its zip is fine", "its zip is fine");
        check("ASAP PLZ", "ASAP PLZ");
        check("", "");
        check("n° 5 / w", "n° 5 / w");
    }
}
