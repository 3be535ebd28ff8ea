//! What can be told about a text: its language, its dates, who it is for.

use whatlang::Lang;

use super::encoding;
use super::table::Hints;
use crate::retrieval::Audience;
use crate::retrieval::columns::{self, Kind};

/// What a document says about itself, in front matter, meta tags, columns, or a file beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) title: Option<String>,
    pub(super) url: Option<String>,
    pub(super) language: Option<String>,
    /// Public if nothing says otherwise.
    pub(super) audience: Option<Audience>,
    pub(super) valid_from_ms: Option<u64>,
    pub(super) valid_until_ms: Option<u64>,
    /// The encoding of its bytes, where it isn't UTF-8.
    pub(super) charset: Option<String>,
    /// How its tables are to be read.
    pub(super) table: Hints,
    /// Values that were left out, in words.
    pub(super) warnings: Vec<String>,
}

impl Meta {
    /// Takes one `key: value`; unknown keys are somebody else's. A link or language that is none is
    /// noted and left out.
    ///
    /// # Errors
    ///
    /// A value that is wrong, in words. An audience that isn't understood must not become public,
    /// nor a date for ever.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        let date = |name: &str, day_ends: bool| {
            moment(value, day_ends).map(Some).ok_or_else(|| {
                format!("{name} is {value:?}; write a date as 2026-12-31 or 2026-12-31T18:00:00Z")
            })
        };
        let key = key.trim().to_lowercase().replace(['-', ' '], "_");
        match key.as_str() {
            "title" => self.title = Some(one_line(value)),
            "url" | "link" | "canonical" => {
                self.url = web_address(value);
                if self.url.is_none() {
                    self.warnings.push(format!(
                        "its link {:?} is no web address and was left out",
                        one_line(value)
                    ));
                }
            }
            "language" | "lang" | "locale" => {
                self.language = language_code(value);
                if self.language.is_none() {
                    let value = one_line(value);
                    self.warnings.push(format!(
                        "its language {value:?} is not known; write a code such as en or de"
                    ));
                }
            }
            "audience" => {
                self.audience = match value.to_lowercase().as_str() {
                    "public" => Some(Audience::Public),
                    "agents" => Some(Audience::Agents),
                    _ => {
                        return Err(format!(
                            "audience is {value:?}, but only \"public\" and \"agents\" are known"
                        ));
                    }
                }
            }
            "charset" | "encoding" => self.charset = Some(value.to_owned()),
            "header_row" | "columns" | "currency" | "tax" => {
                if let Err(reason) = self.table.set(&key, value) {
                    self.warnings.push(reason);
                }
            }
            "valid_from" => self.valid_from_ms = date("valid_from", false)?,
            "valid_until" => self.valid_until_ms = date("valid_until", true)?,
            _ => {}
        }
        if let (Some(from), Some(until)) = (self.valid_from_ms, self.valid_until_ms)
            && from > until
        {
            return Err("valid_until is before valid_from".to_owned());
        }
        Ok(())
    }

    /// What this says, and for the rest what `defaults` say.
    #[must_use]
    pub(super) fn over(mut self, defaults: &Self) -> Self {
        let Self {
            title,
            url,
            language,
            audience,
            valid_from_ms,
            valid_until_ms,
            charset,
            table,
            warnings: _,
        } = defaults.clone();
        self.title = self.title.or(title);
        self.url = self.url.or(url);
        self.language = self.language.or(language);
        self.audience = self.audience.or(audience);
        self.valid_from_ms = self.valid_from_ms.or(valid_from_ms);
        self.valid_until_ms = self.valid_until_ms.or(valid_until_ms);
        self.charset = self.charset.or(charset);
        self.table = self.table.over(table);
        self
    }
}

/// A link that may be shown to visitors; anything that isn't a web address or a path of the site is
/// dropped.
fn web_address(value: &str) -> Option<String> {
    let allowed = ["https://", "http://", "/"].iter().any(|start| value.starts_with(start));
    (allowed && !value.contains(char::is_whitespace) && value.len() <= 2048)
        .then(|| value.to_owned())
}

/// Longest first line taken for a title, in characters.
const MAX_TITLE: usize = 120;

/// For titles and ids: one line of at most 300 bytes.
pub(super) fn one_line(text: &str) -> String {
    let line = unbroken(text);
    line[..line.floor_char_boundary(300)].to_owned()
}

/// A first line that reads like a title: short, no sentence, and not all there is.
pub(super) fn title_line(text: &str) -> Option<&str> {
    let (line, rest) = text.trim_start().split_once('\n')?;
    let line = line.trim();
    let letters = line.chars().any(char::is_alphabetic);
    let title = letters
        && line.chars().count() <= MAX_TITLE
        && !line.ends_with(['.', '!', ':', ';', ',', '。', '：', '，']);
    (title && !rest.trim().is_empty()).then_some(line)
}

/// The text with every gap a single space.
pub(super) fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line of text that must not become Markdown's heading, quote, table, rule or code. Lists may:
/// people type them.
pub(super) fn escaped_line(line: &str) -> String {
    let structure = line.starts_with(['#', '>', '|', '=', '~', '`'])
        || line.starts_with("---")
        || line.starts_with("***");
    if structure { format!("\\{line}") } else { line.to_owned() }
}

/// Rows of cells as a Markdown table whose header is the first row. What has one row or one column
/// is no table but paragraphs.
pub(super) fn markdown_table(rows: &[Vec<String>]) -> String {
    let width = rows
        .iter()
        .map(|row| row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1))
        .max();
    let width = width.unwrap_or(0);
    if width < 2 || rows.len() < 2 {
        let cells = rows.iter().flatten().filter(|cell| !cell.is_empty());
        return cells.map(|cell| escaped_line(cell)).collect::<Vec<_>>().join("\n\n");
    }
    if let Some(pairs) = questions_and_answers(rows) {
        return pairs;
    }
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            table.push('\n');
        }
        for column in 0..width {
            let cell = row.get(column).map_or("", String::as_str);
            table.push_str(if column == 0 { "| " } else { " | " });
            table.push_str(&cell.replace('\\', "\\\\").replace('|', "\\|"));
        }
        table.push_str(" |");
        if number == 0 {
            table.push_str(&format!("\n|{}", " --- |".repeat(width)));
        }
    }
    table
}

/// A table of questions and answers, by what its two columns are called, as such pairs.
fn questions_and_answers(rows: &[Vec<String>]) -> Option<String> {
    let (header, rows) = rows.split_first()?;
    let filled: Vec<&str> =
        header.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    let [first, second] = filled.as_slice() else { return None };
    let kind = |label: &str| columns::meaning(label).map(|meaning| meaning.kind);
    if kind(first) != Some(Kind::Question) || kind(second) != Some(Kind::Answer) {
        return None;
    }
    let pair = |row: &Vec<String>| {
        let cells: Vec<&str> =
            row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        match cells.as_slice() {
            [question, answer] => Some(format!("Q: {question}\n\nA: {answer}")),
            _ => None,
        }
    };
    // A row that is no pair is a part of something else.
    let pairs: Option<Vec<String>> = rows.iter().map(pair).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join("\n\n"))
}

/// "Soup ........ 5.90" as "Soup: 5.90": dots that lead the eye to a price say nothing, and look
/// like the end of a sentence.
pub(super) fn without_leaders(text: &str) -> String {
    const DOTS: [char; 4] = ['.', '…', '·', '‥'];
    if !text.contains("...")
        && !text.contains('…')
        && !text.contains(". . .")
        && !text.contains("···")
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = ["...", "…", ". . .", "···"].iter().filter_map(|run| line.find(run)).min();
        let led = start.and_then(|start| {
            let start = line[..start].trim_end().len();
            let rest =
                line[start..].trim_start_matches(|char: char| DOTS.contains(&char) || char == ' ');
            let run = &line[start..line.len() - rest.len()];
            let dots: usize = run
                .chars()
                .map(|char| match char {
                    '…' => 3,
                    ' ' => 0,
                    _ => 1,
                })
                .sum();
            let value = rest.starts_with(|char: char| char.is_numeric() || "€$£¥".contains(char));
            (dots >= 4 && value && start > 0).then(|| format!("{}: {rest}", &line[..start]))
        });
        out.push_str(led.as_deref().unwrap_or(line));
    }
    out
}

/// A text in UTF-8, or in another encoding that can be told for sure; see [`encoding::decode`].
///
/// # Errors
///
/// What is wrong and where.
pub(super) fn decode(bytes: &[u8]) -> Result<String, String> {
    encoding::decode(bytes, None).map(|read| read.text)
}

/// ISO 639-1 code of a text's language; `None` where a guess would be a coin toss.
pub(super) fn detect_language(text: &str) -> Option<&'static str> {
    // A guess doesn't get better after a few thousand letters.
    let sample = &text[..text.floor_char_boundary(4096)];
    let info = whatlang::detect(sample)?;
    let letters = sample.chars().filter(|char| char.is_alphabetic()).count();
    let sure = info.is_reliable() || info.confidence() > 0.6 && letters > 40;
    sure.then(|| iso_639_1(info.lang())).flatten()
}

/// As [`detect_language`], for names, codes and figures, where letters alone mislead: what their
/// words show to be English is in no other language.
pub(super) fn language_of_rows(text: &str) -> Option<&'static str> {
    let found = detect_language(text)?;
    let sample = &text[..text.floor_char_boundary(4096)];
    let doubted = found != "en" && crate::language::language_of(sample) == Some("en");
    (!doubted).then_some(found)
}

/// `de`, `de-CH`, `deu` or `German` → `de`.
fn language_code(value: &str) -> Option<String> {
    let value = value.to_lowercase();
    let primary = value.split(['-', '_']).next().unwrap_or(&value);
    if primary.len() == 2 && primary.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Some(primary.to_owned());
    }
    let lang = Lang::from_code(primary).or_else(|| {
        Lang::all().iter().copied().find(|lang| lang.eng_name().to_lowercase() == primary)
    })?;
    iso_639_1(lang).map(str::to_owned)
}

/// Whether a text is the code or the name of a language: `de`, `pt-BR`, `deu`, `German`, `Deutsch`.
pub(super) fn is_language(value: &str) -> bool {
    let value = value.trim().to_lowercase();
    let primary = value.split(['-', '_']).next().unwrap_or_default();
    Lang::all().iter().any(|lang| {
        let names = [lang.code(), lang.eng_name(), lang.name()];
        iso_639_1(*lang) == Some(primary) || names.iter().any(|name| name.to_lowercase() == value)
    })
}

fn iso_639_1(lang: Lang) -> Option<&'static str> {
    Some(match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        Lang::Cym => "cy",
        #[expect(
            unreachable_patterns,
            reason = "a language that a later whatlang adds has no code here yet"
        )]
        _ => return None,
    })
}

/// The end of a day (`2026-12-31`, to its last millisecond, UTC) or its beginning, or a moment
/// (`2026-12-31T18:00Z`, `…+02:00`), in milliseconds since the epoch.
pub(super) fn moment(value: &str, day_ends: bool) -> Option<u64> {
    let (date, time) = match value.split_once(['T', ' ', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (value, None),
    };
    let mut fields = date.splitn(3, '-').map(number);
    let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=days).contains(&day) {
        return None;
    }
    // Days since the epoch: Howard Hinnant, "chrono-compatible low-level date algorithms",
    // days_from_civil.
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let ms = match time {
        None => days * 86_400_000 + if day_ends { 86_399_999 } else { 0 },
        Some(time) => days * 86_400_000 + time_ms(time.trim())?,
    };
    u64::try_from(ms).ok()
}

fn time_ms(time: &str) -> Option<i64> {
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let mut fields = clock.splitn(3, ':');
    let (hours, minutes) = (number(fields.next()?)?, number(fields.next()?)?);
    let seconds = match fields.next() {
        Some(seconds) => number(seconds.split('.').next()?)?,
        None => 0,
    };
    let offset = match zone.chars().next() {
        None | Some('Z' | 'z') => 0,
        Some(sign) => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = number(hours)? * 60 + number(minutes)?;
            if sign == '-' { -minutes } else { minutes }
        }
    };
    let in_range = hours < 24 && minutes < 60 && seconds < 61 && offset.abs() <= 18 * 60;
    in_range.then_some(((hours * 60 + minutes - offset) * 60 + seconds) * 1000)
}

fn number(digits: &str) -> Option<i64> {
    (!digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_questions_and_answers_is_pairs() {
        let rows = |cells: &[[&str; 2]]| -> Vec<Vec<String>> {
            cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
        };
        let faq = rows(&[["Frage", "Antwort"], ["Gibt es Sauna?", "Ja, von 16 bis 22 Uhr."]]);
        assert_eq!(markdown_table(&faq), "Q: Gibt es Sauna?\n\nA: Ja, von 16 bis 22 Uhr.");
        let prices = rows(&[["Item", "Price"], ["Towel", "4 €"]]);
        assert!(markdown_table(&prices).starts_with("| Item | Price |"));
    }

    #[test]
    fn leaders_end_no_sentence() {
        let check = |text: &str, expected: &str| assert_eq!(without_leaders(text), expected);
        check(
            "Soup ........ 5,90 €\nPie . . . . . £7\nStew…… 12\n",
            "Soup: 5,90 €\nPie: £7\nStew: 12\n",
        );
        check("Wait... 5 minutes. And so on....\n", "Wait... 5 minutes. And so on....\n");
    }

    #[test]
    fn bytes_become_text_or_a_reason() {
        let check = |bytes: &[u8], expected: Result<&str, &str>| match (decode(bytes), expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{reason}"),
            (actual, expected) => panic!("{actual:?} instead of {expected:?}"),
        };
        check(b"plain", Ok("plain"));
        check("\u{FEFF}marked".as_bytes(), Ok("marked"));
        check(b"\xFF\xFEh\x00i\x00", Ok("hi"));
        check(b"\xFE\xFF\x00h\x00i", Ok("hi"));
        check(b"a\r\nb\rc", Ok("a\nb\nc"));
        check("a\u{200B}b\u{202E}c\u{7}".as_bytes(), Ok("abc"));
        check(b"one\ntwo\xE9", Err("line 2 is not UTF-8 (byte 7"));
        check(b"one\n\x00", Err("NUL byte in line 2"));
        check(b"%PDF-1.7\n", Err("ending .pdf"));
        check(b"\x89PNG\x00", Err("NUL byte in line 1"));
        check(b"\xFF\xFEh", Err("half a character"));
        check(b"\xFF\xFE\x00\xD8", Err("broken UTF-16"));
    }

    #[test]
    fn dates_end_when_they_end() {
        let check = |value: &str, expected: Option<u64>| {
            assert_eq!(moment(value, true), expected, "{value}")
        };
        check("1970-01-01", Some(86_399_999));
        assert_eq!(moment("1970-01-02", false), Some(86_400_000));
        check("2024-02-29", Some(1_709_251_199_999));
        check("2026-12-31T18:00:00Z", Some(1_798_740_000_000));
        check("2026-12-31T18:00+02:00", Some(1_798_732_800_000));
        for wrong in [
            "",
            "soon",
            "2023-02-29",
            "31.12.2026",
            "2026-13-01",
            "2026-12-31T25:00Z",
            "99999-01-01",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn languages_are_told_apart_or_left_open() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(detect_language(text), expected, "{text}")
        };
        check(
            "Where is my order? I bought it two weeks ago and it has not arrived yet.",
            Some("en"),
        );
        check(
            "Wo ist meine Bestellung? Ich habe sie vor zwei Wochen gekauft und sie ist noch nicht da.",
            Some("de"),
        );
        check("我的订单在哪里？请问可以退货吗？", Some("zh"));
        check("", None);
        check("12.50 EUR", None);
        assert_eq!(language_code("de-CH").as_deref(), Some("de"));
        assert_eq!(language_code("German").as_deref(), Some("de"));
        assert_eq!(language_code("zho-nonsense"), None);
    }

    #[test]
    fn a_misspelt_audience_is_no_public_one() {
        let mut meta = Meta::default();
        assert!(meta.set("audience", "agent").is_err());
        assert_eq!(meta.set("Audience", "agents"), Ok(()));
        assert_eq!(meta.audience, Some(Audience::Agents));
        assert_eq!((meta.set("url", "javascript:alert(1)"), meta.url.clone()), (Ok(()), None));
        assert_eq!((meta.set("language", "Klingon"), meta.warnings.len()), (Ok(()), 2));
        assert_eq!(
            (meta.set("valid_from", "2026-02-01"), meta.set("valid_until", "2026-02-01")),
            (Ok(()), Ok(()))
        );
        assert!(
            meta.set("valid_until", "2026-01-31")
                .is_err_and(|reason| reason.contains("before valid_from"))
        );
        assert!(meta.set("valid_from", "soon").is_err());
    }

    #[test]
    fn a_documents_own_word_counts_more() {
        let meta = |audience, language: &str| Meta {
            audience,
            language: Some(language.into()),
            ..Meta::default()
        };
        let defaults = Meta { valid_until_ms: Some(5), ..meta(Some(Audience::Agents), "de") };
        let merged = meta(None, "en").over(&defaults);
        assert_eq!(
            (merged.audience, merged.language.as_deref()),
            (Some(Audience::Agents), Some("en"))
        );
        assert_eq!(merged.valid_until_ms, Some(5));
        assert_eq!(
            meta(Some(Audience::Public), "en").over(&defaults).audience,
            Some(Audience::Public)
        );
    }
}
