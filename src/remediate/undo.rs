//! Activates deactivated credentials again, as recorded in the journal, and lists deletions that
//! cannot be undone.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::accounts::{RemediationAccounts, RemediationUser};
use super::apply::{ChangeError, Executor};
use super::history::{History, PastStep, StepOutcome};
use super::journal::{JournalError, UserDeletion};
use super::plan::Facts;
use super::plan::step::{IamWrite, RemediationStep};
use crate::model::inventory::UserRecord;
use crate::model::remediation_tag::{self, RemediationStatus, RemediationTag, TagSubject};
use crate::observe::UserLookup;
use crate::observe::call::CallLimits;

/// The plan of an undo run.
#[derive(Debug, Clone, Default)]
pub struct UndoPlan {
    pub steps: Vec<RemediationStep>,
    /// The deactivations that are not undone, with the reason.
    pub skipped: Vec<(RemediationStep, UndoSkipReason)>,
    /// The deletions, which cannot be undone.
    pub irreversible: Vec<RemediationStep>,
    /// The deleted users, with what a person needs to create them again.
    pub deleted_users: Vec<UserDeletion>,
    /// The users that could not be fetched, with the error message.
    pub lookup_failures: Vec<(RemediationUser, String)>,
}

impl UndoPlan {
    /// Whether a deactivation is not undone because it is unclear who made it. The undo is then
    /// incomplete.
    #[must_use]
    pub fn has_conflict(&self) -> bool {
        self.skipped.iter().any(|(_, why)| *why == UndoSkipReason::TagMismatch)
    }
}

/// Why a deactivation is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoSkipReason {
    Active,
    Gone,
    UserGone,
    /// The credential was used after the run deactivated it.
    UsedSince,
    /// The tag does not match the journal.
    TagMismatch,
}

impl UndoSkipReason {
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Active => "the credential is already active",
            Self::Gone => "the credential no longer exists",
            Self::UserGone => "the user no longer exists",
            Self::UsedSince => {
                "the credential was used after the run deactivated it, so someone else deactivated it again"
            }
            Self::TagMismatch => {
                "the remediation tag does not match the journal: someone else may have deactivated \
                 the credential"
            }
        }
    }
}

/// The result of an undo run.
#[derive(Debug, Clone, Default)]
pub struct UndoResult {
    pub made: Vec<RemediationStep>,
    /// The steps that failed, with the error message.
    pub failed: Vec<(RemediationStep, String)>,
}

/// A deactivation that the journal records.
#[derive(Debug, Clone)]
struct JournaledDeactivation {
    /// When the step started.
    at: DateTime<Utc>,
    step: RemediationStep,
    /// The value of the tag that was set afterwards. `None` if the run was interrupted before that.
    tag: Option<RemediationTag>,
    /// Whether the journal does not say if the tag was set.
    tag_is_uncertain: bool,
    /// Whether a later run found the credential active. If it is inactive now, someone else
    /// deactivated it.
    is_superseded: bool,
}

impl JournaledDeactivation {
    /// Whether the tag of the credential matches the journal: it says that a run deactivated the
    /// credential, and when. If the run was interrupted before it set the tag, the tag is still the
    /// earlier notice.
    fn matches_tag(&self, tag: Option<RemediationTag>) -> bool {
        let Some(tag) = tag else { return false };
        let is_as_set = self.tag.is_some_and(|set| {
            (set.reached, set.since) == (tag.reached, tag.since)
                && tag.reached == RemediationStatus::Deactivated
        });
        let may_be_unset = self.tag.is_none() || self.tag_is_uncertain;
        is_as_set
            || (may_be_unset && tag.reached == RemediationStatus::Notified && tag.since <= self.at)
    }
}

/// The deactivations to undo according to the journal, the last one first. `users`, in lower case,
/// limits them unless it is empty.
fn journaled_deactivations(
    history: &History,
    users: &BTreeSet<String>,
) -> Vec<JournaledDeactivation> {
    let mut deactivations: Vec<JournaledDeactivation> = Vec::new();
    let past = |it: &&PastStep| {
        let name = it.step.user.to_ascii_lowercase();
        it.outcome != StepOutcome::NotDone && (users.is_empty() || users.contains(&name))
    };
    for PastStep { step, at, outcome, part_of_deletion, .. } in history.steps.iter().filter(past) {
        let is_same = |it: &JournaledDeactivation| {
            it.step.user_id == step.user_id && it.step.write.subject() == step.write.subject()
        };
        let is_done = *outcome == StepOutcome::Done;
        match &step.write {
            // A user is deleted only if no credential is active. Someone else deactivated what no
            // earlier run did.
            IamWrite::Deactivate { .. } if *part_of_deletion => {}
            IamWrite::Deactivate { .. } => {
                deactivations.retain(|it| !is_same(it));
                let step = step.clone();
                deactivations.push(JournaledDeactivation {
                    at: *at,
                    step,
                    tag: None,
                    tag_is_uncertain: false,
                    is_superseded: false,
                });
            }
            IamWrite::Activate { .. } if is_done => deactivations.retain(|it| !is_same(it)),
            IamWrite::Tag { value, .. } => match value.parse::<RemediationTag>() {
                Ok(tag) if tag.reached == RemediationStatus::Deactivated => {
                    for it in deactivations.iter_mut().filter(|it| is_same(it)) {
                        (it.tag, it.tag_is_uncertain) = (Some(tag), !is_done);
                        it.is_superseded = false;
                    }
                }
                // A notice is for an active credential, so someone had activated it. If it is
                // inactive now, someone else deactivated it. The status `inactive` says the same.
                _ if is_done => mark_superseded(&mut deactivations, is_same),
                _ => {}
            },
            // No run removes the tag while the credential that it deactivated is inactive and
            // unused.
            IamWrite::Untag { .. } if is_done => mark_superseded(&mut deactivations, is_same),
            _ => {}
        }
    }
    deactivations.retain(|it| !it.is_superseded);
    deactivations.reverse();
    deactivations
}

fn mark_superseded(
    deactivations: &mut [JournaledDeactivation],
    is_same: impl Fn(&JournaledDeactivation) -> bool,
) {
    for it in deactivations.iter_mut().filter(|it| is_same(it)) {
        it.is_superseded = true;
    }
}

/// The deletions that the journal records.
fn irreversible_steps(history: &History, users: &BTreeSet<String>) -> Vec<RemediationStep> {
    let is_irreversible = |past: &&PastStep| {
        let name = past.step.user.to_ascii_lowercase();
        past.outcome != StepOutcome::NotDone
            && (users.is_empty() || users.contains(&name))
            && matches!(
                past.step.write,
                IamWrite::DeletePassword | IamWrite::DeleteCredential { .. } | IamWrite::DeleteUser
            )
    };
    history.steps.iter().filter(is_irreversible).map(|past| past.step.clone()).collect()
}

/// The steps that undo one deactivation. `None` is a user who no longer exists.
fn undo_steps(
    deactivation: &JournaledDeactivation,
    seen: Option<&UserRecord>,
) -> Result<Vec<RemediationStep>, UndoSkipReason> {
    let JournaledDeactivation { at, step, .. } = deactivation;
    let IamWrite::Deactivate { kind, id } = &step.write else { return Ok(Vec::new()) };
    let user = &seen.ok_or(UndoSkipReason::UserGone)?.user;
    let subject = TagSubject::Credential(*kind, Some(id.clone()));
    let facts = Facts::of(&subject, user);
    match facts.active {
        None => return Err(UndoSkipReason::Gone),
        Some(true) => return Err(UndoSkipReason::Active),
        Some(false) if facts.last_used.is_some_and(|used| used > *at) => {
            return Err(UndoSkipReason::UsedSince);
        }
        Some(false) => {}
    }
    let tag = user.tags.as_ref().and_then(|tags| remediation_tag::find(&subject, tags));
    if !deactivation.matches_tag(tag) {
        return Err(UndoSkipReason::TagMismatch);
    }
    let with_write = |write| RemediationStep { write, ..step.clone() };
    let mut steps = vec![with_write(IamWrite::Activate { kind: *kind, id: id.clone() })];
    // After the removal of the tag, the days start again with a new notice.
    steps.push(with_write(IamWrite::Untag { subject, was: None }));
    Ok(steps)
}

/// Plans what to undo.
pub async fn plan_undo(
    accounts: &RemediationAccounts,
    history: &History,
    users: &BTreeSet<String>,
) -> UndoPlan {
    let limits = accounts.limits();
    let irreversible = irreversible_steps(history, users);
    let is_irreversible = |deletion: &&UserDeletion| {
        irreversible
            .iter()
            .any(|step| step.user_id == deletion.user_id && step.write == IamWrite::DeleteUser)
    };
    let deleted_users = history.deletions.iter().filter(is_irreversible).cloned().collect();
    let mut undo =
        UndoPlan { irreversible: irreversible.clone(), deleted_users, ..UndoPlan::default() };
    for deactivation in journaled_deactivations(history, users) {
        let step = deactivation.step.clone();
        let seen = match look_up_completely(accounts, &limits, &step).await {
            Ok(seen) => seen,
            Err(message) => {
                undo.lookup_failures.push(((step.account, step.user), message));
                continue;
            }
        };
        match undo_steps(&deactivation, seen.as_deref()) {
            Ok(steps) => undo.steps.extend(steps),
            // A credential that was deleted later is listed as irreversible.
            Err(UndoSkipReason::Gone | UndoSkipReason::UserGone)
                if is_deleted_later(&step, &irreversible) => {}
            Err(why) => undo.skipped.push((step, why)),
        }
    }
    undo
}

/// Fetches the user of a step. `None` is a user who no longer exists. Fails if the data is
/// incomplete.
async fn look_up_completely(
    accounts: &RemediationAccounts,
    limits: &CallLimits,
    step: &RemediationStep,
) -> Result<Option<Box<UserRecord>>, String> {
    let user_record = match accounts.look_up_user(limits, step.account, &step.user, false).await {
        Ok(UserLookup::Found(user_record)) => user_record,
        Ok(UserLookup::NotFound) => return Ok(None),
        Err(failure) => return Err(format!("{}: {}", failure.action, failure.message)),
    };
    if user_record.user.id.as_deref() != Some(step.user_id.as_str()) {
        return Ok(None);
    }
    match user_record.gaps.first() {
        None => Ok(Some(user_record)),
        Some(gap) => Err(format!("{}: {}", gap.action, gap.message)),
    }
}

fn is_deleted_later(step: &RemediationStep, irreversible: &[RemediationStep]) -> bool {
    let IamWrite::Deactivate { kind, id } = &step.write else { return false };
    let deletion = IamWrite::DeleteCredential { kind: *kind, id: id.clone() };
    irreversible.iter().any(|it| {
        it.user_id == step.user_id && (it.write == deletion || it.write == IamWrite::DeleteUser)
    })
}

impl Executor<'_> {
    /// Applies an undo plan, with a re-check before each step.
    ///
    /// # Errors
    /// [`JournalError`] if a step cannot be written to the journal. No further changes are made.
    pub async fn undo(&mut self, undo: &UndoPlan) -> Result<UndoResult, JournalError> {
        let mut undone = UndoResult::default();
        let accounts = self.accounts;
        let deactivations = journaled_deactivations(self.history, &BTreeSet::new());
        for step in &undo.steps {
            let Some(account_session) = accounts.account_session(step.account) else { continue };
            let is_same = |it: &RemediationStep| {
                it.user_id == step.user_id && it.write.subject() == step.write.subject()
            };
            // The tag of a credential that is still inactive stays. It says since when.
            if undone.failed.iter().any(|(it, _)| is_same(it)) {
                continue;
            }
            let outcome = match deactivations.iter().find(|it| is_same(&it.step)) {
                Some(deactivation) if matches!(step.write, IamWrite::Activate { .. }) => {
                    match look_up_completely(accounts, &self.limits, step).await {
                        Err(why) => Err(ChangeError::Outdated(why)),
                        Ok(seen) => match undo_steps(deactivation, seen.as_deref()) {
                            Err(why) => Err(ChangeError::Outdated(why.message().to_owned())),
                            Ok(_) => self.perform(account_session, step).await,
                        },
                    }
                }
                _ => self.perform(account_session, step).await,
            };
            match outcome {
                Ok(()) => undone.made.push(step.clone()),
                Err(ChangeError::Journal(error)) => return Err(error),
                Err(ChangeError::Outdated(why)) => undone.failed.push((step.clone(), why)),
                Err(ChangeError::Failed(failure)) => {
                    let why = format!("{} failed: {}", failure.action, failure.message);
                    undone.failed.push((step.clone(), why));
                }
            }
        }
        Ok(undone)
    }
}
