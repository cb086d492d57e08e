//! What a journal's lines come to: which steps were done, which are open, and what is half done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::journal::{Deletion, Entry, Line};
use super::plan::Remembered;
use super::plan::step::{Step, Write};
use crate::model::clock::{Clock, Subject};
use crate::model::inventory::AccountId;

/// A step of an earlier run, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The run.
    pub run: String,
    /// The step's number in the run.
    pub n: u64,
    /// The step.
    pub step: Step,
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was a part of its user's deletion.
    pub of_deletion: bool,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not done.
    NotDone,
    /// The journal does not say: the run was cut off, or the answer was.
    Open,
}

/// A journal's lines, read as a whole.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The steps, in their order.
    pub steps: Vec<Taken>,
    /// The users who were to be deleted. One whose deletion was given up, and begun again, has a record
    /// of each: what was gone by then is in the first.
    pub deletions: Vec<Deletion>,
    /// When those deletions were begun that are still to be finished, by the user's unique id.
    begun: BTreeMap<String, DateTime<Utc>>,
}

/// The lines of several journals in the order of time. A run that stands in two of them, since a
/// file was copied or named twice, counts once.
#[must_use]
pub fn merged(journals: Vec<Vec<Line>>) -> Vec<Line> {
    let mut runs: BTreeSet<String> = BTreeSet::new();
    let mut all: Vec<(DateTime<Utc>, Line)> = Vec::new();
    for lines in journals {
        let known = runs.clone();
        runs.extend(lines.iter().map(|line| line.run.clone()));
        // The lines of one journal stay in their order, also where a clock was set back.
        let mut latest = DateTime::<Utc>::MIN_UTC;
        for line in lines.into_iter().filter(|line| !known.contains(&line.run)) {
            latest = latest.max(line.at);
            all.push((latest, line));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, line)| line).collect()
}

impl History {
    /// Reads the lines.
    #[must_use]
    pub fn of(lines: &[Line]) -> Self {
        let mut history = Self::default();
        let mut places: BTreeMap<(String, u64), usize> = BTreeMap::new();
        for line in lines {
            let outcome = match &line.entry {
                Entry::Begin { n, step } => {
                    places.insert((line.run.clone(), *n), history.steps.len());
                    history.give_up_deletion(step);
                    let of_deletion = history.begun.contains_key(&step.user_id);
                    let (run, step, outcome) = (line.run.clone(), step.clone(), Outcome::Open);
                    history.steps.push(Taken {
                        run,
                        n: *n,
                        step,
                        at: line.at,
                        outcome,
                        of_deletion,
                    });
                    continue;
                }
                Entry::Deletion(deletion) => {
                    history.deletions.push((**deletion).clone());
                    history.begun.insert(deletion.user_id.clone(), line.at);
                    continue;
                }
                Entry::Done { n, .. } => (line.run.clone(), *n, Outcome::Done),
                Entry::Failed { n, refused: true, .. } => (line.run.clone(), *n, Outcome::NotDone),
                Entry::Settled { of, n, done: true } => (of.clone(), *n, Outcome::Done),
                Entry::Settled { of, n, done: false } => (of.clone(), *n, Outcome::NotDone),
                Entry::Failed { .. } | Entry::Run { .. } | Entry::Skipped { .. } | Entry::End => {
                    continue;
                }
            };
            let (run, n, outcome) = outcome;
            let taken = places.get(&(run, n)).and_then(|place| history.steps.get_mut(*place));
            if let Some(taken) = taken {
                taken.outcome = outcome;
            }
        }
        history
    }

    /// A user whose clock was taken away, or set anew, since the deletion was begun was in use or
    /// exempted meanwhile: that deletion is not finished any more, and another waits its days.
    fn give_up_deletion(&mut self, step: &Step) {
        let Some(begun) = self.begun.get(&step.user_id) else { return };
        let is_given_up = match &step.write {
            Write::Untag { subject: Subject::User, .. } => true,
            Write::Tag { subject: Subject::User, value, .. } => {
                value.parse::<Clock>().map_or(true, |clock| clock.since >= *begun)
            }
            _ => false,
        };
        if is_given_up {
            self.begun.remove(&step.user_id);
        }
    }

    /// The steps of which the journal does not say what became.
    pub fn open(&self) -> impl Iterator<Item = &Taken> {
        self.steps.iter().filter(|taken| taken.outcome == Outcome::Open)
    }

    /// The clocks that were set and not taken away. One that we may have taken away ourselves did
    /// not vanish.
    #[must_use]
    pub fn remembered(&self) -> BTreeSet<Remembered> {
        let mut remembered = BTreeSet::new();
        for taken in self.steps.iter().filter(|it| it.outcome != Outcome::NotDone) {
            let Step { account, user_id, write, .. } = &taken.step;
            let of = |subject: &Subject| Remembered {
                account: *account,
                user_id: user_id.clone(),
                subject: subject.clone(),
            };
            match write {
                Write::Tag { subject, .. } if taken.outcome == Outcome::Done => {
                    remembered.insert(of(subject));
                }
                Write::Untag { subject, .. } => {
                    remembered.remove(&of(subject));
                }
                // The tags go with the user.
                Write::DeleteUser if taken.outcome == Outcome::Done => {
                    remembered.retain(|it| it.user_id != *user_id);
                }
                _ => {}
            }
        }
        remembered
    }

    /// Whether the last that was done about a credential is that a run of ours made it inactive: the
    /// run was cut off before it could set the tag that says so.
    #[must_use]
    pub fn is_left_untagged(&self, user_id: &str, subject: &Subject) -> bool {
        let newest = self.steps.iter().rfind(|taken| {
            taken.outcome == Outcome::Done
                && taken.step.user_id == user_id
                && taken.step.write.subject().as_ref() == Some(subject)
        });
        newest.is_some_and(|taken| matches!(taken.step.write, Write::Deactivate { .. }))
    }

    /// The users whose deletion was begun and is to be finished.
    pub fn half_deleted(&self) -> impl Iterator<Item = &Deletion> {
        self.deletions.iter().filter(|deletion| {
            self.begun.contains_key(&deletion.user_id)
                && !self.steps.iter().any(|taken| {
                    taken.step.user_id == deletion.user_id
                        && taken.step.write == Write::DeleteUser
                        && taken.outcome == Outcome::Done
                })
        })
    }

    /// Whether the user's deletion was begun and not finished.
    #[must_use]
    pub fn is_half_deleted(&self, user_id: &str) -> bool {
        self.half_deleted().any(|deletion| deletion.user_id == user_id)
    }

    /// The virtual MFA devices that were taken from the user and not deleted: nothing else leads to
    /// them any more.
    #[must_use]
    pub fn stray_mfa_devices(&self, user_id: &str) -> Vec<String> {
        let of_user = || self.steps.iter().filter(|taken| taken.step.user_id == user_id);
        let is_deleted = |serial: &str| {
            of_user().any(|taken| {
                taken.outcome == Outcome::Done
                    && matches!(&taken.step.write, Write::DeleteVirtualMfaDevice { serial: it } if it == serial)
            })
        };
        let mut strays: Vec<String> = Vec::new();
        for taken in of_user().filter(|taken| taken.outcome != Outcome::NotDone) {
            if let Write::DeactivateMfaDevice { serial } = &taken.step.write
                && is_virtual(serial)
                && !is_deleted(serial)
                && !strays.contains(serial)
            {
                strays.push(serial.clone());
            }
        }
        strays
    }

    /// The people of whom something is open or half done, by account and name in lower case.
    #[must_use]
    pub fn people(&self) -> BTreeSet<(AccountId, String)> {
        let open = self.open().map(|taken| (taken.step.account, &taken.step.user));
        let half = self.half_deleted().map(|deletion| (deletion.account, &deletion.user));
        let marked: BTreeSet<String> = self.remembered().into_iter().map(|it| it.user_id).collect();
        let marked = self.steps.iter().filter(|taken| marked.contains(&taken.step.user_id));
        let marked = marked.map(|taken| (taken.step.account, &taken.step.user));
        let all = open.chain(half).chain(marked);
        all.map(|(account, user)| (account, user.to_ascii_lowercase())).collect()
    }
}

/// Whether a device is a virtual one: those have ARNs, and stay behind when they are taken from
/// their user. Security keys have ARNs as well, and go.
#[must_use]
pub fn is_virtual(serial: &str) -> bool {
    serial.starts_with("arn:") && serial.contains(":mfa/")
}
