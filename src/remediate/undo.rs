//! Activates deactivated credentials again, as recorded in the journal or in the remediation tags,
//! and lists deletions that cannot be undone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::accounts::{AccountTags, RemediationAccounts, RemediationUser};
use super::apply::{ChangeError, Executor};
use super::history::{History, PastStep, StepOutcome};
use super::journal::{JournalError, UserDeletion};
use super::plan::step::{IamWrite, RemediationStep};
use super::plan::{Facts, credentials};
use crate::model::inventory::{AccountId, UserRecord};
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
    /// The accounts that could not be read, with the error message.
    pub account_failures: Vec<(AccountId, String)>,
    /// What the steps undo.
    pub deactivations: Vec<Deactivation>,
}

impl UndoPlan {
    /// Whether everything could be checked.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lookup_failures.is_empty() && self.account_failures.is_empty()
    }

    /// How many credentials are activated.
    #[must_use]
    pub fn activations(&self) -> usize {
        let steps = self.steps.iter();
        steps.filter(|step| matches!(step.write, IamWrite::Activate { .. })).count()
    }

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
    /// The credential was created or changed after the run deactivated it.
    ChangedSince,
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
            Self::ChangedSince => "the credential was created or changed after the deactivation",
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

/// A deactivation that the journal or, without a journal, the remediation tag records.
#[derive(Debug, Clone)]
pub struct Deactivation {
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
    /// Whether the journal records a later change that the tag does not show.
    is_contradicted: bool,
}

impl Deactivation {
    /// Whether the step is about the same credential.
    fn is_about(&self, step: &RemediationStep) -> bool {
        self.step.user_id == step.user_id && self.step.write.subject() == step.write.subject()
    }

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
fn journaled_deactivations(history: &History, users: &BTreeSet<String>) -> Vec<Deactivation> {
    let mut deactivations: Vec<Deactivation> = Vec::new();
    let past = |it: &&PastStep| {
        let name = it.step.user.to_ascii_lowercase();
        it.outcome != StepOutcome::NotDone && (users.is_empty() || users.contains(&name))
    };
    for PastStep { step, at, outcome, part_of_deletion, .. } in history.steps.iter().filter(past) {
        let is_same = |it: &Deactivation| {
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
                deactivations.push(Deactivation {
                    at: *at,
                    step,
                    tag: None,
                    tag_is_uncertain: false,
                    is_superseded: false,
                    is_contradicted: false,
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

fn mark_superseded(deactivations: &mut [Deactivation], is_same: impl Fn(&Deactivation) -> bool) {
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
    deactivation: &Deactivation,
    seen: Option<&UserRecord>,
) -> Result<Vec<RemediationStep>, UndoSkipReason> {
    let Deactivation { at, step, .. } = deactivation;
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
        Some(false) if facts.created.is_some_and(|created| created >= *at) => {
            return Err(UndoSkipReason::ChangedSince);
        }
        Some(false) => {}
    }
    let tag = user.tags.as_ref().and_then(|tags| remediation_tag::find(&subject, tags));
    if deactivation.is_contradicted || !deactivation.matches_tag(tag) {
        return Err(UndoSkipReason::TagMismatch);
    }
    let with_write = |write| RemediationStep { write, ..step.clone() };
    let mut steps = vec![with_write(IamWrite::Activate { kind: *kind, id: id.clone() })];
    // After the removal of the tag, the days start again with a new notice.
    steps.push(with_write(IamWrite::Untag { subject, was: None }));
    Ok(steps)
}

/// Plans what to undo, from the journal and from the remediation tags.
pub async fn plan_undo(
    accounts: &RemediationAccounts,
    history: &History,
    users: &BTreeSet<String>,
    tags: &AccountTags,
) -> UndoPlan {
    let limits = accounts.limits();
    let irreversible = irreversible_steps(history, users);
    let is_irreversible = |deletion: &&UserDeletion| {
        irreversible
            .iter()
            .any(|step| step.user_id == deletion.user_id && step.write == IamWrite::DeleteUser)
    };
    let deleted_users = history.deletions.iter().filter(is_irreversible).cloned().collect();
    let mut undo = UndoPlan {
        irreversible: irreversible.clone(),
        deleted_users,
        account_failures: tags.failures.clone(),
        deactivations: journaled_deactivations(history, users),
        ..UndoPlan::default()
    };
    let known = add_tagged_deactivations(accounts, history, users, tags, &mut undo).await;
    undo.deactivations.retain(|it| {
        // A user who could not be fetched is reported once.
        !undo.lookup_failures.iter().any(|((account, user), _)| {
            *account == it.step.account && user.eq_ignore_ascii_case(&it.step.user)
        })
    });
    for deactivation in &undo.deactivations {
        let step = deactivation.step.clone();
        let known = known.get(&(step.account, step.user.to_ascii_lowercase()));
        let known = known.filter(|it| it.user.id.as_deref() == Some(step.user_id.as_str()));
        let seen = match known {
            Some(user_record) => Ok(Some(user_record.clone())),
            None => look_up_completely(accounts, &limits, &step).await,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(message) => {
                undo.lookup_failures.push(((step.account, step.user), message));
                continue;
            }
        };
        match undo_steps(deactivation, seen.as_deref()) {
            Ok(steps) => undo.steps.extend(steps),
            // A credential that was deleted later is listed as irreversible.
            Err(UndoSkipReason::Gone | UndoSkipReason::UserGone)
                if is_deleted_later(&step, &irreversible) => {}
            Err(why) => undo.skipped.push((step, why)),
        }
    }
    undo
}

/// Adds the deactivations that a remediation tag records and the journal does not. Returns the users
/// that were fetched.
async fn add_tagged_deactivations(
    accounts: &RemediationAccounts,
    history: &History,
    users: &BTreeSet<String>,
    tags: &AccountTags,
    undo: &mut UndoPlan,
) -> BTreeMap<RemediationUser, Box<UserRecord>> {
    let limits = accounts.limits();
    let is_tagged = |tags: &BTreeMap<String, String>| {
        remediation_tag::stocktake_tags(tags).any(|(_, value)| deactivated(value).is_some())
    };
    let mut found = Vec::new();
    let mut known = BTreeMap::new();
    for ((account, name), tags) in &tags.users {
        if !is_tagged(tags) || !(users.is_empty() || users.contains(name)) {
            continue;
        }
        match accounts.look_up_user(&limits, *account, name, false).await {
            Ok(UserLookup::Found(user_record)) => match user_record.gaps.first() {
                None => {
                    found.extend(deactivations_of(&user_record));
                    known.insert((*account, name.clone()), user_record);
                }
                Some(gap) => {
                    let message = format!("{}: {}", gap.action, gap.message);
                    undo.lookup_failures.push(((*account, name.clone()), message));
                }
            },
            Ok(UserLookup::NotFound) => {}
            Err(failure) => {
                let message = format!("{}: {}", failure.action, failure.message);
                undo.lookup_failures.push(((*account, name.clone()), message));
            }
        }
    }
    found.sort_by_key(|it| std::cmp::Reverse(it.at));
    for mut deactivation in found {
        if !undo.deactivations.iter().any(|it| it.is_about(&deactivation.step)) {
            deactivation.is_contradicted =
                deactivation.at > accounts.now() || is_contradicted(history, &deactivation);
            undo.deactivations.push(deactivation);
        }
    }
    known
}

/// The tag, if it says that a run deactivated the credential.
fn deactivated(value: &str) -> Option<RemediationTag> {
    let tag = value.parse::<RemediationTag>().ok();
    tag.filter(|tag| tag.reached == RemediationStatus::Deactivated)
}

/// The deactivations that the tags of a user record.
fn deactivations_of(user_record: &UserRecord) -> Vec<Deactivation> {
    let user = &user_record.user;
    let of = |subject: TagSubject| {
        let tag = user.tags.as_ref().and_then(|tags| tags.get(&subject.key()))?;
        let tag = deactivated(tag)?;
        let TagSubject::Credential(kind, Some(id)) = subject else { return None };
        let step = RemediationStep {
            account: user_record.account,
            user: user.name.clone().into_owned(),
            user_id: user.id.clone()?,
            write: IamWrite::Deactivate { kind, id },
        };
        Some(Deactivation {
            at: tag.since,
            step,
            tag: Some(tag),
            tag_is_uncertain: false,
            is_superseded: false,
            is_contradicted: false,
        })
    };
    credentials(user).into_iter().filter_map(|it| of(it.subject)).collect()
}

/// Whether the journal records that a later run activated the credential, or removed or replaced the
/// tag. A journal that ends before the tag was set does not contradict it.
fn is_contradicted(history: &History, deactivation: &Deactivation) -> bool {
    let mut later = history.steps.iter().filter(|past| {
        past.outcome == StepOutcome::Done
            && past.at >= deactivation.at
            && deactivation.is_about(&past.step)
    });
    later.any(|past| match &past.step.write {
        IamWrite::Activate { .. } | IamWrite::Untag { .. } => true,
        IamWrite::Tag { value, .. } => !deactivation.matches_tag(value.parse().ok()),
        _ => false,
    })
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
        for step in &undo.steps {
            let Some(account_session) = accounts.account_session(step.account) else { continue };
            let is_same = |it: &RemediationStep| {
                it.user_id == step.user_id && it.write.subject() == step.write.subject()
            };
            // The tag of a credential that is still inactive stays. It says since when.
            if undone.failed.iter().any(|(it, _)| is_same(it)) {
                continue;
            }
            let outcome = match undo.deactivations.iter().find(|it| it.is_about(step)) {
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
