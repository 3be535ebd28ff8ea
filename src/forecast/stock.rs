//! Whether a stock runs out.

use serde::Serialize;

use super::{Forecasts, spread::PERIODS};

/// What is to be expected of a stock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunsOut {
    /// The chance that more is asked for within 7, 14 and 28 days than there is.
    pub chance: [f64; PERIODS.len()],
    /// The day ahead, from 0, on which the expected demand has used the stock up; none within the
    /// horizon if it hasn't by then.
    pub empty_after: Option<usize>,
}

/// What is to be expected of `stock` pieces of a series, each request worth `pieces` of them.
#[must_use]
pub fn runs_out(made: &Forecasts, series: usize, stock: f64, pieces: f64) -> Option<RunsOut> {
    let outlook = made.outlooks.get(series)?;
    let asked = if pieces > 0.0 { stock / pieces } else { return None };
    let chance = PERIODS.map(|days| {
        let expected = outlook.days.iter().take(days).map(|day| day.expected).sum();
        made.errors.chance_above(days, expected, outlook.scale, asked)
    });
    let mut sum = 0.0;
    let empty_after = outlook.days.iter().position(|day| {
        sum += day.expected;
        sum >= asked && sum > 0.0
    });
    Some(RunsOut { chance, empty_after })
}
