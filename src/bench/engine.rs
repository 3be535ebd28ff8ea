//! The engine by itself: how soon it answers and how fast it writes, alone or in turns with another
//! server.
//!
//! The other side is any OpenAI-compatible server, such as llama-server with the same GGUF. Both
//! are driven through the same [`Llm`] handle with the same seeded texts, round by round in the
//! order ours, theirs, theirs, ours, so that what else the machine does weighs on both alike. A
//! ratio is the median of the rounds' own ratios.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;

use crate::config::Config;
use crate::llm::{Llm, LlmConfig};

mod embedding;
mod load;
mod restart;
mod scenarios;

pub use scenarios::Scenario;

/// What is measured and how often.
#[derive(Clone, Debug)]
pub struct EngineBench {
    /// None means all of them.
    pub only: Vec<Scenario>,
    pub rounds: usize,
    pub seed: u64,
    /// Base URL of the other side, such as `http://127.0.0.1:8080/v1`.
    pub against: Option<String>,
    /// Tokens of finished conversations beside which [`Scenario::Sleeping`] decodes.
    pub sleeping_tokens: usize,
}

/// Which way a measure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
}

/// One figure of one round.
#[derive(Clone, Debug)]
struct Measure {
    name: &'static str,
    unit: &'static str,
    better: Better,
    /// Of the round.
    value: f64,
    /// What the value was made of, for the quantiles over all rounds; may be empty.
    samples: Vec<f64>,
}

fn measure(name: &'static str, unit: &'static str, better: Better, value: f64) -> Measure {
    Measure { name, unit, better, value, samples: Vec::new() }
}

fn rate(name: &'static str, value: f64) -> Measure {
    measure(name, "tokens/s", Better::Higher, value)
}

fn share(name: &'static str, value: f64) -> Measure {
    measure(name, "ratio", Better::Higher, value)
}

fn cost(name: &'static str, unit: &'static str, value: f64) -> Measure {
    measure(name, unit, Better::Lower, value)
}

/// The first tokens of chats that came at once: the round's value is the 95th percentile.
fn first_tokens(name: &'static str, samples: Vec<f64>) -> Measure {
    let value = quantile(&sorted(samples.clone()), 0.95);
    Measure { name, unit: "s", better: Better::Lower, value, samples }
}

/// One side's figure over all rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Side {
    /// Median, lowest and highest of the rounds.
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    /// Over the single samples of all rounds, such as the chats' first tokens; of the rounds'
    /// values where there are none.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Ours divided by theirs, or the inverse where less is better: above 1 we are ahead.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

/// One measure of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub scenario: Scenario,
    pub measure: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub ours: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ratio>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    pub model: String,
    pub quantisation: String,
    pub threads: u32,
    pub instructions: String,
    pub rounds: usize,
    pub seed: u64,
    pub rows: Vec<Row>,
}

/// Longest prompt and answer that a scenario asks for, in tokens.
const CONTEXT_TOKENS: u32 = 8192;

/// Runs the scenarios. `progress` hears which one runs, and how many of how many rounds are over.
///
/// # Errors
/// When the configured engine isn't `llama`, the other side can't be reached, or one of them fails.
pub async fn run(
    config: &Config,
    bench: &EngineBench,
    progress: &dyn Fn(&str, usize, usize),
) -> anyhow::Result<EngineReport> {
    anyhow::ensure!(bench.rounds > 0, "at least one round has to be measured");
    anyhow::ensure!(
        config.llm.engine == "llama",
        "[llm] engine is {:?}; this measures \"llama\"",
        config.llm.engine
    );
    let ours = LlmConfig {
        context_tokens: CONTEXT_TOKENS,
        kv_tokens: config
            .llm
            .kv_tokens
            .max(u32::try_from(bench.sleeping_tokens)?.saturating_add(3 * CONTEXT_TOKENS)),
        parallel: 16,
        ..config.llm.clone()
    };
    let theirs = bench.against.as_ref().map(|url| LlmConfig {
        engine: url.clone(),
        parallel: 64,
        ..ours.clone()
    });
    let ours = tokio::task::block_in_place(|| Llm::start(&ours))?;
    let theirs = theirs.map(|config| Llm::start(&config)).transpose().context("the other side")?;

    let scenarios = if bench.only.is_empty() { Scenario::ALL.to_vec() } else { bench.only.clone() };
    let total = scenarios.len() * bench.rounds;
    let mut rows = Vec::new();
    for (at, &scenario) in scenarios.iter().enumerate() {
        let mut measured = Measured::default();
        for round in 0..bench.rounds {
            progress(scenario.name(), at * bench.rounds + round, total);
            let seed = bench.seed.wrapping_mul(1_000_003).wrapping_add((at * 1000 + round) as u64);
            let sides = if round % 2 == 0 { [true, false] } else { [false, true] };
            for our_turn in sides {
                let Some(llm) = (if our_turn { Some(&ours) } else { theirs.as_ref() }) else {
                    continue;
                };
                if !our_turn && scenario.is_ours_alone() {
                    continue;
                }
                let measures = scenario.run(llm, config, bench, seed).await;
                let measures = measures
                    .with_context(|| format!("{}, round {}", scenario.name(), round + 1))?;
                measured.take(our_turn, measures);
            }
        }
        rows.extend(measured.rows(scenario));
    }
    progress("", total, total);
    let facts = ours.facts();
    Ok(EngineReport {
        model: facts.name.clone(),
        quantisation: facts.quantisation.clone(),
        threads: facts.threads,
        instructions: crate::llm::instruction_sets(),
        rounds: bench.rounds,
        seed: bench.seed,
        rows,
    })
}

/// The rounds of one scenario so far: by measure, in the order of the rounds.
#[derive(Default)]
struct Measured {
    order: Vec<&'static str>,
    ours: BTreeMap<&'static str, Vec<Measure>>,
    theirs: BTreeMap<&'static str, Vec<Measure>>,
}

impl Measured {
    fn take(&mut self, our_turn: bool, measures: Vec<Measure>) {
        for measure in measures {
            if !self.order.contains(&measure.name) {
                self.order.push(measure.name);
            }
            let side = if our_turn { &mut self.ours } else { &mut self.theirs };
            side.entry(measure.name).or_default().push(measure);
        }
    }

    fn rows(&self, scenario: Scenario) -> Vec<Row> {
        let row = |name: &&'static str| {
            let ours = self.ours.get(name)?;
            let first = ours.first()?;
            let theirs = self.theirs.get(name);
            Some(Row {
                scenario,
                measure: first.name,
                unit: first.unit,
                better: first.better,
                ours: side(ours),
                theirs: theirs.map(|theirs| side(theirs)),
                ahead: theirs.map(|theirs| ratio(ours, theirs)),
            })
        };
        self.order.iter().filter_map(row).collect()
    }
}

fn side(rounds: &[Measure]) -> Side {
    let values = sorted(rounds.iter().map(|measure| measure.value).collect());
    let samples: Vec<f64> =
        rounds.iter().flat_map(|measure| measure.samples.iter().copied()).collect();
    let samples = if samples.is_empty() { values.clone() } else { sorted(samples) };
    Side {
        median: quantile(&values, 0.5),
        lowest: quantile(&values, 0.0),
        highest: quantile(&values, 1.0),
        p50: quantile(&samples, 0.5),
        p95: quantile(&samples, 0.95),
        p99: quantile(&samples, 0.99),
    }
}

fn ratio(ours: &[Measure], theirs: &[Measure]) -> Ratio {
    let paired = ours.iter().zip(theirs).map(|(ours, theirs)| match ours.better {
        Better::Higher => ours.value / theirs.value,
        Better::Lower => theirs.value / ours.value,
    });
    let ratios = sorted(paired.filter(|ratio| ratio.is_finite()).collect());
    Ratio {
        median: quantile(&ratios, 0.5),
        lowest: quantile(&ratios, 0.0),
        highest: quantile(&ratios, 1.0),
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values, the one at a share of them (nearest rank); 0 without any.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.max(1) - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(
            [0.0, 0.5, 0.95, 1.0].map(|share| quantile(&values, share)),
            [1.0, 2.0, 4.0, 4.0]
        );
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_ratio_above_one_is_ahead_whichever_way_is_better() {
        let of = |better, values: &[f64]| -> Vec<Measure> {
            values
                .iter()
                .map(|&value| Measure { name: "m", unit: "s", better, value, samples: Vec::new() })
                .collect()
        };
        let check = |better, ours: &[f64], theirs: &[f64], expected| {
            assert_eq!(ratio(&of(better, ours), &of(better, theirs)).median, expected);
        };
        check(Better::Higher, &[20.0, 30.0, 10.0], &[10.0, 10.0, 10.0], 2.0);
        check(Better::Lower, &[1.0, 1.0, 1.0], &[3.0, 2.0, 4.0], 3.0);
    }
}
