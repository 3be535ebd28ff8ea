//! Word lists by purpose and language: `data/words/*.toml`, a table for each language, a list for
//! each use. Pure.
//!
//! A short message needn't tell which language it is in, so the words of all languages count
//! together. Languages without spaces between words have lists of their own, whose words count
//! wherever they stand.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

/// A file's words by language and list.
type File = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A list of words of all languages.
pub type List = Vec<String>;

/// The lists of a built-in file, each with the words of all languages. What can't be read is
/// logged, and every list is empty then; `every_file_is_read` keeps that from happening.
#[must_use]
pub fn of_all_languages<L: DeserializeOwned + Default>(file: &str) -> L {
    merged(file).unwrap_or_else(|error| {
        tracing::error!(%error, "a built-in list of words can't be read");
        L::default()
    })
}

/// Whether a list holds a word.
#[must_use]
pub fn has(list: &[String], word: &str) -> bool {
    list.iter().any(|own| own == word)
}

/// Whether a text holds one of a list wherever it stands, also within a word.
#[must_use]
pub fn stands_in(list: &[String], text: &str) -> bool {
    list.iter().any(|own| text.contains(own.as_str()))
}

fn merged<L: DeserializeOwned>(file: &str) -> Result<L, toml::de::Error> {
    let file: File = toml::from_str(file)?;
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, words) in file.into_values().flatten() {
        lists.entry(name).or_default().extend(words);
    }
    toml::Value::try_from(lists).map_err(serde::de::Error::custom).and_then(toml::Value::try_into)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;

    /// Languages whose words the shop's messages are told apart by, as `data/tone/` has them.
    const LANGUAGES: &[&str] = &["de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "sv", "zh"];
    const UNSPACED: &[&str] = &["ja", "zh"];

    /// What is still to be written: a file and a language with no words at all, or with the lists
    /// that it lacks.
    const LACKING: &[&str] = &[
        "anger de: impatient, ours, within",
        "anger es: impatient, within",
        "anger fr: impatient, ours, within",
        "anger it",
        "anger ja",
        "anger nl",
        "anger pl",
        "anger pt",
        "anger sv",
        "claims de: openers, refusals",
        "claims es",
        "claims fr",
        "claims it",
        "claims ja",
        "claims nl",
        "claims pl",
        "claims pt",
        "claims sv",
        "overview it",
        "overview ja",
        "overview nl",
        "overview pl",
        "overview pt",
        "overview sv",
        "person fr: able",
        "person it",
        "person ja",
        "person nl",
        "person pl",
        "person pt",
        "person sv: after, alone, but, general",
        "pointing de",
        "pointing es",
        "pointing fr",
        "pointing it",
        "pointing ja",
        "pointing nl",
        "pointing pl",
        "pointing pt",
        "pointing sv",
        "quote de",
        "quote es",
        "quote fr",
        "quote it",
        "quote ja",
        "quote nl",
        "quote pl",
        "quote pt",
        "quote sv",
        "turn de",
        "turn es",
        "turn fr",
        "turn it",
        "turn ja",
        "turn nl",
        "turn pl",
        "turn pt",
        "turn sv",
        "turn zh",
        "verdicts ja",
        "verdicts pl: stressed",
        "verdicts sv",
    ];

    fn files() -> BTreeMap<String, File> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/language/data/words");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let file = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                (name, file)
            })
            .collect()
    }

    #[test]
    fn what_a_language_lacks_is_named() {
        let mut lacking = Vec::new();
        for (name, file) in files() {
            for language in LANGUAGES {
                let unspaced = UNSPACED.contains(language);
                let alike =
                    file.iter().filter(|(other, _)| UNSPACED.contains(&other.as_str()) == unspaced);
                let wanted: BTreeSet<&String> = alike.flat_map(|(_, lists)| lists.keys()).collect();
                match file.get(*language) {
                    None => lacking.push(format!("{name} {language}")),
                    Some(own) => {
                        let none = wanted.into_iter().filter(|list| !own.contains_key(*list));
                        let none: Vec<&str> = none.map(String::as_str).collect();
                        if !none.is_empty() {
                            lacking.push(format!("{name} {language}: {}", none.join(", ")));
                        }
                    }
                }
            }
        }
        assert_eq!(lacking, LACKING, "left is what is lacking");
    }

    #[test]
    fn words_are_written_as_they_are_compared() {
        let mut found = 0;
        for (name, file) in files() {
            for (language, lists) in &file {
                assert!(LANGUAGES.contains(&language.as_str()), "{name}: {language}");
                for (list, words) in lists {
                    let mut seen = BTreeSet::new();
                    for word in words {
                        let plain = word.to_lowercase().replace('’', "'");
                        assert_eq!(*word, plain, "{name} {language} {list}");
                        assert!(seen.insert(word), "{name} {language} {list}: {word} twice");
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 0);
    }

    #[test]
    fn lists_of_all_languages_are_one() {
        #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Lists {
            yes: List,
            no: List,
        }
        let lists: Lists =
            merged("[en]\nyes = [\"yes\"]\nno = [\"no\"]\n[de]\nyes = [\"ja\"]").unwrap();
        assert_eq!(lists.no, ["no"]);
        assert_eq!(lists.yes.len(), 2);
        assert!(has(&lists.yes, "ja") && !has(&lists.yes, "j") && stands_in(&lists.no, "nose"));
        // A list that nobody reads, and one that is missing.
        assert!(merged::<Lists>("[en]\nyes = []\nno = []\nmaybe = []").is_err());
        assert!(merged::<Lists>("[en]\nyes = []").is_err());
        assert_eq!(of_all_languages::<Lists>("[en]\nyes = []"), Lists::default());
    }
}
