//! What commands show: progress on a terminal, and what came of it as a table or as JSON on
//! standard output.

use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Progress over so many of something, where standard error is a terminal; nothing otherwise.
pub(super) fn progress(what: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(what.into());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}, {elapsed}")
    {
        bar.set_style(style);
    }
    bar
}

/// Where the work is.
pub(super) fn step(bar: &ProgressBar, what: &str, done: usize, of: usize) {
    bar.set_message(what.to_owned());
    bar.set_length(of as u64);
    bar.set_position(done as u64);
}

/// So many of something: "1 file", "2 files".
pub(super) fn counted(count: impl Into<u128>, noun: &str) -> String {
    let count = count.into();
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Rows under a header; the first column names, the others are numbers.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Rows of texts under a header, broken to the terminal's width.
pub(super) fn texts(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table
}

/// A report, as JSON or as the table of its rows.
pub(super) fn report(
    report: &impl Serialize,
    json: bool,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("{}", table(header, rows));
    }
    Ok(ExitCode::SUCCESS)
}
