//! Exemptions that are added to a file: every other byte stays, and the result is valid.

use chrono::NaiveDate;
use iam_stocktake::allowlist::{self, ExtendedFile, InsertionError, SuggestedExemption};
use iam_stocktake::model::policy::Rule;
use stand_ins::proptest::prelude::*;

use crate::allowlists::{fixtures, today};

fn suggestion(user: &str) -> SuggestedExemption {
    SuggestedExemption {
        user: user.to_owned(),
        account: "111122223333".to_owned(),
        user_id: None,
        credentials: vec!["access-key:WXYZ".to_owned()],
        rules: vec![Rule::StaleAccessKey],
        expires: NaiveDate::from_ymd_opt(2026, 9, 28).unwrap(),
    }
}

fn extended(file: &str) -> Result<ExtendedFile, InsertionError> {
    allowlist::extend_list(file, &[suggestion("new-user")], "Moves to OIDC", "@acme", today())
}

/// The new text; only for files that can be extended.
fn text(file: &str) -> String {
    extended(file).unwrap_or_else(|error| panic!("{error}: {file}")).text
}

const OLD: &str = "version: 1\nexemptions:\n  - user: old\n    reason: r\n    owner: o\n    \
                   expires: 2026-12-31\n";
const NEW: &str = "  - user: \"new-user\"\n    account: \"111122223333\"\n    \
                   credentials: [\"access-key:WXYZ\"]\n    reason: \"Moves to OIDC\"\n    \
                   owner: \"@acme\"\n    expires: 2026-09-28\n";

#[test]
fn entry_is_added_to_the_end_of_the_list() {
    let added = extended(OLD).unwrap();
    assert_eq!(added.text, format!("{OLD}{NEW}"));
    assert_eq!((added.line, added.allowlist.exemptions.len()), (7, 2));
    let later = "\n# Remediation\nremediation: {}\n";
    assert_eq!(text(&format!("{OLD}{later}")), format!("{OLD}{NEW}{later}"));
    let own_comment = "    # a comment of the entry\n";
    let file = format!("{OLD}{own_comment}  # - user: older\n...\n");
    assert_eq!(text(&file), format!("{OLD}{own_comment}{NEW}  # - user: older\n...\n"));
}

#[test]
fn style_of_the_file_is_used() {
    let crlf = OLD.replace('\n', "\r\n");
    assert_eq!(text(&crlf), format!("{crlf}{}", NEW.replace('\n', "\r\n")));
    let without_end = OLD.trim_end();
    assert_eq!(text(without_end), format!("{OLD}{NEW}").trim_end());
    let bom = format!("\u{feff}{OLD}");
    assert_eq!(text(&bom), format!("{bom}{NEW}"));
    let outdented = OLD.replace("\n  ", "\n");
    assert_eq!(text(&outdented), format!("{outdented}{}", NEW[2..].replace("\n  ", "\n")));
    let wide = OLD.replace("- user", "-   user").replace("\n    ", "\n      ");
    let new = NEW.replace("- user", "-   user").replace("\n    ", "\n      ");
    assert_eq!(text(&wide), format!("{wide}{new}"));
    let spaced = format!("{OLD}\n{}", OLD[OLD.find("  -").unwrap()..].replace("old", "other"));
    assert_eq!(text(&spaced), format!("{spaced}\n{NEW}"));
}

#[test]
fn file_is_refused_if_it_is_not_clear_where_to_add_the_entry() {
    let entry = "{user: old, reason: r, owner: o, expires: 2026-12-31}";
    for (file, expected) in [
        ("version: 1\n".to_owned(), InsertionError::NoList),
        ("version: 1\nexemptions: []\n".to_owned(), InsertionError::NotBlockStyle),
        (format!("version: 1\nexemptions: [{entry}]\n"), InsertionError::NotBlockStyle),
        (format!("version: 1\nexemptions:\n  [{entry}]\n"), InsertionError::NotBlockStyle),
        (format!("{{version: 1, exemptions: [{entry}]}}\n"), InsertionError::NotBlockStyle),
        (OLD.replace("exemptions:", "exemptions: &list"), InsertionError::NotBlockStyle),
        (OLD.replace("exemptions:", "exemptions: !!seq"), InsertionError::NotBlockStyle),
        (OLD.replace("\n    owner", "\r    owner"), InsertionError::Unclear),
    ] {
        assert_eq!(extended(&file).map(|it| it.text), Err(expected), "{file}");
    }
    // The last line belongs to a quoted or a literal text.
    let literal =
        OLD.replace("    reason: r\n", "").trim_end().to_owned() + "\n    reason: |+\n      r\n\n";
    assert_eq!(extended(&literal), Err(InsertionError::Unclear));
    let quoted = OLD.replace("    reason: r\n", "") + "    reason: \"r\n# s\"\n";
    assert!(extended(&quoted).is_err());
}

#[test]
fn invalid_results_and_second_exemptions_are_refused() {
    assert!(matches!(extended("version: 2\n"), Err(InsertionError::Invalid(_))));
    let late = SuggestedExemption {
        expires: NaiveDate::from_ymd_opt(2028, 1, 1).unwrap(),
        ..suggestion("new-user")
    };
    for (suggestion, reason) in
        [(late, "r"), (suggestion("new-user"), " "), (suggestion("a/b"), "r")]
    {
        let refused = allowlist::extend_list(OLD, &[suggestion], reason, "o", today());
        assert!(matches!(refused, Err(InsertionError::WouldBeInvalid(_))), "{refused:?}");
    }
    let again = extended(&OLD.replace("user: old", "user: New-User"));
    let expected = InsertionError::AlreadyExempt { user: "New-User".to_owned(), line: 3 };
    assert_eq!(again, Err(expected));
}

#[test]
fn every_valid_fixture_is_extended_or_refused() {
    let mut extended_files = 0;
    for fixture in fixtures() {
        let Ok(source) = String::from_utf8(fixture.bytes.clone()) else { continue };
        let before = allowlist::parse(source.as_bytes(), today());
        let Ok(added) = extended(&source) else { continue };
        check(&source, &added).unwrap();
        assert!(before.is_ok(), "{}", fixture.name());
        extended_files += 1;
    }
    assert!(extended_files > 5, "{extended_files}");
}

/// The new file is the old one with one insertion, and has exactly one exemption more.
fn check(source: &str, added: &ExtendedFile) -> Result<(), TestCaseError> {
    let ExtendedFile { text, line, allowlist } = added;
    let before = allowlist::parse(source.as_bytes(), today()).expect("a valid file");
    prop_assert_eq!(Ok(allowlist.clone()), allowlist::parse(text.as_bytes(), today()));
    prop_assert_eq!(allowlist.exemptions.len(), before.exemptions.len() + 1);
    let last = allowlist.exemptions.last().unwrap();
    prop_assert_eq!((last.user.as_str(), last.place.line), ("new-user", *line));
    let same_start = source.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let same_end = source.bytes().rev().zip(text.bytes().rev()).take_while(|(a, b)| a == b).count();
    prop_assert!(same_start + same_end >= source.len(), "{source:?} became {text:?}");
    Ok(())
}

/// A valid file of random layout.
fn file() -> impl Strategy<Value = String> {
    let comment =
        prop::sample::select(vec!["", "", "\n", "# comment\n", "    # deep\n", "  # - user: x\n"]);
    let reason = prop::sample::select(vec![
        "reason: r",
        "reason: \"a # b\"",
        "reason: |\n@      literal\n@      # text",
        "reason: >-\n@      folded\n\n@      text",
        "reason: |+\n@      kept\n\n",
        "reason: 'two\n@      lines'",
        "reason: plain\n@      text # comment",
    ]);
    let entry = (reason, comment.clone(), any::<bool>());
    (
        prop::collection::vec(entry, 1..4),
        comment.clone(),
        0..5_usize,
        1..4_usize,
        prop::sample::select(vec![
            "",
            "remediation: {}\n",
            "policy: {stale_after_days: 90}\n",
            "...\n",
        ]),
        comment,
        any::<(bool, bool, bool)>(),
    )
        .prop_map(|(entries, before, dash, gap, after, end, (crlf, cut, first))| {
            let (indent, pad) = (" ".repeat(dash), " ".repeat(gap));
            let keys = format!("{indent} {pad}");
            let mut list = format!("exemptions:\n{before}");
            for (index, (reason, comment, reason_last)) in entries.into_iter().enumerate() {
                let reason = reason.replace('@', &keys);
                let fixed = format!("owner: o\n{keys}expires: 2026-12-31");
                let rest = if reason_last {
                    format!("{fixed}\n{keys}{reason}")
                } else {
                    format!("{reason}\n{keys}{fixed}")
                };
                list += &format!("{indent}-{pad}user: user-{index}\n{keys}{rest}\n{comment}");
            }
            let file = if first && after != "...\n" {
                format!("{after}version: 1\n{list}{end}")
            } else {
                format!("version: 1\n{list}{end}{after}")
            };
            let file = if cut { file.trim_end_matches('\n').to_owned() } else { file };
            if crlf { file.replace('\n', "\r\n") } else { file }
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn generated_files_keep_every_byte(file in file()) {
        if allowlist::parse(file.as_bytes(), today()).is_ok() {
            match extended(&file) {
                Ok(added) => check(&file, &added)?,
                // Only a text whose end is part of its value is in the way.
                Err(error) => prop_assert!(
                    error == InsertionError::Unclear && (file.contains("|") || file.contains('>')),
                    "{error}: {file:?}"
                ),
            }
        }
    }
}
