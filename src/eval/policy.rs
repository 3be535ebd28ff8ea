//! What a policy would have brought, from a logged table of choices.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Deserialize;

use crate::insight::policy::{self, Choice, Report};

/// Who gets what, by the first rule that fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
    /// The chance of each action where no rule fits.
    otherwise: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// By column; all must hold.
    when: BTreeMap<String, Condition>,
    actions: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Condition {
    /// From `min` up to and with `max`.
    Between {
        min: Option<f64>,
        max: Option<f64>,
    },
    Is(String),
}

impl Condition {
    fn holds(&self, cell: &str) -> bool {
        match self {
            Self::Is(text) => text == cell,
            Self::Between { min, max } => cell
                .parse::<f64>()
                .is_ok_and(|number| min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)),
        }
    }
}

/// Reads a log (`action`, `reward`, `propensity`, any further columns) and a policy, and values it.
///
/// # Errors
/// When a file can't be read or isn't what it should be; the text names the line.
pub fn run(log: &Path, policy: &Path, seed: u64) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(policy).with_context(|| format!("can't read {}", policy.display()))?;
    let named = || format!("in {}", policy.display());
    let wanted: Policy = serde_json::from_str(&text).with_context(named)?;
    for actions in wanted.rules.iter().map(|rule| &rule.actions).chain([&wanted.otherwise]) {
        let sum: f64 = actions.values().sum();
        let sound = actions.values().all(|chance| (0.0..=1.0).contains(chance)) && (sum - 1.0).abs() < 1e-6;
        ensure!(sound, "{}: the chances of a case's actions are 0 to 1 and sum to 1, not {sum}", policy.display());
    }
    let mut reader = csv::Reader::from_path(log).with_context(|| format!("can't read {}", log.display()))?;
    let headers = reader.headers()?.clone();
    let place = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.with_context(|| format!("{} has no column {name:?}", log.display()))
    };
    let (action, reward, propensity) = (place("action")?, place("reward")?, place("propensity")?);
    for name in wanted.rules.iter().flat_map(|rule| rule.when.keys()) {
        place(name)?;
    }
    let mut choices = Vec::new();
    for (at, row) in reader.records().enumerate() {
        let at_line = || format!("{}, line {}", log.display(), at + 2);
        let row = row.with_context(at_line)?;
        let cell = |place: usize| row.get(place).unwrap_or_default();
        let number = |place: usize| cell(place).parse::<f64>().ok().filter(|number| number.is_finite());
        let paid = number(reward).with_context(|| format!("{}: no reward", at_line()))?;
        let chance = number(propensity).filter(|chance| *chance > 0.0 && *chance <= 1.0);
        let chance = chance.with_context(|| format!("{}: a propensity is above 0 and at most 1", at_line()))?;
        let fits = |rule: &&Rule| rule.when.iter().all(|(name, is)| place(name).is_ok_and(|at| is.holds(cell(at))));
        let case = wanted.rules.iter().position(|rule| fits(&rule)).unwrap_or(wanted.rules.len());
        choices.push(Choice {
            action: cell(action).to_owned(),
            reward: paid,
            propensity: chance,
            wanted: wanted.rules.get(case).map_or(&wanted.otherwise, |rule| &rule.actions).clone(),
            case,
        });
    }
    ensure!(!choices.is_empty(), "{} holds no row", log.display());
    Ok(policy::value(&choices, &mut StdRng::seed_from_u64(seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_by_columns_and_what_is_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (log, policy) = (directory.path().join("log.csv"), directory.path().join("policy.json"));
        // Old visitors are won by b, new ones by a; the log tossed a coin.
        let rows: String = (0..2_000)
            .map(|n| {
                let (old, b) = (n % 2 == 0, n / 2 % 2 == 0);
                let won = u8::from(old == b && n % 5 != 0);
                format!("{},{won},0.5,{}\n", if b { "b" } else { "a" }, if old { 9 } else { 1 })
            })
            .collect();
        std::fs::write(&log, format!("action,reward,propensity,months\n{rows}")).unwrap();
        let value = |text: &str| {
            std::fs::write(&policy, text).unwrap();
            run(&log, &policy, 1)
        };
        let good = r#"{"rules": [{"when": {"months": {"min": 6}}, "actions": {"b": 1}}], "otherwise": {"a": 1}}"#;
        assert!((value(good).unwrap().dr.unwrap().value - 0.8).abs() < 0.01);
        let bad = value(r#"{"otherwise": {"a": 0.5}}"#).unwrap_err().to_string();
        assert!(bad.contains("sum to 1, not 0.5"), "{bad}");
        let unknown = r#"{"rules": [{"when": {"age": "9"}, "actions": {"b": 1}}], "otherwise": {"a": 1}}"#;
        assert!(value(unknown).unwrap_err().to_string().contains("no column \"age\""));
    }
}
