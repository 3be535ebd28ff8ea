//! Figures that follow from a sentence and the visitor's own: shares and rates. Pure.

use super::cues::has;
use super::phrasing::{self, Say};
use super::quantity::{Amount, Bound, Kind, amounts, whole_number};
use super::{Figure, Lead, Question, Said, Verdict};
use crate::language::words::{letter_runs, words};

/// Fractions in words, with how they are said in figures.
const SHARES: &[(&str, f64, &[&str])] = &[
    ("1/2", 0.5, &["half of", "half your", "die hälfte", "la moitié", "la mitad", "一半"]),
    (
        "1/3",
        1.0 / 3.0,
        &["a third of", "one third of", "ein drittel", "un tiers", "un tercio", "三分之一"],
    ),
    (
        "1/4",
        0.25,
        &[
            "a quarter of",
            "one quarter of",
            "ein viertel",
            "un quart",
            "una cuarta parte",
            "四分之一",
        ],
    ),
    (
        "1/5",
        0.2,
        &[
            "a fifth of",
            "one fifth of",
            "ein fünftel",
            "un cinquième",
            "una quinta parte",
            "五分之一",
        ],
    ),
    (
        "1/10",
        0.1,
        &[
            "a tenth of",
            "one tenth of",
            "ein zehntel",
            "un dixième",
            "una décima parte",
            "十分之一",
        ],
    ),
];

/// What a share is taken of: words of the sentence, and words of a question that tells its amount.
const BASES: &[(Kind, &[&str], &[&str])] = &[
    (
        Kind::Mass,
        &[
            "body weight",
            "bodyweight",
            "your weight",
            "körpergewicht",
            "poids du corps",
            "poids corporel",
            "votre poids",
            "peso corporal",
            "体重",
        ],
        &[
            "i weigh",
            "my weight",
            "weighs",
            "i'm",
            "i am",
            "wiege",
            "mein gewicht",
            "je pèse",
            "mon poids",
            "peso",
            "mi peso",
            "体重",
            "我重",
        ],
    ),
    (
        Kind::Money,
        &[
            "order value",
            "of the order",
            "purchase price",
            "the price",
            "bestellwert",
            "kaufpreis",
            "montant de la commande",
            "prix d'achat",
            "valor del pedido",
            "precio de compra",
            "订单金额",
            "购买价",
        ],
        &[
            "order", "costs", "price", "worth", "bestell", "kostet", "preis", "commande", "coûte",
            "prix", "pedido", "cuesta", "precio", "订单", "价格",
        ],
    ),
];

const HOW_MUCH: &[&str] = &[
    "how much",
    "how heavy",
    "how many",
    "what is the",
    "maximum",
    "at most",
    "wie viel",
    "wie schwer",
    "wie hoch",
    "höchstens",
    "combien",
    "quel poids",
    "quel est",
    "au maximum",
    "cuánto",
    "cuántos",
    "máximo",
    "多少",
    "多重",
    "最多",
];

/// A share of the visitor's own amount: "a fifth of your body weight" for 60 kg is 12 kg.
pub(super) fn share(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let lower = question.text.to_lowercase();
    let found = amounts(question.text, question.language);
    let [amount] = found.as_slice() else { return None };
    if amount.bound != Bound::Exact || amount.value <= 0.0 || !has(&lower, HOW_MUCH) {
        return None;
    }
    for at in applying {
        let said = chosen.get(*at)?;
        let says = said.text.to_lowercase();
        // One sentence of the text tells the share; an example may follow.
        let Some((shown, factor, of)) = one_share(&says, question) else { continue };
        let based = BASES.iter().any(|(kind, told, asked)| {
            *kind == amount.unit.kind && has(&of, told) && has(&lower, asked)
        });
        if !based {
            continue;
        }
        let value = (amount.value * factor * 100.0).round() / 100.0;
        let result = phrasing::value(value, &amount.unit, question.figures());
        let own = phrasing::shown(amount, question.figures());
        let at_most = has(
            &says,
            &[
                "no more than",
                "at most",
                "not more than",
                "maximum",
                "up to",
                "höchstens",
                "maximal",
                "nicht mehr als",
                "au plus",
                "pas plus",
                "máximo",
                "no más",
                "不超过",
                "最多",
            ],
        );
        let say = Say::Share {
            result: result.clone(),
            share: shown.clone(),
            amount: own.clone(),
            at_most,
        };
        // A share in words stands in its sentence as it is, and no number of it does.
        let inputs = if shown.ends_with('%') { vec![own, shown] } else { vec![own] };
        let figures = vec![Figure { shown: result, inputs }];
        let text = question.say(&say, None);
        return Some(Lead { text, verdict: Verdict::Figure, inputs: vec![*at], figures });
    }
    None
}

/// The one share in a lower-case text: as it is said in figures, its factor, and what it is of.
fn one_share(says: &str, question: &Question<'_>) -> Option<(String, f64, String)> {
    let mut found: Vec<(String, f64, String)> = Vec::new();
    for (shown, factor, words) in SHARES {
        if let Some((at, word)) = words.iter().find_map(|word| says.find(word).map(|at| (at, word)))
        {
            let of = if word.ends_with("分之一") || *word == "一半" {
                says.get(..at)
            } else {
                says.get(at..)
            };
            found.push(((*shown).to_owned(), *factor, until_end(of.unwrap_or_default())));
        }
    }
    for amount in amounts(says, "en")
        .into_iter()
        .filter(|amount| amount.unit.kind == Kind::Percent && amount.to.is_none())
    {
        let of = says.get(amount.at.end..).unwrap_or_default();
        let stands = ["of", "des", "der", "vom", "von", "du", "de la", "de l", "del", "de"]
            .iter()
            .any(|word| of.trim_start().starts_with(word));
        if stands {
            found.push((
                phrasing::shown(&amount, question.wording.figures("en")),
                amount.value / 100.0,
                until_end(of),
            ));
        }
    }
    let [one] = found.as_slice() else { return None };
    Some(one.clone())
}

fn until_end(text: &str) -> String {
    text.split(['.', '。', ';', '；']).next().unwrap_or_default().chars().take(60).collect()
}

/// So many against so much: "100 points are worth 5 EUR" for a voucher of 10 EUR are 200 points.
pub(super) fn rate(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let found = amounts(question.text, question.language);
    let lower = question.text.to_lowercase();
    let noun = counted(&lower)?;
    for at in applying {
        let said = chosen.get(*at)?;
        // A question that is said in English word for word has the nouns of English sentences.
        if said.language != question.language && said.language != "en" {
            continue;
        }
        let Some(rate) = Rate::of(said, &noun) else { continue };
        // Word for word, a verb may stand where a noun does, and a name's number before it.
        let glossed = said.language != question.language;
        if glossed && rate.amount.unit.kind != Kind::Money {
            continue;
        }
        // How many for so much.
        if let [amount] = found.as_slice()
            && asks_how_many(&lower, &noun)
            && amount.bound == Bound::Exact
            && amount.unit.matches(&rate.amount.unit)
        {
            let count = rate.count * amount.value / rate.amount.value;
            if (count - count.round()).abs() > 1e-6 {
                return None;
            }
            // The sentence may have the singular ("one tree for every 750 EUR").
            let mut asked = words(question.text);
            let shown = asked.find(|word| word.to_lowercase() == noun).unwrap_or(&rate.noun);
            let result = format!("{} {shown}", count.round());
            let own = phrasing::shown(amount, question.figures());
            let say = Say::Rate { result: result.clone(), amount: own.clone() };
            let basis = format!("{} {}", rate.count, rate.noun);
            let inputs = vec![own, basis, phrasing::shown(&rate.amount, question.figures())];
            let text = question.say(&say, None);
            let figures = vec![Figure { shown: result, inputs }];
            return Some(Lead { text, verdict: Verdict::Figure, inputs: vec![*at], figures });
        }
        // How much are so many worth.
        if found.is_empty()
            && let Some(count) = count_before(&lower, &noun, question.language)
            && has(
                &lower,
                &[
                    "=worth", "how much", "value", "=wert", "wie viel", "combien", "valent",
                    "valen", "cuánto", "值", "多少",
                ],
            )
        {
            // Vouchers come whole: for 250 of what 100 of are worth one there are two.
            let times = count / rate.count;
            let times =
                if has(&said.text.to_lowercase(), VOUCHERS) { times.floor() } else { times };
            if times <= 0.0 {
                return None;
            }
            let value = rate.amount.value * times;
            let result = phrasing::value(
                (value * 100.0).round() / 100.0,
                &rate.amount.unit,
                question.figures(),
            );
            let own = format!("{count} {}", rate.noun);
            // The noun is the visitor's in English alone.
            let say = if glossed {
                Say::Plain { said: result.clone() }
            } else {
                Say::Rate { result: result.clone(), amount: own.clone() }
            };
            let inputs = vec![
                own,
                format!("{} {}", rate.count, rate.noun),
                phrasing::shown(&rate.amount, question.figures()),
            ];
            let text = question.say(&say, None);
            let figures = vec![Figure { shown: result, inputs }];
            return Some(Lead { text, verdict: Verdict::Figure, inputs: vec![*at], figures });
        }
    }
    None
}

/// What is given in whole pieces alone.
const VOUCHERS: &[&str] =
    &["voucher", "coupon", "gutschein", "bon d'achat", "bons d'achat", "cupón", "cupones", "券"];

struct Rate {
    count: f64,
    noun: String,
    amount: Amount,
}

impl Rate {
    /// The rate in the one part of a sentence that has a number of the noun and one amount, tied by
    /// a word of worth.
    fn of(said: &Said<'_>, noun: &str) -> Option<Self> {
        const WORTH: &[&str] = &[
            "=worth",
            "equal",
            "=per",
            "for every",
            "for each",
            "entsprechen",
            "=wert",
            "=pro",
            "je=",
            "valent",
            "équivalent",
            "=par",
            "valen",
            "equivalen",
            "=por",
            "值",
            "等于",
            "兑换",
            "可换",
        ];
        let lower = said.text.to_lowercase();
        let mut found = None;
        for part in lower
            .split([';', '。'])
            .flat_map(|part| part.split(", and "))
            .flat_map(|part| part.split(". "))
        {
            let money: Vec<Amount> = amounts(part, said.language);
            let [amount] = money.as_slice() else { continue };
            let Some(count) = count_before(part, noun, said.language) else { continue };
            if amount.bound != Bound::Exact
                || amount.value <= 0.0
                || count <= 0.0
                || !has(part, WORTH)
            {
                continue;
            }
            if found
                .replace(Self { count, noun: shown_noun(part, noun), amount: amount.clone() })
                .is_some()
            {
                return None;
            }
        }
        found
    }
}

/// The noun that a question counts: "how many points", "300 points".
fn counted(lower: &str) -> Option<String> {
    for ask in ["how many ", "wie viele ", "combien de ", "cuántos ", "cuántas "] {
        if let Some((_, rest)) = lower.split_once(ask) {
            return letter_runs(rest)
                .next()
                .filter(|word| rest.starts_with(word) && word.chars().count() >= 3)
                .map(str::to_owned);
        }
    }
    let mut words = words(lower).peekable();
    while let Some(word) = words.next() {
        if word.bytes().all(|b| b.is_ascii_digit())
            && let Some(next) = words.peek()
            && next.chars().count() >= 4
            && next.chars().all(char::is_alphabetic)
        {
            return Some((*next).to_owned());
        }
    }
    None
}

fn asks_how_many(lower: &str, noun: &str) -> bool {
    ["how many ", "wie viele ", "combien de ", "cuántos ", "cuántas "]
        .iter()
        .any(|ask| lower.contains(&format!("{ask}{noun}")))
}

/// Singular and plural are one noun.
fn same_noun(a: &str, b: &str) -> bool {
    a.trim_end_matches(['s', 'e', 'n']) == b.trim_end_matches(['s', 'e', 'n'])
}

/// The number that stands before a noun.
fn count_before(text: &str, noun: &str, language: &str) -> Option<f64> {
    let words: Vec<&str> = words(text).collect();
    let mut counts = words.windows(2).filter_map(|pair| {
        let [number, word] = pair else { return None };
        if same_noun(word, noun) { whole_number(number, language) } else { None }
    });
    let count = counts.next()?;
    counts.next().is_none().then_some(count)
}

fn shown_noun(text: &str, noun: &str) -> String {
    let mut words = words(text).filter(|word| same_noun(word, noun));
    words.next().unwrap_or(noun).to_owned()
}
