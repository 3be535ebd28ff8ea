//! `frontdesk models`: the models that are known by name: list, fetch, use, check.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::show;
use crate::config::Config;
use crate::llm::gguf;
use crate::models::hub::Hub;
use crate::models::{self, Machine, Model, Role};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk models list                        what there is, and what suits this machine
  frontdesk models pull qwen3-4b               fetch it; run it again to go on after a cut
  frontdesk models use qwen3-4b                set it in config.toml
  frontdesk models check                       hash and read every model that is here

HF_TOKEN, HF_ENDPOINT and the usual proxy variables are honoured. A changed embedder needs the index made anew.")]
pub struct ModelsArgs {
    #[command(subcommand)]
    what: What,
    /// The folder that models lie in.
    #[arg(long, global = true, default_value = "models")]
    folder: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The known models, which of them are here, and which suit this machine.
    List,
    /// Fetch one from the Hugging Face hub.
    Pull { name: String },
    /// Set one in the configuration file; it counts from the next start on.
    Use { name: String },
    /// Read the models that are here and hold them against their SHA-256.
    Check { name: Option<String> },
}

/// A model as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    model: Model,
    memory_mib: u64,
    is_here: bool,
    is_in_use: bool,
    fits: bool,
    is_recommended: bool,
}

pub(super) async fn run(
    config: &Config,
    file: &Path,
    args: &ModelsArgs,
) -> anyhow::Result<ExitCode> {
    let models = models::catalogue()?;
    let of_name = |name: &str| {
        let found = models.iter().find(|model| model.name == name);
        found.with_context(|| {
            format!("no model is called {name:?}; `frontdesk models list` names them")
        })
    };
    match &args.what {
        What::List => list(config, &models, args),
        What::Pull { name } => pull(of_name(name)?, args).await,
        What::Use { name } => set(of_name(name)?, file, args),
        What::Check { name: None } => check(&models.iter().collect::<Vec<_>>(), args),
        What::Check { name: Some(name) } => check(&[of_name(name)?], args),
    }
}

fn list(config: &Config, models: &[Model], args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let machine = machine();
    let listed: Vec<Listed> = models
        .iter()
        .map(|model| Listed {
            memory_mib: model.memory_mib(),
            is_here: args.folder.join(&model.file).exists(),
            is_in_use: in_use(config, model.role).ends_with(&model.file),
            fits: model.fits(machine),
            is_recommended: models::recommended(models, model.role, machine) == Some(model),
            model: model.clone(),
        })
        .collect();
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "machine": machine, "models": listed })
            )?
        );
        return Ok(ExitCode::SUCCESS);
    }
    let yes = |yes: bool, text: &str| if yes { text.to_owned() } else { String::new() };
    let rows = listed.iter().map(|listed| {
        let Listed { model, memory_mib, .. } = listed;
        vec![
            model.name.clone(),
            model.role.name().to_owned(),
            model.languages.join(" ").replace('*', "many"),
            model.licence.clone(),
            memory_mib.to_string(),
            yes(listed.is_here, if listed.is_in_use { "in use" } else { "here" }),
            yes(listed.is_recommended, "yes"),
            model.measured.clone().unwrap_or_else(|| "not tried here".to_owned()),
        ]
    });
    let header =
        ["model", "role", "languages", "licence", "about MiB", "is", "recommended", "measured"];
    println!("{}", show::table(&header, rows));
    let memory =
        machine.memory_mib.map_or_else(|| "unknown".to_owned(), |memory| format!("{memory} MiB"));
    println!(
        "Recommended for this machine: {} core(s), memory {memory}, no GPU reckoned with.",
        machine.cores
    );
    Ok(ExitCode::SUCCESS)
}

async fn pull(model: &Model, args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let target = args.folder.join(&model.file);
    let Some(source) = &model.hub else {
        bail!(
            "{} is made by scripts/models, of the Python packages {}",
            model.name,
            model.packages.join(" and ")
        );
    };
    if target.exists() {
        println!("{} is here already: {}", model.name, target.display());
        return Ok(ExitCode::SUCCESS);
    }
    let bar = ProgressBar::no_length().with_message(model.name.clone());
    let template = "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let sum =
        Hub::from_environment()?.pull(source, model.sha256.as_deref(), &target, &progress).await?;
    bar.finish_and_clear();
    let facts = gguf::check(&target, &[])?;
    println!(
        "{}  {} bytes  sha256 {sum}  {}",
        target.display(),
        facts.size_bytes,
        facts.architecture
    );
    println!("Licence: {}. Set it with: frontdesk models use {}", model.licence, model.name);
    Ok(ExitCode::SUCCESS)
}

fn set(model: &Model, file: &Path, args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let path = args.folder.join(&model.file);
    gguf::check(&path, &[])
        .with_context(|| format!("{} isn't here; fetch it first", model.name))?;
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let path = if path.is_absolute() { path } else { std::path::absolute(path)? };
    // Paths in the file count from its folder.
    let base = std::path::absolute(file)?.parent().map(Path::to_owned).unwrap_or_default();
    let shown = path.strip_prefix(&base).unwrap_or(&path).to_string_lossy().into_owned();
    let changed = models::with_option(&text, model.role, &shown);
    Config::parse(&changed, []).context("the changed configuration; nothing was written")?;
    let beside = file.with_extension("toml.new");
    std::fs::write(&beside, changed).with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("replacing {}", file.display()))?;
    let (section, key) = model.role.option();
    println!("{}: {section}.{key} = {shown:?}; it counts from the next start on", file.display());
    if model.role == Role::Embedder {
        println!(
            "Vectors of another embedder don't compare: move the index aside and run `frontdesk ingest`."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Exit code 1 if one that is here isn't what it should be.
fn check(models: &[&Model], args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    let mut sound = true;
    for model in models {
        let path = args.folder.join(&model.file);
        if !path.exists() {
            rows.push(vec![model.name.clone(), "not here".to_owned(), String::new()]);
            continue;
        }
        let state = match (gguf::check(&path, &[]), gguf::sha256(&path)) {
            (Err(error), _) => Err((error.to_string(), String::new())),
            (_, Err(error)) => Err((error.to_string(), String::new())),
            (Ok(_), Ok(sum)) if model.sha256.as_ref().is_some_and(|wanted| *wanted != sum) => {
                Err(("another file than the one that was tried".to_owned(), sum))
            }
            (Ok(_), Ok(sum)) if model.sha256.is_some() => Ok(("sound".to_owned(), sum)),
            (Ok(_), Ok(sum)) => Ok(("a GGUF; its sum isn't listed".to_owned(), sum)),
        };
        sound &= state.is_ok();
        let (Ok((text, sum)) | Err((text, sum))) = state;
        rows.push(vec![model.name.clone(), text, sum]);
    }
    let report: Vec<_> = rows
        .iter()
        .map(|row| serde_json::json!({ "name": row[0], "state": row[1], "sha256": row[2] }))
        .collect();
    show::report(&report, args.json, &["model", "state", "sha256"], rows)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_use(config: &Config, role: Role) -> PathBuf {
    match role {
        Role::Chat => PathBuf::from(&config.llm.model),
        Role::Embedder => config.embedder.model.clone(),
        Role::Multilingual => config.knowledge.multilingual.clone(),
        Role::Reranker => config.knowledge.reranker.clone(),
    }
}

fn machine() -> Machine {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(total.split_whitespace().next()?.parse::<u64>().ok()? / 1_024)
    });
    Machine { cores, memory_mib: memory }
}
