//! A plan carried out: each change after another look at its user, each step between two lines of
//! the journal.

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

/// Why nothing is done about a user.
const OTHER_USER_MESSAGE: &str = "the user is gone, or another user has the name by now";

/// Why a tag is neither replaced nor removed.
const TAG_CHANGED_MESSAGE: &str = "another run has changed its tag meanwhile";

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyResult {
    /// The changes that were made.
    pub made: Vec<PlannedChange>,
    /// The changes that were not made, since their facts have moved: why.
    pub skipped: Vec<(PlannedChange, String)>,
    /// The changes that failed: what was answered.
    pub failed: Vec<(PlannedChange, String)>,
}

impl ApplyResult {
    /// Whether everything was done that takes something from somebody. A tag that is of no use any
    /// more is no loss.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let mut skipped = self.skipped.iter();
        self.failed.is_empty() && !skipped.any(|(change, _)| change.kind.removes_access())
    }
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// Its facts have moved.
    Outdated(String),
    /// A call failed.
    Failed(AwsError),
    /// The journal cannot be written: nothing more may be done.
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

/// Who carries out plans.
pub struct Executor<'a> {
    /// Where.
    pub accounts: &'a RemediationAccounts,
    /// What earlier runs did.
    pub history: &'a History,
    /// Where every step is written down.
    pub journal: &'a mut Journal,
    now: DateTime<Utc>,
    began: Instant,
    pub(super) limits: CallLimits,
}

impl<'a> Executor<'a> {
    /// `now` is the moment at which the run began.
    pub fn new(
        accounts: &'a RemediationAccounts,
        history: &'a History,
        journal: &'a mut Journal,
        now: DateTime<Utc>,
    ) -> Self {
        Self { accounts, history, journal, now, began: Instant::now(), limits: accounts.limits() }
    }

    /// The present moment, by the run's own clock.
    fn now(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    pub(super) fn write_entry(&mut self, entry: JournalEntry) -> Result<(), JournalError> {
        let now = self.now();
        self.journal.write(now, entry)
    }

    /// Writes down that the run has come to its end.
    ///
    /// # Errors
    /// [`JournalError`] where it could not be written down.
    pub fn finish(&mut self) -> Result<(), JournalError> {
        self.write_entry(JournalEntry::End)
    }

    /// Carries out a plan. What goes wrong with one user keeps no other from being remedied.
    ///
    /// # Errors
    /// [`JournalError`] where a step could not be written down: then nothing more was done.
    pub async fn apply(
        &mut self,
        planned: &RemediationPlan,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<ApplyResult, JournalError> {
        let mut applied = ApplyResult::default();
        let mut given_up: BTreeSet<&str> = BTreeSet::new();
        for change in &planned.changes {
            let outcome = if given_up.contains(change.user_id.as_str()) {
                Err(ChangeError::Outdated("an earlier change of this user was not made".to_owned()))
            } else {
                self.apply_change(change, input, settings).await
            };
            match outcome {
                Ok(()) => applied.made.push(change.clone()),
                Err(ChangeError::Journal(error)) => return Err(error),
                Err(ChangeError::Failed(failure)) => {
                    given_up.insert(&change.user_id);
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

    /// Makes one change, if it still is to be made.
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

    /// Looks at the user again. An `Err` is why the change is not to be made any more.
    pub(super) async fn recheck(
        &self,
        change: &PlannedChange,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<Box<UserRecord>, ChangeError> {
        let deletes_user = change.kind == ChangeKind::DeleteUser;
        let target = &change.target;
        let look =
            self.accounts.look_up_user(&self.limits, target.account, &target.user, deletes_user);
        let user_record = match look.await? {
            UserLookup::Found(user_record) => user_record,
            UserLookup::NotFound => {
                return Err(ChangeError::Outdated("the user is gone".to_owned()));
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
        let again = plan(&input, settings);
        // What a deletion has taken away already was part of its facts.
        let goes_on = deletes_user
            && input.partially_deleted.contains(&change.user_id)
            && again.changes.iter().any(|it| it.kind == ChangeKind::DeleteUser);
        if goes_on || again.changes.contains(change) {
            return Ok(user_record);
        }
        let kept = again.skipped.into_iter().find(|it| {
            it.target.subject == change.target.subject || it.target.subject == TagSubject::User
        });
        Err(ChangeError::Outdated(kept.map_or_else(
            || "what it hangs on has changed since the plan was made".to_owned(),
            |it| it.reason.to_string(),
        )))
    }

    /// The calls that a change is made of.
    fn iam_writes(&self, change: &PlannedChange, user_record: &UserRecord) -> Vec<IamWrite> {
        let subject = change.target.subject.clone();
        // One moment for all clocks of a run.
        let now = self.now;
        let tags = user_record.user.tags.as_ref();
        let present = tags.and_then(|tags| tags.get(&subject.key()));
        // What another run may have set since then is not replaced.
        let was = Some(present.cloned().unwrap_or_default());
        let clocked = |reached, since, was| {
            let value = RemediationTag { reached, since, seen: now }.to_string();
            IamWrite::Tag { subject: subject.clone(), value, was }
        };
        let tag = |reached, since| clocked(reached, since, was.clone());
        let untag = || present.map(|_| IamWrite::Untag { subject: subject.clone(), was: None });
        let credential = match &subject {
            TagSubject::Credential(kind, Some(id)) => Some((*kind, id.clone())),
            _ => None,
        };
        match (&change.kind, credential) {
            // A run that was cut off made it inactive: its tag is what it can be undone by.
            (ChangeKind::Clear(TagRemovalReason::Inactive), _)
                if self.history.is_left_untagged(&change.user_id, &subject) =>
            {
                vec![tag(RemediationStatus::Deactivated, now)]
            }
            (ChangeKind::Clear(_), _) => vec![IamWrite::Untag { subject: subject.clone(), was }],
            (ChangeKind::Notify(_), _) => vec![tag(RemediationStatus::Notified, now)],
            (ChangeKind::Settle(why), _) => {
                vec![tag(self.inactive_state(*why, change, user_record), now)]
            }
            (ChangeKind::Renew, _) => {
                let clock =
                    tags.and_then(|tags| crate::model::remediation_tag::find(&subject, tags));
                clock.map(|clock| tag(clock.reached, clock.since)).into_iter().collect()
            }
            (ChangeKind::Deactivate, Some((kind, id))) => {
                // True whatever another run has set in between.
                let tag = clocked(RemediationStatus::Deactivated, now, None);
                vec![IamWrite::Deactivate { kind, id }, tag]
            }
            (ChangeKind::DeletePassword, _) => {
                [Some(IamWrite::DeletePassword), untag()].into_iter().flatten().collect()
            }
            (ChangeKind::DeleteCredential, Some((kind, id))) => {
                let delete = IamWrite::DeleteCredential { kind, id };
                [Some(delete), untag()].into_iter().flatten().collect()
            }
            // A user's deletion is made of what is found then.
            (ChangeKind::Deactivate | ChangeKind::DeleteCredential | ChangeKind::DeleteUser, _) => {
                Vec::new()
            }
        }
    }

    /// Who made a credential inactive whose days to the deletion begin: a run of ours only where its
    /// tag says so, or where the journal shows that a run was cut off before it could set the tag.
    fn inactive_state(
        &self,
        why: StartReason,
        change: &PlannedChange,
        user_record: &UserRecord,
    ) -> RemediationStatus {
        let subject = &change.target.subject;
        let tags = user_record.user.tags.as_ref();
        let says = tags
            .and_then(|tags| crate::model::remediation_tag::find(subject, tags))
            .map(|it| it.reached);
        let is_ours = match (why, says) {
            // Used since, so that somebody had activated it.
            (StartReason::Used, _) => false,
            (_, Some(RemediationStatus::Deactivated)) => true,
            (_, Some(RemediationStatus::Notified)) => {
                self.history.is_left_untagged(&change.user_id, subject)
            }
            _ => false,
        };
        if is_ours { RemediationStatus::Deactivated } else { RemediationStatus::Inactive }
    }

    /// Makes one call, between two lines of the journal.
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
            // A lost answer told of it, or nobody is left to be deleted.
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

    /// Finds out what became of the steps that earlier runs left open, and writes it down.
    ///
    /// # Errors
    /// The failed look or the journal's error: nothing was changed.
    pub async fn resolve_open_steps(&mut self) -> Result<(), ResolveError> {
        // What an account that is not asked for now was left with stays open.
        let is_here = |past: &&PastStep| self.accounts.account_session(past.step.account).is_some();
        let open: Vec<_> = self.history.open_steps().filter(is_here).cloned().collect();
        for past in &open {
            let step = &past.step;
            // The role of an earlier stage may not see more.
            let closely = step.write.needs_holdings_to_verify();
            let look =
                self.accounts.look_up_user(&self.limits, step.account, &step.user, closely).await;
            let seen = match look.map_err(|failure| ResolveError::Look(failure.into()))? {
                // What was not seen tells nothing: the step stays open.
                UserLookup::Found(user_record) if !user_record.gaps.is_empty() => continue,
                UserLookup::Found(user_record)
                    if user_record.user.id.as_deref() == Some(&step.user_id) =>
                {
                    Some(user_record)
                }
                // Another user of the name is not this one.
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

/// Why it could not be found out what became of an open step.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The user could not be looked at.
    #[error("{0}")]
    Look(LookupError),
    /// The journal could not be written.
    #[error("{0}")]
    Journal(JournalError),
}

pub(super) fn account_session<'f>(
    accounts: &'f RemediationAccounts,
    change: &PlannedChange,
) -> Result<&'f AccountSession, ChangeError> {
    let missing =
        || ChangeError::Outdated("its account is none of those that were asked for".to_owned());
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

/// Whether groups and policies are to be looked at: where whole users may be deleted.
#[must_use]
pub fn needs_holdings(settings: PlanSettings<'_>) -> bool {
    settings.remediation.deletes_users() && settings.stage == Stage::Delete
}

/// What is deleted of a credential: a key is made inactive first, whatever it was.
pub(super) fn deletion_writes(kind: CredentialKind, id: &str) -> Vec<IamWrite> {
    let id = id.to_owned();
    let delete = IamWrite::DeleteCredential { kind, id: id.clone() };
    match kind {
        CredentialKind::AccessKey => vec![IamWrite::Deactivate { kind, id }, delete],
        _ => vec![delete],
    }
}
