//! What is noticed about a model in use.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::intent::metrics::{Bin, Quality};

/// Something to read: in English, and as data for who says it in another language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice<T> {
    #[serde(flatten)]
    pub what: T,
    pub text: String,
}

impl<T: Display> From<T> for Notice<T> {
    fn from(what: T) -> Self {
        let text = what.to_string();
        Self { what, text }
    }
}

impl<T> Display for Notice<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What deserves a look in how a model does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// Columns whose population stability index is above the limit, how many there are, and those
    /// that are furthest off.
    Drifted {
        columns: usize,
        of: usize,
        above: f64,
        worst: Vec<(String, f64)>,
    },
    /// The expected calibration error is above the limit.
    Miscalibrated {
        ece: f64,
        above: f64,
    },
    Unlabelled {
        rows: usize,
    },
    /// Rows that the model may have learned from.
    NotLater {
        rows: usize,
        of: usize,
    },
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drifted { columns, of, above, worst } => {
                let worst: Vec<String> =
                    worst.iter().map(|(column, index)| format!("{column} {index:.2}")).collect();
                write!(
                    f,
                    "{columns} of {of} columns drifted since training (stability index above {above}), most of all {}",
                    worst.join(", ")
                )
            }
            Self::Miscalibrated { ece, above } => {
                write!(
                    f,
                    "the probabilities are off by {ece:.3} on average, more than {above}; train again"
                )
            }
            Self::Unlabelled { rows } => write!(f, "{rows} rows without a label were passed over"),
            Self::NotLater { rows, of } => write!(
                f,
                "{rows} of {of} rows are no later than what it learned from; if it learned from them, they flatter it"
            ),
        }
    }
}

/// How a deployed model does on conversations that it did not learn from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub at_ms: u64,
    pub version: u32,
    /// Conversations that began after the last one of training, and how many of them have a
    /// reported outcome.
    pub sessions: usize,
    pub outcomes: usize,
    /// On those with an outcome, at their end.
    pub quality: Option<Quality>,
    pub calibration: Vec<Bin>,
    /// Population stability index of each column against the training rows, largest first.
    pub drift: Vec<(String, f64)>,
    /// What deserves a look.
    pub warnings: Vec<Notice<Warning>>,
}
