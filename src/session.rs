//! One visitor's conversation: `apply(command) → effects`, pure. No protocol, no clock, no disk.
//!
//! Who may answer is one token that a session always has exactly one of: the model, the line of
//! those who wait for a person, or one agent ([`Holder`]). What the model drafts while a person has
//! it is a suggestion, which no visitor sees.
//!
//! The task around it ([`live`]) runs the effects in order; an `Append` is on disk before any later
//! effect is seen by anybody, which is how "acknowledged" comes to mean "stored".

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conversation::{
    Agent, AnswerEnd, Checkpoint, Citation, Decision, DraftNote, Event, GiveTo, HandoffReason,
    LeaveReason, Line, Made, Rating, SessionKey, Speaker, SuggestionId, Usage, Verdict, Wish,
};
use crate::handoff::{HandoffConfig, Memory};
use crate::prompt::SiteFacts;
use crate::session::refusal::{Accepted, Deed, Refusal};

pub mod board;
pub mod desk;
pub mod live;
pub mod mailbox;
pub mod pace;
pub mod refusal;
pub mod registry;
pub mod retention;
pub mod shared;

/// `[sessions]`: how long conversations live and how much one may say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// Hours without a word after which a session ends; the visitor's next message begins a new
    /// one.
    pub expire_after_h: u64,
    /// Days after which an ended session is erased from disk. 0 keeps everything.
    pub retain_days: u64,
    /// Sessions of a site that one look at what is to be erased, each hour, erases at most; the
    /// rest waits for the next. A wrong clock or a wrong `retain_days` can be noticed while most is
    /// still there. 0 sets no limit.
    pub erase_per_hour: u64,
    /// Starts of the server after a crash that take up an answer which got no further since; what
    /// ends the process each time is given up then. Drafts aren't counted. Higher keeps more
    /// answers of a server that is killed from outside again and again.
    pub answer_tries: u32,
    /// Messages a visitor may send in a minute, in all conversations together; one more is refused
    /// with the time to wait. 0 sets no limit.
    pub messages_per_minute: u32,
    /// What else of a visitor's is stored, in a minute: ratings, clicks on products, asking for a
    /// person, ending a conversation, coming back to one with attributes. One more is refused with
    /// the time to wait. 0 sets no limit.
    pub events_per_minute: u32,
    /// New visitors, who show no token, that one network address may bring in a minute; one more is
    /// refused with the time to wait. Lower keeps one machine from being many visitors, and may
    /// refuse people who share an address. Addresses of this machine and of private networks aren't
    /// counted, since a proxy there speaks for everybody: a proxy on this machine names the
    /// visitor's in `X-Forwarded-For`. Where a proxy elsewhere with a public address speaks for
    /// everybody, set 0, which sets no limit.
    pub newcomers_per_minute: u32,
    /// Times that a visitor may connect in a minute, by sockets and by messages over HTTP; one more
    /// is refused with the time to wait. Each may read a whole conversation. 0 sets no limit.
    pub connections_per_minute: u32,
    /// Messages a session may hold; one more is refused and a new session is to be begun.
    pub max_messages: usize,
    /// Longest time between two checkpoints of a running answer, in milliseconds. After a crash at
    /// most this much of an answer is written again.
    pub checkpoint_ms: u64,
    /// Seconds an unused session stays in memory.
    pub idle_s: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            expire_after_h: 24,
            retain_days: 365,
            erase_per_hour: 5_000,
            answer_tries: 5,
            messages_per_minute: 20,
            events_per_minute: 30,
            newcomers_per_minute: 300,
            connections_per_minute: 60,
            max_messages: 1_000,
            checkpoint_ms: 250,
            idle_s: 60,
        }
    }
}

/// Who may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Model,
    /// A person is wanted.
    Queue {
        reason: HandoffReason,
    },
    Agent(Agent),
}

/// How a site wants its sessions to be answered.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Nothing is sent without a person.
    pub suggest: bool,
    pub handoff: Arc<HandoffConfig>,
}

/// What sessions know of their site.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What templates may say about it.
    pub facts: SiteFacts,
    /// ISO 639-1 code of the language used where a question's own can't be told.
    pub language: String,
    /// The channel whose own address is the site's contact, if one's is: whoever writes there
    /// needn't be told to.
    pub contact_channel: Option<&'static str>,
    pub policy: Policy,
}

impl Profile {
    /// What templates may say about the site in a conversation of a channel.
    #[must_use]
    pub fn facts_in(&self, channel: &str) -> SiteFacts {
        let contact = if self.contact_channel == Some(channel) {
            String::new()
        } else {
            self.facts.contact.clone()
        };
        SiteFacts { contact, ..self.facts.clone() }
    }
}

/// Whether a conversation may take a place in the line for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Places {
    #[default]
    Open,
    /// As many wait as may.
    Full { waiting: usize },
    /// The visitor has a place there with another conversation.
    Taken,
}

impl Places {
    fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Open => None,
            Self::Full { waiting } => Some(Refusal::LineFull { waiting }),
            Self::Taken => Some(Refusal::WaitsElsewhere),
        }
    }
}

/// What somebody wants of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Say {
        id: String,
        text: String,
    },
    Cancel {
        turn: u64,
    },
    /// The visitor took back some of what stands at `seq`, or all of it: `left` is what is left of
    /// `before`.
    TakeBack {
        seq: u64,
        before: String,
        left: Option<String>,
    },
    RequestHuman,
    Feedback {
        turn: u64,
        rating: Rating,
        text: Option<String>,
    },
    End {
        reason: String,
    },
    /// A running turn wrote more.
    Write {
        turn: u64,
        text: String,
    },
    /// A running turn is over.
    Finish {
        turn: u64,
        verdict: Verdict,
    },
    /// Checkpoint what was written since the last time.
    Checkpoint,
    /// Go on with an answer that a crash cut.
    Resume,
    /// Give that answer up: it ended the process each time.
    GiveUp,
    /// What an agent does, or what is done about one.
    Agent(AgentCommand),
    /// What the purchase intent is by now.
    Scored {
        intent: f32,
    },
    /// A running draft wrote more.
    WriteDraft {
        id: SuggestionId,
        text: String,
    },
    FinishDraft {
        id: SuggestionId,
        verdict: Verdict,
        note: Option<DraftNote>,
    },
    /// A draft could not be made.
    DropDraft {
        id: SuggestionId,
        why: String,
    },
}

/// What agents do with a session, and routing for them.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentCommand {
    /// An agent takes the session; `by` assigned it, and that only from the line.
    Take {
        agent: Agent,
        by: Option<String>,
    },
    GiveBack {
        agent: Agent,
        to: GiveTo,
    },
    /// `by` gives the session to `to`; `force` takes it from another agent.
    Assign {
        by: Agent,
        to: Agent,
        force: bool,
    },
    /// The agent can't go on: back to the line.
    Release {
        agent: String,
        reason: LeaveReason,
    },
    Say {
        id: String,
        agent: Agent,
        text: String,
        suggestion: Option<SuggestionId>,
    },
    Note {
        id: String,
        agent: Agent,
        text: String,
    },
    /// Draft a reply to the visitor's last message, or rewrite the newest draft.
    Suggest {
        wish: Wish,
        language: Option<String>,
    },
    Reject {
        agent: Agent,
        suggestion: SuggestionId,
        reason: String,
    },
    /// Puts a session that the model holds into the line.
    CallPerson {
        reason: HandoffReason,
    },
    /// Ends the conversation.
    End {
        agent: Agent,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// To disk before any later effect.
    Append {
        seq: u64,
        event: Event,
    },
    /// In place of an event that is on disk, before any later effect.
    Amend {
        seq: u64,
        event: Event,
    },
    /// To disk, but nobody waits for it.
    Checkpoint(Checkpoint),
    /// To every participant.
    Tell(Update),
    /// To whom the command came from.
    Reply(Result<Accepted, Refusal>),
    /// Begin writing an answer; `written` already stands.
    StartTurn {
        turn: u64,
        question: String,
        written: String,
    },
    /// Stop writing it, now.
    StopTurn {
        turn: u64,
    },
    /// Begin drafting a reply for agents.
    StartDraft(Brief),
    StopDraft {
        id: SuggestionId,
    },
}

/// What a draft is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    pub id: SuggestionId,
    pub wish: Wish,
    /// For a translation: ISO 639-1 code; the visitor's own if left out.
    pub language: Option<String>,
    pub question: String,
    /// The draft to rewrite.
    pub base: Option<Made>,
}

/// What participants of a session see.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// An event that is on disk.
    Event {
        seq: u64,
        at_ms: u64,
        event: Event,
    },
    Queued {
        turn: u64,
        place: usize,
    },
    /// The model thinks before it answers.
    Thinking {
        turn: u64,
    },
    /// `offset` in Unicode scalar values.
    Delta {
        turn: u64,
        offset: u64,
        text: String,
    },
    Citation {
        turn: u64,
        citation: Citation,
    },
    Withheld {
        turn: u64,
        reason: String,
    },
    /// For agents only.
    DraftStarted {
        id: SuggestionId,
        wish: Wish,
    },
    /// For agents only. `offset` in Unicode scalar values.
    DraftDelta {
        id: SuggestionId,
        offset: u64,
        text: String,
    },
    /// For agents only.
    DraftCitation {
        id: SuggestionId,
        citation: Citation,
    },
    /// For agents only: it was given up; `why` if it failed.
    DraftStopped {
        id: SuggestionId,
        why: Option<String>,
    },
    /// For agents only: the purchase intent changed.
    Intent(crate::intent::Intent),
    /// For visitors: where they stand in the line for a person.
    Waiting {
        place: usize,
        available: bool,
    },
    /// For agents only.
    VisitorTyping,
    /// For visitors: the agent who holds the session types a reply.
    AgentTyping {
        name: String,
    },
    /// The session can't go on here; the client reconnects and resumes.
    Lost,
}

impl Update {
    /// True for what no visitor may ever see.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        match self {
            Self::Event { event, .. } => event.is_internal(),
            Self::DraftStarted { .. }
            | Self::DraftDelta { .. }
            | Self::DraftCitation { .. }
            | Self::DraftStopped { .. }
            | Self::Intent(_)
            | Self::VisitorTyping => true,
            Self::Queued { .. }
            | Self::Thinking { .. }
            | Self::Delta { .. }
            | Self::Citation { .. }
            | Self::Withheld { .. }
            | Self::Waiting { .. }
            | Self::AgentTyping { .. }
            | Self::Lost => false,
        }
    }

    /// True for what is worth nothing a moment later: a participant who is behind does without it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::VisitorTyping | Self::AgentTyping { .. })
    }
}

/// An answer that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub turn: u64,
    pub text: String,
    /// Unicode scalar values of `text`.
    pub chars: u64,
    /// Bytes of `text` that are checkpointed, and how many scalar values they are.
    saved: (usize, u64),
}

/// A draft that is being written. It is not checkpointed: after a crash it is drafted anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub id: SuggestionId,
    pub wish: Wish,
    pub text: String,
    /// Unicode scalar values of `text`.
    pub chars: u64,
}

/// The visitor's last message, while no whole reply to it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    turn: u64,
    text: String,
    /// An answer to it was begun.
    started: bool,
}

/// Drafts that are remembered for decisions and rewriting, newest last.
const MADE: usize = 16;

/// The state of a conversation, made of its events.
#[derive(Clone, Debug)]
pub struct Session {
    pub key: SessionKey,
    pub visitor: String,
    /// Where the conversation comes from: `widget`, `rest`, `cli`, …
    pub channel: String,
    pub last_seq: u64,
    pub started_at_ms: u64,
    /// Of the last event.
    pub last_at_ms: u64,
    /// When anybody last said something; of the first event while nobody has.
    pub last_word_at_ms: u64,
    pub ended: bool,
    pub human_requested: bool,
    pub holder: Holder,
    /// When the holder became it.
    pub held_since_ms: u64,
    pub running: Option<Running>,
    pub draft: Option<Draft>,
    /// Oldest first; the question that is being answered is its last line.
    pub lines: Vec<Line>,
    /// Who said the last line.
    pub last_by: Speaker,
    /// Client message id → seq and a hash of the text.
    said: HashMap<String, (u64, u64)>,
    /// Turns that are over → their last rating: seq and a hash of it.
    turns: HashMap<u64, Option<(u64, u64)>>,
    /// The visitor's request for a person, until the model has the session again.
    asked: Option<u64>,
    /// `<agent>/<id>` of what agents said and noted → seq and a hash of the text.
    acts: HashMap<String, (u64, u64)>,
    open: Option<Open>,
    /// The visitor's last message: seq and text.
    last_said: Option<(u64, String)>,
    made: VecDeque<Made>,
    memory: Memory,
    limits: Limits,
    policy: Policy,
    /// The line for a person, as it was before the command at hand.
    line: Places,
}

/// The part of [`SessionsConfig`] that decides.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_messages: usize,
}

impl From<&SessionsConfig> for Limits {
    fn from(config: &SessionsConfig) -> Self {
        Self { max_messages: config.max_messages }
    }
}

impl Session {
    /// A conversation in which nothing was said yet. It is on disk from the first message on.
    #[must_use]
    pub fn new(
        key: SessionKey,
        visitor: String,
        channel: String,
        limits: Limits,
        policy: Policy,
        now_ms: u64,
    ) -> Self {
        Self {
            key,
            visitor,
            channel,
            last_seq: 0,
            started_at_ms: now_ms,
            last_at_ms: now_ms,
            last_word_at_ms: now_ms,
            ended: false,
            human_requested: false,
            holder: Holder::Model,
            held_since_ms: now_ms,
            running: None,
            draft: None,
            lines: Vec::new(),
            last_by: Speaker::Visitor,
            said: HashMap::new(),
            turns: HashMap::new(),
            asked: None,
            acts: HashMap::new(),
            open: None,
            last_said: None,
            made: VecDeque::new(),
            memory: Memory::default(),
            limits,
            policy,
            line: Places::Open,
        }
    }

    /// Takes up an event that is already on disk. Events come in the order of their `seq`.
    pub fn replay(&mut self, seq: u64, at_ms: u64, event: &Event) {
        self.pass_over(seq, at_ms);
        if event.is_word() {
            self.last_word_at_ms = at_ms;
        }
        match event {
            Event::Started { visitor, channel } => {
                self.visitor.clone_from(visitor);
                self.channel.clone_from(channel);
            }
            Event::Deleted { id } => {
                self.said.insert(id.clone(), (seq, fingerprint("")));
                self.last_by = Speaker::Visitor;
            }
            Event::Said { id, text } => {
                self.said.insert(id.clone(), (seq, fingerprint(text)));
                self.last_by = Speaker::Visitor;
                self.lines.push(Line { by_visitor: true, text: text.clone() });
                self.open = Some(Open { turn: seq, text: text.clone(), started: false });
                self.last_said = Some((seq, text.clone()));
            }
            Event::AnswerStarted { turn } => {
                self.running =
                    Some(Running { turn: *turn, text: String::new(), chars: 0, saved: (0, 0) });
                if let Some(open) = self.open.as_mut().filter(|open| open.turn == *turn) {
                    open.started = true;
                }
            }
            Event::AnswerDone { turn, text, confidence, end, .. } => {
                self.running = None;
                self.turns.insert(*turn, None);
                self.policy.handoff.remember(&mut self.memory, *end, *confidence);
                if matches!(
                    end,
                    AnswerEnd::Complete
                        | AnswerEnd::Length
                        | AnswerEnd::Declined
                        | AnswerEnd::SmallTalk
                        | AnswerEnd::Cancelled
                        | AnswerEnd::Unknown
                ) {
                    self.open.take_if(|open| open.turn == *turn);
                }
                if !text.is_empty() {
                    self.lines.push(Line { by_visitor: false, text: text.clone() });
                    self.last_by = Speaker::Model;
                }
            }
            Event::HumanRequested {} => {
                self.human_requested = true;
                self.asked = Some(seq);
            }
            Event::Handoff { reason } => {
                self.hold(Holder::Queue { reason: *reason }, at_ms);
                self.memory.called(*reason);
            }
            Event::AgentJoined { agent, .. } => {
                self.hold(Holder::Agent(agent.clone()), at_ms);
                self.memory.reset();
            }
            Event::AgentLeft { to, reason, .. } => {
                let holder = match (to, reason) {
                    (GiveTo::Model, _) => Holder::Model,
                    (
                        GiveTo::Queue | GiveTo::Unknown,
                        LeaveReason::Vanished | LeaveReason::Revoked,
                    ) => Holder::Queue { reason: HandoffReason::AgentGone },
                    (GiveTo::Queue | GiveTo::Unknown, _) => {
                        Holder::Queue { reason: HandoffReason::Agent }
                    }
                };
                self.hold(holder, at_ms);
            }
            Event::AgentSaid { id, agent, text, .. } => {
                self.acts.insert(act_key(agent, id), (seq, fingerprint(text)));
                self.lines.push(Line { by_visitor: false, text: text.clone() });
                self.last_by = Speaker::Agent;
                self.open = None;
            }
            Event::Note { id, agent, text } => {
                self.acts.insert(act_key(agent, id), (seq, fingerprint(text)));
            }
            Event::SuggestionMade { id, text, citations, confidence, .. } => {
                if self.made.len() == MADE {
                    self.made.pop_front();
                }
                self.made.push_back(Made {
                    id: *id,
                    text: text.clone(),
                    citations: citations.clone(),
                    confidence: *confidence,
                    decided: false,
                });
            }
            Event::SuggestionDecided { id, .. } => {
                if let Some(made) = self.made.iter_mut().find(|made| made.id == *id) {
                    made.decided = true;
                }
            }
            Event::Feedback { turn, rating, text } => {
                if let Some(last) = self.turns.get_mut(turn) {
                    *last = Some((seq, rated(*rating, text.as_deref())));
                }
            }
            Event::Ended { .. } => {
                self.ended = true;
                self.open = None;
            }
            Event::Unknown => {}
        }
    }

    /// Counts an event that is on disk, whatever it says: one of a newer release.
    pub fn pass_over(&mut self, seq: u64, at_ms: u64) {
        if seq == 1 {
            self.started_at_ms = at_ms;
            self.last_word_at_ms = at_ms;
        }
        self.last_seq = seq;
        self.last_at_ms = at_ms;
    }

    fn hold(&mut self, holder: Holder, at_ms: u64) {
        if self.holder != holder {
            self.held_since_ms = at_ms;
        }
        if holder == Holder::Model {
            self.asked = None;
        }
        self.holder = holder;
    }

    /// Takes up a checkpoint of the running answer. One that doesn't continue the text is passed
    /// over.
    pub fn replay_checkpoint(&mut self, checkpoint: &Checkpoint) {
        let Some(running) = &mut self.running else { return };
        if running.turn == checkpoint.turn && running.chars == checkpoint.offset {
            running.push(&checkpoint.text);
            running.saved = (running.text.len(), running.chars);
        }
    }

    /// Decides what a command does. The session's own state already reflects the effects when this
    /// returns; if one can't be carried out, the session is to be dropped and read from disk again.
    pub fn apply(&mut self, command: Command, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match command {
            Command::Say { id, text } => self.say(id, text, now_ms, &mut effects),
            Command::Cancel { turn } => match &self.running {
                Some(running) if running.turn == turn => {
                    let seq = self.stop(AnswerEnd::Cancelled, now_ms, &mut effects);
                    effects.push(Effect::Reply(Ok(Accepted { seq })));
                }
                _ => effects.push(Effect::Reply(Err(Refusal::UnknownTurn { turn }))),
            },
            Command::TakeBack { seq, before, left } => {
                let result = self.take_back(seq, &before, left, &mut effects);
                effects.push(Effect::Reply(result));
            }
            Command::RequestHuman if self.ended => effects.push(Effect::Reply(Err(Refusal::Ended))),
            Command::RequestHuman if self.line_refusal().is_some() => {
                effects.extend(self.line_refusal().map(|refusal| Effect::Reply(Err(refusal))));
            }
            Command::RequestHuman => {
                let seq = self.asked().unwrap_or_else(|| {
                    self.start(now_ms, &mut effects);
                    let seq = self.record(Event::HumanRequested {}, now_ms, &mut effects);
                    self.call_person(HandoffReason::Asked, now_ms, &mut effects);
                    seq
                });
                effects.push(Effect::Reply(Ok(Accepted { seq })));
            }
            Command::Feedback { turn, rating, text } => {
                let result = match self.rating(turn, rating, text.as_deref()) {
                    Ok(Some(seq)) => Ok(Accepted { seq }),
                    Ok(None) => {
                        let seq = self.record(
                            Event::Feedback { turn, rating, text },
                            now_ms,
                            &mut effects,
                        );
                        Ok(Accepted { seq })
                    }
                    Err(refusal) => Err(refusal),
                };
                effects.push(Effect::Reply(result));
            }
            Command::End { reason } => {
                let result = self.end(reason, now_ms, &mut effects);
                effects.push(Effect::Reply(result));
            }
            Command::Write { turn, text } => {
                if let Some(running) =
                    self.running.as_mut().filter(|running| running.turn == turn && !text.is_empty())
                {
                    let offset = running.chars;
                    running.push(&text);
                    effects.push(Effect::Tell(Update::Delta { turn, offset, text }));
                }
            }
            Command::Finish { turn, verdict } => {
                if self.running.as_ref().is_some_and(|running| running.turn == turn) {
                    self.finish(verdict, now_ms, &mut effects);
                }
            }
            Command::Checkpoint => {
                if let Some(checkpoint) = self.running.as_mut().and_then(Running::checkpoint) {
                    effects.push(Effect::Checkpoint(checkpoint));
                }
            }
            Command::Resume => self.resume(now_ms, &mut effects),
            Command::GiveUp => self.give_up(now_ms, &mut effects),
            Command::WriteDraft { id, text } => {
                if let Some(draft) =
                    self.draft.as_mut().filter(|draft| draft.id == id && !text.is_empty())
                {
                    let offset = draft.chars;
                    draft.text.push_str(&text);
                    draft.chars += text.chars().count() as u64;
                    effects.push(Effect::Tell(Update::DraftDelta { id, offset, text }));
                }
            }
            Command::FinishDraft { id, verdict, note } => {
                if let Some(Draft { wish, text, .. }) = self.draft.take_if(|draft| draft.id == id) {
                    let Verdict { citations, confidence, usage, end, withheld } = verdict;
                    let made = Event::SuggestionMade {
                        id,
                        wish,
                        text,
                        citations,
                        confidence,
                        usage,
                        end,
                        withheld,
                        note,
                    };
                    self.record(made, now_ms, &mut effects);
                }
            }
            Command::DropDraft { id, why } => {
                if self.draft.take_if(|draft| draft.id == id).is_some() {
                    effects.push(Effect::Tell(Update::DraftStopped { id, why: Some(why) }));
                }
            }
            Command::Scored { intent } => {
                let called = self.policy.handoff.on_intent(self.memory, intent);
                if let Some(reason) = called.filter(|_| self.line == Places::Open) {
                    self.call_person(reason, now_ms, &mut effects);
                }
            }
            Command::Agent(command) => {
                let result = self.obey_agent(command, now_ms, &mut effects);
                effects.push(Effect::Reply(result));
            }
        }
        effects
    }

    fn obey_agent(
        &mut self,
        command: AgentCommand,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Accepted, Refusal> {
        match command {
            AgentCommand::Note { id, agent, text } => {
                if let Some(known) = self.known_act(&agent, &id, &text) {
                    return known;
                }
                self.start(now_ms, effects);
                let seq = self.record(Event::Note { id, agent, text }, now_ms, effects);
                Ok(Accepted { seq })
            }
            AgentCommand::Say { id, agent, text, suggestion } => {
                if let Some(known) = self.known_act(&agent, &id, &text) {
                    return known;
                }
                if suggestion.is_some_and(|wanted| !self.made.iter().any(|made| made.id == wanted))
                {
                    return Err(Refusal::UnknownSuggestion);
                }
                self.take(&agent, None, false, now_ms, effects)?;
                self.stop_draft(effects);
                let said =
                    Event::AgentSaid { id, agent: agent.clone(), text: text.clone(), suggestion };
                let seq = self.record(said, now_ms, effects);
                if let Some(id) = suggestion {
                    self.decide(id, agent, &text, now_ms, effects);
                }
                Ok(Accepted { seq })
            }
            AgentCommand::Reject { agent, suggestion: id, reason } => {
                let made = self
                    .made
                    .iter()
                    .find(|made| made.id == id)
                    .ok_or(Refusal::UnknownSuggestion)?;
                if made.decided {
                    return Ok(Accepted { seq: self.last_seq });
                }
                let decided = Event::SuggestionDecided {
                    id,
                    agent,
                    decision: Decision::Rejected,
                    distance: 1.0,
                    reason: Some(reason),
                };
                let seq = self.record(decided, now_ms, effects);
                Ok(Accepted { seq })
            }
            _ if self.ended => Err(Refusal::Ended),
            AgentCommand::Take { by: Some(_), .. }
                if !matches!(self.holder, Holder::Queue { .. }) =>
            {
                Err(Refusal::HasPerson)
            }
            AgentCommand::Take { agent, by } => {
                let seq = self.take(&agent, by, false, now_ms, effects)?;
                self.draft_open(effects);
                Ok(Accepted { seq })
            }
            AgentCommand::Assign { by, to, force } => {
                let force =
                    force || matches!(&self.holder, Holder::Agent(holder) if holder.id == by.id);
                let assigned_by = (by.id != to.id).then_some(by.id);
                let seq = self.take(&to, assigned_by, force, now_ms, effects)?;
                self.draft_open(effects);
                Ok(Accepted { seq })
            }
            AgentCommand::GiveBack { agent, to } => {
                self.require_holder(&agent)?;
                let to = if self.policy.suggest { GiveTo::Queue } else { to };
                let seq = self.record(
                    Event::AgentLeft { agent, to, reason: LeaveReason::GaveBack },
                    now_ms,
                    effects,
                );
                self.answer_open(now_ms, effects);
                Ok(Accepted { seq })
            }
            AgentCommand::Release { agent, reason } => match &self.holder {
                Holder::Agent(holder) if holder.id == agent => {
                    let left =
                        Event::AgentLeft { agent: holder.clone(), to: GiveTo::Queue, reason };
                    let seq = self.record(left, now_ms, effects);
                    self.answer_open(now_ms, effects);
                    Ok(Accepted { seq })
                }
                _ => Err(Refusal::NotHolder),
            },
            AgentCommand::Suggest { wish, language } => self.suggest(wish, language, effects),
            AgentCommand::CallPerson { reason } => {
                self.start(now_ms, effects);
                let before = self.last_seq;
                self.call_person(reason, now_ms, effects);
                if self.last_seq > before {
                    Ok(Accepted { seq: self.last_seq })
                } else {
                    Err(Refusal::HasPerson)
                }
            }
            AgentCommand::End { agent } => match &self.holder {
                Holder::Agent(holder) if holder.id != agent.id => {
                    Err(Refusal::Held { name: holder.name.clone() })
                }
                _ => self.end("agent".into(), now_ms, effects),
            },
        }
    }

    /// Makes an agent the holder. A running answer ends first: its work is stopped before anything
    /// else is done.
    fn take(
        &mut self,
        agent: &Agent,
        by: Option<String>,
        force: bool,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<u64, Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        match &self.holder {
            Holder::Agent(holder) if holder.id == agent.id => return Ok(self.last_seq),
            Holder::Agent(holder) if !force => {
                return Err(Refusal::Held { name: holder.name.clone() });
            }
            _ => {}
        }
        self.start(now_ms, effects);
        if self.running.is_some() {
            self.stop(AnswerEnd::TakenOver, now_ms, effects);
        }
        if let Holder::Agent(holder) = &self.holder {
            let left = Event::AgentLeft {
                agent: holder.clone(),
                to: GiveTo::Queue,
                reason: LeaveReason::Assigned,
            };
            self.record(left, now_ms, effects);
        }
        Ok(self.record(Event::AgentJoined { agent: agent.clone(), by }, now_ms, effects))
    }

    fn require_holder(&self, agent: &Agent) -> Result<(), Refusal> {
        match &self.holder {
            Holder::Agent(holder) if holder.id == agent.id => Ok(()),
            Holder::Agent(holder) => Err(Refusal::Held { name: holder.name.clone() }),
            _ => Err(Refusal::NotHolder),
        }
    }

    /// What was said or noted under this id before.
    fn known_act(&self, agent: &Agent, id: &str, text: &str) -> Option<Result<Accepted, Refusal>> {
        let &(seq, known) = self.acts.get(&act_key(agent, id))?;
        Some(if known == fingerprint(text) {
            Ok(Accepted { seq })
        } else {
            Err(Refusal::IdReused { id: id.into() })
        })
    }

    /// Keeps how what was sent differs from its draft. A draft is decided once.
    fn decide(
        &mut self,
        id: SuggestionId,
        agent: Agent,
        sent: &str,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let Some(made) = self.made.iter().find(|made| made.id == id && !made.decided) else {
            return;
        };
        let distance = distance(made.text.trim(), sent.trim());
        let decision = if distance > 0.0 { Decision::Edited } else { Decision::Sent };
        self.record(
            Event::SuggestionDecided { id, agent, decision, distance, reason: None },
            now_ms,
            effects,
        );
    }

    /// Puts a session that the model holds into the line.
    fn call_person(&mut self, reason: HandoffReason, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.holder != Holder::Model || self.ended {
            return;
        }
        self.record(Event::Handoff { reason }, now_ms, effects);
        if !self.model_answers() && self.running.is_some() {
            self.stop(AnswerEnd::TakenOver, now_ms, effects);
            self.draft_open(effects);
        }
    }

    /// Whether the model's words go to the visitor.
    #[must_use]
    pub fn model_answers(&self) -> bool {
        match self.holder {
            Holder::Model => !self.policy.suggest,
            Holder::Queue { .. } => {
                !self.policy.suggest && self.policy.handoff.answer_while_waiting
            }
            Holder::Agent(_) => false,
        }
    }

    /// Has the model answer a message that nobody began to answer, now that it may; or drafts it.
    fn answer_open(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if !self.model_answers() {
            return self.draft_open(effects);
        }
        self.stop_draft(effects);
        let Some(Open { turn, text, .. }) = self.open.clone().filter(|open| !open.started) else {
            return;
        };
        self.record(Event::AnswerStarted { turn }, now_ms, effects);
        effects.push(Effect::StartTurn { turn, question: text, written: String::new() });
    }

    /// Drafts a reply to a message that stands open, unless there is a draft.
    fn draft_open(&mut self, effects: &mut Vec<Effect>) {
        if let Some((turn, question)) = self.owed_draft() {
            self.stop_draft(effects);
            let id = SuggestionId { turn, version: 1 };
            let brief = Brief { id, wish: Wish::Answer, language: None, question, base: None };
            self.start_draft(brief, effects);
        }
    }

    /// The open message that has neither a draft nor anybody at it.
    fn owed_draft(&self) -> Option<(u64, String)> {
        let open = self.open.as_ref().filter(|_| !self.model_answers() && !self.ended)?;
        let has = |id: SuggestionId| id.turn == open.turn;
        let drafted = self.made.iter().any(|made| has(made.id))
            || self.draft.as_ref().is_some_and(|d| has(d.id));
        (!drafted).then(|| (open.turn, open.text.clone()))
    }

    fn suggest(
        &mut self,
        wish: Wish,
        language: Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Result<Accepted, Refusal> {
        let (turn, question) = self.last_said.clone().ok_or(Refusal::NothingToAnswer)?;
        let base = self.made.iter().rev().find(|made| made.id.turn == turn).cloned();
        // Without a draft there is nothing to rewrite yet: the draft comes first.
        let wish = if base.is_some() { wish } else { Wish::Answer };
        self.stop_draft(effects);
        let version = base.as_ref().map_or(0, |made| made.id.version) + 1;
        let base = base.filter(|_| wish != Wish::Answer);
        let brief = Brief { id: SuggestionId { turn, version }, wish, language, question, base };
        self.start_draft(brief, effects);
        Ok(Accepted { seq: turn })
    }

    fn start_draft(&mut self, brief: Brief, effects: &mut Vec<Effect>) {
        let (id, wish) = (brief.id, brief.wish);
        self.draft = Some(Draft { id, wish, text: String::new(), chars: 0 });
        effects.push(Effect::Tell(Update::DraftStarted { id, wish }));
        effects.push(Effect::StartDraft(brief));
    }

    fn stop_draft(&mut self, effects: &mut Vec<Effect>) {
        if let Some(Draft { id, .. }) = self.draft.take() {
            effects.push(Effect::StopDraft { id });
            effects.push(Effect::Tell(Update::DraftStopped { id, why: None }));
        }
    }

    fn end(
        &mut self,
        reason: String,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Accepted, Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        if self.running.is_some() {
            self.stop(AnswerEnd::Cancelled, now_ms, effects);
        }
        self.stop_draft(effects);
        self.start(now_ms, effects);
        let seq = self.record(Event::Ended { reason }, now_ms, effects);
        Ok(Accepted { seq })
    }

    fn say(&mut self, id: String, text: String, now_ms: u64, effects: &mut Vec<Effect>) {
        if let Some(&(seq, known)) = self.said.get(&id) {
            let same = known == fingerprint(&text);
            effects.push(Effect::Reply(if same {
                Ok(Accepted { seq })
            } else {
                Err(Refusal::IdReused { id })
            }));
            return;
        }
        if let Err(refusal) = self.may_say() {
            effects.push(Effect::Reply(Err(refusal)));
            return;
        }
        self.start(now_ms, effects);
        if self.running.is_some() {
            self.stop(AnswerEnd::Superseded, now_ms, effects);
        }
        self.stop_draft(effects);
        let seq = self.record(Event::Said { id, text: text.clone() }, now_ms, effects);
        // Where the line is full the model goes on; who presses the button is told why.
        let called = self.policy.handoff.on_message(&text).filter(|_| self.line == Places::Open);
        if called == Some(HandoffReason::Asked) && !self.human_requested {
            self.record(Event::HumanRequested {}, now_ms, effects);
        }
        if let Some(reason) = called.or(self.policy.suggest.then_some(HandoffReason::SuggestOnly)) {
            self.call_person(reason, now_ms, effects);
        }
        let answers = self.model_answers();
        if answers {
            self.record(Event::AnswerStarted { turn: seq }, now_ms, effects);
        }
        effects.push(Effect::Reply(Ok(Accepted { seq })));
        if answers {
            effects.push(Effect::StartTurn { turn: seq, question: text, written: String::new() });
        } else {
            self.draft_open(effects);
        }
    }

    /// Forgets words of the visitor's: no prompt has them from here on. Whatever is being written
    /// about them is stopped by a command of its own.
    fn take_back(
        &mut self,
        seq: u64,
        before: &str,
        left: Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Result<Accepted, Refusal> {
        let known = self.said.iter().find(|(_, (said, _))| *said == seq);
        let id = known.map(|(id, _)| id.clone()).ok_or(Refusal::UnknownTurn { turn: seq })?;
        let at = self.lines.iter().rposition(|line| line.by_visitor && line.text == before);
        let event = match left {
            Some(text) => {
                if let Some(line) = at.and_then(|at| self.lines.get_mut(at)) {
                    line.text.clone_from(&text);
                }
                if let Some(open) = self.open.as_mut().filter(|open| open.turn == seq) {
                    open.text.clone_from(&text);
                }
                if let Some((_, last)) = self.last_said.as_mut().filter(|(said, _)| *said == seq) {
                    last.clone_from(&text);
                }
                Event::Said { id, text }
            }
            None => {
                if let Some(at) = at {
                    self.lines.remove(at);
                }
                self.open.take_if(|open| open.turn == seq);
                self.last_said.take_if(|(said, _)| *said == seq);
                Event::Deleted { id }
            }
        };
        effects.push(Effect::Amend { seq, event });
        Ok(Accepted { seq })
    }

    /// Notes how the line for a person stands.
    pub fn see_line(&mut self, line: Places) {
        self.line = line;
    }

    /// Why the visitor can't be given a place in the line; `None` for who has one, or a person.
    fn line_refusal(&self) -> Option<Refusal> {
        self.line.refusal().filter(|_| self.holder == Holder::Model)
    }

    fn may_say(&self) -> Result<(), Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        if self.policy.suggest
            && let Some(refusal) = self.line_refusal()
        {
            return Err(refusal);
        }
        if self.said.len() >= self.limits.max_messages {
            return Err(Refusal::Full { limit: self.limits.max_messages });
        }
        Ok(())
    }

    /// The request for a person that still stands: who asks again is told of that one.
    fn asked(&self) -> Option<u64> {
        self.asked.filter(|_| self.holder != Holder::Model)
    }

    /// The event of this very rating, if it is the last one of the turn.
    fn rating(
        &self,
        turn: u64,
        rating: Rating,
        text: Option<&str>,
    ) -> Result<Option<u64>, Refusal> {
        let last = self.turns.get(&turn).ok_or(Refusal::UnknownTurn { turn })?;
        Ok(last.filter(|(_, known)| *known == rated(rating, text)).map(|(seq, _)| seq))
    }

    /// What a command of the visitor counts as for [`pace`]; `None` if it changes nothing, or ends
    /// what a counted one began.
    #[must_use]
    pub fn deed(&self, command: &Command) -> Option<Deed> {
        match command {
            Command::Say { id, .. } => {
                (!self.knows(id) && self.may_say().is_ok()).then_some(Deed::Message)
            }
            Command::RequestHuman => {
                let counts = !self.ended && self.asked().is_none() && self.line_refusal().is_none();
                counts.then_some(Deed::Event)
            }
            Command::Feedback { turn, rating, text } => {
                (self.rating(*turn, *rating, text.as_deref()) == Ok(None)).then_some(Deed::Event)
            }
            Command::End { .. } => (!self.ended).then_some(Deed::Event),
            Command::Cancel { .. }
            | Command::TakeBack { .. }
            | Command::Write { .. }
            | Command::Finish { .. }
            | Command::Checkpoint
            | Command::Resume
            | Command::GiveUp
            | Command::Agent(_)
            | Command::Scored { .. }
            | Command::WriteDraft { .. }
            | Command::FinishDraft { .. }
            | Command::DropDraft { .. } => None,
        }
    }

    fn give_up(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let unstarted = self.open.as_ref().filter(|open| !open.started).map(|open| open.turn);
        if let Some(turn) = unstarted.filter(|_| self.running.is_none() && self.model_answers()) {
            self.record(Event::AnswerStarted { turn }, now_ms, effects);
        }
        if self.running.is_some() {
            self.stop(AnswerEnd::Failed, now_ms, effects);
        }
    }

    fn resume(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if let Some(running) = &self.running {
            let question =
                self.lines.iter().rev().find(|line| line.by_visitor).map(|line| line.text.clone());
            effects.push(Effect::StartTurn {
                turn: running.turn,
                question: question.unwrap_or_default(),
                written: running.text.clone(),
            });
        } else {
            // The crash came between the message and the start of its answer, or in the middle of a
            // draft.
            self.answer_open(now_ms, effects);
        }
    }

    /// True if a message with this id was taken.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.said.contains_key(id)
    }

    /// The checkpoint was not taken; its text belongs to the next one.
    pub fn checkpoint_refused(&mut self, checkpoint: &Checkpoint) {
        if let Some(running) =
            self.running.as_mut().filter(|running| running.turn == checkpoint.turn)
        {
            let (bytes, _) = running.saved;
            running.saved = (bytes.saturating_sub(checkpoint.text.len()), checkpoint.offset);
        }
    }

    /// True for a command that may be stored where the disk is nearly full: it was stored before,
    /// ends something, or decides who holds the conversation. The reserve is for such.
    #[must_use]
    pub fn fits_the_reserve(&self, command: &Command) -> bool {
        match command {
            Command::Say { id, .. } => self.knows(id),
            Command::Cancel { .. } | Command::End { .. } | Command::TakeBack { .. } => true,
            Command::Agent(command) => match command {
                AgentCommand::Say { id, agent, .. } | AgentCommand::Note { id, agent, .. } => {
                    self.acts.contains_key(&act_key(agent, id))
                }
                AgentCommand::Take { .. }
                | AgentCommand::Release { .. }
                | AgentCommand::Assign { .. }
                | AgentCommand::End { .. } => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// True if an answer is running or owed; such a session is taken up again after a crash.
    #[must_use]
    pub fn owes_answer(&self) -> bool {
        let waits = self.open.as_ref().is_some_and(|open| !open.started)
            && self.model_answers()
            && !self.ended;
        self.running.is_some() || waits
    }

    /// True if a draft is owed to agents; it is made again after a crash.
    #[must_use]
    pub fn owes_draft(&self) -> bool {
        self.draft.is_none() && self.owed_draft().is_some()
    }

    /// True if no whole reply to the visitor's last message was sent.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        self.open.is_some()
    }

    /// `seq` of the visitor's last message; 0 before the first.
    #[must_use]
    pub fn last_said(&self) -> u64 {
        self.last_said.as_ref().map_or(0, |(seq, _)| *seq)
    }

    /// How many messages the visitor sent.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.said.len()
    }

    fn start(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.last_seq == 0 {
            let (visitor, channel) = (self.visitor.clone(), self.channel.clone());
            self.record(Event::Started { visitor, channel }, now_ms, effects);
        }
    }

    fn stop(&mut self, end: AnswerEnd, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        if let Some(running) = &self.running {
            effects.push(Effect::StopTurn { turn: running.turn });
        }
        let verdict = Verdict {
            citations: Vec::new(),
            confidence: 0.0,
            usage: Usage::default(),
            end,
            withheld: 0,
        };
        self.finish(verdict, now_ms, effects)
    }

    fn finish(&mut self, verdict: Verdict, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        let Some(running) = self.running.take() else { return self.last_seq };
        let Verdict { citations, confidence, usage, end, withheld } = verdict;
        let done = Event::AnswerDone {
            turn: running.turn,
            text: running.text,
            citations,
            confidence,
            usage,
            end,
            withheld,
        };
        let seq = self.record(done, now_ms, effects);
        let by_itself = matches!(
            end,
            AnswerEnd::Complete | AnswerEnd::Length | AnswerEnd::Declined | AnswerEnd::Failed
        );
        let called = self
            .policy
            .handoff
            .on_answer(self.memory)
            .filter(|_| by_itself && self.line == Places::Open);
        if let Some(reason) = called {
            self.call_person(reason, now_ms, effects);
        }
        seq
    }

    fn record(&mut self, event: Event, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        let seq = self.last_seq + 1;
        self.replay(seq, now_ms, &event);
        effects.push(Effect::Append { seq, event: event.clone() });
        effects.push(Effect::Tell(Update::Event { seq, at_ms: now_ms, event }));
        seq
    }
}

impl Running {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count() as u64;
    }

    /// What was written since the last checkpoint, if anything.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let (bytes, chars) = self.saved;
        let new = self.text.get(bytes..).filter(|new| !new.is_empty())?;
        let checkpoint = Checkpoint { turn: self.turn, offset: chars, text: new.to_owned() };
        self.saved = (self.text.len(), self.chars);
        Some(checkpoint)
    }
}

fn act_key(agent: &Agent, id: &str) -> String {
    format!("{}/{id}", agent.id)
}

/// Levenshtein distance over the longer one's length, both in Unicode scalar values: 0 for the
/// same, 1 for nothing in common.
#[expect(clippy::cast_possible_truncation, reason = "a ratio")]
fn distance(draft: &str, sent: &str) -> f32 {
    (1.0 - strsim::normalized_levenshtein(draft, sent)) as f32
}

/// A rating as it is compared.
fn rated(rating: Rating, text: Option<&str>) -> u64 {
    fingerprint(&format!("{rating:?} {}", text.unwrap_or_default()))
}

fn fingerprint(text: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::MAX_ID_BYTES;

    fn session() -> Session {
        let key = SessionKey { site: "shop".into(), id: "s".into() };
        let limits = Limits { max_messages: 5 };
        Session::new(key, "v".into(), "widget".into(), limits, Policy::default(), 0)
    }

    fn say(session: &mut Session, id: &str, now_ms: u64) -> Vec<Effect> {
        session.apply(Command::Say { id: id.into(), text: format!("text of {id}") }, now_ms)
    }

    fn check(effects: &[Effect], expected: &[&str]) {
        let short: Vec<String> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Append { seq, event } => format!("append {seq} {}", name(event)),
                Effect::Amend { seq, event } => format!("amend {seq} {}", name(event)),
                Effect::Tell(Update::Event { seq, .. }) => format!("tell {seq}"),
                Effect::Tell(Update::Delta { offset, text, .. }) => {
                    format!("delta {offset} {text}")
                }
                Effect::Tell(update) => format!("tell {update:?}"),
                Effect::Reply(Ok(accepted)) => format!("ok {}", accepted.seq),
                Effect::Reply(Err(refusal)) => format!("no: {refusal}"),
                Effect::StartTurn { turn, written, .. } => {
                    format!("start {turn} after {written:?}")
                }
                Effect::StopTurn { turn } => format!("stop {turn}"),
                Effect::StartDraft(brief) => {
                    format!("draft {}.{} {:?}", brief.id.turn, brief.id.version, brief.wish)
                }
                Effect::StopDraft { id } => format!("stop draft {}.{}", id.turn, id.version),
                Effect::Checkpoint(checkpoint) => {
                    format!("save {} {}", checkpoint.offset, checkpoint.text)
                }
            })
            .collect();
        assert_eq!(short, expected);
    }

    fn name(event: &Event) -> String {
        serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()
    }

    #[test]
    fn ids_from_outside_are_names_that_the_store_takes() {
        let long = "x".repeat(MAX_ID_BYTES);
        for (id, expected) in
            [("s", true), (long.as_str(), true), ("", false), ("a\0b", false), ("\0", false)]
        {
            assert_eq!(SessionKey::named("shop", id).is_some(), expected, "{id:?}");
        }
        assert_eq!(SessionKey::named("shop", &format!("{long}x")), None);
    }

    #[test]
    fn a_message_is_stored_acknowledged_and_answered() {
        let mut session = session();
        check(
            &say(&mut session, "a", 0),
            &[
                "append 1 started",
                "tell 1",
                "append 2 said",
                "tell 2",
                "append 3 answer_started",
                "tell 3",
                "ok 2",
                "start 2 after \"\"",
            ],
        );
        check(&session.apply(Command::Write { turn: 2, text: "Hé".into() }, 1), &["delta 0 Hé"]);
        check(&session.apply(Command::Write { turn: 2, text: "llo".into() }, 1), &["delta 2 llo"]);
        check(&session.apply(Command::Checkpoint, 2), &["save 0 Héllo"]);
        check(&session.apply(Command::Checkpoint, 3), &[]);
        check(&session.apply(Command::Write { turn: 2, text: "!".into() }, 3), &["delta 5 !"]);
        check(&session.apply(Command::Checkpoint, 4), &["save 5 !"]);
        let verdict = Verdict {
            citations: vec![],
            confidence: 1.0,
            usage: Usage::default(),
            end: AnswerEnd::Complete,
            withheld: 0,
        };
        check(
            &session.apply(Command::Finish { turn: 2, verdict }, 5),
            &["append 4 answer_done", "tell 4"],
        );
        assert_eq!(session.lines.last().unwrap().text, "Héllo!");
    }

    #[test]
    fn sending_again_is_harmless_and_a_new_message_stops_the_answer() {
        let mut session = session();
        say(&mut session, "a", 0);
        check(&say(&mut session, "a", 1), &["ok 2"]);
        check(
            &session.apply(Command::Say { id: "a".into(), text: "other".into() }, 1),
            &["no: the message id \"a\" was used for another text"],
        );
        check(
            &say(&mut session, "b", 2),
            &[
                "stop 2",
                "append 4 answer_done",
                "tell 4",
                "append 5 said",
                "tell 5",
                "append 6 answer_started",
                "tell 6",
                "ok 5",
                "start 5 after \"\"",
            ],
        );
        // A word of the stopped turn that was under way goes nowhere.
        check(&session.apply(Command::Write { turn: 2, text: "late".into() }, 3), &[]);
    }

    #[test]
    fn what_is_taken_back_is_in_no_prompt() {
        let mut session = session();
        say(&mut session, "a", 0);
        session.apply(Command::Finish { turn: 2, verdict: verdict(AnswerEnd::Complete, 0.9) }, 0);
        let take_back = |seq: u64, before: &str, left: Option<&str>| Command::TakeBack {
            seq,
            before: before.into(),
            left: left.map(str::to_owned),
        };
        let some = take_back(2, "text of a", Some("text"));
        check(&session.apply(some, 1), &["amend 2 said", "ok 2"]);
        assert_eq!(session.lines[0].text, "text");
        check(&session.apply(take_back(2, "text", None), 1), &["amend 2 deleted", "ok 2"]);
        assert!(session.lines.iter().all(|line| !line.by_visitor), "{:?}", session.lines);
        let unknown = session.apply(take_back(3, "text", None), 1);
        assert!(matches!(&unknown[..], [Effect::Reply(Err(Refusal::UnknownTurn { turn: 3 }))]));
        // The same message again is the same, whatever was taken out of it.
        assert_eq!(say(&mut session, "a", 2), [Effect::Reply(Ok(Accepted { seq: 2 }))]);
    }

    #[test]
    fn limits_are_told() {
        let mut session = session();
        for id in ["a", "b", "c", "d", "e"] {
            say(&mut session, id, 1_000);
        }
        check(
            &say(&mut session, "f", 200_000),
            &["no: this conversation holds 5 messages, the most it may; begin a new one"],
        );
        session.apply(Command::End { reason: "visitor".into() }, 200_000);
        check(
            &say(&mut session, "g", 200_000),
            &["no: this conversation is over; begin a new one"],
        );
    }

    #[test]
    fn what_a_crash_cut_goes_on_where_it_was() {
        let mut before = session();
        let mut log = Vec::new();
        for effect in say(&mut before, "a", 0) {
            if let Effect::Append { seq, event } = effect {
                log.push((seq, event));
            }
        }
        let mut after = session();
        for (seq, event) in &log {
            after.replay(*seq, 0, event);
        }
        after.replay_checkpoint(&Checkpoint { turn: 2, offset: 0, text: "Half an".into() });
        after.replay_checkpoint(&Checkpoint { turn: 2, offset: 0, text: "Half an".into() });
        assert!(after.owes_answer());
        check(&after.apply(Command::Resume, 1), &["start 2 after \"Half an\""]);
        check(
            &after.apply(Command::Write { turn: 2, text: " answer".into() }, 1),
            &["delta 7  answer"],
        );

        let mut between = session();
        for (seq, event) in &log[..2] {
            between.replay(*seq, 0, event);
        }
        assert!(between.owes_answer());
        check(
            &between.apply(Command::Resume, 1),
            &["append 3 answer_started", "tell 3", "start 2 after \"\""],
        );
    }

    fn agent(id: &str) -> Agent {
        Agent { id: id.into(), name: id.to_uppercase() }
    }

    fn take(id: &str) -> Command {
        Command::Agent(AgentCommand::Take { agent: agent(id), by: None })
    }

    fn give_back(id: &str) -> Command {
        Command::Agent(AgentCommand::GiveBack { agent: agent(id), to: GiveTo::Model })
    }

    fn verdict(end: AnswerEnd, confidence: f32) -> Verdict {
        Verdict { citations: vec![], confidence, usage: Usage::default(), end, withheld: 0 }
    }

    fn agent_says(by: &str, id: &str, suggestion: Option<SuggestionId>, text: &str) -> Command {
        Command::Agent(AgentCommand::Say {
            id: id.into(),
            agent: agent(by),
            text: text.into(),
            suggestion,
        })
    }

    #[test]
    fn an_answer_that_ended_the_process_each_time_is_given_up() {
        let mut running = session();
        say(&mut running, "a", 0);
        check(&running.apply(Command::GiveUp, 1), &["stop 2", "append 4 answer_done", "tell 4"]);
        assert!(!running.owes_answer() || running.running.is_none());
        // The crash came before the answer was begun.
        let mut unstarted = session();
        for (seq, event) in [
            (1, Event::Started { visitor: "v".into(), channel: "widget".into() }),
            (2, Event::Said { id: "a".into(), text: "Hi".into() }),
        ] {
            unstarted.replay(seq, 0, &event);
        }
        check(
            &unstarted.apply(Command::GiveUp, 1),
            &["append 3 answer_started", "tell 3", "stop 2", "append 4 answer_done", "tell 4"],
        );
        assert!(!unstarted.owes_answer());
    }

    #[test]
    fn a_full_line_refuses_who_asks_and_lets_the_model_go_on() {
        let mut session = session();
        session.see_line(Places::Full { waiting: 7 });
        check(
            &session.apply(Command::RequestHuman, 0),
            &["no: 7 conversations wait for a person already; try again later"],
        );
        assert_eq!(session.deed(&Command::RequestHuman), None);
        session.apply(Command::Say { id: "a".into(), text: "I want to talk to a human".into() }, 0);
        assert_eq!((&session.holder, session.human_requested), (&Holder::Model, false));
        // An agent's own doing is not the visitor's.
        session.apply(Command::Agent(AgentCommand::CallPerson { reason: HandoffReason::Agent }), 1);
        assert_eq!(session.holder, Holder::Queue { reason: HandoffReason::Agent });
    }

    #[test]
    fn taking_over_stops_the_answer_before_anything_else() {
        let mut session = session();
        say(&mut session, "a", 0);
        session.apply(Command::Write { turn: 2, text: "Half".into() }, 1);
        check(
            &session.apply(take("mara"), 2),
            &[
                "stop 2",
                "append 4 answer_done",
                "tell 4",
                "append 5 agent_joined",
                "tell 5",
                "tell DraftStarted { id: SuggestionId { turn: 2, version: 1 }, wish: Answer }",
                "draft 2.1 Answer",
                "ok 5",
            ],
        );
        check(&session.apply(Command::Write { turn: 2, text: " more".into() }, 3), &[]);
        check(&session.apply(take("mara"), 3), &["ok 5"]);
        check(&session.apply(take("jo"), 3), &["no: MARA holds this conversation"]);
        check(
            &session.apply(agent_says("jo", "x", None, "Hi"), 3),
            &["no: MARA holds this conversation"],
        );
    }

    #[test]
    fn while_an_agent_holds_messages_are_drafted_and_not_answered() {
        let mut session = session();
        session.apply(take("mara"), 0);
        let drafted = [
            "append 3 said",
            "tell 3",
            "ok 3",
            "tell DraftStarted { id: SuggestionId { turn: 3, version: 1 }, wish: Answer }",
            "draft 3.1 Answer",
        ];
        check(&say(&mut session, "a", 0), &drafted);
        let id = SuggestionId { turn: 3, version: 1 };
        session.apply(Command::WriteDraft { id, text: "Dear you, four days.".into() }, 0);
        let done =
            Command::FinishDraft { id, verdict: verdict(AnswerEnd::Complete, 0.9), note: None };
        check(&session.apply(done, 0), &["append 4 suggestion_made", "tell 4"]);
        check(
            &session.apply(agent_says("mara", "x", Some(id), "Dear you, five days."), 1),
            &["append 5 agent_said", "tell 5", "append 6 suggestion_decided", "tell 6", "ok 5"],
        );
        // Twice is once.
        check(
            &session.apply(agent_says("mara", "x", Some(id), "Dear you, five days."), 1),
            &["ok 5"],
        );
        check(&session.apply(give_back("mara"), 2), &["append 7 agent_left", "tell 7", "ok 7"]);
        assert_eq!(session.holder, Holder::Model);
    }

    #[test]
    fn the_difference_is_kept() {
        for (sent, decision, expected) in [
            ("four days", Decision::Sent, 0.0),
            (" four days\n", Decision::Sent, 0.0),
            ("five days", Decision::Edited, 3.0 / 9.0),
            ("", Decision::Edited, 1.0),
        ] {
            let mut session = session();
            session.apply(take("mara"), 0);
            say(&mut session, "a", 0);
            let id = SuggestionId { turn: 3, version: 1 };
            session.apply(Command::WriteDraft { id, text: "four days".into() }, 0);
            session.apply(
                Command::FinishDraft { id, verdict: verdict(AnswerEnd::Complete, 0.9), note: None },
                0,
            );
            let effects = session.apply(agent_says("mara", "x", Some(id), sent), 1);
            let found = effects.iter().find_map(|effect| match effect {
                Effect::Append {
                    event: Event::SuggestionDecided { decision, distance, .. },
                    ..
                } => Some((*decision, *distance)),
                _ => None,
            });
            let (found, distance) = found.expect("it is decided");
            assert_eq!(found, decision, "{sent:?}");
            assert!((distance - expected).abs() < 1e-6, "{sent:?}: {distance}");
        }
    }

    #[test]
    fn giving_back_has_the_model_answer_what_stands_open() {
        let mut session = session();
        session.apply(take("mara"), 0);
        say(&mut session, "a", 0);
        check(
            &session.apply(give_back("mara"), 2),
            &[
                "append 4 agent_left",
                "tell 4",
                "stop draft 3.1",
                "tell DraftStopped { id: SuggestionId { turn: 3, version: 1 }, why: None }",
                "append 5 answer_started",
                "tell 5",
                "start 3 after \"\"",
                "ok 4",
            ],
        );
    }

    #[test]
    fn a_person_is_called_by_rule_and_the_assistant_goes_on_meanwhile() {
        let mut asked = session();
        check(
            &asked.apply(
                Command::Say { id: "a".into(), text: "I want to talk to a human".into() },
                0,
            ),
            &[
                "append 1 started",
                "tell 1",
                "append 2 said",
                "tell 2",
                "append 3 human_requested",
                "tell 3",
                "append 4 handoff",
                "tell 4",
                "append 5 answer_started",
                "tell 5",
                "ok 2",
                "start 2 after \"\"",
            ],
        );
        let mut unsure = session();
        for (id, turn, expected) in [("a", 2, None), ("b", 5, Some(HandoffReason::LowConfidence))] {
            say(&mut unsure, id, 0);
            unsure.apply(Command::Finish { turn, verdict: verdict(AnswerEnd::Declined, 0.9) }, 0);
            let reason =
                if let Holder::Queue { reason } = unsure.holder { Some(reason) } else { None };
            assert_eq!(reason, expected);
        }
    }

    fn rate(rating: Rating, text: &str) -> Command {
        Command::Feedback { turn: 2, rating, text: Some(text.into()) }
    }

    #[test]
    fn the_same_rating_again_is_the_same_event() {
        let mut session = session();
        check(
            &session.apply(rate(Rating::Up, ""), 0),
            &["no: no answer 2 is running in this conversation"],
        );
        say(&mut session, "a", 0);
        session.apply(Command::Finish { turn: 2, verdict: verdict(AnswerEnd::Complete, 0.9) }, 0);
        let steps: [(Rating, &str, &[&str]); 6] = [
            (Rating::Up, "good", &["append 5 feedback", "tell 5", "ok 5"]),
            (Rating::Up, "good", &["ok 5"]),
            (Rating::Up, "very good", &["append 6 feedback", "tell 6", "ok 6"]),
            (Rating::Down, "very good", &["append 7 feedback", "tell 7", "ok 7"]),
            (Rating::Down, "very good", &["ok 7"]),
            (Rating::Up, "good", &["append 8 feedback", "tell 8", "ok 8"]),
        ];
        for (rating, text, expected) in steps {
            let costs = if expected.len() > 1 { Some(Deed::Event) } else { None };
            assert_eq!(session.deed(&rate(rating, text)), costs, "{rating:?} {text}");
            check(&session.apply(rate(rating, text), 1), expected);
        }
    }

    #[test]
    fn asking_for_a_person_again_is_asking_once() {
        let mut session = session();
        let called = [
            "append 1 started",
            "tell 1",
            "append 2 human_requested",
            "tell 2",
            "append 3 handoff",
            "tell 3",
            "ok 2",
        ];
        assert_eq!(session.deed(&Command::RequestHuman), Some(Deed::Event));
        check(&session.apply(Command::RequestHuman, 0), &called);
        check(&session.apply(Command::RequestHuman, 1), &["ok 2"]);
        session.apply(take("mara"), 2);
        assert_eq!(session.deed(&Command::RequestHuman), None);
        check(&session.apply(Command::RequestHuman, 3), &["ok 2"]);
        // With the model again, a person is wanted anew.
        session.apply(give_back("mara"), 4);
        check(
            &session.apply(Command::RequestHuman, 5),
            &["append 6 human_requested", "tell 6", "append 7 handoff", "tell 7", "ok 6"],
        );
        session.apply(Command::End { reason: "visitor".into() }, 6);
        assert_eq!(session.deed(&Command::RequestHuman), None);
        assert_eq!(session.deed(&Command::End { reason: "visitor".into() }), None);
    }

    #[test]
    fn what_is_sent_again_or_refused_is_not_counted() {
        let mut session = session();
        let said = |id: &str| Command::Say { id: id.into(), text: format!("text of {id}") };
        assert_eq!(session.deed(&said("a")), Some(Deed::Message));
        session.apply(said("a"), 0);
        assert_eq!(session.deed(&said("a")), None);
        for id in ["b", "c", "d", "e"] {
            session.apply(said(id), 0);
        }
        assert_eq!(session.deed(&said("f")), None, "the conversation is full");
    }

    #[test]
    fn a_site_that_suggests_sends_nothing_without_a_person() {
        let mut session = session();
        session.policy.suggest = true;
        let effects = say(&mut session, "a", 0);
        check(
            &effects,
            &[
                "append 1 started",
                "tell 1",
                "append 2 said",
                "tell 2",
                "append 3 handoff",
                "tell 3",
                "ok 2",
                "tell DraftStarted { id: SuggestionId { turn: 2, version: 1 }, wish: Answer }",
                "draft 2.1 Answer",
            ],
        );
        session.apply(agent_says("mara", "x", None, "Hello"), 1);
        assert_eq!(session.holder, Holder::Agent(agent("mara")));
        session.apply(give_back("mara"), 2);
        assert_eq!(session.holder, Holder::Queue { reason: HandoffReason::Agent });
    }

    /// What an interleaving is made of; everything comes from two small numbers so that failures
    /// shrink.
    fn command(kind: u8, who: u8, session: &Session) -> Command {
        let by = agent(["mara", "jo"][usize::from(who % 2)]);
        let running = session.running.as_ref().map_or(2, |running| running.turn);
        let draft =
            session.draft.as_ref().map_or(SuggestionId { turn: 2, version: 1 }, |draft| draft.id);
        match kind % 16 {
            0 => Command::Say {
                id: format!("m{}", session.last_seq),
                text: "How much is it?".into(),
            },
            1 | 2 => Command::Write { turn: running, text: "word ".into() },
            3 => Command::Finish { turn: running, verdict: verdict(AnswerEnd::Declined, 0.9) },
            4 | 5 => Command::Agent(AgentCommand::Take { agent: by, by: None }),
            6 => {
                let to = if who > 100 { GiveTo::Queue } else { GiveTo::Model };
                Command::Agent(AgentCommand::GiveBack { agent: by, to })
            }
            7 => Command::Agent(AgentCommand::Say {
                id: format!("a{}", session.last_seq),
                agent: by,
                text: "Hi".into(),
                suggestion: None,
            }),
            8 => Command::WriteDraft { id: draft, text: "draft ".into() },
            9 => Command::FinishDraft {
                id: draft,
                verdict: verdict(AnswerEnd::Complete, 0.9),
                note: None,
            },
            10 => Command::Agent(AgentCommand::Release {
                agent: by.id,
                reason: LeaveReason::Vanished,
            }),
            11 => Command::RequestHuman,
            12 => Command::Agent(AgentCommand::Assign {
                by: by.clone(),
                to: agent("jo"),
                force: who > 100,
            }),
            13 => Command::Agent(AgentCommand::Note {
                id: format!("n{}", session.last_seq),
                agent: by,
                text: "Careful".into(),
            }),
            14 => Command::Agent(AgentCommand::Suggest { wish: Wish::Shorter, language: None }),
            _ => Command::Cancel { turn: running },
        }
    }

    proptest::proptest! {
        /// Promise 2: from an agent's joining to its leaving nothing of the model goes to the
        /// visitor, whatever comes in whatever order; there is one holder at any time; and the log
        /// alone tells all of it.
        #[test]
        fn the_human_wins(steps: Vec<(u8, u8)>, suggest: bool, answers_waiting: bool) {
            let handoff = HandoffConfig { answer_while_waiting: answers_waiting, ..HandoffConfig::default() };
            let policy = Policy { suggest, handoff: Arc::new(handoff) };
            let limits = Limits { max_messages: 1_000 };
            let key = SessionKey { site: "shop".into(), id: "s".into() };
            let new = || Session::new(key.clone(), "v".into(), "widget".into(), limits, policy.clone(), 0);
            let mut session = new();
            let mut log: Vec<Event> = Vec::new();
            let mut held: Option<String> = None;
            // The turn that the task around the session would have at work.
            let mut at_work: Option<u64> = None;
            for (kind, who) in steps {
                let command = command(kind, who, &session);
                let taker = match &command {
                    Command::Agent(AgentCommand::Take { agent, .. } | AgentCommand::Say { agent, .. }) => {
                        Some(agent.id.clone())
                    }
                    _ => None,
                };
                let before = held.clone();
                let mut accepted = false;
                for effect in session.apply(command, 0) {
                    match effect {
                        Effect::Append { seq, event } => {
                            proptest::prop_assert_eq!(seq, log.len() as u64 + 1, "gapless");
                            match &event {
                                Event::AgentJoined { agent, .. } => {
                                    proptest::prop_assert!(at_work.is_none(), "an answer was at work as the agent joined");
                                    held = Some(agent.id.clone());
                                }
                                Event::AgentLeft { agent, .. } => {
                                    proptest::prop_assert_eq!(held.take(), Some(agent.id.clone()));
                                }
                                Event::AgentSaid { agent, .. } => {
                                    proptest::prop_assert_eq!(held.as_ref(), Some(&agent.id), "only the holder speaks");
                                }
                                _ => {}
                            }
                            log.push(event);
                        }
                        Effect::Tell(Update::Delta { .. }) => {
                            proptest::prop_assert!(held.is_none() && !suggest, "a word of the model went out");
                        }
                        Effect::StartTurn { turn, .. } => {
                            proptest::prop_assert!(held.is_none() && !suggest && at_work.is_none());
                            at_work = Some(turn);
                        }
                        Effect::StopTurn { turn } => {
                            proptest::prop_assert_eq!(at_work.take(), Some(turn));
                        }
                        Effect::Reply(result) => accepted = result.is_ok(),
                        _ => {}
                    }
                }
                if session.running.is_none() {
                    at_work = None;
                }
                if let Some(taker) = taker {
                    proptest::prop_assert_eq!(accepted, before.is_none_or(|holder| holder == taker), "one holder");
                }
                let holder = if let Holder::Agent(agent) = &session.holder { Some(agent.id.clone()) } else { None };
                proptest::prop_assert_eq!(&holder, &held);
                proptest::prop_assert_eq!(session.running.is_some(), at_work.is_some());
            }
            let mut again = new();
            for (i, event) in log.iter().enumerate() {
                let stored: Event = serde_json::from_slice(&serde_json::to_vec(event).unwrap()).unwrap();
                again.replay(i as u64 + 1, 0, &stored);
            }
            proptest::prop_assert_eq!(&again.holder, &session.holder);
            proptest::prop_assert_eq!(again.running.map(|running| running.turn), session.running.map(|running| running.turn));
            proptest::prop_assert_eq!(again.lines, session.lines);
        }
    }

    #[test]
    fn values_of_a_later_version_leave_nobody_waiting() {
        let answered = r#"{"event":"answer_done","turn":2,"text":"Two years.","citations":[],"confidence":0.9,
            "usage":{"prompt_tokens":0,"cached_tokens":0,"completion_tokens":0},"end":"whispered","withheld":0}"#;
        let left = r#"{"event":"agent_left","agent":{"id":"a","name":"Mara"},"to":"oracle","reason":"moonrise"}"#;
        let mut session = session();
        let mut replay = |seq, json: &str| {
            session.replay(seq, 0, &serde_json::from_str(json).unwrap());
            (session.owes_answer(), session.holder.clone(), session.lines.len())
        };
        replay(1, r#"{"event":"started","visitor":"v","channel":"widget"}"#);
        replay(2, r#"{"event":"said","id":"a","text":"How long is the warranty?"}"#);
        replay(3, r#"{"event":"answer_started","turn":2}"#);
        assert_eq!(
            replay(4, answered),
            (false, Holder::Model, 2),
            "the answer stands and isn't given again"
        );
        let (_, holder, _) = replay(5, r#"{"event":"handoff","reason":"moonrise"}"#);
        assert_eq!(holder, Holder::Queue { reason: HandoffReason::Unknown });
        replay(6, r#"{"event":"agent_joined","agent":{"id":"a","name":"Mara"}}"#);
        let (_, holder, _) = replay(7, left);
        assert_eq!(
            holder,
            Holder::Queue { reason: HandoffReason::Agent },
            "a person looks after it"
        );
    }

    #[test]
    fn logs_of_the_first_version_still_read() {
        let mut session = session();
        for (seq, json) in [
            (1, r#"{"event":"started","visitor":"v","channel":"widget"}"#),
            (2, r#"{"event":"said","id":"a","text":"Hi"}"#),
            (3, r#"{"event":"human_requested"}"#),
            (4, r#"{"event":"answer_started","turn":2}"#),
        ] {
            session.replay(seq, 0, &serde_json::from_str(json).unwrap());
        }
        assert_eq!((session.human_requested, &session.holder), (true, &Holder::Model));
        assert!(session.owes_answer());
    }
}
