//! Products that fit what the visitor said and what similar visitors bought, with the reason. Pure:
//! what may be shown is decided by a site's rule, what is out of stock is never chosen, and a share
//! of the visitors sees nothing, so that the difference can be measured.

use anyhow::bail;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalogue::goods::{Goods, ProductGroup, Variant};
use crate::features::State;
use crate::language::topics::Topic;
use crate::prompt::CardReason;
use crate::protocol::Card;

/// `[sites.recommend]`: when products may be shown to visitors.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendRule {
    /// Switches cards on. They need a catalogue.
    pub enabled: bool,
    /// Messages a visitor has to have written.
    pub after_messages: u32,
    /// Only for a visitor who named a product or a category, or asked about price, stock, delivery,
    /// discount or a comparison.
    pub asked_only: bool,
    /// Times that cards may come in one conversation.
    pub times: usize,
    /// Cards at once.
    pub cards: usize,
    /// Share of visitors, 0 to 1, who see none, for comparison. The same visitor always falls on
    /// the same side. With 0 nothing is measured.
    pub holdout: f64,
    /// Cosine between what was said and a product below which it doesn't fit.
    pub min_cosine: f32,
}

impl Default for RecommendRule {
    fn default() -> Self {
        Self {
            enabled: false,
            after_messages: 1,
            asked_only: true,
            times: 3,
            cards: 3,
            holdout: 0.1,
            min_cosine: 0.3,
        }
    }
}

/// Sentiment of the last message below which nothing is offered: whoever is angry wants help.
const UPSET: f32 = -0.5;
/// Buyers that are asked what they bought, and how alike their conversation has to be.
const NEIGHBOURS: usize = 20;
const MIN_LIKENESS: f32 = 0.4;
/// Conversations on each side from which a difference between them is told: below, its interval
/// says little and misleads much.
pub const MIN_GROUP: u32 = 30;
/// The 97.5% quantile of the normal distribution: intervals hold 95%.
const Z: f64 = 1.959_963_984_540_054;

impl RecommendRule {
    /// # Errors
    /// When a number is outside its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        if !(0.0..=1.0).contains(&self.holdout) {
            bail!("recommend.holdout is {}; it must be 0 to 1", self.holdout);
        }
        if self.cards > 10 {
            bail!("recommend.cards is {}; at most 10 are shown", self.cards);
        }
        Ok(())
    }

    /// Whether cards are due in this state.
    #[must_use]
    pub fn allows(&self, state: &State) -> bool {
        const ASKS: [Topic; 5] =
            [Topic::Price, Topic::Stock, Topic::Delivery, Topic::Discount, Topic::Comparison];
        let asked = |topic: &Topic| {
            Topic::ALL.iter().zip(&state.topics).any(|(known, count)| known == topic && *count > 0)
        };
        let interested =
            !state.products.is_empty() || !state.categories.is_empty() || ASKS.iter().any(asked);
        self.enabled
            && state.messages >= self.after_messages
            && (interested || !self.asked_only)
            && state.times_recommended < self.times
            && !state.human
            && !state.ended
            && !asked(&Topic::Complaint)
            && state.sentiment.last > UPSET
    }
}

/// True for visitors who see no cards: a hash of site and visitor, spread evenly over 0…1, lies
/// below the share. Stable, without memory.
#[must_use]
pub fn held_out(site: &str, visitor: &str, share: f64) -> bool {
    let mut hash = Sha256::new();
    for part in [site, visitor, "recommend"] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let first = hash.finalize().first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    f64::from(first) / (f64::from(u32::MAX) + 1.0) < share
}

/// A purchase of another visitor: what their conversation meant, and what they bought.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    pub meaning: &'a [f32],
    pub products: &'a [String],
}

/// The best products for a conversation, best first; all are in stock, none was shown or bought in
/// it already.
///
/// A product's score is the cosine of its description with what was said (last message and
/// conversation, half each), plus 1 if it was named, 0.2 if its category was, plus half its share
/// among the purchases of the most similar conversations, weighted by their likeness. `say` puts
/// the reason into the visitor's words.
#[must_use]
pub fn choose(
    rule: &RecommendRule,
    state: &State,
    catalogue: &Goods,
    vectors: &[Vec<f32>],
    purchases: &[Purchase<'_>],
    now_ms: u64,
    say: &dyn Fn(CardReason<'_>) -> String,
) -> Vec<Card> {
    let wanted = blend(&state.last_meaning, &state.meaning);
    let mut neighbours: Vec<(f32, &Purchase<'_>)> = purchases
        .iter()
        .map(|purchase| (cosine(&state.meaning, purchase.meaning), purchase))
        .filter(|(likeness, _)| *likeness >= MIN_LIKENESS)
        .collect();
    neighbours.sort_by(|a, b| b.0.total_cmp(&a.0));
    neighbours.truncate(NEIGHBOURS);
    let all: f32 = neighbours.iter().map(|(likeness, _)| likeness).sum();
    let bought = |product: &ProductGroup| {
        let is = |id: &String| catalogue.product(id).is_some_and(|bought| bought.id == product.id);
        let likeness: f32 = neighbours
            .iter()
            .filter(|(_, purchase)| purchase.products.iter().any(is))
            .map(|(likeness, _)| likeness)
            .sum();
        if all > 0.0 { likeness / all } else { 0.0 }
    };
    let own: Vec<&String> =
        state.outcomes.iter().flat_map(|(_, outcome)| &outcome.products).collect();
    let mut scored: Vec<(f32, Card)> = catalogue
        .products()
        .iter()
        .enumerate()
        .filter(|(_, product)| !state.recommended.contains(&product.id))
        .filter(|(_, product)| {
            !own.iter().any(|id| catalogue.product(id).is_some_and(|own| own.id == product.id))
        })
        .filter_map(|(at, product)| {
            let offer = product.offer(now_ms)?;
            let fits = vectors.get(at).map_or(0.0, |vector| cosine(&wanted, vector));
            let named = state.products.contains_key(&product.id);
            let category = state.categories.contains_key(&product.category);
            let bought = bought(product);
            if !named && bought == 0.0 && fits < rule.min_cosine {
                return None;
            }
            let score = fits
                + f32::from(u8::from(named))
                + 0.2 * f32::from(u8::from(category))
                + 0.5 * bought;
            let reason = match (named, bought > 0.25, category) {
                (true, ..) => CardReason::Named,
                (_, true, _) => CardReason::Bought,
                (_, _, true) => CardReason::Category(&product.category),
                _ => CardReason::Fits,
            };
            Some((score, card(product, offer, say(reason), now_ms)))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    scored.into_iter().take(rule.cards).map(|(_, card)| card).collect()
}

/// Cards of before as they would be shown now: without those that can't be had any more, the others
/// at the price of today.
#[must_use]
pub fn renewed(cards: Vec<Card>, catalogue: &Goods, now_ms: u64) -> Vec<Card> {
    let now = |old: Card| {
        let product = catalogue.product(&old.id)?;
        Some(card(product, product.offer(now_ms)?, old.reason, now_ms))
    };
    cards.into_iter().filter_map(now).collect()
}

/// Longest list of variants on a card, in bytes; of more, the cheapest alone is named.
const VARIANTS: usize = 60;

fn card(product: &ProductGroup, offer: &Variant, reason: String, now_ms: u64) -> Card {
    let mut labels: Vec<&str> = Vec::new();
    let mut price_to = offer.price;
    for variant in product.offers(now_ms).filter(|variant| variant.currency == offer.currency) {
        price_to = price_to.max(variant.price);
        if !variant.label.is_empty() && !labels.contains(&variant.label.as_str()) {
            labels.push(&variant.label);
        }
    }
    let all = labels.join(" · ");
    let variant = if all.len() <= VARIANTS { all } else { offer.label.clone() };
    Card {
        id: product.id.clone(),
        name: product.name.clone(),
        variant: if product.variants.len() > 1 { variant } else { String::new() },
        price: offer.price,
        price_to: (price_to > offer.price).then_some(price_to),
        currency: offer.currency.clone(),
        url: product.url.clone(),
        image: product.image.clone(),
        reason,
    }
}

fn blend(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| (a + b) / 2.0).collect()
}

/// The cosine of two vectors; 0 where one is missing.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (mut dot, mut aa, mut bb) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (a, b) in a.iter().zip(b) {
        dot += a * b;
        aa += a * a;
        bb += b * b;
    }
    if aa > 0.0 && bb > 0.0 { dot / (aa * bb).sqrt() } else { 0.0 }
}

/// A share of something, with the interval that holds it in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    pub of: u32,
    pub count: u32,
    pub rate: f64,
    pub low: f64,
    pub high: f64,
}

impl Rate {
    /// Wilson's score interval; without cases it is 0 to 1.
    #[must_use]
    pub fn new(count: u32, of: u32) -> Self {
        if of == 0 {
            return Self { of, count, rate: 0.0, low: 0.0, high: 1.0 };
        }
        let (n, p) = (f64::from(of), f64::from(count) / f64::from(of));
        let middle = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Self {
            of,
            count,
            rate: p,
            low: ((middle - half) / scale).max(0.0),
            high: ((middle + half) / scale).min(1.0),
        }
    }
}

/// What cards did: conversions of those who could see them against those who could not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uplift {
    /// Conversations in which cards were shown, and cards opened.
    pub shown: u32,
    pub clicked: Rate,
    /// Conversions among conversations with a known outcome in which cards were shown, and in which
    /// they were held back.
    pub with_cards: Rate,
    pub held_out: Rate,
    /// Difference of the two rates and its 95% interval (Newcombe's hybrid score interval), in
    /// shares: 0.02 is two percentage points. `None` while one side has fewer than [`MIN_GROUP`].
    pub difference: Option<[f64; 3]>,
}

impl Uplift {
    /// Of the sessions in which cards were due.
    #[must_use]
    pub fn of<'a>(states: impl IntoIterator<Item = &'a State>) -> Self {
        let (mut shown, mut opened) = (0, 0);
        // Converted and all, with cards and without.
        let mut groups = [(0, 0), (0, 0)];
        for state in states.into_iter().filter(|state| !state.recommended.is_empty()) {
            if !state.held_out {
                shown += 1;
                opened += u32::from(!state.clicked.is_empty());
            }
            if let Some(converted) = state.converted() {
                let group = &mut groups[usize::from(state.held_out)];
                group.0 += u32::from(converted);
                group.1 += 1;
            }
        }
        let (a, b) = (Rate::new(groups[0].0, groups[0].1), Rate::new(groups[1].0, groups[1].1));
        let difference = (a.of >= MIN_GROUP && b.of >= MIN_GROUP).then(|| {
            let difference = a.rate - b.rate;
            let low = ((a.rate - a.low).powi(2) + (b.high - b.rate).powi(2)).sqrt();
            let high = ((a.high - a.rate).powi(2) + (b.rate - b.low).powi(2)).sqrt();
            [difference, difference - low, difference + high]
        });
        Self { shown, clicked: Rate::new(opened, shown), with_cards: a, held_out: b, difference }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::prompt::Prompts;
    use crate::signals::Outcome;

    fn product(id: &str, category: &str, available: bool) -> ProductGroup {
        let variant = Variant {
            id: format!("{id}-v"),
            label: "blue".into(),
            price: 10.0,
            available,
            ..Variant::default()
        };
        ProductGroup {
            id: id.into(),
            name: format!("{id} thing"),
            category: category.into(),
            variants: vec![variant],
            ..ProductGroup::default()
        }
    }

    fn shop() -> (Goods, Vec<Vec<f32>>) {
        let products = vec![
            product("tent", "Tents", true),
            product("gone", "Tents", false),
            product("stove", "Stoves", true),
        ];
        (Goods::new(products), vec![vec![1.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0]])
    }

    #[test]
    fn a_card_names_the_variants_that_can_be_had_and_reads_in_one_language() {
        let mut tent = product("tent", "Tents", true);
        for (label, price, available) in
            [("red", 12.5, true), ("grey", 9.0, false), ("blue", 10.0, true)]
        {
            let currency = String::new();
            tent.variants.push(Variant {
                label: label.into(),
                price,
                currency,
                available,
                ..Variant::default()
            });
        }
        let offer = tent.offer(1).unwrap().clone();
        let shown = card(&tent, &offer, String::new(), 1);
        assert_eq!(
            (shown.variant.as_str(), shown.price, shown.price_to),
            ("blue · red", 10.0, Some(12.5))
        );
        tent.variants.push(Variant { label: "a long name ".repeat(6), ..offer.clone() });
        assert_eq!(card(&tent, &offer, String::new(), 1).variant, "blue");
        let of = |category: &str, language: &str| {
            words().card(CardReason::Category(category), language).unwrap()
        };
        assert_eq!(of("Tents", "en"), "You asked about tents");
        assert_eq!(of("Tents", "zh"), "与您咨询的商品同类");
        assert_eq!(of("帐篷", "zh"), "您提到了帐篷");
        assert_eq!(of("帐篷", "en"), "Of the kind you asked about");
        assert_eq!(of("Tents", "de"), "Von der Art, nach der Sie gefragt haben");
        assert_eq!(words().card(CardReason::Fits, "fi").unwrap(), "Fits what you wrote");
    }

    fn words() -> Prompts {
        Prompts::load(Path::new("no/such/folder")).unwrap()
    }

    fn say(reason: CardReason<'_>) -> String {
        words().card(reason, "en").unwrap()
    }

    fn wants(meaning: [f32; 2]) -> State {
        State {
            meaning: meaning.to_vec(),
            last_meaning: meaning.to_vec(),
            messages: 1,
            ..State::default()
        }
    }

    fn ids(cards: &[Card]) -> Vec<&str> {
        cards.iter().map(|card| card.id.as_str()).collect()
    }

    #[test]
    fn what_fits_comes_first_and_what_is_out_of_stock_never() {
        let (catalogue, vectors) = shop();
        let rule = RecommendRule::default();
        let cards = choose(&rule, &wants([1.0, 0.1]), &catalogue, &vectors, &[], 1, &say);
        assert_eq!(ids(&cards), ["tent"]);
        assert_eq!(cards[0].reason, "Fits what you wrote");
        let mut named = wants([1.0, 0.1]);
        named.products.insert("gone".into(), 3);
        assert_eq!(ids(&choose(&rule, &named, &catalogue, &vectors, &[], 1, &say)), ["tent"]);
    }

    #[test]
    fn what_similar_visitors_bought_is_offered_and_what_was_shown_is_not() {
        let (catalogue, vectors) = shop();
        let bought = ["stove-v".to_owned()];
        let purchases = [Purchase { meaning: &[1.0, 0.0], products: &bought }];
        let mut state = wants([1.0, 0.0]);
        let cards =
            choose(&RecommendRule::default(), &state, &catalogue, &vectors, &purchases, 1, &say);
        assert_eq!(ids(&cards), ["tent", "stove"]);
        assert_eq!(cards[1].reason, "Bought by visitors with similar questions");
        state.recommended = vec!["tent".into()];
        let cards =
            choose(&RecommendRule::default(), &state, &catalogue, &vectors, &purchases, 1, &say);
        assert_eq!(ids(&cards), ["stove"]);
    }

    #[test]
    fn cards_of_before_are_shown_as_they_are_sold_now() {
        let (catalogue, vectors) = shop();
        let cards = choose(
            &RecommendRule { min_cosine: -1.0, ..RecommendRule::default() },
            &wants([1.0, 0.1]),
            &catalogue,
            &vectors,
            &[],
            1,
            &say,
        );
        assert_eq!(ids(&cards), ["tent", "stove"]);
        let mut dearer = product("stove", "Stoves", true);
        dearer.variants[0].price = 12.0;
        let later = Goods::new(vec![product("tent", "Tents", false), dearer]);
        let renewed = renewed(cards.clone(), &later, 1);
        assert_eq!(
            (ids(&renewed), renewed[0].price, &renewed[0].reason),
            (vec!["stove"], 12.0, &cards[1].reason)
        );
        assert!(super::renewed(cards, &Goods::default(), 1).is_empty());
    }

    #[test]
    fn the_rule_decides() {
        let rule = RecommendRule { enabled: true, times: 1, ..RecommendRule::default() };
        let mut state = wants([1.0, 0.0]);
        assert!(!rule.allows(&state), "nothing was asked");
        state.categories.insert("Tents".into(), 1);
        assert!(rule.allows(&state));
        assert!(!RecommendRule::default().allows(&state), "off by default");
        state.human = true;
        assert!(!rule.allows(&state), "a person was asked for");
        state.human = false;
        state.times_recommended = 1;
        assert!(!rule.allows(&state), "once is enough");
    }

    #[test]
    fn the_holdout_is_stable_and_of_the_right_size() {
        let share = (0..10_000).filter(|n| held_out("shop", &n.to_string(), 0.1)).count();
        assert!((900..1_100).contains(&share), "{share}");
        assert_eq!(held_out("shop", "v", 0.5), held_out("shop", "v", 0.5));
        assert!(!held_out("shop", "v", 0.0) && held_out("shop", "v", 1.0));
    }

    #[test]
    fn uplift_has_an_interval_that_holds_the_difference() {
        // Newcombe 1998, method 10, example (a): 56/70 against 48/80 gives 0.2 (0.0524 to 0.3339).
        let group = |n: usize, converted: usize, held_out| {
            (0..n).map(move |i| State {
                recommended: vec!["tent".into()],
                held_out,
                outcomes: vec![(0, Outcome { converted: i < converted, ..Outcome::default() })],
                ..State::default()
            })
        };
        let states: Vec<State> = group(70, 56, false).chain(group(80, 48, true)).collect();
        let [difference, low, high] = Uplift::of(&states).difference.unwrap();
        for (found, expected) in [(difference, 0.2), (low, 0.0524), (high, 0.3339)] {
            assert!((found - expected).abs() < 5e-4, "{found} {expected}");
        }
        assert_eq!(Uplift::of(&states[..70]).difference, None);
        let few = |held_out: usize| {
            Uplift::of(
                group(70, 56, false).chain(group(held_out, 3, true)).collect::<Vec<_>>().iter(),
            )
        };
        assert_eq!(few(29).difference, None, "chance as often as not");
        assert!(few(30).difference.is_some());
    }
}
