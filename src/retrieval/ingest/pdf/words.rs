//! Whether what a page holds is words. Fonts without a map from glyphs to characters give signs
//! that look like none.

use crate::language::script::is_private_use;

/// What a page's characters come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Words,
    NoWords,
    Empty,
}

/// Fewer letters say too little.
const MIN_LETTERS: usize = 80;
/// Different letters that a text has at least.
const MIN_ALPHABET: usize = 14;
/// Vowels among the letters of a language in the Latin alphabet: between a third and a half.
/// Shifted alphabets have fewer.
const VOWELS_PERCENT: (usize, usize) = (20, 70);

/// Judges a page by its characters. What a font doesn't map comes as an empty text.
pub(super) fn judge<'a>(glyphs: impl Iterator<Item = &'a str>) -> Page {
    let (mut unmapped, mut letters, mut signs) = (0_usize, 0_usize, 0_usize);
    let (mut latin, mut vowels, mut total) = (0_usize, 0_usize, 0_usize);
    let mut alphabet = [false; 26];
    for glyph in glyphs {
        total += 1;
        if glyph.is_empty() {
            unmapped += 1;
        }
        for char in glyph.chars() {
            match char {
                char if is_private_use(char) => unmapped += 1,
                char if char.is_alphabetic() => {
                    letters += 1;
                    if char.is_ascii() {
                        latin += 1;
                        alphabet[usize::from(char.to_ascii_lowercase() as u8 - b'a')] = true;
                        vowels += usize::from("aeiouyAEIOUY".contains(char));
                    }
                }
                char if char.is_whitespace()
                    || char.is_numeric()
                    || matches!(char, '.' | ',' | '-' | '–' | ':' | '/' | '€' | '$' | '%') => {}
                _ => signs += 1,
            }
        }
    }
    if total == 0 {
        return Page::Empty;
    }
    let much = letters + signs + unmapped >= MIN_LETTERS;
    // A list of one kind of thing repeats a few letters; a text has most of the alphabet.
    let varied = alphabet.iter().filter(|seen| **seen).count() >= MIN_ALPHABET;
    let shifted = varied && latin >= MIN_LETTERS && latin * 10 >= letters * 9 && {
        let percent = vowels * 100 / latin;
        percent < VOWELS_PERCENT.0 || percent > VOWELS_PERCENT.1
    };
    let unreadable = much && (unmapped > letters || signs > letters * 2) || shifted;
    if unreadable { Page::NoWords } else { Page::Words }
}

#[cfg(test)]
mod tests {
    use super::{Page, judge};

    #[test]
    fn words_are_told_from_signs() {
        let check = |text: &str, expected: Page| {
            let glyphs: Vec<String> = text.chars().map(|char| char.to_string()).collect();
            assert_eq!(judge(glyphs.iter().map(String::as_str)), expected, "{text}");
        };
        let plain = "Every parcel leaves our house on the day on which it was ordered, and is insured up to its full value.";
        check(plain, Page::Words);
        let shifted: String = plain
            .repeat(2)
            .chars()
            .map(|char| if char.is_ascii_alphabetic() { char::from(char as u8 - 29) } else { char })
            .collect();
        check(&shifted, Page::NoWords);
        check(
            &plain
                .chars()
                .map(|char| if char == ' ' { ' ' } else { '\u{F0B7}' })
                .collect::<String>(),
            Page::NoWords,
        );
        check("我们每天上午九点到下午六点营业", Page::Words);
        check(&"Lamp 12 cm 4.50 ".repeat(30), Page::Words);
        check("12,50 € 3 %", Page::Words);
        check("", Page::Empty);
    }
}
