//! `frontdesk gaps`: questions without an answer, from the running server or from its store.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::remote::Remote;
use crate::clock::Clock;
use crate::config::Config;
use crate::gaps::draft::{self, Source as Said};
use crate::gaps::kept::Draft;
use crate::gaps::trial::Trial;
use crate::gaps::{Gap, Gaps, State};
use crate::server;
use crate::site::Site;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk gaps                       open gaps, the most asked first
  frontdesk gaps --state closed --json | jq '.[].answered_by.document'
  frontdesk gaps dismiss 4f2a91c07be31d55
  frontdesk gaps reopen 4f2a91c07be31d55
  frontdesk gaps draft 4f2a91c07be31d55 --out gas.md     the missing article, out of what agents answered
  frontdesk gaps draft 4f2a91c07be31d55 --try            and how many of its questions it would answer
  frontdesk gaps publish 4f2a91c07be31d55 --text gas.md

A draft has the agents' own sentences, each with its conversation, agent and date; what is one customer's is left out, and
replies that differ are marked. Read it before you publish it. A gap closes by itself when a document answers it; that is asked after each change of the knowledge.")]
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
    /// Draft the missing article from what agents answered in the conversations that asked it.
    Draft {
        id: String,
        /// Write it as Markdown to this file, with its sources as front matter.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Ask the gap's questions, and others that were answered lately, as if it stood; needs a
        /// running server.
        #[arg(long = "try")]
        trial: bool,
    },
    /// Publish a gap's draft for visitors; needs a running server.
    Publish {
        id: String,
        /// What you made of it: Markdown, its first line the title (`# …`). The draft as it is, if
        /// left out.
        #[arg(long)]
        text: Option<PathBuf>,
    },
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
        Some(Action::Dismiss { id }) => {
            set(&source, &site.id, &id, State::Dismissed, args.json).await
        }
        Some(Action::Reopen { id }) => set(&source, &site.id, &id, State::Open, args.json).await,
        Some(Action::Draft { id, out, trial }) => {
            draft(config, &source, site, &id, out.as_deref(), trial, args.json).await
        }
        Some(Action::Publish { id, text }) => {
            publish(&source, &site.id, &id, text.as_deref(), args.json).await
        }
    };
    if let Source::Store(store, _) = source {
        store.close().await?;
    }
    code
}

async fn list(
    source: &Source,
    site: &str,
    state: Option<State>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Answer {
        gaps: Vec<Gap>,
    }
    let gaps = match source {
        Source::Store(_, gaps) => gaps.list(site, state).await?,
        Source::Remote(remote) => {
            let state = state.and_then(|state| serde_json::to_value(state).ok());
            let state = state
                .and_then(|state| Some(format!("&state={}", state.as_str()?)))
                .unwrap_or_default();
            remote
                .json::<Answer>(Method::GET, &format!("/v1/sites/{site}/gaps?limit=1000{state}"))
                .await?
                .gaps
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
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "id",
        "asked",
        "question",
        "answered by",
    ]);
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

async fn set(
    source: &Source,
    site: &str,
    id: &str,
    state: State,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let gap = match source {
        Source::Store(_, gaps) => gaps.set_state(site, id, state).await?,
        Source::Remote(remote) => {
            let verb = if state == State::Open { "reopen" } else { "dismiss" };
            Some(
                remote
                    .json::<Gap>(Method::POST, &format!("/v1/sites/{site}/gaps/{id}/{verb}"))
                    .await?,
            )
        }
    };
    let gap = gap.with_context(|| {
        format!("no knowledge gap {id:?} is known; `frontdesk gaps --state all` lists them")
    })?;
    if json {
        println!("{}", serde_json::to_string_pretty(&gap)?);
    } else {
        println!(
            "{} is now {}: {}",
            gap.id,
            if state == State::Open { "open" } else { "dismissed" },
            gap.question
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn draft(
    config: &Config,
    source: &Source,
    site: &Site,
    id: &str,
    out: Option<&Path>,
    trial: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let unknown =
        || format!("no knowledge gap {id:?} is known; `frontdesk gaps --state all` lists them");
    let (draft, tried): (Draft, Option<Trial>) = match source {
        Source::Store(_, gaps) => {
            if trial {
                bail!(
                    "a draft is tried by the running server; start it (`frontdesk serve`), or leave --try out"
                );
            }
            let retrieval = server::open_retrieval(config, &Metrics::new()).await?;
            let (contact, now_ms) = (site.facts().contact, Clock::system().now_ms());
            let made =
                gaps.make_draft(&retrieval, &site.id, &site.language, &contact, id, now_ms).await;
            retrieval.index.close().await?;
            (made?.with_context(unknown)?, None)
        }
        Source::Remote(remote) => {
            let path = format!("/v1/sites/{}/drafts/{id}", site.id);
            let draft = remote.json(Method::POST, &path).await?;
            let tried = if trial {
                Some(
                    remote
                        .sending(Method::POST, &format!("{path}/trial"), &serde_json::json!({}))
                        .await?,
                )
            } else {
                None
            };
            (draft, tried)
        }
    };
    if let Some(path) = out {
        std::fs::write(path, markdown(&draft))
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({ "draft": draft, "trial": tried }))?
        );
        return Ok(ExitCode::SUCCESS);
    }
    if draft.sentences.is_empty() {
        let left_out = draft.left_out;
        println!(
            "Nobody has answered this in words that can be told to everybody ({} sentences with personal data and {} of one \
             customer's case were left out).",
            left_out.personal, left_out.case
        );
        return Ok(ExitCode::SUCCESS);
    }
    let title = if draft.title.is_empty() {
        "(no title: every question holds personal data)"
    } else {
        &draft.title
    };
    println!("{title}\n");
    for (at, sentence) in draft.sentences.iter().enumerate() {
        println!("{:>2}. {}", at + 1, sentence.text);
        for Said { session, seq, agent, at_ms } in &sentence.sources {
            println!("      {agent}, {}, conversation {session}, seq {seq}", day(*at_ms));
        }
    }
    for found in &draft.contradictions {
        let [first, second] = &found.says;
        println!(
            "\n{} and {} differ: {first:?} against {second:?}",
            found.first + 1,
            found.second + 1
        );
    }
    if let Some(tried) = tried {
        println!("\n{}", told(&tried));
    }
    Ok(ExitCode::SUCCESS)
}

/// What came of a trial, as a sentence or two.
fn told(trial: &Trial) -> String {
    let answers = match trial.count {
        Some(count) => format!("answers {} of {}", count.answered, count.asked),
        None if trial.all => "answers all of the few questions".to_owned(),
        None if trial.none => "answers none of the few questions".to_owned(),
        None => "answers some of the few questions".to_owned(),
    };
    format!(
        "{answers}; of {} other questions that have an answer, {} would get a worse one",
        trial.others, trial.worse
    )
}

/// A day of the calendar, in UTC.
fn day(at_ms: u64) -> String {
    let day = i64::try_from(at_ms / 86_400_000).unwrap_or(0);
    crate::calendar::iso(day)
}

/// A draft as an article with its sources as front matter.
fn markdown(draft: &Draft) -> String {
    let mut text = String::from("---\nsources:\n");
    for sentence in &draft.sentences {
        for Said { session, seq, agent, at_ms } in &sentence.sources {
            let (session, agent) = (serde_json::json!(session), serde_json::json!(agent));
            let _ = writeln!(
                text,
                "  - {{session: {session}, seq: {seq}, agent: {agent}, at: {}}}",
                day(*at_ms)
            );
        }
    }
    let _ = write!(text, "---\n# {}\n\n{}\n", draft.title, draft::text(&draft.sentences));
    text
}

async fn publish(
    source: &Source,
    site: &str,
    id: &str,
    text: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    #[derive(Serialize, Deserialize)]
    struct Answer {
        document: String,
    }
    let Source::Remote(remote) = source else {
        bail!("a draft is published by the running server; start it with `frontdesk serve`")
    };
    let body = match text {
        None => serde_json::json!({}),
        Some(path) => {
            let article = std::fs::read_to_string(path)
                .with_context(|| format!("can't read {}", path.display()))?;
            // What stands between lines of dashes at the beginning tells where it is from.
            let article = article
                .strip_prefix("---\n")
                .and_then(|rest| rest.split_once("\n---\n"))
                .map_or(article.as_str(), |(_, rest)| rest);
            let (title, text) = article.trim_start().split_once('\n').unwrap_or((article, ""));
            let title = title.strip_prefix("# ").with_context(|| {
                format!("the first line of {} is to be the title: \"# …\"", path.display())
            })?;
            serde_json::json!({ "title": title.trim(), "text": text.trim() })
        }
    };
    let answer: Answer = remote
        .sending(Method::POST, &format!("/v1/sites/{site}/drafts/{id}/publish"), &body)
        .await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!("published as {}; the gap closes once its question is answered", answer.document);
    }
    Ok(ExitCode::SUCCESS)
}
