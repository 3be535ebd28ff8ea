//! Products as the interfaces of shop platforms give them (Medusa, Sylius, Saleor, Shopify, Square,
//! WooCommerce, Etsy, commercetools, Stripe) → fields that say the same by themselves: a price with
//! its point, its currency, whether it can be had.

use serde_json::{Map, Value};

/// Stands in a record whose price says neither its currency's unit nor its smallest one; nothing
/// else begins with this sign.
pub(super) const UNCLEAR: &str = "@price unclear";

/// Whether 8900 are 89.00, or 8900.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// The smallest: cents.
    Minor,
    Major,
}

/// Currencies without a smaller unit.
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];

/// A whole amount from which it is surely of the smallest unit, and below which it surely isn't,
/// where nothing says which: few shops sell for thousands, none for less than a unit.
const SURELY_MINOR: f64 = 1000.0;
const SURELY_MAJOR: f64 = 100.0;

/// What is asked for something.
#[derive(Clone, Debug, PartialEq)]
struct Money {
    amount: String,
    currency: Option<String>,
}

/// An object with its prices and its stock in plain fields.
pub(super) fn plain(mut object: Map<String, Value>) -> Map<String, Value> {
    // A list as GraphQL gives it: `{"edges": [{"node": {…}}]}`.
    for key in ["variants", "products", "collections", "images"] {
        if let Some(nodes) = object.get(key).and_then(nodes) {
            object.insert(key.to_owned(), Value::Array(nodes));
        }
    }
    if object.keys().all(|key| matches!(key.as_str(), "node" | "cursor"))
        && let Some(Value::Object(node)) = object.remove("node")
    {
        return plain(node);
    }
    square(&mut object);
    stripe(&mut object);
    priced(&mut object);
    let name = ["title", "name"].iter().find_map(|key| object.get(*key)).cloned();
    let currency = object.get("currency").cloned();
    if let Some(Value::Array(variants)) = object.get_mut("variants") {
        for variant in variants.iter_mut().filter_map(Value::as_object_mut) {
            stocked(variant);
            if let Some(currency) = currency.clone().filter(|_| variant.contains_key("price")) {
                variant.entry("currency").or_insert(currency);
            }
            // Sylius and Saleor call a variant by its options.
            if let (Some(name), None, Some(Value::String(own))) =
                (&name, variant.get("title"), variant.get("name"))
                && name.as_str().is_some_and(|name| !own.contains(name))
            {
                let own = own.clone();
                variant.insert("variant".to_owned(), Value::String(own));
                variant.remove("name");
            }
        }
    }
    object
}

fn nodes(value: &Value) -> Option<Vec<Value>> {
    let edges = value.as_object()?.get("edges")?.as_array()?;
    edges.iter().map(|edge| edge.get("node").cloned()).collect()
}

fn text<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| object.get(*key)?.as_str())
}

fn code(object: &Map<String, Value>) -> Option<String> {
    let code = text(object, &["currency_code", "currencyCode", "currency"])?;
    Some(code.to_uppercase())
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// An amount as it is written for people.
fn written(amount: f64, unit: Unit, currency: Option<&str>) -> String {
    let places = if currency.is_some_and(|code| WHOLE.contains(&code)) { 0 } else { 2 };
    let amount = if unit == Unit::Minor { amount / 10_f64.powi(places) } else { amount };
    let places = usize::try_from(places).unwrap_or(2);
    format!("{amount:.places$}")
}

/// What an object of money says, where it says its unit: commercetools' `centAmount`, Etsy's
/// `divisor`; an amount beside `currencyCode` is one with its point.
fn money(value: &Value) -> Option<Money> {
    let object = value.as_object()?;
    let currency = code(object);
    if let Some(cents) = object.get("centAmount").and_then(Value::as_f64) {
        let places = object.get("fractionDigits").and_then(Value::as_i64).unwrap_or(2);
        let places = i32::try_from(places.clamp(0, 4)).unwrap_or(2);
        let digits = usize::try_from(places).unwrap_or(2);
        let amount = format!("{:.digits$}", cents / 10_f64.powi(places));
        return Some(Money { amount, currency });
    }
    let amount = number(object.get("amount")?)?;
    if let Some(divisor) = object.get("divisor").and_then(Value::as_f64).filter(|by| *by > 0.0) {
        let amount = written(amount / divisor, Unit::Major, currency.as_deref());
        return Some(Money { amount, currency });
    }
    object
        .contains_key("currencyCode")
        .then(|| Money { amount: written(amount, Unit::Major, currency.as_deref()), currency })
}

fn set(object: &mut Map<String, Value>, key: &str, money: &Money) {
    object.insert(key.to_owned(), Value::String(money.amount.clone()));
    if let Some(currency) = &money.currency {
        object.insert("currency".to_owned(), Value::String(currency.clone()));
    }
}

/// Writes the price of a product or variant as `price`, and what it was before as
/// `compare_at_price`.
fn priced(object: &mut Map<String, Value>) {
    // Shopify's and commercetools' own objects of money.
    for (from, to) in [
        ("price", "price"),
        ("compareAtPrice", "compare_at_price"),
        ("compare_at_price", "compare_at_price"),
    ] {
        let found =
            object.get(from).and_then(|value| money(value).or_else(|| money(value.get("value")?)));
        if let Some(found) = found {
            object.remove(from);
            set(object, to, &found);
        }
    }
    let lowest = ["priceRangeV2", "priceRange"].iter().find_map(|key| {
        let range = object.get(*key)?.as_object()?;
        let (low, high) = (money(range.get("minVariantPrice")?)?, range.get("maxVariantPrice"));
        Some((low.clone(), high.and_then(money).is_none_or(|high| high == low)))
    });
    if let Some((low, only)) = lowest {
        object.remove("priceRangeV2");
        object.remove("priceRange");
        // Of several prices the lowest is none of the product.
        if only && !object.contains_key("variants") {
            set(object, "price", &low);
        }
    }
    saleor(object);
    woocommerce(object);
    sylius(object);
    medusa(object);
}

/// Saleor: `pricing.price.gross.amount`, with the amount's point.
fn saleor(object: &mut Map<String, Value>) {
    let of = |pricing: &Map<String, Value>, key: &str| {
        let gross = pricing.get(key)?.as_object()?.get("gross")?.as_object()?;
        let currency = code(gross);
        let amount = number(gross.get("amount")?)?;
        Some(Money { amount: written(amount, Unit::Major, currency.as_deref()), currency })
    };
    let Some(pricing) = object.get("pricing").and_then(Value::as_object).cloned() else { return };
    let Some(price) = of(&pricing, "price") else { return };
    object.remove("pricing");
    set(object, "price", &price);
    if let Some(before) = of(&pricing, "priceUndiscounted").filter(|before| *before != price) {
        set(object, "compare_at_price", &before);
    }
}

/// WooCommerce's Store API: `prices` with the currency's minor unit.
fn woocommerce(object: &mut Map<String, Value>) {
    let Some(prices) = object.get("prices").and_then(Value::as_object).cloned() else { return };
    let Some(places) = prices.get("currency_minor_unit").and_then(Value::as_i64) else { return };
    let places = i32::try_from(places.clamp(0, 4)).unwrap_or(2);
    let digits = usize::try_from(places).unwrap_or(2);
    let of = |key: &str| {
        let amount = number(prices.get(key)?)? / 10_f64.powi(places);
        Some(Money { amount: format!("{amount:.digits$}"), currency: code(&prices) })
    };
    let (Some(price), regular) = (of("price"), of("regular_price")) else { return };
    object.remove("prices");
    set(object, "price", &price);
    if let Some(regular) = regular.filter(|regular| *regular != price) {
        set(object, "compare_at_price", &regular);
    }
    if let Some(Value::Bool(there)) = object.remove("is_in_stock") {
        object.insert("available".to_owned(), Value::Bool(there));
    }
}

/// Sylius gives prices in the smallest unit, beside the original ones.
fn sylius(object: &mut Map<String, Value>) {
    let of = |key: &str| object.get(key).filter(|value| value.is_i64()).and_then(Value::as_f64);
    let (Some(price), Some(original)) = (of("price"), of("originalPrice")) else { return };
    object.remove("originalPrice");
    let price_written = written(price, Unit::Minor, None);
    object.insert("price".to_owned(), Value::String(price_written));
    if original > price {
        let original = written(original, Unit::Minor, None);
        object.insert("compare_at_price".to_owned(), Value::String(original));
    }
    if let Some(Value::Bool(there)) = object.remove("inStock") {
        object.insert("available".to_owned(), Value::Bool(there));
    }
}

/// Medusa 1 counts in the smallest unit, Medusa 2 doesn't, and both call it `amount`.
fn medusa(object: &mut Map<String, Value>) {
    if let Some(Value::Object(calculated)) = object.get("calculated_price").cloned() {
        let currency = code(&calculated);
        let of = |key: &str| {
            let amount = number(calculated.get(key)?)?;
            let amount = written(amount, Unit::Major, currency.as_deref());
            Some(Money { amount, currency: currency.clone() })
        };
        if let Some(price) = of("calculated_amount") {
            object.remove("calculated_price");
            object.remove("prices");
            set(object, "price", &price);
            if let Some(before) = of("original_amount").filter(|before| *before != price) {
                set(object, "compare_at_price", &before);
            }
        }
        return;
    }
    if object.contains_key("price") {
        return;
    }
    let Some(Value::Array(prices)) = object.get("prices") else { return };
    let prices: Vec<&Map<String, Value>> = prices.iter().filter_map(Value::as_object).collect();
    let is_set = |price: &Map<String, Value>, key: &str| {
        price.get(key).is_some_and(|value| !value.is_null())
    };
    // What holds for a number of pieces, or for some customers, isn't the price.
    let plain = |price: &&&Map<String, Value>| {
        !is_set(price, "min_quantity") && !is_set(price, "price_list_id")
    };
    let Some(first) = prices.iter().find(plain).filter(|price| code(price).is_some()) else {
        return;
    };
    let (currency, amount) = (code(first), first.get("amount").and_then(number));
    let Some(amount) = amount else { return };
    let id = |prefix: &str| {
        prices.iter().any(|price| text(price, &["id"]).is_some_and(|id| id.starts_with(prefix)))
    };
    let fraction = prices
        .iter()
        .filter_map(|price| number(price.get("amount")?))
        .any(|amount| amount.fract() != 0.0);
    let unit = if id("ma_") || object.contains_key("original_price") {
        Some(Unit::Minor)
    } else if id("price_") || id("pset_") || fraction || amount < SURELY_MAJOR {
        Some(Unit::Major)
    } else {
        (amount >= SURELY_MINOR).then_some(Unit::Minor)
    };
    object.remove("prices");
    object.remove("calculated_price");
    match unit {
        Some(unit) => {
            let amount = written(amount, unit, currency.as_deref());
            set(object, "price", &Money { amount, currency });
        }
        None => {
            object.insert(UNCLEAR.to_owned(), Value::Bool(true));
        }
    }
    object.remove("original_price");
}

/// Whether a variant can be had, where its stock isn't counted or is sold beyond.
fn stocked(variant: &mut Map<String, Value>) {
    let flag = |variant: &mut Map<String, Value>, key: &str| match variant.remove(key) {
        Some(Value::Bool(flag)) => Some(flag),
        Some(other) => {
            variant.insert(key.to_owned(), other);
            None
        }
        None => None,
    };
    let counted = flag(variant, "manage_inventory");
    let beyond = flag(variant, "allow_backorder");
    let there = flag(variant, "availableForSale").or_else(|| flag(variant, "inStock"));
    if let Some(there) = there {
        variant.entry("available").or_insert(Value::Bool(there));
    }
    // Saleor and Shopify's Storefront API.
    if let Some(quantity @ Value::Number(_)) = variant.remove("quantityAvailable") {
        variant.entry("inventory_quantity").or_insert(quantity);
    }
    let none = variant.get("inventory_quantity").and_then(Value::as_f64).is_some_and(|q| q <= 0.0);
    if counted == Some(false) {
        variant.remove("inventory_quantity");
        variant.entry("available").or_insert(Value::Bool(true));
    } else if beyond == Some(true) && none {
        variant.remove("inventory_quantity");
        variant.insert("available".to_owned(), Value::String("backorder".to_owned()));
    }
}

/// Square's catalogue wraps what it says of an item and of its variations.
fn square(object: &mut Map<String, Value>) {
    for (key, kind) in [("item_data", "ITEM"), ("item_variation_data", "ITEM_VARIATION")] {
        if text(object, &["type"]) == Some(kind)
            && let Some(Value::Object(data)) = object.remove(key)
        {
            object.remove("type");
            object.extend(data);
        }
    }
    if let Some(Value::Array(variations)) = object.remove("variations") {
        let variants = variations.into_iter().map(|variation| match variation {
            Value::Object(mut variation) => {
                square(&mut variation);
                variation.remove("item_id");
                variation.remove("ordinal");
                Value::Object(variation)
            }
            other => other,
        });
        object.insert("variants".to_owned(), Value::Array(variants.collect()));
    }
    if let Some(Value::Object(price)) = object.get("price_money").cloned()
        && let Some(amount) = price.get("amount").and_then(Value::as_f64)
    {
        let currency = code(&price);
        object.remove("price_money");
        object.remove("pricing_type");
        let amount = written(amount, Unit::Minor, currency.as_deref());
        set(object, "price", &Money { amount, currency });
    }
}

/// Stripe counts in the smallest unit of a currency: `unit_amount: 4900` is 49.00.
fn stripe(object: &mut Map<String, Value>) {
    let of = |fields: &Map<String, Value>| -> Option<Vec<(String, Value)>> {
        let amount = fields.get("unit_amount")?.as_f64()?;
        let currency = fields.get("currency")?.as_str()?.to_uppercase();
        let price = written(amount, Unit::Minor, Some(&currency));
        let mut said = vec![
            ("price".to_owned(), Value::String(price)),
            ("currency".to_owned(), Value::String(currency)),
        ];
        let period = fields.get("recurring").and_then(|period| period.get("interval"));
        said.extend(period.cloned().map(|period| ("per".to_owned(), period)));
        Some(said)
    };
    let own = of(object);
    let default = object.get("default_price").and_then(Value::as_object).and_then(of);
    if let Some(said) = own.or(default) {
        for key in ["unit_amount", "unit_amount_decimal", "recurring", "default_price"] {
            object.remove(key);
        }
        object.extend(said);
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;

    /// Name, variant, price, currency, price before, and whether it can be had.
    #[track_caller]
    fn check(content: &str, expected: &[&str]) {
        let records = json(content).unwrap().records.into_iter().map(Result::unwrap);
        let all = records.flat_map(|mut record| {
            let variants = std::mem::take(&mut record.variants);
            std::iter::once(record).chain(variants)
        });
        let told: Vec<String> = all
            .filter_map(|record| {
                let product = record.product?;
                let text = |text: Option<String>| text.unwrap_or_default();
                let there = product.available.map_or_else(String::new, |there| there.to_string());
                Some(format!(
                    "{}|{}|{}|{}|{}|{}|{}",
                    product.name,
                    text(product.variant),
                    text(product.price),
                    text(product.currency),
                    text(product.before),
                    there,
                    product.backorder
                ))
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn medusas_prices_are_in_the_unit_that_they_say() {
        let product = |variants: &str| {
            format!(
                r#"{{"products":[{{"id":"prod_1","title":"Reed Hat","status":"published","variants":[{variants}]}}]}}"#
            )
        };
        check(
            &product(
                r#"{"id":"variant_1","title":"S","sku":"H-S","inventory_quantity":2,"manage_inventory":true,
                "prices":[{"id":"ma_1","currency_code":"eur","amount":450,"min_quantity":10},{"id":"ma_2","currency_code":"eur","amount":500}]},
                {"id":"variant_2","title":"M","sku":"H-M","inventory_quantity":0,"manage_inventory":false,"prices":[{"id":"ma_3","currency_code":"jpy","amount":500}]}"#,
            ),
            &["Reed Hat|S|5.00|EUR||true|false", "Reed Hat|M|500|JPY||true|false"],
        );
        check(
            &product(
                r#"{"id":"variant_1","title":"S","sku":"H-S","inventory_quantity":0,"allow_backorder":true,
                "calculated_price":{"calculated_amount":45,"original_amount":60,"currency_code":"eur"}}"#,
            ),
            &["Reed Hat|S|45.00|EUR|60.00|false|true"],
        );
        check(
            &product(
                r#"{"title":"S","sku":"H-S","prices":[{"currency_code":"usd","amount":12900}]}"#,
            ),
            &["Reed Hat|S|129.00|USD|||false"],
        );
        check(
            &product(
                r#"{"title":"S","sku":"H-S","prices":[{"currency_code":"usd","amount":19.5}]}"#,
            ),
            &["Reed Hat|S|19.50|USD|||false"],
        );
        // 450 dollars, or 4.50: nobody knows.
        let unclear = product(
            r#"{"title":"S","sku":"H-S","inventory_quantity":1,"prices":[{"currency_code":"usd","amount":450}]}"#,
        );
        check(&unclear, &["Reed Hat|S||||true|false"]);
        let record = json(&unclear).unwrap().records.remove(0).unwrap();
        let warnings = &record.variants[0].meta.warnings;
        assert!(warnings.iter().any(|warning| warning.contains("smallest unit")), "{warnings:?}");
    }

    #[test]
    fn prices_of_other_platforms_have_their_point() {
        check(
            r#"[{"@id":"/api/v2/shop/products/pan","code":"pan","name":"Iron Pan","description":"Cast.",
            "variants":[{"code":"pan-20","name":"20 cm","price":3900,"originalPrice":4900,"inStock":false}]}]"#,
            &["Iron Pan|20 cm|39.00||49.00|false|false"],
        );
        check(
            r#"{"data":{"products":{"edges":[{"node":{"id":"a","name":"Iron Pan","variants":[{"name":"20 cm","sku":"P20","quantityAvailable":3,
            "pricing":{"price":{"gross":{"amount":39.5,"currency":"EUR"}}}}]}}]}}}"#,
            &["Iron Pan|20 cm|39.50|EUR||true|false"],
        );
        check(
            r#"{"products":[{"id":"gid://1","title":"Iron Pan","variants":{"edges":[{"node":{"title":"20 cm","sku":"P20","availableForSale":false,
            "price":{"amount":"39.0","currencyCode":"CAD"},"compareAtPrice":{"amount":"45.0","currencyCode":"CAD"}}}]}}]}"#,
            &["Iron Pan|20 cm|39.00|CAD|45.00|false|false"],
        );
        check(
            r#"{"objects":[{"type":"ITEM","id":"A1","item_data":{"name":"Iron Pan","description":"Cast.","variations":[
            {"type":"ITEM_VARIATION","id":"B1","item_variation_data":{"item_id":"A1","name":"20 cm","sku":"P20","pricing_type":"FIXED_PRICING","price_money":{"amount":3900,"currency":"USD"}}}]}}]}"#,
            &["Iron Pan|20 cm|39.00|USD|||false"],
        );
        check(
            r#"[{"id":7,"name":"Iron Pan","sku":"P20","is_in_stock":true,"prices":{"price":"3900","regular_price":"4500","currency_code":"EUR","currency_minor_unit":2}}]"#,
            &["Iron Pan||39.00|EUR|45.00|true|false"],
        );
        check(
            r#"{"results":[{"listing_id":9,"title":"Iron Pan","sku":"P20","quantity":2,"price":{"amount":3900,"divisor":100,"currency_code":"GBP"}}]}"#,
            &["Iron Pan||39.00|GBP||true|false"],
        );
    }
}
