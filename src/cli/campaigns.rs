//! `frontdesk campaigns advise`: what campaigns cost and bring, and the next week's split.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand, ValueEnum};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Serialize;

use super::show;
use crate::config::Config;
use crate::insight::book::{Book, MAX_SESSIONS};
use crate::insight::spend::came::Tally;
use crate::insight::spend::replay::{self, Replay};
use crate::insight::spend::table::{self, DateOrder, File, Options};
use crate::insight::spend::{self, Advice as Advised, Figure, Limits, Verdict};
use crate::retrieval::{ingest, money};
use crate::signals::touched::Touched;
use crate::store::{Store, StoreError};

#[derive(Debug, Subcommand)]
pub enum CampaignsCommand {
    /// What campaigns cost and bring, each figure with its 95% interval, and the next week's split.
    Advise(Advise),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk campaigns advise --spend november.csv
  frontdesk campaigns advise --spend google.csv --spend meta.csv --rename 'Brand | DE=brand'
  frontdesk campaigns advise --spend social.csv --floor 0.05 --json | jq .campaigns

Columns of spend: campaign, date, amount, currency; exports of Google Ads, Meta, Microsoft Advertising and LinkedIn are read
as they come, by day. A campaign is the utm_campaign of its links, else use --rename. Its day counts once, however many files
have it. Conversations are those from a campaign's first day with spend to the table's last; orders are what was reported of
them. Stop the server first.")]
pub struct Advise {
    /// CSV files of spend.
    #[arg(long, required = true)]
    spend: Vec<PathBuf>,
    /// The site; the first one by default.
    #[arg(long)]
    site: Option<String>,
    /// The least share of a campaign.
    #[arg(long, default_value_t = 0.1)]
    floor: f64,
    /// The most that a share moves in a week.
    #[arg(long, default_value_t = 0.2)]
    step: f64,
    /// The spend's currency (ISO 4217), where the files name none.
    #[arg(long)]
    currency: Option<String>,
    /// The sign that parts the cents, where no amount of a file shows it: . or ,
    #[arg(long, value_parser = [".", ","])]
    decimal: Option<String>,
    /// How dates such as 3/4/2026 are written, where no date of a file shows it.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// A platform's name of a campaign and the utm_campaign of its links: NAME=UTM. Again for
    /// others.
    #[arg(long, value_name = "NAME=UTM")]
    rename: Vec<String>,
    /// Files with other columns are of other advertising accounts: add up what they spent on a
    /// campaign of one name.
    #[arg(long)]
    add_up: bool,
    /// Which random numbers: the same seed and figures give the same advice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dates {
    DayFirst,
    MonthFirst,
}

impl Advise {
    fn options(&self) -> anyhow::Result<Options> {
        let currency = self.currency.as_deref().map(|code| {
            money::code(code).with_context(|| format!("--currency {code:?} is no code such as EUR"))
        });
        let renamed = self.rename.iter().map(|pair| {
            // Names of platforms may hold "=", those of links hardly do.
            let (name, utm) = pair
                .rsplit_once('=')
                .with_context(|| format!("--rename {pair:?} is no NAME=UTM"))?;
            Ok((name.trim().to_owned(), utm.trim().to_owned()))
        });
        Ok(Options {
            currency: currency.transpose()?,
            decimal: self.decimal.as_ref().and_then(|sign| sign.chars().next()),
            dates: self.dates.map(|dates| match dates {
                Dates::DayFirst => DateOrder::DayFirst,
                Dates::MonthFirst => DateOrder::MonthFirst,
            }),
            renamed: renamed.collect::<anyhow::Result<_>>()?,
            add_up: self.add_up,
        })
    }
}

pub(super) async fn run(config: &Config, command: CampaignsCommand) -> anyhow::Result<ExitCode> {
    let CampaignsCommand::Advise(args) = command;
    let share = |value: f64| (0.0..=1.0).contains(&value);
    ensure!(share(args.floor) && share(args.step), "--floor and --step are shares from 0 to 1");
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("can't read {name}"))?;
        let text = ingest::text_of(&bytes).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        Ok(File { name, text })
    };
    let files = args.spend.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let table::Spend { rows, notes } = table::read(&files, &args.options()?)?;
    for note in notes {
        eprintln!("{note}");
    }
    let store = Store::open(&config.store).map_err(|error| match error {
        StoreError::InUse { .. } => anyhow::anyhow!("{error}; stop the server first"),
        error => error.into(),
    })?;
    let entries = Book::new(store.clone(), Touched::default()).read(&site.id).await?;
    store.close().await?;
    let calendar = site.calendar.calendar()?;
    let oldest = entries.first().map(|entry| calendar.day(entry.state.started_at_ms));
    if entries.len() >= MAX_SESSIONS && oldest > rows.iter().map(|row| row.first).min() {
        eprintln!(
            "only the newest {MAX_SESSIONS} conversations are read; give spend of fewer weeks"
        );
    }
    let states: Vec<_> = entries.iter().map(|entry| &entry.state).collect();
    let tally = Tally::of(states.iter().copied(), &calendar, &rows, None);
    let limits = Limits { floor: args.floor, step: args.step };
    let mut random = StdRng::seed_from_u64(args.seed);
    let advice = spend::advise(&rows, &tally.came, limits, &mut random);
    let replay = replay::replay(&states, &calendar, &rows, limits, &mut random);
    for note in tally.notes(&advice.currency) {
        eprintln!("{note}");
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Answer { advice, replay })?);
        return Ok(ExitCode::SUCCESS);
    }
    let figure = |figure: Option<Figure>| match figure {
        Some(Figure { value, low, high }) => format!("{value:.2} [{low:.2} to {high:.2}]"),
        None => "too few".into(),
    };
    let count = |count: Option<usize>| {
        count.map_or_else(|| "under 5".to_owned(), |count| count.to_string())
    };
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let row = |campaign: &spend::Campaign| {
        vec![
            campaign.name.clone(),
            format!("{:.2}", campaign.spent),
            count(campaign.conversations),
            count(campaign.orders),
            figure(campaign.cost_per_conversation),
            figure(campaign.cost_per_order),
            figure(campaign.back),
            percent(campaign.best),
            format!("{} → {}", percent(campaign.share_now), percent(campaign.share_next)),
        ]
    };
    println!("{} to {}, in {}", advice.from, advice.to, advice.currency);
    let header = [
        "",
        "spent",
        "conversations",
        "orders",
        "a conversation",
        "an order",
        "back per unit",
        "best",
        "split",
    ];
    println!("{}", show::table(&header, advice.campaigns.iter().map(row)));
    println!("{}", said(&advice.verdict));
    if let Some(replay) = replay {
        println!("{}", looked_back(&replay, &advice.currency));
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    advice: Advised,
    /// None where the past is too short or spend isn't told by day.
    replay: Option<Replay>,
}

/// The replay in words.
fn looked_back(replay: &Replay, currency: &str) -> String {
    let Replay { weeks, moved, brought, more: Figure { value, low, high } } = replay;
    if *moved == 0 {
        return format!("In none of the last {weeks} weeks would this advice have moved money.");
    }
    format!(
        "Followed over the last {weeks} weeks, it would have moved money in {moved} and brought {value:+.0} {currency} \
         [{low:+.0} to {high:+.0}] beside the {brought:.0} that came, if added money brings as much as that spent did."
    )
}

/// The verdict in words.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Best { campaign } => format!("{campaign} brings the most back: at least 95% sure."),
        Verdict::CannotTell { weeks: Some(1) } => {
            "Which one is best can't be told yet; about one more week would tell.".into()
        }
        Verdict::CannotTell { weeks: Some(weeks) } => {
            format!("Which one is best can't be told yet; about {weeks} more weeks at this pace would tell.")
        }
        Verdict::CannotTell { weeks: None } => {
            "Which one is best can't be told, nor within a year at this pace: they bring about the same.".into()
        }
        Verdict::TooFew => "Nothing can be told: no campaign has five orders yet. The split stays as it is.".into(),
        Verdict::Alone => "There is one campaign only; nothing to compare it with.".into(),
    }
}
