//! What came of the conversations that campaigns brought: orders, and refunds of them. Pure.

use std::collections::{BTreeMap, HashSet};

use super::{Came, LEAST, Row};
use crate::calendar::Calendar;
use crate::features::State;

/// What came of campaigns, and what couldn't be counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub came: BTreeMap<String, Came>,
    /// Orders and refunds in another currency than the spend's, by currency; the empty one is that
    /// of reports that name none. Amounts of two currencies have no sum, so these are in no figure.
    pub foreign: BTreeMap<String, usize>,
    /// Orders that were reported without an amount: they count as orders and bring nothing back.
    pub unpriced: usize,
    /// Campaigns with spend that no conversation came by.
    pub unheard: Vec<String>,
    /// Campaigns without spend that at least [`LEAST`] conversations came by.
    pub without_spend: Vec<String>,
}

impl Tally {
    /// Counts conversations from each campaign's first day with spend to the table's last day. An
    /// order counts once, for the first conversation that it was reported of; one that was
    /// cancelled doesn't count, and a negative amount is a refund, which is no order and lowers the
    /// return. What was reported on the day `until` or later is left out.
    #[must_use]
    pub fn of<'a>(
        states: impl IntoIterator<Item = &'a State>,
        calendar: &Calendar,
        rows: &[Row],
        until: Option<i64>,
    ) -> Self {
        let mut since: BTreeMap<&str, i64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.amount > 0.0) {
            let first = since.entry(&row.campaign).or_insert(row.first);
            *first = row.first.min(*first);
        }
        let (begin, end) = (since.values().min().copied(), rows.iter().map(|row| row.last).max());
        let currency = rows.first().map(|row| row.currency.as_str()).unwrap_or_default();
        let mut tally = Self::default();
        let mut without_spend: BTreeMap<&str, usize> = BTreeMap::new();
        let mut counted = HashSet::new();
        for state in states {
            let source = state.source.as_ref();
            let Some(campaign) = source.and_then(|source| source.utm_campaign.as_deref()) else {
                continue;
            };
            let day = Some(calendar.day(state.started_at_ms));
            if day > end || day < begin {
                continue;
            }
            let Some(first) = since.get(campaign) else {
                *without_spend.entry(campaign).or_default() += 1;
                continue;
            };
            if day < Some(*first) {
                continue;
            }
            let came = tally.came.entry(campaign.to_owned()).or_default();
            came.conversations += 1;
            for (at_ms, outcome) in &state.outcomes {
                let is_early = until.is_none_or(|until| calendar.day(*at_ms) < until);
                let is_money = outcome.converted || outcome.amount < 0.0;
                if !(is_early && is_money && counted.insert(outcome.order.as_str())) {
                    continue;
                }
                let named = outcome.currency.trim();
                if outcome.amount != 0.0 && !named.eq_ignore_ascii_case(currency) {
                    *tally.foreign.entry(named.to_uppercase()).or_default() += 1;
                } else if outcome.amount < 0.0 {
                    came.refunds.push(-outcome.amount);
                } else {
                    tally.unpriced += usize::from(outcome.amount == 0.0);
                    came.orders.push(outcome.amount);
                }
            }
        }
        let unheard = since.into_keys().filter(|name| !tally.came.contains_key(*name));
        tally.unheard = unheard.map(str::to_owned).collect();
        let heard = without_spend.into_iter().filter(|(_, conversations)| *conversations >= LEAST);
        tally.without_spend = heard.map(|(name, _)| name.to_owned()).collect();
        tally
    }

    /// What a reader of the figures has to know of them, a sentence each. Counts below [`LEAST`]
    /// are not told.
    #[must_use]
    pub fn notes(&self, currency: &str) -> Vec<String> {
        let count = |count: usize| {
            if count < LEAST { format!("Fewer than {LEAST}") } else { count.to_string() }
        };
        let mut notes = Vec::new();
        for (named, orders) in &self.foreign {
            let orders = count(*orders);
            notes.push(match named.as_str() {
                "" => format!("{orders} orders and refunds name no currency and are left out; report `currency`"),
                named => format!("{orders} orders and refunds are in {named}, not {currency}, and are left out"),
            });
        }
        let refunds: usize = self.came.values().map(|came| came.refunds.len()).sum();
        if refunds > 0 {
            notes.push(format!(
                "{} refunds lower what came back; they are no orders",
                count(refunds)
            ));
        }
        if self.unpriced > 0 {
            let orders = count(self.unpriced);
            notes.push(format!(
                "{orders} orders were reported without an amount and bring nothing back"
            ));
        }
        if !self.unheard.is_empty() {
            let names = self.unheard.join(", ");
            notes.push(format!("No conversation came by a link with utm_campaign {names}"));
            if !self.without_spend.is_empty() {
                let names = self.without_spend.join(", ");
                notes.push(format!("Conversations came by {names}, which have no spend; --rename NAME=UTM joins them"));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Source;
    use crate::signals::Outcome;

    const DAY_MS: u64 = 86_400_000;

    fn row(campaign: &str, first: i64, last: i64) -> Row {
        Row { campaign: campaign.into(), first, last, amount: 10.0, currency: "EUR".into() }
    }

    /// A conversation by a campaign's link on a day, with orders as `id amount currency`; `!`
    /// before an id is a cancelled one.
    fn state(campaign: &str, day: u64, orders: &[&str]) -> State {
        let outcome = |text: &&str| {
            let mut parts = text.split(' ');
            let id = parts.next().unwrap();
            let amount = parts.next().unwrap().parse().unwrap();
            let (order, converted) = (id.trim_start_matches('!').to_owned(), !id.starts_with('!'));
            let currency = parts.next().unwrap_or_default().to_owned();
            (0, Outcome { order, converted, amount, currency, ..Outcome::default() })
        };
        State {
            started_at_ms: day * DAY_MS,
            source: Some(Source { utm_campaign: Some(campaign.into()), ..Source::default() }),
            outcomes: orders.iter().map(outcome).collect(),
            ..State::default()
        }
    }

    fn tally(states: &[State], rows: &[Row]) -> Tally {
        Tally::of(states, &Calendar::default(), rows, None)
    }

    #[test]
    fn a_refund_is_no_order_and_other_currencies_are_never_added() {
        let states = [
            state("a", 100, &["1 40 EUR", "!2 30 EUR", "3 -15 EUR"]),
            state("a", 101, &["1 40 EUR", "4 25 eur", "5 90 USD", "6 -9 CHF", "7 12", "8 0"]),
            state("a", 102, &["!9 -5 EUR"]),
        ];
        let found = tally(&states, &[row("a", 100, 105)]);
        let came =
            Came { conversations: 3, orders: vec![40.0, 25.0, 0.0], refunds: vec![15.0, 5.0] };
        assert_eq!(found.came, BTreeMap::from([("a".to_owned(), came)]));
        let foreign =
            [("", 1), ("CHF", 1), ("USD", 1)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!((found.foreign.clone(), found.unpriced), (foreign.into(), 1));
        let notes = found.notes("EUR").join("\n");
        assert!(
            notes.contains("Fewer than 5 orders and refunds are in USD, not EUR, and are left out"),
            "{notes}"
        );
        assert!(notes.contains("Fewer than 5 refunds lower what came back"), "{notes}");
    }

    #[test]
    fn conversations_count_from_the_first_day_with_spend_to_the_last_of_the_table() {
        let mut states: Vec<State> = (98..110).map(|day| state("a", day, &[])).collect();
        states.extend((0..6).map(|_| state("other", 101, &[])));
        states.push(state("rare", 101, &[]));
        let rows = [
            row("a", 100, 100),
            row("b", 99, 99),
            row("c", 105, 105),
            Row { amount: 0.0, ..row("a", 98, 98) },
        ];
        let found = tally(&states, &rows);
        assert_eq!(found.came["a"].conversations, 6, "days 100 to 105");
        assert_eq!(
            (found.unheard.join(" "), found.without_spend.join(" ")),
            ("b c".into(), "other".into())
        );
        assert!(found.notes("EUR")[1].contains("--rename"));
    }
}
