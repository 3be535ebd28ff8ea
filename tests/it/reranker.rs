//! The cross-encoder against the original's scores, with the real model.

use std::path::PathBuf;

use frontdesk::retrieval::embedder::EmbedderConfig;
use frontdesk::retrieval::reranker::{RerankError, Reranker};
use futures_util::FutureExt as _;

use crate::support::models;

fn path() -> PathBuf {
    models().join("ms-marco-minilm-l-12-v2-q8_0.gguf")
}

fn load(config: EmbedderConfig) -> Reranker {
    Reranker::load(&path(), &EmbedderConfig { threads: 2, ..config }).expect("the model loads")
}

#[derive(serde::Deserialize)]
struct Reference {
    question: String,
    text: String,
    score: f32,
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("rerank_reference.json")).expect("the reference is sound")
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn scores_agree_with_the_original_model() {
    let reranker = load(EmbedderConfig { remembered: 0, ..EmbedderConfig::default() });
    assert_eq!(reranker.facts().max_tokens, 512);
    let mut largest = 0.0_f32;
    for pairs in references().chunk_by(|a, b| a.question == b.question) {
        let texts: Vec<String> = pairs.iter().map(|pair| pair.text.clone()).collect();
        let question = pairs.first().map_or("", |pair| &pair.question);
        let scores = reranker.score(question, &texts).await.expect("scores");
        for (score, pair) in scores.iter().zip(pairs) {
            let alone =
                reranker.score(question, std::slice::from_ref(&pair.text)).await.expect("a score");
            assert!((alone[0] - score).abs() < 0.05, "{} alone, {score} among others", alone[0]);
            largest = largest.max((score - pair.score).abs());
        }
    }
    assert!(largest < 0.3, "one deviates by {largest}");
}

#[tokio::test]
async fn what_was_judged_is_remembered_and_nothing_else_is() {
    let reranker = load(EmbedderConfig::default());
    let both = texts(&["We ship on weekdays.", "Tea is a drink."]);
    reranker.prepare("When do you ship?", &both).await.expect("judged");
    assert_eq!(reranker.computed(), 2);
    let known = reranker
        .score("When do you ship?", &both)
        .now_or_never()
        .expect("it doesn't wait")
        .expect("scores");
    assert!(known[0] > known[1], "{known:?}");
    // The same texts after another question, and a cut elsewhere, are other pairs.
    reranker.score("When do you ship", &texts(&["?We ship on weekdays."])).await.expect("a score");
    assert_eq!(reranker.computed(), 3);
    assert_eq!(reranker.score("Anything?", &[]).await.expect("nothing"), [0.0; 0]);
}

#[tokio::test]
async fn a_question_goes_before_idle_work_and_leaving_stops_it() {
    let reranker = load(EmbedderConfig::default());
    let many: Vec<String> =
        (0..600).map(|n| format!("Parcel {n}. {}", "We ship on weekdays. ".repeat(20))).collect();
    let first = tokio::select! {
        biased;
        _ = reranker.prepare("When?", &many) => "idle",
        result = reranker.score("When do you ship?", &many[..1]) => { result.expect("a score"); "question" }
    };
    assert_eq!(first, "question");
    assert!(reranker.computed() < 600);
    let before = reranker.computed();
    reranker.score("Free?", &many[..1]).await.expect("a score");
    assert!(reranker.computed() <= before + 10, "the idle work was left");
}

#[tokio::test]
async fn hostile_pairs_have_scores_too() {
    let reranker = load(EmbedderConfig::default());
    let hostile = ["", " ", "\0", "[SEP] [CLS] [PAD] [UNK]", " 31000", "31000", "😀", "\u{301}"];
    let mut hostile = texts(&hostile);
    hostile.extend(["a ".repeat(500_000), "漢".repeat(9999)]);
    for question in ["", "?", "[SEP]", &"word ".repeat(100_000)] {
        let scores = reranker.score(question, &hostile).await.expect("scores");
        assert!(scores.len() == hostile.len() && scores.iter().all(|score| score.is_finite()));
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let reranker = load(EmbedderConfig { queue: 0, ..EmbedderConfig::default() });
    let error = reranker.score("a", &texts(&["b"])).await.expect_err("refused");
    assert!(matches!(error, RerankError::Overloaded { waiting: 0 }), "{error}");
}

#[test]
fn what_is_no_cross_encoder_is_an_error() {
    #[track_caller]
    fn check(name: &str, expected: &str) {
        let error =
            Reranker::load(&models().join(name), &EmbedderConfig::default()).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    check("missing.gguf", "cannot read the model file");
    check("all-minilm-l6-v2-f16.gguf", "is it an embedding model?");
    check("smollm2-135m-instruct-q4_0.gguf", "reads from left to right");
}
