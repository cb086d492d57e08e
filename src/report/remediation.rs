//! The plan of a remedy, and what became of it, for people.

use std::fmt::Write as _;

use super::visible;
use crate::clock::Subject;
use crate::policy::remediation::RemediationPolicy;
use crate::remediate::plan::file::SavedPlan;
use crate::remediate::plan::step::{Step, Write as Call};
use crate::remediate::plan::{Act, Change, Clearing, Limit, Place, Start};
use crate::remediate::{Applied, Undo, Undone};

/// A plan, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Remedy<'a> {
    /// The plan.
    pub saved: &'a SavedPlan,
    /// What it was made by.
    pub policy: &'a RemediationPolicy,
    /// What became of it, where it was carried out.
    pub applied: Option<&'a Applied>,
    /// The most rows of a list; 0 for all.
    pub max_rows: usize,
}

/// An undoing, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Undoing<'a> {
    /// What is to be undone.
    pub undo: &'a Undo,
    /// What became of it, where it was done.
    pub undone: Option<&'a Undone>,
}

/// The plan as text for a terminal, ending with a line feed.
#[must_use]
pub fn remedy_text(remedy: Remedy<'_>) -> String {
    let plan = &remedy.saved.plan;
    let mut text = String::new();
    let mut list = |title: &str, rows: Vec<String>| {
        if rows.is_empty() {
            return;
        }
        let limit = if remedy.max_rows == 0 { usize::MAX } else { remedy.max_rows };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}");
        for row in rows.iter().take(limit) {
            let _ = writeln!(text, "  {}", visible(row));
        }
        if rows.len() > limit {
            let _ = writeln!(text, "  … and {} more", rows.len() - limit);
        }
        text.push('\n');
    };
    match remedy.applied {
        None => list("To be changed:", plan.changes.iter().map(change).collect()),
        Some(applied) => {
            list("Changed:", applied.made.iter().map(change).collect());
            let with = |(it, why): &(Change, String)| format!("{}: {why}", change(it));
            list(
                "Not changed, since the facts have moved:",
                applied.skipped.iter().map(with).collect(),
            );
            list("Failed:", applied.failed.iter().map(with).collect());
        }
    }
    list("To be removed by a person:", plan.by_hand.iter().map(place).collect());
    let waiting = plan.waiting.iter();
    list(
        "Later:",
        waiting
            .map(|it| format!("{}: {} from {}", place(&it.place), it.stage, it.due.date_naive()))
            .collect(),
    );
    let kept = plan.left_alone.iter();
    list("Left alone:", kept.map(|it| format!("{}: {}", place(&it.place), it.guard)).collect());
    list("Nothing was done:", plan.held.iter().map(held).collect());
    let count = plan.changes.len();
    let noun = if count == 1 { "change" } else { "changes" };
    let _ = writeln!(
        text,
        "{count} {noun} up to the stage {}, plan {}",
        remedy.saved.stage, remedy.saved.digest
    );
    text
}

fn place(place: &Place) -> String {
    match &place.subject {
        Subject::User => format!("{} {}", place.account, place.user),
        subject => format!("{} {}, {subject}", place.account, place.user),
    }
}

fn change(change: &Change) -> String {
    let act = match &change.act {
        Act::Clear(why) => format!("take the notice away: {}", clearing(*why)),
        Act::Notify(why) => format!("give notice{}", start(*why)),
        Act::Settle(why) => format!("count the days to the deletion{}", start(*why)),
        Act::Renew => "say that the notice still holds".to_owned(),
        Act::Deactivate => "deactivate".to_owned(),
        Act::DeletePassword | Act::DeleteCredential => "delete".to_owned(),
        Act::DeleteUser => "delete the user".to_owned(),
    };
    format!("{}: {act}", place(&change.place))
}

fn start(why: Start) -> String {
    let why = match why {
        Start::First => return String::new(),
        Start::Vanished => "the tag has vanished",
        Start::Unreadable => "the tag could not be read",
        Start::PasswordChanged => "the password was changed",
        Start::ExemptionLapsed => "an exemption has lapsed",
        Start::NotSeen => "no run has seen it for long",
        Start::Reactivated => "somebody activated it again",
    };
    format!(" anew: {why}")
}

fn clearing(why: Clearing) -> String {
    match why {
        Clearing::Used(at) => format!("it was used on {}", at.date_naive()),
        Clearing::NotStale => "nothing stands against it any more".to_owned(),
        Clearing::Exempted => "an exemption covers it".to_owned(),
        Clearing::RecentlyReset => "the password was reset".to_owned(),
        Clearing::Gone => "it is gone".to_owned(),
        Clearing::Inactive => "it is inactive".to_owned(),
        Clearing::InUse => "something of the user's is in use".to_owned(),
    }
}

fn held(limit: &Limit) -> String {
    match limit {
        Limit::Changes { due, allowed } => {
            format!("{due} changes are due, and `max_changes` allows {allowed} in a run")
        }
        Limit::Share { account, due, allowed, users } => format!(
            "{account}: {due} of {users} users are due, and `max_share` allows {allowed} in a run"
        ),
    }
}

/// The undoing as text for a terminal, ending with a line feed.
#[must_use]
pub fn undo_text(undoing: Undoing<'_>) -> String {
    let Undoing { undo, undone } = undoing;
    let mut text = String::new();
    let mut list = |title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            let rows: Vec<_> = rows.iter().map(|row| format!("  {}\n", visible(row))).collect();
            let _ = writeln!(text, "{title}\n{}", rows.concat());
        }
    };
    match undone {
        None => list("To be done:", undo.steps.iter().map(step).collect()),
        Some(undone) => {
            list("Done:", undone.made.iter().map(step).collect());
            let with = |(it, why): &(Step, String)| format!("{}: {why}", step(it));
            list("Failed:", undone.failed.iter().map(with).collect());
        }
    }
    let needless = undo.needless.iter();
    list(
        "Nothing to be done:",
        needless.map(|(it, why)| format!("{}: {}", of(it), why.says())).collect(),
    );
    list("Cannot come back:", undo.lost.iter().map(of).collect());
    let unseen = undo.unseen.iter();
    list(
        "Could not be looked at:",
        unseen.map(|((account, user), why)| format!("{account} {user}: {why}")).collect(),
    );
    if text.is_empty() {
        text.push_str("Nothing is to be undone.\n");
    }
    text
}

fn step(step: &Step) -> String {
    match &step.write {
        Call::Untag { .. } => format!("{}: take the notice away", of(step)),
        _ => format!("{}: activate", of(step)),
    }
}

fn of(step: &Step) -> String {
    let subject = match &step.write {
        Call::Deactivate { kind, id }
        | Call::Activate { kind, id }
        | Call::DeleteCredential { kind, id } => Subject::Credential(*kind, Some(id.clone())),
        Call::Untag { subject } | Call::Tag { subject, .. } => subject.clone(),
        Call::DeletePassword => Subject::PASSWORD,
        _ => Subject::User,
    };
    place(&Place { account: step.account, user: step.user.clone(), subject })
}
