//! `frontdesk campaigns advise`: what campaigns cost and bring, and the next week's split.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::show;
use crate::calendar::Calendar;
use crate::config::Config;
use crate::insight::book::Book;
use crate::insight::report;
use crate::insight::spend::{self, Came, Figure, Limits, Row, Verdict};
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
  frontdesk campaigns advise --spend search.csv --spend social.csv --floor 0.05 --json | jq .campaigns

Columns of spend: campaign (the utm_campaign of its links), date, amount, currency. A campaign's day counts once, however
many files have it: the last row holds. Conversations and orders are those of the days with spend; orders are what was
reported of conversations that came by the campaign's links. Stop the server first.")]
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
    /// Which random numbers: the same seed and figures give the same advice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, command: CampaignsCommand) -> anyhow::Result<ExitCode> {
    let CampaignsCommand::Advise(args) = command;
    let share = |value: f64| (0.0..=1.0).contains(&value);
    ensure!(share(args.floor) && share(args.step), "--floor and --step are shares from 0 to 1");
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("can't read {}", path.display()));
    let files = args.spend.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let rows = spend::read(&files)?;
    let store = Store::open(&config.store).map_err(|error| match error {
        StoreError::InUse { .. } => anyhow::anyhow!("{error}; stop the server first"),
        error => error.into(),
    })?;
    let came = came(&Book::new(store.clone(), Touched::default()), &site.id, &site.calendar.calendar()?, &rows).await?;
    store.close().await?;
    let limits = Limits { floor: args.floor, step: args.step };
    let advice = spend::advise(&rows, &came, limits, &mut StdRng::seed_from_u64(args.seed));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&advice)?);
        return Ok(ExitCode::SUCCESS);
    }
    let figure = |figure: Option<Figure>| match figure {
        Some(Figure { value, low, high }) => format!("{value:.2} [{low:.2} to {high:.2}]"),
        None => "too few".into(),
    };
    let count = |count: Option<usize>| count.map_or_else(|| "under 5".to_owned(), |count| count.to_string());
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
    let header =
        ["", "spent", "conversations", "orders", "a conversation", "an order", "back per unit", "best", "split"];
    println!("{}", show::table(&header, advice.campaigns.iter().map(row)));
    println!("{}", said(&advice.verdict));
    Ok(ExitCode::SUCCESS)
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

/// What came of conversations that began on a day with spend, by campaign. An order counts once, for
/// the first conversation that it was reported of.
async fn came(book: &Book, site: &str, calendar: &Calendar, rows: &[Row]) -> anyhow::Result<BTreeMap<String, Came>> {
    let spent: HashSet<(&str, i64)> = rows.iter().map(|row| (row.campaign.as_str(), row.day)).collect();
    let currency = rows.first().map(|row| row.currency.as_str()).unwrap_or_default();
    let mut came: BTreeMap<String, Came> = BTreeMap::new();
    let (mut counted, mut foreign) = (HashSet::new(), 0);
    for entry in book.read(site).await? {
        let campaign = report::campaign(&entry);
        if !spent.contains(&(campaign, calendar.day(entry.state.started_at_ms))) {
            continue;
        }
        let of = came.entry(campaign.to_owned()).or_default();
        of.conversations += 1;
        for (_, outcome) in entry.state.outcomes.iter().filter(|(_, outcome)| outcome.converted) {
            if outcome.amount > 0.0 && !outcome.currency.eq_ignore_ascii_case(currency) {
                foreign += 1;
            } else if counted.insert(outcome.order.clone()) {
                of.orders.push(outcome.amount);
            }
        }
    }
    if foreign > 0 {
        eprintln!("{foreign} orders in another currency than {currency} are left out");
    }
    Ok(came)
}
