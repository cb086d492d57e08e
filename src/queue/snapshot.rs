//! The queue on GitHub: its issues, the comments with the queue state, and duplicates.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::markers::{self, StateBlock};
use super::state::{InvalidQueueState, QueueName, QueueState};
use super::update::{ManualClosures, UserKey, user_key_of};

/// An issue by a trusted author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingIssue {
    pub number: u64,
    /// The address of the issue.
    pub url: String,
    /// The body, with `\n` as line ends.
    pub body: String,
    pub is_open: bool,
    /// Whether it was closed as not planned.
    pub is_not_planned: bool,
    pub closed_at: Option<DateTime<Utc>>,
    pub labels: Vec<String>,
    /// The bot that closed it. Lists do not say who closed an issue, so this is known only after
    /// [`read::find_closers`](super::read::find_closers).
    pub closed_by_bot: Option<BotClosure>,
}

/// A bot closed an issue, which is no decision of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotClosure {
    pub login: String,
    /// Whether a comment already explains what to do about the bot.
    pub is_explained: bool,
}

impl ExistingIssue {
    /// When a person closed it as not planned.
    pub(super) fn closed_as_not_planned_at(&self) -> Option<DateTime<Utc>> {
        let by_person = self.closed_by_bot.is_none();
        self.closed_at.filter(|_| !self.is_open && self.is_not_planned && by_person)
    }

    /// The bot that closed it, if no comment explains what to do about it yet.
    #[must_use]
    pub fn unexplained_bot(&self) -> Option<&str> {
        let closing = self.closed_by_bot.as_ref().filter(|closing| !closing.is_explained);
        closing.map(|closing| closing.login.as_str())
    }
}

/// A duplicate from a parallel run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateIssue {
    /// The issue to close.
    pub number: u64,
    /// The issue to keep.
    pub original: u64,
}

/// An issue with the label and a marker of the queue, by an author who is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrustedIssue {
    pub number: u64,
    /// The author's login; `None` if the account was deleted.
    pub author: Option<String>,
}

/// A queue on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSnapshot {
    /// The number of the queue issue in the description of the queue's label.
    pub number: Option<u64>,
    /// The queue issue.
    pub queue_issue: Option<ExistingIssue>,
    /// Whether the issue in the label's description does not begin like a queue issue.
    pub lacks_marker: bool,
    /// Issues with the queue's marker that are ignored.
    pub untrusted: Vec<UntrustedIssue>,
    /// Per-user issues, by the key in their markers.
    pub user_issues: BTreeMap<String, ExistingIssue>,
    /// Open issues with the same marker as one with a lower number.
    pub duplicates: Vec<DuplicateIssue>,
    /// The comments of trusted authors on the queue issue, by id.
    pub comments: BTreeMap<u64, String>,
    /// The highest number of the listed issues.
    pub highest_issue: u64,
}

impl QueueSnapshot {
    /// Sorts issues by their markers. The lowest number counts if several have the same marker. If
    /// the label's description names the queue issue by `number`, no other issue is the queue
    /// issue.
    #[must_use]
    pub fn of(mut issues: Vec<ExistingIssue>, queue: &QueueName, number: Option<u64>) -> Self {
        issues.sort_by_key(|issue| issue.number);
        let mut snapshot = Self { number, ..Self::default() };
        let marker = markers::queue_marker(queue);
        if let Some(position) = issues.iter().position(|issue| Some(issue.number) == number) {
            let queue_issue = issues.remove(position);
            snapshot.highest_issue = queue_issue.number;
            snapshot.lacks_marker = !markers::begins_with(&queue_issue.body, &marker);
            snapshot.queue_issue = Some(queue_issue);
        }
        for issue in issues {
            snapshot.highest_issue = snapshot.highest_issue.max(issue.number);
            let user_key = markers::parse_user_hash(&issue.body, queue).map(str::to_owned);
            let first = if markers::begins_with(&issue.body, &marker) {
                if number.is_some() && snapshot.queue_issue.is_none() {
                    // The queue issue was deleted, and this is another issue.
                    continue;
                }
                snapshot.queue_issue.as_ref()
            } else if let Some(key) = &user_key {
                snapshot.user_issues.get(key)
            } else {
                continue;
            };
            match (first, user_key) {
                (Some(first), _) if issue.is_open => {
                    snapshot
                        .duplicates
                        .push(DuplicateIssue { number: issue.number, original: first.number });
                }
                (Some(_), _) => {}
                (None, Some(key)) => {
                    snapshot.user_issues.insert(key, issue);
                }
                (None, None) => snapshot.queue_issue = Some(issue),
            }
        }
        snapshot
    }

    /// The queue state; `None` if there is no queue yet, or if the run that created the queue issue
    /// ended before it wrote the state. This is for runs that write; runs that only read use the
    /// number in the label's description, and see no queue without it.
    ///
    /// # Errors
    /// [`InvalidQueueState`] when there is a queue, and its state is damaged.
    pub fn queue_state(&self) -> Result<Option<QueueState>, InvalidQueueState> {
        let Some(queue_issue) = &self.queue_issue else {
            return if self.number.is_some() {
                Err(InvalidQueueState::IssueNotFound)
            } else {
                Ok(None)
            };
        };
        if self.lacks_marker {
            return Err(InvalidQueueState::MissingMarker);
        }
        let block = StateBlock::of(&queue_issue.body)?;
        let packed = block.packed(|id| self.comments.get(&id).map(String::as_str))?;
        let queue_state = QueueState::unpack(&packed)?;
        if queue_state.generation == 0 {
            // An empty state cannot tell what is new. The label's description names a queue only
            // once the state is written.
            return if self.number.is_some() { Err(InvalidQueueState::Empty) } else { Ok(None) };
        }
        if queue_state.issue != Some(queue_issue.number) {
            return Err(InvalidQueueState::OtherIssue {
                issue: queue_state.issue,
                run: queue_state.run,
            });
        }
        Ok(Some(queue_state))
    }

    /// Closed issues with findings that need action, which mean something different depending on
    /// who closed them. `per_user` says whether per-user issues are used.
    pub fn closed_needing_action(
        &mut self,
        queue_state: Option<&QueueState>,
        per_user: bool,
    ) -> impl Iterator<Item = &mut ExistingIssue> {
        let open = queue_state.into_iter().flat_map(QueueState::open);
        let unresolved = open.filter(|(_, _, entry)| entry.needs_action());
        let keys: BTreeSet<_> = unresolved
            .map(|(account, _, entry)| markers::user_hash(&user_key_of(account, &entry.finding)))
            .collect();
        let queue_issue = self.queue_issue.as_mut().filter(|_| !keys.is_empty());
        let users =
            self.user_issues.iter_mut().filter(move |(key, _)| per_user && keys.contains(*key));
        let issues = queue_issue.into_iter().chain(users.map(|(_, issue)| issue));
        issues.filter(|issue| !issue.is_open)
    }

    /// The findings in the state that people acknowledged. `per_user` says whether per-user issues
    /// are used.
    #[must_use]
    pub fn closures(&self, queue_state: Option<&QueueState>, per_user: bool) -> ManualClosures {
        let queue_issue = self.queue_issue.as_ref();
        let mut closures = ManualClosures {
            queue_issue: queue_issue.and_then(ExistingIssue::closed_as_not_planned_at),
            queue_issue_reopened: queue_issue.is_some_and(|it| it.is_open)
                && queue_state.is_some_and(QueueState::is_acknowledged),
            ..ManualClosures::default()
        };
        // For each user, whether a finding needs action.
        let mut users: BTreeMap<UserKey, bool> = BTreeMap::new();
        let open =
            queue_state.iter().filter(|_| per_user).flat_map(|queue_state| queue_state.open());
        for (account, _, entry) in open {
            *users.entry(user_key_of(account, &entry.finding)).or_default() |= entry.needs_action();
        }
        for (user_key, needs_action) in users {
            let Some(issue) = self.user_issues.get(&markers::user_hash(&user_key)) else {
                continue;
            };
            if let Some(at) = issue.closed_as_not_planned_at() {
                closures.users.insert(user_key, at);
            } else if issue.is_open && !needs_action {
                closures.users_reopened.insert(user_key);
            }
        }
        closures
    }
}
