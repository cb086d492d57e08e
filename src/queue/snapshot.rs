//! What GitHub shows of a queue: its issues, the comments that hold its memory, and twins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::markers::{self, StateBlock};
use super::state::{InvalidQueueState, QueueName, QueueState};
use super::update::{ManualClosures, UserKey, user_key_of};

/// An issue or a comment by one of those who are trusted with a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingIssue {
    /// The issue's number.
    pub number: u64,
    /// The issue's page.
    pub url: String,
    /// The body, its line ends `\n`.
    pub body: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Why it is closed, in GitHub's words.
    pub state_reason: Option<String>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Set when a bot closed it. Lists do not say who closed an issue, so this is known only after
    /// [`read::find_closers`](super::read::find_closers).
    pub closed_by_bot: Option<BotClosure>,
}

/// A bot closed an issue: no decision of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotClosure {
    /// The bot's login.
    pub login: String,
    /// Whether a comment on the issue explains already what to do about the bot.
    pub is_explained: bool,
}

impl ExistingIssue {
    /// When a person closed it as not planned.
    pub(super) fn closed_as_not_planned_at(&self) -> Option<DateTime<Utc>> {
        let not_planned = self.state_reason.as_deref() == Some("not_planned");
        let by_person = self.closed_by_bot.is_none();
        self.closed_at.filter(|_| !self.is_open && not_planned && by_person)
    }

    /// The bot that closed it, if no comment explains yet what to do about that.
    #[must_use]
    pub fn unexplained_bot(&self) -> Option<&str> {
        let closing = self.closed_by_bot.as_ref().filter(|closing| !closing.is_explained);
        closing.map(|closing| closing.login.as_str())
    }
}

/// An issue that a parallel run has made as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateIssue {
    /// The one to close.
    pub number: u64,
    /// The one that stays.
    pub original: u64,
}

/// An issue with the label and a marker of the queue, by an account that is not trusted with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrustedIssue {
    /// Its number.
    pub number: u64,
    /// The author's login; `None` where the account is gone.
    pub author: Option<String>,
}

/// A queue as GitHub shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSnapshot {
    /// The number of the queue issue, by the description of the queue's label.
    pub number: Option<u64>,
    /// The index.
    pub queue_issue: Option<ExistingIssue>,
    /// Whether the index that the label names does not begin as one does.
    pub lacks_marker: bool,
    /// Issues that pass for this queue's and are ignored.
    pub untrusted: Vec<UntrustedIssue>,
    /// Issues of single users, by the key of their markers.
    pub user_issues: BTreeMap<String, ExistingIssue>,
    /// Open issues that stand for what a lower number stands for.
    pub duplicates: Vec<DuplicateIssue>,
    /// The comments on the index by those who are trusted, by their ids.
    pub comments: BTreeMap<u64, String>,
    /// The highest number among the issues that were listed.
    pub highest_issue: u64,
}

impl QueueSnapshot {
    /// Sorts issues by their markers. Of several that bear the same, the lowest number counts; but
    /// where the label names the queue issue by its `number`, no other is.
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
                    // The queue issue is gone, and this is none.
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

    /// The queue's memory; `None` where there is no queue yet, or an index that a run could not
    /// fill, since it ended before. It is the writer's view: whoever only reads goes by the label,
    /// and takes a queue that the label does not name for none.
    ///
    /// # Errors
    /// [`InvalidQueueState`] when there is a queue, and its memory does not check.
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
            // A queue that has never known anything cannot tell what is new. The label names a
            // queue only once it knows something.
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

    /// Closed issues with findings that still call for action: who closed them decides what that
    /// means. `per_user` tells whether the users' issues are kept up.
    pub fn closed_needing_action(
        &mut self,
        queue_state: Option<&QueueState>,
        per_user: bool,
    ) -> impl Iterator<Item = &mut ExistingIssue> {
        let open = queue_state.into_iter().flat_map(QueueState::open);
        let calls = open.filter(|(_, entry)| entry.needs_action());
        let keys: BTreeSet<_> =
            calls.map(|(_, entry)| markers::user_hash(&user_key_of(&entry.finding))).collect();
        let queue_issue = self.queue_issue.as_mut().filter(|_| !keys.is_empty());
        let users =
            self.user_issues.iter_mut().filter(move |(key, _)| per_user && keys.contains(*key));
        let issues = queue_issue.into_iter().chain(users.map(|(_, issue)| issue));
        issues.filter(|issue| !issue.is_open)
    }

    /// What people have set aside, of those whom the memory knows. `per_user` tells whether the
    /// users' issues are kept up.
    #[must_use]
    pub fn closures(&self, queue_state: Option<&QueueState>, per_user: bool) -> ManualClosures {
        let queue_issue = self.queue_issue.as_ref();
        let mut closures = ManualClosures {
            queue_issue: queue_issue.and_then(ExistingIssue::closed_as_not_planned_at),
            queue_issue_reopened: queue_issue.is_some_and(|it| it.is_open)
                && queue_state.is_some_and(QueueState::is_acknowledged),
            ..ManualClosures::default()
        };
        // For each user, whether something stands that calls for action.
        let mut users: BTreeMap<UserKey, bool> = BTreeMap::new();
        let open =
            queue_state.iter().filter(|_| per_user).flat_map(|queue_state| queue_state.open());
        for (_, entry) in open {
            *users.entry(user_key_of(&entry.finding)).or_default() |= entry.needs_action();
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
