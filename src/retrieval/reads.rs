//! Which languages an embedding model reads. One that was trained on English alone puts every
//! Chinese text in the same corner: its nearness says nothing there, and search and answers go by
//! words.

use crate::language::script::{self, Script};

/// A language's questions, two of the same meaning after each other, in words as different as they
/// come.
type Probe = [&'static str; 6];

const PROBES: &[(&str, Probe)] = &[
    (
        "de",
        [
            "Wie viele Tage habe ich für eine Rückgabe?",
            "Bis wann kann ich Ware zurücksenden?",
            "Wie hoch sind die Versandkosten?",
            "Was zahle ich für die Lieferung?",
            "Meine Stirnlampe lädt nicht.",
            "Der Akku der Lampe lässt sich nicht aufladen, was tun?",
        ],
    ),
    (
        "fr",
        [
            "Combien de jours ai-je pour retourner un article ?",
            "Dans quel délai puis-je renvoyer la marchandise ?",
            "Combien coûtent les frais de port ?",
            "Que dois-je payer pour la livraison ?",
            "Ma lampe frontale ne charge pas.",
            "La batterie de la lampe ne se recharge plus, que faire ?",
        ],
    ),
    (
        "es",
        [
            "¿Cuántos días tengo para devolver un artículo?",
            "¿En qué plazo puedo enviar de vuelta la mercancía?",
            "¿Cuánto cuesta el envío?",
            "¿Qué pago por la entrega?",
            "Mi linterna frontal no carga.",
            "La batería de la lámpara no se recarga, ¿qué hago?",
        ],
    ),
    (
        "zh",
        [
            "退货期限是多少天？",
            "我可以在多久之内把商品寄回？",
            "运费是多少？",
            "配送要付多少钱？",
            "头灯充不进电怎么办？",
            "我的灯电池无法充电。",
        ],
    ),
    (
        "ja",
        [
            "返品は何日以内にできますか？",
            "商品をいつまでに送り返せばいいですか？",
            "送料はいくらですか？",
            "配達にどれくらいお金がかかりますか？",
            "ヘッドランプが充電できません。",
            "ライトの電池に電気が入らない、どうすればいい？",
        ],
    ),
    (
        "ko",
        [
            "반품은 며칠 안에 해야 하나요?",
            "언제까지 상품을 돌려보낼 수 있나요?",
            "배송비는 얼마인가요?",
            "택배 요금을 얼마나 내야 합니까?",
            "헤드랜턴이 충전되지 않습니다.",
            "램프 배터리에 전기가 들어가지 않는데 어떻게 하죠?",
        ],
    ),
    (
        "ru",
        [
            "Сколько дней есть на возврат товара?",
            "В какой срок можно отправить покупку обратно?",
            "Сколько стоит доставка?",
            "Что мне платить за пересылку?",
            "Мой фонарь не заряжается.",
            "Аккумулятор лампы не берёт заряд, что делать?",
        ],
    ),
    (
        "ar",
        [
            "كم يوماً لدي لإرجاع المنتج؟",
            "خلال أي مدة يمكنني إعادة البضاعة؟",
            "كم تكلفة الشحن؟",
            "ماذا أدفع مقابل التوصيل؟",
            "مصباح الرأس لا يشحن.",
            "بطارية المصباح لا تقبل الشحن، ماذا أفعل؟",
        ],
    ),
    (
        "en",
        [
            "How many days do I have to return something?",
            "Within what time may I send goods back?",
            "How much is shipping?",
            "What do I pay for delivery?",
            "My head torch does not charge.",
            "The lamp's battery can't be charged, what now?",
        ],
    ),
];

/// How much nearer questions of the same meaning have to be than others, in cosine, for a model to
/// count as a reader. For all-MiniLM-L6-v2 it is .47 in English, and −.01 to .14 in the other
/// languages here.
const MIN_SEPARATION: f32 = 0.25;

/// The language whose questions stand for a text's: its own (ISO 639-1), or that of its script.
/// `None` where neither can be told; a model is taken to read that.
pub(super) fn stands_for(text: &str) -> Option<&'static str> {
    let language = crate::language::language_of(text);
    if let Some(language) =
        language.filter(|language| *language == "en" || probe(language).is_some())
    {
        return Some(language);
    }
    // Where there are no questions of a language: a model that reads German or Russian reads many
    // languages.
    match script::of(text)? {
        Script::Latin => language.map(|_| "de"),
        _ => Some("ru"),
    }
}

/// Languages that a model can be tried on.
pub(super) fn languages() -> impl Iterator<Item = &'static str> {
    PROBES.iter().map(|(language, _)| *language)
}

/// The questions of a language that has some.
pub(super) fn probe(language: &str) -> Option<(&'static str, Probe)> {
    PROBES.iter().find(|(known, _)| *known == language).copied()
}

/// Whether a model tells the questions of a probe apart by their vectors, each of length 1.
pub(super) fn told_apart(vectors: &[Vec<f32>]) -> bool {
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (at, a) in vectors.iter().enumerate() {
        for (of, b) in vectors.iter().enumerate().skip(at + 1) {
            if at / 2 == of / 2 { &mut same } else { &mut other }.push(cosine(a, b));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "fifteen at most")]
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
    mean(&same) - mean(&other) >= MIN_SEPARATION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_judged_by_its_language_or_its_script() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(stands_for(text), expected, "{text}");
        }
        check("配送需要多久？", Some("zh"));
        check("Сколько?", Some("ru"));
        check("送料はいくらですか", Some("ja"));
        check("배송비", Some("ko"));
        check("12 €", None);
        check("tents?", Some("en"));
    }

    #[test]
    fn meanings_that_lie_together_are_not_told_apart() {
        let unit = |angle: f32| vec![angle.cos(), angle.sin()];
        let apart: Vec<_> = [0.0, 0.1, 1.5, 1.6, 3.0, 3.1].map(unit).into();
        assert!(told_apart(&apart));
        let together: Vec<_> = [0.0, 0.1, 0.05, 0.12, 0.02, 0.08].map(unit).into();
        assert!(!told_apart(&together));
        assert!(!told_apart(&[]));
    }
}
