//! Rows to learn from: columns of numbers, categories and texts, and whether it came to a purchase.
//! Read from CSV with any columns, or made of conversations' signals, the same way for recorded,
//! stored and running ones.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::features::{self, State};
use crate::signals::Signal;

/// Rows with their outcome. Every row has one value per column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// Whether it came to a purchase, one per row.
    pub labels: Vec<bool>,
    /// When each row was known, in milliseconds since 1970. Without it, the order of the rows is
    /// taken for the order in time.
    pub at_ms: Option<Vec<u64>>,
}

/// What a column is called and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Number,
    /// One of a few names.
    Category,
    /// What somebody wrote: one message a line. Lines are embedded one by one, so that a
    /// conversation that grows by a message costs one embedding.
    Text,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Not known, which is a fact of its own and not the same as 0.
    #[default]
    Missing,
    Number(f32),
    Category(String),
    Text(String),
    /// What a text means, where that was kept and the text was not.
    Vector(Vec<f32>),
}

/// Why a file is no table. Rows count from 1, without the header.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("it can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is no CSV: {0}")]
    Csv(#[from] csv::Error),
    #[error("no conversations: {0}")]
    Conversations(String),
    #[error("there is no column {name:?}; it has {known}")]
    NoColumn { name: String, known: String },
    #[error("row {row} has the label {value:?}; use 1 or 0, true or false, yes or no")]
    Label { row: usize, value: String },
    #[error("row {row}: {value:?} in column {column:?} is no number, as it was in training")]
    NotANumber { row: usize, column: String, value: String },
    #[error("there are no rows")]
    Empty,
    #[error("none of the {rows} rows has a label in {label:?}")]
    Unlabelled { rows: usize, label: String },
}

/// A category has at most this many distinct values, or fewer than a tenth of the rows; else the
/// column is text.
const MAX_CATEGORIES: usize = 64;
/// Words in an average value from which a column of many distinct values is text rather than
/// identifiers.
const TEXT_WORDS: usize = 2;

impl Table {
    /// Reads CSV with a header. Kinds are inferred: a column of numbers is [`Kind::Number`], one of
    /// few distinct values a category, one of many wordy values text. A column of many distinct
    /// single words (an identifier) tells nothing about new rows and is left out, and so are the
    /// columns of an export that say whose row it is or what came of it (`session`, `amount`, …).
    /// Its columns `meaning_000`… together are [`SAID`]. `at_ms` gives the moments.
    ///
    /// With `like`, the columns are those, in their order and with their kinds: further ones are
    /// passed over, and one that the file lacks has missing values.
    ///
    /// Rows without a label are in it, too; the second part says which rows have one.
    ///
    /// # Errors
    /// When it is no CSV, has no rows, the label is missing or no yes or no, or a column of `like`
    /// is no number or all of them are missing.
    pub fn csv(
        file: impl Read,
        label: &str,
        like: Option<&[Column]>,
    ) -> Result<(Self, Vec<bool>), TableError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let position = |name: &str| header.iter().position(|known| known == name);
        let no_column =
            |name: &str| TableError::NoColumn { name: name.to_owned(), known: header.join(", ") };
        let label_at = position(label).ok_or_else(|| no_column(label))?;
        let time_at = position("at_ms");
        let meanings: Vec<usize> =
            (0..header.len()).filter(|at| is_meaning(&header[*at])).collect();
        let said = || Column { name: SAID.to_owned(), kind: Kind::Text };
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
        if records.is_empty() {
            return Err(TableError::Empty);
        }

        let chosen: Vec<(Cells, Column)> = match like {
            Some(columns) => {
                let cells = |name: &str| match position(name) {
                    Some(at) => Cells::Column(at),
                    None if name == SAID && !meanings.is_empty() => Cells::Meaning,
                    None => Cells::Missing,
                };
                let chosen: Vec<_> =
                    columns.iter().map(|column| (cells(&column.name), column.clone())).collect();
                if let Some((_, first)) = chosen
                    .first()
                    .filter(|_| chosen.iter().all(|(cells, _)| *cells == Cells::Missing))
                {
                    return Err(no_column(&first.name));
                }
                chosen
            }
            None => {
                let told = |at: &usize| {
                    Some(*at) != time_at && *at != label_at && !TOLD.contains(&header[*at].as_str())
                };
                let columns = (0..header.len())
                    .filter(told)
                    .filter(|at| !meanings.contains(at))
                    .filter_map(|at| {
                        let kind = kind_of(
                            records.iter().filter_map(|record| record.get(at)),
                            records.len(),
                        )?;
                        Some((Cells::Column(at), Column { name: header[at].clone(), kind }))
                    });
                columns.chain((!meanings.is_empty()).then(|| (Cells::Meaning, said()))).collect()
            }
        };
        let mut table = Self {
            columns: chosen.iter().map(|(_, column)| column.clone()).collect(),
            ..Self::default()
        };
        let (mut moments, mut labelled) = (Vec::new(), Vec::new());
        for (i, record) in records.iter().enumerate() {
            let row = i + 1;
            let label = record.get(label_at).unwrap_or_default();
            labelled.push(!is_missing(label));
            table.labels.push(!is_missing(label) && parse_label(row, label)?);
            if let Some(at) = time_at {
                let text = record.get(at).unwrap_or_default();
                let moment = text.parse().map_err(|_| TableError::NotANumber {
                    row,
                    column: "at_ms".into(),
                    value: text.into(),
                })?;
                moments.push(moment);
            }
            let cell = |cells: &Cells, column: &Column| match cells {
                Cells::Column(at) => parse(row, column, record.get(*at).unwrap_or_default()),
                Cells::Meaning => meaning(row, record, &meanings, &header),
                Cells::Missing => Ok(Value::Missing),
            };
            table.rows.push(
                chosen
                    .iter()
                    .map(|(cells, column)| cell(cells, column))
                    .collect::<Result<_, _>>()?,
            );
        }
        table.at_ms = time_at.map(|_| moments);
        Ok((table, labelled))
    }

    /// A row for each conversation as it stood after the visitor's first `turns` messages, or at
    /// its end. Nothing later is seen. The columns are [`features::COLUMNS`], the visitors'
    /// attributes, and what was said; with `like`, those and no others.
    #[must_use]
    pub fn of_tracks(tracks: &[Track], turns: Option<usize>, like: Option<&[Column]>) -> Self {
        let states: Vec<State> = tracks.iter().map(|track| track.state(turns)).collect();
        let columns = like.map_or_else(|| Track::columns(&states), <[Column]>::to_vec);
        let rows =
            tracks.iter().zip(&states).map(|(track, state)| track.row(state, &columns)).collect();
        let moments: Vec<u64> = tracks.iter().map(Track::at_ms).collect();
        Self {
            columns,
            rows,
            labels: tracks.iter().map(|track| track.converted.unwrap_or_default()).collect(),
            at_ms: moments.iter().any(|at_ms| *at_ms > 0).then_some(moments),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows came to a purchase.
    #[must_use]
    pub fn positives(&self) -> usize {
        self.labels.iter().filter(|label| **label).count()
    }

    /// The same rows without some columns.
    ///
    /// # Errors
    /// When a name is no column.
    pub fn without(mut self, names: &[String]) -> Result<Self, TableError> {
        for name in names {
            let Some(at) = self.columns.iter().position(|column| column.name == *name) else {
                let known: Vec<&str> =
                    self.columns.iter().map(|column| column.name.as_str()).collect();
                return Err(TableError::NoColumn { name: name.clone(), known: known.join(", ") });
            };
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
        Ok(self)
    }

    /// Some of the rows, in the order given.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            columns: self.columns.clone(),
            rows: rows.iter().map(|row| self.rows[*row].clone()).collect(),
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
            at_ms: self
                .at_ms
                .as_ref()
                .map(|moments| rows.iter().map(|row| moments[*row]).collect()),
        }
    }

    /// The rows in time: the earlier part and the last `share` (0…1) of them, on which a model is
    /// evaluated that never saw them.
    #[must_use]
    pub fn split_in_time(&self, share: f32) -> (Self, Self) {
        let mut order: Vec<usize> = (0..self.len()).collect();
        if let Some(moments) = &self.at_ms {
            order.sort_by_key(|row| moments[*row]);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share"
        )]
        let later = ((self.len() as f32 * share.clamp(0.0, 1.0)).round() as usize).min(self.len());
        let (before, after) = order.split_at(self.len() - later);
        (self.select(before), self.select(after))
    }
}

/// Where the cells of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cells {
    Column(usize),
    /// All the columns of [`is_meaning`].
    Meaning,
    Missing,
}

/// Columns of `frontdesk signals export --features`, and of others' exports, that say whose row it
/// is or what came of it: the one tells nothing about new rows, the other gives the answer away.
const TOLD: [&str; 7] = ["site", "session", "converted", "amount", "currency", "order", "outcome"];

/// `meaning_000` and so on, as an export has them.
fn is_meaning(name: &str) -> bool {
    name.strip_prefix("meaning_")
        .is_some_and(|number| number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit()))
}

fn meaning(
    row: usize,
    record: &csv::StringRecord,
    columns: &[usize],
    header: &[String],
) -> Result<Value, TableError> {
    let number = |at: &usize| match record.get(*at).unwrap_or_default() {
        value if is_missing(value) => Ok(None),
        value => match value.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(TableError::NotANumber {
                row,
                column: header[*at].clone(),
                value: value.into(),
            }),
        },
    };
    let numbers: Option<Vec<f32>> = columns.iter().map(number).collect::<Result<_, _>>()?;
    Ok(numbers.map_or(Value::Missing, Value::Vector))
}

/// What a column holds; nothing for one that tells nothing about new rows (empty, or identifiers).
fn kind_of<'a>(values: impl Iterator<Item = &'a str> + Clone, rows: usize) -> Option<Kind> {
    let values = values.filter(|value| !is_missing(value));
    values.clone().next()?;
    if values.clone().all(|value| value.parse::<f32>().is_ok_and(f32::is_finite)) {
        return Some(Kind::Number);
    }
    let distinct: HashSet<&str> = values.clone().collect();
    if distinct.len() <= MAX_CATEGORIES && distinct.len() * 2 <= rows.max(4) {
        return Some(Kind::Category);
    }
    let (count, words) = values.fold((0, 0), |(count, words), value| {
        (count + 1, words + value.split_whitespace().count())
    });
    if words > TEXT_WORDS * count {
        return Some(Kind::Text);
    }
    (distinct.len() * 10 < rows).then_some(Kind::Category)
}

fn is_missing(value: &str) -> bool {
    matches!(value, "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL" | "None" | "?")
}

fn parse(row: usize, column: &Column, value: &str) -> Result<Value, TableError> {
    if is_missing(value) {
        return Ok(Value::Missing);
    }
    Ok(match column.kind {
        Kind::Number => match value.parse::<f32>() {
            Ok(number) if number.is_finite() => Value::Number(number),
            _ => {
                return Err(TableError::NotANumber {
                    row,
                    column: column.name.clone(),
                    value: value.into(),
                });
            }
        },
        Kind::Category => Value::Category(value.to_owned()),
        Kind::Text => Value::Text(value.to_owned()),
    })
}

fn parse_label(row: usize, value: &str) -> Result<bool, TableError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" => Ok(true),
        "0" | "0.0" | "false" | "no" => Ok(false),
        _ => Err(TableError::Label { row, value: value.to_owned() }),
    }
}

/// A conversation as training and serving see it: its signals in the order of the log, and what
/// came of it. One fold of them ([`State`]) makes the rows of both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// The moment of each record, in milliseconds since 1970, and its signals.
    pub records: Vec<(u64, Vec<Signal>)>,
    /// The visitor's messages, where their meanings are not among the signals.
    pub said: Vec<String>,
    /// Whether it came to a purchase; `None` if nobody reported it, nor silence tells it.
    pub converted: Option<bool>,
}

/// Columns of every conversation beside [`features::COLUMNS`]: the mean of what the visitor's
/// messages mean, and the last one.
pub const SAID: &str = "visitor_said";
pub const LAST: &str = "visitor_said_last";

impl Track {
    /// Of a stored log.
    #[must_use]
    pub fn of_log(records: Vec<(u64, Vec<Signal>)>) -> Self {
        let mut state = State::default();
        records.iter().for_each(|(at_ms, signals)| {
            signals.iter().for_each(|signal| state.push(*at_ms, signal))
        });
        Self { records, said: Vec::new(), converted: state.converted() }
    }

    /// The whole of it with its outcomes, but for what the messages mean.
    #[must_use]
    pub fn outline(&self) -> State {
        let mut state = State::default();
        for (at_ms, signals) in &self.records {
            let told = signals.iter().filter(|signal| !matches!(signal, Signal::Meaning { .. }));
            told.for_each(|signal| state.push(*at_ms, signal));
        }
        state
    }

    /// What was known after the record with the visitor's message number `turns`, or at the end.
    /// With the first report of an outcome the conversation is at its end: what was said afterwards
    /// can be about it.
    #[must_use]
    pub fn state(&self, turns: Option<usize>) -> State {
        let mut state = State::default();
        for (at_ms, signals) in self.upto(turns) {
            signals.iter().for_each(|signal| state.push(*at_ms, signal));
        }
        state
    }

    /// The signals up to such a moment.
    pub fn until(&self, turns: Option<usize>) -> impl Iterator<Item = &Signal> {
        self.upto(turns).iter().flat_map(|(_, signals)| signals)
    }

    fn upto(&self, turns: Option<usize>) -> &[(u64, Vec<Signal>)] {
        let has = |signals: &[Signal], wanted: fn(&Signal) -> bool| signals.iter().any(wanted);
        let mut messages = 0;
        for (at, (_, signals)) in self.records.iter().enumerate() {
            if has(signals, |signal| matches!(signal, Signal::Outcome(_))) {
                return &self.records[..at];
            }
            messages +=
                usize::from(has(signals, |signal| matches!(signal, Signal::Message { .. })));
            if turns.is_some_and(|turns| messages >= turns) {
                return &self.records[..=at];
            }
        }
        &self.records
    }

    /// How many messages the visitor wrote before the outcome.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.state(None).messages as usize
    }

    /// When it began, in milliseconds since 1970; 0 if nobody knows.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.records.first().map_or(0, |(at_ms, _)| *at_ms)
    }

    /// True for a column that a conversation can have: a model that learned from others is blind to
    /// every visitor.
    #[must_use]
    pub fn has(column: &str) -> bool {
        features::COLUMNS.contains(&column)
            || column.starts_with("attribute.")
            || [SAID, LAST].contains(&column)
    }

    fn columns(states: &[State]) -> Vec<Column> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut named: BTreeSet<String> = BTreeSet::new();
        for (name, value) in
            states.iter().flat_map(|state| state.row().into_iter().skip(features::COLUMNS.len()))
        {
            if matches!(value, features::Value::Category(_)) {
                named.insert(name.clone());
            }
            names.insert(name);
        }
        let kind = |name: &str| {
            let named = features::NAMED.contains(&name) || named.contains(name);
            Column {
                name: name.to_owned(),
                kind: if named { Kind::Category } else { Kind::Number },
            }
        };
        let texts = [SAID, LAST].map(|name| Column { name: name.to_owned(), kind: Kind::Text });
        let known = features::COLUMNS.iter().map(|name| kind(name));
        known.chain(names.iter().map(|name| kind(name))).chain(texts).collect()
    }

    fn row(&self, state: &State, columns: &[Column]) -> Vec<Value> {
        let said = &self.said[..self.said.len().min(state.messages as usize)];
        let means = |lines: &[String], vector: &[f32]| match (lines, vector) {
            ([], []) => Value::Missing,
            ([], vector) => Value::Vector(vector.to_vec()),
            (lines, _) => Value::Text(one_a_line(lines)),
        };
        let row = state.row();
        columns
            .iter()
            .map(|column| match column.name.as_str() {
                SAID => means(said, &state.meaning),
                LAST => means(&said[said.len().saturating_sub(1)..], &state.last_meaning),
                name => match (
                    row.iter().find(|(known, _)| known == name).map(|(_, value)| value),
                    column.kind,
                ) {
                    (Some(features::Value::Number(number)), Kind::Category) => {
                        Value::Category(number.to_string())
                    }
                    (Some(features::Value::Number(number)), Kind::Number) => Value::Number(*number),
                    (Some(features::Value::Category(name)), Kind::Category) => {
                        Value::Category(name.clone())
                    }
                    _ => Value::Missing,
                },
            })
            .collect()
    }
}

fn one_a_line(messages: &[String]) -> String {
    messages.iter().map(|message| message.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::replay;

    const SHOP: &str = "\
id,pages,month,note,at_ms,bought
a-1,3,May,do you ship to the islands please,30,1
b-2,,May,,10,0
c-3,2.5,Nov,the tent is too expensive for me,20,no
d-4,7,Nov,I am only looking around for now,40,TRUE
";

    fn column(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }

    #[test]
    fn kinds_are_inferred_and_identifiers_left_out() {
        let (table, labelled) = Table::csv(SHOP.as_bytes(), "bought", None).unwrap();
        assert_eq!(labelled, [true; 4]);
        let expected = [
            column("pages", Kind::Number),
            column("month", Kind::Category),
            column("note", Kind::Text),
        ];
        assert_eq!(table.columns, expected);
        assert_eq!(table.rows[1], [Value::Missing, Value::Category("May".into()), Value::Missing]);
        assert_eq!(table.labels, [true, false, false, true]);
        let (before, after) = table.split_in_time(0.25);
        assert_eq!(before.at_ms.unwrap(), [10, 20, 30]);
        assert_eq!(after.at_ms.unwrap(), [40]);
    }

    #[test]
    fn an_export_gives_no_outcome_away_and_may_lack_labels_and_columns() {
        let text = "site,session,at_ms,messages,meaning_000,meaning_001,converted,amount\n\
                    s,a,1,3,0.6,0.8,1,9.5\ns,b,2,4,,,0,0\ns,c,3,5,1,0,,\n";
        let (table, labelled) = Table::csv(text.as_bytes(), "converted", None).unwrap();
        assert_eq!(table.columns, [column("messages", Kind::Number), column(SAID, Kind::Text)]);
        assert_eq!(table.rows[0], [Value::Number(3.0), Value::Vector(vec![0.6, 0.8])]);
        assert_eq!(table.rows[1], [Value::Number(4.0), Value::Missing]);
        assert_eq!(
            (table.labels.as_slice(), labelled.as_slice()),
            (&[true, false, false][..], &[true, true, false][..])
        );
        let like =
            [column(LAST, Kind::Text), column("messages", Kind::Number), column(SAID, Kind::Text)];
        let (table, _) = Table::csv(text.as_bytes(), "converted", Some(&like)).unwrap();
        assert_eq!(
            table.rows[2],
            [Value::Missing, Value::Number(5.0), Value::Vector(vec![1.0, 0.0])]
        );
        let broken = text.replace("0.6", "much");
        let error = Table::csv(broken.as_bytes(), "converted", None).unwrap_err().to_string();
        assert!(error.contains("row 1: \"much\" in column \"meaning_000\""), "{error}");
    }

    fn check(text: &str, like: Option<&[Column]>, expected: &str) {
        let error = Table::csv(text.as_bytes(), "bought", like).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        check("a,b\n1,2\n", None, "no column \"bought\"; it has a, b");
        check("a,bought\n1,maybe\n", None, "row 1 has the label \"maybe\"");
        check("a,bought\n", None, "no rows");
        check("a,bought\n1,1\n2\n", None, "no CSV");
        check(
            "a,bought\n1,1\n",
            Some(&[column("b", Kind::Number), column("c", Kind::Number)]),
            "no column \"b\"; it has a, bought",
        );
        check(
            "a,bought\n1,1\nx,0\n",
            Some(&[column("a", Kind::Number)]),
            "row 2: \"x\" in column \"a\"",
        );
    }

    #[test]
    fn a_conversation_is_seen_up_to_a_moment_and_never_its_outcome() {
        let line =
            r#"{"id": "x", "age": 41, "work": "nurse", "converted": true, "amount": 2.5, "turns": [
            {"role": "agent", "text": "Hello!"}, {"role": "visitor", "text": "Hi, who\nare you?"},
            {"role": "agent", "text": "A shop."}, {"role": "visitor", "text": "Sold!"}]}"#
                .replace("\n            ", " ");
        let conversation = replay::read(&line, 0, "converted").unwrap().remove(0);
        let mut track = conversation.track();
        assert_eq!(track.converted, Some(true));
        let first = Table::of_tracks(std::slice::from_ref(&track), Some(1), None);
        let names: Vec<&str> = first.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            names[features::COLUMNS.len()..],
            ["attribute.age", "attribute.work", SAID, LAST]
        );
        let value = |table: &Table, name: &str| {
            table.rows[0][table.columns.iter().position(|column| column.name == name).unwrap()]
                .clone()
        };
        assert_eq!(value(&first, "messages"), Value::Number(1.0));
        assert_eq!(value(&first, "attribute.age"), Value::Number(41.0));
        assert_eq!(value(&first, SAID), Value::Text("Hi, who are you?".into()));
        // What follows a moment, or a report, changes nothing.
        let whole = Table::of_tracks(std::slice::from_ref(&track), None, None);
        assert_eq!(value(&whole, LAST), Value::Text("Sold!".into()));
        track.records.push((9, vec![Signal::Outcome(crate::signals::Outcome::default())]));
        track.records.push((
            10,
            vec![
                Signal::HumanRequested,
                Signal::Message {
                    chars: 5,
                    words: 1,
                    question: true,
                    sentiment: 1.0,
                    language: None,
                },
            ],
        ));
        assert_eq!(Table::of_tracks(std::slice::from_ref(&track), None, None).rows, whole.rows);
        assert_eq!(Table::of_tracks(std::slice::from_ref(&track), Some(1), None).rows, first.rows);
    }
}
