//! `audit`: the log of who did what, read from its beginning and checked on the way.

use std::process::ExitCode;

use reqwest::Method;

use crate::audit::{Audit, Chain, Page};
use crate::calendar;
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
    async fn page(&self, from: Option<u64>) -> anyhow::Result<Page> {
        match self {
            Self::Server(server) => {
                let query = from.map_or_else(String::new, |from| format!("?from={from}"));
                server.json(Method::GET, &format!("/v1/audit{query}")).await
            }
            Self::Store(audit, _) => Ok(audit.page(from).await?),
        }
    }
}

/// A moment as `2026-11-30T05:15:55Z`.
fn moment(at_ms: u64) -> String {
    let (day, second) = (at_ms / 86_400_000, at_ms / 1_000 % 86_400);
    let day = calendar::iso(i64::try_from(day).unwrap_or_default());
    format!("{day}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

pub(super) async fn run(config: &Config, args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let source = match Store::open(&config.store) {
        Ok(store) => Source::Store(Audit::open(store.clone(), Clock::system()).await?, store),
        Err(error @ StoreError::InUse { .. }) => {
            Source::Server(Remote::of(config).map_err(|cause| cause.context(error))?)
        }
        Err(error) => return Err(error.into()),
    };
    let mut page = source.page(None).await?;
    let mut chain = Chain::default();
    let mut broken: Option<String> = None;
    loop {
        for stored in &page.entries {
            match chain.follow(stored) {
                Ok(_) if args.json => println!("{stored}"),
                Ok(entry) => {
                    let to: Vec<String> =
                        entry.to.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let status =
                        entry.status.map_or_else(String::new, |status| format!(" → {status}"));
                    println!(
                        "{} {} {} {} {}{status}",
                        entry.number,
                        moment(entry.at_ms),
                        entry.who,
                        entry.did,
                        to.join(" ")
                    );
                }
                Err(error) => {
                    println!("BROKEN: {error}");
                    broken.get_or_insert(error);
                }
            }
        }
        if page.next > page.head.number {
            break;
        }
        page = source.page(Some(page.next)).await?;
    }
    if broken.is_none() {
        broken = chain.end(&page.head).err();
    }
    if let Source::Store(_, store) = &source {
        store.close().await?;
    }
    match broken {
        Some(error) => anyhow::bail!("the audit log was changed, or is damaged: {error}"),
        None if args.json => {}
        None => {
            println!("{} entries, unbroken; the newest is {}", page.head.number, page.head.hash)
        }
    }
    Ok(ExitCode::SUCCESS)
}
