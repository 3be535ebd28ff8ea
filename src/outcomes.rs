//! What came of conversations, as the site reports it: joined to the session by its id or by the
//! visitor's, counted once for each order, and kept in the session's own log, so that it is
//! forgotten with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::conversation::SessionKey;
use crate::insight::book::{Book, Entry};
use crate::signals::touched::Touched;
use crate::signals::{self, Outcome, Signal};
use crate::store::{Store, StoreError};

/// One report.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The site's own id of the order (or of the decision against one), 1 to 128 bytes. Reported
    /// again it changes nothing, or takes the place of what was reported before.
    pub order: String,
    /// The conversation; or
    #[serde(default)]
    pub session: Option<String>,
    /// the visitor: the `sub` of a signed token, or the id in an anonymous one. The visitor's last
    /// conversation before `at_ms` counts.
    #[serde(default)]
    pub visitor: Option<String>,
    pub converted: bool,
    #[serde(default)]
    pub amount: f64,
    #[serde(default)]
    pub currency: String,
    /// Ids of the products or variants bought.
    #[serde(default)]
    pub products: Vec<String>,
    /// Milliseconds since the epoch; now, if it is left out.
    #[serde(default)]
    pub at_ms: Option<u64>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    Noted,
    /// It was there already.
    Known,
}

/// Why a report wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    #[error("{0}")]
    Bad(String),
    #[error("no conversation {0:?} is known here; it may have been erased")]
    NoSession(String),
    #[error("the visitor {0:?} had no conversation here before then")]
    NoVisitor(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Products of one report, and bytes of one id.
const MAX_PRODUCTS: usize = 100;
const MAX_ID: usize = 128;
/// How far a signature's time may be from ours, in seconds.
const SIGNED_FOR_S: u64 = 300;

impl Report {
    fn check(&self) -> Result<(), OutcomeError> {
        let bad = |text: String| Err(OutcomeError::Bad(text));
        let fits = |id: &str| !id.is_empty() && id.len() <= MAX_ID;
        if !fits(&self.order) {
            return bad(format!(
                "`order` has 1 to {MAX_ID} bytes; it is what makes a report count once"
            ));
        }
        if self.session.is_none() == self.visitor.is_none() {
            return bad("name either the `session` or the `visitor`".into());
        }
        if !self.amount.is_finite() || self.amount < 0.0 {
            return bad(format!(
                "`amount` is {}; use a number from 0 on, and for a refund report the order again with what is left",
                self.amount
            ));
        }
        if self.currency.len() > 8 {
            return bad("`currency` is a code such as EUR".into());
        }
        if self.products.len() > MAX_PRODUCTS || !self.products.iter().all(|id| fits(id)) {
            return bad(format!(
                "`products` holds at most {MAX_PRODUCTS} ids of 1 to {MAX_ID} bytes"
            ));
        }
        Ok(())
    }
}

/// Takes reports, one at a time. Cheap to clone.
#[derive(Clone)]
pub struct Outcomes {
    store: Store,
    book: Book,
    touched: Touched,
    /// Two reports of one order at the same time must not both be new.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Outcomes {
    #[must_use]
    pub fn new(store: Store, book: Book, touched: Touched) -> Self {
        Self { store, book, touched, turn: Arc::default() }
    }

    /// Notes reports in their sessions; one result each, in their order. What is noted is on disk.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn take(
        &self,
        site: &str,
        reports: Vec<Report>,
        now_ms: u64,
    ) -> Result<Vec<Result<Taken, OutcomeError>>, StoreError> {
        let _turn = self.turn.lock().await;
        let entries = self.book.read(site).await?;
        let mut known = Known::default();
        for entry in &entries {
            known.sessions.insert(&entry.id);
            for (_, outcome) in &entry.state.outcomes {
                known.orders.insert(outcome.order.clone(), (entry.id.clone(), outcome.clone()));
            }
        }
        let mut results = Vec::with_capacity(reports.len());
        for report in reports {
            results.push(self.take_one(site, &entries, &mut known, report, now_ms).await);
        }
        Ok(results)
    }

    async fn take_one(
        &self,
        site: &str,
        entries: &[Arc<Entry>],
        known: &mut Known<'_>,
        report: Report,
        now_ms: u64,
    ) -> Result<Taken, OutcomeError> {
        report.check()?;
        let at_ms = report.at_ms.unwrap_or(now_ms).min(now_ms);
        let outcome = Outcome {
            order: report.order,
            converted: report.converted,
            amount: report.amount,
            currency: report.currency,
            products: report.products,
        };
        // An order stays where it was first reported.
        let id = match (known.orders.get(&outcome.order), report.session, report.visitor) {
            (Some((_, before)), ..) if *before == outcome => return Ok(Taken::Known),
            (Some((id, _)), ..) => id.clone(),
            (None, Some(session), _) if known.sessions.contains(session.as_str()) => session,
            (None, Some(session), _) => return Err(OutcomeError::NoSession(session)),
            (None, None, visitor) => {
                let visitor = visitor.unwrap_or_default();
                let is = |entry: &&Arc<Entry>| {
                    let id = &entry.state.visitor;
                    (*id == visitor || id.strip_prefix("jwt:") == Some(&visitor))
                        && entry.state.started_at_ms <= at_ms
                };
                entries.iter().rev().find(is).ok_or(OutcomeError::NoVisitor(visitor))?.id.clone()
            }
        };
        let key = SessionKey { site: site.to_owned(), id };
        let seq = self.store.session(site, &key.id).await?.map_or(0, |info| info.last_seq);
        signals::append(&self.store, &key, seq, at_ms, &[Signal::Outcome(outcome.clone())]).await?;
        self.touched.touch(&key);
        known.orders.insert(outcome.order.clone(), (key.id, outcome));
        Ok(Taken::Noted)
    }
}

/// What reports are compared with.
#[derive(Default)]
struct Known<'a> {
    sessions: HashSet<&'a str>,
    /// By order: its session, and what was reported last.
    orders: HashMap<String, (String, Outcome)>,
}

/// Checks `t=<unix seconds>,v1=<hex>` over `<t>.<body>` with HMAC-SHA-256, in constant time. A
/// signature is good for five minutes.
///
/// # Errors
/// Why it isn't good, for the site's developer.
pub fn verify(secret: &str, header: &str, body: &[u8], now_ms: u64) -> Result<(), &'static str> {
    let part = |name: &str| {
        header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let (Some(t), Some(v1)) = (part("t"), part("v1")) else {
        return Err(
            "the signature has the form t=<unix seconds>,v1=<hex of HMAC-SHA-256 over \"<t>.<body>\">",
        );
    };
    let signature: Option<Vec<u8>> =
        (0..v1.len()).step_by(2).map(|i| u8::from_str_radix(v1.get(i..i + 2)?, 16).ok()).collect();
    let signature = signature.ok_or("v1 is no hexadecimal")?;
    let mut mac = mac(secret, t);
    mac.update(body);
    mac.verify_slice(&signature)
        .map_err(|_| "the signature doesn't fit the body and the site's outcomes_secret")?;
    let at: u64 = t.parse().map_err(|_| "t is no number of seconds")?;
    if at.abs_diff(now_ms / 1000) > SIGNED_FOR_S {
        Err("the signature is older than five minutes")
    } else {
        Ok(())
    }
}

/// The signature of a body at a time, for tests and clients in Rust.
#[must_use]
pub fn sign(secret: &str, body: &[u8], unix_s: u64) -> String {
    let t = unix_s.to_string();
    let mut mac = mac(secret, &t);
    mac.update(body);
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={t},v1={hex}")
}

fn mac(secret: &str, t: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(secret.as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(t.as_bytes());
    mac.update(b".");
    mac
}

/// Reports from CSV with a header: `order`, `session` or `visitor`, `converted`, and optionally
/// `amount`, `currency`, `products` (separated by spaces or semicolons) and `at_ms`. Each with the
/// row it stands in.
///
/// # Errors
/// When it is no CSV or lacks a column.
pub fn from_csv(file: impl std::io::Read) -> anyhow::Result<Vec<(usize, Result<Report, String>)>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header: Vec<String> = reader.headers()?.iter().map(str::to_lowercase).collect();
    for needed in ["order", "converted"] {
        anyhow::ensure!(
            header.iter().any(|name| name == needed),
            "there is no column `{needed}`; it has {}",
            header.join(", ")
        );
    }
    anyhow::ensure!(
        header.iter().any(|name| name == "session" || name == "visitor"),
        "there is neither a column `session` nor `visitor`; it has {}",
        header.join(", ")
    );
    let mut reports = Vec::new();
    for (i, row) in reader.records().enumerate() {
        let row = row?;
        let get = |name: &str| {
            let at = header.iter().position(|known| known == name)?;
            row.get(at).filter(|text| !text.is_empty())
        };
        let number = |name: &str| {
            get(name)
                .map(|text| text.parse::<f64>().map_err(|_| format!("{name} is {text:?}")))
                .transpose()
        };
        let report = (|| {
            let converted = match get("converted").unwrap_or_default().to_lowercase().as_str() {
                "1" | "true" | "yes" => true,
                "0" | "false" | "no" => false,
                other => {
                    return Err(format!(
                        "converted is {other:?}; use 1 or 0, true or false, yes or no"
                    ));
                }
            };
            let at_ms = get("at_ms")
                .map(|text| text.parse().map_err(|_| format!("at_ms is {text:?}")))
                .transpose()?;
            Ok(Report {
                order: get("order").unwrap_or_default().to_owned(),
                session: get("session").map(str::to_owned),
                visitor: get("visitor").filter(|_| get("session").is_none()).map(str::to_owned),
                converted,
                amount: number("amount")?.unwrap_or(0.0),
                currency: get("currency").unwrap_or_default().to_owned(),
                products: get("products")
                    .unwrap_or_default()
                    .split([' ', ';'])
                    .filter(|id| !id.is_empty())
                    .map(str::to_owned)
                    .collect(),
                at_ms,
            })
        })();
        reports.push((i + 2, report));
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::silence::{Reported, silent};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_signature_is_good_for_its_body_and_five_minutes() {
        let header = sign(SECRET, b"{}", 1_000);
        assert_eq!(verify(SECRET, &header, b"{}", 1_000_000), Ok(()));
        for (secret, header, body, now_ms) in [
            (SECRET, header.as_str(), &b"{ }"[..], 1_000_000),
            ("another secret of thirty-two bytes", &header, b"{}", 1_000_000),
            (SECRET, &header, b"{}", 2_000_000),
            (SECRET, "t=1000,v1=", b"{}", 1_000_000),
            (SECRET, "t=1000,v1=zz", b"{}", 1_000_000),
            (SECRET, "t=1000,v1=é0", b"{}", 1_000_000),
            (SECRET, "", b"{}", 1_000_000),
        ] {
            assert!(verify(secret, header, body, now_ms).is_err(), "{header}");
        }
    }

    #[test]
    fn silence_tells_something_once_there_are_reports() {
        const DAY: u64 = 86_400_000;
        let told = |channel, day: u64, reported| Reported {
            channel,
            started_at_ms: day * DAY,
            last_at_ms: day * DAY + 1,
            reported,
        };
        let all = [
            told(None, 1, false),
            told(None, 5, true),
            told(None, 6, false),
            told(None, 90, false),
            told(Some("calls"), 6, false),
            told(Some("mails"), 6, true),
            told(Some("mails"), 7, false),
        ];
        // Before the first report, too young, and of recordings that nobody reports for: unknown.
        assert_eq!(silent(&all, 14, 100 * DAY), [false, false, true, false, false, false, true]);
        assert_eq!(silent(&all, 14, 20 * DAY), [false; 7], "a millisecond short of fourteen days");
        assert_eq!(silent(&all, 0, 100 * DAY), [false; 7]);
        assert_eq!(silent(&all[3..5], 14, 300 * DAY), [false; 2], "nothing was ever reported");
    }

    #[test]
    fn rows_are_reports_or_say_what_is_wrong() {
        let csv = "order,session,visitor,converted,amount,products\nA1,s1,,yes,9.5,p1;p2\nA2,,v,0,,\nA3,s,,maybe,,\nA4,s,,1,much,\n";
        let reports = from_csv(csv.as_bytes()).unwrap();
        let first = reports[0].1.as_ref().unwrap();
        assert_eq!(
            (first.amount, first.products.len(), first.session.as_deref()),
            (9.5, 2, Some("s1"))
        );
        assert_eq!(reports[1].1.as_ref().unwrap().visitor.as_deref(), Some("v"));
        assert!(reports[2].1.as_ref().unwrap_err().contains("maybe"));
        assert_eq!(
            (reports[3].0, reports[3].1.as_ref().unwrap_err().as_str()),
            (5, "amount is \"much\"")
        );
        assert!(
            from_csv("a,b\n".as_bytes()).unwrap_err().to_string().contains("no column `order`")
        );
    }
}
