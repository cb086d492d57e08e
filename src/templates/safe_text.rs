//! Text that templates print without escaping.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use minijinja::Value;
use serde::Serialize;

use super::escape::url_component;
use crate::model::identity::{Partition, RepositoryName};
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;
use crate::model::policy::remediation::Stage;

/// A type whose text has no markup in any format: letters, digits and dashes only.
pub trait SafeDisplay: fmt::Display {}

impl SafeDisplay for NaiveDate {}
impl SafeDisplay for AccountId {}
impl SafeDisplay for Partition {}
impl SafeDisplay for Rule {}
impl SafeDisplay for Stage {}

/// A text that templates print as it is. Other text is escaped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SafeText(Value);

impl SafeText {
    #[must_use]
    pub fn new(value: impl SafeDisplay) -> Self {
        Self::of(value)
    }

    fn of(value: impl fmt::Display) -> Self {
        Self(Value::from_safe_string(value.to_string()))
    }

    /// A date in UTC.
    #[must_use]
    pub fn day(moment: DateTime<Utc>) -> Self {
        Self::of(moment.date_naive())
    }

    /// A date and time in UTC, to the minute.
    #[must_use]
    pub fn minute(moment: DateTime<Utc>) -> Self {
        Self::of(moment.format("%Y-%m-%d %H:%M UTC"))
    }

    /// The invisible marker behind a finding's row in an issue.
    #[must_use]
    pub fn row_marker(finding: &impl SafeDisplay) -> Self {
        Self::of(format_args!("<!-- f:{finding} -->"))
    }

    /// The invisible marker behind a user's row in the queue issue. `key` has letters and digits only.
    #[must_use]
    pub fn user_marker(key: &str) -> Self {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        Self::of(format_args!("<!-- u:{key} -->"))
    }

    /// A reference that GitHub turns into a link to an issue. An issue of another repository needs the
    /// repository's name.
    #[must_use]
    pub fn issue(repository: Option<&RepositoryName>, number: u64) -> Self {
        match repository {
            Some(repository) => Self::of(format_args!("{repository}#{number}")),
            None => Self::of(format_args!("#{number}")),
        }
    }

    /// The URL of a workflow run.
    #[must_use]
    pub fn run(server_url: &str, repository: &RepositoryName, id: u64) -> Self {
        Self::of(format_args!("{server_url}/{repository}/actions/runs/{id}"))
    }

    /// The URL of the page with all runs of a workflow. `file` is the name of the workflow's file.
    #[must_use]
    pub fn runs(server_url: &str, repository: &RepositoryName, file: &str) -> Self {
        let file = url_component(file);
        Self::of(format_args!("{server_url}/{repository}/actions/workflows/{file}"))
    }

    /// The URL of a user's credentials in the AWS console.
    #[must_use]
    pub fn console_url(partition: Partition, user: &str) -> Self {
        Self::of(format_args!(
            "https://{}/iam/home#/users/details/{}?section=security_credentials",
            partition.console_host(),
            url_component(user)
        ))
    }
}
