//! Inventory × allowlist × policy × now → [`Audit`]. Pure: the same input gives the same audit.

mod age;
mod audited;
mod cleared;
mod coverage;
mod exemption;
mod finding;
mod fingerprint;
mod next;
mod result;
mod rules;
mod staleness;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use age::{AgeProblem, EvidenceAge};
pub use audited::{AuditedAccount, Cleared, Clearing};
pub use finding::{Coverage, Credential, Finding, Held, Note, Reference, Status, Subject};
pub use fingerprint::Fingerprint;
pub use next::Next;
pub use result::{AllowlistOrigin, Audit, Counts, Matched, Outcome, ReviewedExemption};

use crate::allowlist::{Allowlist, FormerAccount};
use crate::model::inventory::{
    Account, AccountId, CredentialKind, Evidence, Form, Handle, MaxEvidenceAge, Piece, User,
};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Policy, Rule};
use exemption::{Exemptions, Match};
use rules::{Criteria, Draft};

/// Judges the accounts by the policy and weighs the allowlist's exemptions. `now` is the moment by
/// which days are counted.
#[must_use]
pub fn judge(
    accounts: &[Account<'_>],
    allowlist: &Allowlist,
    origin: AllowlistOrigin,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Audit {
    let mut judge = Judge::new(allowlist, policy, now);
    for account in accounts {
        judge.hear(account);
    }
    judge.verdict(origin)
}

/// Judges one account after the other, so that nobody need keep more than one at a time. The order
/// in which they are heard makes no difference.
pub struct Judge<'a> {
    criteria: Criteria<'a>,
    exemptions: Exemptions<'a>,
    remediation: Option<&'a RemediationPolicy>,
    former_accounts: &'a [FormerAccount],
    heard: Vec<(AuditedAccount, Vec<Finding>)>,
}

impl<'a> Judge<'a> {
    /// `now` is the moment by which days are counted.
    #[must_use]
    pub fn new(allowlist: &'a Allowlist, policy: &'a Policy, now: DateTime<Utc>) -> Self {
        let exemptions = Exemptions::new(allowlist, now.date_naive());
        let remediation = allowlist.remediation.as_ref();
        Self {
            criteria: Criteria::new(policy, now),
            exemptions,
            remediation,
            former_accounts: &allowlist.former_accounts,
            heard: Vec::new(),
        }
    }

    /// Limits the age of evidence.
    #[must_use]
    pub const fn with_max_evidence_age(mut self, limit: MaxEvidenceAge) -> Self {
        self.criteria.max_age = limit;
        self
    }

    /// Judges an account.
    pub fn hear(&mut self, account: &Account<'_>) {
        self.heard.push(judge_account(account, self.criteria, &mut self.exemptions));
    }

    /// Takes over what another heard by the same allowlist, policy and moment, so that accounts can
    /// be judged side by side.
    pub fn join(&mut self, other: Self) {
        self.heard.extend(other.heard);
        self.exemptions.join(&other.exemptions);
    }

    /// The verdict on all accounts that were heard. `origin` is the allowlist's.
    #[must_use]
    pub fn verdict(mut self, origin: AllowlistOrigin) -> Audit {
        self.heard.sort_by_key(|(account, _)| account.id);
        let each_once = self.heard.is_sorted_by(|(a, _), (b, _)| a.id < b.id);
        let mut accounts = Vec::with_capacity(self.heard.len());
        let mut findings =
            Vec::with_capacity(self.heard.iter().map(|(_, findings)| findings.len()).sum());
        for (account, of_account) in self.heard {
            accounts.push(account);
            findings.extend(of_account);
        }
        // Those of each account are in order already.
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
            exemptions: self.exemptions.review(),
            former_accounts: self.former_accounts.to_vec(),
        }
    }
}

/// The users whom a sweep cannot clear, so that a second look is due: those with a stale or
/// unknown password or key, and those with credentials that the report does not show.
pub fn candidates<'a, 'd>(
    account: &'a Account<'d>,
    policy: &'a Policy,
    now: DateTime<Utc>,
) -> impl Iterator<Item = &'a User<'d>> {
    let criteria = Criteria::new(policy, now);
    account.users.iter().filter(move |user| rules::is_candidate(user, criteria))
}

/// Whether the sweep cannot clear the user, so that a second look is due.
#[must_use]
pub fn is_candidate(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> bool {
    rules::is_candidate(user, Criteria::new(policy, now))
}

/// Whether neither a password nor a key nor another credential of the user was seen.
#[must_use]
pub fn shows_no_credential(user: &User<'_>) -> bool {
    rules::shows_no_credential(user)
}

/// Whether a rule has something against the user. An exemption is not asked for, so the rule about
/// users whom none names is left out.
#[must_use]
pub fn is_flagged(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> bool {
    let mut drafts = Vec::new();
    rules::judge_user(user, Criteria::new(policy, now), &mut drafts);
    drafts.iter().any(|draft| draft.rule != Rule::UnlistedUser)
}

/// The date from which the longest disuse among the user's stale credentials is counted; `None`
/// for a user whom the sweep clears.
#[must_use]
pub fn stale_since(user: &User<'_>, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut drafts = Vec::new();
    rules::judge_user(user, Criteria::new(policy, now), &mut drafts);
    let stale = drafts.iter().filter(|draft| Rule::STALE.contains(&draft.rule));
    stale.filter_map(|draft| draft.verdict.as_ref().ok()?.map(|(_, moment)| moment)).min()
}

/// The rules that are incomplete where a piece of evidence could not be had.
#[must_use]
pub const fn rules_of(piece: Piece) -> &'static [Rule] {
    coverage::rules_of(piece)
}

fn judge_account(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    exemptions: &mut Exemptions<'_>,
) -> (AuditedAccount, Vec<Finding>) {
    exemptions.enter(account);
    let mut findings = Vec::new();
    let (mut drafts, mut matches) = (Vec::new(), Vec::new());
    let (mut candidates, mut without_shown_credentials) = (0, 0);
    for user in account.users.iter().chain(&account.root) {
        exemptions.speaking_of(user, account.id, &mut matches);
        let is_root = account.root.as_ref().is_some_and(|root| std::ptr::addr_eq(root, user));
        if is_root {
            rules::judge_root(user, criteria, &mut drafts);
        } else {
            rules::judge_user(user, criteria, &mut drafts);
            candidates += usize::from(rules::is_candidate(user, criteria));
            without_shown_credentials += usize::from(is_without_shown_credentials(user));
        }
        if exemptions.name_in_force(&matches) {
            drafts.retain(|draft| draft.rule != Rule::UnlistedUser);
        }
        if !drafts.is_empty() {
            let clerk = Clerk { account: account.id, user, criteria };
            clerk.file(&mut drafts, &matches, exemptions, &mut findings);
        }
    }
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    let age = age::of(account, criteria);
    let audited = AuditedAccount {
        id: account.id,
        partition: account.partition.clone(),
        alias: account.alias.clone(),
        report_generated_at: account.report_generated_at,
        age,
        users: account.users.len(),
        candidates,
        users_without_shown_credentials: match account.form {
            Form::ExportedReport | Form::FetchedReport => without_shown_credentials,
            Form::Live => 0,
        },
        form: account.form,
        rechecked: account.users.iter().filter(|it| it.evidence() == Evidence::ReChecked).count(),
        coverage: coverage::of(account, criteria, &findings, age),
        gaps: account.gaps.clone(),
        asked_after: account.asked_after.clone(),
        cleared: cleared::of(account, criteria, &findings),
    };
    (audited, findings)
}

/// Whether no credential was seen where not all kinds were looked for.
fn is_without_shown_credentials(user: &User<'_>) -> bool {
    !user.other_credentials_complete && !user.hidden_credentials && rules::shows_no_credential(user)
}

/// Makes findings of one user's drafts.
struct Clerk<'a, 'd> {
    account: AccountId,
    user: &'a User<'d>,
    criteria: Criteria<'a>,
}

impl Clerk<'_, '_> {
    fn file(
        &self,
        drafts: &mut Vec<Draft<'_>>,
        matches: &[Match],
        exemptions: &mut Exemptions<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let user = self.user;
        let subject = Arc::new(Subject {
            account: self.account,
            name: user.name.clone().into_owned(),
            arn: user.arn.clone().into_owned(),
            user_id: user.id.clone(),
            created: user.created.at(),
            mfa: user.mfa,
            evidence: user.evidence(),
            owner: user.owner.clone(),
            permissions: user.permissions.clone(),
            credentials: held(user),
            last_accessed: user.last_accessed.clone(),
            in_use: rules::in_use(user, self.criteria),
            all_kinds_seen: user.other_credentials_complete,
        });
        for draft in drafts.drain(..) {
            let (exemption, exemption_notes) = exemptions.weigh(&draft, matches);
            findings.push(self.finding(draft, Arc::clone(&subject), exemption, exemption_notes));
        }
    }

    fn finding(
        &self,
        draft: Draft<'_>,
        subject: Arc<Subject>,
        exemption: Option<usize>,
        exemption_notes: Vec<Note>,
    ) -> Finding {
        let Criteria { policy, now, .. } = self.criteria;
        let id = draft.fingerprint(self.account, self.user);
        let mut notes = draft.notes;
        let (known, reference) = match draft.verdict {
            Ok(since) => (true, since),
            Err(field) => {
                // Where credentials are hidden, there is no field to blame.
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
                (Some(_), _) => Status::Exempted,
                (None, true) => Status::Open,
                (None, false) => Status::Unknown,
            },
            evidence: evidence(self.user, draft.credential.as_ref()),
            clock: next::clock(draft.rule, draft.credential.as_ref(), self.user),
            subject,
            credential: draft.credential,
            days: reference.map(|(_, moment)| staleness::days(now, moment)),
            reference,
            notes,
            exemption,
        }
    }
}

/// The user's credentials, in a fixed order.
fn held(user: &User<'_>) -> Vec<Held> {
    let password =
        user.password.as_ref().map(|_| Held { kind: CredentialKind::Password, handle: None });
    let keys = user
        .access_keys
        .iter()
        .map(|it| Held { kind: CredentialKind::AccessKey, handle: Some(it.handle.clone()) });
    let others = user
        .other_credentials
        .iter()
        .map(|it| Held { kind: it.kind, handle: Some(it.handle.clone()) });
    let mut held: Vec<_> = password.into_iter().chain(keys).chain(others).collect();
    held.sort();
    held
}

/// How a credential of the user was seen; `None` for a verdict on the user.
fn evidence(user: &User<'_>, credential: Option<&Credential>) -> Evidence {
    match credential {
        None => user.evidence(),
        Some(Credential { kind: CredentialKind::Password, .. }) => user.password_evidence,
        Some(Credential { kind: CredentialKind::AccessKey, .. }) => user.access_key_evidence,
        // A report names these by slots, the live API by ids.
        Some(Credential { handle: Some(Handle::Id(_)), .. }) => Evidence::ReChecked,
        Some(_) => Evidence::CredentialReport,
    }
}
