//! The formats in which people have a report, and files that are something else.

use super::*;

// Formats

#[test]
fn csv_is_kept_unchanged() {
    let report = csv(&rows());
    assert_eq!(export_of(&report), undated(report));
}

#[test]
fn byte_order_marks_and_utf_16_are_decoded() {
    let report = csv(&rows());
    assert_eq!(export_of(format!("\u{feff}{report}")), undated(report.clone()));
    let little: Vec<u8> =
        format!("\u{feff}{report}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(export_of(little), undated(report.clone()));
    let big: Vec<u8> =
        format!("\u{feff}{report}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(export_of(big), undated(report));
}

/// Base64 in lines of 76 characters.
fn wrapped(text: &str, line_ending: &str) -> String {
    let base64 = STANDARD.encode(text);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(76).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    lines.join(line_ending) + line_ending
}

#[test]
fn base64_is_decoded_with_or_without_line_breaks_and_padding() {
    // All three padding lengths.
    for extra in ["", "\n", "\n\n"] {
        let report = csv(&rows()) + extra;
        for base64 in [
            STANDARD.encode(&report),
            STANDARD_NO_PAD.encode(&report),
            wrapped(&report, "\n"),
            wrapped(&report, "\r\n"),
            format!("\n  {}\n", STANDARD.encode(&report)),
            STANDARD.encode(format!("\u{feff}{report}")),
        ] {
            assert_eq!(export_of(&base64), undated(report.clone()), "{base64}");
        }
    }
}

#[test]
fn output_of_the_aws_cli_has_the_date_of_the_report() {
    let report = csv(&rows());
    let content = STANDARD.encode(&report);
    let date = at("2026-06-30T11:22:33Z");
    for printed in [
        format!(
            r#"{{"Content": "{content}", "ReportFormat": "text/csv", "GeneratedTime": "2026-06-30T11:22:33+00:00"}}"#
        ),
        format!(r#"{{"GeneratedTime": "2026-06-30T20:22:33+09:00", "Content": "{content}"}}"#),
        format!("\n{{\n  \"GeneratedTime\": 1782818553.0,\n  \"Content\": \"{content}\"\n}}\n"),
        format!(r#"{{"Content": "{content}", "GeneratedTime": 1782818553}}"#),
        format!("{content}\t2026-06-30T11:22:33+00:00\ttext/csv\n"),
    ] {
        assert_eq!(export_of(&printed), dated(report.clone(), date), "{printed}");
    }
    let mut shell = vec![0xFF, 0xFE];
    let json = format!(r#"{{"Content": "{content}", "GeneratedTime": "2026-06-30T11:22:33Z"}}"#);
    shell.extend(json.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(export_of(shell), dated(report, date));
}

#[test]
fn cli_output_without_a_date_is_accepted() {
    let report = csv(&rows());
    let content = STANDARD.encode(&report);
    for printed in [
        format!(r#"{{"Content": "{content}"}}"#),
        format!(r#"{{"Content": "{content}", "GeneratedTime": null}}"#),
    ] {
        assert_eq!(export_of(&printed), undated(report.clone()));
    }
}

/// The bytes of the text as printed by Python's `repr`.
fn python_bytes(text: &str, quote: char) -> String {
    let mut printed = format!("b{quote}");
    for byte in text.bytes() {
        match byte {
            b'\n' => printed.push_str("\\n"),
            b'\r' => printed.push_str("\\r"),
            b'\t' => printed.push_str("\\t"),
            b'\\' => printed.push_str("\\\\"),
            b'\'' => printed.push_str("\\'"),
            0x20..0x7f => printed.push(byte.into()),
            _ => printed.push_str(&format!("\\x{byte:02x}")),
        }
    }
    printed.push(quote);
    printed
}

#[test]
fn json_with_the_plain_csv_is_read() {
    let report = csv(&rows());
    let date = at("2026-06-30T11:22:33Z");
    let odd = format!("{report}odd\u{fc}ser\t'\\,{}", &report[report.find('\n').unwrap() + 1..]);
    for (content, expected) in [
        (report.clone(), report.clone()),
        (report.replace('\n', "\r\n"), report.replace('\n', "\r\n")),
        (python_bytes(&report, '\''), report.clone()),
        (python_bytes(&odd, '"'), odd),
    ] {
        let content = serde_json::to_string(&content).unwrap();
        for printed in [
            format!(r#"{{"Content": {content}, "GeneratedTime": "2026-06-30T11:22:33+00:00"}}"#),
            format!(
                r#"{{"Content": {content}, "ResponseMetadata": {{"RetryAttempts": 0}}, "GeneratedTime": "2026-06-30 11:22:33+00:00"}}"#
            ),
        ] {
            assert_eq!(export_of(&printed), dated(expected.clone(), date), "{printed}");
        }
    }
}

#[test]
fn yaml_is_read() {
    let report = csv(&rows());
    let content = STANDARD.encode(&report);
    let indented = |text: &str| format!("  {}", text.replace('\n', "\n  "));
    let block = indented(wrapped(&report, "\n").trim_end());
    let date = at("2026-06-30T11:22:33Z");
    let dates = "GeneratedTime: '2026-06-30T11:22:33+00:00'\nReportFormat: text/csv\n";
    for printed in [
        format!("Content: {content}\n{dates}"),
        format!("---\nContent: {content}\n{dates}"),
        format!("GeneratedTime: 2026-06-30T11:22:33Z\nContent: \"{content}\"\n"),
        format!("Content: !!binary |\n{block}\n{dates}"),
        format!("Content: |\n{}\n{dates}", indented(report.trim_end())),
        format!("Content: {}\n{dates}", serde_json::to_string(&report).unwrap()),
    ] {
        assert_eq!(export_of(&printed), dated(report.clone(), date), "{printed}");
    }
    assert_eq!(export_of(format!("Content: {content}\n")), undated(report));
}

#[test]
fn yaml_report_of_the_largest_account_is_read() {
    let row = &rows()[0];
    let report = csv(&vec![row.clone(); 5_000]);
    let yaml = format!("Content: {}\nReportFormat: text/csv\n", STANDARD.encode(&report));
    assert_eq!(export_of(yaml), undated(report));
}

#[test]
fn unreadable_format_has_a_hint_with_a_command_that_works() {
    let content = STANDARD.encode(csv(&rows()));
    let table = format!(
        "-----------------\n|  GetCredentialReport  |\n+----+\n|  Content  |  {content} |\n"
    );
    for (printed, format) in [
        (table, "the output of `--output table`"),
        (format!("\"{content}\"\n"), "text in quotes"),
        (format!("{{'Content': b'{content}'}}"), "a response printed by Python"),
    ] {
        let error = export_error(&printed);
        let expected = format!(
            "the file contains {format}, which cannot be read as a credential \
                                report"
        );
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().contains("get-credential-report --output json > "));
    }
    for (printed, expected) in [
        ("Content: {a: 1}\n", "the file is YAML, but not the output of"),
        ("Content: [\n", "the file is YAML, but not the output of"),
        ("ReportFormat: text/csv\n", "the file is YAML, but not the output of"),
        ("Content: abc\nGeneratedTime: now\n", "`GeneratedTime` is not a valid date"),
        (r#"{"Content": "b'\\q'"}"#, "JSON with invalid Python bytes"),
    ] {
        let error = export_error(printed).to_string();
        assert!(error.contains(expected), "{printed}: {error}");
    }
}

// Files that are something else

#[test]
fn empty_file_is_reported_as_empty() {
    let bytes: [&[u8]; 7] = [
        b"",
        b" ",
        b"\r\n\t\n",
        b"\xEF\xBB\xBF\n",
        b"\xFF\xFE",
        b"\xFF\xFE\n\0",
        b"{\"Content\":\"\"}",
    ];
    for bytes in bytes {
        assert_eq!(export_error(bytes).to_string(), "the file is empty", "{bytes:?}");
    }
    let blank = STANDARD.encode("\n \n");
    assert_eq!(export_error(blank).to_string(), "the file is empty");
}

#[test]
fn other_kinds_of_files_are_named() {
    let images = STANDARD.encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, the rest of an image");
    let unpaired: &[u8] = b"\xFF\xFE\x00\xD8u\0";
    let cases: [(&[u8], &str); 12] = [
        (b"<!DOCTYPE html>\n<html>, sign in</html>", "HTML or XML"),
        (b"\n <?xml version=\"1.0\"?>", "HTML or XML"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04\x14\0", "a zip archive or a spreadsheet"),
        (b"PK\x05\x06\0\0", "a zip archive or a spreadsheet"),
        (b"\x1F\x8B\x08\0", "gzip-compressed data"),
        (unpaired, "damaged UTF-16 text"),
        (b"user;arn;user_creation_time\n", "a table that was saved without commas as separators"),
        (b"user\tarn\tuser_creation_time\n", "a table that was saved without commas as separators"),
        ("Zugang gesperrt für alle".as_bytes(), "text that is neither CSV nor base64"),
        (images.as_bytes(), "base64 of something other than a CSV"),
        (b"Unable to locate credentials.", "text that is neither CSV nor base64"),
    ];
    for (bytes, what) in cases {
        assert_eq!(
            export_error(bytes).to_string(),
            format!("the file contains {what}, not a credential report"),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn bytes_that_are_not_text_are_reported_with_their_position() {
    assert_eq!(
        export_error(b"user,arn\nal\xE9ce,arn\n").to_string(),
        "the file is not UTF-8 text: invalid byte at offset 11, line 2"
    );
}

#[test]
fn other_json_is_rejected() {
    let json = |why: &str| {
        format!("the file is JSON, but not the output of `aws iam get-credential-report`: {why}")
    };
    for (text, why) in [
        (r#"{"State": "STARTED"}"#, "missing field `Content` at line 1 column 20"),
        (r#"{"Content": 7}"#, "invalid type: integer `7`, expected a string at line 1 column 13"),
        (r#"{"Content": "dXNlcg"#, "EOF while parsing a string at line 1 column 19"),
    ] {
        assert_eq!(export_error(text).to_string(), json(why), "{text}");
    }
}

#[test]
fn truncated_base64_is_not_read_as_a_shorter_report() {
    let base64 = STANDARD.encode(csv(&rows()));
    let cut = &base64[..base64.len() / 4 * 4 - 7];
    let length = cut.len();
    assert_eq!(
        export_error(cut).to_string(),
        format!(
            "the file looks like base64, but cannot be decoded (Invalid input length: {length}): \
             part of it may be missing"
        )
    );
    let in_the_middle_of_a_row = export_of(&base64[..base64.len() / 8 * 4]);
    assert_eq!(
        report_error(&in_the_middle_of_a_row.csv).to_string(),
        "line 2 has 2 fields, but the header has 22: the file may be incomplete or edited"
    );
}

#[test]
fn report_with_an_invalid_date_is_rejected() {
    let content = STANDARD.encode(csv(&rows()));
    for (printed, date) in [
        (format!(r#"{{"Content": "{content}", "GeneratedTime": "yesterday"}}"#), "yesterday"),
        (format!(r#"{{"Content": "{content}", "GeneratedTime": [2026]}}"#), "[2026]"),
        (format!(r#"{{"Content": "{content}", "GeneratedTime": 1e300}}"#), "1e+300"),
        (format!("{content}\tyesterday\ttext/csv"), "yesterday"),
    ] {
        assert_eq!(
            export_error(&printed).to_string(),
            format!("`GeneratedTime` is not a valid date: `{date}`")
        );
    }
}
