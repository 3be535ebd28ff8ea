//! Auditing and publishing web pages, as the real binary does it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{config, directory, write_config};

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
    assert!(
        String::from_utf8_lossy(&ran.stdout)
            .contains("1 page checked: 0 errors, 0 warnings; nothing to mend")
    );
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
            "price-without-offer",
            "lost-link",
            "structured-data",
            "robots-txt"
        ]
    );
    let of = |audit: &str| {
        report["findings"].as_array().unwrap().iter().find(|each| each["audit"] == audit).unwrap()
    };
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
    fs::write(folder.join("deep.html"), format!("<title>x</title>{}", "<div>".repeat(50_000)))
        .unwrap();
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

/// Verdicts of Lighthouse's audits on cases of our own, worked out by hand from how the audits are
/// defined.
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
        head(
            "meta-description",
            "<noscript><img src=x></noscript><meta name=description content=x>",
            false,
        ),
        head(
            "is-crawlable",
            "<meta name=robots content=\"max-image-preview:large, NoIndex\">",
            true,
        ),
        // One crawler that may have it is enough.
        head(
            "is-crawlable",
            "<meta name=robots content=noindex><meta name=bingbot content=all>",
            false,
        ),
        header("X-Robots-Tag", "otherbot: noindex", false),
        header("x-robots-tag", "unavailable_after: 1 May 2012 10:00 GMT", true),
        header("x-robots-tag", "unavailable_after: soon", false),
        robots("is-crawlable", "User-agent: *\nDisallow: /*.html$", true),
        robots("is-crawlable", "User-agent: *\nDisallow: /\nAllow: /page", false),
        robots(
            "is-crawlable",
            "User-agent: DuckDuckBot\nAllow: /\n\nUser-agent: *\nDisallow: /",
            false,
        ),
        robots(
            "robots-txt",
            "User-agent: *\nDisallow: /a # comment\nSitemap: http://x.example/s.xml",
            false,
        ),
        robots("robots-txt", "Disallow: /a", true),
        head("canonical", "<link rel=canonical href=\"https://shop.example/\">", true),
        head("canonical", "<link rel=canonical href=\"https://other.example/\">", false),
        head("canonical", "<link rel=canonical href=//shop.example/page.html>", true),
        head("hreflang", "<link rel=alternate hreflang=en-GB href=https://x.example>", false),
        head("hreflang", "<link rel=alternate hreflang=gb-EN href=https://x.example>", true),
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
        body(
            "image-alt",
            "<img src=a.png role=presentation><img src=b.png aria-label=Boots>",
            false,
        ),
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
    let wrong: Vec<&Value> = report["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["fails"] != case["expected"])
        .collect();
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

/// A site with a knowledge folder of these files, and its configuration.
fn shop(files: &[(&str, &str)]) -> (PathBuf, PathBuf) {
    let directory = directory();
    let knowledge = directory.join("documents");
    for (name, text) in files {
        let path = knowledge.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(&knowledge).unwrap();
    let mut options = config(&directory);
    options.knowledge.path = knowledge;
    options.sites[0].knowledge = None;
    options.sites[0].origins = vec!["https://shop.example".into()];
    (write_config(&directory, &options), directory)
}

fn publish(config: &Path, folder: &Path, options: &[&str]) -> Output {
    let arguments =
        ["--config", config.to_str().unwrap(), "publish", folder.to_str().unwrap(), "--json"];
    run(&[&arguments[..], options].concat())
}

#[track_caller]
fn published(config: &Path, folder: &Path, options: &[&str]) -> Value {
    let ran = publish(config, folder, options);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Every file of a folder with its text.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// Number, price, currency, availability and pieces of every offer that the pages state.
fn offers(folder: &Path) -> Vec<[String; 5]> {
    let mut found = Vec::new();
    for (_, text) in files(folder).iter().filter(|(name, _)| name.ends_with(".html")) {
        let block =
            text.split_once("application/ld+json\">").unwrap().1.split_once("</script>").unwrap().0;
        let data: Value = serde_json::from_str(block).unwrap();
        for thing in data["@graph"].as_array().unwrap() {
            let variants =
                thing["hasVariant"].as_array().cloned().unwrap_or_else(|| vec![thing.clone()]);
            for product in variants.iter().filter(|product| product["@type"] == "Product") {
                let (offer, text) = (&product["offers"], |value: &Value| {
                    value.as_str().unwrap_or_default().to_owned()
                });
                let state = text(&offer["availability"]).replace("https://schema.org/", "");
                let pieces = offer["inventoryLevel"]["value"].to_string();
                found.push([
                    text(&product["sku"]),
                    text(&offer["price"]),
                    text(&offer["priceCurrency"]),
                    state,
                    pieces,
                ]);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_sample_shop_is_published_without_a_fault() {
    let knowledge = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    let (_, directory) = shop(&[]);
    let mut options = config(&directory);
    options.knowledge.path = knowledge.clone();
    options.sites[0].knowledge = None;
    options.sites[0].contact = "help@shop.example".into();
    let config = write_config(&directory, &options);
    let folder = directory.join("site");
    let said = published(&config, &folder, &["--base-url", "https://shop.example/info/"]);
    assert_eq!(said["failed"], json!([]));
    assert_eq!(said["left_out"], json!([]));
    let (report, code) = checked(&folder, &["--strict"]);
    assert_eq!(found(&report), [], "{report:#}");
    assert_eq!(code, Some(0));
    let catalogue = fs::read_to_string(knowledge.join("catalogue.csv")).unwrap();
    let mut rows: Vec<[String; 5]> = catalogue
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let (number, price, stock) = (cells[0], cells[cells.len() - 4], cells[cells.len() - 3]);
            let state = if stock == "0" { "OutOfStock" } else { "InStock" };
            [number, price, "EUR", state, stock].map(str::to_owned)
        })
        .collect();
    rows.sort();
    assert_eq!(offers(&folder), rows);
    let files = files(&folder);
    let shipping = &files["help/shipping.html"];
    for piece in [
        "<title>Shipping and delivery – ",
        "<link rel=\"canonical\" href=\"https://shop.example/info/help/shipping.html\">",
        "<link rel=\"alternate\" hreflang=\"zh\" href=\"https://shop.example/info/zh/shipping.html\">",
        "hreflang=\"x-default\"",
        "BreadcrumbList",
        "<th scope=\"col\">Destination</th>",
    ] {
        assert!(shipping.contains(piece), "{piece}: {shipping}");
    }
    assert!(files["zh/shipping.html"].contains("跳到正文"));
    assert!(!shipping.contains("FAQPage"), "not all of its headings ask");
    assert!(files["zh/glint-head-torch-faq.html"].contains("FAQPage"));
    assert!(
        files["sitemap.xml"]
            .contains("<loc>https://shop.example/info/catalogue/ember-solo-stove.html</loc>")
    );
    assert!(files["robots.txt"].contains("Sitemap: https://shop.example/info/sitemap.xml"));
    assert!(files["llms.txt"].contains("](https://shop.example/info/help/shipping.html): "));
}

#[test]
fn hostile_names_and_texts_stay_text() {
    let names = "sku,name,variant,price,currency,stock\n\
                 1,\"</script><script>alert(1)</script>\",\"\"\"><img src=x onerror=alert(2)>\",10.00,EUR,1\n\
                 2,../../../etc/passwd,,20.00,EUR,0\n\
                 3,{{ 7*7 }} {% raw %},,30.00,EUR,\n\
                 4,CON,,5.50,EUR,2\n\
                 5,con,,6.50,EUR,2\n\
                 6,No currency here,,,,3\n\
                 7,帐篷 & \"quotes\" 'single',红色,1299.00,CNY,5\n";
    let hostile = "---\ntitle: \"</title><script>alert(1)</script> & more\"\n---\n# x\n\n## <b>Bold?</b>\n\n\
                   <script>alert(3)</script> [link](javascript:alert(4)) ![x](data:text/html,x)\n\n\
                   ## Why \"this\"?\n\n]]> --> &lt;ok&gt; \u{202e}\u{0} end\n";
    let (config, directory) = shop(&[
        ("goods.csv", names),
        ("a/<b>\"quoted\" & 'name'.md", hostile),
        ("b/same title.md", "# Same\n\nOne text.\n"),
        ("c/same-title.md", "# Same\n\nOne text.\n"),
        ("c/[x](y).md", "# Links\n\n[there](same-title.md) and [away](https://x.example).\n"),
    ]);
    let folder = directory.join("site");
    let said = published(&config, &folder, &[]);
    assert_eq!(said["base_url"], "https://shop.example/");
    let (report, _) = checked(&folder, &["--base-url", "https://shop.example/"]);
    assert_eq!(found(&report), [], "{report:#}");
    let offers = offers(&folder);
    assert_eq!(offers.len(), 6, "{offers:?}");
    assert!(offers.contains(&["7", "1299.00", "CNY", "InStock", "5"].map(str::to_owned)));
    for (name, text) in files(&folder).iter().filter(|(name, _)| name.ends_with(".html")) {
        let scripts = text.matches("<script").count();
        assert_eq!((scripts, text.matches("</script").count()), (1, 1), "{name}: {text}");
        assert!(
            !text.contains("<img") && !text.contains("javascript:") && !text.contains("data:text"),
            "{name}: {text}"
        );
        assert!(!text.contains("<b>") && !text.contains('\0'), "{name}");
    }
    let outside = directory.join("etc");
    assert!(!outside.exists());
    assert!(
        files(&folder)
            .values()
            .any(|text| text.contains("<p>there and <a href=\"https://x.example/\">away</a>."))
    );
}

#[test]
fn a_folder_follows_the_knowledge_and_nothing_else_is_touched() {
    let (config, directory) = shop(&[
        ("help/returns.md", "# Returns\n\nWithin 30 days.\n"),
        ("help/secret.md", "---\naudience: agents\n---\n# Margins\n\nUNTOLD figures.\n"),
        ("help/old.md", "---\nvalid_until: 2020-01-01\n---\n# Winter sale\n\nUNTOLD rebate.\n"),
        ("help/later.md", "---\nvalid_from: 2990-01-01\n---\n# Spring sale\n\nUNTOLD rebate.\n"),
        ("help/gone.md", "# Gone soon\n\nStill here.\n"),
        ("goods.csv", "sku,name,price,currency,stock\nT1,Tarn,349.00,EUR,3\n"),
    ]);
    let folder = directory.join("site");
    let said = published(&config, &folder, &[]);
    assert_eq!(said["left_out"].as_array().unwrap().len(), 3, "{said:#}");
    assert!(files(&folder).values().all(|text| !text.contains("UNTOLD")));
    fs::write(folder.join("mine.txt"), "keep me").unwrap();
    let knowledge = directory.join("documents");
    fs::remove_file(knowledge.join("help/gone.md")).unwrap();
    fs::write(knowledge.join("goods.csv"), "sku,name,price,currency,stock\nT1,Tarn,329.00,EUR,0\n")
        .unwrap();
    let said = published(&config, &folder, &[]);
    assert_eq!(said["removed"], 1, "{said:#}");
    assert_eq!(offers(&folder), [["T1", "329.00", "EUR", "OutOfStock", "0"].map(str::to_owned)]);
    let now = files(&folder);
    assert!(!now.contains_key("help/gone.html") && !now["sitemap.xml"].contains("gone"));
    assert_eq!(now["mine.txt"], "keep me");
    let said = published(&config, &folder, &[]);
    assert_eq!(
        (&said["added"], &said["changed"], &said["removed"]),
        (&json!(0), &json!(0), &json!(0))
    );

    // Somebody's own changes are theirs.
    fs::write(folder.join("help/returns.html"), "my own words").unwrap();
    fs::write(knowledge.join("help/returns.md"), "# Returns\n\nWithin 60 days.\n").unwrap();
    let before = files(&folder);
    let ran = publish(&config, &folder, &[]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("help/returns.html"), "{ran:?}");
    assert_eq!(files(&folder), before);
    published(&config, &folder, &["--force"]);
    assert!(files(&folder)["help/returns.html"].contains("60 days"));
}

#[test]
fn pages_speak_their_language_and_a_site_changes_their_words() {
    let (config, directory) = shop(&[
        ("goods.csv", "sku,name,price,currency,stock\nT1,Tarn,349.00,EUR,0\n"),
        ("de/rueckgabe.md", "---\nlanguage: de\n---\n# Rückgabe\n\nInnerhalb von 30 Tagen.\n"),
        ("da/retur.md", "---\nlanguage: da\n---\n# Returret\n\nInden for 30 dage.\n"),
    ]);
    let folder = directory.join("site");
    published(&config, &folder, &[]);
    let now = files(&folder);
    assert!(now["de/rueckgabe.html"].contains("Startseite"), "{}", now["de/rueckgabe.html"]);
    // No words of its own: English.
    assert!(now["da/retur.html"].contains("Home"), "{}", now["da/retur.html"]);
    assert!(now["catalogue/tarn.html"].contains("Out of stock"), "{}", now["catalogue/tarn.html"]);

    let own = directory.join("prompts/wording");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("en.toml"), "[pages]\nout_of_stock = \"Gone for good\"\n").unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    table["answers"]["prompts"] = directory.join("prompts").to_str().unwrap().into();
    fs::write(&config, table.to_string()).unwrap();
    published(&config, &folder, &[]);
    let page = &files(&folder)["catalogue/tarn.html"];
    assert!(page.contains("Gone for good") && !page.contains("Out of stock"), "{page}");
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let (config, directory) = shop(&[("returns.md", "# Returns\n\nWithin 30 days.\n")]);
    let folder = directory.join("theirs");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("index.html"), "theirs").unwrap();
    let ran = publish(&config, &folder, &["--force"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("didn't write"), "{ran:?}");
    assert_eq!(files(&folder), BTreeMap::from([("index.html".into(), "theirs".into())]));
    // A list that leads out of the folder is believed in nothing.
    let lured = directory.join("lured");
    fs::create_dir(&lured).unwrap();
    let list = json!({"site": "shop", "files": {"../theirs/index.html": "x"}});
    fs::write(lured.join(".frontdesk-pages.json"), list.to_string()).unwrap();
    assert_eq!(publish(&config, &lured, &["--force"]).status.code(), Some(1));
    assert_eq!(files(&folder).len(), 1);
}

/// A failure in the middle of writing leaves the old pages, and the next run goes through.
#[cfg(unix)]
#[test]
fn a_failure_leaves_the_old_pages() {
    let (config, directory) = shop(&[("returns.md", "# Returns\n\nWithin 30 days.\n")]);
    let folder = directory.join("site");
    published(&config, &folder, &[]);
    let before = files(&folder);
    let knowledge = directory.join("documents");
    fs::write(knowledge.join("returns.md"), "# Returns\n\nWithin 60 days.\n").unwrap();
    // A folder stands where a new page is to go.
    fs::write(knowledge.join("shipping.md"), "# Shipping\n\nTwo days.\n").unwrap();
    fs::create_dir(folder.join("help/shipping.html")).unwrap();
    let ran = publish(&config, &folder, &[]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(files(&folder), before);
    fs::remove_dir(folder.join("help/shipping.html")).unwrap();
    published(&config, &folder, &[]);
    assert!(files(&folder)["help/returns.html"].contains("60 days"));
}

/// Web servers run as other users.
#[cfg(unix)]
#[test]
fn published_files_can_be_read_by_a_web_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let (config, directory) = shop(&[("returns.md", "# Returns\n\nWithin 30 days.\n")]);
    let folder = directory.join("site");
    published(&config, &folder, &[]);
    let mode = |path: &str| fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("help"), mode("help/returns.html"), mode("")), (0o755, 0o644, 0o755));
}
