//! The commands, one file each. They connect the stages and contain no rules.

mod action;
mod age;
mod allowlist;
mod audit;
mod error;
mod exported;
mod files;
mod iam_policy;
mod job;
mod journals;
mod live;
mod panics;
mod progress;
mod publish;
mod publish_run;
mod publish_target;
mod pull_request;
mod queue_client;
mod queue_error;
mod remediate;
mod remediation_request;
mod remediation_run;
mod report_folder;
mod reports;
mod streams;
mod undo_run;

use chrono::{DateTime, Utc};

pub use error::Exit;
pub use panics::record as record_panics;
pub use streams::{Streams, Style};

use crate::cli::Command;

/// The most rows of a table in a report.
const MAX_ROWS: usize = 200;

/// Runs a command. `now` is the time of the run, unless `--now` sets another one.
pub fn run(command: &Command, now: DateTime<Utc>, streams: &mut Streams<'_>) -> Exit {
    match command {
        Command::Publish(args) => publish::publish(args, now, streams),
        Command::Remediate(args) => remediate::remediate(args, now, streams),
        Command::Action(command) => action::action(command, now, streams),
        Command::Audit(args) => job::with_result(streams, |job_report, streams| {
            audit::audit(args, now, job_report, streams)
        }),
        Command::Allowlist(command) => {
            job::with_result(streams, |_, streams| allowlist::run(command, now, streams))
        }
        Command::IamPolicy(args) => {
            job::with_result(streams, |_, streams| iam_policy::iam_policy(args, now, streams))
        }
        // The script is printed when the arguments are parsed.
        Command::Completions { .. } => Exit::Done,
    }
}

/// Prints help, the version, or a completion script.
pub fn print_text(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::with_result(streams, |_, streams| Ok(streams.print(text).map(|()| Exit::Done)?))
}

/// Reports invalid arguments.
pub fn report_usage_error(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::report_usage_error(text, streams)
}

/// Runs the process, and reports a panic like any other error.
pub fn run_catching_panics(
    streams: &mut Streams<'_>,
    process: impl FnOnce(&mut Streams<'_>) -> Exit,
) -> Exit {
    panics::catch_panic(|| process(&mut *streams)).unwrap_or_else(|panic_report| {
        job::run(streams, |_, _, streams| Ok(panic_report.report(streams)))
    })
}
