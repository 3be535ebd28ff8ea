//! What goes out of a model's answer, sentence by sentence: its own words where the passages
//! support them, else the passages'. Pure.

use std::collections::HashSet;

use crate::grounding::{Evidence, Ruling, Unit, facts, is_refusal, unmarked};
use crate::language;
use crate::language::script::{is_full_width, is_han, is_kana};

/// The next thing that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Text, with what to cite for it.
    Say {
        text: String,
        source: Option<Unit>,
    },
    Withheld {
        text: String,
        reason: String,
    },
}

/// What became of a model's sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sentences of the model that went out.
    pub sent: u32,
    pub withheld: u32,
    /// Withheld for a number, date, link, code or name that stands in no source.
    pub invented: u32,
    /// Sentences of the passages that went out instead.
    pub replaced: u32,
}

/// Turns rulings into what is said. What replaces the first sentences waits for one of the model's
/// own to stand: where none does, a whole answer of quotes is better than what lay nearest to what
/// was invented.
pub(super) struct Phrasing<'a, R> {
    question: &'a str,
    /// How a unit of a source reads in an answer.
    render: R,
    said: String,
    early: Vec<Step>,
    /// Replacements for rows of a table, which would tear it.
    below: Vec<Step>,
    in_table: bool,
    tally: Tally,
    /// Something that was asked for was withheld, and nothing said instead.
    open: bool,
    refused: bool,
    /// Sentences since one went out.
    idle: u32,
}

impl<'a, R: Fn(usize, &Unit) -> String> Phrasing<'a, R> {
    /// `written` is what stands already.
    pub(super) fn new(question: &'a str, written: &str, render: R) -> Self {
        Self {
            question,
            render,
            said: written.to_owned(),
            early: Vec::new(),
            below: Vec::new(),
            in_table: false,
            tally: Tally::default(),
            open: false,
            refused: false,
            idle: 0,
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// True if the model said that it doesn't know, and nothing else that stands.
    pub(super) fn refused(&self) -> bool {
        self.refused && self.tally.sent == 0
    }

    /// True if so many sentences in a row didn't go out that the model has nothing more to say.
    pub(super) fn is_stuck(&self) -> bool {
        self.idle >= STUCK
    }

    /// True if the answer leaves open something that the model tried to say.
    pub(super) fn leaves_open(&self) -> bool {
        self.open && self.tally.sent > 0
    }

    /// What goes out for a ruling.
    pub(super) fn take(&mut self, ruling: Ruling, evidence: &Evidence) -> Vec<Step> {
        let mut steps = Vec::new();
        let text = match &ruling {
            Ruling::Send { text, .. } | Ruling::Withhold { text, .. } => text,
        };
        let row = text.trim_start().starts_with('|');
        if self.in_table && !row {
            steps.append(&mut self.below);
        }
        self.in_table = row;
        self.idle += 1;
        match ruling {
            // A small model goes round in circles.
            Ruling::Send { text, source: Some(_) } if !row && self.has_said(&text) => {
                steps.push(Step::Withheld { text, reason: "it was said before".into() });
            }
            // A heading leads as well.
            Ruling::Send { text, .. } if text.trim_start().starts_with('#') => {
                if !self.has_said(&text) {
                    self.early.push(Step::Say { text, source: None });
                }
            }
            // What leads to the next sentence waits for it.
            Ruling::Send { text, source: None } => {
                self.early.push(Step::Say { text, source: None })
            }
            Ruling::Send { text, source: Some(source) } => {
                self.tally.sent += 1;
                self.idle = 0;
                let quoted = evidence.support(source, &text).cloned();
                self.said.push_str(&text);
                // Unless the model goes on to say the same itself.
                let words: HashSet<String> = language::content_words(&text).collect();
                let same = |step: &Step| match step {
                    Step::Say { text, source: Some(_) } => {
                        language::content_words(text).all(|word| words.contains(&word))
                    }
                    Step::Say { .. } | Step::Withheld { .. } => false,
                };
                self.early.retain(|step| !same(step));
                steps.append(&mut self.early);
                steps.push(Step::Say { text, source: quoted });
            }
            Ruling::Withhold { text, reason } => {
                self.tally.withheld += 1;
                let refusal = is_refusal(&text);
                let claims =
                    !facts(unmarked(&text)).is_empty() || reason.contains("stands in no source");
                self.tally.invented += u32::from(
                    reason.contains("stands in no source") || reason.contains("doesn't say"),
                );
                self.refused |= refusal;
                let instead = self.instead(&text, row, evidence).filter(|_| !refusal);
                if instead.is_none() {
                    self.open |= claims || refusal || self.is_about_question(&text);
                }
                steps.push(Step::Withheld { text, reason });
                match instead {
                    Some(step) if row => self.below.push(step),
                    Some(step) if self.tally.sent == 0 && self.said.is_empty() => {
                        self.early.push(step)
                    }
                    Some(step) => {
                        steps.append(&mut self.early);
                        steps.push(step);
                    }
                    None => {}
                }
            }
        }
        steps
    }

    /// What is still to go out when the model ended.
    pub(super) fn finish(&mut self) -> Vec<Step> {
        if self.tally.sent == 0 && self.said.is_empty() {
            Vec::new()
        } else {
            std::mem::take(&mut self.below)
        }
    }

    fn instead(&mut self, withheld: &str, row: bool, evidence: &Evidence) -> Option<Step> {
        if self.tally.replaced >= MAX_REPLACED {
            return None;
        }
        let waiting = self.early.iter().chain(&self.below).filter_map(|step| match step {
            Step::Say { text, .. } => Some(text.as_str()),
            Step::Withheld { .. } => None,
        });
        let said = waiting.fold(self.said.clone(), |said, text| said + " " + text);
        let (source, unit) = evidence.instead(withheld, self.question, &said)?;
        let mut text = (self.render)(source, unit);
        if !text.ends_with(['.', '!', '?', '。', '！', '？', ':', '：']) {
            let east_asian = |c: char| is_han(c) || is_kana(c) || is_full_width(c);
            text.push(if text.ends_with(east_asian) { '。' } else { '.' });
        }
        // It stands where the other stood: in its line, behind its list mark.
        let text = if row || unit.steps {
            format!("\n{text}\n")
        } else {
            let mark =
                withheld.get(..withheld.len() - unmarked(withheld).len()).unwrap_or_default();
            let after = withheld.get(withheld.trim_end().len()..).unwrap_or_default();
            let gap = if after.is_empty() && !text.ends_with('。') { " " } else { after };
            format!("{mark}{text}{gap}")
        };
        self.tally.replaced += 1;
        if self.tally.sent > 0 || !self.said.is_empty() {
            self.said.push_str(&text);
        }
        Some(Step::Say { text, source: Some(Unit { passage: source, ..unit.clone() }) })
    }

    /// True for a sentence, not for the word or two that may stand twice.
    fn has_said(&self, text: &str) -> bool {
        let text = text.trim();
        let waits = |step: &Step| matches!(step, Step::Say { text: other, source: None } if other.trim() == text);
        text.split_whitespace().count() > 2
            && (self.said.contains(text) || self.early.iter().any(waits))
    }

    fn is_about_question(&self, text: &str) -> bool {
        let asked: HashSet<String> = language::content_words(self.question).collect();
        language::content_words(text).any(|word| asked.contains(&word))
    }
}

/// Sentences of the passages that one answer takes instead of the model's; more would be no answer
/// of its any more.
const MAX_REPLACED: u32 = 4;
/// Sentences in a row that don't go out, after which the model is stopped.
const STUCK: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::Gate;

    const SOURCE: &str = "The Tarn 3 tent costs 429 EUR. Shipping to Ireland costs 4.90 EUR. Returns are free within 60 days.\n\n\
                          | Variant | Weight |\n| --- | --- |\n| Tarn 2 tent | 1,900 g |\n| Tarn 3 tent | 2,400 g |\n\n退货须在 60 天内提出。";

    #[track_caller]
    fn check(
        question: &str,
        model: &str,
        expected: &str,
        tally: (u32, u32, u32, u32),
    ) -> (bool, bool) {
        let mut gate = Gate::new(Evidence::new([SOURCE], [question]));
        let mut phrasing = Phrasing::new(question, "", |_, unit: &Unit| unit.text.clone());
        let mut steps = Vec::new();
        let mut rulings = Vec::new();
        for piece in model.split_inclusive(' ') {
            rulings.extend(gate.push(piece));
        }
        rulings.extend(gate.finish(false));
        for ruling in rulings {
            steps.extend(phrasing.take(ruling, gate.evidence()));
        }
        steps.extend(phrasing.finish());
        let said: String = steps
            .iter()
            .filter_map(|step| match step {
                Step::Say { text, .. } => Some(text.as_str()),
                Step::Withheld { .. } => None,
            })
            .collect();
        assert_eq!(said, expected, "{steps:?}");
        let Tally { sent, withheld, invented, replaced } = *phrasing.tally();
        assert_eq!((sent, withheld, invented, replaced), tally, "{steps:?}");
        (phrasing.refused(), phrasing.leaves_open())
    }

    #[test]
    fn the_passages_words_stand_where_the_models_fail() {
        let question = "What does the Tarn 3 cost, and can I return it?";
        let (_, open) = check(
            question,
            "Returns are free within 60 days. The Tarn 3 tent costs 349 EUR. Shipping to Ireland costs 4.90 EUR.",
            "Returns are free within 60 days. The Tarn 3 tent costs 429 EUR. Shipping to Ireland costs 4.90 EUR.",
            (2, 1, 1, 1),
        );
        assert!(!open);
        // The first one waits for a sentence that stands, and comes before it.
        check(
            question,
            "The Tarn 3 tent costs 349 EUR.\nReturns are free within 60 days.",
            "The Tarn 3 tent costs 429 EUR.\nReturns are free within 60 days.",
            (1, 1, 1, 1),
        );
        // What stands already isn't said twice.
        check(
            question,
            "The Tarn 3 tent costs 429 EUR. The Tarn 3 tent costs 1 EUR less in spring.",
            "The Tarn 3 tent costs 429 EUR. Tarn 3 tent: Weight: 2,400 g. ",
            (1, 1, 1, 1),
        );
    }

    #[test]
    fn lists_keep_their_marks_and_tables_their_rows() {
        check(
            "costs?",
            "- Returns are free within 60 days.\n- Shipping to Ireland costs 9 EUR.\n",
            "- Returns are free within 60 days.\n- Shipping to Ireland costs 4.90 EUR.\n",
            (1, 1, 1, 1),
        );
        check(
            "weights?",
            "| Variant | Weight |\n| --- | --- |\n| Tarn 3 tent | 1,200 g |\n| Tarn 2 tent | 1,900 g |\n\nReturns are free within 60 days.",
            "| Variant | Weight |\n| --- | --- |\n| Tarn 2 tent | 1,900 g |\n\nTarn 3 tent: Weight: 2,400 g.\n\nReturns are free within 60 days.",
            (2, 1, 1, 1),
        );
    }

    #[test]
    fn what_leads_waits_for_what_follows() {
        check(
            "returns?",
            "So:\nReturns are free within 60 days.",
            "So:\nReturns are free within 60 days.",
            (1, 0, 0, 0),
        );
        check("returns?", "So:\nUnicorns graze.", "", (0, 1, 0, 0));
        check(
            "costs?",
            "Returns are free within 60 days.\nSo:\n- Shipping to Ireland costs 9 EUR.\n",
            "Returns are free within 60 days.\nSo:\n- Shipping to Ireland costs 4.90 EUR.\n",
            (1, 1, 1, 1),
        );
        // "Yes" is no lead: it answers.
        let (_, open) = check("May I return it?", "Yes, you may.", "", (0, 1, 0, 0));
        assert!(!open);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let again = "Returns are free within 60 days. ".repeat(3);
        check("returns?", &again, "Returns are free within 60 days. ", (1, 0, 0, 0));
        let mut phrasing = Phrasing::new("returns?", "", |_, unit: &Unit| unit.text.clone());
        let mut gate = Gate::new(Evidence::new([SOURCE], []));
        for ruling in gate.push(&again.repeat(5)) {
            phrasing.take(ruling, gate.evidence());
        }
        assert!(phrasing.is_stuck());
    }

    #[test]
    fn nothing_is_said_where_nothing_stands() {
        let (refused, _) =
            check("Tarn 3?", "The Tarn 3 tent costs 349 EUR. It flies.", "", (0, 2, 1, 1));
        assert!(!refused);
        let (refused, open) =
            check("Is it red?", "I'm sorry, I don't know that.", "", (0, 1, 0, 0));
        assert!(refused && !open);
        let (_, open) = check(
            "Is it red?",
            "Returns are free within 60 days. It is red.",
            "Returns are free within 60 days. ",
            (1, 1, 0, 0),
        );
        assert!(open);
        check(
            "退货？",
            "退货须在 90 天内提出。退货须在 60 天内提出。",
            "退货须在 60 天内提出。",
            (1, 1, 1, 1),
        );
    }
}
