//! Addresses: joined and compared as browsers do (the URL Standard of WHATWG, by the crate `url`),
//! and the links of an HTTP header (RFC 8288).

use url::Url;

/// A link of a page's head or of its HTTP header `Link`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// In lower case.
    pub(super) rel: String,
    pub(super) hreflang: String,
    /// As it is written.
    pub(super) raw: String,
    /// Resolved; as written where it can't be, `None` where a header's can't be.
    pub(super) href: Option<String>,
}

/// The address that a browser makes of a reference on a page.
#[must_use]
pub(super) fn resolved(reference: &str, base: &Url) -> Option<Url> {
    base.join(reference).ok()
}

/// Whether two addresses are the same page: all but the fragment is equal.
#[must_use]
pub(super) fn is_same_page(one: &Url, other: &Url) -> bool {
    let bare = |url: &Url| {
        let mut url = url.clone();
        url.set_fragment(None);
        url
    };
    bare(one) == bare(other)
}

/// The links of one header `Link`. A header that breaks the grammar gives those before the fault
/// away, too, as Lighthouse reads none of it.
#[must_use]
pub(super) fn of_header(value: &str, page: &Url) -> Vec<Link> {
    links(value.trim()).map_or_else(Vec::new, |links| {
        let each = links.into_iter().flat_map(|(target, attributes)| {
            let get = |name: &str| {
                attributes
                    .iter()
                    .find(|(key, _)| key == name)
                    .map_or("", |(_, value)| value.as_str())
            };
            // One link for each relation that it names.
            let rels = get("rel").split(' ').map(str::to_lowercase).collect::<Vec<_>>();
            let href = resolved(&target, page).map(String::from);
            let hreflang = get("hreflang").to_owned();
            rels.into_iter().map(move |rel| Link {
                rel,
                hreflang: hreflang.clone(),
                raw: target.clone(),
                href: href.clone(),
            })
        });
        each.collect()
    })
}

type Attributes = Vec<(String, String)>;

fn links(mut rest: &str) -> Option<Vec<(String, Attributes)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(found);
        }
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let mut attributes = Attributes::new();
        rest = after.trim_start();
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start();
            if after.is_empty() || after.starts_with([';', ',']) {
                rest = after;
                continue;
            }
            let length = after.find(['=', ';', ',']).unwrap_or(after.len());
            let (name, after) = after.split_at(length);
            let (value, after) = match after.strip_prefix('=') {
                Some(after) => value(after.trim_start()),
                None => (String::new(), after),
            };
            attributes.push((name.trim().to_lowercase(), value));
            rest = after.trim_start();
        }
        found.push((target.to_owned(), attributes));
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?;
        }
    }
}

/// A token or a quoted string, and what follows.
fn value(text: &str) -> (String, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let length = text.find([';', ',']).unwrap_or(text.len());
        return (text[..length].trim_end().to_owned(), &text[length..]);
    };
    let mut read = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (read, &inner[at + 1..]),
            '\\' => read.extend(chars.next().map(|(_, char)| char)),
            char => read.push(char),
        }
    }
    (read, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_headers_are_told_apart() {
        let page = Url::parse("https://shop.example/a/b").unwrap();
        let links = of_header(
            r#"<https://x.example/>; rel="canonical", </fr>; hreflang=fr; rel="alternate next""#,
            &page,
        );
        let told: Vec<_> = links
            .iter()
            .map(|link| (link.rel.as_str(), link.hreflang.as_str(), link.href.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("canonical", "", Some("https://x.example/")),
                ("alternate", "fr", Some("https://shop.example/fr")),
                ("next", "fr", Some("https://shop.example/fr"))
            ]
        );
        assert!(of_header("https://x.example/; rel=canonical", &page).is_empty());
    }
}
