//! Remediation in an audit JSON: the status of a credential, and what is deleted with a user.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::RemediationStatus;
use crate::report::json::v1;

/// The maximum number of names in a list. IAM's limits are about the same.
pub(super) const MAX_NAMES: usize = 20;
/// The longest name, in characters. IAM's are not longer.
const MAX_NAME_CHARS: usize = 128;

/// How far the remediation of a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemediationProgress {
    /// The status.
    #[serde(rename = "r")]
    pub reached: RemediationStatus,
    /// The day of the status.
    #[serde(rename = "s")]
    pub since: NaiveDate,
    /// The next stage, and its first day; `None` if it is unknown.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(Stage, NaiveDate)>,
}

/// What a user has besides credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserResources {
    /// Whether the user has an MFA device, if that is known.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    #[serde(rename = "g", default, skip_serializing_if = "NameList::is_empty")]
    pub groups: NameList,
    /// Managed policies, attached to the user.
    #[serde(rename = "p", default, skip_serializing_if = "NameList::is_empty")]
    pub attached_policies: NameList,
    /// Inline policies.
    #[serde(rename = "i", default, skip_serializing_if = "NameList::is_empty")]
    pub inline_policies: NameList,
}

/// Some names, and the number of further names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameList {
    /// The first names, sorted.
    #[serde(rename = "n")]
    pub names: Vec<String>,
    /// The number of further names.
    #[serde(rename = "x", default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

const fn is_zero(more: &usize) -> bool {
    *more == 0
}

impl NameList {
    /// The names can be of any number, length and order: everyone can write an audit, and the space
    /// in an issue is limited.
    fn of(names: &[String]) -> Self {
        let cut = |name: &String| name.chars().take(MAX_NAME_CHARS).collect();
        let mut names: Vec<String> = names.iter().map(cut).collect();
        names.sort();
        let more = names.len().saturating_sub(MAX_NAMES);
        names.truncate(MAX_NAMES);
        Self { names, more }
    }

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
