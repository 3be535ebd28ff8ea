//! `frontdesk gaps`: questions without an answer, from the running server or from its store.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use reqwest::Method;
use serde::Deserialize;

use super::remote::Remote;
use crate::config::Config;
use crate::gaps::{Gap, Gaps, State};
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk gaps                       open gaps, the most asked first
  frontdesk gaps --state closed --json | jq '.[].answered_by.document'
  frontdesk gaps dismiss 4f2a91c07be31d55
  frontdesk gaps reopen 4f2a91c07be31d55

A gap closes by itself when a document answers it; that is asked after each change of the knowledge.")]
pub struct GapsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// The site; the first one by default.
    #[arg(long, global = true)]
    site: Option<String>,
    /// Which gaps to list.
    #[arg(long, value_enum, default_value = "open")]
    state: Wanted,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say that a gap needs no answer.
    Dismiss { id: String },
    /// Open a dismissed or closed gap again.
    Reopen { id: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wanted {
    Open,
    Closed,
    Dismissed,
    All,
}

impl Wanted {
    fn state(self) -> Option<State> {
        match self {
            Self::Open => Some(State::Open),
            Self::Closed => Some(State::Closed),
            Self::Dismissed => Some(State::Dismissed),
            Self::All => None,
        }
    }
}

/// Where the gaps are.
enum Source {
    Remote(Remote),
    Store(Store, Gaps),
}

pub(super) async fn run(config: &Config, args: GapsArgs) -> anyhow::Result<ExitCode> {
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let source = match Store::open(&config.store) {
        Ok(store) => Source::Store(store.clone(), Gaps::open(store, config.gaps.clone()).await?),
        Err(StoreError::InUse { .. }) => Source::Remote(Remote::of(config)?),
        Err(error) => return Err(error.into()),
    };
    let code = match args.action {
        None => list(&source, &site.id, args.state.state(), args.json).await,
        Some(Action::Dismiss { id }) => set(&source, &site.id, &id, State::Dismissed, args.json).await,
        Some(Action::Reopen { id }) => set(&source, &site.id, &id, State::Open, args.json).await,
    };
    if let Source::Store(store, _) = source {
        store.close().await?;
    }
    code
}

async fn list(source: &Source, site: &str, state: Option<State>, json: bool) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Answer {
        gaps: Vec<Gap>,
    }
    let gaps = match source {
        Source::Store(_, gaps) => gaps.list(site, state).await?,
        Source::Remote(remote) => {
            let state = state.and_then(|state| serde_json::to_value(state).ok());
            let state = state.and_then(|state| Some(format!("&state={}", state.as_str()?))).unwrap_or_default();
            remote.json::<Answer>(Method::GET, &format!("/v1/sites/{site}/gaps?limit=1000{state}")).await?.gaps
        }
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&gaps)?);
        return Ok(ExitCode::SUCCESS);
    }
    if gaps.is_empty() {
        let which = match state {
            Some(State::Open) => "open gaps: every question asked so far is answered or dismissed",
            Some(State::Closed) => "gaps that a document answered",
            Some(State::Dismissed) => "dismissed gaps",
            None => "gaps, neither open nor closed nor dismissed",
        };
        println!("Site {site:?} has no {which}.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(["id", "asked", "question", "answered by"]);
    for gap in gaps {
        let by = gap.answered_by.map(|by| by.document).unwrap_or_default();
        table.add_row([gap.id, gap.count.to_string(), gap.question, by]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

async fn set(source: &Source, site: &str, id: &str, state: State, json: bool) -> anyhow::Result<ExitCode> {
    let gap = match source {
        Source::Store(_, gaps) => gaps.set_state(site, id, state).await?,
        Source::Remote(remote) => {
            let verb = if state == State::Open { "reopen" } else { "dismiss" };
            Some(remote.json::<Gap>(Method::POST, &format!("/v1/sites/{site}/gaps/{id}/{verb}")).await?)
        }
    };
    let gap =
        gap.with_context(|| format!("no knowledge gap {id:?} is known; `frontdesk gaps --state all` lists them"))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&gap)?);
    } else {
        println!("{} is now {}: {}", gap.id, if state == State::Open { "open" } else { "dismissed" }, gap.question);
    }
    Ok(ExitCode::SUCCESS)
}
