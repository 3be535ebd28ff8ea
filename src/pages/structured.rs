//! What a page states for search engines: JSON-LD in schema.org's words.
//!
//! A fault is what schema.org's validator reports: text that isn't JSON, a type or property that
//! the vocabulary doesn't have, a property on a thing that has none such, a value of a kind that
//! the property doesn't take. Beyond that, what search engines ask of products, offers,
//! breadcrumbs, questions and organizations (`required`). Terms of other vocabularies, where the
//! context brings one, are left alone; microdata and RDFa aren't read.

mod required;
mod value;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::vocabulary::{self, terms};
use super::{Finding, quoted};

pub(super) const AUDIT: &str = "structured-data";

/// A thing with the types that it says it has.
pub(super) type Thing = Map<String, Value>;

/// What is wrong with one `<script type="application/ld+json">`.
#[must_use]
pub fn check(text: &str) -> Vec<Finding> {
    match serde_json::from_str::<Value>(text.trim()) {
        Ok(value) => check_value(&value),
        Err(error) => {
            let told = format!("The structured data isn't JSON: {error}.");
            vec![
                Finding::error(AUDIT, told, "Correct it there; nothing of it is read until then.")
                    .near(text.trim()),
            ]
        }
    }
}

/// The same for data that is parsed already.
#[must_use]
pub fn check_value(value: &Value) -> Vec<Finding> {
    let mut check = Check::default();
    check.root(value, None);
    check.found
}

/// Every thing of these types within the data, also those that stand in other things.
#[must_use]
pub fn things<'a>(value: &'a Value, types: &[&str]) -> Vec<&'a Thing> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().rev()),
            Value::Object(thing) => {
                if kinds(thing).iter().any(|kind| {
                    types.iter().any(|wanted| terms().with_ancestors(kind).contains(wanted))
                }) {
                    found.push(thing);
                }
                open.extend(thing.values().rev());
            }
            _ => {}
        }
    }
    found
}

/// Its types, without the vocabulary's address.
pub(super) fn kinds(thing: &Thing) -> Vec<&str> {
    let types = thing.get("@type").or_else(|| thing.get("type"));
    let all = match types {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    all.into_iter().map(|kind| term_of(kind).unwrap_or(kind)).collect()
}

/// The term of schema.org that an address or prefixed name stands for; `None` for those of others.
pub(super) fn term_of(name: &str) -> Option<&str> {
    let schema = [
        "https://schema.org/",
        "http://schema.org/",
        "https://www.schema.org/",
        "http://www.schema.org/",
        "schema:",
    ];
    if let Some(term) = schema.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        return Some(term);
    }
    (!name.contains(':')).then_some(name)
}

/// What a context says of the words in a block.
#[derive(Clone, Debug, Default)]
struct Scope {
    /// Plain words are schema.org's.
    schema: bool,
    /// They may be another vocabulary's.
    open: bool,
    /// Words that the context itself explains.
    explained: BTreeSet<String>,
}

fn is_schema(address: &str) -> bool {
    let rest = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))
        .unwrap_or_default();
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let rest = rest.strip_prefix("schema.org").map(|rest| rest.trim_end_matches(['/', '#']));
    rest.is_some_and(|rest| {
        matches!(
            rest,
            "" | "/docs/jsonldcontext.json"
                | "/docs/jsonldcontext.jsonld"
                | "/version/latest/schemaorg-current-https.jsonld"
        )
    })
}

impl Scope {
    fn with(mut self, context: &Value) -> Self {
        match context {
            Value::String(address) if is_schema(address) => self.schema = true,
            Value::String(_) => self.open = true,
            Value::Array(all) => return all.iter().fold(self, Self::with),
            Value::Object(words) => {
                for (word, meaning) in words {
                    match (word.as_str(), meaning.as_str()) {
                        ("@vocab", Some(address)) if is_schema(address) => self.schema = true,
                        ("@vocab", Some(_)) => self.open = true,
                        _ => drop(self.explained.insert(word.clone())),
                    }
                }
            }
            _ => {}
        }
        self
    }
}

/// Words of JSON-LD 1.1 itself.
const KEYWORDS: [&str; 21] = [
    "@base",
    "@container",
    "@context",
    "@direction",
    "@graph",
    "@id",
    "@import",
    "@included",
    "@index",
    "@json",
    "@language",
    "@list",
    "@nest",
    "@none",
    "@prefix",
    "@propagate",
    "@reverse",
    "@set",
    "@type",
    "@value",
    "@version",
];

/// Values of these are read as a thing of a certain kind, and by nobody if they don't say of which.
const TYPED: [&str; 11] = [
    "acceptedAnswer",
    "address",
    "aggregateRating",
    "brand",
    "itemListElement",
    "mainEntity",
    "offers",
    "review",
    "reviewRating",
    "seller",
    "suggestedAnswer",
];

#[derive(Default)]
struct Check {
    found: Vec<Finding>,
}

impl Check {
    fn error(&mut self, fault: String, remedy: impl Into<String>, near: &str) {
        self.add(Finding::error(AUDIT, fault, remedy).near(near));
    }

    fn add(&mut self, finding: Finding) {
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    /// A block, or one of several things that stand at its top.
    fn root(&mut self, value: &Value, scope: Option<&Scope>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.root(item, scope)),
            Value::Object(thing) => {
                let context = thing.get("@context");
                let before = scope.cloned().unwrap_or_default();
                let scope = context.into_iter().fold(before, Scope::with);
                if !scope.schema {
                    let told = match context {
                        None => "The structured data names no @context, so its words mean nothing."
                            .to_owned(),
                        Some(context) => format!(
                            "The @context {} isn't schema.org's.",
                            quoted(&text_of(context))
                        ),
                    };
                    self.error(told, "Write \"@context\": \"https://schema.org\".", "@context");
                    return;
                }
                let listing = thing.get("@graph");
                if let Some(things) = listing {
                    self.root(things, Some(&scope));
                }
                let says =
                    thing.keys().any(|key| !matches!(key.as_str(), "@context" | "@graph" | "@id"));
                if says || listing.is_none() {
                    self.thing(thing, &scope, None);
                }
            }
            _ => {
                let told = format!("The structured data {} is no thing.", quoted(&text_of(value)));
                self.error(told, "Write {\"@context\": \"https://schema.org\", \"@type\": …}.", "");
            }
        }
    }

    /// `from`: the property that it is the value of; `None` at the top.
    fn thing(&mut self, thing: &Thing, scope: &Scope, from: Option<&str>) {
        let scope = &thing
            .get("@context")
            .filter(|_| from.is_some())
            .into_iter()
            .fold(scope.clone(), Scope::with);
        let kinds = kinds(thing);
        let mut is: BTreeSet<&str> = BTreeSet::new();
        let mut foreign = scope.open;
        for kind in &kinds {
            let known = terms().with_ancestors(kind);
            foreign |= kind.contains(':') || scope.explained.contains(*kind);
            if known.is_empty() && !foreign {
                let told = format!("schema.org has no type {}.", quoted(kind));
                let like = terms()
                    .type_like(kind)
                    .map(|like| format!("Write \"{like}\", if that is meant."));
                self.error(
                    told,
                    like.unwrap_or_else(|| "Use a type of https://schema.org.".into()),
                    kind,
                );
            }
            is.extend(known);
        }
        let own: Vec<&String> =
            thing.keys().filter(|key| !matches!(key.as_str(), "@id" | "id" | "@context")).collect();
        if kinds.is_empty() && !own.is_empty() && !scope.open {
            match from {
                None => {
                    let told = "A thing of the structured data has no @type.".to_owned();
                    self.error(told, "Say what it is: \"@type\": \"Product\" for example.", own[0]);
                }
                Some(property) if TYPED.contains(&property) && !thing.contains_key("@id") => {
                    let takes = terms()
                        .property(property)
                        .map(|property| property.takes.join(", "))
                        .unwrap_or_default();
                    let told = format!("What stands under \"{property}\" has no @type.");
                    self.error(told, format!("Say what it is: one of {takes}."), property);
                }
                Some(_) => {}
            }
        }
        for (key, value) in thing {
            self.property(key, value, &kinds, &is, foreign, scope);
        }
        if !is.is_empty() {
            for finding in required::check(thing, &is, from) {
                self.add(finding);
            }
        }
    }

    fn property(
        &mut self,
        key: &str,
        value: &Value,
        kinds: &[&str],
        is: &BTreeSet<&str>,
        foreign: bool,
        scope: &Scope,
    ) {
        if key.starts_with('@') {
            if !KEYWORDS.contains(&key) {
                let told = format!("JSON-LD has no keyword {}.", quoted(key));
                self.error(
                    told,
                    "Correct its spelling: @type, @id and @context are the usual ones.",
                    key,
                );
            }
            return;
        }
        // Aliases of JSON-LD's own words in schema.org's context, and words of other vocabularies.
        let Some(term) = term_of(key)
            .filter(|_| !(matches!(key, "id" | "type") || scope.explained.contains(key)))
        else {
            return;
        };
        // What an action asks for is noted on the property (schema.org/docs/actions.html).
        let term =
            term.strip_suffix("-input").or_else(|| term.strip_suffix("-output")).unwrap_or(term);
        let Some(property) = terms().property(term) else {
            if !foreign {
                let told = format!("schema.org has no property {}.", quoted(term));
                let like = terms()
                    .property_like(term)
                    .map(|like| format!("Write \"{like}\", if that is meant."));
                self.error(
                    told,
                    like.unwrap_or_else(|| {
                        "Remove it, or use a property of https://schema.org.".into()
                    }),
                    key,
                );
            }
            return;
        };
        // A role stands between two things and takes the property along (schema.org/Role).
        let has =
            is.is_empty() || is.contains("Role") || property.of.iter().any(|of| is.contains(of));
        if !has && !foreign {
            let told = format!("{} has no property \"{term}\".", kinds.join(" and "));
            let of = property.of.join(", ");
            self.error(told, format!("It belongs to {of}; move it there or remove it."), key);
        }
        self.values(term, property, value, foreign, scope);
    }

    fn values(
        &mut self,
        term: &str,
        property: &vocabulary::Property,
        value: &Value,
        foreign: bool,
        scope: &Scope,
    ) {
        match value {
            Value::Array(items) => {
                items.iter().for_each(|item| self.values(term, property, item, foreign, scope))
            }
            Value::Object(thing) => {
                if let Some(value) =
                    thing.get("@value").or_else(|| thing.get("@list")).or_else(|| thing.get("@set"))
                {
                    return self.values(term, property, value, foreign, scope);
                }
                let kinds = kinds(thing);
                let is: BTreeSet<&str> =
                    kinds.iter().flat_map(|kind| terms().with_ancestors(kind)).collect();
                let takes = is.is_empty()
                    || is.contains("Role")
                    || property.takes.iter().any(|takes| is.contains(takes));
                let other =
                    foreign || scope.explained.iter().any(|word| kinds.contains(&word.as_str()));
                if !takes && !other {
                    let told = format!("\"{term}\" takes no {}.", kinds.join(" and "));
                    self.error(told, format!("It takes {}.", property.takes.join(", ")), term);
                }
                self.thing(thing, scope, Some(term));
            }
            literal if foreign || literal.is_null() => {}
            literal => {
                if let Some((fault, remedy)) = value::fault(term, property, literal) {
                    self.error(fault, remedy, &text_of(literal));
                }
            }
        }
    }
}

/// A value as text; things and lists as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
