//! Signals and features as CSV and Parquet, for notebooks, warehouses and other trainers.
//! docs/signals.md describes the columns.

use std::collections::BTreeSet;
use std::io::Write;
#[cfg(feature = "parquet")]
use std::sync::Arc;

use anyhow::Context as _;
#[cfg(feature = "parquet")]
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
#[cfg(feature = "parquet")]
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
#[cfg(feature = "parquet")]
use parquet::file::properties::WriterProperties;
#[cfg(feature = "parquet")]
use parquet::file::writer::SerializedFileWriter;
#[cfg(feature = "parquet")]
use parquet::schema::types::Type;

use crate::conversation::AttributeValue;
use crate::features::{self, State, Value};
use crate::signals::Signal;

/// A column with a value or none for every row.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub cells: Cells,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    Text(Vec<Option<String>>),
    Number(Vec<Option<f64>>),
    Whole(Vec<Option<i64>>),
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::Text(cells) => cells.len(),
            Cells::Number(cells) => cells.len(),
            Cells::Whole(cells) => cells.len(),
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Cells::Text(cells) => cells[row].clone().unwrap_or_default(),
            Cells::Number(cells) => cells[row].map(|value| value.to_string()).unwrap_or_default(),
            Cells::Whole(cells) => cells[row].map(|value| value.to_string()).unwrap_or_default(),
        }
    }
}

/// Rows of a signal log, one for each signal; a signal with several parts (a source, an outcome)
/// has a row for each.
#[derive(Clone, Debug, Default)]
pub struct SignalRows {
    site: Vec<Option<String>>,
    session: Vec<Option<String>>,
    seq: Vec<Option<i64>>,
    at_ms: Vec<Option<i64>>,
    signal: Vec<Option<String>>,
    name: Vec<Option<String>>,
    value: Vec<Option<f64>>,
    text: Vec<Option<String>>,
}

impl SignalRows {
    #[must_use]
    pub fn len(&self) -> usize {
        self.signal.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signal.is_empty()
    }

    /// Adds a signal's parts.
    pub fn push(&mut self, site: &str, session: &str, seq: u64, at_ms: u64, signal: &Signal) {
        let kind = kind(signal);
        for (name, value, text) in parts(signal) {
            self.site.push(Some(site.to_owned()));
            self.session.push(Some(session.to_owned()));
            self.seq.push(i64::try_from(seq).ok());
            self.at_ms.push(i64::try_from(at_ms).ok());
            self.signal.push(Some(kind.to_owned()));
            self.name.push(Some(name));
            self.value.push(value);
            self.text.push(text);
        }
    }

    #[must_use]
    pub fn into_columns(self) -> Vec<Column> {
        let column = |name: &str, cells| Column { name: name.to_owned(), cells };
        vec![
            column("site", Cells::Text(self.site)),
            column("session", Cells::Text(self.session)),
            column("seq", Cells::Whole(self.seq)),
            column("at_ms", Cells::Whole(self.at_ms)),
            column("signal", Cells::Text(self.signal)),
            column("name", Cells::Text(self.name)),
            column("value", Cells::Number(self.value)),
            column("text", Cells::Text(self.text)),
        ]
    }
}

/// A signal's name, as in the log.
#[must_use]
pub fn kind(signal: &Signal) -> &'static str {
    match signal {
        Signal::Started { .. } => "started",
        Signal::Source(_) => "source",
        Signal::Known => "known",
        Signal::Attribute { .. } => "attribute",
        Signal::Message { .. } => "message",
        Signal::Meaning { .. } => "meaning",
        Signal::Topic { .. } => "topic",
        Signal::Mention { .. } => "mention",
        Signal::Answer { .. } => "answer",
        Signal::Feedback { .. } => "feedback",
        Signal::HumanRequested => "human_requested",
        Signal::Dwell { .. } => "dwell",
        Signal::Recommended { .. } => "recommended",
        Signal::Clicked { .. } => "clicked",
        Signal::Outcome(_) => "outcome",
        Signal::Handoff { .. } => "handoff",
        Signal::Stance { .. } => "stance",
        Signal::Label { .. } => "label",
        Signal::Ended => "ended",
    }
}

type Part = (String, Option<f64>, Option<String>);

/// A signal's parts: name, number, text.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a visit")]
fn parts(signal: &Signal) -> Vec<Part> {
    let text = |name: &str, text: &str| (name.to_owned(), None, Some(text.to_owned()));
    let number = |name: &str, value: f64| (name.to_owned(), Some(value), None);
    let flag = |name: &str, value: bool| number(name, f64::from(u8::from(value)));
    let word = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    match signal {
        Signal::Started { visitor, channel } => {
            vec![text("visitor", visitor), text("channel", channel)]
        }
        Signal::Source(source) => [
            ("utm_source", &source.utm_source),
            ("utm_medium", &source.utm_medium),
            ("utm_campaign", &source.utm_campaign),
            ("utm_term", &source.utm_term),
            ("utm_content", &source.utm_content),
            ("referrer", &source.referrer),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(text(name, value.as_deref()?)))
        .collect(),
        Signal::Attribute { name, value } => vec![match value {
            AttributeValue::Flag(value) => flag(name, *value),
            AttributeValue::Number(value) => number(name, *value),
            AttributeValue::Name(value) => text(name, value),
        }],
        Signal::Message { chars, words, question, sentiment, language } => {
            let mut parts = vec![
                number("chars", f64::from(*chars)),
                number("words", f64::from(*words)),
                flag("question", *question),
                number("sentiment", f64::from(*sentiment)),
            ];
            parts.extend(language.iter().map(|language| text("language", language)));
            parts
        }
        Signal::Meaning { vector } => {
            let numbers: Vec<String> =
                vector.numbers().map(|value| format!("{value:.5}")).collect();
            vec![text("vector", &numbers.join(" "))]
        }
        Signal::Topic { topic } => vec![text("topic", topic.name())],
        Signal::Mention { product, category } => {
            let mut parts: Vec<Part> =
                product.iter().map(|product| text("product", product)).collect();
            if !category.is_empty() {
                parts.push(text("category", category));
            }
            parts
        }
        Signal::Answer { confidence, end, citations, withheld } => {
            let mut parts = vec![
                text("end", &word(serde_json::to_value(end))),
                number("citations", f64::from(*citations)),
                number("withheld", f64::from(*withheld)),
            ];
            parts.extend(confidence.map(|confidence| number("confidence", f64::from(confidence))));
            parts
        }
        Signal::Feedback { rating } => vec![text("rating", &word(serde_json::to_value(rating)))],
        Signal::Dwell { ms } => vec![number("ms", *ms as f64)],
        Signal::Recommended { products, held_out } => {
            let mut parts: Vec<Part> =
                products.iter().map(|product| text("product", product)).collect();
            parts.push(flag("held_out", *held_out));
            parts
        }
        Signal::Clicked { product } => vec![text("product", product)],
        Signal::Outcome(outcome) => {
            let mut parts = vec![
                text("order", &outcome.order),
                flag("converted", outcome.converted),
                number("amount", outcome.amount),
            ];
            if !outcome.currency.is_empty() {
                parts.push(text("currency", &outcome.currency));
            }
            parts.extend(outcome.products.iter().map(|product| text("product", product)));
            parts
        }
        Signal::Handoff { reason } => vec![text("reason", &word(serde_json::to_value(reason)))],
        Signal::Stance { stance } => vec![text("stance", stance.name())],
        Signal::Label { intent, by } => vec![text("intent", intent), text("by", by)],
        Signal::Known | Signal::HumanRequested | Signal::Ended => vec![number("count", 1.0)],
    }
}

/// Features of sessions, one row each: `site`, `session`, `at_ms`, the columns of
/// [`features::COLUMNS`], `attribute.…` for every attribute that any of them has, `meaning_000`… if
/// wanted, and the labels `converted` and `amount`, empty where nothing was reported.
#[must_use]
pub fn feature_columns(site: &str, sessions: &[(String, State)], meanings: bool) -> Vec<Column> {
    let rows: Vec<Vec<(String, Value)>> = sessions.iter().map(|(_, state)| state.row()).collect();
    let attributes: BTreeSet<&String> = rows
        .iter()
        .flat_map(|row| row.iter().skip(features::COLUMNS.len()).map(|(name, _)| name))
        .collect();
    let mut columns = vec![
        Column {
            name: "site".into(),
            cells: Cells::Text(vec![Some(site.to_owned()); sessions.len()]),
        },
        Column {
            name: "session".into(),
            cells: Cells::Text(sessions.iter().map(|(id, _)| Some(id.clone())).collect()),
        },
        Column {
            name: "at_ms".into(),
            cells: Cells::Whole(
                sessions.iter().map(|(_, state)| i64::try_from(state.last_at_ms).ok()).collect(),
            ),
        },
    ];
    for (at, name) in features::COLUMNS.iter().enumerate() {
        columns.push(feature(
            name,
            rows.iter().map(|row| row.get(at).map(|(_, value)| value)).collect(),
        ));
    }
    for name in attributes {
        let value = |row: &'_ Vec<(String, Value)>| row.iter().position(|(known, _)| known == name);
        let values = rows
            .iter()
            .map(|row| value(row).and_then(|at| row.get(at)).map(|(_, value)| value))
            .collect();
        columns.push(feature(name, values));
    }
    if meanings {
        let dims = sessions.iter().map(|(_, state)| state.meaning.len()).max().unwrap_or_default();
        for at in 0..dims {
            let cells = sessions
                .iter()
                .map(|(_, state)| state.meaning.get(at).map(|value| f64::from(*value)))
                .collect();
            columns.push(Column { name: format!("meaning_{at:03}"), cells: Cells::Number(cells) });
        }
    }
    let converted = |state: &State| state.converted().map(i64::from);
    // Of several currencies there is no one amount.
    let paid = |state: &State| match state.paid().as_slice() {
        [] => state.converted().map(|_| 0.0),
        [paid] => Some(paid.amount),
        _ => None,
    };
    let currency = |state: &State| {
        let names: Vec<String> = state.paid().into_iter().map(|paid| paid.currency).collect();
        (!names.is_empty()).then(|| names.join(" "))
    };
    columns.push(Column {
        name: "converted".into(),
        cells: Cells::Whole(sessions.iter().map(|(_, state)| converted(state)).collect()),
    });
    columns.push(Column {
        name: "amount".into(),
        cells: Cells::Number(sessions.iter().map(|(_, state)| paid(state)).collect()),
    });
    columns.push(Column {
        name: "currency".into(),
        cells: Cells::Text(sessions.iter().map(|(_, state)| currency(state)).collect()),
    });
    columns
}

/// A column of names if any value is one, else of numbers.
fn feature(name: &str, values: Vec<Option<&Value>>) -> Column {
    let named = values.iter().any(|value| matches!(value, Some(Value::Category(_))))
        || features::NAMED.contains(&name);
    let cells = if named {
        Cells::Text(
            values
                .into_iter()
                .map(|value| match value? {
                    Value::Category(name) => Some(name.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Missing => None,
                })
                .collect(),
        )
    } else {
        Cells::Number(
            values
                .into_iter()
                .map(|value| match value? {
                    Value::Number(number) => Some(f64::from(*number)),
                    Value::Category(_) | Value::Missing => None,
                })
                .collect(),
        )
    };
    Column { name: name.to_owned(), cells }
}

/// Writes CSV with a header; an empty cell is a missing value.
///
/// # Errors
/// When it can't be written.
pub fn write_csv(columns: &[Column], to: impl Write) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(columns.iter().map(|column| &column.name))?;
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        writer.write_record(columns.iter().map(|column| column.cells.text(row)))?;
    }
    writer.flush().context("writing CSV")
}

/// This build has no Parquet.
///
/// # Errors
/// Always; the text says what to do.
#[cfg(not(feature = "parquet"))]
pub fn write_parquet(_: &[Column], _: impl Write + Send) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `parquet`; write CSV instead")
}

/// Writes Parquet: every column optional, Snappy, one row group.
///
/// # Errors
/// When it can't be written.
#[cfg(feature = "parquet")]
pub fn write_parquet(columns: &[Column], to: impl Write + Send) -> anyhow::Result<()> {
    let field = |column: &Column| {
        let (physical, logical) = match column.cells {
            Cells::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Cells::Number(_) => (Physical::DOUBLE, None),
            Cells::Whole(_) => (Physical::INT64, None),
        };
        let field = Type::primitive_type_builder(&column.name, physical)
            .with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(field.with_logical_type(logical).build()?))
    };
    let fields = columns.iter().map(field).collect::<anyhow::Result<Vec<_>>>()?;
    let schema = Arc::new(Type::group_type_builder("frontdesk").with_fields(fields).build()?);
    let properties =
        Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut writer = SerializedFileWriter::new(to, schema, properties)?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut into) = group.next_column()? else { break };
        match &column.cells {
            Cells::Text(cells) => {
                let values: Vec<ByteArray> =
                    cells.iter().flatten().map(|text| text.as_str().into()).collect();
                into.typed::<ByteArrayType>().write_batch(&values, Some(&levels(cells)), None)?;
            }
            Cells::Number(cells) => {
                let values: Vec<f64> = cells.iter().flatten().copied().collect();
                into.typed::<DoubleType>().write_batch(&values, Some(&levels(cells)), None)?;
            }
            Cells::Whole(cells) => {
                let values: Vec<i64> = cells.iter().flatten().copied().collect();
                into.typed::<Int64Type>().write_batch(&values, Some(&levels(cells)), None)?;
            }
        }
        into.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// 1 where there is a value, 0 where there is none.
#[cfg(feature = "parquet")]
fn levels<T>(cells: &[Option<T>]) -> Vec<i16> {
    cells.iter().map(|cell| i16::from(cell.is_some())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Source;
    use crate::signals::Outcome;

    fn rows() -> Vec<Column> {
        let mut rows = SignalRows::default();
        let source = Source { utm_campaign: Some("spring, \"sale\"".into()), ..Source::default() };
        rows.push("shop", "s", 1, 1_000, &Signal::Source(source));
        let outcome =
            Outcome { order: "A1".into(), converted: true, amount: 9.5, ..Outcome::default() };
        rows.push("shop", "s", 4, 2_000, &Signal::Outcome(outcome));
        rows.into_columns()
    }

    #[test]
    fn csv_has_a_row_for_each_part() {
        let mut csv = Vec::new();
        write_csv(&rows(), &mut csv).unwrap();
        insta::assert_snapshot!(String::from_utf8(csv).unwrap(), @r#"
        site,session,seq,at_ms,signal,name,value,text
        shop,s,1,1000,source,utm_campaign,,"spring, ""sale"""
        shop,s,4,2000,outcome,order,,A1
        shop,s,4,2000,outcome,converted,1,
        shop,s,4,2000,outcome,amount,9.5,
        "#);
    }

    #[test]
    #[cfg(feature = "parquet")]
    fn parquet_reads_back_what_was_written() {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        use parquet::record::RowAccessor as _;
        let mut bytes = Vec::new();
        write_parquet(&rows(), &mut bytes).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[0].get_string(7).unwrap(), "spring, \"sale\"");
        assert_eq!((rows[3].get_long(3).unwrap(), rows[3].get_double(6).unwrap()), (2_000, 9.5));
        assert!(rows[0].get_double(6).is_err(), "missing");
    }

    #[test]
    fn features_have_their_labels_apart() {
        let mut state = State { meaning: vec![0.5], ..State::default() };
        state.attributes.insert("tier".into(), AttributeValue::Name("gold".into()));
        let columns =
            feature_columns("shop", &[("a".into(), state), ("b".into(), State::default())], true);
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), 3 + features::COLUMNS.len() + 1 + 1 + 3);
        assert_eq!(
            names[names.len() - 5..],
            ["attribute.tier", "meaning_000", "converted", "amount", "currency"]
        );
        assert!(columns.iter().all(|column| column.cells.len() == 2));
        assert_eq!(columns[columns.len() - 5].cells, Cells::Text(vec![Some("gold".into()), None]));
        assert_eq!(columns[columns.len() - 3].cells, Cells::Whole(vec![None, None]));
    }
}
