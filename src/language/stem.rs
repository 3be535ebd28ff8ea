//! What of a word is compared with others. Pure.

/// A light stem for comparing words: plural and common verb endings go. Enough where both sides are
/// cut the same way.
pub(crate) fn stem(word: &str) -> &str {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) =
            word.strip_suffix(ending).filter(|stem| stem.chars().count() >= 3 && stem.is_ascii())
        {
            return stem.strip_suffix('e').unwrap_or(stem);
        }
    }
    word.strip_suffix('e').filter(|stem| stem.len() >= 3).unwrap_or(word)
}

/// An English word without its plural's ending. Names of goods are compared by it: a "Boarding" bag
/// is no board.
#[must_use]
pub fn singular(word: &str) -> &str {
    if !word.is_ascii() {
        return word;
    }
    for ending in ["ches", "shes", "xes", "sses"] {
        if word.len() > ending.len() && word.ends_with(ending) {
            return &word[..word.len() - 2];
        }
    }
    without_s(word)
}

/// A word without the plural's s.
#[must_use]
pub fn without_s(word: &str) -> &str {
    word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s')).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_go() {
        for (word, short, one) in [
            ("tents", "tent", "tent"),
            ("boxes", "box", "box"),
            ("watches", "watch", "watch"),
            ("glasses", "glass", "glass"),
            ("shipping", "shipp", "shipping"),
            ("returned", "return", "returned"),
            ("bus", "bus", "bus"),
            ("größen", "größen", "größen"),
        ] {
            assert_eq!((stem(word), singular(word)), (short, one), "{word}");
        }
        assert_eq!(["cafés", "glass", "gas"].map(without_s), ["café", "glass", "gas"]);
    }
}
