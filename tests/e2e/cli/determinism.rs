//! The same input gives the same bytes.

use stand_ins::sandbox::{NOW, Sandbox, repository};

const FORMATS: [&str; 3] = ["table", "markdown", "json"];

fn run(sandbox: &Sandbox, format: &str, variables: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(&[
        "audit",
        "--credential-report",
        "report.csv",
        "--allowlist",
        "allow.yml",
        "--now",
        NOW,
        "--format",
        format,
    ]);
    command.envs(variables.iter().copied());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn example() -> (String, String) {
    let read = |name| std::fs::read_to_string(repository(name)).unwrap();
    (read("examples/credential-report.csv"), read("examples/iam-allowlist.yml"))
}

#[test]
fn ten_runs_in_different_environments_give_the_same_bytes() {
    let (report, allowlist) = example();
    let sandbox = Sandbox::new();
    sandbox.file("report.csv", report).file("allow.yml", allowlist);
    for format in FORMATS {
        let first = run(&sandbox, format, &[]);
        assert!(first.len() > 1000);
        for turn in 0..10 {
            let zone = ["UTC", "Asia/Tokyo", "America/Los_Angeles"][turn % 3];
            let locale = ["C", "ja_JP.UTF-8", "tr_TR.UTF-8"][turn % 3];
            let again =
                run(&sandbox, format, &[("TZ", zone), ("LC_ALL", locale), ("LANG", locale)]);
            assert_eq!(again, first, "{format} in {zone}");
        }
    }
}

#[test]
fn order_of_rows_and_columns_does_not_matter() {
    let (report, allowlist) = example();
    let sandbox = Sandbox::new();
    sandbox.file("allow.yml", allowlist);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(report.as_bytes());
    let mut records: Vec<Vec<String>> = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect();
    sandbox.file("report.csv", &report);
    let expected = FORMATS.map(|format| run(&sandbox, format, &[]));
    for turn in 1..6 {
        // Rows and columns in another order.
        let rows = records.len();
        records[1..].rotate_left((turn * 7) % (rows - 1));
        records[1..rows / 2].reverse();
        for record in &mut records {
            record.rotate_left(turn);
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in &records {
            writer.write_record(record).unwrap();
        }
        sandbox.file("report.csv", writer.into_inner().unwrap());
        assert_eq!(FORMATS.map(|format| run(&sandbox, format, &[])), expected);
    }
}
