//! Applies a plan. Each change is made after a re-check of its user, and each step is recorded in
//! the journal before and after it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::accounts::{AccountSession, LookupError, RemediationAccounts};
use super::history::{History, PastStep};
use super::journal::{Journal, JournalEntry, JournalError};
use super::plan::step::{IamWrite, RemediationStep};
use super::plan::{
    ChangeKind, PlanInput, PlanSettings, PlannedChange, RemediationPlan, StartReason,
    TagRemovalReason, plan,
};
use super::write::{WriteError, write};
use crate::model::inventory::{CredentialKind, UserRecord};
use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject};
use crate::observe::UserLookup;
use crate::observe::call::{AwsError, CallLimits};

/// The name now belongs to no user or to another user.
const OTHER_USER_MESSAGE: &str = "the user no longer exists, or another user has the name";

/// The tag is neither replaced nor removed.
const TAG_CHANGED_MESSAGE: &str = "another run changed the remediation tag";

/// The result of applying a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyResult {
    pub made: Vec<PlannedChange>,
    /// The changes that were not made because their facts changed, with the reason.
    pub skipped: Vec<(PlannedChange, String)>,
    /// The changes that failed, with the error message.
    pub failed: Vec<(PlannedChange, String)>,
}

impl ApplyResult {
    /// Whether all changes that remove access were made. A remediation tag that could not be
    /// changed does not matter.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let mut skipped = self.skipped.iter();
        self.failed.is_empty() && !skipped.any(|(change, _)| change.kind.removes_access())
    }
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// The facts of the change are different now.
    Outdated(String),
    Failed(AwsError),
    /// Writing to the journal failed, so no further changes are made.
    Journal(JournalError),
}

impl From<AwsError> for ChangeError {
    fn from(failure: AwsError) -> Self {
        Self::Failed(failure)
    }
}

impl From<JournalError> for ChangeError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Applies plans.
pub struct Executor<'a> {
    pub accounts: &'a RemediationAccounts,
    pub history: &'a History,
    pub journal: &'a mut Journal,
    now: DateTime<Utc>,
    started: Instant,
    pub(super) limits: CallLimits,
}

impl<'a> Executor<'a> {
    /// `now` is the start time of the run.
    pub fn new(
        accounts: &'a RemediationAccounts,
        history: &'a History,
        journal: &'a mut Journal,
        now: DateTime<Utc>,
    ) -> Self {
        Self { accounts, history, journal, now, started: Instant::now(), limits: accounts.limits() }
    }

    /// The current time, counted from the start time of the run.
    fn now(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.started.elapsed()).unwrap_or_default()
    }

    pub(super) fn write_entry(&mut self, entry: JournalEntry) -> Result<(), JournalError> {
        let now = self.now();
        self.journal.write(now, entry)
    }

    /// Records the end of the run.
    ///
    /// # Errors
    /// [`JournalError`] if the entry cannot be written.
    pub fn finish(&mut self) -> Result<(), JournalError> {
        self.write_entry(JournalEntry::End)
    }

    /// Applies a plan. A failure for one user does not stop the changes for other users.
    ///
    /// # Errors
    /// [`JournalError`] if a step cannot be written to the journal. No further changes are made.
    pub async fn apply(
        &mut self,
        planned: &RemediationPlan,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<ApplyResult, JournalError> {
        let mut applied = ApplyResult::default();
        let mut stopped_users: BTreeSet<&str> = BTreeSet::new();
        for change in &planned.changes {
            let outcome = if stopped_users.contains(change.user_id.as_str()) {
                Err(ChangeError::Outdated(
                    "an earlier change for this user was not made".to_owned(),
                ))
            } else {
                self.apply_change(change, input, settings).await
            };
            match outcome {
                Ok(()) => applied.made.push(change.clone()),
                Err(ChangeError::Journal(error)) => return Err(error),
                Err(ChangeError::Failed(failure)) => {
                    stopped_users.insert(&change.user_id);
                    let why = format!("{} failed: {}", failure.action, failure.message);
                    applied.failed.push((change.clone(), why));
                }
                Err(ChangeError::Outdated(why)) => {
                    let (account, user) = (change.target.account, change.target.user.clone());
                    self.write_entry(JournalEntry::Skipped { account, user, why: why.clone() })?;
                    applied.skipped.push((change.clone(), why));
                }
            }
        }
        Ok(applied)
    }

    /// Makes one change, if the plan is still valid for it.
    async fn apply_change(
        &mut self,
        change: &PlannedChange,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<(), ChangeError> {
        if change.kind == ChangeKind::DeleteUser {
            return self.delete_user(change, input, settings).await;
        }
        let user_record = self.recheck(change, input, settings).await?;
        let accounts = self.accounts;
        let account_session = account_session(accounts, change)?;
        for write in self.iam_writes(change, &user_record) {
            self.perform(account_session, &step(change, write)).await?;
        }
        Ok(())
    }

    /// Re-checks the user. Fails if the change must not be made any more.
    pub(super) async fn recheck(
        &self,
        change: &PlannedChange,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<Box<UserRecord>, ChangeError> {
        let deletes_user = change.kind == ChangeKind::DeleteUser;
        let target = &change.target;
        let lookup =
            self.accounts.look_up_user(&self.limits, target.account, &target.user, deletes_user);
        let user_record = match lookup.await? {
            UserLookup::Found(user_record) => user_record,
            UserLookup::NotFound => {
                return Err(ChangeError::Outdated("the user no longer exists".to_owned()));
            }
        };
        if user_record.user.id.as_deref() != Some(change.user_id.as_str()) {
            return Err(ChangeError::Outdated(OTHER_USER_MESSAGE.to_owned()));
        }
        let input = PlanInput {
            accounts: input.accounts.clone(),
            user_records: vec![(*user_record).clone()],
            lookup_failures: Vec::new(),
            known_tags: input.known_tags.clone(),
            partially_deleted: input.partially_deleted.clone(),
        };
        let new_plan = plan(&input, settings);
        // The deletion itself has already removed some of its facts.
        let continues_deletion = deletes_user
            && input.partially_deleted.contains(&change.user_id)
            && new_plan.changes.iter().any(|it| it.kind == ChangeKind::DeleteUser);
        if continues_deletion || new_plan.changes.contains(change) || is_delayed(change, &new_plan)
        {
            return Ok(user_record);
        }
        let skip = new_plan.skipped.into_iter().find(|it| {
            it.target.subject == change.target.subject || it.target.subject == TagSubject::User
        });
        Err(ChangeError::Outdated(skip.map_or_else(
            || "the plan is outdated: the user changed since it was created".to_owned(),
            |it| it.reason.to_string(),
        )))
    }

    /// The IAM calls of a change.
    fn iam_writes(&self, change: &PlannedChange, user_record: &UserRecord) -> Vec<IamWrite> {
        let subject = change.target.subject.clone();
        // All tags of a run get the same time.
        let now = self.now;
        let tags = user_record.user.tags.as_ref();
        let present = tags.and_then(|tags| tags.get(&subject.key()));
        // If another run changes the tag in the meantime, its value is not replaced.
        let was = Some(present.cloned().unwrap_or_default());
        let tag_with = |reached, since, was| {
            let value = RemediationTag { reached, since, seen: now }.to_string();
            IamWrite::Tag { subject: subject.clone(), value, was }
        };
        let tag = |reached, since| tag_with(reached, since, was.clone());
        let untag = || present.map(|_| IamWrite::Untag { subject: subject.clone(), was: None });
        let credential = match &subject {
            TagSubject::Credential(kind, Some(id)) => Some((*kind, id.clone())),
            _ => None,
        };
        match (&change.kind, credential) {
            // An interrupted run deactivated the credential. The tag is needed to undo that.
            (ChangeKind::RemoveTag(TagRemovalReason::Inactive), _)
                if self.history.is_left_untagged(&change.user_id, &subject) =>
            {
                vec![tag(RemediationStatus::Deactivated, now)]
            }
            (ChangeKind::RemoveTag(_), _) => {
                vec![IamWrite::Untag { subject: subject.clone(), was }]
            }
            (ChangeKind::Notify(_), _) => vec![tag(RemediationStatus::Notified, now)],
            (ChangeKind::ScheduleDeletion(why), _) => {
                vec![tag(self.inactive_state(*why, change, user_record), now)]
            }
            (ChangeKind::RenewTag, _) => {
                let current =
                    tags.and_then(|tags| crate::model::remediation_tag::find(&subject, tags));
                current.map(|it| tag(it.reached, it.since)).into_iter().collect()
            }
            (ChangeKind::Deactivate, Some((kind, id))) => {
                // The deactivation is a fact, so the tag is set whatever another run has set.
                let tag = tag_with(RemediationStatus::Deactivated, now, None);
                vec![IamWrite::Deactivate { kind, id }, tag]
            }
            (ChangeKind::DeletePassword, _) => {
                [Some(IamWrite::DeletePassword), untag()].into_iter().flatten().collect()
            }
            (ChangeKind::DeleteCredential, Some((kind, id))) => {
                let delete = IamWrite::DeleteCredential { kind, id };
                [Some(delete), untag()].into_iter().flatten().collect()
            }
            // A user deletion lists its calls when it runs.
            (ChangeKind::Deactivate | ChangeKind::DeleteCredential | ChangeKind::DeleteUser, _) => {
                Vec::new()
            }
        }
    }

    /// The status for the tag of an inactive credential: `Deactivated` only if the tag says so, or
    /// if the journal shows that a run was interrupted between the deactivation and the tag.
    fn inactive_state(
        &self,
        why: StartReason,
        change: &PlannedChange,
        user_record: &UserRecord,
    ) -> RemediationStatus {
        let subject = &change.target.subject;
        let tags = user_record.user.tags.as_ref();
        let status = tags
            .and_then(|tags| crate::model::remediation_tag::find(subject, tags))
            .map(|it| it.reached);
        let is_deactivated_by_run = match (why, status) {
            // The credential was used since, so someone activated it.
            (StartReason::Used, _) => false,
            (_, Some(RemediationStatus::Deactivated)) => true,
            (_, Some(RemediationStatus::Notified)) => {
                self.history.is_left_untagged(&change.user_id, subject)
            }
            _ => false,
        };
        if is_deactivated_by_run {
            RemediationStatus::Deactivated
        } else {
            RemediationStatus::Inactive
        }
    }

    /// Makes one call, with a journal entry before and after it.
    pub(super) async fn perform(
        &mut self,
        account_session: &AccountSession,
        step: &RemediationStep,
    ) -> Result<(), ChangeError> {
        let n = self.journal.next_step_number();
        self.write_entry(JournalEntry::Begin { n, step: step.clone() })?;
        match write(&account_session.session, &self.limits, step).await {
            Ok(()) => self.write_entry(JournalEntry::Done { n, was_gone: false })?,
            Err(WriteError::Failed(failure))
                if failure.is_not_found() && step.write.is_removal() =>
            {
                self.write_entry(JournalEntry::Done { n, was_gone: true })?;
            }
            // The response was lost but the user was deleted, or the user did not exist any more.
            Err(WriteError::UserChanged { is_gone, outcome_unknown })
                if step.write == IamWrite::DeleteUser && (is_gone || outcome_unknown) =>
            {
                self.write_entry(JournalEntry::Done { n, was_gone: true })?;
            }
            Err(WriteError::UserChanged { outcome_unknown, .. }) => {
                let message = OTHER_USER_MESSAGE.to_owned();
                self.write_entry(JournalEntry::Failed { n, message, refused: !outcome_unknown })?;
                return Err(ChangeError::Outdated(OTHER_USER_MESSAGE.to_owned()));
            }
            Err(WriteError::TagChanged { outcome_unknown }) => {
                let message = TAG_CHANGED_MESSAGE.to_owned();
                self.write_entry(JournalEntry::Failed { n, message, refused: !outcome_unknown })?;
                return Err(ChangeError::Outdated(TAG_CHANGED_MESSAGE.to_owned()));
            }
            Err(WriteError::Failed(failure)) => {
                let refused = failure.is_rejected();
                let message = failure.message.clone();
                self.write_entry(JournalEntry::Failed { n, message, refused })?;
                return Err(failure.into());
            }
        }
        Ok(())
    }

    /// Checks the steps that earlier runs left open, and records whether they were done.
    ///
    /// # Errors
    /// [`ResolveError`] if a user cannot be fetched or the journal cannot be written. Nothing is
    /// changed.
    pub async fn resolve_open_steps(&mut self) -> Result<(), ResolveError> {
        // Steps in accounts that are not part of this run stay open.
        let is_here = |past: &&PastStep| self.accounts.account_session(past.step.account).is_some();
        let open: Vec<_> = self.history.open_steps().filter(is_here).cloned().collect();
        for past in &open {
            let step = &past.step;
            // The role of an earlier stage may not have the permissions for more.
            let with_holdings = step.write.needs_holdings_to_verify();
            let lookup = self
                .accounts
                .look_up_user(&self.limits, step.account, &step.user, with_holdings)
                .await;
            let seen = match lookup.map_err(|failure| ResolveError::Lookup(failure.into()))? {
                // Without complete data about the user, the step stays open.
                UserLookup::Found(user_record) if !user_record.gaps.is_empty() => continue,
                UserLookup::Found(user_record)
                    if user_record.user.id.as_deref() == Some(&step.user_id) =>
                {
                    Some(user_record)
                }
                // Another user has the name now.
                UserLookup::Found(_) | UserLookup::NotFound => None,
            };
            let (of, n) = (past.run.clone(), past.n);
            let done = step.write.is_done(seen.as_deref());
            self.write_entry(JournalEntry::Resolved { of, n, done })
                .map_err(ResolveError::Journal)?;
        }
        Ok(())
    }
}

/// Why the result of an open step is unknown.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The user could not be fetched.
    #[error("{0}")]
    Lookup(LookupError),
    #[error("{0}")]
    Journal(JournalError),
}

/// Whether the change renews the tag of a due change that waits, because the run's limit is reached.
fn is_delayed(change: &PlannedChange, due: &RemediationPlan) -> bool {
    change.kind == ChangeKind::RenewTag
        && due.changes.iter().any(|it| {
            it.kind.removes_access()
                && it.target == change.target
                && it.user_id == change.user_id
                && it.facts.tag == change.facts.tag
        })
}

pub(super) fn account_session<'f>(
    accounts: &'f RemediationAccounts,
    change: &PlannedChange,
) -> Result<&'f AccountSession, ChangeError> {
    let missing = || ChangeError::Outdated("the account is not part of this run".to_owned());
    accounts.account_session(change.target.account).ok_or_else(missing)
}

pub(super) fn step(change: &PlannedChange, write: IamWrite) -> RemediationStep {
    RemediationStep {
        account: change.target.account,
        user: change.target.user.clone(),
        user_id: change.user_id.clone(),
        write,
    }
}

/// Whether groups and policies have to be fetched: only if users may be deleted.
#[must_use]
pub fn needs_holdings(settings: PlanSettings<'_>) -> bool {
    settings.remediation.deletes_users() && settings.stage == Stage::Delete
}

/// The calls that delete a credential. An access key is deactivated first, even if it is inactive
/// already.
pub(super) fn deletion_writes(kind: CredentialKind, id: &str) -> Vec<IamWrite> {
    let id = id.to_owned();
    let delete = IamWrite::DeleteCredential { kind, id: id.clone() };
    match kind {
        CredentialKind::AccessKey => vec![IamWrite::Deactivate { kind, id }, delete],
        _ => vec![delete],
    }
}
