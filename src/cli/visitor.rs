//! `visitor`: what is kept of one visitor, handed out or erased by the running server.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::Method;

use crate::cli::remote::Remote;
use crate::config::Config;
use crate::http::visitors::Receipt;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk visitor export --sub customer-7 > customer-7.jsonl
  frontdesk visitor erase --id 5f1c… --site shop > receipt.json

The console shows a visitor's id beside each conversation. Visitors who come with a token that the site signs have the token's
`sub`. Erasing needs no second question and can't be undone; the receipt names the conversations and a hash of the id.")]
pub struct VisitorArgs {
    #[command(subcommand)]
    action: Action,
    /// The site; the first one by default.
    #[arg(long, global = true)]
    site: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print all that is kept of a visitor, one line of JSON for each conversation.
    Export(Who),
    /// Erase all that is kept of a visitor, and print a receipt.
    Erase(Who),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Who {
    /// The visitor's id.
    #[arg(long)]
    id: Option<String>,
    /// The `sub` of the tokens that the site signs.
    #[arg(long)]
    sub: Option<String>,
}

impl Who {
    fn visitor(&self) -> String {
        let of_site = self.sub.as_ref().map(|sub| format!("jwt:{sub}"));
        of_site.or_else(|| self.id.clone()).unwrap_or_default()
    }
}

pub(super) async fn run(config: &Config, args: &VisitorArgs) -> anyhow::Result<ExitCode> {
    let site = match &args.site {
        Some(site) => site.clone(),
        None => {
            config.sites.first().map(|site| site.id.clone()).context("no site is configured")?
        }
    };
    let server = Remote::of(config)
        .context("a visitor is looked for by the running server; start it first")?;
    let path = |who: &Who| format!("/v1/sites/{site}/visitors/{}", in_a_path(&who.visitor()));
    match &args.action {
        Action::Export(who) => server.download(&path(who), &mut super::output::Output).await?,
        Action::Erase(who) => {
            let receipt: Receipt = server.json(Method::DELETE, &path(who)).await?;
            println!("{}", serde_json::to_string_pretty(&receipt)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text as one part of a URL's path (RFC 3986).
fn in_a_path(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_a_path_as_one_part() {
        assert_eq!(in_a_path("jwt:a/b c+é"), "jwt%3Aa%2Fb%20c%2B%C3%A9");
    }
}
