use super::*;

fn moment(text: &str, _end: bool) -> Option<u64> {
    let mut digits = text.get(..10)?.split('-').map(str::parse::<u64>);
    let (year, month, day) = (digits.next()?.ok()?, digits.next()?.ok()?, digits.next()?.ok()?);
    Some(((year * 12 + month) * 31 + day) * 1_000)
}

/// What a CSV comes to: a line a row, its offer in brackets.
fn told(csv: &str, hints: &Hints) -> Vec<String> {
    let (sheet, _) = csv_sheet(csv);
    let is_language = |text: &str| matches!(text, "de" | "en" | "fr");
    let context = Context { hints, language: "en", separated: true, moment, is_language };
    let mut rows = Vec::new();
    let reading = read(sheet, &context, &mut |row| rows.push(row));
    let mut out: Vec<String> =
        reading.texts.iter().map(|(line, text)| format!("{line}: {text}")).collect();
    for row in rows {
        let mut text: Vec<String> =
            row.fields.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        text.extend(
            row.question_and_answer.map(|(question, answer)| format!("{question} {answer}")),
        );
        text.extend(row.prose);
        let mut line = format!(
            "{}{}",
            row.headings.iter().map(|h| format!("<{h}> ")).collect::<String>(),
            text.join("; ")
        );
        if let Some(offer) = row.offer {
            let none = String::new();
            let part = |text: &Option<String>| text.as_ref().unwrap_or(&none).clone();
            line.push_str(&format!(
                " [{}|{}|{}|{}<{}|{}/{}|{:?}|{:?}{}]",
                offer.id,
                offer.name,
                part(&offer.variant),
                part(&offer.price),
                part(&offer.before),
                part(&offer.currency),
                part(&offer.per),
                offer.stock,
                offer.available,
                if offer.backorder { " later" } else { "" }
            ));
        }
        out.push(line);
    }
    out.extend(reading.bad.iter().map(|(line, reason)| format!("bad {line}: {reason}")));
    for left in reading.understood.iter().flat_map(|understood| &understood.left_out) {
        out.push(format!("left {}x{}: {}", left.rows, left.line, left.reason));
    }
    out
}

#[track_caller]
fn check(csv: &str, expected: &[&str]) {
    assert_eq!(told(csv, &Hints::default()), expected);
}

#[test]
fn the_header_is_found_below_a_letterhead_and_sections_are_headings() {
    check(
        "Moss Nursery;;;\nAll prices in EUR;;;\n;;;\nPlant;Pot;Price;Remark\nHerbs;;;\nSage;9 cm;3,50;hardy\nGrasses;;;\nSedge;2 l;8,50;\nOpen daily.;;;\n",
        &[
            "1: Moss Nursery",
            "2: All prices in EUR",
            "9: Open daily.",
            "<Herbs> Name: Sage; Pot: 9 cm; Price: 3,50; Remark: hardy [Sage|Sage||3.50<|EUR/|None|None]",
            "<Grasses> Name: Sedge; Pot: 2 l; Price: 8,50 [Sedge|Sedge||8.50<|EUR/|None|None]",
        ],
    );
}

#[test]
fn a_table_without_a_header_is_read_by_its_cells() {
    check(
        "rye.jpg,Rye loaf,\"Rye, water and salt.\",750 g,4.20,7\noat.jpg,Oat loaf,Oats and wheat.,500 g,3.90,2\n",
        &[
            "Name: Rye loaf; Description: Rye, water and salt.; Size: 750 g; Price: 4.20 [Rye loaf|Rye loaf|750 g|4.20<|/|None|None]",
            "Name: Oat loaf; Description: Oats and wheat.; Size: 500 g; Price: 3.90 [Oat loaf|Oat loaf|500 g|3.90<|/|None|None]",
        ],
    );
    check(
        "Is it warm?,To minus five degrees.\nIs it light?,It weighs 900 g.\n",
        &["Is it warm? To minus five degrees.", "Is it light? It weighs 900 g."],
    );
}

#[test]
fn what_the_shop_pays_is_never_told() {
    check(
        "Code;Nom;Prix TTC;Prix d'achat;Fournisseur\nB1;Bol;12,00;4,00;Atelier\n",
        &["Code: B1; Nom: Bol; Prix TTC: 12,00 [B1|Bol||12.00<|/|None|None]"],
    );
    // "Cost" is what visitors pay where nothing else is a price.
    check(
        "Country,Cost\nSpain,9.90\nPeru,24.00\n",
        &["Country: Spain; Cost: 9.90", "Country: Peru; Cost: 24.00"],
    );
}

#[test]
fn variants_have_their_products_name_and_pictures_are_no_rows() {
    check(
        "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Status\n\
         cap,Fell cap,Colour,red,C-R,4,20.00,25.00,https://x.example/1.jpg,active\n\
         cap,,,blue,C-B,0,20.00,,https://x.example/2.jpg,\n\
         cap,,,,,,,,https://x.example/3.jpg,\n\
         old,Old cap,Title,Default Title,O-1,3,9.00,,,archived\n",
        &[
            "Title: Fell cap; Colour: red; SKU: C-R; Stock: 4; Price: 20.00; Compare At Price: 25.00 [C-R|Fell cap|red|20.00<25.00|/|Some(4)|Some(true)]",
            "Title: Fell cap; Colour: blue; SKU: C-B; Stock: 0; Price: 20.00 [C-B|Fell cap|blue|20.00<|/|Some(0)|Some(false)]",
            "left 1x4: it holds nothing to tell: a picture, say",
            "left 1x5: it isn't for sale (Status: archived)",
        ],
    );
}

#[test]
fn stock_means_what_the_platform_means_by_it() {
    check(
        "Handle,Title,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price\n\
         a,Ebook,E,,-3,deny,5.00\nb,Print,P,shopify,-3,continue,8.00\nc,Frame,F,shopify,0,deny,9.00\n",
        &[
            "Title: Ebook; SKU: E; Price: 5.00 [E|Ebook||5.00<|/|None|Some(true)]",
            "Title: Print; SKU: P; Price: 8.00 [P|Print||8.00<|/|None|Some(true)]",
            "Title: Frame; SKU: F; Stock: 0; Price: 9.00 [F|Frame||9.00<|/|Some(0)|Some(false)]",
        ],
    );
    check(
        "sku,name,price,qty,is_in_stock\nS,Bundle,29.00,0,1\nT,Drum,0.00,3,1\nU,Organ,90,,backorder\n",
        &[
            "sku: S; name: Bundle; price: 29.00; is_in_stock: 1 [S|Bundle||29.00<|/|None|Some(true)]",
            "sku: T; name: Drum; qty: 3; is_in_stock: 1 [T|Drum||<|/|Some(3)|Some(true)]",
            "sku: U; name: Organ; price: 90; is_in_stock: backorder [U|Organ||90<|/|None|Some(false) later]",
        ],
    );
}

#[test]
fn prices_say_what_they_are_for_and_several_are_of_variants() {
    check(
        "Article;Unit;Price\nGinger;100 g;1,39 €\nLeek;piece;0,90 €\n",
        &[
            "Article: Ginger; Unit: 100 g; Price: 1,39 € [Ginger|Ginger||1.39<|EUR/100 g|None|None]",
            "Article: Leek; Unit: piece; Price: 0,90 € [Leek|Leek||0.90<|EUR/piece|None|None]",
        ],
    );
    check(
        "Vine;Price seedling;Price cutting\nMerlin;6,50;2,50\n",
        &[
            "Name: Merlin; Variant: seedling; Price: 6,50; Other prices: cutting 2,50 [Merlin seedling|Merlin|seedling|6.50<|/|None|None]",
            "Name: Merlin; Variant: cutting; Price: 2,50; Other prices: seedling 6,50 [Merlin cutting|Merlin|cutting|2.50<|/|None|None]",
        ],
    );
    check(
        "Towar;Cena netto;Cena brutto\nSer;10,00;10,50\n",
        &["Towar: Ser; Cena netto: 10,00; Cena brutto: 10,50 [Ser|Ser||10.50<|/|None|None]"],
    );
}

#[test]
fn broken_rows_are_named_and_a_second_table_begins_anew() {
    check(
        "sku,name,price\nA,Cup,3.00\nB,Mug\nC,Pot,9.00,red\n",
        &[
            "sku: A; name: Cup; price: 3.00 [A|Cup||3.00<|/|None|None]",
            "bad 3: it has 2 fields, but the header names 3; is a quote missing?",
            "bad 4: it has 4 fields, but the header names 3; is a quote missing?",
            "left 1x3: it has 2 fields, but the header names 3; is a quote missing?",
            "left 1x4: it has 4 fields, but the header names 3; is a quote missing?",
        ],
    );
    check(
        "Bread,Weight,Price\nRye,750 g,4.20\n,,\nCake,Slices,Price\nPlum tart,12,24.00\n",
        &[
            "Name: Rye; Weight: 750 g; Price: 4.20 [Rye|Rye||4.20<|/|None|None]",
            "Name: Plum tart; Slices: 12; Price: 24.00 [Plum tart|Plum tart||24.00<|/|None|None]",
        ],
    );
}

#[test]
fn a_file_beside_the_table_can_say_it() {
    let mut hints = Hints::default();
    hints.set("header_row", "2").expect("a number");
    hints.set("columns", "A=name, VK=price, Z=hidden").expect("kinds");
    hints.set("currency", "CHF").expect("a code");
    assert!(hints.set("columns", "A=colourful").is_err() && hints.set("tax", "some").is_err());
    assert_eq!(
        told("x;y;z\nA;VK;Z\nLamp;20;7\n", &hints),
        ["1: x y z", "A: Lamp; VK: 20 [Lamp|Lamp||20<|CHF/|None|None]"]
    );
}

#[test]
fn headers_of_two_lines_and_scales_over_plain_figures_are_headers() {
    check(
        "Plant,Pot,Price (zł),\n,,net,gross\nLime,C15,120,129.6\nMaple,C10,85,91.8\n",
        &[
            "Name: Lime; Pot: C15; Price (zł) net: 120; Price (zł) gross: 129.60 [Lime|Lime||129.60<|PLN/|None|None]",
            "Name: Maple; Pot: C10; Price (zł) net: 85; Price (zł) gross: 91.80 [Maple|Maple||91.80<|PLN/|None|None]",
        ],
    );
    check(
        "Harbour parking,,\nLot,1 day,3 days\nEast,24,58\nWest,16,40\n",
        &[
            "1: Harbour parking",
            "Lot: East; 1 day: 24; 3 days: 58",
            "Lot: West; 1 day: 16; 3 days: 40",
        ],
    );
}

#[test]
fn prices_are_known_by_their_currency_and_lists_need_no_header() {
    check(
        "Item,£ / pack\nRocket,1.6\n",
        &["Item: Rocket; £ / pack: 1.60 [Rocket|Rocket||1.60<|GBP/|None|None]"],
    );
    let prices = told(
        "Cut and dry,from £48\nGents cut,£26\nFull colour,from £75\nPatch test,free\n",
        &Hints::default(),
    );
    assert_eq!(prices[0], "Name: Cut and dry; Price: from £48");
    assert!(prices[1].starts_with("Name: Gents cut; Price: £26 ["), "{prices:?}");
    assert_eq!(prices[3], "Name: Patch test; Price: free");
}

#[test]
fn stock_may_be_a_word_and_codes_are_no_names() {
    check(
        "Artigo,Descrição,Preço,¿Existencias?,Inventario\nA-1,Painted tile,4.50,1,12\nA-2,Blue tile,7.20,backorder,0\nA-3,Mural,185,0,0\n",
        &[
            "Artigo: A-1; Descrição: Painted tile; Preço: 4.50; Existencias: 1; Inventario: 12 [A-1|Painted tile||4.50<|/|Some(12)|Some(true)]",
            "Artigo: A-2; Descrição: Blue tile; Preço: 7.20; Existencias: backorder [A-2|Blue tile||7.20<|/|None|Some(false) later]",
            "Artigo: A-3; Descrição: Mural; Preço: 185; Existencias: 0 [A-3|Mural||185<|/|None|Some(false)]",
        ],
    );
    let words = told("商品名,価格,在庫\n抹茶,864,あり\n玄米茶,756,なし\n", &Hints::default());
    assert!(words[0].contains("Some(true)") && words[1].contains("Some(false)"), "{words:?}");
}

#[test]
fn special_prices_begin_on_american_dates() {
    let rows = told(
        "sku,name,price,special_price,special_price_from_date\nB,Bag,34.00,27.20,\"12/31/20, 8:00 AM\"\n",
        &Hints::default(),
    );
    assert!(rows.iter().any(|row| row.contains("27.20<34.00")), "{rows:?}");
}

#[test]
fn sections_tell_rows_of_one_name_apart() {
    check(
        "Treatment;short;long\nCATS;;\nBath;20;28\nDOGS;;\nBath;30;45\nClaws;9;\nTotal;59;\n",
        &[
            "<CATS> Treatment: Bath (CATS); short: 20; long: 28",
            "<DOGS> Treatment: Bath (DOGS); short: 30; long: 45",
            "<DOGS> Treatment: Claws (DOGS); short: 9",
            "left 1x7: it sums up the rows above it",
        ],
    );
    // A section that only some rows stand in, and which looks like one, is of another sort.
    check(
        "Item;Price;Remark\nLamp;20,00;red\nVase;12,00;\n\nDelivery\nup to 3 kg;4,50;\nup to 9 kg;0,00;by hand\n",
        &[
            "Item: Lamp; Price: 20,00; Remark: red [Lamp|Lamp||20.00<|/|None|None]",
            "Item: Vase; Price: 12,00 [Vase|Vase||12.00<|/|None|None]",
            "<Delivery> Item: up to 3 kg (Delivery); Price: 4,50 [up to 3 kg (Delivery)|up to 3 kg (Delivery)||4.50<|/|None|None]",
            "<Delivery> Item: up to 9 kg (Delivery); Price: 0,00; Remark: by hand",
        ],
    );
    // Of two headings in a row the lower is a part of the upper.
    check(
        "Hire;Day;Week\nBOATS;;\nSmall;;\nPunt;10;50\nLarge;;\nBarge;40;200\nBIKES;;\nPunt;8;40\n",
        &[
            "<BOATS – Small> Hire: Punt (BOATS – Small); Day: 10; Week: 50",
            "<BOATS – Large> Hire: Barge (BOATS – Large); Day: 40; Week: 200",
            "<BIKES> Hire: Punt (BIKES); Day: 8; Week: 40",
        ],
    );
}

#[test]
fn a_columns_name_counts_where_its_cells_fit() {
    check(
        "Wool;Code;lang;kurz\nMerino;M1;56;40\nMohair;M2;from 80;60\n",
        &[
            "Wool: Merino; Code: M1; lang: 56; kurz: 40",
            "Wool: Mohair; Code: M2; lang: from 80; kurz: 60",
        ],
    );
    let languages =
        told("question,answer,lang\nWarum?,Darum.,de\nWhy?,So.,en\n", &Hints::default());
    assert_eq!(languages, ["Warum? Darum.", "Why? So."]);
    check(
        "Session,Photo,Currency\nBaby,120.00,in cash\nFamily,150.00,by card\n",
        &[
            "Name: Baby; Photo: 120.00; Currency: in cash [Baby|Baby||120.00<|/|None|None]",
            "Name: Family; Photo: 150.00; Currency: by card [Family|Family||150.00<|/|None|None]",
        ],
    );
}

#[test]
fn a_remark_beside_the_table_stays_with_its_row() {
    check(
        "Dish;Price;;\nSoup;4.50;;\nRice;2.00;;\nStew;9.00;;not on Mondays\nPie;7.00;;17\n",
        &[
            "Dish: Soup; Price: 4.50 [Soup|Soup||4.50<|/|None|None]",
            "Dish: Rice; Price: 2.00 [Rice|Rice||2.00<|/|None|None]",
            "Dish: Stew; Price: 9.00; : not on Mondays [Stew|Stew||9.00<|/|None|None]",
            "Dish: Pie; Price: 7.00 [Pie|Pie||7.00<|/|None|None]",
        ],
    );
}

#[test]
fn letterheads_and_neighbours_say_what_amounts_are() {
    check(
        "Prices in GBP\n\nBoat;Half day;1 week;Seats\nCanoe;12;50;2\nPunt;15;60.5;4\n",
        &[
            "1: Prices in GBP",
            "Boat: Canoe; Half day: 12 GBP; 1 week: 50 GBP; Seats: 2",
            "Boat: Punt; Half day: 15 GBP; 1 week: 60.50 GBP; Seats: 4",
        ],
    );
    // A description may speak of anybody's money, an amount by itself doesn't.
    check(
        "Item;Note;Price\nMint;unlike the £9 one;3.50\nRose;;4.50\n",
        &[
            "Item: Mint; Note: unlike the £9 one; Price: 3.50 [Mint|Mint||3.50<|/|None|None]",
            "Item: Rose; Price: 4.50 [Rose|Rose||4.50<|/|None|None]",
        ],
    );
    check(
        "Item;Deposit;Price\nMint;£1;3.50\nRose;£2;4.50\n",
        &[
            "Item: Mint; Deposit: £1; Price: 3.50 [Mint|Mint||3.50<|GBP/|None|None]",
            "Item: Rose; Deposit: £2; Price: 4.50 [Rose|Rose||4.50<|GBP/|None|None]",
        ],
    );
    check(
        "Chair;Was;Now\nOak;90;60\nAsh;80;55\n",
        &[
            "Name: Oak; Was: 90; Price: 60 [Oak|Oak||60<90|/|None|None]",
            "Name: Ash; Was: 80; Price: 55 [Ash|Ash||55<80|/|None|None]",
        ],
    );
    check(
        "Nazwa;J.m.;Cena;Stan mag.\nCegła;szt.;3,20;400\nTransport do 10 km;kurs;0,00;\nPiasek;worek;0,00;8\n",
        &[
            "Nazwa: Cegła; Jm: szt.; Cena: 3,20; Stan mag: 400 [Cegła|Cegła||3.20<|/szt.|Some(400)|Some(true)]",
            "Nazwa: Transport do 10 km; Jm: kurs; Cena: 0,00",
            "Nazwa: Piasek; Stan mag: 8 [Piasek|Piasek||<|/|Some(8)|Some(true)]",
        ],
    );
}

#[test]
fn what_the_shop_pays_is_no_price() {
    // Odoo's export.
    check(
        "name,list_price,standard_price,qty_available,sale_ok\nStanding desk,420,210,6,True\nSpare screw,1,1,9,False\n",
        &[
            "name: Standing desk; list_price: 420; qty_available: 6 [Standing desk|Standing desk||420<|/|Some(6)|Some(true)]",
            "left 1x3: it isn't for sale (sale_ok: False)",
        ],
    );
    check(
        "Name,Default Unit Cost,Price,Archived\nFlat white,0.75,3.60,N\nPumpkin latte,0.90,4.20,Y\n",
        &[
            "Name: Flat white; Price: 3.60 [Flat white|Flat white||3.60<|/|None|None]",
            "left 1x3: it isn't for sale (Archived: Y)",
        ],
    );
}

#[test]
fn a_market_without_prices_and_a_sale_that_is_off_price_nothing() {
    // Shopify's export with markets.
    check(
        "Title,Variant Price,Price / United States,Compare At Price / United States\nFig candle,24.00,,\nCedar candle,54.00,,\n",
        &[
            "Title: Fig candle; Price: 24.00 [Fig candle|Fig candle||24.00<|/|None|None]",
            "Title: Cedar candle; Price: 54.00 [Cedar candle|Cedar candle||54.00<|/|None|None]",
        ],
    );
    // Squarespace's.
    check(
        "Title,Price,Sale Price,On Sale\nCard set,18.00,15.00,No\nPrint,24.00,20.00,Yes\n",
        &[
            "Title: Card set; Price: 18.00 [Card set|Card set||18.00<|/|None|None]",
            "Title: Print; Price: 24.00; Sale Price: 20.00 [Print|Print||20.00<24.00|/|None|None]",
        ],
    );
}

#[test]
fn measures_over_money_are_a_header() {
    let csv = "Lessons autumn term,,,,\nInstrument,Teacher,Day,30 min,60 min\nGuitar,Hal,Tuesday,£22,£40\n\
               Piano,Sun,Friday,£24,£44\nUkulele,Hal,Saturday,£9,£16\n";
    let told = told(csv, &Hints::default()).join("\n");
    for part in ["Guitar", "Teacher: Hal", "30 min", "60 min", "|22<", "|40<"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(!told.contains("Instrument"), "{told}");
}

#[test]
fn variants_without_a_name_are_of_the_product_above() {
    // Squarespace: a number and a size of its own, and no title.
    check(
        "Product ID [Non Editable],Title,SKU,Option Name 1,Option Value 1,Price,Stock\n\
         p1,Rope Mat,R-S,Size,small,20.00,3\n,,R-L,,large,28.00,Unlimited\n",
        &[
            "Title: Rope Mat; SKU: R-S; Size: small; Price: 20.00; Stock: 3 [R-S|Rope Mat|small|20.00<|/|Some(3)|Some(true)]",
            "Title: Rope Mat; SKU: R-L; Size: large; Price: 28.00 [R-L|Rope Mat|large|28.00<|/|None|Some(true)]",
        ],
    );
    // BigCommerce: the price is the product's where a variant has none.
    check(
        "Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Weight\n\
         Product,1,Fender,physical,F,,variant,,30,0\n\
         Variant,2,,,F-B,Type=Swatch|Name=Colour|Value=Blue[#00f],variant,2,,0\n\
         Variant,3,,,F-W,Type=Swatch|Name=Colour|Value=White[#fff],variant,0,34,0\nImage,4,,,,,,,,\n",
        &[
            "Name: Fender; SKU: F",
            "Name: Fender; SKU: F-B; Current Stock: 2; Price: 30; Colour: Blue [F-B|Fender|Blue|30<|/|Some(2)|Some(true)]",
            "Name: Fender; SKU: F-W; Current Stock: 0; Price: 34; Colour: White [F-W|Fender|White|34<|/|Some(0)|Some(false)]",
            "left 1x5: it holds nothing to tell: a picture, say",
        ],
    );
}

#[test]
fn what_a_reduction_comes_to_is_the_price() {
    check(
        "handleId,fieldType,name,sku,price,surcharge,visible,discountMode,discountValue,inventory,productOptionName1,productOptionDescription1\n\
         a,Product,Quilt,Q,90,,TRUE,PERCENT,20,InStock,Size,single;double\n\
         a,Variant,,Q-1,,0,TRUE,,,4,,single\na,Variant,,Q-2,,40,TRUE,,,0,,double\n",
        &[
            "name: Quilt; sku: Q",
            "name: Quilt; sku: Q-1; price: 72.00; inventory: 4; Size: single; Compare At Price: 90.00 [Q-1|Quilt|single|72.00<90.00|/|Some(4)|Some(true)]",
            "name: Quilt; sku: Q-2; price: 104.00; inventory: 0; Size: double; Compare At Price: 130.00 [Q-2|Quilt|double|104.00<130.00|/|Some(0)|Some(false)]",
        ],
    );
}

#[test]
fn what_the_shop_pays_its_supplier_is_hidden_beside_retail_prices() {
    check(
        "sku,name,supply_price,retail_price,active,track_inventory,inventory_Quay,inventory_Mill\n\
         9,Oar,11.5,40,1,1,2,1\n",
        &["sku: 9; name: Oar; retail_price: 40; Stock: 3 [9|Oar||40<|/|Some(3)|Some(true)]"],
    );
    // Members pay another price than everybody.
    check(
        "Item,Member price,Price\nLocker,8.00,10.00\n",
        &["Item: Locker; Member price: 8.00; Price: 10.00 [Locker|Locker||10.00<|/|None|None]"],
    );
}

#[test]
fn attributes_describe_and_only_listed_ones_tell_variants_apart() {
    check(
        "sku,product_type,name,visibility,price,qty,additional_attributes,configurable_variations\n\
         V-1,simple,Vase green,\"Catalog, Search\",12.00,2,\"color=Green,material=clay, glazed,has_options=0\",\n\
         V,configurable,Vase,\"Catalog, Search\",12.00,0,material=clay,\"sku=V-1,color=Green\"\n\
         C,simple,Candle,\"Catalog, Search\",3.00,9,\"color=White,hours=8\",\n",
        &[
            "sku: V-1; name: Vase green; price: 12.00; qty: 2; color: Green; material: clay, glazed [V-1|Vase|Green|12.00<|/|Some(2)|Some(true)]",
            "sku: V; name: Vase; material: clay",
            "sku: C; name: Candle; price: 3.00; qty: 9; color: White; hours: 8 [C|Candle||3.00<|/|Some(9)|Some(true)]",
        ],
    );
}

#[test]
fn names_that_only_look_like_the_shops_own_are_told() {
    check(
        "Zone;von kg;bis kg;Preis EUR\nInland;0;3;5,10\nInland;3;8;7,40\n",
        &[
            "Zone: Inland; von kg: 0; bis kg: 3; Preis EUR: 5,10",
            "Zone: Inland; von kg: 3; bis kg: 8; Preis EUR: 7,40",
        ],
    );
    check(
        "Canoe hire in CHF,,,\nBoat,1 h,2 h,full day\nCanoe,9,16,40\nRaft,12,20,–\nKayak,8,14,35\n",
        &[
            "1: Canoe hire in CHF",
            "Boat: Canoe; 1 h: 9 CHF; 2 h: 16 CHF; full day: 40 CHF",
            "Boat: Raft; 1 h: 12 CHF; 2 h: 20 CHF; full day: –",
            "Boat: Kayak; 1 h: 8 CHF; 2 h: 14 CHF; full day: 35 CHF",
        ],
    );
    check(
        "Prices in PLN,\nService,Price\nHem,from 25\nZip,30-45\nPatch,12\n",
        &[
            "1: Prices in PLN",
            "Service: Hem; Price: from 25 PLN",
            "Service: Zip; Price: 30-45 PLN",
            "Service: Patch; Price: 12 [Patch|Patch||12<|PLN/|None|None]",
        ],
    );
}

#[test]
fn prices_of_zones_and_seasons_keep_what_they_are_for() {
    check(
        "Weight,Zone 1 (DE),Zone 2,Overseas\nto 3 kg,\"5,10\",\"9,20\",\"14,00\"\nto 9 kg,\"7,40\",on request,–\n",
        &[
            "Weight: to 3 kg; Zone 1 (DE): 5,10; Zone 2: 9,20; Overseas: 14,00",
            "Weight: to 9 kg; Zone 1 (DE): 7,40; Zone 2: on request; Overseas: –",
        ],
    );
    check(
        "Hut,Low season,Low season,High season,High season,Beds\nHut,Mon to Thu,Fri to Sun,Mon to Thu,Fri to Sun,Beds\n\
         Otter,40,52,66,78,2\nHeron,35,44,58,61,4\n",
        &[
            "Hut: Otter; Low season Mon to Thu: 40; Low season Fri to Sun: 52; High season Mon to Thu: 66; High season Fri to Sun: 78; Beds: 2",
            "Hut: Heron; Low season Mon to Thu: 35; Low season Fri to Sun: 44; High season Mon to Thu: 58; High season Fri to Sun: 61; Beds: 4",
        ],
    );
    check(
        "From,Up to 4 people,5–8 people\nHarbour,55,75\nStation,18,25\n",
        &[
            "From: Harbour; Up to 4 people: 55; 5–8 people: 75",
            "From: Station; Up to 4 people: 18; 5–8 people: 25",
        ],
    );
}
