//! The vocabulary of conversations: what is stored of one, below the store and every protocol.
//!
//! The log keeps these types as JSON. Protocols have types of their own and convert, so that a
//! field may be renamed for browsers without touching a stored conversation. Nothing here does I/O
//! or knows a clock.
//!
//! A store outlives the build that wrote it, also when a later build is taken back. Each enum of
//! the log therefore has the value `Unknown`, which stands for all that this build has no word for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// How many of them were already in the KV cache.
    pub cached_tokens: u32,
    pub completion_tokens: u32,
}

/// What readers are shown in place of words that their writer deleted.
pub const DELETED: &str = "[deleted]";

/// Longest id a client may give a message, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Where a visitor came from. Of the referrer only the host is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_content: Option<String>,
    /// Address of the page that led here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// What a site passes about a visitor (age, income, tier, cart value, …): at most 32 of them are
/// kept, and without consent nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// The visitor agreed that these are used.
    pub consent: bool,
    pub values: BTreeMap<String, AttributeValue>,
}

/// Yes or no, a number, or a name of at most 200 characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    Flag(bool),
    Number(f64),
    Name(String),
}

/// A visitor's verdict on an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    Up,
    Down,
    /// A later build wrote it, and this one doesn't know the word. Never written by this build's
    /// own doing.
    #[serde(other)]
    Unknown,
}

/// Where a statement of an answer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Number within the answer, from 1.
    pub n: u32,
    /// The document's id.
    pub document: String,
    pub title: String,
    /// Headings from the outermost to the innermost.
    pub headings: Vec<String>,
    /// The document's own words.
    pub quote: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Bytes of the document's extracted text where the cited passage stands.
    pub start: u64,
    pub end: u64,
    /// Nothing of the answer stands there: the document came close, and the visitor may mean it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub related: bool,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerEnd {
    /// The answer is whole.
    Complete,
    /// The length limit was reached.
    Length,
    /// The knowledge doesn't hold an answer, and the text says so.
    Declined,
    /// The question can mean several things, and the text asks which.
    Clarified,
    /// The message was a greeting, thanks or the like; nothing was looked up.
    SmallTalk,
    /// The visitor stopped it.
    Cancelled,
    /// The visitor said something new.
    Superseded,
    /// A person took the conversation.
    TakenOver,
    /// Something broke; the text is what had been sent.
    Failed,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

/// An agent, as others may see one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Agent {
    /// Never changes and is never given twice.
    pub id: String,
    /// What visitors and colleagues read.
    pub name: String,
}

/// Why a person is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffReason {
    /// The visitor asked for a person.
    Asked,
    /// Answers in a row were declined or unsure.
    LowConfidence,
    Anger,
    /// A topic that the site wants people to handle.
    SensitiveTopic,
    HighIntent,
    /// The site sends nothing without a person.
    SuggestOnly,
    /// An agent gave it back to the line, or assigned it away.
    Agent,
    /// The agent who held it is gone.
    AgentGone,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Visitor,
    Model,
    Agent,
}

/// Where a session goes when its agent gives it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveTo {
    #[default]
    Model,
    Queue,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

/// Which suggestion: the visitor's message it answers, and its version, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SuggestionId {
    pub turn: u64,
    pub version: u32,
}

/// What kind of suggestion is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// An answer of its own, from the documents.
    #[default]
    Answer,
    Shorter,
    Warmer,
    Translated,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

/// What became of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// As it was drafted.
    Sent,
    /// With changes.
    Edited,
    Rejected,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

/// Why an agent no longer holds a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    GaveBack,
    /// Another agent has it now.
    Assigned,
    /// No console of the agent was connected for too long.
    Vanished,
    /// The account was removed or lost its role.
    Revoked,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

/// What an agent should know of a draft. Consoles word it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DraftNote {
    Coded {
        code: NoteCode,
        /// Titles of documents, where the note is about some.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        about: Vec<String>,
    },
    /// English words; of drafts that were stored before notes had codes.
    Words(String),
}

/// See [`DraftNote`]; some are why a rewrite was given up, and then nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteCode {
    /// The visitor asks for a person; there was nothing to look up.
    AsksForPerson,
    /// The documents hold no answer, and the text says so.
    NoAnswer,
    /// Made from documents for agents only, named in `about`.
    AgentsOnly,
    /// Numbers, links and codes of the translation were checked, the words were not.
    TranslationUnchecked,
    /// Sentences of the rewrite that the draft doesn't support were left out.
    LeftOut,
    /// Shortened by leaving out the last sentences: the model has not qualified for rephrasing.
    CutShort,
    /// Given up: the draft is one sentence, and the model has not qualified for rephrasing.
    OneSentence,
    /// Given up: the model has not qualified for phrasing on this site's documents.
    NotQualified,
    /// Given up: every sentence of the rewrite said something that the draft doesn't.
    NothingKept,
    /// As [`Rating::Unknown`].
    #[serde(other)]
    Unknown,
}

impl NoteCode {
    /// As it stands in a frame.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AsksForPerson => "asks_for_person",
            Self::NoAnswer => "no_answer",
            Self::AgentsOnly => "agents_only",
            Self::TranslationUnchecked => "translation_unchecked",
            Self::LeftOut => "left_out",
            Self::CutShort => "cut_short",
            Self::OneSentence => "one_sentence",
            Self::NotQualified => "not_qualified",
            Self::NothingKept => "nothing_kept",
            Self::Unknown => "unknown",
        }
    }
}

impl From<NoteCode> for DraftNote {
    fn from(code: NoteCode) -> Self {
        Self::Coded { code, about: Vec::new() }
    }
}

/// Which conversation: a site and the session's id within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    pub site: String,
    pub id: String,
}

impl SessionKey {
    /// The key of a session whose id came from outside; `None` if no session can have it: ids have
    /// 1 to [`MAX_ID_BYTES`] bytes and no NUL, which ends names in the store.
    #[must_use]
    pub fn named(site: &str, id: &str) -> Option<Self> {
        let sound = !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.contains('\0');
        sound.then(|| Self { site: site.to_owned(), id: id.to_owned() })
    }
}

/// What the log holds of a session. Every event has a `seq`, 1, 2, 3, … without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every session.
    Started {
        visitor: String,
        channel: String,
    },
    /// The visitor said something; its `seq` names the turn that answers it.
    Said {
        id: String,
        text: String,
    },
    /// In place of a [`Event::Said`] whose words the visitor deleted.
    Deleted {
        id: String,
    },
    AnswerStarted {
        turn: u64,
    },
    AnswerDone {
        turn: u64,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
        /// Sentences that were written but not sent.
        withheld: u32,
    },
    HumanRequested {},
    /// A person is wanted: the session waits in the line.
    Handoff {
        reason: HandoffReason,
    },
    /// From here on this agent answers.
    AgentJoined {
        agent: Agent,
        /// Who assigned it, if it wasn't the agent's own doing: an agent's id, or `routing`.
        #[serde(default)]
        by: Option<String>,
    },
    AgentLeft {
        agent: Agent,
        to: GiveTo,
        reason: LeaveReason,
    },
    AgentSaid {
        id: String,
        agent: Agent,
        text: String,
        /// The draft it was made from.
        #[serde(default)]
        suggestion: Option<SuggestionId>,
    },
    /// For colleagues only.
    Note {
        id: String,
        agent: Agent,
        text: String,
    },
    /// For colleagues only.
    SuggestionMade {
        id: SuggestionId,
        wish: Wish,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
        withheld: u32,
        #[serde(default)]
        note: Option<DraftNote>,
    },
    /// For colleagues only. `distance` is the Levenshtein distance between draft and reply over the
    /// longer one's length.
    SuggestionDecided {
        id: SuggestionId,
        agent: Agent,
        decision: Decision,
        distance: f32,
        #[serde(default)]
        reason: Option<String>,
    },
    Feedback {
        turn: u64,
        rating: Rating,
        text: Option<String>,
    },
    Ended {
        reason: String,
    },
    /// Of a kind that this build doesn't know, written by a later one. It stays in the log as it
    /// is, counts as an event, and changes nothing.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl Event {
    /// The event of a record's body; `None` for one of a kind that only a newer release knows. It
    /// is kept where it is, and passed over.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(body: &[u8]) -> serde_json::Result<Option<Self>> {
        let event: Self = serde_json::from_slice(body)?;
        Ok((event != Self::Unknown).then_some(event))
    }

    /// True for what no visitor may ever see.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Note { .. }
                | Self::SuggestionMade { .. }
                | Self::SuggestionDecided { .. }
                | Self::Unknown
        )
    }

    /// True if the visitor reads or wrote words by it: what comes and goes beside them makes no
    /// conversation younger.
    #[must_use]
    pub fn is_word(&self) -> bool {
        match self {
            Self::Said { .. } | Self::AgentSaid { .. } => true,
            Self::AnswerDone { text, .. } => !text.is_empty(),
            _ => false,
        }
    }
}

/// A checkpoint of a running answer: what is new since the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub turn: u64,
    /// Unicode scalar values before `text`.
    pub offset: u64,
    pub text: String,
}

/// How a turn ended, as the turn itself reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub citations: Vec<Citation>,
    pub confidence: f32,
    pub usage: Usage,
    pub end: AnswerEnd,
    pub withheld: u32,
}

/// A draft that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub id: SuggestionId,
    pub text: String,
    pub citations: Vec<Citation>,
    pub confidence: f32,
    pub(crate) decided: bool,
}

/// A line of the conversation, as prompts and retrieval see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub by_visitor: bool,
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of event and every value in one, as a build of November 2026 wrote them. These
    /// bytes stand in stores: they must open for ever.
    const STORED: &str = include_str!("../tests/it/fixtures/events.jsonl");
    const STORED_CHECKPOINT: &str = include_str!("../tests/it/fixtures/checkpoint.json");

    fn agent() -> Agent {
        Agent { id: "a1".into(), name: "Mara".into() }
    }

    /// All values of a stored enum but `Unknown`. A new one doesn't compile until it is named here,
    /// and then the fixture must have its line.
    macro_rules! every {
        ($type:ident: $($value:ident),+ $(,)?) => {{
            let _ = |value: $type| match value {
                $($type::$value)|+ | $type::Unknown => (),
            };
            vec![$($type::$value),+]
        }};
    }

    fn answer(end: AnswerEnd) -> Event {
        Event::AnswerDone {
            turn: 2,
            text: "Two years.".into(),
            citations: Vec::new(),
            confidence: 0.5,
            usage: Usage::default(),
            end,
            withheld: 0,
        }
    }

    fn draft(wish: Wish, end: AnswerEnd, note: Option<DraftNote>) -> Event {
        Event::SuggestionMade {
            id: SuggestionId { turn: 2, version: 1 },
            wish,
            text: "Two years.".into(),
            citations: Vec::new(),
            confidence: 0.5,
            usage: Usage::default(),
            end,
            withheld: 0,
            note,
        }
    }

    fn left(to: GiveTo, reason: LeaveReason) -> Event {
        Event::AgentLeft { agent: agent(), to, reason }
    }

    fn decided(decision: Decision) -> Event {
        let id = SuggestionId { turn: 2, version: 1 };
        Event::SuggestionDecided { id, agent: agent(), decision, distance: 0.5, reason: None }
    }

    fn rated(rating: Rating) -> Event {
        Event::Feedback { turn: 2, rating, text: None }
    }

    /// An event for every value that stands in one, in the order of [`STORED`] after [`events`].
    fn values() -> Vec<Event> {
        let ends = every!(AnswerEnd: Complete, Length, Declined, Clarified, SmallTalk, Cancelled, Superseded, TakenOver,
            Failed);
        let reasons = every!(HandoffReason: Asked, LowConfidence, Anger, SensitiveTopic, HighIntent, SuggestOnly, Agent,
            AgentGone);
        let notes = every!(NoteCode: AsksForPerson, NoAnswer, AgentsOnly, TranslationUnchecked, LeftOut, CutShort,
            OneSentence, NotQualified, NothingKept);
        let leaves = every!(LeaveReason: GaveBack, Assigned, Vanished, Revoked);
        let wishes = every!(Wish: Answer, Shorter, Warmer, Translated);
        let mut all: Vec<Event> = ends.into_iter().map(answer).collect();
        all.extend(reasons.into_iter().map(|reason| Event::Handoff { reason }));
        all.extend(leaves.into_iter().map(|reason| left(GiveTo::Queue, reason)));
        all.extend(
            every!(GiveTo: Model, Queue).into_iter().map(|to| left(to, LeaveReason::GaveBack)),
        );
        all.extend(wishes.into_iter().map(|wish| draft(wish, AnswerEnd::Complete, None)));
        all.extend(
            notes
                .into_iter()
                .map(|code| draft(Wish::Answer, AnswerEnd::Complete, Some(code.into()))),
        );
        let words = DraftNote::Words("In English words.".into());
        all.push(draft(Wish::Answer, AnswerEnd::Complete, Some(words)));
        all.extend(every!(Decision: Sent, Edited, Rejected).into_iter().map(decided));
        all.extend(every!(Rating: Up, Down).into_iter().map(rated));
        all
    }

    /// One event of each kind, in the order of [`STORED`].
    fn events() -> Vec<Event> {
        let id = SuggestionId { turn: 2, version: 1 };
        let citation = Citation {
            n: 1,
            document: "warranty.md".into(),
            title: "Warranty".into(),
            headings: vec!["How long".into()],
            quote: "Two years.".into(),
            url: Some("https://shop.example/warranty".into()),
            start: 10,
            end: 20,
            related: false,
        };
        vec![
            Event::Started { visitor: "v1".into(), channel: "widget".into() },
            Event::Said { id: "m1".into(), text: "How long is the warranty?".into() },
            Event::AnswerStarted { turn: 2 },
            Event::AnswerDone {
                turn: 2,
                text: "Two years.".into(),
                citations: vec![citation],
                confidence: 0.5,
                usage: Usage { prompt_tokens: 3, cached_tokens: 1, completion_tokens: 2 },
                end: AnswerEnd::Complete,
                withheld: 1,
            },
            Event::HumanRequested {},
            Event::Handoff { reason: HandoffReason::Asked },
            Event::AgentJoined { agent: agent(), by: Some("routing".into()) },
            Event::AgentLeft { agent: agent(), to: GiveTo::Queue, reason: LeaveReason::GaveBack },
            Event::AgentSaid {
                id: "x1".into(),
                agent: agent(),
                text: "Hello".into(),
                suggestion: Some(id),
            },
            Event::Note { id: "n1".into(), agent: agent(), text: "Sent new pegs.".into() },
            Event::SuggestionMade {
                id,
                wish: Wish::Shorter,
                text: "Two years.".into(),
                citations: Vec::new(),
                confidence: 0.25,
                usage: Usage::default(),
                end: AnswerEnd::Declined,
                withheld: 0,
                note: Some(DraftNote::Coded {
                    code: NoteCode::AgentsOnly,
                    about: vec!["Terms".into()],
                }),
            },
            Event::SuggestionDecided {
                id,
                agent: agent(),
                decision: Decision::Rejected,
                distance: 1.0,
                reason: Some("wrong".into()),
            },
            Event::Feedback { turn: 2, rating: Rating::Down, text: Some("No.".into()) },
            Event::Ended { reason: "visitor".into() },
            Event::Deleted { id: "m1".into() },
        ]
    }

    /// A new kind of event doesn't compile here: give it a place in [`events`], the snapshot and
    /// the fixture.
    fn place(event: &Event) -> Option<usize> {
        Some(match event {
            Event::Started { .. } => 0,
            Event::Said { .. } => 1,
            Event::AnswerStarted { .. } => 2,
            Event::AnswerDone { .. } => 3,
            Event::HumanRequested {} => 4,
            Event::Handoff { .. } => 5,
            Event::AgentJoined { .. } => 6,
            Event::AgentLeft { .. } => 7,
            Event::AgentSaid { .. } => 8,
            Event::Note { .. } => 9,
            Event::SuggestionMade { .. } => 10,
            Event::SuggestionDecided { .. } => 11,
            Event::Feedback { .. } => 12,
            Event::Ended { .. } => 13,
            Event::Deleted { .. } => 14,
            Event::Unknown => return None,
        })
    }

    #[test]
    fn every_kind_of_event_opens_as_it_was_stored() {
        let stored: Vec<Event> =
            STORED.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(stored, [events(), values()].concat());
        let places: Vec<_> = events().iter().map(place).collect();
        assert_eq!(places, (0..events().len()).map(Some).collect::<Vec<_>>());
        let written: Vec<String> =
            stored.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        assert_eq!(written, STORED.lines().collect::<Vec<_>>(), "they are written as they were");
        let checkpoint: Checkpoint = serde_json::from_str(STORED_CHECKPOINT).unwrap();
        assert_eq!(checkpoint, Checkpoint { turn: 2, offset: 4, text: "years.".into() });
    }

    #[test]
    fn events_are_stored_in_these_words() {
        let stored: Vec<String> =
            events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        insta::assert_snapshot!(stored.join("\n"), @r#"
        {"event":"started","visitor":"v1","channel":"widget"}
        {"event":"said","id":"m1","text":"How long is the warranty?"}
        {"event":"answer_started","turn":2}
        {"event":"answer_done","turn":2,"text":"Two years.","citations":[{"n":1,"document":"warranty.md","title":"Warranty","headings":["How long"],"quote":"Two years.","url":"https://shop.example/warranty","start":10,"end":20}],"confidence":0.5,"usage":{"prompt_tokens":3,"cached_tokens":1,"completion_tokens":2},"end":"complete","withheld":1}
        {"event":"human_requested"}
        {"event":"handoff","reason":"asked"}
        {"event":"agent_joined","agent":{"id":"a1","name":"Mara"},"by":"routing"}
        {"event":"agent_left","agent":{"id":"a1","name":"Mara"},"to":"queue","reason":"gave_back"}
        {"event":"agent_said","id":"x1","agent":{"id":"a1","name":"Mara"},"text":"Hello","suggestion":{"turn":2,"version":1}}
        {"event":"note","id":"n1","agent":{"id":"a1","name":"Mara"},"text":"Sent new pegs."}
        {"event":"suggestion_made","id":{"turn":2,"version":1},"wish":"shorter","text":"Two years.","citations":[],"confidence":0.25,"usage":{"prompt_tokens":0,"cached_tokens":0,"completion_tokens":0},"end":"declined","withheld":0,"note":{"code":"agents_only","about":["Terms"]}}
        {"event":"suggestion_decided","id":{"turn":2,"version":1},"agent":{"id":"a1","name":"Mara"},"decision":"rejected","distance":1.0,"reason":"wrong"}
        {"event":"feedback","turn":2,"rating":"down","text":"No."}
        {"event":"ended","reason":"visitor"}
        {"event":"deleted","id":"m1"}
        "#);
    }

    #[test]
    fn what_older_builds_stored_opens() {
        let check = |json: &str, expected: Event| {
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), expected, "{json}");
        };
        check(
            r#"{"event":"agent_joined","agent":{"id":"a1","name":"Mara"}}"#,
            Event::AgentJoined { agent: agent(), by: None },
        );
        let said = Event::AgentSaid {
            id: "x".into(),
            agent: agent(),
            text: "Hi".into(),
            suggestion: None,
        };
        check(
            r#"{"event":"agent_said","id":"x","agent":{"id":"a1","name":"Mara"},"text":"Hi"}"#,
            said,
        );
        let note = |json: &str| serde_json::from_str::<DraftNote>(json).unwrap();
        assert_eq!(note("\"old words\""), DraftNote::Words("old words".into()));
        assert_eq!(note(r#"{"code":"no_answer"}"#), NoteCode::NoAnswer.into());
    }

    #[test]
    fn what_later_builds_store_is_passed_over() {
        let check = |json: &str, expected: Event| {
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), expected, "{json}");
        };
        check(r#"{"event":"hologram","shape":"cube","at":[1,2]}"#, Event::Unknown);
        check(
            r#"{"event":"ended","reason":"visitor","mood":"good"}"#,
            Event::Ended { reason: "visitor".into() },
        );
        assert!(Event::Unknown.is_internal() && !Event::Unknown.is_word());
        assert!(
            serde_json::to_string(&Event::Unknown).is_err(),
            "it can't be written again without its words"
        );
    }

    /// One value that this build doesn't know costs that value, not its event and not the
    /// conversation.
    #[test]
    fn a_value_of_a_later_build_is_passed_over() {
        let check = |event: &Event, known: &str, expected: &Event| {
            let stored = serde_json::to_string(event).unwrap();
            let (known, later) = (format!("\"{known}\""), "\"holographic\"");
            assert_eq!(stored.matches(&known).count(), 1, "{stored}");
            let read = Event::read(stored.replace(&known, later).as_bytes()).unwrap();
            assert_eq!(read.as_ref(), Some(expected));
            // Signals are made of such values: they must be writable.
            let again = serde_json::to_vec(expected).unwrap();
            assert_eq!(Event::read(&again).unwrap().as_ref(), Some(expected));
        };
        check(&answer(AnswerEnd::TakenOver), "taken_over", &answer(AnswerEnd::Unknown));
        check(
            &Event::Handoff { reason: HandoffReason::Anger },
            "anger",
            &Event::Handoff { reason: HandoffReason::Unknown },
        );
        check(
            &left(GiveTo::Model, LeaveReason::Revoked),
            "revoked",
            &left(GiveTo::Model, LeaveReason::Unknown),
        );
        check(
            &left(GiveTo::Queue, LeaveReason::Revoked),
            "queue",
            &left(GiveTo::Unknown, LeaveReason::Revoked),
        );
        let made = |wish, note| draft(wish, AnswerEnd::Complete, note);
        check(&made(Wish::Warmer, None), "warmer", &made(Wish::Unknown, None));
        let note =
            |code| made(Wish::Answer, Some(DraftNote::Coded { code, about: vec!["Terms".into()] }));
        check(&note(NoteCode::LeftOut), "left_out", &note(NoteCode::Unknown));
        check(&decided(Decision::Edited), "edited", &decided(Decision::Unknown));
        check(&rated(Rating::Down), "down", &rated(Rating::Unknown));
    }
}
