//! What was deactivated, activated again by the journal; and what nothing brings back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::apply::{Hand, Unmade};
use super::history::{History, Outcome, Taken};
use super::journal::{Deletion, JournalError};
use super::plan::Facts;
use super::plan::step::{Step, Write};
use super::scene::{Field, Person};
use crate::model::clock::{self, Clock, Reached, Subject};
use crate::model::inventory::Dossier;
use crate::observe::Glance;
use crate::observe::call::Pace;

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

impl Undo {
    /// Whether a deactivation that the journal shows is not undone, since it cannot be told whose it
    /// is: what was asked for is not done then.
    #[must_use]
    pub fn is_contradicted(&self) -> bool {
        self.needless.iter().any(|(_, why)| *why == Needless::Contradicted)
    }
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
    /// Its tag does not say what the journal says.
    Contradicted,
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
            Self::Contradicted => {
                "its tag does not say, as the journal does, that a run made it inactive: somebody \
                 else may have"
            }
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

/// A deactivation that stands by the journal.
#[derive(Debug, Clone)]
struct Standing {
    /// When it was begun.
    at: DateTime<Utc>,
    step: Step,
    /// What the tag was set to afterwards; `None` where the run was cut off before.
    tag: Option<Clock>,
    /// Whether the journal does not say that the tag was set.
    is_unsure: bool,
    /// Whether a run has found since that somebody activated it: whoever made it inactive again was
    /// not us.
    is_overruled: bool,
}

impl Standing {
    /// Whether the credential's tag says what the journal says: that a run made it inactive, and
    /// when. Where the run was cut off before it set the tag, that is the notice of before.
    fn agrees_with(&self, tag: Option<Clock>) -> bool {
        let Some(tag) = tag else { return false };
        let is_as_set = self.tag.is_some_and(|set| {
            (set.reached, set.since) == (tag.reached, tag.since)
                && tag.reached == Reached::Deactivated
        });
        let may_be_unset = self.tag.is_none() || self.is_unsure;
        is_as_set || (may_be_unset && tag.reached == Reached::Notified && tag.since <= self.at)
    }
}

/// The deactivations that stand, by the journal, the last first; of these users alone if any are
/// named, in lower case.
fn standing(history: &History, users: &BTreeSet<String>) -> Vec<Standing> {
    let mut standing: Vec<Standing> = Vec::new();
    let taken = |it: &&Taken| {
        let name = it.step.user.to_ascii_lowercase();
        it.outcome != Outcome::NotDone && (users.is_empty() || users.contains(&name))
    };
    for Taken { step, at, outcome, of_deletion, .. } in history.steps.iter().filter(taken) {
        let is_it = |it: &Standing| {
            it.step.user_id == step.user_id && it.step.write.subject() == step.write.subject()
        };
        let is_done = *outcome == Outcome::Done;
        match &step.write {
            // Whoever is deleted had nothing active left: what we did not make inactive before,
            // somebody else did.
            Write::Deactivate { .. } if *of_deletion => {}
            Write::Deactivate { .. } => {
                standing.retain(|it| !is_it(it));
                let step = step.clone();
                standing.push(Standing {
                    at: *at,
                    step,
                    tag: None,
                    is_unsure: false,
                    is_overruled: false,
                });
            }
            Write::Activate { .. } if is_done => standing.retain(|it| !is_it(it)),
            Write::Tag { value, .. } => match value.parse::<Clock>() {
                Ok(clock) if clock.reached == Reached::Deactivated => {
                    for it in standing.iter_mut().filter(|it| is_it(it)) {
                        (it.tag, it.is_unsure) = (Some(clock), !is_done);
                        it.is_overruled = false;
                    }
                }
                // Notice is given of what is active: somebody had activated it, and whoever made it
                // inactive again was not us. `inactive` says just that.
                _ if is_done => overrule(&mut standing, is_it),
                _ => {}
            },
            // No run removes the tag of what it deactivated while that is inactive and unused.
            Write::Untag { .. } if is_done => overrule(&mut standing, is_it),
            _ => {}
        }
    }
    standing.retain(|it| !it.is_overruled);
    standing.reverse();
    standing
}

fn overrule(standing: &mut [Standing], is_it: impl Fn(&Standing) -> bool) {
    for it in standing.iter_mut().filter(|it| is_it(it)) {
        it.is_overruled = true;
    }
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
fn undoing(standing: &Standing, seen: Option<&Dossier>) -> Result<Vec<Step>, Needless> {
    let Standing { at, step, .. } = standing;
    let Write::Deactivate { kind, id } = &step.write else { return Ok(Vec::new()) };
    let user = &seen.ok_or(Needless::UserGone)?.user;
    let subject = Subject::Credential(*kind, Some(id.clone()));
    let facts = Facts::of(&subject, user);
    match facts.active {
        None => return Err(Needless::Gone),
        Some(true) => return Err(Needless::Active),
        Some(false) if facts.last_used.is_some_and(|used| used > *at) => {
            return Err(Needless::UsedSince);
        }
        Some(false) => {}
    }
    let tag = user.tags.as_ref().and_then(|tags| clock::of(&subject, tags));
    if !standing.agrees_with(tag) {
        return Err(Needless::Contradicted);
    }
    let with = |write| Step { write, ..step.clone() };
    let mut steps = vec![with(Write::Activate { kind: *kind, id: id.clone() })];
    // Its clock starts anew with another notice.
    steps.push(with(Write::Untag { subject, was: None }));
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
    for standing in standing(history, users) {
        let step = standing.step.clone();
        let seen = match look_whole(field, &pace, &step).await {
            Ok(seen) => seen,
            Err(message) => {
                undo.unseen.push(((step.account, step.user), message));
                continue;
            }
        };
        match undoing(&standing, seen.as_deref()) {
            Ok(steps) => undo.steps.extend(steps),
            // What was deleted later is told as lost.
            Err(Needless::Gone | Needless::UserGone) if is_deleted_later(&step, &lost) => {}
            Err(why) => undo.needless.push((step, why)),
        }
    }
    undo
}

/// Looks at the user of a step; `None` is one who is gone. An `Err` says what could not be seen.
async fn look_whole(
    field: &Field,
    pace: &Pace,
    step: &Step,
) -> Result<Option<Box<Dossier>>, String> {
    let dossier = match field.look(pace, step.account, &step.user, false).await {
        Ok(Glance::Seen(dossier)) => dossier,
        Ok(Glance::Gone) => return Ok(None),
        Err(failure) => return Err(format!("{}: {}", failure.action, failure.message)),
    };
    if dossier.user.id.as_deref() != Some(step.user_id.as_str()) {
        return Ok(None);
    }
    match dossier.gaps.first() {
        None => Ok(Some(dossier)),
        Some(gap) => Err(format!("{}: {}", gap.action, gap.message)),
    }
}

fn is_deleted_later(step: &Step, lost: &[Step]) -> bool {
    let Write::Deactivate { kind, id } = &step.write else { return false };
    let deletion = Write::DeleteCredential { kind: *kind, id: id.clone() };
    lost.iter().any(|it| {
        it.user_id == step.user_id && (it.write == deletion || it.write == Write::DeleteUser)
    })
}

impl Hand<'_> {
    /// Undoes, each step after another look.
    ///
    /// # Errors
    /// [`JournalError`] where a step could not be written down: then nothing more was done.
    pub async fn undo(&mut self, undo: &Undo) -> Result<Undone, JournalError> {
        let mut undone = Undone::default();
        let field = self.field;
        let standing = standing(self.history, &BTreeSet::new());
        for step in &undo.steps {
            let Some(visit) = field.visit(step.account) else { continue };
            let is_it = |it: &Step| {
                it.user_id == step.user_id && it.write.subject() == step.write.subject()
            };
            // The tag of what is inactive still says since when.
            if undone.failed.iter().any(|(it, _)| is_it(it)) {
                continue;
            }
            let outcome = match standing.iter().find(|it| is_it(&it.step)) {
                Some(standing) if matches!(step.write, Write::Activate { .. }) => {
                    match look_whole(field, &self.pace, step).await {
                        Err(why) => Err(Unmade::Moved(why)),
                        Ok(seen) => match undoing(standing, seen.as_deref()) {
                            Err(why) => Err(Unmade::Moved(why.says().to_owned())),
                            Ok(_) => self.perform(visit, step).await,
                        },
                    }
                }
                _ => self.perform(visit, step).await,
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
