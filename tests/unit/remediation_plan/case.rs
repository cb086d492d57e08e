//! The test case of the remediation plan tests: one user and the settings of the plan.

use std::collections::BTreeMap;

use iam_stocktake::allowlist::Allowlist;
use iam_stocktake::model::inventory::{CredentialKind, Flag, User, UserRecord};
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::policy::{Policy, Rule};
use iam_stocktake::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject};
use iam_stocktake::remediate::plan::{
    AccountFacts, KnownTag, PlanInput, PlanSettings, RemediationPlan, limit, plan,
};

use crate::support::{ACCOUNT, allowlist, days_ago, key, live_user, now, password};

/// The access key of most cases.
pub(crate) const KEY: &str = "AKIA000000000000AAAA";

/// A user, an account, and the settings that decide what is remediated.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) user_record: UserRecord,
    pub(crate) account: AccountFacts,
    pub(crate) allowlist: Allowlist,
    pub(crate) policy: Policy,
    pub(crate) remediation: RemediationPolicy,
    pub(crate) stage: Stage,
    pub(crate) owner_tags: Vec<String>,
    pub(crate) known_tags: Vec<TagSubject>,
    pub(crate) root_finding: bool,
    pub(crate) is_partially_deleted: bool,
}

pub(crate) fn of_key(id: &str) -> TagSubject {
    TagSubject::Credential(CredentialKind::AccessKey, Some(id.to_owned()))
}

impl Case {
    /// `alice` with these credentials, in an account with 100 users. Credentials may be deleted 30
    /// days after they are deactivated.
    pub(crate) fn of(user: User<'static>) -> Self {
        let user_record = UserRecord {
            account: ACCOUNT.parse().unwrap(),
            partition: "aws".to_owned(),
            user,
            path: "/".to_owned(),
            holdings: None,
            gaps: Vec::new(),
        };
        Self {
            user_record,
            account: AccountFacts { users: 100, ..AccountFacts::default() },
            allowlist: Allowlist::default(),
            policy: Policy::default(),
            remediation: RemediationPolicy {
                delete_after_days: Some(30),
                rules: Rule::remediable(),
                ..RemediationPolicy::default()
            },
            stage: Stage::Delete,
            owner_tags: Vec::new(),
            known_tags: Vec::new(),
            root_finding: false,
            is_partially_deleted: false,
        }
    }

    /// An access key that is deactivated today: last used 200 days ago, notice 20 days ago, tag
    /// last seen 3 days ago.
    pub(crate) fn deactivation_due() -> Self {
        let mut user = live_user("alice");
        user.access_keys.push(key(KEY, 200));
        Self::of(user).tagged(&of_key(KEY), RemediationStatus::Notified, 20, 3)
    }

    /// An access key that is deleted today: deactivated 40 days ago.
    pub(crate) fn deletion_due() -> Self {
        let mut case =
            Self::deactivation_due().tagged(&of_key(KEY), RemediationStatus::Deactivated, 40, 3);
        case.user_record.user.access_keys[0].active = Flag::No;
        case
    }

    /// A password that was last used 200 days ago, with a notice 20 days ago.
    pub(crate) fn password() -> Self {
        let mut user = live_user("alice");
        user.password = Some(password(200));
        let mut case =
            Self::of(user).tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, 3);
        case.remediation.delete_passwords = true;
        case
    }

    /// A user without credentials who is deleted today: notice 40 days ago.
    pub(crate) fn whole_user() -> Self {
        let mut case = Self::of(live_user("alice")).tagged(
            &TagSubject::User,
            RemediationStatus::Notified,
            40,
            3,
        );
        case.remediation.delete_users = true;
        case
    }

    /// Applies a change to the case.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Adds a remediation tag that was set and last seen this many days ago.
    pub(crate) fn tagged(
        self,
        on: &TagSubject,
        reached: RemediationStatus,
        since: i64,
        seen: i64,
    ) -> Self {
        let clock = RemediationTag { reached, since: days_ago(since), seen: days_ago(seen) };
        self.with_tag(&on.key(), &clock.to_string())
    }

    pub(crate) fn with_tag(mut self, key: &str, value: &str) -> Self {
        self.tags().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Removes the remediation tag of the subject.
    pub(crate) fn without_tag(mut self, on: &TagSubject) -> Self {
        self.tags().remove(&on.key());
        self
    }

    /// Exempts `alice` until the given day. `more` adds keys to the allowlist entry.
    pub(crate) fn exempted(mut self, until: &str, more: &str) -> Self {
        let entry =
            format!("{{user: alice, reason: standby, owner: team, expires: {until}{more}}}");
        self.allowlist = allowlist(&[&entry]);
        self
    }

    /// Another user who differs from `alice` only in name and id.
    pub(crate) fn another_user(&self, name: &str) -> UserRecord {
        let mut another_user = self.user_record.clone();
        another_user.user.name = name.to_owned().into();
        another_user.user.id = live_user(name).id;
        another_user
    }

    pub(crate) fn tags(&mut self) -> &mut BTreeMap<String, String> {
        self.user_record.user.tags.as_mut().unwrap()
    }

    pub(crate) fn settings(&self) -> PlanSettings<'_> {
        PlanSettings {
            allowlist: &self.allowlist,
            policy: &self.policy,
            remediation: &self.remediation,
            stage: self.stage,
            owner_tags: &self.owner_tags,
            now: now(),
        }
    }

    pub(crate) fn input(&self) -> PlanInput {
        let account = self.user_record.account;
        let user_id = self.user_record.user.id.clone().unwrap();
        let known_tags = self.known_tags.iter();
        let facts = AccountFacts { root_finding: self.root_finding, ..self.account.clone() };
        PlanInput {
            accounts: BTreeMap::from([(account, facts)]),
            user_records: vec![self.user_record.clone()],
            lookup_failures: Vec::new(),
            known_tags: known_tags
                .map(|subject| KnownTag {
                    account,
                    user_id: user_id.clone(),
                    subject: subject.clone(),
                })
                .collect(),
            partially_deleted: self.is_partially_deleted.then_some(user_id).into_iter().collect(),
        }
    }

    pub(crate) fn plan(&self) -> RemediationPlan {
        limit(plan(&self.input(), self.settings()), &self.input(), self.settings())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.plan())
    }
}

/// The plan as lines: `access-key …AAAA: Deactivate`, `user is skipped: …`. For users other than
/// `alice`, the line starts with the name.
pub(crate) fn lines(plan: &RemediationPlan) -> Vec<String> {
    let of = |target: &iam_stocktake::remediate::plan::RemediationTarget| match target.user.as_str()
    {
        "alice" => target.subject.to_string(),
        name => format!("{name} {}", target.subject),
    };
    let changes = plan.changes.iter().map(|it| format!("{}: {:?}", of(&it.target), it.kind));
    let by = |by_hand| if by_hand { ", by hand" } else { "" };
    let waiting = plan.waiting.iter();
    let waiting =
        waiting.map(|it| format!("{} pending{}: {}", of(&it.target), by(it.by_hand), it.stage));
    let by_hand = plan.by_hand.iter().map(|it| format!("{}: by hand", of(it)));
    let skipped =
        plan.skipped.iter().map(|it| format!("{} is skipped: {}", of(&it.target), it.reason));
    let delayed = plan.delayed.iter().map(|it| format!("{} waits: {:?}", of(&it.target), it.kind));
    let reached = plan.reached_limits.iter().map(|it| format!("limit reached: {it:?}"));
    let mistakes = plan.exceeded_limits.iter().map(|it| format!("nothing is done: {it:?}"));
    let limits = delayed.chain(reached).chain(mistakes);
    changes.chain(waiting).chain(by_hand).chain(skipped).chain(limits).collect()
}

/// Asserts the plan of each case in a table.
#[track_caller]
pub(crate) fn assert_planned<const N: usize>(table: [(&str, Case, &[&str]); N]) {
    for (what, case, expected) in table {
        assert_eq!(case.lines(), expected, "{what}");
    }
}
