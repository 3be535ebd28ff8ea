//! A site's public documents and products as static pages: HTML with JSON-LD, a sitemap, robots.txt
//! and llms.txt.
//!
//! [`build`] makes every file in memory; [`folder`] puts them in place. Prices and stock are those
//! of the catalogue's rows; what isn't public or doesn't hold now is left out. A product without
//! price and currency states no offer: half a statement would be a fault.

mod article;
pub mod folder;
mod goods;
mod listing;
mod markup;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, ensure};
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use self::article::Article;
use self::goods::Goods;
use crate::language;
use crate::retrieval::{Audience, Passage};
use crate::wording::Wording;

/// Whose pages they are.
#[derive(Clone, Debug)]
pub struct Shop {
    pub name: String,
    pub contact: String,
    /// ISO 639-1.
    pub language: String,
    /// Where the folder is published; its path ends with `/`.
    pub base: Url,
    /// What the pages say around the site's own words.
    pub wording: Wording,
}

/// A phrase with a value in place of a name in braces.
fn filled(phrase: &str, name: &str, value: &str) -> String {
    phrase.replace(&format!("{{{name}}}"), value)
}

/// The files of a site, by path below the folder.
#[derive(Clone, Debug, Default)]
pub struct Built {
    pub files: BTreeMap<String, Vec<u8>>,
    pub report: Report,
}

/// What became pages and what didn't.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub help_pages: usize,
    pub product_pages: usize,
    /// Rows of the catalogue that an offer is stated for.
    pub offers: usize,
    pub left_out: Vec<LeftOut>,
}

/// A document or row that is on no page, or is there without its offer.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    pub document: String,
    pub reason: String,
}

/// A page before its markup.
#[derive(Debug)]
struct Draft {
    path: String,
    language: String,
    /// What it is called on the page and in links.
    name: String,
    /// What it is called in results; no other page has the same.
    title: String,
    /// What parts it from others of its name: a category.
    kind: String,
    description: String,
    body: String,
    /// Things that it states beside its place among the pages.
    data: Vec<Value>,
    /// The same text in other languages: language and path.
    versions: Vec<(String, String)>,
}

/// Characters of a description that results show, about.
const DESCRIPTION: usize = 155;

/// Makes the pages of a site.
///
/// # Errors
/// When there is nothing to publish, or the base address can't be one.
pub fn build(shop: &Shop, documents: Vec<Vec<Passage>>, now_ms: u64) -> anyhow::Result<Built> {
    ensure!(
        matches!(shop.base.scheme(), "http" | "https") && shop.base.path().ends_with('/'),
        "{} can't be the address of a folder; write https://…/",
        shop.base
    );
    let mut report = Report::default();
    let documents = holding(documents, now_ms, &mut report.left_out);
    let mut paths = Paths::default();
    let (rows, texts): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .partition(|passages| passages.iter().any(|passage| passage.product.is_some()));
    let articles = article::of(texts, shop, &mut paths, &mut report.left_out);
    let goods = goods::of(&rows, shop, &mut paths, &mut report);
    ensure!(
        !(articles.is_empty() && goods.is_empty()),
        "the site has no public document and no product to publish"
    );
    (report.help_pages, report.product_pages) = (articles.len(), goods.len());
    let mut drafts: Vec<Draft> = Vec::new();
    drafts.extend(articles.iter().map(|article| article.draft(&articles)));
    drafts.extend(goods.iter().map(|goods| goods.draft(shop, &articles)));
    tell_apart(&mut drafts);
    let mut files = BTreeMap::new();
    let environment = environment()?;
    for draft in &drafts {
        files.insert(draft.path.clone(), rendered(&environment, shop, draft, false)?.into_bytes());
    }
    let index = listing::index(shop, &drafts, &articles, &goods);
    files.insert(index.path.clone(), rendered(&environment, shop, &index, true)?.into_bytes());
    let addresses = std::iter::once("").chain(drafts.iter().map(|draft| draft.path.as_str()));
    files.insert("sitemap.xml".into(), listing::sitemap(shop, addresses).into_bytes());
    files.insert("robots.txt".into(), listing::robots(shop).into_bytes());
    files.insert("llms.txt".into(), listing::llms(shop, &drafts, articles.len()).into_bytes());
    files.insert("style.css".into(), include_str!("data/style.css").into());
    Ok(Built { files, report })
}

/// The public passages that hold now, of each document that has some.
fn holding(
    documents: Vec<Vec<Passage>>,
    now_ms: u64,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Vec<Passage>> {
    let mut kept = Vec::new();
    for passages in documents {
        let Some(first) = passages.first() else { continue };
        let (document, mut reason) = (first.document.clone(), "");
        let hides = |passage: &Passage| {
            if passage.audience != Audience::Public {
                "it is for agents alone"
            } else if passage.valid_until_ms.is_some_and(|until| until < now_ms) {
                "it no longer holds (valid_until)"
            } else if passage.valid_from_ms.is_some_and(|from| from > now_ms) {
                "it doesn't hold yet (valid_from)"
            } else {
                ""
            }
        };
        let shown: Vec<Passage> = passages
            .into_iter()
            .filter(|passage| {
                let hides = hides(passage);
                reason = if hides.is_empty() { reason } else { hides };
                hides.is_empty()
            })
            .collect();
        if !reason.is_empty() {
            left_out.push(LeftOut { document, reason: reason.to_owned() });
        }
        if !shown.is_empty() {
            kept.push(shown);
        }
    }
    kept
}

/// Gives pages of one title or description their own: products by their category, all others by
/// their path.
fn tell_apart(drafts: &mut [Draft]) {
    let taken = |drafts: &[Draft]| {
        let mut titles: HashMap<String, usize> = HashMap::new();
        drafts.iter().for_each(|draft| *titles.entry(draft.title.clone()).or_default() += 1);
        titles
    };
    let titles = taken(drafts);
    let shared = |titles: &HashMap<String, usize>, title: &str| {
        titles.get(title).is_some_and(|count| *count > 1)
    };
    for draft in
        drafts.iter_mut().filter(|draft| !draft.kind.is_empty() && shared(&titles, &draft.title))
    {
        draft.title = format!("{} – {}", draft.name, draft.kind);
    }
    let titles = taken(drafts);
    for draft in drafts.iter_mut().filter(|draft| shared(&titles, &draft.title)) {
        draft.title = format!("{} ({})", draft.title, draft.path.trim_end_matches(".html"));
    }
    let mut descriptions: HashMap<String, usize> = HashMap::new();
    drafts
        .iter()
        .for_each(|draft| *descriptions.entry(draft.description.clone()).or_default() += 1);
    for draft in drafts.iter_mut() {
        if draft.description.is_empty() || shared(&descriptions, &draft.description) {
            draft.description = format!("{}. {}", draft.title, draft.description).trim().to_owned();
        }
    }
}

/// Paths that are given away: each page has its own, whatever the file system takes for the same.
#[derive(Debug, Default)]
struct Paths(BTreeSet<String>);

impl Paths {
    /// A path in `folder` made of a name's letters and digits.
    fn give(&mut self, folder: &str, name: &str) -> String {
        let own = slug(name);
        (1..)
            .map(|number| if number == 1 { own.clone() } else { format!("{own}-{number}") })
            .map(|name| format!("{folder}{name}.html"))
            .find(|path| self.0.insert(path.clone()))
            .unwrap_or_default()
    }
}

/// A name's letters and digits in lower case, with hyphens between; never empty, never a name that
/// a system keeps for itself.
fn slug(name: &str) -> String {
    const KEPT: [&str; 7] = ["con", "prn", "aux", "nul", "com1", "lpt1", "index"];
    let lower = name.to_lowercase();
    let words = language::words(&lower);
    let mut slug = String::new();
    for word in words {
        if !slug.is_empty() && slug.len() + word.len() > 80 {
            break;
        }
        let word: String = word.chars().take(60).collect();
        slug.push_str(if slug.is_empty() { "" } else { "-" });
        slug.push_str(&word);
    }
    if slug.is_empty() || KEPT.contains(&slug.as_str()) {
        format!("page-{slug}").trim_end_matches('-').to_owned()
    } else {
        slug
    }
}

/// A path as a relative address writes it.
fn encoded(path: &str) -> String {
    let joined = Url::parse("http://localhost/").and_then(|base| base.join(path));
    joined.map_or_else(|_| path.to_owned(), |url| url.path().trim_start_matches('/').to_owned())
}

/// The way from a page to the folder's top.
fn up(path: &str) -> String {
    "../".repeat(path.matches('/').count())
}

/// The first sentences of a text, as many as results show.
fn summary(text: &str) -> String {
    let wide = text.chars().filter(|char| !char.is_ascii()).count() * 2 > text.chars().count();
    let most = if wide { DESCRIPTION / 2 } else { DESCRIPTION };
    let mut end = 0;
    for sentence in language::sentences(text) {
        if text[..sentence.end].chars().count() > most {
            break;
        }
        end = sentence.end;
    }
    if end > 0 {
        return text[..end].to_owned();
    }
    let Some((cut, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let word = text[..cut].rfind(' ').filter(|at| *at > 0).unwrap_or(cut);
    format!("{}…", text[..word].trim_end_matches([',', ';', ':', ' ']))
}

/// Data for a script element, which nothing in it can end.
fn script(data: &Value) -> String {
    data.to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn environment() -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    // Everything is escaped but what is marked as safe.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, _, value| {
        let text = value.to_string();
        Ok(out.write_str(&if value.is_safe() { text } else { markup::escaped(&text) })?)
    });
    environment
        .add_template("page", include_str!("data/page.html"))
        .context("the page's template")?;
    Ok(environment)
}

#[derive(Serialize)]
struct Step {
    name: String,
    href: Option<String>,
}

#[derive(Serialize)]
struct Version {
    language: String,
    url: String,
    /// Relative to the page.
    href: String,
    name: String,
}

fn rendered(
    environment: &Environment<'_>,
    shop: &Shop,
    draft: &Draft,
    is_index: bool,
) -> anyhow::Result<String> {
    let say = shop.wording.pages(&draft.language);
    let address = |path: &str| shop.base.join(path).map(String::from).unwrap_or_default();
    let canonical = if is_index { shop.base.to_string() } else { address(&draft.path) };
    let up = up(&draft.path);
    let home =
        json!({"@type": "ListItem", "position": 1, "name": say.home, "item": shop.base.as_str()});
    let mut data = draft.data.clone();
    let mut steps = Vec::new();
    if !is_index {
        data.push(json!({"@type": "BreadcrumbList", "itemListElement": [
            home,
            {"@type": "ListItem", "position": 2, "name": draft.name, "item": canonical}
        ]}));
        steps.push(Step { name: say.home.clone(), href: Some(format!("{up}index.html")) });
        steps.push(Step { name: draft.name.clone(), href: None });
    }
    let version = |(language, path): &(String, String)| Version {
        url: address(path),
        href: format!("{up}{}", encoded(path)),
        name: shop
            .wording
            .own_pages(language)
            .map_or_else(|| language.clone(), |say| say.name.clone()),
        language: language.clone(),
    };
    let mut versions: Vec<Version> = draft.versions.iter().map(version).collect();
    let others: Vec<Version> = draft
        .versions
        .iter()
        .filter(|(language, _)| *language != draft.language)
        .map(version)
        .collect();
    if let Some(own) = draft.versions.iter().find(|(language, _)| *language == shop.language) {
        versions.push(Version { language: "x-default".into(), ..version(own) });
    }
    let email = Some(&shop.contact).filter(|contact| is_email(contact));
    let title =
        if is_index { shop.name.clone() } else { format!("{} – {}", draft.title, shop.name) };
    let template = environment.get_template("page").context("the page's template")?;
    template
        .render(minijinja::context! {
            language => draft.language,
            title => title.trim_end_matches(" – "),
            description => draft.description,
            canonical => canonical,
            versions => versions,
            others => others,
            up => up,
            data => script(&json!({"@context": "https://schema.org", "@graph": data})),
            site => shop.name,
            steps => steps,
            heading => draft.name,
            body => draft.body,
            contact => shop.contact,
            contact_href => email.map(|address| format!("mailto:{address}")),
            say => say,
        })
        .with_context(|| format!("the page {}", draft.path))
}

fn is_email(text: &str) -> bool {
    let sound = |char: char| char.is_ascii_alphanumeric() || ".-_+".contains(char);
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && name.chars().all(sound) && host.chars().all(sound)
    })
}

/// The shop itself, as its start page states it.
fn organization(shop: &Shop) -> Value {
    let mut organization =
        json!({"@type": "Organization", "name": shop.name, "url": shop.base.as_str()});
    if is_email(&shop.contact) {
        organization["email"] = json!(shop.contact);
    }
    organization
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_safe_and_each_ones_own() {
        let mut paths = Paths::default();
        assert_eq!(paths.give("catalogue/", "../../etc/passwd"), "catalogue/etc-passwd.html");
        assert_eq!(paths.give("catalogue/", "Etc  PASSWD!"), "catalogue/etc-passwd-2.html");
        assert_eq!(paths.give("", "CON"), "page-con.html");
        assert_eq!(paths.give("", "///"), "page.html");
        assert_eq!(paths.give("", "帐篷 2"), "帐篷-2.html");
        assert!(paths.give("", &"x".repeat(5_000)).len() < 100);
    }

    #[test]
    fn summaries_end_with_a_sentence_or_a_word() {
        assert_eq!(summary("Short."), "Short.");
        assert_eq!(summary(&format!("One sentence. {}", "word ".repeat(60))), "One sentence.");
        let cut = summary(&"word ".repeat(60));
        assert!(cut.ends_with("word…") && cut.chars().count() <= DESCRIPTION + 1, "{cut}");
        assert!(summary(&"字".repeat(400)).chars().count() <= DESCRIPTION);
    }

    #[test]
    fn no_text_ends_a_script() {
        let data = json!({"name": "</script><script>alert(1)</script><!--"});
        assert!(!script(&data).contains(['<', '>']));
        assert_eq!(serde_json::from_str::<Value>(&script(&data)).unwrap(), data);
    }
}
