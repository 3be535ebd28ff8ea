//! The task around a session: one mailbox, the running turn, and everybody who watches.
//!
//! Effects run in their order, and nothing after an `Append` happens before the record is on disk. If the disk fails, the
//! task tells everybody to come back, and ends: the next one reads the session as the disk has it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::registry::Shared;
use super::{Accepted, Checkpoint, Command, Effect, Event, Refusal, Session, SessionKey, Update, Verdict};
use crate::http::auth::Site;
use crate::llm::Usage;
use crate::protocol::{AnswerEnd, Partial};
use crate::store::{Record, RecordKind, StoreError};
use crate::telemetry::{GaugeGuard, TurnEnd, TurnLabels, micros, seconds};
use crate::turn::gate::{Full, Ticket};
use crate::turn::{self, Ask, Outlet, Output, TurnError};

/// Updates a participant may be behind; one that is slower is cut off and resumes.
pub const PARTICIPANT_QUEUE: usize = 256;
/// Commands that wait for one session; senders wait beyond that.
pub(super) const MAILBOX: usize = 32;
/// Output of a turn that waits for its session.
const TURN_QUEUE: usize = 32;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("every place for answers is taken; try again in {retry_after_ms} ms")]
    Overloaded { retry_after_ms: u64 },
    #[error("the conversation can't be stored now")]
    Storage,
    #[error("the server restarts; reconnect and resume")]
    Draining,
}

/// What a participant gets when it joins: all it missed, and then updates.
#[derive(Debug)]
pub struct Joined {
    pub last_seq: u64,
    pub ended: bool,
    pub missed: Vec<(u64, Event)>,
    /// The running answer from the offset on that the participant has: turn, offset and text.
    pub running: Option<(u64, u64, String)>,
    pub updates: mpsc::Receiver<Arc<Update>>,
}

/// What arrives in a session's mailbox.
pub(super) enum Envelope {
    Join {
        after: u64,
        partial: Option<Partial>,
        reply: oneshot::Sender<Result<Joined, CommandError>>,
    },
    Command {
        command: Command,
        reply: oneshot::Sender<Result<Accepted, CommandError>>,
    },
    /// Checkpoint and end; the running answer is continued by the next start.
    Stop,
}

/// Runs a session until nobody needs it.
pub(super) struct Live {
    pub(super) session: Session,
    pub(super) site: Arc<Site>,
    pub(super) shared: Arc<Shared>,
    pub(super) mailbox: mpsc::Receiver<Box<Envelope>>,
    pub(super) participants: Vec<mpsc::Sender<Arc<Update>>>,
    pub(super) turn: Option<Turn>,
    pub(super) _count: GaugeGuard,
}

/// An answer in the making.
pub(super) struct Turn {
    turn: u64,
    outputs: mpsc::Receiver<Output>,
    work: Pin<Box<dyn Future<Output = Result<Verdict, TurnError>> + Send>>,
    since: std::time::Instant,
    _running: GaugeGuard,
}

/// What woke the task.
enum Wake {
    Mail(Option<Box<Envelope>>),
    Output(Output),
    Finished(Result<Verdict, TurnError>),
    Tick,
    Idle,
}

impl Live {
    /// The task. Ends when the session was unused for a while, on [`Envelope::Stop`], and when the disk fails.
    pub(super) async fn run(mut self) {
        if self.session.owes_answer() && self.apply(Command::Resume, None, None).await.is_err() {
            return self.lose();
        }
        let tick = Duration::from_millis(self.shared.config.checkpoint_ms);
        let idle = Duration::from_secs(self.shared.config.idle_s);
        let mut next_tick = Instant::now() + tick;
        let mut last_used = Instant::now();
        loop {
            let done = match self.wake(next_tick, last_used + idle).await {
                Wake::Mail(None) => return,
                Wake::Mail(Some(envelope)) => {
                    last_used = Instant::now();
                    if matches!(*envelope, Envelope::Stop) {
                        self.save().await;
                        return self.shared.forget(&self.session.key);
                    }
                    self.receive(*envelope).await
                }
                Wake::Output(output) => self.relay(output).await,
                Wake::Finished(result) => self.finish(result).await,
                Wake::Tick => {
                    next_tick = Instant::now() + tick;
                    self.apply(Command::Checkpoint, None, None).await
                }
                Wake::Idle if self.is_unused() && self.shared.retire(&self.session.key, &mut self.mailbox) => return,
                Wake::Idle => {
                    last_used = Instant::now();
                    Ok(())
                }
            };
            if done.is_err() {
                return self.lose();
            }
        }
    }

    async fn wake(&mut self, tick: Instant, idle: Instant) -> Wake {
        let Some(turn) = &mut self.turn else {
            return tokio::select! {
                mail = self.mailbox.recv() => Wake::Mail(mail),
                () = tokio::time::sleep_until(idle) => Wake::Idle,
            };
        };
        // Commands first: a cancel stops the answer before its next word. Words before the end: none is lost.
        tokio::select! {
            biased;
            mail = self.mailbox.recv() => Wake::Mail(mail),
            Some(output) = turn.outputs.recv() => Wake::Output(output),
            () = tokio::time::sleep_until(tick) => Wake::Tick,
            result = &mut turn.work => Wake::Finished(result),
        }
    }

    async fn receive(&mut self, envelope: Envelope) -> Result<(), StoreError> {
        match envelope {
            Envelope::Join { after, partial, reply } => {
                let joined = self.join(after, partial).await;
                let failed = joined.is_err();
                let _ = reply.send(joined.map_err(|_| CommandError::Storage));
                if failed { Err(StoreError::Closed) } else { Ok(()) }
            }
            Envelope::Command { command, reply } => {
                let mut ticket = None;
                if let Command::Say { id, text } = &command {
                    let known = self.session.knows(id);
                    if !known {
                        self.expire().await?;
                        match self.shared.gate.enter() {
                            Ok(place) => ticket = Some(place),
                            Err(Full { retry_after_ms }) => {
                                self.shared.metrics.refused_overload.inc();
                                let _ = reply.send(Err(CommandError::Overloaded { retry_after_ms }));
                                return Ok(());
                            }
                        }
                        if crate::handoff::asks_for_person(text) && !self.session.ended && !self.session.human_requested
                        {
                            self.apply(Command::RequestHuman, None, None).await?;
                        }
                    }
                }
                self.apply(command, ticket, Some(reply)).await
            }
            Envelope::Stop => Ok(()),
        }
    }

    /// Carries out a command's effects in order.
    async fn apply(
        &mut self,
        command: Command,
        ticket: Option<Ticket>,
        mut reply: Option<oneshot::Sender<Result<Accepted, CommandError>>>,
    ) -> Result<(), StoreError> {
        let now_ms = self.shared.clock.now_ms();
        let effects = self.session.apply(command, now_ms);
        let mut ticket = ticket;
        let mut pending = Vec::new();
        let mut told = Vec::new();
        for effect in effects {
            // Appends of one command share a flush: they are handed over together and awaited before anything is told.
            match effect {
                Effect::Append { seq, event } => {
                    pending.push(self.append(seq, now_ms, RecordKind::Event, serde_json::to_vec(&event)));
                    told.push((seq, event));
                    continue;
                }
                Effect::Tell(Update::Event { .. }) if !pending.is_empty() => continue,
                _ => {}
            }
            if let Err(error) = self.settle(&mut pending, &mut told, now_ms).await {
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Err(CommandError::Storage));
                }
                return Err(error);
            }
            match effect {
                Effect::Checkpoint(checkpoint) => self.checkpoint(&checkpoint, now_ms),
                Effect::Tell(update) => self.tell(update),
                Effect::Reply(result) => {
                    if let Some(reply) = reply.take() {
                        let _ = reply.send(result.map_err(CommandError::Refused));
                    }
                }
                Effect::StartTurn { turn, question, written } => {
                    let ticket = ticket.take().unwrap_or_else(|| self.shared.gate.enter_owed());
                    self.start_turn(turn, question, written, ticket);
                }
                Effect::StopTurn { turn } => {
                    self.turn.take_if(|running| running.turn == turn);
                }
                Effect::Append { .. } => {}
            }
        }
        self.settle(&mut pending, &mut told, now_ms).await
    }

    /// Waits until what was handed to the store is on disk, then tells everybody.
    async fn settle(
        &mut self,
        pending: &mut Vec<impl Future<Output = Result<(), StoreError>>>,
        told: &mut Vec<(u64, Event)>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        if !pending.is_empty() {
            let since = std::time::Instant::now();
            for append in pending.drain(..) {
                append.await?;
                self.shared.metrics.append_seconds.observe(seconds(since));
            }
            self.shared.metrics.disk_us.inc_by(micros(since));
        }
        for (seq, event) in told.drain(..) {
            self.shared.signals.note(&self.session.key, seq, now_ms, &event);
            self.shared.gaps.note(&self.session.key, now_ms, &event);
            match &event {
                Event::Said { .. } => {
                    self.shared.metrics.messages.inc();
                }
                Event::AnswerDone { end, .. } => {
                    self.shared.metrics.turns.get_or_create(&TurnLabels { end: label(*end) }).inc();
                }
                _ => {}
            }
            self.tell(Update::Event { seq, event });
        }
        Ok(())
    }

    fn append(
        &self,
        seq: u64,
        at_ms: u64,
        kind: RecordKind,
        body: serde_json::Result<Vec<u8>>,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let SessionKey { site, id } = self.session.key.clone();
        // Events are plain data: they always serialise. An empty body would be refused by whoever reads it.
        let body = body.unwrap_or_default();
        self.shared.store.append(Record { site, session: id, seq, at_ms, kind, body })
    }

    /// Hands a checkpoint to the store. Nobody waits for it; one that is refused is written with the next.
    fn checkpoint(&mut self, checkpoint: &Checkpoint, now_ms: u64) {
        let append = self.append(self.session.last_seq, now_ms, RecordKind::Partial, serde_json::to_vec(checkpoint));
        if let Some(Err(_)) = append.now_or_never() {
            self.session.checkpoint_refused(checkpoint);
        }
    }

    /// Checkpoints what was written and waits for it.
    async fn save(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        self.turn = None;
        for effect in self.session.apply(Command::Checkpoint, now_ms) {
            if let Effect::Checkpoint(checkpoint) = effect {
                let body = serde_json::to_vec(&checkpoint);
                if let Err(error) = self.append(self.session.last_seq, now_ms, RecordKind::Partial, body).await {
                    tracing::warn!(session = self.session.key.id, %error, "a running answer was not checkpointed at shutdown");
                }
            }
        }
        self.tell(Update::Lost);
    }

    async fn join(&mut self, after: u64, partial: Option<Partial>) -> Result<Joined, StoreError> {
        self.expire().await?;
        let SessionKey { site, id } = &self.session.key;
        let mut missed = Vec::new();
        if after < self.session.last_seq {
            for record in self.shared.store.read(site, id, after, &[RecordKind::Event]).await? {
                if let Ok(event) = serde_json::from_slice(&record.body) {
                    missed.push((record.seq, event));
                }
            }
        }
        let running = self.session.running.as_ref().map(|running| {
            let has = partial
                .filter(|partial| partial.turn == running.turn)
                .map_or(0, |partial| partial.offset.min(running.chars));
            let skipped = usize::try_from(has).unwrap_or(usize::MAX);
            (running.turn, has, running.text.chars().skip(skipped).collect())
        });
        let (sender, updates) = mpsc::channel(PARTICIPANT_QUEUE);
        self.participants.retain(|participant| !participant.is_closed());
        self.participants.push(sender);
        Ok(Joined { last_seq: self.session.last_seq, ended: self.session.ended, missed, running, updates })
    }

    /// Ends a conversation that nobody used for too long.
    async fn expire(&mut self) -> Result<(), StoreError> {
        let limit_ms = self.shared.config.expire_after_h.saturating_mul(3_600_000);
        let session = &self.session;
        let old = session.last_seq > 0 && !session.ended && session.last_at_ms + limit_ms <= self.shared.clock.now_ms();
        if old { self.apply(Command::End { reason: "expired".into() }, None, None).await } else { Ok(()) }
    }

    fn start_turn(&mut self, turn: u64, question: String, written: String, mut ticket: Ticket) {
        let mut history = self.session.lines.clone();
        if history.last().is_some_and(|line| line.by_visitor) {
            history.pop();
        }
        let ask = Ask {
            site: self.session.key.site.clone(),
            facts: self.site.facts(),
            language: self.site.language.clone(),
            audience: crate::retrieval::Audience::Public,
            history,
            question,
            written,
            sampling: None,
            max_tokens: None,
            stop: Vec::new(),
        };
        let (sender, outputs) = mpsc::channel(TURN_QUEUE);
        let shared = self.shared.clone();
        let limit = shared.answer_timeout;
        let work = async move {
            let mut place = ticket.place();
            while place > 0 {
                sender.send(Output::Queued { place }).await.map_err(|_| TurnError::Gone)?;
                place = ticket.moved().await;
            }
            ticket.started();
            let mut outlet = Outlet::new(sender, shared.metrics.clone());
            tokio::time::timeout(limit, turn::answer(&shared.spine, &ask, &mut outlet))
                .await
                .unwrap_or_else(|_| Err(crate::llm::LlmError::Engine("it took too long".into()).into()))
        };
        self.turn = Some(Turn {
            turn,
            outputs,
            work: Box::pin(work),
            since: std::time::Instant::now(),
            _running: GaugeGuard::new(&self.shared.metrics.turns_running),
        });
    }

    async fn relay(&mut self, output: Output) -> Result<(), StoreError> {
        let Some(turn) = self.turn.as_ref().map(|turn| turn.turn) else { return Ok(()) };
        match output {
            Output::Text(text) => return self.apply(Command::Write { turn, text }, None, None).await,
            Output::Queued { place } => self.tell(Update::Queued { turn, place }),
            Output::Citation(citation) => self.tell(Update::Citation { turn, citation }),
            Output::Withheld { reason, .. } => self.tell(Update::Withheld { turn, reason }),
        }
        Ok(())
    }

    async fn finish(&mut self, result: Result<Verdict, TurnError>) -> Result<(), StoreError> {
        let Some(mut turn) = self.turn.take() else { return Ok(()) };
        while let Ok(output) = turn.outputs.try_recv() {
            if let Output::Text(text) = output {
                self.apply(Command::Write { turn: turn.turn, text }, None, None).await?;
            } else if let Output::Citation(citation) = output {
                self.tell(Update::Citation { turn: turn.turn, citation });
            }
        }
        let verdict = result.unwrap_or_else(|error| {
            tracing::error!(session = self.session.key.id, turn = turn.turn, %error, "an answer failed");
            Verdict {
                citations: Vec::new(),
                confidence: 0.0,
                usage: Usage::default(),
                end: AnswerEnd::Failed,
                withheld: 0,
            }
        });
        let metrics = &self.shared.metrics;
        metrics.turn_seconds.observe(seconds(turn.since));
        metrics.prompt_tokens.inc_by(u64::from(verdict.usage.prompt_tokens));
        metrics.cached_tokens.inc_by(u64::from(verdict.usage.cached_tokens));
        metrics.completion_tokens.inc_by(u64::from(verdict.usage.completion_tokens));
        self.apply(Command::Finish { turn: turn.turn, verdict }, None, None).await
    }

    fn tell(&mut self, update: Update) {
        let update = Arc::new(update);
        let metrics = &self.shared.metrics;
        self.participants.retain(|participant| match participant.try_send(update.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                metrics.slow_readers.inc();
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
    }

    fn is_unused(&mut self) -> bool {
        self.participants.retain(|participant| !participant.is_closed());
        self.turn.is_none() && self.participants.is_empty()
    }

    /// The disk failed: everybody is told to come back, and the session's state in memory is forgotten.
    fn lose(mut self) {
        tracing::error!(
            session = self.session.key.id,
            "a session's events could not be stored; its clients are told to come back"
        );
        self.tell(Update::Lost);
        self.shared.forget(&self.session.key);
    }
}

fn label(end: AnswerEnd) -> TurnEnd {
    match end {
        AnswerEnd::Complete => TurnEnd::Complete,
        AnswerEnd::Length => TurnEnd::Length,
        AnswerEnd::Declined => TurnEnd::Declined,
        AnswerEnd::Clarified => TurnEnd::Clarified,
        AnswerEnd::Cancelled => TurnEnd::Cancelled,
        AnswerEnd::Superseded => TurnEnd::Superseded,
        AnswerEnd::Failed => TurnEnd::Failed,
    }
}
