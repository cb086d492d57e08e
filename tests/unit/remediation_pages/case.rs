//! A plan with every kind of entry, and the pages that show it.

use chrono::{DateTime, TimeDelta, Utc};
use iam_stocktake::model::inventory::CredentialKind;
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};
use iam_stocktake::remediate::pages::{RemediationReport, remediation_markdown, remediation_text};
use iam_stocktake::remediate::plan::file::SavedPlan;
use iam_stocktake::remediate::plan::{
    ChangeKind, Facts, PendingChange, PlanPermissions, PlanUser, PlannedChange, RemediationPlan,
    RemediationSkipReason, RemediationTarget, SkippedTarget, StartReason, TagRemovalReason,
};
use iam_stocktake::remediate::{ApplyResult, MissingEvidence};
use iam_stocktake::templates::Language;
use stand_ins::gfm::assert_same_outline;

/// The time of the plan.
pub(crate) const NOW: &str = "2026-06-30T12:00:00Z";

pub(crate) fn moment(days_ago: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() - TimeDelta::days(days_ago)
}

pub(crate) fn target(user: &str, subject: TagSubject) -> RemediationTarget {
    RemediationTarget { account: "111122223333".parse().unwrap(), user: user.to_owned(), subject }
}

pub(crate) fn credential(kind: CredentialKind, id: &str) -> TagSubject {
    TagSubject::Credential(kind, Some(id.to_owned()))
}

pub(crate) fn key(ending: &str) -> TagSubject {
    credential(CredentialKind::AccessKey, &format!("AKIAIOSFODNN7XXX{ending}"))
}

pub(crate) fn change(target: RemediationTarget, kind: ChangeKind, facts: Facts) -> PlannedChange {
    PlannedChange { user_id: format!("AIDA{}", target.user), target, kind, facts }
}

/// The facts about a credential, with times in days before the plan.
pub(crate) fn facts(
    created: i64,
    used: Option<i64>,
    tag: Option<(RemediationStatus, i64)>,
) -> Facts {
    Facts {
        active: Some(true),
        created: Some(moment(created)),
        last_used: used.map(moment),
        tag: tag.map(|(reached, days)| (reached, moment(days))),
        ..Facts::default()
    }
}

/// A plan with entries of each kind. `name` is the name of one user.
pub(crate) fn plan(name: &str) -> RemediationPlan {
    let ssh_key = credential(CredentialKind::SshKey, "APKAIOSFODNN7SSHK");
    let elsewhere = |target: RemediationTarget| RemediationTarget {
        account: "444455556666".parse().unwrap(),
        ..target
    };
    let notified = Some((RemediationStatus::Notified, 14));
    RemediationPlan {
        changes: vec![
            change(
                target("alice", key("AAAA")),
                ChangeKind::Notify(StartReason::First),
                facts(300, None, None),
            ),
            change(
                target("bob", key("BBBB")),
                ChangeKind::Notify(StartReason::TagRemoved),
                facts(300, Some(200), None),
            ),
            change(
                target("carol", TagSubject::PASSWORD),
                ChangeKind::RemoveTag(TagRemovalReason::Used(moment(2))),
                facts(300, Some(2), notified),
            ),
            change(
                target(name, key("CCCC")),
                ChangeKind::Deactivate,
                facts(300, Some(200), notified),
            ),
            change(
                target(name, ssh_key.clone()),
                ChangeKind::Deactivate,
                facts(300, None, notified),
            ),
            change(
                elsewhere(target("dave", key("DDDD"))),
                ChangeKind::DeleteCredential,
                facts(300, Some(200), Some((RemediationStatus::Deactivated, 30))),
            ),
            change(
                elsewhere(target("erin", TagSubject::PASSWORD)),
                ChangeKind::DeletePassword,
                facts(300, None, notified),
            ),
            change(
                elsewhere(target("frank", TagSubject::User)),
                ChangeKind::DeleteUser,
                Facts {
                    credentials: vec![(TagSubject::PASSWORD, true), (key("FFFF"), false)],
                    tag: facts(0, None, notified).tag,
                    ..Facts::default()
                },
            ),
        ],
        users: plan_users(name),
        waiting: pending_changes(),
        by_hand: vec![target("heidi", TagSubject::PASSWORD)],
        skipped: skipped_targets(name),
        ..RemediationPlan::default()
    }
}

/// What is known about the users: everything, no groups and policies, or an expired exemption.
fn plan_users(name: &str) -> Vec<PlanUser> {
    let user = |account: &str, user: &str| PlanUser {
        account: account.parse().unwrap(),
        user: user.to_owned(),
        arn: format!("arn:aws:iam::{account}:user/{user}"),
        owner: None,
        permissions: Some(PlanPermissions::default()),
        last_services: Vec::new(),
        exemption_expired: None,
    };
    vec![
        PlanUser {
            owner: Some(name.to_owned()),
            permissions: Some(PlanPermissions {
                groups: vec![name.to_owned()],
                policies: vec!["deploy".to_owned(), name.to_owned()],
                is_administrator: true,
            }),
            last_services: vec![(key("CCCC"), "s3".to_owned())],
            ..user("111122223333", name)
        },
        PlanUser { permissions: None, ..user("444455556666", "dave") },
        user("444455556666", "erin"),
        PlanUser {
            exemption_expired: Some(moment(20).date_naive()),
            ..user("444455556666", "frank")
        },
    ]
}

/// Pending changes of each kind.
pub(crate) fn pending_changes() -> Vec<PendingChange> {
    [
        (key("GGGG"), Stage::Deactivate, false),
        (TagSubject::PASSWORD, Stage::Delete, true),
        (TagSubject::User, Stage::Delete, false),
    ]
    .map(|(subject, stage, by_hand)| PendingChange {
        target: target("grace", subject),
        stage,
        due: moment(-3),
        by_hand,
    })
    .into()
}

/// Skipped users, one for each reason.
pub(crate) fn skipped_targets(name: &str) -> Vec<SkippedTarget> {
    [
        RemediationSkipReason::Root,
        RemediationSkipReason::Exempted { line: 12, expires: moment(-90).date_naive() },
        RemediationSkipReason::RecentlyReset(moment(5)),
        RemediationSkipReason::Ourselves,
        RemediationSkipReason::Incomplete(format!("iam:GetUser: {name}")),
        RemediationSkipReason::Used(moment(3)),
        RemediationSkipReason::Owner(name.to_owned()),
        RemediationSkipReason::Path(format!("/{name}/")),
        RemediationSkipReason::Tags,
    ]
    .into_iter()
    .map(|reason| SkippedTarget { target: target(name, TagSubject::User), reason })
    .collect()
}

pub(crate) fn saved(plan: RemediationPlan) -> SavedPlan {
    let accounts = vec!["111122223333".parse().unwrap(), "444455556666".parse().unwrap()];
    SavedPlan::new(plan, Stage::Delete, accounts, moment(0))
}

/// The result of the plan: the last change failed, and the change before it was skipped.
pub(crate) fn applied(plan: &RemediationPlan, message: &str) -> ApplyResult {
    let mut made = plan.changes.clone();
    let failed = made.pop().unwrap();
    let skipped = made.pop().unwrap();
    ApplyResult {
        made,
        skipped: vec![(skipped, message.to_owned())],
        failed: vec![(failed, message.to_owned())],
    }
}

/// The pages of a plan, with the settings of the report.
pub(crate) struct Pages {
    pub(crate) saved: SavedPlan,
    pub(crate) applied: Option<ApplyResult>,
    pub(crate) missing: MissingEvidence,
    pub(crate) max_rows: usize,
    pub(crate) is_brief: bool,
    pub(crate) delete_passwords: bool,
}

impl Pages {
    pub(crate) fn of(plan: RemediationPlan) -> Self {
        Self {
            saved: saved(plan),
            applied: None,
            missing: MissingEvidence::default(),
            max_rows: 0,
            is_brief: false,
            delete_passwords: false,
        }
    }

    pub(crate) fn with_report<T>(&self, show: impl FnOnce(RemediationReport<'_>) -> T) -> T {
        let policy = RemediationPolicy {
            delete_after_days: Some(30),
            delete_passwords: self.delete_passwords,
            ..RemediationPolicy::default()
        };
        show(RemediationReport {
            saved: &self.saved,
            policy: &policy,
            applied: self.applied.as_ref(),
            missing: &self.missing,
            journal: std::path::Path::new("iam-stocktake-journal.jsonl"),
            other_journals: &[],
            max_rows: self.max_rows,
            is_brief: self.is_brief,
        })
    }

    /// The Markdown page. Asserts that all languages have the same structure.
    pub(crate) fn markdown(&self, language: Language) -> String {
        let of =
            |language| self.with_report(|report| remediation_markdown(report, language).unwrap());
        assert_same_outline(&Language::ALL.map(of));
        of(language)
    }

    pub(crate) fn text(&self) -> String {
        self.with_report(|report| remediation_text(report, Language::English).unwrap())
    }
}
