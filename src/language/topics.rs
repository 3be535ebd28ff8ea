//! What a message asks about, told by its words: English and Chinese.

use serde::{Deserialize, Serialize};

use super::words::words_with_apostrophes;

/// What a message asks about, told by its words. A message can have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Price,
    Stock,
    Delivery,
    Discount,
    Payment,
    Comparison,
    Returns,
    Complaint,
}

impl Topic {
    /// Every topic, in the order of the features.
    pub const ALL: [Topic; 8] = [
        Topic::Price,
        Topic::Stock,
        Topic::Delivery,
        Topic::Discount,
        Topic::Payment,
        Topic::Comparison,
        Topic::Returns,
        Topic::Complaint,
    ];

    /// As it stands in files and features.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Topic::Price => "price",
            Topic::Stock => "stock",
            Topic::Delivery => "delivery",
            Topic::Discount => "discount",
            Topic::Payment => "payment",
            Topic::Comparison => "comparison",
            Topic::Returns => "returns",
            Topic::Complaint => "complaint",
        }
    }
}

/// The words that show a topic, in lower case. A phrase of unspaced script is looked for anywhere,
/// others at word borders.
const TOPICS: &[(Topic, &[&str])] = &[
    (
        Topic::Price,
        &[
            "price",
            "prices",
            "cost",
            "costs",
            "how much",
            "cheap",
            "cheaper",
            "expensive",
            "多少钱",
            "价格",
            "费用",
        ],
    ),
    (
        Topic::Stock,
        &[
            "in stock",
            "available",
            "availability",
            "sold out",
            "restock",
            "out of stock",
            "库存",
            "有货",
            "缺货",
        ],
    ),
    (
        Topic::Delivery,
        &[
            "delivery", "deliver", "shipping", "ship", "arrive", "tracking", "配送", "发货",
            "运费", "送到", "物流",
        ],
    ),
    (
        Topic::Discount,
        &["discount", "coupon", "voucher", "promo", "sale", "deal", "优惠", "折扣", "打折"],
    ),
    (
        Topic::Payment,
        &[
            "pay",
            "payment",
            "invoice",
            "paypal",
            "credit card",
            "instalments",
            "checkout",
            "order",
            "buy",
            "支付",
            "付款",
            "购买",
            "下单",
        ],
    ),
    (
        Topic::Comparison,
        &[
            "compare",
            "difference",
            "versus",
            "vs",
            "better",
            "which one",
            "比较",
            "区别",
            "哪个好",
            "哪款",
        ],
    ),
    (
        Topic::Returns,
        &["return", "returns", "refund", "exchange", "send back", "退货", "退款", "换货"],
    ),
    (
        Topic::Complaint,
        &[
            "broken",
            "complaint",
            "complain",
            "terrible",
            "angry",
            "worst",
            "never arrived",
            "scam",
            "坏了",
            "投诉",
            "差评",
            "生气",
        ],
    ),
];

/// The topics that a text asks about, in the order of [`Topic::ALL`].
#[must_use]
pub fn topics(text: &str) -> Vec<Topic> {
    let text = text.to_lowercase();
    let words = spaced(&text);
    let has = |phrase: &&str| {
        if phrase.is_ascii() {
            words.contains(&format!(" {phrase} "))
        } else {
            text.contains(*phrase)
        }
    };
    TOPICS.iter().filter(|(_, phrases)| phrases.iter().any(has)).map(|(topic, _)| *topic).collect()
}

/// The words of a lower-case text with one space around each: `" in stock "` can be looked for at
/// word borders.
#[must_use]
pub fn spaced(lower: &str) -> String {
    let mut all = String::with_capacity(lower.len() + 2);
    all.push(' ');
    let words = words_with_apostrophes(lower).flat_map(|word| word.split('’'));
    for word in words.filter(|word| !word.is_empty()) {
        all.push_str(word);
        all.push(' ');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Topic]) {
        assert_eq!(topics(text), expected, "{text}");
    }

    #[test]
    fn topics_are_told_by_words() {
        check("How much is the Tarn 2?", &[Topic::Price]);
        check(
            "Is it IN STOCK, and what does shipping cost?",
            &[Topic::Price, Topic::Stock, Topic::Delivery],
        );
        check("The shipment of relationships", &[]);
        check("这个帐篷多少钱？有货吗", &[Topic::Price, Topic::Stock]);
        check("", &[]);
    }
}
