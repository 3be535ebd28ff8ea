//! What people answered to those who asked a gap's question, read from their conversations.

use std::collections::BTreeMap;

use super::draft::{Reply, Source};
use super::manner::{manner, plain};
use super::{Example, Gap};
use crate::conversation::Event;
use crate::grounding::smalltalk::small_talk;
use crate::language::language_of;
use crate::retrieval::Retrieval;
use crate::store::{Record, RecordKind, Store, unless_damaged};

/// Replies that are read of one conversation at most.
const REPLIES: usize = 12;
/// Cosine to the gap's question below which a visitor's next question is about something else.
const SAME_TALK: f32 = 0.3;

/// The agents' replies to a gap's questions, as they stand in the conversations.
///
/// # Errors
/// When the store or the embedder fails.
pub(super) async fn replies(
    store: &Store,
    retrieval: &Retrieval,
    site: &str,
    language: &str,
    gap: &Gap,
) -> anyhow::Result<Vec<Reply>> {
    // The first time that a conversation asked it; what follows is read once.
    let mut asked: BTreeMap<&str, &Example> = BTreeMap::new();
    for example in &gap.examples {
        let first = asked.entry(&example.session).or_insert(example);
        if example.turn < first.turn {
            *first = example;
        }
    }
    let mut replies = Vec::new();
    for (session, example) in asked {
        let records = store.read(site, session, 0, &[RecordKind::Event]).await;
        let records = unless_damaged(records, site, session)?;
        replies.extend(of_conversation(retrieval, language, gap, example, &records).await?);
    }
    Ok(replies)
}

async fn of_conversation(
    retrieval: &Retrieval,
    language: &str,
    gap: &Gap,
    example: &Example,
    records: &[Record],
) -> anyhow::Result<Vec<Reply>> {
    let mut names = Vec::new();
    let mut replies: Vec<Reply> = Vec::new();
    let mut over = false;
    for record in records {
        match Event::read(&record.body) {
            Ok(Some(Event::Said { text, .. })) => {
                names.extend(introduced(&text, language));
                let next =
                    record.seq > example.turn && !replies.is_empty() && text.contains(['?', '？']);
                if next && !over && small_talk(&text).is_none() {
                    over = is_elsewhere(retrieval, &gap.question, &text).await?;
                }
            }
            Ok(Some(Event::AgentSaid { agent, text, .. })) => {
                names.extend(plain(&agent.name).split(' ').map(str::to_owned));
                if record.seq > example.turn && !over && replies.len() < REPLIES {
                    let source = Source {
                        session: example.session.clone(),
                        seq: record.seq,
                        agent: agent.name,
                        at_ms: record.at_ms,
                    };
                    replies.push(Reply { source, text, names: Vec::new() });
                }
            }
            _ => {}
        }
    }
    for reply in &mut replies {
        reply.names.clone_from(&names);
    }
    Ok(replies)
}

/// Whether a visitor's next question is about something else than the gap.
async fn is_elsewhere(retrieval: &Retrieval, question: &str, text: &str) -> anyhow::Result<bool> {
    let vectors =
        retrieval.embedder.embed_queries(vec![question.to_owned(), text.to_owned()]).await?;
    let [a, b] = vectors.as_slice() else { return Ok(false) };
    let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    Ok(cosine < SAME_TALK)
}

/// Names that a visitor gives: "my name is …", in small letters.
fn introduced(text: &str, site_language: &str) -> Vec<String> {
    let Some(manner) = manner(language_of(text).unwrap_or(site_language)) else {
        return Vec::new();
    };
    let words = plain(text);
    let given = manner.called.captures_iter(&words).filter_map(|found| found.get(1));
    // "I am sorry" introduces nobody.
    let is_name = |word: &&str| {
        crate::language::words(text)
            .any(|own| own.to_lowercase() == **word && own.starts_with(char::is_uppercase))
    };
    given.map(|found| found.as_str()).filter(is_name).map(str::to_owned).collect()
}
