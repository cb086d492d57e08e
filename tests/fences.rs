//! The fences between the modules: which folder may know which crate, and who imports whom.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::path::Path;

/// A path in the code, such as `crate::judge::Audit`, by its segments.
type CodePath = Vec<String>;

/// Where a file stands: the segments of its module, `[]` for lib.rs and main.rs.
struct Place<'a> {
    file: &'a str,
    module: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(file: &'a str) -> Self {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<&str> = path.split('/').collect();
        if matches!(module.last(), Some(&"mod" | &"lib" | &"main")) {
            module.pop();
        }
        Self { file, module }
    }

    /// The folder or top-level file in which it stands.
    fn area(&self) -> &str {
        self.module.first().copied().unwrap_or_default()
    }

    fn is_in(&self, areas: &[&str]) -> bool {
        areas.contains(&self.area())
    }

    /// Whether it computes alone: no clock, no environment, no file, no network.
    fn is_pure(&self) -> bool {
        self.is_in(&["inventory", "identity", "clock", "policy", "permissions", "judge", "report"])
            || (self.is_in(&["publish"]) && !matches!(self.module.get(1), Some(&"read" | &"apply")))
            || (self.is_in(&["remediate"]) && self.module.get(1) == Some(&"plan"))
    }
}

const ADAPTERS: [&str; 3] = ["observe", "github", "runner"];
const VAGUE_NAMES: [&str; 4] = ["utils", "helpers", "common", "types"];

/// Crates that one part alone may know: the crate, and where it may be used.
const CRATES: [(&str, &[&str]); 5] = [
    ("octocrab", &["github"]),
    // The allowlist, and the AWS CLI's YAML of a credential report.
    ("serde_saphyr", &["allowlist", "observe"]),
    ("minijinja", &["report"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
];

/// What a pure module does not touch.
const IMPURE: [&[&str]; 7] = [
    &["std", "fs"],
    &["std", "env"],
    &["std", "net"],
    &["tokio"],
    &["reqwest"],
    &["rustix"],
    &["crate", "files"],
];

const AWS: &str = "aws_* crates belong to observe and remediate";
const NOT_PURE: &str = "a pure module does no input or output";
const PURE: &str = "a pure module imports no adapter";
const BETWEEN_ADAPTERS: &str = "adapters do not import each other";
const APP: &str = "nobody but main imports app";

/// Why the file may not hold this path, if it may not.
fn fence(place: &Place<'_>, path: &CodePath) -> Option<String> {
    let root = path[0].as_str();
    let is_main = place.file == "src/main.rs";
    if root.starts_with("aws_") && !place.is_in(&["observe", "remediate"]) {
        return Some(AWS.to_owned());
    }
    for (name, areas) in CRATES {
        let by_main = is_main && areas == ["cli"];
        if root == name && !place.is_in(areas) && !by_main {
            return Some(format!("{name} belongs to {}", areas.join(", ")));
        }
    }
    if reaches(path, &["crate", "app"]) && !is_main && !place.is_in(&["app"]) {
        return Some(APP.to_owned());
    }
    for adapter in ADAPTERS.into_iter().filter(|adapter| reaches(path, &["crate", adapter])) {
        if place.is_pure() {
            return Some(PURE.to_owned());
        }
        if place.is_in(&ADAPTERS) && place.area() != adapter {
            return Some(BETWEEN_ADAPTERS.to_owned());
        }
    }
    let impure = IMPURE.into_iter().any(|target| reaches(path, target));
    (place.is_pure() && impure).then(|| NOT_PURE.to_owned())
}

/// Whether the path leads to the target or into it; a glob above the target does as well.
fn reaches(path: &CodePath, target: &[&str]) -> bool {
    match path.split_last() {
        Some((last, parents)) if last == "*" && parents.len() < target.len() => {
            parents.iter().zip(target).all(|(one, other)| one == other)
        }
        _ => path.len() >= target.len() && path.iter().zip(target).all(|(one, other)| one == other),
    }
}

/// Everything in the file that breaks a fence, each as `file: what: why`.
fn violations(file: &str, source: &str) -> Vec<String> {
    let place = Place::of(file);
    let vague = place.module.iter().filter(|name| VAGUE_NAMES.contains(name));
    let mut found: Vec<String> =
        vague.map(|name| format!("{file}: {name}: the name says nothing")).collect();
    for path in Reader::read(source, &place.module) {
        if let Some(why) = fence(&place, &path) {
            found.push(format!("{file}: {}: {why}", path.join("::")));
        }
    }
    found
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    PathSep,
    Other(char),
}

/// The words and signs of the source, without comments, strings and character literals.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if let Some(skipped) = comment_or_literal(rest) {
            rest = &rest[skipped..];
            tokens.push(Token::Other('"'));
        } else if rest.starts_with("::") {
            rest = &rest[2..];
            tokens.push(Token::PathSep);
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Other(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    // What was skipped parts nothing that stood together: `std /* … */ ::fs` is a path.
    tokens.retain(|token| *token != Token::Other('"'));
    tokens
}

/// How long the comment or literal is that the text begins with, if it does.
fn comment_or_literal(text: &str) -> Option<usize> {
    let upto = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return Some(upto(2, "\n"));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    let raw = text.trim_start_matches(['b', 'c']);
    let hashes = raw.strip_prefix('r').map(|it| it.len() - it.trim_start_matches('#').len());
    if let Some(hashes) = hashes
        && raw[1 + hashes..].starts_with('"')
        && text.len() - raw.len() <= 1
    {
        let start = text.len() - raw.len() + hashes + 2;
        return Some(upto(start, &format!("\"{}", "#".repeat(hashes))));
    }
    match text.as_bytes() {
        [b'"', ..] => Some(quoted(text, 0)),
        [b'b' | b'c', b'"', ..] => Some(quoted(text, 1)),
        [b'\'', b'\\', ..] => Some(upto(3, "'")),
        // A lifetime is no literal.
        [b'\'', ..] => {
            let character = text.chars().nth(1)?;
            text[1 + character.len_utf8()..].starts_with('\'').then(|| character.len_utf8() + 2)
        }
        _ => None,
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(text: &str, quote: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(quote + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Reads the paths of a file: those of `use` declarations, and those that stand in the code.
struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// The module of the file, and of the inline modules around the place of reading.
    module: Vec<String>,
    /// How deep the braces were where each inline module began.
    inline: Vec<usize>,
    depth: usize,
    paths: Vec<CodePath>,
}

impl Reader {
    fn read(source: &str, module: &[&str]) -> Vec<CodePath> {
        let module = module.iter().map(|name| (*name).to_owned()).collect();
        let (tokens, inline, paths) = (tokens(source), Vec::new(), Vec::new());
        let mut reader = Self { tokens, at: 0, module, inline, depth: 0, paths };
        while reader.at < reader.tokens.len() {
            reader.step();
        }
        reader.paths
    }

    fn word(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at) == Some(&Token::Other(sign))
    }

    fn is_path_sep(&self, at: usize) -> bool {
        self.tokens.get(at) == Some(&Token::PathSep)
    }

    fn step(&mut self) {
        match self.word(self.at) {
            Some("use") if !self.is(self.at + 1, '<') => {
                self.at += 1;
                self.tree(&[]);
            }
            Some("crate") if self.word(self.at.wrapping_sub(1)) == Some("extern") => {
                let name = self.word(self.at + 1).unwrap_or_default().to_owned();
                self.paths.push(vec![name]);
                self.at += 2;
            }
            Some("mod") if self.is(self.at + 2, '{') => {
                let name = self.word(self.at + 1).unwrap_or_default().to_owned();
                self.module.push(name);
                self.inline.push(self.depth);
                self.at += 2;
            }
            Some(_) if self.is_path_sep(self.at + 1) => self.path(),
            _ => self.sign(),
        }
    }

    fn sign(&mut self) {
        if self.is(self.at, '{') {
            self.depth += 1;
        } else if self.is(self.at, '}') {
            self.depth = self.depth.saturating_sub(1);
            if self.inline.last() == Some(&self.depth) {
                self.inline.pop();
                self.module.pop();
            }
        }
        self.at += 1;
    }

    /// A path that stands in the code: words with `::` between them.
    fn path(&mut self) {
        let mut path = Vec::new();
        while let Some(word) = self.word(self.at) {
            path.push(word.to_owned());
            self.at += 1;
            if !self.is_path_sep(self.at) {
                break;
            }
            self.at += 1;
        }
        self.keep(&path);
    }

    /// One branch of a `use` declaration behind `prefix`, up to its comma, brace or semicolon.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        loop {
            match self.tokens.get(self.at) {
                Some(Token::PathSep) => {}
                Some(Token::Word(word)) if word == "as" => self.at += 1,
                Some(Token::Word(word)) if word == "self" && !path.is_empty() => {}
                Some(Token::Word(word)) => path.push(word.clone()),
                Some(Token::Other('*')) => path.push("*".to_owned()),
                Some(Token::Other('{')) => {
                    self.branches(&path);
                    return;
                }
                _ => break,
            }
            self.at += 1;
        }
        self.keep(&path);
    }

    fn branches(&mut self, prefix: &[String]) {
        self.at += 1;
        while self.at < self.tokens.len() && !self.is(self.at, '}') {
            let before = self.at;
            if !self.is(self.at, ',') {
                self.tree(prefix);
            }
            self.at += usize::from(self.is(self.at, ',') || self.at == before);
        }
        self.at += 1;
    }

    /// Notes the path as seen from the crate's root.
    fn keep(&mut self, path: &[String]) {
        let mut base = self.module.clone();
        let mut segments = path.iter().map(String::as_str).peekable();
        let mut is_local = false;
        while let Some(&segment) = segments.peek() {
            match segment {
                "self" => {}
                "super" => drop(base.pop()),
                "crate" | "iam_stocktake" if !is_local => base.clear(),
                _ => break,
            }
            is_local = true;
            segments.next();
        }
        let from_root = is_local.then(|| std::iter::once("crate".to_owned()).chain(base));
        let path: CodePath =
            from_root.into_iter().flatten().chain(segments.map(str::to_owned)).collect();
        if !path.is_empty() {
            self.paths.push(path);
        }
    }
}

/// Every file of the source, as `src/…`, with its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut sources) = (vec![root.join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

#[test]
fn the_source_keeps_its_fences() {
    let sources = sources();
    assert!(sources.iter().any(|(file, _)| file == "src/judge/mod.rs"));
    let found: Vec<String> =
        sources.iter().flat_map(|(file, source)| violations(file, source)).collect();
    assert_eq!(found, [""; 0], "\n{}", found.join("\n"));
}

/// Sources that break a fence: the file, its text, what is caught in it, and why.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    ("src/judge/mod.rs", "use aws_sdk_iam::Client;", "aws_sdk_iam::Client", AWS),
    ("src/app/audit.rs", "fn f(c: &aws_config::SdkConfig) {}", "aws_config::SdkConfig", AWS),
    ("src/runner/mod.rs", "use octocrab as o;", "octocrab", "octocrab belongs to github"),
    (
        "src/publish/queue.rs",
        "use ::octocrab::Octocrab;",
        "octocrab::Octocrab",
        "octocrab belongs to github",
    ),
    (
        "src/settings.rs",
        "serde_saphyr::from_str(x)",
        "serde_saphyr::from_str",
        "serde_saphyr belongs to allowlist, observe",
    ),
    (
        "src/publish/mod.rs",
        "use minijinja::{Environment};",
        "minijinja::Environment",
        "minijinja belongs to report",
    ),
    ("src/app/audit.rs", "#[derive(clap::Args)] struct A;", "clap::Args", "clap belongs to cli"),
    ("src/lib.rs", "extern crate clap;", "clap", "clap belongs to cli"),
    (
        "src/settings.rs",
        "use clap_complete::Shell;",
        "clap_complete::Shell",
        "clap_complete belongs to cli",
    ),
    ("src/cli.rs", "use crate::app::audit;", "crate::app::audit", APP),
    ("src/cli.rs", "use iam_stocktake::app;", "crate::app", APP),
    ("src/report/mod.rs", "use super::app::Run;", "crate::app::Run", APP),
    ("src/lib.rs", "pub use crate::{judge, app::{self}};", "crate::app", APP),
    (
        "src/observe/session.rs",
        "use crate::runner::Token;",
        "crate::runner::Token",
        BETWEEN_ADAPTERS,
    ),
    (
        "src/runner/oidc.rs",
        "use super::super::github::Client;",
        "crate::github::Client",
        BETWEEN_ADAPTERS,
    ),
    (
        "src/github/mod.rs",
        "use crate::{judge::Audit, observe};",
        "crate::observe",
        BETWEEN_ADAPTERS,
    ),
    ("src/inventory.rs", "use crate::observe::export;", "crate::observe::export", PURE),
    ("src/policy.rs", "fn f() { crate::github::get() }", "crate::github::get", PURE),
    ("src/judge/rules.rs", "pub(crate) use crate::runner as r;", "crate::runner", PURE),
    (
        "src/report/markdown.rs",
        "mod a { use super::super::super::runner::*; }",
        "crate::runner::*",
        PURE,
    ),
    ("src/publish/plan.rs", "use crate::github::Issue;", "crate::github::Issue", PURE),
    ("src/remediate/plan/keys.rs", "use crate::observe::Key;", "crate::observe::Key", PURE),
    ("src/judge/mod.rs", "use crate::*;", "crate::*", APP),
    ("src/report/mod.rs", "use std::{fmt, fs::File};", "std::fs::File", NOT_PURE),
    ("src/judge/mod.rs", "let x = std /* why */ ::env::var(y);", "std::env::var", NOT_PURE),
    ("src/policy.rs", "use std::*;", "std::*", NOT_PURE),
    ("src/inventory.rs", "fn f(a: std::net::IpAddr) {}", "std::net::IpAddr", NOT_PURE),
    ("src/judge/mod.rs", "let t: Vec<tokio::Task>;", "tokio::Task", NOT_PURE),
    ("src/report/mod.rs", "use reqwest::Client;", "reqwest::Client", NOT_PURE),
    ("src/identity.rs", "use std::env::var_os;", "std::env::var_os", NOT_PURE),
    ("src/permissions/terraform.rs", "use std::fs::write;", "std::fs::write", NOT_PURE),
    ("src/report/utils.rs", "", "utils", "the name says nothing"),
    ("src/helpers.rs", "", "helpers", "the name says nothing"),
    ("src/common/mod.rs", "", "common", "the name says nothing"),
    ("src/judge/types.rs", "", "types", "the name says nothing"),
];

#[test]
fn each_fence_catches_who_breaks_it() {
    for (file, source, what, why) in BROKEN {
        assert_eq!(violations(file, source), [format!("{file}: {what}: {why}")], "{source}");
    }
}

#[test]
fn what_stays_within_the_fences_is_let_through() {
    for (file, source) in [
        ("src/observe/session.rs", "use aws_config::SdkConfig; use std::fs; use super::export;"),
        ("src/remediate/apply.rs", "use aws_sdk_iam::Client;"),
        ("src/github/issues.rs", "use octocrab::Octocrab; use crate::github::limits;"),
        ("src/allowlist/node.rs", "use serde_saphyr::Spanned;"),
        (
            "src/report/markdown.rs",
            "use minijinja::Environment; use std::fmt; use crate::judge::Audit;",
        ),
        ("src/cli.rs", "use clap::Parser; use clap_complete::Shell;"),
        ("src/main.rs", "use clap::Parser; use iam_stocktake::{app, cli};"),
        ("src/app/audit.rs", "use super::files; use crate::app::files::write; use crate::observe;"),
        ("src/lib.rs", "pub mod app; pub mod observe;"),
        ("src/judge/mod.rs", "mod rules; use rules::Draft; use super::inventory::User;"),
        (
            "src/judge/rules.rs",
            "#[cfg(test)] mod tests { use super::super::finding; } use super::x;",
        ),
        ("src/judge/mod.rs", "// use std::fs;\n/* std::env /* std::fs */ std::net */ fn f() {}"),
        (
            "src/judge/mod.rs",
            r##"let x = "std::fs"; let y = r#"a " std::env"#; let z = b"\"tokio::x";"##,
        ),
        (
            "src/judge/mod.rs",
            "fn f<'a>(c: char) -> &'a str { if c == '\"' || c == '\\'' { g(c) } }",
        ),
        ("src/judge/mod.rs", "fn f(environment: Fs) { let fs = env; }"),
        ("src/judge/mod.rs", "fn f() -> impl Ord + use<'_> { octocrab(clap) }"),
        ("src/report/typeset.rs", "use std::collections::BTreeMap;"),
    ] {
        assert_eq!(violations(file, source), [""; 0], "{source}");
    }
}
