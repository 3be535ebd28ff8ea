//! One round of a model's life: train on earlier rows, evaluate on later ones, compare with what is
//! deployed, keep the version with the verdict.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::intent::classes::{Classes, Example, is_out_of_scope};
use crate::intent::columns::Vectors;
use crate::intent::data::Data;
use crate::intent::metrics::{Bin, Quality, auroc, psi, reliability};
use crate::intent::registry::{IntentConfig, Registry, RegistryError, Version, objection};
use crate::intent::table::{Column, Table, Track};
use crate::intent::train::{self, Compared, Model, Training};
use crate::intent::watch::{Notice, Warning, Watch};

/// What a training came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round {
    pub version: Version,
    /// Each kind's cross-validated quality on the earlier rows; empty for classes.
    pub compared: Vec<Compared>,
    /// Rows or conversations that were passed over because nobody says what came of them.
    #[serde(default)]
    pub unlabelled: usize,
}

/// How a model does on rows with known outcomes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    pub version: u32,
    pub model: String,
    pub quality: Quality,
    pub calibration: Vec<Bin>,
    /// Population stability index of each column against the training rows, largest first.
    pub drift: Vec<(String, f64)>,
    /// What deserves a look.
    pub warnings: Vec<Notice<Warning>>,
}

/// Conversations below which a drift, and outcomes below which a calibration error, is chance as
/// often as not: with ten bins, 200 outcomes of a perfect model have an error of about 0.06.
const MIN_SESSIONS: usize = 100;
const MIN_OUTCOMES: usize = 200;

/// Compares conversations with what a model learned from: their features with those of training,
/// its probabilities with what came of them. Pure.
///
/// # Errors
/// When the model can't compute.
pub fn watch(
    config: &IntentConfig,
    version: &Version,
    model: &Model,
    tracks: &[Track],
    now_ms: u64,
) -> anyhow::Result<Watch> {
    let later: Vec<Track> = tracks
        .iter()
        .filter(|track| version.to_ms.is_none_or(|to_ms| track.at_ms() > to_ms))
        .cloned()
        .collect();
    let columns: Vec<Column> = model.columns().cloned().collect();
    let none = Vectors::default();
    let mut watch = Watch {
        at_ms: now_ms,
        version: version.version,
        sessions: later.len(),
        ..Watch::default()
    };
    if later.len() >= MIN_SESSIONS {
        // Training rows are conversations at all moments; these are, too.
        watch.drift = drift(model, &Data::at_all_moments(&later, Some(&columns)).table);
        watch.warnings.extend(drifted(config, &watch.drift));
    }
    let known: Vec<Track> = later.into_iter().filter(|track| track.converted.is_some()).collect();
    watch.outcomes = known.len();
    if !known.is_empty() {
        let table = Table::of_tracks(&known, None, Some(&columns));
        let probabilities = model.predict(&table, &none)?;
        let quality = Quality::of(&probabilities, &table.labels);
        watch.calibration = reliability(&probabilities, &table.labels);
        watch.quality = Some(quality);
        if known.len() >= MIN_OUTCOMES {
            watch.warnings.extend(miscalibrated(config, &quality));
        }
    }
    Ok(watch)
}

fn drift(model: &Model, table: &Table) -> Vec<(String, f64)> {
    let shifts = model.encoder().shifts(table).into_iter();
    let mut drift: Vec<(String, f64)> =
        shifts.map(|(column, (before, now))| (column, psi(&before, &now))).collect();
    drift.sort_by(|a, b| b.1.total_cmp(&a.1));
    drift
}

fn drifted(config: &IntentConfig, drift: &[(String, f64)]) -> Option<Notice<Warning>> {
    let above = config.drift;
    // They come with the largest first.
    let columns = drift.iter().take_while(|(_, index)| *index > above).count();
    let worst = drift.iter().take(columns.min(3)).cloned().collect();
    (columns > 0).then(|| Warning::Drifted { columns, of: drift.len(), above, worst }.into())
}

fn miscalibrated(config: &IntentConfig, quality: &Quality) -> Option<Notice<Warning>> {
    let above = config.calibration;
    (quality.ece > above).then(|| Warning::Miscalibrated { ece: quality.ece, above }.into())
}

/// Trains a purchase model and keeps it as a version. It isn't deployed.
///
/// # Errors
/// When there are too few rows, or the version can't be written.
pub fn train_purchase(
    registry: &Registry,
    config: &IntentConfig,
    data: &Data,
    vectors: &Vectors,
    now_ms: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Round> {
    let (earlier, later) = data.split_in_time(config.later_share);
    let training = Training {
        table: &earlier.table,
        vectors,
        groups: earlier.groups.as_deref(),
        seed: 1,
        keep_all: false,
    };
    let trained = train::train(training, progress)?;
    let later = later.ends();
    let model = trained
        .models
        .into_iter()
        .next()
        .ok_or(RegistryError::NothingDeployed { head: "purchase" })?;
    let quality = Quality::of(&model.predict(&later.table, vectors)?, &later.table.labels);
    // A deployed model that can't be read is no rival; the error is told where it is used.
    let rival = registry.deployed::<Model>().ok();
    let rival = match &rival {
        Some((version, model)) => {
            let quality = Quality::of(&model.predict(&later.table, vectors)?, &later.table.labels);
            Some((version.version, quality))
        }
        None => None,
    };
    let moments = data.table.at_ms.as_deref().unwrap_or_default();
    let version = Version {
        version: 0,
        model: model.kind.name().to_owned(),
        trained_at_ms: now_ms,
        rows: earlier.ends().table.len(),
        later_rows: later.table.len(),
        from_ms: moments.iter().min().copied(),
        to_ms: moments.iter().max().copied(),
        learned_to_ms: earlier.table.at_ms.as_deref().unwrap_or_default().iter().max().copied(),
        metrics: numbers(&quality),
        deployed_metrics: rival.as_ref().map(|(_, quality)| numbers(quality)),
        objection: blind(&model).or_else(|| {
            objection(
                &quality,
                rival.as_ref().map(|(version, quality)| (*version, quality)),
                config.calibration,
            )
        }),
        sha256: String::new(),
        bytes: 0,
    };
    Ok(Round {
        version: registry.add(&model, version)?,
        compared: trained.compared,
        unlabelled: data.unlabelled,
    })
}

/// Why a model can't serve conversations, if it can't: each lacks what it learned from, so that it
/// would say the same of everybody.
fn blind(model: &Model) -> Option<String> {
    let foreign: Vec<&str> = model
        .columns()
        .map(|column| column.name.as_str())
        .filter(|name| !Track::has(name))
        .collect();
    let more = foreign
        .len()
        .checked_sub(3)
        .filter(|more| *more > 0)
        .map(|more| format!(" and {more} more"));
    let named = foreign.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    (!foreign.is_empty()).then(|| {
        format!(
            "no conversation has the columns {named}{} that it learned from, so it could tell visitors apart poorly or not at all; leave them out (--drop), or \
             compare models on such a table with `frontdesk eval purchase`",
            more.unwrap_or_default()
        )
    })
}

/// Trains classes and keeps them as a version. They aren't deployed.
///
/// # Errors
/// When there are fewer than two classes, or the version can't be written.
pub fn train_classes(
    registry: &Registry,
    config: &IntentConfig,
    examples: &[Example],
    vectors: &[Vec<f32>],
    called: &[(Example, Vec<f32>)],
    now_ms: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> anyhow::Result<Round> {
    // Every class has its later examples: files of labelled texts are ordered by class as often as
    // by time.
    let mut seen: HashMap<&str, (usize, usize)> = HashMap::new();
    for example in examples {
        seen.entry(&example.intent).or_default().0 += 1;
    }
    let is_later: Vec<bool> = examples
        .iter()
        .map(|example| {
            let count = seen.entry(&example.intent).or_default();
            count.1 += 1;
            #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
            let place = count.1 as f32 / count.0 as f32;
            count.0 > 1 && place > 1.0 - config.later_share
        })
        .collect();
    let part = |later: bool| -> (Vec<Example>, Vec<Vec<f32>>) {
        let rows = (0..examples.len()).filter(|row| is_later[*row] == later);
        rows.map(|row| (examples[row].clone(), vectors[row].clone())).unzip()
    };
    let ((earlier, earlier_vectors), (later, later_vectors)) = (part(false), part(true));
    let classes = Classes::fit(&earlier, &earlier_vectors, called, 1, progress)?;
    let metrics = measure_classes(&classes, &later, &later_vectors)?;
    let rival = registry.deployed::<Classes>().ok();
    let rival = match &rival {
        Some((version, classes)) => {
            Some((version.version, measure_classes(classes, &later, &later_vectors)?))
        }
        None => None,
    };
    let accuracy = |metrics: &HashMap<String, f64>| metrics.get("accuracy").copied().unwrap_or(0.0);
    let objection = rival.as_ref().filter(|(_, rival)| accuracy(rival) > accuracy(&metrics)).map(|(version, rival)| {
        format!(
            "on the same later examples its accuracy is {:.3}, and that of version {version}, which is deployed, {:.3}",
            accuracy(&metrics),
            accuracy(rival)
        )
    });
    let version = Version {
        version: 0,
        model: "linear".into(),
        trained_at_ms: now_ms,
        rows: earlier.len(),
        later_rows: later.len(),
        from_ms: None,
        to_ms: None,
        learned_to_ms: None,
        metrics,
        deployed_metrics: rival.map(|(_, rival)| rival),
        objection,
        sha256: String::new(),
        bytes: 0,
    };
    Ok(Round { version: registry.add(&classes, version)?, compared: Vec::new(), unlabelled: 0 })
}

fn measure_classes(
    classes: &Classes,
    examples: &[Example],
    vectors: &[Vec<f32>],
) -> anyhow::Result<HashMap<String, f64>> {
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
    let guesses = classes.guess(&texts, &vectors)?;
    let (known, foreign): (Vec<usize>, Vec<usize>) =
        (0..examples.len()).partition(|row| !is_out_of_scope(&examples[*row].intent));
    let pick: Vec<_> = known.iter().map(|row| guesses[*row]).collect();
    let intents: Vec<&str> = known.iter().map(|row| examples[*row].intent.as_str()).collect();
    let quality = classes.quality(&pick, &intents);
    let mut metrics = HashMap::from([
        ("accuracy".to_owned(), quality.accuracy),
        ("macro_f1".to_owned(), quality.macro_f1),
        ("ece".to_owned(), quality.ece),
    ]);
    if !foreign.is_empty() && !known.is_empty() {
        let scores: Vec<f32> = guesses.iter().map(|guess| guess.familiar).collect();
        let labels: Vec<bool> =
            examples.iter().map(|example| !is_out_of_scope(&example.intent)).collect();
        metrics.insert("oos_auroc".to_owned(), auroc(&scores, &labels));
    }
    Ok(metrics)
}

/// Measures a version on rows with known outcomes, and looks for drift and lost calibration.
///
/// # Errors
/// When the model can't compute.
pub fn evaluate(
    config: &IntentConfig,
    version: &Version,
    model: &Model,
    data: &Data,
    vectors: &Vectors,
) -> anyhow::Result<Evaluation> {
    let drift = drift(model, &data.table);
    let mut warnings: Vec<Notice<Warning>> = drifted(config, &drift).into_iter().collect();
    if data.unlabelled > 0 {
        warnings.push(Warning::Unlabelled { rows: data.unlabelled }.into());
    }
    let data = data.ends();
    let until_ms = version.learned_until_ms();
    let early = data.table.at_ms.iter().flatten().filter(|at_ms| **at_ms <= until_ms).count();
    if early > 0 {
        warnings.push(Warning::NotLater { rows: early, of: data.table.len() }.into());
    }
    let probabilities = model.predict(&data.table, vectors)?;
    let quality = Quality::of(&probabilities, &data.table.labels);
    warnings.extend(miscalibrated(config, &quality));
    Ok(Evaluation {
        version: version.version,
        model: version.model.clone(),
        calibration: reliability(&probabilities, &data.table.labels),
        quality,
        drift,
        warnings,
    })
}

/// A version's metrics by name.
fn numbers(quality: &Quality) -> HashMap<String, f64> {
    [
        ("auroc", quality.auroc),
        ("auprc", quality.auprc),
        ("brier", quality.brier),
        ("ece", quality.ece),
        ("log_loss", quality.log_loss),
        ("accuracy", quality.accuracy),
        ("macro_f1", quality.macro_f1),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::topics::Topic;
    use crate::signals::{Outcome, Signal};

    /// Conversations that began at `from_ms` and after, of which those with a price question come
    /// to a purchase with the probability `bought`, the others rarely; `words` to a message.
    fn tracks(count: u64, from_ms: u64, words: u32, bought: u64) -> Vec<Track> {
        (0..count)
            .map(|i| {
                let at_ms = from_ms + i;
                let price = i % 2 == 0;
                let message = |n: u64| Signal::Message {
                    chars: words * 5,
                    words: words + u32::try_from((i * 7 + n) % 5).unwrap(),
                    question: (i + n).is_multiple_of(3),
                    sentiment: 0.0,
                    language: None,
                };
                let mut records = vec![(at_ms, vec![message(0)]), (at_ms, vec![message(1)])];
                if price {
                    records[0].1.push(Signal::Topic { topic: Topic::Price });
                }
                // A Weyl sequence: spread evenly, and in step with nothing.
                let luck = i * 618 % 1000;
                let converted = luck < if price { bought } else { 100 };
                let outcome = Outcome { order: i.to_string(), converted, ..Outcome::default() };
                records.push((at_ms, vec![Signal::Outcome(outcome)]));
                Track::of_log(records)
            })
            .collect()
    }

    #[test]
    fn a_deployed_model_is_watched_on_what_came_after_its_training() {
        let directory = tempfile::tempdir().unwrap();
        let registry =
            Registry::new(directory.path(), "shop", crate::intent::registry::Head::Purchase);
        let config = IntentConfig::default();
        let learned = tracks(400, 1_000, 8, 800);
        let data = Data::of_tracks(&learned, None);
        let round =
            train_purchase(&registry, &config, &data, &Vectors::default(), 1, &mut |_, _| {})
                .unwrap();
        assert_eq!(round.version.objection, None);
        assert_eq!((round.version.from_ms, round.version.to_ms), (Some(1_000), Some(1_399)));
        let model: Model = registry.load(round.version.version).unwrap();
        let look = |tracks: &[Track]| watch(&config, &round.version, &model, tracks, 9).unwrap();

        let own = look(&learned);
        assert_eq!((own.sessions, own.outcomes), (0, 0), "what it learned from tells nothing");
        let alike = look(&tracks(400, 2_000, 8, 800));
        assert_eq!((alike.sessions, alike.outcomes), (400, 400));
        assert_eq!(alike.warnings, []);
        assert!(alike.quality.unwrap().auroc > 0.7);
        // Visitors write three times as much, and don't buy any more.
        let changed = look(&tracks(400, 2_000, 24, 150)).warnings;
        assert!(
            changed[0].text.contains("columns drifted since training")
                && changed[0].text.contains("most of all words"),
            "{changed:?}"
        );
        assert_eq!(
            changed
                .iter()
                .filter(|warning| matches!(warning.what, Warning::Drifted { .. }))
                .count(),
            1,
            "{changed:?}"
        );
        assert!(changed.iter().any(|warning| warning.text.contains("off by")), "{changed:?}");
        let few = look(&tracks(50, 2_000, 24, 150));
        assert_eq!(few.warnings, [], "fifty conversations can be chance");
    }

    #[test]
    fn reasons_tell_what_was_seen() {
        let directory = tempfile::tempdir().unwrap();
        let registry =
            Registry::new(directory.path(), "shop", crate::intent::registry::Head::Purchase);
        let learned = tracks(400, 1_000, 8, 800);
        let data = Data::of_tracks(&learned, None);
        let round = train_purchase(
            &registry,
            &IntentConfig::default(),
            &data,
            &Vectors::default(),
            1,
            &mut |_, _| {},
        )
        .unwrap();
        let model: Model = registry.load(round.version.version).unwrap();
        let deployed = crate::intent::registry::Deployed { version: round.version, model };
        let check = |track: &Track, expected: &str| {
            let intent = deployed.intent(track, None).unwrap();
            let state = track.state(None);
            let asks = intent.reasons.iter().find(|reason| reason.signal == "asks price").unwrap();
            assert_eq!((asks.count, asks.value.as_deref()), (0, Some(expected)));
            for reason in &intent.reasons {
                let value = state
                    .row()
                    .into_iter()
                    .find(|(name, _)| name.replace('_', " ") == reason.signal)
                    .unwrap()
                    .1;
                match value {
                    crate::features::Value::Number(number) => {
                        let told: f32 = reason.value.as_deref().unwrap().parse().unwrap();
                        assert!((told - number).abs() < 0.01, "{reason:?} is {number}");
                    }
                    value => {
                        assert_eq!(
                            (value, reason.value.as_deref()),
                            (crate::features::Value::Missing, Some("unknown"))
                        )
                    }
                }
            }
        };
        check(&learned[0], "1");
        // Nobody asked, and nothing says so.
        check(&learned[1], "0");
    }

    #[test]
    fn a_model_that_is_blind_to_conversations_is_refused_and_an_export_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let registry =
            Registry::new(directory.path(), "shop", crate::intent::registry::Head::Purchase);
        let config = IntentConfig::default();
        let train = |data: &Data| {
            train_purchase(&registry, &config, data, &Vectors::default(), 1, &mut |_, _| {})
                .unwrap()
        };
        let csv = |text: &[u8], label: &str, like: Option<&[Column]>| {
            crate::training::parse(text, false, label, &[], like).unwrap()
        };
        // What visits of a shop's pages tell, and conversations don't.
        let visits: String = (0..400)
            .map(|i| format!("{},{},{}\n", i % 7, i % 3, u8::from((i % 7 > 3) != (i % 11 == 0))))
            .collect();
        let visits =
            train(&csv(format!("PageValues,Month,Revenue\n{visits}").as_bytes(), "Revenue", None));
        let objection = visits.version.objection.unwrap();
        assert!(
            objection.starts_with(
                "no conversation has the columns PageValues, Month that it learned from"
            ),
            "{objection}"
        );
        let refused = registry.deploy(visits.version.version, false).unwrap_err().to_string();
        assert!(refused.contains("PageValues"), "{refused}");

        // The features that were exported: what came of it is in no column, and rows without an
        // outcome are passed over.
        let mut tracks = tracks(400, 1_000, 8, 800);
        let learned = train(&Data::of_tracks(&tracks, None));
        for track in &mut tracks[..9] {
            track.records.pop();
        }
        let states: Vec<_> =
            tracks.iter().enumerate().map(|(i, track)| (i.to_string(), track.outline())).collect();
        let mut file = Vec::new();
        crate::export::write_csv(
            &crate::export::feature_columns("shop", &states, false),
            &mut file,
        )
        .unwrap();
        let exported = csv(&file, "converted", None);
        assert_eq!((exported.table.len(), exported.unlabelled), (391, 9));
        assert!(
            exported.table.columns.iter().all(|column| Track::has(&column.name)),
            "{:?}",
            exported.table.columns
        );
        let round = train(&exported);
        assert_eq!(round.unlabelled, 9);
        // The other version learned from the same, so the reason may be that it is no better; it
        // isn't that it is blind.
        assert!(!round.version.objection.unwrap_or_default().contains("columns"));
        assert!(round.version.metrics["auroc"] < 0.95, "{:?}", round.version.metrics);
        // A model of the store's conversations is measured on them; what the file lacks is missing.
        let model: Model = registry.load(learned.version.version).unwrap();
        let columns: Vec<Column> = model.columns().cloned().collect();
        let data = csv(&file, "converted", Some(&columns));
        let evaluation =
            evaluate(&config, &learned.version, &model, &data, &Vectors::default()).unwrap();
        assert_eq!(evaluation.quality.rows, 391);
        assert!(
            evaluation
                .warnings
                .iter()
                .any(|warning| warning.text.starts_with("9 rows without a label")),
            "{:?}",
            evaluation.warnings
        );
    }
}
