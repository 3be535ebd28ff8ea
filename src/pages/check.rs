//! The audit of a folder or file of HTML pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use url::Url;

use super::audit::{self, Page, canonical_of, description_of, title_of};
use super::dom::Dom;
use super::{Finding, Level, advice, quoted, structured};
use crate::retrieval::ingest;

/// Larger files are named and not read: no page that people read is as large.
const MAX_BYTES: u64 = 8 << 20;
/// Elements within elements; browsers stop at 512.
const MAX_DEPTH: usize = 4_000;
/// Pages of one run.
const MAX_PAGES: usize = 100_000;

/// A finding with where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Located {
    /// Relative to the folder.
    pub file: String,
    /// Counted from 1, where it can be told.
    pub line: Option<usize>,
    #[serde(flatten)]
    pub finding: Finding,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub pages: usize,
    pub pages_with_findings: usize,
    pub errors: usize,
    pub warnings: usize,
    /// Findings of each audit.
    pub audits: BTreeMap<&'static str, usize>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub summary: Summary,
    /// By file, then as they stand in it.
    pub findings: Vec<Located>,
}

/// A page that was read.
struct Read {
    name: String,
    source: String,
    dom: Dom,
}

/// Audits a file, or every HTML file of a folder with its robots.txt and sitemap.xml. `base`: the
/// address of the folder; told from the pages' canonical addresses where it isn't given.
///
/// # Errors
/// When the path can't be read or holds no HTML file.
pub fn run(
    path: &Path,
    base: Option<&Url>,
    now_ms: u64,
    progress: &dyn Fn(usize, usize),
) -> anyhow::Result<Report> {
    let is_folder = std::fs::metadata(path)
        .with_context(|| format!("{} can't be read", path.display()))?
        .is_dir();
    let (folder, files) = if is_folder {
        (path, html_files(path)?)
    } else {
        (path.parent().unwrap_or(Path::new("")), vec![path.to_owned()])
    };
    ensure!(!files.is_empty(), "{} holds no HTML file (.html, .htm)", path.display());
    ensure!(
        files.len() <= MAX_PAGES,
        "{} holds more than {MAX_PAGES} pages; check parts of it",
        path.display()
    );
    let mut found: Vec<Located> = Vec::new();
    let mut pages: Vec<Read> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        progress(at, files.len());
        let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().replace('\\', "/");
        match read(file) {
            Ok(source) => pages.push(Read { name, dom: Dom::parse(&source), source }),
            Err(error) => {
                let finding =
                    Finding::error("unreadable", format!("{error:#}."), "Correct the file.");
                found.push(Located { file: name, line: None, finding });
            }
        }
    }
    let robots = std::fs::read(folder.join("robots.txt")).ok().filter(|_| is_folder);
    let robots = robots.and_then(|bytes| ingest::text_of(&bytes).ok());
    for finding in audit::robots_file(200, robots.as_deref()) {
        let line = line_of(robots.as_deref().unwrap_or_default(), &finding.near);
        found.push(Located { file: "robots.txt".into(), line, finding });
    }
    let base = match base {
        Some(base) => base.clone(),
        None => told_base(&pages, now_ms)?,
    };
    let names: BTreeSet<&str> = pages.iter().map(|page| page.name.as_str()).collect();
    let mut titles: BTreeMap<(&'static str, String), Vec<&str>> = BTreeMap::new();
    for read in &pages {
        let url = base
            .join(&address_of(&read.name))
            .context("an address can't be made of a file's name")?;
        let page = Page {
            url,
            status: 200,
            headers: &[],
            robots: robots.as_deref(),
            dom: &read.dom,
            now_ms,
        };
        let mut of_page = audit::all(&page);
        of_page.extend(advice::blocks(&page).iter().flat_map(|text| structured::check(text)));
        of_page.extend(advice::check(&page));
        of_page.extend(
            Some(&page).filter(|_| is_folder).and_then(|page| lost_links(page, folder, &read.name)),
        );
        // A page that stands for another one is told of there.
        if canonical_of(&page).is_none_or(|canonical| canonical == page.url) {
            let description = description_of(&page).unwrap_or_default();
            for (what, text) in [("title", title_of(&page)), ("description", description)] {
                titles.entry((what, text)).or_default().push(&read.name);
            }
        }
        found.extend(of_page.into_iter().map(|finding| {
            let line = line_of(&read.source, &finding.near);
            Located { file: read.name.clone(), line, finding }
        }));
    }
    for ((what, text), files) in
        titles.iter().filter(|((_, text), files)| files.len() > 1 && !text.is_empty())
    {
        let told =
            format!("{} pages have the {what} {}: {}.", files.len(), quoted(text), first(files));
        let finding = Finding::warning(
            "same-words",
            told,
            "Say in each what it is about and the others aren't.",
        );
        found.push(Located { file: files[0].to_owned(), line: None, finding });
    }
    if is_folder {
        found.extend(sitemap(folder, &base, &names));
    }
    progress(files.len(), files.len());
    Ok(report(found, files.len()))
}

fn report(mut findings: Vec<Located>, pages: usize) -> Report {
    findings.sort_by(|a, b| {
        (&a.file, a.finding.level, a.line).cmp(&(&b.file, b.finding.level, b.line))
    });
    let mut summary = Summary { pages, ..Summary::default() };
    let mut files = BTreeSet::new();
    for located in &findings {
        match located.finding.level {
            Level::Error => summary.errors += 1,
            Level::Warning => summary.warnings += 1,
        }
        *summary.audits.entry(located.finding.audit).or_default() += 1;
        files.insert(&located.file);
    }
    summary.pages_with_findings = files.len();
    Report { summary, findings }
}

fn first(names: &[&str]) -> String {
    let more = if names.len() > 3 { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(3)].join(", "))
}

fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::metadata(file)?.len();
    ensure!(bytes <= MAX_BYTES, "the file is larger than {} MiB and wasn't read", MAX_BYTES >> 20);
    let bytes = std::fs::read(file).context("the file can't be read")?;
    let text =
        ingest::text_of(&bytes).map_err(|error| anyhow::anyhow!("the file is no text: {error}"))?;
    ensure!(
        depth(&text) <= MAX_DEPTH,
        "its elements are nested deeper than {MAX_DEPTH}, as in no page, and it wasn't read"
    );
    Ok(text)
}

/// How many elements are open at once, about. The parser's time grows with the square of it.
fn depth(html: &str) -> usize {
    let (mut open, mut most, mut at) = (0_usize, 0, 0);
    while let Some(found) = html[at..].find('<') {
        at += found + 1;
        let rest = &html[at..];
        let (ends, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let name: String = rest.chars().take(12).take_while(char::is_ascii_alphanumeric).collect();
        // What stands in scripts and styles is no element.
        let raw =
            ["script", "style"].into_iter().find(|raw| !ends && name.eq_ignore_ascii_case(raw));
        if let Some(raw) = raw {
            at += rest.find(&format!("</{raw}")).unwrap_or(rest.len());
            continue;
        }
        // Elements that are empty, or end by themselves where the next begins.
        let closes_itself = matches!(
            name.to_ascii_lowercase().as_str(),
            "" | "p"
                | "li"
                | "dt"
                | "dd"
                | "tr"
                | "td"
                | "th"
                | "thead"
                | "tbody"
                | "tfoot"
                | "option"
                | "br"
                | "hr"
                | "img"
                | "meta"
                | "link"
                | "input"
                | "area"
                | "base"
                | "col"
                | "embed"
                | "source"
                | "track"
                | "wbr"
                | "path"
                | "circle"
                | "rect"
                | "line"
                | "use"
                | "loc"
                | "lastmod"
        );
        match ends {
            _ if closes_itself => {}
            true => open = open.saturating_sub(1),
            false => open += 1,
        }
        most = most.max(open);
    }
    most
}

/// HTML files of a folder and those within, by path. Links to folders aren't followed: they may
/// lead in circles.
fn html_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("{} can't be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let extension =
                path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            if kind.is_dir() {
                open.push(path);
            } else if matches!(extension.as_deref(), Some("html" | "htm" | "xhtml"))
                && path.is_file()
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The address of a file below the folder's: an index is its folder.
fn address_of(name: &str) -> String {
    let folder = ["index.html", "index.htm"].iter().find_map(|index| name.strip_suffix(index));
    let path = folder.filter(|folder| folder.is_empty() || folder.ends_with('/')).unwrap_or(name);
    // A name may hold what parts an address.
    format!("./{}", path.replace('%', "%25").replace('#', "%23").replace('?', "%3F"))
}

/// The folder's address, as most pages' canonical addresses have it.
fn told_base(pages: &[Read], now_ms: u64) -> anyhow::Result<Url> {
    let local = Url::parse("http://localhost/")?;
    let mut votes: BTreeMap<Url, usize> = BTreeMap::new();
    for read in pages {
        let page = Page {
            url: local.clone(),
            status: 200,
            headers: &[],
            robots: None,
            dom: &read.dom,
            now_ms,
        };
        let relative = local.join(&address_of(&read.name))?;
        let canonical = canonical_of(&page);
        let above =
            canonical.as_ref().and_then(|canonical| canonical.path().strip_suffix(relative.path()));
        if let Some((mut base, above)) = canonical.clone().zip(above) {
            base.set_path(&format!("{above}/"));
            base.set_query(None);
            base.set_fragment(None);
            *votes.entry(base).or_default() += 1;
        }
    }
    Ok(votes.into_iter().max_by_key(|(_, votes)| *votes).map_or(local, |(base, _)| base))
}

/// Relative links of a page that lead to no file.
fn lost_links(page: &Page<'_>, folder: &Path, name: &str) -> Option<Finding> {
    if page.dom.named("base").next().is_some() {
        return None;
    }
    let local = Url::parse("http://localhost/").ok()?.join(&address_of(name)).ok()?;
    let mut lost: Vec<&str> = Vec::new();
    for href in page.dom.named("a").filter_map(|at| at.element.get("href")) {
        let relative = !(href.is_empty()
            || href.starts_with(['/', '#', '?', '\\'])
            || Url::parse(href).is_ok());
        let Some(target) = local.join(href.trim()).ok().filter(|_| relative) else { continue };
        let path: String = decoded(target.path()).trim_start_matches('/').to_owned();
        // Servers find `guide.html` and `guide/index.html` under `guide`.
        let file = folder.join(&path);
        let served = [
            file.clone(),
            file.join("index.html"),
            folder.join(format!("{}.html", path.trim_end_matches('/'))),
        ];
        if !served.iter().any(|file| file.exists()) && !lost.contains(&href) {
            lost.push(href);
        }
    }
    let href = *lost.first()?;
    let told = format!("Links lead to no file of the folder: {}.", first(&lost));
    Some(
        Finding::warning("lost-link", told, "Correct them, or publish the pages that they mean.")
            .near(href),
    )
}

/// A path without percent-encoding.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = || u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok();
        match hex().filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Addresses of the sitemap that no file has.
fn sitemap(folder: &Path, base: &Url, names: &BTreeSet<&str>) -> Option<Located> {
    let source = read(&folder.join("sitemap.xml")).ok()?;
    let known: BTreeSet<Url> =
        names.iter().filter_map(|name| base.join(&address_of(name)).ok()).collect();
    let dom = Dom::parse(&source);
    let listed: Vec<String> =
        dom.named("loc").map(|loc| loc.text_content().trim().to_owned()).collect();
    let lost = listed.iter().filter(|address| {
        let url = Url::parse(address).ok();
        url.is_none_or(|url| {
            url.as_str().starts_with(base.as_str())
                && url.path().ends_with(['/', 'l'])
                && !known.contains(&url)
        })
    });
    let lost: Vec<&str> = lost.map(String::as_str).collect();
    let near = lost.first()?;
    let told = format!("Addresses of the sitemap lead to no file: {}.", first(&lost));
    let finding = Finding::warning("sitemap", told, "Remove them, or publish the pages.");
    Some(Located { file: "sitemap.xml".into(), line: line_of(&source, near), finding })
}

/// Where a piece of the source stands.
fn line_of(source: &str, near: &str) -> Option<usize> {
    let at = source.find(near).filter(|_| !near.trim().is_empty())?;
    Some(source[..at].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn depth_is_told_about() {
        assert_eq!(depth("<html><body><ul><li>a<li>b</ul><br><p>x<p>y</body></html>"), 3);
        assert_eq!(depth("<div><script>if (a<b && c<d) x('<div><div>')</script><p>x</div>"), 1);
        assert_eq!(depth(&"<div>".repeat(5_000)), 5_000);
        assert_eq!(depth("<"), 0);
    }
}
