//! Which event may publish what.

use super::gate::FailOn;

/// Where the findings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublishMode {
    /// By the event: into the queue, or onto the pull request.
    #[default]
    Auto,
    /// Into the queue's issue.
    Issue,
    /// Into the queue's issue, and an issue for each user.
    IssuePerUser,
    /// Onto the pull request.
    PullRequest,
    /// Nowhere.
    None,
}

impl PublishMode {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Auto, Self::Issue, Self::IssuePerUser, Self::PullRequest, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Issue => "issue",
            Self::IssuePerUser => "issue-per-user",
            Self::PullRequest => "pull-request",
            Self::None => "none",
        }
    }

    /// The mode of this name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.id() == id)
    }
}

/// Where a run publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The queue.
    Queue {
        /// Whether each user has an issue as well.
        per_user: bool,
    },
    /// The comment on the pull request.
    PullRequest,
    /// Nowhere.
    Nothing(Why),
}

/// Why nothing is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Asked,
    /// The run is on another branch than the default one.
    OtherBranch,
    /// The event is none that publishes.
    Event,
    /// Everybody could read it.
    Public,
}

impl Why {
    /// The reason in a word.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::OtherBranch => "other-branch",
            Self::Event => "event",
            Self::Public => "public",
        }
    }
}

/// A mode that the event does not allow, or an event that is never allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Foreign text and a token that may write come together in it.
    #[error(
        "the event `{0}` is refused: it brings text of strangers together with a token that may write"
    )]
    Event(String),
    /// The queue is for the default branch.
    #[error("`publish: {mode}` is not for the event `{event}`")]
    Mode {
        /// The mode.
        mode: &'static str,
        /// The event.
        event: String,
    },
    /// Outside of a workflow there is no event to go by.
    #[error("outside of GitHub Actions nothing tells where to publish")]
    NoEvent,
}

impl Refused {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Event(_) => {
                "audit on `schedule`, `workflow_dispatch`, `push`, `pull_request` or `merge_group`"
            }
            Self::Mode { .. } => {
                "leave `publish` at `auto`: the queue is for the default branch, the comment for pull requests"
            }
            Self::NoEvent => "give `--publish issue`, `issue-per-user` or `none`",
        }
    }
}

/// Where the run publishes, and which findings fail it unless told otherwise. `event` is `None`
/// outside of a workflow.
///
/// # Errors
/// [`Refused`] when event and mode do not go together.
pub fn target(
    event: Option<&str>,
    on_default_branch: bool,
    mode: PublishMode,
) -> Result<(Target, FailOn), Refused> {
    let Some(event) = event else { return outside(mode) };
    if matches!(event, "pull_request_target" | "workflow_run" | "issue_comment") {
        return Err(Refused::Event(event.to_owned()));
    }
    let mismatch = || Err(Refused::Mode { mode: mode.id(), event: event.to_owned() });
    let per_user = mode == PublishMode::IssuePerUser;
    match (event, mode) {
        ("pull_request" | "merge_group", PublishMode::Issue | PublishMode::IssuePerUser) => {
            mismatch()
        }
        // Where nothing is published, the queue is not read either.
        (_, PublishMode::None) => Ok((Target::Nothing(Why::Asked), FailOn::NONE)),
        ("pull_request", _) => Ok((Target::PullRequest, FailOn::NEW)),
        (_, PublishMode::PullRequest) => mismatch(),
        ("merge_group", _) => Ok((Target::Nothing(Why::Event), FailOn::NEW)),
        ("schedule" | "workflow_dispatch" | "repository_dispatch" | "push", _)
            if on_default_branch =>
        {
            Ok((Target::Queue { per_user }, FailOn::NONE))
        }
        ("schedule" | "workflow_dispatch" | "repository_dispatch" | "push", _) => {
            Ok((Target::Nothing(Why::OtherBranch), FailOn::NONE))
        }
        _ => Ok((Target::Nothing(Why::Event), FailOn::NONE)),
    }
}

fn outside(mode: PublishMode) -> Result<(Target, FailOn), Refused> {
    match mode {
        PublishMode::Issue => Ok((Target::Queue { per_user: false }, FailOn::NONE)),
        PublishMode::IssuePerUser => Ok((Target::Queue { per_user: true }, FailOn::NONE)),
        PublishMode::None => Ok((Target::Nothing(Why::Asked), FailOn::NONE)),
        PublishMode::Auto | PublishMode::PullRequest => Err(Refused::NoEvent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_publishes_what_it_may() {
        use PublishMode::{Auto, Issue, IssuePerUser, None, PullRequest};
        let queue = |per_user| Ok((Target::Queue { per_user }, FailOn::NONE));
        let nothing = |why, fail_on| Ok((Target::Nothing(why), fail_on));
        let mode = |mode: PublishMode, event: &str| {
            Err(Refused::Mode { mode: mode.id(), event: event.to_owned() })
        };
        for event in ["schedule", "workflow_dispatch", "push"] {
            assert_eq!(target(Some(event), true, Auto), queue(false));
            assert_eq!(target(Some(event), true, IssuePerUser), queue(true));
            for asked in [Auto, Issue] {
                let other = nothing(Why::OtherBranch, FailOn::NONE);
                assert_eq!(target(Some(event), false, asked), other);
            }
            assert_eq!(target(Some(event), true, PullRequest), mode(PullRequest, event));
            assert_eq!(target(Some(event), true, None), nothing(Why::Asked, FailOn::NONE));
        }
        for on_default_branch in [true, false] {
            let at = |event, asked| target(Some(event), on_default_branch, asked);
            assert_eq!(at("pull_request", Auto), Ok((Target::PullRequest, FailOn::NEW)));
            assert_eq!(at("pull_request", Issue), mode(Issue, "pull_request"));
            assert_eq!(at("merge_group", Auto), nothing(Why::Event, FailOn::NEW));
            assert_eq!(at("merge_group", IssuePerUser), mode(IssuePerUser, "merge_group"));
            for event in ["pull_request", "merge_group"] {
                assert_eq!(at(event, None), nothing(Why::Asked, FailOn::NONE));
            }
            assert_eq!(at("release", Auto), nothing(Why::Event, FailOn::NONE));
            for event in ["pull_request_target", "workflow_run", "issue_comment"] {
                for asked in PublishMode::ALL {
                    assert_eq!(at(event, asked), Err(Refused::Event(event.to_owned())));
                }
            }
        }
        assert_eq!(target(Option::None, true, Auto), Err(Refused::NoEvent));
        assert_eq!(target(Option::None, true, Issue), queue(false));
    }
}
