//! Where a run publishes, and what may be named there.

use secrecy::SecretString;

use super::tracker::{Tracker, is_discreet, words};
use super::{Exit, Streams};
use crate::github::{About, Error, Kind};
use crate::model::identity::{Repository, Visibility};
use crate::queue::gate::FailOn;
use crate::queue::occasion::{PublishMode, Target, Why, target};
use crate::report::{Plain, visible};
use crate::runner::job::Job;
use crate::runner::{self, Surroundings};
use crate::settings::PublishSettings;

/// What to do where there is no token.
const NO_TOKEN: &str = "give `github-token`, or set GITHUB_TOKEN";
/// Where a remedy may be planned and carried out.
const ELSEWHERE: &str = "plan and apply on `schedule`, `workflow_dispatch` or `push`, on the default branch: \
                         elsewhere the allowlist is somebody's proposal";
/// What to do where everybody could read of a remedy.
const IN_PUBLIC: &str = "remedy from a private repository, or set `publish-in-public`";
/// What to do where nobody can be asked who reads of a remedy.
const UNKNOWN: &str =
    "remedy by the action's `remediate`, whose `github-token` can ask, in a private repository";

/// Where a run publishes.
pub(super) struct Scene {
    /// GitHub; `None` without a token.
    pub(super) tracker: Option<Tracker>,
    /// The workflow's repository.
    pub(super) repository: Option<Repository>,
    /// The queue's.
    pub(super) queue_repository: Option<Repository>,
    pub(super) target: Target,
    pub(super) fail_on: FailOn,
    /// Whether users and findings may be named in the log, the summary, files and comments.
    pub(super) names: bool,
    /// The page of the run.
    pub(super) run: Option<Plain>,
}

impl Scene {
    /// Finds out where the run is. What is wrong was told when it fails.
    pub(super) fn of(
        settings: &PublishSettings,
        job: Option<&Job>,
        streams: &mut Streams<'_>,
    ) -> Result<Self, Exit> {
        let Surroundings { repository, api_url, graphql_url } = match job {
            Some(job) => surroundings(job),
            None => runner::surroundings(),
        };
        let repository = repository.map(|name| parsed(&name, streams)).transpose()?;
        let tracker = match &settings.token {
            Some(token) => {
                let tracker = Tracker::new(&api_url, graphql_url.as_deref(), token);
                let tracker = tracker.map_err(|error| unread(&error, streams))?;
                Some(tracker.trusting(settings.queue_author.clone()))
            }
            None => None,
        };
        let about = ask(job, tracker.as_ref(), repository.as_ref(), streams)?;
        let on_default_branch = is_on_default_branch(job, about.as_ref());
        let event = job.map(|job| job.event.as_str());
        let (target, fail_on) =
            target(event, on_default_branch, settings.mode).map_err(|refused| {
                streams.error(&visible(&refused.to_string()));
                streams.hint(refused.hint());
                Exit::Usage
            })?;
        let visibility = visibility(job, about.as_ref());
        let queue_repository = settings.queue_repository.clone().or_else(|| repository.clone());
        let names = job.is_none() || settings.publish_in_public || is_discreet(visibility);
        streams.discreet = !names;
        let scene = Self {
            names,
            run: job.zip(repository.as_ref()).and_then(|(job, name)| run_page(job, name)),
            fail_on: settings.fail_on.unwrap_or(fail_on),
            tracker,
            repository,
            queue_repository,
            target,
        };
        scene.with_discretion(settings, visibility, streams)
    }

    /// A queue that everybody could read is not kept.
    fn with_discretion(
        mut self,
        settings: &PublishSettings,
        visibility: Option<Visibility>,
        streams: &mut Streams<'_>,
    ) -> Result<Self, Exit> {
        if !matches!(self.target, Target::Queue { .. }) {
            return Ok(self);
        }
        let (Some(tracker), Some(queue)) = (&self.tracker, &self.queue_repository) else {
            let missing = if self.tracker.is_none() {
                ("there is no token for GitHub", NO_TOKEN)
            } else {
                (
                    "nothing says which repository holds the queue",
                    "give --queue-repository OWNER/NAME",
                )
            };
            streams.error(missing.0);
            streams.hint(missing.1);
            return Err(Exit::Usage);
        };
        let is_own = self.repository.as_ref() == Some(queue);
        let visibility = if is_own && visibility.is_some() {
            visibility
        } else {
            tracker.about(queue).map_err(|error| unread(&error, streams))?.visibility
        };
        if !settings.publish_in_public && !is_discreet(visibility) {
            streams.say(&format!(
                "note: {queue} is public, or nobody can tell that it is not: no queue is kept there"
            ));
            streams.hint("name a private repository with `queue-repository`");
            self.target = Target::Nothing(Why::Public);
        }
        Ok(self)
    }

    /// How the index is linked from the workflow's repository.
    pub(super) fn index_link(&self, number: u64) -> Plain {
        let other =
            self.queue_repository.as_ref().filter(|it| Some(*it) != self.repository.as_ref());
        Plain::issue(other, number)
    }
}

/// Refuses a remedy where what somebody proposes would decide about it, and where everybody could
/// read of it: plans and journals name users. Outside of a job there is nothing to refuse.
pub(super) fn admit_remedy(
    token: Option<&SecretString>,
    publish_in_public: bool,
    job: Option<&Job>,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let Some(job) = job else { return Ok(()) };
    let event = job.event.as_str();
    // Where the event alone is enough, nobody is asked.
    let may = |on_default_branch| {
        let target = target(Some(event), on_default_branch, PublishMode::Auto);
        matches!(target, Ok((Target::Queue { .. }, _)))
    };
    let refuse = |streams: &mut Streams<'_>| {
        streams.error(&visible(&format!(
            "a remedy is refused here: the event is `{event}`, on `{}`",
            job.git_ref
        )));
        streams.hint(ELSEWHERE);
        Err(Exit::Usage)
    };
    if !may(true) {
        return refuse(streams);
    }
    let repository = parsed(&job.repository, streams)?;
    let tracker = match token {
        Some(token) => {
            let tracker = Tracker::new(&job.api_url, job.graphql_url.as_deref(), token);
            Some(tracker.map_err(|error| unread(&error, streams))?)
        }
        None => None,
    };
    if tracker.is_none() && job.payload.default_branch.is_none() {
        streams.error(&format!(
            "the event `{}` does not say which branch of {repository} is the default one, nor who \
             sees it, and there is no token to ask with",
            visible(event)
        ));
        streams.hint(UNKNOWN);
        return Err(Exit::Usage);
    }
    let about = ask(Some(job), tracker.as_ref(), Some(&repository), streams)?;
    if !may(is_on_default_branch(Some(job), about.as_ref())) {
        return refuse(streams);
    }
    if !publish_in_public && !is_discreet(visibility(Some(job), about.as_ref())) {
        streams.error(&format!(
            "{repository} is public, or nobody can tell that it is not: a plan and its journal name \
             users"
        ));
        streams.hint(if token.is_some() { IN_PUBLIC } else { UNKNOWN });
        return Err(Exit::Usage);
    }
    Ok(())
}

fn surroundings(job: &Job) -> Surroundings {
    Surroundings {
        repository: Some(job.repository.clone()),
        api_url: job.api_url.clone(),
        graphql_url: job.graphql_url.clone(),
    }
}

fn is_on_default_branch(job: Option<&Job>, about: Option<&About>) -> bool {
    job.is_none_or(|job| {
        let of_event = job.payload.default_branch.as_ref();
        let branch = of_event.or(about.map(|about| &about.default_branch));
        branch.is_some_and(|branch| job.git_ref == format!("refs/heads/{branch}"))
    })
}

fn parsed(name: &str, streams: &mut Streams<'_>) -> Result<Repository, Exit> {
    name.parse().map_err(|error| {
        streams.error(&visible(&format!("GITHUB_REPOSITORY is `{name}`: {error}")));
        Exit::Usage
    })
}

pub(super) fn unread(error: &Error, streams: &mut Streams<'_>) -> Exit {
    streams.error(&words(error, streams));
    streams.hint(&error.hint());
    if error.kind == Kind::Misconfigured { Exit::Usage } else { Exit::Incomplete }
}

/// What the repository says of itself, where the event does not tell. Who can see it may stay unknown;
/// which branch is the default one may not: nobody could tell whether there is a queue to keep.
fn ask(
    job: Option<&Job>,
    tracker: Option<&Tracker>,
    repository: Option<&Repository>,
    streams: &mut Streams<'_>,
) -> Result<Option<About>, Exit> {
    let Some(job) = job else { return Ok(None) };
    let needs_branch = job.payload.default_branch.is_none()
        && !matches!(job.event.as_str(), "pull_request" | "merge_group");
    if job.payload.visibility.is_some() && !needs_branch {
        return Ok(None);
    }
    let (Some(tracker), Some(repository)) = (tracker, repository) else {
        if needs_branch {
            streams.error("there is no token for GitHub to ask which branch is the default one");
            streams.hint(NO_TOKEN);
            return Err(Exit::Usage);
        }
        return Ok(None);
    };
    match tracker.about(repository) {
        Ok(about) => Ok(Some(about)),
        Err(error) if needs_branch => Err(unread(&error, streams)),
        Err(error) => {
            let told = words(&error, streams);
            streams.say(&format!("note: {}; it counts as public", visible(&told)));
            Ok(None)
        }
    }
}

fn visibility(job: Option<&Job>, about: Option<&About>) -> Option<Visibility> {
    let of_event = job.and_then(|job| job.payload.visibility);
    of_event.or_else(|| about.and_then(|about| about.visibility))
}

fn run_page(job: &Job, repository: &Repository) -> Option<Plain> {
    Some(Plain::run(&job.server_url, repository, job.run_id.parse().ok()?))
}
