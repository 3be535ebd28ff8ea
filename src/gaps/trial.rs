//! What a draft would answer, asked before it is published: the gap's own questions, and questions
//! that were answered lately, each by the turn that answers visitors, over a copy of the site's
//! index that holds the draft.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{answering, attempt, question};
use crate::actions::Actions;
use crate::conversation::{AnswerEnd, Event, Verdict};
use crate::prompt::SiteFacts;
use crate::retrieval::Audience;
use crate::retrieval::beside::Beside;
use crate::retrieval::ingest::{IngestOptions, UPLOAD_PREFIX};
use crate::store::{RecordKind, SessionQuery, Store, unless_damaged};
use crate::telemetry::Metrics;
use crate::turn::gate::TurnGate;
use crate::turn::{Mode, Spine, TurnError};

/// Questions below which it isn't told how many are answered: no count of a group under five.
pub const FEW: usize = 5;
/// Answered questions that are asked again, and conversations that are looked at for them, the
/// latest first.
const OTHERS: usize = 20;
const CONVERSATIONS: usize = 60;
/// How often a question waits for a place, and how long.
const TRIES: usize = 20;

/// What came of a trial. Nothing of it holds words of a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Trial {
    pub at_ms: u64,
    /// How many of the gap's questions were asked and are answered from the draft; left out below
    /// five.
    pub count: Option<Answered>,
    /// Whether all or none of them are.
    pub all: bool,
    pub none: bool,
    /// Questions with an answer that were asked again.
    pub others: usize,
    /// How many of those lose their answer, or are answered from the draft instead.
    pub worse: usize,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answered {
    pub answered: usize,
    pub asked: usize,
}

/// What a trial works with.
pub struct Bench<'a> {
    pub spine: &'a Spine,
    pub gate: &'a TurnGate,
    pub timeout: Duration,
    pub options: &'a IngestOptions,
    pub site: &'a str,
    pub facts: &'a SiteFacts,
    /// ISO 639-1.
    pub language: &'a str,
    pub min_confidence: f32,
}

impl Bench<'_> {
    /// Asks. `id` is the one that the article will be handed in under; `others` were answered
    /// before.
    ///
    /// # Errors
    /// When the copy can't be made, or every place for answers stays taken.
    pub async fn run(
        &self,
        id: &str,
        article: &str,
        questions: &[String],
        others: &[String],
    ) -> anyhow::Result<Trial> {
        let document = format!("{UPLOAD_PREFIX}{id}");
        let live = self.quiet(self.spine.retrieval.clone());
        let beside =
            Beside::copy(&self.spine.retrieval, self.site).await.context("copying the index")?;
        // An article that is there already is what the draft replaces.
        beside.retrieval.index.remove_documents(self.site, std::slice::from_ref(&document)).await?;
        beside.add(self.site, id, article, self.options).await?;
        let with = self.quiet(beside.retrieval.clone());
        let mut answered = 0;
        for asked in questions {
            let by = self.ask(&with, asked).await?;
            answered += usize::from(by.as_ref() == Some(&document));
        }
        let (mut tried, mut worse) = (0, 0);
        for asked in others {
            let Some(before) = self.ask(&live, asked).await?.filter(|by| *by != document) else {
                continue;
            };
            tried += 1;
            let now = self.ask(&with, asked).await?;
            worse += usize::from(now.is_none_or(|now| now == document && before != document));
        }
        beside.close().await;
        let count = Answered { answered, asked: questions.len() };
        Ok(Trial {
            at_ms: self.spine.clock.now_ms(),
            count: (questions.len() >= FEW).then_some(count),
            all: answered == questions.len() && !questions.is_empty(),
            none: answered == 0,
            others: tried,
            worse,
        })
    }

    /// A spine whose answers nobody hears: they show in no metric, call nothing and wait for no
    /// model.
    fn quiet(&self, retrieval: crate::retrieval::Retrieval) -> Spine {
        let metrics = Metrics::new();
        let mut spine = Spine {
            mode: Mode::Quote,
            metrics: metrics.clone(),
            actions: Actions::default(),
            ..self.spine.clone()
        };
        spine.retrieval = retrieval;
        spine.retrieval.metrics = metrics;
        spine
    }

    /// The document that answers a question, if one does. Visitors go first: where all places are
    /// taken, it waits.
    async fn ask(&self, spine: &Spine, asked: &str) -> anyhow::Result<Option<String>> {
        let ask = question(self.site, self.facts, self.language, Audience::Public, asked);
        for _ in 0..TRIES {
            match self.gate.enter(self.site) {
                Ok(ticket) => {
                    let answer =
                        ticket.run(None, self.timeout, async || attempt(spine, &ask).await).await;
                    return match answer {
                        Ok((_, verdict)) => Ok(cited(&verdict, self.min_confidence)),
                        Err(error @ (TurnError::Full(_) | TurnError::Gone)) => Err(error.into()),
                        Err(error) => {
                            tracing::warn!(%error, site = self.site, "a question of a trial could not be asked");
                            Ok(None)
                        }
                    };
                }
                Err(full) => tokio::time::sleep(Duration::from_millis(full.retry_after_ms)).await,
            }
        }
        anyhow::bail!("every place for answers is taken by visitors; try again later")
    }
}

fn cited(verdict: &Verdict, min_confidence: f32) -> Option<String> {
    answering(verdict, min_confidence).map(|citation| citation.document.clone())
}

/// Questions of the latest conversations that were answered from the documents, each text once.
///
/// # Errors
/// When the store fails.
pub async fn answered_lately(
    store: &Store,
    site: &str,
    min_confidence: f32,
) -> anyhow::Result<Vec<String>> {
    let query =
        SessionQuery { site: site.to_owned(), limit: CONVERSATIONS, after: None, since_ms: 0 };
    let mut found: Vec<String> = Vec::new();
    for info in store.sessions(query).await? {
        let records = store.read(site, &info.session, 0, &[RecordKind::Event]).await;
        let mut said: Option<(u64, String)> = None;
        for record in unless_damaged(records, site, &info.session)? {
            match Event::read(&record.body) {
                Ok(Some(Event::Said { text, .. })) => said = Some((record.seq, text)),
                Ok(Some(Event::AnswerDone {
                    turn,
                    citations,
                    confidence,
                    end: AnswerEnd::Complete,
                    ..
                })) => {
                    let Some((_, text)) = said.take_if(|(seq, _)| *seq == turn) else { continue };
                    if confidence >= min_confidence
                        && !citations.is_empty()
                        && !found.contains(&text)
                    {
                        found.push(text);
                    }
                }
                _ => {}
            }
        }
        if found.len() >= OTHERS {
            break;
        }
    }
    found.truncate(OTHERS);
    Ok(found)
}
