//! A synchronous client for the queue and pull request comments.

use std::time::Duration;

use secrecy::SecretString;

use super::queue_error::QueueError;
use crate::github::{Comment, Error, GitHub, Repository, RepositoryInfo};
use crate::model::identity::RepositoryName;
use crate::queue::apply::{ApplyOutcome, QueueWriter};
use crate::queue::markers;
use crate::queue::observation::Observation;
use crate::queue::plan::{QueueChange, QueueOptions, QueuePlan, plan};
use crate::queue::read::{self, IssueSearch, TrustedAuthors};
use crate::queue::snapshot::{QueueSnapshot, UntrustedIssue};
use crate::queue::state::{QueueName, QueueState};
use crate::queue::update;
use crate::queue::warning::Warning;

/// The time limit for all calls to GitHub before the audit, and for those after it.
const TIMEOUT: Duration = Duration::from_secs(600);
/// The maximum number of plans. A new plan is created if an issue was changed while the plan was applied.
const MAX_PLANS: usize = 5;

/// The GitHub client with its runtime.
pub(super) struct QueueClient {
    runtime: tokio::runtime::Runtime,
    github: GitHub,
    queue_author: Option<String>,
}

/// The merge target of a pull request or merge group.
#[derive(Debug, Clone, Copy)]
pub(super) struct MergeTarget<'a> {
    /// The merge base.
    pub(super) merge_base: BasePoint<'a>,
    /// The base branch, if it is in the event payload.
    pub(super) branch: Option<&'a str>,
}

/// How the merge base is identified.
#[derive(Debug, Clone, Copy)]
pub(super) enum BasePoint<'a> {
    /// This commit.
    At(&'a str),
    /// The last commit that these two commits have in common.
    Of { base: &'a str, head: &'a str },
}

/// A file at a commit; `None` where there is none.
pub(super) type FileAt = Result<Option<Vec<u8>>, Error>;

/// A queue as it is, and what it knows.
pub(super) struct LoadedQueue {
    pub(super) snapshot: QueueSnapshot,
    pub(super) queue_state: Option<QueueState>,
}

/// What became of a queue.
pub(super) struct QueueWriteResult {
    /// The number and URL of the queue issue; `None` in a dry run that would create it.
    pub(super) queue_issue: Option<(u64, String)>,
    /// The queue state before this run; `None` if there was no queue.
    pub(super) previous_state: Option<QueueState>,
    /// The queue state after this run.
    pub(super) queue_state: QueueState,
    /// The changes that were made, or that a dry run would make.
    pub(super) plan: QueuePlan,
    pub(super) warnings: Vec<Warning>,
    /// Issues that look like issues of the queue and were ignored.
    pub(super) untrusted: Vec<UntrustedIssue>,
}

impl QueueClient {
    /// A client for the API at `api_url`.
    pub(super) fn new(
        api_url: &str,
        graphql_url: Option<&str>,
        token: &SecretString,
    ) -> Result<Self, Error> {
        // One thread is enough: most of the time is spent waiting for GitHub.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::without_network(&error))?;
        let github = {
            let _within = runtime.enter();
            GitHub::new(api_url, token.clone(), TIMEOUT)?.with_graphql_url(graphql_url)
        };
        Ok(Self { runtime, github, queue_author: None })
    }

    /// Trusts the issues and comments of this account in addition to those of the token's account.
    pub(super) fn with_queue_author(self, queue_author: Option<String>) -> Self {
        Self { queue_author, ..self }
    }

    /// Restarts the time limit for calls, because the audit between them has no fixed duration.
    pub(super) fn reset_deadline(&mut self) {
        self.github.reset_deadline(TIMEOUT);
    }

    /// The details of a repository.
    pub(super) fn about(&self, repository: &RepositoryName) -> Result<RepositoryInfo, Error> {
        self.runtime.block_on(self.github.repository(repository.clone()).info())
    }

    /// A file of the merge base and of the tip of the base branch. The current tip is used, because the
    /// one in the event payload may be outdated.
    pub(super) fn read_base_files(
        &self,
        repository: &RepositoryName,
        base: MergeTarget<'_>,
        path: &str,
    ) -> (FileAt, Option<FileAt>) {
        let repository = self.github.repository(repository.clone());
        self.runtime.block_on(async {
            let at_merge_base = async {
                let commit = match base.merge_base {
                    BasePoint::At(commit) => commit.to_owned(),
                    BasePoint::Of { base, head } => repository.merge_base(base, head).await?,
                };
                match repository.file_at(path, &commit).await? {
                    // The response is the same if the token has no access to the content. It has no
                    // access to commits then either.
                    None if matches!(base.merge_base, BasePoint::At(_)) => {
                        repository.merge_base(&commit, &commit).await.map(|_| None)
                    }
                    found => Ok(found),
                }
            };
            let at_merge_base = at_merge_base.await;
            let tip = match base.branch {
                // The short name would select a tag with the same name.
                Some(branch) => {
                    Some(repository.file_at(path, &format!("refs/heads/{branch}")).await)
                }
                None => None,
            };
            (at_merge_base, tip)
        })
    }

    /// Reads a queue without updating it. If the label does not have the number of an issue, there is no
    /// queue yet.
    pub(super) fn queue(
        &self,
        repository: &RepositoryName,
        queue: &QueueName,
    ) -> Result<LoadedQueue, QueueError> {
        let snapshot = self.read_snapshot(repository, queue, IssueSearch::ByLabel)?;
        if snapshot.number.is_none() {
            let snapshot =
                QueueSnapshot { untrusted: snapshot.untrusted, ..QueueSnapshot::default() };
            return Ok(LoadedQueue { snapshot, queue_state: None });
        }
        load_state(snapshot, repository, queue)
    }

    fn read_snapshot(
        &self,
        repository: &RepositoryName,
        queue: &QueueName,
        search: IssueSearch,
    ) -> Result<QueueSnapshot, QueueError> {
        let handle = self.github.repository(repository.clone());
        let snapshot = self.runtime.block_on(async {
            let trusted_authors =
                TrustedAuthors::of(&self.github, self.queue_author.as_deref()).await?;
            read::read_snapshot(&handle, &trusted_authors, queue, search).await
        });
        snapshot.map_err(|unread| QueueError::from_read_error(unread, repository, queue))
    }

    /// Updates a queue with an observation. A dry run writes nothing.
    pub(super) fn update_queue(
        &self,
        repository: &RepositoryName,
        observation: &Observation,
        options: &QueueOptions,
        dry_run: bool,
    ) -> Result<QueueWriteResult, QueueError> {
        let mut search = IssueSearch::ByLabel;
        for _ in 0..MAX_PLANS {
            let snapshot = self.read_snapshot(repository, &options.queue, search)?;
            let LoadedQueue { mut snapshot, queue_state } =
                load_state(snapshot, repository, &options.queue)?;
            self.resolve_closers(
                repository,
                &mut snapshot,
                queue_state.as_ref(),
                options.per_user,
            )?;
            let closures = snapshot.closures(queue_state.as_ref(), options.per_user);
            let update = update::apply_observation(
                queue_state.as_ref(),
                observation,
                &closures,
                options.today,
                options.due_within_days,
            )?;
            if !update.queue_state.fits() {
                return Err(QueueError::TooLarge);
            }
            let plan = plan(&snapshot, queue_state.as_ref(), &update, options)?;
            if search == IssueSearch::ByLabel && creates_user_issues(&plan) {
                search = IssueSearch::ByAuthor;
                continue;
            }
            let queue_issue = snapshot
                .queue_issue
                .as_ref()
                .map(|queue_issue| (queue_issue.number, queue_issue.url.clone()));
            let written = |queue_issue, warnings| QueueWriteResult {
                queue_issue,
                untrusted: snapshot.untrusted.clone(),
                previous_state: queue_state.clone(),
                queue_state: update.queue_state.clone(),
                plan: plan.clone(),
                warnings,
            };
            if dry_run || plan.is_empty() {
                let warnings = Warning::not_assigned(&plan.invalid_logins).into_iter().collect();
                return Ok(written(queue_issue, warnings));
            }
            match self.apply(repository, &snapshot, &plan, options)? {
                ApplyOutcome::Done { queue_issue: created, warnings } => {
                    return Ok(written(created.or(queue_issue), warnings));
                }
                ApplyOutcome::Conflict => {}
            }
        }
        Err(QueueError::TooManyConflicts)
    }

    /// Determines who closed issues with open findings.
    fn resolve_closers(
        &self,
        repository: &RepositoryName,
        snapshot: &mut QueueSnapshot,
        queue_state: Option<&QueueState>,
        per_user: bool,
    ) -> Result<(), QueueError> {
        let handle = self.github.repository(repository.clone());
        let result = self.runtime.block_on(async {
            let trusted_authors =
                TrustedAuthors::of(&self.github, self.queue_author.as_deref()).await?;
            read::find_closers(&handle, &trusted_authors, snapshot, queue_state, per_user).await
        });
        result.map_err(QueueError::Read)
    }

    fn apply(
        &self,
        repository: &RepositoryName,
        snapshot: &QueueSnapshot,
        plan: &QueuePlan,
        options: &QueueOptions,
    ) -> Result<ApplyOutcome, QueueError> {
        let handle = self.github.repository(repository.clone());
        let applied = self.runtime.block_on(async {
            let applier = QueueWriter {
                repository: &handle,
                queue_author: self.queue_author.as_deref(),
                queue: &options.queue,
                language: options.language,
                snapshot,
            };
            applier.apply(plan).await
        });
        applied.map_err(|error| QueueError::from_apply_error(error, repository, &options.queue))
    }

    /// Updates the comment on a pull request, or adds one if it has content. Returns its URL, if there
    /// is a comment then.
    pub(super) fn comment(
        &self,
        repository: &RepositoryName,
        pull_request: u64,
        body: &str,
        has_content: bool,
    ) -> Result<Option<String>, Error> {
        let handle = self.github.repository(repository.clone());
        // The marker is the first line.
        let marker = body.lines().next().unwrap_or_default();
        self.runtime.block_on(async {
            let trusted_authors =
                TrustedAuthors::of(&self.github, self.queue_author.as_deref()).await?;
            let mut comments = handle.comments(pull_request).await?;
            let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
            comments.retain(|comment| markers::begins_with(&comment.body, marker));
            let is_ours = |comment: &Comment| trusted_authors.includes(comment.author.as_deref());
            let (ours, others): (Vec<_>, Vec<_>) = comments.into_iter().partition(is_ours);
            if let Some((first, duplicates)) = ours.split_first() {
                for duplicate in duplicates
                    .iter()
                    .filter(|duplicate| trusted_authors.is_own(duplicate.author.as_deref()))
                {
                    handle.delete_comment(duplicate.id).await?;
                }
                return update_comment_body(&handle, first, body).await.map(Some);
            }
            // If the account of the token is unknown, it is the author of a new comment.
            let may_be_ours = !trusted_authors.knows_own_login() && !others.is_empty();
            if !has_content && !may_be_ours {
                return Ok(None);
            }
            let created = handle.create_comment(pull_request, body, newest).await?;
            let earlier = others.iter().find(|it| may_be_ours && it.author == created.author);
            if earlier.is_some() || !has_content {
                handle.delete_comment(created.id).await?;
            }
            match earlier {
                Some(earlier) => update_comment_body(&handle, earlier, body).await.map(Some),
                None => Ok(has_content.then_some(created.url)),
            }
        })
    }
}

/// Reads the queue state from a snapshot.
fn load_state(
    snapshot: QueueSnapshot,
    repository: &RepositoryName,
    queue: &QueueName,
) -> Result<LoadedQueue, QueueError> {
    let queue_state = snapshot.queue_state().map_err(|error| {
        let number =
            snapshot.queue_issue.as_ref().map(|queue_issue| queue_issue.number).or(snapshot.number);
        let issue = format!("{repository}#{}", number.unwrap_or_default());
        QueueError::Damaged { issue, error, label: markers::label(queue) }
    })?;
    Ok(LoadedQueue { snapshot, queue_state })
}

/// Updates a comment if its text differs. Returns its URL.
async fn update_comment_body(
    repository: &Repository<'_>,
    comment: &Comment,
    body: &str,
) -> Result<String, Error> {
    if comment.body.trim_end() == body.trim_end() {
        return Ok(comment.url.clone());
    }
    repository.update_comment(comment.id, body).await.map(|it| it.url)
}

fn creates_user_issues(plan: &QueuePlan) -> bool {
    plan.changes.iter().any(|change| matches!(change, QueueChange::CreateUserIssue { .. }))
}
