//! Pages of Markdown other than the report: what the queue and pull requests show.

use chrono::NaiveDate;
use minijinja::Value;
use serde::Serialize;

use super::Language;
use super::escape::safe_value;
use super::markdown::{TemplateError, render_template};
use crate::audit::FindingId;
use crate::model::identity::RepositoryName;
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;

/// A page, by its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageTemplate {
    /// The index of the queue.
    Queue,
    /// The issue of one user.
    UserIssue,
    /// The comment that tells what has happened.
    QueueChanges,
    /// The comment on a pull request.
    PullRequest,
    /// What stands in a job's summary beside the report.
    Summary,
    /// The comment on an issue that was closed although something stands.
    StillOpen,
    /// The comment on an issue that a bot closed although something stands.
    ClosedByBot,
    /// The comment on an issue that a parallel run made as well.
    DuplicateIssue,
    /// A comment that holds a part of the memory.
    StatePart,
}

impl PageTemplate {
    const fn template(self) -> &'static str {
        match self {
            Self::Queue => "queue.md.j2",
            Self::UserIssue => "queue_person.md.j2",
            Self::QueueChanges => "queue_news.md.j2",
            Self::PullRequest => "pull_request.md.j2",
            Self::Summary => "summary.md.j2",
            Self::StillOpen => "queue_still_open.md.j2",
            Self::ClosedByBot => "queue_closed_by_bot.md.j2",
            Self::DuplicateIssue => "queue_twin.md.j2",
            Self::StatePart => "queue_memory_part.md.j2",
        }
    }
}

/// Renders a page, ending with one line feed. The context's texts are printed as code spans; what is
/// to stand as it is must be [`SafeText`].
///
/// # Errors
/// [`TemplateError`] when template and context do not fit each other.
pub fn render_page(
    page: PageTemplate,
    language: Language,
    context: impl Serialize,
) -> Result<String, TemplateError> {
    render_template(&format!("{}/{}", language.id(), page.template()), context)
}

/// A text that is harmless in Markdown as it is: a date, a number, the name of a rule.
#[derive(Debug, Clone, Serialize)]
pub struct SafeText(Value);

impl SafeText {
    /// A day.
    #[must_use]
    pub fn day(day: NaiveDate) -> Self {
        Self(safe_value(day))
    }

    /// An account.
    #[must_use]
    pub fn account(account: AccountId) -> Self {
        Self(safe_value(account))
    }

    /// A rule.
    #[must_use]
    pub fn rule(rule: Rule) -> Self {
        Self(safe_value(rule))
    }

    /// A finding's id.
    #[must_use]
    pub fn id(id: FindingId) -> Self {
        Self(safe_value(id))
    }

    /// What stands behind a finding's row in an issue, where people do not see it.
    #[must_use]
    pub fn row_marker(id: FindingId) -> Self {
        Self(safe_value(format_args!("<!-- f:{id} -->")))
    }

    /// An issue, as GitHub links it: with its repository where that is another.
    #[must_use]
    pub fn issue(repository: Option<&RepositoryName>, number: u64) -> Self {
        Self(match repository {
            Some(repository) => safe_value(format_args!("{repository}#{number}")),
            None => safe_value(format_args!("#{number}")),
        })
    }

    /// The page of a workflow run.
    #[must_use]
    pub fn run(server_url: &str, repository: &RepositoryName, id: u64) -> Self {
        Self(safe_value(format_args!("{server_url}/{repository}/actions/runs/{id}")))
    }
}
