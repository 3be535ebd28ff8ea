//! The invariants of ARCHITECTURE.md, checked against the parsed sources. Code for tests is left
//! out: it may reach anywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The rooms of the crate, top floor first. A room imports rooms of lower floors only: none of its
/// own floor, none above.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["bench", "eval"],
    &["server"],
    &["qualify"],
    &["config"],
    &["http"],
    &["training", "outcomes", "channels"],
    &["site", "insight", "agents", "audit", "history"],
    &["session"],
    &["intent", "recommend", "export"],
    &["features", "suggest", "gaps", "pages"],
    &["signals", "turn", "knowledge"],
    &["prompt", "catalogue", "models"],
    &["actions", "retrieval"],
    &["canned", "keyring", "llm", "reason"],
    &["protocol", "handoff"],
    &["grounding", "store"],
    &[
        "address",
        "calendar",
        "conversation",
        "fairness",
        "forecast",
        "language",
        "clock",
        "lifecycle",
        "permissions",
        "telemetry",
        "secret",
        "wording",
    ],
];

/// Who may know the whole configuration; everybody else is handed the section that is theirs.
const KNOW_THE_CONFIGURATION: &[&str] = &["cli", "bench", "eval", "server", "qualify", "config"];

/// Rooms and files that know no tokio, no I/O and no clock: what a conversation is, what a text is,
/// what supports an answer, what decides and what learns.
const PURE: &[&str] = &[
    "actions/form",
    "agents/oidc/id_token",
    "calendar",
    "catalogue.rs",
    "catalogue/ask",
    "catalogue/asks",
    "catalogue/goods",
    "catalogue/shelf",
    "catalogue/words",
    "channels/chatwoot",
    "channels/deadline",
    "channels/discord",
    "channels/email",
    "channels/event",
    "channels/generic",
    "channels/line",
    "channels/meta",
    "channels/signature",
    "channels/slack",
    "channels/teams",
    "channels/telegram",
    "channels/text",
    "channels/twilio",
    "channels/wechat",
    "conversation",
    "eval/desk/grade",
    "fairness",
    "features",
    "forecast",
    "gaps/contradiction",
    "gaps/draft",
    "gaps/manner",
    "gaps/personal",
    "grounding",
    "handoff",
    "insight/demand",
    "insight/policy",
    "insight/silence",
    "insight/spend",
    "insight/thompson",
    "intent.rs",
    "intent/calibrate",
    "intent/classes",
    "intent/columns",
    "intent/data",
    "intent/discriminant",
    "intent/metrics",
    "intent/network",
    "intent/table",
    "intent/trees",
    "intent/watch",
    "language",
    "llm/asleep",
    "llm/pace",
    "llm/prefix",
    "llm/scheduler",
    "llm/text",
    "protocol",
    "reason",
    "recommend",
    "retrieval/chunk",
    "retrieval/columns",
    "retrieval/fusion",
    "retrieval/ingest/clauses",
    "retrieval/ingest/grid",
    "retrieval/ingest/inbox",
    "retrieval/ingest/json",
    "retrieval/ingest/table",
    "retrieval/money",
    "retrieval/product",
    "secret/jws",
    "session.rs",
    "session/refusal",
    "session/retention",
    "signals/words",
    "turn/lead",
    "turn/phrase",
    "wording",
];

/// Dependencies with a personality, and the files that know them.
const KNOWN_BY: &[(&[&str], &[&str])] = &[
    (
        &["llama_cpp_2"],
        &[
            "llm/backend",
            "llm/model",
            "llm/sampler",
            "llm/worker",
            "retrieval/embedder",
            "retrieval/reranker",
        ],
    ),
    (&["qdrant_edge"], &["retrieval/embedded", "retrieval/schema"]),
    (&["qdrant_client"], &["retrieval/server"]),
    (&["parquet"], &["export"]),
    (&["sled"], &["store"]),
    (&["argon2"], &["agents"]),
    (&["totp_rs"], &["agents/second_factor"]),
    (&["qrcode"], &["http/console/account"]),
    (&["chrono", "chrono_tz"], &["calendar"]),
    (&["forust_ml"], &["intent/trees"]),
    (&["ndarray"], &["intent/network"]),
    (&["axum"], &["http", "server"]),
    (&["imap_proto", "rustls_platform_verifier", "tokio_rustls"], &["channels/imap"]),
    (&["lettre"], &["channels/smtp"]),
    (&["mail_parser"], &["channels/email"]),
    (&["hyper", "hyper_util"], &["http/listener"]),
    (&["pdf_extract"], &["retrieval/ingest/pdf"]),
    (&["dom_query"], &["pages/dom", "retrieval/ingest/html/tree"]),
    (&["html5ever"], &["pages/dom"]),
    (&["calamine", "cfb"], &["retrieval/ingest/workbook"]),
    (
        &["quick_xml"],
        &[
            "channels/signature/wechat",
            "retrieval/ingest/docx",
            "retrieval/ingest/workbook/ods_cells",
            "retrieval/ingest/xml",
        ],
    ),
    (&["zip"], &["retrieval/ingest/extraction"]),
    (&["tokio_tungstenite"], &["cli/chat", "bench", "channels/gateway"]),
];

/// A path of the code, segment by segment.
type Segments = Vec<String>;

/// What a file's code, without its tests, refers to.
#[derive(Default)]
struct References {
    /// Names bound by `use`, with what they stand for.
    bound: HashMap<String, Segments>,
    paths: BTreeSet<Segments>,
    /// What the file gives out as its own.
    given_out: BTreeSet<Segments>,
    /// Every name that stands in the code, however it was imported.
    words: BTreeSet<String>,
    /// The functions that it defines.
    functions: BTreeSet<String>,
    /// Ranges of characters beyond the letters of Latin, as they stand in the code.
    scripts: Vec<String>,
    /// Closures and functions, by name, that look at whether a character is a letter.
    letter_tests: BTreeSet<String>,
    /// Calls that cut a text, with what stands in their arguments.
    cuts: Vec<(String, BTreeSet<String>)>,
}

/// What tells letters and digits from other characters. Codes in ASCII are no words.
const LETTER_TESTS: &[&str] = &["is_alphanumeric", "is_alphabetic"];
/// Words as a library cuts them.
const LIBRARY_CUTS: &[&str] = &["unicode_words", "unicode_word_indices", "split_word_bounds"];

/// Whether a closure may take a character.
fn of_a_char(closure: &syn::ExprClosure) -> bool {
    closure.inputs.iter().all(|input| match input {
        syn::Pat::Type(typed) => is_char(&typed.ty),
        _ => true,
    })
}

fn is_char(kind: &syn::Type) -> bool {
    matches!(kind, syn::Type::Path(path) if path.path.is_ident("char"))
}

/// Whether a method may cut words out of a text.
fn is_cut(method: &syn::Ident) -> bool {
    LIBRARY_CUTS.iter().any(|cut| method == cut)
        || method != "split_at" && method.to_string().contains("split")
}

/// The names that stand in a piece of code.
fn names(walk: impl FnOnce(&mut References)) -> BTreeSet<String> {
    let mut within = References::default();
    walk(&mut within);
    within.words
}

impl References {
    fn of(code: &str) -> Self {
        let mut references = Self::default();
        references.visit_file(&syn::parse_file(code).expect("the sources are Rust"));
        references
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], public: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let mut note = |path: Segments, name: String| {
            if public {
                self.given_out.insert(path.clone());
            }
            self.words.extend(path.iter().cloned());
            self.paths.insert(path.clone());
            self.bound.insert(name, path);
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), public),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, public))
            }
            syn::UseTree::Glob(_) => note(before.to_vec(), String::new()),
            syn::UseTree::Name(name) if name.ident == "self" => {
                note(before.to_vec(), before.last().cloned().unwrap_or_default());
            }
            syn::UseTree::Name(name) => note(with(&name.ident), name.ident.to_string()),
            syn::UseTree::Rename(rename) => note(with(&rename.ident), rename.rename.to_string()),
        }
    }

    /// The paths in a macro's tokens, which are not parsed.
    fn tokens(&mut self, tokens: &str) {
        let tokens: String = tokens.replace(" :: ", "::");
        for word in tokens.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':')) {
            let path: Segments = word
                .split("::")
                .filter(|part| !part.is_empty() && !part.contains(':'))
                .map(str::to_owned)
                .collect();
            self.words.extend(path.iter().cloned());
            if path.len() > 1 {
                self.paths.insert(path);
            }
        }
        // How tokens are spaced differs between versions of the library.
        let spaced = tokens.replace("..=", "..").replace("..", " .. ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        for part in words.windows(3).filter(|part| part[1].starts_with("..")) {
            if [part[0], part[2]].iter().any(|end| {
                let end = end.trim_matches(['(', ')', ',', ';']);
                syn::parse_str::<syn::Lit>(end).is_ok_and(|end| is_of_a_script(&end))
            }) {
                self.scripts.push(part.join(" "));
            }
        }
    }

    /// The calls that cut words out of a text by hand.
    fn splitters(&self) -> Vec<&str> {
        let tests = |name: &String| {
            LETTER_TESTS.contains(&name.as_str()) || self.letter_tests.contains(name)
        };
        let cuts = self.cuts.iter().filter(|(call, arguments)| {
            LIBRARY_CUTS.contains(&call.as_str()) || arguments.iter().any(tests)
        });
        cuts.map(|(call, _)| call.as_str()).collect()
    }

    /// A range whose end is a character of a script.
    fn range(&mut self, range: &syn::ExprRange) {
        for end in [&range.start, &range.end].into_iter().flatten() {
            if let syn::Expr::Lit(end) = &**end
                && is_of_a_script(&end.lit)
            {
                self.scripts.push(format!("a range that ends at {}", shown(&end.lit)));
            }
        }
    }
}

/// Whether a literal is a character beyond U+02FF, where the letters of Latin end, or such a
/// character's code point.
fn is_of_a_script(literal: &syn::Lit) -> bool {
    match literal {
        syn::Lit::Char(char) => char.value() > '\u{2ff}',
        syn::Lit::Int(code) => {
            let is_code = code.to_string().starts_with("0x");
            is_code
                && code.base10_parse().is_ok_and(|code: u32| (0x300..=0x0010_ffff).contains(&code))
        }
        _ => false,
    }
}

fn shown(literal: &syn::Lit) -> String {
    match literal {
        syn::Lit::Char(char) => format!("U+{:04X}", u32::from(char.value())),
        syn::Lit::Int(code) => code.to_string(),
        _ => String::new(),
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => attribute.path().is_ident("test"),
    };
    attributes.iter().any(is_test)
}

impl<'ast> Visit<'ast> for References {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[], !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Segments =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.words.extend(segments.iter().cloned());
        if segments.len() > 1 {
            self.paths.insert(segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.functions.insert(function.sig.ident.to_string());
        // `fn is_sign(c: char) -> bool`
        let of_a_char = function
            .sig
            .inputs
            .iter()
            .any(|input| matches!(input, syn::FnArg::Typed(typed) if is_char(&typed.ty)));
        let tests = || {
            names(|within| within.visit_block(&function.block))
                .iter()
                .any(|name| LETTER_TESTS.contains(&name.as_str()))
        };
        if of_a_char && tests() {
            self.letter_tests.insert(function.sig.ident.to_string());
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.words.insert(call.method.to_string());
        if is_cut(&call.method) {
            let arguments = names(|within| {
                call.args.iter().for_each(|argument| within.visit_expr(argument));
            });
            self.cuts.push((call.method.to_string(), arguments));
        }
        visit::visit_expr_method_call(self, call);
    }

    /// `let sign = |c: char| !c.is_alphanumeric();`
    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let syn::Pat::Ident(name) = &local.pat
            && let Some(init) = &local.init
            && let syn::Expr::Closure(closure) = &*init.expr
            && of_a_char(closure)
            && names(|within| within.visit_expr(&closure.body))
                .iter()
                .any(|name| LETTER_TESTS.contains(&name.as_str()))
        {
            self.letter_tests.insert(name.ident.to_string());
        }
        visit::visit_local(self, local);
    }

    /// Patterns are ranges of this kind, too.
    fn visit_expr_range(&mut self, range: &'ast syn::ExprRange) {
        self.range(range);
        visit::visit_expr_range(self, range);
    }

    /// `u32::from(c) >= 0x3000` names a script, too.
    fn visit_expr_binary(&mut self, compared: &'ast syn::ExprBinary) {
        use syn::BinOp::{Ge, Gt, Le, Lt};
        let sides = [&*compared.left, &*compared.right];
        let of_char = |side: &syn::Expr| {
            let syn::Expr::Call(call) = side else { return false };
            matches!(&*call.func, syn::Expr::Path(path)
                if path.path.segments.first().is_some_and(|first| first.ident == "u32"))
        };
        if matches!(compared.op, Ge(_) | Gt(_) | Le(_) | Lt(_))
            && sides.iter().any(|side| of_char(side))
        {
            for side in sides {
                if let syn::Expr::Lit(code) = side
                    && is_of_a_script(&code.lit)
                {
                    self.scripts.push(format!("a comparison with {}", shown(&code.lit)));
                }
            }
        }
        visit::visit_expr_binary(self, compared);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.tokens(&called.tokens.to_string());
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens.to_string());
        }
        visit::visit_attribute(self, attribute);
    }
}

/// The sources: a module for each file.
struct Sources {
    /// `session/live` → what its file refers to. `lib` and `main` are left out: they name all of
    /// it.
    files: BTreeMap<String, References>,
}

impl Sources {
    fn read() -> Self {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    found.push(path);
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        walk(&root, &mut found);
        let name =
            |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let files = found.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap()));
        Self::of(files)
    }

    fn of(files: impl Iterator<Item = (String, String)>) -> Self {
        let module = |name: &str| name.trim_end_matches(".rs").to_owned();
        // A file named `tests` is a module for tests.
        let files = files.filter(|(name, _)| {
            !["lib.rs", "main.rs"].contains(&name.as_str()) && !name.ends_with("/tests.rs")
        });
        Self { files: files.map(|(name, code)| (module(&name), References::of(&code))).collect() }
    }

    /// The module that a path of a file leads to, if it is one of ours.
    fn target(&self, file: &str, path: &[String]) -> Option<String> {
        let within: Vec<&str> = file.split('/').collect();
        let first = path.first()?;
        let mut whole: Vec<&str> = match first.as_str() {
            "crate" => Vec::new(),
            "self" => within.clone(),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                within[..within.len().checked_sub(ups)?].to_vec()
            }
            _ if self.files.contains_key(&format!("{file}/{first}")) => {
                [&within[..], &[first]].concat()
            }
            _ => {
                let known = self.files[file].bound.get(first)?;
                // A name that stands for itself is a crate's.
                if known.first() == Some(first) {
                    return None;
                }
                let whole = [known, &path[1..]].concat();
                return self.target(file, &whole);
            }
        };
        whole.extend(path[1..].iter().filter(|part| *part != "super").map(String::as_str));
        let longest = (1..=whole.len()).rev().map(|length| whole[..length].join("/"));
        longest.into_iter().find(|name| self.files.contains_key(name))
    }

    /// What each file imports of the others.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let of = |file: &str, references: &References| {
            let targets = references.paths.iter().filter_map(|path| self.target(file, path));
            targets.filter(|target| target != file).collect()
        };
        self.files.iter().map(|(file, references)| (file.as_str(), of(file, references))).collect()
    }

    /// Files of a room, of a folder or alone, as the lists above name them: `intent.rs` is that
    /// file without its folder.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a References)> {
        let found = self.files.iter().filter(move |(file, _)| match name.strip_suffix(".rs") {
            Some(alone) => *file == alone,
            None => *file == name || file.starts_with(&format!("{name}/")),
        });
        found.map(|(file, references)| (file.as_str(), references))
    }
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or_default()
}

/// The imports that don't go down, as `file → file`.
fn upward(sources: &Sources, floors: &[&[&str]]) -> Vec<String> {
    let floor = |file: &str| floors.iter().position(|rooms| rooms.contains(&room(file)));
    let mut found = Vec::new();
    for (file, targets) in sources.imports() {
        for target in targets.iter().filter(|target| room(target) != room(file)) {
            if floor(file).is_none_or(|from| floor(target).is_none_or(|to| to <= from)) {
                found.push(format!("{file} → {target}"));
            }
        }
    }
    found
}

/// The circles of files. A file and its folder are one room with a door: what a file takes from its
/// own folder isn't counted.
fn circles(sources: &Sources) -> Vec<Vec<String>> {
    let mut imports = sources.imports();
    for (file, targets) in &mut imports {
        targets.retain(|target| !target.starts_with(&format!("{file}/")));
    }
    // What can't be taken away leaf by leaf, from below and from above, is in a circle or between
    // two.
    loop {
        let imported: BTreeSet<String> = imports.values().flatten().cloned().collect();
        let free: Vec<&str> = imports
            .iter()
            .filter(|(file, targets)| targets.is_empty() || !imported.contains(**file))
            .map(|(file, _)| *file)
            .collect();
        if free.is_empty() {
            break;
        }
        imports.retain(|file, _| !free.contains(file));
        for targets in imports.values_mut() {
            targets.retain(|target| !free.contains(&target.as_str()));
        }
    }
    imports
        .into_iter()
        .map(|(file, targets)| std::iter::once(file.to_owned()).chain(targets).collect())
        .collect()
}

#[test]
fn imports_go_down_only() {
    let sources = Sources::read();
    let rooms: BTreeSet<&str> = sources.files.keys().map(|file| room(file)).collect();
    let listed: BTreeSet<&str> = FLOORS.iter().flat_map(|rooms| rooms.iter().copied()).collect();
    assert_eq!(rooms, listed, "every room stands on one floor");
    assert_eq!(upward(&sources, FLOORS), Vec::<String>::new());
    assert_eq!(circles(&sources), Vec::<Vec<String>>::new());
}

#[test]
fn walls_have_no_windows() {
    for (file, references) in &Sources::read().files {
        for path in &references.given_out {
            let own =
                path.first().is_some_and(|first| !["crate", "super"].contains(&first.as_str()));
            assert!(
                own,
                "{file} gives out {} of another room; import it from where it is",
                path.join("::")
            );
        }
    }
}

#[test]
fn only_who_wires_knows_the_whole_configuration() {
    let sources = Sources::read();
    let mut users = 0;
    for (file, references) in &sources.files {
        let whole = |path: &&Segments| {
            path.last().is_some_and(|last| last == "Config")
                && sources.target(file, path).is_some_and(|target| target == "config")
        };
        if references.paths.iter().any(|path| whole(&path)) {
            assert!(
                KNOW_THE_CONFIGURATION.contains(&room(file)),
                "{file} uses Config; hand it the section it needs"
            );
            users += 1;
        }
    }
    assert!(users > 0, "nobody uses Config any more");
}

#[test]
fn a_dependency_with_a_personality_is_known_by_one_part() {
    let sources = Sources::read();
    for (crates, allowed) in KNOWN_BY {
        let uses = |references: &References| {
            references
                .paths
                .iter()
                .any(|path| crates.contains(&path.first().map_or("", String::as_str)))
        };
        let users: Vec<&str> = sources
            .files
            .iter()
            .filter(|(_, code)| uses(code))
            .map(|(file, _)| file.as_str())
            .collect();
        assert!(!users.is_empty(), "nobody uses {crates:?} any more; take it out of this test");
        for user in users {
            let known =
                allowed.iter().any(|name| user == *name || user.starts_with(&format!("{name}/")));
            assert!(known, "{user} uses {crates:?}; only {allowed:?} may");
        }
    }
}

/// Tables of scripts that stand in several places disagree, and so do stemmers: `language` has
/// both.
#[test]
fn what_a_script_is_and_what_a_stem_is_stands_in_one_place() {
    let sources = Sources::read();
    let mut found = Vec::new();
    for (file, references) in sources.files.iter().filter(|(file, _)| room(file) != "language") {
        found.extend(references.scripts.iter().map(|range| format!("{file}: {range}")));
        for stemmer in ["stem", "singular", "is_han", "is_kana", "is_unspaced"] {
            let own = references.functions.contains(stemmer);
            found.extend(own.then(|| format!("{file}: fn {stemmer}")));
        }
    }
    assert_eq!(found, Vec::<String>::new(), "ask `language` instead");
    let table: Vec<&str> = sources
        .files
        .iter()
        .filter(|(_, references)| !references.scripts.is_empty())
        .map(|(file, _)| file.as_str())
        .collect();
    assert_eq!(table, ["language/script"], "one table of scripts");
}

#[test]
fn ranges_of_scripts_are_found_however_they_are_written() {
    let check = |code: &str, expected: usize| {
        let found = References::of(&format!("fn f(c: char) {{ {code} }}")).scripts;
        assert_eq!(found.len(), expected, "{code}: {found:?}");
    };
    check(r"matches!(c, '\u{3040}'..='\u{30ff}')", 1);
    check("matches!(u32::from(c), 0x4e00..=0x9fff)", 1);
    check("matches!(c, 'а'..='я' | 'a'..='z')", 1);
    check(r"match c { '\u{e00}'..='\u{e7f}' => {} _ => {} }", 2);
    check("(0x4e00..0x9fff).contains(&u32::from(c))", 2);
    check("u32::from(c) >= 0x3000", 1);
    check("matches!(c, '0'..='9' | '。' | 'a'..='z'); &text[1..4]; x > 0x3000", 0);
    check("#[cfg(test)] fn g() { matches!(c, 'а'..='я') }", 0);
}

/// Readers that cut words differently read a message differently: `language::words` has every form
/// that is needed.
#[test]
fn words_are_cut_in_one_place() {
    let sources = Sources::read();
    let cutting: Vec<String> = sources
        .files
        .iter()
        .flat_map(|(file, references)| {
            references.splitters().into_iter().map(move |call| format!("{file}: {call}"))
        })
        .collect();
    let elsewhere: Vec<&String> =
        cutting.iter().filter(|cut| !cut.starts_with("language/words:")).collect();
    assert_eq!(elsewhere, Vec::<&String>::new(), "ask `language::words` instead");
    assert!(!cutting.is_empty(), "`language::words` cuts in a way that this test doesn't see");
}

#[test]
fn splitters_are_found_however_they_are_written() {
    let check = |code: &str, expected: &[&str]| {
        let code = format!(
            "fn f(text: &str) {{ {code} }} fn sign(c: char) -> bool {{ !c.is_alphabetic() }}"
        );
        assert_eq!(References::of(&code).splitters(), expected, "{code}");
    };
    check("text.split(|c: char| !c.is_alphanumeric());", &["split"]);
    check("text.rsplit(|c: char| !(c.is_alphabetic() || c == '_')).next();", &["rsplit"]);
    check("text.split(|c| !matches!(c, c if c.is_alphanumeric()));", &["split"]);
    check(
        "let apart = |c: char| !c.is_alphanumeric(); text.split_terminator(apart);",
        &["split_terminator"],
    );
    check("text.split_inclusive(sign);", &["split_inclusive"]);
    check("text.split(|c| sign(c) || c == '_');", &["split"]);
    check("text.split_once(char::is_alphanumeric);", &["split_once"]);
    check("text.unicode_words().count();", &["unicode_words"]);
    check("println!(\"{}\", text.len());", &[]);
    check("text.split(char::is_whitespace); text.trim_matches(|c| !sign(c));", &[]);
    check("text.split(|c: char| !c.is_ascii_digit()); words(text);", &[]);
    check("let word = |text: &str| text.find(char::is_alphabetic); text.split(word);", &[]);
    check("text.split_at(text.find(char::is_alphabetic).unwrap_or(0));", &[]);
    check("#[cfg(test)] fn g(text: &str) { text.split(sign); }", &[]);
}

/// A path that stands in no table would have no access that is checked.
#[test]
fn routes_are_made_in_one_place() {
    for (file, references) in &Sources::read().files {
        let routing =
            references.paths.iter().any(|path| path.iter().take(2).eq(["axum", "routing"]));
        let services =
            ["route_service", "nest_service"].iter().any(|word| references.words.contains(*word));
        assert!(
            !(routing || services) || file.starts_with("http/routes"),
            "{file} makes routes of its own"
        );
    }
}

/// What of a file's references is no business of pure code.
fn impure(references: &References) -> Vec<String> {
    const OUTSIDE: [&[&str]; 5] =
        [&["tokio"], &["std", "fs"], &["std", "net"], &["std", "process"], &["std", "thread"]];
    const CLOCKS: [&str; 3] = ["Instant", "SystemTime", "UNIX_EPOCH"];
    let outside = references.paths.iter().filter(|path| {
        OUTSIDE
            .iter()
            .any(|part| path.len() >= part.len() && path.iter().zip(*part).all(|(a, b)| a == b))
    });
    let clocks = CLOCKS.iter().filter(|clock| references.words.contains(**clock));
    outside.map(|path| path.join("::")).chain(clocks.map(|clock| (*clock).to_owned())).collect()
}

#[test]
fn the_pure_core_does_no_io() {
    let sources = Sources::read();
    for pure in PURE {
        let mut files = sources.named(pure).peekable();
        assert!(files.peek().is_some(), "{pure} is gone");
        for (file, references) in files {
            assert_eq!(impure(references), Vec::<String>::new(), "{file}");
        }
    }
    let (_, prompt) = sources.named("prompt.rs").next().unwrap();
    assert!(!impure(prompt).iter().any(|path| path.starts_with("tokio")));
}

#[test]
fn queues_are_bounded_and_code_is_safe() {
    for (file, references) in &Sources::read().files {
        assert!(
            !references.words.contains("unbounded_channel"),
            "{file} has a queue without a bound"
        );
        let unbounded =
            |path: &Segments| path.ends_with(&["mpsc".to_owned(), "channel".to_owned()]);
        let of_std = references
            .bound
            .get("mpsc")
            .is_some_and(|path| path.first().is_some_and(|first| first == "std"));
        let std_path = |path: &Segments| path.first().is_some_and(|first| first == "std");
        let bad = references.paths.iter().any(|path| unbounded(path) && (of_std || std_path(path)));
        assert!(!bad, "{file} has a queue of std without a bound");
    }
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

/// Sources made of names and code.
fn made(files: &[(&str, &str)]) -> Sources {
    Sources::of(files.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())))
}

#[test]
fn imports_are_found_however_they_are_written() {
    let check = |code: &str, expected: &[&str]| {
        let sources =
            made(&[("top.rs", code), ("top/inner.rs", ""), ("low.rs", ""), ("low/deep.rs", "")]);
        let found: Vec<String> = sources.imports()["top"].iter().cloned().collect();
        assert_eq!(found, expected, "{code}");
    };
    check("use crate::low::Thing;", &["low"]);
    check("use crate::low::deep::{self, Thing};", &["low/deep"]);
    check("use crate::low as l; fn f() { l::deep::g() }", &["low", "low/deep"]);
    check("use super::low::{Thing as T};", &["low"]);
    check("fn f(x: crate::low::Thing) {}", &["low"]);
    check("fn f() { println!(\"{}\", crate::low::deep::g()) }", &["low/deep"]);
    check("fn f() { use crate::low::g; g() }", &["low"]);
    check("mod inner; fn f() { inner::g() }", &["top/inner"]);
    check("use std::low::Thing; // crate::low\n", &[]);
    check("#[cfg(test)] use crate::low; #[cfg(test)] mod tests { use crate::low; }", &[]);
    check("impl X { #[cfg(test)] fn f() { crate::low::g() } }", &[]);
}

#[test]
fn what_goes_up_or_round_is_told() {
    let floors: &[&[&str]] = &[&["top"], &["low", "beside"]];
    let up =
        made(&[("top.rs", ""), ("low.rs", "use crate::top;"), ("beside.rs", "use crate::low;")]);
    assert_eq!(upward(&up, floors), ["beside → low", "low → top"]);
    let round = made(&[
        ("a.rs", "use crate::b;"),
        ("b.rs", "use crate::c;"),
        ("c.rs", "use crate::a;"),
        ("d.rs", "use crate::a;"),
    ]);
    assert_eq!(circles(&round).len(), 3);
    let door = made(&[("a.rs", "use self::b::X;"), ("a/b.rs", "use super::Y;")]);
    assert!(circles(&door).is_empty());
    let siblings =
        made(&[("a/b.rs", "use super::c::X;"), ("a/c.rs", "use super::b::Y;"), ("a.rs", "")]);
    assert_eq!(circles(&siblings).len(), 2);
    assert_eq!(impure(&References::of("use std::time::{Duration, Instant};")), ["Instant"]);
    assert_eq!(
        impure(&References::of("use std::fs; fn f() { std::thread::sleep(x) }")),
        ["std::fs", "std::thread::sleep"]
    );
    assert!(impure(&References::of("enum Signal { Instantly(Duration) }")).is_empty());
}
