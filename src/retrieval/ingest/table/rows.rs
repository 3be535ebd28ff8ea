//! The rows of a table → what they say, and what they sell.

use std::collections::{HashMap, HashSet};

use super::cells::{self, Class};
use super::kinds::{Column, Columns};
use super::{Context, LeftOut, Line, Reading, Table, Understood, UnderstoodColumn, sections};
use crate::retrieval::columns::{self, Kind, Tax, Telling, Word};
use crate::retrieval::money::{self, Money};

/// A row that says something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::retrieval::ingest) struct Row {
    pub(in crate::retrieval::ingest) line: usize,
    /// What names its document.
    pub(in crate::retrieval::ingest) key: Option<String>,
    pub(in crate::retrieval::ingest) headings: Vec<String>,
    pub(in crate::retrieval::ingest) title: Option<String>,
    /// Labels and values that may be told.
    pub(in crate::retrieval::ingest) fields: Vec<(String, String)>,
    /// A description too long for a row.
    pub(in crate::retrieval::ingest) prose: Option<String>,
    pub(in crate::retrieval::ingest) question_and_answer: Option<(String, String)>,
    /// What the row says about itself: `url`, `language`, `audience`, `valid_until`.
    pub(in crate::retrieval::ingest) meta: Vec<(&'static str, String)>,
    pub(in crate::retrieval::ingest) offer: Option<Offer>,
    /// When it holds, in milliseconds, where a price holds for a while.
    pub(in crate::retrieval::ingest) valid_from_ms: Option<u64>,
    pub(in crate::retrieval::ingest) valid_until_ms: Option<u64>,
    pub(in crate::retrieval::ingest) warnings: Vec<String>,
}

/// What a row sells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::retrieval::ingest) struct Offer {
    pub(in crate::retrieval::ingest) id: String,
    pub(in crate::retrieval::ingest) name: String,
    pub(in crate::retrieval::ingest) variant: Option<String>,
    pub(in crate::retrieval::ingest) price: Option<String>,
    /// What it cost before a reduction.
    pub(in crate::retrieval::ingest) before: Option<String>,
    pub(in crate::retrieval::ingest) currency: Option<String>,
    pub(in crate::retrieval::ingest) per: Option<String>,
    pub(in crate::retrieval::ingest) tax: Option<Tax>,
    pub(in crate::retrieval::ingest) stock: Option<u64>,
    pub(in crate::retrieval::ingest) available: Option<bool>,
    pub(in crate::retrieval::ingest) backorder: bool,
    pub(in crate::retrieval::ingest) category: Option<String>,
    pub(in crate::retrieval::ingest) url: Option<String>,
    pub(in crate::retrieval::ingest) image: Option<String>,
}

/// A longer description is a text of its own.
const MAX_INLINE: usize = 400;
/// Prices of other variants that are told with one's own, at most.
const MAX_OTHERS: usize = 8;
/// Values that are told of a cell, in bytes.
const MAX_NAME: usize = 300;

/// Why a row isn't taken in.
enum Out {
    /// It is broken.
    Bad(String),
    /// It isn't meant to be told.
    Left(String),
}

/// Hands the rows of `table` to `take`, and says in `reading` what else there is.
pub(super) fn read(
    table: &Table,
    columns: Columns,
    context: &Context<'_>,
    reading: &mut Reading,
    take: &mut dyn FnMut(Row),
) {
    let reader = Reader::new(table, columns, context);
    let mut understood = Understood {
        sheet: table.sheet.clone(),
        header: table.header.clone(),
        rows: table.rows.len(),
        columns: reader.columns.all.iter().map(understood).collect(),
        ..Understood::default()
    };
    understood.columns.retain(|column| !(column.name.is_empty() && column.why == "it is empty"));
    let mut left: Vec<LeftOut> = Vec::new();
    let mut note =
        |line: usize, reason: String| match left.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.rows += 1,
            None => left.push(LeftOut { reason, rows: 1, line }),
        };
    for at in 0..table.rows.len() {
        match reader.row(at) {
            Ok(rows) => {
                understood.products += rows.iter().filter(|row| row.offer.is_some()).count().min(1);
                rows.into_iter().for_each(&mut *take);
            }
            Err(Out::Bad(reason)) => {
                note(table.rows[at].line, reason.clone());
                reading.bad.push((table.rows[at].line, reason));
            }
            Err(Out::Left(reason)) => note(table.rows[at].line, reason),
        }
    }
    understood.left_out = left;
    reading.understood.push(understood);
}

fn understood(column: &Column) -> UnderstoodColumn {
    let Column { name, kind, telling, why, .. } = column;
    UnderstoodColumn { name: name.clone(), kind: *kind, telling: *telling, why: why.clone() }
}

/// What a shop platform's row is, where a column says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Product,
    /// It is sold as one of the product above it, or of its parent.
    Variant,
    /// What can be chosen with a product, for a price that isn't the row's.
    Choice,
    Picture,
}

/// Whether a sale price is the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sale {
    Holds,
    Not,
}

struct Reader<'a> {
    table: &'a Table,
    columns: Columns,
    context: &'a Context<'a>,
    key: Option<usize>,
    /// The column after the last one that has a name.
    named: usize,
    /// Cells right of the named columns are a column of their own.
    beyond: bool,
    /// Most rows leave cells out at their end.
    ragged: bool,
    /// Rows with a name, by what their variants share.
    parents: HashMap<String, usize>,
    /// Options of a product's variants as its own row lists them, by the variants' numbers.
    listed: HashMap<String, (usize, Vec<(String, String)>)>,
    has_children: HashSet<usize>,
    /// Where a name stands that the rows below leave out.
    above: Vec<Option<usize>>,
    /// The column that says what a row is of: its name, else its first text.
    subject: Option<usize>,
    sections: Sections,
}

/// What sections within the table do to the names of their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sections {
    /// They stand above their rows, as headings do.
    Head,
    /// Other rows stand in none: what is in one is of another sort.
    Part,
    /// A name comes in several: only with its section it says what it means.
    Tell,
}

impl<'a> Reader<'a> {
    fn new(table: &'a Table, columns: Columns, context: &'a Context<'a>) -> Self {
        let last = table.labels.iter().rposition(|label| !label.is_empty()).map_or(0, |at| at + 1);
        let named = if table.header.is_empty() { usize::MAX } else { last };
        let right = table
            .rows
            .iter()
            .filter(|row| row.cells.iter().skip(named).any(|cell| !cell.is_empty()))
            .count();
        let short = table.rows.iter().filter(|row| row.cells.len() < last).count();
        let mut reader = Self {
            table,
            key: key(&columns),
            columns,
            context,
            named,
            beyond: right * 2 > table.rows.len(),
            ragged: short * 2 > table.rows.len(),
            parents: HashMap::new(),
            listed: HashMap::new(),
            has_children: HashSet::new(),
            above: Vec::with_capacity(table.rows.len()),
            subject: None,
            sections: Sections::Head,
        };
        reader.relate();
        reader.subject = reader.columns.of(Kind::Name).or_else(|| {
            let text = |at: &usize| {
                let of = &reader.columns.all[*at];
                of.telling == Telling::Told
                    && !matches!(
                        of.kind,
                        Some(Kind::Number | Kind::Price | Kind::Sale | Kind::Before | Kind::Stock)
                    )
            };
            (0..reader.columns.all.len()).find(text)
        });
        reader.sections = reader.sections();
        reader
    }

    fn sections(&self) -> Sections {
        let rows = &self.table.rows;
        if self.is_pair() || rows.iter().all(|row| row.section.is_none()) {
            return Sections::Head;
        }
        let mut known: HashMap<&str, Option<&str>> = HashMap::new();
        let mut several = false;
        for (at, row) in rows.iter().enumerate() {
            let Some(name) =
                self.subject.map(|subject| self.cell(at, subject)).filter(|name| !name.is_empty())
            else {
                continue;
            };
            let section = row.section.as_ref().map(|section| section.name.as_str());
            several |= *known.entry(name).or_insert(section) != section;
        }
        if several {
            Sections::Tell
        } else if rows.iter().any(|row| row.section.is_none()) {
            Sections::Part
        } else {
            Sections::Head
        }
    }

    /// What a row is called: by its name, and the section that tells it from others of that name.
    fn called(&self, at: usize, name: &str) -> String {
        let section = self.table.rows[at].section.as_ref().filter(|section| match self.sections {
            Sections::Head => false,
            Sections::Part => section.marked,
            Sections::Tell => true,
        });
        match section {
            Some(section) => format!("{} ({})", one_line(name), clipped(&section.name)),
            None => one_line(name),
        }
    }

    fn cell(&self, at: usize, column: usize) -> &'a str {
        self.table
            .rows
            .get(at)
            .and_then(|row: &Line| row.cells.get(column))
            .map_or("", |cell| cell.trim())
    }

    /// The cell of the best column of a kind.
    fn of(&self, at: usize, kind: Kind) -> Option<&'a str> {
        self.columns.of(kind).map(|column| self.cell(at, column)).filter(|cell| !cell.is_empty())
    }

    /// The first filled cell of a kind's columns, best first.
    fn first(&self, at: usize, kind: Kind) -> Option<&'a str> {
        let mut columns: Vec<usize> = self.columns.every(kind).collect();
        columns.sort_by_key(|column| self.columns.all[*column].rank);
        columns.into_iter().map(|column| self.cell(at, column)).find(|cell| !cell.is_empty())
    }

    fn sort(&self, at: usize) -> Option<Sort> {
        let word = columns::folded(self.of(at, Kind::RowType)?);
        Some(match word.as_str() {
            "variant" | "variation" | "product variation" | "sku" => Sort::Variant,
            "product option" | "option" | "modifier" => Sort::Choice,
            "image" => Sort::Picture,
            _ => Sort::Product,
        })
    }

    /// Whether a row says which one of several it is.
    fn varies(&self, at: usize) -> bool {
        self.columns.all.iter().enumerate().any(|(column, of)| {
            matches!(of.kind, Some(Kind::OptionValue(_) | Kind::Option | Kind::Variant))
                && !self.cell(at, column).is_empty()
        })
    }

    /// Finds out which rows are variants of which.
    fn relate(&mut self) {
        let name = self.columns.of(Kind::Name);
        let numbers: Vec<usize> = self.columns.every(Kind::Number).collect();
        let by_parent = self.columns.of(Kind::Parent).is_some();
        let listed = self
            .columns
            .all
            .iter()
            .position(|column| columns::folded(&column.name) == "configurable variations");
        let mut last = None;
        for at in 0..self.table.rows.len() {
            let named = name.is_some_and(|name| !self.cell(at, name).is_empty());
            if named {
                last = Some(at);
                if let Some(handle) = self.of(at, Kind::Handle) {
                    self.parents.entry(handle.to_owned()).or_insert(at);
                }
                for number in numbers.iter().filter(|_| by_parent) {
                    let value = self.cell(at, *number);
                    if !value.is_empty() {
                        self.parents.entry(value.to_owned()).or_insert(at);
                        self.parents.entry(format!("id:{value}")).or_insert(at);
                    }
                }
            }
            if let Some(list) =
                listed.map(|column| self.cell(at, column)).filter(|list| list.contains("sku="))
            {
                for (sku, options) in variations(list) {
                    self.listed.insert(sku, (at, options));
                }
                self.has_children.insert(at);
            }
            // Without a number of its own it belongs to the name above it; with one, if it says
            // which one of several it is, as the row above does.
            let own = numbers.iter().any(|number| !self.cell(at, *number).is_empty());
            let variant = matches!(self.sort(at), Some(Sort::Variant | Sort::Choice));
            let above = last.filter(|above| {
                let alike = || self.varies(at) && self.varies(*above);
                !named
                    && name.is_some()
                    && (variant || self.of(at, Kind::Handle).is_none() && (!own || alike()))
            });
            self.above.push(above);
            if self.sort(at) == Some(Sort::Variant)
                && let Some(parent) = self.parent(at)
            {
                self.has_children.insert(parent);
            }
        }
        if by_parent {
            for at in 0..self.table.rows.len() {
                if let Some(parent) =
                    self.of(at, Kind::Parent).and_then(|parent| self.parents.get(parent))
                    && *parent != at
                {
                    self.has_children.insert(*parent);
                }
            }
        }
    }

    /// The row that says what this one leaves out.
    fn parent(&self, at: usize) -> Option<usize> {
        let by_parent =
            self.of(at, Kind::Parent).and_then(|parent| self.parents.get(parent)).copied();
        let by_list = || {
            self.columns
                .every(Kind::Number)
                .find_map(|number| self.listed.get(self.cell(at, number)))
                .map(|(at, _)| *at)
        };
        let by_handle = || {
            let nameless = self.of(at, Kind::Name).is_none();
            self.of(at, Kind::Handle)
                .filter(|_| nameless)
                .and_then(|handle| self.parents.get(handle))
                .copied()
        };
        by_parent
            .or_else(by_list)
            .or_else(by_handle)
            .or(self.above[at])
            .filter(|parent| *parent != at)
    }

    /// What a row says; several times where prices hold for a while or are several variants'.
    fn row(&self, at: usize) -> Result<Vec<Row>, Out> {
        let line = &self.table.rows[at];
        self.whole(line)?;
        let next = self.table.rows.get(at + 1);
        let ends =
            next.is_none_or(|next| next.section != line.section || next.line > line.line + 1);
        if ends && at > 0 && sections::is_total(line) {
            return Err(Out::Left("it sums up the rows above it".to_owned()));
        }
        if self.columns.of(Kind::Impact).is_some() && self.columns.of(Kind::Name).is_none() {
            let reason =
                "it says what a variant costs more than its product, which is in another file";
            return Err(Out::Left(reason.to_owned()));
        }
        let parent = self.parent(at);
        self.for_sale(at, parent)?;
        if self.sort(at) == Some(Sort::Picture) {
            return Err(Out::Left("it holds nothing to tell: a picture, say".to_owned()));
        }
        let prices: Vec<Option<usize>> = if self.columns.priced_variants.is_empty() {
            vec![None]
        } else {
            let filled = self
                .columns
                .priced_variants
                .iter()
                .filter(|column| !self.cell(at, **column).is_empty());
            let filled: Vec<Option<usize>> = filled.map(|column| Some(*column)).collect();
            if filled.is_empty() { vec![None] } else { filled }
        };
        let mut rows = Vec::new();
        for price in prices {
            let of = parent.filter(|_| self.inherits_price(at, parent)).unwrap_or(at);
            for (sale, from, until) in self.sales(of) {
                let mut row = self.say(at, parent, price, sale);
                (row.valid_from_ms, row.valid_until_ms) = (from, until);
                rows.push(row);
            }
        }
        let silent = rows.iter().all(|row| {
            row.fields.is_empty() && row.prose.is_none() && row.question_and_answer.is_none()
        });
        if silent {
            return Err(Out::Left("it holds nothing to tell: a picture, say".to_owned()));
        }
        Ok(rows)
    }

    /// A variant without a price of its own costs what its product costs.
    fn inherits_price(&self, at: usize, parent: Option<usize>) -> bool {
        let prices = [Kind::Price, Kind::Sale];
        let own = || prices.into_iter().any(|kind| self.first(at, kind).is_some());
        let variant = || match self.sort(at) {
            Some(sort) => sort == Sort::Variant,
            None => self.of(at, Kind::Parent).is_some(),
        };
        parent.is_some() && variant() && !own() && self.columns.of(Kind::Impact).is_none()
    }

    /// A row with fewer or more cells than the header has names is broken.
    fn whole(&self, line: &Line) -> Result<(), Out> {
        if self.table.header.is_empty() {
            return Ok(());
        }
        let right = line.cells.iter().skip(self.named).any(|cell| !cell.is_empty());
        let found = line.cells.len();
        // Where the header has empty cells of its own, or cells stand by themselves, one more is a
        // remark.
        if right && !self.beyond && self.context.separated && found > self.table.width {
            return Err(Out::Bad(format!(
                "it has {found} fields, but the header names {}; is a quote missing?",
                self.named
            )));
        }
        if self.context.separated && found < self.named && !self.ragged {
            return Err(Out::Bad(format!(
                "it has {found} fields, but the header names {}; is a quote missing?",
                self.named
            )));
        }
        Ok(())
    }

    /// What isn't offered is left out.
    fn for_sale(&self, at: usize, parent: Option<usize>) -> Result<(), Out> {
        for kind in [Kind::Status, Kind::Published, Kind::Visibility, Kind::Withdrawn] {
            for column in self.columns.every(kind) {
                let own = self.cell(at, column);
                let value = match parent {
                    Some(parent) if own.is_empty() => self.cell(parent, column),
                    // A variant that is sold with its product isn't shown by itself.
                    Some(parent) if kind == Kind::Visibility => self.cell(parent, column),
                    _ => own,
                };
                // Magento's `product_online` says 2 for no; WooCommerce's 2 isn't one.
                let magento = columns::folded(&self.columns.all[column].name) == "product online"
                    && value == "2";
                if columns::is_unsold(kind, value) || magento {
                    let name = &self.columns.all[column].name;
                    return Err(Out::Left(format!("it isn't for sale ({name}: {value})")));
                }
            }
        }
        Ok(())
    }

    /// When a sale price is the price: always, never, or from and until its dates.
    fn sales(&self, at: usize) -> Vec<(Sale, Option<u64>, Option<u64>)> {
        let off = self.first(at, Kind::OnSale).is_some_and(|value| columns::says(Word::No, value));
        if off || self.first(at, Kind::Sale).is_none() {
            return vec![(Sale::Not, None, None)];
        }
        // Magento's exports write dates as Americans do.
        let american = self.columns.of(Kind::SaleFrom).or_else(|| self.columns.of(Kind::SaleUntil));
        let american = american.is_some_and(|column| {
            columns::folded(&self.columns.all[column].name).starts_with("special price")
        });
        let moment = |text: &str, end: bool| {
            let text = zone_with_colon(text);
            let read = (self.context.moment)(&text, end);
            read.or_else(|| {
                (self.context.moment)(&cells::from_american(&text).filter(|_| american)?, end)
            })
        };
        let (from, until) = match self
            .of(at, Kind::SalePeriod)
            .map(|period| period.split_once('/').unwrap_or((period, "")))
        {
            Some(period) => (Some(period.0), Some(period.1)),
            None => (self.of(at, Kind::SaleFrom), self.of(at, Kind::SaleUntil)),
        };
        let (from_ms, until_ms) =
            (from.map(|from| moment(from, false)), until.map(|until| moment(until, true)));
        match (from_ms, until_ms) {
            (None, None) => vec![(Sale::Holds, None, None)],
            // Dates that aren't understood: the price that always holds.
            (Some(None), _) | (_, Some(None)) => vec![(Sale::Not, None, None)],
            (from, until) => {
                let (from, until) = (from.flatten(), until.flatten());
                let mut all = vec![(Sale::Holds, from, until)];
                if let Some(from) = from.filter(|from| *from > 0) {
                    all.insert(0, (Sale::Not, None, Some(from - 1)));
                }
                if let Some(until) = until {
                    all.push((Sale::Not, Some(until + 1), None));
                }
                all
            }
        }
    }

    fn say(
        &self,
        at: usize,
        parent: Option<usize>,
        variant_price: Option<usize>,
        sale: Sale,
    ) -> Row {
        let line = &self.table.rows[at];
        let mut row = Row { line: line.line, ..Row::default() };
        row.headings.extend(line.section.as_ref().map(|section| clipped(&section.name)));
        row.key = self.key.map(|key| self.cell(at, key)).filter(|key| !key.is_empty()).map(clipped);
        let inherited = |kind: Kind| {
            self.of(at, kind).or_else(|| parent.and_then(|parent| self.of(parent, kind)))
        };
        let own_name = self.of(at, Kind::Name);
        let of_parent = |kind: Kind| parent.and_then(|parent| self.of(parent, kind));
        // "Tee - Red" of "Tee" is called as its product; what tells it apart is its option.
        let options = self.options(at, parent, variant_price);
        let variant = inherited_variant(self.of(at, Kind::Variant), &options).or_else(|| {
            // Its number is all that tells it from the others.
            let nameless = own_name.is_none()
                && parent.is_some_and(|parent| self.has_children.contains(&parent));
            self.first(at, Kind::Number).filter(|_| nameless).map(clipped)
        });
        let name = match (of_parent(Kind::Name), own_name) {
            (Some(of_parent), Some(own)) if variant.is_none() => {
                Some((at, own)).or(Some((at, of_parent)))
            }
            (Some(of_parent), _) => Some((parent.unwrap_or(at), of_parent)),
            (None, own) => own.map(|own| (at, own)),
        };
        let name = name.map(|(at, name)| self.called(at, name));
        row.title = name.as_deref().map(clipped);
        let priced = parent.filter(|_| self.inherits_price(at, parent)).unwrap_or(at);
        let mut money = self.money(priced, variant_price, sale, &mut row.warnings);
        if self.has_children.contains(&at) || self.sort(at) == Some(Sort::Choice) {
            money = Priced::default();
        }
        let (stock, available, backorder) = match self.sort(at) {
            Some(Sort::Choice) => (None, None, false),
            _ => self.stock(at, &mut row.warnings),
        };
        self.tell(at, parent, &options, variant_price, sale, (&money, stock, available), &mut row);
        if row.fields.is_empty() && row.prose.is_none() && row.question_and_answer.is_none() {
            return row;
        }
        // The name of its product leads what a variant says.
        if let (Some(name), None) = (name, own_name)
            && let Some(column) = self.columns.of(Kind::Name)
        {
            row.fields.insert(0, (self.columns.all[column].label.clone(), name));
        }
        let address = |text: &str| {
            let first = text.split([',', ' ', '|']).next()?;
            ["https://", "http://", "/"]
                .iter()
                .any(|start| first.starts_with(start))
                .then(|| first.to_owned())
        };
        let url = inherited(Kind::Url);
        for (key, kind) in [
            ("language", Kind::Language),
            ("audience", Kind::Audience),
            ("valid_from", Kind::ValidFrom),
            ("valid_until", Kind::ValidUntil),
        ] {
            row.meta.extend(inherited(kind).map(|value| (key, value.to_owned())));
        }
        row.meta.extend(url.map(|url| ("url", url.to_owned())));
        let category = inherited(Kind::Category)
            .and_then(category)
            .or_else(|| line.section.as_ref().map(|section| clipped(&section.name)));
        let sells = money.price.is_some() || stock.is_some() || available.is_some();
        let id = self.first(at, Kind::Number).or_else(|| self.of(at, Kind::Handle)).map(clipped);
        let named = row.title.clone().or_else(|| id.clone());
        if let Some(name) = named.filter(|_| {
            sells && !self.has_children.contains(&at) && row.question_and_answer.is_none()
        }) {
            let id = id.unwrap_or_else(|| name.clone());
            row.offer = Some(Offer {
                // Variants of one row have numbers of their own.
                id: if variant_price.is_some() {
                    format!("{id} {}", variant.as_deref().unwrap_or_default())
                } else {
                    id
                },
                name,
                variant,
                price: money.price,
                before: money.before,
                currency: money.currency,
                per: money.per,
                tax: money.tax,
                stock,
                available,
                backorder,
                category,
                url: url.and_then(address),
                image: inherited(Kind::Image).and_then(address),
            });
        }
        row
    }

    /// What tells the row from others of its name: names and values.
    fn options(
        &self,
        at: usize,
        parent: Option<usize>,
        variant_price: Option<usize>,
    ) -> Vec<(String, String)> {
        let mut options = Vec::new();
        for (column, of) in self.columns.all.iter().enumerate() {
            let value = self.cell(at, column);
            match of.kind {
                Some(Kind::OptionValue(number))
                    if !value.is_empty() && value != "Default Title" =>
                {
                    let name = self.of(at, Kind::OptionName(number)).or_else(|| {
                        parent.and_then(|parent| self.of(parent, Kind::OptionName(number)))
                    });
                    let name = name.map_or_else(|| of.label.clone(), one_line);
                    options.push((name, one_line(value)));
                }
                Some(Kind::Option) if !value.is_empty() && value != "Default Title" => {
                    options.push((of.label.clone(), one_line(value)));
                }
                _ => {}
            }
        }
        if let Some((_, listed)) = self
            .columns
            .every(Kind::Number)
            .find_map(|number| self.listed.get(self.cell(at, number)))
        {
            options.retain(|(name, _)| !listed.iter().any(|(own, _)| own == name));
            options.extend(listed.iter().cloned());
        }
        if let Some(column) = variant_price.map(|column| &self.columns.all[column]) {
            options.push((
                columns::named_in("variant", self.context.language).to_owned(),
                column.rest.clone(),
            ));
        }
        options
    }

    /// Which of a row's options tell it from its siblings.
    fn money(
        &self,
        at: usize,
        variant_price: Option<usize>,
        sale: Sale,
        warnings: &mut Vec<String>,
    ) -> Priced {
        let Some(column) = variant_price
            .or_else(|| self.columns.of(Kind::Price))
            .or_else(|| self.columns.of(Kind::Sale))
        else {
            return Priced::default();
        };
        let read = |column: usize| {
            let money = money::money(self.cell(at, column), self.columns.all[column].decimal)?;
            // 0 says that there is no price.
            money.amount.parse::<f64>().is_ok_and(|amount| amount > 0.0).then_some(money)
        };
        let regular = read(column);
        let text = self.cell(at, column);
        // "From 12" is no price, but nothing that isn't understood.
        let is_word = !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_digit());
        if regular.is_none() && is_word && money::money(text, None).is_none() {
            warnings.push(format!(
                "its price {:?} is no amount and is told as it stands; write one as 349.90",
                one_line(text)
            ));
        }
        let discounted = self.columns.every(Kind::Discount).any(|column| {
            money::money(self.cell(at, column).trim_end_matches('%'), None)
                .is_some_and(|money| money.amount.parse::<f64>().is_ok_and(|amount| amount > 0.0))
        });
        // What a reduction or an addition comes to isn't said.
        let added = self
            .columns
            .of(Kind::Impact)
            .is_some_and(|impact| read(impact).is_some() || self.cell(at, impact).starts_with('-'));
        if discounted || added {
            return Priced::default();
        }
        let reduced =
            (sale == Sale::Holds).then(|| self.columns.every(Kind::Sale).find_map(read)).flatten();
        let amount = |money: &Money| money.amount.parse::<f64>().unwrap_or(0.0);
        let before = self.columns.of(Kind::Before).and_then(read);
        let (money, before) = match (regular, reduced) {
            (Some(regular), Some(reduced)) if amount(&reduced) < amount(&regular) => {
                (reduced, Some(regular))
            }
            (Some(regular), _) => (regular, before),
            (None, Some(reduced)) => (reduced, before),
            // A price before says nothing about the one now.
            (None, None) => return Priced::default(),
        };
        let before =
            before.filter(|before| amount(before) > amount(&money)).map(|before| before.amount);
        let of = &self.columns.all[column];
        let currency = self.first(at, Kind::Currency).and_then(money::code);
        let unit = self.first(at, Kind::Unit).filter(|unit| {
            columns::says(Word::Unit, unit)
                || cells::class(unit) == Class::Measure
                || unit.chars().count() <= 12 && cells::class(unit) == Class::Text
        });
        Priced {
            price: Some(rounded(&money.amount)),
            before: before.map(|before| rounded(&before)),
            currency: money
                .currency
                .or(currency)
                .or_else(|| of.currency.clone())
                .or_else(|| self.columns.currency.clone()),
            per: money.per.or_else(|| unit.map(one_line)),
            tax: of.tax.or(self.context.hints.tax),
        }
    }

    /// Pieces, whether it can be had, and whether it is on its way.
    fn stock(&self, at: usize, warnings: &mut Vec<String>) -> (Option<u64>, Option<bool>, bool) {
        let pieces = self.first(at, Kind::Stock).and_then(|text| text.parse::<f64>().ok());
        // "Unlimited" stands among the numbers.
        let among = self
            .first(at, Kind::Stock)
            .filter(|text| columns::says(Word::Yes, text) || columns::says(Word::No, text));
        let word = self.first(at, Kind::Availability).or(among.filter(|_| pieces.is_none()));
        let (mut available, mut later) = (None, false);
        if let Some(word) = word {
            let says = |what: Word| columns::says(what, word);
            // Either way it can be ordered, and isn't there.
            later = says(Word::Later) || says(Word::Preorder);
            available = if later || says(Word::No) {
                Some(false)
            } else if says(Word::Yes) {
                Some(true)
            } else {
                word.parse::<f64>().ok().map(|pieces| pieces > 0.0)
            };
            if available.is_none() {
                warnings.push(format!(
                    "its availability {:?} is told as it stands; write yes or no, so that it counts",
                    one_line(word)
                ));
            }
        }
        let untracked = self.columns.of(Kind::Tracker).is_some_and(|column| {
            let tracker = self.cell(at, column);
            // A variant that is counted doesn't say so again.
            let counted = self.sort(at) == Some(Sort::Variant) && pieces.is_some();
            tracker.is_empty() && !counted || columns::says(Word::No, tracker)
        });
        let beyond = self
            .first(at, Kind::Policy)
            .is_some_and(|policy| columns::says(Word::Continue, policy));
        match (pieces, available) {
            _ if later => (None, Some(false), true),
            _ if untracked
                && (pieces.is_some()
                    || available.is_some()
                    || self.columns.of(Kind::Stock).is_some()) =>
            {
                (None, available.or(Some(true)), false)
            }
            (Some(pieces), None | Some(true)) if pieces >= 1.0 => {
                (Some(pieces as u64), Some(true), false)
            }
            (Some(_), available) if beyond => (None, available.or(Some(true)), false),
            (Some(_), Some(true)) => (None, Some(true), false),
            (Some(_), None) => (Some(0), Some(false), false),
            (_, available) => (None, available, false),
        }
    }

    /// Everything of the row that may be told.
    #[expect(clippy::too_many_arguments, reason = "the parts of one row")]
    fn tell(
        &self,
        at: usize,
        parent: Option<usize>,
        options: &[(String, String)],
        variant_price: Option<usize>,
        sale: Sale,
        (money, stock, available): (&Priced, Option<u64>, Option<bool>),
        row: &mut Row,
    ) {
        let mut says_something = false;
        let mut optioned = false;
        let mut prose: Vec<String> = Vec::new();
        let free = self.is_free_delivery(at);
        let inherits_price = self.inherits_price(at, parent);
        // What a unit costs isn't known, so the unit says nothing.
        let unpriced = self.columns.of(Kind::Price).is_some_and(|price| {
            let price = self.cell(at, price);
            price.is_empty() || amount(price).is_some_and(|amount| amount <= 0.0) && !free
        });
        for (column, of) in self.columns.all.iter().enumerate() {
            let own = self.cell(at, column);
            // What its product is made of, a variant is, too.
            let inherited = match of.kind {
                Some(Kind::Description) => true,
                Some(Kind::Price | Kind::Sale | Kind::Before) => inherits_price,
                _ => false,
            };
            let value = match parent {
                Some(parent) if own.is_empty() && inherited => self.cell(parent, column),
                _ => own,
            };
            if value.is_empty() {
                continue;
            }
            // A platform writes 0 where nothing is known.
            let nought = of.kind == Some(Kind::Property) && amount(value) == Some(0.0);
            if nought && self.columns.platform {
                continue;
            }
            // What stands beside a table is told if it says something by itself.
            let beside = column >= self.named && !self.beyond;
            let says = matches!(cells::class(value), Class::Text | Class::Prose | Class::Question);
            if beside && !says {
                row.warnings.push(format!(
                    "{:?} stands right of the columns that have a name, and was left out",
                    clipped(value)
                ));
            }
            if of.telling != Telling::Told && !beside || beside && !says {
                continue;
            }
            // Its variants say what it costs and whether it can be had.
            let bought = [Kind::Price, Kind::Sale, Kind::Before, Kind::Stock, Kind::Availability];
            if self.has_children.contains(&at) && of.kind.is_some_and(|kind| bought.contains(&kind))
            {
                continue;
            }
            let told = match of.kind {
                Some(Kind::Question | Kind::Answer) if self.is_pair() => continue,
                // It says where the question stands, not what it is answered by.
                Some(Kind::Category) if self.is_pair() => {
                    row.headings.push(clipped(value));
                    continue;
                }
                Some(Kind::OptionValue(_) | Kind::Option | Kind::Attributes) => {
                    if !std::mem::replace(&mut optioned, true) {
                        row.fields
                            .extend(options.iter().filter(|_| variant_price.is_none()).cloned());
                    }
                    says_something |= !options.is_empty();
                    if of.kind == Some(Kind::Attributes) {
                        let described = described(value, options);
                        says_something |= !described.is_empty();
                        row.fields.extend(described);
                    }
                    continue;
                }
                Some(Kind::Price) => {
                    self.columns.priced_variants.is_empty()
                        && (free || amount(value).is_none_or(|amount| amount > 0.0))
                        || variant_price == Some(column)
                }
                Some(Kind::Sale) => {
                    sale == Sale::Holds && amount(value).is_none_or(|amount| amount > 0.0)
                }
                Some(Kind::Before) => money.before.is_some() && amount(value).is_some(),
                Some(Kind::Stock) => stock.is_some(),
                // "Closed for repairs until May" says more than whether it can be had.
                Some(Kind::Availability) => available.is_some() || says,
                Some(Kind::Discount) => {
                    amount(value.trim_end_matches('%')).is_none_or(|amount| amount > 0.0)
                }
                Some(Kind::Url) => false,
                Some(Kind::Unit) => !unpriced,
                Some(Kind::Description) if value.len() > MAX_INLINE => {
                    // A long text stands once.
                    prose.extend((!own.is_empty()).then(|| value.to_owned()));
                    false
                }
                _ => true,
            };
            says_something |=
                !own.is_empty() && (told && of.kind != Some(Kind::Number) || !prose.is_empty());
            if told {
                let label = if variant_price.is_some() && of.kind == Some(Kind::Price) {
                    row.fields.extend(options.iter().cloned());
                    columns::named_in("price", self.context.language).to_owned()
                } else {
                    of.label.clone()
                };
                let price = matches!(of.kind, Some(Kind::Price | Kind::Sale | Kind::Before));
                let value = match price {
                    // "From 80", "60–90": no price, but an amount of the list's currency.
                    true if amount(value).is_none() => self.with_currency_of_list(value),
                    true => rounded(value),
                    false if self.subject == Some(column) => self.called(at, value),
                    false if self.columns.scale.contains(&column) => self.with_currency(value),
                    false => one_line(value),
                };
                row.fields.push((label, value));
                if variant_price == Some(column) {
                    row.fields.extend(self.other_prices(at, column));
                }
            }
        }
        if self.is_pair() {
            let text = |kind| self.of(at, kind).unwrap_or_default().trim().to_owned();
            let (question, answer) = (text(Kind::Question), text(Kind::Answer));
            if !question.is_empty() || !answer.is_empty() {
                row.title = row.title.take().or_else(|| Some(clipped(&question)));
                row.question_and_answer = Some((question, answer));
                says_something = true;
            }
        }
        if !prose.is_empty() {
            row.prose = Some(prose.join("\n\n"));
        }
        // A number alone, or one more picture.
        let alone = self.table.labels.iter().filter(|label| !label.is_empty()).count() > 1
            || parent.is_some();
        if !says_something && alone {
            row.fields.clear();
        }
    }

    /// What the row's other variants cost: who asks for one of them may not say which.
    fn other_prices(&self, at: usize, column: usize) -> Option<(String, String)> {
        let others: Vec<String> = self
            .columns
            .priced_variants
            .iter()
            .filter(|other| **other != column && !self.cell(at, **other).is_empty())
            .take(MAX_OTHERS)
            .map(|other| {
                let value = self.with_currency_of_list(&rounded(self.cell(at, *other)));
                format!("{} {value}", one_line(&self.columns.all[*other].rest))
            })
            .collect();
        let label = columns::named_in("others", self.context.language).to_owned();
        (!others.is_empty()).then(|| (label, others.join(", ")))
    }

    /// A price of 0 means that there is none, but for bringing or fetching what was bought.
    fn is_free_delivery(&self, at: usize) -> bool {
        let zero = self.of(at, Kind::Price).and_then(amount).is_some_and(|amount| amount <= 0.0);
        let section =
            self.table.rows[at].section.as_ref().map_or("", |section| section.name.as_str());
        let name = self.subject.map_or("", |subject| self.cell(at, subject));
        zero && (columns::is_delivery(name) || columns::is_delivery(section))
    }

    /// Figures that are no single amount, with the currency that the letterhead names.
    fn with_currency_of_list(&self, value: &str) -> String {
        let text = one_line(value);
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        let named = money::code_in(&text).is_some()
            || text
                .split_whitespace()
                .any(|part| money::money(part, None).is_some_and(|money| money.currency.is_some()));
        match self.columns.currency.as_ref() {
            Some(currency) if digits && !named => {
                format!("{text} {currency}")
            }
            _ => text,
        }
    }

    /// A figure of a price list whose letterhead names the currency.
    fn with_currency(&self, value: &str) -> String {
        let bare = money::money(value, None).is_some_and(|money| {
            money.currency.is_none() && money.per.is_none() && !value.contains(char::is_alphabetic)
        });
        match self.columns.currency.as_ref().filter(|_| bare) {
            Some(currency) => format!("{} {currency}", rounded(value)),
            None => one_line(value),
        }
    }

    fn is_pair(&self) -> bool {
        self.columns.of(Kind::Question).is_some() && self.columns.of(Kind::Answer).is_some()
    }
}

/// What a row says of its price.
#[derive(Clone, Debug, Default)]
struct Priced {
    price: Option<String>,
    before: Option<String>,
    currency: Option<String>,
    per: Option<String>,
    tax: Option<Tax>,
}

fn amount(text: &str) -> Option<f64> {
    money::money(text, None)?.amount.parse().ok()
}

fn inherited_variant(own: Option<&str>, options: &[(String, String)]) -> Option<String> {
    let own = own.map(one_line).filter(|own| own != "Default Title" && own != "Default");
    let of_options = || {
        let all: Vec<&str> = options
            .iter()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
            .collect();
        (!all.is_empty()).then(|| clipped(&all.join(", ")))
    };
    own.or_else(of_options)
}

/// The column that names a row's document for good.
fn key(columns: &Columns) -> Option<usize> {
    const KEYS: [&str; 12] = [
        "id",
        "sku",
        "article_number",
        "article_no",
        "artikelnummer",
        "item_id",
        "product_id",
        "code",
        "handle",
        "slug",
        "key",
        "ean",
    ];
    let named = |key: &str| {
        let is = |column: &Column| columns::folded(&column.name).replace(' ', "_") == key;
        columns.all.iter().position(|column| is(column) && column.kind != Some(Kind::Technical))
    };
    KEYS.iter()
        .find_map(|key| named(key))
        .or_else(|| columns.of(Kind::Handle))
        .or_else(|| columns.of(Kind::Number))
}

/// Magento's list of a product's variants: `sku=A-S,size=S|sku=A-M,size=M`.
fn variations(list: &str) -> Vec<(String, Vec<(String, String)>)> {
    let variation = |text: &str| {
        let mut options = attributes(text);
        let sku =
            options.iter().position(|(name, _)| name == "sku").map(|at| options.remove(at).1)?;
        Some((sku, options))
    };
    list.split('|').take(10_000).filter_map(variation).collect()
}

/// `color=Blue,size=M`. A value may hold commas itself: `material=oak, oiled,size=M`.
fn attributes(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for piece in text.split(',').take(200) {
        match (piece.split_once('='), all.last_mut()) {
            (Some((name, value)), _) => {
                all.push((name.trim().replace('_', " "), one_line(value)));
            }
            (None, Some((_, value))) => value.push_str(&format!(", {}", one_line(piece))),
            (None, None) => {}
        }
    }
    all.retain(|(name, value)| {
        !name.is_empty() && name.len() <= 40 && value.len() <= 200 && !value.is_empty()
    });
    all
}

/// What a cell of attributes says beside the row's options, without what only the shop's software
/// needs.
fn described(text: &str, options: &[(String, String)]) -> Vec<(String, String)> {
    let told = |name: &str, value: &str| {
        let known = columns::meaning(name).map(|meaning| meaning.kind.telling());
        let flag =
            cells::class(value) == Class::Flag && value.bytes().all(|byte| byte.is_ascii_digit());
        known.is_none_or(|telling| telling == Telling::Told) && !flag
    };
    let mut all = attributes(text);
    all.retain(|(name, value)| !options.iter().any(|(own, _)| own == name) && told(name, value));
    all
}

/// The innermost of a path; a list as it stands.
fn category(text: &str) -> Option<String> {
    let first = text.split(['|', ',']).next().unwrap_or(text);
    let path = first.contains('>')
        || first.contains('/')
            && first.split('/').count() > 1
            && text.contains("/")
            && first.starts_with("Default");
    let told = if path { first.rsplit(['>', '/']).next().unwrap_or(first) } else { text };
    let told = clipped(told);
    (!told.is_empty()).then_some(told)
}

/// `+0100` → `+01:00`.
fn zone_with_colon(text: &str) -> String {
    let text = text.trim();
    let digits = text.len().checked_sub(4).filter(|at| {
        text.is_char_boundary(*at) && text[*at..].bytes().all(|byte| byte.is_ascii_digit())
    });
    match digits {
        Some(at) if at > 0 && text.contains('T') && text[..at].ends_with(['+', '-']) => {
            format!("{}:{}", &text[..at + 2], &text[at + 2..])
        }
        _ => text.to_owned(),
    }
}

/// Without line breaks, and without what would look like the next field.
fn one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("; ", ", ")
        .trim_end_matches(';')
        .to_owned()
}

/// Prices as databases keep them (`52.000000`) with two places, and as spreadsheets do (`6.5`),
/// too.
fn rounded(text: &str) -> String {
    let text = one_line(text);
    let half = text.split_once(['.', ',']).filter(|(whole, places)| {
        places.len() == 1
            && places.bytes().chain(whole.bytes()).all(|byte| byte.is_ascii_digit())
            && !whole.is_empty()
    });
    if half.is_some() {
        return format!("{text}0");
    }
    let cut = text.split_once('.').filter(|(whole, places)| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        places.len() > 3
            && digits(whole)
            && digits(places)
            && places[2..].bytes().all(|byte| byte == b'0')
    });
    match cut {
        Some((whole, places)) => format!("{whole}.{}", &places[..2]),
        None => text,
    }
}

fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line[..line.floor_char_boundary(MAX_NAME)].to_owned()
}
