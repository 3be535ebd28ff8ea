//! What a policy would have brought, from a logged table of choices; and how often such a value and
//! its interval are right, where a randomised table knows the truth.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use csv::StringRecord;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::insight::policy::{self, Choice, Report, Value};
use crate::training::Progress;

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
            Self::Between { min, max } => cell.parse::<f64>().is_ok_and(|number| {
                min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
            }),
        }
    }
}

impl Policy {
    /// # Errors
    /// When the file can't be read, is no policy, or the chances of a case don't sum to 1.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("can't read {}", path.display()))?;
        let wanted: Self =
            serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for actions in wanted.rules.iter().map(|rule| &rule.actions).chain([&wanted.otherwise]) {
            let sum: f64 = actions.values().sum();
            let sound = actions.values().all(|chance| (0.0..=1.0).contains(chance))
                && (sum - 1.0).abs() < 1e-6;
            ensure!(
                sound,
                "{}: the chances of a case's actions are 0 to 1 and sum to 1, not {sum}",
                path.display()
            );
        }
        Ok(wanted)
    }

    /// The first rule that fits, or their number where none does.
    fn case(&self, table: &Table, row: &StringRecord) -> usize {
        let fits = |rule: &Rule| {
            rule.when.iter().all(|(name, is)| {
                table.place(name).is_ok_and(|at| is.holds(row.get(at).unwrap_or_default()))
            })
        };
        self.rules.iter().position(fits).unwrap_or(self.rules.len())
    }

    fn actions(&self, case: usize) -> &BTreeMap<String, f64> {
        self.rules.get(case).map_or(&self.otherwise, |rule| &rule.actions)
    }

    /// The columns that rules name.
    fn columns(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| rule.when.keys()).map(String::as_str)
    }
}

/// A CSV file.
struct Table {
    name: String,
    headers: StringRecord,
    rows: Vec<StringRecord>,
}

impl Table {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let mut reader =
            csv::Reader::from_path(path).with_context(|| format!("can't read {name}"))?;
        let headers = reader.headers()?.clone();
        let rows: Vec<StringRecord> =
            reader.records().collect::<Result<_, _>>().with_context(|| name.clone())?;
        ensure!(!rows.is_empty(), "{name} holds no row");
        Ok(Self { name, headers, rows })
    }

    fn place(&self, name: &str) -> anyhow::Result<usize> {
        let found = self.headers.iter().position(|header| header == name);
        found.with_context(|| format!("{} has no column {name:?}", self.name))
    }

    /// A row's number, with what it should be where it isn't.
    fn number(&self, row: &StringRecord, place: usize, what: &str) -> anyhow::Result<f64> {
        let cell = row.get(place).unwrap_or_default();
        let number = cell.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let line = row.position().map_or(0, csv::Position::line);
        number.with_context(|| format!("{}, line {line}: {cell:?} is no {what}", self.name))
    }
}

/// The columns of a log or of a randomised table.
#[derive(Clone, Debug)]
pub struct Columns {
    pub action: String,
    pub reward: String,
    /// Of a log alone.
    pub propensity: String,
}

/// Reads a log (action, reward, propensity, any further columns) and a policy, and values it.
///
/// # Errors
/// When a file can't be read or isn't what it should be; the text names the line.
pub fn run(log: &Path, policy: &Path, columns: &Columns) -> anyhow::Result<Report> {
    let wanted = Policy::read(policy)?;
    let table = Table::read(log)?;
    let (action, reward) = (table.place(&columns.action)?, table.place(&columns.reward)?);
    let propensity = table.place(&columns.propensity)?;
    wanted.columns().try_for_each(|name| table.place(name).map(drop))?;
    let mut choices = Vec::new();
    for row in &table.rows {
        let what = "propensity: above 0 and at most 1";
        let chance = table.number(row, propensity, what)?;
        let line = row.position().map_or(0, csv::Position::line);
        ensure!(
            chance > 0.0 && chance <= 1.0,
            "{}, line {line}: {chance} is no {what}",
            table.name
        );
        let case = wanted.case(&table, row);
        choices.push(Choice {
            action: row.get(action).unwrap_or_default().to_owned(),
            reward: table.number(row, reward, "reward")?,
            propensity: chance,
            wanted: wanted.actions(case).clone(),
            case,
        });
    }
    Ok(policy::value(&choices))
}

/// How a randomised table is thinned to the logs of a biased sender.
#[derive(Clone, Debug)]
pub struct Thinned<'a> {
    pub table: &'a Path,
    /// The policy that is valued.
    pub policy: &'a Path,
    /// The policy that the logs were chosen by.
    pub sender: &'a Path,
    pub rows: usize,
    pub times: usize,
}

/// How right an estimator was over many logs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Estimator {
    /// Mean error and root of the mean squared one, as shares of the truth.
    pub bias: f64,
    pub rmse: f64,
    /// The share of 95% intervals that held the truth.
    pub covered: f64,
}

/// How right values of a policy are.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    pub truth: f64,
    pub logs: usize,
    /// Logs of which nothing was said; they count for no estimator.
    pub refused: usize,
    pub effective_rows: f64,
    /// None where every log was refused.
    pub ipw: Option<Estimator>,
    pub snipw: Option<Estimator>,
    pub dr: Option<Estimator>,
}

/// A row of the table: which pair of cases it is, what was done and what came of it.
struct Shown<'a> {
    case: usize,
    sent: usize,
    action: &'a str,
    reward: f64,
}

/// Draws logs from a randomised table as a sender with a policy of its own would have written them,
/// values another policy from each, and compares with what the whole table says of it. The table is
/// taken for the population, so the truth is exact: rows are drawn with replacement and kept with
/// the sender's chance of their action over that action's share among the rows of the same cases.
///
/// # Errors
/// When a file can't be read or isn't what it should be, or a policy wants an action that some of
/// its cases don't have in the table.
pub fn coverage(
    thinned: &Thinned<'_>,
    columns: &Columns,
    seed: u64,
    progress: Progress<'_>,
) -> anyhow::Result<Coverage> {
    let (wanted, sender) = (Policy::read(thinned.policy)?, Policy::read(thinned.sender)?);
    let table = Table::read(thinned.table)?;
    let (action, reward) = (table.place(&columns.action)?, table.place(&columns.reward)?);
    wanted.columns().chain(sender.columns()).try_for_each(|name| table.place(name).map(drop))?;
    let shown = table.rows.iter().map(|row| {
        let reward = table.number(row, reward, "reward")?;
        let (case, sent) = (wanted.case(&table, row), sender.case(&table, row));
        Ok(Shown { case, sent, action: row.get(action).unwrap_or_default(), reward })
    });
    let shown: Vec<Shown<'_>> = shown.collect::<anyhow::Result<_>>()?;
    // Rows and rewards by the pair of cases, and by action within.
    let mut pairs: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let mut cells: BTreeMap<(usize, usize, &str), (f64, f64)> = BTreeMap::new();
    for row in &shown {
        *pairs.entry((row.case, row.sent)).or_default() += 1.0;
        let cell = cells.entry((row.case, row.sent, row.action)).or_default();
        *cell = (cell.0 + 1.0, cell.1 + row.reward);
    }
    let mut truth = 0.0;
    for (&(case, sent), rows) in &pairs {
        for (name, chance) in wanted.actions(case).iter().filter(|(_, chance)| **chance > 0.0) {
            let cell = cells.get(&(case, sent, name.as_str()));
            let (count, sum) =
                cell.with_context(|| format!("{}: no row of a case has {name:?}", table.name))?;
            truth += rows / shown.len() as f64 * chance * sum / count;
        }
    }
    ensure!(truth > 0.0, "the policy brings nothing in {}; its error has no share", table.name);
    // The chance to keep a row, up to a common factor.
    let sent = |row: &Shown<'_>| sender.actions(row.sent).get(row.action).copied().unwrap_or(0.0);
    let keep: Vec<f64> = shown
        .iter()
        .map(|row| {
            let share = cells[&(row.case, row.sent, row.action)].0 / pairs[&(row.case, row.sent)];
            sent(row) / share
        })
        .collect();
    let most = keep.iter().copied().fold(0.0, f64::max);
    ensure!(most > 0.0, "the sender does nothing that {} has", table.name);
    let mut found: Vec<Report> = Vec::new();
    for time in 0..thinned.times {
        progress("valuing", time, thinned.times);
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(time as u64));
        let mut log = Vec::with_capacity(thinned.rows);
        while log.len() < thinned.rows {
            let at = random.random_range(0..shown.len());
            if random.random::<f64>() * most >= keep[at] {
                continue;
            }
            let row = &shown[at];
            log.push(Choice {
                action: row.action.to_owned(),
                reward: row.reward,
                propensity: sent(row),
                wanted: wanted.actions(row.case).clone(),
                case: row.case,
            });
        }
        found.push(policy::value(&log));
    }
    let logs = found.len();
    let effective_rows = super::mean(found.iter().map(|report| report.effective_rows));
    let score = |of: fn(&Report) -> Option<Value>| {
        let values: Vec<Value> = found.iter().filter_map(of).collect();
        let off = |value: &Value| value.value / truth - 1.0;
        let held = |value: &Value| value.low <= truth && truth <= value.high;
        (!values.is_empty()).then(|| Estimator {
            bias: super::mean(values.iter().map(off)),
            rmse: super::mean(values.iter().map(|value| off(value).powi(2))).sqrt(),
            covered: super::mean(values.iter().map(|value| f64::from(u8::from(held(value))))),
        })
    };
    Ok(Coverage {
        truth,
        logs,
        refused: found.iter().filter(|report| report.cannot_tell.is_some()).count(),
        effective_rows,
        ipw: score(|report| report.ipw),
        snipw: score(|report| report.snipw),
        dr: score(|report| report.dr),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            action: "action".into(),
            reward: "reward".into(),
            propensity: "propensity".into(),
        }
    }

    #[test]
    fn rules_choose_by_columns_and_what_is_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (log, policy) =
            (directory.path().join("log.csv"), directory.path().join("policy.json"));
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
            run(&log, &policy, &columns())
        };
        let good = r#"{"rules": [{"when": {"months": {"min": 6}}, "actions": {"b": 1}}], "otherwise": {"a": 1}}"#;
        assert!((value(good).unwrap().dr.unwrap().value - 0.8).abs() < 0.01);
        let bad = value(r#"{"otherwise": {"a": 0.5}}"#).unwrap_err().to_string();
        assert!(bad.contains("sum to 1, not 0.5"), "{bad}");
        let unknown =
            r#"{"rules": [{"when": {"age": "9"}, "actions": {"b": 1}}], "otherwise": {"a": 1}}"#;
        assert!(value(unknown).unwrap_err().to_string().contains("no column \"age\""));
    }

    #[test]
    fn values_from_a_biased_log_are_right_about_a_randomised_table() {
        let directory = tempfile::tempdir().unwrap();
        let [table, policy, sender] =
            ["table.csv", "policy.json", "sender.json"].map(|name| directory.path().join(name));
        // .3 of the old visitors that got b came, .1 of all others.
        let rows: String = (0..4_000)
            .map(|n| {
                let (old, b) = (n % 2 == 0, n / 2 % 2 == 0);
                let came = n / 4 % 10 < if old && b { 3 } else { 1 };
                format!(
                    "{},{},{}\n",
                    if b { "b" } else { "a" },
                    u8::from(came),
                    if old { 9 } else { 1 }
                )
            })
            .collect();
        std::fs::write(&table, format!("action,reward,months\n{rows}")).unwrap();
        std::fs::write(
            &policy,
            r#"{"rules": [{"when": {"months": {"min": 6}}, "actions": {"b": 1}}], "otherwise": {"a": 1}}"#,
        )
        .unwrap();
        // It writes to old visitors less: the mean of its rows with b is not what b brings.
        std::fs::write(
            &sender,
            r#"{"rules": [{"when": {"months": {"min": 6}}, "actions": {"a": 0.7, "b": 0.3}}], "otherwise": {"a": 0.4, "b": 0.6}}"#,
        )
        .unwrap();
        let thinned =
            Thinned { table: &table, policy: &policy, sender: &sender, rows: 1_500, times: 30 };
        let found = coverage(&thinned, &columns(), 1, &|_, _, _| ()).unwrap();
        assert!((found.truth - 0.2).abs() < 1e-9 && found.refused == 0, "{found:?}");
        for score in [found.ipw, found.snipw, found.dr].map(Option::unwrap) {
            assert!(score.bias.abs() < 0.05 && score.covered >= 0.85, "{found:?}");
        }
        std::fs::write(&policy, r#"{"otherwise": {"c": 1}}"#).unwrap();
        let error = coverage(&thinned, &columns(), 1, &|_, _, _| ()).unwrap_err().to_string();
        assert!(error.contains("no row of a case has \"c\""), "{error}");
    }
}
