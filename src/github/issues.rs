//! Issues.

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::attempt_error::AttemptError;
use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::pages::page_url;
use super::repository::Repository;
use super::{RawUser, is_stored_as_sent, normalize_line_endings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The number in the repository, which issues share with pull requests.
    pub number: u64,
    /// The URL of its web page.
    pub url: String,
    pub title: String,
    /// The body with LF line endings; empty if there is none.
    pub body: String,
    pub is_open: bool,
    /// Why it was closed or reopened, if it is one of these reasons.
    pub state_reason: Option<StateReason>,
    /// The login of the author; `None` if the account was deleted.
    pub author: Option<String>,
    pub labels: Vec<String>,
    /// When it was closed; `None` while it is open.
    pub closed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub locked: bool,
    /// The logins of the assignees.
    pub assignees: Vec<String>,
    /// Who closed it. Lists can leave this out, and it is `None` if the account was deleted.
    pub closed_by: Option<GitHubUser>,
}

impl Issue {
    /// Whether it was closed as not planned.
    #[must_use]
    pub fn is_not_planned(&self) -> bool {
        !self.is_open && self.state_reason == Some(StateReason::NotPlanned)
    }
}

/// A GitHub user or app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubUser {
    pub login: String,
    /// Whether it is an app or a workflow token, not a person.
    pub is_bot: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueFilter {
    /// Only issues with this label.
    pub label: Option<String>,
    /// Only issues created by this login.
    pub creator: Option<String>,
}

/// An issue to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewIssue {
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Label names.
    pub labels: Vec<String>,
    /// The logins of the assignees.
    pub assignees: Vec<String>,
}

/// Changes to an issue; `None` leaves a value unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IssueChange {
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<IssueState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<StateReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    Open,
    Closed,
}

/// Why an issue was closed or reopened. GitHub has further reasons, which do not matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateReason {
    Completed,
    NotPlanned,
    Reopened,
}

#[derive(Deserialize)]
struct RawIssue {
    number: u64,
    #[serde(default)]
    html_url: String,
    title: Option<String>,
    body: Option<String>,
    #[serde(deserialize_with = "if_known")]
    state: Option<IssueState>,
    #[serde(default, deserialize_with = "if_known")]
    state_reason: Option<StateReason>,
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
    /// Present only for pull requests.
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLabel {
    Name(String),
    Label { name: Option<String> },
}

impl Repository<'_> {
    /// All issues that match the filter, open and closed, oldest first, without pull requests.
    ///
    /// # Errors
    /// [`Error`] when one of the pages cannot be fetched.
    pub async fn issues(&self, filter: &IssueFilter) -> Result<Vec<Issue>, Error> {
        let mut url = self.url(&["issues"]);
        {
            let mut query = url.query_pairs_mut();
            // In order of creation, so that an issue created in the meantime does not move others
            // to another page.
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
    /// [`Error`] when it cannot be fetched.
    pub async fn issue(&self, number: u64) -> Result<Issue, Error> {
        let what = format!("getting issue #{number} of {}", self.name);
        let request = ApiRequest::get(what, self.url(&["issues", &number.to_string()]));
        self.github.call(&request, read_issue).await
    }

    /// One issue; `None` if it does not exist (anymore): it was deleted or transferred, or the
    /// number is a pull request.
    ///
    /// [`Error`] when the request fails.
    pub async fn find_issue(&self, number: u64) -> Result<Option<Issue>, Error> {
        let what = format!("looking for issue #{number} of {}", self.name);
        let request = ApiRequest::get(what, self.url(&["issues", &number.to_string()]));
        let request = request.expecting(ErrorKind::NotFound);
        match self.github.call(&request, ApiResponse::json::<RawIssue>).await {
            // For a transferred issue, GitHub returns the issue in the other repository, with its
            // number there.
            Ok(raw) => Ok(only_issues(vec![raw]).pop().filter(|issue| issue.number == number)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates an issue. `after` is the highest number known before. If the response is lost, the
    /// issue is looked up among those with a higher number.
    ///
    /// [`Error`] when it was not created, or not with this body ([`ErrorKind::NotApplied`]).
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
        let request = ApiRequest::patch(what, url, json!(change));
        let issue = self.github.call(&request, read_issue).await?;
        verify_applied(&request.what, &issue, change.body.as_deref(), change.state)?;
        Ok(issue)
    }

    /// Unlocks the conversation of an issue. Does nothing if it is not locked.
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
    /// [`Error`] when the request fails.
    pub async fn is_assignable(&self, login: &str) -> Result<bool, Error> {
        let what = format!("checking whether issues in {} can be assigned to `{login}`", self.name);
        let request = ApiRequest::get(what, self.url(&["assignees", login]));
        let request = request.expecting(ErrorKind::NotFound);
        match self.github.call(&request, ApiResponse::expect_empty).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The issue that a create may have made: a newer one by the same author with the same text.
    /// The newest hundred issues are checked, because it was created a moment ago.
    async fn find_created_issue(&self, new: &NewIssue, after: u64) -> Result<Option<Issue>, Error> {
        let mut url = self.url(&["issues"]);
        let newest = [("state", "all"), ("sort", "created"), ("direction", "desc")];
        url.query_pairs_mut().extend_pairs(newest);
        let what = format!("looking for the new issue in {}", self.name);
        let request = ApiRequest::get(what, page_url(&url, 1));
        let mut issues = only_issues(self.github.call(&request, ApiResponse::json).await?);
        // Of duplicates, the one with the lowest number is kept.
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

/// An unknown value must not hide the other values.
fn if_known<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| T::deserialize(value).ok())
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
            is_open: raw.state == Some(IssueState::Open),
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

/// Compares the stored issue with what was sent.
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
    let message = format!(
        "GitHub accepted the change, but issue #{} has a different {differs}",
        issue.number
    );
    Err(Error::new(what, ErrorKind::NotApplied, message))
}
