//! What IAM shows of the users × the policy × the clocks on their tags → what is to be changed.
//! Pure: the same facts give the same plan.

mod credential;
mod facts;
pub mod file;
mod limits;
mod skip_reason;
pub mod step;
mod user;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use facts::Facts;
pub use limits::{ExceededLimit, exceeded_limits};
pub use skip_reason::RemediationSkipReason;

use crate::allowlist::Allowlist;
use crate::model::inventory::{AccountId, UserRecord};
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::policy::{Policy, Rule};
use crate::model::remediation_tag::{RemediationTag, TagSubject};

/// What a plan goes by.
#[derive(Debug, Clone, Copy)]
pub struct PlanSettings<'a> {
    /// The exemptions.
    pub allowlist: &'a Allowlist,
    /// What makes a credential stale.
    pub policy: &'a Policy,
    /// How far and how fast stale credentials are remedied.
    pub remediation: &'a RemediationPolicy,
    /// The furthest stage to be carried out.
    pub stage: Stage,
    /// The tags that name an owner, the first that a user has counts.
    pub owner_tags: &'a [String],
    /// The moment by which days are counted.
    pub now: DateTime<Utc>,
}

/// What is known of the accounts and of the users in question.
#[derive(Debug, Clone, Default)]
pub struct PlanInput {
    /// The accounts.
    pub accounts: BTreeMap<AccountId, AccountFacts>,
    /// The users who were looked at, in the order of account and name.
    pub user_records: Vec<UserRecord>,
    /// The users who could not be looked at, with what was answered.
    pub lookup_failures: Vec<(AccountId, String, String)>,
    /// The clocks that the journal says were set and not taken away: where one is gone from the
    /// user, somebody else took it.
    pub known_tags: BTreeSet<KnownTag>,
    /// The unique ids of users whose deletion was begun and is to be finished.
    pub partially_deleted: BTreeSet<String>,
}

/// What is known of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// How many users it has.
    pub users: usize,
    /// The rules whose evidence could not be had.
    pub incomplete: Vec<Rule>,
    /// The users, in lower case, with whose credentials we run.
    pub own_users: BTreeSet<String>,
    /// Whether the root user has a finding, which nobody but the root user remedies.
    pub root_finding: bool,
}

/// A clock that was set by an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownTag {
    /// The account.
    pub account: AccountId,
    /// The user's unique id.
    pub user_id: String,
    /// What the clock is of.
    pub subject: TagSubject,
}

/// What is to be changed, and what is not, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationPlan {
    /// The changes, in the order in which they are made.
    pub changes: Vec<PlannedChange>,
    /// What comes later.
    pub waiting: Vec<PendingChange>,
    /// What a person has to do.
    pub by_hand: Vec<RemediationTarget>,
    /// What is left as it is, and why.
    #[serde(rename = "left_alone")]
    pub skipped: Vec<SkippedTarget>,
    /// Why nothing at all is done, where a limit stands in the way.
    #[serde(rename = "held")]
    pub exceeded_limits: Vec<ExceededLimit>,
}

/// What something is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemediationTarget {
    /// The account.
    pub account: AccountId,
    /// The user's name.
    pub user: String,
    /// The credential, or the user as a whole.
    pub subject: TagSubject,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// What it is about.
    #[serde(flatten)]
    pub target: RemediationTarget,
    /// The user's unique id: another user of the name is another user.
    pub user_id: String,
    /// What is done.
    #[serde(rename = "act")]
    pub kind: ChangeKind,
    /// What the change hangs on. When any of it has moved, the change is not made.
    pub facts: Facts,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Takes our tag away.
    Clear(TagRemovalReason),
    /// Sets the tag that says when the days to the deactivation begin.
    Notify(StartReason),
    /// Sets the tag that says when the days to the deletion begin, of a credential that is inactive
    /// already.
    Settle(StartReason),
    /// Says on the tag that it still holds.
    Renew,
    /// Makes the credential inactive.
    Deactivate,
    /// Deletes the login profile. Nothing brings it back.
    DeletePassword,
    /// Deletes the credential. Nothing brings it back.
    DeleteCredential,
    /// Deletes the user with everything that is left. Nothing brings it back.
    DeleteUser,
}

impl ChangeKind {
    /// The stage that the change belongs to.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Clear(_) | Self::Notify(_) | Self::Settle(_) | Self::Renew => Stage::Notify,
            Self::Deactivate | Self::DeletePassword => Stage::Deactivate,
            Self::DeleteCredential | Self::DeleteUser => Stage::Delete,
        }
    }

    /// Whether more than our own tags is changed.
    #[must_use]
    pub fn removes_access(&self) -> bool {
        self.stage() > Stage::Notify
    }
}

/// Why a clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartReason {
    /// There was none.
    First,
    /// An earlier run set one, and somebody else took it away.
    Vanished,
    /// The tag said nothing that could be read, or a moment to come.
    Unreadable,
    /// It was used since, and not for long again.
    Used,
    /// The password was changed since.
    PasswordChanged,
    /// An exemption was in force since.
    ExemptionLapsed,
    /// For longer than the policy allows no run has seen it.
    NotSeen,
    /// It was deactivated, and somebody activated it again.
    Reactivated,
}

/// Why a clock is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagRemovalReason {
    /// It was used.
    Used(DateTime<Utc>),
    /// Nothing is held against it any more.
    NotStale,
    /// An exemption covers it.
    Exempted,
    /// The password was reset lately.
    RecentlyReset,
    /// The credential is gone.
    Gone,
    /// It is inactive, and nothing is to be deleted.
    Inactive,
    /// Something of the user's is in use.
    InUse,
}

/// Something that comes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    /// What it is about.
    #[serde(flatten)]
    pub target: RemediationTarget,
    /// What comes.
    pub stage: Stage,
    /// From when on.
    pub due: DateTime<Utc>,
    /// Whether a person has to do it, since the policy lets no run do it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

/// Something that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTarget {
    /// What it is about.
    #[serde(flatten)]
    pub target: RemediationTarget,
    /// Why.
    #[serde(rename = "guard")]
    pub reason: RemediationSkipReason,
}

/// Says what is to be changed.
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
    plan.exceeded_limits = exceeded_limits(&plan.changes, input, settings.remediation);
    plan
}

/// Why the clock cannot go on, if it cannot.
fn restart_reason(clock: RemediationTag, settings: PlanSettings<'_>) -> Option<StartReason> {
    if clock.since > settings.now || clock.seen > settings.now {
        return Some(StartReason::Unreadable);
    }
    let is_lost = clock.exceeds_max_gap(settings.now, settings.remediation.max_gap_days);
    is_lost.then_some(StartReason::NotSeen)
}

/// Whether a tag is old enough to be written again, so that the next run does not find a gap.
fn needs_refresh(clock: RemediationTag, settings: PlanSettings<'_>) -> bool {
    // A day before the half: a weekly run that comes some minutes early must not wait for the next.
    let half = TimeDelta::days(i64::from(settings.remediation.max_gap_days)) / 2;
    settings.now - clock.seen > (half - TimeDelta::days(1)).max(half / 2)
}
