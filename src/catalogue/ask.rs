//! Questions that the catalogue's rows answer: what there is, the cheapest of a kind, what costs
//! less than a sum, what a product weighs, how two differ. Pure, and strict: a question of which
//! one word isn't understood is none of these, and other answers are better. Only where things of a
//! kind are looked for by price or weight, what isn't understood is left out, and named.

use std::collections::HashSet;

mod basket;
mod beyond;
mod superlative;

use super::shelf::{Meant, Shelf};
use super::words::{MEANINGS, Meaning, Measure, Property, SAME, UNSPACED, fill, split, unspaced};
use crate::conversation::Line;
use crate::grounding::denies;
use crate::language::script::is_kana;
use crate::language::stem::singular;
use crate::language::topics::{Topic, topics};
use crate::language::{content_words, words};
use crate::retrieval::{Audience, Passage};
use crate::wording::{Say, Wording};

/// A question in its conversation.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub question: &'a str,
    /// Oldest first, without the question. Only a question that names nothing looks there for what
    /// it means.
    pub history: &'a [Line],
    /// In which to answer, ISO 639-1.
    pub language: &'a str,
    /// The language of the question, ISO 639-1.
    pub reads: &'a str,
    pub audience: Audience,
    pub now_ms: u64,
    pub wording: &'a Wording,
    /// Whether a word is right as it is written; one that isn't may be a misspelt name.
    pub is_word: &'a dyn Fn(&str) -> bool,
}

/// An answer made of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsAnswer {
    pub text: String,
    /// The rows that it is made of, in the order of the text.
    pub passages: Vec<Passage>,
    /// Documents may say more: how products differ isn't only in their columns.
    pub open: bool,
    /// Words of the question that weren't understood, as they stand in it.
    pub unused: Vec<String>,
}

/// Products in a list, and rows with different values of one product, at most.
const MAX_LISTED: usize = 6;
const MAX_VALUES: usize = 4;
/// Units of prices that have a cheapest each, at most.
const MAX_UNITS: usize = 3;
/// Values of one column that are told: colours, sizes.
const MAX_OPTIONS: usize = 12;
/// Kinds of goods that are named at most, and sources of such a list.
const MAX_KINDS: usize = 24;
const MAX_SOURCES: usize = 6;
/// Lines of the visitor that a subject is looked for in.
const MAX_BACK: usize = 6;

impl Shelf {
    /// The answer, if the rows have one and the question is surely about them.
    #[must_use]
    pub fn ask(&self, asked: &Asked<'_>) -> Option<RowsAnswer> {
        if self.rows.is_empty() || asked.question.len() > MAX_BYTES {
            return None;
        }
        let whole = self.answer(asked, false).or_else(|| self.superlative(asked));
        whole.or_else(|| self.answer(asked, true))
    }

    /// The answer to all of a question, or to what of it is understood.
    fn answer(&self, asked: &Asked<'_>, partly: bool) -> Option<RowsAnswer> {
        let mut parsed = self.parse(asked.question, asked.is_word, partly)?;
        let rows = self.visible(asked.audience, asked.language, asked.now_ms);
        let subject = if partly {
            self.kind(&mut parsed, &rows)?
        } else {
            self.subject(&parsed, asked, &rows)?
        };
        if partly && (parsed.unused.is_empty() || denies(asked.question)) {
            return None;
        }
        // "Glint 350 和 Pro 600 有什么区别？" is Chinese, though most of its letters are names.
        let kana = asked.question.chars().any(is_kana);
        let chinese = !kana && asked.question.chars().any(unspaced);
        let language = if chinese { "zh" } else { asked.language };
        let mut answer = Answer {
            shelf: self,
            language,
            wording: asked.wording,
            text: String::new(),
            rows: Vec::new(),
        };
        answer.compose(&parsed, &subject, &rows)?;
        if partly {
            let written = |word: &str| {
                let mut words = words(asked.question);
                words
                    .find(|own| singular(&own.to_lowercase()) == singular(word))
                    .unwrap_or(word)
                    .to_owned()
            };
            let as_written =
                |words: &String| words.split(' ').map(written).collect::<Vec<_>>().join(" ");
            parsed.unused = parsed.unused.iter().map(as_written).collect();
            let unused =
                fill(answer.say(Say::Unused), &[&parsed.unused.join(answer.say(Say::Comma))]);
            answer.text.push_str("\n\n");
            answer.text.push_str(&unused);
        }
        let Answer { text, rows, .. } = answer;
        let mut cited: Vec<usize> = Vec::new();
        for row in rows {
            if !cited.contains(&row) {
                cited.push(row);
            }
        }
        let passages = cited.into_iter().map(|row| self.rows[row].passage.clone()).collect();
        let open = parsed.compare && parsed.asks.is_empty() && parsed.more.is_none();
        Some(RowsAnswer { text: text.trim().to_owned(), passages, open, unused: parsed.unused })
            .filter(|told: &RowsAnswer| !told.text.is_empty())
    }
}

/// A question, word by word.
#[derive(Clone, Debug, Default)]
struct Parsed {
    /// Words that name something, in runs.
    runs: Vec<Run>,
    asks: Vec<Property>,
    extreme: Option<(Measure, bool)>,
    more: Option<(Measure, bool)>,
    bound: Option<Bound>,
    out_of_stock: bool,
    compare: bool,
    /// "How much" was said, and not of what.
    much: bool,
    /// "How much lighter": the difference is asked for.
    by_how_much: bool,
    have: bool,
    show: bool,
    thing: bool,
    pronoun: bool,
    yes_no: bool,
    /// Nothing but words that name something, and "the".
    bare: bool,
    /// The last word is a plural.
    plural: bool,
    /// Words that aren't understood.
    unused: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    words: Vec<String>,
    /// Stands beside the run before as one more: "and", "or", "than".
    joined: bool,
    /// What stands between them names nothing else.
    near: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Bound {
    measure: Measure,
    low: Option<f64>,
    high: Option<f64>,
    /// The limits themselves count.
    including: bool,
    /// What the figure is of: a currency's code, or a unit.
    unit: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Item {
    Means(Meaning),
    Name(Vec<String>),
    Number(f64),
    Unknown(String),
}

/// The rows that are not among others.
fn without(rows: impl IntoIterator<Item = usize>, others: &[usize]) -> Vec<usize> {
    let others: HashSet<usize> = others.iter().copied().collect();
    rows.into_iter().filter(|row| !others.contains(row)).collect()
}

/// What a question is about.
#[derive(Clone, Debug, Default, PartialEq)]
struct Subject {
    /// Each thing that was named, with its rows.
    named: Vec<Vec<usize>>,
    kind: bool,
    /// Rows of the same things that the question's own words left out.
    others: Vec<usize>,
    /// Everything there is.
    everything: bool,
    /// What is ahead of the thing that was spoken of.
    ahead: bool,
}

impl Subject {
    fn rows(&self) -> Vec<usize> {
        self.named.iter().flatten().copied().collect()
    }
}

impl Shelf {
    /// `None` if a word is not understood, unless it may be left out.
    fn parse(
        &self,
        question: &str,
        is_word: &dyn Fn(&str) -> bool,
        partly: bool,
    ) -> Option<Parsed> {
        let known = |rest: &str| {
            let own = UNSPACED
                .iter()
                .filter(|word| rest.starts_with(**word))
                .map(|word| word.len())
                .max();
            own.unwrap_or(0).max(self.unspaced(rest))
        };
        // A yes-or-no question, told by how it begins; "hello, " before it is passed over.
        const BEGINS: &[&str] = &[
            "is", "are", "do", "does", "have", "has", "can", "could", "any", "ist", "sind",
            "haben", "gibt", "avez",
        ];
        const GREETS: &[&str] =
            &["hi", "hello", "hey", "ok", "okay", "so", "and", "please", "thanks"];
        let tokens = split(question, &known, false);
        if tokens.is_empty() || tokens.len() > MAX_WORDS {
            return None;
        }
        let first = tokens.iter().find(|token| !GREETS.contains(&token.as_str()));
        let mut parsed = Parsed {
            yes_no: first.is_some_and(|first| BEGINS.contains(&first.as_str())),
            bare: true,
            plural: tokens.last().is_some_and(|last| singular(last) != last),
            ..Parsed::default()
        };
        let items = self.items(&tokens, is_word, partly)?;
        let items = parsed.bounded(&items, self)?;
        let (mut between, mut open): (Vec<Meaning>, bool) = (Vec::new(), false);
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            let words = match item {
                // "In size 10" says what the ten is.
                Item::Means(Meaning::Asks(Property::Sizes | Property::Colours)) if matches!(items.peek(), Some(Item::Name(words)) if words.iter().all(|word| self.tells(word) && !self.names(word))) =>
                {
                    open = false;
                    between.push(Meaning::Filler);
                    continue;
                }
                Item::Name(words) => words,
                Item::Number(_) if !partly => return None,
                Item::Number(number) => {
                    parsed.unused.push(number.to_string());
                    continue;
                }
                Item::Unknown(word) => {
                    // A function word says nothing that is missed.
                    let means = content_words(&word).next().is_some();
                    parsed.unused.extend(means.then_some(word));
                    open = false;
                    between.push(Meaning::Filler);
                    continue;
                }
                Item::Means(Meaning::Unit(unit)) if self.tells(unit) => vec![unit.to_owned()],
                Item::Means(meaning) => {
                    open = false;
                    between.push(meaning);
                    parsed.take(meaning)?;
                    continue;
                }
            };
            match parsed.runs.last_mut() {
                Some(run) if open => run.words.extend(words),
                _ => {
                    let joins = |meaning: &Meaning| {
                        matches!(meaning, Meaning::And | Meaning::Than | Meaning::Versus)
                    };
                    let links = |meaning: &Meaning| {
                        joins(meaning)
                            || matches!(
                                meaning,
                                Meaning::Filler
                                    | Meaning::Article
                                    | Meaning::Pronoun
                                    | Meaning::More(..)
                            )
                    };
                    let (joined, near) = (between.iter().any(joins), between.iter().all(links));
                    parsed.runs.push(Run { words, joined, near });
                }
            }
            between.clear();
            open = true;
        }
        parsed.much_is_price();
        Some(parsed)
    }

    /// Every word as what it means.
    fn items(
        &self,
        tokens: &[String],
        is_word: &dyn Fn(&str) -> bool,
        partly: bool,
    ) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            let token = rest[0].as_str();
            let own = |words: &[String]| {
                rest.len() >= words.len() && rest.iter().zip(words).all(|(a, b)| a == b)
            };
            let phrases = MEANINGS.get(token).map(Vec::as_slice).unwrap_or_default();
            let meaning = phrases.iter().find(|(words, _)| own(words));
            let columns = self.columns.iter().enumerate();
            let column =
                columns.flat_map(|(at, column)| column.words.iter().map(move |words| (words, at)));
            let called = |words: &[String]| {
                !words.is_empty()
                    && rest.len() >= words.len()
                    && rest.iter().zip(words).all(|(a, b)| singular(a) == b)
            };
            let column =
                column.filter(|(words, _)| called(words)).max_by_key(|(words, _)| words.len());
            // A name is longer than what its words mean by themselves.
            let stems = |count: usize| {
                rest[..count].iter().map(|word| singular(word).to_owned()).collect::<Vec<String>>()
            };
            let named = (1..=rest.len().min(MAX_NAME_WORDS))
                .rev()
                .map(stems)
                .find(|words| words.iter().all(|word| self.names(word)) && self.whole(words))
                .filter(|words| words.len() > 1);
            let length = meaning.map_or(0, |(words, _)| words.len());
            if let Some(words) = named.filter(|words| words.len() >= length) {
                at += words.len();
                items.push(Item::Name(words));
                continue;
            }
            if let Some((words, column)) = column.filter(|(words, _)| words.len() > length) {
                at += words.len();
                items.push(Item::Means(Meaning::Asks(Property::Column(column))));
                continue;
            }
            let single = singular(token);
            if let Some((words, meaning)) = meaning {
                at += words.len();
                items.push(Item::Means(*meaning));
                continue;
            }
            // What the shop calls something else.
            let same = SAME.iter().find_map(|(name, others)| {
                let said = rest.len() >= name.len()
                    && rest.iter().zip(name).all(|(token, own)| singular(token) == own);
                if !said || self.whole(name) {
                    return None;
                }
                let known = others.iter().find(|other| self.whole(other))?;
                Some((name.len(), known.clone()))
            });
            if let Some((length, words)) = same {
                at += length;
                items.push(Item::Name(words));
                continue;
            }
            at += 1;
            if self.names(single) || self.tells(single) {
                items.push(Item::Name(vec![single.to_owned()]));
            } else if let Ok(number) = token.parse::<f64>() {
                items.push(Item::Number(number));
            } else {
                // A word that is right means what it says, and that isn't understood.
                let meant = if is_word(token) { None } else { self.meant_by(token) };
                match meant {
                    Some(meant) => items.push(Item::Name(vec![meant.to_owned()])),
                    None if partly => items.push(Item::Unknown(token.to_owned())),
                    None => return None,
                }
            }
        }
        Some(items)
    }

    /// The one kind of goods that a question looks for by price or weight; what else it names is
    /// left out.
    fn kind(&self, parsed: &mut Parsed, rows: &[usize]) -> Option<Subject> {
        let only_stock =
            parsed.asks.iter().all(|asks| matches!(asks, Property::Price | Property::Stock));
        if parsed.bound.is_none() && parsed.extreme.is_none()
            || !only_stock
            || parsed.compare
            || parsed.more.is_some()
        {
            return None;
        }
        let mut found: Option<Subject> = None;
        for run in &parsed.runs {
            match self.meant(&run.words, rows).filter(|meant| meant.kind) {
                Some(_) if found.is_some() => return None,
                Some(meant) => {
                    let others = without(self.family(&meant, rows), &meant.rows);
                    found = Some(Subject {
                        named: vec![meant.rows],
                        kind: true,
                        others,
                        ..Subject::default()
                    });
                }
                None => parsed.unused.push(run.words.join(" ")),
            }
        }
        found
    }

    /// The things that the question names, or that were named just before.
    fn subject(&self, parsed: &Parsed, asked: &Asked<'_>, rows: &[usize]) -> Option<Subject> {
        let before = || self.before(asked, rows);
        let Some(first) = parsed.runs.first() else {
            if let Some(order) = parsed.more
                && (parsed.thing || parsed.have)
                && let Some(found) = before().and_then(|spoken| self.ahead_of(&spoken, order, rows))
            {
                return Some(found);
            }
            let open = parsed.thing || parsed.have && !parsed.pronoun && parsed.asks.is_empty();
            if open && !parsed.pronoun {
                let all = !parsed
                    .asks
                    .iter()
                    .any(|asks| !matches!(asks, Property::Price | Property::Stock));
                return all.then(|| Subject {
                    named: vec![rows.to_vec()],
                    everything: true,
                    ..Subject::default()
                });
            }
            return before();
        };
        // "And in Long?"
        if let Some(subject) = before().filter(|subject| subject.named.len() == 1 && !subject.kind)
        {
            let meant = self.meant(&first.words, rows);
            let family = [subject.named[0].as_slice(), &subject.others].concat();
            let narrowed = self.narrowed(&first.words, &family);
            if let Some(narrowed) = narrowed
                .filter(|_| parsed.runs.len() == 1 && meant.is_none_or(|meant| !meant.whole))
            {
                let others = without(family, &narrowed);
                return Some(Subject { named: vec![narrowed], others, ..Subject::default() });
            }
        }
        self.named(&parsed.runs, rows)
    }

    /// What runs of words name.
    fn named(&self, runs: &[Run], rows: &[usize]) -> Option<Subject> {
        let mut subject = Subject::default();
        // What a run names, before words narrowed it down, and what they left of it.
        let mut all: Vec<usize> = Vec::new();
        let mut narrowed: Option<Vec<usize>> = None;
        let letters = |word: &String| word.chars().any(char::is_alphabetic);
        for (at, run) in runs.iter().enumerate() {
            if at > 0
                && let Some(found) = self.narrowed(&run.words, &all)
                && !self.meant(&run.words, rows).is_some_and(|meant| meant.whole)
            {
                narrowed.get_or_insert_default().extend(found);
                continue;
            }
            // "The rain cover for the Corrie 60" is one thing.
            if at > 0 && run.near && !run.joined && runs.len() == 2 {
                let words = [runs[0].words.as_slice(), &run.words].concat();
                let meant = self.meant(&words, rows)?;
                let others = without(self.family(&meant, rows), &meant.rows);
                return Some(Subject { named: vec![meant.rows], others, ..Subject::default() });
            }
            if at > 0 && !(run.joined && run.near) {
                return None;
            }
            if let Some(found) = narrowed.take() {
                subject.narrow(found, &all);
            }
            if at == 0 && !run.words.iter().any(letters) {
                return None;
            }
            // "The Tarn 2 or 3", "the Cairn Alu or the Carbon": of the same family, unless another
            // name begins so.
            let like = |row: &usize| {
                all.iter().any(|other| self.rows[*row].begins_like(&self.rows[*other]))
            };
            let begins =
                |row: &usize| self.rows[*row].first_word() == run.words.first().map(String::as_str);
            let meant = if at > 0 && !run.words.iter().any(letters) {
                let family: Vec<usize> = rows.iter().copied().filter(like).collect();
                self.meant(&run.words, &family)?
            } else if let Some(head) = all.first().and_then(|row| self.rows[*row].first_word())
                && !rows.iter().any(begins)
            {
                let words = [&[head.to_owned()], run.words.as_slice()].concat();
                self.meant(&words, rows).or_else(|| self.meant(&run.words, rows))?
            } else {
                self.meant(&run.words, rows)?
            };
            if without(meant.rows.iter().copied(), &subject.rows()).len() < meant.rows.len() {
                return None;
            }
            all = self.family(&meant, rows);
            subject.others.extend(without(all.iter().copied(), &meant.rows));
            subject.kind |= meant.kind;
            subject.named.push(meant.rows);
        }
        if let Some(found) = narrowed.take() {
            subject.narrow(found, &all);
        }
        Some(subject)
    }

    /// All variants of the products that were meant, among `rows`.
    fn family(&self, meant: &Meant, rows: &[usize]) -> Vec<usize> {
        let key = |row: &usize| {
            let row = &self.rows[*row];
            (row.product.name.as_str(), row.passage.document.as_str())
        };
        let own: HashSet<(&str, &str)> = meant.rows.iter().map(key).collect();
        rows.iter().copied().filter(|row| own.contains(&key(row))).collect()
    }

    /// What the visitor named last, if nothing else was talked about since.
    fn before(&self, asked: &Asked<'_>, rows: &[usize]) -> Option<Subject> {
        const ELSEWHERE: [Topic; 5] =
            [Topic::Delivery, Topic::Discount, Topic::Payment, Topic::Returns, Topic::Complaint];
        let mut narrow: Vec<Vec<String>> = Vec::new();
        let mut answers: Vec<&str> = Vec::new();
        let lines = asked.history.iter().enumerate().rev().filter(|(_, line)| line.by_visitor);
        for (at, line) in lines.take(MAX_BACK) {
            if topics(&line.text).iter().any(|topic| ELSEWHERE.contains(topic)) {
                return None;
            }
            answers.extend(
                asked
                    .history
                    .get(at + 1)
                    .filter(|line| !line.by_visitor)
                    .map(|line| line.text.as_str()),
            );
            let parsed = self.parse(&line.text, asked.is_word, false);
            let runs = match &parsed {
                Some(parsed) => parsed.runs.clone(),
                None => self.runs_in(&line.text, rows),
            };
            let found = self
                .named(&runs, rows)
                .filter(|subject| !runs.is_empty() && !subject.named.is_empty());
            if let Some(mut subject) = found.filter(|subject| parsed.is_some() || !subject.kind) {
                // The one of several that an answer since then told of.
                let told = |answer: &&str| {
                    Some(self.named_in(answer, &subject.rows()))
                        .filter(|told| self.products(told).len() == 1)
                };
                if self.products(&subject.rows()).len() > 1
                    && let Some(told) = answers.iter().find_map(told)
                {
                    subject = Subject { named: vec![told], ..Subject::default() };
                }
                for words in narrow.iter().rev() {
                    if let [rows] = subject.named.as_mut_slice()
                        && let Some(narrowed) =
                            self.narrowed(words, &[rows.as_slice(), &subject.others].concat())
                    {
                        subject.others =
                            without([rows.as_slice(), &subject.others].concat(), &narrowed);
                        *rows = narrowed;
                    }
                }
                return Some(subject);
            }
            match parsed {
                // "How much is it in Long?"
                Some(parsed) if parsed.runs.len() == 1 => narrow.push(parsed.runs[0].words.clone()),
                Some(parsed) if parsed.runs.is_empty() && !parsed.thing => {}
                _ if split(&line.text, &|_| 0, false)
                    .iter()
                    .any(|word| PRONOUNS.contains(&word.as_str())) => {}
                _ => return None,
            }
        }
        None
    }

    /// The one name that a text holds beside other words.
    fn runs_in(&self, text: &str, rows: &[usize]) -> Vec<Run> {
        let known = |rest: &str| {
            let own = UNSPACED
                .iter()
                .filter(|word| rest.starts_with(**word))
                .map(|word| word.len())
                .max();
            own.unwrap_or(0).max(self.unspaced(rest))
        };
        let mut runs: Vec<Vec<String>> = vec![Vec::new()];
        for token in split(text, &known, false) {
            let stem = singular(&token);
            let named = self.names(stem) && !MEANINGS.contains_key(&token);
            match runs.last_mut() {
                Some(run) if named => run.push(stem.to_owned()),
                Some(run) if !run.is_empty() => runs.push(Vec::new()),
                _ => {}
            }
        }
        let letters = |word: &String| word.chars().count() > 2 || word.chars().any(unspaced);
        runs.retain(|words| words.iter().any(letters) && self.meant(words, rows).is_some());
        runs.truncate(2);
        if runs.len() > 1 {
            return Vec::new();
        }
        runs.into_iter().map(|words| Run { words, joined: false, near: true }).collect()
    }
}

/// Longer questions ask for more than rows hold.
const MAX_WORDS: usize = 40;
const MAX_BYTES: usize = 800;
const MAX_NAME_WORDS: usize = 8;
const PRONOUNS: &[&str] = &["it", "its", "they", "them"];

impl Subject {
    fn narrow(&mut self, found: Vec<usize>, all: &[usize]) {
        self.others = without(all.iter().copied(), &found);
        if let Some(last) = self.named.last_mut() {
            *last = found;
        }
    }
}

impl Parsed {
    /// Notes what a word means. `None` where two words contradict each other.
    fn take(&mut self, meaning: Meaning) -> Option<()> {
        self.bare &= meaning == Meaning::Article;
        match meaning {
            Meaning::Filler | Meaning::Article | Meaning::Than => {}
            Meaning::And => self.much_is_price(),
            Meaning::Versus => self.compare = true,
            Meaning::HowMuch => self.much = true,
            Meaning::Weighs => {
                self.much = false;
                self.ask(Property::Weight);
            }
            Meaning::YesNo => self.yes_no = true,
            Meaning::Pronoun => self.pronoun = true,
            Meaning::Thing => self.thing = true,
            Meaning::Have => self.have = true,
            Meaning::Show => self.show = true,
            Meaning::Compare => self.compare = true,
            Meaning::OutOfStock => self.out_of_stock = true,
            Meaning::Asks(property) => self.ask(property),
            Meaning::Extreme(measure, most) => {
                if self
                    .extreme
                    .replace((measure, most))
                    .is_some_and(|before| before != (measure, most))
                {
                    return None;
                }
            }
            Meaning::More(measure, more) => {
                self.by_how_much |= self.much;
                if self
                    .more
                    .replace((measure, more))
                    .is_some_and(|before| before != (measure, more))
                {
                    return None;
                }
            }
            // A limit without a number, or the other way round.
            Meaning::Under
            | Meaning::UpTo
            | Meaning::Over
            | Meaning::AtLeast
            | Meaning::Between
            | Meaning::OrLess
            | Meaning::OrMore
            | Meaning::Currency(_)
            | Meaning::Unit(_) => return None,
        }
        Some(())
    }

    fn ask(&mut self, property: Property) {
        if !self.asks.contains(&property) {
            self.asks.push(property);
        }
    }

    fn much_is_price(&mut self) {
        if std::mem::take(&mut self.much) {
            self.ask(Property::Price);
        }
    }

    /// Takes limits out: "under 250 euros", "between 100 and 200", "250欧元以下".
    fn bounded(&mut self, items: &[Item], shelf: &Shelf) -> Option<Vec<Item>> {
        let number = |item: Option<&Item>| match item {
            Some(Item::Number(number)) => Some(*number),
            Some(Item::Name(words)) if words.len() == 1 => words[0].parse().ok(),
            _ => None,
        };
        let means = |item: Option<&Item>, meaning: Meaning| matches!(item, Some(Item::Means(own)) if *own == meaning);
        let unit = |item: Option<&Item>| match item {
            Some(Item::Means(Meaning::Currency(code))) => Some((Measure::Price, *code)),
            Some(Item::Means(Meaning::Unit(unit))) => Some((Measure::Weight, *unit)),
            _ => None,
        };
        let mut rest = Vec::new();
        let mut at = 0;
        while at < items.len() {
            let mut next = at;
            let limit = match &items[next] {
                Item::Means(
                    limit @ (Meaning::Under
                    | Meaning::UpTo
                    | Meaning::Over
                    | Meaning::AtLeast
                    | Meaning::Between),
                ) => Some(*limit),
                // "Cheaper than 300 euros".
                Item::Means(Meaning::More(_, more))
                    if means(items.get(next + 1), Meaning::Than) =>
                {
                    next += 1;
                    Some(if *more { Meaning::Over } else { Meaning::Under })
                }
                _ => None,
            };
            if limit.is_some() {
                next += 1;
            }
            let before = unit(items.get(next));
            next += usize::from(before.is_some());
            let Some(first) = number(items.get(next)) else {
                // Less than something that is no number: a comparison.
                rest.push(items[at].clone());
                at += 1;
                continue;
            };
            next += 1;
            let mut of = before.or_else(|| unit(items.get(next)));
            next += usize::from(before.is_none() && of.is_some());
            let mut second = None;
            let range = limit.is_none() || limit == Some(Meaning::Between);
            let to =
                |item: Option<&Item>| means(item, Meaning::And) || means(item, Meaning::Filler);
            if range && (to(items.get(next)) || number(items.get(next)).is_some()) {
                let from = next + usize::from(number(items.get(next)).is_none());
                let own = unit(items.get(from));
                let from = from + usize::from(own.is_some());
                if let Some(number) = number(items.get(from)) {
                    let behind = unit(items.get(from + 1)).filter(|_| own.is_none());
                    if limit.is_some() || own.or(behind).is_some() {
                        second = Some(number);
                        next = from + 1 + usize::from(behind.is_some());
                        of = of.or(own).or(behind);
                    }
                }
            }
            let behind = match items.get(next) {
                Some(Item::Means(behind @ (Meaning::OrLess | Meaning::OrMore)))
                    if second.is_none() =>
                {
                    Some(*behind)
                }
                _ => None,
            };
            next += usize::from(behind.is_some());
            let (low, high, including) = match (behind.or(limit), second) {
                (Some(Meaning::Under), None) => (None, Some(first), false),
                (Some(Meaning::UpTo | Meaning::OrLess), None) => (None, Some(first), true),
                (Some(Meaning::Over), None) => (Some(first), None, false),
                (Some(Meaning::AtLeast | Meaning::OrMore), None) => (Some(first), None, true),
                (None | Some(Meaning::Between), Some(second)) => {
                    (Some(first.min(second)), Some(first.max(second)), true)
                }
                _ => {
                    rest.push(items[at].clone());
                    at += 1;
                    continue;
                }
            };
            let (measure, unit) =
                of.map_or((Measure::Price, None), |(measure, unit)| (measure, Some(unit)));
            // "Under 100 lumens" is about neither price nor weight.
            let more = of.is_none()
                && match items.get(next) {
                    Some(Item::Name(words)) => words.iter().all(|word| shelf.tells(word)),
                    Some(Item::Unknown(word)) => content_words(word).next().is_some(),
                    _ => false,
                };
            if self.bound.is_some() || more {
                return None;
            }
            self.bound = Some(Bound { measure, low, high, including, unit });
            self.bare = false;
            at = next;
        }
        Some(rest)
    }
}

impl Bound {
    /// Whether a row lies within; `None` where that can't be told.
    fn holds(&self, shelf: &Shelf, row: usize) -> Option<bool> {
        let mut figure = shelf.figure(self.measure, row)?;
        let own = shelf.unit(self.measure, row)?;
        if let Some(unit) = self.unit.filter(|unit| *unit != own && !own.is_empty()) {
            figure *= match (own.as_str(), unit) {
                ("g", "kg") => 0.001,
                ("kg", "g") => 1_000.0,
                _ => return None,
            };
        }
        let above = self.low.is_none_or(|low| figure > low || self.including && figure >= low);
        let below = self.high.is_none_or(|high| figure < high || self.including && figure <= high);
        Some(above && below)
    }
}

/// An answer in the making, with the rows that its figures are from.
struct Answer<'a> {
    shelf: &'a Shelf,
    language: &'a str,
    wording: &'a Wording,
    text: String,
    rows: Vec<usize>,
}

impl<'a> Answer<'a> {
    fn say(&self, key: Say) -> &'a str {
        self.wording.catalogue(self.language).say(key)
    }
}

impl Answer<'_> {
    fn sentence(&mut self, text: &str) {
        if !self.text.is_empty() && !self.text.ends_with(['\n', '。', ' ']) {
            self.text.push_str(self.say(Say::Gap));
        }
        self.text.push_str(text);
    }

    fn name(&self, rows: &[usize]) -> String {
        rows.first()
            .map(|row| self.shelf.rows[*row].product.name.replace('|', "/"))
            .unwrap_or_default()
    }

    /// "The boot costs", "the poles cost".
    fn verb(&self, keys: [Say; 2], name: &str, value: &str) -> String {
        let lower = name.to_lowercase();
        let last = crate::language::words::letter_runs(&lower).next_back().unwrap_or_default();
        fill(self.say(keys[usize::from(singular(last) != last)]), &[name, value])
    }

    fn compose(&mut self, parsed: &Parsed, subject: &Subject, all: &[usize]) -> Option<()> {
        let mut rows = subject.rows();
        if rows.is_empty() {
            return None;
        }
        if let Some(bound) = &parsed.bound {
            return self.within(parsed, subject, bound);
        }
        if subject.ahead {
            return self.list(&rows, false);
        }
        if parsed.out_of_stock {
            if subject.everything || subject.kind {
                return self.stocked(&rows, true);
            }
            return self.stock(&rows, &subject.others, false);
        }
        if parsed.compare || parsed.more.is_some() && subject.named.len() > 1 {
            return self.compare(parsed, subject);
        }
        let order = parsed.extreme.or(parsed.more.filter(|_| self.shelf.products(&rows).len() > 1));
        if let Some((measure, most)) = order {
            if parsed.asks.contains(&Property::Stock) {
                rows.retain(|row| self.shelf.rows[*row].product.available == Some(true));
            }
            // "The cheapest tent and backpack" are two.
            if subject.kind && subject.named.len() > 1 {
                return None;
            }
            self.extreme(&rows, measure, most)?;
            return self.rest_of(parsed, measure, all);
        }
        if parsed.more.is_some() {
            return None;
        }
        let stock_only = parsed.asks == [Property::Stock];
        if stock_only && (subject.kind || subject.everything) {
            // Of one thing it is asked how many there are.
            if self.shelf.products(&rows).len() == 1 {
                return self.stock(&rows, &subject.others, parsed.yes_no);
            }
            return self.stocked(&rows, false);
        }
        if subject.everything {
            // Prices of everything there is would be a long list.
            let asked = parsed.asks.is_empty() && (parsed.have || parsed.show && parsed.thing);
            return if asked { self.kinds(&rows) } else { None };
        }
        if !parsed.asks.is_empty() {
            return self.properties(parsed, subject);
        }
        let asked = parsed.have || parsed.show || parsed.bare && subject.kind && parsed.plural;
        if asked {
            return self.list(&rows, parsed.yes_no);
        }
        // "And in Long?" after something was named.
        let narrowed =
            parsed.runs.len() == 1 && !subject.others.is_empty() && subject.named.len() == 1;
        if narrowed && self.shelf.narrowed(&parsed.runs[0].words, &rows).is_some() {
            self.property(&rows, Property::Price)?;
            return self.stock(&rows, &[], false);
        }
        None
    }

    /// One value of several rows: "229 EUR (Regular) or 249 EUR (Long, out of stock)". `labels` are
    /// told even if all have the same.
    fn folded(
        &mut self,
        rows: &[usize],
        value: &dyn Fn(usize) -> Option<String>,
        labels: bool,
        stock: bool,
    ) -> Option<String> {
        struct Group {
            value: String,
            out: bool,
            rows: Vec<usize>,
        }
        let mut groups: Vec<Group> = Vec::new();
        for row in rows {
            let Some(value) = value(*row) else { continue };
            let out = stock && self.shelf.rows[*row].out_of_stock();
            match groups.iter_mut().find(|group| group.value == value && group.out == out) {
                Some(group) => group.rows.push(*row),
                None => groups.push(Group { value, out, rows: vec![*row] }),
            }
        }
        if groups.is_empty() {
            return None;
        }
        // Labels that don't tell the values apart say nothing.
        let label = |group: &Group| self.shelf.rows[group.rows[0]].label.clone();
        let alike = groups.iter().enumerate().any(|(at, group)| {
            groups[..at]
                .iter()
                .any(|other| label(other) == label(group) && other.value != group.value)
        });
        let range = || -> Vec<(String, usize)> {
            let there = groups.iter().any(|group| !group.out);
            let kept = groups.iter().filter(|group| !there || !group.out);
            kept.map(|group| (group.value.clone(), group.rows[0])).collect()
        };
        if groups.len() > MAX_VALUES || alike {
            return self.ranged(&range());
        }
        let told = labels || groups.len() > 1;
        let mut parts = Vec::new();
        for group in &groups {
            let labels: Vec<&str> = group
                .rows
                .iter()
                .filter_map(|row| self.shelf.rows[*row].label.as_deref())
                .filter(|_| told)
                .collect();
            let mut within: Vec<String> = Vec::new();
            if !labels.is_empty() && labels.len() <= MAX_VALUES {
                within.push(labels.join(self.say(Say::Either)));
                self.rows.extend(&group.rows);
            } else if groups.len() > 1 && told && labels.len() > MAX_VALUES {
                return self.ranged(&range());
            } else {
                self.rows.push(group.rows[0]);
            }
            if group.out {
                let later =
                    self.shelf.rows[group.rows[0]].product.later(self.language, self.wording);
                within.push(later.unwrap_or(self.say(Say::OutOfStock)).to_owned());
            }
            let within = within.join(self.say(Say::Comma));
            let within = if within.is_empty() {
                within
            } else {
                format!("{}{within}{}", self.say(Say::Open), self.say(Say::Close))
            };
            parts.push(format!("{}{within}", group.value));
        }
        Some(parts.join(self.say(Say::Or)))
    }

    /// "46.66 to 54.84 USD", where there are many.
    fn ranged(&mut self, values: &[(String, usize)]) -> Option<String> {
        let figure = |value: &str| {
            let number: String =
                value.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            number.parse::<f64>().ok().map(|figure| (figure, number))
        };
        let mut figures = values.iter().map(|(value, row)| {
            figure(value).map(|(figure, number)| (figure, number, value, *row))
        });
        let first = figures.next()??;
        let (mut low, mut high) = (first.clone(), first);
        for figure in figures {
            let figure = figure?;
            if figure.0 < low.0 {
                low = figure;
            } else if figure.0 > high.0 {
                high = figure;
            }
        }
        self.rows.extend([low.3, high.3]);
        if low.0 >= high.0 {
            return Some(high.2.clone());
        }
        Some(fill(self.say(Say::To), &[&low.1, high.2]))
    }

    fn price(&mut self, rows: &[usize]) -> Option<String> {
        let shelf = self.shelf;
        self.folded(rows, &|row| shelf.rows[row].price(), true, true)
    }

    /// A product in a list: "Tarn 2 tent: 349 EUR (Moss or Slate)".
    fn line(&mut self, rows: &[usize]) -> Option<String> {
        let value = self.price(rows).or_else(|| self.stock_of(rows));
        Some(format!("{}{}{}", self.name(rows), self.say(Say::Colon), value?))
    }

    fn list(&mut self, rows: &[usize], yes: bool) -> Option<()> {
        let products = self.shelf.products(rows);
        if yes {
            let gone = rows.iter().all(|row| self.shelf.rows[*row].out_of_stock());
            self.text.push_str(self.say(if gone { Say::NotThere } else { Say::There }));
        }
        if let [product] = products.as_slice() {
            let name = self.name(product);
            let Some(price) = self.price(product) else {
                let line = self.line(product)?;
                self.sentence(&format!("{line}{}", self.say(Say::Stop)));
                return Some(());
            };
            self.sentence(&self.verb([Say::Costs, Say::Cost], &name, &price));
            return Some(());
        }
        self.sentence(self.say(Say::Have));
        self.lines(&products)
    }

    fn lines(&mut self, products: &[Vec<usize>]) -> Option<()> {
        for product in products.iter().take(MAX_LISTED) {
            let line = self.line(product)?;
            self.text.push_str(&format!("\n- {line}"));
        }
        self.more(products.len().saturating_sub(MAX_LISTED));
        Some(())
    }

    fn more(&mut self, more: usize) {
        if more > 0 {
            let text = self.wording.catalogue(self.language).counted(more).map_or_else(
                || self.say(Say::MoreThan).to_owned(),
                |count| fill(self.say(Say::More), &[count]),
            );
            self.text.push_str(&format!("\n\n{text}"));
        }
    }

    /// "What do you sell?"
    fn kinds(&mut self, rows: &[usize]) -> Option<()> {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        for row in rows {
            let product = &self.shelf.rows[*row].product;
            let kind = product.category.as_deref().unwrap_or(&product.name);
            if known.insert(kind) {
                kinds.push((kind, *row));
            }
        }
        let named: Vec<&str> = kinds.iter().take(MAX_KINDS).map(|(kind, _)| *kind).collect();
        self.rows.extend(kinds.iter().take(MAX_SOURCES).map(|(_, row)| *row));
        let listed = named.join(self.say(Say::List));
        self.sentence(&fill(self.say(Say::Sell), &[&listed]));
        self.more(kinds.len().saturating_sub(MAX_KINDS));
        Some(())
    }

    /// What lies within limits.
    fn within(&mut self, parsed: &Parsed, subject: &Subject, bound: &Bound) -> Option<()> {
        let yes = parsed.yes_no;
        let only_stock = |asks: &Property| matches!(asks, Property::Price | Property::Stock);
        if !parsed.asks.iter().all(only_stock)
            || parsed.compare
            || parsed.more.is_some() && subject.named.len() > 1
        {
            return None;
        }
        let mut rows = subject.rows();
        if parsed.asks.contains(&Property::Stock) {
            rows.retain(|row| !self.shelf.rows[*row].out_of_stock());
        }
        let known: Option<Vec<bool>> =
            rows.iter().map(|row| bound.holds(self.shelf, *row)).collect();
        // One row in another currency, or without a weight: what was left out would be a claim.
        let within: Vec<usize> =
            rows.iter().zip(known?).filter(|(_, holds)| *holds).map(|(row, _)| *row).collect();
        if let Some((measure, most)) = parsed.extreme.filter(|_| !within.is_empty()) {
            return self.extreme(&within, measure, most);
        }
        if !within.is_empty() {
            return if bound.measure == Measure::Price {
                self.list(&within, yes)
            } else {
                self.measured(&within, bound.measure, yes)
            };
        }
        if subject.everything {
            return None;
        }
        self.text.push_str(if yes { self.say(Say::NotThere) } else { self.say(Say::None) });
        // How near one comes.
        self.extreme(&rows, bound.measure, bound.high.is_none())
    }

    /// A list with another figure than the price.
    fn measured(&mut self, rows: &[usize], measure: Measure, yes: bool) -> Option<()> {
        let property = if measure == Measure::Weight { Property::Weight } else { return None };
        if yes {
            self.text.push_str(self.say(Say::There));
        }
        let products = self.shelf.products(rows);
        if products.len() > 1 {
            self.sentence(self.say(Say::Have));
        }
        let column = self.shelf.column(property, rows)?;
        for product in products.iter().take(MAX_LISTED) {
            let shelf = self.shelf;
            let value = self.folded(
                product,
                &|row| shelf.rows[row].cell(column).map(str::to_owned),
                false,
                true,
            )?;
            if products.len() > 1 {
                let line = format!("\n- {}{}{value}", self.name(product), self.say(Say::Colon));
                self.text.push_str(&line);
            } else {
                let text = self.verb([Say::Weighs, Say::Weigh], &self.name(product), &value);
                self.sentence(&text);
            }
        }
        self.more(products.len().saturating_sub(MAX_LISTED));
        Some(())
    }

    /// The rows with the most or the least of something.
    fn extreme(&mut self, rows: &[usize], measure: Measure, most: bool) -> Option<()> {
        let shelf = self.shelf;
        let best = |rows: &[usize]| -> Option<Vec<usize>> {
            // A row without a price isn't offered at one; without another figure it could be the
            // one asked for.
            let known =
                |row: &usize| measure != Measure::Price || shelf.figure(measure, *row).is_some();
            let rows: Vec<usize> = rows.iter().copied().filter(known).collect();
            let figures: Option<Vec<(f64, usize)>> =
                rows.iter().map(|row| Some((shelf.figure(measure, *row)?, *row))).collect();
            let figures = figures?;
            let unit = shelf.unit(measure, *rows.first()?)?;
            if rows.iter().any(|row| shelf.unit(measure, *row).as_ref() != Some(&unit)) {
                return None;
            }
            let pick = |a: f64, b: f64| if most { a.max(b) } else { a.min(b) };
            let limit = figures.iter().map(|(figure, _)| *figure).reduce(pick)?;
            Some(
                figures
                    .into_iter()
                    .filter(|(figure, _)| figure.total_cmp(&limit).is_eq())
                    .map(|(_, row)| row)
                    .collect(),
            )
        };
        let key = match (measure, most) {
            (Measure::Price, false) => Say::Cheapest,
            (Measure::Price, true) => Say::Dearest,
            (Measure::Weight, false) => Say::Lightest,
            (Measure::Weight, true) => Say::Heaviest,
            (_, true) => Say::Most,
            (_, false) => Say::Least,
        };
        // What a kilo costs says nothing about what a metre does: each has its own cheapest.
        if measure == Measure::Price
            && let Some(groups) = self.by_unit(rows)
        {
            for group in groups {
                self.best(&best(&group)?, measure, key)?;
            }
            return Some(());
        }
        let winners = best(rows)?;
        self.best(&winners, measure, key)?;
        if winners.iter().all(|row| shelf.rows[*row].out_of_stock()) {
            let left: Vec<usize> =
                rows.iter().copied().filter(|row| !shelf.rows[*row].out_of_stock()).collect();
            if let Some(winners) = best(&left) {
                let lead = self.say(Say::OnStock);
                self.sentence(lead);
                for (at, product) in shelf.products(&winners).iter().enumerate() {
                    let name = self.name(product);
                    let value = self.value(product, measure)?;
                    let gap = if at > 0 { self.say(Say::Comma) } else { "" };
                    let text = format!("{gap}{name}{}{value}", self.say(Say::Colon));
                    self.text.push_str(&text);
                }
                self.text.push_str(self.say(Say::Stop));
            }
        }
        Some(())
    }

    /// Rows by what their prices are for, where that is said of each and isn't the same, and their
    /// currency is.
    fn by_unit(&self, rows: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        let priced = |row: &&usize| self.shelf.figure(Measure::Price, **row).is_some();
        for row in rows.iter().filter(priced) {
            let unit = self.shelf.unit(Measure::Price, *row)?;
            match groups.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, group)) => group.push(*row),
                None => groups.push((unit, vec![*row])),
            }
        }
        let parts: Option<Vec<(&str, &str)>> =
            groups.iter().map(|(unit, _)| unit.split_once(" / ")).collect();
        let currencies: HashSet<&str> = parts?.into_iter().map(|(currency, _)| currency).collect();
        let several = (2..=MAX_UNITS).contains(&groups.len()) && currencies.len() == 1;
        several.then(|| groups.into_iter().map(|(_, rows)| rows).collect())
    }

    fn best(&mut self, winners: &[usize], measure: Measure, key: Say) -> Option<()> {
        let products = self.shelf.products(winners);
        if products.len() > MAX_VALUES {
            return None;
        }
        for product in products {
            let (name, value) = (self.name(&product), self.value(&product, measure)?);
            self.sentence(&fill(self.say(key), &[&name, &value]));
        }
        Some(())
    }

    fn value(&mut self, rows: &[usize], measure: Measure) -> Option<String> {
        if measure == Measure::Price {
            return self.price(rows);
        }
        let shelf = self.shelf;
        let columns = (0..shelf.columns.len())
            .filter(|at| measure.columns().contains(&shelf.columns[*at].name.as_str()));
        let column = columns
            .into_iter()
            .find(|at| rows.iter().any(|row| shelf.rows[*row].cell(*at).is_some()))?;
        self.folded(rows, &|row| shelf.rows[row].cell(column).map(str::to_owned), true, true)
    }

    /// What else was asked of the cheapest one.
    fn rest_of(&mut self, parsed: &Parsed, measure: Measure, all: &[usize]) -> Option<()> {
        let told = match measure {
            Measure::Price => Property::Price,
            Measure::Weight => Property::Weight,
            _ => return Some(()),
        };
        let winner: Vec<usize> =
            self.rows.iter().copied().filter(|row| all.contains(row)).collect();
        for property in
            parsed.asks.iter().filter(|asks| **asks != told && **asks != Property::Stock)
        {
            self.property(&winner, *property)?;
        }
        Some(())
    }

    /// What there is of a kind that can be had now, or can't.
    fn stocked(&mut self, rows: &[usize], out: bool) -> Option<()> {
        if rows.iter().any(|row| self.shelf.rows[*row].product.available.is_none()) {
            return None;
        }
        let found: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| self.shelf.rows[*row].out_of_stock() == out)
            .collect();
        if found.is_empty() {
            let text = if out { Say::AllInStock } else { Say::OutOfStock };
            if !out {
                return None;
            }
            self.rows.extend(rows.iter().take(MAX_SOURCES));
            let text = self.say(text);
            self.sentence(text);
            return Some(());
        }
        let products = self.shelf.products(&found);
        if let [product] = products.as_slice() {
            let line = self.line(product)?;
            self.sentence(&format!("{line}{}", self.say(Say::Stop)));
            return Some(());
        }
        let lead = if out {
            format!("{}{}", self.say(Say::OutOfStock), self.say(Say::Colon))
        } else {
            self.say(Say::OnStock).to_owned()
        };
        let mut letters = lead.trim_end().chars();
        let lead: String =
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        self.sentence(&lead);
        self.lines(&products)
    }

    /// Every property that was asked about, of every product.
    fn properties(&mut self, parsed: &Parsed, subject: &Subject) -> Option<()> {
        let rows = subject.rows();
        let products = self.shelf.products(&rows);
        // "Is it of cotton?" wants a yes or no that a list of values isn't.
        if parsed.yes_no && parsed.asks.iter().any(|asks| matches!(asks, Property::Column(_))) {
            return None;
        }
        for property in &parsed.asks {
            if *property == Property::Stock {
                self.stock(&rows, &subject.others, parsed.yes_no && parsed.asks.len() == 1)?;
            } else if products.len() > 2 && parsed.asks.len() == 1 {
                self.table_of(&products, *property)?;
            } else {
                for product in products.iter().take(MAX_LISTED) {
                    self.property(product, *property)?;
                }
                if parsed.compare {
                    let measure = match property {
                        Property::Price => Measure::Price,
                        Property::Weight => Measure::Weight,
                        _ => continue,
                    };
                    self.difference(&products, measure);
                }
            }
        }
        (products.len() <= MAX_LISTED || parsed.asks.len() == 1).then_some(())
    }

    /// One property of many products, as a list.
    fn table_of(&mut self, products: &[Vec<usize>], property: Property) -> Option<()> {
        for product in products.iter().take(MAX_LISTED) {
            let value = self.told(product, property)?;
            let line = format!("\n- {}{}{value}", self.name(product), self.say(Say::Colon));
            self.text.push_str(&line);
        }
        self.more(products.len().saturating_sub(MAX_LISTED));
        Some(())
    }

    /// What the rows of one product say of a property.
    fn told(&mut self, rows: &[usize], property: Property) -> Option<String> {
        let shelf = self.shelf;
        let column = shelf.column(property, rows);
        match property {
            Property::Price => self.price(rows),
            Property::Number => {
                self.folded(rows, &|row| Some(shelf.rows[row].product.id.clone()), true, false)
            }
            Property::Link => {
                self.folded(rows, &|row| shelf.rows[row].product.url.clone(), false, false)
            }
            Property::Stock => self.stock_of(rows),
            Property::Colours | Property::Sizes | Property::Variants => {
                let label = |row: usize| match column {
                    Some(column) => shelf.rows[row].cell(column).map(str::to_owned),
                    None => shelf.rows[row].label.clone(),
                };
                let fits = |row: &usize| match property {
                    _ if column.is_some() => true,
                    Property::Colours => shelf.rows[*row].is_coloured(),
                    Property::Sizes => shelf.rows[*row].is_sized(),
                    _ => shelf.rows[*row].label.is_some(),
                };
                rows.iter().all(fits).then(|| self.options(rows, &label))?
            }
            Property::Weight | Property::Column(_) => {
                let column = column?;
                if shelf.columns[column].option {
                    return self
                        .options(rows, &|row| shelf.rows[row].cell(column).map(str::to_owned));
                }
                self.folded(
                    rows,
                    &|row| shelf.rows[row].cell(column).map(str::to_owned),
                    false,
                    false,
                )
            }
        }
    }

    /// Different values in order, those that can't be had marked.
    fn options(
        &mut self,
        rows: &[usize],
        label: &dyn Fn(usize) -> Option<String>,
    ) -> Option<String> {
        let mut options: Vec<(String, bool)> = Vec::new();
        for row in rows {
            let out = self.shelf.rows[*row].out_of_stock();
            let label = label(*row)?;
            match options.iter_mut().find(|(known, _)| *known == label) {
                Some(known) => known.1 &= out,
                None => {
                    options.push((label, out));
                    self.rows.push(*row);
                }
            }
        }
        if options.len() > MAX_OPTIONS {
            return None;
        }
        let told: Vec<String> = options
            .into_iter()
            .map(|(label, out)| {
                let (open, text, close) =
                    (self.say(Say::Open), self.say(Say::OutOfStock), self.say(Say::Close));
                if out { format!("{label}{open}{text}{close}") } else { label }
            })
            .collect();
        let (last, first) = told.split_last()?;
        Some(if first.is_empty() {
            last.clone()
        } else {
            format!("{}{}{last}", first.join(self.say(Say::List)), self.say(Say::And))
        })
    }

    fn property(&mut self, rows: &[usize], property: Property) -> Option<()> {
        let value = self.told(rows, property)?;
        let name = self.name(rows);
        let text = match property {
            Property::Price => self.verb([Say::Costs, Say::Cost], &name, &value),
            Property::Weight => self.verb([Say::Weighs, Say::Weigh], &name, &value),
            Property::Colours | Property::Sizes | Property::Variants => {
                self.verb([Say::Comes, Say::Come], &name, &value)
            }
            Property::Number => {
                format!(
                    "{name}{}{} {value}{}",
                    self.say(Say::Colon),
                    self.say(Say::ItemNo),
                    self.say(Say::Stop)
                )
            }
            Property::Link => format!("{name}{}{value} ", self.say(Say::Colon)),
            Property::Stock => {
                format!("{name}{}{value}{}", self.say(Say::Colon), self.say(Say::Stop))
            }
            Property::Column(at) => {
                let label = self.shelf.columns[at].label(self.language, self.wording);
                format!("{name}{}{label} {value}{}", self.say(Say::Colon), self.say(Say::Stop))
            }
        };
        self.sentence(&text);
        Some(())
    }

    /// "23 in stock (Moss), 11 in stock (Slate)".
    fn stock_of(&mut self, rows: &[usize]) -> Option<String> {
        let shelf = self.shelf;
        let pieces = self.say(Say::Pieces);
        let (there, gone) = (self.say(Say::InStock), self.say(Say::OutOfStock));
        let (language, wording) = (self.language, self.wording);
        let state = |row: usize, count: bool| {
            let product = &shelf.rows[row].product;
            Some(match (product.available?, product.stock) {
                (false, _) => product.later(language, wording).unwrap_or(gone).to_owned(),
                (true, Some(stock)) if count && stock > 0 => fill(pieces, &[&stock.to_string()]),
                (true, _) => there.to_owned(),
            })
        };
        if rows.iter().any(|row| shelf.rows[*row].product.available.is_none()) {
            return None;
        }
        let count = rows.len() <= MAX_VALUES;
        // "In stock" of many without saying which would be a guess.
        if !count
            && rows
                .iter()
                .any(|row| shelf.rows[*row].out_of_stock() != shelf.rows[rows[0]].out_of_stock())
        {
            return None;
        }
        self.folded(rows, &|row| state(row, count), true, false)
            .map(|text| text.replace(self.say(Say::Or), self.say(Say::Comma)))
    }

    /// Whether products can be had, and in what else if not.
    fn stock(&mut self, rows: &[usize], others: &[usize], yes_no: bool) -> Option<()> {
        let shelf = self.shelf;
        let out = rows.iter().filter(|row| shelf.rows[**row].out_of_stock()).count();
        if yes_no && (out == 0 || out == rows.len()) {
            self.text.push_str(if out == 0 {
                self.say(Say::There)
            } else {
                self.say(Say::NotThere)
            });
        }
        for product in shelf.products(rows) {
            self.property(&product, Property::Stock)?;
        }
        let left: Vec<usize> = others
            .iter()
            .copied()
            .filter(|row| shelf.rows[*row].product.available == Some(true))
            .collect();
        if out == rows.len() && !left.is_empty() {
            let lead = self.say(Say::OnStock);
            self.sentence(lead);
            let lines: Option<Vec<String>> =
                shelf.products(&left).iter().map(|product| self.line(product)).collect();
            let text = format!("{}{}", lines?.join(self.say(Say::Comma)), self.say(Say::Stop));
            self.text.push_str(&text);
        }
        Some(())
    }

    /// Two or more things side by side.
    fn compare(&mut self, parsed: &Parsed, subject: &Subject) -> Option<()> {
        let rows = subject.rows();
        let products = self.shelf.products(&rows);
        if products.len() < 2 || products.len() > MAX_LISTED {
            return None;
        }
        if let Some((measure, more)) = parsed.more {
            return self.verdict(parsed, subject, &products, measure, more);
        }
        if !parsed.asks.is_empty() {
            return self.properties(parsed, subject);
        }
        self.table(&products)
    }

    /// Which of several has more of something.
    fn verdict(
        &mut self,
        parsed: &Parsed,
        subject: &Subject,
        products: &[Vec<usize>],
        measure: Measure,
        more: bool,
    ) -> Option<()> {
        let shelf = self.shelf;
        let range = |rows: &[usize]| -> Option<(f64, f64)> {
            let figures: Option<Vec<f64>> =
                rows.iter().map(|row| shelf.figure(measure, *row)).collect();
            let figures = figures?;
            Some((
                figures.iter().copied().fold(f64::INFINITY, f64::min),
                figures.iter().copied().fold(0.0, f64::max),
            ))
        };
        let unit = shelf.unit(measure, *products.first()?.first()?)?;
        if products.iter().flatten().any(|row| shelf.unit(measure, *row).as_ref() != Some(&unit)) {
            return None;
        }
        let ahead = |a: (f64, f64), b: (f64, f64)| if more { a.0 > b.1 } else { a.1 < b.0 };
        let property = match measure {
            Measure::Price => Property::Price,
            Measure::Weight => Property::Weight,
            _ => return None,
        };
        if parsed.yes_no
            && subject.named.len() == 2
            && parsed.runs.last().is_some_and(|run| run.joined)
        {
            let (first, second) = (range(&subject.named[0])?, range(&subject.named[1])?);
            if ahead(first, second) {
                self.text.push_str(self.say(Say::Yes));
            } else if ahead(second, first) || first == second {
                self.text.push_str(self.say(Say::No));
            }
        } else {
            let ranges: Option<Vec<(f64, f64)>> = products.iter().map(|rows| range(rows)).collect();
            let ranges = ranges?;
            let wins = |at: &usize| {
                (0..ranges.len()).all(|other| other == *at || ahead(ranges[*at], ranges[other]))
            };
            if let Some(winner) = (0..ranges.len()).find(wins) {
                if products.len() > 2 {
                    return self.extreme(&products[winner], measure, more);
                }
                let key = match (measure, more) {
                    (Measure::Price, false) => Say::Cheaper,
                    (Measure::Price, true) => Say::Dearer,
                    (_, false) => Say::Lighter,
                    (_, true) => Say::Heavier,
                };
                let text = fill(self.say(key), &[&self.name(&products[winner])]);
                self.sentence(&text);
            }
        }
        for product in products {
            self.property(product, property)?;
        }
        if parsed.by_how_much {
            self.difference(products, measure);
        }
        Some(())
    }

    /// How far apart the figures of two products lie, where each has one.
    fn difference(&mut self, products: &[Vec<usize>], measure: Measure) {
        let shelf = self.shelf;
        let one = |rows: &Vec<usize>| {
            let first = *rows.first()?;
            let own = (shelf.figure(measure, first)?, shelf.unit(measure, first)?);
            let same = |row: &usize| {
                shelf.figure(measure, *row) == Some(own.0)
                    && shelf.unit(measure, *row).as_ref() == Some(&own.1)
            };
            rows.iter().all(same).then_some(own)
        };
        let [first, second] = products else { return };
        let (Some((a, unit)), Some((b, other))) = (one(first), one(second)) else { return };
        if unit != other || a.total_cmp(&b).is_eq() {
            return;
        }
        let value = format!("{:.2}", (a - b).abs());
        let value = value.strip_suffix(".00").unwrap_or(&value);
        let text = fill(self.say(Say::Difference), &[format!("{value} {unit}").trim()]);
        self.sentence(&text);
    }

    /// The columns in which products differ.
    fn table(&mut self, products: &[Vec<usize>]) -> Option<()> {
        let shelf = self.shelf;
        let mut table: Vec<(String, Vec<String>)> = Vec::new();
        let prices: Option<Vec<String>> = products.iter().map(|rows| self.price(rows)).collect();
        if let Some(prices) = prices {
            table.push((self.say(Say::Price).to_owned(), prices));
        }
        for (at, column) in shelf.columns.iter().enumerate().filter(|(_, column)| !column.option) {
            let kept = self.rows.len();
            let cell =
                |row: usize| shelf.rows[row].cell(at).map(|cell| cell.replace(['|', '\n'], " "));
            let cells: Option<Vec<String>> =
                products.iter().map(|rows| self.folded(rows, &cell, false, false)).collect();
            let differs =
                |cells: &Vec<String>| cells.iter().any(|cell| Some(cell) != cells.first());
            let short = |cells: &Vec<String>| cells.iter().all(|cell| cell.len() <= MAX_CELL);
            match cells.filter(differs).filter(short) {
                Some(cells) => {
                    let own = Measure::Weight.columns().contains(&column.name.as_str());
                    let label = if own {
                        self.say(Say::Weight).to_owned()
                    } else {
                        column.label(self.language, self.wording)
                    };
                    let mut letters = label.chars();
                    let label = letters
                        .next()
                        .into_iter()
                        .flat_map(char::to_uppercase)
                        .chain(letters)
                        .collect();
                    table.push((label, cells));
                }
                None => self.rows.truncate(kept),
            }
        }
        if table.is_empty() {
            return None;
        }
        let heads: Vec<&str> = table.iter().map(|(label, _)| label.as_str()).collect();
        let mut text = format!(
            "| {} | {} |\n|{}",
            self.say(Say::Product),
            heads.join(" | "),
            " --- |".repeat(heads.len() + 1)
        );
        for (at, rows) in products.iter().enumerate() {
            let cells: Vec<&str> =
                table.iter().filter_map(|(_, cells)| cells.get(at)).map(String::as_str).collect();
            text.push_str(&format!("\n| {} | {} |", self.name(rows), cells.join(" | ")));
        }
        self.text.push_str(&text);
        Some(())
    }
}

/// Longer values make no table.
const MAX_CELL: usize = 120;

#[cfg(test)]
mod tests;
