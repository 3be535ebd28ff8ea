//! `frontdesk seo check`: whether search engines can read the pages of a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use url::Url;

use super::show;
use crate::clock::Clock;
use crate::pages::Level;
use crate::pages::check::{self, Report};

#[derive(Debug, Subcommand)]
pub enum SeoCommand {
    /// Finds what keeps search engines from reading pages, with Lighthouse's and schema.org's
    /// verdicts.
    Check(Check),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk seo check site/
  frontdesk seo check site/ --base-url https://shop.example/help/
  frontdesk seo check page.html --json | jq .findings

Audited are files ending in .html, .htm and .xhtml, robots.txt and sitemap.xml at the top of the folder, and JSON-LD; what
scripts add to a page isn't seen. Errors are what Lighthouse's SEO audits fail and what schema.org's validator calls wrong.
Warnings are right and could show more. The exit code is 1 if there is an error, with --strict also if there is a warning.
docs/pages.md has what each audit looks at.")]
pub struct Check {
    /// Folder or file of HTML pages.
    path: PathBuf,
    /// The address under which the folder is published; told from the pages' canonical addresses if
    /// left out.
    #[arg(long)]
    base_url: Option<Url>,
    /// Warnings fail, too.
    #[arg(long)]
    strict: bool,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: SeoCommand) -> anyhow::Result<ExitCode> {
    let SeoCommand::Check(args) = command;
    let bar = show::progress("");
    let progress = |done, of| show::step(&bar, "reading pages", done, of);
    let report =
        check::run(&args.path, args.base_url.as_ref(), Clock::system().now_ms(), &progress)
            .with_context(|| format!("{} can't be checked", args.path.display()))?;
    bar.finish_and_clear();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        tell(&report);
    }
    let fails = report.summary.errors > 0 || args.strict && report.summary.warnings > 0;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(report: &Report) {
    let rows = report.findings.iter().map(|located| {
        let place = match located.line {
            Some(line) => format!("{}:{line}", located.file),
            None => located.file.clone(),
        };
        let level = if located.finding.level == Level::Error { "error" } else { "warning" };
        let audit = format!("{level}: {}", located.finding.audit);
        vec![place, audit, located.finding.fault.clone(), located.finding.remedy.clone()]
    });
    if !report.findings.is_empty() {
        println!("{}", show::texts(&["file", "audit", "fault", "what to do"], rows));
    }
    let summary = &report.summary;
    println!(
        "{} checked: {}, {}{}",
        show::counted(summary.pages as u128, "page"),
        show::counted(summary.errors as u128, "error"),
        show::counted(summary.warnings as u128, "warning"),
        if report.findings.is_empty() { "; nothing to mend" } else { "" },
    );
}
