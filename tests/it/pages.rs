//! Auditing web pages, as the real binary does it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::directory;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_frontdesk")).args(arguments).output().unwrap()
}

/// What `seo check --json` says, and its exit code.
#[track_caller]
fn checked(folder: &Path, options: &[&str]) -> (Value, Option<i32>) {
    let folder = folder.to_str().unwrap();
    let ran = run(&[&["seo", "check", folder, "--json"], options].concat());
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    (said, ran.status.code())
}

/// Audits with their files, sorted.
fn found(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|each| (text(&each["file"]), text(&each["audit"]))).collect()
}

const GOOD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Boots that last</title>
<meta name="description" content="How we sew our boots.">
<link rel="canonical" href="https://shop.example/help/boots.html"></head>
<body><h1>Boots</h1><p>They cost as much as they must. <a href="/all">All boots of the shop</a></p></body></html>"#;

#[test]
fn a_folder_without_faults_is_left_in_peace() {
    let folder = directory();
    fs::write(folder.join("boots.html"), GOOD).unwrap();
    fs::write(folder.join("robots.txt"), "User-agent: *\nAllow: /\n").unwrap();
    let (report, code) = checked(&folder, &["--strict"]);
    assert_eq!(found(&report), []);
    assert_eq!(code, Some(0));
    let ran = run(&["seo", "check", folder.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 page checked: 0 errors, 0 warnings; nothing to mend"));
}

#[test]
fn faults_are_named_with_file_line_and_remedy() {
    let folder = directory();
    fs::create_dir(folder.join("old")).unwrap();
    let product = r#"<html><head><title>Tarn 2</title></head><body><h1>Tarn 2</h1>
<div class="amount">€349.00</div><a href="gone.html">here</a><img src="tarn.jpg">
<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Product", "nmae": "Tarn 2"}</script>
</body></html>"#;
    fs::write(folder.join("old/tarn.html"), product).unwrap();
    fs::write(folder.join("robots.txt"), "User-agent: *\nDisalow: /cart\n").unwrap();
    let (report, code) = checked(&folder, &["--base-url", "https://shop.example/"]);
    let audits: Vec<_> = found(&report).into_iter().map(|(_, audit)| audit).collect();
    assert_eq!(
        audits,
        [
            "meta-description",
            "link-text",
            "image-alt",
            "structured-data",
            "structured-data",
            "canonical-missing",
            "language",
            "structured-data",
            "price-without-offer",
            "lost-link",
            "robots-txt"
        ]
    );
    let of = |audit: &str| report["findings"].as_array().unwrap().iter().find(|each| each["audit"] == audit).unwrap();
    assert_eq!(of("robots-txt")["line"], 2);
    assert_eq!(of("price-without-offer")["line"], 2);
    assert_eq!(of("structured-data")["fault"], "schema.org has no property \"nmae\".");
    assert_eq!(of("structured-data")["remedy"], "Write \"name\", if that is meant.");
    assert_eq!(code, Some(1));
}

#[test]
fn warnings_fail_where_that_is_asked_for() {
    let folder = directory();
    fs::write(folder.join("boots.html"), GOOD.replace("<h1>Boots</h1>", "")).unwrap();
    assert_eq!(checked(&folder, &[]).1, Some(0));
    assert_eq!(checked(&folder, &["--strict"]).1, Some(1));
}

#[test]
fn hostile_pages_cost_their_own_verdict_alone() {
    let folder = directory();
    fs::write(folder.join("deep.html"), format!("<title>x</title>{}", "<div>".repeat(50_000))).unwrap();
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let script = format!("<script type=\"application/ld+json\">{nested}</script>");
    fs::write(folder.join("nested.html"), GOOD.replace("<h1>", &format!("{script}<h1>"))).unwrap();
    fs::write(folder.join("bytes.html"), [0xff, 0xfe, 0x00, 0x80, 0x3c]).unwrap();
    fs::write(folder.join("what?#%.html"), GOOD).unwrap();
    let (report, code) = checked(&folder, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(report["summary"]["pages"], 4);
    assert!(found(&report).contains(&("nested.html".into(), "structured-data".into())));
}

#[test]
fn what_holds_no_page_is_told() {
    let folder = directory();
    let ran = run(&["seo", "check", folder.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("holds no HTML file"), "{ran:?}");
}

/// Verdicts of Lighthouse's audits on cases of our own, worked out by hand from how the audits are defined.
#[test]
fn verdicts_are_those_of_lighthouse() {
    let page = |head: &str, body: &str| {
        format!(
            "<!doctype html><html lang=\"en\"><head><title>t</title>{head}</head><body><h1>h</h1>{body}</body></html>"
        )
    };
    let head = |audit: &str, head: &str, fails: bool| json!({"audit": audit, "html": page(head, ""), "fails": fails});
    let body = |audit: &str, body: &str, fails: bool| json!({"audit": audit, "html": page("", body), "fails": fails});
    let header = |name: &str, value: &str, fails: bool| json!({"audit": "is-crawlable", "html": page("", ""), "headers": [[name, value]], "fails": fails});
    let robots = |audit: &str, text: &str, fails: bool| json!({"audit": audit, "html": page("", ""), "robots_txt": text, "fails": fails});
    let cases = [
        head("meta-description", "<meta name=\"Description\" content=\" \u{a0}\">", true),
        head("meta-description", "<meta name=DESCRIPTION content=Boots>", false),
        // A script's pixel doesn't end the head.
        head("meta-description", "<noscript><img src=x></noscript><meta name=description content=x>", false),
        head("is-crawlable", "<meta name=robots content=\"max-image-preview:large, NoIndex\">", true),
        // One crawler that may have it is enough.
        head("is-crawlable", "<meta name=robots content=noindex><meta name=bingbot content=all>", false),
        header("X-Robots-Tag", "otherbot: noindex", false),
        header("x-robots-tag", "unavailable_after: 1 May 2012 10:00 GMT", true),
        header("x-robots-tag", "unavailable_after: soon", false),
        robots("is-crawlable", "User-agent: *\nDisallow: /*.html$", true),
        robots("is-crawlable", "User-agent: *\nDisallow: /\nAllow: /page", false),
        robots("is-crawlable", "User-agent: DuckDuckBot\nAllow: /\n\nUser-agent: *\nDisallow: /", false),
        robots("robots-txt", "User-agent: *\nDisallow: /a # comment\nSitemap: http://x.example/s.xml", false),
        robots("robots-txt", "Disallow: /a", true),
        head("canonical", "<link rel=canonical href=\"https://shop.example/\">", true),
        head("canonical", "<link rel=canonical href=\"https://other.example/\">", false),
        head("canonical", "<link rel=canonical href=//shop.example/page.html>", true),
        head("hreflang", "<link rel=alternate hreflang=en-GB href=https://x.example>", false),
        head("hreflang", "<link rel=alternate hreflang=gb-EN href=https://x.example>", false),
        head("hreflang", "<link rel=alternate hreflang=uk_UA href=https://x.example>", true),
        head("hreflang", "<link rel=alternate hreflang=de href=/de>", true),
        head("hreflang", "<link rel=\"alternate nofollow\" hreflang=zz href=/de>", false),
        body("crawlable-anchors", "<a>plain</a><a id=top href>x</a><a href=tel:123>x</a>", false),
        body("crawlable-anchors", "<a onclick=go()>x</a>", true),
        body("crawlable-anchors", "<a href=\"https://:80\">x</a>", true),
        body("crawlable-anchors", "<a name=x href=javascript:void(0)>x</a>", false),
        body("link-text", "<a href=/x>Learn <b>more</b></a>", true),
        body("link-text", "<a href=/x>Learn more<span hidden> about boots</span></a>", true),
        body("link-text", "<a href=/x rel=nofollow>here</a><a href=#x>here</a>", false),
        body("link-text", "<a href=/x lang=de>here</a><a href=/y>mehr</a>", false),
        body("image-alt", "<img src=a.png><img alt=\"\" src=b.png>", true),
        body("image-alt", "<img src=a.png role=presentation><img src=b.png aria-label=Boots>", false),
        json!({"audit": "http-status-code", "html": page("", ""), "status": 410, "fails": true}),
        json!({"audit": "document-title", "html": "<title>&nbsp;</title><svg><title>x</title></svg>", "fails": true}),
        json!({"audit": "robots-txt", "status": 404, "robots_txt": "no robots here", "fails": false}),
    ];
    let folder = directory();
    let lines: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(at, case)| {
            let mut case = case.clone();
            case["id"] = json!(at.to_string());
            case["url"] = json!("https://shop.example/page.html");
            case["status"] = case.get("status").cloned().unwrap_or(json!(200));
            case.to_string()
        })
        .collect();
    let file = folder.join("cases.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = run(&["eval", "seo", "--cases", file.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let wrong: Vec<&Value> =
        report["cases"].as_array().unwrap().iter().filter(|case| case["fails"] != case["expected"]).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn faults_put_into_json_ld_are_found_and_right_blocks_are_left_alone() {
    let offer = json!({"@type": "Offer", "price": "349.00", "priceCurrency": "EUR", "availability": "https://schema.org/InStock"});
    let blocks = [
        json!({"@context": "https://schema.org", "@type": "Product", "name": "Tarn 2", "offers": offer, "releaseDate": "2026-04-01"}),
        json!({"@context": "https://schema.org/", "@graph": [
            {"@type": "Organization", "name": "Hollin & Pike", "logo": {"@type": "ImageObject", "url": "/logo.png"}},
            {"@type": "BreadcrumbList", "itemListElement": [
                {"@type": "ListItem", "position": 1, "name": "Tents", "item": "https://shop.example/tents"},
                {"@type": "ListItem", "position": 2, "name": "Tarn 2"}
            ]}
        ]}),
        json!({"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": [
            {"@type": "Question", "name": "Why?", "acceptedAnswer": {"@type": "Answer", "text": "Because."}}
        ]}),
        // Words of another vocabulary beside schema.org's.
        json!({"@context": ["https://schema.org", {"x": "https://x.example/"}], "@type": "Thing", "x:weight": 3, "name": "x"}),
    ];
    let folder = directory();
    let file = folder.join("blocks.jsonl");
    let lines: Vec<String> = blocks
        .iter()
        .enumerate()
        .map(|(at, block)| json!({"id": at.to_string(), "jsonld": block}).to_string())
        .collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = run(&["eval", "seo", "--jsonld", file.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(report["summary"]["called_wrong"], 0, "{report:#}");
    assert_eq!(report["summary"]["with_warnings"], 0, "{report:#}");
    assert_eq!(report["summary"]["found"], 1.0, "{:#}", report["missed"]);
}
