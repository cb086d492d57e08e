//! The issue tracker for commands: one client, one runtime, and what a run does there.

use std::time::Duration;

use secrecy::SecretString;

use super::{Exit, Streams};
use crate::github::{About, Comment, Error, GitHub, Repository};
use crate::model::identity::{Repository as Name, Visibility};
use crate::queue::apply::{Applied, Applier, Failed};
use crate::queue::board::{Board, Foreign};
use crate::queue::ledger::{self, OlderThanMemory};
use crate::queue::markers;
use crate::queue::memory::{Damage, Memory, QueueName};
use crate::queue::observation::Observation;
use crate::queue::plan::{Change, Plan, Wanted, plan};
use crate::queue::read::{self, Search, Trust, Unread};
use crate::queue::warning::Warning;
use crate::report::TemplateError;
use crate::settings::CommentOn;

/// How long everything that is asked of GitHub before the audit may take together, and what is
/// published behind it.
const TIMEOUT: Duration = Duration::from_secs(600);
/// How often a plan is made anew because somebody changed what it was made for.
const PLANS: usize = 5;

/// GitHub, with the runtime that its calls need.
pub(super) struct Tracker {
    runtime: tokio::runtime::Runtime,
    github: GitHub,
    queue_author: Option<String>,
}

/// Why the queue is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// GitHub could not be read.
    #[error(transparent)]
    Unread(Error),
    /// What passes for the queue is by accounts that are not trusted.
    #[error("{}", foreign_queue(.issues, .us))]
    Foreign {
        /// The issues.
        issues: Vec<Foreign>,
        /// The logins of the token's own account, as far as GitHub says.
        us: Vec<String>,
    },
    /// The label does not say which issue is the queue.
    #[error("the label `{label}` of {repository} is damaged: {damage}")]
    Label {
        /// The label.
        label: String,
        /// Where it is.
        repository: Name,
        /// What is wrong.
        damage: Damage,
    },
    /// The memory could not be read again.
    #[error("the queue's memory would be larger than can be read again, so nothing was written")]
    TooLarge,
    /// The memory does not check.
    #[error("the memory of the queue in {issue} is damaged: {damage}")]
    Damaged {
        /// The index.
        issue: String,
        /// What is wrong.
        damage: Damage,
        /// The label that leads to it.
        label: String,
    },
    /// The audits are old.
    #[error(transparent)]
    Older(#[from] OlderThanMemory),
    /// GitHub could not be written.
    #[error(transparent)]
    Unwritten(Error),
    /// Somebody else writes all the time.
    #[error("the queue was changed by somebody else at every attempt to write it")]
    Restless,
    /// A page cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Trouble {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Unread(_) | Self::Damaged { .. } | Self::Label { .. } | Self::Foreign { .. } => {
                Exit::Incomplete
            }
            Self::Older(_)
            | Self::Unwritten(_)
            | Self::Restless
            | Self::TooLarge
            | Self::Template(_) => Exit::WriteFailed,
        }
    }

    pub(super) fn tell(&self, streams: &mut Streams<'_>) -> Exit {
        let told = match self {
            Self::Unread(error) | Self::Unwritten(error) => words(error, streams),
            other => other.to_string(),
        };
        streams.error(&told);
        streams.hint(&self.hint());
        self.exit()
    }

    fn hint(&self) -> String {
        match self {
            Self::Unread(error) | Self::Unwritten(error) => error.hint(),
            Self::Damaged { damage: Damage::Gone, label, .. } => format!(
                "move the issue back if it was moved; or, to start over, delete the label \
                 `{label}`: the next run makes another queue, and everything is new"
            ),
            Self::Damaged { label, .. } => format!(
                "restore the issue's body, or the comments that hold parts of the memory, from \
                 their edit history; or, to start over, delete the label `{label}`: the next run \
                 makes another queue, and everything is new"
            ),
            Self::Label { label, .. } => format!(
                "let the description of `{label}` end in the number of the queue issue, such as \
                 `#12`; or, to start over, delete the label"
            ),
            Self::Foreign { issues, us } => hint_of_foreign(issues, !us.is_empty()),
            Self::TooLarge => {
                "audit fewer accounts a queue: give each part a name of its own with `queue`"
                    .to_owned()
            }
            Self::Older(_) => "publish newer audits; nothing was written".to_owned(),
            Self::Restless => {
                "give the workflow a `concurrency` group, so that one run writes at a time"
                    .to_owned()
            }
            Self::Template(_) => "this is a mistake of the program: please report it".to_owned(),
        }
    }
}

/// What a proposal is to be merged into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    /// Where the proposal parts from it.
    pub(super) parting: Parting<'a>,
    /// The base branch, where the event names it.
    pub(super) branch: Option<&'a str>,
}

/// Where a proposal parts from the base.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parting<'a> {
    /// At this commit.
    At(&'a str),
    /// Where these two branches have their last commit in common.
    Of { base: &'a str, head: &'a str },
}

/// A file at a commit; `None` where there is none.
pub(super) type FileAt = Result<Option<Vec<u8>>, Error>;

/// A queue as it is, and what it knows.
pub(super) struct Queue {
    pub(super) board: Board,
    pub(super) memory: Option<Memory>,
}

/// What became of a queue.
pub(super) struct Written {
    /// The index; `None` in a dry run that would make one.
    pub(super) index: Option<(u64, String)>,
    /// The memory before this run; `None` where there was no queue.
    pub(super) before: Option<Memory>,
    /// The memory as it is now.
    pub(super) memory: Memory,
    /// What was changed, or would be.
    pub(super) plan: Plan,
    pub(super) warnings: Vec<Warning>,
    /// Issues that pass for the queue's and were ignored.
    pub(super) foreign: Vec<Foreign>,
}

impl Tracker {
    /// A client for the API at `api_url`.
    pub(super) fn new(
        api_url: &str,
        graphql_url: Option<&str>,
        token: &SecretString,
    ) -> Result<Self, Error> {
        // One thread, since nearly all of it is waiting.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::without_network(&error))?;
        let github = {
            let _within = runtime.enter();
            GitHub::new(api_url, token.clone(), TIMEOUT)?.with_graphql_url(graphql_url)
        };
        Ok(Self { runtime, github, queue_author: None })
    }

    /// Trusts this account's issues and comments like those of the token's own.
    pub(super) fn trusting(self, queue_author: Option<String>) -> Self {
        Self { queue_author, ..self }
    }

    /// Begins the time anew that calls may take. An audit comes between what is asked before it and
    /// what is published, and takes as long as it takes.
    pub(super) fn begin_anew(&mut self) {
        self.github.begin_anew(TIMEOUT);
    }

    /// What a repository says of itself.
    pub(super) fn about(&self, repository: &Name) -> Result<About, Error> {
        self.runtime.block_on(self.github.repository(repository.clone()).about())
    }

    /// A file where a proposal parts from the base, and at the tip of the base branch. The tip is
    /// the one of now: that of the event may be long gone.
    pub(super) fn files_at_base(
        &self,
        repository: &Name,
        base: Base<'_>,
        path: &str,
    ) -> (FileAt, Option<FileAt>) {
        let repository = self.github.repository(repository.clone());
        self.runtime.block_on(async {
            let parted = async {
                let commit = match base.parting {
                    Parting::At(commit) => commit.to_owned(),
                    Parting::Of { base, head } => repository.merge_base(base, head).await?,
                };
                match repository.file_at(path, &commit).await? {
                    // A token that cannot see the repository's content is told the same. It cannot
                    // see commits either.
                    None if matches!(base.parting, Parting::At(_)) => {
                        repository.merge_base(&commit, &commit).await.map(|_| None)
                    }
                    found => Ok(found),
                }
            };
            let parted = parted.await;
            let tip = match base.branch {
                // A tag of the same name would win over the short name.
                Some(branch) => {
                    Some(repository.file_at(path, &format!("refs/heads/{branch}")).await)
                }
                None => None,
            };
            (parted, tip)
        })
    }

    /// Reads a queue to compare with. A queue that its label does not name is none yet.
    pub(super) fn queue(&self, repository: &Name, queue: &QueueName) -> Result<Queue, Trouble> {
        let board = self.board(repository, queue, Search::ByLabel)?;
        if board.number.is_none() {
            let board = Board { foreign: board.foreign, ..Board::default() };
            return Ok(Queue { board, memory: None });
        }
        opened(board, repository, queue)
    }

    fn board(
        &self,
        repository: &Name,
        queue: &QueueName,
        search: Search,
    ) -> Result<Board, Trouble> {
        let handle = self.github.repository(repository.clone());
        let board = self.runtime.block_on(async {
            let trust = Trust::of(&self.github, self.queue_author.as_deref()).await?;
            read::board(&handle, &trust, queue, search).await
        });
        board.map_err(|unread| Trouble::of_unread(unread, repository, queue))
    }

    /// Brings a queue up to an observation. In a dry run nothing is written.
    pub(super) fn keep_queue(
        &self,
        repository: &Name,
        observation: &Observation,
        wanted: &Wanted,
        dry_run: bool,
    ) -> Result<Written, Trouble> {
        let mut search = Search::ByLabel;
        for _ in 0..PLANS {
            let board = self.board(repository, &wanted.queue, search)?;
            let Queue { mut board, memory } = opened(board, repository, &wanted.queue)?;
            self.look_at_closings(repository, &mut board, memory.as_ref(), wanted.per_user)?;
            let closures = board.closures(memory.as_ref(), wanted.per_user);
            let ledger = ledger::advance(
                memory.as_ref(),
                observation,
                &closures,
                wanted.today,
                wanted.remedy_within_days,
            )?;
            if !ledger.memory.fits() {
                return Err(Trouble::TooLarge);
            }
            let plan = plan(&board, memory.as_ref(), &ledger, wanted)?;
            if search == Search::ByLabel && makes_issues(&plan) {
                search = Search::ByAuthor;
                continue;
            }
            let index = board.index.as_ref().map(|index| (index.number, index.url.clone()));
            let written = |index, warnings| Written {
                index,
                foreign: board.foreign.clone(),
                before: memory.clone(),
                memory: ledger.memory.clone(),
                plan: plan.clone(),
                warnings,
            };
            if dry_run || plan.is_empty() {
                let warnings = Warning::not_assigned(&plan.not_logins).into_iter().collect();
                return Ok(written(index, warnings));
            }
            match self.apply(repository, &board, &plan, wanted)? {
                Applied::Done { index: made, warnings } => {
                    return Ok(written(made.or(index), warnings));
                }
                Applied::Moved => {}
            }
        }
        Err(Trouble::Restless)
    }

    /// Finds out who closed issues whose findings still call for action.
    fn look_at_closings(
        &self,
        repository: &Name,
        board: &mut Board,
        memory: Option<&Memory>,
        per_user: bool,
    ) -> Result<(), Trouble> {
        let handle = self.github.repository(repository.clone());
        let looked = self.runtime.block_on(async {
            let trust = Trust::of(&self.github, self.queue_author.as_deref()).await?;
            read::closings(&handle, &trust, board, memory, per_user).await
        });
        looked.map_err(Trouble::Unread)
    }

    fn apply(
        &self,
        repository: &Name,
        board: &Board,
        plan: &Plan,
        wanted: &Wanted,
    ) -> Result<Applied, Trouble> {
        let handle = self.github.repository(repository.clone());
        let applied = self.runtime.block_on(async {
            let applier = Applier {
                repository: &handle,
                queue_author: self.queue_author.as_deref(),
                queue: &wanted.queue,
                language: wanted.language,
                board,
            };
            applier.apply(plan).await
        });
        applied.map_err(|failed| match failed {
            Failed::GitHub(error) | Failed::Unread(Unread::GitHub(error)) => {
                Trouble::Unwritten(error)
            }
            Failed::Unread(unread) => Trouble::of_unread(unread, repository, &wanted.queue),
            Failed::Template(error) => Trouble::Template(error),
        })
    }

    /// Makes or updates the comment on a pull request; its address, if there is one then.
    pub(super) fn comment(
        &self,
        repository: &Name,
        pull_request: u64,
        body: &str,
        comment_on: CommentOn,
        says_something: bool,
    ) -> Result<Option<String>, Error> {
        let handle = self.github.repository(repository.clone());
        // The marker is the first line.
        let marker = body.lines().next().unwrap_or_default();
        let keeps = says_something || comment_on != CommentOn::Findings;
        self.runtime.block_on(async {
            let trust = Trust::of(&self.github, self.queue_author.as_deref()).await?;
            let mut comments = handle.comments(pull_request).await?;
            let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
            comments.retain(|comment| markers::begins_with(&comment.body, marker));
            let is_ours = |comment: &Comment| trust.covers(comment.author.as_deref());
            let (ours, others): (Vec<_>, Vec<_>) = comments.into_iter().partition(is_ours);
            if let Some((first, twins)) = ours.split_first() {
                for twin in twins.iter().filter(|twin| trust.is_us(twin.author.as_deref())) {
                    handle.delete_comment(twin.id).await?;
                }
                return refreshed(&handle, first, body).await.map(Some);
            }
            // Where GitHub does not say whom the token belongs to, a new comment's author does.
            let may_be_ours = !trust.knows_us() && !others.is_empty();
            if !keeps && !may_be_ours {
                return Ok(None);
            }
            let made = handle.create_comment(pull_request, body, newest).await?;
            let earlier = others.iter().find(|it| may_be_ours && it.author == made.author);
            if earlier.is_some() || !keeps {
                handle.delete_comment(made.id).await?;
            }
            match earlier {
                Some(earlier) => refreshed(&handle, earlier, body).await.map(Some),
                None => Ok(keeps.then_some(made.url)),
            }
        })
    }
}

impl Trouble {
    fn of_unread(unread: Unread, repository: &Name, queue: &QueueName) -> Self {
        match unread {
            Unread::GitHub(error) => Self::Unread(error),
            Unread::Foreign { issues, us } => Self::Foreign { issues, us },
            Unread::Label(damage) => {
                let (label, repository) = (markers::label(queue), repository.clone());
                Self::Label { label, repository, damage }
            }
        }
    }
}

/// A queue with its memory.
fn opened(board: Board, repository: &Name, queue: &QueueName) -> Result<Queue, Trouble> {
    let memory = board.memory().map_err(|damage| {
        let number = board.index.as_ref().map(|index| index.number).or(board.number);
        let issue = format!("{repository}#{}", number.unwrap_or_default());
        Trouble::Damaged { issue, damage, label: markers::label(queue) }
    })?;
    Ok(Queue { board, memory })
}

/// Brings a comment up to date; its address.
async fn refreshed(
    repository: &Repository<'_>,
    comment: &Comment,
    body: &str,
) -> Result<String, Error> {
    if comment.body.trim_end() == body.trim_end() {
        return Ok(comment.url.clone());
    }
    repository.update_comment(comment.id, body).await.map(|it| it.url)
}

/// Issues with their authors, as in `issue #7 by mallory`.
pub(super) fn named(issues: &[Foreign]) -> String {
    let named = |it: &Foreign| {
        let author = it.author.as_deref().unwrap_or("an account that is gone");
        format!("issue #{} by {author}", it.number)
    };
    issues.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn foreign_queue(issues: &[Foreign], us: &[String]) -> String {
    let us = if us.is_empty() {
        "GitHub does not say whom the token belongs to".to_owned()
    } else {
        format!("the token belongs to {}", us.join(", "))
    };
    format!("the queue is not by an account that is trusted: {}; {us}", named(issues))
}

/// Where it is not known who we are, the issues may well be ours: nothing is to be deleted then.
fn hint_of_foreign(issues: &[Foreign], is_known: bool) -> String {
    let author = issues.iter().find_map(|it| it.author.as_deref()).unwrap_or("LOGIN");
    let mut hint = format!(
        "if that account is one of yours, such as the one of an earlier token, set `queue-author: \
         {author}`"
    );
    if is_known {
        hint.push_str(
            "; if not, take the queue's label off these issues, or delete the label to start over",
        );
    }
    hint
}

fn makes_issues(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| matches!(change, Change::CreatePerson { .. }))
}

/// Whether names may be named where everybody can read who can see the repository.
pub(super) const fn is_discreet(visibility: Option<Visibility>) -> bool {
    matches!(visibility, Some(Visibility::Private | Visibility::Internal))
}

/// What is said of an error, without GitHub's words where everybody can read it.
pub(super) fn words(error: &Error, streams: &Streams<'_>) -> String {
    if streams.discreet { error.without_foreign_words() } else { error.to_string() }
}
