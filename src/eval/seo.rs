//! How often the audit of pages agrees with Lighthouse, whether it calls right JSON-LD wrong, and
//! whether it finds faults that are put into it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::pages::audit::{self, Page};
use crate::pages::dom::Dom;
use crate::pages::vocabulary::{TEXTS, terms};
use crate::pages::{Finding, Level, structured};
use crate::training::Progress;

/// A page with the verdict of one of Lighthouse's audits.
#[derive(Clone, Debug, Deserialize)]
struct Case {
    id: String,
    audit: String,
    fails: bool,
    /// How many faults it names, where that is told.
    items: Option<usize>,
    url: String,
    /// Of the page; of robots.txt where that is audited.
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    robots_txt: Option<String>,
    html: Option<String>,
}

/// A block of JSON-LD.
#[derive(Clone, Debug, Deserialize)]
struct Block {
    id: String,
    jsonld: Value,
    /// Whether there is a fault in it; there is none if left out.
    #[serde(default)]
    fails: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub summary: Summary,
    pub audits: BTreeMap<String, Agreement>,
    /// Faults that were put in, by kind.
    pub faults: BTreeMap<&'static str, Caught>,
    pub cases: Vec<Judged>,
    pub blocks: Vec<Checked>,
    /// Faults that weren't found.
    pub missed: Vec<Missed>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub cases: usize,
    pub agree: usize,
    pub agreement: Option<f64>,
    /// Of the cases that tell how many faults there are.
    pub counts_agree: Option<f64>,
    pub blocks: usize,
    pub called_wrong: usize,
    /// Blocks without a fault that search engines would show less of than they could.
    pub with_warnings: usize,
    pub faults_put_in: usize,
    pub faults_found: usize,
    pub found: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Agreement {
    pub cases: usize,
    pub agree: usize,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Caught {
    pub put_in: usize,
    pub found: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    pub id: String,
    pub audit: String,
    pub expected: bool,
    pub fails: bool,
    pub faults: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    pub id: String,
    /// Whether a fault is in it.
    pub expected: bool,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Missed {
    pub id: String,
    pub kind: &'static str,
    /// The block with the fault.
    pub jsonld: Value,
}

/// Audits the pages of `cases`, and the blocks of `jsonld` as they are and with `faults` faults of
/// each kind that fits.
///
/// # Errors
/// When a file can't be read or a line is no case or block; the text names file and line.
pub fn run(
    cases: Option<&Path>,
    jsonld: Option<&Path>,
    faults: usize,
    seed: u64,
    now_ms: u64,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let cases: Vec<Case> = cases.map(lines).transpose()?.unwrap_or_default();
    let blocks: Vec<Block> = jsonld.map(lines).transpose()?.unwrap_or_default();
    let mut report = Report {
        summary: Summary::default(),
        audits: BTreeMap::new(),
        faults: BTreeMap::new(),
        cases: Vec::new(),
        blocks: Vec::new(),
        missed: Vec::new(),
    };
    let mut counted = (0, 0);
    for case in &cases {
        let found = judge(case, now_ms).with_context(|| format!("case {}", case.id))?;
        let fails = !found.is_empty();
        let agreement = report.audits.entry(case.audit.clone()).or_default();
        agreement.cases += 1;
        agreement.agree += usize::from(fails == case.fails);
        if let Some(items) = case.items {
            counted.0 += 1;
            counted.1 += usize::from(items == found.len());
        }
        let faults = found.into_iter().map(|finding| finding.fault).collect();
        let judged = Judged {
            id: case.id.clone(),
            audit: case.audit.clone(),
            expected: case.fails,
            fails,
            faults,
        };
        report.cases.push(judged);
    }
    let mut random = StdRng::seed_from_u64(seed);
    for (at, block) in blocks.iter().enumerate() {
        progress("blocks with faults", at, blocks.len());
        let found = structured::check_value(&block.jsonld);
        if !block.fails {
            put_in(block, &found, faults, &mut random, &mut report);
        }
        let of = |level: Level| {
            let found = found.iter().filter(|finding| finding.level == level);
            found.map(|finding| finding.fault.clone()).collect::<Vec<_>>()
        };
        let (errors, warnings) = (of(Level::Error), of(Level::Warning));
        report.blocks.push(Checked {
            id: block.id.clone(),
            expected: block.fails,
            errors,
            warnings,
        });
    }
    report.summary = summary(&report, counted);
    Ok(report)
}

fn summary(report: &Report, (told, told_right): (usize, usize)) -> Summary {
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    let agree = report.cases.iter().filter(|case| case.fails == case.expected).count();
    let right = || report.blocks.iter().filter(|block| !block.expected);
    let given = report.blocks.iter().filter(|block| block.expected);
    let given_found = given
        .clone()
        .filter(|block| !block.errors.is_empty() || !block.warnings.is_empty())
        .count();
    let put_in = report.faults.values().map(|kind| kind.put_in).sum::<usize>() + given.count();
    let found = report.faults.values().map(|kind| kind.found).sum::<usize>() + given_found;
    Summary {
        cases: report.cases.len(),
        agree,
        agreement: share(agree, report.cases.len()),
        counts_agree: share(told_right, told),
        blocks: report.blocks.len(),
        called_wrong: right().filter(|block| !block.errors.is_empty()).count(),
        with_warnings: right().filter(|block| !block.warnings.is_empty()).count(),
        faults_put_in: put_in,
        faults_found: found,
        found: share(found, put_in),
    }
}

fn lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} can't be read", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(at, line)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: not such a record", path.display(), at + 1))
    });
    let read = read.collect::<anyhow::Result<Vec<T>>>()?;
    ensure!(!read.is_empty(), "{} holds nothing", path.display());
    Ok(read)
}

fn judge(case: &Case, now_ms: u64) -> anyhow::Result<Vec<Finding>> {
    if case.audit == "robots-txt" {
        // Lighthouse fails a file that it couldn't ask for.
        let Some(status) = case.status else {
            return Ok(audit::robots_file(500, None));
        };
        return Ok(audit::robots_file(status, case.robots_txt.as_deref()));
    }
    let dom = Dom::parse(case.html.as_deref().unwrap_or_default());
    let page = Page {
        url: Url::parse(&case.url).with_context(|| format!("{:?} is no address", case.url))?,
        status: case.status.unwrap_or(200),
        headers: &case.headers,
        robots: case.robots_txt.as_deref(),
        dom: &dom,
        now_ms,
    };
    audit::run(&case.audit, &page).with_context(|| format!("there is no audit {:?}", case.audit))
}

/// Puts each kind of fault that fits into copies of a block, and looks whether something new is
/// found.
fn put_in(
    block: &Block,
    before: &[Finding],
    faults: usize,
    random: &mut StdRng,
    report: &mut Report,
) {
    for (kind, fault) in KINDS {
        for _ in 0..faults {
            let mut jsonld = block.jsonld.clone();
            if fault(&mut jsonld, random).is_none() {
                break;
            }
            let found =
                structured::check_value(&jsonld).iter().any(|finding| !before.contains(finding));
            let caught = report.faults.entry(kind).or_default();
            caught.put_in += 1;
            caught.found += usize::from(found);
            if !found {
                report.missed.push(Missed { id: block.id.clone(), kind, jsonld });
            }
        }
    }
}

/// Puts a fault in; `None` where the block has no place for it.
type Fault = fn(&mut Value, &mut StdRng) -> Option<()>;

/// What people do wrong, as the validators' users and shops' pages show.
const KINDS: [(&str, Fault); 15] = [
    ("no context", |block, _| first(block)?.remove("@context").map(drop)),
    ("context misspelt", |block, random| {
        let context = first(block)?.get_mut("@context")?;
        let wrong = ["https://schema.og", "https://shema.org", "http://schema.com/", "schema"];
        *context = json!(wrong.choose(random)?);
        Some(())
    }),
    ("no type", |block, _| {
        let top = first(block)?;
        top.contains_key("@graph")
            .then_some(())
            .map_or_else(|| top.remove("@type").map(drop), |()| None)
    }),
    ("type misspelt", |block, random| {
        let thing = pick(block, random, |thing| type_of(thing).is_some())?;
        let name = misspelt(type_of(thing)?, random, |name| terms().is_type(name))?;
        thing.insert("@type".into(), json!(name));
        Some(())
    }),
    ("property misspelt", |block, random| {
        let is_known = |key: &str| terms().property(key).is_some();
        let thing = pick(block, random, |thing| {
            type_of(thing).is_some() && thing.keys().any(|key| is_known(key))
        })?;
        let keys: Vec<String> = thing.keys().filter(|key| is_known(key)).cloned().collect();
        let key = keys.choose(random)?;
        let wrong = misspelt(key, random, is_known)?;
        let value = thing.remove(key)?;
        thing.insert(wrong, value);
        Some(())
    }),
    ("property of another type", |block, random| {
        let thing =
            pick(block, random, |thing| type_of(thing).is_some_and(|kind| !is_a(kind, "Role")))?;
        let is = terms().with_ancestors(type_of(thing)?);
        let others: Vec<&str> = [
            "numberOfPages",
            "cookTime",
            "jobTitle",
            "sku",
            "iataCode",
            "recipeYield",
            "birthPlace",
            "isbn",
            "servesCuisine",
        ]
        .into_iter()
        .filter(|name| {
            terms()
                .property(name)
                .is_some_and(|property| !property.of.iter().any(|of| is.contains(of)))
        })
        .collect();
        thing.insert((*others.choose(random)?).to_owned(), json!("3"));
        Some(())
    }),
    ("value of another kind", |block, random| {
        let fits = |key: &str, value: &Value| {
            value.as_object().is_some_and(|inner| type_of(inner).is_some())
                && terms().property(key).is_some_and(|property| {
                    !property.takes.iter().any(|takes| is_a("Recipe", takes))
                })
        };
        let thing = pick(block, random, |thing| thing.iter().any(|(key, value)| fits(key, value)))?;
        let keys: Vec<String> = thing
            .iter()
            .filter(|(key, value)| fits(key, value))
            .map(|(key, _)| key.clone())
            .collect();
        thing.insert(keys.choose(random)?.clone(), json!({"@type": "Recipe", "name": "Soup"}));
        Some(())
    }),
    ("enumeration misspelt", |block, random| {
        let fits = |key: &str, value: &Value| {
            let property = terms().property(key)?;
            let only = property.takes.iter().all(|takes| terms().is_enumeration(takes));
            let name = value.as_str()?.rsplit('/').next()?;
            (only && terms().enumerations(name).is_some()).then_some(())
        };
        let thing = pick(block, random, |thing| {
            thing.iter().any(|(key, value)| fits(key, value).is_some())
        })?;
        let keys: Vec<String> = thing
            .iter()
            .filter(|(key, value)| fits(key, value).is_some())
            .map(|(key, _)| key.clone())
            .collect();
        let key = keys.choose(random)?;
        let wrong = misspelt(thing.get(key)?.as_str()?.rsplit('/').next()?, random, |name| {
            terms().enumerations(name).is_some()
        })?;
        thing.insert(key.clone(), json!(format!("https://schema.org/{wrong}")));
        Some(())
    }),
    ("price as people write it", |block, random| {
        let thing = pick(block, random, |thing| thing.contains_key("price"))?;
        let wrong = ["$ 1,299.00", "12,50", "19.90 EUR", "on request", "€5"];
        thing.insert("price".into(), json!(wrong.choose(random)?));
        Some(())
    }),
    ("currency left out", |block, random| {
        let priced = |thing: &Map<String, Value>| {
            let price = thing
                .get("price")
                .map(|price| price.as_str().map_or_else(|| price.to_string(), str::to_owned));
            price.and_then(|price| price.parse::<f64>().ok()).is_some_and(|price| price > 0.0)
        };
        pick(block, random, |thing| thing.contains_key("priceCurrency") && priced(thing))?
            .remove("priceCurrency")
            .map(drop)
    }),
    ("currency as people write it", |block, random| {
        let thing = pick(block, random, |thing| thing.contains_key("priceCurrency"))?;
        thing.insert(
            "priceCurrency".into(),
            json!(["$", "Euro", "US Dollar", "€", "eur"].choose(random)?),
        );
        Some(())
    }),
    ("name of a product left out", |block, random| {
        let product = |thing: &Map<String, Value>| {
            type_of(thing) == Some("Product") && !thing.contains_key("@id")
        };
        pick(block, random, |thing| product(thing) && thing.contains_key("name"))?
            .remove("name")
            .map(drop)
    }),
    ("answer left out", |block, random| {
        let top = first(block)?;
        let is_page = type_of(top) == Some("FAQPage");
        let top = Some(block).filter(|_| is_page)?;
        pick(top, random, |thing| thing.contains_key("acceptedAnswer"))?
            .remove("acceptedAnswer")
            .map(drop)
    }),
    ("place of a breadcrumb left out", |block, random| {
        let is_list = type_of(first(block)?) == Some("BreadcrumbList");
        let top = Some(block).filter(|_| is_list)?;
        pick(top, random, |thing| thing.contains_key("position"))?.remove("position").map(drop)
    }),
    ("date in words", |block, random| {
        let is_date = |key: &str| {
            terms().property(key).is_some_and(|property| {
                property.takes.iter().any(|takes| matches!(*takes, "Date" | "DateTime"))
                    && !property.takes.iter().any(|takes| TEXTS.contains(takes))
            })
        };
        let thing = pick(block, random, |thing| thing.keys().any(|key| is_date(key)))?;
        let keys: Vec<String> = thing.keys().filter(|key| is_date(key)).cloned().collect();
        thing.insert(
            keys.choose(random)?.clone(),
            json!(["next Friday", "31.12.2026", "12/31/2026"].choose(random)?),
        );
        Some(())
    }),
];

fn is_a(kind: &str, of: &str) -> bool {
    terms().with_ancestors(kind).contains(of)
}

/// The block's first thing.
fn first(block: &mut Value) -> Option<&mut Map<String, Value>> {
    match block {
        Value::Array(all) => all.first_mut()?.as_object_mut(),
        Value::Object(thing) => Some(thing),
        _ => None,
    }
}

/// The type of schema.org that a thing says it has, if it says one.
fn type_of(thing: &Map<String, Value>) -> Option<&str> {
    let kind = thing.get("@type")?.as_str()?;
    terms().is_type(kind).then_some(kind)
}

/// One of the things that fit, anywhere in the block; words of other vocabularies are left alone.
fn pick<'a>(
    block: &'a mut Value,
    random: &mut StdRng,
    fits: impl Fn(&Map<String, Value>) -> bool,
) -> Option<&'a mut Map<String, Value>> {
    let mut places: Vec<String> = Vec::new();
    let mut open = vec![(String::new(), &*block)];
    while let Some((place, value)) = open.pop() {
        match value {
            Value::Array(items) => open
                .extend(items.iter().enumerate().map(|(at, item)| (format!("{place}/{at}"), item))),
            Value::Object(thing) => {
                if !thing.get("@context").is_none_or(Value::is_string) {
                    continue;
                }
                if fits(thing) {
                    places.push(place.clone());
                }
                let inner = thing.iter().filter(|(key, _)| *key != "@context");
                open.extend(inner.map(|(key, value)| {
                    (format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), value)
                }));
            }
            _ => {}
        }
    }
    places.sort();
    block.pointer_mut(places.choose(random)?)?.as_object_mut()
}

/// A word with a typing mistake that makes no other word of the vocabulary.
fn misspelt(word: &str, random: &mut StdRng, is_known: impl Fn(&str) -> bool) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    (0..20).find_map(|_| {
        let mut wrong = letters.clone();
        let at = random.random_range(0..letters.len());
        match random.random_range(0..4) {
            0 if at + 1 < wrong.len() => wrong.swap(at, at + 1),
            1 if wrong.len() > 3 => drop(wrong.remove(at)),
            2 => wrong.insert(at, letters[at]),
            _ => {
                wrong[at] =
                    if letters[at].is_uppercase() { letters[at].to_ascii_lowercase() } else { 'x' }
            }
        }
        let wrong: String = wrong.into_iter().collect();
        (wrong != word && !is_known(&wrong)).then_some(wrong)
    })
}
