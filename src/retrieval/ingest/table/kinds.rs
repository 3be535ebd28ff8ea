//! What the columns of a table are: by what was said of them, by their names, by what stands below.

use super::cells::{self, Class, Looks};
use super::{Context, Table};
use crate::retrieval::columns::{self, Kind, Meaning, Tax, Telling, Word};
use crate::retrieval::money;

/// Rows whose cells decide what a column is.
const SAMPLE: usize = 400;

/// Bytes of a label that is told.
const MAX_LABEL: usize = 60;

/// A column as its rows are read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// As the header names it.
    pub(super) name: String,
    /// What stands before its values where they are told.
    pub(super) label: String,
    pub(super) kind: Option<Kind>,
    pub(super) telling: Telling,
    pub(super) why: String,
    pub(super) rank: usize,
    pub(super) tax: Option<Tax>,
    pub(super) currency: Option<String>,
    /// What tells a price from the others: a size, an option.
    pub(super) rest: String,
    pub(super) retail: bool,
    /// It is a price for members alone.
    pub(super) member: bool,
    /// The sign that parts the cents in its amounts.
    pub(super) decimal: Option<char>,
}

/// The columns of a table, in order.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) all: Vec<Column>,
    /// Several prices of equal rank, each of one variant.
    pub(super) priced_variants: Vec<usize>,
    pub(super) currency: Option<String>,
    /// Plain figures that are amounts of that currency.
    pub(super) scale: Vec<usize>,
    /// A shop platform's export.
    pub(super) platform: bool,
}

impl Columns {
    /// The column of a kind with the lowest rank.
    pub(super) fn of(&self, kind: Kind) -> Option<usize> {
        let of_kind = self.all.iter().enumerate().filter(|(_, column)| column.kind == Some(kind));
        of_kind.min_by_key(|(at, column)| (column.rank, *at)).map(|(at, _)| at)
    }

    pub(super) fn every(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        self.all
            .iter()
            .enumerate()
            .filter(move |(_, column)| column.kind == Some(kind))
            .map(|(at, _)| at)
    }

    fn has(&self, kinds: &[Kind]) -> bool {
        self.all.iter().any(|column| column.kind.is_some_and(|kind| kinds.contains(&kind)))
    }
}

/// What the columns of `table` are.
pub(super) fn columns(table: &Table, context: &Context<'_>) -> Columns {
    let width = table
        .labels
        .len()
        .max(table.rows.iter().take(SAMPLE).map(|row| row.cells.len()).max().unwrap_or(0));
    let sample: Vec<&[String]> = sample(table);
    let cell = |row: &&[String], at: usize| -> String { row.get(at).cloned().unwrap_or_default() };
    let mut columns = Columns::default();
    let mut looks: Vec<Looks> = Vec::with_capacity(width);
    for at in 0..width {
        let name = table.labels.get(at).cloned().unwrap_or_default();
        let values: Vec<String> = sample.iter().map(|row| cell(row, at)).collect();
        let own = Looks::of(values.iter().map(String::as_str));
        let mut column = named(&name, at, context);
        column.decimal = money::decimal_sign(values.iter().map(String::as_str));
        demote(&mut column, &own, &values, context);
        // Exports have a column for each market, filled or not.
        let empty = || {
            table.rows.iter().all(|row| row.cells.get(at).is_none_or(|cell| cell.trim().is_empty()))
        };
        if own.filled == 0
            && matches!(column.kind, Some(Kind::Price | Kind::Sale | Kind::Before))
            && empty()
        {
            column.kind = None;
        }
        columns.all.push(column);
        looks.push(own);
    }
    columns.platform = platform(table);
    let platform = columns.platform;
    running_number(&mut columns, &sample);
    price_now(&mut columns, &looks);
    by_content(&mut columns, &looks, table);
    costs(&mut columns);
    numbers(&mut columns);
    best_name(&mut columns, &looks);
    prices(&mut columns);
    unknown(&mut columns, &looks, platform);
    for (column, looks) in columns.all.iter_mut().zip(&looks) {
        if let Some(kind) = column.kind {
            column.telling = match kind {
                Kind::Number if column.why == "another column is its number" => Telling::Used,
                kind => kind.telling(),
            };
        }
        if looks.filled == 0 {
            column.why = "it is empty".to_owned();
        }
        column.label = label(column, context.language);
    }
    // What the letterhead says of all prices.
    let texts = table.above.iter().chain(&table.notes).map(|(_, text)| text.as_str());
    columns.currency = context.hints.currency.clone().or_else(|| money::named_once(texts));
    columns.scale = scale(&columns, &looks);
    if columns.currency.is_none() && columns.has(&[Kind::Price, Kind::Sale, Kind::Before]) {
        // Or what cells name that are an amount and nothing else; a description may speak of
        // anybody's money.
        let cells = sample.iter().flat_map(|row| row.iter()).map(String::as_str);
        let amounts = cells
            .filter(|cell| money::money(cell, None).is_some_and(|money| money.currency.is_some()));
        columns.currency = money::named_once(amounts);
    }
    columns
}

/// Columns of plain figures that are named by times (`Half day`, `1 day`, `Week`): what each costs,
/// where the letterhead names a currency and no column is a price.
fn scale(columns: &Columns, looks: &[Looks]) -> Vec<usize> {
    if columns.currency.is_none()
        || columns.has(&[Kind::Price, Kind::Sale, Kind::Before, Kind::Cost])
    {
        return Vec::new();
    }
    let timed = |at: &usize| {
        let (column, looks) = (&columns.all[*at], &looks[*at]);
        let folded = columns::folded(&column.name);
        let tariff = column.why == TARIFF;
        tariff
            || column.kind.is_none()
                && column.telling == Telling::Told
                && folded.split(' ').any(columns::is_time)
                && looks.mostly(&[Class::Number, Class::Amount, Class::Flag], 60)
    };
    let timed: Vec<usize> = (0..columns.all.len()).filter(timed).collect();
    if timed.len() > 1 { timed } else { Vec::new() }
}

/// Rows from all parts of the table.
fn sample(table: &Table) -> Vec<&[String]> {
    let step = (table.rows.len() / SAMPLE).max(1);
    table.rows.iter().step_by(step).take(SAMPLE).map(|row| row.cells.as_slice()).collect()
}

/// By what a file beside the table says, else by its name.
fn named(name: &str, at: usize, context: &Context<'_>) -> Column {
    let mut column = Column {
        name: name.to_owned(),
        label: String::new(),
        kind: None,
        telling: Telling::LeftOut,
        why: String::new(),
        rank: usize::MAX,
        tax: None,
        currency: None,
        rest: String::new(),
        retail: false,
        member: false,
        decimal: None,
    };
    let folded = columns::folded(name);
    let number = (at + 1).to_string();
    let meaning = columns::meaning(name);
    if let Some(Meaning { tax, currency, rest, retail, member, .. }) = meaning.clone() {
        (column.tax, column.currency, column.rest, column.retail) = (tax, currency, rest, retail);
        column.member = member;
    }
    let hint =
        context.hints.columns.iter().find(|(own, _)| {
            *own == number || !folded.is_empty() && columns::folded(own) == folded
        });
    if let Some((_, kind)) = hint {
        column.kind = Some(*kind);
        column.rank = 0;
        column.why = "the .meta file says so".to_owned();
    } else if let Some(Meaning { kind, rank, .. }) = meaning {
        // "In stock?" asks whether, not how many.
        let asks = kind == Kind::Stock && name.contains(['?', '？']);
        let kind = if asks { Kind::Availability } else { kind };
        column.kind = Some(kind);
        column.rank = rank;
        column.why = "by its name".to_owned();
    }
    column
}

/// A name that what stands below it belies.
fn demote(column: &mut Column, looks: &Looks, values: &[String], context: &Context<'_>) {
    let Some(kind) =
        column.kind.filter(|_| looks.filled > 0 && column.why != "the .meta file says so")
    else {
        return;
    };
    let share = |test: &dyn Fn(&str) -> bool| {
        let filled = values.iter().filter(|value| !value.is_empty());
        filled.filter(|value| test(value)).count() * 100 / looks.filled.max(1)
    };
    let known =
        |words: &[Word]| share(&|value: &str| words.iter().any(|word| columns::says(*word, value)));
    let numbers = [Class::Number, Class::Amount, Class::Flag];
    // What is used and not told is lost if its name means something else here: "lang" is German for
    // long.
    let is_date = |value: &str| {
        let value = value.trim();
        (context.moment)(value, false).is_some() || cells::from_american(value).is_some()
    };
    let used = match kind {
        Kind::Language => share(&|value| (context.is_language)(value)) >= 60,
        // One row that is for agents is enough not to tell any.
        Kind::Audience => {
            share(&|value| matches!(value.to_lowercase().as_str(), "public" | "agents")) > 0
        }
        Kind::Currency => share(&|value| money::code(value).is_some()) >= 60,
        Kind::SaleFrom | Kind::SaleUntil | Kind::ValidFrom | Kind::ValidUntil => {
            looks.mostly(&[Class::Date], 10) || share(&is_date) > 0
        }
        Kind::SalePeriod => {
            looks.mostly(&[Class::Date], 10) || share(&|value| value.contains('/')) > 0
        }
        Kind::Image => {
            let letters = |value: &str| value.contains(char::is_alphabetic);
            let place =
                |value: &str| value.contains(['/', '.']) && !value.contains(' ') && letters(value);
            looks.mostly(&[Class::Address, Class::File], 30) || share(&place) >= 30
        }
        Kind::Handle | Kind::Parent => !looks.mostly(&[Class::Amount], 60),
        Kind::Tracker | Kind::Policy | Kind::Shipping | Kind::RowType | Kind::OptionName(_) => {
            !looks.mostly(&[Class::Amount, Class::Number], 60)
        }
        _ => true,
    };
    if !used {
        column.kind = None;
        column.rank = usize::MAX;
        return;
    }
    let (fits, instead) = match kind {
        Kind::Price | Kind::Sale | Kind::Before | Kind::Cost => {
            // "On request" is no amount, but it is about the price.
            (share(&|value| money::money(value, None).is_some()) >= 25, Kind::Property)
        }
        Kind::Stock => {
            let words = known(&[Word::Yes, Word::No, Word::Later, Word::Preorder]) >= 60;
            let numbers =
                share(&|value| value.trim_start_matches('-').parse::<f64>().is_ok()) >= 60;
            // "Unlimited" among numbers.
            let counted = |value: &str| {
                value.trim_start_matches('-').parse::<f64>().is_ok()
                    || columns::says(Word::Yes, value)
                    || columns::says(Word::No, value)
            };
            let mixed = !words && share(&counted) >= 90;
            (numbers || mixed, if words { Kind::Availability } else { Kind::Property })
        }
        Kind::Availability => {
            let words = known(&[Word::Yes, Word::No, Word::Later, Word::Preorder]);
            (words >= 60 || looks.mostly(&numbers, 60), Kind::Property)
        }
        // Magento says 2 for no.
        Kind::Published if columns::folded(&column.name) == "product online" => (true, kind),
        Kind::Status | Kind::Published | Kind::Visibility => {
            (known(&[Word::Sold, Word::Unsold]) >= 90, Kind::Property)
        }
        Kind::Withdrawn => {
            let words = known(&[Word::Sold, Word::Unsold, Word::Yes, Word::No]);
            (words >= 90 || looks.mostly(&[Class::Date, Class::Flag], 90), Kind::Property)
        }
        Kind::OnSale => (
            known(&[Word::Yes, Word::No]) >= 90 || looks.mostly(&[Class::Flag], 90),
            Kind::Property,
        ),
        Kind::Name if share(&is_row_type) >= 90 => (false, Kind::RowType),
        Kind::Name => (
            !looks.mostly(
                &[Class::Number, Class::Amount, Class::Flag, Class::Address, Class::File],
                70,
            ),
            Kind::Property,
        ),
        Kind::Unit => (
            !looks.mostly(&[Class::Amount, Class::Number], 50) && looks.length <= 24,
            Kind::Property,
        ),
        Kind::Url => (
            share(&|value| value.starts_with("http") || value.starts_with('/')) >= 50,
            Kind::Technical,
        ),
        Kind::Category => (share(&is_row_type) < 90, Kind::RowType),
        // "On sale (0/1)" is a badge: how much less it costs isn't said.
        Kind::Discount => (!looks.mostly(&[Class::Flag], 90), Kind::Technical),
        Kind::Answer | Kind::Question => {
            (looks.length > 2 || looks.mostly(&[Class::Text], 50), Kind::Property)
        }
        Kind::Parent | Kind::Handle => (looks.length <= 120, Kind::Property),
        Kind::Shipping | Kind::Tracker | Kind::Policy => (looks.length <= 24, Kind::Property),
        Kind::Option | Kind::Variant => (looks.length <= 80, Kind::Description),
        _ => (true, kind),
    };
    if !fits {
        column.kind = Some(instead);
        column.why = "its name says something else than its cells".to_owned();
        column.rank = usize::MAX;
    }
}

/// What platforms call their rows by, in a column of types or of items.
fn is_row_type(value: &str) -> bool {
    const TYPES: [&str; 17] = [
        "simple",
        "variable",
        "variation",
        "configurable",
        "grouped",
        "bundle",
        "virtual",
        "external",
        "downloadable",
        "product",
        "variant",
        "physical",
        "digital",
        "service",
        "product_variation",
        "product_option",
        "image",
    ];
    value.to_lowercase().split(", ").all(|word| TYPES.contains(&word))
}

/// Columns of a shop platform's export: what isn't known there is the platform's own.
fn platform(table: &Table) -> bool {
    let labels: Vec<String> = table.labels.iter().map(|label| columns::folded(label)).collect();
    let has = |names: &[&str]| names.iter().all(|name| labels.iter().any(|label| label == name));
    has(&["handle", "variant price"])
        || has(&["handle", "option1 name"])
        || has(&["url handle", "title"])
        || has(&["sku", "attribute set code"])
        || has(&["handleid", "fieldtype"])
        || has(&["item", "id", "inventory tracking"])
        || has(&["product internal id", "product name"])
        || has(&["supply price", "retail price"])
        || has(&["product number", "manufacturer id"])
        || has(&["product id non editable", "title"])
        || has(&["sku", "product type", "visibility"])
        || has(&["regular price", "visibility in catalog"])
        || labels.iter().any(|label| label == "active 0 1" || label == "actif 0 1")
        || labels.len() > 25 && labels.iter().filter(|label| label.starts_with("meta ")).count() > 3
        || labels
            .iter()
            .filter(|label| {
                label.starts_with("attribute 1")
                    || label.contains("attributs 1")
                    || label.contains("attribut 1")
                    || label.contains("atributo 1")
            })
            .count()
            > 1
}

/// `No.`, `Nr`, `Lp.` with 1, 2, 3 … below number the rows, not the goods.
fn running_number(columns: &mut Columns, sample: &[&[String]]) {
    const LABELS: [&str; 14] = [
        "no", "nr", "n", "lp", "pos", "stt", "num", "numero", "序号", "序號", "番号", "", "#",
        "item no",
    ];
    for (at, column) in columns.all.iter_mut().enumerate() {
        if !LABELS.contains(&columns::folded(&column.name).as_str())
            || column.why.starts_with("the .meta")
        {
            continue;
        }
        let numbers: Vec<i64> =
            sample.iter().filter_map(|row| row.get(at)?.trim().parse().ok()).collect();
        let steps = numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        if numbers.len() > 1
            && (steps + 1) * 10 >= numbers.len() * 7
            && numbers.first().is_some_and(|first| *first <= 1)
        {
            column.kind = Some(Kind::Technical);
            column.why = "it numbers the rows".to_owned();
        }
    }
}

/// "Now" beside "Was" is a price, which no name says by itself.
fn price_now(columns: &mut Columns, looks: &[Looks]) {
    if !columns.has(&[Kind::Before]) || columns.has(&[Kind::Price, Kind::Sale]) {
        return;
    }
    let amounts = [Class::Amount, Class::Number];
    for (column, looks) in columns.all.iter_mut().zip(looks) {
        let says_now = columns::says(Word::Now, &money::without_currency(&column.name));
        if column.kind.is_none() && says_now && looks.mostly(&amounts, 50) {
            column.kind = Some(Kind::Price);
            column.currency = money::code_in(&column.name);
            column.rank = 40;
            column.why = "by its name, beside a price before".to_owned();
            return;
        }
    }
}

/// By what stands below, where the name says nothing.
fn by_content(columns: &mut Columns, looks: &[Looks], table: &Table) {
    // Remarks beside a table are no column of it.
    let last = table.labels.iter().rposition(|label| !label.is_empty()).unwrap_or(usize::MAX);
    let sampled = table.rows.len().min(SAMPLE);
    let prices = [Kind::Price, Kind::Sale];
    let without_names = columns.all.iter().all(|column| column.name.is_empty());
    for at in 0..columns.all.len() {
        let (looks, column) = (&looks[at], &columns.all[at]);
        if column.kind.is_some() || looks.filled == 0 || at > last && looks.filled * 2 <= sampled {
            continue;
        }
        let nameless = column.name.is_empty();
        let found = if looks.mostly(&[Class::Amount], 60)
            && looks.mostly(&[Class::Amount, Class::Number, Class::Flag], 70)
        {
            // Beside a price that says so, other amounts are what their names say.
            (nameless || !columns.has(&prices) || with_currency(table, at))
                .then_some((Kind::Price, "amounts of money stand below"))
        } else if looks.mostly(&[Class::Address], 70) {
            let images =
                table.rows.iter().filter_map(|row| row.cells.get(at)).take(20).filter(|cell| {
                    [".jpg", ".jpeg", ".png", ".webp", ".gif"]
                        .iter()
                        .any(|ending| cell.to_ascii_lowercase().contains(ending))
                });
            let kind = if images.count() > 0 { Kind::Image } else { Kind::Url };
            Some((kind, "addresses stand below"))
        } else if looks.mostly(&[Class::File], 70) {
            Some((Kind::Image, "names of files stand below"))
        } else if looks.mostly(&[Class::Question], 60) && without_names {
            Some((Kind::Question, "questions stand below"))
        } else if nameless && (looks.mostly(&[Class::Prose], 40) || looks.length > 60) {
            Some((Kind::Description, "sentences stand below"))
        } else if nameless && looks.mostly(&[Class::Measure], 70) {
            Some((Kind::Option, "measures stand below"))
        } else {
            None
        };
        if let Some((kind, why)) = found {
            let column = &mut columns.all[at];
            column.kind = Some(kind);
            column.rank = 60;
            column.why = why.to_owned();
            if kind == Kind::Price && !nameless && column.rest.is_empty() {
                let named = money::code_in(&column.name).is_some();
                column.rest = if named {
                    money::without_currency(&column.name)
                } else {
                    column.name.trim().to_owned()
                };
            }
        }
    }
    // Beside one column of amounts, what holds amounts here and there (else a dash, "on request")
    // is of the same sort.
    let amounts = "amounts of money stand below";
    let by_amounts = |column: &Column| column.kind == Some(Kind::Price) && column.why == amounts;
    if columns.all.iter().any(|column| by_amounts(column) && !column.name.is_empty())
        && !columns.all.iter().any(|column| column.kind == Some(Kind::Price) && !by_amounts(column))
    {
        for (column, looks) in columns.all.iter_mut().zip(looks) {
            let some = looks.mostly(&[Class::Amount], 40)
                && looks.mostly(&[Class::Amount, Class::Number, Class::Text], 100);
            if column.kind.is_none() && !column.name.is_empty() && some {
                column.kind = Some(Kind::Price);
                column.rank = 60;
                column.why = amounts.to_owned();
                column.rest = column.name.trim().to_owned();
            }
        }
    }
    // Texts without a name describe what they stand beside.
    if columns.has(&[Kind::Price, Kind::Name]) {
        for (at, looks) in looks.iter().enumerate() {
            let column = &mut columns.all[at];
            let texts =
                looks.mostly(&[Class::Text, Class::Prose], 80) && looks.distinct * 2 > looks.filled;
            let named = column.kind.is_some() || !column.name.is_empty();
            if !named
                && texts
                && looks.length > 14
                && without_names
                && columns_name_before(table, at)
            {
                column.kind = Some(Kind::Description);
                column.why = "texts stand below".to_owned();
            }
        }
    }
    // A question and one other text are a question and its answer.
    if without_names && columns.has(&[Kind::Question]) && !columns.has(&[Kind::Answer]) {
        let text = |at: &usize| {
            let kind = columns.all[*at].kind;
            (kind.is_none() || kind == Some(Kind::Description))
                && looks[*at].mostly(&[Class::Text, Class::Prose, Class::Measure, Class::Code], 60)
        };
        if let Some(at) = (0..columns.all.len()).filter(text).max_by_key(|at| looks[*at].length) {
            columns.all[at].kind = Some(Kind::Answer);
            columns.all[at].why = "texts beside questions stand below".to_owned();
        }
    }
}

/// Whether a text column stands before this one: the name.
fn columns_name_before(table: &Table, at: usize) -> bool {
    (0..at).any(|column| {
        let cells = table
            .rows
            .iter()
            .take(SAMPLE)
            .filter_map(|row| row.cells.get(column))
            .map(String::as_str);
        let looks = Looks::of(cells);
        looks.mostly(&[Class::Text, Class::Code], 60) && looks.length <= 60
    })
}

fn with_currency(table: &Table, at: usize) -> bool {
    let cells = table
        .rows
        .iter()
        .filter_map(|row| row.cells.get(at))
        .filter(|cell| !cell.is_empty())
        .take(SAMPLE);
    let (all, own) = cells.fold((0, 0), |(all, own), cell| {
        (
            all + 1,
            own + usize::from(
                money::money(cell, None).is_some_and(|money| money.currency.is_some()),
            ),
        )
    });
    all > 0 && own * 2 > all
}

/// Beside the shop's own number of an article the software's and the maker's aren't told.
fn numbers(columns: &mut Columns) {
    let Some(best) = columns.of(Kind::Number) else { return };
    let spared = ["ean", "gtin", "isbn", "mpn", "ean13"];
    for (at, column) in columns.all.iter_mut().enumerate() {
        let own = columns::folded(&column.name);
        if column.kind == Some(Kind::Number) && at != best && !spared.contains(&own.as_str()) {
            column.why = "another column is its number".to_owned();
        }
    }
}

/// "Cost" is what visitors pay where nothing else is a price and nothing is counted, else what the
/// shop pays.
fn costs(columns: &mut Columns) {
    let books = [
        Kind::Price,
        Kind::Sale,
        Kind::Before,
        Kind::Stock,
        Kind::Hidden,
        Kind::Number,
        Kind::Tracker,
    ];
    let hidden = columns.has(&books);
    for column in &mut columns.all {
        if column.kind == Some(Kind::Cost) {
            if hidden {
                column.kind = Some(Kind::Hidden);
                column.why = "beside prices or stock it is what the shop pays".to_owned();
            } else {
                column.kind = Some(Kind::Price);
                column.why = "by its name; there is no other price".to_owned();
            }
        }
    }
}

/// One column is the name; without one, the first of short texts beside a price that nothing else
/// explains.
fn best_name(columns: &mut Columns, looks: &[Looks]) {
    // "Artigo: A-01; Descrição: painted tile": what is described is called by its description.
    if let (Some(name), Some(text)) = (columns.of(Kind::Name), columns.of(Kind::Description))
        && looks[name].mostly(&[Class::Code, Class::Number], 80)
        && looks[text].count(&[Class::Text, Class::Measure]) * 5 >= looks[text].filled * 4
        && looks[text].distinct * 10 >= looks[text].filled * 6
        && looks[text].length <= 80
    {
        let why = "codes stand below, beside short descriptions".to_owned();
        (columns.all[name].kind, columns.all[name].why) = (Some(Kind::Number), why);
        let why = "short texts stand below, beside codes".to_owned();
        (columns.all[text].kind, columns.all[text].why) = (Some(Kind::Name), why);
    }
    if let Some(best) = columns.of(Kind::Name) {
        for at in 0..columns.all.len() {
            if at != best && columns.all[at].kind == Some(Kind::Name) {
                columns.all[at].kind = Some(Kind::Property);
                columns.all[at].why = "another column is the name".to_owned();
            }
        }
        return;
    }
    if !columns.has(&[Kind::Price, Kind::Sale, Kind::Stock]) || columns.has(&[Kind::Question]) {
        return;
    }
    let named = |at: &usize| {
        let looks = &looks[*at];
        let texts = looks.mostly(&[Class::Text, Class::Prose, Class::Code], 80)
            && looks.count(&[Class::Text]) * 2 > looks.filled;
        columns.all[*at].kind.is_none()
            && texts
            && looks.distinct * 10 >= looks.filled * 6
            && looks.length <= 80
    };
    let best = (0..columns.all.len()).find(named);
    // A list of descriptions alone is a list of what they describe.
    let best = best.or_else(|| columns.of(Kind::Description).filter(|at| looks[*at].length <= 80));
    if let Some(at) = best {
        columns.all[at].kind = Some(Kind::Name);
        columns.all[at].why = "different short texts stand below, beside prices".to_owned();
    }
}

/// Why a price of a tariff is told under its own name.
const TARIFF: &str = "one of several prices of something without a name";

/// One price is the price. Several that differ by an option are prices of variants, and others are
/// told by their names.
fn prices(columns: &mut Columns) {
    let all: Vec<usize> = columns.every(Kind::Price).collect();
    if all.len() < 2 {
        return;
    }
    let of = |at: &usize| &columns.all[*at];
    let others = |columns: &mut Columns, keep: &dyn Fn(&usize) -> bool, why: &str| {
        for at in all.iter().filter(|at| !keep(at)) {
            columns.all[*at].kind = Some(Kind::Property);
            columns.all[*at].why = why.to_owned();
        }
    };
    // Everybody pays the other one.
    if all.iter().any(|at| of(at).member) && !all.iter().all(|at| of(at).member) {
        let everybody: Vec<usize> = all.iter().copied().filter(|at| !of(at).member).collect();
        others(columns, &|at| everybody.contains(at), "it is the price for members");
        return prices(columns);
    }
    // A current price beside the list's or the maker's.
    let current: Vec<usize> = all.iter().copied().filter(|at| !of(at).retail).collect();
    if !current.is_empty() && current.len() < all.len() && columns.of(Kind::Before).is_none() {
        let regular = all.iter().copied().filter(|at| of(at).retail);
        let listed: Vec<usize> = regular.collect();
        let why = "another price is the one that is paid".to_owned();
        for at in &listed {
            columns.all[*at].kind = Some(Kind::Property);
            columns.all[*at].why.clone_from(&why);
        }
        return prices(columns);
    }
    let taxes: Vec<Option<Tax>> = all.iter().map(|at| of(at).tax).collect();
    let plain: Vec<usize> = all
        .iter()
        .copied()
        .filter(|at| of(at).rest.is_empty() && of(at).why != "amounts of money stand below")
        .collect();
    if taxes.contains(&Some(Tax::Gross)) && taxes.contains(&Some(Tax::Net)) {
        let gross = all.iter().copied().find(|at| of(at).tax == Some(Tax::Gross));
        others(columns, &|at| Some(*at) == gross, "a price with tax stands beside it");
        // Shop software derives the one from the other.
        let derived = |at: &&usize| columns.platform && Some(**at) != gross;
        let derived: Vec<usize> = all.iter().filter(derived).copied().collect();
        for at in derived {
            columns.all[at].kind = Some(Kind::Technical);
        }
    } else if plain.is_empty() {
        let different =
            all.iter().map(|at| of(at).rest.as_str()).collect::<std::collections::HashSet<_>>();
        if different.len() == all.len() && columns.of(Kind::Name).is_none() {
            // A tariff: what its rows are has no name, but each amount says what it is for.
            others(columns, &|_| false, TARIFF);
        } else if different.len() == all.len() {
            columns.priced_variants = all;
        } else {
            let first = all.first().copied();
            others(columns, &|at| Some(*at) == first, "another price stands before it");
        }
    } else {
        let first = plain.iter().copied().min_by_key(|at| (of(at).currency.is_some(), of(at).rank));
        others(columns, &|at| Some(*at) == first, "another column is the price");
    }
}

/// A column that nobody knows is told if its name and its cells read as language.
fn unknown(columns: &mut Columns, looks: &[Looks], platform: bool) {
    for (column, looks) in columns.all.iter_mut().zip(looks) {
        if column.kind.is_some() {
            continue;
        }
        let words = column.name.split_whitespace().count();
        let letters = column.name.chars().filter(|char| char.is_alphabetic()).count();
        let marks = column.name.chars().filter(|char| "{}[]<>=&|\\$@^~:".contains(*char)).count();
        let (telling, why) = if column.name.is_empty() {
            // Short texts say something by themselves; a bare number doesn't.
            let reads =
                looks.mostly(&[Class::Text, Class::Prose, Class::Measure, Class::Amount], 80);
            (
                reads,
                if reads {
                    "it has no name, but texts stand below"
                } else {
                    "it has no name, and its cells say nothing by themselves"
                },
            )
        } else if platform {
            (false, "a field of the shop's software that isn't known")
        } else if column.name.starts_with('_')
            || letters < 2 && column.name.is_ascii() && cells::class(&column.name) != Class::Measure
            || words > 10
            || marks > 0
        {
            (false, "its name doesn't read as language")
        } else if looks.mostly(&[Class::Flag], 90) && looks.spoken * 10 < looks.filled * 9 {
            (false, "0 and 1, true and false, say nothing by themselves")
        } else if looks.mostly(&[Class::Code], 60) && looks.length > 16
            || looks.mostly(&[Class::Address, Class::File], 50)
        {
            (false, "its cells don't read as language")
        } else if columns::meaning(&column.name).is_some() {
            (true, "its name says something else than its cells")
        } else {
            (true, "not known; it reads as language")
        };
        column.kind = None;
        column.telling = if telling { Telling::Told } else { Telling::LeftOut };
        column.why = why.to_owned();
    }
}

/// What stands before its values: its name, without what only the platform needs.
fn label(column: &Column, language: &str) -> String {
    let name = column.name.trim();
    let said = |kind: &str| columns::named_in(kind, language).to_owned();
    let known = columns::meaning(name).map(|meaning| meaning.kind);
    let (kind, word) = match column.kind {
        Some(Kind::Name) => (Kind::Name, "name"),
        Some(Kind::Price) => (Kind::Price, "price"),
        Some(Kind::Description) => (Kind::Description, "description"),
        Some(Kind::Category) => (Kind::Category, "category"),
        Some(Kind::Number) => (Kind::Number, "number"),
        Some(Kind::Stock) => (Kind::Stock, "stock"),
        Some(Kind::Option) => (Kind::Option, "size"),
        _ => (Kind::Property, ""),
    };
    // "30 min" says what its price is for.
    let measured = column.kind == Some(Kind::Price) && cells::class(name) == Class::Measure;
    if name.is_empty() || !word.is_empty() && known.is_none() && kind != Kind::Option && !measured {
        return said(word);
    }
    if kind == Kind::Description && name.to_lowercase().contains("html") {
        return said("description");
    }
    let name = name.strip_prefix("Variant ").unwrap_or(name);
    let name = name.strip_prefix("g:").or_else(|| name.strip_prefix("c:")).unwrap_or(name);
    let name = match name.find("(product.metafields") {
        Some(at) => &name[..at],
        None => name,
    };
    // A label ends at its colon; what would end it before goes.
    let plain: String = name.chars().filter(|char| !".?!¿¡*:;".contains(*char)).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain[..plain.floor_char_boundary(MAX_LABEL)].to_owned();
    // "Variant Inventory Qty" without its first word is nothing that is known.
    let lost =
        known.is_some_and(|known| Some(known) == column.kind) && columns::meaning(&plain).is_none();
    if lost && !word.is_empty() { said(word) } else { plain }
}
