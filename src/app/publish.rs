//! `iam-stocktake publish`: audits of earlier jobs, published.

use super::job::{self, Left};
use super::publishing::{NO_PROPOSAL, Publishing};
use super::scene::Scene;
use super::{Exit, Streams, files};
use crate::publish::observation::Observation;
use crate::publish::occasion::Target;
use crate::report::json::v1;
use crate::report::visible;
use crate::runner::job::Job;
use crate::settings::{Input, PublishAuditsSettings};

/// Runs the command.
pub(super) fn publish(settings: &PublishAuditsSettings, streams: &mut Streams<'_>) -> Exit {
    let token = settings.publish.token.as_ref();
    job::run(token, streams, |job, left, streams| match run(settings, job, left, streams) {
        Ok(exit) | Err(exit) => exit,
    })
}

/// An `Err` has been told to the user.
fn run(
    settings: &PublishAuditsSettings,
    job: Option<&Job>,
    left: &mut Left,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let audits = read(&settings.audits, streams)?;
    let scene = Scene::of(&settings.publish, job, streams)?;
    if matches!(scene.target, Target::Queue { .. }) {
        refuse_proposals(&settings.audits, &audits, streams)?;
    }
    let observation = Observation::of(&audits, settings.now).map_err(|(index, unusable)| {
        let name = settings.audits.get(index).map(ToString::to_string).unwrap_or_default();
        streams.error(&visible(&format!("{name}: {unusable}")));
        Exit::Usage
    })?;
    let publishing = Publishing {
        scene: &scene,
        settings: &settings.publish,
        job,
        observation: &observation,
        proposal: &NO_PROPOSAL,
        allowlist: audits.first().and_then(|audit| audit.allowlist.as_deref()),
        now: settings.now,
    };
    Ok(publishing.publish(left, streams))
}

/// Reads the audits, and tells of all that are none.
fn read(inputs: &[Input], streams: &mut Streams<'_>) -> Result<Vec<v1::Audit>, Exit> {
    let mut audits = Vec::new();
    for input in inputs {
        match files::read_audit(input, streams.stdin) {
            Ok(audit) => audits.push(audit),
            Err((message, hint)) => {
                streams.error(&visible(&format!("{input}: {message}")));
                streams.hint(&hint);
            }
        }
    }
    if audits.len() == inputs.len() { Ok(audits) } else { Err(Exit::Usage) }
}

/// The queue is fed with what stands on the default branch, not with what somebody proposes.
fn refuse_proposals(
    inputs: &[Input],
    audits: &[v1::Audit],
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let mut refused = false;
    for (input, audit) in inputs.iter().zip(audits) {
        let event = audit.run.as_ref().map(|run| run.event.as_str()).unwrap_or_default();
        if event.starts_with("pull_request") || event == "merge_group" {
            streams.error(&visible(&format!(
                "{input}: was made by a run of the event `{event}`, which may not feed the queue"
            )));
            streams.hint("publish audits of runs on the default branch");
            refused = true;
        }
    }
    if refused { Err(Exit::Usage) } else { Ok(()) }
}
