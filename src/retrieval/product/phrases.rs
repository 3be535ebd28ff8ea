//! The words around a row's figures, by language.

/// What is said around price and stock; `{}` is where the parts go.
pub(super) struct Phrases {
    /// Name and price, without the full stop.
    pub(super) costs: &'static str,
    /// The price, and the one before it.
    pub(super) before: &'static str,
    pub(super) pieces: &'static str,
    pub(super) there: &'static str,
    pub(super) out: &'static str,
    /// On backorder.
    pub(super) later: &'static str,
    /// Before an article number.
    pub(super) number: &'static str,
    /// A price without tax, and with it.
    pub(super) tax: [&'static str; 2],
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    pub(super) comma: &'static str,
    pub(super) stop: &'static str,
    /// Between sentences.
    pub(super) gap: &'static str,
}

const LATIN: Phrases = Phrases {
    costs: "{}: {}",
    before: "{} ({})",
    pieces: "",
    there: "",
    out: "",
    later: "",
    number: "",
    tax: ["", ""],
    open: " (",
    close: ")",
    comma: ", ",
    stop: ".",
    gap: " ",
};

/// Of languages without words of their own: the row's labels say the rest.
pub(super) const NEUTRAL: Phrases = LATIN;

/// The words of a language, if there are any.
pub(super) fn of(language: &str) -> Option<&'static Phrases> {
    PHRASES.iter().find(|(code, _)| *code == language).map(|(_, phrases)| phrases)
}

static PHRASES: [(&str, Phrases); 10] = [
    (
        "en",
        Phrases {
            costs: "{} costs {}",
            before: "{} instead of {} before",
            pieces: "{} in stock",
            there: "in stock",
            out: "out of stock",
            later: "on backorder, not in stock now",
            number: "Item no. ",
            tax: ["without tax", "with tax"],
            ..LATIN
        },
    ),
    (
        "zh",
        Phrases {
            costs: "{}售价 {}",
            before: "{}（原价 {}）",
            pieces: "库存 {} 件",
            there: "有货",
            out: "目前缺货",
            later: "目前缺货，可预订",
            number: "货号：",
            tax: ["（不含税）", "（含税）"],
            open: "（",
            close: "）",
            comma: "，",
            stop: "。",
            gap: "",
        },
    ),
    (
        "de",
        Phrases {
            costs: "{} kostet {}",
            before: "{} statt {}",
            pieces: "{} auf Lager",
            there: "auf Lager",
            out: "nicht auf Lager",
            later: "nachbestellt und gerade nicht auf Lager",
            number: "Artikelnummer ",
            tax: ["ohne MwSt.", "mit MwSt."],
            ..LATIN
        },
    ),
    (
        "fr",
        Phrases {
            costs: "{} coûte {}",
            before: "{} au lieu de {}",
            pieces: "{} en stock",
            there: "en stock",
            out: "en rupture de stock",
            later: "en réapprovisionnement, pas en stock pour le moment",
            number: "Référence ",
            tax: ["HT", "TTC"],
            ..LATIN
        },
    ),
    (
        "es",
        Phrases {
            costs: "{} cuesta {}",
            before: "{} en vez de {}",
            pieces: "{} en existencias",
            there: "en existencias",
            out: "agotado",
            later: "bajo pedido, sin existencias por ahora",
            number: "Referencia ",
            tax: ["sin IVA", "con IVA"],
            ..LATIN
        },
    ),
    (
        "it",
        Phrases {
            costs: "{} costa {}",
            before: "{} invece di {}",
            pieces: "{} in magazzino",
            there: "disponibile",
            out: "esaurito",
            later: "su ordinazione, al momento non disponibile",
            number: "Codice ",
            tax: ["IVA esclusa", "IVA inclusa"],
            ..LATIN
        },
    ),
    (
        "nl",
        Phrases {
            costs: "{} kost {}",
            before: "{} in plaats van {}",
            pieces: "{} op voorraad",
            there: "op voorraad",
            out: "niet op voorraad",
            later: "in nabestelling, nu niet op voorraad",
            number: "Artikelnummer ",
            tax: ["excl. btw", "incl. btw"],
            ..LATIN
        },
    ),
    (
        "pt",
        Phrases {
            costs: "{} custa {}",
            before: "{} em vez de {}",
            pieces: "{} em stock",
            there: "em stock",
            out: "esgotado",
            later: "por encomenda, de momento esgotado",
            number: "Referência ",
            tax: ["sem IVA", "com IVA"],
            ..LATIN
        },
    ),
    (
        "pl",
        Phrases {
            costs: "{} kosztuje {}",
            before: "{} zamiast {}",
            pieces: "{} szt. na stanie",
            there: "na stanie",
            out: "brak na stanie",
            later: "na zamówienie, obecnie brak na stanie",
            number: "Kod ",
            tax: ["netto", "brutto"],
            ..LATIN
        },
    ),
    (
        "ja",
        Phrases {
            costs: "{}：{}",
            before: "{}（以前は{}）",
            pieces: "在庫{}点",
            there: "在庫あり",
            out: "在庫切れ",
            later: "お取り寄せ、現在在庫なし",
            number: "商品番号：",
            tax: ["（税抜）", "（税込）"],
            open: "（",
            close: "）",
            comma: "、",
            stop: "。",
            gap: "",
        },
    ),
];
