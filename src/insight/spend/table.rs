//! Tables of spend: a plain `campaign,date,amount,currency`, and what advertising platforms export:
//! lines above the headings, headings in several languages, decimal commas, rows of totals. Pure.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use csv::StringRecord;

use super::Row;
use super::headings::{AMOUNT, CAMPAIGN, CURRENCY, DATE, FIRST_DAY, LAST_DAY, plain};
use crate::calendar;
use crate::retrieval::money;

/// Records above the headings that are looked through.
const MOST_ABOVE: usize = 40;
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A file of spend as text.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub text: String,
}

/// How the days of dates such as `3/4/2026` are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    DayFirst,
    MonthFirst,
}

/// What a table leaves open.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// ISO 4217, for tables that name none.
    pub currency: Option<String>,
    /// The sign that parts the cents, where no amount shows it.
    pub decimal: Option<char>,
    pub dates: Option<DateOrder>,
    /// A campaign's name at the platform → the `utm_campaign` of its links.
    pub renamed: BTreeMap<String, String>,
    /// Files with other columns are of other accounts: what they spent on one campaign is added up.
    pub add_up: bool,
}

/// What tables hold, with what is to be said about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Spend {
    /// By campaign and day; not empty, of one currency, not all 0.
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// A campaign, and the first and last day of what was spent.
type Span = (String, i64, i64);

/// What is wrong with a table of spend.
#[derive(Debug, thiserror::Error)]
pub enum SpendError {
    #[error(
        "{file}: no column {name:?}; a table of spend has campaign, date, amount, currency{hint}"
    )]
    Column { file: String, name: &'static str, hint: &'static str },
    #[error("{file}, line {line}: {text:?} is no {what}")]
    Cell { file: String, line: u64, what: &'static str, text: String },
    #[error(
        "{file}, line {line}: {text:?} can be read with the day or the month first; pass --dates day-first or month-first"
    )]
    Dates { file: String, line: u64, text: String },
    #[error(
        "{file}, line {line}: the sign in {text:?} can part thousands or cents; pass --decimal , or --decimal ."
    )]
    Decimal { file: String, line: u64, text: String },
    #[error(
        "{0} and {1} are mixed; sums of several currencies mean nothing. Give each its own file"
    )]
    Currencies(String, String),
    #[error(
        "{campaign}, {day}: {first} and {second} name other amounts in other columns. If both are the same \
         advertising account, give the newer file alone; if they are two, pass --add-up"
    )]
    Sources { campaign: String, day: String, first: String, second: String },
    #[error(
        "{campaign}: the rows from {first} and from {second} overlap; give rows by day, or one file alone"
    )]
    Overlap { campaign: String, first: String, second: String },
    #[error("the table holds no row")]
    Empty,
    #[error("every amount is 0: nothing was spent")]
    Nothing,
    #[error("{file}: {error}")]
    Csv { file: String, error: csv::Error },
}

/// Reads files of spend. A campaign's day counts once: a later file with the same columns replaces
/// what an earlier one says of it, so an export that is read twice, or that overlaps another, adds
/// nothing. Within a file, rows of a campaign's day are added up where a column of text tells them
/// apart (ad groups, devices); otherwise the last one holds.
///
/// # Errors
/// When a column is missing, a cell isn't what it should be or can be read in two ways, files
/// contradict each other, currencies are mixed, or nothing was spent.
pub fn read(files: &[File], options: &Options) -> Result<Spend, SpendError> {
    let mut notes = Vec::new();
    // What each span cost by the columns of the file that says so, and that file's place.
    let mut found: BTreeMap<(BTreeSet<String>, Span), (Row, usize)> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let Sheet { rows, columns } = sheet(file, options, &mut notes)?;
        for row in rows {
            found.insert((columns.clone(), (row.campaign.clone(), row.first, row.last)), (row, at));
        }
    }
    let mut rows: BTreeMap<Span, (Row, usize)> = BTreeMap::new();
    let mut by_columns: BTreeMap<BTreeSet<String>, Vec<Row>> = BTreeMap::new();
    for ((columns, span), (row, at)) in found {
        by_columns.entry(columns).or_default().push(row.clone());
        match rows.entry(span) {
            Entry::Vacant(place) => {
                place.insert((row, at));
            }
            Entry::Occupied(mut place) => {
                let (before, other) = place.get_mut();
                if before.currency != row.currency {
                    return Err(SpendError::Currencies(before.currency.clone(), row.currency));
                }
                if options.add_up {
                    before.amount += row.amount;
                } else if (before.amount - row.amount).abs() > 0.005 {
                    let [first, second] =
                        [at.min(*other), at.max(*other)].map(|at| files[at].name.clone());
                    let day = calendar::iso(row.first);
                    return Err(SpendError::Sources { campaign: row.campaign, day, first, second });
                }
            }
        }
    }
    let rows: Vec<Row> = rows.into_values().map(|(row, _)| row).collect();
    if options.add_up {
        by_columns.values().try_for_each(|rows| apart(rows))?;
    } else {
        apart(&rows)?;
    }
    let currencies: BTreeSet<&str> = rows.iter().map(|row| row.currency.as_str()).collect();
    let mut several = currencies.iter();
    match (several.next(), several.next()) {
        (None, _) => return Err(SpendError::Empty),
        (Some(a), Some(b)) => return Err(SpendError::Currencies((*a).to_owned(), (*b).to_owned())),
        _ => {}
    }
    if rows.iter().all(|row| row.amount <= 0.0) {
        return Err(SpendError::Nothing);
    }
    Ok(Spend { rows, notes })
}

/// Rows of a campaign that overlap would count days twice. The rows come by campaign and first day.
fn apart(rows: &[Row]) -> Result<(), SpendError> {
    let overlap = rows.array_windows().find(|[a, b]| a.campaign == b.campaign && b.first <= a.last);
    overlap.map_or(Ok(()), |[a, b]| {
        let (first, second) = (calendar::iso(a.first), calendar::iso(b.first));
        Err(SpendError::Overlap { campaign: a.campaign.clone(), first, second })
    })
}

/// One file: a row for each campaign and span of days.
struct Sheet {
    rows: Vec<Row>,
    /// Its headings.
    columns: BTreeSet<String>,
}

/// Where a table's columns stand.
#[derive(Debug)]
struct Columns {
    campaign: usize,
    first: usize,
    last: usize,
    amount: usize,
    currency: Option<usize>,
    /// The currency that the amount's heading names: `Amount spent (EUR)`.
    named: Option<String>,
}

impl Columns {
    /// The columns of a row of headings, or how many of three were found and the first that wasn't.
    fn of(headings: &StringRecord) -> Result<Self, (usize, &'static str)> {
        let headings: Vec<(String, &str)> =
            headings.iter().map(|cell| (plain(cell), cell)).collect();
        let place = |names: &[&str]| {
            names.iter().find_map(|name| headings.iter().position(|(heading, _)| heading == name))
        };
        let (campaign, day, amount) = (place(CAMPAIGN), place(DATE), place(AMOUNT));
        let first = day.or_else(|| place(FIRST_DAY));
        let known = [campaign, first, amount].iter().flatten().count();
        let or = |place: Option<usize>, name| place.ok_or((known, name));
        let (campaign, first, amount) =
            (or(campaign, "campaign")?, or(first, "date")?, or(amount, "amount")?);
        let last = if day.is_some() { first } else { place(LAST_DAY).unwrap_or(first) };
        let named = money::code_in(headings[amount].1);
        Ok(Self { campaign, first, last, amount, currency: place(CURRENCY), named })
    }

    fn has(&self, place: usize) -> bool {
        [self.campaign, self.first, self.last, self.amount].contains(&place)
            || self.currency == Some(place)
    }
}

/// A cell that says nothing: platforms write dashes where a figure has no meaning.
fn is_blank(cell: &str) -> bool {
    cell.chars().all(|char| char.is_whitespace() || "-–—".contains(char))
}

/// A record and the line that it begins in.
type Line = (u64, StringRecord);

fn lines(file: &File, delimiter: u8) -> Result<Vec<Line>, SpendError> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(file.text.as_bytes());
    let line = |record: StringRecord| (record.position().map_or(0, csv::Position::line), record);
    let records = reader.records().map(|record| record.map(line)).collect::<Result<_, _>>();
    records.map_err(|error| SpendError::Csv { file: file.name.clone(), error })
}

/// The records below the headings, with the headings.
fn below_headings(file: &File) -> Result<(Columns, StringRecord, Vec<Line>), SpendError> {
    let mut missing = (0, "campaign");
    for delimiter in DELIMITERS {
        let mut lines = lines(file, delimiter)?;
        for at in 0..lines.len().min(MOST_ABOVE) {
            match Columns::of(&lines[at].1) {
                Ok(columns) => {
                    let below = lines.split_off(at + 1);
                    return Ok((columns, lines.swap_remove(at).1, below));
                }
                Err(found) if found.0 > missing.0 => missing = found,
                Err(_) => {}
            }
        }
    }
    let hint = match missing.1 {
        "date" => "; in Google Ads add the segment Day, in Meta the breakdown by day",
        _ => ", or the headings of an advertising platform's export",
    };
    Err(SpendError::Column { file: file.name.clone(), name: missing.1, hint })
}

fn sheet(file: &File, options: &Options, notes: &mut Vec<String>) -> Result<Sheet, SpendError> {
    let (columns, headings, mut lines) = below_headings(file)?;
    let cell =
        |record: &StringRecord, place: usize| record.get(place).unwrap_or_default().to_owned();
    // Footers, headings again where files were put together, and days without a figure.
    lines.retain(|(_, record)| {
        let cells = record.iter().filter(|cell| !is_blank(cell)).count();
        cells > 1
            && *record != headings
            && !is_blank(record.get(columns.amount).unwrap_or_default())
    });
    // Totals stand in rows without a campaign or a day.
    let (lines, totals): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|(_, record)| {
        [columns.campaign, columns.first]
            .iter()
            .all(|place| !is_blank(record.get(*place).unwrap_or_default()))
    });
    if let Some((line, record)) = totals.first() {
        notes.push(format!(
            "{}: {} rows without a campaign or a day are taken for totals and left out, the first in line {line} ({})",
            file.name,
            totals.len(),
            cell(record, columns.amount)
        ));
    }
    let order = date_order(file, &lines, &columns, options)?;
    let amounts = lines.iter().map(|(_, record)| record.get(columns.amount).unwrap_or_default());
    let decimal = options.decimal.or_else(|| money::decimal_sign(amounts));
    let labels = labels(&headings, &lines, &columns);
    let mut parts: BTreeMap<(String, i64, i64, Vec<String>), Row> = BTreeMap::new();
    let mut replaced = 0;
    for (line, record) in &lines {
        let no = |what: &'static str, text: String| SpendError::Cell {
            file: file.name.clone(),
            line: *line,
            what,
            text,
        };
        let day = |place: usize| {
            let text = cell(record, place);
            Written::of(&text)
                .and_then(|day| day.number(order))
                .ok_or_else(|| no("date such as 2026-12-25", text))
        };
        let (first, last) = (day(columns.first)?, day(columns.last)?);
        if last < first {
            return Err(no("last day of a span", cell(record, columns.last)));
        }
        let text = cell(record, columns.amount);
        if decimal.is_none() && is_open(&text) {
            return Err(SpendError::Decimal { file: file.name.clone(), line: *line, text });
        }
        let paid = money::money(&text, decimal).filter(|paid| paid.per.is_none());
        let paid = paid.ok_or_else(|| no("amount", text.clone()))?;
        let amount = paid.amount.parse::<f64>().map_err(|_| no("amount", text))?;
        let said = columns.currency.map(|place| cell(record, place)).filter(|code| !is_blank(code));
        let currency = match said {
            Some(code) => Some(money::code(&code).unwrap_or_else(|| code.to_uppercase())),
            None => columns.named.clone().or_else(|| options.currency.clone()).or(paid.currency),
        };
        let hint = "; or pass --currency";
        let missing = || SpendError::Column { file: file.name.clone(), name: "currency", hint };
        let currency = currency.ok_or_else(missing)?;
        let name = cell(record, columns.campaign);
        let campaign = options.renamed.get(&name).cloned().unwrap_or(name.clone());
        // A renamed campaign is a part of the one that it joins.
        let part = labels.iter().map(|place| cell(record, *place)).chain([name]).collect();
        let row = Row { campaign: campaign.clone(), first, last, amount, currency };
        if let Some(before) = parts.insert((campaign, first, last, part), row.clone()) {
            replaced += usize::from(before != row);
        }
    }
    if replaced > 0 {
        notes.push(format!(
            "{}: {replaced} rows are replaced by later ones of the same campaign and day that differ in figures alone",
            file.name
        ));
    }
    let mut rows: BTreeMap<Span, Row> = BTreeMap::new();
    for ((campaign, first, last, _), row) in parts {
        match rows.entry((campaign, first, last)) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(place) if place.get().currency != row.currency => {
                return Err(SpendError::Currencies(place.get().currency.clone(), row.currency));
            }
            Entry::Occupied(mut place) => place.get_mut().amount += row.amount,
        }
    }
    Ok(Sheet { rows: rows.into_values().collect(), columns: headings.iter().map(plain).collect() })
}

/// Columns that tell parts of a campaign's day apart: those with words in them, and ids.
fn labels(headings: &StringRecord, lines: &[Line], columns: &Columns) -> Vec<usize> {
    let tells = |place: &usize| {
        let heading = headings.get(*place).unwrap_or_default();
        let is_id = plain(heading).split(' ').any(|word| word == "id");
        let has_words = || {
            let mut cells = lines.iter().filter_map(|(_, record)| record.get(*place));
            cells.any(|cell| {
                cell.chars().any(char::is_alphabetic) && money::money(cell, None).is_none()
            })
        };
        !columns.has(*place) && (is_id || has_words())
    };
    (0..headings.len()).filter(tells).collect()
}

/// Whether an amount's only sign can part thousands as well as cents: `1.234`.
fn is_open(text: &str) -> bool {
    let digits = text.trim_matches(|char: char| !char.is_ascii_digit());
    let Some((whole, cents)) = digits.split_once(['.', ',']) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    cents.len() == 3 && is_number(cents) && is_number(whole) && whole.len() <= 3 && whole != "0"
}

/// A date as it stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Date {
        year: i32,
        month: u32,
        day: u32,
    },
    /// `3/4/2026`: which of the two is the day isn't said.
    Open {
        year: i32,
        first: u32,
        second: u32,
    },
}

impl Written {
    fn of(text: &str) -> Option<Self> {
        // A time may stand behind it.
        let text = text.split(['T', ' ']).next()?;
        let is_sign = |char: char| "-/.年月日".contains(char);
        let numbers: Vec<&str> = text.split(is_sign).filter(|part| !part.is_empty()).collect();
        if let [whole] = numbers[..]
            && whole.len() == 8
            && whole.is_ascii()
        {
            let (year, month, day) =
                (whole[..4].parse().ok()?, whole[4..6].parse().ok()?, whole[6..].parse().ok()?);
            return Some(Self::Date { year, month, day });
        }
        let [a, b, c] = numbers[..] else { return None };
        let two = |text: &str| text.parse::<u32>().ok().filter(|_| text.len() <= 2);
        let year = |text: &str| text.parse::<i32>().ok().filter(|_| text.len() == 4);
        if let Some(year) = year(a) {
            return Some(Self::Date { year, month: two(b)?, day: two(c)? });
        }
        let (year, first, second) = (year(c)?, two(a)?, two(b)?);
        // With points the day stands first wherever dates are written so.
        match text.contains('.') {
            true => Some(Self::Date { year, month: second, day: first }),
            false => Some(Self::Open { year, first, second }),
        }
    }

    fn number(self, order: DateOrder) -> Option<i64> {
        match (self, order) {
            (Self::Date { year, month, day }, _)
            | (Self::Open { year, first: day, second: month }, DateOrder::DayFirst)
            | (Self::Open { year, first: month, second: day }, DateOrder::MonthFirst) => {
                calendar::number_of(year, month, day)
            }
        }
    }
}

/// How a file writes its dates: by the first one that can be read in one way only.
fn date_order(
    file: &File,
    lines: &[Line],
    columns: &Columns,
    options: &Options,
) -> Result<DateOrder, SpendError> {
    if let Some(order) = options.dates {
        return Ok(order);
    }
    let mut open = None;
    for (line, record) in lines {
        for place in [columns.first, columns.last] {
            let text = record.get(place).unwrap_or_default();
            match Written::of(text) {
                Some(Written::Open { first: 13.., .. }) => return Ok(DateOrder::DayFirst),
                Some(Written::Open { second: 13.., .. }) => return Ok(DateOrder::MonthFirst),
                Some(Written::Open { first, second, .. }) if first != second => {
                    open = open.or(Some((*line, text)))
                }
                _ => {}
            }
        }
    }
    match open {
        None => Ok(DateOrder::DayFirst),
        Some((line, text)) => {
            Err(SpendError::Dates { file: file.name.clone(), line, text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.into(), text: text.into() }
    }

    fn one(text: &str) -> Result<Spend, SpendError> {
        read(&[file("spend.csv", text)], &Options::default())
    }

    /// `campaign first..last amount currency`, a row a line.
    fn listed(spend: &Spend) -> String {
        let line = |row: &Row| {
            let days = calendar::iso(row.first)
                + &if row.last > row.first { calendar::iso(row.last) } else { String::new() };
            format!("{} {days} {} {}", row.campaign, row.amount, row.currency)
        };
        spend.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_day_counts_once_however_often_it_is_read() {
        let plain =
            "campaign,date,amount,currency\nsearch,2026-11-01,10,eur\nsearch,2026-11-02,12.5,EUR\n";
        let once = one(plain).unwrap();
        let files = [file("a.csv", plain), file("b.csv", plain)];
        assert_eq!(read(&files, &Options::default()).unwrap().rows, once.rows);
        // Twice in one file, headings and all.
        assert_eq!(one(&format!("{plain}{plain}")).unwrap(), once);
        // A later export corrects a day, with its columns in another order.
        let later = file("b.csv", "date,campaign,currency,amount\n2026-11-02,search,EUR,13\n");
        let corrected = read(&[file("a.csv", plain), later], &Options::default()).unwrap();
        assert_eq!(listed(&corrected), "search 2026-11-01 10 EUR\nsearch 2026-11-02 13 EUR");
    }

    #[test]
    fn exports_of_platforms_are_read_as_they_come() {
        let google = "Campaign report\n\"November 1, 2026 - November 2, 2026\"\n\
            Campaign status\tCampaign\tDay\tDevice\tCurrency code\tCost\tClicks\n\
            Enabled\tsearch\t2026-11-01\tMobile phones\tEUR\t1,041.50\t12\n\
            Enabled\tsearch\t2026-11-01\tComputers\tEUR\t8.00\t2\n\
            Enabled\tsocial\t2026-11-02\tComputers\tEUR\t 8.00\t2\n\
            Enabled\tsocial\t2026-11-03\tComputers\tEUR\t --\t0\n\
            Total: Account\t --\t --\t --\tEUR\t1,057.50\t16\n";
        let read_google = one(google).unwrap();
        assert_eq!(listed(&read_google), "search 2026-11-01 1049.5 EUR\nsocial 2026-11-02 8 EUR");
        assert!(
            read_google.notes[0].contains("1 rows without a campaign or a day"),
            "{:?}",
            read_google.notes
        );
        let meta = "\u{feff}Berichtsstart;Berichtsende;Kampagnenname;Ausgegebener Betrag (EUR)\n\
            2026-11-01;2026-11-30;;1.234,50\n2026-11-01;2026-11-30;sommer;1.234,50\n";
        assert_eq!(listed(&one(meta).unwrap()), "sommer 2026-11-012026-11-30 1234.5 EUR");
        let microsoft = "\"Report Name: Campaigns\"\n\"Report Time: 11/1/2026,11/30/2026\"\n\n\
            Gregorian date,Campaign name,Currency code,Spend\n11/2/2026,brand,USD,3.10\n11/14/2026,brand,USD,4\n\n\
            \"©2026 Microsoft Corporation. All rights reserved. \"\n";
        assert_eq!(
            listed(&one(microsoft).unwrap()),
            "brand 2026-11-02 3.1 USD\nbrand 2026-11-14 4 USD"
        );
        let chinese = "日期,广告系列,货币代码,费用\n2026年11月2日,搜索,CNY,\"¥1,234.50\"\n";
        assert_eq!(listed(&one(chinese).unwrap()), "搜索 2026-11-02 1234.5 CNY");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_asked_for() {
        let dates = "campaign,date,amount,currency\na,3/4/2026,3,EUR\n";
        assert!(
            one(dates)
                .unwrap_err()
                .to_string()
                .contains("line 2: \"3/4/2026\" can be read with the day")
        );
        let options = Options { dates: Some(DateOrder::MonthFirst), ..Options::default() };
        assert_eq!(listed(&read(&[file("a", dates)], &options).unwrap()), "a 2026-03-04 3 EUR");
        let amounts = "campaign,date,amount,currency\na,2026-04-03,1.234,EUR\n";
        assert!(one(amounts).unwrap_err().to_string().contains("can part thousands or cents"));
        let options = Options { decimal: Some(','), ..Options::default() };
        assert_eq!(
            listed(&read(&[file("a", amounts)], &options).unwrap()),
            "a 2026-04-03 1234 EUR"
        );
        // Another amount in the column tells.
        assert_eq!(
            listed(&one(&format!("{amounts}b,2026-04-03,\"7,50\",EUR\n")).unwrap()).lines().count(),
            2
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| one(text).unwrap_err().to_string();
        assert!(error("campaign,date,amount\na,2026-11-01,3\n").contains("no column \"currency\""));
        assert!(error("campaign,amount,currency\na,3,EUR\n").contains("no column \"date\"; "));
        assert!(error("campaign,amount,currency\na,3,EUR\n").contains("the segment Day"));
        let head = "campaign,date,amount,currency\n";
        assert_eq!(
            error(&format!("{head}a,2026-11-01,-3,EUR\n")),
            "spend.csv, line 2: \"-3\" is no amount"
        );
        assert!(
            error(&format!("{head}a,2026-02-30,3,EUR\n")).contains("\"2026-02-30\" is no date")
        );
        assert!(
            error(&format!("{head}a,2026-11-01,3,EUR\nb,2026-11-01,3,USD\n"))
                .starts_with("EUR and USD are mixed")
        );
        assert_eq!(
            error(&format!("{head}a,2026-11-01,0,EUR\n")),
            "every amount is 0: nothing was spent"
        );
        assert_eq!(error(head), "the table holds no row");
        assert!(error("").contains("no column \"campaign\""));
        let spans = "campaign,reporting starts,reporting ends,amount,currency\na,2026-11-01,2026-11-30,3,EUR\n\
            a,2026-11-05,2026-11-05,1,EUR\n";
        assert!(error(spans).contains("the rows from 2026-11-01 and from 2026-11-05 overlap"));
    }

    #[test]
    fn two_platforms_with_one_campaign_s_name_are_not_guessed_at() {
        let google =
            file("google.csv", "campaign,day,cost,currency code\nsummer,2026-11-01,3,EUR\n");
        let meta = file("meta.csv", "campaign name,day,amount spent (EUR)\nsummer,2026-11-01,5\n");
        let error =
            read(&[google.clone(), meta.clone()], &Options::default()).unwrap_err().to_string();
        assert!(
            error.starts_with("summer, 2026-11-01: google.csv and meta.csv name other amounts"),
            "{error}"
        );
        let options = Options { add_up: true, ..Options::default() };
        let both = read(&[google.clone(), meta.clone(), google, meta], &options).unwrap();
        assert_eq!(listed(&both), "summer 2026-11-01 8 EUR");
        // Names of a platform become those of the links, and may join.
        let renamed = ["A", "B"].map(|name| (name.to_owned(), "summer".to_owned()));
        let options = Options { renamed: BTreeMap::from(renamed), ..Options::default() };
        let text = "campaign,date,amount,currency\nA,2026-11-01,3,EUR\nB,2026-11-01,4,EUR\n";
        assert_eq!(listed(&read(&[file("a", text)], &options).unwrap()), "summer 2026-11-01 7 EUR");
    }
}
