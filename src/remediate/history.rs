//! What the journal says about earlier runs: which steps are done, which are open, and which
//! deletions are not finished.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::journal::{JournalEntry, JournalLine, UserDeletion};
use super::plan::KnownTag;
use super::plan::step::{IamWrite, RemediationStep};
use crate::model::inventory::AccountId;
use crate::model::remediation_tag::{RemediationTag, TagSubject};

/// A step of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastStep {
    pub run: String,
    /// The number of the step in the run.
    pub n: u64,
    pub step: RemediationStep,
    /// When the step started.
    pub at: DateTime<Utc>,
    pub outcome: StepOutcome,
    /// Whether the step was part of the deletion of its user.
    pub part_of_deletion: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    Done,
    NotDone,
    /// The journal does not say: the run was interrupted, or the response was lost.
    Open,
}

/// The parsed journal.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub steps: Vec<PastStep>,
    /// The users to delete. If a deletion was abandoned and started again, both records are kept:
    /// the first one lists what had been deleted by then.
    pub deletions: Vec<UserDeletion>,
    /// The start times of the deletions to finish, by the unique id of the user.
    started: BTreeMap<String, DateTime<Utc>>,
}

/// Merges the lines of several journals by time. If a run is in two of them because a file was
/// copied or named twice, it counts once.
#[must_use]
pub fn merge_journals(journals: Vec<Vec<JournalLine>>) -> Vec<JournalLine> {
    let mut runs: BTreeSet<String> = BTreeSet::new();
    let mut all: Vec<(DateTime<Utc>, JournalLine)> = Vec::new();
    for lines in journals {
        let known = runs.clone();
        runs.extend(lines.iter().map(|line| line.run.clone()));
        // The lines of one journal keep their order, even if the system clock was set back.
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
    #[must_use]
    pub fn from_lines(lines: &[JournalLine]) -> Self {
        let mut history = Self::default();
        let mut positions: BTreeMap<(String, u64), usize> = BTreeMap::new();
        for line in lines {
            let outcome = match &line.entry {
                JournalEntry::Begin { n, step } => {
                    positions.insert((line.run.clone(), *n), history.steps.len());
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
            let past =
                positions.get(&(run, n)).and_then(|position| history.steps.get_mut(*position));
            if let Some(past) = past {
                past.outcome = outcome;
            }
        }
        history
    }

    /// If the tag of a user was removed or set again after the deletion started, the user was in
    /// use or exempt. That deletion is abandoned, and a new one has to wait until it is due.
    fn abandon_deletion(&mut self, step: &RemediationStep) {
        let Some(started) = self.started.get(&step.user_id) else { return };
        let is_abandoned = match &step.write {
            IamWrite::Untag { subject: TagSubject::User, .. } => true,
            IamWrite::Tag { subject: TagSubject::User, value, .. } => {
                value.parse::<RemediationTag>().map_or(true, |tag| tag.since >= *started)
            }
            _ => false,
        };
        if is_abandoned {
            self.started.remove(&step.user_id);
        }
    }

    /// The steps whose outcome is unknown.
    pub fn open_steps(&self) -> impl Iterator<Item = &PastStep> {
        self.steps.iter().filter(|past| past.outcome == StepOutcome::Open)
    }

    /// The remediation tags that were set and not removed. A tag that a run may have removed is
    /// left out.
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
                // The tags are deleted with the user.
                IamWrite::DeleteUser if past.outcome == StepOutcome::Done => {
                    known_tags.retain(|it| it.user_id != *user_id);
                }
                _ => {}
            }
        }
        known_tags
    }

    /// Whether the last step for the credential was a deactivation. The run was interrupted before
    /// it set the tag.
    #[must_use]
    pub fn is_left_untagged(&self, user_id: &str, subject: &TagSubject) -> bool {
        let newest = self.steps.iter().rfind(|past| {
            past.outcome == StepOutcome::Done
                && past.step.user_id == user_id
                && past.step.write.subject().as_ref() == Some(subject)
        });
        newest.is_some_and(|past| matches!(past.step.write, IamWrite::Deactivate { .. }))
    }

    /// The deletions that started and must be finished.
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

    #[must_use]
    pub fn is_partially_deleted(&self, user_id: &str) -> bool {
        self.partial_deletions().any(|deletion| deletion.user_id == user_id)
    }

    /// The virtual MFA devices that were deactivated but not deleted. Nothing but the journal shows
    /// them.
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

    /// The users with open steps, unfinished deletions or remediation tags, by account and name in
    /// lower case.
    #[must_use]
    pub fn users(&self) -> BTreeSet<(AccountId, String)> {
        let open = self.open_steps().map(|past| (past.step.account, &past.step.user));
        let unfinished =
            self.partial_deletions().map(|deletion| (deletion.account, &deletion.user));
        let tagged: BTreeSet<String> = self.known_tags().into_iter().map(|it| it.user_id).collect();
        let tagged = self.steps.iter().filter(|past| tagged.contains(&past.step.user_id));
        let tagged = tagged.map(|past| (past.step.account, &past.step.user));
        let all = open.chain(unfinished).chain(tagged);
        all.map(|(account, user)| (account, user.to_ascii_lowercase())).collect()
    }
}

/// Whether the device is a virtual device. A virtual device has an ARN and remains when it is
/// deactivated. A security key has an ARN too, but is removed.
#[must_use]
pub fn is_virtual(serial: &str) -> bool {
    serial.starts_with("arn:") && serial.contains(":mfa/")
}
