//! The advice replayed on the past: what it would have brought, week by week, had it been followed.
//! Pure; randomness is passed in.

use std::collections::BTreeMap;

use rand::Rng;
use serde::Serialize;

use super::came::Tally;
use super::{DRAWS, Figure, LEAST, Limits, Row, Verdict, backs, interval};
use crate::calendar::Calendar;
use crate::features::State;
use crate::insight::thompson::PRIOR;

/// Weeks that are replayed, the latest ones.
const MOST_WEEKS: i64 = 52;
/// A share that moved by less than this stayed.
const STAYED: f64 = 0.005;

/// What following the advice would have brought.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// Weeks with a week before them to learn from.
    pub weeks: usize,
    /// Weeks in which the advice would have moved money.
    pub moved: usize,
    /// What these weeks brought back, less refunds.
    pub brought: f64,
    /// What the advice would have brought beyond that.
    pub more: Figure,
}

/// Gives the advice for each full week of the table from what was known before it, and values it by
/// what that week's money brought: each unit of money is taken to bring what the campaign's units
/// of that week did. Every week starts from what was really spent; campaigns without spend in a
/// week, or none before it, keep their share.
///
/// `None` where spend isn't told by day, or there are no two weeks of it or under five orders.
#[must_use]
pub fn replay<R: Rng>(
    states: &[&State],
    calendar: &Calendar,
    rows: &[Row],
    limits: Limits,
    random: &mut R,
) -> Option<Replay> {
    let begin = rows.iter().map(|row| row.first).min()?;
    let end = rows.iter().map(|row| row.last).max()?;
    if rows.iter().any(|row| row.last > row.first) {
        return None;
    }
    let count = (end - begin + 1) / 7;
    let mut found = Replay {
        weeks: 0,
        moved: 0,
        brought: 0.0,
        more: Figure { value: 0.0, low: 0.0, high: 0.0 },
    };
    let (mut orders, mut draws) = (0, vec![0.0; DRAWS]);
    for week in (count - MOST_WEEKS).max(1)..count {
        let start = begin + 7 * week;
        let within = |days: std::ops::Range<i64>| -> Vec<Row> {
            rows.iter().filter(|row| days.contains(&row.first)).cloned().collect()
        };
        let (before, during) = (within(begin..start), within(start..start + 7));
        let known = Tally::of(states.iter().copied(), calendar, &before, Some(start));
        let advice = super::advise(&before, &known.came, limits, &mut *random);
        let tally = Tally::of(states.iter().copied(), calendar, &during, None);
        let mut spent: BTreeMap<&str, f64> = BTreeMap::new();
        for row in during.iter().filter(|row| row.amount > 0.0) {
            *spent.entry(&row.campaign).or_default() += row.amount;
        }
        found.weeks += 1;
        found.brought += tally.came.values().map(super::Came::kept).sum::<f64>();
        orders += tally.came.values().map(|came| came.orders.len()).sum::<usize>();
        if matches!(advice.verdict, Verdict::TooFew | Verdict::Alone) {
            continue;
        }
        // The money of the campaigns that the advice knows, split as it says.
        let split: Vec<(&str, f64, f64)> = advice
            .campaigns
            .iter()
            .filter_map(|campaign| {
                let (name, money) = spent.get_key_value(campaign.name.as_str())?;
                Some((*name, *money, campaign.share_next))
            })
            .collect();
        let (money, shares) =
            split.iter().fold((0.0, 0.0), |sums, part| (sums.0 + part.1, sums.1 + part.2));
        if money <= 0.0 || shares <= 0.0 {
            continue;
        }
        let of_week = tally.came.values().flat_map(|came| &came.orders);
        let (paid, number) =
            of_week.fold((0.0, 0.0), |sums, amount| (sums.0 + amount, sums.1 + 1.0));
        let (rate, usual) = (number / money, if number > 0.0 { paid / number } else { 0.0 });
        let none = super::Came::default();
        let mut has_moved = false;
        for (name, was, share) in split {
            let extra = share / shares * money - was;
            has_moved |= extra.abs() > STAYED * money;
            let came = tally.came.get(name).unwrap_or(&none);
            found.more.value += extra * came.kept() / was;
            let backs = backs(was, came, rate, usual, PRIOR, &mut *random);
            draws.iter_mut().zip(backs).for_each(|(sum, back)| *sum += extra * back);
        }
        found.moved += usize::from(has_moved);
    }
    found.more = interval(found.more.value, draws);
    (found.weeks > 0 && orders >= LEAST).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Source;
    use crate::signals::Outcome;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const DAY_MS: u64 = 86_400_000;
    const LIMITS: Limits = Limits { floor: 0.1, step: 0.2 };

    /// Six weeks of two campaigns with 10 a day each, and so many orders of 40 every day.
    fn shop(orders: [(&str, usize); 2], reported_after: u64) -> (Vec<State>, Vec<Row>) {
        let (mut states, mut rows) = (Vec::new(), Vec::new());
        for day in 20_000..20_042_u64 {
            for (campaign, orders) in orders {
                let first = i64::try_from(day).unwrap();
                rows.push(Row {
                    campaign: campaign.into(),
                    first,
                    last: first,
                    amount: 10.0,
                    currency: "EUR".into(),
                });
                states.extend((0..orders).map(|n| {
                    let order = format!("{campaign} {day} {n}");
                    let outcome = Outcome {
                        order,
                        converted: true,
                        amount: 40.0,
                        currency: "EUR".into(),
                        ..Outcome::default()
                    };
                    State {
                        started_at_ms: day * DAY_MS,
                        source: Some(Source {
                            utm_campaign: Some(campaign.into()),
                            ..Source::default()
                        }),
                        outcomes: vec![((day + reported_after) * DAY_MS, outcome)],
                        ..State::default()
                    }
                }));
            }
        }
        (states, rows)
    }

    fn replayed(states: &[State], rows: &[Row]) -> Option<Replay> {
        let states: Vec<&State> = states.iter().collect();
        replay(&states, &Calendar::default(), rows, LIMITS, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn money_that_moved_to_the_better_campaign_brought_more() {
        let (states, rows) = shop([("a", 3), ("b", 1)], 0);
        let found = replayed(&states, &rows).unwrap();
        assert_eq!((found.weeks, found.moved), (5, 5));
        // Five weeks of 280 for a and 40 × 7 for b; each week 28 of 140 move from 4 back to 12 back
        // a unit.
        assert!((found.brought - 5.0 * 28.0 * 40.0).abs() < 1e-6, "{found:?}");
        assert!((found.more.value - 5.0 * 28.0 * 8.0).abs() < 1.0, "{found:?}");
        assert!(found.more.low > 0.0 && found.more.high > found.more.value, "{found:?}");
    }

    #[test]
    fn orders_that_were_not_known_yet_move_nothing() {
        let (states, rows) = shop([("a", 3), ("b", 1)], 60);
        let found = replayed(&states, &rows).unwrap();
        assert_eq!((found.weeks, found.moved, found.more.value), (5, 0, 0.0));
    }

    #[test]
    fn equal_campaigns_gain_nothing_and_little_is_not_replayed() {
        let (states, rows) = shop([("a", 1), ("b", 1)], 0);
        let found = replayed(&states, &rows).unwrap();
        assert!(found.more.low < 0.0 && found.more.high > 0.0, "{found:?}");
        assert_eq!(replayed(&states, &rows[..12]), None, "six days");
        assert_eq!(replayed(&[], &rows), None, "no orders");
        let mut spans = rows;
        spans[0].last += 1;
        assert_eq!(replayed(&states, &spans), None, "spend of two days in one row");
        assert_eq!(replayed(&states, &[]), None);
    }
}
