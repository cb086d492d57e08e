//! Which event publishes where.

use super::gate::FailOn;
use crate::model::text_enum;

text_enum! {
    /// The setting for where to publish.
    #[derive(Default)]
    pub enum PublishMode {
        /// By event: to the queue, or to the pull request.
        #[default]
        Auto,
        /// To the queue issue.
        Issue,
        /// To the queue issue, and to an issue for each user.
        IssuePerUser,
        /// To the pull request.
        PullRequest,
        /// Nowhere.
        None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The queue.
    Queue {
        /// Whether each user has an issue.
        per_user: bool,
    },
    /// The comment on the pull request.
    PullRequest,
    /// Nowhere.
    Nothing(SkipReason),
}

text_enum! {
    /// Why nothing is published.
    pub enum SkipReason {
        /// It was requested.
        Requested,
        /// The run is not on the default branch.
        OtherBranch,
        /// The event does not publish.
        Event,
        /// Everyone could read it.
        Public,
    }
}

/// A mode that does not fit the event, or an event that is never allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// The event combines untrusted text with a token that can write.
    #[error(
        "the event `{0}` is not supported: it combines untrusted text with a token that can write"
    )]
    Event(String),
    /// The queue is for the default branch.
    #[error("`publish: {mode}` does not support the event `{event}`")]
    Mode { mode: &'static str, event: String },
    /// There is no event outside of a workflow.
    #[error("outside of GitHub Actions, `--publish` must say where to publish")]
    NoEvent,
}

impl DestinationError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Event(_) => {
                "audit on `schedule`, `workflow_dispatch`, `push`, `pull_request`, or `merge_group`"
            }
            Self::Mode { .. } => {
                "use `publish: auto`: the queue is for the default branch, the comment is for pull requests"
            }
            Self::NoEvent => "use `--publish issue`, `issue-per-user`, or `none`",
        }
    }
}

/// Where the run publishes, and which findings fail it by default. `event` is `None` outside of a
/// workflow.
///
/// # Errors
/// [`DestinationError`] when event and mode do not go together.
pub fn destination(
    event: Option<&str>,
    on_default_branch: bool,
    mode: PublishMode,
) -> Result<(Destination, FailOn), DestinationError> {
    let Some(event) = event else { return outside_workflow(mode) };
    if matches!(event, "pull_request_target" | "workflow_run" | "issue_comment") {
        return Err(DestinationError::Event(event.to_owned()));
    }
    let mismatch = || Err(DestinationError::Mode { mode: mode.id(), event: event.to_owned() });
    let per_user = mode == PublishMode::IssuePerUser;
    match (event, mode) {
        ("pull_request" | "merge_group", PublishMode::Issue | PublishMode::IssuePerUser) => {
            mismatch()
        }
        // If nothing is published, the queue is not read either.
        (_, PublishMode::None) => Ok((Destination::Nothing(SkipReason::Requested), FailOn::NONE)),
        ("pull_request", _) => Ok((Destination::PullRequest, FailOn::NEW)),
        (_, PublishMode::PullRequest) => mismatch(),
        ("merge_group", _) => Ok((Destination::Nothing(SkipReason::Event), FailOn::NEW)),
        ("schedule" | "workflow_dispatch" | "repository_dispatch" | "push", _)
            if on_default_branch =>
        {
            Ok((Destination::Queue { per_user }, FailOn::NONE))
        }
        ("schedule" | "workflow_dispatch" | "repository_dispatch" | "push", _) => {
            Ok((Destination::Nothing(SkipReason::OtherBranch), FailOn::NONE))
        }
        _ => Ok((Destination::Nothing(SkipReason::Event), FailOn::NONE)),
    }
}

fn outside_workflow(mode: PublishMode) -> Result<(Destination, FailOn), DestinationError> {
    match mode {
        PublishMode::Issue => Ok((Destination::Queue { per_user: false }, FailOn::NONE)),
        PublishMode::IssuePerUser => Ok((Destination::Queue { per_user: true }, FailOn::NONE)),
        PublishMode::None => Ok((Destination::Nothing(SkipReason::Requested), FailOn::NONE)),
        PublishMode::Auto | PublishMode::PullRequest => Err(DestinationError::NoEvent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_events_and_modes_to_destinations() {
        use PublishMode::{Auto, Issue, IssuePerUser, None, PullRequest};
        let queue = |per_user| Ok((Destination::Queue { per_user }, FailOn::NONE));
        let nothing = |why, fail_on| Ok((Destination::Nothing(why), fail_on));
        let mode = |mode: PublishMode, event: &str| {
            Err(DestinationError::Mode { mode: mode.id(), event: event.to_owned() })
        };
        for event in ["schedule", "workflow_dispatch", "push"] {
            assert_eq!(destination(Some(event), true, Auto), queue(false));
            assert_eq!(destination(Some(event), true, IssuePerUser), queue(true));
            for asked in [Auto, Issue] {
                let other = nothing(SkipReason::OtherBranch, FailOn::NONE);
                assert_eq!(destination(Some(event), false, asked), other);
            }
            assert_eq!(destination(Some(event), true, PullRequest), mode(PullRequest, event));
            assert_eq!(
                destination(Some(event), true, None),
                nothing(SkipReason::Requested, FailOn::NONE)
            );
        }
        for on_default_branch in [true, false] {
            let at = |event, asked| destination(Some(event), on_default_branch, asked);
            assert_eq!(at("pull_request", Auto), Ok((Destination::PullRequest, FailOn::NEW)));
            assert_eq!(at("pull_request", Issue), mode(Issue, "pull_request"));
            assert_eq!(at("merge_group", Auto), nothing(SkipReason::Event, FailOn::NEW));
            assert_eq!(at("merge_group", IssuePerUser), mode(IssuePerUser, "merge_group"));
            for event in ["pull_request", "merge_group"] {
                assert_eq!(at(event, None), nothing(SkipReason::Requested, FailOn::NONE));
            }
            assert_eq!(at("release", Auto), nothing(SkipReason::Event, FailOn::NONE));
            for event in ["pull_request_target", "workflow_run", "issue_comment"] {
                for asked in PublishMode::ALL {
                    assert_eq!(at(event, asked), Err(DestinationError::Event(event.to_owned())));
                }
            }
        }
        assert_eq!(destination(Option::None, true, Auto), Err(DestinationError::NoEvent));
        assert_eq!(destination(Option::None, true, Issue), queue(false));
    }
}
