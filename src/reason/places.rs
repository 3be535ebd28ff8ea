//! Places: cities to countries, and countries to the zones that a shop's own texts tell. Pure.

use std::ops::Range;

use atlas::{ATLAS, folded, parent};

use crate::language::script::is_han;
use crate::language::words::{ending_word, word_indices_by_script};

mod atlas;

/// A place that a visitor names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As the visitor wrote it.
    pub name: String,
    /// Codes of the countries (or parts of one, `GB-NIR`) in which a place of this name lies.
    pub codes: Vec<&'static str>,
    /// A city, not a country.
    pub city: bool,
    /// Bytes of the text.
    pub at: Range<usize>,
}

/// How a text applies to a place, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is about other places.
    Elsewhere,
    /// It names no place, or it can't be told whether it means this one.
    Unsaid,
    /// It is about every country, or about all that have no line of their own.
    Everywhere,
    /// It is about a zone with so many fewer countries than the world has.
    Zone(usize),
    /// It names the country of which the place is a part that is told by itself elsewhere.
    Whole,
    /// It names the place or its country.
    Named,
}

/// What a text says about places.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mention {
    area: Area,
    /// "Outside Europe": everywhere but there.
    outside: bool,
    at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Area {
    Country(&'static str),
    Zone(usize),
    City(Vec<&'static str>),
}

/// Names that are words as well: they count where they are capitalised behind a preposition of
/// place.
const WORDS: &[&str] = &[
    "angers",
    "bath",
    "bray",
    "bulle",
    "bury",
    "caen",
    "chad",
    "china",
    "como",
    "cork",
    "douglas",
    "elda",
    "ennis",
    "essen",
    "faro",
    "fili",
    "georgia",
    "guinea",
    "halle",
    "hamm",
    "hove",
    "jordan",
    "lens",
    "leon",
    "lima",
    "lucan",
    "lugo",
    "mali",
    "marl",
    "mesa",
    "mobile",
    "mons",
    "moss",
    "nice",
    "orange",
    "oral",
    "oran",
    "orel",
    "perm",
    "reading",
    "reus",
    "rubi",
    "ruse",
    "safi",
    "siegen",
    "singen",
    "split",
    "swords",
    "tours",
    "troyes",
    "turkey",
    "welt",
    "world",
    "wells",
    "worms",
    "monde",
    "mundo",
    "ausland",
    "international",
    "jersey",
    "cuba",
    "oman",
    "togo",
    "niger",
    "deal",
    "crystal",
    "ancona",
    "aurora",
    "buffalo",
    "phoenix",
    "columbus",
    "lincoln",
    "madison",
    "henderson",
    "garland",
    "plano",
    "chandler",
    "gilbert",
    "victoria",
    "santiago",
    "sandyford",
    "granada",
    "santa cruz",
    "la laguna",
    "prato",
    "trento",
    "vienne",
    "alba",
    "bergen",
    "gera",
    "ahlen",
    "aalen",
    "bremen",
    "celle",
    "herne",
    "hagen",
    "fulda",
    "velbert",
    "rom",
    "graz",
    "steyr",
    "wels",
];

/// Prepositions of place, also where the article follows.
const BEFORE: &[&str] = &[
    "to",
    "in",
    "from",
    "near",
    "into",
    "around",
    "at",
    "nach",
    "aus",
    "bei",
    "in der",
    "in die",
    "von",
    "für",
    "à",
    "en",
    "au",
    "aux",
    "vers",
    "pour",
    "depuis",
    "de",
    "a",
    "desde",
    "hasta",
    "para",
    "hacia",
    "the",
    "to the",
    "in the",
    "of",
    "for",
    "via",
    "i'm in",
    "i’m in",
    "within",
    "outside",
    "innerhalb",
    "la",
    "le",
    "los",
    "las",
    "el",
    "die",
    "der",
    "den",
    "del",
    "du",
    "des",
    "l",
    "d",
];

/// The places that a visitor's message names, in reading order. Cities count behind a preposition
/// of place or where their name can hardly be anything else.
#[must_use]
pub fn places(text: &str) -> Vec<Place> {
    let found = mentions(text, true).into_iter().filter_map(|mention| {
        let name = text.get(mention.at.clone())?.to_owned();
        match mention.area {
            Area::Country(code) => {
                Some(Place { name, codes: vec![code], city: false, at: mention.at })
            }
            Area::City(codes) => Some(Place { name, codes, city: true, at: mention.at }),
            Area::Zone(_) => None,
        }
    });
    found.collect()
}

/// How a text of the knowledge (a sentence, or a row of a table) applies to a place.
#[must_use]
pub fn fit(place: &Place, text: &str) -> Fit {
    let atlas = &*ATLAS;
    let found = mentions(text, false);
    if found.iter().all(|mention| matches!(mention.area, Area::City(_))) {
        let same = found.iter().any(|mention| matches!(&mention.area, Area::City(codes) if place.city && *codes == place.codes && folded(text.get(mention.at.clone()).unwrap_or_default()) == folded(&place.name)));
        return if same { Fit::Named } else { Fit::Unsaid };
    }
    let one = |code: &str| {
        let fits = found.iter().map(|mention| match &mention.area {
            Area::City(_) => Fit::Elsewhere,
            Area::Country(own) => {
                match (code == *own, parent(code) == Some(own), mention.outside) {
                    (false, false, true) => Fit::Zone(1),
                    (true, _, false) => Fit::Named,
                    (false, true, false) => Fit::Whole,
                    _ => Fit::Elsewhere,
                }
            }
            Area::Zone(zone) => match atlas.holds(*zone, code) {
                None => Fit::Unsaid,
                Some(held) if held == mention.outside => Fit::Elsewhere,
                Some(_) if mention.outside => Fit::Zone(1),
                Some(_) => match atlas.size(*zone) {
                    Some(size) => Fit::Zone(atlas.countries.len().saturating_sub(size)),
                    None => Fit::Everywhere,
                },
            },
        });
        fits.max().unwrap_or(Fit::Unsaid)
    };
    let fits: Vec<Fit> = place.codes.iter().map(|code| one(code)).collect();
    match fits.split_first() {
        Some((first, rest)) if rest.iter().all(|fit| fit == first) => *first,
        _ => Fit::Unsaid,
    }
}

/// Whether a place lies in every area that a text names ("only within the Republic of Ireland",
/// "outside Europe" the other way round); `None` where the text names none or it can't be told.
#[must_use]
pub fn lies_within(place: &Place, text: &str) -> Option<bool> {
    let areas =
        mentions(text, false).into_iter().any(|mention| !matches!(mention.area, Area::City(_)));
    match fit(place, text) {
        Fit::Unsaid => None,
        Fit::Elsewhere => areas.then_some(false),
        Fit::Everywhere | Fit::Zone(_) | Fit::Whole | Fit::Named => Some(true),
    }
}

/// Of several texts, those that apply to the place that the question names: the ones that name its
/// country, else the narrowest zone, else what applies to all other countries. `None` where the
/// question names no place or several, or no text tells of places; empty where none of them applies
/// to it.
#[must_use]
pub fn applying<T: AsRef<str>>(question: &str, texts: &[T]) -> Option<Vec<usize>> {
    let place = destination(question)?;
    let fits: Vec<Fit> = texts.iter().map(|text| fit(&place, text.as_ref())).collect();
    if fits.iter().all(|fit| *fit == Fit::Unsaid) {
        return None;
    }
    let best = fits.iter().copied().filter(|fit| *fit > Fit::Unsaid).max();
    Some(best.map_or_else(Vec::new, |best| {
        (0..).zip(fits).filter(|(_, fit)| *fit == best).map(|(at, _)| at).collect()
    }))
}

/// The one place that a question asks for: a city and its country are one. `None` where it names
/// none or several.
#[must_use]
pub fn destination(question: &str) -> Option<Place> {
    let all = places(question);
    let (first, rest) = all.split_first()?;
    let same = |other: &&Place| {
        other.codes.iter().any(|code| {
            first.codes.contains(code)
                || parent(code).is_some_and(|code| first.codes.contains(&code))
                || first.codes.iter().any(|own| parent(own) == Some(code))
        })
    };
    if !rest.iter().all(|place| same(&place)) {
        return None;
    }
    // The country decides between cities of one name.
    Some(all.iter().find(|place| !place.city).unwrap_or(first).clone())
}

/// A text with the names of its places in English, and those names in lower case.
#[must_use]
pub fn in_english(text: &str) -> (String, Vec<String>) {
    let mut out = String::with_capacity(text.len());
    let mut names = Vec::new();
    let mut at = 0;
    let mut mentions = mentions(text, true);
    mentions.sort_by_key(|mention| mention.at.start);
    for mention in mentions.iter().filter(|mention| !matches!(mention.area, Area::Zone(_))) {
        let shown = text.get(mention.at.clone()).unwrap_or_default();
        let english = ATLAS.english.get(&folded(shown)).copied().unwrap_or(shown);
        out.push_str(text.get(at..mention.at.start).unwrap_or_default());
        // Chinese puts no space around it.
        out.push_str(if shown == english { "" } else { " " });
        out.push_str(english);
        out.push_str(if shown == english { "" } else { " " });
        names.extend(english.split_whitespace().map(str::to_lowercase));
        at = mention.at.end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, names)
}

/// Every area that a text names, the longest names first where one holds another.
fn mentions(text: &str, by_visitor: bool) -> Vec<Mention> {
    let atlas = &*ATLAS;
    let mut found: Vec<Mention> = Vec::new();
    let words = words(text);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if text.get(word.clone()).is_some_and(|word| word.starts_with(is_han)) {
            in_chinese(text, word, by_visitor, &mut found);
            at += 1;
            continue;
        }
        let mut taken = 0;
        for count in (1..=MAX_WORDS.min(words.len() - at)).rev() {
            let Some(last) = words.get(at + count - 1) else { continue };
            let range = word.start..last.end;
            let Some(shown) = text.get(range.clone()) else { continue };
            // "U.K.", "EE.UU.": a full stop inside is part of the name, a comma isn't.
            if shown.contains([',', ';', ':', '(', ')', '?', '!', '/', '\n', '|']) {
                continue;
            }
            let Some(area) = atlas.names.get(&folded(shown)) else { continue };
            if counts(text, &range, area, by_visitor) {
                let outside = is_outside(text.get(..range.start).unwrap_or_default());
                found.push(Mention { area: area.clone(), outside, at: range });
                taken = count;
                break;
            }
        }
        at += taken.max(1);
    }
    // "Every other country of the European Union", "欧盟其他国家": other countries, but not all of them.
    let of_a_zone = |at: usize| {
        let Some(own) = found.get(at).filter(|mention| is_the_world(mention)) else { return false };
        let next = found.get(at + 1).is_some_and(|next| are_joined(text, &own.at, &next.at));
        let before = at.checked_sub(1).and_then(|before| found.get(before));
        next || before.is_some_and(|before| {
            are_joined(text, &before.at, &own.at) && before.at.end == own.at.start
        })
    };
    let kept: Vec<bool> = (0..found.len()).map(|at| !of_a_zone(at)).collect();
    found.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(mention, _)| mention).collect()
}

fn is_the_world(mention: &Mention) -> bool {
    matches!(mention.area, Area::Zone(zone) if ATLAS.size(zone).is_none())
}

/// Whether nothing but "of the" stands between two areas.
fn are_joined(text: &str, first: &Range<usize>, second: &Range<usize>) -> bool {
    let between = text.get(first.end..second.start).unwrap_or("?").to_lowercase();
    let mut words = between.split(char::is_whitespace).filter(|word| !word.is_empty());
    words.all(|word| {
        matches!(
            word,
            "of" | "the" | "in" | "der" | "des" | "von" | "de" | "la" | "l'" | "del" | "within"
        )
    })
}

/// Most words of a name.
const MAX_WORDS: usize = 6;

/// Names in a run of Chinese characters: the longest at each place.
fn in_chinese(text: &str, run: &Range<usize>, by_visitor: bool, found: &mut Vec<Mention>) {
    const TO: &[char] =
        &['到', '寄', '往', '送', '在', '从', '去', '向', '发', '至', '是', '和', '、', '或'];
    let atlas = &*ATLAS;
    let mut at = run.start;
    while at < run.end {
        let rest = text.get(at..run.end).unwrap_or_default();
        let ends: Vec<usize> =
            rest.char_indices().map(|(at, c)| at + c.len_utf8()).take(atlas.longest).collect();
        let before = text.get(..at).unwrap_or_default().chars().next_back();
        let hit = ends.iter().rev().filter(|end| **end >= 6).find_map(|end| {
            let area = atlas.names.get(rest.get(..*end)?)?;
            let city = matches!(area, Area::City(_));
            // Two characters are easily part of other words.
            let clear = !city
                || *end > 6
                || before.is_none_or(|c| TO.contains(&c) || !is_han(c))
                || !by_visitor;
            clear.then(|| (*end, area.clone()))
        });
        match hit {
            Some((length, area)) => {
                let after = text.get(at + length..).unwrap_or_default();
                let outside = after.starts_with("以外")
                    || after.starts_with("之外")
                    || after.starts_with("境外");
                found.push(Mention { area, outside, at: at..at + length });
                at += length;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
}

/// Whether a name in a text stands for the place.
fn counts(text: &str, range: &Range<usize>, area: &Area, by_visitor: bool) -> bool {
    let shown = text.get(range.clone()).unwrap_or_default();
    let lower = shown.to_lowercase();
    let capital = shown.chars().next().is_some_and(char::is_uppercase);
    let is_word = WORDS.contains(&lower.as_str());
    let before = text
        .get(..range.start)
        .unwrap_or_default()
        .trim_end()
        .trim_end_matches(['\'', '’'])
        .to_lowercase();
    let placed = BEFORE.iter().any(|word| {
        before
            .strip_suffix(word)
            .is_some_and(|rest| rest.chars().next_back().is_none_or(|c| !c.is_alphanumeric()))
    });
    match area {
        // "us", "it" and the like are words first.
        Area::Country(_) if shown.chars().filter(|c| c.is_alphabetic()).count() <= 3 => {
            lower == "uk" || lower == "usa" || shown.chars().all(|c| c.is_uppercase() || c == '.')
        }
        Area::Country(_) => capital && !is_word || placed || capital && !by_visitor,
        Area::Zone(_) if shown.chars().count() <= 3 => {
            shown.chars().all(|c| c.is_uppercase() || c == '.') || lower == "eu"
        }
        Area::Zone(_) => !is_word || !by_visitor,
        // In the knowledge only names that can hardly be anything else; which of them matters is
        // told by the question.
        Area::City(_) if !by_visitor => capital,
        Area::City(_) if is_word => {
            placed && (capital || matches!(ending_word(&before), "to" | "nach" | "from"))
        }
        Area::City(_) => {
            let opens = before.is_empty() || before.ends_with(['.', '!', '?']);
            let next = text.get(range.end..).unwrap_or_default().trim_start_matches(' ');
            // A longer name or a product's: "York Minster", "Lima 40".
            let goes_on = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
            let letters = shown.chars().count();
            let long = letters >= 5;
            // Few write capitals in a chat, and "nach wien" can hardly be anything else.
            let toward =
                letters >= 4 && matches!(ending_word(&before), "to" | "nach" | "from" | "à");
            placed && (capital || long || toward) || capital && !opens && !goes_on && long
        }
    }
}

/// "Outside", "außerhalb der", "hors d'", "fuera de", "not … but": what stands before an area that
/// is left out.
fn is_outside(before: &str) -> bool {
    const OUTSIDE: &[&str] = &[
        "outside",
        "beyond",
        "except",
        "excluding",
        "außerhalb",
        "außer",
        "hors",
        "sauf",
        "excepté",
        "fuera",
        "excepto",
        "salvo",
    ];
    const ARTICLES: &[&str] = &[
        "the",
        "of",
        "der",
        "des",
        "von",
        "de",
        "la",
        "l",
        "d",
        "del",
        "el",
        "los",
        "du",
        "countries",
    ];
    let lower = before.to_lowercase();
    let mut words: Vec<&str> = crate::language::words(&lower).collect();
    while words.last().is_some_and(|word| ARTICLES.contains(word)) {
        words.pop();
    }
    words.last().is_some_and(|word| OUTSIDE.contains(word))
}

/// Words of a text as bytes; a run of Chinese characters is one.
fn words(text: &str) -> Vec<Range<usize>> {
    word_indices_by_script(text).map(|(at, word)| at..at + word.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = places(text);
        let found: Vec<(&str, String)> =
            found.iter().map(|place| (place.name.as_str(), place.codes.join(" "))).collect();
        let expected: Vec<(&str, String)> =
            expected.iter().map(|(name, code)| (*name, (*code).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn countries_and_cities_are_found_in_five_languages() {
        check("How much is shipping to Germany?", &[("Germany", "DE")]);
        check("do you ship to norway or the uk", &[("norway", "NO"), ("uk", "GB")]);
        check("I'm ordering for 80 euros to Cork", &[("Cork", "IE")]);
        check("Versand nach Zürich?", &[("Zürich", "CH")]);
        check("Was kostet der Versand in die Schweiz?", &[("Schweiz", "CH")]);
        check("Liefern Sie nach Oesterreich oder Österreich", &[("Österreich", "AT")]);
        check("livraison à Lyon", &[("Lyon", "FR")]);
        check("was kostet versand nach linz", &[("linz", "AT")]);
        check("¿Enviáis a México o a Espana?", &[("México", "MX"), ("Espana", "ES")]);
        check("envío a Sevilla", &[("Sevilla", "ES")]);
        check("寄到德国要多少运费", &[("德国", "DE")]);
        check("寄到慕尼黑", &[("慕尼黑", "DE")]);
        check("Do you deliver to Northern Ireland?", &[("Northern Ireland", "GB-NIR")]);
        check("I live in Belfast", &[("Belfast", "GB-NIR")]);
        check("ship to the U.S. please", &[("U.S", "US")]);
    }

    #[test]
    fn words_that_are_names_of_cities_stay_words() {
        check("It is nice to read in bed", &[]);
        check("Which is lighter, the Alu or the Carbon?", &[]);
        check("Can you tell us about it in Moss?", &[("Moss", "NO")]);
        check("I am reading about the tent in orange", &[]);
        check("Wir waren essen", &[]);
        check("The Corrie 45, the Hush Minus 7 and the Skerry jacket", &[]);
        check("my phone is a mobile one", &[]);
        check("", &[]);
    }

    #[test]
    fn a_list_of_countries_is_of_those_alone() {
        let list = "We send to Malta, to every other country of the European Union, to Iceland and to Norway.";
        for question in ["¿Enviáis a Chile?", "Versendet ihr nach Japan?", "能寄到巴西吗"] {
            let place = destination(question).unwrap();
            assert_eq!(fit(&place, list), Fit::Elsewhere, "{question}");
            assert_eq!(
                fit(&place, "We do not send to countries outside Europe."),
                Fit::Zone(1),
                "{question}"
            );
        }
    }

    #[test]
    fn places_are_said_in_english() {
        assert_eq!(
            in_english("Versand nach Österreich?"),
            ("Versand nach  Austria ?".into(), vec!["austria".into()])
        );
        assert_eq!(in_english("寄到德国要多少").0, "寄到 Germany 要多少");
        assert_eq!(in_english("Une boutique à Munich ?").0, "Une boutique à Munich ?");
        assert_eq!(in_english("").0, "");
    }

    #[test]
    fn texts_apply_to_places_by_country_zone_and_rest() {
        let rows = [
            "Ireland: 4.90 EUR",
            "Other EU countries: 8.90 EUR",
            "United Kingdom: 12.90 EUR",
            "Switzerland and Norway: 18.90 EUR",
        ];
        #[track_caller]
        fn check(question: &str, rows: &[&str], expected: Option<&[usize]>) {
            assert_eq!(applying(question, rows).as_deref(), expected, "{question}");
        }
        check("ordering to Cork", &rows, Some(&[0]));
        check("shipping to Germany?", &rows, Some(&[1]));
        check("Versand nach Wien", &rows, Some(&[1]));
        check("Zürich?", &rows, None);
        check("Versand nach Zürich?", &rows, Some(&[3]));
        check("and Norway?", &rows, Some(&[3]));
        check("to Edinburgh", &rows, Some(&[2]));
        check("to Japan", &rows, Some(&[]));
        check("what does shipping cost?", &rows, None);
        check("from Germany to Norway", &rows, None);
        let rest = ["Germany: free", "Rest of Europe: 12 EUR", "All other countries: 30 EUR"];
        check("to Japan", &rest, Some(&[2]));
        check("to Norway", &rest, Some(&[1]));
        check("to Berlin", &rest, Some(&[0]));
        check("to Turkey", &rest, Some(&[2]));
        let north = ["Ireland and Northern Ireland: 4 EUR", "Great Britain: 9 EUR", "EU: 8 EUR"];
        check("to Belfast", &north, Some(&[0]));
        check("to Scotland", &north, Some(&[1]));
        check("to Dublin", &north, Some(&[0]));
        check("nach Frankreich", &["Deutschland: 4 €", "Übriges Europa: 9 €"], Some(&[1]));
        check(
            "寄到法国",
            &["爱尔兰: 4 欧元", "欧盟其他国家: 8 欧元", "瑞士和挪威: 18 欧元"],
            Some(&[1]),
        );
        let stores = [
            "The Galway store opens at 9:30.",
            "The Dublin store opens at 10:00.",
            "The Cork store is closed on Sunday.",
        ];
        check("is the store in Cork open on Sunday", &stores, Some(&[2]));
    }

    #[test]
    fn places_lie_within_or_outside() {
        #[track_caller]
        fn check(question: &str, text: &str, expected: Option<bool>) {
            let place = destination(question).unwrap();
            assert_eq!(lies_within(&place, text), expected, "{question} {text}");
        }
        check("to France", "only within the Republic of Ireland", Some(false));
        check("to Dublin", "only within the Republic of Ireland", Some(true));
        check("to Mexico", "countries outside Europe", Some(true));
        check("to Norway", "countries outside Europe", Some(false));
        check("to Turkey", "countries outside Europe", None);
        check("能寄到中国吗", "不向欧洲以外的国家发货", Some(true));
        check("to France", "It takes 3 days.", None);
        check("to the Canary Islands", "to other EU countries", None);
    }
}
