//! What a sentence may lean on, and whether it does. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::claims::{self, MONEY, ProductName};
use super::facts;
use super::units::{Unit, units};
use crate::language::lists::{self, List, has};
use crate::language::{content_words, words};

/// What a sentence may lean on.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    sources: Vec<Held>,
    /// Facts that the conversation names.
    said: HashSet<String>,
    /// Names that products are told by.
    products: Vec<ProductName>,
    /// Numbers that were computed, with their units.
    computed: HashSet<(String, &'static str)>,
}

/// A passage as evidence.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub text: &'a str,
    /// Title and headings: they say what the text is about.
    pub context: &'a str,
}

/// A figure that code computed: it stands in no source, what it was computed from does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// With its unit: `10 EUR`.
    pub figure: String,
    /// As sources or the conversation write them: `120 EUR`, `110 EUR`.
    pub inputs: Vec<String>,
}

/// What became of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is supported; `source` is the index of the source that supports it most, if a source
    /// does.
    Send { text: String, source: Option<usize> },
    /// It is not; `reason` names what it lacks.
    Withhold { text: String, reason: String },
}

/// Share of a sentence's content words that one source must hold.
const SUPPORT: f32 = 0.6;
/// Share of a withheld sentence's content words from which a unit of a source is about the same.
const NEAR: f32 = 0.3;

/// A source, taken apart.
#[derive(Clone, Debug, Default)]
struct Held {
    words: HashSet<String>,
    facts: HashSet<String>,
    /// Units that each number has beside it; empty for a bare one.
    quantities: HashMap<String, HashSet<&'static str>>,
    dates: HashSet<&'static str>,
    /// Its words in order, for names.
    spelling: String,
    context: String,
    text: String,
    pieces: Vec<Piece>,
    /// Its sentences, for what they deny.
    statements: Vec<Statement>,
}

/// A sentence of a source that isn't a question.
#[derive(Clone, Debug)]
struct Statement {
    words: HashSet<String>,
    denies: bool,
}

/// A unit of a source, taken apart.
#[derive(Clone, Debug)]
struct Piece {
    unit: Unit,
    words: HashSet<String>,
    numbers: HashSet<String>,
    spelling: String,
    /// Whether it names something itself; else its headings do.
    named: bool,
}

/// What a sentence claims.
struct Claims {
    text: String,
    words: HashSet<String>,
    facts: HashSet<String>,
    quantities: Vec<claims::Quantity>,
    dates: Vec<&'static str>,
    names: Vec<claims::Name>,
}

impl Evidence {
    /// Evidence from passages (which can be cited, in this order) and from the conversation (which
    /// can't).
    #[must_use]
    pub fn new<'a>(
        passages: impl IntoIterator<Item = &'a str>,
        conversation: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::of(passages.into_iter().map(|text| Source { text, context: "" }), conversation)
    }

    /// As [`Evidence::new`], of passages under their headings.
    #[must_use]
    pub fn of<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        conversation: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let said =
            conversation.into_iter().flat_map(|line| facts(&claims::in_digits(line))).collect();
        Self {
            sources: sources.into_iter().map(Held::of).collect(),
            said,
            products: Vec::new(),
            computed: HashSet::new(),
        }
    }

    /// Products by their names: one that a sentence names has to stand in its source.
    #[must_use]
    pub fn with_products<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.products = claims::products(names);
        self
    }

    /// Figures that code computed. One counts where every number that it was computed from stands
    /// in a source with its unit, or in the conversation.
    #[must_use]
    pub fn with_computed(mut self, figures: impl IntoIterator<Item = Computed>) -> Self {
        for Computed { figure, inputs } in figures {
            let numbers = |text: &str| claims::quantities(&claims::in_digits(text));
            let held = |quantity: &claims::Quantity| {
                let stands = |source: &Held| {
                    let units = source.quantities.get(&quantity.number);
                    units.is_some_and(|units| {
                        units.contains(quantity.unit) || quantity.unit.is_empty()
                    })
                };
                self.said.contains(&quantity.number) || self.sources.iter().any(stands)
            };
            let stand = |input: &String| {
                let quantities = numbers(input);
                !quantities.is_empty() && quantities.iter().all(held)
            };
            if !inputs.is_empty() && inputs.iter().all(stand) {
                self.computed.extend(
                    numbers(&figure).into_iter().map(|quantity| (quantity.number, quantity.unit)),
                );
            }
        }
        self
    }

    /// Decides about one sentence: everything in it that can be checked stands in one source, and
    /// so do most of its words.
    ///
    /// Numbers, codes and links may also come from the conversation; prices and names may not,
    /// since saying them again would make them the shop's. Sent without a source is only what leads
    /// to the next sentence.
    #[must_use]
    pub fn rule(&self, sentence: &str) -> Ruling {
        let text = sentence.to_owned();
        let claims = Claims::of(sentence);
        let plain = plain_text(&claims.text);
        if is_verdict(&plain) {
            // By itself it says nothing that can be checked; a page of questions and answers may
            // say it.
            let says = |source: &Held| {
                source
                    .pieces
                    .iter()
                    .map(|piece| plain_text(&piece.unit.text))
                    .find(|own| is_verdict(own))
            };
            let first =
                self.sources.iter().zip(0..).find_map(|(source, at)| Some((says(source)?, at)));
            return match first.filter(|(own, _)| *own == plain) {
                Some((_, at)) => Ruling::Send { text, source: Some(at) },
                None => Ruling::Withhold { text, reason: "no source says so by itself".into() },
            };
        }
        if claims.words.is_empty() && claims.facts.is_empty() {
            // "Yes, you can." has nothing to check, and yet it answers: it needs the first passage
            // to say the same.
            let said = self.sources.first().is_some_and(|source| source.text.contains(&plain));
            return if plain.is_empty() || is_lead(&text) {
                Ruling::Send { text, source: None }
            } else if said {
                Ruling::Send { text, source: Some(0) }
            } else {
                Ruling::Withhold { text, reason: "no source says so by itself".into() }
            };
        }
        // Word for word; but "allowed" also stands in "not allowed".
        let holds = |source: &Held| source.text.contains(&plain) && !source.contradicts(&claims);
        if let Some(source) = self.sources.iter().position(holds) {
            return Ruling::Send { text, source: Some(source) };
        }
        let mut ranked: Vec<(usize, usize)> =
            self.sources.iter().map(|source| claims.held(&source.words)).zip(0..).collect();
        ranked.sort_by_key(|(held, at)| (std::cmp::Reverse(*held), *at));
        let mut lacks = None;
        for &(held, at) in &ranked {
            let Some(source) = self.sources.get(at) else { continue };
            let lack = self.lack(source, &claims).or_else(|| {
                #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
                let supported = held as f32 >= SUPPORT * claims.words.len() as f32;
                if !supported {
                    return Some("no source says so".to_owned());
                }
                source.contradicts(&claims).then(|| "its source says the opposite".to_owned())
            });
            match lack {
                None => return Ruling::Send { text, source: Some(at) },
                // Withhold for the facts missing from the closest source.
                Some(lack) => lacks = lacks.or(Some(lack)),
            }
        }
        let reason = lacks.or_else(|| self.lack(&Held::default(), &claims));
        Ruling::Withhold { text, reason: reason.unwrap_or_else(|| "no source says so".to_owned()) }
    }

    /// What a source doesn't hold of what a sentence claims.
    fn lack(&self, source: &Held, claims: &Claims) -> Option<String> {
        let stands = |what: &str| Some(format!("{what:?} stands in no source"));
        let computed = |fact: &String| {
            claims.quantities.iter().any(|own| own.number == *fact && self.is_computed(own))
        };
        let lacks = |fact: &&String| {
            !source.facts.contains(*fact) && !self.said.contains(*fact) && !computed(fact)
        };
        if let Some(fact) = claims.facts.iter().find(lacks) {
            return stands(fact);
        }
        for quantity in &claims.quantities {
            if self.is_computed(quantity) {
                continue;
            }
            match source.quantities.get(&quantity.number) {
                None if MONEY.contains(&quantity.unit) => {
                    return stands(&format!("{} {}", quantity.number, quantity.unit));
                }
                Some(units)
                    if !quantity.unit.is_empty()
                        && !units.contains(quantity.unit)
                        && !units.contains("") =>
                {
                    return stands(&format!("{} {}", quantity.number, quantity.unit));
                }
                _ => {}
            }
        }
        if let Some(date) = claims.dates.iter().find(|date| !source.dates.contains(*date)) {
            return stands(date);
        }
        for product in claims::named(&claims.text, &self.products) {
            if !source.names(product.key()) {
                return stands(product.shown());
            }
        }
        for name in &claims.names {
            if !source.names(&name.key) {
                return stands(&name.shown);
            }
        }
        source.torn(claims, |quantity| self.is_computed(quantity))
    }

    fn is_computed(&self, quantity: &claims::Quantity) -> bool {
        self.computed
            .iter()
            .any(|(number, unit)| *number == quantity.number && *unit == quantity.unit)
    }

    /// The unit of a source that says most of what a sentence says; what is quoted for it.
    #[must_use]
    pub fn support(&self, source: usize, sentence: &str) -> Option<&Unit> {
        let claims = Claims::of(sentence);
        let pieces = &self.sources.get(source)?.pieces;
        let fits = |piece: &&Piece| {
            let numbers = claims
                .quantities
                .iter()
                .filter(|quantity| piece.numbers.contains(&quantity.number))
                .count();
            (claims.held(&piece.words) + numbers, std::cmp::Reverse(piece.words.len()))
        };
        pieces.iter().max_by_key(fits).map(|piece| &piece.unit)
    }

    /// What the sources say instead of a withheld sentence: the unit that shares most with it and
    /// with the question, and wasn't said. `None` if none is about the same.
    #[must_use]
    pub fn instead(&self, withheld: &str, question: &str, said: &str) -> Option<(usize, &Unit)> {
        let claims = Claims::of(withheld);
        let asked: HashSet<String> = content_words(question).collect();
        let said = plain_text(said);
        let share = |held: usize, all: usize| {
            #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
            let share = held as f32 / all.max(1) as f32;
            share
        };
        let mut best: Option<(f32, usize, &Unit)> = None;
        for (at, source) in self.sources.iter().enumerate() {
            let known: Vec<&claims::Name> =
                claims.names.iter().filter(|name| source.names(&name.key)).collect();
            for piece in &source.pieces {
                let held = claims.held(&piece.words);
                let shares = held >= 2 || held == claims.words.len() && held > 0;
                let near = share(held, claims.words.len());
                if !shares || near < NEAR || piece.unit.text.ends_with(['?', '？']) {
                    continue;
                }
                let own = plain_text(&piece.unit.text);
                if own.is_empty() || said.contains(&own) {
                    continue;
                }
                let named = !known.is_empty()
                    && known.iter().all(|name| piece.spelling.contains(&name.key));
                let answers = share(piece.words.intersection(&asked).count(), asked.len());
                let score = near + 0.5 * answers + if named { 0.5 } else { 0.0 };
                if best.is_none_or(|(other, ..)| score > other) {
                    best = Some((score, at, &piece.unit));
                }
            }
        }
        best.map(|(_, source, unit)| (source, unit))
    }
}

impl Held {
    fn of(source: Source<'_>) -> Self {
        let text = claims::in_digits(source.text);
        let context = claims::in_digits(source.context);
        let both = format!("{context}\n{text}");
        let mut quantities: HashMap<String, HashSet<&'static str>> = HashMap::new();
        for quantity in claims::quantities(&both) {
            quantities.entry(quantity.number).or_default().insert(quantity.unit);
        }
        let units = units(0, source.text);
        let statements = units.iter().flat_map(|unit| {
            let sentences = crate::language::sentences(&unit.text).into_iter();
            sentences.filter_map(|range| Statement::of(unit.text.get(range)?))
        });
        Self {
            statements: statements.collect(),
            // Columns of tables are called "weight_g".
            words: content_words(&both.replace('_', " ")).collect(),
            facts: facts(&both),
            quantities,
            dates: claims::dates(&both).into_iter().collect(),
            spelling: claims::spelling(&both),
            context: claims::spelling(&context),
            pieces: units.into_iter().map(Piece::of).collect(),
            text: plain_text(&text),
        }
    }

    fn names(&self, key: &str) -> bool {
        self.spelling.contains(key)
    }

    /// A number that the sentence says of a name, and that the source says of something else.
    fn torn(
        &self,
        claims: &Claims,
        computed: impl Fn(&claims::Quantity) -> bool,
    ) -> Option<String> {
        for quantity in claims.quantities.iter().filter(|quantity| !computed(quantity)) {
            if claims.names.iter().any(|name| name.range.contains(&quantity.at)) {
                continue;
            }
            // The name before it, or the first of the sentence.
            let before = claims.names.iter().rfind(|name| name.range.end <= quantity.at);
            let Some(name) = before.or_else(|| claims.names.first()) else { continue };
            let together = self.pieces.iter().any(|piece| {
                piece.numbers.contains(&quantity.number)
                    && (piece.spelling.contains(&name.key)
                        || !piece.named && self.context.contains(&name.key))
            });
            if !together {
                return Some(format!(
                    "the source doesn't say {:?} of {:?}",
                    quantity.number, name.shown
                ));
            }
        }
        None
    }

    /// True if the statement that the sentence comes nearest to denies what it says, or says what
    /// it denies.
    fn contradicts(&self, claims: &Claims) -> bool {
        let denies = claims::denies(&claims.text);
        let fits = |told: &&Statement| (claims.held(&told.words), told.denies == denies);
        let nearest = self.statements.iter().max_by_key(fits);
        nearest.is_some_and(|told| {
            2 * claims.held(&told.words) >= claims.words.len() && told.denies != denies
        })
    }
}

impl Piece {
    fn of(unit: Unit) -> Self {
        let text = claims::in_digits(&unit.text);
        Self {
            words: content_words(&text).collect(),
            numbers: claims::quantities(&text)
                .into_iter()
                .map(|quantity| quantity.number)
                .collect(),
            spelling: claims::spelling(&text),
            named: !claims::names(&text).is_empty(),
            unit,
        }
    }
}

impl Statement {
    fn of(sentence: &str) -> Option<Self> {
        let text = claims::in_digits(sentence);
        (!text.ends_with(['?', '？'])).then(|| Self {
            words: content_words(&text.replace('_', " ")).collect(),
            denies: claims::denies(&text),
        })
    }
}

impl Claims {
    fn of(sentence: &str) -> Self {
        let text = claims::in_digits(sentence).into_owned();
        // The number of a list's item is no claim.
        let start = text.len() - unmarked(&text).len();
        let text = text.get(start..).unwrap_or_default().to_owned();
        Self {
            words: content_words(&text).collect(),
            facts: facts(&text),
            quantities: claims::quantities(&text),
            dates: claims::dates(&text),
            names: claims::names(&text),
            text,
        }
    }

    fn held(&self, source: &HashSet<String>) -> usize {
        self.words.intersection(source).count()
    }
}

/// A line without the white space and the list mark that it begins with.
#[must_use]
pub fn unmarked(line: &str) -> &str {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = line.get(digits..).filter(|_| (1..=2).contains(&digits));
    let numbered =
        numbered.and_then(|rest| rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")));
    let bullet = ["- ", "* ", "• ", "+ ", "> "].iter().find_map(|mark| line.strip_prefix(mark));
    numbered.or(bullet).unwrap_or(line)
}

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    verdicts: List,
    stressed: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/verdicts.toml")));

/// A bare yes or no, as [`plain_text`] gives it, or one with a word that only stresses it: "No,
/// never."
pub(super) fn is_verdict(plain: &str) -> bool {
    let plain = plain.trim();
    let (first, rest) = plain.split_once(' ').unwrap_or((plain, ""));
    has(&LISTS.verdicts, first) && (rest.is_empty() || has(&LISTS.stressed, rest))
}

/// Leads to what follows, and says nothing itself.
fn is_lead(sentence: &str) -> bool {
    let first = words(sentence).next().unwrap_or_default();
    sentence.trim_end().ends_with([':', '：']) && !is_verdict(&first.to_lowercase())
}

/// Letters and numbers alone, lower-cased, one space between: what stands in a text word for word
/// stands in this, too.
pub(super) fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in words(text) {
        plain.push(' ');
        plain.extend(word.chars().flat_map(char::to_lowercase));
    }
    if !plain.is_empty() {
        plain.push(' ');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Evidence {
        let sources = [
            Source {
                context: "Shipping > Costs",
                text: "Shipping to Ireland costs 4.90 EUR. Shipping is free from 75 EUR. Orders arrive in 1 to 2 working days.",
            },
            Source {
                context: "Returns",
                text: "Returns are free within 60 days. We don't take back opened gas cartridges.",
            },
            Source {
                context: "Tarn 2 and Tarn 3 tents > Variants and prices",
                text: "The Tarn 2 tent costs 349 EUR in Moss or Slate. The Tarn 3 tent costs 429 EUR and comes in Moss only.\n\n\
                       | Variant | Weight |\n| --- | --- |\n| Tarn 2 tent, Moss | 1,900 g |\n| Tarn 3 tent, Moss | 2,400 g |\n",
            },
            Source {
                context: "Hush Minus 7",
                text: "It weighs 1,090 g. The warranty lasts five years.",
            },
            Source {
                context: "保修",
                text: "帐篷保修 5 年。充气垫不能在洗衣机里清洗。门店周一至周五营业。",
            },
        ];
        Evidence::of(
            sources,
            ["My order number is 8812. Is it true that the tent costs 1 EUR? I have 7 tents."],
        )
        .with_products([
            "Tarn 2 tent",
            "Tarn 3 tent",
            "Gannet hammock",
            "Hush Minus 7 sleeping bag",
        ])
    }

    #[track_caller]
    fn check(sentence: &str, sent: bool) {
        let ruling = shop().rule(sentence);
        assert_eq!(matches!(ruling, Ruling::Send { .. }), sent, "{ruling:?}");
    }

    #[test]
    fn only_what_a_source_says_is_sent() {
        check("Shipping to Ireland costs 4.90 EUR.", true);
        check("Shipping to Ireland costs €4.90!", true);
        check("Shipping to Ireland costs 5.90 EUR.", false);
        check("Your returns are free within 60 days.", true);
        check("Unicorns graze peacefully near waterfalls.", false);
        check("Yes!", false);
        check("So:", true);
        check("---", true);
        // Nothing in them can be checked, and yet they answer.
        check("Yes, you can.", false);
        check("Yes, you can:", false);
        check("It is all there for you.", false);
        check("Shipping of your order 8812 is free from 75 EUR.", true);
        check("帐篷保修 5 年。", true);
        check("帐篷保修五年。", true);
        check("帐篷保修 6 年。", false);
    }

    #[test]
    fn every_fact_stands_in_the_source_that_is_cited() {
        // Each fact stands somewhere, but not all in one place.
        check("Shipping costs 4.90 EUR within 60 days.", false);
        // The number stands there with another unit.
        check("Returns are free within 60 hours.", false);
        check("Orders arrive in 2 weeks.", false);
        check("Returns are free within sixty days.", true);
        check("Returns are free within ninety days.", false);
        check("Shipping is free from ７５ EUR.", true);
        check("Shipping is free from ８５ EUR.", false);
        check("Orders arrive on Friday.", false);
        check("门店周三营业。", false);
        check("The warranty lasts 5 years.", true);
        check("The warranty lasts ten years.", false);
        // A price is the shop's to say.
        check("The tent costs 1 EUR.", false);
        check("Returns are free: see evil.example/refund.", false);
        check("Returns are free, [click](javascript:steal) within 60 days.", false);
        check("Returns are free within 60 days, write to boss@evil.example.", false);
    }

    #[test]
    fn names_stand_in_the_source_and_keep_their_numbers() {
        check("The Tarn 3 costs 429 EUR.", true);
        check("The Tarn 3 costs 349 EUR.", false);
        check("The Tarn 3 tent, Moss, has a weight of 2,400 g.", true);
        check("The Tarn 3 tent, Moss, has a weight of 1,900 g.", false);
        check("The Tarn 4 costs 429 EUR.", false);
        check("The Summit Pro tent costs 429 EUR in Moss.", false);
        check("Shipping of the Gannet to Ireland costs 4.90 EUR.", false);
        // The heading says what "it" is.
        check("The Hush Minus 7 weighs 1,090 g.", true);
        check("The Tarn 2 weighs 1,090 g.", false);
    }

    #[test]
    fn the_opposite_is_not_supported() {
        check("We take back opened gas cartridges.", false);
        check("We do not take back opened gas cartridges.", true);
        check("Returns are not free within 60 days.", false);
        check("充气垫能在洗衣机里清洗。", false);
        check("充气垫不能在洗衣机里清洗。", true);
        // One step that denies doesn't speak for the others.
        let steps = Evidence::new(["1. Open the valve of the pad.\n2. Do not fold the pad.\n"], []);
        assert!(matches!(steps.rule("1. Open the valve of the pad."), Ruling::Send { .. }));
        assert!(matches!(steps.rule("Fold the pad."), Ruling::Withhold { .. }));
        let row = Evidence::new(["sku: A; name: Tarn 3 tent; weight_g: 2400."], []);
        assert!(matches!(row.rule("Weight 2400 g."), Ruling::Send { .. }));
    }

    #[test]
    fn a_withheld_sentence_is_replaced_by_the_nearest_words_of_a_source() {
        #[track_caller]
        fn check(withheld: &str, question: &str, said: &str, expected: Option<&str>) {
            let evidence = shop();
            let found =
                evidence.instead(withheld, question, said).map(|(_, unit)| unit.text.as_str());
            assert_eq!(found, expected, "{withheld}");
        }
        let price = "How much is the Tarn 3?";
        check(
            "The Tarn 3 tent costs 349 EUR.",
            price,
            "",
            Some("The Tarn 3 tent costs 429 EUR and comes in Moss only."),
        );
        check(
            "Shipping to Ireland costs 9 EUR.",
            "",
            "",
            Some("Shipping to Ireland costs 4.90 EUR."),
        );
        check(
            "Shipping to Ireland costs 9 EUR.",
            "",
            "shipping to ireland costs 4.90 EUR",
            Some("Shipping is free from 75 EUR."),
        );
        check("I would be delighted to help!", price, "", None);
        check("帐篷保修 10 年。", "帐篷保修几年？", "", Some("帐篷保修 5 年。"));
    }

    #[test]
    fn a_bare_yes_needs_a_source_that_says_it() {
        let faq = |answer: &str| {
            Evidence::new([format!("Can it be washed?\n{answer} Use a sponge.").as_str()], [])
        };
        assert!(matches!(faq("Yes.").rule("Yes!"), Ruling::Send { source: Some(0), .. }));
        assert!(matches!(faq("No.").rule("Yes, "), Ruling::Withhold { .. }));
    }

    #[test]
    fn a_sentence_is_quoted_by_the_unit_that_says_it() {
        let evidence = shop();
        let quoted =
            |source, sentence| evidence.support(source, sentence).map(|unit| unit.text.as_str());
        assert_eq!(quoted(0, "It's free from 75 EUR."), Some("Shipping is free from 75 EUR."));
        assert_eq!(quoted(9, "It's free."), None);
    }

    #[test]
    fn computed_figures_stand_where_their_inputs_do() {
        let source = "Delivery to Germany costs 8.90 EUR and is free for orders from 120 EUR.";
        let computed = |figure: &str, inputs: &[&str]| Computed {
            figure: figure.to_owned(),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        };
        let check = |figures: Vec<Computed>, sentence: &str, sent: bool| {
            let evidence = Evidence::new([source], ["My order is 110 euro"]).with_computed(figures);
            let ruling = evidence.rule(sentence);
            assert_eq!(matches!(ruling, Ruling::Send { .. }), sent, "{ruling:?}");
        };
        let short = "Your order is 10 EUR below the 120 EUR from which delivery is free.";
        check(vec![computed("10 EUR", &["120 EUR", "110 EUR"])], short, true);
        check(Vec::new(), short, false);
        check(vec![computed("10 EUR", &["130 EUR", "110 EUR"])], short, false);
        check(vec![computed("10 EUR", &["120 kg", "110 EUR"])], short, false);
        check(vec![computed("10 EUR", &[])], short, false);
        check(vec![computed("10 days", &["120 EUR", "110 EUR"])], short, false);
        check(
            vec![computed("10 EUR", &["120 EUR", "110 EUR"])],
            "Your order is 20 EUR below the 120 EUR.",
            false,
        );
    }

    #[test]
    fn without_sources_nothing_stands() {
        let evidence = Evidence::new([], ["Order 8812"]);
        assert!(matches!(evidence.rule("Your order 8812 is here."), Ruling::Withhold { .. }));
        assert!(
            matches!(evidence.rule("It costs 5 EUR."), Ruling::Withhold { reason, .. } if reason.contains("\"5"))
        );
        assert_eq!(evidence.instead("It costs 5 EUR.", "", ""), None);
    }
}
