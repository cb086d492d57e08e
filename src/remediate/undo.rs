//! What was deactivated, activated again by the journal; and what nothing brings back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::apply::{Hand, Unmade};
use super::history::{History, Outcome, Taken};
use super::journal::{Deletion, JournalError};
use super::plan::Facts;
use super::plan::step::{Step, Write};
use super::scene::{Field, Person};
use crate::clock::{Clock, Reached, Subject};
use crate::inventory::{CredentialKind, Dossier};
use crate::observe::Glance;

/// What is to be undone.
#[derive(Debug, Clone, Default)]
pub struct Undo {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// Deactivations that there is nothing to be done about: why.
    pub needless: Vec<(Step, Needless)>,
    /// What was deleted: nothing brings it back.
    pub lost: Vec<Step>,
    /// The users who were deleted, with what it takes to make them again by hand.
    pub deleted: Vec<Deletion>,
    /// The users who could not be looked at: what was answered.
    pub unseen: Vec<(Person, String)>,
}

/// Why a deactivation is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needless {
    /// The credential is active.
    Active,
    /// The credential is gone.
    Gone,
    /// The user is gone.
    UserGone,
    /// The credential was used after we had made it inactive.
    UsedSince,
}

impl Needless {
    /// Why, in words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Active => "it is active already",
            Self::Gone => "the credential is gone",
            Self::UserGone => "the user is gone",
            Self::UsedSince => "it was used since, so that somebody else made it inactive again",
        }
    }
}

/// What became of an undoing.
#[derive(Debug, Clone, Default)]
pub struct Undone {
    /// What was done.
    pub made: Vec<Step>,
    /// What failed: what was answered.
    pub failed: Vec<(Step, String)>,
}

/// The deactivations that stand, by the journal, the last first; of these users alone if any are
/// named, in lower case.
fn standing(history: &History, users: &BTreeSet<String>) -> Vec<(DateTime<Utc>, Step)> {
    let mut standing: Vec<(DateTime<Utc>, Step)> = Vec::new();
    let taken = |it: &&Taken| {
        let name = it.step.user.to_ascii_lowercase();
        it.outcome != Outcome::NotDone && (users.is_empty() || users.contains(&name))
    };
    for Taken { step, at, outcome, of_deletion, .. } in history.steps.iter().filter(taken) {
        let mut let_go = |kind: &CredentialKind, id: &String| {
            let undone = Write::Deactivate { kind: *kind, id: id.clone() };
            standing.retain(|(_, it)| it.user_id != step.user_id || it.write != undone);
        };
        match &step.write {
            // Whoever is deleted had nothing active left: what we did not make inactive before,
            // somebody else did.
            Write::Deactivate { .. } if *of_deletion => {}
            Write::Deactivate { kind, id } => {
                let_go(kind, id);
                standing.push((*at, step.clone()));
            }
            Write::Activate { kind, id } if *outcome == Outcome::Done => let_go(kind, id),
            // Notice is given of what is active: somebody had activated it, and whoever made it
            // inactive again was not us.
            Write::Tag { subject: Subject::Credential(kind, Some(id)), value }
                if *outcome == Outcome::Done && gives_notice(value) =>
            {
                let_go(kind, id);
            }
            _ => {}
        }
    }
    standing.reverse();
    standing
}

fn gives_notice(value: &str) -> bool {
    value.parse::<Clock>().is_ok_and(|clock| clock.reached == Reached::Notified)
}

/// What nothing brings back, by the journal.
fn lost(history: &History, users: &BTreeSet<String>) -> Vec<Step> {
    let is_lost = |taken: &&Taken| {
        let name = taken.step.user.to_ascii_lowercase();
        taken.outcome != Outcome::NotDone
            && (users.is_empty() || users.contains(&name))
            && matches!(
                taken.step.write,
                Write::DeletePassword | Write::DeleteCredential { .. } | Write::DeleteUser
            )
    };
    history.steps.iter().filter(is_lost).map(|taken| taken.step.clone()).collect()
}

/// What is to be done to undo one deactivation of a user as seen; `None` is a user who is gone.
fn undoing(step: &Step, at: DateTime<Utc>, seen: Option<&Dossier>) -> Result<Vec<Step>, Needless> {
    let Write::Deactivate { kind, id } = &step.write else { return Ok(Vec::new()) };
    let user = &seen.ok_or(Needless::UserGone)?.user;
    let subject = Subject::Credential(*kind, Some(id.clone()));
    let facts = Facts::of(&subject, user);
    match facts.active {
        None => return Err(Needless::Gone),
        Some(true) => return Err(Needless::Active),
        Some(false) if facts.last_used.is_some_and(|used| used > at) => {
            return Err(Needless::UsedSince);
        }
        Some(false) => {}
    }
    let with = |write| Step { write, ..step.clone() };
    let mut steps = vec![with(Write::Activate { kind: *kind, id: id.clone() })];
    // Its clock starts anew with another notice.
    let is_marked = user.tags.as_ref().is_some_and(|tags| tags.contains_key(&subject.key()));
    steps.extend(is_marked.then(|| with(Write::Untag { subject })));
    Ok(steps)
}

/// Finds out what is to be undone.
pub async fn plan_undo(field: &Field, history: &History, users: &BTreeSet<String>) -> Undo {
    let pace = field.pace();
    let lost = lost(history, users);
    let is_lost = |deletion: &&Deletion| {
        lost.iter().any(|step| step.user_id == deletion.user_id && step.write == Write::DeleteUser)
    };
    let deleted = history.deletions.iter().filter(is_lost).cloned().collect();
    let mut undo = Undo { lost: lost.clone(), deleted, ..Undo::default() };
    for (at, step) in standing(history, users) {
        let seen = match field.look(&pace, step.account, &step.user, false).await {
            Ok(Glance::Seen(dossier)) => match dossier.gaps.first() {
                None => Ok(Some(dossier)),
                Some(gap) => Err(format!("{}: {}", gap.action, gap.message)),
            },
            Ok(Glance::Gone) => Ok(None),
            Err(failure) => Err(format!("{}: {}", failure.action, failure.message)),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(message) => {
                undo.unseen.push(((step.account, step.user), message));
                continue;
            }
        };
        let is_same = |dossier: &Dossier| dossier.user.id.as_deref() == Some(step.user_id.as_str());
        match undoing(&step, at, seen.as_deref().filter(|it| is_same(it))) {
            Ok(steps) => undo.steps.extend(steps),
            // What was deleted later is told as lost.
            Err(Needless::Gone | Needless::UserGone) if is_deleted_later(&step, &lost) => {}
            Err(why) => undo.needless.push((step, why)),
        }
    }
    undo
}

fn is_deleted_later(step: &Step, lost: &[Step]) -> bool {
    let Write::Deactivate { kind, id } = &step.write else { return false };
    let deletion = Write::DeleteCredential { kind: *kind, id: id.clone() };
    lost.iter().any(|it| {
        it.user_id == step.user_id && (it.write == deletion || it.write == Write::DeleteUser)
    })
}

/// Whose credential a step is about, and which.
fn subject_of(step: &Step) -> (&str, Option<Subject>) {
    let subject = match &step.write {
        Write::Activate { kind, id } => Some(Subject::Credential(*kind, Some(id.clone()))),
        Write::Untag { subject } => Some(subject.clone()),
        _ => None,
    };
    (&step.user_id, subject)
}

impl Hand<'_> {
    /// Undoes, each step after another look.
    ///
    /// # Errors
    /// [`JournalError`] where a step could not be written down: then nothing more was done.
    pub async fn undo(&mut self, undo: &Undo) -> Result<Undone, JournalError> {
        let mut undone = Undone::default();
        let field = self.field;
        for step in &undo.steps {
            let Some(visit) = field.visit(step.account) else { continue };
            // The tag of what is inactive still says since when.
            if matches!(step.write, Write::Untag { .. })
                && undone.failed.iter().any(|(it, _)| subject_of(it) == subject_of(step))
            {
                continue;
            }
            let look = field.look(&self.pace, step.account, &step.user, false).await;
            let outcome = match look {
                Ok(Glance::Seen(it)) if it.user.id.as_deref() == Some(step.user_id.as_str()) => {
                    self.perform(visit, step).await
                }
                Ok(_) => Err(Unmade::Moved("the user is gone".to_owned())),
                Err(failure) => Err(failure.into()),
            };
            match outcome {
                Ok(()) => undone.made.push(step.clone()),
                Err(Unmade::Journal(error)) => return Err(error),
                Err(Unmade::Moved(why)) => undone.failed.push((step.clone(), why)),
                Err(Unmade::Failed(failure)) => {
                    let why = format!("{} failed: {}", failure.action, failure.message);
                    undone.failed.push((step.clone(), why));
                }
            }
        }
        Ok(undone)
    }
}
