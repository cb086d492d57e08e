//! The diagnostics of allowlist files: one folder per case in `tests/allowlists`.
//!
//! `UPDATE_EXPECT=1 cargo test --test unit allowlist_diagnostics` rewrites the `expected.txt` files.

use crate::allowlists::{Fixture, fixtures, today};
use iam_stocktake::allowlist::{self, Diagnostic, DiagnosticCode, Position, Severity};
use stand_ins::expect::Expectations;

/// An audited account.
const AUDITED: &str = "999988887777";

/// The problems of an invalid file; the notices of a valid file, and its conflicts with the audited
/// accounts.
fn diagnostics(fixture: &Fixture) -> Vec<Diagnostic> {
    let audited = [AUDITED.parse().unwrap()].into();
    match allowlist::parse(&fixture.bytes, today()) {
        Ok(allowlist) => {
            let mut problems = allowlist::audited_former_accounts(&allowlist, &audited);
            problems.extend(allowlist::notices(&allowlist, today()));
            problems
        }
        Err(problems) => problems,
    }
}

fn rendered(fixture: &Fixture) -> String {
    let source = String::from_utf8_lossy(&fixture.bytes);
    let blocks: Vec<_> = diagnostics(fixture)
        .iter()
        .map(|it| allowlist::render(it, "allowlist.yml", &source, false))
        .collect();
    if blocks.is_empty() { "nothing to report\n".to_owned() } else { blocks.join("\n") }
}

#[test]
fn every_file_has_the_expected_diagnostics() {
    let mut expectations = Expectations::default();
    for fixture in fixtures() {
        expectations.check(&fixture.directory.join("expected.txt"), &rendered(&fixture));
    }
    expectations.finish();
}

#[test]
fn every_code_has_a_case_with_its_name() {
    // The content of a file cannot cause this problem.
    let without_a_file = [DiagnosticCode::UnreadableFile];
    let fixtures = fixtures();
    for code in DiagnosticCode::ALL.iter().filter(|code| !without_a_file.contains(code)) {
        let shows = |fixture: &Fixture| {
            fixture.name().starts_with(code.id())
                && diagnostics(fixture).iter().any(|it| it.code == *code)
        };
        assert!(fixtures.iter().any(shows), "no case shows `{code}`");
    }
}

#[test]
fn only_valid_files_are_accepted() {
    for fixture in fixtures() {
        let valid = [
            "valid-",
            "exemption-expired",
            "exemption-expires-soon",
            "duplicate-exemption",
            // The file is only wrong together with the audited accounts.
            "former-account-audited",
        ]
        .iter()
        .any(|start| fixture.name().starts_with(start));
        let parsed = allowlist::parse(&fixture.bytes, today());
        assert_eq!(parsed.is_ok(), valid, "{}: {parsed:#?}", fixture.name());
        if let Err(problems) = parsed {
            let errors = problems.iter().all(|it| it.severity == Severity::Error);
            assert!(errors && !problems.is_empty(), "{}: {problems:#?}", fixture.name());
        }
    }
}

#[test]
fn problems_are_in_the_order_of_the_file() {
    for fixture in fixtures() {
        let starts: Vec<_> = diagnostics(&fixture).iter().map(|it| it.span.start).collect();
        assert!(starts.is_sorted(), "{}: {starts:?}", fixture.name());
    }
}

#[test]
fn every_diagnostic_has_a_message_a_label_and_help_in_one_line_each() {
    for fixture in fixtures() {
        for diagnostic in diagnostics(&fixture) {
            let Diagnostic { message, label, help, related, .. } = &diagnostic;
            let related = related.iter().map(|(_, label)| label);
            for sentence in [message, label, help].into_iter().chain(related) {
                let good = !sentence.is_empty() && !sentence.contains(|c: char| c.is_control());
                assert!(good, "{}: {diagnostic:#?}", fixture.name());
            }
        }
    }
}

#[test]
fn printed_line_and_column_match_the_span() {
    for fixture in fixtures() {
        let source = String::from_utf8_lossy(&fixture.bytes);
        for diagnostic in diagnostics(&fixture).iter().filter(|_| !source.is_empty()) {
            let Position { line, column } = Position::of(&source, diagnostic.span.start);
            let place = format!("--> allowlist.yml:{line}:{column}\n");
            let rendered = allowlist::render(diagnostic, "allowlist.yml", &source, false);
            assert!(rendered.contains(&place), "{place} in\n{rendered}");
        }
    }
}

#[test]
fn unreadable_file_is_reported_without_a_line() {
    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
    let diagnostic = allowlist::unreadable(&error, "check the repository out first");
    assert_eq!(
        allowlist::render(&diagnostic, ".github/iam-allowlist.yml", "", false),
        "error[unreadable-file]: the allowlist cannot be read: No such file or directory\n\
         --> .github/iam-allowlist.yml\n\
         \u{20}= help: check the repository out first\n"
    );
}

#[test]
fn color_does_not_change_the_text() {
    for fixture in fixtures() {
        let source = String::from_utf8_lossy(&fixture.bytes);
        for diagnostic in diagnostics(&fixture) {
            let [plain, coloured] =
                [false, true].map(|color| allowlist::render(&diagnostic, "a.yml", &source, color));
            assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
            assert_eq!(without_color(&coloured), plain, "{}", fixture.name());
        }
    }
}

/// The text without escape sequences, which all end with `m`.
fn without_color(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or("", |(_, rest)| rest))
}
