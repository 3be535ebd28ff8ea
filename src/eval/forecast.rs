//! How good forecasts and stock-out warnings are, on daily series of the past.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::calendar::{self, Calendar};
use crate::forecast::backtest::{self, Plan, Row, Scores, Total};
use crate::forecast::{self, Panel, stock};
use crate::insight::series::{self, Series};
use crate::intent::metrics::Quality;
use crate::training::Progress;

/// A forecast test.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub summary: Scores,
    /// With days hidden at the end of what is known, as if the stock had been out; of the series
    /// that count on most days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Hidden>,
    pub records: Vec<Record>,
    pub totals: Vec<TotalRecord>,
}

/// The same forecasts with the last days known, left out, and read as days without demand.
#[derive(Clone, Debug, Serialize)]
pub struct Hidden {
    pub days: usize,
    pub nothing_hidden: Scores,
    pub left_out: Scores,
    pub read_as_zero: Scores,
}

/// A day that was forecast.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub series: String,
    /// The last day known.
    pub known_until: String,
    pub date: String,
    #[serde(flatten)]
    pub row: Row,
}

/// A period's total that was forecast.
#[derive(Clone, Debug, Serialize)]
pub struct TotalRecord {
    pub series: String,
    pub known_until: String,
    #[serde(flatten)]
    pub total: Total,
}

/// A table's series.
///
/// # Errors
/// When the file can't be read or isn't such a table.
pub fn read(path: &Path, value: &str) -> anyhow::Result<Series> {
    let text = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    series::read(&text, value, &Calendar::default())
        .with_context(|| format!("in {}", path.display()))
}

/// Forecasts a table's past.
///
/// # Errors
/// When the table is no such thing, or too short for the plan.
pub fn run(
    path: &Path,
    value: &str,
    plan: Plan,
    hide: usize,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let Series { names, panel } = read(path, value)?;
    check(&panel, plan, path)?;
    let show = |done: usize, of: usize| progress("forecasting", done, of);
    let (rows, totals, summary) = backtest::run(&panel, plan, |_| true, |_| (), show);
    let date = |day: usize| calendar::iso(panel.first_day + day as i64);
    let record = |row: Row| Record {
        series: names[row.series].clone(),
        known_until: date(row.origin - 1),
        date: date(row.day),
        row,
    };
    let total = |total: Total| TotalRecord {
        series: names[total.series].clone(),
        known_until: date(total.origin - 1),
        total,
    };
    let hidden = (hide > 0).then(|| {
        let with = |value: Option<f64>| {
            let change = |known: &mut Panel| {
                for history in known.series.iter_mut().filter(|history| is_fast(history)) {
                    let from = history.len().saturating_sub(hide);
                    if let Some(value) = value {
                        history[from..].fill(value);
                    }
                }
            };
            backtest::run(&panel, plan, is_fast, change, show).2
        };
        let (nothing_hidden, left_out, read_as_zero) =
            (with(None), with(Some(f64::NAN)), with(Some(0.0)));
        Hidden { days: hide, nothing_hidden, left_out, read_as_zero }
    });
    let records = rows.into_iter().map(record).collect();
    Ok(Report { summary, hidden, records, totals: totals.into_iter().map(total).collect() })
}

fn check(panel: &Panel, plan: Plan, path: &Path) -> anyhow::Result<()> {
    ensure!(
        backtest::fits(panel.len(), plan),
        "{} has {} days; so many origins, so far apart, need more, each with {} days before it and a horizon of 1 to {}",
        path.display(),
        panel.len(),
        forecast::MIN_DAYS,
        forecast::HORIZON
    );
    Ok(())
}

/// Counts on more than half of the days.
fn is_fast(history: &[f64]) -> bool {
    history.iter().filter(|count| **count > 0.0).count() * 2 > history.len()
}

/// A test of stock-out warnings.
#[derive(Clone, Debug, Serialize)]
pub struct StockReport {
    pub summary: StockScores,
    pub records: Vec<StockRecord>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct StockScores {
    #[serde(flatten)]
    pub quality: Quality,
    /// From this chance on a warning is given.
    pub warned_at: f64,
    pub precision: f64,
    pub recall: f64,
}

/// A stock and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct StockRecord {
    pub series: String,
    pub known_until: String,
    pub stock: f64,
    pub expected: f64,
    pub chance: f64,
    /// What was asked for.
    pub seen: f64,
    pub ran_out: bool,
}

/// From which chance on warnings are judged.
const WARNED_AT: f64 = 0.7;

/// Draws a stock for each series at each origin, 0.4 to 2 times the mean demand of `lead` days by a
/// hash of both, and compares the chance that it doesn't last with what came.
///
/// # Errors
/// When the table is no such thing, or too short.
pub fn stock_outs(
    path: &Path,
    value: &str,
    plan: Plan,
    progress: Progress<'_>,
) -> anyhow::Result<StockReport> {
    let Series { names, panel } = read(path, value)?;
    check(&panel, plan, path)?;
    let at = forecast::spread::PERIODS.iter().position(|period| *period == plan.horizon);
    let at = at.with_context(|| format!("--lead can be {:?}", forecast::spread::PERIODS))?;
    let mut records = Vec::new();
    let origins = backtest::origins(panel.len(), plan);
    for (done, origin) in origins.iter().copied().enumerate() {
        progress("forecasting", done, origins.len());
        let Some(made) = forecast::forecast(&panel.until(origin)) else { continue };
        for (series, days) in panel.series.iter().enumerate() {
            let known_until = calendar::iso(panel.first_day + origin as i64 - 1);
            let known: Vec<f64> =
                days[..origin].iter().copied().filter(|count| count.is_finite()).collect();
            let mean = known.iter().sum::<f64>() / known.len().max(1) as f64 * plan.horizon as f64;
            let stock = (mean * (0.4 + 1.6 * drawn(&names[series], &known_until))).round();
            let seen: f64 = days[origin..origin + plan.horizon].iter().sum();
            let Some(found) =
                stock::runs_out(&made, series, stock, 1.0).filter(|_| seen.is_finite())
            else {
                continue;
            };
            records.push(StockRecord {
                series: names[series].clone(),
                known_until,
                stock,
                expected: made.outlooks[series].days[..plan.horizon]
                    .iter()
                    .map(|day| day.expected)
                    .sum(),
                chance: found.chance[at],
                seen,
                ran_out: seen > stock,
            });
        }
    }
    let chances: Vec<f32> = records.iter().map(|record| record.chance as f32).collect();
    let labels: Vec<bool> = records.iter().map(|record| record.ran_out).collect();
    let warned: Vec<bool> = records
        .iter()
        .filter(|record| record.chance >= WARNED_AT)
        .map(|record| record.ran_out)
        .collect();
    let right = warned.iter().filter(|right| **right).count() as f64;
    let over = |count: usize| if count > 0 { right / count as f64 } else { 0.0 };
    let summary = StockScores {
        quality: Quality::of(&chances, &labels),
        warned_at: WARNED_AT,
        precision: over(warned.len()),
        recall: over(labels.iter().filter(|ran_out| **ran_out).count()),
    };
    Ok(StockReport { summary, records })
}

/// A number from 0 to 1 that two texts always give.
fn drawn(series: &str, date: &str) -> f64 {
    let hash = Sha256::digest(format!("stock:{series}:{date}"));
    f64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> tempfile::NamedTempFile {
        let mut rows = String::from("series,date,orders\n");
        // Two that count on three days of the week each, so that no day is one of a closed shop.
        let count = |name: &str, day: i64| match (name, day % 7) {
            (_, 5) => 0,
            ("fast", _) => 6 + (day * 7_919 % 5) / 2,
            ("odd", 0 | 2 | 4) | ("even", 1 | 3 | 6) => 4 + (day * 104_729 % 7) / 3,
            _ => 0,
        };
        for name in ["fast", "odd", "even"] {
            for day in 0..140_i64 {
                rows += &format!("{name},{},{}\n", calendar::iso(20_000 + day), count(name, day));
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rows).unwrap();
        file
    }

    const PLAN: Plan = Plan { horizon: 14, origins: 3, step: 14 };

    #[test]
    fn hidden_days_hurt_less_where_they_are_said() {
        let file = table();
        let report = run(file.path(), "orders", PLAN, 14, &|_, _, _| ()).unwrap();
        assert_eq!(report.records.len(), 3 * 3 * 14);
        assert!(report.summary.mase_over_naive < 1.0, "{:?}", report.summary);
        let hidden = report.hidden.unwrap();
        assert!(hidden.left_out.bias.abs() < 0.15 && hidden.read_as_zero.bias < -0.3, "{hidden:?}");
    }

    #[test]
    fn warnings_are_scored_and_a_short_table_is_refused() {
        let file = table();
        let report = stock_outs(file.path(), "orders", PLAN, &|_, _, _| ()).unwrap();
        assert_eq!(report.records.len(), 9);
        assert!(report.summary.quality.brier < 0.25, "{:?}", report.summary);
        let far = Plan { origins: 20, ..PLAN };
        assert!(
            run(file.path(), "orders", far, 0, &|_, _, _| ())
                .unwrap_err()
                .to_string()
                .contains("140 days")
        );
    }
}
