//! Accounts × allowlist × policy × now → [`Audit`]. Pure: the same input gives the same audit.

mod audited_account;
mod cleared;
mod coverage;
mod criteria;
mod draft;
mod evidence_age;
mod exemption;
mod finding;
mod finding_id;
mod next_stage;
mod remediation_record;
mod result;
mod rules;
mod staleness;
mod user_state;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use audited_account::{AuditedAccount, ClearedFinding, ClearedReason, ClearedReasonKind};
pub use evidence_age::{AgeProblem, EvidenceAge};
pub use finding::{
    Coverage, Credential, Finding, FindingStatus, FindingUser, Note, NoteKind, ReferenceKind,
    UserCredential,
};
pub use finding_id::FindingId;
pub use next_stage::NextStage;
pub use remediation_record::RemediationRecord;
pub use result::{
    AllowlistOrigin, Audit, AuditOutcome, ExemptionMatch, ExemptionMatchKind, ExemptionResult,
    FindingCounts,
};
pub use rules::{Automation, Control, DayCount, Remediation, RemediationAction};

use crate::allowlist::{Allowlist, FormerAccount};
use crate::model::inventory::{
    Account, AccountId, CredentialHandle, CredentialKind, Evidence, EvidenceItem, EvidenceSource,
    MaxEvidenceAge, User,
};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy, Rule};
use criteria::Criteria;
use draft::DraftFinding;
use exemption::{Exemptions, MatchingExemption};

/// Audits the accounts. Days are counted up to `now`.
#[must_use]
pub fn audit_accounts(
    accounts: &[Account<'_>],
    allowlist: &Allowlist,
    origin: AllowlistOrigin,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Audit {
    let mut auditor = Auditor::new(allowlist, policy, now);
    for account in accounts {
        auditor.add_account(account);
    }
    auditor.finish(origin)
}

/// Audits one account after the other, so that only one must be in memory at a time. The order of
/// the accounts makes no difference.
pub struct Auditor<'a> {
    criteria: Criteria<'a>,
    exemptions: Exemptions<'a>,
    remediation: Option<&'a RemediationPolicy>,
    former_accounts: &'a [FormerAccount],
    audited: Vec<(AuditedAccount, Vec<Finding>)>,
    remediations: Vec<RemediationRecord>,
}

impl<'a> Auditor<'a> {
    /// Days are counted up to `now`.
    #[must_use]
    pub fn new(allowlist: &'a Allowlist, policy: &'a Policy, now: DateTime<Utc>) -> Self {
        let exemptions = Exemptions::new(allowlist, now.date_naive());
        let remediation = allowlist.remediation.as_ref();
        Self {
            criteria: Criteria::new(policy, now),
            exemptions,
            remediation,
            former_accounts: &allowlist.former_accounts,
            audited: Vec::new(),
            remediations: Vec::new(),
        }
    }

    #[must_use]
    pub const fn with_max_evidence_age(mut self, limit: MaxEvidenceAge) -> Self {
        self.criteria.max_age = limit;
        self
    }

    pub fn add_account(&mut self, account: &Account<'_>) {
        self.remediations.extend(remediation_record::of_account(account));
        self.audited.push(audit_account(account, self.criteria, &mut self.exemptions));
    }

    /// Adds the accounts of another auditor with the same allowlist, policy and time, so that
    /// accounts can be audited in parallel.
    pub fn merge(&mut self, other: Self) {
        self.audited.extend(other.audited);
        self.remediations.extend(other.remediations);
        self.exemptions.merge(&other.exemptions);
    }

    /// The audit of all added accounts.
    #[must_use]
    pub fn finish(mut self, origin: AllowlistOrigin) -> Audit {
        self.audited.sort_by_key(|(account, _)| account.id);
        self.remediations.sort_by_key(|record| (record.account, record.id));
        let each_once = self.audited.is_sorted_by(|(a, _), (b, _)| a.id < b.id);
        let mut accounts = Vec::with_capacity(self.audited.len());
        let mut findings =
            Vec::with_capacity(self.audited.iter().map(|(_, findings)| findings.len()).sum());
        for (account, of_account) in self.audited {
            accounts.push(account);
            findings.extend(of_account);
        }
        // The findings of each account are sorted already.
        if !each_once {
            findings.sort_by(Finding::compare);
        }
        Audit {
            now: self.criteria.now,
            policy: self.criteria.policy.clone(),
            remediation: self.remediation.cloned(),
            allowlist: origin,
            accounts,
            findings,
            remediations: self.remediations,
            exemptions: self.exemptions.finish(),
            former_accounts: self.former_accounts.to_vec(),
        }
    }
}

/// The flagged users: users with a stale or unknown password or key, and users with credentials
/// that the report does not show.
pub fn flagged_users<'a, 'd>(
    account: &'a Account<'d>,
    policy: &'a Policy,
    now: DateTime<Utc>,
) -> impl Iterator<Item = &'a User<'d>> {
    let criteria = Criteria::new(policy, now);
    account.users.iter().filter(move |user| user_state::is_flagged(user, criteria))
}

/// Whether the credential report cannot clear the user, so the user must be re-checked.
#[must_use]
pub fn is_flagged(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> bool {
    user_state::is_flagged(user, Criteria::new(policy, now))
}

/// Whether the evidence shows no password, key or other credential of the user.
#[must_use]
pub fn has_no_visible_credential(user: &User<'_>) -> bool {
    user_state::has_no_visible_credential(user)
}

/// Whether a rule finds something about the user. Exemptions are not applied, so the rule about
/// unlisted users is left out.
#[must_use]
pub fn has_findings(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> bool {
    let mut drafts = Vec::new();
    rules::check_user(user, Criteria::new(policy, now), &mut drafts);
    drafts.iter().any(|draft| !draft.rule.finds_unlisted())
}

/// Whether the user has an inactive key that is a warning or an error, so that `remediate` may delete it.
#[must_use]
pub fn has_inactive_findings(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> bool {
    let mut drafts = Vec::new();
    rules::check_user(user, Criteria::new(policy, now), &mut drafts);
    drafts.iter().any(|draft| {
        draft.credential.is_some()
            && draft.rule.requires_inactive()
            && policy.level(draft.rule) >= Level::Warning
    })
}

/// The earliest reference date among the user's stale credentials; `None` if no credential is
/// stale.
#[must_use]
pub fn stale_since(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut drafts = Vec::new();
    rules::check_user(user, Criteria::new(policy, now), &mut drafts);
    let stale = drafts.iter().filter(|draft| draft.rule.finds_disuse());
    stale.filter_map(|draft| draft.outcome.as_ref().ok()?.map(|(_, moment)| moment)).min()
}

/// The rules that are incomplete without this evidence.
pub fn rules_requiring(item: EvidenceItem) -> impl Iterator<Item = Rule> {
    Rule::ALL.into_iter().filter(move |rule| rule.requires(item))
}

/// Whether no rule needs this evidence: it only adds details to the report.
#[must_use]
pub fn is_optional_evidence(item: EvidenceItem) -> bool {
    rules_requiring(item).next().is_none()
}

fn audit_account(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    exemptions: &mut Exemptions<'_>,
) -> (AuditedAccount, Vec<Finding>) {
    exemptions.add_account(account);
    let mut findings = Vec::new();
    let (mut drafts, mut matches) = (Vec::new(), Vec::new());
    let (mut flagged_users, mut without_shown_credentials) = (0, 0);
    for user in account.users.iter().chain(&account.root) {
        exemptions.matching(user, account.id, &mut matches);
        let is_root = account.root.as_ref().is_some_and(|root| std::ptr::addr_eq(root, user));
        if is_root {
            rules::check_root_user(user, criteria, &mut drafts);
        } else {
            rules::check_user(user, criteria, &mut drafts);
            flagged_users += usize::from(user_state::is_flagged(user, criteria));
            without_shown_credentials += usize::from(has_no_shown_credentials(user));
        }
        if exemptions.any_in_force(&matches) {
            drafts.retain(|draft| !draft.rule.finds_unlisted());
        }
        if !drafts.is_empty() {
            let builder = FindingBuilder { account: account.id, user, criteria };
            builder.add_findings(&mut drafts, &matches, exemptions, &mut findings);
        }
    }
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    let age = evidence_age::of(account, criteria);
    let audited = AuditedAccount {
        id: account.id,
        partition: account.partition.clone(),
        alias: account.alias.clone(),
        report_generated_at: account.report_generated_at,
        age,
        users: account.users.len(),
        flagged_users,
        users_without_shown_credentials: match account.evidence_source {
            EvidenceSource::ExportedReport | EvidenceSource::FetchedReport => {
                without_shown_credentials
            }
            EvidenceSource::Live => 0,
        },
        evidence_source: account.evidence_source,
        rechecked: account.users.iter().filter(|it| it.evidence() == Evidence::ReChecked).count(),
        coverage: coverage::of(account, criteria, &findings, age),
        gaps: account.gaps.clone(),
        queried_users: account.queried_users.clone(),
        rechecked_users: account.rechecked_users.clone(),
        cleared: cleared::of(account, criteria, &findings),
    };
    (audited, findings)
}

/// Whether the evidence shows no credential, and does not show credentials of all kinds.
fn has_no_shown_credentials(user: &User<'_>) -> bool {
    !user.other_credentials_complete
        && !user.hidden_credentials
        && user_state::has_no_visible_credential(user)
}

/// Turns the drafts about one user into findings.
struct FindingBuilder<'a, 'd> {
    account: AccountId,
    user: &'a User<'d>,
    criteria: Criteria<'a>,
}

impl FindingBuilder<'_, '_> {
    fn add_findings(
        &self,
        drafts: &mut Vec<DraftFinding<'_>>,
        matches: &[MatchingExemption],
        exemptions: &mut Exemptions<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let user = self.user;
        let finding_user = Arc::new(FindingUser {
            account: self.account,
            name: user.name.clone().into_owned(),
            arn: user.arn.clone().into_owned(),
            user_id: user.id.clone(),
            created: user.created.at(),
            mfa: user.mfa,
            evidence: user.evidence(),
            owner: user.owner.clone(),
            permissions: user.permissions.clone(),
            credentials: credentials_of(user),
            last_accessed: user.last_accessed.clone(),
            in_use: user_state::in_use(user, self.criteria),
            all_kinds_seen: user.other_credentials_complete,
        });
        for draft in drafts.drain(..) {
            let (exemption, exemption_notes) = exemptions.find_covering(&draft, matches);
            findings.push(self.finding(
                draft,
                Arc::clone(&finding_user),
                exemption,
                exemption_notes,
            ));
        }
    }

    fn finding(
        &self,
        draft: DraftFinding<'_>,
        user: Arc<FindingUser>,
        exemption: Option<usize>,
        exemption_notes: Vec<Note>,
    ) -> Finding {
        let Criteria { policy, now, .. } = self.criteria;
        let id = draft.finding_id(self.account, self.user);
        let mut notes = draft.notes;
        let (known, reference) = match draft.outcome {
            Ok(since) => (true, since),
            Err(field) => {
                // For hidden credentials there is no field to name.
                if !notes.contains(&Note::HiddenCredentials) {
                    notes.push(Note::Unreadable(field));
                }
                (false, None)
            }
        };
        notes.extend(exemption_notes);
        Finding {
            id,
            rule: draft.rule,
            level: policy.level(draft.rule),
            status: match (exemption, known) {
                (Some(_), _) => FindingStatus::Exempted,
                (None, true) => FindingStatus::Open,
                (None, false) => FindingStatus::Unknown,
            },
            evidence: evidence(self.user, draft.credential.as_ref()),
            remediation_tag: next_stage::remediation_tag_of(
                draft.rule,
                draft.credential.as_ref(),
                self.user,
            ),
            user,
            credential: draft.credential,
            days: reference.map(|(_, moment)| staleness::days(now, moment)),
            reference,
            notes,
            exemption,
        }
    }
}

/// The user's credentials, sorted.
fn credentials_of(user: &User<'_>) -> Vec<UserCredential> {
    let password = user
        .password
        .as_ref()
        .map(|_| UserCredential { kind: CredentialKind::Password, handle: None });
    let keys = user.access_keys.iter().map(|it| UserCredential {
        kind: CredentialKind::AccessKey,
        handle: Some(it.handle.clone()),
    });
    let others = user
        .other_credentials
        .iter()
        .map(|it| UserCredential { kind: it.kind, handle: Some(it.handle.clone()) });
    let mut held: Vec<_> = password.into_iter().chain(keys).chain(others).collect();
    held.sort();
    held
}

/// How the evidence of a credential was collected, or of the user if there is no credential.
fn evidence(user: &User<'_>, credential: Option<&Credential>) -> Evidence {
    match credential {
        None => user.evidence(),
        Some(Credential { kind: CredentialKind::Password, .. }) => user.password_evidence,
        Some(Credential { kind: CredentialKind::AccessKey, .. }) => user.access_key_evidence,
        // A credential report identifies these by slot, the live API by id.
        Some(Credential { handle: Some(CredentialHandle::Id(_)), .. }) => Evidence::ReChecked,
        Some(_) => Evidence::CredentialReport,
    }
}
