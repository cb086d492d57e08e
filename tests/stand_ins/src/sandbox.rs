//! Runs the real binary in its own folder and environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The time of the audits in tests.
pub const NOW: &str = "2026-06-30T12:00:00Z";

/// A folder with the files of one test.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// The result of a run of the binary.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::create(path).unwrap();
        std::io::Write::write_all(&mut file, content.as_ref()).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The binary, in this folder, with an environment that contains only the path.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    pub fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The binary reads all of its input before it writes.
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A file in the repository.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap().join(name)
}

/// Runs `audit` for a report with Markdown output, an optional allowlist, and more arguments.
pub fn markdown(report: &str, allowlist: Option<&str>, more: &[&str]) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("report.csv", report).file("allow.yml", allowlist.unwrap_or_default());
    let allowlist = if allowlist.is_some() { "allow.yml" } else { "none" };
    let arguments = [
        "audit",
        "--credential-report",
        "report.csv",
        "--allowlist",
        allowlist,
        "--now",
        NOW,
        "--format",
        "markdown",
    ];
    sandbox.run(&[&arguments, more].concat())
}

/// A credential report of one account from rows `(user, password last used, key 1 last used)`; `-`
/// means no such credential. The root user signed in an hour before [`NOW`], so the report, which
/// has no date, is not older than that.
pub fn report(account: &str, rows: &[(&str, &str, &str)]) -> String {
    let mut csv = String::from(
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
         access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
         access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date\n",
    );
    let root = ("<root_account>", "2026-06-30T11:00:00Z", "-");
    for (user, password, key) in std::iter::once(&root).chain(rows) {
        let arn = format!("arn:aws:iam::{account}:user/{user}");
        let enabled = |last_used: &str| if last_used == "-" { "false" } else { "true" };
        let dates = |last_used: &str| match last_used {
            "-" => ("N/A".to_owned(), "N/A"),
            date => (date.to_owned(), "2024-01-01T00:00:00Z"),
        };
        let (password_used, password_changed) = dates(password);
        let (key_used, key_created) = dates(key);
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        csv.push_str(&format!(
            "{},{},2024-01-01T00:00:00Z,{},{password_used},{password_changed},{},{key_created},{key_used},false,N/A,N/A\n",
            quoted(user),
            quoted(&arn),
            enabled(password),
            enabled(key),
        ));
    }
    csv
}

/// The program under test, which Cargo built next to the test.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/PROFILE/deps/TEST
    test.ancestors().nth(2).unwrap().join(format!("iam-stocktake{}", std::env::consts::EXE_SUFFIX))
}
