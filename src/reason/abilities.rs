//! What the assistant can't do itself: whether a message asks for a deed on the visitor's own
//! order, in English, German, French, Spanish and Chinese. Pure.
//!
//! "How do I cancel an order?" asks the knowledge; "please cancel my order 10234" asks for the
//! deed, and no document answers it.

use serde::{Deserialize, Serialize};

use super::cues::has;

/// A deed on the visitor's own order or account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Where the order or parcel is.
    Status,
    Cancel,
    /// Another address, size or date.
    Change,
    Refund,
}

const ORDERS: &[&str] = &[
    "my order",
    "my parcel",
    "my package",
    "my delivery",
    "my shipment",
    "my purchase",
    "this order",
    "the order",
    "order number",
    "order no",
    "order #",
    "meine bestellung",
    "meiner bestellung",
    "mein paket",
    "meinem paket",
    "meine lieferung",
    "meine sendung",
    "die bestellung",
    "bestellnummer",
    "bestellung nr",
    "ma commande",
    "mon colis",
    "ma livraison",
    "mon paquet",
    "la commande",
    "commande n",
    "commande numéro",
    "mi pedido",
    "mi paquete",
    "mi envío",
    "mi compra",
    "el pedido",
    "pedido n",
    "pedido número",
    "我的订单",
    "我的包裹",
    "我的快递",
    "我的货",
    "我的东西",
    "这个订单",
    "订单号",
];
impl Request {
    /// The question, in English, that a document with the way to it answers.
    #[must_use]
    pub const fn way(self) -> &'static str {
        match self {
            Self::Status => "Where is my parcel? Can I track my order?",
            Self::Cancel => "Can I cancel my order?",
            Self::Change => "Can I change my order or its delivery address?",
            Self::Refund => "When do I get my refund?",
        }
    }
}

/// What makes a wish or an order of a sentence.
const WISHES: &[&str] = &[
    "please",
    "can you",
    "could you",
    "would you",
    "will you",
    "i want",
    "i'd like",
    "i would like",
    "i need",
    "i wish",
    "bitte",
    "können sie",
    "könnten sie",
    "kannst du",
    "könnt ihr",
    "würden sie",
    "ich möchte",
    "ich will",
    "ich würde gern",
    "ich muss",
    "s'il vous plaît",
    "svp",
    "pouvez-vous",
    "pourriez-vous",
    "merci de",
    "je veux",
    "je voudrais",
    "je souhaite",
    "j'aimerais",
    "por favor",
    "puede usted",
    "puedes",
    "podéis",
    "pueden",
    "podrían",
    "podría",
    "quiero",
    "quisiera",
    "necesito",
    "me gustaría",
    "请",
    "帮我",
    "我要",
    "我想",
    "麻烦",
    "给我",
];
/// Questions for the way, not for the deed.
const WAYS: &[&str] = &[
    "=how",
    "=what if",
    "=until",
    "=when can",
    "can i",
    "could i",
    "may i",
    "am i",
    "is it possible",
    "do i",
    "=wie",
    "=wann",
    "=bis wann",
    "kann ich",
    "könnte ich",
    "darf ich",
    "=ob",
    "=comment",
    "puis-je",
    "peut-on",
    "est-il possible",
    "jusqu'à quand",
    "=cómo",
    "puedo",
    "se puede",
    "hasta cuándo",
    "怎么",
    "如何",
    "怎样",
    "可以吗",
    "能吗",
    "能不能",
    "多久",
    "policy",
    "do you have",
    "fee",
    "charge for",
];
const DENIED: &[&str] = &[
    "don't",
    "do not",
    "didn't",
    "did not",
    "never",
    "nicht",
    "ne veux pas",
    "n'ai pas",
    "no quiero",
    "不要",
    "不想",
    "别",
];
const CANCEL: &[&str] = &[
    "=cancel",
    "=stornieren",
    "=storniere",
    "=storniert=",
    "=annullieren",
    "=annuler",
    "=annulez",
    "=cancelar",
    "=cancele",
    "=cancela",
    "=cancelen",
    "=anular",
    "取消",
];
const CHANGE: &[&str] = &[
    "=change",
    "=correct",
    "=modify",
    "=update",
    "=ändern",
    "=ändere",
    "=korrigieren",
    "=modifier",
    "=modifiez",
    "=changer",
    "=changez",
    "=corriger",
    "=cambiar",
    "=cambie",
    "=cambien",
    "=modificar",
    "=corregir",
    "更改",
    "修改",
    "改成",
    "改到",
    "改一下",
];
const CHANGED: &[&str] = &[
    "address",
    "size",
    "colour",
    "color",
    "adresse",
    "größe",
    "farbe",
    "taille",
    "couleur",
    "dirección",
    "talla",
    "地址",
    "尺码",
    "颜色",
];
const MONEY_BACK: &[&str] = &[
    "refund me",
    "refund my",
    "give me a refund",
    "want a refund",
    "need a refund",
    "give me my money back",
    "want my money back",
    "my money back",
    "erstatten sie mir",
    "geld zurück",
    "erstattung meiner",
    "remboursez-moi",
    "me rembourser",
    "être remboursé",
    "un remboursement de ma",
    "quiero un reembolso",
    "devuélvame",
    "devuélvanme",
    "devolverme el dinero",
    "mi dinero de vuelta",
    "退款给我",
    "给我退款",
    "我要退款",
    "退钱",
];
const STATUS: &[&str] = &[
    "where is my",
    "where's my",
    "wheres my",
    "where are my",
    "track my",
    "status of my",
    "my order status",
    "what happened to my",
    "whats with my",
    "what's with my",
    "has my order",
    "has my parcel",
    "when will my order",
    "when will my parcel",
    "when does my order",
    "when does my parcel",
    "is my order",
    "is my parcel",
    "wo ist mein",
    "wo bleibt mein",
    "wo sind mein",
    "status meiner",
    "wann kommt mein",
    "ist meine bestellung",
    "ist mein paket",
    "où est ma",
    "où est mon",
    "où en est ma",
    "où en est mon",
    "suivre ma",
    "suivre mon",
    "statut de ma",
    "quand arrive ma",
    "quand arrive mon",
    "dónde está mi",
    "donde esta mi",
    "estado de mi",
    "cuándo llega mi",
    "rastrear mi",
    "seguir mi",
    "我的订单到",
    "我的包裹到",
    "我的快递到",
    "我的订单在",
    "我的包裹在",
    "我的快递在",
    "订单状态",
    "我的订单呢",
    "我的包裹呢",
    "我的快递呢",
    "我的订单什么时候",
    "我的包裹什么时候",
    "查一下订单",
    "查订单",
    "查快递",
];
const PARCELS: &[&str] = &[
    "order",
    "parcel",
    "package",
    "delivery",
    "shipment",
    "purchase",
    "stuff",
    "bestellung",
    "paket",
    "lieferung",
    "sendung",
    "ware",
    "commande",
    "colis",
    "livraison",
    "paquet",
    "pedido",
    "paquete",
    "envío",
    "compra",
    "订单",
    "包裹",
    "快递",
    "货",
];

/// The deed that a message asks for, if it surely asks for one.
#[must_use]
pub fn asked(text: &str) -> Option<Request> {
    let lower = text.to_lowercase().replace('’', "'");
    let sentences = lower
        .split(['.', '!', '?', '\n', '。', '！', '？', ';'])
        .filter(|sentence| !sentence.trim().is_empty());
    // What a sentence leaves out, another says: "I typed the wrong address, order 55812. Can you
    // change it?"
    let order = has(&lower, ORDERS) || numbered(&lower);
    let in_sentence = |sentence: &str| {
        if has(sentence, STATUS) && has(sentence, PARCELS) {
            return Some(Request::Status);
        }
        if has(sentence, DENIED) {
            return None;
        }
        if has(sentence, MONEY_BACK)
            && !has(sentence, WAYS)
            && !has(sentence, &["=when", "=wann", "=quand", "cuándo", "什么时候"])
        {
            return Some(Request::Refund);
        }
        let wishes =
            (has(sentence, WISHES) || opens_with(sentence, CANCEL) || opens_with(sentence, CHANGE))
                && !has(sentence, WAYS);
        if !wishes || !order {
            return None;
        }
        if has(sentence, CANCEL) {
            return Some(Request::Cancel);
        }
        (has(sentence, CHANGE) && has(&lower, CHANGED)).then_some(Request::Change)
    };
    sentences.into_iter().find_map(in_sentence)
}

/// Whether an order is named by its number.
fn numbered(lower: &str) -> bool {
    has(lower, &["order", "bestell", "commande", "pedido", "订单"])
        && lower.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= ORDER_DIGITS)
}

/// Fewer digits are an amount or a size.
const ORDER_DIGITS: usize = 5;

fn opens_with(sentence: &str, verbs: &[&str]) -> bool {
    let sentence = sentence.trim_start_matches(|c: char| !c.is_alphanumeric());
    verbs.iter().any(|verb| {
        let verb = verb.trim_matches('=');
        sentence
            .strip_prefix(verb)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Request>) {
        assert_eq!(asked(text), expected, "{text}");
    }

    #[test]
    fn deeds_on_the_own_order_are_told() {
        check("please cancel my order 10234", Some(Request::Cancel));
        check("Cancel my order.", Some(Request::Cancel));
        check("I'd like to cancel order 88123", Some(Request::Cancel));
        check(
            "I typed the wrong address, order number 55812, can you change it to 1 Elm Street?",
            Some(Request::Change),
        );
        check("where is my parcel?? ordered last monday", Some(Request::Status));
        check("Has my order shipped yet?", Some(Request::Status));
        check("I want my money back!", Some(Request::Refund));
        check("Ich möchte meine Bestellung stornieren", Some(Request::Cancel));
        check("Wo bleibt mein Paket?", Some(Request::Status));
        check("Bitte ändern Sie die Adresse meiner Bestellung", Some(Request::Change));
        check("Je voudrais annuler ma commande", Some(Request::Cancel));
        check("Où est mon colis ?", Some(Request::Status));
        check("Quiero cancelar mi pedido", Some(Request::Cancel));
        check("¿Dónde está mi paquete?", Some(Request::Status));
        check("请取消我的订单", Some(Request::Cancel));
        check("我的包裹到哪了？", Some(Request::Status));
    }

    #[test]
    fn questions_for_the_way_are_left_to_the_knowledge() {
        check("How do I cancel my order?", None);
        check("Can I cancel my order?", None);
        check("Can I still change the address of my order?", None);
        check("I want to know how to cancel my order", None);
        check("Please do not cancel my order", None);
        check("I cancelled my order, when do I get my refund?", None);
        check("When do I get my money back?", None);
        check("What does it cost to cancel my order?", None);
        check("Where is my size in the table?", None);
        check("Where is the store?", None);
        check("Please tell me how long my order takes", None);
        check("Can you change the colour of the tent?", None);
        check("Wie kann ich meine Bestellung stornieren?", None);
        check("Kann ich meine Bestellung noch ändern?", None);
        check("Comment annuler ma commande ?", None);
        check("¿Puedo cancelar mi pedido?", None);
        check("怎么取消我的订单？", None);
        check("", None);
    }
}
