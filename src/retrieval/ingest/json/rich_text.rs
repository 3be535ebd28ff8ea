//! Texts that content management systems keep as trees of blocks (Strapi, Contentful, Sanity,
//! ProseMirror, Slate, Editor.js) → Markdown; and records in their wrappers → the records.

use serde_json::{Map, Value};

use super::{languages, shops};

/// Blocks within blocks; deeper ones are left out.
const MAX_DEPTH: usize = 32;

/// A file's value with its trees of blocks as texts, and without wrappers around records.
pub(super) fn plain(value: Value) -> Value {
    within(value, 0)
}

fn within(value: Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return value;
    }
    if let Some(text) = rich_text(&value) {
        return Value::String(text);
    }
    match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| within(item, depth + 1)).collect())
        }
        Value::Object(fields) => {
            let fields = unwrapped(fields);
            let inner = fields.into_iter().map(|(key, value)| (key, within(value, depth + 1)));
            Value::Object(inner.collect())
        }
        value => value,
    }
}

/// Strapi 4 keeps a record's fields in `attributes`, Contentful in `fields` beside `sys`, each in
/// its languages.
fn unwrapped(mut object: Map<String, Value>) -> Map<String, Value> {
    let strapi = object.get("id").is_some()
        && object
            .keys()
            .all(|key| matches!(key.as_str(), "id" | "documentId" | "attributes" | "meta"));
    if strapi && let Some(Value::Object(mut fields)) = object.remove("attributes") {
        if let Some(id) = object.remove("id") {
            fields.entry("id").or_insert(id);
        }
        return fields;
    }
    let contentful = object.get("sys").is_some_and(Value::is_object);
    if contentful && let Some(Value::Object(mut fields)) = object.remove("fields") {
        for value in fields.values_mut() {
            if let Value::Object(inner) = value
                && inner.len() == 1
                && inner.keys().all(|key| languages::is_code(key))
                && let Some((_, only)) = std::mem::take(inner).into_iter().next()
            {
                *value = only;
            }
        }
        if let Some(id) = object.get("sys").and_then(|sys| sys.get("id")) {
            fields.entry("id").or_insert_with(|| id.clone());
        }
        // What isn't published is a draft.
        if object.get("sys").and_then(|sys| sys.get("publishedAt")) == Some(&Value::Null) {
            fields.insert("publishedAt".to_owned(), Value::Null);
        }
        return fields;
    }
    shops::plain(object)
}

/// The text of a tree of blocks. `None` if the value is none.
fn rich_text(value: &Value) -> Option<String> {
    let blocks = match value {
        Value::Array(blocks) if !blocks.is_empty() => blocks.as_slice(),
        Value::Object(root) => {
            let kind = kind(root);
            let is_root = matches!(kind, "document" | "doc" | "root");
            let editor = root.contains_key("blocks") && root.contains_key("version");
            // Lexical keeps its root under a key.
            if let (Some(inner), 1) =
                (root.get("root").filter(|inner| inner.is_object()), root.len())
            {
                return rich_text(inner);
            }
            match (is_root, editor) {
                (true, _) => children(root)?,
                (_, true) => root.get("blocks")?.as_array()?,
                _ => return None,
            }
        }
        _ => return None,
    };
    if !blocks.iter().all(is_block) {
        return None;
    }
    let mut out = String::new();
    for block in blocks {
        write_block(block, 0, &mut out);
    }
    let text = out.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn kind(node: &Map<String, Value>) -> &str {
    ["type", "_type", "nodeType"]
        .iter()
        .find_map(|key| node.get(*key).and_then(Value::as_str))
        .unwrap_or_default()
}

fn children(node: &Map<String, Value>) -> Option<&Vec<Value>> {
    ["children", "content"].iter().find_map(|key| node.get(*key).and_then(Value::as_array))
}

/// A named node with others in it, or one of Editor.js.
fn is_block(value: &Value) -> bool {
    let Some(node) = value.as_object() else { return false };
    let named = !kind(node).is_empty();
    let editor = node.get("data").is_some_and(Value::is_object) && node.contains_key("type");
    let inner = children(node).is_some_and(|inner| inner.iter().all(Value::is_object));
    let silent = matches!(kind(node), "hr" | "horizontalRule" | "horizontal_rule" | "image");
    named && (inner || editor || silent)
}

fn write_block(value: &Value, depth: usize, out: &mut String) {
    let Some(node) = value.as_object().filter(|_| depth <= MAX_DEPTH) else { return };
    let kind = kind(node).to_lowercase();
    // Editor.js says under `data` what a block holds.
    if let Some(data) = node.get("data").and_then(Value::as_object).filter(|data| !data.is_empty())
    {
        write_data(&kind, data, out);
        if children(node).is_none() {
            return;
        }
    }
    let Some(inner) = children(node) else { return };
    if kind.contains("list") && !kind.contains("item") || kind == "ul" || kind == "ol" {
        for item in inner {
            let mut text = String::new();
            write_block(item, depth + 1, &mut text);
            item_of(&text, out);
        }
        out.push('\n');
        return;
    }
    // What stands in a line, up to the next block; a link is a node with others in it, and none.
    let mut line = String::new();
    let mut alone = true;
    for child in inner {
        if is_block(child) && !is_inline(child) {
            paragraph(&std::mem::take(&mut line), out);
            write_block(child, depth + 1, out);
            alone = false;
        } else {
            line.push_str(&inline(child, depth + 1));
        }
    }
    match heading(node, &kind).filter(|_| alone) {
        Some(level) => out.push_str(&format!("\n{} {}\n\n", "#".repeat(level), line.trim())),
        None if node.get("listItem").is_some() => item_of(&line, out),
        None => paragraph(&line, out),
    }
}

/// A block of Editor.js.
fn write_data(kind: &str, data: &Map<String, Value>, out: &mut String) {
    let text = data.get("text").and_then(Value::as_str).map(super::plain).unwrap_or_default();
    if kind == "header" {
        let level = data.get("level").and_then(Value::as_u64).unwrap_or(2).clamp(1, 6);
        out.push_str(&format!("\n{} {}\n\n", "#".repeat(level as usize), text.trim()));
        return;
    }
    paragraph(&text, out);
    for item in data.get("items").and_then(Value::as_array).into_iter().flatten() {
        let said = item.as_str().or_else(|| item.get("content").and_then(Value::as_str));
        item_of(&super::plain(said.unwrap_or_default()), out);
    }
}

fn heading(node: &Map<String, Value>, kind: &str) -> Option<usize> {
    let style = node.get("style").and_then(Value::as_str).unwrap_or_default();
    let own = node
        .get("level")
        .or_else(|| node.get("attrs").and_then(|attrs| attrs.get("level")))
        .and_then(Value::as_u64);
    let named = kind.contains("head") || matches!(kind, "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
    let styled = style.len() == 2 && style.starts_with('h');
    if !named && !styled {
        return None;
    }
    let digit =
        |text: &str| text.bytes().rev().find(u8::is_ascii_digit).map(|d| u64::from(d - b'0'));
    let level = own.or_else(|| digit(kind)).or_else(|| digit(style)).unwrap_or(2);
    Some(level.clamp(1, 6) as usize)
}

fn is_inline(value: &Value) -> bool {
    let named = value.as_object().map(kind).unwrap_or_default().to_lowercase();
    matches!(
        named.as_str(),
        "link" | "hyperlink" | "a" | "autolink" | "mention" | "entry-hyperlink"
    )
}

/// What stands within a line.
fn inline(value: &Value, depth: usize) -> String {
    let Some(node) = value.as_object().filter(|_| depth <= MAX_DEPTH) else { return String::new() };
    let own = ["text", "value"].iter().find_map(|key| node.get(*key).and_then(Value::as_str));
    if let Some(text) = own {
        return text.to_owned();
    }
    if matches!(kind(node), "hardBreak" | "linebreak" | "hard_break") {
        return "\n".to_owned();
    }
    let inner = children(node).into_iter().flatten();
    inner.map(|child| inline(child, depth + 1)).collect()
}

fn paragraph(text: &str, out: &mut String) {
    let text = text.trim();
    if !text.is_empty() {
        out.push_str(text);
        out.push_str("\n\n");
    }
}

fn item_of(text: &str, out: &mut String) {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !line.is_empty() {
        out.push_str(&format!("- {line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trees_of_blocks_are_texts() {
        #[track_caller]
        fn check(tree: Value, expected: &str) {
            let page = Value::Object([("body".to_owned(), tree)].into_iter().collect());
            assert_eq!(plain(page), json!({ "body": expected }));
        }
        // Strapi.
        check(
            json!([
                {"type":"heading","level":3,"children":[{"type":"text","text":"Moorings"}]},
                {"type":"paragraph","children":[{"type":"text","text":"A night costs "},{"type":"text","text":"18 euros","bold":true},
                    {"type":"link","url":"/m","children":[{"type":"text","text":", see here"}]}]},
                {"type":"list","format":"unordered","children":[{"type":"list-item","children":[{"type":"text","text":"Water is free."}]}]}
            ]),
            "### Moorings\n\nA night costs 18 euros, see here\n\n- Water is free.",
        );
        // Contentful.
        check(
            json!({"nodeType":"document","data":{},"content":[
                {"nodeType":"paragraph","data":{},"content":[{"nodeType":"text","value":"Open in May.","marks":[],"data":{}}]},
                {"nodeType":"unordered-list","data":{},"content":[{"nodeType":"list-item","data":{},"content":[
                    {"nodeType":"paragraph","data":{},"content":[{"nodeType":"text","value":"Not on Mondays.","marks":[],"data":{}}]}]}]}]}),
            "Open in May.\n\n- Not on Mondays.",
        );
        // Sanity.
        check(
            json!([{"_type":"block","style":"normal","children":[{"_type":"span","text":"We deliver on Fridays.","marks":[]}]}]),
            "We deliver on Fridays.",
        );
        // ProseMirror and Editor.js.
        check(
            json!({"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"Dogs are welcome."}]}]}),
            "Dogs are welcome.",
        );
        check(
            json!({"time":1,"version":"2.28","blocks":[{"type":"header","data":{"text":"Boats","level":2}},{"type":"list","data":{"items":["Six in all"]}}]}),
            "## Boats\n\n- Six in all",
        );
        // Records and lists of records are none.
        let records = json!([{"type":"room","name":"Attic","price":90},{"type":"room","name":"Cellar","price":70}]);
        assert_eq!(plain(records.clone()), records);
    }

    #[test]
    fn records_are_taken_out_of_their_wrappers() {
        assert_eq!(
            plain(json!({"id":4,"attributes":{"title":"Tides","body":"High at noon."}})),
            json!({"title":"Tides","body":"High at noon.","id":4})
        );
        assert_eq!(
            plain(
                json!({"sys":{"id":"x1","publishedAt":"2026-01-01"},"fields":{"title":{"en-US":"Tides"},"n":2}})
            ),
            json!({"title":"Tides","n":2,"id":"x1"})
        );
    }
}
