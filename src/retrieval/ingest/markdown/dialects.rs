//! What static site generators add to Markdown, line by line: admonitions, tabs, components of MDX,
//! template tags, attributes.
//!
//! Their content stays; a title becomes a heading of the sixth level over it, which an empty one
//! ends (see the chunker).

/// Marks of footnotes that stand nowhere: `[^1]` behind a word. One that begins a line is the
/// footnote itself.
fn without_footnote_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[^") {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let end = mark.find(']').filter(|end| (3..=24).contains(end));
        let named = end.filter(|end| {
            mark[2..*end].chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        });
        let begins = out.is_empty() || out.ends_with('\n');
        match named.filter(|_| !begins) {
            Some(end) => rest = &mark[end + 1..],
            None => {
                out.push_str("[^");
                rest = &mark[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Takes the additions out. Code is left alone.
pub(super) fn plain(text: &str) -> String {
    let text = without_footnote_marks(&without_template_tags(text));
    let mut out: Vec<String> = Vec::new();
    let mut fence: Option<String> = None;
    // Indented content of admonitions and components: its indent, and whether it has a heading.
    let mut open: Vec<Open> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(mark) = &fence {
            if trimmed.starts_with(mark.as_str()) && trimmed.trim_matches(['`', '~']).is_empty() {
                fence = None;
            }
            out.push(dedented(line, &open).to_owned());
            continue;
        }
        if let Some(mark) = ["```", "~~~"].iter().find(|mark| trimmed.starts_with(**mark)) {
            fence = Some((*mark).to_owned());
            out.push(dedented(line, &open).to_owned());
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        // Less indent than an admonition's content ends it.
        while open
            .last()
            .is_some_and(|open| open.by_indent && !trimmed.is_empty() && indent < open.indent)
        {
            end(&mut open, &mut out);
        }
        if let Some(title) = admonition(trimmed) {
            begin(title, indent + 4, true, &mut open, &mut out);
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix(":::") {
            let name = rest.trim_start_matches(':').trim();
            if name.is_empty() {
                close_container(&mut open, &mut out);
            } else {
                begin(container_title(name), 0, false, &mut open, &mut out);
            }
            continue;
        }
        if is_module_line(line) {
            let mut depth = braces(line);
            while depth > 0 {
                let Some(next) = lines.next() else { break };
                depth += braces(next);
            }
            continue;
        }
        if let Some(component) = component(trimmed) {
            match component {
                Component::Open(title) => begin(title, indent + 1, false, &mut open, &mut out),
                Component::Close => close_container(&mut open, &mut out),
                Component::Whole => {}
            }
            continue;
        }
        let line = dedented(line, &open);
        let trimmed = line.trim();
        // `> [!NOTE]` names the kind of what follows; `{: .class}` is for the style sheet.
        let quoted = trimmed.trim_start_matches(['>', ' ']);
        if quoted.starts_with("[!") && quoted.ends_with(']')
            || trimmed.starts_with("{:") && trimmed.ends_with('}')
        {
            continue;
        }
        out.push(without_attributes(line));
    }
    while !open.is_empty() {
        end(&mut open, &mut out);
    }
    let mut joined = out.join("\n");
    if text.ends_with('\n') {
        joined.push('\n');
    }
    joined
}

struct Open {
    indent: usize,
    by_indent: bool,
    titled: bool,
}

fn begin(
    title: Option<String>,
    indent: usize,
    by_indent: bool,
    open: &mut Vec<Open>,
    out: &mut Vec<String>,
) {
    out.push(String::new());
    let titled = title.is_some();
    if let Some(title) = title {
        out.extend([format!("###### {title}"), String::new()]);
    }
    open.push(Open { indent, by_indent, titled });
}

fn end(open: &mut Vec<Open>, out: &mut Vec<String>) {
    if open.pop().is_some_and(|open| open.titled) {
        out.extend([String::new(), "######".to_owned()]);
    }
    out.push(String::new());
}

/// Ends the innermost container, and admonitions within it.
fn close_container(open: &mut Vec<Open>, out: &mut Vec<String>) {
    while open.last().is_some_and(|open| open.by_indent) {
        end(open, out);
    }
    end(open, out);
}

/// A line without the indent of what it stands in; an indent that is no one's stays, for lists
/// within it.
fn dedented<'a>(line: &'a str, open: &[Open]) -> &'a str {
    if open.is_empty() {
        return line;
    }
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    let admonition = open.iter().rev().find(|open| open.by_indent).map_or(0, |open| open.indent);
    // Components indent as their author likes: by what makes code of text, or not.
    let by = if admonition > 0 {
        admonition
    } else if open.iter().any(|open| open.indent > 0) {
        indent.min(8)
    } else {
        0
    };
    let rest = &line[by.min(indent)..];
    if admonition == 0 && starts_item(rest) {
        &line[indent.saturating_sub(indent % 4).min(indent)..]
    } else {
        rest
    }
}

fn starts_item(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("- ") || line.starts_with("* ")
}

/// `!!! note "Title"`, `??? question "Title"`, `=== "Tab"`: the title, if it has one.
fn admonition(line: &str) -> Option<Option<String>> {
    let rest = ["!!!", "???+", "???", "==="].iter().find_map(|mark| line.strip_prefix(mark))?;
    let named = rest.starts_with(' ') && !rest.trim().is_empty();
    named.then(|| {
        rest.split('"').nth(1).map(str::trim).filter(|title| !title.is_empty()).map(str::to_owned)
    })
}

/// `tip Title`, `tip[Title]`, `{admonition} Title`, `details Title`.
fn container_title(name: &str) -> Option<String> {
    if let Some((_, rest)) = name.split_once('[') {
        return rest
            .split(']')
            .next()
            .map(str::trim)
            .filter(|title| !title.is_empty())
            .map(str::to_owned);
    }
    if name.starts_with('{') {
        return name
            .split_once('}')
            .map(|(_, title)| title.trim())
            .filter(|title| !title.is_empty())
            .map(str::to_owned);
    }
    name.split_once(' ')
        .map(|(_, title)| title.trim())
        .filter(|title| !title.is_empty() && !title.starts_with('{'))
        .map(str::to_owned)
}

/// `import … from '…'` and `export …` of MDX.
fn is_module_line(line: &str) -> bool {
    let import = line.starts_with("import ")
        && (line.contains(" from '")
            || line.contains(" from \"")
            || line.starts_with("import '")
            || line.starts_with("import \"")
            || line.trim_end().ends_with('{'));
    let export = ["export const ", "export default ", "export function ", "export let "]
        .iter()
        .any(|start| line.starts_with(start));
    import || export
}

fn braces(line: &str) -> i32 {
    line.chars()
        .map(|char| {
            i32::from(matches!(char, '{' | '[' | '(')) - i32::from(matches!(char, '}' | ']' | ')'))
        })
        .sum()
}

enum Component {
    Open(Option<String>),
    Close,
    /// It opens and closes in its line.
    Whole,
}

/// A line that is one tag of a component: its name begins with a capital.
fn component(line: &str) -> Option<Component> {
    let inner = line.strip_prefix('<')?.strip_suffix('>')?;
    if inner.contains('>') && !inner.contains("=>") {
        return None;
    }
    if let Some(name) = inner.strip_prefix('/') {
        return name
            .starts_with(|char: char| char.is_ascii_uppercase())
            .then_some(Component::Close);
    }
    if !inner.starts_with(|char: char| char.is_ascii_uppercase()) {
        return None;
    }
    let value = |name: &str| {
        let rest = &inner[inner.find(&format!(" {name}="))? + name.len() + 2..];
        let quote = rest.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        rest[1..].split(quote).next().map(str::trim).filter(|value| !value.is_empty())
    };
    if inner.ends_with('/') {
        return Some(Component::Whole);
    }
    let title = ["title", "label", "summary", "question", "header", "name"]
        .iter()
        .find_map(|name| value(name));
    Some(Component::Open(title.map(str::to_owned)))
}

/// A heading's `{#id}`, and links to places on the same page that are only a sign.
fn without_attributes(line: &str) -> String {
    let mut line = line.to_owned();
    if line.trim_start().starts_with('#') {
        if let Some(at) =
            line.rfind("{#").or_else(|| line.rfind("{:")).filter(|_| line.trim_end().ends_with('}'))
        {
            line.truncate(at);
        }
        for sign in ["[#](#", "[¶](#", "[](#"] {
            if let Some(at) = line.find(sign)
                && let Some(length) = line[at..].find(')')
            {
                line.replace_range(at..=at + length, "");
            }
        }
        line.truncate(line.trim_end().len());
    }
    line
}

/// Comments of templates go with what is in them; other tags go, and what a value would have filled
/// shows as left out.
fn without_template_tags(text: &str) -> String {
    if !text.contains("{%") && !text.contains("{{") && !text.contains("{/*") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    let mut hidden: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced {
            out.push_str(line);
            continue;
        }
        let mut rest = line;
        let mut kept = String::new();
        loop {
            if let Some(close) = hidden {
                let Some(at) = rest.find(close) else {
                    rest = "";
                    break;
                };
                rest = &rest[at + close.len()..];
                hidden = None;
            }
            let Some(at) = ["{%", "{{", "{/*"].iter().filter_map(|open| rest.find(open)).min()
            else {
                break;
            };
            kept.push_str(&rest[..at]);
            let tag = &rest[at..];
            let (close, length) = if tag.starts_with("{/*") {
                ("*/}", 3)
            } else if tag.starts_with("{%") {
                ("%}", 2)
            } else {
                ("}}", 2)
            };
            let Some(end) = tag[length..].find(close) else {
                // It goes on in the next line, or is none.
                if tag.starts_with("{/*") {
                    hidden = Some(close);
                    rest = "";
                } else {
                    kept.push_str(&tag[..length]);
                    rest = &tag[length..];
                    if rest.is_empty() {
                        break;
                    }
                    continue;
                }
                break;
            };
            let words = tag[length..length + end].trim_matches(['-', ' ']);
            rest = &tag[length + end + close.len()..];
            let value = tag.starts_with("{{") && !words.starts_with(['<', '%', '/', '#', '!']);
            if value || words.starts_with("data ") {
                kept.push('…');
            } else if words == "comment" {
                hidden = Some("endcomment");
                // The rest of that tag is taken off with the next one that begins.
                if let Some(at) = rest.find("endcomment") {
                    let after = &rest[at..];
                    rest = after.find("%}").map_or("", |end| &after[end + 2..]);
                    hidden = None;
                }
            }
        }
        kept.push_str(rest);
        let kept = kept
            .trim_start_matches(['-', ' '])
            .strip_prefix("%}")
            .map(str::to_owned)
            .unwrap_or(kept);
        // A line that held tags alone leaves none.
        if !kept.trim().is_empty() || line.trim().is_empty() {
            out.push_str(&kept);
            if line.ends_with('\n') && !kept.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn additions_of_site_generators_go() {
        let check = |text: &str, expected: &str| {
            let lines: Vec<String> = plain(text)
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(str::to_owned)
                .collect();
            assert_eq!(lines.join("\n"), expected, "{text}");
        };
        check(
            "!!! note \"Good to know\"\n    Bikes travel free.\n\nAfter.",
            "###### Good to know\nBikes travel free.\n######\nAfter.",
        );
        check("!!! warning\n    No dogs.\n\n    At all.\nAfter.", "No dogs.\nAt all.\nAfter.");
        check("??? question \"Is it far?\"\n\n    No.\n", "###### Is it far?\nNo.\n######");
        check(
            ":::tip[Save time]\nBook ahead.\n:::\nAfter.",
            "###### Save time\nBook ahead.\n######\nAfter.",
        );
        check("> [!NOTE]\n> Bring a towel.", "> Bring a towel.");
        check(
            "import Tabs from '@theme/Tabs';\n\n# A\n\n<Tabs>\n  <TabItem value=\"x\" label=\"Boat\">\n\n  By boat.\n\n  </TabItem>\n</Tabs>\nb",
            "# A\n###### Boat\nBy boat.\n######\nb",
        );
        check("export const a = {\n  b: 1,\n};\nText.", "Text.");
        check("## Fares {#fares}\ntext {/* hidden */} here", "## Fares\ntext  here");
        check(
            "{% include x.html %}\nCosts {{ site.price }} EUR.\n{% comment %}\nno\n{% endcomment %}\nEnd.",
            "Costs … EUR.\nEnd.",
        );
        check("{{< note >}}\nCalm.\n{{< /note >}}", "Calm.");
        check("```\n{{ code }}\nimport x from 'y'\n```", "```\n{{ code }}\nimport x from 'y'\n```");
        check("Text.\n{: .lead}", "Text.");
    }
}
