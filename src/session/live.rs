//! The task around a session: one mailbox, the running turn, the running draft, and everybody who
//! watches.
//!
//! Effects run in their order, and nothing after an `Append` happens before the record is on disk.
//! If the disk fails, the task tells everybody to come back, and ends: the next one reads the
//! session as the disk has it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Brief, Command, Effect, Holder, Profile, Session, Update};
use crate::conversation::{AnswerEnd, Checkpoint, Event, SessionKey, SuggestionId, Usage, Verdict};
use crate::intent::{self, Intent};
use crate::protocol::Partial;
use crate::retrieval::Audience;
use crate::session::mailbox::{BUSY_MS, CommandError, Envelope, Joined};
use crate::session::refusal::Accepted;
use crate::session::shared::{Shared, TypingMark};
use crate::signals::Signal;
use crate::store::{Record, RecordKind, StoreError};
use crate::suggest::{self, Drafted};
use crate::telemetry::{GaugeGuard, TurnEnd, TurnLabels, micros, seconds};
use crate::turn::gate::{Full, Ticket};
use crate::turn::{self, Ask, Outlet, Output, TurnError};

/// Updates a participant may be behind; one that is slower is cut off and resumes.
pub const PARTICIPANT_QUEUE: usize = 256;
/// Output of a turn that waits for its session.
const TURN_QUEUE: usize = 32;

/// Who watches a session. What is internal never enters a visitor's queue.
pub(super) struct Participant {
    updates: mpsc::Sender<Arc<Update>>,
    agent: bool,
}

/// Runs a session until nobody needs it.
pub(super) struct Live {
    pub(super) session: Session,
    pub(super) profile: Arc<Profile>,
    /// See [`Opener::language`](crate::session::mailbox::Opener).
    pub(super) language: Option<&'static str>,
    pub(super) shared: Arc<Shared>,
    pub(super) mailbox: mpsc::Receiver<Box<Envelope>>,
    pub(super) participants: Vec<Participant>,
    pub(super) turn: Option<Work<u64, Verdict>>,
    pub(super) draft: Option<Work<SuggestionId, Drafted>>,
    /// The answer that is owed was taken up by enough starts.
    pub(super) gives_up: bool,
    /// What an answer to the words in the visitor's composer would need is being computed ahead.
    pub(super) preparing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub(super) signals: Vec<Signal>,
    pub(super) intent: Intent,
    pub(super) _count: GaugeGuard,
}

/// An answer or a draft in the making. Dropping it stops it.
pub(super) struct Work<K, R> {
    key: K,
    outputs: mpsc::Receiver<Output>,
    work: Running<R>,
    since: std::time::Instant,
    _running: GaugeGuard,
}

impl<K, R> Work<K, R> {
    fn halves(
        work: &mut Option<Self>,
    ) -> (Option<&mut mpsc::Receiver<Output>>, Option<&mut Running<R>>) {
        work.as_mut().map_or((None, None), |work| (Some(&mut work.outputs), Some(&mut work.work)))
    }
}

type Running<R> = Pin<Box<dyn Future<Output = Result<R, TurnError>> + Send>>;

/// What woke the task.
enum Wake {
    Mail(Option<Box<Envelope>>),
    Output(Output),
    Finished(Result<Verdict, TurnError>),
    DraftOutput(Output),
    Drafted(Result<Drafted, TurnError>),
    Prepared,
    Tick,
    Idle,
}

impl Live {
    /// The task. Ends when the session was unused for a while, on [`Envelope::Stop`], and when the
    /// disk fails. What it does is boxed while it does it: most of the sessions in memory wait, and
    /// hold no room for the largest thing that could come.
    pub(super) async fn run(mut self: Box<Self>) {
        self.shared.board.note(&self.session, self.intent.score);
        if self.session.owes_answer() || self.session.owes_draft() {
            let command = if self.gives_up { Command::GiveUp } else { Command::Resume };
            if Box::pin(self.apply(command, None, None)).await.is_err() {
                return self.lose();
            }
        }
        let tick = Duration::from_millis(self.shared.config.checkpoint_ms);
        let idle = Duration::from_secs(self.shared.config.idle_s);
        let mut next_tick = Instant::now() + tick;
        let mut last_used = Instant::now();
        loop {
            let done = match self.wake(next_tick, last_used + idle).await {
                Wake::Mail(None) => return,
                Wake::Mail(Some(envelope)) => {
                    // Scoring does not count as activity.
                    if !matches!(*envelope, Envelope::Scored { .. }) {
                        last_used = Instant::now();
                    }
                    if matches!(*envelope, Envelope::Stop) {
                        Box::pin(self.save()).await;
                        return self.shared.forget(&self.session.key);
                    }
                    Box::pin(self.receive(*envelope)).await
                }
                Wake::Output(output) => Box::pin(self.relay(output)).await,
                Wake::Finished(result) => Box::pin(self.finish(result)).await,
                Wake::DraftOutput(output) => Box::pin(self.relay_draft(output)).await,
                Wake::Drafted(result) => Box::pin(self.finish_draft(result)).await,
                Wake::Prepared => {
                    self.preparing = None;
                    Ok(())
                }
                Wake::Tick => {
                    next_tick = Instant::now() + tick;
                    Box::pin(self.apply(Command::Checkpoint, None, None)).await
                }
                Wake::Idle
                    if self.is_unused()
                        && self.shared.retire(&self.session.key, &mut self.mailbox) =>
                {
                    return;
                }
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
        let (answering, drafting) = (self.turn.is_some(), self.draft.is_some());
        let (outputs, work) = Work::halves(&mut self.turn);
        let (draft_outputs, draft_work) = Work::halves(&mut self.draft);
        let preparing = self.preparing.as_mut();
        // Commands first: a cancel or a takeover stops the answer before its next word. Words
        // before the end: none is lost. Visitors before agents: a draft's words wait for an
        // answer's.
        tokio::select! {
            biased;
            mail = self.mailbox.recv() => Wake::Mail(mail),
            Some(output) = next(outputs) => Wake::Output(output),
            () = tokio::time::sleep_until(tick), if answering => Wake::Tick,
            result = end(work) => Wake::Finished(result),
            Some(output) = next(draft_outputs) => Wake::DraftOutput(output),
            result = end(draft_work) => Wake::Drafted(result),
            () = prepared(preparing) => Wake::Prepared,
            () = tokio::time::sleep_until(idle), if !answering && !drafting => Wake::Idle,
        }
    }

    async fn receive(&mut self, envelope: Envelope) -> Result<(), StoreError> {
        match envelope {
            Envelope::Join { agent, after, partial, language, reply } => {
                self.language = language.or(self.language);
                if let Err(error) = self.expire().await {
                    let _ = reply.send(Err(CommandError::Storage));
                    return Err(error);
                }
                // A read that failed says nothing about what is in memory: the session goes on, for
                // who joined before.
                let _ = reply.send(self.join(agent, after, partial).await.map_err(|error| match error {
                    StoreError::Overloaded { .. } => {
                        self.shared.metrics.refused_overload.inc();
                        CommandError::Overloaded { retry_after_ms: BUSY_MS }
                    }
                    error => {
                        tracing::error!(session = self.session.key.id, %error, "a conversation could not be read");
                        CommandError::Storage
                    }
                }));
                Ok(())
            }
            Envelope::Command { command, reply } => {
                let mut ticket = None;
                if self.shared.store.is_short_of_room() && !self.session.fits_the_reserve(&command)
                {
                    let _ = reply.send(Err(CommandError::Full));
                    return Ok(());
                }
                if !matches!(&command, Command::Say { id, .. } if self.session.knows(id)) {
                    self.expire().await?;
                }
                if matches!(command, Command::Say { .. }) {
                    self.preparing = None;
                }
                if let Command::Say { id, .. } = &command
                    && !self.session.knows(id)
                    && self.session.model_answers()
                {
                    match self.shared.gate.enter(&self.session.key.site) {
                        Ok(place) => ticket = Some(place),
                        Err(Full { retry_after_ms }) => {
                            self.shared.metrics.refused_overload.inc();
                            let _ = reply.send(Err(CommandError::Overloaded { retry_after_ms }));
                            return Ok(());
                        }
                    }
                }
                self.see_line();
                if let Some(deed) = self.session.deed(&command) {
                    let (site, visitor) = (&self.session.key.site, &self.session.visitor);
                    if let Err(refusal) =
                        self.shared.pace.visitor(site, visitor, deed, self.shared.clock.now_ms())
                    {
                        let _ = reply.send(Err(CommandError::Refused(refusal)));
                        return Ok(());
                    }
                }
                self.apply(command, ticket, Some(reply)).await
            }
            Envelope::Waiting { place, available } => {
                if matches!(self.session.holder, Holder::Queue { .. }) {
                    self.tell(Update::Waiting { place, available });
                }
                Ok(())
            }
            Envelope::Typed { text } => {
                self.prepare(text);
                Ok(())
            }
            Envelope::Typing { agent } => {
                self.pass_on_typing(agent.as_deref());
                Ok(())
            }
            Envelope::Scored { intent } => self.scored(intent).await,
            Envelope::Stop => Ok(()),
        }
    }

    /// Has the session know whether it could wait for a person.
    fn see_line(&mut self) {
        if self.session.holder == Holder::Model {
            let Session { key, visitor, .. } = &self.session;
            let places = self.shared.board.places(key, visitor, self.shared.waiting);
            self.session.see_line(places);
        }
    }

    /// Tells who may know that the visitor, or the agent, is typing. Agents who don't hold the
    /// session speak to no visitor.
    fn pass_on_typing(&mut self, agent: Option<&str>) {
        if self.session.ended {
            return;
        }
        match (agent, &self.session.holder) {
            (None, holder) => {
                if let Holder::Agent(holder) = holder {
                    // Nobody listens when no console is connected.
                    let (key, agent) = (self.session.key.clone(), holder.id.clone());
                    let _ = self.shared.typing.send(TypingMark { key, agent });
                }
                self.tell(Update::VisitorTyping);
            }
            (Some(agent), Holder::Agent(holder)) if holder.id == agent => {
                let name = holder.name.clone();
                self.tell(Update::AgentTyping { name });
            }
            (Some(_), _) => {}
        }
    }

    /// Takes up a purchase intent, and what follows from it.
    async fn scored(&mut self, intent: Intent) -> Result<(), StoreError> {
        if intent != self.intent {
            self.intent = intent.clone();
            self.tell(Update::Intent(intent.clone()));
            self.carry_out(Command::Scored { intent: intent.score }, None, None).await?;
        }
        self.shared.board.note(&self.session, self.intent.score);
        Ok(())
    }

    /// Carries out a command, and what follows from the purchase intent having changed.
    async fn apply(
        &mut self,
        command: Command,
        ticket: Option<Ticket>,
        reply: Option<oneshot::Sender<Result<Accepted, CommandError>>>,
    ) -> Result<(), StoreError> {
        let before = self.session.last_seq;
        self.carry_out(command, ticket, reply).await?;
        if self.session.last_seq == before {
            return Ok(());
        }
        // A model's score comes when the signals are on disk; until then the one before stands.
        let intent = if self.intent.version.is_some() {
            self.intent.clone()
        } else {
            intent::score(&self.signals)
        };
        self.scored(intent).await
    }

    /// Carries out a command's effects in order.
    async fn carry_out(
        &mut self,
        command: Command,
        ticket: Option<Ticket>,
        mut reply: Option<oneshot::Sender<Result<Accepted, CommandError>>>,
    ) -> Result<(), StoreError> {
        let now_ms = self.shared.clock.now_ms();
        if matches!(command, Command::Finish { .. } | Command::Scored { .. }) {
            self.see_line();
        }
        let effects = self.session.apply(command, now_ms);
        let mut ticket = ticket;
        let mut pending = Vec::new();
        let mut told = Vec::new();
        for effect in effects {
            // Appends of one command share a flush: they are handed over together and awaited
            // before anything is told.
            match effect {
                Effect::Append { seq, event } => {
                    pending.push(self.append(
                        seq,
                        now_ms,
                        RecordKind::Event,
                        serde_json::to_vec(&event),
                    ));
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
                    let ticket = ticket
                        .take()
                        .unwrap_or_else(|| self.shared.gate.enter_owed(&self.session.key.site));
                    self.start_turn(turn, question, written, ticket);
                }
                Effect::Amend { seq, event } => {
                    if let Err(error) = self.amend(seq, event, now_ms).await {
                        if let Some(reply) = reply.take() {
                            let _ = reply.send(Err(CommandError::Storage));
                        }
                        return Err(error);
                    }
                }
                Effect::StopTurn { turn } => {
                    self.turn.take_if(|running| running.key == turn);
                }
                Effect::StartDraft(brief) => self.start_draft(brief),
                Effect::StopDraft { id } => {
                    self.draft.take_if(|running| running.key == id);
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
            self.signals.extend(self.shared.signals.of(&self.session.key.site, &event));
            match &event {
                Event::Said { .. } => {
                    self.shared.metrics.messages.inc();
                }
                Event::AnswerDone { end, .. } => {
                    self.shared.metrics.turns.get_or_create(&TurnLabels { end: label(*end) }).inc();
                }
                Event::AgentSaid { .. } => {
                    // Nobody listens where no channel is configured.
                    let _ = self.shared.spoken.send(self.session.key.clone());
                }
                _ => {}
            }
            self.tell(Update::Event { seq, at_ms: now_ms, event });
        }
        Ok(())
    }

    /// Has nothing hold what an event said before: the log, the model's memory, knowledge gaps.
    /// Consoles are shown the event anew.
    async fn amend(&mut self, seq: u64, event: Event, at_ms: u64) -> Result<(), StoreError> {
        let key = &self.session.key;
        // An event always serialises, as in `append`.
        let body = serde_json::to_vec(&event).unwrap_or_default();
        self.shared.store.amend(&key.site, &key.id, seq, body).await?;
        self.shared.spine.llm.forget(key);
        self.shared.gaps.forget_turn(key, seq).await?;
        self.shared.board.note(&self.session, self.intent.score);
        self.tell(Update::Event { seq, at_ms, event });
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
        // Events are plain data: they always serialise. An empty body would be refused by whoever
        // reads it.
        let body = body.unwrap_or_default();
        self.shared.store.append(Record { site, session: id, seq, at_ms, kind, body })
    }

    /// Hands a checkpoint to the store. Nobody waits for it; one that is refused is written with
    /// the next.
    fn checkpoint(&mut self, checkpoint: &Checkpoint, now_ms: u64) {
        let append = self.append(
            self.session.last_seq,
            now_ms,
            RecordKind::Partial,
            serde_json::to_vec(checkpoint),
        );
        if let Some(Err(_)) = append.now_or_never() {
            self.session.checkpoint_refused(checkpoint);
        }
    }

    /// Checkpoints what was written and waits for it.
    async fn save(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        self.turn = None;
        self.draft = None;
        for effect in self.session.apply(Command::Checkpoint, now_ms) {
            if let Effect::Checkpoint(checkpoint) = effect {
                let body = serde_json::to_vec(&checkpoint);
                if let Err(error) =
                    self.append(self.session.last_seq, now_ms, RecordKind::Partial, body).await
                {
                    tracing::warn!(session = self.session.key.id, %error, "a running answer was not checkpointed at shutdown");
                }
            }
        }
        self.tell(Update::Lost);
    }

    async fn join(
        &mut self,
        agent: bool,
        after: u64,
        partial: Option<Partial>,
    ) -> Result<Joined, StoreError> {
        let (missed, rest_after) = match self.session.last_seq {
            last if after < last => {
                self.shared.missed(&self.session.key, agent, after, last).await?
            }
            _ => (Vec::new(), None),
        };
        let running = self.session.running.as_ref().map(|running| {
            let has = partial
                .filter(|partial| partial.turn == running.turn)
                .map_or(0, |partial| partial.offset.min(running.chars));
            let skipped = usize::try_from(has).unwrap_or(usize::MAX);
            (running.turn, has, running.text.chars().skip(skipped).collect())
        });
        let (sender, updates) = mpsc::channel(PARTICIPANT_QUEUE);
        self.participants.retain(|participant| !participant.updates.is_closed());
        if let Some((place, available)) =
            self.shared.board.waiting(&self.session.key).filter(|_| !agent)
        {
            // The queue is new and empty: there is room.
            let _ = sender.try_send(Arc::new(Update::Waiting { place, available }));
        }
        self.participants.push(Participant { updates: sender, agent });
        Ok(Joined {
            last_seq: self.session.last_seq,
            ended: self.session.ended,
            missed,
            rest_after,
            running,
            draft: self.session.draft.clone().filter(|_| agent),
            summary: self.shared.board.summary(&self.session, self.intent.score),
            intent: self.intent.clone(),
            updates,
        })
    }

    /// Ends a conversation that nobody used for too long.
    async fn expire(&mut self) -> Result<(), StoreError> {
        let limit_ms = self.shared.config.expire_after_h.saturating_mul(3_600_000);
        let session = &self.session;
        let old = session.last_seq > 0
            && !session.ended
            && session.last_word_at_ms + limit_ms <= self.shared.clock.now_ms();
        if old {
            self.apply(Command::End { reason: "expired".into() }, None, None).await
        } else {
            Ok(())
        }
    }

    fn start_turn(&mut self, turn: u64, question: String, written: String, ticket: Ticket) {
        let ask = self.ask(question, written, Audience::Public);
        let (sender, outputs) = mpsc::channel(TURN_QUEUE);
        let shared = self.shared.clone();
        let limit = shared.answer_timeout;
        let work = async move {
            let mut outlet = Outlet::new(sender.clone(), shared.metrics.clone());
            let answer = async || {
                let first = turn::caught(turn::answer(&shared.spine, &ask, &mut outlet)).await;
                // Once more from the start, unless something of it was seen.
                match first {
                    Err(TurnError::Panicked) if outlet.is_silent() => {
                        turn::caught(turn::answer(&shared.spine, &ask, &mut outlet)).await
                    }
                    first => first,
                }
            };
            let answered = ticket.run(Some(sender), limit, answer).await;
            if let Err(error) = &answered {
                turn::excuse(&shared.spine, &ask, error, &mut outlet).await;
            }
            answered
        };
        self.turn = Some(Work {
            key: turn,
            outputs,
            work: Box::pin(work),
            since: std::time::Instant::now(),
            _running: GaugeGuard::new(&self.shared.metrics.turns_running),
        });
    }

    /// Computes ahead what an answer to these words would need, in place of what was being
    /// prepared. Nothing of it is kept but vectors under hashes.
    fn prepare(&mut self, text: String) {
        let idle = self.turn.is_none() && !self.session.ended && self.session.model_answers();
        self.preparing = (idle && !text.trim().is_empty()).then(|| {
            let ask =
                self.ask_after(self.session.lines.len(), text, String::new(), Audience::Public);
            let spine = self.shared.spine.clone();
            Box::pin(async move {
                // Whoever asks next finds out by itself what doesn't work.
                let _ = turn::caught(async { Ok(turn::prepare(&spine, &ask).await?) }).await;
            }) as _
        });
    }

    /// Drafts take their places in the same line as answers. A full line costs a draft, never a
    /// message.
    fn start_draft(&mut self, brief: Brief) {
        let Brief { id, wish, language, question, base } = brief;
        let ticket = self.shared.gate.enter(&self.session.key.site);
        let ask = self.ask(question, String::new(), Audience::Agents);
        let (sender, outputs) = mpsc::channel(TURN_QUEUE);
        let shared = self.shared.clone();
        let limit = shared.answer_timeout;
        let work = async move {
            let draft = async move || {
                let mut outlet = Outlet::new(sender, shared.metrics.clone());
                let wanted = suggest::Wanted {
                    ask: &ask,
                    wish,
                    language: language.as_deref(),
                    base: base.as_ref(),
                };
                turn::caught(suggest::draft(&shared.spine, &wanted, &mut outlet)).await
            };
            ticket?.run(None, limit, draft).await
        };
        self.draft = Some(Work {
            key: id,
            outputs,
            work: Box::pin(work),
            since: std::time::Instant::now(),
            _running: GaugeGuard::new(&self.shared.metrics.drafts_running),
        });
    }

    fn ask(&self, question: String, written: String, audience: Audience) -> Ask {
        let lines = &self.session.lines;
        // What was said before the visitor's last message; a reply to it that was cut is no part of
        // its own question's history.
        let before = lines.iter().rposition(|line| line.by_visitor).unwrap_or(lines.len());
        self.ask_after(before, question, written, audience)
    }

    /// `ask` for a question after the first `before` lines.
    fn ask_after(
        &self,
        before: usize,
        question: String,
        written: String,
        audience: Audience,
    ) -> Ask {
        Ask {
            site: self.session.key.site.clone(),
            session: Some(self.session.key.clone()),
            facts: self.profile.facts_in(&self.session.channel),
            language: self.language.map_or_else(|| self.profile.language.clone(), str::to_owned),
            audience,
            history: self.session.lines.get(..before).unwrap_or_default().to_vec(),
            question,
            written,
            sampling: None,
            max_tokens: None,
            stop: Vec::new(),
            request: None,
            beside: String::new(),
        }
    }

    async fn relay_draft(&mut self, output: Output) -> Result<(), StoreError> {
        let Some(id) = self.draft.as_ref().map(|draft| draft.key) else { return Ok(()) };
        match output {
            Output::Text(text) => self.apply(Command::WriteDraft { id, text }, None, None).await,
            Output::Citation(citation) => {
                self.tell(Update::DraftCitation { id, citation });
                Ok(())
            }
            Output::Queued { .. } | Output::Thinking | Output::Withheld { .. } => Ok(()),
        }
    }

    async fn finish_draft(&mut self, result: Result<Drafted, TurnError>) -> Result<(), StoreError> {
        let Some(mut draft) = self.draft.take() else { return Ok(()) };
        let id = draft.key;
        while let Ok(output) = draft.outputs.try_recv() {
            if let Output::Text(text) = output {
                self.apply(Command::WriteDraft { id, text }, None, None).await?;
            } else if let Output::Citation(citation) = output {
                self.tell(Update::DraftCitation { id, citation });
            }
        }
        self.shared.metrics.draft_seconds.observe(seconds(draft.since));
        let command = match result {
            Ok(Drafted::Made { verdict, note }) => Command::FinishDraft { id, verdict, note },
            Ok(Drafted::Unchanged(why)) => Command::DropDraft { id, why: why.name().to_owned() },
            Err(error) => {
                tracing::warn!(session = self.session.key.id, turn = id.turn, %error, "a draft failed");
                Command::DropDraft { id, why: format!("the draft could not be made: {error}") }
            }
        };
        self.apply(command, None, None).await
    }

    async fn relay(&mut self, output: Output) -> Result<(), StoreError> {
        let Some(turn) = self.turn.as_ref().map(|turn| turn.key) else { return Ok(()) };
        match output {
            Output::Text(text) => {
                return self.apply(Command::Write { turn, text }, None, None).await;
            }
            Output::Queued { place } => self.tell(Update::Queued { turn, place }),
            Output::Thinking => self.tell(Update::Thinking { turn }),
            Output::Citation(citation) => self.tell(Update::Citation { turn, citation }),
            Output::Withheld { reason, .. } => self.tell(Update::Withheld { turn, reason }),
        }
        Ok(())
    }

    async fn finish(&mut self, result: Result<Verdict, TurnError>) -> Result<(), StoreError> {
        let Some(mut turn) = self.turn.take() else { return Ok(()) };
        while let Ok(output) = turn.outputs.try_recv() {
            if let Output::Text(text) = output {
                self.apply(Command::Write { turn: turn.key, text }, None, None).await?;
            } else if let Output::Citation(citation) = output {
                self.tell(Update::Citation { turn: turn.key, citation });
            }
        }
        let verdict = result.unwrap_or_else(|error| {
            tracing::error!(session = self.session.key.id, turn = turn.key, %error, "an answer failed");
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
        self.apply(Command::Finish { turn: turn.key, verdict }, None, None).await
    }

    fn tell(&mut self, update: Update) {
        let update = Arc::new(update);
        let metrics = &self.shared.metrics;
        let (internal, passing) = (update.is_internal(), update.is_passing());
        self.participants.retain(|participant| {
            if internal && !participant.agent {
                return true;
            }
            // It must not take the place of something that counts.
            if passing && participant.updates.capacity() < PARTICIPANT_QUEUE / 2 {
                return true;
            }
            match participant.updates.try_send(update.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    metrics.slow_readers.inc();
                    false
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
    }

    fn is_unused(&mut self) -> bool {
        self.participants.retain(|participant| !participant.updates.is_closed());
        self.turn.is_none() && self.draft.is_none() && self.participants.is_empty()
    }

    /// The disk failed: everybody is told to come back, and the session's state in memory is
    /// forgotten.
    fn lose(mut self: Box<Self>) {
        tracing::error!(
            session = self.session.key.id,
            "a session's events could not be stored; its clients are told to come back"
        );
        self.tell(Update::Lost);
        self.shared.forget(&self.session.key);
    }
}

/// What a piece of work writes next; never ready without one.
async fn next(outputs: Option<&mut mpsc::Receiver<Output>>) -> Option<Output> {
    match outputs {
        Some(outputs) => outputs.recv().await,
        None => std::future::pending().await,
    }
}

/// When what was prepared is there; never if nothing is.
async fn prepared(preparing: Option<&mut Pin<Box<dyn Future<Output = ()> + Send>>>) {
    match preparing {
        Some(preparing) => preparing.await,
        None => std::future::pending().await,
    }
}

/// How a piece of work ends; never ready without one.
async fn end<R>(work: Option<&mut Running<R>>) -> Result<R, TurnError> {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

fn label(end: AnswerEnd) -> TurnEnd {
    match end {
        AnswerEnd::Complete => TurnEnd::Complete,
        AnswerEnd::Length => TurnEnd::Length,
        AnswerEnd::Declined => TurnEnd::Declined,
        AnswerEnd::Clarified => TurnEnd::Clarified,
        AnswerEnd::SmallTalk => TurnEnd::SmallTalk,
        AnswerEnd::Cancelled => TurnEnd::Cancelled,
        AnswerEnd::Superseded => TurnEnd::Superseded,
        AnswerEnd::TakenOver => TurnEnd::TakenOver,
        AnswerEnd::Failed => TurnEnd::Failed,
        AnswerEnd::Unknown => TurnEnd::Unknown,
    }
}
