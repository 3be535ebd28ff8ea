//! Whether small knowledge folders, each with its own questions, are read and answered rightly.
//!
//! Every case is a site of its own in one index: nothing of one case answers another's question,
//! and the models are loaded once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::FreshIndex;
use super::answers::Asker;
use super::desk::{self, Item, Record};
use crate::config::Config;
use crate::conversation::AnswerEnd;
use crate::training::Progress;

/// A folder with `knowledge/` and what is asked of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub knowledge: PathBuf,
    /// `questions.jsonl`: messages that a program grades.
    pub items: Vec<Item>,
    /// `case.json`: a question whose reply a person compares with what is right.
    pub told: Option<ReviewedQuestion>,
}

/// A question with its right reply in words.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReviewedQuestion {
    pub question: String,
    pub right: String,
    #[serde(default)]
    pub language: String,
}

/// What came of all cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Grades of the messages that carry facts.
    pub summary: desk::Summary,
    pub records: Vec<Asked>,
}

/// One question of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub case: String,
    pub question: String,
    pub reply: String,
    pub end: AnswerEnd,
    /// What a right reply holds, in words or as facts.
    pub right: String,
    /// The grade with its facts; none where a person judges.
    pub graded: Option<Record>,
    /// What the ingestion reported of the case's files.
    pub notes: Vec<String>,
}

/// Finds the cases below a folder, in the order of their names; with `only`, those whose name holds
/// it.
///
/// # Errors
/// When the folder or a case's questions can't be read, or no case is found.
pub fn cases(folder: &Path, only: Option<&str>) -> anyhow::Result<Vec<Case>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let knowledge = path.join("knowledge");
        if !knowledge.is_dir() || only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let (messages, told) = (path.join("questions.jsonl"), path.join("case.json"));
        let items = if messages.exists() { desk::items(&messages)? } else { Vec::new() };
        let told = if told.exists() {
            let text = fs::read_to_string(&told).with_context(|| told.display().to_string())?;
            let told = serde_json::from_str(&text);
            Some(told.with_context(|| {
                format!("{}: no case.json with question and right", path.display())
            })?)
        } else {
            None
        };
        ensure!(
            told.is_some() || !items.is_empty(),
            "{} has neither questions.jsonl nor case.json beside its knowledge",
            path.display()
        );
        cases.push(Case { name, knowledge, items, told });
    }
    ensure!(!cases.is_empty(), "{} has no folder with knowledge/ in it", folder.display());
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

/// Reads each case's knowledge as a site of its own and asks its questions.
///
/// # Errors
/// When a case's knowledge can't be read at all, or a part fails; the text names the case.
pub async fn run(
    config: &Config,
    cases: &[Case],
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let first = config.sites.first().context("no site is configured")?;
    let index = FreshIndex::open(config).await?;
    let mut benches = Vec::with_capacity(cases.len());
    for (done, case) in cases.iter().enumerate() {
        progress("reading cases", done, cases.len());
        let mut site = first.clone();
        site.id = format!("case-{done}");
        site.knowledge = Some(case.knowledge.clone());
        benches.push(
            index.read(config, site, &|_, _, _| {}).await.with_context(|| case.name.clone())?,
        );
    }
    let models = Asker::new(config, benches.first().context("no cases")?).await?;
    let (mut records, mut graded) = (Vec::new(), Vec::new());
    for (done, (case, bench)) in cases.iter().zip(&benches).enumerate() {
        progress("asking", done, cases.len());
        let asker = models.of_another(bench).await?;
        let report = &bench.report;
        let notes: Vec<String> =
            report.failed.iter().chain(&report.warnings).map(ToString::to_string).collect();
        if let Some(told) = &case.told {
            let got =
                asker.reply(Vec::new(), &told.question).await.with_context(|| case.name.clone())?;
            records.push(Asked {
                case: case.name.clone(),
                question: told.question.clone(),
                reply: got.text,
                end: got.verdict.end,
                right: told.right.clone(),
                graded: None,
                notes: notes.clone(),
            });
        }
        for item in &case.items {
            let record = desk::ask(&asker, &bench.site, item);
            let record =
                record.await.with_context(|| format!("{}: message {}", case.name, item.id))?;
            let facts = item.must.iter().map(|fact| fact.join(" / "));
            records.push(Asked {
                case: case.name.clone(),
                question: item.text.clone(),
                reply: record.reply.clone(),
                end: record.end,
                right: facts.collect::<Vec<_>>().join("; "),
                graded: Some(record.clone()),
                notes: notes.clone(),
            });
            graded.push(record);
        }
    }
    models.stop().await;
    Ok(Report { summary: desk::summary(&graded), records })
}
