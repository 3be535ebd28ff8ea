//! Bytes → text in the encodings that shops' programs write: UTF-8, UTF-16, and what came before
//! them.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;

use crate::language::script::{is_east_asian, is_full_width, is_invisible, is_private_use};

/// A text with the encoding that it was read in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// By the name of the Encoding Standard: `UTF-8`, `windows-1252`.
    pub(super) encoding: &'static str,
}

/// Characters beyond ASCII that an encoding is told by, at least; fewer fit many.
const MIN_EVIDENCE: usize = 2;
/// The same for a text without a letter of ASCII.
const MIN_ALONE: usize = 8;
/// Bytes that are looked at; a file isn't clearer after a megabyte.
const LOOKED_AT: usize = 1 << 20;

/// Reads a text: by its byte order mark, as UTF-8, as `declared` says, or as it looks. Line ends
/// become `\n`, and characters nobody can see go.
///
/// # Errors
///
/// What is wrong and where. A text whose encoding can't be told for sure isn't guessed at.
pub(super) fn decode(bytes: &[u8], declared: Option<&str>) -> Result<Decoded, String> {
    if bytes.starts_with(b"%PDF-") {
        return Err("it is a PDF by its first bytes; give its name the ending .pdf".to_owned());
    }
    let (text, encoding) = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => (utf8(rest)?, "UTF-8"),
        [0xFF, 0xFE, rest @ ..] => (utf16(rest, u16::from_le_bytes)?, "UTF-16LE"),
        [0xFE, 0xFF, rest @ ..] => (utf16(rest, u16::from_be_bytes)?, "UTF-16BE"),
        _ => match utf8(bytes) {
            Ok(text) => (text, "UTF-8"),
            Err(reason) => legacy(bytes, declared, reason)?,
        },
    };
    text.find('\0').map_or(Ok(()), |at| Err(binary(text.as_bytes(), at)))?;
    Ok(Decoded { text: visible(text), encoding })
}

/// A text that isn't UTF-8; `reason` says why.
fn legacy(
    bytes: &[u8],
    declared: Option<&str>,
    reason: String,
) -> Result<(String, &'static str), String> {
    if bytes.contains(&0) {
        return Err(reason);
    }
    if let Some(label) = declared {
        let encoding = Encoding::for_label(label.trim().as_bytes()).ok_or_else(|| {
            format!("its charset {label:?} is not known; write one as windows-1252 or shift_jis")
        })?;
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
        return match text {
            Some(text) if encoding == encoding_rs::SHIFT_JIS => {
                Ok((with_yen(&text), encoding.name()))
            }
            Some(text) if encoding != encoding_rs::UTF_8 => {
                Ok((text.into_owned(), encoding.name()))
            }
            Some(_) => Err(reason),
            None => Err(format!("it is said to be {}, but its bytes are not", encoding.name())),
        };
    }
    if is_shaped_as_utf8(bytes) {
        return Err(reason);
    }
    let sample = &bytes[..bytes.len().min(LOOKED_AT)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    match text {
        Some(text) if is_plausible(&text) => {
            let text = if encoding == encoding_rs::SHIFT_JIS {
                with_yen(&text)
            } else {
                text.into_owned()
            };
            Ok((text, encoding.name()))
        }
        _ => Err(format!(
            "{reason} (\"CSV UTF-8\" in Excel's Save as), or name its encoding in a file beside it, as charset: windows-1252"
        )),
    }
}

/// Whether every byte beyond ASCII is part of what looks like a character of UTF-8: then it is
/// UTF-8 with a fault (an overlong form, half of a pair), and another encoding would only make
/// letters of it.
fn is_shaped_as_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let following = match first {
            0x00..=0x7F => 0,
            0xC0..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF7 => 3,
            _ => return false,
        };
        let Some(continuation) = tail.get(..following) else { return false };
        if !continuation.iter().all(|byte| matches!(byte, 0x80..=0xBF)) {
            return false;
        }
        rest = &tail[following..];
    }
    true
}

/// Whether a text that was read in a guessed encoding can be one: enough letters, in words, and
/// nothing that no text holds.
fn is_plausible(text: &str) -> bool {
    let (mut letters, mut odd) = (0_usize, 0_usize);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_ascii_control() && !matches!(char, '\t' | '\n' | '\r') {
            return false;
        }
        if !char.is_ascii() {
            let wide = is_east_asian(char) || is_full_width(char);
            // A sign that no language has within words.
            let strange =
                char.is_control() || "¤¦¨¬¯´¸ˆ˜‡†Þþðƒ¶ÿ".contains(char) || is_private_use(char);
            let within = before.is_some_and(char::is_alphabetic);
            if strange && within || char.is_control() {
                odd += 1;
            } else if char.is_alphabetic() || "€£°²³½–—„“”’«»…·•×".contains(char) || wide
            {
                // Between two letters it is one of a word.
                let inside = within && chars.peek().is_some_and(|next| next.is_alphabetic());
                letters += if inside && char.is_alphabetic() { MIN_EVIDENCE } else { 1 };
            }
        }
        before = Some(char);
    }
    // Where no letter is ASCII, as in Cyrillic, a few bytes fit every alphabet.
    let needed = if text.contains(|char: char| char.is_ascii_alphabetic()) {
        MIN_EVIDENCE
    } else {
        MIN_ALONE
    };
    letters >= needed && odd * 20 <= letters
}

/// Shift JIS keeps the yen sign where ASCII has the backslash; before a figure it is one.
fn with_yen(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let yen = char == '\\' && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if yen { '¥' } else { char });
    }
    out
}

fn binary(bytes: &[u8], at: usize) -> String {
    format!("it contains a NUL byte in line {}, so it isn't a text file", line_of(bytes, at))
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    // Told first: a picture or an archive isn't mended by another encoding.
    bytes.iter().position(|byte| *byte == 0).map_or(Ok(()), |at| Err(binary(bytes, at)))?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let at = error.valid_up_to();
            Err(format!(
                "line {} is not UTF-8 (byte {at} of the file); save it as UTF-8",
                line_of(bytes, at)
            ))
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("it is UTF-16 with half a character at its end; save it as UTF-8".to_owned());
    }
    char::decode_utf16(units.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| "it is broken UTF-16; save it as UTF-8".to_owned())
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Drops control characters and the ones that hide or turn text (directions, tags, zero widths that
/// spell nothing).
fn visible(text: String) -> String {
    let invisible =
        |char: char| char.is_control() && !matches!(char, '\n' | '\t') || is_invisible(char);
    if !text.contains(invisible) {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{85}' => clean.push('\n'),
            char if invisible(char) => {}
            char => clean.push(char),
        }
    }
    clean
}

/// The encoding that a page or an XML file names in its first bytes.
pub(super) fn declared(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_lowercase();
    let at =
        ["charset=", "encoding="].iter().find_map(|key| head.find(key).map(|at| at + key.len()))?;
    let name = head[at..].trim_start_matches(['"', '\'', ' ']);
    let end = name
        .find(|char: char| !(char.is_ascii_alphanumeric() || "-_:".contains(char)))
        .unwrap_or(name.len());
    Some(name[..end].to_owned()).filter(|name| Encoding::for_label(name.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_of_many_countries_write_is_read() {
        #[track_caller]
        fn check(label: &str, text: &str) {
            let encoding = Encoding::for_label(label.as_bytes()).expect(label);
            let (bytes, ..) = encoding.encode(text);
            let read = decode(&bytes, None).unwrap_or_else(|reason| panic!("{label}: {reason}"));
            assert_eq!((read.text.as_str(), read.encoding), (text, encoding.name()));
            assert_eq!(decode(&bytes, Some(label)).map(|read| read.text).as_deref(), Ok(text));
        }
        check("windows-1252", "Artikel;Preis\nGrüne Bohnen;3,10 €\nMöhren;2,40 €\n");
        check("windows-1252", "Désignation;Prix\nCrème brûlée;6,50 €\nPâté de campagne;4,20 €\n");
        check("windows-1251", "Название;Цена\nЧай зелёный;350\nКофе молотый;420\n");
        check(
            "windows-1250",
            "Nazwa;Cena\nŻurek z białą kiełbasą;18,50 zł\nŁosoś pieczony;42 zł\n",
        );
        check("gbk", "商品,价格\n蓝色雨伞,￥45.00\n登山背包,￥88.00\n");
        check("big5", "商品名稱,價格\n藍色雨傘,450\n登山背包,880\n");
        check("shift_jis", "商品名,価格\n赤い傘,4500\n青い帽子,3200\n");
        check("euc-kr", "상품명,가격\n빨간 우산,15000\n등산 배낭,88000\n");
    }

    #[test]
    fn what_is_not_sure_is_not_guessed() {
        for bytes in [b"caf\xE9".as_slice(), b"a,b\n1,\xFF\n", b"\x93\xFF\xFE\x01\x80"] {
            let reason = decode(bytes, None).expect_err("unsure");
            assert!(reason.contains("is not UTF-8"), "{reason}");
        }
        assert_eq!(
            decode(b"caf\xE9", Some("windows-1252")).map(|read| read.text).as_deref(),
            Ok("café")
        );
        assert!(decode(b"caf\xE9", Some("klingon")).is_err());
        assert!(
            decode(b"\x81\xE9", Some("shift_jis")).is_err()
                || decode(b"\x81\xE9", Some("utf-8")).is_err()
        );
        // One letter within a word is enough where the encodings agree on it.
        let swedish =
            decode(b"Artikelnamn;Ink\xF6pspris\nKaffekopp;60 kr\n", None).expect("a guess");
        assert_eq!(swedish.text, "Artikelnamn;Inköpspris\nKaffekopp;60 kr\n");
        let yen = decode(b"\x8f\xa4\x95i,\x89\xbf\x8ai\n\x90\xd4\x82\xa2\x8eP,\\4500\n", None)
            .expect("Shift JIS");
        assert_eq!(yen.text, "商品,価格\n赤い傘,¥4500\n");
        assert_eq!(declared(b"<html><meta charset=\"Shift_JIS\">").as_deref(), Some("shift_jis"));
        assert_eq!(
            declared(b"<?xml version=\"1.0\" encoding='windows-1251'?>").as_deref(),
            Some("windows-1251")
        );
    }
}
