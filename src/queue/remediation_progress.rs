//! What an audit JSON says of the remedy: how far it has come with a credential, and what goes with a
//! user.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::RemediationStatus;
use crate::report::json::v1;

/// The most names of a kind that are kept: IAM lets a user have about as many.
pub(super) const MAX_NAMES: usize = 20;
/// The longest of them that is kept, in characters: IAM's are no longer.
const MAX_NAME_CHARS: usize = 128;

/// How far the remediation of a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemediationProgress {
    /// What was reached.
    #[serde(rename = "r")]
    pub reached: RemediationStatus,
    /// On which day.
    #[serde(rename = "s")]
    pub since: NaiveDate,
    /// What is done next, and the first day of it; `None` where nobody can say.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(Stage, NaiveDate)>,
}

/// What a user has besides credentials, where it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserResources {
    /// Whether there is an MFA device, where that was shown.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// Groups.
    #[serde(rename = "g", default, skip_serializing_if = "NameList::is_empty")]
    pub groups: NameList,
    /// Managed policies, attached to the user.
    #[serde(rename = "p", default, skip_serializing_if = "NameList::is_empty")]
    pub attached_policies: NameList,
    /// Policies written into the user.
    #[serde(rename = "i", default, skip_serializing_if = "NameList::is_empty")]
    pub inline_policies: NameList,
}

/// Some names, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameList {
    /// The first of them, in their order.
    #[serde(rename = "n")]
    pub names: Vec<String>,
    /// How many more.
    #[serde(rename = "x", default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

const fn is_zero(more: &usize) -> bool {
    *more == 0
}

impl NameList {
    /// Of any length and in any order. Anybody can write an audit, and an issue holds only so much.
    fn of(names: &[String]) -> Self {
        let cut = |name: &String| name.chars().take(MAX_NAME_CHARS).collect();
        let mut names: Vec<String> = names.iter().map(cut).collect();
        names.sort();
        let more = names.len().saturating_sub(MAX_NAMES);
        names.truncate(MAX_NAMES);
        Self { names, more }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.more == 0
    }
}

impl From<&v1::UserResources> for UserResources {
    fn from(written: &v1::UserResources) -> Self {
        Self {
            mfa: written.mfa,
            groups: NameList::of(&written.groups),
            attached_policies: NameList::of(&written.attached_policies),
            inline_policies: NameList::of(&written.inline_policies),
        }
    }
}
