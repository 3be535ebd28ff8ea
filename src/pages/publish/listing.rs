//! What leads to the pages: the start page, the sitemap, robots.txt and llms.txt.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::{Article, Draft, Goods, Shop, encoded, filled, markup, organization};

/// The start page: the documents by language, the site's own first, and the products by category.
pub(super) fn index(shop: &Shop, drafts: &[Draft], articles: &[Article], goods: &[Goods]) -> Draft {
    let say = shop.wording.pages(&shop.language);
    let mut body = String::new();
    let mut languages: Vec<&str> = vec![&shop.language];
    for article in articles {
        if !languages.contains(&article.language.as_str()) {
            languages.push(&article.language);
        }
    }
    let (texts, products) = drafts.split_at(articles.len());
    for language in languages {
        let own: Vec<&Draft> = texts.iter().filter(|draft| draft.language == language).collect();
        if own.is_empty() {
            continue;
        }
        let heading = &shop.wording.pages(language).help;
        let lang = if language == shop.language {
            String::new()
        } else {
            format!(" lang=\"{}\"", markup::escaped(language))
        };
        let _ = writeln!(
            body,
            "<section{lang}>\n<h2>{}</h2>\n<ul class=\"index\">",
            markup::escaped(heading)
        );
        for draft in own {
            let _ = writeln!(
                body,
                "<li><a href=\"{}\">{}</a></li>",
                encoded(&draft.path),
                markup::escaped(&draft.name)
            );
        }
        body.push_str("</ul>\n</section>\n");
    }
    if !goods.is_empty() {
        let _ = writeln!(body, "<section>\n<h2>{}</h2>", markup::escaped(&say.products));
        let mut categories: BTreeMap<&str, Vec<(&Goods, &Draft)>> = BTreeMap::new();
        for pair in goods.iter().zip(products) {
            categories.entry(&pair.0.category).or_default().push(pair);
        }
        for (category, members) in categories {
            if !category.is_empty() {
                let _ = writeln!(body, "<h3>{}</h3>", markup::escaped(category));
            }
            body.push_str("<ul class=\"index\">\n");
            for (goods, draft) in members {
                let (href, name) = (encoded(&draft.path), markup::escaped(&draft.name));
                let price = markup::escaped(&goods.lowest(say));
                let _ =
                    writeln!(body, "<li><a href=\"{href}\">{name}</a> <span>{price}</span></li>");
            }
            body.push_str("</ul>\n");
        }
        body.push_str("</section>\n");
    }
    let site = json!({"@type": "WebSite", "name": shop.name, "url": shop.base.as_str(), "inLanguage": shop.language});
    Draft {
        path: "index.html".into(),
        language: shop.language.clone(),
        name: shop.name.clone(),
        title: shop.name.clone(),
        kind: String::new(),
        description: filled(&say.intro, "site", &shop.name),
        body,
        data: vec![organization(shop), site],
        versions: Vec::new(),
    }
}

/// The addresses of all pages (<https://www.sitemaps.org/protocol.html>).
pub(super) fn sitemap<'a>(shop: &Shop, paths: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    for address in paths.filter_map(|path| shop.base.join(path).ok()) {
        let _ = writeln!(out, "<url><loc>{}</loc></url>", markup::escaped(address.as_str()));
    }
    out.push_str("</urlset>\n");
    out
}

pub(super) fn robots(shop: &Shop) -> String {
    let sitemap = shop.base.join("sitemap.xml").map(String::from).unwrap_or_default();
    format!("User-agent: *\nAllow: /\n\nSitemap: {sitemap}\n")
}

/// The pages for language models (<https://llmstxt.org>).
pub(super) fn llms(shop: &Shop, drafts: &[Draft], articles: usize) -> String {
    let say = shop.wording.pages(&shop.language);
    let line = |text: &str| {
        let text: String =
            text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
    };
    let mut out =
        format!("# {}\n\n> {}\n", line(&shop.name), line(&filled(&say.intro, "site", &shop.name)));
    let (texts, products) = drafts.split_at(articles);
    for (heading, drafts) in [(&say.help, texts), (&say.products, products)]
        .into_iter()
        .filter(|(_, drafts)| !drafts.is_empty())
    {
        let _ = writeln!(out, "\n## {}\n", line(heading));
        for draft in drafts {
            let address = shop.base.join(&draft.path).map(String::from).unwrap_or_default();
            let _ =
                writeln!(out, "- [{}]({address}): {}", line(&draft.name), line(&draft.description));
        }
    }
    out
}
