//! A plan carried out: each change after another look at its user, each step between two lines of
//! the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::history::{History, Taken};
use super::journal::{Entry, Journal, JournalError};
use super::plan::step::{Step, Write};
use super::plan::{Act, Basis, Change, Clearing, Plan, Scene, Start, plan};
use super::scene::{Field, Unanswered, Visit};
use super::write::{NotWritten, write};
use crate::model::clock::{Clock, Reached, Subject};
use crate::model::inventory::{CredentialKind, Dossier};
use crate::model::policy::remediation::Stage;
use crate::observe::Glance;
use crate::observe::call::{Failure, Pace};

/// Why nothing is done about a user.
const ANOTHER_USER: &str = "the user is gone, or another user has the name by now";

/// Why a tag is neither replaced nor removed.
const TAG_MOVED: &str = "another run has changed its tag meanwhile";

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The changes that were made.
    pub made: Vec<Change>,
    /// The changes that were not made, since their facts have moved: why.
    pub skipped: Vec<(Change, String)>,
    /// The changes that failed: what was answered.
    pub failed: Vec<(Change, String)>,
}

impl Applied {
    /// Whether everything was done that takes something from somebody. A tag that is of no use any
    /// more is no loss.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut skipped = self.skipped.iter();
        self.failed.is_empty() && !skipped.any(|(change, _)| change.act.takes_something())
    }
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Unmade {
    /// Its facts have moved.
    Moved(String),
    /// A call failed.
    Failed(Failure),
    /// The journal cannot be written: nothing more may be done.
    Journal(JournalError),
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<JournalError> for Unmade {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Who carries out plans.
pub struct Hand<'a> {
    /// Where.
    pub field: &'a Field,
    /// What earlier runs did.
    pub history: &'a History,
    /// Where every step is written down.
    pub journal: &'a mut Journal,
    now: DateTime<Utc>,
    began: Instant,
    pub(super) pace: Pace,
}

impl<'a> Hand<'a> {
    /// `now` is the moment at which the run began.
    pub fn new(
        field: &'a Field,
        history: &'a History,
        journal: &'a mut Journal,
        now: DateTime<Utc>,
    ) -> Self {
        Self { field, history, journal, now, began: Instant::now(), pace: field.pace() }
    }

    /// The present moment, by the run's own clock.
    fn now(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    pub(super) fn note(&mut self, entry: Entry) -> Result<(), JournalError> {
        let now = self.now();
        self.journal.write(now, entry)
    }

    /// Writes down that the run has come to its end.
    ///
    /// # Errors
    /// [`JournalError`] where it could not be written down.
    pub fn end(&mut self) -> Result<(), JournalError> {
        self.note(Entry::End)
    }

    /// Carries out a plan. What goes wrong with one user keeps no other from being remedied.
    ///
    /// # Errors
    /// [`JournalError`] where a step could not be written down: then nothing more was done.
    pub async fn apply(
        &mut self,
        planned: &Plan,
        scene: &Scene,
        basis: Basis<'_>,
    ) -> Result<Applied, JournalError> {
        let mut applied = Applied::default();
        let mut given_up: BTreeSet<&str> = BTreeSet::new();
        for change in &planned.changes {
            let outcome = if given_up.contains(change.user_id.as_str()) {
                Err(Unmade::Moved("an earlier change of this user was not made".to_owned()))
            } else {
                self.make(change, scene, basis).await
            };
            match outcome {
                Ok(()) => applied.made.push(change.clone()),
                Err(Unmade::Journal(error)) => return Err(error),
                Err(Unmade::Failed(failure)) => {
                    given_up.insert(&change.user_id);
                    let why = format!("{} failed: {}", failure.action, failure.message);
                    applied.failed.push((change.clone(), why));
                }
                Err(Unmade::Moved(why)) => {
                    let (account, user) = (change.place.account, change.place.user.clone());
                    self.note(Entry::Skipped { account, user, why: why.clone() })?;
                    applied.skipped.push((change.clone(), why));
                }
            }
        }
        Ok(applied)
    }

    /// Makes one change, if it still is to be made.
    async fn make(
        &mut self,
        change: &Change,
        scene: &Scene,
        basis: Basis<'_>,
    ) -> Result<(), Unmade> {
        if change.act == Act::DeleteUser {
            return self.delete_user(change, scene, basis).await;
        }
        let dossier = self.look_again(change, scene, basis).await?;
        let field = self.field;
        let visit = visit(field, change)?;
        for write in self.writes(change, &dossier) {
            self.perform(visit, &step(change, write)).await?;
        }
        Ok(())
    }

    /// Looks at the user again. An `Err` is why the change is not to be made any more.
    pub(super) async fn look_again(
        &self,
        change: &Change,
        scene: &Scene,
        basis: Basis<'_>,
    ) -> Result<Box<Dossier>, Unmade> {
        let deletes_user = change.act == Act::DeleteUser;
        let place = &change.place;
        let look = self.field.look(&self.pace, place.account, &place.user, deletes_user);
        let dossier = match look.await? {
            Glance::Seen(dossier) => dossier,
            Glance::Gone => return Err(Unmade::Moved("the user is gone".to_owned())),
        };
        if dossier.user.id.as_deref() != Some(change.user_id.as_str()) {
            return Err(Unmade::Moved(ANOTHER_USER.to_owned()));
        }
        let scene = Scene {
            accounts: scene.accounts.clone(),
            dossiers: vec![(*dossier).clone()],
            unseen: Vec::new(),
            remembered: scene.remembered.clone(),
            half_deleted: scene.half_deleted.clone(),
        };
        let again = plan(&scene, basis);
        // What a deletion has taken away already was part of its facts.
        let goes_on = deletes_user
            && scene.half_deleted.contains(&change.user_id)
            && again.changes.iter().any(|it| it.act == Act::DeleteUser);
        if goes_on || again.changes.contains(change) {
            return Ok(dossier);
        }
        let kept = again.left_alone.into_iter().find(|it| {
            it.place.subject == change.place.subject || it.place.subject == Subject::User
        });
        Err(Unmade::Moved(kept.map_or_else(
            || "what it hangs on has changed since the plan was made".to_owned(),
            |it| it.guard.to_string(),
        )))
    }

    /// The calls that a change is made of.
    fn writes(&self, change: &Change, dossier: &Dossier) -> Vec<Write> {
        let subject = change.place.subject.clone();
        // One moment for all clocks of a run.
        let now = self.now;
        let tags = dossier.user.tags.as_ref();
        let present = tags.and_then(|tags| tags.get(&subject.key()));
        // What another run may have set since then is not replaced.
        let was = Some(present.cloned().unwrap_or_default());
        let clocked = |reached, since, was| {
            let value = Clock { reached, since, seen: now }.to_string();
            Write::Tag { subject: subject.clone(), value, was }
        };
        let tag = |reached, since| clocked(reached, since, was.clone());
        let untag = || present.map(|_| Write::Untag { subject: subject.clone(), was: None });
        let credential = match &subject {
            Subject::Credential(kind, Some(id)) => Some((*kind, id.clone())),
            _ => None,
        };
        match (&change.act, credential) {
            // A run that was cut off made it inactive: its tag is what it can be undone by.
            (Act::Clear(Clearing::Inactive), _)
                if self.history.is_left_untagged(&change.user_id, &subject) =>
            {
                vec![tag(Reached::Deactivated, now)]
            }
            (Act::Clear(_), _) => vec![Write::Untag { subject: subject.clone(), was }],
            (Act::Notify(_), _) => vec![tag(Reached::Notified, now)],
            (Act::Settle(why), _) => vec![tag(self.found(*why, change, dossier), now)],
            (Act::Renew, _) => {
                let clock = tags.and_then(|tags| crate::model::clock::of(&subject, tags));
                clock.map(|clock| tag(clock.reached, clock.since)).into_iter().collect()
            }
            (Act::Deactivate, Some((kind, id))) => {
                // True whatever another run has set in between.
                let tag = clocked(Reached::Deactivated, now, None);
                vec![Write::Deactivate { kind, id }, tag]
            }
            (Act::DeletePassword, _) => {
                [Some(Write::DeletePassword), untag()].into_iter().flatten().collect()
            }
            (Act::DeleteCredential, Some((kind, id))) => {
                let delete = Write::DeleteCredential { kind, id };
                [Some(delete), untag()].into_iter().flatten().collect()
            }
            // A user's deletion is made of what is found then.
            (Act::Deactivate | Act::DeleteCredential | Act::DeleteUser, _) => Vec::new(),
        }
    }

    /// Who made a credential inactive whose days to the deletion begin: a run of ours only where its
    /// tag says so, or where the journal shows that a run was cut off before it could set the tag.
    fn found(&self, why: Start, change: &Change, dossier: &Dossier) -> Reached {
        let subject = &change.place.subject;
        let tags = dossier.user.tags.as_ref();
        let says =
            tags.and_then(|tags| crate::model::clock::of(subject, tags)).map(|it| it.reached);
        let is_ours = match (why, says) {
            // Used since, so that somebody had activated it.
            (Start::Used, _) => false,
            (_, Some(Reached::Deactivated)) => true,
            (_, Some(Reached::Notified)) => self.history.is_left_untagged(&change.user_id, subject),
            _ => false,
        };
        if is_ours { Reached::Deactivated } else { Reached::Inactive }
    }

    /// Makes one call, between two lines of the journal.
    pub(super) async fn perform(&mut self, visit: &Visit, step: &Step) -> Result<(), Unmade> {
        let n = self.journal.number();
        self.note(Entry::Begin { n, step: step.clone() })?;
        match write(&visit.session, &self.pace, step).await {
            Ok(()) => self.note(Entry::Done { n, was_gone: false })?,
            Err(NotWritten::Failed(failure)) if failure.is_absence() && step.write.takes_away() => {
                self.note(Entry::Done { n, was_gone: true })?;
            }
            // A lost answer told of it, or nobody is left to be deleted.
            Err(NotWritten::NotTheUser { is_gone, is_unsure })
                if step.write == Write::DeleteUser && (is_gone || is_unsure) =>
            {
                self.note(Entry::Done { n, was_gone: true })?;
            }
            Err(NotWritten::NotTheUser { is_unsure, .. }) => {
                let message = ANOTHER_USER.to_owned();
                self.note(Entry::Failed { n, message, refused: !is_unsure })?;
                return Err(Unmade::Moved(ANOTHER_USER.to_owned()));
            }
            Err(NotWritten::TagMoved { is_unsure }) => {
                let message = TAG_MOVED.to_owned();
                self.note(Entry::Failed { n, message, refused: !is_unsure })?;
                return Err(Unmade::Moved(TAG_MOVED.to_owned()));
            }
            Err(NotWritten::Failed(failure)) => {
                let refused = failure.is_refusal();
                let message = failure.message.clone();
                self.note(Entry::Failed { n, message, refused })?;
                return Err(failure.into());
            }
        }
        Ok(())
    }

    /// Finds out what became of the steps that earlier runs left open, and writes it down.
    ///
    /// # Errors
    /// The failed look or the journal's error: nothing was changed.
    pub async fn settle(&mut self) -> Result<(), Settling> {
        // What an account that is not asked for now was left with stays open.
        let is_here = |taken: &&Taken| self.field.visit(taken.step.account).is_some();
        let open: Vec<_> = self.history.open().filter(is_here).cloned().collect();
        for taken in &open {
            let step = &taken.step;
            // The role of an earlier stage may not see more.
            let closely = step.write.shows_in_holdings();
            let look = self.field.look(&self.pace, step.account, &step.user, closely).await;
            let seen = match look.map_err(|failure| Settling::Look(failure.into()))? {
                // What was not seen tells nothing: the step stays open.
                Glance::Seen(dossier) if !dossier.gaps.is_empty() => continue,
                Glance::Seen(dossier) if dossier.user.id.as_deref() == Some(&step.user_id) => {
                    Some(dossier)
                }
                // Another user of the name is not this one.
                Glance::Seen(_) | Glance::Gone => None,
            };
            let (of, n) = (taken.run.clone(), taken.n);
            let done = step.write.holds(seen.as_deref());
            self.note(Entry::Settled { of, n, done }).map_err(Settling::Journal)?;
        }
        Ok(())
    }
}

/// Why it could not be found out what became of an open step.
#[derive(Debug, thiserror::Error)]
pub enum Settling {
    /// The user could not be looked at.
    #[error("{0}")]
    Look(Unanswered),
    /// The journal could not be written.
    #[error("{0}")]
    Journal(JournalError),
}

pub(super) fn visit<'f>(field: &'f Field, change: &Change) -> Result<&'f Visit, Unmade> {
    let missing = || Unmade::Moved("its account is none of those that were asked for".to_owned());
    field.visit(change.place.account).ok_or_else(missing)
}

pub(super) fn step(change: &Change, write: Write) -> Step {
    Step {
        account: change.place.account,
        user: change.place.user.clone(),
        user_id: change.user_id.clone(),
        write,
    }
}

/// Whether groups and policies are to be looked at: where whole users may be deleted.
#[must_use]
pub fn wants_holdings(basis: Basis<'_>) -> bool {
    basis.remediation.deletes_users() && basis.stage == Stage::Delete
}

/// What is deleted of a credential: a key is made inactive first, whatever it was.
pub(super) fn deletion_of(kind: CredentialKind, id: &str) -> Vec<Write> {
    let id = id.to_owned();
    let delete = Write::DeleteCredential { kind, id: id.clone() };
    match kind {
        CredentialKind::AccessKey => vec![Write::Deactivate { kind, id }, delete],
        _ => vec![delete],
    }
}
