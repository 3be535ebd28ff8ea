//! `audit`: the log of who did what, read from its beginning and checked on the way.
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::process::ExitCode;

use reqwest::Method;

use crate::audit::{Audit, Chain, Day};
use crate::cli::remote::Remote;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Store, StoreError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk audit                    every entry, and whether the chain of hashes holds
  frontdesk audit --json > audit.jsonl
  frontdesk audit | tail -1          the newest hash, to be kept elsewhere")]
pub struct AuditArgs {
    /// Print the entries as they are stored, one line of JSON each.
    #[arg(long)]
    json: bool,
}

/// Who is asked for the log.
enum Source {
    Server(Remote),
    Store(Audit, Store),
}

impl Source {
    async fn day(&self, day: Option<u64>) -> anyhow::Result<Day> {
        match self {
            Self::Server(server) => {
                let query = day.map_or_else(String::new, |day| format!("?day={day}"));
                server.json(Method::GET, &format!("/v1/audit{query}")).await
            }
            Self::Store(audit, _) => Ok(audit.day(day).await?),
        }
    }
}

pub(super) async fn run(config: &Config, args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let source = match Store::open(&config.store) {
        Ok(store) => Source::Store(Audit::open(store.clone(), Clock::system()).await?, store),
        Err(error @ StoreError::InUse { .. }) => {
            Source::Server(Remote::of(config).map_err(|cause| cause.context(error))?)
        }
        Err(error) => return Err(error.into()),
    };
    let mut day = source.day(None).await?;
    let mut chain = Chain::default();
    let mut broken: Option<String> = None;
    while day.day <= day.head.last_day {
        for stored in &day.entries {
            match chain.follow(stored) {
                Ok(_) if args.json => println!("{stored}"),
                Ok(entry) => {
                    let to: Vec<String> = entry.to.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let status = entry.status.map_or_else(String::new, |status| format!(" → {status}"));
                    println!("{} {} {} {} {}{status}", entry.number, entry.at_ms, entry.who, entry.did, to.join(" "));
                }
                Err(error) => {
                    println!("BROKEN: {error}");
                    broken.get_or_insert(error);
                }
            }
        }
        day = source.day(Some(day.day + 1)).await?;
    }
    if broken.is_none() {
        broken = chain.end(&day.head).err();
    }
    if let Source::Store(_, store) = &source {
        store.close().await?;
    }
    match broken {
        Some(error) => anyhow::bail!("the audit log was changed, or is damaged: {error}"),
        None if args.json => {}
        None => println!("{} entries, unbroken; the newest is {}", day.head.number, day.head.hash),
    }
    Ok(ExitCode::SUCCESS)
}
