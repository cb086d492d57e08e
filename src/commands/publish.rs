//! `iam-stocktake publish`: publishes the audits of earlier jobs.

use chrono::{DateTime, Utc};

use super::job::{self, JobReport};
use super::publish_run::{NO_PULL_REQUEST_CHANGES, PublishRun};
use super::publish_target::PublishTarget;
use super::{Exit, Streams, age, files, pull_request};
use crate::cause::reason;
use crate::cli::{Input, Output, PublishArgs, PublishAuditsArgs};
use crate::queue::destination::Destination;
use crate::queue::observation::Observation;
use crate::queue::pull_request::{Baseline, PullRequestChanges};
use crate::report::json::v1;
use crate::runner::job::Job;
use crate::templates::escape_invisible;

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
        run(audits, publish, now, job, job_report, streams).unwrap_or_else(|exit| exit)
    })
}

/// Publishes the audits in files and folders. An error has been reported.
pub(super) fn run(
    audits: &[Input],
    publish: &PublishArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    if pull_request::is_from_fork_or_dependabot(job) {
        return Ok(report_fork(job_report, streams));
    }
    let inputs = expand_folders(audits, streams)?;
    let audits = read(&inputs, streams)?;
    let publish_target = PublishTarget::of(publish, job, streams)?;
    if matches!(publish_target.destination, Destination::Queue { .. }) {
        reject_pull_request_audits(&inputs, &audits, streams)?;
    }
    let limit = publish.max_evidence_age.max_evidence_age.into();
    let observation =
        Observation::with_max_age(&audits, now, limit).map_err(|(index, unusable)| {
            let name = inputs.get(index).map(ToString::to_string).unwrap_or_default();
            streams.error(&escape_invisible(&format!("{name}: {unusable}")));
            Exit::Usage
        })?;
    age::warn_about_published(&observation, publish_target.names, streams);
    let is_pull_request_job = job.is_some_and(pull_request::is_pull_request_job);
    let pull_request_changes =
        if is_pull_request_job { report_uncompared(streams) } else { NO_PULL_REQUEST_CHANGES };
    let publishing = PublishRun {
        publish_target: &publish_target,
        settings: publish,
        job,
        observation: &observation,
        pull_request_changes: &pull_request_changes,
        allowlist: audits.first().and_then(|audit| audit.allowlist.as_deref()),
        now,
    };
    let exit = if is_pull_request_job { Exit::Incomplete } else { Exit::Done };
    Ok(exit.max(publishing.publish(job_report, streams)))
}

/// An audit of an earlier job was evaluated with the allowlist of the pull request or merge group. It
/// has no evidence with which the base branch's allowlist could be evaluated.
fn report_uncompared(streams: &mut Streams<'_>) -> PullRequestChanges {
    streams.error(
        "the audits of earlier jobs were evaluated with the pull request's allowlist and cannot be \
         compared with the base branch: the gate is not evaluated",
    );
    streams.hint(
        "check pull requests and merge groups in a job that audits the accounts itself, and publish \
         the audits of earlier jobs on the default branch",
    );
    PullRequestChanges { baseline: Baseline::Unavailable, ..NO_PULL_REQUEST_CHANGES }
}

/// Files of a pull request from a fork are not used as audits of earlier jobs.
fn report_fork(job_report: &mut JobReport, streams: &mut Streams<'_>) -> Exit {
    let message = "This pull request comes from a fork or from Dependabot and could change the audits in \
                   its checkout. No audit was read, and the gate was not evaluated.";
    streams.eprintln(message);
    job_report.add_to_summary(message);
    job_report.outputs.extend([
        (Output::Result, "incomplete".to_owned()),
        (Output::Gate, "not-evaluated".to_owned()),
    ]);
    Exit::Done
}

/// The files. A folder is replaced by the JSON files in it and its subfolders, by name.
fn expand_folders(inputs: &[Input], streams: &mut Streams<'_>) -> Result<Vec<Input>, Exit> {
    let mut named = Vec::new();
    for input in inputs {
        let Input::File(path) = input else {
            named.push(input.clone());
            continue;
        };
        let found = files::json_below(path).map_err(|error| {
            streams
                .error(&escape_invisible(&format!("{input}: cannot be read: {}", reason(&error))));
            Exit::Usage
        })?;
        match found {
            None => named.push(input.clone()),
            Some(found) if found.is_empty() => {
                streams.error(&escape_invisible(&format!("{input}: the folder has no JSON file")));
                streams.hint("download the audits of the earlier jobs to this folder");
                return Err(Exit::Usage);
            }
            Some(found) => named.extend(found.into_iter().map(Input::File)),
        }
    }
    Ok(named)
}

/// The message for an invalid file if the output may be public.
const UNUSABLE: &str = "cannot be used as an audit (details are hidden because this log is public)";

/// Reads the audits, and reports all invalid files.
fn read(inputs: &[Input], streams: &mut Streams<'_>) -> Result<Vec<v1::Audit>, Exit> {
    let mut audits = Vec::new();
    for input in inputs {
        match files::read_audit(input, streams.stdin) {
            Ok(audit) => audits.push(audit),
            Err((message, hint)) => {
                // It can contain names from the file.
                let message = if streams.redacted { UNUSABLE.to_owned() } else { message };
                streams.error(&escape_invisible(&format!("{input}: {message}")));
                streams.hint(&hint);
            }
        }
    }
    if audits.len() == inputs.len() { Ok(audits) } else { Err(Exit::Usage) }
}

/// Rejects audits of pull requests: only audits of the default branch update the queue.
fn reject_pull_request_audits(
    inputs: &[Input],
    audits: &[v1::Audit],
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let mut refused = false;
    for (input, audit) in inputs.iter().zip(audits) {
        let event = audit.run.as_ref().map(|run| run.event.as_str()).unwrap_or_default();
        if event.starts_with("pull_request") || event == "merge_group" {
            streams.error(&escape_invisible(&format!(
                "{input}: was created by the event `{event}`, which cannot update the queue"
            )));
            streams.hint("publish audits that were created on the default branch");
            refused = true;
        }
    }
    if refused { Err(Exit::Usage) } else { Ok(()) }
}
