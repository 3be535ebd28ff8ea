#!/usr/bin/env bash
# Expected: the plain text that a mail library makes of an HTML mail has the lines that its reader
# sees.
# Instead: mail-parser 0.11.9 breaks lines at <br> and </p> alone. Gmail writes every line as a
# <div>, and lists and headings are elements of their own: their words run into each other.
# Why it matters: a mail that has no plain part is read through this function, and "Order 1001" with
# "2 tents" on the next line becomes "Order 10012 tents", a number that nobody wrote.
# Frontdesk: puts line breaks behind such elements before it lets the text be made
# (src/channels/email/quoted.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"
[dependencies]
mail-parser = { version = "=0.11.9", default-features = false }
TOML
cat > src/main.rs <<'RS'
use mail_parser::MessageParser;

fn main() {
    let cases = [
        "<div>Order 1001</div><div>2 tents</div>",
        "<ul><li>Order 1001</li><li>2 tents</li></ul>",
        "<h1>Order 1001</h1>2 tents",
        "Order 1001<br>2 tents",
        "<p>Order 1001</p><p>2 tents</p>",
    ];
    for html in cases {
        let mail = format!("From: a@shop.example\r\nContent-Type: text/html\r\n\r\n{html}");
        let mail = MessageParser::default().parse(&mail).unwrap();
        let text = mail.body_text(0).unwrap();
        println!("{html} -> {:?}", text.trim());
        let breaks = html.contains("<br>") || html.contains("<p>");
        assert_eq!(text.contains("10012"), !breaks, "{text:?}");
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
