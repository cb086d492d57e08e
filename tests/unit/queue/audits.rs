//! Builds audit JSON. In `publish`, it is a file with any content.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use iam_stocktake::audit::FindingId;
use iam_stocktake::model::policy::hex16;
use iam_stocktake::report::json::v1;
use sha2::{Digest as _, Sha256};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";

/// The rules that are on by default.
const RULES: [&str; 6] = [
    "stale-password",
    "stale-access-key",
    "root-access-key",
    "old-service-credential",
    "inactive-access-key",
    "user-without-credentials",
];

/// Six o'clock on a day like `2026-07-01`.
pub(crate) fn on(day: &str) -> DateTime<Utc> {
    let day: NaiveDate = day.parse().unwrap();
    day.and_hms_opt(6, 0, 0).unwrap().and_utc()
}

/// A finding.
#[derive(Debug, Clone)]
pub(crate) struct Found(pub(crate) v1::Finding);

/// A key of the user, last used on January 1, 2026.
pub(crate) fn access_key(user: &str) -> Found {
    found(user, "stale-access-key", "access-key").ending("WXYZ")
}

/// A password of the user, last used on January 1, 2026.
pub(crate) fn password(user: &str) -> Found {
    found(user, "stale-password", "password")
}

fn found(user: &str, rule: &str, kind: &str) -> Found {
    let credential = v1::Credential { kind: kind.into(), slot: None, id: None, created: None };
    let finding = v1::Finding {
        id: v1::Text::default(),
        rule: rule.into(),
        level: "error".into(),
        status: "open".into(),
        account: ACCOUNT.into(),
        user: user.to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:user/{user}"),
        user_id: None,
        credential: Some(credential),
        reference_date: Some(on("2026-01-01")),
        reference: Some("last-used".into()),
        days: None,
        evidence: "re-checked".into(),
        notes: Vec::new(),
        exemption: None,
        owner: None,
        last_service: None,
        last_accessed: None,
        remedy: None,
        belongings: None,
    };
    Found(finding).identified()
}

impl Found {
    pub(crate) fn id(&self) -> FindingId {
        *self.0.id.known().unwrap()
    }

    /// An id like the audit's: it does not depend on what can change.
    fn identified(mut self) -> Self {
        let it = &self.0;
        let kind = it.credential.as_ref().map(|it| (it.kind.to_string(), &it.id));
        let text = format!("{}|{}|{}|{kind:?}", it.account, it.user.to_lowercase(), it.rule);
        self.0.id = hex16(&Sha256::digest(text.as_bytes())).as_str().into();
        self
    }

    pub(crate) fn ending(mut self, ending: &str) -> Self {
        if let Some(credential) = &mut self.0.credential {
            credential.id = Some(ending.to_owned());
        }
        self.identified()
    }

    pub(crate) fn in_account(mut self, account: &str) -> Self {
        self.0.account = account.into();
        self.identified()
    }

    /// A finding of another rule; about the user if there is no kind.
    pub(crate) fn of(mut self, rule: &str, level: &str, kind: Option<&str>) -> Self {
        self.0.rule = rule.into();
        self.0.level = level.into();
        match kind {
            Some(kind) => {
                let credential = self.0.credential.as_mut();
                credential.unwrap().kind = kind.into();
            }
            None => self.0.credential = None,
        }
        self.identified()
    }

    pub(crate) fn reference(mut self, what: &str, day: &str) -> Self {
        self.0.reference = Some(what.into());
        self.0.reference_date = Some(on(day));
        self
    }

    pub(crate) fn last_used(self, day: &str) -> Self {
        self.reference("last-used", day)
    }

    pub(crate) fn owner(mut self, owner: &str) -> Self {
        self.0.owner = Some(owner.to_owned());
        self
    }

    /// The stage of the remediation, and the next stage with its date.
    pub(crate) fn remediation(
        mut self,
        reached: &str,
        day: &str,
        next: Option<(&str, &str)>,
    ) -> Self {
        self.0.remedy = Some(v1::RemediationProgress {
            reached: reached.into(),
            since: on(day),
            next: next.map(|(stage, _)| stage.into()),
            next_from: next.map(|(_, day)| day.parse().unwrap()),
        });
        self
    }

    /// Puts the user in these groups, with an MFA device and a policy.
    pub(crate) fn in_groups(mut self, groups: &[&str]) -> Self {
        self.0.belongings = Some(v1::UserResources {
            mfa: Some(true),
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            attached_policies: vec!["ReadOnlyAccess".to_owned()],
            inline_policies: Vec::new(),
        });
        self
    }

    pub(crate) fn exempted(mut self) -> Self {
        self.0.status = "exempted".into();
        self
    }

    /// A value in its evidence could not be read.
    pub(crate) fn unknown(mut self) -> Self {
        self.0.status = "unknown".into();
        (self.0.reference, self.0.reference_date) = (None, None);
        self
    }

    pub(crate) fn level(mut self, level: &str) -> Self {
        self.0.level = level.into();
        self
    }
}

/// An audit of one account, live and complete by default.
#[derive(Debug, Clone)]
pub(crate) struct Audit(pub(crate) v1::Audit);

impl Audit {
    /// An audit at six o'clock on that day.
    pub(crate) fn on(day: &str, findings: &[Found]) -> Self {
        Self::of(ACCOUNT, day, findings)
    }

    pub(crate) fn of(account: &str, day: &str, findings: &[Found]) -> Self {
        let complete = RULES.map(|rule| (rule.into(), "complete".into()));
        let account = v1::Account {
            id: account.into(),
            alias: None,
            partition: "aws".to_owned(),
            report_generated_at: Some(on(day)),
            report_newest_date: None,
            users: 10,
            evidence: "live".into(),
            candidates: 0,
            rechecked: 0,
            complete: complete.into_iter().collect(),
            errors: Vec::new(),
            gaps: Vec::new(),
            cleared: Vec::new(),
            asked_after: Vec::new(),
            rechecked_users: Vec::new(),
        };
        Self(v1::Audit {
            schema: v1::SCHEMA.to_owned(),
            generated_at: on(day),
            run: None,
            result: "stale".into(),
            policy: v1::Policy {
                hash: String::new(),
                stale_after_days: 90,
                max_exemption_days: 365,
                expiry_tag: None,
                rules: BTreeMap::new(),
            },
            allowlist: None,
            counts: v1::Counts::default(),
            accounts: vec![account],
            findings: findings.iter().map(|found| found.0.clone()).collect(),
            remediations: Vec::new(),
            exemptions: Vec::new(),
            former_accounts: Vec::new(),
        })
    }

    pub(crate) fn alias(mut self, alias: &str) -> Self {
        self.0.accounts[0].alias = Some(alias.to_owned());
        self
    }

    pub(crate) fn coverage(mut self, rule: &str, coverage: &str) -> Self {
        self.0.accounts[0].complete.insert(rule.into(), coverage.into());
        self
    }

    /// The evidence of the rule is not requested.
    pub(crate) fn without_rule(mut self, rule: &str) -> Self {
        self.0.accounts[0].complete.remove(&rule.into());
        self
    }

    pub(crate) fn stale_after_days(mut self, days: u32) -> Self {
        self.0.policy.stale_after_days = days;
        self
    }

    /// The allowlist lists the account in `former_accounts`.
    pub(crate) fn former_account(mut self, account: &str) -> Self {
        self.0.former_accounts.push(v1::FormerAccount {
            account: account.into(),
            reason: "Closed".to_owned(),
            owner: "Platform".to_owned(),
        });
        self
    }

    pub(crate) fn expiry_tag(mut self, tag: &str) -> Self {
        self.0.policy.expiry_tag = Some(tag.to_owned());
        self.coverage("expired-user", "complete")
    }
}
