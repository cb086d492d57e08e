//! Where a run publishes, and whether it may show names there.

use secrecy::SecretString;

use super::Streams;
use super::error::CommandError;
use super::queue_client::QueueClient;
use crate::cli::PublishArgs;
use crate::github::RepositoryInfo;
use crate::model::identity::{RepositoryName, Visibility};
use crate::queue::destination::{Destination, PublishMode, SkipReason, destination};
use crate::queue::gate::FailOn;
use crate::runner::job::Job;
use crate::runner::{self, GitHubEnvironment};
use crate::templates::SafeText;

/// The hint for a missing token.
const NO_TOKEN: &str = "set `github-token` or GITHUB_TOKEN";
/// The hint for an event or branch on which remediation is not allowed.
const ELSEWHERE: &str = "plan and apply on `schedule`, `workflow_dispatch`, or `push`, on the default branch: \
                         on other branches, the allowlist has not been reviewed";
/// The hint for a repository that is not known to be private.
const IN_PUBLIC: &str = "run remediation in a private repository, or set `allow-public`";
/// The hint for a repository of unknown visibility.
const UNKNOWN: &str =
    "use the action with `command: remediate` and a `github-token`, in a private repository";

/// Where a run publishes.
pub(super) struct PublishTarget {
    /// The client; `None` without a token.
    pub(super) queue_client: Option<QueueClient>,
    /// The repository of the workflow.
    pub(super) repository: Option<RepositoryName>,
    /// The repository of the queue.
    pub(super) queue_repository: Option<RepositoryName>,
    pub(super) destination: Destination,
    pub(super) fail_on: FailOn,
    /// Whether the log, the summary, files, and comments may show users and findings.
    pub(super) names: bool,
    /// Whether the repository is known to be private, or the run is not a job.
    pub(super) is_private: bool,
    /// The page of the run.
    pub(super) run: Option<SafeText>,
}

impl PublishTarget {
    /// Determines the target of the run.
    pub(super) fn of(
        settings: &PublishArgs,
        job: Option<&Job>,
        streams: &mut Streams<'_>,
    ) -> Result<Self, CommandError> {
        let GitHubEnvironment { repository, api_url, graphql_url } = match job {
            Some(job) => github_environment(job),
            None => runner::github_environment(),
        };
        let repository = repository.map(|name| parse_repository(&name)).transpose()?;
        let queue_client = match &runner::github_token() {
            Some(token) => Some(
                QueueClient::new(&api_url, graphql_url.as_deref(), token)?
                    .with_queue_author(settings.queue_author.clone()),
            ),
            None => None,
        };
        let about = repository_details(job, queue_client.as_ref(), repository.as_ref(), streams)?;
        let on_default_branch = is_on_default_branch(job, about.as_ref());
        let event = job.map(|job| job.event.as_str());
        let (destination, fail_on) = destination(event, on_default_branch, settings.publish)
            .map_err(|refused| {
                CommandError::usage(refused.to_string()).with_hint(refused.hint())
            })?;
        let visibility = visibility(job, about.as_ref());
        let queue_repository = settings.queue_repository.clone().or_else(|| repository.clone());
        let is_private = job.is_none() || may_show_names(visibility);
        let names = is_private || settings.public.allow_public;
        streams.redacted = !names;
        let publish_target = Self {
            names,
            is_private,
            run: job.zip(repository.as_ref()).and_then(|(job, name)| run_page(job, name)),
            fail_on: settings.fail_on.0.unwrap_or(fail_on),
            queue_client,
            repository,
            queue_repository,
            destination,
        };
        publish_target.without_public_queue(settings, visibility, streams)
    }

    /// Removes a queue as the target if its repository is not known to be private.
    fn without_public_queue(
        mut self,
        settings: &PublishArgs,
        visibility: Option<Visibility>,
        streams: &mut Streams<'_>,
    ) -> Result<Self, CommandError> {
        if !matches!(self.destination, Destination::Queue { .. }) {
            return Ok(self);
        }
        let (Some(queue_client), Some(queue)) = (&self.queue_client, &self.queue_repository) else {
            return Err(if self.queue_client.is_none() {
                CommandError::usage("there is no GitHub token").with_hint(NO_TOKEN)
            } else {
                CommandError::usage("the repository of the queue is not known")
                    .with_hint("set --queue-repository OWNER/NAME")
            });
        };
        let is_own = self.repository.as_ref() == Some(queue);
        let visibility = if is_own && visibility.is_some() {
            visibility
        } else {
            queue_client.about(queue)?.visibility
        };
        if !settings.public.allow_public && !may_show_names(visibility) {
            streams.eprintln(&format!(
                "note: {queue} is not known to be private, so no queue is written there"
            ));
            streams.hint("set a private repository with `queue-repository`");
            self.destination = Destination::Nothing(SkipReason::Public);
        }
        Ok(self)
    }

    /// The client and the repository of the queue.
    pub(super) fn queue(&self) -> Result<(&QueueClient, &RepositoryName), CommandError> {
        self.queue_client.as_ref().zip(self.queue_repository.as_ref()).ok_or_else(|| {
            CommandError::usage("the queue cannot be read without a GitHub token")
                .with_hint(NO_TOKEN)
        })
    }

    /// The link to the queue issue, as seen from the repository of the workflow.
    pub(super) fn queue_issue_link(&self, number: u64) -> SafeText {
        let other =
            self.queue_repository.as_ref().filter(|it| Some(*it) != self.repository.as_ref());
        SafeText::issue(other, number)
    }
}

/// Rejects remediation with an allowlist that has not been reviewed, and in repositories that are not
/// known to be private, because plans and journals name users. Outside of a job, it is always allowed.
pub(super) fn check_remediation_allowed(
    token: Option<&SecretString>,
    allow_public: bool,
    job: Option<&Job>,
    streams: &mut Streams<'_>,
) -> Result<(), CommandError> {
    let Some(job) = job else { return Ok(()) };
    let event = job.event.as_str();
    // If the event is enough to decide, GitHub is not called.
    let is_allowed = |on_default_branch| {
        let target = destination(Some(event), on_default_branch, PublishMode::Auto);
        matches!(target, Ok((Destination::Queue { .. }, _)))
    };
    let refused = || {
        let message =
            format!("remediation is not allowed for the event `{event}` on `{}`", job.git_ref);
        CommandError::usage(message).with_hint(ELSEWHERE)
    };
    if !is_allowed(true) {
        return Err(refused());
    }
    let repository = parse_repository(&job.repository)?;
    let queue_client = token
        .map(|token| QueueClient::new(&job.api_url, job.graphql_url.as_deref(), token))
        .transpose()?;
    if queue_client.is_none() && job.payload.default_branch.is_none() {
        let message = format!(
            "the payload of the event `{event}` does not contain the default branch of {repository}, \
             and it cannot be requested without a GitHub token"
        );
        return Err(CommandError::usage(message).with_hint(UNKNOWN));
    }
    let about = repository_details(Some(job), queue_client.as_ref(), Some(&repository), streams)?;
    if !is_allowed(is_on_default_branch(Some(job), about.as_ref())) {
        return Err(refused());
    }
    if !allow_public && !may_show_names(visibility(Some(job), about.as_ref())) {
        let message =
            format!("{repository} is not known to be private, but plans and journals name users");
        let hint = if token.is_some() { IN_PUBLIC } else { UNKNOWN };
        return Err(CommandError::usage(message).with_hint(hint));
    }
    Ok(())
}

fn github_environment(job: &Job) -> GitHubEnvironment {
    GitHubEnvironment {
        repository: Some(job.repository.clone()),
        api_url: job.api_url.clone(),
        graphql_url: job.graphql_url.clone(),
    }
}

fn is_on_default_branch(job: Option<&Job>, about: Option<&RepositoryInfo>) -> bool {
    job.is_none_or(|job| {
        let of_event = job.payload.default_branch.as_ref();
        let branch = of_event.or(about.map(|about| &about.default_branch));
        branch.is_some_and(|branch| job.git_ref == format!("refs/heads/{branch}"))
    })
}

fn parse_repository(name: &str) -> Result<RepositoryName, CommandError> {
    name.parse()
        .map_err(|error| CommandError::usage(format!("GITHUB_REPOSITORY is `{name}`: {error}")))
}

/// The details of the repository, if the event payload does not contain them. The visibility may remain
/// unknown. The default branch must be known, because the target depends on it.
fn repository_details(
    job: Option<&Job>,
    queue_client: Option<&QueueClient>,
    repository: Option<&RepositoryName>,
    streams: &mut Streams<'_>,
) -> Result<Option<RepositoryInfo>, CommandError> {
    let Some(job) = job else { return Ok(None) };
    let needs_branch = job.payload.default_branch.is_none()
        && !matches!(job.event.as_str(), "pull_request" | "merge_group");
    if job.payload.visibility.is_some() && !needs_branch {
        return Ok(None);
    }
    let (Some(queue_client), Some(repository)) = (queue_client, repository) else {
        if needs_branch {
            let message = "cannot determine the default branch without a GitHub token";
            return Err(CommandError::usage(message).with_hint(NO_TOKEN));
        }
        return Ok(None);
    };
    match queue_client.about(repository) {
        Ok(about) => Ok(Some(about)),
        Err(error) if needs_branch => Err(error.into()),
        Err(error) => {
            let error = CommandError::from(error);
            let message = error.message(streams.redacted);
            streams.eprintln(&format!("note: {message}; the repository is treated as public"));
            Ok(None)
        }
    }
}

fn visibility(job: Option<&Job>, about: Option<&RepositoryInfo>) -> Option<Visibility> {
    let of_event = job.and_then(|job| job.payload.visibility);
    of_event.or_else(|| about.and_then(|about| about.visibility))
}

fn run_page(job: &Job, repository: &RepositoryName) -> Option<SafeText> {
    Some(SafeText::run(&job.server_url, repository, job.run_id.parse().ok()?))
}

/// Whether a repository with this visibility may contain names.
pub(super) const fn may_show_names(visibility: Option<Visibility>) -> bool {
    matches!(visibility, Some(Visibility::Private | Visibility::Internal))
}
