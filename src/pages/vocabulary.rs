//! The vocabulary of schema.org: types, their properties, what values those take, and the members
//! of enumerations.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// The terms of schema.org.
pub(crate) struct Vocabulary {
    types: HashMap<&'static str, Vec<&'static str>>,
    properties: HashMap<&'static str, Property>,
    members: HashMap<&'static str, Vec<&'static str>>,
}

/// Where a property may stand and what it takes, by names of types.
pub(crate) struct Property {
    pub(crate) of: Vec<&'static str>,
    pub(crate) takes: Vec<&'static str>,
}

/// What a text is written as, in place of a thing.
pub(crate) const TEXTS: [&str; 6] =
    ["Text", "URL", "CssSelectorType", "XPathType", "PronounceableText", "DataType"];
pub(crate) const NUMBERS: [&str; 3] = ["Number", "Integer", "Float"];
pub(crate) const TIMES: [&str; 3] = ["Date", "DateTime", "Time"];

/// The terms, read once.
pub(crate) fn terms() -> &'static Vocabulary {
    static TERMS: LazyLock<Vocabulary> = LazyLock::new(|| {
        let mut found = Vocabulary {
            types: HashMap::new(),
            properties: HashMap::new(),
            members: HashMap::new(),
        };
        for line in include_str!("data/schema_org.txt").lines() {
            let Some((kind, rest)) = line.split_once(' ') else { continue };
            let (left, right) = rest.split_once('|').unwrap_or((rest, ""));
            let mut words = left.split_whitespace();
            let Some(name) = words.next() else { continue };
            match kind {
                "t" => drop(found.types.insert(name, words.collect())),
                "m" => drop(found.members.insert(name, words.collect())),
                "p" => {
                    let property =
                        Property { of: words.collect(), takes: right.split_whitespace().collect() };
                    found.properties.insert(name, property);
                }
                _ => {}
            }
        }
        found
    });
    &TERMS
}

impl Vocabulary {
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name)
    }

    pub(crate) fn is_type(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// The types that a type is one of, itself included; empty for none.
    pub(crate) fn with_ancestors(&self, name: &str) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&'static str> =
            self.types.get_key_value(name).map(|(name, _)| *name).into_iter().collect();
        while let Some(name) = open.pop() {
            if found.insert(name) {
                open.extend(self.types.get(name).into_iter().flatten());
            }
        }
        found
    }

    /// The enumerations that a value is a member of; `None` if it is no member of any.
    pub(crate) fn enumerations(&self, value: &str) -> Option<BTreeSet<&'static str>> {
        let of = self.members.get(value)?;
        Some(of.iter().flat_map(|enumeration| self.with_ancestors(enumeration)).collect())
    }

    /// Whether a type is a list of values.
    pub(crate) fn is_enumeration(&self, name: &str) -> bool {
        self.with_ancestors(name).contains("Enumeration")
    }

    /// The type with the most similar name, if one is similar.
    pub(crate) fn type_like(&self, name: &str) -> Option<&'static str> {
        nearest(name, self.types.keys())
    }

    pub(crate) fn property_like(&self, name: &str) -> Option<&'static str> {
        nearest(name, self.properties.keys())
    }

    /// The member of one of the enumerations with the most similar name.
    pub(crate) fn member_like(&self, value: &str, enumerations: &[&str]) -> Option<&'static str> {
        let of = |name: &&'static str| {
            self.enumerations(name)
                .is_some_and(|found| enumerations.iter().any(|wanted| found.contains(wanted)))
        };
        nearest(value, self.members.keys().filter(|name| of(name)))
    }

    /// Some members of an enumeration, in the order of the alphabet.
    pub(crate) fn examples(&self, enumerations: &[&str]) -> Vec<&'static str> {
        let of = |name: &&&'static str| {
            self.enumerations(name)
                .is_some_and(|found| enumerations.iter().any(|wanted| found.contains(wanted)))
        };
        let mut names: Vec<&'static str> = self.members.keys().filter(of).copied().collect();
        names.sort_unstable();
        names
    }
}

fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a &'static str>) -> Option<&'static str> {
    let folded = name.to_lowercase();
    let near = names.map(|known| (strsim::osa_distance(&folded, &known.to_lowercase()), *known));
    let (distance, known) = near.min()?;
    (distance * 3 <= name.chars().count().max(3)).then_some(known)
}
