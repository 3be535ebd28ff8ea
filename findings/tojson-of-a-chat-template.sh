#!/usr/bin/env bash
# Expected: {{ tools | tojson }} of a chat template gives the JSON that the model saw in its
# training: keys in their order, a space after colon and comma, quotes and angle brackets as they
# are (that is what transformers renders).
# Instead: minijinja 2.24.0 sorts the keys (values go through serde_json without preserve_order),
# leaves the spaces out, and writes \u0027, \u003c, \u003e and \u0026 for ' < > &, because its
# filter is meant for HTML.
# Why it matters: other tokens than in training, and more of them; a small model copies "\u0027"
# into the arguments of its calls. Nothing fails, the answers are just worse.
# Frontdesk: renders chat templates with minijinja (src/llm/template.rs). It passes no tools; when
# it does, the filter has to be its own.
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
minijinja = { version = "=2.24.0", features = ["json"] }
serde_json = "=1.0.154"
TOML
cat > src/main.rs <<'RS'
fn main() {
    let tool = serde_json::json!({"name": "order", "description": "the customer's <order> & parcel"});
    let rendered = minijinja::Environment::new()
        .render_str("{{ tool | tojson }}", minijinja::context! { tool })
        .unwrap();
    println!("{rendered}");
    let expected = r#"{"description":"the customer\u0027s \u003corder\u003e \u0026 parcel","name":"order"}"#;
    assert_eq!(rendered, expected);
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
