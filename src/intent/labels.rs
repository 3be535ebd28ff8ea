//! What a message is about, as agents say it: labels are signals of the session that they are given
//! in, so that they are forgotten with it, and examples for the next training of the classes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::conversation::{Event, SessionKey};
use crate::intent::classes::Example;
use crate::signals::{self, Signal};
use crate::store::{RecordKind, SessionQuery, Store, StoreError, unless_damaged};

/// Longest name of a class, in Unicode scalar values.
pub const MAX_NAME: usize = 100;
/// Sessions listed at once.
const PAGE: usize = 500;

/// Why a label isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    #[error("no message of the visitor has seq {0}")]
    NoMessage(u64),
    #[error("a class's name has at most {MAX_NAME} characters and no line break")]
    Name,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A message with its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Labelled {
    pub session: String,
    pub seq: u64,
    pub text: String,
    pub intent: String,
    /// The agent who said so, or `admin`.
    pub by: String,
    pub at_ms: u64,
}

/// Notes what the message `seq` is about; an empty `intent` takes the label back. It is on disk
/// when this returns.
///
/// # Errors
/// When there is no such message, the name is none, or the store fails.
pub async fn put(
    store: &Store,
    key: &SessionKey,
    seq: u64,
    intent: &str,
    by: &str,
    now_ms: u64,
) -> Result<(), LabelError> {
    let intent = intent.trim();
    if intent.chars().count() > MAX_NAME || intent.contains(['\n', '\r']) {
        return Err(LabelError::Name);
    }
    let events = store.read(&key.site, &key.id, 0, &[RecordKind::Event]).await?;
    let is_message = |body: &[u8]| matches!(serde_json::from_slice(body), Ok(Event::Said { .. }));
    if !events.iter().any(|record| record.seq == seq && is_message(&record.body)) {
        return Err(LabelError::NoMessage(seq));
    }
    let label = Signal::Label { intent: intent.to_owned(), by: by.to_owned() };
    signals::append(store, key, seq, now_ms, &[label]).await?;
    Ok(())
}

/// The labels of a session: of each message the last one, unless it was taken back.
///
/// # Errors
/// When the store can't be read.
pub async fn of_session(store: &Store, key: &SessionKey) -> Result<Vec<Labelled>, StoreError> {
    let mut said: BTreeMap<u64, String> = BTreeMap::new();
    let mut labels: BTreeMap<u64, (u64, String, String)> = BTreeMap::new();
    for record in
        store.read(&key.site, &key.id, 0, &[RecordKind::Event, RecordKind::Signal]).await?
    {
        if record.kind == RecordKind::Event {
            if let Ok(Event::Said { text, .. }) = serde_json::from_slice(&record.body) {
                said.insert(record.seq, text);
            }
            continue;
        }
        for signal in signals::read(&record.body) {
            if let Signal::Label { intent, by } = signal {
                labels.insert(record.seq, (record.at_ms, intent, by));
            }
        }
    }
    let labelled = labels.into_iter().filter(|(_, (_, intent, _))| !intent.is_empty());
    Ok(labelled
        .filter_map(|(seq, (at_ms, intent, by))| {
            let text = said.get(&seq)?.clone();
            Some(Labelled { session: key.id.clone(), seq, text, intent, by, at_ms })
        })
        .collect())
}

/// All labels of a site, the oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn of_site(store: &Store, site: &str) -> Result<Vec<Labelled>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let query =
            SessionQuery { site: site.to_owned(), limit: PAGE, after: after.take(), since_ms: 0 };
        let page = store.sessions(query).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        for info in page {
            let key = SessionKey { site: info.site, id: info.session };
            all.extend(unless_damaged(of_session(store, &key).await, &key.site, &key.id)?);
        }
    }
    all.sort_by(|a, b| {
        a.at_ms.cmp(&b.at_ms).then_with(|| (&a.session, a.seq).cmp(&(&b.session, b.seq)))
    });
    Ok(all)
}

/// The labels of a site as examples to learn from.
///
/// # Errors
/// When the store can't be read, or nobody labelled anything.
pub async fn examples(store: &Store, site: &str) -> anyhow::Result<Vec<Example>> {
    let labels = of_site(store, site).await?;
    anyhow::ensure!(
        !labels.is_empty(),
        "nobody has labelled a message of this site yet; agents do so in the console, or name a file of examples"
    );
    Ok(labels.into_iter().map(|Labelled { text, intent, .. }| Example { text, intent }).collect())
}
