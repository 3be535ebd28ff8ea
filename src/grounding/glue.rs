//! Sentences that a page's text lost the gap between.

use std::ops::Range;

/// Text taken out of a page often lost the gap between two blocks: "…in your account.To edit
/// it:Click Edit." Cuts a sentence after a closing mark that follows two small letters and stands
/// right before a capital one.
pub(super) fn unglued(line: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let text = line.get(sentence.clone()).unwrap_or_default();
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    for window in chars.windows(5) {
        let [(_, a), (_, b), (_, mark), (at, next), (_, after)] = *window else { continue };
        let glued = a.is_lowercase()
            && (b.is_lowercase() || b == ')')
            && matches!(mark, '.' | '!' | '?' | ':')
            && next.is_uppercase()
            && (after.is_lowercase() || after == ' ');
        if glued {
            pieces.push(sentence.start + start..sentence.start + at);
            start = at;
        }
    }
    pieces.push(sentence.start + start..sentence.end);
    pieces
}
