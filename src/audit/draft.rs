//! Findings before exemptions are applied.

use super::finding::{Credential, Note};
use super::finding_id::{FindingId, FindingIdentity, same_creation};
use super::staleness::ReferenceDate;
use crate::model::inventory::{
    AccessKey, AccountId, CredentialHandle, CredentialKind, OtherCredential, Timestamp,
    UnreadableField, User,
};
use crate::model::policy::Rule;

/// The reference date of a finding, if it has one, or the unreadable field because of which the
/// rule cannot be evaluated.
pub(super) type RuleOutcome = Result<Option<ReferenceDate>, UnreadableField>;

/// A finding before exemptions are applied.
pub(super) struct DraftFinding<'a> {
    pub(super) rule: Rule,
    pub(super) credential: Option<Credential>,
    /// The creation of the credential for the finding id, and the position of the credential among
    /// those of the same kind and creation.
    pub(super) identity: (Option<&'a Timestamp>, usize),
    pub(super) outcome: RuleOutcome,
    pub(super) notes: Vec<Note>,
}

impl<'a> DraftFinding<'a> {
    pub(super) fn for_user(rule: Rule, outcome: RuleOutcome) -> Self {
        Self { rule, credential: None, identity: (None, 0), outcome, notes: Vec::new() }
    }

    pub(super) fn for_password(rule: Rule, credential: Credential, outcome: RuleOutcome) -> Self {
        Self { credential: Some(credential), ..Self::for_user(rule, outcome) }
    }

    pub(super) fn for_access_key(
        rule: Rule,
        user: &'a User<'_>,
        key: &'a AccessKey<'_>,
        outcome: RuleOutcome,
    ) -> Self {
        let siblings = user.access_keys.iter().map(|sibling| (&sibling.created, &sibling.handle));
        Self {
            rule,
            credential: Some(Credential {
                kind: CredentialKind::AccessKey,
                handle: Some(key.handle.clone()),
                created: key.created.at(),
                last_used_service: key.last_used_service.as_deref().map(str::to_owned),
            }),
            identity: (Some(&key.created), ordinal(siblings, &key.created, &key.handle)),
            outcome,
            notes: Vec::new(),
        }
    }

    pub(super) fn for_other_credential(
        rule: Rule,
        user: &'a User<'_>,
        credential: &'a OtherCredential,
        outcome: RuleOutcome,
    ) -> Self {
        let OtherCredential { kind, handle, created, .. } = credential;
        let same_kind = user.other_credentials.iter().filter(|sibling| sibling.kind == *kind);
        let siblings = same_kind.map(|sibling| (&sibling.created, &sibling.handle));
        Self {
            rule,
            credential: Some(Credential {
                kind: *kind,
                handle: Some(handle.clone()),
                created: created.at(),
                last_used_service: None,
            }),
            identity: (Some(created), ordinal(siblings, created, handle)),
            outcome,
            notes: Vec::new(),
        }
    }

    /// For a finding that does not depend on its date: an unreadable date is only a note.
    pub(super) fn regardless_of_date(
        mut self,
        since: Result<ReferenceDate, UnreadableField>,
    ) -> Self {
        match since {
            Ok(since) => self.outcome = Ok(Some(since)),
            Err(field) => {
                self.outcome = Ok(None);
                self.notes.push(Note::Unreadable(field));
            }
        }
        self
    }

    /// The id of the finding that this draft about `user` becomes.
    pub(super) fn finding_id(&self, account: AccountId, user: &User<'_>) -> FindingId {
        let (created, ordinal) = self.identity;
        let identity = FindingIdentity {
            account,
            user: &user.name,
            user_created: &user.created,
            rule: self.rule,
            kind: self.credential.as_ref().map(|it| it.kind),
            created,
            ordinal,
        };
        identity.finding_id()
    }
}

/// How many credentials with the same creation sort before `handle`.
fn ordinal<'a>(
    siblings: impl Iterator<Item = (&'a Timestamp, &'a CredentialHandle)>,
    created: &Timestamp,
    handle: &CredentialHandle,
) -> usize {
    siblings.filter(|(other, sibling)| same_creation(other, created) && *sibling < handle).count()
}
