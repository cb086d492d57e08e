//! What was deactivated, activated again by the journal; and what nothing brings back.

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

/// What is to be undone.
#[derive(Debug, Clone, Default)]
pub struct UndoPlan {
    /// The steps, in their order.
    pub steps: Vec<RemediationStep>,
    /// Deactivations that there is nothing to be done about: why.
    pub skipped: Vec<(RemediationStep, UndoSkipReason)>,
    /// What was deleted: nothing brings it back.
    pub irreversible: Vec<RemediationStep>,
    /// The users who were deleted, with what it takes to make them again by hand.
    pub deleted_users: Vec<UserDeletion>,
    /// The users who could not be looked at: what was answered.
    pub lookup_failures: Vec<(RemediationUser, String)>,
}

impl UndoPlan {
    /// Whether a deactivation that the journal shows is not undone, since it cannot be told whose it
    /// is: what was asked for is not done then.
    #[must_use]
    pub fn has_conflict(&self) -> bool {
        self.skipped.iter().any(|(_, why)| *why == UndoSkipReason::TagMismatch)
    }
}

/// Why a deactivation is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoSkipReason {
    /// The credential is active.
    Active,
    /// The credential is gone.
    Gone,
    /// The user is gone.
    UserGone,
    /// The credential was used after we had made it inactive.
    UsedSince,
    /// Its tag does not say what the journal says.
    TagMismatch,
}

impl UndoSkipReason {
    /// Why, in words.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Active => "it is active already",
            Self::Gone => "the credential is gone",
            Self::UserGone => "the user is gone",
            Self::UsedSince => "it was used since, so that somebody else made it inactive again",
            Self::TagMismatch => {
                "its tag does not say, as the journal does, that a run made it inactive: somebody \
                 else may have"
            }
        }
    }
}

/// What became of an undoing.
#[derive(Debug, Clone, Default)]
pub struct UndoResult {
    /// What was done.
    pub made: Vec<RemediationStep>,
    /// What failed: what was answered.
    pub failed: Vec<(RemediationStep, String)>,
}

/// A deactivation that stands by the journal.
#[derive(Debug, Clone)]
struct JournaledDeactivation {
    /// When it was begun.
    at: DateTime<Utc>,
    step: RemediationStep,
    /// What the tag was set to afterwards; `None` where the run was cut off before.
    tag: Option<RemediationTag>,
    /// Whether the journal does not say that the tag was set.
    tag_is_uncertain: bool,
    /// Whether a run has found since that somebody activated it: whoever made it inactive again was
    /// not us.
    is_superseded: bool,
}

impl JournaledDeactivation {
    /// Whether the credential's tag says what the journal says: that a run made it inactive, and
    /// when. Where the run was cut off before it set the tag, that is the notice of before.
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

/// The deactivations that stand, by the journal, the last first; of these users alone if any are
/// named, in lower case.
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
        let is_it = |it: &JournaledDeactivation| {
            it.step.user_id == step.user_id && it.step.write.subject() == step.write.subject()
        };
        let is_done = *outcome == StepOutcome::Done;
        match &step.write {
            // Whoever is deleted had nothing active left: what we did not make inactive before,
            // somebody else did.
            IamWrite::Deactivate { .. } if *part_of_deletion => {}
            IamWrite::Deactivate { .. } => {
                deactivations.retain(|it| !is_it(it));
                let step = step.clone();
                deactivations.push(JournaledDeactivation {
                    at: *at,
                    step,
                    tag: None,
                    tag_is_uncertain: false,
                    is_superseded: false,
                });
            }
            IamWrite::Activate { .. } if is_done => deactivations.retain(|it| !is_it(it)),
            IamWrite::Tag { value, .. } => match value.parse::<RemediationTag>() {
                Ok(clock) if clock.reached == RemediationStatus::Deactivated => {
                    for it in deactivations.iter_mut().filter(|it| is_it(it)) {
                        (it.tag, it.tag_is_uncertain) = (Some(clock), !is_done);
                        it.is_superseded = false;
                    }
                }
                // Notice is given of what is active: somebody had activated it, and whoever made it
                // inactive again was not us. `inactive` says just that.
                _ if is_done => mark_superseded(&mut deactivations, is_it),
                _ => {}
            },
            // No run removes the tag of what it deactivated while that is inactive and unused.
            IamWrite::Untag { .. } if is_done => mark_superseded(&mut deactivations, is_it),
            _ => {}
        }
    }
    deactivations.retain(|it| !it.is_superseded);
    deactivations.reverse();
    deactivations
}

fn mark_superseded(
    deactivations: &mut [JournaledDeactivation],
    is_it: impl Fn(&JournaledDeactivation) -> bool,
) {
    for it in deactivations.iter_mut().filter(|it| is_it(it)) {
        it.is_superseded = true;
    }
}

/// What nothing brings back, by the journal.
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

/// What is to be done to undo one deactivation of a user as seen; `None` is a user who is gone.
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
    let with = |write| RemediationStep { write, ..step.clone() };
    let mut steps = vec![with(IamWrite::Activate { kind: *kind, id: id.clone() })];
    // Its clock starts anew with another notice.
    steps.push(with(IamWrite::Untag { subject, was: None }));
    Ok(steps)
}

/// Finds out what is to be undone.
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
            // What was deleted later is told as lost.
            Err(UndoSkipReason::Gone | UndoSkipReason::UserGone)
                if is_deleted_later(&step, &irreversible) => {}
            Err(why) => undo.skipped.push((step, why)),
        }
    }
    undo
}

/// Looks at the user of a step; `None` is one who is gone. An `Err` says what could not be seen.
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
    /// Undoes, each step after another look.
    ///
    /// # Errors
    /// [`JournalError`] where a step could not be written down: then nothing more was done.
    pub async fn undo(&mut self, undo: &UndoPlan) -> Result<UndoResult, JournalError> {
        let mut undone = UndoResult::default();
        let accounts = self.accounts;
        let deactivations = journaled_deactivations(self.history, &BTreeSet::new());
        for step in &undo.steps {
            let Some(account_session) = accounts.account_session(step.account) else { continue };
            let is_it = |it: &RemediationStep| {
                it.user_id == step.user_id && it.write.subject() == step.write.subject()
            };
            // The tag of what is inactive still says since when.
            if undone.failed.iter().any(|(it, _)| is_it(it)) {
                continue;
            }
            let outcome = match deactivations.iter().find(|it| is_it(&it.step)) {
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
