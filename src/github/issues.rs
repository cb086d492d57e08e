//! Issues.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::attempt_error::AttemptError;
use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::pages::page_url;
use super::repository::Repository;
use super::{RawUser, is_stored_as_sent, normalize_line_endings};

/// An issue, as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number in the repository; pull requests are counted along.
    pub number: u64,
    /// Its page for people.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its body, with LF; empty where it has none.
    pub body: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Why it was closed or reopened, in GitHub's words: `completed`, `not_planned`, `duplicate`,
    /// `reopened`, or what comes to be.
    pub state_reason: Option<String>,
    /// The author's login; `None` where the account is gone.
    pub author: Option<String>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// When it was closed, while it is.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// Whether the conversation is locked.
    pub locked: bool,
    /// The logins of those it is assigned to.
    pub assignees: Vec<String>,
    /// Who closed it, while it is closed. Lists may leave this out, and it is `None` where the
    /// account is gone.
    pub closed_by: Option<GitHubUser>,
}

/// A user or an app of GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubUser {
    /// Its login.
    pub login: String,
    /// Whether it is an app or a workflow's token, and not a person.
    pub is_bot: bool,
}

/// Which issues are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueFilter {
    /// Only those with this label.
    pub label: Option<String>,
    /// Only those by this login.
    pub creator: Option<String>,
}

/// An issue to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewIssue {
    /// The title.
    pub title: String,
    /// The body, in Markdown.
    pub body: String,
    /// The names of the labels.
    pub labels: Vec<String>,
    /// The logins of those it is assigned to.
    pub assignees: Vec<String>,
}

/// What to change of an issue; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueChange {
    /// The new title.
    pub title: Option<String>,
    /// The new body, in Markdown.
    pub body: Option<String>,
    /// Whether it is open, and why.
    pub state: Option<(IssueState, Option<StateReason>)>,
    /// All labels.
    pub labels: Option<Vec<String>>,
    /// All logins that it is assigned to.
    pub assignees: Option<Vec<String>>,
}

/// Whether an issue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssueState {
    /// Something is to be done.
    Open,
    /// Nothing is.
    Closed,
}

/// Why an issue is closed or open again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateReason {
    /// It is done.
    Completed,
    /// It will not be done.
    NotPlanned,
    /// Another one stands for it.
    Duplicate,
    /// It was closed too early.
    Reopened,
}

#[derive(Deserialize)]
struct RawIssue {
    number: u64,
    #[serde(default)]
    html_url: String,
    title: Option<String>,
    body: Option<String>,
    state: String,
    state_reason: Option<String>,
    user: Option<RawUser>,
    #[serde(default)]
    labels: Vec<RawLabel>,
    closed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    assignees: Option<Vec<RawUser>>,
    closed_by: Option<RawUser>,
    /// What tells a pull request from an issue.
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLabel {
    Name(String),
    Label { name: Option<String> },
}

impl Repository<'_> {
    /// All issues that pass the filter, open and closed, the oldest first; no pull requests.
    ///
    /// # Errors
    /// [`Error`] when one of the pages cannot be had.
    pub async fn issues(&self, filter: &IssueFilter) -> Result<Vec<Issue>, Error> {
        let mut url = self.url(&["issues"]);
        {
            let mut query = url.query_pairs_mut();
            // In the order of creation, an issue made meanwhile moves no other to another page.
            let fixed = [("state", "all"), ("sort", "created"), ("direction", "asc")];
            query.extend_pairs(fixed);
            query.extend_pairs(filter.label.iter().map(|label| ("labels", label)));
            query.extend_pairs(filter.creator.iter().map(|creator| ("creator", creator)));
        }
        let what = format!("listing the issues of {}", self.name);
        let mut issues = only_issues(self.github.list(&what, &url).await?);
        issues.sort_by_key(|issue| issue.number);
        issues.dedup_by_key(|issue| issue.number);
        Ok(issues)
    }

    /// One issue.
    ///
    /// # Errors
    /// [`Error`] when it cannot be had.
    pub async fn issue(&self, number: u64) -> Result<Issue, Error> {
        let what = format!("looking at issue #{number} of {}", self.name);
        let request = ApiRequest::get(what, self.url(&["issues", &number.to_string()]));
        self.github.call(&request, read_issue).await
    }

    /// One issue; `None` where there is no issue of this number (any more): it was deleted or moved
    /// to another repository, or it is a pull request.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked.
    pub async fn find_issue(&self, number: u64) -> Result<Option<Issue>, Error> {
        let what = format!("looking for issue #{number} of {}", self.name);
        let request = ApiRequest::get(what, self.url(&["issues", &number.to_string()]));
        let request = request.expecting(ErrorKind::NotFound);
        match self.github.call(&request, ApiResponse::json::<RawIssue>).await {
            // A moved issue is answered from where it is now, under its number there.
            Ok(raw) => Ok(only_issues(vec![raw]).pop().filter(|issue| issue.number == number)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an issue. `after` is the highest number known before: where it is left open whether
    /// the issue was made, it is looked for among those that came later.
    ///
    /// # Errors
    /// [`Error`] when it was not made, or not with this body ([`ErrorKind::NotApplied`]).
    pub async fn create_issue(&self, new: &NewIssue, after: u64) -> Result<Issue, Error> {
        let NewIssue { title, body, labels, assignees } = new;
        let sent = json!({
            "title": title, "body": body, "labels": labels, "assignees": assignees,
        });
        let what = format!("creating an issue in {}", self.name);
        let request = ApiRequest::post(what, self.url(&["issues"]), sent);
        let find = async || self.find_created_issue(new, after).await;
        let issue = self.github.create(&request, read_issue, find).await?;
        self.github.remember_author(issue.author.as_deref());
        verify_applied(&request.what, &issue, Some(body), None)?;
        Ok(issue)
    }

    /// Changes an issue.
    ///
    /// # Errors
    /// [`Error`] when it was not changed, or not to this body and state ([`ErrorKind::NotApplied`]).
    pub async fn update_issue(&self, number: u64, change: &IssueChange) -> Result<Issue, Error> {
        let what = format!("updating issue #{number} of {}", self.name);
        let url = self.url(&["issues", &number.to_string()]);
        let request = ApiRequest::patch(what, url, change.to_json());
        let issue = self.github.call(&request, read_issue).await?;
        let state = change.state.map(|(state, _)| state);
        verify_applied(&request.what, &issue, change.body.as_deref(), state)?;
        Ok(issue)
    }

    /// Unlocks the conversation of an issue. One that is not locked stays as it is.
    ///
    /// # Errors
    /// [`Error`] when it was not unlocked.
    pub async fn unlock(&self, number: u64) -> Result<(), Error> {
        let what = format!("unlocking issue #{number} of {}", self.name);
        let url = self.url(&["issues", &number.to_string(), "lock"]);
        self.github.call(&ApiRequest::delete(what, url), ApiResponse::expect_empty).await
    }

    /// Whether issues can be assigned to a login.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked.
    pub async fn is_assignable(&self, login: &str) -> Result<bool, Error> {
        let what = format!("asking {} whether issues can be assigned to `{login}`", self.name);
        let request = ApiRequest::get(what, self.url(&["assignees", login]));
        let request = request.expecting(ErrorKind::NotFound);
        match self.github.call(&request, ApiResponse::expect_empty).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The issue that a create may have made: newer, by us, and with the same text. The newest
    /// hundred are looked at, as it was made a moment ago.
    async fn find_created_issue(&self, new: &NewIssue, after: u64) -> Result<Option<Issue>, Error> {
        let mut url = self.url(&["issues"]);
        let newest = [("state", "all"), ("sort", "created"), ("direction", "desc")];
        url.query_pairs_mut().extend_pairs(newest);
        let what = format!("looking for the new issue in {}", self.name);
        let request = ApiRequest::get(what, page_url(&url, 1));
        let mut issues = only_issues(self.github.call(&request, ApiResponse::json).await?);
        // Of twins the lowest is the one that stays.
        issues.sort_by_key(|issue| issue.number);
        for issue in issues {
            if issue.number > after
                && is_stored_as_sent(&new.title, &issue.title)
                && is_stored_as_sent(&new.body, &issue.body)
                && self.github.is_by_us(issue.author.as_deref()).await?
            {
                return Ok(Some(issue));
            }
        }
        Ok(None)
    }
}

impl IssueChange {
    fn to_json(&self) -> Value {
        let (state, reason) = match self.state {
            Some((state, reason)) => (Some(state), reason),
            None => (None, None),
        };
        let fields = [
            ("title", self.title.as_ref().map(|it| json!(it))),
            ("body", self.body.as_ref().map(|it| json!(it))),
            ("state", state.map(|it| json!(it.id()))),
            ("state_reason", reason.map(|it| json!(it.id()))),
            ("labels", self.labels.as_ref().map(|it| json!(it))),
            ("assignees", self.assignees.as_ref().map(|it| json!(it))),
        ];
        let sent = fields.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?)));
        Value::Object(sent.collect::<Map<_, _>>())
    }
}

impl IssueState {
    /// As GitHub writes it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl StateReason {
    /// As GitHub writes it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NotPlanned => "not_planned",
            Self::Duplicate => "duplicate",
            Self::Reopened => "reopened",
        }
    }
}

impl From<RawIssue> for Issue {
    fn from(raw: RawIssue) -> Self {
        let name = |label| match label {
            RawLabel::Name(name) => Some(name),
            RawLabel::Label { name } => name,
        };
        Self {
            number: raw.number,
            url: raw.html_url,
            title: raw.title.unwrap_or_default(),
            body: normalize_line_endings(&raw.body.unwrap_or_default()),
            is_open: raw.state == IssueState::Open.id(),
            state_reason: raw.state_reason,
            author: raw.user.map(|user| user.login),
            labels: raw.labels.into_iter().filter_map(name).collect(),
            closed_at: raw.closed_at,
            created_at: raw.created_at,
            locked: raw.locked,
            assignees: raw.assignees.into_iter().flatten().map(|user| user.login).collect(),
            closed_by: raw.closed_by.map(GitHubUser::from),
        }
    }
}

impl From<RawUser> for GitHubUser {
    fn from(raw: RawUser) -> Self {
        let is_bot = raw.kind.as_deref() == Some("Bot") || raw.login.ends_with("[bot]");
        Self { login: raw.login, is_bot }
    }
}

fn read_issue(answer: ApiResponse) -> Result<Issue, AttemptError> {
    answer.json::<RawIssue>().map(Issue::from)
}

fn only_issues(raw: Vec<RawIssue>) -> Vec<Issue> {
    raw.into_iter().filter(|raw| raw.pull_request.is_none()).map(Issue::from).collect()
}

/// Holds what GitHub shows now against what it was sent.
fn verify_applied(
    what: &str,
    issue: &Issue,
    body: Option<&str>,
    state: Option<IssueState>,
) -> Result<(), Error> {
    let differs = if body.is_some_and(|body| !is_stored_as_sent(body, &issue.body)) {
        "body"
    } else if state.is_some_and(|state| issue.is_open != (state == IssueState::Open)) {
        "state"
    } else {
        return Ok(());
    };
    let message = format!("GitHub said yes, and issue #{} has another {differs}", issue.number);
    Err(Error::new(what, ErrorKind::NotApplied, message))
}
