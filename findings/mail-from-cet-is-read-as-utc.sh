#!/usr/bin/env bash
# Expected: a Date header with a zone that a parser doesn't know is refused or marked, and one
# with a wrong weekday is read (the weekday adds nothing).
# Instead: mail-parser 0.11.9 reads "10:00:00 CET" and "10:00:00 GMT+0100" as 10:00 UTC, an hour
# late, without a sign. chrono 0.4.45 (parse_from_rfc2822) refuses both, and refuses a date whose
# weekday is wrong, too; mail-parser takes that one.
# Why it matters: some mail programs and shop systems write such dates. An hour decides about
# "sent before the cut-off at 14:00", and a refused date about whether the mail is sorted at all.
# Frontdesk: has no e-mail channel yet; one should take the time of receipt for anything that is
# decided, and the header for showing only.
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
mail-parser = "=0.11.9"
chrono = { version = "=0.4.45", default-features = false, features = ["std", "alloc"] }
TOML
cat > src/main.rs <<'RS'
use chrono::DateTime;
use mail_parser::MessageParser;

fn main() {
    let cases = [
        ("Mon, 30 Nov 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", "2026-11-30T10:00:00+01:00"),
        ("Mon, 30 Nov 2026 10:00:00 CET", "2026-11-30T10:00:00Z", "refused"),
        ("Mon, 30 Nov 2026 10:00:00 GMT+0100", "2026-11-30T10:00:00Z", "refused"),
        ("Tue, 30 Nov 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", "refused"),
    ];
    for (date, by_mail_parser, by_chrono) in cases {
        let mail = format!("From: ann@mail.example\r\nDate: {date}\r\n\r\nhello");
        let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
        let first = mail.date().map_or("refused".into(), |date| date.to_rfc3339());
        let second = DateTime::parse_from_rfc2822(date).map_or("refused".into(), |date| date.to_rfc3339());
        println!("{date}: mail-parser {first}, chrono {second}");
        assert_eq!((first.as_str(), second.as_str()), (by_mail_parser, by_chrono));
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
