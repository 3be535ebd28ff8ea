#!/usr/bin/env bash
# Expected: a word that is no level is refused where a level is expected, as "loud" in
# "level = loud": the filter's parser returns an error for what it doesn't understand.
# Instead: tracing-subscriber 0.3.23 (EnvFilter) takes a word by itself that is no level for the
# name of a module, all of whose lines are then let through, and says nothing. With "wran" for
# "warn" a program logs nothing any more, not even errors. Only behind "=" a word that is no
# level is refused.
# Why it matters: a filter comes from a configuration or the environment, and a mistake in it
# silences the log at the moment when it is wanted.
# Frontdesk: holds each part of log.level against the levels before the filter is built
# (src/telemetry.rs), and refuses what is neither a level nor MODULE=LEVEL.
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
tracing = "=0.1.44"
tracing-subscriber = { version = "=0.3.23", default-features = false, features = ["env-filter", "fmt"] }
TOML
cat > src/main.rs <<'RS'
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::EnvFilter;

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(filter: &str) -> bool {
    let lines = Lines(Arc::default());
    let own = lines.clone();
    let filter: EnvFilter = filter.parse().expect("it parses");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || own.clone()).finish();
    tracing::subscriber::with_default(subscriber, || tracing::error!("the disk is full"));
    let written = lines.0.lock().unwrap();
    !written.is_empty()
}

fn main() {
    for (filter, expected) in [("warn", true), ("wran", false), ("loud", false), ("finding", true)] {
        let found = logged(filter);
        println!("{filter:?}: an error is logged: {found}");
        assert_eq!(found, expected, "{filter}");
    }
    let refused = "finding=wran".parse::<EnvFilter>().is_err();
    println!("\"finding=wran\" is refused: {refused}");
    assert!(refused);
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
