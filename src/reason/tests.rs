//! Leads over sentences as shops, banks and hire firms write them; most of them must have none.

use super::*;

/// A sentence in a language under its heading: `en|Shipping > Costs|Delivery costs 5 EUR.`
fn said(text: &'static str) -> Said<'static> {
    let mut parts = text.splitn(3, '|');
    let (language, about, text) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    Said { text, about, language }
}

fn led(
    language: &str,
    question: &str,
    chosen: &[&'static str],
    beside: &[&'static str],
) -> Option<Lead> {
    let wording = Wording::built_in();
    let question = Question { text: question, language, shop: "Oak & Elm", wording };
    let chosen: Vec<Said<'_>> = chosen.iter().map(|text| said(text)).collect();
    let beside: Vec<Said<'_>> = beside.iter().map(|text| said(text)).collect();
    lead(&question, &chosen, &beside)
}

#[track_caller]
fn check(language: &str, question: &str, chosen: &[&'static str], expected: &str) {
    let found = led(language, question, chosen, &[]);
    assert_eq!(found.as_ref().map(|lead| lead.text.as_str()), Some(expected), "{question}");
}

/// Nothing is concluded.
#[track_caller]
fn none(language: &str, question: &str, chosen: &[&'static str]) {
    none_beside(language, question, chosen, &[]);
}

#[track_caller]
fn none_beside(language: &str, question: &str, chosen: &[&'static str], beside: &[&'static str]) {
    assert_eq!(led(language, question, chosen, beside), None, "{question} {chosen:?}");
}

const EU: &str = "en|Shipping > Costs|Other EU countries: Service: Standard, Cost: 8.90 EUR, Free from: 120 EUR, Time: 3 to 5 working days";
const HOME: &str = "en|Shipping > Costs|Ireland: Service: Standard, Cost: 4.90 EUR, Free from: 75 EUR, Time: 1 to 2 working days";
const FAST: &str = "en|Shipping > Costs|Other EU countries: Service: Express, Cost: 19.90 EUR, Free from: never, Time: 2 working days";
const SENTENCE: &str = "en|Shipping|Standard delivery to other EU countries costs 8.90 EUR and is free for orders from 120 EUR.";

#[test]
fn orders_are_compared_with_the_value_from_which_delivery_is_free() {
    let fee = "8.90 EUR: it is free only from 120 EUR, and 110 EUR is 10 EUR short of that.";
    check("en", "my basket is 110 euro, how much is shipping to Germany?", &[EU], fee);
    check("en", "my basket is 110 euro, how much is shipping to Germany?", &[SENTENCE], fee);
    check("en", "my basket is 110 euro, shipping to Germany?", &[HOME, EU, FAST], fee);
    check(
        "en",
        "I'm ordering for 80 euros to Cork, do I pay delivery?",
        &[EU, HOME],
        "It is free: 80 EUR reaches the minimum of 75 EUR.",
    );
    check(
        "de",
        "Mein Warenkorb liegt bei 110 €, was kostet der Versand nach Wien?",
        &[EU],
        "8,90 EUR: Kostenlos ist es erst ab 120 EUR, bei 110 EUR fehlen 10 EUR.",
    );
    check(
        "fr",
        "Ma commande fait 150 €, combien coûte la livraison à Lyon ?",
        &[SENTENCE],
        "C'est gratuit : 150 EUR, c'est au moins le seuil de 120 EUR.",
    );
    check(
        "es",
        "Mi pedido es de 119,50 euros, ¿cuánto cuesta el envío a Sevilla?",
        &[EU],
        "8,90 EUR: solo es gratis a partir de 120 EUR; con 119,50 EUR faltan 0,50 EUR.",
    );
    check(
        "zh",
        "我买了100欧的东西寄到法国，包邮吗",
        &[
            "zh|配送与运费|欧盟其他国家标准配送运费为 8.90 欧元，订单满 120 欧元免运费，3 至 5 个工作日送达。",
        ],
        "8.90 欧元：满 120 欧元才免费，100 欧元还差 20 欧元。",
    );
    check(
        "de",
        "Bestellung über Waren für 60 Euro: ist der Versand kostenlos?",
        &["de|Versand|Der Versand kostet 5,90 € und ist ab 50 € kostenlos."],
        "Kostenlos: 60 EUR erreichen die Grenze von 50 EUR.",
    );
    check(
        "de",
        "Ich bestelle für 40 Euro, was kostet der Versand?",
        &["de|Versand|Der Versand kostet 5,90 €. Ab 50 € liefern wir versandkostenfrei."],
        "5,90 EUR: Kostenlos ist es erst ab 50 EUR, bei 40 EUR fehlen 10 EUR.",
    );
    check(
        "en",
        "I spend $40, is delivery free?",
        &["en|Delivery|Delivery is free for orders over $50."],
        "$40 is below the minimum of $50.",
    );
}

#[test]
fn a_row_of_its_own_goes_before_a_zone() {
    let question = "I'm ordering for 80 euros to Cork, do I pay delivery?";
    none_beside("en", question, &[EU], &[HOME]);
    none(
        "en",
        question,
        &[
            "en|Points > Levels|Ridge: Spend per year: from 300 EUR, Benefits: free standard delivery in Ireland",
        ],
    );
}

#[test]
fn other_sums_are_not_taken_for_an_order() {
    none("en", "my basket is 110 euro, how much is shipping to Norway?", &[EU]);
    none("en", "my basket is 110 euro, how much is shipping?", &[EU, HOME]);
    none("en", "my basket is 110 pounds, how much is shipping to Germany?", &[EU]);
    none("en", "my basket is 110 USD, how much is shipping to Germany?", &[EU]);
    none("en", "I have a voucher of 110 euro, how much is shipping to Germany?", &[EU]);
    none("en", "my basket is 110 euro, how long does shipping to Germany take?", &[EU]);
    none("en", "my basket is 110 euro, what does express shipping to Germany cost?", &[EU, FAST]);
    none("en", "my basket is 130 euro, is next-day shipping to Germany free?", &[EU]);
    none("es", "mi pedido es de 130 euros, ¿el envío exprés a Italia es gratis?", &[EU]);
    none("en", "my basket is 110 euro, can I return it from Germany?", &[EU]);
    none("en", "I ordered two for 50 euro and 60 euro, shipping to Germany?", &[EU]);
    none("en", "my basket is over 110 euro, how much is shipping to Germany?", &[EU]);
    none("en", "What does shipping to Germany cost?", &[EU]);
    none(
        "en",
        "my basket is 110 euro, how much is shipping to Germany?",
        &["en|Shipping|Delivery is free for members from 100 EUR."],
    );
    none(
        "en",
        "my order is 110 euro, what does sending it back cost?",
        &["en|Returns|Returns cost 5.90 EUR and are free for orders from 120 EUR."],
    );
    none(
        "en",
        "my order is 110 euro, what does delivery cost?",
        &["en|Delivery|Delivery costs 4 EUR to 9 EUR and is free from 120 EUR."],
    );
    none(
        "en",
        "my order is 110 euro, what does delivery cost?",
        &["en|Delivery|Parking is free for orders from 120 EUR."],
    );
}

const YEARS_5: &str = "en|Warranty|Tents and backpacks have a 5-year warranty.";
const YEARS_3: &str = "en|Warranty|Stoves and sleeping pads have a 3-year warranty.";

#[test]
fn times_are_compared_with_warranties_and_periods() {
    check(
        "en",
        "My tent broke after 3 years, is it covered by the warranty?",
        &[YEARS_5],
        "Yes: 3 years is within 5 years.",
    );
    check(
        "en",
        "I bought my backpack 6 years ago, is it still under warranty?",
        &[YEARS_5],
        "No: 6 years is more than 5 years.",
    );
    check(
        "en",
        "The zip on my tent broke. I've had it 4 years. Do I have to pay for the repair?",
        &[YEARS_5],
        "4 years is within 5 years.",
    );
    check(
        "en",
        "If my sleeping pad breaks after 3 years, is that still covered?",
        &[YEARS_3],
        "No.",
    );
    check(
        "en",
        "Is a gift card still valid after 18 months?",
        &["en|Gift cards|A gift card is valid for 5 years from the day of purchase."],
        "Yes: 18 months is within 5 years.",
    );
    check(
        "de",
        "Ist der Gutschein nach vier Jahren noch gültig?",
        &["de|Gutscheine|Gutscheine sind 3 Jahre gültig."],
        "Nein: 4 Jahre sind mehr als 3 Jahre.",
    );
    check(
        "zh",
        "我的帐篷用了六年，还能保修吗？",
        &["zh|保修|保修期为 5 年。"],
        "不能，6 年超过 5 年。",
    );
    // What else it depends on isn't known: a comparison, no yes.
    check(
        "en",
        "I bought it 3 weeks ago, can I return it?",
        &["en|Returns|You can return unused items within 60 days of delivery."],
        "3 weeks is within 60 days.",
    );
    check(
        "en",
        "I bought it 3 months ago, can I return it?",
        &["en|Returns|You can return unused items within 60 days of delivery."],
        "No: 3 months is more than 60 days.",
    );
    let second = led(
        "en",
        "My tent is 3 years old, is it under warranty?",
        &[YEARS_5],
        &["en|Warranty|Stoves and sleeping pads have a 3-year warranty."],
    );
    assert_eq!(second.unwrap().verdict, Verdict::Yes);
}

#[test]
fn times_of_something_else_are_not_compared() {
    // Another thing's warranty.
    none("en", "My stove broke after 4 years, is it covered by the warranty?", &[YEARS_5]);
    none_beside(
        "en",
        "It broke after 4 years, is it covered by the warranty?",
        &[YEARS_5],
        &[YEARS_3],
    );
    none("de", "Mein Zelt ist nach 4 Jahren kaputt, habe ich noch Garantie?", &[YEARS_5, YEARS_3]);
    none("de", "Mein Kocher ist nach 4 Jahren kaputt, habe ich noch Garantie?", &[YEARS_5]);
    // Other times.
    none("en", "How long is the warranty on tents?", &[YEARS_5]);
    none("en", "Is the tent repaired within 3 weeks under warranty?", &[YEARS_5]);
    none("en", "My tent arrived after 3 weeks, can I return it?", &[YEARS_5]);
    none(
        "en",
        "I bought it 3 weeks ago, when do I get my refund?",
        &["en|Returns|We refund you within 5 days after it has reached us."],
    );
    none("en", "I bought it 10 days ago, can I return it?", &["en|Returns|A return takes 5 days."]);
    none(
        "en",
        "I bought it 10 days ago, can I return it?",
        &["en|Returns|You can return items within 5 working days."],
    );
    none(
        "en",
        "I bought it 2 months ago, can I return it?",
        &["en|Returns|You can return items within 60 days."],
    );
    none("en", "I've had it for 5 years, is the tent still covered by the warranty?", &[YEARS_5]);
    none_beside(
        "en",
        "I bought it 70 days ago, can I return it?",
        &["en|Returns|You can return items within 60 days."],
        &["en|Returns|Gold members can return items within 90 days."],
    );
    none(
        "en",
        "Is the warranty void after 3 years without service on my tent?",
        &["en|Warranty|The warranty starts 3 days after delivery."],
    );
    none(
        "en",
        "I bought it 3 weeks ago, can I return it?",
        &[
            "en|Returns|Delivery costs are refunded only when you return all within 14 days of delivery.",
        ],
    );
    none(
        "en",
        "I bought it 3 weeks ago, can I return it?",
        &["en|Returns|If an item arrives faulty, return it within 14 days."],
    );
    none(
        "en",
        "If my sleeping mat breaks after 3 years, is that covered?",
        &["en|Glint > What if it breaks?|The Glint has a 2-year warranty."],
    );
    none(
        "en",
        "Is mould covered by the warranty after 3 years?",
        &["en|Care|Dry a tent within 24 hours, because mould is not covered by the warranty."],
    );
    // No yes where the question tells more than the sentence knows of.
    let worn = led(
        "en",
        "i bought boots 3 weeks ago and wore them on one hike, they rub terribly. can i send them back?",
        &["en|Returns|Boots can be returned within 60 days."],
        &[],
    );
    assert_ne!(worn.map(|lead| lead.verdict), Some(Verdict::Yes));
}

#[test]
fn ages_are_compared_with_least_and_highest_ones() {
    let rule = "en|Who can apply|The minimum age is 62.";
    check("en", "my wife is 64, may she apply?", &[rule], "Yes: 64 reaches the minimum of 62.");
    check("en", "I am 60 years old, can I apply?", &[rule], "No: 60 is below the minimum of 62.");
    check(
        "en",
        "Can my son drive it? He is 17.",
        &["en|Hire|Drivers must be at least 21 years old."],
        "No: 17 is below the minimum of 21.",
    );
    check(
        "de",
        "Meine Frau ist 64, darf sie das beantragen?",
        &["de|Antrag|Das Mindestalter beträgt 62 Jahre."],
        "Ja: 64 Jahre erreichen das Minimum von 62 Jahre.",
    );
    check(
        "fr",
        "Ma fille a 16 ans, peut-elle participer ?",
        &["fr|Conditions|L'âge minimum est de 18 ans."],
        "Non: 16 ans, c'est moins que le minimum de 18 ans.",
    );
    check(
        "es",
        "Mi hijo tiene 20 años, ¿puede participar?",
        &["es|Condiciones|La edad mínima es de 18 años."],
        "Sí: 20 años alcanza el mínimo de 18 años.",
    );
    check(
        "zh",
        "我妈妈64岁，可以申请吗？",
        &["zh|申请|最低年龄为 62 岁。"],
        "可以，64 岁达到最低要求 62 岁。",
    );
    // A further condition: the comparison alone.
    check(
        "en",
        "my wife is 64, may she apply?",
        &["en|Who can apply|The minimum age is 62 if she is retired."],
        "64 reaches the minimum of 62.",
    );
    none("en", "my tent is 64 cm wide, may I apply?", &[rule]);
    none("en", "my wife ordered 64, may she apply?", &[rule]);
    none("en", "my account is 64 days old, may I apply?", &[rule]);
    none("en", "my wife is 64 and I am 61, may we apply?", &[rule]);
    none(
        "en",
        "my wife is 64, may she apply?",
        &["en|Hire|The minimum age is 62 for cars and 65 years or older for vans."],
    );
    none_beside(
        "en",
        "my son is 19, may he drive?",
        &["en|Hire|The minimum age is 18."],
        &["en|Hire|The minimum age for vans is 21."],
    );
    none("en", "my wife is 64, is delivery free?", &[rule]);
    none(
        "en",
        "Anything special I have to do for a 6 year old child?",
        &["en|Jobs|Helpers must be at least 18 years old."],
    );
    none(
        "en",
        "What is a ten-year-old tent worth?",
        &["en|Jobs|Helpers must be at least 18 years old."],
    );
    none("en", "my wife is 64, may she apply?", &["en|About|Our shop is 62 years old."]);
}

#[test]
fn orders_are_compared_with_limits_of_offers() {
    let rule =
        "en|Paying|You can pay in three monthly instalments for orders from 90 EUR to 1,500 EUR.";
    check(
        "en",
        "I want to pay 80 euros in instalments, possible?",
        &[rule],
        "No: 80 EUR is below the minimum of 90 EUR.",
    );
    check(
        "en",
        "Can I have instalments for 80 euros?",
        &[rule],
        "No: 80 EUR is below the minimum of 90 EUR.",
    );
    check(
        "de",
        "Ist Ratenzahlung bei 2.000 € möglich?",
        &["de|Zahlung|Ratenzahlung ist für Bestellungen von 90 € bis 1.500 € möglich."],
        "Nein: 2000 EUR sind mehr als 1500 EUR.",
    );
    let within = led("en", "Can I pay 100 euros in instalments?", &[rule], &[]).unwrap();
    assert_eq!(
        (within.text.as_str(), within.verdict),
        ("100 EUR is within 90–1500 EUR.", Verdict::Comparison)
    );
    none("en", "Can I pay 80 dollars in instalments?", &[rule]);
    none("en", "Can I pay 80 euros by card?", &[rule]);
    none("en", "How much are instalments?", &[rule]);
    none(
        "en",
        "Can I have instalments for 80 euros?",
        &["en|Paying|An instalment of 40 EUR is due monthly for orders from 90 EUR."],
    );
    none(
        "en",
        "Can I have instalments for 80 euros?",
        &["en|Paying|We do not offer instalments for orders under 90 EUR in Spain."],
    );
}

#[test]
fn weights_and_sizes_are_compared_with_limits() {
    check(
        "en",
        "Can I send a parcel of 35 kg?",
        &["en|Parcels|We take parcels of up to 30 kg."],
        "No: 35 kg is more than 30 kg.",
    );
    check(
        "en",
        "Can I send a parcel of 25,000 g?",
        &["en|Parcels|We take parcels of up to 30 kg."],
        "25,000 g is within 30 kg.",
    );
    check(
        "de",
        "Ich wiege 130 kg, geht das?",
        &["de|Rad|Das Rad trägt Personen bis zu 120 kg."],
        "Nein: 130 kg sind mehr als 120 kg.",
    );
    check(
        "en",
        "I'm 1.95 m tall, does it fit?",
        &["en|Bag|The bag fits people up to 183 cm."],
        "No: 1.95 m is more than 183 cm.",
    );
    check(
        "en",
        "Can I charge it at 0 °C?",
        &["en|Battery|Charge the battery between 5 and 35 °C."],
        "0 °C is below the minimum of 5 °C.",
    );
    none("en", "Can I charge it at 0 °C?", &["en|Bag|The comfort temperature is 0 to 5 °C."]);
    none("en", "Can I wash it at 60 °C?", &["en|Care|Wash it at up to 30 °C, and charge nothing."]);
    none("en", "Can I send a parcel of 35 kg?", &["en|Bags|The bag carries loads up to 30 kg."]);
    none("en", "I weigh 60 kg, can I take it?", &["en|Bags|The bag carries loads up to 14 kg."]);
    none(
        "en",
        "Can I send a parcel of 35 kg?",
        &["en|Parcels|A parcel of 30 kg costs 20 EUR, one of up to 40 kg 30 EUR."],
    );
    none_beside(
        "en",
        "Can I send a parcel of 35 kg?",
        &["en|Parcels|We take parcels of up to 30 kg."],
        &["en|Parcels|Parcels of up to 40 kg go by courier."],
    );
    none("en", "Can I send a parcel of 35 cm?", &["en|Parcels|We take parcels of up to 30 kg."]);
    none("en", "Is my parcel of 35 kg there?", &["en|Parcels|Your parcel weighs 30 kg."]);
}

#[test]
fn shares_and_rates_are_computed() {
    let rule =
        "en|How heavy|A loaded backpack should weigh no more than a fifth of your body weight.";
    check(
        "en",
        "I weigh 60 kilos, how heavy should my loaded rucksack be at most?",
        &[rule],
        "At most 12 kg (1/5 of 60 kg).",
    );
    check(
        "de",
        "Ich wiege 82,5 kg, wie schwer darf der Rucksack sein?",
        &[rule],
        "Höchstens 16,5 kg (1/5 von 82,5 kg).",
    );
    check(
        "en",
        "How much is the deposit for an order of 300 EUR?",
        &["en|Deposit|The deposit is 20 % of the order value."],
        "60 EUR (20 % of 300 EUR).",
    );
    let points = "en|Points|You collect 1 point for every euro that you spend, and 100 points are worth a voucher of 5 EUR.";
    check(
        "en",
        "How many points do I need for a 10 euro voucher?",
        &[points],
        "10 EUR corresponds to 200 points.",
    );
    let birds = "en|Birds|One nest is hung for every 40 EUR you spend.";
    let asked = "If I spend 120 EUR, how many nests is that?";
    check("en", asked, &[birds], "120 EUR corresponds to 3 nests.");
    check("en", "What are 300 points worth?", &[points], "300 points corresponds to 15 EUR.");
    none(
        "en",
        "My tent weighs 2 kg, how heavy is the backpack?",
        &["en|Volume|Fill a fifth of the volume with air."],
    );
    none("en", "I weigh 60 kilos, can I sleep in it?", &[rule]);
    none("en", "I weigh 60 kilos and she 70 kilos, how heavy?", &[rule]);
    none("en", "How many days do I need for a 10 euro voucher?", &[points]);
    none("en", "How many points do I need for a 10 dollar voucher?", &[points]);
    none(
        "en",
        "How many points do I get for a 10 euro voucher?",
        &["en|Points|New members get 50 points and pay 5 EUR."],
    );
}

#[test]
fn places_decide_where_the_sentence_is_about_them() {
    check(
        "en",
        "do you ship gas cartridges to France?",
        &["en|Gas|We send gas cartridges only within the Republic of Ireland."],
        "No.",
    );
    check(
        "en",
        "Do you ship to Mexico?",
        &["en|Shipping|Oak & Elm does not ship to countries outside Europe."],
        "No.",
    );
    check(
        "es",
        "¿Enviáis a México?",
        &["en|Shipping|Oak & Elm does not ship to countries outside Europe."],
        "No.",
    );
    check(
        "zh",
        "能寄到中国吗",
        &["zh|配送|Oak & Elm 不向欧洲以外的国家和地区发货，因此不能寄到中国。"],
        "不能。",
    );
    none(
        "en",
        "Do you ship to France?",
        &["en|Gas|We send gas cartridges only within the Republic of Ireland."],
    );
    none(
        "en",
        "Do you ship to Norway?",
        &["en|Shipping|Oak & Elm does not ship to countries outside Europe."],
    );
    none("en", "Do you ship to Mexico?", &["en|Stoves|Stoves are not shipped outside Europe."]);
    none(
        "fr",
        "Livrez-vous en France ?",
        &["en|Gas|We send gas cartridges only within the Republic of Ireland."],
    );
    none(
        "en",
        "How much is shipping to Mexico?",
        &["en|Shipping|Oak & Elm does not ship to countries outside Europe."],
    );
    none("en", "Do you ship to Dublin?", &["en|Gas|We ship only within Ireland."]);
    none(
        "en",
        "Do you ship to Istanbul?",
        &["en|Shipping|Oak & Elm does not ship to countries outside Europe."],
    );
}

#[test]
fn a_sentence_that_says_it_decides_yes_or_no() {
    check(
        "en",
        "Can gift cards be returned?",
        &["en|Returns|Gift cards cannot be returned or paid out in cash."],
        "No.",
    );
    check("en", "Is the Corrie waterproof?", &["en|FAQ|The Corrie is not waterproof."], "No.");
    check("en", "Do gift cards expire?", &["en|Gift cards|Gift cards never expire."], "No.");
    check("en", "Is boot fitting free?", &["en|Stores|Boot fitting is free."], "Yes.");
    none(
        "en",
        "Can I return gas cartridges?",
        &["en|Returns|Opened gas cartridges cannot be returned."],
    );
    none("en", "Do you deliver to Norway?", &["en|Delivery|Delivery to Norway is not free."]);
    none(
        "en",
        "Do you deliver to Norway?",
        &["en|Delivery|We do not deliver parcels over 30 kg to Norway."],
    );
    none(
        "en",
        "Do you deliver to Norway?",
        &["en|Delivery|We do not deliver furniture to Norway."],
    );
    none(
        "en",
        "Do you deliver furniture to Norway?",
        &["en|Delivery|We do not deliver large furniture to Norway."],
    );
    none(
        "de",
        "Liefern Sie nach Norwegen?",
        &["de|Versand|Die Lieferung nach Norwegen ist nicht kostenlos."],
    );
    none(
        "de",
        "Liefern Sie nach Norwegen?",
        &["de|Versand|Möbel liefern wir nicht nach Norwegen."],
    );
    check(
        "de",
        "Liefern Sie nach Norwegen?",
        &["de|Versand|Wir liefern nicht nach Norwegen."],
        "Nein.",
    );
    check(
        "en",
        "Can I return a used water filter?",
        &["en|Returns|Used water filters cannot be returned for hygiene reasons."],
        "No.",
    );
    none("en", "Can I return boots?", &["en|Returns|Boots that you did not wear can be returned."]);
    none(
        "en",
        "Can I return boots?",
        &["en|Returns|Boots cannot be returned unless they are faulty."],
    );
    none("en", "Can I return used gift cards?", &["en|Returns|Gift cards cannot be returned."]);
    none("en", "Can't I return gift cards?", &["en|Returns|Gift cards cannot be returned."]);
    none(
        "en",
        "Is it too late to return gift cards?",
        &["en|Returns|Gift cards cannot be returned."],
    );
    none("en", "Can I return boots?", &["en|Returns|Boots can be returned if they are unused."]);
    none("en", "Can I return boots?", &["en|Returns|Boots can be returned within 60 days."]);
    none(
        "en",
        "Does the tent have a window?",
        &["en|Tent|The tent has a window without a cover, not a door."],
    );
    none("en", "I wore them outdoors. Can I return boots?", &["en|Returns|Boots can be returned."]);
    none(
        "en",
        "Do you deliver on Sunday?",
        &[
            "en|Delivery|We deliver on weekdays, never on Sunday before noon, but do deliver on Sunday evening.",
        ],
    );
    none("en", "Can you wash the bag and dry it?", &["en|Care|Wash the bag and do not dry it."]);
    none(
        "en",
        "Is the tent or the bag waterproof?",
        &["en|FAQ|The tent is not waterproof, the bag is."],
    );
}

#[test]
fn hostile_texts_are_read_without_harm() {
    for text in [
        "",
        "?",
        "€€€€",
        "9".repeat(400).as_str(),
        "１２３ kg 至",
        "1 to 2 to 3 kg x 4 x",
        "\u{202f}’'-–",
        "a’s 5’ 6” tall",
    ] {
        let text: &'static str = Box::leak(format!("en|{text}|{text}").into_boxed_str());
        for language in ["en", "de", "fr", "es", "zh", "xx"] {
            let _ = led(language, text, &[text], &[text]);
        }
    }
}
