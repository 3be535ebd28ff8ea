//! What a question asks of a row, and whether a row has it. A row that shares one word with the
//! question ("Fig Candle" with "the tobacco candle") says nothing of what is asked, nor does one
//! without the property that is asked for. Pure.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::gloss::gloss;
use crate::language::script::{is_han, is_kana};
use crate::language::stem::singular;
use crate::language::words::unicode_words;
use crate::language::{is_common_somewhere, is_unspaced, meanings, pairs, pieces};
use crate::retrieval::columns::{self, folded};

/// What stands in `data/asked.toml`, folded.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    bought: Vec<String>,
    price: Vec<String>,
    passed: Vec<String>,
    joins: Vec<String>,
    unspaced: Vec<String>,
    property: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Property {
    asked: Vec<String>,
    #[serde(default)]
    told: Vec<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let list = include_str!("../language/data/asked.toml");
    let mut words: Words = toml::from_str(list).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        Words::default()
    });
    let Words { bought, price, passed, joins, unspaced, property } = &mut words;
    let properties = property.iter_mut().flat_map(|Property { asked, told }| [asked, told]);
    for entry in [bought, price, passed, joins, unspaced].into_iter().chain(properties).flatten() {
        let open = entry.ends_with('*');
        *entry = folded(entry);
        entry.push_str(if open { "*" } else { "" });
    }
    words
});

/// What a question asks of rows.
#[derive(Debug)]
pub struct Asking {
    /// ISO 639-1.
    language: String,
    /// What the shop itself pays.
    bought: bool,
    /// The words that name what a price or a stock is asked of, in order; empty where something
    /// else is asked.
    named: Vec<Word>,
    /// All of its words, folded.
    spoken: Vec<String>,
    /// It speaks of several things: no row is of all of them.
    several: bool,
    properties: Vec<&'static Property>,
    /// The words of a property that is asked for by its name: the thread count "of" a towel.
    wanted: Vec<String>,
}

/// A word of a question, folded.
#[derive(Debug)]
struct Word {
    text: String,
    /// In English, where it is of another language and known.
    english: Option<String>,
}

/// A row as it is compared.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its text, and what it stands under.
    pub text: &'a str,
    pub above: &'a str,
    /// What it sells, where that is known.
    pub name: Option<&'a str>,
    /// ISO 639-1, `und` where it can't be told.
    pub language: &'a str,
}

impl Asking {
    /// Reads a question that is written in `language`.
    #[must_use]
    pub fn of(question: &str, language: &str) -> Self {
        let spoken = format!(" {} ", folded(question));
        let has = |words: &[String]| words.iter().any(|word| holds(&spoken, word));
        let mut named = Vec::new();
        if has(&WORDS.price) && spoken.len() <= MAX_BYTES {
            named = names(question, language);
        }
        Self {
            language: language.to_owned(),
            bought: has(&WORDS.bought),
            named,
            spoken: spoken.split_whitespace().map(str::to_owned).collect(),
            several: has(&WORDS.joins),
            wanted: if language == "en" { wanted(&folded(question)) } else { Vec::new() },
            properties: WORDS.property.iter().filter(|property| has(&property.asked)).collect(),
        }
    }

    /// Whether it asks for what the shop itself pays: no row tells that.
    #[must_use]
    pub fn of_the_shops_own(&self) -> bool {
        self.bought
    }

    /// Whether it asks for a price or a stock of something that it names.
    #[must_use]
    pub fn is_of_price(&self) -> bool {
        !self.named.is_empty()
    }

    /// Whether a row can answer: it is of what is named, and has the properties that are asked for.
    #[must_use]
    pub fn fits(&self, line: Line<'_>) -> bool {
        if self.bought {
            return false;
        }
        let whole = format!(" {} {} ", folded(line.above), folded(line.text));
        let has = |property: &&Property| {
            property.asked.iter().chain(&property.told).any(|word| holds(&whole, word))
        };
        let held: Vec<&str> = whole.split(' ').collect();
        let foreign = !["en", "und"].contains(&line.language);
        let told = |word: &String| held.iter().any(|other| is_form(word, other));
        self.properties.iter().all(has)
            && (foreign || self.wanted.is_empty() || self.wanted.iter().any(told))
            && self.is_named(line, &whole)
    }

    /// Whether the row holds every word that names what is asked about. Where its own name is said
    /// in full, words before that only describe it.
    fn is_named(&self, line: Line<'_>, whole: &str) -> bool {
        let foreign = line.language != "und" && line.language != self.language;
        if foreign && line.language != "en" {
            return true;
        }
        let held: Vec<&str> = whole.split(' ').filter(|word| !word.is_empty()).collect();
        let met: Vec<bool> =
            self.named.iter().map(|word| word.is_in(whole, &held, foreign)).collect();
        // Of a foreign question whose words nobody knows in English, nothing can be told.
        if foreign && self.named.iter().any(|word| word.english.is_none()) {
            return true;
        }
        // "Delivery of a sofa": what is delivered stands in no row of charges.
        let delivers = self.spoken.iter().any(|word| columns::is_delivery(word));
        if delivers && held.iter().any(|word| columns::is_delivery(word)) {
            return true;
        }
        let Some(last) = met.iter().rposition(|met| *met) else {
            return self.named.is_empty();
        };
        let said = line.name.is_some_and(|name| self.says(name));
        if said && self.several {
            return true;
        }
        let from = if said { last + 1 } else { 0 };
        met.iter().skip(from).all(|met| *met)
    }

    /// Whether the question says a name in full.
    fn says(&self, name: &str) -> bool {
        let name = folded(name);
        let mut words = name.split(' ').filter(|word| !word.is_empty()).peekable();
        words.peek().is_some()
            && words.all(|word| {
                let unspaced = word.contains(is_unspaced);
                self.spoken
                    .iter()
                    .any(|said| is_form(said, word) || unspaced && said.contains(word))
            })
    }
}

/// A longer question is a story, of which one word more or less says little.
const MAX_BYTES: usize = 160;

/// The words of a question about a price that name what it is asked of.
fn names(question: &str, language: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for word in unicode_words(question).filter(|word| !word.contains(is_unspaced)) {
        let text = folded(word);
        let own = format!(" {text} ");
        let asks = |list: &[String]| list.iter().any(|entry| holds(&own, entry));
        let part_of =
            |list: &[String]| list.iter().any(|entry| entry.split(' ').any(|part| part == text));
        let short = text.chars().count() < MIN_LETTERS;
        let figure = text.contains(|c: char| c.is_ascii_digit());
        let common = is_common_somewhere(&word.to_lowercase()) || is_common_somewhere(&text);
        let counts = columns::is_time(&text) || columns::says(columns::Word::Unit, &text);
        let passed = asks(&WORDS.passed) || part_of(&WORDS.price) || asks(&WORDS.price);
        if short || figure || common || counts || passed {
            continue;
        }
        let english = (language != "en")
            .then(|| gloss(word, language, |_| false))
            .flatten()
            .filter(|gloss| gloss.known > 0.5)
            .map(|gloss| folded(&gloss.text));
        words.push(Word { text, english });
    }
    // Han characters by pairs; kana are endings, or names that are written in many ways.
    let mut rest = folded(question);
    let phrases = WORDS.price.iter().chain(&WORDS.unspaced);
    for phrase in phrases.filter(|phrase| phrase.contains(is_unspaced)) {
        rest = rest.replace(phrase.as_str(), " ");
    }
    for run in rest.split(|c: char| !is_han(c) || is_kana(c)) {
        let pairs = pieces(run).flat_map(pairs).filter(|pair| pair.chars().count() == 2);
        words.extend(pairs.map(|text| Word { text, english: None }));
    }
    words
}

/// The words of the property in "what is the thread count of the towel?" and "how many pockets has
/// the coat?". Empty where it may be told by a figure's unit alone, or in other words.
fn wanted(question: &str) -> Vec<String> {
    const BEFORE: &[&[&str]] = &[
        &["what", "is", "the"],
        &["what", "s", "the"],
        &["whats", "the"],
        &["what", "are", "the"],
        &["how", "many"],
    ];
    const AFTER: &[&str] =
        &["of", "on", "for", "in", "does", "do", "is", "are", "has", "have", "can", "with", "fit"];
    const BY_UNIT: &[&str] = &[
        "size",
        "sizes",
        "height",
        "width",
        "length",
        "depth",
        "weight",
        "capacity",
        "volume",
        "dimension",
        "dimensions",
        "measurement",
        "measurements",
        "colour",
        "color",
        "colours",
        "colors",
        "material",
        "price",
        "cost",
        "name",
        "brand",
        "type",
        "kind",
        "difference",
        "people",
        "persons",
        "time",
        "date",
        "day",
        "days",
        "hours",
        "address",
        "number",
        "best",
    ];
    let words: Vec<&str> = question.split(' ').collect();
    let found = BEFORE.iter().find_map(|before| {
        let at = words.windows(before.len()).position(|window| window == *before)?;
        words.get(at + before.len()..)
    });
    let Some(rest) = found else { return Vec::new() };
    let Some(end) = rest.iter().position(|word| AFTER.contains(word)) else { return Vec::new() };
    let own: Vec<String> = rest[..end].iter().map(|word| (*word).to_owned()).collect();
    let plain = |word: &String| {
        BY_UNIT.contains(&word.as_str())
            || is_common_somewhere(word)
            || WORDS.price.iter().any(|entry| holds(&format!(" {word} "), entry))
    };
    if own.is_empty() || own.len() > MAX_WANTED || own.iter().any(plain) { Vec::new() } else { own }
}

/// Words that a property is called by, at most.
const MAX_WANTED: usize = 3;

/// Shorter words are articles and prepositions of some language.
const MIN_LETTERS: usize = 3;
/// Letters that two forms of a word begin with alike, at least, and their share of the longer one.
const MIN_STEM: usize = 4;
const STEM_SHARE: (usize, usize) = (3, 5);

impl Word {
    /// Whether a row has the word, in whatever form. `held` are the words of `whole`.
    fn is_in(&self, whole: &str, held: &[&str], foreign: bool) -> bool {
        if self.text.starts_with(is_unspaced) {
            // One of the two is enough: "更换屏幕" is "换屏".
            return self.text.chars().any(|c| whole.contains(c));
        }
        let own = held.iter().any(|other| is_form(&self.text, other)) || self.is_made_of(held);
        // "Postage" is delivery, and "Versand" is "Lieferung".
        let means = |text: &str| meanings(text).next();
        let alike = || {
            let own = means(&self.text);
            held.iter().any(|other| means(other) == own)
                || columns::is_delivery(&self.text)
                    && held.iter().any(|other| columns::is_delivery(other))
        };
        own || alike()
            || foreign
                && self.english.as_ref().is_some_and(|english| {
                    english.split(' ').any(|word| held.iter().any(|other| is_form(word, other)))
                })
    }

    /// Whether it is put together of two words that the row has: "Herrenschnitt" of "Schnitt" and
    /// "Herren".
    fn is_made_of(&self, held: &[&str]) -> bool {
        held.iter().filter(|last| last.len() >= MIN_STEM).any(|last| {
            let Some(first) = self.text.strip_suffix(last).filter(|first| first.len() >= 3) else {
                return false;
            };
            let bare = |text: &str| text.trim_end_matches(['s', 'n', 'e']).to_owned();
            held.iter().any(|other| other.len() >= 3 && bare(other) == bare(first))
        })
    }
}

/// Whether two folded words may be forms of one: they are alike up to their endings, one is within
/// the other ("Honig" in "Waldhonig"), or a letter is mistyped.
fn is_form(asked: &str, held: &str) -> bool {
    let (asked, held) = (singular(asked), singular(held));
    if asked == held {
        return true;
    }
    let letters = asked.chars().count();
    let longer = letters.max(held.chars().count());
    let alike = asked.chars().zip(held.chars()).take_while(|(a, b)| a == b).count();
    let stem = alike >= MIN_STEM && alike * STEM_SHARE.1 >= longer * STEM_SHARE.0;
    stem || letters >= MIN_STEM && held.contains(asked)
        || letters > MIN_STEM && strsim::osa_distance(asked, held) == 1
}

/// Whether a folded text, with a space at both ends, has an entry of a list.
fn holds(text: &str, entry: &str) -> bool {
    if entry.contains(is_unspaced) {
        return text.contains(entry);
    }
    match entry.strip_suffix('*') {
        Some(begin) => text.contains(&format!(" {begin}")),
        None => text.contains(&format!(" {entry} ")),
    }
}

/// Whether a text is a line of a price list: a name with an amount behind it.
#[must_use]
pub fn is_price_line(text: &str) -> bool {
    let text = text.trim();
    let amount = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let cents = bare.rsplit_once([',', '.']).is_some_and(|(_, cents)| cents.len() == 2);
        let signed = word.contains(['€', '$', '£', '¥']) || text.ends_with(['€', '£', '$']);
        !bare.is_empty() && (cents || signed)
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let end = words.iter().rev().take(2).any(|word| amount(word));
    let sentence = text.ends_with(['.', '。']) || text.contains(". ") || text.contains("? ");
    end && !sentence && (2..=MAX_LINE).contains(&words.len())
}

/// Words of a line of a price list, at most.
const MAX_LINE: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(question: &str, language: &str, name: Option<&str>, text: &str, expected: bool) {
        let line = Line { text, above: "", name, language };
        assert_eq!(Asking::of(question, language).fits(line), expected, "{question} | {text}");
    }

    #[test]
    fn a_row_of_something_else_is_not_told() {
        let soap = "title: Oat & Honey Soap Bar; price: 6.50; tags: bath.";
        let name = Some("Oat & Honey Soap Bar");
        check("how much is the lavender soap", "en", name, soap, false);
        check("how much is the honey soap", "en", name, soap, true);
        check("price of the oat soap please", "en", name, soap, true);
        check("is the old soap in stock?", "en", name, soap, false);
        check("how much is the honney soap", "en", name, soap, true);
        // What it doesn't name isn't asked of it.
        check("how much is the honey soap with a dish", "en", name, soap, false);
        check("how much is a lovely oat & honey soap bar", "en", name, soap, true);
        check("how much are the honey soap and the oat bath", "en", Some("Honey Soap"), soap, true);
        let charge = "Parcels: delivery 4.90";
        check("how much is delivery for a sofa", "en", None, charge, true);
        check("Was kostet ein Apfelbaum?", "de", Some("Birnbaum"), "Birnbaum; Preis: 40", false);
        check("Was kostet der Birnbaum?", "de", Some("Birnbaum"), "Birnbaum; Preis: 40", true);
        check("Was kosten Birnbäume?", "de", Some("Birnbaum"), "Birnbaum; Preis: 40", true);
        check("Was kostet ein Damenschnitt?", "de", None, "Schnitt; Damen: 40", true);
        check("手机12换电池多少钱", "zh", None, "机型: 手机12; 项目: 更换屏幕; 价: 5", false);
        check("手机12换屏多少钱", "zh", None, "机型: 手机12; 项目: 更换屏幕; 价: 5", true);
    }

    #[test]
    fn a_row_without_the_property_is_not_told() {
        let kettle = "name: Steel Kettle; price: 39; care: wipe clean.";
        let name = Some("Steel Kettle");
        check("what warranty has the kettle", "en", name, kettle, false);
        check("do you offer financing on the kettle", "en", name, kettle, false);
        check("is the kettle dishwasher safe?", "en", name, kettle, false);
        check("what is the wattage of the kettle?", "en", name, kettle, false);
        check("what's the care for the kettle?", "en", name, kettle, true);
        check("what is the height of the kettle?", "en", name, kettle, true);
        check("how many lids does the kettle have", "en", name, kettle, false);
        check("is the kettle made of steel?", "en", name, kettle, true);
        check("is it dishwasher safe?", "en", name, "name: Mug; care: Dishwasher safe.", true);
        check("Ist die Jacke wasserdicht?", "de", None, "Jacke; Wassersäule: 5000; IPX4", true);
        check("这个杯子保修多久", "zh", None, "品名: 杯子; 价格: 30", false);
    }

    #[test]
    fn what_the_shop_pays_is_in_no_row() {
        let row = "name: Wool Scarf; price: 49.90.";
        check("what's your cost price for the scarf", "en", None, row, false);
        check("how much did you pay for the scarf", "en", None, row, false);
        check("Wie hoch ist der Einkaufspreis vom Schal?", "de", None, row, false);
        check("quel est le prix d'achat de l'écharpe", "fr", None, row, false);
        check("围巾进价多少", "zh", None, "围巾; 售价: 49", false);
        assert!(!Asking::of("what does the scarf cost", "en").of_the_shops_own());
        assert!(!Asking::of("can I buy the scarf", "en").of_the_shops_own());
    }

    #[test]
    fn lines_of_price_lists_are_told_from_sentences() {
        for line in ["Risotto ai funghi 15,00", "Flat white £3.40", "Haircut 42 €", "Soup: 6.50"]
        {
            assert!(is_price_line(line), "{line}");
        }
        for other in [
            "We deliver from 10 to 12.",
            "Delivery costs 4.90.",
            "Dogs are welcome. Water is 2.00",
            "15,00",
        ] {
            assert!(!is_price_line(other), "{other}");
        }
    }

    #[test]
    fn the_list_of_words_can_be_read() {
        assert!(!WORDS.bought.is_empty() && !WORDS.property.is_empty());
    }
}
