//! The words of a text: the one tokeniser. Pure.
//!
//! - A *word* is a run of letters and digits, as it is written: "3.5" is two, "IPX4" is one,
//!   "don't" is "don" and "t". [`words_with_apostrophes`] keeps "don't" whole, and
//!   [`unicode_words`] keeps "don't", "4.90" and "shop.example" whole.
//! - Scripts that put no spaces between words have no words here: a run of them is one piece, with
//!   the letters and digits that stand beside it ("退货30天"). Who needs parts of it cuts it further
//!   ([`super::is_unspaced`], [`super::unspaced::split_unspaced`]). Unicode's rules cut Chinese
//!   characters and hiragana one by one instead.
//! - Marks that Unicode counts neither as letters nor as digits end a word; the tone marks of Thai
//!   are such marks.
//! - No word is empty, and none is changed: who compares words puts them in lower case first and
//!   one apostrophe in place of the other.

use unicode_segmentation::UnicodeSegmentation as _;

use super::script::is_han;

/// Runs of letters and digits.
pub fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    runs(text, char::is_alphanumeric)
}

/// [`words`], each with the byte at which it begins.
pub fn word_indices(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    placed(text, words(text))
}

/// [`word_indices`], with runs of Chinese characters apart from what stands beside them: "30天内"
/// is two.
pub fn word_indices_by_script(text: &str) -> impl Iterator<Item = (usize, &str)> {
    word_indices(text).flat_map(|(mut at, mut rest)| {
        std::iter::from_fn(move || {
            let han = is_han(rest.chars().next()?);
            let end = rest.find(|c| is_han(c) != han).unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(end);
            let start = at;
            (at, rest) = (at + end, behind);
            Some((start, piece))
        })
    })
}

/// Runs of letters, digits and apostrophes, the straight and the typographic one: "don't",
/// "l’ordine", also "'quoted'" with its quotes.
pub fn words_with_apostrophes(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    runs(text, |c| c.is_alphanumeric() || matches!(c, '\'' | '’'))
}

/// [`words_with_apostrophes`], each with the byte at which it begins.
pub fn word_indices_with_apostrophes(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    placed(text, words_with_apostrophes(text))
}

/// Runs of letters alone: "m2" is "m".
pub fn letter_runs(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    runs(text, char::is_alphabetic)
}

/// Words as Unicode's rules cut them (UAX #29).
pub fn unicode_words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.unicode_words()
}

/// [`unicode_words`], each with the byte at which it begins.
pub fn unicode_word_indices(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    text.unicode_word_indices()
}

/// What stands between marks: runs of letters, digits and white space. "All sizes, in blue" has
/// two.
pub fn stretches(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    runs(text, |c| c.is_alphanumeric() || c.is_whitespace())
}

/// The word that a text ends with; nothing if it ends with a mark or white space.
#[must_use]
pub fn ending_word(text: &str) -> &str {
    words(text).next_back().filter(|word| text.ends_with(word)).unwrap_or_default()
}

/// The letters that a text ends with; nothing if it ends otherwise.
#[must_use]
pub fn ending_letters(text: &str) -> &str {
    letter_runs(text).next_back().filter(|run| text.ends_with(run)).unwrap_or_default()
}

/// A text without the marks and white space around it: "(really?)" is "really".
#[must_use]
pub fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Whether a text holds one of some words, written as they are.
#[must_use]
pub fn has_word(text: &str, list: &[impl AsRef<str>]) -> bool {
    words(text).any(|word| list.iter().any(|own| own.as_ref() == word))
}

fn runs(text: &str, is_part: impl Fn(char) -> bool) -> impl DoubleEndedIterator<Item = &str> {
    text.split(move |c| !is_part(c)).filter(|run| !run.is_empty())
}

/// Pieces of a text with the byte at which each begins.
fn placed<'t>(
    text: &'t str,
    pieces: impl DoubleEndedIterator<Item = &'t str>,
) -> impl DoubleEndedIterator<Item = (usize, &'t str)> {
    let start = text.as_ptr() as usize;
    pieces.map(move |piece| (piece.as_ptr() as usize - start, piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_cuts_as_it_says() {
        let check = |text: &str, plain: &str, apostrophes: &str, letters: &str, unicode: &str| {
            let joined =
                |words: &mut dyn Iterator<Item = &str>| words.collect::<Vec<_>>().join("|");
            assert_eq!(joined(&mut words(text)), plain, "{text}");
            assert_eq!(joined(&mut words_with_apostrophes(text)), apostrophes, "{text}");
            assert_eq!(joined(&mut letter_runs(text)), letters, "{text}");
            assert_eq!(joined(&mut unicode_words(text)), unicode, "{text}");
        };
        check("Don't pay 4.90!", "Don|t|pay|4|90", "Don't|pay|4|90", "Don|t|pay", "Don't|pay|4.90");
        check("IPX4, 30m²", "IPX4|30m²", "IPX4|30m²", "IPX|m", "IPX4|30m|²");
        check(
            "退货30天内 ok",
            "退货30天内|ok",
            "退货30天内|ok",
            "退货|天内|ok",
            "退|货|30|天|内|ok",
        );
        check("l’été_2", "l|été|2", "l’été|2", "l|été", "l’été_2");
        check("¿…?", "", "", "", "");
        check("", "", "", "", "");
    }

    #[test]
    fn places_and_ends_of_words_are_told() {
        assert_eq!(word_indices("  né, 3x").collect::<Vec<_>>(), [(2, "né"), (7, "3x")]);
        let by_script = word_indices_by_script("寄到UK要30天, ok").collect::<Vec<_>>();
        let expected = [(0, "寄到"), (6, "UK"), (8, "要"), (11, "30"), (13, "天"), (18, "ok")];
        assert_eq!(by_script, expected);
        let elided = word_indices_with_apostrophes("ça l'été’s").collect::<Vec<_>>();
        assert_eq!(elided, [(0, "ça"), (4, "l'été’s")]);
        assert_eq!(unicode_word_indices("a 4.90").collect::<Vec<_>>(), [(0, "a"), (2, "4.90")]);
        assert_eq!(
            ["to Malta", "to ", "to a", "", "…"].map(ending_word),
            ["Malta", "", "a", "", ""]
        );
        assert_eq!(["in2to", "to ", "m2", ""].map(ending_letters), ["to", "", "", ""]);
        assert_eq!(["(really?)", "…", "a-b "].map(bare), ["really", "", "a-b"]);
        assert_eq!(stretches("All sizes, in blue").collect::<Vec<_>>(), ["All sizes", " in blue"]);
        assert!(has_word("is it tbd?", &["tbd"]) && !has_word("tbds", &["tbd"]));
    }
}
