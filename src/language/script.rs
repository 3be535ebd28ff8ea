//! Scripts: which one a text is written in, and the language that it stands for. The one table of
//! Unicode ranges: other modules ask the functions here.

/// What a text is written in, where it tells the language or its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Latin,
    /// Chinese characters; with kana among them, Japanese.
    Han,
    Hangul,
    Cyrillic,
    Arabic,
    Greek,
    Hebrew,
    Thai,
    Devanagari,
    Georgian,
    Armenian,
    Other,
}

impl Script {
    fn of(c: char) -> Option<Self> {
        Some(match c {
            c if is_latin(c) => Self::Latin,
            '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}' => Self::Greek,
            '\u{0400}'..='\u{052F}' => Self::Cyrillic,
            '\u{0530}'..='\u{058F}' => Self::Armenian,
            '\u{0590}'..='\u{05FF}' => Self::Hebrew,
            '\u{0600}'..='\u{06FF}'
            | '\u{0750}'..='\u{077F}'
            | '\u{FB50}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}' => Self::Arabic,
            '\u{0900}'..='\u{097F}' => Self::Devanagari,
            '\u{0E00}'..='\u{0E7F}' => Self::Thai,
            '\u{10A0}'..='\u{10FF}' => Self::Georgian,
            '\u{1100}'..='\u{11FF}' => Self::Hangul,
            c if is_hangul(c) => Self::Hangul,
            c if is_han(c) || is_kana(c) => Self::Han,
            c if c.is_alphabetic() => Self::Other,
            _ => return None,
        })
    }

    /// ISO 639-1 code of the most written language of a script; `und` where there is none.
    #[must_use]
    pub fn language(self) -> &'static str {
        match self {
            Self::Latin | Self::Other => "und",
            Self::Han => "zh",
            Self::Hangul => "ko",
            Self::Cyrillic => "ru",
            Self::Arabic => "ar",
            Self::Greek => "el",
            Self::Hebrew => "he",
            Self::Thai => "th",
            Self::Devanagari => "hi",
            Self::Georgian => "ka",
            Self::Armenian => "hy",
        }
    }
}

/// Latin letters, with the accented ones of Europe and Vietnam.
#[must_use]
pub fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}')
}

/// Chinese characters, as Japanese and Korean write them, too, with 々, 〆 and 〇.
#[must_use]
pub fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}'
    )
}

/// Hiragana and katakana, half-width ones too, with their voicing marks; without the middle dot,
/// which parts words.
#[must_use]
pub fn is_kana(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{309F}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}'
        | '\u{31F0}'..='\u{31FF}'
        | '\u{FF66}'..='\u{FF9F}'
    )
}

/// Hangul syllables.
#[must_use]
pub fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}')
}

/// Characters of Chinese, Japanese and Korean words.
#[must_use]
pub fn is_east_asian(c: char) -> bool {
    is_han(c) || is_kana(c) || is_hangul(c)
}

/// Characters of scripts that put no spaces between words: Han, kana, Thai, Lao, Myanmar, Khmer.
/// Their digits and currency signs are none.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    is_han(c)
        || is_kana(c)
        || matches!(c,
            '\u{0E01}'..='\u{0E3A}' | '\u{0E40}'..='\u{0E4E}'     // Thai
            | '\u{0E81}'..='\u{0EBD}' | '\u{0EC0}'..='\u{0ECE}'   // Lao
            | '\u{1000}'..='\u{103F}' | '\u{1050}'..='\u{109D}'   // Myanmar
            | '\u{1780}'..='\u{17D3}'                             // Khmer
        )
}

/// Punctuation of Chinese and Japanese, and forms as wide as their characters.
#[must_use]
pub fn is_full_width(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303F}' | '\u{30A0}' | '\u{30FB}' | '\u{FF00}'..='\u{FFEF}')
}

/// A full-width digit, letter, full stop or percent sign as ASCII has it; others as they are.
#[must_use]
pub fn narrow(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '．' | '％' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        }
        c => c,
    }
}

/// Accents that Unicode's decomposition parts from letters of Latin, Greek and Cyrillic.
#[must_use]
pub fn is_accent(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}')
}

/// Emoji and other pictures.
#[must_use]
pub fn is_picture(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27BF}' | '\u{2B50}' | '\u{1F300}'..='\u{1FAFF}')
}

/// Hyphens and dashes, and the minus sign, without ASCII's.
#[must_use]
pub fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Code points that each font gives its own meaning.
#[must_use]
pub fn is_private_use(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// Characters that turn the direction of the text behind them.
#[must_use]
pub fn is_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters that nobody sees and that spell nothing: soft hyphens, zero widths, directions, tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    is_direction(c)
        || matches!(c,
            '\u{00AD}' | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'
            | '\u{E0000}'..='\u{E007F}'
        )
}

/// Characters that nobody sees and that some scripts need: joiners, marks of direction.
#[must_use]
pub fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}'..='\u{200F}')
}

/// The script of most of a text. A character of a script without spaces says as much as three
/// letters, so that a product's name in Latin letters doesn't make a Chinese question an English
/// one. `None` for a text without letters.
#[must_use]
pub fn of(text: &str) -> Option<Script> {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    for script in text.chars().filter_map(Script::of) {
        let weight =
            if matches!(script, Script::Han | Script::Thai | Script::Hangul) { 3 } else { 1 };
        match counts.iter_mut().find(|(known, _)| *known == script) {
            Some((_, count)) => *count += weight,
            None => counts.push((script, weight)),
        }
    }
    // The first of equals, so that the same text always gives the same.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(script, _)| script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_without_spaces() {
        let unspaced = |text: &str| text.chars().all(is_unspaced);
        for text in ["退货政策", "人々", "コーヒー", "ｺｰﾋｰ", "ส่งคืน", "ສົ່ງຄືນ", "ပြန်ပို့", "ត្រឡប់"]
        {
            assert!(unspaced(text), "{text}");
        }
        for text in ["return", "환불", "возврат", "・", "฿", "๕", "。"] {
            assert!(!text.contains(is_unspaced), "{text}");
        }
    }

    #[test]
    fn scripts_are_told_apart() {
        #[track_caller]
        fn check(text: &str, expected: Option<Script>) {
            assert_eq!(of(text), expected, "{text}");
        }
        check("Größe", Some(Script::Latin));
        check("佐々木", Some(Script::Han));
        check("メニュー", Some(Script::Han));
        check("환불은", Some(Script::Hangul));
        check("возврат", Some(Script::Cyrillic));
        check("12,50 €", None);
    }

    #[test]
    fn full_width_forms_become_ascii() {
        let narrowed: String = "５０％　Ｔａｒｎ，３．５".chars().map(narrow).collect();
        assert_eq!(narrowed, "50%　Tarn，3.5");
    }
}
