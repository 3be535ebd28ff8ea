//! Lets a model's text through sentence by sentence, as it is written. Pure.

use super::evidence::{Evidence, Ruling};
use crate::language::sentence_end;

/// Lets text through sentence by sentence, as it is written. A table comes row by row once it is
/// whole: its header is worth nothing without a row below.
#[derive(Debug)]
pub struct Gate {
    evidence: Evidence,
    pending: String,
}

impl Gate {
    #[must_use]
    pub fn new(evidence: Evidence) -> Self {
        Self { evidence, pending: String::new() }
    }

    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Takes more text; rules on the sentences that are now whole.
    pub fn push(&mut self, text: &str) -> Vec<Ruling> {
        self.pending.push_str(text);
        let mut rulings = Vec::new();
        while let Some((end, table)) = piece_end(&self.pending) {
            let piece: String = self.pending.drain(..end).collect();
            if table {
                rulings.extend(self.table(&piece));
            } else {
                rulings.push(self.evidence.rule(&piece));
            }
        }
        rulings
    }

    /// Rules on what is left when the writer ended. A sentence cut in the middle is withheld where
    /// `cut` says so.
    pub fn finish(&mut self, cut: bool) -> Vec<Ruling> {
        let mut rest = std::mem::take(&mut self.pending);
        let mut rulings = Vec::new();
        if is_row(&rest) {
            let whole = rest.rfind('\n').map_or(0, |end| end + 1);
            let last = if cut { rest.split_off(whole) } else { String::new() };
            rulings.extend(self.table(&rest));
            rest = last;
        }
        if rest.trim().is_empty() {
            return rulings;
        }
        rulings.push(if cut {
            Ruling::Withhold { text: rest, reason: "the sentence was cut off".into() }
        } else {
            self.evidence.rule(&rest)
        });
        rulings
    }

    /// A whole table: header and rule go with the first row that stands.
    fn table(&self, table: &str) -> Vec<Ruling> {
        let lines: Vec<&str> =
            table.split_inclusive('\n').filter(|line| !line.trim().is_empty()).collect();
        let is_rule = |line: &str| line.trim().chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
        let head = lines.iter().position(|line| is_rule(line)).map_or(0, |at| at + 1);
        let (head, rows) = lines.split_at(head.min(2));
        let mut head = head.concat();
        let mut rulings = Vec::new();
        for row in rows {
            match self.evidence.rule(row) {
                Ruling::Send { text, source } => {
                    rulings.push(Ruling::Send {
                        text: format!("{}{text}", std::mem::take(&mut head)),
                        source,
                    });
                }
                withheld @ Ruling::Withhold { .. } => rulings.push(withheld),
            }
        }
        if !head.is_empty() {
            rulings
                .push(Ruling::Withhold { text: head, reason: "no row of the table stands".into() });
        }
        rulings
    }
}

fn is_row(text: &str) -> bool {
    text.trim_start().starts_with('|')
}

/// Where the first whole piece ends, and whether it is a table.
fn piece_end(text: &str) -> Option<(usize, bool)> {
    if !is_row(text) {
        // White space alone may still become a row.
        return (!text.trim().is_empty())
            .then(|| sentence_end(text))
            .flatten()
            .map(|end| (end, false));
    }
    let mut end = 0;
    let mut rows = false;
    for line in text.split_inclusive('\n') {
        if is_row(line) {
            rows = true;
        } else if rows {
            // Below the table stands something else, or an empty line.
            let begun = !line.trim().is_empty() || line.ends_with('\n');
            return begun.then_some((end, true));
        }
        if !line.ends_with('\n') {
            return None;
        }
        end += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "Shipping costs 4.90 EUR. Returns are free. It takes approx. 3 days. 退货免费。运费为 4.90 欧元。\n\n\
                          | Variant | Price |\n| --- | --- |\n| Tarn 2 | 349 EUR |\n| Tarn 3 | 429 EUR |\n";

    fn rulings(text: &str, cuts: &[usize]) -> Vec<Ruling> {
        let mut gate = Gate::new(Evidence::new([SOURCE], []));
        let mut rulings = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&text.len()]) {
            rulings.extend(gate.push(&text[from..cut]));
            from = cut;
        }
        rulings.extend(gate.finish(false));
        rulings
    }

    fn sent(rulings: &[Ruling]) -> Vec<&str> {
        let texts = rulings.iter().filter_map(|ruling| match ruling {
            Ruling::Send { text, .. } => Some(text.as_str()),
            Ruling::Withhold { .. } => None,
        });
        texts.collect()
    }

    #[test]
    fn the_rulings_are_the_same_however_the_text_is_cut() {
        for (text, expected) in [
            ("Shipping costs 4.90 EUR. It takes 99 days. Returns are free.\nDone", 2),
            ("Hello! It takes approx. 3 days. 运费为 4.90 欧元。运费为 5.90 欧元。退货免费", 3),
            ("- Returns are free.\n- Shipping costs 4.90 EUR\n1. Shipping costs 1 EUR\n", 2),
            (
                "Prices:\n\n| Variant | Price |\n| --- | --- |\n| Tarn 2 | 349 EUR |\n| Tarn 3 | 1 EUR |\n\nReturns are free.",
                3,
            ),
            ("| Variant | Price |\n| --- | --- |\n| Tarn 9 | 349 EUR |\n", 0),
            ("| Variant | Price |\n|---|---|\n| Tarn 3 | 429 EUR |", 1),
        ] {
            let expected_rulings = rulings(text, &[]);
            assert_eq!(sent(&expected_rulings).len(), expected, "{expected_rulings:?}");
            for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
                assert_eq!(rulings(text, &[cut]), expected_rulings, "{text} cut at {cut}");
            }
            let every: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            assert_eq!(rulings(text, &every), expected_rulings, "{text} letter by letter");
        }
    }

    #[test]
    fn sentences_stream_and_tables_wait_for_their_end() {
        let mut gate = Gate::new(Evidence::new([SOURCE], []));
        assert_eq!(gate.push("Returns are free. Ship").len(), 1);
        assert_eq!(gate.push("ping costs 4.90 EUR.").len(), 0, "4.90 EUR.50 may follow");
        assert_eq!(
            gate.push("\n| Variant | Price |\n| --- | --- |\n| Tarn 3 | 429 EUR |\n").len(),
            1
        );
        let table = gate.push("\nBye");
        assert_eq!(sent(&table), ["| Variant | Price |\n| --- | --- |\n| Tarn 3 | 429 EUR |\n"]);
    }

    #[test]
    fn what_was_cut_off_is_withheld() {
        let mut gate = Gate::new(Evidence::new([SOURCE], []));
        gate.push("Returns are free. Shipping costs 4.90");
        assert!(
            matches!(&gate.finish(true)[..], [Ruling::Withhold { reason, .. }] if reason.contains("cut off"))
        );
        let mut gate = Gate::new(Evidence::new([SOURCE], []));
        gate.push("| Variant | Price |\n| --- | --- |\n| Tarn 2 | 349 EUR |\n| Tarn 3 | 42");
        let rulings = gate.finish(true);
        assert_eq!(sent(&rulings).len(), 1);
        assert_eq!(rulings.len(), 2);
    }
}
