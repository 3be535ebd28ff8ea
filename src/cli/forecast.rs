//! `frontdesk forecast`: what visitors will ask for and what runs out, from the running server or
//! its store; or a table of daily counts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::remote::Remote;
use super::show;
use crate::calendar::{self, Calendar};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::config::Config;
use crate::forecast::spread::{Kept, PERIODS};
use crate::forecast::{self, HORIZON, MIN_DAYS};
use crate::insight::book::{Book, MAX_SESSIONS};
use crate::insight::demand::{self, Day, Demand, Report, StockOut, Total};
use crate::insight::series::{self, Series};
use crate::signals::touched::Touched;
use crate::site::Site;
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk forecast                              what is asked about most, and what runs out
  frontdesk forecast --product HP-1011 --days 28
  frontdesk forecast --of topic:delivery --csv >delivery.csv
  frontdesk forecast --series sales.csv --value units --json | jq '.[0].totals'

Conversations are counted by the days of [sites.calendar]; today isn't over and is forecast. The bands hold 80% and 95% of
the days of the past that they were tried on; how many they held is part of --json. A table has the columns date and the
value, and optionally series and stock: days with a stock of 0 are left out.")]
pub struct ForecastArgs {
    /// The site; the first one by default.
    #[arg(long)]
    site: Option<String>,
    /// Only this: all, topic:…, class:… or product:….
    #[arg(long, conflicts_with = "product")]
    of: Option<String>,
    /// Only this product, by its id.
    #[arg(long)]
    product: Option<String>,
    /// Days ahead, 1 to 28.
    #[arg(long, default_value_t = 14)]
    days: usize,
    /// Forecast this table of daily counts instead of conversations.
    #[arg(long)]
    series: Option<PathBuf>,
    /// The table's column.
    #[arg(long, default_value = "orders", requires = "series")]
    value: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print one row a day as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// A line of a table's forecast.
#[derive(Debug, Serialize)]
struct Forecast {
    name: String,
    days: Vec<Day>,
    totals: Vec<Total>,
    held: forecast::Held,
}

pub(super) async fn run(config: &Config, args: ForecastArgs) -> anyhow::Result<ExitCode> {
    ensure!((1..=HORIZON).contains(&args.days), "--days can be 1 to {HORIZON}");
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let calendar = site.calendar.calendar()?;
    if let Some(path) = &args.series {
        let lines = of_table(path, &args.value, &calendar, args.days)?;
        return print(&args, &lines, &lines, &[]);
    }
    let of = args.product.as_ref().map(|id| format!("product:{id}")).or_else(|| args.of.clone());
    let (report, warnings) = of_site(config, site, &calendar, of.as_deref(), args.days).await?;
    if report.lines.is_empty() {
        ensure!(
            report.days >= MIN_DAYS,
            "{} days of conversations are known; a forecast needs {MIN_DAYS}",
            report.days
        );
        let of = of.unwrap_or_else(|| "this".into());
        anyhow::bail!(
            "nothing is known of {of}, or fewer than {} conversations are about it",
            demand::LEAST
        );
    }
    let warnings = if of.is_none() { warnings } else { Vec::new() };
    let lines: Vec<Forecast> = report
        .lines
        .iter()
        .map(|line| Forecast {
            name: if line.subject.name.is_empty() {
                line.of.clone()
            } else {
                line.subject.name.clone()
            },
            days: line.days.clone(),
            totals: line.totals.clone(),
            held: line.held,
        })
        .collect();
    let whole = serde_json::json!({ "forecast": report, "stockouts": warnings });
    print(&args, &whole, &lines, &warnings)
}

/// Asks the running server, or reads its store where none runs.
async fn of_site(
    config: &Config,
    site: &Site,
    calendar: &Calendar,
    of: Option<&str>,
    days: usize,
) -> anyhow::Result<(Report, Vec<StockOut>)> {
    #[derive(Deserialize)]
    struct StockOuts {
        stockouts: Vec<StockOut>,
    }
    let store = match Store::open(&config.store) {
        Ok(store) => store,
        Err(StoreError::InUse { .. }) => {
            let remote = Remote::of(config)?;
            let of = of.map(|of| format!("&of={}", escaped(of))).unwrap_or_default();
            let path = format!("/v1/sites/{}/forecast?days={days}{of}", site.id);
            let report = remote.json::<Report>(Method::GET, &path).await?;
            let path = format!("/v1/sites/{}/stockouts?min=0.5", site.id);
            return Ok((report, remote.json::<StockOuts>(Method::GET, &path).await?.stockouts));
        }
        Err(error) => return Err(error.into()),
    };
    let entries = Book::new(store.clone(), Touched::default()).read(&site.id).await?;
    let retrieval =
        crate::server::open_retrieval(config, &crate::telemetry::Metrics::new()).await?;
    let products = Catalogue::default();
    products
        .refresh(&retrieval.index, &site.id)
        .await
        .context("the products in the knowledge index")?;
    let goods = products.goods(&site.id);
    let whole = entries.len() < MAX_SESSIONS;
    let found = Demand::of(&entries, &goods, calendar, Clock::system().now_ms(), whole);
    let listed = products.products(&site.id);
    let rows = listed.iter().map(|listed| (listed.product.id.as_str(), listed.product.stock));
    let warnings = found.stock_outs(&demand::stock_of(rows, &goods), 0.5);
    let report = found.report(of, days);
    retrieval.index.close().await.context("closing the knowledge index")?;
    store.close().await?;
    Ok((report, warnings))
}

/// A value of a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte);
    let one =
        |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn of_table(
    path: &Path,
    value: &str,
    calendar: &Calendar,
    days: usize,
) -> anyhow::Result<Vec<Forecast>> {
    let text = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let read =
        series::read(&text, value, calendar).with_context(|| format!("in {}", path.display()))?;
    let Series { names, panel } = read;
    let made = forecast::forecast(&panel);
    let made = made.with_context(|| {
        let known = panel.len();
        format!(
            "{}: nothing was counted, or {known} days are too few; a forecast needs {MIN_DAYS}",
            path.display()
        )
    })?;
    let after = panel.first_day + panel.len() as i64;
    let line = |(name, outlook): (String, &forecast::Outlook)| {
        let day = |(ahead, band): (usize, &forecast::Band)| {
            let day = after + ahead as i64;
            Day { date: calendar::iso(day), closed: calendar.is_closed(day), band: *band }
        };
        let total = |days: usize| {
            let expected = outlook.days[..days].iter().map(|day| day.expected).sum();
            Total { days, band: made.errors.band(Kept::Period(days), expected, outlook.scale) }
        };
        Forecast {
            name,
            days: outlook.days.iter().enumerate().take(days).map(day).collect(),
            totals: PERIODS.into_iter().filter(|period| *period <= days).map(total).collect(),
            held: made.held,
        }
    };
    Ok(names.into_iter().zip(&made.outlooks).map(line).collect())
}

/// As JSON, as CSV, or as tables.
fn print(
    args: &ForecastArgs,
    json: &impl Serialize,
    lines: &[Forecast],
    warnings: &[StockOut],
) -> anyhow::Result<ExitCode> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(json)?);
        return Ok(ExitCode::SUCCESS);
    }
    if args.csv {
        return csv(lines).map(|()| ExitCode::SUCCESS);
    }
    let one = |value: f64| format!("{value:.1}");
    let range = |[low, high]: [f64; 2]| format!("{low:.1} to {high:.1}");
    let by_day = |line: &Forecast| {
        let rows = line.days.iter().map(|day| {
            let closed = if day.closed { "closed" } else { "" };
            let band = &day.band;
            vec![
                day.date.clone(),
                one(band.expected),
                range(band.band80),
                range(band.band95),
                closed.to_owned(),
            ]
        });
        format!("{}\n{}", line.name, show::table(&["day", "expected", "80%", "95%", ""], rows))
    };
    // Sums are of whole weeks: fewer days have none.
    let summed = lines.iter().any(|line| !line.totals.is_empty());
    if !summed || lines.len() == 1 && (args.of.is_some() || args.product.is_some()) {
        lines.iter().for_each(|line| println!("{}", by_day(line)));
    }
    if summed {
        let totals = lines.iter().flat_map(|line| {
            line.totals.iter().map(|total| {
                let (days, band) = (total.days.to_string(), &total.band);
                vec![
                    line.name.clone(),
                    days,
                    one(band.expected),
                    range(band.band80),
                    range(band.band95),
                ]
            })
        });
        println!("{}", show::table(&["", "days", "expected", "80%", "95%"], totals));
    }
    if let Some(held) = lines.first().map(|line| line.held).filter(|held| held.of > 0) {
        let share = |count: usize| 100.0 * count as f64 / held.of as f64;
        let (in80, in95) = (share(held.in80), share(held.in95));
        println!(
            "Such bands held {in80:.0}% and {in95:.0}% of {} days of the last weeks.",
            held.of
        );
    }
    if !warnings.is_empty() {
        let rows = warnings.iter().map(|warning| {
            let chance = format!("{:.0}%", 100.0 * warning.chance[1]);
            let band = &warning.band;
            let on = warning.empty_on.clone().unwrap_or_default();
            vec![
                warning.name.clone(),
                warning.stock.to_string(),
                one(band.expected),
                range(band.band80),
                chance,
                on,
            ]
        });
        println!(
            "{}",
            show::table(
                &["runs out", "stock", "asked for in 14 days", "80%", "chance", "used up"],
                rows
            )
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn csv(lines: &[Forecast]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "name", "date", "expected", "low80", "high80", "low95", "high95", "closed",
    ])?;
    for line in lines {
        for day in &line.days {
            let band = &day.band;
            let numbers =
                [band.expected, band.band80[0], band.band80[1], band.band95[0], band.band95[1]];
            let numbers = numbers.map(|number| format!("{number:.3}"));
            let row = [line.name.clone(), day.date.clone()].into_iter().chain(numbers);
            writer.write_record(row.chain([day.closed.to_string()]))?;
        }
    }
    super::output::Output.write_all(&writer.into_inner().context("writing CSV")?)?;
    Ok(())
}
