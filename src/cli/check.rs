//! `frontdesk check`: configuration, prompts, models and knowledge without serving; with `--model`,
//! whether the model may phrase.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use crate::agents::oidc::{IssuerFacts, Oidc};
use crate::cli::show::{self, counted};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::console::OIDC_CALLBACK;
use crate::llm::Llm;
use crate::qualify::{self, BAR, Qualification, Record, Tested};
use crate::retrieval::embedder::Embedder;
use crate::retrieval::reranker::Reranker;
use crate::server;
use crate::telemetry::Metrics;
use crate::turn::Mode;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk check
  frontdesk check --model                    may the model phrase answers on this knowledge?
  frontdesk check --model --json | jq '.sites[].result.measured'

--model asks the model questions that are made of the knowledge itself, lets its answers through the gate and measures what
stands. The result is kept beside the store with the model's SHA-256; answers.mode = \"auto\" goes by it from the next start on.
It needs the index for itself: stop the server first, unless knowledge.url names a Qdrant server.
Exit code 1: the model doesn't qualify.")]
pub struct CheckArgs {
    /// Test whether the model may phrase answers.
    #[arg(long)]
    model: bool,
    /// Questions asked about each site; fewer where the knowledge gives fewer.
    #[arg(long, default_value_t = 40, requires = "model")]
    questions: usize,
    /// Test on this site alone.
    #[arg(long, requires = "model")]
    site: Option<String>,
    /// Print the result as JSON, with one record for each question.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, args: CheckArgs) -> anyhow::Result<ExitCode> {
    if args.model { model(config, args).await } else { parts(config, args.json).await }
}

async fn parts(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let warnings = config.warnings();
    for warning in &warnings {
        eprintln!("frontdesk: {warning}");
    }
    let oidc = issuer(config).await?;
    let prompts = crate::prompt::Prompts::load(&config.answers.prompts)?;
    let samples = prompts.samples()?;
    let retrieval = server::open_retrieval(config, &Metrics::new()).await?;
    let passages = retrieval.index.count(None).await?;
    let languages = retrieval.embedder.languages_read().await?;
    let reranker = server::open_reranker(config)?;
    let llm = Llm::start(&config.llm)?;
    let facts = llm.facts();
    let answers = qualify::decision(config, &retrieval.index, facts, &prompts.revision()?).await?;
    if json {
        let prompts: std::collections::BTreeMap<_, _> = samples.into_iter().collect();
        let result = serde_json::json!({ "model": facts, "embedder": retrieval.embedder.facts(), "multilingual": retrieval.multilingual.as_ref().map(Embedder::facts), "reranker": reranker.as_ref().map(Reranker::facts), "languages_read": languages, "passages": passages, "answers": answers, "warnings": warnings, "oidc": oidc, "prompts": prompts });
        println!("{}", serde_json::to_string_pretty(&result)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("configuration  ok, {}", counted(config.sites.len() as u64, "site"));
    println!(
        "model          {} ({}, {} of context)",
        facts.name, facts.quantisation, facts.context_tokens
    );
    println!(
        "embedder       {}, reads {}",
        retrieval.embedder.facts().model.name,
        languages.join(", ")
    );
    let multilingual =
        retrieval.multilingual.as_ref().map(|model| model.facts().model.name.as_str());
    println!("multilingual   {}", multilingual.unwrap_or("none"));
    println!(
        "reranker       {}",
        reranker.as_ref().map_or("none", |reranker| &reranker.facts().model.name)
    );
    println!("index          {passages} passages");
    if let Some(IssuerFacts { issuer, redirect_uri, keys, .. }) = oidc {
        let keys = counted(keys as u64, "key");
        println!("sign-in        {issuer} ({keys}); it must know the redirect URI {redirect_uri}");
    }
    println!(
        "answers        {}: {}",
        if answers.mode == Mode::Generate { "generated" } else { "quoted" },
        answers.why
    );
    for (name, text) in samples {
        println!("\n--- prompts/{name}\n{text}");
    }
    Ok(if passages == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Asks the issuer of `[oidc]` what it is, if there is one.
async fn issuer(config: &Config) -> anyhow::Result<Option<IssuerFacts>> {
    let port = config.server.bind.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let origins = &config.server.public_origins;
    let back = config.oidc.redirect_uri(origins, port.unwrap_or_default(), OIDC_CALLBACK);
    let Some(oidc) = Oidc::new(&config.oidc, back, Clock::system())? else { return Ok(None) };
    Ok(Some(oidc.look().await.context("signing in at the issuer of [oidc]")?))
}

async fn model(config: &Config, args: CheckArgs) -> anyhow::Result<ExitCode> {
    let metrics = Metrics::new();
    let retrieval = server::open_retrieval(config, &metrics).await?;
    let llm = Llm::start(&config.llm).context("the language model")?;
    let spine = server::spine(config, retrieval, llm, Mode::Generate, Clock::system(), metrics)?;
    let sites: Vec<_> = match &args.site {
        Some(id) => vec![config.site(id).with_context(|| format!("no site {id:?} is configured"))?],
        None => config.sites.iter().collect(),
    };
    let bar = show::progress("");
    let mut results: Vec<(Qualification, Vec<Record>)> = Vec::new();
    for site in sites {
        spine.catalogue.refresh(&spine.retrieval.index, &site.id).await?;
        let what = format!("Testing the model on {}", site.id);
        let show = |done: usize, all: usize| show::step(&bar, &what, done, all);
        let tested =
            Tested { id: site.id.clone(), facts: site.facts(), language: site.language.clone() };
        let result = qualify::run(&spine, &tested, args.questions, &show).await?;
        qualify::keep(&qualify::file(config), result.0.clone())?;
        results.push(result);
    }
    bar.finish_and_clear();
    let prompts = spine.prompts.revision()?;
    let answers =
        qualify::decision(config, &spine.retrieval.index, spine.llm.facts(), &prompts).await?;
    let qualifies = results.iter().all(|(result, _)| result.missed.is_empty());
    if args.json {
        let sites: Vec<_> = results
            .iter()
            .map(|(result, records)| serde_json::json!({ "result": result, "records": records }))
            .collect();
        let report = serde_json::json!({ "bar": BAR, "qualifies": qualifies, "answers": answers, "sites": sites });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for (result, _) in &results {
            print(result);
        }
        println!(
            "answers.mode = {:?}: answers are {}: {}",
            config.answers.mode,
            if answers.mode == Mode::Generate { "generated" } else { "quoted" },
            answers.why
        );
    }
    spine.llm.shutdown();
    spine.llm.drained().await;
    Ok(if qualifies { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(result: &Qualification) {
    let Qualification { site, model, measured, missed, .. } = result;
    let mut table = Table::new();
    let heading = format!(
        "{model} on {site}, {} questions, {} sentences",
        measured.questions, measured.sentences
    );
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header([
        heading.as_str(),
        "measured",
        "bar",
    ]);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let right = measured.right_document.map_or_else(|| "none".to_owned(), percent);
    for (what, value, bar) in [
        (
            "sentences withheld",
            percent(measured.withheld),
            format!("at most {}", percent(BAR.withheld)),
        ),
        (
            "sentences with invented facts",
            percent(measured.invented),
            format!("at most {}", percent(BAR.invented)),
        ),
        (
            "answers without a sentence that stands",
            percent(measured.empty),
            format!("at most {}", percent(BAR.empty)),
        ),
        ("right document cited", right, format!("at least {}", percent(BAR.right_document))),
        (
            "half of the answers within",
            format!("{:.1} s", measured.seconds),
            format!("at most {:.0} s", BAR.seconds),
        ),
        ("tokens a second", format!("{:.0}", measured.tokens_per_second), String::new()),
    ] {
        table.add_row([what, &value, &bar]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    if missed.is_empty() {
        println!("{model} qualifies on site {site:?}.");
    } else {
        println!("{model} doesn't qualify on site {site:?}: {}.", missed.join("; "));
    }
}
