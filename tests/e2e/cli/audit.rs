//! `iam-stocktake audit`, through the real binary.

use stand_ins::sandbox::{NOW, Sandbox, report};

const HEALTHY: (&str, &str, &str) = ("healthy", "2026-06-20T00:00:00Z", "-");
const STALE: (&str, &str, &str) = ("leaver", "2025-01-01T00:00:00Z", "-");
const UNREADABLE: (&str, &str, &str) = ("edited", "6/20/2026", "-");

fn sandbox(rows: &[(&str, &str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("report.csv", report("111122223333", rows));
    sandbox
}

const AUDIT: [&str; 7] =
    ["audit", "--credential-report", "report.csv", "--allowlist", "none", "--now", NOW];

fn audit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    AUDIT.iter().chain(more).copied().collect()
}

#[test]
fn exit_code_depends_on_the_findings() {
    for (rows, more, expected) in [
        (&[HEALTHY][..], &[][..], 0),
        (&[HEALTHY, STALE], &[], 1),
        (&[HEALTHY, STALE], &["--fail-on", "none"], 0),
        (&[HEALTHY, UNREADABLE], &[], 3),
        // The highest exit code wins, and the gate does not change incomplete evidence.
        (&[STALE, UNREADABLE], &[], 3),
        (&[HEALTHY, UNREADABLE], &["--fail-on", "none"], 3),
        (&[HEALTHY], &["--stale-after-days", "10"], 1),
    ] {
        let ran = sandbox(rows).run(&audit(more));
        assert_eq!(ran.code, expected, "{rows:?} {more:?}\n{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn usage_errors_exit_with_2_and_write_nothing() {
    for (more, expected) in [
        (&["--stale-after-days", "0"][..], "0 is not in 1..=3650"),
        (&["--stale-after-days", "soon"], "invalid digit"),
        (&["--format", "pdf"], "possible values: table, markdown, json"),
        (&["--output", "report.pdf"], "must be one of .txt, .md, .json"),
        (&["--language", "tlh"], "possible values: en, ja"),
        (&["--fail-on", "sometimes"], "possible values: any, none"),
        (&["--report-generated-at", "yesterday"], "the format is 2026-06-30T12:00:00Z"),
        (&["--report-generated-at", "2026-07-01T00:00:00Z"], "after the time of the audit"),
        (&["--template", "missing.md", "--format", "markdown"], "the template cannot be read"),
        (&["--template", "missing.md"], "but none is requested"),
        (&["--output", "./audit.json"], "the file is listed twice"),
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
    ] {
        let sandbox = sandbox(&[STALE]);
        let ran = sandbox.run(&audit(&[more, &["--output", "audit.json"]].concat()));
        assert_eq!(ran.code, 2, "{more:?}");
        assert!(ran.stderr.contains(expected), "{more:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{more:?}");
        assert_eq!(sandbox.names(), ["report.csv"], "{more:?}");
    }
}

#[test]
fn files_that_are_not_reports_are_rejected_with_a_hint() {
    for (content, expected) in [
        (&b"<!DOCTYPE html><html>"[..], "contains HTML or XML, not a credential report"),
        (b"", "the file is empty"),
        (b"%PDF-1.7", "contains a PDF"),
        (
            b"user,arn\nalice,arn:aws:iam::111122223333:user/alice",
            "the header has no column user_creation_time",
        ),
        (b"dXNlcixhc", "part of it may be missing"),
        (b"{\"Users\": []}", "not the output of `aws iam get-credential-report`"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("report.csv", content);
        let ran = sandbox.run(&audit(&["--output", "audit.json"]));
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("error: report.csv: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: export it"), "{}", ran.stderr);
        assert_eq!(sandbox.names(), ["report.csv"]);
    }
}

#[test]
fn all_invalid_inputs_are_reported_in_one_run() {
    let sandbox = Sandbox::new();
    sandbox.file("a.csv", "").file("b.csv", "%PDF").file("allow.yml", "version: 2\nnope: 1\n");
    let ran = sandbox.run(&[
        "audit",
        "--credential-report",
        "a.csv",
        "b.csv",
        "c.csv",
        "--allowlist",
        "allow.yml",
        "--template",
        "gone.md",
        "--format",
        "markdown",
        "--now",
        NOW,
    ]);
    assert_eq!(ran.code, 2);
    for expected in [
        "a.csv: the file is empty",
        "b.csv: the file contains a PDF",
        "c.csv: cannot be read",
        "error[unsupported-version]",
        "error[unknown-key]",
        "gone.md: the template cannot be read",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
}

#[test]
fn standard_input_is_a_report_in_every_form() {
    let csv = report("111122223333", &[STALE]);
    let base64 = base64(csv.as_bytes());
    let json = format!(
        r#"{{"Content": "{base64}", "ReportFormat": "text/csv", "GeneratedTime": "2026-06-30T09:00:00+00:00"}}"#
    );
    let undated = "without a date, at most 0 days old";
    for (form, age) in [(csv, undated), (base64, undated), (json, "09:00 UTC, 0 days old")] {
        let arguments = ["audit", "--credential-report", "-", "--allowlist", "none", "--now", NOW];
        let ran = Sandbox::new().run_with_stdin(&arguments, form.as_bytes());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stdout.contains("leaver"), "{}", ran.stdout);
        assert!(ran.stdout.contains(age), "{}", ran.stdout);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut block = [0; 3];
        block[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, block[0], block[1], block[2]]);
        for digit in 0..4 {
            let index = (number >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

#[test]
fn report_with_a_date_accepts_no_other_date_and_tolerates_clock_skew() {
    let csv = report("111122223333", &[HEALTHY]);
    let json = |date: &str| {
        format!(r#"{{"Content": "{}", "GeneratedTime": "{date}"}}"#, base64(csv.as_bytes()))
    };
    let run = |date: &str, more: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.file("report.csv", json(date));
        sandbox.run(&audit(more))
    };
    let ran = run("2026-06-30T09:00:00Z", &["--report-generated-at", "2026-06-29T00:00:00Z"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("the file contains its date: "), "{}", ran.stderr);
    let ahead = run("2026-06-30T12:04:00Z", &[]);
    assert_eq!(ahead.code, 0, "{}", ahead.stderr);
    assert!(ahead.stdout.contains(" 0 days old"), "{}", ahead.stdout);
    let future = run("2026-06-30T12:06:00Z", &[]);
    assert_eq!(future.code, 3);
    assert!(future.stdout.contains("from the future"), "{}", future.stdout);
    assert!(future.stderr.contains("check the clock"), "{}", future.stderr);
}

#[test]
fn old_reports_and_reports_of_unknown_age_are_incomplete_with_a_hint() {
    let csv = report("111122223333", &[HEALTHY]);
    let run = |now: &str, more: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.file("report.csv", &csv);
        let arguments =
            ["audit", "--credential-report", "report.csv", "--allowlist", "none", "--now", now];
        sandbox.run(&[&arguments, more].concat())
    };
    // The newest date in the report is 11:00.
    for (now, more, code, hint) in [
        ("2026-07-07T11:00:00Z", &[][..], 0, None),
        ("2026-07-07T11:00:01Z", &[], 3, Some("--report-generated-at")),
        ("2026-07-27T12:00:00Z", &[], 3, Some("--report-generated-at")),
        ("2026-07-27T12:00:00Z", &["--fail-on", "none"], 3, Some("--report-generated-at")),
        ("2026-07-27T12:00:00Z", &["--max-evidence-age", "30"], 0, None),
        ("2026-07-02T12:00:00Z", &["--max-evidence-age", "1"], 3, Some("--report-generated-at")),
        ("2026-07-27T12:00:00Z", &["--report-generated-at", "2026-07-21T00:00:00Z"], 0, None),
        (
            "2026-07-27T12:00:00Z",
            &["--report-generated-at", "2026-06-30T12:00:00Z"],
            3,
            Some("--max-evidence-age"),
        ),
        ("2020-01-01T00:00:00Z", &[], 3, Some("--report-generated-at")),
    ] {
        let ran = run(now, more);
        assert_eq!(ran.code, code, "{now} {more:?}: {}{}", ran.stdout, ran.stderr);
        let hinted = ran.stderr.lines().find(|line| line.starts_with("help: "));
        let is_right = match (hint, hinted) {
            (None, None) => true,
            (Some(hint), Some(line)) => line.contains(hint),
            _ => false,
        };
        assert!(is_right, "{now} {more:?}: {}", ran.stderr);
    }
    let json: serde_json::Value =
        serde_json::from_str(&run("2026-07-27T12:00:00Z", &["--format", "json"]).stdout).unwrap();
    let account = &json["accounts"][0];
    assert_eq!(account["report_newest_date"], "2026-06-30T11:00:00Z");
    assert_eq!(account["errors"][0]["code"], "evidence-age-unknown");
    for (language, says) in [("en", "has no date"), ("ja", "日付がなく")] {
        let more = ["--format", "markdown", "--language", language];
        let report = run("2026-07-27T12:00:00Z", &more).stdout;
        assert!(report.contains(says) && report.contains("--report-generated-at"), "{report}");
    }
}

#[test]
fn several_accounts_are_audited_in_parallel_and_duplicates_are_rejected() {
    let sandbox = Sandbox::new();
    sandbox
        .file("a.csv", report("444455556666", &[STALE]))
        .file("b.csv", report("111122223333", &[HEALTHY]));
    let arguments =
        |last| ["audit", "--credential-report", "a.csv", last, "--allowlist", "none", "--now", NOW];
    let ran = sandbox.run(&arguments("b.csv"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let (first, second) = (ran.stdout.find("111122223333"), ran.stdout.find("444455556666"));
    assert!(first.unwrap() < second.unwrap(), "accounts are sorted by id: {}", ran.stdout);

    let ran = sandbox.run(&arguments("a.csv"));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("account 444455556666 was already in a.csv"), "{}", ran.stderr);
}

#[test]
fn missing_default_allowlist_is_reported_and_a_missing_file_of_the_settings_fails() {
    let sandbox = sandbox(&[STALE]);
    let ran = sandbox.run(&["audit", "--credential-report", "report.csv", "--now", NOW]);
    assert_eq!(ran.code, 1);
    let note = "note: the allowlist .github/iam-allowlist.yml does not exist, so nothing is exempt";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    assert!(ran.stdout.contains("nothing is exempted"), "{}", ran.stdout);

    let ran = sandbox.run(&[
        "audit",
        "--credential-report",
        "report.csv",
        "--allowlist",
        "gone.yml",
        "--now",
        NOW,
    ]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("error[unreadable-file]"), "{}", ran.stderr);
}

#[test]
fn flag_overrides_the_threshold_of_the_default_allowlist() {
    let sandbox = sandbox(&[("leaver", "2026-05-01T00:00:00Z", "-")]);
    sandbox.file(".github/iam-allowlist.yml", "version: 1\npolicy: {stale_after_days: 45}\n");
    let arguments = ["audit", "--credential-report", "report.csv", "--now", NOW];
    assert_eq!(sandbox.run(&arguments).code, 1);
    let flag = [&arguments[..], &["--stale-after-days", "90"]].concat();
    assert_eq!(sandbox.run(&flag).code, 0);
}

#[test]
fn outputs_are_complete_and_have_the_format_of_their_extension() {
    let sandbox = sandbox(&[STALE]);
    sandbox.file("report.md", "old");
    let ran = sandbox.run(&audit(&[
        "--output",
        "report.md",
        "--output",
        "audit.json",
        "--output",
        "table.txt",
    ]));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert_eq!(
        ran.stderr,
        "wrote report.md (markdown)\nwrote audit.json (json)\nwrote table.txt (table)\n\
         stale: 1 open, 0 unknown, 0 exempted, 0 notices\n"
    );
    assert!(sandbox.read("report.md").contains("# IAM stocktake: 1 open finding"));
    assert!(sandbox.read("audit.json").starts_with("{\n  \"schema\": \"iam-stocktake/audit/v1\""));
    let table = sandbox.read("table.txt");
    assert!(
        table.contains("leaver") && !table.contains("note "),
        "a column without notes: {table}"
    );
    assert_eq!(sandbox.names(), ["audit.json", "report.csv", "report.md", "table.txt"]);
}

#[test]
fn output_that_cannot_be_written_leaves_the_others_unwritten() {
    let sandbox = sandbox(&[STALE]);
    sandbox.file("audit.json", "old").file("folder.md/keep", "");
    for bad in ["missing/report.md", "folder.md"] {
        let ran = sandbox.run(&audit(&["--output", "audit.json", "--output", bad]));
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("{bad} cannot be written")), "{}", ran.stderr);
        assert_eq!(sandbox.read("audit.json"), "old");
    }
    assert_eq!(sandbox.names(), ["audit.json", "folder.md", "report.csv"]);
}

#[cfg(unix)]
#[test]
fn output_keeps_its_permissions_and_replaces_the_target_of_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox(&[STALE]);
    sandbox.file("real.json", "old");
    std::fs::set_permissions(sandbox.path("real.json"), PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.json", sandbox.path("audit.json")).unwrap();
    assert_eq!(sandbox.run(&audit(&["--output", "audit.json"])).code, 1);
    assert!(sandbox.path("audit.json").is_symlink());
    assert!(sandbox.read("real.json").starts_with('{'));
    let mode = std::fs::metadata(sandbox.path("real.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[cfg(target_os = "linux")]
#[test]
fn closed_pipe_does_not_panic_and_a_full_disk_exits_with_4() {
    use std::process::Stdio;
    let sandbox = sandbox(&[STALE]);
    let mut child = sandbox
        .command(&audit(&["--format", "json"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&audit(&["--format", "json"])).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("standard output cannot be written"), "{stderr}");
}

#[test]
fn table_fits_the_width_counts_wide_characters_and_has_no_color_by_default() {
    let sandbox = sandbox(&[("田中-太郎", "2025-01-01T00:00:00Z", "-"), STALE]);
    let run = |variables: &[(&str, &str)]| {
        let mut command = sandbox.command(&AUDIT);
        command.envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let wide = run(&[]);
    let column = |name: &str| {
        let line = wide.lines().find(|line| line.contains(name)).unwrap();
        let before = line.split("password").next().unwrap();
        // Each of the four wide characters takes two columns.
        before.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>()
    };
    assert_eq!(column("田中"), column("leaver"), "{wide}");
    let narrow = run(&[("COLUMNS", "60")]);
    let table = narrow.lines().filter(|line| line.starts_with(' '));
    assert!(table.clone().all(|line| line.chars().count() <= 60), "{narrow}");
    // A width of 0 means that the terminal does not know its width.
    assert_eq!(run(&[("COLUMNS", "0")]), wide);
    assert!(!wide.contains('\u{1b}'));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains("\u{1b}["));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn nothing_hostile_reaches_the_terminal_raw() {
    let sandbox = sandbox(&[("a\u{1b}[2Jb\u{202e}c", "2025-01-01T00:00:00Z", "bad\u{7}date")]);
    let ran = sandbox.run(&AUDIT);
    assert_eq!(ran.code, 3);
    for raw in ['\u{1b}', '\u{202e}', '\u{7}'] {
        assert!(!ran.stdout.contains(raw), "{raw:?}");
    }
    assert!(ran.stdout.contains("a\\u{1b}[2Jb\\u{202e}c"), "{}", ran.stdout);
}

#[test]
fn help_and_completions_go_to_standard_output() {
    let sandbox = Sandbox::new();
    for command in ["audit", "remediate"] {
        let help = sandbox.run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        let (options, _) = help.stdout.split_once("Examples:\n").unwrap();
        assert!(options.contains("--stale-after-days <DAYS>"), "{options}");
    }
    assert!(sandbox.run(&["--help"]).stdout.contains("Exit codes:"));
    assert!(sandbox.run(&["--version"]).stdout.starts_with("iam-stocktake "));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.run(&["completions", shell]);
        assert!(script.code == 0 && script.stdout.contains("credential-report"), "{shell}");
    }
    let nothing = sandbox.run(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
}

#[test]
fn console_link_depends_on_the_partition() {
    let csv = report("111122223333", &[("alice", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z")]);
    for (partition, host) in [
        ("aws", Some("console.aws.amazon.com")),
        ("aws-cn", Some("console.amazonaws.cn")),
        ("aws-us-gov", Some("console.amazonaws-us-gov.com")),
        ("aws-eusc", Some("console.amazonaws-eusc.eu")),
        ("aws-iso", None),
        ("aws-next", None),
    ] {
        let csv = csv.replace("arn:aws:", &format!("arn:{partition}:"));
        for language in ["en", "ja"] {
            let ran = stand_ins::sandbox::markdown(&csv, None, &["--language", language]);
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            let links = ran.stdout.matches("/iam/home#/users/details/alice").count();
            match host {
                Some(host) => {
                    let ours = ran.stdout.matches(&format!("https://{host}/iam/home#/")).count();
                    assert!(links == 1 && ours == links, "{partition}: {}", ran.stdout);
                }
                None => {
                    assert!(links == 0 && ran.stdout.contains("`alice`"), "{}", ran.stdout);
                    assert!(!ran.stdout.contains("https://console."), "{}", ran.stdout);
                }
            }
        }
    }
}
