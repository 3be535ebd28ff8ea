//! `config`: the configuration of a running server.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use crate::cli::remote::Remote;
use crate::config::Config;
use crate::http::Reloaded;

#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Have the running server read its configuration anew, as SIGHUP does: it takes over keys
    /// ([[auth.keys]]), and of sites the origins, the chat's looks ([sites.widget]) and the keys of
    /// visitors' tokens ([sites.jwt]). The rest is named, and waits for a restart.
    Reload {
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: &Config, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Reload { json: as_json } = command;
    let reloaded: Reloaded =
        Remote::of(config)?.sending(Method::POST, "/v1/config/reload", &json!({})).await?;
    if *as_json {
        println!("{}", serde_json::to_string_pretty(&reloaded)?);
        return Ok(ExitCode::SUCCESS);
    }
    let Reloaded { taken, after_restart } = reloaded;
    match taken.as_slice() {
        [] => println!("Nothing that a running server can take over has changed."),
        _ => println!("In use from now on: {}", taken.join(", ")),
    }
    if !after_restart.is_empty() {
        println!("In use after a restart: {}", after_restart.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
