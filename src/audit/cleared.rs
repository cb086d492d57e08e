//! Findings of the credential report that the re-check cleared.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::audited_account::{ClearedFinding, ClearedReason};
use super::criteria::Criteria;
use super::draft::DraftFinding;
use super::finding::Finding;
use super::finding_id::{FindingId, same_creation};
use super::rules;
use crate::model::inventory::{Account, CredentialKind, Flag, Timestamp, User};

/// The stale findings of replaced report rows that are not in `findings`.
pub(super) fn of(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    findings: &[Finding],
) -> Vec<ClearedFinding> {
    if account.replaced_rows.is_empty() {
        return Vec::new();
    }
    let finding_ids: BTreeSet<FindingId> = findings.iter().map(|finding| finding.id).collect();
    let mut cleared = Vec::new();
    let mut drafts = Vec::new();
    for row in &account.replaced_rows {
        rules::check_user(row, criteria, &mut drafts);
        let stale = |draft: &DraftFinding<'_>| draft.rule.finds_disuse() && draft.outcome.is_ok();
        for draft in drafts.drain(..).filter(stale) {
            let id = draft.finding_id(account.id, row);
            if let Some(credential) = draft.credential
                && !finding_ids.contains(&id)
            {
                let now = account.users.iter().find(|user| is_same(user, row));
                cleared.push(ClearedFinding {
                    id,
                    rule: draft.rule,
                    user: row.name.clone().into_owned(),
                    kind: credential.kind,
                    created: credential.created,
                    reason: cleared_reason(credential.kind, credential.created, now),
                });
            }
        }
    }
    cleared.sort_by(|a, b| (&a.user, a.rule, a.id).cmp(&(&b.user, b.rule, b.id)));
    cleared
}

/// A user with the same name that was created at another time is another user.
fn is_same(user: &User<'_>, row: &User<'_>) -> bool {
    user.name.eq_ignore_ascii_case(&row.name) && same_creation(&user.created, &row.created)
}

fn cleared_reason(
    kind: CredentialKind,
    created: Option<DateTime<Utc>>,
    user: Option<&User<'_>>,
) -> ClearedReason {
    let Some(user) = user else { return ClearedReason::UserGone };
    let (active, last_used) = if kind == CredentialKind::Password {
        match &user.password {
            Some(password) => (&password.enabled, &password.last_used),
            None => return ClearedReason::Removed,
        }
    } else {
        match user.access_keys.iter().find(|key| key.created.at() == created) {
            Some(key) => (&key.active, &key.last_used),
            None => return ClearedReason::Removed,
        }
    };
    match (active, last_used) {
        (Flag::No, _) => ClearedReason::Deactivated,
        (_, Timestamp::At(moment)) => ClearedReason::Used(*moment),
        _ => ClearedReason::Changed,
    }
}
