//! Compares IAM users with the policy and their remediation tags, and plans the changes. Pure: the
//! same input gives the same plan.

mod credential;
mod facts;
pub mod file;
mod limits;
mod skip_reason;
pub mod step;
mod tag_state;
mod user;
mod user_audit;
mod user_context;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use facts::Facts;
pub(super) use facts::credentials;
pub use limits::{ReachedLimit, TooManyDue, limit};
pub use skip_reason::RemediationSkipReason;
pub use user_context::{PlanPermissions, PlanUser};

use crate::allowlist::Allowlist;
use crate::model::inventory::{AccountId, UserRecord};
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::policy::{Policy, Rule};
use crate::model::remediation_tag::TagSubject;

/// The settings of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanSettings<'a> {
    pub allowlist: &'a Allowlist,
    /// When a credential is stale.
    pub policy: &'a Policy,
    /// When and how stale credentials are remediated.
    pub remediation: &'a RemediationPolicy,
    /// The last stage to carry out.
    pub stage: Stage,
    /// The tags that name an owner. The first one that a user has counts.
    pub owner_tags: &'a [String],
    /// The time from which days are counted.
    pub now: DateTime<Utc>,
}

/// What is known about the accounts and users to plan for.
#[derive(Debug, Clone, Default)]
pub struct PlanInput {
    pub accounts: BTreeMap<AccountId, AccountFacts>,
    /// The users that were fetched, ordered by account and name.
    pub user_records: Vec<UserRecord>,
    /// The users that could not be fetched, with the error message.
    pub lookup_failures: Vec<(AccountId, String, String)>,
    /// The remediation tags that the journal says were set and not removed. If one is missing from
    /// its user, someone else removed it.
    pub known_tags: BTreeSet<KnownTag>,
    /// The unique ids of users whose deletion started and must be finished.
    pub partially_deleted: BTreeSet<String>,
}

/// What is known about one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// The number of users in the account.
    pub users: usize,
    /// The rules that are incomplete.
    pub incomplete: Vec<Rule>,
    /// The users, in lower case, whose credentials this run uses.
    pub own_users: BTreeSet<String>,
    /// Whether the root user has a finding. Only the root user can remediate it.
    pub root_finding: bool,
}

/// A remediation tag that an earlier run set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownTag {
    pub account: AccountId,
    pub user_id: String,
    pub subject: TagSubject,
}

/// The planned changes, and what is not changed and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationPlan {
    /// The changes, in the order in which they are made.
    pub changes: Vec<PlannedChange>,
    /// The users that are deactivated or deleted.
    pub users: Vec<PlanUser>,
    /// Changes that are not due yet.
    pub waiting: Vec<PendingChange>,
    /// Changes that a person has to make.
    pub by_hand: Vec<RemediationTarget>,
    /// What is not changed, and why.
    #[serde(rename = "left_alone")]
    pub skipped: Vec<SkippedTarget>,
    /// Due changes that wait for the next runs, because a limit of this run is reached.
    pub delayed: Vec<PlannedChange>,
    pub reached_limits: Vec<ReachedLimit>,
    /// The accounts in which too many users are due. If there is one, nothing is changed.
    #[serde(rename = "held")]
    pub exceeded_limits: Vec<TooManyDue>,
}

/// The credential or user that an entry of the plan is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemediationTarget {
    pub account: AccountId,
    pub user: String,
    pub subject: TagSubject,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    #[serde(flatten)]
    pub target: RemediationTarget,
    /// The unique id of the user. A user who is created again with the same name has another id.
    pub user_id: String,
    #[serde(rename = "act")]
    pub kind: ChangeKind,
    /// The facts that the change depends on. If any of them differs later, the change is not made.
    pub facts: Facts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ChangeKind {
    /// Removes the remediation tag.
    #[serde(rename = "clear")]
    RemoveTag(TagRemovalReason),
    /// Sets the tag that starts the days until deactivation.
    Notify(StartReason),
    /// Sets the tag that starts the days until deletion, for a credential that is already inactive.
    #[serde(rename = "settle")]
    ScheduleDeletion(StartReason),
    /// Updates the last-seen time of the tag.
    #[serde(rename = "renew")]
    RenewTag,
    Deactivate,
    /// Deletes the login profile. This cannot be undone.
    DeletePassword,
    /// Deletes the credential. This cannot be undone.
    DeleteCredential,
    /// Deletes the user and everything the user still has. This cannot be undone.
    DeleteUser,
}

impl ChangeKind {
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::RemoveTag(_) | Self::Notify(_) | Self::ScheduleDeletion(_) | Self::RenewTag => {
                Stage::Notify
            }
            Self::Deactivate | Self::DeletePassword => Stage::Deactivate,
            Self::DeleteCredential | Self::DeleteUser => Stage::Delete,
        }
    }

    /// Whether the change affects more than the remediation tag.
    #[must_use]
    pub fn removes_access(&self) -> bool {
        self.stage() > Stage::Notify
    }
}

/// Why a remediation tag is set or set again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum StartReason {
    /// There is no tag yet.
    First,
    /// An earlier run set a tag, and someone else removed it.
    #[serde(rename = "vanished")]
    TagRemoved,
    /// The tag cannot be read, or has a time in the future.
    Unreadable,
    /// The credential was used after the tag was set, and is stale again.
    Used,
    /// The password was changed after the tag was set.
    PasswordChanged,
    /// An exemption was valid after the tag was set.
    #[serde(rename = "exemption-lapsed")]
    ExemptionExpired,
    /// No run has seen the tag for more days than the policy allows.
    NotSeen,
    /// The credential was deactivated, and someone activated it again.
    Reactivated,
}

/// Why a remediation tag is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TagRemovalReason {
    Used(DateTime<Utc>),
    /// No finding that the policy remediates is open.
    NotStale,
    Exempted,
    /// The password was recently reset.
    RecentlyReset,
    Gone,
    /// The credential is inactive, and the policy does not delete it.
    Inactive,
    /// A credential of the user is in use.
    InUse,
}

/// A change that is not due yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    #[serde(flatten)]
    pub target: RemediationTarget,
    pub stage: Stage,
    /// The earliest time of the change.
    pub due: DateTime<Utc>,
    /// Whether a person has to make the change because the policy does not allow a run to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

/// A credential or user that is not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTarget {
    #[serde(flatten)]
    pub target: RemediationTarget,
    #[serde(rename = "guard")]
    pub reason: RemediationSkipReason,
}

/// Plans all changes that are due. [`limit`] applies the limits of one run.
#[must_use]
pub fn plan(input: &PlanInput, settings: PlanSettings<'_>) -> RemediationPlan {
    let mut plan = RemediationPlan::default();
    for (account, facts) in &input.accounts {
        if facts.root_finding {
            let target = RemediationTarget {
                account: *account,
                user: crate::model::inventory::ROOT_USER.to_owned(),
                subject: TagSubject::User,
            };
            plan.skipped.push(SkippedTarget { target, reason: RemediationSkipReason::Root });
        }
    }
    for (account, user, message) in &input.lookup_failures {
        let target =
            RemediationTarget { account: *account, user: user.clone(), subject: TagSubject::User };
        plan.skipped.push(SkippedTarget {
            target,
            reason: RemediationSkipReason::Incomplete(message.clone()),
        });
    }
    let nothing = AccountFacts::default();
    for user_record in &input.user_records {
        let account = input.accounts.get(&user_record.account).unwrap_or(&nothing);
        user::plan(user_record, account, input, settings, &mut plan);
    }
    plan
}
