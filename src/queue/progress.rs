//! What an audit JSON says of the remedy: how far it has come with a credential, and what goes with a
//! user.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::clock::Reached;
use crate::model::policy::remediation::Stage;
use crate::report::json::v1;

/// The most names of a kind that are kept: IAM lets a user have about as many.
pub(super) const MOST_NAMES: usize = 20;
/// The longest of them that is kept, in characters: IAM's are no longer.
const LONGEST_NAME: usize = 128;

/// How far the remedy has come with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What was reached.
    pub reached: Reached,
    /// On which day.
    pub since: NaiveDate,
    /// What is done next, and the first day of it; `None` where nobody can say.
    pub next: Option<(Stage, NaiveDate)>,
}

/// What a user has besides credentials, where it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belongings {
    /// Whether there is an MFA device, where that was shown.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// Groups.
    #[serde(rename = "g", default, skip_serializing_if = "Names::is_empty")]
    pub groups: Names,
    /// Managed policies, attached to the user.
    #[serde(rename = "p", default, skip_serializing_if = "Names::is_empty")]
    pub attached_policies: Names,
    /// Policies written into the user.
    #[serde(rename = "i", default, skip_serializing_if = "Names::is_empty")]
    pub inline_policies: Names,
}

/// Some names, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The first of them, in their order.
    #[serde(rename = "n")]
    pub names: Vec<String>,
    /// How many more.
    #[serde(rename = "x", default, skip_serializing_if = "is_none_left")]
    pub more: usize,
}

const fn is_none_left(more: &usize) -> bool {
    *more == 0
}

impl Names {
    /// Of any length and in any order. Anybody can write an audit, and an issue holds only so much.
    fn of(names: &[String]) -> Self {
        let cut = |name: &String| name.chars().take(LONGEST_NAME).collect();
        let mut names: Vec<String> = names.iter().map(cut).collect();
        names.sort();
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        Self { names, more }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.more == 0
    }
}

impl From<&v1::Belongings> for Belongings {
    fn from(written: &v1::Belongings) -> Self {
        Self {
            mfa: written.mfa,
            groups: Names::of(&written.groups),
            attached_policies: Names::of(&written.attached_policies),
            inline_policies: Names::of(&written.inline_policies),
        }
    }
}

/// What is reached, by its name.
pub(super) fn reached(text: &str) -> Option<Reached> {
    Reached::ALL.into_iter().find(|it| it.id() == text)
}
