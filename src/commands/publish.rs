//! `iam-stocktake publish`: publishes the audits of earlier jobs.

use chrono::{DateTime, Utc};

use super::error::{CommandError, CommandResult, Failure};
use super::job::{self, JobReport};
use super::publish_run::{NO_PULL_REQUEST_CHANGES, PublishRun};
use super::publish_target::PublishTarget;
use super::{Exit, Streams, age, files, pull_request};
use crate::cause::reason;
use crate::cli::{Input, PublishArgs, PublishAuditsArgs};
use crate::queue::destination::Destination;
use crate::queue::observation::Observation;
use crate::queue::pull_request::Baseline;
use crate::report::json::v1;
use crate::runner::job::Job;

/// Runs the command.
pub(super) fn publish(
    args: &PublishAuditsArgs,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> Exit {
    let PublishAuditsArgs { audits, publish, clock, .. } = args;
    let now = clock.now.unwrap_or(now);
    job::run(streams, |job, job_report, streams| {
        streams.redacted &= !publish.public.allow_public;
        run(audits, publish, now, job, job_report, streams)
    })
}

/// Publishes the audits in files and folders.
pub(super) fn run(
    audits: &[Input],
    publish: &PublishArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    if pull_request::is_from_fork_or_dependabot(job) {
        // Its files are not used as audits of earlier jobs.
        let message = "This pull request comes from a fork or from Dependabot and could change the audits \
                       in its checkout. No audit was read, and the gate was not evaluated.";
        return Ok(job_report.skip(message, streams));
    }
    let inputs = expand_folders(audits)?;
    let audits = read(&inputs, streams)?;
    let publish_target = PublishTarget::of(publish, job, streams)?;
    if matches!(publish_target.destination, Destination::Queue { .. }) {
        reject_pull_request_audits(&inputs, &audits)?;
    }
    let limit = publish.max_evidence_age.max_evidence_age.into();
    let observation =
        Observation::with_max_age(&audits, now, limit).map_err(|(index, unusable)| {
            let name = inputs.get(index).map(ToString::to_string).unwrap_or_default();
            CommandError::usage(format!("{name}: {unusable}"))
        })?;
    streams.report(age::published_errors(&observation));
    let (mut exit, mut pull_request_changes) = (Exit::Done, NO_PULL_REQUEST_CHANGES);
    if job.is_some_and(pull_request::is_pull_request_job) {
        exit = streams.report(uncompared());
        pull_request_changes.baseline = Baseline::Unavailable;
    }
    let publishing = PublishRun {
        publish_target: &publish_target,
        settings: publish,
        job,
        observation: &observation,
        pull_request_changes: &pull_request_changes,
        allowlist: audits.first().and_then(|audit| audit.allowlist.as_deref()),
        now,
    };
    Ok(exit.max(publishing.publish(job_report, streams)))
}

/// An audit of an earlier job was evaluated with the allowlist of the pull request or merge group. It
/// has no evidence with which the base branch's allowlist could be evaluated.
fn uncompared() -> CommandError {
    CommandError::incomplete(
        "the audits of earlier jobs were evaluated with the pull request's allowlist and cannot be \
         compared with the base branch: the gate is not evaluated",
    )
    .with_hint(
        "check pull requests and merge groups in a job that audits the accounts itself, and publish \
         the audits of earlier jobs on the default branch",
    )
}

/// The files. A folder is replaced by the JSON files in it and its subfolders, by name.
fn expand_folders(inputs: &[Input]) -> Result<Vec<Input>, CommandError> {
    let mut named = Vec::new();
    for input in inputs {
        let Input::File(path) = input else {
            named.push(input.clone());
            continue;
        };
        let found = files::json_below(path).map_err(|error| {
            CommandError::usage(format!("{input}: cannot be read: {}", reason(&error)))
        })?;
        match found {
            None => named.push(input.clone()),
            Some(found) if found.is_empty() => {
                let message = format!("{input}: the folder has no JSON file");
                let hint = "download the audits of the earlier jobs to this folder";
                return Err(CommandError::usage(message).with_hint(hint));
            }
            Some(found) => named.extend(found.into_iter().map(Input::File)),
        }
    }
    Ok(named)
}

/// Reads the audits. There is an error for each invalid file.
fn read(inputs: &[Input], streams: &mut Streams<'_>) -> Result<Vec<v1::Audit>, Failure> {
    let (mut audits, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        match files::read_audit(input, streams.stdin) {
            Ok(audit) => audits.push(audit),
            Err(error) => errors.push(error),
        }
    }
    Failure::check(errors).map(|()| audits)
}

/// Rejects audits of pull requests: only audits of the default branch update the queue.
fn reject_pull_request_audits(inputs: &[Input], audits: &[v1::Audit]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for (input, audit) in inputs.iter().zip(audits) {
        let event = audit.run.as_ref().map(|run| run.event.as_str()).unwrap_or_default();
        if event.starts_with("pull_request") || event == "merge_group" {
            let message = format!(
                "{input}: was created by the event `{event}`, which cannot update the queue"
            );
            let hint = "publish audits that were created on the default branch";
            errors.push(CommandError::usage(message).with_hint(hint));
        }
    }
    Failure::check(errors)
}
