//! The words by which questions and conditions are told apart, in English, German, French, Spanish
//! and Chinese. Pure.
//!
//! A cue is the beginning of a word ("ship" also stands for "shipping"), a whole word where it
//! begins with `=`, or a piece of Chinese text.

use crate::language::script::is_han;

/// What a question or a condition is about. A condition is compared only with a question about the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Delivery,
    Return,
    Exchange,
    Warranty,
    Repair,
    Validity,
    Instalments,
    Cancellation,
    Change,
    PriceMatch,
    Discount,
    Transfer,
    Withdrawal,
}

const TOPICS: &[(Topic, &[&str])] = &[
    (
        Topic::Delivery,
        &[
            "ship", "deliver", "postage", "versand", "versend", "liefer", "porto=", "zustell",
            "livrais", "livrer", "livrez", "expédi", "envío", "=envio", "envía", "enviá", "envian",
            "enviar", "entrega", "运费", "配送", "寄到", "寄往", "能寄", "送货", "发货", "包邮",
            "邮费", "免邮", "送到",
        ],
    ),
    (
        Topic::Return,
        &[
            "return",
            "send back",
            "sent back",
            "sending back",
            "send it back",
            "send them back",
            "give back",
            "bring back",
            "take back",
            "it go back",
            "them go back",
            "they go back",
            "refund",
            "money back",
            "zurückgeb",
            "zurückgegeb",
            "zurückschick",
            "zurücksend",
            "rückgabe",
            "retour",
            "rücksend",
            "erstatt",
            "renvoy",
            "renvoi",
            "rembours",
            "devol",
            "devuel",
            "reembols",
            "退货",
            "退款",
            "退回",
            "可退",
            "能退",
            "可以退",
            "退掉",
            "退换",
        ],
    ),
    (
        Topic::Exchange,
        &[
            "exchang",
            "swap",
            "umtausch",
            "umgetauscht",
            "échang",
            "=cambio",
            "cambiar",
            "换货",
            "调换",
            "退换",
        ],
    ),
    (
        Topic::Warranty,
        &[
            "warrant",
            "guarant",
            "garant",
            "gewährleist",
            "=covered",
            "abgedeckt",
            "couvert",
            "cubiert",
            "保修",
            "质保",
            "保质",
        ],
    ),
    (Topic::Repair, &["repair", "reparatur", "reparier", "répar", "repara", "维修", "修理"]),
    (
        Topic::Validity,
        &[
            "valid",
            "expire",
            "expiry",
            "expiration",
            "gültig",
            "verfall",
            "verfäll",
            "ablauf",
            "läuft ab",
            "abgelaufen",
            "valable",
            "validité",
            "expir",
            "périm",
            "válid",
            "validez",
            "caduc",
            "vence",
            "有效",
            "过期",
            "到期",
        ],
    ),
    (
        Topic::Instalments,
        &[
            "instalment",
            "installment",
            "ratenzahl",
            "ratenkauf",
            "=raten",
            "mensualit",
            "plusieurs fois",
            "échelonn",
            "=plazos",
            "=cuotas",
            "分期",
        ],
    ),
    (
        Topic::Cancellation,
        &["cancel", "storn", "widerruf", "widerrufen", "annul", "résili", "kündig", "取消", "撤销"],
    ),
    (
        Topic::Change,
        &[
            "=change",
            "changed",
            "changing",
            "=edit",
            "=modify",
            "=amend",
            "typed the wrong",
            "entered the wrong",
            "put the wrong",
            "gave the wrong",
            "ordered the wrong",
            "wrong address",
            "wrong size",
            "wrong colour",
            "=typo",
            "mistyped",
            "=ändern",
            "geändert",
            "änderung",
            "vertippt",
            "falsche adresse",
            "falsche größe",
            "falsch eingegeben",
            "modifi",
            "mauvaise adresse",
            "mauvaise taille",
            "me suis trompé",
            "dirección equivocada",
            "talla equivocada",
            "equivoqu",
            "修改",
            "更改",
            "填错",
        ],
    ),
    (
        Topic::PriceMatch,
        &[
            "price match",
            "price promise",
            "price falls",
            "price drop",
            "price has fallen",
            "price went down",
            "preis sinkt",
            "preis gesunken",
            "prix baisse",
            "prix a baissé",
            "precio baja",
            "precio ha bajado",
            "降价",
            "cheaper",
            "bestpreis",
            "günstiger",
            "moins cher",
            "más barato",
            "差价",
            "保价",
        ],
    ),
    (Topic::Discount, &["discount", "rabatt", "=remise", "réduction", "descuento", "折扣", "打折"]),
    (Topic::Transfer, &["transfer", "überweis", "virement", "转账", "汇款"]),
    (Topic::Withdrawal, &["withdraw", "abheb", "auszahl", "retrait", "retirar", "取款", "提现"]),
];

/// The topics that a text speaks of.
#[must_use]
pub fn topics(text: &str) -> Vec<Topic> {
    let lower = text.to_lowercase();
    TOPICS.iter().filter(|(_, cues)| has(&lower, cues)).map(|(topic, _)| *topic).collect()
}

/// Whether a stem is a word of a topic: it says what is asked of a thing, not of which thing.
#[must_use]
pub fn is_of_topic(stem: &str) -> bool {
    stem == "cover" || !topics(stem).is_empty()
}

/// Whether a lower-case text holds one of the cues.
#[must_use]
pub fn has(lower: &str, cues: &[&str]) -> bool {
    cues.iter().any(|cue| find(lower, cue).is_some())
}

/// Where a lower-case text holds the first of some cues.
#[must_use]
pub fn first(lower: &str, cues: &[&str]) -> Option<usize> {
    cues.iter().filter_map(|cue| find(lower, cue)).min()
}

/// Where a lower-case text holds a cue.
fn find(lower: &str, cue: &str) -> Option<usize> {
    let (cue, whole) = cue
        .strip_prefix('=')
        .or_else(|| cue.strip_suffix('='))
        .map_or((cue, false), |cue| (cue, true));
    lower.match_indices(cue).map(|(at, _)| at).find(|&at| {
        if cue.starts_with(is_han) {
            return true;
        }
        let opens = lower
            .get(..at)
            .unwrap_or_default()
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() || is_han(c));
        let after = lower.get(at + cue.len()..).unwrap_or_default().chars().next();
        opens && (!whole || after.is_none_or(|c| !c.is_alphanumeric() || is_han(c)))
    })
}

/// Words of what is ordered or spent: the amount beside them is the value of an order.
pub const ORDER: &[&str] = &[
    "basket",
    "=cart",
    "order",
    "=buy",
    "buying",
    "bought",
    "purchas",
    "spend",
    "spent",
    "=worth",
    "in total",
    "bestell",
    "warenkorb",
    "einkauf",
    "kaufe",
    "gekauft",
    "commande",
    "panier",
    "achat",
    "achèt",
    "achet",
    "pedido",
    "cesta",
    "carrito",
    "compr",
    "gasto de",
    "gastar",
    "买",
    "订单",
    "购物",
    "下单",
    "消费",
    "花了",
];
/// Words of money that is no order's value: what is given, owned or asked for something else.
pub const OTHER_MONEY: &[&str] = &[
    "voucher",
    "gift card",
    "giftcard",
    "gutschein",
    "geschenkkarte",
    "bon d'achat",
    "carte cadeau",
    "chèque",
    "vale=",
    "tarjeta regalo",
    "cupón",
    "优惠券",
    "礼品卡",
    "礼券",
    "charged",
    "refund",
    "budget",
    "cheaper",
    "discount",
    "off=",
    "deposit",
    "salary",
    "income",
    "balance",
];
pub const FREE: &[&str] = &[
    "free",
    "no charge",
    "no delivery charge",
    "kostenlos",
    "kostenfrei",
    "versandkostenfrei",
    "portofrei",
    "gratis",
    "umsonst",
    "=frei",
    "gratuit",
    "offert",
    "免运费",
    "免费",
    "包邮",
    "免邮",
];
/// What a fee is told by.
pub const FEE: &[&str] = &[
    "cost", "price", "fee", "charge", "kost", "preis", "gebühr", "coût", "coûte", "tarif", "prix",
    "frais", "cuesta", "coste", "precio", "gastos", "tarifa", "运费", "费用", "收费", "价格",
    "收取", "邮费",
];
pub const HOW_LONG: &[&str] = &[
    "how long",
    "how soon",
    "how fast",
    "how quick",
    "=when",
    "=wann",
    "wie lange",
    "wie schnell",
    "combien de temps",
    "=quand",
    "=délai",
    "cuándo",
    "cuánto tiempo",
    "cuánto tarda",
    "多久",
    "多长时间",
    "什么时候",
    "几天",
];
/// Words that make a condition depend on more than the compared amount.
pub const HEDGES: &[&str] = &[
    "=if",
    "unless",
    "except",
    "=only",
    "unused",
    "provided",
    "as long as",
    "=when",
    "subject to",
    "member",
    "=unworn",
    "certain",
    "selected",
    "some=",
    "may=",
    "depend",
    "except",
    "excluding",
    "=also",
    "both=",
    "in addition",
    "first",
    "wenn",
    "falls=",
    "sofern",
    "=nur",
    "außer",
    "unbenutzt",
    "ungetragen",
    "solange",
    "mitglied",
    "vorausgesetzt",
    "=si",
    "sauf",
    "seulement",
    "uniquement",
    "non utilis",
    "à condition",
    "membre",
    "=solo",
    "sólo",
    "siempre que",
    "excepto",
    "salvo",
    "sin usar",
    "socios",
    "仅",
    "只",
    "未使用",
    "除非",
    "如果",
    "会员",
    "除外",
];
/// Words that turn a question round, so that a plain yes would mean the opposite.
const TURNED: &[&str] = &[
    "=not",
    "n't",
    "n’t",
    "=no",
    "too late",
    "=late",
    "=too",
    "without",
    "expired",
    "=lose",
    "lost",
    "=pay",
    "paying",
    "=cost",
    "costs",
    "charge",
    "=fee",
    "reject",
    "refus",
    "forbid",
    "=over",
    "exceed",
    "instead",
    "=or",
    "nicht",
    "=kein",
    "=keine",
    "=keinen",
    "ohne",
    "=zu",
    "zahl",
    "kost",
    "verlier",
    "abgelaufen",
    "=oder",
    "=pas",
    "sans",
    "=trop",
    "payer",
    "coût",
    "=ou",
    "=sin",
    "demasiado",
    "pagar",
    "cuesta",
    "=o",
    "不",
    "没",
    "过期",
    "付",
    "收费",
    "多少",
    "太",
    "还是",
    "要钱",
];
const ASKS_OPENLY: &[&str] = &[
    "=how",
    "=what",
    "=whats",
    "what's",
    "=which",
    "=where",
    "=who",
    "=why",
    "=when",
    "=wie",
    "=was",
    "=welch",
    "welche",
    "=wo",
    "=wer",
    "=warum",
    "=wann",
    "wieviel",
    "wie viel",
    "combien",
    "quel",
    "=comment",
    "pourquoi",
    "=où",
    "=quand",
    "=qui",
    "cuánt",
    "=qué",
    "cuál",
    "dónde",
    "=cómo",
    "quién",
    "什么",
    "怎么",
    "哪",
    "多少",
    "几",
    "多久",
    "如何",
    "为什么",
];
/// Words that an English question for a yes or no begins with, or that it ends in by themselves:
/// "…, possible?".
const OPENS_YES: &[&str] = &[
    "can", "could", "do", "does", "did", "is", "are", "am", "will", "would", "may", "should",
    "has", "have", "isn't", "aren't", "can't", "don't", "doesn't", "possible", "allowed", "ok",
    "okay",
];
const ASKS_YES: &[&str] = &[
    "=kann",
    "=können",
    "=könnte",
    "=darf",
    "=dürfen",
    "=ist",
    "=sind",
    "=gibt",
    "=gilt",
    "=hat",
    "=haben",
    "=geht",
    "=wird",
    "=werden",
    "=liefern",
    "=liefert",
    "=versenden",
    "=verschickt",
    "=bekomme",
    "=möglich",
    "est-ce",
    "=puis",
    "puis-je",
    "peut",
    "pouvez",
    "=est",
    "=sont",
    "livrez",
    "acceptez",
    "avez",
    "y a-t-il",
    "puedo",
    "puede",
    "=es",
    "=está",
    "=hay",
    "tiene",
    "=sirve",
    "enviáis",
    "envían",
    "aceptan",
    "posible",
    "=vale",
    "吗",
    "能不能",
    "可不可以",
    "是否",
    "可以",
    "能否",
];

/// Whether a question wants a yes or a no, and a plain one can't be misread: it asks whether
/// something is so, without a word that turns it round.
#[must_use]
pub fn wants_yes(question: &str) -> bool {
    is_yes_no(question) && !has(&last_sentence(question), TURNED)
}

/// Whether a question can be answered by yes or no.
#[must_use]
pub fn is_yes_no(question: &str) -> bool {
    let last = last_sentence(question);
    (opens_yes(&last) || has(&last, ASKS_YES)) && !has(&last, ASKS_OPENLY)
}

/// Whether a clause begins as English questions for a yes or no do.
fn opens_yes(last: &str) -> bool {
    const FILLERS: &[&str] =
        &["hi", "hello", "hey", "ok", "so", "and", "but", "then", "please", "also", "or"];
    last.replace('’', "'").split([',', ';', ':']).flat_map(|clause| clause.split(" and ")).any(
        |clause| {
            let mut words = clause.split_whitespace().skip_while(|word| FILLERS.contains(word));
            words.next().or(Some(clause.trim())).is_some_and(|word| OPENS_YES.contains(&word))
        },
    )
}

/// The sentence of a message that asks, lower-case: the last with a question mark, else the last.
#[must_use]
pub fn last_sentence(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let asked = lower.rfind(['?', '？']).and_then(|at| lower.get(..at)).unwrap_or(&lower);
    let body = asked.trim_end_matches(['?', '!', '.', '？', '！', '。', ' ']);
    // "1.90 m" goes on.
    let ends = body.char_indices().filter(|(at, c)| {
        matches!(c, '？' | '！' | '。' | '\n')
            || matches!(c, '.' | '?' | '!')
                && body
                    .get(at + c.len_utf8()..)
                    .is_some_and(|rest| rest.starts_with(char::is_whitespace))
    });
    let start = ends.map(|(at, c)| at + c.len_utf8()).next_back().unwrap_or(0);
    body.get(start..).unwrap_or_default().trim_matches([' ', '¿', '¡']).to_owned()
}

/// Function words of German, French and Spanish; English and Chinese ones are left out with the
/// other stop words.
pub const FUNCTION: &[&str] = &[
    "ich", "du", "er", "sie", "es", "wir", "ihr", "mein", "mich", "mir", "ihm", "ihn", "das",
    "der", "die", "den", "dem", "des", "ein", "ist", "sind", "hat", "hab", "habe", "haben", "darf",
    "dürfen", "kann", "können", "soll", "und", "oder", "noch", "für", "auf", "mit", "von", "bei",
    "nach", "vor", "seit", "zum", "zur", "im", "am", "auch", "jetzt", "da", "dann", "meine",
    "meinen", "meiner", "meinem", "eine", "einen", "einem", "einer", "je", "tu", "il", "elle",
    "nous", "vous", "mon", "ma", "mes", "la", "le", "les", "un", "une", "des", "du", "de", "et",
    "est", "sont", "ai", "à", "au", "aux", "en", "pour", "peut", "puis", "encor", "que", "qui",
    "ce", "cett", "se", "depuis", "après", "yo", "él", "ella", "mi", "mis", "el", "los", "las",
    "una", "y", "o", "con", "por", "para", "puedo", "puede", "tien", "tengo", "todavía", "aún",
    "del", "al", "lo", "su",
];

/// Words that negate a statement's predicate.
pub const DENIALS: &[&str] = &[
    "=not", "n't", "n’t", "cannot", "=no", "=never", "=neither", "=nor", "=none", "nicht", "=kein",
    "=keine", "=keinen", "=keiner", "=nie", "=ne", "=pas", "=aucun", "=aucune", "jamais", "=sin",
    "ningún", "ninguna", "=nunca", "不", "无法", "没有", "未", "勿", "禁止",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_told_in_five_languages() {
        #[track_caller]
        fn check(text: &str, expected: &[Topic]) {
            assert_eq!(topics(text), expected, "{text}");
        }
        check("Do you ship to Norway?", &[Topic::Delivery]);
        check("Was kostet der Versand?", &[Topic::Delivery]);
        check("Combien coûte la livraison ?", &[Topic::Delivery]);
        check("¿Cuánto cuesta el envío?", &[Topic::Delivery]);
        check("寄到德国要多少运费？", &[Topic::Delivery]);
        check("Can I return it under warranty?", &[Topic::Return, Topic::Warranty]);
        check("Wie lange habe ich Garantie?", &[Topic::Warranty]);
        check("The relationship with members", &[]);
        check("", &[]);
    }

    #[test]
    fn questions_for_yes_or_no_are_told() {
        #[track_caller]
        fn check(text: &str, yes_no: bool, plain: bool) {
            assert_eq!((is_yes_no(text), wants_yes(text)), (yes_no, plain), "{text}");
        }
        check("Is that still covered?", true, true);
        check("It broke after 4 years. Do I have to pay?", true, false);
        check("How much is shipping?", false, false);
        check("Is it too late to return it?", true, false);
        check("Can I return it?", true, true);
        check("Kann ich es zurückgeben?", true, true);
        check("Kann ich es nicht zurückgeben?", true, false);
        check("Puis-je le retourner ?", true, true);
        check("¿Puedo devolverlo?", true, true);
        check("还能保修吗", true, true);
        check("不能退吗", true, false);
        check("I'm 1.90 m tall. Which size is it?", false, false);
    }
}
