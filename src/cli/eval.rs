//! `frontdesk eval`: how good search, answers and models are, as tables or as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::show;
use crate::clock::Clock;
use crate::config::Config;
use crate::eval::policy::Estimator;
use crate::eval::{
    self, allocation, answers, cases, desk, drafts, forecast, gaps, injection, intents, policy,
    purchase, retrieval, seo,
};
use crate::forecast::backtest::Plan;
use crate::insight::policy::Value;
use crate::turn::Mode;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk eval retrieval --knowledge knowledge/ --questions questions.jsonl
  frontdesk eval retrieval --knowledge articles.jsonl --questions questions.jsonl --json | jq .summary
  frontdesk eval retrieval --knowledge knowledge/ --questions questions.jsonl --rerank 10
  frontdesk eval answers --knowledge articles.jsonl --questions questions.jsonl
  frontdesk eval desk --questions messages.jsonl --json >run.json
  frontdesk eval desk --questions messages.jsonl --against run.json
  frontdesk eval cases cases/ --only letterhead
  frontdesk eval retrieval --knowledge knowledge/ --questions questions.jsonl --typos 1
  frontdesk eval injection --attacks attacks/
  frontdesk eval injection --attacks attacks/ --knowledge knowledge/ --mode generate
  frontdesk eval gaps --questions labelled.jsonl
  frontdesk eval drafts --replies replies.jsonl --questions questions.jsonl --json | jq .summary
  frontdesk eval intents --train train.jsonl --test test.jsonl --oos oos.jsonl
  frontdesk eval forecast --series daily.csv --value orders --hide-stock 14
  frontdesk eval stockout --series daily.csv --value orders --lead 14 --json | jq .summary
  frontdesk eval allocation --tests tests.csv --impressions 10000 --policy thompson
  frontdesk eval policy --log log.csv --policy policy.json --json
  frontdesk eval policy --randomised emails.csv --sender sender.json --policy policy.json --action segment --reward visit
  frontdesk eval seo --cases cases.jsonl --jsonld jsonld.jsonl --json | jq .summary
  frontdesk eval purchase --train visits.csv --label Revenue --folds 5 --drop PageValues

The knowledge is read into an index of its own in the temporary directory and removed afterwards; the server's own index isn't
touched. A question is a JSON line: question, and where known history [{role, text}], article_ids, answer, answerability.
Messages of `desk` are JSON lines: id, lang, first (an earlier message or null), text, behave (answer, decline, partly, clarify,
person, small_talk), must (lists of alternatives, one a fact), must_not, max_chars, doc, why. Replies of `drafts` are JSON lines of gap and
text, and where known session, seq, agent, at_ms and personal (what of the text is one person's); its questions are lines of gap and text.
For gap, intent is read as well. Intents are JSON lines of text and intent. Purchases are CSV with any columns, or conversations as JSON lines of turns
[{role, text}], the label and attributes; the summary is the model that the registry would deploy.
--json prints the summary and one record a question, so that anyone can score them again.")]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON: summary and records.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Does search find the documents that answer? By each half and fused.
    Retrieval {
        #[command(flatten)]
        asked: Asked,
        /// Passages of each question that the language model judges to put them in order anew;
        /// knowledge.rerank if left out.
        #[arg(long)]
        rerank: Option<usize>,
        /// Passages of each question that knowledge.reranker judges, mixed with the search's score
        /// at several weights.
        #[arg(long, default_value_t = 0)]
        cross: usize,
        /// The questions' language (ISO 639-1), which chooses the model; told from their text if
        /// left out.
        #[arg(long, default_value = "")]
        language: String,
    },
    /// Are the answers right, supported, cited, and absent where the knowledge holds none?
    Answers(Asked),
    /// Do messages as visitors write them get right replies? Asked of a site's own knowledge; each
    /// message names the facts that a right reply holds.
    Desk {
        /// JSON Lines of messages with their facts.
        #[arg(long)]
        questions: PathBuf,
        /// Which site's knowledge; the first one's if left out.
        #[arg(long)]
        site: Option<String>,
        /// An earlier run (`--json`): tells what has changed since, message by message.
        #[arg(long)]
        against: Option<PathBuf>,
    },
    /// Are small knowledge folders, each with its own questions, read and answered rightly?
    Cases {
        /// Folder of cases: in each, knowledge/ beside questions.jsonl (messages with their facts,
        /// as for desk), or case.json (question, right) for a person to judge.
        folder: PathBuf,
        /// Only cases whose name holds this.
        #[arg(long)]
        only: Option<String>,
    },
    /// Do orders hidden in documents and hostile messages get their way, and are harmless messages
    /// left alone?
    Injection {
        /// Folder of attacks: indirect*.json (orders), *contexts*.jsonl (documents to hide them
        /// in), jailbreak*.jsonl and naughty*.json (messages), benign*.json (harmless messages).
        #[arg(long)]
        attacks: PathBuf,
        /// What the hostile messages are asked over; the documents of the attacks if left out.
        #[arg(long)]
        knowledge: Option<PathBuf>,
        /// quote, or generate with the configured engine; answers.mode if left out.
        #[arg(long, value_parser = mode)]
        mode: Option<Mode>,
        /// At most so many of each kind.
        #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
        limit: usize,
    },
    /// Which questions are one knowledge gap? By cosine, over questions labelled with what they
    /// mean.
    Gaps {
        /// JSON Lines of questions (text, intent).
        #[arg(long)]
        questions: PathBuf,
        /// At most so many of each meaning.
        #[arg(long, default_value_t = 10)]
        per_class: usize,
    },
    /// Are drafts of help articles sourced and free of personal data, do they answer, and are
    /// contradictions found?
    Drafts {
        /// JSON Lines of what agents wrote (gap, text, and where known session, seq, agent, at_ms,
        /// personal).
        #[arg(long)]
        replies: PathBuf,
        /// JSON Lines of what visitors asked (gap, text).
        #[arg(long)]
        questions: PathBuf,
        /// Questions of each gap that its draft is made with, the first of the file; the others are
        /// held out.
        #[arg(long, default_value_t = 1)]
        known: usize,
        /// At most so many held-out questions of each gap.
        #[arg(long, default_value_t = 20)]
        per_gap: usize,
        /// Which pairs of sentences are drawn.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Are the classes told apart, and the unknown from them?
    Intents(Labelled),
    /// Do forecasts of daily counts hold, beside last week's counts? At days of the past, from what
    /// was known then.
    Forecast {
        #[command(flatten)]
        past: Past,
        /// Days ahead, 1 to 28.
        #[arg(long, default_value_t = 14)]
        horizon: usize,
        /// Hide so many days at the end of what is known, as if the stock had been out: once left
        /// out, once read as 0.
        #[arg(long, default_value_t = 0)]
        hide_stock: usize,
    },
    /// Are warnings that a stock runs out right as often as they say? Stocks are drawn, demand is
    /// what came.
    Stockout {
        #[command(flatten)]
        past: Past,
        /// Days that a stock has to last: 7, 14 or 28.
        #[arg(long, default_value_t = 14)]
        lead: usize,
    },
    /// How much does a way to share out impressions lose against the best choice, and is "this one
    /// wins" right?
    Allocation {
        /// CSV of tests of the past: test, impressions, clicks; a row for each choice.
        #[arg(long)]
        tests: PathBuf,
        /// Impressions that each test is played with.
        #[arg(long, default_value_t = 10_000)]
        impressions: usize,
        #[arg(long, value_enum, default_value = "thompson")]
        policy: allocation::Policy,
        /// Take measured rates for the truth; else they are corrected for the luck of the highest.
        #[arg(long)]
        as_measured: bool,
        /// At most so many tests.
        #[arg(long, default_value_t = 700)]
        limit: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// What would a way to choose have brought? From a log of choices with the chances they were
    /// made with.
    Policy {
        /// CSV: action, reward, propensity, and columns that the policy's rules name.
        #[arg(long, required_unless_present = "randomised")]
        log: Option<PathBuf>,
        /// JSON: {"rules": [{"when": {"months": {"min": 6}, "channel": "web"}, "actions": {"b":
        /// 1}}], "otherwise": {"a": 0.5, "b": 0.5}}; the first rule that fits holds.
        #[arg(long)]
        policy: PathBuf,
        /// CSV of a randomised test: how often do values of the policy from biased logs of it hold
        /// the truth?
        #[arg(long, conflicts_with = "log", requires = "sender")]
        randomised: Option<PathBuf>,
        /// JSON as --policy: how those logs were chosen.
        #[arg(long, requires = "randomised")]
        sender: Option<PathBuf>,
        /// Rows of each such log.
        #[arg(long, default_value_t = 5_000)]
        rows: usize,
        /// Such logs.
        #[arg(long, default_value_t = 500)]
        times: usize,
        /// The column of what was chosen.
        #[arg(long, default_value = "action")]
        action: String,
        /// The column of what came of it.
        #[arg(long, default_value = "reward")]
        reward: String,
        /// The column of the chance with which it was chosen.
        #[arg(long, default_value = "propensity")]
        propensity: String,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Does the audit of pages agree with Lighthouse, and find faults of JSON-LD and no others?
    Seo {
        /// JSON Lines of pages: id, audit, fails, url, status, headers, robots_txt, html.
        #[arg(long, required_unless_present = "jsonld")]
        cases: Option<PathBuf>,
        /// JSON Lines of JSON-LD: id, jsonld, and fails where a fault is in it.
        #[arg(long)]
        jsonld: Option<PathBuf>,
        /// Faults of each kind to put into each block.
        #[arg(long, default_value_t = 3)]
        faults: usize,
        /// Which faults.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Are purchases predicted, with probabilities that mean what they say?
    Purchase(Outcomes),
}

#[derive(Debug, Args)]
struct Past {
    /// CSV with the columns date and the value, and optionally series and stock.
    #[arg(long)]
    series: PathBuf,
    /// The column that is forecast.
    #[arg(long, default_value = "orders")]
    value: String,
    /// Forecasts of the past.
    #[arg(long, default_value_t = 6)]
    origins: usize,
    /// Days between two of them.
    #[arg(long, default_value_t = 14)]
    step: usize,
}

#[derive(Debug, Args)]
struct Asked {
    /// Folder, file, or JSON Lines of articles (id, title, text or content).
    #[arg(long)]
    knowledge: PathBuf,
    /// JSON Lines of questions.
    #[arg(long)]
    questions: PathBuf,
    /// Spelling mistakes to put into content words of each question.
    #[arg(long, default_value_t = 0)]
    typos: usize,
    /// Which mistakes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Asked {
    fn questions(&self) -> anyhow::Result<Vec<eval::Question>> {
        let mut questions = eval::questions(&self.questions)?;
        eval::typos::misspell(&mut questions, self.typos, self.seed);
        Ok(questions)
    }
}

#[derive(Debug, Args)]
struct Labelled {
    /// JSON Lines to learn from (text, intent).
    #[arg(long)]
    train: PathBuf,
    /// JSON Lines to measure on.
    #[arg(long)]
    test: PathBuf,
    /// JSON Lines of texts that are about none of the classes.
    #[arg(long)]
    oos: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Outcomes {
    /// Rows to learn from: CSV, or conversations as .jsonl.
    #[arg(long)]
    train: PathBuf,
    /// Rows to measure on; without it, cross-validation.
    #[arg(long)]
    test: Option<PathBuf>,
    /// Parts of the cross-validation.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// The column that says whether it came to a purchase.
    #[arg(long)]
    label: String,
    /// Columns to leave out.
    #[arg(long)]
    drop: Vec<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(config: &Config, args: EvalArgs) -> anyhow::Result<ExitCode> {
    let bar = show::progress("");
    let show = |step: &str, done: usize, total: usize| show::step(&bar, step, done, total);
    match args.what {
        What::Retrieval { asked, rerank, cross, language } => {
            let by_model = rerank.unwrap_or(config.knowledge.rerank);
            let judged = retrieval::Judged { by_model, by_cross_encoder: cross };
            let report = retrieval::run(
                config,
                &asked.knowledge,
                &asked.questions()?,
                judged,
                &language,
                &show,
            )
            .await?;
            bar.finish_and_clear();
            let row = |name: &str, scores: retrieval::Scores, ms: Option<f64>| {
                let shares = [
                    scores.recall_at_1,
                    scores.recall_at_5,
                    scores.recall_at_10,
                    scores.mrr,
                    scores.ndcg_at_10,
                ];
                let ms = ms.map_or_else(String::new, |ms| format!("{ms:.1}"));
                std::iter::once(name.to_owned()).chain(shares.map(share)).chain([ms]).collect()
            };
            let whole_ms = |rerank_ms: f64| report.search_ms + rerank_ms;
            let rows = [
                row("dense", report.halves.dense, None),
                row("lexical", report.halves.lexical, None),
                row("fused", report.summary, Some(report.search_ms)),
            ];
            let rows = rows.into_iter().chain(
                report
                    .reranked
                    .map(|scores| row("reranked", scores, report.rerank_ms.map(whole_ms))),
            );
            let rows = rows.chain(report.crossed.iter().map(|crossed| {
                row(
                    &format!("crossed {:.1}", crossed.weight),
                    crossed.scores,
                    Some(whole_ms(crossed.cross_ms)),
                )
            }));
            let header =
                ["", "recall@1", "recall@5", "recall@10", "MRR", "nDCG@10", "ms a question"];
            show::report(&report, args.json, &header, rows)
        }
        What::Answers(asked) => {
            let report = answers::run(config, &asked.knowledge, &asked.questions()?, &show).await?;
            bar.finish_and_clear();
            show::report(&report, args.json, &["measure", "value"], measures(&report.summary)?)
        }
        What::Desk { questions, site, against } => {
            let items = desk::items(&questions)?;
            let before = against.map(|path| desk::report(&path)).transpose()?;
            let mut report = desk::run(config, site.as_deref(), &items, &show).await?;
            bar.finish_and_clear();
            if let Some(before) = &before {
                report.compare(before);
            }
            if !args.json {
                graded(&report, before.is_some());
                return Ok(ExitCode::SUCCESS);
            }
            show::report(&report, true, &[], [])
        }
        What::Cases { folder, only } => {
            let cases = cases::cases(&folder, only.as_deref())?;
            let report = cases::run(config, &cases, &show).await?;
            bar.finish_and_clear();
            if !args.json {
                told(&report);
                return Ok(ExitCode::SUCCESS);
            }
            show::report(&report, true, &[], [])
        }
        What::Injection { attacks, knowledge, mode, limit } => {
            let mut config = config.clone();
            config.answers.mode = mode.unwrap_or(config.answers.mode);
            let report =
                injection::run(&config, &attacks, knowledge.as_deref(), limit, &show).await?;
            bar.finish_and_clear();
            show::report(&report, args.json, &["measure", "value"], measures(&report.summary)?)
        }
        What::Gaps { questions, per_class } => {
            let report = gaps::run(config, &questions, per_class, &show).await?;
            bar.finish_and_clear();
            let rows = report.thresholds.iter().chain([&report.summary]).map(|scores| {
                let shares = [scores.precision, scores.recall, scores.f1, scores.f_half].map(share);
                [format!("{:.2}", scores.same_cosine), scores.gaps.to_string()]
                    .into_iter()
                    .chain(shares)
                    .collect()
            });
            let header = ["same_cosine", "gaps", "precision", "recall", "F1", "F0.5"];
            show::report(&report, args.json, &header, rows)
        }
        What::Drafts { replies, questions, known, per_gap, seed } => {
            let options = drafts::Options { replies, questions, known, per_gap, seed };
            let report = drafts::run(config, &options, &show).await?;
            bar.finish_and_clear();
            let mut rows = measures(&report.summary)?;
            rows.retain(|row| !row[1].starts_with('{'));
            let summary = &report.summary;
            let told = [
                ("contradictions", summary.contradictions),
                ("contradictions, chosen by", summary.contradictions_chosen_by),
                ("contradictions of replies", summary.contradictions_of_replies),
            ];
            let or_none = |value: Option<f64>| value.map_or_else(|| "none".into(), share);
            rows.extend(told.map(|(name, told)| {
                let (found, alarms) = (or_none(told.found), or_none(told.false_alarms));
                vec![name.to_owned(), format!("found {found}, false alarms {alarms}")]
            }));
            show::report(&report, args.json, &["measure", "value"], rows)
        }
        What::Intents(Labelled { train, test, oos, seed }) => {
            let options = intents::Options { train, test, oos, seed };
            let report = intents::run(config, &options, &show).await?;
            bar.finish_and_clear();
            let rows = report.models.iter().map(|scores| {
                vec![
                    scores.model.clone(),
                    share(scores.accuracy),
                    share(scores.macro_f1),
                    scores.oos_auroc.map_or_else(String::new, share),
                    scores.oos_refused.map_or_else(String::new, share),
                    share(scores.in_scope_kept),
                    share(scores.ece),
                    format!("{:.1}", scores.train_s),
                    format!("{:.2}", scores.predict_ms),
                ]
            });
            let header = [
                "",
                "accuracy",
                "macro F1",
                "oos AUROC",
                "oos refused",
                "known kept",
                "ECE",
                "train s",
                "predict ms",
            ];
            show::report(&report, args.json, &header, rows)
        }
        What::Forecast { past, horizon, hide_stock } => {
            let plan = Plan { horizon, origins: past.origins, step: past.step };
            let report = forecast::run(&past.series, &past.value, plan, hide_stock, &show)?;
            bar.finish_and_clear();
            let mut rows = measures(&report.summary)?;
            if let Some(hidden) = &report.hidden {
                let parts = [
                    ("nothing hidden", hidden.nothing_hidden),
                    ("left out", hidden.left_out),
                    ("read as 0", hidden.read_as_zero),
                ];
                rows.extend(
                    parts.map(|(name, scores)| vec![format!("bias, {name}"), share(scores.bias)]),
                );
            }
            show::report(&report, args.json, &["measure", "value"], rows)
        }
        What::Stockout { past, lead } => {
            let plan = Plan { horizon: lead, origins: past.origins, step: past.step };
            let report = forecast::stock_outs(&past.series, &past.value, plan, &show)?;
            bar.finish_and_clear();
            show::report(&report, args.json, &["measure", "value"], measures(&report.summary)?)
        }
        What::Allocation { tests, impressions, policy, as_measured, limit, seed } => {
            let plan = allocation::Plan { policy, impressions, limit, as_measured, seed };
            let report = allocation::run(&tests, plan, &show)?;
            bar.finish_and_clear();
            show::report(&report, args.json, &["measure", "value"], measures(&report.summary)?)
        }
        What::Policy {
            log,
            policy,
            randomised,
            sender,
            rows,
            times,
            action,
            reward,
            propensity,
            seed,
        } => {
            let columns = policy::Columns { action, reward, propensity };
            if let (Some(table), Some(sender)) = (&randomised, &sender) {
                let thinned = policy::Thinned { table, policy: &policy, sender, rows, times };
                let found = policy::coverage(&thinned, &columns, seed, &show)?;
                bar.finish_and_clear();
                let mut rows = measures(&found)?;
                rows.retain(|row| !(row[1].starts_with('{') || row[1] == "null"));
                let of = [("IPW", found.ipw), ("SNIPW", found.snipw), ("doubly robust", found.dr)];
                rows.extend(of.map(|(name, estimator)| {
                    let told = estimator.map_or_else(
                        || "can't tell".to_owned(),
                        |Estimator { bias, rmse, covered }| {
                            format!("bias {bias:+.4}, RMSE {rmse:.4}, 95% holds {covered:.3}")
                        },
                    );
                    vec![name.to_owned(), told]
                }));
                return show::report(&found, args.json, &["measure", "value"], rows);
            }
            let log = log.context("--log or --randomised is needed")?;
            let report = policy::run(&log, &policy, &columns)?;
            bar.finish_and_clear();
            if report.doubtful {
                eprintln!(
                    "the mean weight is {:.3}, far from 1: the log's propensities can't be those it was chosen with",
                    report.mean_weight
                );
            }
            let value = |found: Option<Value>| match found {
                Some(Value { value, low, high }) => format!("{value:.4} [{low:.4} to {high:.4}]"),
                None => "can't tell".into(),
            };
            let values =
                [("IPW", report.ipw), ("SNIPW", report.snipw), ("doubly robust", report.dr)];
            let mut rows = measures(&report)?;
            rows.retain(|row| !(row[1].starts_with('{') || row[1] == "null"));
            rows.extend(values.map(|(name, found)| vec![name.to_owned(), value(found)]));
            show::report(&report, args.json, &["measure", "value"], rows)
        }
        What::Seo { cases, jsonld, faults, seed } => {
            let now_ms = Clock::system().now_ms();
            let report =
                seo::run(cases.as_deref(), jsonld.as_deref(), faults, seed, now_ms, &show)?;
            bar.finish_and_clear();
            let mut rows = measures(&report.summary)?;
            let audits = report.audits.iter().map(|(name, of)| (name.as_str(), of.agree, of.cases));
            let kinds = report.faults.iter().map(|(name, of)| (*name, of.found, of.put_in));
            rows.extend(
                audits
                    .chain(kinds)
                    .map(|(name, part, of)| vec![name.to_owned(), format!("{part} of {of}")]),
            );
            show::report(&report, args.json, &["measure", "value"], rows)
        }
        What::Purchase(Outcomes { train, test, folds, label, drop, seed }) => {
            let options = purchase::Options { train, test, folds, label, drop, seed };
            let report = purchase::run(config, &options, &show).await?;
            bar.finish_and_clear();
            let named = |name: String, scores: &purchase::Scores| {
                vec![
                    name,
                    share(scores.quality.auroc),
                    share(scores.quality.auprc),
                    share(scores.quality.brier),
                    share(scores.quality.ece),
                    format!("{:.1}", scores.train_s),
                    format!("{:.2}", scores.predict_ms),
                ]
            };
            let deployed = named(format!("deployed ({})", report.summary.model), &report.summary);
            let models = report.models.iter().map(|scores| named(scores.model.clone(), scores));
            let turns = report.turns.iter().map(|after| {
                let name = after
                    .turns
                    .map_or("after all turns".into(), |turns| format!("after {turns} turn(s)"));
                let quality = [
                    after.quality.auroc,
                    after.quality.auprc,
                    after.quality.brier,
                    after.quality.ece,
                ];
                let mut row = vec![name];
                row.extend(quality.map(share));
                row.extend([String::new(), String::new()]);
                row
            });
            let rows: Vec<_> = models.chain([deployed]).chain(turns).collect();
            show::report(
                &report,
                args.json,
                &["", "AUROC", "AUPRC", "Brier", "ECE", "train s", "predict ms"],
                rows,
            )
        }
    }
}

/// A desk's grades by language and kind, risk against coverage, every reply that isn't right, and
/// what has changed.
fn graded(report: &desk::Report, compared: bool) {
    let row = |name: &str, counts: &desk::Counts| {
        std::iter::once(name.to_owned())
            .chain(counts.row().map(|count| count.to_string()))
            .collect::<Vec<_>>()
    };
    let summary = &report.summary;
    let all = std::iter::once(row("all", &summary.all));
    let groups =
        summary.by_language.iter().chain(&summary.by_kind).map(|(name, counts)| row(name, counts));
    println!("{}", show::table(&["", "all", "A", "B", "C", "D", "E", "F"], all.chain(groups)));
    let risks = summary.risk.iter().map(|at| {
        let (coverage, risk) = (share(at.coverage), share(at.risk));
        vec![format!("{:.1}", at.confidence), coverage, risk]
    });
    println!("{}", show::table(&["confidence from", "answered", "of these wrong"], risks));
    println!(
        "{:.0} ms a reply in the median, {:.0} ms at the 95th percentile",
        summary.p50_ms, summary.p95_ms
    );
    for record in report.records.iter().filter(|record| record.grade != desk::Grade::A) {
        let (grade, item) = (record.grade, &record.item);
        println!(
            "\n{grade:?} {}: {}\n  {}\n  ({})",
            item.id, item.text, record.reply, record.reason
        );
    }
    if compared {
        println!("\n{} of {} replies have changed", report.changes.len(), report.records.len());
        for change in &report.changes {
            let (before, after) = (change.before, change.after);
            println!("\n{before:?} to {after:?} {}: {}", change.id, change.text);
            println!("  before: {}\n  now: {}", change.reply_before, change.reply_after);
        }
    }
}

/// Every question of the cases with its reply beside what is right, and the grades of those that
/// carry facts.
fn told(report: &cases::Report) {
    let mut case = "";
    for asked in &report.records {
        if case != asked.case {
            case = &asked.case;
            println!("\n== {case}");
            for note in &asked.notes {
                println!("  note: {note}");
            }
        }
        let grade =
            asked.graded.as_ref().map_or_else(String::new, |record| format!("{:?} ", record.grade));
        println!(
            "{grade}{}\n  reply ({:?}): {}\n  right: {}",
            asked.question, asked.end, asked.reply, asked.right
        );
    }
    let counts = report.summary.all.row().map(|count| count.to_string()).to_vec();
    if report.records.iter().any(|asked| asked.graded.is_some()) {
        println!("\n{}", show::table(&["graded", "A", "B", "C", "D", "E", "F"], [counts]));
    }
}

/// A summary's fields, one a row; what couldn't be measured is left out.
fn measures(summary: &impl Serialize) -> anyhow::Result<Vec<Vec<String>>> {
    let serde_json::Value::Object(fields) = serde_json::to_value(summary)? else {
        return Ok(Vec::new());
    };
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        value => {
            Some(value.as_f64().filter(|_| value.is_f64()).map_or_else(|| value.to_string(), share))
        }
    };
    Ok(fields
        .iter()
        .filter_map(|(name, field)| Some(vec![name.replace('_', " "), value(field)?]))
        .collect())
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "quote" => Ok(Mode::Quote),
        "generate" => Ok(Mode::Generate),
        _ => Err("write quote or generate".to_owned()),
    }
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}
