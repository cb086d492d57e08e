//! Names, paths, reasons and owners with markup stay text in a Markdown report.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};

use stand_ins::gfm::exposed;
use stand_ins::sandbox::{NOW, Ran, Sandbox, markdown, report};
use stand_ins::workflow_commands::{Stops, read};

/// Texts with a meaning in GitHub, Markdown, HTML, a shell or the template engine.
pub(crate) const HOSTILE: &[&str] = &[
    "@octocat",
    "-dash",
    "=ls",
    "#1",
    "octocat/hello#12",
    "GH-12",
    "a|b",
    "a\\|b",
    "`a`",
    "``` a",
    "a`` b `c",
    " a ",
    "<!-- a",
    "a -->",
    "</code></summary></details>",
    "</details><img src=x onerror=alert(1)>",
    "<b>bold</b>",
    "https://github.com/octocat",
    "www.github.com/octocat",
    "[a](https://github.com/octocat)",
    "![a](https://github.com/octocat.png)",
    "**a** _b_ ~~c~~",
    "a\u{b}b\u{1b}[1m",
    "a\u{202e}b\u{200b}c",
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "a'b\"c\\d",
    "a ${HOME} $HOME !! ~",
    "{{ 7 * 7 }}{% raw %}",
    "${{ github.token }}",
    "::add-mask::a",
    "a@example.com",
    ":+1: &copy; &#64;octocat",
];

/// Texts that an allowlist can contain and a credential report cannot.
const OF_SEVERAL_LINES: &[&str] = &["a\nb\n\n# c", "a\r\nb", "a\n-->\n</details>"];

/// Every hostile text as a user name, with a stale password and a stale key.
pub(crate) fn hostile_report() -> String {
    let date = "2025-01-01T00:00:00Z";
    let rows: Vec<_> = HOSTILE.iter().map(|name| (*name, date, date)).collect();
    report("111122223333", &rows)
}

fn allowlist() -> String {
    let mut text = String::from("version: 1\nexemptions:\n");
    for hostile in HOSTILE.iter().chain(OF_SEVERAL_LINES) {
        let quoted = serde_json::to_string(hostile).unwrap();
        text.push_str(&format!(
            "  - {{ user: nobody, reason: {quoted}, owner: {quoted}, expires: 2026-12-31 }}\n"
        ));
    }
    text
}

fn render(language: &str) -> String {
    let ran = markdown(&hostile_report(), Some(&allowlist()), &["--language", language]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn no_text_from_others_creates_mentions_links_or_markup() {
    for language in ["en", "ja"] {
        let found = exposed(&render(language));
        let issue = |text: &str| {
            text.match_indices('#')
                .any(|(at, _)| text[at + 1..].starts_with(|next: char| next.is_ascii_digit()))
        };
        for (place, text) in [("text", &found.text), ("html", &found.html)] {
            // Character references contain `#`, so they are removed.
            let text = text.replace("&#", "&");
            assert!(!text.contains('@'), "{place}: {text}");
            assert!(!issue(&text), "{place}: {text}");
            assert!(!text.contains("github.com"), "{place}: {text}");
            assert!(!text.contains("GH-1"), "{place}: {text}");
        }
        let tags: std::collections::BTreeSet<_> =
            found.html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
        let ours = ["/code", "/details", "/summary", "br", "code", "details", "summary"];
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), ours, "{language}");
        assert!(!found.links.is_empty());
        for link in &found.links {
            let ours = "https://console.aws.amazon.com/iam/home#/users/details/";
            assert!(link.starts_with(ours) || link.starts_with('#'), "{link}");
        }
    }
}

#[test]
fn every_name_is_in_one_code_span_and_all_table_rows_have_the_same_cells() {
    let report = render("en");
    let found = exposed(&report);
    for name in HOSTILE {
        let shown = iam_stocktake::templates::escape_invisible(name).replace("\\|", "\\\\u{7c}");
        assert!(
            found.code.iter().any(|code| code.trim() == shown.trim()),
            "{name:?} as {shown:?} in {:#?}",
            found.code
        );
    }
    let mut options = Options::default();
    options.extension.table = true;
    let arena = Arena::new();
    let root = parse_document(&arena, &report, &options);
    let mut rows = 0;
    for table in root.descendants() {
        let NodeValue::Table(shape) = &table.data.borrow().value else { continue };
        for row in table.children() {
            rows += 1;
            assert_eq!(row.children().count(), shape.num_columns);
            // GFM fills a short row with empty cells. The first cell of our rows is never empty.
            let first = row.children().next().unwrap();
            assert!(first.children().next().is_some());
        }
    }
    assert!(rows > 2 * HOSTILE.len(), "{rows}");
}

#[test]
fn audit_in_a_job_runs_no_workflow_commands() {
    let sandbox = Sandbox::new();
    let name = "::set-output name=x::y ##[add-mask]z";
    sandbox.file("report.csv", report("111122223333", &[(name, "2025-01-01T00:00:00Z", "-")]));
    sandbox.file("broken.yml", "version: 1\n::error::one: two ##[group]three\n");
    let fresh = ["--now", NOW, "--report-generated-at", NOW];
    let audit = ["audit", "--credential-report", "report.csv", "--allowlist", "none"];
    let audit = [&audit[..], &fresh].concat();
    let made = sandbox.run(&[&audit[..], &["--output", "audit.json"]].concat());
    assert_eq!(made.code, 1, "{}", made.stderr);
    for (arguments, code) in [
        (&audit[..], 1),
        (&["audit", "--credential-report", "report.csv", "--allowlist", "broken.yml"], 2),
        (&["allowlist", "check", "broken.yml"], 2),
        (&[&audit[..], &["--format", "markdown"]].concat(), 1),
        (&[&audit[..], &["--format", "markdown", "--language", "ja"]].concat(), 1),
        (&[&audit[..], &["--format", "json"]].concat(), 1),
        (&["allowlist", "suggest", "audit.json"], 0),
        (&["allowlist", "check", "::error::.yml"], 2),
        (&["iam-policy", "--allowlist", "a ##[error]b.yml"], 2),
        (&["audit", "--credential-report", "\n::error::x"], 2),
        (&["audit", "--format", "\n##[error]x"], 2),
        (&["completions", "bash"], 0),
        (&["completions", "zsh"], 0),
        (&["help", "audit"], 0),
        (&["--version"], 0),
    ] {
        let mut command = sandbox.command(arguments);
        let ran = Ran::from(command.env("GITHUB_ACTIONS", "true").output().unwrap());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        // With invalid arguments there is no result, and standard output is the log.
        if !ran.stdout.starts_with("::stop-commands::") {
            assert_eq!(read(&ran.stdout, Stops::Ignored), [], "{}", ran.stdout);
        }
        if arguments.contains(&"json") {
            let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert!(json.to_string().contains("##[add-mask]z"), "{json}");
        }
        let log = ran.stdout + &ran.stderr;
        for stops in [Stops::Supported, Stops::Ignored] {
            let commands = read(&log, stops);
            let names: Vec<_> = commands.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, vec!["error"; usize::from(code != 0)], "{arguments:?}: {log}");
        }
    }
}

#[test]
fn result_in_a_file_is_the_same_as_outside_of_a_job() {
    let sandbox = Sandbox::new();
    let name = "a ##[add-mask]z";
    sandbox.file("report.csv", report("111122223333", &[(name, "2025-01-01T00:00:00Z", "-")]));
    for format in ["markdown", "json", "table"] {
        let arguments =
            ["audit", "--credential-report", "report.csv", "--allowlist", "none", "--now", NOW];
        let mut command = sandbox.command(&[&arguments[..], &["--format", format]].concat());
        let outside = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let file = std::fs::File::create(sandbox.path("result")).unwrap();
        command.env("GITHUB_ACTIONS", "true").stdout(file).output().unwrap();
        assert_eq!(sandbox.read("result"), outside);
        assert!(outside.contains("##["), "{outside}");
    }
}
