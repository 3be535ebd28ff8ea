//! A document as a page: its sections under their headings, its versions in other languages, and
//! its questions as structured data where it is made of nothing else.

use serde_json::{Value, json};
use url::Url;

use super::{Draft, LeftOut, Paths, Shop, markup, summary};
use crate::language::is_iso_639_1;
use crate::retrieval::Passage;

/// A document that gets a page.
#[derive(Debug)]
pub(super) struct Article {
    pub(super) path: String,
    pub(super) language: String,
    pub(super) title: String,
    /// Where the shop itself shows it.
    pub(super) url: Option<String>,
    sections: Vec<Section>,
    /// What it has in common with its versions in other languages.
    key: String,
}

#[derive(Debug)]
struct Section {
    /// From the outermost to the innermost, without the title.
    headings: Vec<String>,
    /// Markdown.
    text: String,
}

/// Files whose rows aren't texts.
const TABLES: [&str; 7] = ["csv", "tsv", "xlsx", "xlsm", "xls", "ods", "xml"];

/// The documents that are texts; rows of tables, which no page can be made of, are named in
/// `left_out`.
pub(super) fn of(
    documents: Vec<Vec<Passage>>,
    shop: &Shop,
    paths: &mut Paths,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Article> {
    let mut found = Vec::new();
    for passages in documents {
        let Some(first) = passages.first() else { continue };
        let document = first.document.clone();
        let file = document.split('#').next().unwrap_or_default();
        let ending =
            file.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
        if TABLES.contains(&ending.as_str()) {
            left_out
                .push(LeftOut { document, reason: "it is a table's row and no product".into() });
            continue;
        }
        let own = Some(first.language.clone())
            .filter(|code| is_iso_639_1(code))
            .unwrap_or_else(|| shop.language.clone());
        let sections = passages.iter().map(|passage| Section {
            headings: passage.headings.clone(),
            text: passage.text.clone(),
        });
        let bare = document.strip_prefix("api:").unwrap_or(&document);
        let (folder, name) = placed(bare);
        found.push(Article {
            path: paths.give(&folder, &name),
            url: first.url.clone(),
            key: key(bare, first.url.as_deref(), &own),
            title: without_name(&first.title, &shop.name).to_owned(),
            sections: sections.collect(),
            language: own,
        });
    }
    found
}

/// A title without the shop's name at its end, which every page's title gets anyway.
fn without_name<'a>(title: &'a str, name: &str) -> &'a str {
    let rest = title.strip_suffix(name).filter(|_| !name.is_empty()).map(str::trim_end);
    let rest =
        rest.and_then(|rest| rest.strip_suffix(['–', '—', '-', '|', '·', ':'])).map(str::trim_end);
    rest.filter(|rest| !rest.is_empty()).unwrap_or(title)
}

/// The folder, ending with `/`, and the name that a document's page goes by.
fn placed(document: &str) -> (String, String) {
    let (file, record) = document.split_once('#').unwrap_or((document, ""));
    let mut parts: Vec<&str> = file.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let name = parts.pop().unwrap_or_default();
    let stem = name
        .rsplit_once('.')
        .filter(|(stem, ending)| !stem.is_empty() && ending.len() <= 8)
        .map_or(name, |(stem, _)| stem);
    // Deeper than that no reader looks.
    let folder: String =
        parts.into_iter().take(8).map(|part| format!("{}/", super::slug(part))).collect();
    let name = if record.is_empty() { stem.to_owned() } else { format!("{stem} {record}") };
    (if folder.is_empty() { "help/".into() } else { folder }, name)
}

/// The document's address or path without what names its language.
fn key(document: &str, url: Option<&str>, language: &str) -> String {
    let of_url = url
        .and_then(|url| Url::parse(url).ok())
        .map(|url| format!("{}{}", url.host_str().unwrap_or_default(), url.path()));
    let whole = of_url.unwrap_or_else(|| document.to_owned()).to_lowercase();
    let is_tag = |part: &str| {
        part == language || part.split(['-', '_']).next() == Some(language) && part.len() <= 7
    };
    let parts: Vec<String> = whole
        .split('/')
        .filter(|part| !is_tag(part))
        .map(|part| {
            // "returns.de.md", "returns-de.md"
            let (stem, ending) = part.rsplit_once('.').unwrap_or((part, ""));
            let stem = stem
                .strip_suffix(language)
                .and_then(|stem| stem.strip_suffix(['.', '-', '_']))
                .unwrap_or(stem);
            format!("{stem}.{ending}")
        })
        .collect();
    parts.join("/")
}

impl Article {
    pub(super) fn draft(&self, all: &[Self]) -> Draft {
        let mut body = String::new();
        let mut before: &[String] = &[];
        for section in &self.sections {
            let same = before
                .iter()
                .zip(&section.headings)
                .take_while(|(before, now)| before == now)
                .count();
            for (depth, heading) in section.headings.iter().enumerate().skip(same) {
                let level = (depth + 2).min(6);
                body.push_str(&format!("<h{level}>{}</h{level}>\n", markup::escaped(heading)));
            }
            body.push_str(&markup::html(&section.text, section.headings.len() + 1));
            before = &section.headings;
        }
        let mut versions: Vec<(String, String)> = Vec::new();
        for article in all.iter().filter(|article| article.key == self.key) {
            if !versions.iter().any(|(language, _)| *language == article.language) {
                versions.push((article.language.clone(), article.path.clone()));
            }
        }
        // Of two documents in one language neither is the other's version.
        if versions.len() < 2 || !versions.iter().any(|(_, path)| *path == self.path) {
            versions.clear();
        }
        let texts =
            |of: fn(&str) -> String| self.sections.iter().map(move |section| of(&section.text));
        let text = texts(markup::prose).chain(texts(markup::plain)).find(|text| !text.is_empty());
        Draft {
            path: self.path.clone(),
            language: self.language.clone(),
            name: self.title.clone(),
            title: self.title.clone(),
            kind: String::new(),
            description: summary(&text.unwrap_or_default()),
            body,
            data: self.questions().into_iter().collect(),
            versions,
        }
    }

    /// Its questions and answers, where every section is one: markup for questions is for pages
    /// made of them.
    fn questions(&self) -> Option<Value> {
        let asks = |heading: &String| heading.trim_end().ends_with(['?', '？', '؟']);
        let all = self.sections.iter().all(|section| section.headings.last().is_some_and(asks));
        if self.sections.len() < 2 || !all {
            return None;
        }
        let entities = self.sections.iter().map(|section| {
            json!({
                "@type": "Question",
                "name": section.headings.last(),
                "acceptedAnswer": {"@type": "Answer", "text": markup::plain(&section.text)}
            })
        });
        let entities: Vec<Value> = entities.collect();
        Some(json!({"@type": "FAQPage", "inLanguage": self.language, "mainEntity": entities}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_other_languages_are_told_by_their_paths() {
        let same = |one: (&str, Option<&str>, &str), other: (&str, Option<&str>, &str)| {
            key(one.0, one.1, one.2) == key(other.0, other.1, other.2)
        };
        assert!(same(("help/returns.md", None, "en"), ("de/help/returns.md", None, "de")));
        assert!(same(("returns.md", None, "en"), ("returns.de.md", None, "de")));
        let (en, zh) =
            ("https://shop.example/help/returns", "https://shop.example/zh/help/returns");
        assert!(same(("help/returns.md", Some(en), "en"), ("zh/returns.md", Some(zh), "zh")));
        assert!(!same(("help/returns.md", None, "en"), ("de/help/warranty.md", None, "de")));
    }

    #[test]
    fn the_shops_name_is_said_once() {
        assert_eq!(without_name("Returns – Tarn & Co", "Tarn & Co"), "Returns");
        assert_eq!(without_name("All about Tarn & Co", "Tarn & Co"), "All about Tarn & Co");
        assert_eq!(without_name("Tarn & Co", "Tarn & Co"), "Tarn & Co");
    }

    #[test]
    fn documents_are_placed_by_their_paths() {
        assert_eq!(placed("guides/choose-a-tent.md"), ("guides/".into(), "choose-a-tent".into()));
        assert_eq!(placed("faq.jsonl#12"), ("help/".into(), "faq 12".into()));
        assert_eq!(placed("../../etc/passwd"), ("page/page/etc/".into(), "passwd".into()));
    }
}
