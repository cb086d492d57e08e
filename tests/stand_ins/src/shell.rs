//! The commands in a report, run by the shells that people paste them into.

use std::process::Command;

use crate::sandbox::Sandbox;

/// The installed ones of the shells. A message says which one is missing.
pub fn installed() -> impl Iterator<Item = &'static str> {
    ["bash", "zsh"].into_iter().filter(|shell| {
        let is_installed = Command::new(shell).args(["-c", "true"]).status().is_ok();
        if !is_installed {
            eprintln!("{shell} is not installed, so the commands are not tested with it");
        }
        is_installed
    })
}

/// The code blocks with commands, in order.
pub fn blocks(report: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = report.lines();
    while let Some(line) = lines.next() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        if ticks < 3 || &line[ticks..] != "sh" {
            continue;
        }
        let fence = &line[..ticks];
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != fence).collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// Installs a program in the sandbox's `bin`.
pub fn install(sandbox: &Sandbox, name: &str, program: &str) {
    let text = format!("bin/{name}.text");
    sandbox.file(&text, program);
    // Another process writes the executable. If this process did, a child that another test forks at
    // the same time could keep the file open ("text file busy").
    let installed = Command::new("install")
        .args(["-m", "755"])
        .args([sandbox.path(&text), sandbox.path(&format!("bin/{name}"))])
        .status();
    assert!(installed.unwrap().success());
}

/// The shell with this script, in the sandbox, with the installed programs first in the path.
pub fn command(sandbox: &Sandbox, shell: &str, script: &str) -> Command {
    sandbox.file("script", script);
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell);
    command.arg(sandbox.path("script")).current_dir(sandbox.path("")).env("PATH", path);
    command
}
