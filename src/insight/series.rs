//! Daily series from a table: a shop's sales, or a test set. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::calendar::{self, Calendar};
use crate::forecast::{HORIZON, Panel};

/// Days that a table may span, and series that it may hold.
const MAX_SPAN: i64 = 20_000;
const MAX_SERIES: usize = 100_000;

/// Named daily series.
#[derive(Clone, Debug)]
pub struct Series {
    pub names: Vec<String>,
    pub panel: Panel,
}

/// What is wrong with a table of daily series.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    #[error("no column {wanted:?}; the table has {found}")]
    Column { wanted: String, found: String },
    #[error("line {line}: {text:?} is no date; write it as 2026-12-25")]
    Date { line: usize, text: String },
    #[error("line {line}: {text:?} is no count")]
    Count { line: usize, text: String },
    #[error("line {line}: the table spans more than {MAX_SPAN} days or {MAX_SERIES} series")]
    Span { line: usize },
    #[error("the table holds no row")]
    Empty,
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// Reads CSV with the columns `date`, `value` (named by the caller), and optionally `series` and
/// `stock`. A day that a series has no row for counts 0; one whose value is empty, or whose stock
/// is 0, is unknown: what nobody could buy tells nothing about what was wanted.
///
/// # Errors
/// When a column is missing, or a cell is no date or count; the text names the line.
pub fn read(text: &[u8], value: &str, calendar: &Calendar) -> Result<Series, SeriesError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let headers = reader.headers()?.clone();
    let place =
        |name: &str| headers.iter().position(|header| header.trim().eq_ignore_ascii_case(name));
    let wanted = |name: &str| {
        let found = || headers.iter().collect::<Vec<_>>().join(", ");
        place(name).ok_or_else(|| SeriesError::Column { wanted: name.to_owned(), found: found() })
    };
    let (date, value) = (wanted("date")?, wanted(value)?);
    let (series, stock) = (place("series"), place("stock"));
    let mut names: Vec<String> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut cells: Vec<BTreeMap<i64, f64>> = Vec::new();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for (at, row) in reader.records().enumerate() {
        let (row, line) = (row?, at + 2);
        let cell = |place: usize| row.get(place).unwrap_or_default().trim();
        let day = calendar::day(cell(date))
            .ok_or_else(|| SeriesError::Date { line, text: cell(date).to_owned() })?;
        let count = |place: usize| match cell(place) {
            "" => Ok(f64::NAN),
            text => match text.parse::<f64>() {
                Ok(count) if count.is_finite() && count >= 0.0 => Ok(count),
                _ => Err(SeriesError::Count { line, text: text.to_owned() }),
            },
        };
        let sold_out = stock.map(count).transpose()?.is_some_and(|stock| stock == 0.0);
        let counted = if sold_out { f64::NAN } else { count(value)? };
        (first, last) = (first.min(day), last.max(day));
        let name = series.map_or("all", |series| cell(series));
        let at = *by_name.entry(name.to_owned()).or_insert_with(|| {
            names.push(name.to_owned());
            cells.push(BTreeMap::new());
            cells.len() - 1
        });
        if last - first > MAX_SPAN || names.len() > MAX_SERIES {
            return Err(SeriesError::Span { line });
        }
        *cells[at].entry(day).or_insert(0.0) += counted;
    }
    if names.is_empty() {
        return Err(SeriesError::Empty);
    }
    let row = |cells: BTreeMap<i64, f64>| {
        (first..=last).map(|day| *cells.get(&day).unwrap_or(&0.0)).collect()
    };
    let closed = (first..=last + HORIZON as i64).map(|day| calendar.is_closed(day)).collect();
    let series = cells.into_iter().map(row).collect();
    Ok(Series { names, panel: Panel { first_day: first, series, closed } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Series, String> {
        super::read(text.as_bytes(), "orders", &Calendar::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn rows_become_days_and_empty_shelves_unknown_ones() {
        let found =
            read("series,date,orders,stock\nA,2026-01-01,3,9\nA,2026-01-04,0,0\nB,2026-01-02,,1\n")
                .unwrap();
        assert_eq!(found.names, ["A", "B"]);
        assert_eq!(found.panel.series[0][..3], [3.0, 0.0, 0.0]);
        assert!(found.panel.series[0][3].is_nan() && found.panel.series[1][1].is_nan());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert!(
            read("date,units\n")
                .unwrap_err()
                .contains("no column \"orders\"; the table has date, units")
        );
        assert!(
            read("date,orders\n01.02.2026,4\n")
                .unwrap_err()
                .contains("line 2: \"01.02.2026\" is no date")
        );
        assert!(
            read("date,orders\n2026-02-01,-4\n")
                .unwrap_err()
                .contains("line 2: \"-4\" is no count")
        );
        assert!(
            read("date,orders\n0001-02-01,4\n2026-02-01,4\n")
                .unwrap_err()
                .contains("spans more than")
        );
        assert_eq!(read("date,orders\n").unwrap_err(), "the table holds no row");
    }
}
