//! Which rows of catalogues, tables and price lists can answer a question at all.

use crate::catalogue::asks::{Asking, Line, is_price_line};
use crate::grounding::Unit;
use crate::retrieval::{Hit, product};

/// Whether a piece can answer what is asked, as far as it is a row: of a catalogue, of a table, or
/// of a price list. Sentences are judged elsewhere.
pub(super) fn fits(asking: &Asking, unit: &Unit, hit: &Hit) -> bool {
    let passage = &hit.passage;
    let row = passage.product.is_some() || unit.row || product::of_table(&passage.document);
    if !row && !is_price_line(&unit.text) {
        return true;
    }
    let above = format!(
        "{} {} {} {}",
        unit.heading,
        passage.title,
        passage.headings.join(" "),
        passage.document.replace(['_', '-', '#'], " ")
    );
    // Other parts of the same row say what it is, too.
    let text = if unit.row { &unit.text } else { &passage.text };
    let first = unit.text.split_once(": ").map(|(first, _)| first).filter(|_| unit.row);
    let title = product::of_table(&passage.document).then_some(passage.title.as_str());
    let name = passage.product.as_ref().map(|product| product.name.as_str());
    let name = name.or(title).or(first);
    asking.fits(Line { text, above: &above, name, language: &passage.language })
}
