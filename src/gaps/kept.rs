//! Drafts that are kept, by gap. A draft names for every sentence where it was said, so what a
//! conversation left in it goes with the conversation. Of a published article the draft keeps no
//! words, only which of its sentences was said where: one whose conversation is gone is named for
//! review, since a person made the article their own.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::draft::{Contradiction, LeftOut, Sentence, Source};
use super::manner::plain;
use super::trial::Trial;
use crate::language::sentences;
use crate::store::{Store, StoreError};

const SPACE: &str = "drafts";

/// A draft of a gap's article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The gap's id.
    pub gap: String,
    pub made_at_ms: u64,
    /// The question that stands for the others; empty where none is left, or each holds personal
    /// data.
    pub title: String,
    /// The conversation that the title was asked in.
    pub title_from: Option<String>,
    /// Empty once the draft is published.
    pub sentences: Vec<Sentence>,
    pub contradictions: Vec<Contradiction>,
    pub left_out: LeftOut,
    pub trial: Option<Trial>,
    pub published: Option<Published>,
}

/// The article that a draft became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its id in the knowledge.
    pub document: String,
    pub at_ms: u64,
    /// Who published it.
    pub by: String,
    pub marks: Vec<Mark>,
}

/// A sentence of a published article that was said in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Lower-case hexadecimal SHA-256 of its words.
    pub sha256: String,
    /// Where it was said, as far as those conversations are still there. A title, which a visitor
    /// asked, names no agent.
    pub sources: Vec<Source>,
}

impl Draft {
    /// The sessions that something of it comes from.
    fn sessions(&self) -> impl Iterator<Item = &String> {
        let marks = self.published.iter().flat_map(|published| &published.marks);
        let sources = self
            .sentences
            .iter()
            .map(|sentence| &sentence.sources)
            .chain(marks.map(|mark| &mark.sources));
        sources.flatten().map(|source| &source.session).chain(&self.title_from)
    }

    /// Takes out what came from sessions that are gone; true if there was something.
    fn forget(&mut self, gone: &dyn Fn(&str) -> bool) -> bool {
        if !self.sessions().any(|session| gone(session)) {
            return false;
        }
        if self.title_from.as_deref().is_some_and(gone) {
            (self.title, self.title_from) = (String::new(), None);
        }
        let mut places = Vec::with_capacity(self.sentences.len());
        let mut left = 0;
        for sentence in &mut self.sentences {
            sentence.sources.retain(|source| !gone(&source.session));
            let stays = !sentence.sources.is_empty();
            places.push(stays.then_some(left));
            left += usize::from(stays);
        }
        self.sentences.retain(|sentence| !sentence.sources.is_empty());
        let place = |at: usize| places.get(at).copied().flatten();
        self.contradictions.retain_mut(|found| {
            let (Some(first), Some(second)) = (place(found.first), place(found.second)) else {
                return false;
            };
            (found.first, found.second) = (first, second);
            true
        });
        for mark in self.published.iter_mut().flat_map(|published| &mut published.marks) {
            mark.sources.retain(|source| !gone(&source.session));
        }
        true
    }

    /// Whether nothing is left that anybody could use.
    fn is_empty(&self) -> bool {
        self.sentences.is_empty() && self.published.is_none() && self.title.is_empty()
    }

    /// Makes it the draft of a published article: what it keeps from now on is which of the
    /// article's sentences was said where.
    fn publish(&mut self, document: &str, article: &str, at_ms: u64, by: &str) {
        let written: HashSet<String> = words_of(article);
        let earlier = self.published.take().map(|published| published.marks).unwrap_or_default();
        let drafted = self.sentences.iter().map(|sentence| Mark {
            sha256: sha256(&sentence.text),
            sources: sentence.sources.clone(),
        });
        let asked_in = |session: &String| Source {
            session: session.clone(),
            seq: 0,
            agent: String::new(),
            at_ms: self.made_at_ms,
        };
        let title = self
            .title_from
            .as_ref()
            .map(|session| Mark { sha256: sha256(&self.title), sources: vec![asked_in(session)] });
        let mut marks: Vec<Mark> = Vec::new();
        for mark in
            drafted.chain(title).chain(earlier).filter(|mark| written.contains(&mark.sha256))
        {
            if !marks.iter().any(|other| other.sha256 == mark.sha256) {
                marks.push(mark);
            }
        }
        self.published =
            Some(Published { document: document.to_owned(), at_ms, by: by.to_owned(), marks });
        (self.title, self.title_from) = (String::new(), None);
        self.sentences = Vec::new();
        self.contradictions = Vec::new();
    }

    /// Sentences of the published article, given as it stands, whose conversations are gone.
    #[must_use]
    pub fn for_review(&self, article: &str) -> Vec<String> {
        let orphaned: HashSet<&String> = self
            .published
            .iter()
            .flat_map(|published| &published.marks)
            .filter(|mark| mark.sources.is_empty())
            .map(|mark| &mark.sha256)
            .collect();
        let all = sentences(article).into_iter().filter_map(|range| article.get(range));
        all.filter(|sentence| orphaned.contains(&sha256(sentence))).map(str::to_owned).collect()
    }

    /// How many sentences of the published article have lost their conversations.
    #[must_use]
    pub fn orphans(&self) -> usize {
        let marks = self.published.iter().flat_map(|published| &published.marks);
        marks.filter(|mark| mark.sources.is_empty()).count()
    }
}

/// The hashes of a text's sentences.
fn words_of(text: &str) -> HashSet<String> {
    sentences(text).into_iter().filter_map(|range| text.get(range)).map(sha256).collect()
}

fn sha256(sentence: &str) -> String {
    // A sentence with its "Yes." before it is two in the article.
    let last = sentences(sentence).pop().and_then(|range| sentence.get(range)).unwrap_or(sentence);
    format!("{:x}", Sha256::digest(plain(last)))
}

/// The drafts of all sites. Cheap to clone.
#[derive(Clone)]
pub struct Drafts {
    store: Store,
    /// One change at a time.
    changing: Arc<Mutex<()>>,
}

impl Drafts {
    pub(super) fn new(store: Store) -> Self {
        Self { store, changing: Arc::default() }
    }

    /// A gap's draft.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn get(&self, site: &str, gap: &str) -> Result<Option<Draft>, StoreError> {
        let kept = self.store.get(SPACE, &super::key(site, gap)).await?;
        Ok(kept.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// A site's drafts, the latest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn list(&self, site: &str) -> Result<Vec<Draft>, StoreError> {
        let kept = self.store.scan(SPACE, format!("{site}\0").as_bytes()).await?;
        let mut drafts: Vec<Draft> =
            kept.into_iter().filter_map(|(_, value)| serde_json::from_slice(&value).ok()).collect();
        drafts.sort_by(|a, b| (b.made_at_ms, &a.gap).cmp(&(a.made_at_ms, &b.gap)));
        Ok(drafts)
    }

    /// Keeps a draft in the place of an earlier one of its gap; what is known of a published
    /// article stays.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn keep(&self, site: &str, mut draft: Draft) -> Result<Draft, StoreError> {
        let _changing = self.changing.lock().await;
        draft.published = self.get(site, &draft.gap).await?.and_then(|earlier| earlier.published);
        self.put(site, &draft).await?;
        Ok(draft)
    }

    /// Notes what came of a trial.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tried(&self, site: &str, gap: &str, trial: Trial) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        if let Some(mut draft) = self.get(site, gap).await? {
            draft.trial = Some(trial);
            self.put(site, &draft).await?;
        }
        Ok(())
    }

    /// Notes that an article was published for a gap that has a draft.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn published(
        &self,
        site: &str,
        gap: &str,
        document: &str,
        article: &str,
        at_ms: u64,
        by: &str,
    ) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        if let Some(mut draft) = self.get(site, gap).await? {
            draft.publish(document, article, at_ms, by);
            self.put(site, &draft).await?;
        }
        Ok(())
    }

    /// Throws a draft away; false if there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn discard(&self, site: &str, gap: &str) -> Result<bool, StoreError> {
        let _changing = self.changing.lock().await;
        let known = self.get(site, gap).await?.is_some();
        if known {
            self.store.remove(SPACE, &super::key(site, gap)).await?;
        }
        Ok(known)
    }

    /// Forgets what a session left in a site's drafts.
    pub(super) async fn forget(&self, site: &str, session: &str) -> Result<(), StoreError> {
        self.forget_all(&format!("{site}\0"), Some(session)).await
    }

    /// Forgets what is left of sessions that are gone.
    pub(super) async fn forget_gone(&self) -> Result<(), StoreError> {
        self.forget_all("", None).await
    }

    /// Forgets what one session left, or every session that the store doesn't have any more.
    async fn forget_all(&self, prefix: &str, one: Option<&str>) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        for (key, value) in self.store.scan(SPACE, prefix.as_bytes()).await? {
            let site =
                key.split(|byte| *byte == 0).next().and_then(|site| std::str::from_utf8(site).ok());
            let (Some(site), Ok(mut draft)) = (site, serde_json::from_slice::<Draft>(&value))
            else {
                tracing::warn!("a draft in the store is not understood and was passed over");
                continue;
            };
            let sessions: HashSet<String> = draft.sessions().cloned().collect();
            let mut gone = HashSet::new();
            for session in sessions {
                let is_gone = match one {
                    Some(one) => session == one,
                    None => self.store.session(site, &session).await?.is_none(),
                };
                if is_gone {
                    gone.insert(session);
                }
            }
            if !draft.forget(&|session| gone.contains(session)) {
                continue;
            }
            if draft.is_empty() {
                self.store.remove(SPACE, &key).await?;
            } else {
                self.put(site, &draft).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, site: &str, draft: &Draft) -> Result<(), StoreError> {
        let value = serde_json::to_vec(draft).unwrap_or_default();
        self.store.put(SPACE, &super::key(site, &draft.gap), &value).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaps::contradiction::Differs;

    fn sentence(text: &str, sessions: &[&str]) -> Sentence {
        let source = |session: &&str| Source {
            session: (*session).into(),
            seq: 3,
            agent: "Mara".into(),
            at_ms: 1,
        };
        Sentence { text: text.into(), sources: sessions.iter().map(source).collect() }
    }

    fn draft() -> Draft {
        let differ = |first, second| Contradiction {
            first,
            second,
            differs: Differs::Number,
            says: ["14 days".into(), "30 days".into()],
        };
        Draft {
            gap: "g".into(),
            made_at_ms: 1,
            title: "How long?".into(),
            title_from: Some("a".into()),
            sentences: vec![
                sentence("It is free.", &["a"]),
                sentence("It takes 14 days.", &["b"]),
                sentence("It takes 30 days.", &["c", "a"]),
            ],
            contradictions: vec![differ(1, 2)],
            left_out: LeftOut::default(),
            trial: None,
            published: None,
        }
    }

    #[test]
    fn what_a_session_left_goes_with_it() {
        let mut draft = draft();
        assert!(!draft.forget(&|session| session == "x"));
        assert!(draft.forget(&|session| session == "a"));
        assert_eq!((draft.title.as_str(), draft.sentences.len()), ("", 2));
        assert_eq!((draft.contradictions[0].first, draft.contradictions[0].second), (0, 1));
        assert!(
            draft.forget(&|session| session == "b")
                && draft.contradictions.is_empty()
                && !draft.is_empty()
        );
        assert!(draft.forget(&|session| session == "c") && draft.is_empty());
    }

    #[test]
    fn a_published_article_names_what_lost_its_conversation() {
        let mut draft = draft();
        let article = "It is free. It takes 30 days. And this I wrote myself.";
        draft.publish("api:gaps/g.md", article, 2, "a1");
        let kept = serde_json::to_string(&draft).unwrap();
        assert!(!kept.contains("free") && !kept.contains("How long"), "{kept}");
        assert!(draft.for_review(article).is_empty());
        assert!(draft.forget(&|session| session == "a"));
        assert_eq!(
            (draft.for_review(article), draft.orphans()),
            (vec!["It is free.".to_owned()], 1)
        );
        assert!(draft.forget(&|session| session == "c"));
        assert_eq!(draft.for_review(article), ["It is free.", "It takes 30 days."]);
    }

    #[tokio::test]
    async fn an_erased_conversation_leaves_nothing_in_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let config = crate::store::StoreConfig {
            path: directory.path().join("store"),
            ..Default::default()
        };
        let store = Store::open(&config).unwrap();
        let drafts = Drafts::new(store.clone());
        drafts.keep("shop", draft()).await.unwrap();
        drafts.keep("bank", Draft { gap: "h".into(), ..draft() }).await.unwrap();
        drafts.forget("shop", "a").await.unwrap();
        let kept = async |site: &str| {
            let found = store.scan(SPACE, format!("{site}\0").as_bytes()).await.unwrap();
            found
                .into_iter()
                .map(|(_, value)| String::from_utf8(value).unwrap())
                .collect::<String>()
        };
        let shop = kept("shop").await;
        assert!(
            !shop.contains("It is free") && !shop.contains("How long") && shop.contains("14 days"),
            "{shop}"
        );
        assert!(
            kept("bank").await.contains("It is free"),
            "another site's conversation of the same id"
        );
        // None of these conversations was ever stored: they count as gone.
        drafts.forget_gone().await.unwrap();
        assert!(store.scan(SPACE, b"").await.unwrap().is_empty());
        store.close().await.unwrap();
    }
}
