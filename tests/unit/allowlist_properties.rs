//! No file makes parsing or rendering panic, and no exemption is silently lost.

use std::ops::Range;
use std::sync::LazyLock;

use crate::allowlists::{fixtures, today};
use chrono::NaiveDate;
use iam_stocktake::allowlist::{self, Allowlist, Diagnostic, Position, Severity};
use serde_json::Value;
use stand_ins::proptest::prelude::*;

/// The files in `tests/allowlists`, without the one that takes long to parse.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let quick = fixtures().into_iter().filter(|fixture| fixture.name() != "syntax-alias-bomb");
    quick.map(|fixture| fixture.bytes).collect()
});

/// Parses and renders a file like the program, and checks the properties of every file.
fn check(bytes: &[u8], today: NaiveDate) -> Result<(), TestCaseError> {
    let source = String::from_utf8_lossy(bytes);
    match allowlist::parse(bytes, today) {
        Ok(allowlist) => {
            assert_nothing_is_lost(&allowlist, &source)?;
            for notice in allowlist::notices(&allowlist, today) {
                prop_assert_eq!(notice.severity, Severity::Notice);
                render(&notice, &source)?;
            }
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty(), "rejected without a problem");
            prop_assert!(problems.iter().map(|it| it.span.start).is_sorted(), "out of order");
            for problem in problems {
                prop_assert_eq!(problem.severity, Severity::Error);
                render(&problem, &source)?;
            }
        }
    }
    Ok(())
}

/// An accepted file has all exemptions that another YAML parser finds in it.
fn assert_nothing_is_lost(allowlist: &Allowlist, source: &str) -> Result<(), TestCaseError> {
    let file: Value = serde_saphyr::from_str(source).expect("an accepted file is YAML");
    let exemptions = file.get("exemptions").and_then(Value::as_array).map_or(0, Vec::len);
    prop_assert_eq!(allowlist.exemptions.len(), exemptions);
    let remediation = file.get("remediation");
    prop_assert_eq!(allowlist.remediation.is_some(), remediation.is_some());
    if let Some(remediation) = &allowlist.remediation {
        prop_assert!(remediation.delete_after_days.is_some() || !remediation.delete_users);
        prop_assert!(!remediation.paths.is_empty() && remediation.max_changes > 0);
    }
    for exemption in &allowlist.exemptions {
        prop_assert!(!exemption.rules.is_empty() && !exemption.reason.trim().is_empty());
        prop_assert_eq!(exemption.place, Position::of(source, exemption.span.start));
    }
    Ok(())
}

fn render(diagnostic: &Diagnostic, source: &str) -> Result<(), TestCaseError> {
    let Diagnostic { span, message, label, help, .. } = diagnostic;
    prop_assert!(span.start <= span.end, "{diagnostic:?}");
    for sentence in [message, label, help] {
        let harmless = !sentence.is_empty() && !sentence.contains(|c: char| c.is_control());
        prop_assert!(harmless, "{diagnostic:?}");
    }
    for color in [false, true] {
        let text = allowlist::render(diagnostic, "allowlist.yml", source, color);
        prop_assert!(text.ends_with('\n'));
        // The runner executes a workflow command at the start of a line.
        prop_assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    }
    Ok(())
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    (0..FILES.len()).prop_map(|index| FILES[index].clone())
}

/// A change to a file.
#[derive(Debug, Clone)]
enum Change {
    Cut(Range<usize>),
    Double(Range<usize>),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let range = || (any::<usize>(), 0..60_usize).prop_map(|(at, len)| at..at.saturating_add(len));
    // Characters with a meaning in YAML or in a terminal, and characters of several bytes.
    let pieces = prop::sample::select(vec![
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        ":",
        ": ",
        "- ",
        ",",
        "\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        "#",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!!binary ",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
        "%",
        "@",
        "`",
        "?",
        "~",
        "\\",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "ü",
        "日本",
        "🦀",
        "\u{202e}",
        "\n::error::",
        "\u{1b}[31m",
        "user: ",
        "exemptions: ",
        "remediation: ",
        "delete_users: true",
        "99999999999999999999",
        "1e400",
        "-.inf",
        "0x1F",
        "2027-02-30",
        "AKIAIOSFODNN7EXAMPLE",
    ]);
    prop_oneof![
        range().prop_map(Change::Cut),
        range().prop_map(Change::Double),
        (any::<usize>(), pieces).prop_map(|(at, it)| Change::Insert(at, it.as_bytes().to_vec())),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, vec![byte])),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: usize| at % (bytes.len() + 1);
        let within = |range: &Range<usize>| {
            let start = place(range.start);
            start..(start + range.len()).min(bytes.len())
        };
        match change {
            Change::Cut(range) => drop(bytes.drain(within(range))),
            Change::Double(range) => {
                let (range, copy) = (within(range), bytes[within(range)].to_vec());
                bytes.splice(range.start..range.start, copy);
            }
            Change::Insert(at, piece) => {
                let at = place(*at);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes, today())?;
    }

    #[test]
    fn random_text_does_not_panic(text in "(?s).{0,200}") {
        check(text.as_bytes(), today())?;
    }

    #[test]
    fn random_yaml_syntax_does_not_panic(text in "[-\\[\\]{}:,?&*!|>'\"%@`# \n\ta]{0,120}") {
        check(text.as_bytes(), today())?;
    }

    #[test]
    fn changed_files_do_not_panic(
        file in file(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        check(&changed(file, &changes), today())?;
    }

    #[test]
    fn random_days_do_not_panic(
        file in file(),
        day in prop::sample::select(vec![
            NaiveDate::MIN, NaiveDate::MAX, NaiveDate::default(), NaiveDate::MAX.pred_opt().unwrap(),
        ]),
    ) {
        check(&file, day)?;
    }

    #[test]
    fn rendering_a_random_span_does_not_panic(
        file in file(), source in "(?s).{0,60}",
    ) {
        // The file may have changed since it was parsed.
        for problem in allowlist::parse(&file, today()).err().into_iter().flatten() {
            render(&problem, &source)?;
        }
    }
}

#[test]
fn deep_nesting_is_rejected_without_recursion() {
    for depth in [17, 64, 65, 1_000, 50_000] {
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
            let file = format!("{}x{}", open.repeat(depth), close.repeat(depth));
            assert!(allowlist::parse(file.as_bytes(), today()).is_err(), "{depth} times {open}");
        }
    }
}

#[test]
fn thousands_of_exemptions_are_read() {
    let exemption = |number: usize| {
        format!(
            "  - user: user-{number}\n    account: \"111122223333\"\n    \
             credentials: [password, \"access-key:WXYZ\"]\n    rules: [stale-password]\n    \
             reason: Moves to OIDC\n    owner: \"@acme/platform\"\n    expires: 2027-03-31\n"
        )
    };
    let file =
        String::from("version: 1\nexemptions:\n") + &(0..5_000).map(exemption).collect::<String>();
    let allowlist = allowlist::parse(file.as_bytes(), today()).expect("a good allowlist");
    assert_eq!(allowlist.exemptions.len(), 5_000);
}
