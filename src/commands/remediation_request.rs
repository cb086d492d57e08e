//! A request to plan, apply, or undo a remediation: from the command line, or from the action's inputs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::error::CommandError;
use super::files;
use crate::cli::{
    self, ActionRemediateArgs, Input, OutputFile, PlanFormat, RemediateArgs, RemediationArgs,
    RemediationTask,
};
use crate::runner::checkout::as_relative;

/// A request to plan, apply, or undo.
#[derive(Debug, Clone)]
pub(super) struct RemediationRequest {
    pub(super) args: RemediationArgs,
    pub(super) task: Task,
    /// Only these users, as written; all users if empty.
    pub(super) users: Vec<String>,
    /// The format on standard output.
    pub(super) stdout: Option<PlanFormat>,
    /// The files to write.
    pub(super) output: Vec<OutputFile<PlanFormat>>,
    /// Whether no progress is shown.
    pub(super) quiet: bool,
    /// The time from which days are counted.
    pub(super) now: DateTime<Utc>,
}

/// The task of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Create a plan.
    Plan,
    /// Apply a plan: a saved one, or one that is created now.
    Apply(Option<SavedPlanFile>),
    /// Undo the deactivations of earlier runs.
    Undo {
        /// Whether the changes are made, or only shown.
        apply: bool,
    },
}

impl Task {
    /// Whether IAM is changed.
    pub(super) const fn changes(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Undo { apply: true })
    }
}

/// A saved plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedPlanFile {
    pub(super) file: Input,
    /// The digest of the approved plan, if it is known.
    pub(super) digest: Option<String>,
}

impl RemediationRequest {
    /// The request of the command line.
    pub(super) fn of_command_line(
        args: &RemediateArgs,
        now: DateTime<Utc>,
    ) -> Result<Self, CommandError> {
        let RemediationArgs { plan, plan_digest, .. } = &args.remediation;
        let wrong = [
            (plan.is_some() && !args.apply, "'--plan' needs '--apply'"),
            (plan_digest.is_some() && plan.is_none(), "'--plan-digest' needs '--plan'"),
        ];
        if let Some((_, message)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(CommandError::usage(message));
        }
        let saved = plan.clone().map(|file| SavedPlanFile { file, digest: plan_digest.clone() });
        let task = match (args.undo, args.apply) {
            (true, apply) => Task::Undo { apply },
            (false, true) => Task::Apply(saved),
            (false, false) => Task::Plan,
        };
        check_time(args.clock.now, &task)?;
        Ok(Self {
            args: args.remediation.clone(),
            task,
            users: args.user.clone(),
            stdout: args.format.or(args.output.is_empty().then_some(PlanFormat::Table)),
            output: args.output.clone(),
            quiet: args.verbosity.quiet || args.verbosity.verbose,
            now: args.clock.now.unwrap_or(now),
        })
    }

    /// The request of the action's inputs.
    pub(super) fn of_inputs(
        args: &ActionRemediateArgs,
        now: DateTime<Utc>,
    ) -> Result<Self, CommandError> {
        let mut shared = args.remediation.clone();
        shared.plan = shared.plan.as_ref().map(files::in_workspace);
        shared.audit = shared.audit.as_ref().map(files::in_workspace);
        if let cli::AllowlistSetting::File(path) = &mut shared.allowlist.allowlist {
            *path = as_relative(path.clone());
        }
        shared.journal = journal_path("journal", &shared.journal)?;
        for journal in &mut shared.other_journals.0 {
            *journal = journal_path("other-journals", journal)?;
        }
        let saved = match (&shared.plan, &shared.plan_digest) {
            (None, None) => None,
            // An empty expression must not remove the approval.
            (Some(_), None) => {
                return Err(CommandError::usage(
                    "the input `plan` needs `plan-digest`, the digest of the approved plan",
                ));
            }
            (None, Some(_)) => {
                return Err(CommandError::usage("the input `plan-digest` needs `plan`"));
            }
            (Some(file), digest) => {
                Some(SavedPlanFile { file: file.clone(), digest: digest.clone() })
            }
        };
        let task = match (args.task, saved) {
            (RemediationTask::Apply, saved) => Task::Apply(saved),
            (_, Some(_)) => {
                return Err(CommandError::usage("the input `plan` needs `task: apply`"));
            }
            (RemediationTask::Plan, None) => Task::Plan,
            (RemediationTask::PlanUndo, None) => Task::Undo { apply: false },
            (RemediationTask::Undo, None) => Task::Undo { apply: true },
        };
        if matches!(task, Task::Undo { .. }) && (shared.stage.is_some() || shared.audit.is_some()) {
            let message = "an undo does not use the inputs `stage` and `audit`";
            return Err(CommandError::usage(message));
        }
        let users = args.user.iter().flat_map(|names| names.lines()).map(str::trim);
        let users: Vec<String> = users.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        // An empty expression must not reactivate everyone.
        if matches!(task, Task::Undo { .. }) && users.is_empty() {
            return Err(CommandError::usage("an undo needs the input `user`"));
        }
        check_time(args.clock.now, &task)?;
        Ok(Self {
            args: shared,
            task,
            users,
            stdout: Some(PlanFormat::Table),
            output: Vec::new(),
            quiet: true,
            now: args.clock.now.unwrap_or(now),
        })
    }
}

impl RemediationRequest {
    /// The requested users in lower case; all users if empty.
    pub(super) fn users_in_lower_case(&self) -> BTreeSet<String> {
        self.users.iter().map(|user| user.to_ascii_lowercase()).collect()
    }

    /// Refuses a requested user that does not exist. `known` has the names of the users in the
    /// accounts. If an account could not be read, the user may be there.
    pub(super) fn check_users(
        &self,
        known: &BTreeSet<&str>,
        is_complete: bool,
    ) -> Result<(), CommandError> {
        let is_unknown = |user: &&String| !known.iter().any(|it| it.eq_ignore_ascii_case(user));
        let Some(user) = self.users.iter().find(is_unknown) else { return Ok(()) };
        let name = shown(user);
        let error = if is_complete {
            CommandError::usage(format!("no audited account has a user named {name}"))
        } else {
            let message = format!("no user named {name} was found, and evidence is missing");
            CommandError::incomplete(message)
        };
        let near = near_names(user, known);
        Err(match near.is_empty() {
            true => error,
            false => {
                let near: Vec<_> = near.into_iter().map(shown).collect();
                error.with_hint(format!("similar names: {}", near.join(", ")))
            }
        })
    }
}

fn shown(name: &str) -> String {
    format!("`{name}`")
}

/// The names that are most similar to a misspelled one, at most three.
fn near_names<'a>(written: &str, known: &BTreeSet<&'a str>) -> Vec<&'a str> {
    /// The minimum Jaro-Winkler similarity of names that differ by a typo.
    const MIN_SIMILARITY: f64 = 0.8;
    let written = written.to_lowercase();
    let similarity = |name: &&'a str| strsim::jaro_winkler(&name.to_lowercase(), &written);
    let mut near: Vec<_> = known.iter().map(|name| (similarity(name), *name)).collect();
    near.retain(|(similarity, _)| *similarity > MIN_SIMILARITY);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// A journal of a job must be in its workspace.
fn journal_path(input: &str, path: &Path) -> Result<PathBuf, CommandError> {
    cli::in_workspace(path.to_path_buf()).map_err(|error| {
        CommandError::usage(format!("the input `{input}` has `{}`: {error}", path.display()))
    })
}

/// Refuses `--now` for changes, except in tests.
fn check_time(now: Option<DateTime<Utc>>, task: &Task) -> Result<(), CommandError> {
    if now.is_some() && task.changes() && !is_local() {
        return Err(CommandError::usage(
            "'--now' with '--apply' is only for tests, in which AWS_ENDPOINT_URL is a local address",
        ));
    }
    Ok(())
}

/// Whether all requests to AWS stay on this machine. The environment has precedence over the profile.
#[expect(clippy::disallowed_methods, reason = "the environment is read at the edge")]
fn is_local() -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let is_loopback = |url: &String| {
        let uri: Option<http::Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let all = variable("AWS_ENDPOINT_URL");
    let endpoint = |service| variable(service).or_else(|| all.clone());
    // The SDK accepts `TRUE` as well.
    variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_none_or(|it| it.eq_ignore_ascii_case("false"))
        && ["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
            .into_iter()
            .all(|service| endpoint(service).as_ref().is_some_and(is_loopback))
}
