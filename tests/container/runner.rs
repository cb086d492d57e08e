//! GitHub's runner as a container sees it: arguments of `docker run`, mounts, file owners, and
//! environment.
//!
//! Source: `ContainerActionHandler` and `DockerCommandManager` of the runner, version 2.336.0.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use iam_stocktake::cli::{TOKEN_INPUT, action_inputs, command};

use super::engine::{self, Ended};
use super::world::World;
use stand_ins::github::Pull;

/// The user of the runner on GitHub's machines, who owns all files.
const RUNNER: u32 = 1001;

/// How the action is run.
pub(crate) struct Job<'a> {
    pub(crate) event: &'a str,
    pub(crate) pull: Option<&'a Pull>,
    /// Inputs under `with:`, besides the role.
    pub(crate) with: &'a [(&'a str, &'a str)],
    /// Engine options, besides the runner's.
    pub(crate) options: &'a [&'a str],
}

impl Default for Job<'_> {
    fn default() -> Self {
        Self { event: "schedule", pull: None, with: &[], options: &[] }
    }
}

/// The result of a job.
pub(crate) struct Done {
    pub(crate) code: i32,
    /// The log that the runner read.
    pub(crate) log: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    /// Requests that changed something on GitHub, such as `PATCH issues/1`.
    pub(crate) acts: Vec<String>,
}

impl Done {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }
}

/// Runs the action's container on the world's workspace.
pub(crate) fn run(world: &World, job: Job<'_>) -> Done {
    let temp = world.beside("_temp");
    let (home, workflow, commands) = (
        temp.join("_github_home"),
        temp.join("_github_workflow"),
        temp.join("_runner_file_commands"),
    );
    for folder in [&home, &workflow, &commands] {
        fs::create_dir(folder).unwrap();
    }
    let told = world.repo.job(&world.beside("_job"), job.event, job.pull);
    let mut environment: BTreeMap<String, String> = told.into_iter().collect();
    fs::copy(&environment["GITHUB_EVENT_PATH"], workflow.join("event.json")).unwrap();
    environment.extend(world.account.oidc_environment());
    environment.extend(inputs(world, job.with));
    let paths = [
        ("HOME", "/github/home"),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("GITHUB_EVENT_PATH", "/github/workflow/event.json"),
        ("RUNNER_TEMP", "/github/runner_temp"),
    ];
    environment.extend(paths.map(|(name, path)| (name.to_owned(), path.to_owned())));
    for (name, file) in [
        ("GITHUB_OUTPUT", "set_output"),
        ("GITHUB_STEP_SUMMARY", "step_summary"),
        ("GITHUB_STATE", "save_state"),
        ("GITHUB_ENV", "set_env"),
        ("GITHUB_PATH", "add_path"),
    ] {
        let file = format!("{file}_4f1b9a3c");
        fs::write(commands.join(&file), "").unwrap();
        environment.insert(name.to_owned(), format!("/github/file_commands/{file}"));
    }
    give_to_runner(&temp);
    give_to_runner(&world.workspace());

    let mut options = vec!["--workdir".to_owned(), "/github/workspace".to_owned()];
    // The stand-ins are on loopback.
    options.extend(["--network", "host"].map(str::to_owned));
    options.extend(job.options.iter().map(|&option| option.to_owned()));
    for (name, value) in &environment {
        options.extend(["-e".to_owned(), format!("{name}={value}")]);
    }
    for (folder, place) in [
        (temp.as_path(), "/github/runner_temp"),
        (&home, "/github/home"),
        (&workflow, "/github/workflow"),
        (&commands, "/github/file_commands"),
        (&world.workspace(), "/github/workspace"),
    ] {
        options.extend(["-v".to_owned(), format!("{}:{place}", folder.display())]);
    }
    world.repo.reset_log();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ended: Ended = engine::run(&options, &["action"]);
    let read = |name: &str| fs::read_to_string(commands.join(name)).unwrap();
    Done {
        code: ended.code,
        log: ended.log(),
        outputs: outputs(&read("set_output_4f1b9a3c")),
        summary: read("step_summary_4f1b9a3c"),
        acts: world.acts(),
    }
}

/// The inputs as variables: every declared input, empty if neither `with:` nor `action.yml` has a
/// value.
fn inputs(world: &World, with: &[(&str, &str)]) -> Vec<(String, String)> {
    let variable = |name: &str| format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
    let command = command();
    let declared = action_inputs(command.find_subcommand("action").unwrap()).into_iter();
    let declared = declared.map(|input| {
        let default = match input.name.as_str() {
            TOKEN_INPUT => world.repo.token(),
            "role-to-assume" => world.account.role_arn(),
            _ => "",
        };
        (variable(&input.name), default.to_owned())
    });
    // Undeclared inputs arrive too.
    declared.chain(with.iter().map(|(name, value)| (variable(name), (*value).to_owned()))).collect()
}

/// Changes the owner of a folder and its content to the runner's user, unless we are that user.
fn give_to_runner(path: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_to_runner(&entry.unwrap().path());
        }
    }
    // Only root can change owners. Otherwise the files already belong to another user than the
    // container's.
    let given = chown(path, Some(RUNNER), Some(RUNNER));
    assert!(given.is_ok() || path.metadata().unwrap().uid() != 0, "{given:?}");
}

/// The outputs in the file that the runner reads.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}
