//! One user, and everything that a plan goes by.

use std::collections::BTreeMap;

use iam_stocktake::allowlist::Allowlist;
use iam_stocktake::model::clock::{Clock, Reached, Subject};
use iam_stocktake::model::inventory::{CredentialKind, Dossier, Flag, User};
use iam_stocktake::model::policy::Policy;
use iam_stocktake::model::policy::remediation::{REMEDIABLE_RULES, RemediationPolicy, Stage};
use iam_stocktake::remediate::plan::{AccountFacts, Basis, Plan, Remembered, Scene, plan};

use crate::support::{ACCOUNT, allowlist, days_ago, key, live_user, now, password};

/// The key of most cases.
pub(crate) const KEY: &str = "AKIA000000000000AAAA";

/// A user, an account, and what they are judged and remedied by.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) dossier: Dossier,
    pub(crate) account: AccountFacts,
    pub(crate) allowlist: Allowlist,
    pub(crate) policy: Policy,
    pub(crate) remediation: RemediationPolicy,
    pub(crate) stage: Stage,
    pub(crate) owner_tags: Vec<String>,
    pub(crate) remembered: Vec<Subject>,
    pub(crate) root_finding: bool,
    pub(crate) is_half_deleted: bool,
}

/// A key's subject.
pub(crate) fn of_key(id: &str) -> Subject {
    Subject::Credential(CredentialKind::AccessKey, Some(id.to_owned()))
}

impl Case {
    /// `alice` with these credentials, in an account of 100 users where everything may be deleted
    /// 30 days after its deactivation.
    pub(crate) fn of(user: User<'static>) -> Self {
        let dossier = Dossier {
            account: ACCOUNT.parse().unwrap(),
            partition: "aws".to_owned(),
            user,
            path: "/".to_owned(),
            holdings: None,
            gaps: Vec::new(),
        };
        Self {
            dossier,
            account: AccountFacts { users: 100, ..AccountFacts::default() },
            allowlist: Allowlist::default(),
            policy: Policy::default(),
            remediation: RemediationPolicy {
                delete_after_days: Some(30),
                rules: REMEDIABLE_RULES.to_vec(),
                ..RemediationPolicy::default()
            },
            stage: Stage::Delete,
            owner_tags: Vec::new(),
            remembered: Vec::new(),
            root_finding: false,
            is_half_deleted: false,
        }
    }

    /// A key that was last used 200 days ago, had its notice 20 days ago and was seen 3 days ago:
    /// it is deactivated today.
    pub(crate) fn due() -> Self {
        let mut user = live_user("alice");
        user.access_keys.push(key(KEY, 200));
        Self::of(user).tagged(&of_key(KEY), Reached::Notified, 20, 3)
    }

    /// A key that was deactivated 40 days ago: it is deleted today.
    pub(crate) fn to_be_deleted() -> Self {
        let mut case = Self::due().tagged(&of_key(KEY), Reached::Deactivated, 40, 3);
        case.dossier.user.access_keys[0].active = Flag::No;
        case
    }

    /// A password that was last used 200 days ago, and had its notice 20 days ago.
    pub(crate) fn password() -> Self {
        let mut user = live_user("alice");
        user.password = Some(password(200));
        let mut case = Self::of(user).tagged(&Subject::PASSWORD, Reached::Notified, 20, 3);
        case.remediation.delete_passwords = true;
        case
    }

    /// Nothing but a user, who had their notice 40 days ago: they are deleted today.
    pub(crate) fn whole_user() -> Self {
        let mut case =
            Self::of(live_user("alice")).tagged(&Subject::User, Reached::Notified, 40, 3);
        case.remediation.delete_users = true;
        case
    }

    /// With a change.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// With a tag of ours, of so many days ago.
    pub(crate) fn tagged(self, on: &Subject, reached: Reached, since: i64, seen: i64) -> Self {
        let clock = Clock { reached, since: days_ago(since), seen: days_ago(seen) };
        self.with_tag(&on.key(), &clock.to_string())
    }

    /// With any tag.
    pub(crate) fn with_tag(mut self, key: &str, value: &str) -> Self {
        self.tags().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Without the tag of something.
    pub(crate) fn without_tag(mut self, on: &Subject) -> Self {
        self.tags().remove(&on.key());
        self
    }

    /// With an exemption of `alice`, in force until a day, with more of its keys.
    pub(crate) fn exempted(mut self, until: &str, more: &str) -> Self {
        let entry =
            format!("{{user: alice, reason: standby, owner: team, expires: {until}{more}}}");
        self.allowlist = allowlist(&[&entry]);
        self
    }

    /// With one more user, unlike `alice` in name and id alone.
    pub(crate) fn twin(&self, name: &str) -> Dossier {
        let mut twin = self.dossier.clone();
        twin.user.name = name.to_owned().into();
        twin.user.id = live_user(name).id;
        twin
    }

    pub(crate) fn tags(&mut self) -> &mut BTreeMap<String, String> {
        self.dossier.user.tags.as_mut().unwrap()
    }

    pub(crate) fn basis(&self) -> Basis<'_> {
        Basis {
            allowlist: &self.allowlist,
            policy: &self.policy,
            remediation: &self.remediation,
            stage: self.stage,
            owner_tags: &self.owner_tags,
            now: now(),
        }
    }

    pub(crate) fn scene(&self) -> Scene {
        let account = self.dossier.account;
        let user_id = self.dossier.user.id.clone().unwrap();
        let remembered = self.remembered.iter();
        let facts = AccountFacts { root_finding: self.root_finding, ..self.account.clone() };
        Scene {
            accounts: BTreeMap::from([(account, facts)]),
            dossiers: vec![self.dossier.clone()],
            unseen: Vec::new(),
            remembered: remembered
                .map(|subject| Remembered {
                    account,
                    user_id: user_id.clone(),
                    subject: subject.clone(),
                })
                .collect(),
            half_deleted: self.is_half_deleted.then_some(user_id).into_iter().collect(),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.scene(), self.basis())
    }

    /// The plan in lines.
    pub(crate) fn said(&self) -> Vec<String> {
        said(&self.plan())
    }
}

/// A plan in lines: `access-key …AAAA: Deactivate`, `user is left alone: …`. Of users other than
/// `alice` the name comes first.
pub(crate) fn said(plan: &Plan) -> Vec<String> {
    let of = |place: &iam_stocktake::remediate::plan::Place| match place.user.as_str() {
        "alice" => place.subject.to_string(),
        name => format!("{name} {}", place.subject),
    };
    let changes = plan.changes.iter().map(|it| format!("{}: {:?}", of(&it.place), it.act));
    let by = |by_hand| if by_hand { " by hand" } else { "" };
    let waiting = plan.waiting.iter();
    let waiting =
        waiting.map(|it| format!("{} waits to {}{}", of(&it.place), it.stage, by(it.by_hand)));
    let by_hand = plan.by_hand.iter().map(|it| format!("{} is for a person", of(it)));
    let alone =
        plan.left_alone.iter().map(|it| format!("{} is left alone: {}", of(&it.place), it.guard));
    let held = plan.held.iter().map(|it| format!("held: {it:?}"));
    changes.chain(waiting).chain(by_hand).chain(alone).chain(held).collect()
}

/// Asserts what is planned in each case of a table.
#[track_caller]
pub(crate) fn assert_planned<const N: usize>(table: [(&str, Case, &[&str]); N]) {
    for (what, case, expected) in table {
        assert_eq!(case.said(), expected, "{what}");
    }
}
