//! `frontdesk intent`: train, evaluate, deploy and explain the models of what visitors want.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::remote::Remote;
use crate::cli::show;
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::SessionKey;
use crate::insight::book::Book;
use crate::insight::scorer;
use crate::intent::classes::Classes;
use crate::intent::columns::Vectors;
use crate::intent::data::Data;
use crate::intent::registry::{Head, Registry, Version};
use crate::intent::round::{self, Evaluation, Round};
use crate::intent::table::{Column, Track, Value};
use crate::intent::train::{Model, Moved};
use crate::intent::watch::Watch;
use crate::intent::{Intent, labels};
use crate::signals::touched::Touched;
use crate::site::patience;
use crate::store::{Store, StoreError};
use crate::training;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk intent train --deploy               from this site's conversations and what came of them
  frontdesk intent train features.csv --deploy  from `frontdesk signals export features.csv --features`
  frontdesk intent train --head classes --deploy
  frontdesk intent eval november.csv            with drift and calibration
  frontdesk intent explain --session We6xXZPr…
  frontdesk intent watch
  frontdesk intent list
  frontdesk intent rollback

Each subcommand's --help has more. A running server takes a newly deployed model in use within seconds;
no session is dropped. Exit codes: 0 done, 1 failed or refused, 2 wrong usage.")]
pub struct IntentArgs {
    #[command(subcommand)]
    what: What,
    /// The site whose models these are; the first one by default.
    #[arg(long, global = true)]
    site: Option<String>,
    /// What the model tells.
    #[arg(long, global = true, value_enum, default_value = "purchase")]
    head: Head,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Train on the earlier rows, evaluate on the later ones, compare with the deployed model, and
    /// keep the result as a version.
    #[command(after_help = "Examples:
  frontdesk intent train --deploy
  frontdesk intent train conversations.jsonl --label converted
  frontdesk intent train visits.csv --label Revenue --drop PageValues
  frontdesk intent train --head classes utterances.jsonl --deploy

A version that does worse than the deployed one on the later rows is kept, and with --deploy refused with exit code 1.")]
    Train {
        #[command(flatten)]
        rows: Rows,
        /// Deploy it if it earns its place.
        #[arg(long)]
        deploy: bool,
    },
    /// Measure the deployed model on rows with known outcomes, and look for drift.
    #[command(after_help = "Examples:
  frontdesk intent eval
  frontdesk intent eval november.csv --json
  frontdesk intent eval november.csv --version 2")]
    Eval {
        #[command(flatten)]
        rows: Rows,
        /// Another version than the deployed one.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Make a version the deployed one.
    #[command(after_help = "Examples:
  frontdesk intent deploy 3
  frontdesk intent deploy 3 --force

Exit code 1 where the version is refused, with the reason.")]
    Deploy {
        /// Its number, as `frontdesk intent list` shows it.
        version: u32,
        /// Also if it did worse than the deployed one.
        #[arg(long)]
        force: bool,
    },
    /// Deploy again what was deployed before.
    Rollback,
    /// Say how the deployed model does on conversations since its training: drift and calibration.
    Watch,
    /// Say what a message is about, or take that back: an example for the next training of the
    /// classes.
    #[command(after_help = "Examples:
  frontdesk intent label We6xXZPr… 2 refund
  frontdesk intent label We6xXZPr… 2 \"\"")]
    Label {
        // Ids begin with any letter of URL-safe base64, a hyphen too.
        /// Id of the conversation.
        #[arg(allow_hyphen_values = true)]
        session: String,
        /// The message's `seq` in its session.
        seq: u64,
        /// Name of the class; empty takes the label back.
        intent: String,
    },
    /// Show the versions.
    List,
    /// Say what moved the prediction of a row, or of a conversation of the site.
    #[command(after_help = "Examples:
  frontdesk intent explain november.csv --row 17
  frontdesk intent explain --session We6xXZPr…             after each of the visitor's messages
  frontdesk intent explain --session We6xXZPr… --turns 2   as it stood after the second")]
    Explain {
        #[command(flatten)]
        rows: Rows,
        /// A conversation of the site by its id, after each of the visitor's messages.
        #[arg(long, conflicts_with_all = ["data", "row"], allow_hyphen_values = true)]
        session: Option<String>,
        /// Which row or conversation of the file, counted from 1.
        #[arg(long, default_value_t = 1)]
        row: usize,
        /// A conversation as it stood after so many messages of the visitor.
        #[arg(long)]
        turns: Option<usize>,
    },
}

#[derive(Debug, Args)]
struct Rows {
    /// CSV with any columns, or conversations as .jsonl; labelled texts (text, intent) for classes.
    /// Without it, the site's own conversations with their reported outcomes, or what agents said
    /// that messages are about.
    data: Option<PathBuf>,
    /// The column that says whether it came to a purchase.
    #[arg(long, default_value = "converted")]
    label: String,
    /// Columns to leave out.
    #[arg(long)]
    drop: Vec<String>,
}

pub(super) async fn run(config: &Config, args: IntentArgs) -> anyhow::Result<ExitCode> {
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let registry = Registry::new(&config.intent.models, &site.id, args.head);
    let json = args.json;
    match args.what {
        What::Train { rows, deploy } => {
            train(config, &site.id, &registry, args.head, &rows, deploy, json).await
        }
        What::Eval { rows, version } => {
            ensure!(args.head == Head::Purchase, "measure classes with `frontdesk eval intents`");
            let bar = show::progress("");
            let show = |what: &str, done: usize, of: usize| show::step(&bar, what, done, of);
            let store = match &rows.data {
                Some(_) => None,
                None => match Source::of(config)? {
                    Source::Store(store) => Some(store),
                    Source::Remote(remote) => {
                        let which = version
                            .map_or_else(String::new, |version| format!("?version={version}"));
                        let path = format!("/v1/sites/{}/intent/purchase/eval{which}", site.id);
                        return show_evaluation(&remote.json(Method::POST, &path).await?, json);
                    }
                },
            };
            let (version, model) = purchase(&registry, version)?;
            let columns: Vec<Column> = model.columns().cloned().collect();
            let data = match (&rows.data, store) {
                (Some(path), _) => training::read(path, &rows.label, &[], Some(&columns))?,
                (None, Some(store)) => own(config, &site.id, &store, &version, &columns).await?,
                (None, None) => bail!("there are no rows to measure on"),
            };
            let vectors = training::vectors(&config.embedder, &[&data.table], &show).await?;
            let evaluation = round::evaluate(&config.intent, &version, &model, &data, &vectors)?;
            bar.finish_and_clear();
            show_evaluation(&evaluation, json)
        }
        What::Deploy { version, force } => {
            deployed(&registry.deploy(version, force)?, args.head, json)
        }
        What::Rollback => deployed(&registry.roll_back()?, args.head, json),
        What::List => list(&registry, json),
        What::Watch => watch(config, &site.id, &registry, json).await,
        What::Label { session, seq, intent } => {
            label(config, &site.id, session, seq, &intent).await
        }
        What::Explain { session: Some(session), turns, .. } => {
            ensure!(
                args.head == Head::Purchase,
                "what messages are about is in the console, and in `intent label`"
            );
            explain_session(config, &site.id, &registry, session, turns, json).await
        }
        What::Explain { rows, session: None, row, turns } => match args.head {
            Head::Purchase => explain(config, &registry, &rows, row, turns, json).await,
            Head::Classes => explain_class(config, &registry, &rows, row, json).await,
        },
    }
}

/// What the store has of a site.
enum Source {
    Remote(Remote),
    Store(Store),
}

impl Source {
    fn of(config: &Config) -> anyhow::Result<Self> {
        match Store::open(&config.store) {
            Ok(store) => Ok(Self::Store(store)),
            Err(StoreError::InUse { .. }) => Ok(Self::Remote(Remote::of(config)?)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The sessions of a store, with what silence tells.
fn book(config: &Config, store: &Store) -> Book {
    Book::new(store.clone(), Touched::default()).patient(patience(&config.sites), Clock::system())
}

/// The site's own conversations with an outcome that a version did not learn from, the oldest
/// first.
async fn own(
    config: &Config,
    site: &str,
    store: &Store,
    version: &Version,
    like: &[Column],
) -> anyhow::Result<Data> {
    let data = training::unseen(&book(config, store), site, version, like).await;
    store.close().await?;
    data
}

async fn watch(
    config: &Config,
    site: &str,
    registry: &Registry,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let watch: Watch = match Source::of(config)? {
        Source::Remote(remote) => {
            remote
                .json(Method::GET, &format!("/v1/sites/{site}/intent/purchase/watch?now=true"))
                .await?
        }
        Source::Store(store) => {
            let (version, model) = purchase(registry, None)?;
            let tracks = book(config, &store).tracks(site, scorer::WATCHED).await;
            store.close().await?;
            let tracks: Vec<Track> = tracks?.into_iter().map(|(_, track)| track).collect();
            round::watch(&config.intent, &version, &model, &tracks, Clock::system().now_ms())?
        }
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&watch)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "Version {} on {} conversations since its training, {} of them with an outcome",
        watch.version, watch.sessions, watch.outcomes
    );
    if let Some(quality) = &watch.quality {
        let row = [quality.auroc, quality.auprc, quality.brier, quality.ece, quality.log_loss]
            .map(share)
            .to_vec();
        println!("{}", show::table(&["AUROC", "AUPRC", "Brier", "ECE", "log loss"], vec![row]));
    }
    if !watch.drift.is_empty() {
        let drift =
            watch.drift.iter().take(10).map(|(column, index)| vec![column.clone(), share(*index)]);
        println!("{}", show::table(&["column", "stability index"], drift));
    }
    for warning in &watch.warnings {
        println!("warning: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn label(
    config: &Config,
    site: &str,
    session: String,
    seq: u64,
    intent: &str,
) -> anyhow::Result<ExitCode> {
    match Source::of(config)? {
        Source::Remote(remote) => {
            let body = json!({ "seq": seq, "intent": intent });
            remote
                .done(Method::POST, &format!("/v1/sites/{site}/sessions/{session}/label"), body)
                .await?;
        }
        Source::Store(store) => {
            let key = SessionKey { site: site.to_owned(), id: session };
            let noted =
                labels::put(&store, &key, seq, intent, "admin", Clock::system().now_ms()).await;
            store.close().await?;
            noted?;
        }
    }
    println!("noted");
    Ok(ExitCode::SUCCESS)
}

/// Trains on what the store has: here, or in the running server, which has it open.
async fn train_on_own(
    config: &Config,
    site: &str,
    registry: &Registry,
    head: Head,
    bar: &ProgressBar,
) -> anyhow::Result<Round> {
    #[derive(Deserialize)]
    struct Answer {
        round: Round,
    }
    let store = match Source::of(config)? {
        Source::Remote(remote) => {
            show::step(bar, "The running server trains", 0, 0);
            let path = format!("/v1/sites/{site}/intent/{}/train", head.name());
            return Ok(remote.json::<Answer>(Method::POST, &path).await?.round);
        }
        Source::Store(store) => store,
    };
    let now_ms = Clock::system().now_ms();
    let mut step = |done: usize, of: usize| show::step(bar, "Training", done, of);
    let round = async {
        match head {
            Head::Purchase => {
                let data = training::stored(&book(config, &store), site, None).await?;
                tokio::task::block_in_place(|| {
                    let none = Vectors::default();
                    round::train_purchase(registry, &config.intent, &data, &none, now_ms, &mut step)
                })
            }
            Head::Classes => {
                let examples = labels::examples(&store, site).await?;
                let embedder = crate::retrieval::embedder::Embedder::load(&config.embedder)?;
                let show = |what: &str, done: usize, of: usize| show::step(bar, what, done, of);
                let (vectors, called) = training::lessons(&embedder, &examples, &show).await?;
                tokio::task::block_in_place(|| {
                    round::train_classes(
                        registry,
                        &config.intent,
                        &examples,
                        &vectors,
                        &called,
                        now_ms,
                        &mut step,
                    )
                })
            }
        }
    };
    let round = round.await;
    store.close().await?;
    round
}

async fn train(
    config: &Config,
    site: &str,
    registry: &Registry,
    head: Head,
    rows: &Rows,
    deploy: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let bar = show::progress("");
    let show = |what: &str, done: usize, of: usize| show::step(&bar, what, done, of);
    let now_ms = Clock::system().now_ms();
    let mut step = |done: usize, of: usize| show::step(&bar, "Training", done, of);
    let round = match (head, &rows.data) {
        (_, None) => train_on_own(config, site, registry, head, &bar).await?,
        (Head::Purchase, Some(path)) => {
            let data = training::read(path, &rows.label, &rows.drop, None)?;
            let vectors = training::vectors(&config.embedder, &[&data.table], &show).await?;
            tokio::task::block_in_place(|| {
                round::train_purchase(registry, &config.intent, &data, &vectors, now_ms, &mut step)
            })?
        }
        (Head::Classes, Some(path)) => {
            let examples = training::examples(path)?;
            let embedder = crate::retrieval::embedder::Embedder::load(&config.embedder)?;
            let (vectors, called) = training::lessons(&embedder, &examples, &show).await?;
            tokio::task::block_in_place(|| {
                round::train_classes(
                    registry,
                    &config.intent,
                    &examples,
                    &vectors,
                    &called,
                    now_ms,
                    &mut step,
                )
            })?
        }
    };
    bar.finish_and_clear();
    let verdict = deploy.then(|| registry.deploy(round.version.version, false));
    let refused =
        verdict.as_ref().and_then(|verdict| verdict.as_ref().err()).map(ToString::to_string);
    if json {
        let deployed = verdict.as_ref().is_some_and(Result::is_ok);
        println!(
            "{}",
            serde_json::to_string_pretty(
                &json!({ "round": round, "deployed": deployed, "refused": refused })
            )?
        );
    } else {
        show_round(&round);
        match (&verdict, &round.version.objection) {
            (Some(Ok(version)), _) => println!("Version {} is deployed.", version.version),
            (None, None) => {
                println!("It earns its place: `frontdesk intent deploy {}`", round.version.version)
            }
            (None, Some(objection)) => println!("It doesn't earn its place: {objection}."),
            (Some(Err(_)), _) => {}
        }
    }
    match verdict {
        Some(Err(error)) if !json => Err(error.into()),
        Some(Err(_)) => Ok(ExitCode::FAILURE),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn show_round(round: &Round) {
    if !round.compared.is_empty() {
        let rows = round.compared.iter().map(|compared| {
            let quality = &compared.quality;
            let mut row = vec![compared.kind.name().to_owned()];
            row.extend(
                [quality.log_loss, quality.auroc, quality.auprc, quality.brier, quality.ece]
                    .map(share),
            );
            row.push(format!("{:.1}", compared.train_s));
            row
        });
        let header = ["cross-validated", "log loss", "AUROC", "AUPRC", "Brier", "ECE", "train s"];
        println!("{}", show::table(&header, rows));
    }
    if round.unlabelled > 0 {
        println!("{} rows without an outcome were passed over.", round.unlabelled);
    }
    let version = &round.version;
    println!(
        "Version {}: {}, trained on {} rows, measured on {} later ones: {}",
        version.version,
        version.model,
        version.rows,
        version.later_rows,
        metrics(version)
    );
}

/// First and last day of the rows; nothing for rows without time.
fn range(version: &Version) -> String {
    let (Some(from), Some(to)) = (version.from_ms, version.to_ms) else { return String::new() };
    let day = |ms: u64| {
        let (year, month, day) = crate::llm::template::civil_from_days(ms / 86_400_000);
        format!("{year}-{month:02}-{day:02}")
    };
    format!("{}, {}", day(from), day(to))
}

fn metrics(version: &Version) -> String {
    let mut names: Vec<_> = version.metrics.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    names
        .into_iter()
        .map(|(name, value)| format!("{name} {value:.3}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn show_evaluation(evaluation: &Evaluation, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(evaluation)?);
        return Ok(ExitCode::SUCCESS);
    }
    let quality = &evaluation.quality;
    let mut row = vec![format!("version {} ({})", evaluation.version, evaluation.model)];
    row.extend(
        [quality.auroc, quality.auprc, quality.brier, quality.ece, quality.log_loss].map(share),
    );
    println!("{}", show::table(&["", "AUROC", "AUPRC", "Brier", "ECE", "log loss"], vec![row]));
    let bins = evaluation.calibration.iter().map(|bin| {
        let bar = "█".repeat(bar_length(bin.observed));
        vec![share(bin.predicted), share(bin.observed), bin.rows.to_string(), bar]
    });
    println!("{}", show::table(&["predicted", "observed", "rows", ""], bins));
    let drift =
        evaluation.drift.iter().take(10).map(|(column, index)| vec![column.clone(), share(*index)]);
    println!("{}", show::table(&["column", "stability index"], drift));
    for warning in &evaluation.warnings {
        println!("warning: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 30 characters")]
fn bar_length(share: f64) -> usize {
    (share.clamp(0.0, 1.0) * 30.0).round() as usize
}

fn purchase(registry: &Registry, version: Option<u32>) -> anyhow::Result<(Version, Model)> {
    let Some(version) = version else { return Ok(registry.deployed()?) };
    let model = registry.load(version)?;
    let manifest = registry.manifest()?;
    let known = manifest.version(version).context("the manifest changed meanwhile")?;
    Ok((known.clone(), model))
}

fn deployed(version: &Version, head: Head, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(version)?);
    } else {
        println!(
            "Version {} of the {} model is deployed: {}",
            version.version,
            head.name(),
            metrics(version)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn list(registry: &Registry, json: bool) -> anyhow::Result<ExitCode> {
    let manifest = registry.manifest()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&manifest)?);
        return Ok(ExitCode::SUCCESS);
    }
    if manifest.versions.is_empty() {
        println!("No model was trained yet; see `frontdesk intent train --help`.");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = manifest.versions.iter().map(|version| {
        let state = match &version.objection {
            _ if manifest.deployed == Some(version.version) => "deployed",
            _ if manifest.before.contains(&version.version) => "was deployed",
            Some(_) => "refused",
            None => "",
        };
        vec![
            version.version.to_string(),
            version.model.clone(),
            version.rows.to_string(),
            range(version),
            metrics(version),
            version.sha256.chars().take(12).collect(),
            state.to_owned(),
        ]
    });
    println!(
        "{}",
        show::table(
            &["version", "model", "rows", "data from, to", "on later rows", "SHA-256", ""],
            rows
        )
    );
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
struct Explanation {
    version: u32,
    probability: f32,
    reasons: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    #[serde(flatten)]
    moved: Moved,
    value: String,
}

async fn explain(
    config: &Config,
    registry: &Registry,
    rows: &Rows,
    row: usize,
    turns: Option<usize>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let (version, model) = purchase(registry, None)?;
    let columns: Vec<Column> = model.columns().cloned().collect();
    let path = rows
        .data
        .as_deref()
        .context("name a file, or a conversation of the site with --session")?;
    let (table, outcomes) = read_moment(path, &rows.label, turns, &columns)?;
    ensure!(
        row >= 1 && row <= table.len(),
        "--row is {row}; {} has rows 1 to {}",
        path.display(),
        table.len()
    );
    let one = table.select(&[row - 1]);
    let vectors = training::vectors(&config.embedder, &[&one], &|_, _, _| {}).await?;
    let probability = model.predict(&one, &vectors)?.first().copied().unwrap_or_default();
    let value = |name: &str| -> String {
        let at = one.columns.iter().position(|column| column.name == name);
        at.and_then(|at| one.rows.first()?.get(at)).map_or_else(String::new, show_value)
    };
    let reasons: Vec<Reason> = model
        .explain(&one, &vectors)?
        .into_iter()
        .filter(|moved| moved.log_odds.abs() > 0.001)
        .map(|moved| Reason { value: value(&moved.column), moved })
        .collect();
    let explanation = Explanation { version: version.version, probability, reasons };
    if json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = match outcomes.get(row - 1).copied().flatten() {
        Some(true) => "it came to a purchase",
        Some(false) => "it came to no purchase",
        None => "what came of it is unknown",
    };
    println!("Version {} says {:.1}%; {outcome}.", version.version, probability * 100.0);
    let rows = explanation.reasons.iter().take(12).map(|reason| {
        vec![
            reason.moved.column.clone(),
            reason.value.clone(),
            format!("{:+.2}", reason.moved.log_odds),
        ]
    });
    println!("{}", show::table(&["column", "value", "log-odds"], rows));
    Ok(ExitCode::SUCCESS)
}

/// The intent of a stored conversation after each of the visitor's messages, or after one: by the
/// running server, or here.
async fn explain_session(
    config: &Config,
    site: &str,
    registry: &Registry,
    session: String,
    turns: Option<usize>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize, Serialize)]
    struct Moments {
        moments: Vec<Moment>,
    }
    #[derive(Deserialize, Serialize)]
    struct Moment {
        turns: usize,
        intent: Intent,
    }
    let found = match Source::of(config)? {
        Source::Remote(remote) => {
            let which = turns.map_or_else(String::new, |turns| format!("?turns={turns}"));
            remote
                .json::<Moments>(
                    Method::GET,
                    &format!("/v1/sites/{site}/sessions/{session}/intent{which}"),
                )
                .await?
        }
        Source::Store(store) => {
            let key = SessionKey { site: site.to_owned(), id: session };
            let known = store.session(&key.site, &key.id).await;
            let track = book(config, &store).track(&key).await;
            store.close().await?;
            ensure!(
                known?.is_some(),
                "no conversation {:?} is known here; it may have been erased",
                key.id
            );
            let track = track?;
            let deployed = match registry.manifest()?.deployed {
                Some(version) => Some(registry.version::<Model>(version)?),
                None => None,
            };
            let moments =
                turns.map_or_else(|| (1..=track.messages()).collect(), |turns| vec![turns]);
            let at = |turns: usize| -> anyhow::Result<Moment> {
                let intent = match &deployed {
                    Some(deployed) => deployed.intent(&track, Some(turns))?,
                    None => crate::intent::score(track.until(Some(turns))),
                };
                Ok(Moment { turns, intent })
            };
            Moments { moments: moments.into_iter().map(at).collect::<anyhow::Result<_>>()? }
        }
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    if found.moments.is_empty() {
        println!("The visitor has written nothing.");
    }
    for Moment { turns, intent } in &found.moments {
        let by = intent
            .version
            .map_or_else(|| crate::intent::SUM.to_owned(), |version| format!("version {version}"));
        println!("After message {turns}: {:.1}% ({by})", intent.score * 100.0);
        let rows = intent.reasons.iter().map(|reason| {
            let times =
                || if reason.count > 0 { format!("×{}", reason.count) } else { String::new() };
            let value = reason.value.clone().unwrap_or_else(times);
            vec![reason.signal.clone().into_owned(), value, format!("{:+.2}", reason.weight)]
        });
        println!("{}", show::table(&["signal", "value", "log-odds"], rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows, or conversations as they stood at a moment, and what came of each.
fn read_moment(
    path: &Path,
    label: &str,
    turns: Option<usize>,
    columns: &[Column],
) -> anyhow::Result<(crate::intent::table::Table, Vec<Option<bool>>)> {
    use crate::intent::table::Table;
    let file =
        std::fs::File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    let named = || format!("reading {}", path.display());
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let tracks =
            training::recorded(std::io::BufReader::new(file), label).with_context(named)?;
        return Ok((
            Table::of_tracks(&tracks, turns, Some(columns)),
            tracks.iter().map(|track| track.converted).collect(),
        ));
    }
    let (table, labelled) = Table::csv(file, label, Some(columns)).with_context(named)?;
    let outcomes =
        table.labels.iter().zip(labelled).map(|(label, known)| known.then_some(*label)).collect();
    Ok((table, outcomes))
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Missing => "missing".into(),
        Value::Number(number) => number.to_string(),
        Value::Category(name) => name.clone(),
        Value::Text(text) => {
            let short: String =
                text.lines().next_back().unwrap_or_default().chars().take(40).collect();
            format!("… {short}")
        }
        Value::Vector(_) => "its meaning".into(),
    }
}

async fn explain_class(
    config: &Config,
    registry: &Registry,
    rows: &Rows,
    row: usize,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let (version, classes) = registry.deployed::<Classes>()?;
    let path = rows.data.as_deref().context("name a file of labelled texts")?;
    let examples = training::examples(path)?;
    let count = examples.len();
    let example = row.checked_sub(1).and_then(|row| examples.get(row));
    let example = example
        .with_context(|| format!("--row is {row}; {} has rows 1 to {count}", path.display()))?;
    let embedder = crate::retrieval::embedder::Embedder::load(&config.embedder)?;
    let vector = embedder.embed_query(example.text.clone()).await?;
    let guesses = classes.guess(&[&example.text], &[&vector])?;
    let guess = guesses.first().context("no guess")?;
    let name = classes.names.get(guess.class).cloned().unwrap_or_default();
    if json {
        let found = json!({ "version": version.version, "class": name, "guess": guess, "threshold": classes.threshold });
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else if guess.in_scope {
        println!("{name}, {:.1}% (version {})", guess.probability * 100.0, version.version);
    } else {
        println!(
            "none of the classes: familiar {:.2}, below {:.2}; nearest is {name} (version {})",
            guess.familiar, classes.threshold, version.version
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}
