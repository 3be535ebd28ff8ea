//! How the next token is chosen: llama.cpp's samplers, one chain for each sequence.

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;

use super::Sampling;

/// Tokens that the repeat penalty looks back on.
const PENALTY_LAST_N: i32 = 64;
/// Candidates at least kept by each filter.
const MIN_KEEP: usize = 1;
/// Only so many of the likeliest tokens are looked at: sorting a whole vocabulary costs more than
/// small models' decoding.
const TOP_K: i32 = 128;

/// The chain for one sequence: penalties → top-k → top-p → min-p → temperature → draw, or the
/// likeliest at temperature 0.
///
/// `already` are the answer's tokens that stand before generation goes on; only they and new ones
/// are penalised, never the prompt: a price that stands in the passages must not become unlikely by
/// standing there.
pub(crate) fn chain(
    sampling: &Sampling,
    n_vocab: i32,
    seed: u32,
    already: &[LlamaToken],
) -> LlamaSampler {
    let mut links = Vec::new();
    if sampling.repeat_penalty > 0.0 && (sampling.repeat_penalty - 1.0).abs() > f32::EPSILON {
        links.push(LlamaSampler::penalties(
            n_vocab,
            PENALTY_LAST_N,
            sampling.repeat_penalty,
            0.0,
            0.0,
        ));
    }
    if sampling.temperature > 0.0 {
        links.push(LlamaSampler::top_k(TOP_K));
        if sampling.top_p < 1.0 {
            links.push(LlamaSampler::top_p(sampling.top_p, MIN_KEEP));
        }
        if sampling.min_p > 0.0 {
            links.push(LlamaSampler::min_p(sampling.min_p, MIN_KEEP));
        }
        links.push(LlamaSampler::temp(sampling.temperature));
        links.push(LlamaSampler::dist(seed));
    } else {
        links.push(LlamaSampler::greedy());
    }
    let mut chain = LlamaSampler::chain(links, true);
    chain.accept_many(already);
    chain
}
