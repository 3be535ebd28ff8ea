//! Questions over two catalogues, with the exact answers.

use super::*;
use crate::retrieval::product::Product;
use crate::wording::Wording;

/// The sample shop's rows, as ingestion writes them.
const SHOP: &str = include_str!("../../../knowledge/catalogue.csv");

/// Another shop: other columns, another currency, whether something is there without how much of
/// it, many variants.
const WARDROBE: &str = "\
available,item_id,name,options color,options size,options material,price
true,961,T-Shirt,blue,M,cotton,50.88 USD
true,812,T-Shirt,purple,XL,cotton,49.67 USD
false,935,T-Shirt,red,XXL,cotton,46.85 USD
true,525,T-Shirt,black,XXL,polyester,49.52 USD
true,117,T-Shirt,black,S,polyester,52.88 USD
true,964,T-Shirt,purple,S,polyester,53.48 USD
true,301,Running Shoes,white,9,leather,158.00 USD
false,302,Running Shoes,black,10,leather,149.50 USD
true,401,Desk Lamp,silver,,,137.16 USD
true,501,Wristwatch,brown,,leather,2000.00 USD
true,502,Smart Watch,black,,leather,315.61 USD
";

/// No stock, no category, another language's columns.
const HOFLADEN: &str = "\
Artikelnummer,Bezeichnung,Preis,Gewicht (kg)
A1,Apfelsaft,\"3,20 €\",1.1
A2,Honigglas,\"6,50 €\",0.5
";

fn shelf(csv: &str) -> Shelf {
    let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let passage = |(at, row): (usize, Result<csv::StringRecord, csv::Error>)| {
        let row = row.unwrap();
        let fields: Vec<(&str, &str)> = heads.iter().map(String::as_str).zip(row.iter()).collect();
        let parts: Vec<String> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(head, value)| format!("{head}: {value}"))
            .collect();
        Passage {
            site: "shop".into(),
            document: "catalogue.csv".into(),
            ordinal: u32::try_from(at).unwrap(),
            title: "catalogue".into(),
            headings: Vec::new(),
            text: format!("{}.", parts.join("; ")),
            url: None,
            language: "en".into(),
            audience: Audience::Public,
            start: 0,
            end: 0,
            document_hash: String::new(),
            valid_from_ms: None,
            valid_until_ms: None,
            product: Product::read(&fields, &mut Vec::new()).map(Box::new),
        }
    };
    Shelf::new(reader.records().enumerate().map(passage).collect())
}

fn told(shelf: &Shelf, said: &[&str], language: &str) -> Option<RowsAnswer> {
    let (question, before) = said.split_last().unwrap();
    let mut history: Vec<Line> = Vec::new();
    for line in before {
        let answer = told(shelf, &[line], language)
            .map_or_else(|| "I don't know.".to_owned(), |told| told.text);
        history.push(Line { by_visitor: true, text: (*line).to_owned() });
        history.push(Line { by_visitor: false, text: answer });
    }
    let asked = Asked {
        question,
        history: &history,
        language,
        reads: language,
        audience: Audience::Public,
        now_ms: 5,
        wording: Wording::built_in(),
        is_word: &|word| ["store", "parking", "rent", "water", "party"].contains(&word),
    };
    shelf.ask(&asked)
}

#[track_caller]
fn check(shelf: &Shelf, said: &[&str], expected: Option<&str>) {
    let language = if said.iter().any(|line| line.chars().any(unspaced)) { "zh" } else { "en" };
    let told = told(shelf, said, language);
    assert_eq!(told.as_ref().map(|told| told.text.as_str()), expected, "{said:?}");
    // Whatever is told stands in its rows, or was said.
    let Some(told) = told else { return };
    let facts = crate::grounding::facts;
    let mut known = facts(&said.join("\n"));
    known.extend(told.passages.iter().flat_map(|passage| facts(&passage.text)));
    for fact in facts(&told.text) {
        assert!(known.contains(&fact), "{fact} of {:?} is in no row", told.text);
    }
    assert!(!told.passages.is_empty(), "{said:?} has no source");
}

#[test]
fn what_is_ahead_of_the_thing_spoken_of() {
    let shop = shelf(SHOP);
    let check = |said: &[&str], expected: Option<&str>| check(&shop, said, expected);
    // A lantern lights, too; a strap costs far less than any lamp.
    check(
        &["How much is the Glint Pro 600?", "anything cheaper?"],
        Some(
            "We have:\n- Glint 350 head torch: 39.90 EUR (Graphite or Signal orange)\n\
             - Firefly camp lantern: 34.50 EUR (200 lumens)",
        ),
    );
    check(
        &["What does the Corrie 60 weigh?", "Do you have anything lighter?"],
        Some(
            "We have:\n- Corrie 30 backpack: 109 EUR (One back length)\n\
             - Corrie 45 backpack: 159 EUR (S/M or M/L)",
        ),
    );
}

#[test]
fn what_there_is() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    let kinds = "We sell: Tents, Tent spares, Hammocks, Stoves, Fuel, Cookware, Bottles, Sleeping pads, Sleeping bags, \
                 Sleeping accessories, Lighting, Power, Water, Backpacks, Travel bags, Clothing, Travel accessories, Footwear, \
                 Poles, Care products.";
    check("What do you sell?", Some(kinds));
    check("what products do you have", Some(kinds));
    check(
        "What tents do you have?",
        Some("We have:\n- Tarn 2 tent: 349 EUR (Moss or Slate)\n- Tarn 3 tent: 429 EUR (Moss)"),
    );
    let packs = "- Corrie 30 backpack: 109 EUR (One back length)\n- Corrie 45 backpack: 159 EUR (S/M or M/L)\n\
                 - Corrie 60 backpack: 189 EUR (S/M or M/L)";
    check("Which backpacks do you sell?", Some(&format!("We have:\n{packs}")));
    check("do you sell rucksacks?", Some(&format!("Yes. We have:\n{packs}")));
    let torches = "We have:\n- Glint 350 head torch: 39.90 EUR (Graphite or Signal orange)\n- Glint Pro 600 head torch: 64.90 EUR (Graphite)";
    check("show me your head torches", Some(torches));
    check("headlamps?", Some(torches));
    check(
        "What clothing do you have?",
        Some(
            "We have:\n- Skerry rain jacket: 189 EUR (Women's or Men's)\n- Skerry rain trousers: 109 EUR (Women's or Men's)\n\
             - Lanner merino T-shirt: 59 EUR (Women's or Men's)\n- Lanner merino long sleeve: 74 EUR (Women's or Men's)\n\
             - Burren wool hiking socks: 18 EUR (EU 36 to 47)\n- Midge head net: 9.90 EUR (One size)",
        ),
    );
    check("Do you sell kayaks?", None);
    check("Do you have a store?", None);
    check("Do you have parking?", None);
}

#[test]
fn the_most_and_the_least() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check(
        "What's the cheapest tent you have?",
        Some("The cheapest is Tarn 2 tent: 349 EUR (Moss or Slate)."),
    );
    check(
        "how much is the cheapest tent",
        Some("The cheapest is Tarn 2 tent: 349 EUR (Moss or Slate)."),
    );
    check(
        "most expensive sleeping bag",
        Some(
            "The most expensive is Hush Minus 7 sleeping bag: 309 EUR (Long, out of stock). \
             In stock: Hush Minus 7 sleeping bag: 289 EUR (Regular).",
        ),
    );
    check(
        "what is the lightest backpack?",
        Some("The lightest is Corrie 30 backpack: 980 g (One back length)."),
    );
    check("heaviest tent", Some("The heaviest is Tarn 3 tent: 2400 g (Moss)."));
    check(
        "What is your cheapest product?",
        Some("The cheapest is Tent pole repair sleeve: 4.50 EUR (For 8.7 mm poles)."),
    );
    check("What is the cheapest tent and backpack?", None);
    check("Which is the largest backpack?", None);
    check("Which is the warmest sleeping bag?", None);
    check("what is the cheapest delivery?", None);
}

#[test]
fn within_limits() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check(
        "Do you have sleeping bags under 250 euros?",
        Some("Yes. Hush 0 sleeping bag costs 229 EUR (Regular) or 249 EUR (Long)."),
    );
    check("sleeping bags under 249 euros", Some("Hush 0 sleeping bag costs 229 EUR (Regular)."));
    check(
        "sleeping bags up to €249",
        Some("Hush 0 sleeping bag costs 229 EUR (Regular) or 249 EUR (Long)."),
    );
    check(
        "backpacks between 100 and 160 euros",
        Some(
            "We have:\n- Corrie 30 backpack: 109 EUR (One back length)\n- Corrie 45 backpack: 159 EUR (S/M or M/L)",
        ),
    );
    check("tents over 400 EUR", Some("Tarn 3 tent costs 429 EUR (Moss)."));
    check(
        "Do you have a tent for less than 100 euros?",
        Some("No. The cheapest is Tarn 2 tent: 349 EUR (Moss or Slate)."),
    );
    check("tents under 2 kg", Some("Tarn 2 tent weighs 1900 g."));
    check(
        "do you have anything under 5 euros?",
        Some(
            "Yes. We have:\n- Tent pole repair sleeve: 4.50 EUR (For 8.7 mm poles)\n- Rill backwash syringe: 4.90 EUR (60 ml)",
        ),
    );
    check("tents under 300 dollars", None);
    check("Is shipping free over 75 euros?", None);
    check("What should I buy as a gift for my dad who likes hiking, under 50 euros?", None);
    check("lanterns under 100 lumens", None);
}

#[test]
fn one_property() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check("How much is the Tarn 3?", Some("Tarn 3 tent costs 429 EUR (Moss)."));
    check(
        "how much is a footprint",
        Some("Tarn 2 footprint costs 39 EUR (Grey). Tarn 3 footprint costs 45 EUR (Grey)."),
    );
    check(
        "How much is the rain cover for the Corrie 60?",
        Some("Corrie rain cover costs 22.50 EUR (60 L)."),
    );
    check(
        "how heavy is the corrie 60",
        Some("Corrie 60 backpack weighs 1610 g (S/M) or 1650 g (M/L)."),
    );
    check(
        "how much does the corrie 60 weigh?",
        Some("Corrie 60 backpack weighs 1610 g (S/M) or 1650 g (M/L)."),
    );
    check(
        "How much is the Tarn 2 and what does it weigh?",
        Some("Tarn 2 tent costs 349 EUR (Moss or Slate). Tarn 2 tent weighs 1900 g."),
    );
    check(
        "What does the Ember weigh?",
        Some("Ember Solo stove weighs 92 g. Ember Piezo stove weighs 108 g."),
    );
    check(
        "How much is a 230 g gas cartridge?",
        Some("Threaded gas cartridge costs 7.90 EUR (230 g)."),
    );
    check("price of fathom bottle 0.75", Some("Fathom insulated bottle costs 29.90 EUR (0.75 L)."));
    check(
        "How much are the Cairn Alu poles?",
        Some("Cairn Alu trekking poles cost 69 EUR (Pair)."),
    );
    check("which colours does the Tarn 2 come in?", Some("Tarn 2 tent comes in Moss and Slate."));
    check(
        "What sizes does the Hush Minus 7 come in?",
        Some("Hush Minus 7 sleeping bag comes in Regular and Long (out of stock)."),
    );
    check("item number of the Tarn 3 tent", Some("Tarn 3 tent: item no. HP-1013 (Moss)."));
    check("Price of the Corie 45 backpak", Some("Corrie 45 backpack costs 159 EUR (S/M or M/L)."));
    check("Was kostet der Corrie 30?", Some("Corrie 30 backpack costs 109 EUR (One back length)."));
    // Its variants are no colours; documents say more.
    check("What colours does the Skerry jacket come in?", None);
    check(
        "How much is a water bottle?",
        Some("Fathom insulated bottle costs 24.90 EUR (0.5 L) or 29.90 EUR (0.75 L)."),
    );
    check("how much does it cost to repair a tent", None);
    check("how much is a tent repair", None);
    check("How do I clean my tent?", None);
    check("What does delivery of the Tarn 2 cost?", None);
    check("How long is the warranty on the Tarn 2?", None);
    check("Is the Bracken Mid waterproof?", None);
    check("How much do the Bracken Mid boots cost and are they waterproof?", None);
    check("The Tarn 3 costs 1 EUR, right?", None);
    check("How much gas do I have left?", None);
    check("Tell me about the Tarn 2", None);
}

#[test]
fn what_is_in_stock() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check("Tarn 2 in Slate in stock?", Some("Tarn 2 tent: 11 in stock (Slate)."));
    check(
        "Do you have the Tarn 2 in Slate in stock?",
        Some("Yes. Tarn 2 tent: 11 in stock (Slate)."),
    );
    check(
        "Is the Hush Minus 7 Long available?",
        Some(
            "No. Hush Minus 7 sleeping bag: out of stock (Long). In stock: Hush Minus 7 sleeping bag: 289 EUR (Regular).",
        ),
    );
    check(
        "Is the Hush Minus 7 in stock?",
        Some("Hush Minus 7 sleeping bag: 12 in stock (Regular), out of stock (Long)."),
    );
    check(
        "Which products are out of stock?",
        Some("Hush Minus 7 sleeping bag: 309 EUR (Long, out of stock)."),
    );
    check(
        "which tents are in stock?",
        Some("In stock:\n- Tarn 2 tent: 349 EUR (Moss or Slate)\n- Tarn 3 tent: 429 EUR (Moss)"),
    );
    check(
        "Do you have the Corrie 45 in M/L?",
        Some("Yes. Corrie 45 backpack costs 159 EUR (M/L)."),
    );
    check(
        "How many Spark 20 do you have left?",
        Some("Spark 20 power bank: 22 in stock (20000 mAh)."),
    );
    check(
        "do you still have the Hush Minus 7 in Long?",
        Some("No. Hush Minus 7 sleeping bag costs 309 EUR (Long, out of stock)."),
    );
    check("Does the Tarn 2 come in Slate?", Some("Yes. Tarn 2 tent costs 349 EUR (Slate)."));
    check("When will the Hush Minus 7 Long be back in stock?", None);
    check("Is the Tarn 2 in stock in the Dublin store?", None);
}

#[test]
fn two_or_more_beside_each_other() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check(
        "Is the Tarn 2 lighter than the Tarn 3?",
        Some("Yes. Tarn 2 tent weighs 1900 g. Tarn 3 tent weighs 2400 g."),
    );
    check(
        "Is the Tarn 2 more expensive than the Tarn 3?",
        Some("No. Tarn 2 tent costs 349 EUR (Moss or Slate). Tarn 3 tent costs 429 EUR (Moss)."),
    );
    check(
        "Which is cheaper, the Corrie 30 or the Corrie 45?",
        Some(
            "The cheaper one is Corrie 30 backpack. Corrie 30 backpack costs 109 EUR (One back length). Corrie 45 backpack costs 159 EUR (S/M or M/L).",
        ),
    );
    check(
        "how heavy are the Cairn Alu and the Carbon?",
        Some("Cairn Alu trekking poles weigh 490 g. Cairn Carbon trekking poles weigh 390 g."),
    );
    let tents = "| Product | Price | Weight |\n| --- | --- | --- |\n| Tarn 2 tent | 349 EUR (Moss or Slate) | 1900 g |\n\
                 | Tarn 3 tent | 429 EUR (Moss) | 2400 g |";
    check("Compare the Tarn 2 and the Tarn 3", Some(tents));
    check("Tarn 2 vs 3", Some(tents));
    check(
        "What is the difference between the Glint 350 and the Glint Pro 600?",
        Some(
            "| Product | Price | Weight |\n| --- | --- | --- |\n\
             | Glint 350 head torch | 39.90 EUR (Graphite or Signal orange) | 78 g |\n\
             | Glint Pro 600 head torch | 64.90 EUR (Graphite) | 96 g |",
        ),
    );
    check(
        "how much are the Tarn 2 and the Tarn 3?",
        Some("Tarn 2 tent costs 349 EUR (Moss or Slate). Tarn 3 tent costs 429 EUR (Moss)."),
    );
    check("which is warmer, hush 0 or hush minus 7?", None);
    check("Is the Tarn better than the MSR Hubba Hubba?", None);
}

#[test]
fn what_was_named_before() {
    let shop = shelf(SHOP);
    let check = |said: &[&str], expected: Option<&str>| check(&shop, said, expected);
    let first = "Tell me about the Hush 0";
    let long = "How much is it in Long?";
    check(&[first, long], Some("Hush 0 sleeping bag costs 249 EUR (Long)."));
    check(&[first, long, "Is it in stock?"], Some("Yes. Hush 0 sleeping bag: 8 in stock (Long)."));
    check(
        &[first, long, "And in Regular?"],
        Some(
            "Hush 0 sleeping bag costs 229 EUR (Regular). Hush 0 sleeping bag: 15 in stock (Regular).",
        ),
    );
    check(
        &["How much does the Tarn 2 cost?", "And how heavy is it?"],
        Some("Tarn 2 tent weighs 1900 g."),
    );
    check(
        &["How much does the Tarn 2 cost?", "which colours?"],
        Some("Tarn 2 tent comes in Moss and Slate."),
    );
    check(
        &["Tell me about the Ember stove", "does it work at altitude?", "How much is it?"],
        Some(
            "Ember Solo stove costs 44.90 EUR (Manual ignition). Ember Piezo stove costs 54.90 EUR (Piezo ignition).",
        ),
    );
    check(
        &["Which sleeping bags do you have?", "which is the cheapest?"],
        Some("The cheapest is Hush 0 sleeping bag: 229 EUR (Regular)."),
    );
    check(
        &["I'm looking at the Corrie 45.", "How much is the rain cover for it?"],
        Some("Corrie rain cover costs 19.50 EUR (30 to 45 L) or 22.50 EUR (60 L)."),
    );
    // What "it" is has changed, or nobody said.
    check(&["How much is the Tarn 2?", "Do you ship to Germany?", "How much does it cost?"], None);
    check(&["How much is the Tarn 2?", "Where is your store?", "How heavy is it?"], None);
    check(&["How heavy is it?"], None);
    check(&["How much?"], None);
}

#[test]
fn questions_in_chinese() {
    let shop = shelf(SHOP);
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check(
        "帐篷多少钱？",
        Some("Tarn 2 tent售价 349 EUR（Moss、Slate）。Tarn 3 tent售价 429 EUR（Moss）。"),
    );
    check("Tarn 2 帐篷多少钱？", Some("Tarn 2 tent售价 349 EUR（Moss、Slate）。"));
    check(
        "你们卖帐篷吗？",
        Some(
            "有的。我们有：\n- Tarn 2 tent：349 EUR（Moss、Slate）\n- Tarn 3 tent：429 EUR（Moss）",
        ),
    );
    check("最便宜的睡袋是哪个？", Some("最便宜的是Hush 0 sleeping bag：229 EUR（Regular）。"));
    check(
        "250欧元以下的睡袋有哪些？",
        Some("Hush 0 sleeping bag售价 229 EUR（Regular）或 249 EUR（Long）。"),
    );
    check("Tarn 2 比 Tarn 3 轻吗？", Some("是的。Tarn 2 tent重 1900 g。Tarn 3 tent重 2400 g。"));
    check(
        "Hush Minus 7 Long 有货吗？",
        Some(
            "没有。Hush Minus 7 sleeping bag：缺货（Long）。有货的是：Hush Minus 7 sleeping bag：289 EUR（Regular）。",
        ),
    );
    check(
        "Glint 350 和 Pro 600 有什么区别？",
        Some(
            "| 商品 | 价格 | 重量 |\n| --- | --- | --- |\n\
             | Glint 350 head torch | 39.90 EUR（Graphite、Signal orange） | 78 g |\n| Glint Pro 600 head torch | 64.90 EUR（Graphite） | 96 g |",
        ),
    );
    let mixed = told(&shop, &["Glint 350 和 Pro 600 有什么区别？"], "en").unwrap();
    assert!(mixed.text.starts_with("| 商品 |"), "the names are not the language: {}", mixed.text);
    check("运费多少？", None);
    check("睡袋怎么洗？", None);
    check("Glint Pro 600 防水吗？", None);
    check("这个背包保修多久", None);
}

#[test]
fn other_shops_have_other_columns() {
    let wardrobe = shelf(WARDROBE);
    let check = |question: &str, expected: Option<&str>| {
        super::tests::check(&wardrobe, &[question], expected)
    };
    check(
        "What do you sell?",
        Some("We sell: T-Shirt, Running Shoes, Desk Lamp, Wristwatch, Smart Watch."),
    );
    check("How much is the t-shirt?", Some("T-Shirt costs 49.52 to 53.48 USD."));
    check("How much is the blue T-shirt in M?", Some("T-Shirt costs 50.88 USD (blue, M, cotton)."));
    check(
        "what colors does the t-shirt come in?",
        Some("T-Shirt comes in blue, purple, red (out of stock) and black."),
    );
    check(
        "what materials does the t-shirt come in?",
        Some("T-Shirt: material cotton and polyester."),
    );
    check(
        "is the red XXL t-shirt available?",
        Some(
            "No. T-Shirt: out of stock (red, XXL, cotton). In stock: T-Shirt: 49.52 to 53.48 USD.",
        ),
    );
    check(
        "do you have running shoes in size 10?",
        Some("No. Running Shoes cost 149.50 USD (black, 10, leather, out of stock)."),
    );
    check(
        "is the smart watch cheaper than the wristwatch?",
        Some(
            "Yes. Smart Watch costs 315.61 USD (black, leather). Wristwatch costs 2000 USD (brown, leather).",
        ),
    );
    check(
        "lamps under $50",
        Some("We have nothing like that. The cheapest is Desk Lamp: 137.16 USD (silver)."),
    );
    check("how heavy is the desk lamp?", None);

    let hofladen = shelf(HOFLADEN);
    let check = |question: &str, expected: Option<&str>| {
        super::tests::check(&hofladen, &[question], expected)
    };
    check("Was kostet der Apfelsaft?", Some("Apfelsaft costs 3.20 EUR."));
    check("Is the Apfelsaft in stock?", None);
    check("Which products are out of stock?", None);
    check(
        "What is the difference between Apfelsaft and Honigglas?",
        Some(
            "| Product | Price | Weight |\n| --- | --- | --- |\n| Apfelsaft | 3.20 EUR | 1.1 kg |\n| Honigglas | 6.50 EUR | 0.5 kg |",
        ),
    );
    let empty = Shelf::default();
    super::tests::check(&empty, &["What do you sell?"], None);
}

#[test]
fn what_visitors_may_not_see_is_not_told() {
    let mut shop = shelf(SHOP);
    for row in &mut shop.rows {
        match row.product.name.as_str() {
            "Tarn 2 tent" => row.passage.audience = Audience::Agents,
            "Tarn 3 tent" => row.passage.valid_until_ms = Some(4),
            _ => {}
        }
    }
    check(&shop, &["How much is the Tarn 2 tent?"], None);
    check(&shop, &["How much is the Tarn 3 tent?"], None);
    check(
        &shop,
        &["How much is the Ember Solo?"],
        Some("Ember Solo stove costs 44.90 EUR (Manual ignition)."),
    );
}

#[test]
fn whatever_is_asked_nothing_breaks() {
    let shops = [shelf(SHOP), shelf(WARDROBE), Shelf::default()];
    for question in [
        "",
        "?",
        "€",
        "under",
        "between 1 and",
        "7",
        "the",
        "最",
        "比",
        "\u{0}",
        "1.2.3.4,5",
        "'s",
        "S/M",
        "compare",
        "than than",
    ] {
        for shop in &shops {
            told(shop, &[question], "en");
            told(shop, &[question, question], "xx");
        }
    }
    let long = "tent and ".repeat(10_000);
    assert_eq!(told(&shops[0], &[&long], "en"), None);
}

#[test]
fn a_difference_is_told_where_it_is_asked_for() {
    let shop = shelf(SHOP);
    let asked = |question: &str| told(&shop, &[question], "en").map(|told| told.text);
    let difference = "The difference is 500 g.";
    let text = asked("How much lighter is the Tarn 2 than the Tarn 3?").unwrap_or_default();
    assert!(text.ends_with(difference), "{text}");
    let text = asked("Is the Tarn 2 lighter than the Tarn 3?").unwrap_or_default();
    assert!(!text.contains(difference), "{text}");
    // Words of a question in another language are read in English, and told in that language.
    let asked = Asked {
        question: "what is difference weight between tarn 2 and tarn 3?",
        history: &[],
        language: "fr",
        reads: "en",
        audience: Audience::Public,
        now_ms: 5,
        wording: Wording::built_in(),
        is_word: &|_| false,
    };
    let text = shop.ask(&asked).map(|told| told.text).unwrap_or_default();
    assert!(text.ends_with("La différence est de 500 g."), "{text}");
}

#[test]
fn several_things_have_a_sum() {
    let sum = |shelf: &Shelf, question: &str, language: &str| {
        let is_word = |_: &str| true;
        let audience = Audience::Public;
        let asked = Asked {
            question,
            history: &[],
            language,
            reads: language,
            audience,
            now_ms: 5,
            wording: Wording::built_in(),
            is_word: &is_word,
        };
        shelf.basket(&asked).map(|told| told.text)
    };
    let shop = shelf(SHOP);
    let check = |question: &str, language: &str, expected: Option<&str>| {
        assert_eq!(sum(&shop, question, language).as_deref(), expected, "{question}");
    };
    let both =
        "- 2 × Ember Piezo stove: 109.80 EUR\n- 1 × Tarn 3 tent: 429 EUR\nTogether: 538.80 EUR";
    check("2 Ember Piezo stoves and one Tarn 3 tent, how much is that together?", "en", Some(both));
    check("how much are two ember piezo stoves + a tarn 3 tent", "en", Some(both));
    check(
        "what do 3 Tarn 2 tents cost?",
        "en",
        Some("- 3 × Tarn 2 tent: 1047 EUR\nTogether: 1047 EUR"),
    );
    let german = "- 2 × Tarn 2 footprint: 78 EUR\n- 1 × Gannet hammock: 68 EUR\nZusammen: 146 EUR";
    check("2x Tarn 2 footprint und 1x Gannet hammock, was macht das?", "de", Some(german));
    let chinese =
        "- 2 × Ember Piezo stove: 109.80 EUR\n- 1 × Gannet hammock: 68 EUR\n共计：177.80 EUR";
    check("我要买2个Ember Piezo stove和1个Gannet hammock，一共多少钱？", "zh", Some(chinese));
    check("2个Ember Piezo stove和1个Gannet hammock有多重？", "zh", None);
    check("2个Ember Piezo stove和1个Gannet hammock运费多少钱？", "zh", None);
    let japanese = "- 2 × Tarn 3 tent: 858 EUR\n合計：858 EUR";
    check("Tarn 3 tentを2つでいくらですか", "ja", None);
    check("2つのTarn 3 tentはいくらですか", "ja", Some(japanese));
    // One thing is no sum, and what isn't understood is none.
    check("how much is the Tarn 3 tent?", "en", None);
    check("how much are 2 Tarn 3 tents with shipping to Ohio?", "en", None);
    check("how much do 2 Tarn 3 tents weigh?", "en", None);
    check("do 2 Tarn 3 tents fit in one bag?", "en", None);
    check("how much are 2 stoves?", "en", None);
    // Variants of different prices are not one price.
    let wardrobe = shelf(WARDROBE);
    assert_eq!(sum(&wardrobe, "how much are 2 t-shirts?", "en"), None);
    let lamps = "- 2 × Desk Lamp: 274.32 USD\nTogether: 274.32 USD";
    assert_eq!(sum(&wardrobe, "how much for 2 desk lamps?", "en").as_deref(), Some(lamps));
    let juice = "- 3 × Apfelsaft: 9.60 EUR\n- 1 × Honigglas: 6.50 EUR\nZusammen: 16.10 EUR";
    let asked = "3 Flaschen Apfelsaft und ein Honigglas, was macht das zusammen?";
    assert_eq!(sum(&shelf(HOFLADEN), asked, "de").as_deref(), Some(juice));
}

#[test]
fn variants_without_numbers_are_all_told() {
    let shop = shelf(
        "Handle,Title,Option1 Value,Variant Price,Variant Inventory Qty\n\
         rope-cuff,Rope Cuff Wide,Gold,70,1\nrope-cuff,Rope Cuff Wide,Silver,55,0\n\
         tide-clock,Tide Clock Brass,Default Title,90,4\n",
    );
    let check = |question: &str, expected: Option<&str>| check(&shop, &[question], expected);
    check(
        "how much is the rope cuff in silver?",
        Some("Rope Cuff Wide costs 55 (Silver, out of stock)."),
    );
    check(
        "how much is the rope cuff?",
        Some("Rope Cuff Wide costs 70 (Gold) or 55 (Silver, out of stock)."),
    );
    check("how many tide clocks do you have left?", Some("Tide Clock Brass: 4 in stock."));
}

#[test]
fn the_cheapest_of_a_kind_in_other_languages() {
    let shop = shelf(
        "sku,naam,categorie,prijs,voorraad\n1,Varen,Kamerplanten,12.50,0\n2,Palm,Kamerplanten,29.00,3\n\
         3,Klimop,Kamerplanten,14.00,8\n4,Gieter,Gereedschap,9.00,5\n5,Schop,Gereedschap,19.00,2\n",
    );
    let told =
        |question: &str, language: &str| told(&shop, &[question], language).map(|told| told.text);
    assert_eq!(
        told("wat is jullie goedkoopste kamerplant?", "nl").as_deref(),
        Some("Het goedkoopst:\n- Varen: 12.50 (niet op voorraad)\n- Klimop: 14")
    );
    assert_eq!(
        told("wat is het duurste gereedschap?", "nl").as_deref(),
        Some("Het duurst: Schop: 19")
    );
    assert_eq!(
        told("wat is het goedkoopste product?", "nl").as_deref(),
        Some("Het goedkoopst: Gieter: 9")
    );
    // A word that isn't understood, or a kind that isn't there.
    assert_eq!(told("wat is de goedkoopste fiets?", "nl"), None);
    assert_eq!(told("wat is de goedkoopste kamerplant voor noorden?", "nl"), None);
}
