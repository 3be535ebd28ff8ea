//! `frontdesk channels`: accounts on messaging platforms.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::channels::Account;
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk channels list
  frontdesk channels check
  frontdesk channels register --origin https://chat.shop.example
  frontdesk channels send --channel telegram --to 11111111 \"A test\"

An account stands under [[sites.channels]] in config.toml; docs/channels.md leads through each platform.")]
pub struct ChannelsArgs {
    #[command(subcommand)]
    action: Action,
    /// The account; every one by default.
    #[arg(long, global = true)]
    channel: Option<String>,
    /// Its site; every one by default.
    #[arg(long, global = true)]
    site: Option<String>,
    /// The address that the platform reaches this server by; `server.public_origins` names it
    /// otherwise.
    #[arg(long, global = true)]
    origin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the accounts and where their webhooks belong.
    List,
    /// Ask each platform whether the token holds and where its webhooks go.
    Check,
    /// Have the platform send its webhooks here.
    Register,
    /// Send a text to a conversation.
    Send {
        /// The conversation, as the platform names it.
        #[arg(long)]
        to: String,
        text: String,
    },
}

pub(super) async fn run(config: &Config, args: ChannelsArgs) -> anyhow::Result<ExitCode> {
    // A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sites = config
        .sites
        .iter()
        .filter(|site| args.site.as_ref().is_none_or(|wanted| site.id == *wanted));
    let mut accounts = Vec::new();
    for site in sites {
        for channel in &site.channels {
            if args.channel.as_ref().is_none_or(|wanted| channel.name() == wanted) {
                accounts.push(Account::new(&site.id, channel)?);
            }
        }
    }
    if accounts.is_empty() {
        anyhow::bail!(
            "no such channel is configured; docs/channels.md tells what to write under [[sites.channels]]"
        );
    }
    if let Action::Send { text, .. } = &args.action {
        anyhow::ensure!(!text.trim().is_empty(), "the text is empty: there is nothing to send");
        if accounts.len() > 1 {
            let names: Vec<String> = accounts.iter().map(Account::id).collect();
            anyhow::bail!(
                "a text goes to one account, and there are {}: {}. Name it with --channel, and with --site where two sites \
                 have one of that name",
                names.len(),
                names.join(", ")
            );
        }
    }
    let origin =
        args.origin.as_deref().or(config.server.public_origins.first().map(String::as_str));
    let needed = || {
        origin.context("name the address of this server with --origin, or in server.public_origins")
    };
    let mut well = true;
    for account in &accounts {
        match &args.action {
            Action::List => {
                let address = account.address(origin.unwrap_or("https://<this server>"));
                println!("{}  {}  {address}", account.id(), account.config.platform.name());
            }
            Action::Check => {
                for finding in account.check(origin).await? {
                    well &= finding.ok;
                    println!(
                        "{}  {}  {}",
                        account.id(),
                        if finding.ok { "ok" } else { "FAILS" },
                        finding.text
                    );
                }
            }
            Action::Register if !account.registers() => {
                let address = account.address(origin.unwrap_or("https://<this server>"));
                println!(
                    "{}  nothing to do here: write {address} on the platform's own pages, or in the other system",
                    account.id()
                );
            }
            Action::Register => match account.register(needed()?).await {
                Ok(address) => println!("{}  webhooks go to {address}", account.id()),
                Err(error) => {
                    well = false;
                    println!("{}  FAILS  {error:#}", account.id());
                }
            },
            Action::Send { to, text } => {
                account.send(to, text, Clock::system().now_ms() / 1000).await?;
                println!("{}  sent", account.id());
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
