//! The completion scripts, run by their shells.

use std::process::Command;

use stand_ins::sandbox::Sandbox;

/// Completes the last word of a command line in bash, with the function that the script registers.
const COMPLETE: &str = r#"
source ./completions.bash || exit 1
spec=$(complete -p iam-stocktake) || exit 1
function=${spec#*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$function" iam-stocktake "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let script = sandbox.run(&["completions", "bash"]);
    assert_eq!(script.code, 0, "{}", script.stderr);
    sandbox.file("completions.bash", script.stdout);
    sandbox
}

fn completed(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", COMPLETE, "bash", "iam-stocktake"]).args(words);
    let output = bash.current_dir(sandbox.path(".")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_every_word_of_every_command() {
    let sandbox = sandbox();
    for (words, expected) in [
        (&["iam"][..], &["iam-policy"][..]),
        (&["re"], &["remediate"]),
        (&["allowlist", "s"], &["schema", "suggest"]),
        (&["audit", "--credential"], &["--credential-report"]),
        (&["audit", "--format", "m"], &["markdown"]),
        (&["audit", "--quiet", "--max-e"], &["--max-evidence-age"]),
        (&["allowlist", "suggest", "--exp"], &["--expires"]),
        (&["allowlist", "check", "--n"], &["--now"]),
        (&["iam-policy", "--format", "ter"], &["terraform"]),
        (&["publish", "--dry"], &["--dry-run"]),
        (&["remediate", "--stage", "del"], &["delete"]),
        (&["action", "check", "--report-d"], &["--report-dir"]),
        (&["action", "rem"], &["remediate"]),
        (&["completions", "z"], &["zsh"]),
        (&["help", "iam"], &["iam-policy"]),
    ] {
        assert_eq!(completed(&sandbox, words), expected, "{words:?}");
    }
}

#[test]
fn bash_completes_all_flags_of_a_command() {
    let sandbox = sandbox();
    for command in [
        &["audit"][..],
        &["iam-policy"],
        &["publish"],
        &["remediate"],
        &["action", "check"],
        &["action", "publish"],
        &["action", "remediate"],
    ] {
        let help = sandbox.run(&[command, &["--help"]].concat()).stdout;
        let flags = help.lines().filter_map(|line| {
            let line = line.trim_start();
            let long = line.strip_prefix("-q, ").or(line.strip_prefix("-v, ")).unwrap_or(line);
            long.starts_with("--").then(|| long.split([' ', '=', '[']).next().unwrap().to_owned())
        });
        let completed = completed(&sandbox, &[command, &["--"]].concat());
        for flag in flags {
            assert!(completed.contains(&flag), "{command:?} {flag}: {completed:?}");
        }
    }
}
