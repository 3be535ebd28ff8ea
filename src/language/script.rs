//! Scripts: which one a text is written in, and the language that it stands for.

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
            'a'..='z' | 'A'..='Z' | '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}' => {
                Self::Latin
            }
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
            '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7A3}' => Self::Hangul,
            '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{323AF}' => Self::Han,
            c if is_kana(c) => Self::Han,
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

/// Hiragana and katakana, half-width ones too.
#[must_use]
pub fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}')
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
