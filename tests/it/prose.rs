//! Comments and documents keep to lines of at most 100 characters; `rustfmt.toml` holds code to it.

use std::path::{Path, PathBuf};

const WIDTH: usize = 100;
const FOLDERS: &[&str] = &["benches", "docs", "findings", "prompts", "src", "tests/it"];

fn texts(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "md") {
            into.push(path);
        }
    }
}

/// Lines that are too long. What can't be cut is left out: tables, code, and a line of one word.
fn long(text: &str, is_document: bool) -> Vec<usize> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let body = line.trim_start();
        let prose = if is_document {
            fenced ^= body.starts_with("```");
            (!fenced && !body.starts_with('|')).then_some(body)
        } else {
            body.starts_with("//").then(|| body.trim_start_matches(['/', '!']).trim_start())
        };
        let can_be_cut = prose.is_some_and(|prose| !prose.starts_with('|') && prose.contains(' '));
        if can_be_cut && line.chars().count() > WIDTH {
            found.push(number);
        }
    }
    found
}

#[test]
fn lines_have_at_most_a_hundred_characters() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        ["ARCHITECTURE.md", "CHANGELOG.md", "README.md", "SECURITY.md", "build.rs"]
            .map(|name| root.join(name))
            .into();
    for folder in FOLDERS {
        texts(&root.join(folder), &mut paths);
    }
    let mut found = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_document = path.extension().is_some_and(|ending| ending == "md");
        let shown = path.strip_prefix(root).unwrap().display();
        found.extend(long(&text, is_document).iter().map(|line| format!("{shown}:{line}")));
    }
    assert!(found.is_empty(), "longer than {WIDTH} characters:\n{}", found.join("\n"));
}

#[test]
fn a_long_line_of_prose_is_found_and_a_table_is_none() {
    let words = "word ".repeat(30);
    assert_eq!(long(&format!("//! {words}\nlet x = \"{words}\";\n"), false), [1]);
    assert_eq!(long(&format!("{words}\n| {words} |\n```\n{words}\n```\n"), true), [1]);
    assert_eq!(long(&"x".repeat(200), true), [] as [usize; 0]);
}
