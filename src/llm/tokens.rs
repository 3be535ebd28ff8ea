//! Token ids, and what sequences of them have in common. Pure.

/// A token's id in the model's vocabulary.
pub type TokenId = i32;

/// How many tokens two sequences have in common from their beginning.
#[must_use]
pub fn common_prefix(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
