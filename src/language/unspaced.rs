//! Scripts that put no spaces between words, cut for a tokeniser that looks for spaces.

use std::borrow::Cow;

use super::script::{is_hangul, is_unspaced};

/// Text of scripts that put no spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar), and of
/// Hangul, whose particles hang on the word, as character pairs: `退货政策` → `退货 货政 政策`, a single
/// character as it stands. Everything else stays as it is, so the tokeniser after it finds words
/// there and pairs here.
#[must_use]
pub fn split_unspaced(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_paired) {
        return Cow::Borrowed(text);
    }
    let mut split = String::with_capacity(text.len() * 2);
    let mut run: Vec<char> = Vec::new();
    for char in text.chars() {
        if !is_paired(char) {
            push_pairs(&mut split, &mut run);
            split.push(char);
        } else if char.is_alphanumeric() {
            run.push(char);
        }
        // A tone mark or virama inside a run is left out: it is no letter, and the tokeniser would
        // cut the pair there.
    }
    push_pairs(&mut split, &mut run);
    Cow::Owned(split)
}

fn push_pairs(split: &mut String, run: &mut Vec<char>) {
    if run.is_empty() {
        return;
    }
    split.push(' ');
    if let [single] = run[..] {
        split.push(single);
        split.push(' ');
    }
    for pair in run.windows(2) {
        split.extend(pair);
        split.push(' ');
    }
    run.clear();
}

/// What is cut into pairs.
fn is_paired(c: char) -> bool {
    is_unspaced(c) || is_hangul(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_where_there_are_no_spaces() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(
                split_unspaced(text).split_whitespace().collect::<Vec<_>>().join(" "),
                expected
            );
        }
        check("return policy", "return policy");
        check("naïve café", "naïve café");
        check("", "");
        check("退货政策", "退货 货政 政策");
        check("退", "退");
        check("退货,30天内", "退货 ,30 天内");
        check("iPhone手机 壳", "iPhone 手机 壳");
        check("コーヒー・メニュー", "コー ーヒ ヒー ・ メニ ニュ ュー");
        check("ส่งคืน 30 วัน", "สง งค คื ืน 30 วั ัน");
        check("환불은 언제", "환불 불은 언제");
    }
}
