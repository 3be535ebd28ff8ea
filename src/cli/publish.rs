//! `frontdesk publish`: a site's public documents and products as static pages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use url::Url;

use super::show;
use crate::clock::Clock;
use crate::config::Config;
use crate::knowledge;
use crate::pages::publish::{self, Report, Shop, folder};
use crate::prompt::Prompts;
use crate::retrieval::Passage;
use crate::retrieval::ingest::{Failure, IngestProgress};
use crate::site::Site;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk publish site/ --base-url https://shop.example/help/
  frontdesk publish site/ --site outdoor && frontdesk seo check site/

Published are documents and products that are public and hold now, read from the site's folder and what was handed in; the
server may run meanwhile. The folder must be new, empty, or written by an earlier run, which is brought up to date: pages of
what is gone are removed, other files in it are left alone. docs/pages.md has what is on the pages.")]
pub struct Publish {
    /// The folder to write.
    folder: PathBuf,
    /// The site; the first one by default.
    #[arg(long)]
    site: Option<String>,
    /// The address that the folder is published under. Left out: the site's first origin, else
    /// where most documents say they are.
    #[arg(long)]
    base_url: Option<String>,
    /// Give up changes that somebody made to published files.
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    base_url: String,
    #[serde(flatten)]
    change: folder::Change,
    #[serde(flatten)]
    report: Report,
    /// Documents that can't be read.
    failed: Vec<Failure>,
}

pub(super) async fn run(config: &Config, args: Publish) -> anyhow::Result<ExitCode> {
    let site = match &args.site {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
        None => config.sites.first().context("no site is configured")?,
    };
    let knowledge = site.knowledge.as_ref().unwrap_or(&config.knowledge.path);
    let bar = show::progress("");
    let files = AtomicUsize::new(0);
    let progress = |step: IngestProgress<'_>| match step {
        IngestProgress::Found { files: found } => files.store(found, Ordering::Relaxed),
        IngestProgress::File { number, .. } => {
            show::step(&bar, "reading documents", number, files.load(Ordering::Relaxed));
        }
        IngestProgress::Written { .. } => {}
    };
    let read = knowledge::documents_of(&config.knowledge, &site.id, knowledge, &progress).await?;
    bar.finish_and_clear();
    let base = base_url(args.base_url.as_deref(), site, &read.documents)?;
    let name = if site.name.is_empty() { site.id.clone() } else { site.name.clone() };
    let prompts = Prompts::load(&config.answers.prompts)?;
    let shop = Shop {
        name,
        contact: site.contact.clone(),
        language: site.language.clone(),
        base,
        wording: prompts.wording().clone(),
    };
    let built = publish::build(&shop, read.documents, Clock::system().now_ms())?;
    let change = folder::write(&args.folder, &site.id, &built, args.force)?;
    let answer =
        Answer { base_url: shop.base.into(), change, report: built.report, failed: read.failed };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        tell(&args, &answer);
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder's address, ending with `/`.
fn base_url(given: Option<&str>, site: &Site, documents: &[Vec<Passage>]) -> anyhow::Result<Url> {
    let parsed = |text: &str| {
        let text = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
        Url::parse(&text)
            .with_context(|| format!("{text:?} is no address; write https://shop.example/help/"))
    };
    if let Some(text) = given.or(site.origins.first().map(String::as_str)) {
        return parsed(text);
    }
    let mut origins: BTreeMap<String, usize> = BTreeMap::new();
    let urls =
        documents.iter().filter_map(|passages| Url::parse(passages.first()?.url.as_deref()?).ok());
    urls.for_each(|url| *origins.entry(url.origin().ascii_serialization()).or_default() += 1);
    let most = origins.into_iter().max_by_key(|(_, count)| *count);
    let (origin, _) =
        most.context("where the pages will be found isn't known; say it by --base-url https://…/")?;
    parsed(&origin)
}

fn tell(args: &Publish, answer: &Answer) {
    let Answer { base_url, change, report, failed } = answer;
    println!(
        "{} for {base_url}: {} and {} with {}",
        args.folder.display(),
        show::counted(report.help_pages as u128, "help page"),
        show::counted(report.product_pages as u128, "product page"),
        show::counted(report.offers as u128, "offer"),
    );
    let folder::Change { added, changed, unchanged, removed } = change;
    println!("files: {added} added, {changed} changed, {unchanged} unchanged, {removed} removed");
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for left_out in &report.left_out {
        reasons.entry(&left_out.reason).or_default().push(&left_out.document);
    }
    for (reason, documents) in reasons {
        let more = if documents.len() > 3 { ", …" } else { "" };
        let named = documents[..documents.len().min(3)].join(", ");
        println!(
            "left out, {}: {reason} ({named}{more})",
            show::counted(documents.len() as u128, "document or row")
        );
    }
    for failure in failed.iter().take(10) {
        println!("not read: {failure}");
    }
    println!(
        "Now look at them, and run: frontdesk seo check {} --base-url {base_url}",
        args.folder.display()
    );
}
