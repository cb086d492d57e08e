//! The accounts and users that the rows of a report become, and which files are rejected.

use super::*;

// Rows

#[test]
fn row_becomes_a_user_with_its_credentials() {
    let account = account_of(&rows());
    assert_eq!(account.id.as_str(), ACCOUNT);
    assert_eq!(account.partition, "aws");
    assert_eq!(account.evidence_source, EvidenceSource::ExportedReport);
    assert_eq!((account.alias, account.report_generated_at), (None, None));
    let [alice, john] = account.users.as_slice() else { panic!("two users") };
    assert_eq!(alice.name, "alice");
    assert_eq!(alice.arn, "arn:aws:iam::111122223333:user/alice");
    assert_eq!(alice.created, Timestamp::At(days_ago(400)));
    assert_eq!((alice.evidence(), alice.mfa), (Evidence::CredentialReport, Some(true)));
    assert_eq!((&alice.id, &alice.tags), (&None, &None));
    assert!(!alice.hidden_credentials && !alice.other_credentials_complete);
    let password = alice.password.as_ref().unwrap();
    assert_eq!(password.enabled, Flag::Yes);
    assert_eq!(password.last_used, Timestamp::At(days_ago(100)));
    assert_eq!(password.last_changed, Timestamp::At(days_ago(400)));
    assert!(alice.access_keys.is_empty() && alice.other_credentials.is_empty());
    assert_eq!((&john.name[..], john.mfa, &john.password), ("smith,john", Some(false), &None));
    let [key] = john.access_keys.as_slice() else { panic!("one key") };
    assert_eq!((&key.handle, &key.active), (&CredentialHandle::Slot(2), &Flag::Yes));
    assert_eq!(key.created, Timestamp::At(days_ago(300)));
    assert_eq!(key.last_used, Timestamp::At(days_ago(5)));
    assert_eq!(key.last_used_service.as_deref(), Some("s3"));
}

#[test]
fn root_user_is_separate_wherever_its_row_is() {
    let mut rows = rows();
    rows.rotate_left(1);
    let account = account_of(&rows);
    assert_eq!(account.root.unwrap().name, "<root_account>");
    assert_eq!(account.users.len(), 2);
    assert_eq!(account_of(&rows[..2]).root, None);
}

#[test]
fn time_of_generation_is_kept() {
    let csv = csv(&rows());
    let account = parse(&csv, Some(days_ago(1))).unwrap();
    assert_eq!(account.report_generated_at, Some(days_ago(1)));
}

// Columns

#[test]
fn columns_are_found_by_name_in_any_order() {
    let expected = account_of(&rows());
    let mut columns = COLUMNS;
    for _ in 0..columns.len() {
        columns.rotate_left(1);
        assert_eq!(parsed(&csv_of(&columns, &rows())), expected, "{columns:?}");
    }
    columns.reverse();
    assert_eq!(parsed(&csv_of(&columns, &rows())), expected);
}

#[test]
fn column_names_ignore_case_and_surrounding_spaces() {
    let (header, body) =
        csv(&rows()).split_once('\n').map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
    let header = header.to_uppercase().replace(',', " , ");
    assert_eq!(parsed(&format!("{header}\n{body}")), account_of(&rows()));
}

#[test]
fn required_columns_alone_are_enough() {
    let account = parsed(&csv_of(&REQUIRED, &rows()));
    assert_eq!(account.users.len(), 2);
    assert_eq!(account.users[0].mfa, None);
    assert_eq!(account.users[1].access_keys[0].last_used_service, None);
}

#[test]
fn unknown_columns_are_ignored() {
    let rows: Vec<Row> =
        rows().into_iter().map(|row| row.with("zodiac_sign", "N/A, \"or\" not")).collect();
    assert_eq!(account_of(&rows), account_of(&self::rows()));
}

#[test]
fn twenty_third_column_means_hidden_credentials() {
    let row = |info| Row::of("u").with("additional_credentials_info", info);
    for (info, hidden) in [("3 access keys", true), ("false", true), ("", false), ("N/A", false)] {
        let account = account_of(&[row(info)]);
        assert_eq!(account.users[0].hidden_credentials, hidden, "{info:?}");
    }
    assert_eq!(csv(&[row("")]).lines().next().unwrap().split(',').count(), 23);
}

#[test]
fn all_missing_columns_are_reported_at_once() {
    let header = |columns: &[&str]| columns.join(",");
    assert_eq!(
        report_error("name,age\nalice,7\n").to_string(),
        format!("not a credential report: the header has no column {}", REQUIRED.join(", "))
    );
    let without: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| !["arn", "access_key_2_last_used_date"].contains(column))
        .collect();
    let error = report_error(&header(&without));
    assert_eq!(
        error.to_string(),
        "not a credential report: the header has no column arn, access_key_2_last_used_date"
    );
    assert_eq!(
        error.hint(),
        "export it again: aws iam generate-credential-report, then aws iam get-credential-report \
         --output json > report.json"
    );
}

#[test]
fn each_missing_required_column_is_named() {
    for column in REQUIRED {
        let others: Vec<&str> = COLUMNS.into_iter().filter(|other| *other != column).collect();
        let error = report_error(&csv_of(&others, &rows()));
        assert_eq!(error, ReportError::MissingColumns(vec![column.to_owned()]));
    }
}

#[test]
fn duplicate_column_is_rejected() {
    let twice = format!("{},MFA_Active\n", COLUMNS.join(","));
    assert_eq!(report_error(&twice).to_string(), "the header contains the column mfa_active twice");
}

// Lines and fields

#[test]
fn line_endings_and_the_end_of_the_file_do_not_matter() {
    let lf = csv(&rows());
    let expected = parsed(&lf);
    for (name, text) in [
        ("CRLF", lf.replace('\n', "\r\n")),
        ("CR", lf.replace('\n', "\r")),
        ("no line ending at the end", lf.trim_end().to_owned()),
        ("CRLF, no line ending at the end", lf.trim_end().replace('\n', "\r\n")),
        ("empty lines at the end", format!("{lf}\n\r\n\n")),
        ("empty lines between", lf.replace('\n', "\n\n")),
    ] {
        assert_eq!(parsed(&text), expected, "{name}");
    }
}

#[test]
fn quoted_fields_are_unquoted() {
    let plain = csv(&[Row::of("alice").password_used(1)]);
    let quoted: String = plain
        .lines()
        .map(|line| {
            let fields: Vec<String> = line.split(',').map(|field| format!("\"{field}\"")).collect();
            fields.join(",") + "\n"
        })
        .collect();
    assert_eq!(parsed(&quoted), parsed(&plain));
}

#[test]
fn unusual_paths_are_kept_unchanged() {
    for path in [
        "/`id`/",
        "/|/",
        "/<script>/",
        "/\"quoted\"/",
        "/a,b/",
        "/'/",
        "/::x::/",
        "/%0A/",
        "/a:b:c/",
    ] {
        let arn = format!("arn:aws:iam::{ACCOUNT}:user{path}alice");
        let report = csv(&[Row::of("alice").with("arn", &arn)]);
        let account = parsed(&report);
        assert_eq!((account.users[0].arn.as_ref(), account.id.as_str()), (arn.as_str(), ACCOUNT));
    }
    let doubled = csv(&[Row::of("alice").with("arn", "arn:aws:iam::111122223333:user/\"/alice")]);
    assert!(doubled.contains("\"arn:aws:iam::111122223333:user/\"\"/alice\""), "{doubled}");
}

#[test]
fn every_valid_user_name_is_accepted() {
    for name in ["smith,john", "@octocat", "a+b=c", "first.last@example.com", "-", "_", "User"] {
        assert_eq!(account_of(&[Row::of(name)]).users[0].name, name);
    }
}

#[test]
fn partition_comes_from_the_arn() {
    for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"] {
        let arn = format!("arn:{partition}:iam::{ACCOUNT}:user/u");
        let account = account_of(&[Row::of("u").with("arn", &arn)]);
        assert_eq!((account.partition.as_str(), account.id.as_str()), (partition, ACCOUNT));
    }
}

#[test]
fn unreadable_field_keeps_its_column_and_text_and_other_rows_are_read() {
    for column in COLUMNS.into_iter().filter(|column| *column != "user") {
        let account = account_of(&[
            Row::of("before"),
            Row::of("bad").password_used(1).key_used(1, 1).key_used(2, 1).with(column, "\u{0}?é"),
            Row::of("after").password_used(1),
        ]);
        let names: Vec<&str> = account.users.iter().map(|user| user.name.as_ref()).collect();
        assert_eq!(names, ["before", "bad", "after"], "{column}");
    }
    let account = account_of(&[Row::of("u").with("user_creation_time", "once")]);
    let Timestamp::Unreadable(field) = &account.users[0].created else { panic!("not readable") };
    assert_eq!((field.column.as_str(), field.text.as_str()), ("user_creation_time", "once"));
}

#[test]
fn unreadable_arn_is_accepted_if_another_row_has_the_account_id() {
    for arn in [
        "",
        "N/A",
        "arn:aws:iam::1234:user/u",
        "arn:aws:s3:::bucket",
        "arn:aws:iam:x:111122223333:user/u",
    ] {
        let account = account_of(&[Row::of("u").with("arn", arn), Row::of("v")]);
        assert_eq!((account.users.len(), account.id.as_str()), (2, ACCOUNT), "{arn}");
    }
}

// Files that are not the report of one account

#[test]
fn row_with_too_few_or_too_many_fields_is_rejected_with_its_line() {
    let report = csv(&rows());
    let cut = &report[..report.rfind(",N/A").unwrap()];
    assert_eq!(
        report_error(cut).to_string(),
        "line 4 has 21 fields, but the header has 22: the file may be incomplete or edited"
    );
    let shifted = report.replace("\"smith,john\"", "smith,john");
    assert_eq!(
        report_error(&shifted).to_string(),
        "line 4 has 23 fields, but the header has 22: the file may be incomplete or edited"
    );
}

#[test]
fn line_numbers_match_an_editor() {
    let report = csv(&[Row::of("alice"), Row::of("Alice")]);
    for (text, line) in [
        (report.clone(), 3),
        (report.replace('\n', "\r\n"), 3),
        (report.replace('\n', "\r"), 3),
        (report.replace('\n', "\n\n"), 5),
        (report.replace('\n', "\r\n\r\n"), 5),
    ] {
        let name = "Alice".to_owned();
        assert_eq!(report_error(&text), ReportError::DuplicateUser { line, name }, "{text:?}");
    }
}

#[test]
fn unclosed_quote_does_not_hide_the_rows_after_it() {
    let report = csv(&[Row::of("alice"), Row::of("bob").password_used(400)]);
    let lines: Vec<&str> = report.lines().collect();
    let (all_but_last, _) = lines[1].rsplit_once(',').unwrap();
    for unclosed in [format!("{all_but_last},\"N/A"), format!("\"{}", lines[1])] {
        for line_ending in ["\n", "\r\n", "\r"] {
            assert_eq!(
                report_error(&[lines[0], &unclosed, lines[2]].join(line_ending)).to_string(),
                "the CSV cannot be read: a field on line 2 contains a line break: a quote may not \
                 be closed"
            );
        }
    }
}

#[test]
fn concatenated_reports_are_rejected() {
    let one = csv(&[Row::of("alice")]);
    let joined = format!("{one}{one}");
    let error = report_error(&joined);
    assert_eq!(error.to_string(), "line 3 is a second header");
    assert_eq!(error.hint(), "provide the report of each account as a separate, unedited file");
}

#[test]
fn second_header_is_detected_in_any_case_and_with_a_byte_order_mark() {
    let one = csv(&[Row::of("alice")]);
    for second in [one.to_uppercase(), format!("\u{feff}{one}")] {
        assert_eq!(
            report_error(&format!("{one}{second}")),
            ReportError::RepeatedHeader { line: 3 }
        );
    }
}

#[test]
fn rows_of_two_accounts_are_rejected() {
    let error = report_error(&csv(&[Row::of("alice"), Row::of("bob").in_account("444455556666")]));
    assert_eq!(
        error.to_string(),
        "line 3 belongs to account 444455556666, but the rows before it belong to account \
         111122223333"
    );
    assert_eq!(error.hint(), "provide the report of each account as a separate, unedited file");
}

#[test]
fn duplicate_user_is_rejected_ignoring_case() {
    let error = report_error(&csv(&[Row::of("alice"), Row::of("bob"), Row::of("Alice")]));
    assert_eq!(error.to_string(), "line 4 lists the user `Alice` a second time");
    assert_eq!(error.hint(), "provide the report of each account as a separate, unedited file");
}

#[test]
fn row_without_a_user_name_is_rejected() {
    let error = report_error(&csv(&[Row::of("alice"), Row::of("")]));
    assert_eq!(error.to_string(), "line 3 has no user name");
}

#[test]
fn report_without_an_account_id_is_rejected() {
    let header = csv(&[]);
    for text in ["", "\n", &header, header.trim_end(), &csv(&[Row::of("u").with("arn", "N/A")])] {
        assert_eq!(
            report_error(text).to_string(),
            "no row has an ARN with an account ID",
            "{text:?}"
        );
    }
}
