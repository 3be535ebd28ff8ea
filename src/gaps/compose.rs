//! A draft of questions and replies, with the models that the site's search has.

use super::contradiction::Claim;
use super::draft::{self, Collected, Contradiction, Reply};
use super::personal::Known;
use crate::language::gloss;
use crate::retrieval::embedder::EmbedError;
use crate::retrieval::{Retrieval, RetrievalError};

/// What is drafted from.
pub struct Material<'a> {
    pub site: &'a str,
    /// ISO 639-1, used where a text doesn't show its own.
    pub language: &'a str,
    /// What the site says of itself: nothing of it is personal.
    pub contact: &'a str,
    pub questions: &'a [String],
    pub replies: &'a [Reply],
}

/// A draft that isn't kept yet.
#[derive(Clone, Debug, Default)]
pub struct Composed {
    /// Which question the title is.
    pub title: Option<usize>,
    pub collected: Collected,
    pub contradictions: Vec<Contradiction>,
}

/// Drafts an article.
///
/// # Errors
/// When the embedder or the index fails.
pub async fn compose(
    retrieval: &Retrieval,
    material: &Material<'_>,
) -> Result<Composed, RetrievalError> {
    let Material { site, language, contact, questions, replies } = *material;
    let mut public = retrieval.index.public_texts(site).await?;
    public.push(contact.to_owned());
    let public = public.join("\n").to_lowercase();
    let spelling = &retrieval.spelling;
    let known = Known {
        is_word: &|language, word| spelling.is_word(site, word) || gloss::is_word(language, word),
        is_public: &|text| public.contains(&text.to_lowercase()),
    };
    let collected = draft::collect(replies, language, &known);
    let vectors = retrieval.embedder.embed_queries(questions.to_vec()).await?;
    let title = draft::central(questions, &vectors, language, &known);
    let claims = draft::claims(&collected.sentences, language);
    let vectors = subjects(retrieval, &claims).await?;
    let contradictions = draft::contradictions(&collected.sentences, &claims, &vectors);
    Ok(Composed { title, collected, contradictions })
}

/// The embeddings of the claims' subjects, empty for those that no other can contradict and for
/// those that aren't English.
///
/// # Errors
/// When the embedder fails.
pub async fn subjects(
    retrieval: &Retrieval,
    claims: &[Claim],
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let wanted = |at: usize, claim: &Claim| {
        let mut others = claims.iter().enumerate().filter(|(other, _)| *other != at);
        claim.is_english() && others.any(|(_, other)| claim.may_contradict(other))
    };
    let wanted: Vec<bool> =
        claims.iter().enumerate().map(|(at, claim)| wanted(at, claim)).collect();
    let texts = claims
        .iter()
        .zip(&wanted)
        .filter(|(_, wanted)| **wanted)
        .map(|(claim, _)| claim.subject.clone());
    let mut vectors = retrieval.embedder.embed(texts.collect()).await?.into_iter();
    Ok(wanted
        .into_iter()
        .map(|wanted| if wanted { vectors.next().unwrap_or_default() } else { Vec::new() })
        .collect())
}
