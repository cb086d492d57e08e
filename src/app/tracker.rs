//! The issue tracker for commands: one client, one runtime, and what a run does there.

use std::time::Duration;

use secrecy::SecretString;

use super::scene::words;
use super::{Exit, Streams};
use crate::github::{About, Error, GitHub};
use crate::identity::{Repository as Name, Visibility};
use crate::publish::apply::{Applied, Applier, Failed};
use crate::publish::board::Board;
use crate::publish::ledger::{self, OlderThanMemory};
use crate::publish::markers;
use crate::publish::memory::{Damage, Memory, QueueName};
use crate::publish::observation::Observation;
use crate::publish::plan::{Change, Plan, Wanted, plan};
use crate::publish::read::{self, Search, is_trusted};
use crate::publish::warning::Warning;
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
}

/// Why the queue is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// GitHub could not be read.
    #[error(transparent)]
    Unread(Error),
    /// The memory does not check.
    #[error("the memory of the queue in {issue} is damaged: {damage}")]
    Damaged {
        /// The index.
        issue: String,
        /// What is wrong.
        damage: Damage,
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
            Self::Unread(_) | Self::Damaged { .. } => Exit::Incomplete,
            Self::Older(_) | Self::Unwritten(_) | Self::Restless | Self::Template(_) => {
                Exit::WriteFailed
            }
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
            Self::Damaged { .. } => {
                "restore the issue's body, or the comments that hold parts of the \
                 memory, from their edit history; or, to start anew, delete the first line of the \
                 issue's body: another issue is made then, and everything is new"
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
}

impl Tracker {
    /// A client for the API at `api_url`.
    pub(super) fn new(api_url: &str, token: &SecretString) -> Result<Self, Error> {
        // One thread, since nearly all of it is waiting.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::without_network(&error))?;
        let github = {
            let _within = runtime.enter();
            GitHub::new(api_url, token.clone(), TIMEOUT)?
        };
        Ok(Self { runtime, github })
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

    /// Reads a queue.
    pub(super) fn queue(
        &self,
        repository: &Name,
        queue: &QueueName,
        search: Search,
    ) -> Result<Queue, Trouble> {
        let handle = self.github.repository(repository.clone());
        let board = self.runtime.block_on(async {
            let login = self.github.login().await?;
            read::board(&handle, &login, queue, search).await
        });
        let board = board.map_err(Trouble::Unread)?;
        let memory = board.memory().map_err(|damage| {
            let number = board.index.as_ref().map(|index| index.number).unwrap_or_default();
            Trouble::Damaged { issue: format!("{repository}#{number}"), damage }
        })?;
        Ok(Queue { board, memory })
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
            let Queue { mut board, memory } = self.queue(repository, &wanted.queue, search)?;
            self.look_at_closings(repository, &mut board, memory.as_ref(), wanted.per_user)?;
            let closures = board.closures(memory.as_ref(), wanted.per_user);
            let ledger = ledger::advance(
                memory.as_ref(),
                observation,
                &closures,
                wanted.today,
                wanted.remedy_within_days,
            )?;
            let plan = plan(&board, memory.as_ref(), &ledger, wanted)?;
            if search == Search::ByLabel && board.index.is_some() && makes_issues(&plan) {
                search = Search::ByAuthor;
                continue;
            }
            let index = board.index.as_ref().map(|index| (index.number, index.url.clone()));
            let written = |index, warnings| Written {
                index,
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
            let login = self.github.login().await?;
            read::closings(&handle, &login, board, memory, per_user).await
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
            let login = self.github.login().await?;
            let applier = Applier {
                repository: &handle,
                login: &login,
                queue: &wanted.queue,
                language: wanted.language,
                board,
            };
            applier.apply(plan).await
        });
        applied.map_err(|failed| match failed {
            Failed::GitHub(error) => Trouble::Unwritten(error),
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
        self.runtime.block_on(async {
            let login = self.github.login().await?;
            let comments = handle.comments(pull_request).await?;
            let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
            let ours = comments.into_iter().find(|comment| {
                is_trusted(comment.author.as_deref(), &login)
                    && markers::begins_with(&comment.body, marker)
            });
            match ours {
                Some(ours) if ours.body.trim_end() == body.trim_end() => Ok(Some(ours.url)),
                Some(ours) => handle.update_comment(ours.id, body).await.map(|it| Some(it.url)),
                None if comment_on == CommentOn::Findings && !says_something => Ok(None),
                None => {
                    handle.create_comment(pull_request, body, newest).await.map(|it| Some(it.url))
                }
            }
        })
    }
}

fn makes_issues(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| matches!(change, Change::CreatePerson { .. }))
}

/// Whether names may be named where everybody can read who can see the repository.
pub(super) const fn is_discreet(visibility: Option<Visibility>) -> bool {
    matches!(visibility, Some(Visibility::Private | Visibility::Internal))
}
