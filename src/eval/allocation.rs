//! How much a way to split impressions loses against the best choice, and whether "this one wins"
//! is right: tests of the past with many impressions stand for the truth, and are played again.
//!
//! The highest of several measured rates is likely one that luck raised, and would make every
//! policy look worse than it is. So the truth is the rates drawn to their test's by as much as
//! chance alone spreads them (empirical Bayes: Efron and Morris, 1975); the spread of true rates is
//! estimated over all tests.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::insight::thompson::{self, Seen};
use crate::training::Progress;

/// Impressions that are shared out before their clicks are known.
const BATCH: usize = 100;
/// Draws that the chance to be best is made of.
const DRAWS: usize = 2_000;
const SURE: f64 = 0.95;

/// How impressions are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// By the square of the chance to be the best, as the advice does.
    Thompson,
    /// By the chance to be the best itself.
    ProbabilityMatching,
    /// All alike.
    Even,
    /// A third evenly, then the best so far.
    ThirdThenBest,
}

/// The measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub summary: Scores,
    pub records: Vec<Record>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scores {
    pub policy: Policy,
    pub tests: usize,
    pub impressions: usize,
    /// The coefficient of variation of true rates within a test; none where rates are taken as
    /// measured.
    pub spread: Option<f64>,
    /// Mean share of the best choice's rate that was missed.
    pub short_of_best: f64,
    /// Tests in which one choice was said to be the best with at least 95%, and how many were
    /// right.
    pub claims: usize,
    pub claims_right: f64,
}

/// One test, played.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub test: String,
    pub arms: usize,
    pub short_of_best: f64,
    /// The choice that was said to be the best, by its place among the test's rows.
    pub said: Option<usize>,
    pub best: usize,
}

#[derive(Deserialize)]
struct Row {
    test: String,
    impressions: f64,
    clicks: f64,
}

/// How tests are played.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub policy: Policy,
    /// Of each test.
    pub impressions: usize,
    /// At most so many tests.
    pub limit: usize,
    /// Measured rates are the truth, luck and all.
    pub as_measured: bool,
    pub seed: u64,
}

/// Plays the tests of a CSV file (`test`, `impressions`, `clicks`; a row for each choice).
///
/// # Errors
/// When the file can't be read, isn't such a table, or holds no test of two choices.
pub fn run(path: &Path, plan: Plan, progress: Progress<'_>) -> anyhow::Result<Report> {
    let Plan { policy, impressions, limit, as_measured, seed } = plan;
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("can't read {}", path.display()))?;
    let mut tests: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for (at, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.with_context(|| format!("{}, line {}", path.display(), at + 2))?;
        let sound = row.impressions >= 1.0 && (0.0..=row.impressions).contains(&row.clicks);
        ensure!(
            sound,
            "{}, line {}: clicks are no part of the impressions",
            path.display(),
            at + 2
        );
        tests
            .entry(row.test)
            .or_default()
            .push(Seen { events: row.clicks, exposure: row.impressions });
    }
    tests.retain(|_, arms| arms.len() > 1 && arms.iter().any(|arm| arm.events > 0.0));
    ensure!(!tests.is_empty(), "{} holds no test of two choices and a click", path.display());
    let spread = (!as_measured).then(|| spread(tests.values()));
    let of = tests.len().min(limit);
    let mut records = Vec::new();
    for (done, (test, arms)) in tests.into_iter().take(limit).enumerate() {
        let rates = truth(&arms, spread);
        progress("playing", done, of);
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(done as u64));
        let (got, seen) = play(&rates, policy, impressions, &mut random);
        let best =
            (0..rates.len()).fold(0, |best, at| if rates[at] > rates[best] { at } else { best });
        let chances = thompson::best(&seen, DRAWS, &mut random);
        records.push(Record {
            test,
            arms: rates.len(),
            short_of_best: 1.0 - got / rates[best],
            said: chances.iter().position(|chance| *chance >= SURE),
            best,
        });
    }
    let said: Vec<bool> =
        records.iter().filter_map(|record| Some(record.said? == record.best)).collect();
    let right = said.iter().filter(|right| **right).count() as f64;
    let summary = Scores {
        policy,
        tests: records.len(),
        impressions,
        spread,
        short_of_best: super::mean(records.iter().map(|record| record.short_of_best)),
        claims: said.len(),
        claims_right: if said.is_empty() { 0.0 } else { right / said.len() as f64 },
    };
    Ok(Report { summary, records })
}

/// The variance of a measured rate around a true one of `rate`.
fn luck(arm: &Seen, rate: f64) -> f64 {
    rate * (1.0 - rate) / arm.exposure
}

/// The coefficient of variation of true rates within a test: what the measured ones vary by, less
/// what chance alone makes them vary by, each test alike.
fn spread<'a>(tests: impl Iterator<Item = &'a Vec<Seen>>) -> f64 {
    let excess = |arms: &Vec<Seen>| {
        let (rate, measured) = (thompson::common(arms), super::mean(arms.iter().map(Seen::rate)));
        let squares = arms.iter().map(|arm| (arm.rate() - measured).powi(2)).sum::<f64>();
        let variance = squares / (arms.len() - 1) as f64;
        (variance - super::mean(arms.iter().map(|arm| luck(arm, rate)))) / (rate * rate)
    };
    super::mean(tests.map(excess)).max(0.0).sqrt()
}

/// The rates that stand for the truth.
fn truth(arms: &[Seen], spread: Option<f64>) -> Vec<f64> {
    let rate = thompson::common(arms);
    let kept = |arm: &Seen| {
        let Some(spread) = spread else { return 1.0 };
        let true_variance = (spread * rate).powi(2);
        let all = true_variance + luck(arm, rate);
        if all > 0.0 { true_variance / all } else { 1.0 }
    };
    arms.iter().map(|arm| rate + kept(arm) * (arm.rate() - rate)).collect()
}

/// The mean true rate of what was shown, and what was seen.
fn play(
    rates: &[f64],
    policy: Policy,
    impressions: usize,
    random: &mut StdRng,
) -> (f64, Vec<Seen>) {
    let mut seen = vec![Seen { events: 0.0, exposure: 0.0 }; rates.len()];
    let (mut shown, mut sum) = (0, 0.0);
    while shown < impressions {
        let before = seen.clone();
        let rate = thompson::common(&before);
        let measured = |at: &usize| before[*at].rate();
        let best = (0..rates.len()).max_by(|a, b| measured(a).total_cmp(&measured(b))).unwrap_or(0);
        let shares = match policy {
            Policy::Thompson => thompson::shares(&thompson::best(&before, BATCH, random)),
            _ => Vec::new(),
        };
        for _ in 0..BATCH.min(impressions - shown) {
            let even = shown % rates.len();
            let chosen = match policy {
                Policy::Even => even,
                Policy::ThirdThenBest => {
                    if shown * 3 < impressions {
                        even
                    } else {
                        best
                    }
                }
                Policy::Thompson => {
                    let mut left = random.random::<f64>();
                    let mut reached = shares.iter().map(|share| {
                        left -= share;
                        left < 0.0
                    });
                    // Rounding may leave a little above the last share.
                    reached.position(|reached| reached).unwrap_or(even)
                }
                Policy::ProbabilityMatching => {
                    thompson::winner(&before, rate, random).unwrap_or(even)
                }
            };
            sum += rates[chosen];
            seen[chosen].exposure += 1.0;
            seen[chosen].events += f64::from(u8::from(random.random::<f64>() < rates[chosen]));
            shown += 1;
        }
    }
    (sum / impressions.max(1) as f64, seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_loses_less_than_an_even_split_and_a_clear_best_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "test,impressions,clicks\na,1000,20\na,1000,60\nb,1000,50\nb,1000,50\nc,9,0\nc,9,0\n",
        )
        .unwrap();
        let plan = Plan {
            policy: Policy::Even,
            impressions: 5_000,
            limit: usize::MAX,
            as_measured: true,
            seed: 1,
        };
        let played = |plan| run(file.path(), plan, &|_, _, _| ());
        let run = |policy| played(Plan { policy, ..plan }).unwrap();
        let (thompson, even) = (run(Policy::Thompson), run(Policy::Even));
        assert_eq!((thompson.summary.tests, thompson.records[0].said), (2, Some(1)));
        assert!((even.records[0].short_of_best - 1.0 / 3.0).abs() < 1e-6, "{even:?}");
        assert!(
            thompson.records[0].short_of_best < 0.1
                && thompson.records[1].short_of_best.abs() < 1e-9
        );
        // Without the luck of the highest measured rate an even split is short of less.
        let corrected = played(Plan { as_measured: false, ..plan }).unwrap();
        assert!((0.28..0.33).contains(&corrected.records[0].short_of_best), "{corrected:?}");
        assert!((0.4..0.55).contains(&corrected.summary.spread.unwrap()), "{corrected:?}");
        std::fs::write(file.path(), "test,impressions,clicks\na,10,20\n").unwrap();
        let error = played(plan).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
