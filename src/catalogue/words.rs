//! The words with which people ask about goods.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::language::script::{is_han, is_kana};
use crate::language::stem::singular;

/// What a word or phrase of a question means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Says nothing of what is asked.
    Filler,
    /// Stands before a name.
    Article,
    /// Begins a question that is answered by yes or no.
    YesNo,
    /// Stands for what was named before.
    Pronoun,
    /// Any product.
    Thing,
    /// Stands between things that are named together.
    And,
    /// Between two that are to be compared.
    Versus,
    Than,
    /// Asks what there is.
    Have,
    Show,
    /// Asks for what tells products apart.
    Compare,
    Asks(Property),
    /// Of money, unless a weight follows.
    HowMuch,
    Weighs,
    /// The most (true) or the least of something.
    Extreme(Measure, bool),
    /// More (true) or less of it than another.
    More(Measure, bool),
    /// Before a number.
    Under,
    UpTo,
    Over,
    AtLeast,
    Between,
    /// Behind a number.
    OrLess,
    OrMore,
    Currency(&'static str),
    Unit(&'static str),
    OutOfStock,
}

/// What can be asked about a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Price,
    Weight,
    Stock,
    Colours,
    Sizes,
    Variants,
    Number,
    Link,
    /// A column of the catalogue, by its place among all of them.
    Column(usize),
}

/// What products can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Price,
    Weight,
    Volume,
    Length,
    Height,
    Width,
}

impl Measure {
    /// What columns that hold it are called, without their unit.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Price => &[],
            Self::Weight => &["weight", "gewicht", "poids", "peso", "重量"],
            Self::Volume => &["volume", "capacity", "volumen", "litres", "liters", "容量", "容积"],
            Self::Length => &["length", "länge", "longueur", "largo", "长度"],
            Self::Height => &["height", "höhe", "hauteur", "alto", "高度"],
            Self::Width => &["width", "breite", "largeur", "ancho", "宽度"],
        }
    }
}

const PHRASES: &[(Meaning, &[&str])] = &[
    (
        Meaning::Filler,
        &[
            "of",
            "for",
            "in",
            "on",
            "with",
            "to",
            "at",
            "from",
            "you",
            // "I" alone isn't: what visitors have themselves is in no catalogue.
            "can i",
            "could i",
            "may i",
            "i want",
            "i would",
            "i need",
            "i am",
            "i can",
            "i could",
            "we",
            "our",
            "us",
            "me",
            "im",
            "id",
            "ill",
            "every",
            "each",
            "please",
            "hi",
            "hello",
            "hey",
            "ok",
            "okay",
            "so",
            "well",
            "thanks",
            "thank you",
            "just",
            "also",
            "now",
            "currently",
            "right now",
            "today",
            "actually",
            "really",
            "would like",
            "like to know",
            "want to know",
            "tell me",
            "know",
            "get",
            "buy",
            "purchase",
            "order",
            "see",
            "look at",
            "looking for",
            "looking at",
            "want",
            "need",
            "search for",
            "searching for",
            "interested in",
            "be",
            "been",
            "which",
            "what",
            "whats",
            "kind",
            "kinds",
            "type",
            "types",
            "sort",
            "sorts",
            "range",
            "selection",
            "come",
            "comes",
            "coming",
            "does",
            "do",
            "is",
            "are",
            "have",
            "has",
            "can",
            "could",
            "will",
            "would",
            "got",
            "both",
            "between",
            "what about",
            "how about",
            "then",
            "about",
            "still",
            "the two",
            "pair of",
            "a pair of",
            "pairs of",
            "available to buy",
            "by",
            "as",
            "costing",
            "priced",
            "going for",
            "exactly",
            "der",
            "die",
            "das",
            "den",
            "dem",
            "ein",
            "eine",
            "einen",
            "ihr",
            "sie",
            "es",
            "ist",
            "sind",
            "welche",
            "welcher",
            "welches",
            "was",
            "bitte",
            "im",
            "von",
            "für",
            "le",
            "la",
            "les",
            "un",
            "une",
            "des",
            "du",
            "de",
            "est",
            "sont",
            "vous",
            "quel",
            "quelle",
            "quels",
            "quelles",
            "que",
            "el",
            "los",
            "las",
            "una",
            "qué",
            "cuál",
            "cuáles",
            "son",
            "por favor",
            "请问",
            "请",
            "我",
            "我们",
            "你",
            "您",
            "你们",
            "您们",
            "的",
            "是",
            "呢",
            "吧",
            "啊",
            "呀",
            "什么",
            "哪个",
            "哪款",
            "哪些",
            "哪种",
            "哪一个",
            "哪一款",
            "一个",
            "一款",
            "一种",
            "一下",
            "种",
            "款",
            "个",
            "件",
            "只",
            "双",
            "顶",
            "把",
            "条",
            "想",
            "想要",
            "想买",
            "要",
            "买",
            "想知道",
            "看看",
            "看",
            "给我",
            "店里",
            "这里",
            "目前",
            "现在",
            "还",
            "都",
            "也",
            "大概",
            "一共",
            "多少",
            "了",
            "里",
            "里面",
            "更",
            "一点",
            "当中",
            "之间",
            "你好",
            "您好",
            "谢谢",
            "能",
            "可以",
            "最",
            "一",
            "两款",
            "两个",
            "这两款",
            "您家",
            "你家",
            "在",
            "到",
            "至",
            "几种",
            "几款",
        ],
    ),
    (Meaning::Article, &["a", "an", "the", "your", "any", "some", "all"]),
    (Meaning::YesNo, &["吗", "有没有", "是不是", "是否"]),
    (
        Meaning::Pronoun,
        &[
            "it", "its", "they", "them", "their", "these", "those", "this", "that", "this one",
            "that one", "one", "ones", "the one", "er", "il", "elle", "lo", "它", "它们", "这个",
            "那个", "这款", "那款", "此款", "该",
        ],
    ),
    (
        Meaning::Thing,
        &[
            "product",
            "products",
            "item",
            "items",
            "article",
            "articles",
            "anything",
            "everything",
            "something",
            "goods",
            "stuff",
            "thing",
            "things",
            "produkt",
            "produkte",
            "artikel",
            "produit",
            "produits",
            "producto",
            "productos",
            "artículos",
            "商品",
            "产品",
            "东西",
            "货品",
        ],
    ),
    (
        Meaning::And,
        &[
            "and", "or", "und", "oder", "et", "ou", "y", "o", "和", "与", "跟", "及", "以及",
            "还是", "或", "或者",
        ],
    ),
    (Meaning::Versus, &["vs", "versus"]),
    (Meaning::Than, &["than", "als", "比", "compared to", "compared with"]),
    (
        Meaning::Have,
        &[
            "do you have",
            "do you still have",
            "do you still sell",
            "got any",
            "come in",
            "comes in",
            "do you sell",
            "do you offer",
            "do you stock",
            "do you carry",
            "do you do",
            "you have",
            "you sell",
            "you offer",
            "you stock",
            "you carry",
            "have you got",
            "you got",
            "do you got",
            "are there",
            "is there",
            "can i buy",
            "can i get",
            "can i order",
            "sell",
            "haben sie",
            "habt ihr",
            "verkaufen sie",
            "verkauft ihr",
            "gibt es",
            "avez vous",
            "vendez vous",
            "tienen",
            "venden",
            "tenéis",
            "vendéis",
            "hay",
            "有",
            "有没有",
            "卖",
            "在卖",
            "出售",
            "有卖",
            "有哪些",
            "有什么",
            "卖什么",
            "卖哪些",
            "都有什么",
            "都有哪些",
        ],
    ),
    (
        Meaning::Show,
        &[
            "show",
            "show me",
            "give me a list of",
            "list your",
            "list all",
            "zeig mir",
            "zeigen sie mir",
            "montrez moi",
            "列出",
            "展示",
        ],
    ),
    (
        Meaning::Compare,
        &[
            "compare",
            "compared",
            "comparison",
            "comparison of",
            "difference",
            "differences",
            "differ",
            "different",
            "unterschied",
            "unterschiede",
            "vergleich",
            "différence",
            "différences",
            "diferencia",
            "diferencias",
            "区别",
            "不同",
            "差别",
            "差异",
            "对比",
            "比较",
            "比一比",
        ],
    ),
    (
        Meaning::Asks(Property::Price),
        &[
            "price",
            "prices",
            "pricing",
            "cost",
            "costs",
            "how expensive",
            "wie viel kostet",
            "wie viel kosten",
            "wieviel kostet",
            "was kostet",
            "was kosten",
            "kostet",
            "kosten",
            "preis",
            "preise",
            "combien coûte",
            "combien coûtent",
            "combien coute",
            "prix",
            "cuánto cuesta",
            "cuánto cuestan",
            "cuanto cuesta",
            "precio",
            "precios",
            "多少钱",
            "价格",
            "价钱",
            "售价",
            "几钱",
            "卖多少钱",
            "要多少钱",
            "什么价",
            "多少元",
            "多少欧元",
        ],
    ),
    (Meaning::HowMuch, &["how much", "wie viel", "wieviel", "combien", "cuánto"]),
    (Meaning::Weighs, &["weigh", "weighs", "weight", "wiegt", "wiegen", "pèse", "pesa"]),
    (
        Meaning::Asks(Property::Weight),
        &[
            "how heavy",
            "how light",
            "weights",
            "wie schwer",
            "gewicht",
            "poids",
            "peso",
            "重量",
            "多重",
            "有多重",
            "多少克",
            "多少公斤",
            "重多少",
        ],
    ),
    (
        Meaning::Asks(Property::Stock),
        &[
            "in stock",
            "stock",
            "available",
            "availability",
            "how many",
            "are left",
            "have left",
            "do you have left",
            "you have left",
            "on stock",
            "auf lager",
            "vorrätig",
            "verfügbar",
            "lieferbar",
            "en stock",
            "disponible",
            "disponibles",
            "en existencias",
            "库存",
            "有货",
            "有现货",
            "现货",
            "还有货",
            "有库存",
            "有没有货",
            "货吗",
        ],
    ),
    (
        Meaning::OutOfStock,
        &[
            "out of stock",
            "sold out",
            "not in stock",
            "unavailable",
            "ausverkauft",
            "nicht auf lager",
            "缺货",
            "没货",
            "无货",
            "售罄",
            "卖完",
        ],
    ),
    (
        Meaning::Asks(Property::Colours),
        &[
            "colour", "colours", "color", "colors", "farbe", "farben", "couleur", "couleurs",
            "colores", "颜色",
        ],
    ),
    (
        Meaning::Asks(Property::Sizes),
        &[
            "size", "sizes", "größe", "größen", "taille", "tailles", "talla", "tallas", "尺码",
            "尺寸", "大小", "码数",
        ],
    ),
    (
        Meaning::Asks(Property::Variants),
        &[
            "variant",
            "variants",
            "version",
            "versions",
            "option",
            "options",
            "varianten",
            "variantes",
            "版本",
            "规格",
            "款式",
            "型号",
            "选择",
        ],
    ),
    (
        Meaning::Asks(Property::Number),
        &[
            "item number",
            "item no",
            "article number",
            "product number",
            "sku",
            "artikelnummer",
            "référence",
            "货号",
            "商品编号",
            "编号",
        ],
    ),
    (Meaning::Asks(Property::Link), &["link", "url", "product page", "链接", "网址"]),
    (
        Meaning::Extreme(Measure::Price, false),
        &[
            "cheapest",
            "least expensive",
            "most affordable",
            "lowest price",
            "lowest priced",
            "günstigste",
            "günstigstes",
            "günstigsten",
            "billigste",
            "moins cher",
            "moins chère",
            "más barato",
            "más barata",
            "最便宜",
            "最低价",
            "价格最低",
            "最实惠",
        ],
    ),
    (
        Meaning::Extreme(Measure::Price, true),
        &[
            "most expensive",
            "priciest",
            "dearest",
            "highest price",
            "highest priced",
            "teuerste",
            "teuerstes",
            "teuersten",
            "plus cher",
            "plus chère",
            "más caro",
            "más cara",
            "最贵",
            "价格最高",
        ],
    ),
    (
        Meaning::Extreme(Measure::Weight, false),
        &[
            "lightest",
            "least heavy",
            "lowest weight",
            "leichteste",
            "leichtestes",
            "plus léger",
            "más ligero",
            "最轻",
        ],
    ),
    (
        Meaning::Extreme(Measure::Weight, true),
        &["heaviest", "highest weight", "schwerste", "plus lourd", "más pesado", "最重"],
    ),
    (
        Meaning::Extreme(Measure::Volume, true),
        &["largest", "biggest", "roomiest", "最大", "容量最大"],
    ),
    (Meaning::Extreme(Measure::Volume, false), &["smallest", "最小", "容量最小"]),
    (Meaning::Extreme(Measure::Length, true), &["longest", "最长"]),
    (Meaning::Extreme(Measure::Length, false), &["shortest", "最短"]),
    (Meaning::Extreme(Measure::Height, true), &["tallest", "highest", "最高"]),
    (Meaning::Extreme(Measure::Width, true), &["widest", "最宽"]),
    (Meaning::Extreme(Measure::Width, false), &["narrowest", "最窄"]),
    (
        Meaning::More(Measure::Price, false),
        &[
            "cheaper",
            "less expensive",
            "günstiger",
            "günstigeres",
            "billiger",
            "billigeres",
            "便宜",
            "更便宜",
            "便宜些",
        ],
    ),
    (
        Meaning::More(Measure::Price, true),
        &["more expensive", "dearer", "pricier", "teurer", "贵", "更贵"],
    ),
    (Meaning::More(Measure::Weight, false), &["lighter", "less heavy", "leichter", "轻", "更轻"]),
    (Meaning::More(Measure::Weight, true), &["heavier", "schwerer", "重", "更重"]),
    (
        Meaning::Under,
        &["under", "below", "less than", "unter", "moins de", "menos de", "低于", "不到", "少于"],
    ),
    (
        Meaning::UpTo,
        &[
            "up to",
            "at most",
            "no more than",
            "not more than",
            "max",
            "maximum",
            "within",
            "bis zu",
            "不超过",
            "最多",
        ],
    ),
    (Meaning::Over, &["over", "above", "more than", "über", "plus de", "más de", "高于", "超过"]),
    (Meaning::AtLeast, &["at least", "mindestens", "不低于", "至少"]),
    (Meaning::Between, &["between", "zwischen", "entre"]),
    (Meaning::OrLess, &["or less", "or cheaper", "以下", "以内", "之内"]),
    (Meaning::OrMore, &["or more", "以上"]),
    (Meaning::Currency("EUR"), &["€", "eur", "euro", "euros", "欧元", "欧"]),
    (Meaning::Currency("USD"), &["$", "usd", "dollar", "dollars", "bucks", "美元", "美金"]),
    (Meaning::Currency("GBP"), &["£", "gbp", "pound", "pounds", "quid", "英镑"]),
    (Meaning::Currency("CNY"), &["￥", "cny", "rmb", "yuan", "元", "块", "块钱", "人民币"]),
    (Meaning::Currency("CHF"), &["chf", "francs", "franken"]),
    (Meaning::Unit("g"), &["g", "gram", "grams", "gramm", "克"]),
    (Meaning::Unit("kg"), &["kg", "kilo", "kilos", "kilogram", "kilograms", "公斤", "千克"]),
];

/// Phrases as their words, by the first of them, the longest first.
type Meanings = HashMap<String, Vec<(Vec<String>, Meaning)>>;

/// What phrases mean.
pub(super) static MEANINGS: LazyLock<Meanings> = LazyLock::new(|| {
    let mut meanings = Meanings::new();
    for (meaning, phrases) in PHRASES {
        for phrase in *phrases {
            let words = split(phrase, &|rest| rest.len(), false);
            if let Some(first) = words.first() {
                meanings.entry(first.clone()).or_default().push((words, *meaning));
            }
        }
    }
    for phrases in meanings.values_mut() {
        phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    }
    meanings
});

/// Names of goods that mean the same. A shop's own names are whatever its rows say; this only leads
/// to them from what else people call it.
const GOODS: &[&[&str]] = &[
    &["tent", "帐篷", "帳篷", "zelt", "zelte", "tente", "tienda de campaña"],
    &["sleeping bag", "睡袋", "schlafsack", "schlafsäcke", "sac de couchage", "saco de dormir"],
    &["sleeping pad", "sleeping mat", "air mattress", "睡垫", "防潮垫", "isomatte", "isomatten"],
    &["hammock", "吊床", "hängematte", "hamac", "hamaca"],
    &["backpack", "rucksack", "背包", "双肩包", "rucksäcke", "sac à dos", "mochila"],
    &["duffel", "duffel bag", "duffle bag", "duffle", "holdall", "旅行包", "旅行袋", "reisetasche"],
    &["dry bag", "防水袋", "packsack"],
    &[
        "head torch",
        "headlamp",
        "head lamp",
        "headtorch",
        "头灯",
        "stirnlampe",
        "stirnlampen",
        "lampe frontale",
        "linterna frontal",
    ],
    &["lantern", "营地灯", "laterne", "lanterne"],
    &["power bank", "powerbank", "portable charger", "充电宝", "移动电源"],
    &["stove", "炉具", "炉头", "炉子", "炉", "kocher", "réchaud", "hornillo"],
    &["gas cartridge", "gas canister", "gas", "气罐", "gaskartusche", "gaskartuschen"],
    &["cookset", "cookware", "锅具", "炊具", "kochset"],
    &["bottle", "water bottle", "水瓶", "水壶", "flasche", "flaschen", "bouteille", "botella"],
    &["water filter", "滤水器", "净水器", "wasserfilter"],
    &["pillow", "枕头", "kissen", "oreiller", "almohada"],
    &["jacket", "夹克", "外套", "jacke", "jacken", "veste", "chaqueta"],
    &["rain jacket", "waterproof jacket", "雨衣", "冲锋衣", "regenjacke", "regenjacken"],
    &["trousers", "pants", "裤子", "hose", "hosen", "pantalon", "pantalones"],
    &["t-shirt", "tee", "t恤", "t 恤"],
    &["shirt", "衬衫", "hemd", "chemise", "camisa"],
    &["sweater", "jumper", "pullover", "毛衣"],
    &["socks", "袜子", "socken", "chaussettes", "calcetines"],
    &[
        "boot",
        "walking boot",
        "hiking boot",
        "登山鞋",
        "徒步鞋",
        "靴子",
        "wanderschuh",
        "wanderstiefel",
        "stiefel",
        "botte",
        "bota",
    ],
    &["shoe", "walking shoe", "鞋", "鞋子", "schuh", "schuhe", "chaussure", "zapato"],
    &["running shoe", "跑鞋", "laufschuhe"],
    &["hat", "cap", "帽子", "hut", "chapeau", "gorra"],
    &["gloves", "手套", "handschuhe"],
    &[
        "trekking poles",
        "walking poles",
        "hiking poles",
        "登山杖",
        "wanderstöcke",
        "trekkingstöcke",
    ],
    &["towel", "毛巾", "handtuch", "handtücher", "serviette", "toalla"],
    &["insoles", "鞋垫", "einlegesohlen"],
    &["phone", "smartphone", "mobile phone", "手机", "handy"],
    &["laptop", "notebook computer", "笔记本电脑"],
    &["tablet", "平板电脑", "平板"],
    &["headphones", "耳机", "kopfhörer"],
    &["watch", "wristwatch", "手表", "uhr", "uhren"],
    &["camera", "相机", "kamera"],
    &["lamp", "灯", "台灯", "lampe"],
    &["chair", "椅子", "stuhl", "stühle"],
    &["bicycle", "bike", "自行车", "fahrrad", "fahrräder"],
    &["book", "书", "buch", "bücher", "livre", "libro"],
    &["sunglasses", "太阳镜", "sonnenbrille"],
    &["perfume", "香水", "parfum"],
];

/// The stems of a name.
type Stems = Vec<String>;

/// Each name of goods in stems, with the others of its meaning; the longest first.
pub(super) static SAME: LazyLock<Vec<(Stems, Vec<Stems>)>> = LazyLock::new(|| {
    let stems = |name: &&str| -> Stems {
        split(name, &|rest| rest.len(), false)
            .iter()
            .map(|word| singular(word).to_owned())
            .collect()
    };
    let mut same: Vec<(Stems, Vec<Stems>)> = Vec::new();
    for group in GOODS {
        let names: Vec<Stems> = group.iter().map(stems).collect();
        for name in &names {
            same.push((
                name.clone(),
                names.iter().filter(|other| *other != name).cloned().collect(),
            ));
        }
    }
    same.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    same
});

/// Every word of unspaced script that is known without a catalogue.
pub(super) static UNSPACED: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let all =
        PHRASES.iter().flat_map(|(_, phrases)| *phrases).chain(goods()).chain(COLOURS).chain(SIZES);
    all.copied().filter(|word| word.chars().all(unspaced)).collect()
});

/// Names of goods in unspaced script, to find the words of a shop's own names.
pub(super) fn goods() -> impl Iterator<Item = &'static &'static str> {
    GOODS.iter().flat_map(|group| *group).filter(|name| name.chars().all(unspaced))
}

/// Words that make a variant one of colour.
pub(super) const COLOURS: &[&str] = &[
    "black",
    "white",
    "grey",
    "gray",
    "red",
    "blue",
    "green",
    "yellow",
    "orange",
    "purple",
    "violet",
    "pink",
    "brown",
    "beige",
    "navy",
    "teal",
    "turquoise",
    "olive",
    "sand",
    "khaki",
    "moss",
    "slate",
    "graphite",
    "anthracite",
    "charcoal",
    "silver",
    "gold",
    "bronze",
    "rust",
    "burgundy",
    "cream",
    "ivory",
    "coral",
    "mint",
    "ink",
    "indigo",
    "forest",
    "stone",
    "multicolor",
    "multicolour",
    "schwarz",
    "weiß",
    "grau",
    "rot",
    "blau",
    "grün",
    "gelb",
    "braun",
    "noir",
    "blanc",
    "gris",
    "rouge",
    "bleu",
    "vert",
    "jaune",
    "negro",
    "blanco",
    "rojo",
    "azul",
    "verde",
    "amarillo",
    "黑色",
    "白色",
    "灰色",
    "红色",
    "蓝色",
    "绿色",
    "黄色",
    "橙色",
    "紫色",
    "粉色",
    "棕色",
    "米色",
];

/// Words that make a variant one of size.
pub(super) const SIZES: &[&str] = &[
    "xs", "s", "m", "l", "xl", "xxl", "xxxl", "small", "medium", "large", "regular", "long",
    "short", "wide", "size", "eu", "uk", "us", "klein", "mittel", "groß", "petit", "grand", "小号",
    "中号", "大号", "ml", "l", "cm", "mm", "inch", "litres", "litre", "oz",
];

/// A template with its parts.
pub(super) fn fill(template: &str, parts: &[&str]) -> String {
    let mut pieces = template.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, part) in pieces.zip(parts.iter().chain(std::iter::repeat(&""))) {
        text.push_str(part);
        text.push_str(piece);
    }
    text
}

/// Chinese and Japanese characters.
pub(super) fn unspaced(c: char) -> bool {
    is_han(c) || is_kana(c)
}

/// The words of a text in lower case: runs of letters, numbers with their decimals, signs of money.
/// `known` tells how many bytes of a rest in unspaced script are a word (0: none); what is none
/// stays a character by itself, or becomes one word where `runs`.
pub(super) fn split(text: &str, known: &dyn Fn(&str) -> usize, runs: bool) -> Vec<String> {
    let lower = text.to_lowercase().replace(['’', '‘'], "'");
    let mut words: Vec<String> = Vec::new();
    let mut rest = lower.as_str();
    let mut open = false;
    while let Some(first) = rest.chars().next() {
        let (length, was_open) = if unspaced(first) {
            let run = rest.find(|c: char| !unspaced(c)).unwrap_or(rest.len());
            let length = known(&rest[..run]).min(run);
            if length > 0 {
                words.push(rest[..length].to_owned());
                (length, false)
            } else {
                let length = first.len_utf8();
                match words.last_mut() {
                    Some(last) if open && runs => last.push(first),
                    _ => words.push(first.to_string()),
                }
                (length, true)
            }
        } else if first.is_ascii_digit() {
            let bytes = rest.as_bytes();
            let mut end = 0;
            while bytes.get(end).is_some_and(u8::is_ascii_digit)
                || end > 0
                    && matches!(bytes.get(end), Some(b'.' | b','))
                    && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
            {
                end += 1;
            }
            words.push(number(&rest[..end]));
            (end, false)
        } else if first.is_alphabetic() {
            let end = rest
                .find(|c: char| !(c.is_alphabetic() || c == '\'') || unspaced(c))
                .unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches('\'');
            let word = word.strip_suffix("'s").unwrap_or(word).replace('\'', "");
            words.push(word);
            (end, false)
        } else {
            if matches!(first, '€' | '$' | '£' | '￥') {
                words.push(first.to_string());
            }
            (first.len_utf8(), false)
        };
        open = was_open;
        rest = &rest[length..];
    }
    words
}

/// `1,610` → `1610`, `0,75` → `0.75`, `349.00` → `349`, `1.299,00` → `1299`.
fn number(text: &str) -> String {
    // The last sign parts the decimals, unless it parts off three digits after others.
    let last = text.rfind(['.', ',']);
    let point = last.filter(|at| {
        let sign = &text[*at..=*at];
        text.matches(sign).count() == 1
            && (text.len() - at != 4
                || text.starts_with("0.")
                || text.starts_with("0,")
                || text[..*at].contains(['.', ',']))
    });
    let digits = |text: &str| text.replace(['.', ','], "");
    let plain = match point {
        Some(at) => format!("{}.{}", digits(&text[..at]), digits(&text[at..])),
        None => digits(text),
    };
    match plain.split_once('.') {
        Some((whole, decimals)) if !decimals.contains('.') => {
            let decimals = decimals.trim_end_matches('0');
            if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") }
        }
        _ => plain,
    }
}
