//! What past conversations hold: search and statistics, read from the log itself and bounded in
//! what one request reads.

use std::collections::{BTreeMap, HashMap};

use crate::conversation::{Agent, Decision, Event, LeaveReason, Speaker};
use crate::protocol::console::{
    AgentStatistics, Found, FoundSession, Match, Statistics, SuggestionStatistics,
};
use crate::session::board::one_line;
use crate::store::{
    RecordKind, SessionCursor, SessionInfo, SessionQuery, Store, StoreError, unless_damaged,
};

/// Conversations that one search reads: well under a second on a disk.
const SEARCH_READS: usize = 500;
/// Conversations that one report reads.
const REPORT_READS: usize = 5_000;
const PAGE: usize = 64;
/// Matches shown of one conversation.
const MATCHES: usize = 3;

/// Conversations that hold all the words, newest first. Case doesn't count. `after` is where an
/// earlier search ended.
///
/// # Errors
/// When the store can't be read.
pub async fn search(
    store: &Store,
    site: &str,
    words: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Found, StoreError> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let mut found = Found { sessions: Vec::new(), read: 0, next: None };
    let mut after = after.and_then(cursor);
    loop {
        let query =
            SessionQuery { site: site.to_owned(), limit: PAGE, after: after.clone(), since_ms: 0 };
        let page = store.sessions(query).await?;
        let whole = page.len() < PAGE;
        for info in page {
            after = Some(info.cursor());
            found.read += 1;
            let events = events(store, &info).await?;
            found.sessions.extend(matching(&info, &events, &words));
            if found.sessions.len() >= limit || found.read >= SEARCH_READS {
                found.next = after
                    .as_ref()
                    .map(|SessionCursor { last_at_ms, session }| format!("{last_at_ms}.{session}"));
                return Ok(found);
            }
        }
        if whole {
            return Ok(found);
        }
    }
}

fn cursor(text: &str) -> Option<SessionCursor> {
    let (last_at_ms, session) = text.split_once('.')?;
    Some(SessionCursor { last_at_ms: last_at_ms.parse().ok()?, session: session.to_owned() })
}

async fn events(store: &Store, info: &SessionInfo) -> Result<Vec<(u64, u64, Event)>, StoreError> {
    let records = store.read(&info.site, &info.session, 0, &[RecordKind::Event]).await;
    let records = unless_damaged(records, &info.site, &info.session)?;
    let event = |body: &[u8]| serde_json::from_slice(body).ok();
    Ok(records.into_iter().filter_map(|r| Some((r.seq, r.at_ms, event(&r.body)?))).collect())
}

/// The conversation, if each word stands somewhere in it.
fn matching(
    info: &SessionInfo,
    events: &[(u64, u64, Event)],
    words: &[String],
) -> Option<FoundSession> {
    let mut missing: Vec<&String> = words.iter().collect();
    let mut found = FoundSession {
        session: info.session.clone(),
        channel: String::new(),
        visitor: String::new(),
        started_at_ms: info.first_at_ms,
        last_at_ms: info.last_at_ms,
        last_seq: info.last_seq,
        ended: false,
        messages: 0,
        matches: Vec::new(),
    };
    if let Some((_, at_ms, _)) = events.iter().rfind(|(_, _, event)| event.is_word()) {
        found.last_at_ms = *at_ms;
    }
    for (seq, _, event) in events {
        let (by, text) = match event {
            Event::Started { visitor, channel } => {
                found.visitor.clone_from(visitor);
                found.channel.clone_from(channel);
                continue;
            }
            Event::Said { text, .. } => {
                found.messages += 1;
                (Speaker::Visitor, text)
            }
            Event::AnswerDone { text, .. } => (Speaker::Model, text),
            Event::AgentSaid { text, .. } | Event::Note { text, .. } => (Speaker::Agent, text),
            Event::Ended { .. } => {
                found.ended = true;
                continue;
            }
            _ => continue,
        };
        let lower = text.to_lowercase();
        let hit = words.iter().filter_map(|word| lower.find(word.as_str())).min();
        missing.retain(|word| !lower.contains(word.as_str()));
        if let Some(at) = hit
            && found.matches.len() < MATCHES
        {
            found.matches.push(Match { seq: *seq, by: by.into(), text: around(&lower, text, at) });
        }
    }
    missing.is_empty().then_some(found)
}

/// The words around a hit. Offsets of the lower-cased text are good for the text itself only where
/// both are alike.
fn around(lower: &str, text: &str, at: usize) -> String {
    let before = lower.get(..at).map_or(0, |before| before.chars().count()).saturating_sub(40);
    let rest: String = text.chars().skip(before).collect();
    if before == 0 { one_line(text) } else { one_line(&format!("…{rest}")) }
}

/// What became of drafts and handoffs since then.
///
/// # Errors
/// When the store can't be read.
pub async fn statistics(
    store: &Store,
    site: &str,
    since_ms: u64,
) -> Result<Statistics, StoreError> {
    let mut report = Report::default();
    let (mut after, mut sessions, mut complete) = (None, 0, true);
    'all: loop {
        let query = SessionQuery { site: site.to_owned(), limit: PAGE, after, since_ms };
        let page = store.sessions(query).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        let whole = page.len() < PAGE;
        for info in page {
            if sessions == REPORT_READS {
                complete = false;
                break 'all;
            }
            sessions += 1;
            report.add(&events(store, &info).await?, since_ms);
        }
        if whole {
            break;
        }
    }
    Ok(Statistics { since_ms, sessions, complete, ..report.finish() })
}

#[derive(Default)]
struct Report {
    all: Tally,
    agents: HashMap<String, (Agent, Tally)>,
    handoffs: BTreeMap<String, usize>,
    waits: Vec<u64>,
    replies: Vec<u64>,
}

/// Counts of one agent, or of all.
#[derive(Default)]
struct Tally {
    sessions: usize,
    messages: usize,
    made: usize,
    sent: usize,
    edited: usize,
    rejected: usize,
    distance: f32,
    reasons: HashMap<String, usize>,
}

impl Report {
    fn add(&mut self, events: &[(u64, u64, Event)], since_ms: u64) {
        let (mut waiting, mut asked, mut held) = (None, None, false);
        for (_, at_ms, event) in events {
            let counts = *at_ms >= since_ms;
            match event {
                Event::Said { .. } if held => {
                    asked.get_or_insert(*at_ms);
                }
                Event::Handoff { reason } => {
                    waiting = Some(*at_ms);
                    if counts {
                        let name = serde_json::to_value(reason)
                            .ok()
                            .and_then(|v| v.as_str().map(str::to_owned));
                        *self.handoffs.entry(name.unwrap_or_default()).or_default() += 1;
                    }
                }
                Event::AgentJoined { agent, .. } => {
                    held = true;
                    if let Some(since) = waiting.take().filter(|_| counts) {
                        self.waits.push(at_ms.saturating_sub(since));
                    }
                    if counts {
                        self.agent(agent).sessions += 1;
                    }
                }
                Event::AgentLeft { reason, .. } => {
                    held = false;
                    asked = None;
                    waiting = matches!(reason, LeaveReason::Vanished | LeaveReason::Revoked)
                        .then_some(*at_ms);
                }
                Event::AgentSaid { agent, .. } => {
                    if let Some(since) = asked.take().filter(|_| counts) {
                        self.replies.push(at_ms.saturating_sub(since));
                    }
                    if counts {
                        self.agent(agent).messages += 1;
                    }
                }
                Event::SuggestionMade { .. } if counts => self.all.made += 1,
                Event::SuggestionDecided { agent, decision, distance, reason, .. } if counts => {
                    self.all.decide(*decision, *distance, reason.as_deref());
                    self.agent(agent).decide(*decision, *distance, reason.as_deref());
                }
                _ => {}
            }
        }
    }

    fn agent(&mut self, agent: &Agent) -> &mut Tally {
        &mut self
            .agents
            .entry(agent.id.clone())
            .or_insert_with(|| (agent.clone(), Tally::default()))
            .1
    }

    fn finish(self) -> Statistics {
        let mut agents: Vec<AgentStatistics> = self
            .agents
            .into_values()
            .map(|(agent, tally)| AgentStatistics {
                agent: agent.into(),
                sessions: tally.sessions,
                messages: tally.messages,
                suggestions: tally.finish(),
            })
            .collect();
        agents.sort_unstable_by(|a, b| a.agent.cmp(&b.agent));
        Statistics {
            suggestions: self.all.finish(),
            agents,
            handoffs: self.handoffs,
            median_wait_ms: median(self.waits),
            median_reply_ms: median(self.replies),
            ..Statistics::default()
        }
    }
}

impl Tally {
    fn decide(&mut self, decision: Decision, distance: f32, reason: Option<&str>) {
        match decision {
            Decision::Unknown => return,
            Decision::Sent => self.sent += 1,
            Decision::Edited => self.edited += 1,
            Decision::Rejected => {
                self.rejected += 1;
                *self.reasons.entry(reason.unwrap_or_default().to_owned()).or_default() += 1;
                return;
            }
        }
        self.distance += distance;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one report")]
    fn finish(self) -> SuggestionStatistics {
        let accepted = self.sent + self.edited;
        let decided = accepted + self.rejected;
        let mut reject_reasons: Vec<(String, usize)> = self.reasons.into_iter().collect();
        reject_reasons.sort_unstable_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        reject_reasons.truncate(20);
        SuggestionStatistics {
            made: self.made,
            sent: self.sent,
            edited: self.edited,
            rejected: self.rejected,
            acceptance_rate: (decided > 0).then(|| accepted as f32 / decided as f32),
            mean_edit_distance: (accepted > 0).then(|| self.distance / accepted as f32),
            reject_reasons,
        }
    }
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{HandoffReason, SuggestionId};

    fn agent() -> Agent {
        Agent { id: "a".into(), name: "Mara".into() }
    }

    #[test]
    fn rates_come_from_what_was_decided() {
        let decided = |decision, distance| Event::SuggestionDecided {
            id: SuggestionId { turn: 1, version: 1 },
            agent: agent(),
            decision,
            distance,
            reason: (decision == Decision::Rejected).then(|| "wrong".to_owned()),
        };
        let events: Vec<(u64, u64, Event)> = [
            (10, Event::Handoff { reason: HandoffReason::Asked }),
            (70, Event::AgentJoined { agent: agent(), by: None }),
            (100, Event::Said { id: "m".into(), text: "?".into() }),
            (
                130,
                Event::AgentSaid {
                    id: "x".into(),
                    agent: agent(),
                    text: "!".into(),
                    suggestion: None,
                },
            ),
            (140, decided(Decision::Sent, 0.0)),
            (150, decided(Decision::Edited, 0.5)),
            (160, decided(Decision::Rejected, 1.0)),
            // Of a later version: in no count.
            (170, decided(Decision::Unknown, 0.9)),
        ]
        .into_iter()
        .enumerate()
        .map(|(i, (at_ms, event))| (i as u64 + 1, at_ms, event))
        .collect();
        let mut report = Report::default();
        report.add(&events, 0);
        let found = report.finish();
        assert_eq!(found.suggestions.acceptance_rate, Some(2.0 / 3.0));
        assert_eq!(found.suggestions.mean_edit_distance, Some(0.25));
        assert_eq!(found.suggestions.reject_reasons, [("wrong".to_owned(), 1)]);
        assert_eq!((found.median_wait_ms, found.median_reply_ms), (Some(60), Some(30)));
        assert_eq!(found.handoffs.get("asked"), Some(&1));
        assert_eq!(found.agents[0].suggestions.edited, 1);
        let mut late = Report::default();
        late.add(&events, 155);
        assert_eq!(late.finish().suggestions.acceptance_rate, Some(0.0));
        assert_eq!(Report::default().finish().suggestions.acceptance_rate, None);
    }

    #[test]
    fn every_word_must_stand_somewhere() {
        let info = SessionInfo {
            site: "shop".into(),
            session: "s".into(),
            first_at_ms: 0,
            last_at_ms: 0,
            last_seq: 2,
            partials: 0,
        };
        let events = vec![
            (
                1,
                0,
                Event::Said { id: "a".into(), text: format!("{} TENT pegs bent", "İ".repeat(60)) },
            ),
            (2, 0, Event::Note { id: "n".into(), agent: agent(), text: "sent new pegs".into() }),
        ];
        let check = |words: &[&str], expected: Option<usize>| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(
                matching(&info, &events, &words).map(|found| found.matches.len()),
                expected,
                "{words:?}"
            );
        };
        check(&["tent", "new"], Some(2));
        check(&["pegs"], Some(2));
        check(&["tent", "stove"], None);
        assert_eq!(cursor("12.a.b"), Some(SessionCursor { last_at_ms: 12, session: "a.b".into() }));
        assert_eq!(cursor("x"), None);
    }
}
