//! The container engine, and the result of a container.

use std::process::{Command, Output, Stdio};

/// The image under test.
pub(crate) fn image() -> String {
    std::env::var("IAM_STOCKTAKE_IMAGE")
        .expect("IAM_STOCKTAKE_IMAGE names the image: run tests/container/run.sh")
}

/// The result of a command.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output and standard error.
    pub(crate) fn log(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An engine command.
pub(crate) fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a container of the image, with options of the engine and arguments of the binary.
pub(crate) fn run(options: &[&str], arguments: &[&str]) -> Ended {
    let fixed = ["run", "--rm", "--label", "iam-stocktake-tests"];
    let mut command = docker(&[&fixed, options].concat());
    Ended::from(command.arg(image()).args(arguments).output().unwrap())
}

/// A property of the image, by a template of `docker inspect`.
pub(crate) fn inspect(template: &str) -> String {
    let ended = Ended::from(
        docker(&["image", "inspect", "--format", template, &image()]).output().unwrap(),
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout.trim().to_owned()
}
