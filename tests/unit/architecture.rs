//! The architecture of `src`: no import cycles between folders or files, crates that only some folders
//! may use, and pure modules. The test reads the imports with `syn`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// Crates, and the only modules that may use them. A pattern ends with `*`.
const CRATES: &[(&str, &[&str])] = &[
    ("aws_*", &["observe", "remediate"]),
    ("octocrab", &["github"]),
    // An export made with `aws iam get-credential-report --output yaml` is YAML as well.
    ("serde_saphyr", &["allowlist", "observe::export"]),
    ("minijinja", &["templates"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
];

/// Pure modules: they do not use the clock, environment, files, network or an adapter. Each is listed
/// with the modules in it that are not pure.
const PURE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("permissions", &[]),
    ("audit", &[]),
    ("report", &[]),
    ("templates", &[]),
    ("queue", &["queue::apply", "queue::read"]),
    ("remediate::plan", &[]),
    ("remediate::pages", &[]),
];

/// What a pure module must not use.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "tokio",
    "reqwest",
    "crate::files",
    "crate::github",
    "crate::observe",
    "crate::runner",
];

/// The segments of an absolute path: `crate::…`, or beginning with the name of another crate.
type CodePath = Vec<String>;

/// One source file.
struct Source {
    /// The module path; `[]` for lib.rs.
    module: Vec<String>,
    /// All paths in the code.
    paths: BTreeSet<CodePath>,
    /// The names that `use` declarations import: local name → absolute path.
    names: BTreeMap<String, CodePath>,
}

impl Source {
    fn parse(file: &str, text: &str) -> Self {
        let module = module_of(file);
        let mut reader = Reader {
            scope: module.clone(),
            depth: 0,
            paths: BTreeSet::new(),
            names: BTreeMap::new(),
        };
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        reader.visit_file(&syntax);
        Self { module, paths: reader.paths, names: reader.names }
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// Collects the paths of a file, and resolves `crate`, `self` and `super`.
struct Reader {
    /// The current module.
    scope: Vec<String>,
    /// How many inline modules enclose the current position.
    depth: usize,
    paths: BTreeSet<CodePath>,
    names: BTreeMap<String, CodePath>,
}

impl Reader {
    /// Resolves `crate`, `self` and `super`. Other paths are returned as they are.
    fn absolute(&self, path: &[String]) -> Option<CodePath> {
        let mut base: Option<Vec<String>> = None;
        let mut rest = path;
        while let Some((first, more)) = rest.split_first() {
            match (first.as_str(), &mut base) {
                ("crate" | "iam_stocktake", None) => base = Some(Vec::new()),
                ("self", None) => base = Some(self.scope.clone()),
                ("super", None) => {
                    let mut scope = self.scope.clone();
                    scope.pop();
                    base = Some(scope);
                }
                ("super", Some(base)) => drop(base.pop()),
                _ => break,
            }
            rest = more;
        }
        let rest = rest.iter().cloned();
        match base {
            Some(base) => {
                Some(std::iter::once("crate".to_owned()).chain(base).chain(rest).collect())
            }
            None => Some(rest.collect()),
        }
    }

    fn keep(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.paths.extend(self.absolute(path));
        }
    }

    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(&path.tree, prefix);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix);
                }
            }
            syn::UseTree::Name(name) => self.use_leaf(&name.ident.to_string(), None, prefix),
            syn::UseTree::Rename(name) => {
                let alias = name.rename.to_string();
                self.use_leaf(&name.ident.to_string(), Some(alias), prefix);
            }
            syn::UseTree::Glob(_) => self.use_leaf("*", None, prefix),
        }
    }

    fn use_leaf(&mut self, name: &str, alias: Option<String>, prefix: &[String]) {
        let mut path = prefix.to_vec();
        if name != "self" {
            path.push(name.to_owned());
        }
        let Some(absolute) = self.absolute(&path) else { return };
        if self.depth == 0 {
            let local = alias.or_else(|| path.last().cloned()).unwrap_or_default();
            self.names.insert(local, absolute.clone());
        }
        self.paths.insert(absolute);
    }

    /// Collects the paths in the tokens of a macro call, which `syn` does not parse.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.keep(&std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.keep(&std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                _ => {
                    self.keep(&std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.keep(&path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &mut Vec::new());
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Unit tests may import everything.
        let is_test = item.attrs.iter().any(|it| {
            it.path().is_ident("cfg")
                && matches!(&it.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
        });
        if item.content.is_none() || is_test {
            return;
        }
        self.scope.push(item.ident.to_string());
        self.depth += 1;
        syn::visit::visit_item_mod(self, item);
        self.depth -= 1;
        self.scope.pop();
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.paths.insert(vec![item.ident.to_string()]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|it| it.ident.to_string()).collect();
        self.keep(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
}

/// All source files, by module.
struct Crate(BTreeMap<Vec<String>, Source>);

impl Crate {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut folders, mut files) = (vec![root.join("src")], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "rs") {
                    let name =
                        path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                    files.push((name, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        Self::of(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let sources = files.into_iter().map(|(name, text)| Source::parse(name, text));
        Self(sources.map(|source| (source.module.clone(), source)).collect())
    }

    /// The module that defines the item of an absolute path. Follows re-exports.
    fn definer(&self, path: &[String]) -> Option<Vec<String>> {
        let mut path = path.strip_prefix(&["crate".to_owned()])?.to_vec();
        for _ in 0..8 {
            let longest = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
            let source = &self.0[&path[..longest]];
            let reexported = path.get(longest).and_then(|name| source.names.get(name));
            let reexported = reexported.map(|target| self.local(source, target));
            match reexported {
                Some(target) if target[0] == "crate" => {
                    let rest = path[longest + 1..].to_vec();
                    path = target[1..].iter().cloned().chain(rest).collect();
                }
                _ => return Some(path[..longest].to_vec()),
            }
        }
        None
    }

    /// The modules that each module imports, without its own ancestors and descendants.
    fn imports(&self) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
        let imported = |source: &Source| -> BTreeSet<Vec<String>> {
            let targets = source.paths.iter().map(|path| self.local(source, path));
            let modules = targets.filter_map(|path| self.definer(&path));
            let is_family =
                |it: &Vec<String>| it.starts_with(&source.module) || source.module.starts_with(it);
            modules.filter(|it| !is_family(it)).collect()
        };
        self.0.iter().map(|(module, source)| (module.clone(), imported(source))).collect()
    }

    /// Resolves a path that begins with an imported name or with a child module.
    fn local(&self, source: &Source, path: &[String]) -> CodePath {
        let rest = &path[1..];
        if path[0] == "crate" {
            return path.to_vec();
        }
        if let Some(target) = source.names.get(&path[0])
            && target[..] != path[..1]
            && target[0] == "crate"
        {
            return target.iter().chain(rest).cloned().collect();
        }
        let mut child = source.module.clone();
        child.push(path[0].clone());
        if self.0.contains_key(&child) {
            return std::iter::once("crate".to_owned()).chain(child).chain(rest.to_vec()).collect();
        }
        path.to_vec()
    }

    /// All violations, one per line.
    fn problems(&self) -> Vec<String> {
        let imports = self.imports();
        let mut folders: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
        for (module, imported) in &imports {
            let from = vec![folder(module).to_owned()];
            let to = imported.iter().map(|it| vec![folder(it).to_owned()]).filter(|it| *it != from);
            folders.entry(from.clone()).or_default().extend(to);
        }
        let describe = |cycle: &Vec<Vec<String>>| {
            let names: Vec<String> = cycle.iter().map(|it| shown(it)).collect();
            format!("import cycle: {}", names.join(", "))
        };
        let mut problems: Vec<String> =
            cycles(&imports).iter().chain(&cycles(&folders)).map(describe).collect();
        for (module, source) in &self.0 {
            for path in &source.paths {
                problems
                    .extend(forbidden(module, path).map(|why| format!("{}: {why}", shown(module))));
            }
        }
        problems
    }
}

/// Why the module may not use the path; `None` if it may.
fn forbidden(module: &[String], path: &[String]) -> Option<String> {
    let is_named = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => path[0].starts_with(start),
        None => path[0] == pattern,
    };
    let imports_cli = path.starts_with(&["crate".to_owned(), "cli".to_owned()]);
    if imports_cli && !["cli", "commands", "main"].contains(&folder(module)) {
        return Some("crate::cli may not be used here".to_owned());
    }
    let (name, full) = (shown(module), path.join("::"));
    let is_in = |name: &str, folder: &str| {
        name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let owners = CRATES.iter().find(|(krate, _)| is_named(krate)).map(|(_, owners)| *owners);
    if owners.is_some_and(|owners| !owners.iter().any(|owner| is_in(&name, owner))) {
        return Some(format!("{} may not be used here", path[0]));
    }
    let is_pure = PURE.iter().any(|(folder, others)| {
        is_in(&name, folder) && !others.iter().any(|other| is_in(&name, other))
    });
    let touched = IMPURE.iter().find(|target| is_in(&full, target));
    touched.filter(|_| is_pure).map(|target| format!("{target} in a pure module"))
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

fn folder(module: &[String]) -> &str {
    module.first().map_or("lib", String::as_str)
}

/// Groups of modules with import cycles.
fn cycles(imports: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<Vec<Vec<String>>> {
    let reachable = |from: &Vec<String>| {
        let (mut seen, mut stack) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = stack.pop() {
            for next in imports.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    stack.push(next.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> =
        imports.keys().map(|module| (module.clone(), reachable(module))).collect();
    let mut groups: BTreeSet<Vec<Vec<String>>> = BTreeSet::new();
    for (module, reached) in &reach {
        if reached.contains(module) {
            let group = reached
                .iter()
                .filter(|it| reach.get(*it).is_some_and(|back| back.contains(module)));
            groups.insert(group.cloned().collect());
        }
    }
    groups.into_iter().collect()
}

#[test]
fn source_follows_the_architecture() {
    let found = Crate::read().problems();
    assert_eq!(found, [""; 0], "\n{}", found.join("\n"));
}

#[test]
fn every_kind_of_violation_is_reported() {
    let broken = |files: &[(&str, &str)]| Crate::of(files.iter().copied()).problems();
    for (file, text, expected) in [
        ("src/audit.rs", "use aws_sdk_iam::Client;", "audit: aws_sdk_iam may not be used here"),
        ("src/commands/a.rs", "fn f(c: &clap::Arg) {}", "commands::a: clap may not be used here"),
        ("src/queue.rs", "use crate::cli::Input;", "queue: crate::cli may not be used here"),
        ("src/cli/a.rs", "use minijinja::Value;", "cli::a: minijinja may not be used here"),
        ("src/lib.rs", "extern crate octocrab;", "lib: octocrab may not be used here"),
        (
            "src/observe/a.rs",
            "fn f() { serde_saphyr::from_str(\"\") }",
            "observe::a: serde_saphyr may not be used here",
        ),
        ("src/queue/plan.rs", "use std::{fmt, fs::File};", "queue::plan: std::fs in a pure module"),
        (
            "src/model/user.rs",
            "fn f() { dbg!(std::env::vars()) }",
            "model::user: std::env in a pure module",
        ),
        (
            "src/remediate/plan/a.rs",
            "mod b { use tokio::task; }",
            "remediate::plan::a: tokio in a pure module",
        ),
        ("src/report.rs", "use crate::github::Issue;", "report: crate::github in a pure module"),
    ] {
        assert_eq!(broken(&[(file, text)]), [expected], "{text}");
    }
    let cycle = [
        ("src/a/one.rs", "use super::two::Two;"),
        ("src/a/two.rs", "pub struct Two; fn f(_: super::one::One) {}"),
        ("src/a.rs", "pub mod one; pub mod two;"),
    ];
    assert_eq!(broken(&cycle), ["import cycle: a::one, a::two"]);
    let through_a_reexport = [
        ("src/a.rs", "mod one; mod two; pub use one::One;"),
        ("src/a/one.rs", "use super::two::Two; pub struct One;"),
        ("src/a/two.rs", "use crate::a::One; pub struct Two;"),
    ];
    assert_eq!(broken(&through_a_reexport), ["import cycle: a::one, a::two"]);
    let folders = [
        ("src/a/one.rs", "use crate::b::two::Two;"),
        ("src/b/two.rs", ""),
        ("src/b/three.rs", "use crate::a::four::Four;"),
        ("src/a/four.rs", ""),
    ];
    assert_eq!(broken(&folders), ["import cycle: a, b"]);
}

#[test]
fn allowed_imports_are_not_reported() {
    for (file, text) in [
        ("src/observe/session.rs", "use aws_config::SdkConfig; use std::fs;"),
        ("src/queue/read.rs", "use crate::github::Issue;"),
        ("src/audit.rs", "mod rules; use rules::Draft; use super::model::User; // use std::fs;"),
        ("src/audit.rs", r#"const X: &str = "std::fs";"#),
        ("src/audit.rs", "#[cfg(test)] mod tests { use std::fs; }"),
        ("src/main.rs", "use clap::Parser; use iam_stocktake::commands;"),
    ] {
        assert_eq!(Crate::of([(file, text)]).problems(), [""; 0], "{text}");
    }
}
