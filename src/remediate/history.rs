//! What a journal's lines come to: which steps were done, which are open, and what is half done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::journal::{JournalEntry, JournalLine, UserDeletion};
use super::plan::KnownTag;
use super::plan::step::{IamWrite, RemediationStep};
use crate::model::inventory::AccountId;
use crate::model::remediation_tag::{RemediationTag, TagSubject};

/// A step of an earlier run, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastStep {
    /// The run.
    pub run: String,
    /// The step's number in the run.
    pub n: u64,
    /// The step.
    pub step: RemediationStep,
    /// When it was started.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub outcome: StepOutcome,
    /// Whether it was a part of its user's deletion.
    pub part_of_deletion: bool,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
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
    pub steps: Vec<PastStep>,
    /// The users who were to be deleted. One whose deletion was given up, and begun again, has a record
    /// of each: what was gone by then is in the first.
    pub deletions: Vec<UserDeletion>,
    /// When those deletions were begun that are still to be finished, by the user's unique id.
    started: BTreeMap<String, DateTime<Utc>>,
}

/// The lines of several journals in the order of time. A run that stands in two of them, since a
/// file was copied or named twice, counts once.
#[must_use]
pub fn merge_journals(journals: Vec<Vec<JournalLine>>) -> Vec<JournalLine> {
    let mut runs: BTreeSet<String> = BTreeSet::new();
    let mut all: Vec<(DateTime<Utc>, JournalLine)> = Vec::new();
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
    pub fn from_lines(lines: &[JournalLine]) -> Self {
        let mut history = Self::default();
        let mut places: BTreeMap<(String, u64), usize> = BTreeMap::new();
        for line in lines {
            let outcome = match &line.entry {
                JournalEntry::Begin { n, step } => {
                    places.insert((line.run.clone(), *n), history.steps.len());
                    history.abandon_deletion(step);
                    let part_of_deletion = history.started.contains_key(&step.user_id);
                    let (run, step, outcome) = (line.run.clone(), step.clone(), StepOutcome::Open);
                    history.steps.push(PastStep {
                        run,
                        n: *n,
                        step,
                        at: line.at,
                        outcome,
                        part_of_deletion,
                    });
                    continue;
                }
                JournalEntry::Deletion(deletion) => {
                    history.deletions.push((**deletion).clone());
                    history.started.insert(deletion.user_id.clone(), line.at);
                    continue;
                }
                JournalEntry::Done { n, .. } => (line.run.clone(), *n, StepOutcome::Done),
                JournalEntry::Failed { n, refused: true, .. } => {
                    (line.run.clone(), *n, StepOutcome::NotDone)
                }
                JournalEntry::Resolved { of, n, done: true } => (of.clone(), *n, StepOutcome::Done),
                JournalEntry::Resolved { of, n, done: false } => {
                    (of.clone(), *n, StepOutcome::NotDone)
                }
                JournalEntry::Failed { .. }
                | JournalEntry::Run { .. }
                | JournalEntry::Skipped { .. }
                | JournalEntry::End => {
                    continue;
                }
            };
            let (run, n, outcome) = outcome;
            let past = places.get(&(run, n)).and_then(|place| history.steps.get_mut(*place));
            if let Some(past) = past {
                past.outcome = outcome;
            }
        }
        history
    }

    /// A user whose clock was taken away, or set anew, since the deletion was begun was in use or
    /// exempted meanwhile: that deletion is not finished any more, and another waits its days.
    fn abandon_deletion(&mut self, step: &RemediationStep) {
        let Some(started) = self.started.get(&step.user_id) else { return };
        let is_given_up = match &step.write {
            IamWrite::Untag { subject: TagSubject::User, .. } => true,
            IamWrite::Tag { subject: TagSubject::User, value, .. } => {
                value.parse::<RemediationTag>().map_or(true, |clock| clock.since >= *started)
            }
            _ => false,
        };
        if is_given_up {
            self.started.remove(&step.user_id);
        }
    }

    /// The steps of which the journal does not say what became.
    pub fn open_steps(&self) -> impl Iterator<Item = &PastStep> {
        self.steps.iter().filter(|past| past.outcome == StepOutcome::Open)
    }

    /// The clocks that were set and not taken away. One that we may have taken away ourselves did
    /// not vanish.
    #[must_use]
    pub fn known_tags(&self) -> BTreeSet<KnownTag> {
        let mut known_tags = BTreeSet::new();
        for past in self.steps.iter().filter(|it| it.outcome != StepOutcome::NotDone) {
            let RemediationStep { account, user_id, write, .. } = &past.step;
            let of = |subject: &TagSubject| KnownTag {
                account: *account,
                user_id: user_id.clone(),
                subject: subject.clone(),
            };
            match write {
                IamWrite::Tag { subject, .. } if past.outcome == StepOutcome::Done => {
                    known_tags.insert(of(subject));
                }
                IamWrite::Untag { subject, .. } => {
                    known_tags.remove(&of(subject));
                }
                // The tags go with the user.
                IamWrite::DeleteUser if past.outcome == StepOutcome::Done => {
                    known_tags.retain(|it| it.user_id != *user_id);
                }
                _ => {}
            }
        }
        known_tags
    }

    /// Whether the last that was done about a credential is that a run of ours made it inactive: the
    /// run was cut off before it could set the tag that says so.
    #[must_use]
    pub fn is_left_untagged(&self, user_id: &str, subject: &TagSubject) -> bool {
        let newest = self.steps.iter().rfind(|past| {
            past.outcome == StepOutcome::Done
                && past.step.user_id == user_id
                && past.step.write.subject().as_ref() == Some(subject)
        });
        newest.is_some_and(|past| matches!(past.step.write, IamWrite::Deactivate { .. }))
    }

    /// The users whose deletion was begun and is to be finished.
    pub fn partial_deletions(&self) -> impl Iterator<Item = &UserDeletion> {
        self.deletions.iter().filter(|deletion| {
            self.started.contains_key(&deletion.user_id)
                && !self.steps.iter().any(|past| {
                    past.step.user_id == deletion.user_id
                        && past.step.write == IamWrite::DeleteUser
                        && past.outcome == StepOutcome::Done
                })
        })
    }

    /// Whether the user's deletion was begun and not finished.
    #[must_use]
    pub fn is_partially_deleted(&self, user_id: &str) -> bool {
        self.partial_deletions().any(|deletion| deletion.user_id == user_id)
    }

    /// The virtual MFA devices that were taken from the user and not deleted: nothing else leads to
    /// them any more.
    #[must_use]
    pub fn orphaned_mfa_devices(&self, user_id: &str) -> Vec<String> {
        let of_user = || self.steps.iter().filter(|past| past.step.user_id == user_id);
        let is_deleted = |serial: &str| {
            of_user().any(|past| {
                past.outcome == StepOutcome::Done
                    && matches!(&past.step.write, IamWrite::DeleteVirtualMfaDevice { serial: it } if it == serial)
            })
        };
        let mut orphaned: Vec<String> = Vec::new();
        for past in of_user().filter(|past| past.outcome != StepOutcome::NotDone) {
            if let IamWrite::DeactivateMfaDevice { serial } = &past.step.write
                && is_virtual(serial)
                && !is_deleted(serial)
                && !orphaned.contains(serial)
            {
                orphaned.push(serial.clone());
            }
        }
        orphaned
    }

    /// The people of whom something is open or half done, by account and name in lower case.
    #[must_use]
    pub fn users(&self) -> BTreeSet<(AccountId, String)> {
        let open = self.open_steps().map(|past| (past.step.account, &past.step.user));
        let half = self.partial_deletions().map(|deletion| (deletion.account, &deletion.user));
        let marked: BTreeSet<String> = self.known_tags().into_iter().map(|it| it.user_id).collect();
        let marked = self.steps.iter().filter(|past| marked.contains(&past.step.user_id));
        let marked = marked.map(|past| (past.step.account, &past.step.user));
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
