//! What visitors read that is no answer: one file of phrases per language,
//! `prompts/phrases/LANGUAGE.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The phrases that are built in, by ISO 639-1 code.
const BUILT_IN: &[(&str, &str)] = &[
    ("en", include_str!("../../prompts/phrases/en.toml")),
    ("de", include_str!("../../prompts/phrases/de.toml")),
    ("fr", include_str!("../../prompts/phrases/fr.toml")),
    ("es", include_str!("../../prompts/phrases/es.toml")),
    ("it", include_str!("../../prompts/phrases/it.toml")),
    ("nl", include_str!("../../prompts/phrases/nl.toml")),
    ("pt", include_str!("../../prompts/phrases/pt.toml")),
    ("pl", include_str!("../../prompts/phrases/pl.toml")),
    ("sv", include_str!("../../prompts/phrases/sv.toml")),
    ("zh", include_str!("../../prompts/phrases/zh.toml")),
    ("ja", include_str!("../../prompts/phrases/ja.toml")),
];

/// The language that has every phrase, and stands in for one that lacks some.
pub(super) const COMPLETE: &str = "en";

/// The phrases of one language.
#[derive(Clone, Debug, Default)]
pub(super) struct Phrases {
    /// Jinja templates, by the phrase's name.
    pub texts: BTreeMap<String, String>,
    /// What the language calls other languages, by code.
    pub names: BTreeMap<String, String>,
}

/// The built-in phrases with what a directory replaces or adds, by language.
///
/// # Errors
/// When a file can't be read, is no table of texts, or has a phrase of a name that isn't known; the
/// text names the file.
pub(super) fn load(directory: &Path) -> anyhow::Result<BTreeMap<String, Phrases>> {
    let mut all = BTreeMap::new();
    for (language, source) in BUILT_IN {
        let mut phrases = Phrases::default();
        phrases.take(source).with_context(|| format!("the built-in phrases of {language}"))?;
        all.insert((*language).to_owned(), phrases);
    }
    let complete = all.get(COMPLETE).cloned().unwrap_or_default();
    for Own { language, path, source } in own(directory)? {
        let phrases: &mut Phrases = all.entry(language).or_default();
        phrases.take(&source).with_context(|| path.display().to_string())?;
        if let Some(unknown) = phrases.texts.keys().find(|name| !complete.texts.contains_key(*name))
        {
            let near = complete.texts.keys().max_by(|a, b| {
                strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown))
            });
            let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            bail!("{}: there is no phrase {unknown:?}{near}", path.display());
        }
    }
    Ok(all)
}

/// A site's own file for a language.
pub(super) struct Own {
    /// ISO 639-1.
    pub(super) language: String,
    pub(super) path: PathBuf,
    pub(super) source: String,
}

/// The files of a directory that are named by their language, such as `de.toml`; none where there
/// is no such directory.
///
/// # Errors
/// When one can't be read, or is named otherwise.
pub(super) fn own(directory: &Path) -> anyhow::Result<Vec<Own>> {
    let files = match std::fs::read_dir(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("can't read {}", directory.display()));
        }
    };
    let mut all = Vec::new();
    for file in files {
        let path = file.with_context(|| format!("can't read {}", directory.display()))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let language =
            path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
            bail!(
                "{}: the name isn't a language's code of two letters, such as de.toml",
                path.display()
            );
        }
        let source = std::fs::read_to_string(&path)
            .with_context(|| format!("can't read {}", path.display()))?;
        all.push(Own { language, path, source });
    }
    Ok(all)
}

impl Phrases {
    /// Takes up a file's phrases, in place of those of the same name.
    fn take(&mut self, source: &str) -> anyhow::Result<()> {
        let table: toml::Table = source.parse()?;
        for (name, value) in table {
            match value {
                toml::Value::String(text) => {
                    self.texts.insert(name, text);
                }
                toml::Value::Table(names) if name == "languages" => {
                    for (code, name) in names {
                        let Some(name) = name.as_str() else {
                            bail!("languages.{code} isn't a text")
                        };
                        self.names.insert(code, name.to_owned());
                    }
                }
                _ => bail!("{name} isn't a text"),
            }
        }
        Ok(())
    }

    /// What a language lacks, by name: phrases of `complete`, and its names of languages.
    pub(super) fn missing(&self, complete: &Self) -> Vec<String> {
        let texts = complete.texts.keys().filter(|name| !self.texts.contains_key(*name)).cloned();
        let names = complete.names.keys().filter(|code| !self.names.contains_key(*code));
        texts.chain(names.map(|code| format!("languages.{code}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_phrase() {
        let all = load(Path::new("no/such/folder")).unwrap();
        let complete = &all[COMPLETE];
        let lacking: Vec<String> = all
            .iter()
            .flat_map(|(language, phrases)| {
                phrases
                    .missing(complete)
                    .into_iter()
                    .map(move |name| format!("{language} lacks {name}"))
            })
            .collect();
        assert!(lacking.is_empty(), "{}", lacking.join("\n"));
        // What a translation drops by mistake: the ways to reach the site, and the parts of a
        // question.
        for (language, phrases) in &all {
            for (name, text) in &phrases.texts {
                for variable in [
                    "site.name",
                    "site.contact",
                    "titles",
                    "number",
                    "[source]",
                    "[request]",
                    "if way",
                ] {
                    let expected = complete.texts[name].contains(variable);
                    assert_eq!(text.contains(variable), expected, "{language}: {name}: {variable}");
                }
            }
        }
    }

    #[test]
    fn a_site_changes_phrases_and_adds_languages() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("de.toml"), "greeting = \"Moin!\"").unwrap();
        std::fs::write(folder.path().join("da.toml"), "greeting = \"Hej!\"").unwrap();
        let all = load(folder.path()).unwrap();
        assert_eq!(all["de"].texts["greeting"], "Moin!");
        assert!(all["de"].texts["thanks"].starts_with("Gern"));
        assert_eq!(all["da"].texts["greeting"], "Hej!");
        assert!(all["da"].missing(&all[COMPLETE]).contains(&"thanks".to_owned()));
    }

    #[test]
    fn a_faulty_file_is_named_with_its_fault() {
        #[track_caller]
        fn check(name: &str, text: &str, expected: &str) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
            let error = format!("{:#}", load(folder.path()).unwrap_err());
            assert!(error.contains(name) && error.contains(expected), "{error}");
        }
        check("de.toml", "greetings = \"Moin!\"", "did you mean \"greeting\"?");
        check("de.toml", "greeting = 3", "greeting isn't a text");
        check("de.toml", "greeting = ", "TOML parse error");
        check("german.toml", "", "two letters");
    }
}
