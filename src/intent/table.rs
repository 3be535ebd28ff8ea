//! Rows to learn from: columns of numbers, categories and texts, and whether it came to a purchase. Read from CSV with any columns,
//! or from conversations as JSON Lines.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead, Read};

use serde::{Deserialize, Serialize};

/// Rows with their outcome. Every row has one value per column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// Whether it came to a purchase, one per row.
    pub labels: Vec<bool>,
    /// When each row was known, in milliseconds since 1970. Without it, the order of the rows is taken for the order in time.
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
    /// What somebody wrote: one message a line. Lines are embedded one by one, so that a conversation that grows by a message costs
    /// one embedding.
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
}

/// Why a file is no table. Rows count from 1, without the header.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("it can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is no CSV: {0}")]
    Csv(#[from] csv::Error),
    #[error("line {line} is no conversation: {reason}")]
    Json { line: usize, reason: String },
    #[error("there is no column {name:?}; it has {known}")]
    NoColumn { name: String, known: String },
    #[error("row {row} has the label {value:?}; use 1 or 0, true or false, yes or no")]
    Label { row: usize, value: String },
    #[error("row {row}: {value:?} in column {column:?} is no number, as it was in training")]
    NotANumber { row: usize, column: String, value: String },
    #[error("there are no rows")]
    Empty,
}

/// A category has at most this many distinct values, or fewer than a tenth of the rows; else the column is text.
const MAX_CATEGORIES: usize = 64;
/// Words in an average value from which a column of many distinct values is text rather than identifiers.
const TEXT_WORDS: usize = 2;

impl Table {
    /// Reads CSV with a header. Kinds are inferred: a column of numbers is [`Kind::Number`], one of few distinct values a category, one of many
    /// wordy values text. A column of many distinct single words (an identifier) tells nothing about new rows and is left out. `at_ms` gives the
    /// moments.
    ///
    /// With `like`, the columns are those, in their order and with their kinds; further ones are passed over.
    ///
    /// # Errors
    /// When it is no CSV, has no rows, the label is missing or no yes or no, or a column of `like` is missing or no number.
    pub fn csv(file: impl Read, label: &str, like: Option<&[Column]>) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let position = |name: &str| header.iter().position(|known| known == name);
        let no_column = |name: &str| TableError::NoColumn { name: name.to_owned(), known: header.join(", ") };
        let label_at = position(label).ok_or_else(|| no_column(label))?;
        let time_at = position("at_ms");
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
        if records.is_empty() {
            return Err(TableError::Empty);
        }

        let chosen: Vec<(usize, Column)> = match like {
            Some(columns) => columns
                .iter()
                .map(|column| Ok((position(&column.name).ok_or_else(|| no_column(&column.name))?, column.clone())))
                .collect::<Result<_, TableError>>()?,
            None => (0..header.len())
                .filter(|at| *at != label_at && Some(*at) != time_at)
                .filter_map(|at| {
                    let kind = kind_of(records.iter().filter_map(|record| record.get(at)), records.len())?;
                    Some((at, Column { name: header[at].clone(), kind }))
                })
                .collect(),
        };
        let mut table = Self { columns: chosen.iter().map(|(_, column)| column.clone()).collect(), ..Self::default() };
        let mut moments = Vec::new();
        for (i, record) in records.iter().enumerate() {
            let row = i + 1;
            table.labels.push(parse_label(row, record.get(label_at).unwrap_or_default())?);
            if let Some(at) = time_at {
                let text = record.get(at).unwrap_or_default();
                let moment = text.parse().map_err(|_| TableError::NotANumber {
                    row,
                    column: "at_ms".into(),
                    value: text.into(),
                })?;
                moments.push(moment);
            }
            let cells = chosen.iter().map(|(at, column)| parse(row, column, record.get(*at).unwrap_or_default()));
            table.rows.push(cells.collect::<Result<_, _>>()?);
        }
        table.at_ms = time_at.map(|_| moments);
        Ok(table)
    }

    /// The conversations' form of [`Conversation`], each seen up to its visitor's first `turns` messages, or whole.
    ///
    /// # Errors
    /// When there is none, or a line is none.
    pub fn conversations(file: impl BufRead, label: &str, turns: Option<usize>) -> Result<Self, TableError> {
        let conversations = Conversation::read(file, label)?;
        Ok(Self::of_conversations(&conversations, turns, None))
    }

    /// A row for each conversation as it stood after the visitor's first `turns` messages, or at its end. Nothing later is seen.
    /// Attributes become columns by their name, in alphabetical order; with `like`, its columns and no others.
    #[must_use]
    pub fn of_conversations(conversations: &[Conversation], turns: Option<usize>, like: Option<&[Column]>) -> Self {
        let columns = match like {
            Some(columns) => columns.to_vec(),
            None => Conversation::columns(conversations),
        };
        let rows = conversations.iter().map(|conversation| conversation.row(&columns, turns)).collect();
        let moments: Vec<u64> = conversations.iter().filter_map(|conversation| conversation.at_ms).collect();
        Self {
            columns,
            rows,
            labels: conversations.iter().map(|conversation| conversation.label).collect(),
            at_ms: (moments.len() == conversations.len()).then_some(moments),
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
                let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
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
            at_ms: self.at_ms.as_ref().map(|moments| rows.iter().map(|row| moments[*row]).collect()),
        }
    }

    /// The rows in time: the earlier part and the last `share` (0…1) of them, on which a model is evaluated that never saw them.
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
    let (count, words) =
        values.fold((0, 0), |(count, words), value| (count + 1, words + value.split_whitespace().count()));
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
            _ => return Err(TableError::NotANumber { row, column: column.name.clone(), value: value.into() }),
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

/// A whole conversation with its outcome: `{"turns": [{"role": "visitor", "text": "…"}, …], "converted": true, "age": 28, …}`.
/// What the line holds beside turns, `id`, `at_ms`, the label and other outcomes is an attribute of the visitor.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    pub turns: Vec<Said>,
    pub attributes: BTreeMap<String, Value>,
    pub label: bool,
    pub at_ms: Option<u64>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// `visitor`, or whoever answers.
    pub role: String,
    pub text: String,
}

/// What is told after the fact, and so is no attribute: it would give the outcome away.
const OUTCOMES: &[&str] = &["converted", "amount", "outcome"];
/// Columns of every conversation.
const COUNTS: &[&str] = &[
    "visitor_messages",
    "visitor_words",
    "words_per_message",
    "last_words",
    "questions",
    "exclamations",
    "other_words",
];
const SAID: &str = "visitor_said";
const LAST: &str = "visitor_said_last";
const OTHER: &str = "other_said";

impl Conversation {
    /// Reads JSON Lines.
    ///
    /// # Errors
    /// With the line that is no conversation or lacks the label.
    pub fn read(file: impl BufRead, label: &str) -> Result<Vec<Self>, TableError> {
        let mut conversations = Vec::new();
        for (i, text) in file.lines().enumerate() {
            let text = text?;
            if !text.trim().is_empty() {
                conversations
                    .push(Self::parse(&text, label).map_err(|reason| TableError::Json { line: i + 1, reason })?);
            }
        }
        if conversations.is_empty() { Err(TableError::Empty) } else { Ok(conversations) }
    }

    fn parse(text: &str, label: &str) -> Result<Self, String> {
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let turns = fields.remove("turns").ok_or("it has no `turns`")?;
        let turns: Vec<Said> = serde_json::from_value(turns).map_err(|error| format!("in `turns`: {error}"))?;
        let outcome = match fields.remove(label) {
            Some(serde_json::Value::Bool(outcome)) => outcome,
            Some(serde_json::Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(other) => return Err(format!("its {label:?} is {other}; use true or false")),
            None => return Err(format!("it has no {label:?}")),
        };
        let at_ms = fields.remove("at_ms").and_then(|moment| moment.as_u64());
        let attributes = fields
            .into_iter()
            .filter(|(name, _)| name != "id" && !OUTCOMES.contains(&name.as_str()))
            .filter_map(|(name, value)| {
                let value = match value {
                    serde_json::Value::Null => Value::Missing,
                    #[expect(clippy::cast_possible_truncation, reason = "a feature needs no more than 7 digits")]
                    serde_json::Value::Number(number) => Value::Number(number.as_f64()? as f32),
                    serde_json::Value::Bool(flag) => Value::Category(flag.to_string()),
                    serde_json::Value::String(text) => Value::Category(text),
                    serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
                };
                Some((name, value))
            })
            .collect();
        Ok(Self { turns, attributes, label: outcome, at_ms })
    }

    /// How many messages the visitor wrote.
    #[must_use]
    pub fn visitor_messages(&self) -> usize {
        self.turns.iter().filter(|said| said.role == "visitor").count()
    }

    fn columns(conversations: &[Self]) -> Vec<Column> {
        let names: BTreeSet<&String> =
            conversations.iter().flat_map(|conversation| conversation.attributes.keys()).collect();
        let attributes = names.into_iter().map(|name| {
            let mut values = conversations.iter().filter_map(|conversation| conversation.attributes.get(name));
            let named = values.any(|value| matches!(value, Value::Category(_)));
            Column { name: name.clone(), kind: if named { Kind::Category } else { Kind::Number } }
        });
        let counts = COUNTS.iter().map(|name| Column { name: (*name).to_owned(), kind: Kind::Number });
        let texts = [SAID, LAST, OTHER].map(|name| Column { name: name.to_owned(), kind: Kind::Text });
        attributes.chain(counts).chain(texts).collect()
    }

    /// The values of `columns` after the visitor's first `turns` messages.
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    fn row(&self, columns: &[Column], turns: Option<usize>) -> Vec<Value> {
        let mut visitor: Vec<&str> = Vec::new();
        let mut other: Vec<&str> = Vec::new();
        for said in &self.turns {
            if said.role != "visitor" {
                other.push(&said.text);
            } else {
                visitor.push(&said.text);
                if turns.is_some_and(|turns| visitor.len() >= turns) {
                    break;
                }
            }
        }
        let words = |texts: &[&str]| texts.iter().map(|text| text.split_whitespace().count()).sum::<usize>() as f32;
        let marks = |mark: char| visitor.iter().filter(|text| text.contains(mark)).count() as f32;
        let last = visitor.last().copied().unwrap_or_default();
        let text = |lines: &[&str]| if lines.is_empty() { Value::Missing } else { Value::Text(one_a_line(lines)) };
        columns
            .iter()
            .map(|column| match column.name.as_str() {
                "visitor_messages" => Value::Number(visitor.len() as f32),
                "visitor_words" => Value::Number(words(&visitor)),
                "words_per_message" => Value::Number(words(&visitor) / visitor.len().max(1) as f32),
                "last_words" => Value::Number(words(&[last])),
                "questions" => Value::Number(marks('?')),
                "exclamations" => Value::Number(marks('!')),
                "other_words" => Value::Number(words(&other)),
                SAID => text(&visitor),
                LAST => text(visitor.last().map_or(&[], std::slice::from_ref)),
                OTHER => text(&other),
                name => match (self.attributes.get(name), column.kind) {
                    (Some(Value::Number(number)), Kind::Category) => Value::Category(number.to_string()),
                    (Some(Value::Category(_)), Kind::Number) | (None, _) => Value::Missing,
                    (Some(value), _) => value.clone(),
                },
            })
            .collect()
    }
}

fn one_a_line(messages: &[&str]) -> String {
    messages.iter().map(|message| message.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let table = Table::csv(SHOP.as_bytes(), "bought", None).unwrap();
        let expected = [column("pages", Kind::Number), column("month", Kind::Category), column("note", Kind::Text)];
        assert_eq!(table.columns, expected);
        assert_eq!(table.rows[1], [Value::Missing, Value::Category("May".into()), Value::Missing]);
        assert_eq!(table.labels, [true, false, false, true]);
        let (before, after) = table.split_in_time(0.25);
        assert_eq!(before.at_ms.unwrap(), [10, 20, 30]);
        assert_eq!(after.at_ms.unwrap(), [40]);
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
        check("a,bought\n1,1\nx,0\n", Some(&[column("a", Kind::Number)]), "row 2: \"x\" in column \"a\"");
        let lines = "{\"turns\": [], \"converted\": true}\n{\"turns\": 3, \"converted\": true}";
        let error = Table::conversations(lines.as_bytes(), "converted", None).unwrap_err().to_string();
        assert!(error.starts_with("line 2 is no conversation: in `turns`"), "{error}");
    }

    #[test]
    fn a_conversation_is_seen_up_to_a_moment_and_never_its_outcome() {
        let line = r#"{"id": "x", "age": 41, "work": "nurse", "converted": true, "amount": 2.5, "turns": [
            {"role": "agent", "text": "Hello!"}, {"role": "visitor", "text": "Hi, who\nare you?"},
            {"role": "agent", "text": "A shop."}, {"role": "visitor", "text": "Sold!"}]}"#
            .replace("\n            ", " ");
        let table = Table::conversations(line.as_bytes(), "converted", Some(1)).unwrap();
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names[..2], ["age", "work"]);
        assert!(!names.contains(&"amount") && !names.contains(&"id"));
        let value = |name: &str| table.rows[0][names.iter().position(|known| *known == name).unwrap()].clone();
        assert_eq!(value("visitor_messages"), Value::Number(1.0));
        assert_eq!(value("questions"), Value::Number(1.0));
        assert_eq!(value("visitor_said"), Value::Text("Hi, who are you?".into()));
        assert_eq!(value("other_said"), Value::Text("Hello!".into()));
        let whole = Table::conversations(line.as_bytes(), "converted", None).unwrap();
        assert_eq!(whole.rows[0][8], Value::Number(3.0), "words of the other side");
    }
}
