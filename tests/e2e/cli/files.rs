//! Reading and writing files: in a job, paths do not lead out of the workspace; on the command line,
//! links and pipes work.

use std::os::unix::fs::symlink;

use stand_ins::sandbox::{Ran, Sandbox, report};

const NOW: &str = "2026-06-30T12:00:00Z";
const ALLOWLIST: &str = "version: 1\n";
const SECRET: &str = "secret: hunter2\n";

/// A workspace `work` with an allowlist, a template, and a report, next to a folder `outside`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let csv = report("111122223333", &[("a", "2025-01-01T00:00:00Z", "-")]);
    sandbox
        .file("checkout/allow.yml", ALLOWLIST)
        .file("checkout/report.csv", &csv)
        .file("checkout/template.md.j2", "{{ audit.counts.errors }} errors\n")
        .file("outside/file", SECRET)
        .file("outside/allow.yml", ALLOWLIST)
        .file("outside/report.csv", &csv);
    sandbox
}

/// Runs a command in the workspace, in a job or on the command line.
fn run(sandbox: &Sandbox, in_job: bool, arguments: &[&str]) -> Ran {
    let mut command = sandbox.command(arguments);
    command.current_dir(sandbox.path("checkout"));
    if in_job {
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", sandbox.path("checkout"));
    }
    command.output().unwrap().into()
}

fn audit(sandbox: &Sandbox, in_job: bool, more: &[&str]) -> Ran {
    let all = ["audit", "--now", NOW, "--fail-on", "none", "--format", "markdown"];
    run(sandbox, in_job, &[&all[..], more].concat())
}

/// The arguments of an audit of these files.
fn of<'a>(allowlist: &'a str, report: &'a str) -> [&'a str; 4] {
    ["--credential-report", report, "--allowlist", allowlist]
}

#[test]
fn job_does_not_read_files_through_links() {
    let sandbox = sandbox();
    let link = |to: &str, name: &str| symlink(to, sandbox.path("checkout").join(name)).unwrap();
    link("/dev/zero", "zero.yml");
    link("../outside/file", "link.yml");
    link("../outside", "folder");
    link("allow.yml", "sibling.yml");
    link("report.csv", "link.csv");
    for (what, name) in [
        ("allowlist", "zero.yml"),
        ("allowlist", "link.yml"),
        ("allowlist", "folder/allow.yml"),
        ("allowlist", "sibling.yml"),
        ("allowlist", "../outside/allow.yml"),
        ("template", "link.yml"),
        ("template", "folder/file"),
        ("template", "../outside/file"),
        ("credential-report", "link.csv"),
        ("credential-report", "folder/report.csv"),
    ] {
        let ran = match what {
            "allowlist" => audit(&sandbox, true, &of(name, "report.csv")),
            "template" => {
                let arguments = of("allow.yml", "report.csv");
                audit(&sandbox, true, &[&arguments[..], &["--template", name]].concat())
            }
            _ => audit(&sandbox, true, &of("allow.yml", name)),
        };
        let expected = if name.starts_with("..") {
            "it is outside the workspace "
        } else {
            "is a symbolic link, which is not followed in a job"
        };
        assert_eq!(ran.code, 2, "{what} {name}: {}{}", ran.stdout, ran.stderr);
        let stderr = ran.stderr.replace('\n', " ");
        assert!(stderr.contains(expected), "{what} {name}: {stderr}");
        assert!(!format!("{}{stderr}", ran.stdout).contains("hunter2"), "{what} {name}: {stderr}");
    }
    let ran = audit(&sandbox, true, &of("allow.yml", "report.csv"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = audit(&sandbox, true, &of("../checkout/allow.yml", "../outside/report.csv"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn endless_or_blocking_inputs_are_rejected() {
    let sandbox = sandbox();
    let pipe = sandbox.path("checkout/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for arguments in [
        of("pipe", "report.csv").to_vec(),
        of("allow.yml", "pipe").to_vec(),
        [&of("allow.yml", "report.csv")[..], &["--template", "pipe"]].concat(),
    ] {
        let ran = audit(&sandbox, true, &arguments);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        let expected = "it is a device or a pipe, not a regular file";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    let written = audit(
        &sandbox,
        true,
        &[&of("allow.yml", "report.csv")[..], &["--output", "report.md"]].concat(),
    );
    assert_eq!(written.code, 0, "{}", written.stderr);
    // On the command line, a device is read up to the size limit.
    for (arguments, most) in
        [(of("/dev/zero", "report.csv"), "1 MiB"), (of("allow.yml", "/dev/zero"), "64 MiB")]
    {
        let ran = audit(&sandbox, false, &arguments);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("it is larger than {most}")), "{}", ran.stderr);
    }
}

#[test]
fn job_does_not_write_files_through_links() {
    let sandbox = sandbox();
    symlink("../outside", sandbox.path("checkout/folder")).unwrap();
    symlink("../outside/file", sandbox.path("checkout/report.md")).unwrap();
    for name in ["folder/report.md", "folder/file.md", "report.md"] {
        let arguments = [&of("allow.yml", "report.csv")[..], &["--output", name]].concat();
        let ran = audit(&sandbox, true, &arguments);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
        let expected = "is a symbolic link, which is not followed in a job";
        assert!(ran.stderr.contains(expected), "{name}: {}", ran.stderr);
    }
    assert_eq!(sandbox.read("outside/file"), SECRET);
    assert_eq!(std::fs::read_dir(sandbox.path("outside")).unwrap().count(), 3);
    // On the command line, links are followed.
    let arguments = [&of("allow.yml", "report.csv")[..], &["--output", "report.md"]].concat();
    let ran = audit(&sandbox, false, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_ne!(sandbox.read("outside/file"), SECRET);
    assert!(sandbox.path("checkout/report.md").is_symlink());
}

#[test]
fn command_line_follows_links_and_reads_pipes() {
    let sandbox = sandbox();
    symlink("../outside/allow.yml", sandbox.path("checkout/link.yml")).unwrap();
    symlink("../outside", sandbox.path("checkout/folder")).unwrap();
    for arguments in [of("link.yml", "folder/report.csv"), of("folder/allow.yml", "report.csv")] {
        let ran = audit(&sandbox, false, &arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let shell = "exec \"$0\" audit --fail-on none --now 2026-06-30T12:00:00Z \
                 --allowlist <(cat allow.yml) --credential-report <(cat report.csv)";
    let ran: Ran = std::process::Command::new("bash")
        .args(["-c", shell, env!("CARGO_BIN_EXE_iam-stocktake")])
        .current_dir(sandbox.path("checkout"))
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn large_allowlist_is_rejected_before_it_is_parsed() {
    let sandbox = sandbox();
    let padding = "#".repeat(1 << 20);
    sandbox.file("checkout/large.yml", format!("{ALLOWLIST}{padding}"));
    for in_job in [true, false] {
        let ran = run(&sandbox, in_job, &["allowlist", "check", "large.yml"]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("it is larger than 1 MiB"), "{}", ran.stderr);
    }
}

#[test]
fn file_errors_contain_the_message_of_the_system() {
    let sandbox = sandbox();
    for (arguments, expected) in [
        (of("gone.yml", "report.csv").to_vec(), "gone.yml: No such file or directory"),
        (
            of("allow.yml", "gone.csv").to_vec(),
            "gone.csv: cannot be read: No such file or directory",
        ),
        (
            [&of("allow.yml", "report.csv")[..], &["--template", "gone"]].concat(),
            "gone: the template cannot be read: No such file or directory",
        ),
        (
            [&of("allow.yml", "report.csv")[..], &["--output", "gone/report.md"]].concat(),
            "gone/report.md cannot be written: No such file or directory",
        ),
    ] {
        for in_job in [true, false] {
            let ran = audit(&sandbox, in_job, &arguments);
            assert!(ran.code >= 2, "{}", ran.stderr);
            let is_reported = ran.stderr.contains(expected)
                // An allowlist error is a diagnostic.
                || (expected.starts_with("gone.yml") && ran.stderr.contains("No such file or directory"));
            assert!(is_reported, "{expected}: {}", ran.stderr);
            assert!(!ran.stderr.contains("os error"), "{}", ran.stderr);
        }
    }
}

#[test]
fn no_number_in_an_audit_makes_a_suggestion_panic() {
    let sandbox = sandbox();
    let ran = audit(
        &sandbox,
        false,
        &[&of("allow.yml", "report.csv")[..], &["--output", "audit.json"]].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let audit = sandbox.read("checkout/audit.json");
    for days in ["4294967295", "3651", "0", "100000000"] {
        let changed = audit
            .replace("\"max_exemption_days\": 365", &format!("\"max_exemption_days\": {days}"));
        assert_ne!(changed, audit);
        sandbox.file("checkout/changed.json", changed);
        for more in [&[][..], &["--expires", "9999-12-31"], &["--now", "9999-12-31T23:59:59Z"]] {
            let arguments = [&["allowlist", "suggest", "changed.json"], more].concat();
            let ran = run(&sandbox, false, &arguments);
            assert_eq!(ran.code, 2, "{days} {more:?}: {}", ran.stderr);
            let expected =
                format!("its `max_exemption_days` is {days}, and must be between 1 and 3650");
            assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
        }
    }
}
