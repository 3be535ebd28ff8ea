//! A message that asks several things, taken apart. Pure.

use std::ops::Range;

use super::asking::{is_question, is_sentence, opens, unjoined};
use super::followup::points_back;
use crate::language::{content_words, is_unspaced, sentences};

/// A message with more is a list to be looked at as one.
pub const MAX_QUESTIONS: usize = 4;
/// Words with a meaning that a question before "and" needs: "how and why" asks one thing.
const MIN_WORDS_BEFORE_AND: usize = 2;
/// Words with a meaning that a question needs to say what it is about: "can you do it?" doesn't.
const MIN_WORDS_ALONE: usize = 2;

/// The questions of a message in their order, each with the statements that lead up to it; empty if
/// it asks one thing or none. Every part is a piece of the message.
#[must_use]
pub fn questions(message: &str) -> Vec<&str> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut asked = 0;
    // Statements go with the question after them, and those at the end with the one before.
    let mut start = None;
    for sentence in sentences(message) {
        for clause in clauses(message, sentence) {
            let text = message.get(clause.clone()).unwrap_or_default();
            let begin = start.unwrap_or(clause.start);
            // "Really?" and "Why?" ask nothing of their own.
            if !is_question(text) || content_words(text).next().is_none() {
                start = Some(begin);
                continue;
            }
            parts.push(begin..clause.end);
            asked += 1;
            start = None;
        }
    }
    if let (Some(_), Some(last)) = (start, parts.last_mut()) {
        last.end = message.trim_end().len();
    }
    if !(2..=MAX_QUESTIONS).contains(&asked) {
        return Vec::new();
    }
    parts.into_iter().map(|part| unjoined(message.get(part).unwrap_or_default())).collect()
}

/// What a message asks without the statements that lead up to it, where that says enough: "how long
/// may a shelf be" of "My wall has 3 m, how long may a shelf be?". `None` where it asks nothing
/// beside them.
#[must_use]
pub fn asked_alone(message: &str) -> Option<&str> {
    let parts = sentences(message).into_iter().flat_map(|sentence| {
        let text = message.get(sentence).unwrap_or_default();
        text.split_inclusive([',', ';', ':', '–'])
    });
    // What follows a comma within the question belongs to it.
    let mut start = None;
    for part in parts {
        if opens(unjoined(part)) {
            start = Some(part.as_ptr() as usize - message.as_ptr() as usize);
        }
    }
    let asked = unjoined(message.get(start?..)?);
    let is_alone = content_words(asked).count() >= MIN_WORDS_ALONE && !points_back(asked);
    (asked.len() < message.trim().len() && is_alone).then_some(asked)
}

/// A sentence, cut where "and" or a comma begins another question.
fn clauses(message: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let text = message.get(sentence.clone()).unwrap_or_default();
    let mut cuts = vec![0];
    let mut from = 0;
    let asks = text.trim_end().ends_with(['?', '？']);
    for (at, gap) in text.match_indices(|c: char| c.is_whitespace() || c == '，' || c == '、') {
        let (before, after) = (
            text.get(from..at).unwrap_or_default(),
            text.get(at + gap.len()..).unwrap_or_default(),
        );
        let comma = before.ends_with([',', ';', '–', '-']) || matches!(gap, "，" | "、");
        let rest = after.trim_start();
        let next = unjoined(rest);
        let joins = next.len() < rest.len();
        let begins = opens(next)
            || comma && rest.contains(is_unspaced) && is_question(rest)
            || comma && joins && asks && is_sentence(next);
        if (joins || comma)
            && begins
            && is_question(before)
            && content_words(before).take(MIN_WORDS_BEFORE_AND).count() == MIN_WORDS_BEFORE_AND
            && content_words(next).next().is_some()
        {
            from = at + gap.len() + (after.len() - rest.len());
            cuts.push(from);
        }
    }
    let ends = cuts.iter().skip(1).copied().chain([text.len()]);
    let trimmed = |start: usize, end: usize| {
        let clause = text.get(start..end).unwrap_or_default();
        let closed = if end < text.len() {
            clause.trim_end_matches([' ', ',', ';', '，', '、'])
        } else {
            clause.trim_end()
        };
        start..start + closed.len()
    };
    cuts.iter()
        .zip(ends)
        .map(|(start, end)| trimmed(*start, end))
        .map(|clause| sentence.start + clause.start..sentence.start + clause.end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &[&str]) {
        assert_eq!(questions(message), expected, "{message}");
    }

    #[test]
    fn questions_of_a_message_come_apart() {
        check(
            "How long is the warranty on a tent? And can I pay by invoice?",
            &["How long is the warranty on a tent?", "can I pay by invoice?"],
        );
        check(
            "how long is the warranty on a tent and can I pay by invoice",
            &["how long is the warranty on a tent", "can I pay by invoice"],
        );
        check(
            "Can I wash a down bag in the machine and how often?",
            &["Can I wash a down bag in the machine", "how often?"],
        );
        check("保修多长时间？另外，可以开发票吗？", &["保修多长时间？", "可以开发票吗？"]);
        check(
            "Wie lange dauert die Lieferung nach Wien? Kann ich auf Rechnung zahlen?",
            &["Wie lange dauert die Lieferung nach Wien?", "Kann ich auf Rechnung zahlen?"],
        );
    }

    #[test]
    fn questions_come_apart_however_they_are_joined() {
        check(
            "how much is a garden lamp, how long does it burn?",
            &["how much is a garden lamp", "how long does it burn?"],
        );
        check(
            "cuanto vale la lampara y cuanto tarda el envio",
            &["cuanto vale la lampara", "cuanto tarda el envio"],
        );
        check(
            "was kostet die lampe und ab wann ist der versand gratis",
            &["was kostet die lampe", "ab wann ist der versand gratis"],
        );
        check(
            "Combien coûte la lampe, et le retour vers le magasin est gratuit ?",
            &["Combien coûte la lampe", "le retour vers le magasin est gratuit ?"],
        );
        check(
            "vous avez des lampes ? elles coûtent combien",
            &["vous avez des lampes ?", "elles coûtent combien"],
        );
        check("灯泡能退吗？保修多久", &["灯泡能退吗？", "保修多久"]);
        check("灯泡能退吗，保修多久？", &["灯泡能退吗", "保修多久？"]);
        check("What does the lamp weigh with its bulb, and the shade?", &[]);
        check("If it breaks, can I return it?", &[]);
        check("My lamp is dark, what can I do?", &[]);
    }

    #[test]
    fn statements_stay_with_their_question() {
        check(
            "The zip of my tent broke. Is the repair free? How do I send it in? I live in Bern.",
            &[
                "The zip of my tent broke. Is the repair free?",
                "How do I send it in? I live in Bern.",
            ],
        );
    }

    #[test]
    fn one_question_is_none_of_several() {
        check("How long is the warranty?", &[]);
        check("I bought a tent. It leaks. What can I do?", &[]);
        check("How and why do I configure alerts?", &[]);
        check("What? Really?!", &[]);
        check("Which is better, the Tarn 2 and the Tarn 3?", &[]);
        check("When and where do you open?", &[]);
        check("I know how it works and what it costs.", &[]);
        check("", &[]);
        check(&"Is it dry? ".repeat(5), &[]);
    }

    #[test]
    fn a_question_is_told_from_what_leads_up_to_it() {
        #[track_caller]
        fn check(message: &str, expected: Option<&str>) {
            assert_eq!(asked_alone(message), expected, "{message}");
        }
        let alone = "how long may a shelf be?";
        check("My wall has 3 m, how long may a shelf be?", Some(alone));
        check("My wall has 3 m. And how long may a shelf be?", Some(alone));
        let leaks = "The lid, which is cracked, leaks. Is a new lid free, or do I pay?";
        check(leaks, Some("Is a new lid free, or do I pay?"));
        check("It is late, can you do it?", None);
        check("I want a used one, do those have a lid?", None);
        check("How long may a shelf be?", None);
        check("Please call me", None);
        check("", None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_asked_alone_is_a_piece_of_the_message(message in "(how|can|what|[,?。. \n]|[a-z]{1,6}|é|\\PC){0,40}") {
            proptest::prop_assert!(asked_alone(&message).is_none_or(|asked| message.contains(asked)));
        }

        #[test]
        fn any_text_is_taken_apart_in_order(message in "(how|can| and |[?？。. \n]|[a-z]{1,6}|保修|另外|é|\\PC){0,40}") {
            let mut from = 0;
            for part in questions(&message) {
                let at = message[from..].find(part);
                proptest::prop_assert!(at.is_some() && !part.is_empty());
                from += at.unwrap_or_default() + part.len();
            }
        }
    }
}
